use super::*;
use crate::admit::codes::{no_effect, refused};
use crate::registry::Standing;
use crate::sync::device::{Target, Whereabouts};
use crate::text;
use crate::view::Shown;

/// A task handed to both, which both report unseen by each other: the second is without effect.
fn superseded(scene: &mut Scene) -> RecordId {
    let journal = scene.journal();
    let both = [&scene.fs, &scene.tm].map(|phone| RecordId(phone.device.identity().user.0));
    let task = both.into_iter().fold(Intent::create("task"), |task, user| {
        task.link("assignees", user)
    });
    let task = task.with("title", Value::text("修水管"));
    let task = scene.fs.save(journal, None, task, NOW).unwrap().record;
    scene.meet(NOW);
    let report = |result: &str| Intent::act(task, "report").with("result", Value::text(result));
    scene
        .tm
        .save(journal, None, report("已修"), minutes(1))
        .unwrap();
    scene
        .fs
        .save(journal, None, report("没修好"), minutes(1))
        .unwrap();
    scene.tm.sync(&mut scene.host, minutes(2)).unwrap();
    scene.meet(minutes(3));
    task
}

#[test]
fn a_late_action_is_kept_shown_and_asked_about_until_it_is_answered() {
    let mut scene = Scene::new();
    let task = superseded(&mut scene);
    let journal = scene.journal();
    let unanswered = scene.fs.device.to_answer();
    let [late] = unanswered.as_slice() else {
        panic!("{unanswered:?}")
    };
    assert_eq!(late.fate, Fate::NoEffect(no_effect::SUPERSEDED.to_owned()));
    assert_eq!(late.envelope.record, task);
    assert!(scene.tm.device.to_answer().is_empty());
    assert_eq!(held(&scene.fs, journal, task, "result"), ["已修"]);
    let origin = late.origin;
    scene
        .fs
        .storage
        .carry_out(&scene.fs.device.leave_aside(origin));
    scene.fs.restart();
    assert!(scene.fs.device.to_answer().is_empty());
    let record = scene.fs.device.record(journal, task).unwrap();
    assert!(
        record.steps.iter().any(|step| !step.fate.counts()),
        "the timeline keeps it"
    );
}

#[test]
fn what_was_late_is_offered_again_once_it_can_count() {
    let mut scene = Scene::new();
    let task = superseded(&mut scene);
    let journal = scene.journal();
    let origin = scene.fs.device.to_answer()[0].origin;
    let again = scene.fs.device.offer_again(
        &mut World {
            now: minutes(4),
            rng: &mut scene.fs.rng,
        },
        origin,
    );
    assert_eq!(
        again,
        Err(CannotSave::WouldNotCount(Fate::NoEffect(
            no_effect::WRONG_STATE.to_owned()
        )))
    );
    let back = Intent::act(task, "return").because("再看看");
    scene.fs.save(journal, None, back, minutes(5)).unwrap();
    let saved = scene
        .fs
        .device
        .offer_again(
            &mut World {
                now: minutes(6),
                rng: &mut scene.fs.rng,
            },
            origin,
        )
        .unwrap();
    scene.fs.storage.carry_out(&saved.effects);
    assert!(
        scene.fs.device.to_answer().is_empty(),
        "it is on its way again"
    );
    scene.meet(minutes(7));
    assert_eq!(scene.fates().last(), Some(&Fate::Accepted));
    assert_eq!(held(&scene.tm, journal, task, "result"), ["没修好"]);
    assert!(scene.fs.device.to_answer().is_empty());
    let twice = scene.fs.device.offer_again(
        &mut World {
            now: minutes(8),
            rng: &mut scene.fs.rng,
        },
        origin,
    );
    assert_eq!(
        twice,
        Err(CannotSave::WouldNotCount(Fate::Refused(
            refused::ALREADY_RECEIVED.to_owned(),
            None
        )))
    );
}

#[test]
fn work_of_a_suspended_phone_comes_back_to_its_author_and_counts_when_he_offers_it_again() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let old = scene.tm.device.id();
    scene
        .tm
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene
        .host
        .set_standing(old, Standing::Suspended, "lost", minutes(2));
    let learned = scene.tm.sync(&mut scene.host, minutes(3)).unwrap();
    assert!(learned.enrol_again);
    assert!(matches!(
        scene.tm.device.whereabouts(journal, 1),
        Some(Whereabouts::Received { .. })
    ));
    let user = scene.tm.device.identity().user;
    let identity = scene.host.enrol(user, minutes(4));
    scene
        .tm
        .storage
        .carry_out(&scene.tm.device.enrol_in_place(identity.seed));
    scene.meet(minutes(5));
    scene.tm.restart();
    let unanswered = scene.tm.device.to_answer();
    assert_eq!(unanswered.len(), 1);
    assert_eq!(
        unanswered[0].fate,
        Fate::Refused(refused::DEVICE_SUSPENDED.to_owned(), None)
    );
    let now = minutes(6);
    let saved = scene
        .tm
        .device
        .offer_again(
            &mut World {
                now,
                rng: &mut scene.tm.rng,
            },
            unanswered[0].origin,
        )
        .unwrap();
    scene.tm.storage.carry_out(&saved.effects);
    scene.meet(minutes(7));
    assert_eq!(held(&scene.fs, journal, household, "group"), ["二组"]);
    assert!(scene.tm.device.to_answer().is_empty());
}

