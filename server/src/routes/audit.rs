//! For auditors: how far journals are, what was published of them, and who read.

pub mod access_log;
pub mod bundle;
pub mod checkpoint;
pub mod journals;
pub mod leaves;

use store::StoreError;
use sync_core::catalog::Capability;

use crate::problem::Problem;

/// What lets somebody verify journals and checkpoints.
pub(crate) const VERIFIES: &[Capability] = &[Capability::Audit, Capability::VerifyLog];

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum AuditFailure {
    /// There is nothing that the caller may know of.
    #[error("nothing that the caller may know of")]
    NotFound,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<AuditFailure> for Problem {
    fn from(failure: AuditFailure) -> Self {
        match failure {
            AuditFailure::NotFound => Self::not_found(),
            AuditFailure::Store(source) => Self::internal(&source),
        }
    }
}
