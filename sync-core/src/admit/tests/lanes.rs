//! Every authentic batch moves its lane, exactly once; a signature vouches for the history it saw.

use super::scene::*;
use crate::admit::{LaneEnd, Unplaced, Wanted, codes, place};
use crate::batch::Position;
use crate::command::{Origin, Verb};
use crate::id::{Digest, JournalId, RecordId};
use crate::journal::Fate;
use crate::limits;
use crate::registry::Standing;
use crate::sync::device::Intent;
use crate::sync::wire::Outcome;
use crate::testing::{HostJournal, Phone};
use crate::value::Value;

#[test]
fn every_command_of_an_authentic_batch_gets_a_fate_and_the_lane_moves() {
    let mut scene = Scene::new();
    let household = scene.household();
    let n = scene.hand(SECRETARY).lane.n;
    let mut long = edit(household, 0, 0, &"长".repeat(limits::TEXT_CHARS_MAX));
    long.content.splices.push(long.content.splices[0].clone());
    long.content.splices[0].insert = "长".repeat(limits::COMMAND_BYTES_MAX / 3);
    let commands = vec![
        phone(household, "138"),
        create("no_such_kind", "registered"),
        household_without_name(),
        act(household, "household", "no_such_action"),
        phone(RecordId([9; 16]), "138"),
        household_elsewhere(),
        long,
        set(household).with("members", Value::text("五口")),
        phone(household, "139"),
    ];
    let fates = scene.say_all(SECRETARY, commands);
    assert_eq!(fates.len(), 9);
    assert_eq!(fates[0], Fate::Accepted);
    assert!(fates[1..8].iter().all(Fate::is_refused), "{fates:?}");
    assert_eq!(fates[8], Fate::Accepted, "each is judged by itself");
    assert_eq!(fates[6], refused(codes::refused::LIMIT));
    let lane = scene.host.journal(scene.village.journal).unwrap().lanes[&scene.device(SECRETARY)];
    assert_eq!(lane.n, n + 9);
    assert_eq!(lane, scene.hand(SECRETARY).lane);
}

fn household_without_name() -> Draft {
    create("household", "registered").with("code", Value::text("A-1"))
}

fn household_elsewhere() -> Draft {
    household().record(RecordId([8; 16]))
}

#[test]
fn a_record_id_that_is_not_derived_from_its_place_is_refused() {
    let mut scene = Scene::new();
    assert_eq!(
        scene.say(SECRETARY, household_elsewhere()),
        refused(codes::refused::MALFORMED)
    );
}

#[test]
fn what_a_batch_asks_for_names_the_records_that_it_makes_itself() {
    let mut scene = Scene::new();
    let held = scene.household();
    let lost = Origin {
        n: 7,
        ..scene.last(MEMBER)
    };
    let commands = vec![
        household(),
        phone(held, "138"),
        household_elsewhere(),
        household().origin(lost),
        phone(lost.record(), "139"),
    ];
    let parts = scene.sealed(SECRETARY, commands, scene.end());
    let wanted = Wanted::by(&parts.batch);
    let own = parts.batch.origin(parts.batch.first());
    let made = [(own.record(), own), (lost.record(), lost)];
    assert_eq!(wanted.made, made.into());
    for envelope in &parts.batch.envelopes {
        assert!(wanted.records.contains(&envelope.record));
        assert!(wanted.origins.contains(&parts.batch.origin(envelope.n)));
        let origin = envelope.origin;
        assert!(origin.is_none_or(|origin| wanted.origins.contains(&origin)));
    }
}

#[test]
fn a_batch_after_a_gap_leaves_the_lane_where_it_was() {
    let mut scene = Scene::new();
    let first = scene.seal(SECRETARY, vec![household()]);
    let second = scene.seal(SECRETARY, vec![household()]);
    assert_eq!(scene.submit(&second), Outcome::Gap { expected: 1 });
    assert_eq!(scene.seq(), 0);
    assert!(matches!(
        scene.submit(&first),
        Outcome::Entered { seq: 1, .. }
    ));
    assert!(matches!(
        scene.submit(&second),
        Outcome::Entered { seq: 2, .. }
    ));
}

