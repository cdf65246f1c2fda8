//! The audit: proves a bundle of journals offline, without trust in the server that made it.
//!
//! A [`Bundle`] brings the registry, journals, every leaf of the Merkle log, its newest checkpoint, and the digests of the records
//! as the server shows them. [`verify`] checks signatures, chains, lanes, the tree and its consistency with a checkpoint that the
//! auditor kept; decides every fate again at exactly the registry position that its entry names; and folds every record again
//! whose content the bundle holds. It reaches no network and believes nobody; what it cannot decide it counts and says.
//!
//! Long because one pass over a bundle is told from its first check to its last, in order.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use crate::admit::{self, Catalogues, Circumstances, Index, LaneEnd, Wanted};
use crate::batch::Position;
use crate::catalog::{Catalogue, SourceFile};
use crate::cbor;
use crate::checkpoint::merkle::Frontier;
use crate::checkpoint::{self, Checkpoint, Leaf, open_checkpoint};
use crate::command::Origin;
use crate::id::{DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq, Timestamp, sha256};
use crate::journal::{Chain, Entry, Fate};
use crate::record::{self, FOLD_VERSION, Logged, Record};
use crate::registry::{self, Purpose, Registry, RegistryAct, registry_journal};
use crate::sign::PublicKey;
use crate::sync::wire::WireEntry;

/// The version of the bundle's format.
pub const BUNDLE_VERSION: u16 = 1;

/// Everything that an audit needs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bundle {
    /// [`BUNDLE_VERSION`].
    #[n(0)]
    pub version: u16,
    /// The deployment.
    #[n(1)]
    pub deployment: DeploymentId,
    /// The registry's entries, all of them.
    #[n(2)]
    pub registry: Vec<WireEntry>,
    /// Journals of villages, and access journals: each with all its entries.
    #[n(3)]
    pub journals: Vec<JournalPart>,
    /// All leaves of the log.
    #[n(4)]
    pub leaves: Vec<Leaf>,
    /// The newest checkpoint, a signed note.
    #[n(5)]
    pub checkpoint: String,
    /// The files of the published catalogue versions.
    #[n(6)]
    pub catalogues: Vec<CatalogueFiles>,
    /// What the server shows: digests of folded records.
    #[n(7)]
    pub records: Vec<Shown>,
}

/// One journal of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct JournalPart {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// Its entries from the first.
    #[n(1)]
    pub entries: Vec<WireEntry>,
}

/// The files of one catalogue version.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CatalogueFiles {
    /// The version.
    #[n(0)]
    pub version: u32,
    /// Name and text of each file.
    #[n(1)]
    pub files: Vec<(String, String)>,
}

/// A record as the server shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Shown {
    /// Its journal.
    #[n(0)]
    pub journal: JournalId,
    /// The record.
    #[n(1)]
    pub record: RecordId,
    /// See [`record_digest`].
    #[n(2)]
    pub digest: Digest,
}

/// `SHA-256("zhucun record digest v1" ‖ CBOR(record))`.
pub fn record_digest(record: &Record) -> Digest {
    sha256(&[b"zhucun record digest v1", &cbor::encode(record)])
}

impl Bundle {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let bundle: Self = cbor::decode(bytes).map_err(|error| Unreadable(error.to_string()))?;
        if bundle.version == BUNDLE_VERSION {
            Ok(bundle)
        } else {
            Err(Unreadable(format!(
                "version {} is not known",
                bundle.version
            )))
        }
    }
}

/// The file is no bundle: torn, changed or of another version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an audit bundle: {0}")]
pub struct Unreadable(String);

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The journal it is in; `None` if it is about the log or the bundle as a whole.
    pub journal: Option<JournalId>,
    /// The entry, if one.
    pub seq: Option<Seq>,
    /// A stable code: see [`codes`].
    pub code: &'static str,
    /// What was found, without values of people.
    pub detail: String,
}

