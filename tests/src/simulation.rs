//! A deterministic simulation of many phones, one server and a bad line, over the real device, admission and fold.
//!
//! [`run`] plays the village of one seed: people save, keep forms open, sync over a line that loses, repeats, reorders and cuts,
//! phones crash between any two effects, clocks are wrong by years, storage is cloned, parcels are carried, assignments end,
//! records are erased. Then everyone meets, and `checks` hold what stands against what people said and saw, which only the
//! simulation itself wrote down. The same seed gives the same run, so a printed seed is a whole failure.
//!
//! [`Fault`]s prove the teeth: each breaks one rule on purpose, outside the production code (what the server is told before it
//! judges and what it answers, what a phone's storage keeps, what the fold is given), and must be caught within a few seeds.

mod checks;
mod fault;
mod ledger;
mod people;
mod server;
mod village;

pub use fault::Fault;

use village::Sim;

/// How one seed went.
#[derive(Debug)]
pub struct Report {
    /// The seed: it replays the run exactly.
    pub seed: u64,
    /// How many commands were saved.
    pub commands: usize,
    /// What did not hold.
    pub violations: Vec<String>,
}

/// Plays one seed, with one rule broken if a fault is planted.
pub fn run(seed: u64, fault: Option<Fault>) -> Report {
    let mut sim = Sim::new(seed, fault);
    sim.play();
    sim.everyone_meets();
    let violations = checks::all(&mut sim);
    Report {
        seed,
        commands: sim.ledger.len(),
        violations,
    }
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
