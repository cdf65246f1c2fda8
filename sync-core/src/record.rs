//! Records: the fold of a journal's commands, each applied in the context in which it was written.
//!
//! A command `a` is seen by `b` if `a.seq ≤ b.base`, or if `a` is earlier in the same lane. As long as every command of a record
//! had seen all before it, the fold is plain sequential application (`record::sequential`); as soon as one had not, the record becomes
//! an Automerge document, and each command a change at its own context (`record::merged`). Both ways agree where both apply.
//!
//! The fold is **total**: whatever was admitted folds. Positions clamp, unknown items are no change, and a limit that only a
//! merge crosses marks the record. It is **deterministic**: actors, times and object ids come from the commands alone.

mod context;
mod merged;
mod sequential;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::batch::Bytes;
use crate::command::{Audience, Command, Envelope, Verb};
use crate::id::{AssignmentId, DeviceId, ItemId, JournalId, RecordId, Seq, Timestamp};
use crate::journal::{Entry, Fate};
use crate::limits;
use crate::month;
use crate::value::{Fields, Value};

pub use context::Context;

/// The version of the rules in this module. An entry is always folded by the version it names.
pub const FOLD_VERSION: u16 = 1;

/// Where a command stands in its journal: what everything is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Place {
    /// The entry.
    #[n(0)]
    pub seq: Seq,
    /// The command's number in its lane.
    #[n(1)]
    pub n: u64,
    /// The lane's device.
    #[n(2)]
    pub device: DeviceId,
}

/// One admitted command with what its entry says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place.
    pub place: Place,
    /// The assignment its author acted under.
    pub assignment: AssignmentId,
    /// When the server received it.
    pub received_at: Timestamp,
    /// The catalogue version of its entry.
    pub catalogue: u32,
    /// What became of it.
    pub fate: Fate,
    /// The command; its content may be withheld or erased.
    pub command: Command,
}

impl Logged {
    /// Whether the author of `self` had seen `other`, by the rule alone.
    pub fn saw(&self, other: &Place) -> bool {
        other.seq <= self.command.envelope.base
            || (other.device == self.place.device && other.n < self.place.n)
    }
}

/// The commands of an entry, in order, with what the entry says of each.
pub fn logged(entry: &Entry) -> impl Iterator<Item = Logged> + '_ {
    (0..entry.head.fates.len()).map_while(|index| logged_at(entry, index))
}

/// The same of an entry that is not needed any more.
pub fn into_logged(entry: Entry) -> impl Iterator<Item = Logged> {
    let Entry { head, parts } = entry;
    let (device, assignment) = (parts.batch.device, parts.batch.assignment);
    let commands = parts.batch.envelopes.into_iter().zip(parts.contents);
    commands
        .zip(head.fates)
        .map(move |((envelope, salted), fate)| Logged {
            place: Place {
                seq: head.seq,
                n: envelope.n,
                device,
            },
            assignment,
            received_at: head.received_at,
            catalogue: head.catalogue,
            fate,
            command: Command {
                envelope,
                content: salted.map(|salted| salted.content),
            },
        })
}

/// One command of an entry, by its place among them.
pub fn logged_at(entry: &Entry, index: usize) -> Option<Logged> {
    let (head, parts) = (&entry.head, &entry.parts);
    let fate = head.fates.get(index)?.clone();
    let command = parts.command(index)?;
    Some(Logged {
        place: Place {
            seq: head.seq,
            n: command.envelope.n,
            device: parts.batch.device,
        },
        assignment: parts.batch.assignment,
        received_at: head.received_at,
        catalogue: head.catalogue,
        fate,
        command,
    })
}

/// The records that a command must be folded into: its own, and for an erasure those it links to.
pub fn touches(envelope: &Envelope) -> impl Iterator<Item = RecordId> + '_ {
    let erased = envelope
        .links
        .iter()
        .filter(|_| envelope.verb == Verb::Erase)
        .map(|link| link.target);
    core::iter::once(envelope.record).chain(erased.filter(|target| *target != envelope.record))
}

/// How concurrent writes of one field meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Merge {
    /// Both values are kept as 待核对 until somebody who knows chooses.
    Register,
    /// A text: splices interleave.
    Text,
    /// A map of items by id: add wins over remove.
    List,
}

/// What the fold must know of the catalogue versions that entries name.
pub trait Rules {
    /// Whether this version of the catalogue is known.
    fn knows(&self, catalogue: u32) -> bool;
    /// How a field merges; a register where the kind or field is unknown.
    fn merge(&self, catalogue: u32, kind: &str, field: &str) -> Merge;
    /// The state after an effective `Create` or `Act`; `None` where it does not change.
    fn state_after(&self, catalogue: u32, envelope: &Envelope) -> Option<String>;
}

