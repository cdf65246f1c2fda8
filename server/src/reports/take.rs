//! Taking a report: sealed by the desk's key, and admitted like any batch.

use std::sync::Arc;

use store::StoreError;
use store::personal::Personal;
use sync_core::admit::LaneEnd;
use sync_core::batch::{self, Sealing, Seed, Unsealed};
use sync_core::command::{Audience, Content, Envelope, Verb};
use sync_core::id::{Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::pack::Room;
use sync_core::sync::wire::Outcome;
use sync_core::value::{Fields, Value};
use tracing::Instrument as _;

use super::{KIND, Number, ROLE, Secret, Village, catalogue_in_force};
use crate::context::App;

/// By which way a report came in, in the words of the catalogue.
const CHANNEL: &str = "public_page";

/// What somebody tells, as fields of the record: only those that have something in them.
#[derive(Debug)]
pub struct Report {
    /// What the village may read.
    pub open: Personal<Fields>,
    /// Who reports, and how he is reached: what only the village's own phones hold.
    pub sensitive: Personal<Fields>,
}

/// What somebody keeps of a report that was taken.
#[derive(Debug)]
pub struct Receipt {
    /// Which it is.
    pub number: Number,
    /// With this he asks about it.
    pub secret: Secret,
}

/// Why a report was not taken. In none of these cases is anything of it kept.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The village's page is not open.
    #[error("the page is not open")]
    Closed,
    /// More are waiting, or were taken today, than can be.
    #[error("too many reports at once")]
    Busy,
    /// It was admitted and does not count, or could not be placed.
    #[error("a report does not count")]
    DoesNotCount,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Takes a report, durably.
///
/// It goes on even if whoever sent it has gone: a batch on its way of which the next one knew nothing would be followed by another of
/// the same number, and the desk taken for two.
pub async fn take(app: &App, journal: JournalId, report: Report) -> Result<Receipt, NotTaken> {
    let waiting = Arc::clone(&app.desk().waiting);
    let place = waiting.try_acquire_owned().map_err(|_| NotTaken::Busy)?;
    let app = app.clone();
    let taking = async move {
        let _place = place;
        let _turn = app.desk().turn.lock().await;
        take_in_turn(&app, journal, report).await
    };
    let taken = tokio::spawn(taking.in_current_span()).await;
    taken.unwrap_or(Err(NotTaken::DoesNotCount))
}

async fn take_in_turn(app: &App, journal: JournalId, report: Report) -> Result<Receipt, NotTaken> {
    let now = app.clock().now();
    let desk = app.desk();
    let device = desk.key.public().device();
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let registry = &registered.registry;
    let catalogue = catalogue_in_force(app, registry, now.date());
    let catalogue = catalogue.ok_or(NotTaken::Closed)?;
    let village = desk.village(registry, catalogue, journal, now.date());
    let Village { assignment, .. } = village.ok_or(NotTaken::Closed)?;
    let kind = catalogue.kind(KIND).ok_or(NotTaken::Closed)?;
    let begins_in = kind.may_create(ROLE).ok_or(NotTaken::Closed)?;
    let audience = kind.audiences.first().copied().unwrap_or(Audience::Village);
    let chain = unit.chain(journal).await?;
    let seen = chain.unwrap_or_else(|| Chain::start(journal)).end;
    let lane = unit.lane(journal, device).await?;
    let lane = lane.unwrap_or_else(|| LaneEnd::start(device, journal));
    drop(unit);

    let n = lane.n + 1;
    let record = RecordId::derive(device, journal, n);
    let draft = Draft {
        record,
        base: seen.seq,
        at: now,
    };
    let mut open = report.open.0;
    open.insert("channel".to_owned(), Value::text(CHANNEL));
    open.insert("received_on".to_owned(), Value::Int(now.date().0.into()));
    let mut made = draft.command(n, Verb::Create, audience, open);
    made.envelope.action = Some(begins_in.name.clone());
    let mut commands = vec![made];
    if !report.sensitive.0.is_empty() {
        let fields = report.sensitive.0;
        let mut set = draft.command(n + 1, Verb::Set, Audience::Sensitive, fields);
        set.envelope.needs = Some(n);
        commands.push(set);
    }
    let sealing = Sealing {
        deployment: app.deployment(),
        journal,
        assignment,
        catalogue: catalogue.version(),
        previous: lane.batch,
        seen,
        at: now,
        seed: Seed(app.random().bytes()),
        key: &desk.key,
    };
    let wire = batch::seal(&sealing, commands).to_wire();
    match app.admission().admit(wire, &mut Room::of_request()).await? {
        Outcome::Entered { unusual, .. } if unusual.iter().all(|(_, fate)| fate.counts()) => {
            tracing::info!(record.id = %record, "report.taken");
            Ok(Receipt {
                number: Number(n),
                secret: desk.secrets.secret(journal, record),
            })
        }
        Outcome::Busy | Outcome::Quota { .. } => Err(NotTaken::Busy),
        Outcome::Entered { unusual, .. } => {
            let fates: Vec<&Fate> = unusual.iter().map(|(_, fate)| fate).collect();
            tracing::error!(record.id = %record, ?fates, "a report was admitted and does not count");
            Err(NotTaken::DoesNotCount)
        }
        outcome => {
            tracing::error!(record.id = %record, ?outcome, "a report was not admitted");
            Err(NotTaken::DoesNotCount)
        }
    }
}

/// What the commands of a report have in common.
struct Draft {
    record: RecordId,
    base: Seq,
    at: Timestamp,
}

impl Draft {
    fn command(&self, n: u64, verb: Verb, audience: Audience, values: Fields) -> Unsealed {
        let envelope = Envelope {
            n,
            record: self.record,
            kind: KIND.to_owned(),
            base: self.base,
            at: self.at,
            verb,
            action: None,
            fields: values.keys().cloned().collect(),
            links: Vec::new(),
            audience,
            digest: Digest([0; 32]),
            needs: None,
            origin: None,
        };
        let content = Content {
            values,
            ..Content::default()
        };
        Unsealed { envelope, content }
    }
}