#[test]
fn who_may_read_what_was_refused_signs_for_a_teammate_and_nobody_else_does() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .tm
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene
        .host
        .set_standing(scene.tm.device.id(), Standing::Revoked, "lost", minutes(2));
    scene.tm.sync(&mut scene.host, minutes(3)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(3)).unwrap();
    assert!(scene.fs.device.to_answer().is_empty());
    let others = scene.fs.device.to_answer_for_others();
    assert_eq!(others.len(), 1);
    let now = minutes(4);
    let saved = scene
        .fs
        .device
        .offer_again(
            &mut World {
                now,
                rng: &mut scene.fs.rng,
            },
            others[0].origin,
        )
        .unwrap();
    scene.fs.storage.carry_out(&saved.effects);
    scene.fs.sync(&mut scene.host, minutes(5)).unwrap();
    assert_eq!(scene.fates().last(), Some(&Fate::Accepted));
    assert_eq!(held(&scene.fs, journal, household, "group"), ["二组"]);
    assert!(scene.fs.device.to_answer_for_others().is_empty());
}

fn edit(phone: &mut Phone, journal: JournalId, visit: RecordId, after: &str, now: Timestamp) {
    let before = held(phone, journal, visit, "note").concat();
    let mut intent = Intent::new(Target::Existing(visit), crate::command::Verb::Edit);
    intent.edit = Some((
        "note".to_owned(),
        text::difference(&before, after).into_iter().collect(),
    ));
    phone.save(journal, None, intent, now).unwrap();
}

#[test]
fn a_text_edit_offered_again_is_a_fresh_edit_of_the_text_as_it_stands() {
    let mut scene = Scene::new();
    let (journal, visit) = (scene.journal(), scene.visit("房屋有裂缝。"));
    edit(
        &mut scene.tm,
        journal,
        visit,
        "房屋有裂缝，北墙两道。",
        minutes(1),
    );
    edit(
        &mut scene.tm,
        journal,
        visit,
        "房屋有裂缝，北墙两道，须修。",
        minutes(2),
    );
    scene.host.set_standing(
        scene.tm.device.id(),
        Standing::Suspended,
        "lost",
        minutes(3),
    );
    scene.tm.sync(&mut scene.host, minutes(3)).unwrap();
    edit(
        &mut scene.fs,
        journal,
        visit,
        "三组：房屋有裂缝。",
        minutes(4),
    );
    scene.fs.sync(&mut scene.host, minutes(4)).unwrap();
    let user = scene.tm.device.identity().user;
    let identity = scene.host.enrol(user, minutes(5));
    scene
        .tm
        .storage
        .carry_out(&scene.tm.device.enrol_in_place(identity.seed));
    scene.meet(minutes(5));
    assert_eq!(
        held(&scene.tm, journal, visit, "note"),
        ["三组：房屋有裂缝。"]
    );
    let origins: Vec<Origin> = scene
        .tm
        .device
        .to_answer()
        .iter()
        .map(|command| command.origin)
        .collect();
    assert_eq!(origins.len(), 2);
    for origin in origins {
        let saved = scene
            .tm
            .device
            .offer_again(
                &mut World {
                    now: minutes(6),
                    rng: &mut scene.tm.rng,
                },
                origin,
            )
            .unwrap();
        scene.tm.storage.carry_out(&saved.effects);
    }
    scene.meet(minutes(7));
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(
            held(phone, journal, visit, "note"),
            ["三组：房屋有裂缝，北墙两道，须修。"]
        );
    }
}

#[test]
fn a_phone_out_of_use_shows_what_its_person_wrote_and_nothing_else_until_it_is_taken_again() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let now = minutes(2);
    let shown = |phone: &Phone| {
        let view = phone.device.view(journal, household, now).unwrap();
        matches!(view.fields["householder"], Shown::Value(_))
    };
    assert!(shown(&scene.tm), "a teammate's record");
    let effects = scene.tm.device.put_out_of_use();
    scene.tm.storage.carry_out(&effects);
    assert!(!shown(&scene.tm));
    assert!(shown(&scene.fs), "his own");
    scene.tm.restart();
    assert!(!shown(&scene.tm), "a restart changes nothing");
    scene.tm.sync(&mut scene.host, now).unwrap();
    assert!(shown(&scene.tm));
    scene.tm.restart();
    assert!(shown(&scene.tm));
}
