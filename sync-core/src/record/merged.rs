//! The fold as an Automerge document: each command is one change, made in the context in which it was written.
//!
//! Every change has an actor of its own, derived from its command's place, so that two changes never contend for one
//! sequence. Text and list objects are made by one fixed change per kind and field (fixed actor, no dependencies, time 0), so that two
//! first edits meet in one object. What a register *holds* is read from the commands; the document says which of them stand.

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, ChangeHash, ObjId, ObjType, PatchLog, ROOT, ReadDoc,
    ScalarValue, TextEncoding,
};

use super::{
    Context, Held, Item, Logged, Merge, Place, Rules, Slot, list_fits, listed, new_items, new_text,
    replaced, text_fits, written,
};
use crate::command::{Command, Splice, Verb};
use crate::id::{ItemId, JournalId, sha256};
use crate::text::difference;
use crate::value::{Fields, Value};

/// What the document says.
pub(super) struct Merged {
    pub(super) fields: BTreeMap<String, Slot>,
    /// What amendments replaced.
    pub(super) was: BTreeMap<Place, Fields>,
    /// Whether a limit is crossed, or something was no change because it would have crossed one.
    pub(super) over: bool,
    pub(super) document: Vec<u8>,
}

/// Folds the fields of a record of this kind.
pub(super) fn fold_fields(
    rules: &dyn Rules,
    journal: JournalId,
    kind: &str,
    log: &[Logged],
) -> Result<Merged, AutomergeError> {
    let mut document = Document::new(rules, journal, kind);
    let counted: Vec<&Logged> = log.iter().filter(|logged| logged.fate.counts()).collect();
    let (fields, was) = document.fold(&counted)?;
    let over = document.over
        || fields.values().any(|slot| match slot {
            Slot::Text(text) => !text_fits(0, text.chars().count()),
            Slot::List(items) => !list_fits(items.len()),
            Slot::Register(_) | Slot::Withheld => false,
        });
    Ok(Merged {
        fields,
        was,
        over,
        document: document.automerge.save(),
    })
}

/// What amendments replaced, by their places.
type Replaced = BTreeMap<Place, Fields>;

/// How many code points a command takes out of a text before the document is forked for it. To write into the past without a fork
/// is cheaper for a few, but looks each of them up from the text's beginning: the square of its length for a text given anew.
const TAKEN_IN_PLACE_MAX: usize = 64;

struct Document<'a> {
    rules: &'a dyn Rules,
    journal: JournalId,
    kind: &'a str,
    automerge: Automerge,
    objects: BTreeMap<String, (Merge, ObjId)>,
    /// The heads of the changes that made the objects: part of every context.
    fixed: Vec<ChangeHash>,
    /// Whether something that would have crossed a limit was no change.
    over: bool,
}

