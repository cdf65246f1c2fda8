//! A server with a clock that stands still, and people to call it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use server::app;
use server::clock::{Clock as _, ManualClock, SystemClock};
use server::config::Config;
use server::context::App;
use server::random::Random;
use server::routes;
use server::session::access::Identity;
use server::session::founding;
use store::accounts::{Device, NewRefreshToken, Session};
use sync_core::id::{DeviceId, SessionId, Timestamp, UserId, sha256};
use sync_core::sign::{REFRESH_CONTEXT, SigningKey};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::quiet::{Watch, assert_described};

/// The password of everyone.
pub(crate) const PASSWORD: &str = "西吉的土豆开花了吗";

/// A server, not listening: requests are handed to it.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    router: Router,
    folder: TempDir,
    _watch: Watch,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The problem's code, or `ok`.
    pub(crate) fn code(&self) -> &str {
        if self.status.is_success() {
            "ok"
        } else {
            self.text("code")
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub(crate) fn pair(&self) -> Pair {
        assert_eq!(self.code(), "ok", "{self:?}");
        Pair {
            access: self.body["access_token"].as_str().map(str::to_owned),
            refresh: self.text("refresh_token").to_owned(),
            session: self.body["session"]["id"].as_str().unwrap().to_owned(),
        }
    }
}

/// What keeps someone logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) access: Option<String>,
    pub(crate) refresh: String,
    pub(crate) session: String,
}

impl Pair {
    pub(crate) fn access(&self) -> Option<&str> {
        self.access.as_deref()
    }
}

/// An enrolled phone.
pub(crate) struct Phone {
    pub(crate) key: SigningKey,
    pub(crate) id: DeviceId,
}

impl Phone {
    /// The phone's signature over a refresh token.
    pub(crate) fn prove(&self, world: &World, token: &str) -> Value {
        let signature = self.key.sign(
            REFRESH_CONTEXT,
            world.app.deployment(),
            sha256(&[token.as_bytes()]),
        );
        json!({ "algorithm": signature.algorithm, "bytes": URL_SAFE_NO_PAD.encode(signature.bytes) })
    }
}

impl World {
    /// A server on which nobody has an account.
    pub(crate) async fn empty() -> Self {
        Self::with(|_| {}).await
    }

