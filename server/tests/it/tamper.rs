//! Somebody changes the database: `zhucun log check` finds it, and passes every database that nobody changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Method, Request, header};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use server::check::{Checked, Ground, check_with};
use server::journals::{fold, publish};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _};
use store_sqlite::SqliteStore;
use sync_core::admit::Catalogues;
use sync_core::audit::Read;
use sync_core::batch::{Sealing, Seed, Unsealed, WireBatch, lane_start, seal};
use sync_core::cbor;
use sync_core::command::{Content, Splice, Verb};
use sync_core::id::{DeploymentId, RecordId};
use sync_core::registry::AccessAct;
use sync_core::sign::SigningKey;
use sync_core::sync::PROTOCOL;
use sync_core::sync::device::{Intent, Target, World as DeviceWorld};
use sync_core::sync::wire::SyncRequest;
use sync_core::value::Value;
use tempfile::TempDir;

use crate::county::{ACCESS, County, JOURNAL, user};

/// How many databases that nobody changed are checked.
const UNTOUCHED: usize = 100;
/// How many changes are tried.
const CHANGES: usize = 10_000;
/// How many of the databases are changed.
const BASES: usize = 4;

/// What the entries prove, or add up to. Not here: who may sign in, and what a device sent today.
const TABLES: [&str; 10] = [
    "journal",
    "entry",
    "lane",
    "offer",
    "equivocation",
    "record_index",
    "folded",
    "record",
    "leaf",
    "tree_node",
];
/// Of the checkpoints the newest counts: what an older one proves, it proves as well.
const CHECKPOINT: &str = "checkpoint";
/// Nothing proves when a checkpoint was signed.
const UNPROVED: (&str, &str) = (CHECKPOINT, "signed_at");

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    Null,
    Number(i64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Cell {
    /// As SQL writes it.
    fn sql(&self) -> String {
        let hex = |bytes: &[u8]| -> String {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            digits.collect()
        };
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("CAST(x'{}' AS TEXT)", hex(text)),
            Self::Bytes(bytes) => format!("x'{}'", hex(bytes)),
        }
    }

    /// Another value of the same type.
    fn changed(&self, dice: &mut StdRng) -> Self {
        let mut change = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = dice.random_range(0..bytes.len().max(1));
            match dice.random_range(0..8) {
                0 => bytes.truncate(at),
                1 => bytes.push(dice.random_range(b'a'..=b'z')),
                2 => bytes.insert(at.min(bytes.len()), dice.random_range(b'a'..=b'z')),
                3 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ if bytes.is_empty() => bytes.push(b'x'),
                _ => bytes[at] ^= 1 << dice.random_range(0..8_u8),
            }
            bytes
        };
        match self {
            Self::Null => Self::Text(b"x".to_vec()),
            Self::Text(text) => Self::Text(change(text)),
            Self::Bytes(bytes) => Self::Bytes(change(bytes)),
            Self::Number(number) => {
                let by = dice.random_range(1..4);
                Self::Number(if dice.random_range(0..2) == 0 {
                    number + by
                } else {
                    number - by
                })
            }
        }
    }
}

/// A table as it was before anybody changed it.
struct Table {
    name: &'static str,
    columns: Vec<String>,
    keys: Vec<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    async fn of(connection: &mut SqliteConnection, name: &'static str) -> Self {
        let described = query(connection, &format!("PRAGMA table_info({name})")).await;
        let columns = described.iter().map(|row| row.get("name")).collect();
        let keys = (0..)
            .zip(&described)
            .filter(|(_, row)| row.get::<i64, _>("pk") > 0);
        let keys = keys.map(|(at, _)| at).collect();
        let rows = query(connection, &format!("SELECT * FROM {name}")).await;
        let rows = rows
            .iter()
            .map(|row| (0..row.len()).map(|at| cell(row, at)).collect());
        Self {
            name,
            columns,
            keys,
            rows: rows.collect(),
        }
    }

    fn condition(&self, row: &[Cell]) -> String {
        let equal = |at: &usize| format!("{} = {}", self.columns[*at], row[*at].sql());
        let all: Vec<String> = self.keys.iter().map(equal).collect();
        all.join(" AND ")
    }