#[test]
fn a_batch_that_nobody_signed_is_not_entered() {
    let mut scene = Scene::new();
    let mut parts = scene.sealed(SECRETARY, vec![household()], scene.end());
    parts.signature.bytes[0] ^= 1;
    let unusable = |code: &str| Outcome::Unusable {
        code: code.to_owned(),
    };
    assert_eq!(scene.submit(&parts), unusable("bad_signature"));
    let mut parts = scene.sealed(SECRETARY, vec![household()], scene.end());
    parts.batch.envelopes[0].base = 0;
    parts.batch.device = scene.device(MEMBER);
    assert_eq!(scene.submit(&parts), unusable("bad_signature"));
    let mut parts = scene.sealed(SECRETARY, vec![household()], scene.end());
    parts.batch.device = crate::id::DeviceId([9; 16]);
    assert_eq!(scene.submit(&parts), unusable("unknown_device"));
    let mut parts = scene.sealed(SECRETARY, vec![household()], scene.end());
    // What was signed for one journal is signed for no other.
    parts.batch.journal = JournalId([9; 16]);
    assert_eq!(scene.submit(&parts), unusable("bad_signature"));
    assert_eq!(scene.seq(), 0);
}

#[test]
fn a_stranger_leaves_no_entry_that_the_villages_phones_could_not_verify() {
    let mut scene = Scene::new();
    let elsewhere = scene.host.add_village("别村", NOON);
    let user = scene.host.add_user("某", NOON);
    let from = NOON.date().plus_days(-100);
    let assignment = (scene.host).assign(user, "FS", elsewhere.area, from, None, NOON);
    let stranger = scene.enrol(user, assignment);
    let parts = scene.sealed(stranger, vec![household()], scene.end());
    let code = "unknown_journal".to_owned();
    assert_eq!(scene.submit(&parts), Outcome::Unusable { code });
    assert_eq!(scene.seq(), 0);

    // Once he had an office there, whatever came of it, everybody who pulls has his key: each command gets its fate.
    let village = scene.village.area;
    (scene.host).assign(user, "TM", village, from, Some(from), NOON);
    let parts = scene.sealed(stranger, vec![household()], scene.end());
    let Outcome::Entered { unusual, .. } = scene.submit(&parts) else {
        panic!("it is entered");
    };
    let not_assigned = Fate::Refused("not_assigned".to_owned(), None);
    assert_eq!(unusual, [(0, not_assigned)]);
}

#[test]
fn a_journal_of_readers_takes_no_batches() {
    let mut scene = Scene::new();
    let access = JournalId([5; 16]);
    let act = crate::registry::RegistryAct::SetJournal {
        journal: access,
        purpose: crate::registry::Purpose::Access,
        area: scene.host.county(),
        from: NOON.date(),
    };
    scene.host.act(act, NOON);
    scene.village.journal = access;
    let device = scene.device(COUNTY);
    scene.hands[4].lane = LaneEnd::start(device, access);
    let seen = crate::journal::Chain::start(access).end;
    let parts = scene.sealed(COUNTY, vec![household()], seen);
    let code = "unknown_journal".to_owned();
    assert_eq!(scene.submit(&parts), Outcome::Unusable { code });
}

#[test]
fn what_comes_without_its_content_is_refused_and_moves_its_lane() {
    let mut scene = Scene::new();
    let parts = scene.seal(SECRETARY, vec![household()]);
    let outcome = scene.submit(&parts.withhold(|_, _| false));
    assert_eq!(fates(&outcome, 1), [refused(codes::refused::MALFORMED)]);
    assert_eq!(scene.say(SECRETARY, household()), Fate::Accepted);
}

#[test]
fn a_batch_seen_before_is_answered_with_its_first_fates_for_ever() {
    let mut scene = Scene::new();
    let record = scene.household();
    let commands = vec![phone(record, "138"), phone(RecordId([9; 16]), "1")];
    let parts = scene.seal(SECRETARY, commands);
    let first = scene.submit(&parts);
    assert_eq!(scene.submit(&parts), first);
    // Neither the end of the assignment nor a later state of the record changes the answer.
    scene.say(MEMBER, act(record, "household", "cancel").because("搬走"));
    scene.end_assignment(SECRETARY, scene.now.date().plus_days(-1), true);
    scene.pass_days(100);
    assert_eq!(scene.submit(&parts), first);
    assert_eq!(scene.seq(), 3, "it is entered once");
}

