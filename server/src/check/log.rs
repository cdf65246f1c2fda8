//! The log over the journals: leaves, the tree that they make, and every checkpoint of it.

use std::collections::BTreeMap;

use store::rows::{LeafRow, LogRows, NodeRow};
use sync_core::checkpoint::merkle::Frontier;
use sync_core::checkpoint::{self, Leaf, open_checkpoint};
use sync_core::id::{Digest, JournalId};
use sync_core::registry::Registry;

use crate::check::{Checked, Ground};

/// The log as it is proved.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) leaves: Vec<Leaf>,
    /// The newest checkpoint's note.
    pub(super) checkpoint: Option<String>,
}

/// Holds nodes and checkpoints against the leaves. Whether the leaves are heads of journals, the verifier says.
pub(super) fn hold(
    ground: &Ground<'_>,
    registry: &Registry,
    rows: &LogRows,
    checked: &mut Checked,
) -> Log {
    let mut leaves = Vec::with_capacity(rows.leaves.len());
    let (mut frontier, mut nodes) = (Frontier::default(), Vec::new());
    let mut roots: BTreeMap<i64, Digest> = BTreeMap::from([(0, frontier.root())]);
    for (position, row) in (0..).zip(&rows.leaves) {
        let Some(leaf) = leaf(row).filter(|_| row.position == position) else {
            checked.find(
                None,
                None,
                format!("leaf {position} is not as it was written"),
            );
            break;
        };
        let completed = frontier.append(leaf.hash()).into_iter();
        nodes.extend(completed.map(|(node, hash)| NodeRow {
            level: node.level.into(),
            position: i64::try_from(node.index).unwrap_or(i64::MAX),
            hash: hash.0.to_vec(),
        }));
        leaves.push(leaf);
        if rows.checkpoints.iter().any(|row| row.size == position + 1) {
            roots.insert(position + 1, frontier.root());
        }
    }
    nodes.sort();
    checked.leaves = leaves.len();
    let what = "the nodes of the tree are not those that the leaves make";
    checked.expect(nodes == rows.nodes, None, None, what);
    let origin = checkpoint::origin(ground.deployment);
    for row in &rows.checkpoints {
        let key = registry.keys.as_ref().map(|keys| &keys.log);
        let signed = key.and_then(|key| open_checkpoint(&row.note, &origin, key).ok());
        let holds = signed.is_some_and(|signed| {
            i64::try_from(signed.size).is_ok_and(|size| size == row.size)
                && roots.get(&row.size) == Some(&signed.root)
        });
        let what = format!("the checkpoint of size {} is not of these leaves", row.size);
        checked.expect(holds, None, None, &what);
    }
    Log {
        leaves,
        checkpoint: rows.checkpoints.last().map(|row| row.note.clone()),
    }
}

fn leaf(row: &LeafRow) -> Option<Leaf> {
    Some(Leaf {
        journal: JournalId::try_from(row.journal_id.as_slice()).ok()?,
        seq: u64::try_from(row.seq).ok()?,
        head: Digest::try_from(row.head.as_slice()).ok()?,
    })
}
