//! Batches, entries and segments on the wire: whole, withheld, and damaged.

mod formats;

use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::journal::{Chain, Entry, EntryHead, Fate};
use crate::segment;
use crate::sync::wire::WireEntry;

fn key() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

fn deployment() -> DeploymentId {
    SigningKey::from_seed([4; 32]).public().deployment()
}

/// A sealed batch of any commands.
fn parts() -> impl Strategy<Value = Parts> {
    let journal = JournalId([5; 16]);
    let lane = (1..9_u64).prop_flat_map(move |first| {
        arbitrary::lane_of(key().public().device(), journal, first, 8)
            .prop_filter("a batch has commands", |lane| !lane.is_empty())
    });
    (
        lane,
        prop::collection::vec(arbitrary::content(), 8),
        any::<[u8; 16]>(),
    )
        .prop_map(move |(lane, contents, seed)| {
            let key = key();
            let sealing = Sealing {
                deployment: deployment(),
                journal,
                assignment: AssignmentId([6; 16]),
                catalogue: 1,
                previous: lane_start(key.public().device(), journal),
                seen: Chain::start(journal).end,
                at: Timestamp(0),
                seed: Seed(seed),
                key: &key,
            };
            let commands = lane
                .into_iter()
                .zip(contents)
                .map(|(envelope, content)| Unsealed { envelope, content })
                .collect();
            seal(&sealing, commands)
        })
}

/// The same, some contents withheld.
fn held() -> impl Strategy<Value = Parts> {
    (parts(), any::<u8>())
        .prop_map(|(parts, mask)| parts.withhold(|index, _| mask >> (index % 8) & 1 == 1))
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Accepted),
        1 => Just(Fate::Flagged(vec!["clock".to_owned()])),
        1 => Just(Fate::NoEffect("superseded".to_owned())),
        1 => prop::option::of(arbitrary::name()).prop_map(|field| Fate::Refused("not_allowed".to_owned(), field)),
    ]
}

fn entry(seq: Seq, parts: Parts, fates: &[Fate]) -> Entry {
    let head = EntryHead {
        journal: parts.batch.journal,
        seq,
        received_at: Timestamp(1_000),
        registry: Chain::start(JournalId([7; 16])).end,
        catalogue: parts.batch.catalogue,
        fold: 1,
        batch: parts.batch.digest(deployment()),
        signature: parts.signature.clone(),
        fates: parts
            .batch
            .envelopes
            .iter()
            .zip(fates.iter().cycle())
            .map(|(_, fate)| fate.clone())
            .collect(),
    };
    Entry { head, parts }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (held(), prop::collection::vec(fate(), 1..4));
    prop::collection::vec(one, 1..5).prop_map(|all| {
        (1..)
            .zip(all)
            .map(|(seq, (parts, fates))| entry(seq, parts, &fates))
            .collect()
    })
}

