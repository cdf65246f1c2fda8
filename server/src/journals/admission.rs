//! Admission in groups: one writer takes what waits, decides each batch in one transaction, and answers once that is durable.
//!
//! One fsync serves many phones. A batch that cannot be placed never sinks its neighbours, for it writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;

use store::journals::{Appended, Used};
use store::{Store, StoreError, Unit};
use sync_core::admit::{
    self, Catalogues, Circumstances, LaneEnd, Signed, Unplaced, Unverified, Verified, Wanted,
};
use sync_core::batch::{Malformed, WireBatch};
use sync_core::command::{Envelope, Verb};
use sync_core::id::{DeploymentId, DeviceId, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::limits;
use sync_core::pack::{PackError, Room};
use sync_core::registry::{Registry, RegistryAct, Standing};
use sync_core::sync::wire::{Outcome, unusual};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};

use crate::clock::Clock;
use crate::journals::kept::Kept;
use crate::journals::registrar::Registrar;
use crate::journals::timeline;

/// Batches that may wait; beyond that a phone is told to come again.
const WAITING_MAX: usize = 4_096;
/// What batches that wait for the writer take unpacked: hundreds of honest ones.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;
const HELD_UNIT: usize = 1024;
/// Batches in one transaction.
const GROUP_MAX: usize = 128;
/// How soon a phone whose day is full may come again, at the most.
const QUOTA_RETRY_SECONDS: u32 = 3_600;

struct Waiting {
    signed: Signed,
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
    store: Arc<dyn Store>,
    registrar: Arc<Registrar>,
    /// Batches that may be unpacked and verified at one time: as many as there are processors, so that what waits takes the memory of
    /// what was sent and no more.
    opening: Arc<Semaphore>,
    /// How much may be unpacked and wait for the writer.
    held: Arc<Semaphore>,
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
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let door = Self {
            queue,
            moved: moved.clone(),
            store: Arc::clone(&writer.store),
            registrar: Arc::clone(&writer.registrar),
            opening: Arc::new(Semaphore::new(processors)),
            held: Arc::new(Semaphore::new(HELD_BYTES_MAX / HELD_UNIT)),
        };
        tokio::spawn(run(writer, waiting, moved));
        door
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
    pub async fn admit(&self, wire: WireBatch, room: &mut Room) -> Result<Outcome, StoreError> {
        let mut registered = self.registrar.as_last_read();
        if !registered.registry.devices.contains_key(&wire.device) {
            let mut reading = self.store.read().await?;
            registered = self.registrar.current(&mut *reading).await?;
        }
        let deployment = self.registrar.deployment();
        let mut left = core::mem::take(room);
        let before = left.left();
        let turn = self.opening.acquire().await;
        let opening = tokio::task::spawn_blocking(move || {
            let opened = open(&registered.registry, deployment, &wire, &mut left);
            (opened, left, wire)
        });
        // A panic while it was opened leaves no room to the rest of its request.
        let Ok((opened, left, wire)) = opening.await else {
            return Ok(unusable("malformed"));
        };
        *room = left;
        // Whoever finds no room keeps his turn: no more is unpacked until there is.
        let units = (before - room.left()).div_ceil(HELD_UNIT).max(1);
        let units = u32::try_from(units.min(HELD_BYTES_MAX / HELD_UNIT)).unwrap_or(1);
        let _held = self.held.acquire_many(units).await;
        drop(turn);
        let signed = match opened {
            Ok(signed) => signed,
            Err(outcome) => return Ok(outcome),
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            signed,
            wire,
            answer,
        };
        if self.queue.try_send(waiting).is_err() {
            return Ok(Outcome::Busy);
        }
        // The writer drops the answer when its transaction failed: nothing was acknowledged, and the same bytes can come again.
        Ok(answered.await.unwrap_or(Outcome::Busy))
    }
}

