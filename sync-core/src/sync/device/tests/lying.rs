use super::*;
use crate::batch::Position;
use crate::id::{Digest, sha256};
use crate::journal::Broken;
use crate::sync::device::LyingServer;
use crate::sync::wire::{SyncResponse, WireBody};

/// What the host would answer to the team member, changed on the way; then the honest answer.
#[track_caller]
fn check_lie(
    lie: impl FnOnce(&Host, &mut SyncResponse),
    expected: impl FnOnce(&LyingServer) -> bool,
) {
    let mut scene = Scene::new();
    let journal = scene.journal();
    let household = scene.household("张三");
    for (minute, group) in ["一组", "二组", "三组"].into_iter().enumerate() {
        let now = minutes(i64::try_from(minute).unwrap() + 1);
        scene
            .fs
            .save(journal, None, set(household, "group", group), now)
            .unwrap();
        scene.fs.sync(&mut scene.host, now).unwrap();
    }
    scene.host.publish();
    scene
        .tm
        .save(journal, None, set(household, "crop", "油菜"), minutes(5))
        .unwrap();
    let request = scene.tm.request(minutes(5));
    let before = (portrait(&mut scene.tm), scene.tm.storage.clone());
    let honest = scene.host.sync(&request, scene.tm.device.id(), minutes(5));
    let mut response = honest.clone();
    lie(&scene.host, &mut response);
    let lying = scene
        .tm
        .take(&response, minutes(5))
        .expect_err("the device notices");
    assert!(expected(&lying), "{lying:?}");
    assert_eq!(
        before,
        (portrait(&mut scene.tm), scene.tm.storage.clone()),
        "nothing of it was taken in"
    );
    scene
        .tm
        .take(&honest, minutes(6))
        .expect("what is honest is taken in after a lie");
    assert_eq!(held(&scene.tm, journal, household, "group"), ["三组"]);
    assert!(scene.tm.device.unsent().is_empty());
}

fn is_chain(lying: &LyingServer, broken: fn(&Broken) -> bool) -> bool {
    matches!(lying, LyingServer::Chain { broken: found, .. } if broken(found))
}

#[test]
fn a_changed_fate_is_noticed() {
    let flip = |_: &Host, response: &mut SyncResponse| {
        response.journals[0].entries[1].unusual =
            vec![(0, Fate::NoEffect("superseded".to_owned()))];
    };
    check_lie(flip, |lying| {
        is_chain(lying, |broken| matches!(broken, Broken::Head(_)))
    });
}

#[test]
fn a_changed_receipt_time_is_noticed() {
    let later = |_: &Host, response: &mut SyncResponse| {
        response.journals[0].entries[0].received_at = minutes(2);
    };
    check_lie(later, |lying| {
        is_chain(lying, |broken| {
            matches!(broken, Broken::Backwards(_) | Broken::Head(_))
        })
    });
}

#[test]
fn a_changed_content_is_noticed() {
    let change = |host: &Host, response: &mut SyncResponse| {
        let entry = &host.entries(response.journals[0].journal)[1];
        let mut parts = entry.parts.clone();
        parts.contents[0]
            .as_mut()
            .unwrap()
            .content
            .values
            .insert("group".to_owned(), Value::text("九组"));
        response.journals[0].entries[0].body = WireBody::Batch(parts.to_wire());
    };
    check_lie(change, |lying| matches!(lying, LyingServer::Signature(_)));
}

#[test]
fn a_wrong_head_is_noticed() {
    let change =
        |_: &Host, response: &mut SyncResponse| response.journals[0].end.head = Digest([1; 32]);
    check_lie(change, |lying| {
        is_chain(lying, |broken| matches!(broken, Broken::Head(_)))
    });
}

#[test]
fn entries_in_another_order_are_noticed() {
    check_lie(
        |_, response| response.journals[0].entries.swap(0, 1),
        |lying| is_chain(lying, |broken| matches!(broken, Broken::Position { .. })),
    );
}

#[test]
fn a_missing_entry_is_noticed() {
    let cut = |host: &Host, response: &mut SyncResponse| {
        let page = &mut response.journals[0];
        page.entries.pop();
        assert!(
            host.journal(page.journal)
                .unwrap()
                .head_at(page.end.seq)
                .is_some()
        );
    };
    check_lie(cut, |lying| {
        is_chain(lying, |broken| matches!(broken, Broken::Head(_)))
    });
}

