//! Saved means saved: a process that is killed, or whose disk loses its power, has lost nothing that it called saved.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use device::Field;
use device::store::{Locked, Store, exists};
use power_cut::{Cut, Disk};
use sync_core::sync::device::{Intent, World};
use sync_core::testing::TestRng;
use sync_core::value::Value;

use crate::support::{Shared, minutes, pin};

const FOLDER: &str = "ZHUCUN_KILL_FOLDER";
const SEED: &str = "ZHUCUN_KILL_SEED";
/// Set: the child makes the store, and ends.
const MAKES: &str = "ZHUCUN_KILL_MAKES";
const ROUNDS: u64 = 24;

/// The child: saves one task after the other and says so of each, until it is killed. Without its folder it does nothing.
#[test]
fn child_that_saves_until_it_is_killed() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SEED)) else {
        return;
    };
    let mut rng = TestRng::new(seed.parse().unwrap());
    if std::env::var_os(MAKES).is_some() {
        drop(Store::create(Path::new(&folder), &pin(), &mut rng).unwrap());
        return;
    }
    let mut field = open(Path::new(&folder));
    let journal = field.villages()[0].0;
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

fn seeded() -> impl FnMut(u32) -> u32 {
    let seed = match std::env::var("ZHUCUN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("ZHUCUN_SEED={seed}");
    let mut rng = TestRng::new(seed);
    move |end| u32::from_be_bytes(rng.bytes()) % end
}

fn open(folder: &Path) -> Field {
    Field::open(Locked::open(folder).unwrap().unlock(&pin()).unwrap()).unwrap()
}

fn child(folder: &Path, seed: u64) -> Child {
    command(folder, seed).spawn().unwrap()
}

fn command(folder: &Path, seed: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::child_that_saves_until_it_is_killed",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What a child says that it saved.
fn said(child: &mut Child) -> impl Iterator<Item = String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines = lines.map_while(Result::ok);
    lines.filter_map(|line| Some(line.split_once("saved ")?.1.to_owned()))
}

#[track_caller]
fn check_all_there(folder: &Path, saved: &[String], round: u64) {
    let field = open(folder);
    let journal = field.villages()[0].0;
    let records = field.device().records(journal);
    for record in saved {
        assert!(
            records.contains(&record.parse().unwrap()),
            "round {round}: {record} was called saved"
        );
    }
}

#[test]
fn a_killed_process_has_lost_nothing_that_it_called_saved() {
    let shared = Shared::new();
    let folder = tempfile::tempdir().unwrap();
    drop(shared.field(folder.path(), shared.person("马第一", "FS")));
    let mut saved = Vec::new();
    for round in 0..ROUNDS {
        let mut child = child(folder.path(), round);
        // Each round dies somewhere else: after so many saves, in the middle of the next.
        let enough = usize::try_from(round % 7 + 1).unwrap();
        let said: Vec<String> = said(&mut child).take(enough).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(said.len(), enough, "the child saved before it was killed");
        saved.extend(said);
        check_all_there(folder.path(), &saved, round);
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

#[test]
fn a_phone_that_loses_its_power_has_lost_nothing_that_it_called_saved() {
    const CUTS: u64 = 12;
    let disk = Disk::build();
    let shared = Shared::new();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("phone");
    drop(shared.field(&folder, shared.person("马第一", "FS")));
    let folder = folder.canonicalize().unwrap();
    let mut rng = seeded();
    let mut saved = Vec::new();
    for round in 0..CUTS {
        let at = 1 + rng(400);
        let mut child = command(&folder, rng(u32::MAX).into())
            .envs(disk.under(&folder, rng(u32::MAX), Cut::At(at)))
            .spawn()
            .unwrap();
        saved.extend(said(&mut child));
        assert_eq!(child.wait().unwrap().signal(), Some(9), "its power went");
        check_all_there(&folder, &saved, round);
    }
    assert!(!saved.is_empty());
    assert!(power_cut::unsynced(&folder) > 0);
}

#[test]
fn a_phone_whose_disk_fails_to_sync_has_kept_what_it_called_saved() {
    let disk = Disk::build();
    let shared = Shared::new();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().canonicalize().unwrap().join("phone");
    drop(shared.field(&folder, shared.person("马第一", "FS")));
    let mut rng = seeded();
    let mut saved = Vec::new();
    for round in 0..8 {
        let mut child = command(&folder, rng(u32::MAX).into())
            .envs(disk.under(&folder, rng(u32::MAX), Cut::Told))
            .envs(power_cut::failing("/store.redb", 1 + rng(40)))
            .spawn()
            .unwrap();
        saved.extend(said(&mut child));
        let ended = child.wait().unwrap();
        assert_eq!(ended.code(), Some(101), "what cannot be saved is not saved");
        check_all_there(&folder, &saved, round);
    }
    assert!(!saved.is_empty());
}

#[test]
fn a_store_is_made_whole_and_durably_or_can_be_made_again() {
    let disk = Disk::build();
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    let mut rng = seeded();
    let mut cuts: Vec<Cut> = (0..16).map(|_| Cut::At(1 + rng(60))).collect();
    cuts.push(Cut::AtExit);
    for (round, cut) in cuts.into_iter().enumerate() {
        // The folders above it are new too.
        let above = place.join(round.to_string());
        let folder = above.join("zhucun/phone");
        let mut make = command(&folder, rng(u32::MAX).into());
        make.env(MAKES, "1");
        let made = make.envs(disk.under(&above, rng(u32::MAX), cut)).status();
        if made.unwrap().success() {
            assert!(exists(&folder), "{cut:?}");
        }
        if !exists(&folder) {
            drop(Store::create(&folder, &pin(), &mut TestRng::new(1)).unwrap());
        }
        let locked = Locked::open(&folder).unwrap();
        assert!(locked.is_fresh().unwrap());
        locked.unlock(&pin()).unwrap();
    }
}
