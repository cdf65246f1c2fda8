//! Batches: numbered commands of one device for one journal, sealed under one signature.
//!
//! What is signed is the [`Batch`]: its deterministic CBOR, hashed under a context string and the deployment's id. Contents are
//! not in it but their salted digests are, so a reader who may see none of them still verifies the signature. A [`Parts`] is
//! a batch with those contents that its holder has; on the wire it is a [`WireBatch`], packed (see [`crate::pack`]).
//!
//! A device's batches for one journal form its lane: each names the digest of the one before.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::command::{Audience, Command, Content, Envelope, Origin, Salt};
use crate::id::{AssignmentId, DeploymentId, DeviceId, Digest, JournalId, Seq, Timestamp, sha256};
use crate::limits;
use crate::pack::{self, Effort, Places, Room};
use crate::sign::{PublicKey, Signature, SigningKey};

#[cfg(test)]
mod tests;

const BATCH_CONTEXT: &[u8] = b"zhucun batch v1";

/// The end of a journal's chain as somebody verified it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Position {
    /// The last entry's position; 0 for the empty journal.
    #[n(0)]
    pub seq: Seq,
    /// The chain's head there.
    #[n(1)]
    pub head: Digest,
}

/// The signed part of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Batch {
    /// The journal it is for.
    #[n(0)]
    pub journal: JournalId,
    /// The device that wrote it.
    #[n(1)]
    pub device: DeviceId,
    /// The assignment under which its author acted.
    #[n(2)]
    pub assignment: AssignmentId,
    /// The version of the catalogue it was written under.
    #[n(3)]
    pub catalogue: u32,
    /// The digest of the lane's previous batch; [`lane_start`] for the first.
    #[n(4)]
    pub previous: Digest,
    /// The end of the journal's chain that the device had verified.
    #[n(5)]
    pub seen: Position,
    /// When it was sealed, by the device's clock.
    #[n(6)]
    pub sealed_at: Timestamp,
    /// The commands' envelopes, numbered without gaps.
    #[n(7)]
    pub envelopes: Vec<Envelope>,
}

/// What the first batch of a lane names as the one before: `SHA-256("zhucun lane v1" ‖ device ‖ journal)`.
pub fn lane_start(device: DeviceId, journal: JournalId) -> Digest {
    sha256(&[b"zhucun lane v1", &device.0, &journal.0])
}

impl Batch {
    /// `SHA-256("zhucun batch v1" ‖ deployment ‖ CBOR(batch))`: what is signed, chained and entered.
    pub fn digest(&self, deployment: DeploymentId) -> Digest {
        sha256(&[BATCH_CONTEXT, &deployment.0, &cbor::encode(self)])
    }

    /// The number of its first command; 0 if it is empty, which no valid batch is.
    pub fn first(&self) -> u64 {
        self.envelopes.first().map_or(0, |envelope| envelope.n)
    }

    /// The number of its last command.
    pub fn last(&self) -> u64 {
        self.envelopes.last().map_or(0, |envelope| envelope.n)
    }

    /// Whose its commands are, and from which number on.
    pub fn lane(&self) -> pack::Lane {
        pack::Lane {
            device: self.device,
            journal: self.journal,
            first: self.first(),
        }
    }

    /// The place of one of its commands.
    pub const fn origin(&self, n: u64) -> Origin {
        Origin {
            device: self.device,
            journal: self.journal,
            n,
        }
    }

    /// Whether its commands are numbered without gaps, and neither none nor too many.
    fn is_numbered(&self) -> bool {
        let first = self.first();
        first > 0
            && first
                .checked_add(limits::BATCH_COMMANDS_MAX as u64)
                .is_some()
            && self.envelopes.len() <= limits::BATCH_COMMANDS_MAX
            && self
                .envelopes
                .iter()
                .zip(first..)
                .all(|(envelope, n)| envelope.n == n)
    }
}

/// The secret from which a batch's salts derive. Who may read the whole batch gets it.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Seed(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(<secret>)")
    }
}

impl Seed {
    /// The salt of command `n`: the first 16 bytes of `SHA-256("zhucun salt v1" ‖ seed ‖ n)`. One way: a salt tells nothing of
    /// the seed or of other salts.
    pub fn salt(&self, n: u64) -> Salt {
        let digest = sha256(&[b"zhucun salt v1", &self.0, &n.to_be_bytes()]).0;
        let mut salt = [0; 16];
        salt.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        Salt(salt)
    }
}

