//! The first start: nobody can log in, and there is no default password.
//!
//! The server prints a one-time code. Whoever has it makes three accounts for three people, because nobody may hold two of the
//! three offices: the system administrator sets a password at once, the security and the audit administrator get codes.

use std::net::IpAddr;

use secrecy::SecretString;
use store::accounts::{Account, Added, CodePurpose, InvalidUserName, PasswordHash, UserName};
use store::personal::Personal;
use store::{StoreError, Unit};
use sync_core::id::{AreaId, AssignmentId, UserId};
use sync_core::registry::RegistryAct;
use sync_core::sync::enrol::OneTimeCode;

use crate::context::App;
use crate::session::codes;
use crate::session::passwords::{self, HashFailure, Weak};
use crate::session::throttle::Wait;

/// The three offices (三员) of which nobody may hold two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Office {
    /// 系统管理员: devices, backup, accounts.
    System,
    /// 安全管理员: grants and keys.
    Security,
    /// 审计管理员: the audit log.
    Audit,
}

impl Office {
    /// The role that goes with it.
    pub const fn role(self) -> &'static str {
        match self {
            Self::System => "SYS",
            Self::Security => "SEC",
            Self::Audit => "AUD",
        }
    }
}

/// The longest display name.
pub const DISPLAY_NAME_CHARS_MAX: usize = 64;

/// A person who gets an account.
#[derive(Debug)]
pub struct Person {
    /// What the person logs in with.
    pub user_name: UserName,
    /// What others call the person.
    pub display_name: Personal<String>,
}

/// What is wrong with the names of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPerson {
    /// It is not a user name.
    #[error(transparent)]
    UserName(#[from] InvalidUserName),
    /// The display name is empty or too long.
    #[error("not a display name: expected 1 to {DISPLAY_NAME_CHARS_MAX} characters")]
    DisplayName,
}

impl Person {
    /// The person with these names.
    pub fn named(user_name: &str, display_name: &str) -> Result<Self, InvalidPerson> {
        let user_name = user_name.parse()?;
        let display_name = display_name.trim();
        if !(1..=DISPLAY_NAME_CHARS_MAX).contains(&display_name.chars().count()) {
            return Err(InvalidPerson::DisplayName);
        }
        Ok(Self {
            user_name,
            display_name: Personal(display_name.to_owned()),
        })
    }
}

/// What the founding takes.
#[derive(Debug)]
pub struct Founding {
    /// The code that the first start printed.
    pub code: Option<OneTimeCode>,
    /// The system administrator, who does this,
    pub system: Person,
    /// with a password.
    pub password: SecretString,
    /// The security administrator.
    pub security: Person,
    /// The audit administrator.
    pub audit: Person,
}

/// An account that the founding made.
#[derive(Debug)]
pub struct Founder {
    /// The office.
    pub office: Office,
    /// The person.
    pub user: UserId,
    /// With this the person sets a password; the system administrator has one.
    pub code: Option<OneTimeCode>,
}

