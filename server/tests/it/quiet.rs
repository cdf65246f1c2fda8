//! What operators read, and what anybody is told of a failure, says nothing about people.
//!
//! Every world of these tests is listened to: whatever any part of the server logs, at the finest level, is searched for the
//! people, passwords, tokens, codes, texts and addresses that the tests plant ([`CANARIES`]) and for what they send and are given
//! on the way ([`Watch::forbid`]). So are the bodies of failures and the metrics. A test in which one is found fails.
//!
//! Long because the list of what is forbidden, who listens, and everything wrong that can be said stand together.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::panic;
use std::process::Stdio;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Once};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};
use server::{routes, telemetry};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::county::{County, user};
use crate::world::{PASSWORD, World, request};

/// What the worlds of these tests are made of, and nobody may read who has no business with it.
const CANARIES: &[&str] = &[
    PASSWORD,
    "马秀兰",
    "张三丰",
    "13800001234",
    "13800000000",
    "门前有核桃树",
    "老人想装扶手",
    "高血压",
    "队内商量低保",
    "搬到县城",
    "核实大病救助",
    "电话回访",
    "荞麦",
    "玉米",
    "某fs",
    "某tm",
    "某cs",
    "name-fs",
    "name-cs",
    "name-target",
    "argon2id",
];

/// What stands in bodies under these names is forbidden from then on.
const PERSONAL: &[&str] = &[
    "user_name",
    "display_name",
    "password",
    "present",
    "new",
    "access_token",
    "refresh_token",
    "purpose",
    "texts",
    "sent_by",
];

/// So many of the secrets that came by lately are looked for.
const LATELY: usize = 48;

static LATE: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The first forbidden thing in a text, unless it is one of the exceptions.
fn forbidden(text: &str, excepted: &str) -> Option<String> {
    let is_there = |canary: &&str| text.contains(*canary) && !excepted.contains(*canary);
    let late = locked(&LATE);
    let late = late.iter().map(String::as_str);
    CANARIES
        .iter()
        .copied()
        .chain(late)
        .find(is_there)
        .map(str::to_owned)
}

/// Takes log lines, and keeps those that say too much.
struct Listener;

impl Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        if let Some(canary) = forbidden(&line, "") {
            locked(&FOUND).push(format!("{canary} was logged: {line}"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens as long as a world lasts.
pub(crate) struct Watch(());

impl Watch {
    pub(crate) fn begin() -> Self {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| Listener)
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
        });
        Self(())
    }

    /// Has something looked for from now on.
    pub(crate) fn forbid(secret: &str) {
        // A plain word is one that the product may say by itself.
        let is_word = secret.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_told = secret.chars().count() < 4 || is_word || CANARIES.contains(&secret);
        let mut late = locked(&LATE);
        if is_told || late.iter().any(|known| known == secret) {
            return;
        }
        if late.len() == LATELY {
            late.pop_front();
        }
        late.push_back(secret.to_owned());
    }

    /// Forbids what a request says, and gives back what of it is text.
    pub(crate) async fn hear(request: Request<Body>) -> (Request<Body>, String) {
        let (parts, body) = request.into_parts();
        let mut said = parts.uri.to_string();
        if let Some(query) = parts.uri.query() {
            Self::forbid(query);
        }
        if let Some(token) = token(&parts) {
            Self::forbid(token);
        }
        let media_type = parts.headers.get(header::CONTENT_TYPE);
        let is_text = media_type.is_some_and(|media_type| {
            media_type != "application/cbor" && media_type != "application/partial-upload"
        });
        if !is_text {
            return (Request::from_parts(parts, body), said);
        }
        let bytes = body.collect().await.expect("it is whole").to_bytes();
        said += &String::from_utf8_lossy(&bytes);
        if let Ok(json) = serde_json::from_slice(&bytes) {
            Self::forbid_all(&json, false);
        }
        (Request::from_parts(parts, Body::from(bytes)), said)
    }

    /// Looks through the answer to somebody who said this.
    pub(crate) async fn answered(response: Response<Body>, said: &str) -> Response<Body> {
        let is_json = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|media_type| media_type.as_bytes().ends_with(b"json"));
        if !is_json {
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("it is whole").to_bytes();
        if parts.status.is_success() {
            if let Ok(json) = serde_json::from_slice(&bytes) {
                Self::forbid_all(&json, false);
            }
        } else {
            let text = String::from_utf8_lossy(&bytes);
            let canary = forbidden(&text, said);
            assert!(canary.is_none(), "a failure tells {canary:?}: {text}");
        }
        Response::from_parts(parts, Body::from(bytes))
    }

