//! The loop that `cargo xtask kill` runs: a server and three phones at work in one village, each killed at random moments.
//!
//! All of it is the real thing: the programs in processes of their own, real files, HTTP between them. After each kill the server starts again
//! and what is in its database is held against what the phones were told; in the end so is what is in the phones, and an auditor verifies
//! the journals.
//!
//! - `phone` is what runs in a phone's process: it saves and syncs until it is killed, and says what it may say.
//! - `village` is the server, its people, and the processes.
//! - `ledger` reads the journal, and finds what is lost or doubled.

mod ledger;
pub mod phone;
mod village;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sync_core::testing::TestRng;

use ledger::Ledger;
use village::{Programs, Village};

/// After so many kills the next village begins, with an empty journal: a device may send no more than so many commands a day.
const KILLS_IN_VILLAGE: u64 = 200;
/// The longest that the next kill is waited for.
const MOMENT_MICROSECONDS: u32 = 1 << 16;

/// How it went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Servers that were killed.
    pub servers: u64,
    /// Phones that were killed.
    pub phones: u64,
    /// Households that phones called saved.
    pub saved: u64,
    /// Commands of all kinds that were acknowledged in the end.
    pub acknowledged: u64,
    /// Households that were called saved, or acknowledged, and are not there.
    pub lost: u64,
    /// Households that are there twice.
    pub doubled: u64,
}

impl Tally {
    /// Whether nothing was lost and nothing doubled.
    pub const fn holds(&self) -> bool {
        self.lost == 0 && self.doubled == 0
    }

    /// How many were killed.
    pub const fn kills(&self) -> u64 {
        self.servers + self.phones
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            servers,
            phones,
            saved,
            acknowledged,
            lost,
            doubled,
        } = self;
        let kills = self.kills();
        write!(
            f,
            "kills={kills} servers={servers} phones={phones} saved={saved} acknowledged={acknowledged} lost={lost} doubled={doubled}"
        )
    }
}

/// Kills so often, at moments that the seed chooses; `program` is the binary `kill`, beside which the server's lies.
///
/// # Errors
///
/// When anything else goes wrong than that something is lost or doubled: a program that does not start again, a chain or a bundle that does
/// not verify.
pub fn run(program: &Path, times: u64, seed: u64) -> anyhow::Result<Tally> {
    let programs = Programs::beside(program)?;
    let mut rng = TestRng::new(seed);
    let mut tally = Tally::default();
    while tally.kills() < times {
        let enough = times.min(tally.kills() + KILLS_IN_VILLAGE);
        kill_in_a_village(&programs, enough, &mut rng, &mut tally)?;
    }
    Ok(tally)
}

fn kill_in_a_village(
    programs: &Programs,
    enough: u64,
    rng: &mut TestRng,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no room for a village")?;
    let mut village = Village::settle(programs, folder.path())?;
    let mut ledger = Ledger::new();
    let mut below = |end: u32| u32::from_be_bytes(rng.bytes()) % end;
    while tally.kills() < enough {
        // A moment of any order of magnitude, after so many words of the phones.
        for _ in 0..below(6) {
            village.hear(Duration::from_mins(1))?;
        }
        let most = 1 << (1 + below(MOMENT_MICROSECONDS.ilog2()));
        village.hear_for(Duration::from_micros(below(most).into()))?;

        let which = below(8);
        if which >= 2 {
            let phone = match below(2) {
                0 => village.spoke(),
                _ => below(village::PHONES),
            };
            tally.phones += u64::from(village.kill_phone(phone)?);
        }
        if which < 5 {
            village.kill_server()?;
            tally.servers += 1;
            village.start_server()?;
            ledger.read(&village.database(), village.journal())?;
            (tally.lost, tally.doubled) = add(*tally, ledger.compare(village.acknowledged()));
        }
        if !tally.holds() {
            return Ok(());
        }
    }
    village.finish()?;
    ledger.read(&village.database(), village.journal())?;
    (tally.lost, tally.doubled) = add(*tally, ledger.compare(village.saved()));
    tally.lost += village.missing_on_phones()?;
    tally.saved += village.saved().count() as u64;
    // The phones have ended, with nothing left that was not acknowledged.
    tally.acknowledged += ledger.commands();
    village.audit()
}

const fn add(tally: Tally, (lost, doubled): (u64, u64)) -> (u64, u64) {
    (tally.lost + lost, tally.doubled + doubled)
}
