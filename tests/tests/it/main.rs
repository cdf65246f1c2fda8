//! The workspace's integration tests: one binary, so that it links once.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "in tests a panic is a failure, and files are named as we name them"
)]

mod access;
mod areas;
mod arrows;
mod committed;
mod conformance;
mod demo;
mod fuzz;
mod javascript;
mod kill;
mod licences;
mod product_laws;
mod rows;
mod simulation;
mod tidy;
