//! `GET /v1/sessions`

use axum::extract::State;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::session::SessionView;

/// Where the caller is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// Sessions that go on, the latest first.
    sessions: Vec<SessionView>,
}

/// The list could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct ListFailure(#[from] StoreError);

impl From<ListFailure> for Problem {
    fn from(ListFailure(source): ListFailure) -> Self {
        Self::internal(&source)
    }
}

/// Lists where the caller is logged in. It does not say when anyone was online: that is not kept.
#[utoipa::path(get, path = "/v1/sessions", tag = "session", security(("bearer" = [])),
    responses((status = OK, body = SessionList, description = "The caller's sessions")))]
pub async fn list_sessions(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<SessionList>, Problem> {
    let reading = async {
        app.store()
            .read()
            .await?
            .sessions_of(caller.user(), app.clock().now())
            .await
    };
    let sessions = reading.await.map_err(ListFailure)?;
    Ok(Json(SessionList {
        sessions: sessions.iter().map(SessionView::from).collect(),
    }))
}
