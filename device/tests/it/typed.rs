//! What a person types, by the type of each field of the shipped kinds.

use device::Field;
use device::messages::Lang;
use device::values::{Misread, Reading};
use lists::typed;
use sync_core::id::RecordId;
use sync_core::sync::device::{Intent, World};
use sync_core::testing::TestRng;
use sync_core::value::Value;
use tempfile::TempDir;

use crate::support::{NOW, Shared, minutes};

fn team() -> (TempDir, Shared, Field, RecordId) {
    let shared = Shared::new();
    let folder = tempfile::tempdir().unwrap();
    let mut field = shared.field(folder.path(), shared.person("马第一", "FS"));
    let mut rng = TestRng::new(8);
    let mut world = World {
        now: NOW,
        rng: &mut rng,
    };
    let journal = field.villages()[0].0;
    let household = Intent::create("household").with("householder", Value::text("张三"));
    let saved = field.save(&mut world, journal, None, household).unwrap();
    (folder, shared, field, saved.record)
}

fn reading(field: &Field) -> Reading<'_> {
    let journal = field.villages()[0].0;
    Reading {
        field,
        catalogue: field.catalogue(NOW).unwrap(),
        journal,
        now: NOW,
    }
}

#[track_caller]
fn check_value(field: &Field, kind: &str, typed: &str, expected: &Value) {
    let mut intent = Intent::create(kind);
    reading(field).add(&mut intent, kind, typed).unwrap();
    let (name, value) = intent.values.iter().next().expect("a value was read");
    assert_eq!(value, expected, "{name}");
}

#[track_caller]
fn check_misread(field: &Field, kind: &str, typed: &str, expected: fn(&Misread) -> bool) {
    let misread = reading(field)
        .add(&mut Intent::create(kind), kind, typed)
        .unwrap_err();
    assert!(expected(&misread), "{misread:?}");
}

#[test]
fn values_are_read_by_the_fields_type() {
    let (_folder, _shared, field, _) = team();
    let today = i64::from(NOW.date().0);
    check_value(
        &field,
        "visit",
        "occurred_on=2026-11-21",
        &Value::Int(20_778),
    );
    check_value(&field, "visit", "发生日期=今天", &Value::Int(today));
    check_value(&field, "visit", "约定下次=+3", &Value::Int(today + 3));
    check_value(&field, "visit", "occurred_at=09:30", &Value::Int(570));
    check_value(&field, "visit", "method=home", &Value::text("home"));
    check_value(&field, "visit", "方式=入户", &Value::text("home"));
    check_value(&field, "visit", "method=by tel", &Value::text("phone"));
    check_value(
        &field,
        "visit",
        "needs=饮水、road",
        &Value::List(vec![Value::text("water"), Value::text("road")]),
    );
    check_value(&field, "visit", "crop_area=14.50", &Value::decimal(145, -1));
    check_value(&field, "visit", "members=4", &Value::Int(4));
    check_value(&field, "visit", "note=", &Value::Null);
    check_value(&field, "visit", "note=水压 = 小", &Value::text("水压 = 小"));
    let item = Value::Struct(
        [("item", Value::text("屋顶")), ("done", Value::Bool(false))]
            .into_iter()
            .collect(),
    );
    check_value(&field, "visit", "checklist=屋顶", &Value::List(vec![item]));
}

#[test]
fn references_are_read_by_title_id_and_name() {
    let (_folder, shared, field, household) = team();
    let mut intent = Intent::create("task");
    let reading = reading(&field);
    reading.add(&mut intent, "task", "对象=张三").unwrap();
    reading.add(&mut intent, "task", "assignees=我").unwrap();
    let targets: Vec<RecordId> = intent.links.iter().map(|link| link.target).collect();
    assert_eq!(targets, [household, RecordId(field.user().0)]);
    assert_eq!(field.person(field.user()), "马第一");
    check_misread(&field, "task", "assignees=王五", |misread| {
        matches!(misread, Misread::Person(_))
    });
    check_misread(&field, "task", "household=李四", |misread| {
        matches!(misread, Misread::Record(..))
    });
    drop(shared);
}

#[test]
fn what_is_misread_says_what_there_is() {
    let (_folder, _shared, field, _) = team();
    check_misread(&field, "visit", "occurred_on=21.11.", |misread| {
        matches!(misread, Misread::Value(typed::Misread::Date(_)))
    });
    check_misread(&field, "visit", "members=vier", |misread| {
        matches!(misread, Misread::Value(typed::Misread::Number(_)))
    });
    check_misread(
        &field,
        "visit",
        "nonsense=1",
        |misread| matches!(misread, Misread::NoField(_, fields) if fields.len() > 10),
    );
    check_misread(
        &field,
        "visit",
        "method=飞",
        |misread| matches!(misread, Misread::Value(typed::Misread::Code(_, codes)) if codes.len() == 4),
    );
    check_misread(&field, "visit", "photos=a.jpg", |misread| {
        matches!(misread, Misread::Value(typed::Misread::NotTyped))
    });
    check_misread(&field, "visit", "checklist=栏:值", |misread| {
        matches!(misread, Misread::Value(typed::Misread::Part(..)))
    });
    check_misread(&field, "visit", "no sign", |misread| {
        matches!(misread, Misread::Assignment(_))
    });
}

#[test]
fn values_are_shown_by_their_labels() {
    let (_folder, _shared, mut field, household) = team();
    let journal = field.villages()[0].0;
    let mut intent = Intent::create("visit").link("household", household);
    for typed in [
        "method=home",
        "needs=water,road",
        "occurred_on=2026-11-21",
        "checklist=item:屋顶,done:是",
    ] {
        reading(&field).add(&mut intent, "visit", typed).unwrap();
    }
    let mut rng = TestRng::new(9);
    let visit = field
        .save(
            &mut World {
                now: NOW,
                rng: &mut rng,
            },
            journal,
            None,
            intent,
        )
        .unwrap()
        .record;
    let view = field.view(journal, visit, minutes(1)).unwrap();
    let kind = field.kind_of(&view, NOW).unwrap();
    let shown = |name: &str, lang: Lang| {
        let ty = &kind.field(name).unwrap().ty;
        field.text_of(ty, view.value(name).unwrap(), journal, lang, NOW)
    };
    assert_eq!(shown("method", Lang::Zh), "入户");
    assert_eq!(shown("method", Lang::En), "At home");
    assert_eq!(shown("needs", Lang::Zh), "饮水、道路");
    assert_eq!(shown("occurred_on", Lang::Zh), "2026-11-21");
    assert_eq!(shown("household", Lang::Zh), "张三");
}
