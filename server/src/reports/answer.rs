//! Answering whoever asks what became of a report: its state, and nothing that anybody wrote but the reason that he is to be told.

use store::StoreError;
use store::journals::ReadJournals;
use store::personal::Personal;
use sync_core::catalog::{Catalogue, Label};
use sync_core::command::Verb;
use sync_core::id::{Date, JournalId, RecordId};
use sync_core::record::{Record, Slot};

use super::{KIND, Number, Secret, desk_user};
use crate::context::App;

/// How a report stands.
#[derive(Debug)]
pub struct Answer {
    /// Its state, as the catalogue calls it.
    pub state: Label,
    /// Since when; of one that was received just now, not yet.
    pub since: Option<Date>,
    /// Why it came to an end so, where somebody has to say.
    pub reason: Option<Personal<String>>,
    /// On which day that was told.
    pub told_on: Option<Date>,
    /// Whether the record was hidden since: then its state says no more.
    pub is_void: bool,
}

/// How the report with this number stands. Nothing, and in the same time, if there is none or the secret is another's.
pub async fn answer(
    app: &App,
    journal: JournalId,
    number: &str,
    secret: &str,
) -> Result<Option<Answer>, StoreError> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let user = desk_user(app.deployment());
    let devices = registered.registry.devices.iter();
    let desks = devices.filter(|(_, device)| device.user == user);
    let (Ok(Number(n)), Some(secret)) = (number.parse(), Secret::parse(secret)) else {
        return Ok(None);
    };
    // A desk whose key was replaced leaves its numbers behind.
    let records = desks.map(|(device, _)| RecordId::derive(*device, journal, n));
    let records: Vec<RecordId> = records
        .filter(|record| app.desk().secrets.is(&secret, journal, *record))
        .collect();
    match records.first() {
        Some(record) => of_record(&mut *unit, app.catalogue(), journal, *record).await,
        None => Ok(None),
    }
}

async fn of_record<R: ReadJournals + ?Sized>(
    unit: &mut R,
    catalogue: &Catalogue,
    journal: JournalId,
    record: RecordId,
) -> Result<Option<Answer>, StoreError> {
    let Some(kind) = catalogue.kind(KIND) else {
        return Ok(None);
    };
    let label = |state: &str| kind.state(state).map(|state| state.label.clone());
    if let Some(folded) = unit.record(journal, record).await? {
        let record = &folded.record;
        let state = record.state.as_deref().filter(|_| record.kind == KIND);
        let Some((state, label)) = state.and_then(|state| Some((state, label(state)?))) else {
            return Ok(None);
        };
        let leads_here = |action: &str| {
            let to = kind.action(action).and_then(|action| action.to.as_deref());
            to == Some(state)
        };
        let entered = record.steps.iter().rev().find(|step| {
            let action = step.action.as_deref().unwrap_or_default();
            step.fate.counts()
                && (step.verb == Verb::Create || step.verb == Verb::Act && leads_here(action))
        });
        // What is told is what somebody must say who ends it so; other reasons are between offices.
        let told_on = date_of(record, "told_on");
        let reason = entered.and_then(|step| step.reason.clone());
        return Ok(Some(Answer {
            state: label,
            since: entered.map(|step| step.received_at.date()),
            reason: reason.filter(|_| told_on.is_some()).map(Personal),
            told_on,
            is_void: record.void.is_some(),
        }));
    }
    // Received, and not folded yet.
    let index = unit.index(journal, &[record].into()).await?;
    let entry = index.get(&record).filter(|entry| entry.kind == KIND);
    let state = entry.and_then(|entry| label(entry.state.as_deref()?));
    Ok(state.map(|state| Answer {
        state,
        since: None,
        reason: None,
        told_on: None,
        is_void: false,
    }))
}

fn date_of(record: &Record, field: &str) -> Option<Date> {
    let Slot::Register(held) = record.fields.get(field)? else {
        return None;
    };
    let days = held.first()?.value.as_int()?;
    i32::try_from(days).ok().map(Date)
}
