//! The last checkpoint outside the database, and a database that is behind it.

use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::json;
use server::app::{self, StartError};
use server::config::Config;
use server::journals::kept::{Behind, FILE, KeptError};
use server::journals::publish;
use server::random::Random;
use store::journals::LogLeaf;
use sync_core::sync::device::Intent;
use sync_core::value::Value;
use tempfile::TempDir;

use crate::county::{COUNTY, County, JOURNAL, user};
use crate::world::{World, request};

/// The database of a server as a backup takes it.
pub(crate) fn back_up(county: &County) -> TempDir {
    let backup = tempfile::tempdir().unwrap();
    let from = &county.world.app.config().data_dir;
    for name in ["zhucun.db", "zhucun.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), backup.path().join(name)).unwrap();
        }
    }
    backup
}

/// A folder with the database of a backup, and the keys of a server as they are now.
pub(crate) fn restore(county: &County, backup: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("keys")).unwrap();
    let keys = county.world.app.config().data_dir.join("keys");
    for file in fs::read_dir(keys).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), data.join("keys").join(file.file_name())).unwrap();
    }
    for file in fs::read_dir(backup).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), data.join(file.file_name())).unwrap();
    }
    folder
}

pub(crate) async fn record(county: &mut County, crop: &str) {
    let grows = Intent::set(county.household).with("group", Value::text(crop));
    county.save("fs", grows);
    county.sync("fs").await;
}

async fn leaves(world: &World) -> Vec<LogLeaf> {
    let mut unit = world.app.store().read().await.unwrap();
    unit.leaves(0).await.unwrap()
}

#[tokio::test]
async fn a_restored_older_database_admits_nothing_and_can_be_read() {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let fs_device = county.phones["fs"].device.id();
    let phone = county.token(user("fs"), Some(fs_device)).await;
    let (office, auditor) = (
        county.token(user("cs"), None).await,
        county.token(user("pa"), None).await,
    );
    let backup = back_up(&county);
    let then = leaves(&county.world).await.len() as u64;
    record(&mut county, "二组").await;
    publish::publish(&county.world.app).await.unwrap();
    let signed = leaves(&county.world).await.len() as u64;

    let old = World::restored(restore(&county, backup.path())).await;
    assert_eq!(old.app.kept().behind(), Some(Behind { signed, here: then }));
    assert_eq!(old.get("/readyz", None).await.code(), "behind_checkpoint");
    for (path, token) in [
        ("/v1/sync", Some(&phone)),
        ("/v1/enrol", None),
        ("/v1/users", Some(&office)),
        ("/v1/assignments", Some(&office)),
        ("/v1/areas/import", Some(&office)),
        ("/v1/reveal", Some(&office)),
        ("/v1/bootstrap", None),
        ("/v1/password/set", None),
    ] {
        let token = token.map(String::as_str);
        let answer = old.post(path, token, json!({})).await;
        assert_eq!(answer.code(), "behind_checkpoint", "{path}");
        assert_eq!(answer.status.as_u16(), 503, "{path}");
    }
    // What looks like reading and would enter that it was asked for.
    let bundle = format!("/v1/audit/bundle?area={COUNTY}");
    let answer = old.get(&bundle, Some(&auditor)).await;
    assert_eq!(answer.code(), "behind_checkpoint");
    assert!(
        publish::publish(&old.app).await.is_err(),
        "nothing is signed"
    );
    let mut unit = old.app.store().begin().await.unwrap();
    let entered = old
        .app
        .registrar()
        .enter(&mut *unit, &[], None, old.app.clock().now())
        .await;
    assert!(entered.is_err(), "whoever asks, at the command line too");
    drop(unit);
    assert_eq!(leaves(&old).await.len() as u64, then);

    let list = request(&Method::GET, "/v1/records", Some(&office), None);
    let (status, _) = old.send_bytes(list).await;
    assert!(status.is_success(), "it can be read");
    let log_in = json!({ "user_name": "nobody", "password": "wrong" });
    let refused = old.post("/v1/session", None, log_in).await;
    assert_ne!(refused.code(), "behind_checkpoint", "and logged in to");

    let now = World::restored(restore(&county, back_up(&county).path())).await;
    assert_eq!(now.app.kept().behind(), None);
    assert_eq!(now.get("/readyz", None).await.status.as_u16(), 204);
}

