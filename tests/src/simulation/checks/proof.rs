//! The auditor's verifier: it passes the log of this server, and fails that of one that showed two histories.

use sync_core::audit::{self, Bundle, Shown, record_digest};
use sync_core::record;

use super::super::village::Sim;
use super::super::violation::{Sign, Violation};

/// How many seeds go by for each that is verified: packing a whole log is dear.
const VERIFIED_ONCE_IN: u64 = 4;

/// Everything that the verifier finds in the log as it stands, with the records as the server shows them.
pub(super) fn verified(sim: &Sim, found: &mut Vec<Violation>) {
    if !sim.seed.is_multiple_of(VERIFIED_ONCE_IN) && sim.fault.is_none() {
        return;
    }
    let mut bundle = sim.server.host.bundle();
    if bundle.leaves.is_empty() {
        // Nobody ever said anything.
        return;
    }
    bundle.records = shown(sim);
    bundle
        .records
        .sort_by_key(|shown| (shown.journal, shown.record));
    let report = audit::verify(&bundle, sim.kept.as_deref());
    let findings = report.findings.into_iter().map(|finding| {
        let at = format!("{} at {:?}: {}", finding.code, finding.seq, finding.detail);
        Sign::AuditFails.at(at)
    });
    found.extend(findings);
}

fn shown(sim: &Sim) -> Vec<Shown> {
    let mut all = Vec::new();
    for village in &sim.villages {
        let journal = village.journal;
        let entries = sim.server.host.entries(journal).iter();
        let touched = entries.flat_map(|entry| &entry.parts.batch.envelopes);
        let records: std::collections::BTreeSet<_> = touched.flat_map(record::touches).collect();
        all.extend(records.into_iter().map(|record| {
            let log = sim.log(journal, record, |_, _| true);
            let digest = record_digest(&record::fold(
                sim.server.host.catalogues(),
                journal,
                record,
                &log,
            ));
            Shown {
                journal,
                record,
                digest,
            }
        }));
    }
    all
}

/// A log that leads elsewhere than what was published must not pass.
pub(in super::super) fn lie_fails(bundle: &Bundle) -> Option<Violation> {
    let report = audit::verify(bundle, None);
    let passes = report
        .holds()
        .then(|| format!("{} entries", report.entries));
    passes.map(|at| Sign::LiePasses.at(at))
}
