//! Reading catalogue files so that every mistake is reported: where it stands and what to write instead.
//!
//! A reader never stops at a mistake. It notes it, goes on with a placeholder, and [`Desk::finish`] hands back everything that
//! was noted, in the order of files and lines.

use core::cell::RefCell;
use core::fmt;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeTable;

use super::field::{Field, FieldType};
use super::table::{Table, Text};
use crate::command::Audience;

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
    /// Papers of a day.
    DayPaper,
    /// The codes of one set.
    Code(String),
    /// The states of one kind.
    State(String),
    /// The fields of one kind.
    Field(String),
    /// The fields of one kind that are like another field.
    FieldLike(String, FieldLike),
    /// Those that refer to records.
    LinkField(String),
    /// Those that are days.
    DateField(String),
    /// Those of type `code` or `codes`.
    CodeField(String),
    /// The codes that a field of a kind takes.
    CodeOf(String, String),
}

/// What fields have in common, of which one can be filled from the other: what their values are like, and who may read them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FieldLike(String, Option<Audience>);

impl FieldLike {
    /// Those like this one; `None` if none can be.
    pub(super) fn of(field: &Field) -> Option<Self> {
        Some(Self(field.ty.alike()?, field.audience))
    }

    /// References to records of a kind.
    pub(super) fn refers_to(kind: &str) -> Self {
        let kind = Some(kind.to_owned());
        Self(FieldType::Ref { kind }.alike().unwrap_or_default(), None)
    }
}

impl Namespace {
    const fn word(&self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Kind => "kind",
            Self::Set => "category set",
            Self::Days => "number of days",
            Self::DayPaper => "paper of a day",
            Self::Code(_) | Self::CodeOf(..) => "code",
            Self::State(_) => "state of that kind",
            Self::Field(_) => "field of that kind",
            Self::FieldLike(..) => "field of that kind, of the same type and audience,",
            Self::LinkField(_) => "reference field of that kind",
            Self::DateField(_) => "date field of that kind",
            Self::CodeField(_) => "field of codes of that kind",
        }
    }

    const fn home(&self) -> &'static str {
        match self {
            Self::Role => "declare it in roles.toml",
            Self::Kind => "declare it in a file of kinds/",
            Self::Set => "declare it in a file of categories/",
            Self::Days => "declare it under [days] in profiles/default.toml",
            Self::DayPaper => "declare it in a file of papers/, with `period = \"day\"`",
            Self::Code(_) | Self::CodeOf(..) => "declare it in its category set",
            Self::State(_)
            | Self::Field(_)
            | Self::LinkField(_)
            | Self::DateField(_)
            | Self::CodeField(_)
            | Self::FieldLike(..) => "declare it in the file of that kind",
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

    /// The namespaces of which something is named: the codes of sets and the states of kinds among them, each set and kind its own.
    pub(super) fn named(&self) -> BTreeSet<Namespace> {
        let uses = self.uses.borrow();
        uses.iter().map(|used| used.namespace.clone()).collect()
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
