//! A month's close (月结): who may, when, once; and what comes too late for it.

use proptest::prelude::*;

use super::flags::clear;
use super::scene::*;
use crate::admit::{self, Index, codes};
use crate::catalog::codes::misfit;
use crate::command::{Content, Verb};
use crate::id::{RecordId, Seq, Timestamp};
use crate::journal::Fate;
use crate::month::{self, Month};
use crate::value::Value;

pub(super) fn month_of(scene: &Scene, month: &str) -> RecordId {
    month
        .parse::<Month>()
        .unwrap()
        .record(scene.village.journal)
}

pub(super) fn seal(scene: &Scene, month: &str) -> Draft {
    let mut draft = on(month_of(scene, month), month::KIND, Verb::Seal);
    draft.action = Some(month.to_owned());
    draft
}

pub(super) fn after_seal() -> Fate {
    flagged(&[codes::flag::AFTER_SEAL])
}

/// A village in December with a household that somebody was looking at in November.
pub(super) fn december() -> (Scene, RecordId, Seq) {
    let mut scene = Scene::new();
    let household = scene.household();
    let base = scene.seq();
    scene.pass_days(15);
    (scene, household, base)
}

#[test]
fn what_was_recorded_in_a_closed_month_is_marked_and_counts() {
    let (mut scene, household, base) = december();
    let late = |number: &str| phone(household, number).at(NOON.plus_ms(DAY_MS)).base(base);
    assert_eq!(
        scene.say(SECRETARY, late("137")),
        Fate::Accepted,
        "nobody closed it yet"
    );
    let closing = seal(&scene, "2026-11");
    assert_eq!(scene.say(TOWNSHIP, closing), Fate::Accepted);
    assert_eq!(scene.say(MEMBER, late("138")), after_seal());
    assert_eq!(
        scene.held(household, "phone"),
        [Value::text("137"), Value::text("138")],
        "it counts"
    );
    assert_eq!(
        scene.say(COMMITTEE, phone(household, "139")),
        Fate::Accepted,
        "its own month is open"
    );
}

#[test]
fn the_month_is_that_of_the_claimed_day_in_china() {
    let (mut scene, household, base) = december();
    let closing = seal(&scene, "2026-11");
    scene.say(COUNTY, closing);
    let midnight = "2026-12-01".parse::<crate::id::Date>().unwrap().starts_at();
    let at = |at: Timestamp| phone(household, "1").at(at).base(base);
    assert_eq!(scene.say(SECRETARY, at(midnight.plus_ms(-1))), after_seal());
    assert_eq!(scene.say(SECRETARY, at(midnight)), Fate::Accepted);
}

#[test]
fn a_wrong_clock_is_said_beside_it() {
    let (mut scene, household, _) = december();
    let closing = seal(&scene, "2026-10");
    scene.say(COUNTY, closing);
    assert_eq!(
        scene.say(
            SECRETARY,
            phone(household, "1").at(NOON.plus_ms(-40 * DAY_MS))
        ),
        flagged(&[codes::flag::CLOCK, codes::flag::AFTER_SEAL])
    );
}

#[test]
fn it_is_decided_at_its_place_within_one_batch_too() {
    let (mut scene, _, base) = december();
    let task = || {
        let task = create("task", "issued").with("title", Value::text("修渠"));
        task.link("assignees", RecordId([0; 16]))
            .at(NOON)
            .base(base)
    };
    let assignee = RecordId(scene.hand(SECRETARY).user.0);
    let task = || {
        let mut task = task();
        task.links
            .iter_mut()
            .for_each(|link| link.target = assignee);
        task
    };
    let closing = seal(&scene, "2026-11");
    assert_eq!(
        scene.say_all(TOWNSHIP, vec![task(), closing, task()]),
        [Fate::Accepted, Fate::Accepted, after_seal()]
    );
}

#[test]
fn a_month_is_closed_after_its_end_once_and_by_the_offices_alone() {
    let (mut scene, ..) = december();
    let (november, this) = (seal(&scene, "2026-11"), seal(&scene, "2026-12"));
    for who in [SECRETARY, MEMBER, COMMITTEE] {
        assert_eq!(
            scene.say(who, november.clone()),
            refused(codes::refused::NOT_ALLOWED)
        );
    }
    assert_eq!(
        scene.say(TOWNSHIP, this.clone()),
        refused(codes::refused::MONTH_NOT_OVER)
    );
    assert_eq!(scene.say(TOWNSHIP, november.clone()), Fate::Accepted);
    for who in [TOWNSHIP, COUNTY] {
        assert_eq!(
            scene.say(who, november.clone()),
            no_effect(codes::no_effect::SEALED)
        );
    }
    // By the receipt's date, whatever the clock of whoever closes it says.
    scene.pass_days(30);
    assert_eq!(scene.say(COUNTY, this), Fate::Accepted);
}

