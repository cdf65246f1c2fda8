//! `zhucun log check`: holds the database against its own entries.
//!
//! What entries prove is proved again by the code that auditors run: chains, signatures, lanes, fates, the tree, its checkpoint, and that
//! it continues the one that is kept outside the database. Everything else in the tables is derived from the entries, and is held
//! row by row against what they make of it. It reads everything, so it takes its time.
//!
//! It is no audit: whoever holds the keys can make another history, and only a checkpoint that was kept elsewhere tells. Nor does it say
//! anything of what no entry proves: who may sign in, what a device sent today, and at what time a checkpoint was signed.

mod journal;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use store::rows::JournalRows;
use store::{Store, StoreError};
use sync_core::admit::Catalogues;
use sync_core::audit::{self, BUNDLE_VERSION, Bundle, CatalogueFiles, JournalPart, Shown, codes};
use sync_core::id::{DeploymentId, DeviceId, JournalId, Seq, Timestamp};
use sync_core::registry::registry_journal;
use sync_core::sync::wire::WireEntry;

use crate::check::journal::Known;
use crate::check::log::Log;
use crate::context::App;

/// About how much is held in memory at once, beside the registry and the log; a journal is never divided.
const GROUP_BYTES: u64 = 32 * 1024 * 1024;

/// Something that is not as the entries, or the rules, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// In which journal; none if it is about the log over them.
    pub journal: Option<JournalId>,
    /// At which entry, if at one.
    pub seq: Option<Seq>,
    /// What, without values of people.
    pub what: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(journal) = self.journal {
            write!(f, "{journal}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "#{seq}")?;
        }
        write!(f, " {}", self.what)
    }
}

/// What was held against what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Journals that have entries, the registry among them.
    pub journals: usize,
    /// Entries.
    pub entries: usize,
    /// Records.
    pub records: usize,
    /// Leaves of the log.
    pub leaves: usize,
    /// What does not agree; nothing, if all is well.
    pub disagreements: Vec<Disagreement>,
}

impl Checked {
    fn find(
        &mut self,
        journal: impl Into<Option<JournalId>>,
        seq: impl Into<Option<Seq>>,
        what: impl Into<String>,
    ) {
        self.disagreements.push(Disagreement {
            journal: journal.into(),
            seq: seq.into(),
            what: what.into(),
        });
    }

    fn expect(
        &mut self,
        holds: bool,
        journal: impl Into<Option<JournalId>>,
        seq: impl Into<Option<Seq>>,
        what: &str,
    ) {
        if !holds {
            self.find(journal, seq, what);
        }
    }
}

/// What a check starts from, beside the database.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Which deployment it is of.
    pub deployment: DeploymentId,
    /// Catalogue versions.
    pub catalogues: &'a Catalogues,
    /// The checkpoint that is kept outside the database.
    pub kept: Option<String>,
}

impl<'a> Ground<'a> {
    /// That of an application.
    pub fn of(app: &'a App) -> Self {
        Self {
            deployment: app.deployment(),
            catalogues: app.catalogues(),
            kept: app.kept().newest().map(|kept| kept.note),
        }
    }
}

/// Checks a database.
pub async fn check(ground: &Ground<'_>, store: &dyn Store) -> Result<Checked, StoreError> {
    check_with(ground, store, &mut audit::Read::default()).await
}

/// Checks one of many databases.
pub async fn check_with(
    ground: &Ground<'_>,
    store: &dyn Store,
    read: &mut audit::Read,
) -> Result<Checked, StoreError> {
    let mut checked = Checked::default();
    match run(ground, store, read, &mut checked).await {
        // No row that this program wrote is refused by its own queries.
        Err(error @ (StoreError::Refused(_) | StoreError::Impossible(_))) => {
            checked.find(None, None, format!("rows cannot be read: {error}"));
        }
        other => other?,
    }
    // With each group the registry and the log are proved again.
    let mut told = BTreeSet::new();
    checked
        .disagreements
        .retain(|it| told.insert((it.journal, it.seq, it.what.clone())));
    Ok(checked)
}

