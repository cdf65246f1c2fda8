//! The table: for each operation, what it needs, and what everybody else sees.
//!
//! Long because it is one table, and the words that its rows are made of.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use sync_core::area::Level;
use sync_core::catalog::Capability::{
    self, Audit, ImportAreas, ManageAccounts, ManageDevices, ManageGrants, PublishCatalogue,
    ReadAggregates, ReadAuditLog, ReadRecords, Reveal, VerifyLog,
};
use sync_core::cbor;
use sync_core::command::Audience;
use sync_core::id::{AreaId, AssignmentId, DeviceId, Digest, JournalId, RecordId, UserId};
use sync_core::journal::Chain;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{Cursor, SyncRequest, SyncResponse};

use super::people::{Answered, Person, Place, State};
use crate::files::{File, PICTURE};

/// What somebody sees of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is done, and shows what it was asked for.
    Done,
    /// It is answered, and what was asked for is not in the answer.
    Nothing,
    /// It fails with this code; or, where the table leaves it open, with one of several (`a|b`).
    Code(String),
}

impl Seen {
    /// Whether it is what was expected.
    pub(super) fn is(&self, expected: &Self) -> bool {
        match (self, expected) {
            (Self::Code(code), Self::Code(several)) => several.split('|').any(|one| one == code),
            _ => self == expected,
        }
    }
}

fn code(code: &str) -> Seen {
    Seen::Code(code.to_owned())
}

/// The body of a request.
pub(super) enum Ask {
    Nothing,
    Json(Json),
    Bytes(&'static str, Vec<u8>),
    /// All of a file, as its only piece.
    Piece(Vec<u8>),
}

/// What operations are asked about.
pub(super) struct Targets {
    pub(super) journal: JournalId,
    /// A record for all of the village.
    pub(super) visit: RecordId,
    /// A record for the team alone.
    pub(super) teams: RecordId,
    /// A household with two values for a field, and a command without effect.
    pub(super) household: RecordId,
    /// A visit with a photograph that is there.
    pub(super) pictured: File,
    /// Area, code and name of each place that is an area.
    pub(super) places: BTreeMap<Place, (AreaId, &'static str, &'static str)>,
    /// People who belong to each place.
    pub(super) people: BTreeMap<Place, About>,
    /// A session of somebody who calls nothing.
    pub(super) others_session: String,
}

/// People who belong to a place.
pub(super) struct About {
    /// Somebody who stays.
    pub(super) target: UserId,
    /// What he logs in with.
    pub(super) name: String,
    /// Somebody whose account is closed.
    pub(super) leaver: UserId,
    /// Somebody who has no role yet, for one that excludes all others.
    pub(super) newcomer: UserId,
    /// The assignment of who stays.
    pub(super) assignment: AssignmentId,
    /// Somebody's assignment, which is ended.
    pub(super) ending: AssignmentId,
    /// A phone, which is suspended, then revoked.
    pub(super) device: DeviceId,
}

impl Targets {
    /// What something was revealed for.
    pub(super) const PURPOSE: &'static str = "核实大病救助";

