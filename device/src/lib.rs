//! The field client for a terminal: everything that a phone does, over the same core.
//!
//! [`Field`] is the device as a library: a [`sync_core::sync::device::Device`] whose effects are carried out on an encrypted
//! [`store`], and that syncs with a [`Server`]. It reaches no clock and no randomness of its own; the command line
//! ([`cli`], the binary `zhucun-field`) hands them in, as the demo and the tests do.
//!
//! What said *saved* is on disk: [`store::Store::commit`] is one durable transaction, and every call of [`Field`] that changes
//! something returns only behind it. What is on disk is sealed under the person's PIN and the device's secret
//! ([`sync_core::vault`]); what must stay deliverable when the PIN is lost (sealed batches) is under the device's secret alone,
//! and [`store::Locked::rescue`] hands it over.

pub mod cli;
pub mod clock;
pub mod field;
pub mod look;
pub mod messages;
pub mod screen;
pub mod server;
pub mod store;
pub mod transport;
pub mod values;

pub use field::Field;
pub use server::Server;
