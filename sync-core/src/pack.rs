//! How commands travel: envelopes and contents in columns, squeezed.
//!
//! What is hashed and signed is row by row and never changes (see `command`); this is only how it is carried and stored, so it
//! has versions. The first byte names the codec:
//!
//! * 0: rows of deterministic CBOR, for whatever the columns cannot carry exactly or would only make larger;
//! * 1: columns (all values of one field side by side) under brotli;
//! * 2: columns as they are, for the few that compression would only make larger.
//!
//! Whoever packs unpacks at once and compares, so what left a device can be read. Whoever unpacks names a limit, which holds
//! for the decompressed bytes *and* for the rows that they stand for (columns can name one long text many times): beyond it
//! nothing is allocated. Packed bytes are not canonical; nothing may be derived from them but what they unpack to.

mod column;
mod contents;
mod envelopes;
mod squeeze;

pub(crate) use squeeze::{deflate, inflate};

use std::borrow::Cow;

use crate::cbor;
use crate::command::{Content, Envelope};
use crate::id::{DeviceId, Digest, JournalId};
use crate::limits;

const ROWS: u8 = 0;
const SQUEEZED: u8 = 1;
const COLUMNS: u8 = 2;

/// Fewer bytes than these are not worth a compressor's while.
const SQUEEZED_BYTES_MIN: usize = 96;

/// Why packed bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Packed by a later version, or not at all.
    #[error("codec {0} is not known to this version")]
    UnknownCodec(u8),
    /// They stand for more than the limit given.
    #[error("unpacks to more than {0} bytes")]
    TooLarge(usize),
    /// Nobody knows yet what they stand for: what else was unpacked with them left too little [`Room`].
    #[error("no room is left to unpack it")]
    NoRoom,
    /// Damaged, truncated, followed by something else, or never packed.
    #[error("not packed rows: {0}")]
    Malformed(&'static str),
}

/// Whose commands a run of envelopes holds, and from which number on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// The device.
    pub device: DeviceId,
    /// The journal it writes to.
    pub journal: JournalId,
    /// The number of the first envelope; the others follow without gaps.
    pub first: u64,
}

impl Lane {
    /// The number of the envelope at a place of the run, from 0; none if numbers end before.
    fn number(&self, place: usize) -> Option<u64> {
        self.first.checked_add(u64::try_from(place).ok()?)
    }
}

/// How many bytes may still be unpacked: one room for all that one request brings.
///
/// The default is none at all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Room(usize);

impl Room {
    /// Room for what one request may bring.
    pub const fn of_request() -> Self {
        Self(limits::REQUEST_INFLATED_BYTES_MAX)
    }

    /// How many bytes are left.
    pub const fn left(&self) -> usize {
        self.0
    }

    /// Unpacks one stream within what is left, and takes what it took. One that fails takes all that it might have taken.
    ///
    /// A stream that fails in less room than a stream may take has shown nothing against it: it is tried again elsewhere.
    fn take<T>(
        &mut self,
        unpack: impl FnOnce(usize) -> Result<Unpacked<T>, PackError>,
    ) -> Result<Vec<T>, PackError> {
        let max = self.0.min(limits::STREAM_INFLATED_BYTES_MAX);
        let unpacked = unpack(max);
        self.0 -= unpacked.as_ref().map_or(max, |unpacked| unpacked.bytes);
        match unpacked {
            Ok(unpacked) => Ok(unpacked.rows),
            Err(_) if max < limits::STREAM_INFLATED_BYTES_MAX => Err(PackError::NoRoom),
            Err(error) => Err(error),
        }
    }

    /// Unpacks contents within what is left.
    pub(crate) fn unpack_contents(
        &mut self,
        bytes: &[u8],
    ) -> Result<Vec<(u32, Content)>, PackError> {
        self.take(|max| contents_within(bytes, max))
    }

    /// Unpacks the envelopes of a lane within what is left.
    pub(crate) fn unpack_envelopes(
        &mut self,
        lane: &Lane,
        bytes: &[u8],
    ) -> Result<Vec<Envelope>, PackError> {
        self.take(|max| envelopes_within(lane, bytes, max))
    }
}

/// The rows of a stream, and how many bytes they took: decompressed, or in CBOR, whichever is more.
struct Unpacked<T> {
    rows: Vec<T>,
    bytes: usize,
}

/// Packs contents, each with the index of its command in its batch or segment, in ascending order of the indices.
pub fn pack_contents(rows: &[(u32, &Content)]) -> Vec<u8> {
    let same = |unpacked: Vec<(u32, Content)>| {
        unpacked
            .iter()
            .map(|(index, content)| (*index, content))
            .eq(rows.iter().copied())
    };
    let exact = |packed: &[u8]| unpack_contents(packed, usize::MAX).is_ok_and(same);
    shortest(&cbor::encode(&rows), &contents::to_columns(rows), exact)
}

