//! `GET /v1/devices`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sync_core::id::{DeviceId, UserId};
use sync_core::registry::Standing;
use utoipa::ToSchema;

use crate::admin::devices::{self, DeviceFilter, ListedDevice};
use crate::admin::mandate::Word;
use crate::context::{App, Asked, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Id, Instant};

/// Which devices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceQuery {
    /// Of this person.
    user: Option<Id<UserId>>,
    /// After this one: the last one of the page before.
    after: Option<Id<DeviceId>>,
}

/// Devices in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceList {
    /// The devices.
    devices: Vec<DeviceView>,
    /// Whether there are more.
    more: bool,
}

/// A device as an administrator sees one: not what waits on it, nor when it was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceView {
    /// The device.
    #[schema(value_type = String)]
    id: Id<DeviceId>,
    /// Whose it is.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// What its person calls it.
    label: String,
    /// `active`, `suspended` or `revoked`.
    standing: &'static str,
    /// When it was enrolled.
    enrolled_at: Instant,
}

impl From<ListedDevice> for DeviceView {
    fn from(listed: ListedDevice) -> Self {
        Self {
            id: Id(listed.device),
            user: Id(listed.user),
            label: listed.label,
            standing: match listed.standing {
                Standing::Active => "active",
                Standing::Suspended => "suspended",
                Standing::Revoked => "revoked",
            },
            enrolled_at: Instant(listed.enrolled_at),
        }
    }
}

/// Lists the devices of the people whom the caller administers.
#[utoipa::path(get, path = "/v1/devices", tag = "devices", security(("bearer" = [])),
    params(("user" = Option<String>, Query, description = "Of this person"),
        ("after" = Option<String>, Query, description = "After this one: the last one of the page before")),
    responses((status = OK, body = DeviceList, description = "Devices")))]
pub async fn list_devices(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<DeviceQuery>,
) -> Result<Json<DeviceList>, Problem> {
    let filter = DeviceFilter {
        user: query.user.map(|user| user.0),
        after: query.after.map(|device| device.0),
    };
    let (found, more) = devices::list(&app, Word::Person(&caller), &filter).await?;
    let devices = found.into_iter().map(DeviceView::from).collect();
    Ok(Json(DeviceList { devices, more }))
}
