//! `GET /v1/clusters`

use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use store::journals::Filter;
use sync_core::catalog::{Capability, FieldType};
use sync_core::cluster::{self, Cluster};
use sync_core::command::Audience;
use sync_core::id::AreaId;
use sync_core::registry::Purpose;
use sync_core::view::View;
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller, Json};
use crate::journals::pull::Reader;
use crate::problem::Problem;
use crate::routes::records::shown::{AreaName, Named};
use crate::routes::records::{LIMIT_MAX, ReadFailure};
use crate::routes::wire::Id;

/// Where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClusterQuery {
    /// In this area and all that lies in it; wherever the caller may read figures, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
}

/// The same cause at several households.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterView {
    /// The village, or the township around several.
    area: AreaName,
    /// The kind of the records that tell of it.
    kind: Named,
    /// The cause.
    cause: Named,
    /// At how many households.
    households: usize,
    /// Since which day.
    #[schema(value_type = String, format = Date)]
    since: String,
}

/// What there is of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterList {
    /// The clusters, in the order of places.
    clusters: Vec<ClusterView>,
}

/// Lists where one cause is found at several households of a village or township within the time that the place's profile says.
/// No household is named.
#[utoipa::path(get, path = "/v1/clusters", tag = "records", security(("bearer" = [])), params(ClusterQuery),
    responses((status = OK, body = ClusterList, description = "The same causes at several households")))]
pub async fn list_clusters(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ClusterQuery>,
) -> Result<Json<ClusterList>, Problem> {
    Ok(clusters(&app, &caller, query).await?)
}

async fn clusters(
    app: &App,
    caller: &Caller,
    query: ClusterQuery,
) -> Result<Json<ClusterList>, ReadFailure> {
    let mut unit = app.store().read().await?;
    let reader = app.reader(&mut *unit, caller).await?;
    let reader = reader.ok_or(ReadFailure::NotFound)?;
    let area = query.area.map(|area| area.0);
    let scopes = reader.journals(Purpose::Village, &[Capability::ReadAggregates], area);
    let scopes = scopes.ok_or(ReadFailure::NotFound)?;
    let mut views = Vec::new();
    for kind in cluster::kinds(reader.catalogue()) {
        let mut filter = Filter {
            journals: scopes.keys().copied().collect(),
            // What is told names nobody; nothing sensitive is a cause.
            audiences: vec![Audience::Village, Audience::Team, Audience::County],
            kind: Some(kind.name.clone()),
            limit: LIMIT_MAX,
            ..Filter::default()
        };
        loop {
            let page = unit.records(&filter).await?;
            filter.after = page
                .last()
                .map(|folded| (folded.record.journal, folded.record.id));
            let is_last = page.len() < LIMIT_MAX as usize;
            views.extend(
                page.iter()
                    .map(|folded| View::of(&folded.record, reader.registry())),
            );
            if is_last {
                break;
            }
        }
    }
    let found = cluster::find(reader.catalogue(), reader.registry(), &views, reader.day());
    let clusters = found.iter().filter_map(|one| shown(&reader, one)).collect();
    Ok(Json(ClusterList { clusters }))
}

fn shown(reader: &Reader<'_>, cluster: &Cluster) -> Option<ClusterView> {
    let catalogue = reader.catalogue();
    let kind = catalogue.kind(&cluster.kind)?;
    let set = kind
        .field(&kind.cluster.as_ref()?.cause)
        .map(|field| &field.ty);
    let set = match set? {
        FieldType::Code { set } | FieldType::Codes { set, .. } => catalogue.set(set),
        _ => None,
    };
    let code = set.and_then(|set| set.codes.iter().find(|code| code.code == cluster.cause));
    Some(ClusterView {
        area: AreaName::of_area(reader, cluster.area)?,
        kind: Named::new(&*kind.name, Some(&kind.label)),
        cause: Named::new(&*cluster.cause, code.map(|code| &code.label)),
        households: cluster.households,
        since: cluster.since.to_string(),
    })
}
