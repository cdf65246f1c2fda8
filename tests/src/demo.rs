//! The story that `cargo xtask demo` plays: half a year of one household and two days of one village, over the real server and real devices.
//!
//! - `half_year` is what goes before: one household, from a first sign of trouble to being safe again.
//! - `day` is the story of the two days. Every scene checks what it tells.
//! - `teller` says what happens.

mod day;
mod half_year;
mod teller;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context as _;
use device::messages::Lang;
use serde_json::{Value as Json, json};
use server::config::{Config, Sessions, Within};

use crate::county::County;

/// Plays the story and says on `out` what happens; unless it is to end with the story, leaves the server running until it is interrupted.
///
/// # Errors
///
/// When anything goes otherwise than the story says.
pub fn play(lang: Lang, listen: SocketAddr, once: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no room for the demo's files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut county = County::start(&runtime, folder.path(), listen, Config::default())?;
    let mut teller = teller::Teller::new(lang, out);
    day::play(&mut county, &mut teller)?;
    if once {
        return county.stop();
    }
    day::look_around(&county, &mut teller)?;
    county.run_until_interrupted()
}

/// A server after the story, for programs that ask it things.
#[derive(Debug)]
pub struct Stage<'a>(County<'a>);

impl Stage<'_> {
    /// Where it listens.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// An access token of somebody with a role, good for an hour.
    ///
    /// # Errors
    ///
    /// When nobody has the role.
    pub fn token(&self, role: &'static str) -> anyhow::Result<String> {
        self.0.log_in(role)
    }

    /// A record that somebody with a role may read: `journal` and `record`.
    ///
    /// # Errors
    ///
    /// When he can read none.
    pub fn record(&self, role: &'static str) -> anyhow::Result<Json> {
        let listed = self.0.get(&self.token(role)?, "/v1/records?kind=visit")?;
        let first = &listed["records"][0];
        anyhow::ensure!(first.is_object(), "the story leaves visits");
        Ok(json!({ "journal": first["journal"], "record": first["record"] }))
    }
}

/// Plays the story quietly, hands over what it leaves, and ends.
///
/// # Errors
///
/// When the story fails, or what it is handed to.
pub fn stage<T>(ask: impl FnOnce(&Stage<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let folder = tempfile::tempdir().context("no room for the server's files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let sessions = Sessions {
        access_minutes: Within::new(60).context("an hour is within the bounds")?,
        ..Sessions::default()
    };
    let config = Config {
        sessions,
        ..Config::default()
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut county = County::start(&runtime, folder.path(), listen, config)?;
    day::play(
        &mut county,
        &mut teller::Teller::new(Lang::En, &mut std::io::sink()),
    )?;
    county.settle()?;
    county.stay();
    let stage = Stage(county);
    let asked = ask(&stage);
    stage.0.stop()?;
    asked
}
