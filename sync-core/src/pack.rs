//! How commands travel: envelopes and contents in columns, squeezed.
//!
//! What is hashed and signed is row by row and never changes (see `command`); this is only how it is carried and stored, so it
//! has versions. The first byte names the codec:
//!
//! * 1: columns (all values of one field side by side) under brotli;
//! * 0: rows of deterministic CBOR, for whatever the columns cannot carry exactly or would only make larger.
//!
//! Whoever packs unpacks at once and compares, so what left a device can be read. Whoever unpacks names a limit, which holds
//! for the decompressed bytes *and* for the rows that they stand for (columns can name one long text many times): beyond it
//! nothing is allocated. Packed bytes are not canonical; nothing may be derived from them but what they unpack to.

mod column;
mod contents;
mod envelopes;
mod squeeze;

pub(crate) use squeeze::{deflate, inflate};

use crate::cbor;
use crate::command::{Content, Envelope};
use crate::id::{DeviceId, Digest, JournalId};

const ROWS: u8 = 0;
const COLUMNS: u8 = 1;

/// Why packed bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Packed by a later version, or not at all.
    #[error("codec {0} is not known to this version")]
    UnknownCodec(u8),
    /// They stand for more than the limit given.
    #[error("unpacks to more than {0} bytes")]
    TooLarge(usize),
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

/// Packs contents, each with the index of its command in its batch or segment, in ascending order of the indices.
pub fn pack_contents(rows: &[(u32, &Content)]) -> Vec<u8> {
    let plain = framed(ROWS, &cbor::encode(&rows));
    let packed = framed(COLUMNS, &deflate(&contents::to_columns(rows)));
    let same = |unpacked: Vec<(u32, Content)>| {
        unpacked
            .iter()
            .map(|(index, content)| (*index, content))
            .eq(rows.iter().copied())
    };
    let exact = packed.len() < plain.len() && unpack_contents(&packed, usize::MAX).is_ok_and(same);
    if exact { packed } else { plain }
}

/// Unpacks contents; the indices ascend.
pub fn unpack_contents(
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<(u32, Content)>, PackError> {
    let rows: Vec<(u32, Content)> = match codec(bytes, inflated_max)? {
        (ROWS, rows) => {
            cbor::decode(rows).map_err(|_| PackError::Malformed("not rows of contents"))?
        }
        (_, squeezed) => {
            contents::from_columns(&inflate(squeezed, inflated_max)?, inflated_max)?
        }
    };
    let ascending = rows
        .iter()
        .zip(rows.iter().skip(1))
        .all(|((earlier, _), (later, _))| earlier < later);
    if ascending {
        Ok(rows)
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
    let plain = framed(ROWS, &cbor::encode(&bare));
    let packed = framed(
        COLUMNS,
        &deflate(&envelopes::to_columns(lane, &bare)),
    );
    let exact = packed.len() < plain.len()
        && unpack_envelopes(lane, &packed, usize::MAX).is_ok_and(|unpacked| unpacked == bare);
    if exact { packed } else { plain }
}

/// Unpacks the envelopes of a lane. Their digests are all zero: they are computed again from contents and salts, or come apart.
pub fn unpack_envelopes(
    lane: &Lane,
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<Envelope>, PackError> {
    let rows: Vec<Envelope> = match codec(bytes, inflated_max)? {
        (ROWS, rows) => {
            cbor::decode(rows).map_err(|_| PackError::Malformed("not rows of envelopes"))?
        }
        (_, squeezed) => envelopes::from_columns(
            lane,
            &inflate(squeezed, inflated_max)?,
            inflated_max,
        )?,
    };
    let numbered = rows
        .iter()
        .enumerate()
        .all(|(place, row)| Some(row.n) == lane.number(place));
    let bare = rows.iter().all(|row| row.digest == Digest([0; 32]));
    if numbered && bare {
        Ok(rows)
    } else {
        Err(PackError::Malformed("not a run of bare envelopes"))
    }
}

fn framed(codec: u8, body: &[u8]) -> Vec<u8> {
    [&[codec], body].concat()
}

/// The codec and what follows it. No codec makes anything longer than its rows, so longer input is refused unread.
fn codec(bytes: &[u8], inflated_max: usize) -> Result<(u8, &[u8]), PackError> {
    let (&codec, body) = bytes.split_first().ok_or(PackError::Malformed("empty"))?;
    if codec > COLUMNS {
        return Err(PackError::UnknownCodec(codec));
    }
    if body.len() > inflated_max {
        Err(PackError::TooLarge(inflated_max))
    } else {
        Ok((codec, body))
    }
}

#[cfg(test)]
mod tests;