/// A value that a register holds, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// The value.
    #[n(0)]
    pub value: Value,
    /// The command that wrote it.
    #[n(1)]
    pub by: Place,
}

/// What a field adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Slot {
    /// One value, or several that were written without sight of each other (待核对), in order of their places.
    #[n(0)]
    Register(#[n(0)] Vec<Held>),
    /// A text.
    #[n(1)]
    Text(#[n(0)] String),
    /// Items by id, in order of their insertion.
    #[n(2)]
    List(#[n(0)] Vec<Item>),
    /// Something was written that this holder may not read.
    #[n(3)]
    Withheld,
}

/// An item of a list field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Item {
    /// Its id.
    #[n(0)]
    pub id: ItemId,
    /// Its value.
    #[n(1)]
    pub value: Value,
    /// The command that inserted it.
    #[n(2)]
    pub by: Place,
}

/// Who did something, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Note {
    /// The command.
    #[n(0)]
    pub by: Place,
    /// The reason given, where this holder may read it.
    #[n(1)]
    pub reason: Option<String>,
}

/// One line of a record's timeline: every command, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Step {
    /// Its place.
    #[n(0)]
    pub place: Place,
    /// Under which assignment.
    #[n(1)]
    pub assignment: AssignmentId,
    /// What its author was looking at.
    #[n(2)]
    pub base: Seq,
    /// When it was recorded, by the device.
    #[n(3)]
    pub at: Timestamp,
    /// When it was received, by the server.
    #[n(4)]
    pub received_at: Timestamp,
    /// What it does.
    #[n(5)]
    pub verb: Verb,
    /// Which action.
    #[n(6)]
    pub action: Option<String>,
    /// The fields it writes.
    #[n(7)]
    pub fields: Vec<String>,
    /// What became of it.
    #[n(8)]
    pub fate: Fate,
    /// The reason given, where readable.
    #[n(9)]
    pub reason: Option<String>,
    /// What an amendment replaced: the original stays shown.
    #[n(10)]
    pub was: Fields,
    /// The marks that were cleared.
    #[n(11)]
    pub cleared: Vec<Cleared>,
    /// What an action brought, references included, where readable: the next one may bring something else. A server reads that in its
    /// log, so it is no part of the record that is stored and digested; one that was stored is read without it.
    #[cbor(skip)]
    pub said: Fields,
}

/// A mark that was cleared.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Cleared {
    /// The cause.
    #[n(0)]
    pub cause: String,
    /// By which command.
    #[n(1)]
    pub by: Place,
}

impl Step {
    fn of(logged: &Logged) -> Self {
        let Command { envelope, content } = &logged.command;
        Self {
            place: logged.place,
            assignment: logged.assignment,
            base: envelope.base,
            at: envelope.at,
            received_at: logged.received_at,
            verb: envelope.verb,
            action: envelope.action.clone(),
            fields: envelope.fields.clone(),
            fate: logged.fate.clone(),
            reason: content.as_ref().and_then(|content| content.reason.clone()),
            was: Fields::default(),
            cleared: Vec::new(),
            said: said(logged),
        }
    }

    /// Forgets all that it says in words: what is left is that something was written.
    pub fn hush(&mut self) {
        (self.reason, self.was, self.said) = (None, Fields::default(), Fields::default());
    }

    /// The causes for which it is marked and that nobody cleared.
    pub fn flags(&self) -> impl Iterator<Item = &str> {
        let causes = match &self.fate {
            Fate::Flagged(causes) => causes.as_slice(),
            Fate::Accepted | Fate::NoEffect(_) | Fate::Refused(..) => &[],
        };
        let stands = |cause: &&String| self.cleared.iter().all(|cleared| cleared.cause != **cause);
        causes.iter().filter(stands).map(String::as_str)
    }

    fn is_flagged(&self, cause: &str) -> bool {
        self.flags().any(|flag| flag == cause)
    }
}

/// Marks that concern a whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Mark {
    /// Some of its content is withheld from this holder.
    #[n(0)]
    Withheld,
    /// Its content was erased.
    #[n(1)]
    Erased,
    /// A merge crossed a limit, or something that would have crossed it was no change.
    #[n(2)]
    OverLimit,
    /// Its fold failed; it is shown without merged fields, and the failure is reported.
    #[n(3)]
    SetAside,
    /// Some of it was written by a version of the catalogue that this holder does not know yet.
    #[n(4)]
    Unknown,
}

