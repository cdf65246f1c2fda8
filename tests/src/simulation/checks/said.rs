//! What was said stands, and counts once.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::admit;
use sync_core::command::Origin;
use sync_core::id::{RecordId, Timestamp, UserId};

use super::super::ledger::{Said, mentions};
use super::super::village::Sim;
use super::super::violation::{Sign, Violation};

/// Saved means saved, and once: every marker stands in a journal, and counts at most once.
pub(super) fn said(sim: &Sim, found: &mut Vec<Violation>) {
    let all = || {
        sim.villages
            .iter()
            .flat_map(|village| sim.server.host.entries(village.journal))
    };
    let markers = sim.ledger.markers();
    let mut stands: BTreeMap<&str, u32> = BTreeMap::new();
    let mut occurs: BTreeMap<&str, usize> = BTreeMap::new();
    let erased: BTreeSet<RecordId> = (all())
        .flat_map(|entry| entry.parts.batch.envelopes.iter().zip(&entry.head.fates))
        .filter(|(_, fate)| fate.counts())
        .flat_map(|(envelope, _)| admit::erases(envelope))
        .collect();
    // Only what was erased may be missing.
    let mut blank: BTreeSet<Origin> = sim.truth.lost.places.clone();
    // What a copied phone said under a number that its twin used for something else loses its place, but not its time.
    let mut blank_at: BTreeSet<(Option<UserId>, Timestamp)> = BTreeSet::new();
    // Where a journal went on further back, numbers may have become others'.
    let mut fated_at: BTreeSet<(Option<UserId>, Timestamp)> = BTreeSet::new();
    for entry in all() {
        let batch = &entry.parts.batch;
        let device = sim.server.host.registry().devices.get(&batch.device);
        let user = device.map(|device| device.user);
        for ((envelope, salted), fate) in batch
            .envelopes
            .iter()
            .zip(&entry.parts.contents)
            .zip(&entry.head.fates)
        {
            fated_at.insert((user, envelope.at));
            match salted {
                Some(salted) => {
                    for marker in markers
                        .keys()
                        .filter(|marker| mentions(&salted.content, marker))
                    {
                        *stands.entry(marker).or_insert(0) += u32::from(fate.counts());
                        *occurs.entry(*marker).or_insert(0) += 1;
                    }
                }
                None if erased.contains(&envelope.record) => {
                    blank.insert(batch.origin(envelope.n));
                    blank.extend(envelope.origin);
                    blank_at.insert((user, envelope.at));
                }
                None => {}
            }
        }
    }
    let fated: BTreeSet<Origin> = all()
        .flat_map(|entry| {
            let batch = &entry.parts.batch;
            let places = batch
                .envelopes
                .iter()
                .map(|envelope| [Some(batch.origin(envelope.n)), envelope.origin]);
            places.flatten().flatten().collect::<Vec<_>>()
        })
        .collect();
    // What is offered again from another lane may stand under a place apart: it is found by its words, once more than before.
    let is_again = |said: &Said| {
        let words = said
            .marker
            .as_deref()
            .and_then(|marker| markers.get_key_value(marker));
        said.root.is_some_and(|root| blank.contains(&root))
            || said.root.is_some()
                && words.is_some_and(|(marker, (_, places))| {
                    occurs
                        .get(marker)
                        .is_some_and(|times| *times >= places.len())
                })
    };
    for (place, said) in sim.ledger.places() {
        let carried = &sim.phones[said.phone];
        let user = sim.people[carried.person].user;
        let again = sim.truth.lost.went_back(place.journal)
            && (fated_at.contains(&(Some(user), said.at)) || sim.truth.lost.places.contains(place));
        let is_fated = fated.contains(place) || is_again(said) || again;
        if !carried.copied && !carried.misled && !is_fated {
            found.push(Sign::NoFate.at(format!(
                "command {}, saved by {}",
                place.n,
                sim.name(said.phone)
            )));
        }
    }
    for (marker, (said, places)) in &markers {
        let carried = &sim.phones[said.phone];
        let user = sim.people[carried.person].user;
        let is_blank = !places.is_disjoint(&blank)
            || (carried.copied && blank_at.contains(&(Some(user), said.at)));
        if !stands.contains_key(marker) && !is_blank && !carried.misled {
            found.push(Sign::Lost.at(format!("“{marker}”, saved by {}", sim.name(said.phone))));
        }
    }
    for (marker, count) in stands.iter().filter(|(_, count)| **count > 1) {
        let stands = all().flat_map(|entry| {
            let batch = &entry.parts.batch;
            let rows = batch
                .envelopes
                .iter()
                .zip(&entry.parts.contents)
                .zip(&entry.head.fates);
            rows.filter(|((_, salted), _)| {
                salted
                    .as_ref()
                    .is_some_and(|salted| mentions(&salted.content, marker))
            })
            .map(|((envelope, _), fate)| {
                format!(
                    "{} {}/{} {:?} {:?}",
                    entry.head.seq,
                    batch.device.short(),
                    envelope.n,
                    envelope
                        .origin
                        .map(|origin| (origin.device.short(), origin.n)),
                    fate
                )
            })
        });
        found.push(Sign::CountsTwice.at(format!(
            "“{marker}” counts {count} times: {:?}",
            stands.collect::<Vec<_>>()
        )));
    }
}