async fn run(
    ground: &Ground<'_>,
    store: &dyn Store,
    read: &mut audit::Read,
    checked: &mut Checked,
) -> Result<(), StoreError> {
    let mut unit = store.read().await?;
    let first = registry_journal(ground.deployment);
    let sizes = unit.journals_of_rows().await?;

    let rows = unit.journal_rows(&[first.0.to_vec()]).await?;
    let opened = journal::open(first, &rows, checked);
    let known = Known::from_acts(ground.deployment, &opened);
    let held = journal::hold(ground, &known, first, &rows, opened, checked);
    let rows = unit.log_rows().await?;
    let log = log::hold(ground, &known.registry, &rows, checked);
    let mut suspended = held.suspended;
    for group in groups(&sizes, &known, first, checked) {
        let ids: Vec<Vec<u8>> = group.iter().map(|journal| journal.0.to_vec()).collect();
        let mut rows = by_journal(unit.journal_rows(&ids).await?);
        let (mut parts, mut shown) = (Vec::new(), Vec::new());
        for journal in group {
            let rows = rows.remove(&journal.0[..]).unwrap_or_default();
            let opened = journal::open(journal, &rows, checked);
            let held = journal::hold(ground, &known, journal, &rows, opened, checked);
            parts.push(JournalPart {
                journal,
                entries: held.entries,
            });
            shown.extend(held.shown);
            suspended.extend(held.suspended);
        }
        prove(ground, (&held.entries, parts, shown), &log, read, checked);
    }
    check_suspended(&known, &suspended, first, checked);
    Ok(())
}

/// The journals beside the registry, a few at a time: one group at least, with which the registry is proved.
fn groups(
    sizes: &BTreeMap<Vec<u8>, u64>,
    known: &Known,
    first: JournalId,
    checked: &mut Checked,
) -> Vec<Vec<JournalId>> {
    let mut groups: Vec<Vec<JournalId>> = vec![Vec::new()];
    let mut room = GROUP_BYTES;
    for (id, bytes) in sizes {
        let Ok(journal) = JournalId::try_from(id.as_slice()) else {
            checked.find(None, None, "rows stand under what is no journal's id");
            continue;
        };
        if journal == first {
            continue;
        }
        if !known.registry.journals.contains_key(&journal) {
            checked.find(journal, None, "the registry knows no such journal");
            continue;
        }
        if *bytes > room && groups.last().is_some_and(|group| !group.is_empty()) {
            groups.push(Vec::new());
            room = GROUP_BYTES;
        }
        room = room.saturating_sub(*bytes);
        if let Some(group) = groups.last_mut() {
            group.push(journal);
        }
    }
    groups
}

/// The rows of each journal.
fn by_journal(rows: JournalRows) -> BTreeMap<Vec<u8>, JournalRows> {
    let mut of: BTreeMap<Vec<u8>, JournalRows> = BTreeMap::new();
    macro_rules! divide {
        ($($table:ident),*) => {$(
            for row in rows.$table {
                of.entry(row.journal_id.clone()).or_default().$table.push(row);
            }
        )*};
    }
    divide!(
        chains,
        entries,
        lanes,
        offers,
        index,
        folded,
        records,
        equivocations,
        segments
    );
    of
}

/// Has the auditor's verifier prove what entries, leaves and checkpoint prove, and compare the records with their folds.
fn prove(
    ground: &Ground<'_>,
    (registry, journals, records): (&[WireEntry], Vec<JournalPart>, Vec<Shown>),
    log: &Log,
    read: &mut audit::Read,
    checked: &mut Checked,
) {
    let files = ground.catalogues.values().map(|catalogue| CatalogueFiles {
        version: catalogue.version(),
        files: (catalogue.files().iter())
            .map(|file| (file.name.clone(), file.text.clone()))
            .collect(),
    });
    let bundle = Bundle {
        version: BUNDLE_VERSION,
        deployment: ground.deployment,
        registry: registry.to_vec(),
        journals,
        leaves: log.leaves.clone(),
        checkpoint: log.checkpoint.clone().unwrap_or_default(),
        catalogues: files.collect(),
        records,
    };
    let report = audit::verify_with(&bundle, ground.kept.as_deref(), read);
    // Before anything was published there is no checkpoint to prove.
    let is_new = log.checkpoint.is_none() && log.leaves.is_empty();
    let findings = report.findings.into_iter();
    for finding in findings.filter(|finding| !(is_new && finding.code == codes::CHECKPOINT)) {
        let what = format!("{}: {}", finding.code, finding.detail);
        checked.find(finding.journal, finding.seq, what);
    }
}

/// A device is suspended for two batches under one number: both are kept.
fn check_suspended(
    known: &Known,
    kept: &BTreeSet<(DeviceId, Timestamp)>,
    registry: JournalId,
    checked: &mut Checked,
) {
    for (device, at, seq) in &known.suspended {
        let what = "the second batch for which a device was suspended is not kept";
        checked.expect(kept.contains(&(*device, *at)), registry, *seq, what);
    }
}
