//! Reading records: lists, one record, its history, what waits for somebody, and the logged reveal.

/// What people said and are called is never printed.
macro_rules! mute {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(<personal>)"))
            }
        }
    )*};
}
pub(crate) use mute;

pub mod clusters;
pub mod conflicts;
pub mod document;
pub mod flagged;
pub mod history;
pub mod list;
pub mod paper;
pub mod papers;
pub mod reveal;
pub mod show;
pub mod shown;
pub mod timeline;
pub mod unanswered;

use std::fmt;

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::journals::{Filter, Folded, ReadJournals};
use store::{Reading, StoreError};
use sync_core::catalog::Capability;
use sync_core::id::{AreaId, JournalId, RecordId, Seq};
use sync_core::record::Record;
use sync_core::registry::Purpose;

use crate::context::{App, Caller, Json};
use crate::journals::pull::{Reader, Scope};
use crate::problem::{Code, Problem};
use crate::reading::{self, Key, Scopes};
use crate::routes::records::shown::Showing;

/// The position up to which the journal is folded that an answer is about: what it shows is what these entries add up to.
pub const SEQ_HEADER: &str = "x-zhucun-seq";
/// Records on one page, if the caller does not say.
const LIMIT_DEFAULT: u32 = 50;
/// The most records on one page.
const LIMIT_MAX: u32 = 200;
/// How soon to ask again for a position that is not folded yet.
const FOLD_SECONDS: u64 = 1;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// There is nothing that the caller may know of.
    #[error("nothing that the caller may know of")]
    NotFound,
    /// The page would be empty or too large.
    #[error("a page of no or too many records")]
    Limit,
    /// A position can be waited for in one journal only.
    #[error("a position without its journal")]
    Position,
    /// A paper of a period is of no record.
    #[error("a paper of a period, asked for of a record")]
    OfPeriod,
    /// A paper about a record is of no day.
    #[error("a paper about a record, asked for of none, or of a day")]
    OfRecord,
    /// The journal is folded to an earlier position.
    #[error("not folded yet")]
    NotFolded(Seq),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<ReadFailure> for Problem {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::NotFound => Self::not_found(),
            ReadFailure::Limit => Self::invalid_field("limit", format!("1 to {LIMIT_MAX}")),
            ReadFailure::Position => {
                Self::invalid_field("at", "a position, with the area of one village")
            }
            ReadFailure::OfPeriod => {
                Self::invalid_field("record", "none: the paper is of the period of a `day`")
            }
            ReadFailure::OfRecord => {
                Self::invalid_field("record", "the one that the paper is about, and no `day`")
            }
            ReadFailure::NotFolded(seq) => Self::new(Code::NotFoldedYet)
                .with("folded", seq)
                .retry_after(FOLD_SECONDS),
            ReadFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// An answer, with the position it rests on if it is about one journal.
#[derive(Debug)]
pub struct Read<T> {
    seq: Option<Seq>,
    body: T,
}

impl<T: Serialize> IntoResponse for Read<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Some(seq) = self.seq {
            response
                .headers_mut()
                .insert(SEQ_HEADER, HeaderValue::from(seq));
        }
        response
    }
}

/// A journal's records, open to somebody who may read them.
struct OpenJournal<'a> {
    unit: Box<dyn Reading>,
    reader: Reader<'a>,
    scope: Scope,
    /// How far it is folded.
    seq: Seq,
}

impl<'a> OpenJournal<'a> {
    /// What is not there and what the caller may not know of are alike: not found.
    async fn open(
        app: &'a App,
        caller: &Caller,
        journal: JournalId,
        at: Option<Seq>,
    ) -> Result<Self, ReadFailure> {
        let mut unit = app.store().read().await?;
        let reader = app.reader(&mut *unit, caller).await?;
        let reader = reader.ok_or(ReadFailure::NotFound)?;
        let scope = reader.scope(journal, Capability::ReadRecords);
        let scope = scope.ok_or(ReadFailure::NotFound)?;
        let seq = folded(&mut *unit, journal, at).await?;
        Ok(Self {
            unit,
            reader,
            scope,
            seq,
        })
    }

