//! `GET /v1/areas`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sync_core::area::AreaCode;
use sync_core::id::AreaId;
use utoipa::ToSchema;

use crate::admin::areas::{self, AreaFilter, ListedArea};
use crate::admin::mandate::Word;
use crate::context::{App, Asked, Caller, Json};
use crate::problem::Problem;
use crate::routes::wire::{Day, Id};

/// Which areas. Without any of it: the highest that the caller sees.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaQuery {
    /// Directly in this area, by its id or code.
    parent: Option<String>,
    /// With this in their name, or a code that begins so.
    q: Option<String>,
    /// After this code: the last one of the page before.
    after: Option<Id<AreaCode>>,
}

/// Areas in the order of their codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaList {
    /// The areas.
    areas: Vec<AreaView>,
    /// Whether there are more.
    more: bool,
}

/// An area with its latest code and name.
#[derive(Debug, Serialize, ToSchema)]
pub struct AreaView {
    /// The area. It keeps its id when its code changes.
    #[schema(value_type = String)]
    id: Id<AreaId>,
    /// Its division code (区划代码).
    #[schema(value_type = Option<String>)]
    code: Option<Id<AreaCode>>,
    /// Its name.
    name: String,
    /// `province`, `city`, `county`, `township` or `village`.
    level: &'static str,
    /// What it lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    parent: Option<Id<AreaId>>,
    /// Since when it has this code and name.
    from: Option<Day>,
    /// The last day it exists, if it was dissolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Day>,
}

impl From<ListedArea> for AreaView {
    fn from(ListedArea { id, area }: ListedArea) -> Self {
        Self {
            id: Id(id),
            code: area.latest().map(|(code, _)| Id(*code)),
            name: area.name().to_owned(),
            level: area.level.name(),
            parent: area.parent.map(Id),
            from: areas::named_since(&area).map(Day),
            to: area.to.map(Day),
        }
    }
}

/// Lists areas of the caller's scope.
#[utoipa::path(get, path = "/v1/areas", tag = "administration", security(("bearer" = [])),
    params(("parent" = Option<String>, Query, description = "Directly in this area, by its id or code"),
        ("q" = Option<String>, Query, description = "With this in their name, or a code that begins so"),
        ("after" = Option<String>, Query, description = "After this code: the last one of the page before")),
    responses((status = OK, body = AreaList, description = "Areas")))]
pub async fn list_areas(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<AreaQuery>,
) -> Result<Json<AreaList>, Problem> {
    let filter = AreaFilter {
        parent: query.parent,
        text: query.q,
        after: query.after.map(|code| code.0),
    };
    let (found, more) = areas::list(&app, Word::Person(&caller), &filter).await?;
    let areas = found.into_iter().map(AreaView::from).collect();
    Ok(Json(AreaList { areas, more }))
}
