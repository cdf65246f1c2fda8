//! `GET /v1/records/{journal}/{record}/automerge`

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sync_core::id::{JournalId, RecordId};
use sync_core::record;

use crate::context::{App, Caller};
use crate::journals::pull::Scope;
use crate::journals::timeline;
use crate::problem::Problem;
use crate::reading::{self, Sight, sight};
use crate::routes::records::timeline::is_open_to;
use crate::routes::records::{OpenJournal, ReadFailure, SEQ_HEADER};
use crate::routes::wire::{Binary, Id};

/// Gives a record as an Automerge document, for other programs. A document holds its whole past, so only those get it who read
/// all of it, unmasked.
#[utoipa::path(get, path = "/v1/records/{journal}/{record}/automerge", tag = "records", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record")),
    responses((status = OK, body = Binary, content_type = "application/octet-stream", description = "A saved Automerge document",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on")))))]
pub async fn export_document(
    State(app): State<App>,
    caller: Caller,
    Path((journal, record)): Path<(Id<JournalId>, Id<RecordId>)>,
) -> Result<Response, Problem> {
    Ok(document(&app, &caller, (journal.0, record.0)).await?)
}

async fn document(app: &App, caller: &Caller, key: reading::Key) -> Result<Response, ReadFailure> {
    let OpenJournal {
        mut unit,
        reader,
        scope,
        seq,
    } = OpenJournal::open(app, caller, key.0, None).await?;
    let found = unit.record(key.0, key.1).await?;
    let found = found.ok_or(ReadFailure::NotFound)?.record;
    let mut log = timeline::log(&mut *unit, key.0, key.1).await?;
    log.retain(|logged| logged.place.seq <= seq && logged.fate.counts());
    let kind = reader.catalogue().kind(&found.kind);
    let mut written = log
        .iter()
        .flat_map(|logged| &logged.command.envelope.fields)
        .chain(found.fields.keys());
    let is_whole = |field: &String| {
        sight(kind, field, found.audience, &scope) == Sight::Whole || is_the_villages(&scope)
    };
    if found.created.is_none() || !is_open_to(&log, &scope.audiences) || !written.all(is_whole) {
        return Err(ReadFailure::NotFound);
    }
    let catalogues = app.catalogues();
    let document = found
        .document
        .or_else(|| record::fold_merged(&**catalogues, key.0, key.1, &log).document);
    let document = document.ok_or(ReadFailure::NotFound)?;
    let mut response = document.0.into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
        .headers_mut()
        .insert(SEQ_HEADER, HeaderValue::from(seq));
    Ok(response)
}

/// Whether the caller's own phone holds everything of this village: then the document tells him nothing new.
fn is_the_villages(scope: &Scope) -> bool {
    sync_core::command::Audience::ALL
        .iter()
        .all(|audience| scope.audiences.contains(audience))
}
