//! Saved means saved: a process that is killed has lost nothing that it called saved.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use device::Field;
use device::store::Locked;
use sync_core::sync::device::{Intent, World};
use sync_core::testing::TestRng;
use sync_core::value::Value;

use crate::support::{Shared, minutes, pin};

const FOLDER: &str = "ZHUCUN_KILL_FOLDER";
const SEED: &str = "ZHUCUN_KILL_SEED";
const ROUNDS: u64 = 24;

/// The child: saves one task after the other and says so of each, until it is killed. Without its folder it does nothing.
#[test]
fn child_that_saves_until_it_is_killed() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else {
        return;
    };
    let mut field = open(Path::new(&folder));
    let journal = field.villages()[0].0;
    let mut rng = TestRng::new(seed.parse().unwrap());
    let mut out = std::io::stdout().lock();
    for k in 0.. {
        let mut world = World {
            now: minutes(1),
            rng: &mut rng,
        };
        let intent =
            Intent::create("household").with("householder", Value::text(format!("第{k}户")));
        let saved = field.save(&mut world, journal, None, intent).unwrap();
        writeln!(out, "saved {}", saved.record).unwrap();
        out.flush().unwrap();
    }
}

fn open(folder: &Path) -> Field {
    Field::open(Locked::open(folder).unwrap().unlock(&pin()).unwrap()).unwrap()
}

fn child(folder: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::child_that_saves_until_it_is_killed",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_has_lost_nothing_that_it_called_saved() {
    let shared = Shared::new();
    let folder = tempfile::tempdir().unwrap();
    drop(shared.field(folder.path(), shared.person("马第一", "FS")));
    let mut saved = Vec::new();
    for round in 0..ROUNDS {
        let mut child = child(folder.path(), round);
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        // Each round dies somewhere else: after so many saves, in the middle of the next.
        let enough = usize::try_from(round % 7 + 1).unwrap();
        let said: Vec<String> = lines
            .filter_map(|line| Some(line.split_once("saved ")?.1.to_owned()))
            .take(enough)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(said.len(), enough, "the child saved before it was killed");
        saved.extend(said);
        let field = open(folder.path());
        let journal = field.villages()[0].0;
        let records = field.device().records(journal);
        for record in &saved {
            assert!(
                records.contains(&record.parse().unwrap()),
                "round {round}: {record} was called saved"
            );
        }
    }
    let mut field = open(folder.path());
    let mut rng = TestRng::new(99);
    let mut world = World {
        now: minutes(2),
        rng: &mut rng,
    };
    field.sync(&mut shared.clone(), &mut world).unwrap();
    assert!(field.device().unsent().is_empty() && field.device().to_answer().is_empty());
}
