//! 核对码: short codes by which that is compared which may not be read.
//!
//! Who sets a person's number or date of birth stays on the village's own phones; the county gets a list with both from elsewhere, and
//! asks which of two people of one name is meant. A code answers that and little more: it is so few bits of a digest that it *cannot* hold
//! what it was made from. A whole digest could, whatever its salt: the numbers of one county, and all days of a life, are so few that all
//! of them are soon tried by anybody who may compare at all.
//!
//! Of a number it is twelve bits, and tens of thousands of a county's numbers share it: with the name it tells who is meant. Of a date of
//! birth it is four, and some two thousand days share it: that it agrees is a hint for a person who decides, that it does not is more.

use crate::catalog::{Field, Kind};
use crate::id::{Date, DeploymentId, sha256};
use crate::id_number::normal;
use crate::value::{Fields, Value};

/// The digits of a number's code.
pub(crate) const NUMBER_DIGITS: usize = 3;
/// The digits of a day's code.
pub(crate) const DAY_DIGITS: usize = 1;

/// The code of an identity number in a deployment; none of no number.
///
/// ```
/// use sync_core::check_code::of_number;
/// use sync_core::id::DeploymentId;
///
/// let here = DeploymentId([7; 16]);
/// let code = of_number(here, "11010519491231002X");
/// assert_eq!(code, of_number(here, " 11010519491231002x"));
/// assert_ne!(code, of_number(DeploymentId([8; 16]), "11010519491231002X"));
/// assert_eq!(of_number(here, " "), None);
/// ```
pub fn of_number(deployment: DeploymentId, text: &str) -> Option<String> {
    let number = normal(text);
    let purpose = b"zhucun identity check v1";
    let code = || code(purpose, deployment, number.as_bytes(), NUMBER_DIGITS);
    (!number.is_empty()).then(code)
}

/// The code of a date of birth in a deployment.
pub fn of_day(deployment: DeploymentId, day: Date) -> String {
    let purpose = b"zhucun birth check v1";
    code(purpose, deployment, &day.0.to_be_bytes(), DAY_DIGITS)
}

fn code(purpose: &[u8], deployment: DeploymentId, of: &[u8], digits: usize) -> String {
    let digest = sha256(&[purpose, &deployment.0, of]);
    digest.to_string().chars().take(digits).collect()
}

/// The codes that go with what is among some values, by their fields; nothing, beside what is cleared.
pub(crate) fn beside(deployment: DeploymentId, kind: &Kind, values: &Fields) -> Fields {
    let code_of = |field: &Field| {
        let code = match values.get(field.check_of.as_ref()?)? {
            Value::Text(number) => of_number(deployment, number),
            Value::Int(day) => i32::try_from(*day)
                .ok()
                .map(|day| of_day(deployment, Date(day))),
            _ => None,
        };
        Some((field.name.clone(), code.map_or(Value::Null, Value::Text)))
    };
    kind.fields.iter().filter_map(code_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_stands_for_thousands_of_numbers_of_one_county() {
        let deployment = DeploymentId([7; 16]);
        let code = |n: u32| of_number(deployment, &format!("64042219{n:09}X")).unwrap();
        let known = code(0);
        assert_eq!(known.len(), NUMBER_DIGITS);
        let same = (0..100_000).filter(|n| code(*n) == known).count();
        assert!(
            (10..60).contains(&same),
            "{same} of 100000, about 24 by chance"
        );
    }

    #[test]
    fn one_code_stands_for_thousands_of_days_of_a_life() {
        let deployment = DeploymentId([7; 16]);
        let code = |day| of_day(deployment, Date(day));
        let known = code(0);
        assert_eq!(known.len(), DAY_DIGITS);
        let same = (-20_000..16_000).filter(|day| code(*day) == known).count();
        assert!(
            (2_000..2_500).contains(&same),
            "{same} of 36000, about 2250 by chance"
        );
    }
}