    /// One change of one row, and of which kind; nothing if it changes nothing.
    fn change(&self, dice: &mut StdRng) -> Option<(&'static str, String)> {
        let at = dice.random_range(0..self.rows.len());
        let (row, name) = (&self.rows[at], self.name);
        let here = self.condition(row);
        let draw = dice.random_range(0..8);
        if draw == 0 {
            let newest = name != CHECKPOINT || at + 1 == self.rows.len();
            return newest.then(|| ("delete", format!("DELETE FROM {name} WHERE {here}")));
        }
        let column = dice.random_range(0..self.columns.len());
        if (name, &*self.columns[column]) == UNPROVED {
            return None;
        }
        let (kind, new) = if draw == 1 {
            let other = &self.rows[dice.random_range(0..self.rows.len())];
            ("swap", other[column].clone())
        } else {
            ("alter", row[column].changed(dice))
        };
        if new == row[column] {
            return None;
        }
        if draw == 2 {
            let mut more = row.clone();
            more[column] = new;
            let cells: Vec<String> = more.iter().map(Cell::sql).collect();
            let values = cells.join(", ");
            return Some(("insert", format!("INSERT INTO {name} VALUES ({values})")));
        }
        let set = format!("{} = {}", self.columns[column], new.sql());
        Some((kind, format!("UPDATE {name} SET {set} WHERE {here}")))
    }
}

fn cell(row: &sqlx::sqlite::SqliteRow, at: usize) -> Cell {
    let raw = row.try_get_raw(at).unwrap();
    match raw.type_info().name() {
        _ if raw.is_null() => Cell::Null,
        "INTEGER" => Cell::Number(row.get(at)),
        "TEXT" => Cell::Text(row.get::<String, _>(at).into_bytes()),
        _ => Cell::Bytes(row.get(at)),
    }
}

async fn query(connection: &mut SqliteConnection, sql: &str) -> Vec<sqlx::sqlite::SqliteRow> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    query.fetch_all(connection).await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &str) -> bool {
    let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    query.execute(connection).await.is_ok()
}

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.synchronous(SqliteSynchronous::Off);
    options.connect().await.unwrap()
}

/// A database as it was at some time, and the checkpoint that was kept then.
struct Base {
    file: PathBuf,
    kept: Option<String>,
}

/// A county at work, whose database is checked after every step.
struct Story {
    county: County,
    dice: StdRng,
    read: Read,
    households: Vec<RecordId>,
    visits: Vec<RecordId>,
    checks: usize,
}

impl Story {
    async fn new() -> Self {
        let county = County::new().await;
        Self {
            households: vec![county.household],
            visits: vec![county.visit],
            county,
            dice: StdRng::seed_from_u64(1),
            read: Read::default(),
            checks: 0,
        }
    }

    async fn untouched(&mut self) -> Checked {
        let app = &self.county.world.app;
        fold::fold_all(app.store(), app.catalogues(), app.deployment())
            .await
            .unwrap();
        let checked = check_with(&Ground::of(app), app.store(), &mut self.read).await;
        let checked = checked.unwrap();
        assert_eq!(checked.disagreements, [], "after {} checks", self.checks);
        self.checks += 1;
        checked
    }

    fn save(&mut self, name: &str, intent: Intent) -> Option<RecordId> {
        let now = self.county.now();
        let phone = self.county.phones.get_mut(name).unwrap();
        let saved = phone.save(JOURNAL, None, intent, now);
        saved.ok().map(|saved| saved.record)
    }

    fn try_save(&mut self, name: &str, intent: Intent) {
        self.save(name, intent);
    }

    /// Somebody writes something.
    async fn step(&mut self) {
        self.county.world.pass(self.dice.random_range(1..90));
        let name = ["fs", "tm"][self.dice.random_range(0..2)];
        let text = Value::text(format!("字{}", self.checks));
        let household = self.households[self.dice.random_range(0..self.households.len())];
        let visit = self.visits[self.dice.random_range(0..self.visits.len())];
        match self.dice.random_range(0..8) {
            0 => {
                let made = Intent::create("household").with("householder", text);
                let made = self.save(name, made);
                self.households.extend(made);
            }
            1 => {
                let made = Intent::create("visit").link("household", household);
                let made = self.save(name, made.with("note", text));
                self.visits.extend(made);
            }
            // It may be filed already: then nothing is saved.
            2 => self.try_save(name, Intent::act(visit, "file")),
            3 => {
                let mut edit = Intent::new(Target::Existing(household), Verb::Edit);
                let splice = Splice {
                    at: u32::MAX,
                    delete: 0,
                    insert: "又到".to_owned(),
                };
                edit.edit = Some(("note".to_owned(), vec![splice]));
                self.try_save(name, edit);
            }
            _ => self.try_save(name, Intent::set(household).with("crop", text)),
        }
        if self.dice.random_range(0..3) > 0 {
            self.county.sync(name).await;
        }
        if self.dice.random_range(0..6) == 0 {
            publish::publish(&self.county.world.app).await.unwrap();
        }
    }

