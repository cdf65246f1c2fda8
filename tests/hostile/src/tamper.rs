//! The auditor's verifier against somebody who changes what it is given.
//!
//! [`Log::of`] is an honest log, [`Change`] what is done to it. [`examine`] says what the verifier made of it. A change that leaves
//! everything that the bundle says as it was is none; whether it did is only asked where nothing was found.

mod cbor;
mod change;
mod log;

pub(crate) use change::edit_cbor;
pub use change::{Change, Changed, Forged};
pub use log::{Dice, Log};

use sync_core::audit::{self, Bundle, Read, Report};
use sync_core::catalog::{Catalogue, SourceFile};
use sync_core::journal::Entry;
use sync_core::sync::wire::WireEntry;

/// What became of a change.
#[derive(Debug)]
pub enum Verdict {
    /// The file was not taken for a bundle at all.
    Unreadable,
    /// It was found.
    Found(Report),
    /// The bundle says what it said before.
    Nothing,
    /// It was not found.
    Missed(Report),
}

/// Whether the verifier finds a change; `kept` is the checkpoint that the auditor kept.
pub fn examine(log: &Log, forged: &Forged, kept: Option<&str>, read: &mut Read) -> Verdict {
    let bundle = match forged {
        Forged::Bundle(bundle) => (**bundle).clone(),
        Forged::File(file) => match Bundle::from_bytes(file) {
            Ok(bundle) => bundle,
            Err(_) => return Verdict::Unreadable,
        },
    };
    let report = audit::verify_with(&bundle, kept, read);
    if !report.holds() {
        Verdict::Found(report)
    } else if says_the_same(&bundle, &log.bundle) {
        Verdict::Nothing
    } else {
        Verdict::Missed(report)
    }
}

/// Whether two bundles say the same, however they are packed.
fn says_the_same(one: &Bundle, other: &Bundle) -> bool {
    let entries = |bundle: &Bundle| -> Vec<Vec<Option<Entry>>> {
        let open = |wire: &WireEntry| wire.open(bundle.deployment, |_| None).ok();
        let journals = bundle.journals.iter().map(|part| &part.entries);
        core::iter::once(&bundle.registry)
            .chain(journals)
            .map(|entries| entries.iter().map(open).collect())
            .collect()
    };
    let journals =
        |bundle: &Bundle| -> Vec<_> { bundle.journals.iter().map(|part| part.journal).collect() };
    let catalogues = |bundle: &Bundle| -> Vec<_> {
        let digest = |files: &[(String, String)]| {
            let file = |(name, text): &(String, String)| SourceFile {
                name: name.clone(),
                text: text.clone(),
            };
            Catalogue::digest_of(&files.iter().map(file).collect::<Vec<_>>())
        };
        let catalogues = bundle.catalogues.iter();
        catalogues
            .map(|catalogue| (catalogue.version, digest(&catalogue.files)))
            .collect()
    };
    one.deployment == other.deployment
        && journals(one) == journals(other)
        && one.leaves == other.leaves
        && one.checkpoint == other.checkpoint
        && one.records == other.records
        && catalogues(one) == catalogues(other)
        && entries(one) == entries(other)
}
