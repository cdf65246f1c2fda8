//! `POST /v1/reveal`

use std::fmt;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::StoreError;
use sync_core::catalog::{Capability, Kind};
use sync_core::command::Audience;
use sync_core::id::{JournalId, RecordId, Seq, UserId};
use sync_core::limits;
use sync_core::record::{Held, Item, Record, Slot, referred};
use sync_core::registry::AccessAct;
use sync_core::value::Value;
use utoipa::ToSchema;

use crate::context::{App, Caller, Json};
use crate::journals::pull::Scope;
use crate::problem::{Code, Problem};
use crate::routes::records::shown::Valued;
use crate::routes::wire::Id;

/// What is to be shown, and what for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    /// The journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// The record.
    #[schema(value_type = String)]
    record: Id<RecordId>,
    /// The field.
    field: String,
    /// What for, in the caller's words. It is entered with who, when and what.
    purpose: String,
}

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reveal")
            .field("journal", &self.journal)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// A field, whole.
#[derive(Serialize, ToSchema)]
pub struct Revealed {
    /// Its values: more than one in a list or in 待核对.
    #[schema(value_type = Vec<serde_json::Value>)]
    values: Vec<serde_json::Value>,
    /// The same as people read them.
    texts: Vec<String>,
    /// The access journal in which the reveal is entered.
    #[schema(value_type = String)]
    entered_in: Id<JournalId>,
    /// Its position there.
    entered_at: Seq,
}

mute!(Revealed);

/// Why nothing was revealed.
#[derive(Debug, thiserror::Error)]
pub enum RevealFailure {
    /// There is nothing that the caller may know of.
    #[error("nothing that the caller may know of")]
    NotFound,
    /// No purpose, or a long one.
    #[error("no purpose, or a long one")]
    Purpose,
    /// It cannot be entered, so it is not shown.
    #[error("no access journal")]
    NoAccessJournal,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<RevealFailure> for Problem {
    fn from(failure: RevealFailure) -> Self {
        match failure {
            RevealFailure::NotFound => Self::not_found(),
            RevealFailure::Purpose => Self::invalid_field(
                "purpose",
                format!("1 to {} characters", limits::REASON_CHARS_MAX),
            ),
            RevealFailure::NoAccessJournal => Self::new(Code::NoAccessJournal),
            RevealFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Shows one field whole, for a stated purpose. Before it is shown, who, when, what and what for are durably entered in the access
/// journal of the caller's office. What is for the stationed team alone is revealed to nobody else.
#[utoipa::path(post, path = "/v1/reveal", tag = "records", security(("bearer" = [])), request_body = Reveal,
    responses((status = OK, body = Revealed, description = "The field, whole; entered")))]
pub async fn reveal_field(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Reveal>,
) -> Result<Json<Revealed>, Problem> {
    Ok(Json(reveal(&app, &caller, body).await?))
}

async fn reveal(app: &App, caller: &Caller, body: Reveal) -> Result<Revealed, RevealFailure> {
    let purpose = body.purpose.trim();
    if purpose.is_empty() || purpose.chars().count() > limits::REASON_CHARS_MAX {
        return Err(RevealFailure::Purpose);
    }
    let (journal, id) = (body.journal.0, body.record.0);
    let mut unit = app.store().begin().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(RevealFailure::NotFound)?;
    let found = unit.record(journal, id).await?;
    let found = found.ok_or(RevealFailure::NotFound)?.record;
    let mut capabilities = vec![Capability::Reveal];
    capabilities.extend(names(&found, caller.user()).then_some(Capability::RevealSent));
    let mut open = capabilities
        .into_iter()
        .filter_map(|capability| Some((capability, reader.scope(journal, capability)?)));
    let (capability, scope) = open.next().ok_or(RevealFailure::NotFound)?;
    let kind = reader
        .catalogue()
        .kind(&found.kind)
        .ok_or(RevealFailure::NotFound)?;
    let field = kind.field(&body.field).ok_or(RevealFailure::NotFound)?;
    if !is_open(kind, &body.field, &found, &scope) {
        return Err(RevealFailure::NotFound);
    }
    let values = found
        .fields
        .get(&body.field)
        .and_then(values)
        .ok_or(RevealFailure::NotFound)?;
    let valued = Valued {
        catalogue: reader.catalogue(),
        registry: reader.registry(),
        ty: &field.ty,
    };
    let (texts, values) = (
        values.iter().map(|value| valued.text(value)).collect(),
        values.iter().map(|value| valued.json(value)).collect(),
    );

    let access = reader
        .access_journal(journal, capability)
        .ok_or(RevealFailure::NoAccessJournal)?;
    let act = AccessAct::Reveal {
        user: caller.user(),
        journal,
        record: id,
        field: body.field,
        purpose: purpose.to_owned(),
    };
    let seq = app.enter_access(unit, access, act, caller.user()).await?;
    tracing::info!(record.id = %id, "field.revealed");
    Ok(Revealed {
        values,
        texts,
        entered_in: Id(access),
        entered_at: seq,
    })
}

/// Whether a record was sent to a person: whether it names him among those who are to act on it.
fn names(record: &Record, user: UserId) -> bool {
    let mut held = record.fields.values().flat_map(|slot| match slot {
        Slot::Register(held) => held.as_slice(),
        Slot::Text(_) | Slot::List(_) | Slot::Withheld => &[],
    });
    let is_he = |value: &Value| referred(value).is_some_and(|target| target.0 == user.0);
    held.any(|held| match &held.value {
        Value::List(values) => values.iter().any(is_he),
        value => is_he(value),
    })
}

/// Whether a field may be revealed: not what is for the team alone, nor anything of a record that is.
fn is_open(kind: &Kind, field: &str, record: &Record, scope: &Scope) -> bool {
    let audience = kind
        .field(field)
        .map(|field| kind.audience_of(field, record.audience));
    let is_for = |audience: Audience| {
        audience != Audience::Team || scope.audiences.contains(&Audience::Team)
    };
    record.created.is_some() && is_for(record.audience) && audience.is_some_and(is_for)
}

fn values(slot: &Slot) -> Option<Vec<Value>> {
    match slot {
        Slot::Register(held) => Some(
            held.iter()
                .map(|Held { value, .. }| value.clone())
                .collect(),
        ),
        Slot::Text(text) => Some(vec![Value::text(text)]),
        Slot::List(items) => Some(
            items
                .iter()
                .map(|Item { value, .. }| value.clone())
                .collect(),
        ),
        Slot::Withheld => None,
    }
}