#[tokio::test]
async fn another_history_of_the_same_length_is_behind_too() {
    let mut county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let backup = back_up(&county);
    record(&mut county, "二组").await;
    publish::publish(&county.world.app).await.unwrap();
    let signed = leaves(&county.world).await.len() as u64;
    let note = fs::read_to_string(county.world.app.config().data_dir.join(FILE)).unwrap();

    // On a server that lost the file as well, the history goes on otherwise.
    let folder = restore(&county, backup.path());
    fs::remove_file(folder.path().join("data").join(FILE)).unwrap();
    county.world = World::restored(folder).await;
    assert_eq!(county.world.app.kept().behind(), None);
    let household = county.household;
    let group = Intent::set(household).with("group", Value::text("三组"));
    county.save("tm", group);
    county.sync("tm").await;
    publish::publish(&county.world.app).await.unwrap();
    assert_eq!(leaves(&county.world).await.len() as u64, signed);

    let other = restore(&county, back_up(&county).path());
    fs::write(other.path().join("data").join(FILE), note).unwrap();
    let other = World::restored(other).await;
    let here = signed;
    assert_eq!(other.app.kept().behind(), Some(Behind { signed, here }));
}

#[tokio::test]
async fn the_checkpoint_is_kept_before_it_is_shown_and_only_a_newer_one_replaces_it() {
    let mut county = County::new().await;
    let app = county.world.app.clone();
    let path = app.config().data_dir.join(FILE);
    assert!(!path.exists());
    assert_eq!(
        county.get("pa", "/v1/checkpoints/latest").await.code(),
        "not_found"
    );
    publish::publish(&app).await.unwrap();
    let first = fs::read_to_string(&path).unwrap();
    let shown = county.get("pa", "/v1/checkpoints/latest").await;
    assert_eq!(shown.body.as_str(), Some(first.as_str()));

    // The file cannot be written: the older one is shown until it can.
    let folder = path.parent().unwrap();
    fs::create_dir(folder.join("checkpoint.draft")).unwrap();
    record(&mut county, "二组").await;
    assert!(publish::publish(&app).await.is_err());
    let shown = county.get("pa", "/v1/checkpoints/latest").await;
    assert_eq!(shown.body.as_str(), Some(first.as_str()));
    let bundle = format!("/v1/audit/bundle?journal={JOURNAL}");
    let bundle = county.bytes("pa", &bundle).await.expect("a bundle");
    let bundle = sync_core::audit::Bundle::from_bytes(&bundle).unwrap();
    let report = sync_core::audit::verify(&bundle, Some(&first));
    assert!(report.holds(), "{:?}", report.findings);

    fs::remove_dir(folder.join("checkpoint.draft")).unwrap();
    publish::publish(&app).await.unwrap();
    let second = fs::read_to_string(&path).unwrap();
    assert_ne!(first, second);
    let shown = county.get("pa", "/v1/checkpoints/latest").await;
    assert_eq!(shown.body.as_str(), Some(second.as_str()));
}

#[tokio::test]
async fn a_file_that_is_no_checkpoint_of_this_log_starts_nothing() {
    let county = County::new().await;
    publish::publish(&county.world.app).await.unwrap();
    let folder = restore(&county, back_up(&county).path());
    let data = folder.path().join("data");
    let note = fs::read_to_string(data.join(FILE)).unwrap();
    for changed in [String::new(), note.replacen('\n', "\n9", 1)] {
        fs::write(data.join(FILE), changed).unwrap();
        let config = Config {
            data_dir: data.clone(),
            ..Config::default()
        };
        let clock = county.world.clock.clone();
        let started = app::assemble(config, clock, Random::seeded(1)).await;
        assert!(matches!(
            started,
            Err(StartError::Kept(KeptError::Foreign { .. }))
        ));
    }
}
