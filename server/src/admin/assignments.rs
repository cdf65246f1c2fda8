//! Assignments: person × role × area × dates.

use std::collections::BTreeMap;

use store::StoreError;
use sync_core::area::Level;
use sync_core::catalog::{Capability, Role, Side};
use sync_core::id::{AreaId, AssignmentId, Date, UserId};
use sync_core::registry::{Assignment, RegistryAct};

use crate::admin::mandate::{Mandate, Word, whole_of};
use crate::admin::{PAGE_ROWS, areas};
use crate::context::App;

/// The longest name of a sending unit.
pub const SENT_BY_CHARS_MAX: usize = 64;

/// An assignment that is to be given.
#[derive(Debug)]
pub struct NewAssignment {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: String,
    /// Where, by id or code; nothing stands for the whole deployment, for which only administrators can be assigned.
    pub area: Option<String>,
    /// The first day; today if none is named.
    pub from: Option<Date>,
    /// The last day, if known.
    pub to: Option<Date>,
    /// The unit that sends the person.
    pub sent_by: Option<String>,
}

/// Why an assignment was neither given nor ended nor listed.
#[derive(Debug, thiserror::Error)]
pub enum AssignmentFailure {
    /// The caller may not know of it.
    #[error("there is no such assignment")]
    Absent,
    /// There is no such person, or the account is disabled.
    #[error("there is no such person, or the account is disabled")]
    UnknownUser,
    /// The catalogue has no such role.
    #[error("there is no such role")]
    UnknownRole,
    /// There is no such area, or it lies outside those of the caller.
    #[error("there is no such area")]
    UnknownArea,
    /// The role is assigned for areas of other levels.
    #[error("the role is assigned for areas of these levels: {}", names(.0))]
    Level(Vec<Level>),
    /// The last day lies before the first.
    #[error("the last day lies before the first")]
    Dates,
    /// The name of the sending unit is empty or too long.
    #[error("the sending unit has a name of 1 to {SENT_BY_CHARS_MAX} characters")]
    SentBy,
    /// The person holds the same already.
    #[error("the person holds this assignment already")]
    Held(AssignmentId),
    /// The person holds a role that excludes this one.
    #[error("the person holds the role {0}, which excludes this one")]
    Excluded(String),
    /// It ends earlier already; an end is never put off.
    #[error("it ends on {0} already; give a new assignment instead of putting its end off")]
    EndsEarlier(Date),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

fn names(levels: &[Level]) -> String {
    let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
    names.join(", ")
}

/// Gives an assignment.
pub async fn give(
    app: &App,
    word: Word<'_>,
    new: NewAssignment,
) -> Result<AssignmentId, AssignmentFailure> {
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ManageGrants]).await?;
    let mandate = mandate.ok_or(AssignmentFailure::Absent)?;
    let role = app.catalogue().role(&new.role);
    let role = role.ok_or(AssignmentFailure::UnknownRole)?;
    // Whoever grants nothing there learns nothing of the person.
    let area = place(app, &mandate, role, new.area.as_deref())?;
    let known = mandate.registry().users.get(&new.user);
    if !known.is_some_and(|user| user.active) {
        return Err(AssignmentFailure::UnknownUser);
    }
    let from = new.from.unwrap_or(mandate.today());
    if new.to.is_some_and(|to| to < from) {
        return Err(AssignmentFailure::Dates);
    }
    let sent_by = new.sent_by.map(|unit| unit.trim().to_owned());
    let is_name = |unit: &String| (1..=SENT_BY_CHARS_MAX).contains(&unit.chars().count());
    if !sent_by.as_ref().is_none_or(is_name) {
        return Err(AssignmentFailure::SentBy);
    }
    let assignment = Assignment {
        user: new.user,
        role: new.role,
        area,
        from,
        to: new.to,
        for_cause: false,
    };
    check_exclusion(app, &mandate, &assignment)?;
    let id = AssignmentId(app.random().bytes());
    let act = RegistryAct::Assign {
        assignment: id,
        user: assignment.user,
        role: assignment.role,
        area,
        from,
        to: assignment.to,
        sent_by,
    };
    let now = app.clock().now();
    app.registrar()
        .enter(&mut *unit, &[act], mandate.by(), now)
        .await?;
    unit.commit().await?;
    tracing::info!(assignment.id = %id, user.id = %new.user, area.id = %area, "assignment.given");
    Ok(id)
}

/// Where a role is to be assigned, if it can be and the mandate counts there.
fn place(
    app: &App,
    mandate: &Mandate,
    role: &Role,
    area: Option<&str>,
) -> Result<AreaId, AssignmentFailure> {
    let Some(text) = area else {
        let whole = mandate.is_everywhere() && role.side == Side::Administration;
        return whole
            .then(|| whole_of(app))
            .ok_or(AssignmentFailure::UnknownArea);
    };
    let id = areas::find(mandate.registry(), text).filter(|id| mandate.covers(*id));
    let id = id.ok_or(AssignmentFailure::UnknownArea)?;
    let area = mandate.registry().areas.get(&id);
    let level = area.map(|area| area.level);
    if level.is_some_and(|level| role.levels.contains(&level)) {
        Ok(id)
    } else {
        Err(AssignmentFailure::Level(role.levels.clone()))
    }
}