/// The stable codes of findings.
pub mod codes {
    /// The registry does not begin with the founding of this deployment.
    pub const FOUNDING: &str = "founding";
    /// An entry cannot be unpacked.
    pub const MALFORMED: &str = "malformed";
    /// The chain does not continue.
    pub const CHAIN: &str = "chain";
    /// A signature does not verify.
    pub const SIGNATURE: &str = "signature";
    /// A lane has a gap, or continues another batch.
    pub const LANE: &str = "lane";
    /// A batch vouches for a head that is not on the chain.
    pub const SEEN: &str = "seen";
    /// An entry names a registry position that does not exist.
    pub const AUTHORITY: &str = "authority";
    /// A fate is not the one that the rules give.
    pub const FATE: &str = "fate";
    /// A catalogue's files are not those that were published.
    pub const CATALOGUE: &str = "catalogue";
    /// The checkpoint does not verify, or not over these leaves.
    pub const CHECKPOINT: &str = "checkpoint";
    /// The log does not continue the checkpoint that the auditor kept.
    pub const ROLLED_BACK: &str = "rolled_back";
    /// A leaf publishes a head that is not on its journal's chain.
    pub const LEAF: &str = "leaf";
    /// The server shows a record that is not what its commands add up to.
    pub const RECORD: &str = "record";
    /// An entry names a version of the fold's rules that this verifier does not know.
    pub const VERSION: &str = "version";
    /// Parts of the bundle stand twice or out of order.
    pub const ORDER: &str = "order";
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What does not hold; nothing, if all is well.
    pub findings: Vec<Finding>,
    /// Journals checked, the registry among them.
    pub journals: usize,
    /// Entries checked.
    pub entries: usize,
    /// Commands whose fate was decided again.
    pub decided: usize,
    /// Commands whose recorded refusal rests on content that the bundle does not hold.
    pub undecided: usize,
    /// Commands whose content is withheld or erased.
    pub withheld: usize,
    /// Records folded again.
    pub folded: usize,
    /// Records some of whose content is withheld or erased.
    pub partial: usize,
    /// Records as the server shows them, compared with what their commands add up to.
    pub compared: usize,
    /// Journals that the registry knows and the bundle does not bring.
    pub absent: usize,
    /// Entries that no leaf covers yet: what no checkpoint covers can still be changed by who holds the operator's keys.
    pub uncovered: usize,
    /// The log's size.
    pub leaves: u64,
    /// The size of the checkpoint that the auditor kept, if one was given and the log continues it.
    pub since: Option<u64>,
    /// Losses that the operator declared: what the log covered of a journal and does not hold any more.
    pub lost: Vec<Lost>,
}

/// A loss that the operator declared and signed in the registry: the journal began a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The registry entry that says so.
    pub registry: Seq,
    /// The journal.
    pub journal: JournalId,
    /// Where it goes on.
    pub at: Seq,
    /// Up to where the log had covered it; no further than `at` if nothing that was covered is missing.
    pub covered: Seq,
    /// Why, in the operator's words.
    pub reason: String,
}

impl Report {
    /// Whether everything holds.
    pub const fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(
        &mut self,
        journal: Option<JournalId>,
        seq: Option<Seq>,
        code: &'static str,
        detail: impl Into<String>,
    ) {
        self.findings.push(Finding {
            journal,
            seq,
            code,
            detail: detail.into(),
        });
    }
}

/// What the registry said, position by position.
struct Authority {
    deployment: DeploymentId,
    acts: Vec<Vec<RegistryAct>>,
    heads: Vec<Digest>,
    end: Registry,
}

/// Catalogues that were read before, by the digest of their files: reading one takes longer than verifying a small bundle.
#[derive(Debug, Clone, Default)]
pub struct Read(BTreeMap<Digest, Catalogue>);

/// Verifies a bundle. `since` is a checkpoint that the auditor kept from an earlier audit.
pub fn verify(bundle: &Bundle, since: Option<&str>) -> Report {
    verify_with(bundle, since, &mut Read::default())
}

