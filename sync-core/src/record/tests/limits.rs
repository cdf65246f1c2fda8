//! How long texts and lists become: at the limit, one past it, and when only a merge crosses it.

use super::*;
use crate::limits::{LIST_ITEMS_MAX, TEXT_CHARS_MAX};

/// A text of code points that take several bytes each.
fn long(chars: usize) -> String {
    "长".repeat(chars)
}

fn length(story: &Story) -> usize {
    text(&story.folded()).unwrap_or_default().chars().count()
}

fn items(count: usize) -> Content {
    let values = (0..count).map(|k| Value::Int(i64::try_from(k).unwrap()));
    gives("list", Value::List(values.collect()))
}

#[test]
fn a_text_takes_no_edit_past_its_limit_and_says_so() {
    let full = Story::new()
        .says(
            1,
            Verb::Edit,
            &["text"],
            types(0, 0, &long(TEXT_CHARS_MAX - 1)),
        )
        .says(2, Verb::Edit, &["text"], types(0, 0, "字"));
    assert_eq!(length(&full), TEXT_CHARS_MAX);
    assert!(full.folded().marks.is_empty());
    let past = full
        .clone()
        .says(1, Verb::Edit, &["text"], types(3, 0, "多"));
    assert_eq!(length(&past), TEXT_CHARS_MAX);
    assert_eq!(past.folded().marks, [Mark::OverLimit]);
    assert_eq!(past.folded().fields, full.folded().fields);
    // What comes in place of as much fits, also within one command.
    let mut swap = types(0, 5, "");
    swap.splices
        .extend(types(u32::MAX, 9, "五个字可以").splices);
    let swapped = full.says(1, Verb::Edit, &["text"], swap);
    assert_eq!(length(&swapped), TEXT_CHARS_MAX);
    assert!(swapped.folded().marks.is_empty());
}

#[test]
fn a_text_given_anew_keeps_its_limit() {
    let short = Story::new().says(1, Verb::Edit, &["text"], types(0, 0, "短"));
    let rewrite = |story: &Story, chars| {
        let anew = gives("text", Value::text(long(chars)));
        story.clone().says(1, Verb::Amend, &["text"], anew)
    };
    let edge = rewrite(&short, TEXT_CHARS_MAX);
    assert_eq!(length(&edge), TEXT_CHARS_MAX);
    assert!(edge.folded().marks.is_empty());
    let past = rewrite(&short, TEXT_CHARS_MAX + 1);
    assert_eq!(text(&past.folded()).as_deref(), Some("短"));
    assert_eq!(past.folded().marks, [Mark::OverLimit]);
}

#[test]
fn a_list_takes_no_items_past_its_limit_and_says_so() {
    let full = Story::new()
        .says(1, Verb::Insert, &["list"], items(LIST_ITEMS_MAX - 1))
        .says(2, Verb::Insert, &["list"], items(1));
    assert_eq!(listed(&full.folded()).len(), LIST_ITEMS_MAX);
    assert!(full.folded().marks.is_empty());
    let past = full.says(1, Verb::Insert, &["list"], items(1));
    assert_eq!(listed(&past.folded()).len(), LIST_ITEMS_MAX);
    assert_eq!(past.folded().marks, [Mark::OverLimit]);
    let much = Story::new().says(1, Verb::Insert, &["list"], items(LIST_ITEMS_MAX + 1));
    assert!(much.folded().fields.is_empty());
    assert_eq!(much.folded().marks, [Mark::OverLimit]);
}

#[test]
fn what_a_merge_made_too_long_is_marked_until_it_is_shorter() {
    let half = long(TEXT_CHARS_MAX / 2 + 1);
    let both = Story::new()
        .says_at(1, 1, Verb::Edit, &["text"], types(0, 0, &half))
        .says_at(2, 1, Verb::Edit, &["text"], types(0, 0, &half));
    assert_eq!(length(&both), TEXT_CHARS_MAX + 2);
    assert_eq!(both.folded().marks, [Mark::OverLimit]);
    let shorter = both
        .clone()
        .says(1, Verb::Edit, &["text"], types(0, 2, "一"));
    assert_eq!(length(&shorter), TEXT_CHARS_MAX + 1);
    assert_eq!(shorter.folded().marks, [Mark::OverLimit]);
    let short = shorter.says(1, Verb::Edit, &["text"], types(0, 1, ""));
    assert_eq!(length(&short), TEXT_CHARS_MAX);
    assert!(short.folded().marks.is_empty());
    let lists = Story::new()
        .says_at(1, 1, Verb::Insert, &["list"], items(LIST_ITEMS_MAX))
        .says_at(2, 1, Verb::Insert, &["list"], items(1));
    assert_eq!(listed(&lists.folded()).len(), LIST_ITEMS_MAX + 1);
    assert_eq!(lists.folded().marks, [Mark::OverLimit]);
}

