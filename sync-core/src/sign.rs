//! Signatures whose algorithm is a field.
//!
//! Everything that is signed is a digest, signed in a context (what kind of thing it is) and for a deployment, so that no
//! signature can be taken for one over something else or made elsewhere. Today there is one algorithm, Ed25519; another (SM2)
//! is another number, and a key or signature of an unknown number can be stored and passed on, but never verifies.

use ed25519_dalek::Signer as _;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::id::{DeploymentId, DeviceId, Digest};

/// The number of Ed25519 (RFC 8032, verified strictly: canonical, and no point of small order).
pub const ED25519: u8 = 1;

/// The context in which a device signs the SHA-256 of a refresh token, to show that the token is in the right hands.
pub const REFRESH_CONTEXT: &[u8] = b"zhucun refresh v1";

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// This version does not know the algorithm of the key.
    #[error("signature algorithm {0} is not known to this version")]
    UnknownAlgorithm(u8),
    /// The signature names another algorithm than the key.
    #[error("the signature is of another algorithm than the key")]
    AlgorithmMismatch,
    /// The bytes of the key are none.
    #[error("not a public key")]
    MalformedKey,
    /// The signature is not this key's over this message.
    #[error("the signature does not verify")]
    Invalid,
}

/// The context in which a new device signs the hash of its one-time code, which proves that it holds the key it brings.
pub const ENROL_CONTEXT: &[u8] = b"zhucun enrol v1";

/// A public key. It may be of an algorithm that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct PublicKey {
    /// Which algorithm: see [`ED25519`].
    #[n(0)]
    pub algorithm: u8,
    /// The key in the algorithm's own encoding.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// A signature. It may be of an algorithm that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Signature {
    /// Which algorithm: see [`ED25519`].
    #[n(0)]
    pub algorithm: u8,
    /// The signature in the algorithm's own encoding.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl PublicKey {
    /// The device whose key this is.
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(self.algorithm, &self.bytes)
    }

    /// The deployment whose first operator key this is.
    pub fn deployment(&self) -> DeploymentId {
        DeploymentId::of_key(self.algorithm, &self.bytes)
    }

    /// Whether this key signed `message` in `context` for `deployment`.
    pub fn verify(
        &self,
        context: &[u8],
        deployment: DeploymentId,
        message: Digest,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let key = self.as_ed25519()?;
        if signature.algorithm != self.algorithm {
            return Err(VerifyError::AlgorithmMismatch);
        }
        let signature = ed25519_dalek::Signature::from_slice(&signature.bytes)
            .map_err(|_| VerifyError::Invalid)?;
        key.verify_strict(&signed_bytes(context, deployment, message), &signature)
            .map_err(|_| VerifyError::Invalid)
    }

    /// The Ed25519 key, for formats that prescribe it (signed notes).
    pub fn as_ed25519(&self) -> Result<ed25519_dalek::VerifyingKey, VerifyError> {
        if self.algorithm != ED25519 {
            return Err(VerifyError::UnknownAlgorithm(self.algorithm));
        }
        let bytes = self
            .bytes
            .as_slice()
            .try_into()
            .map_err(|_| VerifyError::MalformedKey)?;
        ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| VerifyError::MalformedKey)
    }
}

impl From<&ed25519_dalek::VerifyingKey> for PublicKey {
    fn from(key: &ed25519_dalek::VerifyingKey) -> Self {
        Self {
            algorithm: ED25519,
            bytes: key.to_bytes().to_vec(),
        }
    }
}

/// A secret key, wiped from memory when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SigningKey(<secret>)")
    }
}

impl SigningKey {
    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The key of a seed that was kept.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed, to be kept in a vault.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The key that verifies.
    pub fn public(&self) -> PublicKey {
        PublicKey::from(&self.0.verifying_key())
    }

    /// Signs `context ‖ 0x00 ‖ deployment ‖ message`. The context says what kind of thing the digest is of, and ends in a version.
    pub fn sign(&self, context: &[u8], deployment: DeploymentId, message: Digest) -> Signature {
        let signature = self.0.sign(&signed_bytes(context, deployment, message));
        Signature {
            algorithm: ED25519,
            bytes: signature.to_bytes().to_vec(),
        }
    }

    /// The Ed25519 key, for formats that prescribe what is signed (signed notes).
    pub const fn as_ed25519(&self) -> &ed25519_dalek::SigningKey {
        &self.0
    }
}

