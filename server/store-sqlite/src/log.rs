//! The write-ahead log, and when it is copied into the database file.
//!
//! `SQLite` would do that by itself after a commit, and takes no notice if it fails. A file whose sync failed may have lost pages that an
//! earlier run had copied, which no later run copies again; the next sync says that all is well, and the log that still had them
//! is overwritten. So it is switched off: the writer copies between two units, and a failure breaks the store for good.
//!
//! The connection that closes last copies once more and removes the log: this one, if the store is closed, for of two that close at a
//! time each may take the other for the last. After a failure it stays open until the process ends; the next process knows nothing of
//! what was copied, and copies the whole log.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use crate::failure::Health;

/// After so many units the log is looked at.
const UNITS: u32 = 16;
/// With so many pages in it, it is copied.
const PAGES: i64 = 1_000;

/// The log of one store; shared by its clones.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    units: AtomicU32,
    connection: Mutex<Option<SqliteConnection>>,
    health: Health,
}

impl Log {
    /// Over a connection that nobody uses.
    pub(crate) fn new(connection: SqliteConnection, health: Health) -> Self {
        Self(Arc::new(Inner {
            units: AtomicU32::new(0),
            connection: Mutex::new(Some(connection)),
            health,
        }))
    }

    /// Copies what has gathered, now and then; before a unit begins.
    pub(crate) async fn tend(&self, writer: &SqlitePool) -> Result<(), sqlx::Error> {
        if !(self.0.units.fetch_add(1, Ordering::Relaxed)).is_multiple_of(UNITS) {
            return Ok(());
        }
        // While the writer is held nobody appends, so that all of the log can be copied.
        let mut writer = writer.acquire().await?;
        let (_, pages, copied): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(NOOP)")
            .fetch_one(&mut *writer)
            .await?;
        if pages - copied >= PAGES {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                .fetch_one(&mut *writer)
                .await?;
        }
        Ok(())
    }

    /// Closes the last connection, once all others are.
    pub(crate) async fn close(&self) -> Result<(), sqlx::Error> {
        match self.0.take() {
            Some(last) => last.close().await,
            None => Ok(()),
        }
    }
}

impl Inner {
    /// The connection, unless it has to stay open.
    fn take(&self) -> Option<SqliteConnection> {
        let mut connection = (self.connection.lock()).unwrap_or_else(PoisonError::into_inner);
        let sound = self.health.check().is_ok();
        connection.take_if(|_| sound)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.health.check().is_err() {
            let connection = self.connection.get_mut();
            core::mem::forget(connection.unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
