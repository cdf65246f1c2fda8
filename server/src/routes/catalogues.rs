//! Catalogue versions.

pub mod list;
