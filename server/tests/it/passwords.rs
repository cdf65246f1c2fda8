//! Changing passwords.

use serde_json::json;

use crate::world::{PASSWORD, World};

const NEW: &str = "correct horse battery staple";

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions() {
    let world = World::founded().await;
    let elsewhere = world.log_in("sys").await.pair();
    let here = world.log_in("sys").await.pair();
    let other = world.log_in("sec").await.pair();
    let change = json!({ "present": PASSWORD, "new": NEW });
    assert_eq!(
        world
            .post("/v1/password", here.access(), change)
            .await
            .status,
        204
    );
    assert!(world.is_signed_in(&here).await);
    assert!(!world.is_signed_in(&elsewhere).await);
    assert_eq!(
        world.refresh(&elsewhere.refresh).await.code(),
        "session_ended"
    );
    assert!(world.is_signed_in(&other).await);

    assert_eq!(world.log_in("sys").await.code(), "wrong_credentials");
    let log_in = json!({ "user_name": "sys", "password": NEW });
    assert_eq!(world.post("/v1/session", None, log_in).await.code(), "ok");
}

#[tokio::test]
async fn the_present_password_is_needed_and_guessing_it_is_slowed() {
    let world = World::founded().await;
    let pair = world.log_in("sys").await.pair();
    let wrong = json!({ "present": "wrong", "new": NEW });
    assert_eq!(
        world
            .post("/v1/password", pair.access(), wrong.clone())
            .await
            .code(),
        "wrong_credentials"
    );
    let mut last = String::new();
    for _ in 0..10 {
        last = world
            .post("/v1/password", pair.access(), wrong.clone())
            .await
            .code()
            .to_owned();
    }
    assert_eq!(last, "too_many_requests");
    assert_eq!(
        world.post("/v1/password", None, wrong).await.code(),
        "unauthenticated"
    );
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_old_one_stays() {
    let world = World::founded().await;
    let pair = world.log_in("sys").await.pair();
    for weak in ["short", "zhucun2026", "马秀兰马秀兰"] {
        let answer = world
            .post(
                "/v1/password",
                pair.access(),
                json!({ "present": PASSWORD, "new": weak }),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "password_weak")
        );
        world.pass(1);
    }
    assert_eq!(world.log_in("sys").await.code(), "ok");
}

#[tokio::test]
async fn a_code_stays_good_when_the_password_it_was_to_set_is_weak() {
    let world = World::empty().await;
    let code = server::session::founding::issue_code(&world.app)
        .await
        .unwrap()
        .unwrap()
        .reveal();
    let founded = world
        .post(
            "/v1/bootstrap",
            None,
            crate::world::founders(&code, PASSWORD),
        )
        .await;
    let code = &founded.body["administrators"][2]["code"];
    let set = async |new: &str| {
        world
            .post(
                "/v1/password/set",
                None,
                json!({ "code": code, "new": new }),
            )
            .await
    };
    assert_eq!(set("password").await.code(), "password_weak");
    assert_eq!(set(NEW).await.code(), "ok");
    let log_in = json!({ "user_name": "aud", "password": NEW });
    assert_eq!(world.post("/v1/session", None, log_in).await.code(), "ok");
}
