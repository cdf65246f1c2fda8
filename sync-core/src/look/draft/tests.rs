//! Papers over the shipped kinds, on phones that sync: what stands in them, what does not, and where it comes from.

use super::super::Wanted;
use super::super::scene::{NOW, Scene, day, listed, text, to};
use super::*;
use crate::id::Date;
use crate::sync::device::{Intent, Target};
use crate::value::Value;

/// A paper, drafted in a role's eyes.
#[track_caller]
fn draft<'s>(scene: &'s mut Scene, role: &str, paper: &str, asked: Asked) -> Draft<'s> {
    scene.sync(role);
    let journal = scene.journal();
    let look = Look::new(&scene.phones.get(role).unwrap().device, scene.now);
    let paper = look.catalogue().unwrap().paper(paper).unwrap();
    look.draft(journal, paper, asked).unwrap()
}

/// Its lines in Chinese, each under its section's heading: `走访｜张三｜入户`.
fn lines(draft: &Draft<'_>) -> Vec<String> {
    let lines = draft.sections.iter().flat_map(|section| {
        let line = |line: &DraftLine| {
            let cells = line.cells.iter().map(|cell| cell.zh.as_str());
            let cells: Vec<&str> = core::iter::once(section.label.zh.as_str())
                .chain(cells)
                .collect();
            cells.join("｜")
        };
        section.lines.iter().map(line)
    });
    lines.collect()
}

fn visit(household: RecordId, on: Value, note: &str) -> [(&'static str, Value); 4] {
    [
        ("household", to(household)),
        ("occurred_on", on),
        ("method", text("home")),
        ("note", text(note)),
    ]
}

fn create_for(kind: &str, audience: Audience) -> Intent {
    let target = Target::New {
        kind: kind.to_owned(),
        audience: Some(audience),
    };
    Intent::new(target, Verb::Create)
}

#[test]
fn a_day_sheet_holds_what_its_reader_recorded_of_that_day() {
    let mut scene = Scene::of(&["FS", "TM"]);
    let household = scene.household();
    let seen = scene.create("FS", "visit", &visit(household, day(0), "房顶漏雨"));
    scene.create("FS", "visit", &visit(household, day(-1), "昨天的"));
    scene.create("TM", "visit", &visit(household, day(0), "别人的"));
    // He is named among those who went along.
    let mut along = visit(household, day(0), "一起去的").to_vec();
    along.push(("visitors", scene.user("FS")));
    let named = scene.create("TM", "visit", &along);
    let need = [("title", text("修路")), ("household", to(household))];
    let need = scene.create("FS", "need", &need);
    let number = {
        let look = scene.look();
        let view = look.view(scene.journal(), need).unwrap();
        look.number(&view).unwrap()
    };

    let today = Asked::Day(NOW.date());
    let sheet = draft(&mut scene, "FS", "day_sheet", today);
    assert_eq!(
        lines(&sheet),
        [
            "走访｜张三｜入户｜房顶漏雨｜｜".to_owned(),
            "走访｜张三｜入户｜一起去的｜｜".to_owned(),
            format!("登记民情｜{number}｜修路｜张三｜"),
        ]
    );
    let sources = sheet.sections.iter().flat_map(|section| &section.lines);
    let sources: Vec<RecordId> = sources.map(|line| line.source).collect();
    assert_eq!(sources, [seen, named, need]);
    let yesterday = Asked::Day(NOW.date().plus_days(-1));
    let sheet = draft(&mut scene, "FS", "day_sheet", yesterday);
    assert_eq!(lines(&sheet), ["走访｜张三｜入户｜昨天的｜｜"]);
}

#[test]
fn a_diary_begins_with_the_days_records_and_is_then_its_authors() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let seen = scene.create("FS", "visit", &visit(household, day(0), "房顶漏雨"));
    scene.create("FS", "visit", &visit(household, day(-1), "昨天的"));
    let (journal, look) = (scene.journal(), scene.look());
    let blank = Intent::create("diary").with("heading", text("一天"));
    let filled = look.complete(journal, blank);
    let said = |field: &str| {
        let mut said = filled.values.iter().filter(|(name, _)| *name == field);
        said.next().map(|(_, value)| value.clone())
    };
    assert_eq!(said("text"), Some(text("走访：\n张三，入户，房顶漏雨")));
    let links: Vec<RecordId> = filled.links.iter().map(|link| link.target).collect();
    assert_eq!(links, [seen]);
    // Whoever wrote something himself keeps it; of a day without records nothing is drafted.
    let own = Intent::create("diary").with("text", text("自己写的"));
    let own = look.filled(journal, &own);
    assert!(own.iter().all(|(field, _)| field.name != "text"));
    let other = Intent::create("diary").with("day", day(-9));
    let other = look.filled(journal, &other);
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn a_date_of_birth_follows_from_the_number_that_says_it() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let (journal, look) = (scene.journal(), scene.look());
    let person = |field: &str, number: &str| {
        let intent = create_for("person", Audience::Village);
        let intent = intent.link("household", household);
        look.complete(journal, intent.with(field, text(number)))
    };
    let born = |intent: Intent| intent.values.get("born").cloned();
    let day = "1949-12-31".parse::<Date>().unwrap();
    let day = Some(Value::Int(i64::from(day.0)));
    assert_eq!(born(person("id_number", "11010519491231002X")), day);
    assert_eq!(born(person("disability_card", "11010519491231002X43")), day);
    assert_eq!(born(person("id_number", "110105194912310021")), None);
    let own = person("id_number", "").with("born", Value::Int(0));
    assert_eq!(born(look.complete(journal, own)), Some(Value::Int(0)));
}

