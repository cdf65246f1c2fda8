//! What the workspace's tests share.
//!
//! - `county` is a county's server with its people and their devices.
//! - [`demo`] is the story that `cargo xtask demo` plays.
//! - [`fixtures`] are files that tests and the demo read.
//! - [`fuzz`] hands any bytes to what the server parses; the core's own such targets are in the crate `hostile`.
//! - [`house`] shows the tests the workspace itself: its packages, who depends on whom, its sources without comments. The rules of the
//!   house are tests over it.
//! - [`kill`] kills a server and its phones at work, again and again.
//! - [`rows`] plays the systems of the source papers, each from end to end.
//! - [`simulation`] plays many phones, one server and a bad line, from a seed.
//! - [`village_day`] is the bench of one village's day.

#![expect(
    clippy::indexing_slicing,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "in tests a panic is a failure, and files are named as we name them"
)]

mod county;
pub mod demo;
pub mod fixtures;
pub mod fuzz;
pub mod house;
pub mod kill;
pub mod rows;
pub mod simulation;
pub mod village_day;
