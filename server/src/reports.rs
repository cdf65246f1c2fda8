//! One-tap reports (一键报贫): what anybody tells of a household on a village's public page becomes a clue in the village's journal.
//!
//! The desk that takes reports is a device like any other. Its key lies beside the server's others, the registry knows it, and its
//! assignments say for which villages it is open. It signs each report as one batch, which is admitted, folded, pulled and audited
//! like any phone's; by its role it can do nothing else, and reads nothing.
//!
//! Whoever reports gets a [`Number`], which leads to the record, and a secret that the server keeps nowhere: it computes it again.

mod admin;
mod answer;
mod number;
mod take;

use std::sync::Arc;

use sync_core::catalog::Catalogue;
use sync_core::id::{AssignmentId, Date, DeploymentId, JournalId, UserId, sha256};
use sync_core::registry::{Purpose, Registry, Standing};
use sync_core::sign::SigningKey;
use tokio::sync::{Mutex, Semaphore};

use crate::context::App;

pub use admin::{CloseFailure, OpenFailure, close, open, page_of};
pub use answer::{Answer, answer};
pub use number::{Number, Secret};
pub use take::{NotTaken, Receipt, Report, take};

/// The desk's role in the catalogue.
pub const ROLE: &str = "RD";
/// What a report becomes.
pub const KIND: &str = "clue";

/// Reports that may wait for their turn; whoever comes later is told whom to call.
const WAITING_MAX: usize = 64;

/// Takes reports, one after the other: so each batch follows on the one before it in its lane, and among the batches that the writer
/// takes at a time at most one is a report.
#[derive(Debug)]
pub struct ReportDesk {
    key: SigningKey,
    secrets: number::Secrets,
    turn: Mutex<()>,
    waiting: Arc<Semaphore>,
}

impl ReportDesk {
    /// A desk that signs with one key, and makes secrets by another.
    pub fn new(key: SigningKey, replies: &SigningKey) -> Self {
        Self {
            key,
            secrets: number::Secrets::of(replies),
            turn: Mutex::new(()),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

/// Whose device the desk is: of nobody, so that an account made by hand is never taken for it.
pub fn desk_user(deployment: DeploymentId) -> UserId {
    let digest = sha256(&[b"zhucun report desk v1", &deployment.0]).0;
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    UserId(id)
}

/// The catalogue by which reports are written today; before any has begun, the first, as phones do.
pub fn catalogue_in_force<'a>(
    app: &'a App,
    registry: &Registry,
    today: Date,
) -> Option<&'a Catalogue> {
    let first = || registry.catalogues.keys().next().copied();
    let version = registry.catalogue_on(today).or_else(first)?;
    app.catalogues().get(&version)
}

/// A village whose page is open.
#[derive(Debug, Clone)]
pub struct Village {
    /// Its journal.
    pub journal: JournalId,
    /// Its name.
    pub name: String,
    /// The version of the catalogue by which its form is made.
    pub catalogue: u32,
    assignment: AssignmentId,
}

impl ReportDesk {
    /// The village of a journal, if the desk is open for it.
    pub fn village(
        &self,
        registry: &Registry,
        catalogue: &Catalogue,
        journal: JournalId,
        today: Date,
    ) -> Option<Village> {
        let known = registry.journals.get(&journal)?;
        let device = registry.devices.get(&self.key.public().device())?;
        let is_at_work = known.purpose == Purpose::Village
            && device.standing == Standing::Active
            && registry.users.get(&device.user)?.active
            && catalogue.kind(KIND)?.may_create(ROLE).is_some();
        let area = registry.area_of(journal, today).filter(|_| is_at_work)?;
        let mut offices = registry.assignments_of(device.user, today);
        let (assignment, _) = offices
            .find(|(_, office)| office.role == ROLE && registry.is_within(area, office.area))?;
        Some(Village {
            journal,
            name: registry.areas.get(&area)?.name().to_owned(),
            catalogue: catalogue.version(),
            assignment,
        })
    }
}