/// What a record's commands add up to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    /// Its id.
    #[n(0)]
    pub id: RecordId,
    /// Its journal.
    #[n(1)]
    pub journal: JournalId,
    /// Its kind; empty until its `Create` counted.
    #[n(2)]
    pub kind: String,
    /// The command that made it.
    #[n(3)]
    pub created: Option<Place>,
    /// The assignment under which it was made.
    #[n(4)]
    pub author: Option<AssignmentId>,
    /// Who may read what is not of a narrower audience.
    #[n(5)]
    pub audience: Audience,
    /// The state of its process.
    #[n(6)]
    pub state: Option<String>,
    /// The last action that took effect.
    #[n(7)]
    pub acted: Option<Place>,
    /// Hidden, by whom and why.
    #[n(8)]
    pub void: Option<Note>,
    /// What its fields add up to.
    #[n(9)]
    pub fields: BTreeMap<String, Slot>,
    /// Its timeline.
    #[n(10)]
    pub steps: Vec<Step>,
    /// Marks.
    #[n(11)]
    pub marks: Vec<Mark>,
    /// The Automerge document, once two of its commands had not seen each other.
    #[n(12)]
    pub document: Option<Bytes>,
}

/// The next command had not seen all before it: the record must be folded as a whole by [`fold`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsWhole;

/// Folds all commands of one record, in journal order.
pub fn fold(rules: &dyn Rules, journal: JournalId, record: RecordId, log: &[Logged]) -> Record {
    let mut folded = Record::empty(journal, record);
    for (index, logged) in log.iter().enumerate() {
        if folded.extend(rules, logged).is_err() {
            let (_, rest) = log.split_at(index);
            folded.note_all(rules, rest);
            folded.merge(rules, log);
            break;
        }
    }
    folded
}

/// Folds all commands as an Automerge document even where sequential application would do. For tests and exports.
pub fn fold_merged(
    rules: &dyn Rules,
    journal: JournalId,
    record: RecordId,
    log: &[Logged],
) -> Record {
    let mut folded = Record::empty(journal, record);
    folded.note_all(rules, log);
    folded.merge(rules, log);
    folded
}

impl Record {
    /// A record of which nothing is known yet.
    pub const fn empty(journal: JournalId, id: RecordId) -> Self {
        Self {
            id,
            journal,
            kind: String::new(),
            created: None,
            author: None,
            audience: Audience::Village,
            state: None,
            acted: None,
            void: None,
            fields: BTreeMap::new(),
            steps: Vec::new(),
            marks: Vec::new(),
            document: None,
        }
    }

    /// A record whose fold failed: its timeline alone.
    pub fn set_aside(journal: JournalId, id: RecordId, log: &[Logged]) -> Self {
        let mut record = Self::empty(journal, id);
        for logged in log {
            let envelope = &logged.command.envelope;
            if envelope.makes() {
                record.kind.clone_from(&envelope.kind);
                record.created = Some(logged.place);
                record.author = Some(logged.assignment);
                record.audience = envelope.audience;
            }
            record.line(logged);
        }
        record.mark(Mark::SetAside);
        record
    }

    /// Applies the next command, if its author had seen all that counts before it.
    pub fn extend(&mut self, rules: &dyn Rules, logged: &Logged) -> Result<(), NeedsWhole> {
        let counts = logged.fate.counts();
        if counts && (self.document.is_some() || !self.was_seen_by(logged)) {
            return Err(NeedsWhole);
        }
        self.note(rules, logged);
        if counts {
            let was = replaced(&self.fields, logged);
            if let (Some(was), Some(step)) = (was, self.steps.last_mut()) {
                step.was = was;
            }
            sequential::apply(rules, self, logged);
        }
        Ok(())
    }

    /// Folds the fields of a record whose timeline is complete as an Automerge document.
    fn merge(&mut self, rules: &dyn Rules, log: &[Logged]) {
        match merged::fold_fields(rules, self.journal, &self.kind, log) {
            Ok(merged) => {
                self.fields = merged.fields;
                if merged.over {
                    self.mark(Mark::OverLimit);
                }
                self.document = Some(merged.document.into());
                for step in &mut self.steps {
                    if let Some(was) = merged.was.get(&step.place) {
                        step.was.clone_from(was);
                    }
                }
            }
            Err(_) => {
                self.fields.clear();
                self.mark(Mark::SetAside);
            }
        }
    }

