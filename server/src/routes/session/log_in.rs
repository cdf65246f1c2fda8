//! `POST /v1/session`

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use sync_core::id::DeviceId;
use utoipa::ToSchema;

use crate::context::{App, ClientAddress, Json};
use crate::problem::{Code, Problem};
use crate::routes::session::TokenPair;
use crate::routes::wire::Id;
use crate::session::log_in::{Credentials, LogInFailure, log_in};

/// What a person logs in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// In any case.
    #[schema(value_type = String)]
    user_name: SecretString,
    /// As it was set.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The device that the session is to be bound to; absent in a browser.
    #[schema(value_type = Option<String>)]
    device: Option<Id<DeviceId>>,
}

impl From<LogInFailure> for Problem {
    fn from(failure: LogInFailure) -> Self {
        match failure {
            LogInFailure::Throttled(wait) => {
                Self::new(Code::TooManyRequests).retry_after(wait.seconds)
            }
            LogInFailure::Wrong => Self::new(Code::WrongCredentials),
            LogInFailure::Device => Self::new(Code::DeviceUnusable),
            LogInFailure::Hash(source) => source.into(),
            LogInFailure::Store(source) => Self::internal(&source),
            LogInFailure::Access(source) => Self::internal(&source),
        }
    }
}

/// Logs in.
///
/// Wrong names and wrong passwords get the same answer after the same time. Attempts are spaced out by account and address;
/// nobody is locked out.
#[utoipa::path(post, path = "/v1/session", tag = "session", request_body = NewSession,
    responses((status = CREATED, body = TokenPair, description = "Logged in")))]
pub async fn start_session(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(request): Json<NewSession>,
) -> Result<(StatusCode, Json<TokenPair>), Problem> {
    use secrecy::ExposeSecret as _;

    let user_name = request.user_name.expose_secret().parse().ok();
    let device = request.device.map(|Id(device)| device);
    let credentials = Credentials {
        user_name,
        password: request.password,
        device,
    };
    let tokens = log_in(&app, from, credentials).await?;
    Ok((StatusCode::CREATED, Json(TokenPair::new(&app, tokens))))
}
