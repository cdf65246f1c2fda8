//! What SQLite itself keeps when the power goes, under the setting that the store insists on and under the next weaker one.
#![cfg(test)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use power_cut::{Cut, Disk};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

const FILE: &str = "ZHUCUN_POWER_FILE";
const NORMAL: &str = "ZHUCUN_POWER_NORMAL";
const ROWS: i64 = 30;

async fn open(file: &Path, synchronous: SqliteSynchronous) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .connect()
        .await
        .unwrap()
}

async fn rows(file: &Path) -> BTreeSet<i64> {
    let mut connection = open(file, SqliteSynchronous::Full).await;
    let rows = sqlx::query_scalar("SELECT number FROM row").fetch_all(&mut connection);
    rows.await.unwrap().into_iter().collect()
}

/// The child: commits one row after the other and says so of each. Without its file it does nothing.
#[tokio::test]
async fn child_that_commits() {
    let Some(file) = std::env::var_os(FILE) else {
        return;
    };
    let synchronous = match std::env::var_os(NORMAL) {
        Some(_) => SqliteSynchronous::Normal,
        None => SqliteSynchronous::Full,
    };
    let mut connection = open(Path::new(&file), synchronous).await;
    let mut out = std::io::stdout().lock();
    for number in 0..ROWS {
        sqlx::query("INSERT INTO row VALUES (?)")
            .bind(number)
            .execute(&mut connection)
            .await
            .unwrap();
        writeln!(out, "committed {number}").unwrap();
        out.flush().unwrap();
    }
    // The power goes while it is open: whoever closes last copies the log, and syncs.
    std::process::exit(0);
}

/// How many of the rows that were called committed are gone after a cut.
async fn lost(disk: &Disk, seed: u32, normal: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.db");
    let mut connection = open(&file, SqliteSynchronous::Full).await;
    let table = sqlx::query("CREATE TABLE row (number INTEGER PRIMARY KEY)");
    table.execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();

    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_commits", "--nocapture"]);
    child.env(FILE, &file);
    if normal {
        child.env(NORMAL, "1");
    }
    let child = child.envs(disk.under(folder.path(), seed, Cut::AtExit));
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let said = said
        .lines()
        .filter_map(|line| line.split_once("committed "));
    let said: BTreeSet<i64> = said.map(|(_, number)| number.parse().unwrap()).collect();
    assert_eq!(said.len(), usize::try_from(ROWS).unwrap());
    said.difference(&rows(&file).await).count()
}

#[tokio::test]
async fn a_power_cut_takes_what_was_committed_under_normal_and_nothing_under_full() {
    let disk = Disk::build();
    for seed in 0..8 {
        assert_eq!(lost(&disk, seed, false).await, 0, "under FULL");
    }
    assert!(lost(&disk, 0, true).await > 0, "under NORMAL");
}
