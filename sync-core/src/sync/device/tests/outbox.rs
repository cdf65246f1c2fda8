use super::*;
use crate::admit::codes::refused;
use crate::command::Verb;
use crate::id::{Digest, ItemId};
use crate::limits;
use crate::registry::Standing;
use crate::sync::device::Whereabouts;
use crate::sync::wire::Carried;
use crate::value::Fields;

/// An edit that puts one text in the place of another.
fn anew(visit: RecordId, insert: String) -> Intent {
    let splices = vec![crate::command::Splice {
        at: 0,
        delete: u32::try_from(limits::TEXT_CHARS_MAX).unwrap(),
        insert,
    }];
    let mut intent = Intent::new(super::super::Target::Existing(visit), Verb::Edit);
    intent.edit = Some(("note".to_owned(), splices));
    intent
}

#[test]
fn a_text_is_saved_up_to_its_limit_and_nothing_past_it() {
    let mut scene = Scene::new();
    let (journal, visit) = (scene.journal(), scene.visit(""));
    let full = anew(visit, "字".repeat(limits::TEXT_CHARS_MAX));
    scene.fs.save(journal, None, full, minutes(1)).unwrap();
    let mut more = anew(visit, "多".to_owned());
    if let Some((_, splices)) = &mut more.edit {
        splices[0].delete = 0;
    }
    let past = Fate::Refused(refused::LIMIT.to_owned(), Some("note".to_owned()));
    let refused = scene.fs.save(journal, None, more, minutes(1));
    assert_eq!(refused, Err(CannotSave::WouldNotCount(past)));
    let shorter = anew(visit, "短".to_owned());
    scene.fs.save(journal, None, shorter, minutes(1)).unwrap();
    scene.meet(minutes(2));
    assert!(scene.fates().iter().all(Fate::counts));
}

/// How many commands each batch has that a phone with these saved notes seals.
fn sealed_sizes(scene: &mut Scene, lengths: &[usize]) -> Vec<usize> {
    let (journal, visit) = (scene.journal(), scene.visit(""));
    for length in lengths {
        let insert = "x".repeat(*length);
        let intent = anew(visit, insert);
        scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    }
    let request = scene.fs.request(minutes(2));
    let opened = request.batches.iter().map(|batch| batch.open().unwrap());
    opened.map(|parts| parts.batch.envelopes.len()).collect()
}

#[test]
fn a_batch_takes_so_many_commands() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    for _ in 0..=limits::BATCH_COMMANDS_MAX {
        let intent = Intent::create("visit").link("household", household);
        scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    }
    let request = scene.fs.request(minutes(2));
    let sizes = request
        .batches
        .iter()
        .map(|batch| batch.open().unwrap().batch.envelopes.len());
    let sizes: Vec<usize> = sizes.collect();
    assert_eq!(sizes.iter().sum::<usize>(), limits::BATCH_COMMANDS_MAX + 1);
    assert!(
        sizes.iter().all(|size| *size <= limits::BATCH_COMMANDS_MAX),
        "{sizes:?}"
    );
}

#[test]
fn a_batch_takes_so_many_bytes_and_a_larger_command_goes_alone() {
    // An edit's envelope takes some 130 bytes; the texts alone are measured here.
    let half = limits::BATCH_BYTES_MAX / 4 - 200;
    assert_eq!(
        sealed_sizes(&mut Scene::new(), &[half, half, half, half]),
        [4]
    );
    let half = limits::BATCH_BYTES_MAX / 4;
    assert_eq!(
        sealed_sizes(&mut Scene::new(), &[half, half, half, half]),
        [3, 1]
    );
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let long = Value::text("长".repeat(limits::TEXT_CHARS_MAX));
    let visit = Intent::create("visit")
        .link("household", household)
        .with("note", long);
    for intent in [
        set(household, "group", "二组"),
        visit,
        set(household, "crop", "油菜"),
    ] {
        scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    }
    let request = scene.fs.request(minutes(2));
    let sizes: Vec<usize> = request
        .batches
        .iter()
        .map(|batch| batch.open().unwrap().batch.envelopes.len())
        .collect();
    assert_eq!(sizes, [1, 1, 1]);
    scene.meet(minutes(3));
    assert!(scene.fates().iter().all(Fate::counts));
}

