//! Accounts: made, listed, disabled; codes with which people set a password or enrol a device.

use store::accounts::{Account, Added, CodePurpose, UserName};
use store::personal::Personal;
use store::{StoreError, Unit};
use sync_core::catalog::Capability;
use sync_core::id::{Timestamp, UserId};
use sync_core::registry::RegistryAct;
use sync_core::sync::enrol::OneTimeCode;

use crate::admin::PAGE_ROWS;
use crate::admin::mandate::{Mandate, Word};
use crate::context::App;
use crate::session::codes;
use crate::session::founding::Person;

/// A person of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUser {
    /// The person.
    pub user: UserId,
    /// What the person logs in with.
    pub user_name: UserName,
    /// What others call the person.
    pub display_name: Personal<String>,
    /// Whether the account may act.
    pub active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// Which people a list shows.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// With this in the display name, or as the user name.
    pub text: Option<String>,
    /// After this person, in the order of ids.
    pub after: Option<UserId>,
}

/// A code that was issued, and how long it is good for.
#[derive(Debug)]
pub struct IssuedCode {
    /// The code.
    pub code: OneTimeCode,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

/// Why an account stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum UserFailure {
    /// The caller may not know of it.
    #[error("there is no such person")]
    Absent,
    /// Someone else has the user name.
    #[error("someone else has this user name")]
    NameTaken,
    /// Nobody closes the account that he works with.
    #[error("this is your own account")]
    Own,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Makes an account. The code sets its password, and is told here and never again.
pub async fn add(
    app: &App,
    word: Word<'_>,
    person: Person,
) -> Result<(UserId, IssuedCode), UserFailure> {
    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ManageAccounts]).await?;
    let mandate = mandate.ok_or(UserFailure::Absent)?;
    let user = UserId(app.random().bytes());
    let account = Account {
        user,
        user_name: person.user_name,
        display_name: person.display_name,
        password: None,
        created_at: now,
        disabled_at: None,
    };
    if unit.add_account(&account).await? == Added::NameTaken {
        return Err(UserFailure::NameTaken);
    }
    let code = issue(app, &mut *unit, user, CodePurpose::SetPassword).await?;
    let act = RegistryAct::SetUser {
        user,
        name: account.display_name.0,
        active: true,
    };
    app.registrar()
        .enter(&mut *unit, &[act], mandate.by(), now)
        .await?;
    unit.commit().await?;
    tracing::info!(user.id = %user, "user.added");
    Ok((user, code))
}

/// Disables an account: its sessions end, and nothing that its devices send from now on counts. Repeating it changes nothing.
pub async fn disable(app: &App, word: Word<'_>, user: UserId) -> Result<(), UserFailure> {
    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ManageAccounts]).await?;
    let mandate = mandate
        .filter(|mandate| mandate.covers_user(user))
        .ok_or(UserFailure::Absent)?;
    if mandate.by() == Some(user) {
        return Err(UserFailure::Own);
    }
    let known = mandate.registry().users.get(&user);
    let known = known.ok_or(UserFailure::Absent)?;
    if !known.active {
        return Ok(());
    }
    let act = RegistryAct::SetUser {
        user,
        name: known.name.clone(),
        active: false,
    };
    unit.disable_account(user, now).await?;
    app.registrar()
        .enter(&mut *unit, &[act], mandate.by(), now)
        .await?;
    unit.commit().await?;
    tracing::info!(user.id = %user, "user.disabled");
    Ok(())
}

/// Issues a code with which a person sets a password or enrols a device. Earlier ones for the same are good no longer.
pub async fn issue_code(
    app: &App,
    word: Word<'_>,
    user: UserId,
    purpose: CodePurpose,
) -> Result<IssuedCode, UserFailure> {
    let capability = match purpose {
        CodePurpose::EnrolDevice => Capability::ManageDevices,
        CodePurpose::SetPassword | CodePurpose::FirstAdmin => Capability::ManageAccounts,
    };
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[capability]).await?;
    let active = mandate.is_some_and(|mandate| {
        let known = mandate.registry().users.get(&user);
        mandate.covers_user(user) && known.is_some_and(|user| user.active)
    });
    if !active {
        return Err(UserFailure::Absent);
    }
    let code = issue(app, &mut *unit, user, purpose).await?;
    unit.commit().await?;
    tracing::info!(user.id = %user, purpose = purpose.name(), "code.issued");
    Ok(code)
}

async fn issue(
    app: &App,
    unit: &mut dyn Unit,
    user: UserId,
    purpose: CodePurpose,
) -> Result<IssuedCode, StoreError> {
    let code = codes::generate(app.random());
    let issued = codes::issued(&code, purpose, Some(user), app.clock().now());
    unit.add_code(&issued).await?;
    Ok(IssuedCode {
        code,
        expires_at: issued.expires_at,
    })
}

/// Who may see accounts: those who manage them or grant to them, and those who watch both.
const READERS: [Capability; 4] = [
    Capability::ManageAccounts,
    Capability::ManageGrants,
    Capability::ManageDevices,
    Capability::ReadAuditLog,
];

/// A page of people in the order of their ids, and whether there are more.
pub async fn list(
    app: &App,
    word: Word<'_>,
    filter: &UserFilter,
) -> Result<(Vec<ListedUser>, bool), UserFailure> {
    let mut unit = app.store().read().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &READERS).await?;
    let mandate = mandate.ok_or(UserFailure::Absent)?;
    let text = filter.text.as_deref().unwrap_or_default();
    let exact = match text.parse::<UserName>() {
        Ok(name) => unit.account_named(&name).await?.map(|account| account.user),
        Err(_) => None,
    };
    let wanted = (mandate.registry().users.iter())
        .filter(|(user, _)| filter.after.is_none_or(|after| after < **user))
        .filter(|(user, known)| known.name.contains(text) || exact == Some(**user))
        .filter(|(user, _)| mandate.covers_user(**user));
    let mut listed = Vec::new();
    for (user, known) in wanted {
        if listed.len() == PAGE_ROWS {
            return Ok((listed, true));
        }
        let account = unit.account(*user).await?;
        let account = account.ok_or(StoreError::Impossible("a person without an account"))?;
        listed.push(ListedUser {
            user: *user,
            user_name: account.user_name,
            display_name: account.display_name,
            active: known.active,
            created_at: account.created_at,
        });
    }
    Ok((listed, false))
}
