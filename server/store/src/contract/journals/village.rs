//! Two villages, and phones whose commands are admitted into a unit as a server admits them.

use std::collections::BTreeMap;

use sync_core::admit::{self, Catalogues, Circumstances, LaneEnd, Verified, Wanted};
use sync_core::area::Level;
use sync_core::batch::{self, Sealing, Seed, Unsealed};
use sync_core::catalog::Catalogue;
use sync_core::command::{Audience, Content, Envelope, Link, Origin, Verb};
use sync_core::id::{
    AreaId, AssignmentId, DeploymentId, DeviceId, Digest, JournalId, RecordId, Timestamp, UserId,
};
use sync_core::journal::Chain;
use sync_core::registry::{self, AccessAct, Purpose, Registry, RegistryAct};
use sync_core::sign::SigningKey;
use sync_core::value::Value;

use crate::Unit;
use crate::journals::{Appended, Asked};

pub(super) const NOW: Timestamp = Timestamp(1_795_000_000_000);
pub(super) const HERE: JournalId = JournalId([1; 16]);
pub(super) const THERE: JournalId = JournalId([2; 16]);
const DEPLOYMENT: DeploymentId = DeploymentId([7; 16]);
const AREA: AreaId = AreaId([3; 16]);

/// The registry that knows both villages and the phones' people, first secretaries all.
pub(super) struct Village {
    registry: Registry,
    pub(super) catalogues: Catalogues,
    operator: SigningKey,
}

/// The phone of person 1 or 2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phone(pub(super) u8);

impl Phone {
    pub(super) fn device(self) -> DeviceId {
        self.key().public().device()
    }

    fn key(self) -> SigningKey {
        SigningKey::from_seed([self.0; 32])
    }

    const fn assignment(self) -> AssignmentId {
        AssignmentId([self.0; 16])
    }
}

/// A command in the making.
pub(super) struct Draft {
    envelope: Envelope,
    content: Content,
}

fn draft(kind: &str, verb: Verb, record: Option<RecordId>) -> Draft {
    let envelope = Envelope {
        n: 0,
        record: record.unwrap_or(RecordId([0; 16])),
        kind: kind.to_owned(),
        base: 0,
        at: NOW,
        verb,
        action: None,
        fields: Vec::new(),
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    Draft {
        envelope,
        content: Content::default(),
    }
}

/// A new household.
pub(super) fn household(name: &str) -> Draft {
    let mut draft = draft("household", Verb::Create, None).with("householder", Value::text(name));
    draft.envelope.action = Some("registered".to_owned());
    draft
}

/// A new household without the name that it must have.
pub(super) fn nameless() -> Draft {
    let mut draft = household("");
    draft.envelope.fields.clear();
    draft.content = Content::default();
    draft
}

/// A new visit to a household.
pub(super) fn visit(household: RecordId) -> Draft {
    let mut draft = draft("visit", Verb::Create, None);
    draft.envelope.action = Some("draft".to_owned());
    draft.envelope.links.push(Link {
        field: "household".to_owned(),
        target: household,
        journal: None,
    });
    draft
}

/// A command on a household.
pub(super) fn on(household: RecordId, verb: Verb) -> Draft {
    draft("household", verb, Some(household))
}

impl Draft {
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.envelope.fields.push(field.to_owned());
        self.content.values.insert(field.to_owned(), value);
        self
    }

    pub(super) fn moving_out(mut self) -> Self {
        self.envelope.action = Some("move_out".to_owned());
        self.content.reason = Some("搬到县城".to_owned());
        self
    }

    pub(super) fn audience(mut self, audience: Audience) -> Self {
        self.envelope.audience = audience;
        self
    }

    pub(super) fn origin(mut self, origin: Origin) -> Self {
        self.envelope.origin = Some(origin);
        self
    }

    /// Written after this position was seen.
    pub(super) fn base(mut self, base: u64) -> Self {
        self.envelope.base = base;
        self
    }

    /// By a clock that is wrong by a day.
    pub(super) fn a_day_early(mut self) -> Self {
        self.envelope.at = NOW.plus_ms(86_400_000);
        self
    }
}

impl Village {
    pub(super) fn new() -> Self {
        let from = NOW.date().plus_days(-100);
        let catalogue = Catalogue::builtin();
        let mut registry = Registry::empty(DEPLOYMENT);
        registry.apply(RegistryAct::PublishCatalogue {
            version: catalogue.version(),
            digest: catalogue.digest(),
            from,
        });
        registry.apply(RegistryAct::SetArea {
            area: AREA,
            level: Level::Village,
            parent: None,
            code: "640422100201".parse().expect("a code"),
            name: "半子沟村".to_owned(),
            from,
            to: None,
        });
        for journal in [HERE, THERE] {
            registry.apply(RegistryAct::SetJournal {
                journal,
                purpose: Purpose::Village,
                area: AREA,
                from,
            });
        }
        let mut village = Self {
            registry,
            catalogues: BTreeMap::from([(catalogue.version(), catalogue)]),
            operator: SigningKey::from_seed([100; 32]),
        };
        for number in [1, 2] {
            village.add_person(number);
        }
        village
    }