#[test]
fn a_limit_is_marked_alike_however_the_record_came_to_be_folded() {
    // Past the limit while nobody was absent; then two write unseen by each other, and the record becomes a document.
    let past = Story::new()
        .says(1, Verb::Edit, &["text"], types(0, 0, &long(TEXT_CHARS_MAX)))
        .says(1, Verb::Edit, &["text"], types(0, 0, "多"))
        .says(1, Verb::Edit, &["text"], types(0, 9, ""));
    assert_eq!(past.folded().marks, [Mark::OverLimit]);
    let seen = past.0.len() as Seq;
    let merged = past
        .says_at(
            1,
            seen,
            Verb::Set,
            &["phone"],
            gives("phone", Value::Int(1)),
        )
        .says_at(
            2,
            seen,
            Verb::Set,
            &["phone"],
            gives("phone", Value::Int(2)),
        );
    assert_eq!(merged.folded().marks, [Mark::OverLimit]);
    assert_eq!(length(&merged), TEXT_CHARS_MAX - 9);
    let erased = merged.says(3, Verb::Erase, &[], because("本人要求"));
    assert_eq!(erased.folded().marks, [Mark::Erased]);
}

#[test]
fn what_was_too_long_once_says_nothing_of_the_next_edit() {
    let past = Story::new()
        .says(1, Verb::Edit, &["text"], types(0, 0, &long(TEXT_CHARS_MAX)))
        .says(1, Verb::Edit, &["text"], types(0, 0, "多"));
    assert_eq!(past.folded().marks, [Mark::OverLimit]);
    let overflows = |content| {
        let next = past.clone().says(1, Verb::Edit, &["text"], content);
        past.folded().overflows(&ByName, next.0.last().unwrap())
    };
    assert_eq!(overflows(types(0, 1, "短")), None);
    assert_eq!(overflows(types(0, 0, "多")).as_deref(), Some("text"));
}

#[test]
fn nobody_says_how_long_a_text_is_of_which_part_is_withheld() {
    let hidden = |logged: &Logged| logged.place.device == DeviceId([9; 16]);
    let marks = [vec![Mark::Withheld], vec![Mark::Withheld, Mark::OverLimit]];
    // Who had not seen the part that is withheld is known to have met his limit.
    for (seen, marks) in [2, 1].into_iter().zip(marks) {
        let half = long(TEXT_CHARS_MAX / 2 + 1);
        let story = Story::new()
            .says(9, Verb::Edit, &["text"], types(0, 0, "密"))
            .says_at(1, seen, Verb::Edit, &["text"], types(0, 0, &half))
            .says_at(1, seen, Verb::Edit, &["text"], types(0, 0, &half));
        let withheld = story.without(hidden);
        assert_eq!(withheld.folded().fields["text"], Slot::Withheld);
        assert_eq!(withheld.folded().marks, marks);
        let anew = withheld.says(
            1,
            Verb::Amend,
            &["text"],
            gives("text", Value::text("全文")),
        );
        assert_eq!(text(&anew.folded()).as_deref(), Some("全文"));
        assert_eq!(anew.folded().marks, marks);
    }
}

#[test]
fn a_long_text_given_anew_folds_in_time() {
    let anew = |k: u32| {
        // No two have anything in common.
        let of = char::from_u32(0x4e00 + k).unwrap().to_string();
        gives("text", Value::text(of.repeat(TEXT_CHARS_MAX)))
    };
    let mut story = Story::new();
    for k in 0..6 {
        // One lane sees what stands, the other nothing but its own.
        story = if k % 2 == 0 {
            story.says(1, Verb::Amend, &["text"], anew(k))
        } else {
            story.says_at(2, 1, Verb::Amend, &["text"], anew(k))
        };
    }
    let record = folded(&story.0);
    let stands = text(&record).unwrap_or_default().chars().count();
    assert_eq!(stands, 2 * TEXT_CHARS_MAX, "the last of each lane");
    assert_eq!(record.marks, [Mark::OverLimit]);
}

#[test]
fn who_corrects_a_word_leaves_what_another_wrote_beside_it_where_it_is() {
    let story = Story::new()
        .says(
            1,
            Verb::Edit,
            &["text"],
            types(0, 0, "北墙有裂缝，已报镇上。"),
        )
        .says_at(2, 2, Verb::Edit, &["text"], types(5, 0, "两道"))
        .says_at(
            1,
            2,
            Verb::Amend,
            &["text"],
            gives("text", Value::text("北墙有裂缝，已报县上。")),
        );
    assert_eq!(
        text(&story.folded()).as_deref(),
        Some("北墙有裂缝两道，已报县上。")
    );
}
