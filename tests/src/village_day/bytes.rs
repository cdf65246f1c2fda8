//! What goes over the line: one village's day over the real program and real devices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use device::Field;
use device::field::NewDevice;
use device::transport::Http;
use sync_core::catalog::Catalogue;
use sync_core::id::{RecordId, Timestamp};
use sync_core::journal::Fate;
use sync_core::record::Slot;
use sync_core::sync::device::World;
use sync_core::vault::Pin;

use super::day::{Day, Row};
use super::deployment::{Deployment, Village, Worker};
use super::kinds::{self, Dated, Document, Households};
use super::line::{Exchange, Line};
use super::program::Program;

const PIN: &str = "258046";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Documents between two syncs of those who recorded what the village holds: about a day's work.
const SYNC_EVERY: usize = 20;
/// Figures that cost little are taken so many times.
const RUNS: usize = 3;

/// When things happen: the village was recorded before the day, the day is the one before yesterday.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When the village's records arrived.
    pub(super) recorded: Timestamp,
    /// The first moment of the day.
    pub(super) day: Timestamp,
    /// Now.
    pub(super) now: Timestamp,
    /// From the time that a document claims to when it is claimed here.
    shift_ms: i64,
}

impl Times {
    pub(super) fn new(day: &Day, now: Timestamp, days_ago: i32) -> anyhow::Result<Self> {
        let begins = now.date().plus_days(-days_ago).starts_at();
        let recorded = begins.plus_ms(-HOUR_MS);
        let last = day
            .existing
            .iter()
            .map(|row| kinds::instant(row.text_of("updatedAt")?));
        let last = last.collect::<anyhow::Result<Vec<_>>>()?.into_iter().max();
        let last = last.context("a village without documents")?;
        Ok(Self {
            recorded,
            day: begins,
            now,
            shift_ms: recorded.0 - 60_000 - last.0,
        })
    }

    /// When what a document claims of the past was written: all of it lies before it was received.
    pub(super) const fn before(&self, claimed: Timestamp) -> Timestamp {
        claimed.plus_ms(self.shift_ms)
    }

    /// When something of the day was written: at the time of day that it claims. (Which day it claims is in its content.)
    pub(super) const fn on_the_day(&self, claimed: Timestamp) -> Timestamp {
        self.day.plus_ms(claimed.0.rem_euclid(DAY_MS))
    }
}

/// A phone, real but for who holds it.
struct Phone {
    field: Field,
    village: Village,
    worker: Worker,
    server: Http,
}

impl Phone {
    fn enrol(
        folder: &Path,
        village: Village,
        worker: Worker,
        url: &str,
        code: &str,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let new = NewDevice {
            server: url.to_owned(),
            code: code.to_owned(),
            label: "手机".to_owned(),
        };
        let mut server = Http::new(url);
        let mut world = World {
            now,
            rng: &mut rand::rng(),
        };
        let field = Field::enrol(folder, &Pin::typed(PIN), &new, &mut server, &mut world)?;
        Ok(Self {
            field,
            village,
            worker,
            server,
        })
    }

    /// Saves what was had, at such a time.
    fn save(&mut self, dated: Dated, at: Timestamp) -> anyhow::Result<RecordId> {
        let mut world = World {
            now: at,
            rng: &mut rand::rng(),
        };
        let journal = self.village.journal;
        let saved = self.field.save(&mut world, journal, None, dated.intent)?;
        ensure!(
            saved.predicted.iter().all(|fate| *fate == Fate::Accepted),
            "a command would not simply be accepted: {:?}",
            saved.predicted
        );
        Ok(saved.record)
    }

    fn sync(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let mut world = World {
            now,
            rng: &mut rand::rng(),
        };
        let synced = self.field.sync(&mut self.server, &mut world)?;
        ensure!(
            synced.held_back.is_empty(),
            "the server took not everything"
        );
        let device = self.field.device();
        ensure!(device.unsent().is_empty(), "something is still unsent");
        ensure!(
            device.to_answer().is_empty(),
            "something did not count: {:?}",
            device.to_answer().len()
        );
        Ok(())
    }

