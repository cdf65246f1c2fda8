//! What a person changed in a text, as the splices that a command carries.

use similar::{Algorithm, DiffOp, capture_diff_slices};
use sync_core::command::Splice;

/// The splices that make one text of another, in code points, each on the text as the earlier ones left it.
///
/// Only what changed is named, so that what a teammate changes elsewhere in the same text meanwhile stays.
///
/// ```
/// use device::edit::splices;
/// use sync_core::text::spliced;
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
    use sync_core::text::spliced;

    use super::*;

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
