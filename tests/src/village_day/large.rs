//! What a long history costs: memory, restarts, idle syncs and returns over deployments with many records.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use server::clock::{Clock as _, SystemClock};
use sync_core::batch::Position;
use sync_core::sync::wire::Cursor;

use super::bytes::Times;
use super::day::Day;
use super::deployment::{Deployment, Village, Worker};
use super::drive::{self, Client};
use super::program::Program;
use super::rates::{self, DEVICES_A_VILLAGE};
use super::stores::{Plan, Stand};
use super::template::Templates;

/// Records in the large deployment, in the smaller one, and in the one large village.
const MANY: usize = 1_000_000;
const FEWER: usize = 50_000;
const IN_ONE_VILLAGE: usize = 100_000;
/// Days before today on which the large deployments' records arrived: one large village takes that long to record.
const DAYS_AGO: i32 = 30;
/// Devices that return at once, to all and where the cost of one is taken.
const DEVICES: usize = 200;
const FEW_DEVICES: usize = 20;
/// Idle syncs of which the cost of one is taken.
const IDLE_SYNCS: usize = 4_000;
const RUNS: usize = 3;
/// Over either history, in turns: what else a machine does weighs as much as what is compared.
const COST_RUNS: usize = 7;

/// What one return costs: the middles of several runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// Milliseconds of processor time over a thousand commands, and over the large history.
    pub(super) few_ms: f64,
    pub(super) many_ms: f64,
    /// The one to the other, of runs that followed on one another.
    pub(super) ratio: f64,
}

/// What it costs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Large {
    pub(super) records: usize,
    pub(super) filled_per_s: f64,
    pub(super) disk_mb: f64,
    /// Resident while 200 devices return: at the end, and the most.
    pub(super) resident_mb: (f64, f64),
    pub(super) rates: rates::Round,
    pub(super) restart_fewer_ms: f64,
    pub(super) restart_many_ms: f64,
    /// What a return costs over either history.
    pub(super) cost: Cost,
    /// Bytes up and down of an idle sync with 100,000 records in the village.
    pub(super) idle_bytes: (usize, usize),
    /// Microseconds of processor time for an idle sync with 1,000 and with 100,000 records in the village.
    pub(super) idle_us: (f64, f64),
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Measures it all. `say` tells what is going on.
pub(super) fn measure(folder: &Path, day: &Day, say: impl Fn(&str)) -> anyhow::Result<Large> {
    let clock = SystemClock::start();
    let now = || clock.now();
    let times = Times::new(day, now(), DAYS_AGO)?;
    let all = (day.tasks(), day.existing.len());
    let templates = Templates::record(day, &times, all, (DEVICES_A_VILLAGE, 5))?;
    let templates = Arc::new(templates);
    let per_village = templates.base_records;

    say("a deployment with 50,000 records");
    let fewer = Plan {
        villages: FEWER.div_ceil(per_village),
        returning_villages: 1,
        devices: 1,
        large: None,
    };
    let fewer = Stand::fill(&folder.join("fewer"), fewer, &templates, &times)?;
    let restart_fewer_ms = restart(&fewer, now)?;
    std::fs::remove_dir_all(&fewer.folder)?;

    say("a deployment with 1,000,000 records");
    let large = IN_ONE_VILLAGE.div_ceil(per_village);
    let many = Plan {
        villages: MANY.div_ceil(per_village) - large,
        returning_villages: (DEVICES + COST_RUNS * FEW_DEVICES) / DEVICES_A_VILLAGE,
        devices: DEVICES_A_VILLAGE,
        large: Some(large),
    };
    let mut stand = Stand::fill(&folder.join("many"), many, &templates, &times)?;
    let disk_mb = disk_mb(&stand.folder.join("data"))?;
    say(&format!(
        "{} records of {} commands on {disk_mb:.0} MB; restarts",
        stand.records, stand.commands
    ));
    let restart_many_ms = restart(&stand, now)?;
    say("idle syncs");
    let (idle_bytes, idle_us) = idle(&stand, many.villages, now)?;
    say("200 devices return");
    let (rounds, resident_mb) = rates::rounds(&mut stand, &templates, (RUNS, 10, 0..DEVICES), now)?;
    say("the cost of a return, over a thousand commands and over all of them");
    let cost = cost(folder, day, &templates, &mut stand, &now)?;
    Ok(Large {
        records: stand.records,
        filled_per_s: stand.filled_per_s,
        disk_mb,
        resident_mb,
        rates: rates::median(&rounds),
        restart_fewer_ms,
        restart_many_ms,
        cost,
        idle_bytes,
        idle_us,
    })
}

fn disk_mb(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "files are small beside what floats count"
    )]
    let bytes = bytes as f64;
    Ok(bytes / 1e6)
}

