//! Journals, what is derived from them, and the log of their heads.
//!
//! Long because every check stands here whole, next to the others that compare the same things.

#![expect(
    clippy::indexing_slicing,
    reason = "in a suite of tests a panic is a failure"
)]

mod lists;
mod segments;
mod village;

use std::collections::BTreeSet;

use sync_core::admit::Index;
use sync_core::batch::Position;
use sync_core::checkpoint::merkle::Node;
use sync_core::command::{Audience, Origin, Verb};
use sync_core::id::{Digest, JournalId, RecordId, Seq, Timestamp};
use sync_core::journal::{Chain, Fate};
use sync_core::value::Value;

use self::village::{HERE, NOW, Phone, THERE, Village, household, nameless, on};
use super::{begin, commit, read};
use crate::journals::{Asked, Folded, LogLeaf, SignedCheckpoint, Stored, Used};
use crate::{Store, StoreError};

pub use self::segments::a_segment_is_kept_until_an_entry_of_its_journal_is_rewritten;

pub use self::lists::{
    a_filter_lets_through_what_it_names, a_list_in_pages_is_the_whole_list,
    what_is_folded_can_be_forgotten_and_folded_again,
};

/// All that can be read of a journal.
#[derive(Debug, PartialEq)]
struct Everything {
    chain: Option<Chain>,
    entries: Vec<Stored>,
    fates: Vec<Vec<(u64, Fate)>>,
    lanes: Vec<Option<sync_core::admit::LaneEnd>>,
    index: Index,
    records: Vec<Option<Folded>>,
    folded: Seq,
    used: Used,
    leaves: Vec<LogLeaf>,
    checkpoint: Option<SignedCheckpoint>,
}

