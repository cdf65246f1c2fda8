//! The real program, and what the system says of its process.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// Clock ticks in a second, as `/proc` counts: the same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

fn cpu_of(stat: &str) -> anyhow::Result<Duration> {
    // The name of the program may hold anything, and ends with the last bracket.
    let (_, fields) = stat.rsplit_once(')').context("stat has a name")?;
    let field = |at: usize| -> anyhow::Result<f64> {
        let field = fields.split_whitespace().nth(at);
        Ok(field.context("stat has its fields")?.parse()?)
    };
    let ticks = field(11)? + field(12)?;
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// The processor time of this process.
pub(super) fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of(&fs::read_to_string("/proc/self/stat")?)
}

/// The server's program, serving.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    address: SocketAddr,
    started: Instant,
}

impl Program {
    /// Where the program lies: beside this one, built for the same profile.
    pub(super) fn path() -> anyhow::Result<PathBuf> {
        let here = std::env::current_exe()?;
        let path = here.with_file_name("zhucun");
        ensure!(
            path.exists(),
            "{} is not there: build it first (`cargo build --release -p server`)",
            path.display()
        );
        Ok(path)
    }

    /// Starts it over the data of a folder, with the settings it has by itself, and waits until it says where it listens.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("server.log"))?;
        let settings = std::env::vars().map(|(name, _)| name);
        let settings = settings.filter(|name| name.starts_with("ZHUCUN_"));
        let mut command = Command::new(Self::path()?);
        settings.for_each(|name| {
            command.env_remove(name);
        });
        let started = Instant::now();
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .arg("serve")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let said = child.stdout.take().context("it has an output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.with_context(|| {
            format!(
                "the server did not start; see {}",
                folder.join("server.log").display()
            )
        })?;
        Ok(Self {
            address: address.parse()?,
            child,
            started,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The time since it was started.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The processor time of all its threads, ended ones included.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.proc("stat")?)
    }

    /// Its resident memory in MB: now, and the most so far.
    pub(super) fn resident_mb(&self) -> anyhow::Result<(f64, f64)> {
        let status = self.proc("status")?;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|rest| rest.split_whitespace().next());
            Ok(kib.context("status has its fields")?.parse::<f64>()? * 1024.0 / 1e6)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(format!(
            "/proc/{}/{file}",
            self.child.id()
        ))?)
    }

    /// Tells it to stop, as an operator does, and waits.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status()?;
        ensure!(told.success(), "the server cannot be told to stop");
        let ended = self.child.wait()?;
        ensure!(
            ended.success(),
            "the server did not stop as it should: {ended}"
        );
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whoever fails half-way leaves no server behind. One that has ended cannot be killed.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}