/// A device that has all of a village's journal, and asks for what is new.
fn asks(
    stand: &Stand,
    village: usize,
    syncs: usize,
    now: sync_core::id::Timestamp,
) -> anyhow::Result<Client> {
    let end: Position = stand.end(village)?;
    let village = Village::new(village);
    let worker = Worker::new(&village, 0);
    let here = Deployment::open(&stand.folder, now)?;
    let known = here.known()?;
    let token = here.tokens(&[worker])?.swap_remove(0);
    here.leave()?;
    let cursor = Cursor {
        journal: village.journal,
        end,
    };
    let request = drive::request(&token, Vec::new(), vec![cursor], known);
    Ok(Client {
        journal: village.journal,
        requests: vec![request; syncs],
    })
}

/// From the start of the program to the answer of a device's first sync, in milliseconds.
fn restart(stand: &Stand, now: impl Fn() -> sync_core::id::Timestamp) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let client = asks(stand, 0, 1, now())?;
        let program = Program::start(&stand.folder)?;
        drive::drive(program.address(), vec![client])?;
        took.push(ms(program.age()));
        program.stop()?;
    }
    Ok(median(took))
}

/// Bytes of an idle sync of the one large village; processor time of one in an ordinary village, and in the large one.
fn idle(
    stand: &Stand,
    large: usize,
    now: impl Fn() -> sync_core::id::Timestamp,
) -> anyhow::Result<((usize, usize), (f64, f64))> {
    #[expect(clippy::cast_precision_loss, reason = "a count of syncs is small")]
    let syncs = IDLE_SYNCS as f64;
    let mut asked = Vec::new();
    for village in [0, large] {
        for round in [IDLE_SYNCS / 10, IDLE_SYNCS, IDLE_SYNCS, IDLE_SYNCS] {
            asked.push((village, round, asks(stand, village, round, now())?));
        }
    }
    let program = Program::start(&stand.folder)?;
    let (mut bytes, mut costs) = ((0, 0), [Vec::new(), Vec::new()]);
    for (village, round, client) in asked {
        let up = client.requests.first().map_or(0, |request| body(request));
        let before = program.cpu()?;
        let driven = drive::drive(program.address(), vec![client])?;
        let cost = ms(program.cpu()?.saturating_sub(before)) * 1e3 / syncs;
        let [of_ordinary, of_large] = &mut costs;
        if round < IDLE_SYNCS {
            // The first ones warm up.
        } else if village == large {
            bytes = (up, driven.down / round);
            of_large.push(cost);
        } else {
            of_ordinary.push(cost);
        }
    }
    program.stop()?;
    let [of_ordinary, of_large] = costs.map(median);
    Ok((bytes, (of_ordinary, of_large)))
}

fn body(request: &[u8]) -> usize {
    let head = request.windows(4).position(|four| four == b"\r\n\r\n");
    head.map_or(0, |head| request.len() - head - 4)
}

/// What a return costs over a deployment with a thousand commands, and over the large one. Here and there each run is of devices that
/// come back for the first time: how long a history their own edits have is not what is compared.
fn cost(
    folder: &Path,
    day: &Day,
    large_templates: &Templates,
    large: &mut Stand,
    now: &impl Fn() -> sync_core::id::Timestamp,
) -> anyhow::Result<Cost> {
    let times = Times::new(day, now(), DAYS_AGO)?;
    let base = (10 * DEVICES_A_VILLAGE, 10);
    let templates = Arc::new(Templates::record(
        day,
        &times,
        base,
        (DEVICES_A_VILLAGE, 5),
    )?);
    let plan = Plan {
        villages: FEW_DEVICES / DEVICES_A_VILLAGE,
        returning_villages: FEW_DEVICES / DEVICES_A_VILLAGE,
        devices: DEVICES_A_VILLAGE,
        large: None,
    };
    let small = Stand::fill(&folder.join("small"), plan, &templates, &times)?;
    ensure!(
        small.commands < 2_000,
        "a thousand commands, and not {}",
        small.commands
    );
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for run in 0..COST_RUNS {
        let mut fresh = small.copy(&folder.join(format!("small-{run}")))?;
        let of = (1, 20, 0..FEW_DEVICES);
        let (rounds, _) = rates::rounds(&mut fresh, &templates, of, now)?;
        few.push(rates::median(&rounds).cpu_ms);
        let first = DEVICES + run * FEW_DEVICES;
        let of = (1, 20, first..first + FEW_DEVICES);
        let (rounds, _) = rates::rounds(large, large_templates, of, now)?;
        many.push(rates::median(&rounds).cpu_ms);
    }
    let ratios = few.iter().zip(&many).map(|(few, many)| many / few);
    Ok(Cost {
        ratio: median(ratios.collect()),
        few_ms: median(few),
        many_ms: median(many),
    })
}
