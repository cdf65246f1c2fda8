//! What changed nothing or was refused, until it is offered again or left aside.

use std::collections::BTreeMap;

use super::local::{Local, written_fields};
use super::save::Draft;
use super::{CannotSave, Device, Effect, Key, Saved, World, Write};
use crate::batch::{Parts, Unsealed};
use crate::command::{Content, Envelope, Origin, Splice, Verb};
use crate::id::{DeviceId, Digest, JournalId, Seq, Timestamp};
use crate::journal::Fate;
use crate::record::{self, Logged, Rules, Slot};
use crate::text;

/// A command that did not count, and that nobody has offered again since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Its place in its lane: what offering it again names.
    pub origin: Origin,
    /// The entry that has it.
    pub seq: Seq,
    /// What became of it.
    pub fate: Fate,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its content, where this device may read it.
    pub content: Option<Content>,
}

/// The receipt of a command, as this device verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The entry that has it.
    pub seq: Seq,
    /// When the server received it, once its entry is here.
    pub received_at: Option<Timestamp>,
    /// The chain's head after the entry, once it is here.
    pub head: Option<Digest>,
    /// What became of it.
    pub fate: Fate,
}

impl Device {
    /// The receipt of a command; `None` while it has none here.
    pub fn receipt(&self, origin: Origin) -> Option<Received> {
        let local = self.journals.get(&origin.journal)?;
        let command = local.answered().find(|command| command.origin == origin)?;
        let entry = local.entries.get(&command.seq);
        Some(Received {
            seq: command.seq,
            received_at: entry.map(|entry| entry.head.received_at),
            head: local.head_at(command.seq),
            fate: command.fate.clone(),
        })
    }

    /// Commands of this device's user, written here or on his earlier devices, that changed nothing or were refused and have
    /// neither been offered again nor left aside; in the order of their journals and places.
    pub fn to_answer(&self) -> Vec<Unanswered> {
        self.unanswered(|device| self.is_own(device))
    }

    /// The same of teammates, as far as this device may read what they wrote: somebody may have to sign for them.
    pub fn to_answer_for_others(&self) -> Vec<Unanswered> {
        let mut unanswered = self.unanswered(|device| !self.is_own(device));
        unanswered.retain(|command| command.content.is_some());
        unanswered
    }

    fn unanswered(&self, of: impl Fn(DeviceId) -> bool) -> Vec<Unanswered> {
        let locals = self.journals.values();
        let mut unanswered: Vec<_> = locals.flat_map(|local| local.in_vain(&of)).collect();
        unanswered.retain(|command| !self.left.contains(&command.origin));
        unanswered
    }

    /// Leaves a command aside that changed nothing or was refused: it stays in the record's timeline and is not asked about again.
    pub fn leave_aside(&mut self, origin: Origin) -> Vec<Effect> {
        self.left.insert(origin);
        vec![Effect::Persist(vec![Write::put(
            Key::Left(origin),
            Vec::new(),
        )])]
    }

    /// Offers again a command that was refused or without effect: its own author, or who signs for him. A text edit becomes a
    /// fresh edit of the text as it stands now.
    pub fn offer_again(
        &mut self,
        world: &mut World<'_>,
        origin: Origin,
    ) -> Result<Saved, CannotSave> {
        let journal = origin.journal;
        let local = self
            .journals
            .get(&journal)
            .ok_or(CannotSave::UnknownJournal)?;
        let (command, fate) = local.entered(origin).ok_or(CannotSave::NothingToOffer)?;
        if fate.counts() {
            return Err(CannotSave::NothingToOffer);
        }
        let Unsealed {
            mut envelope,
            mut content,
        } = command;
        let root = envelope.origin.unwrap_or(origin);
        let place = local.place_to_offer(origin, &fate, &envelope, Some(&content));
        let place = place.unwrap_or(root);
        if place != root && envelope.verb == Verb::Create {
            envelope.record = place.record();
        }
        if envelope.verb == Verb::Edit {
            content.splices =
                self.fresh_splices(journal, &envelope, origin.device, &content.splices);
        }
        let local = self
            .journals
            .get(&journal)
            .ok_or(CannotSave::UnknownJournal)?;
        // It is said anew, on what stands now; what it once needed is answered for. When it was first said, its origin tells.
        let (n, base) = (local.next_n(), local.chain.end.seq);
        let envelope = Envelope {
            n,
            base,
            at: world.now,
            needs: None,
            origin: Some(place),
            digest: Digest([0; 32]),
            ..envelope
        };
        let draft = Draft {
            commands: vec![Unsealed { envelope, content }],
            form: None,
        };
        self.save_commands(world, journal, draft)
    }

