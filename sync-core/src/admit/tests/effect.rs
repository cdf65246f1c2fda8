//! Effect is decided at its place, in order, and never undone by what comes later.

use super::scene::*;
use crate::admit::codes;
use crate::command::Verb;
use crate::id::{JournalId, RecordId};
use crate::journal::Fate;
use crate::record::Mark;
use crate::value::Value;

#[test]
fn an_action_takes_effect_only_if_its_author_saw_the_last_effective_one() {
    let mut scene = Scene::new();
    let task = scene.task();
    let base = scene.seq();
    assert_eq!(
        scene.say(SECRETARY, act(task, "task", "sign").base(base)),
        Fate::Accepted
    );
    let decline = act(task, "task", "decline").because("人手不够").base(base);
    assert_eq!(
        scene.say(MEMBER, decline.clone()),
        no_effect(codes::no_effect::SUPERSEDED)
    );
    assert_eq!(
        scene.state(task),
        "in_progress",
        "what has taken effect is not undone"
    );
    assert_eq!(scene.say(MEMBER, decline.base(base + 2)), Fate::Accepted);
    assert_eq!(scene.state(task), "to_reassign");
}

#[test]
fn an_action_after_ones_own_needs_no_receipt() {
    let mut scene = Scene::new();
    let task = scene.task();
    let base = scene.seq();
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    let both = vec![act(task, "task", "sign").base(base), report.base(base)];
    assert_eq!(
        scene.say_all(SECRETARY, both),
        [Fate::Accepted, Fate::Accepted]
    );
    assert_eq!(scene.state(task), "reported");
}

#[test]
fn an_action_that_does_not_leave_from_here_is_without_effect() {
    let mut scene = Scene::new();
    let task = scene.task();
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    assert_eq!(
        scene.say(SECRETARY, report),
        no_effect(codes::no_effect::WRONG_STATE)
    );
    assert_eq!(scene.state(task), "issued");
}

#[test]
fn what_was_without_effect_does_not_stand_in_the_way_of_others() {
    let mut scene = Scene::new();
    let task = scene.task();
    let base = scene.seq();
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    scene.say(SECRETARY, report.base(base));
    assert_eq!(
        scene.say(MEMBER, act(task, "task", "sign").base(base)),
        Fate::Accepted
    );
}

#[test]
fn a_concurrent_action_needs_to_have_seen_nothing_and_supersedes_nothing() {
    let mut scene = Scene::new();
    let task = scene.task();
    let base = scene.seq();
    let days = i64::from(scene.now.date().0);
    scene.say(SECRETARY, act(task, "task", "sign").base(base));
    let ask = act(task, "task", "ask_extension")
        .with("asked_deadline", Value::Int(days + 10))
        .because("下雨");
    assert_eq!(scene.say(MEMBER, ask.base(base)), Fate::Accepted);
    assert_eq!(scene.state(task), "in_progress");
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    assert_eq!(
        scene.say(MEMBER, report.base(base + 1)),
        Fate::Accepted,
        "he saw the last action that moved the state"
    );
}

#[test]
fn a_concurrent_action_must_still_leave_from_its_states() {
    let mut scene = Scene::new();
    let task = scene.task();
    scene.say(TOWNSHIP, act(task, "task", "cancel").because("重复"));
    let ask = act(task, "task", "ask_extension")
        .with("asked_deadline", Value::Int(20_800))
        .because("下雨");
    assert_eq!(
        scene.say(MEMBER, ask),
        no_effect(codes::no_effect::WRONG_STATE)
    );
}

#[test]
fn the_same_person_does_not_check_his_own_step() {
    let mut scene = Scene::new();
    let user = scene.hand(SECRETARY).user;
    let title = create("task", "in_progress").with("title", Value::text("修渠"));
    let own = title.link("assignees", crate::id::RecordId(user.0));
    let task = scene.make(SECRETARY, own);
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    assert_eq!(scene.say(SECRETARY, report), Fate::Accepted);
    assert_eq!(
        scene.say(SECRETARY, act(task, "task", "accept")),
        refused(codes::refused::SAME_PERSON)
    );
}

