use super::*;
use crate::admit::codes::{flag, no_effect, refused};
use crate::check_code;
use crate::command::{Audience, Verb};
use crate::month::Month;
use crate::sync::device::{Effect, Target};
use crate::text::splices;
use crate::view::Shown;

#[test]
fn an_open_form_pins_what_its_person_was_looking_at() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let form = scene.fs.device.open_form(journal, Some(household));
    scene
        .tm
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene.meet(minutes(2));
    scene
        .fs
        .save(
            journal,
            Some(form),
            set(household, "group", "三组"),
            minutes(3),
        )
        .unwrap();
    scene.meet(minutes(4));
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(held(phone, journal, household, "group"), ["二组", "三组"]);
    }
    let reused = scene.fs.save(
        journal,
        Some(form),
        set(household, "group", "四组"),
        minutes(5),
    );
    assert_eq!(reused, Err(CannotSave::FormClosed));
}

#[test]
fn without_a_form_what_is_shown_now_is_what_was_seen() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .tm
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene.meet(minutes(2));
    scene
        .fs
        .save(journal, None, set(household, "group", "三组"), minutes(3))
        .unwrap();
    scene.meet(minutes(4));
    assert_eq!(held(&scene.tm, journal, household, "group"), ["三组"]);
}

#[test]
fn another_save_repins_an_open_form_and_shows_what_changed_under_it() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let form = scene.fs.device.open_form(journal, Some(household));
    let elsewhere = scene.fs.device.open_form(journal, None);
    scene
        .tm
        .save(
            journal,
            None,
            set(household, "phone", "13800000000"),
            minutes(1),
        )
        .unwrap();
    scene.meet(minutes(2));
    let saved = scene
        .fs
        .save(journal, None, set(household, "crop", "油菜"), minutes(3))
        .unwrap();
    let repinned = Effect::Repinned(form, vec!["crop".to_owned(), "phone".to_owned()]);
    assert!(saved.effects.contains(&repinned), "{:?}", saved.effects);
    let end = scene.fs.device.position(journal).unwrap().seq;
    assert_eq!(scene.fs.device.form(form).unwrap().base, end);
    assert!(scene.fs.device.form(elsewhere).unwrap().base < end);
}

#[test]
fn a_field_in_conflict_is_written_only_through_its_chooser() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .fs
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene
        .tm
        .save(journal, None, set(household, "group", "三组"), minutes(1))
        .unwrap();
    scene.meet(minutes(2));
    let blind = scene
        .fs
        .save(journal, None, set(household, "group", "四组"), minutes(3));
    assert_eq!(blind, Err(CannotSave::InConflict("group".to_owned())));
    scene
        .fs
        .save(journal, None, set(household, "crop", "油菜"), minutes(3))
        .expect("another field is open");
    let choice = Intent {
        chooses: true,
        ..set(household, "group", "三组")
    };
    scene.fs.save(journal, None, choice, minutes(4)).unwrap();
    scene.meet(minutes(5));
    assert_eq!(held(&scene.tm, journal, household, "group"), ["三组"]);
}

#[test]
fn what_would_be_refused_is_not_saved() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let before = (portrait(&mut scene.fs), scene.fs.storage.clone());
    let form = scene.fs.device.open_form(journal, Some(household));
    let cases = [
        (
            Intent::create("household"),
            refused_for("required", "householder"),
        ),
        (
            set(household, "nonsense", "1"),
            refused_for("unknown_field", "nonsense"),
        ),
        (set(household, "crop", " "), refused_for("empty", "crop")),
        (Intent::create("review"), refused_for("required", "target")),
        (
            Intent::set(household).with("tags", Value::List(Vec::new())),
            refused_for("wrong_verb", "tags"),
        ),
        (
            Intent::act(household, "pause"),
            refused_for("required", "paused_until"),
        ),
    ];
    for (intent, expected) in cases {
        match scene.fs.save(journal, None, intent, minutes(1)) {
            Err(CannotSave::WouldNotCount(Fate::Refused(code, field))) => {
                assert_eq!((code, field), expected);
            }
            other => panic!("{other:?}"),
        }
    }
    let rejected = scene
        .fs
        .save(journal, Some(form), set(household, "group", ""), minutes(1));
    assert_eq!(
        rejected,
        Err(CannotSave::WouldNotCount(Fate::Refused(
            "empty".to_owned(),
            Some("group".to_owned())
        )))
    );
    assert!(
        scene.fs.device.form(form).is_some(),
        "the form is as it was"
    );
    assert_eq!(before, (portrait(&mut scene.fs), scene.fs.storage.clone()));
}

