//! Copies of phones, and copies of copies: nothing that was said counts twice.

use std::collections::BTreeMap;

use super::*;
use crate::registry::Standing;
use crate::testing::TestRng;

/// Another phone with the same storage.
fn copy(phone: &Phone, host: &Host, luck: u64) -> Phone {
    let identity = phone.device.identity().clone();
    let mut twin = Phone::new(identity, host.catalogues().clone());
    twin.storage = phone.storage.clone();
    twin.rng = TestRng::new(luck);
    twin.restart();
    twin
}

fn enrol_in_place(phone: &mut Phone, host: &mut Host, now: Timestamp) {
    let identity = host.enrol(phone.device.identity().user, now);
    let effects = phone.device.enrol_in_place(identity.seed);
    phone.storage.carry_out(&effects);
}

fn household(phone: &mut Phone, journal: JournalId, name: &str, now: Timestamp) -> RecordId {
    let intent = Intent::create("household").with("householder", Value::text(name));
    phone.save(journal, None, intent, now).unwrap().record
}

/// How often a text counts as a value or reason.
fn counts(host: &Host, journal: JournalId, text: &str) -> usize {
    let entries = host.entries(journal).iter();
    let commands = entries.flat_map(|entry| {
        let fates = entry.head.fates.iter();
        entry.parts.contents.iter().zip(fates)
    });
    let says = |value: &Value| value.as_text() == Some(text);
    commands
        .filter(|(_, fate)| fate.counts())
        .filter_map(|(salted, _)| salted.as_ref())
        .filter(|salted| salted.content.values.values().any(says))
        .count()
}

fn enrol_and_sync(phone: &mut Phone, host: &mut Host, now: Timestamp) {
    enrol_in_place(phone, host, now);
    phone.sync(host, now).unwrap();
}

#[test]
fn what_two_copies_hold_counts_once_when_a_third_used_its_number_for_something_else() {
    let mut scene = Scene::new();
    let journal = scene.journal();
    let mut first = copy(&scene.fs, &scene.host, 1);
    household(&mut first, journal, "李四", minutes(1));
    let mut second = copy(&first, &scene.host, 2);
    household(&mut scene.fs, journal, "张三", minutes(2));
    scene.fs.sync(&mut scene.host, minutes(3)).unwrap();
    for twin in [&mut first, &mut second] {
        let learned = twin.sync(&mut scene.host, minutes(4)).unwrap();
        assert!(learned.enrol_again);
        enrol_and_sync(twin, &mut scene.host, minutes(5));
    }
    assert_eq!(counts(&scene.host, journal, "张三"), 1);
    assert_eq!(counts(&scene.host, journal, "李四"), 1);
    assert_eq!(second.device.records(journal).len(), 2);
}

#[test]
fn what_a_phone_saved_before_it_settled_counts_once_though_it_was_copied_then() {
    let mut scene = Scene::new();
    let journal = scene.journal();
    household(&mut scene.fs, journal, "张三", minutes(1));
    let mut twin = copy(&scene.fs, &scene.host, 1);
    scene.fs.sync(&mut scene.host, minutes(2)).unwrap();
    enrol_in_place(&mut twin, &mut scene.host, minutes(3));
    // Its registry knows the new key already; of the journal nothing has arrived yet.
    let request = twin.request(minutes(3));
    let mut response = scene.host.sync(&request, twin.device.id(), minutes(3));
    for page in &mut response.journals {
        page.entries.clear();
        page.end = twin.device.position(journal).unwrap();
        page.more = true;
    }
    twin.take(&response, minutes(3)).unwrap();
    assert!(twin.device.settles());
    let saved = household(&mut twin, journal, "李四", minutes(4));
    let mut third = copy(&twin, &scene.host, 2);
    // What was delivered after all leaves the lane, so that the number of what was saved after it changes.
    twin.sync(&mut scene.host, minutes(5)).unwrap();
    enrol_and_sync(&mut third, &mut scene.host, minutes(6));
    assert_eq!(counts(&scene.host, journal, "张三"), 1);
    assert_eq!(counts(&scene.host, journal, "李四"), 1);
    assert!(
        third.device.records(journal).contains(&saved),
        "its id stays"
    );
}

