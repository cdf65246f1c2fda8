//! The writer of the journals: it decides batches, and writes what it decided in one transaction.
//!
//! A group is decided on what a reading shows and on what is written meanwhile. Every entry hangs on its journal's head and names a
//! position of the registry, and nothing else that deciding reads can change while these stand: so a draft holds if, in the
//! transaction that writes it, they do. If they do not (an operator entered something meanwhile), the group is decided again there.
//! What only a transaction can do (an erasure, a batch that may have been sent before) waits for it, with all that follows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use store::journals::{Asked, Used};
use store::{Store, StoreError, Unit};
use sync_core::admit::{self, Catalogues, Unplaced, Verified};
use sync_core::batch::WireBatch;
use sync_core::command::{Envelope, Verb};
use sync_core::id::{JournalId, RecordId, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::pack::Room;
use sync_core::registry::{Registry, RegistryAct, Standing};
use sync_core::sync::wire::{Outcome, unusual};

use crate::clock::Clock;
use crate::files::reach;
use crate::journals::admission::{Opened, open, refusal_of};
use crate::journals::desk::{Desk, Sheet};
use crate::journals::kept::Kept;
use crate::journals::registrar::{Registered, Registrar};
use crate::journals::timeline;

/// How soon a phone whose day is full may come again, at the most.
const QUOTA_RETRY_SECONDS: u32 = 3_600;

/// What the writer needs.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Where it writes.
    pub store: Arc<dyn Store>,
    /// The registry.
    pub registrar: Arc<Registrar>,
    /// What the database must bear before anything is admitted.
    pub kept: Arc<Kept>,
    /// Catalogue versions.
    pub catalogues: Arc<Catalogues>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A batch, opened, and as it was sent.
pub(super) type Arrived = (Opened, WireBatch);

/// What deciding a batch came to.
enum Decision {
    /// All of it is on the desk.
    Made(Outcome),
    /// Its number is used: what stands there has to be looked up.
    Used(Box<(Verified, WireBatch)>),
    /// It is on the desk, and the contents of these records have to be destroyed.
    Erases(Outcome, JournalId, BTreeSet<RecordId>),
}

/// A group that was decided before its turn to be written.
pub(super) struct Draft {
    registered: Arc<Registered>,
    /// Where the registry and its journals ended, as far as they had begun.
    ends: BTreeMap<JournalId, Chain>,
    /// Its batches, should it have to be decided again.
    wires: Vec<WireBatch>,
    desk: Desk,
    sheet: Arc<Sheet>,
    outcomes: Vec<Outcome>,
    /// What waits for the transaction, and the batches after it.
    rest: Option<(Decision, VecDeque<Arrived>)>,
}

/// Whether a draft stood when its turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stood {
    /// It was written as it was decided.
    Yes,
    /// It was decided again, or not written.
    No,
}

impl Draft {
    /// What is written of it first.
    pub(super) const fn sheet(&self) -> &Arc<Sheet> {
        &self.sheet
    }

    /// Whether nothing is left to decide.
    pub(super) const fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// Whether all that it was decided on is as it was.
    async fn stands(&self, unit: &mut dyn Unit) -> Result<bool, StoreError> {
        let journals = self.wires.iter().map(|wire| wire.journal);
        let registry = self.registered.registry.chain.journal;
        let asked = Asked {
            journals: journals.chain([registry]).collect(),
            ..Asked::default()
        };
        Ok(unit.known(&asked).await?.chains == self.ends)
    }
}

impl Writer {
    /// Decides a group while the sheet before it is being written.
    pub(super) async fn draft(
        &self,
        batches: Vec<Arrived>,
        before: &Sheet,
    ) -> Result<Draft, StoreError> {
        let mut reading = self.store.read().await?;
        let registered = self.registrar.current(&mut *reading).await?;
        let opened = batches.iter().map(|(opened, _)| opened);
        let day = self.clock.now().date().0;
        let mut desk = Desk::read(&mut *reading, opened, before, day).await?;
        drop(reading);
        let mut ends = desk.ends().clone();
        let registry = registered.registry.chain;
        ends.extend((registry.end.seq > 0).then_some((registry.journal, registry)));
        let wires = batches.iter().map(|(_, wire)| wire.clone()).collect();
        let (mut batches, mut outcomes) = (VecDeque::from(batches), Vec::new());
        let mut rest = None;
        while let Some(arrived) = batches.pop_front() {
            match self.decide(&mut desk, &registered.registry, arrived)? {
                Decision::Made(outcome) => outcomes.push(outcome),
                waits => {
                    rest = Some((waits, core::mem::take(&mut batches)));
                }
            }
            // Whoever only asks something is answered between two batches.
            tokio::task::yield_now().await;
        }
        Ok(Draft {
            registered,
            ends,
            wires,
            sheet: Arc::new(desk.sheet()),
            desk,
            outcomes,
            rest,
        })
    }

