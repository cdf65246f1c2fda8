//! `GET /readyz`

use axum::extract::State;
use axum::http::StatusCode;

use crate::context::App;
use crate::problem::{Code, Problem};

/// Says whether requests would be served: the store answers, and the server is not about to stop.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = NO_CONTENT)))]
pub async fn show_ready(State(app): State<App>) -> Result<StatusCode, Problem> {
    if app.is_stopping() {
        return Err(Problem::new(Code::Busy).retry_after(5));
    }
    Ok(StatusCode::NO_CONTENT)
}
