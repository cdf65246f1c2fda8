//! Who may: roles, and how a person stands to a record.

use super::scene::*;
use crate::admit::codes;
use crate::command::{Audience, Verb};
use crate::id::RecordId;
use crate::journal::Fate;
use crate::value::Value;

#[test]
fn a_register_is_voided_by_its_author_or_the_township_alone() {
    let void = |record| on(record, "household", Verb::Void).because("录错户");
    for (who, may) in [
        (SECRETARY, true),
        (MEMBER, false),
        (COMMITTEE, false),
        (TOWNSHIP, true),
        (COUNTY, false),
    ] {
        let mut scene = Scene::new();
        let record = scene.household();
        let fate = scene.say(who, void(record));
        let expected = if may {
            Fate::Accepted
        } else {
            refused(codes::refused::NOT_ALLOWED)
        };
        assert_eq!(fate, expected, "{who:?}");
    }
}

#[test]
fn whoever_reads_what_is_sensitive_or_may_ask_for_it_reveals_and_nobody_else() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    let department = scene.host.add_user("钱科长", NOON);
    let area = scene.village.area;
    let from = NOON.date().plus_days(-100);
    let assignment = scene.host.assign(department, "DP", area, from, None, NOON);
    let department = scene.enrol(department, assignment);
    let mut reveal = on(visit, "visit", Verb::Reveal).because("核实病情");
    reveal.named.push("illness".to_owned());
    for who in [SECRETARY, COMMITTEE, TOWNSHIP, COUNTY] {
        assert_eq!(scene.say(who, reveal.clone()), Fate::Accepted, "{who:?}");
    }
    let denied = refused(codes::refused::NOT_ALLOWED);
    assert_eq!(scene.say(department, reveal), denied);
}

#[test]
fn a_report_desk_makes_clues_names_who_reported_them_and_does_nothing_else() {
    let mut scene = Scene::new();
    let (area, from) = (scene.village.area, NOON.date().plus_days(-100));
    let desk = scene.host.add_user("报贫台", NOON);
    let assignment = scene.host.assign(desk, "RD", area, from, None, NOON);
    let desk = scene.enrol(desk, assignment);
    let today = Value::Int(i64::from(NOON.date().0));
    let clue = || {
        let clue = create("clue", "to_verify").with("received_on", today.clone());
        clue.with("channel", Value::text("public_page"))
    };
    let contact = |record| {
        let contact = on(record, "clue", Verb::Set).with("contact", Value::text("1"));
        contact.audience(Audience::Sensitive)
    };
    let own = scene.make(desk, clue());
    let others = scene.make(SECRETARY, clue());
    let household = scene.household();
    let note = |record| on(record, "clue", Verb::Set).with("note", Value::text("改"));
    let verify = act(own, "clue", "verify").link("household", household);
    let tried = [
        (contact(own), true),
        (contact(others), false),
        (note(own), false),
        (note(others), false),
        (verify.with("finding", Value::text("属实")), false),
        (on(own, "clue", Verb::Void).because("误报"), false),
        (phone(household, "1"), false),
        (create("household", "registered"), false),
    ];
    for (at, (draft, may)) in tried.into_iter().enumerate() {
        let fate = scene.say(desk, draft);
        assert_eq!(fate == Fate::Accepted, may, "{at}: {fate:?}");
    }
}

#[test]
fn an_assignment_that_ends_before_it_begins_has_not_begun() {
    let mut scene = Scene::new();
    let record = scene.household();
    let user = scene.hand(SECRETARY).user;
    let (today, area) = (scene.now.date(), scene.village.area);
    let from = today.plus_days(1);
    let never = scene.host.assign(user, "FS", area, from, Some(today), NOON);
    scene.hands[0].assignment = never;
    let not_begun = refused(codes::refused::NOT_BEGUN);
    assert_eq!(scene.say(SECRETARY, phone(record, "1")), not_begun);
}

#[test]
fn whoever_holds_the_issuers_office_acts_for_him_and_no_other_office_does() {
    let mut scene = Scene::new();
    let task = scene.task();
    let from = NOON.date().plus_days(-100);
    let township = scene.host.township();
    let successor = scene.host.add_user("孙乡长", NOON);
    let assignment = scene
        .host
        .assign(successor, "TW", township, from, None, NOON);
    let successor = scene.enrol(successor, assignment);
    let cancel = act(task, "task", "cancel").because("重复");
    let denied = refused(codes::refused::NOT_ALLOWED);
    // The county holds another role, the member another role and no part in issuing it.
    for who in [COUNTY, MEMBER] {
        assert_eq!(scene.say(who, cancel.clone()), denied, "{who:?}");
    }
    // The same role elsewhere is another office.
    let county = scene.host.county();
    let elsewhere = scene.host.add_user("周乡长", NOON);
    let assignment = scene.host.assign(elsewhere, "TW", county, from, None, NOON);
    let elsewhere = scene.enrol(elsewhere, assignment);
    assert_eq!(scene.say(elsewhere, cancel.clone()), denied);
    assert_eq!(scene.say(successor, cancel), Fate::Accepted);
}

#[test]
fn a_task_is_signed_for_by_those_it_is_assigned_to() {
    let mut scene = Scene::new();
    let user = RecordId(scene.hand(SECRETARY).user.0);
    let task = create("task", "issued")
        .with("title", Value::text("修渠"))
        .link("assignees", user);
    let task = scene.make(TOWNSHIP, task);
    let sign = act(task, "task", "sign");
    let denied = refused(codes::refused::NOT_ALLOWED);
    assert_eq!(scene.say(MEMBER, sign.clone()), denied);
    assert_eq!(scene.say(SECRETARY, sign), Fate::Accepted);
}

#[test]
fn whose_task_it_is_follows_its_reassignment() {
    let mut scene = Scene::new();
    let task = scene.task();
    let member = RecordId(scene.hand(MEMBER).user.0);
    let reassign = act(task, "task", "reassign").link("assignees", member);
    assert_eq!(scene.say(TOWNSHIP, reassign), Fate::Accepted);
    let sign = act(task, "task", "sign");
    let denied = refused(codes::refused::NOT_ALLOWED);
    assert_eq!(scene.say(SECRETARY, sign.clone()), denied);
    // Another reference of the same record is no change of who it is for.
    let household = scene.household();
    let about = on(task, "task", Verb::Set).link("household", household);
    assert_eq!(scene.say(TOWNSHIP, about), Fate::Accepted);
    assert_eq!(scene.say(MEMBER, sign), Fate::Accepted);
    let entry = &scene.host.journal(scene.village.journal).unwrap().index[&task];
    let targets = |field| entry.linked(field).collect::<Vec<_>>();
    assert_eq!(targets("assignees"), [member]);
    assert_eq!(targets("household"), [household]);
    assert_eq!(targets("visit"), []);
}

#[test]
fn the_author_of_what_a_review_speaks_of_answers_it() {
    let mut scene = Scene::new();
    let household = scene.make(COMMITTEE, household());
    let review = create("review", "raised")
        .with("verdict", Value::text("doubt"))
        .with("opinion", Value::text("户主姓名不符"))
        .link("target", household);
    let review = scene.make(COUNTY, review);
    let answer = act(review, "review", "answer").with("answer", Value::text("已更正"));
    let denied = refused(codes::refused::NOT_ALLOWED);
    assert_eq!(scene.say(TOWNSHIP, answer.clone()), denied);
    assert_eq!(scene.say(COMMITTEE, answer), Fate::Accepted);
}
