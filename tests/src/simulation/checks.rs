//! What must hold when everyone has met, checked against what people said and saw.
//!
//! The journal is read by plain rules written here once more (numbers without gaps, who had seen what, which action came late),
//! by the fold of each reader's own contents, and by an auditor who decides every fate again.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::admit::codes::{flag, no_effect};
use sync_core::command::{Envelope, Origin, Verb};
use sync_core::id::{DeviceId, ItemId, JournalId, RecordId, Seq};
use sync_core::journal::{Broken, Chain, Entry, Fate};
use sync_core::limits;
use sync_core::month::{self, Month};
use sync_core::record::{Logged, Record, Slot};
use sync_core::value::Value;

use super::Act;
use super::village::Sim;
use super::violation::{Sign, Violation};

mod auditor;
mod phones;
mod proof;
mod said;

pub(super) use phones::differ;
pub(super) use proof::lie_fails;

/// Fields that are registers, of every kind.
const REGISTERS: [&str; 4] = ["phone", "code", "weather", "unit"];

/// Everything that does not hold in the end.
pub(super) fn all(sim: &mut Sim) -> Vec<Violation> {
    let mut found = core::mem::take(&mut sim.violations);
    journals(sim, &mut found);
    said::said(sim, &mut found);
    phones::phones(sim, &mut found);
    proof::verified(sim, &mut found);
    found
}

/// What does not hold at a quiet moment, when everyone who can has just synced.
pub(super) fn at_rest(sim: &Sim) -> Vec<Violation> {
    let mut found = Vec::new();
    phones::phones(sim, &mut found);
    found
}

/// Which actions were taken, and what became of them.
pub(super) fn acts(sim: &Sim) -> BTreeSet<Act> {
    let mut acts = BTreeSet::new();
    for village in &sim.villages {
        let mut last: BTreeMap<RecordId, String> = BTreeMap::new();
        let commands = Check::of(sim, village.journal).commands();
        for At { envelope, fate, .. } in commands.filter(|at| at.envelope.verb == Verb::Act) {
            let action = envelope.action.clone().unwrap_or_default();
            acts.insert(Act {
                kind: envelope.kind.clone(),
                action: action.clone(),
                why_not: match fate {
                    Fate::Accepted | Fate::Flagged(_) => None,
                    Fate::NoEffect(why) | Fate::Refused(why, _) => Some(why.clone()),
                },
                after: last.get(&envelope.record).cloned(),
            });
            if fate.counts() {
                last.insert(envelope.record, action);
            }
        }
    }
    acts
}

fn journals(sim: &Sim, found: &mut Vec<Violation>) {
    for village in &sim.villages {
        let check = Check::of(sim, village.journal);
        check.chain(found);
        check.lanes(found);
        check.authority(found);
        check.effects(found);
        check.records(found);
        check.auditor(found);
    }
}

struct Check<'a> {
    sim: &'a Sim,
    journal: JournalId,
    entries: &'a [Entry],
}

/// One command where it stands.
struct At<'a> {
    entry: &'a Entry,
    envelope: &'a Envelope,
    fate: &'a Fate,
}

impl<'a> Check<'a> {
    fn of(sim: &'a Sim, journal: JournalId) -> Self {
        Self {
            sim,
            journal,
            entries: sim.server.host.entries(journal),
        }
    }

    fn commands(&self) -> impl Iterator<Item = At<'a>> + use<'a> {
        self.entries.iter().flat_map(|entry| {
            let batch = &entry.parts.batch;
            batch
                .envelopes
                .iter()
                .zip(&entry.head.fates)
                .map(move |(envelope, fate)| At {
                    entry,
                    envelope,
                    fate,
                })
        })
    }

    fn field(&self, folded: &Record, field: &str) -> String {
        format!("{field} of {}", self.sim.record_name(folded.id))
    }

    /// What its author was looking at, as the simulation wrote it down.
    fn saw(&self, logged: &Logged) -> Seq {
        let own = Origin {
            device: logged.place.device,
            journal: self.journal,
            n: logged.place.n,
        };
        let envelope = &logged.command.envelope;
        let said = self.sim.ledger.find(own, envelope);
        if self.sim.truth.lost.went_back(self.journal) {
            // What he had seen and nobody can show any more he has to see again; his number may be another's now.
            let said = said.filter(|said| said.at == envelope.at);
            return said.map_or(envelope.base, |said| said.saw.min(envelope.base));
        }
        said.map_or(envelope.base, |said| said.saw)
    }

