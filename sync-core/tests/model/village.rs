//! A village whose people draw what they do by chance; admission itself says what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use sync_core::admit::{self, Catalogues, Circumstances, Index, LaneEnd};
use sync_core::batch::{Batch, Parts, Position, Salted};
use sync_core::catalog::Catalogue;
use sync_core::command::{Audience, Command, Content, Envelope, Link, Origin, Salt, Splice, Verb};
use sync_core::id::{
    AssignmentId, DeviceId, Digest, ItemId, JournalId, RecordId, Seq, Timestamp, UserId,
};
use sync_core::journal::{Chain, Fate};
use sync_core::record::{self, Logged, Place, Slot};
use sync_core::registry::Registry;
use sync_core::sign::{Signature, SigningKey};
use sync_core::testing::Host;
use sync_core::value::{Fields, Value};

use crate::reference::{self, Texts};

/// Saturday 21 November 2026, noon in China.
const NOON: Timestamp = Timestamp(1_795_233_600_000);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

struct Hand {
    device: DeviceId,
    user: UserId,
    assignment: AssignmentId,
    role: &'static str,
}

/// The people of a village; the first two phones are one person's.
pub(crate) struct People {
    registry: Registry,
    pub(crate) catalogues: Catalogues,
    pub(crate) journal: JournalId,
    hands: Vec<Hand>,
}

pub(crate) static PEOPLE: LazyLock<People> = LazyLock::new(|| {
    let mut host = Host::found(3, NOON);
    let village = host.add_village("半子沟村", NOON);
    let (township, county) = (host.township(), host.county());
    let mut hands = Vec::new();
    for (name, role, area, phones) in [
        ("马第一", "FS", village.area, 2),
        ("王队员", "TM", village.area, 1),
        ("李主任", "VC", village.area, 1),
        ("张乡长", "TW", township, 1),
        ("赵督导", "CS", county, 1),
    ] {
        let user = host.add_user(name, NOON);
        let from = NOON.date().plus_days(-100);
        let assignment = host.assign(user, role, area, from, None, NOON);
        for _ in 0..phones {
            let identity = host.enrol(user, NOON);
            let device = SigningKey::from_seed(identity.seed).public().device();
            hands.push(Hand {
                device,
                user,
                assignment,
                role,
            });
        }
    }
    People {
        registry: host.registry().clone(),
        catalogues: host.catalogues().clone(),
        journal: village.journal,
        hands,
    }
});

impl People {
    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogues[&1]
    }
}

/// What somebody is looking at.
#[derive(Debug, Clone)]
enum Look {
    /// All there is.
    Now,
    /// What was there so many entries ago.
    Behind(u64),
    /// What he was looking at when he last wrote: a form that stayed open.
    Held,
}

/// What somebody does; numbers choose among what there is.
#[derive(Debug, Clone)]
enum Does {
    Create(u8),
    Set(u8, u8),
    Refer(u8),
    Edit(u8, u8, u8),
    Insert(u8),
    Remove(u8, u8),
    Act(u8),
    Amend(u8),
    Void,
    Erase(bool),
    Reveal(u8),
    Widen,
    Clear(u8),
    Seal,
}

#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    who: u8,
    which: u8,
    /// Whether whoever may do it most likely does it instead: the record's author, or the county.
    meant: bool,
    look: Look,
    joins: bool,
    late: bool,
    does: Does,
}

fn does() -> impl Strategy<Value = Does> {
    let byte = any::<u8>;
    prop_oneof![
        1 => byte().prop_map(Does::Create),
        8 => (byte(), 0..3_u8).prop_map(|(field, value)| Does::Set(field, value)),
        1 => byte().prop_map(Does::Refer),
        8 => (byte(), 0..4_u8, 0..4_u8).prop_map(|(at, delete, len)| Does::Edit(at, delete, len)),
        4 => (1..3_u8).prop_map(Does::Insert),
        3 => (byte(), byte()).prop_map(|(one, other)| Does::Remove(one, other)),
        6 => byte().prop_map(Does::Act),
        4 => (0..6_u8).prop_map(Does::Amend),
        1 => Just(Does::Void),
        1 => any::<bool>().prop_map(Does::Erase),
        1 => byte().prop_map(Does::Reveal),
        1 => Just(Does::Widen),
        3 => (0..3_u8).prop_map(Does::Clear),
        1 => Just(Does::Seal),
    ]
}

