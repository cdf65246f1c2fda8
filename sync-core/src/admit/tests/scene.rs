//! One village with its people, whose phones say exactly what a test wants them to say.

use crate::admit::{self, LaneEnd};
use crate::batch::{self, Parts, Position, Sealing, Seed, Unsealed};
use crate::command::{Audience, Content, Envelope, Link, Origin, Splice, Verb};
use crate::id::{AssignmentId, Date, DeviceId, Digest, ItemId, RecordId, Seq, Timestamp, UserId};
use crate::journal::Fate;
use crate::record::{self, Logged, Record, Slot};
use crate::sign::SigningKey;
use crate::sync::wire::{self, Outcome};
use crate::testing::{Host, Village};
use crate::value::{Fields, Value};

pub(super) const DAY_MS: i64 = 86_400_000;
/// Saturday 21 November 2026, noon in China.
pub(super) const NOON: Timestamp = Timestamp(1_795_233_600_000);

/// Somebody with a phone, by his place in [`Scene::hands`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who(pub(super) usize);

pub(super) const SECRETARY: Who = Who(0);
pub(super) const MEMBER: Who = Who(1);
pub(super) const COMMITTEE: Who = Who(2);
pub(super) const TOWNSHIP: Who = Who(3);
pub(super) const COUNTY: Who = Who(4);

/// A phone's key and the end of its lane.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) key: SigningKey,
    pub(super) user: UserId,
    pub(super) assignment: AssignmentId,
    pub(super) lane: LaneEnd,
}

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) host: Host,
    pub(super) village: Village,
    pub(super) now: Timestamp,
    pub(super) hands: Vec<Hand>,
    pub(super) catalogue: u32,
    seals: u8,
}

impl Scene {
    pub(super) fn new() -> Self {
        let mut host = Host::found(7, NOON);
        let village = host.add_village("半子沟村", NOON);
        let (township, county) = (host.township(), host.county());
        let mut scene = Self {
            host,
            village,
            now: NOON,
            hands: Vec::new(),
            catalogue: 1,
            seals: 0,
        };
        let people = [
            ("马第一", "FS", village.area),
            ("王队员", "TM", village.area),
            ("李主任", "VC", village.area),
            ("张乡长", "TW", township),
            ("赵督导", "CS", county),
        ];
        for (name, role, area) in people {
            let user = scene.host.add_user(name, NOON);
            let from = NOON.date().plus_days(-100);
            let assignment = scene.host.assign(user, role, area, from, None, NOON);
            scene.enrol(user, assignment);
        }
        scene
    }

    /// A phone for a person.
    pub(super) fn enrol(&mut self, user: UserId, assignment: AssignmentId) -> Who {
        let identity = self.host.enrol(user, self.now);
        let key = SigningKey::from_seed(identity.seed);
        let lane = LaneEnd::start(key.public().device(), self.village.journal);
        self.hands.push(Hand {
            key,
            user,
            assignment,
            lane,
        });
        Who(self.hands.len() - 1)
    }

    pub(super) fn hand(&self, who: Who) -> &Hand {
        &self.hands[who.0]
    }

    pub(super) fn device(&self, who: Who) -> DeviceId {
        self.hand(who).key.public().device()
    }

    pub(super) fn end(&self) -> Position {
        let journal = self.host.journal(self.village.journal).unwrap();
        journal.chain.end
    }

    pub(super) fn seq(&self) -> Seq {
        self.end().seq
    }

    /// The place of the last command that somebody sealed.
    pub(super) fn last(&self, who: Who) -> Origin {
        Origin {
            device: self.device(who),
            journal: self.village.journal,
            n: self.hand(who).lane.n,
        }
    }

    /// Seals commands as the next batch of a lane, and moves the lane on the phone.
    pub(super) fn seal(&mut self, who: Who, drafts: Vec<Draft>) -> Parts {
        let seen = self.end();
        self.seal_seeing(who, drafts, seen)
    }

    pub(super) fn seal_seeing(&mut self, who: Who, drafts: Vec<Draft>, seen: Position) -> Parts {
        let parts = self.sealed(who, drafts, seen);
        let batch = parts.batch.digest(self.host.deployment());
        self.hands[who.0].lane = LaneEnd {
            n: parts.batch.last(),
            batch,
        };
        parts
    }

    /// Seals commands without moving the lane.
    pub(super) fn sealed(&mut self, who: Who, drafts: Vec<Draft>, seen: Position) -> Parts {
        self.seals = self.seals.wrapping_add(1);
        let hand = &self.hands[who.0];
        let device = hand.key.public().device();
        let number = |(n, draft): (u64, Draft)| {
            draft.number(n, device, self.village.journal, seen.seq, self.now)
        };
        let commands = (hand.lane.n + 1..).zip(drafts).map(number).collect();
        let sealing = Sealing {
            deployment: self.host.deployment(),
            journal: self.village.journal,
            assignment: hand.assignment,
            catalogue: self.catalogue,
            previous: hand.lane.batch,
            seen,
            at: self.now,
            seed: Seed([self.seals; 16]),
            key: &hand.key,
        };
        batch::seal(&sealing, commands)
    }

