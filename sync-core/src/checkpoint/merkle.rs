//! The Merkle tree of RFC 6962 (RFC 9162 §2.1) over SHA-256: roots, an incremental state, inclusion and consistency proofs.
//!
//! Whoever keeps a tree keeps its [`Node`]s, the roots of its perfect subtrees, wherever it likes; proofs are made from these
//! by look-up. Nodes never change once they are complete.

use minicbor::{Decode, Encode};

use crate::id::{Digest, sha256};

/// The hash of a leaf: `SHA-256(0x00 ‖ bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    sha256(&[&[0], bytes])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the tree without leaves.
pub fn empty_root() -> Digest {
    sha256(&[])
}

/// A perfect subtree: its root stands over leaves `index × 2^level` up to `(index + 1) × 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The height above the leaves, which have 0.
    pub level: u8,
    /// The position among the nodes of its level.
    pub index: u64,
}

/// What is needed to append leaves and to tell the root: the roots of the perfect subtrees that the tree consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(map)]
pub struct Frontier {
    #[n(0)]
    size: u64,
    /// The largest first: one for each bit set in the size.
    #[n(1)]
    peaks: Vec<Digest>,
}

/// A stored frontier whose parts do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of this size does not consist of so many perfect subtrees")]
pub struct BrokenFrontier;

/// The perfect subtrees that the tree of `size` leaves consists of, the largest first.
pub fn peaks(size: u64) -> Vec<Node> {
    let levels = (0..64_u8).rev().filter(|level| size >> level & 1 == 1);
    levels
        .map(|level| Node {
            level,
            index: (size >> level) - 1,
        })
        .collect()
}

impl Frontier {
    /// Takes a tree up again at its size and the roots of its perfect subtrees, the largest first.
    pub fn resume(size: u64, peaks: Vec<Digest>) -> Result<Self, BrokenFrontier> {
        if peaks.len() == size.count_ones() as usize {
            Ok(Self { size, peaks })
        } else {
            Err(BrokenFrontier)
        }
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, the largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends a leaf, and returns the nodes that it completes, from the leaf itself upwards.
    pub fn append(&mut self, leaf: Digest) -> Vec<(Node, Digest)> {
        let mut node = Node {
            level: 0,
            index: self.size,
        };
        let mut hash = leaf;
        let mut completed = vec![(node, hash)];
        while node.index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            node = Node {
                level: node.level + 1,
                index: node.index >> 1,
            };
            completed.push((node, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        completed
    }

    /// The root of the tree.
    pub fn root(&self) -> Digest {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

/// The largest power of two below `length`, as its logarithm: where RFC 6962 splits a tree.
const fn split(length: u64) -> u8 {
    debug_assert!(length > 1);
    (length - 1).ilog2().to_le_bytes()[0]
}

/// The root over the leaves `from` up to `from + length`; `from` is a multiple of the power of two at or above `length`.
fn subtree(
    from: u64,
    length: u64,
    node: &mut impl FnMut(Node) -> Option<Digest>,
) -> Option<Digest> {
    if length.is_power_of_two() {
        let level = length.trailing_zeros().to_le_bytes()[0];
        return node(Node {
            level,
            index: from >> level,
        });
    }
    let left = 1 << split(length);
    Some(node_hash(
        &subtree(from, left, node)?,
        &subtree(from + left, length - left, node)?,
    ))
}

/// The root of the tree of `size` leaves, from its nodes. None if a node is not found.
pub fn root(size: u64, mut node: impl FnMut(Node) -> Option<Digest>) -> Option<Digest> {
    if size == 0 {
        Some(empty_root())
    } else {
        subtree(0, size, &mut node)
    }
}

/// The proof that leaf `index` is in the tree of `size` leaves: the siblings on its way to the root, from the leaf upwards. None
/// if there is no such leaf, or a node is not found. Which nodes it takes depends on `index` and `size` alone: a look-up that
/// records what it is asked for, and answers anything, tells them beforehand.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    mut node: impl FnMut(Node) -> Option<Digest>,
) -> Option<Vec<Digest>> {
    if index >= size {
        return None;
    }
    let (mut from, mut length) = (0, size);
    let mut proof = Vec::new();
    while length > 1 {
        let left = 1 << split(length);
        if index < from + left {
            proof.push(subtree(from + left, length - left, &mut node)?);
            length = left;
        } else {
            proof.push(subtree(from, left, &mut node)?);
            from += left;
            length -= left;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The proof that the tree of `new` leaves continues the tree of `old` leaves. None unless `0 < old ≤ new`, or if a node is not
/// found. As with [`inclusion_proof`], the nodes that it takes can be asked for beforehand.
pub fn consistency_proof(
    old: u64,
    new: u64,
    mut node: impl FnMut(Node) -> Option<Digest>,
) -> Option<Vec<Digest>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut from, mut length) = (0, new);
    let mut proof = Vec::new();
    // As long as the old tree ends inside this part of the new one, say what lies beside its last part.
    while from + length != old {
        let left = 1 << split(length);
        if old <= from + left {
            proof.push(subtree(from + left, length - left, &mut node)?);
            length = left;
        } else {
            proof.push(subtree(from, left, &mut node)?);
            from += left;
            length -= left;
        }
    }
    // The verifier has the old root; he lacks this part only if it is not the whole of it.
    if from > 0 {
        proof.push(subtree(from, length, &mut node)?);
    }
    proof.reverse();
    Some(proof)
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside the tree, or the old tree is empty or larger than the new one.
    #[error("no proof can exist for these sizes")]
    Sizes,
    /// The proof has another length than these sizes require.
    #[error("a proof of another length than these sizes require")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// Checks that a leaf is in a tree (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Sizes);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    reached(last, &[(hash, root)])
}

/// Checks that the tree of `new` leaves continues the tree of `old` leaves (RFC 9162 §2.1.4.2). Equal trees need no proof; from
/// an empty tree nothing can be proved, since everything continues it.
pub fn verify_consistency(
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if old == new {
        return if proof.is_empty() {
            reached(0, &[(old_root, new_root)])
        } else {
            Err(ProofError::Length)
        };
    }
    if old == 0 || old > new {
        return Err(ProofError::Sizes);
    }
    // A perfect old tree is itself the first node of the proof, and is left out.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    reached(last, &[(old_hash, old_root), (new_hash, new_root)])
}

fn reached(levels_left: u64, hashes: &[(Digest, Digest)]) -> Result<(), ProofError> {
    if levels_left != 0 {
        return Err(ProofError::Length);
    }
    if hashes.iter().all(|(hash, root)| hash == root) {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

#[cfg(test)]
mod tests;
