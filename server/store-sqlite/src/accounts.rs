//! Accounts, devices, sessions, tokens and codes.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use store::StoreError;
use store::accounts::{
    Account, Added, CodePurpose, Device, NewCode, NewRefreshToken, PasswordHash, ReadAccounts,
    Redeemed, RefreshToken, Session, SessionEnd, Successor, UserName, WriteAccounts,
};
use store::personal::Personal;
use sync_core::id::{DeviceId, Digest, SessionId, Timestamp, UserId};
use sync_core::sign::PublicKey;

use crate::SqliteUnit;
use crate::row::{id, optional_id, optional_instant};

struct AccountRow {
    user_id: Vec<u8>,
    user_name: String,
    display_name: String,
    password_hash: Option<String>,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            user: id(&row.user_id)?,
            user_name: row
                .user_name
                .parse()
                .map_err(|_| StoreError::Impossible("a user name that is none"))?,
            display_name: Personal(row.display_name),
            password: row.password_hash.map(PasswordHash),
            created_at: Timestamp(row.created_at),
            disabled_at: optional_instant(row.disabled_at),
        })
    }
}

struct SessionRow {
    session_id: Vec<u8>,
    user_id: Vec<u8>,
    device_id: Option<Vec<u8>>,
    started_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    ended_why: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let why = |name: String| {
            let known = SessionEnd::ALL.into_iter().find(|why| why.name() == name);
            known.ok_or(StoreError::Impossible(
                "a session that ended for no known reason",
            ))
        };
        Ok(Self {
            session: id(&row.session_id)?,
            user: id(&row.user_id)?,
            device: optional_id(row.device_id.as_ref())?,
            started_at: Timestamp(row.started_at),
            expires_at: Timestamp(row.expires_at),
            ended: optional_instant(row.ended_at).zip(row.ended_why.map(why).transpose()?),
        })
    }
}

/// A session, ended or not.
pub(crate) async fn session(
    connection: &mut SqliteConnection,
    judge: impl FnOnce(sqlx::Error) -> StoreError,
    id: SessionId,
) -> Result<Option<Session>, StoreError> {
    let id = &id.0[..];
    let row = sqlx::query_as!(
        SessionRow,
        "SELECT session_id, user_id, device_id, started_at, expires_at, ended_at, ended_why
         FROM session WHERE session_id = $1",
        id
    )
    .fetch_optional(connection)
    .await;
    row.map_err(judge)?.map(Session::try_from).transpose()
}

#[async_trait]
impl ReadAccounts for SqliteUnit {
    async fn has_accounts(&mut self) -> Result<bool, StoreError> {
        let found =
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM account) AS "found!: bool""#)
                .fetch_one(&mut *self.transaction)
                .await;
        found.map_err(|error| self.course.judge(error))
    }

    async fn account(&mut self, user: UserId) -> Result<Option<Account>, StoreError> {
        let user = &user.0[..];
        let row = sqlx::query_as!(
            AccountRow,
            "SELECT user_id, user_name, display_name, password_hash, created_at, disabled_at
             FROM account WHERE user_id = $1",
            user
        )
        .fetch_optional(&mut *self.transaction)
        .await;
        row.map_err(|error| self.course.judge(error))?
            .map(Account::try_from)
            .transpose()
    }

    async fn account_named(&mut self, name: &UserName) -> Result<Option<Account>, StoreError> {
        let name = name.as_str();
        let row = sqlx::query_as!(
            AccountRow,
            "SELECT user_id, user_name, display_name, password_hash, created_at, disabled_at
             FROM account WHERE user_name = $1",
            name
        )
        .fetch_optional(&mut *self.transaction)
        .await;
        row.map_err(|error| self.course.judge(error))?
            .map(Account::try_from)
            .transpose()
    }

    async fn device(&mut self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        let key = &device.0[..];
        let row = sqlx::query!(
            "SELECT user_id, key_algorithm, public_key, enrolled_at, ended_at FROM device WHERE device_id = $1",
            key
        )
        .fetch_optional(&mut *self.transaction)
        .await;
        let Some(row) = row.map_err(|error| self.course.judge(error))? else {
            return Ok(None);
        };
        let algorithm = u8::try_from(row.key_algorithm);
        let algorithm = algorithm.map_err(|_| StoreError::Impossible("a key of no algorithm"))?;
        Ok(Some(Device {
            device,
            user: id(&row.user_id)?,
            key: PublicKey {
                algorithm,
                bytes: row.public_key,
            },
            enrolled_at: Timestamp(row.enrolled_at),
            ended_at: optional_instant(row.ended_at),
        }))
    }

    async fn session(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
        session(&mut self.transaction, |error| self.course.judge(error), id).await
    }

    async fn sessions_of(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let user = &user.0[..];
        let rows = sqlx::query_as!(
            SessionRow,
            "SELECT session_id, user_id, device_id, started_at, expires_at, ended_at, ended_why
             FROM session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
             ORDER BY started_at DESC, session_id",
            user,
            now.0
        )
        .fetch_all(&mut *self.transaction)
        .await;
        rows.map_err(|error| self.course.judge(error))?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }

    async fn refresh_token(&mut self, hash: Digest) -> Result<Option<RefreshToken>, StoreError> {
        let hash = &hash.0[..];
        let row = sqlx::query!(
            r#"SELECT token.session_id, token.expires_at, token.successor_hash,
                      token.successor_sealed, successor.expires_at AS "successor_expires_at?"
               FROM refresh_token AS token
               LEFT JOIN refresh_token AS successor ON successor.token_hash = token.successor_hash
               WHERE token.token_hash = $1"#,
            hash
        )
        .fetch_optional(&mut *self.transaction)
        .await;
        let Some(row) = row.map_err(|error| self.course.judge(error))? else {
            return Ok(None);
        };
        let successor = match (
            row.successor_hash,
            row.successor_sealed,
            row.successor_expires_at,
        ) {
            (None, None, None) => None,
            (Some(_), None, Some(_)) => Some(Successor::Used),
            (Some(_), Some(sealed), Some(expires_at)) => Some(Successor::Unused {
                sealed: id(&sealed)?,
                expires_at: Timestamp(expires_at),
            }),
            _ => {
                return Err(StoreError::Impossible(
                    "a refresh token with half a successor",
                ));
            }
        };
        Ok(Some(RefreshToken {
            session: id(&row.session_id)?,
            expires_at: Timestamp(row.expires_at),
            successor,
        }))
    }
}

