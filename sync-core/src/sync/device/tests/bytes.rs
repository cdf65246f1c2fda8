//! What a village's day takes on the line, to the byte, so that it cannot grow unseen. The day is in words of our own
//! (`testing/day.rs`), and it is the same each time.

use crate::batch::WireBatch;
use crate::cbor;
use crate::segment;
use crate::sync::wire::{SyncRequest, SyncResponse};
use crate::testing::{Phone, VillageDay};

/// The bodies of a return: 20 visits and 10 tasks carried on go up, a teammate's 5 come down.
const RETURN_UP_BYTES: usize = 3_611;
const RETURN_DOWN_BYTES: usize = 1_202;
/// A hundred and twenty visits, sixty households and thirty tasks, in one segment.
const SEGMENT_BYTES: usize = 13_843;
/// An idle sync, each way.
const IDLE_BYTES_MAX: usize = 300;
/// A change may take so many in a hundred more before this must be looked at.
const SLACK: usize = 1;

#[track_caller]
fn check_bytes(what: &str, takes: usize, measured: usize) {
    let most = measured + measured * SLACK / 100;
    assert!(
        takes <= most,
        "{what} takes {takes} bytes, where {measured} were measured"
    );
    let least = measured - measured * SLACK / 100;
    assert!(
        takes >= least,
        "{what} takes {takes} bytes: write that down instead of {measured}"
    );
}

fn exchange(day: &mut VillageDay, who: usize) -> (SyncRequest, SyncResponse) {
    let now = day.now;
    let request = day.phone(who).request(now);
    let device = day.phone(who).device.id();
    let response = day.host.sync(&request, device, now);
    day.phone(who).take(&response, now).unwrap();
    (request, response)
}

/// Where the bytes of a request are.
fn account(request: &SyncRequest) -> String {
    let batch = |batch: &WireBatch| {
        let whole = cbor::encode(batch).len();
        format!(
            "a batch of {whole} with {} of commands",
            batch.packed_bytes()
        )
    };
    let batches: Vec<String> = request.batches.iter().map(batch).collect();
    format!(
        "{} in all: {}",
        cbor::encode(request).len(),
        batches.join(", ")
    )
}

#[test]
fn a_return_from_a_day_out_of_reach_takes_so_many_bytes_and_one_request() {
    let mut day = VillageDay::before(7, 120);
    day.teammate(1);
    day.host.publish();
    day.record_day(0);
    let (request, response) = exchange(&mut day, 0);
    println!(
        "up {}, down {}",
        account(&request),
        cbor::encode(&response).len()
    );
    assert!(day.phone(0).device.unsent().is_empty());
    let journal = day.village.journal;
    assert_eq!(
        day.phone(0).device.position(journal),
        day.host.journal(journal).map(|host| host.chain.end)
    );
    let (up, down) = (cbor::encode(&request).len(), cbor::encode(&response).len());
    check_bytes("what goes up", up, RETURN_UP_BYTES);
    check_bytes("what comes down", down, RETURN_DOWN_BYTES);
    let (request, response) = exchange(&mut day, 0);
    let (up, down) = (cbor::encode(&request).len(), cbor::encode(&response).len());
    assert!(
        up <= IDLE_BYTES_MAX && down <= IDLE_BYTES_MAX,
        "{up} {down}"
    );
}

#[test]
fn a_village_in_one_segment_takes_so_many_bytes_and_is_what_was_packed() {
    let mut day = VillageDay::before(7, 120);
    let journal = day.village.journal;
    let entries = day.host.entries(journal);
    let packed = segment::pack(entries);
    let alone: usize = entries
        .iter()
        .map(|entry| cbor::encode(&entry.parts.to_wire()).len())
        .sum();
    println!(
        "{} entries, {alone} bytes one by one, {} together",
        entries.len(),
        packed.len()
    );
    let opened = segment::open(day.host.deployment(), &packed);
    assert_eq!(opened.as_deref(), Ok(entries));
    check_bytes("a segment", packed.len(), SEGMENT_BYTES);
    // A new phone takes it in, keeps it on its own shelf, and finds it there.
    let (now, user) = (day.now, day.phone(1).device.identity().user);
    let mut phone = Phone::enrol(&mut day.host, user, now);
    let request = phone.request(now);
    phone
        .take(&day.host.sync(&request, phone.device.id(), now), now)
        .unwrap();
    let mut request = phone.request(now);
    request.budget_bytes = u32::MAX;
    let mut response = day.host.sync(&request, phone.device.id(), now);
    let page = response
        .journals
        .iter_mut()
        .find(|page| page.journal == journal)
        .unwrap();
    (page.segments, page.entries) = (vec![packed.into()], Vec::new());
    phone.take(&response, now).unwrap();
    let records = phone.device.records(journal);
    assert_eq!(records, day.phone(1).device.records(journal));
    phone.restart();
    assert_eq!(phone.device.records(journal), records);
    for record in records {
        assert_eq!(
            phone.device.record(journal, record),
            day.phone(1).device.record(journal, record)
        );
    }
}
