//! On whose word something is administered, and where that word counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use store::StoreError;
use store::journals::ReadJournals;
use sync_core::catalog::Capability;
use sync_core::id::{AreaId, Date, UserId};
use sync_core::registry::Registry;

use crate::context::{App, Caller};
use crate::journals::registrar::Registered;

/// Who wants something administered.
#[derive(Debug, Clone, Copy)]
pub enum Word<'a> {
    /// Whoever holds the data folder, by the command line.
    Operator,
    /// A person, by an assignment.
    Person(&'a Caller),
}

/// Proof that somebody may administer something, against the registry as one unit sees it. Only [`Mandate::read`] makes one.
#[derive(Debug)]
pub struct Mandate {
    registered: Arc<Registered>,
    by: Option<UserId>,
    /// None stands for the whole deployment.
    offices: Option<BTreeSet<AreaId>>,
    today: Date,
}

impl Mandate {
    /// The mandate that a word carries by any of these capabilities, if it carries one; nothing is there before the founding.
    pub async fn read<R: ReadJournals + ?Sized>(
        app: &App,
        unit: &mut R,
        word: Word<'_>,
        any_of: &[Capability],
    ) -> Result<Option<Self>, StoreError> {
        let registered = app.registrar().current(unit).await?;
        if registered.registry.keys.is_none() {
            return Ok(None);
        }
        let today = app.clock().now().date();
        let (by, offices) = match word {
            Word::Operator => (None, None),
            Word::Person(caller) => {
                let Some(reader) = app.reader(unit, caller).await? else {
                    return Ok(None);
                };
                let areas = any_of
                    .iter()
                    .flat_map(|capability| reader.areas(*capability));
                let offices: BTreeSet<AreaId> = areas.map(|(area, _)| area).collect();
                if offices.is_empty() {
                    return Ok(None);
                }
                let whole = offices.contains(&whole_of(app));
                (Some(caller.user()), (!whole).then_some(offices))
            }
        };
        Ok(Some(Self {
            registered,
            by,
            offices,
            today,
        }))
    }

    /// The registry that it was read from.
    pub fn registry(&self) -> &Registry {
        &self.registered.registry
    }

    /// The same, with the entries that it adds up from.
    pub fn registered(&self) -> &Registered {
        &self.registered
    }

    /// The person on whose word it is done; nobody for the operator.
    pub const fn by(&self) -> Option<UserId> {
        self.by
    }

    /// The day on which it was read.
    pub const fn today(&self) -> Date {
        self.today
    }

    /// Whether it counts in the whole deployment.
    pub const fn is_everywhere(&self) -> bool {
        self.offices.is_none()
    }

    /// Where it counts, if not everywhere.
    pub const fn offices(&self) -> Option<&BTreeSet<AreaId>> {
        self.offices.as_ref()
    }

    /// Whether it counts in an area.
    pub fn covers(&self, area: AreaId) -> bool {
        self.offices.as_ref().is_none_or(|offices| {
            self.registry()
                .path(area)
                .any(|step| offices.contains(&step))
        })
    }

    /// Whether it counts for a person: whoever is assigned elsewhere as well is administered from above.
    pub fn covers_user(&self, user: UserId) -> bool {
        let registry = self.registry();
        let goes_on = |to: Option<Date>| to.is_none_or(|to| self.today <= to);
        registry.users.contains_key(&user)
            && (self.is_everywhere()
                || (registry.assignments_ever_of(user))
                    .filter(|(_, assignment)| goes_on(assignment.to))
                    .all(|(_, assignment)| self.covers(assignment.area)))
    }
}

/// What stands for the whole deployment where an assignment names its area.
pub fn whole_of(app: &App) -> AreaId {
    AreaId(app.deployment().0)
}
