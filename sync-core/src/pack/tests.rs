use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::command::{Link, Verb};
use crate::id::{RecordId, Timestamp};
use crate::limits::{REQUEST_INFLATED_BYTES_MAX, STREAM_INFLATED_BYTES_MAX, VALUE_NESTING_MAX};
use crate::value::{Fields, Value};

const LANE: Lane = Lane {
    device: DeviceId([1; 16]),
    journal: JournalId([2; 16]),
    first: 7,
};
const MAX: usize = 1 << 20;

fn pack(run: &Run<'_>, places: &Places) -> Vec<u8> {
    packed(run, places, Effort::Full)
}

fn of_contents<'a>(contents: &'a [(u32, &'a Content)]) -> Run<'a> {
    Run {
        lanes: &[],
        counts: &[],
        envelopes: &[],
        contents,
    }
}

fn of_envelopes<'a>(lane: &'a Lane, count: &'a usize, envelopes: &'a [Envelope]) -> Run<'a> {
    Run {
        lanes: core::slice::from_ref(lane),
        counts: core::slice::from_ref(count),
        envelopes,
        contents: &[],
    }
}

fn contents_columns(rows: &[(u32, &Content)]) -> Vec<u8> {
    to_columns(&of_contents(rows), &Places::default())
}

fn contents_rows(rows: &[(u32, Content)]) -> Vec<u8> {
    let none: [usize; 0] = [];
    framed(ROWS, &cbor::encode(&(none, Vec::<Envelope>::new(), rows)))
}

fn envelopes_columns(lane: &Lane, rows: &[Envelope]) -> Vec<u8> {
    to_columns(&of_envelopes(lane, &rows.len(), rows), &Places::default())
}

fn referring(rows: &[(u32, Content)]) -> Vec<(u32, &Content)> {
    rows.iter()
        .map(|(index, content)| (*index, content))
        .collect()
}

fn numbered(contents: Vec<Content>) -> Vec<(u32, Content)> {
    contents
        .into_iter()
        .zip(3_u32..)
        .map(|(content, index)| (index * 2, content))
        .collect()
}

fn bare(rows: &[Envelope]) -> Vec<Envelope> {
    rows.iter()
        .map(|row| Envelope {
            digest: Digest([0; 32]),
            ..row.clone()
        })
        .collect()
}

/// A village evening: visits of one kind with much in common.
fn visits(count: u32) -> Vec<(u32, Content)> {
    let visit = |index: u32| {
        let fields = [
            ("date", Value::Int(20_000 + i64::from(index))),
            (
                "group",
                Value::text(["田心组", "竹山背组"][index as usize % 2]),
            ),
            (
                "note",
                Value::text(format!(
                    "入户回访第{index}户，今年种油菜{}亩，刚打完药。",
                    index * 7 % 11
                )),
            ),
            (
                "lat",
                Value::decimal(26_215_733 + i64::from(index) * 331, -6),
            ),
            ("met", Value::Bool(index.is_multiple_of(3))),
        ];
        (
            index,
            Content {
                values: Fields::from_iter(fields),
                ..Content::default()
            },
        )
    };
    (0..count).map(visit).collect()
}

