//! The workspace's integration tests: one binary, so that it links once.

mod areas;
mod arrows;
mod committed;
mod licences;
mod product_laws;
mod tidy;
