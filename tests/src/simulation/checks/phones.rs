//! What must hold on every phone: it shows and keeps what the server has for its person, and nothing else.

use std::collections::BTreeMap;

use sync_core::admit;
use sync_core::catalog::{Capability, Role};
use sync_core::command::Verb;
use sync_core::id::{DeviceId, JournalId, RecordId, Seq, UserId};
use sync_core::record::{Logged, Mark, Record};
use sync_core::sync::device::{Kept, Key};
use sync_core::view::PENDING;

use super::super::village::Sim;
use super::super::violation::{Sign, Violation};

/// Every phone stands where the server stands, shows the same, keeps the same, and holds nothing that is not for it.
pub(super) fn phones(sim: &Sim, found: &mut Vec<Violation>) {
    let host = &sim.server.host;
    for (at, carried) in sim
        .phones
        .iter()
        .enumerate()
        .filter(|(at, carried)| !carried.misled && sim.is_within_reach(*at))
    {
        let device = &carried.phone.device;
        let person = &sim.people[carried.person];
        if !device.unsent().is_empty() {
            found.push(Sign::Jammed.at(format!("{}: {:?}", sim.name(at), device.unsent())));
        }
        let role = host
            .catalogues()
            .values()
            .next_back()
            .and_then(|catalogue| catalogue.role(person.role));
        if !person.moved {
            leaks(sim, at, person.user, role, found);
        }
        let loaded = carried.phone.loaded();
        for village in &sim.villages {
            let (journal, end) = (
                village.journal,
                host.journal(village.journal)
                    .map(|journal| journal.chain.end),
            );
            for record in device.records(journal) {
                // What was answered but not entered here is asked for again after a restart.
                let here = device.record(journal, record);
                let entered = here
                    .as_ref()
                    .is_some_and(|here| here.steps.iter().all(|step| step.place.seq != PENDING));
                if entered && loaded.record(journal, record) != here {
                    let differ = differ(loaded.record(journal, record).as_deref(), here.as_deref());
                    found.push(Sign::OtherWhenLoaded.at(format!(
                        "{} of {}: {differ}",
                        sim.record_name(record),
                        sim.name(at)
                    )));
                }
            }
            if device.position(journal) != end || person.moved {
                let pulls =
                    device.position(journal).is_some_and(|end| end.seq > 0) && !person.moved;
                if pulls {
                    let (here, there) = (
                        device.position(journal).map(|end| end.seq),
                        end.map(|end| end.seq),
                    );
                    found.push(Sign::Behind.at(format!(
                        "{} ({}) at {here:?}, the server at {there:?}",
                        sim.name(at),
                        person.role
                    )));
                }
                continue;
            }
            let all = matches!(person.role, "FS" | "TM");
            if carried.again && !all {
                continue;
            }
            let reads = |logged: &Logged, by: DeviceId| {
                by == device.id()
                    || role.is_some_and(|role| role.reads(logged.command.envelope.audience))
            };
            // What it does not know the catalogue of, it keeps and says so.
            if !device.missing_catalogues().is_empty() {
                unknown(sim, at, journal, found);
                continue;
            }
            let lost = &sim.truth.lost;
            let withheld = |record: &RecordId| {
                lost.is_withheld(journal, *record) || lost.lost_its_erasure(journal, *record)
            };
            let records = device.records(journal).into_iter();
            for record in records.filter(|record| !withheld(record)) {
                let here = device.record(journal, record);
                let there = sim.fold(journal, record, sim.log(journal, record, reads));
                if here.as_ref().is_none_or(|here| !same(here, &there)) {
                    let differ = differ(here.as_deref(), Some(&there));
                    found.push(Sign::OtherThanServer.at(format!(
                        "{} on the phone of {}: {differ}",
                        sim.record_name(record),
                        sim.name(at)
                    )));
                }
            }
        }
    }
}

