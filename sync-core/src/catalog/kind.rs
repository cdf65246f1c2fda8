//! What a kind declares: its fields, states, actions, and who may do what.
//!
//! These are plain data, made by parsing the files of `catalog/kinds/` and by nothing else; whoever holds a [`Kind`] of a
//! [`Catalogue`](super::Catalogue) may rely on every name in it being declared.

use super::Label;
use crate::command::Audience;

/// How concurrent writes of a kind's records meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Somebody's own account (a visit, a review): once filed, only amended, with a reason; the original stays shown.
    Testimony,
    /// What is held to be so (a household): field-wise; concurrent values of one field are both kept until someone chooses.
    Register,
    /// Work to be done (a task): its state moves by actions alone, decided at admission.
    Process,
}

impl Class {
    /// Its name in the files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Testimony => "testimony",
            Self::Register => "register",
            Self::Process => "process",
        }
    }
}

/// A declared type of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its stable name, never reused.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// How concurrent writes meet.
    pub class: Class,
    /// The field that stands for the record in lists and references.
    pub title: String,
    /// The fields that a list shows beside the title, in this order.
    pub list: Vec<String>,
    /// The audiences that a `Create` may choose from; the first is what forms propose.
    pub audiences: Vec<Audience>,
    /// Its fields, in the order of forms.
    pub fields: Vec<Field>,
    /// Its states, in the order of a record's life.
    pub states: Vec<State>,
    /// Who may create a record, and in which state it then is. A role stands in one of them at most.
    pub creations: Vec<Creation>,
    /// Its actions.
    pub actions: Vec<Action>,
    /// Who may set, edit, insert and remove, where the field does not say otherwise.
    pub set_by: Who,
    /// Who may amend a filed record; nobody unless the kind is a testimony.
    pub amend_by: Who,
    /// Who may void a record.
    pub void_by: Who,
    /// What its time limits are.
    pub clocks: Vec<Clock>,
    /// When and to whom its records are due.
    pub due: Vec<DueRule>,
    /// Whether new records may no longer be made. Kinds are never removed.
    pub retired: bool,
}

impl Kind {
    /// A field by name, retired ones included.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// A state by name.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }

    /// An action by name, retired ones included.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// How a role may create a record of this kind, if it may.
    pub fn creation(&self, role: &str) -> Option<&Creation> {
        self.creations
            .iter()
            .find(|creation| creation.roles.iter().any(|holder| holder == role))
    }

    /// The state in which a record is that this role creates, if the role may create one.
    pub fn may_create(&self, role: &str) -> Option<&State> {
        if self.retired {
            return None;
        }
        self.creation(role)
            .and_then(|creation| self.state(&creation.state))
    }

    /// Who may set, edit, insert into or remove from a field: nobody if it is derived or retired, or written otherwise only.
    pub fn set_by(&self, field: &str) -> Option<&Who> {
        let field = self.field(field)?;
        let open = field.written == Written::Always && !field.derived && !field.retired;
        open.then(|| field.set_by.as_ref().unwrap_or(&self.set_by))
    }

    /// Whether this role may set a field, and on which condition.
    pub fn may_set(&self, role: &str, field: &str) -> Permit<'_> {
        self.set_by(field)
            .map_or(Permit::No, |who| who.permit(role))
    }

    /// Whether this role may take an action, and on which condition.
    pub fn may_act(&self, role: &str, action: &str) -> Permit<'_> {
        self.action(action)
            .filter(|action| !action.retired)
            .map_or(Permit::No, |action| action.by.permit(role))
    }

    /// Whether this role may amend a filed record, and on which condition.
    pub fn may_amend(&self, role: &str) -> Permit<'_> {
        self.amend_by.permit(role)
    }

    /// Whether this role may void a record, and on which condition.
    pub fn may_void(&self, role: &str) -> Permit<'_> {
        self.void_by.permit(role)
    }

    /// Whether a field takes no more writes (but by actions) in a state: it is closed there, or the state is closed or filed.
    ///
    /// An edit that reaches such a field is without effect; of a filed testimony it is offered as an amendment.
    pub fn is_closed_in(&self, field: &Field, state: &State) -> bool {
        state.closed || state.filed || field.closed_in.iter().any(|name| *name == state.name)
    }

    /// Whether an amendment may write a field: not if it is derived, retired, or written by actions only.
    pub fn may_be_amended(&self, field: &Field) -> bool {
        self.class == Class::Testimony
            && field.written != Written::ByAction
            && !field.derived
            && !field.retired
    }

    /// The audience of what is written to a field of a record that is now open to `record`.
    pub fn audience_of(&self, field: &Field, record: Audience) -> Audience {
        field.audience.unwrap_or(record)
    }

    /// The fields whose values every `Create` must bring.
    pub fn required_at_creation(&self) -> impl Iterator<Item = &Field> {
        self.fields
            .iter()
            .filter(|field| field.required == Required::AtCreation && !field.retired)
    }
}

