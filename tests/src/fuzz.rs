//! Fuzz targets of the shells: of the server whatever comes over HTTP beside sync itself, tokens, settings, and files of records; of the
//! field client the lists that it imports. See [`hostile::fuzz`].

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use clap::{Args as _, FromArgMatches as _};
use hostile::fuzz::{Target, target};
use http_body_util::BodyExt as _;
use lists::sheet;
use serde_json::{Value as Json, json};
use server::app;
use server::clock::ManualClock;
use server::config::{Config, Flags};
use server::context::App;
use server::files::check;
use server::random::Random;
use server::routes;
use server::session::access::Identity;
use server::session::founding;
use store::accounts::{NewRefreshToken, Session};
use sync_core::id::{SessionId, Timestamp, sha256};
use sync_core::limits;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// The targets.
pub const TARGETS: [Target; 5] = [
    target("http", http, http_seeds, 40),
    target("token", token, token_seeds, 500),
    target("settings", settings, settings_seeds, 300),
    target("file", file, file_seeds, 300),
    target("list", list, list_seeds, 500),
];

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// The most that an answer to a small request takes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Runs a target by its name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of the server").run)(bytes);
}

/// A founded server that does not listen, with a session for each of its administrators.
struct Founded {
    runtime: Runtime,
    app: App,
    router: Router,
    tokens: Vec<(&'static str, String)>,
    _folder: TempDir,
}

impl Founded {
    fn get() -> &'static Self {
        static FOUNDED: OnceLock<Founded> = OnceLock::new();
        FOUNDED.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            let folder = tempfile::tempdir().expect("a folder");
            let (app, router, tokens) = runtime.block_on(Self::found(&folder));
            Self {
                runtime,
                app,
                router,
                tokens,
                _folder: folder,
            }
        })
    }

    async fn found(folder: &TempDir) -> (App, Router, Vec<(&'static str, String)>) {
        let config = Config {
            data_dir: folder.path().join("data"),
            ..Config::default()
        };
        let clock = Arc::new(ManualClock::at(NOW));
        let app = app::assemble(config, clock.clone(), Random::seeded(42))
            .await
            .expect("a new folder");
        let router = routes::router(app.clone());
        let code = founding::issue_code(&app).await.expect("a store");
        let code = code.expect("nobody has an account yet").reveal();
        let person = |name: &str| json!({ "user_name": name, "display_name": "马秀兰" });
        let body = json!({
            "code": code, "password": "西吉的土豆开花了吗",
            "system": person("sys"), "security": person("sec"), "audit": person("aud"),
        });
        let request = format!("POST /v1/bootstrap\n\n{body}");
        let (status, answer) = ask(&router, &[], request.as_bytes())
            .await
            .expect("a request");
        assert!(status < 300, "{}", String::from_utf8_lossy(&answer));
        let mut tokens = Vec::new();
        for name in ["sys", "sec", "aud"] {
            tokens.push((name, session(&app, name).await));
        }
        clock.advance(Duration::from_secs(1));
        (app, router, tokens)
    }
}

/// The token of a new session.
async fn session(app: &App, name: &str) -> String {
    let mut unit = app.store().begin().await.expect("a store");
    let name = name.parse().expect("a user name");
    let account = unit.account_named(&name).await.expect("a store");
    let user = account.expect("it was founded").user;
    let session = SessionId(app.random().bytes());
    let ends = NOW.plus_ms(3_600_000);
    let began = Session {
        session,
        user,
        device: None,
        started_at: NOW,
        expires_at: ends,
        ended: None,
    };
    let refresh = NewRefreshToken {
        hash: sha256(&[&session.0]),
        issued_at: NOW,
        expires_at: ends,
    };
    unit.add_session(&began, &refresh).await.expect("a store");
    unit.commit().await.expect("a store");
    let identity = Identity {
        user,
        device: None,
        session,
    };
    let token = app
        .access_tokens()
        .issue(&identity, NOW, app.random().bytes());
    token.expect("a key")
}

/// Sends `METHOD path`, a line that says who asks (`sys`, `sec`, `aud`, or the text of an authorization), and the body.
async fn ask(
    router: &Router,
    tokens: &[(&'static str, String)],
    bytes: &[u8],
) -> Option<(u16, Vec<u8>)> {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let (first, who) = (lines.next()?, lines.next()?);
    let body = lines.next().unwrap_or_default().to_vec();
    let (method, path) = core::str::from_utf8(first).ok()?.split_once(' ')?;
    // What stays open until somebody leaves is no question.
    if path.starts_with("/v1/live") {
        return None;
    }
    let mut request = Request::builder().method(method).uri(path);
    let known = tokens.iter().find(|(name, _)| name.as_bytes() == who);
    request = match known {
        Some((_, token)) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None if who.is_empty() => request,
        None => request.header(header::AUTHORIZATION, who),
    };
    let kind = if body.first() == Some(&b'{') {
        "application/json"
    } else {
        "application/cbor"
    };
    let request = request.header(header::CONTENT_TYPE, kind);
    let mut request = request.body(Body::from(body)).ok()?;
    let address = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 4_000));
    request.extensions_mut().insert(ConnectInfo(address));
    let answer = router.clone().oneshot(request).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, body.to_vec()))
}

