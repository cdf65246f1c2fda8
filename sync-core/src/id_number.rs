//! Identity numbers: how they are written, and the short code by which one is compared that may not be read.
//!
//! Who sets a person's number stays on the village's own phones; the county gets a list with numbers from elsewhere, and asks which
//! of two people of one name is meant. [`check_code`] answers that and little more: it is twelve bits of a digest, so that it *cannot*
//! hold the number. A whole digest could, whatever its salt: the numbers of one county are so few that all of them are soon tried by
//! anybody who may compare at all. Each of these codes is shared by tens of thousands of a county's numbers.

use crate::catalog::{Field, Kind};
use crate::id::{DeploymentId, sha256};
use crate::value::{Fields, Value};

/// The digits of a check code.
const CODE_DIGITS: usize = 3;
/// The characters of a citizen's number.
const NUMBER_CHARS: usize = 18;
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

/// Whether a number is written as a citizen's number is, its last character following from the others.
pub fn is_citizens(text: &str) -> bool {
    let number = normal(text);
    let digits = number.chars().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits.zip(WEIGHTS).map(|(a, b)| a * b).sum();
    let last = usize::try_from(sum % 11)
        .ok()
        .and_then(|rest| LAST.get(rest));
    let body = number.chars().take(WEIGHTS.len());
    number.chars().count() == NUMBER_CHARS
        && body.into_iter().all(|c| c.is_ascii_digit())
        && number.chars().next_back() == last.copied()
}

/// The 核对码 of a number in a deployment; none of no number.
///
/// ```
/// use sync_core::id::DeploymentId;
/// use sync_core::id_number::check_code;
///
/// let here = DeploymentId([7; 16]);
/// let code = check_code(here, "11010519491231002X");
/// assert_eq!(code, check_code(here, " 11010519491231002x"));
/// assert_ne!(code, check_code(DeploymentId([8; 16]), "11010519491231002X"));
/// assert_eq!(check_code(here, " "), None);
/// ```
pub fn check_code(deployment: DeploymentId, text: &str) -> Option<String> {
    let number = normal(text);
    let digest = sha256(&[
        b"zhucun identity check v1",
        &deployment.0,
        number.as_bytes(),
    ]);
    let code = digest.to_string().chars().take(CODE_DIGITS).collect();
    (!number.is_empty()).then_some(code)
}

/// The check codes that go with the numbers among some values, by their fields; nothing, beside a number that is cleared.
pub(crate) fn check_codes(deployment: DeploymentId, kind: &Kind, values: &Fields) -> Fields {
    let code_of = |field: &Field| {
        let number = values.get(field.check_of.as_ref()?)?.as_text();
        let code = number.and_then(|text| check_code(deployment, text));
        Some((field.name.clone(), code.map_or(Value::Null, Value::Text)))
    };
    kind.fields.iter().filter_map(code_of).collect()
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
    fn one_code_stands_for_thousands_of_numbers_of_one_county() {
        let deployment = DeploymentId([7; 16]);
        let code = |n: u32| check_code(deployment, &format!("64042219{n:09}X")).unwrap();
        let known = code(0);
        assert_eq!(known.len(), CODE_DIGITS);
        let same = (0..100_000).filter(|n| code(*n) == known).count();
        assert!(
            (10..60).contains(&same),
            "{same} of 100000, about 24 by chance"
        );
    }
}