#[test]
fn a_closed_month_is_a_record() {
    let (mut scene, ..) = december();
    let closing = seal(&scene, "2026-11");
    scene.say(TOWNSHIP, closing);
    let record = month_of(&scene, "2026-11");
    let folded = scene.fold(record);
    assert_eq!(folded.kind, month::KIND);
    assert_eq!(folded.state.as_deref(), Some(month::SEALED));
    assert_eq!(
        folded.created.map(|place| place.seq),
        Some(scene.seq()),
        "the position it names"
    );
    assert_eq!(
        scene.held(record, month::FIELD),
        [Value::text("2026-11")],
        "what stands for it in lists"
    );
}

#[test]
fn a_seal_that_contradicts_itself_is_refused() {
    let (mut scene, household, _) = december();
    let sealing = seal(&scene, "2026-11");
    let malformed = refused(codes::refused::MALFORMED);
    let mut said = |draft: Draft| scene.say(COUNTY, draft);
    let named = |month: Option<&str>| {
        let mut draft = sealing.clone();
        draft.action = month.map(str::to_owned);
        draft
    };
    for month in [None, Some("2026-10"), Some("2026-1"), Some("november")] {
        assert_eq!(said(named(month)), malformed, "{month:?}");
    }
    assert_eq!(
        said(sealing.clone().record(household)),
        malformed,
        "another record"
    );
    let mut of_household = on(sealing.record.unwrap(), "household", Verb::Seal);
    of_household.action.clone_from(&sealing.action);
    assert_eq!(said(of_household), refused(misfit::WRONG_VERB));
    assert_eq!(
        said(create(month::KIND, month::SEALED)),
        refused(misfit::WRONG_VERB),
        "nobody creates one"
    );
    let mut with_reason = sealing.clone();
    with_reason.content = Content {
        reason: Some("因为".to_owned()),
        ..Content::default()
    };
    assert_eq!(
        said(with_reason),
        refused_for(misfit::UNEXPECTED_PART, "reason")
    );
    let valued = sealing.clone().with(month::FIELD, Value::text("2026-11"));
    assert!(said(valued).is_refused());
    assert_eq!(said(sealing.clone()), Fate::Accepted);
}

#[test]
fn the_county_opens_a_month_again_with_a_reason() {
    let (mut scene, household, base) = december();
    let closing = seal(&scene, "2026-11");
    scene.say(TOWNSHIP, closing);
    let record = month_of(&scene, "2026-11");
    let late = || phone(household, "1").at(NOON).base(base);
    let reopen = |scene: &mut Scene, who, reason: Option<&str>| {
        let draft = act(record, month::KIND, "reopen");
        scene.say(
            who,
            match reason {
                Some(reason) => draft.because(reason),
                None => draft,
            },
        )
    };
    assert_eq!(
        reopen(&mut scene, TOWNSHIP, Some("漏了两户")),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(
        reopen(&mut scene, COUNTY, None),
        refused_for(misfit::REQUIRED, "reason")
    );
    assert_eq!(reopen(&mut scene, COUNTY, Some("漏了两户")), Fate::Accepted);
    assert_eq!(scene.say(SECRETARY, late()), Fate::Accepted);
    assert_eq!(
        scene.say(TOWNSHIP, act(record, month::KIND, "seal_again")),
        Fate::Accepted
    );
    assert_eq!(scene.say(SECRETARY, late()), after_seal());
    assert_eq!(scene.state(record), month::SEALED);
}

/// The index that a phone or an auditor makes of what the entries say.
fn replayed(scene: &Scene) -> Index {
    let mut index = Index::new();
    for entry in scene.host.entries(scene.village.journal) {
        let (head, batch) = (&entry.head, &entry.parts.batch);
        let registry = scene.host.registry();
        admit::replay(&mut index, registry, scene.host.catalogues(), head, batch);
    }
    index
}

/// What may happen to months and marks.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// Somebody's work of a month comes in.
    Work { who: usize, month: usize },
    /// A month is closed.
    Seal(usize),
    /// It is opened again.
    Reopen(usize),
    /// It is closed again.
    SealAgain(usize),
    /// The county clears what it had seen some entries ago.
    Clear { ago: u64 },
}

