//! `POST /v1/session/refresh`

use axum::extract::State;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::context::{App, Json};
use crate::problem::{Code, Problem};
use crate::routes::session::TokenPair;
use crate::routes::wire::Signature;
use crate::session::refresh::{RefreshFailure, RefreshSecret, refresh};

/// What continues a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The latest refresh token that arrived.
    #[schema(value_type = String, format = Password)]
    refresh_token: SecretString,
    /// The device's signature over the SHA-256 of the token, in the context `zhucun refresh v1`; absent in a browser.
    proof: Option<Signature>,
}

impl From<RefreshFailure> for Problem {
    fn from(failure: RefreshFailure) -> Self {
        match failure {
            RefreshFailure::Over => Self::new(Code::SessionEnded),
            RefreshFailure::Device => Self::new(Code::DeviceUnusable),
            RefreshFailure::Unproven => Self::new(Code::DeviceProof),
            RefreshFailure::Store(source) => Self::internal(&source),
            RefreshFailure::Access(source) => Self::internal(&source),
        }
    }
}

/// Exchanges a refresh token for the next pair of tokens.
///
/// A reply that was lost is had again by asking again: the same token gives the same successor until that was used. If a token
/// comes back after that, two parties hold it, and the session ends.
#[utoipa::path(post, path = "/v1/session/refresh", tag = "session", request_body = Refresh,
    responses((status = OK, body = TokenPair, description = "The session goes on")))]
pub async fn refresh_session(
    State(app): State<App>,
    Json(request): Json<Refresh>,
) -> Result<Json<TokenPair>, Problem> {
    let presented =
        RefreshSecret::parse(request.refresh_token.expose_secret()).ok_or(RefreshFailure::Over)?;
    let proof = request.proof.as_ref().and_then(Signature::read);
    let tokens = refresh(&app, &presented, proof.as_ref()).await?;
    Ok(Json(TokenPair::new(&app, tokens)))
}
