//! Reading one table of a catalogue file, key by key.

use core::ops::Range;

use toml::de::{DeTable, DeValue};

use super::Label;
use super::source::{Page, instead, listed};
use crate::id::Date;
use crate::limits::NAME_BYTES_MAX;

/// A text and where it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) at: usize,
}

/// One table being read: it remembers which keys were asked for, so that the others are mistakes.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) page: Page<'t>,
    /// What this table is, for messages: ``the field `note` ``.
    pub(super) what: String,
    pub(super) at: usize,
    entries: Vec<(&'t str, usize, &'t DeValue<'t>, Range<usize>)>,
    asked: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new<'x>(page: Page<'t>, table: &'t DeTable<'x>, what: String, at: usize) -> Self
    where
        'x: 't,
    {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                (
                    key.get_ref().as_ref(),
                    key.span().start,
                    value.get_ref(),
                    value.span(),
                )
            })
            .collect();
        entries.sort_by_key(|(_, at, ..)| *at);
        Self {
            page,
            what,
            at,
            entries,
            asked: Vec::new(),
        }
    }

    pub(super) fn note(&self, at: usize, message: impl Into<String>, remedy: impl Into<String>) {
        self.page.note(at, message, remedy);
    }

    fn entry(&mut self, key: &'static str) -> Option<(usize, &'t DeValue<'t>, Range<usize>)> {
        self.asked.push(key);
        self.entries
            .iter()
            .find(|(name, ..)| *name == key)
            .map(|(_, at, value, span)| (*at, *value, span.clone()))
    }

    /// Where a key stands, or the table if it has none.
    pub(super) fn key_at(&self, key: &str) -> usize {
        self.entries
            .iter()
            .find(|(name, ..)| *name == key)
            .map_or(self.at, |(_, at, ..)| *at)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, ..)| *name == key)
    }

    fn wrong(&self, at: usize, key: &str, found: &DeValue<'_>, wanted: &str, example: &str) {
        let message = format!(
            "`{key}` of {} must be {wanted}, not {}",
            self.what,
            article(found.type_str())
        );
        self.note(at, message, format!("write `{key} = {example}`"));
    }

    pub(super) fn missing(&self, key: &str, example: &str) {
        self.note(
            self.at,
            format!("{} has no `{key}`", self.what),
            format!("write `{key} = {example}`"),
        );
    }

    /// Lets a key stand unread, because a mistake elsewhere hides what it should be.
    pub(super) fn ignore(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// A text, if the key is there.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Text> {
        let (_, value, span) = self.entry(key)?;
        let text = value.as_str();
        if text.is_none() {
            self.wrong(span.start, key, value, "a text", "\"…\"");
        }
        text.map(|text| Text {
            value: text.to_owned(),
            at: span.start,
        })
    }

    /// A text that must be there; noted and empty if not.
    pub(super) fn need_text(&mut self, key: &'static str, example: &str) -> Text {
        if !self.has(key) {
            self.asked.push(key);
            self.missing(key, example);
            return Text {
                value: String::new(),
                at: self.at,
            };
        }
        self.text(key).unwrap_or_default()
    }

    /// Yes or no; no if the key is not there.
    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        let Some((_, value, span)) = self.entry(key) else {
            return false;
        };
        value.as_bool().unwrap_or_else(|| {
            self.wrong(span.start, key, value, "true or false", "true");
            false
        })
    }

    /// A whole number, if the key is there.
    pub(super) fn int(&mut self, key: &'static str) -> Option<i64> {
        let (_, value, span) = self.entry(key)?;
        let int = value
            .as_integer()
            .and_then(|int| i64::from_str_radix(int.as_str(), int.radix()).ok());
        if int.is_none() {
            self.wrong(span.start, key, value, "a whole number", "200");
        }
        int
    }

    /// A whole number within bounds, or a default if the key is not there.
    pub(super) fn int_within(
        &mut self,
        key: &'static str,
        bounds: core::ops::RangeInclusive<i64>,
        otherwise: i64,
    ) -> i64 {
        let at = self.key_at(key);
        let Some(int) = self.int(key) else {
            return otherwise;
        };
        if !bounds.contains(&int) {
            let (least, most) = (bounds.start(), bounds.end());
            self.note(
                at,
                format!("`{key}` of {} is {int}", self.what),
                format!("write a number from {least} to {most}"),
            );
            return otherwise;
        }
        int
    }

    /// A date, if the key is there.
    pub(super) fn date(&mut self, key: &'static str) -> Option<Date> {
        let (_, value, span) = self.entry(key)?;
        let date = as_date(value);
        if date.is_none() {
            self.wrong(span.start, key, value, "a date", "2026-01-31");
        }
        date
    }

    /// A list of dates and where they stand; empty if the key is not there.
    pub(super) fn dates(&mut self, key: &'static str) -> Vec<(Date, usize)> {
        let Some((_, value, span)) = self.entry(key) else {
            return Vec::new();
        };
        let Some(array) = value.as_array() else {
            self.wrong(span.start, key, value, "a list of dates", "[2026-01-31]");
            return Vec::new();
        };
        let mut dates = Vec::new();
        for item in array {
            match as_date(item.get_ref()) {
                Some(date) => dates.push((date, item.span().start)),
                None => self.wrong(
                    item.span().start,
                    key,
                    item.get_ref(),
                    "a list of dates",
                    "[2026-01-31]",
                ),
            }
        }
        dates
    }

    /// A label in both languages; noted where one is missing.
    pub(super) fn label(&mut self) -> Label {
        const EXAMPLE: &str = "{ zh = \"…\", en = \"…\" }";
        let Some((_, value, span)) = self.entry("label") else {
            self.missing("label", EXAMPLE);
            return Label::default();
        };
        let Some(table) = value.as_table() else {
            self.wrong(
                span.start,
                "label",
                value,
                "a label in both languages",
                EXAMPLE,
            );
            return Label::default();
        };
        let mut table = Table::new(
            self.page,
            table,
            format!("the label of {}", self.what),
            span.start,
        );
        let label = table.bare_label();
        table.finish();
        label
    }

    /// The keys `zh` and `en` of this very table.
    pub(super) fn bare_label(&mut self) -> Label {
        let zh = self.need_text("zh", "\"…\"");
        let en = self.need_text("en", "\"…\"");
        for (key, text) in [("zh", &zh), ("en", &en)] {
            if self.has(key) && text.value.trim().is_empty() {
                self.note(
                    text.at,
                    format!("`{key}` of {} is empty", self.what),
                    "write what people are to read",
                );
            }
        }
        Label {
            zh: zh.value,
            en: en.value,
        }
    }

    /// A list of texts; empty if the key is not there.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Text> {
        let Some((_, value, span)) = self.entry(key) else {
            return Vec::new();
        };
        let Some(array) = value.as_array() else {
            self.wrong(span.start, key, value, "a list of texts", "[\"…\"]");
            return Vec::new();
        };
        let mut texts: Vec<Text> = Vec::new();
        for item in array {
            match item.get_ref().as_str() {
                Some(text) if texts.iter().any(|earlier| earlier.value == text) => {
                    self.note(
                        item.span().start,
                        format!("`{text}` stands twice in `{key}` of {}", self.what),
                        "remove one",
                    );
                }
                Some(text) => texts.push(Text {
                    value: text.to_owned(),
                    at: item.span().start,
                }),
                None => self.wrong(
                    item.span().start,
                    key,
                    item.get_ref(),
                    "a list of texts",
                    "[\"…\"]",
                ),
            }
        }
        texts
    }

    /// One of a few words, if the key is there.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key)?;
        self.chosen(key, &text, choices)
    }

    /// What a word stands for, if it is one of a few; noted if not.
    pub(super) fn chosen<T: Copy>(
        &self,
        key: &str,
        text: &Text,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let chosen = choices
            .iter()
            .find(|(word, _)| *word == text.value)
            .map(|(_, value)| *value);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let remedy = instead(&text.value, &words)
                .unwrap_or_else(|| format!("write one of {}", listed(&words)));
            self.note(
                text.at,
                format!("`{key}` of {} cannot be `{}`", self.what, text.value),
                remedy,
            );
        }
        chosen
    }

    /// The table under a key, if it is there.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Table<'t>> {
        let (at, value, span) = self.entry(key)?;
        let Some(table) = value.as_table() else {
            self.wrong(span.start, key, value, "a table", "{ … }");
            return None;
        };
        Some(Table::new(
            self.page,
            table,
            format!("`{key}` of {}", self.what),
            at,
        ))
    }

    /// The tables under a key, named by their own keys, in the order of the file. Names are checked for their form.
    pub(super) fn named(&mut self, key: &'static str, word: &str) -> Vec<(Text, Table<'t>)> {
        let named = self.any_named(key, word);
        for (name, _) in &named {
            self.check_name(&name.value, name.at, word);
        }
        named
    }

    /// The tables under a key, named by their own keys of whatever form, in the order of the file.
    pub(super) fn any_named(&mut self, key: &'static str, word: &str) -> Vec<(Text, Table<'t>)> {
        let Some(outer) = self.table(key) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, at, value, _) in &outer.entries {
            let Some(table) = value.as_table() else {
                let found = article(value.type_str());
                let message = format!("the {word} `{name}` must be a table, not {found}");
                let remedy =
                    format!("write `[{key}.{name}]` on a line of its own, and what it has below");
                self.note(*at, message, remedy);
                continue;
            };
            let text = Text {
                value: (*name).to_owned(),
                at: *at,
            };
            named.push((
                text,
                Table::new(self.page, table, format!("the {word} `{name}`"), *at),
            ));
        }
        named
    }

    /// The tables of an array `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'t>> {
        let Some((_, value, span)) = self.entry(key) else {
            return Vec::new();
        };
        let Some(array) = value.as_array() else {
            self.note(
                span.start,
                format!("`{key}` of {} must be a list of tables", self.what),
                format!("write `[[{key}]]`"),
            );
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array {
            match item.get_ref().as_table() {
                Some(table) => tables.push(Table::new(
                    self.page,
                    table,
                    format!("a `{key}` of {}", self.what),
                    item.span().start,
                )),
                None => self.note(
                    item.span().start,
                    format!("`{key}` of {} must be a list of tables", self.what),
                    format!("write `[[{key}]]`"),
                ),
            }
        }
        tables
    }

    /// Notes a name that is not of the form that names have.
    pub(super) fn check_name(&self, name: &str, at: usize, word: &str) {
        let mut bytes = name.bytes();
        let formed = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && name.len() <= NAME_BYTES_MAX;
        if !formed {
            let remedy = format!(
                "write lower-case letters, digits and `_`, a letter first, {NAME_BYTES_MAX} at most"
            );
            self.note(at, format!("`{name}` cannot name a {word}"), remedy);
        }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        for (name, at, ..) in &self.entries {
            if !self.asked.contains(name) {
                let remedy = instead(name, &self.asked)
                    .unwrap_or_else(|| format!("remove it; known here: {}", listed(&self.asked)));
                self.note(*at, format!("{} knows no `{name}`", self.what), remedy);
            }
        }
    }
}

fn as_date(value: &DeValue<'_>) -> Option<Date> {
    value
        .as_datetime()
        .filter(|at| at.time.is_none())
        .and_then(|at| at.to_string().parse().ok())
}

fn article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}
