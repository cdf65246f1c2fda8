//! What follows from a record: which records may be made from it, and what a form knows before anybody types.
//!
//! A fact is written once. A form that asks for it elsewhere finds it there by the references that it holds, as the catalogue says
//! ([`Fill`]); whoever fills the form in sees it, changes it, and saves it as his own.

use super::{Asked, Look, Wanted, as_date, linked, targets};
use crate::catalog::{Field, FieldType, Fill, Kind, Written, widens};
use crate::command::{Audience, Verb, links_by_field};
use crate::id::JournalId;
use crate::id_number;
use crate::record::{link_value, referred};
use crate::sync::device::{Intent, Target};
use crate::value::{Fields, Value};
use crate::view::{Shown, View};

/// A kind of which a record may be made from another one.
#[derive(Debug, Clone, Copy)]
pub struct Next<'k> {
    /// The kind.
    pub kind: &'k Kind,
    /// Its field that refers to the other one.
    pub by: &'k Field,
}

/// A form that asks for something: what it is of, and what is written in it so far.
struct Form<'d> {
    journal: JournalId,
    /// The fields for which it asks.
    fields: Vec<&'d Field>,
    /// The record that it is about; none yet, if it makes one.
    about: Option<View>,
    /// Who will read what is written.
    audience: Audience,
    said: Fields,
}

