//! Limits, as requests meet them: at the edge they are taken, one past it they are refused, with a stable code.
//!
//! Long because each limit of a request is met at its edge and one past it, in one place.

use axum::http::{Method, Request, StatusCode, header};
use store::journals::Used;
use sync_core::admit::LaneEnd;
use sync_core::batch::{self, Bytes, Parts, Position, Sealing, Seed, Unsealed, WireBatch};
use sync_core::cbor;
use sync_core::command::{Audience, Content, Envelope, Verb};
use sync_core::id::{DeviceId, Digest, RecordId, Timestamp};
use sync_core::journal::Chain;
use sync_core::limits::{
    AREA_FILE_BYTES_MAX, BATCH_COMMANDS_MAX, DEVICE_DAY_BYTES_MAX, DEVICE_DAY_COMMANDS_MAX,
    DEVICE_DAY_REFUSED_BYTES_MAX, PAGE_BYTES_MAX, PAGE_BYTES_MIN, PAGE_INFLATED_BYTES_MAX,
    REASON_CHARS_MAX, REQUEST_BATCHES_MAX, REQUEST_BYTES_MAX, REQUEST_CURSORS_MAX,
    REQUEST_INFLATED_BYTES_MAX,
};
use sync_core::pack::Room;
use sync_core::seal;
use sync_core::sign::SigningKey;
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::Intent;
use sync_core::sync::wire::{Carried, Cursor, Outcome, SyncRequest, SyncResponse, WireEntry};
use sync_core::testing::TestRng;
use sync_core::value::Value;

use crate::county::{County, JOURNAL, assignment, user};
use crate::world::World;

/// A request that asks and brings nothing.
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

/// What the sync operation answers to these bytes from somebody's phone.
async fn post(county: &County, name: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    post_from(county, name, county.phones[name].device.id(), body).await
}

async fn post_from(
    county: &County,
    name: &str,
    device: DeviceId,
    body: Vec<u8>,
) -> (StatusCode, Vec<u8>) {
    let token = county.token(user(name), Some(device)).await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/sync")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/cbor")
        .body(body.into())
        .unwrap();
    county.world.send_bytes(request).await
}

/// The response to the secretary's phone, or the code of the problem.
async fn exchange(county: &County, request: &SyncRequest) -> Result<SyncResponse, String> {
    exchange_on(county, "fs", request).await
}

async fn exchange_on(
    county: &County,
    name: &str,
    request: &SyncRequest,
) -> Result<SyncResponse, String> {
    let (status, bytes) = post(county, name, cbor::encode(request)).await;
    if status.is_success() {
        Ok(cbor::decode(&bytes).unwrap())
    } else {
        let problem: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        Err(problem["code"].as_str().unwrap().to_owned())
    }
}

/// A batch that the secretary's phone has sealed and not sent.
fn sealed(county: &mut County, note: &str) -> WireBatch {
    let household = Intent::create("household")
        .with("householder", Value::text("王五"))
        .with("note", Value::text(note));
    county.save("fs", household);
    let now = county.now();
    let phone = county.phones.get_mut("fs").unwrap();
    phone.request(now).batches.pop().unwrap()
}

#[tokio::test]
async fn a_sync_request_has_so_many_bytes() {
    let county = County::new().await;
    let answered = async |bytes: usize| {
        let (status, body) = post(&county, "fs", vec![0; bytes]).await;
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (
            status.as_u16(),
            problem["code"].as_str().unwrap().to_owned(),
        )
    };
    let (edge, past) = (
        answered(REQUEST_BYTES_MAX).await,
        answered(REQUEST_BYTES_MAX + 1).await,
    );
    assert_eq!(edge, (400, "malformed".to_owned()), "read, and no request");
    assert_eq!(past, (413, "too_large".to_owned()));
}

