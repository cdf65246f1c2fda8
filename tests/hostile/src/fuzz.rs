//! What parses bytes from outside, each under a name: the bodies of the fuzz targets of `fuzz/`, and of their replay in the tests.
//!
//! A [`Target`] takes any bytes. It must neither panic nor grow without bound, and what it accepts must stand for one thing: it is
//! written again to the same bytes, or reads back as the same. Seeds are small and honest, so that a fuzzer need not find out what
//! a batch looks like. [`mutate`] makes others of them, the same ones each time.

mod device;
mod files;
mod samples;
mod wire;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::tamper::{Dice, edit_cbor};

/// One thing that parses bytes from outside.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: that of the binary in `fuzz/` and of the folder of its corpus.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Bytes that it is meant for.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutations of each seed an ordinary test run tries: fewer where one takes long.
    pub mutations: usize,
}

impl core::fmt::Debug for Target {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

/// The targets of the core.
pub const TARGETS: [Target; 17] = [
    target("batch", wire::batch, samples::batches, 500),
    target("envelope", wire::envelope, samples::envelopes, 1_000),
    target("content", wire::content, samples::contents, 1_000),
    target(
        "pack_contents",
        wire::pack_contents,
        samples::packed_contents,
        1_000,
    ),
    target(
        "pack_envelopes",
        wire::pack_envelopes,
        samples::packed_envelopes,
        1_000,
    ),
    target("request", wire::request, samples::requests, 200),
    target("segment", wire::segment, samples::segments, 200),
    target("response", device::response, samples::responses, 60),
    target("stored", device::stored, samples::stored, 60),
    target("vault", device::vault, samples::vaults, 1_000),
    target("parcel", files::parcel, samples::parcels, 1_000),
    target("bundle", files::bundle, samples::bundles, 60),
    target("note", files::note, samples::notes, 1_000),
    target("tile", files::tile, samples::tiles, 1_000),
    target("code", files::code, samples::codes, 1_000),
    target("catalogue", files::catalogue, samples::catalogues, 10),
    target("areas", files::areas, samples::areas, 500),
];

/// A target.
pub const fn target(
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Vec<Vec<u8>>,
    mutations: usize,
) -> Target {
    Target {
        name,
        run,
        seeds,
        mutations,
    }
}

/// Runs a target of the core by its name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of the core").run)(bytes);
}

/// The corpus of a target.
pub fn corpus(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.join("fuzz/corpus").join(name)
}

/// What a target's corpus holds, by file name, in order.
pub fn committed(name: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(corpus(name))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}

/// Writes a target's seeds into its corpus; what was found by fuzzing stays.
pub fn write_seeds(target: &Target) -> io::Result<()> {
    let folder = corpus(target.name);
    fs::create_dir_all(&folder)?;
    for (name, _) in committed(target.name)? {
        if name.starts_with("seed-") {
            fs::remove_file(folder.join(name))?;
        }
    }
    for (at, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{at:02}")), seed)?;
    }
    Ok(())
}

/// Takes in all that a target's corpus holds, its seeds as they are today, and mutations of all of them. Says how many inputs that was.
pub fn replay(target: &Target) -> usize {
    let committed =
        committed(target.name).expect("a target has a corpus; UPDATE_EXPECT=1 writes it");
    let committed = committed.into_iter().map(|(_, bytes)| bytes);
    let mut inputs: Vec<Vec<u8>> = committed.chain((target.seeds)()).collect();
    inputs.sort();
    inputs.dedup();
    let mut tried = 0;
    for input in &inputs {
        attempt(target, input);
        let mut dice = Dice::new(input.len() as u64);
        for _ in 0..target.mutations {
            attempt(target, &mutate(input, &inputs, &mut dice));
        }
        tried += 1 + target.mutations;
    }
    tried
}

/// Hands bytes to a target, and says which they were if it fails: they belong into the corpus.
fn attempt(target: &Target, bytes: &[u8]) {
    let run = std::panic::AssertUnwindSafe(|| (target.run)(bytes));
    if let Err(cause) = std::panic::catch_unwind(run) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!(
            "target {} fails on {} bytes: {hex}",
            target.name,
            bytes.len()
        );
        std::panic::resume_unwind(cause);
    }
}

/// Other bytes like these: bits, bytes, lengths and whole items changed.
pub fn mutate(input: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(3) {
        let at = dice.index(bytes.len() + 1);
        let length = dice.index(24).min(bytes.len() - at);
        match dice.below(8) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            2 => {
                bytes.drain(at..at + length);
            }
            3 => {
                let noise: [u8; 24] = dice.bytes();
                drop(bytes.splice(at..at, noise.into_iter().take(length)));
            }
            4 => {
                // Lengths and numbers at their edges.
                let edge = [0x00, 0x17, 0x18, 0x7f, 0x80, 0xff][dice.index(6)];
                let run = dice.index(9).min(bytes.len() - at);
                bytes[at..at + run].fill(edge);
            }
            5 => {
                let other = &others[dice.index(others.len())];
                let from = dice.index(other.len() + 1);
                let end = from + dice.index(64).min(other.len() - from);
                drop(bytes.splice(at..at + length, other[from..end].iter().copied()));
            }
            6 => bytes.truncate(at),
            _ => {
                if let Some(edited) = edit_cbor(&bytes, dice) {
                    bytes = edited;
                }
            }
        }
    }
    bytes
}
