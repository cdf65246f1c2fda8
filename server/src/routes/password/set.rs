//! `POST /v1/password/set`

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sync_core::sync::enrol::OneTimeCode;
use utoipa::ToSchema;

use crate::context::{App, ClientAddress, Json};
use crate::problem::Problem;
use crate::session::password;

/// A password that is set with a code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordWithCode {
    /// The code that an administrator issued. In any case, with or without hyphens.
    #[schema(value_type = String, format = Password)]
    code: SecretString,
    /// The password that is good from now on.
    #[schema(value_type = String, format = Password)]
    new: SecretString,
}

/// Sets the password of the person whom a one-time code is for, and ends all that person's sessions.
#[utoipa::path(post, path = "/v1/password/set", tag = "session", request_body = PasswordWithCode,
    responses((status = NO_CONTENT, description = "Set; log in with it")))]
pub async fn set_password(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(request): Json<PasswordWithCode>,
) -> Result<StatusCode, Problem> {
    let code = OneTimeCode::parse(request.code.expose_secret());
    password::set_with_code(&app, from, code, request.new).await?;
    Ok(StatusCode::NO_CONTENT)
}
