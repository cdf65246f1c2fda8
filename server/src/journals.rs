//! Journals at work: admission in groups, operators' entries, folding, pulling, publishing heads.

pub mod admission;
mod desk;
pub mod fold;
pub mod kept;
pub mod publish;
pub mod pull;
pub mod refill;
pub mod registrar;
pub(crate) mod searchable;
pub mod segments;
pub mod timeline;
pub mod writer;