/// Verifies one of many bundles.
pub fn verify_with(bundle: &Bundle, since: Option<&str>, read: &mut Read) -> Report {
    let mut report = Report::default();
    check_order(bundle, &mut report);
    let authority = check_registry(bundle, &mut report);
    let catalogues = check_catalogues(bundle, &authority, read, &mut report);
    let mut heads: BTreeMap<JournalId, Vec<Digest>> = BTreeMap::new();
    heads.insert(registry_journal(bundle.deployment), authority.heads.clone());
    let mut folded: BTreeMap<(JournalId, RecordId), Digest> = BTreeMap::new();
    for part in &bundle.journals {
        let mut journal = Journal::new(part.journal, &authority, &catalogues);
        for (seq, wire) in (1..).zip(&part.entries) {
            if !journal.check(seq, wire, &mut report) {
                break;
            }
        }
        report.journals += 1;
        folded.extend(journal.fold(&mut report));
        heads.insert(part.journal, journal.heads);
    }
    let known = authority.end.journals.keys();
    report.absent = known.filter(|journal| !heads.contains_key(journal)).count();
    check_records(bundle, &folded, &mut report);
    check_epochs(bundle, &authority, &heads, &mut report);
    check_log(bundle, &authority, &heads, since, &mut report);
    report
}

/// A bundle has one form: nothing in it stands twice.
fn check_order(bundle: &Bundle, report: &mut Report) {
    let ascends = [
        (
            "journals",
            (bundle.journals).is_sorted_by(|one, next| one.journal < next.journal),
        ),
        (
            "catalogues",
            (bundle.catalogues).is_sorted_by(|one, next| one.version < next.version),
        ),
        (
            "records",
            (bundle.records)
                .is_sorted_by(|one, next| (one.journal, one.record) < (next.journal, next.record)),
        ),
    ];
    for (what, _) in ascends.iter().filter(|(_, ascends)| !ascends) {
        let detail = format!("{what} stand twice or out of order");
        report.find(None, None, codes::ORDER, detail);
    }
}

fn check_registry(bundle: &Bundle, report: &mut Report) -> Authority {
    let journal = registry_journal(bundle.deployment);
    let mut end = Registry::empty(bundle.deployment);
    let mut authority = Authority {
        deployment: bundle.deployment,
        acts: Vec::new(),
        heads: vec![end.chain.end.head],
        end: end.clone(),
    };
    let mut lanes = BTreeMap::new();
    report.journals += 1;
    for (seq, wire) in (1..).zip(&bundle.registry) {
        report.entries += 1;
        let Ok(entry) = wire.open(bundle.deployment, |_| None) else {
            report.find(
                Some(journal),
                Some(seq),
                codes::MALFORMED,
                "the entry cannot be unpacked",
            );
            break;
        };
        let acts: Vec<RegistryAct> = entry
            .parts
            .commands()
            .filter_map(|command| registry::from_command(&command))
            .map(|(act, _)| act)
            .collect();
        if acts.len() != entry.parts.batch.envelopes.len() {
            report.find(
                Some(journal),
                Some(seq),
                codes::MALFORMED,
                "an act is withheld or none",
            );
        }
        let operator = operator_before(&end, &acts, seq, bundle.deployment);
        let Some(operator) = operator else {
            report.find(
                Some(journal),
                Some(seq),
                codes::FOUNDING,
                "the registry does not begin with the founding of this deployment",
            );
            break;
        };
        if entry.head.registry != end.chain.end {
            report.find(
                Some(journal),
                Some(seq),
                codes::AUTHORITY,
                "the registry is judged at its own end",
            );
        }
        if !operators_entry(
            end.chain,
            &entry,
            &operator,
            &mut lanes,
            bundle.deployment,
            report,
        ) {
            break;
        }
        match end.chain.append_entry(bundle.deployment, &entry) {
            Ok(chain) => end.chain = chain,
            Err(broken) => {
                report.find(Some(journal), Some(seq), codes::CHAIN, broken.to_string());
                break;
            }
        }
        acts.iter().cloned().for_each(|act| end.apply(act));
        authority.acts.push(acts);
        authority.heads.push(end.chain.end.head);
    }
    if bundle.registry.is_empty() {
        let detail = "the registry has no entry";
        report.find(Some(journal), Some(1), codes::FOUNDING, detail);
    }
    authority.end = end;
    authority
}

