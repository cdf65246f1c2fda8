//! The house's chores, each one command: `cargo xtask demo`, `cargo xtask test`, …
//!
//! What shell scripts would have been, with the same behaviour on every machine. Nothing here is part of the product, and nothing
//! here installs anything.

mod checks;
mod cli;
mod fuzz;
mod report;
mod step;
mod web;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(&cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
