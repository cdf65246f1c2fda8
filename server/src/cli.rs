//! The command line.

mod admin;
mod report;

use std::io::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::SystemClock;
use crate::config::{Config, Flags};
use crate::random::Random;
use crate::verify::Language;
use crate::{app, routes, telemetry, verify};

/// Zhucun 驻村: the server that village-stationed work teams sync to.
#[derive(Debug, Parser)]
#[command(name = "zhucun", version)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server; SIGTERM or Ctrl-C stops it.
    Serve,
    /// Works with the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints the API's description (OpenAPI).
    Openapi,
    #[command(flatten)]
    Admin(admin::Admin),
    /// Audits, without a network and without trust in any server.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Verifies a bundle: exit code 0 if everything holds, 1 if not.
    Verify {
        /// The bundle's file.
        bundle: PathBuf,
        /// A checkpoint kept from an earlier audit, which the log must continue.
        #[arg(long)]
        since: Option<PathBuf>,
        /// The report's language.
        #[arg(long, value_enum, default_value = "zh")]
        lang: Language,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Says whether the settings hold no mistake.
    Check,
    /// Prints every setting with its value; secrets are redacted.
    Show,
}

/// A mistake in the settings ends the process with this code, so that scripts can tell it from other failures.
const EXIT_SETTINGS: u8 = 2;

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Command::Audit(AuditCommand::Verify {
            bundle,
            since,
            lang,
        }) = &self.command
        {
            // It needs no settings: an auditor has none.
            let (holds, report) = verify::verify(bundle, since.as_deref(), *lang)?;
            write!(std::io::stdout().lock(), "{report}")?;
            return Ok(if holds {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let config = match Config::load(&self.flags, variables) {
            Ok(config) => config,
            Err(mistake) => {
                eprintln!("{mistake}");
                return Ok(ExitCode::from(EXIT_SETTINGS));
            }
        };
        let mut out = std::io::stdout().lock();
        match self.command {
            Command::Serve => serve(config)?,
            Command::Config(ConfigCommand::Check) => writeln!(out, "settings hold no mistake")?,
            Command::Config(ConfigCommand::Show) => write!(out, "{}", config.to_toml())?,
            Command::Admin(command) => admin::run(config, command, &mut out)?,
            Command::Audit(_) => {}
            Command::Openapi => writeln!(out, "{}", routes::description().to_pretty_json()?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Threads to run on. What computes for long does so beside those that answer, on no more than twice as many as there are processors:
/// it waits for nothing but a processor, and each thread keeps memory of its own.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(2 * processors)
        .build()
        .context("no threads to run on")
}

fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.log).context("logging cannot start")?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be heard")?;
        let server = app::start(config, Arc::new(SystemClock::start()), Random::system()).await?;
        announce(&server)?;
        let told = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        server.until(told).await?;
        Ok(())
    })
}

/// Tells people, and the program that started the server, where to find it.
fn announce(server: &app::Running) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{}", server.address())?;
    if let Some(code) = server.first_code() {
        writeln!(
            out,
            "nobody has an account yet; this code, good once and for a day, makes the first administrators:"
        )?;
        writeln!(out, "    {}", code.reveal())?;
    }
    out.flush()
}
