//! The records of a journal, folded by the real fold or by one with a rule broken.

use sync_core::command::Verb;
use sync_core::id::{DeviceId, JournalId, RecordId};
use sync_core::journal::Fate;
use sync_core::record::{self, Held, Logged, Record, Slot};

use super::super::Fault;
use super::Sim;

impl Sim {
    /// The commands of a record as the journal has them, or as a reader gets them.
    pub(in super::super) fn log(
        &self,
        journal: JournalId,
        record: RecordId,
        reads: impl Fn(&Logged, DeviceId) -> bool,
    ) -> Vec<Logged> {
        let entries = self.server.host.entries(journal).iter();
        let all = entries.flat_map(record::logged);
        let mut log: Vec<Logged> = all
            .filter(|logged| {
                record::touches(&logged.command.envelope).any(|touched| touched == record)
            })
            .collect();
        for logged in &mut log {
            if !reads(logged, logged.place.device) {
                logged.command.content = None;
            }
        }
        log
    }

    /// The fold, or the fold with one rule broken.
    pub(in super::super) fn fold(
        &self,
        journal: JournalId,
        record: RecordId,
        mut log: Vec<Logged>,
    ) -> Record {
        for logged in &mut log {
            if self.has(Fault::FoldIgnoresBase) {
                logged.command.envelope.base = logged.place.seq.saturating_sub(1);
            }
            if self.has(Fault::FlaggedDoesNotCount) && matches!(logged.fate, Fate::Flagged(_)) {
                logged.fate = Fate::NoEffect(String::new());
            }
            if self.has(Fault::FoldedByTheNewestVersion) {
                let newest = self.server.host.catalogues().keys().next_back();
                logged.catalogue = newest.copied().unwrap_or(logged.catalogue);
            }
            if self.has(Fault::ClearReachesWhatCameLater)
                && logged.command.envelope.verb == Verb::Clear
            {
                logged.command.envelope.base = logged.place.seq;
            }
            if let Some(content) = logged
                .command
                .content
                .as_mut()
                .filter(|_| self.has(Fault::EditBeyondTheEndIsLost))
            {
                content.splices.retain(|splice| splice.at < 1_000);
            }
        }
        if self.has(Fault::FirstEditsMakeTwoTexts) {
            one_first_edit(&mut log);
        }
        let mut folded = record::fold(self.server.host.catalogues(), journal, record, &log);
        if self.has(Fault::EqualValuesStandTwice) {
            stand_twice(&mut folded, &log);
        }
        if self.has(Fault::RemoveTakesTheUnseen) {
            take_unseen(&mut folded, &log);
        }
        folded
    }
}

/// Puts equal values beside each other that were written without sight of each other.
fn stand_twice(record: &mut Record, log: &[Logged]) {
    for (field, slot) in &mut record.fields {
        let Slot::Register(held) = slot else { continue };
        let Some(Held { value, by }) = held.first().cloned() else {
            continue;
        };
        let says = |logged: &&Logged| {
            logged
                .command
                .content
                .as_ref()
                .and_then(|content| content.value(field))
                == Some(&value)
        };
        let other = log
            .iter()
            .filter(says)
            .find(|logged| logged.fate.counts() && logged.place > by && !logged.saw(&by));
        held.extend(other.map(|logged| Held {
            value: value.clone(),
            by: logged.place,
        }));
    }
}

/// Of first edits of one text that had not seen each other, the first alone stays.
fn one_first_edit(log: &mut [Logged]) {
    let edits =
        |logged: &Logged| logged.fate.counts() && logged.command.envelope.verb == Verb::Edit;
    let lost: Vec<usize> = (0..log.len())
        .filter(|at| edits(&log[*at]))
        .filter(|at| {
            let mine = &log[*at];
            let mut others = log[..*at].iter().filter(|other| {
                edits(other) && other.command.envelope.fields == mine.command.envelope.fields
            });
            let first = others.clone().next().is_some();
            first && others.all(|other| !mine.saw(&other.place))
        })
        .collect();
    for at in lost {
        if let Some(content) = &mut log[at].command.content {
            content.splices.clear();
        }
    }
}

/// Takes the items out of a list that stood before a removal and that its author had not seen.
fn take_unseen(record: &mut Record, log: &[Logged]) {
    let removals = log
        .iter()
        .filter(|logged| logged.fate.counts() && logged.command.envelope.verb == Verb::Remove);
    for removal in removals {
        let field = removal.command.envelope.fields.first();
        if let Some(Slot::List(items)) = field.and_then(|field| record.fields.get_mut(field)) {
            items.retain(|item| item.by > removal.place || removal.saw(&item.by));
        }
    }
}