#[tokio::test]
async fn a_sync_request_brings_so_many_batches() {
    let mut county = County::new().await;
    let mut batch = sealed(&mut county, "");
    batch.device = county.phones["tm"].device.id();
    let request = |batches: usize, carried: usize| SyncRequest {
        batches: vec![batch.clone(); batches],
        carried: vec![Bytes(Vec::new()); carried],
        ..empty()
    };
    let edge = exchange(&county, &request(REQUEST_BATCHES_MAX, 0)).await;
    let receipts = edge.unwrap().receipts;
    assert_eq!(receipts.len(), REQUEST_BATCHES_MAX);
    let edge = exchange(&county, &request(REQUEST_BATCHES_MAX - 2, 2)).await;
    assert_eq!(edge.unwrap().carried.len(), 2);
    for (batches, carried) in [(REQUEST_BATCHES_MAX + 1, 0), (REQUEST_BATCHES_MAX - 1, 2)] {
        let past = exchange(&county, &request(batches, carried)).await;
        assert_eq!(past, Err("malformed".to_owned()));
    }
}

#[tokio::test]
async fn a_sync_request_asks_for_so_many_journals() {
    let county = County::new().await;
    let request = |cursors: usize| SyncRequest {
        cursors: vec![
            Cursor {
                journal: JOURNAL,
                end: Chain::start(JOURNAL).end,
            };
            cursors
        ],
        ..empty()
    };
    assert!(
        exchange(&county, &request(REQUEST_CURSORS_MAX))
            .await
            .is_ok()
    );
    assert_eq!(
        exchange(&county, &request(REQUEST_CURSORS_MAX + 1)).await,
        Err("malformed".to_owned())
    );
}

#[tokio::test]
async fn a_page_has_a_least_and_a_most() {
    let mut county = County::new().await;
    let mut rng = TestRng::new(1);
    // Text that no packing shortens to nothing.
    let mut text = || -> String {
        let han = |_| char::from_u32(0x4E00 + u32::from_be_bytes(rng.bytes()) % 0x5000).unwrap();
        (0..10_000).map(han).collect()
    };
    for _ in 0..16 {
        let note = text();
        let batch = sealed(&mut county, &note);
        let brought = SyncRequest {
            batches: vec![batch],
            ..empty()
        };
        let now = county.now();
        let answer = exchange(&county, &brought).await.unwrap();
        let phone = county.phones.get_mut("fs").unwrap();
        phone.take(&answer, now).unwrap();
    }
    let page = async |end: Position, budget_bytes: u32| {
        let journal = JOURNAL;
        let request = SyncRequest {
            cursors: vec![Cursor { journal, end }],
            budget_bytes,
            ..empty()
        };
        let answer = exchange_on(&county, "tm", &request).await.unwrap();
        let page = answer.journals.into_iter().next().unwrap();
        assert!(page.more, "all does not fit a page of {budget_bytes}");
        page
    };
    let start = Chain::start(JOURNAL).end;
    let least = page(start, 0).await;
    let edge = u32::try_from(PAGE_BYTES_MIN).unwrap();
    assert_eq!(page(start, edge).await, least, "no less than the least");
    assert!(least.end.seq > 0);

    let most = page(least.end, u32::MAX).await;
    let edge = u32::try_from(PAGE_BYTES_MAX).unwrap();
    assert_eq!(page(least.end, edge).await, most, "no more than the most");
    assert!(page(least.end, edge / 2).await.end.seq < most.end.seq);
    let bytes: usize = most.entries.iter().map(WireEntry::bytes).sum();
    assert!(bytes <= PAGE_BYTES_MAX, "{bytes}");
}

#[tokio::test]
async fn a_page_is_unpacked_within_bounds_however_well_it_packs() {
    let mut county = County::new().await;
    // A few hundred bytes that unpack to twenty thousand: in columns a Chinese character takes two.
    let note = "田".repeat(10_000);
    let unpacked = 20_000;
    for _ in 0..PAGE_INFLATED_BYTES_MAX / unpacked + 2 {
        let brought = SyncRequest {
            batches: vec![sealed(&mut county, &note)],
            ..empty()
        };
        let now = county.now();
        let answer = exchange(&county, &brought).await.unwrap();
        let phone = county.phones.get_mut("fs").unwrap();
        phone.take(&answer, now).unwrap();
    }
    let start = Chain::start(JOURNAL).end;
    let request = SyncRequest {
        cursors: vec![Cursor {
            journal: JOURNAL,
            end: start,
        }],
        budget_bytes: u32::MAX,
        ..empty()
    };
    let answer = exchange_on(&county, "tm", &request).await.unwrap();
    let page = answer.journals.into_iter().next().unwrap();
    assert!(page.more, "all of it packs into one page, and is not sent");
    let notes = usize::try_from(page.end.seq).unwrap() * unpacked;
    assert!(notes <= PAGE_INFLATED_BYTES_MAX, "{notes}");
    assert!(notes > PAGE_INFLATED_BYTES_MAX / 2, "{notes}");
}

