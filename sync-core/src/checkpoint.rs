//! Checkpoints: one Merkle log over the heads of all journals, its signed tree heads, and the proofs against them.
//!
//! When journals have moved, a [`Leaf`] for each is appended to one RFC 6962 tree ([`merkle`]); the tree's size and root are
//! signed as a C2SP `tlog-checkpoint`, which is a signed note ([`note`]) that witnesses may cosign; [`tile`] lays the tree out as
//! C2SP `tlog-tiles`. These are the forms that tools for transparency logs read.
//!
//! A leaf proves that a head was published, not that it is the journal's only one: an auditor takes all leaves, and every head
//! must lie on one chain.

pub mod merkle;
pub mod note;
pub mod tile;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minicbor::{Decode, Encode};

use self::note::{NoteError, NoteKey, SignatureType, SignedNote};
use crate::id::{DeploymentId, Digest, JournalId, Seq};
use crate::sign::{PublicKey, SigningKey};

/// One leaf: the head of one journal, at the time of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Leaf {
    /// The journal.
    #[n(0)]
    pub journal: JournalId,
    /// The position of its last entry.
    #[n(1)]
    pub seq: Seq,
    /// Its chain head there.
    #[n(2)]
    pub head: Digest,
}

impl Leaf {
    /// The bytes that the tree hashes: deterministic CBOR, `[journal, seq, head]`.
    pub fn to_cbor(&self) -> Vec<u8> {
        crate::cbor::encode(self)
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Digest {
        merkle::leaf_hash(&self.to_cbor())
    }
}

/// The origin line of a deployment's log, which is also the name of its key: `zhucun/<deployment id>`.
pub fn origin(deployment: DeploymentId) -> String {
    format!("zhucun/{deployment}")
}

/// The state of the log at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: see [`origin`].
    pub origin: String,
    /// How many leaves the tree has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// Further lines, not empty. They are signed, but the tree says nothing about them.
    pub extensions: Vec<String>,
}

/// Why a checkpoint cannot be signed or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no signed note, or is not signed by the key asked for.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is not that of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// It is the checkpoint of another log.
    #[error("a checkpoint of another log")]
    OtherOrigin,
}

impl Checkpoint {
    /// The note text: origin, size, root and extensions, a line each.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.as_bytes())
        );
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads a note text. It is not to be believed for that: see [`open_checkpoint`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed("its last line does not end"))?;
        let mut lines = text.split('\n');
        let mut line = |what| {
            lines
                .next()
                .filter(|line| !line.is_empty())
                .ok_or(CheckpointError::Malformed(what))
        };
        let origin = line("no origin")?.to_owned();
        let size = decimal(line("no size")?)
            .ok_or(CheckpointError::Malformed("a size that is no number"))?;
        let root = STANDARD.decode(line("no root")?).ok();
        let root = root.and_then(|root| Digest::try_from(root.as_slice()).ok());
        let root = root.ok_or(CheckpointError::Malformed("a root that is no digest"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Malformed("an empty line"));
        }
        Ok(Self {
            origin,
            size,
            root,
            extensions,
        })
    }
}

/// A number in its only form: no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Signs a checkpoint with the log's key, as a signed note.
pub fn sign_checkpoint(
    checkpoint: &Checkpoint,
    key: &SigningKey,
) -> Result<String, CheckpointError> {
    let text = checkpoint.to_text();
    if Checkpoint::parse(&text).as_ref() != Ok(checkpoint) {
        return Err(CheckpointError::Malformed(
            "a line that would read as several",
        ));
    }
    let mut note = SignedNote::new(text)?;
    note.sign(&checkpoint.origin, key)?;
    Ok(note.to_string())
}

