//! Tests of what is hostile: one binary, so that it links once.

#![expect(clippy::panic, reason = "in tests a panic is a failure")]

mod fuzz;
mod tamper;
