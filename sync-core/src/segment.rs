//! Segments: entries of one journal packed together, for who begins with nothing.
//!
//! A segment holds the same entries that a pull would bring, their commands pooled, contents by audience, and compressed as a whole.
//! It is a transport form like any other: what it opens to verifies against the chain, or is thrown away. Digests that follow from
//! the beginning of the journal or of a lane, or from what stands before in the segment, are not sent.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::batch::{Batch, Bytes, Parts, Position, Salted, Seed, lane_start};
use crate::cbor;
use crate::command::{Audience, Content, Envelope, Salt};
use crate::id::{AssignmentId, DeploymentId, DeviceId, Digest, JournalId, Seq, Timestamp, sha256};
use crate::journal::{Chain, Entry, EntryHead, Fate};
use crate::limits;
use crate::pack::{self, Effort, Lane, Places, Run};
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
    /// A content has no command or no salt, or a command stands under another audience.
    #[error("a content is misplaced")]
    Misplaced,
    /// A digest that should follow from what is here does not.
    #[error("entry {0} names a digest that is not here")]
    Digest(Seq),
}

#[derive(Encode, Decode)]
struct Frame {
    #[n(0)]
    journal: JournalId,
    /// The position before the first entry.
    #[n(1)]
    after: Seq,
    /// [`Head`]s, compressed.
    #[n(2)]
    heads: Bytes,
    /// The envelopes of all.
    #[n(3)]
    envelopes: Bytes,
    /// The contents by audience, each with the index of its command.
    #[n(4)]
    streams: Vec<(Audience, Bytes)>,
}

/// What is known of one entry beside its commands.
#[derive(Encode, Decode)]
struct Head {
    #[n(0)]
    received_at: Timestamp,
    #[n(1)]
    registry: Position,
    #[n(2)]
    fold: u16,
    #[n(3)]
    unusual: Vec<(u32, Fate)>,
    #[n(4)]
    device: DeviceId,
    #[n(5)]
    assignment: AssignmentId,
    #[n(6)]
    catalogue: u32,
    #[n(7)]
    first: u64,
    /// Absent where it is the lane's start or the lane's entry before in this segment.
    #[n(8)]
    previous: Option<Digest>,
    #[n(9)]
    seen: Seq,
    /// Absent where the chain at `seen` is known by this segment.
    #[n(10)]
    verified: Option<Digest>,
    #[n(11)]
    sealed_at: Timestamp,
    #[n(12)]
    signature: Signature,
    #[n(13)]
    seed: Option<Seed>,
    #[n(14)]
    salts: Vec<(u32, Salt)>,
    #[n(15)]
    digests: Vec<(u32, Digest)>,
}

/// What follows from the entries so far.
struct Known {
    /// The chain's heads: none, unless it is followed from its beginning.
    heads: BTreeMap<Seq, Digest>,
    lanes: BTreeMap<DeviceId, (u64, Digest)>,
    seq: Seq,
}

impl Known {
    fn after(journal: JournalId, seq: Seq) -> Self {
        let start = Chain::start(journal).end;
        Self {
            heads: (seq == start.seq)
                .then_some((start.seq, start.head))
                .into_iter()
                .collect(),
            lanes: BTreeMap::new(),
            seq,
        }
    }

    /// The digest of the lane's batch before the one that begins with a number.
    fn previous(&self, lane: &Lane) -> Option<Digest> {
        if lane.first == 1 {
            return Some(lane_start(lane.device, lane.journal));
        }
        let (last, digest) = self.lanes.get(&lane.device)?;
        (last.checked_add(1) == Some(lane.first)).then_some(*digest)
    }

    fn take(&mut self, entry: &Entry) {
        let (batch, seq) = (&entry.parts.batch, entry.head.seq);
        if let Some(before) = self.heads.get(&self.seq) {
            let head = sha256(&[&before.0, &entry.head.digest().0]);
            self.heads.insert(seq, head);
        }
        self.seq = seq;
        self.lanes
            .insert(batch.device, (batch.last(), entry.head.batch));
    }
}

