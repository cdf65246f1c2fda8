//! Catalogue versions.

pub mod list;
pub mod show;
