//! `GET /v1/live`

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt as _, stream};
use store::StoreError;
use sync_core::catalog::Capability;
use tokio::sync::broadcast::error::RecvError;

use crate::context::{App, Caller};
use crate::journals::admission::Moved;
use crate::problem::Problem;

/// How often a line goes over an idle channel, so that neither end believes it dead.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// The channel could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct FollowFailure(#[from] StoreError);

impl From<FollowFailure> for Problem {
    fn from(FollowFailure(source): FollowFailure) -> Self {
        Self::internal(&source)
    }
}

/// Says that a journal the caller may know of has moved, and how far: `data: {"journal": …, "seq": …}`.
///
/// It brings no content. Whoever missed an event misses nothing: the next sync asks by position. The scope is that of the
/// moment of each event.
#[utoipa::path(get, path = "/v1/live", tag = "sync", security(("bearer" = [])),
    responses((status = OK, body = String, content_type = "text/event-stream", description = "One event each time a journal moved")))]
pub async fn follow_journals(
    State(app): State<App>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    // A store that cannot be read is told now, not in the stream.
    let mut unit = app.store().read().await.map_err(FollowFailure)?;
    app.reader(&mut *unit, &caller)
        .await
        .map_err(FollowFailure)?
        .ok_or_else(Problem::not_found)?;
    drop(unit);
    let stopped = app.clone();
    let moved = app.admission().subscribe();
    let events = stream::unfold(
        (app, caller, moved),
        |(app, caller, mut moved)| async move {
            loop {
                match moved.recv().await {
                    Ok(event) if may_know(&app, &caller, &event).await => {
                        let data =
                            format!(r#"{{"journal":"{}","seq":{}}}"#, event.journal, event.seq);
                        return Some((
                            Ok(Event::default().event("moved").data(data)),
                            (app, caller, moved),
                        ));
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        },
    );
    let until_stopped = events
        .take_until(async move { stopped.stopped().await })
        .boxed();
    Ok(Sse::new(until_stopped).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

async fn may_know(app: &App, caller: &Caller, moved: &Moved) -> bool {
    let Ok(mut unit) = app.store().read().await else {
        return false;
    };
    let reader = app.reader(&mut *unit, caller).await.ok().flatten();
    let scope = |capability| {
        reader
            .as_ref()
            .and_then(|reader| reader.scope(moved.journal, capability))
    };
    scope(Capability::Sync)
        .or_else(|| scope(Capability::ReadRecords))
        .is_some()
}
