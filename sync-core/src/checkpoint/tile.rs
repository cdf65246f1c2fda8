//! Tiles (C2SP `tlog-tiles`): the tree and its leaves as immutable files, 256 hashes or leaves each.
//!
//! Tile `level` holds nodes of height `8 × level`; the heights between are hashed again by the reader. The last tile of a level
//! may be partial, and is then named with its width.

use super::merkle::{Node, node_hash};
use crate::id::Digest;

/// Hashes in a full tile, and leaves in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Heights from one tile to the one above.
const TILE_HEIGHT: u8 = 8;
/// No tree of 64-bit size has tiles at a higher level.
const LEVEL_MAX: u8 = 7;
/// The last tile of leaf hashes that a tree of 64-bit size can have.
const INDEX_MAX: u64 = u64::MAX / TILE_WIDTH as u64;
const HASH_BYTES: usize = 32;

/// The name of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile at a place, if its width is 1 to 256, and a tree can have it.
    pub const fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        let exists = level <= LEVEL_MAX && index <= INDEX_MAX && 0 < width && width <= TILE_WIDTH;
        if exists {
            Some(Self {
                level,
                index,
                width,
            })
        } else {
            None
        }
    }

    /// The level: 0 for the tiles of leaf hashes.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// The position in its level.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it holds.
    pub const fn width(self) -> u16 {
        self.width
    }

    /// The tile that holds `node`, or from whose hashes it is computed, in a tree of `size` leaves. None if that tree does not
    /// have the node.
    pub fn of_node(node: Node, size: u64) -> Option<Self> {
        let (level, height) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
        let first = shifted(node.index, height)?;
        let after = shifted(node.index.checked_add(1)?, height)?;
        let complete = size.checked_shr(u32::from(level * TILE_HEIGHT))?;
        if after > complete {
            return None;
        }
        let index = first / u64::from(TILE_WIDTH);
        let width = (complete - index * u64::from(TILE_WIDTH)).min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(width).ok()?)
    }

    /// The tiles, full and partial, that a tree of `size` leaves has and one of `old` leaves had not; level by level.
    pub fn new_since(old: u64, size: u64) -> Vec<Self> {
        let wide = u64::from(TILE_WIDTH);
        let mut tiles = Vec::new();
        for level in 0..=LEVEL_MAX {
            let complete = |size: u64| size >> (level * TILE_HEIGHT);
            let (had, has) = (complete(old), complete(size));
            if had >= has {
                continue;
            }
            for index in had / wide..has.div_ceil(wide) {
                let width = u16::try_from((has - index * wide).min(wide));
                tiles.extend(width.ok().and_then(|width| Self::new(level, index, width)));
            }
        }
        tiles
    }

    /// The path below the log's prefix: `tile/0/x001/234.p/5`.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, numbered(self.index, self.width))
    }

    /// Reads a path.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = unnumbered(rest)?;
        let tile = Self::new(level.parse().ok()?, index, width)?;
        (tile.path() == path).then_some(tile)
    }

    /// The nodes whose hashes it holds, in order.
    pub fn nodes(self) -> impl Iterator<Item = Node> {
        let first = self.index * u64::from(TILE_WIDTH);
        let level = self.level * TILE_HEIGHT;
        (0..self.width).map(move |place| Node {
            level,
            index: first + u64::from(place),
        })
    }

    /// The bytes of the tile: its hashes one after the other. None if a node is not found.
    pub fn bytes(self, node: impl FnMut(Node) -> Option<Digest>) -> Option<Vec<u8>> {
        let hashes: Option<Vec<Digest>> = self.nodes().map(node).collect();
        Some(hashes?.into_iter().flat_map(|hash| hash.0).collect())
    }

    /// The hash of a node, from the bytes of the tile that [`Self::of_node`] names. None if it is not in this tile, or the bytes
    /// are not a tile of this width.
    pub fn node(self, bytes: &[u8], node: Node) -> Option<Digest> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if hashes.len() != usize::from(self.width)
            || !rest.is_empty()
            || node.level / TILE_HEIGHT != self.level
        {
            return None;
        }
        let height = node.level % TILE_HEIGHT;
        let before = self.index * u64::from(TILE_WIDTH);
        let first = shifted(node.index, height)?.checked_sub(before)?;
        let first = usize::try_from(first).ok()?;
        let mut row: Vec<Digest> = hashes
            .get(first..first.checked_add(1 << height)?)?
            .iter()
            .map(|hash| Digest(*hash))
            .collect();
        while row.len() > 1 {
            row = row
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        row.first().copied()
    }
}

