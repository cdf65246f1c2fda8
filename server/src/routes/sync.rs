//! Sync.

pub mod exchange;
