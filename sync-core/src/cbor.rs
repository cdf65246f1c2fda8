//! Deterministic CBOR (RFC 8949 §4.2.1): one encoding for each value, and bytes in any other encoding are refused.

use minicbor::{Decode, Encode};

/// Why bytes are not the deterministic encoding of what was expected. It names a place, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not CBOR, or not of the expected shape.
    #[error("not the expected CBOR: {0}")]
    Shape(String),
    /// The same value has a shorter or differently ordered encoding, or bytes follow it.
    #[error("not the deterministic encoding of this value")]
    NotDeterministic,
}

/// The deterministic encoding of a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory cannot fail")
}

/// Decodes a value and insists that the bytes are its deterministic encoding, whole.
///
/// Nothing is allocated for lengths that the input merely claims; nesting is bounded by the types themselves.
pub fn decode<T>(bytes: &[u8]) -> Result<T, CborError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let value: T = minicbor::decode(bytes).map_err(|error| CborError::Shape(error.to_string()))?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(CborError::NotDeterministic)
    }
}
