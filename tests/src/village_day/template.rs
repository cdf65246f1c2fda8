//! Batches prepared once and sealed again for other villages and devices.
//!
//! A phone packs its contents with care, which takes it tens of milliseconds; that is the phone's cost and not the server's. So one
//! village's batches are recorded once, by the device's own code over a host in memory, and every other village's say the same under
//! other names: each envelope gets the ids of its village and lane, each batch a seed, digests, chain and signature of its own. Only
//! the packed contents, which name nobody, are taken over as they are.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use sync_core::admit::LaneEnd;
use sync_core::batch::{self, Bytes, Parts, Position, Sealing, Seed, Unsealed, WireBatch};
use sync_core::catalog::Catalogue;
use sync_core::cbor;
use sync_core::command::{Audience, Envelope, Verb};
use sync_core::id::{DeploymentId, JournalId, RecordId, Timestamp, UserId};
use sync_core::journal::Fate;
use sync_core::pack::{self, Lane};
use sync_core::record::Slot;
use sync_core::sign::SigningKey;
use sync_core::sync::device::Key;
use sync_core::testing::{Host, Phone};

use super::bytes::Times;
use super::day::{Day, Row};
use super::deployment::{Village, Worker};
use super::kinds::{self, Dated, Document, Households};

/// Who recorded what a village holds; the others return to it.
const REGISTRAR: usize = 0;
/// Documents in one batch of what a village holds.
const BATCH_DOCUMENTS: usize = 20;
/// What one return brings.
const RETURN_VISITS: usize = 20;
const RETURN_EDITS: usize = 10;
const MINUTE_MS: i64 = 60_000;

/// One batch to be sealed again.
#[derive(Debug)]
struct Template {
    author: usize,
    parts: Parts,
    streams: Vec<(Audience, Bytes)>,
}

/// A village's batches.
#[derive(Debug)]
pub(super) struct Templates {
    users: Vec<UserId>,
    /// By whose which command each record was made.
    made: BTreeMap<RecordId, (usize, u64)>,
    base: Vec<Template>,
    /// By returning device: its returns, in order, each in one batch or more.
    returns: Vec<Vec<Vec<Template>>>,
    /// How many records the base makes.
    pub(super) base_records: usize,
    /// How many commands it has.
    pub(super) base_commands: usize,
}

/// A lane as somebody goes on with it.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    worker: Worker,
    number: usize,
    lane: LaneEnd,
}

impl Writer {
    /// The lane of a village's worker, before its first batch.
    pub(super) fn new(village: &Village, number: usize) -> Self {
        let worker = Worker::new(village, number);
        Self {
            worker,
            number,
            lane: LaneEnd::start(worker.device, village.journal),
        }
    }

    pub(super) const fn worker(&self) -> &Worker {
        &self.worker
    }
}

/// The village in memory, while its batches are recorded.
struct Recording {
    host: Host,
    village: sync_core::testing::Village,
    catalogue: Catalogue,
}

