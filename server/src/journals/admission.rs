//! Admission in groups: one writer takes what waits, decides each batch in one transaction, and answers once that is durable.
//!
//! One fsync serves many phones. A batch that cannot be placed never sinks its neighbours, for it writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::journals::{Appended, Used};
use store::{Store, StoreError, Unit};
use sync_core::admit::{
    self, Catalogues, Circumstances, LaneEnd, Unplaced, Unverified, Verified, Wanted,
};
use sync_core::batch::{Malformed, Parts, WireBatch};
use sync_core::command::{Envelope, Verb};
use sync_core::id::{DeviceId, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::limits;
use sync_core::pack::{PackError, Room};
use sync_core::registry::{RegistryAct, Standing};
use sync_core::sync::wire::{Outcome, unusual};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::clock::Clock;
use crate::journals::kept::Kept;
use crate::journals::registrar::Registrar;

/// Batches that may wait; beyond that a phone is told to come again.
const WAITING_MAX: usize = 4_096;
/// Batches in one transaction.
const GROUP_MAX: usize = 128;
/// How soon a phone whose day is full may come again, at the most.
const QUOTA_RETRY_SECONDS: u32 = 3_600;

struct Waiting {
    parts: Parts,
    wire: WireBatch,
    answer: oneshot::Sender<Outcome>,
}

/// Something new is in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub journal: JournalId,
    /// Up to where.
    pub seq: Seq,
}

/// The door to the writer.
#[derive(Debug, Clone)]
pub struct Admission {
    queue: mpsc::Sender<Waiting>,
    moved: broadcast::Sender<Moved>,
}

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

fn unusable(code: &str) -> Outcome {
    Outcome::Unusable {
        code: code.to_owned(),
    }
}

impl Admission {
    /// Starts the writer; it ends with the last door.
    pub fn start(writer: Writer) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let (moved, _) = broadcast::channel(1_024);
        tokio::spawn(run(writer, waiting, moved.clone()));
        Self { queue, moved }
    }

    /// What moves from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Moved> {
        self.moved.subscribe()
    }

    /// Tells that a journal moved by another way than this door.
    pub fn poke(&self, moved: Moved) {
        // Nobody may be listening.
        let _listeners = self.moved.send(moved);
    }

    /// Admits a batch, unpacked within the room that its request has left; returns once what became of it is durable.
    pub async fn admit(&self, wire: WireBatch, room: &mut Room) -> Outcome {
        let mut left = core::mem::take(room);
        let opening = tokio::task::spawn_blocking(move || {
            let opened = wire.open_within(&mut left);
            (opened, left, wire)
        });
        // A panic while it was opened leaves no room to the rest of its request.
        let Ok((opened, left, wire)) = opening.await else {
            return unusable("malformed");
        };
        *room = left;
        let parts = match opened {
            Ok(parts) => parts,
            Err(Malformed::Pack(PackError::NoRoom)) => return Outcome::Busy,
            Err(_) => return unusable("malformed"),
        };
        let (answer, answered) = oneshot::channel();
        if self
            .queue
            .try_send(Waiting {
                parts,
                wire,
                answer,
            })
            .is_err()
        {
            return Outcome::Busy;
        }
        // The writer drops the answer when its transaction failed: nothing was acknowledged, and the same bytes can come again.
        answered.await.unwrap_or(Outcome::Busy)
    }
}

async fn run(
    writer: Writer,
    mut waiting: mpsc::Receiver<Waiting>,
    moved: broadcast::Sender<Moved>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        match writer.admit_group(&group).await {
            Ok(outcomes) => {
                for (Waiting { answer, parts, .. }, outcome) in group.drain(..).zip(outcomes) {
                    if let Outcome::Entered { seq, .. } = &outcome {
                        let _listeners = moved.send(Moved {
                            journal: parts.batch.journal,
                            seq: *seq,
                        });
                    }
                    // The phone may have gone; it will ask again.
                    let _gone = answer.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a group of batches was not admitted"
                );
                group.clear();
            }
        }
    }
}

impl Writer {
    async fn admit_group(&self, group: &[Waiting]) -> Result<Vec<Outcome>, StoreError> {
        self.kept.guard()?;
        let mut unit = self.store.begin().await?;
        let mut outcomes = Vec::with_capacity(group.len());
        for Waiting { parts, wire, .. } in group {
            outcomes.push(self.admit_one(&mut *unit, parts, wire).await?);
        }
        unit.commit().await?;
        Ok(outcomes)
    }

