//! `GET /v1/journals/{journal}/records/{record}`

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use sync_core::id::{JournalId, RecordId, Seq};
use utoipa::IntoParams;

use crate::context::{App, Caller};
use crate::problem::Problem;
use crate::reading;
use crate::routes::records::shown::{RecordView, Showing};
use crate::routes::records::{OpenJournal, Read, ReadFailure};
use crate::routes::wire::Id;

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AtQuery {
    /// Only if the journal is folded up to this position.
    pub(super) at: Option<Seq>,
}

/// Shows one record: its fields, both values where two stand, its state and its three times.
#[utoipa::path(get, path = "/v1/journals/{journal}/records/{record}", tag = "records", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record"), AtQuery),
    responses((status = OK, body = RecordView, description = "The record",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on")))))]
pub async fn show_record(
    State(app): State<App>,
    caller: Caller,
    Path((journal, record)): Path<(Id<JournalId>, Id<RecordId>)>,
    Query(query): Query<AtQuery>,
) -> Result<Read<RecordView>, Problem> {
    Ok(show(&app, &caller, (journal.0, record.0), query.at).await?)
}

async fn show(
    app: &App,
    caller: &Caller,
    key: reading::Key,
    at: Option<Seq>,
) -> Result<Read<RecordView>, ReadFailure> {
    let mut open = OpenJournal::open(app, caller, key.0, at).await?;
    let (found, called_by) = open.record(key).await?;
    if found.record.created.is_none() {
        return Err(ReadFailure::NotFound);
    }
    let showing = Showing::new(&open.reader, &open.scope, &found.record);
    let body = showing.called_by(called_by.as_ref()).record(&found);
    Ok(Read {
        seq: Some(open.seq),
        body,
    })
}
