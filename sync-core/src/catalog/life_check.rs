//! What must hold of a record's life: how it begins, moves, waits and ends.

use std::collections::BTreeSet;

use super::field::FieldType;
use super::kind::{Action, Reckoning, Requirement};
use super::kind_check::Check;
use super::source::{Namespace, instead, listed};

impl Check<'_> {
    /// Notes whatever does not hold.
    pub(super) fn life(&self) {
        self.creations();
        self.states();
        self.actions();
        self.clocks();
        self.due();
        self.cluster();
    }

    fn cluster(&self) {
        let Some(rule) = &self.kind.cluster else {
            return;
        };
        let path = |key| ["cluster", key];
        self.known_states(&path("not_in"), &rule.not_in);
        let of_code = |ty: &FieldType| ty.set().is_some();
        let of_record = |ty: &FieldType| ty.is_link() && !ty.is_user();
        self.field_of(&path("cause"), &rule.cause, of_code, "`code` or `codes`");
        self.field_of(&path("of"), &rule.of, of_record, "`ref` or `refs`");
    }

    fn field_of(&self, path: &[&str], name: &str, fits: fn(&FieldType) -> bool, wanted: &str) {
        let field = self.known_field(path, name);
        if field.is_some_and(|field| !fits(&field.ty)) {
            self.note(
                path,
                format!("`{name}` is not of type {wanted}"),
                format!("name a field of type {wanted}"),
            );
        }
    }

    fn creations(&self) {
        let mut seen = BTreeSet::new();
        for (index, creation) in self.kind.creations.iter().enumerate() {
            let index = index.to_string();
            self.known_states(
                &["create", &index, "state"],
                core::slice::from_ref(&creation.state),
            );
            self.requirements(&["create", &index, "requires"], &creation.requires);
            for role in &creation.roles {
                if !seen.insert(role) {
                    let message = format!("the role `{role}` creates records in two ways");
                    self.note(&["create", &index, "by"], message, "name each role once");
                }
            }
        }
    }

    /// Every state can be reached, and left unless it is an end.
    ///
    /// Nothing is said of it while an unknown state is named: that mistake would only be reported again in other words.
    fn states(&self) {
        let named = |name: &String| self.kind.state(name).is_some();
        let creations = self
            .kind
            .creations
            .iter()
            .all(|creation| named(&creation.state));
        let actions = &self.kind.actions;
        if !creations
            || !actions
                .iter()
                .all(|action| action.from.iter().chain(&action.to).all(named))
        {
            return;
        }
        let mut reached: BTreeSet<&str> = self
            .kind
            .creations
            .iter()
            .map(|creation| creation.state.as_str())
            .collect();
        let steps = || self.kind.actions.iter().filter(|action| !action.retired);
        loop {
            let before = reached.len();
            for action in steps() {
                if let Some(to) = &action.to
                    && action
                        .from
                        .iter()
                        .any(|from| reached.contains(from.as_str()))
                {
                    reached.insert(to);
                }
            }
            if reached.len() == before {
                break;
            }
        }
        for state in &self.kind.states {
            let path = ["states", state.name.as_str()];
            if !reached.contains(state.name.as_str()) {
                let remedy = "let a `[[create]]` begin there or an action lead there";
                self.note(
                    &path,
                    format!("no record can reach the state `{}`", state.name),
                    remedy,
                );
            }
            let left = steps().any(|action| {
                action.from.contains(&state.name)
                    && action.to.as_ref().is_some_and(|to| *to != state.name)
            });
            if !left && !state.closed && !state.filed {
                let remedy = "write `closed = true`, or let an action lead out of it";
                self.note(
                    &path,
                    format!("a record never leaves the state `{}`", state.name),
                    remedy,
                );
            }
        }
    }

    fn actions(&self) {
        for action in &self.kind.actions {
            let path = |key| ["actions", action.name.as_str(), key];
            self.known_states(&path("from"), &action.from);
            self.known_states(&path("to"), action.to.as_slice());
            self.known_relations(&path("by"), &action.by);
            let others = [
                ("not_same_person_as", action.not_same_person_as.as_ref()),
                ("waits", action.waits.as_ref().map(|wait| &wait.since)),
            ];
            for (key, other) in others {
                if let Some(other) = other {
                    self.other_action(&path(key), action, other);
                }
            }
            self.requirements(&path("requires"), &action.requires);
            let mut audiences = BTreeSet::new();
            for name in &action.writes {
                let key = if action.needs.contains(name) {
                    "needs"
                } else {
                    "writes"
                };
                let Some(field) = self.known_field(&path(key), name) else {
                    continue;
                };
                if field.ty.is_item_list() {
                    self.note(
                        &path(key),
                        format!("`{name}` is changed by inserting and removing items"),
                        "remove it here",
                    );
                }
                if !field.ty.is_link() {
                    audiences.insert(field.audience);
                }
            }
            if audiences.len() > 1 {
                let message = format!(
                    "the action `{}` would bring fields of several audiences in one command",
                    action.name
                );
                self.note(&path("writes"), message, "keep to fields of one audience");
            }
        }
    }

    fn other_action(&self, path: &[&str], action: &Action, other: &str) {
        if self.kind.action(other).is_some() && other != action.name {
            return;
        }
        let others = self.kind.actions.iter();
        let others = others.filter(|other| other.name != action.name);
        let names: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        let remedy =
            instead(other, &names).unwrap_or_else(|| format!("write one of {}", listed(&names)));
        self.note(path, format!("there is no other action `{other}`"), remedy);
    }

    /// The fields refer to records of one kind, which has the states.
    fn requirements(&self, path: &[&str], requirements: &[Requirement]) {
        for requirement in requirements {
            let Some(field) = self.known_field(path, &requirement.field) else {
                continue;
            };
            let Some(kind) = field.ty.target_kind() else {
                self.note(
                    path,
                    format!("`{}` does not refer to records of one kind", field.name),
                    "name a field of type `ref` or `refs` with a kind",
                );
                continue;
            };
            for state in &requirement.states {
                self.uses(path, Namespace::State(kind.to_owned()), state);
            }
        }
    }

    fn clocks(&self) {
        for clock in &self.kind.clocks {
            let path = |key| ["clocks", clock.name.as_str(), key];
            self.known_states(&path("runs_in"), &clock.runs_in);
            self.open_states(&path("runs_in"), &clock.runs_in, "a clock stops");
            if let Some(condition) = &clock.when {
                self.condition(&path("when"), condition);
            }
            let (key, field) = match &clock.reckoning {
                Reckoning::SinceEntry { .. } | Reckoning::SinceCreation { .. } => continue,
                Reckoning::SinceDate { field, .. } => ("since", field),
                Reckoning::Until { field } => ("until", field),
            };
            self.date_field(&path(key), field);
        }
    }

    fn open_states(&self, path: &[&str], names: &[String], what: &str) {
        for state in names
            .iter()
            .filter_map(|name| self.kind.state(name))
            .filter(|state| state.closed)
        {
            self.note(
                path,
                format!("{what} in the closed state `{}`", state.name),
                "remove that state here",
            );
        }
    }

    fn date_field(&self, path: &[&str], name: &str) {
        if self
            .known_field(path, name)
            .is_some_and(|field| field.ty != FieldType::Date)
        {
            self.note(
                path,
                format!("`{name}` is not of type `date`"),
                "name a field of type `date`",
            );
        }
    }

    fn due(&self) {
        let mut since_last = self
            .kind
            .due
            .iter()
            .filter(|rule| rule.since_last.is_some());
        if since_last.nth(1).is_some() {
            let message = "two due rules count from the last of other records";
            self.note(&["due"], message, "keep one");
        }
        for (index, rule) in self.kind.due.iter().enumerate() {
            let index = index.to_string();
            let path = |key| ["due", index.as_str(), key];
            self.known_states(&path("in"), &rule.states);
            self.open_states(&path("in"), &rule.states, "nothing is due");
            self.known_relations(&path("to"), &rule.to);
            if let Some(condition) = &rule.when {
                self.condition(&path("when"), condition);
            }
            if let Some(field) = &rule.on {
                self.date_field(&path("on"), field);
            }
            if let Some(since_last) = &rule.since_last {
                let fields = since_last.of.iter().chain([&since_last.every]);
                for field in fields {
                    self.known_field(&path("since_last"), field);
                }
                if let Some(field) = &since_last.not_before {
                    self.date_field(&path("since_last"), field);
                }
                if rule.on.is_some() {
                    let message = "it is due on a date and since the last";
                    self.note(&path("since_last"), message, "keep `on` or `since_last`");
                }
            }
        }
    }
}
