//! `GET /readyz`

use axum::extract::State;
use axum::http::StatusCode;

use crate::context::App;
use crate::problem::{Code, Problem};

/// Says whether requests would be served: the store answers and is not behind the last checkpoint, and the server is not about to
/// stop.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = NO_CONTENT)))]
pub async fn show_ready(State(app): State<App>) -> Result<StatusCode, Problem> {
    if app.kept().behind().is_some() {
        return Err(Problem::new(Code::BehindCheckpoint));
    }
    let reading = async { app.store().read().await?.has_accounts().await };
    match reading.await {
        Ok(_) if !app.is_stopping() => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::new(Code::Busy).retry_after(5)),
    }
}
