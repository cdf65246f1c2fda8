//! Who may what: every operation of the router, for every role of the catalogue, near and far.
//!
//! The table says for each operation which capability it needs, and what the others see ([`table`]); which roles have that
//! capability, and at which levels they are assigned, is the catalogue's word. An operation without a row fails here, and so does
//! a row without an operation.

mod people;
mod registry;
mod table;

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use futures::{FutureExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use serde_json::json;
use server::journals::admission::Moved;
use server::routes;
use sync_core::catalog::{Capability, Side};
use sync_core::cbor;
use sync_core::command::Audience;
use sync_core::journal::Entry;
use sync_core::sync::wire::SyncResponse;

use crate::county::JOURNAL;
use crate::world::request;
use people::{Office, People, Person, State};
use table::{Ask, Row, Seen, Targets};

/// An operation of the router.
struct Operation {
    id: String,
    method: Method,
    path: String,
    is_open: bool,
}

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in routes::description().paths.paths {
        let methods = [
            (Method::GET, item.get),
            (Method::POST, item.post),
            (Method::PUT, item.put),
            (Method::PATCH, item.patch),
            (Method::DELETE, item.delete),
        ];
        let described =
            (methods.into_iter()).filter_map(|(method, operation)| Some((method, operation?)));
        operations.extend(described.map(|(method, operation)| Operation {
            id: operation.operation_id.expect("routes! names it"),
            method,
            path: path.clone(),
            is_open: operation.security.is_none(),
        }));
    }
    operations
}

/// The table beside the router; an operation that has no row, or a row that has no operation, is named and fails.
fn rows(targets: &Targets) -> Vec<(Operation, Row)> {
    let operations = operations();
    let table = table::rows(targets);
    let named: BTreeSet<&str> = table.iter().map(|row| row.operation).collect();
    let missing: Vec<&str> = (operations.iter())
        .map(|operation| operation.id.as_str())
        .filter(|id| !named.contains(id))
        .collect();
    assert_eq!(
        missing, [""; 0],
        "operations without a row in access/table.rs"
    );
    let pair = |row: Row| {
        let operation = operations
            .iter()
            .find(|operation| operation.id == row.operation);
        let operation =
            operation.unwrap_or_else(|| panic!("a row without an operation: {}", row.operation));
        assert_eq!(operation.is_open, row.is_open(), "{}", row.operation);
        let Operation {
            id,
            method,
            path,
            is_open,
        } = operation;
        let operation = Operation {
            id: id.clone(),
            method: method.clone(),
            path: path.clone(),
            is_open: *is_open,
        };
        (operation, row)
    };
    table.into_iter().map(pair).collect()
}

/// Calls every operation as a person, and lists where the answer is not the table's.
async fn differences(
    people: &People,
    rows: &[(Operation, Row)],
    person: &Person,
    state: State,
) -> Vec<String> {
    let mut caller = people.caller(person, state).await;
    let mut found = Vec::new();
    for (operation, row) in rows {
        let expected = row.expected(person, state);
        let reads = operation.method == Method::GET;
        let before = if reads { 0 } else { people.position().await };
        let (seen, body) = ask(people, operation, row, &mut caller).await;
        let differs = if row.is_open() {
            // Nobody is known here, so nobody is told apart.
            let (nobodys, _) = ask(people, operation, row, &mut people.nobody()).await;
            seen != nobodys || seen == Seen::Code("unauthenticated".to_owned())
        } else {
            seen != expected
        };
        if differs {
            found.push(format!(
                "{}{}: {person} with {state:?} should see {expected:?} and sees {seen:?}",
                row.operation, row.query
            ));
        }
        if seen == Seen::Code("not_found".to_owned()) && body != people.nothing {
            found.push(format!(
                "{}: {person} can tell that something is there: {body}",
                row.operation
            ));
        }
        if seen != Seen::Done && !reads && people.position().await != before {
            found.push(format!(
                "{}: {person} was denied and has written",
                row.operation
            ));
        }
    }
    found
}

/// Calls an operation, and says what is seen.
async fn ask(
    people: &People,
    operation: &Operation,
    row: &Row,
    caller: &mut people::Caller<'_>,
) -> (Seen, String) {
    let own_session = if operation.path.contains("{session}") {
        caller.session().await
    } else {
        String::new()
    };
    let path = row.path(&operation.path, &own_session);
    let access = caller.token().await;
    let request = match (row.body)(people.count()) {
        Ask::Nothing => request(&operation.method, &path, access, None),
        Ask::Json(body) => request(&operation.method, &path, access, Some(body)),
        Ask::Bytes(media_type, bytes) => {
            let mut request = request(&operation.method, &path, access, None);
            let media_type = media_type.parse().expect("a media type");
            request.headers_mut().insert("content-type", media_type);
            *request.body_mut() = bytes.into();
            request
        }
    };
    if operation.method == Method::DELETE {
        caller.sign_in_again();
    }
    let (status, body) = people.county.world.open(request).await;
    if operation.id == "follow_journals" && status == StatusCode::OK {
        // It stays open until the server stops.
        return (Seen::Done, String::new());
    }
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let seen = match serde_json::from_slice::<serde_json::Value>(&bytes) {
        _ if status.is_success() && (row.shows)(&bytes) => Seen::Done,
        _ if status.is_success() => Seen::Nothing,
        Ok(problem) => Seen::Code(problem["code"].as_str().unwrap_or_default().to_owned()),
        Err(_) => Seen::Code(status.to_string()),
    };
    (seen, text)
}

