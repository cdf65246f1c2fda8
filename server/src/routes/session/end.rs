//! `DELETE /v1/sessions/{session}`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use store::StoreError;
use store::accounts::SessionEnd;
use sync_core::id::SessionId;

use crate::context::{App, Caller};
use crate::problem::Problem;

/// Why no session was ended.
#[derive(Debug, thiserror::Error)]
pub enum EndFailure {
    /// The caller has no such session that goes on.
    #[error("no such session")]
    Unknown,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<EndFailure> for Problem {
    fn from(failure: EndFailure) -> Self {
        match failure {
            EndFailure::Unknown => Self::not_found(),
            EndFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Ends one of the caller's own sessions, on a phone that was lost, for example.
#[utoipa::path(delete, path = "/v1/sessions/{session}", tag = "session", security(("bearer" = [])),
    params(("session" = String, Path, description = "As the list has it")),
    responses((status = NO_CONTENT, description = "Ended")))]
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = session.parse().map_err(|_| EndFailure::Unknown)?;
    end(&app, &caller, session, SessionEnd::EndedByPerson).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session of the caller.
pub(super) async fn end(
    app: &App,
    caller: &Caller,
    session: SessionId,
    why: SessionEnd,
) -> Result<(), EndFailure> {
    let mut unit = app.store().begin().await?;
    let own = unit
        .session(session)
        .await?
        .is_some_and(|session| session.user == caller.user());
    if !own || !unit.end_session(session, why, app.clock().now()).await? {
        return Err(EndFailure::Unknown);
    }
    unit.commit().await?;
    tracing::info!(session.id = %session, why = why.name(), "session.ended");
    Ok(())
}
