//! Self-checks (疑点自查): what a phone finds doubtful about a record and tells its people before an inspector does.
//!
//! A check warns and never blocks; it reads merged records, so it is no precondition and decides no fate. What it asks is declared in
//! the kind's file: the record's own fields, the step that it last took, and the records around it.

use super::Label;
use super::field::Condition;
use super::form::Form;

/// One check of a kind: doubtful is a record in one of the states for which all the rest holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfCheck {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// The states in which it is asked; all, if there is none.
    pub states: Vec<String>,
    /// Actions of which the first must have been the last taken: which of several ways led here.
    pub took: Vec<String>,
    /// What must hold of its own fields. Nothing holds of a field that the reader may not read.
    pub when: Vec<FieldTest>,
    /// What must hold of the records around it.
    pub related: Vec<Related>,
}

/// A question about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTest {
    /// The field.
    pub field: String,
    /// What is asked of it.
    pub test: Test,
}

/// What is asked of a field's value; of several in 待核对, one for which it holds is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is, or has among it, one of these codes.
    Is(Vec<String>),
    /// It has no value.
    Empty,
    /// It is not written as such a number is.
    Misses(Form),
    /// It is a day after today.
    AfterToday,
    /// So many days from it, by the province profile, have run out.
    Past {
        /// The profile's key.
        days: String,
    },
    /// It lies less than so many days after another date field.
    Within {
        /// The profile's key.
        days: String,
        /// The other field.
        of: String,
    },
    /// Another record of the kind, which is not closed, has the same.
    Repeated,
    /// None of its items has this year in that part.
    LacksThisYear {
        /// The part.
        part: String,
    },
    /// It is the birthday of somebody of this age today.
    Age {
        /// From how many full years.
        from: i64,
        /// To how many, those included.
        to: i64,
    },
}

/// A question about the records around one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// How many there must be.
    pub how_many: HowMany,
    /// Of which kind.
    pub kind: String,
    /// How they belong to the record.
    pub tie: Tie,
    /// Only those in these states; in any, if there is none.
    pub states: Vec<String>,
    /// Only those that are not closed.
    pub open: bool,
    /// A date field of theirs: only the last by it.
    pub last: Option<String>,
    /// Only those with one of these codes, field by field. With `last`, that one must have them.
    pub when: Vec<Condition>,
}

/// How many there must be of some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HowMany {
    /// None.
    None,
    /// One or more.
    Some,
    /// Two or more.
    Several,
}

/// How records belong to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tie {
    /// Their field refers to it, or to what its own field refers to.
    By {
        /// Their field.
        field: String,
        /// Its own; the record itself, if `None`.
        of: Option<String>,
    },
    /// Its own field refers to them.
    At {
        /// Its own field.
        field: String,
    },
}