/// Has the secretary's phone have sent so much today already, then sends two batches: the first is to reach the edge.
async fn check_day(fill: impl Fn(&WireBatch) -> Used) {
    let mut county = County::new().await;
    let device = county.phones["fs"].device.id();
    let first = sealed(&mut county, "");
    let now = county.now();
    let mut unit = county.world.app.store().begin().await.unwrap();
    let used = unit.used(JOURNAL, device, now.date().0).await.unwrap();
    let full = fill(&first);
    let rest = Used {
        commands: full.commands.saturating_sub(used.commands),
        bytes: full.bytes.saturating_sub(used.bytes),
        refused_bytes: full.refused_bytes.saturating_sub(used.refused_bytes),
    };
    unit.add_used(now.date().0, &[((JOURNAL, device), rest)].into())
        .await
        .unwrap();
    unit.commit().await.unwrap();

    let admission = county.world.app.admission().clone();
    let edge = admission
        .admit(first.clone(), &mut Room::of_request())
        .await
        .unwrap();
    assert!(matches!(edge, Outcome::Entered { .. }), "{edge:?}");
    let again = SyncRequest {
        batches: vec![first],
        ..empty()
    };
    let answer = exchange(&county, &again).await.unwrap();
    county
        .phones
        .get_mut("fs")
        .unwrap()
        .take(&answer, now)
        .unwrap();
    if full.refused_bytes > 0 {
        let mut unit = county.world.app.store().begin().await.unwrap();
        let one = Used {
            refused_bytes: 1,
            ..Used::default()
        };
        unit.add_used(now.date().0, &[((JOURNAL, device), one)].into())
            .await
            .unwrap();
        unit.commit().await.unwrap();
    }

    let second = sealed(&mut county, "");
    let lane = async || {
        let mut unit = county.world.app.store().read().await.unwrap();
        unit.lane(JOURNAL, device).await.unwrap()
    };
    let before = lane().await;
    let past = admission
        .admit(second.clone(), &mut Room::of_request())
        .await
        .unwrap();
    assert!(matches!(past, Outcome::Quota { .. }), "{past:?}");
    assert_eq!(lane().await, before, "the lane stays where it was");
    county.world.pass(24 * 60);
    let tomorrow = admission
        .admit(second, &mut Room::of_request())
        .await
        .unwrap();
    assert!(matches!(tomorrow, Outcome::Entered { .. }), "{tomorrow:?}");
}

#[tokio::test]
async fn a_device_sends_so_many_commands_a_day() {
    check_day(|_| Used {
        commands: DEVICE_DAY_COMMANDS_MAX - 1,
        ..Used::default()
    })
    .await;
}

#[tokio::test]
async fn a_device_sends_so_many_bytes_a_day() {
    check_day(|first| Used {
        bytes: DEVICE_DAY_BYTES_MAX - first.packed_bytes() as u64,
        ..Used::default()
    })
    .await;
}

#[tokio::test]
async fn a_device_sends_so_many_refused_bytes_a_day() {
    check_day(|_| Used {
        refused_bytes: DEVICE_DAY_REFUSED_BYTES_MAX,
        ..Used::default()
    })
    .await;
}

/// A phone of the supervisor that has sent nothing.
async fn new_phone(county: &County) -> SigningKey {
    let key = SigningKey::from_seed([55; 32]);
    let enrol = sync_core::registry::RegistryAct::Enrol {
        key: key.public(),
        user: user("cs"),
        label: "手机".to_owned(),
    };
    county.enter(&[enrol]).await;
    key
}

