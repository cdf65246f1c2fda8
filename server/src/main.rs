//! The program `zhucun`.

use std::process::ExitCode;

use clap::Parser as _;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    server::cli::Cli::parse().run()
}
