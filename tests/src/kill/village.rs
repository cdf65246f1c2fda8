//! The server, its people and their phones: processes that are killed and started again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value as Json, json};
use sync_core::id::JournalId;
use sync_core::record::Slot;
use sync_core::sync::enrol::OneTimeCode;

use super::phone::{self, FINISH, word};
use crate::fixtures;

/// How many phones are at work.
pub(super) const PHONES: u32 = 3;
const PLACE: &str = "640422100203";
/// Numbers of one phone are so far from those of the next.
const SPAN: u64 = 1_000_000_000;
/// What a phone may have saved without having said so, at the most.
const UNSAID: u64 = 1_000;
const PATIENCE: Duration = Duration::from_mins(2);

/// What is killed.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    /// The server as it is released.
    server: PathBuf,
    phone: PathBuf,
}

impl Programs {
    /// The server lies beside the binary `kill`, built for the same profile.
    pub(super) fn beside(kill: &Path) -> anyhow::Result<Self> {
        let server = kill.with_file_name("zhucun");
        ensure!(
            server.exists(),
            "{} is not there: build it first (`cargo build -p server`)",
            server.display()
        );
        let phone = kill.to_owned();
        Ok(Self { server, phone })
    }

    /// The server over its data in a folder, with the settings it has by itself.
    fn zhucun(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.server);
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.as_encoded_bytes().starts_with(b"ZHUCUN_")) {
            command.env_remove(name);
        }
        command.arg("--data-dir").arg(folder.join("data"));
        command
    }
}

/// One line that a phone said.
struct Said {
    phone: usize,
    /// Which of its processes.
    process: u64,
    line: Option<String>,
}

struct Phone {
    folder: PathBuf,
    child: Child,
    hears: ChildStdin,
    process: u64,
    is_ready: bool,
    is_done: bool,
    /// Where the numbers of this process begin.
    begun: u64,
    saved: BTreeSet<u64>,
    /// All of its numbers below this are acknowledged.
    acknowledged_below: u64,
}

pub(super) struct Village {
    programs: Programs,
    folder: PathBuf,
    server: Child,
    address: String,
    phones: Vec<Phone>,
    says: Sender<Said>,
    said: Receiver<Said>,
    journal: JournalId,
    /// Which phone spoke last.
    spoke: u32,
}

impl Drop for Village {
    fn drop(&mut self) {
        let phones = self.phones.iter_mut().map(|phone| &mut phone.child);
        for child in phones.chain([&mut self.server]) {
            // Whatever ended by itself needs no end.
            let _ended = child.kill();
            let _status = child.wait();
        }
    }
}

impl Village {
    /// Sets up a deployment by command line and enrols the phones.
    pub(super) fn settle(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let set_up = SetUp { programs, folder };
        set_up.ok(&[
            "bootstrap",
            "--system",
            "han=韩志刚",
            "--security",
            "bai=白雪",
            "--audit",
            "ding=丁一鸣",
        ])?;
        let areas = folder.join("areas.csv");
        std::fs::write(&areas, fixtures::AREAS)?;
        set_up.ok(&["area", "import", areas.to_str().context("a path in UTF-8")?])?;
        set_up.ok(&["user", "add", "audit", "审计"])?;
        set_up.ok(&["assignment", "give", "audit", "PA", "640000000000"])?;
        let (server, address) = start_server(programs, folder)?;
        let (says, said) = channel();
        let mut village = Self {
            programs: programs.clone(),
            folder: folder.to_owned(),
            server,
            address,
            phones: Vec::new(),
            says,
            said,
            journal: JournalId([0; 16]),
            spoke: 0,
        };
        for number in 0..PHONES {
            let name = format!("phone{number}");
            set_up.ok(&["user", "add", &name, "队员"])?;
            set_up.ok(&[
                "assignment",
                "give",
                &name,
                if number == 0 { "FS" } else { "TM" },
                PLACE,
            ])?;
            let code = set_up.first_cell(&["user", "code", &name, "--enrol"])?;
            village.enrol(&name, &code)?;
        }
        Ok(village)
    }

