//! Every field of every kind, for every role: what it sees is what stands in `docs/access.txt`, the table that people read.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::{Value as Json, json};
use server::journals::{fold, publish};
use store::journals::{Appended, Folded};
use sync_core::audit::Bundle;
use sync_core::batch::{self, Sealing, Seed, Unsealed};
use sync_core::catalog::{Capability, Catalogue, Field, Kind};
use sync_core::command::{Audience, Command, Content, Envelope, Link, Verb};
use sync_core::id::{Digest, RecordId, sha256};
use sync_core::journal::Entry;
use sync_core::record::{self, Logged};
use sync_core::registry::registry_journal;
use sync_core::sign::SigningKey;
use sync_core::sync::wire::SyncResponse;
use sync_core::value::Value;
use sync_core::{admit, cbor, segment};

use super::people::{Answered, Office, People, Person, State};
use super::table::{Ask, Row};
use super::{Operation, rows};
use crate::county::{COUNTY, JOURNAL, assignment, user};
use crate::world::request;

const TABLE: &str = include_str!("../../../../docs/access.txt");

/// What the table says of each kind, audience of the record, field and role.
struct Cells(BTreeMap<(String, Audience, String, String), char>);

impl Cells {
    fn read(catalogue: &Catalogue) -> Self {
        let mut cells = BTreeMap::new();
        let (mut kind, mut audience, mut roles) = (None, None, Vec::new());
        for line in TABLE.lines() {
            if let Some(label) = line.strip_prefix("== ") {
                let is_it = |kind: &&Kind| label == format!("{}  {}", kind.label.zh, kind.label.en);
                (kind, audience) = (catalogue.kinds().find(is_it), None);
            } else if let Some(open) = line.strip_prefix("读：可见范围为「") {
                let (name, _) = open.split_once('」').unwrap();
                audience = Some(match name {
                    "本村" => Audience::Village,
                    "工作队" => Audience::Team,
                    "县乡" => Audience::County,
                    "敏感" => Audience::Sensitive,
                    other => panic!("an audience that is called {other}"),
                });
                roles.clear();
            } else if line.is_empty() {
                audience = None;
            } else if let (Some(kind), Some(audience)) = (kind, audience) {
                let words: Vec<&str> = line.split_whitespace().collect();
                if roles.is_empty() {
                    roles = words;
                    continue;
                }
                let marks = &words[words.len() - roles.len()..];
                let is_of = |field: &&Field| {
                    let title = format!("{}  {} ", field.label.zh, field.label.en);
                    line.starts_with("各项均为") || line.starts_with(&title)
                };
                for field in kind.fields.iter().filter(is_of) {
                    for (role, mark) in roles.iter().zip(marks) {
                        let key = (
                            kind.name.clone(),
                            audience,
                            field.name.clone(),
                            (*role).to_owned(),
                        );
                        cells.insert(key, mark.chars().next().unwrap());
                    }
                }
            }
        }
        Self(cells)
    }

    /// What a role sees; a field without a row fails.
    fn of(&self, said: &Said, role: &str) -> char {
        let key = (
            said.kind.clone(),
            said.record_audience,
            said.field.clone(),
            role.to_owned(),
        );
        let found = self.0.get(&key);
        *found.unwrap_or_else(|| panic!("docs/access.txt has no row for {key:?}"))
    }
}

/// One field of one record, and what is written there.
struct Said {
    kind: String,
    record_audience: Audience,
    field: String,
    record: RecordId,
    /// Found nowhere else; nothing for a reference.
    text: Option<String>,
}

/// Writes every field of every kind, for every audience that its records can have.
async fn say_everything(people: &People) -> Vec<Said> {
    let app = &people.county.world.app;
    let mut all = Vec::new();
    for kind in app.catalogue().kinds().filter(|kind| !kind.retired) {
        for audience in &kind.audiences {
            all.extend(say(people, kind, *audience).await);
        }
    }
    fold::fold_all(app.store(), app.catalogues(), app.deployment())
        .await
        .unwrap();
    publish::publish(app).await.unwrap();
    all
}

