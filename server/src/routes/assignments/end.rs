//! `POST /v1/assignments/{assignment}/end`

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::admin::assignments::{self, AssignmentFailure};
use crate::admin::mandate::Word;
use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::Day;

/// How an assignment ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentEnd {
    /// The last day; today without one.
    to: Option<Day>,
    /// Whether it is taken away for cause, so that work received later does not count.
    #[serde(default)]
    for_cause: bool,
}

/// Ends an assignment. Work written before and received within 30 days still counts, unless it is taken away for cause.
#[utoipa::path(post, path = "/v1/assignments/{assignment}/end", tag = "administration", security(("bearer" = [])),
    request_body = AssignmentEnd,
    params(("assignment" = String, Path, description = "As the list has it")),
    responses((status = NO_CONTENT, description = "Ended")))]
pub async fn end_assignment(
    State(app): State<App>,
    caller: Caller,
    Path(assignment): Path<String>,
    Json(request): Json<AssignmentEnd>,
) -> Result<StatusCode, Problem> {
    let id = assignment.parse().map_err(|_| AssignmentFailure::Absent)?;
    let to = request.to.map(|day| day.0);
    assignments::end(&app, Word::Person(&caller), id, to, request.for_cause).await?;
    Ok(StatusCode::NO_CONTENT)
}
