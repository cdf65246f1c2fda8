//! Log in, stay logged in, log out.

pub mod end;
pub mod list;
pub mod log_in;
pub mod log_out;
pub mod refresh;
pub mod show;

use serde::Serialize;
use store::accounts::Session;
use sync_core::id::{DeviceId, SessionId};
use utoipa::ToSchema;

use crate::context::App;
use crate::routes::wire::{Id, Instant};
use crate::session::Tokens;

/// A session as its person sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// The session.
    #[schema(value_type = String)]
    id: Id<SessionId>,
    /// The device whose key it is bound to; absent for a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    device: Option<Id<DeviceId>>,
    /// When the person logged in.
    started_at: Instant,
    /// When the person logs in again in any case.
    expires_at: Instant,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: Id(session.session),
            device: session.device.map(Id),
            started_at: Instant(session.started_at),
            expires_at: Instant(session.expires_at),
        }
    }
}

/// What keeps a caller logged in.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenPair {
    /// Send it as `Authorization: Bearer …`. Absent when a device logs in: it refreshes first, which proves its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// How long the access token is good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u32>,
    /// Gives the next pair. If the reply is lost, present it again.
    refresh_token: String,
    /// The session that both belong to.
    session: SessionView,
}

impl TokenPair {
    pub(crate) fn new(app: &App, tokens: Tokens) -> Self {
        Self {
            expires_in_seconds: tokens
                .access
                .as_ref()
                .map(|_| app.access_tokens().life_seconds()),
            access_token: tokens.access,
            refresh_token: tokens.refresh.reveal(),
            session: SessionView::from(&tokens.session),
        }
    }
}
