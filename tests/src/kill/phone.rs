//! A phone in a process of its own: the real client, which works as fast as it can.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;
use device::Field;
use device::clock;
use device::field::{NewDevice, SyncError};
use device::server::Failure;
use device::store::Locked;
use device::transport::Http;
use sync_core::id::{JournalId, RecordId};
use sync_core::sync::device::{Intent, World};
use sync_core::value::Value;
use sync_core::vault::Pin;

const PIN: &str = "258046";
/// What it saves between two syncs.
const SAVES: u64 = 3;
/// With so many commands unsent it saves nothing more.
const WAITING_MAX: usize = 60;
/// After so long it tries again a server that was gone.
const RETRY: Duration = Duration::from_millis(20);

/// What a phone says on its standard output.
pub(super) mod word {
    /// It is open, and works.
    pub(crate) const READY: &str = "ready";
    /// A number is durable on it.
    pub(crate) const SAVED: &str = "saved";
    /// Whatever it saved up to this number, the server has acknowledged.
    pub(crate) const ACKNOWLEDGED: &str = "acknowledged";
    /// It has nothing left to send, and ends.
    pub(crate) const DONE: &str = "done";
}

/// Tells a phone on its standard input to send what it has and end; anything else there is the server's address.
pub(super) const FINISH: &str = "finish";

fn pin() -> Pin {
    Pin::typed(PIN)
}

/// Enrols it by a one-time code.
///
/// # Errors
///
/// When it is not enrolled.
pub fn enrol(folder: &Path, server: &str, code: &str) -> anyhow::Result<()> {
    let new = NewDevice {
        server: server.to_owned(),
        code: code.to_owned(),
        label: "手机".to_owned(),
    };
    let mut rng = rand::rng();
    let mut world = World {
        now: clock::now(),
        rng: &mut rng,
    };
    let mut http = Http::new(server);
    let mut field = Field::enrol(folder, &pin(), &new, &mut http, &mut world)?;
    field.sync(&mut http, &mut world)?;
    Ok(())
}

pub(super) fn open(folder: &Path) -> anyhow::Result<Field> {
    let locked = Locked::open(folder)?;
    let store = locked.unlock(&pin()).map_err(|(_, refused)| refused)?;
    Ok(Field::open(store)?)
}

/// What it is told on its standard input.
struct Told {
    lines: Receiver<String>,
    server: Option<String>,
    finish: bool,
}

impl Told {
    fn listen() -> Self {
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                // Nobody listens once it has ended.
                let _heard = tell.send(line);
            }
            // Whoever started it is gone.
            std::process::exit(1);
        });
        Self {
            lines,
            server: None,
            finish: false,
        }
    }

    fn take(&mut self, line: String) {
        if line == FINISH {
            self.finish = true;
        } else {
            self.server = Some(line);
        }
    }

    fn take_all(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.take(line);
        }
    }

    /// Waits for another address, but not long: the server may be there again under this one.
    fn wait(&mut self) {
        if let Ok(line) = self.lines.recv_timeout(RETRY) {
            self.take(line);
        }
    }
}

/// Saves and syncs until it is killed or told to finish; the numbers that it saves begin at `number`.
///
/// # Errors
///
/// When it cannot go on: what is on its disk cannot be read or written.
pub fn run(folder: &Path, mut number: u64) -> anyhow::Result<()> {
    let mut told = Told::listen();
    let mut field = open(folder)?;
    let journal = field.villages().first().context("no village")?.0;
    let mut out = std::io::stdout().lock();
    let mut say = |word: &str, number: u64| -> std::io::Result<()> {
        writeln!(out, "{word} {number}")?;
        out.flush()
    };
    say(word::READY, 0)?;
    let mut rng = rand::rng();
    loop {
        told.take_all();
        let mut world = World {
            now: clock::now(),
            rng: &mut rng,
        };
        let waiting: usize = field.device().unsent().values().sum();
        // While there is no server it goes on working, but not without end.
        if !told.finish && waiting < WAITING_MAX {
            for _ in 0..SAVES {
                let intent = Intent::create("household")
                    .with("householder", Value::text(number.to_string()));
                let saved = field.save(&mut world, journal, None, intent)?;
                say(word::SAVED, number)?;
                number += 1;
                change(&mut field, &mut world, journal, saved.record);
            }
        }
        let Some(server) = told.server.clone() else {
            told.wait();
            continue;
        };
        // A server that is killed meanwhile answers nothing; it is tried again.
        match field.sync(&mut Http::new(&server), &mut world) {
            Ok(_) => {}
            Err(SyncError::Server(Failure::Unreachable(_))) => {
                told.wait();
                continue;
            }
            Err(SyncError::Server(problem)) if problem.code() == Some("busy") => {
                told.wait();
                continue;
            }
            Err(other) => return Err(other.into()),
        }
        let waiting: usize = field.device().unsent().values().sum();
        if waiting == 0 {
            say(word::ACKNOWLEDGED, number)?;
            if told.finish {
                return Ok(say(word::DONE, number)?);
            }
        }
    }
}

/// Changes its own new record, and one that others change too.
fn change(field: &mut Field, world: &mut World<'_>, journal: JournalId, own: RecordId) {
    let eldest = field.device().records(journal).into_iter().next();
    for record in eldest.into_iter().chain([own]) {
        let intent = Intent::set(record).with("crop", Value::text("荞麦"));
        // A field with two values is written by its chooser alone; what it will not save, nobody promised.
        let _saved = field.save(world, journal, None, intent);
    }
}
