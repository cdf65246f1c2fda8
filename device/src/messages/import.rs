//! The wording of imports: what the lists say of themselves, and which flags say otherwise.

use lists::mapping::Misfit;
use lists::report::NoReport;
use lists::sheet::Unread;
use lists::typed::Misread;

use super::{Lang, Worded};

impl Worded for Unread {
    fn worded(&self, lang: Lang) -> String {
        let why = lang.of(&self.words()).to_owned();
        match self {
            Self::WhichSheet(_) => format!("{why} (--sheet)"),
            _ => why,
        }
    }
}

impl Worded for Misfit {
    fn worded(&self, lang: Lang) -> String {
        lang.of(&self.words()).to_owned()
    }
}

impl Worded for Misread {
    fn worded(&self, lang: Lang) -> String {
        lang.of(&self.words()).to_owned()
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
