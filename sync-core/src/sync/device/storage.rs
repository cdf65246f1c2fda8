//! What the device keeps, by key. The shell seals every value with the vault under its key's name.

use minicbor::{Decode, Encode};

use super::local::{Pending, Sealed};
use super::{Device, Identity};
use crate::admit::Catalogues;
use crate::batch::{Bytes, Malformed, Unsealed, WireBatch};
use crate::catalog::{Catalogue, SourceFile};
use crate::cbor;
use crate::command::{Content, Envelope, Origin};
use crate::id::{AssignmentId, Digest, JournalId, Seq, Timestamp};
use crate::journal::Entry;
use crate::sync::wire::{WireBody, WireEntry};

/// What a stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Who the device is.
    Identity,
    /// Its last contact, checkpoint and the like.
    Contact,
    /// The files of a published catalogue version.
    Catalogue(u32),
    /// One registry entry that concerns it.
    Registry(Seq),
    /// One verified entry of a journal.
    Entry(JournalId, Seq),
    /// One command that is saved and not yet sealed.
    Pending(JournalId, u64),
    /// One sealed batch, by its first number, until its entry is folded.
    Sealed(JournalId, u64),
    /// One sealed batch carried for a teammate.
    Carried(Digest),
    /// That a command which did not count is left aside.
    Left(Origin),
}

impl Key {
    /// Its name: values are bound to it, so that none can be put in another's place.
    pub fn name(&self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::Contact => "contact".to_owned(),
            Self::Catalogue(version) => format!("catalogue/{version:010}"),
            Self::Registry(seq) => format!("registry/{seq:020}"),
            Self::Entry(journal, seq) => format!("entry/{journal}/{seq:020}"),
            Self::Pending(journal, n) => format!("pending/{journal}/{n:020}"),
            Self::Sealed(journal, first) => format!("sealed/{journal}/{first:020}"),
            Self::Carried(id) => format!("carried/{id}"),
            Self::Left(Origin { device, journal, n }) => format!("left/{device}/{journal}/{n:020}"),
        }
    }

    /// The key of a name.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        let key = match parts.as_slice() {
            ["identity"] => Self::Identity,
            ["contact"] => Self::Contact,
            ["catalogue", version] => Self::Catalogue(version.parse().ok()?),
            ["registry", seq] => Self::Registry(seq.parse().ok()?),
            ["entry", journal, seq] => Self::Entry(journal.parse().ok()?, seq.parse().ok()?),
            ["pending", journal, n] => Self::Pending(journal.parse().ok()?, n.parse().ok()?),
            ["sealed", journal, n] => Self::Sealed(journal.parse().ok()?, n.parse().ok()?),
            ["carried", id] => Self::Carried(id.parse().ok()?),
            ["left", device, journal, n] => {
                let (device, journal) = (device.parse().ok()?, journal.parse().ok()?);
                Self::Left(Origin {
                    device,
                    journal,
                    n: n.parse().ok()?,
                })
            }
            _ => return None,
        };
        // One name for each key: a number written otherwise is none.
        (key.name() == name).then_some(key)
    }

    /// Whether it must stay deliverable when the data key is gone: what is sealed for the server or carried for others.
    pub const fn is_outbox(&self) -> bool {
        matches!(self, Self::Sealed(..) | Self::Carried(_))
    }
}

/// One durable change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Of what.
    pub key: Key,
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
}

impl Write {
    /// Keeps a value.
    pub fn put(key: Key, value: Vec<u8>) -> Self {
        Self {
            key,
            value: Some(Bytes(value)),
        }
    }

    /// Forgets a value.
    pub const fn delete(key: Key) -> Self {
        Self { key, value: None }
    }
}

/// The storage does not hold what this device wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the device's storage is damaged at {key}: {why}")]
pub struct Damaged {
    /// Where.
    pub key: String,
    /// Why.
    pub why: String,
}

/// What is kept of the last contact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Contact {
    #[n(0)]
    last: Option<Timestamp>,
    #[n(1)]
    registry_seq: Seq,
    #[n(2)]
    checkpoint: Option<(u64, String)>,
    #[n(3)]
    settles: bool,
    /// Present where the server's last word was that the device is out of use.
    #[n(4)]
    out_of_use: Option<bool>,
}

/// An entry as it is kept: as it came, with what was hashed when it was verified. Whoever could write other digests here has the key
/// of the vault that every value is sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    #[n(0)]
    wire: WireEntry,
    #[n(1)]
    batch: Digest,
    /// Of the contents that are here, in their order.
    #[n(2)]
    contents: Vec<Digest>,
}

impl Kept {
    /// An entry that came in this form.
    pub(super) fn new(wire: WireEntry, entry: &Entry) -> Self {
        let commands = (entry.parts.batch.envelopes.iter()).zip(&entry.parts.contents);
        let here = commands.filter(|(_, content)| content.is_some());
        Self {
            wire,
            batch: entry.head.batch,
            contents: here.map(|(envelope, _)| envelope.digest).collect(),
        }
    }

    /// The entry.
    pub fn open(&self) -> Result<Entry, Malformed> {
        match &self.wire.body {
            WireBody::Batch(batch) => {
                Ok((self.wire).with(self.batch, batch.open_noted(&self.contents)?))
            }
            WireBody::Own { .. } => Err(Malformed::Numbering),
        }
    }
}

/// A pending command as it is kept.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PendingCommand {
    #[n(0)]
    pub(super) envelope: Envelope,
    #[n(1)]
    pub(super) content: Content,
    #[n(2)]
    pub(super) assignment: AssignmentId,
    #[n(3)]
    pub(super) catalogue: u32,
    #[n(4)]
    pub(super) received: Option<bool>,
}

