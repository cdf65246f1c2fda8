//! Saving: what a person asked for becomes commands, judged beforehand by the code that the server will use.

use std::collections::BTreeMap;

use super::local::{Form, FormId, pending_write};
use super::{Device, Effect, World};
use crate::admit;
use crate::batch::{Batch, Parts, Salted, Unsealed};
use crate::command::{Audience, Content, Envelope, Link, Origin, Salt, Splice, Verb};
use crate::id::{Digest, ItemId, JournalId, RecordId, Seq, Timestamp};
use crate::journal::Fate;
use crate::sign::Signature;
use crate::value::{Fields, Value};

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Of which record.
    pub target: Target,
    /// What.
    pub verb: Verb,
    /// Which action.
    pub action: Option<String>,
    /// New values.
    pub values: Fields,
    /// References.
    pub links: Vec<Link>,
    /// Changes of one text field.
    pub edit: Option<(String, Vec<Splice>)>,
    /// Items that go from one list field.
    pub removed: Option<(String, Vec<ItemId>)>,
    /// The fields a reveal asks for, or that a `Set` chooses for among several values.
    pub chooses: bool,
    /// Why.
    pub reason: Option<String>,
}

/// The record that an intent is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A new one.
    New {
        /// Its kind.
        kind: String,
        /// Its audience; the kind's first if none is chosen.
        audience: Option<Audience>,
    },
    /// One that exists.
    Existing(RecordId),
}

impl Intent {
    /// An intent that changes nothing yet.
    pub fn new(target: Target, verb: Verb) -> Self {
        Self {
            target,
            verb,
            action: None,
            values: Fields::default(),
            links: Vec::new(),
            edit: None,
            removed: None,
            chooses: false,
            reason: None,
        }
    }

    /// A new record of a kind.
    pub fn create(kind: impl Into<String>) -> Self {
        Self::new(Target::New { kind: kind.into(), audience: None }, Verb::Create)
    }

    /// New values of fields.
    pub fn set(record: RecordId) -> Self {
        Self::new(Target::Existing(record), Verb::Set)
    }

    /// An action.
    pub fn act(record: RecordId, action: impl Into<String>) -> Self {
        Self { action: Some(action.into()), ..Self::new(Target::Existing(record), Verb::Act) }
    }

    /// With a value.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: Value) -> Self {
        self.values.insert(field.into(), value);
        self
    }

    /// With a reference within the journal (or to a person, by his id's bytes).
    #[must_use]
    pub fn link(mut self, field: impl Into<String>, target: RecordId) -> Self {
        self.links.push(Link { field: field.into(), target, journal: None });
        self
    }

    /// With a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// A saved intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The record.
    pub record: RecordId,
    /// The numbers of its commands: one for each audience it wrote for.
    pub commands: Vec<u64>,
    /// What the server will make of them, as far as this phone knows.
    pub predicted: Vec<Fate>,
    /// What the shell must do before it says saved.
    pub effects: Vec<Effect>,
}

/// Why nothing was saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSave {
    /// The journal is not on this phone.
    #[error("this village is not on this phone")]
    UnknownJournal,
    /// The user has no assignment there.
    #[error("no assignment for this village")]
    NotAssigned,
    /// No catalogue version is known.
    #[error("no catalogue is known yet: sync once")]
    NoCatalogue,
    /// The record is not on this phone.
    #[error("this record is not on this phone")]
    UnknownRecord,
    /// The form is closed.
    #[error("this form is closed")]
    FormClosed,
    /// A field in 待核对 is written only through its chooser.
    #[error("field {0} has several values: choose one first")]
    InConflict(String),
    /// There is nothing to offer again under this number.
    #[error("there is nothing to offer again")]
    NothingToOffer,
    /// The server would not let it count. Nothing is lost: the form is as it was.
    #[error("it would not count")]
    WouldNotCount(Fate),
}

impl Device {
    /// Opens a form on a record, or for a new one. It pins what its person is looking at.
    pub fn open_form(&mut self, journal: JournalId, record: Option<RecordId>) -> FormId {
        self.forms += 1;
        let id = FormId(self.forms);
        let local = self.local(journal);
        let base = local.chain.end.seq;
        local.forms.insert(id, Form { record, base });
        id
    }

