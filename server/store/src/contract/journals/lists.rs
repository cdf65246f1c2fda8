//! Folded records, and lists of them.

use std::collections::BTreeSet;

use sync_core::command::{Audience, Verb};
use sync_core::id::{JournalId, RecordId, Timestamp};
use sync_core::journal::{Entry, Fate};
use sync_core::record::{self, Logged};
use sync_core::value::Value;

use super::super::{begin, commit, read};
use super::village::{HERE, NOW, Phone, THERE, Village, household, on, visit};
use crate::journals::{Filter, Folded};
use crate::{Store, Unit};

/// A record as the entries of the unit add up to it.
pub(super) async fn fold(
    unit: &mut dyn Unit,
    village: &Village,
    journal: JournalId,
    record: RecordId,
    text: &str,
    changed_at: Timestamp,
) -> Folded {
    let mut log: Vec<Logged> = Vec::new();
    for stored in unit.entries(journal, 0, usize::MAX).await.expect("entries") {
        let parts = stored.batch.open().expect("a batch");
        let entry = Entry {
            head: stored.head,
            parts,
        };
        let speaks =
            |logged: &Logged| record::touches(&logged.command.envelope).any(|it| it == record);
        log.extend(record::logged(&entry).filter(speaks));
    }
    Folded {
        record: record::fold(&village.catalogues, journal, record, &log),
        created_at: NOW,
        changed_at,
        text: text.to_owned(),
    }
}

/// A record, as lists are ordered.
type Key = (JournalId, RecordId);

/// Five records, each of which some filter tells from the others.
struct Records {
    /// A household with two values for one field.
    conflicted: Key,
    /// A household that moved out; a second move was without effect.
    unanswered: Key,
    /// A visit with a command by a wrong clock.
    flagged: Key,
    /// A visit for the team alone.
    teams: Key,
    /// A household of the other village.
    there: Key,
}

impl Records {
    async fn write(store: &dyn Store) -> Self {
        let village = Village::new();
        let (one, two) = (Phone(1), Phone(2));
        let id = |phone: Phone, journal, n| (journal, RecordId::derive(phone.device(), journal, n));
        let records = Self {
            conflicted: id(one, HERE, 1),
            unanswered: id(one, HERE, 2),
            flagged: id(one, HERE, 3),
            teams: id(one, HERE, 4),
            there: id(one, THERE, 1),
        };
        let (conflicted, moved) = (records.conflicted.1, records.unanswered.1);
        let mut unit = begin(store).await;
        let made = vec![
            household("张三"),
            household("李四"),
            visit(conflicted).a_day_early(),
            visit(conflicted).audience(Audience::Team),
        ];
        village.say(&mut *unit, HERE, one, made).await;
        let crop = |crop| {
            on(conflicted, Verb::Set)
                .with("crop", Value::text(crop))
                .base(1)
        };
        let moves = || on(moved, Verb::Act).moving_out().base(1);
        village
            .say(&mut *unit, HERE, one, vec![crop("荞麦"), moves()])
            .await;
        let late = village
            .say(&mut *unit, HERE, two, vec![crop("玉米"), moves()])
            .await;
        assert!(
            matches!(late.entry().fates[..], [Fate::Accepted, Fate::NoEffect(_)]),
            "{:?}",
            late.entry().fates
        );
        village
            .say(&mut *unit, THERE, one, vec![household("王五")])
            .await;
        let texts = [
            (records.conflicted, "张三\n荞麦 玉米", 1),
            (records.unanswered, "李四", 2),
            (records.flagged, "老人想装扶手 100%", 3),
            (records.teams, "", 4),
            (records.there, "王五\n荞麦", 5),
        ];
        for ((journal, record), text, at) in texts {
            let at = Timestamp(NOW.0 + at);
            let folded = fold(&mut *unit, &village, journal, record, text, at).await;
            let seq = if journal == HERE { 3 } else { 1 };
            unit.put_folded(journal, seq, &[folded])
                .await
                .expect("folded");
        }
        commit(unit).await;
        records
    }
}

/// Of both journals, for every audience.
fn all() -> Filter {
    Filter {
        journals: BTreeSet::from([HERE, THERE]),
        audiences: Audience::ALL.to_vec(),
        limit: 100,
        ..Filter::default()
    }
}

async fn keys(store: &dyn Store, filter: &Filter) -> Vec<Key> {
    let found = read(store).await.records(filter).await.expect("a list");
    found
        .iter()
        .map(|folded| (folded.record.journal, folded.record.id))
        .collect()
}