impl<'a> Document<'a> {
    fn new(rules: &'a dyn Rules, journal: JournalId, kind: &'a str) -> Self {
        let automerge = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint);
        Self {
            rules,
            journal,
            kind,
            automerge,
            objects: BTreeMap::new(),
            fixed: Vec::new(),
            over: false,
        }
    }

    fn fold(
        &mut self,
        log: &[&Logged],
    ) -> Result<(BTreeMap<String, Slot>, Replaced), AutomergeError> {
        let erased = log
            .iter()
            .rposition(|logged| logged.command.envelope.verb == Verb::Erase)
            .map_or(0, |erased| erased + 1);
        let (mut contexts, mut changes) = (Context::default(), Vec::<Option<ChangeHash>>::new());
        let mut was = BTreeMap::new();
        for (index, logged) in log.iter().enumerate() {
            let earlier = log.get(..index).unwrap_or_default();
            contexts.push(logged, earlier);
            if index < erased {
                changes.push(None);
                continue;
            }
            if logged.command.envelope.verb == Verb::Amend {
                let standing = self.fields(&contexts, earlier, erased)?;
                was.extend(replaced(&standing, logged).map(|replaced| (logged.place, replaced)));
            }
            let (change, unfit) = self.apply(logged, &contexts, index, &changes)?;
            changes.push(change);
            let shown = |field: &String| {
                // Where part of it may not be read, nobody knows how long it is.
                let withheld = self.withheld(&contexts, earlier, erased, Some(index));
                withheld.iter().all(|(other, _)| other != field)
            };
            self.over |= self.is_too_long(logged) || unfit.iter().any(shown);
        }
        Ok((self.fields(&contexts, log, erased)?, was))
    }

    /// What stands after these commands, of which the first `erased` were erased.
    fn fields(
        &self,
        contexts: &Context,
        log: &[&Logged],
        erased: usize,
    ) -> Result<BTreeMap<String, Slot>, AutomergeError> {
        let mut fields = self.read(log)?;
        fields.extend(self.withheld(contexts, log, erased, None));
        Ok(fields)
    }

    /// The fields of which something may not be read, in the sight of one command or after all.
    fn withheld(
        &self,
        contexts: &Context,
        log: &[&Logged],
        erased: usize,
        sight: Option<usize>,
    ) -> Vec<(String, Slot)> {
        let sight: Option<BTreeSet<usize>> = sight.map(|index| contexts.of(index).collect());
        let is_seen = |at: usize| sight.as_ref().is_none_or(|sight| sight.contains(&at));
        let mut withheld = Vec::new();
        for (at, logged) in log.iter().enumerate().skip(erased) {
            let envelope = &logged.command.envelope;
            let reads = logged.command.content.is_some() || envelope.verb == Verb::Reveal;
            if reads || !is_seen(at) {
                continue;
            }
            let is_rewritten = |field: &str| {
                // No command has seen itself.
                let later = log.iter().enumerate().skip(at);
                later
                    .filter(|(later, _)| is_seen(*later))
                    .any(|(later, other)| {
                        self.rewrites(other, field) && contexts.of(later).any(|seen| seen == at)
                    })
            };
            let stands = envelope.fields.iter().filter(|field| !is_rewritten(field));
            withheld.extend(stands.map(|field| (field.clone(), Slot::Withheld)));
        }
        withheld
    }

    /// Whether a command replaces as a whole what stood in a field: then nothing of that is left to withhold.
    fn rewrites(&self, logged: &Logged, field: &str) -> bool {
        let replaces = |value: &Value| match self.rules.merge(logged.catalogue, self.kind, field) {
            Merge::Register => true,
            Merge::Text => new_text(value).is_some(),
            Merge::List => false,
        };
        written(logged).any(|(name, value)| name == field && replaces(&value))
    }

    /// Whether a command gives a text field anew, and at too great a length.
    fn is_too_long(&self, logged: &Logged) -> bool {
        let is_text =
            |field: &str| self.rules.merge(logged.catalogue, self.kind, field) == Merge::Text;
        written(logged).any(|(field, value)| is_text(field) && new_text(&value).is_none())
    }

    /// Makes a command's change, and names the fields whose part of it did not fit.
    fn apply(
        &mut self,
        logged: &Logged,
        contexts: &Context,
        index: usize,
        changes: &[Option<ChangeHash>],
    ) -> Result<(Option<ChangeHash>, Vec<String>), AutomergeError> {
        let edited = edited(logged).map(|(field, _)| field);
        for field in written(logged).map(|(field, _)| field).chain(edited) {
            self.object(logged.catalogue, field)?;
        }
        let change = Change {
            objects: &self.objects,
            journal: self.journal,
            logged,
        };
        if contexts.of(index).count() == index {
            return change.make(&mut self.automerge, None);
        }
        let hash = |index: &usize| changes.get(*index).copied().flatten();
        let frontier = contexts.frontier(index);
        let mut heads: Vec<ChangeHash> = frontier.iter().filter_map(hash).collect();
        if heads.len() < frontier.len() {
            // A command without a change of its own hides what it had seen: name all.
            heads = contexts.of(index).filter_map(|seen| hash(&seen)).collect();
        }
        heads.extend(&self.fixed);
        if change.takes() <= TAKEN_IN_PLACE_MAX {
            return change.make(&mut self.automerge, Some(&heads));
        }
        let mut fork = self.automerge.fork_at(&heads)?;
        let made = change.make(&mut fork, None)?;
        self.automerge.merge(&mut fork)?;
        Ok(made)
    }

    /// Makes the object of a text or list field, if it is one and not there yet.
    fn object(&mut self, catalogue: u32, field: &str) -> Result<(), AutomergeError> {
        let merge = self.rules.merge(catalogue, self.kind, field);
        let kind = match merge {
            Merge::Register => return Ok(()),
            Merge::Text => ObjType::Text,
            Merge::List => ObjType::Map,
        };
        if self.objects.contains_key(field) {
            return Ok(());
        }
        let digest = sha256(&[
            b"zhucun field v1",
            self.kind.as_bytes(),
            &[0],
            field.as_bytes(),
        ])
        .0;
        let mut alone = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint);
        alone.set_actor(ActorId::from(digest.get(..16).unwrap_or_default()));
        let mut tx = alone.transaction();
        let object = tx.put_object(ROOT, field, kind)?;
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        self.automerge.merge(&mut alone)?;
        self.fixed.extend(hash);
        self.objects.insert(field.to_owned(), (merge, object));
        Ok(())
    }

    fn read(&self, log: &[&Logged]) -> Result<BTreeMap<String, Slot>, AutomergeError> {
        let places: BTreeMap<ActorId, &Logged> = log
            .iter()
            .map(|logged| (actor(&logged.place), *logged))
            .collect();
        let mut fields = BTreeMap::new();
        for field in self.automerge.keys(ROOT) {
            let slot = match self.objects.get(&field) {
                Some((Merge::Text, object)) => Slot::Text(self.automerge.text(object)?),
                Some((_, object)) => Slot::List(self.items(object, &field, log)),
                None => Slot::Register(self.held(&field, &places)?),
            };
            fields.insert(field, slot);
        }
        fields.retain(|_, slot| !matches!(slot, Slot::List(items) if items.is_empty()));
        Ok(fields)
    }

    fn items(&self, object: &ObjId, field: &str, log: &[&Logged]) -> Vec<Item> {
        let standing: BTreeSet<String> = self.automerge.keys(object).collect();
        let inserted = log.iter().flat_map(|logged| {
            let content = logged.command.content.as_ref();
            let value = content.and_then(|content| content.value(field));
            let values = value.map(listed).unwrap_or_default();
            new_items(logged, self.journal, field, values).collect::<Vec<_>>()
        });
        inserted
            .filter(|item| standing.contains(&item.id.to_string()))
            .collect()
    }

    fn held(
        &self,
        field: &str,
        places: &BTreeMap<ActorId, &Logged>,
    ) -> Result<Vec<Held>, AutomergeError> {
        let mut held: Vec<Held> = Vec::new();
        for (_, id) in self.automerge.get_all(ROOT, field)? {
            let ObjId::Id(_, actor, _) = &id else {
                continue;
            };
            let Some(logged) = places.get(actor) else {
                continue;
            };
            let value = written(logged)
                .find(|(name, _)| *name == field)
                .map(|(_, value)| value);
            held.extend(value.map(|value| Held {
                value,
                by: logged.place,
            }));
        }
        held.sort_by_key(|held| held.by);
        // Equal concurrent values are one value; the earliest is named.
        let mut distinct: Vec<Held> = Vec::new();
        for one in held {
            if distinct.iter().all(|other| other.value != one.value) {
                distinct.push(one);
            }
        }
        Ok(distinct)
    }
}