    /// Closes a form without saving.
    pub fn close_form(&mut self, form: FormId) {
        self.journals.values_mut().for_each(|local| {
            local.forms.remove(&form);
        });
    }

    /// Saves what a person asked for: through a form, with what it was opened on; without one, with what is shown now.
    pub fn save(&mut self, world: &mut World<'_>, journal: JournalId, form: Option<FormId>, intent: Intent) -> Result<Saved, CannotSave> {
        let local = self.journals.get(&journal);
        let now = local.map_or(0, |local| local.chain.end.seq);
        let base = match form {
            None => now,
            Some(form) => local.and_then(|local| local.forms.get(&form)).ok_or(CannotSave::FormClosed)?.base,
        };
        let commands = self.commands(journal, world.now, base, intent)?;
        let saved = self.save_commands(world, journal, commands, form)?;
        if let Some(form) = form {
            self.close_form(form);
        }
        Ok(saved)
    }

    pub(super) fn save_again(
        &mut self,
        world: &mut World<'_>,
        journal: JournalId,
        envelope: Envelope,
        content: Content,
        base: Seq,
        origin: Origin,
    ) -> Result<Saved, CannotSave> {
        let n = self.local(journal).next_n();
        // An action or edit is offered on what stands now; what it once needed is answered for.
        let envelope = Envelope { n, base, needs: None, origin: Some(envelope.origin.unwrap_or(origin)), digest: Digest([0; 32]), ..envelope };
        self.save_commands(world, journal, vec![Unsealed { envelope, content }], None)
    }

    /// The commands of an intent: one for each audience, the record's own first.
    fn commands(&mut self, journal: JournalId, now: Timestamp, base: Seq, intent: Intent) -> Result<Vec<Unsealed>, CannotSave> {
        let role = self.role(journal, now).ok_or(CannotSave::NotAssigned)?.to_owned();
        let device = self.id();
        let first = self.local(journal).next_n();
        let (record, kind_name, chosen) = match &intent.target {
            Target::New { kind, audience } => (RecordId::derive(device, journal, first), kind.clone(), *audience),
            Target::Existing(record) => {
                let folded = self.record(journal, *record).ok_or(CannotSave::UnknownRecord)?;
                let writes = |field: &str| intent.values.contains_key(field) || intent.links.iter().any(|link| link.field == field);
                if let Some((field, _)) = folded.conflicts().find(|(field, _)| !intent.chooses && writes(field)) {
                    return Err(CannotSave::InConflict(field.to_owned()));
                }
                (*record, folded.kind.clone(), Some(folded.audience))
            }
        };
        let catalogue = self.catalogue(now).and_then(|version| self.catalogues.get(&version)).ok_or(CannotSave::NoCatalogue)?;
        let unknown = CannotSave::WouldNotCount(Fate::Refused(admit::codes::refused::UNKNOWN_KIND.to_owned(), None));
        let kind = catalogue.kind(&kind_name).ok_or(unknown)?;
        let audience = chosen.or_else(|| kind.audiences.first().copied()).unwrap_or(Audience::Village);
        let audience_of = |field: &str| kind.field(field).map_or(audience, |field| kind.audience_of(field, audience));
        let mut parts: BTreeMap<(bool, Audience), (Fields, Vec<Link>)> = BTreeMap::new();
        let at = |audience_of_field: Audience| (audience_of_field != audience, audience_of_field);
        for (field, value) in intent.values.0 {
            parts.entry(at(audience_of(&field))).or_default().0.insert(field, value);
        }
        for link in intent.links {
            parts.entry(at(audience_of(&link.field))).or_default().1.push(link);
        }
        let spliced = intent.edit.as_ref().map(|(field, _)| field.clone()).or_else(|| intent.removed.as_ref().map(|(field, _)| field.clone()));
        let own_audience = spliced.as_deref().map_or(audience, audience_of);
        if parts.is_empty() || intent.verb == Verb::Create || intent.verb == Verb::Act {
            parts.entry(at(own_audience)).or_default();
        }
        let action = match intent.verb {
            Verb::Create => kind.may_create(&role).map(|state| state.name.clone()),
            _ => intent.action.clone(),
        };
        let local = self.journals.get(&journal).ok_or(CannotSave::UnknownJournal)?;
        let opened = local.opened_by(record);
        let mut commands = Vec::new();
        for (k, (n, ((_, audience), (values, mut links)))) in (first..).zip(parts).enumerate() {
            links.sort();
            let mut fields: Vec<String> = values.keys().cloned().chain(spliced.clone()).collect();
            fields.sort();
            fields.dedup();
            let needs = if k > 0 { Some(first) } else { spliced.as_deref().and_then(|field| local.builds_on(record, field)).or(opened) };
            let verb = if k > 0 && intent.verb == Verb::Create { Verb::Set } else { intent.verb };
            let envelope = Envelope {
                n,
                record,
                kind: kind_name.clone(),
                base,
                at: now,
                verb,
                action: action.clone().filter(|_| matches!(verb, Verb::Create | Verb::Act)),
                fields,
                links,
                audience,
                digest: Digest([0; 32]),
                needs,
                origin: None,
            };
            let splices = intent.edit.clone().map(|(_, splices)| splices).unwrap_or_default();
            let removed = intent.removed.clone().map(|(_, removed)| removed).unwrap_or_default();
            let content = Content { values, splices, removed, reason: intent.reason.clone() };
            commands.push(Unsealed { envelope, content });
        }
        Ok(commands)
    }