/// The path of a bundle of leaves: `tile/entries/x001/234.p/5`. None if its width is not 1 to 256.
pub fn bundle_path(index: u64, width: u16) -> Option<String> {
    Tile::new(0, index, width).map(|_| format!("tile/entries/{}", numbered(index, width)))
}

/// The leaves of a bundle, each after its length in two bytes. None if a leaf is too long, or there are more than 256.
pub fn bundle(leaves: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        bytes.extend(u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend(leaf);
    }
    (leaves.len() <= usize::from(TILE_WIDTH)).then_some(bytes)
}

/// The leaves of a bundle, one after the other. None if it is cut short or has more than 256.
pub fn unbundle(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (leaf, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        leaves.push(leaf.to_vec());
        bytes = rest;
    }
    (bytes.is_empty() && leaves.len() <= usize::from(TILE_WIDTH)).then_some(leaves)
}

/// `value × 2^bits`, if it is a number of 64 bits.
fn shifted(value: u64, bits: u8) -> Option<u64> {
    (value.leading_zeros() >= u32::from(bits)).then(|| value << bits)
}

/// `x001/x234/067`, and the width of a partial tile behind it.
fn numbered(index: u64, width: u16) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut left = index / 1000;
    while left > 0 {
        path = format!("x{:03}/{path}", left % 1000);
        left /= 1000;
    }
    if width < TILE_WIDTH {
        format!("{path}.p/{width}")
    } else {
        path
    }
}

