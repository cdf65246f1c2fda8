//! Comparison lists (部门比对): the rows of a department's list become clues, each in the journal of its household's village.
//!
//! ```text
//! bytes ─sheet─► rows ─mapping─► fields ─register─► household ─plan─► verdict of each row ─► report, clues
//! ```
//!
//! Whoever imports does it with his own device, and signs what he imports: this crate only says what is to become of each row, by what
//! the device told of its register ([`sync_core::look::roll::Roll`]). It is no part of the core, for phones in the field import nothing.
//!
//! A row counts as matched only by what names one household: its number in the register, or the name together with the check code of an
//! identity number ([`sync_core::check_code`]). A name alone, or with that of a day of birth, proposes households, and a person decides.
//! Nothing is made of a row that is not clear.
//!
//! Each clue says of which list it is and of which row, so that the same list can be run again: what was made stays made, and what was
//! not is made then.

pub mod mapping;
pub mod plan;
pub mod register;
pub mod report;
pub mod sheet;
pub mod suggest;
pub mod typed;
mod words;
