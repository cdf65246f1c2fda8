//! The vault: what a phone keeps is sealed, and opens with the person's PIN on that phone alone.
//!
//! Everything that is stored is sealed (XChaCha20-Poly1305, a fresh nonce each time) under a random *data key*, bound to the name
//! it is stored under, so that no value can be put in another's place. The data key is wrapped by a key made of two secrets:
//! Argon2id of the PIN, and 32 random bytes of the device that its shell keeps where it best can (a key store; in a browser a
//! non-extractable key). A copy of the storage without the device secret cannot be searched for the PIN.
//!
//! Every wrong PIN is counted *before* it is tried, and after [`limits::PIN_TRIES_MAX`] of them the wrapped data key is
//! destroyed. What must stay deliverable even then (batches sealed for the server, what is carried for others) is stored under
//! [`Vault::outbox_key`], which needs the device secret alone.
//!
//! # What this does not do
//!
//! * Whoever has the device secret and a copy of the storage can try PINs without being counted; a six-digit PIN then falls in
//!   hours. The count binds only those who go through the app.
//! * Whoever has the device secret reads the outbox: what was sealed and not yet received.
//! * Overwriting a file does not erase flash memory. A destroyed data key may survive in worn cells until these are reused.
//! * An unlocked phone is open.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use minicbor::{Decode, Decoder, Encode};
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::cbor::{self, CborError};
use crate::limits;

const VERSION: u8 = 1;
const ARGON2ID: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const SALT_BYTES: usize = 16;
/// XChaCha20-Poly1305 with the nonce in front.
const SEALED_V1: u8 = 1;

const WRAPPING: &[u8] = b"zhucun vault wrapping v1";
const CHECK: &[u8] = b"zhucun vault device v1";
const OUTBOX: &[u8] = b"zhucun vault outbox v1";
const DATA: &[u8] = b"zhucun vault data v1";

type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// The person's PIN, wiped from memory when dropped.
pub struct Pin(Zeroizing<String>);

impl core::fmt::Debug for Pin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pin(<secret>)")
    }
}

/// Why a PIN is not accepted as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    /// Fewer or more characters than allowed.
    #[error(
        "a PIN has {} to {} characters",
        limits::PIN_CHARS_MIN,
        limits::PIN_CHARS_MAX
    )]
    Length,
    /// One character repeated, or each the one after (or before) the last, as in 123456.
    #[error("a PIN that is guessed first")]
    Guessed,
}

impl Pin {
    /// A PIN as it was typed.
    pub fn typed(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Checks that it may be chosen.
    pub fn check(&self) -> Result<(), WeakPin> {
        let chars = self.0.chars().count();
        if !(limits::PIN_CHARS_MIN..=limits::PIN_CHARS_MAX).contains(&chars) {
            return Err(WeakPin::Length);
        }
        let steps = || {
            let following = self.0.chars().skip(1);
            self.0
                .chars()
                .zip(following)
                .map(|(one, next)| i64::from(u32::from(next)) - i64::from(u32::from(one)))
        };
        let first = steps().next();
        let even = matches!(first, Some(-1..=1)) && steps().all(|step| Some(step) == first);
        if even { Err(WeakPin::Guessed) } else { Ok(()) }
    }
}

/// The secret of the device, which its shell keeps apart from the storage; wiped from memory when dropped.
#[derive(Clone)]
pub struct DeviceSecret(Secret);

impl core::fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DeviceSecret(<secret>)")
    }
}

impl DeviceSecret {
    /// A new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(random(rng))
    }

    /// A secret that was kept.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn derive(&self, context: &[u8]) -> Secret {
        derive(&[], &[self.0.as_slice()], context)
    }
}

/// What deriving a key from the PIN costs. Stored beside what it protects, so that it can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct PinCost {
    #[n(0)]
    algorithm: u8,
    #[n(1)]
    memory_kib: u32,
    #[n(2)]
    passes: u32,
}

impl PinCost {
    /// Some tenths of a second on an ordinary phone: 19 MiB, two passes (OWASP's least for Argon2id).
    pub const USUAL: Self = Self {
        algorithm: ARGON2ID,
        memory_kib: limits::PIN_MEMORY_KIB_MIN,
        passes: limits::PIN_PASSES_MIN,
    };

    /// Argon2id with this much memory and so many passes. None if that is less than [`Self::USUAL`], or more than a phone has.
    pub fn new(memory_kib: u32, passes: u32) -> Option<Self> {
        let cost = Self {
            algorithm: ARGON2ID,
            memory_kib,
            passes,
        };
        cost.is_allowed().then_some(cost)
    }

    fn is_allowed(&self) -> bool {
        self.algorithm == ARGON2ID
            && (limits::PIN_MEMORY_KIB_MIN..=limits::PIN_MEMORY_KIB_MAX).contains(&self.memory_kib)
            && (limits::PIN_PASSES_MIN..=limits::PIN_PASSES_MAX).contains(&self.passes)
    }

