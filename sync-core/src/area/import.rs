//! Reads a file of areas, and reports every mistake in it.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::{AreaCode, Level};
use crate::limits::{AREA_FILE_BYTES_MAX, AREA_FILE_MISTAKES_MAX, AREA_NAME_CHARS_MAX};

/// One area as a file declares it. Its level is that of its code, and so is its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaRow {
    /// Its code.
    pub code: AreaCode,
    /// Its name, as printed.
    pub name: String,
}

/// One thing that is wrong with a file, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: lines count from 1, the header's.
    pub line: u64,
    /// In which column; empty if it concerns the whole line.
    pub column: &'static str,
    /// What kind of mistake, by a stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", {}", self.column)?;
        }
        write!(f, ": {}; {}", self.message, self.remedy)
    }
}

/// Reads a file of areas. `known` are the codes that the deployment has already, so that a county can be added below them.
///
/// The areas come sorted, every parent before its children. A parent is in the file or among the known.
///
/// # Errors
///
/// Every mistake of the file, by line, up to [`AREA_FILE_MISTAKES_MAX`]. Then nothing of the file may be used.
pub fn import(file: &[u8], known: &BTreeSet<AreaCode>) -> Result<Vec<AreaRow>, Vec<Mistake>> {
    let mut import = Import::default();
    if let Err(mistake) = import.read(file) {
        import.mistakes.push(mistake);
    } else {
        import.check_parents(known);
    }
    let Import {
        lines,
        mut mistakes,
    } = import;
    if mistakes.is_empty() {
        let mut areas: Vec<AreaRow> = lines
            .into_iter()
            .map(|(code, line)| AreaRow {
                code,
                name: line.name,
            })
            .collect();
        areas.sort_by_key(|area| (area.code.level(), area.code));
        return Ok(areas);
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    Err(mistakes)
}

const COLUMNS: [&str; 4] = ["code", "name", "level", "parent_code"];

/// The four cells of a line, in the order of [`COLUMNS`].
type Cells<'a> = [&'a str; 4];

struct Line {
    number: u64,
    name: String,
}

#[derive(Default)]
struct Import {
    lines: BTreeMap<AreaCode, Line>,
    mistakes: Vec<Mistake>,
}

impl Import {
    fn read(&mut self, file: &[u8]) -> Result<(), Mistake> {
        if file.len() > AREA_FILE_BYTES_MAX {
            let message = format!(
                "the file has {} bytes, more than {AREA_FILE_BYTES_MAX}",
                file.len()
            );
            return Err(mistake(
                1,
                "",
                "too_large",
                message,
                "split it: the higher levels first, then one file per city",
            ));
        }
        let text = decode(file)?;
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let order = {
            let header = reader.headers().map_err(|error| unreadable(&error))?;
            columns(header)?
        };
        for record in reader.records() {
            let record = record.map_err(|error| unreadable(&error))?;
            let number = line_of(text, record.position());
            if self.mistakes.len() >= AREA_FILE_MISTAKES_MAX {
                let message = format!(
                    "{} mistakes so far; the file was read no further",
                    self.mistakes.len()
                );
                return Err(mistake(
                    number,
                    "",
                    "too_many",
                    message,
                    "mend these and try again",
                ));
            }
            let cells = order.map(|index| record.get(index).unwrap_or_default());
            if record.len() == COLUMNS.len() {
                self.take(number, cells);
            } else {
                let message = format!("{} cells instead of {}", record.len(), COLUMNS.len());
                let remedy =
                    "write code,name,level,parent_code, and quote a name that holds a comma";
                self.wrong(number, "", "cells", message, remedy);
            }
        }
        if self.lines.is_empty() && self.mistakes.is_empty() {
            return Err(mistake(
                1,
                "",
                "empty",
                "the file declares no area".to_owned(),
                "write one line for each area below the header",
            ));
        }
        Ok(())
    }

    /// Checks what one line says by itself.
    fn take(&mut self, number: u64, [code, name, level, parent]: Cells<'_>) {
        self.check_name(number, name);
        let level = level.parse::<Level>().map_err(|_| {
            let remedy = "write province, city, county, township or village (or 省级, 地级, 县级, 乡级, 村级)";
            self.wrong(number, "level", "level", format!("{} is not a level", quoted(level)), remedy);
        });
        let Some(code) = self.code(number, "code", code) else {
            return;
        };
        if let Ok(level) = level
            && level != code.level()
        {
            let message = format!("{code} is the code of a {}, not of a {level}", code.level());
            self.wrong(
                number,
                "level",
                "wrong_level",
                message,
                format!("write {}, or correct the code", code.level()),
            );
        }
        self.check_parent_cell(number, code, parent);
        if let Some(first) = self.lines.get(&code) {
            let message = format!("{code} stands in line {} already", first.number);
            self.wrong(
                number,
                "code",
                "duplicate",
                message,
                "keep one of the two lines",
            );
        } else {
            // A line with a mistake still counts as there, so that its children are not reported for it.
            self.lines.insert(
                code,
                Line {
                    number,
                    name: name.to_owned(),
                },
            );
        }
    }