/// One content and the salt that hides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salted {
    /// The salt.
    pub salt: Salt,
    /// The content.
    pub content: Content,
}

/// A signed batch with those of its contents that the holder has, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The signed part.
    pub batch: Batch,
    /// The signature over its digest.
    pub signature: Signature,
    /// The seed of the salts, where the holder may read everything.
    pub seed: Option<Seed>,
    /// The contents the holder has; `None` where one is withheld or erased. As many as there are envelopes.
    pub contents: Vec<Option<Salted>>,
}

/// Why bytes are no batch at all. Nothing can be attributed to anyone, so nothing is entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The envelopes or a stream of contents cannot be unpacked.
    #[error("a stream cannot be unpacked: {0}")]
    Pack(#[from] pack::PackError),
    /// The commands are not numbered first, first + 1, … or are none or too many.
    #[error("commands are not numbered without gaps, or none, or too many")]
    Numbering,
    /// An audience has two streams, or they are out of order.
    #[error("an audience has two streams, or they are out of order")]
    Streams,
    /// Fates of commands that are not there, or out of order.
    #[error("fates of commands that are not there, or out of order")]
    Fates,
    /// A command has neither content nor digest, or both, or a salt too many; or a stream names a command that is not there or
    /// stands elsewhere.
    #[error("command {index} has no digest or two, or its content stands in the wrong stream")]
    Content {
        /// The command's index in the batch.
        index: u32,
    },
}

/// What a device puts into one command; the rest of the envelope is derived at sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// The envelope, its digest still zero.
    pub envelope: Envelope,
    /// The content.
    pub content: Content,
}

/// Under what a batch is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The journal.
    pub journal: JournalId,
    /// The assignment.
    pub assignment: AssignmentId,
    /// The catalogue version.
    pub catalogue: u32,
    /// The lane's previous batch.
    pub previous: Digest,
    /// The chain as verified.
    pub seen: Position,
    /// Now.
    pub at: Timestamp,
    /// Randomness for the salts: never used twice.
    pub seed: Seed,
    /// The device's key.
    pub key: &'a SigningKey,
}

/// Seals commands, already numbered, into a batch.
pub fn seal(sealing: &Sealing<'_>, commands: Vec<Unsealed>) -> Parts {
    let mut envelopes = Vec::with_capacity(commands.len());
    let mut contents = Vec::with_capacity(commands.len());
    for Unsealed {
        mut envelope,
        content,
    } in commands
    {
        let salt = sealing.seed.salt(envelope.n);
        envelope.digest = content.digest(salt);
        envelopes.push(envelope);
        contents.push(Some(Salted { salt, content }));
    }
    let batch = Batch {
        journal: sealing.journal,
        device: sealing.key.public().device(),
        assignment: sealing.assignment,
        catalogue: sealing.catalogue,
        previous: sealing.previous,
        seen: sealing.seen,
        sealed_at: sealing.at,
        envelopes,
    };
    let signature = sealing.key.sign(
        BATCH_CONTEXT,
        sealing.deployment,
        batch.digest(sealing.deployment),
    );
    Parts {
        batch,
        signature,
        seed: Some(sealing.seed),
        contents,
    }
}

impl Parts {
    /// Whether the key signed this batch for this deployment.
    pub fn is_signed_by(&self, deployment: DeploymentId, key: &PublicKey) -> bool {
        self.is_signed_over(self.batch.digest(deployment), deployment, key)
    }

    /// The same, with the batch's digest at hand.
    pub(crate) fn is_signed_over(
        &self,
        digest: Digest,
        deployment: DeploymentId,
        key: &PublicKey,
    ) -> bool {
        key.device() == self.batch.device
            && key
                .verify(BATCH_CONTEXT, deployment, digest, &self.signature)
                .is_ok()
    }

