//! Fuzz targets, replayed on what their corpora hold and on mutations of it.

use std::fs;

use hostile::fuzz::{TARGETS, replay, write_seeds};

/// What the whole of it may have resident at its peak, whatever the inputs claim.
const RESIDENT_KIB_MAX: u64 = 512 * 1024;

#[test]
fn every_target_stands_its_corpus_and_what_becomes_of_it() {
    for target in &TARGETS {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            write_seeds(target).expect("the corpus can be written");
        }
        let tried = replay(target);
        println!("{target:?}: {tried} inputs");
        assert!(tried > 0, "{target:?} has no corpus");
    }
    // Where the system says so: on Linux.
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let kib: u64 = kib.expect("a peak in kB").trim().parse().expect("a number");
        assert!(kib < RESIDENT_KIB_MAX, "{kib} KiB at the peak");
    }
}

#[test]
fn seeds_are_the_same_each_time() {
    let samples = TARGETS.iter().map(|target| (target.name, (target.seeds)()));
    for (name, seeds) in samples {
        assert!(!seeds.is_empty(), "{name}");
        assert_eq!(
            seeds,
            (TARGETS
                .iter()
                .find(|target| target.name == name)
                .unwrap()
                .seeds)(),
            "{name}: the same each time"
        );
    }
}
