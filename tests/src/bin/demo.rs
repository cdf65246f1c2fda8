//! `cargo xtask demo`: one village's day, told as it happens.

use clap::Parser;
use tests::demo::{Language, play};

/// Plays one village's day.
#[derive(Debug, Parser)]
struct Arguments {
    /// The language of the story.
    #[arg(long, default_value = "en")]
    lang: Language,
    /// End after the story.
    #[arg(long)]
    once: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { lang, once } = Arguments::parse();
    play(lang, once)
}
