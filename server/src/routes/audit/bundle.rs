//! `GET /v1/audit/bundle`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use store::StoreError;
use store::journals::{ReadJournals, Stored};
use sync_core::audit::{BUNDLE_VERSION, Bundle, CatalogueFiles, JournalPart, Shown, record_digest};
use sync_core::catalog::Capability;
use sync_core::checkpoint::Leaf;
use sync_core::command::{Audience, Envelope, Verb};
use sync_core::id::{AreaId, Digest, JournalId, RecordId, Seq, sha256};
use sync_core::journal::Fate;
use sync_core::registry::{AccessAct, Purpose, registry_journal};
use sync_core::sync::wire::{WireBody, WireEntry};
use utoipa::IntoParams;

use crate::context::{App, Caller};
use crate::journals::pull::{Reader, Scope};
use crate::problem::{Code, Problem};
use crate::routes::audit::VERIFIES;
use crate::routes::wire::{Binary, Id};

/// Entries in one bundle, as they are kept.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How much of a journal is read at once.
const PAGE_BYTES: usize = 1 << 20;
/// The most records that one bundle draws.
const SAMPLE_MAX: u32 = 200;
/// How soon to ask again while journals are being folded.
const FOLD_SECONDS: u64 = 1;
/// What a drawn record shows to an auditor: neither what is sensitive nor what is the team's alone.
const DRAWN: [Audience; 2] = [Audience::Village, Audience::County];

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BundleQuery {
    /// Of the journals of this area and all that lies in it; wherever the caller verifies, if absent.
    #[param(value_type = Option<String>)]
    area: Option<Id<AreaId>>,
    /// Of this journal alone.
    #[param(value_type = Option<String>)]
    journal: Option<Id<JournalId>>,
    /// With the content of this many drawn records, as far as it is neither sensitive nor the team's alone.
    sample: Option<u32>,
}

/// Why no bundle was drawn up.
#[derive(Debug, thiserror::Error)]
pub enum BundleFailure {
    /// There is nothing that the caller may know of.
    #[error("nothing that the caller may know of")]
    NotFound,
    /// No or too many records are to be drawn.
    #[error("a sample of no or too many records")]
    Sample,
    /// So much is not given at once.
    #[error("more than one bundle takes")]
    TooMuch,
    /// The records are not folded up to the journal's end.
    #[error("not folded yet")]
    NotFolded,
    /// It cannot be entered, so it is not given.
    #[error("no access journal")]
    NoAccessJournal,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<BundleFailure> for Problem {
    fn from(failure: BundleFailure) -> Self {
        match failure {
            BundleFailure::NotFound => Self::not_found(),
            BundleFailure::Sample => Self::invalid_field("sample", format!("1 to {SAMPLE_MAX}")),
            BundleFailure::TooMuch => Self::new(Code::TooMuch),
            BundleFailure::NotFolded => Self::new(Code::NotFoldedYet).retry_after(FOLD_SECONDS),
            BundleFailure::NoAccessJournal => Self::new(Code::NoAccessJournal),
            BundleFailure::Store(source) => Self::internal(&source),
        }
    }
}

/// Draws up an audit bundle: the registry, journals with all their entries, all leaves of the log, its checkpoint and the catalogue.
/// It is verified offline. What the caller may not read stands in it as digests. That it was drawn up is entered.
///
/// Which records are drawn follows from the checkpoint in the bundle alone, so that anybody can draw them again: those with the
/// smallest `SHA-256("zhucun sample v1" ‖ SHA-256(checkpoint) ‖ journal ‖ record)`.
#[utoipa::path(get, path = "/v1/audit/bundle", tag = "audit", security(("bearer" = [])), params(BundleQuery),
    responses((status = OK, body = Binary, content_type = "application/octet-stream", description = "The bundle; `audit verify` reads it")))]
pub async fn draw_bundle(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<BundleQuery>,
) -> Result<Response, Problem> {
    let bundle = draw(&app, &caller, &query).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bundle).into_response())
}