/// The operator key under which a registry entry must be signed.
fn operator_before(
    before: &Registry,
    acts: &[RegistryAct],
    seq: Seq,
    deployment: DeploymentId,
) -> Option<PublicKey> {
    match (&before.keys, acts.first()) {
        (Some(keys), _) => Some(keys.operator.clone()),
        (None, Some(RegistryAct::Found { operator, .. }))
            if seq == 1 && operator.deployment() == deployment =>
        {
            Some(operator.clone())
        }
        (None, _) => None,
    }
}

/// Checks who signed an operator's entry, and its lane. Says whether it is worth going on.
fn operators_entry(
    before: Chain,
    entry: &Entry,
    operator: &PublicKey,
    lanes: &mut BTreeMap<DeviceId, LaneEnd>,
    deployment: DeploymentId,
    report: &mut Report,
) -> bool {
    let (journal, seq) = (before.journal, Some(entry.head.seq));
    let batch = &entry.parts.batch;
    let mut wrong = |code: &'static str, detail: &str| {
        report.find(Some(journal), seq, code, detail);
        false
    };
    if !entry.parts.is_signed_by(deployment, operator) {
        return wrong(codes::SIGNATURE, "the operator did not sign it");
    }
    // A new operator key begins a new lane.
    let start = || LaneEnd::start(batch.device, journal);
    let lane = lanes.entry(batch.device).or_insert_with(start);
    if batch.previous != lane.batch || batch.first() != lane.n + 1 {
        return wrong(codes::LANE, "the operator's lane does not continue");
    }
    *lane = LaneEnd {
        n: batch.last(),
        batch: entry.head.batch,
    };
    if batch.seen != before.end {
        return wrong(codes::SEEN, "an operator sees the end of the chain");
    }
    if entry.head.fates.iter().any(|fate| *fate != Fate::Accepted) {
        return wrong(codes::FATE, "what an operator enters is accepted");
    }
    true
}

fn check_catalogues(
    bundle: &Bundle,
    authority: &Authority,
    read: &mut Read,
    report: &mut Report,
) -> Catalogues {
    let mut catalogues = Catalogues::new();
    for CatalogueFiles { version, files } in &bundle.catalogues {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(name, text)| SourceFile {
                name: name.clone(),
                text: text.clone(),
            })
            .collect();
        let digest = Catalogue::digest_of(&files);
        let published = authority.end.catalogues.get(version);
        if published.is_none_or(|published| published.digest != digest) {
            let detail = format!("version {version} is not the one that was published");
            report.find(None, None, codes::CATALOGUE, detail);
            continue;
        }
        let known = match read.0.get(&digest) {
            Some(known) => Some(known.clone()),
            None => Catalogue::parse(&files).ok(),
        };
        match known {
            Some(catalogue) => {
                read.0.insert(digest, catalogue.clone());
                catalogues.insert(*version, catalogue);
            }
            None => {
                let detail = format!("version {version} cannot be read");
                report.find(None, None, codes::CATALOGUE, detail);
            }
        }
    }
    let published = authority.end.catalogues.keys();
    for version in published.filter(|version| !catalogues.contains_key(version)) {
        let detail = format!("version {version} was published and is not here");
        report.find(None, None, codes::CATALOGUE, detail);
    }
    catalogues
}

/// One journal under verification.
struct Journal<'a> {
    authority: &'a Authority,
    catalogues: &'a Catalogues,
    registry: Registry,
    chain: Chain,
    heads: Vec<Digest>,
    received: BTreeMap<Seq, Timestamp>,
    lanes: BTreeMap<DeviceId, LaneEnd>,
    fates: BTreeMap<(DeviceId, u64), Fate>,
    taken: BTreeSet<Origin>,
    offered: BTreeMap<Origin, BTreeSet<DeviceId>>,
    index: Index,
    log: BTreeMap<RecordId, Vec<Logged>>,
}

