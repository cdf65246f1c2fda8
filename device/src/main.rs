//! `zhucun-field`: see `zhucun-field --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    device::cli::main()
}
