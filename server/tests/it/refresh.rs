//! Staying logged in, over bad lines and against thieves.

use futures::future::join_all;
use serde_json::json;

use crate::world::{Pair, Phone, World};

const DAY: u64 = 24 * 60;

async fn on_a_phone() -> (World, Phone, Pair) {
    let world = World::founded().await;
    let phone = world.db_enrol("sys", 1).await;
    let pair = world.log_in_on("sys", &phone).await.pair();
    (world, phone, pair)
}

#[tokio::test]
async fn a_lost_reply_is_had_again() {
    let (world, phone, first) = on_a_phone().await;
    let lost = world.refresh_on(&phone, &first.refresh).await.pair();
    for _ in 0..3 {
        world.pass(60);
        let again = world.refresh_on(&phone, &first.refresh).await.pair();
        assert_eq!(again.refresh, lost.refresh, "the same successor");
        assert!(world.is_signed_in(&again).await);
    }
    let second = world.refresh_on(&phone, &lost.refresh).await.pair();
    assert_ne!(second.refresh, lost.refresh);
    assert_eq!(second.session, first.session);
}

#[tokio::test]
async fn an_honest_phone_on_a_bad_line_is_never_thrown_out() {
    let (world, phone, mut pair) = on_a_phone().await;
    for round in 0..100_u32 {
        // The reply is lost two times of three; the phone asks again with what it has.
        let answer = world.refresh_on(&phone, &pair.refresh).await.pair();
        assert!(world.is_signed_in(&answer).await);
        if round % 3 == 0 {
            pair = answer;
        }
        world.pass(u64::from(round));
    }
}

#[tokio::test]
async fn the_same_request_many_times_at_once_gives_one_successor() {
    let (world, phone, first) = on_a_phone().await;
    let answers = join_all((0..8).map(|_| world.refresh_on(&phone, &first.refresh))).await;
    let successors: Vec<_> = answers.iter().map(|answer| answer.pair().refresh).collect();
    assert!(
        successors
            .iter()
            .all(|successor| *successor == successors[0])
    );
}

#[tokio::test]
async fn a_token_that_comes_back_after_its_successor_was_used_ends_the_session() {
    let world = World::founded().await;
    let stolen = world.log_in("sys").await.pair();
    let other = world.log_in("sys").await.pair();
    let second = world.refresh(&stolen.refresh).await.pair();
    let third = world.refresh(&second.refresh).await.pair();
    assert!(world.is_signed_in(&third).await);

    assert_eq!(world.refresh(&stolen.refresh).await.code(), "session_ended");
    assert!(
        !world.is_signed_in(&third).await,
        "nobody holds it any more"
    );
    assert_eq!(world.refresh(&third.refresh).await.code(), "session_ended");
    assert!(
        world.is_signed_in(&other).await,
        "another session of the person goes on"
    );
}

#[tokio::test]
async fn a_thief_with_the_successor_is_found_when_the_owner_comes() {
    let world = World::founded().await;
    let owner = world.log_in("sys").await.pair();
    let thief = world.refresh(&owner.refresh).await.pair();
    let thief = world.refresh(&thief.refresh).await.pair();
    assert_eq!(world.refresh(&owner.refresh).await.code(), "session_ended");
    assert!(!world.is_signed_in(&thief).await);
}

#[tokio::test]
async fn a_token_without_the_device_is_worth_nothing_and_does_no_harm() {
    let (world, phone, first) = on_a_phone().await;
    assert_eq!(
        first.access, None,
        "a device refreshes first, and so proves its key"
    );
    let second = world.refresh_on(&phone, &first.refresh).await.pair();
    let third = world.refresh_on(&phone, &second.refresh).await.pair();

    let another = world.db_enrol("sys", 2).await;
    for token in [&third.refresh, &first.refresh] {
        let proofs = [
            json!(null),
            another.prove(&world, token),
            phone.prove(&world, "another token"),
            json!({ "algorithm": 2, "bytes": phone.prove(&world, token)["bytes"] }),
            json!({ "algorithm": 1, "bytes": "" }),
            json!({ "algorithm": 1, "bytes": "not base64!" }),
        ];
        for proof in proofs {
            let body = json!({ "refresh_token": token, "proof": proof });
            let answer = world.post("/v1/session/refresh", None, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (401, "device_proof")
            );
        }
    }
    assert!(
        world.is_signed_in(&third).await,
        "whoever found an old token cannot end the session"
    );
    assert_eq!(world.refresh_on(&phone, &third.refresh).await.code(), "ok");
    assert_eq!(
        world.refresh_on(&phone, &first.refresh).await.code(),
        "session_ended",
        "a cloned phone is found"
    );
    assert!(!world.is_signed_in(&third).await);
}

