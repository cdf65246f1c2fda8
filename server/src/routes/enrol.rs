//! Enrolment of devices.

pub mod deployment;
pub mod device;
