//! One command after the other, in order, each by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::codes::{flag, no_effect, refused};
use super::{Circumstances, Index};
use super::{effect, size};
use crate::batch::{Batch, Parts};
use crate::catalog::{Capability, Catalogue, Profile};
use crate::command::{Content, Envelope, Origin, Verb};
use crate::id::{DeviceId, RecordId, Seq, Timestamp};
use crate::journal::Fate;
use crate::limits;
use crate::month::{self, Month};
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

/// Whether every content must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole<'a> {
    /// A batch that comes from its author: what has no content now would never have one.
    Yes,
    /// A batch as its reader has it, with the fates that were recorded, if any were: why a command was refused may stand in a content
    /// that is not here.
    AtHand(&'a [Fate]),
}

/// What earlier entries of the journal say of the commands, growing with each.
struct Past {
    received: BTreeMap<Seq, Timestamp>,
    fates_of: BTreeMap<u64, Fate>,
    taken: BTreeSet<Origin>,
    offered: BTreeMap<Origin, BTreeSet<DeviceId>>,
}

/// What is the same for every command of a batch.
pub(super) struct Bench<'a> {
    pub(super) registry: &'a Registry,
    pub(super) catalogue: Option<&'a Catalogue>,
    pub(super) batch: &'a Batch,
    pub(super) seq: Seq,
    pub(super) received_at: Timestamp,
    /// The records of the commands' months.
    months: BTreeMap<Month, RecordId>,
    /// Who acts, or why nobody can.
    author: Result<Author<'a>, &'static str>,
}

/// Who acts, and by which assignment.
struct Author<'a> {
    principal: Principal,
    assignment: &'a Assignment,
}

pub(super) fn judge(
    parts: &Parts,
    seq: Seq,
    received_at: Timestamp,
    whole: Whole<'_>,
    circumstances: Circumstances<'_>,
) -> (Vec<Fate>, Index, BTreeSet<Origin>) {
    let Circumstances {
        registry,
        catalogues,
        received,
        lane_fates,
        taken,
        offered,
        mut index,
        ..
    } = circumstances;
    let batch = &parts.batch;
    let bench = Bench {
        registry,
        catalogue: catalogues.get(&batch.catalogue),
        batch,
        seq,
        received_at,
        months: month::months_of(batch),
        author: author(registry, batch, received_at),
    };
    let mut past = Past {
        received,
        fates_of: lane_fates,
        taken,
        offered,
    };
    let mut delivered = BTreeSet::new();
    let mut fates = Vec::with_capacity(batch.envelopes.len());
    for (envelope, salted) in batch.envelopes.iter().zip(&parts.contents) {
        let content = salted.as_ref().map(|salted| &salted.content);
        let recorded = match whole {
            Whole::AtHand(recorded) => recorded.get(fates.len()),
            Whole::Yes => None,
        };
        let refused = recorded.filter(|fate| content.is_none() && fate.is_refused());
        let mut after = refused.map(|_| index.clone());
        let fate = if content.is_none() && whole == Whole::Yes {
            Refusal::from(refused::MALFORMED).into()
        } else {
            let index = after.as_mut().unwrap_or(&mut index);
            bench.fate(envelope, content, &past, index)
        };
        // What follows follows from what was decided when the content was there.
        let stands = refused.unwrap_or(&fate);
        if stands.counts() {
            let origins = [Some(batch.origin(envelope.n)), envelope.origin];
            past.taken.extend(origins.into_iter().flatten());
            delivered.extend(envelope.origin);
        }
        past.fates_of.insert(envelope.n, stands.clone());
        fates.push(fate);
    }
    (fates, index, delivered)
}