/// Nobody holds two roles that exclude each other on any day, and nobody the same one twice.
fn check_exclusion(
    app: &App,
    mandate: &Mandate,
    new: &Assignment,
) -> Result<(), AssignmentFailure> {
    let overlaps = |held: &Assignment| {
        held.to.is_none_or(|to| new.from <= to) && new.to.is_none_or(|to| held.from <= to)
    };
    let mine = (mandate.registry().assignments.iter())
        .filter(|(_, held)| held.user == new.user && overlaps(held));
    for (id, held) in mine {
        if held.role == new.role && held.area == new.area {
            return Err(AssignmentFailure::Held(*id));
        }
        if !app.catalogue().may_hold_both(&held.role, &new.role) {
            return Err(AssignmentFailure::Excluded(held.role.clone()));
        }
    }
    Ok(())
}

/// Ends an assignment on a day, today if none is named. One that was taken away for cause carries no late work.
pub async fn end(
    app: &App,
    word: Word<'_>,
    id: AssignmentId,
    to: Option<Date>,
    for_cause: bool,
) -> Result<(), AssignmentFailure> {
    let mut unit = app.store().begin().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &[Capability::ManageGrants]).await?;
    let mandate = mandate.ok_or(AssignmentFailure::Absent)?;
    let known = mandate.registry().assignments.get(&id);
    let known = known.filter(|known| mandate.covers(known.area));
    let known = known.ok_or(AssignmentFailure::Absent)?;
    let to = to.unwrap_or(mandate.today());
    if let Some(earlier) = known.to.filter(|earlier| *earlier < to) {
        return Err(AssignmentFailure::EndsEarlier(earlier));
    }
    let act = RegistryAct::EndAssignment {
        assignment: id,
        to,
        for_cause,
    };
    let now = app.clock().now();
    app.registrar()
        .enter(&mut *unit, &[act], mandate.by(), now)
        .await?;
    unit.commit().await?;
    tracing::info!(assignment.id = %id, for_cause, "assignment.ended");
    Ok(())
}

/// An assignment of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAssignment {
    /// Its id.
    pub id: AssignmentId,
    /// Person, role, area and dates.
    pub assignment: Assignment,
    /// The unit that sent the person.
    pub sent_by: Option<String>,
    /// The name of its area; none for the whole deployment.
    pub area_name: Option<String>,
}

/// Which assignments a list shows.
#[derive(Debug, Default)]
pub struct AssignmentFilter {
    /// In this area, by id or code, and what lies in it.
    pub area: Option<String>,
    /// Of this person.
    pub user: Option<UserId>,
    /// After this one, in the order of ids.
    pub after: Option<AssignmentId>,
}

/// Who may see assignments: those who grant, those who keep the accounts, and those who watch both.
const READERS: [Capability; 3] = [
    Capability::ManageGrants,
    Capability::ManageAccounts,
    Capability::ReadAuditLog,
];

/// A page of assignments in the order of their ids, ended ones too, and whether there are more.
pub async fn list(
    app: &App,
    word: Word<'_>,
    filter: &AssignmentFilter,
) -> Result<(Vec<ListedAssignment>, bool), AssignmentFailure> {
    let mut unit = app.store().read().await?;
    let mandate = Mandate::read(app, &mut *unit, word, &READERS).await?;
    let mandate = mandate.ok_or(AssignmentFailure::Absent)?;
    let registry = mandate.registry();
    let within = match filter.area.as_deref() {
        Some(text) => {
            let area = areas::find(registry, text).filter(|area| mandate.covers(*area));
            Some(area.ok_or(AssignmentFailure::Absent)?)
        }
        None => None,
    };
    let found = (registry.assignments.iter())
        .filter(|(id, _)| filter.after.is_none_or(|after| after < **id))
        .filter(|(_, known)| filter.user.is_none_or(|user| known.user == user))
        .filter(|(_, known)| within.is_none_or(|area| registry.is_within(known.area, area)))
        .filter(|(_, known)| mandate.covers(known.area));
    let mut page: Vec<(AssignmentId, &Assignment)> = found
        .map(|(id, assignment)| (*id, assignment))
        .take(PAGE_ROWS + 1)
        .collect();
    let more = page.len() > PAGE_ROWS;
    page.truncate(PAGE_ROWS);
    let mut senders = senders(&mandate);
    let listed = page.into_iter().map(|(id, assignment)| ListedAssignment {
        id,
        assignment: assignment.clone(),
        sent_by: senders.remove(&id),
        area_name: (registry.areas.get(&assignment.area)).map(|area| area.name().to_owned()),
    });
    Ok((listed.collect(), more))
}

/// The sending units, which no decision rests on: so only the entries hold them.
fn senders(mandate: &Mandate) -> BTreeMap<AssignmentId, String> {
    let acts = mandate.registered().entries.iter();
    let sent = acts
        .flat_map(|entry| &entry.acts)
        .filter_map(|act| match act {
            RegistryAct::Assign {
                assignment,
                sent_by: Some(unit),
                ..
            } => Some((*assignment, unit.clone())),
            _ => None,
        });
    sent.collect()
}