#[test]
fn what_is_for_fewer_is_not_drafted_into_what_more_read() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let secret = visit(household, day(0), "只给本队看").to_vec();
    let secret = secret.iter().fold(
        create_for("visit", Audience::Team),
        super::super::scene::with_field,
    );
    scene.save("FS", secret);
    scene.create("FS", "visit", &visit(household, day(0), "都能看"));
    let (journal, look) = (scene.journal(), scene.look());
    let text_for = |audience: Audience| {
        let intent = create_for("diary", audience);
        let filled = look.filled(journal, &intent).into_iter();
        let mut texts = filled.filter(|(field, _)| field.name == "text");
        texts
            .next()
            .and_then(|(_, value)| value.as_text().map(str::to_owned))
    };
    let team = text_for(Audience::Team).unwrap();
    assert!(
        team.contains("只给本队看") && team.contains("都能看"),
        "{team}"
    );
    assert_eq!(
        text_for(Audience::County).unwrap(),
        "走访：\n张三，入户，都能看",
        "the team's own notes go no further by themselves"
    );
}

#[test]
fn a_case_file_tells_the_case_from_its_clue_to_where_it_stands() {
    let mut scene = Scene::of(&["FS", "VC", "TW", "CS"]);
    let (household, case) = listed(&mut scene, "weak");
    let measure = [
        ("title", text("公益岗")),
        ("case", to(case)),
        ("household", to(household)),
        ("owners", scene.user("FS")),
    ];
    let measure = scene.create("FS", "measure", &measure);
    let file = draft(&mut scene, "FS", "case_file", Asked::Record(case));
    assert_eq!(file.title, Some(both("张三")));
    let lines = lines(&file);
    let has = |line: &str| {
        assert!(
            lines.iter().any(|one| one.starts_with(line)),
            "{line} in {lines:#?}"
        );
    };
    has("基本情况｜评议结论｜同意");
    has("成员｜张三｜户主");
    has("走访｜2026-11-18｜入户");
    has("帮扶措施｜公益岗");
    has("办理经过｜2026-11-18｜入户核实");
    has("办理经过｜2026-11-24｜批准｜CS");
    let measures = file.sections.iter().flat_map(|section| &section.lines);
    let measures = measures.filter(|line| line.source == measure);
    assert_eq!(measures.count(), 1);
}

#[test]
fn a_case_file_tells_each_objection_with_its_answer() {
    let mut scene = Scene::of(&["FS", "VC", "TW", "CS"]);
    let (_, case) = listed(&mut scene, "weak");
    let notice = [("title", text("拟纳入名单")), ("case", to(case))];
    let notice = scene.create("FS", "notice", &notice);
    let post = [("posted_on", day(0)), ("place", text("公示栏"))];
    scene.act("VC", notice, "post", &post);
    for (objection, answer) in [("不该有他", "已说明"), ("还有一户", "另行核实")] {
        scene.act("FS", notice, "object", &[("objection", text(objection))]);
        scene.act("VC", notice, "answer", &[("answer", text(answer))]);
    }
    let file = draft(&mut scene, "FS", "case_file", Asked::Record(case));
    let steps = lines(&file).into_iter();
    let steps = steps.filter_map(|line| Some(line.strip_prefix("公示与异议｜")?.to_owned()));
    // Without the day, who, and the reason that none of them has.
    let told = steps.filter_map(|line| {
        let cells: Vec<&str> = line.split('｜').collect();
        let [_, step, _, _, objection, answer] = cells[..] else {
            panic!("{line}");
        };
        let says = !objection.is_empty() || !answer.is_empty();
        says.then(|| format!("{step}：{objection}{answer}"))
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "记录异议：不该有他",
            "答复异议：已说明",
            "记录异议：还有一户",
            "答复异议：另行核实",
        ]
    );
}