/// Not strict: the caller writes what it has read, and compares.
fn unnumbered(path: &str) -> Option<(u64, u16)> {
    let (digits, width) = match path.split_once(".p/") {
        Some((digits, width)) => (digits, width.parse().ok()?),
        None => (path, TILE_WIDTH),
    };
    let mut index = 0_u64;
    for part in digits.split('/') {
        let part: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
        index = index.checked_mul(1000)?.checked_add(part)?;
    }
    Some((index, width))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::merkle::{Frontier, inclusion_proof, leaf_hash};
    use super::*;

    fn nodes_of(size: u64) -> BTreeMap<Node, Digest> {
        let mut frontier = Frontier::default();
        (0..size)
            .flat_map(|n| frontier.append(leaf_hash(&n.to_be_bytes())))
            .collect()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        for (tile, path) in [
            (Tile::new(0, 1_234_067, 256), "tile/0/x001/x234/067"),
            (Tile::new(0, 1_234, 5), "tile/0/x001/234.p/5"),
            (Tile::new(1, 0, 1), "tile/1/000.p/1"),
            (Tile::new(7, 999, 255), "tile/7/999.p/255"),
        ] {
            assert_eq!(tile.map(Tile::path).as_deref(), Some(path));
            assert_eq!(Tile::parse(path), tile);
        }
        assert_eq!(
            bundle_path(1_234_067, 256).as_deref(),
            Some("tile/entries/x001/x234/067")
        );
        assert_eq!(bundle_path(0, 0), None);
    }

    #[test]
    fn the_last_tile_of_all_has_its_nodes() {
        let last = Tile::new(0, u64::MAX / 256, 256).unwrap();
        assert_eq!(
            last.nodes().last(),
            Some(Node {
                level: 0,
                index: u64::MAX
            })
        );
        assert_eq!(Tile::new(0, u64::MAX / 256 + 1, 256), None);
    }

    #[test]
    fn other_paths_are_refused() {
        for path in [
            "",
            "tile/0",
            "tile/0/",
            "tile/0/1",
            "tile/00/001",
            "tile/8/001",
            "tile/0/001/234",
            "tile/0/x001",
            "tile/0/x000/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/07",
            "tile/0/+01",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/entries/001",
            "tile/0/x072/x057/x594/x037/x927/936",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    /// The example of the specification: 70,000 leaves.
    #[test]
    fn a_tree_has_the_tiles_that_the_specification_says() {
        let tiles = Tile::new_since(0, 70_000);
        let of = |level: u8, full: bool| {
            tiles
                .iter()
                .filter(move |tile| tile.level == level && (tile.width == 256) == full)
        };
        assert_eq!(of(0, true).count(), 273);
        assert_eq!(
            of(0, false).map(|tile| tile.width).collect::<Vec<_>>(),
            [112]
        );
        assert_eq!(of(1, true).count(), 1);
        assert_eq!(
            of(1, false).map(|tile| tile.width).collect::<Vec<_>>(),
            [17]
        );
        assert_eq!(of(2, false).map(|tile| tile.width).collect::<Vec<_>>(), [1]);
        assert_eq!(tiles.len(), 277);
        let tiles: Vec<String> = Tile::new_since(0, 256)
            .into_iter()
            .map(Tile::path)
            .collect();
        assert_eq!(tiles, ["tile/0/000", "tile/1/000.p/1"]);
        let tiles: Vec<String> = Tile::new_since(256, 258)
            .into_iter()
            .map(Tile::path)
            .collect();
        assert_eq!(tiles, ["tile/0/001.p/2"]);
    }

    #[test]
    fn any_proof_can_be_made_from_tiles() {
        const SIZE: u64 = 70_000;
        let nodes = nodes_of(SIZE);
        let tiles: BTreeMap<Tile, Vec<u8>> = Tile::new_since(0, SIZE)
            .into_iter()
            .map(|tile| (tile, tile.bytes(|node| nodes.get(&node).copied()).unwrap()))
            .collect();
        let from_tiles = |node: Node| {
            let tile = Tile::of_node(node, SIZE)?;
            tile.node(tiles.get(&tile)?, node)
        };
        for index in [0, 1, 255, 256, 65_535, 65_536, 69_631, 69_999] {
            let proof = inclusion_proof(index, SIZE, from_tiles);
            assert!(proof.is_some());
            assert_eq!(
                proof,
                inclusion_proof(index, SIZE, |node| nodes.get(&node).copied()),
                "{index}"
            );
        }
    }

    #[test]
    fn bundles_hold_up_to_256_leaves() {
        let leaves = vec![vec![7; 55]; 256];
        let bytes = bundle(&leaves).unwrap();
        assert_eq!(unbundle(&bytes), Some(leaves));
        assert_eq!(bundle(&vec![vec![]; 257]), None);
        assert_eq!(unbundle(&[0; 2 * 257]), None);
        assert_eq!(bundle(&[vec![0; 65_536]]), None);
        assert_eq!(unbundle(&bytes[..bytes.len() - 1]), None);
        assert_eq!(unbundle(&[0]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn tiles_hold_what_the_tree_holds(size in 1_u64..700, old in 0_u64..700) {
            let nodes = nodes_of(size);
            for (node, hash) in &nodes {
                let tile = Tile::of_node(*node, size).unwrap();
                let bytes = tile.bytes(|node| nodes.get(&node).copied()).unwrap();
                prop_assert_eq!(tile.node(&bytes, *node), Some(*hash));
            }
            for tile in Tile::new_since(old, size) {
                prop_assert!(tile.nodes().all(|node| nodes.contains_key(&node)));
            }
        }

    }

    proptest! {
        #[test]
        fn nodes_outside_the_tree_are_in_no_tile(level: u8, index: u64, size: u64) {
            if let Some(tile) = Tile::of_node(Node { level, index }, size) {
                let last = u128::from(index + 1) << level;
                prop_assert!(last <= u128::from(size));
                prop_assert!(Tile::parse(&tile.path()) == Some(tile));
                let _ = tile.node(&vec![0; usize::from(tile.width()) * 32], Node { level, index });
            }
        }

        #[test]
        fn no_text_breaks_the_reader(path in "(tile/)?[0-9]{1,2}/(x?[0-9]{1,3}/){0,8}[0-9]{1,3}(\\.p/[0-9]{1,3})?") {
            if let Some(tile) = Tile::parse(&path) {
                prop_assert_eq!(tile.path(), path);
            }
        }
    }
}
