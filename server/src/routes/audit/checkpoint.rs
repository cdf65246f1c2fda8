//! `GET /v1/checkpoints/latest`

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::context::{App, Caller};
use crate::problem::Problem;
use crate::routes::audit::{AuditFailure, VERIFIES};

/// Gives the newest signed checkpoint: a C2SP signed note, byte for byte. An auditor keeps it, and compares the next log with it.
#[utoipa::path(get, path = "/v1/checkpoints/latest", tag = "audit", security(("bearer" = [])),
    responses((status = OK, body = String, content_type = "text/plain", description = "The signed note")))]
pub async fn show_checkpoint(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let note = latest(&app, &caller).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

async fn latest(app: &App, caller: &Caller) -> Result<String, AuditFailure> {
    let mut unit = app.store().read().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(AuditFailure::NotFound)?;
    if !VERIFIES.iter().any(|capability| reader.can(*capability)) {
        return Err(AuditFailure::NotFound);
    }
    app.kept()
        .newest()
        .map(|checkpoint| checkpoint.note)
        .ok_or(AuditFailure::NotFound)
}
