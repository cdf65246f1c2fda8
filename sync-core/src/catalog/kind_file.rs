//! Reading `kinds/*.toml`: from the text of one file to a [`Kind`], with every mistake noted.

use super::Label;
use super::kind::{
    Action, Class, Clock, Condition, Creation, DueRule, Field, FieldType, Grant, Kind, Mask,
    Office, Part, Reckoning, Relation, Required, State, Urgency, Who, Written,
};
use super::role::{AUDIENCES, chosen_all};
use super::source::{Namespace, Page, Table, Text, instead, listed};
use crate::limits::{LINKS_MAX, LIST_ITEMS_MAX, TEXT_CHARS_MAX};

const CLASSES: [(&str, Class); 3] = [
    ("testimony", Class::Testimony),
    ("register", Class::Register),
    ("process", Class::Process),
];

/// Words that mean something else wherever a field, state or action may be named.
const RESERVED: [&str; 16] = [
    "action", "any", "audience", "author", "base", "created", "id", "in", "issuer", "kind", "none",
    "of", "reason", "received", "record", "state",
];

/// The most code points of a one-line text that says nothing else.
const TEXT_MAX_DEFAULT: i64 = 200;
const INT_BOUND: i64 = 1_000_000_000_000_000;

/// Reads a file of `kinds/`.
pub(super) fn parse(page: Page<'_>) -> Kind {
    let root = page.parse();
    let mut file = page.root(&root);
    let name = file.need_text("name", &format!("\"{}\"", page.stem()));
    let mut kind = outline(&mut file, &name);
    kind.fields = file
        .named("fields", "field")
        .into_iter()
        .map(|(name, table)| field(&name, table))
        .collect();
    kind.states = file
        .named("states", "state")
        .into_iter()
        .map(|(name, table)| state(&name, table))
        .collect();
    kind.creations = file.tables("create").into_iter().map(creation).collect();
    kind.actions = file
        .named("actions", "action")
        .into_iter()
        .map(|(name, table)| action(&name, table))
        .collect();
    kind.clocks = file
        .named("clocks", "clock")
        .into_iter()
        .map(|(name, table)| clock(&name, table))
        .collect();
    kind.due = file.tables("due").into_iter().map(due).collect();
    file.finish();
    for state in &mut kind.states {
        state.initial = kind
            .creations
            .iter()
            .any(|creation| creation.state == state.name);
    }
    super::kind_check::check(page, &root, &kind);
    kind
}

fn outline(file: &mut Table<'_>, name: &Text) -> Kind {
    let stem = file.page.stem();
    if !name.value.is_empty() {
        file.check_name(&name.value, name.at, "kind");
        reserved(file, name, "kind");
        if name.value != stem {
            let remedy = format!(
                "name the file kinds/{}.toml, or write `name = \"{stem}\"`",
                name.value
            );
            file.note(
                name.at,
                format!("the kind `{}` is not named as its file", name.value),
                remedy,
            );
        }
    }
    let label = file.label();
    let class = file.choice("class", &CLASSES);
    if class.is_none() && !file.has("class") {
        file.missing("class", "\"testimony\"");
    }
    let title = file
        .need_text("title", "\"the field that stands for the record\"")
        .value;
    let list = file
        .texts("list")
        .into_iter()
        .map(|text| text.value)
        .collect();
    let audiences = chosen_all(file, "audience", &AUDIENCES);
    if audiences.is_empty() && !file.has("audience") {
        file.missing("audience", "[\"village\"]");
    }
    Kind {
        name: name.value.clone(),
        label,
        class: class.unwrap_or(Class::Register),
        title,
        list,
        audiences,
        fields: Vec::new(),
        states: Vec::new(),
        creations: Vec::new(),
        actions: Vec::new(),
        set_by: who(file, "set_by").unwrap_or_default(),
        amend_by: who(file, "amend_by").unwrap_or_default(),
        void_by: who(file, "void_by").unwrap_or_default(),
        clocks: Vec::new(),
        due: Vec::new(),
        retired: file.flag("retired"),
    }
}

fn reserved(table: &Table<'_>, name: &Text, word: &str) {
    if RESERVED.contains(&name.value.as_str()) {
        table.note(
            name.at,
            format!(
                "`{}` is a reserved word and cannot name a {word}",
                name.value
            ),
            "write another name",
        );
    }
}

/// Reads who may: a list of texts, each some roles, and perhaps `if` and a relation.
fn who(table: &mut Table<'_>, key: &'static str) -> Option<Who> {
    if !table.has(key) {
        table.texts(key);
        return None;
    }
    let grants = table
        .texts(key)
        .iter()
        .filter_map(|text| grant(table, key, text))
        .collect();
    Some(Who { grants })
}

