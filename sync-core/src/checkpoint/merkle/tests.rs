use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cbor;

/// The leaves with which Certificate Transparency's implementations test themselves (transparency-dev/merkle,
/// `testonly/constants.go`, and before it google/certificate-transparency, `merkletree/merkle_tree_test.cc`).
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The roots over the first 0, 1, 2 … of them, from the same place.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn digest(hex: &str) -> Digest {
    hex.parse().unwrap()
}

/// A tree that keeps all its nodes.
#[derive(Default)]
struct Kept {
    frontier: Frontier,
    nodes: BTreeMap<Node, Digest>,
}

impl Kept {
    fn of(leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut kept = Self::default();
        for leaf in leaves {
            let completed = kept.frontier.append(leaf);
            kept.nodes.extend(completed);
        }
        kept
    }

    fn numbered(size: u64) -> Self {
        Self::of((0..size).map(|n| leaf_hash(&n.to_be_bytes())))
    }

    fn node(&self, node: Node) -> Option<Digest> {
        self.nodes.get(&node).copied()
    }

    fn root(&self, size: u64) -> Digest {
        root(size, |node| self.node(node)).unwrap()
    }
}

/// RFC 6962 §2.1, word for word.
fn mth(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let hashes: Vec<Digest> = LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut frontier = Frontier::default();
    assert_eq!(frontier.root(), digest(ROOTS[0]));
    for (size, (leaf, root)) in (1..).zip(hashes.iter().zip(&ROOTS[1..])) {
        frontier.append(*leaf);
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), digest(root), "{size} leaves");
    }
}

/// transparency-dev/merkle, `testdata/inclusion/*/happy-path.json`.
#[test]
fn inclusion_proofs_are_those_of_certificate_transparency() {
    let kept = Kept::of(LEAVES.iter().map(|leaf| leaf_hash(leaf)));
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(digest);
    let proof = inclusion_proof(5, 8, |node| kept.node(node)).unwrap();
    assert_eq!(proof, expected);
    assert_eq!(
        verify_inclusion(leaf_hash(LEAVES[5]), 5, 8, &expected, digest(ROOTS[8])),
        Ok(())
    );
}

