//! Every mistake is reported with its line and what to write instead.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is expected is written where it is expected"
)]

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::limits::{FIELDS_MAX, NAME_BYTES_MAX};

/// What is said of the shipped files after one text in them was replaced. Lines are quoted and not numbered, so that only a change
/// of what they say changes a test.
#[track_caller]
fn check_edit(file: &str, from: &str, to: &str, expected: Expect) {
    let files = edited(file, from, to);
    let mistakes = Catalogue::parse(&files).err().unwrap_or_default();
    let quoted = |mistake: &Mistake| {
        let text = files
            .iter()
            .find(|file| file.name == mistake.file)
            .map_or("", |file| &file.text);
        let line = text.lines().nth(mistake.line - 1).unwrap_or_default();
        format!(
            "{} `{line}`: {}: {}\n",
            mistake.file, mistake.message, mistake.remedy
        )
    };
    expected.assert_eq(&mistakes.iter().map(quoted).collect::<String>());
}

/// What is said of a kind in a file `kinds/sample.toml` beside the shipped ones.
#[track_caller]
fn check_kind(text: &str, expected: Expect) {
    let mut files = builtin::files();
    files.push(SourceFile {
        name: "kinds/sample.toml".to_owned(),
        text: text.to_owned(),
    });
    let mistakes = Catalogue::parse(&files).err().unwrap_or_default();
    expected.assert_eq(&listed(&mistakes));
}

const SOUND: &str = r#"
name = "sample"
label = { zh = "样例", en = "Sample" }
class = "register"
title = "name"
audience = ["village"]
set_by = ["FS TM"]
[[create]]
by = ["FS TM"]
state = "open"
[states.open]
label = { zh = "开", en = "Open" }
[states.shut]
label = { zh = "关", en = "Shut" }
closed = true
[actions.shut]
label = { zh = "关", en = "Shut" }
from = ["open"]
to = "shut"
by = ["FS TM"]
[fields.name]
label = { zh = "名称", en = "Name" }
type = "text"
"#;

/// What is said of the sound sample after one text in it was replaced.
#[track_caller]
fn check_sample(from: &str, to: &str, expected: Expect) {
    assert!(SOUND.contains(from), "the sample does not say {from:?}");
    check_kind(&SOUND.replacen(from, to, 1), expected);
}

#[test]
fn the_sample_is_sound() {
    check_kind(SOUND, expect![[""]]);
}

