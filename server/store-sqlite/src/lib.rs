//! The store in one SQLite file.
//!
//! One connection writes, several read. Every connection proves before its first use that it is durable
//! ([`OpenError::Connect`] otherwise), and after a failed write or commit the store is broken: it answers nothing more, because
//! what is on the disk is no longer known.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use store::Store as _;
//!
//! let store = store_sqlite::SqliteStore::open("zhucun-data/zhucun.db".as_ref()).await?;
//! let unit = store.begin().await?;
//! unit.commit().await?;
//! # Ok(())
//! # }
//! ```

mod accounts;
mod failure;
mod files;
mod journals;
mod log;
mod row;
mod rows;
mod segments;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Sqlite, Transaction};
use store::accounts::Session;
use store::{Reading, Store, StoreError, Unit};
use sync_core::id::SessionId;

use crate::failure::{Course, Health};
use crate::log::Log;

/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read at one time.
const READERS_MAX: u32 = 8;
/// What the writer keeps of the file in memory, in KiB (negative: so SQLite tells it from pages). A group of batches changes some
/// thousand pages; what does not fit is written twice and read again.
const WRITER_CACHE: &str = "-20480";
/// The same for each that reads: what is read again soon is in the system's own cache.
const READER_CACHE: &str = "-512";

/// Rows that a query is ahead of who takes them: as all are taken, the thread that reads need not stop and be woken on the way.
const ROWS_AHEAD: usize = 2_048;

/// Why the file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened, or a connection does not have the settings that make it durable.
    #[error("the database cannot be opened")]
    Connect(#[source] sqlx::Error),
    /// Its schema is not, and cannot be made, that of this release.
    #[error(
        "the database has another schema than this release needs; a newer release may have written it"
    )]
    Migrate(#[source] MigrateError),
}

/// A connection does not have a setting without which acknowledged writes could be lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "SQLite has {pragma} = {found}, but {wanted} is needed; is the folder on a network or read-only file system?"
)]
struct UnsafeSetting {
    pragma: &'static str,
    found: String,
    wanted: &'static str,
}

/// A store in one SQLite file. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    health: Health,
    log: Log,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings its schema to this release.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("wal_autocheckpoint", "0")
            .row_buffer_size(ROWS_AHEAD)
            .disable_statement_logging();
        // A pool would try a connection that is refused again and again; the first one fails at once.
        let mut first = options.connect().await.map_err(OpenError::Connect)?;
        prove_durable(&mut first)
            .await
            .map_err(OpenError::Connect)?;
        let health = Health::new();
        let log = Log::new(first, health.clone());
        let writer = pool(options.clone().pragma("cache_size", WRITER_CACHE), 1).await?;
        sqlx::migrate!("../../migrations/sqlite")
            .run(&writer)
            .await
            .map_err(OpenError::Migrate)?;
        let reading = options.pragma("query_only", "ON");
        let readers = pool(reading.pragma("cache_size", READER_CACHE), READERS_MAX).await?;
        Ok(Self {
            writer,
            readers,
            health,
            log,
        })
    }
}

async fn pool(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool, OpenError> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        // A file does not go away as a server does, and asking costs as much as a query.
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(prove_durable(connection)))
        .connect_with(options)
        .await
        .map_err(OpenError::Connect)
}

