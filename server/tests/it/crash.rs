//! The real program over a real folder: killed at any moment, and out of space. What it acknowledged is there.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use axum::http::Method;
use server::clock::{Clock as _, SystemClock};
use server::journals::{fold, publish};
use server::random::Random;
use sync_core::audit::{Bundle, verify};
use sync_core::batch::WireBatch;
use sync_core::cbor;
use sync_core::id::{DeviceId, RecordId, Timestamp};
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::Intent;
use sync_core::sync::wire::{Outcome, SyncRequest, SyncResponse};
use sync_core::testing::{Phone, TestRng};
use sync_core::value::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::county::{COUNTY, County, JOURNAL, user};
use crate::world::{World, request};

const PHONES: [&str; 2] = ["fs", "tm"];

/// What the server said of a batch, which it must say for ever.
type Acknowledged = BTreeMap<(DeviceId, u64), (WireBatch, Outcome)>;

/// A village's phones, and the folder of a server that nobody runs yet.
struct Field {
    folder: TempDir,
    phones: BTreeMap<&'static str, Phone>,
    tokens: BTreeMap<&'static str, String>,
    household: RecordId,
    acknowledged: Acknowledged,
}

/// The program, serving.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts the program and waits until it says where it listens.
    async fn start(folder: &Path) -> Self {
        Self::run(
            Command::new(env!("CARGO_BIN_EXE_zhucun"))
                .arg("--data-dir")
                .arg(folder.join("data"))
                .args(["--listen", "127.0.0.1:0", "serve"]),
        )
        .await
    }

    /// The same, with so much room in each of its files and no more.
    async fn start_in(folder: &Path, blocks: u64) -> Self {
        let data = folder.join("data");
        let script =
            r#"trap '' XFSZ; ulimit -f "$1"; exec "$2" --data-dir "$3" --listen 127.0.0.1:0 serve"#;
        Self::run(
            Command::new("bash")
                .args(["-c", script, "bash", &blocks.to_string()])
                .arg(env!("CARGO_BIN_EXE_zhucun"))
                .arg(data),
        )
        .await
    }

    async fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.next_line().await.unwrap().expect("it starts");
        let address = line.strip_prefix("listening on http://").expect("where");
        Self {
            address: address.parse().unwrap(),
            child,
        }
    }

    async fn end(mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }
}

/// Syncs over a connection of its own; nothing if the server was gone before it had answered.
async fn exchange(address: SocketAddr, token: &str, request: &SyncRequest) -> Option<SyncResponse> {
    let body = cbor::encode(request);
    let head = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/cbor\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    if !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    cbor::decode(body).ok()
}

fn now() -> Timestamp {
    SystemClock::start().now()
}

impl Field {
    async fn new() -> Self {
        let mut county = County::of(World::today().await).await;
        county.phones.retain(|name, _| PHONES.contains(name));
        let mut tokens = BTreeMap::new();
        for name in PHONES {
            let device = county.phones[name].device.id();
            tokens.insert(name, county.token(user(name), Some(device)).await);
        }
        Self {
            phones: county.phones,
            household: county.household,
            folder: county.world.leave(),
            tokens,
            acknowledged: Acknowledged::new(),
        }
    }

    /// Has a phone save something.
    fn save(&mut self, name: &str, note: &str) {
        let household = Intent::create("household").with("householder", Value::text(note));
        let change = Intent::set(self.household).with("crop", Value::text(note));
        let phone = self.phones.get_mut(name).unwrap();
        for intent in [household, change] {
            // A field with two values is written by its chooser alone; what a phone will not save, nobody promised.
            let _saved = phone.save(JOURNAL, None, intent, now());
        }
    }

    fn requests(&mut self) -> Vec<(&'static str, SyncRequest)> {
        let requests = self.phones.iter_mut();
        requests
            .map(|(name, phone)| (*name, phone.request(now())))
            .collect()
    }

