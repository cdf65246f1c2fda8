//! `GET /v1/journals`

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use sync_core::catalog::Capability;
use sync_core::id::{AreaId, Digest, JournalId, Seq};
use sync_core::journal::Chain;
use sync_core::registry::Purpose;
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::audit::AuditFailure;
use crate::routes::records::shown::AreaName;
use crate::routes::wire::Id;

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JournalsQuery {
    /// In this area and all that lies in it; wherever the caller may know of journals, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
}

/// How far a journal is.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalView {
    /// The journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// `village`, or `access` for what readers of a county or province did.
    purpose: &'static str,
    /// The area that it belongs to today.
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<AreaName>,
    /// Its last entry's position; 0 if it is empty.
    seq: Seq,
    /// The chain's head there.
    #[schema(value_type = String)]
    head: Id<Digest>,
    /// Up to where its records are folded.
    folded: Seq,
    /// Up to where its head is published in the log.
    published: Seq,
}

/// How far journals are.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalList {
    /// The journals.
    journals: Vec<JournalView>,
}

/// Lists the journals that the caller may know of, and how far each is.
#[utoipa::path(get, path = "/v1/journals", tag = "audit", security(("bearer" = [])), params(JournalsQuery),
    responses((status = OK, body = JournalList, description = "The journals, in the order of their ids")))]
pub async fn list_journals(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<JournalsQuery>,
) -> Result<Json<JournalList>, Problem> {
    Ok(Json(list(&app, &caller, query).await?))
}

async fn list(
    app: &App,
    caller: &Caller,
    query: JournalsQuery,
) -> Result<JournalList, AuditFailure> {
    let mut unit = app.store().read().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(AuditFailure::NotFound)?;
    let area = query.area.map(|area| area.0);
    let villages = [
        Capability::ReadRecords,
        Capability::Audit,
        Capability::VerifyLog,
    ];
    let access = [
        Capability::ReadAuditLog,
        Capability::Audit,
        Capability::VerifyLog,
    ];
    let villages = reader.journals(Purpose::Village, &villages, area);
    let access = reader.journals(Purpose::Access, &access, area);
    if villages.is_none() && access.is_none() {
        return Err(AuditFailure::NotFound);
    }
    let named = |purpose: &'static str| move |journal: &JournalId| (*journal, purpose);
    let villages = villages
        .iter()
        .flat_map(|scopes| scopes.keys().map(named("village")));
    let mut known: Vec<(JournalId, &'static str)> = villages
        .chain(
            access
                .iter()
                .flat_map(|scopes| scopes.keys().map(named("access"))),
        )
        .collect();
    known.sort_unstable();
    let mut journals = Vec::with_capacity(known.len());
    for (journal, purpose) in known {
        let end = unit
            .chain(journal)
            .await?
            .unwrap_or_else(|| Chain::start(journal))
            .end;
        journals.push(JournalView {
            journal: Id(journal),
            purpose,
            area: AreaName::of_journal(&reader, journal),
            seq: end.seq,
            head: Id(end.head),
            folded: unit.folded_seq(journal).await?,
            published: unit
                .newest_leaf(journal)
                .await?
                .map_or(0, |leaf| leaf.end.seq),
        });
    }
    Ok(JournalList { journals })
}
