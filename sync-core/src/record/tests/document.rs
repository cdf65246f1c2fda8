//! What other readers of Automerge find in a record's document.

use automerge::{AutoCommit, ReadDoc as _, ScalarValue};

use super::*;

fn scalar(document: &AutoCommit, object: &automerge::ObjId, key: &str) -> ScalarValue {
    match document.get(object, key).unwrap() {
        Some((automerge::Value::Scalar(value), _)) => value.into_owned(),
        other => panic!("{key} is a plain value, not {other:?}"),
    }
}

#[test]
fn a_document_holds_values_in_the_form_that_other_readers_expect() {
    let parts = [("item", Value::text("查水表")), ("done", Value::Bool(true))];
    let item = Value::Struct(Fields::from_iter(parts));
    let story = Story::new()
        .says_at(
            1,
            1,
            Verb::Set,
            &["area"],
            gives("area", Value::Decimal(125, -1)),
        )
        .says_at(
            1,
            1,
            Verb::Set,
            &["members"],
            gives("members", Value::Int(4)),
        )
        .says_at(
            1,
            1,
            Verb::Set,
            &["photo"],
            gives("photo", Value::Bytes(vec![7; 3])),
        )
        .says_at(1, 1, Verb::Set, &["gone"], gives("gone", Value::Null))
        .says_at(2, 1, Verb::Edit, &["text"], types(0, 0, "北墙"))
        .says_at(
            2,
            1,
            Verb::Insert,
            &["list"],
            gives("list", Value::List(vec![item])),
        )
        .says_at(
            2,
            1,
            Verb::Set,
            &["codes"],
            gives(
                "codes",
                Value::List(vec![Value::text("water"), Value::text("road")]),
            ),
        );
    let record = folded(&story.0);
    let document = AutoCommit::load(&record.document.unwrap().0).unwrap();
    let root = automerge::ROOT;
    assert_eq!(scalar(&document, &root, "area"), ScalarValue::F64(12.5));
    assert_eq!(scalar(&document, &root, "members"), ScalarValue::Int(4));
    assert_eq!(
        scalar(&document, &root, "photo"),
        ScalarValue::Bytes(vec![7; 3])
    );
    assert_eq!(scalar(&document, &root, "gone"), ScalarValue::Null);
    let (_, text) = document.get(&root, "text").unwrap().unwrap();
    assert_eq!(document.text(&text).unwrap(), "北墙");
    let (_, list) = document.get(&root, "list").unwrap().unwrap();
    let id = document.keys(&list).next().unwrap();
    let (_, item) = document.get(&list, id.as_str()).unwrap().unwrap();
    assert_eq!(
        scalar(&document, &item, "item"),
        ScalarValue::Str("查水表".into())
    );
    assert_eq!(scalar(&document, &item, "done"), ScalarValue::Boolean(true));
    let (_, codes) = document.get(&root, "codes").unwrap().unwrap();
    let code = |at: usize| {
        document
            .get(&codes, at)
            .unwrap()
            .unwrap()
            .0
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!([code(0), code(1)], ["water", "road"]);
}

#[test]
fn a_reference_is_read_back_from_its_value() {
    let target = RecordId([3; 16]);
    let own = Value::Bytes(target.0.to_vec());
    let elsewhere = Value::Bytes([[3; 16], [4; 16]].concat());
    assert_eq!(referred(&own), Some(target));
    assert_eq!(referred(&elsewhere), Some(target));
    assert_eq!(referred(&Value::Bytes(vec![3; 15])), None);
    assert_eq!(referred(&Value::text("3")), None);
}

/// What each command of a story had seen, and the newest of it.
fn sights(story: &Story) -> Vec<(Vec<usize>, Vec<usize>)> {
    let log: Vec<&Logged> = story.0.iter().collect();
    let mut context = Context::default();
    for (at, logged) in log.iter().enumerate() {
        context.push(logged, &log[..at]);
    }
    let sight = |at| (context.of(at).collect(), context.frontier(at));
    (0..log.len()).map(sight).collect()
}

#[test]
fn a_change_depends_on_the_newest_of_what_its_author_saw_and_on_no_more() {
    let mut story = Story::new();
    for _ in 0..140 {
        story = story.says(1, Verb::Act, &[], Content::default());
    }
    for (at, (seen, newest)) in sights(&story).into_iter().enumerate() {
        assert_eq!(seen, (0..at).collect::<Vec<_>>());
        assert_eq!(newest, at.checked_sub(1).into_iter().collect::<Vec<_>>());
    }
    // Two lanes apart; one meets the other; a third sees the beginning alone; a fourth sees all.
    let apart = Story::new()
        .says_at(1, 1, Verb::Act, &[], Content::default())
        .says_at(2, 1, Verb::Act, &[], Content::default())
        .says_at(2, 2, Verb::Act, &[], Content::default())
        .says_at(3, 1, Verb::Act, &[], Content::default())
        .says(4, Verb::Act, &[], Content::default());
    let expected = [
        (vec![], vec![]),
        (vec![0], vec![0]),
        (vec![0], vec![0]),
        (vec![0, 1, 2], vec![1, 2]),
        (vec![0], vec![0]),
        (vec![0, 1, 2, 3, 4], vec![3, 4]),
    ];
    assert_eq!(sights(&apart), expected);
}

#[test]
fn a_document_names_for_each_change_the_newest_that_its_author_saw() {
    let set = |story: Story, lane, base, to| {
        let value = gives("phone", Value::Int(to));
        story.says_at(lane, base, Verb::Set, &["phone"], value)
    };
    // Lane 1 writes on and on; lane 2 saw nothing of it, and lane 3 all.
    let mut story = set(Story::new(), 2, 1, 0);
    for to in 1..4 {
        story = set(story, 1, 1, to);
    }
    let story = set(story, 3, 5, 4);
    let document = story.folded().document.unwrap();
    let document = automerge::Automerge::load(&document.0).unwrap();
    let changes = document.get_changes(&[]);
    let named: Vec<usize> = changes.iter().map(|change| change.deps().len()).collect();
    assert_eq!(named, [0, 0, 1, 1, 2]);
}
