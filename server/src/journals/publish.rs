//! Publishing: when journals have moved, their heads become leaves of the Merkle log, and its root is signed.

use std::collections::BTreeSet;
use std::time::Duration;

use store::journals::{LogLeaf, ReadJournals, SignedCheckpoint};
use store::{Store, StoreError};
use sync_core::batch::Position;
use sync_core::checkpoint::merkle::{self, Frontier, Node, inclusion_proof};
use sync_core::checkpoint::{self, Checkpoint, Leaf};
use sync_core::id::{DeploymentId, Digest, Timestamp};
use sync_core::sign::SigningKey;
use sync_core::sync::wire::CoveredBy;
use tokio::time::MissedTickBehavior;

use crate::context::App;
use crate::journals::kept::PublishError;

/// At most one checkpoint in this time.
const EVERY: Duration = Duration::from_mins(1);

/// Runs until the server stops.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.stopped() => return,
        }
        let published = publish(&app).await;
        if let Err(error) = published {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "heads could not be published"
            );
        }
    }
}

/// Appends the heads of all journals that moved, signs the new root, and keeps it outside the database. If none moved, what was
/// signed last is kept.
pub async fn publish(app: &App) -> Result<(), PublishError> {
    app.kept().guard()?;
    let signed = sign(
        app.store(),
        app.log_key(),
        app.deployment(),
        app.clock().now(),
    )
    .await?;
    match signed {
        Some(checkpoint) => app.kept().keep(app.store(), &checkpoint).await,
        None => Ok(()),
    }
}

async fn sign(
    store: &dyn Store,
    key: &SigningKey,
    deployment: DeploymentId,
    now: Timestamp,
) -> Result<Option<SignedCheckpoint>, StoreError> {
    // Beside the writer: a head that a journal has moved on from is as good a leaf.
    let mut reading = store.read().await?;
    let moved = reading.unpublished().await?;
    let newest = reading.newest_checkpoint().await?;
    drop(reading);
    if moved.is_empty() {
        return Ok(newest);
    }
    let size = newest.map_or(0, |newest| newest.size);
    let mut unit = store.begin().await?;
    if unit.newest_checkpoint().await?.map_or(0, |it| it.size) != size {
        // Another process published meanwhile; what it left out is published next time.
        return unit.newest_checkpoint().await;
    }
    let mut frontier = frontier(&mut *unit, size).await?;
    let leaves: Vec<LogLeaf> = (size..)
        .zip(moved)
        .map(|(position, (journal, end))| LogLeaf {
            position,
            journal,
            end,
        })
        .collect();
    let nodes: Vec<(Node, Digest)> = leaves
        .iter()
        .flat_map(|leaf| frontier.append(hash(leaf)))
        .collect();
    let signed = Checkpoint {
        origin: checkpoint::origin(deployment),
        size: frontier.size(),
        root: frontier.root(),
        extensions: Vec::new(),
    };
    let note = checkpoint::sign_checkpoint(&signed, key)
        .map_err(|_| StoreError::Impossible("a checkpoint that cannot be signed"))?;
    let checkpoint = SignedCheckpoint {
        size: signed.size,
        signed_at: now,
        note,
    };
    unit.publish(&leaves, &nodes, &checkpoint).await?;
    unit.commit().await?;
    Ok(Some(checkpoint))
}

/// The log's tree as it was at a size, from its nodes.
pub async fn frontier<R: ReadJournals + ?Sized>(
    unit: &mut R,
    size: u64,
) -> Result<Frontier, StoreError> {
    let peaks = merkle::peaks(size);
    let nodes = unit.tree_nodes(&peaks.iter().copied().collect()).await?;
    let found = peaks.iter().filter_map(|peak| nodes.get(peak).copied());
    Frontier::resume(size, found.collect())
        .map_err(|_| StoreError::Impossible("a log without some nodes of its tree"))
}

pub(super) fn hash(leaf: &LogLeaf) -> Digest {
    let Position { seq, head } = leaf.end;
    Leaf {
        journal: leaf.journal,
        seq,
        head,
    }
    .hash()
}

/// The newest checkpoint with the path of the newest leaf among these journals, if that checkpoint is larger than `known`.
pub async fn covering<R: ReadJournals + ?Sized>(
    unit: &mut R,
    newest: Option<SignedCheckpoint>,
    journals: &[sync_core::id::JournalId],
    known: u64,
) -> Result<Option<CoveredBy>, StoreError> {
    let Some(newest) = newest.filter(|newest| newest.size > known) else {
        return Ok(None);
    };
    let mut leaf: Option<LogLeaf> = None;
    for journal in journals {
        let candidate = unit
            .newest_leaf(*journal)
            .await?
            .filter(|candidate| candidate.position >= known);
        leaf = leaf
            .into_iter()
            .chain(candidate)
            .max_by_key(|leaf| leaf.position);
    }
    let Some(leaf) = leaf else {
        return Ok(None);
    };
    let mut asked = BTreeSet::new();
    // Which nodes it takes depends on place and size alone.
    let _placeholder = inclusion_proof(leaf.position, newest.size, |node| {
        asked.insert(node);
        Some(leaf.end.head)
    });
    let nodes = unit.tree_nodes(&asked).await?;
    let path = inclusion_proof(leaf.position, newest.size, |node| nodes.get(&node).copied());
    Ok(path.map(|path| CoveredBy {
        note: newest.note,
        journal: leaf.journal,
        end: leaf.end,
        index: leaf.position,
        path,
    }))
}
