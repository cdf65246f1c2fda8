//! A server that was restored from an old backup, and the phones that refill it.

use std::fs;

use axum::body::Body;
use axum::http::{Method, Request, header};
use server::journals::kept::FILE;
use server::journals::publish;
use server::journals::refill::{self, ReopenFailure, Restored};
use store::journals::Stored;
use sync_core::audit::{self, Report};
use sync_core::cbor;
use sync_core::id::JournalId;
use sync_core::journal::{Chain, Fate};
use sync_core::record::Slot;
use sync_core::registry::{RegistryAct, registry_journal};
use sync_core::sign::SigningKey;
use sync_core::sync::device::Intent;
use sync_core::sync::refill::{RefillRequest, RefillResponse, SignedRefill};
use sync_core::value::Value;

use crate::county::{COUNTY, County, JOURNAL, user};
use crate::kept::{back_up, record, restore};
use crate::world::{Answer, World};

/// Everything that a journal's entries are on a server.
async fn entries(world: &World, journal: JournalId) -> Vec<Stored> {
    let mut unit = world.app.store().read().await.unwrap();
    unit.entries(journal, 0, usize::MAX).await.unwrap()
}

async fn chain(world: &World, journal: JournalId) -> Chain {
    let mut unit = world.app.store().read().await.unwrap();
    unit.chain(journal).await.unwrap().unwrap()
}

async fn post(county: &County, signed: &SignedRefill) -> Result<RefillResponse, Answer> {
    let ask = || {
        Request::builder()
            .method(Method::POST)
            .uri("/v1/refill")
            .header(header::CONTENT_TYPE, "application/cbor")
            .body(Body::from(cbor::encode(signed)))
            .unwrap()
    };
    let (status, bytes) = county.world.send_bytes(ask()).await;
    if status.is_success() {
        return Ok(cbor::decode(&bytes).unwrap());
    }
    Err(county.world.send(ask()).await)
}

/// A phone gives back what it can; how many entries were taken, and whether the server is behind afterwards.
async fn give_back(county: &County, name: &str) -> (u64, bool) {
    let device = &county.phones[name].device;
    let mut answer = post(county, &device.give_back(&[])).await.unwrap();
    let mut taken = 0;
    while answer.behind && !answer.wanted.is_empty() {
        let next = post(county, &device.give_back(&answer.wanted))
            .await
            .unwrap();
        taken += next.taken;
        if next.wanted == answer.wanted {
            return (taken, next.behind);
        }
        answer = next;
    }
    (taken, answer.behind)
}

/// A server whose database was lost after two days that were signed for, restored from before them.
async fn restored() -> (County, Vec<Stored>, String) {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let backup = back_up(&county);
    for group in ["二组", "三组"] {
        record(&mut county, group).await;
        county
            .enter(&[RegistryAct::SetUser {
                user: user("somebody new"),
                name: format!("某{group}"),
                active: true,
            }])
            .await;
        county.sync("tm").await;
    }
    publish::publish(&county.world.app).await.unwrap();
    county.sync("fs").await;
    county.sync("tm").await;
    let before = entries(&county.world, JOURNAL).await;
    let note = fs::read_to_string(county.world.app.config().data_dir.join(FILE)).unwrap();
    let folder = restore(&county, backup.path());
    county.world = World::restored(folder).await;
    assert!(county.world.app.kept().behind().is_some());
    (county, before, note)
}

async fn audit(county: &County, since: &str) -> Report {
    publish::publish(&county.world.app).await.unwrap();
    let bundle = county
        .bytes("pa", &format!("/v1/audit/bundle?area={COUNTY}"))
        .await
        .expect("a bundle");
    let report = audit::verify(&audit::Bundle::from_bytes(&bundle).unwrap(), Some(since));
    assert!(report.holds(), "{:?}", report.findings);
    report
}

/// What a phone shows of the household's group.
fn group(county: &County, name: &str) -> String {
    let device = &county.phones[name].device;
    let record = device.record(JOURNAL, county.household).unwrap();
    let Some(Slot::Register(held)) = record.fields.get("group") else {
        return String::new();
    };
    let values: Vec<&str> = held
        .iter()
        .filter_map(|held| held.value.as_text())
        .collect();
    values.join("|")
}