    /// What there is not.
    pub(super) fn none() -> Self {
        let nothing = [0xEE; 16];
        let about = |place| {
            let about = About {
                target: UserId(nothing),
                name: "name-nobody".to_owned(),
                leaver: UserId(nothing),
                newcomer: UserId(nothing),
                assignment: AssignmentId(nothing),
                ending: AssignmentId(nothing),
                device: DeviceId(nothing),
            };
            (place, about)
        };
        let area = |place: Place| {
            // Beside the one that is there, and in what that lies in.
            let code = match place {
                Place::Deployment => return None,
                Place::Of(Level::Province) => "990000000000",
                Place::Of(Level::City) => "647700000000",
                Place::Of(Level::County) => "640477000000",
                Place::Of(Level::Township) => "640422177000",
                Place::Of(Level::Village) => "640422100277",
            };
            Some((place, (AreaId(nothing), code, "无此地")))
        };
        Self {
            journal: JournalId(nothing),
            visit: RecordId(nothing),
            teams: RecordId(nothing),
            household: RecordId(nothing),
            pictured: File {
                record: RecordId(nothing),
                digest: Digest([0xEE; 32]),
            },
            places: Place::ALL.into_iter().filter_map(area).collect(),
            people: Place::ALL.into_iter().map(about).collect(),
            others_session: "ee".repeat(16),
        }
    }
}

type Parameters = Vec<(&'static str, String)>;
/// What is sent, different each time if it has to be.
type Body = dyn Fn(u64) -> Ask + Send + Sync;
/// Whether what was asked for is in the answer.
type Shows = dyn Fn(&[u8]) -> bool + Send + Sync;

/// What an operation wants of its caller, before it asks what he may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// Nothing: everybody is answered alike.
    Nothing,
    /// A session.
    Session,
    /// A session whose account and phone stand in the registry.
    Standing,
    /// The same, on a phone.
    Phone,
    /// The same, and nothing tells whoever comes without one that something is there.
    PhoneOrNothing,
}

/// One operation, asked for one thing.
pub(super) struct Row {
    pub(super) operation: &'static str,
    wants: Wants,
    pub(super) query: String,
    pub(super) body: Box<Body>,
    pub(super) shows: Box<Shows>,
    /// Any of these is needed; none at all if there are none here.
    needs: &'static [Capability],
    /// The role reads all of these.
    reads: Vec<Audience>,
    /// Whether an office anywhere will do.
    is_anywhere: bool,
    /// Of what area the thing is that it is asked about.
    pub(super) place: Place,
    /// What somebody sees who may.
    done: Seen,
    /// What somebody sees who has none of the capabilities.
    incapable: Seen,
    /// What somebody sees who has one, in an office that does not take in the area.
    elsewhere: Seen,
    /// What somebody sees whose role does not read it.
    blind: Seen,
    parameters: Parameters,
    /// What the caller himself says of the thing: it may come back to him.
    names: Vec<String>,
}

impl Row {
    /// Whether it takes no session.
    pub(super) fn is_open(&self) -> bool {
        self.wants == Wants::Nothing
    }

    /// What a person should see.
    pub(super) fn expected(&self, person: &Person, state: State) -> Seen {
        if state.is_signed_out() {
            code("unauthenticated")
        } else if self.wants == Wants::Session {
            self.done.clone()
        } else if state.is_powerless() {
            self.incapable.clone()
        } else if state == State::Browser && self.wants == Wants::Phone {
            code("device_unusable")
        } else if state == State::Browser && self.wants == Wants::PhoneOrNothing {
            code("not_found")
        } else if self.needs.is_empty() {
            self.done.clone()
        } else if !person.can(self.needs) {
            self.incapable.clone()
        } else if !self.is_anywhere && !person.is_over(self.place) {
            self.elsewhere.clone()
        } else if !self.reads.iter().all(|read| person.role.reads(*read)) {
            self.blind.clone()
        } else {
            self.done.clone()
        }
    }

