//! Asking a person.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use sync_core::vault::Pin;

use crate::messages::{Lang, Text};

/// Where answers come from.
pub trait Ask {
    /// A line, without its end; `None` at the end of the input.
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>>;
    /// A line that is not shown.
    fn secret(&mut self, prompt: &str) -> io::Result<String>;
}

/// The terminal, or what stands in its place in a script.
#[derive(Debug)]
pub struct Terminal {
    lang: Lang,
}

impl Terminal {
    /// The terminal of this process.
    pub const fn new(lang: Lang) -> Self {
        Self { lang }
    }
}

impl Ask for Terminal {
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let mut out = io::stdout();
            write!(out, "{prompt} ")?;
            out.flush()?;
        }
        let mut line = String::new();
        let read = stdin.lock().read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn secret(&mut self, prompt: &str) -> io::Result<String> {
        if io::stdin().is_terminal() {
            return rpassword::prompt_password(format!("{prompt} "));
        }
        let line = self.line(prompt)?;
        line.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, self.lang.say(Text::NoInput))
        })
    }
}

/// The PIN: from the file that the environment names, or asked for.
pub(super) fn pin(ask: &mut dyn Ask, prompt: &str) -> io::Result<Pin> {
    if let Some(path) = std::env::var_os("ZHUCUN_PIN_FILE") {
        let text = fs::read_to_string(path)?;
        return Ok(Pin::typed(text.trim_end_matches(['\n', '\r'])));
    }
    Ok(Pin::typed(ask.secret(prompt)?))
}

/// A new PIN: from the file that the environment names, or asked for twice. `None` if the two differ.
pub(super) fn new_pin(ask: &mut dyn Ask, lang: Lang) -> io::Result<Option<Pin>> {
    if let Some(path) =
        std::env::var_os("ZHUCUN_NEW_PIN_FILE").or_else(|| std::env::var_os("ZHUCUN_PIN_FILE"))
    {
        let text = fs::read_to_string(path)?;
        return Ok(Some(Pin::typed(text.trim_end_matches(['\n', '\r']))));
    }
    let once = ask.secret(lang.say(Text::NewPin))?;
    let twice = ask.secret(lang.say(Text::NewPinAgain))?;
    Ok((once == twice).then(|| Pin::typed(once)))
}
