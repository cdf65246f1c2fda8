//! What the server keeps, in units of work.
//!
//! A [`Store`] hands out units. A [`Reading`] sees one consistent state; a [`Unit`] also writes, and all that it wrote becomes
//! durable together when [`Unit::commit`] returns, or not at all when it is dropped. Backends implement these traits and pass
//! the suite in [`contract`]; nothing here knows a database.
//!
//! Guaranteed: what a unit has read stays so until it ends, for units exclude one another where they touch the same rows.
//! *Not* guaranteed: that a commit whose call did not return was rolled back. Whoever called must be able to ask again.

pub mod accounts;
pub mod contract;
pub mod files;
pub mod journals;
pub mod personal;
pub mod rows;
pub mod segments;

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use sync_core::id::SessionId;

use crate::accounts::{ReadAccounts, Session, WriteAccounts};
use crate::files::{ReadFiles, WriteFiles};
use crate::journals::{ReadJournals, WriteJournals};
use crate::rows::ReadRows;
use crate::segments::{ReadSegments, WriteSegments};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not now: another process holds it, or there is no connection. Nothing was written; it can be asked again.
    #[error("the store cannot be reached now")]
    Unavailable(#[source] Cause),
    /// It was asked for something that its rules forbid (a key twice, a missing row): a mistake in this program.
    #[error("the store refused what was asked")]
    Refused(#[source] Cause),
    /// It holds something that this program never wrote.
    #[error("the store holds what cannot be: {0}")]
    Impossible(&'static str),
    /// It is behind the checkpoint that was last signed, as a copy from an old backup is: it can be read, and admits nothing.
    #[error("the store is behind the last signed checkpoint: nothing is admitted")]
    Behind,
    /// A write or commit failed (the disk is full, an fsync failed): what is durable is not known. It answers nothing from
    /// now on; the process must end, and the next one reads what is there.
    #[error("the store has failed; the server must be restarted once the cause is removed")]
    Broken(#[source] Cause),
}

/// What a backend says about a failure.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// A backend.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Begins a unit that only reads.
    async fn read(&self) -> Result<Box<dyn Reading>, StoreError>;

    /// Begins a unit that reads and writes. It may wait for others to end.
    async fn begin(&self) -> Result<Box<dyn Unit>, StoreError>;

    /// A session as it is now, ended or not: asked with every request, so outside of any unit, which would cost more than the answer.
    async fn session(&self, session: SessionId) -> Result<Option<Session>, StoreError>;

    /// Returns once the store is [`StoreError::Broken`]; as long as it is sound, never.
    async fn broken(&self);

    /// Closes it once the units under way have ended. Whoever begins one from now on gets an error.
    async fn close(&self);
}

/// A unit that only reads; it sees the state of its first read throughout.
pub trait Reading: ReadAccounts + ReadJournals + ReadSegments + ReadFiles + ReadRows {}

impl<T: ReadAccounts + ReadJournals + ReadSegments + ReadFiles + ReadRows> Reading for T {}

/// A unit of work. Dropping it undoes it; so does an error of a method that writes, after which [`Unit::commit`] only fails.
#[async_trait]
pub trait Unit:
    ReadAccounts
    + WriteAccounts
    + ReadJournals
    + WriteJournals
    + ReadSegments
    + WriteSegments
    + ReadFiles
    + WriteFiles
{
    /// Makes all that was written durable. When this returns `Ok`, a power cut no longer matters.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
