//! Test vectors of everything that is hashed or signed. They are written down in `tests/fixtures/formats/`, so that another
//! implementation can be held against them, and so that no change of this one goes unseen: these bytes can never change.
//!
//! `UPDATE_EXPECT=1 cargo nextest run -p sync-core formats` writes them anew; a difference in an old line is a mistake.

use expect_test::expect_file;

use super::*;
use crate::command::{Link, Splice, Verb};
use crate::id::{ItemId, RecordId, UserId};
use crate::value::{Fields, Value};

/// Lines of `name = value`, in sections.
#[derive(Default)]
struct Vectors(String);

impl Vectors {
    fn section(&mut self, title: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0 += &format!("{gap}# {title}\n");
    }

    fn text(&mut self, name: &str, text: impl core::fmt::Display) {
        self.0 += &format!("{name} = {text}\n");
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.text(name, hex);
    }
}

const JOURNAL: JournalId = JournalId([0x11; 16]);

fn envelope(n: u64, verb: Verb, record: RecordId, fields: &[&str]) -> Envelope {
    Envelope {
        n,
        record,
        kind: "household".to_owned(),
        base: 41,
        at: Timestamp(1_795_233_600_000),
        verb,
        action: None,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    }
}

/// One command of each shape, on a household.
fn commands(device: DeviceId) -> Vec<Unsealed> {
    let record = RecordId::derive(device, JOURNAL, 1);
    let command = |envelope, content| Unsealed { envelope, content };
    let values = |values: Vec<(&str, Value)>| Content {
        values: values.into_iter().collect(),
        ..Content::default()
    };
    let mut create = envelope(
        1,
        Verb::Create,
        record,
        &["crop_area", "householder", "members", "without_labour"],
    );
    create.action = Some("registered".to_owned());
    create.links.push(Link {
        field: "head".to_owned(),
        target: RecordId([0x22; 16]),
        journal: None,
    });
    let created = values(vec![
        ("householder", Value::text("张三")),
        ("members", Value::Int(-3)),
        ("crop_area", Value::decimal(1450, -2)),
        ("without_labour", Value::Bool(false)),
    ]);
    let part = |item: &str| {
        Value::Struct(Fields::from_iter([
            ("item", Value::text(item)),
            ("done", Value::Bool(true)),
        ]))
    };
    let mut edit = envelope(2, Verb::Edit, record, &["note"]);
    edit.needs = Some(1);
    let splice = Splice {
        at: 4,
        delete: 2,
        insert: "有耕地。𠀀".to_owned(),
    };
    let mut remove = envelope(4, Verb::Remove, record, &["tags"]);
    remove.origin = Some(Origin {
        device: DeviceId([0x33; 16]),
        journal: JOURNAL,
        n: 9,
    });
    let item = ItemId::derive(device, JOURNAL, 3, "tags", 0);
    let mut sensitive = envelope(5, Verb::Set, record, &["phone", "photo"]);
    sensitive.audience = Audience::Sensitive;
    sensitive.links.push(Link {
        field: "from".to_owned(),
        target: RecordId([0x44; 16]),
        journal: Some(JournalId([0x55; 16])),
    });
    let mut act = envelope(6, Verb::Act, record, &[]);
    act.action = Some("cancel".to_owned());
    vec![
        command(create, created),
        command(
            edit,
            Content {
                splices: vec![splice],
                ..Content::default()
            },
        ),
        command(
            envelope(3, Verb::Insert, record, &["tags"]),
            values(vec![("tags", Value::List(vec![part("脱贫户"), part("")]))]),
        ),
        command(
            remove,
            Content {
                removed: vec![item],
                ..Content::default()
            },
        ),
        command(
            sensitive,
            values(vec![
                ("phone", Value::Null),
                ("photo", Value::Bytes(vec![0xab; 32])),
            ]),
        ),
        command(
            act,
            Content {
                reason: Some("迁往县城".to_owned()),
                ..Content::default()
            },
        ),
    ]
}

