//! Texts and the splices between them, in code points.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::command::Splice;

/// The splice that makes one text of another: what lies between their common beginning and end. `None` if they are equal.
///
/// ```
/// use sync_core::text::difference;
///
/// let splice = difference("墙体有裂缝。", "北墙有两道裂缝。").expect("they differ");
/// assert_eq!((splice.at, splice.delete, splice.insert.as_str()), (0, 3, "北墙有两道"));
/// assert_eq!(difference("墙", "墙"), None);
/// ```
pub fn difference(before: &str, after: &str) -> Option<Splice> {
    let (before, after): (Vec<char>, Vec<char>) =
        (before.chars().collect(), after.chars().collect());
    let (from, to) = changed(&before, &after)?;
    let insert = after
        .get(from..after.len() - (before.len() - to))?
        .iter()
        .collect();
    let count = |chars: usize| u32::try_from(chars).unwrap_or(u32::MAX);
    Some(Splice {
        at: count(from),
        delete: count(to - from),
        insert,
    })
}

/// The part of `before` that is not in `after`, between the common beginning and the common end.
fn changed(before: &[char], after: &[char]) -> Option<(usize, usize)> {
    if before == after {
        return None;
    }
    let same = |(a, b): &(&char, &char)| a == b;
    let head = before.iter().zip(after).take_while(same).count();
    let rest = (before.len().min(after.len())) - head;
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take(rest)
        .take_while(same)
        .count();
    Some((head, before.len() - tail))
}

/// A text after splices. Places and lengths that lie beyond the text's end clamp to it.
pub fn spliced(text: &str, splices: &[Splice]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for splice in splices {
        let at = (splice.at as usize).min(text.len());
        let end = at.saturating_add(splice.delete as usize).min(text.len());
        text.splice(at..end, splice.insert.chars());
    }
    text.into_iter().collect()
}

/// The splices that do to `now` what `splices` did to `then`.
///
/// What was changed since lies between the common beginning and end of both texts. Where the splices reach into it, they delete
/// of what is left and insert behind what was written there, so that nothing that somebody wrote meanwhile goes.
pub fn rebase(then: &str, splices: &[Splice], now: &str) -> Vec<Splice> {
    let Some(mine) = difference(then, &spliced(then, splices)) else {
        return Vec::new();
    };
    let (old, new): (Vec<char>, Vec<char>) = (then.chars().collect(), now.chars().collect());
    let Some((from, to)) = changed(&old, &new) else {
        return vec![mine];
    };
    let new_to = new.len() - (old.len() - to);
    let (at, end) = (mine.at as usize, mine.at as usize + mine.delete as usize);
    let splice = |at: usize, delete: usize, insert: String| {
        let count = |chars: usize| u32::try_from(chars).unwrap_or(u32::MAX);
        Splice {
            at: count(at),
            delete: count(delete),
            insert,
        }
    };
    if end <= from {
        return vec![mine];
    }
    if at >= to {
        return vec![splice(at - to + new_to, end - at, mine.insert)];
    }
    let behind = splice(new_to, end.saturating_sub(to), mine.insert);
    let before = splice(at, from.saturating_sub(at), String::new());
    let does = |splice: &Splice| splice.delete > 0 || !splice.insert.is_empty();
    [behind, before].into_iter().filter(does).collect()
}