/// What a field holds. A field's type never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One line of text, set whole: a `Value::Text`.
    Text {
        /// The most code points it takes.
        max: u32,
    },
    /// A text that several people edit at once: a `Value::Text` in `Create`, `Act` and `Amend`, else splices.
    LongText {
        /// The most code points one command brings.
        max: u32,
    },
    /// A code of a category set: a `Value::Text`.
    Code {
        /// The set's name.
        set: String,
    },
    /// Codes of a category set, each once, set whole: a `Value::List` of `Value::Text`.
    Codes {
        /// The set's name.
        set: String,
        /// The most codes it takes.
        max: u32,
    },
    /// A policy measure, cited by its id (`S0/二（一）`): a `Value::Text`.
    Measure,
    /// A civil date: a `Value::Int` of days since 1970-01-01.
    Date,
    /// A time of day in China: a `Value::Int` of minutes since midnight.
    Time,
    /// A whole number: a `Value::Int`.
    Int {
        /// The least it can be.
        min: i64,
        /// The most it can be.
        max: i64,
    },
    /// A decimal number: a `Value::Int` or a `Value::Decimal`.
    Decimal {
        /// The least it can be.
        min: i64,
        /// The most it can be.
        max: i64,
        /// The most digits after the point.
        places: u8,
    },
    /// Yes or no: a `Value::Bool`.
    Bool,
    /// Where something is: a `Value::Text` as in a `geo:` address (RFC 5870), `26.2157,110.8191` or `26.2157,110.8191;u=37`.
    Location,
    /// A reference to one record: a link of the envelope.
    Ref {
        /// The kind it must be of; any, if `None`.
        kind: Option<String>,
    },
    /// References to records: links of the envelope, set whole.
    Refs {
        /// The kind they must be of; any, if `None`.
        kind: Option<String>,
        /// The most references it takes.
        max: u32,
    },
    /// A reference to one person with an account: a link of the envelope.
    User,
    /// References to people with accounts: links of the envelope, set whole.
    Users {
        /// The most references it takes.
        max: u32,
    },
    /// Items of named parts, inserted and removed one by one: `Value::Struct`, in a `Value::List`.
    List {
        /// What an item consists of.
        parts: Vec<Part>,
        /// The most items it takes.
        max: u32,
    },
    /// A file, named by its SHA-256: a `Value::Bytes`.
    Blob,
    /// Files, inserted and removed one by one: `Value::Bytes`, in a `Value::List`.
    Blobs {
        /// The most files it takes.
        max: u32,
    },
}

impl FieldType {
    /// Whether its value is links of the envelope.
    pub const fn is_link(&self) -> bool {
        matches!(
            self,
            Self::Ref { .. } | Self::Refs { .. } | Self::User | Self::Users { .. }
        )
    }

    /// The kind that its references must be of; `None` if any, or if it holds none.
    pub fn target_kind(&self) -> Option<&str> {
        match self {
            Self::Ref { kind } | Self::Refs { kind, .. } => kind.as_deref(),
            _ => None,
        }
    }

    /// Whether it refers to people and not to records.
    pub const fn is_user(&self) -> bool {
        matches!(self, Self::User | Self::Users { .. })
    }

    /// Whether it is written by `Insert` and `Remove` once the record exists.
    pub const fn is_item_list(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Blobs { .. })
    }

    /// Whether it is written by `Edit` once the record exists.
    pub const fn is_spliced(&self) -> bool {
        matches!(self, Self::LongText { .. })
    }

    /// Its name in the files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::LongText { .. } => "long_text",
            Self::Code { .. } => "code",
            Self::Codes { .. } => "codes",
            Self::Measure => "measure",
            Self::Date => "date",
            Self::Time => "time",
            Self::Int { .. } => "int",
            Self::Decimal { .. } => "decimal",
            Self::Bool => "bool",
            Self::Location => "location",
            Self::Ref { .. } => "ref",
            Self::Refs { .. } => "refs",
            Self::User => "user",
            Self::Users { .. } => "users",
            Self::List { .. } => "list",
            Self::Blob => "blob",
            Self::Blobs { .. } => "blobs",
        }
    }
}

