//! `GET /v1/records`

use std::fmt;

use axum::extract::{Query, State};
use serde::{Deserialize, Deserializer, Serialize};
use store::journals::{Filter, Folded};
use sync_core::id::{AreaId, Seq};
use sync_core::record::Record;
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller};
use crate::journals::searchable::lower;
use crate::problem::Problem;
use crate::routes::records::shown::RecordView;
use crate::routes::records::{After, OpenList, Read, ReadFailure, limit};
use crate::routes::wire::{Id, Instant};

/// The most words that are looked for at once.
const WORDS_MAX: usize = 8;
/// The longest of them, in code points.
const WORD_CHARS_MAX: usize = 64;

/// Words to look for, in lower case. They may be names: they are never printed.
#[derive(Default)]
pub struct Words(Vec<String>);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(<personal>)")
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words: Vec<String> = text.split_whitespace().map(lower).collect();
        let fits = words.len() <= WORDS_MAX
            && words
                .iter()
                .all(|word| word.chars().count() <= WORD_CHARS_MAX);
        fits.then_some(Self(words))
            .ok_or_else(|| serde::de::Error::custom("too many words, or too long ones"))
    }
}

/// Which records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// In this area and all that lies in it; wherever the caller may read, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
    /// Of this kind.
    kind: Option<String>,
    /// In this state.
    state: Option<String>,
    /// With all of these words in what everyone who reads the record reads whole. Masked and sensitive fields are not looked into.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    q: Words,
    /// About which something was received at or after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Instant>,
    /// About which something was received before this instant, and nothing after it.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Instant>,
    /// Only those with two values for one field (待核对).
    #[serde(default)]
    conflicted: bool,
    /// Only those with a command that counts and is marked, unless the mark was cleared; or, if `false`, only those without. So a list
    /// is taken with what was 补录, or without.
    flagged: Option<bool>,
    /// Only those with a command that was refused or without effect.
    #[serde(default)]
    unanswered: bool,
    /// Where the list goes on: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<After>,
    /// The most records on the page.
    limit: Option<u32>,
    /// Only if the village's journal is folded up to this position.
    at: Option<Seq>,
}

/// A page of records, in the order of journal and record.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordList {
    /// The records.
    records: Vec<RecordView>,
    /// Where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<After>,
}

/// Lists the records that the caller may read. What may not be known of is not in it; what may not be read is marked as withheld.
#[utoipa::path(get, path = "/v1/records", tag = "records", security(("bearer" = [])), params(ListQuery),
    responses((status = OK, body = RecordList, description = "A page of records",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on, if it is about one journal")))))]
pub async fn list_records(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Read<RecordList>, Problem> {
    Ok(list(&app, &caller, query).await?)
}

async fn list(
    app: &App,
    caller: &Caller,
    query: ListQuery,
) -> Result<Read<RecordList>, ReadFailure> {
    let limit = limit(query.limit)?;
    let area = query.area.map(|area| area.0);
    let mut open = OpenList::open(app, caller, area, query.at).await?;
    let filter = Filter {
        kind: query.kind,
        state: query.state,
        words: query.q.0,
        since: query.since.map(|at| at.0),
        until: query.until.map(|at| at.0),
        conflicted: query.conflicted,
        flagged: query.flagged,
        unanswered: query.unanswered,
        after: query.after.map(|after| after.0),
        limit,
        ..Filter::default()
    };
    // A record whose `Create` did not count is none; its command stands in the list of what is unanswered.
    let is_one = |folded: &Folded| folded.record.created.is_some();
    let (page, next) = open.page(filter, is_one).await?;
    let show = |(folded, called_by): &(Folded, Option<Record>)| {
        let showing = open.showing(&folded.record, called_by.as_ref())?;
        Some(showing.record(folded))
    };
    Ok(Read {
        seq: open.seq,
        body: RecordList {
            records: page.iter().filter_map(show).collect(),
            next,
        },
    })
}
