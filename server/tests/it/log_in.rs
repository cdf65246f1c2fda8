//! Logging in.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::world::{PASSWORD, World, request};

#[tokio::test]
async fn a_person_logs_in_is_known_and_logs_out() {
    let world = World::founded().await;
    let pair = world.log_in(" Sys ").await.pair();
    let who = world.get("/v1/session", pair.access()).await;
    assert_eq!(
        (who.text("user_name"), who.text("display_name")),
        ("sys", "马秀兰")
    );
    assert_eq!(who.body["session"]["id"], pair.session);
    assert_eq!(world.delete("/v1/session", pair.access()).await.status, 204);
    assert_eq!(
        world.get("/v1/session", pair.access()).await.code(),
        "unauthenticated"
    );
    assert_eq!(world.refresh(&pair.refresh).await.code(), "session_ended");
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_get_one_answer() {
    let world = World::founded().await;
    let attempt = async |user_name: &str, password: &str| {
        world
            .post(
                "/v1/session",
                None,
                json!({ "user_name": user_name, "password": password }),
            )
            .await
    };
    let wrong = attempt("sys", "wrong").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.code()),
        (401, "wrong_credentials")
    );
    let long = "x".repeat(10_000);
    for (user_name, password) in [
        ("nobody", PASSWORD),
        ("aud", ""),
        ("not a name", PASSWORD),
        ("sys", &long),
        (&long, ""),
    ] {
        assert_eq!(attempt(user_name, password).await.body, wrong.body);
    }
}

#[tokio::test]
async fn a_disabled_account_is_as_one_that_does_not_exist() {
    let world = World::founded().await;
    let pair = world.log_in("sec").await.pair();
    let mut unit = world.app.store().begin().await.unwrap();
    let user = unit
        .account_named(&"sec".parse().unwrap())
        .await
        .unwrap()
        .unwrap()
        .user;
    unit.disable_account(user, sync_core::id::Timestamp(1))
        .await
        .unwrap();
    unit.commit().await.unwrap();
    assert_eq!(world.log_in("sec").await.code(), "wrong_credentials");
    assert!(!world.is_signed_in(&pair).await);
    assert_eq!(world.refresh(&pair.refresh).await.code(), "session_ended");
}

#[tokio::test]
async fn attempts_are_spaced_out_and_nobody_is_locked_out() {
    let world = World::founded().await;
    let wrong = json!({ "user_name": "sys", "password": "wrong" });
    let mut slowed = world.post("/v1/session", None, wrong.clone()).await;
    for _ in 0..20 {
        slowed = world.post("/v1/session", None, wrong.clone()).await;
    }
    assert_eq!(
        (slowed.status.as_u16(), slowed.code()),
        (429, "too_many_requests")
    );
    assert_eq!(
        world.log_in("sys").await.code(),
        "too_many_requests",
        "the right password waits as well"
    );
    let elsewhere = request(
        &Method::POST,
        "/v1/session",
        None,
        Some(json!({ "user_name": "sys", "password": PASSWORD })),
    );
    let elsewhere = world
        .send_from(Ipv4Addr::new(192, 0, 2, 2), elsewhere)
        .await;
    assert_eq!(
        elsewhere.code(),
        "ok",
        "an attack from one address does not keep the person out at another"
    );

    let seconds = slowed.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds <= 11);
    world.clock.advance(Duration::from_secs(seconds));
    assert_eq!(world.log_in("sys").await.code(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_wrong_log_ins_at_once_take_the_memory_of_two() {
    let world = Arc::new(World::founded().await);
    let attempts: Vec<_> = (0..1_000_u32)
        .map(|number| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let body = json!({ "user_name": format!("name-{number}"), "password": "wrong" });
                let request = request(&Method::POST, "/v1/session", None, Some(body));
                let answer = world
                    .send_from(Ipv4Addr::from_bits(0x0A00_0000 + number), request)
                    .await;
                (
                    answer.code().to_owned(),
                    answer.headers.contains_key("retry-after"),
                )
            })
        })
        .collect();
    let mut answers = Vec::new();
    for attempt in attempts {
        answers.push(attempt.await.unwrap());
    }
    let busy = answers
        .iter()
        .filter(|answer| **answer == ("busy".to_owned(), true))
        .count();
    let wrong = answers
        .iter()
        .filter(|answer| **answer == ("wrong_credentials".to_owned(), false))
        .count();
    assert_eq!(busy + wrong, 1_000, "{answers:?}");
    assert!(wrong > 0 && world.app.passwords().most_at_once() <= 2);
    assert_eq!(
        world.log_in("sys").await.code(),
        "ok",
        "honest people get in again at once"
    );
}
