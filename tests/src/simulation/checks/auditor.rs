//! The auditor, who decides every fate again.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::admit::{self, Circumstances, Index, LaneEnd, LaneFates};
use sync_core::command::Origin;
use sync_core::id::DeviceId;
use sync_core::journal::Chain;
use sync_core::registry::{Registry, registry_journal};

use super::super::village::fate_words;
use super::super::violation::{Sign, Violation};
use super::Check;

impl Check<'_> {
    /// Decides every fate again, at the registry position that its entry names.
    pub(super) fn auditor(&self, found: &mut Vec<Violation>) {
        let host = &self.sim.server.host;
        let mut registry = Registry::empty(host.deployment());
        let mut acts = host.acts().iter();
        let (mut chain, mut index) = (Chain::start(self.journal), Index::new());
        let mut taken: BTreeSet<Origin> = BTreeSet::new();
        let mut lanes: BTreeMap<DeviceId, LaneFates> = BTreeMap::new();
        for (at, entry) in self.entries.iter().enumerate() {
            while registry.position().seq < entry.head.registry.seq {
                let Some((act, what)) = acts.next() else {
                    break;
                };
                registry.apply(what.clone());
                registry.chain = registry
                    .chain
                    .append(&act.head)
                    .unwrap_or(Chain::start(registry_journal(host.deployment())));
            }
            let batch = &entry.parts.batch;
            let earlier = self.entries.get(..at).unwrap_or_default();
            let circumstances = Circumstances {
                registry: &registry,
                catalogues: host.catalogues(),
                chain,
                lane: LaneEnd::start(batch.device, batch.journal),
                head_at_seen: Some(batch.seen.head),
                received: earlier
                    .iter()
                    .map(|entry| (entry.head.seq, entry.head.received_at))
                    .collect(),
                lane_fates: lanes.get(&batch.device).cloned().unwrap_or_default(),
                taken: taken.clone(),
                offered: admit::offered(earlier.iter().map(|entry| &entry.parts.batch)),
                index: index.clone(),
                now: entry.head.received_at,
            };
            let (received_at, recorded) = (entry.head.received_at, &entry.head.fates);
            let (fates, next) = admit::judge(&entry.parts, received_at, recorded, circumstances);
            for ((fate, again), content) in entry
                .head
                .fates
                .iter()
                .zip(&fates)
                .zip(&entry.parts.contents)
            {
                if content.is_some() && fate != again {
                    found.push(Sign::DecidedAgain.at(format!(
                        "entry {} says {}, decided again it is {}",
                        entry.head.seq,
                        fate_words(fate),
                        fate_words(again)
                    )));
                }
            }
            for (envelope, fate) in batch.envelopes.iter().zip(&entry.head.fates) {
                lanes
                    .entry(batch.device)
                    .or_default()
                    .insert(envelope.n, fate.clone());
                if fate.counts() {
                    taken.insert(batch.origin(envelope.n));
                    taken.extend(envelope.origin);
                }
            }
            index = next;
            if let Ok(next) = chain.append(&entry.head) {
                chain = next;
            }
        }
    }
}