#[test]
fn an_edit_that_reaches_a_filed_testimony_is_without_effect_and_only_its_author_amends() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    let weather = |text: &str| on(visit, "visit", Verb::Set).with("weather", Value::text(text));
    let base = scene.seq();
    assert_eq!(
        scene.say(MEMBER, weather("晴")),
        Fate::Accepted,
        "a draft is the team's"
    );
    let amend = |text: &str| {
        let amend = on(visit, "visit", Verb::Amend).with("weather", Value::text(text));
        amend.because("记错了")
    };
    assert_eq!(
        scene.say(SECRETARY, amend("雨")),
        refused(codes::refused::NOT_FILED)
    );
    assert_eq!(
        scene.say(SECRETARY, act(visit, "visit", "file")),
        Fate::Accepted
    );
    assert_eq!(
        scene.say(MEMBER, weather("雪").base(base)),
        no_effect(codes::no_effect::FILED)
    );
    assert_eq!(
        scene.say(SECRETARY, weather("雪")),
        no_effect(codes::no_effect::FILED)
    );
    assert_eq!(scene.held(visit, "weather"), [Value::text("晴")]);
    assert_eq!(
        scene.say(MEMBER, amend("雨")),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(scene.say(SECRETARY, amend("雨")), Fate::Accepted);
    assert_eq!(scene.held(visit, "weather"), [Value::text("雨")]);
    let step = scene.fold(visit).steps.pop().unwrap();
    assert_eq!(
        step.was.get("weather"),
        Some(&Value::text("晴")),
        "the original stays shown"
    );
    let no_reason = on(visit, "visit", Verb::Amend).with("weather", Value::text("雨"));
    assert!(scene.say(SECRETARY, no_reason).is_refused());
}

#[test]
fn an_edit_of_a_field_closed_in_that_state_is_without_effect() {
    let mut scene = Scene::new();
    let task = scene.task();
    let title = |text: &str| on(task, "task", Verb::Set).with("title", Value::text(text));
    assert_eq!(scene.say(TOWNSHIP, title("修路")), Fate::Accepted);
    scene.say(SECRETARY, act(task, "task", "sign"));
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    scene.say(SECRETARY, report);
    assert_eq!(
        scene.say(TOWNSHIP, title("修桥")),
        no_effect(codes::no_effect::FIELD_CLOSED)
    );
    assert_eq!(scene.held(task, "title"), [Value::text("修路")]);
}

#[test]
fn a_void_record_takes_no_more_and_stays_in_the_journal() {
    let mut scene = Scene::new();
    let record = scene.household();
    let void = on(record, "household", Verb::Void);
    assert!(
        scene.say(SECRETARY, void.clone()).is_refused(),
        "it needs a reason"
    );
    assert_eq!(scene.say(SECRETARY, void.because("录错户")), Fate::Accepted);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138")),
        no_effect(codes::no_effect::VOID)
    );
    assert_eq!(
        scene.fold(record).void.unwrap().reason.as_deref(),
        Some("录错户")
    );
}

#[test]
fn commands_of_one_batch_take_effect_in_their_order() {
    let mut scene = Scene::new();
    let task = scene.task();
    let report = act(task, "task", "report").with("result", Value::text("修好了"));
    let reversed = vec![report.clone(), act(task, "task", "sign"), report];
    assert_eq!(
        scene.say_all(SECRETARY, reversed),
        [
            no_effect(codes::no_effect::WRONG_STATE),
            Fate::Accepted,
            Fate::Accepted
        ]
    );
}

