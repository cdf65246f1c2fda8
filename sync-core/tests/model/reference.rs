//! What a record's commands add up to, told as plainly as it can be told: written from the documents alone, without the fold's code
//! and without a CRDT, and with no thought of speed.
//!
//! A command *saw* another if that stands at or before its `base`, or earlier in its own lane; of these it *built on* the largest
//! part that is closed under what those had built on. Everything else follows from who built on what.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::catalog::Catalogue;
use sync_core::command::{Audience, Content, Envelope, Verb};
use sync_core::id::{AssignmentId, ItemId, JournalId, RecordId, Seq};
use sync_core::journal::Fate;
use sync_core::record::{Logged, Place};
use sync_core::value::Value;

/// What a field adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    Register(Vec<(Value, Place)>),
    List(Vec<(ItemId, Value, Place)>),
    /// What it says is checked by what everyone had typed: see [`Texts`].
    Text,
    Withheld,
}

/// What is shown of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) base: Seq,
    pub(crate) verb: Verb,
    pub(crate) fate: Fate,
    pub(crate) reason: Option<String>,
    pub(crate) was: BTreeMap<String, Value>,
    pub(crate) cleared: Vec<(String, Place)>,
}

/// What a record adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    pub(crate) kind: String,
    pub(crate) created: Option<Place>,
    pub(crate) author: Option<AssignmentId>,
    pub(crate) audience: Option<Audience>,
    pub(crate) state: Option<String>,
    pub(crate) acted: Option<Place>,
    pub(crate) void: Option<(Place, Option<String>)>,
    pub(crate) fields: BTreeMap<String, Field>,
    pub(crate) lines: Vec<Line>,
    pub(crate) withheld: bool,
    pub(crate) erased: bool,
}

/// What each person had before him and what he left, in the texts of a record: by command.
pub(crate) type Texts = BTreeMap<Place, (String, String)>;

const TEXTS: [&str; 4] = ["note", "brief", "log", "result"];
const LISTS: [&str; 2] = ["checklist", "tags"];

pub(crate) fn is_text(field: &str) -> bool {
    TEXTS.contains(&field)
}

pub(crate) fn is_list(field: &str) -> bool {
    LISTS.contains(&field)
}

/// The commands in whose records' timelines this record's stands: its own, and erasures that name it.
pub(crate) fn concerning(record: RecordId, all: &[Logged]) -> Vec<Logged> {
    let concerns = |envelope: &Envelope| {
        let names = envelope.links.iter().any(|link| link.target == record);
        envelope.record == record || envelope.verb == Verb::Erase && names
    };
    let mut log = all.to_vec();
    log.retain(|logged| concerns(&logged.command.envelope));
    log
}

/// What each command of a log built on, by index.
pub(crate) fn built_on(log: &[Logged]) -> Vec<BTreeSet<usize>> {
    let mut built: Vec<BTreeSet<usize>> = Vec::new();
    for (index, logged) in log.iter().enumerate() {
        let saw = |other: &Logged| {
            let (mine, theirs) = (logged.place, other.place);
            theirs.seq <= logged.command.envelope.base
                || theirs.device == mine.device && theirs.n < mine.n
        };
        let mut on: BTreeSet<usize> = (0..index).filter(|other| saw(&log[*other])).collect();
        // Whatever misses something that it was itself built on goes, until nothing does.
        while let Some(loose) = on.iter().copied().find(|one| !built[*one].is_subset(&on)) {
            on.remove(&loose);
        }
        built.push(on);
    }
    built
}

/// Whether everyone had seen everything before him.
pub(crate) fn is_a_line(log: &[Logged]) -> bool {
    let log = counted(log);
    let built = built_on(&log);
    built
        .iter()
        .enumerate()
        .all(|(index, on)| on.len() == index)
}

pub(crate) fn counted(log: &[Logged]) -> Vec<Logged> {
    let mut counted = log.to_vec();
    counted.retain(|logged| matches!(logged.fate, Fate::Accepted | Fate::Flagged(_)));
    counted
}

