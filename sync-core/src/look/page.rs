//! One record whole: each field with what its user may do with it now, as far as this phone knows. The server judges.

#[cfg(test)]
mod tests;

use super::{Look, Next};
use crate::catalog::{Action, Field, Kind, Label, Relation, Required, widens};
use crate::command::{Audience, Verb};
use crate::id::{Date, Seq};
use crate::record::Step;
use crate::value::Value;
use crate::view::{Shown, View};

/// A record's page.
#[derive(Debug)]
pub struct Page<'k> {
    /// What is seen of it.
    pub view: View,
    /// What stands for it.
    pub title: String,
    /// Its number; none if its kind has none, or it was not received yet.
    pub number: Option<String>,
    /// The end of the journal that this shows.
    pub seq: Seq,
    /// Its fields in the order of the form: those that show something, and those that its user may write now. Then what an
    /// unknown version of the catalogue wrote, by name.
    pub fields: Vec<FieldPage<'k>>,
    /// The actions that its user may take here, each with the first day on which it counts if that is still to come.
    pub actions: Vec<(&'k Action, Option<Date>)>,
    /// What he may make from it.
    pub next: Vec<Next<'k>>,
    /// Whether he may hide it.
    pub may_void: bool,
    /// Whether he may amend it.
    pub may_amend: bool,
    /// To whom he may open it.
    pub may_open_to: Vec<Audience>,
}

/// A field of a record's page.
#[derive(Debug)]
pub struct FieldPage<'k> {
    /// Its name.
    pub name: String,
    /// What is declared of it; `None` if this version of the catalogue does not know it.
    pub field: Option<&'k Field>,
    /// Whether its user may set, edit, insert into or remove from it now; of one in 待核对, choose.
    pub may_set: bool,
    /// Whether he may amend it now.
    pub may_amend: bool,
    /// Whether it should have a value before the record is filed or closed, and has none.
    pub missing: bool,
}