/// Reads a checkpoint of the log `origin` that its key has signed. Signatures of others are not looked at: see
/// [`SignedNote::cosigned_at`].
pub fn open_checkpoint(
    text: &str,
    origin: &str,
    key: &PublicKey,
) -> Result<Checkpoint, CheckpointError> {
    let note = SignedNote::parse(text)?;
    note.verify(&NoteKey::new(origin, SignatureType::Ed25519, key)?)?;
    let checkpoint = Checkpoint::parse(note.text())?;
    if checkpoint.origin == origin {
        Ok(checkpoint)
    } else {
        Err(CheckpointError::OtherOrigin)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbor;

    fn key() -> SigningKey {
        SigningKey::from_seed([3; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: origin(DeploymentId([0xab; 16])),
            size: 20_852_163,
            root: Digest([7; 32]),
            extensions: vec![],
        }
    }

    #[test]
    fn a_signed_checkpoint_opens_for_its_key_and_origin_alone() {
        let checkpoint = checkpoint();
        let text = sign_checkpoint(&checkpoint, &key()).unwrap();
        let public = key().public();
        assert_eq!(
            open_checkpoint(&text, &checkpoint.origin, &public),
            Ok(checkpoint.clone())
        );
        let stranger = SigningKey::from_seed([4; 32]).public();
        assert_eq!(
            open_checkpoint(&text, &checkpoint.origin, &stranger),
            Err(CheckpointError::Note(NoteError::NotSigned))
        );
        let elsewhere = origin(DeploymentId([1; 16]));
        assert!(open_checkpoint(&text, &elsewhere, &public).is_err());
    }

    #[test]
    fn a_checkpoint_of_another_log_under_our_name_is_refused() {
        let ours = checkpoint().origin;
        let other = Checkpoint {
            origin: "example.com/other".to_owned(),
            ..checkpoint()
        };
        let mut note = SignedNote::new(other.to_text()).unwrap();
        note.sign(&ours, &key()).unwrap();
        let opened = open_checkpoint(&note.to_string(), &ours, &key().public());
        assert_eq!(opened, Err(CheckpointError::OtherOrigin));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let checkpoint = checkpoint();
        let text = sign_checkpoint(&checkpoint, &key()).unwrap();
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = core::str::from_utf8(&bytes) {
                let opened = open_checkpoint(changed, &checkpoint.origin, &key().public());
                assert!(opened.is_err(), "byte {place}");
            }
        }
    }

    /// C2SP tlog-checkpoint, its example.
    #[test]
    fn the_example_of_the_specification_reads() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let parsed = Checkpoint::parse(text).unwrap();
        assert_eq!(parsed.origin, "example.com/behind-the-sofa");
        assert_eq!(parsed.size, 20_852_163);
        assert_eq!(parsed.to_text(), text);
    }

    #[test]
    fn only_one_text_stands_for_a_checkpoint() {
        let text = checkpoint().to_text();
        let root = text.lines().nth(2).unwrap();
        for wrong in [
            String::new(),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}extension\n\n"),
            format!("\n1\n{root}\n"),
            format!("log\n01\n{root}\n"),
            format!("log\n+1\n{root}\n"),
            format!("log\n-1\n{root}\n"),
            format!("log\n18446744073709551616\n{root}\n"),
            format!("log\n1\n{}\n", &root[..40]),
            format!("log\n1\n{}\n", root.trim_end_matches('=')),
            "log\n1\n".to_owned(),
        ] {
            assert!(Checkpoint::parse(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lines_that_would_read_as_several_are_not_signed() {
        let framed = Checkpoint {
            origin: "evil\n999".to_owned(),
            ..checkpoint()
        };
        assert!(sign_checkpoint(&framed, &key()).is_err());
        let empty = Checkpoint {
            extensions: vec![String::new()],
            ..checkpoint()
        };
        assert!(sign_checkpoint(&empty, &key()).is_err());
        let split = Checkpoint {
            extensions: vec!["a\nb".to_owned()],
            ..checkpoint()
        };
        assert!(sign_checkpoint(&split, &key()).is_err());
        let spaced = Checkpoint {
            origin: "a name".to_owned(),
            ..checkpoint()
        };
        assert!(sign_checkpoint(&spaced, &key()).is_err());
    }

    #[test]
    fn a_leaf_has_one_encoding() {
        let leaf = Leaf {
            journal: JournalId([1; 16]),
            seq: 300,
            head: Digest([2; 32]),
        };
        let bytes = leaf.to_cbor();
        assert_eq!(bytes.len(), 1 + 17 + 3 + 34);
        assert_eq!(cbor::decode(&bytes), Ok(leaf));
        assert_eq!(leaf.hash(), merkle::leaf_hash(&bytes));
    }

    proptest! {
        #[test]
        fn checkpoints_come_back(size: u64, root: [u8; 32], extensions in proptest::collection::vec("[ -~]{1,20}", 0..3)) {
            let checkpoint = Checkpoint { size, root: Digest(root), extensions, ..checkpoint() };
            let text = sign_checkpoint(&checkpoint, &key()).unwrap();
            prop_assert_eq!(open_checkpoint(&text, &checkpoint.origin, &key().public()), Ok(checkpoint));
        }

        #[test]
        fn no_text_breaks_the_reader(text: String) {
            let _ = Checkpoint::parse(&text);
            let _ = open_checkpoint(&text, "log", &key().public());
        }
    }
}
