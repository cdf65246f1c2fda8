//! Who may: roles, under conditions on how the person stands to the record.

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
}