/// What is signed. All behind the context has a fixed length, so no two triples have the same bytes.
fn signed_bytes(context: &[u8], deployment: DeploymentId, message: Digest) -> Vec<u8> {
    [context, &[0], deployment.as_bytes(), message.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::{decode, encode};
    use crate::id::sha256;

    const DEPLOYMENT: DeploymentId = DeploymentId([7; 16]);
    const CONTEXT: &[u8] = b"zhucun test v1";

    fn key() -> SigningKey {
        SigningKey::from_seed([9; 32])
    }

    fn signed() -> (PublicKey, Digest, Signature) {
        let message = sha256(&[b"a message"]);
        (
            key().public(),
            message,
            key().sign(CONTEXT, DEPLOYMENT, message),
        )
    }

    #[test]
    fn a_signature_counts_for_its_own_context_deployment_message_and_key_alone() {
        let (public, message, signature) = signed();
        assert_eq!(
            public.verify(CONTEXT, DEPLOYMENT, message, &signature),
            Ok(())
        );
        let invalid = Err(VerifyError::Invalid);
        assert_eq!(
            public.verify(b"zhucun test v2", DEPLOYMENT, message, &signature),
            invalid
        );
        assert_eq!(
            public.verify(CONTEXT, DeploymentId([8; 16]), message, &signature),
            invalid
        );
        assert_eq!(
            public.verify(CONTEXT, DEPLOYMENT, sha256(&[b"another"]), &signature),
            invalid
        );
        let other = SigningKey::from_seed([1; 32]).public();
        assert_eq!(
            other.verify(CONTEXT, DEPLOYMENT, message, &signature),
            invalid
        );
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_noticed() {
        let (public, message, signature) = signed();
        for bit in 0..signature.bytes.len() * 8 {
            let mut flipped = signature.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                public.verify(CONTEXT, DEPLOYMENT, message, &flipped),
                Err(VerifyError::Invalid),
                "bit {bit}"
            );
        }
        for length in [0, 63, 65] {
            let mut resized = signature.clone();
            resized.bytes.resize(length, 0);
            assert_eq!(
                public.verify(CONTEXT, DEPLOYMENT, message, &resized),
                Err(VerifyError::Invalid)
            );
        }
    }

    #[test]
    fn an_unknown_algorithm_has_its_own_answer() {
        let (public, message, signature) = signed();
        let unknown = PublicKey {
            algorithm: 2,
            ..public.clone()
        };
        assert_eq!(
            unknown.verify(CONTEXT, DEPLOYMENT, message, &signature),
            Err(VerifyError::UnknownAlgorithm(2))
        );
        let other = Signature {
            algorithm: 2,
            ..signature
        };
        assert_eq!(
            public.verify(CONTEXT, DEPLOYMENT, message, &other),
            Err(VerifyError::AlgorithmMismatch)
        );
    }

    #[test]
    fn a_key_of_small_order_verifies_nothing() {
        // The neutral point: under RFC 8032 without further checks, R = it and s = 0 sign every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let public = PublicKey {
            algorithm: ED25519,
            bytes: neutral.to_vec(),
        };
        let signature = Signature {
            algorithm: ED25519,
            bytes: [neutral, [0; 32]].concat(),
        };
        assert_eq!(
            public.verify(CONTEXT, DEPLOYMENT, sha256(&[b"any"]), &signature),
            Err(VerifyError::Invalid)
        );
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        let (_, message, signature) = signed();
        for bytes in [vec![], vec![0; 31], vec![0; 33], vec![2; 32]] {
            let public = PublicKey {
                algorithm: ED25519,
                bytes,
            };
            let verdict = public.verify(CONTEXT, DEPLOYMENT, message, &signature);
            assert_eq!(verdict, Err(VerifyError::MalformedKey));
        }
    }

    /// RFC 8032 §7.1, test 1: seed and public key.
    #[test]
    fn the_public_key_is_that_of_rfc_8032() {
        let seed: Digest = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
            .parse()
            .unwrap();
        let expected: Digest = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
            .parse()
            .unwrap();
        let key = SigningKey::from_seed(seed.0);
        assert_eq!(key.public().bytes, expected.0);
        assert_eq!(*key.to_seed(), seed.0);
    }

    #[test]
    fn keys_and_signatures_have_one_encoding() {
        let (public, _, signature) = signed();
        assert_eq!(decode(&encode(&public)), Ok(public.clone()));
        assert_eq!(decode(&encode(&signature)), Ok(signature));
        let mut longer = encode(&public);
        longer.push(0);
        assert!(decode::<PublicKey>(&longer).is_err());
    }
}
