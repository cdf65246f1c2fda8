//! Months and marks: closing a month, and clearing what is marked, also many at once by cause.

use sync_core::id::JournalId;
use sync_core::month::Month;
use sync_core::record::Step;
use sync_core::sync::device::{CannotSave, Intent};

use super::{Complaint, Desk, Done};
use crate::field::SaveError;
use crate::look::Row;
use crate::messages::{Said, Text};

impl Desk<'_> {
    /// Closes a month of the villages that are meant: the one on this device, those named, or all.
    pub(super) fn seal(&mut self, month: &str, villages: &[String], all: bool) -> Done {
        let month: Month = month.parse().map_err(|_| Said(Text::NoSuchMonth))?;
        for (journal, village) in self.villages(villages, all)? {
            self.line(&format!("{village} {month}"))?;
            self.save_one(journal, Intent::seal(month))?;
        }
        Ok(())
    }

    fn villages(&self, named: &[String], all: bool) -> Result<Vec<(JournalId, String)>, Complaint> {
        let known = self.field.villages();
        if all || (named.is_empty() && known.len() == 1) {
            return Ok(known);
        }
        if named.is_empty() {
            return Err(Said(Text::WhichVillages).into());
        }
        let one = |name: &String| Ok((self.village_named(name)?, name.clone()));
        named.iter().map(one).collect()
    }

    /// What counts and is marked, perhaps for one cause, each with why.
    pub(super) fn flagged(&mut self, cause: Option<&str>) -> Done {
        let marked = self.marked(cause);
        if marked.is_empty() {
            return self.say(Text::NothingFlagged);
        }
        for (row, steps) in marked {
            let kind = self.kind_label(&row.kind);
            self.line(&format!("{} {kind} {}", row.record.short(), row.title))?;
            let view = self.field.view(row.journal, row.record, self.now);
            for step in steps {
                if let Some(view) = &view {
                    self.step(view, &step)?;
                }
                let causes: Vec<&str> = step.flags().collect();
                self.print(&format!("               {}", causes.join(" ")))?;
            }
        }
        self.say(Text::ClearThem)
    }

    fn marked(&self, cause: Option<&str>) -> Vec<(Row, Vec<Step>)> {
        let is_marked = |step: &Step| {
            let mut flags = step.flags();
            flags.any(|flag| cause.is_none_or(|cause| flag == cause))
        };
        let rows = self.field.rows(None, true, self.now).into_iter();
        let marked = rows.filter_map(|row| {
            let view = self.field.view(row.journal, row.record, self.now)?;
            let steps: Vec<Step> = view.steps.into_iter().filter(is_marked).collect();
            (!steps.is_empty()).then_some((row, steps))
        });
        marked.collect()
    }

    /// Clears the marks of one cause on some records, or on all that are marked for it. What cannot be cleared is said, and the
    /// others are cleared all the same.
    pub(super) fn clear(
        &mut self,
        cause: &str,
        records: &[String],
        all: bool,
        reason: Option<&str>,
    ) -> Done {
        let mut rows = Vec::new();
        if all {
            let marked = self.marked(Some(cause)).into_iter();
            rows.extend(marked.map(|(row, _)| row));
        }
        for record in records {
            rows.push(self.found(record, None)?.0);
        }
        if rows.is_empty() {
            return self.say(Text::NothingFlagged);
        }
        for row in rows {
            let kind = self.kind_label(&row.kind);
            self.line(&format!("{} {kind} {}", row.record.short(), row.title))?;
            let intent = Intent {
                reason: reason.map(str::to_owned),
                ..Intent::clear(row.record, cause)
            };
            self.save_one(row.journal, intent)?;
        }
        Ok(())
    }

    /// Saves one of many: if it would not count, that is said, and the next one follows.
    fn save_one(&mut self, journal: JournalId, intent: Intent) -> Done {
        let mut world = sync_core::sync::device::World {
            now: self.now,
            rng: &mut self.rng,
        };
        match self.field.save(&mut world, journal, None, intent) {
            Ok(saved) => self.saved(&saved),
            Err(SaveError::Cannot(CannotSave::WouldNotCount(fate))) => {
                let said = self.lang.fate(&fate, None);
                self.print(&said)
            }
            Err(error) => Err(error.into()),
        }
    }
}