pub(crate) fn day() -> impl Strategy<Value = Vec<Drawn>> {
    let look = prop_oneof![
        3 => Just(Look::Now),
        3 => (0..6_u64).prop_map(Look::Behind),
        1 => Just(Look::Held),
    ];
    let whose = (0..6_u8, any::<u8>(), any::<bool>());
    let drawn = (whose, look, any::<bool>(), 0..6_u8, does(), 0..4_u8);
    // Most of a day is about one record, so that people meet there.
    let day = (0..3_u8, prop::collection::vec(drawn, 4..22));
    day.prop_map(|(focus, day)| {
        let drawn = day.into_iter();
        let drawn = drawn.map(
            |((who, which, meant), look, joins, late, does, strays)| Drawn {
                who,
                which: if strays == 0 { which } else { focus },
                meant,
                look,
                joins,
                late: late == 0,
                does,
            },
        );
        drawn.collect()
    })
}

/// What was written, in the order of the journal.
#[derive(Default)]
pub(crate) struct Village {
    pub(crate) log: Vec<Logged>,
    pub(crate) records: Vec<(RecordId, &'static str)>,
    /// Whose phone made each.
    authors: Vec<usize>,
    /// What everyone saw and left in texts, by command.
    pub(crate) texts: BTreeMap<String, Texts>,
    pub(crate) index: Index,
    lanes: BTreeMap<DeviceId, u64>,
    held: BTreeMap<(DeviceId, RecordId), Seq>,
    items: Vec<ItemId>,
    taken: BTreeSet<Origin>,
    received: BTreeMap<Seq, Timestamp>,
    typed: u32,
    open: Option<Open>,
}

/// A batch that is being written.
struct Open {
    who: usize,
    before: Index,
    commands: Vec<(Envelope, Content)>,
}

const KINDS: [&str; 3] = ["household", "visit", "task"];

fn states(kind: &str, role: &str) -> &'static str {
    match (kind, role) {
        ("household", _) => "registered",
        ("visit", _) => "draft",
        (_, "FS" | "TM") => "in_progress",
        _ => "issued",
    }
}

impl Village {
    /// A household, a visit to it and a task, and then what was drawn.
    pub(crate) fn of(day: &[Drawn]) -> Self {
        let mut village = Self::default();
        for (who, kind) in [(0, 0), (2, 1), (4, 2)] {
            village.does(&Drawn {
                who,
                which: 0,
                meant: false,
                look: Look::Now,
                joins: false,
                late: false,
                does: Does::Create(kind),
            });
        }
        for drawn in day {
            village.does(drawn);
        }
        village.log.sort_by_key(|logged| logged.place);
        village
    }

    fn end(&self) -> Seq {
        self.log.last().map_or(0, |logged| logged.place.seq)
    }

    fn does(&mut self, drawn: &Drawn) {
        let who = self.who(drawn);
        let hand = &PEOPLE.hands[who];
        let joins = drawn.joins && self.open.as_ref().is_some_and(|open| open.who == who);
        if !joins {
            self.open = None;
        }
        // An open batch is the last entry; what it has seen ends before it.
        let end = self.end() - Seq::from(self.open.is_some());
        let (record, kind) = if self.records.is_empty() {
            (RecordId([0; 16]), KINDS[0])
        } else {
            self.records[usize::from(drawn.which) % self.records.len()]
        };
        let held = self.held.get(&(hand.device, record)).copied();
        let base = match drawn.look {
            Look::Now => end,
            Look::Behind(entries) => end.saturating_sub(entries),
            Look::Held => held.unwrap_or(end),
        };
        // Nobody looks at what is not there yet.
        let created = self.index.get(&record).map_or(0, |entry| entry.created.seq);
        let base = base.max(created.min(end));
        self.held.insert((hand.device, record), base);
        let n = self.lanes.get(&hand.device).copied().unwrap_or(0) + 1;
        let mut envelope = Envelope {
            n,
            record,
            kind: kind.to_owned(),
            base,
            at: Self::clock(end, drawn.late),
            verb: Verb::Set,
            action: None,
            fields: Vec::new(),
            links: Vec::new(),
            audience: self.audience_of(record),
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        };
        let mut content = Content::default();
        let text = self.fill(drawn, hand, &mut envelope, &mut content);
        self.lanes.insert(hand.device, n);
        self.enter(who, envelope, content, end);
        if let (Some((field, before, after)), Some(logged)) = (text, self.log.last()) {
            let texts = self.texts.entry(field).or_default();
            texts.insert(logged.place, (before, after));
        }
    }