fn envelopes(count: u64) -> Vec<Envelope> {
    let envelope = |n: u64| Envelope {
        n,
        record: RecordId::derive(LANE.device, LANE.journal, n),
        kind: "visit".to_owned(),
        base: 41,
        at: Timestamp(1_762_000_000_000 + n.cast_signed() * 61_333),
        verb: Verb::Create,
        action: None,
        fields: ["date", "group", "note"].map(str::to_owned).to_vec(),
        links: vec![Link {
            field: "household".to_owned(),
            target: RecordId([9; 16]),
            journal: None,
        }],
        audience: crate::command::Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    (LANE.first..)
        .take(usize::try_from(count).unwrap())
        .map(envelope)
        .collect()
}

#[test]
fn a_packed_evening_is_columns_and_a_fraction_of_its_rows() {
    let rows = visits(40);
    let packed = pack_contents(&referring(&rows));
    assert_eq!(packed[0], SQUEEZED);
    assert!(
        packed.len() * 5 < cbor::encode(&rows).len(),
        "{}",
        packed.len()
    );
    let envelopes = envelopes(40);
    let packed = pack_envelopes(&LANE, &envelopes);
    assert_eq!(packed[0], SQUEEZED);
    assert!(packed.len() < 250, "{}", packed.len()); // 40 × 2 bytes of time
}

#[test]
fn what_columns_cannot_carry_goes_in_rows() {
    let mut disordered = envelopes(30);
    disordered[4].fields.reverse();
    let packed = pack_envelopes(&LANE, &disordered);
    assert_eq!(packed[0], ROWS);
    assert_eq!(unpack_envelopes(&LANE, &packed, MAX), Ok(disordered));
    let nothing = pack_contents(&[]);
    assert_eq!(nothing[0], ROWS);
    assert_eq!(unpack_contents(&nothing, MAX), Ok(vec![]));
}

#[test]
fn a_command_alone_goes_uncompressed() {
    let alone = envelopes(1);
    let packed = pack_envelopes(&LANE, &alone);
    assert_eq!(packed[0], COLUMNS);
    assert!(
        packed.len() + 34 < cbor::encode(&alone).len(),
        "{}",
        packed.len()
    );
    assert_eq!(unpack_envelopes(&LANE, &packed, MAX), Ok(alone));
}

#[test]
fn a_lane_that_is_not_the_writers_gives_other_records() {
    let rows = envelopes(20);
    let packed = pack_envelopes(&LANE, &rows);
    let other = Lane {
        journal: JournalId([3; 16]),
        ..LANE
    };
    let unpacked = unpack_envelopes(&other, &packed, MAX).unwrap();
    assert!(
        unpacked
            .iter()
            .zip(&rows)
            .all(|(unpacked, row)| unpacked.record != row.record)
    );
}

#[test]
fn a_lane_ends_with_its_numbers() {
    let packed = pack_envelopes(&LANE, &envelopes(20));
    for (first, fits) in [
        (u64::MAX - 19, true),
        (u64::MAX - 18, false),
        (u64::MAX, false),
    ] {
        let lane = Lane { first, ..LANE };
        assert_eq!(
            unpack_envelopes(&lane, &packed, MAX).is_ok(),
            fits,
            "{first}"
        );
    }
}

#[test]
fn other_codecs_are_named_and_nothing_is_refused() {
    assert_eq!(
        unpack_contents(&[9, 1, 2], MAX),
        Err(PackError::UnknownCodec(9))
    );
    assert_eq!(
        unpack_contents(&[], MAX),
        Err(PackError::Malformed("empty"))
    );
    assert!(unpack_contents(&[COLUMNS], MAX).is_err());
    assert!(unpack_contents(&[SQUEEZED], MAX).is_err());
    assert!(unpack_contents(&[ROWS], MAX).is_err());
}

/// Records that the lane and another device made, each named by the place of its `Create`.
#[test]
fn a_record_is_named_by_its_place_where_it_is_known() {
    let other = DeviceId([8; 16]);
    let made = |device, n| (RecordId::derive(device, LANE.journal, n), (device, n));
    let known: BTreeMap<_, _> = [made(LANE.device, 3), made(other, 900), made(other, 901)].into();
    let stranger = RecordId([7; 16]);
    let mut rows = envelopes(4);
    for (row, record) in rows.iter_mut().zip(known.keys().chain([&stranger])) {
        (row.record, row.verb) = (*record, Verb::Set);
        row.links[0].target = *record;
    }
    let run = |places: &Places| pack(&of_envelopes(&LANE, &rows.len(), &rows), places);
    let (named, written) = (run(&Places(known.clone())), run(&Places::default()));
    assert!(
        named.len() + 2 * 16 - 8 < written.len(),
        "{} {}",
        named.len(),
        written.len()
    );
    for packed in [named, written] {
        assert_eq!(unpack_envelopes(&LANE, &packed, MAX).as_ref(), Ok(&rows));
    }
    // Who is wrong about a place writes the id.
    let wrong = known.keys().map(|record| (*record, (other, 5))).collect();
    let packed = run(&Places(wrong));
    assert_eq!(unpack_envelopes(&LANE, &packed, MAX).as_ref(), Ok(&rows));
}

#[test]
fn places_that_a_few_bytes_claim_are_charged() {
    // No rows, no written ids, no other devices, and many records by the lane's device under one number.
    let claims = |count: [u8; 3]| [&[0, 0, 0][..], &count, &[0, 0, 5, 0]].concat();
    let read = |count: [u8; 3]| {
        let numbers = claims(count);
        let columns = [vec![u8::try_from(numbers.len()).unwrap()], numbers].concat();
        from_columns(&[LANE], &columns, 1 << 20).map(drop)
    };
    let (edge, past) = (read([0x80, 0x80, 0x04]), read([0x81, 0x80, 0x04]));
    assert!(matches!(edge, Err(PackError::Malformed(_))), "{edge:?}");
    assert_eq!(past, Err(PackError::TooLarge(1 << 20)));
}

/// Batches of several lanes of one journal go as one.
#[test]
fn runs_of_several_lanes_are_packed_together() {
    let other = Lane {
        device: DeviceId([8; 16]),
        first: 1,
        ..LANE
    };
    let mut rows = envelopes(12);
    for (row, n) in rows.iter_mut().skip(5).zip(1..) {
        row.n = n;
        row.record = RecordId::derive(other.device, other.journal, n);
    }
    let contents = visits(12);
    let contents = referring(&contents);
    let run = Run {
        lanes: &[LANE, other],
        counts: &[5, 7],
        envelopes: &rows,
        contents: &contents,
    };
    let packed = pack(&run, &Places::default());
    assert_eq!(packed[0], SQUEEZED);
    let quickly = super::packed(&run, &Places::default(), Effort::Quick);
    assert!(quickly.len() >= packed.len());
    for packed in [packed, quickly] {
        let unpacked = unpack(run.lanes, &packed, MAX).unwrap();
        assert_eq!(
            (unpacked.counts, unpacked.envelopes),
            (vec![5, 7], rows.clone())
        );
        assert!(
            unpacked
                .contents
                .iter()
                .map(|(index, content)| (*index, content))
                .eq(contents.clone())
        );
        assert!(unpack(&[LANE], &packed, MAX).is_err());
        assert!(unpack(&[other, LANE], &packed, MAX).is_ok_and(|other| other.envelopes != rows));
    }
}

#[test]
fn packing_repeats_itself_byte_for_byte() {
    let rows = visits(20);
    assert_eq!(
        pack_contents(&referring(&rows)),
        pack_contents(&referring(&rows))
    );
}

/// The limit counts what the rows take in CBOR, so one long text named by every row does not get past it.
#[test]
fn the_limit_holds_for_the_rows_too() {
    let long = "长".repeat(10_000);
    let content = Content {
        values: Fields::from_iter([("note", Value::text(long))]),
        ..Content::default()
    };
    let rows: Vec<(u32, Content)> = (0..1000).map(|index| (index, content.clone())).collect();
    let packed = pack_contents(&referring(&rows));
    assert_eq!(packed[0], SQUEEZED);
    assert!(packed.len() < 500);
    let canonical = cbor::encode(&rows).len();
    assert_eq!(unpack_contents(&packed, canonical), Ok(rows));
    assert_eq!(
        unpack_contents(&packed, STREAM_INFLATED_BYTES_MAX),
        Err(PackError::TooLarge(STREAM_INFLATED_BYTES_MAX))
    );
}

#[test]
fn values_nest_so_deep() {
    let nested = |depth: u8| {
        let value = (0..depth).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
        let values = Fields::from_iter([("field", value)]);
        let content = Content {
            values,
            ..Content::default()
        };
        vec![(0_u32, content)]
    };
    let (edge, past) = (nested(VALUE_NESTING_MAX), nested(VALUE_NESTING_MAX + 1));
    let forms = |rows: &[(u32, Content)]| {
        [
            contents_rows(rows),
            framed(COLUMNS, &contents_columns(&referring(rows))),
        ]
    };
    for packed in forms(&edge) {
        assert_eq!(unpack_contents(&packed, MAX).as_ref(), Ok(&edge));
    }
    for packed in forms(&past) {
        assert!(matches!(
            unpack_contents(&packed, MAX),
            Err(PackError::Malformed(_))
        ));
    }
}

/// What a stream of contents takes of a room.
fn taken(packed: &[u8]) -> usize {
    let mut room = Room::of_request();
    room.unpack(&[], packed).unwrap();
    REQUEST_INFLATED_BYTES_MAX - room.left()
}

#[test]
fn a_room_gives_its_last_byte_and_not_one_more() {
    let (many, alone) = (visits(40), visits(1));
    let as_rows = contents_rows(&many);
    let squeezed = pack_contents(&referring(&many));
    let columns = framed(COLUMNS, &contents_columns(&referring(&alone)));
    assert_eq!(squeezed[0], SQUEEZED);
    let because = |letters: usize| Content {
        reason: Some("a".repeat(letters)),
        ..Content::default()
    };
    let reasons = vec![(0, because(50_000))];
    let long = pack_contents(&referring(&reasons));
    for (packed, rows) in [
        (as_rows, &many),
        (squeezed, &many),
        (columns, &alone),
        (long, &reasons),
    ] {
        let took = taken(&packed);
        let mut edge = Room(took);
        assert_eq!(
            edge.unpack(&[], &packed)
                .as_ref()
                .map(|unpacked| &unpacked.contents),
            Ok(rows)
        );
        assert_eq!(edge.unpack(&[], &packed), Err(PackError::NoRoom));
        let mut short = Room(took - 1);
        assert_eq!(short.unpack(&[], &packed), Err(PackError::NoRoom));
        assert_eq!(short.left(), 0);
    }
}

#[test]
fn a_room_counts_the_rows_that_a_few_bytes_stand_for() {
    let long = "长".repeat(10_000);
    let content = Content {
        values: Fields::from_iter([("note", Value::text(long))]),
        ..Content::default()
    };
    let rows: Vec<(u32, Content)> = (0..8).map(|index| (index, content.clone())).collect();
    assert!(taken(&pack_contents(&referring(&rows))) > 8 * 30_000);
    let bare: Vec<(u32, Content)> = (0..1).map(|index| (index, Content::default())).collect();
    assert!(taken(&pack_contents(&referring(&bare))) < 64);
}

#[test]
fn what_is_malformed_takes_what_it_might_have_taken() {
    let mut room = Room(STREAM_INFLATED_BYTES_MAX + 7);
    assert_eq!(
        room.unpack(&[], &[9, 1, 2]),
        Err(PackError::UnknownCodec(9))
    );
    assert_eq!(room.left(), 7);
    assert_eq!(
        room.unpack(&[LANE], &[9, 1, 2]),
        Err(PackError::NoRoom),
        "in too little room nothing is told apart"
    );
}

/// Columns of constants take a few bytes for any number of rows.
#[test]
fn claimed_counts_make_nothing() {
    for count in [1_u64 << 20, 1 << 32, 1 << 63, u64::MAX] {
        let mut claim = Vec::new();
        let mut left = count;
        while left >= 0x80 {
            claim.push(left.to_le_bytes()[0] | 0x80);
            left >>= 7;
        }
        claim.push(left.to_le_bytes()[0]);
        claim.extend([0; 30]);
        let columns = [vec![u8::try_from(claim.len()).unwrap()], claim].concat();
        let packed = framed(SQUEEZED, &brotli::squeeze(&columns, Effort::Full));
        assert!(unpack_contents(&packed, STREAM_INFLATED_BYTES_MAX).is_err());
        assert!(unpack_envelopes(&LANE, &packed, STREAM_INFLATED_BYTES_MAX).is_err());
    }
}

#[test]
fn what_a_core_without_brotli_packs_is_the_same() {
    let rows = visits(20);
    let packed = pack_contents(&referring(&rows));
    assert_eq!(packed[0], SQUEEZED);
    let columns = brotli::release(&packed[1..], MAX).unwrap();
    let deflated = framed(DEFLATED, &deflate::squeeze(&columns, Effort::Full));
    assert_eq!(unpack_contents(&deflated, MAX), Ok(rows));
    assert_eq!(
        unpack_contents(&deflated, columns.len() - 1),
        Err(PackError::TooLarge(columns.len() - 1))
    );
}

// Each of these compresses, which takes milliseconds.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contents_come_back(contents in vec(arbitrary::content(), 0..12)) {
        let rows = numbered(contents);
        let packed = pack_contents(&referring(&rows));
        prop_assert_eq!(unpack_contents(&packed, MAX), Ok(rows));
    }

    #[test]
    fn envelopes_come_back(rows in arbitrary::lane_of(LANE.device, LANE.journal, LANE.first, 12)) {
        let packed = pack_envelopes(&LANE, &rows);
        prop_assert_eq!(unpack_envelopes(&LANE, &packed, MAX), Ok(bare(&rows)));
    }

    #[test]
    fn damaged_bytes_never_break_the_reader(
        contents in vec(arbitrary::content(), 1..6),
        run in arbitrary::lane_of(LANE.device, LANE.journal, LANE.first, 6),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let rows = numbered(contents);
        let damaged = |mut bytes: Vec<u8>| {
            for (place, byte) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            if cut.index(4) == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        };
        let _ = unpack_contents(&damaged(pack_contents(&referring(&rows))), MAX);
        let _ = unpack_envelopes(&LANE, &damaged(pack_envelopes(&LANE, &run)), MAX);
        let _ = from_columns(&[], &damaged(contents_columns(&referring(&rows))), MAX);
        let _ = from_columns(&[LANE], &damaged(envelopes_columns(&LANE, &run)), MAX);
    }
}

proptest! {
    #[test]
    fn columns_alone_carry_every_content(contents in vec(arbitrary::content(), 0..12)) {
        let rows = numbered(contents);
        let columns = contents_columns(&referring(&rows));
        let canonical: usize = rows.iter().map(|row| cbor::encode(row).len()).sum();
        prop_assert_eq!(from_columns(&[], &columns, canonical).map(|(unpacked, _)| unpacked.contents), Ok(rows));
    }

    #[test]
    fn columns_alone_carry_every_run(rows in arbitrary::lane_of(LANE.device, LANE.journal, LANE.first, 12)) {
        let columns = envelopes_columns(&LANE, &rows);
        let canonical: usize = rows.iter().map(|row| cbor::encode(row).len()).sum();
        prop_assert_eq!(from_columns(&[LANE], &columns, canonical).map(|(unpacked, _)| unpacked.envelopes), Ok(bare(&rows)));
    }

    #[test]
    fn any_bytes_never_break_the_reader(bytes: Vec<u8>) {
        let _ = from_columns(&[], &bytes, MAX);
        let _ = from_columns(&[LANE], &bytes, MAX);
    }
}