async fn draw(app: &App, caller: &Caller, query: &BundleQuery) -> Result<Vec<u8>, BundleFailure> {
    if query
        .sample
        .is_some_and(|sample| !(1..=SAMPLE_MAX).contains(&sample))
    {
        return Err(BundleFailure::Sample);
    }
    let mut unit = app.store().read().await?;
    let reader = app
        .reader(&mut *unit, caller)
        .await?
        .ok_or(BundleFailure::NotFound)?;
    let wanted = wanted(&reader, query).ok_or(BundleFailure::NotFound)?;
    let access = access_journal(&reader, &wanted).ok_or(BundleFailure::NoAccessJournal)?;
    let checkpoint = app.kept().newest().ok_or(BundleFailure::NotFolded)?;
    let mut budget = BYTES_MAX;
    let registry = entries(&mut *unit, registry_journal(app.deployment()), &mut budget).await?;
    let mut journals = Vec::new();
    let mut records = Vec::new();
    for (journal, wish) in wanted {
        let stored = entries(&mut *unit, journal, &mut budget).await?;
        if wish.is_whole {
            records.extend(shown(&mut *unit, journal, &stored).await?);
        }
        journals.push((journal, wish, stored));
    }
    let mut leaves = unit.leaves(0).await?;
    leaves.retain(|leaf| leaf.position < checkpoint.size);
    let checkpoint = checkpoint.note;
    drop(unit);

    let ends = journals
        .iter()
        .map(|(journal, _, stored)| (*journal, stored.last().map_or(0, |stored| stored.head.seq)));
    let act = AccessAct::Audit {
        user: caller.user(),
        journals: ends.collect(),
    };
    let (catalogues, deployment, sample) = (
        Arc::clone(app.catalogues()),
        app.deployment(),
        query.sample.unwrap_or(0) as usize,
    );
    let packing = tokio::task::spawn_blocking(move || {
        let parts = packed(journals, &checkpoint, sample)?;
        let bundle = Bundle {
            version: BUNDLE_VERSION,
            deployment,
            registry: registry.into_iter().map(whole).collect(),
            journals: parts,
            leaves: leaves
                .iter()
                .map(|leaf| Leaf {
                    journal: leaf.journal,
                    seq: leaf.end.seq,
                    head: leaf.end.head,
                })
                .collect(),
            checkpoint,
            catalogues: catalogues
                .values()
                .map(|catalogue| CatalogueFiles {
                    version: catalogue.version(),
                    files: catalogue
                        .files()
                        .iter()
                        .map(|file| (file.name.clone(), file.text.clone()))
                        .collect(),
                })
                .collect(),
            records,
        };
        Ok::<_, StoreError>(bundle.to_bytes())
    });
    let bytes = packing
        .await
        .map_err(|_| StoreError::Impossible("an entry whose packing fails"))??;

    let unit = app.store().begin().await?;
    app.enter_access(unit, access, act, caller.user()).await?;
    tracing::info!("bundle.drawn");
    Ok(bytes)
}

/// What the caller gets of a journal.
#[derive(Debug)]
struct Wish {
    scope: Scope,
    /// Whether he reads all of it: then the records as they are shown come with it, to be compared with what their commands add up
    /// to. Elsewhere a record's digest could be guessed at, for it has no salt.
    is_whole: bool,
    /// Whether records may be drawn from it.
    is_drawn_from: bool,
}

/// The journals of a bundle.
fn wanted(reader: &Reader<'_>, query: &BundleQuery) -> Option<BTreeMap<JournalId, Wish>> {
    let area = query.area.map(|area| area.0);
    let is_wanted = |journal: &JournalId| query.journal.is_none_or(|wanted| wanted.0 == *journal);
    let villages = reader.journals(Purpose::Village, VERIFIES, area)?;
    let access = reader.journals(Purpose::Access, VERIFIES, area)?;
    let village = |journal: JournalId| {
        let scope = reader.scope_by(
            journal,
            &[
                Capability::ReadRecords,
                Capability::Audit,
                Capability::VerifyLog,
            ],
        )?;
        let is_whole = scope.refused && scope.audiences.len() == Audience::ALL.len();
        let is_drawn_from = reader.scope(journal, Capability::Audit).is_some();
        Some((
            journal,
            Wish {
                scope,
                is_whole,
                is_drawn_from,
            },
        ))
    };
    // What readers did is content of the audience `county`.
    let office = |journal: JournalId| {
        let audiences = reader
            .scope(journal, Capability::ReadAuditLog)
            .map(|_| Audience::County)
            .into_iter()
            .collect();
        (
            journal,
            Wish {
                scope: Scope {
                    audiences,
                    refused: false,
                },
                is_whole: false,
                is_drawn_from: false,
            },
        )
    };
    let villages = villages
        .keys()
        .copied()
        .filter(is_wanted)
        .filter_map(village);
    let wanted: BTreeMap<JournalId, Wish> = villages
        .chain(access.keys().copied().filter(is_wanted).map(office))
        .collect();
    (!wanted.is_empty()).then_some(wanted)
}