    /// The field of which a command would be no change, written on what stands, because a text or a list would become too long.
    pub fn overflows(&self, rules: &dyn Rules, logged: &Logged) -> Option<String> {
        let mut after = self.clone();
        after.marks.retain(|mark| *mark != Mark::OverLimit);
        // Of what stands nothing but the fields is asked.
        (after.steps, after.document) = (Vec::new(), None);
        let unfit = after.extend(rules, logged).is_ok() && after.marks.contains(&Mark::OverLimit);
        unfit
            .then(|| logged.command.envelope.fields.first().cloned())
            .flatten()
    }

    fn was_seen_by(&self, logged: &Logged) -> bool {
        self.steps
            .iter()
            .rev()
            .filter(|step| step.fate.counts())
            .all(|step| logged.saw(&step.place))
    }

    fn note_all(&mut self, rules: &dyn Rules, log: &[Logged]) {
        for logged in log {
            self.note(rules, logged);
        }
    }

    /// Everything but the merged fields: timeline, state, marks. They follow journal order, whoever had seen what.
    fn note(&mut self, rules: &dyn Rules, logged: &Logged) {
        let envelope = &logged.command.envelope;
        let reason = self.line(logged);
        if !logged.fate.counts() {
            return;
        }
        if !rules.knows(logged.catalogue) {
            self.mark(Mark::Unknown);
        }
        if envelope.record != self.id {
            return;
        }
        match envelope.verb {
            Verb::Create | Verb::Seal => {
                self.kind.clone_from(&envelope.kind);
                self.created = Some(logged.place);
                self.author = Some(logged.assignment);
                self.audience = envelope.audience;
                self.state = rules.state_after(logged.catalogue, envelope);
            }
            Verb::Act => {
                self.acted = Some(logged.place);
                if let Some(state) = rules.state_after(logged.catalogue, envelope) {
                    self.state = Some(state);
                }
            }
            Verb::Void => {
                self.void.get_or_insert(Note {
                    by: logged.place,
                    reason,
                });
            }
            Verb::Set if envelope.widens() => self.audience = envelope.audience,
            Verb::Clear => self.clear(envelope, logged.place),
            Verb::Set
            | Verb::Edit
            | Verb::Insert
            | Verb::Remove
            | Verb::Amend
            | Verb::Erase
            | Verb::Reveal => {}
        }
    }

    /// The line of the timeline that stands for a command, and the reason given. Of what was erased, and of what came late to it,
    /// nothing is shown but that it was written: the fold of contents that are still there is that of contents that are gone.
    fn line(&mut self, logged: &Logged) -> Option<String> {
        let Command { envelope, content } = &logged.command;
        let mut step = Step::of(logged);
        let erases = envelope.verb == Verb::Erase;
        if erases && logged.fate.counts() {
            self.forget();
        }
        if self.marks.contains(&Mark::Erased) && !erases {
            step.hush();
        } else if content.is_none() && !logged.fate.is_refused() {
            self.mark(Mark::Withheld);
        }
        let reason = step.reason.clone();
        self.steps.push(step);
        reason
    }

    /// Forgets what an erasure takes: all but that something was written, and why other erasures were ordered.
    fn forget(&mut self) {
        for step in &mut self.steps {
            if step.verb != Verb::Erase {
                step.hush();
            }
        }
        if let Some(void) = &mut self.void {
            void.reason = None;
        }
        self.marks
            .retain(|mark| !matches!(mark, Mark::Withheld | Mark::OverLimit));
        self.mark(Mark::Erased);
    }

    /// Marks what a clearing reaches as cleared; its fate stays as its entry says.
    fn clear(&mut self, envelope: &Envelope, by: Place) {
        let Some(cause) = &envelope.action else {
            return;
        };
        let reached = self
            .steps
            .iter_mut()
            .filter(|step| step.place.seq <= envelope.base && step.is_flagged(cause));
        for step in reached {
            step.cleared.push(Cleared {
                cause: cause.clone(),
                by,
            });
        }
    }

    /// The line of its timeline that stands for a command.
    pub fn step(&self, place: &Place) -> Option<&Step> {
        let at = self.steps.binary_search_by_key(place, |step| step.place);
        self.steps.get(at.ok()?)
    }

    /// Whether some command counts and is marked for a cause that nobody cleared.
    pub fn is_flagged(&self) -> bool {
        self.steps.iter().any(|step| step.flags().next().is_some())
    }

    fn mark(&mut self, mark: Mark) {
        if let Err(at) = self.marks.binary_search(&mark) {
            self.marks.insert(at, mark);
        }
    }

