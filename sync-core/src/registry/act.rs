//! What an operator does, one act a command: to the registry, or for the record of who read what.

use minicbor::{Decode, Encode};

use super::{Purpose, REGISTRY_KIND, Standing};
use crate::area::{AreaCode, Level};
use crate::batch::{Bytes, Position};
use crate::command::{Command, Content, Verb};
use crate::id::{
    AreaId, AssignmentId, Date, DeploymentId, DeviceId, Digest, JournalId, RecordId, Seq,
    Timestamp, UserId,
};
use crate::sign::PublicKey;
use crate::value::Value;

/// What an act changes. People's names stand in it, so it is content and has an audience like any other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum RegistryAct {
    /// The first act: the keys of the deployment. Its id is derived from the operator key.
    #[n(0)]
    Found {
        /// Signs registry and access acts.
        #[n(0)]
        operator: PublicKey,
        /// Signs checkpoints.
        #[n(1)]
        log: PublicKey,
        /// Opens what carriers bring: an X25519 key with its algorithm byte (see [`crate::seal`]).
        #[n(2)]
        sealing: Bytes,
        /// What the deployment calls itself.
        #[n(3)]
        name: String,
    },
    /// A new area, or new dated facts about one.
    #[n(1)]
    SetArea {
        /// The area.
        #[n(0)]
        area: AreaId,
        /// Its level.
        #[n(1)]
        level: Level,
        /// What it lies in; nothing for a province.
        #[n(2)]
        parent: Option<AreaId>,
        /// Its code from this date on.
        #[n(3)]
        code: AreaCode,
        /// Its name from this date on.
        #[n(4)]
        name: String,
        /// From when.
        #[n(5)]
        from: Date,
        /// The last day it exists, if it was dissolved.
        #[n(6)]
        to: Option<Date>,
    },
    /// A journal, and the area it belongs to from this date on.
    #[n(2)]
    SetJournal {
        /// The journal.
        #[n(0)]
        journal: JournalId,
        /// What it holds.
        #[n(1)]
        purpose: Purpose,
        /// Its area.
        #[n(2)]
        area: AreaId,
        /// From when.
        #[n(3)]
        from: Date,
    },
    /// A person, or a new name or standing.
    #[n(3)]
    SetUser {
        /// The person.
        #[n(0)]
        user: UserId,
        /// What teammates see.
        #[n(1)]
        name: String,
        /// Whether the account may act.
        #[n(2)]
        active: bool,
    },
    /// A device enrolled by its user.
    #[n(4)]
    Enrol {
        /// Its key; its id is derived from it.
        #[n(0)]
        key: PublicKey,
        /// Whose.
        #[n(1)]
        user: UserId,
        /// What its user calls it.
        #[n(2)]
        label: String,
    },
    /// A device's new standing.
    #[n(5)]
    SetDevice {
        /// The device.
        #[n(0)]
        device: DeviceId,
        /// Its standing from now on.
        #[n(1)]
        standing: Standing,
        /// Why: a stable code, such as `lost`, `equivocation`, `replaced`.
        #[n(2)]
        cause: String,
    },
    /// An assignment: person × role × area × dates.
    #[n(6)]
    Assign {
        /// The assignment.
        #[n(0)]
        assignment: AssignmentId,
        /// Who.
        #[n(1)]
        user: UserId,
        /// As what: a role of the catalogue.
        #[n(2)]
        role: String,
        /// Where, with all that lies in it.
        #[n(3)]
        area: AreaId,
        /// The first day.
        #[n(4)]
        from: Date,
        /// The last day, if known.
        #[n(5)]
        to: Option<Date>,
        /// The unit that sends the person.
        #[n(6)]
        sent_by: Option<String>,
    },
    /// The end of an assignment.
    #[n(7)]
    EndAssignment {
        /// The assignment.
        #[n(0)]
        assignment: AssignmentId,
        /// The last day.
        #[n(1)]
        to: Date,
        /// Whether it was taken away for cause, so that late work is not accepted.
        #[n(2)]
        for_cause: bool,
    },
    /// A version of the catalogue; its files are fetched and checked against the digest.
    #[n(8)]
    PublishCatalogue {
        /// The version: 1, 2, 3, …
        #[n(0)]
        version: u32,
        /// The digest of its files.
        #[n(1)]
        digest: Digest,
        /// From when.
        #[n(2)]
        from: Date,
    },
    /// A new operator key, announced under the old one.
    #[n(9)]
    SetOperator {
        /// The operator key from now on.
        #[n(0)]
        operator: PublicKey,
    },
    /// A new epoch of a journal, after a loss: it goes on from this position, and what its devices had received after that they
    /// bring anew.
    #[n(10)]
    Reopen {
        /// The journal; the registry's own among them.
        #[n(0)]
        journal: JournalId,
        /// Where it goes on.
        #[n(1)]
        at: Position,
        /// The last checkpoint that was signed before, a signed note.
        #[n(2)]
        checkpoint: String,
        /// Why.
        #[n(3)]
        reason: String,
    },
}