    fn chain(&self, found: &mut Vec<Violation>) {
        let deployment = self.sim.server.host.deployment();
        let mut chain = Chain::start(self.journal);
        let mut heads = vec![chain.end];
        for entry in self.entries {
            match chain.append_entry(deployment, entry) {
                Ok(next) => chain = next,
                Err(broken @ Broken::Backwards(_)) => {
                    found.push(Sign::Backwards.at(broken.to_string()));
                }
                Err(broken) => found.push(Sign::Broken.at(broken.to_string())),
            }
            let seen = entry.parts.batch.seen;
            let index = usize::try_from(seen.seq).unwrap_or(usize::MAX);
            if heads.get(index) != Some(&seen) {
                found.push(Sign::OtherHistory.at(format!("entry {}", entry.head.seq)));
            }
            if entry.head.catalogue != entry.parts.batch.catalogue {
                found.push(Sign::OtherCatalogue.at(format!("entry {}", entry.head.seq)));
            }
            heads.push(chain.end);
        }
    }

    fn lanes(&self, found: &mut Vec<Violation>) {
        let mut ends: BTreeMap<DeviceId, u64> = BTreeMap::new();
        let mut origins: BTreeMap<Origin, u32> = BTreeMap::new();
        let mut bases: BTreeMap<(DeviceId, RecordId), Seq> = BTreeMap::new();
        let mut offers: BTreeMap<Origin, BTreeSet<DeviceId>> = BTreeMap::new();
        let registry = self.sim.server.host.registry();
        for At {
            entry,
            envelope,
            fate,
        } in self.commands()
        {
            let batch = &entry.parts.batch;
            let end = ends.entry(batch.device).or_insert(0);
            if envelope.n != *end + 1 {
                found.push(Sign::LaneGap.at(format!(
                    "command {} follows {end} in the lane of {}",
                    envelope.n,
                    batch.device.short()
                )));
            }
            *end = envelope.n;
            let stood = bases.entry((batch.device, envelope.record)).or_insert(0);
            if envelope.base < *stood && envelope.origin.is_none() {
                found.push(Sign::BaseBackwards.at(format!(
                    "entry {}, on {}",
                    entry.head.seq,
                    self.sim.record_name(envelope.record)
                )));
            }
            *stood = envelope.base.max(*stood);
            let user = |device: &DeviceId| registry.devices.get(device).map(|info| info.user);
            if let Some(origin) = envelope.origin {
                let owner = user(&origin.device);
                let offered = |by: &DeviceId| user(by) == owner;
                let known = offers.get(&origin).is_some_and(|by| by.iter().any(offered));
                if fate.counts() && owner != user(&batch.device) && !known {
                    found.push(Sign::Stolen.at(format!("entry {}", entry.head.seq)));
                }
            }
            for origin in [Some(batch.origin(envelope.n)), envelope.origin] {
                let by = origin.map(|origin| offers.entry(origin).or_default());
                by.into_iter().for_each(|by| {
                    by.insert(batch.device);
                });
            }
            if envelope.base > batch.seen.seq && fate.counts() {
                found.push(Sign::BaseUnseen.at(format!("entry {}", entry.head.seq)));
            }
            if fate.counts() {
                for origin in [Some(batch.origin(envelope.n)), envelope.origin]
                    .into_iter()
                    .flatten()
                {
                    *origins.entry(origin).or_insert(0) += 1;
                }
            }
        }
        for (origin, count) in origins.iter().filter(|(_, count)| **count > 1) {
            found.push(Sign::CountsTwice.at(format!(
                "command {} of {} counts {count} times",
                origin.n,
                origin.device.short()
            )));
        }
        // Only a copied phone ever says two things under one number.
        for (device, info) in &self.sim.server.host.registry().devices {
            let forgiven = info.standing == sync_core::registry::Standing::Active;
            if forgiven && self.sim.server.equivocated.contains(device) {
                found.push(Sign::Forgiven.at(device.short()));
            }
            let suspended = info.standing == sync_core::registry::Standing::Suspended;
            if suspended && !self.sim.truth.cloned.contains(device) {
                found.push(Sign::HonestSuspended.at(device.short()));
            }
        }
    }