/// Packs entries of one journal, which follow one another, as one segment.
pub fn pack(entries: &[Entry]) -> Vec<u8> {
    let first = entries
        .first()
        .map(|entry| (entry.head.journal, entry.head.seq));
    let (journal, first) = first.unwrap_or((JournalId([0; 16]), 1));
    let after = first.saturating_sub(1);
    let (mut heads, mut lanes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let mut envelopes: Vec<Envelope> = Vec::new();
    let mut streams: BTreeMap<Audience, Vec<(u32, &Content)>> = BTreeMap::new();
    let mut known = Known::after(journal, after);
    let mut at = 0;
    for entry in entries {
        let Entry { head, parts } = entry;
        let batch = &parts.batch;
        let (mut salts, mut digests) = (Vec::new(), Vec::new());
        for (index, (envelope, salted)) in (0..).zip(batch.envelopes.iter().zip(&parts.contents)) {
            match salted {
                Some(salted) => {
                    let stream = streams.entry(envelope.audience).or_default();
                    stream.push((at, &salted.content));
                    if parts.seed.is_none() {
                        salts.push((index, salted.salt));
                    }
                }
                None => digests.push((index, envelope.digest)),
            }
            at += 1;
        }
        let lane = batch.lane();
        let seen = known.heads.get(&batch.seen.seq) == Some(&batch.seen.head);
        heads.push(Head {
            received_at: head.received_at,
            registry: head.registry,
            fold: head.fold,
            unusual: wire::unusual(&head.fates),
            device: batch.device,
            assignment: batch.assignment,
            catalogue: batch.catalogue,
            first: lane.first,
            previous: (known.previous(&lane) != Some(batch.previous)).then_some(batch.previous),
            seen: batch.seen.seq,
            verified: (!seen).then_some(batch.seen.head),
            sealed_at: batch.sealed_at,
            signature: parts.signature.clone(),
            seed: parts.seed,
            salts,
            digests,
        });
        lanes.push(lane);
        counts.push(batch.envelopes.len());
        envelopes.extend(batch.envelopes.iter().cloned());
        known.take(entry);
    }
    let run = Run {
        lanes: &lanes,
        counts: &counts,
        envelopes: &envelopes,
        contents: &[],
    };
    cbor::encode(&Frame {
        journal,
        after,
        heads: pack::brotli::squeeze(&cbor::encode(&heads), Effort::Soon).into(),
        envelopes: pack::packed(&run, &Places::default(), Effort::Soon).into(),
        streams: streams
            .into_iter()
            .map(|(audience, rows)| (audience, pack::contents_packed(&rows, Effort::Soon).into()))
            .collect(),
    })
}

/// Opens a segment. It says nothing yet about the chain or who signed.
pub fn open(deployment: DeploymentId, bytes: &[u8]) -> Result<Vec<Entry>, SegmentError> {
    let Frame {
        journal,
        after,
        heads,
        envelopes,
        streams,
    } = cbor::decode(bytes)?;
    let heads: Vec<Head> = cbor::decode(&pack::brotli::release(&heads.0, INFLATED_BYTES_MAX)?)?;
    let lane = |head: &Head| Lane {
        device: head.device,
        journal,
        first: head.first,
    };
    let lanes: Vec<Lane> = heads.iter().map(lane).collect();
    let unpacked = pack::unpack(&lanes, &envelopes.0, INFLATED_BYTES_MAX)?;
    let mut contents = contents(&unpacked.envelopes, &streams)?;
    let mut envelopes = unpacked.envelopes.into_iter();
    let mut known = Known::after(journal, after);
    let (mut entries, mut at) = (Vec::with_capacity(heads.len()), 0);
    for ((head, lane), count) in heads.into_iter().zip(&lanes).zip(unpacked.counts) {
        let envelopes: Vec<Envelope> = envelopes.by_ref().take(count).collect();
        let here = envelopes.iter().map(|_| {
            let content = contents.remove(&at);
            at += 1;
            content
        });
        let here = here.collect();
        let entry = entry(deployment, &known, lane, head, envelopes, here)?;
        known.take(&entry);
        entries.push(entry);
    }
    Ok(entries)
}

/// The contents by the index of their command, each of the audience that its envelope names.
fn contents(
    envelopes: &[Envelope],
    streams: &[(Audience, Bytes)],
) -> Result<BTreeMap<u32, Content>, SegmentError> {
    if !streams.is_sorted_by(|(audience, _), (next, _)| audience < next) {
        return Err(SegmentError::Misplaced);
    }
    let mut contents = BTreeMap::new();
    for (audience, stream) in streams {
        for (at, content) in pack::unpack_contents(&stream.0, INFLATED_BYTES_MAX)? {
            let envelope = envelopes.get(at as usize);
            if envelope.is_none_or(|envelope| envelope.audience != *audience) {
                return Err(SegmentError::Misplaced);
            }
            contents.insert(at, content);
        }
    }
    Ok(contents)
}

fn entry(
    deployment: DeploymentId,
    known: &Known,
    lane: &Lane,
    head: Head,
    mut envelopes: Vec<Envelope>,
    contents: Vec<Option<Content>>,
) -> Result<Entry, SegmentError> {
    let seq = known.seq.saturating_add(1);
    let seed = head.seed;
    let salts: BTreeMap<u32, Salt> = head.salts.into_iter().collect();
    let digests: BTreeMap<u32, Digest> = head.digests.into_iter().collect();
    let mut held = Vec::with_capacity(contents.len());
    for ((index, envelope), content) in (0..).zip(&mut envelopes).zip(contents) {
        let salt = || {
            let salt = seed.map(|seed| seed.salt(envelope.n));
            salt.or_else(|| salts.get(&index).copied())
        };
        let salted = match content {
            Some(content) => Some(Salted {
                salt: salt().ok_or(SegmentError::Misplaced)?,
                content,
            }),
            None => None,
        };
        let digest = salted
            .as_ref()
            .map(|salted| salted.content.digest(salted.salt));
        let digest = digest.or_else(|| digests.get(&index).copied());
        envelope.digest = digest.ok_or(SegmentError::Digest(seq))?;
        held.push(salted);
    }
    let previous = head.previous.or_else(|| known.previous(lane));
    let seen_head = (head.verified).or_else(|| known.heads.get(&head.seen).copied());
    let batch = Batch {
        journal: lane.journal,
        device: lane.device,
        assignment: head.assignment,
        catalogue: head.catalogue,
        previous: previous.ok_or(SegmentError::Digest(seq))?,
        seen: Position {
            seq: head.seen,
            head: seen_head.ok_or(SegmentError::Digest(seq))?,
        },
        sealed_at: head.sealed_at,
        envelopes,
    };
    let head = EntryHead {
        journal: lane.journal,
        seq,
        received_at: head.received_at,
        registry: head.registry,
        catalogue: batch.catalogue,
        fold: head.fold,
        batch: batch.digest(deployment),
        signature: head.signature,
        fates: wire::fates(batch.envelopes.len(), &head.unusual),
    };
    Ok(Entry {
        parts: Parts {
            batch,
            signature: head.signature.clone(),
            seed,
            contents: held,
        },
        head,
    })
}