#[test]
fn other_bytes_under_a_used_number_are_equivocation_and_suspend_the_device() {
    let mut scene = Scene::new();
    let record = scene.household();
    let end = scene.end();
    let one = scene.sealed(SECRETARY, vec![phone(record, "138")], end);
    let other = scene.seal(SECRETARY, vec![phone(record, "139")]);
    assert!(matches!(scene.submit(&other), Outcome::Entered { .. }));
    assert_eq!(scene.submit(&one), Outcome::Equivocation);
    let device = scene.device(SECRETARY);
    assert_eq!(
        scene.host.registry().devices[&device].standing,
        Standing::Suspended
    );
    // What it sends from then on is kept and refused, and its lane moves.
    assert_eq!(
        scene.say(SECRETARY, phone(record, "137")),
        refused(codes::refused::DEVICE_SUSPENDED)
    );
    assert_eq!(scene.held(record, "phone"), [Value::text("139")]);
}

#[test]
fn a_batch_that_continues_another_than_the_last_is_equivocation() {
    let mut scene = Scene::new();
    scene.household();
    scene.hands[0].lane.batch = Digest([9; 32]);
    let parts = scene.seal(SECRETARY, vec![household()]);
    assert_eq!(scene.submit(&parts), Outcome::Equivocation);
}

#[test]
fn a_signature_vouches_for_the_history_it_saw() {
    let mut scene = Scene::new();
    scene.household();
    let lane = scene.hand(MEMBER).lane;
    let end = scene.end();
    let other = Position {
        seq: end.seq,
        head: Digest([9; 32]),
    };
    let parts = scene.seal_seeing(MEMBER, vec![household()], other);
    assert_eq!(scene.submit(&parts), Outcome::Forked);
    scene.hands[1].lane = lane;
    let future = Position {
        seq: end.seq + 1,
        head: end.head,
    };
    let parts = scene.seal_seeing(MEMBER, vec![household()], future);
    assert_eq!(scene.submit(&parts), Outcome::Forked);
    scene.hands[1].lane = lane;
    let stays = scene.host.journal(scene.village.journal).unwrap();
    assert!(
        !stays.lanes.contains_key(&scene.device(MEMBER)),
        "the lane is where it was"
    );
    assert_eq!(scene.say(MEMBER, household()), Fate::Accepted);
}

#[test]
fn an_older_history_on_the_chain_is_as_good_as_the_newest() {
    let mut scene = Scene::new();
    let start = scene.end();
    scene.household();
    let parts = scene.seal_seeing(MEMBER, vec![household()], start);
    assert!(matches!(
        scene.submit(&parts),
        Outcome::Entered { seq: 2, .. }
    ));
}

#[test]
fn two_phones_that_were_shown_two_histories_cannot_join_them_again() {
    let mut scene = Scene::new();
    let start = scene.end();
    let journal = scene.village.journal;
    scene.household();
    let one = scene.end();
    // The server forgets the entry and shows the other phone another one.
    *scene.host.journal_mut(journal).unwrap() = HostJournal::new(journal);
    let parts = scene.seal_seeing(MEMBER, vec![household()], start);
    scene.submit(&parts);
    let parts = scene.seal_seeing(COMMITTEE, vec![household()], one);
    assert_eq!(scene.submit(&parts), Outcome::Forked);
}

#[test]
fn what_an_enrolled_phone_offers_again_counts_once_under_its_origin() {
    let mut scene = Scene::new();
    let record = scene.household();
    let lost = scene.seal(SECRETARY, vec![phone(record, "138"), household()]);
    let (first, second) = (lost.batch.origin(2), lost.batch.origin(3));
    let (user, assignment) = (scene.hand(SECRETARY).user, scene.hand(SECRETARY).assignment);
    let anew = scene.enrol(user, assignment);
    assert_eq!(
        scene.say(anew, phone(record, "138").origin(first)),
        Fate::Accepted
    );
    assert_eq!(scene.say(anew, household().origin(second)), Fate::Accepted);
    assert_eq!(
        scene.fold(second.record()).kind,
        "household",
        "its id is its origin's"
    );
    let already = refused(codes::refused::ALREADY_RECEIVED);
    // Neither the copy that was on its way nor a second offer counts again.
    let outcome = scene.submit(&lost);
    assert_eq!(fates(&outcome, 2), [already.clone(), already.clone()]);
    assert_eq!(scene.say(anew, phone(record, "138").origin(first)), already);
}