fn grant(table: &Table<'_>, key: &str, text: &Text) -> Option<Grant> {
    let (roles, condition) = match text.value.split_once(" if ") {
        Some((roles, condition)) => (roles, Some(condition.trim())),
        None => (text.value.as_str(), None),
    };
    let roles: Vec<String> = roles.split_whitespace().map(ToOwned::to_owned).collect();
    if roles.is_empty()
        || roles
            .iter()
            .any(|role| !role.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        let message = format!("`{key}` of {} says `{}`", table.what, text.value);
        table.note(
            text.at,
            message,
            "write roles, and perhaps a condition: \"FS TM\" or \"TW CS if issuer\"",
        );
        return None;
    }
    for role in &roles {
        table.page.uses(
            Namespace::Role,
            &Text {
                value: role.clone(),
                at: text.at,
            },
        );
    }
    let relation = match condition {
        None => None,
        Some(condition) => Some(relation(table, text, condition)?),
    };
    Some(Grant { roles, relation })
}

fn relation(table: &Table<'_>, text: &Text, condition: &str) -> Option<Relation> {
    let words: Vec<&str> = condition.split_whitespace().collect();
    match words.as_slice() {
        ["author"] => Some(Relation::Author),
        ["issuer"] => Some(Relation::Issuer),
        ["in", field] => Some(Relation::In((*field).to_owned())),
        ["author", "of", field] => Some(Relation::AuthorOf((*field).to_owned())),
        _ => {
            let message = format!("{} knows no condition `{condition}`", table.what);
            let remedy = instead(condition, &["author", "issuer"]).unwrap_or_else(|| {
                "write `author`, `issuer`, `in FIELD` or `author of FIELD`".to_owned()
            });
            table.note(text.at, message, remedy);
            None
        }
    }
}

fn field(name: &Text, mut table: Table<'_>) -> Field {
    reserved(&table, name, "field");
    let label = table.label();
    let ty = field_type(&mut table, true);
    let required = table.choice(
        "required",
        &[
            ("creation", Required::AtCreation),
            ("filing", Required::AtFiling),
        ],
    );
    let written = table.choice(
        "written",
        &[
            ("creation", Written::AtCreation),
            ("action", Written::ByAction),
        ],
    );
    let field = Field {
        name: name.value.clone(),
        label,
        ty,
        required: required.unwrap_or(Required::No),
        required_when: condition(&mut table, "required_when"),
        audience: table.choice("audience", &AUDIENCES),
        mask: table.choice("mask", &Mask::NAMES),
        written: written.unwrap_or(Written::Always),
        set_by: who(&mut table, "set_by"),
        closed_in: table
            .texts("closed_in")
            .into_iter()
            .map(|text| text.value)
            .collect(),
        derived: table.flag("derived"),
        retired: table.flag("retired"),
    };
    if field.set_by.is_some() && (field.written != Written::Always || field.derived) {
        let at = table.key_at("set_by");
        table.note(
            at,
            format!("{} cannot be set, so nobody may", table.what),
            "remove `set_by`",
        );
    }
    if field.derived && field.required != Required::No {
        table.note(
            table.key_at("required"),
            format!("{} is derived, so nobody can bring it", table.what),
            "remove `required`",
        );
    }
    table.finish();
    field
}

fn condition(table: &mut Table<'_>, key: &'static str) -> Option<Condition> {
    let mut inner = table.table(key)?;
    let field = inner.need_text("field", "\"…\"").value;
    let is: Vec<String> = inner
        .texts("is")
        .into_iter()
        .map(|text| text.value)
        .collect();
    if is.is_empty() {
        inner.missing("is", "[\"…\"]");
    }
    inner.finish();
    Some(Condition { field, is })
}

const PLAIN: [&str; 8] = [
    "text", "code", "measure", "date", "time", "int", "decimal", "bool",
];
const TYPES: [&str; 18] = [
    "text",
    "long_text",
    "code",
    "codes",
    "measure",
    "date",
    "time",
    "int",
    "decimal",
    "bool",
    "location",
    "ref",
    "refs",
    "user",
    "users",
    "list",
    "blob",
    "blobs",
];

