//! `PATCH /v1/journals/{journal}/records/{record}/files/{sha256}`

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sync_core::limits;

use super::{Address, COMPLETE, Failure, OFFSET, PIECE, mark, named, reached};
use crate::context::{App, Caller};
use crate::files::FileFailure;
use crate::files::reach::{Named, Wants};
use crate::problem::{Code, Problem};
use crate::routes::wire::Binary;

/// What a request says of its piece.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// Where it begins.
    offset: u64,
    /// Whether the file is whole with it.
    is_last: bool,
}

impl Said {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text(header::CONTENT_TYPE.as_str()) != Some(PIECE) {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        let offset = text(OFFSET).and_then(|text| text.parse().ok());
        let is_last = match text(COMPLETE) {
            Some("?1") => Some(true),
            Some("?0") => Some(false),
            Some(_) | None => None,
        };
        let said = offset.zip(is_last);
        let (offset, is_last) = said.ok_or_else(|| Problem::new(Code::Malformed))?;
        Ok(Self { offset, is_last })
    }
}

/// How far a file has come.
#[derive(Debug, Clone, Copy)]
struct Here {
    bytes: u64,
    is_whole: bool,
}

impl IntoResponse for Here {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(OFFSET, self.bytes.into());
        headers.insert(COMPLETE, mark(self.is_whole));
        (StatusCode::NO_CONTENT, headers).into_response()
    }
}

/// Takes the next piece of a file that a record names, at most 1 MiB of at most 8 MiB.
///
/// What came of a piece is kept though the line was cut; HEAD says how much. With the last one the file is checked: it must have the
/// hash that the record names, and be a picture (JPEG or WebP) or a recording (Opus or AAC, in `WebM` or MP4) with nothing beside. Then
/// it is durable before it is acknowledged. One that is refused is thrown away.
#[utoipa::path(patch, path = "/v1/journals/{journal}/records/{record}/files/{sha256}", tag = "files", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("record" = String, Path, description = "The record"),
        ("sha256" = String, Path, description = "The file's SHA-256, as the record names it: 64 hexadecimal digits"),
        ("upload-offset" = u64, Header, description = "Where the piece begins: how many bytes are kept"),
        ("upload-complete" = String, Header, description = "`?1` if it is the last piece, otherwise `?0`")),
    request_body(content = Binary, content_type = "application/partial-upload", description = "The bytes from there on"),
    responses((status = NO_CONTENT, description = "Kept; or there, all of it, perhaps already before",
        headers(("upload-complete" = String, description = "`?1` once the file is there"),
            ("upload-offset" = u64, description = "How many bytes are here")))))]
pub async fn send_file(
    State(app): State<App>,
    caller: Caller,
    Path(address): Path<Address>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut said = Said::of(&headers)?;
    let named = named(&address);
    reached(&app, &caller, &named, Wants::HandOver).await?;
    let seat = app.intake().seat(&caller)?;
    let max = limits::FILE_PIECE_BYTES_MAX;
    let (piece, cut) = app.intake().take_what_comes(body, max).await?;
    said.is_last &= cut.is_none();
    // Whoever lost his line has this dropped, but not what he sent.
    let sending = async move {
        let _seat = seat;
        send(&app, &caller, &named, (said, piece.bytes.clone())).await
    };
    let sent = tokio::spawn(sending).await;
    let here = sent.map_err(|error| Problem::internal(&error))??;
    cut.map_or_else(|| Ok(here.into_response()), Err)
}

async fn send(
    app: &App,
    caller: &Caller,
    named: &Named,
    (said, piece): (Said, Bytes),
) -> Result<Here, Failure> {
    let (files, sender) = (app.files(), caller.user());
    if let Some(whole) = files.find(&named.file).await? {
        return Ok(Here {
            bytes: whole.bytes,
            is_whole: true,
        });
    }
    let piece = (said.offset, piece);
    if !said.is_last {
        let now = app.clock().now();
        let bytes = files.keep(&named.file, sender, piece, now).await?;
        return Ok(Here {
            bytes,
            is_whole: false,
        });
    }
    let completed = files.complete(&named.file, sender, piece).await;
    if let Err(FileFailure::Unfit(_) | FileFailure::Digest) = &completed {
        tracing::info!(record.id = %named.record, "file.refused");
    }
    let bytes = completed?;
    // An erasure may have come between, and have found nothing to take along.
    if let Err(failure) = reached(app, caller, named, Wants::HandOver).await {
        files.remove(&named.file).await?;
        return Err(failure);
    }
    tracing::info!(record.id = %named.record, "file.taken");
    Ok(Here {
        bytes,
        is_whole: true,
    })
}
