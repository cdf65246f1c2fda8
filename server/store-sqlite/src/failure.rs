//! What SQLite's errors mean for what can be trusted afterwards.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use store::StoreError;
use tokio::sync::watch;

/// Whether the store can still be trusted; shared by all its units.
#[derive(Debug, Clone)]
pub(crate) struct Health(Arc<watch::Sender<bool>>);

/// The store failed before.
#[derive(Debug, thiserror::Error)]
#[error("an earlier write or commit failed")]
struct FailedBefore;

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(true)))
    }

    /// Fails if the store failed before.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if *self.0.borrow() {
            Ok(())
        } else {
            Err(StoreError::Broken(Box::new(FailedBefore)))
        }
    }

    /// Notes that the store has failed.
    pub(crate) fn break_down(&self, error: impl Error + Send + Sync + 'static) -> StoreError {
        self.0.send_replace(false);
        StoreError::Broken(Box::new(error))
    }

    /// Returns once the store has failed.
    pub(crate) async fn broken(&self) {
        let mut sound = self.0.subscribe();
        sound
            .wait_for(|sound| !sound)
            .await
            .expect("the sender lives as long as this");
    }

    /// Says what an error of any statement but a commit means.
    pub(crate) fn judge(&self, error: sqlx::Error) -> StoreError {
        match severity(&error) {
            Severity::Passing => StoreError::Unavailable(Box::new(error)),
            Severity::Refusal => StoreError::Refused(Box::new(error)),
            Severity::Fatal => self.break_down(error),
        }
    }
}

/// How one unit fares: what fails in it leaves it half done, so it can only be undone.
#[derive(Debug)]
pub(crate) struct Course {
    store: Health,
    failed: AtomicBool,
}

/// Something failed before in the unit that was to be committed.
#[derive(Debug, thiserror::Error)]
#[error("an earlier step of this unit failed")]
struct HalfDone;

impl Course {
    pub(crate) fn new(store: Health) -> Self {
        Self {
            store,
            failed: AtomicBool::new(false),
        }
    }

    /// [`Health::judge`], of a statement of this unit.
    pub(crate) fn judge(&self, error: sqlx::Error) -> StoreError {
        self.fail(self.store.judge(error))
    }

    /// Notes that a step of this unit failed, for the reason given.
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        self.failed.store(true, Ordering::Relaxed);
        error
    }

    /// Fails unless all steps succeeded; otherwise gives what judges the commit itself.
    pub(crate) fn end(self) -> Result<Health, StoreError> {
        self.store.check()?;
        if self.failed.into_inner() {
            return Err(StoreError::Refused(Box::new(HalfDone)));
        }
        Ok(self.store)
    }
}

enum Severity {
    Passing,
    Refusal,
    Fatal,
}

fn severity(error: &sqlx::Error) -> Severity {
    /// Primary result codes (<https://www.sqlite.org/rescode.html>): `SQLITE_BUSY`, `SQLITE_LOCKED`.
    const PASSING: [u32; 2] = [5, 6];
    /// `SQLITE_NOMEM`, `_READONLY`, `_IOERR`, `_CORRUPT`, `_FULL`, `_CANTOPEN`, `_NOTADB`.
    const FATAL: [u32; 7] = [7, 8, 10, 11, 13, 14, 26];

    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<u32>().ok());
    match (code.map(|extended| extended & 0xff), error) {
        (Some(primary), _) if PASSING.contains(&primary) => Severity::Passing,
        (Some(primary), _) if FATAL.contains(&primary) => Severity::Fatal,
        (None, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => Severity::Passing,
        (None, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => Severity::Fatal,
        _ => Severity::Refusal,
    }
}
