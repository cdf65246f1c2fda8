//! Who acts, and what a role may do: policy as data, read by one function.

use crate::admit::{Index, IndexEntry};
use crate::catalog::{Capability, Catalogue, Kind, Permit, Relation};
use crate::command::Audience;
use crate::id::{AreaId, AssignmentId, DeviceId, UserId};

/// Who acts: a person, on a device, under an assignment in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The person.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// The assignment.
    pub assignment: AssignmentId,
    /// The role it gives.
    pub role: String,
    /// The area it is for.
    pub office: AreaId,
}

/// What somebody may or may not do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Make one.
    Create,
    /// Set, edit, insert into or remove from a field.
    Set(&'a str),
    /// Take an action.
    Act(&'a str),
    /// Correct what is filed.
    Amend,
    /// Hide it.
    Void,
    /// Read a sensitive field for a purpose.
    Reveal,
    /// Destroy content, as the law requires.
    Erase,
    /// Clear marks of commands that count.
    Clear,
}

/// Whether a role may do something with records of a kind: never, always, or if the person stands to the record in some way.
/// This is the whole policy; the table in `docs/access.txt` is printed from it.
pub fn allows<'k>(
    catalogue: &Catalogue,
    kind: &'k Kind,
    role: &str,
    operation: &Operation<'_>,
) -> Permit<'k> {
    let holder = || catalogue.role(role);
    let when = |may: bool| if may { Permit::Yes } else { Permit::No };
    match operation {
        Operation::Create => when(kind.may_create(role).is_some()),
        Operation::Set(field) => kind.may_set(role, field),
        Operation::Act(action) => kind.may_act(role, action),
        Operation::Amend => kind.may_amend(role),
        Operation::Void => kind.may_void(role),
        Operation::Reveal => {
            when(holder().is_some_and(|role| {
                role.can(Capability::Reveal) || role.reads(Audience::Sensitive)
            }))
        }
        Operation::Erase => when(holder().is_some_and(|role| role.can(Capability::Erase))),
        Operation::Clear => when(holder().is_some_and(|role| role.can(Capability::ClearFlags))),
    }
}

/// How a person stands to a record.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The person.
    pub principal: &'a Principal,
    /// The record.
    pub entry: &'a IndexEntry,
    /// Where the records are that it refers to.
    pub index: &'a Index,
}

impl Standing<'_> {
    /// Whether the relation holds.
    pub fn is(&self, relation: &Relation) -> bool {
        let Self {
            principal,
            entry,
            index,
        } = self;
        match relation {
            Relation::Author => entry.author == principal.user,
            Relation::Issuer => {
                entry.author == principal.user
                    || (entry.role == principal.role && entry.office == principal.office)
            }
            Relation::In(field) => entry
                .linked(field)
                .any(|target| target.0 == principal.user.0),
            Relation::AuthorOf(field) => entry.linked(field).any(|target| {
                index
                    .get(&target)
                    .is_some_and(|target| target.author == principal.user)
            }),
        }
    }
}
