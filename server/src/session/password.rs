//! Changing a password: with the present one, or with a code from an administrator.

use std::net::IpAddr;

use secrecy::SecretString;
use store::StoreError;
use store::accounts::{CodePurpose, SessionEnd};
use sync_core::sync::enrol::OneTimeCode;

use crate::context::{App, Caller};
use crate::session::passwords::{self, HashFailure, Weak};
use crate::session::throttle::Wait;

/// Why the password stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFailure {
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled(Wait),
    /// The present password is another one.
    #[error("the present password is another one")]
    Wrong,
    /// The code is not good, or no longer.
    #[error("the code is not good")]
    Code,
    /// The new one is too easy to guess.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[from] HashFailure),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Changes the caller's password, and ends all sessions but this one.
pub async fn change(
    app: &App,
    from: IpAddr,
    caller: &Caller,
    present: SecretString,
    new: SecretString,
) -> Result<(), PasswordFailure> {
    let account = app.store().read().await?.account(caller.user()).await?;
    let account = account.ok_or(PasswordFailure::Wrong)?;
    app.throttle()
        .attempt(account.user_name.as_str(), from)
        .map_err(PasswordFailure::Throttled)?;
    if !app
        .passwords()
        .verify(present, account.password.clone())
        .await?
    {
        return Err(PasswordFailure::Wrong);
    }
    passwords::check_strength(&new, &[account.user_name.as_str(), &account.display_name.0])?;
    let hash = app.passwords().hash(new, app.random().bytes()).await?;

    let mut unit = app.store().begin().await?;
    if unit.account(account.user).await?.as_ref() != Some(&account) {
        return Err(PasswordFailure::Wrong);
    }
    unit.set_password(account.user, &hash).await?;
    let now = app.clock().now();
    unit.end_sessions_of(
        account.user,
        Some(caller.session()),
        SessionEnd::PasswordChanged,
        now,
    )
    .await?;
    unit.commit().await?;
    tracing::info!(user.id = %account.user, "password.changed");
    Ok(())
}

/// Sets the password of the person whom the code is for, and ends all their sessions.
pub async fn set_with_code(
    app: &App,
    from: IpAddr,
    code: Option<OneTimeCode>,
    new: SecretString,
) -> Result<(), PasswordFailure> {
    app.throttle()
        .attempt_from(from)
        .map_err(PasswordFailure::Throttled)?;
    let code = code.ok_or(PasswordFailure::Code)?;
    passwords::check_strength(&new, &[])?;
    let hash = app
        .passwords()
        .hash(new.clone(), app.random().bytes())
        .await?;

    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let redeemed = unit
        .redeem_code(code.digest(), CodePurpose::SetPassword, now)
        .await?;
    let user = redeemed
        .and_then(|redeemed| redeemed.user)
        .ok_or(PasswordFailure::Code)?;
    let account = unit
        .account(user)
        .await?
        .filter(|account| account.disabled_at.is_none());
    let account = account.ok_or(PasswordFailure::Code)?;
    // Only now it is known whose it is. If it is weak after all, the unit is dropped and the code stays good.
    passwords::check_strength(&new, &[account.user_name.as_str(), &account.display_name.0])?;
    unit.set_password(user, &hash).await?;
    unit.end_sessions_of(user, None, SessionEnd::PasswordChanged, now)
        .await?;
    unit.commit().await?;
    tracing::info!(user.id = %user, "password.set");
    Ok(())
}
