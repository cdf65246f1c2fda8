//! `DELETE /v1/users/{user}`

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::admin::mandate::Word;
use crate::admin::users::{self, UserFailure};
use crate::context::{App, Caller};
use crate::problem::Problem;

/// Disables an account: its sessions end, and nothing that its devices send counts. What the person wrote stays.
#[utoipa::path(delete, path = "/v1/users/{user}", tag = "administration", security(("bearer" = [])),
    params(("user" = String, Path, description = "As the list has it")),
    responses((status = NO_CONTENT, description = "Disabled")))]
pub async fn disable_user(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<StatusCode, Problem> {
    let user = user.parse().map_err(|_| UserFailure::Absent)?;
    users::disable(&app, Word::Person(&caller), user).await?;
    Ok(StatusCode::NO_CONTENT)
}