    /// The path, its parameters filled in.
    pub(super) fn path(&self, template: &str, own_session: &str) -> String {
        let mut path = template.to_owned();
        for (name, value) in &self.parameters {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let path = path.replace("{session}", own_session);
        assert!(!path.contains('{'), "a parameter without a value: {path}");
        path + &self.query
    }

    /// An answer, with what was asked about made alike in it and in the answer about what there is not.
    pub(super) fn blanked(&self, absent: &Self, answered: &Answered) -> Answered {
        let mut text = answered.text();
        for (known, unknown) in self.names.iter().zip(&absent.names) {
            text = text.replace(known, "…").replace(unknown, "…");
        }
        Answered {
            body: text.into_bytes(),
            ..answered.clone()
        }
    }

    /// Whoever has the capability anywhere may.
    fn anywhere(mut self) -> Self {
        self.is_anywhere = true;
        self
    }

    fn who_reads(mut self, audiences: &[Audience]) -> Self {
        self.reads = audiences.to_vec();
        self
    }

    /// Whoever may not know of it gets an answer without it.
    fn filtered(mut self) -> Self {
        (self.elsewhere, self.blind) = (Seen::Nothing, Seen::Nothing);
        self
    }

    /// Everybody is answered; who may not know of it, without it.
    fn filtered_for_all(mut self) -> Self {
        self.incapable = Seen::Nothing;
        self.filtered()
    }

    fn elsewhere(mut self, seen: &str) -> Self {
        self.elsewhere = code(seen);
        self
    }

    fn ends_in(mut self, seen: &str) -> Self {
        self.done = code(seen);
        self
    }

    fn asks(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    /// What it is asked about is not of the village, but of this place.
    fn of(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    fn about(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.parameters.insert(0, (name, value.to_string()));
        self
    }

    fn sends(mut self, body: impl Fn(u64) -> Json + Send + Sync + 'static) -> Self {
        self.body = Box::new(move |count| Ask::Json(body(count)));
        self
    }

    fn sends_bytes(mut self, media_type: &'static str, bytes: Vec<u8>) -> Self {
        self.body = Box::new(move |_| Ask::Bytes(media_type, bytes.clone()));
        self
    }

    /// It is done if this stands in the answer.
    fn shows(mut self, text: &impl ToString) -> Self {
        let text = text.to_string();
        self.shows = Box::new(move |bytes| String::from_utf8_lossy(bytes).contains(&text));
        self
    }
}

/// Who is asked, about what.
struct Table<'a>(&'a Targets);

impl Table<'_> {
    fn row(&self, operation: &'static str) -> Row {
        Row {
            operation,
            wants: Wants::Session,
            query: String::new(),
            body: Box::new(|_| Ask::Nothing),
            shows: Box::new(|_| true),
            needs: &[],
            reads: Vec::new(),
            is_anywhere: false,
            place: Place::VILLAGE,
            done: Seen::Done,
            incapable: code("not_found"),
            elsewhere: code("not_found"),
            blind: code("not_found"),
            parameters: vec![
                ("journal", self.0.journal.to_string()),
                ("record", self.0.visit.to_string()),
                ("version", "1".to_owned()),
                ("paper", "need_ledger".to_owned()),
            ],
            names: (self.0.places.values())
                .flat_map(|(area, code, name)| {
                    [area.to_string(), (*code).to_owned(), (*name).to_owned()]
                })
                .collect(),
        }
    }

    /// Takes no token: everybody is answered alike.
    fn open(&self, operation: &'static str) -> Row {
        let mut row = self.row(operation);
        row.wants = Wants::Nothing;
        row
    }

    fn needs(&self, operation: &'static str, any_of: &'static [Capability]) -> Row {
        let mut row = self.row(operation);
        (row.needs, row.wants) = (any_of, Wants::Standing);
        row
    }
}

/// Who administers people in some way, or watches those who do.
const SEES_PEOPLE: &[Capability] = &[ManageAccounts, ManageGrants, ManageDevices, ReadAuditLog];
/// Who needs the areas' names.
const SEES_AREAS: &[Capability] = &[
    ImportAreas,
    ManageAccounts,
    ManageGrants,
    ManageDevices,
    ReadAuditLog,
    ReadAggregates,
    ReadRecords,
];
const SEES_CATALOGUES: &[Capability] = &[
    PublishCatalogue,
    ImportAreas,
    ManageAccounts,
    ReadAuditLog,
    VerifyLog,
];
const VERIFIES: &[Capability] = &[Audit, VerifyLog];

/// One row for each operation, more where it can be asked for things that not the same people may know of.
pub(super) fn rows(targets: &Targets) -> Vec<Row> {
    let table = Table(targets);
    let mut rows = door(&table);
    for place in Place::ALL {
        rows.extend(administration(&table, place));
        rows.extend(within(&table, place));
    }
    rows.extend(people(&table));
    rows.extend(reading(&table));
    rows.extend(audit(&table));
    rows.extend(sync(&table));
    rows.extend(files(&table));
    rows
}

fn door(table: &Table<'_>) -> Vec<Row> {
    vec![
        table.open("describe_api"),
        table.open("show_docs"),
        table.open("show_docs_style"),
        table.open("show_alive"),
        table.open("show_ready"),
        table.open("show_metrics"),
        table.open("show_deployment"),
        table.open("start_session").sends(|_| json!({})),
        table.open("refresh_session").sends(|_| json!({})),
        table.open("set_password").sends(|_| json!({})),
        table.open("found_deployment").sends(|_| json!({})),
        table.open("enrol_device").sends(|_| json!({})),
        table.row("show_session"),
        table.row("list_sessions"),
        table.row("end_own_session"),
        table.row("end_session"),
        // Somebody else's session is nobody's business.
        (table.row("end_session"))
            .about("session", &table.0.others_session)
            .ends_in("not_found"),
        (table.row("change_password"))
            .sends(|_| json!({}))
            .ends_in("malformed"),
    ]
}

/// What is done about people who belong to a place.
fn administration(table: &Table<'_>, place: Place) -> Vec<Row> {
    let about = &table.0.people[&place];
    let (target, device) = (about.target, about.device);
    let needs = |operation, any_of| {
        let row = table.needs(operation, any_of).of(place);
        row.about("user", &target).about("device", &device)
    };
    vec![
        (needs("list_users", SEES_PEOPLE))
            .asks(format!("?q={}", about.name))
            .shows(&target)
            .filtered(),
        (needs("disable_user", &[ManageAccounts])).about("user", &about.leaver),
        (needs("issue_password_code", &[ManageAccounts])).sends(|_| json!({})),
        (needs("issue_enrolment_code", &[ManageDevices])).sends(|_| json!({})),
        (needs(
            "list_assignments",
            &[ManageGrants, ManageAccounts, ReadAuditLog],
        ))
        .asks(format!("?user={target}"))
        .shows(&about.assignment)
        .filtered(),
        (needs("end_assignment", &[ManageGrants]))
            .about("assignment", &about.ending)
            .sends(|_| json!({})),
        (needs("list_devices", &[ManageDevices, ReadAuditLog]))
            .asks(format!("?user={target}"))
            .shows(&device)
            .filtered(),
        needs("suspend_device", &[ManageDevices]).sends(|_| json!({ "cause": "lost" })),
        needs("revoke_device", &[ManageDevices]).sends(|_| json!({ "cause": "lost" })),
    ]
}

/// What is asked about a place as an area.
fn within(table: &Table<'_>, place: Place) -> Vec<Row> {
    let Some((area, code, name)) = table.0.places.get(&place).copied() else {
        return Vec::new();
    };
    let needs = |operation, any_of| table.needs(operation, any_of).of(place);
    let reads = |operation| needs(operation, &[ReadRecords]).asks(format!("?area={area}"));
    let level = place.name();
    let parent = place
        .above()
        .and_then(Place::area)
        .map_or("", |(_, code, _)| code);
    let known = format!("code,name,level,parent_code\n{code},{name},{level},{parent}\n");
    let target = match place {
        Place::Of(Level::City | Level::Province) => table.0.people[&place].newcomer,
        _ => table.0.people[&Place::VILLAGE].target,
    };
    let role = if place == Place::VILLAGE {
        "FS"
    } else {
        place.role()
    };
    vec![
        (needs("list_areas", SEES_AREAS))
            .asks(format!("?q={code}"))
            .shows(&area)
            .filtered(),
        (needs("import_areas", &[ImportAreas]))
            .sends_bytes("text/csv", known.into_bytes())
            .elsewhere("invalid_field|file_mistakes"),
        (needs("give_assignment", &[ManageGrants]))
            .sends(move |count| {
                let year = 2030 + count / 300;
                let day = format!("{year}-{:02}-{:02}", 1 + count % 300 / 25, 1 + count % 25);
                json!({ "user": target.to_string(), "role": role, "area": code, "from": day, "to": day })
            })
            .elsewhere("invalid_field"),
        (needs(
            "list_assignments",
            &[ManageGrants, ManageAccounts, ReadAuditLog],
        ))
        .asks(format!("?area={area}"))
        .shows(&table.0.people[&place].assignment),
        needs("list_areas", SEES_AREAS).asks(format!("?parent={area}")),
        // Whoever may not know of the area may not know that nothing is in it.
        reads("list_records"),
        (needs("list_clusters", &[ReadAggregates])).asks(format!("?area={area}")),
        reads("list_conflicts"),
        reads("list_unanswered"),
        reads("list_flagged"),
        (needs(
            "list_journals",
            &[ReadRecords, Audit, VerifyLog, ReadAuditLog],
        ))
        .asks(format!("?area={area}")),
        (needs("list_access", &[ReadAuditLog])).asks(format!("?area={area}")),
        (needs("draw_bundle", VERIFIES)).asks(format!("?area={area}")),
        (needs("draw_bundle", VERIFIES)).asks(format!("?area={area}&sample=2")),
    ]
}

/// What is asked about no place.
fn people(table: &Table<'_>) -> Vec<Row> {
    vec![
        (table.needs("add_user", &[ManageAccounts]))
            .sends(|count| json!({ "user_name": format!("new-{count}"), "display_name": "新人" }))
            .anywhere(),
        (table.needs("list_catalogues", SEES_CATALOGUES)).anywhere(),
        // Every device folds by these files; they hold nobody's data.
        table.row("show_catalogue"),
    ]
}

fn reading(table: &Table<'_>) -> Vec<Row> {
    let reads = |operation| table.needs(operation, &[ReadRecords]);
    let Targets {
        visit,
        teams,
        household,
        ..
    } = *table.0;
    let journal = table.0.journal;
    let reveal = move |record: RecordId, field: &'static str| {
        let purpose = Targets::PURPOSE;
        let (journal, record) = (journal.to_string(), record.to_string());
        move |_| json!({ "journal": journal, "record": record, "field": field, "purpose": purpose })
    };
    let (village, team) = (&[Audience::Village], &[Audience::Team]);
    vec![
        (reads("list_records").shows(&visit))
            .who_reads(village)
            .filtered(),
        (reads("list_records").shows(&teams))
            .who_reads(team)
            .filtered(),
        (reads("list_conflicts").shows(&household))
            .who_reads(village)
            .filtered(),
        (reads("list_unanswered").shows(&household))
            .who_reads(village)
            .filtered(),
        (reads("list_flagged").shows(&visit))
            .who_reads(village)
            .filtered(),
        reads("show_record").who_reads(village),
        reads("show_record").about("record", &teams).who_reads(team),
        reads("show_history").who_reads(village),
        reads("show_history")
            .about("record", &teams)
            .who_reads(team),
        reads("list_papers"),
        reads("draft_paper").who_reads(village),
        // What a paper cannot be about is as little there as what nobody may know of.
        (reads("draft_paper").about("paper", &"case_file"))
            .asks(format!("?record={visit}"))
            .ends_in("not_found"),
        // A document holds its whole past: only who reads all of it gets one.
        reads("export_document").who_reads(&Audience::ALL),
        (reads("export_document").about("record", &household))
            .who_reads(&[Audience::Village, Audience::Sensitive]),
        (table.needs("reveal_field", &[Reveal])).sends(reveal(visit, "illness")),
        (table.needs("reveal_field", &[Reveal]))
            .sends(reveal(teams, "note"))
            .who_reads(team),
    ]
}

fn audit(table: &Table<'_>) -> Vec<Row> {
    vec![
        (table.needs(
            "list_journals",
            &[ReadRecords, Audit, VerifyLog, ReadAuditLog],
        ))
        .shows(&table.0.journal)
        .filtered(),
        table.needs("show_checkpoint", VERIFIES).anywhere(),
        (table.needs("list_leaves", VERIFIES).shows(&table.0.journal)).anywhere(),
        (table.needs("list_access", &[ReadAuditLog]))
            .shows(&Targets::PURPOSE)
            .filtered(),
        (table.needs("draw_bundle", VERIFIES)).asks(format!("?journal={}", table.0.journal)),
    ]
}

fn sync(table: &Table<'_>) -> Vec<Row> {
    let journal = table.0.journal;
    let request = SyncRequest {
        protocol: PROTOCOL,
        cursors: vec![Cursor {
            journal,
            end: Chain::start(journal).end,
        }],
        registry: 0,
        batches: Vec::new(),
        carried: Vec::new(),
        budget_bytes: u32::MAX,
        checkpoint: 0,
    };
    let mut exchange = (table.needs("exchange_batches", &[Capability::Sync]))
        .sends_bytes("application/cbor", cbor::encode(&request))
        .filtered_for_all();
    exchange.wants = Wants::Phone;
    exchange.shows = Box::new(|bytes| {
        let response: SyncResponse = cbor::decode(bytes).expect("a response");
        !response.journals.is_empty()
    });
    let mut follow = table.row("follow_journals");
    follow.wants = Wants::Standing;
    // Whoever gives back signs with his device's key; without that there is nothing to ask for.
    let refill = (table.open("give_back_entries"))
        .sends_bytes("application/cbor", Vec::new())
        .ends_in("malformed");
    vec![exchange, follow, refill]
}

/// A photograph is sensitive: it is reached on the phones of whoever pulls that.
fn files(table: &Table<'_>) -> Vec<Row> {
    let File { record, digest } = table.0.pictured;
    let needs = |operation| {
        let row = table.needs(operation, &[Capability::Sync]);
        let mut row = row.about("record", &record).about("sha256", &digest);
        row.wants = Wants::PhoneOrNothing;
        row.who_reads(&[Audience::Village, Audience::Sensitive])
    };
    let mut fetch = needs("fetch_file");
    fetch.shows = Box::new(|bytes| bytes == PICTURE);
    let mut send = needs("send_file");
    send.body = Box::new(|_| Ask::Piece(PICTURE.to_vec()));
    vec![needs("find_file"), fetch, send]
}