/// Why nothing was founded.
#[derive(Debug, thiserror::Error)]
pub enum FoundingFailure {
    /// Too many attempts.
    #[error("too many attempts")]
    Throttled(Wait),
    /// The code is not good, or no longer.
    #[error("the code is not good")]
    Code,
    /// It has been done, at the command line perhaps.
    #[error("the first administrators have been made already")]
    Done,
    /// Two people have one user name.
    #[error("two people have one user name")]
    NameTaken,
    /// The password is too easy to guess.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// The password could not be hashed.
    #[error("the password could not be hashed")]
    Hash(#[from] HashFailure),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Issues the code for the founding, unless that is done. The one before is good no longer.
pub async fn issue_code(app: &App) -> Result<Option<OneTimeCode>, StoreError> {
    if app.store().read().await?.has_accounts().await? {
        return Ok(None);
    }
    let code = codes::generate(app.random());
    let mut unit = app.store().begin().await?;
    unit.add_code(&codes::issued(
        &code,
        CodePurpose::FirstAdmin,
        None,
        app.clock().now(),
    ))
    .await?;
    unit.commit().await?;
    Ok(Some(code))
}

/// Makes the first three accounts.
pub async fn found(
    app: &App,
    from: IpAddr,
    founding: Founding,
) -> Result<[Founder; 3], FoundingFailure> {
    app.throttle()
        .attempt_from(from)
        .map_err(FoundingFailure::Throttled)?;
    let code = founding.code.ok_or(FoundingFailure::Code)?;
    let known = [
        founding.system.user_name.as_str(),
        &founding.system.display_name.0,
    ];
    passwords::check_strength(&founding.password, &known)?;
    let password = app
        .passwords()
        .hash(founding.password, app.random().bytes())
        .await?;

    let now = app.clock().now();
    let mut unit = app.store().begin().await?;
    let redeemed = unit
        .redeem_code(code.digest(), CodePurpose::FirstAdmin, now)
        .await?;
    redeemed.ok_or(FoundingFailure::Code)?;
    if unit.has_accounts().await? {
        return Err(FoundingFailure::Done);
    }
    let people = [founding.system, founding.security, founding.audit];
    let founders = enter_founders(app, &mut *unit, people, Some(password)).await?;
    unit.commit().await?;
    tracing::info!("deployment.founded");
    Ok(founders)
}

/// Makes the first three accounts at the command line, which whoever holds the data folder may do: all three get codes.
pub async fn found_as_operator(
    app: &App,
    people: [Person; 3],
) -> Result<[Founder; 3], FoundingFailure> {
    let mut unit = app.store().begin().await?;
    if unit.has_accounts().await? {
        return Err(FoundingFailure::Done);
    }
    let founders = enter_founders(app, &mut *unit, people, None).await?;
    unit.commit().await?;
    tracing::info!("deployment.founded");
    Ok(founders)
}

/// Writes the three accounts, for the system, security and audit administrators, and the first registry acts.
async fn enter_founders(
    app: &App,
    unit: &mut dyn Unit,
    [system, security, audit]: [Person; 3],
    password: Option<PasswordHash>,
) -> Result<[Founder; 3], FoundingFailure> {
    let now = app.clock().now();
    let mut found = async |office, person: Person, password: Option<PasswordHash>| {
        let user = UserId(app.random().bytes());
        let code = password.is_none().then(|| codes::generate(app.random()));
        let Person {
            user_name,
            display_name,
        } = person;
        let account = Account {
            user,
            user_name,
            display_name,
            password,
            created_at: now,
            disabled_at: None,
        };
        if unit.add_account(&account).await? == Added::NameTaken {
            return Err(FoundingFailure::NameTaken);
        }
        if let Some(code) = &code {
            unit.add_code(&codes::issued(
                code,
                CodePurpose::SetPassword,
                Some(user),
                now,
            ))
            .await?;
        }
        Ok(Founder { office, user, code })
    };
    let founders = [
        found(Office::System, system, password).await?,
        found(Office::Security, security, None).await?,
        found(Office::Audit, audit, None).await?,
    ];
    app.registrar()
        .enter(unit, &founding_acts(app, &founders)?, None, now)
        .await?;
    Ok(founders)
}

/// What the registry says first: the keys, the catalogue, and who holds the three offices.
fn founding_acts(app: &App, founders: &[Founder]) -> Result<Vec<RegistryAct>, FoundingFailure> {
    let deployment = app.deployment();
    let sealing = app
        .opening()
        .public()
        .map_err(|_| StoreError::Impossible("a sealing key that is none"))?;
    let today = app.clock().now().date();
    let mut acts = vec![RegistryAct::Found {
        operator: app.registrar().operator().public(),
        log: app.log_key().public(),
        sealing: sealing.to_bytes().into(),
        name: "Zhucun 驻村".to_owned(),
    }];
    acts.extend(app.catalogues().iter().map(|(version, catalogue)| {
        RegistryAct::PublishCatalogue {
            version: *version,
            digest: catalogue.digest(),
            from: catalogue.issued(),
        }
    }));
    for founder in founders {
        let role = founder.office.role();
        let name = app
            .catalogue()
            .role(role)
            .map_or(role, |role| role.label.zh.as_str());
        acts.push(RegistryAct::SetUser {
            user: founder.user,
            name: name.to_owned(),
            active: true,
        });
        acts.push(RegistryAct::Assign {
            assignment: AssignmentId(app.random().bytes()),
            user: founder.user,
            role: role.to_owned(),
            // The deployment as a whole: no area is there yet, and these offices see none.
            area: AreaId(deployment.0),
            from: today,
            to: None,
            sent_by: None,
        });
    }
    Ok(acts)
}
