//! Who may what: every operation of the router, for every role of the catalogue, near and far.
//!
//! The table says for each operation which capability it needs, and what the others see ([`table`]); which roles have that
//! capability, and at which levels they are assigned, is the catalogue's word. An operation without a row fails here, and so does
//! a row without an operation.

mod elsewhere;
mod fields;
mod people;
mod registry;
mod table;

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;
use server::journals::admission::Moved;
use server::routes;
use sync_core::catalog::{Capability, Side};

use crate::county::JOURNAL;
use crate::world::request;
use people::{Answered, Office, People, Person, Place, State};
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
            (Method::HEAD, item.head),
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

/// The table beside the router, each row with the same question about what there is not. An operation that has no row, or a row
/// that has no operation, is named and fails.
fn rows(targets: &Targets) -> Vec<(Operation, Row, Row)> {
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
    let pair = |(row, absent): (Row, Row)| {
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
        (operation, row, absent)
    };
    let absent = table::rows(&Targets::none());
    assert_eq!(table.len(), absent.len());
    table.into_iter().zip(absent).map(pair).collect()
}

/// Calls every operation as a person, and lists where the answer is not the table's.
async fn differences(
    people: &People,
    rows: &[(Operation, Row, Row)],
    person: &Person,
    state: State,
) -> Vec<String> {
    let mut caller = people.caller(person, state).await;
    let mut found = Vec::new();
    for (operation, row, absent) in rows {
        let mut differs = |what: String| {
            let (name, query, place) = (row.operation, &row.query, row.place);
            found.push(format!(
                "{name}{query} ({place:?}), {person}, {state:?}: {what}"
            ));
        };
        let expected = row.expected(person, state);
        let reads = matches!(operation.method, Method::GET | Method::HEAD);
        let before = if reads { 0 } else { people.position().await };
        let (seen, answered) = ask(people, operation, row, &mut caller).await;
        if row.is_open() {
            // Nobody is known here, so nobody is told apart.
            let (_, nobodys) = ask(people, operation, row, &mut people.nobody()).await;
            if answered.status != nobodys.status || seen == Seen::Code("unauthenticated".to_owned())
            {
                differs(format!(
                    "sees {seen:?}, and nobody sees {:?}",
                    nobodys.text()
                ));
            }
            continue;
        }
        if !seen.is(&expected) {
            differs(format!("should see {expected:?} and sees {seen:?}"));
        }
        if seen == Seen::Code("not_found".to_owned()) && answered != people.nothing {
            differs(format!("can tell that something is there: {answered:?}"));
        }
        if seen == Seen::Done {
            continue;
        }
        if !reads && people.position().await != before {
            differs("was denied and has written".to_owned());
        }
        if [&people.nothing, &people.signed_out].contains(&&answered) {
            continue;
        }
        let (_, nothing) = ask(people, operation, absent, &mut caller).await;
        if row.blanked(absent, &answered) != row.blanked(absent, &nothing) {
            let nothing = nothing.text();
            let answered = answered.text();
            differs(format!(
                "is told {answered}, and {nothing} where there is nothing"
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
) -> (Seen, Answered) {
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
        Ask::Piece(bytes) => {
            let mut request = request(&operation.method, &path, access, None);
            for (name, value) in [
                ("content-type", "application/partial-upload"),
                ("upload-offset", "0"),
                ("upload-complete", "?1"),
            ] {
                let value = value.parse().expect("a header");
                request.headers_mut().insert(name, value);
            }
            *request.body_mut() = bytes.into();
            request
        }
    };
    if operation.method == Method::DELETE {
        caller.sign_in_again();
    }
    let mut answered = Answered::of(&people.county, request).await;
    if operation.method == Method::HEAD {
        answered.complete(&[&people.nothing, &people.signed_out]);
    }
    let is_success = answered.status.is_success();
    let seen = match serde_json::from_slice::<serde_json::Value>(&answered.body) {
        _ if is_success && (row.shows)(&answered.body) => Seen::Done,
        _ if is_success => Seen::Nothing,
        Ok(problem) => Seen::Code(problem["code"].as_str().unwrap_or_default().to_owned()),
        Err(_) => Seen::Code(answered.status.to_string()),
    };
    (seen, answered)
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

fn is_of_business(person: &Person) -> bool {
    person.role.side == Side::Business
}

fn is_of_no_business(person: &Person) -> bool {
    !is_of_business(person)
}

#[tokio::test]
async fn whoever_works_in_the_field_sees_of_every_operation_what_the_table_says() {
    check(State::Browser, is_of_business).await;
}

#[tokio::test]
async fn auditors_and_administrators_see_of_every_operation_what_the_table_says() {
    check(State::Browser, is_of_no_business).await;
}

#[tokio::test]
async fn who_is_not_signed_in_reaches_nothing_but_the_door() {
    check(State::SignedOut, |person| person.office == Office::Around).await;
}

#[tokio::test]
async fn a_phone_of_the_field_reaches_what_its_person_reaches() {
    check(State::Active, is_of_business).await;
}

#[tokio::test]
async fn a_phone_of_auditors_and_administrators_reaches_what_its_person_reaches() {
    check(State::Active, is_of_no_business).await;
}

#[tokio::test]
async fn a_suspended_phone_reaches_nothing() {
    check(State::Suspended, |_| true).await;
}

#[tokio::test]
async fn a_revoked_phone_reaches_nothing() {
    check(State::Revoked, |_| true).await;
}

#[tokio::test]
async fn a_phone_whose_session_outlives_its_standing_reads_nothing() {
    check(State::Outlived, |_| true).await;
}

#[tokio::test]
async fn a_phone_that_the_registry_does_not_know_reads_nothing() {
    check(State::Unknown, |_| true).await;
}

#[tokio::test]
async fn a_session_on_somebody_elses_phone_reads_nothing() {
    check(State::Others, |_| true).await;
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
        if person.is_over(Place::VILLAGE)
            && person.can(&[Capability::Sync, Capability::ReadRecords])
        {
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
