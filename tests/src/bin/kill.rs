//! Kills the server and its phones at random moments: `kill TIMES [SEED]`. It ends with one line that says how it went.
//!
//! The server is the program `zhucun` that lies beside it. The phones are itself: `kill phone …` is a field client.

use std::process::ExitCode;

use anyhow::Context as _;
use tests::kill;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["phone", "enrol", folder, server, code] => {
            kill::phone::enrol(folder.as_ref(), server, code)?;
            Ok(ExitCode::SUCCESS)
        }
        ["phone", folder, number] => {
            kill::phone::run(folder.as_ref(), number.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        [times, rest @ ..] => {
            let times = times.parse().context("how many times to kill")?;
            let seed = match rest {
                [seed] => seed.parse().context("a seed is a number")?,
                _ => rand::random(),
            };
            println!("seed {seed}");
            let told = kill::run(&std::env::current_exe()?, times, seed)?;
            println!("{told}");
            Ok(ExitCode::from(u8::from(!told.holds())))
        }
        [] => {
            eprintln!("kill TIMES [SEED]");
            Ok(ExitCode::from(2))
        }
    }
}
