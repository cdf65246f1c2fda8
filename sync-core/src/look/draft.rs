//! Papers drafted from records: a day's sheet, a month's, a ledger, a case's file, a notice.
//!
//! Each line names the record that it comes from. What its reader may not read is not in it; what is sensitive is masked, as on the
//! screen, and on a paper that is hung out whatever has a mask.

use super::{Look, Source, as_date, both, linked};
use crate::catalog::{Field, FieldType, Holds, Kind, Label, Paper, Section, Subject, Tie};
use crate::command::{Audience, Verb};
use crate::id::{Date, JournalId, RecordId};
use crate::record::Step;
use crate::value::Value;
use crate::view::{Said, Shown, View};

/// What a paper is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The period in which a day lies.
    Day(Date),
    /// A record.
    Record(RecordId),
}

/// A paper as it would be printed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'k> {
    /// Which.
    pub paper: &'k Paper,
    /// The village.
    pub journal: JournalId,
    /// Its name.
    pub place: String,
    /// The first and the last day of its period.
    pub period: Option<(Date, Date)>,
    /// What the record is called that it is about.
    pub title: Option<Label>,
    /// Its sections, those without a line among them.
    pub sections: Vec<DraftSection>,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftSection {
    /// Its heading.
    pub label: Label,
    /// What its columns are called; of two columns without names the first says what the second is.
    pub columns: Vec<Label>,
    /// Its lines.
    pub lines: Vec<DraftLine>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// The record that it comes from.
    pub source: RecordId,
    /// What stands in it, a text for each column.
    pub cells: Vec<Label>,
}

/// Which records of a village stand in a section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drawn {
    kind: String,
    by: By,
}

/// By what they do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Their day, from the first to the last: that in a field of theirs, else that on which they were made.
    Day {
        on: Option<String>,
        first: Date,
        last: Date,
    },
    /// What a field of theirs refers to.
    Link {
        field: String,
        targets: Vec<RecordId>,
    },
}

impl Drawn {
    /// Their kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether a record is one of them, by what its reader sees of it.
    pub fn takes(&self, view: &View) -> bool {
        let belongs = match &self.by {
            By::Day { first, last, .. } => self
                .day(view)
                .is_some_and(|day| (*first..=*last).contains(&day)),
            By::Link { field, targets } => linked(view, field).any(|one| targets.contains(&one)),
        };
        belongs && view.kind == self.kind && view.void.is_none()
    }

    /// The day of one of them.
    fn day(&self, view: &View) -> Option<Date> {
        let on = match &self.by {
            By::Day { on, .. } => on.as_deref(),
            By::Link { .. } => None,
        };
        let written = on.and_then(|on| view.value(on)).and_then(as_date);
        written.or_else(|| created(view))
    }
}

/// Who reads a draft, where that is not only this user.
type For = Option<Audience>;

impl<S: Source> Look<'_, S> {
    /// A paper, drafted; `None` if it is not of what was asked for.
    pub fn draft<'k>(
        &self,
        journal: JournalId,
        paper: &'k Paper,
        asked: Asked,
    ) -> Option<Draft<'k>> {
        self.draft_for(journal, paper, asked, None)
    }

    /// The same as a form takes it over, whose record others read: without what is for fewer.
    pub(super) fn draft_for<'k>(
        &self,
        journal: JournalId,
        paper: &'k Paper,
        asked: Asked,
        readers: For,
    ) -> Option<Draft<'k>> {
        let (about, period) = match (&paper.about, asked) {
            (Subject::Record(kind), Asked::Record(record)) => {
                let view = self.view(journal, record)?;
                (Some(view).filter(|view| view.kind == *kind), None)
            }
            (Subject::Period(period), Asked::Day(day)) => (None, Some(period.around(day))),
            _ => return None,
        };
        if about.is_none() && period.is_none() {
            return None;
        }
        let writer = Writer {
            look: *self,
            journal,
            paper,
            about: about.as_ref(),
            period,
            readers,
        };
        let sections = paper.sections.iter().map(|section| writer.section(section));
        let sections: Option<Vec<_>> = sections.collect();
        Some(Draft {
            paper,
            journal,
            place: self.source.village(journal)?,
            period,
            title: about.as_ref().map(|view| writer.title(view)),
            sections: sections?,
        })
    }
}

impl Draft<'_> {
    /// What it says in Chinese, as a text that is then somebody's own: a heading, and a line for each record. Empty if there is none.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for section in self.sections.iter().filter(|one| !one.lines.is_empty()) {
            text.push_str(&section.label.zh);
            text.push_str("：\n");
            for line in &section.lines {
                let cells = line.cells.iter().map(|cell| cell.zh.trim());
                let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
                text.push_str(&cells.join("，"));
                text.push('\n');
            }
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The records of a kind that it names, each once.
    pub(super) fn sources(&self, look: &Look<'_>, kind: &str) -> Vec<RecordId> {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        let mut sources = Vec::new();
        for source in lines.map(|line| line.source) {
            let view = look.view(self.journal, source);
            let is_one = view.is_some_and(|view| view.kind == kind);
            if is_one && !sources.contains(&source) {
                sources.push(source);
            }
        }
        sources
    }
}

