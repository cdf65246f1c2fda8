//! Field values as they are written, independent of any kind.
//!
//! A value carries no type of its own beyond its CBOR form; the catalogue says what a field's values mean: a date is an
//! integer of days since 1970-01-01, an instant an integer of UTC milliseconds, a category code a text.

use std::ops::{Deref, DerefMut};

use litemap::LiteMap;
use minicbor::data::{IanaTag, Type};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::limits::VALUE_NESTING_MAX;

/// One value. Lists and structures nest once: a list field holds plain values or structures of plain values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// No value: setting it clears the field.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number, a date (days) or an instant (milliseconds).
    Int(i64),
    /// A decimal number: `mantissa × 10^exponent`, the exponent negative, without a trailing zero (CBOR tag 4).
    Decimal(i64, i8),
    /// Text, or a category code.
    Text(String),
    /// A blob's SHA-256.
    Bytes(Vec<u8>),
    /// The items of a list field, at its creation or insertion.
    List(Vec<Value>),
    /// Named parts of a list item.
    Struct(Fields),
}

/// Values are people's data and are never printed; tests and consoles render views, which know what may be shown.
impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<value>")
    }
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The number that is written so, as `-14.50`: digit by digit, so that none is lost on the way through a binary fraction.
    ///
    /// ```
    /// use sync_core::value::Value;
    ///
    /// assert_eq!(Value::decimal_of("14.50"), Some(Value::decimal(145, -1)));
    /// assert_eq!(Value::decimal_of("1e3"), None);
    /// ```
    pub fn decimal_of(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let mantissa: i64 = format!("{whole}{part}").parse().ok()?;
        let places = i8::try_from(part.len()).ok()?;
        let signed = if text.starts_with('-') {
            -mantissa
        } else {
            mantissa
        };
        Some(Self::decimal(signed, -places))
    }

    /// The whole number, if it is one.
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(int) = self {
            Some(*int)
        } else {
            None
        }
    }

    /// `mantissa × 10^exponent` in its only form: an integer if it is one, else without trailing zeros.
    pub fn decimal(mut mantissa: i64, mut exponent: i8) -> Self {
        while exponent < 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        if exponent == 0 {
            Self::Int(mantissa)
        } else {
            Self::Decimal(mantissa, exponent)
        }
    }
}

impl<C> Encode<C> for Value {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Null => e.null()?.ok(),
            Self::Bool(value) => e.bool(*value)?.ok(),
            Self::Int(value) => e.i64(*value)?.ok(),
            Self::Decimal(mantissa, exponent) => e
                .tag(IanaTag::Decimal)?
                .array(2)?
                .i8(*exponent)?
                .i64(*mantissa)?
                .ok(),
            Self::Text(value) => e.str(value)?.ok(),
            Self::Bytes(value) => e.bytes(value)?.ok(),
            Self::List(values) => {
                e.array(values.len() as u64)?;
                values.iter().try_for_each(|value| value.encode(e, ctx))
            }
            Self::Struct(fields) => fields.encode(e, ctx),
        }
    }
}

impl<'b, C> Decode<'b, C> for Value {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_value(d, 0)
    }
}

fn decode_value(d: &mut Decoder<'_>, depth: u8) -> Result<Value, DecodeError> {
    if depth > VALUE_NESTING_MAX {
        return Err(DecodeError::message("values nest too deeply"));
    }
    match d.datatype()? {
        Type::Null => d.null().map(|()| Value::Null),
        Type::Bool => d.bool().map(Value::Bool),
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64 => d.i64().map(Value::Int),
        Type::String => d.str().map(Value::text),
        Type::Bytes => d.bytes().map(|bytes| Value::Bytes(bytes.to_vec())),
        Type::Tag => {
            if d.tag()? != IanaTag::Decimal.tag() || d.array()? != Some(2) {
                return Err(DecodeError::message("only decimal fractions are tagged"));
            }
            let exponent = d.i8()?;
            let mantissa = d.i64()?;
            if exponent >= 0 || mantissa % 10 == 0 {
                return Err(DecodeError::message("a decimal not in its only form"));
            }
            Ok(Value::Decimal(mantissa, exponent))
        }
        Type::Array => {
            let length = d
                .array()?
                .ok_or_else(|| DecodeError::message("indefinite length"))?;
            let mut values = Vec::new();
            for _ in 0..length {
                values.push(decode_value(d, depth + 1)?);
            }
            Ok(Value::List(values))
        }
        Type::Map => decode_fields(d, depth + 1).map(Value::Struct),
        _ => Err(DecodeError::message("a type that no value has")),
    }
}

/// Values by field name. Encoded as a CBOR map with its keys in bytewise order of their encodings (shorter names first).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fields(pub LiteMap<String, Value>);

impl Deref for Fields {
    type Target = LiteMap<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(fields: I) -> Self {
        Self(
            fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }
}

impl<C> Encode<C> for Fields {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let mut ordered: Vec<_> = self.0.iter().collect();
        ordered.sort_unstable_by_key(|(name, _)| (name.len(), name.as_str()));
        e.map(ordered.len() as u64)?;
        for (name, value) in ordered {
            e.str(name)?;
            value.encode(e, ctx)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Fields {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_fields(d, 0)
    }
}

fn decode_fields(d: &mut Decoder<'_>, depth: u8) -> Result<Fields, DecodeError> {
    let length = d
        .map()?
        .ok_or_else(|| DecodeError::message("indefinite length"))?;
    let mut named = Vec::new();
    for _ in 0..length {
        named.push((d.str()?.to_owned(), decode_value(d, depth)?));
    }
    // Sorted once: in whatever order they come, it takes no more than a sort.
    let (count, fields) = (named.len(), Fields::from_iter(named));
    if fields.len() == count {
        Ok(fields)
    } else {
        Err(DecodeError::message("a name stands twice"))
    }
}
