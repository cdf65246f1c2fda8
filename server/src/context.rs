//! What a handler is handed: the application, where a request comes from, who calls, and a body parsed at the door.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::journals::ReadJournals;
use store::{Store, StoreError, Unit};
use sync_core::admit::Catalogues;
use sync_core::catalog::Catalogue;
use sync_core::id::{DeploymentId, DeviceId, JournalId, Seq, SessionId, UserId};
use sync_core::registry::AccessAct;
use sync_core::seal::OpeningKey;
use sync_core::sign::SigningKey;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::files::Files;
use crate::intake::Intake;
use crate::journals::admission::{Admission, Moved};
use crate::journals::kept::Kept;
use crate::journals::pull::Reader;
use crate::journals::registrar::Registrar;
use crate::journals::segments::Packer;
use crate::problem::{Code, Problem};
use crate::random::Random;
use crate::reports::ReportDesk;
use crate::session::access::{AccessTokens, Identity};
use crate::session::passwords::Passwords;
use crate::session::throttle::Throttle;

/// Everything that lives as long as the server. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What the application is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Random,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Reads and enters registry acts.
    pub registrar: Arc<Registrar>,
    /// Bounds what arrives at one time.
    pub intake: Intake,
    /// The door to admission.
    pub admission: Admission,
    /// Packs what new devices begin with.
    pub packer: Packer,
    /// The files of records.
    pub files: Files,
    /// Catalogue versions.
    pub catalogues: Arc<Catalogues>,
    /// The last checkpoint, outside the database.
    pub kept: Arc<Kept>,
    /// Signs checkpoints.
    pub log_key: SigningKey,
    /// Opens what carriers bring.
    pub opening: OpeningKey,
    /// Which deployment this is.
    pub deployment: DeploymentId,
    /// Computes password hashes.
    pub passwords: Passwords,
    /// Spaces out attempts to log in.
    pub throttle: Throttle,
    /// Takes what is reported on the villages' public pages.
    pub desk: ReportDesk,
    /// Issues and verifies access tokens.
    pub access_tokens: AccessTokens,
    /// Turns true when the server is to stop.
    pub stopping: watch::Sender<bool>,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Randomness.
    pub fn random(&self) -> &Random {
        &self.0.random
    }

    /// What is kept.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// Reads and enters registry acts.
    pub fn registrar(&self) -> &Registrar {
        &self.0.registrar
    }

    /// Bounds what arrives at one time.
    pub fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// The door to admission.
    pub fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// Packs what new devices begin with.
    pub fn packer(&self) -> &Packer {
        &self.0.packer
    }

    /// The files of records.
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// Catalogue versions.
    pub fn catalogues(&self) -> &Arc<Catalogues> {
        &self.0.catalogues
    }

    /// The newest catalogue: what roles may, and how things are called.
    pub fn catalogue(&self) -> &Catalogue {
        self.0
            .catalogues
            .values()
            .next_back()
            .expect("the shipped catalogue is always there")
    }

    /// The last checkpoint, outside the database.
    pub fn kept(&self) -> &Kept {
        &self.0.kept
    }

    /// Signs checkpoints.
    pub fn log_key(&self) -> &SigningKey {
        &self.0.log_key
    }

    /// Opens what carriers bring.
    pub fn opening(&self) -> &OpeningKey {
        &self.0.opening
    }

    /// The caller as a reader, against the registry as this unit sees it; absent if account or device may not read.
    pub async fn reader<R: ReadJournals + ?Sized>(
        &self,
        unit: &mut R,
        caller: &Caller,
    ) -> Result<Option<Reader<'_>>, StoreError> {
        let registered = self.registrar().current(unit).await?;
        Ok(Reader::new(
            registered,
            self.catalogue(),
            caller.user(),
            caller.device(),
            self.clock().now(),
        ))
    }

    /// Enters what somebody is about to be shown into an access journal, durably: its position there.
    pub async fn enter_access(
        &self,
        mut unit: Box<dyn Unit>,
        journal: JournalId,
        act: AccessAct,
        by: UserId,
    ) -> Result<Seq, StoreError> {
        let now = self.clock().now();
        self.registrar()
            .note(&mut *unit, journal, &[act], Some(by), now)
            .await?;
        let seq = unit.chain(journal).await?.map_or(0, |chain| chain.end.seq);
        unit.commit().await?;
        self.admission().poke(Moved { journal, seq });
        Ok(seq)
    }

    /// Which deployment this is: part of everything that is signed.
    pub fn deployment(&self) -> DeploymentId {
        self.0.deployment
    }

    /// Computes password hashes.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Spaces out attempts to log in.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Takes what is reported on the villages' public pages.
    pub fn desk(&self) -> &ReportDesk {
        &self.0.desk
    }

    /// Issues and verifies access tokens.
    pub fn access_tokens(&self) -> &AccessTokens {
        &self.0.access_tokens
    }

    /// Tells everything to stop: streams end, and nothing new begins.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Whether the server was told to stop.
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Returns once the server was told to stop.
    pub async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        stopping
            .wait_for(|stop| *stop)
            .await
            .expect("the sender lives as long as the application");
    }
}

