//! Clients that mean harm, against the real program: the right answer each time, what is kept of it, and the program's memory as the system
//! counts it. Afterwards honest phones sync as ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use server::config::VARIABLE_PREFIX;
use store::Store as _;
use store_sqlite::SqliteStore;
use sync_core::admit::LaneEnd;
use sync_core::batch::{self, Bytes, Parts, Position, Sealing, Seed, Unsealed, WireBatch};
use sync_core::cbor;
use sync_core::command::{Audience, Content, Envelope, Verb};
use sync_core::id::{AssignmentId, DeploymentId, DeviceId, Digest, RecordId, Timestamp, sha256};
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::seal::{self, SealingKey};
use sync_core::sign::SigningKey;
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::Intent;
use sync_core::sync::wire::{Carried, Outcome, SyncRequest, SyncResponse};
use sync_core::testing::{Phone, TestRng};
use sync_core::value::{Fields, Value};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::county::{County, JOURNAL, assignment, user};
use crate::field::now;
use crate::program::{Server, exchange};
use crate::world::World;

/// The most memory that the program ever has resident, whoever calls it: half of what is promised.
const RESIDENT_KIB_MAX: u64 = 256 * 1024;
/// Four mebibytes of zeros under brotli, in a window of 256 KiB, which a stream of ours may claim.
const BROTLI_BOMB: &str = "a3ffff837f02201e0b0472ef0ff4ff7ff04f00c4611180eefd81feff0ffe0980382c00d0bd3fd0ffffc13f0110870500baf707faff3ff82700e2b00040f7fe40ffff07ff04401c1600e8de1fe8ffffe09f0088c30200ddfb83faff3ffc1300715800a07b7f00";

