//! A first mapping for a list that nobody has mapped yet, from the names of its columns.

use std::collections::BTreeMap;

use sync_core::catalog::{Field, Kind};
use sync_core::id::Date;

use super::mapping::{Kept, Place, is_fillable};
use super::sheet::Line;

/// Among how many rows the one is looked for that names the columns.
const HEADER_WITHIN: usize = 10;

enum Means<'k> {
    Place(&'static str),
    Field(&'k str),
}

/// The row that seems to name the columns: whose cells are understood most; of several that are as much, the first.
pub fn header<'l>(lines: &'l [Line], kind: &Kind) -> Option<&'l Line> {
    let understood = |line: &&Line| {
        let cells = line.cells.iter();
        cells.filter(|cell| means(kind, cell).is_some()).count()
    };
    let first = lines.iter().take(HEADER_WITHIN).rev();
    first.max_by_key(understood)
}

/// What each column under a row of names seems to mean.
pub fn suggest(header: &Line, kind: &Kind, today: Date) -> Kept {
    let mut columns = BTreeMap::new();
    for cell in &header.cells {
        if let Some(Means::Place(name) | Means::Field(name)) = means(kind, cell) {
            columns
                .entry(name.to_owned())
                .or_insert_with(|| cell.clone());
        }
    }
    Kept {
        source: "部门比对".to_owned(),
        source_on: today.to_string(),
        header_row: Some(header.number),
        columns,
        constants: BTreeMap::new(),
        values: BTreeMap::new(),
        dates: BTreeMap::new(),
    }
}

/// The same as a file for a person to correct, in the order of the columns, with all else that it could say as remarks.
pub fn text(header: &Line, kind: &Kind, today: Date) -> String {
    let kept = suggest(header, kind, today);
    let mut text = format!(
        "# 比对清单的对应关系。source 与 source_on 说明是哪份清单、截至哪天，请核对。\n\
         # How a list is read. Which list it is, and as of which day: check both.\n\
         source = {}\nsource_on = \"{}\"\nheader_row = {}\n\n[columns]\n",
        quoted(&kept.source),
        kept.source_on,
        header.number
    );
    let mut fed: Vec<(&String, &String)> = kept.columns.iter().collect();
    let place = |column: &String| header.cells.iter().position(|cell| cell == column);
    fed.sort_by_key(|(_, column)| place(column));
    for (name, column) in &fed {
        text += &format!("{name} = {}\n", quoted(column));
    }
    for (name, ..) in Place::ALL {
        if !kept.columns.contains_key(name) {
            text += &format!("# {name} = \"…\"\n");
        }
    }
    let is_fed = |cell: &String| fed.iter().any(|(_, column)| *column == cell);
    let cells = header.cells.iter().filter(|cell| !cell.is_empty());
    let unknown: Vec<&String> = cells.filter(|cell| !is_fed(cell)).collect();
    if !unknown.is_empty() {
        text += "# 没有对应的列 Columns that feed nothing:\n";
    }
    for cell in unknown {
        text += &format!("#   {}\n", quoted(cell));
    }
    text += "\n# 整份清单相同的内容 What is the same in every row.\n[constants]\n# risks = \"因病\"\n\
             \n# 清单里的写法对应什么 What a value of the list stands for.\n# [values.risks]\n# \"大病\" = \"因病\"\n\
             \n# 日期写法：ymd（默认）、dmy、mdy How dates are written.\n# [dates]\n# received_on = \"dmy\"\n";
    text
}

fn means<'k>(kind: &'k Kind, cell: &str) -> Option<Means<'k>> {
    let known = Place::ALL
        .iter()
        .find(|(_, _, names)| names.contains(&cell.to_lowercase().as_str()));
    if let Some((name, ..)) = known {
        return Some(Means::Place(name));
    }
    let is_called = |field: &&Field| {
        field.name == cell || field.label.zh == cell || field.label.en.eq_ignore_ascii_case(cell)
    };
    let mut fields = kind.fields.iter().filter(|field| is_fillable(field));
    fields
        .find(is_called)
        .map(|field| Means::Field(field.name.as_str()))
}

fn quoted(cell: &str) -> String {
    toml::Value::String(cell.to_owned()).to_string()
}