/// Reads back what was set: a pragma that cannot be had is ignored in silence.
async fn prove_durable(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let checks: [(&'static str, &'static str, &'static str); 4] = [
        ("journal_mode", "PRAGMA journal_mode", "wal"),
        ("synchronous", "PRAGMA synchronous", "2"),
        ("foreign_keys", "PRAGMA foreign_keys", "1"),
        ("wal_autocheckpoint", "PRAGMA wal_autocheckpoint", "0"),
    ];
    for (pragma, query, wanted) in checks {
        let found = match pragma {
            "journal_mode" => {
                sqlx::query_scalar::<_, String>(query)
                    .fetch_one(&mut *connection)
                    .await?
            }
            _ => sqlx::query_scalar::<_, i64>(query)
                .fetch_one(&mut *connection)
                .await?
                .to_string(),
        };
        if found != wanted {
            return Err(sqlx::Error::Configuration(Box::new(UnsafeSetting {
                pragma,
                found,
                wanted,
            })));
        }
    }
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    async fn read(&self) -> Result<Box<dyn Reading>, StoreError> {
        self.health.check()?;
        let transaction = self
            .readers
            .begin()
            .await
            .map_err(|error| self.health.judge(error))?;
        Ok(Box::new(SqliteUnit {
            transaction,
            course: Course::new(self.health.clone()),
        }))
    }

    async fn begin(&self) -> Result<Box<dyn Unit>, StoreError> {
        self.health.check()?;
        let tended = self.log.tend(&self.writer).await;
        tended.map_err(|error| self.health.judge(error))?;
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        let transaction = begun.map_err(|error| self.health.judge(error))?;
        Ok(Box::new(SqliteUnit {
            transaction,
            course: Course::new(self.health.clone()),
        }))
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.health.check()?;
        let connection = self.readers.acquire().await;
        let mut connection = connection.map_err(|error| self.health.judge(error))?;
        accounts::session(&mut connection, |error| self.health.judge(error), id).await
    }

    async fn broken(&self) {
        self.health.broken().await;
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.log.close().await {
            self.health.judge(error);
        }
    }
}

/// One transaction, reading or writing.
#[derive(Debug)]
struct SqliteUnit {
    transaction: Transaction<'static, Sqlite>,
    course: Course,
}

#[async_trait]
impl Unit for SqliteUnit {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let health = self.course.end()?;
        let committed = self.transaction.commit().await;
        committed.map_err(|error| health.break_down(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::accounts::{Account, Added};
    use store::personal::Personal;
    use sync_core::id::{Timestamp, UserId};
    use tempfile::TempDir;

    async fn open() -> (SqliteStore, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("zhucun.db"))
            .await
            .unwrap();
        (store, folder)
    }

    async fn reopen(folder: &TempDir) -> SqliteStore {
        SqliteStore::open(&folder.path().join("zhucun.db"))
            .await
            .unwrap()
    }

    mod contract {
        store::contract_tests!(crate::tests::open, crate::tests::reopen);
    }

    fn account(number: u16) -> Account {
        let [high, low] = number.to_be_bytes();
        let mut user = [high; 16];
        user[15] = low;
        Account {
            user: UserId(user),
            user_name: format!("name-{number}").parse().unwrap(),
            display_name: Personal("x".repeat(2_000)),
            password: None,
            created_at: Timestamp(0),
            disabled_at: None,
        }
    }

    #[tokio::test]
    async fn what_was_committed_is_there_when_the_file_is_opened_again() {
        let (store, folder) = open().await;
        let mut unit = store.begin().await.unwrap();
        assert_eq!(unit.add_account(&account(1)).await.unwrap(), Added::Done);
        unit.commit().await.unwrap();
        drop(store);
        let store = SqliteStore::open(&folder.path().join("zhucun.db"))
            .await
            .unwrap();
        assert_eq!(
            store
                .read()
                .await
                .unwrap()
                .account(account(1).user)
                .await
                .unwrap(),
            Some(account(1))
        );
    }

    #[tokio::test]
    async fn a_closed_store_is_one_file_and_begins_nothing_more() {
        let (store, folder) = open().await;
        let other = store.clone();
        let mut unit = store.begin().await.unwrap();
        assert_eq!(unit.add_account(&account(1)).await.unwrap(), Added::Done);
        let closing = tokio::spawn(async move { other.close().await });
        // It waits for the unit that is under way.
        unit.commit().await.unwrap();
        closing.await.unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, ["zhucun.db"]);
        for refused in [store.read().await.err(), store.begin().await.err()] {
            assert!(matches!(refused, Some(StoreError::Unavailable(_))));
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_durable_is_refused() {
        let error = SqliteStore::open(":memory:".as_ref())
            .await
            .expect_err("a database in memory has no WAL");
        assert!(matches!(error, OpenError::Connect(_)));
    }

    #[tokio::test]
    async fn a_schema_of_a_newer_release_is_refused() {
        let (store, folder) = open().await;
        let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'newer', CURRENT_TIMESTAMP, TRUE, x'00', 0)";
        sqlx::query(newer).execute(&store.writer).await.unwrap();
        drop(store);
        let error = SqliteStore::open(&folder.path().join("zhucun.db"))
            .await
            .expect_err("a newer schema");
        assert!(matches!(error, OpenError::Migrate(_)));
    }

    #[tokio::test]
    async fn what_was_kept_of_records_before_they_had_numbers_is_found_under_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zhucun.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true);
        let mut before = options.connect().await.unwrap();
        sqlx::migrate!("../../migrations/sqlite")
            .run_to(8, &mut before)
            .await
            .unwrap();
        // One that counts and is folded, one that is not folded yet, one of which nothing counts.
        let kept = "
            INSERT INTO record_index VALUES (x'0a', x'01', x'11'), (x'0a', x'02', x'12');
            INSERT INTO record VALUES (x'0a', x'03', 'visit', NULL, 0, 0, 0, 1, 0, 5, 6, 'three', x'23'),
                                      (x'0a', x'01', 'visit', 'draft', 2, 0, 1, 0, 0, 7, 8, 'one', x'21')";
        sqlx::raw_sql(kept).execute(&mut before).await.unwrap();
        sqlx::Connection::close(before).await.unwrap();

        let store = SqliteStore::open(&path).await.unwrap();
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT hex(record_id), hex(entry), concat_ws(' ', kind, state, audience, conflicted, flagged, unanswered, void,
                                                          created_at, changed_at, text), hex(body)
             FROM record_index LEFT JOIN record USING (number) ORDER BY journal_id, record_id",
        )
        .fetch_all(&store.readers)
        .await
        .unwrap();
        let expected = [
            ["01", "11", "visit draft 2 0 1 0 0 7 8 one", "21"],
            ["02", "12", "", ""],
            ["03", "", "visit 0 0 0 1 0 5 6 three", "23"],
        ]
        .map(|row| row.map(str::to_owned).into());
        assert_eq!(rows, expected);
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let (store, _keep) = open().await;
        let write = sqlx::query("DELETE FROM account")
            .execute(&store.readers)
            .await;
        assert!(write.is_err());
    }

    #[tokio::test]
    async fn a_full_disk_breaks_the_store_for_good() {
        let (store, folder) = open().await;
        let mut unit = store.begin().await.unwrap();
        unit.add_account(&account(1)).await.unwrap();
        unit.commit().await.unwrap();
        sqlx::query("PRAGMA max_page_count = 24")
            .execute(&store.writer)
            .await
            .unwrap();

        let mut unit = store.begin().await.unwrap();
        let mut filled = Ok(Added::Done);
        for number in 2..200 {
            filled = unit.add_account(&account(number)).await;
            if filled.is_err() {
                break;
            }
        }
        assert!(matches!(filled, Err(StoreError::Broken(_))), "{filled:?}");
        assert!(matches!(unit.commit().await, Err(StoreError::Broken(_))));
        assert!(matches!(store.begin().await, Err(StoreError::Broken(_))));
        assert!(matches!(store.read().await, Err(StoreError::Broken(_))));
        store.broken().await;

        drop(store);
        let store = SqliteStore::open(&folder.path().join("zhucun.db"))
            .await
            .unwrap();
        let mut reading = store.read().await.unwrap();
        assert!(
            reading.account(account(1).user).await.unwrap().is_some(),
            "what was acknowledged is there"
        );
        assert!(
            reading.account(account(2).user).await.unwrap().is_none(),
            "what was not is not"
        );
    }
}