fn refused_for(code: &str, field: &str) -> (String, Option<String>) {
    (code.to_owned(), Some(field.to_owned()))
}

#[test]
fn what_would_be_without_effect_is_not_saved() {
    let mut scene = Scene::new();
    let (journal, visit) = (scene.journal(), scene.visit("已通水"));
    scene
        .fs
        .save(journal, None, Intent::act(visit, "file"), minutes(1))
        .unwrap();
    let late = scene
        .fs
        .save(journal, None, set(visit, "weather", "晴"), minutes(2));
    assert_eq!(
        late,
        Err(CannotSave::WouldNotCount(Fate::NoEffect(
            no_effect::FILED.to_owned()
        )))
    );
    let amend = Intent {
        verb: crate::command::Verb::Amend,
        ..set(visit, "weather", "晴").because("漏记")
    };
    scene.fs.save(journal, None, amend, minutes(2)).unwrap();
    scene.meet(minutes(3));
    assert_eq!(held(&scene.tm, journal, visit, "weather"), ["晴"]);
}

#[test]
fn one_form_with_fields_for_two_audiences_becomes_two_commands_that_stand_or_fall_together() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let intent = Intent::create("visit").link("household", household);
    let intent = intent
        .with("weather", Value::text("晴"))
        .with("illness", Value::text("高血压"));
    let saved = scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    assert_eq!(
        (saved.commands.len(), saved.predicted),
        (2, vec![Fate::Accepted; 2])
    );
    scene.meet(minutes(2));
    let entry = scene.host.entries(journal).last().unwrap();
    let envelopes = &entry.parts.batch.envelopes;
    assert_eq!(envelopes[1].needs, Some(envelopes[0].n));
    assert_eq!(entry.head.fates, vec![Fate::Accepted; 2]);
    assert_eq!(
        held(&scene.tm, journal, saved.record, "illness"),
        ["高血压"]
    );
}

#[test]
fn a_wrong_clock_leaves_its_user_recording() {
    for days in [-400, 400] {
        let mut scene = Scene::new();
        let then = NOW.plus_ms(days * 86_400_000);
        let (journal, household) = (scene.journal(), scene.household("张三"));
        scene
            .fs
            .save(journal, None, set(household, "group", "二组"), then)
            .unwrap();
        let request = scene.fs.request(then);
        let response = scene.host.sync(&request, scene.fs.device.id(), minutes(1));
        scene.fs.take(&response, then).unwrap();
        assert!(scene.fates().last().unwrap().counts(), "{days} days");
        assert_eq!(held(&scene.fs, journal, household, "group"), ["二组"]);
    }
}

#[test]
fn what_is_written_after_an_assignment_ended_is_saved_and_refused_by_the_server_alone() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let user = scene.fs.device.identity().user;
    let (assignment, _) = scene
        .host
        .registry()
        .assignments_of(user, NOW.date())
        .next()
        .unwrap();
    scene
        .host
        .end_assignment(assignment, NOW.date(), false, NOW);
    scene.fs.sync(&mut scene.host, NOW).unwrap();
    let tomorrow = NOW.plus_ms(86_400_000);
    let saved = scene
        .fs
        .save(journal, None, set(household, "group", "二组"), tomorrow)
        .unwrap();
    let ended = Fate::Refused(refused::ENDED.to_owned(), None);
    assert_eq!(saved.predicted, vec![ended.clone()]);
    let request = scene.fs.request(tomorrow);
    scene.host.sync(&request, scene.fs.device.id(), tomorrow);
    assert_eq!(scene.fates().last(), Some(&ended));
}

#[test]
fn what_was_saved_under_two_assignments_is_sealed_under_both() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let user = scene.fs.device.identity().user;
    let (before, _) = scene
        .host
        .registry()
        .assignments_of(user, NOW.date())
        .next()
        .unwrap();
    scene
        .fs
        .save(journal, None, set(household, "group", "二组"), NOW)
        .unwrap();
    scene.host.end_assignment(before, NOW.date(), false, NOW);
    let tomorrow = NOW.plus_ms(86_400_000);
    let after = scene
        .host
        .assign(user, "TM", scene.village.area, tomorrow.date(), None, NOW);
    let request = SyncOnly::registry(&mut scene, tomorrow);
    assert_eq!(request, 0, "nothing was sealed yet");
    scene
        .fs
        .save(journal, None, set(household, "crop", "油菜"), tomorrow)
        .unwrap();
    let request = scene.fs.request(tomorrow);
    let under: Vec<_> = request
        .batches
        .iter()
        .map(|batch| batch.assignment)
        .collect();
    assert_eq!(under, [before, after]);
}

