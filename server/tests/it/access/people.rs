//! One person for each role, each level at which it is assigned, and each way in which an office can lie to the village.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use serde_json::Value as Json;
use server::admin::devices::{self, Cause, Taken};
use server::admin::mandate::Word;
use server::journals::publish;
use store::accounts::Device;
use sync_core::area::Level;
use sync_core::catalog::{Capability, Role, Side};
use sync_core::id::{AreaId, DeviceId, UserId, sha256};
use sync_core::registry::{RegistryAct, Standing};
use sync_core::sign::SigningKey;
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use super::table::Targets;
use crate::county::{
    ALIKE, CITY, COUNTY, County, JOURNAL, PROVINCE, SIBLING, TOWNSHIP, VILLAGE, assignment, user,
};
use crate::world::request;

const OTHER_TOWNSHIP: AreaId = AreaId([0x77; 16]);
const OTHER_CITY: AreaId = AreaId([0x78; 16]);
const OTHER_PROVINCE: AreaId = AreaId([0x79; 16]);

/// How an office lies to the village.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Office {
    /// It is the village's, or takes it in.
    Around,
    /// It is of the same level, and does not take it in.
    Elsewhere,
    /// It is the whole deployment.
    Whole,
    /// It took the village in until yesterday: today there is none.
    Ended,
}

/// On what a person calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    SignedOut,
    Browser,
    /// On an enrolled phone.
    Active,
    /// On a phone that was suspended after it signed in.
    Suspended,
    /// On a phone that was revoked after it signed in.
    Revoked,
    /// On a phone that was suspended while its session, by a mistake of ours, goes on.
    Outlived,
}

pub(super) struct Person {
    pub(super) role: Role,
    pub(super) office: Office,
    /// Whether the role is assigned at no lower level.
    pub(super) is_lowest: bool,
    user: UserId,
    level: Option<Level>,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.level.map_or("deployment", Level::name);
        write!(f, "{} ({level}, {:?})", self.role.code, self.office)
    }
}

impl Person {
    /// Whether he has one of these today, somewhere.
    pub(super) fn can(&self, any_of: &[Capability]) -> bool {
        self.office != Office::Ended && any_of.iter().any(|capability| self.role.can(*capability))
    }

    /// Whether his office takes in the village.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.office, Office::Around | Office::Whole)
    }
}

/// Everybody, in a county in which something was recorded.
pub(super) struct People {
    pub(super) county: County,
    pub(super) targets: Targets,
    /// The body of an answer where there is nothing.
    pub(super) nothing: String,
    calls: AtomicU64,
}

fn around(level: Level) -> AreaId {
    match level {
        Level::Province => PROVINCE,
        Level::City => CITY,
        Level::County => COUNTY,
        Level::Township => TOWNSHIP,
        Level::Village => VILLAGE,
    }
}

fn elsewhere(level: Level) -> AreaId {
    match level {
        Level::Province => OTHER_PROVINCE,
        Level::City => OTHER_CITY,
        Level::County => ALIKE,
        Level::Township => OTHER_TOWNSHIP,
        Level::Village => SIBLING,
    }
}

impl People {
    pub(super) async fn new() -> Self {
        let mut county = County::new().await;
        county.enter(&other_areas(&county)).await;
        leave_something_unanswered_and_flagged(&mut county).await;
        let app = &county.world.app;
        publish::publish(app).await.unwrap();
        let revealed = county
            .reveal("cs", county.visit, "illness", Targets::PURPOSE)
            .await;
        assert_eq!(revealed.code(), "ok");
        let nowhere = request(&Method::GET, "/v1/nothing", None, None);
        let (_, nothing) = county.world.send_bytes(nowhere).await;
        let nothing = String::from_utf8(nothing).unwrap();
        let mut people = Self {
            targets: Targets::none(),
            county,
            nothing,
            calls: AtomicU64::new(0),
        };
        let everybody = people.everybody();
        let acts: Vec<RegistryAct> = (everybody.iter())
            .flat_map(|person| people.assigned(person))
            .collect();
        people.county.enter(&acts).await;
        for person in &everybody {
            people.county.db_account(&name_of(person)).await;
        }
        people.targets = people.targets().await;
        people
    }

