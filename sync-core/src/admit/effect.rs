//! Authority and effect of one command against its kind and the admission index.

use super::codes::{no_effect, refused};
use super::judge::{Bench, Refusal};
use super::{Index, IndexEntry, LastAct, Taken};
use crate::catalog::{Action, Catalogue, FieldProblem, Kind, Profile, Requirement, State, Wait};
use crate::command::{Content, Envelope, Link, Verb};
use crate::id::{Date, RecordId};
use crate::limits;
use crate::month;
use crate::principal::{Operation, Principal, Standing, allows};
use crate::record::{Place, touches};

/// Why a command does not count.
pub(super) enum Verdict {
    /// It came too late.
    NoEffect(&'static str),
    /// It may not be.
    Refused(Refusal),
}

impl From<&'static str> for Verdict {
    fn from(code: &'static str) -> Self {
        Self::Refused(code.into())
    }
}

fn refuse_field(code: &'static str, field: &str) -> Verdict {
    Verdict::Refused(Refusal {
        code,
        field: Some(field.to_owned()),
    })
}

/// Decides, and if the command counts, writes what it changes into the index.
pub(super) fn decide(
    bench: &Bench<'_>,
    principal: &Principal,
    envelope: &Envelope,
    content: Option<&Content>,
    on: Date,
    index: &mut Index,
) -> Result<(), Verdict> {
    let catalogue = bench.catalogue.ok_or(refused::UNKNOWN_CATALOGUE)?;
    let kind = catalogue
        .kind(&envelope.kind)
        .ok_or(refused::UNKNOWN_KIND)?;
    let record = index.get(&envelope.record).filter(|_| !envelope.makes());
    catalogue.check_envelope(envelope, record.map(|entry| entry.audience))?;
    content.map_or(Ok(()), |content| catalogue.check_content(envelope, content))?;
    let place = bench.place(envelope.n);
    if envelope.makes() {
        let entry = if envelope.verb == Verb::Seal {
            seal(bench, principal, kind, envelope, index, place)?
        } else {
            create(bench, principal, kind, envelope, index, place)?
        };
        index.insert(envelope.record, entry);
        return Ok(());
    }
    let entry = index.get(&envelope.record).ok_or(refused::UNKNOWN_RECORD)?;
    if entry.kind != envelope.kind {
        return Err(refused::MALFORMED.into());
    }
    links_lead_somewhere(bench, kind, envelope, index)?;
    let case = Case {
        principal,
        catalogue,
        profile: bench.profile(catalogue),
        on,
        kind,
        envelope,
        entry,
        index,
    };
    let lane = entry.lanes.get(&place.device).copied().unwrap_or(0);
    if entry.commands() >= limits::RECORD_COMMANDS_MAX || lane >= limits::RECORD_LANE_COMMANDS_MAX {
        return Err(refused::RECORD_FULL.into());
    }
    case.allowed()?;
    case.takes_effect()?;
    if let Some(entry) = index.get_mut(&envelope.record) {
        let by = principal.user;
        entry.advance(kind, envelope, place, Taken { by, on });
    }
    for target in erases(envelope) {
        if let Some(erased) = index.get_mut(&target) {
            erased.erased = true;
        }
    }
    Ok(())
}

impl From<FieldProblem> for Verdict {
    fn from(problem: FieldProblem) -> Self {
        Self::Refused(Refusal {
            code: problem.code,
            field: problem.field,
        })
    }
}

fn create(
    bench: &Bench<'_>,
    principal: &Principal,
    kind: &Kind,
    envelope: &Envelope,
    index: &Index,
    place: Place,
) -> Result<IndexEntry, Verdict> {
    if index.contains_key(&envelope.record) {
        return Err(refused::RECORD_EXISTS.into());
    }
    let state = kind
        .may_create(&principal.role)
        .ok_or(refused::NOT_ALLOWED)?;
    // A Create names the state it begins in, so that the fold needs no role.
    if envelope.action.as_ref() != Some(&state.name) {
        return Err(refused::NOT_ALLOWED.into());
    }
    links_lead_somewhere(bench, kind, envelope, index)?;
    let creation = kind.creation(&principal.role);
    let requires = creation.map_or(&[][..], |creation| &creation.requires);
    if !requirements_hold(requires, envelope, &[], index) {
        return Err(Verdict::NoEffect(no_effect::NOT_READY));
    }
    Ok(IndexEntry::created(
        envelope,
        place,
        principal.user,
        &principal.role,
        principal.office,
    ))
}

