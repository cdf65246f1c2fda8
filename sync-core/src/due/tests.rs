use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalogue;

fn shipped() -> &'static Catalogue {
    static SHIPPED: LazyLock<Catalogue> = LazyLock::new(Catalogue::builtin);
    &SHIPPED
}

const RECORD: RecordId = RecordId([7; 16]);

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// A timeline from words like `2026-03-02 issued`.
fn timeline<'a>(steps: &[&'a str]) -> Vec<Entered<'a>> {
    let step = |step: &&'a str| {
        let (day, state) = step.split_once(' ').unwrap();
        Entered {
            state,
            at: date(day).starts_at(),
        }
    };
    steps.iter().map(step).collect()
}

fn values(pairs: Vec<(&str, Value)>) -> Fields {
    pairs.into_iter().collect()
}

fn day(text: &str) -> Value {
    Value::Int(i64::from(date(text).0))
}

/// The runs of every clock, one a line: name, first day, last day in time, day of stopping.
#[track_caller]
fn check_clocks(kind: &str, steps: &[&str], values: &Fields, expected: &[&str]) {
    let catalogue = shipped();
    let timeline = timeline(steps);
    let facts = Facts {
        record: RECORD,
        kind: catalogue.kind(kind).unwrap(),
        timeline: &timeline,
        values,
        in_conflict: false,
        last: None,
    };
    let runs = clocks(&facts, catalogue.default_profile(), catalogue.calendar());
    let said: Vec<String> = runs
        .iter()
        .map(|run| {
            let stopped = run
                .stopped
                .map_or_else(|| "runs".to_owned(), |on| format!("stopped {on}"));
            let certain = if run.certain { "" } else { ", uncertain" };
            format!(
                "{}: {} to {}, {stopped}{certain}",
                run.clock.name, run.started, run.due
            )
        })
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn a_clock_runs_while_the_office_holds_the_step() {
    check_clocks(
        "task",
        &["2026-03-02 issued"],
        &values(vec![]),
        &["sign: 2026-03-02 to 2026-03-05, runs"],
    );
    check_clocks(
        "task",
        &[
            "2026-03-02 issued",
            "2026-03-03 in_progress",
            "2026-03-20 reported",
            "2026-03-23 in_progress",
            "2026-03-27 reported",
        ],
        &values(vec![("deadline", day("2026-03-25"))]),
        &[
            "sign: 2026-03-02 to 2026-03-05, stopped 2026-03-03",
            "deadline: 2026-03-02 to 2026-03-25, stopped 2026-03-20",
            "deadline: 2026-03-23 to 2026-03-25, stopped 2026-03-27",
            "accept: 2026-03-20 to 2026-03-27, stopped 2026-03-23",
            "accept: 2026-03-27 to 2026-04-03, runs",
        ],
    );
    check_clocks(
        "task",
        &["2026-12-30 issued"],
        &values(vec![]),
        &["sign: 2026-12-30 to 2027-01-04, runs, uncertain"],
    );
    check_clocks("task", &["2026-03-02 in_progress"], &values(vec![]), &[]);
    check_clocks("visit", &["2026-03-02 draft"], &values(vec![]), &[]);
}

#[test]
fn approval_asks_for_no_answer() {
    let verdict = |code: &str| values(vec![("verdict", Value::text(code))]);
    check_clocks("review", &["2026-03-02 raised"], &verdict("approve"), &[]);
    check_clocks(
        "review",
        &["2026-03-02 raised"],
        &verdict("doubt"),
        &["answer: 2026-03-02 to 2026-03-09, runs"],
    );
}

#[test]
fn a_step_is_in_time_on_its_last_day() {
    let catalogue = shipped();
    let timeline = timeline(&["2026-03-02 issued"]);
    let values = values(vec![]);
    let facts = Facts {
        record: RECORD,
        kind: catalogue.kind("task").unwrap(),
        timeline: &timeline,
        values: &values,
        in_conflict: false,
        last: None,
    };
    let sign = clocks(&facts, catalogue.default_profile(), catalogue.calendar())[0];
    assert!(!sign.is_broken(date("2026-03-05")) && sign.is_broken(date("2026-03-06")));
    assert!(
        sign.breaks_within(0, date("2026-03-05")) && !sign.breaks_within(0, date("2026-03-04"))
    );
    assert!(
        sign.breaks_within(3, date("2026-03-02")) && !sign.breaks_within(3, date("2026-03-06")),
        "a broken clock breaks no more"
    );
    let stopped = Run {
        stopped: Some(date("2026-03-05")),
        ..sign
    };
    assert!(
        !stopped.is_broken(date("2026-12-31")),
        "what was done in time stays so"
    );
}

/// What is due of one record to a role: urgency, what is to be done and until when.
#[track_caller]
fn check_due(
    role: &str,
    relation: Option<&Relation>,
    kind: &str,
    step: &str,
    values: &Fields,
    today: &str,
    expected: &str,
) {
    check_due_with(role, relation, kind, step, values, false, today, expected);
}

#[expect(
    clippy::too_many_arguments,
    reason = "a table of cases reads best flat"
)]
#[track_caller]
fn check_due_with(
    role: &str,
    relation: Option<&Relation>,
    kind: &str,
    step: &str,
    values: &Fields,
    in_conflict: bool,
    today: &str,
    expected: &str,
) {
    let catalogue = shipped();
    let timeline = timeline(&[step]);
    let facts = Facts {
        record: RECORD,
        kind: catalogue.kind(kind).unwrap(),
        timeline: &timeline,
        values,
        in_conflict,
        last: None,
    };
    let reader = Reader {
        role: catalogue.role(role).unwrap(),
        stands: &|asked| relation == Some(asked),
    };
    let item = due(
        &facts,
        &reader,
        catalogue.default_profile(),
        catalogue.calendar(),
        date(today),
    );
    let said = item.map_or_else(
        || "nothing".to_owned(),
        |item| {
            let label = item.label.map_or("choose a value", |label| &label.en);
            let until = item
                .due
                .map_or(String::new(), |due| format!(" until {due}"));
            format!("{:?}: {label}{until}", item.urgency)
        },
    );
    assert_eq!(said, expected);
}

