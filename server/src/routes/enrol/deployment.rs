//! `GET /v1/deployment`

use axum::extract::State;
use serde::Serialize;
use sync_core::id::DeploymentId;
use utoipa::ToSchema;

use crate::context::{App, Json};
use crate::routes::wire::{Id, PublicKey};

/// What anybody may know of it, and a device must before it enrols.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentView {
    /// The deployment: derived from its operator key.
    #[schema(value_type = String)]
    deployment: Id<DeploymentId>,
    /// The key that signs registry acts.
    operator: PublicKey,
    /// The newest version of the messages of `POST /v1/sync`.
    protocol: u16,
    /// The number under which the authorities have filed this service, if whoever runs it has named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    filing_number: Option<String>,
}

/// Says which deployment this is.
#[utoipa::path(get, path = "/v1/deployment", tag = "devices",
    responses((status = OK, body = DeploymentView, description = "The deployment and its operator key")))]
pub async fn show_deployment(State(app): State<App>) -> Json<DeploymentView> {
    Json(DeploymentView {
        deployment: Id(app.deployment()),
        operator: PublicKey::from(&app.registrar().operator().public()),
        protocol: sync_core::sync::PROTOCOL,
        filing_number: app.config().filing_number.clone(),
    })
}