#[async_trait]
impl WriteAccounts for SqliteUnit {
    async fn add_account(&mut self, account: &Account) -> Result<Added, StoreError> {
        let (user, name, display_name) = (
            &account.user.0[..],
            account.user_name.as_str(),
            &account.display_name.0,
        );
        let password = account.password.as_ref().map(|password| &password.0);
        let disabled_at = account.disabled_at.map(|at| at.0);
        let added = sqlx::query!(
            "INSERT INTO account (user_id, user_name, display_name, password_hash, created_at, disabled_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_name) DO NOTHING",
            user,
            name,
            display_name,
            password,
            account.created_at.0,
            disabled_at
        )
        .execute(&mut *self.transaction)
        .await;
        let added = added.map_err(|error| self.course.judge(error))?;
        Ok(if added.rows_affected() == 1 {
            Added::Done
        } else {
            Added::NameTaken
        })
    }

    async fn set_password(
        &mut self,
        user: UserId,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        let (user, password) = (&user.0[..], &password.0);
        let set = sqlx::query!(
            "UPDATE account SET password_hash = $2 WHERE user_id = $1",
            user,
            password
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(set)
    }

    async fn disable_account(&mut self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        let key = &user.0[..];
        let disabled = sqlx::query!(
            "UPDATE account SET disabled_at = coalesce(disabled_at, $2) WHERE user_id = $1",
            key,
            now.0
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(disabled)?;
        self.end_sessions_of(user, None, SessionEnd::AccountDisabled, now)
            .await
    }

    async fn add_device(&mut self, device: &Device) -> Result<(), StoreError> {
        let (key, user) = (&device.device.0[..], &device.user.0[..]);
        let ended_at = device.ended_at.map(|at| at.0);
        let added = sqlx::query!(
            "INSERT INTO device (device_id, user_id, key_algorithm, public_key, enrolled_at, ended_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            key,
            user,
            device.key.algorithm,
            device.key.bytes,
            device.enrolled_at.0,
            ended_at
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(added)
    }

    async fn end_device(&mut self, device: DeviceId, now: Timestamp) -> Result<(), StoreError> {
        let device = &device.0[..];
        let ended = sqlx::query!(
            "UPDATE device SET ended_at = coalesce(ended_at, $2) WHERE device_id = $1",
            device,
            now.0
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(ended)?;
        let why = SessionEnd::DeviceEnded.name();
        let ended = sqlx::query!(
            "UPDATE session SET ended_at = $2, ended_why = $3 WHERE device_id = $1 AND ended_at IS NULL",
            device,
            now.0,
            why
        )
        .execute(&mut *self.transaction)
        .await;
        ended.map(drop).map_err(|error| self.course.judge(error))
    }

    async fn add_session(
        &mut self,
        session: &Session,
        token: &NewRefreshToken,
    ) -> Result<(), StoreError> {
        let (key, user) = (&session.session.0[..], &session.user.0[..]);
        let device = session.device.as_ref().map(|device| &device.0[..]);
        let (ended_at, ended_why) = session.ended.map(|(at, why)| (at.0, why.name())).unzip();
        let added = sqlx::query!(
            "INSERT INTO session (session_id, user_id, device_id, started_at, expires_at, ended_at, ended_why)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            key,
            user,
            device,
            session.started_at.0,
            session.expires_at.0,
            ended_at,
            ended_why
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(added)?;
        let hash = &token.hash.0[..];
        let added = sqlx::query!(
            "INSERT INTO refresh_token (token_hash, session_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
            hash,
            key,
            token.issued_at.0,
            token.expires_at.0
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(added)
    }

    async fn exchange(
        &mut self,
        used: Digest,
        successor: &NewRefreshToken,
        sealed: Digest,
    ) -> Result<(), StoreError> {
        let (used, hash, sealed) = (&used.0[..], &successor.hash.0[..], &sealed.0[..]);
        let exchanged = sqlx::query!(
            "UPDATE refresh_token SET successor_hash = $2, successor_sealed = $3
             WHERE token_hash = $1 AND successor_hash IS NULL",
            used,
            hash,
            sealed
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(exchanged)?;
        let added = sqlx::query!(
            "INSERT INTO refresh_token (token_hash, session_id, issued_at, expires_at)
             SELECT $2, session_id, $3, $4 FROM refresh_token WHERE token_hash = $1",
            used,
            hash,
            successor.issued_at.0,
            successor.expires_at.0
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(added)?;
        let unsealed = sqlx::query!(
            "UPDATE refresh_token SET successor_sealed = NULL WHERE successor_hash = $1",
            used
        )
        .execute(&mut *self.transaction)
        .await;
        unsealed.map(drop).map_err(|error| self.course.judge(error))
    }

    async fn end_session(
        &mut self,
        session: SessionId,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (session, why) = (&session.0[..], why.name());
        let ended = sqlx::query!(
            "UPDATE session SET ended_at = $2, ended_why = $3 WHERE session_id = $1 AND ended_at IS NULL",
            session,
            now.0,
            why
        )
        .execute(&mut *self.transaction)
        .await;
        Ok(ended
            .map_err(|error| self.course.judge(error))?
            .rows_affected()
            == 1)
    }

    async fn end_sessions_of(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (user, why) = (&user.0[..], why.name());
        let except = except.as_ref().map(|session| &session.0[..]);
        let ended = sqlx::query!(
            "UPDATE session SET ended_at = $2, ended_why = $3
             WHERE user_id = $1 AND ended_at IS NULL AND session_id IS DISTINCT FROM $4",
            user,
            now.0,
            why,
            except
        )
        .execute(&mut *self.transaction)
        .await;
        ended.map(drop).map_err(|error| self.course.judge(error))
    }

    async fn add_code(&mut self, code: &NewCode) -> Result<(), StoreError> {
        let (hash, purpose) = (&code.hash.0[..], code.purpose.name());
        let user = code.user.as_ref().map(|user| &user.0[..]);
        let replaced = sqlx::query!(
            "DELETE FROM code WHERE purpose = $1 AND user_id IS NOT DISTINCT FROM $2",
            purpose,
            user
        )
        .execute(&mut *self.transaction)
        .await;
        replaced.map_err(|error| self.course.judge(error))?;
        let added = sqlx::query!(
            "INSERT INTO code (code_hash, purpose, user_id, issued_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
            hash,
            purpose,
            user,
            code.issued_at.0,
            code.expires_at.0
        )
        .execute(&mut *self.transaction)
        .await;
        self.one_row(added)
    }

    async fn redeem_code(
        &mut self,
        hash: Digest,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<Redeemed>, StoreError> {
        let (hash, purpose) = (&hash.0[..], purpose.name());
        let row = sqlx::query!(
            "DELETE FROM code WHERE code_hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id",
            hash,
            purpose,
            now.0
        )
        .fetch_optional(&mut *self.transaction)
        .await;
        let Some(row) = row.map_err(|error| self.course.judge(error))? else {
            return Ok(None);
        };
        let user = optional_id(row.user_id.as_ref());
        let user = user.map_err(|error| self.course.fail(error))?;
        Ok(Some(Redeemed { user }))
    }

    async fn forget_ended_before(&mut self, instant: Timestamp) -> Result<(), StoreError> {
        let forgotten = sqlx::query!(
            "DELETE FROM session WHERE expires_at < $1 OR ended_at < $1",
            instant.0
        )
        .execute(&mut *self.transaction)
        .await;
        forgotten.map_err(|error| self.course.judge(error))?;
        let forgotten = sqlx::query!("DELETE FROM code WHERE expires_at < $1", instant.0)
            .execute(&mut *self.transaction)
            .await;
        forgotten
            .map(drop)
            .map_err(|error| self.course.judge(error))
    }
}

impl SqliteUnit {
    /// Fails unless exactly one row was written.
    fn one_row(
        &self,
        written: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>,
    ) -> Result<(), StoreError> {
        match written {
            Ok(written) if written.rows_affected() == 1 => Ok(()),
            Ok(_) => Err(self.course.judge(sqlx::Error::RowNotFound)),
            Err(error) => Err(self.course.judge(error)),
        }
    }
}
