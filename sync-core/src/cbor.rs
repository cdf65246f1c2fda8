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

/// What most commands and records take, so that their bytes are not moved again and again as they grow.
const USUAL_BYTES: usize = 512;

/// The deterministic encoding of a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    minicbor::encode(value, &mut bytes).expect("writing to memory cannot fail");
    bytes
}

/// How many bytes [`encode`] makes of a value. It makes them: a writer that only counted would bring every encoding a second time, and
/// the module for browsers is two kilobytes too large for it.
pub fn length<T: Encode<()>>(value: &T) -> usize {
    encode(value).len()
}

/// Decodes a value and insists that the bytes are its deterministic encoding, whole.
///
/// Nothing is allocated for lengths that the input merely claims; nesting is bounded by the types themselves.
pub fn decode<T>(bytes: &[u8]) -> Result<T, CborError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let value: T = decode_own(bytes)?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(CborError::NotDeterministic)
    }
}

/// Decodes what was encoded here and is derived from what others wrote: it is not asked whether the bytes are the deterministic
/// encoding, for nobody signed them and nothing hashes them.
pub fn decode_own<T>(bytes: &[u8]) -> Result<T, CborError>
where
    T: for<'b> Decode<'b, ()>,
{
    minicbor::decode(bytes).map_err(|error| CborError::Shape(error.to_string()))
}
