//! Each check of the shipped kinds, on phones that sync: when it finds something, and when no longer.

use super::super::scene::{DAY_MS, ID, NOW, Scene, codes, date, day, item, listed, text, to};
use crate::command::Verb;
use crate::sync::device::{Intent, Target};
use crate::value::Value;

#[test]
fn a_dangerous_house_is_doubtful_until_a_case_or_an_issue_of_housing_is_open() {
    let mut scene = Scene::of(&["FS", "TW"]);
    let household = scene.household();
    scene.set(household, "house_grade", text("b"));
    scene.check(&[]);
    scene.set(household, "house_grade", text("d"));
    scene.check(&["household/dangerous_house"]);
    let issue = |area| {
        [
            ("title", text("房屋")),
            ("area", text(area)),
            ("household", to(household)),
        ]
    };
    scene.create("FS", "issue", &issue("water"));
    scene.check(&["household/dangerous_house"]);
    let housing = scene.create("FS", "issue", &issue("housing"));
    scene.check(&[]);
    scene.act("TW", housing, "dismiss", &[]);
    scene.check(&["household/dangerous_house"]);
    let clue = scene.create(
        "FS",
        "clue",
        &[
            ("household", to(household)),
            ("channel", text("visit")),
            ("received_on", day(0)),
        ],
    );
    scene.act(
        "FS",
        clue,
        "verify",
        &[("household", to(household)), ("finding", text("属实"))],
    );
    scene.act("TW", clue, "confirm", &[]);
    let case = [
        ("household", to(household)),
        ("clue", to(clue)),
        ("received_on", day(0)),
    ];
    scene.create("TW", "case", &case);
    scene.check(&[]);
    // A household that moved out has no house here.
    let other = scene.household();
    scene.set(other, "house_grade", text("c"));
    scene.check(&["household/dangerous_house"]);
    scene.act("FS", other, "move_out", &[]);
    scene.check(&[]);
}

#[test]
fn what_the_last_visit_saw_of_house_and_water_is_doubtful_until_a_later_one_finds_nothing() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let visit = |on: i32, look: &str| {
        vec![
            ("household", to(household)),
            ("occurred_on", day(on)),
            ("method", text("home")),
            ("housing", text(look)),
            ("water", text(look)),
        ]
    };
    let first = scene.create("FS", "visit", &visit(-5, "problem"));
    let draft = [
        "household/house_seen",
        "household/unsafe_water",
        "visit/house_seen",
        "visit/unsafe_water",
    ];
    scene.check(&draft);
    scene.act("FS", first, "file", &[]);
    scene.check(&draft[..2]);
    // Written later, of an earlier day.
    let earlier = scene.create("FS", "visit", &visit(-9, "good"));
    scene.act("FS", earlier, "file", &[]);
    scene.check(&draft[..2]);
    let later = scene.create("FS", "visit", &visit(-1, "good"));
    scene.act("FS", later, "file", &[]);
    scene.check(&[]);
}

