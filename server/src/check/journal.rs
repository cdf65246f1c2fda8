//! One journal: its entries, and what the tables derive from them.

use std::collections::{BTreeMap, BTreeSet};

use store::rows::{
    ChainRow, EntryRow, EquivocationRow, FoldedRow, IndexRow, JournalRows, LaneRow, OfferRow,
    RecordRow, SegmentRow,
};
use sync_core::admit::{self, Index};
use sync_core::audit::{Shown, record_digest};
use sync_core::batch::{Parts, WireBatch};
use sync_core::cbor;
use sync_core::command::{Origin, Verb};
use sync_core::id::{DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Entry, EntryHead};
use sync_core::record::{self, Record};
use sync_core::registry::{self, Registry, RegistryAct, Standing};
use sync_core::sync::wire::{WireBody, WireEntry};

use crate::check::{Checked, Ground};
use crate::journals::pull::Scope;
use crate::journals::searchable::searchable;
use crate::journals::segments;

/// An entry that could be read.
#[derive(Debug)]
pub(super) struct Opened {
    head: EntryHead,
    parts: Parts,
    wire: WireBatch,
}

/// What the registry's entries add up to.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) registry: Registry,
    /// Who was suspended for two batches under one number, when, and at which of the registry's entries.
    pub(super) suspended: Vec<(DeviceId, Timestamp, Seq)>,
}

impl Known {
    pub(super) fn from_acts(deployment: DeploymentId, entries: &[Opened]) -> Self {
        let mut registry = Registry::empty(deployment);
        let mut suspended = Vec::new();
        for entry in entries {
            for command in entry.parts.commands() {
                let Some((act, _)) = registry::from_command::<RegistryAct>(&command) else {
                    continue;
                };
                if let RegistryAct::SetDevice {
                    device,
                    standing: Standing::Suspended,
                    cause,
                } = &act
                    && cause == "equivocation"
                    // An administrator may suspend a device for what it did elsewhere.
                    && is_by_itself(&command)
                {
                    suspended.push((*device, command.envelope.at, entry.head.seq));
                }
                registry.apply(act);
            }
        }
        Self {
            registry,
            suspended,
        }
    }
}

/// Whether an act is the server's own, on nobody's word.
fn is_by_itself(command: &sync_core::command::Command) -> bool {
    registry::from_command::<RegistryAct>(command).is_some_and(|(_, by)| by.is_none())
}

/// A journal as it is proved.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) entries: Vec<WireEntry>,
    /// The records as they are shown.
    pub(super) shown: Vec<Shown>,
    /// Of whom a second batch under one number is kept, and since when.
    pub(super) suspended: BTreeSet<(DeviceId, Timestamp)>,
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads a journal's entries, as far as they can be read.
pub(super) fn open(journal: JournalId, rows: &JournalRows, checked: &mut Checked) -> Vec<Opened> {
    let mut entries = Vec::with_capacity(rows.entries.len());
    for (seq, row) in (1..).zip(&rows.entries) {
        let opened = || {
            let wire: WireBatch = cbor::decode(&row.batch).ok()?;
            Some(Opened {
                head: cbor::decode(&row.head).ok()?,
                parts: wire.open().ok()?,
                wire,
            })
        };
        let Some(opened) = opened() else {
            checked.find(journal, seq, "the entry cannot be read");
            break;
        };
        entries.push(opened);
    }
    entries
}

/// Holds what the tables say of a journal against its entries.
pub(super) fn hold(
    ground: &Ground<'_>,
    known: &Known,
    journal: JournalId,
    rows: &JournalRows,
    entries: Vec<Opened>,
    checked: &mut Checked,
) -> Held {
    let mut walk = Walk {
        ground,
        known,
        chain: Chain::start(journal),
        lanes: BTreeMap::new(),
        offers: Vec::new(),
        index: Index::new(),
        touched: BTreeMap::new(),
    };
    checked.journals += usize::from(!rows.entries.is_empty());
    checked.entries += rows.entries.len();
    let mut held = Held::default();
    let is_whole = entries.len() == rows.entries.len()
        && (rows.entries.iter().zip(&entries)).all(|(row, entry)| walk.take(row, entry, checked));
    if is_whole {
        walk.contents(&entries, checked);
        walk.segments(rows, &entries, checked);
        walk.derived(rows, checked);
        held.shown = walk.records(rows, checked);
        held.suspended = walk.equivocations(&rows.equivocations, checked);
    }
    held.entries = (entries.into_iter())
        .map(|entry| WireEntry::new(&entry.head, WireBody::Batch(entry.wire)))
        .collect();
    held
}

