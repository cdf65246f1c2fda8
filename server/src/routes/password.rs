//! Setting passwords.

pub mod change;
pub mod set;

use crate::problem::{Code, Problem};
use crate::session::password::PasswordFailure;
use crate::session::passwords::{HashFailure, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};

impl From<PasswordFailure> for Problem {
    fn from(failure: PasswordFailure) -> Self {
        match failure {
            PasswordFailure::Throttled(wait) => {
                Self::new(Code::TooManyRequests).retry_after(wait.seconds)
            }
            PasswordFailure::Wrong => Self::new(Code::WrongCredentials),
            PasswordFailure::Code => Self::new(Code::CodeInvalid),
            PasswordFailure::Weak(_) => weak(),
            PasswordFailure::Hash(source) => source.into(),
            PasswordFailure::Store(source) => Self::internal(&source),
        }
    }
}

impl From<HashFailure> for Problem {
    fn from(failure: HashFailure) -> Self {
        match failure {
            HashFailure::Busy => Self::new(Code::Busy).retry_after(2),
            HashFailure::Argon2(_) | HashFailure::Thread(_) => Self::internal(&failure),
        }
    }
}

/// A password that would be guessed too soon.
pub(super) fn weak() -> Problem {
    Problem::new(Code::PasswordWeak)
        .with("chars_min", PASSWORD_CHARS_MIN)
        .with("bytes_max", PASSWORD_BYTES_MAX)
}
