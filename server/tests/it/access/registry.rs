//! What a phone is sent of the registry: names, areas and keys of whom its person works with, while he does.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use sync_core::cbor;
use sync_core::id::{AreaId, DeviceId, Seq, UserId};
use sync_core::registry::{RegistryAct, from_command};
use sync_core::sign::SigningKey;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{SyncRequest, SyncResponse};

use crate::county::{County, SIBLING, VILLAGE, assignment, user};
use crate::world::request;

/// What a phone that knows the registry up to a position is sent of it.
pub(super) async fn acts(
    county: &County,
    user: UserId,
    device: DeviceId,
    known: Seq,
) -> Vec<RegistryAct> {
    let body = SyncRequest {
        protocol: PROTOCOL,
        cursors: Vec::new(),
        registry: known,
        batches: Vec::new(),
        carried: Vec::new(),
        budget_bytes: u32::MAX,
        checkpoint: 0,
    };
    let token = county.token(user, Some(device)).await;
    let mut request = request(&Method::POST, "/v1/sync", Some(&token), None);
    let cbor = "application/cbor".parse().unwrap();
    request.headers_mut().insert("content-type", cbor);
    *request.body_mut() = cbor::encode(&body).into();
    let (status, bytes) = county.world.send_bytes(request).await;
    assert_eq!(status, StatusCode::OK);
    let response: SyncResponse = cbor::decode(&bytes).unwrap();
    let deployment = county.world.app.deployment();
    let opened = (response.registry.iter()).map(|entry| entry.open(deployment, |_| None).unwrap());
    opened
        .flat_map(|entry| entry.parts.commands().collect::<Vec<_>>())
        .filter_map(|command| from_command::<RegistryAct>(&command))
        .map(|(act, _)| act)
        .collect()
}

/// The names of people that stand in acts.
fn names(acts: &[RegistryAct]) -> BTreeSet<&str> {
    let names = acts.iter().filter_map(|act| match act {
        RegistryAct::SetUser { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

async fn position(county: &County) -> Seq {
    let app = &county.world.app;
    let mut unit = app.store().read().await.unwrap();
    let registered = app.registrar().current(&mut *unit).await.unwrap();
    registered.registry.position().seq
}

fn known(name: &str) -> RegistryAct {
    RegistryAct::SetUser {
        user: user(name),
        name: format!("某{name}"),
        active: true,
    }
}

/// Somebody begins to work somewhere today.
fn joins(county: &County, name: &str, area: AreaId) -> RegistryAct {
    RegistryAct::Assign {
        assignment: assignment(&format!("{name} {area}")),
        user: user(name),
        role: "TM".to_owned(),
        area,
        from: county.now().date(),
        to: None,
        sent_by: Some(format!("{name}的单位")),
    }
}

fn enrols(name: &str, seed: u8) -> RegistryAct {
    RegistryAct::Enrol {
        key: SigningKey::from_seed([seed; 32]).public(),
        user: user(name),
        label: format!("{name}的手机"),
    }
}

fn leaves(county: &County, name: &str) -> RegistryAct {
    RegistryAct::EndAssignment {
        assignment: assignment(name),
        to: county.now().date(),
        for_cause: false,
    }
}

#[tokio::test]
async fn a_former_members_phone_learns_that_he_left_and_no_new_colleagues() {
    let county = County::new().await;
    // Known since long, elsewhere; and somebody who comes while he is still there.
    let elsewhere = joins(&county, "later", SIBLING);
    county.enter(&[known("later"), elsewhere]).await;
    let synced = position(&county).await;
    county.enter(&[known("during")]).await;
    county.enter(&[joins(&county, "during", VILLAGE)]).await;
    county.enter(&[leaves(&county, "tm")]).await;
    county.world.clock.advance(Duration::from_hours(24));
    county.enter(&[known("new"), enrols("new", 0x51)]).await;
    county.enter(&[joins(&county, "new", VILLAGE)]).await;
    county
        .enter(&[enrols("later", 0x52), joins(&county, "later", VILLAGE)])
        .await;
    county.enter(&[enrols("fs", 0x53)]).await;

    let phone = county.phones["tm"].device.id();
    let news = acts(&county, user("tm"), phone, synced).await;
    assert_eq!(names(&news), BTreeSet::from(["某during"]));
    assert!(news.contains(&RegistryAct::EndAssignment {
        assignment: assignment("tm"),
        to: county.now().date().plus_days(-1),
        for_cause: false,
    }));
    // A phone that pretends to know nothing gets no more.
    let all = acts(&county, user("tm"), phone, 0).await;
    let team = BTreeSet::from(["某fs", "某tm", "某vc", "某tw", "某cs", "某pa", "某during"]);
    assert!(team.is_subset(&names(&all)), "{:?}", names(&all));
    for act in news.iter().chain(&all) {
        let (text, late) = (
            format!("{act:?}"),
            ["某new", "某later", "的手机", "later的单位"],
        );
        assert!(!late.iter().any(|word| text.contains(word)), "{text}");
    }
    // Who stayed learns of everyone.
    let phone = county.phones["fs"].device.id();
    let news = acts(&county, user("fs"), phone, synced).await;
    let came = BTreeSet::from(["某during", "某new", "某later"]);
    assert_eq!(names(&news), came);
}

#[tokio::test]
async fn an_end_that_is_entered_late_counts_from_its_day() {
    let county = County::new().await;
    county.world.clock.advance(Duration::from_hours(48));
    county
        .enter(&[known("new"), joins(&county, "new", VILLAGE)])
        .await;
    let phone = county.phones["tm"].device.id();
    assert!(names(&acts(&county, user("tm"), phone, 0).await).contains("某new"));
    let mut end = leaves(&county, "tm");
    if let RegistryAct::EndAssignment { to, .. } = &mut end {
        *to = to.plus_days(-1);
    }
    county.enter(&[end]).await;
    assert!(!names(&acts(&county, user("tm"), phone, 0).await).contains("某new"));
}

#[tokio::test]
async fn whose_office_syncs_nothing_is_sent_himself_and_nobody_else() {
    let county = County::new().await;
    let mut unit = joins(&county, "unit", VILLAGE);
    if let RegistryAct::Assign { role, .. } = &mut unit {
        "PU".clone_into(role);
    }
    let phone = SigningKey::from_seed([0x54; 32]).public().device();
    county
        .enter(&[known("unit"), unit, enrols("unit", 0x54)])
        .await;
    county.db_account("unit").await;
    let acts = acts(&county, user("unit"), phone, 0).await;
    assert_eq!(names(&acts), BTreeSet::from(["某unit"]));
    let is_area = |act: &RegistryAct| matches!(act, RegistryAct::SetArea { .. });
    assert!(!acts.iter().any(is_area));
    assert!(
        acts.iter()
            .any(|act| matches!(act, RegistryAct::Found { .. }))
    );
}
