//! Sync: the messages on the wire, and the device as a state machine without IO.
//!
//! One request, one response. The request says how far each journal is known and brings what was sealed; the response brings
//! the fates and what is new. An idle sync costs a cursor per journal, never a word per record.

pub mod courier;
pub mod device;
pub mod enrol;
pub mod refill;
pub mod rounds;
pub mod wire;

/// The version of the messages in [`wire`].
pub const PROTOCOL: u16 = 1;
