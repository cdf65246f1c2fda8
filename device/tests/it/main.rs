//! The field client against the real admission: in the same process, over HTTP, and killed.
#![cfg(test)]

mod commands;
mod import;
mod journey;
mod kill;
mod support;
mod typed;