    async fn admit_one(
        &self,
        unit: &mut dyn Unit,
        parts: &Parts,
        wire: &WireBatch,
    ) -> Result<Outcome, StoreError> {
        let registered = self.registrar.current(unit).await?;
        let registry = &registered.registry;
        let verified = match Verified::check(registry, parts.clone()) {
            Ok(verified) => verified,
            Err(Unverified::UnknownDevice) => return Ok(unusable("unknown_device")),
            Err(Unverified::UnknownJournal) => return Ok(unusable("unknown_journal")),
            Err(Unverified::BadSignature) => return Ok(unusable("bad_signature")),
        };
        let (batch, now) = (&parts.batch, self.clock.now());
        let (journal, device) = (batch.journal, batch.device);
        let wanted = Wanted::by(batch);
        let at: BTreeSet<Seq> = wanted
            .bases
            .iter()
            .copied()
            .chain([batch.seen.seq])
            .collect();
        let heads = unit.heads(journal, &at).await?;
        let lane = unit
            .lane(journal, device)
            .await?
            .unwrap_or_else(|| LaneEnd::start(device, journal));
        let head_at_seen = heads.get(&batch.seen.seq).map(|(head, _)| *head);
        match admit::place(batch, &lane, head_at_seen) {
            Ok(()) => {}
            Err(Unplaced::Gap { expected }) => return Ok(Outcome::Gap { expected }),
            Err(Unplaced::Forked) => return Ok(Outcome::Forked),
            Err(Unplaced::Used { .. } | Unplaced::Equivocation) => {
                return self.seen_before(unit, parts, wire, now).await;
            }
        }
        let day = now.date().0;
        let bytes = wire.packed_bytes() as u64;
        let used = unit.used(journal, device, day).await?;
        if is_full(&used, batch.envelopes.len(), bytes) {
            return Ok(Outcome::Quota {
                retry_after_s: QUOTA_RETRY_SECONDS,
            });
        }
        let mut index = unit.index(journal, &wanted.records).await?;
        index.extend(unit.index(journal, &Wanted::linked(&index)).await?);
        let mut offered: BTreeMap<_, BTreeSet<DeviceId>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (origin, lane, counts) in unit.offers(journal, &wanted.origins).await? {
            offered.entry(origin).or_default().insert(lane);
            taken.extend(counts.then_some(origin));
        }
        let circumstances = Circumstances {
            registry,
            catalogues: &self.catalogues,
            chain: unit
                .chain(journal)
                .await?
                .unwrap_or_else(|| Chain::start(journal)),
            lane,
            head_at_seen,
            received: heads
                .into_iter()
                .map(|(seq, (_, at))| (seq, at))
                .filter(|(seq, _)| wanted.bases.contains(seq))
                .collect(),
            lane_fates: unit.fates(journal, device, &wanted.lane).await?,
            taken,
            offered,
            index,
            now,
        };
        let Ok(decided) = admit::admit(&verified, circumstances) else {
            return Err(StoreError::Impossible(
                "a lane that moved within a transaction",
            ));
        };
        let fates = &decided.entry().fates;
        let refused = if fates.iter().any(Fate::is_refused) {
            bytes
        } else {
            0
        };
        let commands = u32::try_from(batch.envelopes.len()).unwrap_or(u32::MAX);
        unit.append(&Appended::judged(&decided, batch, wire.clone()))
            .await?;
        unit.add_used(
            journal,
            device,
            day,
            Used {
                commands,
                bytes,
                refused_bytes: refused,
            },
        )
        .await?;
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
        erase(unit, journal, &erased).await?;
        Ok(Outcome::Entered {
            seq: decided.entry().seq,
            unusual: unusual(fates),
        })
    }

    /// Under a used number: the same bytes get the fates that their entry holds; others are equivocation.
    async fn seen_before(
        &self,
        unit: &mut dyn Unit,
        parts: &Parts,
        wire: &WireBatch,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let batch = &parts.batch;
        let digest = batch.digest(self.registrar.deployment());
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

fn is_full(used: &Used, commands: usize, bytes: u64) -> bool {
    let commands = u32::try_from(commands).unwrap_or(u32::MAX);
    used.commands.saturating_add(commands) > limits::DEVICE_DAY_COMMANDS_MAX
        || used.bytes.saturating_add(bytes) > limits::DEVICE_DAY_BYTES_MAX
        || used.refused_bytes > limits::DEVICE_DAY_REFUSED_BYTES_MAX
}

/// Destroys the contents, salts and seeds of erased records: envelopes, fates and digests stay.
async fn erase(
    unit: &mut dyn Unit,
    journal: JournalId,
    records: &BTreeSet<RecordId>,
) -> Result<(), StoreError> {
    // What an erasure says of itself, its reason, stays.
    let gone =
        |envelope: &Envelope| records.contains(&envelope.record) && envelope.verb != Verb::Erase;
    for record in records {
        for (stored, _) in unit.mentions(journal, *record).await? {
            let parts = stored
                .batch
                .open()
                .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
            let kept = parts.withhold(|_, envelope| !gone(envelope));
            unit.replace_batch(journal, stored.head.seq, &kept.to_wire())
                .await?;
        }
    }
    Ok(())
}