/// What a command writes to fields as a whole, where it can be read: references always can.
fn writes(logged: &Logged) -> BTreeMap<String, Value> {
    let envelope = &logged.command.envelope;
    let mut written = BTreeMap::new();
    if matches!(envelope.verb, Verb::Erase | Verb::Reveal) {
        return written;
    }
    if let (Verb::Seal, Some(month)) = (envelope.verb, &envelope.action) {
        written.insert("month".to_owned(), Value::text(month.clone()));
    }
    let mut links: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for link in &envelope.links {
        let journal = link.journal.map(|journal| journal.0.to_vec());
        let bytes = [link.target.0.to_vec(), journal.unwrap_or_default()].concat();
        links
            .entry(&link.field)
            .or_default()
            .push(Value::Bytes(bytes));
    }
    for (field, mut targets) in links {
        let value = if targets.len() == 1 {
            targets.remove(0)
        } else {
            Value::List(targets)
        };
        written.insert(field.to_owned(), value);
    }
    if let Some(content) = &logged.command.content {
        let values = content.values.iter();
        written.extend(values.map(|(field, value)| (field.clone(), value.clone())));
    }
    written
}

fn reason(content: Option<&Content>) -> Option<String> {
    content.and_then(|content| content.reason.clone())
}

/// What stands in the fields after some of a record's commands, given by their indices.
struct Standing<'a> {
    journal: JournalId,
    log: &'a [Logged],
    built: &'a [BTreeSet<usize>],
    /// The commands that stand: none that was erased.
    among: BTreeSet<usize>,
}

impl Standing<'_> {
    fn fields(&self) -> BTreeMap<String, Field> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for index in &self.among {
            names.extend(writes(&self.log[*index]).into_keys());
            names.extend(self.log[*index].command.envelope.fields.clone());
        }
        let field = |name: String| Some((name.clone(), self.field(&name)?));
        names.into_iter().filter_map(field).collect()
    }

    fn field(&self, name: &str) -> Option<Field> {
        if self.is_withheld(name) {
            Some(Field::Withheld)
        } else if is_text(name) {
            let writes_text = |index: &usize| {
                let logged = &self.log[*index];
                let names = logged
                    .command
                    .envelope
                    .fields
                    .iter()
                    .any(|field| field == name);
                let reads = logged.command.envelope.verb != Verb::Reveal;
                names && reads && logged.command.content.is_some()
            };
            self.among.iter().any(writes_text).then_some(Field::Text)
        } else if is_list(name) {
            let items = self.items(name);
            (!items.is_empty()).then_some(Field::List(items))
        } else {
            let values = self.values(name);
            (!values.is_empty()).then_some(Field::Register(values))
        }
    }

    /// Whether one that stands built on another.
    fn is_followed(&self, one: usize, by: impl Fn(&Logged) -> bool) -> bool {
        let mut others = self.among.iter();
        others.any(|other| self.built[*other].contains(&one) && by(&self.log[*other]))
    }

    /// All values that nobody who built on them replaced; equal ones once.
    fn values(&self, name: &str) -> Vec<(Value, Place)> {
        let mut values: Vec<(Value, Place)> = Vec::new();
        for index in &self.among {
            let logged = &self.log[*index];
            let Some(value) = writes(logged).remove(name) else {
                continue;
            };
            let replaced = self.is_followed(*index, |other| writes(other).contains_key(name));
            if !replaced && values.iter().all(|(other, _)| *other != value) {
                values.push((value, logged.place));
            }
        }
        values
    }

    /// Everything added that nobody who built on it removed.
    fn items(&self, name: &str) -> Vec<(ItemId, Value, Place)> {
        let mut items = Vec::new();
        for index in &self.among {
            let logged = &self.log[*index];
            let Some(Value::List(values)) = writes(logged).remove(name) else {
                continue;
            };
            for (k, value) in (0..).zip(values) {
                let Place { n, device, .. } = logged.place;
                let id = ItemId::derive(device, self.journal, n, name, k);
                let removes = |other: &Logged| {
                    let content = other.command.content.as_ref();
                    content.is_some_and(|content| content.removed.contains(&id))
                };
                if !self.is_followed(*index, removes) {
                    items.push((id, value, logged.place));
                }
            }
        }
        items
    }

    /// Whether something was written to it that cannot be read, and that nobody who built on it replaced as a whole.
    fn is_withheld(&self, name: &str) -> bool {
        self.among.iter().any(|index| {
            let logged = &self.log[*index];
            let Envelope { verb, fields, .. } = &logged.command.envelope;
            let hidden = logged.command.content.is_none() && *verb != Verb::Reveal;
            let replaces = |other: &Logged| !is_list(name) && writes(other).contains_key(name);
            hidden
                && fields.iter().any(|field| field == name)
                && !self.is_followed(*index, replaces)
        })
    }
}