/// The program over a county's folder, with somebody's phones and tokens.
struct Scene {
    server: Server,
    folder: TempDir,
    phones: BTreeMap<&'static str, Phone>,
    tokens: BTreeMap<&'static str, String>,
    browser: String,
    sealing: SealingKey,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn code(&self) -> String {
        if self.status == 200 {
            return "ok".to_owned();
        }
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    fn response(&self) -> SyncResponse {
        assert_eq!(self.status, 200, "{self:?}");
        cbor::decode(&self.body).unwrap()
    }
}

/// Sends a request over a connection of its own.
async fn send(address: SocketAddr, path: &str, token: &str, kind: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Who is refused early is not read to the end.
    let (mut reading, mut writing) = stream.split();
    let _cut_short = writing.write_all(body).await;
    let mut answer = Vec::new();
    let _reset = reading.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer to {path}: {answer:?}"));
    let status = std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap();
    let body = answer.split_off(end + 4);
    Answer { status, body }
}

fn empty() -> SyncRequest {
    SyncRequest {
        protocol: PROTOCOL,
        cursors: Vec::new(),
        registry: 0,
        batches: Vec::new(),
        carried: Vec::new(),
        budget_bytes: 0,
        checkpoint: 0,
    }
}

/// A key of one of the county's phones.
fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(user(name).0.repeat(2).try_into().unwrap())
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with other settings.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let county = County::of(World::today().await).await;
        let mut tokens = BTreeMap::new();
        for (name, phone) in &county.phones {
            let token = county.token(user(name), Some(phone.device.id())).await;
            tokens.insert(*name, token);
        }
        let browser = county.token(user("fs"), None).await;
        let sealing = county.world.app.opening().public().unwrap();
        let phones = county.phones;
        let folder = county.world.leave();
        let mut command = Server::command(folder.path());
        for (name, value) in settings {
            command.env(format!("{VARIABLE_PREFIX}{name}"), value);
        }
        Self {
            server: Server::run(&mut command).await,
            folder,
            phones,
            tokens,
            browser,
            sealing,
        }
    }

    fn deployment(&self) -> DeploymentId {
        self.phones["fs"].device.identity().deployment
    }

    fn device(&self, name: &str) -> DeviceId {
        self.phones[name].device.id()
    }

    async fn sync(&self, name: &str, request: &SyncRequest) -> Answer {
        self.sync_bytes(name, &cbor::encode(request)).await
    }

    async fn sync_bytes(&self, name: &str, body: &[u8]) -> Answer {
        let token = &self.tokens[name];
        send(
            self.server.address,
            "/v1/sync",
            token,
            "application/cbor",
            body,
        )
        .await
    }

    /// What becomes of one batch that somebody's phone brings.
    async fn bring(&self, name: &str, batch: &WireBatch) -> Outcome {
        let request = SyncRequest {
            batches: vec![batch.clone()],
            ..empty()
        };
        let mut response = self.sync(name, &request).await.response();
        response.receipts.pop().unwrap().outcome
    }

    /// The end of a phone's lane, as the database has it.
    async fn lane(&self, name: &str) -> LaneEnd {
        let store = self.store().await;
        let device = self.device(name);
        let mut unit = store.read().await.unwrap();
        let lane = unit.lane(JOURNAL, device).await.unwrap();
        lane.unwrap_or_else(|| LaneEnd::start(device, JOURNAL))
    }

    async fn store(&self) -> SqliteStore {
        let path = self.folder.path().join("data/zhucun.db");
        SqliteStore::open(&path).await.unwrap()
    }

    /// The end of the village's journal.
    async fn end(&self) -> Position {
        let store = self.store().await;
        let chain = store.read().await.unwrap().chain(JOURNAL).await.unwrap();
        chain.unwrap().end
    }

    /// A batch that continues a lane with these commands, sealed by anybody for any assignment.
    fn sealed(
        &self,
        lane: &LaneEnd,
        (key, assignment): (&SigningKey, AssignmentId),
        seen: Position,
        contents: Vec<(Timestamp, Content)>,
    ) -> Parts {
        let at = now();
        let sealing = Sealing {
            deployment: self.deployment(),
            journal: JOURNAL,
            assignment,
            catalogue: 1,
            previous: lane.batch,
            seen,
            at,
            seed: Seed([3; 16]),
            key,
        };
        let commands = (lane.n + 1..)
            .zip(contents)
            .map(|(n, (at, content))| Unsealed {
                envelope: Envelope {
                    n,
                    record: RecordId::derive(key.public().device(), JOURNAL, n),
                    kind: "household".to_owned(),
                    base: seen.seq,
                    at,
                    verb: Verb::Create,
                    action: None,
                    fields: content.values.keys().cloned().collect(),
                    links: Vec::new(),
                    audience: Audience::Village,
                    digest: Digest([0; 32]),
                    needs: None,
                    origin: None,
                },
                content,
            });
        batch::seal(&sealing, commands.collect())
    }

    /// The most memory that the program ever had resident.
    fn most_resident_kib(&self) -> u64 {
        let id = self.server.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse().unwrap()
    }

    #[track_caller]
    fn check_memory(&self) {
        let most = self.most_resident_kib();
        println!("resident at most: {} MiB", most / 1024);
        assert!(most < RESIDENT_KIB_MAX, "{most} KiB");
    }

    /// Honest phones sync as ever, and learn of each other's work.
    async fn check_honest(&mut self, writer: &'static str, reader: &'static str) {
        let intent = Intent::create("household").with("householder", Value::text("张三"));
        let phone = self.phones.get_mut(writer).unwrap();
        let record = phone.save(JOURNAL, None, intent, now()).unwrap().record;
        for name in [writer, reader] {
            loop {
                let phone = self.phones.get_mut(name).unwrap();
                let request = phone.request(now());
                let answer = exchange(self.server.address, &self.tokens[name], &request).await;
                let answer = answer.expect("an answer to an honest phone");
                let learned = phone.take(&answer, now()).unwrap();
                if !learned.more && phone.device.unsent().is_empty() {
                    break;
                }
            }
        }
        let device = &self.phones[reader].device;
        assert!(device.records(JOURNAL).contains(&record));
        self.check_memory();
    }
}

fn household(name: &str) -> Content {
    let values = [("householder".to_owned(), Value::text(name))];
    Content {
        values: Fields::from_iter(values),
        ..Content::default()
    }
}

