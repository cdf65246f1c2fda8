//! `POST /v1/assignments`

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sync_core::id::{AssignmentId, UserId};
use utoipa::ToSchema;

use crate::admin::assignments;
use crate::admin::mandate::Word;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Day, Id};

/// An assignment that is to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    /// Who.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// As what: a role of the catalogue, such as `FS`.
    role: String,
    /// Where, by its id or code. Without one it counts for the whole deployment, which only an administrator's can.
    area: Option<String>,
    /// The first day; today without one.
    from: Option<Day>,
    /// The last day, if known.
    to: Option<Day>,
    /// The unit that sends the person.
    sent_by: Option<String>,
}

/// An assignment that was given.
#[derive(Debug, Serialize, ToSchema)]
pub struct GivenAssignment {
    /// The assignment.
    #[schema(value_type = String)]
    id: Id<AssignmentId>,
}

/// Gives a person a role for an area and all that lies in it.
#[utoipa::path(post, path = "/v1/assignments", tag = "administration", security(("bearer" = [])), request_body = NewAssignment,
    responses((status = CREATED, body = GivenAssignment, description = "Given")))]
pub async fn give_assignment(
    State(app): State<App>,
    caller: Caller,
    Json(request): Json<NewAssignment>,
) -> Result<(StatusCode, Json<GivenAssignment>), Problem> {
    let new = assignments::NewAssignment {
        user: request.user.0,
        role: request.role,
        area: request.area,
        from: request.from.map(|day| day.0),
        to: request.to.map(|day| day.0),
        sent_by: request.sent_by,
    };
    let id = assignments::give(&app, Word::Person(&caller), new).await?;
    Ok((StatusCode::CREATED, Json(GivenAssignment { id: Id(id) })))
}
