//! The server over HTTP.

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sync_core::catalog::SourceFile;
use sync_core::limits;
use sync_core::sign::{PublicKey, Signature};
use sync_core::sync::refill::{RefillResponse, SignedRefill};
use sync_core::sync::wire::{SyncRequest, SyncResponse};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::server::{Deployment, Enrolled, Enrolment, Failure, LogIn, Problem, Server, Tokens};

/// The most that an answer may have: a page, what packing it costs, and the registry.
const ANSWER_BYTES_MAX: u64 = limits::REQUEST_BYTES_MAX as u64;
/// A sync over a bad line may take as long as the server waits for one.
const SYNC_TIMEOUT: Duration = Duration::from_mins(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const CBOR: &str = "application/cbor";

/// A server at a base URL.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
}

impl Http {
    /// The server at this URL.
    pub fn new(base: &str) -> Self {
        let settings = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(SYNC_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("zhucun-field/", env!("CARGO_PKG_VERSION")));
        Self {
            agent: settings.build().into(),
            base: base.trim_end_matches('/').to_owned(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn post_json<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).expect("texts and numbers are JSON");
        let request = self
            .agent
            .post(self.url(path))
            .header("content-type", "application/json");
        json_of(&answer(request.send(&body))?)
    }
}

/// The body of a good answer, or why there is none.
fn answer(sent: Result<Response<Body>, ureq::Error>) -> Result<Vec<u8>, Failure> {
    let response = sent.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let (head, body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut limited = body.into_reader().take(ANSWER_BYTES_MAX + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Unreachable(error.to_string()))?;
    if bytes.len() as u64 > ANSWER_BYTES_MAX {
        return Err(Failure::Unreadable("larger than an answer is".to_owned()));
    }
    if head.status.is_success() {
        return Ok(bytes);
    }
    let retry_after = head
        .headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok());
    let retry_after_seconds = retry_after.and_then(|seconds| seconds.parse().ok());
    Err(problem(head.status, &bytes, retry_after_seconds))
}

/// What a failed answer says. One that is no problem+json (from a proxy, for example) is known by its status alone.
fn problem(status: StatusCode, bytes: &[u8], retry_after_seconds: Option<u64>) -> Failure {
    let said: Option<Problem> = serde_json::from_slice(bytes).ok();
    let said = said.filter(|problem| !problem.code.is_empty());
    let code = || format!("http_{}", status.as_u16());
    let problem = said.unwrap_or_else(|| Problem {
        code: code(),
        title: status.to_string(),
        ..Problem::default()
    });
    Failure::Problem(Problem {
        status: status.as_u16(),
        retry_after_seconds,
        ..problem
    })
}

fn json_of<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::Unreadable(error.to_string()))
}

/// A key or signature in JSON: its algorithm, and its bytes in base64url.
#[derive(Debug, Serialize, Deserialize)]
struct Keyed {
    algorithm: u8,
    bytes: String,
}

impl Keyed {
    fn new(algorithm: u8, bytes: &[u8]) -> Self {
        Self {
            algorithm,
            bytes: URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    fn key(&self) -> Result<PublicKey, Failure> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.bytes);
        let bytes = bytes.map_err(|_| Failure::Unreadable("not a key".to_owned()))?;
        Ok(PublicKey {
            algorithm: self.algorithm,
            bytes,
        })
    }
}

fn keyed(signature: &Signature) -> Keyed {
    Keyed::new(signature.algorithm, &signature.bytes)
}

#[derive(Debug, Deserialize)]
struct DeploymentView {
    deployment: String,
    operator: Keyed,
    protocol: u16,
}

#[derive(Deserialize)]
struct TokenPair {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in_seconds: u32,
    refresh_token: String,
}

impl From<TokenPair> for Tokens {
    fn from(pair: TokenPair) -> Self {
        Self {
            access: pair.access_token,
            access_seconds: pair.expires_in_seconds,
            refresh: pair.refresh_token,
        }
    }
}

#[derive(Deserialize)]
struct EnrolledView {
    device: String,
    user: String,
    tokens: TokenPair,
}

