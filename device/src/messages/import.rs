//! The wording of imports: what is wrong with a file, a mapping, or a cell.

use sync_core::limits;

use super::{Lang, Worded};
use crate::import::mapping::Misfit;
use crate::import::plan::Wrong;
use crate::import::register::NoVillage;
use crate::import::report::NoReport;
use crate::import::sheet::Unread;

impl Worded for Unread {
    fn worded(&self, lang: Lang) -> String {
        let (rows, columns) = (limits::LIST_ROWS_MAX, limits::LIST_COLUMNS_MAX);
        let mib = limits::LIST_BYTES_MAX / 1024 / 1024;
        match (self, lang) {
            (Self::TooLarge, Lang::Zh) => format!("文件超过 {mib} MB，请分成几份。"),
            (Self::TooLarge, Lang::En) => format!("The file is larger than {mib} MiB: split it."),
            (Self::TooMany, Lang::Zh) => format!("超过 {rows} 行或 {columns} 列，请分成几份。"),
            (Self::TooMany, Lang::En) => {
                format!("There are more than {rows} rows or {columns} columns: split the list.")
            }
            (Self::Empty, _) => lang.pick("文件里没有内容。", "There is nothing in the file.").to_owned(),
            (Self::NotText, _) => lang
                .pick(
                    "不是 UTF-8 或 GB18030（GBK）编码的 CSV，也不是 XLSX。请在表格软件中另存为 XLSX 或 CSV。",
                    "This is neither CSV in UTF-8 or GB18030 nor XLSX: save it as one of them.",
                )
                .to_owned(),
            (Self::OldWorkbook, _) => lang
                .pick("这是旧版 XLS，请另存为 XLSX。", "This is an old XLS: save it as XLSX.")
                .to_owned(),
            (Self::Workbook(why), Lang::Zh) => format!("XLSX 打不开（{why}），请重新另存。"),
            (Self::Workbook(why), Lang::En) => {
                format!("The workbook cannot be read ({why}): save it anew.")
            }
            (Self::WhichSheet(names), lang) => {
                let ask = lang.pick("请用 --sheet 写明工作表：", "Say which sheet with --sheet: ");
                format!("{ask}{}", names.join(lang.comma()))
            }
        }
    }
}

impl Worded for Misfit {
    fn worded(&self, lang: Lang) -> String {
        let list = |names: &[String]| {
            let named = names.iter().filter(|name| !name.is_empty());
            named.cloned().collect::<Vec<_>>().join(lang.comma())
        };
        match (self, lang) {
            (Self::Toml(why), Lang::Zh) => format!("对应文件有误：\n{why}"),
            (Self::Toml(why), Lang::En) => format!("The mapping cannot be read:\n{why}"),
            (Self::Missing(what), Lang::Zh) => format!("对应文件缺少 {what}。"),
            (Self::Missing(what), Lang::En) => format!("The mapping lacks {what}."),
            (Self::Date(text), Lang::Zh) => {
                format!("source_on 的“{text}”不是日期，请写成 2026-11-21。")
            }
            (Self::Date(text), Lang::En) => {
                format!("source_on: “{text}” is no date: write 2026-11-21.")
            }
            (Self::NoField(name, known), Lang::Zh) => {
                format!("对应文件中的“{name}”不能填。可填：{}", list(known))
            }
            (Self::NoField(name, known), Lang::En) => {
                format!(
                    "The mapping's “{name}” cannot be filled. There are: {}",
                    list(known)
                )
            }
            (Self::NoColumn(name, header), Lang::Zh) => {
                format!("清单里没有“{name}”这一列，或不止一列。有：{}", list(header))
            }
            (Self::NoColumn(name, header), Lang::En) => format!(
                "The list has no column “{name}”, or several. There are: {}",
                list(header)
            ),
            (Self::NoHeader(row), Lang::Zh) => format!("清单没有第 {row} 行（列名所在行）。"),
            (Self::NoHeader(row), Lang::En) => {
                format!("The list has no row {row}, which is to name the columns.")
            }
            (Self::LongSource, _) => lang
                .pick("source 太长。", "The mapping's source is too long.")
                .to_owned(),
        }
    }
}

impl Worded for NoVillage {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::None => lang.pick(
                "管辖范围内没有这个村：请核对村名，或用区划代码",
                "no village of yours is called so: check the name, or write its code",
            ),
            Self::Several => lang.pick(
                "不止一个村叫这个名字：请对应乡镇列，或用区划代码",
                "several villages are called so: map the township's column, or write codes",
            ),
        }
        .to_owned()
    }
}

impl Worded for Wrong {
    fn worded(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Empty, _) => lang.pick("没有填写", "it is empty").to_owned(),
            (Self::Misread(misread), lang) => misread.worded(lang),
            (Self::Date(text), Lang::Zh) => {
                format!("“{text}”不是日期；如不是年月日顺序，请在 [dates] 写明")
            }
            (Self::Date(text), Lang::En) => format!(
                "“{text}” is no date; if the year does not come first, say so under [dates]"
            ),
            (Self::TooLong(max), Lang::Zh) => format!("超过 {max} 字"),
            (Self::TooLong(max), Lang::En) => format!("longer than {max} characters"),
            (Self::IdNumber, _) => lang
                .pick(
                    "不是 18 位身份证号或校验位不对；表格里须存为文本，存为数字会丢失末几位",
                    "no identity number of 18 characters that ends as it must; keep it as text, for a spreadsheet rounds it as a number",
                )
                .to_owned(),
            (Self::Birth, _) => lang
                .pick(
                    "不是日期；如不是年月日顺序，请在 [dates] 写明 born",
                    "no date; if the year does not come first, say so of born under [dates]",
                )
                .to_owned(),
            (Self::Decision(text), Lang::Zh) => {
                format!("“{text}”不是可用的决定：填候选序号、农户编号（四位以上）、new 或 skip")
            }
            (Self::Decision(text), Lang::En) => format!(
                "“{text}” cannot be taken: write a candidate's number, a household's id (four digits or more), new, or skip"
            ),
            (Self::Cannot(cannot), lang) => cannot.worded(lang),
        }
    }
}

impl Worded for NoReport {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Unread(unread) => unread.worded(lang),
            Self::NoColumn(column) => match lang {
                Lang::Zh => format!("报告里没有“{column}”这一列，请用 --report 写出的文件。"),
                Lang::En => {
                    format!("The report has no column “{column}”: give back what --report wrote.")
                }
            },
        }
    }
}
