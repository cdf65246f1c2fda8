//! `GET /v1/catalogues`

use axum::extract::State;
use serde::Serialize;
use sync_core::id::Digest;
use utoipa::ToSchema;

use crate::admin::catalogues::{self, CatalogueFailure, ListedCatalogue};
use crate::admin::mandate::Word;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Day, Id};

/// Published catalogue versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueList {
    /// The versions, in order.
    catalogues: Vec<CatalogueView>,
}

/// A published version.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueView {
    /// The version.
    version: u32,
    /// The SHA-256 digest of its files: 64 hexadecimal digits.
    #[schema(value_type = String)]
    digest: Id<Digest>,
    /// From which day it counts.
    from: Day,
    /// Whether it counts today.
    in_force: bool,
    /// Whether this server has its files, and they are those that were published.
    is_here: bool,
}

impl From<ListedCatalogue> for CatalogueView {
    fn from(listed: ListedCatalogue) -> Self {
        Self {
            version: listed.version,
            digest: Id(listed.published.digest),
            from: Day(listed.published.from),
            in_force: listed.in_force,
            is_here: listed.is_here,
        }
    }
}

impl From<CatalogueFailure> for Problem {
    fn from(failure: CatalogueFailure) -> Self {
        match failure {
            CatalogueFailure::Absent => Self::not_found(),
            CatalogueFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Lists the published catalogue versions.
#[utoipa::path(get, path = "/v1/catalogues", tag = "administration", security(("bearer" = [])),
    responses((status = OK, body = CatalogueList, description = "Versions")))]
pub async fn list_catalogues(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<CatalogueList>, Problem> {
    let listed = catalogues::list(&app, Word::Person(&caller)).await?;
    let catalogues = listed.into_iter().map(CatalogueView::from).collect();
    Ok(Json(CatalogueList { catalogues }))
}
