//! What operators read says nothing about people.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::world::{PASSWORD, World};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_name_password_token_code_or_query_is_ever_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let world = World::founded().await;
    let phone = world.db_enrol("sys", 1).await;
    let pair = world.log_in_on("sys", &phone).await.pair();
    let pair = world.refresh_on(&phone, &pair.refresh).await.pair();
    let wrong = json!({ "user_name": "ma.xiulan", "password": "hunter-secret" });
    world.post("/v1/session", None, wrong).await;
    world
        .get("/v1/session?phone=13800000000", pair.access())
        .await;
    world.get("/v1/13800000000", None).await;
    let change = json!({ "present": PASSWORD, "new": "correct horse battery staple" });
    world.post("/v1/password", pair.access(), change).await;
    world.delete("/v1/session", pair.access()).await;

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("session.started") && text.contains("password.changed"),
        "{text}"
    );
    let (access, refresh) = (pair.access.as_deref().unwrap(), pair.refresh.as_str());
    for secret in [
        "ma.xiulan",
        "马秀兰",
        "hunter",
        PASSWORD,
        "correct horse",
        "13800000000",
        access,
        refresh,
        "argon2id",
    ] {
        assert!(!text.contains(secret), "{secret} was logged:\n{text}");
    }
}
