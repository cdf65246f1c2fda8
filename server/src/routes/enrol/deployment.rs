//! `GET /v1/deployment`

use axum::extract::State;
use serde::Serialize;
use sync_core::id::DeploymentId;
use utoipa::ToSchema;

use crate::context::{App, Json};
use crate::routes::wire::{Id, PublicKey};

/// What a device must know before it enrols.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentView {
    /// The deployment: derived from its operator key.
    #[schema(value_type = String)]
    deployment: Id<DeploymentId>,
    /// The key that signs registry acts.
    operator: PublicKey,
    /// The newest version of the messages of `POST /v1/sync`.
    protocol: u16,
}

/// Says which deployment this is.
#[utoipa::path(get, path = "/v1/deployment", tag = "devices",
    responses((status = OK, body = DeploymentView, description = "The deployment and its operator key")))]
pub async fn show_deployment(State(app): State<App>) -> Json<DeploymentView> {
    Json(DeploymentView {
        deployment: Id(app.deployment()),
        operator: PublicKey::from(&app.registrar().operator().public()),
        protocol: sync_core::sync::PROTOCOL,
    })
}
