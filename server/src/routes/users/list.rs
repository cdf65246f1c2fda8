//! `GET /v1/users`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sync_core::id::UserId;
use utoipa::ToSchema;

use crate::admin::mandate::Word;
use crate::admin::users::{self, ListedUser, UserFilter};
use crate::context::{App, Asked, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Id, Instant};

/// Which people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// With this in the display name, or as the user name.
    q: Option<String>,
    /// After this person: the last one of the page before.
    after: Option<Id<UserId>>,
}

/// People in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    /// The people.
    users: Vec<UserView>,
    /// Whether there are more.
    more: bool,
}

/// A person as an administrator sees one. When anyone was online is not kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// The person.
    #[schema(value_type = String)]
    id: Id<UserId>,
    /// What the person logs in with.
    user_name: String,
    /// What others call the person.
    display_name: String,
    /// Whether the account may act.
    active: bool,
    /// When the account was made.
    created_at: Instant,
}

impl From<ListedUser> for UserView {
    fn from(listed: ListedUser) -> Self {
        Self {
            id: Id(listed.user),
            user_name: listed.user_name.as_str().to_owned(),
            display_name: listed.display_name.0,
            active: listed.active,
            created_at: Instant(listed.created_at),
        }
    }
}

/// Lists the people whom the caller administers.
#[utoipa::path(get, path = "/v1/users", tag = "administration", security(("bearer" = [])),
    params(("q" = Option<String>, Query, description = "With this in the display name, or as the user name"),
        ("after" = Option<String>, Query, description = "After this person: the last one of the page before")),
    responses((status = OK, body = UserList, description = "People")))]
pub async fn list_users(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<UserQuery>,
) -> Result<Json<UserList>, Problem> {
    let filter = UserFilter {
        text: query.q,
        after: query.after.map(|user| user.0),
    };
    let (found, more) = users::list(&app, Word::Person(&caller), &filter).await?;
    let users = found.into_iter().map(UserView::from).collect();
    Ok(Json(UserList { users, more }))
}
