//! The rows of a file: CSV as offices save it, or a workbook.
//!
//! Any bytes give rows or an error. What a workbook unpacks to is bounded by what its file can hold: it is a file that its reader
//! chose, on his own machine.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use encoding_rs::{Encoding, GB18030};
use sync_core::limits;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands in the file, the first being 1.
    pub number: usize,
    /// Its cells, without spaces around them.
    pub cells: Vec<String>,
}

impl Line {
    /// The cell of a column; empty, if the row ends before it.
    pub fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    fn is_empty(&self) -> bool {
        self.cells.iter().all(String::is_empty)
    }
}

/// Why a file gives no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than any list.
    TooLarge,
    /// It has more rows or columns than any list.
    TooMany,
    /// There is nothing in it.
    Empty,
    /// It is neither UTF-8 nor GB18030, nor a workbook.
    NotText,
    /// It is a workbook of the old form.
    OldWorkbook,
    /// The workbook cannot be read.
    Workbook(String),
    /// The workbook has several sheets, or not the one that was named.
    WhichSheet(Vec<String>),
}

/// The rows of a file that are not empty.
pub fn read(bytes: &[u8], sheet: Option<&str>) -> Result<Vec<Line>, Unread> {
    if bytes.len() > limits::LIST_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    let lines = match bytes {
        [b'P', b'K', 3, 4, ..] => workbook(bytes, sheet)?,
        [0xD0, 0xCF, 0x11, 0xE0, ..] => return Err(Unread::OldWorkbook),
        _ => separated(&text(bytes).ok_or(Unread::NotText)?)?,
    };
    if lines.is_empty() {
        return Err(Unread::Empty);
    }
    Ok(lines)
}

/// A text by its mark, else as UTF-8, else as GB18030, if it is that without a fault.
fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => {
            let body = bytes.get(mark..)?;
            encoding.decode_without_bom_handling_and_without_replacement(body)?
        }
        None => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => GB18030.decode_without_bom_handling_and_without_replacement(bytes)?,
        },
    };
    (!text.contains('\0')).then_some(text)
}

fn separated(text: &str) -> Result<Vec<Line>, Unread> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(text))
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for (number, record) in (1..).zip(reader.records()) {
        let record = record.map_err(|_| Unread::NotText)?;
        let cells = record.iter().map(|cell| cell.trim().to_owned()).collect();
        take(&mut lines, Line { number, cells })?;
    }
    Ok(lines)
}

/// What separates cells: of what may, what stands most often in the first line in which any does. What is quoted separates nothing.
fn separator(text: &str) -> u8 {
    const ALL: [u8; 3] = [b';', b'\t', b','];
    let mut often = [0_usize; ALL.len()];
    let mut bytes = text.bytes().peekable();
    let (mut is_quoted, mut begins) = (false, true);
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted => is_quoted = bytes.next_if_eq(&b'"').is_some(),
            b'"' if begins => (is_quoted, begins) = (true, false),
            _ if is_quoted => {}
            b'\n' | b'\r' if often.iter().any(|times| *times > 0) => break,
            b'\n' | b'\r' => begins = true,
            byte => {
                let mut counts = ALL.into_iter().zip(&mut often);
                let count = counts.find(|(separator, _)| *separator == byte);
                begins = count.is_some();
                if let Some((_, times)) = count {
                    *times += 1;
                }
            }
        }
    }
    let most = ALL.into_iter().zip(often);
    let most = most.max_by_key(|(_, times)| *times);
    most.map_or(b',', |(separator, _)| separator)
}