/// A sync that sends nothing.
struct SyncOnly;

impl SyncOnly {
    fn registry(scene: &mut Scene, now: Timestamp) -> usize {
        let request = scene.fs.device.request();
        let response = scene.host.sync(&request, scene.fs.device.id(), now);
        scene.fs.take(&response, now).unwrap();
        request.batches.len()
    }
}

#[test]
fn after_the_lease_only_own_work_is_shown() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .tm
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene.meet(minutes(2));
    scene
        .fs
        .save(journal, None, set(household, "crop", "油菜"), minutes(3))
        .unwrap();
    let lease = crate::limits::LEASE_MS;
    let shown = |now: Timestamp| {
        let view = scene.fs.device.view(journal, household, now).unwrap();
        let readable = |field: &str| view.value(field).is_some();
        ["householder", "crop", "group"].map(readable)
    };
    assert_eq!(shown(minutes(2).plus_ms(lease)), [true; 3]);
    assert_eq!(shown(minutes(2).plus_ms(lease + 1)), [true, true, false]);
}

#[test]
fn a_phone_knows_beforehand_what_comes_after_a_months_close() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let user = scene.host.add_user("张乡长", NOW);
    let (township, since) = (scene.host.township(), NOW.date().plus_days(-100));
    scene.host.assign(user, "TW", township, since, None, NOW);
    let month = Month::at(NOW).unwrap();
    let later = NOW.plus_ms(35 * 86_400_000);
    let mut office = Phone::enrol(&mut scene.host, user, NOW);
    office.sync(&mut scene.host, NOW).unwrap();
    let early = office.save(journal, None, Intent::seal(month), NOW);
    let not_over = Fate::Refused(refused::MONTH_NOT_OVER.to_owned(), None);
    assert_eq!(early, Err(CannotSave::WouldNotCount(not_over)));
    let closed = office
        .save(journal, None, Intent::seal(month), later)
        .unwrap();
    assert_eq!(closed.record, month.record(journal));
    let twice = office.save(journal, None, Intent::seal(month), later);
    let sealed = Fate::NoEffect(no_effect::SEALED.to_owned());
    assert_eq!(twice, Err(CannotSave::WouldNotCount(sealed)));
    office.sync(&mut scene.host, later).unwrap();

    // The phone has the month's close, and a clock that stayed behind.
    scene.fs.sync(&mut scene.host, later).unwrap();
    let saved = scene
        .fs
        .save(journal, None, set(household, "group", "二组"), NOW)
        .unwrap();
    let marked = Fate::Flagged(vec![flag::CLOCK.to_owned(), flag::AFTER_SEAL.to_owned()]);
    assert_eq!(saved.predicted, core::slice::from_ref(&marked));
    scene.fs.sync(&mut scene.host, later).unwrap();
    assert_eq!(scene.fates().last(), Some(&marked));
    let record = scene.fs.device.record(journal, household).unwrap();
    assert!(record.is_flagged());
}

#[test]
fn what_is_sensitive_in_the_teams_own_record_is_the_teams() {
    let mut scene = Scene::new();
    let since = NOW.date().plus_days(-100);
    let committee = scene.host.add_user("李主任", NOW);
    (scene.host).assign(committee, "VC", scene.village.area, since, None, NOW);
    let mut committee = Phone::enrol(&mut scene.host, committee, NOW);
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let visit = |audience: Audience| {
        let target = Target::New {
            kind: "visit".to_owned(),
            audience: Some(audience),
        };
        Intent::new(target, Verb::Create)
            .link("household", household)
            .with("illness", Value::text("高血压"))
    };
    for (audience, the_village_reads) in [(Audience::Team, false), (Audience::Village, true)] {
        let saved = scene
            .fs
            .save(journal, None, visit(audience), minutes(1))
            .unwrap();
        scene.meet(minutes(2));
        committee.sync(&mut scene.host, minutes(2)).unwrap();
        let read = |phone: &Phone| {
            let view = phone.device.view(journal, saved.record, minutes(3));
            view.is_some_and(|view| view.value("illness").is_some())
        };
        assert!(read(&scene.tm), "{audience:?}: the team reads it");
        assert_eq!(read(&committee), the_village_reads, "{audience:?}");
    }
}