/// The actor of the change that a command becomes.
fn actor(place: &Place) -> ActorId {
    let mut bytes = place.device.0.to_vec();
    bytes.extend(place.n.to_be_bytes());
    ActorId::from(bytes)
}

/// A command on its way to becoming a change.
struct Change<'a> {
    objects: &'a BTreeMap<String, (Merge, ObjId)>,
    journal: JournalId,
    logged: &'a Logged,
}

impl Change<'_> {
    /// Makes the change at these heads, or on top of everything, and names the fields whose part of it did not fit.
    fn make(
        &self,
        automerge: &mut Automerge,
        heads: Option<&[ChangeHash]>,
    ) -> Result<(Option<ChangeHash>, Vec<String>), AutomergeError> {
        automerge.set_actor(actor(&self.logged.place));
        let mut tx = match heads {
            None => automerge.transaction(),
            Some(heads) => automerge
                .transaction_at(PatchLog::inactive(), heads)
                .map_err(|_| AutomergeError::Fail)?,
        };
        let unfit = write(&mut tx, self.objects, self.journal, self.logged)?;
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        Ok((hash, unfit))
    }

    /// How many code points it takes out of a text at most.
    fn takes(&self) -> usize {
        let is_text = |field: &str| matches!(self.objects.get(field), Some((Merge::Text, _)));
        if written(self.logged).any(|(field, _)| is_text(field)) {
            return usize::MAX;
        }
        let splices = edited(self.logged).map_or(&[][..], |(_, splices)| splices);
        let taken = splices.iter().map(|splice| splice.delete as usize);
        taken.fold(0, usize::saturating_add)
    }
}

/// The field that a command edits, and how.
fn edited(logged: &Logged) -> Option<(&str, &[Splice])> {
    let Command { envelope, content } = &logged.command;
    let field = envelope
        .fields
        .first()
        .filter(|_| envelope.verb == Verb::Edit);
    Some((field?, &content.as_ref()?.splices))
}

