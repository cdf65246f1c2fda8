//! Deployments on disk with as many villages as a figure needs, filled through the server's own admission and fold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use server::context::App;
use sync_core::batch::{Position, WireBatch};
use sync_core::id::{DeploymentId, Seq, Timestamp};
use sync_core::journal::Chain;
use sync_core::limits;
use sync_core::pack::Room;
use sync_core::sync::wire::Outcome;
use tokio::task::JoinSet;

use super::bytes::Times;
use super::deployment::{Deployment, Village, Worker};
use super::drive::{self, Client};
use super::template::{Templates, Writer};

/// Villages that are filled at one time.
const AT_ONCE: usize = 64;
const DAY_MS: i64 = 86_400_000;

/// A deployment on disk that nobody runs.
#[derive(Debug)]
pub(super) struct Stand {
    /// Where it lies.
    pub(super) folder: PathBuf,
    deployment: DeploymentId,
    /// What its devices know of the registry and of the log, having synced.
    known: (Seq, u64),
    /// Where the villages' journals stood when all was filled.
    ends: BTreeMap<usize, Position>,
    /// The devices that return, with where their lanes stand.
    writers: Vec<(Village, Writer, usize)>,
    /// How many records its journals fold to.
    pub(super) records: usize,
    /// How many commands they hold.
    pub(super) commands: usize,
    /// Records a second, admitted and folded, while it was filled.
    pub(super) filled_per_s: f64,
}

/// How a deployment is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Villages, each with what the template's holds.
    pub(super) villages: usize,
    /// In so many of them devices return,
    pub(super) returning_villages: usize,
    /// so many in each.
    pub(super) devices: usize,
    /// One more village, with what the template's holds so many times over.
    pub(super) large: Option<usize>,
}

impl Stand {
    /// Makes it.
    pub(super) fn fill(
        folder: &Path,
        plan: Plan,
        templates: &Arc<Templates>,
        times: &Times,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let here = Deployment::found(folder, times.recorded)?;
        let villages: Vec<Village> = (0..plan.villages).map(Village::new).collect();
        let (returning, others) = villages.split_at(plan.returning_villages.min(plan.villages));
        here.settle(returning, 1 + plan.devices, true)?;
        here.settle(others, 1, true)?;
        let large = plan.large.map(|times| (Village::new(plan.villages), times));
        if let Some((village, _)) = large {
            here.settle(&[village], 1, true)?;
        }
        let begun = Instant::now();
        admit_all(&here, templates, &villages)?;
        if let Some((village, cycles)) = large {
            admit_large(&here, templates, village, cycles)?;
        }
        here.fold()?;
        let all = plan.villages + plan.large.unwrap_or(0);
        let records = all * templates.base_records;
        #[expect(clippy::cast_precision_loss, reason = "a count of records is small")]
        let filled_per_s = records as f64 / begun.elapsed().as_secs_f64();
        here.at(times.now);
        here.publish()?;
        let ends = here.ends(
            villages
                .iter()
                .chain(large.as_ref().map(|(village, _)| village)),
        )?;
        let devices = returning.iter().flat_map(|village| {
            (1..=plan.devices).map(|number| (*village, Writer::new(village, number), 0))
        });
        let stand = Self {
            folder: folder.to_owned(),
            deployment: here.id(),
            known: here.known()?,
            ends,
            writers: devices.collect(),
            records,
            commands: all * templates.base_commands,
            filled_per_s,
        };
        here.leave()?;
        Ok(stand)
    }

    /// A copy of it in another folder.
    pub(super) fn copy(&self, folder: &Path) -> anyhow::Result<Self> {
        let (from, data) = (self.folder.join("data"), folder.join("data"));
        copy_all(&from, &data)?;
        Ok(Self {
            folder: folder.to_owned(),
            ends: self.ends.clone(),
            writers: self.writers.clone(),
            ..*self
        })
    }

