//! One-time codes: what a person is handed on paper, or as a QR code, to do one thing once.

use core::fmt;

use rand_core::CryptoRng;

use super::PROTOCOL;
use super::device::Identity;
use crate::id::{DeploymentId, DeviceId, Digest, UserId, sha256};
use crate::sign::{ENROL_CONTEXT, PublicKey, Signature, SigningKey};

/// Crockford's base 32: no letter can be taken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Five bits each: 80 in all, which cannot be guessed even from a stolen hash.
const SYMBOLS: usize = 16;
const CONTEXT: &[u8] = b"zhucun code v1";

/// A code itself: `7Q2K-9FXA-0MZT-B4CE`. The server knows it only when it is issued and when it is redeemed.
///
/// ```
/// use sync_core::sync::enrol::OneTimeCode;
///
/// let code = OneTimeCode::parse("7q2k 9fxa omzt b4ce").expect("small letters, spaces and an O for a zero will do");
/// assert_eq!(code.reveal(), "7Q2K-9FXA-0MZT-B4CE");
/// assert_eq!(OneTimeCode::parse("7Q2K"), None);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeCode([u8; SYMBOLS]);

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl OneTimeCode {
    /// The code that these random bytes make.
    pub fn from_random(bytes: [u8; SYMBOLS]) -> Self {
        let symbol = |byte: u8| {
            let mut symbols = ALPHABET.iter().copied().cycle();
            symbols.nth(byte.into()).expect("a cycle has no end")
        };
        Self(bytes.map(symbol))
    }

    /// The code of this text, as a person may have typed it.
    pub fn parse(text: &str) -> Option<Self> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let symbols = typed.map(|c| match c.to_ascii_uppercase() {
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
        let groups = self.0.chunks(4).map(String::from_utf8_lossy);
        groups.collect::<Vec<_>>().join("-")
    }

    /// What the server knows it by, and what a new device signs to show that it was given it.
    pub fn digest(&self) -> Digest {
        sha256(&[CONTEXT, &self.0])
    }
}

/// What a device knows of a deployment before it enrols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its operator key, from which its id is derived.
    pub operator: PublicKey,
    /// The newest version of the sync messages that it speaks.
    pub protocol: u16,
}

/// Why a device does not enrol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotEnrol {
    /// The code has other symbols or another length than a code.
    #[error("not a one-time code")]
    Code,
    /// The server is of another deployment, or another person's code was given.
    #[error("the code belongs to another person or another deployment")]
    Other,
    /// The server speaks another version of the protocol.
    #[error("the server speaks protocol {0}")]
    Protocol(u16),
}

/// An enrolment that has begun: a new key, and what it signs.
#[derive(Debug)]
pub struct Enrolling {
    deployment: Deployment,
    key: SigningKey,
    code: OneTimeCode,
}

impl Enrolling {
    /// Makes a key for a code, as it was typed, at a deployment.
    pub fn begin(
        code: &str,
        deployment: Deployment,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, CannotEnrol> {
        let code = OneTimeCode::parse(code).ok_or(CannotEnrol::Code)?;
        if deployment.operator.deployment() != deployment.deployment {
            return Err(CannotEnrol::Other);
        }
        if deployment.protocol < PROTOCOL {
            return Err(CannotEnrol::Protocol(deployment.protocol));
        }
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let key = SigningKey::from_seed(seed);
        Ok(Self {
            deployment,
            key,
            code,
        })
    }

    /// The new key.
    pub fn key(&self) -> PublicKey {
        self.key.public()
    }

    /// Its signature over the code's digest.
    pub fn proof(&self) -> Signature {
        let (deployment, digest) = (self.deployment.deployment, self.code.digest());
        self.key.sign(ENROL_CONTEXT, deployment, digest)
    }

    /// Who the device is, once the server has enrolled it; `present` is who it was, if it enrols anew in place.
    pub fn end(
        self,
        device: DeviceId,
        user: UserId,
        present: Option<&Identity>,
    ) -> Result<Identity, CannotEnrol> {
        let Self {
            deployment, key, ..
        } = self;
        let same = |present: &Identity| {
            present.deployment == deployment.deployment && present.user == user
        };
        if device != key.public().device() || !present.is_none_or(same) {
            return Err(CannotEnrol::Other);
        }
        Ok(Identity {
            deployment: deployment.deployment,
            operator: deployment.operator,
            user,
            seed: *key.to_seed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> OneTimeCode {
        OneTimeCode::from_random([
            0, 1, 2, 31, 32, 33, 64, 65, 97, 128, 129, 200, 201, 254, 255, 17,
        ])
    }

    #[test]
    fn a_code_reads_as_people_type_it() {
        let text = code().reveal();
        assert_eq!(text.len(), SYMBOLS + 3);
        let typed = [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            text.replace('0', "o"),
            text.replace('1', "l"),
        ];
        for typed in &typed {
            assert_eq!(OneTimeCode::parse(typed), Some(code()), "{typed}");
        }
        assert_eq!(format!("{:?}", code()), "<secret>");
    }

    #[test]
    fn what_is_no_code_is_none() {
        let text = code().reveal();
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