/// What a record's log adds up to, for whoever reads what content is there.
pub(crate) fn fold(
    catalogue: &Catalogue,
    journal: JournalId,
    record: RecordId,
    log: &[Logged],
    texts: &Texts,
) -> Expected {
    let mut expected = Expected::default();
    let counting = counted(log);
    let built = built_on(&counting);
    let erases = |logged: &Logged| logged.command.envelope.verb == Verb::Erase;
    let last_erasure = counting.iter().rposition(erases);
    let erased_at = last_erasure.map(|index| counting[index].place);
    let living: BTreeSet<usize> = (last_erasure.map_or(0, |at| at + 1)..counting.len()).collect();
    let standing = |among| Standing {
        journal,
        log: &counting,
        built: &built,
        among,
    };
    expected.fields = standing(living.clone()).fields();
    expected.erased = last_erasure.is_some();
    for logged in log {
        let content = logged.command.content.as_ref();
        let is_late = erased_at.is_some_and(|at| logged.place > at);
        let is_gone = expected.erased && !erases(logged);
        if content.is_none()
            && !matches!(logged.fate, Fate::Refused(..))
            && !is_gone
            && (!expected.erased || is_late || Some(logged.place) == erased_at)
        {
            expected.withheld = true;
        }
        expected.lines.push(Line {
            place: logged.place,
            base: logged.command.envelope.base,
            verb: logged.command.envelope.verb,
            fate: logged.fate.clone(),
            reason: reason(content).filter(|_| !is_gone),
            was: BTreeMap::new(),
            cleared: Vec::new(),
        });
    }
    for (index, logged) in counting.iter().enumerate() {
        let envelope = &logged.command.envelope;
        if envelope.verb == Verb::Amend && living.contains(&index) {
            let among = built[index].intersection(&living).copied().collect();
            let was = replaced(&standing(among), logged, texts);
            let mut lines = expected.lines.iter_mut();
            if let Some(line) = lines.find(|line| line.place == logged.place) {
                line.was = was;
            }
        }
        if envelope.record == record {
            expected.step(catalogue, logged);
        }
    }
    if expected.erased
        && let Some((_, reason)) = &mut expected.void
    {
        *reason = None;
    }
    expected
}

/// What stood, in its author's sight, in the fields that an amendment writes.
fn replaced(before: &Standing<'_>, logged: &Logged, texts: &Texts) -> BTreeMap<String, Value> {
    let Envelope { fields, links, .. } = &logged.command.envelope;
    let linked = links.iter().map(|link| &link.field);
    let mut was = BTreeMap::new();
    for field in fields.iter().chain(linked) {
        let stood = match before.field(field) {
            Some(Field::Register(values)) => values.first().map(|(value, _)| value.clone()),
            Some(Field::List(items)) => {
                let values = items.into_iter().map(|(_, value, _)| value);
                Some(Value::List(values.collect()))
            }
            Some(Field::Text) => {
                let text = texts.get(&logged.place).map(|(before, _)| before);
                text.map(|text| Value::text(text.clone()))
            }
            Some(Field::Withheld) | None => None,
        };
        was.extend(stood.map(|value| (field.clone(), value)));
    }
    was
}