#[test]
fn what_is_saved_together_is_saved_whole_or_not_at_all() {
    let mut scene = Scene::new();
    let visit = scene.visit("水压小");
    let journal = scene.journal();
    let edit = |before: &str, after: &str| {
        let mut edit = Intent::new(Target::Existing(visit), Verb::Edit);
        edit.edit = Some(("note".to_owned(), splices(before, after)));
        edit
    };
    let form = scene.fs.device.open_form(journal, Some(visit));
    let base = scene.fs.device.form(form).map(|form| form.base);
    // A teammate writes meanwhile; what is saved stands on what the form shows all the same.
    let said = set(visit, "weather", "晴");
    scene.tm.save(journal, None, said, minutes(1)).unwrap();
    scene.tm.sync(&mut scene.host, minutes(1)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(1)).unwrap();
    let other = scene.fs.device.open_form(journal, Some(visit));
    let before = scene.fs.device.form(other);

    let too_many = set(visit, "minutes", "no number");
    let all = [set(visit, "crop", "胡麻"), too_many];
    let mut rng = crate::testing::TestRng::new(1);
    let mut world = World {
        now: minutes(2),
        rng: &mut rng,
    };
    let device = &mut scene.fs.device;
    let cannot = device.save_all(&mut world, journal, Some(form), &all);
    assert!(matches!(cannot, Err(CannotSave::WouldNotCount(_))));
    assert_eq!(device.unsent().len(), 0);
    assert_eq!(device.form(form).map(|form| form.base), base);
    assert_eq!(device.form(other), before);

    let all = [
        set(visit, "crop", "胡麻"),
        edit("水压小", "北屋水压小"),
        edit("北屋水压小", "北屋水压正常"),
    ];
    let saved = device
        .save_all(&mut world, journal, Some(form), &all)
        .unwrap();
    assert_eq!(saved.commands.len(), 3);
    let persists = saved
        .effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Persist(_)));
    assert_eq!(persists.count(), 1, "durable together");
    let waiting = device.outbox();
    let bases: Vec<_> = waiting.iter().map(|one| Some(one.envelope.base)).collect();
    assert_eq!(bases, [base; 3]);
    assert!(waiting.iter().all(|one| !one.sealed && one.bytes > 0));
    assert!(device.outbox_bytes() > 0);
    assert_eq!(device.form(form), None);
    assert_eq!(held(&scene.fs, journal, visit, "note"), ["北屋水压正常"]);
    scene.meet(minutes(3));
    assert_eq!(held(&scene.tm, journal, visit, "note"), ["北屋水压正常"]);
    assert_eq!(held(&scene.tm, journal, visit, "weather"), ["晴"]);
    assert_eq!(scene.fs.device.outbox(), []);
}

#[test]
fn a_new_record_brings_items_of_another_audience_with_it() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let file = |byte: u8| Value::Bytes(vec![byte; 32]);
    let intent = Intent::create("visit")
        .link("household", household)
        .with("illness", Value::text("高血压"))
        .with("photos", Value::List(vec![file(1), file(2)]))
        .with("voice", Value::List(vec![file(3)]));
    let saved = scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    assert_eq!(saved.commands.len(), 4);
    assert!(saved.predicted.iter().all(Fate::counts));
    scene.meet(minutes(2));
    for phone in [&scene.fs, &scene.tm] {
        let view = phone
            .device
            .view(journal, saved.record, minutes(3))
            .unwrap();
        let count = |field: &str| match view.fields.get(field) {
            Some(Shown::Items(items)) => items.len(),
            other => panic!("{field}: {other:?}"),
        };
        assert_eq!([count("photos"), count("voice")], [2, 1]);
        assert!(view.value("illness").is_some());
    }
}

#[test]
fn what_one_save_makes_it_may_act_on() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let visit = Intent::create("visit").link("household", household);
    let file = Intent {
        action: Some("file".to_owned()),
        ..Intent::new(Target::Made, Verb::Act)
    };
    let both = [visit, file.clone()];
    let Phone { device, rng, .. } = &mut scene.fs;
    let mut world = World {
        now: minutes(1),
        rng,
    };
    let saved = device.save_all(&mut world, journal, None, &both).unwrap();
    scene.meet(minutes(2));
    let view = scene.tm.device.view(journal, saved.record, minutes(3));
    assert_eq!(view.unwrap().state.as_deref(), Some("filed"));
    let alone = scene.fs.save(journal, None, file, minutes(4));
    assert_eq!(alone, Err(CannotSave::UnknownRecord));
}