#[tokio::test]
async fn a_restored_server_is_refilled_at_the_old_positions_and_takes_new_work_again() {
    let (mut county, before, note) = restored().await;
    let registry = registry_journal(county.world.app.deployment());
    let (taken, behind) = give_back(&county, "tm").await;
    assert!(taken >= 2, "{taken}");
    assert!(!behind);
    assert!(county.world.app.kept().behind().is_none());
    let after = entries(&county.world, JOURNAL).await;
    let heads = |entries: &[Stored]| -> Vec<_> {
        let entry = |stored: &Stored| (stored.head.clone(), stored.chain_head);
        entries.iter().map(entry).collect()
    };
    assert_eq!(heads(&after), heads(&before));
    assert!(chain(&county.world, registry).await.end.seq > 2);

    record(&mut county, "四组").await;
    county.sync("tm").await;
    for name in ["fs", "tm"] {
        assert!(group(&county, name).contains("四组"));
    }
    let report = audit(&county, &note).await;
    assert!(report.since.is_some());
    assert!(report.lost.iter().all(|lost| lost.covered <= lost.at));
    // The same after a restart.
    let folder = restore(&county, back_up(&county).path());
    let again = World::restored(folder).await;
    assert!(again.app.kept().behind().is_none());
}

#[tokio::test]
async fn what_no_checkpoint_covered_is_brought_anew_and_counts_once() {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let backup = back_up(&county);
    record(&mut county, "二组").await;
    publish::publish(&county.world.app).await.unwrap();
    // Nobody signs for this before it is lost.
    record(&mut county, "三组").await;
    county.sync("tm").await;
    let folder = restore(&county, backup.path());
    county.world = World::restored(folder).await;
    let lost = county.phones["tm"].device.position(JOURNAL).unwrap().seq;
    let (_, behind) = give_back(&county, "tm").await;
    assert!(!behind);
    assert_eq!(chain(&county.world, JOURNAL).await.end.seq, lost - 1);

    county.sync("tm").await;
    assert!(
        group(&county, "tm").contains("二组"),
        "{}",
        group(&county, "tm")
    );
    county.sync("fs").await;
    county.sync("tm").await;
    for name in ["fs", "tm"] {
        let shown = group(&county, name);
        assert!(shown.contains("三组") && !shown.contains("二组"), "{shown}");
        assert!(county.phones[name].device.unsent().is_empty());
        assert!(county.phones[name].device.to_answer().is_empty());
    }
    assert_eq!(chain(&county.world, JOURNAL).await.end.seq, lost);
    let phone = county.phones.get_mut("fs").unwrap();
    let end = phone.device.position(JOURNAL);
    phone.restart();
    assert_eq!(
        phone.device.position(JOURNAL),
        end,
        "it is durable there too"
    );
}

#[tokio::test]
async fn what_came_after_the_last_checkpoint_is_brought_anew_once_the_operator_says_what_he_restored()
 {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let backup = back_up(&county);
    let note = fs::read_to_string(county.world.app.config().data_dir.join(FILE)).unwrap();
    // Nobody signs for this before it is lost, and nothing for anything after the copy.
    record(&mut county, "二组").await;
    county.sync("tm").await;
    let folder = restore(&county, backup.path());
    county.world = World::restored(folder).await;
    let app = county.world.app.clone();
    assert!(app.kept().behind().is_none());
    let lost = county.phones["tm"].device.position(JOURNAL).unwrap().seq;
    assert_eq!(chain(&county.world, JOURNAL).await.end.seq, lost - 1);

    refill::reopen(&app, "恢复了昨夜的备份", Restored::Yes)
        .await
        .unwrap();
    for name in ["tm", "fs", "tm"] {
        county.sync(name).await;
    }
    for name in ["fs", "tm"] {
        assert_eq!(group(&county, name), "二组");
        assert!(county.phones[name].device.unsent().is_empty());
    }
    assert_eq!(chain(&county.world, JOURNAL).await.end.seq, lost);
    let report = audit(&county, &note).await;
    assert!(report.since.is_some());
    assert!(report.lost.iter().all(|lost| lost.covered <= lost.at));
}

/// The same request with something changed in it, under the same key.
fn altered(
    county: &County,
    name: &str,
    signed: &SignedRefill,
    change: impl Fn(&mut RefillRequest),
) -> SignedRefill {
    let key = SigningKey::from_seed(user(name).0.repeat(2).try_into().unwrap());
    let deployment = county.world.app.deployment();
    let mut request = signed.open(deployment, &key.public()).unwrap();
    change(&mut request);
    SignedRefill::new(&request, deployment, &key)
}

type Change = fn(&mut RefillRequest);

