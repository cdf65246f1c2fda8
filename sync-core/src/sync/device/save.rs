//! Saving: what a person asked for becomes commands, judged beforehand by the code that the server will use.

use std::collections::BTreeMap;

use super::local::{Form, FormId, Pending, pending_write, written_fields};
use super::{Device, Effect, World, settle};
use crate::admit;
use crate::admit::codes::refused;
use crate::batch::{Batch, Parts, Salted, Unsealed};
use crate::catalog::Kind;
use crate::check_code;
use crate::command::{Audience, Command, Content, Envelope, Link, Origin, Salt, Splice, Verb};
use crate::id::{AssignmentId, Digest, ItemId, JournalId, RecordId, Seq, Timestamp};
use crate::journal::Fate;
use crate::month::{self, Month};
use crate::record::{Logged, Place};
use crate::sign::Signature;
use crate::value::{Fields, Value};
use crate::view::PENDING;

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
    /// The field that a reveal asks for.
    pub reveals: Option<String>,
    /// Whom a `Set` of nothing opens the record to.
    pub opens_to: Option<Audience>,
    /// Whether a `Set` chooses among several values of a field in 待核对.
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
    /// The one that the same save made before.
    Made,
    /// The one that stands for a month.
    Month(Month),
}

impl Target {
    const fn existing(&self) -> Option<RecordId> {
        match self {
            Self::Existing(record) => Some(*record),
            Self::New { .. } | Self::Made | Self::Month(_) => None,
        }
    }
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
            reveals: None,
            opens_to: None,
            chooses: false,
            reason: None,
        }
    }

    /// A new record of a kind.
    pub fn create(kind: impl Into<String>) -> Self {
        Self::new(
            Target::New {
                kind: kind.into(),
                audience: None,
            },
            Verb::Create,
        )
    }

    /// The close of a month.
    pub fn seal(month: Month) -> Self {
        Self {
            action: Some(month.to_string()),
            ..Self::new(Target::Month(month), Verb::Seal)
        }
    }

    /// The clearing of a record's marks of one cause, as far as they are shown.
    pub fn clear(record: RecordId, cause: impl Into<String>) -> Self {
        Self {
            action: Some(cause.into()),
            ..Self::new(Target::Existing(record), Verb::Clear)
        }
    }

    /// New values of fields.
    pub fn set(record: RecordId) -> Self {
        Self::new(Target::Existing(record), Verb::Set)
    }

    /// An action.
    pub fn act(record: RecordId, action: impl Into<String>) -> Self {
        Self {
            action: Some(action.into()),
            ..Self::new(Target::Existing(record), Verb::Act)
        }
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
        self.links.push(Link {
            field: field.into(),
            target,
            journal: None,
        });
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

impl Saved {
    /// This, and what was saved after it: durable together.
    fn and(mut self, next: Self) -> Self {
        self.commands.extend(next.commands);
        self.predicted.extend(next.predicted);
        for effect in next.effects {
            match (effect, self.effects.first_mut()) {
                (Effect::Persist(more), Some(Effect::Persist(writes))) => writes.extend(more),
                (effect, _) => self.effects.push(effect),
            }
        }
        self
    }
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

    /// What an open form stands on.
    pub fn form(&self, form: FormId) -> Option<Form> {
        let mut locals = self.journals.values();
        locals.find_map(|local| local.forms.get(&form)).copied()
    }

    /// Closes a form without saving.
    pub fn close_form(&mut self, form: FormId) {
        self.journals.values_mut().for_each(|local| {
            local.forms.remove(&form);
        });
    }

    /// Takes over the forms of this phone as it was before it was loaded anew, for a write had failed. Their people look at what they
    /// looked at before, unless that is gone with the write.
    pub fn keep_forms_of(&mut self, before: &Self) {
        self.forms = before.forms;
        let open = before.journals.iter().flat_map(|(journal, was)| {
            let forms = was.forms.iter();
            forms.map(|(id, form)| (*journal, *id, *form))
        });
        for (journal, id, form) in open.chain(before.saved_through) {
            if let Some(local) = self.journals.get_mut(&journal) {
                let base = form.base.min(local.chain.end.seq);
                local.forms.insert(id, Form { base, ..form });
            }
        }
    }

    /// Saves what a person asked for: through a form, with what it was opened on; without one, with what is shown now.
    pub fn save(
        &mut self,
        world: &mut World<'_>,
        journal: JournalId,
        form: Option<FormId>,
        intent: Intent,
    ) -> Result<Saved, CannotSave> {
        self.save_all(world, journal, form, &[intent])
    }

    /// Saves what a person did in one form, each field as its type wants it, on what the form was opened on: all of it or nothing.
    pub fn save_all(
        &mut self,
        world: &mut World<'_>,
        journal: JournalId,
        form: Option<FormId>,
        intents: &[Intent],
    ) -> Result<Saved, CannotSave> {
        let local = self.local(journal);
        let base = match form {
            None => local.chain.end.seq,
            Some(form) => local.forms.get(&form).ok_or(CannotSave::FormClosed)?.base,
        };
        let (first, forms) = (local.next_n(), local.forms.clone());
        let mut all: Option<Saved> = None;
        for intent in intents {
            let made = all.as_ref().map(|before| before.record);
            let commands = self.commands(journal, world.now, (base, made), intent);
            let saved = commands
                .and_then(|commands| self.save_commands(world, journal, Draft { commands, form }));
            match saved {
                Ok(saved) => {
                    all = Some(match all {
                        Some(before) => before.and(saved),
                        None => saved,
                    });
                }
                Err(cannot) => {
                    let local = self.local(journal);
                    local.pending.split_off(&first);
                    local.forms = forms;
                    return Err(cannot);
                }
            }
        }
        if let Some(form) = form {
            let through = self.form(form).map(|pinned| (journal, form, pinned));
            self.saved_through = through;
            self.close_form(form);
        }
        all.ok_or(CannotSave::NothingToOffer)
    }

    /// The commands of an intent: one for each audience, the record's own first. It stands on a position, and on what the same save
    /// made before.
    fn commands(
        &mut self,
        journal: JournalId,
        now: Timestamp,
        (base, made): (Seq, Option<RecordId>),
        intent: &Intent,
    ) -> Result<Vec<Unsealed>, CannotSave> {
        let role = self
            .role(journal, now)
            .ok_or(CannotSave::NotAssigned)?
            .to_owned();
        let (device, deployment) = (self.id(), self.identity.deployment);
        let first = self.local(journal).next_n();
        let (record, kind_name, chosen) = match &intent.target {
            Target::New { kind, audience } => {
                let record = RecordId::derive(device, journal, first);
                (record, kind.clone(), *audience)
            }
            Target::Month(month) => (month.record(journal), month::KIND.to_owned(), None),
            Target::Existing(_) | Target::Made => {
                let record = intent.target.existing().or(made);
                let record = record.ok_or(CannotSave::UnknownRecord)?;
                let folded = self
                    .record(journal, record)
                    .ok_or(CannotSave::UnknownRecord)?;
                let mut in_conflict = folded.conflicts().map(|(field, _)| field);
                if let Some(field) =
                    in_conflict.find(|field| !intent.chooses && intent.writes(field))
                {
                    return Err(CannotSave::InConflict(field.to_owned()));
                }
                (record, folded.kind.clone(), Some(folded.audience))
            }
        };
        let catalogue = self
            .catalogue(now)
            .and_then(|version| self.catalogues.get(&version));
        let kind = catalogue.ok_or(CannotSave::NoCatalogue)?.kind(&kind_name);
        let unknown = || Fate::Refused(refused::UNKNOWN_KIND.to_owned(), None);
        let kind = kind.ok_or_else(|| CannotSave::WouldNotCount(unknown()))?;
        let mut intent = intent.clone();
        let codes = check_code::beside(deployment, kind, &intent.values);
        intent.values.extend(codes.0);
        let proposed = || kind.audiences.first().copied();
        let audience = intent.opens_to.or(chosen).or_else(proposed);
        let audience = audience.unwrap_or(Audience::Village);
        let local = self
            .journals
            .get(&journal)
            .ok_or(CannotSave::UnknownJournal)?;
        let begins_in = kind.may_create(&role).map(|state| state.name.clone());
        let action = if intent.verb == Verb::Create {
            begins_in
        } else {
            intent.action.clone()
        };
        let opened = local.opened_by(record);
        let builds_on = intent
            .spliced()
            .and_then(|field| local.builds_on(record, field));
        let mut commands = Vec::new();
        for (n, part) in (first..).zip(intent.parts(kind, audience)) {
            let verb = part.verb;
            let needs = if n == first {
                builds_on.or(opened)
            } else {
                Some(first)
            };
            let mut links = part.links;
            links.sort();
            let envelope = Envelope {
                n,
                record,
                kind: kind_name.clone(),
                base,
                at: now,
                verb,
                action: action.clone().filter(|_| verb == intent.verb),
                fields: part.fields,
                links,
                audience: part.audience,
                digest: Digest([0; 32]),
                needs,
                origin: None,
            };
            let splices = intent
                .edit
                .iter()
                .flat_map(|(_, splices)| splices.clone())
                .collect();
            let removed = intent
                .removed
                .iter()
                .flat_map(|(_, removed)| removed.clone())
                .collect();
            let reason = intent.reason.clone().filter(|_| verb == intent.verb);
            let content = Content {
                values: part.values,
                splices,
                removed,
                reason,
            };
            commands.push(Unsealed { envelope, content });
        }
        if self.settles {
            self.place_apart(journal, &mut commands);
        }
        Ok(commands)
    }

    /// Gives commands that are saved before this phone settled a place apart: their numbers may still change, and a copy of this
    /// phone must offer them again under the same place.
    fn place_apart(&self, journal: JournalId, commands: &mut [Unsealed]) {
        let device = self.id();
        let mut made = None;
        for Unsealed { envelope, content } in commands {
            if let Some((was, is)) = made
                && envelope.record == was
            {
                envelope.record = is;
            }
            let n = envelope.n;
            let place = settle::apart(Origin { device, journal, n }, envelope, content);
            envelope.origin = Some(place);
            if envelope.verb == Verb::Create {
                made = Some((envelope.record, place.record()));
                envelope.record = place.record();
            }
        }
    }

    pub(super) fn save_commands(
        &mut self,
        world: &mut World<'_>,
        journal: JournalId,
        draft: Draft,
    ) -> Result<Saved, CannotSave> {
        let Draft { commands, form } = draft;
        let assignment = self
            .assignment(journal, world.now)
            .ok_or(CannotSave::NotAssigned)?;
        let catalogue = self.catalogue(world.now).ok_or(CannotSave::NoCatalogue)?;
        let first = commands.first().ok_or(CannotSave::NothingToOffer)?;
        let record = first.envelope.record;
        let unsigned = |commands: &[Unsealed]| Batch {
            journal,
            device: self.id(),
            assignment,
            catalogue,
            previous: Digest([0; 32]),
            seen: self
                .position(journal)
                .unwrap_or(crate::journal::Chain::start(journal).end),
            sealed_at: world.now,
            envelopes: commands
                .iter()
                .map(|command| command.envelope.clone())
                .collect(),
        };
        let predicted = self.predict(world.now, unsigned(&commands), &commands);
        if let Some(fate) = predicted
            .iter()
            .find(|fate| !fate.counts() && !is_of_time(fate))
        {
            return Err(CannotSave::WouldNotCount(fate.clone()));
        }
        if let Some(field) = self.overflows(world.now, journal, catalogue, assignment, &commands) {
            let past = Fate::Refused(refused::LIMIT.to_owned(), Some(field));
            return Err(CannotSave::WouldNotCount(past));
        }
        let numbers = commands.iter().map(|command| command.envelope.n).collect();
        let written: Vec<String> = commands
            .iter()
            .flat_map(|command| written_fields(&command.envelope))
            .collect();
        let pending = commands.into_iter().map(|command| Pending {
            command,
            assignment,
            catalogue,
            received: false,
        });
        let pending: Vec<Pending> = pending.collect();
        let writes = pending
            .iter()
            .map(|pending| pending_write(journal, pending))
            .collect();
        let mut effects = vec![Effect::Persist(writes), Effect::Changed(journal, record)];
        let local = self.local(journal);
        let now = local.chain.end.seq;
        let numbered = pending
            .into_iter()
            .map(|pending| (pending.command.envelope.n, pending));
        local.pending.extend(numbered);
        // Other forms on this record stand on what is shown from now on: they are shown anew, with all that changed under them.
        let others = local
            .forms
            .iter()
            .filter(|(id, other)| other.record == Some(record) && Some(**id) != form);
        let others: Vec<(FormId, Seq)> = others.map(|(id, other)| (*id, other.base)).collect();
        for (id, stood_on) in others {
            let mut changed = local.changed_since(record, stood_on);
            changed.extend(written.iter().cloned());
            if let Some(other) = local.forms.get_mut(&id) {
                other.base = now;
            }
            effects.push(Effect::Repinned(id, changed.into_iter().collect()));
        }
        Ok(Saved {
            record,
            commands: numbers,
            predicted,
            effects,
        })
    }

    /// The field that a command would make too long: the server would take it and the fold make nothing of it.
    fn overflows(
        &self,
        now: Timestamp,
        journal: JournalId,
        catalogue: u32,
        assignment: AssignmentId,
        commands: &[Unsealed],
    ) -> Option<String> {
        let record = self.record(journal, commands.first()?.envelope.record)?;
        let logged = |command: &Unsealed| Logged {
            place: Place {
                seq: PENDING,
                n: command.envelope.n,
                device: self.id(),
            },
            assignment,
            received_at: now,
            catalogue,
            fate: Fate::Accepted,
            command: Command {
                envelope: command.envelope.clone(),
                content: Some(command.content.clone()),
            },
        };
        let mut commands = commands.iter();
        commands.find_map(|command| record.overflows(&self.catalogues, &logged(command)))
    }

    /// What the server would make of these commands, as far as this phone knows.
    fn predict(&self, now: Timestamp, batch: Batch, commands: &[Unsealed]) -> Vec<Fate> {
        let Some(local) = self.journals.get(&batch.journal) else {
            return Vec::new();
        };
        let circumstances = local.circumstances(&self.registry, &self.catalogues, &batch, now);
        let salted = |command: &Unsealed| {
            let content = command.content.clone();
            Some(Salted {
                salt: Salt([0; 16]),
                content,
            })
        };
        let contents = commands.iter().map(salted).collect();
        let signature = Signature {
            algorithm: 0,
            bytes: Vec::new(),
        };
        let parts = Parts {
            batch,
            signature,
            seed: None,
            contents,
        };
        admit::judge(&parts, now, &[], circumstances).0
    }
}

/// Commands about to be saved, and the form they come from.
pub(super) struct Draft {
    pub(super) commands: Vec<Unsealed>,
    pub(super) form: Option<FormId>,
}

/// Whether a fate rests on what day it is. A phone's clock may be wrong, so that the server alone says so: what its user
/// recorded is saved and sent.
fn is_of_time(fate: &Fate) -> bool {
    const OF_TIME: [&str; 3] = [refused::NOT_BEGUN, refused::ENDED, refused::TOO_OLD];
    matches!(fate, Fate::Refused(code, _) if OF_TIME.contains(&code.as_str()))
}

/// What an intent writes for one audience.
#[derive(Debug)]
struct Part {
    audience: Audience,
    verb: Verb,
    fields: Vec<String>,
    values: Fields,
    links: Vec<Link>,
}

impl Intent {
    fn writes(&self, field: &str) -> bool {
        self.values.contains_key(field) || self.links.iter().any(|link| link.field == field)
    }

    /// The field that is written otherwise than by values: edited, taken items from, or revealed.
    fn spliced(&self) -> Option<&str> {
        let edited = self.edit.as_ref().map(|(field, _)| field);
        let removed = self.removed.as_ref().map(|(field, _)| field);
        edited
            .or(removed)
            .or(self.reveals.as_ref())
            .map(String::as_str)
    }

    /// Whether it makes a record or moves its state.
    const fn opens(&self) -> bool {
        matches!(self.verb, Verb::Create | Verb::Act)
    }

    /// What it writes, by audience: the record's own first.
    fn parts(&self, kind: &Kind, audience: Audience) -> Vec<Part> {
        let audience_of = |field: &str| {
            let field = kind.field(field).filter(|_| self.verb != Verb::Reveal);
            field.map_or(audience, |field| kind.audience_of(field, audience))
        };
        let mut parts = Parted {
            audience,
            verb: self.verb,
            parts: BTreeMap::new(),
        };
        for (field, value) in self.values.iter() {
            let part = parts.of(audience_of(field));
            part.fields.push(field.clone());
            part.values.insert(field.clone(), value.clone());
        }
        for link in &self.links {
            parts.of(audience_of(&link.field)).links.push(link.clone());
        }
        if let Some(field) = self.spliced() {
            parts.of(audience_of(field)).fields.push(field.to_owned());
        }
        // What makes a record or moves its state is of the record's own audience, whatever it writes beside.
        if self.opens() || parts.parts.is_empty() {
            parts.of(audience);
        }
        let mut parts = parts.parts.into_values();
        let own = parts.next();
        let beside = parts.flat_map(|part| part.beside(kind, self.opens()));
        own.into_iter().chain(beside).collect()
    }
}

impl Part {
    /// Beside what makes the record or moves its state, the other audiences' fields are set, and items inserted, a list at a time.
    fn beside(mut self, kind: &Kind, opens: bool) -> Vec<Self> {
        if !opens {
            return vec![self];
        }
        self.verb = Verb::Set;
        let is_list = |field: &str| kind.field(field).is_some_and(|one| one.ty.is_item_list());
        let (lists, set) = core::mem::take(&mut self.fields)
            .into_iter()
            .partition::<Vec<String>, _>(|field| is_list(field));
        self.fields = set;
        let insert = |field: String| Self {
            audience: self.audience,
            verb: Verb::Insert,
            values: self
                .values
                .remove(&field)
                .into_iter()
                .map(|value| (field.clone(), value))
                .collect(),
            fields: vec![field],
            links: Vec::new(),
        };
        let mut inserts: Vec<Self> = lists.into_iter().map(insert).collect();
        if !self.fields.is_empty() || !self.links.is_empty() {
            inserts.insert(0, self);
        }
        inserts
    }
}

/// Parts by audience; `false` is the record's own, which comes first.
struct Parted {
    audience: Audience,
    verb: Verb,
    parts: BTreeMap<(bool, Audience), Part>,
}

impl Parted {
    fn of(&mut self, audience: Audience) -> &mut Part {
        let empty = || Part {
            audience,
            verb: self.verb,
            fields: Vec::new(),
            values: Fields::default(),
            links: Vec::new(),
        };
        let at = (audience != self.audience, audience);
        self.parts.entry(at).or_insert_with(empty)
    }
}
