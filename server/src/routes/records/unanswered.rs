//! `GET /v1/unanswered`

use axum::extract::{Query, State};
use serde::Serialize;
use store::journals::Filter;
use sync_core::record::{Logged, Record};
use utoipa::ToSchema;

use crate::context::{App, Caller};
use crate::journals::timeline;
use crate::problem::Problem;
use crate::routes::records::conflicts::WaitingQuery;
use crate::routes::records::shown::RecordHead;
use crate::routes::records::timeline::{LineView, line, may_know};
use crate::routes::records::{After, OpenList, Read, ReadFailure, limit};

/// A record with commands of which somebody should know.
#[derive(Debug, Serialize, ToSchema)]
pub struct Spoken {
    /// Which record.
    record: RecordHead,
    /// The commands, in the order of their arrival.
    lines: Vec<LineView>,
}

/// A page of records with such commands.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpokenList {
    /// The records, in the order of journal and record.
    records: Vec<Spoken>,
    /// Where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<After>,
}

/// Lists what was refused (拒收) or without effect (未生效), with why. What it says is shown to who may help to offer it again, and to
/// who wrote it.
#[utoipa::path(get, path = "/v1/unanswered", tag = "records", security(("bearer" = [])), params(WaitingQuery),
    responses((status = OK, body = SpokenList, description = "A page of records with commands that changed nothing",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on, if it is about one journal")))))]
pub async fn list_unanswered(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WaitingQuery>,
) -> Result<Read<SpokenList>, Problem> {
    let filter = Filter {
        unanswered: true,
        ..Filter::default()
    };
    Ok(spoken(&app, &caller, query, filter, |_, logged| {
        !logged.fate.counts()
    })
    .await?)
}

/// The records that a filter lets through, each with those of its commands that are asked for.
pub(super) async fn spoken(
    app: &App,
    caller: &Caller,
    query: WaitingQuery,
    filter: Filter,
    wants: impl Fn(&Record, &Logged) -> bool + Send + Sync,
) -> Result<Read<SpokenList>, ReadFailure> {
    let limit = limit(query.limit)?;
    let area = query.area.map(|area| area.0);
    let mut open = OpenList::open(app, caller, area, query.at).await?;
    let mut records = Vec::new();
    let mut next = query.after;
    // A record of which the caller may know nothing takes no place on the page: its length would tell that there is one.
    let mut places = limit;
    while places > 0 {
        let filter = Filter {
            after: next.take().map(|after| after.0),
            limit: places,
            ..filter.clone()
        };
        let (page, on) = open.page(filter, |_| true).await?;
        for (folded, called_by) in &page {
            let record = &folded.record;
            let mut log = timeline::log(&mut *open.unit, record.journal, record.id).await?;
            let Some(showing) = open.showing(record, called_by.as_ref()) else {
                continue;
            };
            log.retain(|logged| may_know(&showing, record, logged));
            places -= u32::from(!log.is_empty());
            log.retain(|logged| wants(record, logged));
            if !log.is_empty() {
                let lines = log
                    .iter()
                    .map(|logged| line(&showing, record, logged))
                    .collect();
                records.push(Spoken {
                    record: showing.head(record),
                    lines,
                });
            }
        }
        next = on;
        if next.is_none() {
            break;
        }
    }
    Ok(Read {
        seq: open.seq,
        body: SpokenList { records, next },
    })
}
