//! The files of records: whether one is there, its bytes, and handing it over piece by piece over a bad line.
//!
//! Names and meaning of the headers are those of the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload); the address is
//! the record's, so nothing has to be created first, and nothing can be lost but a piece.

pub mod fetch;
pub mod find;
pub mod send;

use axum::http::HeaderValue;
use store::StoreError;
use sync_core::id::{Digest, JournalId, RecordId};

use crate::context::{App, Caller};
use crate::files::check::Unfit;
use crate::files::reach::{self, Named, Wants};
use crate::files::{FileFailure, FileId};
use crate::problem::{Code, Problem};
use crate::routes::wire::Id;

/// How many bytes are kept.
pub const OFFSET: &str = "upload-offset";
/// Whether the file is whole; of a request, whether it will be with this piece.
pub const COMPLETE: &str = "upload-complete";
/// The media type of a piece.
pub const PIECE: &str = "application/partial-upload";

/// Yes and no in a header (RFC 9651).
const fn mark(is_so: bool) -> HeaderValue {
    HeaderValue::from_static(if is_so { "?1" } else { "?0" })
}

/// When to come again while others are checked.
const RETRY_SECONDS: u64 = 2;

/// What the address names: journal, record and hash.
type Address = (Id<JournalId>, Id<RecordId>, Id<Digest>);

const fn named((journal, record, digest): &Address) -> Named {
    Named {
        record: record.0,
        file: FileId {
            journal: journal.0,
            digest: digest.0,
        },
    }
}

/// Why an operation on a file failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing that the caller may know of.
    #[error("nothing that the caller may know of")]
    NotFound,
    /// The record names it, and it has not come.
    #[error("not here yet")]
    Awaited,
    /// It was not taken, or could not be read.
    #[error("the file was not taken or read")]
    File(#[from] FileFailure),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::File(FileFailure::Store(error))
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotFound => Self::not_found(),
            Failure::Awaited => Self::new(Code::FileAwaited),
            Failure::File(failure) => match failure {
                FileFailure::Offset(kept) => Self::new(Code::UploadOffset).at_offset(kept),
                FileFailure::Unfinished => Self::new(Code::UnfinishedFiles),
                FileFailure::TooLarge => Self::new(Code::FileTooLarge),
                FileFailure::Digest => Self::new(Code::FileDigest),
                FileFailure::Unfit(Unfit::Form) => Self::new(Code::FileForm),
                FileFailure::Unfit(Unfit::Metadata) => Self::new(Code::FileMetadata),
                FileFailure::Unfit(Unfit::Pixels) => Self::new(Code::FilePixels),
                FileFailure::Busy => Self::new(Code::Busy).retry_after(RETRY_SECONDS),
                FileFailure::Store(source) => Self::internal(&source),
            },
            Failure::Store(source) => Self::internal(&source),
        }
    }
}

/// Whether the caller reaches what an address names.
async fn reached(app: &App, caller: &Caller, named: &Named, wants: Wants) -> Result<(), Failure> {
    if reach::reaches(app, caller, named, wants).await? {
        Ok(())
    } else {
        Err(Failure::NotFound)
    }
}