/// Unpacks a batch and checks who signed: what needs no transaction, and most of what a batch costs.
fn open(
    registry: &Registry,
    deployment: DeploymentId,
    wire: &WireBatch,
    room: &mut Room,
) -> Result<Signed, Outcome> {
    let parts = match wire.open_within(room) {
        Ok(parts) => parts,
        Err(Malformed::Pack(PackError::NoRoom)) => return Err(Outcome::Busy),
        Err(_) => return Err(unusable("malformed")),
    };
    let device = registry.devices.get(&parts.batch.device);
    let key = &device
        .ok_or_else(|| refusal_of(Unverified::UnknownDevice))?
        .key;
    Signed::check(deployment, key, parts).map_err(refusal_of)
}

fn refusal_of(unverified: Unverified) -> Outcome {
    unusable(match unverified {
        Unverified::UnknownDevice => "unknown_device",
        Unverified::UnknownJournal => "unknown_journal",
        Unverified::BadSignature => "bad_signature",
    })
}

async fn run(
    writer: Writer,
    mut waiting: mpsc::Receiver<Waiting>,
    moved: broadcast::Sender<Moved>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        let (mut batches, mut answers) = (Vec::new(), Vec::new());
        for Waiting {
            signed,
            wire,
            answer,
        } in group.drain(..)
        {
            answers.push((wire.journal, answer));
            batches.push((signed, wire));
        }
        match writer.admit_group(batches).await {
            Ok(outcomes) => {
                for ((journal, answer), outcome) in answers.into_iter().zip(outcomes) {
                    if let Outcome::Entered { seq, .. } = &outcome {
                        let seq = *seq;
                        let _listeners = moved.send(Moved { journal, seq });
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
            }
        }
    }
}

impl Writer {
    async fn admit_group(
        &self,
        batches: Vec<(Signed, WireBatch)>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.kept.guard()?;
        let mut unit = self.store.begin().await?;
        let mut outcomes = Vec::with_capacity(batches.len());
        let mut registered = self.registrar.current(&mut *unit).await?;
        for (signed, wire) in batches {
            let outcome = self
                .admit_one(&mut *unit, &registered.registry, signed, &wire)
                .await?;
            if matches!(outcome, Outcome::Equivocation) {
                // Its device is suspended, from this batch on.
                registered = self.registrar.current(&mut *unit).await?;
            }
            outcomes.push(outcome);
        }
        unit.commit().await?;
        Ok(outcomes)
    }

    async fn admit_one(
        &self,
        unit: &mut dyn Unit,
        registry: &Registry,
        signed: Signed,
        wire: &WireBatch,
    ) -> Result<Outcome, StoreError> {
        let verified = match Verified::of(registry, signed) {
            Ok(verified) => verified,
            Err(unverified) => return Ok(refusal_of(unverified)),
        };
        let parts = verified.parts();
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
                return self.seen_before(unit, &verified, wire, now).await;
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

fn is_full(used: &Used, commands: usize, bytes: u64) -> bool {
    let commands = u32::try_from(commands).unwrap_or(u32::MAX);
    used.commands.saturating_add(commands) > limits::DEVICE_DAY_COMMANDS_MAX
        || used.bytes.saturating_add(bytes) > limits::DEVICE_DAY_BYTES_MAX
        || used.refused_bytes > limits::DEVICE_DAY_REFUSED_BYTES_MAX
}

/// Destroys the contents, salts and seeds of erased records: envelopes, fates and digests stay.
pub(super) async fn erase(
    unit: &mut dyn Unit,
    journal: JournalId,
    records: &BTreeSet<RecordId>,
) -> Result<(), StoreError> {
    // What an erasure says of itself, its reason, stays.
    let gone =
        |envelope: &Envelope| records.contains(&envelope.record) && envelope.verb != Verb::Erase;
    for record in records {
        for entry in timeline::entries(unit, journal, *record).await? {
            let kept = entry.parts.withhold(|_, envelope| !gone(envelope));
            unit.replace_batch(journal, entry.head.seq, &kept.to_wire())
                .await?;
        }
    }
    Ok(())
}
