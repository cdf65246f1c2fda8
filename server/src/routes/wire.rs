//! How ids, instants and secrets stand in JSON.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sync_core::id::{Date, Timestamp};
use sync_core::sign;
use utoipa::ToSchema;

/// An identifier: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "00112233445566778899aabbccddeeff")]
pub struct Id<T>(pub T);

impl<T: Display> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Bytes of a format of their own.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Binary(pub Vec<u8>);

/// An instant: RFC 3339, in UTC, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T01:30:00.000Z")]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = jiff::Timestamp::from_millisecond(self.0.0).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{instant:.3}"))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self(Timestamp(instant.as_millisecond())))
    }
}

/// A civil date in China.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = Date, example = "2026-11-21")]
pub struct Day(pub Date);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A signature.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Which algorithm: 1 is Ed25519.
    algorithm: u8,
    /// The signature, in base64url without padding.
    bytes: String,
}

impl Signature {
    /// The signature, if its bytes are written as they should be.
    pub fn read(&self) -> Option<sign::Signature> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.bytes).ok()?;
        Some(sign::Signature {
            algorithm: self.algorithm,
            bytes,
        })
    }
}

/// A public key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// Which algorithm: 1 is Ed25519.
    algorithm: u8,
    /// The key, in base64url without padding.
    bytes: String,
}

impl PublicKey {
    /// The key, if its bytes are written as they should be.
    pub fn read(&self) -> Option<sign::PublicKey> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.bytes).ok()?;
        Some(sign::PublicKey {
            algorithm: self.algorithm,
            bytes,
        })
    }
}

impl From<&sign::PublicKey> for PublicKey {
    fn from(key: &sign::PublicKey) -> Self {
        Self {
            algorithm: key.algorithm,
            bytes: URL_SAFE_NO_PAD.encode(&key.bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::id::UserId;

    #[test]
    fn ids_and_instants_are_text() {
        let id = Id(UserId([0xAB; 16]));
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(serde_json::from_str::<Id<UserId>>(&text).unwrap(), id);
        assert!(serde_json::from_str::<Id<UserId>>("\"ab\"").is_err());
        let instant = serde_json::to_string(&Instant(Timestamp(1_795_000_000_007))).unwrap();
        assert_eq!(instant, "\"2026-11-18T11:06:40.007Z\"");
    }
}
