//! One command after the other, in order, each by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::codes::{flag, no_effect, refused};
use super::effect;
use super::{Circumstances, Index};
use crate::batch::{Batch, Parts};
use crate::catalog::Catalogue;
use crate::command::{Content, Envelope, Origin, Verb};
use crate::id::{Seq, Timestamp};
use crate::journal::Fate;
use crate::limits;
use crate::principal::Principal;
use crate::record::Place;
use crate::registry::{Assignment, Registry, Standing};

/// A refusal on its way to becoming a fate.
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) field: Option<String>,
}

impl From<&'static str> for Refusal {
    fn from(code: &'static str) -> Self {
        Self { code, field: None }
    }
}

/// What is the same for every command of a batch.
pub(super) struct Bench<'a> {
    pub(super) registry: &'a Registry,
    pub(super) catalogue: Option<&'a Catalogue>,
    pub(super) batch: &'a Batch,
    pub(super) seq: Seq,
    pub(super) received_at: Timestamp,
}

pub(super) fn judge(parts: &Parts, seq: Seq, received_at: Timestamp, circumstances: Circumstances<'_>) -> (Vec<Fate>, Index, BTreeSet<Origin>) {
    let Circumstances { registry, catalogues, received, lane_fates: mut fates_of, mut taken, mut index, .. } = circumstances;
    let batch = &parts.batch;
    let bench = Bench { registry, catalogue: catalogues.get(&batch.catalogue), batch, seq, received_at };
    let mut delivered = BTreeSet::new();
    let mut fates = Vec::with_capacity(batch.envelopes.len());
    for (envelope, salted) in batch.envelopes.iter().zip(&parts.contents) {
        let content = salted.as_ref().map(|salted| &salted.content);
        let fate = bench.fate(envelope, content, &received, &fates_of, &taken, &mut index);
        if fate.counts() {
            let origins = [Some(batch.origin(envelope.n)), envelope.origin];
            taken.extend(origins.into_iter().flatten());
            delivered.extend(envelope.origin);
        }
        fates_of.insert(envelope.n, fate.clone());
        fates.push(fate);
    }
    (fates, index, delivered)
}

impl Bench<'_> {
    fn fate(
        &self,
        envelope: &Envelope,
        content: Option<&Content>,
        received: &BTreeMap<Seq, Timestamp>,
        fates_of: &BTreeMap<u64, Fate>,
        taken: &BTreeSet<Origin>,
        index: &mut Index,
    ) -> Fate {
        let (principal, mut flags) = match self.principal(envelope) {
            Ok(found) => found,
            Err(refusal) => return refusal.into(),
        };
        if let Err(refusal) = self.in_order(envelope, content, taken) {
            return refusal.into();
        }
        match envelope.needs.map(|needed| fates_of.get(&needed)) {
            None | Some(Some(Fate::Accepted | Fate::Flagged(_))) => {}
            Some(Some(Fate::NoEffect(_))) => return Fate::NoEffect(no_effect::NEEDS.to_owned()),
            Some(Some(Fate::Refused(..)) | None) => return Refusal::from(refused::NEEDS).into(),
        }
        let earliest = received.get(&envelope.base).map(|at| at.plus_ms(-limits::CLOCK_TOLERANCE_MS));
        let latest = self.received_at.plus_ms(limits::CLOCK_TOLERANCE_MS);
        if earliest.is_some_and(|earliest| envelope.at < earliest) || envelope.at > latest {
            flags.push(flag::CLOCK.to_owned());
        }
        match effect::decide(self, &principal, envelope, content, index) {
            Ok(()) if flags.is_empty() => Fate::Accepted,
            Ok(()) => Fate::Flagged(flags),
            Err(effect::Verdict::NoEffect(code)) => Fate::NoEffect(code.to_owned()),
            Err(effect::Verdict::Refused(refusal)) => refusal.into(),
        }
    }

    /// Who acts, and whether the assignment still carries it.
    fn principal(&self, envelope: &Envelope) -> Result<(Principal, Vec<String>), Refusal> {
        let device = self.registry.devices.get(&self.batch.device).ok_or(refused::NOT_ASSIGNED)?;
        match device.standing {
            Standing::Active => {}
            Standing::Suspended => return Err(refused::DEVICE_SUSPENDED.into()),
            Standing::Revoked => return Err(refused::DEVICE_REVOKED.into()),
        }
        if !self.registry.users.get(&device.user).is_some_and(|user| user.active) {
            return Err(refused::ACCOUNT_CLOSED.into());
        }
        let assignment = self.registry.assignments.get(&self.batch.assignment).filter(|assignment| assignment.user == device.user);
        let assignment = assignment.ok_or(refused::NOT_ASSIGNED)?;
        let today = self.received_at.date();
        let area = self.registry.area_of(self.batch.journal, today).ok_or(refused::NOT_ASSIGNED)?;
        if !self.registry.is_within(area, assignment.area) {
            return Err(refused::NOT_ASSIGNED.into());
        }
        let flags = self.in_force(assignment, envelope)?;
        let principal = Principal {
            user: device.user,
            device: self.batch.device,
            assignment: self.batch.assignment,
            role: assignment.role.clone(),
            office: assignment.area,
        };
        Ok((principal, flags))
    }

    fn in_force(&self, assignment: &Assignment, envelope: &Envelope) -> Result<Vec<String>, Refusal> {
        let today = self.received_at.date();
        if assignment.covers(today) {
            return Ok(Vec::new());
        }
        let Some(ended) = assignment.to.filter(|to| *to < today) else { return Err(refused::NOT_BEGUN.into()) };
        if assignment.for_cause {
            return Err(refused::ENDED_FOR_CAUSE.into());
        }
        if !assignment.covers(envelope.at.date()) {
            return Err(refused::ENDED.into());
        }
        if today > ended.plus_days(limits::LATE_DAYS_MAX) {
            return Err(refused::TOO_OLD.into());
        }
        Ok(vec![flag::AFTER_END.to_owned()])
    }

    /// What is wrong with a command whoever wrote it.
    fn in_order(&self, envelope: &Envelope, content: Option<&Content>, taken: &BTreeSet<Origin>) -> Result<(), Refusal> {
        if self.catalogue.is_none() {
            return Err(refused::UNKNOWN_CATALOGUE.into());
        }
        if envelope.base > self.batch.seen.seq {
            return Err(refused::BASE_UNSEEN.into());
        }
        let own = self.batch.origin(envelope.n);
        if taken.contains(&own) || envelope.origin.is_some_and(|origin| taken.contains(&origin)) {
            return Err(refused::ALREADY_RECEIVED.into());
        }
        if envelope.verb == Verb::Create && envelope.record != envelope.origin.unwrap_or(own).record() {
            return Err(refused::MALFORMED.into());
        }
        if envelope.needs.is_some_and(|needed| needed >= envelope.n) {
            return Err(refused::MALFORMED.into());
        }
        let bytes = crate::cbor::encode(envelope).len() + content.map_or(0, |content| content.to_cbor().len());
        if bytes > limits::COMMAND_BYTES_MAX {
            return Err(refused::LIMIT.into());
        }
        Ok(())
    }

    pub(super) fn place(&self, n: u64) -> Place {
        Place { seq: self.seq, n, device: self.batch.device }
    }
}

impl From<Refusal> for Fate {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.code.to_owned(), refusal.field)
    }
}
