//! `GET /v1/conflicts`

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use store::journals::{Filter, Folded};
use sync_core::id::{AreaId, Seq};
use sync_core::record::{Record, Slot};
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller};
use crate::problem::Problem;
use crate::routes::records::shown::{FieldView, RecordHead};
use crate::routes::records::{After, OpenList, Read, ReadFailure, limit};
use crate::routes::wire::Id;

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitingQuery {
    /// In this area and all that lies in it; wherever the caller may read, if absent.
    #[param(value_type = Option<String>)]
    pub(super) area: Option<Id<AreaId>>,
    /// Where the list goes on: `next` of the page before.
    #[param(value_type = Option<String>)]
    pub(super) after: Option<After>,
    /// The most records on the page.
    pub(super) limit: Option<u32>,
    /// Only if the village's journal is folded up to this position.
    pub(super) at: Option<Seq>,
}

/// A record in 待核对.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conflicted {
    /// Which record.
    record: RecordHead,
    /// The fields for which two values stand, each with both values and who wrote them, in the order of their arrival.
    fields: Vec<FieldView>,
}

/// A page of records in 待核对.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConflictList {
    /// The records, in the order of journal and record.
    conflicts: Vec<Conflicted>,
    /// Where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<After>,
}

/// Lists the records of which two values stand for one field, until somebody who knows chooses.
#[utoipa::path(get, path = "/v1/conflicts", tag = "records", security(("bearer" = [])), params(WaitingQuery),
    responses((status = OK, body = ConflictList, description = "A page of records in 待核对",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on, if it is about one journal")))))]
pub async fn list_conflicts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WaitingQuery>,
) -> Result<Read<ConflictList>, Problem> {
    Ok(conflicts(&app, &caller, query).await?)
}

async fn conflicts(
    app: &App,
    caller: &Caller,
    query: WaitingQuery,
) -> Result<Read<ConflictList>, ReadFailure> {
    let limit = limit(query.limit)?;
    let area = query.area.map(|area| area.0);
    let mut open = OpenList::open(app, caller, area, query.at).await?;
    let filter = Filter {
        conflicted: true,
        after: query.after.map(|after| after.0),
        limit,
        ..Filter::default()
    };
    let (page, next) = open.page(filter, |_| true).await?;
    let has_several = |slot: &Slot| matches!(slot, Slot::Register(held) if held.len() > 1);
    let show = |(folded, called_by): &(Folded, Option<Record>)| {
        let showing = open.showing(&folded.record, called_by.as_ref())?;
        Some(Conflicted {
            record: showing.head(&folded.record),
            fields: showing.fields(&folded.record, has_several),
        })
    };
    Ok(Read {
        seq: open.seq,
        body: ConflictList {
            conflicts: page.iter().filter_map(show).collect(),
            next,
        },
    })
}
