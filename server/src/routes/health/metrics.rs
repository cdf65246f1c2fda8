//! `GET /metrics`

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;
use sync_core::id::sha256;

use crate::context::App;
use crate::problem::{Code, Problem};
use crate::telemetry;

/// Prints the metrics in Prometheus' text format. Wants the token of the settings, if they name one.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = OK, body = String, content_type = "text/plain")))]
pub async fn show_metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = &app.config().metrics.token {
        let wanted = format!("Bearer {}", token.expose_secret());
        let given = headers
            .get(header::AUTHORIZATION)
            .map_or(&[][..], |value| value.as_bytes());
        // Digests are compared, so that timing tells nothing of the token.
        if sha256(&[given]) != sha256(&[wanted.as_bytes()]) {
            return Err(Problem::new(Code::Unauthenticated));
        }
    }
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    Ok((headers, telemetry::metrics().render()).into_response())
}
