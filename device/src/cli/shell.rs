//! Several commands in a row, with the PIN given once.

use clap::{CommandFactory as _, FromArgMatches as _};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::args::{self, Line};
use super::{Command, Desk, Done};
use crate::messages::Text;

impl Desk<'_> {
    pub(super) fn shell(&mut self) -> Done {
        let mut editor: Editor<Words, rustyline::history::MemHistory> = Editor::with_history(
            rustyline::Config::default(),
            rustyline::history::MemHistory::new(),
        )?;
        self.say(Text::ShellHint)?;
        // Where the environment says what time it is, time goes on from there.
        let ahead = self.now.0 - crate::clock::now().0;
        loop {
            editor.set_helper(Some(self.words()));
            let prompt = self
                .lang
                .fill(Text::ShellPrompt, &[&self.unsent().to_string()]);
            match editor.readline(&prompt) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) if matches!(line.trim(), "exit" | "quit" | "退出") => return Ok(()),
                Ok(line) => {
                    // A history in memory takes every line.
                    let _is_new = editor.add_history_entry(&line)?;
                    self.now = self.now.max(crate::clock::now().plus_ms(ahead));
                    self.run_line(&line)?;
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn run_line(&mut self, line: &str) -> Done {
        match self.type_line(line) {
            Ok(()) => Ok(()),
            Err(complaint) => self.complain(&complaint),
        }
    }

    /// Runs one command as it is typed after the prompt, split into words as a shell does.
    pub fn type_line(&mut self, line: &str) -> Done {
        let command = args::localised(Line::command(), self.lang);
        let matches = command.try_get_matches_from(words(line))?;
        match Line::from_arg_matches(&matches)?.command {
            Command::Shell => Ok(()),
            command => self.run(&command),
        }
    }

    fn words(&self) -> Words {
        let commands = Line::command()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        let rows = self.field.rows(None, false, self.now);
        let titles = rows
            .into_iter()
            .map(|row| (row.title, row.record.short()))
            .collect();
        Words { commands, titles }
    }
}

/// Splits a line as a shell does: at spaces, but for what stands between quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, begun) = (Some(c), true),
            (None, '“') => (quote, begun) = (Some('”'), true),
            (None, c) if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (_, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

/// What can be completed: commands at the beginning of a line, records by title elsewhere.
struct Words {
    commands: Vec<String>,
    titles: Vec<(String, String)>,
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..at).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |space| {
            space
                + before
                    .get(space..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(1, char::len_utf8)
        });
        let begun = before.get(start..).unwrap_or_default();
        let pairs = if start == 0 {
            let commands = self
                .commands
                .iter()
                .filter(|command| command.starts_with(begun));
            commands
                .map(|command| Pair {
                    display: command.clone(),
                    replacement: format!("{command} "),
                })
                .collect()
        } else {
            let titles = self
                .titles
                .iter()
                .filter(|(title, id)| title.starts_with(begun) || id.starts_with(begun));
            titles
                .map(|(title, id)| Pair {
                    display: format!("{id} {title}"),
                    replacement: id.clone(),
                })
                .collect()
        };
        Ok((start, pairs))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_split_at_spaces_but_for_quotes() {
        assert_eq!(
            words("act 1a2b report --field 'result=已修 好'"),
            ["act", "1a2b", "report", "--field", "result=已修 好"]
        );
        assert_eq!(words("  show “张 三” \"\" "), ["show", "张 三", ""]);
        assert_eq!(
            words("edit 1a2b note --text 水压“小”"),
            ["edit", "1a2b", "note", "--text", "水压小"]
        );
    }
}