    /// Its commands, with their contents where they are at hand.
    pub fn commands(&self) -> impl Iterator<Item = Command> + '_ {
        (0..self.contents.len()).map_while(|index| self.command(index))
    }

    /// One of them, by its place among them.
    pub fn command(&self, index: usize) -> Option<Command> {
        let salted = self.contents.get(index)?.as_ref();
        Some(Command {
            envelope: self.batch.envelopes.get(index)?.clone(),
            content: salted.map(|salted| salted.content.clone()),
        })
    }

    /// The same batch for a reader who may have only the commands that `may_read` names by index.
    #[must_use]
    pub fn withhold(&self, mut may_read: impl FnMut(usize, &Envelope) -> bool) -> Self {
        let contents: Vec<_> = (self.batch.envelopes.iter().zip(&self.contents).enumerate())
            .map(|(index, (envelope, salted))| salted.clone().filter(|_| may_read(index, envelope)))
            .collect();
        let whole = contents.iter().all(Option::is_some);
        Self {
            seed: self.seed.filter(|_| whole),
            contents,
            ..self.clone()
        }
    }

    /// Packs it for the wire or the store.
    pub fn to_wire(&self) -> WireBatch {
        self.packed(&Places::default(), Effort::Full)
    }

    /// Packs it, naming records by what is known of the commands that made them.
    pub fn to_wire_by(&self, places: &Places) -> WireBatch {
        self.packed(places, Effort::Full)
    }

    /// Packs it in a hundredth of the time, somewhat larger.
    pub fn to_wire_quickly(&self) -> WireBatch {
        self.packed(&Places::default(), Effort::Quick)
    }

    fn packed(&self, places: &Places, effort: Effort) -> WireBatch {
        let batch = &self.batch;
        let mut streams: BTreeMap<Audience, Vec<(u32, &Content)>> = BTreeMap::new();
        let mut salts = Vec::new();
        let mut digests = Vec::new();
        for (index, (envelope, salted)) in (0..).zip(batch.envelopes.iter().zip(&self.contents)) {
            match salted {
                Some(salted) => {
                    streams
                        .entry(envelope.audience)
                        .or_default()
                        .push((index, &salted.content));
                    if self.seed.is_none() {
                        salts.push((index, salted.salt));
                    }
                }
                None => digests.push((index, envelope.digest)),
            }
        }
        let lane = batch.lane();
        WireBatch {
            journal: batch.journal,
            device: batch.device,
            assignment: batch.assignment,
            catalogue: batch.catalogue,
            first: batch.first(),
            previous: batch.previous,
            seen: batch.seen,
            sealed_at: batch.sealed_at,
            envelopes: pack::envelopes_packed(&lane, &batch.envelopes, places, effort).into(),
            signature: self.signature.clone(),
            seed: self.seed,
            streams: streams
                .into_iter()
                .map(|(audience, rows)| (audience, pack::contents_packed(&rows, effort).into()))
                .collect(),
            salts,
            digests,
        }
    }
}

/// A batch as it travels and is stored: envelopes and contents packed, one stream of contents per audience.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WireBatch {
    /// See [`Batch::journal`].
    #[n(0)]
    pub journal: JournalId,
    /// See [`Batch::device`].
    #[n(1)]
    pub device: DeviceId,
    /// See [`Batch::assignment`].
    #[n(2)]
    pub assignment: AssignmentId,
    /// See [`Batch::catalogue`].
    #[n(3)]
    pub catalogue: u32,
    /// The number of the first command.
    #[n(4)]
    pub first: u64,
    /// See [`Batch::previous`].
    #[n(5)]
    pub previous: Digest,
    /// See [`Batch::seen`].
    #[n(6)]
    pub seen: Position,
    /// See [`Batch::sealed_at`].
    #[n(7)]
    pub sealed_at: Timestamp,
    /// The packed envelopes.
    #[n(8)]
    pub envelopes: Bytes,
    /// The signature.
    #[n(9)]
    pub signature: Signature,
    /// The seed, for who may read everything.
    #[n(10)]
    pub seed: Option<Seed>,
    /// The packed contents by audience.
    #[n(11)]
    pub streams: Vec<(Audience, Bytes)>,
    /// Salts by index, for who may read some of it.
    #[n(12)]
    pub salts: Vec<(u32, Salt)>,
    /// Digests by index of the contents that are not here.
    #[n(13)]
    pub digests: Vec<(u32, Digest)>,
}