fn assignee() -> Relation {
    Relation::In("assignees".to_owned())
}

#[test]
fn work_is_due_to_those_who_can_do_it() {
    let none = values(vec![]);
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 issued",
        &none,
        "2026-01-20",
        "Clock: Time to sign until 2026-01-23",
    );
    check_due(
        "FS",
        None,
        "task",
        "2026-01-20 issued",
        &none,
        "2026-01-20",
        "nothing",
    );
    check_due(
        "TW",
        Some(&Relation::Issuer),
        "task",
        "2026-01-20 issued",
        &none,
        "2026-01-20",
        "nothing",
    );
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 in_progress",
        &none,
        "2026-01-20",
        "Task: To work on",
    );
    let deadline = values(vec![("deadline", day("2026-01-30"))]);
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 in_progress",
        &deadline,
        "2026-01-26",
        "Task: To work on until 2026-01-30",
    );
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 in_progress",
        &deadline,
        "2026-01-27",
        "Clock: Deadline until 2026-01-30",
    );
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 in_progress",
        &deadline,
        "2026-06-01",
        "Clock: Deadline until 2026-01-30",
    );
    check_due(
        "TW",
        Some(&Relation::Issuer),
        "task",
        "2026-01-20 reported",
        &none,
        "2026-01-20",
        "Task: To accept until 2026-01-27",
    );
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 reported",
        &none,
        "2026-01-20",
        "nothing",
    );
    check_due(
        "FS",
        Some(&assignee()),
        "task",
        "2026-01-20 done",
        &none,
        "2026-01-20",
        "nothing",
    );
}

#[test]
fn a_return_comes_before_a_conflict_and_a_conflict_before_a_task() {
    let verdict = |code: &str| values(vec![("verdict", Value::text(code))]);
    let day = "2026-03-02";
    check_due(
        "FS",
        None,
        "review",
        "2026-03-02 raised",
        &verdict("return"),
        day,
        "Returned: Returned: look again until 2026-03-09",
    );
    check_due(
        "FS",
        None,
        "review",
        "2026-03-02 raised",
        &verdict("doubt"),
        day,
        "Matter: Comment to answer until 2026-03-09",
    );
    check_due(
        "FS",
        None,
        "review",
        "2026-03-02 raised",
        &verdict("approve"),
        day,
        "nothing",
    );
    let none = values(vec![]);
    check_due_with(
        "FS",
        None,
        "household",
        "2026-03-02 registered",
        &none,
        true,
        day,
        "Conflict: choose a value",
    );
    check_due_with(
        "FS",
        Some(&assignee()),
        "task",
        "2026-03-02 in_progress",
        &none,
        true,
        day,
        "Conflict: choose a value",
    );
    check_due_with(
        "FS",
        Some(&assignee()),
        "task",
        "2026-03-02 issued",
        &none,
        true,
        "2026-03-05",
        "Clock: Time to sign until 2026-03-05",
    );
}

