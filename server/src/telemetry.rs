//! What operators see: log lines, request ids and metrics. Nothing in them is about a person.
//!
//! A line names the route, never the address that was asked for, and ids, never names. Metrics are counted by route and
//! outcome; there is no label for a person, a device or an area.

use std::io::IsTerminal as _;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};
use crate::context::App;
use crate::problem;

/// Names a request in the response and in every log line about it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Upper bounds of the latency histogram, in seconds.
const LATENCY_BUCKETS: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 30.0];

static METRICS: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    let recorder = PrometheusBuilder::new()
        .set_buckets(LATENCY_BUCKETS)
        .expect("there are buckets")
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is in place; /metrics stays empty");
    }
    handle
});

/// Begins to write log lines to standard error.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    log_panics();
    let registry = tracing_subscriber::registry().with(EnvFilter::new(log.filter.as_str()));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        LogFormat::Pretty => registry.with(lines).try_init(),
    }
}

/// Has a panic logged by its place alone: its message may repeat what it was about.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}

/// The process's metrics. One recorder serves all servers of a process; the first call installs it.
pub fn metrics() -> &'static PrometheusHandle {
    &METRICS
}

/// Wraps every request: gives it an id and a span, counts it, and gives each failure the form of a problem.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = app.clock().elapsed();
    let id = u64::from_be_bytes(app.random().bytes());
    let id = format!("{id:016x}");
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", id, method, route);
    async move {
        let mut response = problem::explain(next.run(request).await);
        let seconds = app.clock().elapsed().saturating_sub(started).as_secs_f64();
        let status = response.status().as_u16();
        tracing::debug!(status, seconds, "answered");
        let labels = [
            ("method", method.to_string()),
            ("route", route),
            ("status", status.to_string()),
        ];
        metrics::histogram!("zhucun_http_request_seconds", labels.as_slice()).record(seconds);
        let id = HeaderValue::try_from(id).expect("hexadecimal digits may stand in a header");
        response.headers_mut().insert(REQUEST_ID, id);
        response
    }
    .instrument(span)
    .await
}

/// A client may make up methods without end; each would be a time series of its own.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