fn unusable(code: &str) -> Outcome {
    let code = code.to_owned();
    Outcome::Unusable { code }
}

/// What no honest client sends where CBOR is expected: counts and lengths of things that are not there, and depth without end.
fn cbor_bombs() -> Vec<Vec<u8>> {
    let huge = |kind: u8| [&[kind | 0x1B][..], &[0x7F; 8]].concat();
    let in_request = |place: usize, item: &[u8]| {
        // An array of seven, as a request is, with one of its items replaced.
        let whole = cbor::encode(&empty());
        assert_eq!(whole, [0x87, 1, 0x80, 0, 0x80, 0x80, 0, 0]);
        let (head, tail) = whole.split_at(1 + place);
        [head, item, tail.get(1..).unwrap()].concat()
    };
    let mut bombs = Vec::new();
    for kind in [0x40, 0x60, 0x80, 0xA0] {
        bombs.push(huge(kind));
        for place in 0..7 {
            bombs.push(in_request(place, &huge(kind)));
        }
    }
    for opening in [0x81, 0x9F, 0xBF, 0xA1, 0xC6, 0x5F] {
        let deep = vec![opening; limits::REQUEST_BYTES_MAX - 16];
        bombs.push(deep.clone());
        bombs.push(in_request(3, &deep));
    }
    // As many empty batches and parcels as a body holds.
    let many = |item: u8| {
        let count = 4_000_000_u32;
        let head = [&[0x9A][..], &count.to_be_bytes()].concat();
        [head, vec![item; count as usize]].concat()
    };
    bombs.push(in_request(3, &many(0x80)));
    bombs.push(in_request(4, &many(0x40)));
    bombs.push(in_request(1, &many(0x82)));
    bombs
}

/// Streams that no honest phone packs: compressed without end, and columns that claim to be longer than they are.
fn packed_bombs() -> Vec<Vec<u8>> {
    let pairs = BROTLI_BOMB.as_bytes().chunks(2);
    let brotli: Vec<u8> = pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let mut bombs = vec![
        [&[1], brotli.as_slice()].concat(),
        [&[1], brotli.repeat(1_000).as_slice()].concat(),
        // A window of a gigabyte.
        vec![1, 0x11, 0x3E, 0, 0],
        Vec::new(),
        vec![9; 100],
    ];
    for codec in [0, 2] {
        for item in [0xFF, 0x7F, 0x00, 0x81, 0x9F] {
            bombs.push([vec![codec], vec![item; 200_000]].concat());
        }
        // Counts of 2^63 and of 2^32 as columns write them, and as CBOR does.
        for count in [
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F][..],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
            &[0x9B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        ] {
            bombs.push([&[codec], count].concat());
            bombs.push([&[codec], count, &[1; 100]].concat());
        }
    }
    bombs
}

#[tokio::test]
async fn bombs_of_every_kind_are_refused_in_flat_memory() {
    let mut scene = Scene::new().await;
    let before = scene.end().await;
    for bomb in cbor_bombs() {
        let answer = scene.sync_bytes("tw", &bomb).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "malformed"),
            "{:?}",
            bomb.get(..12)
        );
    }
    let lane = scene.lane("tw").await;
    let good = vec![(now(), household("甲"))];
    let good = scene
        .sealed(&lane, (&key("tw"), assignment("tw")), before, good)
        .to_wire();
    let mut parcels = cbor_bombs();
    for bomb in packed_bombs() {
        let mut outside = good.clone();
        outside.envelopes = Bytes(bomb.clone());
        let mut inside = good.clone();
        for (_, stream) in &mut inside.streams {
            *stream = Bytes(bomb.clone());
        }
        for batch in [outside, inside] {
            assert_eq!(scene.bring("tw", &batch).await, unusable("malformed"));
            parcels.push(cbor::encode(&batch));
        }
    }
    // The same, sealed to the server's own key: the carrier learns only that it was taken.
    for parcel in parcels.into_iter().filter(|parcel| parcel.len() < 1 << 20) {
        let mut rng = TestRng::new(1);
        let sealed = seal::seal(&scene.sealing, scene.deployment(), &parcel, &mut rng).unwrap();
        let request = SyncRequest {
            carried: vec![Bytes(sealed), Bytes(parcel)],
            ..empty()
        };
        let response = scene.sync("tw", &request).await.response();
        assert_eq!(response.carried, [Carried::Taken, Carried::Taken]);
    }
    // Larger than any request.
    let answer = scene
        .sync_bytes("tw", &vec![0; limits::REQUEST_BYTES_MAX + 1])
        .await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert_eq!(scene.end().await, before, "nothing of it is in the journal");
    scene.check_honest("fs", "tm").await;
}

