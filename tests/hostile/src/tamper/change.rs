//! What somebody does to a bundle who wants to be believed all the same.
//!
//! Long because every kind of change stands here, each short and read alone.

use std::collections::BTreeMap;

use sync_core::audit::{Bundle, JournalPart};
use sync_core::batch::{self, Parts, Salted, Sealing, Unsealed};
use sync_core::command::{Audience, Salt, Verb};
use sync_core::id::{
    AssignmentId, DeploymentId, Digest, JournalId, RecordId, Seq, Timestamp, sha256,
};
use sync_core::journal::{Chain, Entry, Fate};
use sync_core::registry::registry_journal;
use sync_core::sign::SigningKey;
use sync_core::sync::wire::WireEntry;
use sync_core::value::Value;

use super::cbor::Node;
use super::log::{Dice, Log, signed};

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A bit of the file.
    FlipBit,
    /// Some bytes of the file go.
    DeleteBytes,
    /// Some bytes come into the file.
    InsertBytes,
    /// Two runs of bytes change places.
    SwapBytes,
    /// One item of the file's CBOR is edited, and all of it written again as it must be.
    EditCbor,
    /// An entry goes; those after it keep their positions.
    DropEntry,
    /// An entry goes; those after it move up.
    DropEntryAndRenumber,
    /// An entry stands twice; those after it move down.
    RepeatEntry,
    /// Two entries change places, and take each other's positions.
    SwapEntries,
    /// An entry of one journal stands in another.
    MoveEntry,
    /// A journal as it was at an earlier position.
    CutJournal,
    /// Everything as it was at an earlier publication.
    RollBack,
    /// The end of a journal is that of another history: another order of the same batches, from some position on.
    Fork,
    /// An entry's batch under another key's signature.
    SignByAnother,
    /// An entry's batch under another key's signature, and as that key's device's.
    SignAsAnother,
    /// A checkpoint under another key's signature.
    SignCheckpointByAnother,
    /// Two fates change places.
    SwapFates,
    /// A fate becomes another.
    EditFate,
    /// When an entry was received.
    MoveReceipt,
    /// The registry position that an entry was judged at.
    MoveRegistry,
    /// The version of the fold's rules.
    EditFold,
    /// A leaf goes.
    DropLeaf,
    /// A leaf stands twice.
    RepeatLeaf,
    /// Two leaves change places.
    SwapLeaves,
    /// A leaf publishes something else.
    EditLeaf,
    /// Two contents change places.
    SwapContents,
    /// What somebody wrote.
    EditContent,
    /// What hides it.
    EditSalt,
    /// One member of a command's envelope.
    EditEnvelope,
    /// One member of a batch.
    EditBatch,
    /// From some position on everything is hashed again over a changed entry, the leaves with it; the checkpoint is as it was.
    ReplaceSuffix,
    /// The same, under the log's own key: nobody but an auditor who kept a checkpoint can tell.
    ReplaceSuffixAndSign,
    /// The end of a journal goes, with its leaves, under the log's own key.
    CutJournalAndSign,
    /// Leaves go, under the log's own key.
    DropLeafAndSign,
    /// The registry says something else, under the operator's and the log's own keys.
    ForgeRegistry,
    /// The catalogue says something else.
    EditCatalogue,
    /// A catalogue is missing, or one too many.
    AddOrDropCatalogue,
    /// A record is shown otherwise.
    EditShown,
    /// A record is not shown.
    DropShown,
    /// A record is shown that nobody wrote.
    InventShown,
    /// A record is shown twice.
    RepeatShown,
    /// Two records are shown as each other.
    SwapShown,
    /// A journal stands there twice.
    RepeatJournal,
    /// It is another deployment's.
    EditDeployment,
}

/// A changed file, before or after it was written.
#[derive(Debug)]
pub enum Forged {
    /// Bytes.
    File(Vec<u8>),
    /// A bundle.
    Bundle(Box<Bundle>),
}

/// A changed bundle, and where.
#[derive(Debug)]
pub struct Changed {
    /// What the auditor is given.
    pub forged: Forged,
    /// Whether the auditor must have kept the newest checkpoint to tell.
    pub needs_kept: bool,
    /// The entry that a finding must name, or a later one of its journal.
    pub at: Option<(JournalId, Seq)>,
}