#[tokio::test]
async fn only_ones_own_living_device_can_be_logged_in_on() {
    let (world, phone, pair) = on_a_phone().await;
    assert_eq!(
        world.log_in_on("sec", &phone).await.code(),
        "device_unusable"
    );
    let mut unit = world.app.store().begin().await.unwrap();
    unit.end_device(phone.id, sync_core::id::Timestamp(1))
        .await
        .unwrap();
    unit.commit().await.unwrap();
    assert_eq!(
        world.log_in_on("sys", &phone).await.code(),
        "device_unusable"
    );
    assert_eq!(
        world.refresh_on(&phone, &pair.refresh).await.code(),
        "device_unusable",
        "logging in again would not help"
    );
    assert_eq!(
        world.refresh(&pair.refresh).await.code(),
        "device_proof",
        "who does not prove the key learns nothing"
    );
    let unknown = Phone {
        id: sync_core::id::DeviceId([9; 16]),
        ..phone
    };
    assert_eq!(
        world.log_in_on("sys", &unknown).await.code(),
        "device_unusable"
    );
}

#[tokio::test]
async fn tokens_that_are_none_are_refused() {
    let (world, _, pair) = on_a_phone().await;
    let never_issued = format!("zhr_{}", "A".repeat(43));
    for token in [
        "",
        "zhr_",
        "x",
        &never_issued,
        pair.refresh.trim_end_matches(char::is_alphanumeric),
    ] {
        assert_eq!(
            world.refresh(token).await.code(),
            "session_ended",
            "{token}"
        );
    }
}

#[tokio::test]
async fn an_access_token_lasts_minutes_and_is_no_refresh_token() {
    let world = World::founded().await;
    let pair = world.log_in("sys").await.pair();
    let access = pair.access().unwrap();
    assert_eq!(world.refresh(access).await.code(), "session_ended");
    assert_eq!(
        world.get("/v1/session", Some(&pair.refresh)).await.code(),
        "unauthenticated"
    );
    world.pass(9);
    assert!(world.is_signed_in(&pair).await);
    world.pass(1);
    assert!(!world.is_signed_in(&pair).await);
    assert!(
        world
            .is_signed_in(&world.refresh(&pair.refresh).await.pair())
            .await
    );
}

#[tokio::test]
async fn a_browser_left_alone_is_logged_out_and_so_is_one_that_is_not() {
    let world = World::founded().await;
    let idle = world.log_in("sys").await.pair();
    world.pass(30);
    assert_eq!(world.refresh(&idle.refresh).await.code(), "session_ended");

    let mut busy = world.log_in("sys").await.pair();
    for _ in 0..24 {
        busy = world.refresh(&busy.refresh).await.pair();
        world.pass(29);
    }
    busy = world.refresh(&busy.refresh).await.pair();
    world.pass(24);
    assert_eq!(
        world.refresh(&busy.refresh).await.code(),
        "session_ended",
        "twelve hours have passed"
    );
}

#[tokio::test]
async fn a_phone_may_stay_away_for_weeks() {
    let (world, phone, mut pair) = on_a_phone().await;
    for _ in 0..6 {
        world.pass(29 * DAY);
        pair = world.refresh_on(&phone, &pair.refresh).await.pair();
    }
    world.pass(6 * DAY);
    assert_eq!(
        world.refresh_on(&phone, &pair.refresh).await.code(),
        "session_ended",
        "180 days have passed"
    );
    let pair = world.log_in_on("sys", &phone).await.pair();
    world.pass(30 * DAY);
    assert_eq!(
        world.refresh_on(&phone, &pair.refresh).await.code(),
        "session_ended",
        "30 days without a word"
    );
}
