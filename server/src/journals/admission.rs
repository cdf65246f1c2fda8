//! Admission in groups: one writer takes what waits, decides it in one transaction, and answers once that is durable.
//!
//! One fsync serves many phones, and so does each query: what a group asks about lies on the desk before its first batch is
//! decided. A batch that cannot be placed never sinks its neighbours, for it writes nothing.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store::journals::Used;
use store::{Store, StoreError, Unit};
use sync_core::admit::{self, Catalogues, Signed, Unplaced, Unverified, Verified, Wanted};
use sync_core::batch::{Malformed, WireBatch};
use sync_core::command::{Envelope, Verb};
use sync_core::id::{DeploymentId, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::Fate;
use sync_core::pack::{PackError, Room};
use sync_core::registry::{Registry, RegistryAct, Standing};
use sync_core::sync::wire::{Outcome, unusual};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot};

use crate::clock::Clock;
use crate::files::reach;
use crate::journals::desk::Desk;
use crate::journals::kept::Kept;
use crate::journals::registrar::Registrar;
use crate::journals::timeline;

/// Batches that may wait; beyond that a phone is told to come again.
const WAITING_MAX: usize = 4_096;
/// What batches that wait for the writer hold, before it is unpacked into values that take many times as much: two groups of honest
/// ones, so that the next is opened while the writer decides one.
const HELD_BYTES_MAX: usize = 2 * 1024 * 1024;
const HELD_UNIT: usize = 1024;
/// Batches in one transaction.
const GROUP_MAX: usize = 32;
/// How soon a phone whose day is full may come again, at the most.
const QUOTA_RETRY_SECONDS: u32 = 3_600;

/// A batch, unpacked, its signature checked, and what deciding it asks about.
pub(super) struct Opened {
    pub(super) signed: Signed,
    pub(super) wanted: Wanted,
}

struct Waiting {
    opened: Opened,
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
    at_work: Arc<AtWork>,
}

/// How many batches are being admitted, for what gives way to them.
#[derive(Debug, Default)]
struct AtWork {
    batches: AtomicUsize,
    none: Notify,
}

/// One of them, until it is dropped.
struct Working<'a>(&'a AtWork);

impl AtWork {
    fn begin(&self) -> Working<'_> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        Working(self)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if self.0.batches.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
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
            at_work: Arc::default(),
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

    /// Returns once no batch is being admitted, or after so long: what can wait gives way, and still comes forward.
    pub async fn rests(&self, at_most: Duration) {
        let resting = async {
            loop {
                let none = self.at_work.none.notified();
                if self.at_work.batches.load(Ordering::SeqCst) == 0 {
                    return;
                }
                none.await;
            }
        };
        // Either way it is time.
        let _in_time = tokio::time::timeout(at_most, resting).await;
    }

    /// Admits a batch, unpacked within the room that its request has left; returns once what became of it is durable.
    pub async fn admit(&self, wire: WireBatch, room: &mut Room) -> Result<Outcome, StoreError> {
        let mut registered = self.registrar.as_last_read();
        if !registered.registry.devices.contains_key(&wire.device) {
            let mut reading = self.store.read().await?;
            registered = self.registrar.current(&mut *reading).await?;
        }
        let _working = self.at_work.begin();
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
        let opened = match opened {
            Ok(opened) => opened,
            Err(outcome) => return Ok(outcome),
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            opened,
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
) -> Result<Opened, Outcome> {
    let parts = match wire.open_within(room) {
        Ok(parts) => parts,
        Err(Malformed::Pack(PackError::NoRoom)) => return Err(Outcome::Busy),
        Err(_) => return Err(unusable("malformed")),
    };
    let device = registry.devices.get(&parts.batch.device);
    let key = &device
        .ok_or_else(|| refusal_of(Unverified::UnknownDevice))?
        .key;
    let signed = Signed::check(deployment, key, parts).map_err(refusal_of)?;
    let wanted = Wanted::by(&signed.parts().batch);
    Ok(Opened { signed, wanted })
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
            opened,
            wire,
            answer,
        } in group.drain(..)
        {
            answers.push((wire.journal, answer));
            batches.push((opened, wire));
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
        batches: Vec<(Opened, WireBatch)>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.kept.guard()?;
        let mut unit = self.store.begin().await?;
        let mut outcomes = Vec::with_capacity(batches.len());
        let mut registered = self.registrar.current(&mut *unit).await?;
        let now = self.clock.now();
        let asked = batches.iter().map(|(opened, _)| opened);
        let mut desk = Desk::read(&mut *unit, asked, now.date().0).await?;
        for (opened, wire) in batches {
            let outcome = self
                .admit_one(&mut *unit, &mut desk, &registered.registry, opened, wire)
                .await?;
            if matches!(outcome, Outcome::Equivocation) {
                // Its device is suspended, from this batch on.
                registered = self.registrar.current(&mut *unit).await?;
            }
            outcomes.push(outcome);
            // Whoever only asks something is answered between two batches.
            tokio::task::yield_now().await;
        }
        desk.write(&mut *unit).await?;
        unit.commit().await?;
        Ok(outcomes)
    }

    async fn admit_one(
        &self,
        unit: &mut dyn Unit,
        desk: &mut Desk,
        registry: &Registry,
        Opened { signed, wanted }: Opened,
        wire: WireBatch,
    ) -> Result<Outcome, StoreError> {
        let verified = match Verified::of(registry, signed) {
            Ok(verified) => verified,
            Err(unverified) => return Ok(refusal_of(unverified)),
        };
        let parts = verified.parts();
        let (batch, now) = (&parts.batch, self.clock.now());
        let journal = batch.journal;
        match admit::place(
            batch,
            &desk.lane(batch),
            desk.head_at(journal, batch.seen.seq),
        ) {
            Ok(()) => {}
            Err(Unplaced::Gap { expected }) => return Ok(Outcome::Gap { expected }),
            Err(Unplaced::Forked) => return Ok(Outcome::Forked),
            Err(Unplaced::Used { .. } | Unplaced::Equivocation) => {
                // What it is compared with may be of this group.
                desk.write(unit).await?;
                return self.seen_before(unit, &verified, &wire, now).await;
            }
        }
        let bytes = wire.packed_bytes() as u64;
        if desk.is_full(batch, bytes) {
            return Ok(Outcome::Quota {
                retry_after_s: QUOTA_RETRY_SECONDS,
            });
        }
        let circumstances = desk.circumstances(batch, &wanted, registry, &self.catalogues, now);
        let Ok(decided) = admit::admit(&verified, circumstances) else {
            return Err(StoreError::Impossible(
                "a lane that moved within a transaction",
            ));
        };
        let fates = &decided.entry().fates;
        let is_refused = fates.iter().any(Fate::is_refused);
        let used = Used {
            commands: u32::try_from(batch.envelopes.len()).unwrap_or(u32::MAX),
            bytes,
            refused_bytes: if is_refused { bytes } else { 0 },
        };
        desk.take(&decided, batch, wire, used);
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
        if !erased.is_empty() {
            desk.write(unit).await?;
            erase(unit, journal, &erased).await?;
        }
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
