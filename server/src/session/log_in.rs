//! Logging in: a session begins.

use std::net::IpAddr;

use secrecy::SecretString;
use store::StoreError;
use store::accounts::UserName;
use sync_core::id::DeviceId;

use crate::context::App;
use crate::session::access::Identity;
use crate::session::passwords::HashFailure;
use crate::session::throttle::Wait;
use crate::session::{self, Tokens};

/// What a person logs in with.
#[derive(Debug)]
pub struct Credentials {
    /// The name; none if what was given cannot be one, which takes as long as any other wrong name.
    pub user_name: Option<UserName>,
    /// The password.
    pub password: SecretString,
    /// The device to which the session is bound; none for a browser.
    pub device: Option<DeviceId>,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInFailure {
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled(Wait),
    /// There is no such account, or it is disabled, or the password is another one: nobody is told which.
    #[error("user name or password is wrong")]
    Wrong,
    /// The device is unknown, another person's, or ended.
    #[error("the device cannot be used")]
    Device,
    /// The password could not be checked.
    #[error("the password could not be checked")]
    Hash(#[from] HashFailure),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// No access token could be made.
    #[error("no access token could be made")]
    Access(#[from] jsonwebtoken::errors::Error),
}

/// Begins a session, if the credentials are right.
pub async fn log_in(
    app: &App,
    from: IpAddr,
    credentials: Credentials,
) -> Result<Tokens, LogInFailure> {
    let Credentials {
        user_name,
        password,
        device,
    } = credentials;
    let named = user_name.as_ref().map_or("", UserName::as_str);
    app.throttle()
        .attempt(named, from)
        .map_err(LogInFailure::Throttled)?;

    let found = match &user_name {
        Some(name) => app.store().read().await?.account_named(name).await?,
        None => None,
    };
    let usable = found.filter(|account| account.disabled_at.is_none());
    let expected = usable.as_ref().and_then(|account| account.password.clone());
    let right = app.passwords().verify(password, expected).await?;
    let Some(account) = usable.filter(|_| right) else {
        return Err(LogInFailure::Wrong);
    };

    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    // The hash took a while; whatever happened to the account meanwhile counts.
    if unit.account(account.user).await?.as_ref() != Some(&account) {
        return Err(LogInFailure::Wrong);
    }
    if let Some(device) = device {
        let known = unit.device(device).await?;
        let usable =
            known.is_some_and(|device| device.user == account.user && device.ended_at.is_none());
        usable.then_some(()).ok_or(LogInFailure::Device)?;
    }
    let identity = Identity {
        user: account.user,
        device,
        session: session::new_session_id(app.random()),
    };
    let settings = &app.config().sessions;
    let (session, refresh) = session::begin(settings, app.random(), identity, now);
    unit.add_session(
        &session,
        &session::issued(settings, &session, &refresh, now),
    )
    .await?;
    unit.commit().await?;
    tracing::info!(user.id = %account.user, session.id = %session.session, "session.started");

    let access = match device {
        Some(_) => None,
        None => Some(
            app.access_tokens()
                .issue(&identity, now, app.random().bytes())?,
        ),
    };
    Ok(Tokens {
        access,
        refresh,
        session,
    })
}
