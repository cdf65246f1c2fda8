//! A host whose database was lost and restored from an older copy.
//!
//! As the server does it: what is behind the signed log admits nothing, takes back what leads to covered heads, and goes on in a new
//! epoch that the registry declares. What a server keeps outside its database, the registry's entries and the log's leaves, a host
//! never loses.

use std::collections::BTreeMap;

use super::{Host, HostJournal};
use crate::batch::Position;
use crate::checkpoint::Leaf;
use crate::id::{JournalId, Timestamp};
use crate::pack::Room;
use crate::registry::RegistryAct;
use crate::sync::refill::{self, CoveredHeads, RefillResponse, Run, SignedRefill};

/// A copy of the journals, and how much of the log it has.
#[derive(Debug, Clone)]
pub struct Backup {
    journals: BTreeMap<JournalId, HostJournal>,
    leaves: usize,
}

/// Nothing says from where a log goes on that never signed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing was ever signed")]
pub struct NothingSigned;

impl Host {
    /// A copy of the database as it stands.
    pub fn back_up(&self) -> Backup {
        Backup {
            journals: self.journals.clone(),
            leaves: self.leaves.len(),
        }
    }

    /// The database is lost, and a copy put in its place.
    pub fn restore(&mut self, backup: &Backup) {
        self.journals.clone_from(&backup.journals);
        self.is_behind = backup.leaves < self.leaves.len();
    }

    /// Whether the database is behind what was signed: nothing is admitted until it is refilled or the log is reopened.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Takes what a phone gives back, and says what is still wanted of the journals that it holds. Nothing if its device may not
    /// sync, or what it gives back is not what the signed log covers.
    pub fn take_back(&mut self, signed: &SignedRefill, now: Timestamp) -> Option<RefillResponse> {
        let request = signed.open_for(&self.registry)?;
        let covered = CoveredHeads::of(self.leaves.iter().copied());
        let mut room = Room::of_request();
        let mut taken = 0;
        let behind = self.is_behind;
        for run in request.runs.iter().filter(|_| behind) {
            taken += self.take_run(&covered, run, &mut room)?;
        }
        if self.is_behind
            && covered
                .ends()
                .all(|(journal, end)| self.is_there(journal, end))
        {
            self.reopen("refilled", now).ok()?;
        }
        let cursors = request.cursors.iter().filter(|_| self.is_behind);
        let wanted = cursors.filter_map(|cursor| {
            let journal = self.journals.get(&cursor.journal)?;
            covered.wanted(cursor, journal.chain.end)
        });
        Some(RefillResponse {
            behind: self.is_behind,
            wanted: wanted.collect(),
            taken,
        })
    }

    fn take_run(&mut self, covered: &CoveredHeads, run: &Run, room: &mut Room) -> Option<u64> {
        let deployment = self.deployment();
        let journal = self.journals.get_mut(&run.journal)?;
        let chain = journal.chain;
        // Somebody else may have given the same back meanwhile.
        let until = covered.next(run.journal, chain.end.seq);
        let Some(until) = until.filter(|_| run.after == chain.end.seq) else {
            return Some(0);
        };
        let given = refill::verify(deployment, &chain, until, run, room).ok()?;
        for given in &given {
            let mut index = journal.index.clone();
            given.replay(&mut index, &self.registry, &self.catalogues);
            let erased = given.erases(&index);
            journal.take_back(given, index, &erased);
        }
        Some(given.len() as u64)
    }

    fn is_there(&self, journal: JournalId, end: Position) -> bool {
        let journal = self.journals.get(&journal);
        journal.and_then(|journal| journal.head_at(end.seq)) == Some(end.head)
    }

    /// Begins a new epoch: covers anew where journals go on further back, and says in the registry from where each goes on.
    pub fn reopen(&mut self, reason: &str, now: Timestamp) -> Result<(), NothingSigned> {
        let newest = (self.leaves.len() as u64).checked_sub(1);
        let signed = newest.and_then(|newest| self.checkpoint(newest));
        let signed = signed.ok_or(NothingSigned)?;
        let covered = CoveredHeads::of(self.leaves.iter().copied());
        let lost: Vec<JournalId> = covered
            .ends()
            .filter(|(journal, end)| !self.is_there(*journal, *end))
            .map(|(journal, _)| journal)
            .collect();
        for journal in lost {
            let end = self.journals.get(&journal).map(|held| held.chain.end);
            self.leaves.extend(end.map(|end| Leaf {
                journal,
                seq: end.seq,
                head: end.head,
            }));
        }
        self.is_behind = false;
        let registry = self.registry.chain;
        let villages = self.journals.values().map(|journal| journal.chain);
        let chains: Vec<_> = villages.chain([registry]).collect();
        for chain in chains {
            let act = RegistryAct::Reopen {
                journal: chain.journal,
                at: chain.end,
                checkpoint: signed.note.clone(),
                reason: reason.to_owned(),
            };
            self.act(act, now);
        }
        Ok(())
    }
}
