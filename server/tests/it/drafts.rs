//! A group of batches is decided while the one before is written; what comes in between is not passed over.

use std::sync::Arc;

use async_trait::async_trait;
use server::journals::admission::Admission;
use server::journals::kept::Kept;
use server::journals::registrar::Registrar;
use server::journals::writer::Writer;
use store::accounts::Session;
use store::{Reading, Store, StoreError, Unit};
use store_sqlite::SqliteStore;
use sync_core::admit::LaneEnd;
use sync_core::admit::codes::refused;
use sync_core::batch::{self, Sealing, Seed, Unsealed, WireBatch};
use sync_core::command::Envelope;
use sync_core::id::{RecordId, SessionId};
use sync_core::journal::Fate;
use sync_core::pack::Room;
use sync_core::registry::{RegistryAct, Standing};
use sync_core::sign::SigningKey;
use sync_core::sync::device::Intent;
use sync_core::sync::wire::Outcome;
use sync_core::value::Value;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::county::{County, JOURNAL, user};

/// A store in which nothing is written before it is let.
#[derive(Debug)]
struct Gate {
    store: SqliteStore,
    /// How often it was asked for a reading, and for a unit that writes.
    asked: watch::Sender<(usize, usize)>,
    open: Arc<Semaphore>,
}

#[async_trait]
impl Store for Gate {
    async fn read(&self) -> Result<Box<dyn Reading>, StoreError> {
        self.asked.send_modify(|(readings, _)| *readings += 1);
        self.store.read().await
    }

    async fn begin(&self) -> Result<Box<dyn Unit>, StoreError> {
        self.asked.send_modify(|(_, units)| *units += 1);
        self.open.acquire().await.unwrap().forget();
        self.store.begin().await
    }

    async fn session(&self, session: SessionId) -> Result<Option<Session>, StoreError> {
        self.store.session(session).await
    }