#[test]
fn a_mistyped_key_or_word_says_what_was_meant() {
    check_sample(
        "title =",
        "titel =",
        expect![[r#"
        kinds/sample.toml:1:1: the file has no `title`: write `title = "the field that stands for the record"`
        kinds/sample.toml:5:1: the file knows no `titel`: did you mean `title`?
    "#]],
    );
    check_sample(
        "class = \"register\"",
        "class = \"registre\"",
        expect![[r#"
            kinds/sample.toml:4:9: `class` of the file cannot be `registre`: did you mean `register`?
        "#]],
    );
    check_sample(
        "type = \"text\"",
        "type = \"txet\"",
        expect![[r#"
        kinds/sample.toml:23:8: the field `name` cannot be of type `txet`: did you mean `text`?
    "#]],
    );
    check_sample(
        "type = \"text\"",
        "type = \"essay\"\nmax = 3",
        expect![[r#"
            kinds/sample.toml:23:8: the field `name` cannot be of type `essay`: write one of `blob`, `blobs`, `bool`, `code`, `codes`, `date`, `decimal`, `int`, `list`, `location`, `long_text`, `measure`, `ref`, `refs`, `text`, `time`, `user`, `users`
        "#]],
    );
    check_sample(
        "from = [\"open\"]",
        "from = [\"opne\"]",
        expect![[r#"
        kinds/sample.toml:18:1: there is no state `opne`: did you mean `open`?
    "#]],
    );
    check_sample(
        "title = \"name\"",
        "title = \"nam\"",
        expect![[r#"
        kinds/sample.toml:5:1: there is no field `nam`: did you mean `name`?
    "#]],
    );
    check_sample(
        "title = \"name\"",
        "title = \"name\"\nstand_in = \"nme\"",
        expect![[r#"
        kinds/sample.toml:6:1: there is no field `nme`: did you mean `name`?
    "#]],
    );
    check_sample(
        "audience = [\"village\"]",
        "audience = [\"villages\"]",
        expect![[r#"
            kinds/sample.toml:6:13: `audience` of the file cannot be `villages`: did you mean `village`?
        "#]],
    );
    check_sample(
        "by = [\"FS TM\"]",
        "by = [\"FS TX\"]",
        expect![[r#"
        kinds/sample.toml:7:11: there is no role `TX`: did you mean `TM`?
    "#]],
    );
    check_sample(
        "by = [\"FS TM\"]\n[fields",
        "by = [\"FS TM if auther\"]\n[fields",
        expect![[r#"
            kinds/sample.toml:20:7: the action `shut` knows no condition `auther`: did you mean `author`?
        "#]],
    );
    check_sample(
        "by = [\"FS TM\"]\n[fields",
        "by = [\"anybody\"]\n[fields",
        expect![[r#"
            kinds/sample.toml:20:7: `by` of the action `shut` says `anybody`: write roles, and perhaps a condition: "FS TM" or "TW CS if issuer"
        "#]],
    );
}

#[test]
fn a_missing_part_says_what_to_write() {
    check_sample(
        "label = { zh = \"样例\", en = \"Sample\" }",
        "label = { zh = \"样例\" }",
        expect![[r#"
            kinds/sample.toml:3:9: the label of the file has no `en`: write `en = "…"`
        "#]],
    );
    check_sample(
        "label = { zh = \"名称\", en = \"Name\" }\n",
        "",
        expect![[r#"
            kinds/sample.toml:21:9: the field `name` has no `label`: write `label = { zh = "…", en = "…" }`
        "#]],
    );
    check_sample(
        "zh = \"样例\"",
        "zh = \" \"",
        expect![[r#"
        kinds/sample.toml:3:16: `zh` of the label of the file is empty: write what people are to read
    "#]],
    );
    check_sample(
        "name = \"sample\"\n",
        "",
        expect![[r#"
        kinds/sample.toml:1:1: the file has no `name`: write `name = "sample"`
    "#]],
    );
    check_sample(
        "by = [\"FS TM\"]\nstate = \"open\"",
        "",
        expect![[r#"
        kinds/sample.toml:8:1: a `create` of the file has no `by`: write `by = ["FS TM"]`
        kinds/sample.toml:8:1: a `create` of the file has no `state`: write `state = "the state in which the record then is"`
    "#]],
    );
    check_kind(
        "",
        expect![[r#"
        kinds/sample.toml:1:1: the file has no `audience`: write `audience = ["village"]`
        kinds/sample.toml:1:1: the file has no `class`: write `class = "testimony"`
        kinds/sample.toml:1:1: the file has no `label`: write `label = { zh = "…", en = "…" }`
        kinds/sample.toml:1:1: the file has no `name`: write `name = "sample"`
        kinds/sample.toml:1:1: the file has no `title`: write `title = "the field that stands for the record"`
        kinds/sample.toml:1:1: the kind declares no `create`: write `[[create]]` with `by` and `state`: who may make a record
        kinds/sample.toml:1:1: the kind declares no `fields`: write `[fields.some_name]` and what it has below
        kinds/sample.toml:1:1: the kind declares no `states`: write `[states.some_name]` and what it has below
    "#]],
    );
}

#[test]
fn a_wrong_type_says_what_it_should_be() {
    check_sample(
        "closed = true",
        "closed = \"yes\"",
        expect![[r#"
        kinds/sample.toml:13:9: a record never leaves the state `shut`: write `closed = true`, or let an action lead out of it
        kinds/sample.toml:15:10: `closed` of the state `shut` must be true or false, not a string: write `closed = true`
    "#]],
    );
    check_sample(
        "type = \"text\"",
        "type = \"text\"\nmax = 0",
        expect![[r#"
        kinds/sample.toml:24:1: `max` of the field `name` is 0: write a number from 1 to 16384
    "#]],
    );
    check_sample(
        "type = \"text\"",
        "type = \"text\"\nmax = \"many\"",
        expect![[r#"
            kinds/sample.toml:24:7: `max` of the field `name` must be a whole number, not a string: write `max = 200`
        "#]],
    );
    check_sample(
        "audience = [\"village\"]",
        "audience = \"village\"",
        expect![[r#"
            kinds/sample.toml:6:12: `audience` of the file must be a list of texts, not a string: write `audience = ["…"]`
        "#]],
    );
    check_sample(
        "[fields.name]",
        "[[fields.name]]",
        expect![[r#"
        kinds/sample.toml:5:1: there is no field `name`: declare it as `[fields.name]`
        kinds/sample.toml:21:10: the field `name` must be a table, not an array: write `[fields.name]` on a line of its own, and what it has below
    "#]],
    );
    check_sample(
        "[[create]]",
        "[create]",
        expect![[r#"
        kinds/sample.toml:8:1: `create` of the file must be a list of tables: write `[[create]]`
        kinds/sample.toml:11:9: no record can reach the state `open`: let a `[[create]]` begin there or an action lead there
        kinds/sample.toml:13:9: no record can reach the state `shut`: let a `[[create]]` begin there or an action lead there
    "#]],
    );
    check_sample(
        "from = [\"open\"]",
        "from = [\"open\", 7, \"open\"]",
        expect![[r#"
            kinds/sample.toml:18:17: `from` of the action `shut` must be a list of texts, not an integer: write `from = ["…"]`
            kinds/sample.toml:18:20: `open` stands twice in `from` of the action `shut`: remove one
        "#]],
    );
}

#[test]
fn several_mistakes_are_all_reported_and_so_is_what_is_not_toml() {
    check_kind(
        "name = \"Sample\"\nlabel = { zh = \"样例\" en = \"Sample\" }\nclass = register\n[fields.note]\ntype = \"long\"\ncolour = 3\n",
        expect![[r#"
            kinds/sample.toml:1:1: the file has no `audience`: write `audience = ["village"]`
            kinds/sample.toml:1:1: the file has no `title`: write `title = "the field that stands for the record"`
            kinds/sample.toml:1:1: the kind declares no `create`: write `[[create]]` with `by` and `state`: who may make a record
            kinds/sample.toml:1:1: the kind declares no `states`: write `[states.some_name]` and what it has below
            kinds/sample.toml:1:8: `Sample` cannot name a kind: write lower-case letters, digits and `_`, a letter first, 64 at most
            kinds/sample.toml:1:8: the kind `Sample` is not named as its file: name the file kinds/Sample.toml, or write `name = "sample"`
            kinds/sample.toml:2:9: the label of the file has no `zh`: write `zh = "…"`
            kinds/sample.toml:2:21: this is not TOML: missing comma between key-value pairs, expected `,`: mend the line
            kinds/sample.toml:3:9: this is not TOML: string values must be quoted, expected literal string: mend the line
            kinds/sample.toml:4:9: the field `note` has no `label`: write `label = { zh = "…", en = "…" }`
            kinds/sample.toml:5:8: the field `note` cannot be of type `long`: write one of `blob`, `blobs`, `bool`, `code`, `codes`, `date`, `decimal`, `int`, `list`, `location`, `long_text`, `measure`, `ref`, `refs`, `text`, `time`, `user`, `users`
            kinds/sample.toml:6:1: the field `note` knows no `colour`: remove it; known here: `audience`, `check_of`, `closed_in`, `derived`, `fill`, `kind`, `label`, `mask`, `max`, `min`, `parts`, `places`, `required_when`, `required`, `retired`, `set_by`, `set`, `type`, `written`
        "#]],
    );
}

#[test]
fn a_kind_that_cannot_work_is_refused() {
    check_sample(
        "closed = true",
        "",
        expect![[r#"
        kinds/sample.toml:13:9: a record never leaves the state `shut`: write `closed = true`, or let an action lead out of it
    "#]],
    );
    check_sample(
        "to = \"shut\"",
        "",
        expect![[r#"
        kinds/sample.toml:11:9: a record never leaves the state `open`: write `closed = true`, or let an action lead out of it
        kinds/sample.toml:13:9: no record can reach the state `shut`: let a `[[create]]` begin there or an action lead there
    "#]],
    );
    check_sample(
        "name = \"sample\"",
        "name = \"any\"",
        expect![[r#"
        kinds/sample.toml:2:8: `any` is a reserved word and cannot name a kind: write another name
        kinds/sample.toml:2:8: the kind `any` is not named as its file: name the file kinds/any.toml, or write `name = "sample"`
    "#]],
    );
    check_sample(
        "[fields.name]",
        "[fields.reason]",
        expect![[r#"
        kinds/sample.toml:5:1: there is no field `name`: declare it as `[fields.name]`
        kinds/sample.toml:21:9: `reason` is a reserved word and cannot name a field: write another name
    "#]],
    );
    check_sample(
        "[fields.name]",
        "[fields.Name]",
        expect![[r#"
        kinds/sample.toml:5:1: there is no field `name`: did you mean `Name`?
        kinds/sample.toml:21:9: `Name` cannot name a field: write lower-case letters, digits and `_`, a letter first, 64 at most
    "#]],
    );
    check_sample(
        "[[create]]",
        "[[create]]\nby = [\"FS\"]\nstate = \"open\"\n[[create]]",
        expect![[r#"
            kinds/sample.toml:12:1: the role `FS` creates records in two ways: name each role once
        "#]],
    );
    check_sample(
        "by = [\"FS TM\"]\nstate",
        "by = [\"FS TM if author\"]\nstate",
        expect![[r#"
            kinds/sample.toml:9:1: nobody stands in a relation to a record that is not there yet: write roles only
        "#]],
    );
    check_sample(
        "by = [\"FS TM\"]\nstate",
        "by = [\"SYS\"]\nstate",
        expect![[r#"
            kinds/sample.toml:9:7: `SYS` is an administrator, who writes no records: name another role
        "#]],
    );
    check_sample(
        "class = \"register\"",
        "class = \"testimony\"",
        expect![[r#"
            kinds/sample.toml:4:1: a testimony is filed at some time, but no state says so: write `filed = true` in a state
            kinds/sample.toml:4:1: nobody may amend this testimony once it is filed: write `amend_by = ["FS TM if author"]`, or who may
        "#]],
    );
    check_sample(
        "closed = true",
        "closed = true\nfiled = true",
        expect![[r#"
            kinds/sample.toml:16:1: only a testimony is filed: remove `filed`, or write `closed = true`
        "#]],
    );
    check_sample(
        "set_by = [\"FS TM\"]",
        "amend_by = [\"FS TM\"]",
        expect![[r#"
            kinds/sample.toml:7:1: only a testimony is amended: remove `amend_by`
        "#]],
    );
    check_sample(
        "to = \"shut\"",
        "to = \"shut\"\nconcurrent = true",
        expect![[r#"
            kinds/sample.toml:20:1: the action `shut` is concurrent, so it cannot move the state: remove `to` or `concurrent`
        "#]],
    );
    check_sample(
        "to = \"shut\"",
        "to = \"shut\"\nnot_same_person_as = \"shut\"",
        expect![[r#"
            kinds/sample.toml:20:1: there is no other action `shut`: write one of nothing
        "#]],
    );
}

#[test]
fn a_field_that_cannot_work_is_refused() {
    let with = |more: &str| format!("{SOUND}{more}");
    check_kind(
        &with("audience = \"sensitive\"\nrequired = \"creation\""),
        expect![[r#"
            kinds/sample.toml:25:1: the field `name` cannot come with the creation: its audience is another: write `required = "filing"`
        "#]],
    );
    check_kind(
        &with("mask = \"year\""),
        expect![[r#"
        kinds/sample.toml:24:1: a `text` cannot be masked so: write `mask = "all"`, or remove it
    "#]],
    );
    check_kind(
        &with("written = \"action\""),
        expect![[r#"
        kinds/sample.toml:24:1: the field `name` is written by actions, but none writes it: add it to `needs` or `writes` of an action, or remove `written`
    "#]],
    );
    check_kind(
        &with("written = \"creation\"\nset_by = [\"FS\"]"),
        expect![[r#"
            kinds/sample.toml:25:1: the field `name` cannot be set, so nobody may: remove `set_by`
        "#]],
    );
    check_kind(
        &with("derived = true\nrequired = \"filing\""),
        expect![[r#"
            kinds/sample.toml:25:1: the field `name` is derived, so nobody can bring it: remove `required`
        "#]],
    );
    check_kind(
        &with("closed_in = [\"gone\"]"),
        expect![[r#"
        kinds/sample.toml:24:1: there is no state `gone`: declare it as `[states.gone]`
    "#]],
    );
    check_kind(
        &with("set_by = [\"VC if in name\", \"TW if author of nobody\"]"),
        expect![[r#"
            kinds/sample.toml:24:1: `in name` needs a field of type `user` or `users`: name another field
            kinds/sample.toml:24:1: there is no field `nobody`: declare it as `[fields.nobody]`
        "#]],
    );
}

#[test]
fn a_field_type_lacks_nothing_that_belongs_to_it() {
    let with = |more: &str| format!("{SOUND}{more}");
    let other = "[fields.other]\nlabel = { zh = \"另\", en = \"Other\" }\n";
    check_kind(
        &with(&format!("{other}type = \"code\"\nset = \"looks\"")),
        expect![[r#"
            kinds/sample.toml:27:7: there is no category set `looks`: did you mean `look`?
        "#]],
    );
    check_kind(
        &with(&format!("{other}type = \"ref\"")),
        expect![[r#"
        kinds/sample.toml:24:9: the field `other` has no `kind`: write `kind = "the kind it refers to, or any"`
    "#]],
    );
    check_kind(
        &with(&format!(
            "{other}type = \"ref\"\nkind = \"houshold\"\naudience = \"village\""
        )),
        expect![[r#"
            kinds/sample.toml:27:8: there is no kind `houshold`: did you mean `household`?
            kinds/sample.toml:28:1: the field `other` is a reference, which stands in the envelope and is read by all: remove `audience`
        "#]],
    );
    check_kind(
        &with(&format!("{other}type = \"int\"\nmin = 5\nmax = 4")),
        expect![[r#"
            kinds/sample.toml:28:1: the field `other` has no value from 5 to 4: correct `min` or `max`
        "#]],
    );
    check_kind(
        &with(&format!("{other}type = \"list\"")),
        expect![[r#"
        kinds/sample.toml:24:9: the field `other` has no parts: write a table under `parts` for each, as in `[fields.checklist.parts.item]`
    "#]],
    );
    check_kind(
        &with(&format!(
            "{other}type = \"list\"\n[fields.other.parts.who]\nlabel = {{ zh = \"谁\", en = \"Who\" }}\ntype = \"user\""
        )),
        expect![[r#"
            kinds/sample.toml:29:8: the part `who` cannot be of type `user`: write one of `bool`, `code`, `date`, `decimal`, `int`, `measure`, `text`, `time`
        "#]],
    );
    check_kind(
        &with(&format!(
            "required_when = {{ field = \"other\", is = [\"godo\"] }}\n{other}type = \"code\"\nset = \"look\""
        )),
        expect![[r#"
            kinds/sample.toml:24:1: there is no code `godo`: did you mean `good`?
        "#]],
    );
    check_kind(
        &with("required_when = { field = \"name\", is = [] }"),
        expect![[r#"
            kinds/sample.toml:24:1: `name` is not of type `code`: name a field of type `code`
            kinds/sample.toml:24:1: `required_when` of the field `name` has no `is`: write `is = ["…"]`
        "#]],
    );
}

#[test]
fn what_no_command_could_bring_is_refused() {
    let with = |more: &str| format!("{SOUND}{more}");
    let narrow = SOUND.replace("audience = [\"village\"]", "audience = [\"team\"]");
    check_kind(
        &format!("{narrow}audience = \"county\""),
        expect![[r#"
        kinds/sample.toml:24:1: the field `name` would be read by people who may not read the record: give it an audience no wider than any in `audience` of the kind
    "#]],
    );
    let writes = |fields: &str| {
        SOUND.replace(
            "to = \"shut\"",
            &format!("to = \"shut\"\nwrites = [{fields}]"),
        )
    };
    let secret = "[fields.secret]\nlabel = { zh = \"密\", en = \"Secret\" }\ntype = \"text\"\naudience = \"sensitive\"\n";
    check_kind(
        &format!("{}{secret}", writes("\"name\", \"secret\"")),
        expect![[r#"
            kinds/sample.toml:20:1: the action `shut` would bring fields of several audiences in one command: keep to fields of one audience
        "#]],
    );
    check_kind(&format!("{}{secret}", writes("\"secret\"")), expect![[""]]);
    let photos = "[fields.photos]\nlabel = { zh = \"照\", en = \"Photos\" }\ntype = \"blobs\"\n";
    check_kind(
        &format!("{}{photos}", writes("\"photos\"")),
        expect![[r#"
        kinds/sample.toml:20:1: `photos` is changed by inserting and removing items: remove it here
    "#]],
    );
    check_kind(
        &format!("{}derived = true", writes("\"name\"")),
        expect![[r#"
            kinds/sample.toml:25:1: an action writes the derived field `name`: remove it there
        "#]],
    );
    let needs = SOUND.replace(
        "to = \"shut\"",
        "to = \"shut\"\nneeds = [\"reason\", \"name\"]\nwrites = [\"name\"]",
    );
    check_kind(
        &needs,
        expect![[r#"
        kinds/sample.toml:21:11: the action `shut` needs `name`, so it writes it: remove it from `writes`
    "#]],
    );
    let many: String = (0..65)
        .map(|k| format!("[fields.f{k}]\nlabel = {{ zh = \"字\", en = \"F\" }}\ntype = \"bool\"\n"))
        .collect();
    check_kind(
        &with(&many),
        expect![[r#"
        kinds/sample.toml:21:2: the kind has 66 fields, which no one command can bring: keep to 64
    "#]],
    );
}

#[test]
fn a_clock_or_a_due_rule_that_cannot_work_is_refused() {
    let with = |more: &str| format!("{SOUND}{more}");
    let clock = "[clocks.wait]\nlabel = { zh = \"等\", en = \"Wait\" }\nruns_in = [\"shut\"]\n";
    check_kind(
        &with(&format!("{clock}days = \"task_sing\"\nholder = \"mayor\"")),
        expect![[r#"
            kinds/sample.toml:26:1: a clock stops in the closed state `shut`: remove that state here
            kinds/sample.toml:27:8: there is no number of days `task_sing`: did you mean `task_sign`?
            kinds/sample.toml:28:10: `holder` of the clock `wait` cannot be `mayor`: write one of `county`, `department`, `issuer`, `team`, `township`, `village`
        "#]],
    );
    check_kind(
        &with(&format!("{clock}until = \"name\"\ndays = \"task_sign\"")),
        expect![[r#"
            kinds/sample.toml:24:9: the clock `wait` has no `holder`: write `holder = "team"`
            kinds/sample.toml:26:1: a clock stops in the closed state `shut`: remove that state here
            kinds/sample.toml:27:1: the clock `wait` has two ends: keep `days` or `until`
        "#]],
    );
    check_kind(
        &with(&format!("{clock}holder = \"team\"")),
        expect![[r#"
        kinds/sample.toml:24:9: the clock `wait` has no `days`: write `days = "a key of the province profile"`
        kinds/sample.toml:26:1: a clock stops in the closed state `shut`: remove that state here
    "#]],
    );
    check_kind(
        &with("[[due]]\nin = [\"shut\"]\non = \"name\"\nto = [\"FS\"]\nurgency = \"now\""),
        expect![[r#"
            kinds/sample.toml:24:1: a `due` of the file has no `label`: write `label = { zh = "…", en = "…" }`
            kinds/sample.toml:25:1: nothing is due in the closed state `shut`: remove that state here
            kinds/sample.toml:26:1: `name` is not of type `date`: name a field of type `date`
            kinds/sample.toml:28:11: `urgency` of a `due` of the file cannot be `now`: write one of `care`, `matter`, `promise`, `returned`, `routine`, `task`
        "#]],
    );
}

#[test]
fn roles_are_checked() {
    check_edit(
        "roles.toml",
        "audiences = [\"village\", \"county\"]",
        "audiences = [\"county\"]",
        expect![[r#"
            roles.toml `audiences = ["county"]`: the role `TW` reads `county` but not `village`, to which it may be widened: add `village`, or remove `county`
        "#]],
    );
    check_edit(
        "roles.toml",
        "side = \"administration\"\nlevels = [\"province\", \"city\", \"county\"]\naudiences = []",
        "side = \"administration\"\nlevels = [\"region\"]\naudiences = [\"village\"]",
        expect![[r#"
            roles.toml `levels = ["region"]`: `levels` of the role `SYS` cannot be `region`: write one of `city`, `county`, `province`, `township`, `village`
            roles.toml `audiences = ["village"]`: the role `SYS` would read household data: write `audiences = []`: administrators see none
        "#]],
    );
    check_edit(
        "roles.toml",
        "\"read_refused\"",
        "\"read_refuse\"",
        expect![[r#"
            roles.toml `capabilities = ["sync", "read_records", "read_refuse"]`: `capabilities` of the role `FS` cannot be `read_refuse`: did you mean `read_refused`?
        "#]],
    );
    check_edit(
        "roles.toml",
        "[roles.PU]",
        "[roles.pu]",
        expect![[r#"
        roles.toml `[roles.pu]`: `pu` cannot name a role: write two to four capital letters
    "#]],
    );
    for (side, said) in [
        (
            "",
            expect![[r#"
                roles.toml `[roles.PU]`: the role `PU` has no `side`: write `side = "business"`
            "#]],
        ),
        (
            "side = \"busines\"\n",
            expect![[r#"
                roles.toml `side = "busines"`: `side` of the role `PU` cannot be `busines`: did you mean `business`?
            "#]],
        ),
    ] {
        check_edit(
            "roles.toml",
            "side = \"business\"\n# It is assigned",
            &format!("{side}# It is assigned"),
            said,
        );
    }
}

#[test]
fn dated_data_is_checked() {
    check_edit(
        "categories/review.toml",
        "valid_from = 2021-01-01\n",
        "",
        expect![[r#"
            categories/review.toml `approve = { zh = "认可", en = "Approved" }`: the code `approve` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `supplement = { zh = "补充", en = "To be supplemented" }`: the code `supplement` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `doubt = { zh = "疑点", en = "Doubtful" }`: the code `doubt` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `return = { zh = "退回", en = "Returned: look again" }`: the code `return` has no `valid_from`: write `valid_from = 2021-01-01`
        "#]],
    );
    check_edit(
        "categories/review.toml",
        "en = \"Doubtful\" }",
        "en = \"Doubtful\", valid_to = 2020-01-01 }",
        expect![[r#"
            categories/review.toml `doubt = { zh = "疑点", en = "Doubtful", valid_to = 2020-01-01 }`: the code `doubt` ends before it begins: write a date from 2021-01-01 on, or correct `valid_from`
        "#]],
    );
    check_edit(
        "categories/review.toml",
        "doubt = {",
        "dubious = {",
        expect![[r#"
            kinds/review.toml `when = { field = "verdict", is = ["supplement", "doubt", "return"] }`: there is no code `doubt`: declare it in its category set
            kinds/review.toml `when = { field = "verdict", is = ["supplement", "doubt"] }`: there is no code `doubt`: declare it in its category set
            kinds/review.toml `required_when = { field = "verdict", is = ["doubt", "return"] }`: there is no code `doubt`: declare it in its category set
        "#]],
    );
    check_edit(
        "categories/review.toml",
        "valid_from = 2021-01-01\n",
        "valid_from = \"2021\"\n",
        expect![[r#"
            categories/review.toml `valid_from = "2021"`: `valid_from` of the category set `verdict` must be a date, not a string: write `valid_from = 2026-01-31`
        "#]],
    );
    check_edit(
        "categories/review.toml",
        "[sets.verdict]",
        "[sets.need]",
        expect![[r#"
            categories/review.toml `[sets.need]`: the category set `need` has no codes: write `[sets.need.codes]` and a code on each line
            categories/review.toml `[sets.verdict.codes]`: the category set `verdict` has no `label`: write `label = { zh = "…", en = "…" }`
            categories/review.toml `approve = { zh = "认可", en = "Approved" }`: the code `approve` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `supplement = { zh = "补充", en = "To be supplemented" }`: the code `supplement` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `doubt = { zh = "疑点", en = "Doubtful" }`: the code `doubt` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/review.toml `return = { zh = "退回", en = "Returned: look again" }`: the code `return` has no `valid_from`: write `valid_from = 2021-01-01`
            categories/visit.toml `[sets.need]`: the category set `need` stands in two files: remove one
        "#]],
    );
    check_edit(
        "policy-measures.csv",
        "2021-11-16,",
        "16.11.2021,",
        expect![[r#"
            policy-measures.csv `S0,二（一）,加大省级财政支持力度,省财政厅,黑乡振联〔2021〕7号,16.11.2021,`: `issued` is `16.11.2021`, which is not a date: write it as 2026-01-31, or leave it empty
        "#]],
    );
    check_edit(
        "policy-measures.csv",
        "S0,二（二）",
        "S0,二（一）",
        expect![[r#"
            policy-measures.csv `S0,二（一）,加大金融帮扶支持力度,中国人民银行哈尔滨中心支行;中国银保监会黑龙江监管局;中国证监会黑龙江监管局,黑乡振联〔2021〕7号,2021-11-16,`: the measure `S0/二（一）` stands twice: remove one, or correct its clause
        "#]],
    );
    check_edit(
        "policy-measures.csv",
        "加大土地政策支持力度,",
        "加大土地政策支持力度,x,",
        expect![[r#"
            policy-measures.csv `S0,二（三）,加大土地政策支持力度,x,省自然资源厅,黑乡振联〔2021〕7号,2021-11-16,`: the line has 8 columns, not 7: quote values that hold a comma
        "#]],
    );
    check_edit(
        "policy-measures.csv",
        "paper,clause",
        "paper,clauses",
        expect![[r#"
            policy-measures.csv `paper,clauses,title,lead_agencies,document_number,issued,valid_to`: the first line does not name the columns of policy measures: did you mean `clause`?
        "#]],
    );
}

#[test]
fn profiles_and_calendars_are_checked() {
    check_edit(
        "profiles/gansu.toml",
        "[days.case_verify]",
        "[days.case_verifi]",
        expect![[r#"
            profiles/gansu.toml `[days.case_verifi]`: there is no number of days `case_verifi`: did you mean `case_verify`?
        "#]],
    );
    check_edit(
        "profiles/default.toml",
        "[days.task_sign]",
        "[days.task_signing]",
        expect![[r#"
            kinds/measure.toml `days = "task_sign"`: there is no number of days `task_sign`: did you mean `task_signing`?
            kinds/need.toml `days = "task_sign"`: there is no number of days `task_sign`: did you mean `task_signing`?
            kinds/task.toml `days = "task_sign"`: there is no number of days `task_sign`: did you mean `task_signing`?
        "#]],
    );
    check_edit(
        "profiles/default.toml",
        "count = 3\nunit = \"working\"",
        "count = 3.5\nunit = \"days\"",
        expect![[r#"
            profiles/default.toml `count = 3.5`: `count` of the number of days `task_sign` must be a whole number, not a float: write `count = 200`
            profiles/default.toml `unit = "days"`: `unit` of the number of days `task_sign` cannot be `days`: write one of `calendar`, `working`
        "#]],
    );
    check_edit(
        "calendar/2026.toml",
        "worked = [2026-01-04]",
        "worked = [2026-01-05, 2027-01-02, \"Sunday\"]",
        expect![[r#"
            calendar/2026.toml `worked = [2026-01-05, 2027-01-02, "Sunday"]`: 2026-01-05 is a weekday, which is worked anyway: write a Saturday or a Sunday
            calendar/2026.toml `worked = [2026-01-05, 2027-01-02, "Sunday"]`: 2027-01-02 is not in 2026: write each day into the file of its year
            calendar/2026.toml `worked = [2026-01-05, 2027-01-02, "Sunday"]`: `worked` of a `holiday` of the file must be a list of dates, not a string: write `worked = [2026-01-31]`
        "#]],
    );
    check_edit(
        "calendar/2026.toml",
        "year = 2026",
        "year = 2027",
        expect![[r#"
            calendar/2026.toml `year = 2027`: the file is for 2027, but its name is not: name it calendar/2027.toml
            calendar/2026.toml `from = 2026-01-01`: 2026-01-01 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-01-03`: 2026-01-03 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-01-04]`: 2026-01-04 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-02-15`: 2026-02-15 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-02-23`: 2026-02-23 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-02-14, 2026-02-28]`: 2026-02-14 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-02-14, 2026-02-28]`: 2026-02-28 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-04-04`: 2026-04-04 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-04-06`: 2026-04-06 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-05-01`: 2026-05-01 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-05-05`: 2026-05-05 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-05-09]`: 2026-05-09 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-06-19`: 2026-06-19 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-06-21`: 2026-06-21 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-09-25`: 2026-09-25 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-09-27`: 2026-09-27 is not in 2027: write each day into the file of its year
            calendar/2026.toml `from = 2026-10-01`: 2026-10-01 is not in 2027: write each day into the file of its year
            calendar/2026.toml `to = 2026-10-07`: 2026-10-07 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-09-20, 2026-10-10]`: 2026-09-20 is not in 2027: write each day into the file of its year
            calendar/2026.toml `worked = [2026-09-20, 2026-10-10]`: 2026-10-10 is not in 2027: write each day into the file of its year
        "#]],
    );
    check_edit(
        "calendar/2026.toml",
        "to = 2026-10-07",
        "to = 2026-09-07",
        expect![[r#"
            calendar/2026.toml `to = 2026-09-07`: a holiday from 2026-10-01 to 2026-09-07: write a last day soon after the first
        "#]],
    );
    check_edit(
        "calendar/2026.toml",
        "from = 2026-10-01",
        "from = 2026-09-26",
        expect![[r#"
            calendar/2026.toml `from = 2026-09-26`: 2026-09-26 belongs to two holidays: correct one of them
        "#]],
    );
}

#[test]
fn a_missing_or_a_strange_file_is_named() {
    let mut files = builtin::files();
    files.retain(|file| !["catalogue.toml", "profiles/default.toml"].contains(&file.name.as_str()));
    files.push(SourceFile {
        name: "kind/visit.toml".to_owned(),
        text: String::new(),
    });
    expect![[r#"
        catalogue.toml:1:1: this file is missing: write it, with `version = 1` and `issued = 2026-01-31`
        kind/visit.toml:1:1: no catalogue has such a file: name it catalogue.toml, roles.toml or policy-measures.csv, or move it to kinds/, categories/, profiles/, papers/ or calendar/
        profiles/default.toml:1:1: this file is missing: write it, with every number of days that a clock names
    "#]].assert_eq(&listed(&Catalogue::parse(&files).unwrap_err()));
}

/// What may befall a line.
#[derive(Debug, Clone)]
enum Mishap {
    Gone,
    Twice,
    Cut(usize),
    Holds(usize, String),
    Swapped(usize),
    Becomes(String),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        Just(Mishap::Gone),
        Just(Mishap::Twice),
        (0..80_usize).prop_map(Mishap::Cut),
        (0..80_usize, "[\\[\\]{}\"'=,.#a-z0-9 户\n-]{1,4}").prop_map(|(at, text)| Mishap::Holds(at, text)),
        (0..400_usize).prop_map(Mishap::Swapped),
        "(\\[|\\[\\[)?(fields|states|actions|create|due|clocks|x)(\\.[a-z]{1,3}){0,3}(\\]|\\]\\]| = 1| = \\[\\]| = \\{\\})".prop_map(Mishap::Becomes),
    ]
}

fn befall(text: &str, line: usize, mishap: &Mishap) -> String {
    let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    let line = line % lines.len().max(1);
    let at = |text: &str, at: usize| {
        text.char_indices()
            .map(|(index, _)| index)
            .nth(at)
            .unwrap_or(text.len())
    };
    match mishap {
        Mishap::Gone => drop(lines.remove(line)),
        Mishap::Twice => lines.insert(line, lines[line].clone()),
        Mishap::Cut(k) => {
            let k = at(&lines[line], *k);
            lines[line].truncate(k);
        }
        Mishap::Holds(k, more) => {
            let k = at(&lines[line], *k);
            lines[line].insert_str(k, more);
        }
        Mishap::Swapped(other) => {
            let other = other % lines.len();
            lines.swap(line, other);
        }
        Mishap::Becomes(other) => lines[line].clone_from(other),
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_befalls_a_line_is_read_or_reported(
        file in any::<prop::sample::Index>(),
        line in 0..400_usize,
        mishaps in prop::collection::vec(mishap(), 1..3),
    ) {
        let mut files = builtin::files();
        let file = file.get_mut(&mut files);
        for mishap in &mishaps {
            file.text = befall(&file.text, line, mishap);
        }
        if let Err(mistakes) = Catalogue::parse(&files) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                let text = files.iter().find(|file| file.name == mistake.file).map_or("", |file| file.text.as_str());
                prop_assert!((1..=text.lines().count() + 1).contains(&mistake.line), "{mistake}");
                prop_assert!(mistake.column >= 1 && !mistake.message.is_empty() && !mistake.remedy.is_empty());
            }
        }
    }
}

/// Whether the sample is sound with these texts put in the place of others.
fn is_sound(text: String) -> bool {
    let mut files = builtin::files();
    let name = "kinds/sample.toml".to_owned();
    files.push(SourceFile { name, text });
    Catalogue::parse(&files).is_ok()
}

#[test]
fn a_name_has_so_many_bytes() {
    let of_bytes = |bytes: usize| {
        let name = "n".repeat(bytes);
        let fields = SOUND.replace("[fields.name]", &format!("[fields.{name}]"));
        fields.replace("title = \"name\"", &format!("title = \"{name}\""))
    };
    assert!(is_sound(of_bytes(NAME_BYTES_MAX)));
    assert!(!is_sound(of_bytes(NAME_BYTES_MAX + 1)));
}

#[test]
fn a_kind_has_so_many_fields() {
    let of_fields = |fields: usize| {
        let more = (1..fields).map(|k| {
            format!("[fields.f{k}]\nlabel = {{ zh = \"字\", en = \"F\" }}\ntype = \"bool\"\n")
        });
        format!("{SOUND}{}", more.collect::<String>())
    };
    assert!(is_sound(of_fields(FIELDS_MAX)));
    assert!(!is_sound(of_fields(FIELDS_MAX + 1)));
}

#[test]
fn what_an_action_requires_names_fields_and_states_that_are_there() {
    let file = "kinds/case.toml";
    check_edit(
        file,
        "requires = [\"clue in confirmed\"]",
        "requires = [\"clue in confirmd\", \"clu in confirmed\", \"category in unstable\", \"clue confirmed\"]",
        expect![[r#"
            kinds/case.toml `requires = ["clue in confirmd", "clu in confirmed", "category in unstable", "clue confirmed"]`: `category` does not refer to records of one kind: name a field of type `ref` or `refs` with a kind
            kinds/case.toml `requires = ["clue in confirmd", "clu in confirmed", "category in unstable", "clue confirmed"]`: there is no field `clu`: did you mean `clue`?
            kinds/case.toml `requires = ["clue in confirmd", "clu in confirmed", "category in unstable", "clue confirmed"]`: there is no state of that kind `confirmd`: did you mean `confirmed`?
            kinds/case.toml `requires = ["clue in confirmd", "clu in confirmed", "category in unstable", "clue confirmed"]`: a `create` of the file requires `clue confirmed`: write `FIELD in STATE` or `FIELD not in STATE`, with one state or several
        "#]],
    );
}

#[test]
fn what_an_action_waits_for_is_another_action_and_a_number_of_days() {
    check_edit(
        "kinds/notice.toml",
        "waits = { since = \"post\", days = \"notice_least\" }",
        "waits = { since = \"end\", days = \"notice_lest\" }",
        expect![[r#"
            kinds/notice.toml `waits = { since = "end", days = "notice_lest" }`: there is no other action `end`: write one of `answer`, `object`, `post`, `uphold`
            kinds/notice.toml `waits = { since = "end", days = "notice_lest" }`: there is no number of days `notice_lest`: did you mean `notice_least`?
        "#]],
    );
}

#[test]
fn what_counts_from_the_last_names_fields_of_both_kinds() {
    check_edit(
        "kinds/care_plan.toml",
        "by = \"household\", on = \"occurred_on\", of = \"household\", every = \"every_days\"",
        "by = \"houshold\", on = \"occured_on\", of = \"household\", every = \"each\"",
        expect![[r#"
            kinds/care_plan.toml `since_last = { kind = "visit", by = "houshold", on = "occured_on", of = "household", every = "each" }`: there is no field `each`: declare it as `[fields.each]`
            kinds/care_plan.toml `since_last = { kind = "visit", by = "houshold", on = "occured_on", of = "household", every = "each" }`: there is no field of that kind `houshold`: did you mean `household`?
            kinds/care_plan.toml `since_last = { kind = "visit", by = "houshold", on = "occured_on", of = "household", every = "each" }`: there is no field of that kind `occured_on`: did you mean `occurred_on`?
        "#]],
    );
}

#[test]
fn two_profiles_are_not_for_one_place() {
    check_edit(
        "profiles/hainan.toml",
        "areas = [\"46\"]",
        "areas = [\"64\", \"4\", \"西\"]",
        expect![[r#"
            profiles/hainan.toml `# Example: 20 working days for the whole identification.`: the profile `ningxia` is for `64` as well: name each area in one profile
            profiles/hainan.toml `areas = ["64", "4", "西"]`: `4` does not begin an area's code: write two to twelve digits, "62" for a province or "410581" for a county
            profiles/hainan.toml `areas = ["64", "4", "西"]`: `西` does not begin an area's code: write two to twelve digits, "62" for a province or "410581" for a county
            profiles/ningxia.toml `# For a demonstration in Ningxia. Its numbers are the default's: no text of the region that says others was at hand.`: the profile `hainan` is for `64` as well: name each area in one profile
        "#]],
    );
}

#[test]
fn a_form_is_filled_from_what_is_alike() {
    let fields = |fill: &str| {
        format!(
            r#"
[fields.name]
label = {{ zh = "名称", en = "Name" }}
type = "text"
[fields.visit]
label = {{ zh = "走访", en = "Visit" }}
type = "ref"
kind = "visit"
[fields.risks]
label = {{ zh = "风险", en = "Risks" }}
type = "codes"
set = "risk"
{fill}
"#
        )
    };
    let name = r#"
[fields.name]
label = { zh = "名称", en = "Name" }
type = "text"
"#;
    for (fill, expected) in [
        (r#"fill = ["visit.risks"]"#, expect![[""]]),
        (
            r#"fill = ["visit.risk"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: there is no field of that kind, of the same type and audience, `risk`: did you mean `risks`?
        "#]],
        ),
        (
            r#"fill = ["visit.needs"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: there is no field of that kind, of the same type and audience, `needs`: declare it in the file of that kind
        "#]],
        ),
        (
            r#"fill = ["visits.risks"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: there is no field `visits`: did you mean `visit`?
        "#]],
        ),
        (
            r#"fill = ["name.risks"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: `risks` cannot be filled so: remove it, or name what is of its type
        "#]],
        ),
        (
            r#"fill = ["today"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: `risks` cannot be filled so: remove it, or name what is of its type
        "#]],
        ),
        (
            r#"fill = ["visit by household"]"#,
            expect![[r#"
            kinds/sample.toml:32:1: `risks` cannot be filled so: remove it, or name what is of its type
            kinds/sample.toml:32:1: there is no field of that kind, of the same type and audience, `household`: declare it in the file of that kind
        "#]],
        ),
        (
            r#"fill = ["the visit"]"#,
            expect![[r#"
                kinds/sample.toml:32:9: the field `risks` is filled from `the visit`: write `REFERENCE.FIELD`, `KIND by REFERENCE`, `PAPER on DATE_FIELD`, `day in NUMBER_FIELD` or `today`
            "#]],
        ),
    ] {
        check_sample(name, &fields(fill), expected);
    }
}

#[test]
fn a_day_of_birth_and_a_check_code_follow_from_what_says_it() {
    let fields = |day: &str, code: &str| {
        format!(
            r#"[fields.born]
label = {{ zh = "出生日期", en = "Date of birth" }}
type = "date"
audience = "sensitive"
{day}

[fields.code]
label = {{ zh = "核对码", en = "Check" }}
type = "text"
{code}

[fields.number]
label = {{ zh = "证件号", en = "Number" }}
type = "text"
max = 30
audience = "sensitive"

[fields.name]
label = {{ zh = "名称", en = "Name" }}
type = "text"
"#
        )
    };
    let name = "[fields.name]\nlabel = { zh = \"名称\", en = \"Name\" }\ntype = \"text\"\n";
    let sound = "max = 3\nderived = true\ncheck_of = \"number\"";
    for (day, code, expected) in [
        (r#"fill = ["day in number"]"#, sound, expect![[""]]),
        (
            "",
            "max = 1\nderived = true\ncheck_of = \"born\"",
            expect![[""]],
        ),
        (
            r#"fill = ["day in numbers"]"#,
            sound,
            expect![[r#"
            kinds/sample.toml:25:1: there is no field `numbers`: did you mean `number`?
        "#]],
        ),
        (
            r#"fill = ["day in name"]"#,
            sound,
            expect![[r#"
            kinds/sample.toml:25:1: `born` cannot be filled so: remove it, or name what is of its type
        "#]],
        ),
        (
            r#"fill = ["day in born"]"#,
            sound,
            expect![[r#"
            kinds/sample.toml:25:1: `born` cannot be filled so: remove it, or name what is of its type
        "#]],
        ),
        (
            "",
            "max = 2\nderived = true\ncheck_of = \"number\"",
            expect![[r#"
                kinds/sample.toml:32:1: the check code `code` is written by the core: write `type = "text"`, `max = 3` and `derived = true`
            "#]],
        ),
        (
            "",
            "max = 3\ncheck_of = \"number\"",
            expect![[r#"
            kinds/sample.toml:31:1: the check code `code` is written by the core: write `type = "text"`, `max = 3` and `derived = true`
        "#]],
        ),
        (
            "",
            "max = 3\nderived = true\ncheck_of = \"code\"",
            expect![[r#"
                kinds/sample.toml:32:1: `code` is no field in which a number or a day is written: name a text or a date that is written at any time
            "#]],
        ),
    ] {
        check_sample(name, &fields(day, code), expected);
    }
}

#[test]
fn a_self_check_asks_of_fields_and_records_that_are_there() {
    let check = |asks: &str| {
        let label = r#"label = { zh = "疑", en = "Doubt" }"#;
        format!("[checks.doubt]\n{label}\n{asks}\n[fields.name]")
    };
    let said = |asks: &str| {
        let mut files = builtin::files();
        files.push(SourceFile {
            name: "kinds/sample.toml".to_owned(),
            text: SOUND.replacen("[fields.name]", &check(asks), 1),
        });
        let mistakes = Catalogue::parse(&files).err().unwrap_or_default();
        let said = mistakes.iter().map(|mistake| mistake.message.clone());
        said.collect::<Vec<_>>().join("; ")
    };
    for (asks, expected) in [
        (r#"when = [{ field = "name", empty = true }]"#, ""),
        ("", "the check `doubt` asks nothing"),
        (
            r#"in = ["gone"]
when = [{ field = "name", empty = true }]"#,
            "there is no state `gone`",
        ),
        (
            r#"took = ["gone"]
when = [{ field = "name", empty = true }]"#,
            "there is no action `gone`",
        ),
        (
            r#"when = [{ field = "nome", empty = true }]"#,
            "there is no field `nome`",
        ),
        (
            r#"when = [{ field = "name" }]"#,
            "a `when` of the check `doubt` asks 0 things of a field",
        ),
        (
            r#"when = [{ field = "name", is = ["a"] }]"#,
            "the field `name` is not of codes",
        ),
        (
            r#"when = [{ field = "name", after_today = true }]"#,
            "the field `name` is not a date",
        ),
        (
            r#"when = [{ field = "name", lacks_this_year = "year" }]"#,
            "the field `name` is not a list with a part `year`",
        ),
        (
            r#"when = [{ field = "name", misses = "resident" }]"#,
            "`misses` of a `when` of the check `doubt` cannot be `resident`",
        ),
        (
            r#"related = [{ by = "household" }]"#,
            "a `related` of the check `doubt` does not say how many of what kind there must be",
        ),
        (
            r#"related = [{ none = "gone", by = "household" }]"#,
            "there is no kind `gone`",
        ),
        (
            r#"related = [{ none = "case", by = "risks" }]"#,
            "there is no reference field of that kind `risks`",
        ),
        (
            r#"related = [{ none = "case", by = "household", in = ["gone"] }]"#,
            "there is no state of that kind `gone`",
        ),
        (
            r#"related = [{ some = "visit", by = "household", last = "water" }]"#,
            "there is no date field of that kind `water`",
        ),
        (
            r#"related = [{ some = "visit", by = "household", when = [{ field = "note", is = ["a"] }] }]"#,
            "there is no field of codes of that kind `note`",
        ),
        (
            r#"related = [{ some = "visit", by = "household", when = [{ field = "water", is = ["bad"] }] }]"#,
            "there is no code `bad`",
        ),
        (
            r#"related = [{ none = "case", by = "household", of = "name" }]"#,
            "the field `name` is not a reference",
        ),
    ] {
        assert_eq!(said(asks), expected, "{asks}");
    }
}

#[test]
fn a_paper_is_of_one_thing_and_names_what_is_there() {
    const SHEET: &str = r#"label = { zh = "表", en = "Sheet" }
"#;
    let said = |text: &str| {
        let mut files = builtin::files();
        files.push(SourceFile {
            name: "papers/sheet.toml".to_owned(),
            text: format!("{SHEET}{text}"),
        });
        let mistakes = Catalogue::parse(&files).err().unwrap_or_default();
        let said = mistakes.iter().map(|mistake| mistake.message.clone());
        said.collect::<Vec<_>>().join("; ")
    };
    let section = |about: &str, holds: &str| {
        said(&format!(
            "{about}\n[[sections]]\nlabel = {{ zh = \"节\", en = \"Section\" }}\n{holds}"
        ))
    };
    let one_thing = "a paper is of a period or about a kind of record, and of one of them";
    for (about, holds, expected) in [
        (
            "period = \"month\"",
            "kind = \"visit\"\ncolumns = [\"note\"]",
            "",
        ),
        (
            "period = \"week\"",
            "kind = \"visit\"\ncolumns = [\"note\"]",
            "`period` of the file cannot be `week`",
        ),
        ("", "kind = \"visit\"\ncolumns = [\"note\"]", one_thing),
        (
            "period = \"day\"\nabout = \"case\"",
            "columns = [\"risks\"]",
            one_thing,
        ),
        (
            "about = \"gone\"",
            "columns = [\"note\"]",
            "there is no kind `gone`",
        ),
        (
            "about = \"case\"",
            "columns = [\"weather\"]",
            "there is no field of that kind `weather`",
        ),
        ("about = \"case\"", "steps = true", ""),
        (
            "about = \"case\"",
            "",
            "a `sections` of the file has no `columns`",
        ),
        (
            "about = \"case\"",
            "kind = \"visit\"\nat = \"visit\"\nsteps = true\ncolumns = [\"note\"]",
            "",
        ),
        (
            "period = \"day\"",
            "kind = \"visit\"\nsteps = true\ncolumns = [\"note\"]",
            "a `sections` of the file is of a period, and has no steps",
        ),
        (
            "about = \"case\"",
            "kind = \"visit\"\ncolumns = [\"note\"]",
            "a `sections` of the file has no `by`",
        ),
        (
            "about = \"case\"",
            "kind = \"visit\"\nat = \"risks\"\ncolumns = [\"note\"]",
            "there is no reference field of that kind `risks`",
        ),
        (
            "period = \"month\"",
            "columns = [\"note\"]",
            "a `sections` of the file is of no record",
        ),
        (
            "period = \"month\"",
            "kind = \"visit\"\non = \"note\"\ncolumns = [\"note\"]",
            "there is no date field of that kind `note`",
        ),
    ] {
        assert_eq!(section(about, holds), expected, "{about} {holds}");
    }
    assert_eq!(said("period = \"day\""), "the paper has no `sections`");
}

#[test]
fn a_form_is_filled_from_a_paper_of_a_day() {
    for (from, to, expected) in [
        (
            "fill = [\"day_sheet on day\"]",
            "fill = [\"day_sheet on day\"]",
            "",
        ),
        (
            "fill = [\"day_sheet on day\"]",
            "fill = [\"monthly_sheet on day\"]",
            "there is no paper of a day `monthly_sheet`",
        ),
        (
            "fill = [\"day_sheet on day\"]",
            "fill = [\"day_sheet on duties\"]",
            "`text` cannot be filled so; `visits` cannot be filled so",
        ),
        (
            "fill = [\"today\"]",
            "fill = [\"day_sheet on day\"]",
            "`day` cannot be filled so",
        ),
    ] {
        let mut files = builtin::files();
        let diary = files
            .iter_mut()
            .find(|file| file.name == "kinds/diary.toml");
        let diary = diary.unwrap();
        diary.text = diary.text.replace(from, to);
        let mistakes = Catalogue::parse(&files).err().unwrap_or_default();
        let mut said: Vec<String> = mistakes.iter().map(|one| one.message.clone()).collect();
        said.dedup();
        assert_eq!(said.join("; "), expected, "{to}");
    }
}

#[test]
fn a_kind_merges_into_its_own_kind() {
    check_edit(
        "kinds/household.toml",
        "into = \"merged_into\"",
        "into = \"head\"",
        expect![[r#"
            kinds/household.toml `merging = { state = "merged", into = "head" }`: `head` does not refer to a record of this kind: name a reference to the same kind
        "#]],
    );
    check_edit(
        "kinds/household.toml",
        "merging = { state = \"merged\"",
        "merging = { state = \"gone\"",
        expect![[r#"
            kinds/household.toml `merging = { state = "gone", into = "merged_into" }`: there is no state `gone`: declare it as `[states.gone]`
        "#]],
    );
}