    /// One person for each role, level and place.
    pub(super) fn everybody(&self) -> Vec<Person> {
        let mut everybody = Vec::new();
        for role in self.county.world.app.catalogue().roles() {
            let lowest = role.levels.iter().max_by_key(|level| depth(**level));
            for level in &role.levels {
                for office in [Office::Around, Office::Elsewhere, Office::Ended] {
                    everybody.push((role.clone(), office, Some(level) == lowest, Some(*level)));
                }
            }
            if role.side == Side::Administration {
                everybody.push((role.clone(), Office::Whole, false, None));
            }
        }
        let person = |(role, office, is_lowest, level): (Role, _, _, _)| {
            let mut person = Person {
                role,
                office,
                is_lowest,
                user: UserId([0; 16]),
                level,
            };
            person.user = user(&name_of(&person));
            person
        };
        everybody.into_iter().map(person).collect()
    }

    fn assigned(&self, person: &Person) -> Vec<RegistryAct> {
        let name = name_of(person);
        let today = self.county.now().date();
        let whole = AreaId(self.county.world.app.deployment().0);
        let area = match (person.level, person.office) {
            (Some(level), Office::Elsewhere) => elsewhere(level),
            (Some(level), _) => around(level),
            (None, _) => whole,
        };
        vec![
            RegistryAct::SetUser {
                user: person.user,
                name: format!("某{name}"),
                active: true,
            },
            RegistryAct::Assign {
                assignment: assignment(&name),
                user: person.user,
                role: person.role.code.clone(),
                area,
                from: today.plus_days(-100),
                to: (person.office == Office::Ended).then(|| today.plus_days(-1)),
                sent_by: None,
            },
        ]
    }

    /// What operations are asked about: of the village, and each of use to one kind of operation alone.
    async fn targets(&self) -> Targets {
        let today = self.county.now().date();
        let mut acts = Vec::new();
        for name in ["target", "leaver", "moved"] {
            acts.push(RegistryAct::SetUser {
                user: user(name),
                name: format!("某{name}"),
                active: true,
            });
            acts.push(RegistryAct::Assign {
                assignment: assignment(name),
                user: user(name),
                role: "TM".to_owned(),
                area: VILLAGE,
                from: today.plus_days(-100),
                to: None,
                sent_by: None,
            });
        }
        self.county.enter(&acts).await;
        for name in ["target", "leaver", "moved"] {
            self.county.db_account(name).await;
        }
        let device = self.enrol(user("target"), 1).await;
        let others = self.county.token(user("target"), None).await;
        let others = self.county.world.get("/v1/session", Some(&others)).await;
        Targets {
            visit: self.county.visit,
            teams: self.county.teams,
            household: self.county.household,
            target: user("target"),
            leaver: user("leaver"),
            ending: assignment("moved"),
            device,
            others_session: others.body["session"]["id"].as_str().unwrap().to_owned(),
        }
    }

    /// Enrols a phone.
    async fn enrol(&self, user: UserId, seed: u8) -> DeviceId {
        let seed = sha256(&[&user.0, &[seed]]).0;
        let key = SigningKey::from_seed(seed).public();
        let label = "手机".to_owned();
        let enrol = RegistryAct::Enrol {
            key: key.clone(),
            user,
            label,
        };
        self.county.enter(&[enrol]).await;
        let device = key.device();
        let enrolled_at = self.county.now();
        let row = Device {
            device,
            user,
            key,
            enrolled_at,
            ended_at: None,
        };
        let mut unit = self.county.world.app.store().begin().await.unwrap();
        unit.add_device(&row).await.unwrap();
        unit.commit().await.unwrap();
        device
    }

