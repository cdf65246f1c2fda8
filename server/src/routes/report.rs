//! `/report/{village}`: the page that whoever scans a village's code is shown (一键报贫). A plain form, which needs neither account nor
//! script, loads nothing, and says the same to everybody: it looks no household up.
//!
//! These are pages for people and no operations of the interface: what goes wrong is said in words on the page, and what was typed stays.

mod form;
mod page;
mod question;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use store::StoreError;
use sync_core::catalog::Catalogue;
use tower_http::timeout::TimeoutLayer;

use crate::context::{App, ClientAddress};
use crate::reports::{self, NotTaken, Village};
use crate::routes::REQUEST_SECONDS_MAX;
use crate::session::throttle::Wait;
use form::{Form, Later};
use page::{Lang, Page};

/// The largest form: a sentence of a thousand Chinese characters takes nine thousand bytes as a form sends it.
pub const FORM_BYTES_MAX: usize = 32 * 1024;

/// The pages of all villages.
pub(super) fn pages() -> Router<App> {
    let answer_in = Duration::from_secs(REQUEST_SECONDS_MAX);
    Router::new()
        .route("/report/{village}", get(show_report_form).post(take_report))
        .route(
            "/report/{village}/answer",
            get(show_question_form).post(answer_question),
        )
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            answer_in,
        ))
}

/// A village whose page is open, and the language in which somebody wants to read it.
struct Visit {
    village: Village,
    lang: Lang,
}

impl Visit {
    fn page<'a>(&'a self, app: &'a App) -> Page<'a> {
        Page {
            lang: self.lang,
            village: &self.village,
            telephone: app.config().reports.telephone.as_deref(),
        }
    }

    /// What the form is made by.
    fn catalogue<'a>(&self, app: &'a App) -> &'a Catalogue {
        let own = app.catalogues().get(&self.village.catalogue);
        own.unwrap_or_else(|| app.catalogue())
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let lang = Lang::asked(parts.uri.query());
        let path = RawPathParams::from_request_parts(parts, app).await;
        let path = path.map_err(|_| page::closed(lang))?;
        let named = path.iter().find(|(name, _)| *name == "village");
        let journal = named.and_then(|(_, text)| text.parse().ok());
        let journal = journal.ok_or_else(|| page::closed(lang))?;
        let today = app.clock().now().date();
        let registered = async {
            let mut unit = app.store().read().await?;
            app.registrar().current(&mut *unit).await
        };
        let registered = registered.await.map_err(|error| failed(lang, &error))?;
        let registry = &registered.registry;
        let catalogue = reports::catalogue_in_force(app, registry, today);
        let village =
            catalogue.and_then(|catalogue| app.desk().village(registry, catalogue, journal, today));
        let village = village.ok_or_else(|| page::closed(lang))?;
        Ok(Self { village, lang })
    }
}

fn failed(lang: Lang, error: &StoreError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a report page could not be answered"
    );
    page::out_of_order(lang)
}

async fn show_report_form(State(app): State<App>, visit: Visit) -> Response {
    let today = app.clock().now().date();
    Form::default().shown(&visit.page(&app), visit.catalogue(&app), today)
}

async fn take_report(
    State(app): State<App>,
    visit: Visit,
    ClientAddress(from): ClientAddress,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let page = visit.page(&app);
    let Ok(body) = body else {
        return page.too_large();
    };
    let (catalogue, today) = (visit.catalogue(&app), app.clock().now().date());
    let form = Form::read(&body);
    let report = match form.report(catalogue, today) {
        Ok(report) => report,
        Err(mistakes) => return form.corrected(&page, catalogue, today, &mistakes),
    };
    let journal = visit.village.journal;
    let later = |why| form.later(&page, catalogue, today, why);
    if let Err(Wait { seconds }) = app.throttle().report(journal, from) {
        return later(Later::TooMany { seconds });
    }
    match reports::take(&app, journal, report).await {
        Ok(receipt) => page.taken(&receipt),
        Err(NotTaken::Closed) => page::closed(visit.lang),
        Err(NotTaken::Busy) => later(Later::TooMany {
            seconds: page::AGAIN_SECONDS,
        }),
        Err(NotTaken::DoesNotCount) => later(Later::OutOfOrder),
        Err(NotTaken::Store(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a report was not taken"
            );
            later(Later::OutOfOrder)
        }
    }
}

async fn show_question_form(State(app): State<App>, visit: Visit) -> Response {
    visit.page(&app).question("", None)
}

async fn answer_question(
    State(app): State<App>,
    visit: Visit,
    ClientAddress(from): ClientAddress,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let page = visit.page(&app);
    let Ok(body) = body else {
        return page.too_large();
    };
    let (number, secret) = question::read(&body);
    let journal = visit.village.journal;
    if let Err(Wait { seconds }) = app.throttle().question(journal, &number, from) {
        return page.asked_too_often(seconds);
    }
    match reports::answer(&app, journal, &number, &secret).await {
        Ok(Some(answer)) => page.answered(&number, &answer),
        Ok(None) => page.question(&number, Some(question::Wrong)),
        Err(error) => failed(visit.lang, &error),
    }
}
