//! Refilling: a database that is behind the last signed checkpoint gets back what that covers, at the old positions.
//!
//! The operator's entries lie outside the database, the villages' come from phones. What is taken in leads to a head that the signed
//! log covers ([`sync_core::sync::refill`]), so that it does not matter who brings it. When the last covered head of every journal is
//! there, the log gets the leaves that were signed, the registry says where each journal goes on, and admission opens again. When
//! not all can be had, the operator reopens the log and says why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::journals::{Appended, LogLeaf, SignedCheckpoint};
use store::{StoreError, Unit};
use sync_core::batch::Position;
use sync_core::checkpoint::merkle::{Frontier, Node};
use sync_core::checkpoint::{self, Checkpoint};
use sync_core::id::{Digest, JournalId, Seq, Timestamp};
use sync_core::journal::Chain;
use sync_core::pack::Room;
use sync_core::registry::RegistryAct;
use sync_core::sync::refill::{
    self, NotTheEntries, RefillRequest, RefillResponse, Run, SignedRefill,
};
use sync_core::sync::wire::{WireBody, WireEntry};

use crate::context::App;
use crate::journals::admission::Moved;
use crate::journals::kept::{Covered, KeptError};
use crate::journals::publish::hash;
use crate::journals::writer::erase;

/// What the registry says of journals that go on after everything that was covered is back.
const REFILLED: &str = "refilled";

/// The operator's entries that are put back at once: unpacked, so many fit a request's room.
const ENTRIES_AT_ONCE: usize = 256;

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum RefillFailure {
    /// No device that the registry knows signed it.
    #[error("no device that may sync")]
    Device,
    /// It is no request, or exceeds a limit.
    #[error("not a refill request")]
    Malformed,
    /// What is given back is not what the signed log covers.
    #[error(transparent)]
    NotTheEntries(#[from] NotTheEntries),
    /// What is kept outside the database cannot be used.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why the log was not reopened.
#[derive(Debug, thiserror::Error)]
pub enum ReopenFailure {
    /// The database bears what was signed, and nobody says that it was restored.
    #[error(
        "the database bears the last signed checkpoint: there is nothing to reopen, unless an older copy of it was restored"
    )]
    NotBehind,
    /// There is no checkpoint that a new epoch could go on from.
    #[error("nothing was ever signed: there is nothing to go on from")]
    NothingSigned,
    /// The leaves that the checkpoint covers are not all here.
    #[error(
        "keys/leaves does not hold all leaves of the last signed checkpoint; restore it from the newest copy of the keys folder"
    )]
    NoLeaves,
    /// The database has leaves that were never covered.
    #[error(
        "the database is of another history than the last signed checkpoint; restore another copy of it"
    )]
    OtherHistory,
    /// The checkpoint cannot be signed.
    #[error("the log's new end cannot be signed")]
    Sign,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Takes what a phone gives back, and says what is still wanted of the journals that it holds.
pub async fn take(app: &App, signed: &SignedRefill) -> Result<RefillResponse, RefillFailure> {
    let request = opened(app, signed).await?;
    if let Some(note) = &request.checkpoint {
        app.kept().is_shown(app.store(), note).await?;
    }
    let nothing = |behind| RefillResponse {
        behind,
        wanted: Vec::new(),
        taken: 0,
    };
    let Some(covered) = app.kept().covered() else {
        return Ok(nothing(app.kept().behind().is_some()));
    };
    let mut unit = app.store().begin().await?;
    let mut room = Room::of_request();
    let mut taken = 0;
    let mut moved = Vec::new();
    for run in &request.runs {
        let count = take_run(app, &mut *unit, &covered, run, &mut room).await?;
        if count > 0 {
            let seq = run.after + count;
            let journal = run.journal;
            moved.push(Moved { journal, seq });
        }
        taken += count;
    }
    let whole = is_whole(&mut *unit, &covered).await?;
    if whole {
        let note = reopen_with(app, &mut *unit, &covered, REFILLED).await;
        note.map_err(|failure| match failure {
            ReopenFailure::Store(error) => error,
            ReopenFailure::NotBehind
            | ReopenFailure::NothingSigned
            | ReopenFailure::NoLeaves
            | ReopenFailure::OtherHistory
            | ReopenFailure::Sign => StoreError::Impossible("a covered log that cannot go on"),
        })?;
    }
    let mut wanted = Vec::new();
    for cursor in request.cursors.iter().filter(|_| !whole) {
        let after = end_of(&mut *unit, cursor.journal).await?.end;
        wanted.extend(covered.heads.wanted(cursor, after));
    }
    unit.commit().await?;
    if whole {
        app.kept().is_refilled();
        tracing::warn!("the database bears the last signed checkpoint again; admission is open");
    }
    for moved in moved {
        app.admission().poke(moved);
    }
    Ok(RefillResponse {
        behind: !whole,
        wanted,
        taken,
    })
}

