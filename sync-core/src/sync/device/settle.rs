//! After enrolling in place: what waits is compared with what the journals hold, so that nothing is delivered twice.
//!
//! A command is known by the place where it was first said, for ever: every copy of a phone's storage offers it again under that
//! place, and at most one delivery under a place counts. Two copies may use one number for two commands. Then only one of them can
//! have the place; the other gets one of its own apart from all lanes, derived from what it says, so that every copy that holds it
//! gives it the same.

use std::collections::BTreeMap;

use minicbor::Encode;

use super::again::Answered;
use super::local::{Local, Pending};
use super::{Device, Key, Write};
use crate::admit::codes::refused;
use crate::batch::Unsealed;
use crate::command::{Content, Envelope, Link, Origin, Splice, Verb};
use crate::id::{DeviceId, RecordId, Timestamp, sha256};
use crate::journal::Fate;
use crate::value::Fields;

/// What a command says, whatever its lane made of its numbers, and whenever it was said or offered again.
#[derive(Encode)]
struct Said<'a> {
    #[n(0)]
    verb: Verb,
    #[n(1)]
    kind: &'a str,
    #[n(2)]
    action: Option<&'a str>,
    /// None where it makes its record: that record's id comes from the place.
    #[n(3)]
    record: Option<RecordId>,
    #[n(4)]
    fields: &'a [String],
    #[n(5)]
    links: &'a [Link],
    #[n(6)]
    values: &'a Fields,
    #[n(7)]
    splices: &'a [Splice],
    #[n(8)]
    reason: Option<&'a str>,
}

impl Said<'_> {
    fn by<'a>(envelope: &'a Envelope, content: &'a Content) -> Said<'a> {
        Said {
            verb: envelope.verb,
            kind: &envelope.kind,
            action: envelope.action.as_deref(),
            record: (!envelope.makes()).then_some(envelope.record),
            fields: &envelope.fields,
            links: &envelope.links,
            values: &content.values,
            splices: &content.splices,
            reason: content.reason.as_deref(),
        }
    }
}

/// The place, apart from all lanes, of a command whose number is or may become another's.
pub(super) fn apart(place: Origin, envelope: &Envelope, content: &Content) -> Origin {
    let Origin { device, journal, n } = place;
    let said = crate::cbor::encode(&Said::by(envelope, content));
    let digest = sha256(&[
        b"zhucun apart v1",
        &device.0,
        &journal.0,
        &n.to_be_bytes(),
        &said,
    ]);
    let (first, _) = digest.0.split_at(8);
    let number = first
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    Origin {
        n: Origin::APART | (number & (Origin::APART - 1)),
        ..place
    }
}

/// What the journal holds under a place.
enum Standing {
    /// Nothing that counts, and nothing that is another command's.
    Open,
    /// It counts.
    Delivered,
    /// Another command has the place.
    Another,
}

impl Device {
    /// Compares what waits with what the journals hold.
    pub(super) fn settle(&mut self) -> Vec<Write> {
        let device = self.id();
        self.settles = false;
        let locals = self.journals.values_mut();
        locals.flat_map(|local| local.settle(device)).collect()
    }
}

impl Local {
    /// What was delivered after all waits no longer, and no more does what had its receipt and has its entry now, whatever that says:
    /// then its person decides. What another command stands for under the same place gets a place apart, and
    /// so does the record that it makes.
    fn settle(&mut self, device: DeviceId) -> Vec<Write> {
        let before: Vec<Pending> = self.pending.values().cloned().collect();
        let mut moved = BTreeMap::new();
        let mut waiting = Vec::with_capacity(before.len());
        for mut pending in before.iter().cloned() {
            let Unsealed { envelope, content } = &mut pending.command;
            follow(envelope, &moved);
            let Some(origin) = envelope.origin else {
                waiting.push(pending);
                continue;
            };
            let mut standing = self.standing(origin, envelope, content);
            if matches!(standing, Standing::Another) {
                let place = apart(origin, envelope, content);
                envelope.origin = Some(place);
                if envelope.verb == Verb::Create {
                    moved.insert(envelope.record, place.record());
                    envelope.record = place.record();
                }
                standing = self.standing(place, envelope, content);
            }
            let is_answered =
                pending.received && self.has_entered(origin, pending.command.envelope.at);
            if !matches!(standing, Standing::Delivered) && !is_answered {
                waiting.push(Pending {
                    received: false,
                    ..pending
                });
            }
        }
        if waiting == before {
            return Vec::new();
        }
        let gone = core::mem::take(&mut self.pending);
        let mut writes: Vec<Write> = gone
            .keys()
            .map(|n| Write::delete(Key::Pending(self.journal, *n)))
            .collect();
        writes.extend(self.renumber(device, device, waiting));
        writes
    }

