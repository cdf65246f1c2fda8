//! Admission in groups: one writer takes what waits, decides it, writes it in one transaction, and answers once that is durable.
//!
//! One fsync serves many phones, and so does each query: what a group asks about lies on the desk before its first batch is
//! decided. A batch that cannot be placed never sinks its neighbours, for it writes nothing. While one group is written the next is
//! decided ([`super::writer`]).

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use store::{Store, StoreError};
use sync_core::admit::{Signed, Unverified, Wanted};
use sync_core::batch::{Malformed, WireBatch};
use sync_core::id::{DeploymentId, JournalId, Seq};
use sync_core::pack::{PackError, Room};
use sync_core::registry::Registry;
use sync_core::sync::wire::Outcome;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::journals::desk::Sheet;
use crate::journals::registrar::Registrar;
use crate::journals::writer::{Draft, Stood, Writer};

/// Batches that may wait; beyond that a phone is told to come again.
const WAITING_MAX: usize = 4_096;
/// What batches that wait to be decided hold, before it is unpacked into values that take many times as much: two groups of honest
/// ones, so that the next is opened while the writer decides one.
const HELD_BYTES_MAX: usize = 2 * 1024 * 1024;
const HELD_UNIT: usize = 1024;
/// Batches in one transaction.
const GROUP_MAX: usize = 32;

/// A batch, unpacked, its signature checked, and what deciding it asks about.
pub(super) struct Opened {
    pub(super) signed: Signed,
    pub(super) wanted: Wanted,
    /// Its part of what may be unpacked at one time.
    pub(super) held: Option<OwnedSemaphorePermit>,
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
        let held = Arc::clone(&self.held).acquire_many_owned(units).await.ok();
        drop(turn);
        let opened = match opened {
            Ok(opened) => Opened { held, ..opened },
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
pub(super) fn open(
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
    Ok(Opened {
        signed,
        wanted,
        held: None,
    })
}

pub(super) fn refusal_of(unverified: Unverified) -> Outcome {
    unusable(match unverified {
        Unverified::UnknownDevice => "unknown_device",
        Unverified::UnknownJournal => "unknown_journal",
        Unverified::BadSignature => "bad_signature",
    })
}

/// Decides one group while the one before is written.
async fn run(
    writer: Writer,
    mut waiting: mpsc::Receiver<Waiting>,
    moved: broadcast::Sender<Moved>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    // What is being written, and by whom.
    let mut before: (Arc<Sheet>, Option<JoinHandle<Stood>>) = Default::default();
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
        let (sheet, writing) = core::mem::take(&mut before);
        let draft = writer.draft(batches, &sheet).await;
        let stood = match writing {
            Some(writing) => writing.await.unwrap_or(Stood::No),
            None => Stood::Yes,
        };
        let draft = match draft {
            Ok(draft) => draft,
            Err(error) => {
                not_admitted(&error);
                continue;
            }
        };
        let (sheet, whole) = (Arc::clone(draft.sheet()), draft.is_whole());
        let writing = tokio::spawn(write(writer.clone(), draft, answers, moved.clone()));
        if stood == Stood::Yes && whole {
            before = (sheet, Some(writing));
        } else {
            // What comes of it is not on its sheet: the next is decided on what is written.
            let _stood = writing.await;
        }
    }
    if let (_, Some(writing)) = before {
        let _stood = writing.await;
    }
}

/// Writes a group and answers it.
async fn write(
    writer: Writer,
    draft: Draft,
    answers: Vec<(JournalId, oneshot::Sender<Outcome>)>,
    moved: broadcast::Sender<Moved>,
) -> Stood {
    match writer.write(draft).await {
        Ok((outcomes, stood)) => {
            for ((journal, answer), outcome) in answers.into_iter().zip(outcomes) {
                if let Outcome::Entered { seq, .. } = &outcome {
                    let seq = *seq;
                    let _listeners = moved.send(Moved { journal, seq });
                }
                // The phone may have gone; it will ask again.
                let _gone = answer.send(outcome);
            }
            stood
        }
        Err(error) => {
            not_admitted(&error);
            Stood::No
        }
    }
}

fn not_admitted(error: &StoreError) {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a group of batches was not admitted"
    );
}
