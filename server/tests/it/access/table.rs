//! The table: for each operation, what it needs, and what everybody else sees.

use serde_json::{Value as Json, json};
use sync_core::catalog::Capability::{
    self, Audit, ImportAreas, ManageAccounts, ManageDevices, ManageGrants, PublishCatalogue,
    ReadAggregates, ReadAuditLog, ReadRecords, Reveal, VerifyLog,
};
use sync_core::cbor;
use sync_core::command::Audience;
use sync_core::id::{AssignmentId, DeviceId, RecordId, UserId};
use sync_core::journal::Chain;
use sync_core::sync::PROTOCOL;
use sync_core::sync::wire::{Cursor, SyncRequest, SyncResponse};

use super::people::{Person, State};
use crate::county::{COUNTY, JOURNAL};

/// What somebody sees of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is done, and shows what it was asked for.
    Done,
    /// It is answered, and what was asked for is not in the answer.
    Nothing,
    /// It fails with this code.
    Code(String),
}

fn code(code: &str) -> Seen {
    Seen::Code(code.to_owned())
}

/// The body of a request.
pub(super) enum Ask {
    Nothing,
    Json(Json),
    Bytes(&'static str, Vec<u8>),
}

/// What operations are asked about. All of it is of the village.
pub(super) struct Targets {
    /// A record for all of the village.
    pub(super) visit: RecordId,
    /// A record for the team alone.
    pub(super) teams: RecordId,
    /// A household with two values for a field, and a command without effect.
    pub(super) household: RecordId,
    /// Somebody who stays.
    pub(super) target: UserId,
    /// Somebody whose account is closed.
    pub(super) leaver: UserId,
    /// Somebody's assignment, which is ended.
    pub(super) ending: AssignmentId,
    /// A phone, which is suspended, then revoked.
    pub(super) device: DeviceId,
    /// A session of somebody who calls nothing.
    pub(super) others_session: String,
}

impl Targets {
    /// What something was revealed for.
    pub(super) const PURPOSE: &'static str = "核实大病救助";

