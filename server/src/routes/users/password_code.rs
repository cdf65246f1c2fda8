//! `POST /v1/users/{user}/password-code`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use store::accounts::CodePurpose;

use crate::admin::mandate::Word;
use crate::admin::users::{self, UserFailure};
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::users::CodeView;

/// Issues a one-time code for a person, who sets a password with it. The one before is good no longer.
#[utoipa::path(post, path = "/v1/users/{user}/password-code", tag = "administration", security(("bearer" = [])),
    params(("user" = String, Path, description = "As the list has it")),
    responses((status = CREATED, body = CodeView, description = "Issued")))]
pub async fn issue_password_code(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<(StatusCode, Json<CodeView>), Problem> {
    let user = user.parse().map_err(|_| UserFailure::Absent)?;
    let purpose = CodePurpose::SetPassword;
    let code = users::issue_code(&app, Word::Person(&caller), user, purpose).await?;
    Ok((StatusCode::CREATED, Json(code.into())))
}