/// Enters a record with every field, unjudged: what is tested is who is shown it, not who may write it.
async fn say(people: &People, kind: &Kind, audience: Audience) -> Vec<Said> {
    let app = &people.county.world.app;
    let seed = sha256(&[b"author", kind.name.as_bytes(), &[audience as u8]]).0;
    let key = SigningKey::from_seed(seed);
    let label = "手机".to_owned();
    let enrol = sync_core::registry::RegistryAct::Enrol {
        key: key.public(),
        user: user("fs"),
        label,
    };
    people.county.enter(&[enrol]).await;
    let record = RecordId(seed[..16].try_into().unwrap());
    let now = people.county.now();
    let mut unit = app.store().begin().await.unwrap();
    let chain = unit.chain(JOURNAL).await.unwrap().unwrap();
    let registry = unit
        .chain(registry_journal(app.deployment()))
        .await
        .unwrap()
        .unwrap();
    let mut said = Vec::new();
    let mut commands = vec![command(
        kind,
        record,
        audience,
        now,
        chain.end.seq,
        Verb::Create,
    )];
    for field in kind.fields.iter().filter(|field| !field.retired) {
        let own = kind.audience_of(field, audience);
        let mut set = command(kind, record, own, now, chain.end.seq, Verb::Set);
        set.envelope.n = commands.len() as u64 + 1;
        let text = format!("密{}{}{}终", &kind.name[..2], audience as u8, field.name);
        let is_link = field.ty.is_link();
        if is_link {
            let link = Link {
                field: field.name.clone(),
                target: record,
                journal: None,
            };
            set.envelope.links.push(link);
        } else {
            set.content
                .values
                .insert(field.name.clone(), Value::text(&text));
            set.envelope.fields.push(field.name.clone());
        }
        commands.push(set);
        said.push(Said {
            kind: kind.name.clone(),
            record_audience: audience,
            field: field.name.clone(),
            record,
            text: (!is_link).then_some(text),
        });
    }
    let sealing = Sealing {
        deployment: app.deployment(),
        journal: JOURNAL,
        assignment: assignment("fs"),
        catalogue: app.catalogue().version(),
        previous: admit::LaneEnd::start(key.public().device(), JOURNAL).batch,
        seen: chain.end,
        at: now,
        seed: Seed([7; 16]),
        key: &key,
    };
    let parts = batch::seal(&sealing, commands);
    let entered = admit::enter(&parts, &chain, registry.end, app.deployment(), now);
    let entry = Entry {
        head: entered.0.clone(),
        parts: parts.clone(),
    };
    let appended = Appended::operators(entered, &parts.batch, parts.to_wire());
    unit.append(&[appended]).await.unwrap();
    unit.commit().await.unwrap();
    fold::fold_all(app.store(), app.catalogues(), app.deployment())
        .await
        .unwrap();
    // The fold leaves an unjudged entry's records to whoever entered it.
    let log: Vec<Logged> = record::logged(&entry).collect();
    let folded = Folded {
        record: record::fold(&**app.catalogues(), JOURNAL, record, &log),
        created_at: now,
        changed_at: now,
        text: String::new(),
    };
    let mut unit = app.store().begin().await.unwrap();
    unit.put_folded(JOURNAL, entry.head.seq, &[folded])
        .await
        .unwrap();
    unit.commit().await.unwrap();
    said
}