/// Drafts one paper.
struct Writer<'w, 'd, S> {
    look: Look<'d, S>,
    journal: JournalId,
    paper: &'w Paper,
    about: Option<&'w View>,
    period: Option<(Date, Date)>,
    readers: For,
}

impl<S: Source> Writer<'_, '_, S> {
    fn section(&self, section: &Section) -> Option<DraftSection> {
        let kind = section.kind(&self.paper.about);
        let kind = self.look.catalogue()?.kind(kind?)?;
        let fields = section.columns.iter().filter_map(|name| kind.field(name));
        let fields: Vec<&Field> = fields.collect();
        let label = section.label.clone();
        let (columns, lines) = match &section.holds {
            Holds::Fields => (Vec::new(), self.fields(&fields)),
            Holds::Steps => {
                let about = self.about.into_iter();
                let steps = about.flat_map(|view| self.steps(view, kind, &fields));
                (steps_columns(&fields), steps.collect())
            }
            Holds::Around { tie, steps, .. } => {
                let around = in_order(self.around(&kind.name, tie));
                if *steps {
                    let around = around.iter();
                    let steps = around.flat_map(|view| self.steps(view, kind, &fields));
                    (steps_columns(&fields), steps.collect())
                } else {
                    (named(kind, &fields), self.lines(around, kind, &fields))
                }
            }
            Holds::During { on, .. } => {
                let during = in_order(self.during(&kind.name, on.as_deref()));
                (named(kind, &fields), self.lines(during, kind, &fields))
            }
        };
        Some(DraftSection {
            label,
            columns,
            lines,
        })
    }

    /// A line for each field that says something; of a list, for each item.
    fn fields(&self, fields: &[&Field]) -> Vec<DraftLine> {
        let Some(view) = self.about else {
            return Vec::new();
        };
        let texts = fields.iter().flat_map(|field| {
            let texts = self.texts(view, field).into_iter();
            texts.map(|text| (field.label.clone(), text))
        });
        let source = view.id;
        texts
            .map(|(name, text)| DraftLine {
                source,
                cells: vec![name, text],
            })
            .collect()
    }

    /// A line for each step of a record, with what it brought to these fields.
    fn steps(&self, view: &View, kind: &Kind, fields: &[&Field]) -> Vec<DraftLine> {
        let line = |step: &Step| {
            let state = |name: &str| kind.state(name).map(|state| state.label.clone());
            let label = match (step.verb, step.action.as_deref()) {
                (Verb::Create, state_name) => state(state_name?)?,
                (Verb::Act, action) => kind.action(action?)?.label.clone(),
                _ => return None,
            };
            let person = self.look.by(step).map(|user| self.look.person(user));
            let reason = step.reason.clone().unwrap_or_default();
            let day = both(step.at.date().to_string());
            let brought = |field: &&Field| {
                let said = step.said.get(&field.name);
                let said = said.filter(|_| self.may_show(field));
                said.map_or_else(Label::default, |said| self.text(field, said, view))
            };
            let known = [day, label, both(person.unwrap_or_default()), both(reason)];
            Some(DraftLine {
                source: view.id,
                cells: known
                    .into_iter()
                    .chain(fields.iter().map(brought))
                    .collect(),
            })
        };
        let counted = view.steps.iter().filter(|step| step.fate.counts());
        counted.filter_map(line).collect()
    }

    fn lines(&self, views: Vec<View>, kind: &Kind, fields: &[&Field]) -> Vec<DraftLine> {
        let line = |view: View| {
            let text = |field: &&Field| joined(self.texts(&view, field));
            let number = kind
                .numbered
                .then(|| both(self.look.number(&view).unwrap_or_default()));
            let cells = number.into_iter().chain(fields.iter().map(text)).collect();
            let source = view.id;
            DraftLine { source, cells }
        };
        views.into_iter().map(line).collect()
    }

    fn during(&self, kind: &str, on: Option<&str>) -> Vec<(Date, View)> {
        let Some((first, last)) = self.period else {
            return Vec::new();
        };
        let on = on.map(str::to_owned);
        self.drawn(kind, By::Day { on, first, last })
    }

    fn around(&self, kind: &str, tie: &Tie) -> Vec<(Date, View)> {
        let Some(about) = self.about else {
            return Vec::new();
        };
        match tie {
            Tie::At { field } => linked(about, field)
                .filter_map(|target| self.look.view(self.journal, target))
                .filter(|view| view.void.is_none() && view.kind == *kind && self.is_in(view))
                .map(|view| (created(&view).unwrap_or(Date(i32::MIN)), view))
                .collect(),
            Tie::By { field, of } => {
                let targets = match of {
                    Some(own) => linked(about, own).collect(),
                    None => vec![about.id],
                };
                let field = field.clone();
                self.drawn(kind, By::Link { field, targets })
            }
        }
    }

