//! What the device does with a response: it believes what it can verify, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::local::Sealed;
use super::storage::{Kept, Key, Write};
use super::{Device, Effect, World};
use crate::admit;
use crate::batch::{Malformed, Position, WireBatch};
use crate::cbor;
use crate::checkpoint::{CheckpointError, Leaf, merkle, open_checkpoint, origin};
use crate::id::{JournalId, RecordId, Seq};
use crate::journal::{Broken, Chain, Entry, Fate};
use crate::limits;
use crate::registry::{self, Registry, RegistryAct};
use crate::sign::PublicKey;
use crate::sync::wire::{
    Carried, CoveredBy, JournalPage, Outcome, Receipt, SyncResponse, WireBody, WireEntry,
};

/// What a response brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learned {
    /// What the shell must do.
    pub effects: Vec<Effect>,
    /// Whether another request would bring more, or send more.
    pub more: bool,
    /// Batches that the server could not take now, with its reasons.
    pub held_back: Vec<(JournalId, u64, Outcome)>,
    /// Whether the device must enrol in place: it was suspended, or the server has commands under its key that it does not have
    /// (its storage was cloned or is older than its lane).
    pub enrol_again: bool,
}

/// The response contradicts what the device verified before, or itself. Nothing of it was taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LyingServer {
    /// A journal's chain does not continue.
    #[error("journal {journal}: {broken}")]
    Chain {
        /// The journal.
        journal: JournalId,
        /// How.
        broken: Broken,
    },
    /// A batch cannot be unpacked.
    #[error("a batch cannot be unpacked: {0}")]
    Malformed(#[from] Malformed),
    /// No device that the registry knows signed what is said to be its batch.
    #[error("entry {0} is not signed by a known device")]
    Signature(Seq),
    /// A registry entry is not signed by the operator.
    #[error("registry entry {0} is not signed by the operator")]
    Registry(Seq),
    /// The checkpoint does not verify, or is smaller than one seen before, or of another history.
    #[error("the checkpoint does not verify: {0}")]
    Checkpoint(String),
    /// A segment cannot be unpacked.
    #[error("a segment cannot be unpacked")]
    Segment,
}

/// What the registry adds up to with what a response brings of it.
struct Authority {
    registry: Registry,
    operators: BTreeMap<Seq, PublicKey>,
    /// Which journals begin a new epoch at which registry position, and where they go on: one after the other.
    reopened: Vec<(JournalId, Seq, Position)>,
}

/// A page whose every entry the chain bears and a known device signed.
struct VerifiedPage {
    journal: JournalId,
    entries: Vec<VerifiedEntry>,
    /// An entry is under this device's key, and this device does not have its batch.
    lacks_own: bool,
}

/// One of its entries.
struct VerifiedEntry {
    entry: Entry,
    /// The chain after it.
    chain: Chain,
    /// Its batch as it travelled, unless it came in a segment.
    packed: Option<WireBatch>,
}

