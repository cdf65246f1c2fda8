//! What is wrong with a file, a mapping, a row or a cell, in both languages, with what to do about it.

use sync_core::catalog::Label;
use sync_core::limits;

use super::mapping::Misfit;
use super::plan::Wrong;
use super::register::NoVillage;
use super::sheet::Unread;
use super::typed::Misread;

pub(super) fn label(zh: impl Into<String>, en: impl Into<String>) -> Label {
    Label {
        zh: zh.into(),
        en: en.into(),
    }
}

/// The names in a row, as each language sets them apart.
fn several<'n>(names: impl IntoIterator<Item = &'n String>) -> Label {
    let named = names.into_iter().filter(|name| !name.is_empty());
    let named: Vec<&str> = named.map(String::as_str).collect();
    label(named.join("、"), named.join(", "))
}

impl Unread {
    /// Why the file gives no rows.
    pub fn words(&self) -> Label {
        let (rows, columns) = (limits::LIST_ROWS_MAX, limits::LIST_COLUMNS_MAX);
        let mib = limits::LIST_BYTES_MAX / 1024 / 1024;
        match self {
            Self::TooLarge => label(
                format!("文件超过 {mib} MB，请分成几份。"),
                format!("The file is larger than {mib} MiB: split it."),
            ),
            Self::TooMany => label(
                format!("超过 {rows} 行或 {columns} 列，请分成几份。"),
                format!("There are more than {rows} rows or {columns} columns: split the list."),
            ),
            Self::Empty => label("文件里没有内容。", "There is nothing in the file."),
            Self::NotText => label(
                "不是 UTF-8 或 GB18030（GBK）编码的 CSV，也不是 XLSX。请在表格软件中另存为 XLSX 或 CSV。",
                "This is neither CSV in UTF-8 or GB18030 nor XLSX: save it as one of them.",
            ),
            Self::OldWorkbook => label(
                "这是旧版 XLS，请另存为 XLSX。",
                "This is an old XLS: save it as XLSX.",
            ),
            Self::Workbook(why) => label(
                format!("XLSX 打不开（{why}），请重新另存。"),
                format!("The workbook cannot be read ({why}): save it anew."),
            ),
            Self::WhichSheet(names) => {
                let names = several(names);
                label(
                    format!("请写明工作表：{}", names.zh),
                    format!("Say which sheet: {}", names.en),
                )
            }
        }
    }
}

impl Misfit {
    /// Why the mapping does not fit.
    pub fn words(&self) -> Label {
        match self {
            Self::Unread(why) => label(
                format!("对应文件有误：\n{why}"),
                format!("The mapping cannot be read:\n{why}"),
            ),
            Self::Missing(what) => label(
                format!("对应缺少 {what}。"),
                format!("The mapping lacks {what}."),
            ),
            Self::Date(text) => label(
                format!("source_on 的“{text}”不是日期，请写成 2026-11-21。"),
                format!("source_on: “{text}” is no date: write 2026-11-21."),
            ),
            Self::NoField(name, known) => {
                let known = several(known);
                label(
                    format!("对应中的“{name}”不能填。可填：{}", known.zh),
                    format!(
                        "The mapping's “{name}” cannot be filled. There are: {}",
                        known.en
                    ),
                )
            }
            Self::NoColumn(name, header) => {
                let header = several(header);
                label(
                    format!("清单里没有“{name}”这一列，或不止一列。有：{}", header.zh),
                    format!(
                        "The list has no column “{name}”, or several. There are: {}",
                        header.en
                    ),
                )
            }
            Self::NoHeader(row) => label(
                format!("清单没有第 {row} 行（列名所在行）。"),
                format!("The list has no row {row}, which is to name the columns."),
            ),
            Self::LongSource => label("source 太长。", "The mapping's source is too long."),
        }
    }
}

impl NoVillage {
    /// Why the row is of no village.
    pub fn words(&self) -> Label {
        match self {
            Self::None => label(
                "管辖范围内没有这个村：请核对村名，或用区划代码",
                "no village of yours is called so: check the name, or write its code",
            ),
            Self::Several => label(
                "不止一个村叫这个名字：请对应乡镇列，或用区划代码",
                "several villages are called so: map the township's column, or write codes",
            ),
        }
    }
}

impl Wrong {
    /// Why the cell cannot be used.
    pub fn words(&self) -> Label {
        match self {
            Self::Empty => label("没有填写", "it is empty"),
            Self::Misread(misread) => misread.words(),
            Self::Date(text) => label(
                format!("“{text}”不是日期；如不是年月日顺序，请在对应中写明日期写法"),
                format!(
                    "“{text}” is no date; if the year does not come first, let the mapping say how dates are written"
                ),
            ),
            Self::TooLong(max) => label(
                format!("超过 {max} 字"),
                format!("longer than {max} characters"),
            ),
            Self::IdNumber => label(
                "不是 18 位身份证号或校验位不对；表格里须存为文本，存为数字会丢失末几位",
                "no identity number of 18 characters that ends as it must; keep it as text, for a spreadsheet rounds it as a number",
            ),
            Self::Birth => label(
                "不是日期；如不是年月日顺序，请在对应中写明出生日期的写法",
                "no date; if the year does not come first, let the mapping say how dates of birth are written",
            ),
            Self::Decision(text) => label(
                format!("“{text}”不是可用的决定：填候选序号、农户编号（四位以上）、new 或 skip"),
                format!(
                    "“{text}” cannot be taken: write a candidate's number, a household's id (four digits or more), new, or skip"
                ),
            ),
            Self::NotSaved(why) => why.clone(),
        }
    }
}

impl Misread {
    /// Why the text is no value.
    pub fn words(&self) -> Label {
        match self {
            Self::Date(text) => label(
                format!("“{text}”不是日期，请写成 2026-11-21、11-21、今天或 +3"),
                format!("“{text}” is no date: write 2026-11-21, 11-21, today or +3"),
            ),
            Self::Time(text) => label(
                format!("“{text}”不是时间，请写成 09:30"),
                format!("“{text}” is no time of day: write 09:30"),
            ),
            Self::Number(text) => label(
                format!("“{text}”不是数字"),
                format!("“{text}” is no number"),
            ),
            Self::Bool(text) => label(
                format!("“{text}”请写是或否"),
                format!("“{text}”: write yes or no"),
            ),
            Self::Code(text, codes) => {
                let zh: Vec<String> = codes
                    .iter()
                    .map(|(code, zh, _)| format!("{code} {zh}"))
                    .collect();
                let en: Vec<String> = codes
                    .iter()
                    .map(|(code, _, en)| format!("{code} {en}"))
                    .collect();
                let (zh, en) = (zh.join("、"), en.join(", "));
                label(
                    format!("没有类别“{text}”，或不止一个。有：{zh}"),
                    format!("There is no code “{text}”, or several begin so. There are: {en}"),
                )
            }
            Self::Part(text, parts) => {
                let parts = several(parts);
                label(
                    format!("没有这一栏：“{text}”。有：{}", parts.zh),
                    format!("There is no such part: “{text}”. There are: {}", parts.en),
                )
            }
            Self::NotTyped => label(
                "这里不填照片、文件或引用。",
                "Photos, files and references are not typed here.",
            ),
        }
    }
}
