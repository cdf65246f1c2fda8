//! What a field declares: its type, who reads and writes it, and how it is masked.

use super::Label;
use super::who::Who;
use crate::command::Audience;
use crate::id::RecordId;
use crate::value::Value;

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
        if let Self::Ref { kind } | Self::Refs { kind, .. } = self {
            kind.as_deref()
        } else {
            None
        }
    }

    /// The set that its codes are of; `None` if its value is something else.
    pub const fn set(&self) -> Option<&str> {
        if let Self::Code { set } | Self::Codes { set, .. } = self {
            Some(set.as_str())
        } else {
            None
        }
    }

    /// The most references it takes; `None` if its value is something else.
    pub const fn links_max(&self) -> Option<usize> {
        if let Self::Refs { max, .. } | Self::Users { max } = self {
            Some(*max as usize)
        } else if self.is_link() {
            Some(1)
        } else {
            None
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

    /// What values of it are like: a form that asks for the one takes the other. `None` for items and files, which are brought one by one.
    pub(super) fn alike(&self) -> Option<String> {
        let named = |word: &str, name: Option<&str>| format!("{word} {}", name.unwrap_or("any"));
        match self {
            Self::Text { .. } | Self::LongText { .. } => Some("text".to_owned()),
            Self::Code { set } | Self::Codes { set, .. } => Some(named("code", Some(set))),
            Self::Ref { kind } | Self::Refs { kind, .. } => Some(named("ref", kind.as_deref())),
            Self::User | Self::Users { .. } => Some("user".to_owned()),
            Self::List { .. } | Self::Blob | Self::Blobs { .. } => None,
            plain => Some(plain.name().to_owned()),
        }
    }

    /// A value that is like its own, as a value of it; `None` if it holds more than that.
    pub(crate) fn fitted(&self, value: Value) -> Option<Value> {
        match (self, value) {
            // What refers to another journal is no matter of this one's forms.
            (_, Value::Bytes(id)) if id.len() != size_of::<RecordId>() => None,
            (Self::Codes { .. }, code @ Value::Text(_)) => Some(Value::List(vec![code])),
            (Self::Code { .. } | Self::Ref { .. } | Self::User, Value::List(mut several)) => {
                several.pop().filter(|_| several.is_empty())
            }
            (Self::Text { max } | Self::LongText { max }, Value::Text(text)) => {
                let fits = text.chars().count() <= *max as usize;
                fits.then_some(Value::Text(text))
            }
            (_, value) => Some(value),
        }
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

    /// The same of a text in both languages.
    pub fn over(self, text: &Label) -> Label {
        Label {
            zh: self.apply(&text.zh),
            en: self.apply(&text.en),
        }
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

/// Where a form finds what a field is to say, so that nobody types again what is written already. It proposes and writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// What the record that a reference of this one names says.
    Of {
        /// The reference.
        link: String,
        /// The field of the other.
        field: String,
    },
    /// The records that refer to this one.
    Those {
        /// Their kind.
        kind: String,
        /// Their reference.
        by: String,
    },
    /// A paper of a day: what it says, or the records that it names.
    Drafted {
        /// The paper.
        paper: String,
        /// The date field of the form that names the day.
        on: String,
    },
    /// The day of birth that an identity number of the form says (GB 11643).
    DayIn {
        /// The field with the number.
        number: String,
    },
    /// The day on which the form is filled in.
    Today,
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
    /// Where a form finds what it is to say; the first that says something counts.
    pub fill: Vec<Fill>,
    /// Which commands may write it.
    pub written: Written,
    /// Who may set it, if not whoever may set the kind's fields.
    pub set_by: Option<Who>,
    /// States in which it takes no more writes, beside those that are closed or filed.
    pub closed_in: Vec<String>,
    /// Whether it is computed and nobody fills it in.
    pub derived: bool,
    /// The field of identity numbers or of a date of birth whose check code it holds: the core writes it whenever it writes that one.
    pub check_of: Option<String>,
    /// Whether it takes no more values. Fields are never removed.
    pub retired: bool,
}

impl Field {
    /// Whether no command ever brings it: it is computed, and not by the core as it writes another field.
    pub const fn is_never_written(&self) -> bool {
        self.derived && self.check_of.is_none()
    }
}
