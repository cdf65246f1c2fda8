//! Who may sign in, from which device, and for how long.
//!
//! Roles are not here: they are assignments in the registry, read when something is judged. Secrets are not here either, only
//! what recognises them: a password's Argon2id hash, the SHA-256 of tokens and codes (which are random, so need no salt).

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use sync_core::id::{DeviceId, Digest, SessionId, Timestamp, UserId};
use sync_core::sign::PublicKey;

use crate::StoreError;
use crate::personal::Personal;

/// The name that a person signs in with: 2 to 64 letters, digits and `. _ - @`, compared without regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName(String);

/// The text is not a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a user name: expected 2 to 64 letters, digits and . _ - @")]
pub struct InvalidUserName;

impl UserName {
    /// Letters and digits of the longest user name.
    pub const CHARS_MAX: usize = 64;

    /// The name as it is compared: in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = InvalidUserName;

    fn from_str(text: &str) -> Result<Self, InvalidUserName> {
        let name = text.trim().to_lowercase();
        let length = name.chars().take(Self::CHARS_MAX + 1).count();
        let plain = name
            .chars()
            .all(|c| c.is_alphanumeric() || "._-@".contains(c));
        if plain && (2..=Self::CHARS_MAX).contains(&length) {
            Ok(Self(name))
        } else {
            Err(InvalidUserName)
        }
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<personal>")
    }
}

/// A password's Argon2id hash as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: UserId,
    /// What the person signs in with.
    pub user_name: UserName,
    /// What others call the person.
    pub display_name: Personal<String>,
    /// Recognises the password; none until the person has set one.
    pub password: Option<PasswordHash>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Timestamp>,
}

/// A device that a person enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device: derived from its key.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// What verifies its signatures.
    pub key: PublicKey,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was suspended or revoked, if it was.
    pub ended_at: Option<Timestamp>,
}

/// From a log-in to its end. It remembers no activity: how often or when a person was online is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The device whose key it is bound to; none for a browser.
    pub device: Option<DeviceId>,
    /// When the person logged in.
    pub started_at: Timestamp,
    /// When the person must log in again in any case.
    pub expires_at: Timestamp,
    /// When and why it ended before that, if it did.
    pub ended: Option<(Timestamp, SessionEnd)>,
}

impl Session {
    /// Whether the session goes on at this instant.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its person logged out.
    LoggedOut,
    /// Its person ended it from another session.
    EndedByPerson,
    /// The password was changed elsewhere.
    PasswordChanged,
    /// A refresh token came back after its successor was used: two parties hold it.
    TokenReused,
    /// The device was suspended or revoked.
    DeviceEnded,
    /// The account was disabled.
    AccountDisabled,
}

impl SessionEnd {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::LoggedOut,
        Self::EndedByPerson,
        Self::PasswordChanged,
        Self::TokenReused,
        Self::DeviceEnded,
        Self::AccountDisabled,
    ];

    /// How it is stored; never renamed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::EndedByPerson => "ended_by_person",
            Self::PasswordChanged => "password_changed",
            Self::TokenReused => "token_reused",
            Self::DeviceEnded => "device_ended",
            Self::AccountDisabled => "account_disabled",
        }
    }
}

/// A refresh token as it is issued: known by its hash alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// SHA-256 of the token.
    pub hash: Digest,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

/// A refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it continues.
    pub session: SessionId,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
    /// What it was exchanged for, once it was.
    pub successor: Option<Successor>,
}

/// What a refresh token was exchanged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Nobody has used it yet: the reply may have been lost, so it can be given again.
    Unused {
        /// The successor, readable with the token that it succeeds and with nothing else.
        sealed: Digest,
        /// When the successor can no longer be used.
        expires_at: Timestamp,
    },
    /// It was used, so its holder had received it.
    Used,
}

/// What a one-time code is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePurpose {
    /// To make the first administrators of a new deployment.
    FirstAdmin,
    /// To enrol a device of a person.
    EnrolDevice,
    /// To set a person's password.
    SetPassword,
}

impl CodePurpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::FirstAdmin, Self::EnrolDevice, Self::SetPassword];

    /// How it is stored; never renamed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstAdmin => "first_admin",
            Self::EnrolDevice => "enrol_device",
            Self::SetPassword => "set_password",
        }
    }
}