/// What entries make of what is derived from them.
struct Walk<'a> {
    ground: &'a Ground<'a>,
    known: &'a Known,
    chain: Chain,
    lanes: BTreeMap<DeviceId, (u64, Digest)>,
    offers: Vec<OfferRow>,
    index: Index,
    /// The records that commands speak of: when the first and the last of them were received.
    touched: BTreeMap<RecordId, (Timestamp, Timestamp)>,
}

impl Walk<'_> {
    fn key(&self) -> Vec<u8> {
        self.chain.journal.0.to_vec()
    }

    /// Takes the next entry in. Says whether it is worth going on.
    fn take(&mut self, row: &EntryRow, entry: &Opened, checked: &mut Checked) -> bool {
        let (journal, seq) = (self.chain.journal, self.chain.end.seq + 1);
        let (head, batch) = (&entry.head, &entry.parts.batch);
        let Ok(chain) = self.chain.append(head) else {
            checked.find(journal, seq, "the chain does not continue");
            return false;
        };
        self.chain = chain;
        let expected = EntryRow {
            journal_id: self.key(),
            seq: column(seq),
            received_at: head.received_at.0,
            device_id: batch.device.0.to_vec(),
            first: column(batch.first()),
            last: column(batch.last()),
            batch_digest: batch.digest(self.ground.deployment).0.to_vec(),
            chain_head: chain.end.head.0.to_vec(),
            head: cbor::encode(head),
            batch: cbor::encode(&entry.wire),
        };
        checked.expect(expected == *row, journal, seq, "its row says otherwise");
        self.lanes.insert(batch.device, (batch.last(), head.batch));
        // Operators' entries speak of no record of a village.
        if head.catalogue == 0 {
            return true;
        }
        let (registry, catalogues) = (&self.known.registry, self.ground.catalogues);
        admit::replay(&mut self.index, registry, catalogues, head, batch);
        for (envelope, fate) in batch.envelopes.iter().zip(&head.fates) {
            // One in another journal is refused, and stands nowhere here.
            let here = |origin: &Origin| origin.journal == self.chain.journal;
            if let Some(origin) = envelope.origin.filter(here) {
                self.offers.push(OfferRow {
                    journal_id: self.chain.journal.0.to_vec(),
                    origin_device_id: origin.device.0.to_vec(),
                    origin_n: column(origin.n),
                    device_id: batch.device.0.to_vec(),
                    n: column(envelope.n),
                    counts: fate.counts().into(),
                });
            }
        }
        let log = Entry {
            head: head.clone(),
            parts: entry.parts.clone(),
        };
        for logged in record::logged(&log) {
            for record in record::touches(&logged.command.envelope) {
                let at = logged.received_at;
                self.touched.entry(record).or_insert((at, at)).1 = at;
            }
        }
        true
    }

    /// What is not there was erased, and what was erased is not there.
    fn contents(&self, entries: &[Opened], checked: &mut Checked) {
        for Opened { head, parts, .. } in entries {
            let commands = parts.batch.envelopes.iter().zip(&head.fates);
            for ((envelope, fate), content) in commands.zip(&parts.contents) {
                let known = self.index.get(&envelope.record);
                let is_erased =
                    known.is_some_and(|known| known.erased) && envelope.verb != Verb::Erase;
                let what = if is_erased {
                    "a content is still there that was erased"
                } else {
                    "a content is missing that nobody erased"
                };
                let agrees = content.is_some() != is_erased || is_erased && !fate.counts();
                checked.expect(agrees, self.chain.journal, head.seq, what);
            }
        }
    }

    /// A segment that is kept is what its entries pack to.
    fn segments(&self, rows: &JournalRows, entries: &[Opened], checked: &mut Checked) {
        for row in &rows.segments {
            let packed = Self::packed(row, rows, entries);
            let what = "a segment is not what its entries pack to";
            checked.expect(packed.as_ref() == Some(row), self.chain.journal, None, what);
        }
    }

    fn packed(row: &SegmentRow, rows: &JournalRows, entries: &[Opened]) -> Option<SegmentRow> {
        let scope = Scope::of_number(u8::try_from(row.scope).ok()?);
        let (after, seq) = (usize::try_from(row.after), usize::try_from(row.seq));
        let range = after.ok()?..seq.ok()?;
        let last = rows.entries.get(range.clone())?.last()?;
        let entries = entries.get(range)?.iter().map(|entry| Entry {
            head: entry.head.clone(),
            parts: entry.parts.clone(),
        });
        let (lacking, body) = segments::pack(&scope, entries.collect());
        let lacking: Vec<DeviceId> = lacking.into_iter().collect();
        Some(SegmentRow {
            journal_id: last.journal_id.clone(),
            scope: row.scope,
            after: row.after,
            seq: last.seq,
            head: last.chain_head.clone(),
            lacking: cbor::encode(&lacking),
            body: body.0,
        })
    }

    fn derived(&mut self, rows: &JournalRows, checked: &mut Checked) {
        let (journal, key, end) = (self.chain.journal, self.key(), self.chain.end.seq);
        let mut expect = |holds: bool, what: &str| checked.expect(holds, journal, None, what);
        let chain = ChainRow {
            journal_id: key.clone(),
            seq: column(end),
            head: self.chain.end.head.0.to_vec(),
            received_at: self.chain.received_at.0,
            registry: column(self.chain.registry),
        };
        let chains: Vec<ChainRow> = (end > 0).then_some(chain).into_iter().collect();
        expect(chains == rows.chains, "the chain ends elsewhere");
        let folded = FoldedRow {
            journal_id: key.clone(),
            seq: column(end),
        };
        let folded: Vec<FoldedRow> = (end > 0).then_some(folded).into_iter().collect();
        let what = "it is not folded up to its end (a server that runs does it at once)";
        expect(folded == rows.folded, what);
        let lanes: Vec<LaneRow> = (self.lanes.iter())
            .map(|(device, (n, batch))| LaneRow {
                journal_id: key.clone(),
                device_id: device.0.to_vec(),
                n: column(*n),
                batch: batch.0.to_vec(),
            })
            .collect();
        expect(lanes == rows.lanes, "lanes end elsewhere");
        self.offers.sort();
        expect(self.offers == rows.offers, "what is offered again is other");
        let index: Vec<IndexRow> = (self.index.iter())
            .map(|(record, entry)| IndexRow {
                journal_id: key.clone(),
                record_id: record.0.to_vec(),
                entry: cbor::encode(entry),
            })
            .collect();
        expect(index == rows.index, "the admission index is another");
    }

    /// Holds rows of records against their bodies, which the verifier compares with what commands add up to.
    fn records(&self, rows: &JournalRows, checked: &mut Checked) -> Vec<Shown> {
        let journal = self.chain.journal;
        checked.records += rows.records.len();
        let ids = rows.records.iter().map(|row| row.record_id.as_slice());
        let all = ids.eq(self.touched.keys().map(|record| &record.0[..]));
        let what = "the records are not those that commands speak of";
        checked.expect(all, journal, None, what);
        let mut shown = Vec::with_capacity(rows.records.len());
        for row in &rows.records {
            let record: Option<Record> = cbor::decode(&row.body).ok();
            let expected = record.as_ref().and_then(|record| self.row_of(record));
            let what = "a record\'s row is not what its commands add up to";
            checked.expect(expected.as_ref() == Some(row), journal, None, what);
            shown.extend(record.map(|record| Shown {
                journal,
                record: record.id,
                digest: record_digest(&record),
            }));
        }
        shown
    }

    /// The row of a record, if commands speak of it.
    fn row_of(&self, record: &Record) -> Option<RecordRow> {
        let (first, last) = self.touched.get(&record.id)?;
        Some(RecordRow {
            journal_id: record.journal.0.to_vec(),
            record_id: record.id.0.to_vec(),
            kind: record.kind.clone(),
            state: record.state.clone(),
            audience: (record.audience as u8).into(),
            conflicted: record.conflicts().next().is_some().into(),
            flagged: record.is_flagged().into(),
            unanswered: record.steps.iter().any(|step| !step.fate.counts()).into(),
            void: record.void.is_some().into(),
            created_at: first.0,
            changed_at: last.0,
            text: searchable(self.ground.catalogues, record),
            body: cbor::encode(record),
        })
    }

    /// Second batches under one number prove what they are.
    fn equivocations(
        &self,
        rows: &[EquivocationRow],
        checked: &mut Checked,
    ) -> BTreeSet<(DeviceId, Timestamp)> {
        let mut kept = BTreeSet::new();
        for row in rows {
            let device = self.equivocated(row);
            kept.extend(device.map(|device| (device, Timestamp(row.received_at))));
            let what = "a second batch under one number proves nothing";
            checked.expect(device.is_some(), self.chain.journal, None, what);
        }
        kept
    }

    /// Whose second batch it is.
    fn equivocated(&self, row: &EquivocationRow) -> Option<DeviceId> {
        let wire: WireBatch = cbor::decode(&row.batch).ok()?;
        let parts = wire.open().ok()?;
        let (batch, deployment) = (&parts.batch, self.ground.deployment);
        let device = self.known.registry.devices.get(&batch.device)?;
        let expected = EquivocationRow {
            journal_id: self.key(),
            device_id: batch.device.0.to_vec(),
            first: column(batch.first()),
            digest: batch.digest(deployment).0.to_vec(),
            batch: cbor::encode(&wire),
            ..row.clone()
        };
        let holds = expected == *row
            && batch.journal == self.chain.journal
            && parts.is_signed_by(deployment, &device.key);
        holds.then_some(batch.device)
    }
}