/// Who acts for a batch, as the registry has it: the same for all its commands.
fn author<'a>(
    registry: &'a Registry,
    batch: &Batch,
    received_at: Timestamp,
) -> Result<Author<'a>, &'static str> {
    let device = registry.devices.get(&batch.device);
    let device = device.ok_or(refused::NOT_ASSIGNED)?;
    match device.standing {
        Standing::Active => {}
        Standing::Suspended => return Err(refused::DEVICE_SUSPENDED),
        Standing::Revoked => return Err(refused::DEVICE_REVOKED),
    }
    let user = registry.users.get(&device.user);
    if !user.is_some_and(|user| user.active) {
        return Err(refused::ACCOUNT_CLOSED);
    }
    let assignment = registry.assignments.get(&batch.assignment);
    let assignment = assignment.filter(|assignment| assignment.user == device.user);
    let assignment = assignment.ok_or(refused::NOT_ASSIGNED)?;
    let area = registry.area_of(batch.journal, received_at.date());
    if !registry.is_within(area.ok_or(refused::NOT_ASSIGNED)?, assignment.area) {
        return Err(refused::NOT_ASSIGNED);
    }
    let principal = Principal {
        user: device.user,
        device: batch.device,
        assignment: batch.assignment,
        role: assignment.role.clone(),
        office: assignment.area,
    };
    Ok(Author {
        principal,
        assignment,
    })
}