    /// Both phones sync at once; what is answered is taken in.
    async fn sync(&mut self, address: SocketAddr) {
        let requests = self.requests();
        self.sync_while(address, &requests, &Notify::new(), async {})
            .await;
    }

    async fn sync_while(
        &mut self,
        address: SocketAddr,
        requests: &[(&'static str, SyncRequest)],
        answered: &Notify,
        other: impl Future<Output = ()>,
    ) {
        let exchanges = requests.iter().map(async |(name, request)| {
            let answer = exchange(address, &self.tokens[name], request).await;
            answered.notify_one();
            answer
        });
        let (answers, ()) = tokio::join!(futures::future::join_all(exchanges), other);
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
    }

    /// Sends all that was acknowledged again, and compares what is said of it.
    async fn check_acknowledged(&self, address: SocketAddr) {
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
    async fn sync_all(&mut self, address: SocketAddr) {
        while self
            .phones
            .values()
            .any(|phone| !phone.device.unsent().is_empty())
        {
            self.sync(address).await;
        }
    }

    /// Draws up the folder's bundle, and verifies it; then by the program, as an auditor does.
    async fn check_bundle(self) {
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

#[tokio::test]
async fn what_was_acknowledged_outlives_a_server_that_is_killed_at_any_moment() {
    const ROUNDS: usize = 20;
    let seed: u64 = match std::env::var("ZHUCUN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from_be_bytes(Random::system().bytes()),
    };
    println!("ZHUCUN_SEED={seed}");
    let mut rng = TestRng::new(seed);
    let mut below = |end: u32| u32::from_be_bytes(rng.bytes()) % end;
    let mut field = Field::new().await;
    for round in 0..ROUNDS {
        let mut server = Server::start(field.folder.path()).await;
        field.check_acknowledged(server.address).await;
        for exchange in 0..below(3) {
            for name in PHONES {
                field.save(name, &format!("{round}.{exchange}"));
            }
            field.sync(server.address).await;
        }
        for name in PHONES {
            field.save(name, &format!("{round} at last"));
        }
        let requests = field.requests();
        let address = server.address;
        // As soon as it has acknowledged something, or at a moment of any order of magnitude: before a request has left, or long
        // after its answer was written.
        let is_acknowledged = below(2) == 0;
        let most = 1 << below(15);
        let turns = below(most);
        let answered = Notify::new();
        let child = &mut server.child;
        let killed = async {
            if is_acknowledged {
                answered.notified().await;
            } else {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            child.start_kill().unwrap();
        };
        field
            .sync_while(address, &requests, &answered, killed)
            .await;
        assert!(!server.end().await.success(), "it was killed");
    }
    let server = Server::start(field.folder.path()).await;
    field.sync_all(server.address).await;
    field.check_acknowledged(server.address).await;
    drop(server);
    field.check_bundle().await;
}

#[tokio::test]
async fn a_server_without_space_stops_loudly_and_has_kept_what_it_acknowledged() {
    /// What is left for each file, in the kibibytes that `ulimit -f` counts in.
    const ROOM: u64 = 64;
    let mut field = Field::new().await;
    let files = std::fs::read_dir(field.folder.path().join("data")).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    let largest = sizes.max().unwrap().div_ceil(1024);
    let mut server = Server::start_in(field.folder.path(), largest + ROOM).await;
    let mut number = 0;
    let status = loop {
        number += 1;
        assert!(number < 10_000, "it goes on without space");
        for name in PHONES {
            field.save(name, &format!("{number} {}", "粮".repeat(number % 50)));
        }
        field.sync(server.address).await;
        if let Some(status) = server.child.try_wait().unwrap() {
            break status;
        }
    };
    assert!(
        status.code().is_some_and(|code| code != 0),
        "it ends by itself, and says that it failed: {status}"
    );
    assert!(!field.acknowledged.is_empty());

    let server = Server::start(field.folder.path()).await;
    field.check_acknowledged(server.address).await;
    field.sync_all(server.address).await;
    drop(server);
    field.check_bundle().await;
}