#[test]
fn a_sealed_batch_is_sent_byte_for_byte_until_its_fates_arrive_whatever_happens_to_the_phone() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .fs
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    let first = scene.fs.request(minutes(2));
    for attempt in 0..3 {
        scene.fs.restart();
        scene
            .fs
            .save(
                journal,
                None,
                set(household, "crop", &format!("油菜 {attempt}")),
                minutes(3),
            )
            .unwrap();
        let again = scene.fs.request(minutes(4));
        assert_eq!(
            crate::cbor::encode(&again.batches[0]),
            crate::cbor::encode(&first.batches[0])
        );
        assert_eq!(again.batches.len(), 2 + attempt);
    }
}

#[test]
fn a_lost_reply_changes_nothing_and_nothing_counts_twice() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let saved = scene
        .fs
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    let n = saved.commands[0];
    assert_eq!(
        scene.fs.device.whereabouts(journal, n),
        Some(Whereabouts::Here)
    );
    let request = scene.fs.request(minutes(2));
    let lost = scene.host.sync(&request, scene.fs.device.id(), minutes(2));
    scene.fs.device.line_broke();
    assert_eq!(
        scene.fs.device.whereabouts(journal, n),
        Some(Whereabouts::Sent)
    );
    let entries = scene.host.entries(journal).len();
    let request = scene.fs.request(minutes(3));
    let response = scene.host.sync(&request, scene.fs.device.id(), minutes(3));
    assert_eq!(lost.receipts, response.receipts);
    assert_eq!(scene.host.entries(journal).len(), entries);
    scene.fs.take(&response, minutes(3)).unwrap();
    let received = Whereabouts::Received {
        seq: entries as u64,
        fate: Fate::Accepted,
    };
    assert_eq!(scene.fs.device.whereabouts(journal, n), Some(received));
    assert!(scene.fs.device.unsent().is_empty());
    assert!(!scene.fs.storage.0.keys().any(Key::is_outbox));
}

/// A parcel of so many batches, none of which this phone can read.
fn parcel(scene: &Scene, batches: usize) -> crate::seal::Parcel {
    let sealed = (0..batches).map(|k| k.to_be_bytes().to_vec());
    crate::seal::Parcel::new(scene.host.deployment(), sealed.collect())
}

#[test]
fn a_request_brings_no_more_of_both_than_the_server_takes() {
    let mut scene = Scene::new();
    let parcel = parcel(&scene, limits::REQUEST_BATCHES_MAX);
    scene.tm.storage.carry_out(&scene.tm.device.carry(&parcel));
    let household = Intent::create("household").with("householder", Value::text("张三"));
    let journal = scene.journal();
    scene.tm.save(journal, None, household, NOW).unwrap();
    let request = scene.tm.request(NOW);
    assert_eq!(request.batches.len(), 1);
    assert_eq!(request.carried.len(), limits::REQUEST_BATCHES_MAX - 1);
    scene.tm.sync(&mut scene.host, NOW).unwrap();
    assert_eq!(scene.tm.device.carries(), 0, "the rest goes with the next");
}

#[test]
fn a_carrier_goes_on_while_something_is_taken() {
    let mut scene = Scene::new();
    let parcel = parcel(&scene, limits::REQUEST_BATCHES_MAX + 1);
    scene.tm.storage.carry_out(&scene.tm.device.carry(&parcel));
    for (taken, goes_on) in [(false, false), (true, true)] {
        let request = scene.tm.request(NOW);
        let mut response = scene.host.sync(&request, scene.tm.device.id(), NOW);
        if !taken {
            response.carried.fill(Carried::Busy);
        }
        let learned = scene.tm.take(&response, NOW).unwrap();
        assert_eq!(learned.more, goes_on);
    }
    assert_eq!(scene.tm.device.carries(), 1);
}