impl<'a> Journal<'a> {
    fn new(journal: JournalId, authority: &'a Authority, catalogues: &'a Catalogues) -> Self {
        let chain = Chain::start(journal);
        Self {
            authority,
            catalogues,
            registry: Registry::empty(authority.deployment),
            chain,
            heads: vec![chain.end.head],
            received: BTreeMap::new(),
            lanes: BTreeMap::new(),
            fates: BTreeMap::new(),
            taken: BTreeSet::new(),
            offered: BTreeMap::new(),
            index: Index::new(),
            log: BTreeMap::new(),
        }
    }

    /// Checks the next entry. Says whether it is worth going on.
    fn check(&mut self, seq: Seq, wire: &WireEntry, report: &mut Report) -> bool {
        report.entries += 1;
        let journal = self.chain.journal;
        let deployment = self.authority.deployment;
        let Ok(entry) = wire.open(deployment, |_| None) else {
            report.find(
                Some(journal),
                Some(seq),
                codes::MALFORMED,
                "the entry cannot be unpacked",
            );
            return false;
        };
        // A seed gives the salts of what is withheld away, and nobody can tell whether it is the right one.
        if entry.parts.seed.is_some() && entry.parts.contents.iter().any(Option::is_none) {
            report.find(
                Some(journal),
                Some(seq),
                codes::MALFORMED,
                "a seed beside what is withheld",
            );
        }
        if entry.head.fold != FOLD_VERSION {
            let detail = format!("rules of version {}", entry.head.fold);
            report.find(Some(journal), Some(seq), codes::VERSION, detail);
        }
        let before = self.chain;
        match self.chain.append_entry(deployment, &entry) {
            Ok(chain) => self.chain = chain,
            Err(broken) => {
                report.find(Some(journal), Some(seq), codes::CHAIN, broken.to_string());
                return false;
            }
        }
        if !self.advance_registry(entry.head.registry) {
            report.find(
                Some(journal),
                Some(seq),
                codes::AUTHORITY,
                "the registry has no such position",
            );
            return false;
        }
        let purpose = self
            .authority
            .end
            .journals
            .get(&journal)
            .map(|info| info.purpose);
        let sound = match (purpose, self.registry.keys.clone()) {
            (Some(Purpose::Access), Some(keys)) => operators_entry(
                before,
                &entry,
                &keys.operator,
                &mut self.lanes,
                deployment,
                report,
            ),
            (Some(Purpose::Village), _) => self.check_village(before, &entry, report),
            (Some(Purpose::Access) | None, _) => {
                report.find(
                    Some(journal),
                    Some(seq),
                    codes::AUTHORITY,
                    "the registry knows no such journal",
                );
                false
            }
        };
        self.heads.push(self.chain.end.head);
        self.received.insert(seq, entry.head.received_at);
        sound
    }

    fn advance_registry(&mut self, to: Position) -> bool {
        let at = usize::try_from(to.seq).unwrap_or(usize::MAX);
        if self.authority.heads.get(at) != Some(&to.head) {
            return false;
        }
        let from = usize::try_from(self.registry.chain.end.seq).unwrap_or(usize::MAX);
        let acts = self
            .authority
            .acts
            .iter()
            .take(at)
            .skip(from)
            .flatten()
            .cloned();
        acts.collect::<Vec<_>>()
            .into_iter()
            .for_each(|act| self.registry.apply(act));
        self.registry.chain.end = to;
        true
    }