/// A number as Automerge writes it (LEB128).
fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7F).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// A chunk as Automerge stores one: magic, checksum, kind, length, content.
fn chunk(kind: u8, content: &[u8]) -> Vec<u8> {
    let body = [&[kind][..], &leb(content.len() as u64), content].concat();
    let Digest(digest) = sha256(&[&body]);
    [&[0x85, 0x6F, 0x4A, 0x83][..], &digest[..4], &body].concat()
}

/// A change with this first operation, these columns (specification and data) and nothing else.
fn change(start_op: u64, actor: &[u8], columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend(leb(actor.len() as u64));
    content.extend(actor);
    // The actor's first change, its first operation, time 0, no message, no other actors.
    content.extend([leb(1), leb(start_op), vec![0, 0, 0]].concat());
    content.extend(leb(columns.len() as u64));
    for (specification, data) in columns {
        content.extend([leb(*specification), leb(data.len() as u64)].concat());
    }
    columns.iter().for_each(|(_, data)| content.extend(data));
    content
}

/// So many zeros as a raw deflate stream of a thousandth of their size.
fn deflated_zeros(length: usize) -> Vec<u8> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    let mut put = |value: u32, count: u32, reversed: bool| {
        let value = if reversed {
            value.reverse_bits() >> (32 - count)
        } else {
            value
        };
        held |= value << bits;
        bits += count;
        while bits >= 8 {
            bytes.push(u8::try_from(held & 0xFF).unwrap());
            held >>= 8;
            bits -= 8;
        }
    };
    // The last block, with fixed codes: a zero, then copies of 258 from one back, then the end.
    put(0b011, 3, false);
    put(0b0011_0000, 8, true);
    for _ in 0..length / 258 {
        put(0b1100_0101, 8, true);
        put(0, 5, true);
    }
    put(0, 7, true);
    put(0, 7, false);
    bytes
}

/// What harms Automerge 0.12 where it parses bytes of strangers (measured; ARCHITECTURE.md says why none are parsed), built by hand.
fn automerge_attacks() -> Vec<(&'static str, Vec<u8>)> {
    let actor = [0xAB; 16];
    // Column specifications: identity times 16, and its type: 2 for runs of numbers, 1 for actors, 5 for texts, 6 and 7 for values.
    let run = |count: u64, value: u64| [leb(count), leb(value)].concat();
    let bomb = change(
        1,
        &actor,
        &[
            (0x42, run(10_000_000, 1)),
            (0x56, run(10_000_000, 0)),
            (0x70, run(10_000_000, 0)),
        ],
    );
    let nested: Vec<(u64, Vec<u8>)> = vec![
        (0x01, run(20_000, 0)),
        (0x02, [leb(20_000), leb(1)].concat()),
        (0x15, [run(20_000, 1), b"a".to_vec()].concat()),
        (0x42, run(20_000, 0)),
    ];
    let sync = |probes: u64| {
        [
            &[0x42, 0, 0, 1, 0][..],
            &leb(9),
            &leb(u64::from(u32::MAX)),
            &leb(1),
            &leb(probes),
        ]
        .concat()
    };
    let garbage: Vec<u8> = (0..2_000_u32)
        .map(|at| u8::try_from(at * 31 % 251).unwrap())
        .collect();
    vec![
        ("a run of ten million operations", chunk(1, &bomb)),
        ("a deflated change", chunk(2, &deflated_zeros(256_000_000))),
        (
            "a deflated column of a document",
            chunk(
                0,
                &[
                    &[0, 0][..],
                    &leb(1),
                    &leb(0x4A),
                    &deflated_zeros(64_000_000),
                ]
                .concat(),
            ),
        ),
        ("a filter of many probes", sync(1 << 40)),
        ("a filter of no probes", sync(0)),
        (
            "operations that end the numbers",
            chunk(
                1,
                &change(u64::from(u32::MAX) - 1, &actor, &[(0x42, run(4, 1))]),
            ),
        ),
        (
            "operations that begin at nothing",
            chunk(1, &change(0, &actor, &[(0x42, run(1, 1))])),
        ),
        ("maps in maps", chunk(1, &change(1, &actor, &nested))),
        (
            "another person's actor",
            chunk(1, &change(1, &user("fs").0, &[(0x42, run(1, 1))])),
        ),
        ("a bundle", chunk(3, &garbage)),
        (
            "a wrong checksum",
            [
                &[0x85, 0x6F, 0x4A, 0x83, 0, 0, 0, 0, 1][..],
                &leb(2_000),
                &garbage,
            ]
            .concat(),
        ),
    ]
}

