//! What readers are shown of values in conflict, of references, and of what they may not read or do not understand.

use super::*;
use crate::command::Link;

#[test]
fn an_amendment_of_what_is_in_conflict_shows_the_earliest_of_it() {
    let set = |story: Story, lane, to| {
        story.says_at(
            lane,
            1,
            Verb::Set,
            &["phone"],
            gives("phone", Value::Int(to)),
        )
    };
    let story = set(set(Story::new(), 1, 1), 2, 2);
    assert_eq!(
        held(&story.folded(), "phone"),
        [Value::Int(1), Value::Int(2)]
    );
    let amended = story.says(3, Verb::Amend, &["phone"], gives("phone", Value::Int(3)));
    let steps = amended.folded().steps;
    let was = &steps.last().unwrap().was;
    assert_eq!(was.get("phone"), Some(&Value::Int(1)));
}

#[test]
fn references_keep_their_journals_be_they_one_or_several() {
    let link = |target: u8, journal: Option<u8>| Link {
        field: "phone".to_owned(),
        target: RecordId([target; 16]),
        journal: journal.map(|journal| JournalId([journal; 16])),
    };
    let bytes = |parts: &[u8]| Value::Bytes(parts.iter().flat_map(|part| [*part; 16]).collect());
    let referring = |links: Vec<Link>| {
        let mut story = Story::new().says(1, Verb::Set, &[], Content::default());
        if let Some(last) = story.0.last_mut() {
            last.command.envelope.links = links;
        }
        held(&story.folded(), "phone")
    };
    assert_eq!(referring(vec![link(3, Some(4))]), [bytes(&[3, 4])]);
    assert_eq!(
        referring(vec![link(3, Some(4)), link(5, None)]),
        [Value::List(vec![bytes(&[3, 4]), bytes(&[5])])]
    );
}

#[test]
fn every_field_of_what_is_withheld_is_withheld() {
    let both = |story: Story, lane, to| {
        let mut content = gives("code", Value::Int(to));
        content.values.insert("phone".to_owned(), Value::Int(to));
        story.says(lane, Verb::Set, &["code", "phone"], content)
    };
    let story = both(both(Story::new(), 1, 1), 9, 2);
    let read = story
        .without(|logged| logged.place.device == DeviceId([9; 16]))
        .folded();
    assert_eq!(read.fields["code"], Slot::Withheld);
    assert_eq!(read.fields["phone"], Slot::Withheld);
}

/// Rules that know the first version alone.
struct First;

impl Rules for First {
    fn knows(&self, catalogue: u32) -> bool {
        catalogue == 1
    }

    fn merge(&self, catalogue: u32, kind: &str, field: &str) -> Merge {
        ByName.merge(catalogue, kind, field)
    }

    fn state_after(&self, catalogue: u32, envelope: &Envelope) -> Option<String> {
        ByName.state_after(catalogue, envelope)
    }
}

#[test]
fn an_erasure_by_a_version_that_is_not_known_is_said_so_on_every_record_it_took() {
    let mut story = Story::new().says(3, Verb::Erase, &[], because("本人要求"));
    if let Some(erase) = story.0.last_mut() {
        (erase.catalogue, erase.command.envelope.record) = (2, RecordId([7; 16]));
    }
    let record = fold(&First, JOURNAL, RECORD, &story.0);
    assert_eq!(record.marks, [Mark::Erased, Mark::Unknown]);
}