    fn wrong(
        &mut self,
        line: u64,
        column: &'static str,
        code: &'static str,
        message: String,
        remedy: impl Into<String>,
    ) {
        self.mistakes
            .push(mistake(line, column, code, message, remedy));
    }

    fn code(&mut self, number: u64, column: &'static str, cell: &str) -> Option<AreaCode> {
        let code = cell.parse().ok();
        if code.is_none() {
            let remedy = "write all twelve digits, as in 640422000000, and format the column as text in a spreadsheet";
            self.wrong(
                number,
                column,
                "code",
                format!("{} is not a division code", quoted(cell)),
                remedy,
            );
        }
        code
    }

    fn check_name(&mut self, number: u64, name: &str) {
        if name.is_empty() {
            self.wrong(
                number,
                "name",
                "no_name",
                "the area has no name".to_owned(),
                "write its name as printed",
            );
        } else if name.chars().count() > AREA_NAME_CHARS_MAX {
            let message = format!("the name has more than {AREA_NAME_CHARS_MAX} characters");
            self.wrong(
                number,
                "name",
                "long_name",
                message,
                "write the name alone, without remarks",
            );
        } else if name.chars().any(char::is_control) {
            let message = "the name holds a line break or another control character".to_owned();
            self.wrong(
                number,
                "name",
                "control",
                message,
                "write the name on one line",
            );
        }
    }

    fn check_parent_cell(&mut self, number: u64, code: AreaCode, cell: &str) {
        match (cell.is_empty(), code.parent()) {
            (true, None) => {}
            (true, Some(expected)) => {
                let message = format!("{code} names no parent");
                self.wrong(
                    number,
                    "parent_code",
                    "no_parent",
                    message,
                    format!("write {expected}"),
                );
            }
            (false, None) => {
                let message = format!("{code} is a province and lies in no other area");
                self.wrong(
                    number,
                    "parent_code",
                    "wrong_parent",
                    message,
                    "leave the cell empty",
                );
            }
            (false, Some(expected)) => {
                if let Some(parent) = self.code(number, "parent_code", cell)
                    && parent != expected
                {
                    let message = format!("{code} does not lie in {parent} by its digits");
                    let remedy = format!(
                        "write {expected}; an area governed from elsewhere is moved after the import, with a date"
                    );
                    self.wrong(number, "parent_code", "wrong_parent", message, remedy);
                }
            }
        }
    }

    /// Checks what only the whole file shows.
    fn check_parents(&mut self, known: &BTreeSet<AreaCode>) {
        let orphans = self.lines.iter().filter_map(|(code, line)| {
            let parent = code.parent()?;
            let there = self.lines.contains_key(&parent) || known.contains(&parent);
            (!there).then(|| {
                let message = format!("{parent} is neither in this file nor imported before");
                let remedy =
                    format!("add a line for {parent}, or import the file that has it first");
                mistake(
                    line.number,
                    "parent_code",
                    "unknown_parent",
                    message,
                    remedy,
                )
            })
        });
        let room = AREA_FILE_MISTAKES_MAX.saturating_sub(self.mistakes.len());
        let orphans: Vec<Mistake> = orphans.take(room).collect();
        self.mistakes.extend(orphans);
    }
}

fn mistake(
    line: u64,
    column: &'static str,
    code: &'static str,
    message: String,
    remedy: impl Into<String>,
) -> Mistake {
    Mistake {
        line,
        column,
        code,
        message,
        remedy: remedy.into(),
    }
}

fn decode(file: &[u8]) -> Result<&str, Mistake> {
    let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
    core::str::from_utf8(text).map_err(|error| {
        let good = String::from_utf8_lossy(text.get(..error.valid_up_to()).unwrap_or_default());
        let message = "the file is not UTF-8 text".to_owned();
        mistake(
            good.matches('\n').count() as u64 + 1,
            "",
            "not_utf8",
            message,
            "save it as “CSV UTF-8” in the spreadsheet",
        )
    })
}

/// Where each column stands in this file.
fn columns(header: &csv::StringRecord) -> Result<[usize; 4], Mistake> {
    let found: Vec<Option<usize>> = COLUMNS
        .iter()
        .map(|name| header.iter().position(|cell| cell == *name))
        .collect();
    if let (&[Some(code), Some(name), Some(level), Some(parent)], 4) =
        (found.as_slice(), header.len())
    {
        return Ok([code, name, level, parent]);
    }
    let message = format!(
        "the header is {}",
        quoted(&header.iter().collect::<Vec<_>>().join(","))
    );
    let remedy = "write code,name,level,parent_code in the first line";
    Err(mistake(1, "", "header", message, remedy))
}

