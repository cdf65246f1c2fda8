//! How commands travel: envelopes and contents in columns, squeezed.
//!
//! What is hashed and signed is row by row and never changes (see `command`); this is only how it is carried and stored, so it
//! has versions. The first byte names the codec:
//!
//! * 0: rows of deterministic CBOR, for whatever the columns cannot carry exactly or would only make larger;
//! * 1: columns (all values of one field side by side) under brotli;
//! * 2: columns as they are, for the few that compression would only make larger;
//! * 3: columns under DEFLATE, from a core that was built without Brotli's encoder.
//!
//! Whoever packs unpacks at once and compares, so what left a device can be read. Whoever unpacks names a limit, which holds
//! for the decompressed bytes *and* for the rows that they stand for (columns can name one long text many times): beyond it
//! nothing is allocated. Packed bytes are not canonical; nothing may be derived from them but what they unpack to.

mod column;
mod contents;
mod envelopes;
mod hanzi;
mod squeeze;

pub(crate) use squeeze::{Effort, brotli};

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::cbor;
use crate::command::{Content, Envelope};
use crate::id::{DeviceId, Digest, JournalId, RecordId};
use crate::limits;

use column::{Columns, Writer};
use squeeze::deflate;

const ROWS: u8 = 0;
const SQUEEZED: u8 = 1;
const COLUMNS: u8 = 2;
const DEFLATED: u8 = 3;

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

/// What commands made the records that others speak of: by which device, and under which number.
///
/// Whoever packs may know none of them: it only costs bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(pub BTreeMap<RecordId, (DeviceId, u64)>);

/// Commands to pack: those of one batch, or of several of one journal.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The lanes, one for each batch.
    pub lanes: &'a [Lane],
    /// How many envelopes each of them has.
    pub counts: &'a [usize],
    /// The envelopes, numbered without gaps from each lane's first. Digests are not packed.
    pub envelopes: &'a [Envelope],
    /// Contents, each with the index of its envelope, in ascending order of the indices.
    pub contents: &'a [(u32, &'a Content)],
}

/// Commands unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many envelopes each lane has.
    pub counts: Vec<usize>,
    /// The envelopes. Their digests are all zero: they are computed again from contents and salts, or come apart.
    pub envelopes: Vec<Envelope>,
    /// Contents, each with an index; the indices ascend.
    pub contents: Vec<(u32, Content)>,
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
    fn unpack(&mut self, lanes: &[Lane], bytes: &[u8]) -> Result<Unpacked, PackError> {
        let max = self.0.min(limits::STREAM_INFLATED_BYTES_MAX);
        let unpacked = unpack_within(lanes, bytes, max);
        self.0 -= unpacked.as_ref().map_or(max, |(_, took)| *took);
        match unpacked {
            Ok((unpacked, _)) => Ok(unpacked),
            Err(_) if max < limits::STREAM_INFLATED_BYTES_MAX => Err(PackError::NoRoom),
            Err(error) => Err(error),
        }
    }

    /// Unpacks contents within what is left.
    pub(crate) fn unpack_contents(
        &mut self,
        bytes: &[u8],
    ) -> Result<Vec<(u32, Content)>, PackError> {
        self.unpack(&[], bytes).map(|unpacked| unpacked.contents)
    }

    /// Unpacks the envelopes of a lane within what is left.
    pub(crate) fn unpack_envelopes(
        &mut self,
        lane: &Lane,
        bytes: &[u8],
    ) -> Result<Vec<Envelope>, PackError> {
        self.unpack(&[*lane], bytes)
            .map(|unpacked| unpacked.envelopes)
    }
}

/// Packs contents, each with the index of its command in its batch or segment, in ascending order of the indices.
pub fn pack_contents(rows: &[(u32, &Content)]) -> Vec<u8> {
    contents_packed(rows, Effort::Full)
}

pub(crate) fn contents_packed(rows: &[(u32, &Content)], effort: Effort) -> Vec<u8> {
    let run = Run {
        lanes: &[],
        counts: &[],
        envelopes: &[],
        contents: rows,
    };
    packed(&run, &Places::default(), effort)
}