    fn add_person(&mut self, number: u8) {
        let user = UserId([number; 16]);
        let phone = Phone(number);
        self.registry.apply(RegistryAct::SetUser {
            user,
            name: "马第一".to_owned(),
            active: true,
        });
        self.registry.apply(RegistryAct::Assign {
            assignment: phone.assignment(),
            user,
            role: "FS".to_owned(),
            area: AREA,
            from: NOW.date().plus_days(-100),
            to: None,
            sent_by: None,
        });
        self.registry.apply(RegistryAct::Enrol {
            key: phone.key().public(),
            user,
            label: "手机".to_owned(),
        });
    }

    /// Seals commands as the next batch of a phone's lane, judges them by what the unit holds, and appends what was decided.
    pub(super) async fn say(
        &self,
        unit: &mut dyn Unit,
        journal: JournalId,
        phone: Phone,
        drafts: Vec<Draft>,
    ) -> Appended {
        let device = phone.device();
        let chain = chain(unit, journal).await;
        let lane = unit.lane(journal, device).await.expect("a lane");
        let lane = lane.unwrap_or_else(|| LaneEnd::start(device, journal));
        let sealing = Sealing {
            deployment: DEPLOYMENT,
            journal,
            assignment: phone.assignment(),
            catalogue: self.catalogues.keys().next().copied().expect("a version"),
            previous: lane.batch,
            seen: chain.end,
            at: NOW,
            seed: Seed([3; 16]),
            key: &phone.key(),
        };
        let numbered = (lane.n + 1..).zip(drafts).map(|(n, draft)| {
            let mut envelope = draft.envelope;
            envelope.n = n;
            if envelope.verb == Verb::Create {
                let own = Origin { device, journal, n };
                envelope.record = envelope.origin.unwrap_or(own).record();
            }
            Unsealed {
                envelope,
                content: draft.content,
            }
        });
        let parts = batch::seal(&sealing, numbered.collect());
        let verified = Verified::check(&self.registry, parts.clone()).expect("a known phone");
        let decided = admit::admit(
            &verified,
            self.circumstances(unit, &parts.batch, chain, lane).await,
        );
        let decided = decided.expect("the next of its lane");
        let appended = Appended::judged(decided, &parts.batch, parts.to_wire());
        unit.append(std::slice::from_ref(&appended))
            .await
            .expect("appended");
        appended
    }

    async fn circumstances(
        &self,
        unit: &mut dyn Unit,
        batch: &batch::Batch,
        chain: Chain,
        lane: LaneEnd,
    ) -> Circumstances<'_> {
        let (journal, wanted) = (batch.journal, Wanted::by(batch));
        let heads = unit.heads(journal, &wanted.bases).await.expect("heads");
        let asked = Asked {
            origins: wanted.origins,
            ..Asked::default()
        };
        let offers = unit.known(&asked).await.expect("offers").offers;
        let mut offered: BTreeMap<_, std::collections::BTreeSet<_>> = BTreeMap::new();
        for (origin, device, _) in &offers {
            offered.entry(*origin).or_default().insert(*device);
        }
        let taken = offers.iter().filter(|(.., counts)| *counts);
        Circumstances {
            registry: &self.registry,
            catalogues: &self.catalogues,
            chain,
            lane,
            head_at_seen: Some(chain.end.head),
            received: heads.into_iter().map(|(seq, (_, at))| (seq, at)).collect(),
            lane_fates: unit
                .fates(journal, batch.device, &wanted.lane)
                .await
                .expect("fates"),
            taken: taken.map(|(origin, ..)| *origin).collect(),
            offered,
            index: unit
                .index(journal, &wanted.records)
                .await
                .expect("an index"),
            now: NOW,
        }
    }

    /// Appends an operator's entry of so many acts.
    pub(super) async fn operators(
        &self,
        unit: &mut dyn Unit,
        journal: JournalId,
        acts: usize,
    ) -> Appended {
        let chain = chain(unit, journal).await;
        let device = self.operator.public().device();
        let lane = unit.lane(journal, device).await.expect("a lane");
        let lane = lane.unwrap_or_else(|| LaneEnd::start(device, journal));
        let sealing = Sealing {
            deployment: DEPLOYMENT,
            journal,
            assignment: AssignmentId([0; 16]),
            catalogue: 0,
            previous: lane.batch,
            seen: chain.end,
            at: NOW,
            seed: Seed([3; 16]),
            key: &self.operator,
        };
        let user = UserId([1; 16]);
        let act = AccessAct::SignIn { user };
        let command = |n| registry::to_command(DEPLOYMENT, &act, None, n, chain.end.seq, NOW);
        let commands = (lane.n + 1..).take(acts).map(command).collect();
        let parts = batch::seal(&sealing, commands);
        let entered = admit::enter(&parts, &chain, self.registry.position(), DEPLOYMENT, NOW);
        let appended = Appended::operators(entered, &parts.batch, parts.to_wire());
        unit.append(std::slice::from_ref(&appended))
            .await
            .expect("appended");
        appended
    }
}

async fn chain(unit: &mut dyn Unit, journal: JournalId) -> Chain {
    let chain = unit.chain(journal).await.expect("a chain");
    chain.unwrap_or_else(|| Chain::start(journal))
}