proptest! {
    #[test]
    fn a_due_list_is_ordered_by_urgency_then_waiting(keys in prop::collection::vec((0..4_u8, 0..5_i64, 0..9_u8), 0..20)) {
        let urgency = |k: u8| [Urgency::Clock, Urgency::Returned, Urgency::Task, Urgency::Routine][usize::from(k)];
        let item = |(k, at, id): &(u8, i64, u8)| DueItem {
            record: RecordId([*id; 16]),
            urgency: urgency(*k),
            label: None,
            due: None,
            since: Timestamp(*at),
        };
        let mut items: Vec<DueItem<'_>> = keys.iter().map(item).collect();
        let mut shuffled: Vec<DueItem<'_>> = keys.iter().rev().map(item).collect();
        in_order(&mut items);
        in_order(&mut shuffled);
        prop_assert_eq!(&items, &shuffled, "the order of arrival does not matter");
        for pair in items.windows(2) {
            prop_assert!(pair[0].urgency <= pair[1].urgency);
            prop_assert!(pair[0].urgency != pair[1].urgency || pair[0].since <= pair[1].since);
        }
    }

    #[test]
    fn every_run_but_the_last_of_a_clock_has_stopped(steps in prop::collection::vec((0..6_usize, 0..40_i32), 1..12)) {
        let catalogue = shipped();
        let kind = catalogue.kind("task").unwrap();
        let mut on = date("2026-01-05");
        let timeline: Vec<Entered<'_>> = steps
            .iter()
            .map(|(state, later)| {
                on = on.plus_days(*later);
                Entered { state: kind.states[*state].name.as_str(), at: on.starts_at() }
            })
            .collect();
        let values = values(vec![("deadline", day("2026-03-25"))]);
        let facts = Facts { record: RECORD, kind, timeline: &timeline, values: &values, in_conflict: false, last: None };
        let runs = clocks(&facts, catalogue.default_profile(), catalogue.calendar());
        for clock in &kind.clocks {
            let mine: Vec<_> = runs.iter().filter(|run| run.clock == clock).collect();
            let running = mine.iter().filter(|run| run.is_running()).count();
            let holds = clock.runs_in.iter().any(|state| *state == timeline.last().unwrap().state);
            prop_assert_eq!(running, usize::from(holds));
            for pair in mine.windows(2) {
                prop_assert!(pair[0].stopped.is_some_and(|stopped| stopped <= pair[1].started));
            }
        }
    }
}

/// What is due of a care plan that began on a day, with the last visit on another.
#[track_caller]
fn check_care(began: &str, last: Option<&str>, today: &str, expected: Option<&str>) {
    let catalogue = shipped();
    let began = format!("{began} active");
    let timeline = timeline(&[&began]);
    let every = values(vec![("every_days", Value::Int(7))]);
    let facts = Facts {
        record: RECORD,
        kind: catalogue.kind("care_plan").unwrap(),
        timeline: &timeline,
        values: &every,
        in_conflict: false,
        last: last.map(date),
    };
    let reader = Reader {
        role: catalogue.role("FS").unwrap(),
        stands: &|_| false,
    };
    let (profile, calendar) = (catalogue.default_profile(), catalogue.calendar());
    let item = due(&facts, &reader, profile, calendar, date(today));
    let day = item.map(|item| item.due.expect("it has a day").to_string());
    assert_eq!(day.as_deref(), expected);
}

