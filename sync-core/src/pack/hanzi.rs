//! Chinese texts in two bytes a character, which compress better than UTF-8's three.
//!
//! * A common character, one of the 3,755 of the first level of GB 2312, is its row (`B0` to `D7`) and its cell (`A1` to `FE`) there;
//! * every other of the block U+4E00 to U+9FFF is one of the rows that are left, and a cell of `00` to `FE`;
//! * the punctuation of Chinese is one byte, `10` to `1E`;
//! * what is left of ASCII is itself, and anything else is `0F` before its UTF-8.
//!
//! `FF` is none of these bytes: it ends a text (see `column`). Bytes that these rules do not make may stand for a text all the
//! same: packed bytes are not canonical.

use std::sync::OnceLock;

use super::PackError;

/// The first level of GB 2312, a row a line, in its order: by sound, as dictionaries have it.
const COMMON: &str = include_str!("hanzi.txt");
const CELLS: usize = 94;
const FIRST_ROW: usize = 0xb0;
const FIRST_CELL: usize = 0xa1;

/// The rows that the common characters leave, each of 255 cells.
const OTHER_CELLS: usize = 255;
const OTHER_BEFORE: u8 = 0x80;
const OTHER_AFTER: u8 = 0xd8;
/// How many of these rows come before the common ones.
const ROWS_BEFORE: usize = FIRST_ROW - OTHER_BEFORE as usize;

const BLOCK: core::ops::RangeInclusive<u32> = 0x4e00..=0x9fff;
const BLOCK_LENGTH: usize = 0x5200;

const PUNCTUATION: [char; 15] = [
    '，', '。', '、', '；', '：', '？', '！', '“', '”', '（', '）', '《', '》', '·', '—',
];
const FIRST_PUNCTUATION: u8 = 0x10;
const ESCAPE: u8 = 0x0f;
/// What is itself begins again after the punctuation.
const LAST_PUNCTUATION: u8 = 0x1e;
const LAST_ROW: u8 = 0xfe;
const END: u8 = 0xff;

struct Tables {
    /// The common characters in their order, each in its three bytes of UTF-8.
    common: Vec<[u8; 3]>,
    /// The place of each character of the block among the common ones, plus one; 0 for the others.
    place: Vec<u16>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let common = || COMMON.chars().filter(|char| *char != '\n');
        let mut place = vec![0; BLOCK_LENGTH];
        for (number, char) in (1..).zip(common()) {
            if let Some(slot) = in_block(char).and_then(|offset| place.get_mut(offset)) {
                *slot = number;
            }
        }
        let common = common().map(of_three).collect();
        Tables { common, place }
    })
}

fn in_block(char: char) -> Option<usize> {
    let code = u32::from(char);
    let within = BLOCK.contains(&code).then(|| code - BLOCK.start())?;
    usize::try_from(within).ok()
}

/// The UTF-8 of a character of the block: all of them take three bytes.
fn of_three(char: char) -> [u8; 3] {
    let mut utf8 = [0; 3];
    char.encode_utf8(&mut utf8);
    utf8
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(END)
}

/// Writes a text.
pub(super) fn narrow(text: &str, to: &mut Vec<u8>) {
    let tables = tables();
    for char in text.chars() {
        let punctuation = || {
            (FIRST_PUNCTUATION..)
                .zip(PUNCTUATION)
                .find(|(_, mark)| *mark == char)
        };
        if let Some(offset) = in_block(char) {
            match tables.place.get(offset).copied().map(usize::from) {
                Some(number @ 1..) => {
                    to.push(byte(FIRST_ROW + (number - 1) / CELLS));
                    to.push(byte(FIRST_CELL + (number - 1) % CELLS));
                }
                _ => {
                    let row = offset / OTHER_CELLS;
                    to.push(if row < ROWS_BEFORE {
                        OTHER_BEFORE + byte(row)
                    } else {
                        OTHER_AFTER + byte(row - ROWS_BEFORE)
                    });
                    to.push(byte(offset % OTHER_CELLS));
                }
            }
        } else if let Some((mark, _)) = punctuation() {
            to.push(mark);
        } else {
            let mut utf8 = [0; 4];
            let utf8 = char.encode_utf8(&mut utf8).as_bytes();
            let itself =
                char.is_ascii() && !(ESCAPE..=LAST_PUNCTUATION).contains(&byte(char as usize));
            if !itself {
                to.push(ESCAPE);
            }
            to.extend_from_slice(utf8);
        }
    }
}

fn push(to: &mut Vec<u8>, char: char) {
    let mut utf8 = [0; 4];
    to.extend_from_slice(char.encode_utf8(&mut utf8).as_bytes());
}

