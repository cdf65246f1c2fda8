//! Every state machine of the shipped catalogue, walked from end to end: each state × action × person, and what each action requires
//! and waits for. What is expected is said here once more, from the words of the catalogue alone.

use std::collections::{BTreeMap, VecDeque};

use super::scene::*;
use crate::admit::codes::{flag, no_effect as without, refused as codes};
use crate::catalog::{Action, Catalogue, Field, FieldType, Kind, Relation, Requirement};
use crate::command::Verb;
use crate::id::RecordId;
use crate::journal::Fate;
use crate::value::Value;

/// Longer than anything waits.
const LONG_DAYS: i64 = 200;
const DEPARTMENT: Who = Who(5);
const DESK: Who = Who(6);
const ROLES: [(&str, Who); 7] = [
    ("FS", SECRETARY),
    ("TM", MEMBER),
    ("VC", COMMITTEE),
    ("TW", TOWNSHIP),
    ("CS", COUNTY),
    ("DP", DEPARTMENT),
    ("RD", DESK),
];

/// A village where all the records can be made that others refer to.
struct Walk {
    scene: Scene,
    catalogue: Catalogue,
}

/// A record, who made it, and what has been done with it.
struct Walked {
    id: RecordId,
    creator: (&'static str, Who),
    /// The last of each action, and by whom.
    by: BTreeMap<String, Who>,
    /// The position before the last action.
    before: u64,
}

impl Walk {
    fn new() -> Self {
        let mut scene = Scene::new();
        let county = scene.host.county();
        let from = NOON.date().plus_days(-100);
        for (name, role, who) in [("部门", "DP", DEPARTMENT), ("报贫台", "RD", DESK)] {
            let user = scene.host.add_user(name, NOON);
            let assignment = scene.host.assign(user, role, county, from, None, NOON);
            assert_eq!(scene.enrol(user, assignment), who);
        }
        Self {
            scene,
            catalogue: Catalogue::builtin(),
        }
    }

    fn kind(&self, name: &str) -> Kind {
        self.catalogue.kind(name).expect("a shipped kind").clone()
    }

    /// Brings the fields that are needed; what must hold of those that refer to records, holds.
    fn fill(
        &mut self,
        mut draft: Draft,
        kind: &Kind,
        needs: &[String],
        requires: &[Requirement],
    ) -> Draft {
        for name in needs {
            let field = kind.field(name).expect("a declared field");
            let requirement = requires.iter().find(|one| one.field == *name);
            draft = self.bring(draft, field, requirement, true);
        }
        draft
    }

    fn bring(
        &mut self,
        draft: Draft,
        field: &Field,
        requirement: Option<&Requirement>,
        holds: bool,
    ) -> Draft {
        let name = &field.name;
        let today = i64::from(self.scene.now.date().0);
        let value = match &field.ty {
            FieldType::Text { .. } | FieldType::LongText { .. } => Value::text("说明"),
            FieldType::Code { set } => {
                Value::text(&self.catalogue.set(set).expect("a set").codes[0].code)
            }
            FieldType::Codes { set, .. } => Value::List(vec![Value::text(
                &self.catalogue.set(set).expect("a set").codes[0].code,
            )]),
            FieldType::Date => Value::Int(today),
            FieldType::Int { min, .. } => Value::Int((*min).max(1)),
            FieldType::Users { .. } | FieldType::User => {
                let users: Vec<RecordId> = ROLES
                    .iter()
                    .map(|(_, who)| RecordId(self.scene.hand(*who).user.0))
                    .collect();
                return users
                    .into_iter()
                    .fold(draft, |draft, user| draft.link(name, user));
            }
            FieldType::Ref { kind } | FieldType::Refs { kind, .. } => {
                let target = kind.as_deref().unwrap_or("household");
                let state = requirement.map(|one| self.state_for(target, one, holds));
                let target = self.reach(target, state.as_deref()).id;
                return draft.link(name, target);
            }
            other => panic!("no action of the catalogue needs a {}", other.name()),
        };
        draft.with(name, value)
    }

    /// A state in which a requirement holds, or does not.
    fn state_for(&self, kind: &str, requirement: &Requirement, holds: bool) -> String {
        let kind = self.kind(kind);
        let named = requirement.states.iter().cloned();
        let others = kind.states.iter().map(|state| state.name.clone());
        let others = others.filter(|state| !requirement.states.contains(state));
        // The nearest to its beginning.
        let mut found: Vec<String> = if holds == requirement.none {
            others.collect()
        } else {
            named.collect()
        };
        found.sort_by_key(|state| path(&kind, state).map_or(usize::MAX, |path| path.1.len()));
        found.swap_remove(0)
    }

