//! One-time codes: what a person is handed on paper, or as a QR code, to do one thing once.

use std::fmt;

use store::accounts::{CodePurpose, NewCode};
use sync_core::id::{Digest, Timestamp, UserId, sha256};

use crate::random::Random;

/// Crockford's base 32: no letter can be taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Five bits each: 80 in all, which cannot be guessed even from a stolen hash.
const SYMBOLS: usize = 16;
const CONTEXT: &[u8] = b"zhucun code v1";
const HOUR_MS: i64 = 3_600_000;

/// A code itself: `7Q2K-9FXA-0MZT-B4CE`. The server knows it only when it is issued and when it is redeemed.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode([u8; SYMBOLS]);

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl OneTimeCode {
    /// A new code.
    pub fn generate(random: &Random) -> Self {
        let symbol = |byte: u8| {
            ALPHABET
                .iter()
                .copied()
                .cycle()
                .nth(byte.into())
                .expect("a cycle has no end")
        };
        Self(random.bytes().map(symbol))
    }

    /// The code of this text, as a person may have typed it.
    pub fn parse(text: &str) -> Option<Self> {
        let symbols = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_uppercase() {
                'O' => Some(b'0'),
                'I' | 'L' => Some(b'1'),
                other => u8::try_from(other)
                    .ok()
                    .filter(|byte| ALPHABET.contains(byte)),
            });
        let symbols: Vec<u8> = symbols.take(SYMBOLS + 1).collect::<Option<_>>()?;
        symbols.try_into().ok().map(Self)
    }

    /// The code as a person reads it.
    pub fn reveal(&self) -> String {
        let groups: Vec<String> = self
            .0
            .chunks(4)
            .map(|group| group.iter().copied().map(char::from).collect())
            .collect();
        groups.join("-")
    }

    /// What the store knows it by.
    pub fn hash(&self) -> Digest {
        sha256(&[CONTEXT, &self.0])
    }

    /// How the store keeps this code when it is issued now.
    pub fn issued(&self, purpose: CodePurpose, user: Option<UserId>, now: Timestamp) -> NewCode {
        let hours = match purpose {
            CodePurpose::FirstAdmin | CodePurpose::EnrolDevice => 24,
            CodePurpose::SetPassword => 7 * 24,
        };
        NewCode {
            hash: self.hash(),
            purpose,
            user,
            issued_at: now,
            expires_at: now.plus_ms(hours * HOUR_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_people_type_it() {
        let code = OneTimeCode::generate(&Random::seeded(1));
        let text = code.reveal();
        assert_eq!(text.len(), SYMBOLS + 3);
        let typed = [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.replace('0', "o"),
        ];
        for typed in typed.iter().chain([&text.replace('1', "l")]) {
            assert_eq!(OneTimeCode::parse(typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(format!("{code:?}"), "<secret>");
    }

    #[test]
    fn what_is_no_code_is_none() {
        let text = OneTimeCode::generate(&Random::seeded(1)).reveal();
        for bad in [
            "",
            "0",
            &text[1..],
            &format!("{text}0"),
            &text.replace('-', "U"),
            "零",
        ] {
            assert_eq!(OneTimeCode::parse(bad), None, "{bad}");
        }
    }
}
