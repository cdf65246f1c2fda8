//! The first start.

use serde_json::json;
use server::session::founding;

use crate::world::{PASSWORD, World, founders};

async fn code(world: &World) -> String {
    founding::issue_code(&world.app)
        .await
        .unwrap()
        .expect("nobody has an account")
        .reveal()
}

#[tokio::test]
async fn the_first_code_makes_three_administrators_once() {
    let world = World::empty().await;
    let code = code(&world).await;
    let founded = world
        .post(
            "/v1/bootstrap",
            None,
            founders(&code.to_lowercase(), PASSWORD),
        )
        .await;
    assert_eq!(founded.status, 201, "{founded:?}");
    let administrators = founded.body["administrators"].as_array().unwrap();
    let roles: Vec<_> = administrators
        .iter()
        .map(|one| one["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["SYS", "SEC", "AUD"]);
    assert_eq!(world.log_in("sys").await.code(), "ok");

    assert_eq!(
        world.log_in("sec").await.code(),
        "wrong_credentials",
        "no password was set yet"
    );
    let set = json!({ "code": administrators[1]["code"], "new": PASSWORD });
    assert_eq!(
        world
            .post("/v1/password/set", None, set.clone())
            .await
            .code(),
        "ok"
    );
    assert_eq!(world.log_in("sec").await.code(), "ok");
    assert_eq!(
        world.post("/v1/password/set", None, set).await.code(),
        "code_invalid"
    );

    let again = world
        .post("/v1/bootstrap", None, founders(&code, PASSWORD))
        .await;
    assert_eq!(again.code(), "code_invalid");
    assert!(
        founding::issue_code(&world.app).await.unwrap().is_none(),
        "the door is closed for good"
    );
}

#[tokio::test]
async fn a_mistake_makes_nothing_and_leaves_the_code_good() {
    let world = World::empty().await;
    let code = code(&world).await;
    assert_eq!(
        world
            .post("/v1/bootstrap", None, founders(&code, "password1"))
            .await
            .code(),
        "password_weak"
    );
    let mut same = founders(&code, PASSWORD);
    same["audit"]["user_name"] = "SYS".into();
    assert_eq!(
        world.post("/v1/bootstrap", None, same).await.code(),
        "user_name_taken"
    );
    let mut nameless = founders(&code, PASSWORD);
    nameless["system"]["user_name"] = "a b".into();
    let answer = world.post("/v1/bootstrap", None, nameless).await;
    assert_eq!(
        (answer.code(), answer.text("field")),
        ("invalid_field", "user_name")
    );
    let mut nameless = founders(&code, PASSWORD);
    nameless["audit"]["display_name"] = " ".into();
    let answer = world.post("/v1/bootstrap", None, nameless).await;
    assert_eq!(
        (answer.code(), answer.text("field")),
        ("invalid_field", "display_name")
    );
    assert_eq!(
        world
            .post("/v1/bootstrap", None, founders(&code, PASSWORD))
            .await
            .code(),
        "ok"
    );
}

#[tokio::test]
async fn only_the_latest_code_is_good_and_for_a_day() {
    let world = World::empty().await;
    let (earlier, latest) = (code(&world).await, code(&world).await);
    for wrong in [earlier.as_str(), "0000-0000-0000-0000", "guess"] {
        let answer = world
            .post("/v1/bootstrap", None, founders(wrong, PASSWORD))
            .await;
        assert_eq!(answer.code(), "code_invalid", "{wrong}");
    }
    world.pass(24 * 60);
    let answer = world
        .post("/v1/bootstrap", None, founders(&latest, PASSWORD))
        .await;
    assert_eq!(answer.code(), "code_invalid");
}

#[tokio::test]
async fn guessing_codes_is_slowed() {
    let world = World::empty().await;
    let mut guesses = 0;
    let slowed = loop {
        let answer = world
            .post(
                "/v1/password/set",
                None,
                json!({ "code": "guess", "new": PASSWORD }),
            )
            .await;
        guesses += 1;
        if answer.code() != "code_invalid" {
            break answer;
        }
    };
    assert_eq!(slowed.code(), "too_many_requests");
    assert!(guesses < 100 && slowed.headers.contains_key("retry-after"));
}
