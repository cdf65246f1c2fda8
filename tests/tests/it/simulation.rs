//! Many phones, one server and a bad line: every seed holds every promise, and every broken rule is noticed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::simulation::{self, Fault, Report};

/// How many seeds each run plays; `cargo xtask simulate` plays as many as asked for.
const SEEDS: u64 = 120;
/// Within how many seeds a planted fault must show.
const SEEDS_TO_CATCH: u64 = 200;

#[test]
fn every_seed_holds_every_promise() {
    let reports = simulation::run_many(0, SEEDS);
    let failed: Vec<&Report> = reports
        .iter()
        .filter(|report| !report.violations.is_empty())
        .collect();
    let commands: usize = reports.iter().map(|report| report.commands).sum();
    assert!(
        failed.is_empty(),
        "replay with `cargo xtask simulate --seeds 1 --from SEED`: {failed:#?}"
    );
    assert!(commands > 2_000, "people said something: {commands}");
}

#[test]
fn a_seed_plays_the_same_each_time() {
    let (one, other) = (simulation::run(7, None), simulation::run(7, None));
    assert_eq!(
        (one.commands, one.violations),
        (other.commands, other.violations)
    );
}

#[test]
fn every_planted_fault_is_caught_by_its_sign() {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let work = || {
        while let Some(fault) = Fault::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            if fault.first_shown(0, SEEDS_TO_CATCH).is_none() {
                missed.lock().unwrap().push(*fault);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "nobody noticed: {missed:?}");
}