#[test]
fn a_teammate_carries_what_he_cannot_read() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .fs
        .save(
            journal,
            None,
            set(household, "crop", "只有服务器读"),
            minutes(1),
        )
        .unwrap();
    scene.fs.seal(minutes(1));
    let parcel = scene
        .fs
        .device
        .export(&mut World {
            now: minutes(1),
            rng: &mut scene.fs.rng,
        })
        .unwrap();
    let bytes = parcel.to_bytes();
    assert!(!bytes.windows(9).any(|window| window == "服务器".as_bytes()));
    let parcel = crate::seal::Parcel::from_bytes(&bytes).unwrap();
    scene.tm.storage.carry_out(&scene.tm.device.carry(&parcel));
    scene.tm.restart();
    assert_eq!(scene.tm.device.carries(), 1);
    scene.tm.sync(&mut scene.host, minutes(2)).unwrap();
    assert_eq!(scene.tm.device.carries(), 0);
    assert!(!scene.tm.storage.0.keys().any(Key::is_outbox));
    assert_eq!(
        held(&scene.tm, journal, household, "crop"),
        ["只有服务器读"]
    );
    let entries = scene.host.entries(journal).len();
    scene.fs.sync(&mut scene.host, minutes(3)).unwrap();
    assert_eq!(
        scene.host.entries(journal).len(),
        entries,
        "his own delivery finds it there"
    );
    assert!(scene.fs.device.unsent().is_empty());
}

#[test]
fn enrolling_in_place_keeps_everything_and_names_where_it_comes_from() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let old = scene.fs.device.id();
    scene
        .fs
        .save(journal, None, set(household, "group", "二组"), minutes(1))
        .unwrap();
    scene.fs.seal(minutes(1));
    let visit = Intent::create("visit")
        .link("household", household)
        .with("checklist", list(&["屋顶", "水管"]));
    let visit = scene.fs.save(journal, None, visit, minutes(2)).unwrap();
    let mut remove = Intent::new(super::super::Target::Existing(visit.record), Verb::Remove);
    let first_item = ItemId::derive(old, journal, visit.commands[0], "checklist", 0);
    remove.removed = Some(("checklist".to_owned(), vec![first_item]));
    scene.fs.save(journal, None, remove, minutes(3)).unwrap();
    let user = scene.fs.device.identity().user;
    scene
        .host
        .set_standing(old, Standing::Suspended, "lost", minutes(4));
    let identity = scene.host.enrol(user, minutes(4));
    scene
        .fs
        .storage
        .carry_out(&scene.fs.device.enrol_in_place(identity.seed));
    let before = portrait(&mut scene.fs);
    scene.fs.restart();
    assert_eq!(portrait(&mut scene.fs), before);
    assert_eq!(scene.fs.device.unsent().get(&journal), Some(&3));
    scene.meet(minutes(5));
    let entry = scene.host.entries(journal).last().unwrap();
    assert_ne!(entry.parts.batch.device, old);
    let origins: Vec<_> = entry
        .parts
        .batch
        .envelopes
        .iter()
        .map(|envelope| envelope.origin)
        .collect();
    let numbers = [2, 3, 4].map(|n| {
        Some(Origin {
            device: old,
            journal,
            n,
        })
    });
    assert_eq!(origins, numbers);
    assert_eq!(entry.head.fates, vec![Fate::Accepted; 3]);
    assert_eq!(held(&scene.tm, journal, household, "group"), ["二组"]);
    assert_eq!(
        held(&scene.tm, journal, visit.record, "checklist").len(),
        1,
        "the item that was taken out is the same"
    );
}

fn list(items: &[&str]) -> Value {
    let item = |item: &&str| {
        let parts = [("item", Value::text(*item)), ("done", Value::Bool(false))];
        Value::Struct(Fields::from_iter(parts))
    };
    Value::List(items.iter().map(item).collect())
}