    fn hand_for(
        &self,
        by: &crate::catalog::Who,
        record: Option<&Walked>,
        not: Option<Who>,
    ) -> Option<(&'static str, Who)> {
        ROLES
            .into_iter()
            .find(|(role, who)| Some(*who) != not && self.may(by, role, *who, record))
    }

    /// Whether the catalogue's words let somebody do something with a record.
    fn may(&self, by: &crate::catalog::Who, role: &str, who: Who, record: Option<&Walked>) -> bool {
        by.grants.iter().any(|grant| {
            let stands = |relation: &Relation| match (relation, record) {
                // In these scenes one person has each role.
                (Relation::Author | Relation::Issuer, Some(record)) => record.creator.1 == who,
                (Relation::In(field), Some(record)) => {
                    !self.scene.held(record.id, field).is_empty()
                }
                (Relation::AuthorOf(_), Some(_)) | (_, None) => false,
            };
            grant.roles.iter().any(|named| named == role)
                && grant.relation.as_ref().is_none_or(stands)
        })
    }

    /// A new record in a state; in the one in which it begins, if none is said.
    fn reach(&mut self, kind: &str, state: Option<&str>) -> Walked {
        let kind = self.kind(kind);
        let first = kind.creations[0].state.clone();
        let (creation, steps) =
            path(&kind, state.unwrap_or(&first)).expect("every state is reached");
        let creation = kind.creations[creation].clone();
        let creator = ROLES
            .into_iter()
            .find(|(role, _)| creation.roles.iter().any(|named| named == role));
        let creator = creator.expect("somebody makes it");
        let mut needs: Vec<String> = kind
            .required_at_creation()
            .map(|field| field.name.clone())
            .collect();
        // Whoever is named in a field may act.
        let users = kind.fields.iter().filter(|field| {
            field.ty.is_user() && field.written != crate::catalog::Written::ByAction
        });
        needs.extend(
            users
                .map(|field| field.name.clone())
                .filter(|name| !needs.contains(name))
                .collect::<Vec<_>>(),
        );
        let audience = kind.audiences[0];
        let draft = create(&kind.name, &creation.state).audience(audience);
        let draft = self.fill(draft, &kind, &needs, &creation.requires);
        let id = self.scene.make(creator.1, draft);
        let mut walked = Walked {
            id,
            creator,
            by: BTreeMap::new(),
            before: self.scene.seq(),
        };
        for action in steps {
            let action = kind.action(&action).expect("a declared action").clone();
            self.take(&kind, &mut walked, &action);
        }
        walked
    }

    /// An action's command with all that it needs.
    fn draft(&mut self, kind: &Kind, record: &Walked, action: &Action) -> Draft {
        if action.waits.is_some() {
            self.scene.pass_days(LONG_DAYS);
        }
        let draft = act(record.id, &kind.name, &action.name).audience(kind.audiences[0]);
        let draft = self.fill(draft, kind, &action.needs, &action.requires);
        if action.needs_reason {
            draft.because("原因")
        } else {
            draft
        }
    }

    fn take(&mut self, kind: &Kind, record: &mut Walked, action: &Action) {
        self.ready(kind, record, action);
        let draft = self.draft(kind, record, action);
        let not = action
            .not_same_person_as
            .as_ref()
            .and_then(|other| record.by.get(other))
            .copied();
        let (_, who) = self
            .hand_for(&action.by, Some(record), not)
            .expect("somebody may");
        record.before = self.scene.seq();
        let fate = self.scene.say(who, draft);
        assert_eq!(
            fate,
            Fate::Accepted,
            "{} of {} in {}",
            action.name,
            kind.name,
            self.scene.state(record.id)
        );
        record.by.insert(action.name.clone(), who);
    }

    /// Brings what the record refers to already into the states that an action requires.
    fn ready(&mut self, kind: &Kind, record: &Walked, action: &Action) {
        for requirement in action
            .requires
            .iter()
            .filter(|one| !action.needs.contains(&one.field))
        {
            for target in self.targets(record.id, &requirement.field) {
                self.bring_into(kind, requirement, target);
            }
        }
    }

    fn targets(&self, record: RecordId, field: &str) -> Vec<RecordId> {
        let held = self.scene.held(record, field);
        let held = held.first().map(crate::look::targets);
        held.unwrap_or_default()
    }

