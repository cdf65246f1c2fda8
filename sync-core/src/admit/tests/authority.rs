//! Authority at its position: assignments and their ends, devices, roles, clocks and catalogue versions.

use super::scene::*;
use crate::admit::codes;
use crate::command::{Audience, Verb};
use crate::id::Timestamp;
use crate::journal::Fate;
use crate::limits;
use crate::registry::{Purpose, RegistryAct, Standing};
use crate::value::Value;

#[test]
fn work_written_before_an_assignment_ended_and_received_after_is_flagged() {
    let mut scene = Scene::new();
    let record = scene.household();
    let (written, base) = (scene.now, scene.seq());
    scene.end_assignment(SECRETARY, written.date(), false);
    scene.pass_days(i64::from(limits::LATE_DAYS_MAX));
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").at(written)),
        flagged(&[codes::flag::AFTER_END])
    );
    assert_eq!(
        scene.held(record, "phone"),
        [Value::text("138")],
        "it counts"
    );
    scene.pass_days(1);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "139").at(written).base(base)),
        refused(codes::refused::TOO_OLD)
    );
}

#[test]
fn work_written_after_an_assignment_ended_is_refused() {
    let mut scene = Scene::new();
    let record = scene.household();
    scene.end_assignment(SECRETARY, scene.now.date(), false);
    scene.pass_days(1);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138")),
        refused(codes::refused::ENDED)
    );
}

#[test]
fn a_claimed_time_before_what_its_author_was_looking_at_revives_no_assignment() {
    let mut scene = Scene::new();
    let record = scene.household();
    let in_office = scene.now;
    scene.end_assignment(SECRETARY, in_office.date(), false);
    scene.pass_days(3);
    scene.say(MEMBER, phone(record, "139"));
    // He claims to have written it in office, on top of an entry that came three days later.
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").at(in_office)),
        refused(codes::refused::ENDED)
    );
    let base = scene.seq() - 1;
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").at(in_office).base(base - 1)),
        flagged(&[codes::flag::AFTER_END])
    );
}

#[test]
fn work_under_an_assignment_withdrawn_for_cause_is_refused() {
    let mut scene = Scene::new();
    let record = scene.household();
    let written = scene.now;
    scene.end_assignment(SECRETARY, written.date(), true);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "137")),
        Fate::Accepted,
        "its last day"
    );
    scene.pass_days(1);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").at(written)),
        refused(codes::refused::ENDED_FOR_CAUSE)
    );
}

#[test]
fn an_assignment_that_has_not_begun_or_is_anothers_or_elsewhere_carries_nothing() {
    let mut scene = Scene::new();
    let record = scene.household();
    let user = scene.hand(SECRETARY).user;
    let own = scene.hand(SECRETARY).assignment;
    let tomorrow = scene.now.date().plus_days(1);
    let area = scene.village.area;
    let later = scene.host.assign(user, "FS", area, tomorrow, None, NOON);
    scene.hands[0].assignment = later;
    assert_eq!(
        scene.say(SECRETARY, phone(record, "1")),
        refused(codes::refused::NOT_BEGUN)
    );
    scene.hands[0].assignment = scene.hand(MEMBER).assignment;
    let not_assigned = refused(codes::refused::NOT_ASSIGNED);
    assert_eq!(scene.say(SECRETARY, phone(record, "1")), not_assigned);
    let other = scene.host.add_village("下堡村", NOON);
    let today = scene.now.date();
    scene.hands[0].assignment = scene.host.assign(user, "FS", other.area, today, None, NOON);
    assert_eq!(scene.say(SECRETARY, phone(record, "1")), not_assigned);
    scene.hands[0].assignment = own;
    assert_eq!(scene.say(SECRETARY, phone(record, "1")), Fate::Accepted);
}

#[test]
fn a_closed_account_writes_nothing() {
    let mut scene = Scene::new();
    let user = scene.hand(MEMBER).user;
    let name = "王队员".to_owned();
    scene.host.act(
        RegistryAct::SetUser {
            user,
            name,
            active: false,
        },
        NOON,
    );
    assert_eq!(
        scene.say(MEMBER, household()),
        refused(codes::refused::ACCOUNT_CLOSED)
    );
}

#[test]
fn revoked_and_suspended_devices_are_told_so() {
    let mut scene = Scene::new();
    let device = scene.device(MEMBER);
    scene
        .host
        .set_standing(device, Standing::Suspended, "equivocation", NOON);
    assert_eq!(
        scene.say(MEMBER, household()),
        refused(codes::refused::DEVICE_SUSPENDED)
    );
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", NOON);
    assert_eq!(
        scene.say(MEMBER, household()),
        refused(codes::refused::DEVICE_REVOKED)
    );
}

