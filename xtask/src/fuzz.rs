//! Fuzzing one target: cargo-fuzz on the stable compiler.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::step::{Step, root};

/// What a target may have resident, in MiB.
const RESIDENT_MIB: u32 = 512;
/// How long one input may take, in seconds.
const INPUT_SECONDS: u32 = 10;

/// Fuzzes a target for a time. What it learns it keeps in `fuzz/found`, what breaks it in `fuzz/artifacts`: the latter belongs into the
/// corpus, with the fix.
pub(crate) fn run(target: &str, seconds: u64) -> Result<bool> {
    let corpus = root().join("fuzz/corpus");
    let mut known: Vec<String> = fs::read_dir(&corpus)
        .context("there is no corpus")?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    known.sort();
    if !known.iter().any(|name| name == target) {
        bail!(
            "there is no target {target}; there are {}",
            known.join(", ")
        );
    }
    if !Step::cargo(&["fuzz", "--version"]).works() {
        bail!("cargo-fuzz is not installed: `cargo install cargo-fuzz --locked`");
    }
    let found = format!("fuzz/found/{target}");
    fs::create_dir_all(root().join(&found)).context("cannot make the folder of what is found")?;
    let (time, memory) = (
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={RESIDENT_MIB}"),
    );
    let timeout = format!("-timeout={INPUT_SECONDS}");
    // Coverage is all that is asked of the compiler, and the stable one has it; it only does not say so.
    let mut arguments = vec!["fuzz", "run", "--sanitizer", "none"];
    let body = fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{target}.rs")));
    if body.context("there is no such target")?.contains("tests::") {
        arguments.extend(["--features", "server"]);
    }
    let seeds = format!("fuzz/corpus/{target}");
    arguments.extend([target, &found, &seeds, "--", &time, &memory, &timeout]);
    Step::cargo(&arguments).env("RUSTC_BOOTSTRAP", "1").stream()
}
