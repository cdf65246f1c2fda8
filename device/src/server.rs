//! What the device asks of a server, whatever lies between them.

use serde::Deserialize;
use sync_core::catalog::SourceFile;
use sync_core::id::{DeviceId, UserId};
use sync_core::sign::{PublicKey, Signature};
use sync_core::sync::refill::{RefillResponse, SignedRefill};
use sync_core::sync::wire::{SyncRequest, SyncResponse};

pub use sync_core::sync::courier::{Tokens, refresh_digest};
pub use sync_core::sync::enrol::Deployment;

/// A server, over HTTP ([`crate::transport::Http`]) or in the same process.
pub trait Server {
    /// Which deployment it serves.
    fn deployment(&mut self) -> Result<Deployment, Failure>;
    /// Enrols a device by a one-time code.
    fn enrol(&mut self, enrolment: &Enrolment) -> Result<Enrolled, Failure>;
    /// Begins a session for an enrolled device by user name and password.
    fn log_in(&mut self, log_in: &LogIn) -> Result<Tokens, Failure>;
    /// Continues a session. `proof` is the device's signature over [`refresh_digest`].
    fn refresh(&mut self, refresh_token: &str, proof: &Signature) -> Result<Tokens, Failure>;
    /// Brings what was sealed and takes what is new.
    fn sync(&mut self, access_token: &str, request: &SyncRequest) -> Result<SyncResponse, Failure>;
    /// Gives entries back to a server that lost them; no session is needed.
    fn refill(&mut self, request: &SignedRefill) -> Result<RefillResponse, Failure>;
    /// The files of a published catalogue version.
    fn catalogue(&mut self, access_token: &str, version: u32) -> Result<Vec<SourceFile>, Failure>;
}

/// What enrols a device.
#[derive(Clone)]
pub struct Enrolment {
    /// The one-time code, as it was typed.
    pub code: String,
    /// The new key.
    pub key: PublicKey,
    /// The new key's signature over the code's digest.
    pub proof: Signature,
    /// What its person calls the device.
    pub label: String,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A device that was enrolled.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// Its session.
    pub tokens: Tokens,
}

/// What a person logs in with on an enrolled device.
#[derive(Clone)]
pub struct LogIn {
    /// The user name.
    pub user_name: String,
    /// The password.
    pub password: String,
    /// The device.
    pub device: DeviceId,
}

impl std::fmt::Debug for LogIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogIn")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No answer: no network, no server, or the line broke.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The server says why.
    #[error("{} ({})", .0.title, .0.code)]
    Problem(Problem),
    /// An answer that is none of this protocol.
    #[error("an answer that cannot be read: {0}")]
    Unreadable(String),
}

impl Failure {
    /// The server's code, if it gave one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            Self::Unreachable(_) | Self::Unreadable(_) => None,
        }
    }
}

/// What a server says is wrong, and what to do (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What is wrong, in English.
    pub title: String,
    /// What is wrong, in Chinese.
    pub title_zh: String,
    /// What to do, in English.
    pub remedy: String,
    /// What to do, in Chinese.
    pub remedy_zh: String,
    /// When to try again.
    #[serde(skip)]
    pub retry_after_seconds: Option<u64>,
}
