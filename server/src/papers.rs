//! Papers drafted for county and province, by the code that drafts them on phones, from what a list of records would show their reader:
//! what he may not know of is in none of their lines, and what he may not see whole is masked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use store::StoreError;
use store::journals::{Filter, Folded, ReadJournals};
use sync_core::catalog::{Catalogue, Kind, Mask, Paper};
use sync_core::id::{DeviceId, JournalId, RecordId, Seq, Timestamp, UserId};
use sync_core::look::{Asked, Draft, Drawn, Look, Source};
use sync_core::registry::Registry;
use sync_core::value::Value;
use sync_core::view::{Said, Shown, View};

use crate::journals::pull::{Reader, Scope};
use crate::journals::timeline;
use crate::reading::{self, Scopes, Sight, reads, sight};
use crate::routes::records::shown::{Valued, masked};

/// Records that are read at once.
const PAGE_RECORDS: u32 = 200;

/// A paper of a village as its reader may see it; `None` if there is nothing that it could be of.
pub async fn draft<'k, R: ReadJournals + ?Sized>(
    unit: &mut R,
    reader: &Reader<'_>,
    (journal, scope): (JournalId, &Scope),
    (paper, asked): (&'k Paper, Asked),
    upto: Seq,
) -> Result<Option<Draft<'k>>, StoreError> {
    let mut desk = Desk::new(reader, journal, scope);
    if let Asked::Record(record) = asked {
        desk.read_with_reasons(unit, record, upto).await?;
    }
    // The store is asked between drafts, for what the last one missed: the records of its sections, then what those refer to, as far as
    // titles follow references. The last one missed nothing.
    loop {
        let draft = Look::new(&desk, reader.now()).draft(journal, paper, asked);
        let missed = desk.missed.take();
        if missed.is_empty() {
            return Ok(draft);
        }
        desk.read(unit, missed).await?;
    }
}

/// What a draft asked for that was not read yet.
#[derive(Default)]
struct Missed {
    records: BTreeSet<RecordId>,
    drawn: BTreeSet<Drawn>,
}

impl Missed {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.drawn.is_empty()
    }
}

/// Of a village's records those that a paper needs, as its reader may see them.
struct Desk<'a> {
    reader: &'a Reader<'a>,
    journal: JournalId,
    scope: &'a Scope,
    /// Those that were asked for, absent where there is nothing that he may know of.
    views: BTreeMap<RecordId, Option<View>>,
    drawn: BTreeMap<Drawn, Vec<RecordId>>,
    missed: RefCell<Missed>,
}

impl<'a> Desk<'a> {
    fn new(reader: &'a Reader<'a>, journal: JournalId, scope: &'a Scope) -> Self {
        Self {
            reader,
            journal,
            scope,
            views: BTreeMap::new(),
            drawn: BTreeMap::new(),
            missed: RefCell::default(),
        }
    }

    async fn read<R: ReadJournals + ?Sized>(
        &mut self,
        unit: &mut R,
        missed: Missed,
    ) -> Result<(), StoreError> {
        let mut found = unit.folded(self.journal, &missed.records).await?;
        for record in missed.records {
            let view = found.remove(&record).and_then(|folded| self.seen(&folded));
            self.views.insert(record, view);
        }
        for drawn in missed.drawn {
            let taken = self.taken(unit, &drawn).await?;
            let ids = taken.iter().map(|view| view.id).collect();
            self.drawn.insert(drawn, ids);
            for view in taken {
                self.views.entry(view.id).or_insert(Some(view));
            }
        }
        Ok(())
    }

    /// The records of a section, out of all of their kind: whatever else there is of it is put away page by page.
    async fn taken<R: ReadJournals + ?Sized>(
        &mut self,
        unit: &mut R,
        drawn: &Drawn,
    ) -> Result<Vec<View>, StoreError> {
        let scopes = Scopes::from([(self.journal, self.scope.clone())]);
        let mut filter = Filter {
            kind: Some(drawn.kind().to_owned()),
            limit: PAGE_RECORDS,
            ..Filter::default()
        };
        let mut taken = Vec::new();
        loop {
            let (page, next) = reading::page(unit, &scopes, filter.clone(), |_| true).await?;
            let views = page.iter().filter_map(|folded| self.seen(folded));
            taken.extend(views.filter(|view| drawn.takes(view)));
            if next.is_none() {
                return Ok(taken);
            }
            filter.after = next;
        }
    }

