//! Reading `kinds/*.toml`: from the text of one file to a [`Kind`], with every mistake noted.

use super::Label;
use super::field_file::{condition, field};
use super::kind::{
    Action, Class, Clock, ClusterRule, Creation, DueRule, Kind, Merging, Office, Reckoning,
    Requirement, SinceLast, State, Urgency, Wait,
};
use super::role::{AUDIENCES, chosen_all};
use super::self_check_file::self_check;
use super::source::{Namespace, Page, instead};
use super::table::{Table, Text};
use super::who::{Grant, Relation, Who};

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
    kind.cluster = file.table("cluster").map(cluster);
    kind.checks = file
        .named("checks", "check")
        .into_iter()
        .map(|(name, table)| self_check(&name, table))
        .collect();
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
    let stand_in = file.text("stand_in").map(|text| text.value);
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
        stand_in,
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
        merging: file.table("merging").map(merging),
        numbered: file.flag("numbered"),
        cluster: None,
        checks: Vec::new(),
        retired: file.flag("retired"),
    }
}

/// Notes a name that means something else.
pub(super) fn reserved(table: &Table<'_>, name: &Text, word: &str) {
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
pub(super) fn who(table: &mut Table<'_>, key: &'static str) -> Option<Who> {
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
    let requires = requirements(&mut table);
    table.finish();
    Creation {
        roles: names,
        state,
        requires,
    }
}

/// Reads what must hold of the records that are referred to: each a field, `in` or `not in`, and states.
fn requirements(table: &mut Table<'_>) -> Vec<Requirement> {
    let texts = table.texts("requires");
    let read = |text: &Text| {
        let words: Vec<&str> = text.value.split_whitespace().collect();
        let (field, none, states) = match words.as_slice() {
            [field, "not", "in", states @ ..] if !states.is_empty() => (field, true, states),
            [field, "in", states @ ..] if !states.is_empty() => (field, false, states),
            _ => {
                let message = format!("{} requires `{}`", table.what, text.value);
                let remedy =
                    "write `FIELD in STATE` or `FIELD not in STATE`, with one state or several";
                table.note(text.at, message, remedy);
                return None;
            }
        };
        Some(Requirement {
            field: (*field).to_owned(),
            none,
            states: states.iter().map(|state| (*state).to_owned()).collect(),
        })
    };
    texts.iter().filter_map(read).collect()
}

fn wait(table: &mut Table<'_>) -> Option<Wait> {
    let mut inner = table.table("waits")?;
    let since = inner.need_text("since", "\"another action\"").value;
    let days = inner.need_text("days", "\"a key of the province profile\"");
    if !days.value.is_empty() {
        inner.page.uses(Namespace::Days, &days);
    }
    inner.finish();
    Some(Wait {
        since,
        days: days.value,
    })
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
        requires: requirements(&mut table),
        waits: wait(&mut table),
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

fn since_last(table: &mut Table<'_>) -> Option<SinceLast> {
    let mut inner = table.table("since_last")?;
    let kind = inner.need_text("kind", "\"visit\"");
    if !kind.value.is_empty() {
        inner.page.uses(Namespace::Kind, &kind);
    }
    let mut field = |key, example| {
        let name = inner.need_text(key, example);
        if !kind.value.is_empty() && key != "every" && !name.value.is_empty() {
            let namespace = Namespace::Field(kind.value.clone());
            inner.page.uses(namespace, &name);
        }
        name.value
    };
    let by = field("by", "\"household\"");
    let on = field("on", "\"occurred_on\"");
    let every = field("every", "\"every_days\"");
    let of = inner.text("of").map(|text| text.value);
    let not_before = inner.text("not_before").map(|text| text.value);
    inner.finish();
    Some(SinceLast {
        kind: kind.value,
        by,
        on,
        of,
        every,
        not_before,
    })
}

fn cluster(mut table: Table<'_>) -> ClusterRule {
    let cause = table.need_text("cause", "\"risks\"").value;
    let of = table.need_text("of", "\"household\"").value;
    let days = table.need_text("days", "\"a key of the province profile\"");
    if !days.value.is_empty() {
        table.page.uses(Namespace::Days, &days);
    }
    let least = table.int_within("least", 2..=1_000, 3);
    let not_in = table.texts("not_in").into_iter();
    let rule = ClusterRule {
        cause,
        of,
        days: days.value,
        least: u32::try_from(least).unwrap_or(u32::MAX),
        not_in: not_in.map(|text| text.value).collect(),
    };
    table.finish();
    rule
}

fn merging(mut table: Table<'_>) -> Merging {
    let merging = Merging {
        state: table.need_text("state", "\"merged\"").value,
        into: table.need_text("into", "\"merged_into\"").value,
    };
    table.finish();
    merging
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
        since_last: since_last(&mut table),
        to: to.unwrap_or_default(),
        urgency: urgency.unwrap_or(Urgency::Routine),
    };
    table.finish();
    rule
}