/// What is written of a member, and what is doubtful then.
type Member<'t> = (&'t [(&'t str, Value)], &'t [&'t str]);

#[test]
fn each_check_of_a_member_finds_what_it_is_for_and_nothing_else() {
    let insured = |year| item(&[("year", Value::Int(year))]);
    let cases: &[Member<'_>] = &[
        (&[("health", codes(&["serious"]))], &["ill_uninsured"]),
        (
            &[("health", codes(&["serious"])), ("insured", insured(2025))],
            &["ill_uninsured"],
        ),
        (
            &[("health", codes(&["serious"])), ("insured", insured(2026))],
            &[],
        ),
        (&[("health", codes(&["chronic"]))], &[]),
        (
            &[
                ("born", date("2020-11-18")),
                ("schooling", text("not_at_school")),
            ],
            &["out_of_school"],
        ),
        (
            &[
                ("born", date("2020-11-19")),
                ("schooling", text("not_at_school")),
            ],
            &[],
        ),
        (
            &[
                ("born", date("2010-11-19")),
                ("schooling", text("dropped_out")),
            ],
            &["out_of_school"],
        ),
        (
            &[
                ("born", date("2010-11-18")),
                ("schooling", text("dropped_out")),
            ],
            &[],
        ),
        (
            &[
                ("born", date("2015-01-01")),
                ("schooling", text("taught_at_home")),
            ],
            &[],
        ),
        (&[("born", date("2015-01-01"))], &[]),
        (&[("id_number", text(ID))], &[]),
        (&[("id_number", text("110105194912310021"))], &["id_number"]),
        (&[("id_number", text("11010519491231002"))], &["id_number"]),
        (&[("disability_card", text(&format!("{ID}43")))], &[]),
        (&[("disability_card", text(&format!("{ID}43B1")))], &[]),
        (
            &[("disability_card", text(&format!("{ID}4")))],
            &["disability_card"],
        ),
    ];
    for (number, (values, expected)) in cases.iter().enumerate() {
        let mut scene = Scene::of(&["FS"]);
        let household = scene.household();
        let own = [
            ("household", to(household)),
            ("name", text("李四")),
            ("relation", text("head")),
        ];
        let person = scene.create("FS", "person", &own);
        // What is sensitive is set apart from what is not; it is never mixed in a command.
        for (field, value) in *values {
            let verb = if *field == "insured" {
                Verb::Insert
            } else {
                Verb::Set
            };
            let intent = Intent::new(Target::Existing(person), verb);
            scene.save("FS", intent.with(*field, value.clone()));
        }
        let found = scene.doubts_of("FS");
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("person/{name}"))
            .collect();
        assert_eq!(found, expected, "case {number}");
    }
}

#[test]
fn a_household_has_one_head_and_no_two_members_have_one_number() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let member = |relation: &str| {
        vec![
            ("household", to(household)),
            ("name", text("李四")),
            ("relation", text(relation)),
        ]
    };
    // Whose members nobody has entered yet has no head to miss.
    scene.check(&[]);
    let spouse = scene.create("FS", "person", &member("spouse"));
    scene.check(&["household/no_head"]);
    let head = scene.create("FS", "person", &member("head"));
    scene.check(&[]);
    scene.set(spouse, "relation", text("head"));
    scene.check(&["household/two_heads"]);
    scene.act("FS", head, "record_death", &[]);
    scene.check(&[]);

    scene.set(spouse, "id_number", text(ID));
    scene.check(&[]);
    let other = scene.household();
    let twin = [
        ("household", to(other)),
        ("name", text("王五")),
        ("relation", text("head")),
    ];
    let twin = scene.create("FS", "person", &twin);
    scene.set(twin, "id_number", text("110105 19491231 002x"));
    scene.check(&["person/id_number_twice", "person/id_number_twice"]);
    scene.act("FS", spouse, "merge", &[("merged_into", to(twin))]);
    assert!(
        !scene
            .doubts_of("FS")
            .contains(&"person/id_number_twice".to_owned())
    );
}

#[test]
fn what_is_yet_to_come_is_doubtful_until_it_came() {
    let mut scene = Scene::of(&["FS", "VC"]);
    let household = scene.household();
    let on = |kind: &str, days: i32| match kind {
        "visit" => vec![("household", to(household)), ("occurred_on", day(days))],
        "diary" => vec![("heading", text("一日")), ("day", day(days))],
        _ => vec![
            ("household", to(household)),
            ("channel", text("visit")),
            ("received_on", day(days)),
        ],
    };
    for kind in ["visit", "diary", "clue"] {
        scene.create("FS", kind, &on(kind, 0));
        scene.check(&[]);
    }
    for kind in ["visit", "diary", "clue"] {
        scene.create("FS", kind, &on(kind, 1));
    }
    let notice = scene.create("FS", "notice", &[("title", text("名单"))]);
    scene.act(
        "VC",
        notice,
        "post",
        &[("posted_on", day(1)), ("place", text("公示栏"))],
    );
    scene.check(&[
        "clue/in_the_future",
        "diary/in_the_future",
        "notice/in_the_future",
        "visit/in_the_future",
    ]);
    scene.now = NOW.plus_ms(DAY_MS);
    scene.check(&[]);
}

#[test]
fn a_notice_is_up_for_its_days() {
    for (days, expected) in [(4, &["notice/too_short"][..]), (5, &[])] {
        let mut scene = Scene::of(&["FS", "VC"]);
        let notice = scene.create("FS", "notice", &[("title", text("名单"))]);
        scene.act(
            "VC",
            notice,
            "post",
            &[("posted_on", day(0)), ("place", text("公示栏"))],
        );
        scene.now = NOW.plus_ms(6 * DAY_MS);
        scene.check(&[]);
        // The days by which the step may be taken are counted otherwise; this is about what was written.
        scene.act("VC", notice, "end", &[("ended_on", day(days))]);
        scene.check(expected);
    }
}

#[test]
fn a_case_is_doubtful_without_a_measure_and_when_it_is_cleared_with_too_little() {
    let mut scene = Scene::of(&["FS", "VC", "TW", "CS"]);
    let (household, case) = listed(&mut scene, "ordinary");
    scene.now = NOW.plus_ms(36 * DAY_MS);
    scene.check(&[]);
    scene.now = NOW.plus_ms(37 * DAY_MS);
    scene.check(&["case/no_measure"]);
    let owner = scene.user("FS");
    let measure = [
        ("title", text("公益岗")),
        ("case", to(case)),
        ("household", to(household)),
        ("owners", owner),
    ];
    let measure = scene.create("FS", "measure", &measure);
    scene.check(&[]);
    scene.act("FS", measure, "sign", &[]);
    scene.act("FS", case, "start", &[("measures", to(measure))]);
    scene.act("FS", measure, "carry_out", &[("effect", text("已上岗"))]);
    scene.act("TW", measure, "accept", &[]);
    scene.now = NOW.plus_ms(200 * DAY_MS);
    let clear = [
        ("income_above_since", day(10)),
        ("expense_settled_on", day(10)),
    ];
    scene.act("FS", case, "propose_clear", &clear);
    scene.check(&["case/no_items"]);
    let sheet = item(&[("item", text("工资")), ("amount", Value::Int(9600))]);
    scene.save(
        "FS",
        Intent::new(Target::Existing(case), Verb::Insert).with("items", sheet),
    );
    scene.check(&[]);
    let void = Intent::new(Target::Existing(measure), Verb::Void);
    scene.save("FS", void.because("录错"));
    scene.check(&["case/cleared_without_measure"]);
    // Sent back and proposed again as one that nobody's help cleared: then no measure is missed.
    scene.act("TW", case, "c_reject", &[("told_on", day(200))]);
    scene.act(
        "FS",
        case,
        "propose_natural",
        &[("income_above_since", day(10))],
    );
    scene.check(&[]);
}

#[test]
fn no_clearing_is_proposed_for_those_who_cannot_work() {
    let mut scene = Scene::of(&["FS", "VC", "TW", "CS"]);
    let (household, case) = listed(&mut scene, "lost");
    scene.now = NOW.plus_ms(200 * DAY_MS);
    scene.check(&["case/no_measure"]);
    scene.act(
        "FS",
        case,
        "propose_natural",
        &[("income_above_since", day(10))],
    );
    scene.check(&["case/no_items", "case/nobody_works"]);
    scene.act("FS", household, "note_without_labour", &[]);
    scene.check(&["case/no_items", "case/without_labour", "case/nobody_works"]);
}

#[test]
fn two_values_of_a_field_are_doubtful_if_one_of_them_is() {
    let mut scene = Scene::of(&["FS", "TM"]);
    let household = scene.household();
    scene.sync("TM");
    let journal = scene.journal();
    for (role, grade) in [("FS", "a"), ("TM", "d")] {
        let intent = Intent::set(household).with("house_grade", text(grade));
        let phone = scene.phones.get_mut(role).unwrap();
        phone.save(journal, None, intent, NOW).unwrap();
    }
    scene.check(&[]);
    scene.sync("TM");
    scene.check(&["household/dangerous_house"]);
}

#[test]
fn a_form_says_beforehand_what_would_be_doubtful() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let journal = scene.journal();
    let before = |scene: &Scene, intents: &[Intent]| -> Vec<String> {
        let found = scene.look().doubts_before(journal, intents);
        found.iter().map(|check| check.name.clone()).collect()
    };
    let visit = |days| {
        let intent = Intent::create("visit").link("household", household);
        intent.with("occurred_on", day(days))
    };
    let problem = visit(1).with("water", text("problem"));
    assert_eq!(before(&scene, &[visit(0)]), [""; 0]);
    assert_eq!(
        before(&scene, std::slice::from_ref(&problem)),
        ["in_the_future", "unsafe_water"]
    );
    // Nothing was saved by asking.
    assert_eq!(scene.doubts_of("FS"), [""; 0]);
    let issue = [
        ("title", text("饮水")),
        ("area", text("water")),
        ("household", to(household)),
    ];
    scene.create("FS", "issue", &issue);
    assert_eq!(before(&scene, &[problem]), ["in_the_future"]);
    let grade = |grade| Intent::set(household).with("house_grade", text(grade));
    assert_eq!(before(&scene, &[grade("d")]), ["dangerous_house"]);
    scene.save("FS", grade("d"));
    assert_eq!(before(&scene, &[grade("a")]), [""; 0]);
    let void = Intent::new(Target::Existing(household), Verb::Void);
    assert_eq!(before(&scene, &[void]), [""; 0]);
    let move_out = Intent::act(household, "move_out").because("迁出");
    assert_eq!(before(&scene, &[move_out]), [""; 0]);
    assert_eq!(before(&scene, &[]), [""; 0]);
}

