//! The number of a report, and the secret with which one asks about it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use sync_core::id::{JournalId, RecordId};
use sync_core::sign::SigningKey;
use sync_core::sync::enrol::OneTimeCode;

/// What the secrets' key is used for, and for nothing else.
const CONTEXT: &[u8] = b"zhucun report secret v1";

/// The least digits, the last among them.
const DIGITS_MIN: usize = 5;
/// The most: as many as a lane is long.
const DIGITS_MAX: usize = 20;

/// Which report: the place of its command in the desk's lane in that village, and a last digit by which a slip is noticed (Luhn).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

/// A text that is no number of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoNumber;

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0width$}", self.0, width = DIGITS_MIN - 1);
        write!(f, "{digits}{}", last_digit(&digits))
    }
}

impl FromStr for Number {
    type Err = NoNumber;

    fn from_str(text: &str) -> Result<Self, NoNumber> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let at = digits.len().saturating_sub(1);
        let (number, last) = (digits.get(..at), digits.get(at..));
        let (Some(number), Some(last), true) = (number, last, is_number) else {
            return Err(NoNumber);
        };
        if last_digit(number).to_string() != last {
            return Err(NoNumber);
        }
        number.parse().map(Self).map_err(|_| NoNumber)
    }
}

/// ISO/IEC 7812-1, annex B: one wrong digit, and most that changed places, give another.
fn last_digit(digits: &str) -> u32 {
    let weighed = digits.chars().rev().enumerate().map(|(at, digit)| {
        let digit = digit.to_digit(10).unwrap_or_default();
        let twice = digit * 2;
        match at % 2 {
            0 => twice / 10 + twice % 10,
            _ => digit,
        }
    });
    (10 - weighed.sum::<u32>() % 10) % 10
}

/// With this, and its number, anybody learns how a report stands. It is written like any code that a person types.
pub type Secret = OneTimeCode;

/// Makes secrets, each for one record of one village. None is kept anywhere.
pub(super) struct Secrets(Hmac<Sha256>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Secrets {
    pub(super) fn of(key: &SigningKey) -> Self {
        let mac = Hmac::new_from_slice(&*key.to_seed()).expect("a key of any length will do");
        Self(mac)
    }

    /// The secret of a record.
    pub(super) fn secret(&self, journal: JournalId, record: RecordId) -> Secret {
        let mut mac = self.0.clone();
        for part in [CONTEXT, &journal.0, &record.0] {
            mac.update(part);
        }
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        OneTimeCode::from_random(half)
    }

    /// Whether a secret is that of a record, in a time that says nothing of how much of it is right.
    pub(super) fn is(&self, secret: &Secret, journal: JournalId, record: RecordId) -> bool {
        let own = self.secret(journal, record).digest();
        own.0.ct_eq(&secret.digest().0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_a_few_digits_and_no_wrong_one_goes_unnoticed() {
        assert_eq!(Number(1).to_string(), "00018");
        for n in [1, 27, 9_999, 10_000, 123_456, 1 << 61] {
            let text = Number(n).to_string();
            assert_eq!(text.parse(), Ok(Number(n)));
            assert_eq!(format!(" {text} ").parse(), Ok(Number(n)));
            for at in 0..text.len() {
                for other in '0'..='9' {
                    let mut slip: Vec<char> = text.chars().collect();
                    if slip[at] != other {
                        slip[at] = other;
                        let slip: String = slip.into_iter().collect();
                        assert_eq!(slip.parse::<Number>(), Err(NoNumber), "{text}, {slip}");
                    }
                }
            }
        }
        for wrong in [
            "",
            "8",
            "0018",
            "1 8",
            "-0018",
            "一二三四五",
            &"0".repeat(21),
        ] {
            assert_eq!(wrong.parse::<Number>(), Err(NoNumber), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_of_one_record_of_one_village_and_one_server() {
        let secrets = Secrets::of(&SigningKey::from_seed([1; 32]));
        let (journal, record) = (JournalId([1; 16]), RecordId([1; 16]));
        let secret = secrets.secret(journal, record);
        assert!(secrets.is(&secret, journal, record));
        let typed = secret.reveal().to_lowercase().replace('-', " ");
        assert!(secrets.is(&Secret::parse(&typed).unwrap(), journal, record));
        assert!(!secrets.is(&secret, JournalId([2; 16]), record));
        assert!(!secrets.is(&secret, journal, RecordId([2; 16])));
        let others = Secrets::of(&SigningKey::from_seed([2; 32]));
        assert!(!others.is(&secret, journal, record));
    }
}
