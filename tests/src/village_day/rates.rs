//! How fast the program is, and what it takes: 200 devices at once, each with returns prepared beforehand.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::StatusCode;
use sync_core::id::{RecordId, Seq, Timestamp};

use super::deployment::{Village, Worker};
use super::drive::{self, Driven};
use super::program::Program;
use super::stores::Stand;
use super::template::Templates;

/// How often it is asked whether all is folded.
const POLL: Duration = Duration::from_millis(10);
/// No fold takes longer.
const FOLD_WITHIN: Duration = Duration::from_mins(10);

/// What one round of returns took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Round {
    /// Returns a second, admitted and durable.
    pub(super) admitted_per_s: f64,
    /// Returns a second, folded and visible.
    pub(super) folded_per_s: f64,
    /// The server's processor time for one return, folding included, in milliseconds.
    pub(super) cpu_ms: f64,
    /// The same for this process: what the driver took of the machine.
    pub(super) driver_cpu_ms: f64,
    /// The time to an answer: half of them, and 99 of 100.
    pub(super) answer_ms: (f64, f64),
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Plays a round: so many returns of each of so many devices.
pub(super) fn round(
    program: &Program,
    stand: &Stand,
    clients: Vec<drive::Client>,
    reader: &Reader,
) -> anyhow::Result<Round> {
    let returns: usize = clients.iter().map(|client| client.requests.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of returns is small")]
    let returns = returns as f64;
    let (cpu, own) = (program.cpu()?, super::program::own_cpu()?);
    let begun = Instant::now();
    let driven = drive::drive(program.address(), clients)?;
    let took = driven.took.as_secs_f64();
    let driver = super::program::own_cpu()?.saturating_sub(own);
    reader.wait_until_folded(program, stand, &driven)?;
    let folded = begun.elapsed().as_secs_f64();
    let cpu = program.cpu()?.saturating_sub(cpu);
    Ok(Round {
        admitted_per_s: returns / took,
        folded_per_s: returns / folded,
        cpu_ms: ms(cpu) / returns,
        driver_cpu_ms: ms(driver) / returns,
        answer_ms: (ms(driven.quantile(0.5)), ms(driven.quantile(0.99))),
    })
}

/// The rounds' middles.
pub(super) fn median(rounds: &[Round]) -> Round {
    let of = |figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or_default()
    };
    Round {
        admitted_per_s: of(|round| round.admitted_per_s),
        folded_per_s: of(|round| round.folded_per_s),
        cpu_ms: of(|round| round.cpu_ms),
        driver_cpu_ms: of(|round| round.driver_cpu_ms),
        answer_ms: (of(|round| round.answer_ms.0), of(|round| round.answer_ms.1)),
    }
}

/// Somebody in each returning village who asks for its records at a position.
pub(super) struct Reader {
    villages: Vec<(Village, String)>,
}

impl Reader {
    pub(super) fn new(
        stand: &Stand,
        villages: Range<usize>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let villages: Vec<Village> = villages.map(Village::new).collect();
        let workers: Vec<Worker> = (villages.iter())
            .map(|village| Worker::new(village, 0))
            .collect();
        let tokens = stand.tokens(&workers, now)?;
        Ok(Self {
            villages: villages.into_iter().zip(tokens).collect(),
        })
    }

    /// Asks in each village for a record that is not there, no older than what was entered: what is not folded so far says so, and
    /// nothing is read but how far that is.
    fn wait_until_folded(
        &self,
        program: &Program,
        stand: &Stand,
        driven: &Driven,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let client = reqwest::Client::new();
            let begun = Instant::now();
            for (village, token) in &self.villages {
                let ends = driven.ends.iter();
                let ends = ends.filter(|(journal, _)| *journal == village.journal);
                let at: Seq = ends.map(|(_, seq)| *seq).max().unwrap_or(0);
                let url = format!(
                    "http://{}/v1/journals/{}/records/{}?at={at}",
                    program.address(),
                    village.journal,
                    RecordId([0; 16])
                );
                loop {
                    let answer = client.get(&url).bearer_auth(token).send().await?;
                    if answer.status() == StatusCode::NOT_FOUND {
                        break;
                    }
                    let said = answer.text().await?;
                    ensure!(
                        said.contains("not_folded_yet") && begun.elapsed() < FOLD_WITHIN,
                        "{}: {said}",
                        stand.folder.display()
                    );
                    tokio::time::sleep(POLL).await;
                }
            }
            Ok(())
        })
    }
}

/// Several rounds of returns of these devices over one start of the program, the first of them not counted.
pub(super) fn rounds(
    stand: &mut Stand,
    templates: &Templates,
    (count, returns, devices): (usize, usize, Range<usize>),
    now: impl Fn() -> Timestamp,
) -> anyhow::Result<(Vec<Round>, (f64, f64))> {
    let villages = devices.start / DEVICES_A_VILLAGE..devices.end.div_ceil(DEVICES_A_VILLAGE);
    let reader = Reader::new(stand, villages, now())?;
    let mut prepared = vec![stand.clients(templates, 1, &devices, now())?];
    for _ in 0..count {
        prepared.push(stand.clients(templates, returns, &devices, now())?);
    }
    let program = Program::start(&stand.folder)?;
    let mut rounds = Vec::new();
    for (number, clients) in prepared.into_iter().enumerate() {
        let round = round(&program, stand, clients, &reader)?;
        if number > 0 {
            rounds.push(round);
        }
    }
    let resident = program.resident_mb()?;
    program.stop()?;
    rounds.first().context("a round was played")?;
    Ok((rounds, resident))
}

/// Devices that return to one village.
pub(super) const DEVICES_A_VILLAGE: usize = 4;