/// Bytes that encode as one CBOR byte string.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Bytes(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl core::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl WireBatch {
    /// Unpacks it and recomputes every digest from what is here. It says nothing yet about who signed.
    pub fn open(&self) -> Result<Parts, Malformed> {
        self.open_within(&mut Room::of_request())
    }

    /// Opens it within the room that is left, and takes from it; with too little, that is what is said ([`pack::PackError::NoRoom`]).
    pub fn open_within(&self, room: &mut Room) -> Result<Parts, Malformed> {
        self.opened(room, &mut |salted| Some(salted.content.digest(salted.salt)))
    }

    /// Opens one that its holder opened before, with the digests that he noted then, of the contents that are here and in their
    /// order: hashing them again is most of the work.
    pub(crate) fn open_noted(&self, digests: &[Digest]) -> Result<Parts, Malformed> {
        let mut digests = digests.iter().copied();
        self.opened(&mut Room::of_request(), &mut |_| digests.next())
    }

    fn opened(
        &self,
        room: &mut Room,
        digest_of: &mut dyn FnMut(&Salted) -> Option<Digest>,
    ) -> Result<Parts, Malformed> {
        let lane = pack::Lane {
            device: self.device,
            journal: self.journal,
            first: self.first,
        };
        let mut envelopes = room.unpack_envelopes(&lane, &self.envelopes.0)?;
        let contents = self.contents(&envelopes, room)?;
        let digests: BTreeMap<u32, Digest> = self.digests.iter().copied().collect();
        self.has_one_form(&contents)?;
        for ((index, envelope), salted) in (0..).zip(&mut envelopes).zip(&contents) {
            let digest = match salted {
                Some(salted) => digest_of(salted),
                None => digests.get(&index).copied(),
            };
            envelope.digest = digest.ok_or(Malformed::Content { index })?;
        }
        let batch = Batch {
            journal: self.journal,
            device: self.device,
            assignment: self.assignment,
            catalogue: self.catalogue,
            previous: self.previous,
            seen: self.seen,
            sealed_at: self.sealed_at,
            envelopes,
        };
        if !batch.is_numbered() {
            return Err(Malformed::Numbering);
        }
        Ok(Parts {
            batch,
            signature: self.signature.clone(),
            seed: self.seed,
            contents,
        })
    }

    /// Refuses digests of what is here, salts of what is not or derives from the seed, and either out of order: what stands for
    /// nothing would be kept and passed on all the same.
    fn has_one_form(&self, contents: &[Option<Salted>]) -> Result<(), Malformed> {
        let places = || (0_u32..).zip(contents);
        let withheld = places().filter(|(_, salted)| salted.is_none());
        let salted = places().filter(|(_, salted)| salted.is_some() && self.seed.is_none());
        let digests = self.digests.iter().map(|(index, _)| *index);
        let salts = self.salts.iter().map(|(index, _)| *index);
        let misplaced = |index: u32| Malformed::Content { index };
        differ(withheld.map(|(index, _)| index), digests)
            .map_or(Ok(()), |at| Err(misplaced(at)))?;
        differ(salted.map(|(index, _)| index), salts).map_or(Ok(()), |at| Err(misplaced(at)))
    }

    fn contents(
        &self,
        envelopes: &[Envelope],
        room: &mut Room,
    ) -> Result<Vec<Option<Salted>>, Malformed> {
        if !self
            .streams
            .is_sorted_by(|(audience, _), (next, _)| audience < next)
        {
            return Err(Malformed::Streams);
        }
        let salts: BTreeMap<u32, Salt> = self.salts.iter().copied().collect();
        let mut contents = vec![None; envelopes.len()];
        for (audience, bytes) in &self.streams {
            for (index, content) in room.unpack_contents(&bytes.0)? {
                let misplaced = Malformed::Content { index };
                let at = index as usize;
                let envelope = envelopes
                    .get(at)
                    .filter(|envelope| envelope.audience == *audience)
                    .ok_or(misplaced.clone())?;
                let salt = self
                    .seed
                    .map(|seed| seed.salt(envelope.n))
                    .or_else(|| salts.get(&index).copied());
                let slot = contents
                    .get_mut(at)
                    .filter(|slot| slot.is_none())
                    .ok_or(misplaced.clone())?;
                *slot = Some(Salted {
                    salt: salt.ok_or(misplaced)?,
                    content,
                });
            }
        }
        Ok(contents)
    }

    /// How many bytes its packed streams take.
    pub fn packed_bytes(&self) -> usize {
        self.envelopes.0.len()
            + self
                .streams
                .iter()
                .map(|(_, bytes)| bytes.0.len())
                .sum::<usize>()
    }
}

/// Where two runs of indices differ first.
fn differ(mut one: impl Iterator<Item = u32>, mut other: impl Iterator<Item = u32>) -> Option<u32> {
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if one == other => {}
            (one, other) => return other.or(one),
        }
    }
}
