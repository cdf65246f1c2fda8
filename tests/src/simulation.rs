//! A deterministic simulation of many phones, one server and a bad line, over the real device, admission and fold.
//!
//! A seed gives a script: who there is, and step by step what happens. [`run`] plays it: people save, keep forms open, sync over a
//! line that loses, repeats, reorders and cuts, phones crash between any two effects, clocks are wrong by years, storage is cloned,
//! parcels are carried, assignments end, records are erased, the server is restored from an old copy and refilled. Then everyone meets, and `checks` hold what stands against what people
//! said and saw, which only the simulation itself wrote down. The same seed gives the same run, so a printed seed is a whole
//! failure; [`tell`] leaves out of it what is not needed, and tells the rest in words.
//!
//! [`Fault`]s prove the teeth: each breaks one rule on purpose, outside the production code (what the server is told before it
//! judges and what it answers, what a phone's storage keeps, what the fold is given), and must be caught within a few seeds.

mod checks;
mod fault;
mod ledger;
mod people;
mod script;
mod server;
mod story;
mod village;
mod violation;

use std::collections::BTreeSet;

pub use fault::Fault;
pub use story::Story;
pub use violation::{Sign, Violation};

use script::Script;
use village::Sim;

/// How one seed went.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed: it replays the run exactly.
    pub seed: u64,
    /// How many commands were saved.
    pub commands: usize,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Which actions were taken, and what became of them.
    pub acts: BTreeSet<Act>,
}

/// That somebody took an action, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Act {
    /// Of which kind.
    pub kind: String,
    /// Which.
    pub action: String,
    /// Why it changed nothing or was refused; none if it counts.
    pub why_not: Option<String>,
    /// Which action was the last before it that counts on the same record.
    pub after: Option<String>,
}

/// Plays one seed, with one rule broken if a fault is planted.
pub fn run(seed: u64, fault: Option<Fault>) -> Report {
    let mut sim = played(&script_of(seed, fault), fault, false);
    Report {
        seed,
        commands: sim.ledger.len(),
        violations: checks::all(&mut sim),
        acts: checks::acts(&sim),
    }
}

/// Tells how a seed comes to show a sign, with as few steps as were found to be needed.
pub fn tell(seed: u64, fault: Option<Fault>, sign: Sign) -> Option<Story> {
    story::tell(&script_of(seed, fault), fault, sign)
}

/// The seeds whose day is about what goes from desk to desk: one of so many, and none of those with a lying or a restored server.
const OFFICES_EVERY: u64 = 16;
const OFFICES_AT: u64 = 11;

/// The seeds from zero on whose day is about what goes from desk to desk.
pub fn days_of_offices() -> impl Iterator<Item = u64> {
    (0..).map(|day| day * OFFICES_EVERY + OFFICES_AT)
}

/// The seeds that are about half a year of one case: one of so many.
const CASES_EVERY: u64 = 64;
const CASES_AT: u64 = 3;

/// The seeds from zero on that are about half a year of one case.
pub fn half_years_of_a_case() -> impl Iterator<Item = u64> {
    (0..).map(|case| case * CASES_EVERY + CASES_AT)
}

fn script_of(seed: u64, fault: Option<Fault>) -> Script {
    if fault.is_none() && seed % OFFICES_EVERY == OFFICES_AT {
        return Script::draw_of_offices(seed);
    }
    if fault.is_none() && seed % CASES_EVERY == CASES_AT {
        return Script::draw_of_a_case(seed);
    }
    let lies = fault.map_or(seed % 8 == 7, |fault| fault == Fault::SeenNotChecked);
    let restores = fault.map_or(seed % 4 == 1, Fault::is_of_a_restore);
    Script::draw(seed, lies, restores)
}

fn played(script: &Script, fault: Option<Fault>, telling: bool) -> Sim {
    let mut sim = Sim::new(script, fault, telling);
    sim.play(script);
    sim
}

/// Plays a script, and gives what was told and what does not hold.
fn play(script: &Script, fault: Option<Fault>, telling: bool) -> (Vec<String>, Vec<Violation>) {
    let mut sim = played(script, fault, telling);
    let violations = checks::all(&mut sim);
    (sim.told(), violations)
}

/// Plays many seeds on as many threads as the machine has, and gives their reports in the order of the seeds.
pub fn run_many(from: u64, seeds: u64) -> Vec<Report> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let worker = |worker: u64| {
        let mine = (from..from + seeds).filter(move |seed| seed % threads == worker);
        move || mine.map(|seed| run(seed, None)).collect::<Vec<_>>()
    };
    let mut reports: Vec<Report> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|at| scope.spawn(worker(at))).collect();
        let finished = running.into_iter();
        finished
            .flat_map(|thread| {
                thread
                    .join()
                    .expect("a panic of the core is a failure by itself")
            })
            .collect()
    });
    reports.sort_by_key(|report| report.seed);
    reports
}
