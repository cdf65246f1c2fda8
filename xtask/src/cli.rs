//! The commands and what each runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};

use crate::checks;
use crate::fuzz;
use crate::step::{Step, root};
use crate::web;

/// Chores of the Zhucun workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays half a year of one household and two days of one village over a real server, and leaves it running to look around
    Demo {
        /// End after the story instead, with an exit code
        #[arg(long)]
        once: bool,
        /// The language of the story [default: that of the terminal]
        #[arg(long)]
        lang: Option<Language>,
    },
    /// Builds the app for phones: the core as a module for browsers, and the pages around it
    Web {
        /// The module alone, into the app's sources
        #[arg(long)]
        module: bool,
    },
    /// Runs every check and test, and counts them
    Test,
    /// What `test` does; then that everything committed but generated is up to date
    Ci,
    /// Regenerates what is committed but generated: query data, API description, codes, access table
    Prepare,
    /// Runs the simulation of many devices on chosen seeds, optimised
    Simulate {
        /// How many seeds
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first seed
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Kills a server and its phones at work, again and again, and checks that nothing is lost or doubled; optimised
    Kill {
        /// How often
        #[arg(long, default_value_t = 200)]
        times: u64,
        /// The seed of the moments at which it kills [default: a new one]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Plays random commands in the module and natively, and compares all that they add up to
    Same {
        /// How many commands
        #[arg(long, default_value_t = 100_000)]
        commands: u32,
        /// The first seed
        #[arg(long, default_value_t = 1)]
        seed: u32,
    },
    /// Plants one fault after another in admission, policy and fold, and lists those that no test of the core notices (hours)
    Mutants {
        /// What else to tell cargo-mutants, as `--file sync-core/src/admit/judge.rs` or `--list`
        #[arg(last = true)]
        more: Vec<String>,
    },
    /// Fuzzes one of the targets of `fuzz/`, beginning with its corpus
    Fuzz {
        /// Which
        target: String,
        /// For how long
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Measures: the parts of the core, or one village's day over the real program
    Bench {
        #[command(subcommand)]
        what: Option<Bench>,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// One village's day: bytes, requests, rates, processor time, memory, restarts; ends with one line of JSON
    VillageDay {
        /// Another day, in the same format as the sample that is used otherwise
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Only bytes, cold start and a few seconds of rates, within two minutes; the other figures are null
        #[arg(long)]
        quick: bool,
    },
    /// The app in a browser, on a slow phone and a slow line: bytes, times, memory; ends with one line of JSON
    App,
    /// A list of 50,000 rows against a county's register, tried, imported and run again; ends with one line of JSON
    Import {
        /// How many rows
        #[arg(long, default_value_t = 50_000)]
        rows: usize,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    Zh,
    En,
}

impl Language {
    /// That of the terminal, as the locale variables say.
    fn of_terminal() -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        if locale.is_some_and(|locale| locale.starts_with("zh")) {
            Self::Zh
        } else {
            Self::En
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// Runs one command and says whether all went well.
pub(crate) fn run(cli: &Cli) -> Result<bool> {
    match &cli.command {
        Command::Demo { once, lang } => demo(*once, lang.unwrap_or_else(Language::of_terminal)),
        Command::Web { module: true } => web::modules(),
        Command::Web { module: false } => web::build(),
        Command::Test => checks::test(),
        Command::Ci => checks::ci(),
        Command::Prepare => checks::prepare(),
        Command::Simulate { seeds, from } => {
            let (seeds, from) = (seeds.to_string(), from.to_string());
            let simulate = [
                "run",
                "--quiet",
                "--release",
                "--package",
                "tests",
                "--bin",
                "simulate",
                "--",
                &seeds,
                &from,
            ];
            Step::cargo(&simulate).stream()
        }
        Command::Kill { times, seed } => kill(*times, *seed),
        Command::Same { commands, seed } => checks::same(*commands, *seed),
        Command::Mutants { more } => {
            // Which files, which tests and what is equivalent stands in .cargo/mutants.toml.
            let mutants = ["mutants", "--package", "sync-core"].into_iter();
            let arguments: Vec<&str> = mutants.chain(more.iter().map(String::as_str)).collect();
            Step::cargo(&arguments).stream()
        }
        Command::Bench { what: None } => Step::cargo(&["bench", "--package", "sync-core"]).stream(),
        Command::Bench {
            what: Some(Bench::VillageDay { data, quick }),
        } => village_day(data.as_deref(), *quick),
        Command::Bench {
            what: Some(Bench::App),
        } => app(),
        Command::Bench {
            what: Some(Bench::Import { rows }),
        } => import(*rows),
        Command::Fuzz { target, seconds } => fuzz::run(target, *seconds),
    }
}

/// Builds the server as it is released, for what runs the program and not its code.
fn release_server() -> Result<bool> {
    let server = ["build", "--quiet", "--release", "--package", "server"];
    Step::cargo(&server).stream()
}

fn kill(times: u64, seed: Option<u64>) -> Result<bool> {
    if !release_server()? {
        return Ok(false);
    }
    let times = times.to_string();
    let mut arguments = vec![
        "run",
        "--quiet",
        "--release",
        "--package",
        "tests",
        "--bin",
        "kill",
        "--",
        &times,
    ];
    let seed = seed.map(|seed| seed.to_string());
    arguments.extend(seed.as_deref());
    Step::cargo(&arguments).stream()
}

fn village_day(data: Option<&Path>, quick: bool) -> Result<bool> {
    if !release_server()? {
        return Ok(false);
    }
    let mut arguments = vec![
        "run",
        "--quiet",
        "--release",
        "--package",
        "tests",
        "--bin",
        "village_day",
        "--",
    ];
    // The step runs in the workspace's folder, wherever the file was named from.
    let data = data.map(std::path::absolute).transpose()?;
    if let Some(data) = &data {
        let data = data.to_str().context("the file's path is not UTF-8")?;
        arguments.extend(["--data", data]);
    }
    if quick {
        arguments.push("--quick");
    }
    Step::cargo(&arguments).stream()
}

fn import(rows: usize) -> Result<bool> {
    let program = ["build", "--quiet", "--release", "--package", "device"];
    let mut bench = vec!["run", "--quiet", "--release", "--package", "device"];
    let rows = rows.to_string();
    bench.extend(["--example", "import", "--", "--rows", &rows]);
    Ok(Step::cargo(&program).stream()? && Step::cargo(&bench).stream()?)
}

fn app() -> Result<bool> {
    let browser = web::browser().context("needs Chromium, or its path in CHROMIUM")?;
    let writer = ["build", "--quiet", "--release", "--package", "device"];
    if !web::build()? || !release_server()? || !Step::cargo(&writer).stream()? {
        return Ok(false);
    }
    let built = |name: &str| root().join("target/release").join(name);
    web::npm(&["run", "--silent", "measure"])
        .env("CHROMIUM", browser)
        .env("SERVER_BINARY", built("zhucun"))
        .env("FIELD_BINARY", built("zhucun-field"))
        .stream()
}

fn demo(once: bool, language: Language) -> Result<bool> {
    eprintln!(
        "{}",
        match language {
            Language::Zh => "正在编译（首次需要几分钟）……",
            Language::En => "Building (some minutes the first time) …",
        }
    );
    // The story is told without the app, too.
    match web::missing() {
        None if !web::build()? => return Ok(false),
        None => {}
        Some(missing) => eprintln!(
            "{}",
            match language {
                Language::Zh => format!("不含手机应用：{missing}"),
                Language::En => format!("Without the app for phones: {missing}"),
            }
        ),
    }
    let program = ["run", "--quiet", "--bin", "demo"];
    let mut arguments = [
        &program,
        &checks::FEATURES[..],
        &["--", "--lang", language.code()],
    ]
    .concat();
    if once {
        arguments.push("--once");
    }
    Step::cargo(&arguments).stream()
}