    /// Records a document; `households` are those on this phone.
    fn record(
        &mut self,
        row: &Row,
        households: &mut Households,
        when: impl Fn(Timestamp) -> Timestamp,
    ) -> anyhow::Result<Option<RecordId>> {
        let catalogue = Catalogue::builtin();
        let document = Document::read(row, &catalogue)?;
        let household = match households.get(document.household()?) {
            Some(household) => *household,
            None => {
                let new = document.new_household()?;
                let at = when(new.at);
                let record = self.save(new, at)?;
                households.insert(document.household()?.to_owned(), record);
                record
            }
        };
        let visit = document.visit(household)?;
        let at = when(visit.at);
        let visit = self.save(visit, at)?;
        if let Some(particulars) = document.particulars(visit)? {
            let at = when(particulars.at);
            self.save(particulars, at)?;
        }
        let task = document.task(household, visit, self.worker.user)?;
        let task = task.map(|task| {
            let at = when(task.at);
            self.save(task, at)
        });
        task.transpose()
    }

    fn log_of(&self, task: RecordId) -> anyhow::Result<String> {
        let record = self.field.device().record(self.village.journal, task);
        let record = record.context("the task is here")?;
        let Some(Slot::Text(log)) = record.fields.get("log") else {
            return Ok(String::new());
        };
        Ok(log.clone())
    }

    fn edit(&mut self, row: &Row, tasks: &[RecordId], times: &Times) -> anyhow::Result<()> {
        let task = *tasks.get(row.index()?).context("an edit of a task")?;
        let log = self.log_of(task)?.chars().count();
        for dated in kinds::edit(row, task, log, &Catalogue::builtin())? {
            let at = times.on_the_day(dated.at);
            self.save(dated, at)?;
        }
        Ok(())
    }