#[test]
fn a_cloned_phone_finds_out_and_loses_nothing() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene
        .fs
        .save(
            journal,
            None,
            set(household, "phone", "13800000000"),
            minutes(1),
        )
        .unwrap();
    let clone = scene.fs.storage.clone();
    let visit = Intent::create("visit")
        .link("household", household)
        .with("weather", Value::text("雨"));
    let first_visit = scene
        .fs
        .save(journal, None, visit, minutes(1))
        .unwrap()
        .record;
    scene.meet(minutes(2));
    scene.fs.storage = clone;
    scene.fs.restart();
    let visit = Intent::create("visit")
        .link("household", household)
        .with("weather", Value::text("晴"));
    let visit = scene
        .fs
        .save(journal, None, visit, minutes(3))
        .unwrap()
        .record;
    assert_eq!(visit, first_visit, "both are made under one number");
    scene
        .fs
        .save(journal, None, set(visit, "met", "户主"), minutes(4))
        .unwrap();
    let forked = scene.fs.sync(&mut scene.host, minutes(5)).unwrap();
    assert!(
        forked.enrol_again,
        "another batch under a used number, and one that the phone does not have"
    );
    let user = scene.fs.device.identity().user;
    let identity = scene.host.enrol(user, minutes(6));
    scene
        .fs
        .storage
        .carry_out(&scene.fs.device.enrol_in_place(identity.seed));
    scene.fs.seal(minutes(6));
    scene.fs.restart();
    scene.fs.seal(minutes(6));
    assert!(
        !scene.fs.storage.0.keys().any(Key::is_outbox),
        "nothing is sealed before the journal was pulled"
    );
    scene.meet(minutes(7));
    let records = scene.tm.device.records(journal);
    assert_eq!(records.len(), 3, "the household, and a visit of each phone");
    let visit = records
        .into_iter()
        .find(|record| ![household, first_visit].contains(record))
        .unwrap();
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(held(phone, journal, household, "phone"), ["13800000000"]);
        assert_eq!(held(phone, journal, first_visit, "weather"), ["雨"]);
        assert_eq!(held(phone, journal, visit, "weather"), ["晴"]);
        assert_eq!(held(phone, journal, visit, "met"), ["户主"]);
    }
    assert!(scene.fs.device.unsent().is_empty() && scene.fs.device.to_answer().is_empty());
    assert_eq!(
        scene.fates(),
        vec![Fate::Accepted; 5],
        "what both had was delivered once"
    );
}

#[test]
fn a_request_is_bounded_and_the_rest_follows() {
    let mut scene = Scene::new();
    let journal = scene.journal();
    let household = scene.household("张三");
    let mut rng = crate::testing::TestRng::new(3);
    // Texts that do not compress: each some 40 KiB on the wire.
    for _ in 0..9 {
        let note: String = (0..limits::TEXT_CHARS_MAX)
            .filter_map(|_| char::from_u32(0x4E00 + u32::from_be_bytes(rng.bytes()) % 0x5000))
            .collect();
        let intent = Intent::create("visit")
            .link("household", household)
            .with("note", Value::text(note));
        scene.fs.save(journal, None, intent, minutes(1)).unwrap();
    }
    let request = scene.fs.request(minutes(2));
    let bytes: usize = request
        .batches
        .iter()
        .map(crate::batch::WireBatch::packed_bytes)
        .sum();
    assert!(
        bytes <= limits::REQUEST_BYTES_MAX / 16 && request.batches.len() > 1,
        "{bytes}"
    );
    scene.fs.sync(&mut scene.host, minutes(3)).unwrap();
    assert!(scene.fs.device.unsent().is_empty());
    assert_eq!(scene.fates().len(), 10);
}

#[test]
fn a_page_is_halved_when_the_line_breaks_and_doubled_when_it_holds() {
    let mut scene = Scene::new();
    let budget = |phone: &mut Phone| phone.device.request().budget_bytes as usize;
    scene.fs.restart();
    assert_eq!(budget(&mut scene.fs), limits::PAGE_BYTES_START);
    for _ in 0..10 {
        scene.fs.sync(&mut scene.host, NOW).unwrap();
    }
    assert_eq!(budget(&mut scene.fs), limits::PAGE_BYTES_MAX);
    scene.fs.device.line_broke();
    assert_eq!(budget(&mut scene.fs), limits::PAGE_BYTES_MAX / 2);
    (0..20).for_each(|_| scene.fs.device.line_broke());
    assert_eq!(budget(&mut scene.fs), limits::PAGE_BYTES_MIN);
}

#[test]
fn a_lane_continues_where_the_journal_says_after_a_restart() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    for round in 0..3 {
        scene.fs.restart();
        let saved = scene
            .fs
            .save(
                journal,
                None,
                set(household, "crop", &format!("{round}")),
                minutes(round),
            )
            .unwrap();
        assert_eq!(saved.commands, [u64::try_from(round).unwrap() + 2]);
        scene.meet(minutes(round));
    }
    assert!(scene.fates().iter().all(|fate| *fate == Fate::Accepted));
    let lanes = &scene.host.journal(journal).unwrap().lanes;
    assert!(lanes.values().all(|end| end.batch != Digest([0; 32])));
}
