//! Plays random days natively: `play SEED COMMANDS`. What it prints, the module must print as well.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse());
    let numbers = (numbers.next(), numbers.next(), numbers.next());
    let (Some(Ok(seed)), Some(Ok(commands)), None) = numbers else {
        eprintln!("usage: play SEED COMMANDS");
        return ExitCode::FAILURE;
    };
    print!("{}", web_wasm::play::play(seed, commands));
    ExitCode::SUCCESS
}
