//! The light channel.

pub mod follow;