/// Where an entry is: in the registry, or in one of the journals.
#[derive(Debug, Clone, Copy)]
struct Spot {
    part: Option<usize>,
    index: usize,
}

impl Spot {
    fn entries(self, bundle: &mut Bundle) -> Option<&mut Vec<WireEntry>> {
        match self.part {
            None => Some(&mut bundle.registry),
            Some(part) => bundle.journals.get_mut(part).map(|part| &mut part.entries),
        }
    }

    fn journal(self, bundle: &Bundle) -> Option<JournalId> {
        match self.part {
            None => Some(registry_journal(bundle.deployment)),
            Some(part) => bundle.journals.get(part).map(|part| part.journal),
        }
    }

    fn named(self, bundle: &Bundle) -> Option<(JournalId, Seq)> {
        Some((self.journal(bundle)?, self.index as u64 + 1))
    }
}

fn spot(bundle: &Bundle, dice: &mut Dice) -> Option<Spot> {
    // Villages more often than the registry, which is long.
    let part = match dice.index(bundle.journals.len() + 1) {
        0 => None,
        part => Some(part - 1),
    };
    let length = match part {
        None => bundle.registry.len(),
        Some(part) => bundle.journals.get(part)?.entries.len(),
    };
    (length > 0).then(|| Spot {
        part,
        index: dice.index(length),
    })
}

/// A place in a village's journal.
fn village(bundle: &Bundle, dice: &mut Dice) -> Option<Spot> {
    (0..20)
        .filter_map(|_| spot(bundle, dice))
        .find(|spot| spot.part.is_some())
}

/// A place in a village's journal where not all commands of an entry had the same fate: there are few.
fn mixed(bundle: &Bundle, dice: &mut Dice) -> Option<Spot> {
    let mut spots = Vec::new();
    for (part, journal) in bundle.journals.iter().enumerate() {
        for (index, wire) in journal.entries.iter().enumerate() {
            let fates = opened(bundle.deployment, wire).map(|entry| entry.head.fates);
            if fates.is_some_and(|fates| fates.iter().any(|fate| Some(fate) != fates.first())) {
                let part = Some(part);
                spots.push(Spot { part, index });
            }
        }
    }
    (!spots.is_empty()).then(|| spots[dice.index(spots.len())])
}