/// A batch of so many commands, each of which is refused, by a phone that sent none before.
fn of_commands(county: &County, key: &SigningKey, commands: usize) -> WireBatch {
    let lane = LaneEnd::start(key.public().device(), JOURNAL);
    of_reasons(county, key, &lane, &vec![0; commands]).to_wire()
}

/// A batch of commands, each of which is refused and gives a reason of so many letters.
fn of_reasons(county: &County, key: &SigningKey, lane: &LaneEnd, letters: &[usize]) -> Parts {
    let now: Timestamp = county.now();
    let sealing = Sealing {
        deployment: county.world.app.deployment(),
        journal: JOURNAL,
        assignment: assignment("cs"),
        catalogue: county.world.app.catalogue().version(),
        previous: lane.batch,
        seen: Chain::start(JOURNAL).end,
        at: now,
        seed: Seed([3; 16]),
        key,
    };
    let command = |(n, letters): (u64, &usize)| Unsealed {
        envelope: Envelope {
            n,
            record: RecordId([9; 16]),
            kind: "household".to_owned(),
            base: 0,
            at: now,
            verb: Verb::Void,
            action: None,
            fields: Vec::new(),
            links: Vec::new(),
            audience: Audience::Village,
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        },
        content: Content {
            reason: (*letters > 0).then(|| "a".repeat(*letters)),
            ..Content::default()
        },
    };
    batch::seal(&sealing, (lane.n + 1..).zip(letters).map(command).collect())
}

/// How much of a request's room a batch takes.
fn inflated(batch: &WireBatch) -> usize {
    let mut room = Room::of_request();
    batch.open_within(&mut room).unwrap();
    REQUEST_INFLATED_BYTES_MAX - room.left()
}

/// Copies of a phone's first batch that nearly fill a request, and its second, which fills it and goes so far past it.
fn filling(county: &County, key: &SigningKey, past: usize) -> (Vec<WireBatch>, WireBatch) {
    let lane = LaneEnd::start(key.public().device(), JOURNAL);
    let first = of_reasons(county, key, &lane, &[60_000; 4]);
    let lane = LaneEnd {
        n: first.batch.last(),
        batch: first.batch.digest(county.world.app.deployment()),
    };
    let first = first.to_wire();
    let room = REQUEST_INFLATED_BYTES_MAX + past;
    let copies = room / inflated(&first);
    let last = |letters: usize| of_reasons(county, key, &lane, &[letters]).to_wire();
    let rest = room - copies * inflated(&first);
    let last = last(1_000 + rest - inflated(&last(1_000)));
    assert_eq!(inflated(&last), rest);
    (vec![first; copies], last)
}

/// What the phone's request is answered, and how many of its commands are in the journal then.
async fn answered(
    county: &County,
    key: &SigningKey,
    batches: Vec<WireBatch>,
    carried: Vec<Bytes>,
) -> (SyncResponse, u64) {
    let request = SyncRequest {
        batches,
        carried,
        ..empty()
    };
    let device = key.public().device();
    let (status, bytes) = post_from(county, "cs", device, cbor::encode(&request)).await;
    assert!(status.is_success(), "{status}");
    let mut unit = county.world.app.store().read().await.unwrap();
    let lane = unit.lane(JOURNAL, device).await.unwrap();
    (cbor::decode(&bytes).unwrap(), lane.map_or(0, |lane| lane.n))
}

