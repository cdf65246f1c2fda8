//! Who reaches a file: whoever is shown, unmasked, a present value of a record that names it.
//!
//! That is so at two places. A phone of the village pulls contents whole, what is sensitive among them; a console shows less
//! ([`crate::reading`]). Only whoever syncs hands over the bytes: he or a teammate signed the command that names them.

use std::time::Duration;

use store::StoreError;
use sync_core::catalog::{Capability, FieldType, Kind};
use sync_core::id::{Digest, RecordId};
use sync_core::record::{Record, Slot};
use sync_core::value::Value;

use crate::context::{App, Caller};
use crate::files::FileId;
use crate::journals::pull::{Reader, Scope};
use crate::reading::{Sight, sight};

/// How long a phone waits for the fold of what it has just brought, and how often it is looked.
const FOLD_PATIENCE: u32 = 20;
const FOLD_LOOK: Duration = Duration::from_millis(100);

/// What somebody wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// To read it.
    Read,
    /// To hand it over.
    HandOver,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The record that names it.
    pub record: RecordId,
    /// The file.
    pub file: FileId,
}

/// Whether a caller reaches a file by a record. Nothing tells apart a record that is not there, one that names something else, and
/// one that he is not shown.
pub async fn reaches(
    app: &App,
    caller: &Caller,
    named: &Named,
    wants: Wants,
) -> Result<bool, StoreError> {
    let mut patience = FOLD_PATIENCE;
    loop {
        let seen = look(app, caller, named, wants).await?;
        // Whoever has just brought the record may be here before its fold.
        if seen != Seen::NotFolded || patience == 0 {
            return Ok(seen == Seen::Named);
        }
        patience -= 1;
        tokio::time::sleep(FOLD_LOOK).await;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Named,
    Nothing,
    /// Nothing yet: not all of the journal is folded.
    NotFolded,
}

async fn look(
    app: &App,
    caller: &Caller,
    Named { record, file }: &Named,
    wants: Wants,
) -> Result<Seen, StoreError> {
    let mut unit = app.store().read().await?;
    let Some(reader) = app.reader(&mut *unit, caller).await? else {
        return Ok(Seen::Nothing);
    };
    let scopes = Scopes::of(&reader, caller, file, wants);
    if scopes.is_empty() {
        return Ok(Seen::Nothing);
    }
    let found = unit.record(file.journal, *record).await?;
    let found = found.map(|folded| folded.record);
    let kind = (found.as_ref()).and_then(|found| reader.catalogue().kind(&found.kind));
    if let (Some(found), Some(kind)) = (&found, kind)
        && names(kind, found, file.digest, |field| {
            scopes.show(kind, found, field)
        })
    {
        return Ok(Seen::Named);
    }
    let end = unit
        .chain(file.journal)
        .await?
        .map_or(0, |chain| chain.end.seq);
    let is_folded = unit.folded_seq(file.journal).await? >= end;
    Ok(if is_folded {
        Seen::Nothing
    } else {
        Seen::NotFolded
    })
}

/// What a caller may read of a journal.
struct Scopes {
    /// On his phone.
    pulled: Option<Scope>,
    /// At a console.
    shown: Option<Scope>,
}

impl Scopes {
    fn of(reader: &Reader<'_>, caller: &Caller, file: &FileId, wants: Wants) -> Self {
        let scope = |capability| reader.scope(file.journal, capability);
        Self {
            pulled: caller.device().and_then(|_| scope(Capability::Sync)),
            shown: scope(Capability::ReadRecords).filter(|_| wants == Wants::Read),
        }
    }

    const fn is_empty(&self) -> bool {
        self.pulled.is_none() && self.shown.is_none()
    }

    /// Whether he is shown a field of a record whole.
    fn show(&self, kind: &Kind, record: &Record, field: &str) -> bool {
        let audience = kind
            .field(field)
            .map(|field| kind.audience_of(field, record.audience));
        let is_pulled = self.pulled.as_ref().is_some_and(|scope| {
            let reads = |audience| scope.audiences.contains(&audience);
            reads(record.audience) && audience.is_some_and(reads)
        });
        let is_shown = (self.shown.as_ref())
            .is_some_and(|scope| sight(Some(kind), field, record.audience, scope) == Sight::Whole);
        is_pulled || is_shown
    }
}

/// Whether a present value of a record names a file, in a field that passes.
pub(super) fn names(
    kind: &Kind,
    record: &Record,
    digest: Digest,
    passes: impl Fn(&str) -> bool,
) -> bool {
    let mut fields = record.fields.iter();
    record.created.is_some()
        && fields.any(|(name, slot)| {
            let is_of_files = kind
                .field(name)
                .is_some_and(|field| matches!(field.ty, FieldType::Blob | FieldType::Blobs { .. }));
            is_of_files && holds(slot, digest) && passes(name)
        })
}

/// Whether a field holds a file, in any of the values that stand there.
fn holds(slot: &Slot, digest: Digest) -> bool {
    let has = |value| digests(value).any(|named| named == digest);
    match slot {
        Slot::Register(held) => held.iter().any(|held| has(&held.value)),
        Slot::List(items) => items.iter().any(|item| has(&item.value)),
        Slot::Text(_) | Slot::Withheld => false,
    }
}

/// The hashes of a field of files.
pub(crate) fn digests(value: &Value) -> impl Iterator<Item = Digest> + '_ {
    let values = match value {
        Value::List(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    values.iter().filter_map(|value| match value {
        Value::Bytes(bytes) => Digest::try_from(bytes.as_slice()).ok(),
        _ => None,
    })
}
