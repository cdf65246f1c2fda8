//! The auditor's verifier: it passes every untouched log, and finds every change of one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use hostile::tamper::{Change, Changed, Dice, Log, Verdict, examine};
use sync_core::audit::{self, Bundle, Read};

/// Logs that are verified.
const LOGS: u64 = 100;
/// Changes of each of them.
const CHANGES: usize = 100;

/// What somebody does with each log, on as many threads as the machine has.
fn each_log(work: impl Fn(u64, &Log) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || {
                for seed in (0..LOGS).filter(|seed| seed % threads == thread) {
                    work(seed, &Log::of(seed));
                }
            });
        }
    });
}

#[test]
fn untouched_logs_pass_and_every_change_of_one_is_found() {
    let counts: Mutex<BTreeMap<Change, [usize; 3]>> = Mutex::default();
    let fates: Mutex<BTreeSet<String>> = Mutex::default();
    each_log(|seed, log| {
        let mut read = Read::default();
        let file = log.bundle.to_bytes();
        let bundle = Bundle::from_bytes(&file).expect("an untouched file is read");
        let mut kept: Vec<Option<&str>> = (log.earlier.iter())
            .map(|earlier| Some(earlier.checkpoint.as_str()))
            .collect();
        kept.extend([None, Some(log.bundle.checkpoint.as_str())]);
        for since in &kept {
            let report = audit::verify_with(&bundle, *since, &mut read);
            assert!(report.holds(), "seed {seed}: {:#?}", report.findings);
            assert_eq!((report.uncovered, report.absent), (0, 0), "seed {seed}");
        }
        fates.lock().unwrap().extend(log.fates().into_keys());

        let mut dice = Dice::new(seed);
        let mut done = 0;
        for draw in 0.. {
            let change = Change::ALL[(draw + usize::try_from(seed).unwrap()) % Change::ALL.len()];
            let Some(changed) = change.of(log, &file, &mut dice) else {
                continue;
            };
            let since = if changed.needs_kept {
                Some(log.bundle.checkpoint.as_str())
            } else {
                kept[draw % kept.len()]
            };
            let verdict = examine(log, &changed.forged, since, &mut read);
            let Some(named) = check(seed, draw, change, &changed, &verdict) else {
                continue;
            };
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(change).or_default();
            count[0] += 1;
            count[usize::from(named) + 1] += usize::from(changed.at.is_some());
            done += 1;
            if done == CHANGES {
                break;
            }
        }
    });
    let counts = counts.into_inner().unwrap();
    let found: usize = counts.values().map(|count| count[0]).sum();
    println!(
        "{found} changes, all found; of each kind: found, then of those in one entry: named another, named it"
    );
    println!("{counts:#?}");
    assert_eq!(counts.len(), Change::ALL.len(), "of every kind some");
    assert_eq!(found, CHANGES * usize::try_from(LOGS).unwrap());
    let fates = fates.into_inner().unwrap();
    for fate in [
        "clock",
        "after_seal",
        "after_end",
        "superseded",
        "device_revoked",
    ] {
        assert!(
            fates.contains(fate),
            "the logs are rich: {fate} in {fates:?}"
        );
    }
}

/// Holds what was found against what was done. Says whether the very entry is named; nothing if nothing was done.
fn check(
    seed: u64,
    draw: usize,
    change: Change,
    changed: &Changed,
    verdict: &Verdict,
) -> Option<bool> {
    match verdict {
        Verdict::Nothing => None,
        Verdict::Unreadable => Some(false),
        Verdict::Missed(report) => {
            panic!("seed {seed}, draw {draw}: {change:?} passed: {report:?}")
        }
        Verdict::Found(report) => {
            let Some((journal, seq)) = changed.at else {
                return Some(false);
            };
            let mut named = report.findings.iter().filter(|finding| {
                finding.journal == Some(journal) && finding.seq.is_some_and(|at| at >= seq)
            });
            assert!(
                named.clone().next().is_some(),
                "seed {seed}, draw {draw}: {change:?} at {journal} {seq} is found elsewhere: {:#?}",
                report.findings
            );
            Some(named.any(|finding| finding.seq == Some(seq)))
        }
    }
}

#[test]
fn what_a_bundle_leaves_out_is_counted() {
    let log = Log::of(0);
    let mut read = Read::default();
    let all = audit::verify_with(&log.bundle, None, &mut read);
    let mut less = log.bundle.clone();
    let gone = less.journals.pop().expect("it has journals");
    less.records.retain(|shown| shown.journal != gone.journal);
    let report = audit::verify_with(&less, None, &mut read);
    assert!(report.holds(), "{:#?}", report.findings);
    assert_eq!((report.absent, report.journals), (1, all.journals - 1));

    let mut less = log.bundle.clone();
    less.records.clear();
    let report = audit::verify_with(&less, None, &mut read);
    assert!(report.holds(), "{:#?}", report.findings);
    assert!(all.compared > 0 && report.compared == 0);

    let mut less = log.bundle.clone();
    less.leaves.clone_from(&log.earlier[0].leaves);
    less.checkpoint.clone_from(&log.earlier[0].checkpoint);
    let report = audit::verify_with(&less, None, &mut read);
    assert!(report.holds(), "{:#?}", report.findings);
    assert!(report.uncovered > 0);
}