/// No request makes the server fail; what it refuses, it explains in a few words.
fn http(bytes: &[u8]) {
    let founded = Founded::get();
    let asked = ask(&founded.router, &founded.tokens, bytes);
    let Some((status, body)) = founded.runtime.block_on(asked) else {
        return;
    };
    let said = String::from_utf8_lossy(&body);
    assert!(status < 500, "{status}: {said}");
    assert!(body.len() <= ANSWER_BYTES_MAX);
    if status >= 400 && !body.is_empty() && said.starts_with('{') {
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem is JSON");
        assert!(
            problem["code"]
                .as_str()
                .is_some_and(|code| !code.is_empty()),
            "{said}"
        );
        assert!(body.len() < 16 * 1024);
    }
}

/// A request for each operation of the description, with a body of its form, and readings with every parameter.
fn http_seeds() -> Vec<Vec<u8>> {
    let api = serde_json::to_value(routes::description()).expect("a description is JSON");
    let mut seeds = Vec::new();
    let paths = api["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let (mut path, mut asked) = (path.clone(), Vec::new());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default();
                let value = match sample_of(&api, name, &parameter["schema"]) {
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                if parameter["in"] == "path" {
                    path = path.replace(&format!("{{{name}}}"), &value);
                } else {
                    asked.push(format!("{name}={value}"));
                }
            }
            if !asked.is_empty() {
                path = format!("{path}?{}", asked.join("&"));
            }
            let form = &operation["requestBody"]["content"]["application/json"]["schema"];
            let body = match form {
                Json::Null => String::new(),
                form => sample(&api, form).to_string(),
            };
            let who = ["sys", "sec", "aud", "Bearer a.b.c"][seeds.len() % 4];
            seeds.push(format!("{} {path}\n{who}\n{body}", method.to_uppercase()).into_bytes());
        }
    }
    seeds
}

/// What the description says in words alone: texts of a form of their own.
const WORDS: [(&str, &str); 8] = [
    ("from", "2026-11-21"),
    ("to", "2026-12-21"),
    ("role", "FS"),
    ("cause", "lost"),
    ("code", "7Q2K-9FXA-0MZT-B4CE"),
    ("user_name", "ma.xiulan"),
    ("since", "2026-11-21T01:30:00Z"),
    ("until", "2026-11-22T01:30:00Z"),
];

/// A value of something that has a name.
fn sample_of(api: &Json, name: &str, form: &Json) -> Json {
    let value = sample(api, form);
    let word = WORDS.iter().find(|(known, _)| *known == name);
    word.filter(|_| value.is_string())
        .map_or(value, |(_, word)| json!(word))
}

/// A value of a form of the description.
fn sample(api: &Json, form: &Json) -> Json {
    if let Some(name) = form["$ref"].as_str() {
        let named = name.trim_start_matches("#/components/schemas/");
        return sample(api, &api["components"]["schemas"][named]);
    }
    if let Some(one) = form["oneOf"].as_array().and_then(|forms| forms.last()) {
        return sample(api, one);
    }
    if let Some(example) = form.get("example").or_else(|| form["enum"].get(0)) {
        return example.clone();
    }
    let kind = form["type"].as_str().or_else(|| form["type"][0].as_str());
    match kind.unwrap_or_default() {
        "object" => {
            let parts = form["properties"].as_object().into_iter().flatten();
            let parts = parts.map(|(name, form)| (name.clone(), sample_of(api, name, form)));
            Json::Object(parts.collect())
        }
        "array" => json!([sample(api, &form["items"])]),
        "boolean" => json!(true),
        "integer" | "number" => json!(1),
        _ if form["format"] == "date" => json!("2026-11-21"),
        _ if form["format"] == "date-time" => json!("2026-11-21T01:30:00.000Z"),
        _ => json!("00112233445566778899aabbccddeeff"),
    }
}