    /// Before there are any.
    pub(super) fn none() -> Self {
        let nothing = [0; 16];
        Self {
            visit: RecordId(nothing),
            teams: RecordId(nothing),
            household: RecordId(nothing),
            target: UserId(nothing),
            leaver: UserId(nothing),
            ending: AssignmentId(nothing),
            device: DeviceId(nothing),
            others_session: String::new(),
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
    /// What somebody sees who may.
    done: Seen,
    /// What somebody sees who has none of the capabilities.
    incapable: Seen,
    /// What somebody sees who has one, in an office that does not take in the village.
    elsewhere: Seen,
    /// What somebody sees whose role does not read it.
    blind: Seen,
    parameters: Parameters,
}

impl Row {
    /// Whether it takes no session.
    pub(super) fn is_open(&self) -> bool {
        self.wants == Wants::Nothing
    }

    /// What a person should see.
    pub(super) fn expected(&self, person: &Person, state: State) -> Seen {
        match state {
            State::SignedOut | State::Suspended | State::Revoked => code("unauthenticated"),
            State::Outlived if self.wants != Wants::Session => self.incapable.clone(),
            State::Browser if self.wants == Wants::Phone => code("device_unusable"),
            State::Browser | State::Active | State::Outlived => {
                if self.needs.is_empty() {
                    self.done.clone()
                } else if !person.can(self.needs) {
                    self.incapable.clone()
                } else if !self.is_anywhere && !person.is_over() {
                    self.elsewhere.clone()
                } else if !self.reads.iter().all(|read| person.role.reads(*read)) {
                    self.blind.clone()
                } else {
                    self.done.clone()
                }
            }
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
            done: Seen::Done,
            incapable: code("not_found"),
            elsewhere: code("not_found"),
            blind: code("not_found"),
            parameters: vec![
                ("journal", JOURNAL.to_string()),
                ("record", self.0.visit.to_string()),
                ("user", self.0.target.to_string()),
                ("device", self.0.device.to_string()),
                ("assignment", self.0.ending.to_string()),
                ("version", "1".to_owned()),
            ],
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
    rows.extend(administration(&table));
    rows.extend(reading(&table));
    rows.extend(audit(&table));
    rows.extend(sync(&table));
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

fn administration(table: &Table<'_>) -> Vec<Row> {
    let target = table.0.target;
    let village = "640422100201";
    let known = format!("code,name,level,parent_code\n{village},半子沟村,village,640422100000\n");
    vec![
        (table.needs("list_areas", SEES_AREAS))
            .asks(format!("?q={village}"))
            .shows(&"半子沟村")
            .filtered(),
        (table.needs("import_areas", &[ImportAreas]))
            .sends_bytes("text/csv", known.into_bytes())
            .elsewhere("invalid_field"),
        (table.needs("list_users", SEES_PEOPLE))
            .asks("?q=name-target")
            .shows(&target)
            .filtered(),
        (table.needs("add_user", &[ManageAccounts]))
            .sends(|count| json!({ "user_name": format!("new-{count}"), "display_name": "新人" }))
            .anywhere(),
        (table.needs("disable_user", &[ManageAccounts])).about("user", &table.0.leaver),
        (table.needs("issue_password_code", &[ManageAccounts])).sends(|_| json!({})),
        (table.needs("issue_enrolment_code", &[ManageDevices])).sends(|_| json!({})),
        (table.needs(
            "list_assignments",
            &[ManageGrants, ManageAccounts, ReadAuditLog],
        ))
        .asks(format!("?user={target}"))
        .shows(&village_assignment(target))
        .filtered(),
        (table.needs("give_assignment", &[ManageGrants]))
            .sends(move |count| {
                let year = 2030 + count / 300;
                let day = format!("{year}-{:02}-{:02}", 1 + count % 300 / 25, 1 + count % 25);
                json!({ "user": target.to_string(), "role": "FS", "area": village, "from": day, "to": day })
            })
            .elsewhere("invalid_field"),
        (table.needs("end_assignment", &[ManageGrants])).sends(|_| json!({})),
        (table.needs("list_devices", &[ManageDevices, ReadAuditLog]))
            .asks(format!("?user={target}"))
            .shows(&table.0.device)
            .filtered(),
        (table.needs("suspend_device", &[ManageDevices])).sends(|_| json!({ "cause": "lost" })),
        (table.needs("revoke_device", &[ManageDevices])).sends(|_| json!({ "cause": "lost" })),
        (table.needs("list_catalogues", SEES_CATALOGUES)).anywhere(),
        // Every device folds by these files; they hold nobody's data.
        table.row("show_catalogue"),
    ]
}

/// The id of somebody's assignment.
fn village_assignment(user: UserId) -> AssignmentId {
    AssignmentId(user.0)
}

fn reading(table: &Table<'_>) -> Vec<Row> {
    let reads = |operation| table.needs(operation, &[ReadRecords]);
    let Targets {
        visit,
        teams,
        household,
        ..
    } = *table.0;
    let reveal = move |record: RecordId, field: &'static str| {
        let purpose = Targets::PURPOSE;
        let (journal, record) = (JOURNAL.to_string(), record.to_string());
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
        .shows(&JOURNAL)
        .filtered(),
        table.needs("show_checkpoint", VERIFIES).anywhere(),
        (table.needs("list_leaves", VERIFIES).shows(&JOURNAL)).anywhere(),
        (table.needs("list_access", &[ReadAuditLog]))
            .shows(&Targets::PURPOSE)
            .filtered(),
        (table.needs("draw_bundle", VERIFIES)).asks(format!("?area={COUNTY}")),
    ]
}

fn sync(table: &Table<'_>) -> Vec<Row> {
    let request = SyncRequest {
        protocol: PROTOCOL,
        cursors: vec![Cursor {
            journal: JOURNAL,
            end: Chain::start(JOURNAL).end,
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
