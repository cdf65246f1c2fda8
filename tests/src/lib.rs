//! What the workspace's tests share.
//!
//! - [`house`] shows the tests the workspace itself: its packages, who depends on whom, its sources without comments. The rules of the
//!   house are tests over it.

pub mod house;