/// One damage to bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, u8),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<prop::sample::Index>;
    let one = prop_oneof![
        4 => (index(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => index().prop_map(Damage::Cut),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
    ];
    prop::collection::vec(one, 1..4)
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(at, bits) => *at.get_mut(&mut bytes) ^= bits,
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_comes_off_the_wire_as_it_went_on(held in held()) {
        let bytes = cbor::encode(&held.to_wire());
        let opened = cbor::decode::<WireBatch>(&bytes).unwrap().open().unwrap();
        prop_assert_eq!(&opened, &held);
        prop_assert!(opened.is_signed_by(deployment(), &key().public()));
    }

    #[test]
    fn an_entry_comes_off_the_wire_as_it_went_on(entries in entries()) {
        for entry in &entries {
            let bytes = cbor::encode(&WireEntry::pack(entry));
            let opened = cbor::decode::<WireEntry>(&bytes).unwrap().open(deployment(), |_| None).unwrap();
            prop_assert_eq!(&opened, entry);
        }
    }

    #[test]
    fn a_segment_opens_to_the_entries_it_was_packed_from(entries in entries()) {
        prop_assert_eq!(segment::open(deployment(), &segment::pack(&entries)).unwrap(), entries);
    }

    #[test]
    fn a_damaged_batch_is_malformed_or_unsigned_or_the_same(held in held(), damages in damages()) {
        let bytes = damaged(&cbor::encode(&held.to_wire()), &damages);
        let Ok(wire) = cbor::decode::<WireBatch>(&bytes) else { return Ok(()) };
        let Ok(opened) = wire.open() else { return Ok(()) };
        if opened.is_signed_by(deployment(), &key().public()) {
            prop_assert_eq!(opened.batch, held.batch);
        }
    }

    #[test]
    fn a_damaged_entry_or_segment_opens_to_an_error_or_another_chain(entries in entries(), damages in damages()) {
        let bytes = damaged(&cbor::encode(&WireEntry::pack(&entries[0])), &damages);
        if let Ok(opened) = cbor::decode::<WireEntry>(&bytes).map_err(drop).and_then(|wire| wire.open(deployment(), |_| None).map_err(drop)) {
            prop_assert!(opened == entries[0] || opened.head != entries[0].head || opened.parts != entries[0].parts);
        }
        let _ = segment::open(deployment(), &damaged(&segment::pack(&entries), &damages));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = cbor::decode::<WireBatch>(&bytes).map(|wire| wire.open());
        let _ = cbor::decode::<WireEntry>(&bytes).map(|wire| wire.open(deployment(), |_| None));
        let _ = cbor::decode::<crate::sync::wire::SyncRequest>(&bytes);
        let _ = cbor::decode::<crate::sync::wire::SyncResponse>(&bytes);
        let _ = segment::open(deployment(), &bytes);
    }
}

#[test]
fn an_audience_has_one_stream() {
    let config = ProptestConfig {
        cases: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&parts(), |parts| {
            let mut wire = parts.to_wire();
            let stream = wire.streams[0].clone();
            wire.streams.push(stream);
            prop_assert_eq!(wire.open(), Err(Malformed::Streams));
            Ok(())
        })
        .unwrap();
}

/// A batch of one command whose reason has so many letters.
fn of_letters(letters: usize) -> Parts {
    let envelope = Envelope {
        n: 1,
        record: crate::id::RecordId([9; 16]),
        kind: "visit".to_owned(),
        base: 0,
        at: Timestamp(0),
        verb: crate::command::Verb::Void,
        action: None,
        fields: Vec::new(),
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    let content = Content {
        reason: Some("a".repeat(letters)),
        ..Content::default()
    };
    sealed(vec![Unsealed { envelope, content }])
}

#[test]
fn a_segment_opens_to_so_many_bytes() {
    let half = limits::SEGMENT_BYTES / 2;
    let of_halves = |halves: Seq| -> Vec<Entry> {
        (1..=halves)
            .map(|seq| entry(seq, of_letters(half), &[Fate::Accepted]))
            .collect()
    };
    let fits = of_halves(7);
    assert_eq!(
        segment::open(deployment(), &segment::pack(&fits)).as_ref(),
        Ok(&fits)
    );
    assert!(matches!(
        segment::open(deployment(), &segment::pack(&of_halves(8))),
        Err(segment::SegmentError::Pack(_))
    ));
}

/// Three batches of one lane, the second and third sealed when the one before had been entered.
fn lane_of_three() -> Vec<Entry> {
    let (mut chain, mut previous) = (Chain::start(JournalId([5; 16])), None);
    let mut entries = Vec::new();
    for n in 1..=3 {
        let mut parts = of_letters(10);
        let seed = parts.seed.unwrap();
        let batch = &mut parts.batch;
        batch.envelopes[0].n = n;
        batch.seen = chain.end;
        batch.previous = previous.unwrap_or(batch.previous);
        let salted = parts.contents[0].as_mut().unwrap();
        salted.salt = seed.salt(n);
        batch.envelopes[0].digest = salted.content.digest(salted.salt);
        let entry = entry(n, parts, &[Fate::Accepted]);
        (chain, previous) = (chain.append(&entry.head).unwrap(), Some(entry.head.batch));
        entries.push(entry);
    }
    entries
}

#[test]
fn a_segment_sends_no_digest_that_follows_from_it() {
    let entries = lane_of_three();
    let whole = segment::pack(&entries);
    assert_eq!(segment::open(deployment(), &whole).as_ref(), Ok(&entries));
    // Two digests less than what begins later and cannot follow the chain from its beginning.
    let (first, rest) = entries.split_first().unwrap();
    let (first, rest) = (segment::pack(core::slice::from_ref(first)), rest.to_vec());
    let later = segment::pack(&rest);
    assert_eq!(segment::open(deployment(), &later), Ok(rest));
    assert!(
        first.len() + later.len() > whole.len() + 2 * 32,
        "{} {} {}",
        first.len(),
        later.len(),
        whole.len()
    );
}

#[test]
fn a_batch_of_nothing_is_no_batch() {
    assert_eq!(
        sealed(Vec::new()).to_wire().open(),
        Err(Malformed::Numbering)
    );
}

/// The first batch of a lane.
fn sealed(commands: Vec<Unsealed>) -> Parts {
    let journal = JournalId([5; 16]);
    let key = key();
    let sealing = Sealing {
        deployment: deployment(),
        journal,
        assignment: AssignmentId([6; 16]),
        catalogue: 1,
        previous: lane_start(key.public().device(), journal),
        seen: Chain::start(journal).end,
        at: Timestamp(0),
        seed: Seed([0; 16]),
        key: &key,
    };
    seal(&sealing, commands)
}