fn opened(deployment: DeploymentId, wire: &WireEntry) -> Option<Entry> {
    wire.open(deployment, |_| None).ok()
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 44] = [
        Self::FlipBit,
        Self::DeleteBytes,
        Self::InsertBytes,
        Self::SwapBytes,
        Self::EditCbor,
        Self::DropEntry,
        Self::DropEntryAndRenumber,
        Self::RepeatEntry,
        Self::SwapEntries,
        Self::MoveEntry,
        Self::CutJournal,
        Self::RollBack,
        Self::Fork,
        Self::SignByAnother,
        Self::SignAsAnother,
        Self::SignCheckpointByAnother,
        Self::SwapFates,
        Self::EditFate,
        Self::MoveReceipt,
        Self::MoveRegistry,
        Self::EditFold,
        Self::DropLeaf,
        Self::RepeatLeaf,
        Self::SwapLeaves,
        Self::EditLeaf,
        Self::SwapContents,
        Self::EditContent,
        Self::EditSalt,
        Self::EditEnvelope,
        Self::EditBatch,
        Self::ReplaceSuffix,
        Self::ReplaceSuffixAndSign,
        Self::CutJournalAndSign,
        Self::DropLeafAndSign,
        Self::ForgeRegistry,
        Self::EditCatalogue,
        Self::AddOrDropCatalogue,
        Self::EditShown,
        Self::DropShown,
        Self::InventShown,
        Self::RepeatShown,
        Self::SwapShown,
        Self::RepeatJournal,
        Self::EditDeployment,
    ];

    /// The log so changed; nothing if it has nothing to change in this way.
    pub fn of(self, log: &Log, file: &[u8], dice: &mut Dice) -> Option<Changed> {
        let mut bundle = log.bundle.clone();
        match self {
            Self::FlipBit | Self::DeleteBytes | Self::InsertBytes | Self::SwapBytes => {
                return Some(plain(Forged::File(self.bytes(log, file, dice))));
            }
            Self::EditCbor => {
                return edit_cbor(file, dice).map(|file| plain(Forged::File(file)));
            }
            Self::RollBack => {
                let earlier = log.earlier.get(dice.index(log.earlier.len()))?.clone();
                return Some(signed_by_the_log(earlier));
            }
            Self::ReplaceSuffixAndSign
            | Self::CutJournalAndSign
            | Self::DropLeafAndSign
            | Self::ForgeRegistry => {
                self.by_the_server(log, &mut bundle, dice)?;
                return Some(signed_by_the_log(bundle));
            }
            Self::ReplaceSuffix => {
                let at = village(&bundle, dice)?;
                move_receipt(at, &mut bundle, dice)?;
                let checkpoint = bundle.checkpoint.clone();
                republish(&mut bundle, &log.log_key)?;
                bundle.checkpoint = checkpoint;
                return Some(plain(Forged::Bundle(Box::new(bundle))));
            }
            _ => {}
        }
        let at = self
            .entries(&mut bundle, dice)
            .or_else(|| self.one_entry(log, &mut bundle, dice));
        if at.is_none() {
            self.elsewhere(&mut bundle, dice)?;
        }
        let at = at.and_then(|at| at.named(&log.bundle));
        let forged = Forged::Bundle(Box::new(bundle));
        Some(Changed {
            forged,
            needs_kept: false,
            at,
        })
    }

    fn bytes(self, log: &Log, file: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut bytes = file.to_vec();
        // Most of the file is catalogue: one change in eight may be there.
        let catalogue: usize = (log.bundle.catalogues.iter())
            .flat_map(|catalogue| &catalogue.files)
            .map(|(name, text)| name.len() + text.len())
            .sum();
        let before = file.len() - catalogue - 40 * log.bundle.records.len();
        let at = if dice.below(8) == 0 {
            dice.index(file.len())
        } else {
            dice.index(before)
        };
        let length = (1 + dice.index(40)).min(file.len() - at);
        match self {
            Self::DeleteBytes => {
                bytes.drain(at..at + length);
            }
            Self::InsertBytes => {
                let from = dice.index(file.len() - length);
                let inserted = file[from..from + length].to_vec();
                drop(bytes.splice(at..at, inserted));
            }
            Self::SwapBytes => {
                let other = dice.index(file.len() - length);
                for place in 0..length {
                    bytes.swap(at + place, other + place);
                }
            }
            _ => bytes[at] ^= 1 << dice.below(8),
        }
        bytes
    }

    /// Changes of which entries there are.
    fn entries(self, bundle: &mut Bundle, dice: &mut Dice) -> Option<Spot> {
        let one_of_these = matches!(
            self,
            Self::DropEntry
                | Self::DropEntryAndRenumber
                | Self::RepeatEntry
                | Self::SwapEntries
                | Self::MoveEntry
                | Self::CutJournal
                | Self::Fork
        );
        if !one_of_these {
            return None;
        }
        let mut at = spot(bundle, dice)?;
        let donor = spot(bundle, dice)?;
        let moved = donor
            .entries(bundle)
            .and_then(|entries| entries.get(donor.index).cloned())?;
        let entries = at.entries(bundle)?;
        match self {
            Self::DropEntry | Self::DropEntryAndRenumber => {
                entries.remove(at.index);
            }
            Self::RepeatEntry => {
                let entry = entries.get(at.index)?.clone();
                entries.insert(at.index, entry);
            }
            Self::MoveEntry => entries.insert(at.index, moved),
            Self::CutJournal => entries.truncate(at.index),
            Self::SwapEntries => {
                let other = dice.index(entries.len());
                if other == at.index {
                    return None;
                }
                entries.swap(at.index, other);
                at.index = at.index.min(other);
            }
            _ => {
                let rest = entries.len() - at.index;
                if rest < 2 {
                    return None;
                }
                entries[at.index..].rotate_left(1 + dice.index(rest - 1));
            }
        }
        if self != Self::DropEntry && self != Self::CutJournal {
            for (seq, entry) in (1..).zip(entries) {
                entry.seq = seq;
            }
        }
        Some(at)
    }

    /// Changes of one entry.
    fn one_entry(self, log: &Log, bundle: &mut Bundle, dice: &mut Dice) -> Option<Spot> {
        let at = match self {
            Self::MoveReceipt | Self::EditFold => spot(bundle, dice)?,
            Self::SwapFates => mixed(bundle, dice)?,
            Self::EditFate | Self::MoveRegistry | Self::SwapContents | Self::EditContent => {
                village(bundle, dice)?
            }
            Self::EditSalt
            | Self::EditEnvelope
            | Self::EditBatch
            | Self::SignByAnother
            | Self::SignAsAnother => spot(bundle, dice)?,
            _ => return None,
        };
        if self == Self::MoveReceipt {
            move_receipt(at, bundle, dice)?;
            return Some(at);
        }
        let deployment = bundle.deployment;
        let positions: Vec<Digest> = heads(
            deployment,
            &JournalPart {
                journal: registry_journal(deployment),
                entries: bundle.registry.clone(),
            },
        );
        let wire = at.entries(bundle)?.get_mut(at.index)?;
        let mut entry = opened(deployment, wire)?;
        let before = entry.clone();
        match self {
            Self::EditFold => entry.head.fold = u16::try_from(dice.below(9)).unwrap_or(9),
            Self::SwapFates => {
                let fates = &mut entry.head.fates;
                let one = dice.index(fates.len());
                let differs = |other: &usize| fates[*other] != fates[one];
                let others: Vec<usize> = (0..fates.len()).filter(differs).collect();
                fates.swap(one, others[dice.index(others.len())]);
            }
            Self::EditFate => {
                let fate = match dice.below(4) {
                    0 => Fate::Accepted,
                    1 => Fate::Flagged(vec!["clock".to_owned()]),
                    2 => Fate::NoEffect("superseded".to_owned()),
                    _ => Fate::Refused("not_allowed".to_owned(), None),
                };
                let one = dice.index(entry.head.fates.len());
                entry.head.fates[one] = fate;
            }
            Self::MoveRegistry => {
                let seq = dice.index(positions.len());
                entry.head.registry.seq = seq as u64;
                entry.head.registry.head = positions[seq];
            }
            Self::SwapContents => swap_contents(&mut entry.parts, dice)?,
            Self::EditContent => edit_content(&mut entry.parts, dice)?,
            Self::EditSalt => {
                let one = dice.index(entry.parts.contents.len());
                if let Some(seed) = &mut entry.parts.seed {
                    seed.0[dice.index(16)] ^= 1;
                } else if let Some(salted) = &mut entry.parts.contents[one] {
                    salted.salt = Salt(dice.bytes());
                }
            }
            Self::EditEnvelope => edit_envelope(&mut entry.parts, dice),
            Self::EditBatch => edit_batch(&mut entry.parts, dice),
            _ => sign_by_another(&mut entry.parts, self == Self::SignAsAnother, log, dice),
        }
        if entry == before {
            return None;
        }
        *wire = WireEntry::pack(&entry);
        Some(at)
    }

    /// Changes of anything but entries.
    fn elsewhere(self, bundle: &mut Bundle, dice: &mut Dice) -> Option<()> {
        let (leaf, other) = (
            dice.index(bundle.leaves.len()),
            dice.index(bundle.leaves.len()),
        );
        let (record, next) = (
            dice.index(bundle.records.len()),
            dice.index(bundle.records.len()),
        );
        match self {
            Self::SignCheckpointByAnother => {
                let key = SigningKey::from_seed(dice.bytes());
                bundle.checkpoint = signed(bundle.deployment, &bundle.leaves, &key);
            }
            Self::DropLeaf => {
                bundle.leaves.remove(leaf);
            }
            Self::RepeatLeaf => bundle.leaves.insert(other, *bundle.leaves.get(leaf)?),
            Self::SwapLeaves => {
                (leaf != other).then_some(())?;
                bundle.leaves.swap(leaf, other);
            }
            Self::EditLeaf => {
                let leaf = bundle.leaves.get_mut(leaf)?;
                match dice.below(3) {
                    0 => leaf.journal = JournalId(dice.bytes()),
                    1 => leaf.seq += 1 + dice.below(3),
                    _ => leaf.head = Digest(dice.bytes()),
                }
            }
            Self::EditCatalogue => {
                let files = &mut bundle.catalogues.first_mut()?.files;
                let file = dice.index(files.len());
                let (_, text) = files.get_mut(file)?;
                text.push(if dice.below(2) == 0 { ' ' } else { '#' });
            }
            Self::AddOrDropCatalogue => {
                let mut more = bundle.catalogues.first()?.clone();
                match dice.below(3) {
                    0 => bundle.catalogues.clear(),
                    1 => bundle.catalogues.push(more),
                    _ => {
                        more.version += 1;
                        bundle.catalogues.push(more);
                    }
                }
            }
            Self::EditShown => bundle.records.get_mut(record)?.digest = Digest(dice.bytes()),
            Self::DropShown => {
                let journal = bundle.records.get(record)?.journal;
                let shown = |shown: &&sync_core::audit::Shown| shown.journal == journal;
                (bundle.records.iter().filter(shown).count() > 1).then_some(())?;
                bundle.records.remove(record);
            }
            Self::InventShown => {
                let mut shown = *bundle.records.get(record)?;
                shown.record = RecordId(dice.bytes());
                bundle.records.push(shown);
                bundle
                    .records
                    .sort_by_key(|shown| (shown.journal, shown.record));
            }
            Self::RepeatShown => {
                let shown = *bundle.records.get(record)?;
                bundle.records.insert(record, shown);
            }
            Self::SwapShown => {
                let digest = bundle.records.get(record)?.digest;
                (record != next).then_some(())?;
                let was = core::mem::replace(&mut bundle.records.get_mut(next)?.digest, digest);
                bundle.records.get_mut(record)?.digest = was;
            }
            Self::RepeatJournal => {
                let part = bundle.journals.get(dice.index(bundle.journals.len()))?;
                bundle.journals.push(part.clone());
            }
            Self::EditDeployment => bundle.deployment = DeploymentId(dice.bytes()),
            _ => return None,
        }
        Some(())
    }

    /// What a server can do that has all the keys of the deployment.
    fn by_the_server(self, log: &Log, bundle: &mut Bundle, dice: &mut Dice) -> Option<()> {
        match self {
            Self::ReplaceSuffixAndSign => {
                let at = spot(bundle, dice)?;
                move_receipt(at, bundle, dice)?;
            }
            Self::CutJournalAndSign => {
                let at = village(bundle, dice)?;
                at.entries(bundle)?.truncate(at.index);
            }
            Self::DropLeafAndSign => {
                bundle.leaves.remove(dice.index(bundle.leaves.len()));
            }
            _ => forge_registry(log, bundle, dice)?,
        }
        republish(bundle, &log.log_key)
    }
}

