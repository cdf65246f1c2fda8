//! The files of `tests/fixtures`, compiled in.

/// Real areas in the format that a county imports: Xiji county whole, and part of its neighbour. `NOTICE.md` says where they come from.
pub const AREAS: &[u8] = include_bytes!("../fixtures/areas/xiji.csv");