    /// Prepares so many returns of each of these devices: tokens, batches, requests.
    pub(super) fn clients(
        &mut self,
        templates: &Templates,
        returns: usize,
        devices: &Range<usize>,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Client>> {
        const FEWER: &str = "there are fewer devices";
        let writers = self.writers.get(devices.clone()).context(FEWER)?;
        let workers: Vec<Worker> = (writers.iter())
            .map(|(_, writer, _)| *writer.worker())
            .collect();
        let tokens = self.tokens(&workers, now)?;
        let (deployment, ends, known) = (self.deployment, &self.ends, self.known);
        let writers = self.writers.get_mut(devices.clone()).context(FEWER)?;
        let mut work: Vec<_> = writers.iter_mut().zip(tokens).collect();
        let half = work.len().div_ceil(2).max(1);
        let prepare =
            |((village, writer, done), token): &mut (&mut (Village, Writer, usize), String)| {
                let seen = ends.get(&village.number).copied();
                let seen = seen.context("a village has an end")?;
                let requests = (0..returns).map(|_| {
                    let batches = templates.back(deployment, village, writer, (*done, seen));
                    *done += 1;
                    drive::request(token, batches, Vec::new(), known)
                });
                Ok(Client {
                    journal: village.journal,
                    requests: requests.collect(),
                })
            };
        std::thread::scope(|scope| {
            let parts = work.chunks_mut(half).map(|part| {
                scope.spawn(move || {
                    part.iter_mut()
                        .map(prepare)
                        .collect::<anyhow::Result<Vec<_>>>()
                })
            });
            let parts: Vec<_> = parts.collect();
            let mut clients = Vec::new();
            for part in parts {
                match part.join() {
                    Ok(part) => clients.extend(part?),
                    Err(_) => bail!("batches could not be prepared"),
                }
            }
            Ok(clients)
        })
    }

    /// Access tokens, good from now on.
    pub(super) fn tokens(&self, workers: &[Worker], now: Timestamp) -> anyhow::Result<Vec<String>> {
        let here = Deployment::open(&self.folder, now)?;
        let tokens = here.tokens(workers)?;
        here.leave()?;
        Ok(tokens)
    }

    /// Where a village's journal stood when all was filled.
    pub(super) fn end(&self, village: usize) -> anyhow::Result<Position> {
        let end = self.ends.get(&village).copied();
        end.context("a village has an end")
    }
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Brings a lane's batches, one after the other.
async fn admit(app: &App, batches: Vec<WireBatch>) -> anyhow::Result<()> {
    for batch in batches {
        let mut room = Room::of_request();
        let outcome = app.admission().admit(batch, &mut room).await?;
        let Outcome::Entered { unusual, .. } = &outcome else {
            bail!("a batch was not entered: {outcome:?}");
        };
        ensure!(
            unusual.is_empty(),
            "a command was not simply accepted: {unusual:?}"
        );
    }
    Ok(())
}

/// Fills villages, many at a time.
fn admit_all(
    here: &Deployment,
    templates: &Arc<Templates>,
    villages: &[Village],
) -> anyhow::Result<()> {
    let (app, deployment) = (here.app(), here.id());
    let (begun, done) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    here.runtime().block_on(async {
        let mut running = JoinSet::new();
        for village in villages.iter().copied() {
            if running.len() >= AT_ONCE
                && let Some(ended) = running.join_next().await
            {
                ended??;
            }
            let (app, templates) = (app.clone(), Arc::clone(templates));
            let done = Arc::clone(&done);
            let all = villages.len();
            running.spawn(async move {
                let records = templates.base_records;
                let sealing = tokio::task::spawn_blocking(move || {
                    let start = Chain::start(village.journal).end;
                    let mut writer = Writer::new(&village, 0);
                    templates.base(deployment, &village, &mut writer, start)
                });
                admit(&app, sealing.await?).await?;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if done.is_multiple_of(50) {
                    eprintln!(
                        "  {done} of {all} villages, {} records, after {:.0} s",
                        done * records,
                        begun.elapsed().as_secs_f64()
                    );
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    })
}

/// Fills one village many times over, no faster than a device may in a day.
fn admit_large(
    here: &Deployment,
    templates: &Arc<Templates>,
    village: Village,
    cycles: usize,
) -> anyhow::Result<()> {
    let a_day = limits::DEVICE_DAY_COMMANDS_MAX as usize / templates.base_commands.max(1);
    let start = Chain::start(village.journal).end;
    let mut writer = Writer::new(&village, 0);
    for cycle in 0..cycles {
        if cycle > 0 && cycle.is_multiple_of(a_day.max(1)) {
            here.at(here.now().plus_ms(DAY_MS));
        }
        let batches = templates.base(here.id(), &village, &mut writer, start);
        here.runtime().block_on(admit(here.app(), batches))?;
    }
    Ok(())
}

impl Deployment {
    /// Where journals stand.
    fn ends<'v>(
        &self,
        villages: impl Iterator<Item = &'v Village>,
    ) -> anyhow::Result<BTreeMap<usize, Position>> {
        self.runtime().block_on(async {
            let mut unit = self.app().store().read().await?;
            let mut ends = BTreeMap::new();
            for village in villages {
                let chain = unit.chain(village.journal).await?;
                let chain = chain.unwrap_or_else(|| Chain::start(village.journal));
                ends.insert(village.number, chain.end);
            }
            Ok(ends)
        })
    }
}