impl Templates {
    /// Records what a village holds (of the tasks and of the visits so many), and so many returns of so many devices.
    pub(super) fn record(
        day: &Day,
        times: &Times,
        (tasks, visits): (usize, usize),
        (devices, returns): (usize, usize),
    ) -> anyhow::Result<Self> {
        let mut host = Host::found(1, times.recorded);
        let village = host.add_village("样板村", times.recorded);
        let since = times.recorded.date().plus_days(-500);
        let mut phones = Vec::new();
        let mut users = Vec::new();
        for number in 0..=devices {
            let user = host.add_user("某人", times.recorded);
            let role = if number == REGISTRAR { "FS" } else { "TM" };
            host.assign(user, role, village.area, since, None, times.recorded);
            users.push(user);
            phones.push(Phone::enrol(&mut host, user, times.recorded));
        }
        let mut recording = Recording {
            host,
            village,
            catalogue: Catalogue::builtin(),
        };
        let mut templates = Self {
            users,
            made: BTreeMap::new(),
            base: Vec::new(),
            returns: Vec::new(),
            base_records: 0,
            base_commands: 0,
        };
        let mut phones = phones.into_iter();
        let registrar = phones.next().context("there is a registrar")?;
        let all_tasks = day.tasks();
        let (of_tasks, of_visits) = day.existing.split_at(all_tasks);
        let existing: Vec<&Row> = of_tasks
            .iter()
            .take(tasks)
            .chain(of_visits.iter().take(visits))
            .collect();
        let (households, tasks) = recording.base(registrar, &existing, times, &mut templates)?;
        let mut pool = Vec::new();
        for row in day.new.iter().chain(of_visits) {
            // A return brings visits to households that the village has, whatever of the day it holds.
            let document = Document::read(row, &recording.catalogue)?;
            pool.extend(
                households
                    .contains_key(document.household()?)
                    .then_some(row),
            );
        }
        ensure!(
            !pool.is_empty(),
            "no visit of the day is to a household that the village has"
        );
        let edits: Vec<&Row> = day.edits.iter().chain(&day.mate).collect();
        for (phone, number) in phones.zip(1..) {
            let mut returning = Returning {
                phone,
                households: households.clone(),
                tasks: tasks
                    .iter()
                    .copied()
                    .skip((number - 1) * RETURN_EDITS % tasks.len().max(1))
                    .take(RETURN_EDITS)
                    .collect(),
                sealed: 0,
            };
            ensure!(
                returning.tasks.len() == RETURN_EDITS,
                "there are too few tasks for {devices} devices"
            );
            returning.phone.sync(&mut recording.host, times.recorded)?;
            let mut own = Vec::new();
            for at in 0..returns {
                let from = (number * returns + at) * RETURN_VISITS;
                let visits = pool.iter().cycle().skip(from % pool.len());
                let edits = edits.iter().cycle().skip(at * RETURN_EDITS);
                let visits: Vec<&Row> = visits.take(RETURN_VISITS).copied().collect();
                let edits: Vec<&Row> = edits.take(RETURN_EDITS).copied().collect();
                own.push(returning.record(&recording, number, &visits, &edits, times)?);
            }
            for template in own.iter().flatten() {
                templates.note(template);
            }
            templates.returns.push(own);
        }
        Ok(templates)
    }

    /// How many commands a return brings, on average.
    #[expect(clippy::cast_precision_loss, reason = "counts of commands are small")]
    pub(super) fn commands_a_return(&self) -> f64 {
        let returns: Vec<_> = self.returns.iter().flatten().collect();
        let batches = returns.iter().copied().flatten();
        let commands = batches.map(|template| template.parts.batch.envelopes.len());
        commands.sum::<usize>() as f64 / returns.len().max(1) as f64
    }

    /// Remembers who made which record.
    fn note(&mut self, template: &Template) {
        let made = template.parts.batch.envelopes.iter();
        let made = made.filter(|envelope| envelope.makes());
        self.made
            .extend(made.map(|envelope| (envelope.record, (template.author, envelope.n))));
    }

    /// What a village holds, sealed for it by its registrar.
    pub(super) fn base(
        &self,
        deployment: DeploymentId,
        village: &Village,
        writer: &mut Writer,
        seen: Position,
    ) -> Vec<WireBatch> {
        // All of one go stands at the same distance from its template.
        let shift = writer.lane.n;
        self.base
            .iter()
            .map(|template| self.seal(template, deployment, village, writer, (shift, seen)))
            .collect()
    }

    /// A return of one of a village's devices: they begin again when there are no more.
    pub(super) fn back(
        &self,
        deployment: DeploymentId,
        village: &Village,
        writer: &mut Writer,
        (number, seen): (usize, Position),
    ) -> Vec<WireBatch> {
        let own = self.returns.get(writer.number - 1);
        let own = own.map_or(&[][..], Vec::as_slice);
        let Some(batches) = own.get(number % own.len().max(1)) else {
            return Vec::new();
        };
        let first = batches
            .first()
            .map_or(1, |template| template.parts.batch.first());
        let shift = writer.lane.n + 1 - first;
        batches
            .iter()
            .map(|template| self.seal(template, deployment, village, writer, (shift, seen)))
            .collect()
    }

