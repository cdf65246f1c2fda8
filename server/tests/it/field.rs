//! A village's phones in the hands of a test, and what a server told them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use axum::http::Method;
use server::clock::{Clock as _, SystemClock};
use server::journals::{fold, publish};
use store::Store as _;
use store_sqlite::SqliteStore;
use sync_core::audit::{Bundle, verify};
use sync_core::batch::WireBatch;
use sync_core::id::{DeviceId, RecordId, Timestamp};
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::Intent;
use sync_core::sync::wire::{Outcome, SyncRequest, unusual};
use sync_core::testing::Phone;
use sync_core::value::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Notify;

use crate::county::{COUNTY, County, JOURNAL, user};
use crate::program::exchange;
use crate::world::{World, request};

pub(crate) const PHONES: [&str; 2] = ["fs", "tm"];

/// What the server said of a batch, which it must say for ever.
pub(crate) type Acknowledged = BTreeMap<(DeviceId, u64), (WireBatch, Outcome)>;

/// A village's phones, and the folder of a server that nobody runs yet.
pub(crate) struct Field {
    pub(crate) folder: TempDir,
    pub(crate) phones: BTreeMap<&'static str, Phone>,
    pub(crate) tokens: BTreeMap<&'static str, String>,
    household: RecordId,
    pub(crate) acknowledged: Acknowledged,
}

pub(crate) fn now() -> Timestamp {
    SystemClock::start().now()
}

/// Returns once this process has no file of a folder open. What is closed is closed in the background; until then it shares an index of
/// the log with the program, which would survive the program and describe what a cut of power took.
async fn nobody_here_has_open(folder: &Path) {
    let folder = folder.canonicalize().unwrap();
    let is_open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let mut files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        files.any(|file| file.starts_with(&folder))
    };
    while is_open() {
        tokio::task::yield_now().await;
    }
}

impl Field {
    pub(crate) async fn new() -> Self {
        let mut county = County::of(World::today().await).await;
        county.phones.retain(|name, _| PHONES.contains(name));
        let mut tokens = BTreeMap::new();
        for name in PHONES {
            let device = county.phones[name].device.id();
            tokens.insert(name, county.token(user(name), Some(device)).await);
        }
        let folder = county.world.leave();
        nobody_here_has_open(folder.path()).await;
        Self {
            phones: county.phones,
            household: county.household,
            folder,
            tokens,
            acknowledged: Acknowledged::new(),
        }
    }

    /// Has a phone save something.
    pub(crate) fn save(&mut self, name: &str, note: &str) {
        let household = Intent::create("household").with("householder", Value::text(note));
        let change = Intent::set(self.household).with("crop", Value::text(note));
        let phone = self.phones.get_mut(name).unwrap();
        for intent in [household, change] {
            // A field with two values is written by its chooser alone; what a phone will not save, nobody promised.
            let _saved = phone.save(JOURNAL, None, intent, now());
        }
    }

    pub(crate) fn requests(&mut self) -> Vec<(&'static str, SyncRequest)> {
        let requests = self.phones.iter_mut();
        requests
            .map(|(name, phone)| (*name, phone.request(now())))
            .collect()
    }

    /// Both phones sync at once; what is answered is taken in. Whether both were answered.
    pub(crate) async fn sync(&mut self, address: SocketAddr) -> bool {
        let requests = self.requests();
        self.sync_while(address, &requests, &Notify::new(), async {})
            .await
    }