const fn plain(forged: Forged) -> Changed {
    Changed {
        forged,
        needs_kept: false,
        at: None,
    }
}

fn signed_by_the_log(bundle: Bundle) -> Changed {
    Changed {
        forged: Forged::Bundle(Box::new(bundle)),
        needs_kept: true,
        at: None,
    }
}

pub(crate) fn edit_cbor(file: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let mut root = Node::read(file)?;
    let mut place = dice.index(root.count());
    let draw = dice.below(6);
    match root.at(&mut place)? {
        Node::Plain(7, number) => *number ^= 1,
        Node::Plain(_, number) => {
            *number = match draw {
                0 => number.wrapping_add(1),
                1 => number.wrapping_sub(1),
                2 => 0,
                _ => dice.below(u64::MAX),
            }
        }
        Node::Bytes(bytes) | Node::Text(bytes) => match draw {
            0 => {
                bytes.pop();
            }
            1 => bytes.push(b'0'),
            2 => bytes.clear(),
            _ => {
                let at = dice.index(bytes.len());
                *bytes.get_mut(at)? ^= 1 << dice.below(7);
            }
        },
        Node::Array(items) => {
            let (one, other) = (dice.index(items.len()), dice.index(items.len()));
            let item = items.get(one)?.clone();
            match draw {
                0 | 1 => {
                    items.remove(one);
                }
                2 => items.insert(other, item),
                3 => items.push(Node::Plain(7, 22)),
                _ => items.swap(one, other),
            }
        }
        Node::Map(pairs) => {
            pairs.pop();
        }
        Node::Tag(tag, _) => *tag += 1,
    }
    let mut edited = Vec::with_capacity(file.len());
    root.write(&mut edited);
    Some(edited)
}