#[derive(Deserialize)]
struct CatalogueView {
    files: Vec<FileView>,
}

#[derive(Deserialize)]
struct FileView {
    name: String,
    text: String,
}

fn id<T: std::str::FromStr<Err = sync_core::id::InvalidId>>(text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|error: sync_core::id::InvalidId| Failure::Unreadable(error.to_string()))
}

impl Server for Http {
    fn deployment(&mut self) -> Result<Deployment, Failure> {
        let view: DeploymentView =
            json_of(&answer(self.agent.get(self.url("/v1/deployment")).call())?)?;
        let (deployment, operator) = (id(&view.deployment)?, view.operator.key()?);
        Ok(Deployment {
            deployment,
            operator,
            protocol: view.protocol,
        })
    }

    fn enrol(&mut self, enrolment: &Enrolment) -> Result<Enrolled, Failure> {
        let Enrolment {
            code,
            key,
            proof,
            label,
        } = enrolment;
        let body = json!({
            "code": code,
            "key": Keyed::new(key.algorithm, &key.bytes),
            "proof": keyed(proof),
            "label": label,
        });
        let view: EnrolledView = self.post_json("/v1/enrol", &body)?;
        Ok(Enrolled {
            device: id(&view.device)?,
            user: id(&view.user)?,
            tokens: view.tokens.into(),
        })
    }

    fn log_in(&mut self, log_in: &LogIn) -> Result<Tokens, Failure> {
        let LogIn {
            user_name,
            password,
            device,
        } = log_in;
        let body =
            json!({ "user_name": user_name, "password": password, "device": device.to_string() });
        let pair: TokenPair = self.post_json("/v1/session", &body)?;
        Ok(pair.into())
    }

    fn refresh(&mut self, refresh_token: &str, proof: &Signature) -> Result<Tokens, Failure> {
        let body = json!({ "refresh_token": refresh_token, "proof": keyed(proof) });
        let pair: TokenPair = self.post_json("/v1/session/refresh", &body)?;
        Ok(pair.into())
    }

    fn sync(&mut self, access_token: &str, request: &SyncRequest) -> Result<SyncResponse, Failure> {
        let post = self.agent.post(self.url("/v1/sync"));
        let post = post.header("content-type", CBOR).header("accept", CBOR);
        let post = post.header("authorization", format!("Bearer {access_token}"));
        let bytes = answer(post.send(&sync_core::cbor::encode(request)))?;
        sync_core::cbor::decode(&bytes).map_err(|error| Failure::Unreadable(error.to_string()))
    }

    fn refill(&mut self, request: &SignedRefill) -> Result<RefillResponse, Failure> {
        let post = self.agent.post(self.url("/v1/refill"));
        let post = post.header("content-type", CBOR).header("accept", CBOR);
        let bytes = answer(post.send(&sync_core::cbor::encode(request)))?;
        sync_core::cbor::decode(&bytes).map_err(|error| Failure::Unreadable(error.to_string()))
    }

    fn catalogue(&mut self, access_token: &str, version: u32) -> Result<Vec<SourceFile>, Failure> {
        let get = self
            .agent
            .get(self.url(&format!("/v1/catalogues/{version}")));
        let get = get.header("authorization", format!("Bearer {access_token}"));
        let view: CatalogueView = json_of(&answer(get.call())?)?;
        let file = |FileView { name, text }| SourceFile { name, text };
        Ok(view.files.into_iter().map(file).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_is_wrong_and_another_answer_is_known_by_its_status() {
        let body = br#"{"type":"/docs#busy","status":503,"code":"busy","title":"The server is busy","title_zh":"...","remedy":"","remedy_zh":"","field":"x"}"#;
        let Failure::Problem(said) = problem(StatusCode::SERVICE_UNAVAILABLE, body, Some(7)) else {
            panic!()
        };
        assert_eq!(
            (said.code.as_str(), said.retry_after_seconds),
            ("busy", Some(7))
        );
        let Failure::Problem(proxy) = problem(StatusCode::BAD_GATEWAY, b"<html>", None) else {
            panic!()
        };
        assert_eq!((proxy.code.as_str(), proxy.status), ("http_502", 502));
    }
}
