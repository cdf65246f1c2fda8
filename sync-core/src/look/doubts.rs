//! 疑点自查: what is doubtful of records, as the self-checks of their kinds say, over what their reader sees.
//!
//! It warns, and decides nothing. Doubts are told record by record and never counted by whoever wrote it. After the lease there are
//! none, for they rest on others' work; and of what the reader may not read nothing is doubtful.

mod around;
mod subject;

use super::{Label, Look, Row, Wanted};
use crate::catalog::SelfCheck;
use crate::id::{JournalId, RecordId};
use crate::record::Record;
use crate::sync::device::Intent;
use around::Around;
use subject::Subject;

/// Something doubtful of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The record.
    pub row: Row,
    /// Which check of its kind finds it.
    pub check: String,
    /// What is doubtful.
    pub label: Label,
}

impl<'d> Look<'d> {
    /// What is doubtful on this phone, by kind, then by title.
    pub fn doubts(&self) -> Vec<Doubt> {
        self.doubts_among(&Wanted::default())
    }

    /// What is doubtful of a record and of those that refer to it, such as a household's members and cases.
    pub fn doubts_about(&self, journal: JournalId, record: RecordId) -> Vec<Doubt> {
        let around = Wanted {
            journal: Some(journal),
            refers_to: Some(record),
            ..Wanted::default()
        };
        let own = self
            .view(journal, record)
            .filter(|view| view.void.is_none());
        let own = own.and_then(|view| Some((self.kind_of(&view)?, view)));
        let mut doubts = Vec::new();
        if let Some((kind, view)) = own.filter(|_| !self.hides_others()) {
            let checks = Subject::of(kind, &view).doubts(&mut Around::of(*self));
            let doubts_of = checks.into_iter().map(|check| self.doubt(&view, check));
            doubts.extend(doubts_of);
        }
        doubts.extend(self.doubts_among(&around));
        doubts
    }

    /// What would be doubtful of a record once an intent is saved: what a form says above its button.
    pub fn doubts_before(&self, journal: JournalId, intents: &[Intent]) -> Vec<&'d SelfCheck> {
        let subject = Subject::after(self, journal, intents);
        let Some(subject) = subject.filter(|_| !self.hides_others()) else {
            return Vec::new();
        };
        subject.doubts(&mut Around::of(*self))
    }

    fn doubts_among(&self, wanted: &Wanted) -> Vec<Doubt> {
        let Some(catalogue) = self.catalogue().filter(|_| !self.hides_others()) else {
            return Vec::new();
        };
        let is_checked = |record: &Record| {
            let kind = catalogue.kind(&record.kind);
            kind.is_some_and(|kind| !kind.checks.is_empty())
        };
        let mut around = Around::of(*self);
        let mut doubts = Vec::new();
        for record in self.records(wanted.journal, wanted.kind.as_deref()) {
            if !wanted.may_take(&record) || !is_checked(&record) {
                continue;
            }
            let view = self.source.view_of(&record, self.now);
            let Some(kind) = self.kind_of(&view).filter(|_| wanted.takes(&view, self)) else {
                continue;
            };
            let checks = Subject::of(kind, &view).doubts(&mut around);
            doubts.extend(checks.into_iter().map(|check| self.doubt(&view, check)));
        }
        doubts.sort_by(|Doubt { row: a, .. }, Doubt { row: b, .. }| {
            (&a.kind, &a.title, a.record).cmp(&(&b.kind, &b.title, b.record))
        });
        doubts
    }

    fn doubt(&self, view: &crate::view::View, check: &SelfCheck) -> Doubt {
        Doubt {
            row: self.row(view),
            check: check.name.clone(),
            label: check.label.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