fn take(lines: &mut Vec<Line>, line: Line) -> Result<(), Unread> {
    let fits = lines.len() < limits::LIST_ROWS_MAX && line.cells.len() <= limits::LIST_COLUMNS_MAX;
    if !fits {
        return Err(Unread::TooMany);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    Ok(())
}

/// The sheet that is named, or the only one. Cell by cell: what a sheet says of its own size is not believed.
fn workbook(bytes: &[u8], sheet: Option<&str>) -> Result<Vec<Line>, Unread> {
    let unread = |error: XlsxError| Unread::Workbook(error.to_string());
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(unread)?;
    let names = workbook.sheet_names();
    let name = match (sheet, names.as_slice()) {
        (Some(sheet), names) if names.iter().any(|name| name == sheet) => sheet.to_owned(),
        (None, [only]) => only.clone(),
        _ => return Err(Unread::WhichSheet(names)),
    };
    let mut reader = workbook.worksheet_cells_reader(&name).map_err(unread)?;
    let mut rows: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    while let Some(cell) = reader.next_cell().map_err(unread)? {
        let text = shown(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= limits::LIST_COLUMNS_MAX || rows.len() > limits::LIST_ROWS_MAX {
            return Err(Unread::TooMany);
        }
        let cells = rows.entry(row).or_default();
        cells.resize(cells.len().max(column + 1), String::new());
        if let Some(slot) = cells.get_mut(column) {
            *slot = text;
        }
    }
    let mut lines = Vec::new();
    for (row, cells) in rows {
        let number = usize::try_from(row).unwrap_or(usize::MAX).saturating_add(1);
        take(&mut lines, Line { number, cells })?;
    }
    Ok(lines)
}

/// What a person sees in a cell, as far as it counts here.
fn shown(value: &DataRef<'_>) -> String {
    /// From here on a number has lost digits: it is shown so that it passes for no identity number.
    const EXACT: f64 = 1e15;
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(int) => int.to_string(),
        DataRef::Float(float) if float.abs() < EXACT => float.to_string(),
        DataRef::Float(float) => format!("{float:E}"),
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Bool(yes) => yes.to_string(),
        DataRef::DateTime(at) if at.is_datetime() => {
            let (year, month, day, ..) = at.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        DataRef::DateTime(at) => at.as_f64().to_string(),
        DataRef::DateTimeIso(text) => text.chars().take(10).collect(),
        DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        let lines = read(bytes, None).unwrap();
        lines.into_iter().map(|line| line.cells).collect()
    }

    #[test]
    fn one_list_reads_alike_however_an_office_saved_it() {
        let list = "村,姓名\n半子沟村,\"张三, 㐂\"\n\n";
        let (gb, _, faults) = GB18030.encode(list);
        assert!(!faults);
        let expected = [["村", "姓名"], ["半子沟村", "张三, 㐂"]];
        assert_eq!(cells(list.as_bytes()), expected);
        assert_eq!(
            cells(&[b"\xEF\xBB\xBF", list.as_bytes()].concat()),
            expected
        );
        assert_eq!(cells(&gb), expected);
        let tabs = list
            .replace("村,姓名", "村\t姓名")
            .replace("村,\"", "村\t\"");
        let wide: Vec<u8> = tabs.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(cells(&[b"\xFF\xFE", wide.as_slice()].concat()), expected);
    }

    #[test]
    fn what_a_cell_says_does_not_separate_cells() {
        let list =
            "比对清单\n\n姓名,说明\n张三,房顶漏；墙裂;院塌;路断;水浑\n李四,\"a;b;c;d\"\n王五,;\n";
        let (zhang, li) = (["张三", "房顶漏；墙裂;院塌;路断;水浑"], ["李四", "a;b;c;d"]);
        assert_eq!(cells(list.as_bytes())[2..], [zhang, li, ["王五", ";"]]);
        let quoted = "\"村;组;户\"\t姓名\n二组\t\"张\"\"三\"\"\"\n";
        let expected = [["村;组;户", "姓名"], ["二组", "张\"三\""]];
        assert_eq!(cells(quoted.as_bytes()), expected);
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_reason() {
        assert_eq!(read(b"", None), Err(Unread::Empty));
        assert_eq!(read(b"\n , \n", None), Err(Unread::Empty));
        assert_eq!(read(b"a\0b", None), Err(Unread::NotText));
        assert_eq!(read(b"\xFF\xFF\xFF", None), Err(Unread::NotText));
        assert_eq!(read(b"\xD0\xCF\x11\xE0..", None), Err(Unread::OldWorkbook));
        assert!(matches!(
            read(b"PK\x03\x04 and no more", None),
            Err(Unread::Workbook(_))
        ));
        let wide = vec!["x"; limits::LIST_COLUMNS_MAX + 1].join(",");
        assert_eq!(read(wide.as_bytes(), None), Err(Unread::TooMany));
        let widest = vec!["x"; limits::LIST_COLUMNS_MAX].join(",");
        assert!(read(widest.as_bytes(), None).is_ok());
        let long = "x\n".repeat(limits::LIST_ROWS_MAX + 1);
        assert_eq!(read(long.as_bytes(), None), Err(Unread::TooMany));
        assert!(read(&long.as_bytes()[2..], None).is_ok());
        let large = vec![b'x'; limits::LIST_BYTES_MAX + 1];
        assert_eq!(read(&large, None), Err(Unread::TooLarge));
    }
}