/// Unpacks contents; the indices ascend.
pub fn unpack_contents(
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<(u32, Content)>, PackError> {
    contents_within(bytes, inflated_max).map(|unpacked| unpacked.rows)
}

fn contents_within(
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Unpacked<(u32, Content)>, PackError> {
    let unpacked = match opened(bytes, inflated_max)? {
        Opened::Rows(bytes) => Unpacked {
            rows: cbor::decode(bytes).map_err(|_| PackError::Malformed("not rows of contents"))?,
            bytes: bytes.len(),
        },
        Opened::Columns(columns) => contents::from_columns(&columns, inflated_max)?,
    };
    let rows = &unpacked.rows;
    let ascending = rows
        .iter()
        .zip(rows.iter().skip(1))
        .all(|((earlier, _), (later, _))| earlier < later);
    if ascending {
        Ok(unpacked)
    } else {
        Err(PackError::Malformed("indices out of order"))
    }
}

/// Packs the envelopes of a lane, numbered without gaps from `lane.first`. Digests are not packed.
pub fn pack_envelopes(lane: &Lane, rows: &[Envelope]) -> Vec<u8> {
    let bare: Vec<Envelope> = rows
        .iter()
        .map(|row| Envelope {
            digest: Digest([0; 32]),
            ..row.clone()
        })
        .collect();
    let exact = |packed: &[u8]| {
        unpack_envelopes(lane, packed, usize::MAX).is_ok_and(|unpacked| unpacked == bare)
    };
    shortest(
        &cbor::encode(&bare),
        &envelopes::to_columns(lane, &bare),
        exact,
    )
}

/// Unpacks the envelopes of a lane. Their digests are all zero: they are computed again from contents and salts, or come apart.
pub fn unpack_envelopes(
    lane: &Lane,
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<Envelope>, PackError> {
    envelopes_within(lane, bytes, inflated_max).map(|unpacked| unpacked.rows)
}

fn envelopes_within(
    lane: &Lane,
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Unpacked<Envelope>, PackError> {
    let unpacked = match opened(bytes, inflated_max)? {
        Opened::Rows(bytes) => Unpacked {
            rows: cbor::decode(bytes).map_err(|_| PackError::Malformed("not rows of envelopes"))?,
            bytes: bytes.len(),
        },
        Opened::Columns(columns) => envelopes::from_columns(lane, &columns, inflated_max)?,
    };
    let rows = &unpacked.rows;
    let numbered = rows
        .iter()
        .enumerate()
        .all(|(place, row)| Some(row.n) == lane.number(place));
    let bare = rows.iter().all(|row| row.digest == Digest([0; 32]));
    if numbered && bare {
        Ok(unpacked)
    } else {
        Err(PackError::Malformed("not a run of bare envelopes"))
    }
}

fn framed(codec: u8, body: &[u8]) -> Vec<u8> {
    [&[codec], body].concat()
}

/// The shortest form that reads back exactly. Rows always do.
fn shortest(rows: &[u8], columns: &[u8], exact: impl FnOnce(&[u8]) -> bool) -> Vec<u8> {
    let mut packed = framed(COLUMNS, columns);
    if columns.len() >= SQUEEZED_BYTES_MIN {
        let squeezed = framed(SQUEEZED, &deflate(columns));
        if squeezed.len() < packed.len() {
            packed = squeezed;
        }
    }
    if packed.len() <= rows.len() && exact(&packed) {
        packed
    } else {
        framed(ROWS, rows)
    }
}

enum Opened<'b> {
    Rows(&'b [u8]),
    Columns(Cow<'b, [u8]>),
}

/// What the packed bytes hold. No codec makes anything longer than its rows, so longer input is refused unread.
fn opened(bytes: &[u8], inflated_max: usize) -> Result<Opened<'_>, PackError> {
    let (&codec, body) = bytes.split_first().ok_or(PackError::Malformed("empty"))?;
    if codec <= COLUMNS && body.len() > inflated_max {
        return Err(PackError::TooLarge(inflated_max));
    }
    match codec {
        ROWS => Ok(Opened::Rows(body)),
        SQUEEZED => inflate(body, inflated_max).map(|columns| Opened::Columns(Cow::Owned(columns))),
        COLUMNS => Ok(Opened::Columns(Cow::Borrowed(body))),
        unknown => Err(PackError::UnknownCodec(unknown)),
    }
}

#[cfg(test)]
mod tests;
