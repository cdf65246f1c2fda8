//! `GET /healthz`

use serde::Serialize;
use utoipa::ToSchema;

use crate::context::Json;

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// The release.
    version: &'static str,
}

/// Says that the process runs, whatever state its store is in.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = OK, body = Alive)))]
pub async fn show_alive() -> Json<Alive> {
    Json(Alive {
        version: env!("CARGO_PKG_VERSION"),
    })
}
