//! The program `zhucun`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> anyhow::Result<ExitCode> {
    server::cli::Cli::parse().run()
}