/// Proof that a request came with a good access token of a session that goes on. Only the extractor makes one.
///
/// It says who sends, not who wrote, and nothing of what the person may do.
#[derive(Debug)]
pub struct Caller(Identity);

impl Caller {
    /// The person.
    pub fn user(&self) -> UserId {
        self.0.user
    }

    /// The device, which proved its key; none for a browser.
    pub fn device(&self) -> Option<DeviceId> {
        self.0.device
    }

    /// The session.
    pub fn session(&self) -> SessionId {
        self.0.session
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut RequestParts, app: &App) -> Result<Self, Problem> {
        let unauthenticated = || Problem::new(Code::Unauthenticated);
        let token = bearer(&parts.headers).ok_or_else(unauthenticated)?;
        let now = app.clock().now();
        let identity = app
            .access_tokens()
            .verify(token, now)
            .map_err(|_| unauthenticated())?;
        let session = app.store().session(identity.session).await;
        let session = session.map_err(|error| Problem::internal(&error))?;
        // Whatever ends a session (a revoked device, a disabled account) is felt with the next request.
        let goes_on =
            session.is_some_and(|session| session.goes_on(now) && session.user == identity.user);
        if goes_on {
            Ok(Self(identity))
        } else {
            Err(unauthenticated())
        }
    }
}

/// The token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The address that a request comes from, as far as it can be believed.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut RequestParts, app: &App) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        Ok(Self(client_address(
            peer,
            &parts.headers,
            &app.config().trusted_proxies,
        )))
    }
}

/// The nearest address that is not a proxy of ours. Whatever stands further left in the header, the client may have made up.
fn client_address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.contains(&address.to_canonical());
    if !is_proxy(&peer) {
        return peer;
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let mut nearest_first = hops
        .iter()
        .rev()
        .map_while(|hop| hop.parse::<IpAddr>().ok());
    nearest_first
        .find(|address| !is_proxy(address))
        .unwrap_or(peer)
}

/// A JSON body. Where it is of another form than expected, its content is never repeated.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(Problem::new(match rejection.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
                StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
                _ => Code::Malformed,
            })),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The parameters of an address (`?…`), all of them known.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut RequestParts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(_) => Err(Problem::new(Code::Malformed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_address(peer: &str, forwarded: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let address = client_address(peer.parse().unwrap(), &headers, &proxies);
        assert_eq!(address, expected.parse::<IpAddr>().unwrap());
    }

    #[test]
    fn only_our_proxies_are_believed() {
        check_address("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check_address("10.0.0.1", &[], "10.0.0.1");
        check_address("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check_address("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check_address(
            "10.0.0.1",
            &["1.1.1.1, 198.51.100.1, 10.0.0.2"],
            "198.51.100.1",
        );
        check_address("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1");
        check_address("10.0.0.1", &["198.51.100.1, made up"], "10.0.0.1");
    }
}
