//! Placeholder page; written with its first module.
fn main() {}