#[tokio::test]
async fn automerge_bytes_are_nowhere_parsed() {
    let mut scene = Scene::new().await;
    let address = scene.server.address;
    let seen = scene.end().await;
    let before = scene.most_resident_kib();
    let good = |scene: &Scene, lane: &LaneEnd, content: Content| {
        scene.sealed(
            lane,
            (&key("tw"), assignment("tw")),
            seen,
            vec![(now(), content)],
        )
    };
    for (what, bytes) in automerge_attacks() {
        // Where a request is expected, a parcel, the envelopes or contents of a batch, under each of the codecs.
        assert_eq!(
            scene.sync_bytes("tw", &bytes).await.code(),
            "malformed",
            "{what}"
        );
        let request = SyncRequest {
            carried: vec![Bytes(bytes.clone())],
            ..empty()
        };
        let response = scene.sync("tw", &request).await.response();
        assert_eq!(response.carried, [Carried::Taken], "{what}");
        let lane = scene.lane("tw").await;
        let batch = good(&scene, &lane, household("甲")).to_wire();
        for codec in [None, Some(0), Some(1), Some(2)] {
            let stream = Bytes(codec.into_iter().chain(bytes.iter().copied()).collect());
            let mut outside = batch.clone();
            outside.envelopes = stream.clone();
            let mut inside = batch.clone();
            inside.streams = vec![(Audience::Village, stream)];
            for batch in [outside, inside] {
                assert_eq!(
                    scene.bring("tw", &batch).await,
                    unusable("malformed"),
                    "{what}"
                );
            }
        }
        // Where a value is expected: as bytes it has the wrong type and is refused, as a text it is a text.
        let short: Vec<u8> = bytes.iter().copied().take(4_000).collect();
        for value in [
            Value::Bytes(short.clone()),
            Value::List(vec![Value::Bytes(short.clone())]),
            Value::text(String::from_utf8_lossy(&short).into_owned()),
        ] {
            let lane = scene.lane("tw").await;
            let mut content = household("乙");
            content.values.0.insert("note".to_owned(), value);
            let batch = good(&scene, &lane, content).to_wire();
            let outcome = scene.bring("tw", &batch).await;
            assert!(
                matches!(outcome, Outcome::Entered { .. }),
                "{what}: {outcome:?}"
            );
        }
        // Where JSON or a table is expected.
        for (path, kind) in [
            ("/v1/session", "application/json"),
            ("/v1/session/refresh", "application/json"),
            ("/v1/enrol", "application/json"),
            ("/v1/areas/import", "text/csv"),
        ] {
            let answer = send(address, path, &scene.browser, kind, &bytes).await;
            assert!(
                (400..500).contains(&answer.status),
                "{what}: {path} {answer:?}"
            );
        }
    }
    // What they would cost where they are parsed is gigabytes.
    let grown = scene.most_resident_kib() - before;
    assert!(grown < 64 * 1024, "{grown} KiB");
    scene.check_honest("fs", "tm").await;
}

