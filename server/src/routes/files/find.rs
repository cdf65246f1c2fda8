//! `HEAD /v1/journals/{journal}/records/{record}/files/{sha256}`

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};

use super::{Address, COMPLETE, Failure, OFFSET, mark, named, reached};
use crate::context::{App, Caller};
use crate::files::reach::Wants;
use crate::problem::Problem;

/// Says whether a file that a record names is there; if not, how many bytes are kept of what the caller sent of it.
#[utoipa::path(head, path = "/v1/journals/{journal}/records/{record}/files/{sha256}", tag = "files", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record"),
        ("sha256" = String, Path, description = "The file's SHA-256, as the record names it: 64 hexadecimal digits")),
    responses((status = OK, description = "It is there, or awaited",
        content((String = "image/jpeg"), (String = "image/webp"), (String = "audio/webm"), (String = "audio/mp4")),
        headers(("upload-complete" = String, description = "`?1` if it is there, `?0` while it is awaited"),
            ("upload-offset" = u64, description = "How many bytes are here")))))]
pub async fn find_file(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<Address>,
) -> Result<HeaderMap, Problem> {
    Ok(find(&app, &caller, &address).await?)
}

async fn find(app: &App, caller: &Caller, address: &Address) -> Result<HeaderMap, Failure> {
    let named = named(address);
    reached(app, caller, &named, Wants::Read).await?;
    let whole = app.files().find(&named.file).await?;
    let here = match whole {
        Some(whole) => whole.bytes,
        None => app.files().kept(&named.file, caller.user()).await?,
    };
    let mut headers = HeaderMap::new();
    headers.insert(COMPLETE, mark(whole.is_some()));
    headers.insert(OFFSET, here.into());
    if let Some(whole) = whole {
        headers.insert(header::CONTENT_LENGTH, whole.bytes.into());
        let media_type = HeaderValue::from_static(whole.form.media_type());
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    Ok(headers)
}
