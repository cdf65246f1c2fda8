//! Refilling a server whose database lost what it had signed: phones give entries back at their old positions.
//!
//! Everything hangs on the heads that the signed log covers. A phone first names the digests of all entries between the position
//! that the server has and the next covered head: their chain must end in that head. Only then are the entries themselves looked
//! at, and each must have exactly its digest: its position, receipt, authority, fates, signature and batch. So it does not matter
//! who gives an entry back, none can be altered, left out or put in, and each is final when it is taken: nothing forks.
//!
//! Content that its giver may not read comes back withheld; the digests stand.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::wire::{Cursor, WireBody, WireEntry};
use crate::admit::{self, Catalogues, Index};
use crate::batch::{Bytes, Position};
use crate::checkpoint::Leaf;
use crate::id::{DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, sha256};
use crate::journal::{Chain, Entry, Fate};
use crate::limits;
use crate::pack::Room;
use crate::record;
use crate::registry::{Registry, Standing};
use crate::sign::{PublicKey, Signature, SigningKey};

/// The context in which a device signs what it gives back.
const CONTEXT: &[u8] = b"zhucun refill v1";

/// What a phone gives back, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RefillRequest {
    /// [`super::PROTOCOL`].
    #[n(0)]
    pub protocol: u16,
    /// The journals that it holds, and how far.
    #[n(1)]
    pub cursors: Vec<Cursor>,
    /// What it gives back.
    #[n(2)]
    pub runs: Vec<Run>,
    /// The largest checkpoint that it verified, a signed note: the server may have lost that it signed it.
    #[n(3)]
    pub checkpoint: Option<String>,
}

impl RefillRequest {
    /// Whether it is of this protocol, and no larger than a request may be.
    pub const fn is_modest(&self) -> bool {
        self.protocol == super::PROTOCOL
            && self.cursors.len() <= limits::REQUEST_CURSORS_MAX
            && self.runs.len() <= limits::REQUEST_CURSORS_MAX
    }
}

/// Entries of one journal that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Run {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// The position that they continue.
    #[n(1)]
    pub after: Seq,
    /// The digests of all entries from there to the next covered head.
    #[n(2)]
    pub digests: Vec<Digest>,
    /// The first of these entries, as many as one request takes.
    #[n(3)]
    pub entries: Vec<WireEntry>,
}

/// A request under the key of the device that makes it: whoever cannot log in to a server that lost his session gives back as well.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SignedRefill {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// The request's deterministic CBOR.
    #[n(1)]
    pub request: Bytes,
    /// Its signature over the request's SHA-256.
    #[n(2)]
    pub signature: Signature,
}

impl SignedRefill {
    /// Signs a request.
    pub fn new(request: &RefillRequest, deployment: DeploymentId, key: &SigningKey) -> Self {
        let request = crate::cbor::encode(request);
        Self {
            device: key.public().device(),
            signature: key.sign(CONTEXT, deployment, sha256(&[&request])),
            request: Bytes(request),
        }
    }

    /// The request, if a device signed it that may sync.
    pub fn open_for(&self, registry: &Registry) -> Option<RefillRequest> {
        let device = registry.devices.get(&self.device);
        let device = device.filter(|device| device.standing == Standing::Active)?;
        self.open(registry.deployment, &device.key)
    }

    /// The request, if this key signed it.
    pub fn open(&self, deployment: DeploymentId, key: &PublicKey) -> Option<RefillRequest> {
        let digest = sha256(&[&self.request.0]);
        let signed = key.verify(CONTEXT, deployment, digest, &self.signature);
        signed.ok()?;
        crate::cbor::decode(&self.request.0).ok()
    }
}

/// What the server still wants of the journals that the phone holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RefillResponse {
    /// Whether it is behind its last signed checkpoint.
    #[n(0)]
    pub behind: bool,
    /// What is missing.
    #[n(1)]
    pub wanted: Vec<Wanted>,
    /// How many entries of this request were taken.
    #[n(2)]
    pub taken: u64,
}

/// What is missing of one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Wanted {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// What the server has.
    #[n(1)]
    pub after: Position,
    /// The next head that the signed log covers.
    #[n(2)]
    pub until: Position,
}

/// Of each journal the heads that a signed log covers: what is given back leads to one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoveredHeads(BTreeMap<JournalId, BTreeMap<Seq, Digest>>);

impl CoveredHeads {
    /// Those of a log's leaves, in their order; of what an earlier epoch lost none.
    pub fn of(leaves: impl IntoIterator<Item = Leaf>) -> Self {
        let mut heads: BTreeMap<JournalId, BTreeMap<Seq, Digest>> = BTreeMap::new();
        for leaf in leaves {
            let of_journal = heads.entry(leaf.journal).or_default();
            // A journal that goes on further back did so after a loss.
            let _lost = of_journal.split_off(&leaf.seq);
            of_journal.insert(leaf.seq, leaf.head);
        }
        Self(heads)
    }

    /// The next covered head of a journal after a position.
    pub fn next(&self, journal: JournalId, after: Seq) -> Option<Position> {
        let from = after.checked_add(1)?;
        let (seq, head) = self.0.get(&journal)?.range(from..).next()?;
        Some(Position {
            seq: *seq,
            head: *head,
        })
    }

    /// The last covered head of a journal.
    pub fn end(&self, journal: JournalId) -> Option<Position> {
        let (seq, head) = self.0.get(&journal)?.last_key_value()?;
        Some(Position {
            seq: *seq,
            head: *head,
        })
    }

