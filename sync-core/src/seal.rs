//! Sealing for carriers: a batch that a teammate or a file brings, which only the server can open.
//!
//! HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. The carrier learns the
//! length and nothing else. Who wrote a batch is said by the signature inside, never by who brings it.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open,
    single_shot_seal_with_rng,
};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::batch::Bytes;
use crate::cbor;
use crate::id::DeploymentId;
use crate::limits;

/// The algorithm byte of DHKEM(X25519, HKDF-SHA256) with HKDF-SHA256 and ChaCha20-Poly1305.
pub const X25519_CHACHA20: u8 = 1;

const CONTEXT: &[u8] = b"zhucun carried v1";
const KEY_BYTES: usize = 32;
/// One sealed batch: the largest batch as it travels, and what sealing adds.
const SEALED_BYTES_MAX: usize = limits::STREAM_INFLATED_BYTES_MAX;

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The server's key is not known yet: sync once.
    #[error("the server's sealing key is not known yet")]
    NoKey,
    /// The key or the sealed bytes name an algorithm that this version does not know.
    #[error("sealing algorithm {0} is not known")]
    Algorithm(u8),
    /// The bytes are no key.
    #[error("not a sealing key")]
    Key,
    /// It was sealed to another key or for another deployment, or was changed on the way.
    #[error("it does not open: sealed to another key, or changed on the way")]
    Opening,
    /// The file is no parcel, or of a later version, or too large.
    #[error("not a parcel of batches: {0}")]
    Parcel(String),
}

/// The public key that batches are sealed to, as the registry publishes it: an algorithm byte, then the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey([u8; KEY_BYTES]);

impl SealingKey {
    /// Its algorithm byte and bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[X25519_CHACHA20], self.0.as_slice()].concat()
    }
}

impl TryFrom<&[u8]> for SealingKey {
    type Error = SealError;

    fn try_from(bytes: &[u8]) -> Result<Self, SealError> {
        match bytes.split_first() {
            Some((&X25519_CHACHA20, key)) => key.try_into().map(Self).map_err(|_| SealError::Key),
            Some((algorithm, _)) => Err(SealError::Algorithm(*algorithm)),
            None => Err(SealError::Key),
        }
    }
}

/// The key that opens what was sealed; it never leaves the server.
#[derive(Clone)]
pub struct OpeningKey(Zeroizing<[u8; KEY_BYTES]>);

impl core::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OpeningKey(<secret>)")
    }
}

impl OpeningKey {
    /// The key pair that a secret seed derives (RFC 9180 §7.1.3).
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        let (secret, _) = X25519HkdfSha256::derive_keypair(seed);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&secret.to_bytes());
        Self(bytes)
    }

    /// The public half.
    pub fn public(&self) -> Result<SealingKey, SealError> {
        let public = X25519HkdfSha256::sk_to_pk(&self.secret()?);
        public
            .to_bytes()
            .as_slice()
            .try_into()
            .map(SealingKey)
            .map_err(|_| SealError::Key)
    }

    fn secret(&self) -> Result<<X25519HkdfSha256 as Kem>::PrivateKey, SealError> {
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(self.0.as_slice())
            .map_err(|_| SealError::Key)
    }
}

fn info(deployment: DeploymentId) -> Vec<u8> {
    [CONTEXT, deployment.0.as_slice()].concat()
}

/// A generator behind a reference, for an interface that wants it sized.
struct Borrowed<'a>(&'a mut dyn CryptoRng);

impl rand_core::TryRng for Borrowed<'_> {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Borrowed<'_> {}

/// Seals bytes so that only the holder of the opening key reads them: the algorithm byte, the encapsulated key, the ciphertext.
pub fn seal(
    to: &SealingKey,
    deployment: DeploymentId,
    plain: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let key =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&to.0).map_err(|_| SealError::Key)?;
    let mode = OpModeS::<X25519HkdfSha256>::Base;
    let sealed = single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &key,
        &info(deployment),
        plain,
        &[],
        &mut Borrowed(rng),
    );
    let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::Key)?;
    Ok([
        &[X25519_CHACHA20],
        encapsulated.to_bytes().as_slice(),
        ciphertext.as_slice(),
    ]
    .concat())
}

/// Opens what was sealed to this key for this deployment.
pub fn open(
    key: &OpeningKey,
    deployment: DeploymentId,
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (algorithm, rest) = sealed.split_first().ok_or(SealError::Opening)?;
    if *algorithm != X25519_CHACHA20 {
        return Err(SealError::Algorithm(*algorithm));
    }
    let (encapsulated, ciphertext) = rest.split_at_checked(KEY_BYTES).ok_or(SealError::Opening)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| SealError::Opening)?;
    let mode = OpModeR::<X25519HkdfSha256>::Base;
    single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &mode,
        &key.secret()?,
        &encapsulated,
        &info(deployment),
        ciphertext,
        &[],
    )
    .map_err(|_| SealError::Opening)
}

/// Sealed batches in one file or code (交换包), to be handed to a teammate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Parcel {
    #[n(0)]
    version: u8,
    #[n(1)]
    deployment: DeploymentId,
    #[n(2)]
    sealed: Vec<Bytes>,
}

impl Parcel {
    const VERSION: u8 = 1;

    /// A parcel of batches sealed for a deployment.
    pub fn new(deployment: DeploymentId, sealed: Vec<Vec<u8>>) -> Self {
        Self {
            version: Self::VERSION,
            deployment,
            sealed: sealed.into_iter().map(Bytes).collect(),
        }
    }

