use proptest::prelude::*;

use super::*;
use crate::catalog::Catalogue;
use crate::registry::Standing;

/// Whether a text stands anywhere in what a phone keeps.
fn keeps(phone: &Phone, text: &str) -> bool {
    phone.storage.0.iter().any(|(key, bytes)| match key {
        Key::Entry(..) => {
            let entry: Kept = crate::cbor::decode(bytes).unwrap();
            let entry = entry.open().unwrap();
            let contents = entry.parts.contents.iter().flatten();
            let mut contents = contents.map(|salted| salted.content.to_cbor());
            contents.any(|bytes| contains(&bytes, text))
        }
        Key::Sealed(..) => {
            let batch: crate::batch::WireBatch = crate::cbor::decode(bytes).unwrap();
            let contents = batch.open().unwrap().contents;
            contents
                .iter()
                .flatten()
                .any(|salted| contains(&salted.content.to_cbor(), text))
        }
        _ => contains(bytes, text),
    })
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn erasure_reaches_the_phones_and_what_was_written_before_its_author_knew() {
    let mut scene = Scene::new();
    let journal = scene.journal();
    let kept = scene.household("李四");
    let erased = scene.household("王某某");
    let county = scene.host.county();
    let supervisor = scene.host.add_user("督导", NOW);
    scene
        .host
        .assign(supervisor, "CS", county, NOW.date(), None, NOW);
    let mut office = Phone::enrol(&mut scene.host, supervisor, NOW);
    office.sync(&mut scene.host, NOW).unwrap();
    scene
        .tm
        .save(journal, None, set(erased, "group", "秘密组"), minutes(1))
        .unwrap();
    let mut erase = Intent::new(
        super::super::Target::Existing(erased),
        crate::command::Verb::Erase,
    );
    erase.reason = Some("依法删除".to_owned());
    office.save(journal, None, erase, minutes(2)).unwrap();
    office.sync(&mut scene.host, minutes(2)).unwrap();
    assert!(keeps(&scene.fs, "王某某") && keeps(&scene.tm, "秘密组"));
    scene.meet(minutes(3));
    scene.meet(minutes(4));
    for phone in [&mut scene.fs, &mut scene.tm, &mut office] {
        assert!(!keeps(phone, "王某某") && !keeps(phone, "秘密组"));
        assert!(keeps(phone, "李四") && keeps(phone, "依法删除"));
        phone.restart();
        assert_eq!(held(phone, journal, kept, "householder"), ["李四"]);
        let record = phone.device.record(journal, erased).unwrap();
        assert!(record.fields.is_empty() && record.marks.contains(&crate::record::Mark::Erased));
        phone
            .sync(&mut scene.host, minutes(5))
            .expect("every proof still verifies");
    }
}

#[test]
fn another_catalogue_under_a_published_number_judges_nothing() {
    let mut scene = Scene::new();
    let newer = |title: &str| {
        let mut files = Catalogue::builtin().files().to_vec();
        for file in &mut files {
            file.text = file
                .text
                .replace("version = 1", "version = 2")
                .replace("zh = \"农户\"", title);
        }
        files
    };
    let published = Catalogue::parse(&newer("zh = \"住户\"")).unwrap();
    let digest = published.digest();
    let act = RegistryAct::PublishCatalogue {
        version: 2,
        digest,
        from: NOW.date(),
    };
    scene.host.act(act, minutes(1));
    scene.fs.sync(&mut scene.host, minutes(2)).unwrap();
    assert_eq!(scene.fs.device.missing_catalogues(), [2]);
    assert_eq!(
        scene.fs.device.catalogue(minutes(2)),
        Some(1),
        "it goes on recording under what it has"
    );
    let other = Catalogue::parse(&newer("zh = \"别的\"")).unwrap();
    assert!(scene.fs.device.learn_catalogue(2, other).is_err());
    let effects = scene.fs.device.learn_catalogue(2, published).unwrap();
    scene.fs.storage.carry_out(&effects);
    scene.fs.restart();
    assert_eq!(scene.fs.device.catalogue(minutes(2)), Some(2));
    assert!(scene.fs.device.missing_catalogues().is_empty());
}

#[test]
fn what_an_earlier_version_kept_is_read_all_the_same() {
    let mut scene = Scene::new();
    let household = scene.household("张三");
    let journal = scene.journal();
    let view = |scene: &Scene| scene.fs.device.view(journal, household, minutes(1));
    let before = view(&scene);
    let mut entries = 0;
    for (key, bytes) in &mut scene.fs.storage.0 {
        if let Key::Entry(..) = key {
            let kept: Kept = crate::cbor::decode(bytes).unwrap();
            *bytes = crate::cbor::encode(&WireEntry::keep(&kept.open().unwrap()));
            entries += 1;
        }
    }
    assert!(entries > 0 && before.is_some());
    scene.fs.restart();
    assert_eq!(view(&scene), before);
}

#[test]
fn what_was_entered_before_its_catalogue_was_known_moves_the_state_once_it_is() {
    let mut scene = Scene::new();
    let household = scene.household("张三");
    let mut files = Catalogue::builtin().files().to_vec();
    for file in &mut files {
        file.text = file.text.replace("version = 1", "version = 2");
    }
    let next = Catalogue::parse(&files).unwrap();
    let (host, journal) = (&mut scene.host, scene.village.journal);
    host.publish_catalogue(next.clone(), NOW.date(), minutes(1));
    scene.fs.sync(host, minutes(2)).unwrap();
    scene.fs.device.learn_catalogue(2, next.clone()).unwrap();
    let cancel = Intent::act(household, "cancel").because("全户迁走");
    scene
        .fs
        .save(journal, None, cancel, minutes(3))
        .expect("it is on the register");
    scene.fs.sync(host, minutes(4)).unwrap();
    scene.tm.sync(host, minutes(5)).unwrap();
    let reinstate = || Intent::act(household, "reinstate").because("又迁回");
    assert!(
        scene
            .tm
            .save(journal, None, reinstate(), minutes(6))
            .is_err(),
        "this phone does not know yet what that did"
    );
    scene.tm.device.learn_catalogue(2, next).unwrap();
    scene
        .tm
        .save(journal, None, reinstate(), minutes(7))
        .expect("without being started again");
}

/// What may happen to two phones.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Set(bool, u8),
    Seal(bool),
    Sync(bool),
    LoseReply(bool),
    Restart(bool),
    Again(bool),
    Suspend(bool),
}

