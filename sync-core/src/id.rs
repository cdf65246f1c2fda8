//! Identifiers, digests and instants: opaque, typed, and never mistaken for one another.
//!
//! Every identifier is 16 bytes, written as 32 lower-case hexadecimal digits. Identifiers of records, list items, devices and
//! deployments are *derived* (truncated SHA-256 of what they identify under a context string), so they cost no bytes on the
//! wire and nobody can claim another's.

use core::fmt;
use core::str::FromStr;

use minicbor::data::Type;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use sha2::{Digest as _, Sha256};

/// A position in a journal: 1 for its first entry, without gaps; 0 stands for the empty journal.
pub type Seq = u64;

/// The text is not an identifier: it must be 32 (64 for a digest) hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: expected {expected} hexadecimal digits")]
pub struct InvalidId {
    /// How many digits are expected.
    pub expected: usize,
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], InvalidId> {
    let invalid = InvalidId { expected: N * 2 };
    if text.len() != N * 2 || !text.is_ascii() {
        return Err(invalid);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = core::str::from_utf8(pair).map_err(|_| invalid)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid)?;
    }
    Ok(bytes)
}

macro_rules! fixed_bytes {
    ($($(#[$doc:meta])* $name:ident: $len:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The first eight digits, for people's eyes only.
            pub fn short(&self) -> String {
                self.to_string().chars().take(8).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                unhex(text).map(Self)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                bytes.try_into().map(Self).map_err(|_| InvalidId { expected: $len * 2 })
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
                if d.datatype()? != Type::Bytes {
                    return Err(DecodeError::message("expected bytes of a fixed length"));
                }
                let bytes = d.bytes()?;
                bytes
                    .try_into()
                    .map(Self)
                    .map_err(|_| DecodeError::message("bytes of another length than expected"))
            }
        }
    )*};
}

fixed_bytes! {
    /// One deployment: derived from its first operator key, so it cannot be claimed by another server.
    DeploymentId: 16;
    /// One journal. It outlives its village; the registry says, dated, which area it belongs to.
    JournalId: 16;
    /// One administrative area: opaque, never derived from its code, because codes change.
    AreaId: 16;
    /// One person with an account.
    UserId: 16;
    /// One device key: derived from the public key.
    DeviceId: 16;
    /// One session of a person: from a log-in to its end.
    SessionId: 16;
    /// One assignment: person × role × area × dates.
    AssignmentId: 16;
    /// One record, derived from its creating command; unique within its journal.
    RecordId: 16;
    /// One item of a list field, derived from the command that inserted it.
    ItemId: 16;
    /// A SHA-256 digest.
    Digest: 32;
}

/// Hashes the parts one after the other; callers begin with a context string of fixed length.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Digest(hash.finalize().into())
}

fn derived(parts: &[&[u8]]) -> [u8; 16] {
    let digest = sha256(parts).0;
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

impl RecordId {
    /// The id of the record that command `n` of `device` in `journal` creates.
    pub fn derive(device: DeviceId, journal: JournalId, n: u64) -> Self {
        Self(derived(&[
            b"zhucun record v1",
            &device.0,
            &journal.0,
            &n.to_be_bytes(),
        ]))
    }

    /// The id of the record that stands for a month in `journal`: no command's place derives it.
    pub(crate) fn of_month(journal: JournalId, month: &str) -> Self {
        Self(derived(&[b"zhucun month v1", &journal.0, month.as_bytes()]))
    }
}

impl ItemId {
    /// The id of the `k`th item (from 0) that command `n` of `device` in `journal` inserts into `field`.
    pub fn derive(device: DeviceId, journal: JournalId, n: u64, field: &str, k: u32) -> Self {
        Self(derived(&[
            b"zhucun item v1",
            &device.0,
            &journal.0,
            &n.to_be_bytes(),
            &k.to_be_bytes(),
            field.as_bytes(),
        ]))
    }
}

impl DeviceId {
    /// The id of the device that signs with this public key.
    pub fn of_key(algorithm: u8, public_key: &[u8]) -> Self {
        Self(derived(&[b"zhucun device v1", &[algorithm], public_key]))
    }
}

impl DeploymentId {
    /// The id of the deployment whose registry begins with this operator key.
    pub fn of_key(algorithm: u8, public_key: &[u8]) -> Self {
        Self(derived(&[
            b"zhucun deployment v1",
            &[algorithm],
            public_key,
        ]))
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Timestamp(#[n(0)] pub i64);

impl Timestamp {
    /// This instant moved by a number of milliseconds; stays within the representable range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The civil date of this instant in China (UTC+8, which has no daylight saving).
    pub const fn date(self) -> Date {
        const SHANGHAI_MS: i64 = 8 * 3_600_000;
        const DAY_MS: i64 = 86_400_000;
        let days = self.0.saturating_add(SHANGHAI_MS).div_euclid(DAY_MS);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an i64 of milliseconds has fewer than 2^37 days; clamped below"
        )]
        Date(if days > i32::MAX as i64 {
            i32::MAX
        } else if days < i32::MIN as i64 {
            i32::MIN
        } else {
            days as i32
        })
    }

    fn civil(self) -> Option<jiff::civil::DateTime> {
        let utc8 = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
        jiff::Timestamp::from_millisecond(self.0)
            .ok()
            .map(|at| at.to_zoned(utc8).datetime())
    }
}

/// Written as `2026-11-21 09:30:00.000` in China's time.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(at) => write!(
                f,
                "{} {:02}:{:02}:{:02}.{:03}",
                at.date(),
                at.hour(),
                at.minute(),
                at.second(),
                at.millisecond()
            ),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A civil date: days since 1970-01-01. Working days and village-months are those of China.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Date(#[n(0)] pub i32);

/// The text is not a date: it must be `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date: expected YYYY-MM-DD")]
pub struct InvalidDate;

impl Date {
    const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

    /// The date `days` later (earlier, if negative).
    #[must_use]
    pub const fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The date in the calendar, if it lies between the years -9999 and 9999.
    pub fn civil(self) -> Option<jiff::civil::Date> {
        Self::EPOCH
            .checked_add(jiff::Span::new().try_days(self.0).ok()?)
            .ok()
    }

    /// The first instant of this date in China.
    pub const fn starts_at(self) -> Timestamp {
        Timestamp(self.0 as i64 * 86_400_000 - 8 * 3_600_000)
    }
}

impl From<jiff::civil::Date> for Date {
    fn from(date: jiff::civil::Date) -> Self {
        let days = date.since(Self::EPOCH).map_or(0, |span| span.get_days());
        Self(days)
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        if text.len() != 10 {
            return Err(InvalidDate);
        }
        text.parse::<jiff::civil::Date>()
            .map(Self::from)
            .map_err(|_| InvalidDate)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
