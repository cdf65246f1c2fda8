//! The command line: `zhucun-field`.
//!
//! Chinese unless `--lang en` or the environment says otherwise. The PIN is asked for on the terminal, read from the file that
//! `ZHUCUN_PIN_FILE` names, or from standard input where that is no terminal; it is never an argument.

mod args;
mod ask;
mod desk;
mod enrolment;
mod flags;
mod import;
mod lists;
mod outbox;
mod paper;
mod record;
mod shell;
mod visit;
mod write;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use sync_core::id::Timestamp;

use crate::messages::{Lang, Worded};

pub use args::{Args, Command};
pub use ask::{Ask, Terminal};
pub use desk::Desk;

/// What went wrong, to be said in the person's language.
pub struct Complaint(Box<dyn Worded>);

impl std::fmt::Debug for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.worded(Lang::En))
    }
}

impl Complaint {
    /// What the person reads.
    pub fn worded(&self, lang: Lang) -> String {
        self.0.worded(lang)
    }
}

impl<T: Worded + 'static> From<T> for Complaint {
    fn from(worded: T) -> Self {
        Self(Box::new(worded))
    }
}

/// What a command comes to.
pub type Done = Result<(), Complaint>;

/// Runs the program on this process's arguments.
pub fn main() -> ExitCode {
    let lang = Lang::of_arguments(std::env::args());
    let matches = args::localised(Args::command(), lang).try_get_matches();
    let parsed = matches.and_then(|matches| Args::from_arg_matches(&matches));
    let args = match parsed {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    let mut terminal = Terminal::new(lang);
    let done = desk::run(&args, lang, &mut terminal, &mut io::stdout().lock());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            let said = writeln!(io::stderr(), "{}", complaint.worded(lang));
            debug_assert!(said.is_ok(), "standard error takes a line");
            ExitCode::FAILURE
        }
    }
}

/// Now: this machine's clock, or what the environment says in tests and demonstrations.
fn now(args: &Args) -> Timestamp {
    args.now.map_or_else(crate::clock::now, Timestamp)
}