/// Closes a month: once it is over, and only if it was never closed before. Who may is said by the kind's creations.
fn seal(
    bench: &Bench<'_>,
    principal: &Principal,
    kind: &Kind,
    envelope: &Envelope,
    index: &Index,
    place: Place,
) -> Result<IndexEntry, Verdict> {
    let month = envelope.sealed_month().ok_or(refused::MALFORMED)?;
    let state = kind.may_create(&principal.role);
    state
        .filter(|state| state.name == month::SEALED)
        .ok_or(refused::NOT_ALLOWED)?;
    if !month.is_over(bench.received_at.date()) {
        return Err(refused::MONTH_NOT_OVER.into());
    }
    if index.contains_key(&envelope.record) {
        return Err(Verdict::NoEffect(no_effect::SEALED));
    }
    Ok(IndexEntry::created(
        envelope,
        place,
        principal.user,
        &principal.role,
        principal.office,
    ))
}

/// Whether what an action or a creation requires holds of the records that its fields refer to, the command's own references in place
/// of those that the record had.
fn requirements_hold(
    requirements: &[Requirement],
    envelope: &Envelope,
    had: &[Link],
    index: &Index,
) -> bool {
    let state_of = |link: &Link| {
        let target = index.get(&link.target).filter(|_| link.journal.is_none())?;
        (!target.void && !target.erased).then_some(target.state.as_deref()?)
    };
    requirements.iter().all(|requirement| {
        let of_field = |link: &&Link| link.field == requirement.field;
        let brings = envelope.links.iter().any(|link| of_field(&link));
        let links = if brings {
            envelope.links.as_slice()
        } else {
            had
        };
        requirement.holds(links.iter().filter(of_field).map(state_of))
    })
}

/// References within this journal must lead to records of the kind that the field wants; others are checked for form only.
fn links_lead_somewhere(
    bench: &Bench<'_>,
    kind: &Kind,
    envelope: &Envelope,
    index: &Index,
) -> Result<(), Verdict> {
    for link in &envelope.links {
        let unknown = || refuse_field(refused::UNKNOWN_LINK, &link.field);
        if envelope.verb == Verb::Erase {
            index.get(&link.target).ok_or_else(unknown)?;
            continue;
        }
        let field = kind.field(&link.field).ok_or_else(unknown)?;
        if field.ty.is_user() {
            let user = crate::id::UserId(link.target.0);
            bench.registry.users.get(&user).ok_or_else(unknown)?;
        } else if link.journal.is_none() {
            let target = index.get(&link.target).ok_or_else(unknown)?;
            if field
                .ty
                .target_kind()
                .is_some_and(|wanted| wanted != target.kind)
            {
                return Err(unknown());
            }
        }
    }
    Ok(())
}

/// A command on a record that exists.
struct Case<'a> {
    principal: &'a Principal,
    catalogue: &'a Catalogue,
    profile: &'a Profile,
    /// The day on which it was written.
    on: Date,
    kind: &'a Kind,
    envelope: &'a Envelope,
    entry: &'a IndexEntry,
    index: &'a Index,
}

