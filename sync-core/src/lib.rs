//! The core that server, phones and auditors share.

pub mod admit;
#[cfg(test)]
pub(crate) mod arbitrary;
pub mod area;
pub mod audit;
pub mod batch;
pub mod catalog;
pub mod cbor;
pub mod checkpoint;
pub mod command;
pub mod due;
pub mod id;
pub mod journal;
pub mod limits;
pub mod month;
pub mod pack;
pub mod principal;
pub mod record;
pub mod registry;
pub mod seal;
pub mod segment;
pub mod sign;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod value;
pub mod vault;
pub mod view;