    /// The splices that do to the text as it stands what these did to the text that their author saw.
    fn fresh_splices(
        &self,
        journal: JournalId,
        edit: &Envelope,
        author: DeviceId,
        splices: &[Splice],
    ) -> Vec<Splice> {
        let Some(field) = edit.fields.first() else {
            return Vec::new();
        };
        let text_of = |record: Option<&record::Record>| match record
            .and_then(|record| record.fields.get(field))
        {
            Some(Slot::Text(text)) => text.clone(),
            Some(Slot::Register(_) | Slot::List(_) | Slot::Withheld) | None => String::new(),
        };
        let local = self.journals.get(&journal);
        let seen = local.map(|local| local.as_seen_by(&self.catalogues, edit, author));
        let now = self.record(journal, edit.record);
        text::rebase(&text_of(seen.as_ref()), splices, &text_of(now.as_deref()))
    }
}

/// A command that has its fate.
pub(super) struct Answered<'a> {
    pub(super) origin: Origin,
    pub(super) seq: Seq,
    pub(super) fate: &'a Fate,
    pub(super) envelope: &'a Envelope,
    pub(super) content: Option<&'a Content>,
}

impl Local {
    /// The commands that have their fates: the entries', then own ones whose receipt came before their entry.
    pub(super) fn answered(&self) -> impl Iterator<Item = Answered<'_>> {
        let entered = self.entries.values().flat_map(|entry| {
            let seq = entry.head.seq;
            answered(
                &entry.parts,
                entry.head.fates.iter().map(move |fate| (seq, fate)),
            )
        });
        let received = self.sealed.values().flat_map(|sealed| {
            let envelopes = sealed.parts.batch.envelopes.iter();
            let receipts = envelopes.map_while(|envelope| self.receipts.get(&envelope.n));
            answered(&sealed.parts, receipts.map(|(seq, fate)| (*seq, fate)))
        });
        entered.chain(received)
    }

    /// The newest attempt of each command that did not count, unless another attempt did or still may.
    fn in_vain(&self, of: &impl Fn(DeviceId) -> bool) -> Vec<Unanswered> {
        let mut newest: BTreeMap<Origin, Unanswered> = BTreeMap::new();
        for command in self.answered().filter(|command| of(command.origin.device)) {
            let Answered {
                origin,
                seq,
                fate,
                envelope,
                content,
            } = command;
            let place = || self.place_to_offer(origin, fate, envelope, content);
            let place = (!fate.counts()).then(place).flatten();
            if let Some(place) = place {
                let (fate, envelope, content) = (fate.clone(), envelope.clone(), content.cloned());
                let unanswered = Unanswered {
                    origin,
                    seq,
                    fate,
                    envelope,
                    content,
                };
                newest.insert(place, unanswered);
            }
        }
        for origin in self.unanswered().filter_map(|envelope| envelope.origin) {
            newest.remove(&origin);
        }
        let mut in_vain: Vec<Unanswered> = newest.into_values().collect();
        in_vain.sort_by_key(|command| (command.seq, command.origin.n));
        in_vain
    }

    /// A command that has its fate, if its content is at hand.
    fn entered(&self, origin: Origin) -> Option<(Unsealed, Fate)> {
        let command = self.answered().find(|command| command.origin == origin)?;
        let (envelope, content) = (command.envelope.clone(), command.content?.clone());
        Some((Unsealed { envelope, content }, command.fate.clone()))
    }

    /// The record as the author of a command had it before him: what the command had seen, and of the author's own lane also
    /// what later turned out not to count but wrote the same field, for his text had it.
    fn as_seen_by(
        &self,
        rules: &dyn Rules,
        command: &Envelope,
        author: DeviceId,
    ) -> record::Record {
        let same_field = |logged: &Logged| {
            let wrote = |field: String| command.fields.contains(&field);
            written_fields(&logged.command.envelope).any(wrote)
        };
        let own = |logged: &Logged| logged.place.device == author && logged.place.n < command.n;
        let seen = |logged: &Logged| {
            let counts = logged.fate.counts();
            (counts && logged.place.seq <= command.base)
                || (own(logged) && (counts || same_field(logged)))
        };
        let log = self.logged(command.record).into_iter().filter(seen);
        let log: Vec<Logged> = log
            .map(|logged| Logged {
                fate: Fate::Accepted,
                ..logged
            })
            .collect();
        record::fold(rules, self.journal, command.record, &log)
    }
}

fn answered<'a>(
    parts: &'a Parts,
    fates: impl Iterator<Item = (Seq, &'a Fate)>,
) -> impl Iterator<Item = Answered<'a>> {
    let commands = parts.batch.envelopes.iter().zip(&parts.contents);
    commands
        .zip(fates)
        .map(|((envelope, salted), (seq, fate))| Answered {
            origin: parts.batch.origin(envelope.n),
            seq,
            fate,
            envelope,
            content: salted.as_ref().map(|salted| &salted.content),
        })
}
