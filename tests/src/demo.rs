//! The story that `cargo xtask demo` plays: two days of one village, over the real server and real devices.
//!
//! - `clock` makes two days pass in a minute.
//! - `county` is the server, what its administrators set up, and who reads in a browser.
//! - `phone` is a field device: what its person types, and what it answers.
//! - `day` is the story itself. Every scene checks what it tells.
//! - `teller` says what happens.

mod clock;
mod county;
mod day;
mod phone;
mod teller;

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context as _;
use device::messages::Lang;

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
    let mut county = county::County::start(&runtime, folder.path(), listen)?;
    let mut teller = teller::Teller::new(lang, out);
    day::play(&mut county, &mut teller)?;
    if once {
        return county.stop();
    }
    day::look_around(&county, &mut teller)?;
    county.run_until_interrupted()
}
