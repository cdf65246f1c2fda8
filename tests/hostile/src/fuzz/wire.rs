//! What comes over the wire.

use std::sync::{Mutex, OnceLock};

use sync_core::batch::WireBatch;
use sync_core::cbor;
use sync_core::command::{Content, Envelope};
use sync_core::id::DeploymentId;
use sync_core::limits::{
    BATCH_COMMANDS_MAX, PAGE_BYTES_MAX, REQUEST_CURSORS_MAX, REQUEST_INFLATED_BYTES_MAX,
    STREAM_INFLATED_BYTES_MAX,
};
use sync_core::pack::{self, Lane, Room};
use sync_core::segment;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{Outcome, SyncRequest};

use super::samples::{self, Samples};

/// What is unpacked is counted before it is made, a number as the least that it can take: one byte of up to nine.
const NUMBER_BYTES: usize = 9;

/// A batch opens within its limits, and packs to what it stands for.
pub(super) fn batch(bytes: &[u8]) {
    let Ok(wire) = cbor::decode::<WireBatch>(bytes) else {
        return;
    };
    assert_eq!(cbor::encode(&wire), bytes);
    let mut room = Room::of_request();
    let Ok(parts) = wire.open_within(&mut room) else {
        return;
    };
    assert!(parts.batch.envelopes.len() <= BATCH_COMMANDS_MAX);
    assert_eq!(parts.batch.envelopes.len(), parts.contents.len());
    let spent = REQUEST_INFLATED_BYTES_MAX - room.left();
    let contents = parts.contents.iter().flatten();
    let held: usize = contents.map(|salted| salted.content.to_cbor().len()).sum();
    assert!(
        held <= NUMBER_BYTES * spent,
        "{held} bytes came out of {spent}"
    );
    let again = parts.to_wire().open().expect("what was opened is packed");
    assert_eq!(again, parts);
}

pub(super) fn envelope(bytes: &[u8]) {
    let Ok(envelope) = cbor::decode::<Envelope>(bytes) else {
        return;
    };
    assert_eq!(cbor::encode(&envelope), bytes);
    let lane = Lane {
        device: samples::DEVICE,
        journal: samples::JOURNAL,
        first: envelope.n,
    };
    let bare = Envelope {
        digest: sync_core::id::Digest([0; 32]),
        ..envelope.clone()
    };
    let packed = pack::pack_envelopes(&lane, &[envelope]);
    let unpacked = pack::unpack_envelopes(&lane, &packed, 2 * bytes.len() + 256);
    assert_eq!(unpacked.as_deref(), Ok(&[bare][..]));
}

pub(super) fn content(bytes: &[u8]) {
    let Ok(content) = cbor::decode::<Content>(bytes) else {
        return;
    };
    assert_eq!(content.to_cbor(), bytes);
    let packed = pack::pack_contents(&[(7, &content)]);
    let unpacked = pack::unpack_contents(&packed, 2 * bytes.len() + 256);
    assert!(unpacked.is_ok_and(|rows| rows == [(7, content)]));
}

pub(super) fn pack_contents(bytes: &[u8]) {
    let Ok(rows) = pack::unpack_contents(bytes, STREAM_INFLATED_BYTES_MAX) else {
        return;
    };
    assert!(cbor::encode(&rows).len() <= NUMBER_BYTES * STREAM_INFLATED_BYTES_MAX);
    let borrowed: Vec<(u32, &Content)> = rows.iter().map(|(at, row)| (*at, row)).collect();
    let again = pack::unpack_contents(&pack::pack_contents(&borrowed), usize::MAX);
    assert!(again.is_ok_and(|again| again == rows));
}

pub(super) fn pack_envelopes(bytes: &[u8]) {
    let lane = samples::LANE;
    let Ok(rows) = pack::unpack_envelopes(&lane, bytes, STREAM_INFLATED_BYTES_MAX) else {
        return;
    };
    // Digests come apart, and are not counted.
    let digests = 34 * rows.len();
    assert!(cbor::encode(&rows).len() <= NUMBER_BYTES * STREAM_INFLATED_BYTES_MAX + digests);
    let again = pack::unpack_envelopes(&lane, &pack::pack_envelopes(&lane, &rows), usize::MAX);
    assert_eq!(again, Ok(rows));
}

/// A request is read and answered; nobody but the one who signed gets anything entered.
pub(super) fn request(bytes: &[u8]) {
    static HOST: OnceLock<Mutex<Samples>> = OnceLock::new();
    let Ok(request) = cbor::decode::<SyncRequest>(bytes) else {
        return;
    };
    assert_eq!(cbor::encode(&request), bytes);
    if request.protocol != PROTOCOL || request.cursors.len() > REQUEST_CURSORS_MAX {
        return;
    }
    let mut samples = HOST
        .get_or_init(|| Mutex::new(Samples::new()))
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let device = samples.phone.device.id();
    let response = samples.host.sync(&request, device, samples::NOW);
    assert_eq!(response.receipts.len(), request.batches.len());
    assert_eq!(response.carried.len(), request.carried.len());
    let budget = (request.budget_bytes as usize).max(PAGE_BYTES_MAX);
    for page in &response.journals {
        let bytes: usize = page
            .entries
            .iter()
            .map(sync_core::sync::wire::WireEntry::bytes)
            .sum();
        assert!(page.entries.len() <= 1 || bytes <= budget);
    }
    for (batch, receipt) in request.batches.iter().zip(&response.receipts) {
        if batch.device != device {
            assert!(matches!(receipt.outcome, Outcome::Unusable { .. }));
        }
    }
}

pub(super) fn segment(bytes: &[u8]) {
    let deployment = DeploymentId([3; 16]);
    let Ok(entries) = segment::open(deployment, bytes) else {
        return;
    };
    let again = segment::open(deployment, &segment::pack(&entries));
    assert_eq!(again, Ok(entries));
}