impl Device {
    /// Takes in a response: first all of it is verified, then all of it is taken in.
    pub fn on_response(
        &mut self,
        world: &World<'_>,
        response: &SyncResponse,
    ) -> Result<Learned, LyingServer> {
        let authority = self.verify_registry(&response.registry)?;
        let pages = response
            .journals
            .iter()
            .map(|page| self.verify_page(&authority.registry, page));
        let pages = pages.collect::<Result<Vec<_>, _>>()?;
        let checkpoint = match &response.checkpoint {
            Some(covered) => Some(self.verify_checkpoint(&authority.registry, &pages, covered)?),
            None => None,
        };

        let mut learned = Learned::default();
        let (mut writes, mut changed) = (Vec::new(), BTreeSet::new());
        let kept = |entry: &WireEntry| Write::put(Key::Registry(entry.seq), cbor::encode(entry));
        writes.extend(response.registry.iter().map(kept));
        (self.registry, self.operators) = (authority.registry, authority.operators);
        let rewound = self.reopen(&authority.reopened, response, &mut writes);
        self.registry_seq = self.registry_seq.max(response.registry_seq);
        self.drop_other_catalogues();
        let waiting = self.waiting();
        for receipt in &response.receipts {
            self.receive(receipt, &mut learned, &mut changed);
        }
        learned
            .held_back
            .retain(|(journal, ..)| !rewound.contains(journal));
        // What was asked for on top of what is gone comes with the next request.
        let pages = pages
            .into_iter()
            .filter(|page| !rewound.contains(&page.journal));
        for page in pages {
            learned.enrol_again |= page.lacks_own;
            self.take_page(page, &mut writes, &mut changed);
        }
        let sent = core::mem::take(&mut self.sent_carried);
        let answered = sent.iter().zip(&response.carried);
        let carries = self.carried.len();
        for (id, _) in answered.filter(|(_, carried)| **carried == Carried::Taken) {
            self.carried.remove(id);
            writes.push(Write::delete(Key::Carried(*id)));
        }
        let checkpoint = checkpoint.filter(|_| rewound.is_empty());
        self.checkpoint = checkpoint.or_else(|| self.checkpoint.take());
        self.last_contact = Some(world.now);
        self.out_of_use = false;
        let most = u32::try_from(limits::PAGE_BYTES_MAX).unwrap_or(u32::MAX);
        self.budget_bytes = self.budget_bytes.saturating_mul(2).min(most);
        let more = response.journals.iter().any(|page| page.more);
        let settled = self.settles && !more && !learned.enrol_again;
        if settled {
            writes.extend(self.settle());
        }
        writes.push(self.contact());

        let sends_on =
            self.waiting() > 0 && self.waiting() < waiting && learned.held_back.is_empty();
        let carries_on = !self.carried.is_empty() && self.carried.len() < carries;
        learned.more = (more && !learned.enrol_again)
            || sends_on
            || carries_on
            || settled
            || !rewound.is_empty();
        changed.extend(rewound.iter().flat_map(|journal| {
            let records = self.records(*journal).into_iter();
            records.map(|record| (*journal, record))
        }));
        learned.effects.push(Effect::Persist(writes));
        let shown = changed
            .into_iter()
            .map(|(journal, record)| Effect::Changed(journal, record));
        learned.effects.extend(shown);
        Ok(learned)
    }

    /// Takes in that journals begin a new epoch. Returns those of which something is gone here.
    fn reopen(
        &mut self,
        reopened: &[(JournalId, Seq, Position)],
        response: &SyncResponse,
        writes: &mut Vec<Write>,
    ) -> BTreeSet<JournalId> {
        let mut rewound = BTreeSet::new();
        let registry = self.registry.chain.journal;
        let knew_lost =
            (reopened.iter()).any(|(id, _, at)| *id == registry && at.seq < self.registry_seq);
        for (journal, seq, at) in reopened {
            if *journal == registry {
                // Of the registry's own lost entries none stands any more; what came in their place was sent again.
                let sent = |seq: &Seq| response.registry.iter().any(|entry| entry.seq == *seq);
                let lost = (at.seq + 1..=self.registry_seq).filter(|seq| !sent(seq));
                writes.extend(lost.map(Key::Registry).map(Write::delete));
                self.registry_seq = self.registry_seq.min(response.registry_seq);
                continue;
            }
            let answered = response
                .journals
                .iter()
                .any(|page| page.journal == *journal);
            // What was judged under a lost registry bears positions that come again: then the server knows no such cursor.
            let before = if knew_lost && !answered {
                Seq::MAX
            } else {
                *seq
            };
            if self.rewind(*journal, *at, before, writes) {
                rewound.insert(*journal);
            }
        }
        rewound
    }

    fn verify_registry(&self, entries: &[WireEntry]) -> Result<Authority, LyingServer> {
        let (registry, operators) = (self.registry.clone(), self.operators.clone());
        let mut authority = Authority {
            registry,
            operators,
            reopened: Vec::new(),
        };
        entries
            .iter()
            .try_for_each(|entry| authority.learn(entry))?;
        Ok(authority)
    }

    /// Takes a registry entry that was verified when it came, and kept here.
    pub(super) fn restore_registry(&mut self, entry: &WireEntry) -> Result<(), Malformed> {
        let opened = entry.open(self.identity.deployment, |_| None)?;
        apply(&mut self.registry, &mut self.operators, &opened);
        Ok(())
    }

