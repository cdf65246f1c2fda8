//! New devices: a journal that fills a segment is packed once for all who read the same of it, and sent packed.

use axum::http::{Method, Request, header};
use server::check::{Ground, check};
use server::journals::fold;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use store::segments::{SegmentKey, StoredSegment};
use sync_core::cbor;
use sync_core::command::Verb;
use sync_core::id::UserId;
use sync_core::limits::{SEGMENT_BYTES, TEXT_CHARS_MAX};
use sync_core::registry::RegistryAct;
use sync_core::segment;
use sync_core::sign::SigningKey;
use sync_core::sync::device::{Identity, Intent, Target};
use sync_core::sync::wire::SyncResponse;
use sync_core::testing::{Phone, TestRng};
use sync_core::value::Value;

use crate::county::{County, JOURNAL, user};

/// Characters of one note: in columns each takes two bytes.
const NOTE_CHARS: usize = TEXT_CHARS_MAX - 384;

fn note(rng: &mut TestRng) -> String {
    let bytes: [u8; 2 * NOTE_CHARS] = rng.bytes();
    let chars = bytes.chunks_exact(2).map(|pair| {
        let number = u32::from(pair[0]) << 8 | u32::from(pair[1]);
        char::from_u32(0x4e00 + number % 16).unwrap()
    });
    chars.collect()
}

/// Records so many long notes, each in an entry of its own.
async fn record(county: &mut County, count: usize) {
    let mut rng = TestRng::new(1);
    for _ in 0..count {
        let household = Intent::create("household")
            .with("householder", Value::text("张三"))
            .with("note", Value::text(note(&mut rng)));
        county.save("fs", household);
        county.sync("fs").await;
    }
}

/// Another phone of somebody.
async fn new_phone(county: &County, of: &str, seed: u8) -> Phone {
    let key = SigningKey::from_seed([seed; 32]);
    let enrol = RegistryAct::Enrol {
        key: key.public(),
        user: user(of),
        label: "新手机".to_owned(),
    };
    county.enter(&[enrol]).await;
    let app = &county.world.app;
    let identity = Identity {
        deployment: app.deployment(),
        operator: app.registrar().operator().public(),
        user: user(of),
        seed: *key.to_seed(),
    };
    Phone::new(identity, (**app.catalogues()).clone())
}

async fn exchange(county: &County, who: UserId, phone: &mut Phone) -> SyncResponse {
    let token = county.token(who, Some(phone.device.id())).await;
    let now = county.now();
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/sync")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/cbor")
        .body(cbor::encode(&phone.request(now)).into())
        .unwrap();
    let (status, bytes) = county.world.send_bytes(request).await;
    assert!(status.is_success(), "{status}");
    let response: SyncResponse = cbor::decode(&bytes).unwrap();
    phone.take(&response, now).unwrap();
    response
}

/// The segments that a new phone is sent, once it knows its village, and how many entries with them.
async fn begins(county: &County, of: &str, seed: u8) -> (Phone, Vec<Vec<u8>>, usize) {
    let mut phone = new_phone(county, of, seed).await;
    exchange(county, user(of), &mut phone).await;
    let (mut segments, mut entries) = (Vec::new(), 0);
    loop {
        let response = exchange(county, user(of), &mut phone).await;
        let mut pages = response.journals.into_iter();
        let page = pages.find(|page| page.journal == JOURNAL).unwrap();
        segments.extend(page.segments.into_iter().map(|bytes| bytes.0));
        entries += page.entries.len();
        if !page.more {
            return (phone, segments, entries);
        }
    }
}

async fn kept(county: &County, scope: u8) -> Option<StoredSegment> {
    let mut unit = county.world.app.store().read().await.unwrap();
    let key = SegmentKey {
        journal: JOURNAL,
        scope,
        after: 0,
    };
    unit.segment(&key).await.unwrap()
}

#[tokio::test]
async fn a_new_phone_gets_what_fills_a_segment_packed_once_and_the_rest_as_one() {
    let mut county = County::new().await;
    record(&mut county, SEGMENT_BYTES / (2 * NOTE_CHARS) - 1).await;
    let everything = 0b1000_1111;
    assert_eq!(kept(&county, everything).await, None, "nobody asked yet");
    record(&mut county, 2).await;
    let (phone, segments, rest) = begins(&county, "fs", 71).await;
    assert_eq!((segments.len(), rest), (2, 0));
    let packed = kept(&county, everything).await.unwrap();
    assert_eq!(segments[0], packed.body.0);
    let end = county.phones["fs"].device.position(JOURNAL);
    assert_eq!(phone.device.position(JOURNAL), end);
    let records = phone.device.records(JOURNAL);
    assert_eq!(records, county.phones["fs"].device.records(JOURNAL));
    for record in records {
        let other = county.phones["fs"].device.record(JOURNAL, record);
        assert_eq!(phone.device.record(JOURNAL, record), other);
    }
    // The next one is sent the same bytes; who reads less is sent others.
    let (_, again, _) = begins(&county, "fs", 72).await;
    assert_eq!(again, segments);
    let (_, less, _) = begins(&county, "cs", 73).await;
    assert_ne!(less, segments);
}