impl Bench<'_> {
    fn fate(
        &self,
        envelope: &Envelope,
        content: Option<&Content>,
        past: &Past,
        index: &mut Index,
    ) -> Fate {
        let bounds = self.bounds(envelope, past);
        let (principal, mut flags) = match self.principal(envelope, bounds) {
            Ok(found) => found,
            Err(refusal) => return refusal.into(),
        };
        if let Err(refusal) = self
            .in_order(envelope, content, past)
            .and_then(|()| self.may_offer(envelope, principal, past))
        {
            return refusal.into();
        }
        match envelope.needs.map(|needed| past.fates_of.get(&needed)) {
            None | Some(Some(Fate::Accepted | Fate::Flagged(_))) => {}
            // It stands elsewhere: this lane only offered it again.
            Some(Some(Fate::Refused(code, _))) if code == refused::ALREADY_RECEIVED => {}
            Some(Some(Fate::NoEffect(_))) => return Fate::NoEffect(no_effect::NEEDS.to_owned()),
            Some(Some(Fate::Refused(..)) | None) => return Refusal::from(refused::NEEDS).into(),
        }
        let has_wrong_clock = bounds.clamp(envelope.at) != envelope.at;
        if has_wrong_clock {
            flags.push(flag::CLOCK.to_owned());
        }
        let on = super::index::day_of(envelope, has_wrong_clock, self.received_at);
        if self.comes_after_its_seal(envelope, index) {
            flags.push(flag::AFTER_SEAL.to_owned());
        }
        match effect::decide(self, principal, envelope, content, on, index) {
            Ok(()) if flags.is_empty() => Fate::Accepted,
            Ok(()) => {
                super::index::flag(index, envelope, &flags, principal.user, self.seq);
                Fate::Flagged(flags)
            }
            Err(effect::Verdict::NoEffect(code)) => Fate::NoEffect(code.to_owned()),
            Err(effect::Verdict::Refused(refusal)) => refusal.into(),
        }
    }

    /// Whether the month in which it says that it was recorded is closed where it stands. To close a month and to clear marks is
    /// no work of a month.
    fn comes_after_its_seal(&self, envelope: &Envelope, index: &Index) -> bool {
        let is_work = !matches!(envelope.verb, Verb::Seal | Verb::Clear);
        let month = Month::at(envelope.at).filter(|_| is_work);
        let record = month.and_then(|month| index.get(self.months.get(&month)?));
        record.is_some_and(|record| record.state.as_deref() == Some(month::SEALED))
    }

    /// Between what an honest clock would claim: not before the receipt of what its author was looking at, not after its own.
    fn bounds(&self, envelope: &Envelope, past: &Past) -> Bounds {
        let earliest = past
            .received
            .get(&envelope.base)
            .map_or(Timestamp(i64::MIN), |at| {
                at.plus_ms(-limits::CLOCK_TOLERANCE_MS)
            });
        Bounds {
            earliest,
            latest: self.received_at.plus_ms(limits::CLOCK_TOLERANCE_MS),
        }
    }

    /// Who acts, and whether the assignment still carries it.
    fn principal(
        &self,
        envelope: &Envelope,
        bounds: Bounds,
    ) -> Result<(&Principal, Vec<String>), Refusal> {
        let author = self.author.as_ref().map_err(|code| Refusal::from(*code))?;
        let flags = self.in_force(author.assignment, bounds.clamp(envelope.at))?;
        Ok((&author.principal, flags))
    }

    /// Whether the assignment carries what was written at the claimed time, as far as its bounds bear that out.
    fn in_force(
        &self,
        assignment: &Assignment,
        claimed: Timestamp,
    ) -> Result<Vec<String>, Refusal> {
        let today = self.received_at.date();
        if assignment.covers(today) {
            return Ok(Vec::new());
        }
        let Some(ended) = assignment.to.filter(|to| *to < today) else {
            return Err(refused::NOT_BEGUN.into());
        };
        if assignment.for_cause {
            return Err(refused::ENDED_FOR_CAUSE.into());
        }
        if !assignment.covers(claimed.date()) {
            return Err(refused::ENDED.into());
        }
        if today > ended.plus_days(limits::LATE_DAYS_MAX) {
            return Err(refused::TOO_OLD.into());
        }
        Ok(vec![flag::AFTER_END.to_owned()])
    }

    /// What is wrong with a command whoever wrote it.
    fn in_order(
        &self,
        envelope: &Envelope,
        content: Option<&Content>,
        past: &Past,
    ) -> Result<(), Refusal> {
        if self.catalogue.is_none() {
            return Err(refused::UNKNOWN_CATALOGUE.into());
        }
        if envelope.base > self.batch.seen.seq {
            return Err(refused::BASE_UNSEEN.into());
        }
        let own = self.batch.origin(envelope.n);
        if past.taken.contains(&own)
            || envelope
                .origin
                .is_some_and(|origin| past.taken.contains(&origin))
        {
            return Err(refused::ALREADY_RECEIVED.into());
        }
        if envelope.verb == Verb::Create
            && envelope.record != envelope.origin.unwrap_or(own).record()
        {
            return Err(refused::MALFORMED.into());
        }
        if envelope.verb == Verb::Seal
            && envelope
                .sealed_month()
                .map(|month| month.record(own.journal))
                != Some(envelope.record)
        {
            return Err(refused::MALFORMED.into());
        }
        if envelope
            .origin
            .is_some_and(|origin| origin.journal != own.journal || origin.n == 0)
        {
            return Err(refused::MALFORMED.into());
        }
        if envelope.needs.is_some_and(|needed| needed >= envelope.n) {
            return Err(refused::MALFORMED.into());
        }
        if size::is_too_large(envelope, content) {
            return Err(refused::LIMIT.into());
        }
        Ok(())
    }

    /// Whether this person may offer again what another lane could not deliver: what was his own, or what its author did offer
    /// here in vain, if he is one of those who may read it. Nobody takes a number that its owner has not used.
    fn may_offer(
        &self,
        envelope: &Envelope,
        principal: &Principal,
        past: &Past,
    ) -> Result<(), Refusal> {
        let Some(origin) = envelope.origin else {
            return Ok(());
        };
        let owner = |device: &DeviceId| self.registry.devices.get(device).map(|device| device.user);
        let author = owner(&origin.device);
        if author == Some(principal.user) {
            return Ok(());
        }
        let by_author = past.offered.get(&origin).is_some_and(|lanes| {
            lanes
                .iter()
                .any(|lane| author.is_some() && owner(lane) == author)
        });
        let role = self
            .catalogue
            .and_then(|catalogue| catalogue.role(&principal.role));
        let may_read = role.is_some_and(|role| role.can(Capability::ReadRefused));
        if by_author && may_read {
            Ok(())
        } else {
            Err(refused::NOT_ALLOWED.into())
        }
    }

    /// The numbers of days of the place where the journal is.
    pub(super) fn profile<'c>(&self, catalogue: &'c Catalogue) -> &'c Profile {
        let day = self.received_at.date();
        catalogue.profile_of(self.registry.code_of(self.batch.journal, day))
    }

    pub(super) fn place(&self, n: u64) -> Place {
        Place {
            seq: self.seq,
            n,
            device: self.batch.device,
        }
    }
}

/// When an honest clock may say that a command was written.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Bounds {
    fn clamp(self, at: Timestamp) -> Timestamp {
        at.max(self.earliest).min(self.latest)
    }
}

impl From<Refusal> for Fate {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.code.to_owned(), refusal.field)
    }
}
