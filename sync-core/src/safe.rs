//! The safe: what a shell keeps, sealed value by value, whatever it keeps it in.
//!
//! A shell stores names and sealed bytes, all or none at a time, and nothing else. The names are those of
//! [`Key`] and of the shell's own values, in the clear. Most is sealed under the vault's data key; what
//! must stay deliverable when the PIN is lost, under the outbox key, which the device's secret alone gives: see [`crate::vault`].

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::cbor;
use crate::id::DeploymentId;
use crate::seal::{self, Parcel, SealError, SealingKey};
use crate::sync::device::{Device, Key, Write};
use crate::vault::{DeviceSecret, Pin, PinCost, StorageKey, Vault, VaultState};

/// The name of the vault's own state, which holds nothing secret and is not sealed.
pub const VAULT: &str = "vault";
/// The name of the card: what is needed to hand over the outbox without the PIN. Sealed like the outbox.
pub const CARD: &str = "card";

/// A change of what is kept: a name, and its sealed value, or that it goes.
pub type Stored = (String, Option<Vec<u8>>);

/// A value does not open: it was changed, moved, or written by a later version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value {0} does not open")]
pub struct Unopened(pub String);

/// Why there is no parcel to be handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRescued {
    /// A value does not open.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// It cannot be sealed to the server's key.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// Where sealed batches can go if the PIN is lost.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Card {
    #[n(0)]
    deployment: DeploymentId,
    #[cbor(n(1), with = "minicbor::bytes")]
    sealing: Vec<u8>,
}

/// The keys of an open vault. Dropping it locks it.
#[derive(Debug)]
pub struct Safe {
    vault: Vault,
    outbox: StorageKey,
}

impl Safe {
    /// The safe of an unlocked vault.
    pub fn new(vault: Vault, secret: &DeviceSecret) -> Self {
        let outbox = Vault::outbox_key(secret);
        Self { vault, outbox }
    }

    const fn key_of(&self, key: Key) -> &StorageKey {
        if key.is_outbox() {
            &self.outbox
        } else {
            self.vault.data_key()
        }
    }

    /// The device's writes, in their order.
    pub fn seal(&self, writes: &[Write], rng: &mut dyn CryptoRng) -> Vec<Stored> {
        let mut sealed = |write: &Write| {
            let (name, key) = (write.key.name(), self.key_of(write.key));
            let value = write.value.as_ref();
            let sealed = value.map(|value| key.seal(&name, &value.0, rng));
            (name, sealed)
        };
        writes.iter().map(&mut sealed).collect()
    }

    /// One of the shell's own values.
    pub fn seal_own(&self, name: &str, value: Option<&[u8]>, rng: &mut dyn CryptoRng) -> Stored {
        let (name, key) = (own_name(name), self.vault.data_key());
        let sealed = value.map(|value| key.seal(&name, value, rng));
        (name, sealed)
    }