    /// Two act at once on what both saw, and he who came too late offers it again; a county has something erased; somebody reads
    /// what is sensitive.
    async fn scene(&mut self) {
        for name in ["fs", "tm", "cs"] {
            self.county.sync(name).await;
        }
        let moved = Intent::create("household").with("householder", Value::text("赵六"));
        let moved = self.save("fs", moved).unwrap();
        self.county.sync("fs").await;
        self.county.sync("tm").await;
        for name in ["fs", "tm"] {
            let cancel = Intent::act(moved, "cancel").because("迁走");
            self.save(name, cancel).unwrap();
            self.county.sync(name).await;
        }
        let back = Intent::act(moved, "reinstate").because("没有迁走");
        self.save("fs", back).unwrap();
        self.county.sync("fs").await;
        self.county.sync("tm").await;
        let now = self.county.now();
        let phone = self.county.phones.get_mut("tm").unwrap();
        let origin = phone.device.to_answer()[0].origin;
        let saved = phone.device.offer_again(
            &mut DeviceWorld {
                now,
                rng: &mut phone.rng,
            },
            origin,
        );
        phone.storage.carry_out(&saved.unwrap().effects);
        self.county.sync("tm").await;
        let erase = Intent::new(Target::Existing(self.county.teams), Verb::Erase);
        self.save("cs", erase.because("本人依法要求")).unwrap();
        self.county.sync("cs").await;
        let app = &self.county.world.app;
        let mut unit = app.store().begin().await.unwrap();
        let act = AccessAct::SignIn { user: user("cs") };
        app.registrar()
            .note(&mut *unit, ACCESS, &[act], None, app.clock().now())
            .await
            .unwrap();
        unit.commit().await.unwrap();
    }

    /// A phone of which there are two signs another batch under the first number.
    async fn equivocate(&mut self) {
        let app = &self.county.world.app;
        let key = SigningKey::from_seed(user("tm").0.repeat(2).try_into().unwrap());
        let mut unit = app.store().read().await.unwrap();
        let entries = unit.entries(JOURNAL, 0, usize::MAX).await.unwrap();
        drop(unit);
        let device = key.public().device();
        let first = entries.iter().find(|it| it.batch.device == device).unwrap();
        let parts = first.batch.open().unwrap();
        let batch = &parts.batch;
        let sealing = Sealing {
            deployment: app.deployment(),
            journal: JOURNAL,
            assignment: batch.assignment,
            catalogue: batch.catalogue,
            previous: lane_start(device, JOURNAL),
            seen: batch.seen,
            at: batch.sealed_at.plus_ms(1),
            seed: Seed([7; 16]),
            key: &key,
        };
        let commands = parts.commands().map(|command| Unsealed {
            envelope: command.envelope,
            content: command.content.unwrap_or_else(Content::default),
        });
        let wire = seal(&sealing, commands.collect()).to_wire();
        self.bring("tm", &wire).await;
    }

    async fn bring(&self, name: &str, batch: &WireBatch) {
        let device = self.county.phones[name].device.id();
        let token = self.county.token(user(name), Some(device)).await;
        let request = SyncRequest {
            protocol: PROTOCOL,
            cursors: Vec::new(),
            registry: 0,
            batches: vec![batch.clone()],
            carried: Vec::new(),
            budget_bytes: 0,
            checkpoint: 0,
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/sync")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/cbor")
            .body(Body::from(cbor::encode(&request)))
            .unwrap();
        let (status, _) = self.county.world.send_bytes(request).await;
        assert!(status.is_success(), "{status}");
    }

    /// The database as it is now, in a file of its own.
    async fn keep(&self, folder: &TempDir) -> Base {
        let app = &self.county.world.app;
        let file = folder.path().join(format!("{}.db", self.checks));
        let mut connection = open(&app.config().data_dir.join("zhucun.db")).await;
        let copied = format!("VACUUM INTO '{}'", file.display());
        assert!(execute(&mut connection, &copied).await);
        Base {
            file,
            kept: app.kept().newest().map(|kept| kept.note),
        }
    }
}

/// What came of the changes: of each table and kind, how many were found.
type Counts = BTreeMap<(&'static str, &'static str), usize>;