/// A one-time code, known by its hash alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCode {
    /// SHA-256 of the code.
    pub hash: Digest,
    /// What it is good for.
    pub purpose: CodePurpose,
    /// Whom it is for; nobody in particular for the first administrator.
    pub user: Option<UserId>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

/// Whether an account could be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was.
    Done,
    /// Someone else has the user name; nothing was written.
    NameTaken,
}

/// Reads accounts.
#[async_trait]
pub trait ReadAccounts: Send {
    /// Whether there is any account: a new deployment has none.
    async fn has_accounts(&mut self) -> Result<bool, StoreError>;

    /// The account of a person.
    async fn account(&mut self, user: UserId) -> Result<Option<Account>, StoreError>;

    /// The account with a user name.
    async fn account_named(&mut self, name: &UserName) -> Result<Option<Account>, StoreError>;

    /// A device.
    async fn device(&mut self, device: DeviceId) -> Result<Option<Device>, StoreError>;

    /// A session, ended or not.
    async fn session(&mut self, session: SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of a person that go on, the latest first.
    async fn sessions_of(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError>;

    /// The refresh token with this hash.
    async fn refresh_token(&mut self, hash: Digest) -> Result<Option<RefreshToken>, StoreError>;
}

/// Writes accounts.
#[async_trait]
pub trait WriteAccounts: ReadAccounts {
    /// Adds an account, unless its user name is taken.
    async fn add_account(&mut self, account: &Account) -> Result<Added, StoreError>;

    /// Sets the password of an account.
    async fn set_password(
        &mut self,
        user: UserId,
        password: &PasswordHash,
    ) -> Result<(), StoreError>;

    /// Disables an account and ends its sessions. Repeating it changes nothing.
    async fn disable_account(&mut self, user: UserId, now: Timestamp) -> Result<(), StoreError>;

    /// Adds a device.
    async fn add_device(&mut self, device: &Device) -> Result<(), StoreError>;

    /// Ends a device and its sessions. Repeating it changes nothing.
    async fn end_device(&mut self, device: DeviceId, now: Timestamp) -> Result<(), StoreError>;

    /// Adds a session together with its first refresh token.
    async fn add_session(
        &mut self,
        session: &Session,
        token: &NewRefreshToken,
    ) -> Result<(), StoreError>;

    /// Exchanges a refresh token for its successor, which is kept `sealed` until it is used itself.
    async fn exchange(
        &mut self,
        used: Digest,
        successor: &NewRefreshToken,
        sealed: Digest,
    ) -> Result<(), StoreError>;

    /// Ends a session; says whether it was not ended before.
    async fn end_session(
        &mut self,
        session: SessionId,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends all sessions of a person but one.
    async fn end_sessions_of(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Adds a one-time code. Earlier ones for the same purpose and person are good no longer.
    async fn add_code(&mut self, code: &NewCode) -> Result<(), StoreError>;

    /// Uses up a code, and says whom it is for; `None` if it is unknown, used up, past its time or for something else.
    async fn redeem_code(
        &mut self,
        hash: Digest,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Redeemed>, StoreError>;

    /// Forgets sessions (with their tokens) and codes that ended or ran out before an instant.
    async fn forget_ended_before(&mut self, instant: Timestamp) -> Result<(), StoreError>;
}

/// A code that was good, and is now used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redeemed {
    /// Whom it was for.
    pub user: Option<UserId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_compared_without_case_or_margin_and_never_printed() {
        let name: UserName = "  Ma.Xiulan@县 ".parse().unwrap();
        assert_eq!(name.as_str(), "ma.xiulan@县");
        assert_eq!(format!("{name:?}"), "<personal>");
    }

    #[test]
    fn user_names_have_2_to_64_plain_characters() {
        for good in ["马秀兰", "ab", &"县".repeat(64)] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a b",
            "a\nb",
            "<b>",
            "a\u{202e}b",
            &"县".repeat(65),
        ] {
            assert_eq!(bad.parse::<UserName>(), Err(InvalidUserName), "{bad}");
        }
    }
}
