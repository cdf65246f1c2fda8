//! `POST /v1/sync`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use store::StoreError;
use store::journals::Asked;
use sync_core::batch::WireBatch;
use sync_core::cbor;
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::seal;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{Carried, Outcome, Receipt, SyncRequest, SyncResponse};

use crate::context::{App, Caller};
use crate::intake;
use crate::journals::publish;
use crate::journals::pull::Budget;
use crate::problem::{Code, Problem};
use crate::routes::wire::Binary;

/// The media type of both bodies.
pub const CBOR: &str = "application/cbor";

/// Why nothing was exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeFailure {
    /// The body is not of the media type.
    #[error("not CBOR by its media type")]
    MediaType,
    /// The body is no request, or exceeds a limit.
    #[error("not a sync request")]
    Malformed,
    /// The device speaks another version of the protocol.
    #[error("another version of the protocol")]
    Protocol,
    /// A session without a device, or a device that may not read.
    #[error("no device that may sync")]
    Device,
    /// The device verified a larger checkpoint than is kept here: it can give back what it shows that this server lost.
    #[error("behind what the device verified")]
    Behind,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<ExchangeFailure> for Problem {
    fn from(failure: ExchangeFailure) -> Self {
        match failure {
            ExchangeFailure::MediaType => Self::new(Code::UnsupportedMediaType),
            ExchangeFailure::Malformed => Self::new(Code::Malformed),
            ExchangeFailure::Protocol => Self::new(Code::Protocol),
            ExchangeFailure::Device => Self::new(Code::DeviceUnusable),
            ExchangeFailure::Behind => Self::new(Code::BehindCheckpoint),
            ExchangeFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Brings what was sealed and takes what is new: one request, one response.
///
/// Both bodies are deterministic CBOR: `sync_core::sync::wire` describes them. A batch that is refused is no error: its fates are in
/// the receipt. Every unit is durable on its own before it is answered.
#[utoipa::path(post, path = "/v1/sync", tag = "sync", security(("bearer" = [])),
    request_body(content = Binary, content_type = "application/cbor", description = "A SyncRequest"),
    responses((status = OK, body = Binary, content_type = "application/cbor", description = "A SyncResponse")))]
pub async fn exchange_batches(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let is_cbor = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == CBOR.as_bytes());
    if !is_cbor {
        return Err(ExchangeFailure::MediaType.into());
    }
    let _seat = app.intake().seat(&caller)?;
    let taken = app.intake().take(body, limits::REQUEST_BYTES_MAX).await?;
    if !intake::counts_are_modest(&taken.bytes) {
        return Err(ExchangeFailure::Malformed.into());
    }
    let request: SyncRequest =
        cbor::decode(&taken.bytes).map_err(|_| ExchangeFailure::Malformed)?;
    let response = exchange(&app, &caller, request).await?;
    Ok(([(header::CONTENT_TYPE, CBOR)], cbor::encode(&response)).into_response())
}

async fn exchange(
    app: &App,
    caller: &Caller,
    request: SyncRequest,
) -> Result<SyncResponse, ExchangeFailure> {
    if request.protocol != PROTOCOL {
        return Err(ExchangeFailure::Protocol);
    }
    let parcels = request.batches.len() + request.carried.len();
    if parcels > limits::REQUEST_BATCHES_MAX || request.cursors.len() > limits::REQUEST_CURSORS_MAX
    {
        return Err(ExchangeFailure::Malformed);
    }
    let device = caller.device().ok_or(ExchangeFailure::Device)?;
    let kept = app.kept().newest().map_or(0, |newest| newest.size);
    if request.checkpoint > kept {
        return Err(ExchangeFailure::Behind);
    }
    // What does not fit is told to come again: unjudged, so its lane stays where it was. One after the other, so that no more is
    // in memory at once than one of them unpacks to.
    let mut room = Room::of_request();
    let mut receipts = Vec::with_capacity(request.batches.len());
    for batch in request.batches {
        let (lane, journal, first) = (batch.device, batch.journal, batch.first);
        // A lane's batches follow one another: the next is judged when the one before has its fates.
        let outcome = if lane == device {
            app.admission().admit(batch, &mut room).await?
        } else {
            Outcome::Unusable {
                code: "not_yours".to_owned(),
            }
        };
        receipts.push(Receipt {
            device: lane,
            journal,
            first,
            outcome,
        });
    }
    let mut carried = Vec::with_capacity(request.carried.len());
    for sealed in request.carried {
        carried.push(take(app, &sealed.0, &mut room).await?);
    }

    let mut unit = app.store().read().await?;
    let reader = app.reader(&mut *unit, caller).await?;
    let Some(reader) = reader else {
        // Suspended or revoked between its last refresh and now: its work has been answered, and there is nothing to read.
        let registry_seq = request.registry;
        return Ok(SyncResponse {
            receipts,
            carried,
            journals: Vec::new(),
            registry: Vec::new(),
            registry_seq,
            checkpoint: None,
            server_time: app.clock().now(),
        });
    };
    let mut budget = Budget::of(request.budget_bytes);
    let mut journals = Vec::new();
    let cursors = request.cursors.iter();
    let known = unit
        .known(&Asked {
            journals: cursors.clone().map(|cursor| cursor.journal).collect(),
            heads: cursors
                .map(|cursor| (cursor.journal, cursor.end.seq))
                .collect(),
            ..Asked::default()
        })
        .await?;
    for cursor in &request.cursors {
        let page = reader.page(&mut *unit, app.packer(), &known, (cursor, &mut budget));
        journals.extend(page.await?);
    }
    let followed: Vec<_> = journals
        .iter()
        .filter(|page| !page.more)
        .map(|page| page.journal)
        .collect();
    Ok(SyncResponse {
        receipts,
        carried,
        checkpoint: publish::covering(
            &mut *unit,
            app.kept().newest(),
            &followed,
            request.checkpoint,
        )
        .await?,
        journals,
        registry: reader.registry_since(request.registry),
        registry_seq: reader.registry().position().seq,
        server_time: app.clock().now(),
    })
}

/// Takes what a carrier brings. Whatever it is, the carrier learns only that the server has it.
async fn take(app: &App, sealed: &[u8], room: &mut Room) -> Result<Carried, StoreError> {
    if room.left() == 0 {
        return Ok(Carried::Busy);
    }
    let opened = seal::open(app.opening(), app.deployment(), sealed).ok();
    let Some(batch) = opened.and_then(|bytes| cbor::decode::<WireBatch>(&bytes).ok()) else {
        return Ok(Carried::Taken);
    };
    Ok(match app.admission().admit(batch, room).await? {
        // A gap closes when the batches before it arrive, by whichever way: it is kept by its carrier until then.
        Outcome::Busy | Outcome::Quota { .. } | Outcome::Gap { .. } => Carried::Busy,
        Outcome::Entered { .. }
        | Outcome::Forked
        | Outcome::Equivocation
        | Outcome::Unusable { .. } => Carried::Taken,
    })
}