impl<'d> Look<'d> {
    /// A record's page.
    pub fn page(&self, view: View) -> Page<'d> {
        let position = self.source.position(view.journal);
        let seq = position.map_or(0, |position| position.seq);
        let title = self.title(&view);
        let Some(kind) = self.kind_of(&view) else {
            let fields = view.fields.keys().cloned().map(unknown).collect();
            return Page {
                view,
                title,
                number: None,
                seq,
                fields,
                actions: Vec::new(),
                next: Vec::new(),
                may_void: false,
                may_amend: false,
                may_open_to: Vec::new(),
            };
        };
        let may_amend = self.may_amend(kind, &view);
        let mut fields: Vec<FieldPage<'d>> = Vec::new();
        for field in &kind.fields {
            let page = FieldPage {
                name: field.name.clone(),
                field: Some(field),
                may_set: self.may_set(kind, &view, field),
                may_amend: may_amend && kind.may_be_amended(field),
                missing: is_missing(kind, &view, field),
            };
            let shows = view.fields.contains_key(&field.name);
            if shows || page.may_set || page.may_amend || page.missing {
                fields.push(page);
            }
        }
        let undeclared = view.fields.keys().filter(|name| kind.field(name).is_none());
        fields.extend(undeclared.cloned().map(unknown));
        let mut actions = self.actions(kind, &view);
        actions.retain(|action| !self.acted_on(action, &view));
        let actions = actions
            .into_iter()
            .map(|action| (action, self.opens_on(action, &view)))
            .collect();
        Page {
            title,
            number: self.number(&view),
            seq,
            fields,
            actions,
            next: self.next(&view),
            may_void: self.may_void(kind, &view),
            may_amend,
            may_open_to: self.may_open_to(kind, &view),
            view,
        }
    }

    /// Whether this user took the last of those actions whose author may not take this one.
    fn acted_on(&self, action: &Action, view: &View) -> bool {
        let other = action.not_same_person_as.as_deref();
        let last = other.and_then(|other| last_taken(other, view));
        last.is_some_and(|step| self.by(step) == Some(self.user()))
    }

    /// The first day on which an action counts that has to wait, if that is still to come.
    pub fn opens_on(&self, action: &Action, view: &View) -> Option<Date> {
        let wait = action.waits.as_ref()?;
        let taken = last_taken(&wait.since, view)?;
        let (catalogue, today) = (self.catalogue()?, self.now.date());
        let place = self.source.registry().code_of(view.journal, today);
        let days = catalogue.profile_of(place).days(&wait.days)?;
        let opens = catalogue.calendar().add(taken.at.date(), days).value;
        (opens > today).then_some(opens)
    }

    pub(super) fn role(&self, view: &View) -> Option<&'d str> {
        let shown = view.void.is_none();
        self.source.role(view.journal, self.now).filter(|_| shown)
    }

    fn may_set(&self, kind: &Kind, view: &View, field: &Field) -> bool {
        let state = view.state.as_deref().and_then(|state| kind.state(state));
        let closed = state.is_some_and(|state| kind.is_closed_in(field, state));
        let withheld = matches!(view.fields.get(&field.name), Some(Shown::Withheld));
        let stands = |relation: &Relation| self.stands(view, relation);
        !closed
            && !withheld
            && self
                .role(view)
                .is_some_and(|role| kind.may_set(role, &field.name).holds(stands))
    }

    fn may_amend(&self, kind: &Kind, view: &View) -> bool {
        let state = view.state.as_deref().and_then(|state| kind.state(state));
        let filed = state.is_some_and(|state| state.filed);
        let stands = |relation: &Relation| self.stands(view, relation);
        filed
            && self
                .role(view)
                .is_some_and(|role| kind.may_amend(role).holds(stands))
    }

    fn may_void(&self, kind: &Kind, view: &View) -> bool {
        let stands = |relation: &Relation| self.stands(view, relation);
        self.role(view)
            .is_some_and(|role| kind.may_void(role).holds(stands))
    }

    fn may_open_to(&self, kind: &Kind, view: &View) -> Vec<Audience> {
        let stands = |relation: &Relation| self.stands(view, relation);
        let may = self
            .role(view)
            .is_some_and(|role| kind.set_by.permit(role).holds(stands));
        let wider = kind
            .audiences
            .iter()
            .filter(|audience| may && widens(view.audience, **audience));
        wider.copied().collect()
    }

    /// What a list shows of a record beside its title, by field.
    pub fn beside(&self, view: &View) -> Vec<(String, Label)> {
        let Some(kind) = self.kind_of(view) else {
            return Vec::new();
        };
        let text = |field: &Field| match view.fields.get(&field.name)? {
            Shown::Value(said) => Some(self.shown_text(field, &said.value, view)),
            Shown::Conflict(said) => {
                let first = said.first()?;
                Some(self.shown_text(field, &first.value, view))
            }
            Shown::Text(text) => Some(masked(field, super::both(text.clone()))),
            Shown::Items(_) | Shown::Withheld => None,
        };
        let fields = kind.list.iter().filter_map(|name| kind.field(name));
        fields
            .filter_map(|field| Some((field.name.clone(), text(field)?)))
            .collect()
    }

    /// A value of a field as text: what is sensitive, masked.
    pub fn shown_text(&self, field: &Field, value: &Value, view: &View) -> Label {
        masked(field, self.text_of(&field.ty, value, view.journal))
    }
}

/// A text of a field: what is sensitive, masked, until it is asked for.
pub fn masked(field: &Field, text: Label) -> Label {
    match field.mask.filter(|_| field.is_masked()) {
        Some(mask) => mask.over(&text),
        None => text,
    }
}

impl Field {
    /// Whether phones show it masked until it is asked for.
    pub fn is_masked(&self) -> bool {
        self.audience == Some(Audience::Sensitive) && self.mask.is_some()
    }
}

/// The last time that an action was taken.
fn last_taken<'v>(name: &str, view: &'v View) -> Option<&'v Step> {
    let took = |step: &&Step| step.verb == Verb::Act && step.action.as_deref() == Some(name);
    let mut steps = view.steps.iter();
    steps.rfind(|step| took(step) && step.fate.counts())
}

const fn unknown<'k>(name: String) -> FieldPage<'k> {
    FieldPage {
        name,
        field: None,
        may_set: false,
        may_amend: false,
        missing: false,
    }
}

fn is_missing(kind: &Kind, view: &View, field: &Field) -> bool {
    let state = view.state.as_deref().and_then(|state| kind.state(state));
    let open = state.is_some_and(|state| !state.filed && !state.closed);
    open && field.required == Required::AtFiling
        && !field.retired
        && !view.fields.contains_key(&field.name)
}