async fn check(state: State, is_asked: fn(&Person) -> bool) {
    let people = People::new().await;
    let rows = rows(&people.targets);
    let mut found = Vec::new();
    for person in people.everybody().iter().filter(|person| is_asked(person)) {
        found.extend(differences(&people, &rows, person, state).await);
    }
    assert!(found.is_empty(), "differences:\n{}", found.join("\n"));
}

/// One person of each role is enough, at the lowest level at which it is assigned.
fn is_nearest(person: &Person) -> bool {
    person.office == Office::Around && person.is_lowest
}

#[tokio::test]
async fn whoever_works_in_the_field_sees_of_every_operation_what_the_table_says() {
    check(State::Browser, |person| person.role.side == Side::Business).await;
}

#[tokio::test]
async fn auditors_and_administrators_see_of_every_operation_what_the_table_says() {
    check(State::Browser, |person| person.role.side != Side::Business).await;
}

#[tokio::test]
async fn who_is_not_signed_in_reaches_nothing_but_the_door() {
    check(State::SignedOut, is_nearest).await;
}

#[tokio::test]
async fn a_phone_reaches_what_its_person_reaches() {
    check(State::Active, |person| {
        person.is_lowest && [Office::Around, Office::Elsewhere].contains(&person.office)
    })
    .await;
}

#[tokio::test]
async fn a_suspended_phone_reaches_nothing() {
    check(State::Suspended, is_nearest).await;
}

#[tokio::test]
async fn a_revoked_phone_reaches_nothing() {
    check(State::Revoked, is_nearest).await;
}

#[tokio::test]
async fn a_phone_whose_session_outlives_its_standing_reads_nothing() {
    check(State::Outlived, is_nearest).await;
}

#[tokio::test]
async fn a_phone_is_sent_the_content_that_its_role_reads_and_digests_of_the_rest() {
    let people = People::new().await;
    let rows = rows(&people.targets);
    let row = rows
        .iter()
        .find(|(operation, _)| operation.id == "exchange_batches");
    let (operation, row) = row.unwrap();
    for person in people
        .everybody()
        .iter()
        .filter(|person| is_nearest(person))
    {
        let mut caller = people.caller(person, State::Active).await;
        let Ask::Bytes(media_type, bytes) = (row.body)(0) else {
            panic!("a sync request");
        };
        let mut request = request(
            &operation.method,
            &operation.path,
            caller.token().await,
            None,
        );
        request
            .headers_mut()
            .insert("content-type", media_type.parse().unwrap());
        *request.body_mut() = bytes.into();
        let (status, bytes) = people.county.world.send_bytes(request).await;
        assert_eq!(status, StatusCode::OK);
        let response: SyncResponse = cbor::decode(&bytes).unwrap();
        let deployment = people.county.world.app.deployment();
        let mut seen = BTreeSet::new();
        for page in response.journals {
            let segments = (page.segments.iter())
                .flat_map(|segment| sync_core::segment::open(deployment, &segment.0).unwrap());
            let entries =
                (page.entries.iter()).map(|entry| entry.open(deployment, |_| None).unwrap());
            for entry in segments.chain(entries).collect::<Vec<Entry>>() {
                for (index, command) in entry.parts.commands().enumerate() {
                    let audience = command.envelope.audience;
                    let is_refused = entry.head.fates[index].is_refused();
                    let reads = person.role.reads(audience) && !is_refused;
                    assert_eq!(
                        command.content.is_some(),
                        reads,
                        "{person}: {audience:?} at {}",
                        entry.head.seq
                    );
                    seen.insert(audience);
                }
            }
        }
        let pulls = person.can(&[Capability::Sync]);
        let all = [Audience::Village, Audience::Team, Audience::Sensitive];
        let expected = if pulls { &all[..] } else { &[] };
        assert_eq!(seen, expected.iter().copied().collect(), "{person}");
    }
}

#[tokio::test]
async fn a_channel_tells_only_who_may_know_that_a_journal_moved() {
    const MOVES: usize = 3;
    let people = People::new().await;
    let (mut told, mut untold) = (Vec::new(), Vec::new());
    for person in people.everybody() {
        let mut caller = people.caller(&person, State::Browser).await;
        let follow = request(&Method::GET, "/v1/live", caller.token().await, None);
        let (status, body) = people.county.world.open(follow).await;
        assert_eq!(status, StatusCode::OK);
        let events = body.into_data_stream();
        if person.is_over() && person.can(&[Capability::Sync, Capability::ReadRecords]) {
            told.push((person, events));
        } else {
            untold.push((person, events));
        }
    }
    let app = &people.county.world.app;
    for _ in 0..MOVES {
        app.admission().poke(Moved {
            journal: JOURNAL,
            seq: 1,
        });
    }
    let all_are_told = futures::future::join_all(told.iter_mut().map(|(_, events)| async {
        let mut text = String::new();
        while text.matches("event: moved").count() < MOVES {
            let bytes = events.next().await.expect("the channel is open").unwrap();
            text += std::str::from_utf8(&bytes).unwrap();
        }
        assert!(text.contains(&json!(JOURNAL.to_string()).to_string()));
    }));
    let one_is_told = futures::future::select_all(
        untold
            .iter_mut()
            .map(|(person, events)| events.next().map(move |_| person.to_string()).boxed_local()),
    );
    // While those who may know are told, the others' channels are looked at as well.
    tokio::select! {
        _ = all_are_told => {}
        (person, ..) = one_is_told => panic!("{person} is told that the village's journal moved"),
    }
}