/// Another time of receipt that does not run backwards, so that the chain itself has nothing against it.
fn move_receipt(at: Spot, bundle: &mut Bundle, dice: &mut Dice) -> Option<()> {
    let entries = at.entries(bundle)?;
    let received = |index: usize| entries.get(index).map(|entry| entry.received_at.0);
    let (now, next) = (received(at.index)?, received(at.index + 1));
    let before = at.index.checked_sub(1).and_then(received);
    let (from, to) = (before.unwrap_or(now - 60_000), next.unwrap_or(now + 60_000));
    let moved = from + i64::try_from(dice.below(u64::try_from(to - from).ok()? + 1)).ok()?;
    (moved != now).then_some(())?;
    entries.get_mut(at.index)?.received_at = Timestamp(moved);
    Some(())
}

fn swap_contents(parts: &mut Parts, dice: &mut Dice) -> Option<()> {
    let length = parts.contents.len();
    let (one, other) = (dice.index(length), dice.index(length));
    let audience = |index: usize| parts.batch.envelopes.get(index).map(|one| one.audience);
    (audience(one) == audience(other)).then_some(())?;
    let of_one = parts.contents.get(one)?.clone()?.content;
    let of_other = parts.contents.get(other)?.clone()?.content;
    parts.contents.get_mut(one)?.as_mut()?.content = of_other;
    parts.contents.get_mut(other)?.as_mut()?.content = of_one;
    Some(())
}

