//! Village-months and their close (月结).
//!
//! A month of a village is closed by one command of the verb [`Seal`](crate::command::Verb::Seal), which makes the one record that
//! there is for it: its id is derived from journal and month, so that admission finds it without being told, and nobody else's
//! `Create` can have it. The position that the seal names is **its own place** in the journal. That is what everybody agrees on, and
//! nothing can stand between what it counts and what comes too late for it: with a position chosen by its author, whatever arrived
//! between that and the seal would be neither.
//!
//! What is recorded in a month and stands after that month's seal is marked `after_seal` and shown as 补录. It counts all the same.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::id::{Date, JournalId, RecordId, Timestamp};

/// The kind of the records that seals make.
pub const KIND: &str = "month";
/// The field of such a record that holds the month; it is derived from the seal.
pub const FIELD: &str = "month";
/// The state of a month that is closed.
pub const SEALED: &str = "sealed";

/// A month in China, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

/// The text is not a month: it must be `YYYY-MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a month: expected YYYY-MM")]
pub struct InvalidMonth;

impl Month {
    /// The month of a day; none for days before the year 0 or after the year 9999.
    pub fn of(date: Date) -> Option<Self> {
        let civil = date.civil().filter(|civil| civil.year() >= 0)?;
        Some(Self {
            year: civil.year(),
            month: civil.month(),
        })
    }

    /// The month of an instant.
    pub fn at(at: Timestamp) -> Option<Self> {
        Self::of(at.date())
    }

    /// Whether it has ended by a day.
    pub fn is_over(self, today: Date) -> bool {
        Self::of(today).is_some_and(|month| month > self)
    }

    /// The record that stands for it in a village: the first 16 bytes of `SHA-256("zhucun month v1" ‖ journal ‖ month)`.
    pub fn record(self, journal: JournalId) -> RecordId {
        RecordId::of_month(journal, &self.to_string())
    }
}

/// The months in which the commands of a batch say that they were recorded, and the records that stand for them.
pub(crate) fn months_of(batch: &Batch) -> BTreeMap<Month, RecordId> {
    let mut months = BTreeMap::new();
    for envelope in &batch.envelopes {
        if let Some(month) = Month::at(envelope.at) {
            let record = || month.record(batch.journal);
            months.entry(month).or_insert_with(record);
        }
    }
    months
}

impl FromStr for Month {
    type Err = InvalidMonth;

    fn from_str(text: &str) -> Result<Self, InvalidMonth> {
        let first: Date = format!("{text}-01").parse().map_err(|_| InvalidMonth)?;
        // Of all ways in which a date can be written this one alone is a month's.
        Self::of(first)
            .filter(|month| month.to_string() == text)
            .ok_or(InvalidMonth)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_is_that_of_the_day_in_china() {
        // One millisecond before midnight in China, and midnight.
        let midnight = "2026-12-01".parse::<Date>().unwrap().starts_at();
        let month = |at| Month::at(at).unwrap().to_string();
        assert_eq!(month(midnight.plus_ms(-1)), "2026-11");
        assert_eq!(month(midnight), "2026-12");
        assert_eq!(Month::at(Timestamp(i64::MIN)), None);
        assert_eq!(Month::at(Timestamp(i64::MAX)), None);
    }

    #[test]
    fn a_month_is_over_on_the_first_of_the_next() {
        let month: Month = "2026-12".parse().unwrap();
        assert!(!month.is_over("2026-12-31".parse().unwrap()));
        assert!(month.is_over("2027-01-01".parse().unwrap()));
    }

    #[test]
    fn only_one_writing_of_a_month_is_a_month() {
        for wrong in [
            "",
            "2026",
            "2026-1",
            "2026-13",
            "2026-00",
            "2026-11-1",
            "202611",
            "-026-11",
            "２026-11",
            " 2026-11",
            "2026-11 ",
        ] {
            assert_eq!(wrong.parse::<Month>(), Err(InvalidMonth), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_month_is_written_and_read(days in 0..60_000_i32) {
            let month = Month::of(Date(days)).unwrap();
            prop_assert_eq!(month.to_string().parse::<Month>(), Ok(month));
        }
    }
}
