//! The story that `cargo xtask demo` plays.

use std::collections::BTreeSet;

use anyhow::anyhow;
use clap::ValueEnum;
use sync_core::area::{Level, import};

use crate::fixtures;

/// The language of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// Plays the story and says on standard output what happens.
///
/// # Errors
///
/// When anything goes otherwise than the story says.
pub fn play(language: Language, _once: bool) -> anyhow::Result<()> {
    let areas = import(fixtures::AREAS, &BTreeSet::new())
        .map_err(|mistakes| anyhow!("{} mistakes in the file of areas", mistakes.len()))?;
    let villages = areas
        .iter()
        .filter(|area| area.code.level() == Level::Village)
        .count();
    match language {
        Language::Zh => println!("导入区划：{} 个，其中村 {villages} 个。", areas.len()),
        Language::En => println!(
            "Areas imported: {}, of them {villages} villages.",
            areas.len()
        ),
    }
    Ok(())
}
