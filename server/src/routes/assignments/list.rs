//! `GET /v1/assignments`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sync_core::id::{AreaId, AssignmentId, UserId};
use utoipa::ToSchema;

use crate::admin::assignments::{self, AssignmentFilter, ListedAssignment};
use crate::admin::mandate::Word;
use crate::context::{App, Asked, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Day, Id};

/// Which assignments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentQuery {
    /// In this area, by its id or code, and what lies in it.
    area: Option<String>,
    /// Of this person.
    user: Option<Id<UserId>>,
    /// After this one: the last one of the page before.
    after: Option<Id<AssignmentId>>,
}

/// Assignments in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssignmentList {
    /// The assignments, ended ones too.
    assignments: Vec<AssignmentView>,
    /// Whether there are more.
    more: bool,
}

/// An assignment.
#[derive(Debug, Serialize, ToSchema)]
pub struct AssignmentView {
    /// The assignment.
    #[schema(value_type = String)]
    id: Id<AssignmentId>,
    /// Who.
    #[schema(value_type = String)]
    user: Id<UserId>,
    /// As what.
    role: String,
    /// Where. For the whole deployment it is the deployment's id.
    #[schema(value_type = String)]
    area: Id<AreaId>,
    /// The name of the area; absent for the whole deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    area_name: Option<String>,
    /// The first day.
    from: Day,
    /// The last day, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Day>,
    /// Whether it was taken away for cause.
    for_cause: bool,
    /// The unit that sent the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_by: Option<String>,
}

impl From<ListedAssignment> for AssignmentView {
    fn from(listed: ListedAssignment) -> Self {
        let assignment = listed.assignment;
        Self {
            id: Id(listed.id),
            user: Id(assignment.user),
            role: assignment.role,
            area: Id(assignment.area),
            area_name: listed.area_name,
            from: Day(assignment.from),
            to: assignment.to.map(Day),
            for_cause: assignment.for_cause,
            sent_by: listed.sent_by,
        }
    }
}

/// Lists assignments of the caller's scope, with their dates.
#[utoipa::path(get, path = "/v1/assignments", tag = "administration", security(("bearer" = [])),
    params(("area" = Option<String>, Query, description = "In this area, by its id or code, and what lies in it"),
        ("user" = Option<String>, Query, description = "Of this person"),
        ("after" = Option<String>, Query, description = "After this one: the last one of the page before")),
    responses((status = OK, body = AssignmentList, description = "Assignments")))]
pub async fn list_assignments(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<AssignmentQuery>,
) -> Result<Json<AssignmentList>, Problem> {
    let filter = AssignmentFilter {
        area: query.area,
        user: query.user.map(|user| user.0),
        after: query.after.map(|id| id.0),
    };
    let (found, more) = assignments::list(&app, Word::Person(&caller), &filter).await?;
    let assignments = found.into_iter().map(AssignmentView::from).collect();
    Ok(Json(AssignmentList { assignments, more }))
}
