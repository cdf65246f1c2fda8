//! What a kind declares: its fields, states, actions, and who may do what.
//!
//! These are plain data, made by parsing the files of `catalog/kinds/` and by nothing else; whoever holds a [`Kind`] of a
//! [`Catalogue`](super::Catalogue) may rely on every name in it being declared.

use super::Label;
use super::field::{Condition, Field, Fill, Required, Written};
use super::self_check::SelfCheck;
use super::who::{Permit, Who};
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

/// How a record that was found to be another one twice is merged into that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merging {
    /// The state in which it is then.
    pub state: String,
    /// Its reference to the other, which stands for both.
    pub into: String,
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
    /// The text field that stands for it while the title has no value.
    pub stand_in: Option<String>,
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
    /// How one of its records comes to stand for another.
    pub merging: Option<Merging>,
    /// Whether each record has a number, of the journal position at which it was made.
    pub numbered: bool,
    /// When several of its records tell of one cause.
    pub cluster: Option<ClusterRule>,
    /// What is doubtful of its records.
    pub checks: Vec<SelfCheck>,
    /// Whether new records may no longer be made. Kinds are never removed.
    pub retired: bool,
}

impl Kind {
    /// A field by name, retired ones included.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether what a form knows of another field follows from this one.
    pub fn leads(&self, field: &str) -> bool {
        let mut fills = self.fields.iter().flat_map(|other| &other.fill);
        fills.any(|fill| match fill {
            Fill::Of { link: from, .. }
            | Fill::Drafted { on: from, .. }
            | Fill::DayIn { number: from } => from == field,
            Fill::Those { .. } | Fill::Today => false,
        })
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
        let open = field.written == Written::Always && !field.is_never_written() && !field.retired;
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
        state.closed || state.filed || field.closed_in.contains(&state.name)
    }

    /// Whether an amendment may write a field: not if it is derived, retired, or written by actions only.
    pub fn may_be_amended(&self, field: &Field) -> bool {
        self.class == Class::Testimony
            && field.written != Written::ByAction
            && !field.is_never_written()
            && !field.retired
    }

    /// The audience of what is written to a field of a record that is now open to `record`: the narrower of the two. What is
    /// sensitive in the team's own record is the team's.
    pub fn audience_of(&self, field: &Field, record: Audience) -> Audience {
        match (field.audience, record) {
            (Some(Audience::Sensitive), Audience::Team) => Audience::Team,
            (own, _) => own.unwrap_or(record),
        }
    }

    /// The fields whose values every `Create` must bring.
    pub fn required_at_creation(&self) -> impl Iterator<Item = &Field> {
        self.fields
            .iter()
            .filter(|field| field.required == Required::AtCreation && !field.retired)
    }
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
    /// What must hold of the records that it refers to.
    pub requires: Vec<Requirement>,
}

/// What must hold of the records that a field refers to: that one of them is in a state, or that none is.
///
/// It reads the admission index alone, so that it is decided at the command's place in the journal. A field that refers to nothing
/// requires nothing: whether it must is said elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A reference field of the kind.
    pub field: String,
    /// Whether none may be in these states; otherwise one must be.
    pub none: bool,
    /// The states.
    pub states: Vec<String>,
}

impl Requirement {
    /// Whether it holds, from the states of the records that the field refers to; one that is void, erased or elsewhere has none.
    pub fn holds<'s>(&self, states: impl IntoIterator<Item = Option<&'s str>>) -> bool {
        let is_named = |state: Option<&str>| {
            state.is_some_and(|state| self.states.iter().any(|named| named == state))
        };
        let mut named = states.into_iter().map(is_named).peekable();
        named.peek().is_none() || named.any(|is_named| is_named) != self.none
    }
}

/// How long after another action of the same record an action can be taken at the earliest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The other action; the last time that it took effect counts.
    pub since: String,
    /// The profile's key.
    pub days: String,
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
    /// What must hold of the records that it refers to.
    pub requires: Vec<Requirement>,
    /// How long it must wait.
    pub waits: Option<Wait>,
    /// Whether it can no longer be taken. Actions are never removed.
    pub retired: bool,
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

/// When several records tell of one cause: see [`crate::cluster`]. It reads merged fields, so it is shown, and decides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRule {
    /// The field of type `code` or `codes` that says the cause.
    pub cause: String,
    /// The reference that says about whom it is; several records about one count once.
    pub of: String,
    /// The profile's key: how many days back, every day counted.
    pub days: String,
    /// At how many at the least.
    pub least: u32,
    /// The states in which a record tells of nothing any more.
    pub not_in: Vec<String>,
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

/// After how many days without another record, such as a visit, something is due again. The days count from the last one, or from when
/// the record came into its state if there was none since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinceLast {
    /// The kind of the others.
    pub kind: String,
    /// Their field that refers to whom they are about.
    pub by: String,
    /// Their date field: the day that counts.
    pub on: String,
    /// The field of this record that refers to the same; the record itself, if `None`.
    pub of: Option<String>,
    /// The field of this record that says how many days; never due while it has no value.
    pub every: String,
    /// A date field of this record before which it is not due.
    pub not_before: Option<String>,
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
    /// Due so many days after the last of other records, which nobody has to enter.
    pub since_last: Option<SinceLast>,
    /// To whom it is due.
    pub to: Who,
    /// How urgent it is.
    pub urgency: Urgency,
}