/// Where the drawing is entered.
fn access_journal(reader: &Reader<'_>, wanted: &BTreeMap<JournalId, Wish>) -> Option<JournalId> {
    let mut pairs = wanted.keys().flat_map(|journal| {
        VERIFIES
            .iter()
            .map(move |capability| (*journal, *capability))
    });
    pairs.find_map(|(journal, capability)| {
        reader.scope(journal, capability)?;
        reader.access_journal(journal, capability)
    })
}

/// All entries of a journal, within what one bundle takes.
async fn entries<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    budget: &mut usize,
) -> Result<Vec<Stored>, BundleFailure> {
    let mut entries: Vec<Stored> = Vec::new();
    loop {
        let page = unit
            .entries(
                journal,
                entries.last().map_or(0, |last| last.head.seq),
                PAGE_BYTES,
            )
            .await?;
        if page.is_empty() {
            return Ok(entries);
        }
        let taken: usize = page.iter().map(|stored| stored.batch.packed_bytes()).sum();
        *budget = budget.checked_sub(taken).ok_or(BundleFailure::TooMuch)?;
        entries.extend(page);
    }
}

/// The digests of a journal's records as they are shown, at the end of its chain.
async fn shown<R: ReadJournals + ?Sized>(
    unit: &mut R,
    journal: JournalId,
    stored: &[Stored],
) -> Result<Vec<Shown>, BundleFailure> {
    let end: Seq = stored.last().map_or(0, |stored| stored.head.seq);
    if unit.folded_seq(journal).await? < end {
        return Err(BundleFailure::NotFolded);
    }
    let mut filter = store::journals::Filter {
        journals: BTreeSet::from([journal]),
        audiences: Audience::ALL.to_vec(),
        limit: 500,
        ..store::journals::Filter::default()
    };
    let mut shown = Vec::new();
    loop {
        let page = unit.records(&filter).await?;
        let Some(last) = page.last() else {
            return Ok(shown);
        };
        filter.after = Some((journal, last.record.id));
        shown.extend(page.iter().map(|folded| Shown {
            journal,
            record: folded.record.id,
            digest: record_digest(&folded.record),
        }));
    }
}

fn whole(stored: Stored) -> WireEntry {
    WireEntry::new(&stored.head, WireBody::Batch(stored.batch))
}

/// The journals as the caller gets them.
fn packed(
    journals: Vec<(JournalId, Wish, Vec<Stored>)>,
    checkpoint: &str,
    sample: usize,
) -> Result<Vec<JournalPart>, StoreError> {
    let open = |stored: &Stored| {
        stored
            .batch
            .open()
            .map_err(|_| StoreError::Impossible("an entry that does not open"))
    };
    let seed = sha256(&[checkpoint.as_bytes()]);
    let mut lots: BTreeSet<(Digest, JournalId, RecordId)> = BTreeSet::new();
    for (journal, _, stored) in journals
        .iter()
        .filter(|(_, wish, _)| sample > 0 && wish.is_drawn_from)
    {
        for stored in stored {
            let parts = open(stored)?;
            let made = parts.batch.envelopes.iter().zip(&stored.head.fates);
            let made = made.filter(|(envelope, fate)| {
                envelope.verb == Verb::Create && fate.counts() && DRAWN.contains(&envelope.audience)
            });
            lots.extend(made.map(|(envelope, _)| {
                (
                    lot(seed, *journal, envelope.record),
                    *journal,
                    envelope.record,
                )
            }));
        }
    }
    let drawn: BTreeSet<(JournalId, RecordId)> = lots
        .into_iter()
        .take(sample)
        .map(|(_, journal, record)| (journal, record))
        .collect();
    let mut parts = Vec::with_capacity(journals.len());
    for (journal, wish, stored) in journals {
        if wish.is_whole {
            parts.push(JournalPart {
                journal,
                entries: stored.into_iter().map(whole).collect(),
            });
            continue;
        }
        let mut entries = Vec::with_capacity(stored.len());
        for stored in stored {
            let fates = &stored.head.fates;
            let may_read = |index: usize, envelope: &Envelope| {
                let is_drawn = drawn.contains(&(journal, envelope.record))
                    && DRAWN.contains(&envelope.audience);
                let is_refused = fates.get(index).is_some_and(Fate::is_refused);
                (is_drawn || wish.scope.audiences.contains(&envelope.audience))
                    && (wish.scope.refused || !is_refused)
            };
            let wire = open(&stored)?.withhold(may_read).to_wire();
            entries.push(WireEntry::new(&stored.head, WireBody::Batch(wire)));
        }
        parts.push(JournalPart { journal, entries });
    }
    Ok(parts)
}

/// A record's place in the draw.
fn lot(seed: Digest, journal: JournalId, record: RecordId) -> Digest {
    sha256(&[b"zhucun sample v1", &seed.0, &journal.0, &record.0])
}