    /// A record, with the one by whose title it is called.
    async fn record(&mut self, key: Key) -> Result<(Folded, Option<Record>), ReadFailure> {
        let found = reading::record(&mut *self.unit, &self.scope, key).await?;
        let found = found.ok_or(ReadFailure::NotFound)?;
        let (reader, scope) = (&self.reader, &self.scope);
        let called_by = reading::called_by(&mut *self.unit, reader, scope, &found.record).await?;
        Ok((found, called_by))
    }
}

/// The records of several journals, open to somebody who may read them.
struct OpenList<'a> {
    unit: Box<dyn Reading>,
    reader: Reader<'a>,
    scopes: Scopes,
    /// How far the journal is folded, if it is one.
    seq: Option<Seq>,
}

impl<'a> OpenList<'a> {
    /// Within an area, or wherever the caller reads records.
    async fn open(
        app: &'a App,
        caller: &Caller,
        area: Option<AreaId>,
        at: Option<Seq>,
    ) -> Result<Self, ReadFailure> {
        let mut unit = app.store().read().await?;
        let reader = app.reader(&mut *unit, caller).await?;
        let reader = reader.ok_or(ReadFailure::NotFound)?;
        let scopes = reader.journals(Purpose::Village, &[Capability::ReadRecords], area);
        let scopes = scopes.ok_or(ReadFailure::NotFound)?;
        let seq = folded_one(&mut *unit, &scopes, at).await?;
        Ok(Self {
            unit,
            reader,
            scopes,
            seq,
        })
    }

    /// A page of them, each with the record by whose title it is called, and where the list goes on.
    async fn page(
        &mut self,
        filter: Filter,
        keep: impl Fn(&Folded) -> bool,
    ) -> Result<(Vec<(Folded, Option<Record>)>, Option<After>), ReadFailure> {
        let (found, next) = reading::page(&mut *self.unit, &self.scopes, filter, keep).await?;
        let mut page = Vec::with_capacity(found.len());
        for folded in found {
            let record = &folded.record;
            let Some(scope) = self.scopes.get(&record.journal) else {
                continue;
            };
            let called_by = reading::called_by(&mut *self.unit, &self.reader, scope, record);
            let called_by = called_by.await?;
            page.push((folded, called_by));
        }
        Ok((page, next.map(After)))
    }

    /// Shows one of them.
    fn showing<'s>(
        &'s self,
        record: &'s Record,
        called_by: Option<&'s Record>,
    ) -> Option<Showing<'s>> {
        let scope = self.scopes.get(&record.journal)?;
        Some(Showing::new(&self.reader, scope, record).called_by(called_by))
    }
}

/// How far a journal is folded, if that is as far as the caller needs.
async fn folded<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    at: Option<Seq>,
) -> Result<Seq, ReadFailure> {
    let seq = unit.folded_seq(journal).await?;
    if at.is_some_and(|at| at > seq) {
        Err(ReadFailure::NotFolded(seq))
    } else {
        Ok(seq)
    }
}

/// The same for a list, which has a position if it is about one journal.
async fn folded_one<R: ReadJournals + ?Sized>(
    unit: &mut R,
    scopes: &Scopes,
    at: Option<Seq>,
) -> Result<Option<Seq>, ReadFailure> {
    let mut journals = scopes.keys();
    match (journals.next(), journals.next()) {
        (Some(journal), None) => folded(unit, *journal, at).await.map(Some),
        _ if at.is_some() => Err(ReadFailure::Position),
        _ => Ok(None),
    }
}

fn limit(asked: Option<u32>) -> Result<u32, ReadFailure> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(ReadFailure::Limit)
    }
}

/// Where a list goes on: `journal.record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After(pub Key);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((journal, record)) = self;
        write!(f, "{journal}.{record}")
    }
}

impl Serialize for After {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = |(journal, record): (&str, &str)| {
            Some((
                journal.parse::<JournalId>().ok()?,
                record.parse::<RecordId>().ok()?,
            ))
        };
        text.split_once('.')
            .and_then(read)
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not where a list goes on"))
    }
}
