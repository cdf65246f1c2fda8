//! The messages of `POST /v1/sync`: deterministic CBOR, their large parts packed already.

use minicbor::{Decode, Encode};

use crate::batch::{Bytes, Malformed, Parts, Position, WireBatch};
use crate::id::{DeploymentId, DeviceId, Digest, JournalId, Seq, Timestamp};
use crate::journal::{Entry, EntryHead, Fate};

/// What a device asks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SyncRequest {
    /// [`super::PROTOCOL`].
    #[n(0)]
    pub protocol: u16,
    /// How far each journal is known.
    #[n(1)]
    pub cursors: Vec<Cursor>,
    /// How far the registry is known.
    #[n(2)]
    pub registry: Seq,
    /// What was sealed, in lane order.
    #[n(3)]
    pub batches: Vec<WireBatch>,
    /// What others' devices sealed for the server alone (see [`crate::seal`]).
    #[n(4)]
    pub carried: Vec<Bytes>,
    /// How many bytes of entries the device can take now.
    #[n(5)]
    pub budget_bytes: u32,
    /// The tree size of the largest checkpoint that the device verified.
    #[n(6)]
    pub checkpoint: u64,
}

/// How far a journal is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Cursor {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// The end of its chain, as verified.
    #[n(1)]
    pub end: Position,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SyncResponse {
    /// One for each batch, in the order they came.
    #[n(0)]
    pub receipts: Vec<Receipt>,
    /// One for each carried parcel, in the order they came.
    #[n(1)]
    pub carried: Vec<Carried>,
    /// What is new, by journal. A journal that the device may not know of is not mentioned.
    #[n(2)]
    pub journals: Vec<JournalPage>,
    /// What concerns the device in the registry since its position, each an entry on its own.
    #[n(3)]
    pub registry: Vec<WireEntry>,
    /// The registry position that this answers for.
    #[n(4)]
    pub registry_seq: Seq,
    /// A checkpoint that covers a newer head of the device's journals, if one does.
    #[n(5)]
    pub checkpoint: Option<CoveredBy>,
    /// The server's clock.
    #[n(6)]
    pub server_time: Timestamp,
}

/// The answer to one batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// The lane's device.
    #[n(0)]
    pub device: DeviceId,
    /// The journal.
    #[n(1)]
    pub journal: JournalId,
    /// The batch's first number.
    #[n(2)]
    pub first: u64,
    /// What became of it.
    #[n(3)]
    pub outcome: Outcome,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is in the journal; the same answer comes for ever.
    #[n(0)]
    Entered {
        /// Where.
        #[n(0)]
        seq: Seq,
        /// The fates that are not `Accepted`, by index.
        #[n(1)]
        unusual: Vec<(u32, Fate)>,
    },
    /// Commands are missing before it.
    #[n(1)]
    Gap {
        /// The number that the lane continues with.
        #[n(0)]
        expected: u64,
    },
    /// Its author verified another chain than this server's: somebody shows two histories.
    #[n(2)]
    Forked,
    /// Other bytes under a used number: the device is suspended; enrol in place.
    #[n(3)]
    Equivocation,
    /// Try again later.
    #[n(4)]
    Busy,
    /// The device's day is full.
    #[n(5)]
    Quota {
        /// When to try again.
        #[n(0)]
        retry_after_s: u32,
    },
    /// It cannot be unpacked or attributed, so nothing was entered. The code says why.
    #[n(6)]
    Unusable {
        /// `malformed`, `unknown_device`, `unknown_journal`, `bad_signature` or `not_yours`.
        #[n(0)]
        code: String,
    },
}

/// What a carrier learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Carried {
    /// The server has it, whatever became of it.
    #[n(0)]
    Taken,
    /// Try again later.
    #[n(1)]
    Busy,
}

/// What is new in one journal.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JournalPage {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// Closed segments first, for who begins with nothing.
    #[n(1)]
    pub segments: Vec<Bytes>,
    /// Entries after the cursor (and the segments), in order.
    #[n(2)]
    pub entries: Vec<WireEntry>,
    /// The end of the chain at the last of them.
    #[n(3)]
    pub end: Position,
    /// Whether there is more.
    #[n(4)]
    pub more: bool,
}

/// A checkpoint with what ties one journal's head to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CoveredBy {
    /// The signed note (C2SP tlog-checkpoint).
    #[n(0)]
    pub note: String,
    /// The leaf's journal.
    #[n(1)]
    pub journal: JournalId,
    /// The head that the leaf published.
    #[n(2)]
    pub end: Position,
    /// The leaf's index.
    #[n(3)]
    pub index: u64,
    /// The inclusion path (RFC 6962), from the leaf up.
    #[n(4)]
    pub path: Vec<Digest>,
}