    fn bring_into(&mut self, kind: &Kind, requirement: &Requirement, target: RecordId) {
        let field = kind.field(&requirement.field).expect("a declared field");
        let of = self.kind(field.ty.target_kind().expect("of one kind"));
        let here = self.scene.state(target);
        if requirement.holds([Some(here.as_str())]) {
            return;
        }
        let near = requirement
            .states
            .iter()
            .filter_map(|state| between(&of, &here, state));
        let steps = near.min_by_key(Vec::len).expect("it can come to be so");
        let mut walked = Walked {
            id: target,
            creator: ("VC", COMMITTEE),
            by: BTreeMap::new(),
            before: self.scene.seq(),
        };
        for step in steps {
            let action = of.action(&step).expect("a declared action").clone();
            self.take(&of, &mut walked, &action);
        }
    }
}

/// By which creation and which actions a state is reached the soonest.
fn path(kind: &Kind, state: &str) -> Option<(usize, Vec<String>)> {
    let creations = kind.creations.iter().enumerate();
    let paths =
        creations.filter_map(|(at, creation)| Some((at, between(kind, &creation.state, state)?)));
    paths.min_by_key(|(_, steps)| steps.len())
}

fn between(kind: &Kind, from: &str, to: &str) -> Option<Vec<String>> {
    let mut waiting = VecDeque::from([(from.to_owned(), Vec::new())]);
    let mut seen = vec![from.to_owned()];
    while let Some((state, steps)) = waiting.pop_front() {
        if state == to {
            return Some(steps);
        }
        for action in kind
            .actions
            .iter()
            .filter(|action| !action.retired && action.from.contains(&state))
        {
            let next = action.to.clone().unwrap_or_else(|| state.clone());
            if !seen.contains(&next) {
                seen.push(next.clone());
                let mut further: Vec<String> = steps.clone();
                further.push(action.name.clone());
                waiting.push_back((next, further));
            }
        }
    }
    None
}

/// What becomes of an action that brings all it needs, by the words of the catalogue.
fn expected(
    walk: &Walk,
    record: &Walked,
    state: &str,
    action: &Action,
    (role, who): (&str, Who),
) -> Fate {
    if !walk.may(&action.by, role, who, Some(record)) {
        return refused(codes::NOT_ALLOWED);
    }
    let other = action
        .not_same_person_as
        .as_ref()
        .and_then(|other| record.by.get(other));
    if other == Some(&who) {
        return refused(codes::SAME_PERSON);
    }
    if !action.from.iter().any(|from| from == state) {
        return no_effect(without::WRONG_STATE);
    }
    Fate::Accepted
}

fn kinds() -> Vec<String> {
    let catalogue = Catalogue::builtin();
    // A month is closed and opened by verbs of its own; a review's machine rests on the author of another record.
    let kinds = catalogue
        .kinds()
        .filter(|kind| !["month", "review"].contains(&kind.name.as_str()));
    kinds.map(|kind| kind.name.clone()).collect()
}

#[test]
fn each_action_is_taken_in_its_states_and_by_its_people_alone() {
    let mut tried = 0;
    for name in kinds() {
        let mut walk = Walk::new();
        let kind = walk.kind(&name);
        for state in kind.states.clone() {
            let mut record = walk.reach(&name, Some(&state.name));
            for action in kind
                .actions
                .clone()
                .into_iter()
                .filter(|action| !action.retired)
            {
                for person in ROLES {
                    let leaves = action.from.contains(&state.name);
                    if leaves {
                        walk.ready(&kind, &record, &action);
                    }
                    let draft = walk.draft(&kind, &record, &action);
                    let expected = expected(&walk, &record, &state.name, &action, person);
                    let became = walk.scene.say(person.1, draft);
                    assert_eq!(
                        became, expected,
                        "{} by {} on a {name} in {}",
                        action.name, person.0, state.name
                    );
                    tried += 1;
                    if became == Fate::Accepted {
                        let to = action.to.as_ref().unwrap_or(&state.name);
                        assert_eq!(
                            walk.scene.state(record.id),
                            *to,
                            "{} of {name}",
                            action.name
                        );
                        record = walk.reach(&name, Some(&state.name));
                    }
                }
            }
        }
    }
    assert!(tried > 3_000, "{tried} were tried");
}

#[test]
fn what_was_written_before_its_author_saw_the_last_action_is_without_effect() {
    for name in kinds() {
        let mut walk = Walk::new();
        let kind = walk.kind(&name);
        for action in kind
            .actions
            .clone()
            .into_iter()
            .filter(|action| !action.retired && !action.concurrent)
        {
            for state in action.from.clone() {
                let record = walk.reach(&name, Some(&state));
                let Some(last) = record
                    .by
                    .values()
                    .last()
                    .copied()
                    .filter(|_| record.by.len() == 1)
                else {
                    continue;
                };
                walk.ready(&kind, &record, &action);
                let draft = walk.draft(&kind, &record, &action).base(record.before);
                let not = action
                    .not_same_person_as
                    .as_ref()
                    .and_then(|other| record.by.get(other))
                    .copied();
                let others = walk.hand_for(&action.by, Some(&record), not.or(Some(last)));
                let Some((_, who)) = others.filter(|(_, who)| *who != last) else {
                    continue;
                };
                let became = walk.scene.say(who, draft);
                assert_eq!(
                    became,
                    no_effect(without::SUPERSEDED),
                    "{} of {name} in {state}",
                    action.name
                );
                assert_eq!(walk.scene.state(record.id), state);
            }
        }
    }
}

#[test]
fn an_action_that_brings_what_is_not_ready_is_without_effect() {
    let mut tried = 0;
    for name in kinds() {
        let mut walk = Walk::new();
        let kind = walk.kind(&name);
        for action in kind.actions.clone() {
            let brought = action
                .requires
                .iter()
                .filter(|one| action.needs.contains(&one.field));
            for requirement in brought.cloned().collect::<Vec<_>>() {
                let record = walk.reach(&name, Some(&action.from[0]));
                walk.ready(&kind, &record, &action);
                let mut draft = walk.draft(&kind, &record, &action);
                draft.links.retain(|link| link.field != requirement.field);
                let field = kind
                    .field(&requirement.field)
                    .expect("a declared field")
                    .clone();
                let draft = walk.bring(draft, &field, Some(&requirement), false);
                let (_, who) = walk
                    .hand_for(&action.by, Some(&record), None)
                    .expect("somebody may");
                let became = walk.scene.say(who, draft);
                assert_eq!(
                    became,
                    no_effect(without::NOT_READY),
                    "{} of {name}",
                    action.name
                );
                assert_eq!(walk.scene.state(record.id), action.from[0]);
                tried += 1;
            }
        }
    }
    assert!(tried >= 5, "{tried} were tried");
}

#[test]
fn a_record_that_rests_on_what_is_not_ready_is_not_made() {
    let mut walk = Walk::new();
    let clue = walk.reach("clue", None).id;
    let household = walk.reach("household", None).id;
    let case = |clue| {
        let today = i64::from(NOON.date().0);
        let draft = create("case", "verify")
            .link("household", household)
            .link("clue", clue);
        draft.with("received_on", Value::Int(today))
    };
    assert_eq!(
        walk.scene.say(TOWNSHIP, case(clue)),
        no_effect(without::NOT_READY)
    );
    let confirmed = walk.reach("clue", Some("confirmed")).id;
    assert_eq!(walk.scene.say(TOWNSHIP, case(confirmed)), Fate::Accepted);
    // What was hidden counts for nothing.
    let hidden = walk.reach("clue", Some("confirmed")).id;
    let hide = on(hidden, "clue", Verb::Void).because("误记");
    assert_eq!(walk.scene.say(SECRETARY, hide), Fate::Accepted);
    assert_eq!(
        walk.scene.say(TOWNSHIP, case(hidden)),
        no_effect(without::NOT_READY)
    );
}

#[test]
fn a_household_that_nobody_can_work_for_is_never_cleared() {
    let mut walk = Walk::new();
    let kind = walk.kind("case");
    let case = walk.reach("case", Some("helping"));
    let household = walk.targets(case.id, "household")[0];
    let note = act(household, "household", "note_without_labour").because("全户丧失劳动能力");
    assert_eq!(walk.scene.say(SECRETARY, note), Fate::Accepted);
    for name in ["propose_clear", "propose_natural"] {
        let action = kind.action(name).expect("a declared action").clone();
        for measure in walk.targets(case.id, "measures") {
            let requirement = Requirement {
                field: "measures".to_owned(),
                none: false,
                states: vec!["done".to_owned()],
            };
            walk.bring_into(&kind, &requirement, measure);
        }
        let draft = walk.draft(&kind, &case, &action);
        assert_eq!(
            walk.scene.say(SECRETARY, draft),
            no_effect(without::NOT_READY),
            "{name}"
        );
    }
    assert_eq!(walk.scene.state(case.id), "helping");
}

#[test]
fn a_notice_stays_up_for_five_days_by_the_day_on_which_it_was_written() {
    let mut walk = Walk::new();
    let notice = walk.reach("notice", Some("posted")).id;
    let (posted, base) = (walk.scene.now, walk.scene.seq());
    let end = |days: i64| {
        let at = posted.plus_ms(days * DAY_MS);
        let draft = act(notice, "notice", "end").at(at).base(base);
        draft.with("ended_on", Value::Int(i64::from(at.date().0)))
    };
    // It is all received late, and counts as of when it was written.
    walk.scene.pass_days(9);
    assert_eq!(
        walk.scene.say(COMMITTEE, end(4)),
        no_effect(without::TOO_EARLY)
    );
    assert_eq!(walk.scene.say(COMMITTEE, end(5)), Fate::Accepted);
    assert_eq!(walk.scene.state(notice), "ended");
}

#[test]
fn a_phone_and_an_auditor_make_the_same_index_of_what_waits() {
    let mut walk = Walk::new();
    walk.reach("case", Some("cleared"));
    let journal = walk.scene.village.journal;
    let mut index = crate::admit::Index::new();
    for entry in walk.scene.host.entries(journal) {
        let (registry, catalogues) = (walk.scene.host.registry(), walk.scene.host.catalogues());
        crate::admit::replay(
            &mut index,
            registry,
            catalogues,
            &entry.head,
            &entry.parts.batch,
        );
    }
    assert_eq!(
        Some(&index),
        walk.scene
            .host
            .journal(journal)
            .map(|village| &village.index)
    );
}

#[test]
fn what_waits_goes_by_the_day_of_receipt_where_the_clock_is_wrong() {
    let mut scene = Scene::new();
    let notice = create("notice", "drafted").with("title", Value::text("名单"));
    let notice = scene.make(COMMITTEE, notice);
    let base = scene.seq();
    scene.pass_days(10);
    let post = act(notice, "notice", "post").with("place", Value::text("村部"));
    let post = post.with("posted_on", Value::Int(i64::from(NOON.date().0)));
    let early = post.at(NOON.plus_ms(-DAY_MS)).base(base);
    assert_eq!(scene.say(COMMITTEE, early), flagged(&[flag::CLOCK]));
    let end = act(notice, "notice", "end");
    let end = end.with("ended_on", Value::Int(i64::from(scene.now.date().0)));
    assert_eq!(scene.say(COMMITTEE, end), no_effect(without::TOO_EARLY));
}

#[test]
fn who_last_took_a_step_does_not_check_it() {
    let mut scene = Scene::new();
    let (first, second) = (scene.hand(SECRETARY).user, scene.hand(MEMBER).user);
    let task = create("task", "in_progress").with("title", Value::text("修渠"));
    let task = task
        .link("assignees", RecordId(first.0))
        .link("assignees", RecordId(second.0));
    let task = scene.make(SECRETARY, task);
    let report = || act(task, "task", "report").with("result", Value::text("修好了"));
    assert_eq!(scene.say(MEMBER, report()), Fate::Accepted);
    let back = act(task, "task", "return").because("没修好");
    assert_eq!(scene.say(SECRETARY, back), Fate::Accepted);
    assert_eq!(scene.say(SECRETARY, report()), Fate::Accepted);
    assert_eq!(
        scene.say(SECRETARY, act(task, "task", "accept")),
        refused(codes::SAME_PERSON)
    );
}

#[test]
fn what_was_erased_counts_for_nothing_where_another_rests_on_it() {
    let mut scene = Scene::new();
    let household = scene.household();
    let today = Value::Int(i64::from(NOON.date().0));
    let clue = create("clue", "to_verify").with("received_on", today.clone());
    let clue = scene.make(SECRETARY, clue.with("channel", Value::text("public_page")));
    let verify = act(clue, "clue", "verify").link("household", household);
    let verify = verify.with("finding", Value::text("属实"));
    assert_eq!(scene.say(SECRETARY, verify), Fate::Accepted);
    assert_eq!(
        scene.say(TOWNSHIP, act(clue, "clue", "confirm")),
        Fate::Accepted
    );
    let erase = on(clue, "clue", Verb::Erase).because("本人依法要求");
    assert_eq!(scene.say(COUNTY, erase), Fate::Accepted);
    let case = create("case", "verify")
        .link("household", household)
        .link("clue", clue);
    assert_eq!(
        scene.say(TOWNSHIP, case.with("received_on", today)),
        no_effect(without::NOT_READY)
    );
}