/// Each filter lets through the records that it names and no other, in the order of journal and record.
pub async fn a_filter_lets_through_what_it_names(store: &dyn Store) {
    let records = Records::write(store).await;
    let Records {
        conflicted,
        unanswered,
        flagged,
        teams,
        there,
    } = records;
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let at = |at: i64| Some(Timestamp(NOW.0 + at));
    let here = BTreeSet::from([HERE]);
    let village = vec![Audience::Village];
    let every = vec![conflicted, unanswered, flagged, teams, there];
    let cases: Vec<(&str, Filter, Vec<Key>)> = vec![
        ("all", all(), every),
        (
            "no journal",
            Filter {
                journals: BTreeSet::new(),
                ..all()
            },
            vec![],
        ),
        (
            "no audience",
            Filter {
                audiences: vec![],
                ..all()
            },
            vec![],
        ),
        (
            "journal",
            Filter {
                journals: here,
                ..all()
            },
            vec![conflicted, unanswered, flagged, teams],
        ),
        (
            "audience",
            Filter {
                audiences: village,
                ..all()
            },
            vec![conflicted, unanswered, flagged, there],
        ),
        (
            "kind",
            Filter {
                kind: Some("visit".to_owned()),
                ..all()
            },
            vec![flagged, teams],
        ),
        (
            "state",
            Filter {
                state: Some("moved_out".to_owned()),
                ..all()
            },
            vec![unanswered],
        ),
        (
            "conflicted",
            Filter {
                conflicted: true,
                ..all()
            },
            vec![conflicted],
        ),
        (
            "flagged",
            Filter {
                flagged: Some(true),
                ..all()
            },
            vec![flagged],
        ),
        (
            "not flagged",
            Filter {
                flagged: Some(false),
                ..all()
            },
            vec![conflicted, unanswered, teams, there],
        ),
        (
            "unanswered",
            Filter {
                unanswered: true,
                ..all()
            },
            vec![unanswered],
        ),
        (
            "a word",
            Filter {
                words: words(&["荞麦"]),
                ..all()
            },
            vec![conflicted, there],
        ),
        (
            "words",
            Filter {
                words: words(&["荞麦", "玉米"]),
                ..all()
            },
            vec![conflicted],
        ),
        (
            "a sign that means something elsewhere",
            Filter {
                words: words(&["%"]),
                ..all()
            },
            vec![flagged],
        ),
        (
            "since",
            Filter {
                since: at(3),
                ..all()
            },
            vec![flagged, teams, there],
        ),
        (
            "until",
            Filter {
                until: at(3),
                ..all()
            },
            vec![conflicted, unanswered],
        ),
        (
            "both",
            Filter {
                since: at(2),
                until: at(4),
                ..all()
            },
            vec![unanswered, flagged],
        ),
        (
            "two",
            Filter {
                kind: Some("visit".to_owned()),
                flagged: Some(true),
                ..all()
            },
            vec![flagged],
        ),
    ];
    for (name, filter, mut expected) in cases {
        expected.sort_unstable();
        assert_eq!(keys(store, &filter).await, expected, "{name}");
    }
}

/// Whatever a page holds, all pages together are the list.
pub async fn a_list_in_pages_is_the_whole_list(store: &dyn Store) {
    Records::write(store).await;
    let whole = keys(store, &all()).await;
    assert_eq!(whole.len(), 5);
    for limit in 1..=6 {
        let mut paged = Vec::new();
        loop {
            let after = paged.last().copied();
            let page = keys(
                store,
                &Filter {
                    after,
                    limit,
                    ..all()
                },
            )
            .await;
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole, "pages of {limit}");
    }
}

/// A record is replaced by its next fold, and forgotten with its journal's; the entries stay, and say that they are to be folded.
pub async fn what_is_folded_can_be_forgotten_and_folded_again(store: &dyn Store) {
    let records = Records::write(store).await;
    let (journal, id) = records.conflicted;
    let mut unit = begin(store).await;
    assert_eq!(unit.folded_seq(HERE).await.expect("a position"), 3);
    assert_eq!(unit.unfolded().await.expect("journals"), []);
    let known = unit.record(journal, id).await.expect("a record");
    let mut changed = known.expect("it was folded");
    "张三\n谷子".clone_into(&mut changed.text);
    changed.changed_at = Timestamp(NOW.0 + 9);
    unit.put_folded(HERE, 3, &[changed.clone()])
        .await
        .expect("folded");
    let found = unit.record(journal, id).await.expect("a record");
    assert_eq!(found, Some(changed.clone()));

    unit.forget_folded(HERE).await.expect("forgotten");
    assert_eq!(unit.folded_seq(HERE).await.expect("a position"), 0);
    assert_eq!(unit.unfolded().await.expect("journals"), [HERE]);
    assert_eq!(unit.record(journal, id).await.expect("none"), None);
    assert_eq!(unit.folded_seq(THERE).await.expect("a position"), 1);
    let entries = unit.entries(HERE, 0, usize::MAX).await.expect("entries");
    assert_eq!(entries.len(), 3);
    unit.put_folded(HERE, 3, &[changed.clone()])
        .await
        .expect("folded");
    commit(unit).await;
    assert_eq!(keys(store, &all()).await.len(), 2);
}
