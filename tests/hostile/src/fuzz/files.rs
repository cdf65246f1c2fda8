//! What comes as a file, is typed, or is fetched.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use sync_core::area::AreaCode;
use sync_core::area::import;
use sync_core::audit::{Bundle, CatalogueFiles, Read, verify_with};
use sync_core::catalog::{Catalogue, SourceFile};
use sync_core::checkpoint::merkle::Node;
use sync_core::checkpoint::note::{NoteKey, SignedNote};
use sync_core::checkpoint::tile::{Tile, bundle as tile_bundle, unbundle};
use sync_core::checkpoint::{Checkpoint, open_checkpoint, origin};
use sync_core::id::{DeploymentId, JournalId};
use sync_core::limits::{AREA_FILE_MISTAKES_MAX, REQUEST_BATCHES_MAX};
use sync_core::month::Month;
use sync_core::seal::{self, OpeningKey, Parcel};
use sync_core::sync::enrol::OneTimeCode;

use super::samples;

pub(super) fn parcel(bytes: &[u8]) {
    // One sealed batch as it is carried, and a file of them.
    let opening = OpeningKey::from_seed(&samples::OPENING);
    let opened = seal::open(&opening, samples::DEPLOYMENT, bytes);
    assert!(opened.is_err() || bytes.len() > 32);
    let Ok(parcel) = Parcel::from_bytes(bytes) else {
        return;
    };
    assert_eq!(parcel.to_bytes(), bytes);
    assert!(parcel.sealed().count() <= REQUEST_BATCHES_MAX);
    for sealed in parcel.sealed() {
        let _ = seal::open(&opening, parcel.deployment(), sealed);
    }
}

/// A bundle is verified, whatever is in it. One without catalogues stands for one with those that are shipped, so that inputs are
/// small.
pub(super) fn bundle(bytes: &[u8]) {
    static READ: OnceLock<Mutex<Read>> = OnceLock::new();
    let Ok(mut bundle) = Bundle::from_bytes(bytes) else {
        return;
    };
    assert_eq!(bundle.to_bytes(), bytes);
    if bundle.catalogues.is_empty() {
        bundle.catalogues.push(shipped());
    }
    let mut read = READ
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let report = verify_with(&bundle, None, &mut read);
    let most = bundle.registry.len()
        + bundle
            .journals
            .iter()
            .map(|part| part.entries.len())
            .sum::<usize>();
    assert!(report.entries <= most);
    if report.holds() {
        let again = verify_with(&bundle, Some(&bundle.checkpoint), &mut read);
        assert!(again.holds() && again.since == Some(report.leaves));
    }
}

fn shipped() -> CatalogueFiles {
    let catalogue = samples::catalogue();
    let files = catalogue.files().iter();
    CatalogueFiles {
        version: catalogue.version(),
        files: files
            .map(|file| (file.name.clone(), file.text.clone()))
            .collect(),
    }
}

pub(super) fn note(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = NoteKey::parse(text) {
        assert_eq!(NoteKey::parse(&key.to_string()), Ok(key));
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    let Ok(note) = SignedNote::parse(text) else {
        return;
    };
    assert_eq!(SignedNote::parse(&note.to_string()).as_ref(), Ok(&note));
    let key = samples::log_key();
    if let Ok(checkpoint) = open_checkpoint(text, &origin(samples::DEPLOYMENT), &key.public()) {
        assert_eq!(checkpoint.to_text(), note.text());
        assert_eq!(
            checkpoint.size,
            samples::CHECKPOINT_SIZE,
            "nobody else signs"
        );
    }
}

pub(super) fn tile(bytes: &[u8]) {
    if let Ok(path) = core::str::from_utf8(bytes)
        && let Some(tile) = Tile::parse(path)
    {
        assert_eq!(tile.path(), path);
        let node = tile.nodes().next().expect("a tile is not empty");
        let same = |at: Node| (at == node).then_some(sync_core::id::Digest([1; 32]));
        assert_eq!(tile.bytes(same).is_some(), tile.width() == 1);
    }
    if let Some(leaves) = unbundle(bytes) {
        assert!(leaves.len() <= 256);
        assert_eq!(tile_bundle(&leaves).as_deref(), Some(bytes));
    }
    if let Some((first, hashes)) = bytes.split_first_chunk::<10>() {
        let [level, height, rest @ ..] = *first;
        let index = u64::from_be_bytes(rest);
        let node = Node {
            level: height,
            index: index % 1_000,
        };
        if let Some(tile) = Tile::of_node(node, index) {
            let _ = tile.node(hashes, node);
        }
        if let Some(tile) = Tile::new(level, index, u16::from(height)) {
            assert_eq!(Tile::parse(&tile.path()), Some(tile));
            let _ = tile.node(hashes, node);
        }
    }
}

/// What people type, scan or paste: one-time codes, months, division codes, ids.
pub(super) fn code(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Some(code) = OneTimeCode::parse(text) {
        assert_eq!(OneTimeCode::parse(&code.reveal()), Some(code));
    }
    if let Ok(month) = text.parse::<Month>() {
        assert_eq!(month.to_string(), text);
    }
    if let Ok(code) = text.parse::<AreaCode>() {
        assert_eq!(code.to_string(), text);
        let _ = (code.level(), code.parent());
    }
    if let Ok(id) = text.parse::<JournalId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(id) = text.parse::<DeploymentId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// A catalogue of the shipped files, one of them replaced: a line with its name, then its text.
pub(super) fn catalogue(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let (name, text) = text.split_once('\n').unwrap_or((text, ""));
    let replaced = SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let mut files: Vec<SourceFile> = samples::catalogue().files().to_vec();
    files.retain(|file| file.name != name);
    files.push(replaced);
    match Catalogue::parse(&files) {
        Ok(catalogue) => {
            let again = Catalogue::parse(catalogue.files());
            assert_eq!(
                again.as_ref().map(Catalogue::digest),
                Ok(catalogue.digest())
            );
            assert_eq!(Catalogue::digest_of(&files), catalogue.digest());
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
}

pub(super) fn areas(bytes: &[u8]) {
    match import(bytes, &BTreeSet::new()) {
        Ok(areas) => {
            let codes: BTreeSet<AreaCode> = areas.iter().map(|area| area.code).collect();
            assert_eq!(codes.len(), areas.len(), "each area once");
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= AREA_FILE_MISTAKES_MAX + 1);
        }
    }
}
