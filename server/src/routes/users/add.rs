//! `POST /v1/users`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use sync_core::id::UserId;
use utoipa::ToSchema;

use crate::admin::mandate::Word;
use crate::admin::users;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::bootstrap::found::NewPerson;
use crate::routes::users::CodeView;
use crate::routes::wire::Id;

/// An account that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddedUser {
    /// The person.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// Hand it to the person, who sets a password with it.
    password_code: CodeView,
}

/// Makes an account. It may do nothing until somebody else assigns it a role.
#[utoipa::path(post, path = "/v1/users", tag = "administration", security(("bearer" = [])), request_body = NewPerson,
    responses((status = CREATED, body = AddedUser, description = "Made")))]
pub async fn add_user(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<NewPerson>,
) -> Result<(StatusCode, Json<AddedUser>), Problem> {
    let (user, code) = users::add(&app, Word::Person(&caller), request.read()?).await?;
    let added = AddedUser {
        user: Id(user),
        password_code: code.into(),
    };
    Ok((StatusCode::CREATED, Json(added)))
}