/// Reads all there is of a journal in which only these phones wrote.
async fn everything(store: &dyn Store, journal: JournalId, phones: &[Phone]) -> Everything {
    let mut reading = read(store).await;
    let unit = &mut *reading;
    let (mut fates, mut lanes, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    for phone in phones {
        let known = unit
            .fates(journal, phone.device(), &(0..50).collect())
            .await
            .expect("fates");
        ids.extend(
            known
                .keys()
                .map(|n| RecordId::derive(phone.device(), journal, *n)),
        );
        fates.push(known.into_iter().collect());
        lanes.push(unit.lane(journal, phone.device()).await.expect("a lane"));
    }
    let mut records = Vec::new();
    for id in &ids {
        records.push(unit.record(journal, *id).await.expect("a record"));
    }
    let known: Vec<_> = records.iter().flatten().cloned().collect();
    let together = unit.folded(journal, &ids).await.expect("records");
    assert_eq!(together.into_values().collect::<Vec<_>>(), known);
    let used = match phones.first() {
        Some(phone) => unit.used(journal, phone.device(), 7).await.expect("used"),
        None => Used::default(),
    };
    Everything {
        chain: unit.chain(journal).await.expect("a chain"),
        entries: unit.entries(journal, 0, usize::MAX).await.expect("entries"),
        fates,
        lanes,
        index: unit.index(journal, &ids).await.expect("an index"),
        records,
        folded: unit.folded_seq(journal).await.expect("a position"),
        used,
        leaves: unit.leaves(0).await.expect("leaves"),
        checkpoint: unit.newest_checkpoint().await.expect("a checkpoint"),
    }
}

/// The next leaf of a journal's end.
fn leaf(position: u64, chain: &Chain) -> LogLeaf {
    LogLeaf {
        position,
        journal: chain.journal,
        end: chain.end,
    }
}

fn checkpoint(size: u64) -> SignedCheckpoint {
    SignedCheckpoint {
        size,
        signed_at: Timestamp(NOW.0 + i64::try_from(size).expect("a small tree")),
        note: format!("a note of {size}"),
    }
}

/// A household, a change of it and something refused, by two phones; folded, counted and published.
async fn write_some_of_everything(store: &dyn Store, village: &Village, phones: &[Phone]) {
    let mut unit = begin(store).await;
    let made = village
        .say(&mut *unit, HERE, phones[0], vec![household("张三")])
        .await;
    let household = RecordId::derive(phones[0].device(), HERE, 1);
    assert_eq!(made.entry().fates, [Fate::Accepted]);
    let changes = vec![
        on(household, Verb::Set).with("crop", Value::text("荞麦")),
        on(RecordId([9; 16]), Verb::Set).with("crop", Value::text("玉米")),
    ];
    let changed = village.say(&mut *unit, HERE, phones[1], changes).await;
    assert!(matches!(
        changed.entry().fates[..],
        [Fate::Accepted, Fate::Refused(..)]
    ));
    let folded = lists::fold(&mut *unit, village, HERE, household, "张三 荞麦", NOW).await;
    unit.put_folded(HERE, 2, &[folded]).await.expect("folded");
    let used = Used {
        commands: 1,
        bytes: 900,
        refused_bytes: 0,
    };
    unit.add_used(7, &[((HERE, phones[0].device()), used)].into())
        .await
        .expect("counted");
    unit.publish(&[leaf(0, changed.chain())], &[], &checkpoint(1))
        .await
        .expect("published");
    commit(unit).await;
}

/// An entry, its lane's end, its index and what was folded become durable together; of a dropped unit there is nothing.
pub async fn what_a_unit_appends_is_there_whole_or_not_at_all(store: &dyn Store) {
    let village = Village::new();
    let phones = [Phone(1), Phone(2)];
    let nothing = everything(store, HERE, &phones).await;
    assert_eq!((nothing.chain, &nothing.entries[..]), (None, &[][..]));

    let mut unit = begin(store).await;
    village
        .say(&mut *unit, HERE, phones[0], vec![household("张三")])
        .await;
    let seen_within = unit.chain(HERE).await.expect("a chain");
    assert_eq!(seen_within.map(|chain| chain.end.seq), Some(1));
    drop(unit);
    assert_eq!(everything(store, HERE, &phones).await, nothing);

    write_some_of_everything(store, &village, &phones).await;
    let all = everything(store, HERE, &phones).await;
    assert_eq!(all.chain.map(|chain| chain.end.seq), Some(2));
    assert_eq!(all.entries.len(), 2);
    assert_eq!(all.fates.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(all.index.len(), 1, "what was refused is no record");
    assert_eq!((all.folded, all.leaves.len()), (2, 1));
    assert!(all.records.iter().any(Option::is_some));
    assert_eq!(everything(store, THERE, &phones).await.entries, []);
}

/// What a store gives back after it was closed and opened again: for a backend to compare with [`same_as_before`].
#[derive(Debug, PartialEq)]
pub struct Before(Everything);

/// Writes some of everything.
pub async fn written(store: &dyn Store) -> Before {
    let village = Village::new();
    let phones = [Phone(1), Phone(2)];
    write_some_of_everything(store, &village, &phones).await;
    Before(everything(store, HERE, &phones).await)
}

/// Checks that a store that was opened again gives the same.
pub async fn same_as_before(store: &dyn Store, before: &Before) {
    let phones = [Phone(1), Phone(2)];
    assert_eq!(Before(everything(store, HERE, &phones).await), *before);
}

/// Positions are 1, 2, 3 … in each journal: one that is taken, or not the next, is an error, and its unit leaves nothing.
pub async fn an_entry_stands_at_the_next_position_or_nowhere(store: &dyn Store) {
    let village = Village::new();
    let phone = Phone(1);
    let mut unit = begin(store).await;
    let first = village.operators(&mut *unit, HERE, 1).await;
    commit(unit).await;
    let mut unit = begin(store).await;
    let second = village.operators(&mut *unit, HERE, 1).await;
    let third = village.operators(&mut *unit, HERE, 1).await;
    drop(unit);
    for (journal, wrong) in [(HERE, &first), (HERE, &third)] {
        let before = everything(store, journal, &[phone]).await;
        let mut unit = begin(store).await;
        assert!(unit.append(std::slice::from_ref(wrong)).await.is_err());
        let halved = unit.commit().await;
        assert!(matches!(halved, Err(StoreError::Refused(_))), "{halved:?}");
        assert_eq!(everything(store, journal, &[phone]).await, before);
    }
    let mut unit = begin(store).await;
    unit.append(&[second, third]).await.expect("the next two");
    commit(unit).await;
    // The first entry of a journal is its first position, too.
    let mut unit = begin(store).await;
    let _first = village.operators(&mut *unit, THERE, 1).await;
    let gap = village.operators(&mut *unit, THERE, 1).await;
    drop(unit);
    let mut unit = begin(store).await;
    let refused = unit.append(&[gap]).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::Impossible(_) | StoreError::Refused(_))
        ),
        "{refused:?}"
    );
    unit.commit().await.expect_err("a unit that is half done");
}

