//! What an erasure leaves of a record, and what reading leaves of it.

use super::*;

fn amended() -> Story {
    let amend = Content {
        reason: Some("记错了".to_owned()),
        ..gives("phone", Value::text("139"))
    };
    Story::new()
        .says(1, Verb::Set, &["phone"], gives("phone", Value::text("138")))
        .says(1, Verb::Amend, &["phone"], amend)
        .says(2, Verb::Void, &[], because("录错户"))
        .says(2, Verb::Edit, &["text"], types(0, 0, "北墙有裂缝"))
}

#[test]
fn an_erasure_takes_what_amendments_replaced_and_every_reason_but_its_own() {
    let before = amended().folded();
    assert!(before.steps.iter().any(|step| !step.was.is_empty()));
    let story = amended()
        .says(3, Verb::Erase, &[], because("本人要求"))
        .says(2, Verb::Edit, &["text"], types(0, 0, "又写"))
        .says(2, Verb::Void, &[], because("又写"))
        .says(3, Verb::Erase, &[], because("再次要求"));
    for record in [story.folded(), Record::set_aside(JOURNAL, RECORD, &story.0)] {
        assert!(record.fields.is_empty());
        assert!(record.steps.iter().all(|step| step.was.is_empty()));
        let reasons: Vec<_> = record
            .steps
            .iter()
            .filter_map(|step| step.reason.as_deref())
            .collect();
        assert_eq!(reasons, ["本人要求", "再次要求"]);
        let void = record.void.as_ref();
        assert!(void.is_none_or(|void| void.reason.is_none()));
    }
    assert_eq!(story.folded().marks, [Mark::Erased]);
    assert!(story.folded().void.is_some(), "that it was void stays");
}

#[test]
fn the_fold_of_what_was_erased_is_the_same_before_and_after_its_contents_go() {
    let late = |story: Story| {
        story.says_at(
            1,
            2,
            Verb::Set,
            &["phone"],
            gives("phone", Value::text("137")),
        )
    };
    for seen in [5, 1] {
        let erase = |story: Story| story.says_at(3, seen, Verb::Erase, &[], because("本人要求"));
        let mut story = late(erase(amended()));
        if let Some(late) = story.0.last_mut() {
            late.fate = Fate::NoEffect("erased".to_owned());
        }
        let whole = story.folded();
        let gone = story
            .without(|logged| logged.command.envelope.verb != Verb::Erase)
            .folded();
        let fields = |record: &Record| {
            (
                record.fields.clone(),
                record.steps.clone(),
                record.marks.clone(),
                record.void.clone(),
            )
        };
        assert_eq!(fields(&whole), fields(&gone));
        assert_eq!(gone.marks, [Mark::Erased]);
    }
}

#[test]
fn what_is_withheld_of_an_erasure_is_marked() {
    let story = amended().says(3, Verb::Erase, &[], because("本人要求"));
    let story = story.without(|logged| logged.command.envelope.verb == Verb::Erase);
    assert_eq!(story.folded().marks, [Mark::Withheld, Mark::Erased]);
}

#[test]
fn what_is_withheld_stands_until_somebody_who_saw_it_writes_anew() {
    let set = |story: Story, lane: u8, base| {
        let value = gives("phone", Value::Int(i64::from(lane)));
        story.says_at(lane, base, Verb::Set, &["phone"], value)
    };
    let hidden = |logged: &Logged| logged.place.device == DeviceId([9; 16]);
    let beside = set(set(Story::new(), 9, 1), 1, 1);
    let read = beside.clone().without(hidden).folded();
    assert_eq!(read.fields["phone"], Slot::Withheld);
    let anew = set(beside, 1, 3).without(hidden).folded();
    assert_eq!(held(&anew, "phone"), [Value::Int(1)]);
}

#[test]
fn what_is_refused_or_without_effect_erases_nothing() {
    for fate in [
        Fate::NoEffect("superseded".to_owned()),
        Fate::Refused("not_allowed".to_owned(), None),
    ] {
        let mut story = amended().says(3, Verb::Erase, &[], because("本人要求"));
        if let Some(erase) = story.0.last_mut() {
            erase.fate = fate;
        }
        let record = story.folded();
        assert_eq!(text(&record).as_deref(), Some("北墙有裂缝"));
        assert!(record.marks.is_empty());
    }
}

#[test]
fn a_reveal_makes_no_field() {
    for field in ["text", "list", "phone"] {
        let line = Story::new().says(1, Verb::Reveal, &[field], because("核实"));
        let apart = line
            .clone()
            .says_at(2, 1, Verb::Reveal, &[field], because("核实"));
        for story in [
            line.clone(),
            line.without(|_| true),
            apart.clone(),
            apart.without(|_| true),
        ] {
            assert!(story.folded().fields.is_empty(), "{field}");
        }
    }
}

#[test]
fn an_edit_of_what_is_no_text_is_no_change() {
    for field in ["list", "phone"] {
        let line = Story::new().says(1, Verb::Edit, &[field], types(0, 0, "字"));
        let apart = line
            .clone()
            .says_at(2, 1, Verb::Edit, &[field], types(0, 0, "字"));
        for story in [line, apart] {
            assert!(story.folded().fields.is_empty(), "{field}");
        }
    }
}
