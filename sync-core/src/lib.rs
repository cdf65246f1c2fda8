//! The core that server, phones and auditors share.

pub mod area;
pub mod cbor;
pub mod command;
pub mod id;
pub mod limits;
pub mod sign;
pub mod value;
