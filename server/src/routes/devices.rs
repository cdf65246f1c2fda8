//! Devices: listed, suspended, revoked.

pub mod list;
pub mod revoke;
pub mod suspend;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::admin::devices::{Cause, DeviceFailure};
use crate::problem::Problem;

/// Why a device is taken out of use.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCause {
    /// It cannot be found.
    Lost,
    /// Somebody took it.
    Stolen,
    /// It works no longer.
    Broken,
    /// Another one took its place.
    Replaced,
    /// Its person left.
    Left,
    /// It was used for what it is not for.
    Misused,
}

impl From<DeviceCause> for Cause {
    fn from(cause: DeviceCause) -> Self {
        match cause {
            DeviceCause::Lost => Self::Lost,
            DeviceCause::Stolen => Self::Stolen,
            DeviceCause::Broken => Self::Broken,
            DeviceCause::Replaced => Self::Replaced,
            DeviceCause::Left => Self::Left,
            DeviceCause::Misused => Self::Misused,
        }
    }
}

/// What is said with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceTaken {
    /// Why.
    cause: DeviceCause,
}

impl From<DeviceFailure> for Problem {
    fn from(failure: DeviceFailure) -> Self {
        match failure {
            DeviceFailure::Absent => Self::not_found(),
            DeviceFailure::Store(source) => Self::internal(&source),
        }
    }
}