#[test]
fn an_entry_of_a_device_that_nobody_enrolled_is_noticed() {
    let forge = |host: &Host, response: &mut SyncResponse| {
        let journal = response.journals[0].journal;
        let key = crate::sign::SigningKey::from_seed([66; 32]);
        let entry = &host.entries(journal)[1];
        let commands = entry
            .parts
            .commands()
            .map(|command| crate::batch::Unsealed {
                envelope: command.envelope,
                content: command.content.unwrap(),
            });
        let sealing = crate::batch::Sealing {
            deployment: host.deployment(),
            journal,
            assignment: entry.parts.batch.assignment,
            catalogue: 1,
            previous: sha256(&[b"any"]),
            seen: entry.parts.batch.seen,
            at: NOW,
            seed: crate::batch::Seed([1; 16]),
            key: &key,
        };
        let parts = crate::batch::seal(&sealing, commands.collect());
        response.journals[0].entries[0].body = WireBody::Batch(parts.to_wire());
    };
    check_lie(forge, |lying| matches!(lying, LyingServer::Signature(_)));
}

#[test]
fn a_registry_act_that_the_operator_did_not_sign_is_noticed() {
    let forge = |host: &Host, response: &mut SyncResponse| {
        let (entry, _) = &host.acts()[0];
        let mut parts = entry.parts.clone();
        parts.signature.bytes[0] ^= 1;
        response.registry.push(WireEntry::new(
            &entry.head,
            WireBody::Batch(parts.to_wire()),
        ));
    };
    check_lie(forge, |lying| matches!(lying, LyingServer::Registry(_)));
}

#[test]
fn a_checkpoint_that_is_not_the_logs_or_covers_another_history_is_noticed() {
    let is_checkpoint = |lying: &LyingServer| matches!(lying, LyingServer::Checkpoint(_));
    let covered =
        |response: &mut SyncResponse| response.checkpoint.clone().expect("the host sends one");
    check_lie(
        |_, response| {
            let mut checkpoint = covered(response);
            checkpoint.note = checkpoint.note.replacen('\n', "\n1", 1);
            response.checkpoint = Some(checkpoint);
        },
        is_checkpoint,
    );
    check_lie(
        |_, response| {
            let mut checkpoint = covered(response);
            checkpoint.end = Position {
                head: Digest([1; 32]),
                ..checkpoint.end
            };
            response.checkpoint = Some(checkpoint);
        },
        is_checkpoint,
    );
    check_lie(
        |_, response| {
            let mut checkpoint = covered(response);
            checkpoint.index += 1;
            response.checkpoint = Some(checkpoint);
        },
        is_checkpoint,
    );
}

#[test]
fn a_log_that_goes_back_is_noticed() {
    let mut scene = Scene::new();
    scene.household("张三");
    scene.host.publish();
    let earlier = scene.host.checkpoint(0).unwrap();
    scene.household("李四");
    scene.host.publish();
    scene.tm.sync(&mut scene.host, minutes(1)).unwrap();
    let (size, _) = scene.tm.device.checkpoint().unwrap();
    assert_eq!(*size, 2);
    scene.tm.restart();
    assert_eq!(scene.tm.device.checkpoint().unwrap().0, 2);
    let request = scene.tm.request(minutes(2));
    let mut response = scene.host.sync(&request, scene.tm.device.id(), minutes(2));
    response.checkpoint = Some(earlier);
    assert!(matches!(
        scene.tm.take(&response, minutes(2)),
        Err(LyingServer::Checkpoint(_))
    ));
}

#[test]
fn a_new_operator_key_signs_what_comes_after_it_and_nothing_before() {
    let mut scene = Scene::new();
    scene.host.change_operator(minutes(1));
    let village = scene.host.add_village("双河村", minutes(2));
    let user = scene.fs.device.identity().user;
    scene
        .host
        .assign(user, "FS", village.area, NOW.date(), None, minutes(3));
    scene.fs.sync(&mut scene.host, minutes(4)).unwrap();
    assert!(
        scene.fs.device.journals().contains(&village.journal),
        "earlier acts that concern it now came under both keys"
    );
    let before = portrait(&mut scene.fs);
    scene.fs.restart();
    assert_eq!(portrait(&mut scene.fs), before);
}
