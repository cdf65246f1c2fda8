//! How numbers of documents are written, so that a phone can say that one was mistyped.

use crate::id_number::{NUMBER_CHARS, is_citizens, normal};

/// A form that a text can be checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 公民身份号码, GB 11643-1999: 17 digits and a check character.
    ResidentId,
    /// 残疾人证号: the identity number, one digit each for kind and grade of the disability, and perhaps `B` and the number of
    /// the replacement.
    DisabilityCard,
}

impl Form {
    /// The forms by their names in the files.
    pub const NAMES: [(&str, Self); 2] = [
        ("resident_id", Self::ResidentId),
        ("disability_card", Self::DisabilityCard),
    ];

    /// Whether a text is written so, blanks aside.
    pub fn fits(self, text: &str) -> bool {
        // The reader of a full-width number may be another program.
        if !text.is_ascii() {
            return false;
        }
        match self {
            Self::ResidentId => is_citizens(text),
            Self::DisabilityCard => {
                let text = normal(text);
                let parts = text.split_at_checked(NUMBER_CHARS);
                parts.is_some_and(|(id, rest)| is_citizens(id) && is_card_end(rest.as_bytes()))
            }
        }
    }
}

fn is_card_end(rest: &[u8]) -> bool {
    match rest {
        [b'1'..=b'7', b'1'..=b'4'] => true,
        [b'1'..=b'7', b'1'..=b'4', b'B', replacement] => replacement.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: Form, text: &str, fits: bool) {
        assert_eq!(form.fits(text), fits, "{text}");
    }

    #[test]
    fn an_identity_number_has_eighteen_digits_a_day_of_birth_and_its_check_character() {
        // The example of the standard itself, and one that ends in X.
        check(Form::ResidentId, "11010519491231002X", true);
        check(Form::ResidentId, "11010519491231002x", true);
        check(Form::ResidentId, "440524188001010014", true);
        check(Form::ResidentId, "440524 18800101 0014", true);
        for wrong in [
            "",
            "110105194912310022",
            "11010519491231003X",
            "1101051949123100X2",
            "11010519491231002",
            "11010519491231002XX",
            "11010519491231０02X",
            // Its check character is right, and there is no such day.
            "110105194913310021",
        ] {
            check(Form::ResidentId, wrong, false);
        }
    }

    #[test]
    fn a_disability_card_has_twenty_digits_or_twenty_two() {
        check(Form::DisabilityCard, "11010519491231002X43", true);
        check(Form::DisabilityCard, "11010519491231002X43B1", true);
        for wrong in [
            "11010519491231002X",
            "11010519491231002X4",
            "11010519491231002X83",
            "11010519491231002X45",
            "11010519491231002X43B",
            "11010519491231002X43BB",
            "11010519491231003X43",
        ] {
            check(Form::DisabilityCard, wrong, false);
        }
    }
}
