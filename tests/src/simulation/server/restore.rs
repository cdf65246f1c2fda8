//! What the server takes back, or takes back with one rule broken.

use std::collections::BTreeSet;

use sync_core::admit::codes::no_effect;
use sync_core::id::{JournalId, Seq, Timestamp};
use sync_core::journal::Fate;
use sync_core::registry::RegistryAct;
use sync_core::sync::refill::{RefillResponse, Run, SignedRefill};

use super::super::Fault;
use super::{Server, enter};

impl Server {
    /// Takes what a phone gives back.
    pub(in super::super) fn take_back(
        &mut self,
        signed: &SignedRefill,
        now: Timestamp,
    ) -> Option<RefillResponse> {
        let runs = signed.open_for(self.host.registry())?.runs;
        if self.has(Fault::RefillTakesTheAltered) {
            runs.iter().for_each(|run| self.take_altered(run));
        }
        let journals: BTreeSet<JournalId> = runs.iter().map(|run| run.journal).collect();
        let before: Vec<_> = (journals.into_iter())
            .filter_map(|journal| Some((journal, self.host.journal(journal)?.clone())))
            .collect();
        let answer = self.host.take_back(signed, now);
        for (journal, before) in before {
            let Some(journal) = self.host.journal_mut(journal) else {
                continue;
            };
            if self.fault == Some(Fault::RefillForgetsDeliveries) {
                (journal.lanes, journal.taken) = (before.lanes, before.taken);
            }
            if self.fault == Some(Fault::RefillBringsBackTheErased) {
                for (entry, was) in journal.entries.iter_mut().zip(before.entries) {
                    entry.parts = was.parts;
                }
            }
        }
        answer
    }

    /// Takes a run of which the phone that gives it back altered what became of a command.
    fn take_altered(&mut self, run: &Run) {
        let deployment = self.host.deployment();
        let Some(journal) = self.host.journal_mut(run.journal) else {
            return;
        };
        let opened = run
            .entries
            .iter()
            .map(|wire| wire.open(deployment, |_| None));
        for mut entry in opened.flatten() {
            if let Some(fate) = entry.head.fates.first_mut() {
                *fate = if fate.counts() {
                    Fate::NoEffect(no_effect::SUPERSEDED.to_owned())
                } else {
                    Fate::Accepted
                };
            }
            let Ok(chain) = journal.chain.append(&entry.head) else {
                return;
            };
            let index = journal.index.clone();
            enter(journal, entry, chain, index);
        }
    }

    /// Whether an entry of the registry says that a journal goes on further back.
    pub(super) fn is_reopening(&self, seq: Seq) -> bool {
        let mut acts = self.host.acts().iter();
        acts.any(|(entry, act)| entry.head.seq == seq && matches!(act, RegistryAct::Reopen { .. }))
    }
}