    /// The last covered head of each journal.
    pub fn ends(&self) -> impl Iterator<Item = (JournalId, Position)> + '_ {
        let journals = self.0.keys();
        journals.filter_map(|journal| Some((*journal, self.end(*journal)?)))
    }

    /// What is wanted of a journal that ends here, from a device that holds this much of it.
    pub fn wanted(&self, cursor: &Cursor, after: Position) -> Option<Wanted> {
        let until = self.next(cursor.journal, after.seq)?;
        (after.seq < cursor.end.seq).then_some(Wanted {
            journal: cursor.journal,
            after,
            until,
        })
    }
}

/// An entry that was given back and is the very one that a covered head leads to. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct GivenBack {
    entry: Entry,
    chain: Chain,
}

impl GivenBack {
    /// The entry.
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The chain after it.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The records whose index its commands read or change.
    pub fn records(&self) -> BTreeSet<RecordId> {
        let envelopes = self.entry.parts.batch.envelopes.iter();
        envelopes.flat_map(record::touches).collect()
    }

    /// The records whose content goes with it, `index` being what it makes of the index: what was written before its author knew
    /// of an erasure goes the same way.
    pub fn erases(&self, index: &Index) -> BTreeSet<RecordId> {
        let envelopes = || self.entry.parts.batch.envelopes.iter();
        let fated = envelopes().zip(&self.entry.head.fates);
        let counted = fated.filter(|(_, fate): &(_, &Fate)| fate.counts());
        let erased = counted.flat_map(|(envelope, _)| admit::erases(envelope));
        let gone = |record: &RecordId| index.get(record).is_some_and(|entry| entry.erased);
        let late = envelopes().map(|envelope| envelope.record).filter(gone);
        erased.chain(late).collect()
    }

    /// What its commands make of the index, as admission made it then.
    pub fn replay(&self, index: &mut Index, registry: &Registry, catalogues: &Catalogues) {
        let (head, batch) = (&self.entry.head, &self.entry.parts.batch);
        admit::replay(index, registry, catalogues, head, batch);
    }
}

/// What was given back is not what the covered head leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTheEntries {
    /// The digests do not lead to the covered head.
    #[error("the digests do not lead to the covered head")]
    Digests,
    /// An entry is not the one of its digest.
    #[error("entry {0} is not the one that was covered")]
    Entry(Seq),
    /// Unpacked, they take more than one request may.
    #[error("more than one request may unpack")]
    NoRoom,
}

/// Verifies a run that continues a chain, up to a covered head.
pub fn verify(
    deployment: DeploymentId,
    chain: &Chain,
    until: Position,
    run: &Run,
    room: &mut Room,
) -> Result<Vec<GivenBack>, NotTheEntries> {
    let reached = run
        .digests
        .iter()
        .fold(chain.end.head, |head, digest| sha256(&[&head.0, &digest.0]));
    let count = until.seq.checked_sub(chain.end.seq);
    if count != Some(run.digests.len() as u64)
        || reached != until.head
        || run.entries.len() > run.digests.len()
    {
        return Err(NotTheEntries::Digests);
    }
    let mut chain = *chain;
    let mut given = Vec::with_capacity(run.entries.len());
    for (wire, digest) in run.entries.iter().zip(&run.digests) {
        let not_it = || NotTheEntries::Entry(wire.seq);
        let entry = match wire.open_within(deployment, room) {
            Ok(entry) => entry,
            Err(crate::batch::Malformed::Pack(crate::pack::PackError::NoRoom)) => {
                return Err(NotTheEntries::NoRoom);
            }
            Err(_) => return Err(not_it()),
        };
        if entry.head.digest() != *digest {
            return Err(not_it());
        }
        chain = (chain.append(&entry.head)).map_err(|_| not_it())?;
        given.push(GivenBack { entry, chain });
    }
    Ok(given)
}

/// The run that gives back what is wanted, from these entries of the journal; nothing if they do not lead to the covered head.
pub(super) fn run<'a>(
    wanted: &Wanted,
    head_at: impl Fn(Seq) -> Option<Digest>,
    entries: impl Iterator<Item = &'a Entry>,
    room: &mut usize,
) -> Option<Run> {
    let Wanted {
        journal,
        after,
        until,
    } = *wanted;
    if head_at(after.seq) != Some(after.head) || head_at(until.seq) != Some(until.head) {
        return None;
    }
    let mut run = Run {
        journal,
        after: after.seq,
        digests: Vec::new(),
        entries: Vec::new(),
    };
    let mut fits = true;
    for entry in entries {
        run.digests.push(entry.head.digest());
        if fits {
            let wire = WireEntry::pack(entry);
            fits = run.entries.is_empty() || wire.bytes() <= *room;
            if fits {
                *room = room.saturating_sub(wire.bytes());
                run.entries.push(wire);
            }
        }
    }
    Some(run)
}

impl WireEntry {
    /// Opens an entry whole, within the room that is left.
    fn open_within(
        &self,
        deployment: DeploymentId,
        room: &mut Room,
    ) -> Result<Entry, crate::batch::Malformed> {
        match &self.body {
            WireBody::Batch(batch) => {
                let parts = batch.open_within(room)?;
                Ok(self.with(parts.batch.digest(deployment), parts))
            }
            WireBody::Own { .. } => Err(crate::batch::Malformed::Numbering),
        }
    }
}