/// An entry as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WireEntry {
    /// See [`EntryHead::seq`].
    #[n(0)]
    pub seq: Seq,
    /// See [`EntryHead::received_at`].
    #[n(1)]
    pub received_at: Timestamp,
    /// See [`EntryHead::registry`].
    #[n(2)]
    pub registry: Position,
    /// See [`EntryHead::fold`].
    #[n(3)]
    pub fold: u16,
    /// The fates that are not `Accepted`, by index.
    #[n(4)]
    pub unusual: Vec<(u32, Fate)>,
    /// The batch.
    #[n(5)]
    pub body: WireBody,
}

/// The batch of an entry as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are batches")]
pub enum WireBody {
    /// Whole, or with some contents withheld.
    #[n(0)]
    Batch(#[n(0)] WireBatch),
    /// The reader's own, which he keeps until this arrives: named by its first number.
    #[n(1)]
    Own {
        /// The batch's first number.
        #[n(0)]
        first: u64,
    },
}

/// The fates of a batch, from those that are not `Accepted`.
pub fn fates(count: usize, unusual: &[(u32, Fate)]) -> Vec<Fate> {
    let mut fates = vec![Fate::Accepted; count];
    for (index, fate) in unusual {
        if let Some(slot) = fates.get_mut(*index as usize) {
            slot.clone_from(fate);
        }
    }
    fates
}

/// The fates that are not `Accepted`, by index.
pub fn unusual(fates: &[Fate]) -> Vec<(u32, Fate)> {
    (0..)
        .zip(fates)
        .filter(|(_, fate)| **fate != Fate::Accepted)
        .map(|(index, fate)| (index, fate.clone()))
        .collect()
}

impl WireEntry {
    /// An entry whose batch is packed already.
    pub fn new(head: &EntryHead, body: WireBody) -> Self {
        Self {
            seq: head.seq,
            received_at: head.received_at,
            registry: head.registry,
            fold: head.fold,
            unusual: unusual(&head.fates),
            body,
        }
    }

    /// An entry whole, as far as its holder has it.
    pub fn pack(entry: &Entry) -> Self {
        Self::new(&entry.head, WireBody::Batch(entry.parts.to_wire()))
    }

    /// The same for the holder's own shelf: packed quickly, and larger.
    pub fn keep(entry: &Entry) -> Self {
        Self::new(&entry.head, WireBody::Batch(entry.parts.to_wire_quickly()))
    }

    /// The entry; `own` gives the reader's own batch that begins with a number.
    ///
    /// It says nothing yet about the chain or who signed: see [`crate::journal::Chain::append`]. That the head belongs to its batch is
    /// so by how it is made.
    pub fn open(
        &self,
        deployment: DeploymentId,
        own: impl FnOnce(u64) -> Option<Parts>,
    ) -> Result<Entry, Malformed> {
        let parts = match &self.body {
            WireBody::Batch(batch) => batch.open()?,
            WireBody::Own { first } => own(*first).ok_or(Malformed::Numbering)?,
        };
        let count = parts.batch.envelopes.len();
        let ascends = (self.unusual).is_sorted_by(|(index, _), (next, _)| index < next);
        let last = self.unusual.last().map(|(index, _)| *index as usize);
        let accepted = (self.unusual.iter()).any(|(_, fate)| *fate == Fate::Accepted);
        if !ascends || last.is_some_and(|last| last >= count) || accepted {
            return Err(Malformed::Fates);
        }
        Ok(self.with(parts.batch.digest(deployment), parts))
    }

    /// The entry with this batch, which has this digest.
    pub(super) fn with(&self, batch: Digest, parts: Parts) -> Entry {
        let head = EntryHead {
            journal: parts.batch.journal,
            seq: self.seq,
            received_at: self.received_at,
            registry: self.registry,
            catalogue: parts.batch.catalogue,
            fold: self.fold,
            batch,
            signature: parts.signature.clone(),
            fates: fates(parts.batch.envelopes.len(), &self.unusual),
        };
        Entry { head, parts }
    }

    /// How many bytes it takes on the wire, about.
    pub fn bytes(&self) -> usize {
        const HEAD_BYTES: usize = 256;
        match &self.body {
            WireBody::Batch(batch) => HEAD_BYTES + batch.packed_bytes(),
            WireBody::Own { .. } => HEAD_BYTES,
        }
    }
}
