//! A visit in under thirty seconds: the household, how, four looks, a sentence, a need.

use sync_core::catalog::{Category, Field as FieldOfKind, FieldType, Kind};
use sync_core::id::JournalId;
use sync_core::sync::device::Intent;

use super::args::Visit;
use super::{Complaint, Desk, Done};
use crate::look::{NotOne, Row};
use crate::messages::{Said, Text};

/// The four looks (四看), in the order in which they are asked.
const LOOKS: [&str; 4] = ["education", "medical", "housing", "water"];
/// How many households are offered at once.
const OFFERED: usize = 9;

impl Desk<'_> {
    pub(super) fn visit(&mut self, visit: &Visit) -> Done {
        let kind = self.kind_named("visit")?.clone();
        // Whoever says no household is asked everything; a script says what it has and is asked nothing.
        let asks = visit.household.is_none();
        let household = match &visit.household {
            Some(text) => self.household(text)?,
            None => self.ask_household()?,
        };
        let journal = household.journal;
        let mut intent = Intent::create("visit").link("household", household.record);
        let on = visit.on.as_deref().unwrap_or("+0");
        self.take(&mut intent, &kind, journal, "occurred_on", on)?;
        self.answer(
            &mut intent,
            &kind,
            journal,
            "method",
            visit.method.as_deref(),
            asks,
        )?;
        match visit.looks.as_deref() {
            Some(looks) => self.looks(&mut intent, &kind, journal, looks)?,
            None if asks => self.ask_looks(&mut intent, &kind, journal)?,
            None => {}
        }
        self.answer(
            &mut intent,
            &kind,
            journal,
            "note",
            visit.note.as_deref(),
            asks,
        )?;
        self.answer(
            &mut intent,
            &kind,
            journal,
            "needs",
            visit.needs.as_deref(),
            asks,
        )?;
        for text in &visit.set {
            self.reading(journal)?.add(&mut intent, "visit", text)?;
        }
        let saved = self.save(journal, intent)?;
        if visit.file {
            self.save_silently(journal, Intent::act(saved.record, "file"))?;
        }
        Ok(())
    }

    /// A household by its number in the list, its id, or the beginning of its name.
    fn household(&self, text: &str) -> Result<Row, Complaint> {
        let households = self.field.households(self.now);
        let number: Option<usize> = text.parse().ok().filter(|_| text.len() < 4);
        let by_number = number.and_then(|number| number.checked_sub(1));
        if let Some((row, _)) = by_number.and_then(|at| households.into_iter().nth(at)) {
            return Ok(row);
        }
        Ok(self.found(text, Some("household"))?.0)
    }

    fn ask_household(&mut self) -> Result<Row, Complaint> {
        let households = self.field.households(self.now);
        if households.is_empty() {
            return Err(Said(Text::NoHouseholds).into());
        }
        let offered = (1..).zip(households.iter().take(OFFERED));
        let offered: Vec<String> = offered
            .map(|(n, (row, _)): (usize, _)| format!("{n}\u{a0}{}", row.title))
            .collect();
        self.print(&offered.join("   "))?;
        loop {
            let prompt = self.lang.say(Text::WhichHousehold);
            let text = self.ask.line(prompt)?.ok_or(Said(Text::NoInput))?;
            if text.trim().is_empty() {
                continue;
            }
            match self.household(text.trim()) {
                Ok(row) => {
                    self.line(&row.title)?;
                    return Ok(row);
                }
                Err(_) => {
                    let several = self.field.find(text.trim(), Some("household"), self.now);
                    let rows = if let Err(NotOne::Several(rows)) = several {
                        rows
                    } else {
                        Vec::new()
                    };
                    let titles: Vec<String> = rows
                        .iter()
                        .map(|row| format!("{} {}", row.record.short(), row.title))
                        .collect();
                    let said = if titles.is_empty() {
                        self.lang.say(Text::NoSuchRecord).to_owned()
                    } else {
                        titles.join("   ")
                    };
                    self.print(&said)?;
                }
            }
        }
    }

    /// What is said of a field; else, if somebody is asked, what he answers. No answer is no value.
    fn answer(
        &mut self,
        intent: &mut Intent,
        kind: &Kind,
        journal: JournalId,
        name: &str,
        said: Option<&str>,
        asks: bool,
    ) -> Done {
        let Some(field) = kind.field(name).filter(|_| said.is_some() || asks) else {
            return Ok(());
        };
        let codes = self.codes(field);
        if let Some(text) = said {
            return self.take(intent, kind, journal, name, &by_number(text, &codes));
        }
        let offered: Vec<String> = (1..)
            .zip(&codes)
            .map(|(n, code): (usize, _)| format!("{n}\u{a0}{}", self.lang.of(&code.label)))
            .collect();
        if !offered.is_empty() {
            self.print(&offered.join("  "))?;
        }
        loop {
            let prompt = format!("{}{}", self.lang.of(&field.label), self.lang.colon());
            let text = self.ask.line(&prompt)?.unwrap_or_default();
            if text.trim().is_empty() {
                return Ok(());
            }
            match self.take(intent, kind, journal, name, &by_number(text.trim(), &codes)) {
                Ok(()) => return Ok(()),
                Err(complaint) => self.complain(&complaint)?,
            }
        }
    }

    fn take(
        &self,
        intent: &mut Intent,
        kind: &Kind,
        journal: JournalId,
        name: &str,
        text: &str,
    ) -> Done {
        let Some(field) = kind.field(name) else {
            return Ok(());
        };
        Ok(self.reading(journal)?.add_to(intent, field, text)?)
    }

    /// The codes that a form offers for a field today.
    fn codes(&self, field: &FieldOfKind) -> Vec<Category> {
        let (FieldType::Code { set } | FieldType::Codes { set, .. }) = &field.ty else {
            return Vec::new();
        };
        let set = self
            .field
            .catalogue(self.now)
            .and_then(|catalogue| catalogue.set(set));
        set.map(|set| set.in_force(self.now.date()).cloned().collect())
            .unwrap_or_default()
    }

    fn ask_looks(&mut self, intent: &mut Intent, kind: &Kind, journal: JournalId) -> Done {
        let fields: Vec<String> = LOOKS
            .iter()
            .filter_map(|name| kind.field(name))
            .map(|field| self.lang.of(&field.label).to_owned())
            .collect();
        let codes = kind
            .field("education")
            .map(|field| self.codes(field))
            .unwrap_or_default();
        let codes: Vec<String> = (1..)
            .zip(&codes)
            .map(|(n, code): (usize, _)| format!("{n}\u{a0}{}", self.lang.of(&code.label)))
            .collect();
        self.print(&format!("{}    {}", fields.join(" · "), codes.join("  ")))?;
        loop {
            let text = self
                .ask
                .line(self.lang.say(Text::FourLooks))?
                .unwrap_or_default();
            if text.trim().is_empty() {
                return Ok(());
            }
            match self.looks(intent, kind, journal, text.trim()) {
                Ok(()) => return Ok(()),
                Err(complaint) => self.complain(&complaint)?,
            }
        }
    }

    /// Four digits, one for each look: `1121`. A dash says nothing of one.
    fn looks(&self, intent: &mut Intent, kind: &Kind, journal: JournalId, text: &str) -> Done {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != LOOKS.len() {
            return Err(Said(Text::FourLooksHow).into());
        }
        for (name, digit) in LOOKS
            .into_iter()
            .zip(digits)
            .filter(|(_, digit)| *digit != '-')
        {
            let Some(field) = kind.field(name) else {
                continue;
            };
            let codes = self.codes(field);
            let chosen = digit
                .to_digit(10)
                .and_then(|n| codes.get((n as usize).checked_sub(1)?));
            let chosen = chosen.ok_or(Said(Text::FourLooksHow))?;
            self.take(intent, kind, journal, name, &chosen.code)?;
        }
        Ok(())
    }

    pub(super) fn complain(&mut self, Complaint(worded): &Complaint) -> Done {
        let text = worded.worded(self.lang);
        self.print(&text)
    }
}

/// Codes by their numbers in the list that was shown; anything else as it is.
fn by_number(text: &str, codes: &[Category]) -> String {
    let one = |part: &str| {
        let number: Option<usize> = part.trim().parse().ok();
        let code = number.and_then(|number| codes.get(number.checked_sub(1)?));
        code.map_or_else(|| part.trim().to_owned(), |code| code.code.clone())
    };
    if codes.is_empty() {
        return text.to_owned();
    }
    text.split([',', '，', '、', ' '])
        .filter(|part| !part.trim().is_empty())
        .map(one)
        .collect::<Vec<_>>()
        .join(",")
}