fn edit_content(parts: &mut Parts, dice: &mut Dice) -> Option<()> {
    let one = dice.index(parts.contents.len());
    let content = &mut parts.contents.get_mut(one)?.as_mut()?.content;
    match dice.below(3) {
        0 => content.reason = Some("另一个理由".to_owned()),
        1 => {
            content
                .values
                .insert("phone".to_owned(), Value::text("139"));
        }
        _ => {
            let field = content.values.keys().next()?.clone();
            content.values.insert(field, Value::text("改"));
        }
    }
    Some(())
}

fn edit_envelope(parts: &mut Parts, dice: &mut Dice) {
    let one = dice.index(parts.batch.envelopes.len());
    let Some(envelope) = parts.batch.envelopes.get_mut(one) else {
        return;
    };
    match dice.below(11) {
        0 => envelope.record = RecordId(dice.bytes()),
        1 => "person".clone_into(&mut envelope.kind),
        2 => envelope.base = dice.below(40),
        3 => {
            envelope.at = envelope
                .at
                .plus_ms(1 - i64::try_from(dice.below(9)).unwrap_or(1));
        }
        4 => envelope.verb = Verb::Void,
        5 => envelope.action = Some("cancel".to_owned()),
        6 => envelope.fields.push("zzz".to_owned()),
        7 => envelope.links.clear(),
        8 => envelope.needs = Some(dice.below(9)),
        9 => envelope.digest = Digest(dice.bytes()),
        _ => {
            // Its content moves with it.
            envelope.audience = Audience::ALL[dice.index(4)];
        }
    }
}

fn edit_batch(parts: &mut Parts, dice: &mut Dice) {
    let batch = &mut parts.batch;
    match dice.below(7) {
        0 => batch.assignment = AssignmentId(dice.bytes()),
        1 => batch.catalogue += 1,
        2 => batch.previous = Digest(dice.bytes()),
        3 => batch.seen.seq = dice.below(40),
        4 => batch.seen.head = Digest(dice.bytes()),
        5 => batch.sealed_at = batch.sealed_at.plus_ms(1),
        _ => {
            // The last command goes.
            batch.envelopes.pop();
            parts.contents.pop();
        }
    }
}

fn commands(parts: &Parts) -> Option<Vec<Unsealed>> {
    let commands = (parts.batch.envelopes.iter().zip(&parts.contents)).map(|(envelope, salted)| {
        let Salted { content, .. } = salted.clone()?;
        Some(Unsealed {
            envelope: envelope.clone(),
            content,
        })
    });
    commands.collect()
}

