//! The API's description, for programs and for people.

pub mod description;
pub mod docs;
