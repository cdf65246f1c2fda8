//! What every request meets: limits, problems, headers, and the need for a token.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;
use server::routes::{self, JSON_BYTES_MAX};

use crate::world::{Answer, World, request};

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (status, code),
        "{answer:?}"
    );
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/problem+json"
    );
    assert_eq!(answer.body["status"], status);
    for member in ["type", "title", "title_zh", "remedy", "remedy_zh"] {
        assert!(!answer.text(member).is_empty());
    }
}

fn post(body: impl Into<Body>, content_type: Option<&str>) -> Request<Body> {
    let request = Request::post("/v1/session");
    let request = match content_type {
        Some(content_type) => request.header(header::CONTENT_TYPE, content_type),
        None => request,
    };
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn every_failure_is_a_problem() {
    let world = World::empty().await;
    check_problem(&world.get("/v1/nothing", None).await, 404, "not_found");
    let answer = world
        .send(request(&Method::PUT, "/v1/session", None, None))
        .await;
    check_problem(&answer, 405, "method_not_allowed");
    let methods = answer.headers[header::ALLOW].to_str().unwrap();
    assert!(
        ["GET", "POST", "DELETE"]
            .iter()
            .all(|method| methods.contains(method)),
        "{methods}"
    );
    let answer = world.get("/v1/session", None).await;
    check_problem(&answer, 401, "unauthenticated");
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");

    let json_type = Some("application/json");
    let whole = r#"{"user_name":"sys","password":"x"}"#;
    check_problem(
        &world.send(post(whole, None)).await,
        415,
        "unsupported_media_type",
    );
    check_problem(
        &world.send(post(whole, Some("text/plain"))).await,
        415,
        "unsupported_media_type",
    );
    for malformed in [
        "",
        "{",
        "[]",
        "null",
        r#"{"user_name":"sys"}"#,
        r#"{"user_name":1,"password":"x"}"#,
        "\u{0}",
    ] {
        check_problem(
            &world.send(post(malformed, json_type)).await,
            400,
            "malformed",
        );
    }
    let more = r#"{"user_name":"sys","password":"x","role":"SYS"}"#;
    check_problem(&world.send(post(more, json_type)).await, 400, "malformed");
    let deep = "[".repeat(20_000);
    check_problem(&world.send(post(deep, json_type)).await, 400, "malformed");
}

#[tokio::test]
async fn a_body_may_be_so_large_and_no_larger() {
    let world = World::empty().await;
    let whole = r#"{"user_name":"sys","password":"x"}"#;
    let padded = |length: usize| {
        let padding = " ".repeat(length - whole.len());
        post(format!("{whole}{padding}"), Some("application/json"))
    };
    let answer = world.send(padded(JSON_BYTES_MAX)).await;
    check_problem(&answer, 401, "wrong_credentials");
    let answer = world.send(padded(JSON_BYTES_MAX + 1)).await;
    check_problem(&answer, 413, "too_large");
}

/// Operations that take no access token; the list may only become shorter.
const OPEN: &[&str] = &[
    "describe_api",
    "enrol_device",
    "found_deployment",
    "give_back_entries",
    "refresh_session",
    "set_password",
    "show_alive",
    "show_deployment",
    "show_docs",
    "show_docs_style",
    "show_metrics",
    "show_ready",
    "start_session",
];

#[tokio::test]
async fn every_operation_but_a_few_wants_a_token() {
    let world = World::founded().await;
    let forged = format!("{}.{}.{}", "e30", "e30", "e30");
    let mut open = Vec::new();
    for (path, item) in routes::description().paths.paths {
        let methods = [
            (Method::GET, item.get),
            (Method::HEAD, item.head),
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::PATCH, item.patch),
            (Method::DELETE, item.delete),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            let id = operation.operation_id.unwrap();
            if operation.security.is_none() {
                open.push(id);
                continue;
            }
            for access in [None, Some(""), Some(forged.as_str())] {
                let reads = matches!(method, Method::GET | Method::HEAD);
                let body = (!reads).then(|| json!({}));
                let answer = world.send(request(&method, &path, access, body)).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{id}");
                // What answers to HEAD has no body to say more.
                if method != Method::HEAD {
                    assert_eq!(answer.code(), "unauthenticated", "{id} with {access:?}");
                }
            }
        }
    }
    open.sort_unstable();
    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn every_answer_is_named_and_guarded() {
    let world = World::empty().await;
    let mut ids = Vec::new();
    for path in [
        "/healthz",
        "/nothing",
        "/docs",
        "/v1/openapi.json",
        "/docs/style.css",
    ] {
        let answer = world.get(path, None).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        ids.push(header("x-request-id"));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn operators_see_health_and_metrics() {
    let world = World::with(|config| config.metrics.token = Some("hush".into())).await;
    assert_eq!(world.get("/healthz", None).await.status, 200);
    assert_eq!(world.get("/readyz", None).await.status, 204);
    for wrong in [None, Some(""), Some("hus"), Some("hush ")] {
        check_problem(&world.get("/metrics", wrong).await, 401, "unauthenticated");
    }
    let invented = Request::builder()
        .method("INVENTED")
        .uri("/healthz")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        world.send(invented).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let metrics = world.get("/metrics", Some("hush")).await;
    let text = metrics.body.as_str().unwrap();
    assert!(text.contains(r#"route="/healthz",status="200""#), "{text}");
    assert!(
        !text.contains("INVENTED"),
        "a client cannot make up time series"
    );
    world.app.stop();
    check_problem(&world.get("/readyz", None).await, 503, "busy");
}
