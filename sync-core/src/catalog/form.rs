//! How numbers of documents are written, so that a phone can say that one was mistyped.

/// A form that a text can be checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// 公民身份号码, GB 11643-1999: 17 digits and a check character.
    ResidentId,
    /// 残疾人证号: the identity number, one digit each for kind and grade of the disability, and perhaps `B` and the number of
    /// the replacement.
    DisabilityCard,
}

/// The length of an identity number.
const ID_LENGTH: usize = 18;

impl Form {
    /// The forms by their names in the files.
    pub const NAMES: [(&str, Self); 2] = [
        ("resident_id", Self::ResidentId),
        ("disability_card", Self::DisabilityCard),
    ];

    /// Whether a text is written so, blanks aside.
    pub fn fits(self, text: &str) -> bool {
        let text: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        match self {
            Self::ResidentId => is_resident_id(&text),
            Self::DisabilityCard => {
                let (id, rest) = text.split_at(text.len().min(ID_LENGTH));
                is_resident_id(id) && is_card_end(rest)
            }
        }
    }
}

fn is_card_end(rest: &[u8]) -> bool {
    match rest {
        [b'1'..=b'7', b'1'..=b'4'] => true,
        [b'1'..=b'7', b'1'..=b'4', b'B' | b'b', replacement] => replacement.is_ascii_digit(),
        _ => false,
    }
}

/// ISO 7064 MOD 11-2 over the digits, as GB 11643-1999 has it; the day of birth in it is one of the calendar.
fn is_resident_id(text: &[u8]) -> bool {
    let digits = text.iter().map(|byte| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'X' | b'x' => Some(10),
        _ => None,
    });
    let Some(digits) = digits.collect::<Option<Vec<u32>>>() else {
        return false;
    };
    let Some((last, first)) = digits.split_last().filter(|_| digits.len() == ID_LENGTH) else {
        return false;
    };
    let sum = first.iter().fold(0, |sum, digit| (sum + digit) * 2 % 11);
    first.iter().all(|digit| *digit < 10) && (sum + last) % 11 == 1 && is_born_on_a_day(first)
}

fn is_born_on_a_day(digits: &[u32]) -> bool {
    let number = |from: usize, to: usize| {
        let digits = digits.get(from..to)?;
        let number = digits.iter().fold(0, |number, digit| number * 10 + digit);
        i16::try_from(number).ok()
    };
    let day = || {
        let (month, day) = (number(10, 12)?, number(12, 14)?);
        let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        jiff::civil::Date::new(number(6, 10)?, month, day).ok()
    };
    day().is_some()
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