    fn check_village(&mut self, before: Chain, entry: &Entry, report: &mut Report) -> bool {
        let (journal, seq) = (before.journal, entry.head.seq);
        let batch = &entry.parts.batch;
        let device = self.registry.devices.get(&batch.device);
        if !device.is_some_and(|device| {
            entry
                .parts
                .is_signed_by(self.authority.deployment, &device.key)
        }) {
            report.find(
                Some(journal),
                Some(seq),
                codes::SIGNATURE,
                "no device known at its registry position signed it",
            );
            return false;
        }
        let lane = self
            .lanes
            .get(&batch.device)
            .copied()
            .unwrap_or_else(|| LaneEnd::start(batch.device, journal));
        if batch.first() != lane.n + 1 || batch.previous != lane.batch {
            report.find(
                Some(journal),
                Some(seq),
                codes::LANE,
                format!("command {} after {}", batch.first(), lane.n),
            );
            return false;
        }
        let seen = usize::try_from(batch.seen.seq)
            .ok()
            .and_then(|seq| self.heads.get(seq));
        if seen != Some(&batch.seen.head) {
            report.find(
                Some(journal),
                Some(seq),
                codes::SEEN,
                format!("at position {}", batch.seen.seq),
            );
            return false;
        }
        self.decide_again(before, lane, entry, report);
        self.take(entry, report);
        true
    }

    fn decide_again(&self, before: Chain, lane: LaneEnd, entry: &Entry, report: &mut Report) {
        let batch = &entry.parts.batch;
        let wanted = Wanted::by(batch);
        let part = |records: &BTreeSet<RecordId>| -> Index {
            records
                .iter()
                .filter_map(|record| Some((*record, self.index.get(record)?.clone())))
                .collect()
        };
        let mut index = part(&wanted.records);
        index.extend(part(&Wanted::linked(&index)));
        let circumstances = Circumstances {
            registry: &self.registry,
            catalogues: self.catalogues,
            chain: before,
            lane,
            head_at_seen: Some(batch.seen.head),
            received: self
                .received
                .iter()
                .map(|(seq, at)| (*seq, *at))
                .filter(|(seq, _)| wanted.bases.contains(seq))
                .collect(),
            lane_fates: wanted
                .lane
                .iter()
                .filter_map(|n| Some((*n, self.fates.get(&(batch.device, *n))?.clone())))
                .collect(),
            taken: wanted
                .origins
                .iter()
                .filter(|origin| self.taken.contains(origin))
                .copied()
                .collect(),
            offered: wanted
                .origins
                .iter()
                .filter_map(|origin| Some((*origin, self.offered.get(origin)?.clone())))
                .collect(),
            index,
            now: entry.head.received_at,
        };
        let (received_at, recorded) = (entry.head.received_at, &entry.head.fates);
        let (fates, _) = admit::judge(&entry.parts, received_at, recorded, circumstances);
        let held = entry.parts.contents.iter().map(Option::is_some);
        for (((again, recorded), held), envelope) in fates
            .iter()
            .zip(&entry.head.fates)
            .zip(held)
            .zip(&batch.envelopes)
        {
            if again == recorded {
                report.decided += 1;
            } else if !held && recorded.is_refused() {
                report.undecided += 1;
            } else {
                let detail = format!(
                    "command {} of device {}: recorded {}, decided again {}",
                    envelope.n,
                    batch.device,
                    said(recorded),
                    said(again)
                );
                report.find(
                    Some(before.journal),
                    Some(entry.head.seq),
                    codes::FATE,
                    detail,
                );
            }
        }
    }

    fn take(&mut self, entry: &Entry, report: &mut Report) {
        let (head, batch) = (&entry.head, &entry.parts.batch);
        admit::replay(
            &mut self.index,
            &self.registry,
            self.catalogues,
            head,
            batch,
        );
        for (envelope, fate) in batch.envelopes.iter().zip(&entry.head.fates) {
            let own = batch.origin(envelope.n);
            for origin in [Some(own), envelope.origin].into_iter().flatten() {
                self.offered.entry(origin).or_default().insert(batch.device);
                if fate.counts() {
                    self.taken.insert(origin);
                }
            }
            self.fates.insert((batch.device, envelope.n), fate.clone());
        }
        report.withheld += entry
            .parts
            .contents
            .iter()
            .filter(|content| content.is_none())
            .count();
        self.lanes.insert(
            batch.device,
            LaneEnd {
                n: batch.last(),
                batch: entry.head.batch,
            },
        );
        for logged in record::logged(entry) {
            for record in record::touches(&logged.command.envelope) {
                self.log.entry(record).or_default().push(logged.clone());
            }
        }
    }

