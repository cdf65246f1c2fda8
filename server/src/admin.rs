//! Administration: areas, accounts, assignments, devices, catalogue versions.
//!
//! Each function here is one unit of work: it reads the [`mandate`] on which it acts, enters registry acts, writes account rows,
//! and commits them together. Routes and command line call the same functions; the one on a person's word, whose assignments say
//! what he may administer and where, the other on the operator's, who holds the data folder and its keys anyway.
//!
//! Whoever has no mandate is told no more than that there is nothing ([`Problem::not_found`](crate::problem::Problem::not_found)).

pub mod areas;
pub mod assignments;
pub mod catalogues;
pub mod devices;
pub mod log;
pub mod mandate;
pub mod users;

/// Rows in one page of a list.
pub const PAGE_ROWS: usize = 200;