/// A part of a list item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name within the item.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// What it holds: one of the plain types (no reference, list or file).
    pub ty: FieldType,
    /// Whether every item must have it.
    pub required: bool,
}

/// When a field must have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Never.
    No,
    /// In the `Create`: a gate, for the command itself shows it.
    AtCreation,
    /// Before the record is filed or closed: a check that forms and lists show, never a gate, for it rests on merged fields.
    AtFiling,
}

/// Which commands may write a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Creation, whoever may set it, amendment, and the actions that list it.
    Always,
    /// Creation, amendment, and the actions that list it.
    AtCreation,
    /// The actions that list it, alone.
    ByAction,
}

/// How a value is shown to those who may not see it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// A person's name: the first character stays.
    Name,
    /// A telephone number: the first three and the last four digits stay.
    Phone,
    /// An identity or disability card number: the first six and the last two characters stay.
    IdNumber,
    /// A date: the year stays.
    Year,
    /// Nothing stays.
    All,
}

impl Mask {
    /// The masks by their names in the files.
    pub const NAMES: [(&str, Self); 5] = [
        ("name", Self::Name),
        ("phone", Self::Phone),
        ("id_number", Self::IdNumber),
        ("year", Self::Year),
        ("all", Self::All),
    ];

    /// A text as those see it who may not see it whole. What is too short to hide anything behind is hidden whole.
    pub fn apply(self, text: &str) -> String {
        let (head, tail) = match self {
            Self::Name => (1, 0),
            Self::Phone => (3, 4),
            Self::IdNumber => (6, 2),
            Self::Year => (4, 0),
            Self::All => (0, 0),
        };
        let length = text.chars().count();
        if length <= head + tail {
            return "*".repeat(length);
        }
        let hide = |(at, c): (usize, char)| {
            if at < head || at >= length - tail {
                c
            } else {
                '*'
            }
        };
        text.chars().enumerate().map(hide).collect()
    }
}

/// That a field has one of some codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The field, of type `code`.
    pub field: String,
    /// Its codes.
    pub is: Vec<String>,
}

/// One field of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its stable name, never reused.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// What it holds.
    pub ty: FieldType,
    /// When it must have a value.
    pub required: Required,
    /// A `Create` that meets this must bring it.
    pub required_when: Option<Condition>,
    /// Who may read it, if not whoever may read the record.
    pub audience: Option<Audience>,
    /// How it is shown to those who may not see it whole.
    pub mask: Option<Mask>,
    /// Which commands may write it.
    pub written: Written,
    /// Who may set it, if not whoever may set the kind's fields.
    pub set_by: Option<Who>,
    /// States in which it takes no more writes, beside those that are closed or filed.
    pub closed_in: Vec<String>,
    /// Whether it is computed and never written.
    pub derived: bool,
    /// Whether it takes no more values. Fields are never removed.
    pub retired: bool,
}

/// One state of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// Whether some `Create` begins here.
    pub initial: bool,
    /// Whether the testimony stands: it is amended, no longer edited.
    pub filed: bool,
    /// Whether nothing more is expected: clocks stop, nothing is due, fields take no more writes.
    pub closed: bool,
}

/// One way to create a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// The roles that may.
    pub roles: Vec<String>,
    /// The state in which the record then is.
    pub state: String,
}

/// One action of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// The states in which it can be taken.
    pub from: Vec<String>,
    /// The state to which it leads; the same as before, if `None`.
    pub to: Option<String>,
    /// Who may take it.
    pub by: Who,
    /// Whether it must bring a reason.
    pub needs_reason: bool,
    /// The fields (links among them) that it must bring.
    pub needs: Vec<String>,
    /// The fields that it may bring; those it must bring among them.
    pub writes: Vec<String>,
    /// Whether it takes effect even if its author had not seen the last action. Such an action neither needs to have seen the
    /// last one nor counts as it, and never changes the state.
    pub concurrent: bool,
    /// An action whose last author may not take this one.
    pub not_same_person_as: Option<String>,
    /// Whether it can no longer be taken. Actions are never removed.
    pub retired: bool,
}

/// How the person stands to the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// He created it.
    Author,
    /// His office created it: he did himself, or he holds the same role for the same area as its author did then. So a task
    /// outlives its issuer's transfer.
    Issuer,
    /// A field of users links to him.
    In(String),
    /// He is the author of the record, in the same journal, that a field links to.
    AuthorOf(String),
}

impl core::fmt::Display for Relation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Author => f.write_str("author"),
            Self::Issuer => f.write_str("issuer"),
            Self::In(field) => write!(f, "in {field}"),
            Self::AuthorOf(field) => write!(f, "author of {field}"),
        }
    }
}