/// The splices that make one text of another, in code points, each on the text as the earlier ones left it.
///
/// Only what changed is named, so that what a teammate changes elsewhere in the same text meanwhile stays.
///
/// ```
/// use sync_core::text::{spliced, splices};
///
/// let (before, after) = ("墙体有裂缝，水压小。", "北墙有裂缝，水压正常。");
/// let splices = splices(before, after);
/// assert_eq!(splices.len(), 3); // 北 comes, 体 goes, 小 becomes 正常
/// assert_eq!(spliced(before, &splices), after);
/// ```
pub fn splices(before: &str, after: &str) -> Vec<Splice> {
    let (old, new): (Vec<char>, Vec<char>) = (before.chars().collect(), after.chars().collect());
    let count = |chars: usize| u32::try_from(chars).unwrap_or(u32::MAX);
    let written = |from: usize, length: usize| new.iter().skip(from).take(length).collect();
    let changes = capture_diff_slices(Algorithm::Myers, &old, &new);
    // The place of a change in the new text is its place once the changes before it are done.
    let splice = |change: &DiffOp| match *change {
        DiffOp::Equal { .. } => None,
        DiffOp::Delete {
            old_len, new_index, ..
        } => Some(Splice {
            at: count(new_index),
            delete: count(old_len),
            insert: String::new(),
        }),
        DiffOp::Insert {
            new_index, new_len, ..
        } => Some(Splice {
            at: count(new_index),
            delete: 0,
            insert: written(new_index, new_len),
        }),
        DiffOp::Replace {
            old_len,
            new_index,
            new_len,
            ..
        } => {
            let insert = written(new_index, new_len);
            Some(Splice {
                at: count(new_index),
                delete: count(old_len),
                insert,
            })
        }
    };
    changes.iter().filter_map(splice).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            proptest::sample::select(vec!['墙', '裂', 'a', 'é', '𠀀', '\n']),
            0..12,
        )
        .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn a_difference_makes_one_text_of_the_other(before in text(), after in text()) {
            let splices: Vec<Splice> = difference(&before, &after).into_iter().collect();
            prop_assert_eq!(spliced(&before, &splices), after.clone());
            prop_assert_eq!(splices.is_empty(), before == after);
        }

        #[test]
        fn on_an_unchanged_text_an_edit_does_what_it_did(before in text(), after in text()) {
            let splices: Vec<Splice> = difference(&before, &after).into_iter().collect();
            prop_assert_eq!(spliced(&before, &rebase(&before, &splices, &before)), after);
        }

        #[test]
        fn what_others_wrote_meanwhile_stays(before in text(), mine in text(), theirs in text(), at in 0..12_u32) {
            let splices: Vec<Splice> = difference(&before, &mine).into_iter().collect();
            let inserted = Splice { at, delete: 0, insert: format!("【{theirs}】") };
            let now = spliced(&before, &[inserted]);
            let after = spliced(&now, &rebase(&before, &splices, &now));
            prop_assert!(after.contains(&format!("【{theirs}】")), "{after}");
            let without = after.replacen(&format!("【{theirs}】"), "", 1);
            let length = |text: &str| text.chars().count();
            prop_assert_eq!(length(&without), length(&mine));
        }
    }

    #[track_caller]
    fn check_rebase(then: &str, mine: &str, now: &str, expected: &str) {
        let splices: Vec<Splice> = difference(then, mine).into_iter().collect();
        assert_eq!(spliced(now, &rebase(then, &splices, now)), expected);
    }

    #[test]
    fn edits_in_different_places_both_stay() {
        check_rebase(
            "已通水。",
            "已通水，水压小。",
            "三组已通水。",
            "三组已通水，水压小。",
        );
        check_rebase(
            "已通水。",
            "三组已通水。",
            "已通水，水压小。",
            "三组已通水，水压小。",
        );
        check_rebase(
            "房屋有裂缝",
            "房屋无裂缝",
            "房屋有大裂缝，须修",
            "房屋无大裂缝，须修",
        );
    }

    #[test]
    fn edits_in_one_place_stand_side_by_side() {
        check_rebase("收入一万", "收入两万", "收入三万", "收入三两万");
    }

    #[test]
    fn splices_make_one_text_of_the_other() {
        let texts = [
            "",
            "墙",
            "墙体有裂缝。",
            "北墙有裂缝，须修。",
            "é𠀀\n二组\n",
            "二组\n𠀀é",
            "一二三四五",
            "五四三二一",
        ];
        for before in texts {
            for after in texts {
                assert_eq!(
                    spliced(before, &splices(before, after)),
                    after,
                    "{before} → {after}"
                );
            }
        }
    }

    #[test]
    fn equal_texts_need_no_splice() {
        assert!(splices("水压小", "水压小").is_empty());
    }
}