/// Units that race append one after the other.
pub async fn units_that_race_append_in_turn(store: &dyn Store) {
    const UNITS: usize = 8;
    let village = Village::new();
    let racing = (0..UNITS).map(|_| async {
        let mut unit = begin(store).await;
        village.operators(&mut *unit, HERE, 1).await;
        commit(unit).await;
    });
    futures::future::join_all(racing).await;
    let entries = everything(store, HERE, &[]).await.entries;
    let mut chain = Chain::start(HERE);
    for stored in &entries {
        chain = chain.append(&stored.head).expect("the next of the chain");
        assert_eq!(stored.chain_head, chain.end.head);
    }
    assert_eq!(entries.len(), UNITS);
}

/// A lane's batch is found by its first number, a command's fate by its own, heads and receipt times by position.
pub async fn lanes_and_chain_are_read_by_number(store: &dyn Store) {
    let village = Village::new();
    let phone = Phone(1);
    let mut unit = begin(store).await;
    let lost = on(RecordId([9; 16]), Verb::Set).with("crop", Value::text("玉米"));
    let two = vec![household("张三"), lost];
    let first = village.say(&mut *unit, HERE, phone, two).await;
    let second = village
        .say(&mut *unit, HERE, phone, vec![household("李四")])
        .await;
    commit(unit).await;

    let mut unit = read(store).await;
    let device = phone.device();
    let lane = unit.lane(HERE, device).await.expect("a lane");
    assert_eq!(lane, Some(second.lane()));
    assert_eq!(unit.lane(THERE, device).await.expect("none"), None);
    for (number, expected) in [
        (1, Some(first.entry())),
        (2, None),
        (3, Some(second.entry())),
        (4, None),
    ] {
        let found = unit.entry_of_lane(HERE, device, number).await;
        assert_eq!(found.expect("an answer").as_ref(), expected, "{number}");
    }
    let fates = unit
        .fates(HERE, device, &BTreeSet::from([0, 1, 2, 3, 4]))
        .await
        .expect("fates");
    let mut expected = first.entry().fates.clone();
    expected.extend(second.entry().fates.iter().cloned());
    assert_eq!(
        fates.into_iter().collect::<Vec<_>>(),
        (1..).zip(expected).collect::<Vec<_>>()
    );

    let at = BTreeSet::from([0, 1, 2, 3]);
    let heads = unit.heads(HERE, &at).await.expect("heads");
    assert_eq!(heads.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(heads[&0].0, Chain::start(HERE).end.head);
    assert_eq!(
        heads[&1],
        (first.chain().end.head, first.entry().received_at)
    );
    assert_eq!(
        heads[&2],
        (second.chain().end.head, second.entry().received_at)
    );
    assert_eq!(
        unit.chain(HERE).await.expect("a chain"),
        Some(*second.chain())
    );
}

/// Entries come in order, byte for byte as they were sent, until they take so many bytes: at least one, and each once.
pub async fn entries_come_in_pages_of_so_many_bytes(store: &dyn Store) {
    const ENTRIES: usize = 130;
    let village = Village::new();
    let mut unit = begin(store).await;
    let mut sent = Vec::new();
    for number in 0..ENTRIES {
        // The larger ones are not to hide behind the smaller ones.
        let appended = village.operators(&mut *unit, HERE, 1 + number % 3).await;
        sent.push((appended.entry().clone(), appended.batch().clone()));
        if number % 10 == 0 {
            village.operators(&mut *unit, THERE, 1).await;
        }
    }
    commit(unit).await;
    let mut unit = read(store).await;
    for bytes in [0, 1_000, 3_000, 100_000, usize::MAX] {
        let mut all = Vec::new();
        loop {
            let after = all.len() as u64;
            let page = unit.entries(HERE, after, bytes).await.expect("a page");
            if page.is_empty() {
                break;
            }
            let size = |stored: &Stored| {
                sync_core::cbor::encode(&stored.batch).len()
                    + sync_core::cbor::encode(&stored.head).len()
            };
            let taken: usize = page.iter().map(size).sum();
            assert!(page.len() == 1 || taken <= bytes, "{taken} of {bytes}");
            all.extend(page);
        }
        let all: Vec<_> = all
            .into_iter()
            .map(|stored| (stored.head, stored.batch))
            .collect();
        assert!(all == sent, "{} entries in pages of {bytes}", all.len());
    }
    let past = unit.entries(HERE, ENTRIES as u64, 1).await.expect("a page");
    assert_eq!(past, []);
}

/// Each audience has a stream of its own; what was withheld for ever leaves everything else as it was.
pub async fn the_content_for_an_audience_can_be_taken_out(store: &dyn Store) {
    let village = Village::new();
    let phone = Phone(1);
    let mut unit = begin(store).await;
    let two = vec![
        household("张三"),
        on(RecordId::derive(phone.device(), HERE, 1), Verb::Set)
            .with("crop", Value::text("荞麦"))
            .audience(Audience::County),
    ];
    let appended = village.say(&mut *unit, HERE, phone, two).await;
    commit(unit).await;
    let before = everything(store, HERE, &[phone]).await;
    let parts = before.entries[0].batch.open().expect("a batch");
    let kept = parts.withhold(|_, envelope| envelope.audience == Audience::County);
    let mut unit = begin(store).await;
    unit.replace_batch(HERE, 1, &kept.to_wire())
        .await
        .expect("replaced");
    commit(unit).await;
    let after = everything(store, HERE, &[phone]).await;
    let read: Vec<bool> = (after.entries[0].batch.open().expect("a batch"))
        .commands()
        .map(|command| command.content.is_some())
        .collect();
    assert_eq!(read, [false, true]);
    assert_eq!(&after.entries[0].head, appended.entry());
    assert_eq!(
        (after.chain, after.index, after.fates),
        (before.chain, before.index, before.fates)
    );
}

/// What stands in a lane or was offered again by another is found under its origin, with whether it counts.
pub async fn what_is_offered_again_is_found_under_its_origin(store: &dyn Store) {
    let village = Village::new();
    let (lost, other) = (Phone(1), Phone(2));
    let origin = |n| Origin {
        device: lost.device(),
        journal: HERE,
        n,
    };
    let mut unit = begin(store).await;
    village
        .say(&mut *unit, HERE, lost, vec![household("张三"), nameless()])
        .await;
    let again = vec![
        household("张三").origin(origin(1)),
        household("李四").origin(origin(2)),
    ];
    let offered = village.say(&mut *unit, HERE, other, again).await;
    let counts: Vec<bool> = offered.entry().fates.iter().map(Fate::counts).collect();
    assert_eq!(counts, [false, true], "{:?}", offered.entry().fates);
    let asked = Asked {
        origins: BTreeSet::from([origin(1), origin(2), origin(3)]),
        ..Asked::default()
    };
    let mut found = unit.known(&asked).await.expect("offers").offers;
    found.sort_unstable();
    let mut expected = vec![
        (origin(1), lost.device(), true),
        (origin(1), other.device(), false),
        (origin(2), lost.device(), false),
        (origin(2), other.device(), true),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let there = |origin: &Origin| Origin {
        journal: THERE,
        ..*origin
    };
    let asked = Asked {
        origins: asked.origins.iter().map(there).collect(),
        ..Asked::default()
    };
    assert_eq!(unit.known(&asked).await.expect("none").offers, []);
}

/// Entries are found by their positions, in order; what does not exist is left out.
pub async fn entries_are_found_at_their_positions(store: &dyn Store) {
    let village = Village::new();
    let phone = Phone(1);
    let (first, second) = (
        RecordId::derive(phone.device(), HERE, 1),
        RecordId::derive(phone.device(), HERE, 2),
    );
    let crop = |record| on(record, Verb::Set).with("crop", Value::text("荞麦"));
    let mut unit = begin(store).await;
    let entries = [
        vec![household("张三"), household("李四")],
        vec![crop(second)],
        vec![crop(second), crop(first), crop(second)],
    ];
    for commands in entries {
        village.say(&mut *unit, HERE, phone, commands).await;
    }
    let at = [3, 1, 9].into_iter().collect();
    let found = unit.entries_at(HERE, &at).await.expect("entries");
    let all = unit.entries(HERE, 0, usize::MAX).await.expect("entries");
    assert_eq!(found, [all[0].clone(), all[2].clone()]);
    assert_eq!(unit.entries_at(THERE, &at).await.expect("none"), []);
}

/// What a device sends on a day adds up, by journal; the day before yesterday is forgotten.
pub async fn what_a_device_sends_adds_up_by_day(store: &dyn Store) {
    let device = Phone(1).device();
    let some = Used {
        commands: 3,
        bytes: 1_000,
        refused_bytes: 200,
    };
    let twice = Used {
        commands: 6,
        bytes: 2_000,
        refused_bytes: 400,
    };
    let mut unit = begin(store).await;
    for (journal, day) in [(HERE, 7), (HERE, 7), (THERE, 7)] {
        unit.add_used(day, &[((journal, device), some)].into())
            .await
            .expect("counted");
    }
    let mut used = Vec::new();
    for (journal, day) in [(HERE, 7), (HERE, 8), (THERE, 7)] {
        used.push(unit.used(journal, device, day).await.expect("an answer"));
    }
    assert_eq!(used, [twice, Used::default(), some]);
    unit.add_used(8, &[((HERE, device), some)].into())
        .await
        .expect("counted");
    assert_eq!(unit.used(HERE, device, 8).await.expect("an answer"), some);
    let yesterday = unit.used(HERE, device, 7).await.expect("an answer");
    assert_eq!(
        yesterday,
        Used::default(),
        "forgotten with the next day's first batch"
    );
}

/// Two batches under one number are kept as proof; one of them twice is kept once.
pub async fn a_batch_under_a_used_number_is_kept_once(store: &dyn Store) {
    let village = Village::new();
    let phone = Phone(1);
    let mut unit = begin(store).await;
    let appended = village
        .say(&mut *unit, HERE, phone, vec![household("张三")])
        .await;
    for digest in [Digest([1; 32]), Digest([1; 32]), Digest([2; 32])] {
        unit.keep_equivocation(appended.batch(), digest, NOW)
            .await
            .expect("kept");
    }
    commit(unit).await;
    assert_eq!(everything(store, HERE, &[phone]).await.entries.len(), 1);
}

/// Leaves stand in order, none twice; the newest of a journal says what of it is published.
pub async fn leaves_and_checkpoints_only_grow(store: &dyn Store) {
    let village = Village::new();
    let mut unit = begin(store).await;
    assert_eq!(unit.newest_checkpoint().await.expect("none"), None);
    let here = *village.operators(&mut *unit, HERE, 1).await.chain();
    let there = *village.operators(&mut *unit, THERE, 1).await.chain();
    let ends = vec![(HERE, here.end), (THERE, there.end)];
    assert_eq!(unit.unpublished().await.expect("journals"), ends);
    let node = |level, index| Node { level, index };
    let nodes = [
        (node(0, 0), Digest([1; 32])),
        (node(0, 1), Digest([2; 32])),
        (node(1, 0), Digest([3; 32])),
    ];
    unit.publish(&[leaf(0, &here), leaf(1, &there)], &nodes, &checkpoint(2))
        .await
        .expect("published");
    let asked = [node(0, 1), node(1, 0), node(0, 2)].into_iter().collect();
    let found = unit.tree_nodes(&asked).await.expect("nodes");
    assert_eq!(found, nodes[1..].iter().copied().collect());
    assert_eq!(unit.unpublished().await.expect("journals"), []);
    let next = *village.operators(&mut *unit, HERE, 1).await.chain();
    let open: Vec<(JournalId, Position)> = unit.unpublished().await.expect("journals");
    assert_eq!(open, [(HERE, next.end)]);
    unit.publish(&[leaf(2, &next)], &[], &checkpoint(3))
        .await
        .expect("published");
    commit(unit).await;

    let mut reading = read(store).await;
    let all = [leaf(0, &here), leaf(1, &there), leaf(2, &next)];
    assert_eq!(reading.leaves(0).await.expect("leaves"), all);
    assert_eq!(reading.leaves(2).await.expect("leaves"), all[2..]);
    assert_eq!(reading.leaves(3).await.expect("leaves"), []);
    let newest = reading.newest_leaf(HERE).await.expect("a leaf");
    assert_eq!(newest, Some(all[2]));
    let newest = reading.newest_checkpoint().await.expect("a checkpoint");
    assert_eq!(newest, Some(checkpoint(3)));
    drop(reading);

    let mut unit = begin(store).await;
    let again = unit.publish(&[leaf(2, &here)], &[], &checkpoint(4)).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    drop(unit);
    let mut reading = read(store).await;
    assert_eq!(reading.leaves(0).await.expect("leaves"), all);
}