#[test]
fn doubts_about_a_household_are_its_own_and_those_of_what_refers_to_it() {
    let mut scene = Scene::of(&["FS"]);
    let (one, other) = (scene.household(), scene.household());
    for household in [one, other] {
        scene.set(household, "house_grade", text("c"));
        let member = [("household", to(household)), ("name", text("李四"))];
        let member = scene.create("FS", "person", &member);
        scene.set(member, "id_number", text("1"));
    }
    let about = scene.look().doubts_about(scene.journal(), one);
    let about: Vec<_> = about
        .iter()
        .map(|doubt| (doubt.row.kind.as_str(), doubt.check.as_str()))
        .collect();
    assert_eq!(
        about,
        [
            ("household", "dangerous_house"),
            ("household", "no_head"),
            ("person", "id_number"),
            ("person", "id_number_twice"),
        ]
    );
}

#[test]
fn nothing_is_doubtful_of_what_its_reader_may_not_read_nor_after_the_lease() {
    let mut scene = Scene::of(&["FS", "TW"]);
    let household = scene.household();
    let member = [
        ("household", to(household)),
        ("name", text("李四")),
        ("relation", text("head")),
    ];
    let member = scene.create("FS", "person", &member);
    scene.set(member, "id_number", text("1"));
    scene.check(&["person/id_number"]);
    assert_eq!(scene.doubts_of("TW"), [""; 0]);
    scene.now = NOW.plus_ms(365 * DAY_MS);
    assert!(scene.look().hides_others());
    assert!(scene.look().doubts().is_empty());
    assert!(
        scene
            .look()
            .doubts_about(scene.journal(), household)
            .is_empty()
    );
}