    /// Folds every record again. What is erased here is erased where it is shown, and a journal that holds more than its
    /// reader may have is shown by none of its records: so a record whose content is not all here can be compared, too.
    fn fold(&self, report: &mut Report) -> Vec<((JournalId, RecordId), Digest)> {
        let journal = self.chain.journal;
        let records = self.log.iter().map(|(record, log)| {
            let whole = log.iter().all(|logged| logged.command.content.is_some());
            if whole {
                report.folded += 1;
            } else {
                report.partial += 1;
            }
            let folded = record::fold(self.catalogues, journal, *record, log);
            ((journal, *record), record_digest(&folded))
        });
        records.collect()
    }
}

/// A fate in the words of its codes.
fn said(fate: &Fate) -> String {
    match fate {
        Fate::Accepted => "accepted".to_owned(),
        Fate::Flagged(flags) => format!("flagged ({})", flags.join(", ")),
        Fate::NoEffect(code) => format!("without effect ({code})"),
        Fate::Refused(code, _) => format!("refused ({code})"),
    }
}

fn check_records(
    bundle: &Bundle,
    folded: &BTreeMap<(JournalId, RecordId), Digest>,
    report: &mut Report,
) {
    let mut shown = BTreeSet::new();
    for Shown {
        journal,
        record,
        digest,
    } in &bundle.records
    {
        shown.insert((*journal, *record));
        report.compared += 1;
        match folded.get(&(*journal, *record)) {
            Some(again) if again != digest => {
                report.find(
                    Some(*journal),
                    None,
                    codes::RECORD,
                    format!("record {record} is shown otherwise than its commands add up to"),
                );
            }
            Some(_) => {}
            None => report.find(
                Some(*journal),
                None,
                codes::RECORD,
                format!("record {record} is shown, and no entry speaks of it"),
            ),
        }
    }
    let claimed: BTreeSet<JournalId> = shown.iter().map(|(journal, _)| *journal).collect();
    for (journal, record) in folded
        .keys()
        .filter(|key| claimed.contains(&key.0) && !shown.contains(*key))
    {
        report.find(
            Some(*journal),
            None,
            codes::RECORD,
            format!("record {record} is not shown"),
        );
    }
}

/// An epoch goes on from a head that is on its journal's chain, and the log continues the checkpoint that it embeds.
fn check_epochs(
    bundle: &Bundle,
    authority: &Authority,
    heads: &BTreeMap<JournalId, Vec<Digest>>,
    report: &mut Report,
) {
    let Some(keys) = &authority.end.keys else {
        return;
    };
    let origin = checkpoint::origin(bundle.deployment);
    let mut trees: BTreeMap<u64, Digest> = BTreeMap::new();
    for (seq, act) in (1..)
        .zip(&authority.acts)
        .flat_map(|(seq, acts)| acts.iter().map(move |act| (seq, act)))
    {
        let RegistryAct::Reopen {
            journal,
            at,
            checkpoint,
            reason,
        } = act
        else {
            continue;
        };
        let registry = Some(registry_journal(bundle.deployment));
        let Ok(embedded) = open_checkpoint(checkpoint, &origin, &keys.log) else {
            let detail = "the checkpoint that an epoch embeds does not verify";
            report.find(registry, Some(seq), codes::CHECKPOINT, detail);
            continue;
        };
        let root = *trees
            .entry(embedded.size)
            .or_insert_with(|| root_at(&bundle.leaves, embedded.size));
        if root != embedded.root {
            let detail = "the log does not continue the checkpoint that an epoch embeds";
            report.find(registry, Some(seq), codes::ROLLED_BACK, detail);
            continue;
        }
        let on_chain = heads.get(journal).is_none_or(|chain| {
            let head = usize::try_from(at.seq).ok().and_then(|at| chain.get(at));
            head == Some(&at.head)
        });
        if !on_chain {
            let detail = "an epoch goes on from a head that is not there";
            report.find(Some(*journal), Some(at.seq), codes::CHAIN, detail);
        }
        let covered = (0..embedded.size).zip(&bundle.leaves);
        let covered = covered.filter(|(_, leaf)| leaf.journal == *journal);
        report.lost.push(Lost {
            registry: seq,
            journal: *journal,
            at: at.seq,
            covered: covered.map(|(_, leaf)| leaf.seq).max().unwrap_or(0),
            reason: reason.clone(),
        });
    }
}

