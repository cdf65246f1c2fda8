//! `cargo xtask bench village-day`: one village's day over the real program, counted and timed. It ends with one line of JSON.

use std::path::PathBuf;

use clap::Parser;
use tests::village_day::{Options, run};

/// Measures one village's day: bytes, requests, rates, processor time, memory.
///
/// The table on standard error says what is to be reached and what this machine could do at best; the last line on standard output is
/// one JSON object. What was left out is null there.
#[derive(Debug, Parser)]
struct Arguments {
    /// Another day: lines of JSON as `tests/src/village_day/day.rs` describes them [default: a sample of our own].
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Only bytes, cold start and a few seconds of rates: within two minutes.
    #[arg(long)]
    quick: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { data, quick } = Arguments::parse();
    println!("{}", run(&Options { data, quick })?);
    Ok(())
}
