//! A first mapping for a list that nobody has mapped yet, from the names of its columns.

use sync_core::catalog::Kind;
use sync_core::id::Date;

use super::mapping::{Place, is_fillable};
use super::sheet::Line;

/// Among how many rows the one is looked for that names the columns.
const HEADER_WITHIN: usize = 10;

enum Means<'k> {
    Place(&'static str),
    Field(&'k str),
}

/// The text of a mapping: what each column seems to mean, and the other columns as remarks.
pub fn suggest(lines: &[Line], kind: &Kind, today: Date) -> String {
    let understood = |line: &&Line| {
        let cells = line.cells.iter();
        cells.filter(|cell| means(kind, cell).is_some()).count()
    };
    // Of several that say as much, the first.
    let first = lines.iter().take(HEADER_WITHIN).rev();
    let Some(header) = first.max_by_key(understood) else {
        return String::new();
    };
    let mut text = format!(
        "# 比对清单的对应关系。source 与 source_on 说明是哪份清单、截至哪天，请核对。\n\
         # How a list is read. Which list it is, and as of which day: check both.\n\
         source = \"部门比对\"\nsource_on = \"{today}\"\nheader_row = {}\n\n[columns]\n",
        header.number
    );
    let mut taken = Vec::new();
    let mut unknown = Vec::new();
    for cell in header.cells.iter().filter(|cell| !cell.is_empty()) {
        let name = match means(kind, cell) {
            Some(Means::Place(name) | Means::Field(name)) if !taken.contains(&name) => name,
            _ => {
                unknown.push(cell);
                continue;
            }
        };
        taken.push(name);
        text += &format!("{name} = {}\n", quoted(cell));
    }
    for (name, ..) in Place::ALL {
        if !taken.contains(&name) {
            text += &format!("# {name} = \"…\"\n");
        }
    }
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
    let is_called = |field: &&sync_core::catalog::Field| {
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