    fn verify_page(
        &self,
        registry: &Registry,
        page: &JournalPage,
    ) -> Result<VerifiedPage, LyingServer> {
        let (journal, deployment) = (page.journal, self.identity.deployment);
        let mut chain = self
            .journals
            .get(&journal)
            .map_or(Chain::start(journal), |local| local.chain);
        let mut entries = Vec::new();
        let mut take = |chain: &mut Chain, entry: Entry, packed: Option<WireBatch>| {
            let seq = entry.head.seq;
            let key = registry
                .devices
                .get(&entry.parts.batch.device)
                .map(|device| &device.key);
            let digest = entry.head.batch;
            let signed = key.is_some_and(|key| entry.parts.is_signed_over(digest, deployment, key));
            *chain = (chain.append(&entry.head))
                .map_err(|broken| LyingServer::Chain { journal, broken })?;
            entries.push(VerifiedEntry {
                entry,
                chain: *chain,
                packed,
            });
            if signed {
                Ok(())
            } else {
                Err(LyingServer::Signature(seq))
            }
        };
        for bytes in &page.segments {
            let opened =
                crate::segment::open(deployment, &bytes.0).map_err(|_| LyingServer::Segment)?;
            opened
                .into_iter()
                .try_for_each(|entry| take(&mut chain, entry, None))?;
        }
        let own = |first: &u64| self.journals.get(&journal)?.sealed.get(first);
        let mut lacks_own = false;
        for wire in &page.entries {
            lacks_own = matches!(&wire.body, WireBody::Own { first } if own(first).is_none());
            if lacks_own {
                break;
            }
            let parts = |first: u64| own(&first).map(|sealed: &Sealed| sealed.parts.clone());
            let packed = match &wire.body {
                WireBody::Batch(batch) => Some(batch.clone()),
                WireBody::Own { first } => own(first).map(|sealed| sealed.wire.clone()),
            };
            take(&mut chain, wire.open(deployment, parts)?, packed)?;
        }
        if !lacks_own && chain.end != page.end {
            let broken = Broken::Head(page.end.seq);
            return Err(LyingServer::Chain { journal, broken });
        }
        Ok(VerifiedPage {
            journal,
            entries,
            lacks_own,
        })
    }

    /// A checkpoint is the log key's, covers a head that this device verified itself, and is no smaller than one before.
    fn verify_checkpoint(
        &self,
        registry: &Registry,
        pages: &[VerifiedPage],
        covered: &CoveredBy,
    ) -> Result<(u64, String), LyingServer> {
        let refuse = |why: &str| LyingServer::Checkpoint(why.to_owned());
        let keys = registry
            .keys
            .as_ref()
            .ok_or_else(|| refuse("no log key is known"))?;
        let name = origin(self.identity.deployment);
        let open = |note: &str| open_checkpoint(note, &name, &keys.log);
        let unsigned = |error: CheckpointError| refuse(&error.to_string());
        let checkpoint = open(&covered.note).map_err(unsigned)?;
        if let Some((size, note)) = &self.checkpoint {
            let before = open(note).map_err(unsigned)?;
            if checkpoint.size < *size
                || (checkpoint.size == *size && checkpoint.root != before.root)
            {
                return Err(refuse("it is behind one that was seen before"));
            }
        }
        let CoveredBy {
            journal,
            end,
            index,
            path,
            ..
        } = covered;
        let leaf = Leaf {
            journal: *journal,
            seq: end.seq,
            head: end.head,
        };
        merkle::verify_inclusion(leaf.hash(), *index, checkpoint.size, path, checkpoint.root)
            .map_err(|error| refuse(&error.to_string()))?;
        let new = pages
            .iter()
            .filter(|page| page.journal == *journal)
            .flat_map(|page| &page.entries);
        let here = new
            .map(|verified| verified.chain.end)
            .find(|here| here.seq == end.seq);
        let head = here
            .map(|here| here.head)
            .or_else(|| self.head_at(*journal, end.seq));
        if head.is_some_and(|head| head == end.head) {
            Ok((checkpoint.size, covered.note.clone()))
        } else {
            Err(refuse(
                "it covers another history than the one that was sent",
            ))
        }
    }

    fn receive(
        &mut self,
        receipt: &Receipt,
        learned: &mut Learned,
        changed: &mut BTreeSet<(JournalId, RecordId)>,
    ) {
        if receipt.device != self.id() {
            return;
        }
        let outcome = &receipt.outcome;
        learned.enrol_again |= ends_the_key(outcome);
        match outcome {
            Outcome::Entered { seq, unusual } => {
                let records = self
                    .local(receipt.journal)
                    .receive(receipt.first, *seq, unusual);
                changed.extend(records.into_iter().map(|record| (receipt.journal, record)));
            }
            Outcome::Gap { .. }
            | Outcome::Forked
            | Outcome::Equivocation
            | Outcome::Busy
            | Outcome::Quota { .. }
            | Outcome::Unusable { .. } => {
                let held_back = (receipt.journal, receipt.first, outcome.clone());
                learned.held_back.push(held_back);
            }
        }
    }

