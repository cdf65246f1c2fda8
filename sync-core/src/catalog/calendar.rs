//! Working days in China: weekdays, less the public holidays, plus the days worked to make up for them (调休).
//!
//! The State Council announces them year by year. For a year that no file covers, Monday to Friday are taken, and the result
//! says that it is not certain.

use std::collections::{BTreeMap, BTreeSet};

use super::Label;
use super::profile::{Days, Unit};
use super::source::Page;
use super::table::Table;
use crate::id::Date;

/// A result that may rest on a year for which no calendar was published yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reckoned<T> {
    /// The result.
    pub value: T,
    /// Whether every day it rests on lies in a year with a calendar.
    pub certain: bool,
}

/// The working-day calendar of all years that have a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Year {
    holidays: Vec<Holiday>,
    off: BTreeSet<Date>,
    worked: BTreeSet<Date>,
}

/// One public holiday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// What people read.
    pub label: Label,
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// The days of a weekend that are worked to make up for it.
    pub worked: Vec<Date>,
}

/// The most days a clock may count; beyond it, counting stops.
const COUNT_MAX: u32 = 36_500;

impl Calendar {
    /// The years that have a file.
    pub fn years(&self) -> impl Iterator<Item = i16> {
        self.years.keys().copied()
    }

    /// The public holidays of a year, in order; none if it has no file.
    pub fn holidays(&self, year: i16) -> &[Holiday] {
        self.years.get(&year).map_or(&[], |year| &year.holidays)
    }

    /// Whether a date is a working day.
    pub fn is_working(&self, date: Date) -> Reckoned<bool> {
        let year = date.civil().and_then(|civil| self.years.get(&civil.year()));
        match year {
            Some(year) => {
                let works =
                    year.worked.contains(&date) || !(is_weekend(date) || year.off.contains(&date));
                Reckoned {
                    value: works,
                    certain: true,
                }
            }
            None => Reckoned {
                value: !is_weekend(date),
                certain: false,
            },
        }
    }

    /// The date on which the `n`th working day after `date` falls; the day itself is not counted.
    pub fn add_working_days(&self, date: Date, n: u32) -> Reckoned<Date> {
        let mut result = Reckoned {
            value: date,
            certain: true,
        };
        let mut left = n.min(COUNT_MAX);
        while left > 0 && result.value.0 < i32::MAX {
            result.value = result.value.plus_days(1);
            let day = self.is_working(result.value);
            result.certain &= day.certain;
            left -= u32::from(day.value);
        }
        result
    }

    /// How many working days lie after `from`, up to and including `to`; none if `to` is not later.
    pub fn working_days_between(&self, from: Date, to: Date) -> Reckoned<u32> {
        let mut result = Reckoned {
            value: 0,
            certain: true,
        };
        let mut date = from;
        while date < to && result.value < COUNT_MAX {
            date = date.plus_days(1);
            let day = self.is_working(date);
            result.certain &= day.certain;
            result.value += u32::from(day.value);
        }
        result
    }

    /// The last day of a time limit that begins on a date; that day itself is not counted.
    pub fn add(&self, date: Date, days: Days) -> Reckoned<Date> {
        match days.unit {
            Unit::Working => self.add_working_days(date, days.count),
            Unit::Calendar => {
                let count = i32::try_from(days.count).unwrap_or(i32::MAX);
                Reckoned {
                    value: date.plus_days(count),
                    certain: true,
                }
            }
        }
    }
}

const fn is_weekend(date: Date) -> bool {
    // 1970-01-01 was a Thursday; counted from Monday, Saturday and Sunday are 5 and 6.
    (date.0.rem_euclid(7) + 3) % 7 >= 5
}

/// Reads a file of `calendar/` into the calendar.
pub(super) fn parse(page: Page<'_>, calendar: &mut Calendar) {
    let root = page.parse();
    let mut file = page.root(&root);
    file.need_text("source", "\"国办发明电〔2025〕7号\"");
    let at = file.key_at("year");
    if !file.has("year") {
        file.missing("year", "2026");
    }
    let number = file.int_within("year", 1990..=2199, 0);
    if number != 0 && number.to_string() != page.stem() {
        file.note(
            at,
            format!("the file is for {number}, but its name is not"),
            format!("name it calendar/{number}.toml"),
        );
    }
    let mut year = Year {
        holidays: Vec::new(),
        off: BTreeSet::new(),
        worked: BTreeSet::new(),
    };
    for table in file.tables("holiday") {
        holiday(table, number, &mut year);
    }
    file.finish();
    if let Some(date) = year.off.intersection(&year.worked).next() {
        page.note(
            0,
            format!("{date} is both a holiday and worked"),
            "correct one of them",
        );
    }
    if let Ok(number) = i16::try_from(number) {
        year.holidays.sort_by_key(|holiday| holiday.from);
        calendar.years.insert(number, year);
    }
}

fn holiday(mut table: Table<'_>, number: i64, year: &mut Year) {
    let label = table.label();
    let in_year = |date: Date| {
        date.civil()
            .is_some_and(|civil| i64::from(civil.year()) == number)
    };
    let day = |table: &mut Table<'_>, key: &'static str| {
        let date = table.date(key);
        if !table.has(key) {
            table.missing(key, "2026-10-01");
        }
        if let Some(date) = date.filter(|date| number != 0 && !in_year(*date)) {
            table.note(
                table.key_at(key),
                format!("{date} is not in {number}"),
                "write each day into the file of its year",
            );
        }
        date
    };
    let (from, to) = (day(&mut table, "from"), day(&mut table, "to"));
    let worked = table.dates("worked");
    for (date, at) in &worked {
        if !is_weekend(*date) {
            table.note(
                *at,
                format!("{date} is a weekday, which is worked anyway"),
                "write a Saturday or a Sunday",
            );
        }
        if number != 0 && !in_year(*date) {
            table.note(
                *at,
                format!("{date} is not in {number}"),
                "write each day into the file of its year",
            );
        }
    }
    if let (Some(from), Some(to)) = (from, to) {
        if to < from || to.0 - from.0 > 30 {
            table.note(
                table.key_at("to"),
                format!("a holiday from {from} to {to}"),
                "write a last day soon after the first",
            );
        } else {
            let days = (from.0..=to.0).map(Date);
            if let Some(twice) = days.clone().find(|date| year.off.contains(date)) {
                table.note(
                    table.key_at("from"),
                    format!("{twice} belongs to two holidays"),
                    "correct one of them",
                );
            }
            year.off.extend(days);
            year.worked.extend(worked.iter().map(|(date, _)| *date));
            year.holidays.push(Holiday {
                label,
                from,
                to,
                worked: worked.into_iter().map(|(date, _)| date).collect(),
            });
        }
    }
    table.finish();
}
