//! A server that goes on further back: what its phones bring anew, and what they do not.

use super::{Scene, held, minutes, set};
use crate::registry::Standing;
use crate::sync::device::World;

impl Scene {
    /// Everything that was received after this copy is lost, and the operator says so.
    fn lose(&mut self, backup: &crate::testing::Backup, at: i64) {
        self.host.restore(backup);
        let reopened = self.host.reopen("恢复了较早的备份", minutes(at));
        reopened.expect("something was signed");
    }

    /// The secretary's phone gets another key in place of one that is revoked.
    fn enrol_anew(&mut self, at: i64) {
        let old = self.fs.device.id();
        let user = self.fs.device.identity().user;
        self.host
            .set_standing(old, Standing::Revoked, "lost", minutes(at));
        let identity = self.host.enrol(user, minutes(at));
        let effects = self.fs.device.enrol_in_place(identity.seed);
        self.fs.storage.carry_out(&effects);
    }
}

#[test]
fn a_batch_that_a_colleague_still_carries_comes_again_as_it_was() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let backup = scene.host.back_up();
    let crop = set(household, "crop", "马铃薯");
    scene.fs.save(journal, None, crop, minutes(1)).unwrap();
    scene.fs.seal(minutes(1));
    let parcel = scene.fs.device.export(&mut World {
        now: minutes(1),
        rng: &mut scene.fs.rng,
    });
    let effects = scene.tm.device.carry(&parcel.unwrap());
    scene.tm.storage.carry_out(&effects);
    scene.fs.sync(&mut scene.host, minutes(2)).unwrap();
    let group = set(household, "group", "二组");
    scene.fs.save(journal, None, group, minutes(3)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(3)).unwrap();
    scene.lose(&backup, 4);

    // Its author learns of the loss before its carrier brings what he took along.
    scene.fs.sync(&mut scene.host, minutes(5)).unwrap();
    scene.meet(minutes(6));
    let device = scene.fs.device.id();
    let known = &scene.host.registry().devices[&device];
    assert_eq!(known.standing, Standing::Active);
    assert_eq!(scene.tm.device.carries(), 0);
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(held(phone, journal, household, "crop"), ["马铃薯"]);
        assert_eq!(held(phone, journal, household, "group"), ["二组"]);
        assert!(phone.device.unsent().is_empty());
    }
}

#[test]
fn what_vouches_for_a_lost_history_is_no_proof_against_its_device() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let backup = scene.host.back_up();
    let crop = set(household, "crop", "马铃薯");
    scene.tm.save(journal, None, crop, minutes(1)).unwrap();
    scene.meet(minutes(1));
    let group = set(household, "group", "二组");
    scene.fs.save(journal, None, group, minutes(2)).unwrap();
    scene.fs.seal(minutes(2));
    let lost = scene.fs.device.request().batches;
    scene.lose(&backup, 3);
    scene.meet(minutes(4));
    // A copy of the old batch comes late, under a number that its author has used since.
    let outcome = scene.host.admit(&lost[0], minutes(5));
    assert_eq!(outcome, crate::sync::wire::Outcome::Forked);
    let device = scene.fs.device.id();
    let known = &scene.host.registry().devices[&device];
    assert_eq!(known.standing, Standing::Active);
}

#[test]
fn what_a_person_wrote_under_an_earlier_key_he_brings_anew() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let backup = scene.host.back_up();
    let crop = set(household, "crop", "马铃薯");
    scene.fs.save(journal, None, crop, minutes(1)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(1)).unwrap();
    scene.enrol_anew(2);
    scene.meet(minutes(3));
    scene.lose(&backup, 4);
    scene.meet(minutes(5));
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(held(phone, journal, household, "crop"), ["马铃薯"]);
        assert!(phone.device.unsent().is_empty());
    }
    let counted = scene.fates().iter().filter(|fate| fate.counts()).count();
    assert_eq!(counted, 2, "the household and its crop, each once");
}

#[test]
fn what_was_received_and_never_pulled_is_brought_under_the_next_key() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let backup = scene.host.back_up();
    let device = scene.fs.device.id();
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", minutes(1));
    let crop = set(household, "crop", "马铃薯");
    scene.fs.save(journal, None, crop, minutes(2)).unwrap();
    // It is refused, and who is revoked pulls nothing.
    scene.fs.sync(&mut scene.host, minutes(2)).unwrap();
    assert!(scene.fs.device.unsent().is_empty());
    scene.lose(&backup, 3);
    scene.enrol_anew(4);
    scene.fs.restart();
    scene.meet(minutes(5));
    assert_eq!(held(&scene.tm, journal, household, "crop"), ["马铃薯"]);
}

#[test]
fn what_was_received_and_comes_with_its_entry_is_its_persons_to_offer_again() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    let device = scene.fs.device.id();
    scene
        .host
        .set_standing(device, Standing::Revoked, "lost", minutes(1));
    let crop = set(household, "crop", "马铃薯");
    scene.fs.save(journal, None, crop, minutes(2)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(2)).unwrap();
    scene.enrol_anew(3);
    let entries = scene.host.entries(journal).len();
    scene.meet(minutes(4));
    assert_eq!(scene.host.entries(journal).len(), entries);
    assert_eq!(scene.fs.device.to_answer().len(), 1);
}

#[test]
fn an_open_form_outlives_the_loss_and_stands_on_what_is_left() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let backup = scene.host.back_up();
    let crop = set(household, "crop", "马铃薯");
    scene.tm.save(journal, None, crop, minutes(1)).unwrap();
    scene.meet(minutes(1));
    let form = scene.fs.device.open_form(journal, Some(household));
    scene.lose(&backup, 2);
    scene.meet(minutes(3));
    let stands_on = scene.fs.device.form(form).map(|form| form.base);
    assert_eq!(stands_on, Some(1));
    let group = set(household, "group", "二组");
    let saved = scene.fs.save(journal, Some(form), group, minutes(4));
    saved.expect("the form is open");
}

#[test]
fn a_phone_that_was_away_goes_back_through_one_loss_after_the_other() {
    let mut scene = Scene::new();
    let (journal, household) = (scene.journal(), scene.household("张三"));
    scene.host.publish();
    let first = scene.host.back_up();
    let crop = set(household, "crop", "马铃薯");
    scene.fs.save(journal, None, crop, minutes(1)).unwrap();
    scene.fs.sync(&mut scene.host, minutes(1)).unwrap();
    scene.lose(&first, 2);
    let group = set(household, "group", "二组");
    scene.tm.save(journal, None, group, minutes(3)).unwrap();
    scene.tm.sync(&mut scene.host, minutes(3)).unwrap();
    let second = scene.host.back_up();
    scene.lose(&second, 4);

    let device = scene.fs.device.id();
    let learned = scene.fs.sync(&mut scene.host, minutes(5)).unwrap();
    assert!(!learned.enrol_again);
    scene.meet(minutes(6));
    assert_eq!(scene.fs.device.id(), device);
    for phone in [&scene.fs, &scene.tm] {
        assert_eq!(held(phone, journal, household, "crop"), ["马铃薯"]);
        assert_eq!(held(phone, journal, household, "group"), ["二组"]);
    }
}