impl Case<'_> {
    /// Whether the role may do this, given how the person stands to the record.
    fn allowed(&self) -> Result<(), Verdict> {
        let standing = Standing {
            principal: self.principal,
            entry: self.entry,
            index: self.index,
        };
        let may = |operation: Operation<'_>| {
            allows(self.catalogue, self.kind, &self.principal.role, &operation)
                .holds(|relation| standing.is(relation))
        };
        let linked = || self.envelope.links.iter().map(|link| link.field.as_str());
        let fields = || {
            self.envelope
                .fields
                .iter()
                .map(String::as_str)
                .chain(linked())
        };
        let denied = |field: &str| refuse_field(refused::NOT_ALLOWED, field);
        match self.envelope.verb {
            Verb::Create | Verb::Seal => Err(refused::MALFORMED.into()),
            Verb::Set if self.envelope.widens() => {
                let holds = self
                    .kind
                    .set_by
                    .permit(&self.principal.role)
                    .holds(|relation| standing.is(relation));
                if holds {
                    Ok(())
                } else {
                    Err(refused::NOT_ALLOWED.into())
                }
            }
            Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove => fields()
                .find(|field| !may(Operation::Set(field)))
                .map_or(Ok(()), |field| Err(denied(field))),
            Verb::Amend if !may(Operation::Amend) => Err(refused::NOT_ALLOWED.into()),
            Verb::Amend => Ok(()),
            Verb::Act if may(Operation::Act(&self.action()?.name)) => Ok(()),
            Verb::Act => Err(refused::NOT_ALLOWED.into()),
            Verb::Void if may(Operation::Void) => Ok(()),
            Verb::Reveal if may(Operation::Reveal) => Ok(()),
            Verb::Erase if may(Operation::Erase) => Ok(()),
            Verb::Clear if may(Operation::Clear) => Ok(()),
            Verb::Void | Verb::Reveal | Verb::Erase | Verb::Clear => {
                Err(refused::NOT_ALLOWED.into())
            }
        }
    }

    fn action(&self) -> Result<&Action, Verdict> {
        let name = self.envelope.action.as_deref().ok_or(refused::MALFORMED)?;
        self.kind
            .action(name)
            .ok_or_else(|| refused::UNKNOWN_ACTION.into())
    }

    fn state(&self) -> Option<&State> {
        self.entry
            .state
            .as_deref()
            .and_then(|state| self.kind.state(state))
    }

    /// Whether it still changes something, where it stands.
    fn takes_effect(&self) -> Result<(), Verdict> {
        let verb = self.envelope.verb;
        if verb == Verb::Clear {
            // Marks outlive what was written.
            return self.clears_a_mark();
        }
        if self.entry.erased && verb != Verb::Erase {
            return Err(Verdict::NoEffect(no_effect::ERASED));
        }
        if self.entry.void && !matches!(verb, Verb::Erase | Verb::Reveal) {
            return Err(Verdict::NoEffect(no_effect::VOID));
        }
        match verb {
            Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove => self.fields_are_open(),
            Verb::Amend if !self.state().is_some_and(|state| state.filed) => {
                Err(refused::NOT_FILED.into())
            }
            Verb::Act => self.action_leaves_from_here(),
            Verb::Create
            | Verb::Amend
            | Verb::Void
            | Verb::Erase
            | Verb::Reveal
            | Verb::Seal
            | Verb::Clear => Ok(()),
        }
    }

    /// Whether it clears a mark, and none of what its own author wrote.
    fn clears_a_mark(&self) -> Result<(), Verdict> {
        let cause = self.envelope.action.as_deref().unwrap_or_default();
        let mut authors = self.entry.flagged(cause, self.envelope.base).peekable();
        if authors.peek().is_none() {
            return Err(Verdict::NoEffect(no_effect::NOT_FLAGGED));
        }
        if authors.any(|author| author == self.principal.user) {
            return Err(refused::SAME_PERSON.into());
        }
        Ok(())
    }

    fn fields_are_open(&self) -> Result<(), Verdict> {
        let Some(state) = self.state() else {
            return Ok(());
        };
        let closed = |name: &String| {
            self.kind
                .field(name)
                .is_some_and(|field| self.kind.is_closed_in(field, state))
        };
        let linked = self.envelope.links.iter().map(|link| &link.field);
        if self.envelope.fields.iter().chain(linked).any(closed) {
            // Only a testimony is filed: the catalogue knows no other.
            return Err(Verdict::NoEffect(if state.filed {
                no_effect::FILED
            } else {
                no_effect::FIELD_CLOSED
            }));
        }
        Ok(())
    }

    fn action_leaves_from_here(&self) -> Result<(), Verdict> {
        let action = self.action()?;
        if let Some(other) = &action.not_same_person_as
            && self
                .entry
                .actors
                .get(other)
                .is_some_and(|taken| taken.by == self.principal.user)
        {
            return Err(refused::SAME_PERSON.into());
        }
        if !action.concurrent && !self.saw_the_last_action() {
            return Err(Verdict::NoEffect(no_effect::SUPERSEDED));
        }
        let state = self.entry.state.as_deref().unwrap_or_default();
        if !action.from.iter().any(|from| from == state) {
            return Err(Verdict::NoEffect(no_effect::WRONG_STATE));
        }
        if !requirements_hold(
            &action.requires,
            self.envelope,
            &self.entry.links,
            self.index,
        ) {
            return Err(Verdict::NoEffect(no_effect::NOT_READY));
        }
        if action
            .waits
            .as_ref()
            .is_some_and(|wait| !self.is_over(wait))
        {
            return Err(Verdict::NoEffect(no_effect::TOO_EARLY));
        }
        Ok(())
    }

    /// Whether the days after the other action are over.
    fn is_over(&self, wait: &Wait) -> bool {
        let Some(taken) = self.entry.actors.get(&wait.since) else {
            return false;
        };
        let days = self.profile.days(&wait.days);
        days.is_some_and(|days| self.on >= self.catalogue.calendar().add(taken.on, days).value)
    }

    fn saw_the_last_action(&self) -> bool {
        let Some(LastAct { place }) = self.entry.acted else {
            return true;
        };
        place.seq <= self.envelope.base || place.device == self.principal.device
    }
}

/// The records that an erasure takes: the one it speaks of, and those that it links to.
pub fn erases(envelope: &Envelope) -> impl Iterator<Item = RecordId> + '_ {
    touches(envelope).filter(|_| envelope.verb == Verb::Erase)
}
