//! The one place that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use sync_core::id::Timestamp;

/// Now, by this machine's clock.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