/// Unpacks contents; the indices ascend.
pub fn unpack_contents(
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<(u32, Content)>, PackError> {
    unpack(&[], bytes, inflated_max).map(|unpacked| unpacked.contents)
}

/// Packs the envelopes of a lane, numbered without gaps from `lane.first`. Digests are not packed.
pub fn pack_envelopes(lane: &Lane, rows: &[Envelope]) -> Vec<u8> {
    envelopes_packed(lane, rows, &Places::default(), Effort::Full)
}

pub(crate) fn envelopes_packed(
    lane: &Lane,
    rows: &[Envelope],
    places: &Places,
    effort: Effort,
) -> Vec<u8> {
    let run = Run {
        lanes: &[*lane],
        counts: &[rows.len()],
        envelopes: rows,
        contents: &[],
    };
    packed(&run, places, effort)
}

/// Unpacks the envelopes of a lane. Their digests are all zero: they are computed again from contents and salts, or come apart.
pub fn unpack_envelopes(
    lane: &Lane,
    bytes: &[u8],
    inflated_max: usize,
) -> Result<Vec<Envelope>, PackError> {
    unpack(&[*lane], bytes, inflated_max).map(|unpacked| unpacked.envelopes)
}

/// Packs commands.
pub(crate) fn packed(run: &Run<'_>, places: &Places, effort: Effort) -> Vec<u8> {
    let columns = framed(COLUMNS, &to_columns(run, places));
    let squeezed = (columns.len() > SQUEEZED_BYTES_MIN).then(|| {
        let bare = columns.get(1..).unwrap_or_default();
        if cfg!(feature = "brotli-encoder") {
            framed(SQUEEZED, &brotli::squeeze(bare, effort))
        } else {
            framed(DEFLATED, &deflate::squeeze(bare, effort))
        }
    });
    let shorter = squeezed.filter(|squeezed| squeezed.len() < columns.len());
    exact(run, shorter.unwrap_or(columns))
}

/// Columns if they are no longer than rows and read back exactly; rows, which always do, if not.
fn exact(run: &Run<'_>, packed: Vec<u8>) -> Vec<u8> {
    let bare: Vec<Envelope> = run
        .envelopes
        .iter()
        .map(|row| Envelope {
            digest: Digest([0; 32]),
            ..row.clone()
        })
        .collect();
    let rows = framed(ROWS, &cbor::encode(&(run.counts, &bare, run.contents)));
    let same = |unpacked: Unpacked| {
        let contents = unpacked.contents.iter();
        unpacked.counts == run.counts
            && unpacked.envelopes == bare
            && contents
                .map(|(index, content)| (*index, content))
                .eq(run.contents.iter().copied())
    };
    if packed.len() < rows.len() && unpack(run.lanes, &packed, usize::MAX).is_ok_and(same) {
        packed
    } else {
        rows
    }
}

/// Unpacks commands of these lanes.
pub fn unpack(lanes: &[Lane], bytes: &[u8], inflated_max: usize) -> Result<Unpacked, PackError> {
    unpack_within(lanes, bytes, inflated_max).map(|(unpacked, _)| unpacked)
}

/// The commands, and how many bytes they took: decompressed, or in CBOR, whichever is more.
fn unpack_within(
    lanes: &[Lane],
    bytes: &[u8],
    inflated_max: usize,
) -> Result<(Unpacked, usize), PackError> {
    let (unpacked, took) = match opened(bytes, inflated_max)? {
        Opened::Rows(bytes) => {
            let (counts, envelopes, contents) =
                cbor::decode(bytes).map_err(|_| PackError::Malformed("not rows of commands"))?;
            let unpacked = Unpacked {
                counts,
                envelopes,
                contents,
            };
            (unpacked, bytes.len())
        }
        Opened::Columns(columns) => {
            let (unpacked, took) = from_columns(lanes, &columns, inflated_max)?;
            // With the length of its first part, which columns may need and rows do not.
            (unpacked, took.max(columns.len()))
        }
    };
    // Texts in UTF-8 are longer than what was decompressed.
    if took > inflated_max {
        return Err(PackError::TooLarge(inflated_max));
    }
    let Unpacked {
        counts,
        envelopes,
        contents,
    } = &unpacked;
    let indices = contents.iter().map(|(index, _)| index);
    if !indices.is_sorted_by(|earlier, later| earlier < later) {
        return Err(PackError::Malformed("indices out of order"));
    }
    let whole = counts.len() == lanes.len()
        && counts
            .iter()
            .try_fold(0_usize, |sum, count| sum.checked_add(*count))
            == Some(envelopes.len());
    let numbered = || {
        let mut rows = envelopes::numbers(lanes, counts).zip(envelopes);
        rows.all(|(at, row)| at.is_some_and(|(_, n)| n == row.n))
    };
    let bare = || envelopes.iter().all(|row| row.digest == Digest([0; 32]));
    if whole && numbered() && bare() {
        Ok((unpacked, took))
    } else {
        Err(PackError::Malformed("not runs of bare envelopes"))
    }
}

fn to_columns(run: &Run<'_>, places: &Places) -> Vec<u8> {
    let mut writer = Writer::default();
    envelopes::write(&mut writer, run.lanes, run.counts, run.envelopes, places);
    contents::write(&mut writer, run.contents);
    writer.finish()
}

fn from_columns(
    lanes: &[Lane],
    bytes: &[u8],
    limit: usize,
) -> Result<(Unpacked, usize), PackError> {
    let columns = Columns::split(bytes, limit)?;
    let mut reader = columns.reader();
    let (counts, envelopes) = envelopes::read(&mut reader, lanes)?;
    let contents = contents::read(&mut reader)?;
    let unpacked = Unpacked {
        counts,
        envelopes,
        contents,
    };
    Ok((unpacked, reader.finish()?))
}

fn framed(codec: u8, body: &[u8]) -> Vec<u8> {
    [&[codec], body].concat()
}

enum Opened<'b> {
    Rows(&'b [u8]),
    Columns(Cow<'b, [u8]>),
}

/// What the packed bytes hold. No codec makes anything longer than its rows, so longer input is refused unread.
fn opened(bytes: &[u8], inflated_max: usize) -> Result<Opened<'_>, PackError> {
    let (&codec, body) = bytes.split_first().ok_or(PackError::Malformed("empty"))?;
    let owned = |columns| Opened::Columns(Cow::Owned(columns));
    if codec <= DEFLATED && body.len() > inflated_max {
        return Err(PackError::TooLarge(inflated_max));
    }
    match codec {
        ROWS => Ok(Opened::Rows(body)),
        SQUEEZED => brotli::release(body, inflated_max).map(owned),
        COLUMNS => Ok(Opened::Columns(Cow::Borrowed(body))),
        DEFLATED => deflate::release(body, inflated_max).map(owned),
        unknown => Err(PackError::UnknownCodec(unknown)),
    }
}

#[cfg(test)]
mod tests;
