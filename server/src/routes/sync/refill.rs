//! `POST /v1/refill`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use sync_core::cbor;
use sync_core::limits;
use sync_core::sync::refill::SignedRefill;

use super::exchange::CBOR;
use crate::context::App;
use crate::intake;
use crate::journals::refill::{self, RefillFailure};
use crate::problem::{Code, Problem};

impl From<RefillFailure> for Problem {
    fn from(failure: RefillFailure) -> Self {
        match failure {
            RefillFailure::Device => Self::new(Code::DeviceUnusable),
            RefillFailure::Malformed => Self::new(Code::Malformed),
            RefillFailure::NotTheEntries(_) => Self::new(Code::NotTheEntries),
            RefillFailure::Kept(source) => Self::internal(&source),
            RefillFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Gives entries back to a server that lost what it had signed, at their old positions.
///
/// Both bodies are deterministic CBOR: `sync_core::sync::refill` describes them. No session is needed, for such a server may have
/// lost that too: the device signs its request. What is taken leads to heads that the signed log covers, whoever brings it. A server
/// that has lost nothing wants nothing.
#[utoipa::path(post, path = "/v1/refill", tag = "sync",
    request_body(content = Vec<u8>, content_type = "application/cbor", description = "A SignedRefill"),
    responses((status = OK, body = Vec<u8>, content_type = "application/cbor", description = "A RefillResponse")))]
pub async fn give_back_entries(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let is_cbor = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == CBOR.as_bytes());
    if !is_cbor {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let taken = app.intake().take(body, limits::REQUEST_BYTES_MAX).await?;
    if !intake::counts_are_modest(&taken.bytes) {
        return Err(RefillFailure::Malformed.into());
    }
    let signed: SignedRefill = cbor::decode(&taken.bytes).map_err(|_| RefillFailure::Malformed)?;
    let response = refill::take(&app, &signed).await?;
    Ok(([(header::CONTENT_TYPE, CBOR)], cbor::encode(&response)).into_response())
}
