//! Journals: the append-only, hash-chained list of a village's admitted batches with their fates.
//!
//! A journal is at once the sync feed, the audit log and the truth. Everything else can be rebuilt from it.

use minicbor::{Decode, Encode};

use crate::batch::{Parts, Position};
use crate::cbor;
use crate::id::{DeploymentId, Digest, JournalId, Seq, Timestamp, sha256};
use crate::sign::Signature;

/// What became of a command. Reasons are stable codes (see [`crate::admit::codes`]); their wording is the shells'.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fate {
    /// It counts.
    #[n(0)]
    Accepted,
    /// It counts, and is marked with why somebody should look at it.
    #[n(1)]
    Flagged(#[n(0)] Vec<String>),
    /// 未生效: it was in order but came too late; it is kept and shown, and changes nothing.
    #[n(2)]
    NoEffect(#[n(0)] String),
    /// 拒收: its author may not, or it is not in order. It is kept for its author and his reviewer, and can be offered again.
    #[n(3)]
    Refused(
        /// Why.
        #[n(0)]
        String,
        /// The field that it is about, if one.
        #[n(1)]
        Option<String>,
    ),
}

impl Fate {
    /// Whether the command takes part in the fold.
    pub const fn counts(&self) -> bool {
        matches!(self, Self::Accepted | Self::Flagged(_))
    }

    /// Whether it was refused, so that its content goes to no other phone.
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(..))
    }
}

/// What the chain hashes of one admitted batch. Its batch is named by digest.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct EntryHead {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// Its position: 1, 2, 3, … without gaps.
    #[n(1)]
    pub seq: Seq,
    /// When the server received it. Never earlier than the entry before.
    #[n(2)]
    pub received_at: Timestamp,
    /// The registry position that authority was judged at. Never runs backwards.
    #[n(3)]
    pub registry: Position,
    /// The catalogue version that it was judged by and is folded by.
    #[n(4)]
    pub catalogue: u32,
    /// The version of the fold's rules.
    #[n(5)]
    pub fold: u16,
    /// The batch's digest.
    #[n(6)]
    pub batch: Digest,
    /// The batch's signature, so that it is part of what cannot be changed.
    #[n(7)]
    pub signature: Signature,
    /// One fate for each command, in order.
    #[n(8)]
    pub fates: Vec<Fate>,
}

impl EntryHead {
    /// `SHA-256("zhucun entry v1" ‖ CBOR(head))`.
    pub fn digest(&self) -> Digest {
        sha256(&[b"zhucun entry v1", &cbor::encode(self)])
    }
}

/// One admitted batch in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is chained.
    pub head: EntryHead,
    /// The batch, with those contents that the holder has.
    pub parts: Parts,
}

/// The chain does not continue as claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Another journal, or not the next position.
    #[error("entry {found} where {expected} should follow")]
    Position {
        /// The position that should come.
        expected: Seq,
        /// The one that came.
        found: Seq,
    },
    /// The entry names another batch than the one beside it.
    #[error("entry {0} does not belong to its batch")]
    Batch(Seq),
    /// As many fates as commands are needed.
    #[error("entry {0} has another number of fates than of commands")]
    Fates(Seq),
    /// Receipt times or registry positions ran backwards.
    #[error("entry {0} runs backwards in time or authority")]
    Backwards(Seq),
    /// The chain ends in another head than claimed.
    #[error("the chain at {0} has another head than claimed")]
    Head(Seq),
}

/// The end of a journal's chain, and what must not run backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Chain {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// Its end.
    #[n(1)]
    pub end: Position,
    /// The last entry's receipt.
    #[n(2)]
    pub received_at: Timestamp,
    /// The last entry's registry position.
    #[n(3)]
    pub registry: Seq,
}

impl Chain {
    /// The empty journal: `head_0 = SHA-256("zhucun journal v1" ‖ journal)`.
    pub fn start(journal: JournalId) -> Self {
        let head = sha256(&[b"zhucun journal v1", &journal.0]);
        Self {
            journal,
            end: Position { seq: 0, head },
            received_at: Timestamp(i64::MIN),
            registry: 0,
        }
    }

    /// The chain with this entry: `head_n = SHA-256(head_{n-1} ‖ digest(entry_n))`.
    pub fn append(&self, entry: &EntryHead) -> Result<Self, Broken> {
        let expected = self.end.seq + 1;
        if entry.journal != self.journal || entry.seq != expected {
            return Err(Broken::Position {
                expected,
                found: entry.seq,
            });
        }
        if entry.received_at < self.received_at || entry.registry.seq < self.registry {
            return Err(Broken::Backwards(entry.seq));
        }
        let head = sha256(&[&self.end.head.0, &entry.digest().0]);
        let end = Position {
            seq: entry.seq,
            head,
        };
        Ok(Self {
            journal: self.journal,
            end,
            received_at: entry.received_at,
            registry: entry.registry.seq,
        })
    }

    /// The chain with this entry, which must also belong to its batch.
    pub fn append_entry(&self, deployment: DeploymentId, entry: &Entry) -> Result<Self, Broken> {
        let seq = entry.head.seq;
        if entry.parts.batch.journal != self.journal
            || entry.head.batch != entry.parts.batch.digest(deployment)
            || entry.head.signature != entry.parts.signature
        {
            return Err(Broken::Batch(seq));
        }
        if entry.head.fates.len() != entry.parts.batch.envelopes.len() {
            return Err(Broken::Fates(seq));
        }
        self.append(&entry.head)
    }
}
