//! Reading catalogue files so that every mistake is reported: where it stands and what to write instead.
//!
//! A reader never stops at a mistake. It notes it, goes on with a placeholder, and [`Desk::finish`] hands back everything that
//! was noted, in the order of files and lines.
//!
//! Long because every shape of value that a file may hold is read here, each with its mistakes and their remedies.

use core::cell::RefCell;
use core::fmt;
use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Label;
use crate::id::Date;
use crate::limits::NAME_BYTES_MAX;

/// One file of the catalogue: its name within the folder `catalog/` (`kinds/visit.toml`) and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it lies within the folder `catalog/`, with `/` between the parts.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// One mistake in a catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The file's name within the folder `catalog/`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            remedy,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}: {remedy}")
    }
}

impl core::error::Error for Mistake {}

/// What a name refers to, where it must be declared elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Namespace {
    Role,
    Kind,
    Set,
    Days,
    /// The codes of one set.
    Code(String),
}

impl Namespace {
    const fn word(&self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Kind => "kind",
            Self::Set => "category set",
            Self::Days => "number of days",
            Self::Code(_) => "code",
        }
    }

    const fn home(&self) -> &'static str {
        match self {
            Self::Role => "declare it in roles.toml",
            Self::Kind => "declare it in a file of kinds/",
            Self::Set => "declare it in a file of categories/",
            Self::Days => "declare it under [days] in profiles/default.toml",
            Self::Code(_) => "declare it in its category set",
        }
    }
}

/// Where something stands: a file, by its index, and a byte offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    file: usize,
    offset: usize,
}

/// A name that must be declared in some other file.
#[derive(Debug)]
struct Use {
    namespace: Namespace,
    name: String,
    place: Place,
}

/// Where mistakes are noted while all files are read.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    files: &'a [SourceFile],
    mistakes: RefCell<Vec<Mistake>>,
    uses: RefCell<Vec<Use>>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(files: &'a [SourceFile]) -> Self {
        Self {
            files,
            mistakes: RefCell::default(),
            uses: RefCell::default(),
        }
    }

    /// The pages of all files, one each.
    pub(super) fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        self.files.iter().enumerate().map(|(index, file)| Page {
            desk: self,
            index,
            file,
        })
    }

    /// Notes a mistake that has a place.
    pub(super) fn note(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let (file, line, column) =
            self.files
                .get(place.file)
                .map_or((String::new(), 1, 1), |file| {
                    let (line, column) = line_and_column(&file.text, place.offset);
                    (file.name.clone(), line, column)
                });
        self.mistakes.borrow_mut().push(Mistake {
            file,
            line,
            column,
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Notes a mistake that no existing file can be blamed for.
    pub(super) fn note_missing(&self, file: &str, remedy: &str) {
        let message = "this file is missing".to_owned();
        self.mistakes.borrow_mut().push(Mistake {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message,
            remedy: remedy.to_owned(),
        });
    }

    /// Checks every use of a name against what was declared.
    pub(super) fn resolve(&self, namespace: &Namespace, declared: &[&str]) {
        for used in self
            .uses
            .borrow()
            .iter()
            .filter(|used| used.namespace == *namespace)
        {
            if !declared.contains(&used.name.as_str()) {
                let message = format!("there is no {} `{}`", namespace.word(), used.name);
                self.note(
                    used.place,
                    message,
                    instead(&used.name, declared).unwrap_or_else(|| namespace.home().to_owned()),
                );
            }
        }
    }

    /// Notes a mistake wherever one of some names of a namespace is used.
    pub(super) fn forbid(
        &self,
        namespace: &Namespace,
        names: &[&str],
        message: &str,
        remedy: &str,
    ) {
        for used in self
            .uses
            .borrow()
            .iter()
            .filter(|used| used.namespace == *namespace && names.contains(&used.name.as_str()))
        {
            self.note(used.place, format!("`{}` {message}", used.name), remedy);
        }
    }

    /// The category sets of whose codes some are named.
    pub(super) fn sets_with_named_codes(&self) -> Vec<String> {
        let uses = self.uses.borrow();
        uses.iter()
            .filter_map(|used| {
                if let Namespace::Code(set) = &used.namespace {
                    Some(set.clone())
                } else {
                    None
                }
            })
            .collect()
    }

    /// All mistakes, in the order of files, lines and columns, each once.
    pub(super) fn finish(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort();
        mistakes.dedup();
        mistakes
    }
}

/// One file on the desk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    desk: &'a Desk<'a>,
    index: usize,
    pub(super) file: &'a SourceFile,
}

impl<'a> Page<'a> {
    pub(super) const fn place(&self, offset: usize) -> Place {
        Place {
            file: self.index,
            offset,
        }
    }

    pub(super) fn note(
        &self,
        offset: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.desk.note(self.place(offset), message, remedy);
    }

    /// Records that a name declared elsewhere is used here.
    pub(super) fn uses(&self, namespace: Namespace, name: &Text) {
        let used = Use {
            namespace,
            name: name.value.clone(),
            place: self.place(name.at),
        };
        self.desk.uses.borrow_mut().push(used);
    }

    /// The file's name without folder and ending.
    pub(super) fn stem(&self) -> &'a str {
        let name = self.file.name.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".toml").unwrap_or(name)
    }

    /// Reads the file as TOML; whatever cannot be read is noted and left out.
    pub(super) fn parse(&self) -> Spanned<DeTable<'a>> {
        let (root, errors) = DeTable::parse_recoverable(&self.file.text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            self.note(
                offset,
                format!("this is not TOML: {}", error.message().replace('\n', " ")),
                "mend the line",
            );
        }
        root
    }

    /// The file's outermost table.
    pub(super) fn root<'t>(&self, root: &'t Spanned<DeTable<'a>>) -> Table<'t>
    where
        'a: 't,
    {
        Table::new(*self, root.get_ref(), "the file".to_owned(), 0)
    }
}

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
    fn new<'x>(page: Page<'t>, table: &'t DeTable<'x>, what: String, at: usize) -> Self
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
        for item in array.iter() {
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
        for item in array.iter() {
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
            match value.as_table() {
                Some(table) => {
                    let text = Text {
                        value: (*name).to_owned(),
                        at: *at,
                    };
                    named.push((
                        text,
                        Table::new(self.page, table, format!("the {word} `{name}`"), *at),
                    ));
                }
                None => {
                    let message = format!(
                        "the {word} `{name}` must be a table, not {}",
                        article(value.type_str())
                    );
                    self.note(
                        *at,
                        message,
                        format!(
                            "write `[{key}.{name}]` on a line of its own, and what it has below"
                        ),
                    );
                }
            }
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
        for item in array.iter() {
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

/// The words, each in backticks, with commas between.
pub(super) fn listed(words: &[&str]) -> String {
    let mut words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.sort();
    words.dedup();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// "write `x`", where `x` is a known word that the given one was probably meant to be.
pub(super) fn instead(word: &str, known: &[&str]) -> Option<String> {
    let near = known
        .iter()
        .map(|known| (distance(word, known), *known))
        .min()?;
    let tolerated = (word.chars().count() / 3).clamp(1, 3);
    (near.0 <= tolerated).then(|| format!("did you mean `{}`?", near.1))
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&above, j) + usize::from(x != y))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = core::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(a.len())
}

/// The line and the column in characters, both from 1, of a byte offset.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |tail| tail.chars().count())
        + 1;
    (line, column)
}
