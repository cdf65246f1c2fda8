//! Refresh tokens: exchanged each time, and safe to present again when the reply was lost.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;
use store::accounts::{RefreshToken, Session, SessionEnd, Successor};
use sync_core::id::{Digest, SessionId, Timestamp, sha256};
use sync_core::sign::{REFRESH_CONTEXT, Signature};

use crate::context::App;
use crate::random::Random;
use crate::session::access::Identity;
use crate::session::{self, Tokens};

/// So that a leaked token is recognised for what it is.
const PREFIX: &str = "zhr_";
/// Under this context a token becomes the pad that seals its successor.
const SEAL_CONTEXT: &[u8] = b"zhucun refresh successor v1";

/// A refresh token itself. The server knows it only while it answers.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshSecret([u8; 32]);

impl fmt::Debug for RefreshSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl RefreshSecret {
    /// A new token.
    pub fn generate(random: &Random) -> Self {
        Self(random.bytes())
    }

    /// The token of this text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The token as its holder sees it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }

    /// SHA-256 of the token as its holder sees it: what the store knows, and what a device signs.
    pub fn hash(&self) -> Digest {
        sha256(&[self.reveal().as_bytes()])
    }

    /// The successor, readable to whoever has this token. Each token seals one successor, so a one-time pad will do.
    fn seal(&self, successor: &Self) -> Digest {
        let mut sealed = sha256(&[SEAL_CONTEXT, &self.0]);
        sealed
            .0
            .iter_mut()
            .zip(successor.0)
            .for_each(|(pad, byte)| *pad ^= byte);
        sealed
    }

    /// The successor that this token sealed.
    fn open(&self, sealed: Digest) -> Self {
        Self(self.seal(&Self(sealed.0)).0)
    }
}

/// What becomes of a token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is exchanged for a new one.
    Exchange,
    /// It was exchanged before, but the reply may have been lost: the same successor again.
    Repeat { sealed: Digest },
    /// It was exchanged and its successor was used: two parties hold it.
    Reused,
    /// It, or its session, is past its time.
    Over,
}

fn judge(token: &RefreshToken, session: &Session, now: Timestamp) -> Verdict {
    if !session.goes_on(now) {
        return Verdict::Over;
    }
    match token.successor {
        Some(Successor::Used) => Verdict::Reused,
        Some(Successor::Unused { sealed, expires_at }) if now < expires_at => {
            Verdict::Repeat { sealed }
        }
        None if now < token.expires_at => Verdict::Exchange,
        Some(Successor::Unused { .. }) | None => Verdict::Over,
    }
}

/// Why a session does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RefreshFailure {
    /// The token is unknown or past its time, or its session has ended.
    #[error("the session has ended")]
    Over,
    /// The device's signature is missing, or not its key's over this token.
    #[error("the device did not prove its key")]
    Unproven,
    /// The device proved its key, and was revoked or suspended.
    #[error("the device is out of use")]
    Device,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// No access token could be made.
    #[error("no access token could be made")]
    Access(#[from] jsonwebtoken::errors::Error),
}

/// Exchanges a refresh token for the next pair of tokens.
pub async fn refresh(
    app: &App,
    presented: &RefreshSecret,
    proof: Option<&Signature>,
) -> Result<Tokens, RefreshFailure> {
    let now = app.clock().now();
    let hash = presented.hash();
    // Whoever has no token, or no key to it, does not keep those waiting who write.
    let session = prove(app, hash, proof).await?;

    let mut unit = app.store().begin().await?;
    let token = unit
        .refresh_token(hash)
        .await?
        .ok_or(RefreshFailure::Over)?;
    let session = unit.session(session).await?.ok_or(RefreshFailure::Over)?;
    let refresh = match judge(&token, &session, now) {
        Verdict::Exchange => {
            let successor = RefreshSecret::generate(app.random());
            let issued = session::issued(&app.config().sessions, &session, &successor, now);
            unit.exchange(hash, &issued, presented.seal(&successor))
                .await?;
            unit.commit().await?;
            successor
        }
        Verdict::Repeat { sealed } => presented.open(sealed),
        Verdict::Reused => {
            unit.end_session(session.session, SessionEnd::TokenReused, now)
                .await?;
            unit.commit().await?;
            tracing::warn!(session.id = %session.session, "a refresh token was presented by a second holder; session ended");
            return Err(RefreshFailure::Over);
        }
        Verdict::Over => return Err(RefreshFailure::Over),
    };
    let identity = Identity {
        user: session.user,
        device: session.device,
        session: session.session,
    };
    let access = app
        .access_tokens()
        .issue(&identity, now, app.random().bytes())?;
    Ok(Tokens {
        access: Some(access),
        refresh,
        session,
    })
}

