//! `POST /v1/password`

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::context::{App, Caller, ClientAddress, Json};
use crate::problem::Problem;
use crate::session::password;

/// A change of password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one that is good until now.
    #[schema(value_type = String, format = Password)]
    present: SecretString,
    /// The one that is good from now on.
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

/// Changes the caller's password, and ends all the caller's other sessions.
#[utoipa::path(post, path = "/v1/password", tag = "session", security(("bearer" = [])), request_body = PasswordChange,
    responses((status = NO_CONTENT, description = "Changed")))]
pub async fn change_password(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    caller: Caller,
    Json(request): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    password::change(&app, from, &caller, request.present, request.new).await?;
    Ok(StatusCode::NO_CONTENT)
}