#[tokio::test]
async fn the_batches_of_a_request_unpack_to_so_many_bytes() {
    for past in [0, 1] {
        let county = County::new().await;
        let key = new_phone(&county).await;
        let (mut batches, last) = filling(&county, &key, past);
        batches.extend([last.clone(), last.clone()]);
        let (answer, lane) = answered(&county, &key, batches, Vec::new()).await;
        let mut receipts = answer.receipts.into_iter().rev();
        let mut next = || receipts.next().unwrap().outcome;
        assert_eq!(next(), Outcome::Busy, "beyond it nothing is judged");
        if past == 0 {
            let last = next();
            assert!(matches!(last, Outcome::Entered { .. }), "{last:?}");
            assert_eq!(lane, 5);
        } else {
            assert_eq!(next(), Outcome::Busy);
            assert_eq!(lane, 4, "the lane stays where it was");
        }
        assert!(receipts.all(|receipt| matches!(receipt.outcome, Outcome::Entered { .. })));
        let (answer, lane) = answered(&county, &key, vec![last], Vec::new()).await;
        assert!(matches!(
            answer.receipts[0].outcome,
            Outcome::Entered { .. }
        ));
        assert_eq!(lane, 5, "in another request it fits");
    }
}

#[tokio::test]
async fn what_a_request_carries_counts_with_its_batches() {
    for (past, taken, lane_after) in [(0, Carried::Taken, 5), (1, Carried::Busy, 4)] {
        let county = County::new().await;
        let key = new_phone(&county).await;
        let (batches, last) = filling(&county, &key, past);
        let app = &county.world.app;
        let to = app.opening().public().unwrap();
        let plain = cbor::encode(&last);
        let sealed = seal::seal(&to, app.deployment(), &plain, &mut TestRng::new(1)).unwrap();
        let sealed = Bytes(sealed);
        let carried = vec![sealed.clone(), sealed.clone()];
        let (answer, lane) = answered(&county, &key, batches, carried).await;
        assert_eq!(answer.carried, [taken, Carried::Busy]);
        assert_eq!(lane, lane_after);
        let (answer, lane) = answered(&county, &key, Vec::new(), vec![sealed]).await;
        assert_eq!(
            (answer.carried, lane),
            (vec![Carried::Taken], 5),
            "in another request it fits"
        );
    }
}

#[tokio::test]
async fn a_batch_has_so_many_commands() {
    let county = County::new().await;
    let key = new_phone(&county).await;
    let admission = county.world.app.admission();
    let past = admission
        .admit(
            of_commands(&county, &key, BATCH_COMMANDS_MAX + 1),
            &mut Room::of_request(),
        )
        .await
        .unwrap();
    let malformed = "malformed".to_owned();
    assert_eq!(past, Outcome::Unusable { code: malformed });
    let edge = admission
        .admit(
            of_commands(&county, &key, BATCH_COMMANDS_MAX),
            &mut Room::of_request(),
        )
        .await
        .unwrap();
    let Outcome::Entered { unusual, .. } = edge else {
        panic!("{edge:?}");
    };
    assert_eq!(unusual.len(), BATCH_COMMANDS_MAX, "every one has its fate");
}

#[tokio::test]
async fn a_purpose_has_so_many_characters() {
    let county = County::new().await;
    for (chars, code) in [
        (REASON_CHARS_MAX, "ok"),
        (REASON_CHARS_MAX + 1, "invalid_field"),
    ] {
        let purpose = "核".repeat(chars);
        let answer = county.reveal("cs", county.visit, "illness", &purpose).await;
        assert_eq!(answer.code(), code);
    }
}

#[tokio::test]
async fn a_file_of_areas_has_so_many_bytes() {
    let world = World::founded().await;
    let sys = world.log_in("sys").await.pair();
    let file = |bytes: usize| {
        let mut file = "code,name,level,parent_code\n640000000000,宁夏回族自治区,province,\n"
            .as_bytes()
            .to_vec();
        file.resize(bytes, b'\n');
        let request = Request::post("/v1/areas/import")
            .header(header::CONTENT_TYPE, "text/csv")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", sys.access().unwrap()),
            );
        request.body(file.into()).unwrap()
    };
    assert_eq!(world.send(file(AREA_FILE_BYTES_MAX)).await.code(), "ok");
    let past = world.send(file(AREA_FILE_BYTES_MAX + 1)).await;
    assert_eq!(past.code(), "file_mistakes");
    assert_eq!(past.body["mistakes"][0]["code"], "too_large");
    let far_past = world.send(file(AREA_FILE_BYTES_MAX + 2)).await;
    assert_eq!(far_past.code(), "too_large");
}