/// The session of a token, if the token came with the signature of the device that the session is bound to.
async fn prove(
    app: &App,
    hash: Digest,
    proof: Option<&Signature>,
) -> Result<SessionId, RefreshFailure> {
    let mut reading = app.store().read().await?;
    let token = reading
        .refresh_token(hash)
        .await?
        .ok_or(RefreshFailure::Over)?;
    let session = reading
        .session(token.session)
        .await?
        .ok_or(RefreshFailure::Over)?;
    if let Some(device) = session.device {
        let device = reading
            .device(device)
            .await?
            .ok_or(RefreshFailure::Unproven)?;
        let proof = proof.ok_or(RefreshFailure::Unproven)?;
        let verified = device
            .key
            .verify(REFRESH_CONTEXT, app.deployment(), hash, proof);
        verified.map_err(|_| RefreshFailure::Unproven)?;
        // Whose device was taken out of use is told what to do: logging in again would not help him.
        if device.ended_at.is_some() {
            return Err(RefreshFailure::Device);
        }
    }
    Ok(session.session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_core::id::UserId;

    const NOW: Timestamp = Timestamp(1_000);
    const LATER: Timestamp = Timestamp(2_000);

    fn session() -> Session {
        Session {
            session: SessionId([1; 16]),
            user: UserId([2; 16]),
            device: None,
            started_at: Timestamp(0),
            expires_at: LATER,
            ended: None,
        }
    }

    #[test]
    fn tokens_are_judged_by_what_became_of_them() {
        let sealed = Digest([9; 32]);
        let unused = |expires_at| Some(Successor::Unused { sealed, expires_at });
        let cases = [
            (None, LATER, Verdict::Exchange),
            (None, NOW, Verdict::Over),
            (unused(LATER), LATER, Verdict::Repeat { sealed }),
            (unused(LATER), NOW, Verdict::Repeat { sealed }), // the reply was lost just before the token ran out
            (unused(NOW), LATER, Verdict::Over),
            (Some(Successor::Used), LATER, Verdict::Reused),
            (Some(Successor::Used), NOW, Verdict::Reused),
        ];
        for (successor, expires_at, verdict) in cases {
            let token = RefreshToken {
                session: session().session,
                expires_at,
                successor,
            };
            assert_eq!(judge(&token, &session(), NOW), verdict, "{token:?}");
            assert_eq!(
                judge(&token, &session(), LATER),
                Verdict::Over,
                "the session has expired"
            );
            let ended = Session {
                ended: Some((NOW, SessionEnd::LoggedOut)),
                ..session()
            };
            assert_eq!(
                judge(&token, &ended, NOW),
                Verdict::Over,
                "the session has ended"
            );
        }
    }

    #[test]
    fn a_token_reads_as_it_was_written_and_is_not_printed() {
        let secret = RefreshSecret::generate(&Random::seeded(1));
        assert_eq!(RefreshSecret::parse(&secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "<secret>");
        for bad in [
            "",
            "zhr_",
            "zhr_AAAA",
            secret.reveal().trim_start_matches("zhr_"),
        ] {
            assert_eq!(RefreshSecret::parse(bad), None);
        }
    }

    #[test]
    fn a_sealed_successor_opens_with_its_predecessor_alone() {
        let random = Random::seeded(2);
        let [first, second, other] = [(); 3].map(|()| RefreshSecret::generate(&random));
        let sealed = first.seal(&second);
        assert_eq!(first.open(sealed), second);
        assert_ne!(other.open(sealed), second);
        assert_ne!(sealed.0, second.0);
    }
}
