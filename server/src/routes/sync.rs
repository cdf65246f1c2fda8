//! Sync.

pub mod exchange;
pub mod refill;