#[test]
fn what_lost_its_place_to_a_copy_that_came_first_is_asked_about_and_counts_once() {
    let mut scene = Scene::new();
    let journal = scene.journal();
    let mut twin = copy(&scene.fs, &scene.host, 1);
    household(&mut scene.fs, journal, "张三", minutes(1));
    household(&mut twin, journal, "李四", minutes(1));
    let old = twin.device.id();
    scene
        .host
        .set_standing(old, Standing::Revoked, "lost", minutes(2));
    // Both settle before either delivers, so that both name the one place.
    let mut both = [twin, copy(&scene.fs, &scene.host, 2)];
    for phone in &mut both {
        enrol_in_place(phone, &mut scene.host, minutes(3));
    }
    for phone in &mut both {
        phone.sync_once(&mut scene.host, minutes(4)).unwrap();
    }
    for phone in &mut both {
        phone.sync(&mut scene.host, minutes(5)).unwrap();
    }
    let [first, second] = &mut both;
    assert!(first.device.to_answer().is_empty());
    let lost = second.device.to_answer();
    assert_eq!(lost.len(), 1, "{lost:?}");
    for now in [minutes(6), minutes(7)] {
        let mut world = World {
            now,
            rng: &mut second.rng,
        };
        if let Ok(saved) = second.device.offer_again(&mut world, lost[0].origin) {
            second.storage.carry_out(&saved.effects);
        }
        second.sync(&mut scene.host, now).unwrap();
    }
    assert!(second.device.to_answer().is_empty());
    assert_eq!(counts(&scene.host, journal, "张三"), 1);
    assert_eq!(counts(&scene.host, journal, "李四"), 1);
}

/// One person's phone is copied, copied again, revoked, put on its feet and used, in any order.
struct Copies {
    scene: Scene,
    phones: Vec<Phone>,
    dice: TestRng,
    said: BTreeMap<String, usize>,
    now: i64,
    story: Vec<String>,
}

impl Copies {
    fn roll(&mut self, sides: u64) -> usize {
        let number = u64::from_be_bytes(self.dice.bytes());
        usize::try_from(number % sides).unwrap()
    }

    fn step(&mut self) {
        self.now += 1;
        let now = minutes(self.now);
        let at = self.roll(self.phones.len() as u64);
        let journal = self.scene.journal();
        let what = self.roll(8);
        self.story.push(format!("{what} {at}"));
        match what {
            0..=2 => {
                let name = format!("第{}句", self.said.len());
                let intent =
                    Intent::create("household").with("householder", Value::text(name.as_str()));
                // Before it has heard of its new key, a phone saves nothing.
                if self.phones[at].save(journal, None, intent, now).is_ok() {
                    self.said.insert(name, at);
                }
            }
            3 if self.phones.len() < 6 => {
                let twin = copy(&self.phones[at], &self.scene.host, self.now.cast_unsigned());
                self.phones.push(twin);
            }
            4 => {
                let device = self.phones[at].device.id();
                self.scene
                    .host
                    .set_standing(device, Standing::Revoked, "lost", now);
            }
            5 => enrol_in_place(&mut self.phones[at], &mut self.scene.host, now),
            _ => {
                self.sync(at, now);
            }
        }
    }

    fn sync(&mut self, at: usize, now: Timestamp) {
        let learned = self.phones[at].sync(&mut self.scene.host, now).unwrap();
        let device = self.phones[at].device.id();
        let standing = self.scene.host.registry().devices[&device].standing;
        if learned.enrol_again || standing != Standing::Active {
            enrol_in_place(&mut self.phones[at], &mut self.scene.host, now);
        }
    }

    /// Everyone syncs and offers again what did not count, until nothing is left.
    fn end(&mut self) {
        for _ in 0..40 {
            self.now += 1;
            let now = minutes(self.now);
            for at in 0..self.phones.len() {
                self.sync(at, now);
                self.sync(at, now);
                let phone = &mut self.phones[at];
                for command in phone.device.to_answer() {
                    let mut world = World {
                        now,
                        rng: &mut phone.rng,
                    };
                    if let Ok(saved) = phone.device.offer_again(&mut world, command.origin) {
                        phone.storage.carry_out(&saved.effects);
                    }
                }
            }
        }
    }
}

#[test]
fn copies_of_copies_deliver_nothing_twice() {
    for seed in 0..73 {
        let scene = Scene::new();
        let phones = vec![copy(&scene.fs, &scene.host, seed)];
        let mut copies = Copies {
            scene,
            phones,
            dice: TestRng::new(seed),
            said: BTreeMap::new(),
            now: 0,
            story: Vec::new(),
        };
        for _ in 0..24 {
            copies.step();
        }
        copies.end();
        let journal = copies.scene.journal();
        for (text, at) in &copies.said {
            let times = counts(&copies.scene.host, journal, text);
            let story = copies.story.join(", ");
            assert!(
                times <= 1,
                "seed {seed}: {text}, said on phone {at}, counts {times} times: {story}"
            );
        }
    }
}
