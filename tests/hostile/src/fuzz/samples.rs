//! What each target is meant for: small, honest, and the same each time.

use std::sync::OnceLock;

use sync_core::batch::Bytes;
use sync_core::catalog::Catalogue;
use sync_core::cbor;
use sync_core::checkpoint::{Checkpoint, Leaf, origin, sign_checkpoint, tile};
use sync_core::command::{Audience, Content, Envelope};
use sync_core::id::{DeploymentId, DeviceId, Digest, JournalId, Timestamp, sha256};
use sync_core::journal::Entry;
use sync_core::pack::{self, Lane};
use sync_core::seal::{self, OpeningKey, Parcel};
use sync_core::segment;
use sync_core::sign::SigningKey;
use sync_core::sync::device::Intent;
use sync_core::testing::{Host, Phone, TestRng, Village};
use sync_core::value::{Fields, Value};
use sync_core::vault::{DeviceSecret, Pin, PinCost, VaultState};

use crate::tamper::Log;

pub(super) const NOW: Timestamp = Timestamp(1_795_237_200_000);
pub(super) const DEVICE: DeviceId = DeviceId([1; 16]);
pub(super) const JOURNAL: JournalId = JournalId([2; 16]);
pub(super) const LANE: Lane = Lane {
    device: DEVICE,
    journal: JOURNAL,
    first: 1,
};
pub(super) const DEPLOYMENT: DeploymentId = DeploymentId([3; 16]);
pub(super) const OPENING: [u8; 32] = [7; 32];
pub(super) const CHECKPOINT_SIZE: u64 = 3;

/// The catalogue that is shipped, read once.
pub(super) fn catalogue() -> &'static Catalogue {
    static SHIPPED: OnceLock<Catalogue> = OnceLock::new();
    SHIPPED.get_or_init(Catalogue::builtin)
}

pub(super) fn log_key() -> SigningKey {
    SigningKey::from_seed([9; 32])
}

/// A village with two phones: what the first wrote, the second has pulled; it has saved something of its own.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) host: Host,
    pub(super) village: Village,
    pub(super) phone: Phone,
    teammate: Phone,
}

impl Samples {
    pub(super) fn new() -> Self {
        let now = NOW.plus_ms(-3_600_000);
        let mut host = Host::found(1, now);
        let village = host.add_village("半子沟村", now);
        let from = now.date().plus_days(-100);
        let mut enrol = |name: &str, role: &str| {
            let user = host.add_user(name, now);
            host.assign(user, role, village.area, from, None, now);
            Phone::enrol(&mut host, user, now)
        };
        let (mut teammate, mut phone) = (enrol("马第一", "FS"), enrol("李队员", "TM"));
        for phone in [&mut teammate, &mut phone] {
            phone.sync(&mut host, now).expect("the host is honest");
        }
        let mut samples = Self {
            host,
            village,
            phone,
            teammate,
        };
        samples.work();
        samples
    }

    fn work(&mut self) {
        let (journal, now) = (self.village.journal, NOW.plus_ms(-1_800_000));
        let save = |phone: &mut Phone, intent: Intent| {
            (phone.save(journal, None, intent, now).expect("it counts")).record
        };
        let household = Intent::create("household").with("householder", Value::text("张三"));
        let household = save(
            &mut self.teammate,
            household.with("phone", Value::text("138")),
        );
        let visit = Intent::create("visit").link("household", household);
        let visit = visit.with("weather", Value::text("晴"));
        let visit = save(&mut self.teammate, visit);
        let illness = Intent::set(visit).with("illness", Value::text("高血压"));
        save(&mut self.teammate, illness);
        let items = [("item", Value::text("屋顶")), ("done", Value::Bool(false))];
        let items = Value::List(vec![Value::Struct(Fields::from_iter(items))]);
        let insert = Intent::new(
            sync_core::sync::device::Target::Existing(visit),
            sync_core::command::Verb::Insert,
        );
        save(&mut self.teammate, insert.with("checklist", items));
        for phone in [&mut self.teammate, &mut self.phone] {
            phone.sync(&mut self.host, now).expect("the host is honest");
        }
        let own = Intent::create("household").with("householder", Value::text("李四"));
        save(&mut self.phone, own);
    }