    /// Writes a draft, or what its batches come to now. Returns once that is durable.
    pub(super) async fn write(&self, draft: Draft) -> Result<(Vec<Outcome>, Stood), StoreError> {
        self.kept.guard()?;
        let mut unit = self.store.begin().await?;
        let (outcomes, stood) = if draft.stands(&mut *unit).await? {
            (self.complete(&mut *unit, draft).await?, Stood::Yes)
        } else {
            (self.decide_again(&mut *unit, draft.wires).await?, Stood::No)
        };
        unit.commit().await?;
        Ok((outcomes, stood))
    }

    async fn complete(
        &self,
        unit: &mut dyn Unit,
        draft: Draft,
    ) -> Result<Vec<Outcome>, StoreError> {
        let Draft {
            registered,
            mut desk,
            sheet,
            mut outcomes,
            rest,
            ..
        } = draft;
        sheet.write(unit).await?;
        if let Some((waits, batches)) = rest {
            let later = self.decide_all(unit, &mut desk, registered, (Some(waits), batches));
            outcomes.extend(later.await?);
        }
        Ok(outcomes)
    }

    async fn decide_again(
        &self,
        unit: &mut dyn Unit,
        wires: Vec<WireBatch>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let registered = self.registrar.current(unit).await?;
        let (known, deployment) = (Arc::clone(&registered), self.registrar.deployment());
        let opening = tokio::task::spawn_blocking(move || {
            let opened = wires.into_iter().map(|wire| {
                let room = &mut Room::of_request();
                Ok((open(&known.registry, deployment, &wire, room)?, wire))
            });
            opened.collect::<Result<VecDeque<Arrived>, Outcome>>()
        });
        let Ok(Ok(batches)) = opening.await else {
            return Err(StoreError::Impossible("a batch that opens only once"));
        };
        let opened = batches.iter().map(|(opened, _)| opened);
        let day = self.clock.now().date().0;
        let mut desk = Desk::read(unit, opened, &Sheet::default(), day).await?;
        self.decide_all(unit, &mut desk, registered, (None, batches))
            .await
    }

    /// Decides batches within the transaction, after what waited for it, and writes them.
    async fn decide_all(
        &self,
        unit: &mut dyn Unit,
        desk: &mut Desk,
        mut registered: Arc<Registered>,
        (mut waits, mut batches): (Option<Decision>, VecDeque<Arrived>),
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::new();
        loop {
            let decision = if let Some(waits) = waits.take() {
                waits
            } else if let Some(next) = batches.pop_front() {
                self.decide(desk, &registered.registry, next)?
            } else {
                break;
            };
            let outcome = self.carry_out(unit, desk, decision).await?;
            if matches!(outcome, Outcome::Equivocation) {
                // Its device is suspended, from this batch on.
                registered = self.registrar.current(unit).await?;
            }
            outcomes.push(outcome);
            // Whoever only asks something is answered between two batches.
            tokio::task::yield_now().await;
        }
        desk.sheet().write(unit).await?;
        Ok(outcomes)
    }

    /// Does what only a transaction can do.
    async fn carry_out(
        &self,
        unit: &mut dyn Unit,
        desk: &mut Desk,
        decision: Decision,
    ) -> Result<Outcome, StoreError> {
        match decision {
            Decision::Made(outcome) => Ok(outcome),
            Decision::Used(sent) => {
                let (verified, wire) = *sent;
                // What it is compared with may be of this group.
                desk.sheet().write(unit).await?;
                let now = self.clock.now();
                self.seen_before(unit, &verified, &wire, now).await
            }
            Decision::Erases(outcome, journal, records) => {
                desk.sheet().write(unit).await?;
                erase(unit, journal, &records).await?;
                Ok(outcome)
            }
        }
    }

