//! Commands against their kinds: each line says what is wrong, or `ok`.

use super::*;
use crate::command::{Audience, Command, Content, Envelope, Link, Splice, Verb};
use crate::id::{Digest, ItemId, JournalId, RecordId, Timestamp};
use crate::limits::{LIST_ITEMS_MAX, REASON_CHARS_MAX, SPLICES_MAX, TEXT_CHARS_MAX};
use crate::value::{Fields, Value};

/// A command of a kind, with what its envelope must say about its content.
fn command(kind: &str, verb: Verb, values: Vec<(&str, Value)>) -> Command {
    let values: Fields = values.into_iter().collect();
    let envelope = Envelope {
        n: 1,
        record: RecordId([1; 16]),
        kind: kind.to_owned(),
        base: 0,
        at: Timestamp(0),
        verb,
        action: None,
        fields: values.keys().cloned().collect(),
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    Command {
        envelope,
        content: Some(Content {
            values,
            ..Content::default()
        }),
    }
}

fn set(kind: &str, field: &str, value: Value) -> Command {
    command(kind, Verb::Set, vec![(field, value)])
}

fn linked(mut command: Command, fields: &[&str]) -> Command {
    let link = |(k, field): (usize, &&str)| {
        let k = u8::try_from(k).unwrap_or(u8::MAX);
        Link {
            field: (*field).to_owned(),
            target: RecordId([k; 16]),
            journal: None,
        }
    };
    command.envelope.links = fields.iter().enumerate().map(link).collect();
    command.envelope.links.sort();
    command
}

fn act(kind: &str, action: &str, reason: Option<&str>, values: Vec<(&str, Value)>) -> Command {
    let mut command = command(kind, Verb::Act, values);
    command.envelope.action = Some(action.to_owned());
    with_reason(command, reason)
}

fn with_reason(mut command: Command, reason: Option<&str>) -> Command {
    command.content.as_mut().unwrap().reason = reason.map(ToOwned::to_owned);
    command
}

fn for_audience(mut command: Command, audience: Audience) -> Command {
    command.envelope.audience = audience;
    command
}

fn edit(kind: &str, field: &str, splices: Vec<Splice>) -> Command {
    let mut command = command(kind, Verb::Edit, Vec::new());
    command.envelope.fields = vec![field.to_owned()];
    command.content.as_mut().unwrap().splices = splices;
    command
}

fn remove(kind: &str, field: &str, items: usize) -> Command {
    let mut command = command(kind, Verb::Remove, Vec::new());
    command.envelope.fields = vec![field.to_owned()];
    command.content.as_mut().unwrap().removed = vec![ItemId([3; 16]); items];
    command
}

fn visit(values: Vec<(&str, Value)>) -> Command {
    linked(command("visit", Verb::Create, values), &["household"])
}

fn splice(text: &str) -> Splice {
    Splice {
        at: 0,
        delete: 0,
        insert: text.to_owned(),
    }
}

fn item(parts: Vec<(&str, Value)>) -> Value {
    Value::Struct(parts.into_iter().collect())
}

fn checklist(items: usize) -> Value {
    Value::List(vec![
        item(vec![
            ("item", Value::text("住房")),
            ("done", Value::Bool(false))
        ]);
        items
    ])
}

#[track_caller]
fn check(command: &Command, expected: &str) {
    check_in(command, Some(Audience::Village), expected);
}

/// What the checks say of a command on a record that is open to an audience.
#[track_caller]
fn check_in(command: &Command, record: Option<Audience>, expected: &str) {
    let catalogue = shipped();
    let record = if command.envelope.verb == Verb::Create {
        None
    } else {
        record
    };
    let content = command.content.as_ref().unwrap();
    let checked = catalogue
        .check_envelope(&command.envelope, record)
        .and_then(|()| catalogue.check_content(&command.envelope, content));
    let said = checked
        .err()
        .map_or_else(|| "ok".to_owned(), |problem| problem.to_string());
    assert_eq!(said, expected);
}

#[test]
fn a_visit_is_created_with_what_its_kind_asks() {
    check(
        &visit(vec![("note", Value::text("上午走到家里，\n说了两件事。"))]),
        "ok",
    );
    check(
        &command("visit", Verb::Create, vec![]),
        "required (household)",
    );
    check(
        &linked(
            command("visit", Verb::Create, vec![]),
            &["household", "household"],
        ),
        "too_many_items (household)",
    );
    check(
        &linked(
            command("visit", Verb::Create, vec![]),
            &["household", "visitors", "visitors"],
        ),
        "ok",
    );
    check(
        &linked(
            command("visit", Verb::Create, vec![]),
            &["household", "note"],
        ),
        "wrong_type (note)",
    );
    check(
        &visit(vec![("mood", Value::text("好"))]),
        "unknown_field (mood)",
    );
    check(
        &visit(vec![("household", Value::Null)]),
        "wrong_type (household)",
    );
    check(&command("vist", Verb::Create, vec![]), "unknown_kind");
}

#[test]
fn a_value_fits_its_fields_type() {
    for (field, value, expected) in [
        ("met", Value::text("孙茂月"), "ok"),
        ("met", Value::text("  "), "empty (met)"),
        ("met", Value::text("两\n行"), "not_one_line (met)"),
        ("met", Value::text("响\u{7}"), "control_character (met)"),
        ("met", Value::text("字".repeat(60)), "ok"),
        ("met", Value::text("字".repeat(61)), "too_long (met)"),
        ("met", Value::Int(1), "wrong_type (met)"),
        ("met", Value::Null, "ok"),
        ("method", Value::text("home"), "ok"),
        ("method", Value::text("入户"), "unknown_code (method)"),
        (
            "needs",
            Value::List(vec![Value::text("water"), Value::text("road")]),
            "ok",
        ),
        ("needs", Value::List(vec![]), "ok"),
        (
            "needs",
            Value::List(vec![Value::text("water"), Value::text("water")]),
            "code_twice (needs)",
        ),
        (
            "needs",
            Value::List(vec![Value::text("gold")]),
            "unknown_code (needs)",
        ),
        (
            "needs",
            Value::List(vec![Value::Int(1)]),
            "wrong_type (needs)",
        ),
        ("needs", Value::text("water"), "wrong_type (needs)"),
        ("occurred_on", Value::Int(20_000), "ok"),
        (
            "occurred_on",
            Value::Int(i64::from(i32::MAX) + 1),
            "not_a_date (occurred_on)",
        ),
        (
            "occurred_on",
            Value::text("2026-01-01"),
            "wrong_type (occurred_on)",
        ),
        ("occurred_at", Value::Int(1439), "ok"),
        ("occurred_at", Value::Int(1440), "not_a_time (occurred_at)"),
        ("occurred_at", Value::Int(-1), "not_a_time (occurred_at)"),
        ("minutes", Value::Int(0), "ok"),
        ("minutes", Value::Int(-1), "too_small (minutes)"),
        ("minutes", Value::Int(1441), "too_large (minutes)"),
        ("crop_area", Value::decimal(83, -1), "ok"),
        ("crop_area", Value::Int(100_000), "ok"),
        (
            "crop_area",
            Value::decimal(10_000_001, -2),
            "too_large (crop_area)",
        ),
        ("crop_area", Value::decimal(-1, -2), "too_small (crop_area)"),
        (
            "crop_area",
            Value::decimal(1, -3),
            "too_many_places (crop_area)",
        ),
        (
            "crop_area",
            Value::Decimal(1, i8::MIN),
            "too_many_places (crop_area)",
        ),
        ("note", Value::text("全文"), "wrong_verb (note)"),
        ("checklist", checklist(1), "wrong_verb (checklist)"),
    ] {
        check(&set("visit", field, value), expected);
    }
    check(&set("task", "clause", Value::text("S0/二（一）")), "ok");
    check(
        &set("task", "clause", Value::text("S9/一")),
        "unknown_measure (clause)",
    );
    check(
        &set("month", "month", Value::text("2026-11")),
        "derived_field (month)",
    );
    check(
        &set("household", "merged_into", Value::Null),
        "not_written_here (merged_into)",
    );
    check(
        &set("household", "householder", Value::Null),
        "required (householder)",
    );
}

#[test]
fn a_place_is_written_as_in_an_address() {
    for (text, good) in [
        ("26.215733,110.819141;u=37", true),
        ("-26.2,-110.8", true),
        ("90,180", true),
        ("90.000001,180", false),
        ("26.2157331,110", false),
        ("26.2, 110.8", false),
        ("26.2,110.8;u=", false),
        ("26.2,110.8;u=3.5", false),
        ("26.2", false),
        ("north,east", false),
        (".5,1", false),
        ("1e2,3", false),
    ] {
        let command = for_audience(
            set("visit", "location", Value::text(text)),
            Audience::Sensitive,
        );
        check(
            &command,
            if good {
                "ok"
            } else {
                "not_a_location (location)"
            },
        );
    }
}

#[test]
fn items_have_the_parts_that_are_declared() {
    let insert = |value| command("visit", Verb::Insert, vec![("checklist", value)]);
    check(&insert(checklist(60)), "ok");
    check(&insert(checklist(61)), "too_many_items (checklist)");
    check(&insert(checklist(0)), "empty (checklist)");
    check(&insert(Value::Null), "wrong_type (checklist)");
    check(
        &insert(Value::List(vec![Value::text("住房")])),
        "wrong_type (checklist)",
    );
    check(
        &insert(Value::List(vec![item(vec![("done", Value::Bool(true))])])),
        "required (checklist)",
    );
    let extra = item(vec![
        ("item", Value::text("住房")),
        ("done", Value::Bool(true)),
        ("by", Value::Int(1)),
    ]);
    check(
        &insert(Value::List(vec![extra])),
        "unknown_part (checklist)",
    );
    check(
        &command("visit", Verb::Insert, vec![("met", Value::List(vec![]))]),
        "wrong_verb (met)",
    );
    check(&remove("visit", "checklist", 1), "ok");
    check(
        &remove("visit", "checklist", 0),
        "nothing_written (checklist)",
    );
    check(
        &remove("visit", "checklist", LIST_ITEMS_MAX + 1),
        "too_many_items (checklist)",
    );
    let blobs = |blob: Vec<u8>| {
        for_audience(
            command(
                "visit",
                Verb::Insert,
                vec![("photos", Value::List(vec![Value::Bytes(blob)]))],
            ),
            Audience::Sensitive,
        )
    };
    check(&blobs(vec![0; 32]), "ok");
    check(&blobs(vec![0; 31]), "not_a_digest (photos)");
}

#[test]
fn a_text_is_edited_by_splices() {
    check(&edit("task", "log", vec![splice("已上门。\n")]), "ok");
    check(&edit("task", "log", vec![]), "nothing_written (log)");
    check(
        &edit("task", "title", vec![splice("x")]),
        "wrong_verb (title)",
    );
    check(
        &edit("task", "log", vec![splice("\u{0}")]),
        "control_character (log)",
    );
    check(
        &edit("task", "log", vec![splice(""); SPLICES_MAX + 1]),
        "too_many_items (log)",
    );
    check(
        &edit("task", "log", vec![splice(&"字".repeat(TEXT_CHARS_MAX))]),
        "ok",
    );
    check(
        &edit(
            "task",
            "log",
            vec![splice(&"字".repeat(TEXT_CHARS_MAX)), splice("字")],
        ),
        "too_long (log)",
    );
    check(
        &edit("task", "result", vec![splice("好")]),
        "not_written_here (result)",
    );
    let mut two = edit("task", "log", vec![splice("x")]);
    two.envelope.fields.insert(0, "brief".to_owned());
    check(&two, "one_field_only");
    let mut with_values = edit("task", "log", vec![splice("x")]);
    with_values.content.as_mut().unwrap().values =
        [("log", Value::text("x"))].into_iter().collect();
    check(&with_values, "unexpected_part");
}

#[test]
fn an_action_brings_what_it_needs_and_nothing_else() {
    check(&act("task", "sign", None, vec![]), "ok");
    check(&act("task", "sgin", None, vec![]), "unknown_action");
    check(&act("task", "decline", None, vec![]), "required (reason)");
    check(
        &act("task", "decline", Some(" \n"), vec![]),
        "required (reason)",
    );
    check(&act("task", "decline", Some("人手不足"), vec![]), "ok");
    check(
        &act(
            "task",
            "decline",
            Some(&"字".repeat(REASON_CHARS_MAX)),
            vec![],
        ),
        "ok",
    );
    check(
        &act(
            "task",
            "decline",
            Some(&"字".repeat(REASON_CHARS_MAX + 1)),
            vec![],
        ),
        "too_long (reason)",
    );
    check(&act("task", "report", None, vec![]), "required (result)");
    check(
        &act("task", "report", None, vec![("result", Value::Null)]),
        "required (result)",
    );
    check(
        &act(
            "task",
            "report",
            None,
            vec![("result", Value::text("已办"))],
        ),
        "ok",
    );
    check(
        &act(
            "task",
            "report",
            None,
            vec![("result", Value::text("已办")), ("title", Value::text("x"))],
        ),
        "not_written_here (title)",
    );
    check(
        &act("task", "reassign", None, vec![]),
        "required (assignees)",
    );
    check(
        &linked(act("task", "reassign", None, vec![]), &["assignees"]),
        "ok",
    );
    check(
        &act("task", "reassign", None, vec![("assignees", Value::Null)]),
        "required (assignees)",
    );
    check(
        &act(
            "task",
            "grant_extension",
            None,
            vec![("deadline", Value::Int(20_000))],
        ),
        "ok",
    );
    let mut named = set("task", "log", Value::Null);
    named.envelope.action = Some("sign".to_owned());
    check(&named, "unexpected_action");
}

#[test]
fn a_doubt_says_what_it_is_about() {
    let review = |verdict: &str, opinion: Option<&str>| {
        let mut values = vec![("verdict", Value::text(verdict))];
        values.extend(opinion.map(|text| ("opinion", Value::text(text))));
        linked(command("review", Verb::Create, values), &["target"])
    };
    check(&review("approve", None), "ok");
    check(&review("doubt", None), "required (opinion)");
    check(&review("return", None), "required (opinion)");
    check(&review("doubt", Some("收入与务工情况不符")), "ok");
    let answer = act(
        "review",
        "answer",
        None,
        vec![("answer", Value::text("已核"))],
    );
    check(&answer, "ok");
    let amend = |field| {
        with_reason(
            command("review", Verb::Amend, vec![(field, Value::text("改"))]),
            Some("笔误"),
        )
    };
    check(&amend("opinion"), "ok");
    check(&amend("answer"), "not_written_here (answer)");
}

#[test]
fn only_a_testimony_is_amended_and_only_with_a_reason() {
    let amend = |reason| {
        with_reason(
            command(
                "visit",
                Verb::Amend,
                vec![("note", Value::text("更正全文"))],
            ),
            reason,
        )
    };
    check(&amend(Some("写错了组名")), "ok");
    check(&amend(None), "required (reason)");
    let household = command(
        "household",
        Verb::Amend,
        vec![("group", Value::text("一组"))],
    );
    check(&with_reason(household, Some("笔误")), "wrong_verb (group)");
    check(
        &with_reason(command("visit", Verb::Amend, vec![]), Some("笔误")),
        "nothing_written",
    );
    let visitors = |values| {
        let amend = command("visit", Verb::Amend, values);
        with_reason(linked(amend, &["visitors"]), Some("笔误"))
    };
    check(&visitors(vec![]), "ok");
    check(&visitors(vec![("met", Value::text("孙茂月"))]), "ok");
    check(
        &with_reason(command("visit", Verb::Void, vec![]), Some("重复")),
        "ok",
    );
    check(&command("visit", Verb::Void, vec![]), "required (reason)");
    check(
        &with_reason(
            command("visit", Verb::Void, vec![("met", Value::Null)]),
            Some("重复"),
        ),
        "not_written_here (met)",
    );
    check(
        &with_reason(set("visit", "met", Value::text("孙茂月")), Some("x")),
        "unexpected_part (reason)",
    );
}

#[test]
fn a_command_never_mixes_audiences() {
    let contact = || set("visit", "contact", Value::text("13800000000"));
    check(&for_audience(contact(), Audience::Sensitive), "ok");
    check(&contact(), "wrong_audience (contact)");
    let both = command(
        "visit",
        Verb::Set,
        vec![("contact", Value::text("1")), ("met", Value::text("x"))],
    );
    check(
        &for_audience(both, Audience::Sensitive),
        "wrong_audience (met)",
    );
    check(
        &visit(vec![("contact", Value::text("1"))]),
        "wrong_audience (contact)",
    );
    check(&for_audience(visit(vec![]), Audience::Team), "ok");
    check(
        &for_audience(visit(vec![]), Audience::County),
        "wrong_audience",
    );
    // Written while the record was the team's alone.
    let earlier = for_audience(set("visit", "met", Value::text("孙茂月")), Audience::Team);
    check_in(&earlier, Some(Audience::Village), "ok");
    check_in(
        &set("visit", "met", Value::text("孙茂月")),
        Some(Audience::Team),
        "wrong_audience (met)",
    );
    check_in(
        &act("visit", "file", None, vec![]),
        Some(Audience::Team),
        "wrong_audience",
    );
    // Widening is a command of its own.
    let widen = command("visit", Verb::Set, vec![]);
    check_in(&widen, Some(Audience::Team), "ok");
    check_in(&widen, Some(Audience::Village), "nothing_written");
    // Of a child everything is sensitive, and comes in one command.
    let child = vec![
        ("name", Value::text("孙小月")),
        ("born", Value::Int(18_000)),
    ];
    let child = linked(command("person", Verb::Create, child), &["household"]);
    check(&for_audience(child.clone(), Audience::Sensitive), "ok");
    check(&child, "wrong_audience (born)");
}

#[test]
fn a_seal_names_a_month() {
    let seal = |month: Option<&str>| {
        let mut seal = command("month", Verb::Seal, vec![]);
        seal.envelope.action = month.map(ToOwned::to_owned);
        seal
    };
    check(&seal(Some("2026-11")), "ok");
    check(&seal(Some("2026-13")), "unknown_action");
    check(&seal(None), "unknown_action");
}

#[test]
fn the_envelope_says_what_the_content_holds() {
    let mut other = set("visit", "met", Value::text("x"));
    other.envelope.fields = vec!["weather".to_owned()];
    check(&other, "fields_differ");
    let mut unordered = visit(vec![
        ("met", Value::text("x")),
        ("weather", Value::text("晴")),
    ]);
    unordered.envelope.fields.reverse();
    check(&unordered, "out_of_order");
    let mut twice = set("visit", "met", Value::text("x"));
    twice.envelope.fields.push("met".to_owned());
    check(&twice, "out_of_order");
    let mut twice = linked(command("visit", Verb::Set, vec![]), &["visitors"]);
    check(&twice, "ok");
    twice.envelope.links.extend_from_within(..);
    check(&twice, "out_of_order");
    let mut elsewhere = linked(command("visit", Verb::Set, vec![]), &["visitors"]);
    elsewhere.envelope.links[0].journal = Some(JournalId([9; 16]));
    check(&elsewhere, "wrong_type (visitors)");
    let mut cleared = linked(set("visit", "visitors", Value::Null), &["visitors"]);
    check(&cleared, "wrong_type (visitors)");
    cleared.envelope.links.clear();
    check(&cleared, "ok");
    let mut reveal = with_reason(command("person", Verb::Reveal, vec![]), Some("核对低保"));
    check(&reveal, "one_field_only");
    reveal.envelope.fields = vec!["id_number".to_owned()];
    check(&reveal, "ok");
    check(&with_reason(reveal.clone(), None), "required (reason)");
    reveal.envelope.fields = vec!["secret".to_owned()];
    check(&reveal, "unknown_field (secret)");
}

#[test]
fn a_code_no_longer_in_force_is_still_accepted_and_no_longer_offered() {
    let files = edited(
        "categories/visit.toml",
        "en = \"By WeChat\" }",
        "en = \"By WeChat\", valid_to = 2025-12-31 }",
    );
    let catalogue = Catalogue::parse(&files).unwrap();
    let command = set("visit", "method", Value::text("wechat"));
    assert_eq!(
        catalogue.check_content(&command.envelope, command.content.as_ref().unwrap()),
        Ok(())
    );
    let methods = catalogue.set("visit_method").unwrap();
    let offered = |day: &str| {
        methods
            .in_force(day.parse().unwrap())
            .any(|category| category.code == "wechat")
    };
    assert!(offered("2025-12-31") && !offered("2026-01-01") && !offered("2020-12-31"));
}