    /// An empty server with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(
            folder,
            Timestamp(1_795_000_000_000),
            Random::seeded(42),
            change,
        )
        .await
    }

    /// A founded server whose clock stands at the present, to be left to the program.
    pub(crate) async fn today() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock::start().now();
        let world = Self::within(folder, now, Random::seeded(42), |_| {}).await;
        world.found().await
    }

    /// A server over a folder that another one left.
    pub(crate) async fn again(folder: TempDir) -> Self {
        let now = SystemClock::start().now();
        Self::within(folder, now, Random::system(), |_| {}).await
    }

    /// A server over what lies in a folder.
    pub(crate) async fn restored(folder: TempDir) -> Self {
        let now = Timestamp(1_795_000_000_000);
        Self::within(folder, now, Random::seeded(42), |_| {}).await
    }

    /// The folder, which nobody has open any more.
    pub(crate) fn leave(self) -> TempDir {
        self.app.stop();
        self.folder
    }

    async fn within(
        folder: TempDir,
        now: Timestamp,
        random: Random,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config {
            data_dir: folder.path().join("data"),
            ..Config::default()
        };
        let watch = Watch::begin();
        change(&mut config);
        let clock = Arc::new(ManualClock::at(now));
        let app = app::assemble(config, clock.clone(), random).await.unwrap();
        Self {
            router: routes::router(app.clone()),
            app,
            clock,
            folder,
            _watch: watch,
        }
    }

    /// A server with its three administrators `sys`, `sec` and `aud`, of whom `sys` and `sec` have the same password.
    pub(crate) async fn founded() -> Self {
        Self::empty().await.found().await
    }

    /// The same with other settings.
    pub(crate) async fn founded_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(change).await.found().await
    }

    async fn found(self) -> Self {
        let world = self;
        let code = founding::issue_code(&world.app)
            .await
            .unwrap()
            .unwrap()
            .reveal();
        let founded = world
            .post("/v1/bootstrap", None, founders(&code, PASSWORD))
            .await;
        assert_eq!(founded.code(), "ok", "{founded:?}");
        let code = founded.body["administrators"][1]["code"].as_str().unwrap();
        let set = world
            .post(
                "/v1/password/set",
                None,
                json!({ "code": code, "new": PASSWORD }),
            )
            .await;
        assert_eq!(set.code(), "ok", "{set:?}");
        world
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(Ipv4Addr::new(192, 0, 2, 1), request).await
    }

    pub(crate) async fn send_from(&self, address: Ipv4Addr, request: Request<Body>) -> Answer {
        let (parts, body) = self.respond_from(address, request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// What the server answers in bytes.
    pub(crate) async fn send_bytes(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let (status, body) = self.open(request).await;
        let bytes = body.collect().await.unwrap().to_bytes();
        (status, bytes.to_vec())
    }

    /// An answer whose body is still to come.
    pub(crate) async fn open(&self, request: Request<Body>) -> (StatusCode, Body) {
        let (parts, body) = self.respond(request).await.into_parts();
        (parts.status, body)
    }

    /// An answer as it is, its body still to come.
    pub(crate) async fn respond(&self, request: Request<Body>) -> Response {
        self.respond_from(Ipv4Addr::new(192, 0, 2, 1), request)
            .await
    }

    /// The same to somebody at an address. It must be as it is described, and say nothing to the wrong people.
    pub(crate) async fn respond_from(&self, address: Ipv4Addr, request: Request<Body>) -> Response {
        let (mut request, said) = Watch::hear(request).await;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let address = SocketAddr::from((address, 4_000));
        request.extensions_mut().insert(ConnectInfo(address));
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_described(&method, &path, &response);
        Watch::answered(response, &said).await
    }

    pub(crate) async fn get(&self, path: &str, access: Option<&str>) -> Answer {
        self.send(request(&Method::GET, path, access, None)).await
    }

    pub(crate) async fn delete(&self, path: &str, access: Option<&str>) -> Answer {
        self.send(request(&Method::DELETE, path, access, None))
            .await
    }

    pub(crate) async fn post(&self, path: &str, access: Option<&str>, body: Value) -> Answer {
        self.send(request(&Method::POST, path, access, Some(body)))
            .await
    }

    pub(crate) async fn log_in(&self, user_name: &str) -> Answer {
        self.post(
            "/v1/session",
            None,
            json!({ "user_name": user_name, "password": PASSWORD }),
        )
        .await
    }

    pub(crate) async fn log_in_on(&self, user_name: &str, phone: &Phone) -> Answer {
        let body =
            json!({ "user_name": user_name, "password": PASSWORD, "device": phone.id.to_string() });
        self.post("/v1/session", None, body).await
    }

    /// Refreshes a browser's session.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post(
            "/v1/session/refresh",
            None,
            json!({ "refresh_token": token }),
        )
        .await
    }

    /// Refreshes a phone's session.
    pub(crate) async fn refresh_on(&self, phone: &Phone, token: &str) -> Answer {
        let body = json!({ "refresh_token": token, "proof": phone.prove(self, token) });
        self.post("/v1/session/refresh", None, body).await
    }

    /// Whether an access token is still good.
    pub(crate) async fn is_signed_in(&self, pair: &Pair) -> bool {
        self.get("/v1/session", pair.access()).await.code() == "ok"
    }

    /// A token of a new session.
    pub(crate) async fn token(&self, user: UserId, device: Option<DeviceId>) -> String {
        let app = &self.app;
        let session = SessionId(app.random().bytes());
        let now = app.clock().now();
        let began = Session {
            session,
            user,
            device,
            started_at: now,
            expires_at: now.plus_ms(3_600_000),
            ended: None,
        };
        let refresh = NewRefreshToken {
            hash: sha256(&[&session.0]),
            issued_at: now,
            expires_at: now.plus_ms(3_600_000),
        };
        let mut unit = app.store().begin().await.unwrap();
        if let Some(id) = device
            && unit.device(id).await.unwrap().is_none()
        {
            let key = SigningKey::from_seed(user.0.repeat(2).try_into().unwrap()).public();
            let device = Device {
                device: id,
                user,
                key,
                enrolled_at: now,
                ended_at: None,
            };
            unit.add_device(&device).await.unwrap();
        }
        unit.add_session(&began, &refresh).await.unwrap();
        unit.commit().await.unwrap();
        let identity = Identity {
            user,
            device,
            session,
        };
        app.access_tokens()
            .issue(&identity, now, app.random().bytes())
            .unwrap()
    }

    pub(crate) fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    /// Enrols a phone, as its enrolment's entry in the registry will.
    pub(crate) async fn db_enrol(&self, user_name: &str, seed: u8) -> Phone {
        let key = SigningKey::from_seed([seed; 32]);
        let phone = Phone {
            id: key.public().device(),
            key,
        };
        let mut unit = self.app.store().begin().await.unwrap();
        let user = unit
            .account_named(&user_name.parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .user;
        let enrolled_at = Timestamp(0);
        let device = Device {
            device: phone.id,
            user,
            key: phone.key.public(),
            enrolled_at,
            ended_at: None,
        };
        unit.add_device(&device).await.unwrap();
        unit.commit().await.unwrap();
        phone
    }
}

pub(crate) fn request(
    method: &Method,
    path: &str,
    access: Option<&str>,
    body: Option<Value>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(access) = access {
        request = request.header(header::AUTHORIZATION, format!("Bearer {access}"));
    }
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into()),
        None => request.body(Body::empty()),
    }
    .unwrap()
}

pub(crate) fn founders(code: &str, password: &str) -> Value {
    let person = |user_name: &str| json!({ "user_name": user_name, "display_name": "马秀兰" });
    json!({
        "code": code, "password": password,
        "system": person("sys"), "security": person("sec"), "audit": person("aud"),
    })
}
