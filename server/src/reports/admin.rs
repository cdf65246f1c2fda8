//! Opening and closing villages' pages, on the operator's word.

use store::StoreError;
use store::accounts::{Account, Added, Device};
use store::personal::Personal;
use sync_core::id::{AreaId, AssignmentId, Date, JournalId};
use sync_core::registry::{Purpose, Registry, RegistryAct, Standing};

use super::{ROLE, desk_user};
use crate::admin::assignments::{self, AssignmentFailure, NewAssignment};
use crate::admin::mandate::Word;
use crate::context::App;
use crate::session::founding::{InvalidPerson, Person};

/// The desk's account, with which nobody logs in: it has no password.
const USER_NAME: &str = "report-desk";

/// Why pages were not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// The catalogue in force knows no report desk.
    #[error("the catalogue has no role {ROLE}; publish one that has, as the shipped one does")]
    NoRole,
    /// Somebody has the desk's user name.
    #[error("somebody has the user name `{USER_NAME}`, which the desk needs")]
    NameTaken,
    /// The desk may not write any more.
    #[error(
        "the desk's device was suspended or revoked: stop the server, move keys/desk.key out of the way, and open the pages again; \
         then start the server, which has made another key"
    )]
    Ended,
    /// It cannot be assigned so.
    #[error(transparent)]
    Assignment(#[from] AssignmentFailure),
    /// The desk's account cannot be named as the catalogue calls it.
    #[error(transparent)]
    Person(#[from] InvalidPerson),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Opens the page of a village, or of all villages of a county, by its id or code. The first time the desk itself is enrolled.
pub async fn open(app: &App, area: &str) -> Result<AssignmentId, OpenFailure> {
    enrol(app).await?;
    let new = NewAssignment {
        user: desk_user(app.deployment()),
        role: ROLE.to_owned(),
        area: Some(area.to_owned()),
        from: None,
        to: None,
        sent_by: None,
    };
    Ok(assignments::give(app, Word::Operator, new).await?)
}

/// Enters the desk's account and device, unless they are there.
async fn enrol(app: &App) -> Result<(), OpenFailure> {
    let now = app.clock().now();
    let role = app.catalogue().role(ROLE).ok_or(OpenFailure::NoRole)?;
    let key = app.desk().key.public();
    let user = desk_user(app.deployment());
    let mut unit = app.store().begin().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    if let Some(known) = registered.registry.devices.get(&key.device()) {
        return match known.standing {
            Standing::Active => Ok(()),
            Standing::Suspended | Standing::Revoked => Err(OpenFailure::Ended),
        };
    }
    let mut acts = Vec::new();
    if unit.account(user).await?.is_none() {
        let person = Person::named(USER_NAME, &role.label.zh)?;
        let account = Account {
            user,
            user_name: person.user_name,
            display_name: person.display_name,
            password: None,
            created_at: now,
            disabled_at: None,
        };
        if unit.add_account(&account).await? == Added::NameTaken {
            return Err(OpenFailure::NameTaken);
        }
        let Personal(name) = account.display_name;
        acts.push(RegistryAct::SetUser {
            user,
            name,
            active: true,
        });
    }
    let device = Device {
        device: key.device(),
        user,
        key: key.clone(),
        enrolled_at: now,
        ended_at: None,
    };
    unit.add_device(&device).await?;
    let label = role.label.zh.clone();
    acts.push(RegistryAct::Enrol { key, user, label });
    app.registrar().enter(&mut *unit, &acts, None, now).await?;
    unit.commit().await?;
    tracing::info!(device.id = %device.device, "device.enrolled");
    Ok(())
}

/// Why pages were not closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseFailure {
    /// The desk is not open there by an assignment of its own.
    #[error(
        "no page was opened for just this area; `assignment list --user {USER_NAME}` lists those that were"
    )]
    NotOpen,
    /// The assignment cannot be ended so.
    #[error(transparent)]
    Assignment(#[from] AssignmentFailure),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Closes what was opened for an area, at once: yesterday was its last day.
pub async fn close(app: &App, area: AreaId) -> Result<(), CloseFailure> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    drop(unit);
    let today = app.clock().now().date();
    let user = desk_user(app.deployment());
    let open = registered.registry.assignments_of(user, today);
    let here = open.filter(|(_, office)| office.role == ROLE && office.area == area);
    let here: Vec<AssignmentId> = here.map(|(id, _)| id).collect();
    if here.is_empty() {
        return Err(CloseFailure::NotOpen);
    }
    for id in here {
        let yesterday = Some(today.plus_days(-1));
        assignments::end(app, Word::Operator, id, yesterday, false).await?;
    }
    Ok(())
}

/// The journal by which the page of a village is called: the one that it has had the longest, of several.
pub fn page_of(registry: &Registry, area: AreaId, today: Date) -> Option<JournalId> {
    let of_area = registry.journals.iter().filter(|(journal, info)| {
        info.purpose == Purpose::Village && registry.area_of(**journal, today) == Some(area)
    });
    let since = of_area.map(|(journal, info)| {
        let days = info.areas.iter().filter(|(_, own)| **own == area);
        (days.map(|(day, _)| *day).next(), *journal)
    });
    since.min().map(|(_, journal)| journal)
}
