//! What somebody does to bytes who means no good, or has bad luck: the core must stand it.
//!
//! - [`fuzz`] hands any bytes to whatever parses bytes from outside.
//! - [`tamper`] changes what an auditor is given.

#![expect(clippy::indexing_slicing, reason = "in tests a panic is a failure")]

pub mod fuzz;
pub mod tamper;