#[test]
fn every_entry_names_the_registry_position_it_was_judged_at() {
    let mut scene = Scene::new();
    scene.household();
    scene.end_assignment(MEMBER, scene.now.date(), false);
    scene.household();
    let entries = scene.host.entries(scene.village.journal);
    assert!(entries[0].head.registry.seq < entries[1].head.registry.seq);
    assert_eq!(entries[1].head.registry, scene.host.registry().position());
}

#[test]
fn a_role_writes_what_its_kind_lets_it_and_nothing_else() {
    let mut scene = Scene::new();
    let record = scene.household();
    let not_allowed = refused(codes::refused::NOT_ALLOWED);
    assert_eq!(scene.say(TOWNSHIP, household()), not_allowed);
    let denied = refused_for(codes::refused::NOT_ALLOWED, "phone");
    assert_eq!(scene.say(TOWNSHIP, phone(record, "138")), denied);
    let assignee = crate::id::RecordId(scene.hand(MEMBER).user.0);
    let issued = create("task", "issued").with("title", Value::text("修渠"));
    assert_eq!(
        scene.say(MEMBER, issued.link("assignees", assignee)),
        not_allowed
    );
    let task = scene.task();
    assert_eq!(
        scene.say(COMMITTEE, act(task, "task", "sign")),
        not_allowed,
        "it is not assigned to him"
    );
    assert_eq!(
        scene.say(SECRETARY, act(task, "task", "sign")),
        Fate::Accepted
    );
    assert_eq!(
        scene.say(MEMBER, act(task, "task", "cancel").because("不需要")),
        not_allowed
    );
}

#[test]
fn a_claimed_time_outside_its_bounds_is_flagged_and_counts() {
    let mut scene = Scene::new();
    let record = scene.household();
    let (at, tolerance) = (scene.now, limits::CLOCK_TOLERANCE_MS);
    let clock = flagged(&[codes::flag::CLOCK]);
    let cases = [
        (at.plus_ms(tolerance), Fate::Accepted),
        (at.plus_ms(tolerance + 1), clock.clone()),
        (at.plus_ms(-tolerance), Fate::Accepted),
        (at.plus_ms(-tolerance - 1), clock.clone()),
        (Timestamp(i64::MAX), clock.clone()),
        (Timestamp(i64::MIN), clock),
    ];
    for (claimed, fate) in cases {
        assert_eq!(scene.say(SECRETARY, phone(record, "138").at(claimed)), fate);
    }
}

#[test]
fn what_was_written_on_an_empty_journal_has_no_earliest_time() {
    let mut scene = Scene::new();
    let early = scene.now.plus_ms(-400 * DAY_MS);
    assert_eq!(
        scene.say(SECRETARY, household().at(early)),
        Fate::Accepted,
        "nothing is refused for being late"
    );
}

#[test]
fn both_flags_stand_together() {
    let mut scene = Scene::new();
    let record = scene.household();
    let base = scene.seq();
    scene.end_assignment(SECRETARY, scene.now.date(), false);
    scene.pass_days(5);
    let early = NOON.plus_ms(-DAY_MS);
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").base(base).at(early)),
        flagged(&[codes::flag::AFTER_END, codes::flag::CLOCK])
    );
}

#[test]
fn an_unknown_catalogue_version_is_refused_and_moves_its_lane() {
    let mut scene = Scene::new();
    scene.catalogue = 2;
    assert_eq!(
        scene.say(SECRETARY, household()),
        refused(codes::refused::UNKNOWN_CATALOGUE)
    );
    scene.catalogue = 1;
    assert_eq!(scene.say(SECRETARY, household()), Fate::Accepted);
    let entries = scene.host.entries(scene.village.journal);
    assert_eq!(
        entries[0].head.catalogue, 2,
        "an entry names the version it was judged by"
    );
    assert_eq!(entries[1].head.catalogue, 1);
}

