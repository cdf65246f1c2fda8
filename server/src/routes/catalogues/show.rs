//! `GET /v1/catalogues/{version}`

use axum::extract::{Path, State};
use serde::Serialize;
use sync_core::catalog::SourceFile;
use utoipa::ToSchema;

use crate::admin::catalogues;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;

/// The files of a catalogue version, as they were published.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueFiles {
    /// The files, by name.
    files: Vec<CatalogueFile>,
}

/// A file of a catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueFile {
    /// Its name, with its folder in the catalogue.
    name: String,
    /// Its text: TOML or CSV.
    text: String,
}

/// Gives the files of a published catalogue version, to whoever is logged in: they say what forms ask, and nothing of anybody.
///
/// A device checks them against the digest that the registry names.
#[utoipa::path(get, path = "/v1/catalogues/{version}", tag = "sync", security(("bearer" = [])),
    params(("version" = u32, Path, description = "The version")),
    responses((status = OK, body = CatalogueFiles, description = "Files")))]
pub async fn show_catalogue(
    State(app): State<App>,
    _caller: Caller,
    Path(version): Path<String>,
) -> Result<Json<CatalogueFiles>, Problem> {
    let version = version.parse().map_err(|_| Problem::not_found())?;
    let catalogue = catalogues::published(&app, version).await?;
    let file = |SourceFile { name, text }: &SourceFile| CatalogueFile {
        name: name.clone(),
        text: text.clone(),
    };
    let files = catalogue.files().iter().map(file).collect();
    Ok(Json(CatalogueFiles { files }))
}