    fn records(&self) -> usize {
        self.field.device().records(self.village.journal).len()
    }
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Bytes {
    /// The return.
    pub(super) back: Vec<Exchange>,
    /// A sync when nothing is new.
    pub(super) idle: Vec<Exchange>,
    /// The first sync of a new device.
    pub(super) cold: Vec<Exchange>,
    /// What enrolling it took, before.
    pub(super) enrolment: Vec<Exchange>,
    /// How long that first sync took, all of it verified, durable and folded, and the list of visits shown.
    pub(super) cold_ready: Duration,
    /// How many records it holds then.
    pub(super) records: usize,
}

/// A village on disk, ready for its day.
struct Ready {
    back: Phone,
    new: (Households, Vec<RecordId>),
    codes: Vec<(Worker, String)>,
    village: Village,
}

/// Records what the village holds, before the day, by its phones as its documents say when; then what the teammate changed on the day.
fn prepare(folder: &Path, day: &Day, times: &Times) -> anyhow::Result<Ready> {
    let mut dated = Vec::new();
    for (at, row) in day.existing.iter().enumerate() {
        let created = times.before(kinds::instant(row.text_of("createdAt")?)?);
        let updated = times.before(kinds::instant(row.text_of("updatedAt")?)?);
        dated.push((created, updated.max(created), at, row));
    }
    dated.sort_by_key(|(created, _, at, _)| (*created, *at));
    let begins = dated.first().context("a village holds something")?.0;
    let begins = begins.plus_ms(-HOUR_MS);

    let here = Deployment::found(folder, begins)?;
    let village = Village::new(0);
    let authors: BTreeMap<&str, usize> = {
        let names = day.existing.iter().chain(&day.new);
        let names = names.map(|row| row.text_of("user"));
        let names = names.collect::<anyhow::Result<BTreeSet<_>>>()?;
        names.into_iter().zip(0..).collect()
    };
    here.settle(&[village], authors.len() + 1, false)?;
    let enrolled = |number: usize| {
        let worker = Worker::new(&village, number);
        let code = here.enrolment_code(&worker)?;
        let folder = folder.join(format!("phone-{number}"));
        let mut phone = Phone::enrol(&folder, village, worker, &here.url(), &code, here.now())?;
        phone.sync(here.now())?;
        anyhow::Ok(phone)
    };
    let phones = (0..=authors.len()).map(enrolled);
    let mut phones = phones.collect::<anyhow::Result<Vec<_>>>()?;

    // The register comes first, by one of them.
    let mut households = Households::new();
    let registrar = phones.first_mut().context("a village has a phone")?;
    let catalogue = Catalogue::builtin();
    for row in &day.existing {
        let document = Document::read(row, &catalogue)?;
        let code = document.household()?;
        if !households.contains_key(code) {
            let record = registrar.save(document.new_household()?, begins)?;
            households.insert(code.to_owned(), record);
        }
    }
    for phone in &mut phones {
        phone.sync(begins)?;
    }

    // Then everybody's days. Whoever has recorded a day's work syncs, unless he is at a visit.
    let mut tasks = vec![None; day.tasks()];
    let mut own: Vec<(usize, Timestamp)> = vec![(0, begins); phones.len()];
    for (created, updated, at, row) in dated {
        let author = *authors.get(row.text_of("user")?).context("an author")?;
        let phone = phones.get_mut(author).context("every author has a phone")?;
        let (unsent, last) = own.get_mut(author).context("every author has a phone")?;
        if *unsent >= SYNC_EVERY && created >= *last {
            here.at(*last);
            phone.sync(here.now().max(*last))?;
            *unsent = 0;
        }
        let task = phone.record(row, &mut households, |claimed| times.before(claimed))?;
        if let (Some(task), Some(slot)) = (task, tasks.get_mut(at)) {
            *slot = Some(task);
        }
        *unsent += 1;
        *last = (*last).max(updated);
    }
    here.at(times.recorded);
    // Twice, so that everybody has everybody's; and once more, for the checkpoint.
    for phone in &mut phones {
        phone.sync(times.recorded)?;
    }
    here.publish()?;
    for phone in &mut phones {
        phone.sync(times.recorded)?;
    }
    let tasks: Option<Vec<RecordId>> = tasks.into_iter().collect();
    let tasks = tasks.context("every task was recorded")?;
    let author = day
        .new
        .first()
        .context("somebody records")?
        .text_of("user")?;
    let author = *authors.get(author).context("he has a phone")?;
    let mut mate = phones.pop().context("the teammate has a phone")?;
    here.at(times.now);
    for row in &day.mate {
        mate.edit(row, &tasks, times)?;
    }
    mate.sync(times.now)?;
    here.publish()?;
    // The new devices are second ones of the same people.
    ensure!(authors.len() + 1 >= RUNS, "a village has a team");
    let codes = (0..RUNS).map(|number| {
        let worker = Worker::new(&village, number);
        let code = here.enrolment_code(&worker)?;
        Ok((worker, code))
    });
    let codes = codes.collect::<anyhow::Result<Vec<_>>>()?;
    here.fold()?;
    here.leave()?;
    Ok(Ready {
        back: phones.swap_remove(author),
        new: (households, tasks),
        codes,
        village,
    })
}

/// Plays the day over the program and counts.
pub(super) fn measure(folder: &Path, day: &Day, now: Timestamp) -> anyhow::Result<Bytes> {
    let times = Times::new(day, now, 2)?;
    let Ready {
        mut back,
        new: (mut households, tasks),
        codes,
        village,
    } = prepare(folder, day, &times)?;
    let program = Program::start(folder)?;
    let line = Line::to(program.address())?;
    let mut bytes = Bytes::default();

    // Offline all day.
    for row in &day.new {
        back.record(row, &mut households, |claimed| times.on_the_day(claimed))?;
    }
    for row in &day.edits {
        back.edit(row, &tasks, &times)?;
    }
    back.server = Http::new(&line.url());
    back.sync(now)?;
    bytes.back = line.take();
    for row in &day.mate {
        let task = *tasks.get(row.index()?).context("an edit of a task")?;
        let line = row.text_of("line")?;
        ensure!(
            back.log_of(task)?.contains(line),
            "what the teammate wrote did not arrive"
        );
    }

    let mut idle = Vec::new();
    for _ in 0..RUNS {
        back.sync(now)?;
        idle.push(line.take());
    }
    bytes.idle = median_by(idle, |run| {
        run.iter().map(|one| one.up + one.down).sum::<usize>()
    });

    let mut cold = Vec::new();
    for (number, (worker, code)) in codes.into_iter().enumerate() {
        let folder = folder.join(format!("new-{number}"));
        let mut phone = Phone::enrol(&folder, village, worker, &line.url(), &code, now)?;
        bytes.enrolment = line.take();
        let begun = Instant::now();
        phone.sync(now)?;
        let rows = phone.field.rows(Some("visit"), false, now).len();
        let took = begun.elapsed();
        bytes.records = phone.records();
        ensure!(
            phone.records() == back.records() && rows >= day.existing.len(),
            "the new device holds {} records and shows {rows} visits",
            phone.records()
        );
        cold.push((took, line.take()));
    }
    (bytes.cold_ready, bytes.cold) = median_by(cold, |(took, _)| *took);
    program.stop()?;
    Ok(bytes)
}

/// The one in the middle.
fn median_by<T: Clone + Default, K: Ord>(mut runs: Vec<T>, key: impl Fn(&T) -> K) -> T {
    runs.sort_by_key(key);
    runs.get(runs.len() / 2).cloned().unwrap_or_default()
}