impl RegistryAct {
    /// The name of the act, as the envelope's action.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::SetArea { .. } => "set_area",
            Self::SetJournal { .. } => "set_journal",
            Self::SetUser { .. } => "set_user",
            Self::Enrol { .. } => "enrol",
            Self::SetDevice { .. } => "set_device",
            Self::Assign { .. } => "assign",
            Self::EndAssignment { .. } => "end_assignment",
            Self::PublishCatalogue { .. } => "publish_catalogue",
            Self::SetOperator { .. } => "set_operator",
            Self::Reopen { .. } => "reopen",
        }
    }

    /// What it speaks of.
    pub fn subject(&self, deployment: DeploymentId) -> RecordId {
        RecordId(match self {
            Self::Found { .. } | Self::SetOperator { .. } => deployment.0,
            Self::SetArea { area, .. } => area.0,
            Self::SetJournal { journal, .. } | Self::Reopen { journal, .. } => journal.0,
            Self::SetUser { user, .. } => user.0,
            Self::Enrol { key, .. } => key.device().0,
            Self::SetDevice { device, .. } => device.0,
            Self::Assign { assignment, .. } | Self::EndAssignment { assignment, .. } => {
                assignment.0
            }
            Self::PublishCatalogue { version, .. } => {
                let mut id = [0; 16];
                id.iter_mut()
                    .rev()
                    .zip(version.to_le_bytes())
                    .for_each(|(to, from)| *to = from);
                id
            }
        })
    }
}

/// What readers of a county or province did, one act each.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AccessAct {
    /// Somebody signed in.
    #[n(0)]
    SignIn {
        /// Who.
        #[n(0)]
        user: UserId,
    },
    /// Somebody read a sensitive field.
    #[n(1)]
    Reveal {
        /// Who.
        #[n(0)]
        user: UserId,
        /// The journal of the record.
        #[n(1)]
        journal: JournalId,
        /// The record.
        #[n(2)]
        record: RecordId,
        /// The field.
        #[n(3)]
        field: String,
        /// What for, in the reader's words.
        #[n(4)]
        purpose: String,
    },
    /// Somebody took rows out of the system.
    #[n(2)]
    Export {
        /// Who.
        #[n(0)]
        user: UserId,
        /// What: an operation's name and its filter, without values of people.
        #[n(1)]
        what: String,
        /// How many rows.
        #[n(2)]
        rows: u64,
        /// What for.
        #[n(3)]
        purpose: String,
    },
    /// Somebody drew up an audit bundle, or read an administrator's log.
    #[n(3)]
    Audit {
        /// Who.
        #[n(0)]
        user: UserId,
        /// Up to which positions, per journal.
        #[n(1)]
        journals: Vec<(JournalId, Seq)>,
    },
}

/// An act that the server enters under its operator key.
pub trait OperatorAct: Encode<()> + for<'b> Decode<'b, ()> {
    /// The envelope's action.
    fn action(&self) -> &'static str;
    /// The envelope's record.
    fn about(&self, deployment: DeploymentId) -> RecordId;
}

impl OperatorAct for RegistryAct {
    fn action(&self) -> &'static str {
        self.name()
    }

    fn about(&self, deployment: DeploymentId) -> RecordId {
        self.subject(deployment)
    }
}

impl OperatorAct for AccessAct {
    fn action(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in",
            Self::Reveal { .. } => "reveal",
            Self::Export { .. } => "export",
            Self::Audit { .. } => "audit",
        }
    }

    fn about(&self, deployment: DeploymentId) -> RecordId {
        match self {
            Self::Reveal { record, .. } => *record,
            Self::SignIn { .. } | Self::Export { .. } | Self::Audit { .. } => {
                RecordId(deployment.0)
            }
        }
    }
}

const ACT_FIELD: &str = "act";
const BY_FIELD: &str = "by";

/// An operator's act as the command that enters it; `by` is the administrator on whose word it is done.
pub fn to_command<A: OperatorAct>(
    deployment: DeploymentId,
    act: &A,
    by: Option<UserId>,
    n: u64,
    base: Seq,
    at: Timestamp,
) -> crate::batch::Unsealed {
    let mut values: crate::value::Fields = [(ACT_FIELD, Value::Bytes(crate::cbor::encode(act)))]
        .into_iter()
        .collect();
    if let Some(by) = by {
        values.insert(BY_FIELD.to_owned(), Value::Bytes(by.0.to_vec()));
    }
    let envelope = crate::command::Envelope {
        n,
        record: act.about(deployment),
        kind: REGISTRY_KIND.to_owned(),
        base,
        at,
        verb: Verb::Act,
        action: Some(act.action().to_owned()),
        fields: values.keys().cloned().collect(),
        links: Vec::new(),
        audience: crate::command::Audience::County,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    crate::batch::Unsealed {
        envelope,
        content: Content {
            values,
            ..Content::default()
        },
    }
}

/// Reads an operator's act back out of its command; `None` where it is withheld or no act of this kind.
pub fn from_command<A: OperatorAct>(command: &Command) -> Option<(A, Option<UserId>)> {
    let content = command.content.as_ref()?;
    let Some(Value::Bytes(bytes)) = content.value(ACT_FIELD) else {
        return None;
    };
    let act: A = crate::cbor::decode(bytes).ok()?;
    let by = match content.value(BY_FIELD) {
        Some(Value::Bytes(by)) => UserId::try_from(by.as_slice()).ok(),
        _ => None,
    };
    (Some(act.action()) == command.envelope.action.as_deref()).then_some((act, by))
}
