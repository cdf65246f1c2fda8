//! A server that lost its newest part, the phones that refill it, and what nobody could give back.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::admit;
use sync_core::command::{Envelope, Origin};
use sync_core::id::{JournalId, RecordId, Seq};
use sync_core::journal::Entry;
use sync_core::sync::device::{Effect, Key};
use sync_core::testing::Backup;

use super::super::Fault;
use super::Sim;

/// The last copy of the database, and what the server held when it was lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    backup: Option<Backup>,
    held: BTreeMap<JournalId, Vec<Entry>>,
}

/// What was lost for good though nobody broke a promise.
#[derive(Debug, Default)]
pub(in super::super) struct LostForGood {
    /// Journals that went on further back than they had been.
    went_back: BTreeSet<JournalId>,
    /// Records of which some content came back withheld: who gave it back may not read it, and no later phone fills it in.
    withheld: BTreeSet<(JournalId, RecordId)>,
    /// Records whose erasure was lost: phones that had carried it out have no more of them, whatever becomes of it when it is
    /// brought anew.
    erased: BTreeSet<(JournalId, RecordId)>,
    /// The commands whose content is gone: so, or because it was erased before what erased it was lost too.
    pub(in super::super) places: BTreeSet<Origin>,
}

impl LostForGood {
    pub(in super::super) fn went_back(&self, journal: JournalId) -> bool {
        self.went_back.contains(&journal)
    }

    pub(in super::super) fn is_withheld(&self, journal: JournalId, record: RecordId) -> bool {
        self.withheld.contains(&(journal, record))
    }

    pub(in super::super) fn lost_its_erasure(&self, journal: JournalId, record: RecordId) -> bool {
        self.erased.contains(&(journal, record))
    }
}

impl Sim {
    /// The server publishes what it has, as it does each minute, and its database is copied.
    pub(super) fn back_up(&mut self) {
        if self.server.is_open() {
            self.server.host.publish();
            self.losses.backup = Some(self.server.host.back_up());
            self.tell("the server's database is copied");
        }
    }

    /// The database is lost, and the copy put in its place. Where nothing that was signed is missing, only who restored it can say that
    /// something may be.
    pub(super) fn restore(&mut self) {
        // A server signs for itself before anybody enrols, and this one only for villages.
        let has_signed = self.server.host.checkpoint(0).is_some();
        let backup = self
            .losses
            .backup
            .take_if(|_| has_signed && self.server.is_open());
        let Some(backup) = backup else {
            return;
        };
        let held = self.villages.iter().map(|village| village.journal);
        let entries = |journal| (journal, self.server.host.entries(journal).to_vec());
        self.losses.held = held.map(entries).collect();
        self.server.host.restore(&backup);
        let behind = if self.server.host.is_behind() {
            "it is behind what it signed"
        } else {
            "nothing that it signed is missing"
        };
        self.tell(format!(
            "the server's database is lost and restored from the copy: {behind}"
        ));
        if !self.server.host.is_behind() {
            self.goes_on("an older copy was restored");
        }
    }

    /// The operator waits no longer.
    pub(super) fn reopen_log(&mut self) {
        if self.server.host.is_behind() {
            self.goes_on("nobody has the rest");
        }
    }

    fn goes_on(&mut self, reason: &str) {
        let reopened = self.server.host.reopen(reason, self.now);
        reopened.expect("only what signed something is restored");
        self.tell("the operator reopens the log");
        self.learn_what_is_lost();
    }

    /// A phone gives back what it holds of what the server wants. Whether the server is whole again.
    ///
    /// Who reads all of the village's content does so: what others bring comes back withheld where they may not read it, and nobody
    /// fills that in later.
    pub(super) fn give_back(&mut self, phone: usize) -> bool {
        let carried = &self.phones[phone];
        let person = &self.people[carried.person];
        let reads_all = matches!(person.role, "FS" | "TM") && !person.moved;
        if !reads_all || carried.misled {
            return false;
        }
        let (mut wanted, mut taken) = (Vec::new(), 0);
        loop {
            let signed = self.phones[phone].phone.device.give_back(&wanted);
            let Some(answer) = self.server.take_back(&signed, self.now) else {
                return false;
            };
            taken += answer.taken;
            let can_no_more = !answer.behind || answer.wanted == wanted;
            wanted = answer.wanted;
            if can_no_more {
                break;
            }
        }
        if taken > 0 {
            self.tell(format!("{} gives back {taken} entries", self.name(phone)));
        }
        let whole = !self.server.host.is_behind();
        if whole {
            self.tell("the server bears what it signed again");
            self.learn_what_is_lost();
        }
        whole
    }

    /// Holds what the server goes on with against what it held.
    fn learn_what_is_lost(&mut self) {
        for (journal, held) in core::mem::take(&mut self.losses.held) {
            let now = self.server.host.entries(journal);
            let end = now.len() as Seq;
            let lost = &mut self.truth.lost;
            if held.len() > now.len() {
                lost.went_back.insert(journal);
            }
            let index = self.server.host.journal(journal).map(|held| &held.index);
            let is_erased = |envelope: &Envelope| {
                let entry = index.and_then(|index| index.get(&envelope.record));
                entry.is_some_and(|entry| entry.erased)
            };
            for (at, entry) in held.iter().enumerate() {
                let batch = &entry.parts.batch;
                let fated = batch.envelopes.iter().zip(&entry.head.fates);
                let fated = fated.filter(|(_, fate)| at >= now.len() && fate.counts());
                let erased = fated.flat_map(|(envelope, _)| admit::erases(envelope));
                lost.erased.extend(erased.map(|record| (journal, record)));
                let contents = batch.envelopes.iter().zip(&entry.parts.contents);
                for (index, (envelope, content)) in contents.enumerate() {
                    let there = now.get(at).map(|now| now.parts.contents.get(index));
                    let gone = match there {
                        // It was erased: nobody has it, and what erased it may come later than it would.
                        None => content.is_none(),
                        Some(there) => content.is_some() && there.is_none_or(Option::is_none),
                    };
                    if gone {
                        lost.places.insert(batch.origin(envelope.n));
                        lost.places.extend(envelope.origin);
                    }
                    if gone && there.is_some() && !is_erased(envelope) {
                        lost.withheld.insert((journal, envelope.record));
                    }
                }
            }
            // Who was turned away then is turned away from where the journal goes on.
            let ends = self.truth.revoked.iter_mut().map(|(_, ends)| ends);
            let ends = ends.chain(self.truth.withdrawn.iter_mut().map(|(_, ends)| ends));
            for ends in ends {
                ends.entry(journal)
                    .and_modify(|then| *then = end.min(*then));
            }
        }
    }

    /// A phone that goes back with the server throws away what its person wrote.
    pub(super) fn throw_away(&mut self, phone: usize, effects: &[Effect]) {
        let writes = effects.iter().filter_map(|effect| match effect {
            Effect::Persist(writes) => Some(writes),
            Effect::Changed(..) | Effect::Repinned(..) => None,
        });
        let gone = |key: &Key| matches!(key, Key::Entry(..));
        let goes_back = writes
            .flatten()
            .any(|write| gone(&write.key) && write.value.is_none());
        if goes_back && self.has(Fault::LostIsThrownAway) {
            let kept = &mut self.phones[phone].phone.storage.0;
            kept.retain(|key, _| !matches!(key, Key::Pending(..) | Key::Sealed(..)));
            self.restart(phone);
        }
    }
}