    fn authority(&self, found: &mut Vec<Violation>) {
        let registry = self.sim.server.host.registry();
        let user = |device: &DeviceId| registry.devices.get(device).map(|device| device.user);
        let mut months: BTreeMap<RecordId, bool> = BTreeMap::new();
        for At {
            entry,
            envelope,
            fate,
        } in self.commands()
        {
            let (seq, device) = (entry.head.seq, entry.parts.batch.device);
            let after = |ends: &BTreeMap<JournalId, Seq>| {
                ends.get(&self.journal).is_some_and(|end| seq > *end)
            };
            if fate.counts()
                && self
                    .sim
                    .truth
                    .revoked
                    .iter()
                    .any(|(revoked, ends)| *revoked == device && after(ends))
            {
                found.push(Sign::RevokedCounts.at(format!("entry {seq}")));
            }
            if fate.counts()
                && self
                    .sim
                    .truth
                    .withdrawn
                    .iter()
                    .any(|(withdrawn, ends)| Some(*withdrawn) == user(&device) && after(ends))
            {
                found.push(Sign::Withdrawn.at(format!("entry {seq}")));
            }
            let area = |assignment| registry.assignments.get(assignment).map(|held| held.area);
            let here = registry.area_of(self.journal, entry.head.received_at.date());
            let stationed = area(&entry.parts.batch.assignment)
                .zip(here)
                .is_some_and(|(area, here)| registry.is_within(here, area));
            if fate.counts() && !stationed {
                found.push(Sign::Elsewhere.at(format!("entry {seq}")));
            }
            self.sealed(entry, envelope, fate, &mut months, found);
            let base = self
                .entries
                .get(usize::try_from(envelope.base).unwrap_or(0).wrapping_sub(1));
            let early = base.is_some_and(|base| {
                envelope.at < base.head.received_at.plus_ms(-limits::CLOCK_TOLERANCE_MS)
            });
            let late = envelope.at > entry.head.received_at.plus_ms(limits::CLOCK_TOLERANCE_MS);
            if *fate == Fate::Accepted && (early || late) {
                found.push(Sign::ClockUnmarked.at(format!("entry {seq}")));
            }
        }
    }

    /// What is recorded in a month and stands after that month's close is marked, and nothing else is.
    fn sealed(
        &self,
        entry: &Entry,
        envelope: &Envelope,
        fate: &Fate,
        months: &mut BTreeMap<RecordId, bool>,
        found: &mut Vec<Violation>,
    ) {
        let month = Month::at(envelope.at).map(|month| month.record(self.journal));
        let closed = month.is_some_and(|month| months.get(&month) == Some(&true));
        let late = closed && !matches!(envelope.verb, Verb::Seal | Verb::Clear);
        let marked = matches!(fate, Fate::Flagged(causes) if causes.iter().any(|cause| cause == flag::AFTER_SEAL));
        if fate.counts() && late != marked {
            found.push(Sign::LateUnmarked.at(format!("entry {}", entry.head.seq)));
        }
        if fate.counts() && envelope.kind == month::KIND {
            match envelope.verb {
                Verb::Seal => months.insert(envelope.record, true),
                Verb::Act => {
                    let open = envelope.action.as_deref() == Some("reopen");
                    months.insert(envelope.record, !open)
                }
                _ => None,
            };
        }
    }

    /// Whether actions came in time, filed testimony stayed as it was, and what was needed counted.
    fn effects(&self, found: &mut Vec<Violation>) {
        let mut acted: BTreeMap<RecordId, (Seq, DeviceId)> = BTreeMap::new();
        let mut filed: BTreeSet<RecordId> = BTreeSet::new();
        let mut fates: BTreeMap<(DeviceId, u64), &Fate> = BTreeMap::new();
        let catalogues = self.sim.server.host.catalogues();
        for At {
            entry,
            envelope,
            fate,
        } in self.commands()
        {
            let (seq, device) = (entry.head.seq, entry.parts.batch.device);
            let needed = envelope
                .needs
                .and_then(|needed| fates.get(&(device, needed)));
            let stands = |fate: &Fate| {
                fate.counts() || *fate == Fate::Refused("already_received".to_owned(), None)
            };
            if fate.counts() && needed.is_some_and(|needed| !stands(needed)) {
                found.push(Sign::NeedsNot.at(format!("entry {seq}: command {}", envelope.n)));
            }
            fates.insert((device, envelope.n), fate);
            if !fate.counts() {
                let kind = catalogues
                    .get(&entry.head.catalogue)
                    .and_then(|catalogue| catalogue.kind(&envelope.kind));
                let name = envelope.action.as_deref().unwrap_or_default();
                let action = kind.and_then(|kind| kind.action(name));
                let superseded = *fate == Fate::NoEffect(no_effect::SUPERSEDED.to_owned());
                if superseded && action.is_some_and(|action| action.concurrent) {
                    found.push(Sign::ConcurrentHeldBack.at(format!("entry {seq}: {name}")));
                }
                continue;
            }
            if filed.contains(&envelope.record)
                && matches!(
                    envelope.verb,
                    Verb::Set | Verb::Edit | Verb::Insert | Verb::Remove
                )
                && !envelope.widens()
            {
                found.push(Sign::FiledEdited.at(format!("entry {seq}")));
            }
            let Some(action) = envelope
                .action
                .as_deref()
                .filter(|_| envelope.verb == Verb::Act)
            else {
                continue;
            };
            let kind = catalogues
                .get(&entry.head.catalogue)
                .and_then(|catalogue| catalogue.kind(&envelope.kind));
            let Some(action) = kind.and_then(|kind| kind.action(action)) else {
                continue;
            };
            if !action.concurrent {
                let logged =
                    sync_core::record::logged(entry).find(|logged| logged.place.n == envelope.n);
                let saw = logged.map_or(envelope.base, |logged| self.saw(&logged));
                if let Some((last, by)) = acted.get(&envelope.record)
                    && *last > saw
                    && *by != device
                {
                    found.push(Sign::UnseenAction.at(format!("entry {seq} had not seen {last}")));
                }
                acted.insert(envelope.record, (seq, device));
            }
            if action.name == "file" {
                filed.insert(envelope.record);
            }
        }
    }