/// A connection on which something was sent, and nothing more will be.
async fn opened(address: SocketAddr, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn slow_and_half_open_connections_are_given_up() {
    const EACH: usize = 60;
    /// Long after each of them should have been given up.
    const PATIENCE: Duration = Duration::from_mins(1);
    let mut scene = Scene::with(&[("HEADER_SECONDS", "1")]).await;
    let address = scene.server.address;
    let post = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/cbor\r\n",
        scene.tokens["tw"]
    );
    let whole_headers = format!("{post}content-length: 4000000\r\n\r\n");
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n100\r\nabc");
    let log_in = "POST /v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut waiting = Vec::new();
    for _ in 0..EACH {
        for sent in [
            "",
            "P",
            "GET / HTTP/1.1\r\nhost: x\r\nx: ",
            log_in,
            &post,
            &whole_headers,
            &chunked,
        ] {
            waiting.push(opened(address, sent).await);
        }
    }
    scene.check_honest("fs", "tm").await;
    for mut stream in waiting {
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "a connection that says nothing more is kept");
        if let Some(status) = answer.get(..12) {
            let status = String::from_utf8_lossy(status);
            assert!(
                ["HTTP/1.1 408", "HTTP/1.1 503"].contains(&&*status),
                "{status}: it is told, if anything, that it was slow or too often here"
            );
        }
    }
    scene.check_honest("fs", "tm").await;
}

#[tokio::test]
async fn entries_that_unpack_to_much_are_pulled_a_little_at_a_time() {
    const BATCHES: usize = 120;
    let mut scene = Scene::new().await;
    let seen = scene.end().await;
    // Each batch is a few hundred bytes and unpacks to nearly a quarter of a megabyte.
    let mut lane = scene.lane("tw").await;
    let mut batches = Vec::new();
    for _ in 0..BATCHES {
        let content = || {
            let mut content = household("甲");
            content.reason = Some("a".repeat(60_000));
            (now(), content)
        };
        let parts = scene.sealed(
            &lane,
            (&key("tw"), assignment("tw")),
            seen,
            (0..4).map(|_| content()).collect(),
        );
        lane = LaneEnd {
            n: parts.batch.last(),
            batch: parts.batch.digest(scene.deployment()),
        };
        batches.push(parts.to_wire());
    }
    let mut room = Room::of_request();
    batches[0].open_within(&mut room).unwrap();
    assert!(room.left() < limits::REQUEST_INFLATED_BYTES_MAX - 200_000);
    for batches in batches.chunks(32) {
        let request = SyncRequest {
            batches: batches.to_vec(),
            ..empty()
        };
        let response = scene.sync("tw", &request).await.response();
        for receipt in response.receipts {
            assert!(
                matches!(receipt.outcome, Outcome::Entered { .. }),
                "{receipt:?}"
            );
        }
    }
    scene.check_memory();
    // Somebody who begins with nothing opens what he is sent, page by page, to the end.
    let identity = scene.phones["fs"].device.identity().clone();
    let catalogues = scene.phones["fs"].device.catalogues().clone();
    let mut fresh = Phone::new(identity, catalogues);
    let mut pages = 0;
    loop {
        let request = fresh.request(now());
        let answer = exchange(scene.server.address, &scene.tokens["fs"], &request)
            .await
            .unwrap();
        let known = fresh.device.journals();
        let learned = fresh
            .take(&answer, now())
            .expect("a page that can be opened");
        pages += 1;
        assert!(pages < 1_000, "it comes to an end");
        if !learned.more && fresh.device.journals() == known {
            break;
        }
    }
    assert!(pages > 1, "{pages}");
    let position = fresh.device.position(JOURNAL).unwrap();
    assert_eq!(position, scene.end().await);
    scene.check_honest("fs", "tm").await;
}