/// Nobody but the server makes a token.
fn token(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let founded = Founded::get();
    if let Ok(identity) = founded.app.access_tokens().verify(text, NOW) {
        let known = founded.tokens.iter().any(|(_, token)| token == text);
        assert!(known, "somebody else's token names {:?}", identity.user);
    }
}

fn token_seeds() -> Vec<Vec<u8>> {
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJ4In0.";
    let mut seeds = vec![none.as_bytes().to_vec(), b"a.b.c".to_vec()];
    let tokens = &Founded::get().tokens;
    seeds.extend(tokens.iter().map(|(_, token)| token.as_bytes().to_vec()));
    seeds
}

/// A list to import: its rows hold the limits, and are read as the same from a file that holds nothing else.
fn list(bytes: &[u8]) {
    let Ok(lines) = sheet::read(bytes, None) else {
        return;
    };
    assert!(!lines.is_empty() && lines.len() <= limits::LIST_ROWS_MAX);
    let mut written = csv::WriterBuilder::new()
        .flexible(true)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    for line in &lines {
        assert!(line.number > 0 && line.cells.len() <= limits::LIST_COLUMNS_MAX);
        written
            .write_record(&line.cells)
            .expect("memory takes a row");
    }
    let written = written.into_inner().expect("memory takes a list");
    // A list that is larger so is another matter.
    if let Ok(again) = sheet::read(&written, None) {
        let cells = |lines: Vec<sheet::Line>| -> Vec<Vec<String>> {
            lines.into_iter().map(|line| line.cells).collect()
        };
        assert_eq!(cells(again), cells(lines));
    }
}

fn list_seeds() -> Vec<Vec<u8>> {
    let text = "序号,行政村,姓名,身份证号\n1,半子沟村,\"张三, 李四\",11010519491231002X\n";
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
    let gb18030 = b"\xD0\xF2\xBA\xC5,\xB4\xE5\n1,\xB0\xEB\xD7\xD3\xB9\xB5\xB4\xE5\n";
    vec![
        text.as_bytes().to_vec(),
        [&[0xFF, 0xFE], wide.collect::<Vec<_>>().as_slice()].concat(),
        gb18030.to_vec(),
        include_bytes!("../../device/tests/fixtures/list.xlsx").to_vec(),
    ]
}

/// A settings file, behind a line of dashes the environment, and behind another the flags: what is read is written again to the same
/// settings, and what is not is explained.
fn settings(bytes: &[u8]) {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("zhucun.toml");
    let mut parts = text.split("\n---\n");
    let mut part = || parts.next().unwrap_or_default();
    let (file, environment, words) = (part(), part(), part());
    fs::write(&path, file).expect("a file");
    let command = Flags::augment_args(clap::Command::new("zhucun"));
    let matches = command.try_get_matches_from(std::iter::once("zhucun").chain(words.lines()));
    let Ok(given) = matches.and_then(|matches| Flags::from_arg_matches(&matches)) else {
        return;
    };
    // Which file is read is not for whoever wrote this.
    let flags = Flags {
        config: Some(path.clone()),
        ..given
    };
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let variables: Vec<(String, String)> = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    match Config::load(&flags, variables) {
        Ok(config) => {
            let written = config.to_toml();
            fs::write(&path, &written).expect("a file");
            let again = Config::load(&flags, []).expect("what was written is read");
            assert_eq!(again.to_toml(), written);
        }
        Err(error) => assert!(!error.remedy.is_empty() && !error.place.is_empty()),
    }
}

fn settings_seeds() -> Vec<Vec<u8>> {
    let flags = "listen = '127.0.0.1:1'\n[sessions]\nbrowser_hours = 3\n---\nZHUCUN_LISTEN=127.0.0.1:2\n\
                 ZHUCUN_SESSIONS__BROWSER_HOURS=4\n---\n--listen\n127.0.0.1:3\n--log-format\njson";
    vec![
        Config::default().to_toml().into_bytes(),
        flags.as_bytes().to_vec(),
    ]
}

/// A file that is taken is as long as it says: nothing can follow it.
fn file(bytes: &[u8]) {
    if check::check(bytes).is_ok() {
        let followed = [bytes, b"A"].concat();
        assert!(check::check(&followed).is_err(), "something may follow it");
    }
}

fn file_seeds() -> Vec<Vec<u8>> {
    macro_rules! fixtures {
        ($($name:literal),*) => {
            vec![$(include_bytes!(concat!("../fixtures/files/", $name)).to_vec()),*]
        };
    }
    fixtures![
        "picture.jpg",
        "picture-progressive.jpg",
        "picture.webp",
        "picture-lossless.webp",
        "recording.webm",
        "recording-live.webm",
        "recording.mp4",
        "recording-live.mp4"
    ]
}