/// What is remembered of a journal's end lasts until something comes, and not one erasure longer.
#[tokio::test]
async fn what_was_packed_of_a_journals_end_is_packed_anew_when_it_grows_and_when_something_is_erased()
 {
    let mut county = County::new().await;
    record(&mut county, 3).await;
    let (_, first, rest) = begins(&county, "fs", 76).await;
    assert_eq!((first.len(), rest), (1, 0));
    assert_eq!(
        kept(&county, 0b1000_1111).await,
        None,
        "it fills no segment"
    );
    let (_, again, _) = begins(&county, "fs", 77).await;
    assert_eq!(again, first);

    let secret = Intent::create("household").with("householder", Value::text("不留之名"));
    let erased = county.save("fs", secret);
    county.sync("fs").await;
    let deployment = county.world.app.deployment();
    let says = |segments: &[Vec<u8>]| {
        let entries = segments
            .iter()
            .flat_map(|packed| segment::open(deployment, packed).unwrap());
        let contents = entries.flat_map(|entry| entry.parts.contents.into_iter().flatten());
        let name = "不留之名".as_bytes();
        let is_in = |bytes: Vec<u8>| bytes.windows(name.len()).any(|part| part == name);
        contents
            .map(|content| cbor::encode(&content.content))
            .any(is_in)
    };
    let (_, grown, _) = begins(&county, "fs", 78).await;
    assert!(!says(&first) && says(&grown));

    county.sync("cs").await;
    let erasure = Intent::new(Target::Existing(erased), Verb::Erase).because("本人要求");
    county.save("cs", erasure);
    county.sync("cs").await;
    let (_, after, _) = begins(&county, "fs", 79).await;
    assert!(!says(&after));
}

/// Whoever begins would refuse a segment that was changed: the check finds it before.
#[tokio::test]
async fn a_segment_that_was_changed_is_found_by_the_check() {
    let mut county = County::new().await;
    record(&mut county, SEGMENT_BYTES / (2 * NOTE_CHARS) + 2).await;
    begins(&county, "fs", 75).await;
    let app = &county.world.app;
    fold::fold_all(app.store(), app.catalogues(), app.deployment())
        .await
        .unwrap();
    let disagreements = async || {
        let checked = check(&Ground::of(app), app.store()).await.unwrap();
        let told = checked.disagreements.into_iter().map(|found| found.what);
        told.collect::<Vec<_>>()
    };
    assert_eq!(disagreements().await, [] as [String; 0]);
    let path = app.config().data_dir.join("zhucun.db");
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    for change in [
        "body = CAST(body || x'00' AS BLOB)",
        "after = after + 1",
        "seq = seq - 1",
        "scope = scope - 1",
        "lacking = x'8101'",
        "head = zeroblob(32)",
    ] {
        let table = "CREATE TEMP TABLE before AS SELECT * FROM main.segment";
        for sql in [table.to_owned(), format!("UPDATE segment SET {change}")] {
            let query = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
            query.execute(&mut connection).await.unwrap();
        }
        assert_eq!(
            disagreements().await,
            ["a segment is not what its entries pack to"],
            "{change}"
        );
        let back =
            "DELETE FROM segment; INSERT INTO segment SELECT * FROM before; DROP TABLE before";
        sqlx::raw_sql(back).execute(&mut connection).await.unwrap();
    }
}

/// What is kept for a scope is not for whom it would withhold his own work.
#[tokio::test]
async fn who_wrote_what_others_may_not_read_gets_his_own_entries_whole() {
    let mut county = County::new().await;
    record(&mut county, SEGMENT_BYTES / (2 * NOTE_CHARS) + 2).await;
    let (_, segments, _) = begins(&county, "tw", 74).await;
    assert_eq!(segments.len(), 2, "a township wrote nothing here");
    let scope = {
        let mut unit = county.world.app.store().read().await.unwrap();
        let caller = sync_core::catalog::Capability::Sync;
        let registered = county
            .world
            .app
            .registrar()
            .current(&mut *unit)
            .await
            .unwrap();
        let catalogue = county.world.app.catalogue();
        let now = county.now();
        let reader =
            server::journals::pull::Reader::new(registered, catalogue, user("tw"), None, now);
        reader.unwrap().scope(JOURNAL, caller).unwrap()
    };
    let packed = kept(&county, scope.number()).await.unwrap();
    let devices = ["fs", "tm"].map(|name| county.phones[name].device.id());
    assert!(packed.lacking.iter().all(|device| devices.contains(device)));
    assert!(!packed.lacking.is_empty(), "a visit has a sensitive field");
}