    fn save_commands(&mut self, world: &mut World<'_>, journal: JournalId, commands: Vec<Unsealed>, form: Option<FormId>) -> Result<Saved, CannotSave> {
        let predicted = self.predict(journal, world.now, &commands)?;
        if let Some(fate) = predicted.iter().find(|fate| !fate.counts()) {
            return Err(CannotSave::WouldNotCount(fate.clone()));
        }
        let record = commands.first().map(|command| command.envelope.record).ok_or(CannotSave::NothingToOffer)?;
        let numbers = commands.iter().map(|command| command.envelope.n).collect();
        let local = self.local(journal);
        let writes = commands.iter().map(|command| pending_write(journal, &command.envelope, &command.content)).collect();
        let mut effects = vec![Effect::Persist(writes), Effect::Changed(journal, record)];
        let written: Vec<String> = commands.iter().flat_map(|command| command.envelope.fields.clone()).collect();
        // Other forms on this record now stand on what its person has just written: they are shown anew, never left behind.
        let now = local.chain.end.seq;
        for (id, other) in local.forms.iter_mut().filter(|(id, other)| other.record == Some(record) && Some(**id) != form) {
            other.base = now;
            effects.push(Effect::Repinned(*id, written.clone()));
        }
        local.pending.extend(commands.into_iter().map(|command| (command.envelope.n, command)));
        Ok(Saved { record, commands: numbers, predicted, effects })
    }

    /// What the server would make of these commands, as far as this phone knows.
    fn predict(&self, journal: JournalId, now: Timestamp, commands: &[Unsealed]) -> Result<Vec<Fate>, CannotSave> {
        let local = self.journals.get(&journal).ok_or(CannotSave::UnknownJournal)?;
        let assignment = self.assignment(journal, now).ok_or(CannotSave::NotAssigned)?;
        let catalogue = self.catalogue(now).ok_or(CannotSave::NoCatalogue)?;
        let first = commands.first().map_or(1, |command| command.envelope.n);
        let batch = Batch {
            journal,
            device: self.id(),
            assignment,
            catalogue,
            previous: Digest([0; 32]),
            seen: local.chain.end,
            sealed_at: now,
            envelopes: commands.iter().map(|command| command.envelope.clone()).collect(),
        };
        let salted = |command: &Unsealed| Some(Salted { salt: Salt([0; 16]), content: command.content.clone() });
        let unsigned = Signature { algorithm: 0, bytes: Vec::new() };
        let parts = Parts { batch, signature: unsigned, seed: None, contents: commands.iter().map(salted).collect() };
        let mut circumstances = local.circumstances(&self.registry, &self.catalogues, now, first);
        let by = self.registry.assignments.get(&assignment);
        circumstances.index = local.pending_index(circumstances.index, &self.catalogues, self.id(), by);
        Ok(admit::judge(&parts, now, circumstances).0)
    }
}