    fn seal(
        &self,
        template: &Template,
        deployment: DeploymentId,
        village: &Village,
        writer: &mut Writer,
        (shift, seen): (u64, Position),
    ) -> WireBatch {
        let Parts {
            batch, contents, ..
        } = &template.parts;
        let shifted = |author: usize, n: u64| {
            if author == template.author {
                n + shift
            } else {
                n
            }
        };
        let worker = |number: usize| Worker::new(village, number);
        let moved = |record: RecordId| match self.made.get(&record) {
            Some((author, n)) => {
                let device = if *author == writer.number {
                    writer.worker.device
                } else {
                    worker(*author).device
                };
                RecordId::derive(device, village.journal, shifted(*author, *n))
            }
            None => {
                let place = self.users.iter().position(|user| user.0 == record.0);
                place.map_or(record, |number| RecordId(worker(number).user.0))
            }
        };
        let renamed = batch
            .envelopes
            .iter()
            .zip(contents)
            .map(|(envelope, salted)| {
                let mut envelope: Envelope = envelope.clone();
                envelope.n += shift;
                envelope.record = moved(envelope.record);
                envelope.needs = envelope.needs.map(|n| n + shift);
                for link in &mut envelope.links {
                    link.target = moved(link.target);
                }
                envelope.links.sort();
                Unsealed {
                    envelope,
                    content: salted
                        .as_ref()
                        .map(|salted| salted.content.clone())
                        .unwrap_or_default(),
                }
            });
        let commands = renamed.collect();
        let key = SigningKey::from_seed(writer.worker.seed);
        let sealing = Sealing {
            deployment,
            journal: village.journal,
            assignment: writer.worker.assignment,
            catalogue: batch.catalogue,
            previous: writer.lane.batch,
            seen,
            at: batch.sealed_at,
            seed: Seed(rand::random()),
            key: &key,
        };
        let sealed = batch::seal(&sealing, commands);
        let lane = Lane {
            device: writer.worker.device,
            journal: village.journal,
            first: sealed.batch.first(),
        };
        writer.lane = LaneEnd {
            n: sealed.batch.last(),
            batch: sealed.batch.digest(deployment),
        };
        WireBatch {
            journal: village.journal,
            device: writer.worker.device,
            assignment: sealed.batch.assignment,
            catalogue: sealed.batch.catalogue,
            first: sealed.batch.first(),
            previous: sealed.batch.previous,
            seen: sealed.batch.seen,
            sealed_at: sealed.batch.sealed_at,
            envelopes: pack::pack_envelopes(&lane, &sealed.batch.envelopes).into(),
            signature: sealed.signature,
            seed: sealed.seed,
            streams: template.streams.clone(),
            salts: Vec::new(),
            digests: Vec::new(),
        }
    }
}

impl Recording {
    /// Has the registrar record documents, sees that all of it counts, and says which households and tasks there are.
    fn base(
        &mut self,
        mut phone: Phone,
        existing: &[&Row],
        times: &Times,
        templates: &mut Templates,
    ) -> anyhow::Result<(Households, Vec<RecordId>)> {
        phone.sync(&mut self.host, times.recorded)?;
        let (mut households, mut tasks) = (Households::new(), Vec::new());
        let mut sealed = 0;
        for (done, row) in (1..).zip(existing) {
            let when = |claimed| times.before(claimed);
            tasks.extend(self.document(&mut phone, row, &mut households, when)?);
            if done % BATCH_DOCUMENTS == 0 || done == existing.len() {
                phone.seal(times.recorded);
                templates.base.extend(newly_sealed(
                    &phone,
                    self.village.journal,
                    REGISTRAR,
                    &mut sealed,
                )?);
            }
        }
        let mut notes = core::mem::take(&mut templates.base);
        for template in &notes {
            templates.note(template);
            let envelopes = &template.parts.batch.envelopes;
            templates.base_commands += envelopes.len();
            templates.base_records += envelopes
                .iter()
                .filter(|envelope| envelope.verb == Verb::Create)
                .count();
        }
        templates.base.append(&mut notes);
        phone.sync(&mut self.host, times.recorded)?;
        while !phone.device.unsent().is_empty() {
            phone.sync(&mut self.host, times.recorded)?;
        }
        let entries = self.host.entries(self.village.journal);
        let mut fates = entries.iter().flat_map(|entry| &entry.head.fates);
        ensure!(
            entries.len() == templates.base.len() && fates.all(|fate| *fate == Fate::Accepted),
            "not all that the village holds was simply accepted"
        );
        Ok((households, tasks))
    }