/// Roles, under a condition or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The roles that may.
    pub roles: Vec<String>,
    /// How the person must stand to the record.
    pub relation: Option<Relation>,
}

/// Who may do something: whoever any of the grants admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// The grants.
    pub grants: Vec<Grant>,
}

/// Whether a role may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit<'k> {
    /// It may not.
    No,
    /// It may if the person stands to the record in one of these ways.
    If(Vec<&'k Relation>),
    /// It may.
    Yes,
}

impl Permit<'_> {
    /// Whether it permits a person, given how he stands to the record.
    pub fn holds(&self, stands: impl Fn(&Relation) -> bool) -> bool {
        match self {
            Self::No => false,
            Self::If(relations) => relations.iter().any(|relation| stands(relation)),
            Self::Yes => true,
        }
    }
}

impl Who {
    /// Nobody.
    pub const NOBODY: Self = Self { grants: Vec::new() };

    /// Whether a role may.
    pub fn permit(&self, role: &str) -> Permit<'_> {
        let mut relations = Vec::new();
        for grant in self
            .grants
            .iter()
            .filter(|grant| grant.roles.iter().any(|holder| holder == role))
        {
            match &grant.relation {
                None => return Permit::Yes,
                Some(relation) => relations.push(relation),
            }
        }
        if relations.is_empty() {
            Permit::No
        } else {
            Permit::If(relations)
        }
    }

    /// Every role that may, on some condition or none.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.grants
            .iter()
            .flat_map(|grant| grant.roles.iter().map(String::as_str))
    }
}

/// The office that holds a step and answers for its clock; never a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Office {
    /// The stationed work team.
    Team,
    /// The village committee.
    Village,
    /// The township.
    Township,
    /// The county.
    County,
    /// A county department.
    Department,
    /// The office that created the record.
    Issuer,
}

impl Office {
    /// The offices by their names in the files.
    pub const NAMES: [(&str, Self); 6] = [
        ("team", Self::Team),
        ("village", Self::Village),
        ("township", Self::Township),
        ("county", Self::County),
        ("department", Self::Department),
        ("issuer", Self::Issuer),
    ];

    /// Its name in the files.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, office)| *office == self)
            .map_or("", |(name, _)| name)
    }
}

/// From when a clock counts, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reckoning {
    /// A number of days, whose value and unit the province profile says, from when the record entered the states in which the
    /// clock runs.
    SinceEntry {
        /// The profile's key.
        days: String,
    },
    /// A number of days from the record's creation.
    SinceCreation {
        /// The profile's key.
        days: String,
    },
    /// A number of days from a date field.
    SinceDate {
        /// The field.
        field: String,
        /// The profile's key.
        days: String,
    },
    /// A date field is itself the last day.
    Until {
        /// The field.
        field: String,
    },
}

/// A time limit of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Its stable name.
    pub name: String,
    /// What people read.
    pub label: Label,
    /// The states in which it runs.
    pub runs_in: Vec<String>,
    /// A field of type `code` and the codes with which it runs; always, if `None`.
    pub when: Option<Condition>,
    /// From when it counts, and how far.
    pub reckoning: Reckoning,
    /// Who holds the step; a breach is this office's.
    pub holder: Office,
}

/// How urgent due work is, most urgent first. The order is built in: nobody has to configure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A clock is broken or breaks soon.
    Clock,
    /// Somebody returned it.
    Returned,
    /// A record of mine has two values for one field (待核对).
    Conflict,
    /// An open clue, case, issue or comment.
    Matter,
    /// Care is due.
    Care,
    /// A task.
    Task,
    /// Something was promised for a date.
    Promise,
    /// The routine cadence, off by default.
    Routine,
}

impl Urgency {
    /// What a due rule may name; the clock and the conflict come of themselves.
    pub const NAMES: [(&str, Self); 6] = [
        ("returned", Self::Returned),
        ("matter", Self::Matter),
        ("care", Self::Care),
        ("task", Self::Task),
        ("promise", Self::Promise),
        ("routine", Self::Routine),
    ];
}

/// When a record is due, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRule {
    /// What people read: what is to be done.
    pub label: Label,
    /// The states in which it is due.
    pub states: Vec<String>,
    /// A field of type `code` and the codes with which it is due; always, if `None`.
    pub when: Option<Condition>,
    /// A date field: due only from some days before it, and while it has a value.
    pub on: Option<String>,
    /// To whom it is due.
    pub to: Who,
    /// How urgent it is.
    pub urgency: Urgency,
}