    /// Submits. Where an entry comes of it, a phone that knew all that the server knows expected its fates.
    pub(super) fn submit(&mut self, parts: &Parts) -> Outcome {
        let (host, journal) = (&self.host, parts.batch.journal);
        let expected = host.journal(journal).map(|held| {
            let (registry, catalogues) = (host.registry(), host.catalogues());
            let circumstances = held.circumstances(registry, catalogues, &parts.batch, self.now);
            let received_at = self.now.max(held.chain.received_at);
            let (fates, _) = admit::judge(parts, received_at, &[], circumstances);
            (held.chain.end.seq + 1, fates)
        });
        let outcome = self.host.admit(&parts.to_wire(), self.now);
        let is_whole = parts.contents.iter().all(Option::is_some);
        let entry = self.host.entries(journal).last().filter(|_| is_whole);
        if let (Some((seq, expected)), Some(entry)) = (expected, entry)
            && entry.head.seq == seq
        {
            assert_eq!(entry.head.fates, expected);
        }
        outcome
    }

    /// Seals, submits, and says what became of each command.
    pub(super) fn say_all(&mut self, who: Who, drafts: Vec<Draft>) -> Vec<Fate> {
        let parts = self.seal(who, drafts);
        fates(&self.submit(&parts), parts.batch.envelopes.len())
    }

    pub(super) fn say(&mut self, who: Who, draft: Draft) -> Fate {
        self.say_all(who, vec![draft]).remove(0)
    }

    /// Says something that counts, and gives its record's id.
    #[track_caller]
    pub(super) fn make(&mut self, who: Who, draft: Draft) -> RecordId {
        assert_eq!(self.say(who, draft), Fate::Accepted);
        self.last(who).record()
    }

    pub(super) fn household(&mut self) -> RecordId {
        self.make(SECRETARY, household())
    }

    /// A task that the township issued to the secretary and the member.
    pub(super) fn task(&mut self) -> RecordId {
        let (first, second) = (self.hand(SECRETARY).user, self.hand(MEMBER).user);
        let task = create("task", "issued")
            .with("title", Value::text("修渠"))
            .link("assignees", RecordId(first.0))
            .link("assignees", RecordId(second.0));
        self.make(TOWNSHIP, task)
    }

    /// A visit that the secretary drafted.
    pub(super) fn visit(&mut self) -> RecordId {
        let household = self.household();
        let visit = visit(household);
        self.make(SECRETARY, visit)
    }

    pub(super) fn log(&self, record: RecordId) -> Vec<Logged> {
        let entries = self.host.entries(self.village.journal).iter();
        let all = entries.flat_map(record::logged);
        all.filter(|logged| {
            record::touches(&logged.command.envelope).any(|touched| touched == record)
        })
        .collect()
    }

    pub(super) fn fold(&self, record: RecordId) -> Record {
        record::fold(
            self.host.catalogues(),
            self.village.journal,
            record,
            &self.log(record),
        )
    }