    /// The record that a paper is about, with the reasons of its steps: those that its history shows.
    async fn read_with_reasons<R: ReadJournals + ?Sized>(
        &mut self,
        unit: &mut R,
        record: RecordId,
        upto: Seq,
    ) -> Result<(), StoreError> {
        let found = unit.record(self.journal, record).await?;
        let view = found.as_ref().and_then(|folded| self.seen(folded));
        let (Some(found), Some(mut view)) = (found, view) else {
            self.views.insert(record, None);
            return Ok(());
        };
        let log = timeline::until(unit, &found.record, upto).await?;
        let readable = log
            .iter()
            .filter(|logged| reads(self.scope, logged.command.envelope.audience));
        let readable: BTreeSet<_> = readable.map(|logged| logged.place).collect();
        for (step, shown) in found.record.steps.iter().zip(&mut view.steps) {
            if readable.contains(&step.place) {
                shown.reason.clone_from(&step.reason);
            }
        }
        self.views.insert(record, Some(view));
        Ok(())
    }

    /// What the reader sees of a record, if he may know of it.
    fn seen(&self, folded: &Folded) -> Option<View> {
        let record = &folded.record;
        if record.created.is_none() || !reads(self.scope, record.audience) {
            return None;
        }
        let mut view = View::of(record, self.reader.registry());
        let kind = self.reader.catalogue().kind(&record.kind);
        for (name, shown) in &mut view.fields {
            match sight(kind, name, record.audience, self.scope) {
                Sight::Whole => {}
                Sight::Masked(mask) => self.mask(kind, name, (mask, shown)),
                Sight::Withheld => *shown = Shown::Withheld,
            }
        }
        for step in &mut view.steps {
            step.hush();
        }
        Some(view)
    }

    fn mask(&self, kind: Option<&Kind>, name: &str, (mask, shown): (Mask, &mut Shown)) {
        let Some(field) = kind.and_then(|kind| kind.field(name)) else {
            *shown = Shown::Withheld;
            return;
        };
        let whole = Valued {
            catalogue: self.reader.catalogue(),
            registry: self.reader.registry(),
            ty: &field.ty,
        };
        let cover = |said: &mut Said| {
            said.value = Value::text(masked(mask, &whole.text(&said.value)));
        };
        match shown {
            Shown::Value(said) => cover(said),
            Shown::Conflict(said) => said.iter_mut().for_each(cover),
            Shown::Items(items) => items.iter_mut().for_each(|(_, said)| cover(said)),
            Shown::Text(text) => *text = masked(mask, text),
            Shown::Withheld => {}
        }
    }
}

impl Source for Desk<'_> {
    fn catalogue(&self, _now: Timestamp) -> Option<&Catalogue> {
        Some(self.reader.catalogue())
    }

    fn registry(&self) -> &Registry {
        self.reader.registry()
    }

    fn user(&self) -> UserId {
        self.reader.user()
    }

    fn user_of(&self, device: DeviceId) -> Option<UserId> {
        let known = self.reader.registry().devices.get(&device);
        known.map(|known| known.user)
    }

    fn village(&self, journal: JournalId) -> Option<String> {
        let registry = self.reader.registry();
        (journal == self.journal).then(|| registry.name_of(journal, self.reader.day()))
    }

    fn view(&self, journal: JournalId, record: RecordId, _now: Timestamp) -> Option<View> {
        // Lines and titles stay in their village.
        if journal != self.journal {
            return None;
        }
        let known = self.views.get(&record);
        if known.is_none() {
            self.missed.borrow_mut().records.insert(record);
        }
        known.cloned().flatten()
    }

    fn drawn(&self, journal: JournalId, drawn: &Drawn, now: Timestamp) -> Vec<View> {
        let Some(ids) = self.drawn.get(drawn) else {
            self.missed.borrow_mut().drawn.insert(drawn.clone());
            return Vec::new();
        };
        let views = ids.iter().filter_map(|id| self.view(journal, *id, now));
        views.collect()
    }
}
