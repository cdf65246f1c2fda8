//! Every operation, registered once: its route and its description come from the same line.

pub mod api;
pub mod areas;
pub mod assignments;
pub mod audit;
pub mod bootstrap;
pub mod catalogues;
pub mod devices;
pub mod enrol;
mod failures;
pub mod files;
pub mod health;
pub mod live;
pub mod password;
pub mod records;
pub mod report;
pub mod session;
pub mod sync;
pub mod users;
pub mod web;
pub mod wire;

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::context::App;
use crate::problem::{Code, Problem, ProblemDetails};
use crate::telemetry;

/// The largest JSON body; no form of ours comes near it.
pub const JSON_BYTES_MAX: usize = 64 * 1024;
/// How long such a request may take to arrive and be answered.
pub const REQUEST_SECONDS_MAX: u64 = 30;

/// How long a sync may take to arrive over a bad line and be answered.
pub const SYNC_SECONDS_MAX: u64 = 300;

/// The API's own description.
#[derive(OpenApi)]
#[openapi(
    info(title = "Zhucun 驻村", description = "The server that village-stationed work teams sync to."),
    components(schemas(ProblemDetails)),
    tags(
        (name = "session", description = "Log in, stay logged in, log out."),
        (name = "devices", description = "Enrolment of devices."),
        (name = "administration", description = "Areas, accounts, assignments, devices, catalogue versions."),
        (name = "sync", description = "What devices send and pull."),
        (name = "records", description = "Reading, for county and province."),
        (name = "files", description = "Photographs and voice memos of records."),
        (name = "audit", description = "What proves that nothing was changed."),
        (name = "health", description = "For operators."),
        (name = "api", description = "This description.")
    )
)]
struct Api;

fn operations() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Api::openapi())
        .merge(quick())
        .merge(slow())
}

/// Operations with a small JSON body, or none, that are answered at once.
fn quick() -> OpenApiRouter<App> {
    let answer_in = Duration::from_secs(REQUEST_SECONDS_MAX);
    OpenApiRouter::new()
        .routes(routes!(
            session::show::show_session,
            session::log_in::start_session,
            session::log_out::end_own_session
        ))
        .routes(routes!(session::refresh::refresh_session))
        .routes(routes!(session::list::list_sessions))
        .routes(routes!(session::end::end_session))
        .routes(routes!(password::change::change_password))
        .routes(routes!(password::set::set_password))
        .routes(routes!(bootstrap::found::found_deployment))
        .routes(routes!(enrol::deployment::show_deployment))
        .routes(routes!(enrol::device::enrol_device))
        .routes(routes!(catalogues::show::show_catalogue))
        .merge(administration())
        .merge(reading())
        .routes(routes!(health::alive::show_alive))
        .routes(routes!(health::ready::show_ready))
        .routes(routes!(health::metrics::show_metrics))
        .routes(routes!(api::description::describe_api))
        .routes(routes!(api::docs::show_docs))
        .routes(routes!(api::docs::show_docs_style))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ))
}

/// Operations that only read, and the reveal, which enters that it does.
fn reading() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(records::list::list_records))
        .routes(routes!(records::show::show_record))
        .routes(routes!(records::history::show_history))
        .routes(routes!(records::document::export_document))
        .routes(routes!(records::papers::list_papers))
        .routes(routes!(records::paper::draft_paper))
        .routes(routes!(records::clusters::list_clusters))
        .routes(routes!(records::conflicts::list_conflicts))
        .routes(routes!(records::unanswered::list_unanswered))
        .routes(routes!(records::flagged::list_flagged))
        .routes(routes!(records::reveal::reveal_field))
        .routes(routes!(audit::journals::list_journals))
        .routes(routes!(audit::checkpoint::show_checkpoint))
        .routes(routes!(audit::leaves::list_leaves))
        .routes(routes!(audit::access_log::list_access))
}

/// What administrators do.
fn administration() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(areas::list::list_areas))
        .routes(routes!(users::list::list_users, users::add::add_user))
        .routes(routes!(users::disable::disable_user))
        .routes(routes!(users::enrolment_code::issue_enrolment_code))
        .routes(routes!(users::password_code::issue_password_code))
        .routes(routes!(
            assignments::list::list_assignments,
            assignments::give::give_assignment
        ))
        .routes(routes!(assignments::end::end_assignment))
        .routes(routes!(devices::list::list_devices))
        .routes(routes!(devices::suspend::suspend_device))
        .routes(routes!(devices::revoke::revoke_device))
        .routes(routes!(catalogues::list::list_catalogues))
}

/// Operations that take more, or stay open.
fn slow() -> OpenApiRouter<App> {
    let answer_in = Duration::from_secs(SYNC_SECONDS_MAX);
    let sync = OpenApiRouter::new()
        .routes(routes!(sync::exchange::exchange_batches))
        .routes(routes!(sync::refill::give_back_entries))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ));
    let bundle = OpenApiRouter::new()
        .routes(routes!(audit::bundle::draw_bundle))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ));
    let files = OpenApiRouter::new()
        .routes(routes!(
            files::fetch::fetch_file,
            files::find::find_file,
            files::send::send_file
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ));
    let areas = OpenApiRouter::new()
        .routes(routes!(areas::import::import_areas))
        // One byte more than a file may have, so that the one that is too large is told how to split it.
        .layer(DefaultBodyLimit::max(
            sync_core::limits::AREA_FILE_BYTES_MAX + 1,
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ));
    sync.merge(bundle)
        .merge(areas)
        .merge(files)
        .routes(routes!(live::follow::follow_journals))
}

/// The description of every operation (OpenAPI 3.1).
pub fn description() -> utoipa::openapi::OpenApi {
    let mut api = operations().into_openapi();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    api.components
        .get_or_insert_default()
        .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for (path, item) in &mut api.paths.paths {
        let operations = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Head, &mut item.head),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
            (HttpMethod::Patch, &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                failures::describe(path, &method, operation);
            }
        }
    }
    api
}

/// Lets nothing through that would write to a log that is behind what was signed, but what refills it. Who has an account can log
/// in, and read.
async fn only_read_what_is_behind(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_of_sessions = request.uri().path().starts_with("/v1/session");
    let refills = request.uri().path() == "/v1/refill";
    // What goes wrong there is said on a page, and nothing is admitted either.
    let is_page = request.uri().path().starts_with("/report/");
    if app.kept().behind().is_none() || reads || is_of_sessions || refills || is_page {
        next.run(request).await
    } else {
        Problem::new(Code::BehindCheckpoint).into_response()
    }
}

/// The whole service: operations, and what surrounds every one of them.
pub fn router(app: App) -> Router {
    let always = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    Router::from(operations())
        .merge(web::files())
        .merge(report::pages())
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .layer(middleware::from_fn_with_state(
            app.clone(),
            only_read_what_is_behind,
        ))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a handler panicked");
            Problem::new(Code::Internal).into_response()
        }))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            telemetry::observe,
        ))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .with_state(app)
}
