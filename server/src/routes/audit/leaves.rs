//! `GET /v1/log/leaves`

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use sync_core::id::{Digest, JournalId, Seq};
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::audit::{AuditFailure, VERIFIES};
use crate::routes::wire::Id;

/// Leaves on one page.
const LEAVES_MAX: usize = 10_000;

/// From where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeavesQuery {
    /// The position of the first leaf, from 0.
    #[serde(default)]
    from: u64,
}

/// A leaf of the log: a head that was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeafView {
    /// Its position, from 0.
    position: u64,
    /// The journal.
    #[schema(value_type = String)]
    journal: Id<JournalId>,
    /// The position in the journal.
    seq: Seq,
    /// The chain's head there.
    #[schema(value_type = String)]
    head: Id<Digest>,
}

/// Leaves of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeafList {
    /// The leaves, in order.
    leaves: Vec<LeafView>,
    /// From where the list goes on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Lists the leaves of the whole log. They name journals by id and heads by digest, and say nothing of what is written: all are
/// needed to know that no journal was published with two histories.
#[utoipa::path(get, path = "/v1/log/leaves", tag = "audit", security(("bearer" = [])), params(LeavesQuery),
    responses((status = OK, body = LeafList, description = "Leaves from a position on")))]
pub async fn list_leaves(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LeavesQuery>,
) -> Result<Json<LeafList>, Problem> {
    Ok(Json(leaves(&app, &caller, query.from).await?))
}

async fn leaves(app: &App, caller: &Caller, from: u64) -> Result<LeafList, AuditFailure> {
    let mut unit = app.store().read().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(AuditFailure::NotFound)?;
    if !VERIFIES.iter().any(|capability| reader.can(*capability)) {
        return Err(AuditFailure::NotFound);
    }
    let found = unit.leaves(from).await?;
    let next = found.get(LEAVES_MAX).map(|leaf| leaf.position);
    let leaf = |leaf: &store::journals::LogLeaf| LeafView {
        position: leaf.position,
        journal: Id(leaf.journal),
        seq: leaf.end.seq,
        head: Id(leaf.end.head),
    };
    Ok(LeafList {
        leaves: found.iter().take(LEAVES_MAX).map(leaf).collect(),
        next,
    })
}
