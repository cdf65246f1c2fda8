//! Commands: what a person asked for, in the words of the domain.
//!
//! A command is an [`Envelope`], which goes to whoever may pull the journal and is all that chain, lanes, authority and state
//! need, and a [`Content`], which goes only to its [`Audience`]. The envelope holds a salted digest of the content, so that the
//! content can be withheld or erased while every proof still verifies, and cannot be guessed from what remains.
//!
//! Both have one encoding, deterministic CBOR (RFC 8949 §4.2.1); these bytes are what gets hashed and signed, and can never
//! change. How they travel is another matter: see `pack`.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::id::{DeviceId, Digest, ItemId, JournalId, RecordId, Seq, Timestamp, sha256};
use crate::month::Month;
use crate::value::{Fields, Value};

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Verb {
    /// Makes a record.
    #[n(0)]
    Create,
    /// Gives fields new values.
    #[n(1)]
    Set,
    /// Changes a text in places, by splices in code points.
    #[n(2)]
    Edit,
    /// Adds items to a list.
    #[n(3)]
    Insert,
    /// Takes items, named by id, out of a list.
    #[n(4)]
    Remove,
    /// Moves the record's state by one of its kind's actions.
    #[n(5)]
    Act,
    /// Corrects a filed testimony; the original stays shown.
    #[n(6)]
    Amend,
    /// Hides a record, with a reason. Nothing is physically deleted.
    #[n(7)]
    Void,
    /// Destroys the content of the records it links to, as the law requires; every proof still verifies.
    #[n(8)]
    Erase,
    /// Asks to read one sensitive field, for a stated purpose.
    #[n(9)]
    Reveal,
    /// Closes a month of the village (月结), which `action` names: see [`crate::month`].
    #[n(10)]
    Seal,
    /// Clears the marks of one cause, which `action` names, on the record's commands up to `base`.
    #[n(11)]
    Clear,
}

/// Who may read a command's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Audience {
    /// Whoever may read the village.
    #[n(0)]
    Village,
    /// The stationed team alone.
    #[n(1)]
    Team,
    /// The team, and the offices of township and county.
    #[n(2)]
    County,
    /// The village's own phones; elsewhere only by a logged reveal.
    #[n(3)]
    Sensitive,
}

impl Audience {
    /// All audiences, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Village, Self::Team, Self::County, Self::Sensitive];
}

/// The place of a command in its lane, anywhere: what `origin` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Origin {
    /// The device that wrote it first.
    #[n(0)]
    pub device: DeviceId,
    /// The journal it was meant for.
    #[n(1)]
    pub journal: JournalId,
    /// Its number there.
    #[n(2)]
    pub n: u64,
}

impl Origin {
    /// Numbers from here on stand in no lane: the places of commands whose number a copy of their phone used for another.
    pub const APART: u64 = 1 << 62;

    /// The id of the record that this command creates, if it is a `Create`.
    pub fn record(&self) -> RecordId {
        RecordId::derive(self.device, self.journal, self.n)
    }
}

/// A reference in a field: to a record of this journal, of another, or (in fields of type `user`) to a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Link {
    /// The field that holds the reference.
    #[n(0)]
    pub field: String,
    /// What is referred to.
    #[n(1)]
    pub target: RecordId,
    /// Its journal, if another than this one.
    #[n(2)]
    pub journal: Option<JournalId>,
}

/// The part of a command that chain, lanes, authority and state need.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// Its number in the lane: 1, 2, 3, … without gaps.
    #[n(0)]
    pub n: u64,
    /// The record it speaks of. A `Create` carries the id derived from its own place, or from its origin's.
    #[n(1)]
    pub record: RecordId,
    /// The record's kind, as the catalogue names it.
    #[n(2)]
    pub kind: String,
    /// The journal position of what the person was looking at.
    #[n(3)]
    pub base: Seq,
    /// When it was recorded, by the device's clock.
    #[n(4)]
    pub at: Timestamp,
    /// What it does.
    #[n(5)]
    pub verb: Verb,
    /// Which action, for [`Verb::Act`]; the state a [`Verb::Create`] begins in, the month of a [`Verb::Seal`], the cause of a
    /// [`Verb::Clear`].
    #[n(6)]
    pub action: Option<String>,
    /// The fields that the content writes (or reveals), in ascending order, each once: authority needs their names, not their values.
    #[n(7)]
    pub fields: Vec<String>,
    /// References, in ascending order. They live here and not in the content, because preconditions read them.
    #[n(8)]
    pub links: Vec<Link>,
    /// Who may read the content.
    #[n(9)]
    pub audience: Audience,
    /// The salted digest of the content: see [`Content::digest`].
    #[n(10)]
    pub digest: Digest,
    /// An earlier command of this lane: if that was refused or without effect, so is this one.
    #[n(11)]
    pub needs: Option<u64>,
    /// Where it was first written, if this offers again what another lane could not deliver.
    #[n(12)]
    pub origin: Option<Origin>,
}

impl Envelope {
    /// Whether all it does is to open the record to a wider audience: a `Set` of nothing.
    pub fn widens(&self) -> bool {
        self.verb == Verb::Set && self.fields.is_empty() && self.links.is_empty()
    }

    /// The month that it closes, if it closes one.
    pub fn sealed_month(&self) -> Option<Month> {
        let month = self.action.as_deref().filter(|_| self.verb == Verb::Seal);
        month.and_then(|month| month.parse().ok())
    }

    /// Whether it makes its record.
    pub const fn makes(&self) -> bool {
        matches!(self.verb, Verb::Create | Verb::Seal)
    }
}

/// One change of a text. Positions and lengths count Unicode code points; they clamp to the text's length.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Splice {
    /// Where, from the beginning of the text as the earlier splices of this command left it.
    #[n(0)]
    pub at: u32,
    /// How many code points go.
    #[n(1)]
    pub delete: u32,
    /// What comes in their place.
    #[n(2)]
    pub insert: String,
}

/// The part of a command that only its audience reads.
#[derive(Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Content {
    /// New values: of any fields (`Create`, `Set`, `Act`, `Amend`), or the new items of one list field (`Insert`).
    #[n(0)]
    pub values: Fields,
    /// Changes of the one text field that an `Edit` names.
    #[n(1)]
    pub splices: Vec<Splice>,
    /// Items of the one list field that a `Remove` names.
    #[n(2)]
    pub removed: Vec<ItemId>,
    /// Why: the reason of an action, an amendment, a voiding, an erasure; the purpose of a reveal.
    #[n(3)]
    pub reason: Option<String>,
}

/// Values are people's data and are never printed.
impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Content(<personal>)")
    }
}

/// The secret that hides one command's content behind its digest.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Salt(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl core::fmt::Debug for Salt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salt(<secret>)")
    }
}

impl Content {
    /// Its deterministic CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        crate::cbor::encode(self)
    }

    /// `SHA-256("zhucun content v1" ‖ salt ‖ CBOR(content))`.
    pub fn digest(&self, salt: Salt) -> Digest {
        sha256(&[b"zhucun content v1", &salt.0, &self.to_cbor()])
    }

    /// The value written to a field, if any.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.values.get(field)
    }

    /// The names of the fields it writes by value.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// A command whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What everyone who may pull the journal sees.
    pub envelope: Envelope,
    /// What only the audience sees; `None` where it is withheld or erased.
    pub content: Option<Content>,
}

/// Groups links by field, in order.
pub fn links_by_field(links: &[Link]) -> BTreeMap<&str, Vec<&Link>> {
    let mut grouped: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
    for link in links {
        grouped.entry(link.field.as_str()).or_default().push(link);
    }
    grouped
}
