//! Segments: entries re-packed for who begins with nothing.
//!
//! A segment holds the same entries that a pull would bring, their contents pooled by audience and compressed as a whole. It is a
//! transport form like any other: what it opens to verifies against the chain, or is thrown away.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::batch::Position;
use crate::batch::{Batch, Bytes, Parts, Salted, Seed};
use crate::cbor;
use crate::command::{Audience, Content, Salt};
use crate::id::{DeploymentId, Seq, Timestamp};
use crate::journal::{Entry, EntryHead, Fate};
use crate::limits;
use crate::pack;
use crate::sign::Signature;
use crate::sync::wire;

/// The most bytes that a segment opens to: a closed one and the entry that closed it.
const INFLATED_BYTES_MAX: usize = 4 * limits::SEGMENT_BYTES;

/// Why bytes are no segment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// A part cannot be unpacked.
    #[error("a part cannot be unpacked: {0}")]
    Pack(#[from] pack::PackError),
    /// The frame is not a segment's.
    #[error("the frame is not a segment's: {0}")]
    Frame(#[from] cbor::CborError),
    /// A content has no command, or a command stands under another audience.
    #[error("a content is misplaced")]
    Misplaced,
}

#[derive(Encode, Decode)]
struct Frame {
    #[n(0)]
    heads: Bytes,
    #[n(1)]
    streams: Vec<(Audience, Bytes)>,
}

#[derive(Encode, Decode)]
struct Head {
    #[n(0)]
    seq: Seq,
    #[n(1)]
    received_at: Timestamp,
    #[n(2)]
    registry: Position,
    #[n(3)]
    fold: u16,
    #[n(4)]
    unusual: Vec<(u32, Fate)>,
    #[n(5)]
    batch: Batch,
    #[n(6)]
    signature: Signature,
    #[n(7)]
    seed: Option<Seed>,
    #[n(8)]
    salts: Vec<(u32, Salt)>,
}

/// Packs entries, in order, as one segment.
pub fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut streams: BTreeMap<Audience, Vec<(u32, &Content)>> = BTreeMap::new();
    let mut heads = Vec::with_capacity(entries.len());
    let mut at = 0;
    for Entry { head, parts } in entries {
        let mut salts = Vec::new();
        let mut batch = parts.batch.clone();
        for (index, (envelope, salted)) in
            (0..).zip(batch.envelopes.iter_mut().zip(&parts.contents))
        {
            if let Some(Salted { salt, content }) = salted {
                streams
                    .entry(envelope.audience)
                    .or_default()
                    .push((at, content));
                // It is computed again from the content.
                envelope.digest = crate::id::Digest([0; 32]);
                if parts.seed.is_none() {
                    salts.push((index, *salt));
                }
            }
            at += 1;
        }
        heads.push(Head {
            seq: head.seq,
            received_at: head.received_at,
            registry: head.registry,
            fold: head.fold,
            unusual: wire::unusual(&head.fates),
            batch,
            signature: parts.signature.clone(),
            seed: parts.seed,
            salts,
        });
    }
    let frame = Frame {
        heads: pack::deflate(&cbor::encode(&heads)).into(),
        streams: streams
            .into_iter()
            .map(|(audience, rows)| (audience, pack::pack_contents(&rows).into()))
            .collect(),
    };
    cbor::encode(&frame)
}

/// Opens a segment. It says nothing yet about the chain or who signed.
pub fn open(deployment: DeploymentId, bytes: &[u8]) -> Result<Vec<Entry>, SegmentError> {
    let frame: Frame = cbor::decode(bytes)?;
    let heads: Vec<Head> = cbor::decode(&pack::inflate(&frame.heads.0, INFLATED_BYTES_MAX)?)?;
    if !frame
        .streams
        .is_sorted_by(|(audience, _), (next, _)| audience < next)
    {
        return Err(SegmentError::Misplaced);
    }
    let mut contents: BTreeMap<u32, (Audience, Content)> = BTreeMap::new();
    for (audience, stream) in &frame.streams {
        for (at, content) in pack::unpack_contents(&stream.0, INFLATED_BYTES_MAX)? {
            contents.insert(at, (*audience, content));
        }
    }
    let mut at = 0;
    let entries = heads
        .into_iter()
        .map(|head| entry(deployment, head, &mut contents, &mut at))
        .collect::<Result<_, _>>()?;
    if contents.is_empty() {
        Ok(entries)
    } else {
        Err(SegmentError::Misplaced)
    }
}

fn entry(
    deployment: DeploymentId,
    head: Head,
    contents: &mut BTreeMap<u32, (Audience, Content)>,
    at: &mut u32,
) -> Result<Entry, SegmentError> {
    let Head {
        seq,
        received_at,
        registry,
        fold,
        unusual,
        mut batch,
        signature,
        seed,
        salts,
    } = head;
    let salts: BTreeMap<u32, Salt> = salts.into_iter().collect();
    let mut held = Vec::with_capacity(batch.envelopes.len());
    for (index, envelope) in (0..).zip(&mut batch.envelopes) {
        let here = contents.remove(at);
        *at += 1;
        held.push(match here {
            None => None,
            Some((audience, content)) => {
                let salt = seed
                    .map(|seed| seed.salt(envelope.n))
                    .or_else(|| salts.get(&index).copied());
                let salt = salt
                    .filter(|_| audience == envelope.audience)
                    .ok_or(SegmentError::Misplaced)?;
                envelope.digest = content.digest(salt);
                Some(Salted { salt, content })
            }
        });
    }
    let head = EntryHead {
        journal: batch.journal,
        seq,
        received_at,
        registry,
        catalogue: batch.catalogue,
        fold,
        batch: batch.digest(deployment),
        signature: signature.clone(),
        fates: wire::fates(batch.envelopes.len(), &unusual),
    };
    Ok(Entry {
        head,
        parts: Parts {
            batch,
            signature,
            seed,
            contents: held,
        },
    })
}
