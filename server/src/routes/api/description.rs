//! `GET /v1/openapi.json`

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

static DESCRIPTION: LazyLock<String> = LazyLock::new(|| {
    crate::routes::description()
        .to_json()
        .expect("a description is JSON")
});

/// Describes every operation, as OpenAPI.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "api", responses((status = OK, body = serde_json::Value, description = "The description")))]
pub async fn describe_api() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        DESCRIPTION.as_str(),
    )
        .into_response()
}
