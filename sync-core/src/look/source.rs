//! Where records are looked at: a phone has them in its hands; a desk holds of them what its reader may see.
//!
//! What is told of records is told from here, so that whoever reads them reads the same words.

use super::{Drawn, Look, Wanted};
use crate::catalog::Catalogue;
use crate::id::{Date, DeviceId, JournalId, RecordId, Timestamp, UserId};
use crate::registry::Registry;
use crate::sync::device::Device;
use crate::view::View;

/// Records as somebody may see them, with what is needed to tell of them.
pub trait Source {
    /// The catalogue by which they are read at a time.
    fn catalogue(&self, now: Timestamp) -> Option<&Catalogue>;

    /// Who and where everybody is.
    fn registry(&self) -> &Registry;

    /// Who looks.
    fn user(&self) -> UserId;

    /// Whose device it is, where that is known.
    fn user_of(&self, device: DeviceId) -> Option<UserId>;

    /// What a journal's village is called; `None` if its records are not here.
    fn village(&self, journal: JournalId) -> Option<String>;

    /// What he sees of a record.
    fn view(&self, journal: JournalId, record: RecordId, now: Timestamp) -> Option<View>;

    /// Those that stand in a section of a paper, in no order.
    fn drawn(&self, journal: JournalId, drawn: &Drawn, now: Timestamp) -> Vec<View>;
}

impl Source for Device {
    fn catalogue(&self, now: Timestamp) -> Option<&Catalogue> {
        self.catalogues().get(&Self::catalogue(self, now)?)
    }

    fn registry(&self) -> &Registry {
        Self::registry(self)
    }

    fn user(&self) -> UserId {
        self.identity().user
    }

    fn user_of(&self, device: DeviceId) -> Option<UserId> {
        let known = Self::registry(self).devices.get(&device);
        // A phone knows itself before the registry does.
        let own = || (device == self.id()).then(|| self.identity().user);
        known.map(|known| known.user).or_else(own)
    }

    fn village(&self, journal: JournalId) -> Option<String> {
        let day = self.last_contact().map_or(Date(0), Timestamp::date);
        let name = || Self::registry(self).name_of(journal, day);
        self.journals().contains(&journal).then(name)
    }

    fn view(&self, journal: JournalId, record: RecordId, now: Timestamp) -> Option<View> {
        Self::view(self, journal, record, now)
    }

    fn drawn(&self, journal: JournalId, drawn: &Drawn, now: Timestamp) -> Vec<View> {
        let wanted = Wanted {
            journal: Some(journal),
            ..Wanted::of(Some(drawn.kind()), false)
        };
        let views = Look::new(self, now).views(&wanted);
        views.filter(|view| drawn.takes(view)).collect()
    }
}
