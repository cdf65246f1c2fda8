//! Signed notes (C2SP `signed-note`) and the cosignatures of witnesses (C2SP `tlog-cosignature`, Ed25519).
//!
//! A note is a text and lines of signatures, each with the name and the short id of its key. Signatures of keys that the reader
//! does not know are kept and passed on, and mean nothing to him.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;

use crate::id::sha256;
use crate::sign::{PublicKey, SigningKey};

/// Signatures of one note. C2SP asks readers to take at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// One note. Post-quantum signatures take nearly 5 kB each.
pub const NOTE_BYTES_MAX: usize = 512 * 1024;

const DASH: &str = "\u{2014} ";

/// Why a note is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer, or signed more often, than is read.
    #[error("a note too long, or with too many signatures")]
    TooLarge,
    /// Not of the form of a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The key has not signed it.
    #[error("not signed by the key asked for")]
    NotSigned,
    /// There is a signature that claims to be the key's and is not.
    #[error("a signature by the key asked for does not verify")]
    Invalid,
    /// The key is not Ed25519, the one algorithm that notes have here.
    #[error("not an Ed25519 key")]
    Key,
}

/// What a signature in a note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureType {
    /// The author signs the text (`0x01`).
    Ed25519,
    /// A witness says that at a time the log was consistent with what it had seen (`0x04`).
    Cosignature,
}

impl SignatureType {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A key that may have signed notes, under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    kind: SignatureType,
    key: ed25519_dalek::VerifyingKey,
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|char| char.is_whitespace() || char.is_control() || char == '+')
}

impl NoteKey {
    /// A key by its name, which holds neither spaces nor plus signs.
    pub fn new(name: &str, kind: SignatureType, key: &PublicKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Malformed("a name with spaces or plus signs"));
        }
        let key = key.as_ed25519().map_err(|_| NoteError::Key)?;
        Ok(Self {
            name: name.to_owned(),
            kind,
            key,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `SHA-256(name ‖ newline ‖ type ‖ key)`, its first four bytes.
    pub fn id(&self) -> u32 {
        let digest = sha256(&[
            self.name.as_bytes(),
            &[b'\n', self.kind.byte()],
            self.key.as_bytes(),
        ]);
        let [first, second, third, fourth, ..] = digest.0;
        u32::from_be_bytes([first, second, third, fourth])
    }

    /// Reads a verifier key, `<name>+<id>+<base64 of type and key>`.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("not a verifier key");
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(malformed);
        let (name, id, key) = (part()?, part()?, part()?);
        let key = STANDARD.decode(key).map_err(|_| malformed)?;
        let (kind, bytes) = key.split_first().ok_or(malformed)?;
        let kind = match kind {
            1 => SignatureType::Ed25519,
            4 => SignatureType::Cosignature,
            _ => return Err(NoteError::Key),
        };
        let key = bytes
            .try_into()
            .ok()
            .and_then(|bytes| ed25519_dalek::VerifyingKey::from_bytes(bytes).ok());
        let key = Self::new(name, kind, &PublicKey::from(&key.ok_or(NoteError::Key)?))?;
        if format!("{:08x}", key.id()) == id {
            Ok(key)
        } else {
            Err(NoteError::Malformed("an id that is not the key's"))
        }
    }
}

/// The verifier key: what an auditor or a witness is given.
impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.key.as_bytes().as_slice()].concat();
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            self.id(),
            STANDARD.encode(key)
        )
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key that claims to have made it.
    pub name: String,
    /// That key's id.
    pub id: u32,
    /// The signature, in the form of the key's type.
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let signature = STANDARD.decode(signature).ok()?;
        let (id, bytes) = signature.split_at_checked(4)?;
        if !is_name(name) || bytes.is_empty() {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(id.try_into().ok()?),
            bytes: bytes.to_vec(),
        })
    }
}

/// A line of a note, without its end.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signature = [self.id.to_be_bytes().as_slice(), &self.bytes].concat();
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(signature))
    }
}

