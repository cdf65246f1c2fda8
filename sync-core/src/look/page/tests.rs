//! What a page offers and tells, on phones that sync.

use super::super::scene::{DAY_MS, NOW, Scene, day, text};
use crate::admit::codes::no_effect;
use crate::id::{Date, RecordId};
use crate::journal::Fate;
use crate::record::Step;
use crate::sync::device::{CannotSave, Intent};

/// A notice that was put up today.
fn posted(scene: &mut Scene) -> RecordId {
    let notice = scene.create("FS", "notice", &[("title", text("名单"))]);
    let post = [("posted_on", day(0)), ("place", text("公示栏"))];
    scene.act("VC", notice, "post", &post);
    notice
}

/// From when on the village committee may end a notice, for each offer to do so.
fn end_opens(scene: &mut Scene, notice: RecordId) -> Vec<Option<Date>> {
    scene.sync("VC");
    let phone = scene.phones.get("VC").unwrap();
    let look = super::Look::new(&phone.device, scene.now);
    let page = look.page(look.view(scene.journal(), notice).unwrap());
    let offered = page.actions.iter();
    let ends = offered.filter(|(action, _)| action.name == "end");
    ends.map(|(_, opens)| *opens).collect()
}

#[test]
fn an_action_that_has_to_wait_says_from_which_day_on_it_counts_and_counts_then() {
    let mut scene = Scene::of(&["FS", "VC"]);
    let notice = posted(&mut scene);
    let [Some(opens)] = end_opens(&mut scene, notice)[..] else {
        panic!("it is offered, for a day to come");
    };
    assert!(opens > NOW.date());
    let days = i64::from(opens.0 - NOW.date().0);
    // The day before it would not count; on the day it does, on the phone and the server.
    scene.now = NOW.plus_ms((days - 1) * DAY_MS);
    assert_eq!(end_opens(&mut scene, notice), [Some(opens)]);
    let early = Intent::act(notice, "end").with("ended_on", day(0));
    let (journal, now) = (scene.journal(), scene.now);
    let phone = scene.phones.get_mut("VC").unwrap();
    let cannot = phone.save(journal, None, early, now).unwrap_err();
    let too_early = Fate::NoEffect(no_effect::TOO_EARLY.into());
    assert_eq!(cannot, CannotSave::WouldNotCount(too_early));
    scene.now = NOW.plus_ms(days * DAY_MS);
    assert_eq!(end_opens(&mut scene, notice), [None]);
    scene.act("VC", notice, "end", &[("ended_on", day(0))]);
    assert_eq!(end_opens(&mut scene, notice), []);
}

#[test]
fn what_each_action_brought_is_told_though_the_next_one_brought_something_else() {
    let mut scene = Scene::of(&["FS", "VC"]);
    let notice = posted(&mut scene);
    for (objection, answer) in [("不该有他", "已说明"), ("还有一户", "另行核实")] {
        scene.act("FS", notice, "object", &[("objection", text(objection))]);
        scene.act("VC", notice, "answer", &[("answer", text(answer))]);
    }
    scene.sync("FS");
    let view = scene.look().view(scene.journal(), notice).unwrap();
    let said = |field: &str| -> Vec<_> {
        let said = |step: &Step| step.said.get(field).cloned();
        view.steps.iter().filter_map(said).collect()
    };
    assert_eq!(said("objection"), [text("不该有他"), text("还有一户")]);
    assert_eq!(said("answer"), [text("已说明"), text("另行核实")]);
    // When the lease is over, what others said is hidden with what they wrote.
    let own = view.of_own(|_| false);
    assert!(own.steps.iter().all(|step| step.said.is_empty()));
}
