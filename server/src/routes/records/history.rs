//! `GET /v1/journals/{journal}/records/{record}/history`

use axum::extract::{Path, Query, State};
use serde::Serialize;
use sync_core::id::{JournalId, RecordId, Seq};
use utoipa::ToSchema;

use crate::context::{App, Caller};
use crate::journals::timeline;
use crate::problem::Problem;
use crate::reading;
use crate::routes::records::show::AtQuery;
use crate::routes::records::shown::{RecordHead, Showing};
use crate::routes::records::timeline::{LineView, line, may_know};
use crate::routes::records::{OpenJournal, Read, ReadFailure};
use crate::routes::wire::Id;

/// The history of a record.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Which record.
    record: RecordHead,
    /// Its commands, whatever became of them, in the order of their arrival.
    lines: Vec<LineView>,
}

/// Shows what was done about a record, in the order of arrival: who, when it was recorded, when it was received, what, and what
/// became of it. What the caller may not read is marked as withheld.
#[utoipa::path(get, path = "/v1/journals/{journal}/records/{record}/history", tag = "records", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record"), AtQuery),
    responses((status = OK, body = History, description = "The record's history",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on")))))]
pub async fn show_history(
    State(app): State<App>,
    caller: Caller,
    Path((journal, record)): Path<(Id<JournalId>, Id<RecordId>)>,
    Query(query): Query<AtQuery>,
) -> Result<Read<History>, Problem> {
    Ok(history(&app, &caller, (journal.0, record.0), query.at).await?)
}

async fn history(
    app: &App,
    caller: &Caller,
    key: reading::Key,
    at: Option<Seq>,
) -> Result<Read<History>, ReadFailure> {
    let mut open = OpenJournal::open(app, caller, key.0, at).await?;
    let (found, called_by) = open.record(key).await?;
    let mut log = timeline::log(&mut *open.unit, key.0, key.1).await?;
    let seq = open.seq;
    let showing = Showing::new(&open.reader, &open.scope, &found.record);
    let showing = showing.called_by(called_by.as_ref());
    // What was admitted since the fold is not in the record yet.
    log.retain(|logged| logged.place.seq <= seq && may_know(&showing, &found.record, logged));
    if log.is_empty() {
        return Err(ReadFailure::NotFound);
    }
    let lines = log
        .iter()
        .map(|logged| line(&showing, &found.record, logged))
        .collect();
    Ok(Read {
        seq: Some(seq),
        body: History {
            record: showing.head(&found.record),
            lines,
        },
    })
}
