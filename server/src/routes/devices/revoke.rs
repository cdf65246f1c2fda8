//! `POST /v1/devices/{device}/revoke`

use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::admin::devices::{self, DeviceFailure, Taken};
use crate::admin::mandate::Word;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::devices::DeviceTaken;

/// Revokes a device for good: its sessions end and what it sends is refused. Its person can offer that work again.
#[utoipa::path(post, path = "/v1/devices/{device}/revoke", tag = "devices", security(("bearer" = [])), request_body = DeviceTaken,
    params(("device" = String, Path, description = "As the list has it")),
    responses((status = NO_CONTENT, description = "Revoked")))]
pub async fn revoke_device(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(request): Json<DeviceTaken>,
) -> Result<StatusCode, Problem> {
    let device = device.parse().map_err(|_| DeviceFailure::Absent)?;
    let word = Word::Person(&caller);
    devices::take(&app, word, device, Taken::Revoked, request.cause.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