/// The request, if an active device signed it.
async fn opened(app: &App, signed: &SignedRefill) -> Result<RefillRequest, RefillFailure> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let request = signed.open_for(&registered.registry);
    let request = request.ok_or(RefillFailure::Device)?;
    if request.is_modest() {
        Ok(request)
    } else {
        Err(RefillFailure::Malformed)
    }
}

/// Puts back the operator's entries that lie outside the database.
pub async fn put_back_operators(app: &App) -> Result<(), RefillFailure> {
    let Some(covered) = app.kept().covered() else {
        return Ok(());
    };
    let mut of_journal: BTreeMap<JournalId, BTreeMap<Seq, WireEntry>> = BTreeMap::new();
    for kept in app.kept().operators_entries()? {
        let entries = of_journal.entry(kept.journal).or_default();
        entries.insert(kept.entry.seq, kept.entry);
    }
    let mut unit = app.store().begin().await?;
    // The registry first: what others were judged at must be there.
    let registry = sync_core::registry::registry_journal(app.deployment());
    let mut journals: Vec<JournalId> = of_journal.keys().copied().collect();
    journals.sort_by_key(|journal| *journal != registry);
    for journal in journals {
        let entries = of_journal.remove(&journal).unwrap_or_default();
        loop {
            let chain = end_of(&mut *unit, journal).await?;
            let Some(until) = covered.heads.next(journal, chain.end.seq) else {
                break;
            };
            let range = entries.range(chain.end.seq + 1..=until.seq);
            let mut entries: Vec<WireEntry> = range.map(|(_, entry)| entry.clone()).collect();
            let digests = entries.iter().filter_map(|entry| {
                let opened = entry.open(app.deployment(), |_| None).ok()?;
                Some(opened.head.digest())
            });
            let digests = digests.collect();
            entries.truncate(ENTRIES_AT_ONCE);
            let run = Run {
                journal,
                after: chain.end.seq,
                digests,
                entries,
            };
            let mut room = Room::of_request();
            match take_run(app, &mut *unit, &covered, &run, &mut room).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(RefillFailure::NotTheEntries(error)) => {
                    tracing::error!(journal.id = %journal, %error, "kept entries of the operator cannot be put back");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    unit.commit().await?;
    Ok(())
}

/// Takes a run that continues its journal. How many entries of it could be taken.
async fn take_run(
    app: &App,
    unit: &mut dyn Unit,
    covered: &Covered,
    run: &Run,
    room: &mut Room,
) -> Result<u64, RefillFailure> {
    let chain = end_of(unit, run.journal).await?;
    // Somebody else may have given the same back meanwhile.
    let until = covered.heads.next(run.journal, chain.end.seq);
    let Some(until) = until.filter(|_| run.after == chain.end.seq) else {
        return Ok(0);
    };
    let given = refill::verify(app.deployment(), &chain, until, run, room)?;
    let mut taken = 0;
    for (given, wire) in given.iter().zip(&run.entries) {
        let head = &given.entry().head;
        let registered = app.registrar().current(unit).await?;
        let registry = &registered.registry;
        // What was judged at a position of the registry that is not here waits until it is.
        let judged_at = if run.journal == registry.chain.journal {
            Some(head.registry.head)
        } else {
            let at = BTreeSet::from([head.registry.seq]);
            let heads = unit.heads(registry.chain.journal, &at).await?;
            heads.get(&head.registry.seq).map(|(head, _)| *head)
        };
        if judged_at != Some(head.registry.head) {
            break;
        }
        let WireBody::Batch(batch) = &wire.body else {
            break;
        };
        let mut index = unit.index(run.journal, &given.records()).await?;
        given.replay(&mut index, registry, app.catalogues());
        let erased = given.erases(&index);
        let appended = Appended::given_back(given, index, batch.clone());
        unit.append(&[appended]).await?;
        erase(unit, run.journal, &erased).await?;
        taken += 1;
    }
    Ok(taken)
}

async fn end_of<U: Unit + ?Sized>(unit: &mut U, journal: JournalId) -> Result<Chain, StoreError> {
    let chain = unit.chain(journal).await?;
    Ok(chain.unwrap_or_else(|| Chain::start(journal)))
}

/// Whether the last covered head of every journal is there.
async fn is_whole(unit: &mut dyn Unit, covered: &Covered) -> Result<bool, StoreError> {
    for (journal, end) in covered.heads.ends() {
        if !is_there(unit, journal, end).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn is_there(
    unit: &mut dyn Unit,
    journal: JournalId,
    end: Position,
) -> Result<bool, StoreError> {
    let heads = unit.heads(journal, &BTreeSet::from([end.seq])).await?;
    Ok(heads.get(&end.seq).map(|(head, _)| *head) == Some(end.head))
}

/// Whether the operator says that an older copy of the database was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// He does. It may lack what was received after the last checkpoint that it bears, and nothing but his word shows that.
    Yes,
    /// He does not: what shows that something is lost is what was signed.
    NotSaid,
}

/// Begins a new epoch although not all that the last checkpoint covered is back, or although what came after it may be lost.
pub async fn reopen(app: &App, reason: &str, restored: Restored) -> Result<(), ReopenFailure> {
    let mut unit = app.store().begin().await?;
    let covered = match (app.kept().behind(), restored) {
        (Some(_), _) => app.kept().covered().ok_or(ReopenFailure::NoLeaves)?,
        (None, Restored::Yes) => Arc::new(Covered::of(unit.leaves(0).await?)),
        (None, Restored::NotSaid) => return Err(ReopenFailure::NotBehind),
    };
    reopen_with(app, &mut *unit, &covered, reason).await?;
    unit.commit().await?;
    app.kept().is_refilled();
    Ok(())
}

/// Gives the log the leaves that were signed, covers anew where journals go on further back, and says so in the registry.
async fn reopen_with(
    app: &App,
    unit: &mut dyn Unit,
    covered: &Covered,
    reason: &str,
) -> Result<(), ReopenFailure> {
    let now = app.clock().now();
    let signed = app.kept().newest().ok_or(ReopenFailure::NothingSigned)?;
    let here = unit.leaves(0).await?;
    if here.len() > covered.leaves.len() || !covered.leaves.starts_with(&here) {
        return Err(ReopenFailure::OtherHistory);
    }
    let mut leaves: Vec<LogLeaf> = covered.leaves.iter().skip(here.len()).copied().collect();
    let mut frontier = Frontier::default();
    for leaf in &here {
        frontier.append(hash(leaf));
    }
    let mut nodes: Vec<(Node, Digest)> = leaves
        .iter()
        .flat_map(|leaf| frontier.append(hash(leaf)))
        .collect();
    for (journal, end) in covered.heads.ends() {
        if !is_there(unit, journal, end).await? {
            let leaf = LogLeaf {
                position: frontier.size(),
                journal,
                end: end_of(unit, journal).await?.end,
            };
            nodes.extend(frontier.append(hash(&leaf)));
            leaves.push(leaf);
        }
    }
    let has_moved = unit.newest_checkpoint().await?.map(|it| it.size) != Some(frontier.size());
    let newest = if frontier.size() == signed.size {
        SignedCheckpoint {
            signed_at: now,
            ..signed.clone()
        }
    } else {
        sign(app, &frontier, now)?
    };
    if has_moved {
        unit.publish(&leaves, &nodes, &newest).await?;
    }
    let registered = app.registrar().current(unit).await?;
    let known = registered.registry.journals.keys().copied();
    let own = registered.registry.chain.journal;
    let journals: BTreeSet<JournalId> = known
        .chain([own])
        .chain(covered.heads.ends().map(|(journal, _)| journal))
        .collect();
    let mut acts = Vec::new();
    for journal in journals {
        acts.push(RegistryAct::Reopen {
            journal,
            at: end_of(unit, journal).await?.end,
            checkpoint: signed.note.clone(),
            reason: reason.to_owned(),
        });
    }
    app.registrar().reopen(unit, &acts, now).await?;
    Ok(())
}

fn sign(app: &App, frontier: &Frontier, now: Timestamp) -> Result<SignedCheckpoint, ReopenFailure> {
    let signed = Checkpoint {
        origin: checkpoint::origin(app.deployment()),
        size: frontier.size(),
        root: frontier.root(),
        extensions: Vec::new(),
    };
    let note = checkpoint::sign_checkpoint(&signed, app.log_key());
    Ok(SignedCheckpoint {
        size: signed.size,
        signed_at: now,
        note: note.map_err(|_| ReopenFailure::Sign)?,
    })
}