    fn stretch(self, pin: &Pin, salt: [u8; SALT_BYTES]) -> Secret {
        let mut key = Secret::default();
        let params = Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES))
            .expect("the cost is within Argon2's bounds");
        let mut memory = Zeroizing::new(vec![Block::new(); params.block_count()]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                pin.0.as_bytes(),
                &salt,
                key.as_mut(),
                memory.as_mut_slice(),
            )
            .expect("a PIN, a salt and an output of these lengths are within Argon2's bounds");
        key
    }
}

/// What is stored of the vault itself. It holds nothing secret without PIN and device secret.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VaultState {
    #[n(0)]
    version: u8,
    #[n(1)]
    cost: PinCost,
    #[cbor(n(2), with = "minicbor::bytes")]
    salt: [u8; SALT_BYTES],
    /// Tells another device's secret from a wrong PIN.
    #[cbor(n(3), with = "minicbor::bytes")]
    device: [u8; SALT_BYTES],
    /// Tries begun since the last that succeeded.
    #[n(4)]
    tries: u32,
    /// The wrapped data key, until it is destroyed.
    #[cbor(n(5), with = "minicbor::bytes")]
    wrapped: Option<Vec<u8>>,
}

/// Why a stored vault is not taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultStateError {
    /// It is damaged.
    #[error(transparent)]
    Damaged(#[from] CborError),
    /// A later version wrote it.
    #[error("vault version {0} is not known to this version")]
    UnknownVersion(u8),
    /// It derives the PIN's key more cheaply than allowed, or at a cost that no phone bears.
    #[error("a vault with a cost that is not allowed")]
    Cost,
}

/// Why a vault does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The PIN is wrong. At no tries left the data key has just been destroyed.
    #[error("wrong PIN; {tries_left} tries left")]
    WrongPin {
        /// How many more may be wrong.
        tries_left: u32,
    },
    /// The data key was destroyed after too many wrong PINs. The outbox is still deliverable.
    #[error("the data key was destroyed after too many wrong PINs")]
    Destroyed,
    /// The device secret is not the one the vault was made with; nothing was counted.
    #[error("not the device secret of this vault")]
    OtherDevice,
}

/// A try that is counted. First the shell makes [`Self::state`] durable, then it calls [`Self::unlock`]: so a process that is
/// killed in between has used up a try, and nobody gets more by killing it.
#[derive(Debug)]
pub struct Attempt {
    state: VaultState,
    device: DeviceSecret,
}

impl VaultState {
    /// Makes a vault with a new data key. The PIN should have passed [`Pin::check`].
    pub fn create(
        pin: &Pin,
        device: &DeviceSecret,
        cost: PinCost,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Vault) {
        let vault = Vault {
            data: StorageKey(random(rng)),
        };
        (Self::rewrap(&vault, pin, device, cost, rng), vault)
    }

    /// Wraps the data key anew, for a changed PIN or a higher cost. The state returned takes the place of the old one, which must
    /// be overwritten. It has no tries counted: ask for the old PIN first, with [`Self::begin`].
    pub fn rewrap(
        vault: &Vault,
        pin: &Pin,
        device: &DeviceSecret,
        cost: PinCost,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let mut state = Self {
            version: VERSION,
            cost,
            salt,
            device: check(device),
            tries: 0,
            wrapped: None,
        };
        let key = state.wrapping_key(pin, device);
        state.wrapped = Some(key.seal_bound(&state.header(), vault.data.0.as_slice(), rng));
        state
    }

    /// The bytes to store, in deterministic CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads what was stored.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, VaultStateError> {
        let mut peek = Decoder::new(bytes);
        if let (Ok(Some(_)), Ok(version)) = (peek.array(), peek.u8())
            && version != VERSION
        {
            return Err(VaultStateError::UnknownVersion(version));
        }
        let state: Self = cbor::decode(bytes)?;
        if state.cost.is_allowed() {
            Ok(state)
        } else {
            Err(VaultStateError::Cost)
        }
    }

    /// Whether the data key has been destroyed.
    pub const fn is_destroyed(&self) -> bool {
        self.wrapped.is_none() || self.tries >= limits::PIN_TRIES_MAX
    }

    /// How many tries are left.
    pub const fn tries_left(&self) -> u32 {
        if self.is_destroyed() {
            0
        } else {
            limits::PIN_TRIES_MAX - self.tries
        }
    }

    /// Counts a try before it is made.
    pub fn begin(&self, device: &DeviceSecret) -> Result<Attempt, UnlockError> {
        if !bool::from(self.device.ct_eq(&check(device))) {
            return Err(UnlockError::OtherDevice);
        }
        if self.is_destroyed() {
            return Err(UnlockError::Destroyed);
        }
        let state = Self {
            tries: self.tries + 1,
            ..self.clone()
        };
        Ok(Attempt {
            state,
            device: device.clone(),
        })
    }

    /// All that the wrapped key depends on but the secrets.
    fn header(&self) -> Vec<u8> {
        [
            WRAPPING,
            &cbor::encode(&(self.version, self.cost)),
            &self.salt,
            &self.device,
        ]
        .concat()
    }

    fn wrapping_key(&self, pin: &Pin, device: &DeviceSecret) -> StorageKey {
        let stretched = self.cost.stretch(pin, self.salt);
        StorageKey(derive(
            &self.salt,
            &[stretched.as_slice(), device.0.as_slice()],
            WRAPPING,
        ))
    }
}

