//! One program to run.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::report::Count;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
        .to_owned()
}

/// A program with its arguments, run in the workspace's root unless it says otherwise.
#[derive(Debug)]
pub(crate) struct Step {
    command: Command,
    shown: String,
}

impl Step {
    /// A cargo command, by the very cargo that started this program.
    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        let mut step = Self::program("cargo", arguments);
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(root());
        step.command = command;
        step
    }

    /// Any program on the path.
    pub(crate) fn program(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(name);
        command.args(arguments).current_dir(root());
        Self {
            command,
            shown: format!("{name} {}", arguments.join(" ")),
        }
    }

    /// Runs it in a folder below the root.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.command.current_dir(root().join(folder));
        self
    }

    /// Sets an environment variable for it.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with the terminal as its own, and says whether it succeeded.
    pub(crate) fn stream(mut self) -> Result<bool> {
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot run `{}`", self.shown))?;
        Ok(status.success())
    }

    /// Whether it can be run at all; prints nothing.
    pub(crate) fn works(mut self) -> bool {
        self.command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// What it prints, if it succeeds.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self
            .command
            .output()
            .with_context(|| format!("cannot run `{}`", self.shown))?;
        anyhow::ensure!(
            output.status.success(),
            "`{}` failed: {}",
            self.shown,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed no UTF-8", self.shown))
    }

    /// Runs it, passing on what it prints, and counts the tests that it reports.
    pub(crate) fn count(mut self) -> Result<(bool, Count)> {
        println!("\n$ {}", self.shown);
        let cannot = || format!("cannot run `{}`", self.shown);
        // Test runners report on either stream; one pipe keeps their lines in order.
        let (reader, writer) = std::io::pipe().context("no pipe")?;
        self.command
            .stdout(writer.try_clone().context("no pipe")?)
            .stderr(writer)
            .stdin(Stdio::null());
        let mut child = self.command.spawn().with_context(cannot)?;
        // The command keeps its own ends of the pipe open; they must go, or the reader never ends.
        drop(self.command);
        let mut total = Count::default();
        let mut out = std::io::stdout().lock();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.context("the pipe broke")?;
            total += Count::read(&String::from_utf8_lossy(&line));
            out.write_all(&line)
                .and_then(|()| out.write_all(b"\n"))
                .context("cannot print")?;
        }
        let status = child
            .wait()
            .with_context(|| format!("`{}` did not end", self.shown))?;
        Ok((status.success(), total))
    }
}
