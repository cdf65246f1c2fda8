//! What a person looks at, as [`sync_core::look`] says it, at the time that the caller names.

use sync_core::catalog::{Action, FieldType, Kind};
use sync_core::id::{Date, JournalId, RecordId, Timestamp, UserId};
use sync_core::look::{Look, Wanted};
use sync_core::sync::device::Intent;
use sync_core::value::Value;
use sync_core::view::View;

use crate::Field;
use crate::messages::Lang;

pub use sync_core::look::{Due, NotOne, Row};

impl Field {
    /// What its user sees at a time.
    pub const fn look(&self, now: Timestamp) -> Look<'_> {
        Look::new(self.device(), now)
    }

    /// The villages on this phone, with their names.
    pub fn villages(&self) -> Vec<(JournalId, String)> {
        // Their names are those of the last contact's day.
        self.look(Timestamp(0)).villages()
    }

    /// What teammates call a person.
    pub fn person(&self, user: UserId) -> String {
        self.look(Timestamp(0)).person(user)
    }

    /// What its user sees of a record.
    pub fn view(&self, journal: JournalId, record: RecordId, now: Timestamp) -> Option<View> {
        self.look(now).view(journal, record)
    }

    /// What stands for a record: its title, or that of what its title refers to, or its short id.
    pub fn title(&self, view: &View, now: Timestamp) -> String {
        self.look(now).title(view)
    }

    /// The kind of a record, as forms know it now.
    pub fn kind_of(&self, view: &View, now: Timestamp) -> Option<&Kind> {
        self.look(now).kind_of(view)
    }

    /// The records that count of some kind, or of all, the last touched first. Hidden ones are left out unless asked for.
    pub fn rows(&self, kind: Option<&str>, with_void: bool, now: Timestamp) -> Vec<Row> {
        self.look(now).rows(&Wanted::of(kind, with_void))
    }

    /// The households, those first that have waited longest for a visit, with the day of the last one.
    pub fn households(&self, now: Timestamp) -> Vec<(Row, Option<Date>)> {
        self.look(now).households()
    }

    /// What is due to this user, in the order in which it is to be done.
    pub fn due(&self, now: Timestamp) -> Vec<Due> {
        self.look(now).due()
    }

    /// The actions that this user may take on a record as it stands, as far as this phone knows.
    pub fn actions<'k>(&self, kind: &'k Kind, view: &View, now: Timestamp) -> Vec<&'k Action> {
        self.look(now).actions(kind, view)
    }

    /// The field by which a new record of a kind would refer to another, if one may be made from it as it stands.
    pub fn next(&self, view: &View, kind: &str, now: Timestamp) -> Option<String> {
        let next = self.look(now).next(view).into_iter();
        let mut of_kind = next.filter(|next| next.kind.name == kind);
        of_kind.next().map(|next| next.by.name.clone())
    }

    /// An intent with what is known already of its fields.
    pub fn complete(&self, journal: JournalId, intent: Intent, now: Timestamp) -> Intent {
        self.look(now).complete(journal, intent)
    }

    /// The one record of a kind (or of any) that a person means by an id's first digits, a title, or the beginning of one.
    pub fn find(&self, text: &str, kind: Option<&str>, now: Timestamp) -> Result<Row, NotOne> {
        self.look(now).find(text, kind)
    }

    /// A value as text, in one language.
    pub fn text_of(
        &self,
        ty: &FieldType,
        value: &Value,
        journal: JournalId,
        lang: Lang,
        now: Timestamp,
    ) -> String {
        lang.of(&self.look(now).text_of(ty, value, journal))
            .to_owned()
    }
}