    fn enrol(&mut self, name: &str, code: &str) -> anyhow::Result<()> {
        let folder = self.folder.join(name);
        let mut enrol = Command::new(&self.programs.phone);
        enrol.args(["phone", "enrol"]).arg(&folder);
        let enrolled = enrol.args([&self.address, code]).status()?;
        ensure!(enrolled.success(), "{name} is not enrolled");
        let at = self.phones.len();
        if at == 0 {
            let field = phone::open(&folder)?;
            self.journal = field.villages().first().context("a village")?.0;
        }
        let number = at as u64 * SPAN;
        let (child, hears) = self.start_phone(at, 0, &folder, number)?;
        self.phones.push(Phone {
            folder,
            child,
            hears,
            process: 0,
            is_ready: false,
            is_done: false,
            begun: number,
            saved: BTreeSet::new(),
            acknowledged_below: number,
        });
        Ok(())
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("data/zhucun.db")
    }

    /// Which phone spoke last: it is in the middle of what comes next.
    pub(super) const fn spoke(&self) -> u32 {
        self.spoke
    }

    pub(super) const fn journal(&self) -> JournalId {
        self.journal
    }

    /// What the phones called saved.
    pub(super) fn saved(&self) -> impl Iterator<Item = u64> {
        self.phones
            .iter()
            .flat_map(|phone| phone.saved.iter().copied())
    }

    /// What the server has acknowledged to them.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = u64> {
        self.phones
            .iter()
            .flat_map(|phone| phone.saved.range(..phone.acknowledged_below).copied())
    }

    fn start_phone(
        &self,
        at: usize,
        process: u64,
        folder: &Path,
        number: u64,
    ) -> anyhow::Result<(Child, ChildStdin)> {
        let mut command = Command::new(&self.programs.phone);
        command.arg("phone").arg(folder).arg(number.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut hears = child.stdin.take().context("its input")?;
        writeln!(hears, "{}", self.address)?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let says = self.says.clone();
        std::thread::spawn(move || {
            let lines = lines.map_while(Result::ok).map(Some);
            for line in lines.chain([None]) {
                let phone = at;
                // Nobody listens when the loop has ended.
                let _heard = says.send(Said {
                    phone,
                    process,
                    line,
                });
            }
        });
        Ok((child, hears))
    }

    fn take(&mut self, said: Said) -> anyhow::Result<()> {
        let phone = self.phones.get_mut(said.phone).context("a phone")?;
        let Some(line) = said.line else {
            let by_itself = said.process == phone.process && !phone.is_done;
            ensure!(!by_itself, "a phone ended by itself");
            return Ok(());
        };
        self.spoke = u32::try_from(said.phone)?;
        let (word, number) = line.split_once(' ').context("a word and a number")?;
        let number: u64 = number.parse()?;
        match word {
            word::READY => phone.is_ready = phone.is_ready || said.process == phone.process,
            word::SAVED => ensure!(phone.saved.insert(number), "a number twice"),
            word::ACKNOWLEDGED => phone.acknowledged_below = number,
            word::DONE => phone.is_done = true,
            _ => bail!("a phone said {line}"),
        }
        Ok(())
    }

    /// Waits for the next word of any phone.
    pub(super) fn hear(&mut self, patience: Duration) -> anyhow::Result<()> {
        let said = self
            .said
            .recv_timeout(patience)
            .context("the phones stand still")?;
        self.take(said)
    }

    /// Listens for so long.
    pub(super) fn hear_for(&mut self, duration: Duration) -> anyhow::Result<()> {
        match self.said.recv_timeout(duration) {
            Ok(said) => self.take(said)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody speaks"),
        }
        while let Ok(said) = self.said.try_recv() {
            self.take(said)?;
        }
        Ok(())
    }

    /// Kills a phone and starts it again; not while it opens its store, where each kill uses up a try at the PIN.
    pub(super) fn kill_phone(&mut self, which: u32) -> anyhow::Result<bool> {
        let at = which as usize;
        let phone = self.phones.get_mut(at).context("a phone")?;
        if !phone.is_ready {
            return Ok(false);
        }
        phone.child.kill()?;
        phone.child.wait()?;
        let ended = phone.process;
        phone.process += 1;
        phone.is_ready = false;
        // What it had said before it was killed is on its way.
        loop {
            let said = self
                .said
                .recv_timeout(PATIENCE)
                .context("no end of what it said")?;
            let is_end = said.phone == at && said.process == ended && said.line.is_none();
            self.take(said)?;
            if is_end {
                break;
            }
        }
        let phone = self.phones.get(at).context("a phone")?;
        // It may have saved some that it had not said so of.
        let said = phone.saved.last().copied().unwrap_or_default();
        let next = phone.begun.max(said) + UNSAID;
        let (process, folder) = (phone.process, phone.folder.clone());
        let (child, hears) = self.start_phone(at, process, &folder, next)?;
        let phone = self.phones.get_mut(at).context("a phone")?;
        (phone.child, phone.hears, phone.begun) = (child, hears, next);
        Ok(true)
    }

    pub(super) fn kill_server(&mut self) -> anyhow::Result<()> {
        let ended = self.server.try_wait()?;
        ensure!(ended.is_none(), "the server ended by itself: {ended:?}");
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    pub(super) fn start_server(&mut self) -> anyhow::Result<()> {
        (self.server, self.address) = start_server(&self.programs, &self.folder)?;
        for phone in self.phones.iter_mut().filter(|phone| !phone.is_done) {
            writeln!(phone.hears, "{}", self.address)?;
        }
        Ok(())
    }

    /// Has the phones send what they have, and end.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        for phone in &mut self.phones {
            writeln!(phone.hears, "{FINISH}")?;
        }
        while self.phones.iter().any(|phone| !phone.is_done) {
            self.hear(PATIENCE)?;
        }
        for phone in &mut self.phones {
            ensure!(phone.child.wait()?.success(), "a phone did not end well");
        }
        Ok(())
    }

    /// How many of what the phones called saved are not on them; they have ended.
    pub(super) fn missing_on_phones(&self) -> anyhow::Result<u64> {
        let mut missing = 0;
        for phone in &self.phones {
            let field = phone::open(&phone.folder)?;
            let device = field.device();
            ensure!(device.unsent().is_empty(), "a phone has something left");
            let records = device.records(self.journal);
            let records = records
                .iter()
                .filter_map(|id| device.record(self.journal, *id));
            let held: BTreeSet<u64> = records
                .filter_map(|record| {
                    let slot = record.fields.get("householder")?;
                    let Slot::Register(held) = slot else {
                        return None;
                    };
                    held.first()?.value.as_text()?.parse().ok()
                })
                .collect();
            missing += phone.saved.difference(&held).count() as u64;
        }
        Ok(missing)
    }

    /// Has an auditor draw the bundle and verify it.
    pub(super) fn audit(&mut self) -> anyhow::Result<()> {
        // It publishes what it holds as it starts.
        self.kill_server()?;
        self.start_server()?;
        let (programs, folder) = (self.programs.clone(), self.folder.clone());
        let set_up = SetUp {
            programs: &programs,
            folder: &folder,
        };
        let code = set_up.first_cell(&["user", "code", "audit", "--password"])?;
        let areas = set_up.ok(&["area", "list"])?;
        let area = areas.split('\t').nth(2).context("the province")?;
        let password = OneTimeCode::from_random(rand::random()).reveal();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let bundle = runtime.block_on(draw(&self.address, area, &code, &password))?;
        let file = folder.join("bundle");
        std::fs::write(&file, bundle)?;
        set_up.ok(&["audit", "verify", file.to_str().context("a path in UTF-8")?])?;
        Ok(())
    }
}