    fn entries(&self) -> &[Entry] {
        self.host.entries(self.village.journal)
    }
}

pub(super) fn batches() -> Vec<Vec<u8>> {
    let samples = Samples::new();
    let entry = samples.entries().first().expect("something was written");
    let readers: [&dyn Fn(Audience) -> bool; 3] = [
        &|_| true,
        &|audience| audience == Audience::Village,
        &|_| false,
    ];
    let withheld = |reads: &&dyn Fn(Audience) -> bool| {
        let parts = (entry.parts).withhold(|_, envelope| reads(envelope.audience));
        cbor::encode(&parts.to_wire())
    };
    let mut seeds: Vec<Vec<u8>> = readers.iter().map(withheld).collect();
    let (registry, _) = samples.host.acts().first().expect("it was founded");
    seeds.push(cbor::encode(&registry.parts.to_wire()));
    seeds
}

fn commands() -> Vec<(Envelope, Content)> {
    let samples = Samples::new();
    let entry = samples.entries().first().expect("something was written");
    let contents = entry.parts.contents.iter().flatten();
    let pairs = entry.parts.batch.envelopes.iter().zip(contents);
    pairs
        .map(|(envelope, salted)| (envelope.clone(), salted.content.clone()))
        .collect()
}

pub(super) fn envelopes() -> Vec<Vec<u8>> {
    let commands = commands();
    commands
        .iter()
        .map(|(envelope, _)| cbor::encode(envelope))
        .collect()
}

pub(super) fn contents() -> Vec<Vec<u8>> {
    let commands = commands();
    commands
        .iter()
        .map(|(_, content)| content.to_cbor())
        .collect()
}

pub(super) fn packed_contents() -> Vec<Vec<u8>> {
    let commands = commands();
    let rows: Vec<(u32, &Content)> = (0..).zip(&commands).map(|(at, row)| (at, &row.1)).collect();
    let mut rowwise = vec![0];
    rowwise.extend(cbor::encode(&rows));
    vec![
        pack::pack_contents(&rows),
        pack::pack_contents(&rows[..1]),
        rowwise,
    ]
}

pub(super) fn packed_envelopes() -> Vec<Vec<u8>> {
    let rows: Vec<Envelope> = (1..)
        .zip(commands())
        .map(|(n, (envelope, _))| Envelope {
            n,
            digest: Digest([0; 32]),
            ..envelope
        })
        .collect();
    let mut rowwise = vec![0];
    rowwise.extend(cbor::encode(&rows));
    vec![
        pack::pack_envelopes(&LANE, &rows),
        pack::pack_envelopes(&LANE, &rows[..1]),
        rowwise,
    ]
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    let mut samples = Samples::new();
    let full = samples.phone.request(NOW);
    let mut idle = full.clone();
    idle.batches.clear();
    let mut carrier = idle.clone();
    carrier.carried.push(Bytes(vec![1; 60]));
    [full, idle, carrier].iter().map(cbor::encode).collect()
}

pub(super) fn responses() -> Vec<Vec<u8>> {
    let mut samples = Samples::new();
    let journal = samples.village.journal;
    let news = Intent::create("household").with("householder", Value::text("王五"));
    (samples.teammate.save(journal, None, news, NOW)).expect("it counts");
    samples.host.publish();
    samples
        .teammate
        .sync(&mut samples.host, NOW)
        .expect("the host is honest");
    let device = samples.phone.device.id();
    let mut idle = samples.phone.device.request();
    let news = samples.host.sync(&idle, device, NOW);
    let request = samples.phone.request(NOW);
    let receipts = samples.host.sync(&request, device, NOW);
    idle.registry = 0;
    idle.cursors.clear();
    let registry = samples.host.sync(&idle, device, NOW);
    [news, receipts, registry]
        .iter()
        .map(cbor::encode)
        .collect()
}

