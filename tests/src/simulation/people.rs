//! What people do, drawn at random from what their phones show them.

mod desks;

use std::borrow::Cow;

use sync_core::command::{Splice, Verb};
use sync_core::id::{JournalId, RecordId, UserId};
use sync_core::record::{Record, Slot};
use sync_core::sync::device::{Device, Intent, Target};
use sync_core::testing::TestRng;
use sync_core::value::{Fields, Value};

use super::script::About;

/// Some day on which things happen.
const DAY: Value = Value::Int(20_800);

/// Draws of a seed.
#[derive(Debug)]
pub(super) struct Dice(TestRng);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(TestRng::new(seed))
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        u64::from_be_bytes(self.0.bytes()) % end.max(1)
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    /// Whether something happens that does so once in `times`.
    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One that many meet at: the first, as often as not.
    pub(super) fn favourite<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if self.once_in(2) {
            from.first()
        } else {
            self.pick(from)
        }
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            None
        } else {
            from.get(self.index(from.len()))
        }
    }
}

/// What somebody asks for, and the text by which it can be found again.
pub(super) struct Wish {
    pub(super) intent: Intent,
    pub(super) marker: Option<String>,
}

/// Whom a wish is asked of, and where.
pub(super) struct Asked<'a> {
    pub(super) device: &'a Device,
    pub(super) role: &'static str,
    pub(super) journal: JournalId,
    /// The record of an open form.
    pub(super) on: Option<RecordId>,
    /// Who is stationed there.
    pub(super) team: &'a [UserId],
    /// What the script is about.
    pub(super) about: About,
}

impl Asked<'_> {
    /// Whether it is about what goes from desk to desk.
    fn is_of_offices(&self) -> bool {
        self.about != About::Anything
    }

    /// The records of a kind that the phone shows.
    fn records(&self, kind: &str) -> Vec<Cow<'_, Record>> {
        let all = self.device.records(self.journal).into_iter();
        all.filter_map(|record| self.device.record(self.journal, record))
            .filter(|record| record.kind == kind)
            .collect()
    }

    /// Those of them that still wait for somebody.
    fn pending(&self, kind: &str) -> Vec<Cow<'_, Record>> {
        let mut records = self.records(kind);
        records.retain(|record| {
            let state = record.state.as_deref().unwrap_or_default();
            !ENDS.contains(&state)
        });
        records
    }
}

/// How often somebody does something else than what waits for him of the one case.
const FROM_THE_CASE: u64 = 16;

/// States out of which nobody here takes a process any more.
const ENDS: [&str; 6] = [
    "confirmed",
    "unfounded",
    "joined",
    "not_listed",
    "deliberate",
    "settled",
];

/// Draws what a person does in a village, to the record of an open form or to any that his phone shows.
pub(super) fn wish(dice: &mut Dice, asked: &Asked<'_>, marker: String) -> Option<Wish> {
    if asked.about == About::OneCase && asked.on.is_none() && !dice.once_in(FROM_THE_CASE) {
        return desks::step(dice, asked, &marker);
    }
    let record = match asked.on {
        Some(record) => asked.device.record(asked.journal, record)?,
        None => {
            let kind = draw_kind(dice, asked);
            let records = if asked.is_of_offices() {
                asked.pending(kind)
            } else {
                asked.records(kind)
            };
            match dice.favourite(&records).cloned() {
                Some(record) if !dice.once_in(12) => record,
                _ => return begin(dice, asked, kind, marker),
            }
        }
    };
    match record.kind.as_str() {
        "household" => Some(household(dice, &record, asked.on.is_some(), marker)),
        "visit" => Some(visit(dice, &record, marker)),
        "task" => Some(task(dice, &record, marker)),
        "clue" => clue(dice, asked, &record, marker),
        "case" => case(dice, asked, &record, marker),
        "need" => Some(need(dice, asked, &record, marker)),
        _ => None,
    }
}