impl Attempt {
    /// The state with this try counted: to be durable before the try is made.
    pub const fn state(&self) -> &VaultState {
        &self.state
    }

    /// Tries the PIN. The state returned is to be stored in place of the former, whatever the outcome: it has its count set back,
    /// or has lost the data key.
    pub fn unlock(self, pin: &Pin) -> (VaultState, Result<Vault, UnlockError>) {
        let Self { mut state, device } = self;
        let opened = state.wrapped.as_ref().and_then(|wrapped| {
            let key = state
                .wrapping_key(pin, &device)
                .open_bound(&state.header(), wrapped)
                .ok()?;
            let key: &[u8; KEY_BYTES] = key.as_slice().try_into().ok()?;
            Some(Vault {
                data: StorageKey(Zeroizing::new(*key)),
            })
        });
        if let Some(vault) = opened {
            state.tries = 0;
            return (state, Ok(vault));
        }
        let tries_left = state.tries_left();
        if tries_left == 0 {
            state.wrapped = None;
        }
        (state, Err(UnlockError::WrongPin { tries_left }))
    }
}

/// An unlocked vault. Dropping it locks it: the data key is wiped from memory.
pub struct Vault {
    data: StorageKey,
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Vault(<secret>)")
    }
}

impl Vault {
    /// The key for everything but the outbox.
    pub const fn data_key(&self) -> &StorageKey {
        &self.data
    }

    /// The key for what must stay deliverable when the data key is gone: batches sealed for the server, and what is carried for
    /// others. It opens without a PIN; the module says what that risks.
    pub fn outbox_key(device: &DeviceSecret) -> StorageKey {
        StorageKey(device.derive(OUTBOX))
    }
}

/// Why a stored value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Sealed in a way that this version does not know.
    #[error("stored in form {0}, which is not known to this version")]
    UnknownForm(u8),
    /// Damaged, sealed under another key, or stored under another name.
    #[error("a stored value does not open: damaged, of another key, or of another name")]
    Opening,
}

/// A key that seals what is stored; wiped from memory when dropped.
pub struct StorageKey(Secret);

impl core::fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StorageKey(<secret>)")
    }
}

impl StorageKey {
    /// Seals a value for the name it is stored under: a form byte, the nonce, the ciphertext. 41 bytes longer than the value.
    pub fn seal(&self, name: &str, plain: &[u8], rng: &mut dyn CryptoRng) -> Vec<u8> {
        self.seal_bound(&bound(name), plain, rng)
    }

    /// Opens what was sealed under this name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        self.open_bound(&bound(name), sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }

    fn seal_bound(&self, aad: &[u8], plain: &[u8], rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("no value in memory is too long to seal");
        [&[SEALED_V1], nonce.as_slice(), &sealed].concat()
    }

    fn open_bound(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let (form, rest) = sealed.split_first().ok_or(StorageError::Opening)?;
        if *form != SEALED_V1 {
            return Err(StorageError::UnknownForm(*form));
        }
        let (nonce, msg) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(StorageError::Opening)?;
        let opened = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg, aad });
        opened
            .map(Zeroizing::new)
            .map_err(|_| StorageError::Opening)
    }
}

fn bound(name: &str) -> Vec<u8> {
    [DATA, name.as_bytes()].concat()
}

fn random(rng: &mut dyn CryptoRng) -> Secret {
    let mut secret = Secret::default();
    rng.fill_bytes(secret.as_mut());
    secret
}

/// HKDF-SHA256 of the parts, each of a fixed length.
fn derive(salt: &[u8], parts: &[&[u8]], context: &[u8]) -> Secret {
    let material = Zeroizing::new(parts.concat());
    let mut key = Secret::default();
    Hkdf::<Sha256>::new(Some(salt), &material)
        .expand(context, key.as_mut())
        .expect("one block can be derived");
    key
}

fn check(device: &DeviceSecret) -> [u8; SALT_BYTES] {
    let derived = device.derive(CHECK);
    let mut check = [0; SALT_BYTES];
    check
        .iter_mut()
        .zip(derived.iter())
        .for_each(|(to, from)| *to = *from);
    check
}

#[cfg(test)]
mod tests;
