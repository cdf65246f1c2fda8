//! The field client against the real admission: in the same process, over HTTP, and killed.
#![cfg(test)]

mod commands;
mod journey;
mod kill;
mod support;
mod typed;