#[test]
fn care_falls_due_by_itself_after_the_last_visit() {
    check_care("2026-03-01", None, "2026-03-04", None);
    check_care("2026-03-01", None, "2026-03-05", Some("2026-03-08"));
    check_care("2026-03-01", Some("2026-03-05"), "2026-03-08", None);
    check_care(
        "2026-03-01",
        Some("2026-03-05"),
        "2026-03-09",
        Some("2026-03-12"),
    );
    // Whoever was seen before the plan began is due from then on.
    check_care(
        "2026-03-01",
        Some("2026-01-05"),
        "2026-03-01",
        Some("2026-01-12"),
    );
}

#[test]
fn a_household_is_due_again_only_if_somebody_said_how_often_and_not_while_it_is_paused() {
    let catalogue = shipped();
    let timeline = timeline(&["2026-03-01 registered"]);
    let due_on = |fields: Vec<(&'static str, Value)>, today: &str| {
        let facts = Facts {
            record: RECORD,
            kind: catalogue.kind("household").unwrap(),
            timeline: &timeline,
            values: &values(fields),
            in_conflict: false,
            last: Some(date("2026-03-10")),
        };
        let reader = Reader {
            role: catalogue.role("FS").unwrap(),
            stands: &|_| false,
        };
        let (profile, calendar) = (catalogue.default_profile(), catalogue.calendar());
        let item = due(&facts, &reader, profile, calendar, date(today));
        item.map(|item| item.due.expect("it has a day").to_string())
    };
    let every = || ("visit_every_days", Value::Int(30));
    let paused = || ("paused_until", day("2026-05-01"));
    assert_eq!(due_on(vec![], "2026-12-01"), None, "off by default");
    assert_eq!(due_on(vec![every()], "2026-04-05"), None);
    let next = Some("2026-04-09".to_owned());
    assert_eq!(due_on(vec![every()], "2026-04-06"), next);
    assert_eq!(due_on(vec![every(), paused()], "2026-04-20"), None);
    let next = Some("2026-05-01".to_owned());
    assert_eq!(due_on(vec![every(), paused()], "2026-04-28"), next);
}

/// Days counted by hand on the calendar of 2026: New Year's Day with the two days after it, worked for on Sunday 4 January; Spring
/// Festival from 15 to 23 February, worked for on Saturdays 14 and 28 February.
#[test]
fn each_clock_of_a_case_ends_on_the_day_that_was_counted_by_hand() {
    let catalogue = shipped();
    let kind = catalogue.kind("case").unwrap();
    let check = |profile: &str, began: &str, values: Fields, expected: &[(&str, &str)]| {
        let timeline = timeline(&[began]);
        let facts = Facts {
            record: RECORD,
            kind,
            timeline: &timeline,
            values: &values,
            in_conflict: false,
            last: None,
        };
        let profile = catalogue.profile(profile).unwrap();
        let found = clocks(&facts, profile, catalogue.calendar());
        let found: Vec<(&str, String)> = found
            .iter()
            .map(|run| (run.clock.name.as_str(), run.due.to_string()))
            .collect();
        let expected: Vec<(&str, String)> = expected
            .iter()
            .map(|(clock, day)| (*clock, (*day).to_owned()))
            .collect();
        assert_eq!(found, expected, "{began}");
    };
    let received = |on: &str| values(vec![("received_on", day(on))]);
    // Wednesday 31 December: 4 (a Sunday that is worked), 5, 6, 7 and 8 January.
    check(
        "default",
        "2025-12-31 verify",
        received("2025-12-31"),
        &[("verify", "2026-01-08"), ("identify_team", "2026-01-29")],
    );
    // Thursday 12 February: 13, 14 (a Saturday that is worked), 24, 25 and 26 February.
    check(
        "default",
        "2026-02-12 verify",
        received("2026-02-12"),
        &[("verify", "2026-02-26"), ("identify_team", "2026-03-18")],
    );
    // Linzhou's fifteen days for the whole of it.
    check(
        "linzhou",
        "2026-03-02 verify",
        received("2026-03-02"),
        &[("verify", "2026-03-09"), ("identify_team", "2026-03-23")],
    );
    let deliberated = || {
        values(vec![
            ("received_on", day("2026-03-02")),
            ("deliberated_on", day("2026-03-16")),
        ])
    };
    check(
        "default",
        "2026-03-25 township",
        deliberated(),
        &[
            ("approve_township", "2026-04-07"),
            ("identify_township", "2026-03-30"),
        ],
    );
}
