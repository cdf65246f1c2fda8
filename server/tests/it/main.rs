//! The server as its callers meet it: requests in, responses out, over a real store in a temporary folder.
#![cfg(test)]

mod access;
mod admin;
mod catalogues;
mod cli;
mod county;
mod crash;
mod drafts;
mod edges;
mod field;
mod files;
mod founding;
mod hostile;
mod kept;
mod limits;
mod log_in;
mod papers;
mod passwords;
mod power;
mod program;
mod quiet;
mod reading;
mod refill;
mod refresh;
mod report;
mod segments;
mod sessions;
mod tamper;
mod wire;
mod world;
