//! The report: a line for each row, for a person to read, decide in and give back.
//!
//! It holds names, and neither identity numbers nor days of birth.

use std::collections::BTreeMap;
use std::io;

use sync_core::catalog::Label;
use sync_core::id::RecordId;

use super::plan::{By, Candidate, Planned, Verdict};
use super::register::{Household, Known, Register};
use super::sheet::{Line, Unread, read};
use super::words::label;

/// Names of columns, in both languages at once, so that either reads a report of the other.
const COLUMNS: [&str; 9] = [
    "行 row",
    "键 key",
    "村 village",
    "姓名 name",
    "结果 result",
    "农户 household",
    "候选 candidates",
    "问题 problem",
    "决定 decision",
];
const KEY: &str = COLUMNS[1];
const DECISION: &str = COLUMNS[8];

/// A report that cannot be given back: it is read as no list, or lacks one of these columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReport {
    /// The file gives no rows.
    Unread(Unread),
    /// It lacks this column.
    NoColumn(&'static str),
}

/// The report as it is written, in the language that `say` picks.
pub fn text(
    planned: &[Planned],
    register: &Register,
    say: impl Fn(&Label) -> &str,
) -> io::Result<Vec<u8>> {
    // With the mark, for without it spreadsheets take UTF-8 for GB18030.
    let mut writer = csv::WriterBuilder::new().from_writer("\u{FEFF}".as_bytes().to_vec());
    writer.write_record(COLUMNS)?;
    for row in planned {
        let number = row.number.to_string();
        let household = match row.verdict {
            Verdict::Ready(record, _) => {
                let known = household(row, register, record);
                let name = known.map_or("", |known| known.householder.as_str());
                format!("{} {name}", record.short())
            }
            _ => String::new(),
        };
        let candidates = candidates(row, register);
        let problem = problem(&row.verdict);
        let result = result(&row.verdict);
        let cells = [
            number.as_str(),
            &row.key,
            &row.village,
            &row.name,
            say(&result),
            &household,
            say(&candidates),
            problem.as_ref().map_or("", |label| say(label)),
            "",
        ];
        writer.write_record(cells.map(harmless))?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// A household that a row may be of.
pub fn household<'r>(
    row: &Planned,
    register: &'r Register,
    record: RecordId,
) -> Option<&'r Household> {
    register.village(row.journal?)?.household(record)
}

fn candidates(row: &Planned, register: &Register) -> Label {
    let Verdict::Undecided(candidates) = &row.verdict else {
        return label("", "");
    };
    let one = |(number, (record, how)): (usize, &Candidate)| {
        let known = household(row, register, *record);
        let (name, group) = known.map_or(("", ""), |known| {
            (known.householder.as_str(), known.group.as_str())
        });
        let (id, note) = (record.short(), note(*how));
        label(
            format!("{number}) {name} {group} {id} {}", note.zh),
            format!("{number}) {name} {group} {id} {}", note.en),
        )
    };
    let all: Vec<Label> = (1..).zip(candidates).map(one).collect();
    let join = |of: fn(&Label) -> &str, between| {
        let texts: Vec<&str> = all.iter().map(of).collect();
        texts.join(between)
    };
    label(join(|label| &label.zh, "；"), join(|label| &label.en, "; "))
}

/// How a household is known, in a word.
pub fn note(how: Known) -> Label {
    match how {
        Known::ByNumber => label("证件号相符", "number agrees"),
        Known::ByCode => label(
            "户编号相符，姓名不符",
            "household number agrees, name does not",
        ),
        Known::ByBirth => label(
            "姓名与出生日期核对码相符",
            "name and check of the birth date agree",
        ),
        Known::ByName => label("仅姓名相符", "name alone"),
        Known::BornOtherwise => label("出生日期不符", "born on another day"),
        Known::UnderAnother => label("证件号不符", "another number"),
    }
}

/// What became of a row, in a word.
pub fn result(verdict: &Verdict) -> Label {
    match verdict {
        Verdict::Ready(_, By::Code) => label("按户编号匹配", "matched by household number"),
        Verdict::Ready(_, By::Number) => label("按证件号匹配", "matched by identity number"),
        Verdict::Ready(_, By::Decision) => label("人工确定", "decided"),
        Verdict::Told => label("由村里查找", "for the village to find"),
        Verdict::Undecided(candidates) if candidates.is_empty() => {
            label("在册未找到", "not on the register")
        }
        Verdict::Undecided(_) => label("待确定", "to decide"),
        Verdict::NoVillage(_) => label("没有这个村", "no such village"),
        Verdict::Bad(..) => label("内容有误", "bad value"),
        Verdict::Made => label("已有线索", "made before"),
        Verdict::Repeated => label("清单内重复", "repeated in the list"),
        Verdict::Skipped => label("跳过", "skipped"),
    }
}

/// What is wrong with a row, if anything is.
pub fn problem(verdict: &Verdict) -> Option<Label> {
    match verdict {
        Verdict::NoVillage(none) => Some(none.words()),
        Verdict::Bad(column, wrong) => {
            let why = wrong.words();
            Some(label(
                format!("“{column}”：{}", why.zh),
                format!("“{column}”: {}", why.en),
            ))
        }
        Verdict::Undecided(candidates) if candidates.is_empty() => Some(label(
            "村里没有这个名字的在册农户：由村里登记后再导入；或填写农户编号；或填 new，按清单上的姓名建线索，由村里查找是哪一户",
            "nobody of this name is on the village's register: let the village register the household and import again; or write a household's id; or new for a clue by the list's name, whose household the village finds",
        )),
        Verdict::Ready(..)
        | Verdict::Told
        | Verdict::Undecided(_)
        | Verdict::Made
        | Verdict::Repeated
        | Verdict::Skipped => None,
    }
}

/// What a person decided in a report, by the keys of rows, however his spreadsheet saved it.
pub fn decisions(bytes: &[u8]) -> Result<BTreeMap<String, String>, NoReport> {
    let lines = read(bytes, None).map_err(NoReport::Unread)?;
    let column = |name: &'static str| {
        let header = lines.first().map(|line: &Line| line.cells.as_slice());
        let found = header.and_then(|header| header.iter().position(|cell| cell == name));
        found.ok_or(NoReport::NoColumn(name))
    };
    let (key, decision) = (column(KEY)?, column(DECISION)?);
    let rows = lines.iter().skip(1);
    let said = rows.filter(|line| !line.cell(decision).is_empty());
    // What was put before a cell to keep it from being a formula is not of the key.
    let own = |cell: &str| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
    Ok(said
        .map(|line| (own(line.cell(key)), line.cell(decision).to_owned()))
        .collect())
}