    async fn broken(&self) {
        self.store.broken().await;
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

/// A county, and a second door to its journals, behind the gate.
struct Gated {
    county: County,
    admission: Admission,
    asked: watch::Receiver<(usize, usize)>,
    open: Arc<Semaphore>,
}

impl Gated {
    async fn new() -> Self {
        let county = County::new().await;
        let app = &county.world.app;
        let folder = app.config().data_dir.clone();
        let store = SqliteStore::open(&folder.join("zhucun.db")).await.unwrap();
        let (log, deployment) = (app.log_key().public(), app.deployment());
        let kept = Kept::open(&folder, &log, deployment, &store).await;
        let kept = Arc::new(kept.unwrap());
        let operator = SigningKey::from_seed(*app.registrar().operator().to_seed());
        let registrar = Registrar::new(operator, app.random().clone(), Arc::clone(&kept));
        let mut reading = store.read().await.unwrap();
        registrar.current(&mut *reading).await.unwrap();
        drop(reading);
        let (asked, told) = watch::channel((0, 0));
        let open = Arc::new(Semaphore::new(0));
        let writer = Writer {
            store: Arc::new(Gate {
                store,
                asked,
                open: Arc::clone(&open),
            }),
            registrar: Arc::new(registrar),
            kept,
            catalogues: Arc::clone(app.catalogues()),
            clock: Arc::clone(&county.world.clock) as _,
        };
        Self {
            admission: Admission::start(writer),
            county,
            asked: told,
            open,
        }
    }

    /// What a phone saves, sealed in a batch of its own.
    fn batch(&mut self, name: &str, intent: Intent) -> (WireBatch, RecordId) {
        let record = self.county.save(name, intent);
        let now = self.county.now();
        let phone = self.county.phones.get_mut(name).unwrap();
        (phone.request(now).batches.pop().unwrap(), record)
    }

    fn send(&self, batch: &WireBatch) -> JoinHandle<Outcome> {
        let (admission, batch) = (self.admission.clone(), batch.clone());
        tokio::spawn(async move {
            let outcome = admission.admit(batch, &mut Room::of_request()).await;
            outcome.unwrap()
        })
    }

    /// Sends a batch, and returns once it is decided and waits to be written.
    async fn decided(&mut self, batch: &WireBatch) -> JoinHandle<Outcome> {
        let sent = self.send(batch);
        self.asked.wait_for(|(_, units)| *units == 1).await.unwrap();
        sent
    }

    /// The same of the batch after it, which is decided while the first one waits.
    async fn decided_next(&mut self, batch: &WireBatch) -> JoinHandle<Outcome> {
        let sent = self.send(batch);
        let read = self.asked.wait_for(|(readings, _)| *readings == 2);
        assert_eq!(read.await.unwrap().1, 1, "the first is not written");
        sent
    }

    /// What begins a batch, offered again by another phone of its author.
    async fn offered_by_another_phone(&self, own: &WireBatch) -> WireBatch {
        let key = SigningKey::from_seed([9; 32]);
        let enrolled = RegistryAct::Enrol {
            key: key.public(),
            user: user("fs"),
            label: "另一部手机".to_owned(),
        };
        self.county.enter(&[enrolled]).await;
        let parts = own.open().unwrap();
        let command = parts.command(0).unwrap();
        let envelope = Envelope {
            n: 1,
            origin: Some(parts.batch.origin(command.envelope.n)),
            ..command.envelope
        };
        let sealing = Sealing {
            deployment: self.county.world.app.deployment(),
            journal: JOURNAL,
            assignment: parts.batch.assignment,
            catalogue: parts.batch.catalogue,
            previous: LaneEnd::start(key.public().device(), JOURNAL).batch,
            seen: parts.batch.seen,
            at: parts.batch.sealed_at,
            seed: Seed([7; 16]),
            key: &key,
        };
        let content = command.content.unwrap();
        batch::seal(&sealing, vec![Unsealed { envelope, content }]).to_wire()
    }

    /// A household and what is set in it, in a batch each; both are decided, and nothing is written.
    async fn both_decided(&mut self) -> [JoinHandle<Outcome>; 2] {
        let (first, record) = self.batch("fs", household());
        let crop = Intent::set(record).with("crop", Value::text("马铃薯"));
        let (second, _) = self.batch("fs", crop);
        [self.decided(&first).await, self.decided_next(&second).await]
    }

    async fn suspend(&self, name: &str) {
        let suspended = RegistryAct::SetDevice {
            device: self.county.phones[name].device.id(),
            standing: Standing::Suspended,
            cause: "lost".to_owned(),
        };
        self.county.enter(&[suspended]).await;
    }
}

fn household() -> Intent {
    Intent::create("household").with("householder", Value::text("王五"))
}

fn entered(outcome: &Outcome) -> (u64, Vec<&Fate>) {
    let Outcome::Entered { seq, unusual } = outcome else {
        panic!("{outcome:?}");
    };
    (*seq, unusual.iter().map(|(_, fate)| fate).collect())
}

fn is_refused(outcome: &Outcome, code: &str) -> bool {
    let (_, fates) = entered(outcome);
    matches!(fates[..], [Fate::Refused(found, _)] if found == code)
}

#[tokio::test]
async fn what_the_registry_says_before_a_batch_is_written_holds_for_it() {
    let mut gated = Gated::new().await;
    let (batch, _) = gated.batch("fs", household());
    let sent = gated.decided(&batch).await;
    gated.suspend("fs").await;
    gated.open.add_permits(1);
    let outcome = sent.await.unwrap();
    assert!(
        is_refused(&outcome, refused::DEVICE_SUSPENDED),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_enters_a_journal_before_a_batch_is_written_stands_before_it() {
    let mut gated = Gated::new().await;
    let (first, _) = gated.batch("fs", household());
    let (second, _) = gated.batch("tm", household());
    let sent = gated.decided(&first).await;
    let other = gated.county.world.app.admission();
    let other = other.admit(second, &mut Room::of_request()).await.unwrap();
    gated.open.add_permits(1);
    let (before, _) = entered(&other);
    assert_eq!(entered(&sent.await.unwrap()), (before + 1, Vec::new()));
}

#[tokio::test]
async fn a_batch_is_decided_on_what_is_written_before_it() {
    let mut gated = Gated::new().await;
    let [first, second] = gated.both_decided().await;
    gated.open.add_permits(2);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let (seq, fates) = entered(&first);
    assert_eq!(fates, Vec::<&Fate>::new());
    assert_eq!(entered(&second), (seq + 1, Vec::new()));
}

#[tokio::test]
async fn what_was_decided_on_what_came_to_nothing_is_decided_again() {
    let mut gated = Gated::new().await;
    let sent = gated.both_decided().await;
    gated.suspend("fs").await;
    gated.open.add_permits(2);
    for sent in sent {
        let outcome = sent.await.unwrap();
        assert!(
            is_refused(&outcome, refused::DEVICE_SUSPENDED),
            "{outcome:?}"
        );
    }
    // What follows is decided in its turn again.
    let (third, _) = gated.batch("tm", household());
    gated.open.add_permits(1);
    assert_eq!(entered(&gated.send(&third).await.unwrap()).1.len(), 0);
}

#[tokio::test]
async fn a_batch_that_comes_again_while_it_is_written_gets_its_own_answer() {
    let mut gated = Gated::new().await;
    let (batch, _) = gated.batch("fs", household());
    let first = gated.decided(&batch).await;
    let again = gated.decided_next(&batch).await;
    gated.open.add_permits(2);
    let (first, again) = (first.await.unwrap(), again.await.unwrap());
    assert_eq!(entered(&first).1.len(), 0);
    assert_eq!(again, first);
}

#[tokio::test]
async fn what_another_lane_offered_is_known_when_its_own_brings_more() {
    for while_written in [false, true] {
        let mut gated = Gated::new().await;
        let record = gated.county.save("fs", household());
        let crop = Intent::set(record).with("crop", Value::text("马铃薯"));
        let (own, _) = gated.batch("fs", crop);
        let offered = gated.offered_by_another_phone(&own).await;
        let (offered, own) = if while_written {
            let offered = gated.decided(&offered).await;
            let own = gated.decided_next(&own).await;
            gated.open.add_permits(2);
            (offered.await.unwrap(), own.await.unwrap())
        } else {
            gated.open.add_permits(2);
            let offered = gated.send(&offered).await.unwrap();
            (offered, gated.send(&own).await.unwrap())
        };
        assert_eq!(entered(&offered).1.len(), 0);
        // Its creation is there already, and what comes after it counts.
        assert!(is_refused(&own, refused::ALREADY_RECEIVED), "{own:?}");
    }
}
