//! `GET /v1/journals/{journal}/records/{record}/files/{sha256}`

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::{Address, Failure, named, reached};
use crate::context::{App, Caller};
use crate::files::reach::Wants;
use crate::problem::Problem;
use crate::routes::wire::Binary;

/// Nothing in it is run, and it is opened nowhere but where the app shows it.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Gives the bytes of a file that a record names.
#[utoipa::path(get, path = "/v1/journals/{journal}/records/{record}/files/{sha256}", tag = "files", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record"),
        ("sha256" = String, Path, description = "The file's SHA-256, as the record names it: 64 hexadecimal digits")),
    responses((status = OK, description = "The file, exactly as it was handed over",
        content((Binary = "image/jpeg"), (Binary = "image/webp"), (Binary = "audio/webm"), (Binary = "audio/mp4")))))]
pub async fn fetch_file(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<Address>,
) -> Result<Response, Problem> {
    Ok(fetch(&app, &caller, &address).await?)
}

async fn fetch(app: &App, caller: &Caller, address: &Address) -> Result<Response, Failure> {
    let named = named(address);
    reached(app, caller, &named, Wants::Read).await?;
    let found = app.files().read(&named.file).await?;
    let (whole, bytes) = found.ok_or(Failure::Awaited)?;
    let headers = [
        (header::CONTENT_TYPE, whole.form.media_type().to_owned()),
        (header::CONTENT_LENGTH, whole.bytes.to_string()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}