#[test]
fn the_formats_are_as_written_down() {
    let mut v = Vectors::default();
    let (operator, key) = (
        SigningKey::from_seed([1; 32]),
        SigningKey::from_seed([2; 32]),
    );
    let deployment = operator.public().deployment();
    let device = key.public().device();

    v.section("Identifiers");
    v.bytes("operator seed", &operator.to_seed()[..]);
    v.bytes("operator key", &operator.public().bytes);
    v.text("deployment", deployment);
    v.bytes("device seed", &key.to_seed()[..]);
    v.bytes("device key", &key.public().bytes);
    v.text("device", device);
    v.text("journal", JOURNAL);
    v.text(
        "registry journal",
        crate::registry::registry_journal(deployment),
    );
    v.text("record of command 1", RecordId::derive(device, JOURNAL, 1));
    v.text(
        "item 0 of command 3 in tags",
        ItemId::derive(device, JOURNAL, 3, "tags", 0),
    );
    v.text("lane start", lane_start(device, JOURNAL));
    v.text("journal head 0", Chain::start(JOURNAL).end.head);

    let seed = Seed([6; 16]);
    let commands = commands(device);
    v.section("Salts and contents");
    v.bytes("seed", &seed.0);
    for Unsealed { envelope, content } in &commands {
        let n = envelope.n;
        v.bytes(&format!("salt {n}"), &seed.salt(n).0);
        v.bytes(&format!("content {n}"), &content.to_cbor());
        v.text(&format!("content digest {n}"), content.digest(seed.salt(n)));
    }

    let start = Chain::start(JOURNAL);
    let sealing = Sealing {
        deployment,
        journal: JOURNAL,
        assignment: AssignmentId([7; 16]),
        catalogue: 1,
        previous: lane_start(device, JOURNAL),
        seen: start.end,
        at: Timestamp(1_795_233_660_000),
        seed,
        key: &key,
    };
    let parts = seal(&sealing, commands);
    v.section("Envelopes and batch");
    for envelope in &parts.batch.envelopes {
        v.bytes(&format!("envelope {}", envelope.n), &cbor::encode(envelope));
    }
    v.bytes("batch", &cbor::encode(&parts.batch));
    let digest = parts.batch.digest(deployment);
    v.text("batch digest", digest);
    v.bytes("signature context", BATCH_CONTEXT);
    v.bytes("signature", &parts.signature.bytes);
    assert!(parts.is_signed_by(deployment, &key.public()));

    let refused = Fate::Refused("not_allowed".to_owned(), Some("phone".to_owned()));
    let fates = vec![
        Fate::Accepted,
        Fate::Flagged(vec!["after_end".to_owned(), "clock".to_owned()]),
        Fate::NoEffect("filed".to_owned()),
        Fate::Refused("malformed".to_owned(), None),
        refused,
        Fate::Accepted,
    ];
    let head = EntryHead {
        journal: JOURNAL,
        seq: 1,
        received_at: Timestamp(1_795_233_720_000),
        registry: Position {
            seq: 12,
            head: Digest([8; 32]),
        },
        catalogue: 1,
        fold: 1,
        batch: digest,
        signature: parts.signature.clone(),
        fates,
    };
    v.section("Entry and chain");
    v.bytes("entry", &cbor::encode(&head));
    v.text("entry digest", head.digest());
    let chain = start.append(&head).unwrap();
    v.text("journal head 1", chain.end.head);
    let next = EntryHead {
        seq: 2,
        fates: vec![Fate::Accepted; 6],
        ..head.clone()
    };
    v.text("journal head 2", chain.append(&next).unwrap().end.head);

    let act = crate::registry::RegistryAct::SetUser {
        user: UserId([9; 16]),
        name: "马第一".to_owned(),
        active: true,
    };
    let command =
        crate::registry::to_command(deployment, &act, Some(UserId([10; 16])), 1, 0, Timestamp(0));
    v.section("Registry act");
    v.bytes("act", &cbor::encode(&act));
    v.bytes("act content", &command.content.to_cbor());
    v.bytes("act envelope", &cbor::encode(&command.envelope));

    let month: crate::month::Month = "2026-11".parse().unwrap();
    let mut seal = envelope(7, Verb::Seal, month.record(JOURNAL), &[]);
    crate::month::KIND.clone_into(&mut seal.kind);
    seal.action = Some(month.to_string());
    let mut clear = envelope(8, Verb::Clear, RecordId::derive(device, JOURNAL, 1), &[]);
    clear.action = Some("after_seal".to_owned());
    v.section("Months and marks");
    v.text("record of month 2026-11", month.record(JOURNAL));
    v.bytes("envelope of a seal", &cbor::encode(&seal));
    v.bytes("envelope of a clearing", &cbor::encode(&clear));

    expect_file!["../../../../tests/fixtures/formats/signed.txt"].assert_eq(&v.0);
}
