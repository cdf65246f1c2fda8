//! `GET /v1/journals/{journal}/papers`

use axum::extract::{Path, State};
use serde::Serialize;
use sync_core::catalog::{Catalogue, Paper, Subject};
use sync_core::id::JournalId;
use utoipa::ToSchema;

use crate::context::{App, Caller, Json};
use crate::problem::Problem;
use crate::routes::records::shown::Named;
use crate::routes::records::{OpenJournal, ReadFailure};
use crate::routes::wire::Id;

/// A paper that there is, and of what it is drafted.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaperView {
    /// The paper.
    paper: Named,
    /// Of which period: `day`, `month` or `year`.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<&'static str>,
    /// Of a record of which kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Named>,
    /// Whether only what the caller wrote himself, or is named in, stands in it.
    own: bool,
    /// Whether it is hung out: whatever has a mask is masked.
    masked: bool,
}

impl PaperView {
    fn new(catalogue: &Catalogue, paper: &Paper) -> Self {
        let (period, kind) = match &paper.about {
            Subject::Period(period) => (Some(period.name()), None),
            Subject::Record(kind) => {
                let label = catalogue.kind(kind).map(|kind| &kind.label);
                (None, Some(Named::new(kind, label)))
            }
        };
        Self {
            paper: Named::new(&*paper.name, Some(&paper.label)),
            period,
            kind,
            own: paper.own,
            masked: paper.masked,
        }
    }
}

/// The papers that there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaperList {
    /// The papers, in the order of their names.
    papers: Vec<PaperView>,
}

/// Lists the papers that can be drafted from a village's records.
#[utoipa::path(get, path = "/v1/journals/{journal}/papers", tag = "records", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal")),
    responses((status = OK, body = PaperList, description = "The papers")))]
pub async fn list_papers(
    State(app): State<App>,
    caller: Caller,
    Path(journal): Path<Id<JournalId>>,
) -> Result<Json<PaperList>, Problem> {
    Ok(Json(list(&app, &caller, journal.0).await?))
}

async fn list(app: &App, caller: &Caller, journal: JournalId) -> Result<PaperList, ReadFailure> {
    let open = OpenJournal::open(app, caller, journal, None).await?;
    let catalogue = open.reader.catalogue();
    let papers = catalogue.papers();
    Ok(PaperList {
        papers: papers
            .map(|paper| PaperView::new(catalogue, paper))
            .collect(),
    })
}
