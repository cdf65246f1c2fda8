//! Papers (文书): what offices keep on paper, drafted from the records that are there. A paper writes nothing and decides nothing; each
//! of its lines names the record that it comes from, so that nobody types again what was recorded.

use super::Label;
use super::self_check::Tie;
use crate::id::Date;

/// A paper, as its file declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// What it is of.
    pub about: Subject,
    /// Whether only what its reader wrote, or is named in, stands in it.
    pub own: bool,
    /// Whether it is hung out for all to see: whatever has a mask is masked.
    pub masked: bool,
    /// Its sections in order.
    pub sections: Vec<Section>,
}

/// What a paper is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A period of one village.
    Period(Period),
    /// One record of a kind.
    Record(String),
}

/// A period of the civil calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// One day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// The periods by their names in the files.
    pub const NAMES: [(&str, Self); 3] = [
        ("day", Self::Day),
        ("month", Self::Month),
        ("year", Self::Year),
    ];

    /// Its name in the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The first and the last day of the one in which a day lies.
    pub fn around(self, day: Date) -> (Date, Date) {
        let Some(civil) = day.civil() else {
            return (day, day);
        };
        match self {
            Self::Day => (day, day),
            Self::Month => (civil.first_of_month().into(), civil.last_of_month().into()),
            Self::Year => (civil.first_of_year().into(), civil.last_of_year().into()),
        }
    }
}

/// A section of a paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub label: Label,
    /// What stands in it.
    pub holds: Holds,
    /// Fields of the records in it, each a column; of steps, what each of them brought.
    pub columns: Vec<String>,
}

/// What stands in a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Fields of the record that the paper is of, a line each.
    Fields,
    /// What happened to that record, step by step.
    Steps,
    /// Records around it, a line each.
    Around {
        /// Their kind.
        kind: String,
        /// How they belong to it.
        tie: Tie,
        /// Instead a line for each step of each: what one brought, the next may have replaced.
        steps: bool,
    },
    /// Records of the period, a line each.
    During {
        /// Their kind.
        kind: String,
        /// The date field by which they are of it; the day of their creation, if `None` or empty.
        on: Option<String>,
    },
}

impl Section {
    /// The kind of the records in it, in a paper about some kind.
    pub fn kind<'s>(&'s self, about: &'s Subject) -> Option<&'s str> {
        match (&self.holds, about) {
            (Holds::Around { kind, .. } | Holds::During { kind, .. }, _) => Some(kind),
            (Holds::Fields | Holds::Steps, Subject::Record(kind)) => Some(kind),
            (Holds::Fields | Holds::Steps, Subject::Period(_)) => None,
        }
    }
}