const MONTHS: [&str; 2] = ["2026-11", "2026-12"];

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..3_usize, 0..2_usize).prop_map(|(who, month)| Happens::Work { who, month }),
        1 => (0..2_usize).prop_map(Happens::Seal),
        1 => (0..2_usize).prop_map(Happens::Reopen),
        1 => (0..2_usize).prop_map(Happens::SealAgain),
        2 => (0..4_u64).prop_map(|ago| Happens::Clear { ago }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against the plainest model there is: a set of closed months, and the positions of what is marked.
    #[test]
    fn months_and_marks_are_as_a_plain_model_says(steps in prop::collection::vec(happens(), 1..40)) {
        let mut scene = Scene::new();
        let household = scene.household();
        let base = scene.seq();
        scene.pass_days(50);
        let mut made = [false; 2];
        let mut closed = [false; 2];
        let mut marked: Vec<Seq> = Vec::new();
        for step in steps {
            let next = scene.seq() + 1;
            let (said, counts) = match step {
                Happens::Work { who, month } => {
                    let who = [SECRETARY, MEMBER, COMMITTEE][who];
                    let at = NOON.plus_ms(30 * DAY_MS * i64::try_from(month).unwrap());
                    let fate = scene.say(who, phone(household, "1").at(at).base(base));
                    let expected = if closed[month] { after_seal() } else { Fate::Accepted };
                    if closed[month] {
                        marked.push(next);
                    }
                    prop_assert_eq!(&fate, &expected);
                    (fate, true)
                }
                Happens::Seal(month) => {
                    let draft = seal(&scene, MONTHS[month]);
                    let counts = !made[month];
                    made[month] = true;
                    closed[month] |= counts;
                    (scene.say(TOWNSHIP, draft), counts)
                }
                Happens::Reopen(month) => {
                    let record = month_of(&scene, MONTHS[month]);
                    let counts = closed[month];
                    closed[month] = false;
                    (scene.say(COUNTY, act(record, month::KIND, "reopen").because("补")), counts)
                }
                Happens::SealAgain(month) => {
                    let record = month_of(&scene, MONTHS[month]);
                    let counts = made[month] && !closed[month];
                    closed[month] |= counts;
                    (scene.say(TOWNSHIP, act(record, month::KIND, "seal_again")), counts)
                }
                Happens::Clear { ago } => {
                    let upto = scene.seq().saturating_sub(ago);
                    let before = marked.len();
                    marked.retain(|seq| *seq > upto);
                    let draft = super::flags::clear(household, codes::flag::AFTER_SEAL).base(upto);
                    let fate = scene.say(COUNTY, draft);
                    if marked.len() < before {
                        prop_assert_eq!(&fate, &Fate::Accepted);
                    }
                    // What is kept of the marks are bounds: between them a clearing may count that reaches nothing.
                    let counts = fate.counts();
                    (fate, counts)
                }
            };
            prop_assert_eq!(said.counts(), counts, "{:?}: {:?}", step, said);
        }
        let folded = scene.fold(household);
        let shown: Vec<Seq> = folded
            .steps
            .iter()
            .filter(|step| step.flags().next().is_some())
            .map(|step| step.place.seq)
            .collect();
        prop_assert_eq!(&shown, &marked);
        prop_assert_eq!(folded.is_flagged(), !marked.is_empty());
        let journal = scene.host.journal(scene.village.journal).unwrap();
        prop_assert_eq!(replayed(&scene), journal.index.clone());
    }
}

/// Closes months.
#[track_caller]
pub(super) fn close(scene: &mut Scene, months: &[&str]) {
    for month in months {
        let closing = seal(scene, month);
        assert_eq!(scene.say(TOWNSHIP, closing), Fate::Accepted);
    }
}

#[test]
fn every_command_of_a_batch_is_of_its_own_month() {
    let (mut scene, household, base) = december();
    scene.pass_days(31);
    close(&mut scene, &["2026-11", "2026-12"]);
    let of = |days: i64| {
        let at = NOON.plus_ms(days * DAY_MS);
        phone(household, "1").at(at).base(base)
    };
    assert_eq!(
        scene.say_all(SECRETARY, vec![of(46), of(0), of(20), of(46)]),
        [Fate::Accepted, after_seal(), after_seal(), Fate::Accepted]
    );
}

#[test]
fn whatever_is_done_in_a_closed_month_is_work_of_it_but_to_clear_marks() {
    let mut scene = Scene::new();
    let (task, visit, other) = (scene.task(), scene.visit(), scene.household());
    let file = act(visit, "visit", "file");
    assert_eq!(scene.say(SECRETARY, file), Fate::Accepted);
    let base = scene.seq();
    scene.pass_days(45);
    close(&mut scene, &["2026-11", "2026-12"]);
    let amend = on(visit, "visit", Verb::Amend).with("weather", Value::text("雨"));
    let mut reveal = on(visit, "visit", Verb::Reveal).because("核实病情");
    reveal.named.push("illness".to_owned());
    let reopen = act(month_of(&scene, "2026-12"), month::KIND, "reopen");
    let written = NOON.plus_ms(20 * DAY_MS);
    for (who, late) in [
        (SECRETARY, act(task, "task", "sign")),
        (SECRETARY, amend.because("记错了")),
        (SECRETARY, reveal),
        (
            SECRETARY,
            on(other, "household", Verb::Void).because("录错户"),
        ),
        // To open a month again is work like any other, and of a month that is closed until then.
        (COUNTY, reopen.because("漏了两户")),
    ] {
        assert_eq!(
            scene.say(who, late.clone().at(written).base(base)),
            after_seal(),
            "{late:?}"
        );
    }
    let (written, base) = (scene.now, scene.seq());
    scene.pass_days(30);
    close(&mut scene, &["2027-01"]);
    let clearing = clear(other, codes::flag::AFTER_SEAL);
    assert_eq!(
        scene.say(COUNTY, clearing.at(written).base(base)),
        Fate::Accepted
    );
}

#[test]
fn a_month_is_over_by_the_day_of_receipt_alone() {
    let (mut scene, ..) = december();
    let early = seal(&scene, "2026-12").at(scene.now.plus_ms(30 * DAY_MS));
    assert_eq!(
        scene.say(TOWNSHIP, early),
        refused(codes::refused::MONTH_NOT_OVER)
    );
}
