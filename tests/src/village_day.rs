//! The bench `cargo xtask bench village-day`: one village's day over the real program, counted and timed.
//!
//! - `day` reads a day from a file, `sample` makes one of our own, `kinds` says what records it becomes.
//! - `bytes` plays it with real devices over a `line` that counts: the return, an idle sync, a new device.
//! - `template` prepares many villages' batches, `stores` fills deployments with them, `drive` sends them as 200 devices do, and
//!   `rates` says how fast that went; `large` does it over long histories.
//! - `machine` tries what the machine can do at best; `figures` prints.
//!
//! Everything that is measured is the program as it is released, in a process of its own (`program`), over loopback, on SQLite in a
//! fresh folder. What prepares it (`deployment`) is the server's own code in this process.

mod bytes;
mod day;
mod deployment;
mod drive;
mod figures;
mod kinds;
mod large;
mod line;
mod machine;
mod program;
mod rates;
mod sample;
mod stores;
mod template;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use server::clock::{Clock as _, SystemClock};

use bytes::{Bytes, Times};
use day::Day;
use figures::{Figures, Goal};
use line::Exchange;
use machine::Machine;
use stores::{Plan, Stand};
use template::Templates;

/// What is measured.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A file with another day.
    pub data: Option<PathBuf>,
    /// Only what takes little time.
    pub quick: bool,
}

/// Devices that return at once.
const DEVICES: usize = 200;
/// Rounds of which the middle counts.
const ROUNDS: usize = 3;

/// Measures, and prints the table on standard error: the line of JSON.
///
/// # Errors
///
/// When anything goes otherwise than it should: a figure of what went wrong is none.
pub fn run(options: &Options) -> anyhow::Result<String> {
    let lines = match &options.data {
        Some(path) => fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?,
        None => sample::lines(),
    };
    let day = Day::read(&lines)?;
    // Where the program lies: on a disk, and not in memory as temporary folders may be.
    let beside = program::Program::path()?;
    let beside = beside.parent().context("a program lies in a folder")?;
    let folder = tempfile::Builder::new()
        .prefix("village-day-")
        .tempdir_in(beside)?;
    let mut bench = Bench {
        day,
        folder: folder.path(),
        clock: SystemClock::start(),
        begun: Instant::now(),
        figures: Figures::default(),
        machine: machine::measure(folder.path())?,
    };
    bench.bytes()?;
    bench.rates(options.quick)?;
    if !options.quick {
        bench.large()?;
    }
    bench.limits();
    eprintln!("\n{}", bench.figures.table());
    Ok(bench.figures.json())
}

struct Bench<'a> {
    day: Day,
    folder: &'a Path,
    clock: SystemClock,
    begun: Instant,
    figures: Figures,
    machine: Machine,
}

fn sum(exchanges: &[Exchange], of: impl Fn(&Exchange) -> usize) -> usize {
    exchanges.iter().map(of).sum()
}