fn command(
    kind: &Kind,
    record: RecordId,
    audience: Audience,
    at: sync_core::id::Timestamp,
    base: u64,
    verb: Verb,
) -> Unsealed {
    let initial = kind.states.iter().find(|state| state.initial);
    let action = initial
        .filter(|_| verb == Verb::Create)
        .map(|state| state.name.clone());
    let envelope = Envelope {
        n: 1,
        record,
        kind: kind.name.clone(),
        base,
        at,
        verb,
        action,
        fields: Vec::new(),
        links: Vec::new(),
        audience,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    Unsealed {
        envelope,
        content: Content::default(),
    }
}

fn by_place(all: &[Said]) -> BTreeMap<(RecordId, &str), &Said> {
    all.iter()
        .map(|said| ((said.record, said.field.as_str()), said))
        .collect()
}

/// The field that a command writes.
fn written(command: &Command) -> Option<&str> {
    let envelope = &command.envelope;
    let link = envelope.links.first().map(|link| link.field.as_str());
    envelope.fields.first().map(String::as_str).or(link)
}

#[tokio::test]
async fn a_phone_is_sent_the_content_that_its_role_reads_and_digests_of_the_rest() {
    let people = People::new().await;
    let all = say_everything(&people).await;
    let by_place = by_place(&all);
    let cells = Cells::read(people.county.world.app.catalogue());
    let deployment = people.county.world.app.deployment();
    let table = rows(&people.targets);
    let is_exchange = |(operation, ..): &&(Operation, Row, Row)| operation.id == "exchange_batches";
    let (operation, row, _) = table.iter().find(is_exchange).unwrap();
    for person in people.everybody() {
        let mut caller = people.caller(&person, State::Active).await;
        let Ask::Bytes(media_type, bytes) = (row.body)(0) else {
            panic!("a sync request");
        };
        let token = caller.token().await;
        let mut request = request(&operation.method, &operation.path, token, None);
        request
            .headers_mut()
            .insert("content-type", media_type.parse().unwrap());
        *request.body_mut() = bytes.into();
        let answered = Answered::of(&people.county, request).await;
        let response: SyncResponse = cbor::decode(&answered.body).unwrap();
        let mut seen = BTreeSet::new();
        for page in response.journals {
            assert!(!page.more, "one page is enough");
            let segments = (page.segments.iter())
                .flat_map(|packed| segment::open(deployment, &packed.0).unwrap());
            let entries =
                (page.entries.iter()).map(|entry| entry.open(deployment, |_| None).unwrap());
            for entry in segments.chain(entries).collect::<Vec<Entry>>() {
                for command in entry.parts.commands() {
                    let place = (
                        command.envelope.record,
                        written(&command).unwrap_or_default(),
                    );
                    let Some(said) = by_place.get(&place) else {
                        continue;
                    };
                    let is_shown = "✔mp".contains(cells.of(said, &person.role.code));
                    let (kind, field) = (&said.kind, &said.field);
                    assert_eq!(
                        command.content.is_some(),
                        is_shown,
                        "{person}: {kind}.{field}"
                    );
                    seen.insert(place.1.to_owned());
                }
            }
        }
        let pulls = person.can(&[Capability::Sync]) && person.is_over(super::Place::VILLAGE);
        assert_eq!(!seen.is_empty(), pulls, "{person}");
    }
}

#[tokio::test]
async fn a_reader_is_shown_the_fields_that_the_table_says() {
    let people = People::new().await;
    let all = say_everything(&people).await;
    let cells = Cells::read(people.county.world.app.catalogue());
    let mut records: BTreeMap<RecordId, Vec<&Said>> = BTreeMap::new();
    for said in &all {
        records.entry(said.record).or_default().push(said);
    }
    for person in people.everybody() {
        let mut caller = people.caller(&person, State::Browser).await;
        for (record, fields) in &records {
            let marks: Vec<char> = fields
                .iter()
                .map(|said| cells.of(said, &person.role.code))
                .collect();
            let is_shown = person.can(&[Capability::ReadRecords])
                && person.is_over(super::Place::VILLAGE)
                && marks.iter().any(|mark| "✔m".contains(*mark));
            let path = format!("/v1/journals/{JOURNAL}/records/{record}");
            let request = request(&Method::GET, &path, caller.token().await, None);
            let answered = Answered::of(&people.county, request).await;
            let text = answered.text();
            assert_eq!(
                answered.status.is_success(),
                is_shown,
                "{person}: {path} {text}"
            );
            if !is_shown {
                assert_eq!(answered, people.nothing, "{person}: {path}");
                continue;
            }
            for (said, mark) in fields.iter().zip(&marks) {
                let is_whole = said.text.as_ref().is_some_and(|told| text.contains(told));
                let (kind, field) = (&said.kind, &said.field);
                let should = *mark == '✔' && said.text.is_some();
                assert_eq!(
                    is_whole, should,
                    "{person}: {kind}.{field} is {mark}: {text}"
                );
            }
            check_forms(&person, fields, &marks, &text);
        }
    }
}

/// A masked field says that it is masked, a withheld one that it is withheld.
fn check_forms(person: &Person, fields: &[&Said], marks: &[char], text: &str) {
    let view: Json = serde_json::from_str(text).unwrap();
    for (said, mark) in fields.iter().zip(marks) {
        let mut shown = view["fields"].as_array().unwrap().iter();
        let shown = shown.find(|shown| shown["field"]["name"] == said.field.as_str());
        let Some(shown) = shown else { continue };
        let (kind, field) = (&said.kind, &said.field);
        assert_eq!(shown["masked"], *mark == 'm', "{person}: {kind}.{field}");
        let is_withheld = shown["form"] == "withheld";
        assert_eq!(
            is_withheld,
            !"✔m".contains(*mark),
            "{person}: {kind}.{field}"
        );
    }
}

#[tokio::test]
async fn what_is_revealed_is_what_the_table_says() {
    let people = People::new().await;
    let all = say_everything(&people).await;
    let cells = Cells::read(people.county.world.app.catalogue());
    let is_asked = |person: &Person| {
        let is_near = [Office::Around, Office::Alike, Office::Ended].contains(&person.office);
        is_near && person.is_lowest
    };
    for person in people.everybody().into_iter().filter(is_asked) {
        let mut caller = people.caller(&person, State::Browser).await;
        for said in all.iter().filter(|said| said.text.is_some()) {
            let body = json!({
                "journal": JOURNAL.to_string(), "record": said.record.to_string(),
                "field": said.field, "purpose": "核实大病救助",
            });
            let request = request(
                &Method::POST,
                "/v1/reveal",
                caller.token().await,
                Some(body),
            );
            let answered = Answered::of(&people.county, request).await;
            let may = person.can(&[Capability::Reveal])
                && person.is_over(super::Place::VILLAGE)
                && cells.of(said, &person.role.code) != '·';
            let (kind, field) = (&said.kind, &said.field);
            assert_eq!(
                answered.status.is_success(),
                may,
                "{person}: {kind}.{field}"
            );
            if !may {
                assert_eq!(answered, people.nothing, "{person}: {kind}.{field}");
            }
        }
    }
}

/// What a drawn record shows an auditor.
const DRAWN: [Audience; 2] = [Audience::Village, Audience::County];

#[tokio::test]
async fn a_bundle_holds_the_content_of_drawn_records_alone_and_only_for_who_audits() {
    let people = People::new().await;
    let all = say_everything(&people).await;
    let by_place = by_place(&all);
    let deployment = people.county.world.app.deployment();
    let verifies = |person: &Person| {
        person.can(&[Capability::Audit, Capability::VerifyLog])
            && person.is_over(super::Place::Of(sync_core::area::Level::County))
    };
    for person in people.everybody().into_iter().filter(verifies) {
        let mut caller = people.caller(&person, State::Browser).await;
        for sample in ["", "&sample=200"] {
            let path = format!("/v1/audit/bundle?area={COUNTY}{sample}");
            let request = request(&Method::GET, &path, caller.token().await, None);
            let answered = Answered::of(&people.county, request).await;
            assert!(
                answered.status.is_success(),
                "{person}: {}",
                answered.text()
            );
            let bundle = Bundle::from_bytes(&answered.body).unwrap();
            let entries = bundle.journals.iter().flat_map(|part| &part.entries);
            let mut seen = 0;
            for entry in entries.map(|entry| entry.open(deployment, |_| None).unwrap()) {
                for command in entry.parts.commands() {
                    let place = (
                        command.envelope.record,
                        written(&command).unwrap_or_default(),
                    );
                    let Some(said) = by_place.get(&place) else {
                        continue;
                    };
                    let is_drawn = !sample.is_empty()
                        && person.can(&[Capability::Audit])
                        && DRAWN.contains(&said.record_audience)
                        && DRAWN.contains(&command.envelope.audience);
                    let (kind, field) = (&said.kind, &said.field);
                    assert_eq!(
                        command.content.is_some(),
                        is_drawn,
                        "{person}: {kind}.{field}"
                    );
                    seen += 1;
                }
            }
            assert_eq!(seen, all.len(), "{person}");
        }
    }
}
