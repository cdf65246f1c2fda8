//! One record: what it says, who said it, and where each command is.

use sync_core::catalog::{Field as FieldOfKind, FieldType};
use sync_core::command::{Audience, Verb};
use sync_core::id::Seq;
use sync_core::journal::Fate;
use sync_core::record::{Mark, Step};
use sync_core::sync::device::{Intent, Target, Whereabouts};
use sync_core::value::Value;
use sync_core::view::{By, PENDING, Shown, View};

use super::{Desk, Done, lists};
use crate::messages::{Said, Text};
use crate::screen::{COLUMNS, fit, width, wrap};

/// How wide the names of fields are.
const LABEL_COLUMNS: usize = 16;

impl Desk<'_> {
    pub(super) fn show(&mut self, text: &str, reveal: Option<&str>, reason: Option<&str>) -> Done {
        let (row, view) = self.found(text, None)?;
        if let (Some(name), Some(reason)) = (reveal, reason) {
            return self.reveal(&view, name, reason);
        }
        let kind = self.kind(&view)?.clone();
        let state = view.state.as_deref().and_then(|state| kind.state(state));
        let state = state.map_or_else(String::new, |state| {
            self.lang
                .fill(Text::Bracketed, &[self.lang.of(&state.label)])
        });
        let head = format!("{} {} {state}", self.lang.of(&kind.label), row.title);
        let id = view.id.short();
        self.line(&format!("{}{id}", fit(&head, COLUMNS - id.len())))?;
        if let Some(number) = self.field.look(self.now).number(&view) {
            self.fill(Text::Number, &[&number])?;
        }
        if let Some(reason) = &view.void {
            self.fill(Text::VoidBecause, &[reason])?;
        }
        for mark in &view.marks {
            self.say(match mark {
                Mark::Withheld => Text::MarkWithheld,
                Mark::Erased => Text::MarkErased,
                Mark::OverLimit => Text::MarkOverLimit,
                Mark::SetAside => Text::MarkSetAside,
                Mark::Unknown => Text::MarkUnknown,
            })?;
        }
        for field in &kind.fields {
            self.print_field(&view, &field.name)?;
        }
        self.say(Text::Timeline)?;
        for step in &view.steps {
            self.step(&view, step)?;
        }
        let actions = self.field.actions(&kind, &view, self.now);
        let look = self.field.look(self.now);
        let named = actions.iter().map(|action| {
            let named = format!("{} {}", self.lang.of(&action.label), action.name);
            match look.opens_on(action, &view) {
                Some(day) => self.lang.fill(Text::From, &[&named, &day.to_string()]),
                None => named,
            }
        });
        let actions = named.collect::<Vec<_>>().join(" · ");
        if actions.is_empty() {
            Ok(())
        } else {
            self.fill(Text::Actions, &[&actions])
        }
    }

    /// A field, and every value of one in 待核对, with who said it and when.
    pub(super) fn print_field(&mut self, view: &View, name: &str) -> Done {
        let Some(shown) = view.fields.get(name) else {
            return Ok(());
        };
        let field = self.kind(view)?.field(name).cloned();
        let label = field.as_ref().map_or_else(
            || name.to_owned(),
            |field| self.lang.of(&field.label).to_owned(),
        );
        let ty = field
            .as_ref()
            .map_or(FieldType::Text { max: 0 }, |field| field.ty.clone());
        let text = |value: &Value| {
            let text = self
                .field
                .text_of(&ty, value, view.journal, self.lang, self.now);
            masked(field.as_ref(), text)
        };
        let lines: Vec<(String, String)> = match shown {
            Shown::Value(said) => vec![(text(&said.value), self.by(&said.by))],
            Shown::Text(said) => vec![(masked(field.as_ref(), said.clone()), String::new())],
            Shown::Withheld => vec![(self.lang.say(Text::Withheld).to_owned(), String::new())],
            Shown::Items(items) => (1..)
                .zip(items)
                .map(|(n, (_, said))| {
                    let n: usize = n;
                    (format!("{n}. {}", text(&said.value)), self.by(&said.by))
                })
                .collect(),
            Shown::Conflict(values) => {
                let head = (self.lang.say(Text::InConflict).to_owned(), String::new());
                let values = (1..).zip(values).map(|(n, said)| {
                    let n: usize = n;
                    (format!("{n}) {}", text(&said.value)), self.by(&said.by))
                });
                std::iter::once(head).chain(values).collect()
            }
        };
        let mut label = fit(&label, LABEL_COLUMNS);
        for (text, by) in lines {
            let room = COLUMNS - LABEL_COLUMNS - 4;
            let beside = width(&text) + width(&by) < room;
            for (k, line) in wrap(&text, room).iter().enumerate() {
                let by = if k == 0 && beside && !by.is_empty() {
                    format!("{}{by}", " ".repeat(room - width(line) - width(&by)))
                } else {
                    String::new()
                };
                self.line(format!("  {label}  {line}{by}").trim_end())?;
                label = " ".repeat(LABEL_COLUMNS);
            }
        }
        Ok(())
    }

    fn by(&self, by: &By) -> String {
        let who = by
            .user
            .map_or_else(|| "?".to_owned(), |user| self.field.person(user));
        let at = by.at.map_or_else(String::new, |at| self.when(at));
        format!("{who} {at}")
    }

    pub(super) fn step(&mut self, view: &View, step: &Step) -> Done {
        let kind = self.kind(view).ok().cloned();
        let did = self.lang.did(
            kind.as_ref(),
            step.verb,
            step.action.as_deref(),
            &step.fields,
        );
        let who = self
            .field
            .device()
            .registry()
            .devices
            .get(&step.place.device)
            .map(|device| device.user);
        let who = who.map_or_else(
            || self.lang.say(Text::Me).to_owned(),
            |user| self.field.person(user),
        );
        let place = self.whereabouts(view, step);
        let head = format!("  {}  {who}  {did}", self.when(step.at));
        let room = COLUMNS.saturating_sub(width(&place) + 2);
        self.line(format!("{}  {place}", fit(&head, room)).trim_end())?;
        if let Some(reason) = step.reason.as_ref().filter(|reason| !reason.is_empty()) {
            self.print(&format!(
                "               {}",
                self.lang.fill(Text::Because, &[reason])
            ))?;
        }
        if lists::is_unusual(&step.fate) {
            let fate = self.lang.fate(&step.fate, kind.as_ref());
            self.print(&format!("               {fate}"))?;
        }
        for cleared in &step.cleared {
            let cause = self.lang.flag(&cleared.cause);
            self.print(&format!(
                "               {}",
                self.lang.fill(Text::MarkCleared, &[cause])
            ))?;
        }
        for (fields, text) in [(&step.said, Text::SaidThen), (&step.was, Text::Was)] {
            for (name, value) in fields.iter() {
                let field = kind.as_ref().and_then(|kind| kind.field(name));
                let label = field.map_or(name.as_str(), |field| self.lang.of(&field.label));
                let label = label.to_owned();
                let said = field.map_or_else(String::new, |field| {
                    let ty = &field.ty;
                    let said = self
                        .field
                        .text_of(ty, value, view.journal, self.lang, self.now);
                    masked(Some(field), said)
                });
                let line = self.lang.fill(text, &[&label, &said]);
                self.print(&format!("               {line}"))?;
            }
        }
        Ok(())
    }

    /// Where a command is, in a word: 本机, 已发, or the entry that has it.
    fn whereabouts(&self, view: &View, step: &Step) -> String {
        if step.place.seq != PENDING {
            return self.lang.fill(
                Text::AtEntry,
                &[self.received(&step.fate), &step.place.seq.to_string()],
            );
        }
        match self.field.device().whereabouts(view.journal, step.place.n) {
            Some(Whereabouts::Here) | None => self.lang.say(Text::Here).to_owned(),
            Some(Whereabouts::Sent) => self.lang.say(Text::Sent).to_owned(),
            Some(Whereabouts::Received { seq, fate }) => self
                .lang
                .fill(Text::AtEntry, &[self.received(&fate), &seq.to_string()]),
        }
    }

    fn received(&self, fate: &Fate) -> &'static str {
        self.lang.say(match fate {
            Fate::Accepted | Fate::Flagged(_) => Text::Received,
            Fate::NoEffect(_) => Text::WithoutEffect,
            Fate::Refused(..) => Text::WasRefused,
        })
    }

    /// Each command of a record with its receipt: the entry and the head of the chain there, as this device verified it.
    pub(super) fn receipt(&mut self, text: &str) -> Done {
        let (row, view) = self.found(text, None)?;
        let kind = self.kind(&view)?.clone();
        self.line(&format!(
            "{} {}  {}",
            self.lang.of(&kind.label),
            row.title,
            view.id
        ))?;
        for step in &view.steps {
            self.step(&view, step)?;
            if step.place.seq != PENDING {
                let received = step.received_at.to_string();
                let head = self.head(&view, step.place.seq);
                self.fill(
                    Text::ReceivedAt,
                    &[received.get(..19).unwrap_or(&received), &head],
                )?;
            }
        }
        Ok(())
    }

    fn head(&self, view: &View, seq: Seq) -> String {
        let head = self.field.device().head_at(view.journal, seq);
        head.map_or_else(String::new, |head| {
            head.to_string().chars().take(32).collect()
        })
    }

    /// Shows one sensitive value whole; that it was asked for, by whom and what for, is a command like any other.
    fn reveal(&mut self, view: &View, name: &str, reason: &str) -> Done {
        let field = self.reading(view.journal)?.named(&view.kind, name)?.clone();
        let intent = Intent {
            reveals: Some(field.name.clone()),
            reason: Some(reason.to_owned()),
            ..Intent::new(Target::Existing(view.id), Verb::Reveal)
        };
        self.save(view.journal, intent)?;
        let unmasked = |value: &Value| {
            self.field
                .text_of(&field.ty, value, view.journal, self.lang, self.now)
        };
        let text = match view.fields.get(&field.name) {
            Some(Shown::Value(said)) => unmasked(&said.value),
            Some(Shown::Conflict(said)) => said
                .iter()
                .map(|said| unmasked(&said.value))
                .collect::<Vec<_>>()
                .join(" | "),
            Some(Shown::Text(text)) => text.clone(),
            Some(Shown::Items(items)) => items
                .iter()
                .map(|(_, said)| unmasked(&said.value))
                .collect::<Vec<_>>()
                .join(" | "),
            Some(Shown::Withheld) => return Err(Said(Text::Withheld).into()),
            None => return Err(Said(Text::NothingHere).into()),
        };
        self.print(&format!(
            "{}{}{text}",
            self.lang.of(&field.label),
            self.lang.colon()
        ))
    }
}

/// What is sensitive is shown masked until it is asked for.
fn masked(field: Option<&FieldOfKind>, text: String) -> String {
    let mask = field
        .filter(|field| field.audience == Some(Audience::Sensitive))
        .and_then(|field| field.mask);
    match mask {
        Some(mask) => mask.apply(&text),
        None => text,
    }
}
