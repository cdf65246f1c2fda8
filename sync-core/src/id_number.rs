//! Identity numbers: how they are written, and what follows from them.

use crate::id::Date;

/// The characters of a citizen's number.
pub(crate) const NUMBER_CHARS: usize = 18;
/// GB 11643-1999: the weights of the first seventeen digits, and the last character by the sum's remainder.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const LAST: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// A number as it is compared: full-width characters made narrow, in capitals, without spaces.
pub fn normal(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    };
    let shown = text.chars().map(narrow).filter(|c| !c.is_whitespace());
    shown.flat_map(char::to_uppercase).collect()
}

/// Whether a number is written as a citizen's number is: a day of birth in it, its last character following from the others.
pub fn is_citizens(text: &str) -> bool {
    normal(text).len() == NUMBER_CHARS && born(text).is_some()
}

/// The day on which a citizen was born, of a number that is or begins with his, as that of a disability card does.
pub fn born(text: &str) -> Option<Date> {
    let number = normal(text);
    let (first, last) = number
        .get(..NUMBER_CHARS)?
        .split_at_checked(WEIGHTS.len())?;
    let digits = first.chars().map(|c| c.to_digit(10));
    let digits = digits.collect::<Option<Vec<u32>>>()?;
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(a, b)| a * b).sum();
    let expected = LAST.get(usize::try_from(sum % 11).ok()?)?;
    let day = format!(
        "{}-{}-{}",
        first.get(6..10)?,
        first.get(10..12)?,
        first.get(12..14)?
    );
    day.parse().ok().filter(|_| last.starts_with(*expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citizens_number_ends_in_what_follows_from_it() {
        for right in [
            "11010519491231002X",
            "440524188001010014",
            "１１０１０５１９４９１２３１００２ｘ",
        ] {
            assert!(is_citizens(right), "{right}");
        }
        for wrong in [
            "110105194912310021",
            "11010519491231002",
            "1101051949123100２XX",
            "X1010519491231002X",
            "",
            "四四零",
        ] {
            assert!(!is_citizens(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_citizens_number_says_when_he_was_born() {
        let expected = "1949-12-31".parse().ok();
        for number in [
            "１１０１０５１９４９１２３１００２x",
            "110105 19491231 002X 43",
        ] {
            assert_eq!(born(number), expected, "{number}");
        }
        for without in [
            "110105194912310021",
            "110105194913310021",
            "1949-12-31",
            "出生",
            "",
        ] {
            assert_eq!(born(without), None, "{without}");
        }
    }
}