/// The root of the tree over the first leaves.
fn root_at(leaves: &[Leaf], size: u64) -> Digest {
    let mut frontier = Frontier::default();
    for (_, leaf) in (0..size).zip(leaves) {
        frontier.append(leaf.hash());
    }
    frontier.root()
}

/// Whether a leaf covers what an epoch that began after it declared lost.
fn is_lost(authority: &Authority, origin: &str, keys: &PublicKey, at: u64, leaf: &Leaf) -> bool {
    authority.acts.iter().flatten().any(|act| {
        let RegistryAct::Reopen {
            journal,
            at: end,
            checkpoint,
            ..
        } = act
        else {
            return false;
        };
        *journal == leaf.journal
            && leaf.seq > end.seq
            && open_checkpoint(checkpoint, origin, keys).is_ok_and(|signed| at < signed.size)
    })
}

fn check_log(
    bundle: &Bundle,
    authority: &Authority,
    heads: &BTreeMap<JournalId, Vec<Digest>>,
    since: Option<&str>,
    report: &mut Report,
) {
    let origin = checkpoint::origin(bundle.deployment);
    let Some(keys) = &authority.end.keys else {
        return;
    };
    let mut frontier = Frontier::default();
    let kept = since.map(|note| open_checkpoint(note, &origin, &keys.log));
    let mut root_then = None;
    for (position, leaf) in (0_u64..).zip(&bundle.leaves) {
        if let Some(Ok(Checkpoint { size, .. })) = &kept
            && *size == position
        {
            root_then = Some(frontier.root());
        }
        frontier.append(leaf.hash());
        // A leaf of a journal that the bundle does not bring says nothing here.
        if let Some(chain) = heads.get(&leaf.journal)
            && usize::try_from(leaf.seq)
                .ok()
                .and_then(|seq| chain.get(seq))
                != Some(&leaf.head)
            && !is_lost(authority, &origin, &keys.log, position, leaf)
        {
            report.find(
                Some(leaf.journal),
                Some(leaf.seq),
                codes::LEAF,
                format!("leaf {position} of the log"),
            );
        }
    }
    report.leaves = frontier.size();
    for (journal, chain) in heads {
        let published = bundle.leaves.iter().filter(|leaf| leaf.journal == *journal);
        let covered = published.map(|leaf| leaf.seq).max().unwrap_or(0);
        let entries = (chain.len() as u64).saturating_sub(1);
        report.uncovered += usize::try_from(entries.saturating_sub(covered)).unwrap_or(usize::MAX);
    }
    match open_checkpoint(&bundle.checkpoint, &origin, &keys.log) {
        Ok(checkpoint)
            if checkpoint.size == frontier.size() && checkpoint.root == frontier.root() => {}
        Ok(_) => report.find(
            None,
            None,
            codes::CHECKPOINT,
            "the checkpoint is of another tree than these leaves make",
        ),
        Err(error) => report.find(None, None, codes::CHECKPOINT, error.to_string()),
    }
    match kept {
        None => {}
        Some(Err(error)) => report.find(
            None,
            None,
            codes::ROLLED_BACK,
            format!("the kept checkpoint does not verify: {error}"),
        ),
        Some(Ok(checkpoint)) => {
            let then = if checkpoint.size == frontier.size() {
                Some(frontier.root())
            } else {
                root_then
            };
            if then == Some(checkpoint.root) {
                report.since = Some(checkpoint.size);
            } else {
                report.find(
                    None,
                    None,
                    codes::ROLLED_BACK,
                    "the log does not continue the checkpoint that was kept",
                );
            }
        }
    }
}