    /// The deployment it is for.
    pub const fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// The sealed batches, in the order in which they must be admitted.
    pub fn sealed(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.sealed.iter().map(|bytes| &bytes.0)
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let refuse = |why: &str| SealError::Parcel(why.to_owned());
        if bytes.len() > limits::REQUEST_BYTES_MAX {
            return Err(refuse("too large"));
        }
        let parcel: Self = cbor::decode(bytes).map_err(|error| refuse(&error.to_string()))?;
        if parcel.version != Self::VERSION {
            return Err(refuse("made by a later version"));
        }
        if parcel.sealed.len() > limits::REQUEST_BATCHES_MAX
            || parcel
                .sealed
                .iter()
                .any(|sealed| sealed.0.len() > SEALED_BYTES_MAX)
        {
            return Err(refuse("too many or too large batches"));
        }
        Ok(parcel)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const HERE: DeploymentId = DeploymentId([7; 16]);

    fn sealed() -> (OpeningKey, Vec<u8>) {
        let key = OpeningKey::from_seed(&[1; 32]);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let sealed = seal(&key.public().unwrap(), HERE, b"a day's visits", &mut rng).unwrap();
        (key, sealed)
    }

    #[test]
    fn what_is_sealed_opens_for_its_key_and_deployment_alone() {
        let (key, sealed) = sealed();
        assert_eq!(open(&key, HERE, &sealed).unwrap(), b"a day's visits");
        assert_eq!(
            open(&key, DeploymentId([8; 16]), &sealed),
            Err(SealError::Opening)
        );
        assert_eq!(
            open(&OpeningKey::from_seed(&[2; 32]), HERE, &sealed),
            Err(SealError::Opening)
        );
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let (key, sealed) = sealed();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, HERE, &changed).is_err(), "byte {at}");
            assert!(open(&key, HERE, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_parcel_comes_back_and_a_later_one_is_refused() {
        let parcel = Parcel::new(HERE, vec![vec![1, 2], vec![3]]);
        assert_eq!(Parcel::from_bytes(&parcel.to_bytes()).unwrap(), parcel);
        let later = cbor::encode(&Parcel {
            version: 2,
            ..parcel
        });
        assert!(matches!(
            Parcel::from_bytes(&later),
            Err(SealError::Parcel(_))
        ));
    }

    /// RFC 9180, appendix A.2.1 (base mode), its first encryption: the suite is the one that the algorithm byte names.
    #[test]
    fn the_suite_is_that_of_the_specification() {
        let bytes = |hex: &str| -> Vec<u8> {
            let pairs = hex.as_bytes().chunks(2);
            pairs
                .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let key = OpeningKey::from_seed(
            &bytes("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df")
                .try_into()
                .unwrap(),
        );
        assert_eq!(
            key.public().unwrap().0.as_slice(),
            bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
        );
        let encapsulated =
            bytes("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &key.secret().unwrap(),
            &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&encapsulated).unwrap(),
            &bytes("4f6465206f6e2061204772656369616e2055726e"),
            &bytes(
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
            ),
            &bytes("436f756e742d30"),
        );
        assert_eq!(opened.unwrap(), b"Beauty is truth, truth beauty");
    }

    /// What phones have sealed must open for ever: these bytes change only together with the algorithm byte.
    #[test]
    fn the_sealed_form_stays_as_it_is() {
        let (_, sealed) = sealed();
        assert_eq!(sealed.len(), 1 + KEY_BYTES + b"a day's visits".len() + 16);
        expect_test::expect!["1d50036d"].assert_eq(&crate::id::sha256(&[&sealed]).short());
    }

    #[test]
    fn keys_of_other_algorithms_and_false_keys_are_refused() {
        let public = OpeningKey::from_seed(&[1; 32]).public().unwrap();
        let bytes = public.to_bytes();
        assert_eq!(SealingKey::try_from(bytes.as_slice()), Ok(public));
        assert_eq!(
            SealingKey::try_from([&[2], &bytes[1..]].concat().as_slice()),
            Err(SealError::Algorithm(2))
        );
        assert_eq!(SealingKey::try_from(&bytes[..32]), Err(SealError::Key));
        assert_eq!(SealingKey::try_from([].as_slice()), Err(SealError::Key));
        // A point of small order would make the shared secret known to everybody.
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_eq!(
            seal(&SealingKey([0; 32]), HERE, b"a day's visits", &mut rng),
            Err(SealError::Key)
        );
    }

    #[test]
    fn a_parcel_takes_its_limits_and_no_more() {
        let read = |sealed: Vec<Vec<u8>>| {
            Parcel::from_bytes(&Parcel::new(HERE, sealed).to_bytes()).is_ok()
        };
        assert!(read(vec![vec![0]; limits::REQUEST_BATCHES_MAX]));
        assert!(!read(vec![vec![0]; limits::REQUEST_BATCHES_MAX + 1]));
        assert!(read(vec![vec![0; SEALED_BYTES_MAX]]));
        assert!(!read(vec![vec![0; SEALED_BYTES_MAX + 1]]));
        assert!(!read(vec![
            vec![0; SEALED_BYTES_MAX];
            limits::REQUEST_BYTES_MAX / SEALED_BYTES_MAX
        ]));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_readers(bytes: Vec<u8>) {
            proptest::prop_assert!(open(&OpeningKey::from_seed(&[1; 32]), HERE, &bytes).is_err());
            let _ = Parcel::from_bytes(&bytes);
            let _ = SealingKey::try_from(bytes.as_slice());
        }
    }
}