pub(super) fn segments() -> Vec<Vec<u8>> {
    let samples = Samples::new();
    let withheld: Vec<Entry> = (samples.entries().iter())
        .map(|entry| Entry {
            head: entry.head.clone(),
            parts: (entry.parts).withhold(|_, envelope| envelope.audience == Audience::Village),
        })
        .collect();
    vec![segment::pack(samples.entries()), segment::pack(&withheld)]
}

pub(super) fn stored() -> Vec<Vec<u8>> {
    let mut samples = Samples::new();
    let named = |phone: &Phone| -> Vec<(String, Bytes)> {
        let values = phone.storage.0.iter();
        values
            .map(|(key, bytes)| (key.name(), Bytes(bytes.clone())))
            .collect()
    };
    let pending = named(&samples.phone);
    samples.phone.seal(NOW);
    let sealed = named(&samples.phone);
    vec![cbor::encode(&pending), cbor::encode(&sealed)]
}

pub(super) fn vaults() -> Vec<Vec<u8>> {
    let device = DeviceSecret::from_bytes([5; 32]);
    let pin = Pin::typed("西吉土豆2026");
    let (state, _) = VaultState::create(&pin, &device, PinCost::USUAL, &mut TestRng::new(5));
    vec![state.to_cbor()]
}

pub(super) fn parcels() -> Vec<Vec<u8>> {
    let to = OpeningKey::from_seed(&OPENING);
    let to = to
        .public()
        .expect("a key made from a seed has a public half");
    let batch = batches().swap_remove(0);
    let sealed = seal::seal(&to, DEPLOYMENT, &batch, &mut TestRng::new(6)).expect("it is a key");
    let parcel = Parcel::new(DEPLOYMENT, vec![sealed.clone(), sealed[..40].to_vec()]);
    vec![sealed, parcel.to_bytes()]
}

pub(super) fn bundles() -> Vec<Vec<u8>> {
    let mut bundle = Log::of(0).earlier.swap_remove(0);
    bundle.catalogues.clear();
    vec![bundle.to_bytes()]
}

pub(super) fn notes() -> Vec<Vec<u8>> {
    let checkpoint = Checkpoint {
        origin: origin(DEPLOYMENT),
        size: CHECKPOINT_SIZE,
        root: sha256(&[b"a root"]),
        extensions: Vec::new(),
    };
    let note = sign_checkpoint(&checkpoint, &log_key()).expect("an origin of one line");
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    vec![
        note.into_bytes(),
        checkpoint.to_text().into_bytes(),
        key.into(),
    ]
}

pub(super) fn tiles() -> Vec<Vec<u8>> {
    let leaf = Leaf {
        journal: JOURNAL,
        seq: 1,
        head: Digest([4; 32]),
    };
    let leaves = tile::bundle(&[leaf.to_cbor(), leaf.to_cbor()]).expect("two short leaves");
    let mut node = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
    node.extend([8; 64]);
    vec![
        b"tile/0/x001/234.p/5".to_vec(),
        b"tile/7/255".to_vec(),
        leaves,
        node,
    ]
}

pub(super) fn codes() -> Vec<Vec<u8>> {
    let id = JOURNAL.to_string();
    let texts = [
        "7Q2K-9FXA-0MZT-B4CE",
        "7q2k 9fxa omzt b4ce",
        "2026-11",
        "640422100201",
        &id,
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(super) fn catalogues() -> Vec<Vec<u8>> {
    let mut files: Vec<_> = catalogue().files().iter().collect();
    files.sort_by_key(|file| file.text.len());
    let short = files.into_iter().take(4);
    short
        .map(|file| format!("{}\n{}", file.name, file.text).into_bytes())
        .collect()
}

pub(super) fn areas() -> Vec<Vec<u8>> {
    let file = include_str!("../../../fixtures/areas/xiji.csv");
    let lines: Vec<&str> = file.lines().take(12).collect();
    let quoted = "code,name,level,parent_code\r\n\"640000000000\",\"宁夏\",省级,\r\n";
    vec![lines.join("\n").into_bytes(), quoted.as_bytes().to_vec()]
}