impl Expected {
    /// What follows journal order, whoever had seen what.
    fn step(&mut self, catalogue: &Catalogue, logged: &Logged) {
        let envelope = &logged.command.envelope;
        match envelope.verb {
            Verb::Create => {
                self.make(logged);
                self.state.clone_from(&envelope.action);
            }
            Verb::Seal => {
                self.make(logged);
                self.state = Some("sealed".to_owned());
            }
            Verb::Act => {
                self.acted = Some(logged.place);
                let name = envelope.action.as_deref().unwrap_or_default();
                let kind = catalogue.kind(&envelope.kind);
                let action = kind.and_then(|kind| kind.action(name));
                if let Some(to) = action.and_then(|action| action.to.clone()) {
                    self.state = Some(to);
                }
            }
            Verb::Void if self.void.is_none() => {
                let reason = reason(logged.command.content.as_ref());
                self.void = Some((logged.place, reason));
            }
            Verb::Set if envelope.fields.is_empty() && envelope.links.is_empty() => {
                self.audience = Some(envelope.audience);
            }
            Verb::Clear => self.clear(envelope, logged.place),
            _ => {}
        }
    }

    fn make(&mut self, logged: &Logged) {
        let envelope = &logged.command.envelope;
        self.kind.clone_from(&envelope.kind);
        self.created = Some(logged.place);
        self.author = Some(logged.assignment);
        self.audience = Some(envelope.audience);
    }

    /// Takes away the marks of one cause from what stands up to its base; nobody clears what another cleared.
    fn clear(&mut self, envelope: &Envelope, by: Place) {
        let cause = envelope.action.clone().unwrap_or_default();
        for line in &mut self.lines {
            let is_marked = matches!(&line.fate, Fate::Flagged(causes) if causes.contains(&cause));
            let is_cleared = line.cleared.iter().any(|(other, _)| *other == cause);
            if line.place < by && line.place.seq <= envelope.base && is_marked && !is_cleared {
                line.cleared.push((cause.clone(), by));
            }
        }
    }
}

/// What is wrong with a text, if anything: each character typed stands once unless somebody who saw it took it out; everybody finds
/// what he saw in the order in which he saw it; and nobody's run is broken but by those who saw it.
pub(crate) fn text_fault(field: &str, log: &[Logged], texts: &Texts, text: &str) -> Option<String> {
    let log = counted(log);
    let built = built_on(&log);
    let erases = |logged: &Logged| logged.command.envelope.verb == Verb::Erase;
    let from = log.iter().rposition(erases).map_or(0, |at| at + 1);
    let edits: Vec<(usize, &String, &String)> = log
        .iter()
        .enumerate()
        .skip(from)
        .filter(|(_, logged)| {
            logged
                .command
                .envelope
                .fields
                .iter()
                .any(|name| name == field)
        })
        .filter_map(|(index, logged)| {
            let (before, after) = texts.get(&logged.place)?;
            Some((index, before, after))
        })
        .collect();
    let mut typed: BTreeMap<char, usize> = BTreeMap::new();
    for (index, before, after) in &edits {
        let new = after.chars().filter(|char| !before.contains(*char));
        typed.extend(new.map(|char| (char, *index)));
    }
    let is_deleted = |char: char, by: usize| {
        edits.iter().any(|(index, before, after)| {
            built[*index].contains(&by) && before.contains(char) && !after.contains(char)
        })
    };
    let mut expected: Vec<char> = typed
        .iter()
        .filter(|(char, by)| !is_deleted(**char, **by))
        .map(|(char, _)| *char)
        .collect();
    let stands: Vec<char> = text.chars().collect();
    let mut sorted = stands.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    if sorted != expected {
        return Some(format!(
            "{field} holds {sorted:?} where {expected:?} should stand"
        ));
    }
    let at = |char: char| stands.iter().position(|other| *other == char);
    for (index, before, after) in &edits {
        let places: Vec<usize> = after.chars().filter_map(at).collect();
        if !places.is_sorted() {
            return Some(format!("{field}: {after:?} is out of order in {text:?}"));
        }
        let run: Vec<usize> = after
            .chars()
            .filter(|char| !before.contains(*char))
            .filter_map(at)
            .collect();
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        for char in &stands[*first..=*last] {
            let by = typed[char];
            if by != *index && !built[by].contains(index) && !built[*index].contains(&by) {
                return Some(format!(
                    "{field}: {char} stands inside a run that its author never saw"
                ));
            }
        }
    }
    None
}
