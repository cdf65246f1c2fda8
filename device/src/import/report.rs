//! The report: a line for each row, for a person to read, decide in and give back.
//!
//! It holds names, and neither identity numbers nor days of birth. It is written where the person says, for his own eyes, and never over another file.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use super::plan::{By, Planned, Verdict};
use super::register::{Known, Register};
use super::sheet::{Line, Unread, read};
use crate::messages::{Lang, Worded as _};

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

/// The report as it is written.
pub fn text(planned: &[Planned], register: &Register, lang: Lang) -> io::Result<Vec<u8>> {
    // With the mark, for without it spreadsheets take UTF-8 for GB18030.
    let mut writer = csv::WriterBuilder::new().from_writer("\u{FEFF}".as_bytes().to_vec());
    writer.write_record(COLUMNS)?;
    for row in planned {
        let number = row.number.to_string();
        let household = household(row, register);
        let (candidates, problem) = (candidates(row, register, lang), problem(row, lang));
        let result = result(&row.verdict, lang);
        let cells = [
            &number,
            &row.key,
            &row.village,
            &row.name,
            result,
            &household,
            &candidates,
            &problem,
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

fn household(row: &Planned, register: &Register) -> String {
    let Verdict::Ready(record, _) = row.verdict else {
        return String::new();
    };
    let village = row.journal.and_then(|journal| register.village(journal));
    let found = village.and_then(|village| village.household(record));
    let name = found.map_or("", |household| household.householder.as_str());
    format!("{} {name}", record.short())
}

fn candidates(row: &Planned, register: &Register, lang: Lang) -> String {
    let Verdict::Undecided(candidates) = &row.verdict else {
        return String::new();
    };
    let village = row.journal.and_then(|journal| register.village(journal));
    let one = |(number, (record, how)): (usize, &(_, Known))| {
        let household = village.and_then(|village| village.household(*record));
        let (name, group) = household.map_or(("", ""), |household| {
            (household.householder.as_str(), household.group.as_str())
        });
        let note = match how {
            Known::ByNumber => lang.pick("证件号相符", "number agrees"),
            Known::ByCode => lang.pick(
                "户编号相符，姓名不符",
                "household number agrees, name does not",
            ),
            Known::ByBirth => lang.pick(
                "姓名与出生日期核对码相符",
                "name and check of the birth date agree",
            ),
            Known::ByName => lang.pick("仅姓名相符", "name alone"),
            Known::BornOtherwise => lang.pick("出生日期不符", "born on another day"),
            Known::UnderAnother => lang.pick("证件号不符", "another number"),
        };
        format!("{number}) {name} {group} {} {note}", record.short())
    };
    let candidates: Vec<String> = (1..).zip(candidates).map(one).collect();
    candidates.join(lang.pick("；", "; "))
}

/// What became of a row, in a word.
pub fn result(verdict: &Verdict, lang: Lang) -> &'static str {
    match verdict {
        Verdict::Ready(_, By::Code) => lang.pick("按户编号匹配", "matched by household number"),
        Verdict::Ready(_, By::Number) => lang.pick("按证件号匹配", "matched by identity number"),
        Verdict::Ready(_, By::Decision) => lang.pick("人工确定", "decided"),
        Verdict::Told => lang.pick("由村里查找", "for the village to find"),
        Verdict::Undecided(candidates) if candidates.is_empty() => {
            lang.pick("在册未找到", "not on the register")
        }
        Verdict::Undecided(_) => lang.pick("待确定", "to decide"),
        Verdict::NoVillage(_) => lang.pick("没有这个村", "no such village"),
        Verdict::Bad(..) => lang.pick("内容有误", "bad value"),
        Verdict::Made => lang.pick("已有线索", "made before"),
        Verdict::Repeated => lang.pick("清单内重复", "repeated in the list"),
        Verdict::Skipped => lang.pick("跳过", "skipped"),
    }
}

fn problem(row: &Planned, lang: Lang) -> String {
    match &row.verdict {
        Verdict::NoVillage(none) => none.worded(lang),
        Verdict::Bad(column, wrong) => {
            let (open, close) = (lang.pick("“", "“"), lang.pick("”", "”"));
            format!("{open}{column}{close}{}{}", lang.colon(), wrong.worded(lang))
        }
        Verdict::Undecided(candidates) if candidates.is_empty() => lang
            .pick(
                "村里没有这个名字的在册农户：由村里登记后再导入；或填写农户编号；或填 new，按清单上的姓名建线索，由村里查找是哪一户",
                "nobody of this name is on the village's register: let the village register the household and import again; or write a household's id; or new for a clue by the list's name, whose household the village finds",
            )
            .to_owned(),
        Verdict::Ready(..)
        | Verdict::Told
        | Verdict::Undecided(_)
        | Verdict::Made
        | Verdict::Repeated
        | Verdict::Skipped => String::new(),
    }
}

/// Writes a report for its person's eyes alone; never over a file that is there.
pub fn create(path: &Path, text: &[u8]) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    Ok(file)
}

/// Writes it anew into the same file.
pub fn replace(file: &mut fs::File, text: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text)?;
    file.sync_all()
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