    /// Everything that the device keeps, of what a shell stored.
    pub fn open(
        &self,
        values: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Vec<(Key, Vec<u8>)>, Unopened> {
        let mut opened = Vec::new();
        for (name, sealed) in values {
            if let Some(key) = Key::parse(&name) {
                let plain = self.key_of(key).open(&name, &sealed);
                let plain = plain.map_err(|_| Unopened(name))?;
                opened.push((key, plain.to_vec()));
            }
        }
        Ok(opened)
    }

    /// One of the shell's own values, sealed as it was stored.
    pub fn open_own(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let name = own_name(name);
        let opened = self.vault.data_key().open(&name, sealed);
        opened
            .map(|value| value.to_vec())
            .map_err(|_| Unopened(name))
    }

    /// Where sealed batches can go if the PIN is lost, as far as the device knows; nothing, if `kept` says the same.
    pub fn card(
        &self,
        device: &Device,
        kept: Option<&[u8]>,
        rng: &mut dyn CryptoRng,
    ) -> Option<Stored> {
        let keys = device.registry().keys.as_ref()?;
        let card = Card {
            deployment: device.identity().deployment,
            sealing: keys.sealing.clone(),
        };
        self.put_card(&card, kept, rng)
    }

    fn put_card(
        &self,
        card: &Card,
        kept: Option<&[u8]>,
        rng: &mut dyn CryptoRng,
    ) -> Option<Stored> {
        let plain = cbor::encode(card);
        let says_so = |kept: &[u8]| (self.outbox.open(CARD, kept)).is_ok_and(|kept| *kept == plain);
        let says_so = kept.is_some_and(says_so);
        (!says_so).then(|| (CARD.to_owned(), Some(self.outbox.seal(CARD, &plain, rng))))
    }

    /// The vault's state under another PIN: it takes the place of the old one.
    pub fn rewrap(&self, pin: &Pin, secret: &DeviceSecret, rng: &mut dyn CryptoRng) -> VaultState {
        VaultState::rewrap(&self.vault, pin, secret, PinCost::USUAL, rng)
    }
}

/// Under which name a shell's own value is stored.
pub fn own_name(name: &str) -> String {
    format!("shell/{name}")
}

/// Whether a stored value is handed over when the PIN is lost.
pub fn is_deliverable(name: &str) -> bool {
    Key::parse(name).is_some_and(|key| key.is_outbox())
}

/// What was sealed and not yet received, as a parcel that anybody can carry: what a phone whose PIN is lost still hands over.
/// `None` if nothing waits.
pub fn rescue(
    secret: &DeviceSecret,
    card: Option<&[u8]>,
    values: impl IntoIterator<Item = (String, Vec<u8>)>,
    rng: &mut dyn CryptoRng,
) -> Result<Option<Parcel>, NotRescued> {
    let outbox = Vault::outbox_key(secret);
    let open = |name: &str, sealed: &[u8]| {
        let opened = outbox.open(name, sealed);
        opened.map_err(|_| Unopened(name.to_owned()))
    };
    let Some(card) = card else {
        return Ok(None);
    };
    let card = open(CARD, card)?;
    let card: Card = cbor::decode(&card).map_err(|_| Unopened(CARD.to_owned()))?;
    let to = SealingKey::try_from(card.sealing.as_slice())?;
    let mut parcels = Vec::new();
    for (name, sealed) in values {
        match Key::parse(&name) {
            Some(Key::Sealed(..)) => {
                let plain = open(&name, &sealed)?;
                parcels.push(seal::seal(&to, card.deployment, &plain, rng)?);
            }
            Some(Key::Carried(_)) => parcels.push(open(&name, &sealed)?.to_vec()),
            _ => {}
        }
    }
    Ok((!parcels.is_empty()).then(|| Parcel::new(card.deployment, parcels)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Digest, JournalId};
    use crate::seal::OpeningKey;
    use crate::testing::TestRng;

    const JOURNAL: JournalId = JournalId([7; 16]);

    fn safe(rng: &mut TestRng) -> (DeviceSecret, Safe) {
        let secret = DeviceSecret::from_bytes([9; 32]);
        let (_, vault) = VaultState::create(&Pin::typed("258046"), &secret, PinCost::USUAL, rng);
        let safe = Safe::new(vault, &secret);
        (secret, safe)
    }

    fn kept(stored: Vec<Stored>) -> Vec<(String, Vec<u8>)> {
        let put = |(name, value): Stored| Some((name, value?));
        stored.into_iter().filter_map(put).collect()
    }

    #[test]
    fn what_was_sealed_opens_under_its_own_name_alone() {
        let mut rng = TestRng::new(1);
        let (_, safe) = safe(&mut rng);
        let writes = [
            Write::put(Key::Pending(JOURNAL, 1), b"one".to_vec()),
            Write::put(Key::Pending(JOURNAL, 2), b"two".to_vec()),
            Write::delete(Key::Pending(JOURNAL, 3)),
        ];
        let stored = safe.seal(&writes, &mut rng);
        assert_eq!(
            stored.last().map(|(_, value)| value.is_none()),
            Some(true),
            "what goes has no value"
        );
        let values = kept(stored);
        let opened = safe.open(values.clone()).unwrap();
        assert_eq!(
            opened,
            [
                (Key::Pending(JOURNAL, 1), b"one".to_vec()),
                (Key::Pending(JOURNAL, 2), b"two".to_vec())
            ]
        );
        let names = values.iter().rev().map(|(name, _)| name.clone());
        let changed = names.zip(values.iter().map(|(_, value)| value.clone()));
        assert!(safe.open(changed).is_err());
        let (name, sealed) = safe.seal_own("draft/1", Some(b"typed"), &mut rng);
        assert_eq!(name, "shell/draft/1");
        assert_eq!(
            safe.open_own("draft/1", &sealed.unwrap()).unwrap(),
            b"typed"
        );
    }

    #[test]
    fn without_the_pin_the_outbox_is_handed_over_and_nothing_else() {
        let mut rng = TestRng::new(2);
        let (secret, safe) = safe(&mut rng);
        let opening = OpeningKey::from_seed(&[4; 32]);
        let card = Card {
            deployment: DeploymentId([5; 16]),
            sealing: opening.public().unwrap().to_bytes(),
        };
        let (name, put) = safe.put_card(&card, None, &mut rng).unwrap();
        assert_eq!(name, CARD);
        assert_eq!(safe.put_card(&card, put.as_deref(), &mut rng), None);
        let writes = [
            Write::put(Key::Pending(JOURNAL, 2), b"not sealed".to_vec()),
            Write::put(Key::Sealed(JOURNAL, 1), b"a sealed batch".to_vec()),
            Write::put(Key::Carried(Digest([1; 32])), b"for a teammate".to_vec()),
        ];
        let values = kept(safe.seal(&writes, &mut rng));
        let deliverable = values.iter().filter(|(name, _)| is_deliverable(name));
        assert_eq!(deliverable.count(), 2);
        assert_eq!(rescue(&secret, None, values.clone(), &mut rng), Ok(None));
        let parcel = rescue(&secret, put.as_deref(), values.clone(), &mut rng);
        let parcel = parcel.unwrap().unwrap();
        let sealed: Vec<&Vec<u8>> = parcel.sealed().collect();
        assert_eq!(sealed.len(), 2);
        assert!(sealed.iter().any(|sealed| **sealed == b"for a teammate"));
        let opened = sealed
            .iter()
            .find_map(|sealed| seal::open(&opening, card.deployment, sealed).ok());
        assert_eq!(opened.as_deref(), Some(b"a sealed batch".as_slice()));
        let other = DeviceSecret::from_bytes([8; 32]);
        assert!(rescue(&other, put.as_deref(), values, &mut rng).is_err());
    }
}
