//! `GET /v1/access-log`

use std::fmt;

use axum::extract::{Query, State};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::StoreError;
use store::journals::Stored;
use sync_core::catalog::Capability;
use sync_core::id::{AreaId, JournalId, RecordId, Seq};
use sync_core::registry::{AccessAct, OperatorAct as _, Purpose, from_command};
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller, Json};
use crate::journals::pull::Reader;
use crate::problem::Problem;
use crate::routes::audit::AuditFailure;
use crate::routes::records::mute;
use crate::routes::records::shown::{AreaName, PersonView};
use crate::routes::wire::{Id, Instant};

/// Bytes of entries on one page.
const PAGE_BYTES: usize = 64 * 1024;

/// Where the list goes on: `journal.seq`.
#[derive(Debug, Clone, Copy)]
pub struct AfterEntry(JournalId, Seq);

impl fmt::Display for AfterEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Serialize for AfterEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AfterEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read =
            |(journal, seq): (&str, &str)| Some(Self(journal.parse().ok()?, seq.parse().ok()?));
        text.split_once('.')
            .and_then(read)
            .ok_or_else(|| serde::de::Error::custom("not where a list goes on"))
    }
}

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessQuery {
    /// Of offices in this area and all that lies in it; wherever the caller may, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
    /// Where the list goes on: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<AfterEntry>,
}

/// What somebody read or took out. It says of which record, never what stands in it.
#[derive(Serialize, ToSchema)]
pub struct AccessView {
    /// The access journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// Its area.
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<AreaName>,
    /// The entry.
    seq: Seq,
    /// When.
    at: Instant,
    /// Who.
    who: PersonView,
    /// What: `sign_in`, `reveal`, `export` or `audit`.
    act: &'static str,
    /// The journals that it was about, each with the position up to which.
    of: Vec<OfJournal>,
    /// The record that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    record: Option<Id<RecordId>>,
    /// The field that was revealed, or what was exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// How many rows were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// What for, in the reader's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

mute!(AccessView);

/// A journal that an act was about.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfJournal {
    /// The journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// Up to which position.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
}

/// Who read and took out what.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessList {
    /// The acts, in the order of journal and position.
    acts: Vec<AccessView>,
    /// Where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next: Option<AfterEntry>,
}

/// Lists who revealed, exported and drew what, and what for.
#[utoipa::path(get, path = "/v1/access-log", tag = "audit", security(("bearer" = [])), params(AccessQuery),
    responses((status = OK, body = AccessList, description = "A page of acts")))]
pub async fn list_access(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AccessQuery>,
) -> Result<Json<AccessList>, Problem> {
    Ok(Json(list(&app, &caller, query).await?))
}

async fn list(app: &App, caller: &Caller, query: AccessQuery) -> Result<AccessList, AuditFailure> {
    let mut unit = app.store().read().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(AuditFailure::NotFound)?;
    let area = query.area.map(|area| area.0);
    let scopes = reader
        .journals(Purpose::Access, &[Capability::ReadAuditLog], area)
        .ok_or(AuditFailure::NotFound)?;
    let (from, known) = query
        .after
        .map_or((None, 0), |AfterEntry(journal, seq)| (Some(journal), seq));
    let mut acts = Vec::new();
    let mut budget = PAGE_BYTES;
    for journal in scopes
        .keys()
        .copied()
        .filter(|journal| from.is_none_or(|from| *journal >= from))
    {
        let mut seq = if Some(journal) == from { known } else { 0 };
        let end = unit.chain(journal).await?.map_or(0, |chain| chain.end.seq);
        while seq < end {
            if budget == 0 {
                return Ok(AccessList {
                    acts,
                    next: Some(AfterEntry(journal, seq)),
                });
            }
            for stored in unit.entries(journal, seq, budget).await? {
                seq = stored.head.seq;
                budget = budget.saturating_sub(stored.batch.packed_bytes());
                acts.extend(views(&reader, &stored)?);
            }
        }
    }
    Ok(AccessList { acts, next: None })
}

/// The acts of an entry.
fn views(reader: &Reader<'_>, stored: &Stored) -> Result<Vec<AccessView>, StoreError> {
    let (journal, seq, at) = (
        stored.head.journal,
        stored.head.seq,
        stored.head.received_at,
    );
    let parts = stored
        .batch
        .open()
        .map_err(|_| StoreError::Impossible("an entry that does not open"))?;
    let acts = parts
        .commands()
        .filter_map(|command| from_command::<AccessAct>(&command))
        .map(|(act, _)| act);
    let area = AreaName::of_journal(reader, journal);
    Ok(acts
        .map(|act| view(reader, (journal, seq), Instant(at), area.clone(), act))
        .collect())
}

fn view(
    reader: &Reader<'_>,
    (journal, seq): (JournalId, Seq),
    at: Instant,
    area: Option<AreaName>,
    act: AccessAct,
) -> AccessView {
    let (AccessAct::SignIn { user }
    | AccessAct::Reveal { user, .. }
    | AccessAct::Export { user, .. }
    | AccessAct::Audit { user, .. }) = &act;
    let mut view = AccessView {
        journal: Id(journal),
        area,
        seq,
        at,
        who: PersonView::of(reader.registry(), *user, None),
        act: act.action(),
        of: Vec::new(),
        record: None,
        what: None,
        rows: None,
        purpose: None,
    };
    match act {
        AccessAct::SignIn { .. } => {}
        AccessAct::Reveal {
            journal,
            record,
            field,
            purpose,
            ..
        } => {
            view.of = vec![OfJournal {
                journal: Id(journal),
                seq: None,
            }];
            (view.record, view.what, view.purpose) = (Some(Id(record)), Some(field), Some(purpose));
        }
        AccessAct::Export {
            what,
            rows,
            purpose,
            ..
        } => (view.what, view.rows, view.purpose) = (Some(what), Some(rows), Some(purpose)),
        AccessAct::Audit { journals, .. } => {
            view.of = journals
                .into_iter()
                .map(|(journal, seq)| OfJournal {
                    journal: Id(journal),
                    seq: Some(seq),
                })
                .collect();
        }
    }
    view
}