fn write(
    tx: &mut Transaction<'_>,
    objects: &BTreeMap<String, (Merge, ObjId)>,
    journal: JournalId,
    logged: &Logged,
) -> Result<Vec<String>, AutomergeError> {
    let mut unfit = Vec::new();
    for (field, value) in written(logged) {
        match objects.get(field) {
            Some((Merge::Text, object)) => {
                // What stays stays itself: what others write beside it meanwhile keeps its place.
                if let Some(text) = new_text(&value)
                    && let Some(new) = difference(&tx.text(object)?, text)
                {
                    splice(
                        tx,
                        object,
                        new.at as usize,
                        new.delete as usize,
                        &new.insert,
                    )?;
                }
            }
            Some((_, object)) => {
                let values = listed(&value);
                if list_fits(tx.length(object) + values.len()) {
                    for item in new_items(logged, journal, field, values) {
                        put_value(tx, object, &item.id.to_string(), &item.value)?;
                    }
                } else {
                    unfit.push(field.to_owned());
                }
            }
            None => {
                // A put of an equal value would make no change, and the writer's word would be lost in a merge.
                if !tx.get_all(ROOT, field)?.is_empty() {
                    tx.delete(ROOT, field)?;
                }
                put_value(tx, &ROOT, field, &value)?;
            }
        }
    }
    if let Some((field, splices)) = edited(logged)
        && let Some((Merge::Text, object)) = objects.get(field)
    {
        let had = tx.length(object);
        let clamped = clamp(had, splices);
        let has = clamped.iter().fold(had, |length, clamped| {
            length - clamped.delete + clamped.chars
        });
        if text_fits(had, has) {
            for Clamped {
                at, delete, insert, ..
            } in clamped
            {
                splice(tx, object, at, delete, insert)?;
            }
        } else {
            unfit.push(field.to_owned());
        }
    }
    let Command { envelope, content } = &logged.command;
    if let (Some(content), Some(field)) = (content, envelope.fields.first())
        && let Some((Merge::List, object)) = objects.get(field)
    {
        for item in &content.removed {
            remove(tx, object, item)?;
        }
    }
    Ok(unfit)
}

/// A splice within the text that it meets.
struct Clamped<'a> {
    at: usize,
    delete: usize,
    chars: usize,
    insert: &'a str,
}

/// Splices one after the other in a text of so many code points: what lies beyond its end clamps to it.
fn clamp(mut length: usize, splices: &[Splice]) -> Vec<Clamped<'_>> {
    let mut clamped = Vec::with_capacity(splices.len());
    for splice in splices {
        let at = length.min(splice.at as usize);
        let delete = (length - at).min(splice.delete as usize);
        let (insert, chars) = (splice.insert.as_str(), splice.insert.chars().count());
        length = length - delete + chars;
        clamped.push(Clamped {
            at,
            delete,
            chars,
            insert,
        });
    }
    clamped
}

fn splice(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    at: usize,
    delete: usize,
    insert: &str,
) -> Result<(), AutomergeError> {
    let delete = isize::try_from(delete).unwrap_or(isize::MAX);
    tx.splice_text(object, at, delete, insert)
}

fn remove(tx: &mut Transaction<'_>, object: &ObjId, item: &ItemId) -> Result<(), AutomergeError> {
    let key = item.to_string();
    if tx.get(object, key.as_str())?.is_some() {
        tx.delete(object, key.as_str())
    } else {
        Ok(())
    }
}

/// Writes a value in the form that other readers of Automerge documents expect.
fn put_value(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    key: &str,
    value: &Value,
) -> Result<(), AutomergeError> {
    match value {
        Value::Struct(fields) => {
            let map = tx.put_object(object, key, ObjType::Map)?;
            put_fields(tx, &map, fields)
        }
        Value::List(values) => {
            let list = tx.put_object(object, key, ObjType::List)?;
            for (index, value) in values.iter().enumerate() {
                tx.insert(&list, index, scalar(value))?;
            }
            Ok(())
        }
        value => tx.put(object, key, scalar(value)),
    }
}

fn put_fields(
    tx: &mut Transaction<'_>,
    map: &ObjId,
    fields: &Fields,
) -> Result<(), AutomergeError> {
    fields
        .iter()
        .try_for_each(|(name, value)| tx.put(map, name.as_str(), scalar(value)))
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null | Value::List(_) | Value::Struct(_) => ScalarValue::Null,
        Value::Bool(value) => ScalarValue::Boolean(*value),
        Value::Int(value) => ScalarValue::Int(*value),
        Value::Decimal(mantissa, exponent) => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "for other readers only; what the register holds comes from the command"
            )]
            let value = *mantissa as f64 * 10f64.powi(i32::from(*exponent));
            ScalarValue::F64(value)
        }
        Value::Text(value) => ScalarValue::Str(value.as_str().into()),
        Value::Bytes(value) => ScalarValue::Bytes(value.clone()),
    }
}