impl Step {
    fn is_of_fs(self) -> bool {
        match self {
            Self::Create => true,
            Self::Set(fs, _)
            | Self::Seal(fs)
            | Self::Sync(fs)
            | Self::LoseReply(fs)
            | Self::Restart(fs)
            | Self::Again(fs)
            | Self::Suspend(fs) => fs,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<bool>;
    prop_oneof![
        1 => Just(Step::Create),
        4 => (who(), any::<u8>()).prop_map(|(fs, value)| Step::Set(fs, value)),
        1 => who().prop_map(Step::Seal),
        3 => who().prop_map(Step::Sync),
        1 => who().prop_map(Step::LoseReply),
        1 => who().prop_map(Step::Restart),
        1 => who().prop_map(Step::Again),
        1 => who().prop_map(Step::Suspend),
    ]
}

fn take(scene: &mut Scene, record: RecordId, step: Step, now: Timestamp) {
    let journal = scene.journal();
    let Scene { host, fs, tm, .. } = scene;
    let phone = if step.is_of_fs() { fs } else { tm };
    match step {
        Step::Create => {
            let intent = Intent::create("visit").link("household", record);
            phone.save(journal, None, intent, now).unwrap();
        }
        Step::Set(_, value) => {
            let intent = set(
                record,
                ["group", "crop"][usize::from(value % 2)],
                &format!("{value}"),
            );
            let chosen = Intent {
                chooses: true,
                ..intent
            };
            phone.save(journal, None, chosen, now).unwrap();
        }
        Step::Seal(_) => phone.seal(now),
        Step::Sync(_) => {
            // A suspended phone that has nothing to send hears of it when its session is refused.
            let standing = host.registry().devices[&phone.device.id()].standing;
            if phone.sync(host, now).unwrap().enrol_again || standing != Standing::Active {
                let identity = host.enrol(phone.device.identity().user, now);
                phone
                    .storage
                    .carry_out(&phone.device.enrol_in_place(identity.seed));
                phone.sync(host, now).unwrap();
            }
        }
        Step::LoseReply(_) => {
            let request = phone.request(now);
            host.sync(&request, phone.device.id(), now);
            phone.device.line_broke();
        }
        Step::Restart(_) => phone.restart(),
        Step::Again(_) => {
            for command in phone.device.to_answer() {
                let mut world = World {
                    now,
                    rng: &mut phone.rng,
                };
                let saved = phone
                    .device
                    .offer_again(&mut world, command.origin)
                    .unwrap();
                phone.storage.carry_out(&saved.effects);
            }
        }
        Step::Suspend(_) => {
            let device = phone.device.id();
            host.set_standing(device, Standing::Suspended, "lost", now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_finds_what_the_device_knew_and_in_the_end_all_agree(steps in proptest::collection::vec(step(), 0..24)) {
        let mut scene = Scene::new();
        let (journal, record) = (scene.journal(), scene.household("张三"));
        for (minute, step) in steps.iter().enumerate() {
            let now = minutes(i64::try_from(minute).unwrap());
            take(&mut scene, record, *step, now);
            for phone in [&mut scene.fs, &mut scene.tm] {
                // A receipt without its entry is not kept: its batch is simply sent again.
                phone.device.request();
                let running = portrait(phone);
                let loaded = phone.loaded();
                let device = core::mem::replace(&mut phone.device, loaded);
                prop_assert_eq!(portrait(phone), running.clone());
                phone.device = device;
            }
        }
        for round in 0..4 {
            for who in [true, false] {
                take(&mut scene, record, Step::Sync(who), minutes(100 + round));
                take(&mut scene, record, Step::Again(who), minutes(100 + round));
            }
        }
        scene.meet(minutes(200));
        for id in scene.fs.device.records(journal) {
            prop_assert_eq!(scene.fs.device.record(journal, id), scene.tm.device.record(journal, id));
        }
        for phone in [&mut scene.fs, &mut scene.tm] {
            prop_assert!(phone.device.unsent().is_empty() && phone.device.to_answer().is_empty());
        }
    }
}
