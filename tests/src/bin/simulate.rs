//! Plays the simulation on chosen seeds: `simulate SEEDS FROM`. A seed that fails is told in as few steps as it needs; it ends with
//! one line that says how all of it went.
//!
//! `simulate SEEDS FROM FAULT` plants a fault by its name, or each in turn for `all`, and tells how the first seed shows it.

use std::process::ExitCode;

use tests::simulation::{self, Fault};

/// How many failing seeds are made short and told: the others are named.
const TOLD_MAX: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| {
        let argument = arguments.get(at)?;
        argument.parse::<u64>().ok()
    };
    let went_well = match (number(0), number(1), arguments.get(2)) {
        (Some(seeds), Some(from), None) => honest(seeds, from),
        (Some(seeds), Some(from), Some(name)) => planted(seeds, from, name),
        _ => {
            eprintln!("simulate SEEDS FROM [FAULT]");
            return ExitCode::from(2);
        }
    };
    if went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn honest(seeds: u64, from: u64) -> bool {
    let (mut commands, mut violations, mut told) = (0, 0, 0);
    for report in simulation::run_many(from, seeds) {
        commands += report.commands;
        violations += report.violations.len();
        for violation in &report.violations {
            println!("seed {}: {violation}", report.seed);
        }
        let first = report.violations.first().filter(|_| told < TOLD_MAX);
        let story = first.and_then(|first| simulation::tell(report.seed, None, first.sign));
        if let Some(story) = story {
            println!("{story}");
            told += 1;
        }
    }
    println!("seeds={seeds} commands={commands} violations={violations}");
    violations == 0
}

fn planted(seeds: u64, from: u64, name: &str) -> bool {
    let is_named = |fault: &&Fault| name == "all" || format!("{fault:?}") == name;
    let (mut planted, mut missed) = (0, 0);
    for fault in Fault::ALL.iter().filter(is_named) {
        planted += 1;
        match fault.first_shown(from..from + seeds) {
            Some(report) if name == "all" => {
                println!("{fault:?}: seed {}: {}", report.seed, fault.sign().words());
            }
            Some(report) => {
                if let Some(story) = simulation::tell(report.seed, Some(*fault), fault.sign()) {
                    println!("{story}");
                }
            }
            None => {
                missed += 1;
                println!("{fault:?}: nobody noticed");
            }
        }
    }
    println!("faults={planted} missed={missed}");
    planted > 0 && missed == 0
}