    /// The values that stand in a register.
    pub(super) fn held(&self, record: RecordId, field: &str) -> Vec<Value> {
        match self.fold(record).fields.get(field) {
            Some(Slot::Register(held)) => held.iter().map(|held| held.value.clone()).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn text(&self, record: RecordId, field: &str) -> String {
        match self.fold(record).fields.get(field) {
            Some(Slot::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    pub(super) fn state(&self, record: RecordId) -> String {
        self.fold(record).state.unwrap_or_default()
    }

    pub(super) fn end_assignment(&mut self, who: Who, last: Date, for_cause: bool) {
        let assignment = self.hand(who).assignment;
        self.host
            .end_assignment(assignment, last, for_cause, self.now);
    }

    pub(super) fn pass_days(&mut self, days: i64) {
        self.now = self.now.plus_ms(days * DAY_MS);
    }
}

/// What an outcome says of each command; panics if the batch was not entered.
#[track_caller]
pub(super) fn fates(outcome: &Outcome, count: usize) -> Vec<Fate> {
    match outcome {
        Outcome::Entered { unusual, .. } => wire::fates(count, unusual),
        other => panic!("not entered: {other:?}"),
    }
}

pub(super) fn refused(code: &str) -> Fate {
    Fate::Refused(code.to_owned(), None)
}

pub(super) fn refused_for(code: &str, field: &str) -> Fate {
    Fate::Refused(code.to_owned(), Some(field.to_owned()))
}

pub(super) fn no_effect(code: &str) -> Fate {
    Fate::NoEffect(code.to_owned())
}

pub(super) fn flagged(codes: &[&str]) -> Fate {
    Fate::Flagged(codes.iter().map(|code| (*code).to_owned()).collect())
}

/// A command in the making: what is left open is what an honest phone would put.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) record: Option<RecordId>,
    kind: String,
    verb: Verb,
    pub(super) action: Option<String>,
    pub(super) base: Option<Seq>,
    pub(super) at: Option<Timestamp>,
    pub(super) needs: Option<u64>,
    pub(super) origin: Option<Origin>,
    pub(super) audience: Audience,
    pub(super) links: Vec<Link>,
    pub(super) content: Content,
    pub(super) named: Vec<String>,
}

pub(super) fn create(kind: &str, state: &str) -> Draft {
    Draft {
        record: None,
        kind: kind.to_owned(),
        verb: Verb::Create,
        action: Some(state.to_owned()),
        base: None,
        at: None,
        needs: None,
        origin: None,
        audience: Audience::Village,
        links: Vec::new(),
        content: Content::default(),
        named: Vec::new(),
    }
}

pub(super) fn household() -> Draft {
    create("household", "registered").with("householder", Value::text("张三"))
}

pub(super) fn visit(household: RecordId) -> Draft {
    create("visit", "draft").link("household", household)
}

pub(super) fn on(record: RecordId, kind: &str, verb: Verb) -> Draft {
    Draft {
        record: Some(record),
        verb,
        action: None,
        ..create(kind, "")
    }
}

/// New values of a household.
pub(super) fn set(record: RecordId) -> Draft {
    on(record, "household", Verb::Set)
}

pub(super) fn phone(record: RecordId, number: &str) -> Draft {
    set(record).with("phone", Value::text(number))
}

pub(super) fn act(record: RecordId, kind: &str, action: &str) -> Draft {
    let mut draft = on(record, kind, Verb::Act);
    draft.action = Some(action.to_owned());
    draft
}

/// A change of the household's remarks.
pub(super) fn edit(record: RecordId, at: u32, delete: u32, insert: &str) -> Draft {
    let mut draft = on(record, "household", Verb::Edit);
    draft.named.push("note".to_owned());
    let insert = insert.to_owned();
    draft.content.splices.push(Splice { at, delete, insert });
    draft
}

/// An item of a visit's checklist.
pub(super) fn item(text: &str) -> Value {
    let parts = [("item", Value::text(text)), ("done", Value::Bool(false))];
    Value::Struct(Fields::from_iter(parts))
}

pub(super) fn insert(visit: RecordId, items: &[&str]) -> Draft {
    let items = items.iter().map(|text| item(text)).collect();
    on(visit, "visit", Verb::Insert).with("checklist", Value::List(items))
}

pub(super) fn remove(visit: RecordId, items: &[ItemId]) -> Draft {
    let mut draft = on(visit, "visit", Verb::Remove);
    draft.named.push("checklist".to_owned());
    draft.content.removed = items.to_vec();
    draft
}

impl Draft {
    pub(super) fn with(mut self, field: &str, value: Value) -> Self {
        self.content.values.insert(field.to_owned(), value);
        self
    }

    pub(super) fn link(mut self, field: &str, target: RecordId) -> Self {
        let field = field.to_owned();
        self.links.push(Link {
            field,
            target,
            journal: None,
        });
        self
    }

    pub(super) fn because(mut self, reason: &str) -> Self {
        self.content.reason = Some(reason.to_owned());
        self
    }

    pub(super) fn base(mut self, base: Seq) -> Self {
        self.base = Some(base);
        self
    }

    pub(super) fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    pub(super) fn needs(mut self, needs: u64) -> Self {
        self.needs = Some(needs);
        self
    }

    pub(super) fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    pub(super) fn audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    pub(super) fn record(mut self, record: RecordId) -> Self {
        self.record = Some(record);
        self
    }

    fn number(
        self,
        n: u64,
        device: DeviceId,
        journal: crate::id::JournalId,
        end: Seq,
        now: Timestamp,
    ) -> Unsealed {
        let own = Origin { device, journal, n };
        let mut fields: Vec<String> = self.content.values.keys().cloned().collect();
        fields.extend(self.named);
        fields.sort();
        let mut links = self.links;
        links.sort();
        let envelope = Envelope {
            n,
            record: self
                .record
                .unwrap_or_else(|| self.origin.unwrap_or(own).record()),
            kind: self.kind,
            base: self.base.unwrap_or(end),
            at: self.at.unwrap_or(now),
            verb: self.verb,
            action: self.action,
            fields,
            links,
            audience: self.audience,
            digest: Digest([0; 32]),
            needs: self.needs,
            origin: self.origin,
        };
        Unsealed {
            envelope,
            content: self.content,
        }
    }
}