impl<'d> Look<'d> {
    /// What this user may make from a record as it stands, in the order of the catalogue: of each kind whose records can refer to it.
    pub fn next(&self, view: &View) -> Vec<Next<'d>> {
        let Some(role) = self.role(view) else {
            return Vec::new();
        };
        let from_it = |kind: &'d Kind| {
            let refers = |field: &&Field| {
                let ty = &field.ty;
                let is_record = ty.is_link() && !ty.is_user();
                let of_its_kind = ty.target_kind().is_none_or(|kind| kind == view.kind);
                is_record && of_its_kind && is_asked_at_creation(field)
            };
            let by = kind.fields.iter().find(refers)?;
            let requires = kind.creation(role).map(|creation| &creation.requires);
            let mut about_it = requires.into_iter().flatten();
            let is_ready =
                about_it.all(|one| one.field != by.name || one.holds([view.state.as_deref()]));
            is_ready.then_some(Next { kind, by })
        };
        let kinds = self.creates(view.journal).into_iter();
        kinds.filter_map(from_it).collect()
    }

    /// What the form of an intent need not ask for: the fields that say nothing in it yet, and what is known of them.
    pub fn filled(&self, journal: JournalId, intent: &Intent) -> Vec<(&'d Field, Value)> {
        let mut filled = Vec::new();
        let Some(mut form) = self.form(journal, intent) else {
            return filled;
        };
        // What was found may name where more is to be found: a clue, its household.
        while let Some((field, value)) = self.first_known(&form) {
            form.said.insert(field.name.clone(), value.clone());
            filled.push((field, value));
        }
        filled
    }

    /// An intent with what its form need not ask for.
    pub fn complete(&self, journal: JournalId, intent: Intent) -> Intent {
        let found = self.filled(journal, &intent);
        found.into_iter().fold(intent, |intent, (field, value)| {
            let targets = targets(&value);
            if targets.is_empty() {
                return intent.with(&*field.name, value);
            }
            let link = |intent: Intent, target| intent.link(&*field.name, target);
            targets.into_iter().fold(intent, link)
        })
    }

    fn form(&self, journal: JournalId, intent: &Intent) -> Option<Form<'d>> {
        let catalogue = self.catalogue()?;
        let said = brought(intent);
        match (&intent.target, intent.verb) {
            (Target::New { kind, audience }, Verb::Create) => {
                let kind = catalogue.kind(kind)?;
                Some(Form {
                    journal,
                    fields: kind
                        .fields
                        .iter()
                        .filter(|field| is_asked_at_creation(field))
                        .collect(),
                    about: None,
                    audience: audience.or_else(|| kind.audiences.first().copied())?,
                    said,
                })
            }
            (Target::Existing(record), Verb::Act) => {
                let view = self.view(journal, *record)?;
                let kind = self.kind_of(&view)?;
                let action = kind.action(intent.action.as_deref()?)?;
                let field = |name: &String| kind.field(name);
                Some(Form {
                    journal,
                    fields: action.writes.iter().filter_map(field).collect(),
                    audience: view.audience,
                    about: Some(view),
                    said,
                })
            }
            _ => None,
        }
    }

    /// The first field of a form that says nothing although something is known.
    fn first_known(&self, form: &Form<'d>) -> Option<(&'d Field, Value)> {
        let blank = form
            .fields
            .iter()
            .filter(|field| !form.said.contains_key(&field.name));
        let mut known = blank.filter_map(|field| {
            // What an action needs to refer to stays what the record refers to.
            let own = form.about.as_ref().and_then(|view| view.value(&field.name));
            let own = own.filter(|_| field.ty.is_link()).cloned();
            let found = field
                .fill
                .iter()
                .filter_map(|fill| self.known(form, field, fill));
            let mut found = own.into_iter().chain(found);
            Some((*field, found.find_map(|value| field.ty.fitted(value))?))
        });
        known.next()
    }

    fn known(&self, form: &Form<'d>, field: &Field, fill: &Fill) -> Option<Value> {
        match fill {
            Fill::Drafted { paper, on } => {
                let paper = self.catalogue()?.paper(paper)?;
                let day = Asked::Day(form.said.get(on).and_then(as_date)?);
                let draft = self.draft_for(form.journal, paper, day, Some(form.audience))?;
                let Some(kind) = field.ty.target_kind() else {
                    return Some(Value::text(draft.text())).filter(|text| *text != Value::text(""));
                };
                let sources = draft.sources(self, kind).into_iter();
                let most = field.ty.links_max().unwrap_or_default();
                let ids = sources.map(|id| Value::Bytes(id.0.to_vec())).take(most);
                references(ids.collect())
            }
            Fill::DayIn { number } => {
                let day = id_number::born(form.said.get(number)?.as_text()?)?;
                Some(Value::Int(i64::from(day.0)))
            }
            Fill::Today => Some(Value::Int(i64::from(self.now.date().0))),
            Fill::Of { link, field } => {
                let own = form.said.get(link);
                let own = own.or_else(|| form.about.as_ref()?.value(link))?;
                let other = self.view(form.journal, referred(own)?)?;
                // What few may read is not carried on to where more read it.
                let wider = other.void.is_some() || widens(other.audience, form.audience);
                said(other.fields.get(field)?).filter(|value| !wider || is_reference(value))
            }
            Fill::Those { kind, by } => {
                let target = form.about.as_ref()?.id;
                let wanted = Wanted {
                    journal: Some(form.journal),
                    refers_to: Some(target),
                    ..Wanted::of(Some(kind), false)
                };
                let those = self.views(&wanted);
                let those = those.filter(|view| linked(view, by).any(|one| one == target));
                let mut those: Vec<_> = those
                    .map(|view| (self.row(&view).touched, view.id))
                    .collect();
                those.sort_unstable();
                let ids = those.into_iter().map(|(_, id)| Value::Bytes(id.0.to_vec()));
                references(ids.collect())
            }
        }
    }
}

fn is_asked_at_creation(field: &Field) -> bool {
    field.written != Written::ByAction
        && !field.derived
        && !field.retired
        && !matches!(field.ty, FieldType::Blob | FieldType::Blobs { .. })
}

/// What a field says, where it says one thing.
fn said(shown: &Shown) -> Option<Value> {
    match shown {
        Shown::Value(said) => Some(said.value.clone()),
        Shown::Text(text) => Some(Value::text(text)),
        Shown::Conflict(_) | Shown::Items(_) | Shown::Withheld => None,
    }
}

/// References, if there are any.
fn references(ids: Vec<Value>) -> Option<Value> {
    (!ids.is_empty()).then_some(Value::List(ids))
}

/// References stand in the envelope, which all read.
fn is_reference(value: &Value) -> bool {
    !targets(value).is_empty()
}

/// What an intent brings, references included.
fn brought(intent: &Intent) -> Fields {
    let links = links_by_field(&intent.links).into_iter();
    let links = links.map(|(field, links)| (field.to_owned(), link_value(&links)));
    let values = intent.values.iter();
    let values = values.map(|(field, value)| (field.clone(), value.clone()));
    links.chain(values).collect()
}