#[test]
fn an_erasure_takes_whole_records_and_only_who_may_orders_it() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    let household = scene.log(visit)[0].command.envelope.links[0].target;
    let erase = on(household, "household", Verb::Erase)
        .link("records", visit)
        .because("本人依法要求");
    assert_eq!(
        scene.say(SECRETARY, erase.clone()),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(scene.say(COUNTY, erase), Fate::Accepted);
    for record in [household, visit] {
        let folded = scene.fold(record);
        assert!(folded.marks.contains(&Mark::Erased), "{:?}", folded.marks);
        assert!(folded.fields.is_empty());
        assert!(scene.log(record).iter().all(|logged| {
            logged.command.content.is_none() || logged.command.envelope.verb == Verb::Erase
        }));
    }
    assert_eq!(
        scene.say(SECRETARY, phone(household, "138")),
        no_effect(codes::no_effect::ERASED)
    );
    assert_eq!(
        scene.say(SECRETARY, act(visit, "visit", "file")),
        no_effect(codes::no_effect::ERASED)
    );
}

#[test]
fn a_reference_must_lead_to_a_record_of_its_kind() {
    let mut scene = Scene::new();
    let task = scene.task();
    let unknown = refused_for(codes::refused::UNKNOWN_LINK, "household");
    assert_eq!(scene.say(SECRETARY, visit(task)), unknown);
    assert_eq!(
        scene.say(SECRETARY, visit(crate::id::RecordId([9; 16]))),
        unknown
    );
    let household = household();
    let n = scene.hand(SECRETARY).lane.n + 1;
    let origin = crate::command::Origin {
        n,
        ..scene.last(SECRETARY)
    };
    let both = vec![household, visit(origin.record())];
    assert_eq!(
        scene.say_all(SECRETARY, both),
        [Fate::Accepted, Fate::Accepted]
    );
}

#[test]
fn a_reference_that_is_given_anew_or_taken_back_is_one_no_more() {
    let mut scene = Scene::new();
    let (task, visit) = (scene.task(), scene.visit());
    let (first, second) = (scene.household(), scene.household());
    let linked = |scene: &Scene, record: RecordId| -> Vec<RecordId> {
        let index = &scene.host.journal(scene.village.journal).unwrap().index;
        index[&record].linked("household").collect()
    };
    let about = |household| on(task, "task", Verb::Set).link("household", household);
    for household in [first, second] {
        assert_eq!(scene.say(TOWNSHIP, about(household)), Fate::Accepted);
        assert_eq!(linked(&scene, task), [household]);
    }
    let none = on(task, "task", Verb::Set).with("household", Value::Null);
    assert_eq!(scene.say(TOWNSHIP, none), Fate::Accepted);
    assert_eq!(linked(&scene, task), []);
    assert_eq!(
        scene.say(SECRETARY, act(visit, "visit", "file")),
        Fate::Accepted
    );
    let amend = on(visit, "visit", Verb::Amend).link("household", second);
    let was = scene.held(visit, "household");
    assert_eq!(
        scene.say(SECRETARY, amend.because("记错了")),
        Fate::Accepted
    );
    assert_eq!(linked(&scene, visit), [second]);
    let step = scene.fold(visit).steps.pop().unwrap();
    assert_eq!(
        step.was.get("household"),
        was.first(),
        "the original stays shown"
    );
}

#[test]
fn a_reference_into_another_journal_is_not_looked_up_here() {
    let mut scene = Scene::new();
    let mut elsewhere = visit(RecordId([9; 16]));
    elsewhere.links[0].journal = Some(JournalId([9; 16]));
    assert_eq!(scene.say(SECRETARY, elsewhere), Fate::Accepted);
}

#[test]
fn what_is_void_is_still_revealed() {
    let mut scene = Scene::new();
    let visit = scene.visit();
    let void = on(visit, "visit", Verb::Void).because("重复");
    assert_eq!(scene.say(SECRETARY, void), Fate::Accepted);
    let mut reveal = on(visit, "visit", Verb::Reveal).because("核实病情");
    reveal.named.push("illness".to_owned());
    assert_eq!(scene.say(COUNTY, reveal), Fate::Accepted);
}
