//! Who is calling: passwords, access tokens, refresh tokens, one-time codes.
//!
//! A **session** lasts from a log-in to its end. It is carried by two tokens. The *access token* is a signed statement of
//! identity that is good for minutes; it holds no role, for what a person may do is read when something is judged. The
//! *refresh token* is exchanged for a new pair of both, each time:
//!
//! * A session of a **device** is bound to the device's key: every exchange brings the key's signature over the token. A stolen
//!   token alone is worth nothing. A log-in from a device gives only a refresh token, so that the very first access token
//!   already takes the device's proof.
//! * A session of a **browser** is bound to nothing, and short.
//! * On a bad line a reply gets lost. So a token that was exchanged may be presented again, and gives **the same** successor,
//!   until that successor was used. Once it was, its holder had received it; whoever comes with the old one then is a second
//!   holder, and the session ends ([`SessionEnd::TokenReused`]).
//!
//! Ending a session never touches what is on a device.
//!
//! [`SessionEnd::TokenReused`]: store::accounts::SessionEnd::TokenReused

pub mod access;
pub mod codes;
pub mod founding;
pub mod log_in;
pub mod password;
pub mod passwords;
pub mod refresh;
pub mod throttle;

use std::time::Duration;

use store::accounts::{NewRefreshToken, Session};
use sync_core::id::{SessionId, Timestamp};

use crate::config::Sessions;
use crate::random::Random;
use crate::session::access::Identity;
use crate::session::refresh::RefreshSecret;

/// What a caller gets when a session begins or goes on.
#[derive(Debug)]
pub struct Tokens {
    /// Names the caller in requests; none where the device must prove its key first.
    pub access: Option<String>,
    /// Gives the next pair.
    pub refresh: RefreshSecret,
    /// The session that they carry.
    pub session: Session,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
struct Life {
    idle: Duration,
    most: Duration,
}

impl Life {
    fn of(settings: &Sessions, session: &Session) -> Self {
        const MINUTE: u32 = 60;
        const HOUR: u32 = 60 * MINUTE;
        const DAY: u32 = 24 * HOUR;
        let seconds =
            |number: u32, unit: u32| Duration::from_secs(u64::from(number) * u64::from(unit));
        if session.device.is_some() {
            Self {
                idle: seconds(settings.device_idle_days.get(), DAY),
                most: seconds(settings.device_days.get(), DAY),
            }
        } else {
            Self {
                idle: seconds(settings.browser_idle_minutes.get(), MINUTE),
                most: seconds(settings.browser_hours.get(), HOUR),
            }
        }
    }
}

/// An instant some time later.
fn after(instant: Timestamp, time: Duration) -> Timestamp {
    instant.plus_ms(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// A session that begins now, with its first refresh token.
pub(crate) fn begin(
    settings: &Sessions,
    random: &Random,
    identity: Identity,
    now: Timestamp,
) -> (Session, RefreshSecret) {
    let mut session = Session {
        session: identity.session,
        user: identity.user,
        device: identity.device,
        started_at: now,
        expires_at: now,
        ended: None,
    };
    session.expires_at = after(now, Life::of(settings, &session).most);
    (session, RefreshSecret::generate(random))
}

/// How the store knows a refresh token that is issued now.
pub(crate) fn issued(
    settings: &Sessions,
    session: &Session,
    secret: &RefreshSecret,
    now: Timestamp,
) -> NewRefreshToken {
    let idle = after(now, Life::of(settings, session).idle);
    NewRefreshToken {
        hash: secret.hash(),
        issued_at: now,
        expires_at: idle.min(session.expires_at),
    }
}

/// A new session's id.
pub(crate) fn new_session_id(random: &Random) -> SessionId {
    SessionId(random.bytes())
}
