//! Rows to values. A row that cannot be one was not written by this program.

use store::StoreError;
use sync_core::id::{InvalidId, Timestamp};

/// The id or digest of a column.
pub(crate) fn id<'a, T: TryFrom<&'a [u8], Error = InvalidId>>(
    bytes: &'a [u8],
) -> Result<T, StoreError> {
    T::try_from(bytes).map_err(|_| StoreError::Impossible("an id of another length"))
}

/// The id or digest of a column that may be empty.
pub(crate) fn optional_id<'a, T: TryFrom<&'a [u8], Error = InvalidId>>(
    bytes: Option<&'a Vec<u8>>,
) -> Result<Option<T>, StoreError> {
    bytes.map(|bytes| id(bytes)).transpose()
}

/// The instant of a column that may be empty.
pub(crate) fn optional_instant(ms: Option<i64>) -> Option<Timestamp> {
    ms.map(Timestamp)
}