    fn forbid_all(json: &Json, is_personal: bool) {
        match json {
            Json::String(text) if is_personal => Self::forbid(text),
            Json::Array(items) => items
                .iter()
                .for_each(|item| Self::forbid_all(item, is_personal)),
            Json::Object(members) => {
                for (name, value) in members {
                    let is_code = name == "code" && members.len() <= 3;
                    Self::forbid_all(value, is_code || PERSONAL.contains(&name.as_str()));
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let metrics = telemetry::metrics().render();
        let told = forbidden(&metrics, "").map(|canary| format!("{canary} is in the metrics"));
        let found: Vec<String> = locked(&FOUND).drain(..).chain(told).collect();
        if !std::thread::panicking() {
            assert!(found.is_empty(), "{}", found.join("\n"));
        }
    }
}

fn token(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

#[tokio::test]
async fn no_name_password_token_code_or_query_is_ever_logged() {
    let world = World::founded().await;
    let phone = world.db_enrol("sys", 1).await;
    let pair = world.log_in_on("sys", &phone).await.pair();
    let pair = world.refresh_on(&phone, &pair.refresh).await.pair();
    let wrong = json!({ "user_name": "ma.xiulan", "password": "hunter-secret" });
    world.post("/v1/session", None, wrong).await;
    world
        .get("/v1/session?phone=13800000000", pair.access())
        .await;
    world.get("/v1/13800000000", None).await;
    let change = json!({ "present": PASSWORD, "new": "correct horse battery staple" });
    world.post("/v1/password", pair.access(), change).await;
    world.delete("/v1/session", pair.access()).await;
}

#[tokio::test]
async fn whoever_logs_a_canary_is_found() {
    let (logged, watch) = (Arc::new(Mutex::new(Vec::new())), Watch::begin());
    Watch::forbid("correct horse battery staple");
    for secret in [PASSWORD, "correct horse battery staple"] {
        tracing::trace!(secret, "planted");
        locked(&logged).append(&mut locked(&FOUND));
    }
    let logged = locked(&logged);
    assert!(
        logged.len() >= 2 && logged[0].contains(PASSWORD),
        "{logged:?}"
    );
    drop(watch);
}

/// Everything wrong that can be said to an operation, with something personal in it.
fn wrong_requests(method: &Method, path: &str, access: Option<&str>) -> Vec<Request<Body>> {
    const SAID: &str = "%E9%A9%AC%E7%A7%80%E5%85%B0";
    let mut filled = String::new();
    for part in path.split('/').skip(1) {
        filled += "/";
        filled += if part.starts_with('{') { SAID } else { part };
    }
    let names = [
        "q", "area", "user", "after", "limit", "at", "kind", "cause", "from", "sample", "x",
    ];
    let asked = names.map(|name| format!("{name}={SAID}"));
    let mut paths = vec![filled.clone(), format!("{filled}?{}", asked.join("&"))];
    paths.extend(asked.iter().map(|asked| format!("{filled}?{asked}")));
    let mut requests: Vec<Request<Body>> = paths
        .iter()
        .map(|path| request(method, path, access, None))
        .collect();
    let bodies = [
        ("application/json", r#"{"user_name":"马秀兰""#),
        ("application/json", r#"{"马秀兰":"13800001234"}"#),
        ("application/json", r#"["马秀兰"]"#),
        ("text/plain", "马秀兰"),
        (
            "text/csv",
            "code,name,level,parent_code\n马秀兰,13800001234,x,y\n",
        ),
        ("text/csv", "马秀兰,13800001234\n"),
        ("application/cbor", "马秀兰13800001234"),
        ("application/马", "马秀兰"),
    ];
    for (media_type, body) in bodies {
        let mut request = request(method, &filled, access, None);
        let media_type = header::HeaderValue::from_bytes(media_type.as_bytes()).unwrap();
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        *request.body_mut() = Body::from(body);
        requests.push(request);
    }
    let fields = [
        "user_name",
        "display_name",
        "password",
        "device",
        "refresh_token",
        "proof",
        "code",
        "key",
        "label",
        "system",
        "present",
        "new",
        "user",
        "role",
        "area",
        "from",
        "to",
        "sent_by",
        "cause",
        "journal",
        "record",
        "field",
        "purpose",
        "for_cause",
    ];
    let all: serde_json::Map<String, Json> = fields
        .iter()
        .map(|field| ((*field).to_owned(), json!("马秀兰 13800001234")))
        .collect();
    requests.push(request(
        method,
        &filled,
        access,
        Some(Json::Object(all.clone())),
    ));
    for field in fields {
        let one = json!({ field: "马秀兰 13800001234" });
        requests.push(request(method, &filled, access, Some(one)));
    }
    requests
}

#[tokio::test]
async fn what_an_operation_cannot_read_is_neither_told_back_nor_logged() {
    let county = County::new().await;
    let mut tokens = vec![
        Some("马秀兰".to_owned()),
        None,
        Some(county.auditor().await),
    ];
    for name in ["fs", "cs", "pa"] {
        tokens.push(Some(county.token(user(name), None).await));
    }
    let sys = county.world.log_in("sys").await.pair();
    let sec = county.world.log_in("sec").await.pair();
    tokens.extend([sys.access, sec.access]);
    for (path, item) in routes::description().paths.paths {
        let methods = [
            (Method::GET, item.get.is_some()),
            (Method::POST, item.post.is_some()),
            (Method::DELETE, item.delete.is_some() && path.contains('{')),
            (Method::PUT, true),
        ];
        for (method, _) in methods.into_iter().filter(|(_, is_there)| *is_there) {
            if path == "/v1/live" {
                continue; // It takes nothing, and answers until the server stops.
            }
            for token in &tokens {
                let access = token.as_deref().filter(|token| token.is_ascii());
                for mut wrong in wrong_requests(&method, &path, access) {
                    if let Some(token) = token.as_deref().filter(|token| !token.is_ascii()) {
                        let bearer = format!("Bearer {token}");
                        let value = header::HeaderValue::from_bytes(bearer.as_bytes()).unwrap();
                        wrong.headers_mut().insert(header::AUTHORIZATION, value);
                    }
                    let (status, bytes) = county.world.send_bytes(wrong).await;
                    let text = String::from_utf8_lossy(&bytes);
                    let is_repeated = text.contains("马秀兰") || text.contains("13800001234");
                    // Whoever sends a file of areas is told what stands in its wrong cells, and nobody else is.
                    let is_file = path == "/v1/areas/import";
                    assert!(
                        status.is_success() || is_file || !is_repeated,
                        "{method} {path}: {text}"
                    );
                    // The phones of this county were enrolled past the accounts, and cannot be listed.
                    let is_listed = path == "/v1/devices";
                    assert!(
                        is_listed || status.as_u16() < 500,
                        "{method} {path}: {status}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_panic_is_logged_by_its_place_alone() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            locked(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let before = panic::take_hook();
    telemetry::log_panics();
    let panicked = tracing::subscriber::with_default(subscriber, || {
        let said: Vec<&str> = vec!["马秀兰 13800001234"];
        panic::catch_unwind(|| assert!(said.is_empty(), "a household's telephone: {said:?}"))
    });
    panic::set_hook(before);
    assert!(panicked.is_err());
    let text = String::from_utf8(locked(&lines.0).clone()).unwrap();
    assert!(
        text.contains("quiet.rs") && text.contains("panicked"),
        "{text}"
    );
    assert!(
        !text.contains("马秀兰") && !text.contains("telephone"),
        "{text}"
    );
}

#[tokio::test]
async fn the_program_writes_nothing_personal_at_the_finest_level() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_zhucun"))
        .arg("--data-dir")
        .arg(folder.path())
        .args(["--listen", "127.0.0.1:0", "serve"])
        .env("ZHUCUN_LOG__FILTER", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut errors = child.stderr.take().unwrap();
    let written = tokio::spawn(async move {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).await.unwrap();
        String::from_utf8(text).unwrap()
    });
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = None;
    let mut code = None;
    while address.is_none() || code.is_none() {
        let line = said
            .next_line()
            .await
            .unwrap()
            .expect("it says where it listens and a code");
        if let Some(at) = line.strip_prefix("listening on http://") {
            address = Some(at.to_owned());
        }
        code = code.or_else(|| one_time_code(&line));
    }
    let (address, code) = (address.unwrap(), code.unwrap());
    let person = |name: &str| json!({ "user_name": name, "display_name": "马秀兰" });
    let founding = json!({
        "code": code, "password": PASSWORD,
        "system": person("ma.xiulan"), "security": person("bai"), "audit": person("ding"),
    });
    let founded = ask(&address, "POST /v1/bootstrap", None, Some(&founding)).await;
    assert!(founded.starts_with("HTTP/1.1 201"), "{founded}");
    let log_in = json!({ "user_name": "ma.xiulan", "password": PASSWORD });
    let pair = ask(&address, "POST /v1/session", None, Some(&log_in)).await;
    let (_, body) = pair.split_once("\r\n\r\n").unwrap();
    let pair: Json = serde_json::from_str(body).unwrap();
    let token = pair["access_token"].as_str().unwrap();
    let paths = [
        "GET /v1/users?q=13800001234",
        "GET /v1/13800001234",
        "GET /v1/users/13800001234",
    ];
    for path in paths {
        ask(&address, path, Some(token), None).await;
    }
    let wrong = json!({ "马秀兰": "13800001234" });
    ask(&address, "POST /v1/users", Some(token), Some(&wrong)).await;
    child.kill().await.unwrap();
    let written = written.await.unwrap();
    assert!(written.contains("session.started"), "{written}");
    let refresh = pair["refresh_token"].as_str().unwrap();
    for secret in [
        PASSWORD,
        "马秀兰",
        "ma.xiulan",
        "13800001234",
        "argon2id",
        token,
        refresh,
        &code,
    ] {
        assert!(
            !written.contains(secret),
            "{secret} was written:\n{written}"
        );
    }
}

/// A one-time code in a line, if there is one.
fn one_time_code(line: &str) -> Option<String> {
    let words = line
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let mut codes = words.filter(|word| sync_core::sync::enrol::OneTimeCode::parse(word).is_some());
    codes.next().map(str::to_owned)
}

/// One request over a connection of its own.
async fn ask(address: &str, what: &str, token: Option<&str>, body: Option<&Json>) -> String {
    let body = body.map(Json::to_string).unwrap_or_default();
    let bearer = token
        .map(|token| format!("authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let head = format!(
        "{what} HTTP/1.1\r\nhost: x\r\n{bearer}content-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// What operations answer, as the description has it.
static DESCRIBED: LazyLock<BTreeMap<String, Json>> = LazyLock::new(|| {
    let description = serde_json::to_value(routes::description()).unwrap();
    serde_json::from_value(description["paths"].clone()).unwrap()
});

/// Fails if an operation answered otherwise than it is described.
pub(crate) fn assert_described(method: &Method, path: &str, response: &Response<Body>) {
    let parts: Vec<&str> = path.split('/').collect();
    let is_at = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        let fits = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        template.len() == parts.len() && template.iter().zip(&parts).all(fits)
    };
    let literal = DESCRIBED.get(path);
    let item = literal.or_else(|| {
        let mut items = DESCRIBED.iter();
        items
            .find(|(template, _)| is_at(template))
            .map(|(_, item)| item)
    });
    let operation = item.and_then(|item| item.get(method.as_str().to_lowercase()));
    let status = response.status();
    // What people read without an account is no operation: one page, whatever is said on it.
    let is_page = path.starts_with("/report/");
    if let Some(media_type) = response.headers().get(header::CONTENT_TYPE)
        && is_page
    {
        assert_eq!(media_type, "text/html; charset=utf-8", "{method} {path}");
        return;
    }
    let Some(operation) = operation else {
        let nothing = [
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        assert!(
            *method == Method::HEAD || nothing.contains(&status),
            "{method} {path}: {status}"
        );
        return;
    };
    let described = &operation["responses"][status.as_str()];
    assert!(
        !described.is_null(),
        "{method} {path} answers {status}, which is not described"
    );
    if let Some(media_type) = response.headers().get(header::CONTENT_TYPE) {
        let media_type = media_type.to_str().unwrap().split(';').next().unwrap();
        let content = &described["content"][media_type];
        assert!(
            !content.is_null(),
            "{method} {path} answers {status} as {media_type}, which is not described"
        );
    }
}