    fn save(&self, phone: &mut Phone, dated: Dated, at: Timestamp) -> anyhow::Result<RecordId> {
        let saved = phone.save(self.village.journal, None, dated.intent, at)?;
        Ok(saved.record)
    }

    /// Records a document; the task that it makes, if it is one.
    fn document(
        &self,
        phone: &mut Phone,
        row: &Row,
        households: &mut Households,
        when: impl Fn(Timestamp) -> Timestamp,
    ) -> anyhow::Result<Option<RecordId>> {
        let document = Document::read(row, &self.catalogue)?;
        let code = document.household()?;
        let household = match households.get(code) {
            Some(household) => *household,
            None => {
                let new = document.new_household()?;
                let at = when(new.at);
                let record = self.save(phone, new, at)?;
                households.insert(code.to_owned(), record);
                record
            }
        };
        let visit = document.visit(household)?;
        let at = when(visit.at);
        let visit = self.save(phone, visit, at)?;
        if let Some(particulars) = document.particulars(visit)? {
            let at = when(particulars.at);
            self.save(phone, particulars, at)?;
        }
        let user = phone.device.identity().user;
        let Some(task) = document.task(household, visit, user)? else {
            return Ok(None);
        };
        let at = when(task.at);
        self.save(phone, task, at).map(Some)
    }
}

/// A device that returns again and again, and hears nothing in between.
struct Returning {
    phone: Phone,
    households: Households,
    tasks: Vec<RecordId>,
    sealed: u64,
}

impl Returning {
    fn record(
        &mut self,
        recording: &Recording,
        number: usize,
        visits: &[&Row],
        edits: &[&Row],
        times: &Times,
    ) -> anyhow::Result<Vec<Template>> {
        let when = |claimed| times.on_the_day(claimed);
        let journal = recording.village.journal;
        for row in visits {
            recording.document(&mut self.phone, row, &mut self.households, when)?;
        }
        for (task, row) in self.tasks.iter().zip(edits) {
            let record = self.phone.device.record(journal, *task);
            let log = record.as_ref().and_then(|record| record.fields.get("log"));
            let log = if let Some(Slot::Text(log)) = log {
                log.chars().count()
            } else {
                0
            };
            for dated in kinds::edit(row, *task, log, &recording.catalogue)? {
                let at = when(dated.at);
                recording.save(&mut self.phone, dated, at)?;
            }
        }
        self.phone.seal(times.day.plus_ms(26 * 60 * MINUTE_MS));
        newly_sealed(&self.phone, journal, number, &mut self.sealed)
    }
}

/// What a phone sealed since the batch of this number.
fn newly_sealed(
    phone: &Phone,
    of: JournalId,
    author: usize,
    last: &mut u64,
) -> anyhow::Result<Vec<Template>> {
    let after = Key::Sealed(of, *last + 1);
    let mut templates = Vec::new();
    for (key, bytes) in phone.storage.0.range(after..) {
        let Key::Sealed(journal, _) = key else { break };
        if *journal != of {
            break;
        }
        let wire: WireBatch = cbor::decode(bytes)?;
        let parts = wire.open()?;
        *last = parts.batch.last();
        templates.push(Template {
            author,
            parts,
            streams: wire.streams,
        });
    }
    Ok(templates)
}