/// A text with its signatures, of which none has been verified by reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A text that nobody has signed yet. It ends in a newline and has no other control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        if !text.ends_with('\n') || text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Malformed(
                "a text that does not end, or with control characters",
            ));
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a note. Its signatures are not verified: see [`Self::verify`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let (text, lines) = note
            .rsplit_once("\n\n")
            .ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("its last line does not end"))?;
        if lines.split('\n').count() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooLarge);
        }
        let mut note = Self::new(format!("{text}\n"))?;
        let signatures: Option<_> = lines.split('\n').map(NoteSignature::parse).collect();
        note.signatures = signatures.ok_or(NoteError::Malformed("a line that is no signature"))?;
        Ok(note)
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, of known and unknown keys, as they came.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature that came apart, as a witness returns it. A second one by the same key takes the place of the first.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures
            .retain(|other| (&other.name, other.id) != (&signature.name, signature.id));
        self.signatures.push(signature);
    }

    /// Signs the text.
    pub fn sign(&mut self, name: &str, key: &SigningKey) -> Result<(), NoteError> {
        let id = NoteKey::new(name, SignatureType::Ed25519, &key.public())?.id();
        let bytes = key
            .as_ed25519()
            .sign(self.text.as_bytes())
            .to_bytes()
            .to_vec();
        self.add(NoteSignature {
            name: name.to_owned(),
            id,
            bytes,
        });
        Ok(())
    }

    /// Cosigns the text, a checkpoint's, as a witness that found it consistent with all it saw before.
    pub fn cosign(
        &mut self,
        name: &str,
        key: &SigningKey,
        posix_seconds: u64,
    ) -> Result<(), NoteError> {
        let id = NoteKey::new(name, SignatureType::Cosignature, &key.public())?.id();
        let signature = key
            .as_ed25519()
            .sign(self.cosigned_bytes(posix_seconds).as_bytes());
        let bytes = [
            posix_seconds.to_be_bytes().as_slice(),
            &signature.to_bytes(),
        ]
        .concat();
        self.add(NoteSignature {
            name: name.to_owned(),
            id,
            bytes,
        });
        Ok(())
    }

    fn cosigned_bytes(&self, posix_seconds: u64) -> String {
        format!("cosignature/v1\ntime {posix_seconds}\n{}", self.text)
    }

    /// Whether the key has signed the text. Every signature that claims to be its own must verify.
    pub fn verify(&self, key: &NoteKey) -> Result<(), NoteError> {
        self.times_signed(key).map(|_| ())
    }

    /// When a witness cosigned the text, in seconds since 1970: the latest time, if it did so repeatedly.
    pub fn cosigned_at(&self, witness: &NoteKey) -> Result<u64, NoteError> {
        if witness.kind != SignatureType::Cosignature {
            return Err(NoteError::Key);
        }
        self.times_signed(witness)
    }

    /// Verifies every signature of the key, and tells the latest time said in them (0 where the type says none).
    fn times_signed(&self, key: &NoteKey) -> Result<u64, NoteError> {
        let mut latest = None;
        for signature in self
            .signatures
            .iter()
            .filter(|signature| signature.name == key.name && signature.id == key.id())
        {
            let (time, bytes, message) = match key.kind {
                SignatureType::Ed25519 => (0, signature.bytes.as_slice(), self.text.clone()),
                SignatureType::Cosignature => {
                    let (time, bytes) = signature
                        .bytes
                        .split_first_chunk()
                        .ok_or(NoteError::Invalid)?;
                    let time = u64::from_be_bytes(*time);
                    (time, bytes, self.cosigned_bytes(time))
                }
            };
            let signature =
                ed25519_dalek::Signature::from_slice(bytes).map_err(|_| NoteError::Invalid)?;
            key.key
                .verify_strict(message.as_bytes(), &signature)
                .map_err(|_| NoteError::Invalid)?;
            latest = latest.max(Some(time));
        }
        latest.ok_or(NoteError::NotSigned)
    }
}

