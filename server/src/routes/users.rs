//! Accounts: made, listed, disabled; codes for them.

pub mod add;
pub mod disable;
pub mod enrolment_code;
pub mod list;
pub mod password_code;

use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::users::{IssuedCode, UserFailure};
use crate::problem::{Code, Problem};
use crate::routes::wire::Instant;

/// A one-time code for a person. It is told here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeView {
    /// The code, as a person reads it.
    code: String,
    /// When it can no longer be used.
    expires_at: Instant,
}

impl From<IssuedCode> for CodeView {
    fn from(issued: IssuedCode) -> Self {
        Self {
            code: issued.code.reveal(),
            expires_at: Instant(issued.expires_at),
        }
    }
}

impl From<UserFailure> for Problem {
    fn from(failure: UserFailure) -> Self {
        match failure {
            UserFailure::Absent => Self::not_found(),
            UserFailure::NameTaken => Self::new(Code::UserNameTaken),
            UserFailure::Own => Self::invalid_field("user", "another person than yourself"),
            UserFailure::Store(source) => Self::internal(&source),
        }
    }
}