/// Changes a database again and again, each time from what it was.
async fn change_often(
    (deployment, catalogues): (DeploymentId, &Catalogues),
    base: &Base,
    place: &Path,
    mut dice: StdRng,
    left: &AtomicUsize,
) -> Counts {
    std::fs::copy(&base.file, place).unwrap();
    let store = SqliteStore::open(place).await.unwrap();
    let mut connection = open(place).await;
    let pristine = format!("ATTACH '{}' AS pristine", base.file.display());
    assert!(execute(&mut connection, &pristine).await);
    let ground = Ground {
        deployment,
        catalogues,
        kept: base.kept.clone(),
    };
    let mut read = Read::default();
    let mut tables = Vec::new();
    for name in TABLES.into_iter().chain([CHECKPOINT]) {
        let table = Table::of(&mut connection, name).await;
        assert!(!table.rows.is_empty(), "the story has rows of {name}");
        tables.push(table);
    }
    let mut counts = Counts::new();
    for draw in 0.. {
        let table = &tables[draw % tables.len()];
        let Some((kind, sql)) = table.change(&mut dice) else {
            continue;
        };
        // What the schema itself does not let stand is no change.
        if !execute(&mut connection, &sql).await {
            continue;
        }
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        if taken.is_err() {
            break;
        }
        let checked = check_with(&ground, &store, &mut read).await.unwrap();
        assert!(!checked.disagreements.is_empty(), "nobody found: {sql}");
        *counts.entry((table.name, kind)).or_default() += 1;
        let name = table.name;
        let back = format!(
            "BEGIN; DELETE FROM main.{name}; INSERT INTO main.{name} SELECT * FROM pristine.{name}; COMMIT"
        );
        assert!(execute(&mut connection, &back).await, "{sql}");
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn untouched_databases_pass_and_every_change_of_one_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = Story::new().await;
    let mut bases = Vec::new();
    story.untouched().await;
    story.scene().await;
    story.untouched().await;
    story.equivocate().await;
    publish::publish(&story.county.world.app).await.unwrap();
    story.county.world.pass(1);
    story.county.save(
        "fs",
        Intent::create("household").with("householder", Value::text("钱七")),
    );
    story.county.sync("fs").await;
    publish::publish(&story.county.world.app).await.unwrap();
    let checked = story.untouched().await;
    assert!(
        checked.entries > 10 && checked.records > 4 && checked.leaves > 3,
        "{checked:?}"
    );
    while story.checks < UNTOUCHED {
        if bases.len() < BASES {
            bases.push(story.keep(&folder).await);
        }
        story.step().await;
        story.untouched().await;
    }
    let app = story.county.world.app.clone();
    let (deployment, catalogues) = (app.deployment(), app.catalogues());
    let left = AtomicUsize::new(CHANGES);
    let counts: Mutex<Counts> = Mutex::default();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            for (seed, base) in (0..).zip(&bases) {
                let (left, counts) = (&left, &counts);
                let place = folder.path().join(format!("changed-{seed}.db"));
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    let dice = StdRng::seed_from_u64(seed);
                    let found = runtime.block_on(change_often(
                        (deployment, catalogues),
                        base,
                        &place,
                        dice,
                        left,
                    ));
                    let mut counts = counts.lock().unwrap();
                    for (kind, found) in found {
                        *counts.entry(kind).or_default() += found;
                    }
                });
            }
        });
    });
    let counts = counts.into_inner().unwrap();
    println!("{UNTOUCHED} untouched databases pass; changes found, by table and kind: {counts:#?}");
    assert_eq!(counts.values().sum::<usize>(), CHANGES);
    for table in TABLES.into_iter().chain([CHECKPOINT]) {
        for kind in ["delete", "alter"] {
            assert!(counts.contains_key(&(table, kind)), "{kind} of {table}");
        }
    }
}

#[tokio::test]
async fn the_program_tells_by_its_exit_code_whether_a_database_agrees() {
    let mut county = County::of(crate::world::World::today().await).await;
    publish::publish(&county.world.app).await.unwrap();
    county.sync("fs").await;
    let folder = county.world.leave();
    let data = folder.path().join("data");
    let check = || {
        let program = Command::new(env!("CARGO_BIN_EXE_zhucun"))
            .args(["log", "check", "--data-dir"])
            .arg(&data)
            .output()
            .unwrap();
        let text = String::from_utf8(program.stdout).unwrap();
        (program.status.success(), text)
    };
    // What phones sent last is folded, as by a server that runs.
    let (agrees, text) = check();
    assert!(agrees && text.contains("everything agrees"), "{text}");
    let mut connection = open(&data.join("zhucun.db")).await;
    assert!(execute(&mut connection, "UPDATE record SET flagged = 1 - flagged").await);
    let (agrees, text) = check();
    assert!(!agrees && text.contains("DISAGREES"), "{text}");
}
