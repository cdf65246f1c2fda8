//! A disk that loses its power or fails to sync, for programs under test.
//!
//! It is a library that is preloaded (`LD_PRELOAD`) into the program, written in C because it stands in the place of the C library's own
//! functions: `power_cut.c` says what it does. The program must be another process, and nobody else may have its files open.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SOURCE: &str = include_str!("power_cut.c");

/// The disk, built.
#[derive(Debug)]
pub struct Disk {
    library: PathBuf,
    _folder: TempDir,
}

/// When the power goes.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Before this operation: a write, a sync, a change of a name; counted from 1.
    At(u32),
    /// When the process is sent `SIGUSR2`.
    Told,
    /// When the program ends by itself.
    AtExit,
}

impl Disk {
    /// Builds it.
    ///
    /// # Panics
    ///
    /// Without a C compiler, which `SQLite` needs too.
    pub fn build() -> Self {
        let folder = tempfile::tempdir().expect("room for a library");
        let library = folder.path().join("power_cut.so");
        let source = folder.path().join("power_cut.c");
        std::fs::write(&source, SOURCE).expect("room for its source");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
        compiler.arg(&library).arg(&source);
        compiler.args(["-ldl", "-lpthread"]);
        let built = compiler.output().expect("a C compiler");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}");
        Self {
            library,
            _folder: folder,
        }
    }

    /// The environment of a program whose files in a folder lie on it. The seed chooses what stays of that which was not synced.
    pub fn under(&self, folder: &Path, seed: u32, cut: Cut) -> Vec<(&'static str, OsString)> {
        // The folder itself may not be there yet.
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let (name, value) = match cut {
            Cut::At(operation) => ("POWER_CUT_AT", operation.to_string()),
            Cut::Told => ("POWER_CUT_TOLD", "1".to_owned()),
            Cut::AtExit => ("POWER_CUT_AT_EXIT", "1".to_owned()),
        };
        vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("POWER_CUT_FOLDER", whole.into()),
            ("POWER_CUT_SEED", seed.to_string().into()),
            (name, value.into()),
        ]
    }
}

/// Has the syncs of files whose names end so put off until another file is written: what `SQLite` does to its log under
/// `synchronous=NORMAL`.
pub fn lazy(end: &str) -> (&'static str, OsString) {
    ("POWER_CUT_LAZY", end.into())
}

/// Has one of the syncs of files whose names end so fail, counted from 1.
pub fn failing(end: &str, at: u32) -> [(&'static str, OsString); 2] {
    [
        ("POWER_CUT_FAIL", end.into()),
        ("POWER_CUT_FAIL_AT", at.to_string().into()),
    ]
}

/// How many sectors were not synced at the cuts of a folder, all together.
///
/// # Panics
///
/// When its record is none.
pub fn unsynced(folder: &Path) -> u64 {
    let said = std::fs::read_to_string(folder.with_extension("cut")).unwrap_or_default();
    let counts = said.split_whitespace();
    let unsynced = counts.filter_map(|count| count.strip_prefix("unsynced="));
    let numbers = unsynced.map(|count| count.parse::<u64>().expect("a number"));
    numbers.sum()
}