#[test]
fn an_origin_that_was_accepted_under_its_own_number_counts_no_second_time() {
    let mut scene = Scene::new();
    let record = scene.household();
    scene.say(SECRETARY, phone(record, "138"));
    let origin = scene.last(SECRETARY);
    let (user, assignment) = (scene.hand(SECRETARY).user, scene.hand(SECRETARY).assignment);
    let anew = scene.enrol(user, assignment);
    let offer = phone(record, "138").origin(origin);
    assert_eq!(
        scene.say(anew, offer.clone()),
        refused(codes::refused::ALREADY_RECEIVED)
    );
    let twice = vec![
        household(),
        phone(record, "1").origin(Origin { n: 9, ..origin }),
        phone(record, "1").origin(Origin { n: 9, ..origin }),
    ];
    let fates = scene.say_all(anew, twice);
    assert_eq!(
        fates[1..],
        [Fate::Accepted, refused(codes::refused::ALREADY_RECEIVED)]
    );
}

#[test]
fn nobody_takes_a_number_that_its_owner_has_not_used() {
    let mut scene = Scene::new();
    let next = Origin {
        n: 1,
        ..scene.last(MEMBER)
    };
    assert_eq!(
        scene.say(SECRETARY, household().origin(next)),
        refused(codes::refused::NOT_ALLOWED)
    );
    // Having been refused once does not help either.
    assert_eq!(
        scene.say(SECRETARY, household().origin(next)),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(scene.say(MEMBER, household()), Fate::Accepted);
}

#[test]
fn work_of_a_revoked_device_is_refused_and_offered_again_by_its_author_or_a_named_person() {
    let mut scene = Scene::new();
    let record = scene.household();
    let device = scene.device(MEMBER);
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", NOON);
    let lost = vec![phone(record, "138"), household()];
    let revoked = refused(codes::refused::DEVICE_REVOKED);
    assert_eq!(scene.say_all(MEMBER, lost), [revoked.clone(), revoked]);
    let (first, second) = (
        Origin {
            n: 1,
            ..scene.last(MEMBER)
        },
        scene.last(MEMBER),
    );
    // A colleague who may not read what was refused may not offer it either; the first secretary may.
    let offer = phone(record, "138").origin(first);
    assert_eq!(
        scene.say(COMMITTEE, offer.clone()),
        refused(codes::refused::NOT_ALLOWED)
    );
    assert_eq!(scene.say(SECRETARY, offer), Fate::Accepted);
    let (user, assignment) = (scene.hand(MEMBER).user, scene.hand(MEMBER).assignment);
    let anew = scene.enrol(user, assignment);
    assert_eq!(scene.say(anew, household().origin(second)), Fate::Accepted);
}

#[test]
fn an_origin_in_another_journal_is_malformed() {
    let mut scene = Scene::new();
    scene.household();
    let elsewhere = Origin {
        journal: JournalId([9; 16]),
        ..scene.last(SECRETARY)
    };
    assert_eq!(
        scene.say(SECRETARY, household().origin(elsewhere)),
        refused(codes::refused::MALFORMED)
    );
}

#[test]
fn what_needs_a_refused_command_is_refused_and_what_needs_an_ineffective_one_is_without_effect() {
    let mut scene = Scene::new();
    let record = scene.household();
    let n = scene.hand(SECRETARY).lane.n;
    let commands = vec![
        phone(RecordId([9; 16]), "138"),
        edit(record, 0, 0, "甲").needs(n + 1),
        edit(record, 0, 0, "乙"),
        edit(record, 0, 0, "丙").needs(n + 3),
        edit(record, 0, 0, "丁").needs(n + 2),
    ];
    let needs = refused(codes::refused::NEEDS);
    let fates = scene.say_all(SECRETARY, commands);
    assert!(fates[0].is_refused());
    assert_eq!(
        fates[1..],
        [needs.clone(), Fate::Accepted, Fate::Accepted, needs.clone()]
    );
    assert_eq!(scene.text(record, "note"), "丙乙");
    // Across batches, and for what had no effect.
    assert_eq!(
        scene.say(SECRETARY, edit(record, 0, 0, "戊").needs(n + 1)),
        needs
    );
    scene.say(MEMBER, act(record, "household", "cancel").because("搬走"));
    let closed = scene.say(SECRETARY, phone(record, "139"));
    assert_eq!(closed, no_effect(codes::no_effect::FIELD_CLOSED));
    let last = scene.hand(SECRETARY).lane.n;
    assert_eq!(
        scene.say(SECRETARY, edit(record, 0, 0, "己").needs(last)),
        no_effect(codes::no_effect::NEEDS)
    );
}

#[test]
fn what_needs_a_command_that_was_received_under_its_origin_stands() {
    let mut scene = Scene::new();
    let record = scene.household();
    let lost = scene.seal(SECRETARY, vec![edit(record, 0, 0, "甲")]);
    let origin = lost.batch.origin(2);
    scene.submit(&lost);
    // The reply was lost; the phone enrols in place and offers it again, with what builds on it.
    let (user, assignment) = (scene.hand(SECRETARY).user, scene.hand(SECRETARY).assignment);
    let anew = scene.enrol(user, assignment);
    let again = vec![
        edit(record, 0, 0, "甲").origin(origin),
        edit(record, 1, 0, "乙").needs(1),
    ];
    assert_eq!(
        scene.say_all(anew, again),
        [refused(codes::refused::ALREADY_RECEIVED), Fate::Accepted]
    );
    assert_eq!(scene.text(record, "note"), "甲乙");
}

#[test]
fn a_need_that_is_not_earlier_is_malformed_and_one_that_never_was_is_refused() {
    let mut scene = Scene::new();
    let record = scene.household();
    let n = scene.hand(SECRETARY).lane.n;
    for later in [n + 1, n + 2, u64::MAX] {
        let draft = phone(record, "138").needs(later.max(scene.hand(SECRETARY).lane.n + 1));
        assert_eq!(
            scene.say(SECRETARY, draft),
            refused(codes::refused::MALFORMED)
        );
    }
    assert_eq!(
        scene.say(SECRETARY, phone(record, "138").needs(0)),
        refused(codes::refused::NEEDS)
    );
}

#[test]
fn receipt_times_and_registry_positions_never_run_backwards() {
    let mut scene = Scene::new();
    let record = scene.household();
    scene.pass_days(-400);
    scene.say(SECRETARY, phone(record, "138"));
    scene.pass_days(800);
    scene.say(SECRETARY, phone(record, "139"));
    let entries = scene.host.entries(scene.village.journal);
    assert!(entries.is_sorted_by_key(|entry| (entry.head.received_at, entry.head.registry.seq)));
    assert!(entries.iter().all(|entry| entry.head.received_at >= NOON));
}

#[test]
fn a_phone_is_never_jammed_by_its_own_outbox() {
    let mut scene = Scene::new();
    let user = scene.hand(MEMBER).user;
    let mut phone = Phone::enrol(&mut scene.host, user, NOON);
    phone.sync(&mut scene.host, NOON).unwrap();
    let journal = scene.village.journal;
    let household = || Intent::create("household").with("householder", Value::text("张三"));
    phone.save(journal, None, household(), NOON).unwrap();
    scene
        .host
        .set_standing(phone.device.id(), Standing::Revoked, "lost", NOON);
    phone.sync_once(&mut scene.host, NOON).unwrap();
    assert_eq!(phone.device.unsent().len(), 0, "it has its answer");
    assert_eq!(
        phone.device.to_answer().len(),
        1,
        "and is asked what to do about it"
    );
    assert_eq!(scene.host.entries(journal).len(), 1);
}

#[test]
fn an_envelope_that_contradicts_its_verb_is_refused() {
    let mut scene = Scene::new();
    let record = scene.household();
    let mut named = phone(record, "138");
    named.named.push("code".to_owned());
    assert!(scene.say(SECRETARY, named).is_refused());
    let mut twice = on(record, "household", Verb::Create);
    twice.action = Some("registered".to_owned());
    assert_eq!(
        scene.say(SECRETARY, twice.with("householder", Value::text("李四"))),
        refused(codes::refused::MALFORMED)
    );
}

#[test]
fn where_a_batch_stands_in_its_lane_is_decided_by_its_first_number() {
    let mut scene = Scene::new();
    let household = scene.household();
    let parts = scene.seal(
        SECRETARY,
        vec![phone(household, "1"), phone(household, "2")],
    );
    let batch = &parts.batch;
    let seen = Some(batch.seen.head);
    let before = |n| LaneEnd {
        n,
        batch: batch.previous,
    };
    let first = batch.first();
    assert_eq!(place(batch, &before(first - 1), seen), Ok(()));
    let gap = Unplaced::Gap {
        expected: first - 1,
    };
    assert_eq!(place(batch, &before(first - 2), seen), Err(gap));
    for n in [first, first + 1, first + 5] {
        let used = Err(Unplaced::Used { first });
        assert_eq!(place(batch, &before(n), seen), used);
    }
    let other = LaneEnd {
        batch: Digest([7; 32]),
        ..before(first - 1)
    };
    assert_eq!(place(batch, &other, seen), Err(Unplaced::Equivocation));
    for elsewhere in [None, Some(Digest([7; 32]))] {
        let forked = Err(Unplaced::Forked);
        // Whatever its number was used for since: it proves nothing against its device.
        for lane in [before(first - 1), before(first), other] {
            assert_eq!(place(batch, &lane, elsewhere), forked);
        }
    }
}

#[test]
fn that_something_was_received_before_is_said_first() {
    let mut scene = Scene::new();
    let record = scene.household();
    scene.say(SECRETARY, phone(record, "138"));
    let origin = scene.last(SECRETARY);
    let already = refused(codes::refused::ALREADY_RECEIVED);
    // Also to somebody who may not offer it.
    assert_eq!(
        scene.say(COMMITTEE, phone(record, "138").origin(origin)),
        already
    );
    let (user, assignment) = (scene.hand(SECRETARY).user, scene.hand(SECRETARY).assignment);
    let anew = scene.enrol(user, assignment);
    let again = vec![
        phone(RecordId([9; 16]), "1"),
        phone(record, "138").origin(origin).needs(1),
    ];
    assert_eq!(
        scene.say_all(anew, again),
        [refused(codes::refused::UNKNOWN_RECORD), already]
    );
}

#[test]
fn what_its_author_offered_in_vain_with_another_phone_is_offered_by_a_named_person() {
    let mut scene = Scene::new();
    let record = scene.household();
    let never_sent = scene.seal(MEMBER, vec![phone(record, "138")]);
    let offer = phone(record, "138").origin(never_sent.batch.origin(1));
    let (user, assignment) = (scene.hand(MEMBER).user, scene.hand(MEMBER).assignment);
    let anew = scene.enrol(user, assignment);
    let device = scene.device(anew);
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", NOON);
    assert_eq!(
        scene.say(anew, offer.clone()),
        refused(codes::refused::DEVICE_REVOKED)
    );
    assert_eq!(scene.say(SECRETARY, offer), Fate::Accepted);
}

#[test]
fn what_counts_in_a_batch_is_taken_for_what_follows_in_it() {
    let mut scene = Scene::new();
    let record = scene.household();
    let last = scene.last(SECRETARY);
    let own = |ahead: u64| Origin {
        n: last.n + ahead,
        ..last
    };
    let commands = vec![
        phone(record, "1"),
        phone(record, "1").origin(own(1)),
        phone(record, "2").origin(own(9)),
        phone(record, "2").origin(own(3)),
    ];
    let already = refused(codes::refused::ALREADY_RECEIVED);
    assert_eq!(
        scene.say_all(SECRETARY, commands),
        [Fate::Accepted, already.clone(), Fate::Accepted, already]
    );
}

#[test]
fn what_is_needed_may_stand_far_back_in_the_lane() {
    let mut scene = Scene::new();
    let record = scene.household();
    assert_eq!(
        scene.say(SECRETARY, edit(record, 0, 0, "甲")),
        Fate::Accepted
    );
    let n = scene.hand(SECRETARY).lane.n;
    for _ in 0..3 {
        let draft = edit(record, 0, 0, "乙").needs(n);
        assert_eq!(scene.say(SECRETARY, draft), Fate::Accepted);
    }
}

#[test]
fn an_entry_is_logged_alike_whether_it_is_kept_or_not() {
    let mut scene = Scene::new();
    let parts = scene.seal(SECRETARY, vec![household(), household()]);
    scene.pass_days(1);
    scene.submit(&parts);
    let entry = scene.host.entries(scene.village.journal)[0].clone();
    let kept: Vec<_> = crate::record::logged(&entry).collect();
    assert_eq!(kept[0].received_at, scene.now);
    assert_eq!(crate::record::into_logged(entry).collect::<Vec<_>>(), kept);
}
