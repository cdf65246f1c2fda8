//! `POST /v1/areas/import`

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::areas::{self, Imported};
use crate::admin::mandate::Word;
use crate::context::{App, Asked, Caller, Json};
use crate::problem::{Code, Problem};

/// How a file is imported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
}

/// What an import changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportResult {
    /// Whether nothing was written because nothing was to be.
    dry_run: bool,
    /// Areas that were not there.
    added: usize,
    /// Areas with another name than before.
    renamed: usize,
    /// Areas that stay as they are.
    unchanged: usize,
    /// Journals that were made for them.
    journals: usize,
}

/// Imports a file of areas with the columns `code,name,level,parent_code`: all of it, or nothing.
///
/// Every mistake is reported at once, with its line and what to write instead. An area is known again by its code, so a file
/// can be imported again: what is the same stays, and another name counts from today.
#[utoipa::path(post, path = "/v1/areas/import", tag = "administration", security(("bearer" = [])),
    params(("dry_run" = Option<bool>, Query, description = "Only say what would change")),
    request_body(content = String, content_type = "text/csv", description = "UTF-8, with a header"),
    responses((status = OK, body = ImportResult, description = "Imported")))]
pub async fn import_areas(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<ImportQuery>,
    headers: HeaderMap,
    file: Bytes,
) -> Result<Json<ImportResult>, Problem> {
    let media_type = headers.get(header::CONTENT_TYPE);
    if !media_type.is_some_and(|value| value.as_bytes().starts_with(b"text/csv")) {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let dry_run = query.dry_run;
    let imported = areas::import(&app, Word::Person(&caller), &file, dry_run).await?;
    let Imported {
        added,
        renamed,
        unchanged,
        journals,
    } = imported;
    Ok(Json(ImportResult {
        dry_run,
        added,
        renamed,
        unchanged,
        journals,
    }))
}
