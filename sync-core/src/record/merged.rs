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

use super::{Context, Held, Item, Logged, Merge, Place, Rules, Slot, new_items, replaced, written};
use crate::command::{Splice, Verb};
use crate::id::{ItemId, JournalId, sha256};
use crate::value::{Fields, Value};

/// What the document says.
pub(super) struct Merged {
    pub(super) fields: BTreeMap<String, Slot>,
    /// What amendments replaced.
    pub(super) was: BTreeMap<Place, Fields>,
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
    Ok(Merged {
        fields,
        was,
        document: document.automerge.save(),
    })
}

/// What amendments replaced, by their places.
type Replaced = BTreeMap<Place, Fields>;

struct Document<'a> {
    rules: &'a dyn Rules,
    journal: JournalId,
    kind: &'a str,
    automerge: Automerge,
    objects: BTreeMap<String, (Merge, ObjId)>,
    /// The heads of the changes that made the objects: part of every context.
    fixed: Vec<ChangeHash>,
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
            changes.push(self.apply(logged, &contexts, index, &changes)?);
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
        for (at, logged) in log.iter().enumerate().skip(erased) {
            let envelope = &logged.command.envelope;
            if logged.command.content.is_none() && envelope.verb != Verb::Reveal {
                let stands = |field: &&String| {
                    !self.is_rewritten(contexts, log, at, logged.catalogue, field)
                };
                fields.extend(
                    envelope
                        .fields
                        .iter()
                        .filter(stands)
                        .map(|field| (field.clone(), Slot::Withheld)),
                );
            }
        }
        Ok(fields)
    }

    /// Whether what a command wrote to a field was replaced as a whole by one that saw it: then nothing of it is left to withhold.
    fn is_rewritten(
        &self,
        contexts: &Context,
        log: &[&Logged],
        at: usize,
        catalogue: u32,
        field: &str,
    ) -> bool {
        if self.rules.merge(catalogue, self.kind, field) == Merge::List {
            return false;
        }
        let rewrites = |logged: &Logged| written(logged).any(|(name, _)| name == field);
        log.iter()
            .enumerate()
            .skip(at + 1)
            .any(|(later, logged)| rewrites(logged) && contexts.of(later).any(|seen| seen == at))
    }

    fn apply(
        &mut self,
        logged: &Logged,
        contexts: &Context,
        index: usize,
        changes: &[Option<ChangeHash>],
    ) -> Result<Option<ChangeHash>, AutomergeError> {
        for field in &logged.command.envelope.fields {
            self.object(logged.catalogue, field)?;
        }
        let hash = |index: &usize| changes.get(*index).copied().flatten();
        let frontier = contexts.frontier(index);
        let mut heads: Vec<ChangeHash> = frontier.iter().filter_map(hash).collect();
        if heads.len() < frontier.len() {
            // A command without a change of its own hides what it had seen: name all.
            heads = contexts.of(index).filter_map(|seen| hash(&seen)).collect();
        }
        heads.extend(&self.fixed);
        self.automerge.set_actor(actor(&logged.place));
        let journal = self.journal;
        let objects = &self.objects;
        let mut tx = self
            .automerge
            .transaction_at(PatchLog::inactive(), &heads)
            .map_err(|_| AutomergeError::Fail)?;
        write(&mut tx, objects, journal, logged)?;
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        Ok(hash)
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
            let value = logged
                .command
                .content
                .as_ref()
                .and_then(|content| content.value(field).cloned());
            let values = match value {
                Some(Value::List(values)) => values,
                Some(value) => vec![value],
                None => Vec::new(),
            };
            new_items(logged, self.journal, field, &values).collect::<Vec<_>>()
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

fn write(
    tx: &mut Transaction<'_>,
    objects: &BTreeMap<String, (Merge, ObjId)>,
    journal: JournalId,
    logged: &Logged,
) -> Result<(), AutomergeError> {
    for (field, value) in written(logged) {
        match objects.get(field) {
            Some((Merge::Text, object)) => {
                let length = tx.length(object);
                let text = value.as_text().unwrap_or_default();
                tx.splice_text(
                    object,
                    0,
                    isize::try_from(length).unwrap_or(isize::MAX),
                    text,
                )?;
            }
            Some((_, object)) => {
                let values = if let Value::List(values) = &value {
                    values.as_slice()
                } else {
                    core::slice::from_ref(&value)
                };
                for item in new_items(logged, journal, field, values) {
                    put_value(tx, object, &item.id.to_string(), &item.value)?;
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
    let envelope = &logged.command.envelope;
    let (Some(content), Some(field)) = (&logged.command.content, envelope.fields.first()) else {
        return Ok(());
    };
    match objects.get(field) {
        Some((Merge::Text, object)) if envelope.verb == Verb::Edit => content
            .splices
            .iter()
            .try_for_each(|splice| splice_object(tx, object, splice)),
        Some((Merge::List, object)) => content
            .removed
            .iter()
            .try_for_each(|item| remove(tx, object, item)),
        _ => Ok(()),
    }
}

fn splice_object(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    splice: &Splice,
) -> Result<(), AutomergeError> {
    let length = tx.length(object);
    let at = length.min(splice.at as usize);
    let delete = (length - at).min(splice.delete as usize);
    tx.splice_text(
        object,
        at,
        isize::try_from(delete).unwrap_or(isize::MAX),
        &splice.insert,
    )
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