/// Whether a phone says of each record that it knows no catalogue for it.
fn unknown(sim: &Sim, at: usize, journal: JournalId, found: &mut Vec<Violation>) {
    let device = &sim.phones[at].phone.device;
    for record in device.records(journal) {
        let log = sim.log(journal, record, |_, _| true);
        let known = |logged: &Logged| device.catalogues().contains_key(&logged.catalogue);
        let is_unknown = log
            .iter()
            .any(|logged| logged.fate.counts() && !known(logged));
        let folded = device.record(journal, record);
        if is_unknown && folded.is_some_and(|folded| !folded.marks.contains(&Mark::Unknown)) {
            found.push(Sign::UnknownUnsaid.at(sim.record_name(record)));
        }
    }
}

/// Which parts of two records differ.
pub(in super::super) fn differ(here: Option<&Record>, there: Option<&Record>) -> String {
    let (Some(here), Some(there)) = (here, there) else {
        return "one of them is not there".to_owned();
    };
    let fields = here
        .fields
        .keys()
        .chain(there.fields.keys())
        .filter(|field| here.fields.get(*field) != there.fields.get(*field));
    let mut parts: Vec<String> = fields.map(|field| format!("field {field}")).collect();
    let kinds = [
        ("kind", here.kind != there.kind),
        ("state", here.state != there.state),
        ("void", here.void != there.void),
        ("steps", here.steps != there.steps),
        ("marks", here.marks != there.marks),
        ("document", here.document != there.document),
    ];
    parts.extend(
        kinds
            .iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| (*name).to_owned()),
    );
    format!(
        "{} of a {}: {:?} {:?}",
        parts.join(", "),
        here.kind,
        here.steps.last(),
        there.steps.last()
    )
}

fn same(here: &Record, there: &Record) -> bool {
    here.kind == there.kind
        && here.state == there.state
        && here.audience == there.audience
        && here.void.is_some() == there.void.is_some()
        && here.fields == there.fields
        && here.steps.len() == there.steps.len()
}

/// Whether a phone's storage holds what its person may not read.
fn leaks(sim: &Sim, at: usize, user: UserId, role: Option<&Role>, found: &mut Vec<Violation>) {
    let host = &sim.server.host;
    let mut erased: BTreeMap<RecordId, Seq> = BTreeMap::new();
    for village in &sim.villages {
        for entry in host.entries(village.journal) {
            let counted = entry
                .parts
                .batch
                .envelopes
                .iter()
                .zip(&entry.head.fates)
                .filter(|(_, fate)| fate.counts());
            erased.extend(
                counted
                    .flat_map(|(envelope, _)| admit::erases(envelope))
                    .map(|record| (record, entry.head.seq)),
            );
        }
    }
    for (key, bytes) in &sim.phones[at].phone.storage.0 {
        let Key::Entry(..) = key else { continue };
        let kept = sync_core::cbor::decode::<Kept>(bytes).expect("a phone reads what it wrote");
        let entry = kept.open().expect("a phone opens what it kept");
        let author = host
            .registry()
            .devices
            .get(&entry.parts.batch.device)
            .map(|device| device.user);
        for ((envelope, salted), fate) in entry
            .parts
            .batch
            .envelopes
            .iter()
            .zip(&entry.parts.contents)
            .zip(&entry.head.fates)
        {
            if salted.is_none() {
                continue;
            }
            let gone = erased
                .get(&envelope.record)
                .is_some_and(|at| entry.head.seq < *at);
            if gone && envelope.verb != Verb::Erase {
                found.push(Sign::LeftOnPhone.at(sim.name(at)));
            }
            if author == Some(user) {
                continue;
            }
            let reads = role.is_some_and(|role| role.reads(envelope.audience));
            let reads_refused =
                !fate.is_refused() || role.is_some_and(|role| role.can(Capability::ReadRefused));
            if !reads || !reads_refused {
                found.push(Sign::Forbidden.at(format!("{} ({fate:?})", sim.name(at))));
            }
        }
    }
}