    /// Registers hold what nobody who saw it replaced; texts hold what everybody typed.
    fn records(&self, found: &mut Vec<Violation>) {
        let records: BTreeSet<RecordId> = self.commands().map(|at| at.envelope.record).collect();
        let withheld = |record: &RecordId| self.sim.truth.lost.is_withheld(self.journal, *record);
        for record in records.into_iter().filter(|record| !withheld(record)) {
            let log = self.sim.log(self.journal, record, |_, _| true);
            let folded = self.sim.fold(self.journal, record, log.clone());
            let counted: Vec<&Logged> = log.iter().filter(|logged| logged.fate.counts()).collect();
            if counted
                .iter()
                .any(|logged| logged.command.envelope.verb == Verb::Erase)
            {
                Self::erased(record, &folded, &log, found);
                continue;
            }
            self.state(&folded, &counted, found);
            self.marks(&folded, &log, found);
            self.lists(&folded, &counted, found);
            for field in REGISTERS {
                self.register(&folded, &counted, field, found);
            }
            Self::texts(&folded, &counted, found);
        }
    }

    fn erased(record: RecordId, folded: &Record, log: &[Logged], found: &mut Vec<Violation>) {
        let left = |logged: &&Logged| {
            logged.command.content.is_some() && logged.command.envelope.verb != Verb::Erase
        };
        let at = log
            .iter()
            .position(|logged| logged.command.envelope.verb == Verb::Erase && logged.fate.counts());
        let before = log.get(..at.unwrap_or(0)).unwrap_or_default();
        if before.iter().any(|logged| left(&logged)) || !folded.fields.is_empty() {
            found.push(Sign::LeftOnServer.at(record.short()));
        }
    }

    fn register(
        &self,
        folded: &Record,
        counted: &[&Logged],
        field: &str,
        found: &mut Vec<Violation>,
    ) {
        let writers: Vec<(&Logged, &Value)> = (counted.iter())
            .filter_map(|logged| Some((*logged, logged.command.content.as_ref()?.value(field)?)))
            .collect();
        let held: Vec<&Value> = match folded.fields.get(field) {
            Some(Slot::Register(held)) => held.iter().map(|held| &held.value).collect(),
            _ => Vec::new(),
        };
        let distinct: BTreeSet<&Value> = held.iter().copied().collect();
        if distinct.len() < held.len() {
            found.push(Sign::EqualTwice.at(self.field(folded, field)));
        }
        for (logged, value) in &writers {
            let own = |other: &Logged| {
                other.place.device == logged.place.device && other.place.n > logged.place.n
            };
            let replaced = |saw: &dyn Fn(&Logged) -> Seq| {
                writers.iter().any(|(other, _)| {
                    own(other) || (other.place > logged.place && saw(other) >= logged.place.seq)
                })
            };
            let seen = replaced(&|other| self.saw(other));
            let by_base = replaced(&|other| other.command.envelope.base);
            if !seen && !distinct.contains(value) {
                found.push(Sign::Overwritten.at(self.field(folded, field)));
            }
            let equal = |(other, theirs): &(&Logged, &Value)| {
                theirs == value && other.place != logged.place
            };
            if by_base && distinct.contains(value) && !writers.iter().any(equal) {
                found.push(Sign::Replaced.at(self.field(folded, field)));
            }
        }
    }