/// Reads `type` and what belongs to it. Parts of list items have plain types only.
fn field_type(table: &mut Table<'_>, whole: bool) -> FieldType {
    let known: &[&str] = if whole { &TYPES } else { &PLAIN };
    let word = table.need_text("type", "\"text\"");
    let items = i64::try_from(LIST_ITEMS_MAX).unwrap_or(i64::MAX);
    let chars = i64::try_from(TEXT_CHARS_MAX).unwrap_or(i64::MAX);
    let links = i64::try_from(LINKS_MAX).unwrap_or(i64::MAX);
    match word.value.as_str() {
        other if !known.contains(&other) => {
            if !other.is_empty() {
                let remedy = instead(other, known)
                    .unwrap_or_else(|| format!("write one of {}", listed(known)));
                table.note(
                    word.at,
                    format!("{} cannot be of type `{other}`", table.what),
                    remedy,
                );
            }
            // What belongs to the intended type must not be noted as well.
            for key in ["max", "min", "places", "set", "kind"] {
                table.ignore(key);
            }
            table.ignore("parts");
            FieldType::Bool
        }
        "text" => FieldType::Text {
            max: most(table, chars, TEXT_MAX_DEFAULT),
        },
        "long_text" => FieldType::LongText {
            max: most(table, chars, chars),
        },
        "code" => FieldType::Code { set: set(table) },
        "codes" => FieldType::Codes {
            set: set(table),
            max: most(table, items, 50),
        },
        "measure" => FieldType::Measure,
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "int" => {
            let (min, max) = bounds(table);
            FieldType::Int { min, max }
        }
        "decimal" => {
            let (min, max) = bounds(table);
            let places = u8::try_from(table.int_within("places", 1..=6, 2)).unwrap_or(2);
            FieldType::Decimal { min, max, places }
        }
        "location" => FieldType::Location,
        "ref" => FieldType::Ref {
            kind: target(table),
        },
        "refs" => FieldType::Refs {
            kind: target(table),
            max: most(table, links, 20),
        },
        "user" => FieldType::User,
        "users" => FieldType::Users {
            max: most(table, links, 10),
        },
        "list" => FieldType::List {
            parts: parts(table),
            max: most(table, items, items),
        },
        "blob" => FieldType::Blob,
        "blobs" => FieldType::Blobs {
            max: most(table, items, 9),
        },
        _ => FieldType::Bool,
    }
}

fn most(table: &mut Table<'_>, limit: i64, otherwise: i64) -> u32 {
    u32::try_from(table.int_within("max", 1..=limit, otherwise)).unwrap_or(u32::MAX)
}

fn bounds(table: &mut Table<'_>) -> (i64, i64) {
    let min = table.int_within("min", -INT_BOUND..=INT_BOUND, 0);
    let max = table.int_within("max", -INT_BOUND..=INT_BOUND, INT_BOUND);
    if max < min {
        table.note(
            table.key_at("max"),
            format!("{} has no value from {min} to {max}", table.what),
            "correct `min` or `max`",
        );
    }
    (min, max)
}

fn set(table: &mut Table<'_>) -> String {
    let set = table.need_text("set", "\"the name of a category set\"");
    if !set.value.is_empty() {
        table.page.uses(Namespace::Set, &set);
    }
    set.value
}

fn target(table: &mut Table<'_>) -> Option<String> {
    let kind = table.need_text("kind", "\"the kind it refers to, or any\"");
    if kind.value.is_empty() || kind.value == "any" {
        return None;
    }
    table.page.uses(Namespace::Kind, &kind);
    Some(kind.value)
}

fn parts(table: &mut Table<'_>) -> Vec<Part> {
    let parts: Vec<Part> = table
        .named("parts", "part")
        .into_iter()
        .map(|(name, mut part)| {
            let label = part.label();
            let ty = field_type(&mut part, false);
            let required = part.flag("required");
            part.finish();
            Part {
                name: name.value,
                label,
                ty,
                required,
            }
        })
        .collect();
    if parts.is_empty() {
        let remedy = "write a table under `parts` for each, as in `[fields.checklist.parts.item]`";
        table.note(table.at, format!("{} has no parts", table.what), remedy);
    }
    parts
}

fn state(name: &Text, mut table: Table<'_>) -> State {
    reserved(&table, name, "state");
    let state = State {
        name: name.value.clone(),
        label: table.label(),
        initial: false,
        filed: table.flag("filed"),
        closed: table.flag("closed"),
    };
    table.finish();
    state
}

