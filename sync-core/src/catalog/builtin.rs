//! The files of the folder `catalog/`, as they ship inside the program.

use super::SourceFile;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../catalog/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = &shipped![
    "catalogue.toml",
    "roles.toml",
    "policy-measures.csv",
    "kinds/care_plan.toml",
    "kinds/case.toml",
    "kinds/clue.toml",
    "kinds/diary.toml",
    "kinds/household.toml",
    "kinds/issue.toml",
    "kinds/leave.toml",
    "kinds/measure.toml",
    "kinds/month.toml",
    "kinds/need.toml",
    "kinds/notice.toml",
    "kinds/person.toml",
    "kinds/review.toml",
    "kinds/task.toml",
    "kinds/visit.toml",
    "categories/benefit.toml",
    "categories/household.toml",
    "categories/loop.toml",
    "categories/person.toml",
    "categories/review.toml",
    "categories/task.toml",
    "categories/visit.toml",
    "profiles/default.toml",
    "profiles/gansu.toml",
    "profiles/hainan.toml",
    "profiles/linzhou.toml",
    "profiles/ningxia.toml",
    "papers/case_file.toml",
    "papers/day_sheet.toml",
    "papers/monthly_sheet.toml",
    "papers/need_ledger.toml",
    "papers/notice_sheet.toml",
    "calendar/2026.toml",
];

/// The shipped files.
pub(super) fn files() -> Vec<SourceFile> {
    let file = |(name, text): &(&str, &str)| SourceFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    FILES.iter().map(file).collect()
}
