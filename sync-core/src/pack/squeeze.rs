//! What makes columns short, within bounds.

pub(crate) mod brotli;
pub(super) mod deflate;

use super::PackError;

/// How much time a stream is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As small as it gets: for what travels, and is made while nobody waits.
    Full,
    /// A little longer and made sooner: for what somebody waits for while it is made.
    Soon,
    /// Some of it in a fraction of the time: for what stays.
    Quick,
}