#[tokio::test]
async fn nothing_that_was_altered_is_taken_back() {
    let (county, ..) = restored().await;
    let device = &county.phones["tm"].device;
    let end = chain(&county.world, JOURNAL).await.end;
    let answer = post(&county, &device.give_back(&[])).await.unwrap();
    let honest = device.give_back(&answer.wanted);
    let changes: [(&str, Change); 6] = [
        ("a fate", |request| {
            request.runs[0].entries[0].unusual = vec![(0, Fate::NoEffect("superseded".to_owned()))];
        }),
        ("a receipt", |request| {
            let at = request.runs[0].entries[0].received_at;
            request.runs[0].entries[0].received_at = at.plus_ms(1);
        }),
        ("an authority", |request| {
            request.runs[0].entries[0].registry.seq += 1;
        }),
        ("an order", |request| request.runs[0].entries.reverse()),
        ("a digest", |request| request.runs[0].digests[0].0[0] ^= 1),
        ("one that is left out", |request| {
            request.runs[0].entries.remove(0);
        }),
    ];
    for (what, change) in changes {
        let forged = altered(&county, "tm", &honest, change);
        let refused = post(&county, &forged).await.unwrap_err();
        assert_eq!(refused.code(), "not_the_entries", "{what}");
        assert_eq!(chain(&county.world, JOURNAL).await.end, end, "{what}");
    }
    let mut unsigned = honest.clone();
    unsigned.signature.bytes[0] ^= 1;
    assert_eq!(
        post(&county, &unsigned).await.unwrap_err().code(),
        "device_unusable"
    );
    let (_, behind) = give_back(&county, "tm").await;
    assert!(!behind);
}

#[tokio::test]
async fn what_nobody_holds_stays_lost_and_every_auditor_sees_it() {
    let (mut county, before, note) = restored().await;
    let app = county.world.app.clone();
    refill::reopen(&app, "数据库损坏，备份不全", Restored::NotSaid)
        .await
        .unwrap();
    assert!(matches!(
        refill::reopen(&app, "再来一次", Restored::NotSaid).await,
        Err(ReopenFailure::NotBehind)
    ));
    let report = audit(&county, &note).await;
    let lost = report.lost.iter().find(|lost| lost.journal == JOURNAL);
    let lost = lost.expect("it is told");
    assert_eq!(lost.covered, before.last().unwrap().head.seq);
    assert!(lost.at < lost.covered);
    assert_eq!(lost.reason, "数据库损坏，备份不全");

    // Who wrote what was lost brings it anew; who only read it forgets it.
    county.sync("tm").await;
    let at = |county: &County| county.phones["tm"].device.position(JOURNAL).unwrap().seq;
    assert_eq!(at(&county), lost.at);
    county.sync("fs").await;
    county.sync("tm").await;
    assert!(at(&county) > lost.at);
    assert!(group(&county, "tm").contains("三组"));
    let report = audit(&county, &note).await;
    assert!(report.since.is_some());
    // A later loss is held against the new epoch.
    let folder = restore(&county, back_up(&county).path());
    let again = World::restored(folder).await;
    assert!(again.app.kept().behind().is_none());
}

#[tokio::test]
async fn a_larger_checkpoint_that_a_phone_shows_stops_admission_and_after_a_restart_too() {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let folder = restore(&county, back_up(&county).path());
    record(&mut county, "二组").await;
    publish::publish(&county.world.app).await.unwrap();
    county.sync("fs").await;
    assert!(county.phones["fs"].device.checkpoint().is_some());
    // Database and keys are restored from one old backup: they do not contradict each other.
    county.world = World::restored(folder).await;
    assert!(county.world.app.kept().behind().is_none());
    let tm = county.phones["tm"].device.give_back(&[]);
    assert!(!post(&county, &tm).await.unwrap().behind);
    let token = county
        .token(user("fs"), Some(county.phones["fs"].device.id()))
        .await;
    let now = county.now();
    let body = cbor::encode(&county.phones.get_mut("fs").unwrap().request(now));
    let sync = Request::builder()
        .method(Method::POST)
        .uri("/v1/sync")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/cbor")
        .body(Body::from(body))
        .unwrap();
    assert_eq!(
        county.world.send(sync).await.code(),
        "behind_checkpoint",
        "its phone is told so"
    );
    let fs = county.phones["fs"].device.give_back(&[]);
    assert!(post(&county, &fs).await.unwrap().behind);
    assert!(county.world.app.kept().guard().is_err());
    let group = Intent::set(county.household).with("group", Value::text("五组"));
    county.save("tm", group);
    let folder = restore(&county, back_up(&county).path());
    let again = World::restored(folder).await;
    assert!(again.app.kept().behind().is_some());
}