    /// Those that belong into this paper, with their days.
    fn drawn(&self, kind: &str, by: By) -> Vec<(Date, View)> {
        let kind = kind.to_owned();
        let drawn = Drawn { kind, by };
        let Look { source, now } = self.look;
        let views = source.drawn(self.journal, &drawn, now).into_iter();
        let views = views.filter(|view| self.is_in(view));
        views
            .map(|view| (drawn.day(&view).unwrap_or(Date(i32::MIN)), view))
            .collect()
    }

    /// Whether a record belongs into this paper, by who wrote it and who reads the paper.
    fn is_in(&self, view: &View) -> bool {
        let hidden = self
            .readers
            .is_some_and(|readers| crate::catalog::widens(view.audience, readers));
        !hidden && (!self.paper.own || self.is_own(view))
    }

    fn is_own(&self, view: &View) -> bool {
        let me = self.look.user();
        let named = || {
            let kind = self.look.kind_of(view);
            let fields = kind.into_iter().flat_map(|kind| &kind.fields);
            let mut people = fields.filter(|field| field.ty.is_user());
            people.any(|field| linked(view, &field.name).any(|one| one.0 == me.0))
        };
        view.author == Some(me) || named()
    }

    fn title(&self, view: &View) -> Label {
        let kind = self.look.kind_of(view);
        let field = kind.and_then(|kind| kind.field(&kind.title));
        let text = both(self.look.title(view));
        field.map_or_else(|| text.clone(), |field| self.masked(field, text.clone()))
    }

    /// What a field says: a text, of items one each.
    fn texts(&self, view: &View, field: &Field) -> Vec<Label> {
        if !self.may_show(field) {
            return Vec::new();
        }
        let text = |said: &Said| self.text(field, &said.value, view);
        match view.fields.get(&field.name) {
            Some(Shown::Value(said)) => vec![text(said)],
            Some(Shown::Conflict(said)) => said.iter().map(text).collect(),
            Some(Shown::Text(said)) => vec![self.masked(field, both(said.clone()))],
            Some(Shown::Items(items)) => {
                let is_file = matches!(field.ty, FieldType::Blobs { .. });
                let items = items.iter().filter(|_| !is_file);
                items.map(|(_, said)| text(said)).collect()
            }
            Some(Shown::Withheld) | None => Vec::new(),
        }
    }

    /// Whether a field goes to whoever reads the paper.
    const fn may_show(&self, field: &Field) -> bool {
        self.readers.is_none() || field.audience.is_none()
    }

    fn text(&self, field: &Field, value: &Value, view: &View) -> Label {
        let text = self.look.text_of(&field.ty, value, view.journal);
        self.masked(field, text)
    }

    fn masked(&self, field: &Field, text: Label) -> Label {
        match field.mask.filter(|_| self.paper.masked) {
            Some(mask) => mask.over(&text),
            None => super::masked(field, text),
        }
    }
}

fn label(zh: &str, en: &str) -> Label {
    Label {
        zh: zh.to_owned(),
        en: en.to_owned(),
    }
}

fn named(kind: &Kind, fields: &[&Field]) -> Vec<Label> {
    let number = kind.numbered.then(|| label("编号", "No."));
    let fields = fields.iter().map(|field| field.label.clone());
    number.into_iter().chain(fields).collect()
}

/// By their days, and of one day in the order in which they were made.
fn in_order(mut views: Vec<(Date, View)>) -> Vec<View> {
    let made = |view: &View| view.steps.first().map(|step| step.place);
    views.sort_by_key(|(day, view)| (*day, made(view)));
    views.into_iter().map(|(_, view)| view).collect()
}

fn steps_columns(fields: &[&Field]) -> Vec<Label> {
    let names = [
        ("日期", "Day"),
        ("环节", "Step"),
        ("经办", "By"),
        ("理由", "Reason"),
    ];
    let names = names.map(|(zh, en)| label(zh, en)).into_iter();
    let fields = fields.iter().map(|field| field.label.clone());
    names.chain(fields).collect()
}

fn joined(texts: Vec<Label>) -> Label {
    let (zh, en): (Vec<String>, Vec<String>) =
        texts.into_iter().map(|text| (text.zh, text.en)).unzip();
    Label {
        zh: zh.join("；"),
        en: en.join("; "),
    }
}

/// The day on which a record was made, as recorded.
fn created(view: &View) -> Option<Date> {
    let mut counted = view.steps.iter().filter(|step| step.fate.counts());
    Some(counted.next()?.at.date())
}

#[cfg(test)]
mod tests;
