//! `GET /v1/session`

use axum::extract::State;
use serde::Serialize;
use store::StoreError;
use sync_core::id::UserId;
use utoipa::ToSchema;

use crate::context::{App, Caller, Json};
use crate::problem::{Code, Problem};
use crate::routes::session::SessionView;
use crate::routes::wire::Id;

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The person.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// What the person logs in with.
    user_name: String,
    /// What others call the person.
    display_name: String,
    /// The session of this request.
    session: SessionView,
}

/// Why it cannot be said who the caller is.
#[derive(Debug, thiserror::Error)]
pub enum ShowFailure {
    /// The session ended while the request was under way.
    #[error("the session has ended")]
    Over,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<ShowFailure> for Problem {
    fn from(failure: ShowFailure) -> Self {
        match failure {
            ShowFailure::Over => Self::new(Code::Unauthenticated),
            ShowFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Says who the caller is.
#[utoipa::path(get, path = "/v1/session", tag = "session", security(("bearer" = [])),
    responses((status = OK, body = WhoAmI, description = "The caller")))]
pub async fn show_session(State(app): State<App>, caller: Caller) -> Result<Json<WhoAmI>, Problem> {
    Ok(Json(who(&app, &caller).await?))
}

async fn who(app: &App, caller: &Caller) -> Result<WhoAmI, ShowFailure> {
    let mut reading = app.store().read().await?;
    let account = reading
        .account(caller.user())
        .await?
        .ok_or(ShowFailure::Over)?;
    let session = reading
        .session(caller.session())
        .await?
        .ok_or(ShowFailure::Over)?;
    Ok(WhoAmI {
        user: Id(account.user),
        user_name: account.user_name.as_str().to_owned(),
        display_name: account.display_name.0,
        session: SessionView::from(&session),
    })
}