/// transparency-dev/merkle, `testdata/consistency/*/happy-path.json`.
#[test]
fn consistency_proofs_are_those_of_certificate_transparency() {
    let kept = Kept::of(LEAVES.iter().map(|leaf| leaf_hash(leaf)));
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(digest);
    let proof = consistency_proof(6, 8, |node| kept.node(node)).unwrap();
    assert_eq!(proof, expected);
    assert_eq!(
        verify_consistency(6, digest(ROOTS[6]), 8, digest(ROOTS[8]), &expected),
        Ok(())
    );
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_to_be_there_and_nowhere_else() {
    let kept = Kept::numbered(40);
    for size in 1..=40_u64 {
        for index in 0..size {
            let leaf = leaf_hash(&index.to_be_bytes());
            let proof = inclusion_proof(index, size, |node| kept.node(node)).unwrap();
            for claimed in 0..=size {
                let verdict = verify_inclusion(leaf, claimed, size, &proof, kept.root(size));
                assert_eq!(
                    verdict.is_ok(),
                    claimed == index,
                    "leaf {index} of {size} as {claimed}"
                );
            }
        }
        assert_eq!(inclusion_proof(size, size, |node| kept.node(node)), None);
    }
}

#[test]
fn every_small_tree_continues_every_smaller_one_and_no_other() {
    let kept = Kept::numbered(41);
    for new in 1..=40_u64 {
        for old in 1..=new {
            let proof = consistency_proof(old, new, |node| kept.node(node)).unwrap();
            let check =
                |old, new| verify_consistency(old, kept.root(old), new, kept.root(new), &proof);
            assert_eq!(check(old, new), Ok(()), "{old} to {new}");
            assert!(check(old, new + 1).is_err(), "{old} to {}", new + 1);
            if old != new {
                assert!(check(old - 1, new).is_err(), "{} to {new}", old - 1);
            }
        }
        assert_eq!(consistency_proof(0, new, |node| kept.node(node)), None);
        assert_eq!(
            consistency_proof(new + 1, new, |node| kept.node(node)),
            None
        );
    }
}

#[test]
fn a_fork_has_no_proof() {
    let honest = Kept::numbered(21);
    let leaf = |n: u64| {
        if n == 9 {
            leaf_hash(b"forged")
        } else {
            leaf_hash(&n.to_be_bytes())
        }
    };
    let forked = Kept::of((0..34).map(leaf));
    let proof = consistency_proof(21, 34, |node| forked.node(node)).unwrap();
    let verdict = verify_consistency(21, honest.root(21), 34, forked.root(34), &proof);
    assert_eq!(verdict, Err(ProofError::Root));
}

#[test]
fn the_empty_tree_proves_nothing() {
    let root = Kept::numbered(3).root(3);
    assert_eq!(
        verify_consistency(0, empty_root(), 0, empty_root(), &[]),
        Ok(())
    );
    assert_eq!(
        verify_consistency(0, empty_root(), 3, root, &[]),
        Err(ProofError::Sizes)
    );
    assert_eq!(
        verify_consistency(3, root, 0, empty_root(), &[]),
        Err(ProofError::Sizes)
    );
    assert_eq!(
        verify_consistency(3, root, 3, root, &[root]),
        Err(ProofError::Length)
    );
    assert_eq!(
        verify_inclusion(root, 0, 0, &[], empty_root()),
        Err(ProofError::Sizes)
    );
}

#[test]
fn the_largest_sizes_end() {
    let proof = vec![Digest([1; 32]); 70];
    assert!(
        verify_inclusion(
            Digest([0; 32]),
            u64::MAX - 1,
            u64::MAX,
            &proof,
            Digest([0; 32])
        )
        .is_err()
    );
    assert!(
        verify_consistency(
            u64::MAX - 1,
            Digest([0; 32]),
            u64::MAX,
            Digest([0; 32]),
            &proof
        )
        .is_err()
    );
    assert!(inclusion_proof(u64::MAX - 1, u64::MAX, |_| Some(Digest([0; 32]))).is_some());
    assert!(consistency_proof(u64::MAX - 1, u64::MAX, |_| Some(Digest([0; 32]))).is_some());
    assert!(root(u64::MAX, |_| Some(Digest([0; 32]))).is_some());
}

#[test]
fn a_frontier_is_taken_up_only_whole() {
    let frontier = Kept::numbered(11).frontier;
    let resumed = Frontier::resume(frontier.size(), frontier.peaks().to_vec());
    assert_eq!(resumed.as_ref(), Ok(&frontier));
    assert_eq!(
        Frontier::resume(12, frontier.peaks().to_vec()),
        Err(BrokenFrontier)
    );
    assert_eq!(cbor::decode(&cbor::encode(&frontier)), Ok(frontier));
}

proptest! {
    #[test]
    fn a_frontier_tells_the_root_of_its_leaves(size in 0_u64..300) {
        let leaves: Vec<Digest> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let kept = Kept::of(leaves.iter().copied());
        prop_assert_eq!(kept.frontier.root(), mth(&leaves));
        prop_assert_eq!(kept.root(size), mth(&leaves));
        prop_assert_eq!(kept.frontier.peaks().len(), size.count_ones() as usize);
    }

    #[test]
    fn any_change_of_a_proof_is_noticed(size in 2_u64..300, index: prop::sample::Index, place: prop::sample::Index, byte in 0..32_usize, bit in 0..8_u8) {
        let kept = Kept::numbered(size);
        let at = index.index(usize::try_from(size).unwrap()) as u64;
        let leaf = leaf_hash(&at.to_be_bytes());
        let mut proof = inclusion_proof(at, size, |node| kept.node(node)).unwrap();
        let place = place.index(proof.len());
        proof[place].0[byte] ^= 1 << bit;
        prop_assert_eq!(verify_inclusion(leaf, at, size, &proof, kept.root(size)), Err(ProofError::Root));
        proof[place].0[byte] ^= 1 << bit;
        let extra = proof.pop().unwrap();
        prop_assert_eq!(verify_inclusion(leaf, at, size, &proof, kept.root(size)), Err(ProofError::Length));
        proof.extend([extra, extra]);
        prop_assert_eq!(verify_inclusion(leaf, at, size, &proof, kept.root(size)), Err(ProofError::Length));

        let old = at + 1;
        let mut proof = consistency_proof(old, size, |node| kept.node(node)).unwrap();
        prop_assert_eq!(verify_consistency(old, kept.root(old), size, kept.root(size), &proof), Ok(()));
        if let Some(hash) = proof.get_mut(place) {
            hash.0[byte] ^= 1 << bit;
            prop_assert!(verify_consistency(old, kept.root(old), size, kept.root(size), &proof).is_err());
        }
    }

    #[test]
    fn the_nodes_of_a_proof_can_be_asked_for_beforehand(size in 1_u64..300, index: prop::sample::Index) {
        let kept = Kept::numbered(size);
        let at = index.index(usize::try_from(size).unwrap()) as u64;
        let mut asked = Vec::new();
        inclusion_proof(at, size, |node| { asked.push(node); Some(Digest([0; 32])) });
        let fetched: BTreeMap<Node, Digest> = asked.iter().map(|node| (*node, kept.node(*node).unwrap())).collect();
        let proof = inclusion_proof(at, size, |node| fetched.get(&node).copied());
        prop_assert_eq!(proof, inclusion_proof(at, size, |node| kept.node(node)));
    }
}