/// A catalogue's files as they are kept, by name.
pub(super) fn catalogue_bytes(catalogue: &Catalogue) -> Vec<u8> {
    let file = |file: &SourceFile| (file.name.clone(), file.text.clone());
    let files: Vec<(String, String)> = catalogue.files().iter().map(file).collect();
    cbor::encode(&files)
}

fn catalogue_files(bytes: &[u8]) -> Result<Vec<SourceFile>, String> {
    let files: Vec<(String, String)> = cbor::decode(bytes).map_err(|error| error.to_string())?;
    let file = |(name, text)| SourceFile { name, text };
    Ok(files.into_iter().map(file).collect())
}

/// In which order values are taken in: what others hang on first.
const fn rank(key: &Key) -> u8 {
    match key {
        Key::Identity | Key::Contact | Key::Catalogue(_) | Key::Carried(_) | Key::Left(_) => 0,
        Key::Registry(_) => 1,
        Key::Entry(..) => 2,
        Key::Sealed(..) => 3,
        Key::Pending(..) => 4,
    }
}

impl Device {
    /// The device as its storage says; `catalogues` are those that ship with the program. The order of the values does not
    /// matter.
    pub fn load(
        identity: Identity,
        catalogues: Catalogues,
        mut values: Vec<(Key, Vec<u8>)>,
    ) -> Result<Self, Damaged> {
        let mut device = Self::new(identity, catalogues);
        values.sort_by_key(|(key, _)| (rank(key), *key));
        for (key, bytes) in values {
            let loaded = device.load_one(key, bytes);
            loaded.map_err(|why| Damaged {
                key: key.name(),
                why,
            })?;
        }
        device.drop_other_catalogues();
        Ok(device)
    }

    pub(super) fn contact(&self) -> Write {
        let contact = Contact {
            last: self.last_contact,
            registry_seq: self.registry_seq,
            checkpoint: self.checkpoint.clone(),
            settles: self.settles,
            out_of_use: self.out_of_use.then_some(true),
        };
        Write::put(Key::Contact, cbor::encode(&contact))
    }

    fn load_one(&mut self, key: Key, bytes: Vec<u8>) -> Result<(), String> {
        fn read<T>(bytes: &[u8]) -> Result<T, String>
        where
            T: for<'b> Decode<'b, ()> + Encode<()>,
        {
            cbor::decode(bytes).map_err(|error| error.to_string())
        }
        let deployment = self.identity.deployment;
        match key {
            Key::Identity => {}
            Key::Contact => {
                let contact: Contact = read(&bytes)?;
                self.last_contact = contact.last;
                self.registry_seq = contact.registry_seq;
                self.checkpoint = contact.checkpoint;
                self.settles = contact.settles;
                self.out_of_use = contact.out_of_use.unwrap_or_default();
            }
            Key::Catalogue(version) => {
                let files = catalogue_files(&bytes)?;
                // A program that was updated ships what an older one had to fetch.
                let shipped = self.catalogues.get(&version);
                let digest = Catalogue::digest_of(&files);
                if shipped.is_none_or(|shipped| shipped.digest() != digest) {
                    let catalogue = Catalogue::parse(&files);
                    let catalogue =
                        catalogue.map_err(|mistakes| format!("{} mistakes", mistakes.len()))?;
                    self.catalogues.insert(version, catalogue);
                }
            }
            Key::Registry(_) => {
                let entry: WireEntry = read(&bytes)?;
                self.restore_registry(&entry)
                    .map_err(|error| error.to_string())?;
            }
            Key::Entry(journal, _) => {
                let entry = match read::<Kept>(&bytes) {
                    Ok(kept) => kept.open(),
                    // Earlier versions of this program noted no digests.
                    Err(_) => read::<WireEntry>(&bytes)?.open(deployment, |_| None),
                };
                let entry = entry.map_err(|error| error.to_string())?;
                self.restore(journal, entry)
                    .map_err(|error| error.to_string())?;
            }
            Key::Sealed(journal, _) => {
                let wire: WireBatch = read(&bytes)?;
                let parts = wire.open().map_err(|error| error.to_string())?;
                self.local(journal)
                    .load_sealed(deployment, Sealed { parts, wire });
            }
            Key::Pending(journal, n) => {
                let kept: PendingCommand = read(&bytes)?;
                let PendingCommand {
                    envelope,
                    content,
                    assignment,
                    catalogue,
                    received,
                } = kept;
                let command = Unsealed { envelope, content };
                let pending = Pending {
                    command,
                    assignment,
                    catalogue,
                    received: received == Some(true),
                };
                self.local(journal).pending.insert(n, pending);
            }
            Key::Carried(id) => {
                self.carried.insert(id, bytes);
            }
            Key::Left(origin) => {
                self.left.insert(origin);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DeviceId;

    #[test]
    fn every_key_is_found_by_its_name_alone() {
        let journal = JournalId([0xAB; 16]);
        let origin = Origin {
            device: DeviceId([1; 16]),
            journal,
            n: 7,
        };
        let keys = [
            Key::Identity,
            Key::Contact,
            Key::Catalogue(2),
            Key::Registry(3),
            Key::Entry(journal, u64::MAX),
            Key::Pending(journal, 1),
            Key::Sealed(journal, 1),
            Key::Carried(Digest([9; 32])),
            Key::Left(origin),
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.name()), Some(key));
            assert_eq!(Key::parse(&format!("{}/", key.name())), None);
        }
        for other in ["", "identity/", "registry/3", "entry/ab/1", "sealed"] {
            assert_eq!(Key::parse(other), None, "{other}");
        }
    }
}
