//! Somebody with a key of his own, who writes what no honest phone would.

use sync_core::admit::LaneEnd;
use sync_core::batch::{self, Sealing, Seed, Unsealed};
use sync_core::command::{Audience, Content, Envelope, Origin, Verb};
use sync_core::id::{AssignmentId, DeviceId, Digest, RecordId, UserId};
use sync_core::journal::Chain;
use sync_core::sign::SigningKey;
use sync_core::sync::wire::Outcome;
use sync_core::testing::{Host, Village};
use sync_core::value::{Fields, Value};

use super::super::script::Intrusion;
use super::{NOON, Sim};

/// Somebody who has a key and no good intent.
#[derive(Debug)]
pub(super) struct Intruder {
    seed: [u8; 32],
    assignment: AssignmentId,
}

impl Intruder {
    /// A first secretary of the first village, and of the committee of the others, whose phone was stolen without anybody
    /// noticing.
    pub(super) fn enrol(host: &mut Host, villages: &[Village]) -> Self {
        let user: UserId = host.add_user("某", NOON);
        let from = NOON.date().plus_days(-1_000);
        let mut areas = villages.iter().map(|village| village.area);
        let first = areas.next().expect("there is a village");
        let assignment = host.assign(user, "FS", first, from, None, NOON);
        for other in areas {
            host.assign(user, "VC", other, from, None, NOON);
        }
        Self {
            seed: host.enrol(user, NOON).seed,
            assignment,
        }
    }
}

impl Sim {
    /// The intruder sends one batch, under his assignment to the first village.
    pub(super) fn intrude(&mut self, intrusion: Intrusion) {
        let village = match intrusion {
            Intrusion::OtherVillage => self.villages.get(1),
            _ => self.villages.first(),
        };
        let Some(village) = village.filter(|_| self.server.is_open()) else {
            return;
        };
        let journal = village.journal;
        let key = SigningKey::from_seed(self.intruder.seed);
        let device = key.public().device();
        let phone = self.dice.index(self.phones.len());
        let victim = self.phones[phone].phone.device.id();
        let end = |device: DeviceId| {
            let lanes = self.server.host.journal(journal).map(|held| &held.lanes);
            lanes
                .and_then(|lanes| lanes.get(&device).copied())
                .unwrap_or_else(|| LaneEnd::start(device, journal))
        };
        let lane = match intrusion {
            Intrusion::ForgedSignature => end(victim),
            _ => end(device),
        };
        let chain = self.server.host.journal(journal).map(|held| held.chain);
        let seen = chain.unwrap_or_else(|| Chain::start(journal)).end;
        let own = Origin {
            device,
            journal,
            n: lane.n + 1,
        };
        let stolen = Origin {
            device: victim,
            journal,
            n: end(victim).n + 1,
        };
        let origin = (intrusion == Intrusion::StolenOrigin).then_some(stolen);
        let signer = if intrusion == Intrusion::ForgedSignature {
            Origin {
                device: victim,
                ..own
            }
        } else {
            own
        };
        let record = match intrusion {
            Intrusion::OthersRecord => RecordId([7; 16]),
            _ => origin.unwrap_or(signer).record(),
        };
        let beyond = if intrusion == Intrusion::BaseBeyondSeen {
            5
        } else {
            0
        };
        let envelope = Envelope {
            n: lane.n + 1,
            record,
            kind: "household".to_owned(),
            base: seen.seq + beyond,
            at: self.now,
            verb: Verb::Create,
            action: Some("registered".to_owned()),
            fields: vec!["householder".to_owned()],
            links: Vec::new(),
            audience: Audience::Village,
            digest: Digest([0; 32]),
            needs: None,
            origin,
        };
        let householder = [("householder", Value::text("贼"))];
        let content = Content {
            values: Fields::from_iter(householder),
            ..Content::default()
        };
        let sealing = Sealing {
            deployment: self.server.host.deployment(),
            journal,
            assignment: self.intruder.assignment,
            catalogue: 1,
            previous: lane.batch,
            seen,
            at: self.now,
            seed: Seed([u8::try_from(self.step % 251).unwrap_or(0); 16]),
            key: &key,
        };
        let mut parts = batch::seal(&sealing, vec![Unsealed { envelope, content }]);
        parts.batch.device = signer.device;
        let outcome = self.server.receive(&parts.to_wire(), self.now);
        let became = match outcome {
            Outcome::Entered { seq, .. } => format!("it is entered at {seq}"),
            other => format!("{other:?}"),
        };
        self.tell(format!(
            "somebody with a stolen key sends a batch ({intrusion:?}): {became}"
        ));
    }
}