#[test]
fn a_form_outlives_a_write_that_failed_with_what_it_was_opened_on() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let form = scene.tm.device.open_form(journal, Some(household));
    let opened_on = scene.tm.device.form(form).unwrap();
    scene
        .fs
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene.meet(minutes(2));

    let loaded = scene.tm.loaded();
    let before = core::mem::replace(&mut scene.tm.device, loaded);
    assert_eq!(scene.tm.device.form(form), None);
    scene.tm.device.keep_forms_of(&before);
    assert_eq!(scene.tm.device.form(form), Some(opened_on));
    let next = scene.tm.device.open_form(journal, None);
    assert_ne!(next, form, "numbers are not given twice");
    // A save that fails leaves the form as it was, too.
    let third = set(household, "group", "三组");
    let mut world = World {
        now: minutes(3),
        rng: &mut scene.tm.rng,
    };
    let device = &mut scene.tm.device;
    let lost = device.save(&mut world, journal, Some(form), third.clone());
    assert!(lost.is_ok());
    let loaded = scene.tm.loaded();
    let before = core::mem::replace(&mut scene.tm.device, loaded);
    scene.tm.device.keep_forms_of(&before);
    scene
        .tm
        .save(journal, Some(form), third, minutes(3))
        .unwrap();
    scene.meet(minutes(4));
    assert_eq!(
        held(&scene.fs, journal, household, "group"),
        ["二组", "三组"],
        "he had not seen what came meanwhile"
    );
}

#[test]
fn a_check_code_goes_with_what_it_is_of_and_is_as_sensitive_as_the_record() {
    let number = "11010519491231002X";
    let born: crate::id::Date = "1949-12-31".parse().unwrap();
    for (audience, read_by_the_county) in [(Audience::Village, true), (Audience::Sensitive, false)]
    {
        let mut scene = Scene::new();
        let household = Intent::create("household").with("householder", Value::text("张三"));
        let household = scene.fs.save(scene.village.journal, None, household, NOW);
        let target = Target::New {
            kind: "person".to_owned(),
            audience: Some(audience),
        };
        let person = Intent::new(target, Verb::Create)
            .with("name", Value::text("张小妹"))
            .with("id_number", Value::text(number))
            .with("born", Value::Int(i64::from(born.0)))
            .link("household", household.unwrap().record);
        let person = scene.fs.save(scene.village.journal, None, person, NOW);
        let person = person.unwrap().record;
        scene.fs.sync(&mut scene.host, NOW).unwrap();
        let county = scene.host.add_user("田督导", NOW);
        let (area, since) = (scene.host.county(), NOW.date().plus_days(-100));
        scene.host.assign(county, "CS", area, since, None, NOW);
        let mut county = Phone::enrol(&mut scene.host, county, NOW);
        county.sync(&mut scene.host, NOW).unwrap();
        let record = county.device.record(scene.village.journal, person).unwrap();
        let code = check_code::of_number(scene.host.deployment(), number).unwrap();
        let day = check_code::of_day(scene.host.deployment(), born);
        for (field, code) in [("id_check", code), ("born_check", day)] {
            let shown = match record.fields.get(field) {
                Some(Slot::Register(held)) => held.first().map(|held| held.value.clone()),
                _ => None,
            };
            let expected = read_by_the_county.then_some(Value::Text(code));
            assert_eq!(shown, expected, "{field}");
        }
        for field in ["id_number", "born"] {
            let kept = record.fields.get(field);
            let is_withheld = kept.is_none_or(|slot| *slot == Slot::Withheld);
            assert!(is_withheld, "{audience:?} {field}");
        }
        let clear = Intent::set(person).with("id_number", Value::Null);
        let cleared = scene.fs.save(scene.village.journal, None, clear, NOW);
        cleared.unwrap();
        let record = scene
            .fs
            .device
            .record(scene.village.journal, person)
            .unwrap();
        let Some(Slot::Register(held)) = record.fields.get("id_check") else {
            panic!("the village reads it");
        };
        assert_eq!(held[0].value, Value::Null);
    }
}