    fn who(&self, drawn: &Drawn) -> usize {
        const COUNTY: usize = 5;
        let count = self.records.len().max(1);
        let author = self.authors.get(usize::from(drawn.which) % count);
        match drawn.does {
            Does::Erase(_) | Does::Clear(_) if drawn.meant => Some(COUNTY),
            Does::Act(_) | Does::Amend(_) | Does::Void if drawn.meant => author.copied(),
            _ => None,
        }
        .unwrap_or(usize::from(drawn.who))
    }

    /// A phone's clock: some are a month behind.
    fn clock(end: Seq, late: bool) -> Timestamp {
        let now = NOON.plus_ms(i64::try_from(end + 1).unwrap_or(0) * MINUTE_MS);
        if late { now.plus_ms(-30 * DAY_MS) } else { now }
    }

    fn audience_of(&self, record: RecordId) -> Audience {
        let entry = self.index.get(&record);
        entry.map_or(Audience::Village, |entry| entry.audience)
    }

    /// Fills in what is done, and tells what its author saw and left in a text.
    fn fill(
        &mut self,
        drawn: &Drawn,
        hand: &Hand,
        envelope: &mut Envelope,
        content: &mut Content,
    ) -> Option<(String, String, String)> {
        let kind = envelope.kind.clone();
        let journal = PEOPLE.journal;
        let write = |envelope: &mut Envelope, content: &mut Content, field: &str, value| {
            envelope.fields = vec![field.to_owned()];
            content.values.insert(field.to_owned(), value);
            let kind = PEOPLE.catalogue().kind(&envelope.kind);
            if let Some(field) = kind.and_then(|kind| kind.field(field))
                && let Some(kind) = kind
            {
                envelope.audience = kind.audience_of(field, envelope.audience);
            }
        };
        let reason = |content: &mut Content| content.reason = Some("另有情况".to_owned());
        let note = if kind == "task" { "log" } else { "note" };
        match drawn.does {
            Does::Create(which) => {
                let kind = KINDS[usize::from(which) % KINDS.len()];
                envelope.verb = Verb::Create;
                kind.clone_into(&mut envelope.kind);
                envelope.record = RecordId::derive(hand.device, journal, envelope.n);
                envelope.action = Some(states(kind, hand.role).to_owned());
                envelope.audience = match kind {
                    "visit" if which & 8 != 0 => Audience::Team,
                    "task" if which & 8 != 0 => Audience::County,
                    _ => Audience::Village,
                };
                self.records.push((envelope.record, kind));
                let hands = PEOPLE.hands.iter();
                let author = hands.take_while(|other| other.device != hand.device);
                self.authors.push(author.count());
                match kind {
                    "household" => write(envelope, content, "householder", Value::text("张三")),
                    "task" => write(envelope, content, "title", Value::text("修渠")),
                    _ => {}
                }
                let link = |field: &str, target| Link {
                    field: field.to_owned(),
                    target,
                    journal: None,
                };
                if kind == "task" {
                    let mut users = [0, 2].map(|who: usize| RecordId(PEOPLE.hands[who].user.0));
                    users.sort();
                    envelope.links = users.map(|user| link("assignees", user)).to_vec();
                } else if kind == "visit" {
                    envelope.links = vec![link("household", self.records[0].0)];
                    if which & 16 != 0 {
                        let after = self.types(3);
                        write(envelope, content, "note", Value::text(after.clone()));
                        return Some(("note".to_owned(), String::new(), after));
                    }
                }
            }
            Does::Set(field, value) => {
                let (field, value) = match (kind.as_str(), field % 3) {
                    ("household", 0) => ("phone", Value::text(format!("13{value}"))),
                    ("household", 1) => ("members", Value::Int(i64::from(value))),
                    ("visit", 0) => ("weather", Value::text(format!("雨{value}"))),
                    ("visit", 1) => ("illness", Value::text(format!("病{value}"))),
                    ("task", 0) => ("title", Value::text(format!("修路{value}"))),
                    (_, _) if value == 0 => ("group", Value::Null),
                    ("task", _) => ("follow_up_on", Value::Int(20_000 + i64::from(value))),
                    (_, _) => ("group", Value::text(format!("{value}组"))),
                };
                write(envelope, content, field, value);
            }
            Does::Refer(which) => {
                let field = if kind == "household" {
                    "merged_into"
                } else {
                    "household"
                };
                envelope.links.push(Link {
                    field: field.to_owned(),
                    target: self.records[usize::from(which) % self.records.len()].0,
                    journal: None,
                });
            }
            Does::Edit(at, delete, len) => {
                envelope.verb = Verb::Edit;
                envelope.fields = vec![note.to_owned()];
                let before = self.sight(envelope, hand.device, note);
                let length = before.chars().count();
                let at = if at > 200 {
                    usize::MAX
                } else {
                    usize::from(at) % (length + 1)
                };
                let insert = self.types(usize::from(len));
                let mut chars: Vec<char> = before.chars().collect();
                let from = at.min(length);
                let to = (from + usize::from(delete)).min(length);
                chars.splice(from..to, insert.chars());
                content.splices.push(Splice {
                    at: u32::try_from(at).unwrap_or(u32::MAX),
                    delete: u32::from(delete),
                    insert,
                });
                return Some((note.to_owned(), before, chars.into_iter().collect()));
            }
            Does::Insert(count) => {
                envelope.verb = Verb::Insert;
                let field = if kind == "household" {
                    "tags"
                } else {
                    "checklist"
                };
                let item = |k: u8| {
                    Value::Struct(if kind == "household" {
                        Fields::from_iter([
                            ("tag", Value::text("low_income")),
                            ("source", Value::text(format!("导入{k}"))),
                            ("since", Value::Int(20_000)),
                        ])
                    } else {
                        let done = Value::Bool(k == 1);
                        Fields::from_iter([("item", Value::text("查水表")), ("done", done)])
                    })
                };
                write(
                    envelope,
                    content,
                    field,
                    Value::List((0..count).map(item).collect()),
                );
                let id = |k| ItemId::derive(hand.device, journal, envelope.n, field, k);
                self.items.extend((0..u32::from(count)).map(id));
            }
            Does::Remove(one, other) => {
                envelope.verb = Verb::Remove;
                let field = if kind == "household" {
                    "tags"
                } else {
                    "checklist"
                };
                envelope.fields = vec![field.to_owned()];
                let pick = |which: u8| {
                    let count = self.items.len().max(1);
                    let item = self.items.get(usize::from(which) % count);
                    item.copied().unwrap_or(ItemId([9; 16]))
                };
                content.removed = vec![pick(one), pick(other)];
            }
            Does::Act(which) => {
                envelope.verb = Verb::Act;
                let actions = PEOPLE
                    .catalogue()
                    .kind(&kind)
                    .map_or(&[][..], |kind| &kind.actions);
                let action = &actions[usize::from(which) % actions.len()];
                envelope.action = Some(action.name.clone());
                if action.needs_reason {
                    reason(content);
                }
                if action.needs.iter().any(|field| field == "result") {
                    let before = self.sight(envelope, hand.device, "result");
                    let after = self.types(2);
                    write(envelope, content, "result", Value::text(after.clone()));
                    return Some(("result".to_owned(), before, after));
                }
                if let Some(field) = action.needs.first().filter(|field| {
                    ["deadline", "asked_deadline", "paused_until"].contains(&field.as_str())
                }) {
                    let days = Value::Int(20_790 + i64::from(which % 3));
                    write(envelope, content, &field.clone(), days);
                }
                if action.needs.iter().any(|field| field == "merged_into") {
                    envelope.links.push(Link {
                        field: "merged_into".to_owned(),
                        target: self.records[0].0,
                        journal: None,
                    });
                }
            }
            Does::Amend(which) => {
                envelope.verb = Verb::Amend;
                reason(content);
                if which < 3 {
                    write(
                        envelope,
                        content,
                        "weather",
                        Value::text(format!("晴{which}")),
                    );
                } else {
                    let before = self.sight(envelope, hand.device, "note");
                    let after = self.types(3);
                    write(envelope, content, "note", Value::text(after.clone()));
                    return Some(("note".to_owned(), before, after));
                }
            }
            Does::Void => {
                envelope.verb = Verb::Void;
                reason(content);
            }
            Does::Erase(others) => {
                envelope.verb = Verb::Erase;
                reason(content);
                if others {
                    envelope.links.push(Link {
                        field: String::new(),
                        target: self.records[1].0,
                        journal: None,
                    });
                }
            }
            Does::Reveal(which) => {
                envelope.verb = Verb::Reveal;
                let field = ["note", "illness", "checklist"][usize::from(which) % 3];
                envelope.fields = vec![field.to_owned()];
                reason(content);
            }
            Does::Widen => envelope.audience = Audience::Village,
            Does::Clear(cause) => {
                envelope.verb = Verb::Clear;
                let causes = ["clock", "clock", "after_seal"];
                envelope.action = Some(causes[usize::from(cause)].to_owned());
            }
            Does::Seal => {
                envelope.verb = Verb::Seal;
                "month".clone_into(&mut envelope.kind);
                let month: sync_core::month::Month =
                    "2026-10".parse().expect("it is the name of a month");
                envelope.record = month.record(journal);
                envelope.action = Some(month.to_string());
                envelope.audience = Audience::Village;
            }
        }
        None
    }