/// Another key's signature over the same batch; or over the same commands, as its own.
fn sign_by_another(parts: &mut Parts, as_its_own: bool, log: &Log, dice: &mut Dice) {
    let mine = SigningKey::from_seed(dice.bytes());
    let known: Vec<&SigningKey> = log.devices.values().collect();
    let key = match dice.below(3) {
        0 => &mine,
        1 => &log.operator,
        _ => known.get(dice.index(known.len())).copied().unwrap_or(&mine),
    };
    let batch = &parts.batch;
    let sealing = Sealing {
        deployment: log.bundle.deployment,
        journal: batch.journal,
        assignment: batch.assignment,
        catalogue: batch.catalogue,
        previous: batch.previous,
        seen: batch.seen,
        at: batch.sealed_at,
        seed: batch::Seed(dice.bytes()),
        key,
    };
    let Some(commands) = commands(parts) else {
        return;
    };
    let sealed = batch::seal(&sealing, commands);
    if as_its_own {
        *parts = sealed;
    } else {
        parts.signature = sealed.signature;
    }
}

/// The registry from some act of the present operator on, with one act changed, as the operator would have written it.
fn forge_registry(log: &Log, bundle: &mut Bundle, dice: &mut Dice) -> Option<()> {
    let deployment = bundle.deployment;
    let operator = log.operator.public().device();
    let mut entries: Vec<Entry> = (bundle.registry.iter())
        .map(|wire| opened(deployment, wire))
        .collect::<Option<_>>()?;
    let own = |entry: &Entry| entry.parts.batch.device == operator;
    let first = entries.iter().position(own)?;
    let forged = first + dice.index(entries.len() - first);
    let (mut previous, mut head) = (None, Chain::start(registry_journal(deployment)).end.head);
    for (index, entry) in entries.iter_mut().enumerate() {
        if index >= forged {
            let batch = &entry.parts.batch;
            let mut commands = commands(&entry.parts)?;
            if index == forged {
                commands.first_mut()?.envelope.at = Timestamp(entry.head.received_at.0 - 1);
            }
            let mut seen = batch.seen;
            seen.head = head;
            let sealing = Sealing {
                deployment,
                journal: batch.journal,
                assignment: batch.assignment,
                catalogue: batch.catalogue,
                previous: previous.filter(|_| index > first).unwrap_or(batch.previous),
                seen,
                at: batch.sealed_at,
                seed: batch::Seed(dice.bytes()),
                key: &log.operator,
            };
            entry.parts = batch::seal(&sealing, commands);
            entry.head.registry.head = head;
            entry.head.batch = entry.parts.batch.digest(deployment);
            entry.head.signature = entry.parts.signature.clone();
        }
        previous = Some(entry.head.batch);
        head = sha256(&[&head.0, &entry.head.digest().0]);
    }
    bundle.registry = entries.iter().map(WireEntry::pack).collect();
    Some(())
}

/// The chain heads of a journal, that of the empty one first.
fn heads(deployment: DeploymentId, part: &JournalPart) -> Vec<Digest> {
    let mut heads = vec![Chain::start(part.journal).end.head];
    for wire in &part.entries {
        let (Some(before), Some(entry)) = (heads.last(), opened(deployment, wire)) else {
            break;
        };
        heads.push(sha256(&[&before.0, &entry.head.digest().0]));
    }
    heads
}

/// Hashes everything again, from the registry to the leaves, and signs the new tree.
fn republish(bundle: &mut Bundle, key: &SigningKey) -> Option<()> {
    let deployment = bundle.deployment;
    let registry = registry_journal(deployment);
    let mut positions = vec![Chain::start(registry).end.head];
    for wire in &mut bundle.registry {
        wire.registry.head = *positions.get(usize::try_from(wire.registry.seq).ok()?)?;
        let entry = opened(deployment, wire)?;
        positions.push(sha256(&[&positions.last()?.0, &entry.head.digest().0]));
    }
    let mut all = BTreeMap::new();
    for part in &mut bundle.journals {
        for wire in &mut part.entries {
            wire.registry.head = *positions.get(usize::try_from(wire.registry.seq).ok()?)?;
        }
        all.insert(part.journal, heads(deployment, part));
    }
    all.insert(registry, positions);
    bundle.leaves.retain_mut(|leaf| {
        let chain = all.get(&leaf.journal);
        let head = usize::try_from(leaf.seq).ok().zip(chain);
        let head = head.and_then(|(seq, chain)| chain.get(seq));
        head.map(|head| leaf.head = *head).is_some()
    });
    bundle.checkpoint = signed(deployment, &bundle.leaves, key);
    Some(())
}