#[test]
fn an_audience_is_only_widened_and_only_by_who_may_write_the_record() {
    let mut scene = Scene::new();
    let household = scene.household();
    let visit = scene.make(SECRETARY, visit(household).audience(Audience::Team));
    let widen = || on(visit, "visit", Verb::Set).audience(Audience::Village);
    assert_eq!(scene.fold(visit).audience, Audience::Team);
    assert_eq!(
        scene.say(TOWNSHIP, widen()),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(scene.say(MEMBER, widen()), Fate::Accepted);
    assert_eq!(scene.fold(visit).audience, Audience::Village);
    let index = &scene.host.journal(scene.village.journal).unwrap().index;
    assert_eq!(index[&visit].audience, Audience::Village);
    let narrow = on(visit, "visit", Verb::Set).audience(Audience::Team);
    assert!(scene.say(MEMBER, narrow).is_refused());
}

#[test]
fn a_device_out_of_use_is_told_so_whatever_became_of_its_account() {
    let mut scene = Scene::new();
    let (user, device) = (scene.hand(MEMBER).user, scene.device(MEMBER));
    let name = "王队员".to_owned();
    let closed = RegistryAct::SetUser {
        user,
        name,
        active: false,
    };
    scene.host.act(closed, NOON);
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", NOON);
    assert_eq!(
        scene.say(MEMBER, household()),
        refused(codes::refused::DEVICE_REVOKED)
    );
}

#[test]
fn where_a_journal_is_goes_by_the_day_of_receipt() {
    let mut scene = Scene::new();
    let other = scene.host.add_village("下堡村", NOON);
    let moved = RegistryAct::SetJournal {
        journal: scene.village.journal,
        purpose: Purpose::Village,
        area: other.area,
        from: NOON.date().plus_days(1),
    };
    scene.host.act(moved, NOON);
    assert_eq!(
        scene.say(MEMBER, household()),
        Fate::Accepted,
        "its last day there"
    );
    let sealed_before = scene.seal(MEMBER, vec![household()]);
    scene.pass_days(1);
    let outcome = scene.submit(&sealed_before);
    assert_eq!(fates(&outcome, 1), [refused(codes::refused::NOT_ASSIGNED)]);
}

#[test]
fn an_office_within_the_village_carries_nothing_for_all_of_it() {
    let mut scene = Scene::new();
    let group = scene.host.add_area(
        crate::area::Level::Village,
        Some(scene.village.area),
        "640422100299",
        "一组",
        NOON,
    );
    let user = scene.hand(SECRETARY).user;
    let today = NOON.date();
    scene.hands[0].assignment = scene.host.assign(user, "FS", group, today, None, NOON);
    assert_eq!(
        scene.say(SECRETARY, household()),
        refused(codes::refused::NOT_ASSIGNED)
    );
}

#[test]
fn why_an_ended_assignment_carries_nothing_is_told_in_one_order() {
    for (for_cause, days, code) in [
        (true, 1, codes::refused::ENDED_FOR_CAUSE),
        (
            true,
            i64::from(limits::LATE_DAYS_MAX) + 1,
            codes::refused::ENDED_FOR_CAUSE,
        ),
        (
            false,
            i64::from(limits::LATE_DAYS_MAX) + 1,
            codes::refused::ENDED,
        ),
    ] {
        let mut scene = Scene::new();
        let record = scene.household();
        scene.end_assignment(SECRETARY, scene.now.date(), for_cause);
        scene.pass_days(days);
        assert_eq!(
            scene.say(SECRETARY, phone(record, "138")),
            refused(code),
            "{days}"
        );
    }
}

#[test]
fn a_person_whose_account_is_closed_is_still_somebody() {
    let mut scene = Scene::new();
    let user = scene.hand(MEMBER).user;
    let name = "王队员".to_owned();
    scene.host.act(
        RegistryAct::SetUser {
            user,
            name,
            active: false,
        },
        NOON,
    );
    scene.task();
}

#[test]
fn references_are_written_by_whom_their_field_names_and_while_it_is_open() {
    let mut scene = Scene::new();
    let (task, visit, household) = (scene.task(), scene.visit(), scene.household());
    let about = |record, kind| on(record, kind, Verb::Set).link("household", household);
    assert_eq!(
        scene.say(COMMITTEE, about(task, "task")),
        refused_for(codes::refused::NOT_ALLOWED, "household")
    );
    assert_eq!(
        scene.say(SECRETARY, act(visit, "visit", "file")),
        Fate::Accepted
    );
    assert_eq!(
        scene.say(SECRETARY, about(visit, "visit")),
        no_effect(codes::no_effect::FILED)
    );
}

#[test]
fn where_the_servers_clock_runs_backwards_all_is_judged_by_the_last_receipt() {
    let mut scene = Scene::new();
    let record = scene.household();
    scene.pass_days(-400);
    let draft = phone(record, "138").at(NOON);
    assert_eq!(scene.say(SECRETARY, draft), Fate::Accepted);
}