    fn decide(
        &self,
        desk: &mut Desk,
        registry: &Registry,
        (opened, wire): Arrived,
    ) -> Result<Decision, StoreError> {
        let Opened {
            signed,
            wanted,
            held: _held,
        } = opened;
        let made = |outcome| Ok(Decision::Made(outcome));
        let verified = match Verified::of(registry, signed) {
            Ok(verified) => verified,
            Err(unverified) => return made(refusal_of(unverified)),
        };
        let batch = &verified.parts().batch;
        let journal = batch.journal;
        match admit::place(
            batch,
            &desk.lane(batch),
            desk.head_at(journal, batch.seen.seq),
        ) {
            Ok(()) => {}
            Err(Unplaced::Gap { expected }) => return made(Outcome::Gap { expected }),
            Err(Unplaced::Forked) => return made(Outcome::Forked),
            Err(Unplaced::Used { .. } | Unplaced::Equivocation) => {
                return Ok(Decision::Used(Box::new((verified, wire))));
            }
        }
        let bytes = wire.packed_bytes() as u64;
        if desk.is_full(batch, bytes) {
            return made(Outcome::Quota {
                retry_after_s: QUOTA_RETRY_SECONDS,
            });
        }
        let now = self.clock.now();
        let circumstances = desk.circumstances(batch, &wanted, registry, &self.catalogues, now);
        let Ok(decided) = admit::admit(&verified, circumstances) else {
            return Err(StoreError::Impossible(
                "a lane that moved while its batch was decided",
            ));
        };
        let fates = &decided.entry().fates;
        let is_refused = fates.iter().any(Fate::is_refused);
        let used = Used {
            commands: u32::try_from(batch.envelopes.len()).unwrap_or(u32::MAX),
            bytes,
            refused_bytes: if is_refused { bytes } else { 0 },
        };
        let counted = batch
            .envelopes
            .iter()
            .zip(fates)
            .filter(|(_, fate)| fate.counts());
        let mut erased: BTreeSet<RecordId> = counted
            .flat_map(|(envelope, _)| admit::erases(envelope))
            .collect();
        // What was written before its author knew of an erasure goes the same way.
        let is_erased = |record: &RecordId| {
            let entry = decided.index().get(record);
            entry.is_some_and(|entry| entry.erased)
        };
        let late = batch.envelopes.iter().map(|envelope| envelope.record);
        erased.extend(late.filter(is_erased));
        let entered = Outcome::Entered {
            seq: decided.entry().seq,
            unusual: unusual(fates),
        };
        desk.take(decided, batch, wire, used);
        Ok(if erased.is_empty() {
            Decision::Made(entered)
        } else {
            Decision::Erases(entered, journal, erased)
        })
    }

    /// Under a used number: the same bytes get the fates that their entry holds; others are equivocation.
    async fn seen_before(
        &self,
        unit: &mut dyn Unit,
        verified: &Verified,
        wire: &WireBatch,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let (batch, digest) = (&verified.parts().batch, verified.digest());
        if let Some(entry) = unit
            .entry_of_lane(batch.journal, batch.device, batch.first())
            .await?
            && entry.batch == digest
        {
            return Ok(Outcome::Entered {
                seq: entry.seq,
                unusual: unusual(&entry.fates),
            });
        }
        unit.keep_equivocation(wire, digest, now).await?;
        let registered = self.registrar.current(unit).await?;
        if registered
            .registry
            .devices
            .get(&batch.device)
            .is_some_and(|device| device.standing == Standing::Active)
        {
            let suspended = RegistryAct::SetDevice {
                device: batch.device,
                standing: Standing::Suspended,
                cause: "equivocation".to_owned(),
            };
            self.registrar.enter(unit, &[suspended], None, now).await?;
            unit.end_device(batch.device, now).await?;
            tracing::warn!(device.id = %batch.device, "two batches were signed under one number; the device is suspended");
        }
        Ok(Outcome::Equivocation)
    }
}

/// Destroys the contents, salts and seeds of erased records: envelopes, fates and digests stay. The files that they named are noted, to
/// go as well.
pub(super) async fn erase(
    unit: &mut dyn Unit,
    journal: JournalId,
    records: &BTreeSet<RecordId>,
) -> Result<(), StoreError> {
    // What an erasure says of itself, its reason, stays.
    let gone =
        |envelope: &Envelope| records.contains(&envelope.record) && envelope.verb != Verb::Erase;
    let mut files = BTreeSet::new();
    for record in records {
        for entry in timeline::entries(unit, journal, *record).await? {
            let contents = entry
                .parts
                .batch
                .envelopes
                .iter()
                .zip(&entry.parts.contents);
            let contents = contents.filter(|(envelope, _)| gone(envelope));
            let values = contents
                .filter_map(|(_, salted)| salted.as_ref())
                .flat_map(|salted| salted.content.values.iter());
            files.extend(values.flat_map(|(_, value)| reach::digests(value)));
            let kept = entry.parts.withhold(|_, envelope| !gone(envelope));
            unit.replace_batch(journal, entry.head.seq, &kept.to_wire())
                .await?;
        }
    }
    unit.note_erased_files(journal, &files).await
}
