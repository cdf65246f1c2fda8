//! Lists: what is due, the households, records of a kind, conflicts, refusals.

use sync_core::cluster;
use sync_core::journal::Fate;
use sync_core::sync::device::Unanswered;

use super::{Desk, Done};
use crate::look::Row;
use crate::messages::{Said, Text};
use crate::screen::Table;

impl Desk<'_> {
    pub(super) fn due(&mut self) -> Done {
        if self.lease_note()? {
            return Ok(());
        }
        let mut table = Table::default();
        for due in self.field.due(self.now) {
            let label = due
                .label
                .as_ref()
                .map(|label| self.lang.of(label).to_owned());
            let label = label.unwrap_or_else(|| self.lang.say(Text::InConflict).to_owned());
            let days = due.due.map(|day| day.0 - self.now.date().0);
            let by = match days {
                None => String::new(),
                Some(days) if days < 0 => self.lang.fill(Text::DaysLate, &[&(-days).to_string()]),
                Some(0) => self.lang.say(Text::DueToday).to_owned(),
                Some(days) => self.lang.fill(Text::DaysLeft, &[&days.to_string()]),
            };
            let kind = self.kind_label(&due.row.kind);
            table.row([due.row.record.short(), label, kind, due.row.title, by]);
        }
        self.table(&table, Text::NothingDue)?;
        self.outbox_note()
    }

    /// What is doubtful of everything here, or of a record and what refers to it.
    pub(super) fn checks(&mut self, record: Option<&str>) -> Done {
        if self.lease_note()? {
            return Ok(());
        }
        let row = record.map(|record| self.found(record, None)).transpose()?;
        let look = self.field.look(self.now);
        let doubts = match row {
            Some((row, _)) => look.doubts_about(row.journal, row.record),
            None => look.doubts(),
        };
        if doubts.is_empty() {
            return self.say(Text::NothingDoubtful);
        }
        for doubt in doubts {
            let kind = self.kind_label(&doubt.row.kind);
            let (id, title) = (doubt.row.record.short(), doubt.row.title);
            self.print(&format!("{id}  {kind}  {title}"))?;
            let label = self.lang.of(&doubt.label).to_owned();
            self.print(&format!("    {label}"))?;
        }
        Ok(())
    }

    pub(super) fn households(&mut self) -> Done {
        if self.lease_note()? {
            return Ok(());
        }
        let mut table = Table::default();
        for (number, (row, last)) in (1..).zip(self.field.households(self.now)) {
            let last = last.map_or_else(
                || self.lang.say(Text::NeverVisited).to_owned(),
                |day| day.to_string(),
            );
            let group = self.field.view(row.journal, row.record, self.now);
            let group = group.and_then(|view| Some(view.value("group")?.as_text()?.to_owned()));
            let number = format!("{number:>3}");
            table.row([
                number,
                row.record.short(),
                row.title,
                group.unwrap_or_default(),
                last,
            ]);
        }
        self.table(&table, Text::NoHouseholds)
    }

    pub(super) fn list(&mut self, kind: Option<&str>, with_void: bool) -> Done {
        let kind = match kind {
            Some(name) => Some(self.kind_named(name)?.name.clone()),
            None => None,
        };
        let mut table = Table::default();
        for row in self.field.rows(kind.as_deref(), with_void, self.now) {
            let state = self.state_label(&row);
            let label = self.kind_label(&row.kind);
            table.row([
                row.record.short(),
                label,
                row.title.clone(),
                state,
                self.when(row.touched),
            ]);
        }
        self.table(&table, Text::NothingHere)
    }

    /// What needs an answer, by number.
    pub(super) fn refused(&mut self, others: bool) -> Done {
        let unanswered = self.unanswered(others);
        let none = if others {
            Text::NothingOfOthers
        } else {
            Text::NothingRefused
        };
        if unanswered.is_empty() {
            return self.say(none);
        }
        for (number, command) in (1..).zip(&unanswered) {
            let what = self.what(&command.envelope);
            let who = self
                .field
                .device()
                .registry()
                .devices
                .get(&command.origin.device)
                .map(|device| device.user);
            let who = who
                .filter(|_| others)
                .map_or_else(String::new, |user| format!("{} ", self.field.person(user)));
            self.line(&format!(
                "{number:>3}) {who}{what}  {}",
                self.when(command.envelope.at)
            ))?;
            let kind = self.catalogue()?.kind(&command.envelope.kind);
            let fate = self.lang.fate(&command.fate, kind);
            self.print(&format!("     {fate}"))?;
            let remedy = self.lang.remedy(&command.fate);
            if !remedy.is_empty() {
                self.print(&format!("     {remedy}"))?;
            }
        }
        self.say(Text::AnswerThem)
    }

    fn unanswered(&self, others: bool) -> Vec<Unanswered> {
        let device = self.field.device();
        if others {
            device.to_answer_for_others()
        } else {
            device.to_answer()
        }
    }

    fn numbered(&self, number: usize, others: bool) -> Result<Unanswered, super::Complaint> {
        let unanswered = self.unanswered(others);
        let found = number
            .checked_sub(1)
            .and_then(|index| unanswered.into_iter().nth(index));
        found.ok_or_else(|| Said(Text::NoSuchNumber).into())
    }

    pub(super) fn again(&mut self, number: usize, others: bool) -> Done {
        let origin = self.numbered(number, others)?.origin;
        let mut world = sync_core::sync::device::World {
            now: self.now,
            rng: &mut self.rng,
        };
        let saved = self.field.offer_again(&mut world, origin)?;
        self.saved(&saved)
    }

    pub(super) fn leave(&mut self, number: usize) -> Done {
        let origin = self.numbered(number, false)?.origin;
        let mut world = sync_core::sync::device::World {
            now: self.now,
            rng: &mut self.rng,
        };
        self.field.leave_aside(&mut world, origin)?;
        self.say(Text::LeftAside)
    }

    pub(super) fn conflicts(&mut self) -> Done {
        let mut none = true;
        for row in self.field.rows(None, true, self.now) {
            let Some(view) = self.field.view(row.journal, row.record, self.now) else {
                continue;
            };
            let fields: Vec<String> = view
                .conflicts()
                .map(|(field, _)| field.to_owned())
                .collect();
            for field in fields {
                none = false;
                let kind = self.kind_label(&row.kind);
                self.line(&format!("{} {kind} {}", row.record.short(), row.title))?;
                self.print_field(&view, &field)?;
            }
        }
        if none {
            self.say(Text::NoConflicts)
        } else {
            self.say(Text::ChooseThem)
        }
    }

    /// Where one cause is found at several households, as far as this device holds their records.
    pub(super) fn clusters(&mut self) -> Done {
        let look = self.field.look(self.now);
        let mut table = Table::default();
        for found in look.clusters() {
            let cause = cluster::cause(self.catalogue()?, &found);
            let cause = cause.map_or_else(
                || found.cause.clone(),
                |label| self.lang.of(label).to_owned(),
            );
            table.row([
                look.place(found.area),
                self.kind_label(&found.kind),
                cause,
                self.lang
                    .fill(Text::AtHouseholds, &[&found.households.to_string()]),
                self.lang.fill(Text::SinceDay, &[&found.since.to_string()]),
            ]);
        }
        self.table(&table, Text::NoClusters)
    }

    pub(super) fn table(&mut self, table: &Table, none: Text) -> Done {
        if table.is_empty() {
            return self.say(none);
        }
        table.lines().iter().try_for_each(|line| self.line(line))
    }

    /// Says that what others wrote is hidden; whether it is.
    fn lease_note(&mut self) -> Result<bool, super::Complaint> {
        let over = self.field.device().lease_is_over(self.now);
        if over {
            self.say(Text::LeaseOver)?;
        }
        Ok(over)
    }

    /// What waits in the outbox, if anything does.
    pub(super) fn outbox_note(&mut self) -> Done {
        let refused = self.field.device().to_answer().len();
        if refused > 0 {
            self.fill(Text::RefusedCount, &[&refused.to_string()])?;
        }
        let unsent = self.unsent();
        if unsent > 0 {
            self.fill(Text::UnsentCount, &[&unsent.to_string()])
        } else {
            Ok(())
        }
    }

    pub(super) fn kind_label(&self, name: &str) -> String {
        let kind = self
            .field
            .catalogue(self.now)
            .and_then(|catalogue| catalogue.kind(name));
        kind.map_or_else(
            || name.to_owned(),
            |kind| self.lang.of(&kind.label).to_owned(),
        )
    }

    fn state_label(&self, row: &Row) -> String {
        if row.void {
            return self.lang.say(Text::Void).to_owned();
        }
        let kind = self
            .field
            .catalogue(self.now)
            .and_then(|catalogue| catalogue.kind(&row.kind));
        let state = row.state.as_deref().and_then(|state| kind?.state(state));
        state.map_or_else(String::new, |state| self.lang.of(&state.label).to_owned())
    }

    /// What a command does, in a few words.
    pub(super) fn what(&self, envelope: &sync_core::command::Envelope) -> String {
        let title = self
            .field
            .view(envelope_journal(self, envelope), envelope.record, self.now);
        let title = title.map_or_else(
            || envelope.record.short(),
            |view| self.field.title(&view, self.now),
        );
        let catalogue = self.field.catalogue(self.now);
        let kind = catalogue.and_then(|catalogue| catalogue.kind(&envelope.kind));
        let fields: Vec<String> = sync_core_fields(envelope);
        let did = self
            .lang
            .did(kind, envelope.verb, envelope.action.as_deref(), &fields);
        format!(
            "{} {title}{}{did}",
            self.kind_label(&envelope.kind),
            self.lang.colon()
        )
    }
}

fn sync_core_fields(envelope: &sync_core::command::Envelope) -> Vec<String> {
    let links = envelope.links.iter().map(|link| link.field.clone());
    envelope.fields.iter().cloned().chain(links).collect()
}

fn envelope_journal(
    desk: &Desk<'_>,
    envelope: &sync_core::command::Envelope,
) -> sync_core::id::JournalId {
    let journals = desk.field.device().journals();
    let holds = |journal: &sync_core::id::JournalId| {
        desk.field
            .device()
            .records(*journal)
            .contains(&envelope.record)
    };
    journals
        .into_iter()
        .find(holds)
        .unwrap_or(sync_core::id::JournalId([0; 16]))
}

/// Whether a fate is worth a line of its own.
pub(super) const fn is_unusual(fate: &Fate) -> bool {
    !matches!(fate, Fate::Accepted)
}
