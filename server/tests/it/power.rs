//! The real program on a disk that loses its power, or fails to sync: the package `power-cut` plays that disk.
//!
//! What was acknowledged is there under `synchronous=FULL`; under what SQLite syncs with `NORMAL` it is not, so the disk has teeth.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use power_cut::{Cut, Disk};
use server::journals::kept;
use server::random::Random;
use sync_core::testing::TestRng;
use tokio::process::Command;
use tokio::sync::Notify;

use crate::field::{Field, PHONES};
use crate::program::Server;

const LOG: &str = "-wal";
const DATABASE: &str = "/zhucun.db";

/// How long a program may take to end.
const ENDING: Duration = Duration::from_mins(1);

/// The folder's own name, which a disk may lose as well.
fn data_of(field: &Field) -> PathBuf {
    field.folder.path().canonicalize().unwrap().join("data")
}

fn seeded() -> impl FnMut(u32) -> u32 {
    let seed: u64 = match std::env::var("ZHUCUN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from_be_bytes(Random::system().bytes()),
    };
    println!("ZHUCUN_SEED={seed}");
    let mut rng = TestRng::new(seed);
    move |end| u32::from_be_bytes(rng.bytes()) % end
}

fn was_cut(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// The size that the checkpoint outside the database names; 0 before the first.
fn kept_size(data: &Path) -> u64 {
    let Ok(note) = std::fs::read_to_string(data.join(kept::FILE)) else {
        return 0;
    };
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// Works until the power goes, at an operation or as soon as something was acknowledged; whether anything was, in these rounds.
async fn work_until_cut(field: &mut Field, mut server: Server, cut: Cut, round: u32) -> ExitStatus {
    for exchange in 0.. {
        for name in PHONES {
            field.save(
                name,
                &format!("{round}.{exchange} {}", "粮".repeat(exchange % 40)),
            );
        }
        let requests = field.requests();
        let address = server.address;
        let answered = Notify::new();
        let told = async {
            if matches!(cut, Cut::Told) && exchange > 1 {
                answered.notified().await;
                let id = server.child.id().unwrap().to_string();
                let signal = Command::new("kill").args(["-USR2", &id]).status().await;
                assert!(signal.unwrap().success());
            }
        };
        field.sync_while(address, &requests, &answered, told).await;
        if let Some(status) = server.child.try_wait().unwrap() {
            return status;
        }
        if matches!(cut, Cut::Told) && exchange > 1 {
            break;
        }
    }
    server.end().await
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    const ROUNDS: u32 = 24;
    let disk = Disk::build();
    let mut below = seeded();
    let mut field = Field::new().await;
    let data = data_of(&field);
    for round in 0..ROUNDS {
        let cut = match below(3) {
            0 => Cut::Told,
            _ => Cut::At(1 + below(600)),
        };
        let signed = kept_size(&data);
        let mut command = Server::command(field.folder.path());
        let command = command.envs(disk.under(&data, below(u32::MAX), cut));
        // The power may go before it serves.
        if let Some(server) = Server::try_run(command).await {
            let status = work_until_cut(&mut field, server, cut, round).await;
            assert!(was_cut(status), "{cut:?}: {status}");
        }
        assert!(kept_size(&data) >= signed, "{cut:?}: the kept checkpoint");

        let server = Server::start(field.folder.path()).await;
        assert_eq!(field.lost().await, [], "round {round}, {cut:?}");
        field.check_acknowledged(server.address).await;
    }
    assert!(
        power_cut::unsynced(&data) > 0,
        "there was something to lose"
    );
    let server = Server::start(field.folder.path()).await;
    field.sync_all(server.address).await;
    assert_eq!(field.lost().await, []);
    drop(server);
    field.check_bundle().await;
}

#[tokio::test]
async fn without_a_sync_for_each_commit_a_power_cut_loses_what_was_acknowledged() {
    const ROUNDS: u32 = 24;
    let disk = Disk::build();
    let mut below = seeded();
    for round in 0..ROUNDS {
        let mut field = Field::new().await;
        let data = data_of(&field);
        let mut command = Server::command(field.folder.path());
        let command = command.envs(disk.under(&data, below(u32::MAX), Cut::Told));
        command.envs([power_cut::lazy(LOG)]);
        let server = Server::run(command).await;
        let status = work_until_cut(&mut field, server, Cut::Told, round).await;
        assert!(was_cut(status), "{status}");
        assert!(!field.acknowledged.is_empty());
        // The database is whole, as NORMAL promises; only what was acknowledged last is not in it.
        if !field.lost().await.is_empty() {
            return;
        }
    }
    panic!("nothing was lost: what plays the disk has no teeth");
}

/// Has one of the syncs of a file fail under load, until the program ends by itself.
async fn check_failing_sync(file: &str, syncs: u32) {
    let disk = Disk::build();
    let mut below = seeded();
    let mut field = Field::new().await;
    let data = data_of(&field);
    // The last round fails where something has been acknowledged, whatever fell out before.
    for round in 0..4 {
        let failing = if round < 3 { 1 + below(syncs) } else { syncs };
        let mut command = Server::command(field.folder.path());
        let command = command.envs(disk.under(&data, below(u32::MAX), Cut::Told));
        command.envs(power_cut::failing(file, failing));
        let Some(mut server) = Server::try_run(command).await else {
            assert_eq!(field.lost().await, [], "it failed before it served");
            continue;
        };
        let mut number = 0;
        let status = loop {
            number += 1;
            assert!(number < 2_000, "it goes on although a sync failed");
            for name in PHONES {
                field.save(
                    name,
                    &format!("{round}.{number} {}", "粮".repeat(number % 50)),
                );
            }
            let answered = field.sync(server.address).await;
            if let Some(status) = server.child.try_wait().unwrap() {
                break status;
            }
            if !answered {
                // Nothing is piled up meanwhile: each batch is a commit of its own, and the next round is to acknowledge some.
                let end = tokio::time::timeout(ENDING, server.end()).await;
                break end.expect("it ends when a sync failed");
            }
        };
        assert!(
            status.code().is_some_and(|code| code != 0),
            "it ends by itself, and says that it failed: {status}"
        );
        // What the failed sync should have written is gone, and with it whatever was acknowledged on top of it.
        let server = Server::start(field.folder.path()).await;
        assert_eq!(field.lost().await, [], "round {round}");
        field.check_acknowledged(server.address).await;
    }
    assert!(!field.acknowledged.is_empty());
    let server = Server::start(field.folder.path()).await;
    field.sync_all(server.address).await;
    drop(server);
    field.check_bundle().await;
}

#[tokio::test]
async fn a_server_whose_disk_fails_to_sync_a_commit_stops_and_acknowledges_nothing_more() {
    check_failing_sync(LOG, 40).await;
}

#[tokio::test]
async fn a_server_whose_disk_fails_to_sync_what_it_copies_from_the_log_stops_and_loses_nothing() {
    check_failing_sync(DATABASE, 2).await;
}

/// Founds a deployment by command line; whether it said that it did.
async fn found(disk: Option<(&Disk, u32, Cut)>, data: &Path) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhucun"));
    command.arg("--data-dir").arg(data).arg("bootstrap");
    command.args([
        "--system",
        "han=韩志刚",
        "--security",
        "bai=白雪",
        "--audit",
        "ding=丁一鸣",
    ]);
    if let Some((disk, seed, cut)) = disk {
        command.envs(disk.under(data, seed, cut));
    }
    // The program knows its settings alone.
    command.env_remove("ZHUCUN_SEED");
    let founded = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&founded.stderr).into_owned();
    (founded.status.success(), said)
}

fn key(data: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(data.join("keys").join(name)).ok()
}

#[tokio::test]
async fn the_keys_survive_a_power_cut_with_the_database_that_needs_them() {
    let disk = Disk::build();
    let mut below = seeded();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    for round in 0..16 {
        let data = place.join(round.to_string());
        let cut = Cut::At(1 + below(250));
        let (founded, _) = found(Some((&disk, below(u32::MAX), cut)), &data).await;
        let before = key(&data, "operator.key");
        let (again, said) = found(None, &data).await;
        // Either it had been founded, or it is now; nobody is left with half of it.
        assert!(
            again != founded || said.contains("already"),
            "{cut:?}: {said}"
        );
        assert!(again || said.contains("already"), "{cut:?}: {said}");
        if before.is_some() {
            assert_eq!(
                key(&data, "operator.key"),
                before,
                "{cut:?}: another deployment"
            );
        }
    }
    let data = place.join("last");
    let (founded, said) = found(Some((&disk, 1, Cut::AtExit)), &data).await;
    assert!(founded, "{said}");
    let (again, said) = found(None, &data).await;
    assert!(
        !again && said.contains("already"),
        "what was said to be done is done: {said}"
    );
}