/// The note as it is stored and sent.
impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// golang.org/x/mod/sumdb/note, the example of its documentation.
    const GO_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const GO_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    /// C2SP signed-note, "Verifier keys", its example.
    const C2SP_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const C2SP_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    /// C2SP tlog-cosignature, its example (whose keys are not published).
    const C2SP_COSIGNED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn go_signer() -> SigningKey {
        let seed = STANDARD.decode(GO_SEED).unwrap();
        SigningKey::from_seed(seed[1..].try_into().unwrap())
    }

    fn witness() -> SigningKey {
        SigningKey::from_seed([5; 32])
    }

    #[test]
    fn a_note_is_signed_as_gos_sumdb_signs_it() {
        let mut note = SignedNote::new(GO_TEXT.to_owned()).unwrap();
        note.sign("PeterNeumann", &go_signer()).unwrap();
        assert_eq!(note.to_string(), format!("{GO_TEXT}\n{GO_LINE}"));
        let key = NoteKey::parse(GO_KEY).unwrap();
        assert_eq!(key.id(), 0xc74f_20a3);
        assert_eq!(key.to_string(), GO_KEY);
        assert_eq!(note.verify(&key), Ok(()));
    }

    #[test]
    fn the_example_of_the_specification_verifies() {
        let note = SignedNote::parse(C2SP_NOTE).unwrap();
        assert_eq!(note.verify(&NoteKey::parse(C2SP_KEY).unwrap()), Ok(()));
        assert_eq!(note.to_string(), C2SP_NOTE);
        assert_eq!(
            note.verify(&NoteKey::parse(GO_KEY).unwrap()),
            Err(NoteError::NotSigned)
        );
    }

    #[test]
    fn unknown_signatures_are_kept() {
        let mut note = SignedNote::parse(C2SP_COSIGNED).unwrap();
        assert_eq!(note.to_string(), C2SP_COSIGNED);
        let [log, witness] = note.signatures() else {
            panic!("two signatures")
        };
        assert_eq!(
            (log.bytes.len(), log.name.as_str()),
            (64, "example.com/behind-the-sofa")
        );
        assert_eq!(witness.bytes.len(), 8 + 64);
        assert_eq!(witness.bytes[..8], 1_679_315_147_u64.to_be_bytes());
        note.sign("PeterNeumann", &go_signer()).unwrap();
        assert_eq!(
            SignedNote::parse(&note.to_string())
                .unwrap()
                .signatures()
                .len(),
            3
        );
    }

    #[test]
    fn a_cosignature_says_when_and_is_no_signature() {
        let mut note = SignedNote::parse(C2SP_COSIGNED).unwrap();
        note.cosign("witness.example/w", &witness(), 1_762_000_000)
            .unwrap();
        let public = witness().public();
        let key = NoteKey::new("witness.example/w", SignatureType::Cosignature, &public).unwrap();
        assert_eq!(note.cosigned_at(&key), Ok(1_762_000_000));
        let plain = NoteKey::new("witness.example/w", SignatureType::Ed25519, &public).unwrap();
        assert_eq!(note.verify(&plain), Err(NoteError::NotSigned));
        assert_eq!(note.cosigned_at(&plain), Err(NoteError::Key));
        note.cosign("witness.example/w", &witness(), 1_762_000_060)
            .unwrap();
        assert_eq!(note.signatures().len(), 3);
        assert_eq!(note.cosigned_at(&key), Ok(1_762_000_060));
        assert_eq!(NoteKey::parse(&key.to_string()), Ok(key));
    }

    #[test]
    fn the_time_of_a_cosignature_is_signed() {
        let mut note = SignedNote::parse(C2SP_NOTE).unwrap();
        note.cosign("w", &witness(), 1_762_000_000).unwrap();
        let mut signature = note.signatures()[1].clone();
        signature.bytes[7] ^= 1;
        note.add(signature);
        let key = NoteKey::new("w", SignatureType::Cosignature, &witness().public()).unwrap();
        assert_eq!(note.cosigned_at(&key), Err(NoteError::Invalid));
    }

    #[test]
    fn a_false_signature_beside_a_true_one_is_refused() {
        let note = format!(
            "{GO_TEXT}\n{GO_LINE}{}",
            GO_LINE.replace("/Zhc", "/Zhd").replace("JkuBS9", "JkuBS8")
        );
        let note = SignedNote::parse(&note).unwrap();
        assert_eq!(
            note.verify(&NoteKey::parse(GO_KEY).unwrap()),
            Err(NoteError::Invalid)
        );
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = GO_LINE.trim_end();
        for wrong in [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            format!("text\n{line}\n"),
            format!("text\n\n{line}"),
            format!("text\n\n{line}\n\n"),
            format!("text\n\n{}\n", line.replacen('—', "-", 1)),
            format!(
                "text\n\n{}\n",
                line.replacen("PeterNeumann", "Peter+Neumann", 1)
            ),
            format!("text\n\n{}\n", line.replacen("PeterNeumann", "", 1)),
            format!("text\n\n{}\n", line.trim_end_matches('=')),
            "text\n\n— name AAAAAA==\n".to_owned(),
            format!("te\rxt\n\n{line}\n"),
        ] {
            assert!(SignedNote::parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_note_takes_its_limit_of_signatures_and_no_more() {
        let lines = |count: usize| GO_LINE.repeat(count);
        assert!(SignedNote::parse(&format!("text\n\n{}", lines(NOTE_SIGNATURES_MAX))).is_ok());
        let one_more = SignedNote::parse(&format!("text\n\n{}", lines(NOTE_SIGNATURES_MAX + 1)));
        assert_eq!(one_more, Err(NoteError::TooLarge));
        let rest = format!("\n\n{GO_LINE}");
        let filled = |length: usize| format!("{}{rest}", "a".repeat(length - rest.len()));
        assert!(SignedNote::parse(&filled(NOTE_BYTES_MAX)).is_ok());
        assert_eq!(
            SignedNote::parse(&filled(NOTE_BYTES_MAX + 1)),
            Err(NoteError::TooLarge)
        );
    }

    #[test]
    fn verifier_keys_are_checked() {
        for wrong in [
            "",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
            "PeterNeumann+c74f20a3+AA==",
        ] {
            assert!(NoteKey::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_with_empty_lines_come_back(lines in proptest::collection::vec("[a-z— ]{0,6}", 1..6)) {
            let text = format!("{}\n", lines.join("\n"));
            let mut note = SignedNote::new(text.clone()).unwrap();
            note.sign("key", &witness()).unwrap();
            let parsed = SignedNote::parse(&note.to_string()).unwrap();
            prop_assert_eq!(parsed.text(), text.as_str());
            let key = NoteKey::new("key", SignatureType::Ed25519, &witness().public()).unwrap();
            prop_assert_eq!(parsed.verify(&key), Ok(()));
        }

        #[test]
        fn no_text_breaks_the_readers(text in "(?s).{0,40}|[a\n —+=]{0,40}") {
            let _ = SignedNote::parse(&text);
            let _ = NoteKey::parse(&text);
        }
    }
}
