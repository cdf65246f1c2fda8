//! The core that server, phones and auditors share: what a team's work is, and what becomes of it. Pure: it is handed time and
//! randomness, and touches nothing outside.
//!
//! # The one idea
//!
//! Devices send signed commands; each village has one journal; records are what the journal adds up to.
//!
//! ```text
//!  person ─► command ─► batch ─────► admission ─► entry of the ─► fold ─► record ─► view
//!            envelope   signed, one   one fate     journal's               what      what one
//!            + content  of a lane     a command    chain                   it says   person sees
//! ```
//!
//! Whoever holds the same entries holds the same records: the server folds them for its readers, a phone folds them and its own
//! pending commands on top, an auditor folds them again to see that nobody cheated. There is no other truth to fall out of step with.
//!
//! # In the order of an edit
//!
//! 1. A person saves: [`sync::device`] makes a [`command`] that pins what he was looking at (its base), asks [`admit`] what will become
//!    of it, and has it made durable, sealed by [`vault`], before it says saved.
//! 2. What is pending is sealed into a [`batch`]: numbered without gaps in the device's lane, chained to the one before, signed ([`sign`]).
//!    It travels by [`sync`] as columns ([`pack`]), or by a carrier who cannot read it ([`seal`]).
//! 3. The server decides by [`admit`], against [`registry`] (who holds which office where), [`catalog`] (what each kind lets whom do),
//!    [`principal`] (one function says yes or no) and its index of what stands. Every command gets a fate; none is discarded.
//! 4. The entry is chained into the [`journal`]; heads are published in the log of [`checkpoint`]. New phones get [`segment`]s.
//! 5. [`record`] folds the entries: sequentially where everybody had seen everything, as an Automerge document in the author's causal
//!    context where somebody had not. [`view`] is what a reader sees of it, [`due`] what is to be done about it, [`look`] what a phone shows.
//! 6. [`audit`] does all of it again, offline, from a bundle.
//!
//! # A taste
//!
//! A command is said once, signed, and opened to exactly what was signed, whatever way it took:
//!
//! ```
//! use sync_core::batch::{self, Sealing, Seed, Unsealed, lane_start};
//! use sync_core::command::{Audience, Content, Envelope, Origin, Verb};
//! use sync_core::id::{AssignmentId, DeploymentId, Digest, JournalId, Timestamp};
//! use sync_core::journal::Chain;
//! use sync_core::sign::SigningKey;
//! use sync_core::value::Value;
//!
//! let key = SigningKey::from_seed([7; 32]);
//! let (device, journal, deployment) = (key.public().device(), JournalId([1; 16]), DeploymentId([2; 16]));
//! let envelope = Envelope {
//!     n: 1,
//!     record: Origin { device, journal, n: 1 }.record(),
//!     kind: "household".to_owned(),
//!     base: 0,
//!     at: Timestamp(1_795_000_000_000),
//!     verb: Verb::Create,
//!     action: Some("registered".to_owned()),
//!     fields: vec!["householder".to_owned()],
//!     links: Vec::new(),
//!     audience: Audience::Village,
//!     needs: None,
//!     origin: None,
//!     digest: Digest([0; 32]),
//! };
//! let mut content = Content::default();
//! content.values.insert("householder".to_owned(), Value::text("张三"));
//! let sealing = Sealing {
//!     deployment,
//!     journal,
//!     assignment: AssignmentId([3; 16]),
//!     catalogue: 1,
//!     previous: lane_start(device, journal),
//!     seen: Chain::start(journal).end,
//!     at: Timestamp(1_795_000_000_000),
//!     seed: Seed([4; 16]),
//!     key: &key,
//! };
//! let sealed = batch::seal(&sealing, vec![Unsealed { envelope, content }]);
//! let arrived = sealed.to_wire().open().expect("it opens to what was packed");
//! assert!(arrived.is_signed_by(deployment, &key.public()));
//! ```
//!
//! The feature `testing` adds a host and phones in memory that play whole days.

pub mod admit;
#[cfg(test)]
pub(crate) mod arbitrary;
pub mod area;
pub mod audit;
pub mod batch;
pub mod catalog;
pub mod cbor;
pub mod check_code;
pub mod checkpoint;
pub mod cluster;
pub mod command;
pub mod due;
pub mod id;
pub mod id_number;
pub mod journal;
pub mod limits;
pub mod look;
pub mod month;
pub mod pack;
pub mod principal;
pub mod record;
pub mod registry;
pub mod safe;
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
