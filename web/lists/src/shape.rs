//! What is said of a list, in the shapes of `web/src/lists/api.ts`.

use std::collections::{BTreeMap, BTreeSet};

use lists::mapping::{Kept, Place, is_fillable};
use lists::plan::{Planned, Verdict};
use lists::register::{Known, Register};
use lists::report;
use lists::sheet::Line;
use serde_json::{Map, Value as Json, json};
use sync_core::catalog::{Catalogue, Category, Field, FieldType, Kind, Label, Mask};
use sync_core::id::{Date, RecordId};
use sync_core::sync::device::Intent;
use sync_core::value::Value;
use sync_core::view;

/// How many rows of a file are shown for somebody to find the one that names the columns.
const FIRST_ROWS: usize = 10;
/// The digits of a telephone number; an identity number has more, and no day or running number has as many.
const PERSONAL_DIGITS_MIN: usize = 11;

pub(crate) fn label(label: &Label) -> Json {
    json!({ "zh": label.zh, "en": label.en })
}

/// What columns can feed.
pub(crate) fn targets(kind: &Kind, catalogue: &Catalogue, today: Date) -> Json {
    let place = |(name, place, _): (&str, Place, _)| {
        let is_date = place == Place::Born;
        target(name, &place.label(), "place", is_date, Json::Null)
    };
    let field = |field: &Field| {
        let is_date = field.ty == FieldType::Date;
        let codes = codes(&field.ty, catalogue, today);
        target(&field.name, &field.label, "field", is_date, codes)
    };
    let fields = kind.fields.iter().filter(|field| is_fillable(field));
    let places = Place::ALL.into_iter().map(place);
    places.chain(fields.map(field)).collect()
}

fn target(name: &str, called: &Label, is: &str, is_date: bool, codes: Json) -> Json {
    json!({ "name": name, "label": label(called), "is": is, "isDate": is_date, "codes": codes })
}

fn codes(ty: &FieldType, catalogue: &Catalogue, today: Date) -> Json {
    let (FieldType::Code { set } | FieldType::Codes { set, .. }) = ty else {
        return Json::Null;
    };
    let set = catalogue.set(set).map(|set| set.codes.as_slice());
    let in_force = set.unwrap_or_default().iter();
    let in_force = in_force.filter(|code| code.in_force(today));
    let code = |code: &Category| json!({ "code": code.code, "label": label(&code.label) });
    in_force.map(code).collect()
}

/// A list under the row that names its columns.
pub(crate) fn headed(lines: &[Line], header: &Line, mapping: &Kept, targets: Json) -> Json {
    let first = lines.iter().take(FIRST_ROWS);
    let below = lines.iter().filter(|line| line.number > header.number);
    let row = |line: &Line| {
        let cells = line.cells.iter().map(|cell| told(cell));
        json!({ "row": line.number, "cells": cells.collect::<Json>() })
    };
    json!({
        "is": "rows",
        "rows": below.count(),
        "columns": header.cells,
        "first": first.map(row).collect::<Json>(),
        "mapping": mapping,
        "targets": targets,
    })
}

/// A cell for somebody who looks for the names of columns: the numbers of people need not be read for that.
fn told(cell: &str) -> String {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    let is_number = digits >= PERSONAL_DIGITS_MIN;
    let mask = Some(Mask::IdNumber).filter(|_| is_number);
    mask.map_or_else(|| cell.to_owned(), |mask| mask.apply(cell))
}

/// All verdicts, in the order in which they are told.
const VERDICTS: [&str; 8] = [
    "ready",
    "told",
    "undecided",
    "noVillage",
    "bad",
    "made",
    "repeated",
    "skipped",
];

const fn is(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ready(..) => "ready",
        Verdict::Told => "told",
        Verdict::Undecided(_) => "undecided",
        Verdict::NoVillage(_) => "noVillage",
        Verdict::Bad(..) => "bad",
        Verdict::Made => "made",
        Verdict::Repeated => "repeated",
        Verdict::Skipped => "skipped",
    }
}

/// A plan.
pub(crate) fn plan(
    planned: &[Planned],
    words: &BTreeMap<String, BTreeSet<String>>,
    register: &Register,
) -> Json {
    let mut counts: BTreeMap<(usize, String), (Label, usize)> = BTreeMap::new();
    for row in planned {
        let place = VERDICTS.iter().position(|one| *one == is(&row.verdict));
        let result = report::result(&row.verdict);
        let key = (place.unwrap_or_default(), result.zh.clone());
        counts.entry(key).or_insert((result, 0)).1 += 1;
    }
    let count = |((place, _), (result, rows)): ((usize, String), (Label, usize))| json!({ "is": VERDICTS.get(place), "result": label(&result), "rows": rows });
    let concern = planned.iter().filter(|row| row.concerns_somebody());
    json!({
        "counts": counts.into_iter().map(count).collect::<Json>(),
        "rows": concern.map(|row| self::row(row, register)).collect::<Json>(),
        "words": words,
    })
}

fn row(row: &Planned, register: &Register) -> Json {
    let candidate = |record: RecordId, how: Option<Known>| {
        let household = report::household(row, register, record);
        json!({
            "record": record.to_string(),
            "householder": household.map(|known| &known.householder),
            "group": household.map(|known| &known.group),
            "note": how.map(|how| label(&report::note(how))),
        })
    };
    let (household, candidates) = match &row.verdict {
        Verdict::Ready(record, _) => (candidate(*record, None), json!([])),
        Verdict::Undecided(candidates) => {
            let candidates = candidates.iter();
            let candidates = candidates.map(|(record, how)| candidate(*record, Some(*how)));
            (Json::Null, candidates.collect())
        }
        _ => (Json::Null, json!([])),
    };
    json!({
        "row": row.number,
        "key": row.key,
        "village": row.village,
        "name": row.name,
        "group": row.group,
        "journal": row.journal.map(|journal| journal.to_string()),
        "is": is(&row.verdict),
        "result": label(&report::result(&row.verdict)),
        "household": household,
        "candidates": candidates,
        "problem": report::problem(&row.verdict).as_ref().map(label),
    })
}

/// What is to be saved, as the core is asked for it.
pub(crate) fn intent(kind: &Kind, intent: &Intent) -> Json {
    let mut values = Map::new();
    for (name, held) in intent.values.iter() {
        let ty = kind.field(name).map(|field| &field.ty);
        values.insert(name.clone(), ty.map_or(Json::Null, |ty| value(ty, held)));
    }
    for link in &intent.links {
        values.insert(link.field.clone(), json!(link.target.to_string()));
    }
    json!({ "do": "create", "kind": kind.name, "values": values })
}

/// A value as a cell can hold one: no reference, item or file is among them.
fn value(ty: &FieldType, held: &Value) -> Json {
    match (ty, held) {
        (FieldType::Date | FieldType::Time | FieldType::Decimal { .. }, Value::Int(_))
        | (_, Value::Decimal(..)) => json!(view::plain(ty, held)),
        (_, Value::Bool(yes)) => json!(yes),
        (_, Value::Int(number)) => json!(number),
        (_, Value::Text(text)) => json!(text),
        (ty, Value::List(values)) => values.iter().map(|one| value(ty, one)).collect(),
        (_, Value::Null | Value::Bytes(_) | Value::Struct(_)) => Json::Null,
    }
}
