//! The core that server, phones and auditors share.

#[cfg(test)]
pub(crate) mod arbitrary;
pub mod area;
pub mod catalog;
pub mod cbor;
pub mod command;
pub mod id;
pub mod limits;
pub mod pack;
pub mod sign;
pub mod value;