    /// Whether what was said or offered again under a place at this time has its entry.
    fn has_entered(&self, place: Origin, at: Timestamp) -> bool {
        self.answered().any(|command| {
            let under = command.origin == place || command.envelope.origin == Some(place);
            under && command.envelope.at == at
        })
    }

    /// What of a place counts, under its own number or offered again.
    fn counting(&self, place: Origin) -> impl Iterator<Item = Answered<'_>> {
        let under = move |command: &Answered<'_>| {
            command.origin == place || command.envelope.origin == Some(place)
        };
        self.answered()
            .filter(move |command| under(command) && command.fate.counts())
    }

    fn standing(&self, place: Origin, envelope: &Envelope, content: &Content) -> Standing {
        let placed = self.answered().find(|command| command.origin == place);
        // Of what is withheld or erased nobody can say; the server knows whether it counts.
        let placed = placed.and_then(|placed| {
            let there = placed.content?;
            Some(says_the_same(placed.envelope, there, envelope, content))
        });
        if self.taken.contains(&place) {
            let mut other = placed == Some(false);
            for command in self.counting(place) {
                let again = command
                    .content
                    .map(|there| repeats(command.envelope, there, envelope, content));
                match again {
                    _ if placed == Some(true) => return Standing::Delivered,
                    Some(true) => return Standing::Delivered,
                    Some(false) => other = true,
                    None => return Standing::Open,
                }
            }
            return if other {
                Standing::Another
            } else {
                Standing::Open
            };
        }
        if placed == Some(false) {
            Standing::Another
        } else {
            Standing::Open
        }
    }

    /// The place under which a command that did not count may be offered again, unless another attempt of it did count.
    pub(super) fn place_to_offer(
        &self,
        origin: Origin,
        fate: &Fate,
        envelope: &Envelope,
        content: Option<&Content>,
    ) -> Option<Origin> {
        let root = envelope.origin.unwrap_or(origin);
        if !self.taken.contains(&root) {
            return Some(root);
        }
        // Its place was taken by what the copy of a phone said.
        let by_place = matches!(fate, Fate::Refused(code, _) if code == refused::ALREADY_RECEIVED);
        // A text edit offered again is another edit: nobody could tell it from a copy's.
        let tells = by_place && envelope.verb != Verb::Edit;
        let content = content.filter(|_| tells)?;
        let another = self.counting(root).all(|command| {
            let there = command.content;
            there.is_some_and(|there| !repeats(command.envelope, there, envelope, content))
        });
        let place = apart(root, envelope, content);
        (another && !self.taken.contains(&place)).then_some(place)
    }
}

/// Records that got another id get it wherever a command names them.
fn follow(envelope: &mut Envelope, moved: &BTreeMap<RecordId, RecordId>) {
    let now = |record: &RecordId| moved.get(record).copied().unwrap_or(*record);
    envelope.record = now(&envelope.record);
    for link in &mut envelope.links {
        if link.journal.is_none() {
            link.target = now(&link.target);
        }
    }
    envelope.links.sort();
}

/// Whether two commands under one number are one and the same.
fn says_the_same(
    entered: &Envelope,
    there: &Content,
    waiting: &Envelope,
    content: &Content,
) -> bool {
    let said = |envelope: &Envelope| {
        (
            envelope.at,
            envelope.verb,
            envelope.record,
            envelope.action.clone(),
        )
    };
    said(entered) == said(waiting) && entered.links == waiting.links && there == content
}

/// Whether one command is another offered again: by hand it is said at another time.
fn repeats(entered: &Envelope, there: &Content, waiting: &Envelope, content: &Content) -> bool {
    let said = |envelope: &Envelope| {
        (
            envelope.verb,
            envelope.record,
            envelope.action.clone(),
            envelope.fields.clone(),
        )
    };
    let words = |content: &Content| {
        (
            content.values.clone(),
            content.splices.clone(),
            content.reason.clone(),
        )
    };
    said(entered) == said(waiting)
        && entered.links == waiting.links
        && words(there) == words(content)
}
