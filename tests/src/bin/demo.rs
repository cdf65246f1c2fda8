//! `cargo xtask demo`: half a year of one household and two days of one village, told as they happen.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use device::messages::Lang;
use tests::demo::play;

/// Plays half a year of one household and two days of one village.
#[derive(Debug, Parser)]
struct Arguments {
    /// The language of the story.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
    /// End after the story.
    #[arg(long)]
    once: bool,
    /// The address that the server listens on; port 0 lets the system choose.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    let Arguments { lang, once, listen } = Arguments::parse();
    play(lang, listen, once, &mut std::io::stdout())
}
