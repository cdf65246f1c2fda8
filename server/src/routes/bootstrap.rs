//! The first start.

pub mod found;
