//! `POST /v1/devices/{device}/suspend`

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::admin::devices::{self, DeviceFailure, Taken};
use crate::admin::mandate::Word;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::devices::DeviceTaken;

/// Suspends a device: its sessions end and what it sends is refused, until it enrols in place with a new key.
#[utoipa::path(post, path = "/v1/devices/{device}/suspend", tag = "devices", security(("bearer" = [])), request_body = DeviceTaken,
    params(("device" = String, Path, description = "As the list has it")),
    responses((status = NO_CONTENT, description = "Suspended")))]
pub async fn suspend_device(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(request): Json<DeviceTaken>,
) -> Result<StatusCode, Problem> {
    let device = device.parse().map_err(|_| DeviceFailure::Absent)?;
    let word = Word::Person(&caller);
    devices::take(&app, word, device, Taken::Suspended, request.cause.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
