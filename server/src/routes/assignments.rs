//! Assignments: given, ended, listed.

pub mod end;
pub mod give;
pub mod list;

use crate::admin::assignments::AssignmentFailure;
use crate::problem::{Code, Problem};

impl From<AssignmentFailure> for Problem {
    fn from(failure: AssignmentFailure) -> Self {
        let expected = failure.to_string();
        match failure {
            AssignmentFailure::Absent => Self::not_found(),
            AssignmentFailure::UnknownUser => {
                Self::invalid_field("user", "a person whose account is active")
            }
            AssignmentFailure::UnknownRole => {
                Self::invalid_field("role", "a role of the catalogue, such as FS")
            }
            AssignmentFailure::UnknownArea => {
                Self::invalid_field("area", "the id or code of an area for which you grant")
            }
            AssignmentFailure::Level(_) => Self::invalid_field("area", expected),
            AssignmentFailure::Dates => {
                Self::invalid_field("to", "a day that is not before the first")
            }
            AssignmentFailure::SentBy => Self::invalid_field("sent_by", expected),
            AssignmentFailure::Held(id) => {
                Self::new(Code::AssignmentHeld).with("assignment", id.to_string())
            }
            AssignmentFailure::Excluded(held) => Self::new(Code::RolesExclude).with("held", held),
            AssignmentFailure::EndsEarlier(to) => {
                Self::new(Code::AssignmentEnded).with("to", to.to_string())
            }
            AssignmentFailure::Store(source) => Self::internal(&source),
        }
    }
}