fn creation(mut table: Table<'_>) -> Creation {
    let roles = who(&mut table, "by");
    if roles.is_none() {
        table.missing("by", "[\"FS TM\"]");
    }
    let mut names = Vec::new();
    for grant in roles.unwrap_or_default().grants {
        if grant.relation.is_some() {
            let at = table.key_at("by");
            table.note(
                at,
                "nobody stands in a relation to a record that is not there yet",
                "write roles only",
            );
        }
        names.extend(grant.roles);
    }
    let state = table
        .need_text("state", "\"the state in which the record then is\"")
        .value;
    table.finish();
    Creation {
        roles: names,
        state,
    }
}

fn action(name: &Text, mut table: Table<'_>) -> Action {
    reserved(&table, name, "action");
    let label = table.label();
    let from: Vec<String> = table
        .texts("from")
        .into_iter()
        .map(|text| text.value)
        .collect();
    if from.is_empty() {
        table.missing("from", "[\"the states in which it can be taken\"]");
    }
    let to = table.text("to").map(|text| text.value);
    let by = who(&mut table, "by");
    if by.is_none() {
        table.missing("by", "[\"FS TM\"]");
    }
    let mut needs: Vec<String> = table
        .texts("needs")
        .into_iter()
        .map(|text| text.value)
        .collect();
    let needs_reason = needs.iter().any(|need| need == "reason");
    needs.retain(|need| need != "reason");
    let mut writes = needs.clone();
    for text in table.texts("writes") {
        if writes.contains(&text.value) {
            table.note(
                text.at,
                format!("{} needs `{}`, so it writes it", table.what, text.value),
                "remove it from `writes`",
            );
        } else {
            writes.push(text.value);
        }
    }
    let action = Action {
        name: name.value.clone(),
        label,
        from,
        to,
        by: by.unwrap_or_default(),
        needs_reason,
        needs,
        writes,
        concurrent: table.flag("concurrent"),
        not_same_person_as: table.text("not_same_person_as").map(|text| text.value),
        retired: table.flag("retired"),
    };
    if action.concurrent && action.to.is_some() {
        let at = table.key_at("concurrent");
        table.note(
            at,
            format!("{} is concurrent, so it cannot move the state", table.what),
            "remove `to` or `concurrent`",
        );
    }
    table.finish();
    action
}

fn clock(name: &Text, mut table: Table<'_>) -> Clock {
    let label = table.label();
    let runs_in: Vec<String> = table
        .texts("runs_in")
        .into_iter()
        .map(|text| text.value)
        .collect();
    if runs_in.is_empty() {
        table.missing("runs_in", "[\"the states in which it runs\"]");
    }
    let days = table.text("days");
    if let Some(days) = &days {
        table.page.uses(Namespace::Days, days);
    }
    let when = condition(&mut table, "when");
    let (since, until) = (table.text("since"), table.text("until"));
    let reckoning = match (days, until) {
        (Some(days), None) => match since {
            None => Reckoning::SinceEntry { days: days.value },
            Some(since) if since.value == "created" => {
                Reckoning::SinceCreation { days: days.value }
            }
            Some(since) => Reckoning::SinceDate {
                field: since.value,
                days: days.value,
            },
        },
        (None, Some(until)) => Reckoning::Until { field: until.value },
        (Some(days), Some(_)) => {
            table.note(
                table.key_at("until"),
                format!("{} has two ends", table.what),
                "keep `days` or `until`",
            );
            Reckoning::SinceEntry { days: days.value }
        }
        (None, None) => {
            table.missing("days", "\"a key of the province profile\"");
            Reckoning::SinceCreation {
                days: String::new(),
            }
        }
    };
    let holder = table.choice("holder", &Office::NAMES);
    if holder.is_none() && !table.has("holder") {
        table.missing("holder", "\"team\"");
    }
    table.finish();
    Clock {
        name: name.value.clone(),
        label,
        runs_in,
        when,
        reckoning,
        holder: holder.unwrap_or(Office::Team),
    }
}

fn due(mut table: Table<'_>) -> DueRule {
    let label: Label = table.label();
    let states: Vec<String> = table
        .texts("in")
        .into_iter()
        .map(|text| text.value)
        .collect();
    if states.is_empty() {
        table.missing("in", "[\"the states in which it is due\"]");
    }
    let to = who(&mut table, "to");
    if to.is_none() {
        table.missing("to", "[\"FS TM\"]");
    }
    let urgency = table.choice("urgency", &Urgency::NAMES);
    if urgency.is_none() && !table.has("urgency") {
        table.missing("urgency", "\"task\"");
    }
    let rule = DueRule {
        label,
        states,
        when: condition(&mut table, "when"),
        on: table.text("on").map(|text| text.value),
        to: to.unwrap_or_default(),
        urgency: urgency.unwrap_or(Urgency::Routine),
    };
    table.finish();
    rule
}
