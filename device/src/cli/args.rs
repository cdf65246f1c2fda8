//! The arguments, and their help in both languages.

#![expect(
    missing_docs,
    reason = "what the arguments are for is said in both languages, by the help texts"
)]

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sync_core::id::Date;

use crate::messages::{HELP, Lang};

/// The arguments.
#[derive(Debug, Clone, Parser)]
#[command(name = "zhucun-field", version, disable_help_subcommand = true)]
pub struct Args {
    #[arg(
        long,
        global = true,
        env = "ZHUCUN_HOME",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(super) home: Option<PathBuf>,
    #[arg(long, global = true, value_enum)]
    pub(super) lang: Option<Lang>,
    #[arg(
        long,
        global = true,
        env = "ZHUCUN_NOW",
        value_name = "MS",
        hide = true
    )]
    pub(super) now: Option<i64>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// A line typed in the shell.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_help_subcommand = true)]
pub(super) struct Line {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What a person may ask for.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Enrols this device, or enrols it anew in place.
    Enrol {
        #[arg(value_name = "CODE")]
        code: String,
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
    },
    /// Logs in again.
    Login {
        #[arg(value_name = "USER_NAME")]
        user_name: String,
    },
    /// What is due.
    Due,
    /// The households.
    Households,
    /// The records of a kind.
    List {
        #[arg(value_name = "KIND")]
        kind: Option<String>,
        #[arg(long)]
        all: bool,
    },
    /// One record.
    Show {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(long, value_name = "FIELD", requires = "reason")]
        reveal: Option<String>,
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Records a visit.
    Visit(Visit),
    /// Tasks.
    Task {
        #[arg(value_name = "ACTION")]
        action: Option<String>,
        #[arg(value_name = "RECORD")]
        record: Option<String>,
        #[command(flatten)]
        with: With,
    },
    /// Takes an action on a record of any kind.
    Act {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "ACTION")]
        action: String,
        #[command(flatten)]
        with: With,
    },
    /// Makes a record of any kind.
    New {
        #[arg(value_name = "KIND")]
        kind: String,
        #[command(flatten)]
        new: NewRecord,
    },
    /// Sets fields.
    Set {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD=VALUE", required = true)]
        fields: Vec<String>,
    },
    /// Corrects a filed record.
    Amend {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD=VALUE", required = true)]
        fields: Vec<String>,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Edits a text.
    Edit {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD")]
        field: String,
        #[arg(long, value_name = "TEXT", conflicts_with = "append")]
        text: Option<String>,
        #[arg(long, value_name = "TEXT")]
        append: Option<String>,
    },
    /// Adds an item to a list.
    Add {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD")]
        field: String,
        #[arg(value_name = "ITEM")]
        item: String,
    },
    /// Takes an item out of a list.
    Remove {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD")]
        field: String,
        #[arg(value_name = "N")]
        number: usize,
    },
    /// Voids a record.
    Void {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Destroys the content of records, as the law requires.
    Erase {
        #[arg(value_name = "RECORD", required = true)]
        records: Vec<String>,
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// One cause at several households.
    Clusters,
    /// What the self-check finds doubtful.
    Checks {
        #[arg(value_name = "RECORD")]
        record: Option<String>,
    },
    /// A paper drafted from records.
    Paper {
        #[arg(value_name = "PAPER")]
        name: Option<String>,
        #[arg(long, value_name = "DAY", conflicts_with = "of")]
        day: Option<Date>,
        #[arg(long, value_name = "RECORD")]
        of: Option<String>,
        #[arg(long, value_name = "VILLAGE")]
        village: Option<String>,
    },
    /// Fields with several values.
    Conflicts,
    /// Chooses one of several values.
    Choose {
        #[arg(value_name = "RECORD")]
        record: String,
        #[arg(value_name = "FIELD")]
        field: String,
        #[arg(value_name = "N")]
        number: usize,
    },
    /// What was refused or without effect.
    Refused {
        #[arg(long)]
        others: bool,
    },
    /// Offers it again.
    Again {
        #[arg(value_name = "N")]
        number: usize,
        #[arg(long)]
        others: bool,
    },
    /// Leaves it aside.
    Leave {
        #[arg(value_name = "N")]
        number: usize,
    },
    /// What counts and is marked.
    Flagged {
        #[arg(value_name = "CAUSE")]
        cause: Option<String>,
    },
    /// Clears marks.
    Clear {
        #[arg(value_name = "CAUSE")]
        cause: String,
        #[arg(value_name = "RECORD", required_unless_present = "all")]
        records: Vec<String>,
        #[arg(long, conflicts_with = "records")]
        all: bool,
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Closes a month.
    Seal {
        #[arg(value_name = "MONTH")]
        month: String,
        #[arg(value_name = "VILLAGE")]
        villages: Vec<String>,
        #[arg(long, conflicts_with = "villages")]
        all: bool,
    },
    /// Makes clues of a comparison list.
    Import(Import),
    /// Sends and takes what is new.
    Sync,
    /// Where this device stands.
    Status,
    /// Where each command of a record is.
    Receipt {
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Packs what is unsent for a carrier.
    Export {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Takes a teammate's parcel along.
    Carry {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Packs what was sealed when the PIN is lost.
    Rescue {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// The PIN.
    Pin {
        #[command(subcommand)]
        what: PinCommand,
    },
    /// Stays open for several commands.
    Shell,
}

/// What may be done with the PIN.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum PinCommand {
    /// Changes it.
    Change,
}

/// What a new record begins with.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct NewRecord {
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(super) set: Vec<String>,
    #[arg(long, value_name = "RECORD")]
    pub(super) from: Option<String>,
    #[arg(long, value_name = "AUDIENCE")]
    pub(super) audience: Option<String>,
    #[arg(long, value_name = "VILLAGE")]
    pub(super) village: Option<String>,
}

/// What an action brings.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct With {
    #[arg(long = "field", value_name = "FIELD=VALUE")]
    pub(super) fields: Vec<String>,
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// A list to import.
#[derive(Debug, Clone, clap::Args)]
pub struct Import {
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[arg(
        long,
        value_name = "MAPPING",
        required_unless_present = "suggest",
        conflicts_with = "suggest"
    )]
    pub(super) mapping: Option<PathBuf>,
    #[arg(long, value_name = "NAME")]
    pub(super) sheet: Option<String>,
    #[arg(long)]
    pub(super) suggest: bool,
    #[arg(long)]
    pub(super) dry_run: bool,
    #[arg(long, value_name = "OUT")]
    pub(super) report: Option<PathBuf>,
    #[arg(long, value_name = "REPORT")]
    pub(super) decisions: Option<PathBuf>,
}

/// A visit; what is not said is asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Visit {
    #[arg(value_name = "HOUSEHOLD")]
    pub(super) household: Option<String>,
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Option<String>,
    #[arg(long, value_name = "LOOKS")]
    pub(super) looks: Option<String>,
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Option<String>,
    #[arg(long, value_name = "NEEDS")]
    pub(super) needs: Option<String>,
    #[arg(long, value_name = "DATE")]
    pub(super) on: Option<String>,
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(super) set: Vec<String>,
    #[arg(long)]
    pub(super) file: bool,
}

/// The command with its help in a language.
pub(super) fn localised(command: clap::Command, lang: Lang) -> clap::Command {
    let about = help(lang, &[]);
    let command = command
        .about(about)
        .subcommand_help_heading(lang.pick("命令", "Commands"));
    let command = command.mut_args(|arg| described(arg, lang, &[]));
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(&name, |sub| localised_sub(sub, lang, &[&name]))
    })
}

fn localised_sub(command: clap::Command, lang: Lang, path: &[&str]) -> clap::Command {
    let command = command
        .about(help(lang, path))
        .mut_args(|arg| described(arg, lang, path));
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    names.into_iter().fold(command, |command, name| {
        let path = [path, &[name.as_str()]].concat();
        command.mut_subcommand(&name, |sub| localised_sub(sub, lang, &path))
    })
}

fn described(arg: clap::Arg, lang: Lang, path: &[&str]) -> clap::Arg {
    if arg.is_hide_set() {
        return arg;
    }
    let id = arg.get_id().as_str().to_owned();
    let own = help(lang, &[path, &[id.as_str()]].concat());
    let text = if own.is_empty() {
        help(lang, &[&format!("*{id}")])
    } else {
        own
    };
    arg.help(text)
}

/// The help of a place: commands and arguments by their names, `*name` for an argument that means the same everywhere.
fn help(lang: Lang, path: &[&str]) -> &'static str {
    let path = path.join(" ");
    let found = HELP.iter().find(|(place, ..)| *place == path);
    found.map_or("", |(_, zh, en)| lang.pick(zh, en))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_sound_and_every_one_has_help_in_both_languages() {
        Args::command().debug_assert();
        for lang in [Lang::Zh, Lang::En] {
            let mut without = Vec::new();
            check(&localised(Args::command(), lang), "", &mut without);
            assert!(without.is_empty(), "{lang:?}: {without:?}");
        }
    }

    fn check(command: &clap::Command, path: &str, without: &mut Vec<String>) {
        if command
            .get_about()
            .is_none_or(|about| about.to_string().is_empty())
        {
            without.push(path.to_owned());
        }
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if arg
                .get_help()
                .is_none_or(|help| help.to_string().is_empty())
            {
                without.push(format!("{path} {}", arg.get_id()));
            }
        }
        for sub in command.get_subcommands() {
            check(sub, &format!("{path} {}", sub.get_name()), without);
        }
    }
}