fn start_server(programs: &Programs, folder: &Path) -> anyhow::Result<(Child, String)> {
    let mut command = programs.zhucun(folder);
    command.args(["--listen", "127.0.0.1:0", "serve"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    let said = child.stdout.take().context("its output")?;
    BufReader::new(said).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening on ");
    let address = address.context("the server does not start")?.to_owned();
    Ok((child, address))
}

/// An operator at the command line.
struct SetUp<'a> {
    programs: &'a Programs,
    folder: &'a Path,
}

impl SetUp<'_> {
    fn ok(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.programs.zhucun(self.folder);
        let output = command.args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}{complaint}");
        Ok(said)
    }

    fn first_cell(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = self.ok(arguments)?;
        let cell = said.split('\t').next().context("a cell")?;
        Ok(cell.to_owned())
    }
}

/// Waits until what the journals hold is published, and draws the bundle of the province.
async fn draw(address: &str, area: &str, code: &str, password: &str) -> anyhow::Result<Vec<u8>> {
    let client = reqwest::Client::new();
    let set = client.post(format!("{address}/v1/password/set"));
    let set = set.json(&json!({ "code": code, "new": password })).send();
    set.await?.error_for_status()?;
    let begin = client.post(format!("{address}/v1/session"));
    let begin = begin.json(&json!({ "user_name": "audit", "password": password }));
    let pair: Json = begin.send().await?.error_for_status()?.json().await?;
    let token = pair["access_token"].as_str().context("a token")?;
    let bundle = client.get(format!("{address}/v1/audit/bundle?area={area}"));
    let bundle = bundle.bearer_auth(token).send().await?.error_for_status()?;
    Ok(bundle.bytes().await?.into())
}