fn unreadable(error: &csv::Error) -> Mistake {
    let line = error.position().map_or(1, csv::Position::line);
    mistake(
        line,
        "",
        "unreadable",
        "the line cannot be read as comma-separated text".to_owned(),
        "quote a cell that holds a quotation mark",
    )
}

/// The reader's own line number is that of the end of the record before, blank lines not counted.
fn line_of(text: &str, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 1 };
    let rest = usize::try_from(position.byte())
        .ok()
        .and_then(|start| text.get(start..))
        .unwrap_or_default();
    let blank = rest
        .bytes()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .filter(|byte| *byte == b'\n')
        .count();
    position.line() + blank as u64
}

/// A cell for a message, cut short.
fn quoted(cell: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = cell.chars().take(SHOWN).collect();
    if cell.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("“{shown}”")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "code,name,level,parent_code\n";

    #[track_caller]
    fn check_import(file: &str, expected: &Expect) {
        let mut shown = String::new();
        match import(file.as_bytes(), &BTreeSet::new()) {
            Ok(areas) => {
                for AreaRow { code, name } in areas {
                    shown += &format!("{code} {} {name}\n", code.level());
                }
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    shown += &format!("[{}] {mistake}\n", mistake.code);
                }
            }
        }
        expected.assert_eq(&shown);
    }

    fn code(text: &str) -> AreaCode {
        text.parse().expect("a valid code")
    }

    #[test]
    fn parents_come_before_children_whatever_the_order_of_lines_and_columns() {
        let file = "\u{feff}level,code,parent_code,name\r\n\
                    村级,640422100203,640422100000,\"某村,东\"\r\n\r\n\
                    township,640422100000,640422000000,吉强镇\r\n\
                    county,640422000000,640400000000,西吉县\r\n\
                    city,640400000000,640000000000, 固原市 \r\n\
                    province,640000000000,,宁夏回族自治区";
        check_import(
            file,
            &expect![[r#"
            640000000000 province 宁夏回族自治区
            640400000000 city 固原市
            640422000000 county 西吉县
            640422100000 township 吉强镇
            640422100203 village 某村,东
        "#]],
        );
    }

    #[test]
    fn every_mistake_is_reported_with_its_line_and_remedy() {
        let file = "code,name,level,parent_code\n\
                    640000000000,宁夏回族自治区,province,640000000000\n\
                    \n\
                    6.40422E+11,西吉县,county,640400000000\n\
                    640400000000,,town,640000000000\n\
                    640423000000,隆德县,township,640400000000\n\
                    640423000000,隆德县,county,640000000000\n\
                    640424100000,香水镇,township,640424000000\n\
                    640425000000,彭阳县,county,\n\
                    640422100203,\"某\n村\",village,640422100x00\n\
                    640425100000,白阳镇,township\n";
        check_import(
            file,
            &expect![[r#"
            [wrong_parent] line 2, parent_code: 640000000000 is a province and lies in no other area; leave the cell empty
            [code] line 4, code: “6.40422E+11” is not a division code; write all twelve digits, as in 640422000000, and format the column as text in a spreadsheet
            [no_name] line 5, name: the area has no name; write its name as printed
            [level] line 5, level: “town” is not a level; write province, city, county, township or village (or 省级, 地级, 县级, 乡级, 村级)
            [wrong_level] line 6, level: 640423000000 is the code of a county, not of a township; write county, or correct the code
            [wrong_parent] line 7, parent_code: 640423000000 does not lie in 640000000000 by its digits; write 640400000000; an area governed from elsewhere is moved after the import, with a date
            [duplicate] line 7, code: 640423000000 stands in line 6 already; keep one of the two lines
            [unknown_parent] line 8, parent_code: 640424000000 is neither in this file nor imported before; add a line for 640424000000, or import the file that has it first
            [no_parent] line 9, parent_code: 640425000000 names no parent; write 640400000000
            [control] line 10, name: the name holds a line break or another control character; write the name on one line
            [code] line 10, parent_code: “640422100x00” is not a division code; write all twelve digits, as in 640422000000, and format the column as text in a spreadsheet
            [unknown_parent] line 10, parent_code: 640422100000 is neither in this file nor imported before; add a line for 640422100000, or import the file that has it first
            [cells] line 12: 3 cells instead of 4; write code,name,level,parent_code, and quote a name that holds a comma
        "#]],
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        check_import(
            "",
            &expect![[r#"
            [header] line 1: the header is “”; write code,name,level,parent_code in the first line
        "#]],
        );
        check_import(
            HEADER,
            &expect![[r#"
            [empty] line 1: the file declares no area; write one line for each area below the header
        "#]],
        );
        check_import(
            "区划代码,名称\n640000000000,宁夏回族自治区\n",
            &expect![[r#"
                [header] line 1: the header is “区划代码,名称”; write code,name,level,parent_code in the first line
            "#]],
        );
        let gbk = [
            HEADER.as_bytes(),
            b"640000000000,\xC4\xFE\xCF\xC4,province,\n",
        ]
        .concat();
        let mistakes = import(&gbk, &BTreeSet::new()).expect_err("GBK is not UTF-8");
        expect!["line 2: the file is not UTF-8 text; save it as “CSV UTF-8” in the spreadsheet"]
            .assert_eq(&mistakes[0].to_string());
    }

    #[test]
    fn a_parent_imported_before_need_not_stand_in_the_file() {
        let file = format!("{HEADER}640422100000,吉强镇,township,640422000000\n");
        assert!(import(file.as_bytes(), &BTreeSet::new()).is_err());
        assert!(import(file.as_bytes(), &BTreeSet::from([code("640422000000")])).is_ok());
    }

    #[test]
    fn names_have_a_limit() {
        let file =
            |chars: usize| format!("{HEADER}640000000000,{},province,\n", "宁".repeat(chars));
        assert!(import(file(AREA_NAME_CHARS_MAX).as_bytes(), &BTreeSet::new()).is_ok());
        let mistakes = import(file(AREA_NAME_CHARS_MAX + 1).as_bytes(), &BTreeSet::new())
            .expect_err("one past the limit");
        assert_eq!(mistakes[0].code, "long_name");
    }

    #[test]
    fn files_have_a_limit() {
        let mut file = format!("{HEADER}640000000000,宁夏回族自治区,province,\n").into_bytes();
        file.resize(AREA_FILE_BYTES_MAX, b'\n');
        assert!(import(&file, &BTreeSet::new()).is_ok());
        file.push(b'\n');
        assert_eq!(
            import(&file, &BTreeSet::new()).expect_err("one past the limit")[0].code,
            "too_large"
        );
    }

    #[test]
    fn the_report_of_mistakes_has_a_limit() {
        let last_of = |lines: usize| {
            let file = format!("{HEADER}{}", "x,某村,village,y\n".repeat(lines));
            let mut mistakes =
                import(file.as_bytes(), &BTreeSet::new()).expect_err("a mistake in each line");
            (mistakes.len(), mistakes.pop().expect("at least one").code)
        };
        assert_eq!(
            last_of(AREA_FILE_MISTAKES_MAX),
            (AREA_FILE_MISTAKES_MAX, "code")
        );
        assert_eq!(
            last_of(AREA_FILE_MISTAKES_MAX + 1),
            (AREA_FILE_MISTAKES_MAX + 1, "too_many")
        );
        assert_eq!(
            last_of(AREA_FILE_MISTAKES_MAX * 2),
            (AREA_FILE_MISTAKES_MAX + 1, "too_many")
        );
    }

    proptest! {
        #[test]
        fn a_file_of_codes_with_all_above_them_is_taken_whole(
            numbers in proptest::collection::btree_set(10_000_000_000_u64..1_000_000_000_000, 1..20),
        ) {
            let mut codes: BTreeSet<AreaCode> = numbers.into_iter().map(AreaCode).collect();
            let above: Vec<AreaCode> = codes.iter().flat_map(|code| core::iter::successors(code.parent(), |code| code.parent())).collect();
            codes.extend(above);
            let mut file = HEADER.to_owned();
            for code in codes.iter().rev() {
                let parent = code.parent().map(|parent| parent.to_string()).unwrap_or_default();
                file += &format!("{code},区{code},{},{parent}\n", code.level());
            }
            let areas = import(file.as_bytes(), &BTreeSet::new()).expect("a file without mistakes");
            prop_assert_eq!(areas.len(), codes.len());
            for (place, area) in areas.iter().enumerate() {
                let parent_came = area.code.parent().is_none_or(|parent| areas[..place].iter().any(|earlier| earlier.code == parent));
                prop_assert!(parent_came);
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), with_header in any::<bool>()) {
            let file = if with_header { [HEADER.as_bytes(), &bytes].concat() } else { bytes };
            if let Err(mistakes) = import(&file, &BTreeSet::new()) {
                prop_assert!(!mistakes.is_empty());
                prop_assert!(mistakes.iter().all(|mistake| mistake.line >= 1 && !mistake.remedy.is_empty()));
            }
        }
    }
}