#[test]
fn every_name_on_what_hangs_out_is_masked() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    let group = [("householder", text("马德福")), ("group", text("一组"))];
    let other = scene.create("FS", "household", &group);
    let households = Intent::create("notice")
        .with("title", text("拟纳入监测对象名单"))
        .link("households", household)
        .link("households", other);
    let notice = scene.save("FS", households);
    let sheet = draft(&mut scene, "FS", "notice_sheet", Asked::Record(notice));
    assert_eq!(
        lines(&sheet),
        [
            "公示内容｜公示事项｜拟纳入监测对象名单",
            "名单｜张*｜",
            "名单｜马**｜一组",
        ]
    );
}

#[test]
fn a_number_comes_with_the_receipt_and_no_other_record_has_it() {
    let mut scene = Scene::of(&["FS", "TM"]);
    let journal = scene.journal();
    let (now, title) = (scene.now, Intent::create("issue"));
    let title = title
        .with("title", text("断水"))
        .with("area", text("water"));
    scene.sync("FS");
    let phone = scene.phones.get_mut("FS").unwrap();
    let made: Vec<RecordId> = (0..3)
        .map(|_| {
            phone
                .save(journal, None, title.clone(), now)
                .unwrap()
                .record
        })
        .collect();
    let numbers = |scene: &Scene| -> Vec<Option<String>> {
        let look = scene.look();
        let views = made.iter().map(|one| look.view(journal, *one).unwrap());
        views.map(|view| look.number(&view)).collect()
    };
    assert_eq!(numbers(&scene), [None, None, None]);
    scene.sync("FS");
    let theirs = scene.create(
        "TM",
        "issue",
        &[("title", text("断电")), ("area", text("water"))],
    );
    scene.sync("FS");
    let mut all: Vec<String> = numbers(&scene).into_iter().map(Option::unwrap).collect();
    let look = scene.look();
    all.push(look.number(&look.view(journal, theirs).unwrap()).unwrap());
    assert!(
        all.iter().all(|number| number.starts_with("2026-")),
        "{all:?}"
    );
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "{all:?}");
    // Kinds whose records nobody cites have none.
    let household = scene.household();
    let look = scene.look();
    assert_eq!(look.number(&look.view(journal, household).unwrap()), None);
}

#[test]
fn what_refers_to_a_merged_household_is_the_others_until_that_is_undone() {
    let mut scene = Scene::of(&["FS"]);
    let (kept, twice) = (scene.household(), scene.household());
    let seen = scene.create("FS", "visit", &visit(twice, day(-3), "漏雨"));
    scene.set(kept, "visit_every_days", Value::Int(5));
    let journal = scene.journal();
    let of = |scene: &Scene, household| -> Vec<RecordId> {
        let wanted = Wanted {
            refers_to: Some(household),
            ..Wanted::of(Some("visit"), false)
        };
        scene
            .look()
            .rows(&wanted)
            .iter()
            .map(|row| row.record)
            .collect()
    };
    let is_due = |scene: &Scene| scene.look().due().iter().any(|due| due.row.record == kept);
    assert_eq!(of(&scene, kept), []);
    assert!(!is_due(&scene), "nobody was there yet, and it is new");
    scene.act("FS", twice, "merge", &[("merged_into", to(kept))]);
    assert_eq!(
        of(&scene, kept),
        [seen],
        "it is one household, visited three days ago"
    );
    assert_eq!(
        of(&scene, twice),
        [seen],
        "and what was recorded stays as it was recorded"
    );
    assert!(is_due(&scene), "so the next time comes in two days");
    scene.act("FS", twice, "reinstate", &[]);
    assert_eq!(of(&scene, kept), []);
    assert!(!is_due(&scene));
    assert_eq!(scene.look().view(journal, seen).unwrap().void, None);
    // Two that were merged into each other stand each for itself.
    scene.act("FS", twice, "merge", &[("merged_into", to(kept))]);
    scene.act("FS", kept, "merge", &[("merged_into", to(twice))]);
    assert_eq!(of(&scene, twice), [seen]);
    assert_eq!(of(&scene, kept), []);
}

#[test]
fn a_paper_is_of_what_it_is_of_and_of_nothing_else() {
    let mut scene = Scene::of(&["FS"]);
    let household = scene.household();
    scene.create(
        "FS",
        "clue",
        &[
            ("household", to(household)),
            ("channel", text("visit")),
            ("received_on", day(0)),
        ],
    );
    let (journal, look) = (scene.journal(), scene.look());
    let paper = |name: &str| look.catalogue().unwrap().paper(name).unwrap();
    let none = |name, asked| assert_eq!(look.draft(journal, paper(name), asked), None);
    none("case_file", Asked::Day(NOW.date()));
    none("case_file", Asked::Record(household));
    none("day_sheet", Asked::Record(household));
}
