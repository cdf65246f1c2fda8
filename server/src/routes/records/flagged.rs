//! `GET /v1/flagged`

use axum::extract::{Query, State};
use serde::Deserialize;
use store::journals::Filter;
use sync_core::id::{AreaId, Seq};
use sync_core::record::{Logged, Record, Step};
use utoipa::IntoParams;

use crate::context::{App, Caller};
use crate::problem::Problem;
use crate::routes::records::conflicts::WaitingQuery;
use crate::routes::records::unanswered::{SpokenList, spoken};
use crate::routes::records::{After, Read};
use crate::routes::wire::Id;

/// Where, and why.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FlaggedQuery {
    /// In this area and all that lies in it; wherever the caller may read, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
    /// Only what is marked for this: a stable code.
    cause: Option<String>,
    /// Where the list goes on: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<After>,
    /// The most records on the page.
    limit: Option<u32>,
    /// Only if the village's journal is folded up to this position.
    at: Option<Seq>,
}

/// Lists what counts and is marked for somebody to look at, with why, until somebody clears the mark. A page may have fewer records than asked for, even none, while
/// the list goes on.
#[utoipa::path(get, path = "/v1/flagged", tag = "records", security(("bearer" = [])), params(FlaggedQuery),
    responses((status = OK, body = SpokenList, description = "A page of records with marked commands",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on, if it is about one journal")))))]
pub async fn list_flagged(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FlaggedQuery>,
) -> Result<Read<SpokenList>, Problem> {
    let FlaggedQuery {
        area,
        cause,
        after,
        limit,
        at,
    } = query;
    let is_wanted = move |record: &Record, logged: &Logged| {
        let step = record.step(&logged.place);
        let mut flags = step.into_iter().flat_map(Step::flags);
        flags.any(|flag| cause.as_ref().is_none_or(|cause| flag == cause))
    };
    let filter = Filter {
        flagged: Some(true),
        ..Filter::default()
    };
    Ok(spoken(
        &app,
        &caller,
        WaitingQuery {
            area,
            after,
            limit,
            at,
        },
        filter,
        is_wanted,
    )
    .await?)
}
