//! Plays the simulation on chosen seeds: `simulate SEEDS FROM`. It ends with one line that says how it went.
//!
//! `simulate SEEDS FROM FAULT` plants a fault by its name, or each in turn for `all`, and says which seed shows it first and how.

use std::process::ExitCode;

use tests::simulation::{self, Fault};

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
    let (mut commands, mut violations) = (0, 0);
    for report in simulation::run_many(from, seeds) {
        commands += report.commands;
        violations += report.violations.len();
        for violation in &report.violations {
            println!("seed {}: {violation}", report.seed);
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
        match fault.first_shown(from, seeds) {
            Some((seed, sign)) => println!("{fault:?}: seed {seed}: {sign}"),
            None => {
                missed += 1;
                println!("{fault:?}: nobody noticed");
            }
        }
    }
    println!("faults={planted} missed={missed}");
    planted > 0 && missed == 0
}