    /// The state that the last action led to, by the catalogue that its entry names.
    fn state(&self, folded: &Record, counted: &[&Logged], found: &mut Vec<Violation>) {
        let catalogues = self.sim.server.host.catalogues();
        let mut state = None;
        for logged in counted {
            let envelope = &logged.command.envelope;
            let kind = catalogues
                .get(&logged.catalogue)
                .and_then(|catalogue| catalogue.kind(&envelope.kind));
            match envelope.verb {
                Verb::Create => state.clone_from(&envelope.action),
                Verb::Seal => state = Some(month::SEALED.to_owned()),
                Verb::Act => {
                    let name = envelope.action.as_deref().unwrap_or_default();
                    let to = kind.and_then(|kind| kind.action(name)?.to.clone());
                    state = to.or(state);
                }
                _ => {}
            }
        }
        if folded.state != state {
            found.push(Sign::OtherState.at(format!(
                "{}: {:?} instead of {state:?}",
                self.sim.record_name(folded.id),
                folded.state
            )));
        }
    }

    /// A mark is cleared if somebody who had seen it cleared its cause later.
    fn marks(&self, folded: &Record, log: &[Logged], found: &mut Vec<Violation>) {
        for logged in log {
            let Fate::Flagged(causes) = &logged.fate else {
                continue;
            };
            let standing: BTreeSet<&str> = causes
                .iter()
                .map(String::as_str)
                .filter(|cause| {
                    !log.iter().any(|clear| {
                        let envelope = &clear.command.envelope;
                        clear.fate.counts()
                            && envelope.verb == Verb::Clear
                            && envelope.action.as_deref() == Some(cause)
                            && clear.place > logged.place
                            && envelope.base >= logged.place.seq
                    })
                })
                .collect();
            let step = folded.step(&logged.place);
            let shown: BTreeSet<&str> = step.iter().flat_map(|step| step.flags()).collect();
            if shown != standing {
                found.push(Sign::ClearedUnseen.at(self.sim.record_name(folded.id)));
            }
        }
    }

    /// What was put into a list stands until somebody takes it out by its id. After a loss he may not have seen what
    /// comes again: then it stays.
    fn lists(&self, folded: &Record, counted: &[&Logged], found: &mut Vec<Violation>) {
        let removes = |logged: &Logged, item: &ItemId| {
            let content = logged.command.content.as_ref();
            content.is_some_and(|content| content.removed.contains(item))
        };
        let mut standing: BTreeSet<ItemId> = BTreeSet::new();
        for slot in folded.fields.values() {
            if let Slot::List(items) = slot {
                standing.extend(items.iter().map(|item| item.id));
            }
        }
        let inserts = counted
            .iter()
            .filter(|logged| logged.command.envelope.verb == Verb::Insert);
        for logged in inserts {
            let Some(content) = &logged.command.content else {
                continue;
            };
            for (field, value) in content.values.iter() {
                let Value::List(items) = value else { continue };
                for (k, _) in (0..).zip(items) {
                    let (device, n) = (logged.place.device, logged.place.n);
                    let item = ItemId::derive(device, self.journal, n, field, k);
                    let at = || self.field(folded, field);
                    let mut others = counted.iter();
                    let removed =
                        others.any(|other| removes(other, &item) && other.saw(&logged.place));
                    match (removed, standing.contains(&item)) {
                        (false, false) => found.push(Sign::ItemGone.at(at())),
                        (true, true) => found.push(Sign::ItemStays.at(at())),
                        (true, false) | (false, true) => {}
                    }
                }
            }
        }
    }

    fn texts(folded: &Record, counted: &[&Logged], found: &mut Vec<Violation>) {
        for logged in counted
            .iter()
            .filter(|logged| logged.command.envelope.verb == Verb::Edit)
        {
            let Some(content) = &logged.command.content else {
                continue;
            };
            let text = match logged
                .command
                .envelope
                .fields
                .first()
                .and_then(|field| folded.fields.get(field))
            {
                Some(Slot::Text(text)) => text.as_str(),
                _ => "",
            };
            let typed = content
                .splices
                .iter()
                .flat_map(|splice| splice.insert.chars());
            let missing = typed.filter(|typed| !text.contains(*typed)).count();
            if missing > 0 {
                found.push(Sign::TypedGone.at(format!("from {}", folded.id.short())));
            }
        }
    }
}