/// The UTF-8 of texts that each end in `FF`, these ends included: at most `max` bytes. That it is UTF-8 is not checked.
pub(super) fn widen(bytes: &[u8], max: usize) -> Result<Vec<u8>, PackError> {
    const CUT: PackError = PackError::Malformed("a text cut short");
    const NONE: PackError = PackError::Malformed("a character that is none");
    let tables = tables();
    // Mostly two bytes become three.
    let mut wide = Vec::with_capacity((bytes.len().saturating_mul(3) / 2).min(max));
    let mut left = bytes.iter().copied();
    while let Some(first) = left.next() {
        match first {
            FIRST_PUNCTUATION..=LAST_PUNCTUATION => {
                let mark = PUNCTUATION.get(usize::from(first - FIRST_PUNCTUATION));
                push(&mut wide, *mark.ok_or(NONE)?);
            }
            0xb0..=0xd7 => {
                let cell = usize::from(left.next().ok_or(CUT)?);
                let row = usize::from(first) - FIRST_ROW;
                let cell = cell.checked_sub(FIRST_CELL).filter(|cell| *cell < CELLS);
                let place = row * CELLS + cell.ok_or(NONE)?;
                wide.extend_from_slice(tables.common.get(place).ok_or(NONE)?);
            }
            OTHER_BEFORE..=LAST_ROW => {
                let cell = left.next().filter(|cell| *cell != END).ok_or(CUT)?;
                let row = if first < OTHER_AFTER {
                    usize::from(first - OTHER_BEFORE)
                } else {
                    usize::from(first - OTHER_AFTER) + ROWS_BEFORE
                };
                let offset = row * OTHER_CELLS + usize::from(cell);
                let code = u32::try_from(offset).map_err(|_| NONE)? + BLOCK.start();
                let code = Some(code).filter(|code| BLOCK.contains(code));
                push(&mut wide, code.and_then(char::from_u32).ok_or(NONE)?);
            }
            ESCAPE => {
                let lead = left.next().ok_or(CUT)?;
                let length = match lead {
                    0..0x80 => 0,
                    0xc0..0xe0 => 1,
                    0xe0..0xf0 => 2,
                    0xf0..0xf8 => 3,
                    _ => return Err(NONE),
                };
                wide.push(lead);
                for _ in 0..length {
                    wide.push(left.next().filter(|byte| *byte != END).ok_or(CUT)?);
                }
            }
            itself => wide.push(itself),
        }
        if wide.len() > max {
            return Err(PackError::TooLarge(max));
        }
    }
    Ok(wide)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn narrowed(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        narrow(text, &mut bytes);
        bytes
    }

    #[test]
    fn the_table_is_the_first_level_of_the_standard() {
        let common = &tables().common;
        assert_eq!(common.len(), 3_755);
        assert_eq!((common[0], common[3_754]), (of_three('啊'), of_three('座')));
        assert_eq!(narrowed("啊座"), [0xb0, 0xa1, 0xd7, 0xf9]);
        let distinct: std::collections::BTreeSet<_> = common.iter().copied().collect();
        assert_eq!(distinct.len(), common.len());
    }

    #[test]
    fn every_character_comes_back_and_none_is_an_end() {
        for char in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let text = char.to_string();
            let narrow = narrowed(&text);
            assert!(!narrow.contains(&END), "{char:?}");
            assert_eq!(
                widen(&narrow, 4).as_deref(),
                Ok(text.as_bytes()),
                "{char:?}"
            );
            if in_block(char).is_some() {
                assert_eq!(narrow.len(), 2, "{char:?}");
            }
        }
    }

    #[test]
    fn widening_stops_at_its_limit() {
        for text in ["村委会", "，，，", "abc", "é\u{f}"] {
            let narrow = narrowed(text);
            assert_eq!(widen(&narrow, text.len()).as_deref(), Ok(text.as_bytes()));
            let max = text.len() - 1;
            assert_eq!(widen(&narrow, max), Err(PackError::TooLarge(max)));
        }
    }

    #[test]
    fn what_is_no_character_is_refused() {
        for bytes in [
            &[0xb0][..],
            &[0xb0, 0xa0],
            &[0xd7, 0xfa],
            &[0x80],
            &[0x80, END],
            &[0xfe, 0xfe],
            &[ESCAPE],
            &[ESCAPE, 0x80],
            &[ESCAPE, 0xe4, END],
        ] {
            assert!(widen(bytes, 99).is_err(), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn texts_come_back(text: String) {
            let bytes = widen(&narrowed(&text), usize::MAX).unwrap();
            prop_assert_eq!(bytes, text.as_bytes());
        }

        #[test]
        fn nothing_breaks_it(bytes: Vec<u8>) {
            if let Ok(wide) = widen(&bytes, 1 << 16) {
                prop_assert!(wide.len() <= 3 * bytes.len());
            }
        }
    }
}
