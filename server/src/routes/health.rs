//! For operators: is it alive, is it ready, how does it fare.

pub mod alive;
pub mod metrics;
pub mod ready;