    /// The fields in 待核对: more than one value stands.
    pub fn conflicts(&self) -> impl Iterator<Item = (&str, &[Held])> {
        self.fields.iter().filter_map(|(field, slot)| match slot {
            Slot::Register(held) if held.len() > 1 => Some((field.as_str(), held.as_slice())),
            Slot::Register(_) | Slot::Text(_) | Slot::List(_) | Slot::Withheld => None,
        })
    }
}

/// Whether an edit may make a text so long that had so many code points in its author's sight. What crosses the limit is no
/// change: what contents add up to is not admission's to know, and a text that grew with every command would cost more with
/// each. A text that a merge made too long can be shortened.
const fn text_fits(had: usize, has: usize) -> bool {
    has <= limits::TEXT_CHARS_MAX || has <= had
}

/// The same of the items of a list that a command adds to.
const fn list_fits(has: usize) -> bool {
    has <= limits::LIST_ITEMS_MAX
}

/// The text that a value gives a text field anew; none if it is too long.
fn new_text(value: &Value) -> Option<&str> {
    let text = value.as_text().unwrap_or_default();
    text_fits(0, text.chars().count()).then_some(text)
}

/// The items that a value adds to a list field.
fn listed(value: &Value) -> &[Value] {
    if let Value::List(values) = value {
        values
    } else {
        core::slice::from_ref(value)
    }
}

/// What an amendment replaces, if it is one.
fn replaced(fields: &BTreeMap<String, Slot>, logged: &Logged) -> Option<Fields> {
    let envelope = &logged.command.envelope;
    if envelope.verb != Verb::Amend {
        return None;
    }
    let plain = |slot: &Slot| match slot {
        Slot::Register(held) => held.first().map(|held| held.value.clone()),
        Slot::Text(text) => Some(Value::text(text)),
        Slot::List(items) => Some(Value::List(
            items.iter().map(|item| item.value.clone()).collect(),
        )),
        Slot::Withheld => None,
    };
    let linked = envelope.links.iter().map(|link| &link.field);
    let names = envelope.fields.iter().chain(linked);
    Some(
        names
            .filter_map(|field| Some((field.clone(), plain(fields.get(field)?)?)))
            .collect(),
    )
}

/// What an action brings, if it is readable.
fn said(logged: &Logged) -> Fields {
    let Command { envelope, content } = &logged.command;
    if envelope.verb != Verb::Act || content.is_none() {
        return Fields::default();
    }
    let brought = written(logged).map(|(field, value)| (field.to_owned(), value));
    brought.collect()
}

/// The item ids that a command's list value makes, in order.
fn new_items<'a>(
    logged: &Logged,
    journal: JournalId,
    field: &'a str,
    values: &'a [Value],
) -> impl Iterator<Item = Item> + 'a {
    let by = logged.place;
    (0..).zip(values).map(move |(k, value)| {
        let id = ItemId::derive(by.device, journal, by.n, field, k);
        Item {
            id,
            value: value.clone(),
            by,
        }
    })
}

/// The values that a command writes to registers, links included: a reference is a value like any other.
fn written(logged: &Logged) -> impl Iterator<Item = (&str, Value)> + '_ {
    let envelope = &logged.command.envelope;
    let links = crate::command::links_by_field(&envelope.links);
    let reads = if matches!(envelope.verb, Verb::Erase | Verb::Reveal) {
        None
    } else {
        Some(())
    };
    let values = logged
        .command
        .content
        .iter()
        .flat_map(|content| content.values.iter());
    let values = values
        .filter(move |_| reads.is_some())
        .map(|(field, value)| (field.as_str(), value.clone()));
    let month = envelope
        .sealed_month()
        .map(|month| (month::FIELD, Value::text(month.to_string())));
    let links = links
        .into_iter()
        .filter(move |_| reads.is_some())
        .map(|(field, links)| (field, link_value(&links)));
    links.chain(values).chain(month)
}

/// The record (or person) that a reference's value in a field names: what `link_value` made of it.
pub fn referred(value: &Value) -> Option<RecordId> {
    let Value::Bytes(bytes) = value else {
        return None;
    };
    RecordId::try_from(bytes.get(..16)?).ok()
}

/// The value of references of one field.
pub(crate) fn link_value(links: &[&crate::command::Link]) -> Value {
    let one = |link: &crate::command::Link| {
        let mut bytes = link.target.0.to_vec();
        bytes.extend(link.journal.iter().flat_map(|journal| journal.0));
        Value::Bytes(bytes)
    };
    match links {
        [link] => one(link),
        links => Value::List(links.iter().map(|link| one(link)).collect()),
    }
}