impl Bench<'_> {
    fn say(&self, what: &str) {
        eprintln!("[{:>5.0} s] {what}", self.begun.elapsed().as_secs_f64());
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of bytes are small")]
    fn bytes(&mut self) -> anyhow::Result<()> {
        self.say("a village's day over real devices");
        let folder = self.folder.join("day");
        fs::create_dir_all(&folder)?;
        let Bytes {
            back,
            idle,
            cold,
            enrolment,
            cold_ready,
            records,
        } = bytes::measure(&folder, &self.day, self.clock.now())?;
        let up = [&self.day.new[..], &self.day.edits].concat();
        let content = day::zstd19(&up)? + day::zstd19(&self.day.mate)?;
        let brotli = machine::brotli11(&up)? + machine::brotli11(&self.day.mate)?;
        let existing = day::zstd19(&self.day.existing)?;
        let existing_brotli = machine::brotli11(&self.day.existing)?;
        let (session, back): (Vec<_>, Vec<_>) = back.into_iter().partition(Exchange::is_session);
        let of_line = |exchange: &Exchange| exchange.up + exchange.down + exchange.heads;

        let figures = &mut self.figures;
        figures
            .count("idle_up_bytes", sum(&idle, |one| one.up))
            .goal(Goal::AtMost(300.0));
        figures
            .count("idle_down_bytes", sum(&idle, |one| one.down))
            .goal(Goal::AtMost(300.0));
        figures
            .count("return_requests", back.len())
            .goal(Goal::AtMost(1.0));
        let (return_up, return_down) = (sum(&back, |one| one.up), sum(&back, |one| one.down));
        figures.count("return_up_bytes", return_up);
        figures.count("return_down_bytes", return_down);
        figures.count("return_content_zstd19_bytes", content);
        figures
            .add(
                "return_to_content",
                (return_up + return_down) as f64 / content as f64,
                3,
            )
            .goal(Goal::AtMost(1.1))
            .limit(
                brotli as f64 / content as f64,
                "the same JSON under brotli 11",
            );
        figures.count("return_session_requests", session.len());
        figures.count(
            "return_session_bytes",
            sum(&session, |one| one.up + one.down),
        );
        figures.count(
            "return_line_bytes",
            sum(&back, of_line) + sum(&session, of_line),
        );
        let (session, cold): (Vec<_>, Vec<_>) = cold.into_iter().partition(Exchange::is_session);
        figures
            .count("cold_requests", cold.len())
            .goal(Goal::AtMost(3.0));
        let (cold_up, cold_down) = (sum(&cold, |one| one.up), sum(&cold, |one| one.down));
        figures
            .count("cold_down_bytes", cold_down)
            .goal(Goal::AtMost(existing as f64))
            .limit(existing_brotli as f64, "the same JSON under brotli 11");
        figures.count("cold_up_bytes", cold_up);
        figures.count("cold_content_zstd19_bytes", existing);
        figures.add("cold_to_content", cold_down as f64 / existing as f64, 3);
        figures.count("cold_records", records);
        figures.count("cold_session_requests", session.len() + enrolment.len());
        figures
            .add("cold_ready_ms", cold_ready.as_secs_f64() * 1e3, 0)
            .goal(Goal::AtMost(1_000.0));
        Ok(())
    }

    fn rates(&mut self, quick: bool) -> anyhow::Result<()> {
        let devices = rates::DEVICES_A_VILLAGE;
        let times = Times::new(&self.day, self.clock.now(), 2)?;
        self.say("recording what is to be sent");
        let all = (self.day.tasks(), self.day.existing.len());
        let templates = Templates::record(&self.day, &times, all, (devices, 5))?;
        let templates = Arc::new(templates);
        let plan = Plan {
            villages: DEVICES / devices,
            returning_villages: DEVICES / devices,
            devices,
            large: None,
        };
        let mut stand = Stand::fill(&self.folder.join("rates"), plan, &templates, &times)?;
        self.say(&format!(
            "{} records in {} villages; {DEVICES} devices return at once",
            stand.records, plan.villages
        ));
        let returns = if quick { 2 } else { 10 };
        let clock = &self.clock;
        let (rounds, _) = rates::rounds(
            &mut stand,
            &templates,
            (ROUNDS, returns, 0..DEVICES),
            || clock.now(),
        )?;
        let middle = rates::median(&rounds);
        let machine = self.machine;
        let figures = &mut self.figures;
        figures
            .add("admitted_returns_per_s", middle.admitted_per_s, 0)
            .goal(Goal::AtLeast(1_000.0))
            .limit(
                machine.verifications_per_s,
                "signatures checked on one core",
            );
        figures
            .add("server_cpu_ms_per_return", middle.cpu_ms, 2)
            .goal(Goal::AtMost(5.0))
            .limit(1e3 / machine.verifications_per_s, "one signature check");
        figures
            .add("folded_returns_per_s", middle.folded_per_s, 0)
            .goal(Goal::AtLeast(200.0));
        figures.add("commands_per_return", templates.commands_a_return(), 1);
        figures.add("driver_cpu_ms_per_return", middle.driver_cpu_ms, 2);
        figures.add("answer_ms_p50", middle.answer_ms.0, 1);
        figures.add("answer_ms_p99", middle.answer_ms.1, 1);
        Ok(())
    }

    fn large(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.join("large");
        fs::create_dir_all(&folder)?;
        let large = large::measure(&folder, &self.day, |what| self.say(what))?;
        let figures = &mut self.figures;
        figures
            .add("rss_mb_1m", large.resident_mb.1, 0)
            .goal(Goal::AtMost(150.0));
        figures.add("rss_mb_1m_at_end", large.resident_mb.0, 0);
        figures
            .add("restart_first_sync_ms_50k", large.restart_fewer_ms, 0)
            .goal(Goal::AtMost(1_000.0));
        figures
            .add("restart_first_sync_ms_1m", large.restart_many_ms, 0)
            .goal(Goal::AtMost(1_000.0));
        let cost = large.cost;
        figures
            .add("cost_ratio_1k_1m", cost.ratio, 3)
            .goal(Goal::AtMost(1.1));
        figures.add("cpu_ms_per_return_1k", cost.few_ms, 2);
        figures.add("cpu_ms_per_return_1m", cost.many_ms, 2);
        figures.add("admitted_returns_per_s_1m", large.rates.admitted_per_s, 0);
        figures.add("folded_returns_per_s_1m", large.rates.folded_per_s, 0);
        let (up, down) = large.idle_bytes;
        figures
            .count("idle_up_bytes_100k", up)
            .goal(Goal::AtMost(300.0));
        figures
            .count("idle_down_bytes_100k", down)
            .goal(Goal::AtMost(300.0));
        figures.add("idle_cpu_us_1k", large.idle_us.0, 0);
        figures.add("idle_cpu_us_100k", large.idle_us.1, 0);
        figures.count("records_1m", large.records);
        figures.add("disk_mb_1m", large.disk_mb, 0);
        figures.add("filled_records_per_s", large.filled_per_s, 0);
        Ok(())
    }

    fn limits(&mut self) {
        let machine = self.machine;
        let figures = &mut self.figures;
        figures.add("fdatasyncs_per_s", machine.fdatasyncs_per_s, 0);
        figures.add("verifications_per_s", machine.verifications_per_s, 0);
        figures.add("sha256_mb_per_s", machine.sha256_mb_per_s, 0);
    }
}