    fn take_page(
        &mut self,
        page: VerifiedPage,
        writes: &mut Vec<Write>,
        changed: &mut BTreeSet<(JournalId, RecordId)>,
    ) {
        let (journal, device) = (page.journal, self.id());
        let mut touched = BTreeSet::new();
        self.local(journal);
        let Some(local) = self.journals.get_mut(&journal) else {
            return;
        };
        for verified in page.entries {
            let VerifiedEntry {
                entry,
                chain,
                packed,
            } = verified;
            let (seq, batch) = (entry.head.seq, &entry.parts.batch);
            if batch.device == device {
                writes.push(Write::delete(Key::Sealed(journal, batch.first())));
            }
            let counted = batch
                .envelopes
                .iter()
                .zip(&entry.head.fates)
                .filter(|(_, fate)| fate.counts());
            let mut erased: BTreeSet<RecordId> = counted
                .flat_map(|(envelope, _)| admit::erases(envelope))
                .collect();
            // What was written before its author knew of an erasure goes the same way.
            erased.extend(
                batch
                    .envelopes
                    .iter()
                    .map(|envelope| envelope.record)
                    .filter(|record| local.is_erased(*record)),
            );
            // What travelled is kept as it travelled, and what came in a segment is not squeezed again: that is dear on a phone.
            let as_it_came =
                packed.map(|batch| WireEntry::new(&entry.head, WireBody::Batch(batch)));
            touched.extend(local.append(device, &self.registry, &self.catalogues, entry, chain));
            let rewritten = local.erase(&erased);
            touched.extend(erased);
            let as_it_came = as_it_came.filter(|_| !rewritten.contains(&seq));
            let anew = rewritten
                .into_iter()
                .chain(as_it_came.is_none().then_some(seq));
            let anew: BTreeSet<Seq> = anew.collect();
            let packed = anew
                .iter()
                .filter_map(|seq| local.entries.get(seq))
                .map(WireEntry::keep);
            for wire in packed.chain(as_it_came) {
                let Some(entry) = local.entries.get(&wire.seq) else {
                    continue;
                };
                let key = Key::Entry(journal, wire.seq);
                writes.push(Write::put(key, cbor::encode(&Kept::new(wire, entry))));
            }
        }
        changed.extend(touched.into_iter().map(|record| (journal, record)));
    }
}

/// Whether a batch's outcome says that this key can write no more.
fn ends_the_key(outcome: &Outcome) -> bool {
    let suspended = |(_, fate): &(u32, Fate)| matches!(fate, Fate::Refused(code, _) if code == admit::codes::refused::DEVICE_SUSPENDED);
    match outcome {
        Outcome::Entered { unusual, .. } => unusual.iter().any(suspended),
        Outcome::Equivocation => true,
        Outcome::Unusable { code } => code == "unknown_device" || code == "bad_signature",
        Outcome::Gap { .. } | Outcome::Forked | Outcome::Busy | Outcome::Quota { .. } => false,
    }
}

impl Authority {
    /// A registry entry counts if the operator of its time signed it.
    fn learn(&mut self, entry: &WireEntry) -> Result<(), LyingServer> {
        let deployment = self.registry.deployment;
        let opened = entry.open(deployment, |_| None)?;
        let operator = self
            .operators
            .range(..entry.seq)
            .next_back()
            .map(|(_, key)| key);
        if !operator.is_some_and(|operator| {
            opened
                .parts
                .is_signed_over(opened.head.batch, deployment, operator)
        }) {
            return Err(LyingServer::Registry(entry.seq));
        }
        let reopened = apply(&mut self.registry, &mut self.operators, &opened);
        self.reopened.extend(reopened);
        Ok(())
    }
}

/// Applies an entry of the registry. Returns the journals that begin a new epoch by it, and where they go on.
fn apply(
    registry: &mut Registry,
    operators: &mut BTreeMap<Seq, PublicKey>,
    entry: &Entry,
) -> Vec<(JournalId, Seq, Position)> {
    let seq = entry.head.seq;
    let mut reopened = Vec::new();
    for command in entry.parts.commands() {
        if let Some((act, _)) = registry::from_command::<RegistryAct>(&command) {
            if let RegistryAct::SetOperator { operator } = &act {
                operators.insert(seq, operator.clone());
            }
            if let RegistryAct::Reopen { journal, at, .. } = &act {
                reopened.push((*journal, seq, *at));
            }
            registry.apply(act);
        }
    }
    reopened
}
