//! `DELETE /v1/session`

use axum::extract::State;
use axum::http::StatusCode;
use store::accounts::SessionEnd;

use crate::context::{App, Caller};
use crate::problem::Problem;
use crate::routes::session::end::end;

/// Logs out: the session ends, and both its tokens with it. What is on the device stays there.
#[utoipa::path(delete, path = "/v1/session", tag = "session", security(("bearer" = [])),
    responses((status = NO_CONTENT, description = "Logged out")))]
pub async fn end_own_session(
    State(app): State<App>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    end(&app, &caller, caller.session(), SessionEnd::LoggedOut).await?;
    Ok(StatusCode::NO_CONTENT)
}