    pub(crate) async fn sync_while(
        &mut self,
        address: SocketAddr,
        requests: &[(&'static str, SyncRequest)],
        answered: &Notify,
        other: impl Future<Output = ()>,
    ) -> bool {
        let exchanges = requests.iter().map(async |(name, request)| {
            let answer = exchange(address, &self.tokens[name], request).await;
            answered.notify_one();
            answer
        });
        let (answers, ()) = tokio::join!(futures::future::join_all(exchanges), other);
        let all = answers.iter().all(Option::is_some);
        for ((name, request), answer) in requests.iter().zip(answers) {
            let Some(answer) = answer else { continue };
            for (batch, receipt) in request.batches.iter().zip(&answer.receipts) {
                if let Outcome::Entered { .. } = &receipt.outcome {
                    let told = (batch.clone(), receipt.outcome.clone());
                    self.acknowledged.insert((batch.device, batch.first), told);
                }
            }
            let phone = self.phones.get_mut(name).unwrap();
            phone.take(&answer, now()).expect("an honest server");
        }
        all
    }

    /// Which of what was acknowledged is not in the database as it was told.
    ///
    /// Asked before anything is sent again: a server that lost a batch would take it as new, and say the same of it.
    pub(crate) async fn lost(&self) -> Vec<(DeviceId, u64)> {
        let path = self.folder.path().join("data/zhucun.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let mut unit = store.read().await.unwrap();
        let mut lost = Vec::new();
        for ((device, first), (batch, outcome)) in &self.acknowledged {
            let entry = unit.entry_of_lane(JOURNAL, *device, *first).await.unwrap();
            let told = entry.as_ref().map(|entry| Outcome::Entered {
                seq: entry.seq,
                unusual: unusual(&entry.fates),
            });
            let stored = match &entry {
                Some(entry) => unit.entries(JOURNAL, entry.seq - 1, 1).await.unwrap(),
                None => Vec::new(),
            };
            let same = stored.first().is_some_and(|stored| {
                stored.batch.envelopes == batch.envelopes && stored.batch.streams == batch.streams
            });
            if told.as_ref() != Some(outcome) || !same {
                lost.push((*device, *first));
            }
        }
        drop((unit, store));
        nobody_here_has_open(self.folder.path()).await;
        lost
    }

    /// Sends all that was acknowledged again, and compares what is said of it.
    pub(crate) async fn check_acknowledged(&self, address: SocketAddr) {
        for name in PHONES {
            let device = self.phones[name].device.id();
            let own = self.acknowledged.range((device, 0)..=(device, u64::MAX));
            let (batches, outcomes): (Vec<_>, Vec<_>) = own.map(|(_, told)| told.clone()).collect();
            for (batches, outcomes) in batches.chunks(200).zip(outcomes.chunks(200)) {
                let request = SyncRequest {
                    protocol: PROTOCOL,
                    cursors: Vec::new(),
                    registry: 0,
                    batches: batches.to_vec(),
                    carried: Vec::new(),
                    budget_bytes: 0,
                    checkpoint: 0,
                };
                let answer = exchange(address, &self.tokens[name], &request).await;
                let receipts = answer.expect("it serves").receipts;
                let said: Vec<_> = receipts
                    .into_iter()
                    .map(|receipt| receipt.outcome)
                    .collect();
                assert_eq!(said, outcomes, "{name}");
            }
        }
    }

    /// Has both phones sync until they have nothing left to send.
    pub(crate) async fn sync_all(&mut self, address: SocketAddr) {
        while self
            .phones
            .values()
            .any(|phone| !phone.device.unsent().is_empty())
        {
            self.sync(address).await;
        }
    }

    /// Draws up the folder's bundle, and verifies it; then by the program, as an auditor does.
    pub(crate) async fn check_bundle(self) {
        let world = World::again(self.folder).await;
        let app = &world.app;
        fold::fold_all(app.store(), app.catalogues(), app.deployment())
            .await
            .unwrap();
        publish::publish(app).await.unwrap();
        let token = world.token(user("pa"), None).await;
        let path = format!("/v1/audit/bundle?area={COUNTY}");
        let drawn = request(&Method::GET, &path, Some(&token), None);
        let (status, bytes) = world.send_bytes(drawn).await;
        assert!(status.is_success(), "{status}");
        let bundle = Bundle::from_bytes(&bytes).unwrap();
        let report = verify(&bundle, None);
        assert!(report.holds(), "{:?}", report.findings);

        let part = (bundle.journals.iter()).find(|part| part.journal == JOURNAL);
        let entries = part.expect("the village's journal").entries.len();
        assert!(entries >= self.acknowledged.len() && !self.acknowledged.is_empty());

        let folder = world.leave();
        let file = folder.path().join("bundle");
        std::fs::write(&file, &bytes).unwrap();
        let mut verifier = Command::new(env!("CARGO_BIN_EXE_zhucun"));
        let verified = verifier.args(["audit", "verify"]).arg(&file).output();
        let verified = verified.await.unwrap();
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stdout)
        );
    }
}