/// What the work of a role is about, mostly.
fn draw_kind(dice: &mut Dice, asked: &Asked<'_>) -> &'static str {
    let kinds: &[&str] = match asked.role {
        "FS" | "TM" | "VC" if asked.is_of_offices() => {
            &["household", "clue", "clue", "case", "case", "visit", "need"]
        }
        "CS" if asked.is_of_offices() => &["case", "case", "need"],
        _ if asked.is_of_offices() => &["clue", "case"],
        _ if dice.once_in(10) => &["household", "visit", "task", "clue", "case", "need"],
        "VC" => &[
            "household",
            "household",
            "household",
            "task",
            "clue",
            "need",
        ],
        "TW" => &["task", "task", "clue", "case"],
        "CS" => &["task", "task", "case", "need"],
        _ => &[
            "household",
            "household",
            "household",
            "visit",
            "visit",
            "task",
            "task",
            "clue",
            "case",
            "need",
        ],
    };
    dice.pick(kinds).copied().unwrap_or("household")
}

/// A new record; a visit is to a household.
fn begin(dice: &mut Dice, asked: &Asked<'_>, kind: &str, marker: String) -> Option<Wish> {
    let text = Value::text(&marker);
    let intent = match kind {
        "task" => {
            let task = Intent::create("task").with("title", text);
            let assigned = |task: Intent, user: &UserId| task.link("assignees", RecordId(user.0));
            asked.team.iter().fold(task, assigned)
        }
        "visit" | "clue" | "need" => {
            let households = asked.records("household");
            let about = Intent::create(kind).link("household", dice.favourite(&households)?.id);
            match kind {
                "visit" => about.with("weather", text),
                "need" => about.with("title", text),
                _ => about
                    .with("channel", Value::text("visit"))
                    .with("received_on", DAY)
                    .with("note", text),
            }
        }
        // Of any clue that the phone shows, on most days: whether it was confirmed is not his to know.
        "case" => {
            let mut clues = asked.records("clue");
            let is_confirmed = |clue: &Cow<'_, Record>| clue.state.as_deref() == Some("confirmed");
            clues.retain(|clue| !asked.is_of_offices() || is_confirmed(clue));
            let clue = dice.favourite(&clues)?;
            let household = referred(clue, "household")?;
            Intent::create("case")
                .link("household", household)
                .link("clue", clue.id)
                .with("received_on", DAY)
        }
        _ => Intent::create("household").with("householder", text),
    };
    let says_it = kind != "case";
    Some(Wish {
        intent,
        marker: Some(marker).filter(|_| says_it),
    })
}

/// What a record refers to in a field.
fn referred(record: &Record, field: &str) -> Option<RecordId> {
    let Some(Slot::Register(held)) = record.fields.get(field) else {
        return None;
    };
    sync_core::record::referred(&held.last()?.value)
}

/// A new value of a register; now and then the one that others write too.
fn register(dice: &mut Dice, record: &Record, field: &str, marker: String) -> Wish {
    let same = dice.once_in(3);
    let text = if same { "同" } else { &marker };
    let mut intent = Intent::set(record.id).with(field, Value::text(text));
    intent.chooses = record.conflicts().any(|(name, _)| name == field);
    Wish {
        intent,
        marker: Some(marker).filter(|_| !same),
    }
}

fn splice(dice: &mut Dice, record: RecordId, field: &str, marker: String) -> Wish {
    let at = if dice.once_in(4) {
        u32::MAX
    } else {
        u32::try_from(dice.below(30)).unwrap_or(0)
    };
    let mut intent = Intent::new(Target::Existing(record), Verb::Edit);
    let splice = Splice {
        at,
        delete: 0,
        insert: marker.clone(),
    };
    intent.edit = Some((field.to_owned(), vec![splice]));
    Wish {
        intent,
        marker: Some(marker),
    }
}

fn because(record: RecordId, action: &str, marker: String) -> Wish {
    Wish {
        intent: Intent::act(record, action).because(&marker),
        marker: Some(marker),
    }
}

fn household(dice: &mut Dice, record: &Record, has_form: bool, marker: String) -> Wish {
    // Nobody has an action's form: only what is typed is kept open.
    match dice.below(if has_form { 8 } else { 12 }) {
        0..=4 => {
            let field = *dice.pick(&["phone", "phone", "code"]).unwrap_or(&"phone");
            register(dice, record, field, marker)
        }
        5..=7 => splice(dice, record.id, "note", marker),
        8 | 9 => because(record.id, "cancel", marker),
        10 => because(record.id, "reinstate", marker),
        _ => {
            let void = Intent::new(Target::Existing(record.id), Verb::Void).because(&marker);
            Wish {
                intent: void,
                marker: Some(marker),
            }
        }
    }
}

/// An item more on the checklist.
fn insert(record: RecordId, marker: String) -> Wish {
    let item = [("item", Value::text(&marker)), ("done", Value::Bool(false))];
    let items = Value::List(vec![Value::Struct(Fields::from_iter(item))]);
    let intent = Intent::new(Target::Existing(record), Verb::Insert);
    Wish {
        intent: intent.with("checklist", items),
        marker: Some(marker),
    }
}

/// An item less on the checklist; if it has none, something is written into a text.
fn remove(dice: &mut Dice, record: &Record, or_into: &str, marker: String) -> Wish {
    let Some(Slot::List(items)) = record.fields.get("checklist") else {
        return splice(dice, record.id, or_into, marker);
    };
    let mut intent = Intent::new(Target::Existing(record.id), Verb::Remove);
    let item = dice.pick(items).map(|item| item.id);
    intent.removed = Some(("checklist".to_owned(), item.into_iter().collect()));
    Wish {
        intent,
        marker: None,
    }
}

fn visit(dice: &mut Dice, record: &Record, marker: String) -> Wish {
    match dice.below(10) {
        0 | 1 => register(dice, record, "weather", marker),
        2 => splice(dice, record.id, "note", marker),
        3 | 4 => insert(record.id, marker),
        5 => remove(dice, record, "note", marker),
        6 => {
            let intent = Intent::set(record.id).with("illness", Value::text(&marker));
            Wish {
                intent,
                marker: Some(marker),
            }
        }
        7 | 8 => Wish {
            intent: Intent::act(record.id, "file"),
            marker: None,
        },
        _ => {
            let amend = Intent::new(Target::Existing(record.id), Verb::Amend)
                .with("weather", Value::text(&marker));
            Wish {
                intent: amend.because("记错了"),
                marker: Some(marker),
            }
        }
    }
}

fn task(dice: &mut Dice, record: &Record, marker: String) -> Wish {
    let plain = |action: &str| Wish {
        intent: Intent::act(record.id, action),
        marker: None,
    };
    let state = record.state.as_deref().unwrap_or_default();
    match (state, dice.below(9)) {
        ("in_progress", 6) => {
            let finish = Intent::act(record.id, "finish").with("result", Value::text(&marker));
            Wish {
                intent: finish,
                marker: Some(marker),
            }
        }
        (_, 7) => insert(record.id, marker),
        (_, 8) => remove(dice, record, "log", marker),
        (_, 0) => splice(dice, record.id, "log", marker),
        (_, 1) => because(record.id, "cancel", marker),
        ("issued", 2..=4) => plain("sign"),
        ("issued", _) => because(record.id, "decline", marker),
        ("in_progress", 2 | 3) => {
            let report = Intent::act(record.id, "report").with("result", Value::text(&marker));
            Wish {
                intent: report,
                marker: Some(marker),
            }
        }
        ("in_progress", 4) => {
            let ask =
                Intent::act(record.id, "ask_extension").with("asked_deadline", Value::Int(20_900));
            Wish {
                intent: ask.because(&marker),
                marker: Some(marker),
            }
        }
        ("in_progress", _) => because(record.id, "decline", marker),
        ("reported", 2 | 3) => plain("accept"),
        ("reported", _) => because(record.id, "return", marker),
        _ => plain("sign"),
    }
}

/// An action that brings a text.
fn telling(record: RecordId, action: &str, field: &str, marker: String) -> Wish {
    Wish {
        intent: Intent::act(record, action).with(field, Value::text(&marker)),
        marker: Some(marker),
    }
}

/// What a phone shows need not be so any more: two verify one clue, and one is returned that was confirmed meanwhile.
fn clue(dice: &mut Dice, asked: &Asked<'_>, record: &Record, marker: String) -> Option<Wish> {
    let state = record.state.as_deref().unwrap_or_default();
    // A day of offices comes further than here.
    let confirms = asked.is_of_offices() && !dice.once_in(3);
    Some(match (state, dice.below(8)) {
        (_, 0) => splice(dice, record.id, "note", marker),
        ("to_verify", 1..=6) => {
            let household = referred(record, "household")?;
            let mut verify = telling(record.id, "verify", "finding", marker);
            verify.intent = verify.intent.link("household", household);
            verify
        }
        ("verified", 1 | 2) if !confirms => because(record.id, "return", marker),
        ("verified", 3) if !confirms => {
            let mut reject = because(record.id, "reject", marker);
            reject.intent = reject.intent.with("told_on", DAY);
            reject
        }
        ("to_verify" | "verified", 7) if !confirms => {
            let clues = asked.records("clue");
            Wish {
                intent: Intent::act(record.id, "join").link("joined_to", dice.pick(&clues)?.id),
                marker: None,
            }
        }
        _ => Wish {
            intent: Intent::act(record.id, "confirm"),
            marker: None,
        },
    })
}

/// Verified, rolled back, and verified again by somebody who does not know it.
fn case(dice: &mut Dice, asked: &Asked<'_>, record: &Record, marker: String) -> Option<Wish> {
    let state = record.state.as_deref().unwrap_or_default();
    Some(match (state, dice.below(8)) {
        (_, 0) => because(record.id, "end", marker),
        (_, 1) => {
            let mut risks = register(dice, record, "risks", marker);
            risks.intent =
                Intent::set(record.id).with("risks", Value::List(vec![Value::text("illness")]));
            risks.marker = None;
            risks
        }
        ("verify", _) => {
            let visits = asked.records("visit");
            let verify = Intent::act(record.id, "verified")
                .link("visit", dice.favourite(&visits)?.id)
                .with("income", Value::Int(5_000))
                .with("authorised_on", DAY);
            Wish {
                intent: verify,
                marker: None,
            }
        }
        ("compare", 2..=4) => telling(record.id, "compared", "comparison", marker),
        ("compare", _) => because(record.id, "return_compare", marker),
        (_, 2..=4) => because(record.id, "return_village", marker),
        (_, _) => {
            let mut reject = because(record.id, "reject", marker);
            reject.intent = reject.intent.with("told_on", DAY);
            reject
        }
    })
}

/// Taken on, done, confirmed, and taken up again.
fn need(dice: &mut Dice, asked: &Asked<'_>, record: &Record, marker: String) -> Wish {
    let state = record.state.as_deref().unwrap_or_default();
    let promised = |action: &str| Wish {
        intent: Intent::act(record.id, action).with("promised_on", DAY),
        marker: None,
    };
    match (state, dice.below(8)) {
        (_, 0) => splice(dice, record.id, "note", marker),
        (_, 1) => register(dice, record, "unit", marker),
        ("booked", 2..=4) => promised("take"),
        ("booked" | "working", 5) => because(record.id, "report", marker),
        ("booked" | "reported", _) => {
            let assign = Intent::act(record.id, "assign");
            let to = |assign: Intent, user: &UserId| assign.link("assignees", RecordId(user.0));
            Wish {
                intent: asked.team.iter().fold(assign, to),
                marker: None,
            }
        }
        ("assigned", _) => promised("sign"),
        ("working", _) => telling(record.id, "done", "outcome", marker),
        ("to_confirm", 2..=5) => Wish {
            intent: Intent::act(record.id, "settle")
                .with("confirmed_how", Value::text("in_person"))
                .with("confirmed_on", DAY),
            marker: None,
        },
        _ => because(record.id, "reopen", marker),
    }
}