    /// Characters that nobody typed before.
    fn types(&mut self, count: usize) -> String {
        let first = self.typed;
        self.typed += u32::try_from(count).unwrap_or(0);
        let char = |k| char::from_u32(0x4e00 + k);
        (first..self.typed).filter_map(char).collect()
    }

    /// A text as its author's phone shows it: the fold of what he had built on.
    fn sight(&self, envelope: &Envelope, device: DeviceId, field: &str) -> String {
        let mut log = reference::concerning(envelope.record, &self.log);
        log.sort_by_key(|logged| logged.place);
        log.push(Logged {
            place: Place {
                seq: Seq::MAX,
                n: envelope.n,
                device,
            },
            assignment: AssignmentId([0; 16]),
            received_at: NOON,
            catalogue: 1,
            fate: Fate::Accepted,
            command: Command {
                envelope: envelope.clone(),
                content: None,
            },
        });
        let counted = reference::counted(&log);
        let on = reference::built_on(&counted).pop().unwrap_or_default();
        let sight: Vec<Logged> = on.iter().map(|index| counted[*index].clone()).collect();
        let shown = record::fold(&PEOPLE.catalogues, PEOPLE.journal, envelope.record, &sight);
        match shown.fields.get(field) {
            Some(Slot::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// Has the open batch judged with this command at its end.
    fn enter(&mut self, who: usize, envelope: Envelope, content: Content, seen: Seq) {
        let hand = &PEOPLE.hands[who];
        let index = &self.index;
        let open = self.open.get_or_insert_with(|| Open {
            who,
            before: index.clone(),
            commands: Vec::new(),
        });
        open.commands.push((envelope, content));
        let seq = seen + 1;
        let now = NOON.plus_ms(i64::try_from(seq).unwrap_or(0) * MINUTE_MS);
        let parts = parts(hand, seen, now, &open.commands);
        let mut chain = Chain::start(PEOPLE.journal);
        chain.end.seq = seen;
        let circumstances = Circumstances {
            registry: &PEOPLE.registry,
            catalogues: &PEOPLE.catalogues,
            chain,
            lane: LaneEnd::start(hand.device, PEOPLE.journal),
            head_at_seen: None,
            received: self.received.clone(),
            lane_fates: BTreeMap::new(),
            taken: self.taken.clone(),
            offered: BTreeMap::new(),
            index: open.before.clone(),
            now,
        };
        let (fates, index) = admit::judge(&parts, now, &[], circumstances);
        self.index = index;
        self.received.insert(seq, now);
        let (Some(fate), Some((envelope, content))) = (fates.last(), open.commands.last()) else {
            return;
        };
        self.log.push(Logged {
            place: Place {
                seq,
                n: envelope.n,
                device: hand.device,
            },
            assignment: hand.assignment,
            received_at: now,
            catalogue: 1,
            fate: fate.clone(),
            command: Command {
                envelope: envelope.clone(),
                content: Some(content.clone()),
            },
        });
    }
}

fn parts(hand: &Hand, seen: Seq, now: Timestamp, commands: &[(Envelope, Content)]) -> Parts {
    let salted = |content: &Content| {
        Some(Salted {
            salt: Salt([0; 16]),
            content: content.clone(),
        })
    };
    Parts {
        batch: Batch {
            journal: PEOPLE.journal,
            device: hand.device,
            assignment: hand.assignment,
            catalogue: 1,
            previous: Digest([0; 32]),
            seen: Position {
                seq: seen,
                head: Digest([0; 32]),
            },
            sealed_at: now,
            envelopes: commands
                .iter()
                .map(|(envelope, _)| envelope.clone())
                .collect(),
        },
        signature: Signature {
            algorithm: 0,
            bytes: Vec::new(),
        },
        seed: None,
        contents: commands
            .iter()
            .map(|(_, content)| salted(content))
            .collect(),
    }
}
