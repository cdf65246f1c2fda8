//! What the device keeps, by key. The shell seals every value with the vault under its key's name.

use minicbor::{Decode, Encode};

use super::{Device, Identity};
use crate::admit::Catalogues;
use crate::batch::{Bytes, WireBatch};
use crate::cbor;
use crate::command::{Content, Envelope};
use crate::id::{Digest, JournalId, Seq, Timestamp};
use crate::sync::wire::WireEntry;

/// What a stored value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Who the device is.
    Identity,
    /// Its last contact, checkpoint and the like.
    Contact,
    /// One registry entry that concerns it.
    Registry(Seq),
    /// One verified entry of a journal.
    Entry(JournalId, Seq),
    /// One command that is saved and not yet sealed.
    Pending(JournalId, u64),
    /// One sealed batch, by its first number, until its entry is folded.
    Sealed(JournalId, u64),
    /// One parcel carried for a teammate.
    Carried(Digest),
}

impl Key {
    /// Its name: values are bound to it, so that none can be put in another's place.
    pub fn name(&self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::Contact => "contact".to_owned(),
            Self::Registry(seq) => format!("registry/{seq:020}"),
            Self::Entry(journal, seq) => format!("entry/{journal}/{seq:020}"),
            Self::Pending(journal, n) => format!("pending/{journal}/{n:020}"),
            Self::Sealed(journal, first) => format!("sealed/{journal}/{first:020}"),
            Self::Carried(id) => format!("carried/{id}"),
        }
    }

    /// The key of a name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('/');
        let key = match (parts.next()?, parts.next(), parts.next()) {
            ("identity", None, None) => Self::Identity,
            ("contact", None, None) => Self::Contact,
            ("registry", Some(seq), None) => Self::Registry(seq.parse().ok()?),
            ("entry", Some(journal), Some(seq)) => Self::Entry(journal.parse().ok()?, seq.parse().ok()?),
            ("pending", Some(journal), Some(n)) => Self::Pending(journal.parse().ok()?, n.parse().ok()?),
            ("sealed", Some(journal), Some(first)) => Self::Sealed(journal.parse().ok()?, first.parse().ok()?),
            ("carried", Some(id), None) => Self::Carried(id.parse().ok()?),
            _ => return None,
        };
        parts.next().is_none().then_some(key)
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
        Self { key, value: Some(Bytes(value)) }
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
pub(super) struct Contact {
    #[n(0)]
    pub(super) last: Timestamp,
    #[n(1)]
    pub(super) registry_seq: Seq,
    #[n(2)]
    pub(super) checkpoint: Option<(u64, String)>,
}

/// A pending command as it is kept.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct PendingCommand {
    #[n(0)]
    pub(super) envelope: Envelope,
    #[n(1)]
    pub(super) content: Content,
}

impl Device {
    /// The device as its storage says. The order of the values does not matter.
    pub fn load(identity: Identity, catalogues: Catalogues, values: Vec<(Key, Vec<u8>)>) -> Result<Self, Damaged> {
        let mut device = Self::new(identity, catalogues);
        let mut values = values;
        // Registry before entries, entries before what hangs on them; each kind in its own order.
        values.sort_by_key(|(key, _)| (matches!(key, Key::Entry(..)), matches!(key, Key::Sealed(..)), matches!(key, Key::Pending(..)), *key));
        for (key, bytes) in values {
            device.load_one(key, &bytes)?;
        }
        device.refold();
        Ok(device)
    }

    fn load_one(&mut self, key: Key, bytes: &[u8]) -> Result<(), Damaged> {
        let damaged = |why: String| Damaged { key: key.name(), why };
        match key {
            Key::Identity => {}
            Key::Contact => {
                let contact: Contact = cbor::decode(bytes).map_err(|error| damaged(error.to_string()))?;
                self.last_contact = Some(contact.last);
                self.registry_seq = contact.registry_seq;
                self.checkpoint = contact.checkpoint;
            }
            Key::Registry(_) => {
                let entry: WireEntry = cbor::decode(bytes).map_err(|error| damaged(error.to_string()))?;
                self.learn_registry(&entry).map_err(|error| damaged(error.to_string()))?;
            }
            Key::Entry(journal, _) => {
                let entry: WireEntry = cbor::decode(bytes).map_err(|error| damaged(error.to_string()))?;
                let entry = entry.open(self.identity.deployment, |_| None).map_err(|error| damaged(error.to_string()))?;
                self.append(journal, entry).map_err(|error| damaged(error.to_string()))?;
            }
            Key::Sealed(journal, _) => {
                let batch: WireBatch = cbor::decode(bytes).map_err(|error| damaged(error.to_string()))?;
                let parts = batch.open().map_err(|error| damaged(error.to_string()))?;
                let deployment = self.identity.deployment;
                self.local(journal).load_sealed(deployment, parts);
            }
            Key::Pending(journal, _) => {
                let pending: PendingCommand = cbor::decode(bytes).map_err(|error| damaged(error.to_string()))?;
                self.local(journal).load_pending(pending.envelope, pending.content);
            }
            Key::Carried(id) => {
                self.carried.insert(id, bytes.to_vec());
            }
        }
        Ok(())
    }
}
