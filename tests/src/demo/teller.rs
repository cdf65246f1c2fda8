//! Says what happens, for somebody who reads it for the first time.

use std::io::Write;

use device::messages::Lang;
use device::screen::{COLUMNS, wrap};

/// Says it in one language.
pub(super) struct Teller<'a> {
    lang: Lang,
    out: &'a mut dyn Write,
    scenes: usize,
}

impl<'a> Teller<'a> {
    pub(super) fn new(lang: Lang, out: &'a mut dyn Write) -> Self {
        Self {
            lang,
            out,
            scenes: 0,
        }
    }

    pub(super) const fn lang(&self) -> Lang {
        self.lang
    }

    /// Begins a scene.
    pub(super) fn scene(&mut self, zh: &str, en: &str) -> anyhow::Result<()> {
        self.scenes += 1;
        let title = format!("{}. {}", self.scenes, self.lang.pick(zh, en));
        writeln!(self.out, "\n{title}\n{}", "─".repeat(COLUMNS))?;
        Ok(())
    }

    /// Says a paragraph.
    pub(super) fn say(&mut self, zh: &str, en: &str) -> anyhow::Result<()> {
        writeln!(self.out)?;
        for line in wrap(self.lang.pick(zh, en), COLUMNS) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// Lists lines.
    pub(super) fn list(&mut self, lines: &[String]) -> anyhow::Result<()> {
        writeln!(self.out)?;
        for line in lines {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// Shows what somebody does and what comes of it, as it stands on the screen.
    pub(super) fn show(&mut self, who: &str, does: &str, answer: &str) -> anyhow::Result<()> {
        writeln!(self.out, "\n  {who} › {does}")?;
        for line in answer.lines() {
            writeln!(self.out, "{}", format!("    {line}").trim_end())?;
        }
        Ok(())
    }
}