    /// A person who calls.
    pub(super) async fn caller(&self, person: &Person, state: State) -> Caller<'_> {
        let device = match state {
            State::SignedOut => return self.nobody(),
            State::Browser => None,
            State::Active => Some(self.enrol(person.user, 1).await),
            State::Suspended => Some(self.enrol(person.user, 2).await),
            State::Revoked => Some(self.enrol(person.user, 3).await),
            State::Outlived => Some(self.enrol(person.user, 4).await),
        };
        let token = self.county.token(person.user, device).await;
        let taken = match state {
            State::Suspended => Some(Taken::Suspended),
            State::Revoked => Some(Taken::Revoked),
            State::SignedOut | State::Browser | State::Active | State::Outlived => None,
        };
        if let (Some(device), State::Outlived) = (device, state) {
            let suspend = RegistryAct::SetDevice {
                device,
                standing: Standing::Suspended,
                cause: "lost".to_owned(),
            };
            self.county.enter(&[suspend]).await;
        }
        if let (Some(device), Some(how)) = (device, taken) {
            let app = &self.county.world.app;
            devices::take(app, Word::Operator, device, how, Cause::Lost)
                .await
                .unwrap();
        }
        let signs_in_again = taken.is_none().then_some((person.user, device));
        Caller {
            county: &self.county,
            who: signs_in_again,
            token: Some(token),
        }
    }

    /// Somebody who is not signed in.
    pub(super) fn nobody(&self) -> Caller<'_> {
        Caller {
            county: &self.county,
            who: None,
            token: None,
        }
    }

    /// A number that was not given out before.
    pub(super) fn count(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the registry stands: what no denied operation moves.
    pub(super) async fn position(&self) -> u64 {
        let app = &self.county.world.app;
        let mut unit = app.store().read().await.unwrap();
        let registered = app.registrar().current(&mut *unit).await.unwrap();
        registered.registry.position().seq
    }
}

/// A session, renewed after an operation that ended it.
pub(super) struct Caller<'a> {
    county: &'a County,
    who: Option<(UserId, Option<DeviceId>)>,
    token: Option<String>,
}

impl Caller<'_> {
    pub(super) async fn token(&mut self) -> Option<&str> {
        if let (None, Some((user, device))) = (&self.token, self.who) {
            self.token = Some(self.county.token(user, device).await);
        }
        self.token.as_deref()
    }

    /// The id of his session, if he is signed in.
    pub(super) async fn session(&mut self) -> String {
        let county = self.county;
        let own = county.world.get("/v1/session", self.token().await).await;
        match &own.body["session"]["id"] {
            Json::String(id) => id.clone(),
            _ => "0".repeat(32),
        }
    }

    /// Has him sign in anew before his next call.
    pub(super) fn sign_in_again(&mut self) {
        if self.who.is_some() {
            self.token = None;
        }
    }
}

fn name_of(person: &Person) -> String {
    let level = person.level.map_or("deployment", Level::name);
    let office = format!("{:?}", person.office).to_lowercase();
    format!("{}-{level}-{office}", person.role.code.to_ascii_lowercase())
}

fn depth(level: Level) -> usize {
    Level::ALL
        .iter()
        .position(|known| *known == level)
        .expect("a level is one of all")
}

fn other_areas(county: &County) -> [RegistryAct; 3] {
    let from = county.now().date().plus_days(-400);
    let area = |area, level, parent, code: &str, name: &str| RegistryAct::SetArea {
        area,
        level,
        parent,
        code: code.parse().unwrap(),
        name: name.to_owned(),
        from,
        to: None,
    };
    let township = (OTHER_TOWNSHIP, Level::Township, Some(COUNTY));
    let city = (OTHER_CITY, Level::City, Some(PROVINCE));
    let province = (OTHER_PROVINCE, Level::Province, None);
    [
        area(township.0, township.1, township.2, "640422101000", "兴隆镇"),
        area(city.0, city.1, city.2, "640300000000", "吴忠市"),
        area(province.0, province.1, province.2, "620000000000", "甘肃省"),
    ]
}

/// Two people move one household out, and a clock is wrong.
async fn leave_something_unanswered_and_flagged(county: &mut County) {
    let household = county.household;
    for name in ["fs", "tm"] {
        let away = Intent::act(household, "move_out").because("搬到县城");
        county.save(name, away);
    }
    let tomorrow = county.now().plus_ms(86_400_000);
    let early = Intent::set(county.visit).with("occurred_on", Value::Int(20_001));
    let phone = county.phones.get_mut("fs").unwrap();
    phone.save(JOURNAL, None, early, tomorrow).unwrap();
    county.sync("fs").await;
    county.sync("tm").await;
}
