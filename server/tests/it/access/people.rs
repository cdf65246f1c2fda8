//! One person for each role, each level at which it is assigned, and each way in which an office can lie to the village.
//!
//! Long because they live in one county, with all that operations are asked about.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
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

use super::table::{About, Targets};
use crate::county::{
    ALIKE, CITY, COUNTY, County, JOURNAL, PROVINCE, SIBLING, TOWNSHIP, VILLAGE, assignment, user,
};
use crate::files;
use crate::world::request;

/// How an office lies to the village.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Office {
    /// It is the village's, or takes it in.
    Around,
    /// It is of the same level, beside the one that takes it in.
    Sibling,
    /// It is of the same level, and called like the one that takes it in; its code begins alike; it lies elsewhere.
    Alike,
    /// It is the whole deployment.
    Whole,
    /// It took the village in until yesterday: today there is none.
    Ended,
    /// It takes the village in from tomorrow on: today there is none.
    Later,
}

impl Office {
    /// Every way in which an office for an area can lie to the village.
    const OF_AREAS: [Self; 5] = [
        Self::Around,
        Self::Sibling,
        Self::Alike,
        Self::Ended,
        Self::Later,
    ];
}

/// Of what area something is that an operation is asked about: the village, something that it lies in, or the whole deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Of(Level),
    Deployment,
}

impl Place {
    pub(super) const VILLAGE: Self = Self::Of(Level::Village);
    pub(super) const ALL: [Self; 6] = [
        Self::Of(Level::Village),
        Self::Of(Level::Township),
        Self::Of(Level::County),
        Self::Of(Level::City),
        Self::Of(Level::Province),
        Self::Deployment,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Of(level) => level.name(),
            Self::Deployment => "deployment",
        }
    }

    /// Its area, with its code and name; none for the whole deployment.
    pub(super) fn area(self) -> Option<(AreaId, &'static str, &'static str)> {
        let Self::Of(level) = self else { return None };
        Some(match level {
            Level::Province => (PROVINCE, "640000000000", "宁夏回族自治区"),
            Level::City => (CITY, "640400000000", "固原市"),
            Level::County => (COUNTY, "640422000000", "西吉县"),
            Level::Township => (TOWNSHIP, "640422100000", "吉强镇"),
            Level::Village => (VILLAGE, "640422100201", "半子沟村"),
        })
    }

    /// What it lies in, if that is an area.
    pub(super) fn above(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|place| *place == self)?;
        let above = Self::ALL.get(at + 1).copied();
        above.filter(|above| *above != Self::Deployment)
    }

    /// A role that is assigned there.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Of(Level::Village) => "TM",
            Self::Of(Level::Township) => "TW",
            Self::Of(Level::County) => "CS",
            Self::Of(Level::City | Level::Province) => "PA",
            Self::Deployment => "SYS",
        }
    }
}

/// What lies elsewhere: level, number of its id, number of what it lies in, code, name.
const ELSEWHERE: &[(Level, u8, Option<u8>, &str, &str)] = &[
    (Level::Township, 0x77, Some(0x66), "640422101000", "兴隆镇"),
    (Level::City, 0x78, Some(0x64), "640300000000", "吴忠市"),
    (Level::Province, 0x79, None, "620000000000", "甘肃省"),
    (Level::County, 0x7A, Some(0x65), "640402000000", "原州区"),
    // Called like what the village lies in, with codes that begin alike: nothing is keyed on either.
    (Level::Village, 0x88, Some(0x77), "640422100299", "半子沟村"),
    (Level::Township, 0x87, Some(0x7A), "640422100900", "吉强镇"),
    (Level::City, 0x85, Some(0x79), "640499000000", "固原市"),
    (
        Level::Province,
        0x84,
        None,
        "640001000000",
        "宁夏回族自治区",
    ),
];

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
    /// On a phone that the registry does not know.
    Unknown,
    /// On somebody else's phone, in a session of his own.
    Others,
}

impl State {
    /// Whether the session ended with the phone's standing, or there is none.
    pub(super) const fn is_signed_out(self) -> bool {
        matches!(self, Self::SignedOut | Self::Suspended | Self::Revoked)
    }

    /// Whether the session goes on, and its phone carries no authority.
    pub(super) const fn is_powerless(self) -> bool {
        matches!(self, Self::Outlived | Self::Unknown | Self::Others)
    }
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
        !matches!(self.office, Office::Ended | Office::Later)
            && any_of.iter().any(|capability| self.role.can(*capability))
    }

    /// Whether his office takes in the area of a place: it is that area's, or one's that it lies in.
    pub(super) fn is_over(&self, place: Place) -> bool {
        match (self.office, self.level, place) {
            (Office::Whole, ..) => true,
            (Office::Around, Some(own), Place::Of(level)) => depth(own) <= depth(level),
            _ => false,
        }
    }
}

/// What comes back, without what differs by chance from one answer to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Answered {
    pub(super) async fn of(county: &County, request: Request<Body>) -> Self {
        let is_live = request.uri().path() == "/v1/live";
        let (parts, body) = county.world.respond(request).await.into_parts();
        // A channel stays open until the server stops.
        let body = if is_live && parts.status == StatusCode::OK {
            Vec::new()
        } else {
            body.collect().await.unwrap().to_bytes().to_vec()
        };
        let told = parts
            .headers
            .iter()
            .filter(|(name, _)| *name != "x-request-id");
        let headers = told.map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        });
        Self {
            status: parts.status,
            headers: headers.collect(),
            body,
        }
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What answers to HEAD is what answers to GET without its body.
    pub(super) fn complete(&mut self, known: &[&Self]) {
        let whole =
            (known.iter()).find(|known| known.status == self.status && self.body.is_empty());
        if let Some(whole) = whole {
            self.body.clone_from(&whole.body);
        }
    }
}

/// Everybody, in a county in which something was recorded.
pub(super) struct People {
    pub(super) county: County,
    pub(super) targets: Targets,
    /// The answer where there is nothing.
    pub(super) nothing: Answered,
    /// The answer to who is not signed in.
    pub(super) signed_out: Answered,
    calls: AtomicU64,
}

/// The area of an office.
fn area_of(level: Level, office: Office) -> AreaId {
    let around = Place::Of(level)
        .area()
        .expect("a level's place has an area")
        .0;
    let number = match (office, level) {
        (Office::Sibling, Level::Village) => return SIBLING,
        (Office::Alike, Level::County) => return ALIKE,
        (Office::Sibling, Level::Township) => 0x77,
        (Office::Sibling, Level::County) => 0x7A,
        (Office::Sibling, Level::City) => 0x78,
        (Office::Sibling, Level::Province) => 0x79,
        (Office::Alike, Level::Village) => 0x88,
        (Office::Alike, Level::Township) => 0x87,
        (Office::Alike, Level::City) => 0x85,
        (Office::Alike, Level::Province) => 0x84,
        (Office::Around | Office::Whole | Office::Ended | Office::Later, _) => return around,
    };
    AreaId([number; 16])
}

impl People {
    pub(super) async fn new() -> Self {
        let mut county = County::new().await;
        county.enter(&other_areas(&county)).await;
        leave_something_unanswered_and_flagged(&mut county).await;
        let pictured = files::named(&mut county, files::PICTURE).await;
        let secretary = files::on_phone(&county, "fs");
        let whole = (0, true, files::PICTURE);
        let sent = files::send(&county.world, secretary, pictured, whole).await;
        assert_eq!(sent.code(), "ok");
        let app = &county.world.app;
        publish::publish(app).await.unwrap();
        let revealed = county
            .reveal("cs", county.visit, "illness", Targets::PURPOSE)
            .await;
        assert_eq!(revealed.code(), "ok");
        let nowhere = request(&Method::GET, "/v1/nothing", None, None);
        let nothing = Answered::of(&county, nowhere).await;
        let signed_out = request(&Method::GET, "/v1/session", None, None);
        let signed_out = Answered::of(&county, signed_out).await;
        let mut people = Self {
            targets: Targets::none(),
            county,
            nothing,
            signed_out,
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
        people.targets = people.targets(pictured).await;
        people
    }

    /// One person for each role, level and place.
    pub(super) fn everybody(&self) -> Vec<Person> {
        let mut everybody = Vec::new();
        for role in self.county.world.app.catalogue().roles() {
            let lowest = role.levels.iter().max_by_key(|level| depth(**level));
            for level in &role.levels {
                for office in Office::OF_AREAS {
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
        let area = person
            .level
            .map_or(whole, |level| area_of(level, person.office));
        let begins = if person.office == Office::Later {
            1
        } else {
            -100
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
                from: today.plus_days(begins),
                to: (person.office == Office::Ended).then(|| today.plus_days(-1)),
                sent_by: None,
            },
        ]
    }

    /// What operations are asked about: of the village and of what it lies in, each of use to one kind of operation alone.
    async fn targets(&self, pictured: files::File) -> Targets {
        let today = self.county.now().date();
        let whole = AreaId(self.county.world.app.deployment().0);
        let mut people = BTreeMap::new();
        for place in Place::ALL {
            let area = place.area().map_or(whole, |(area, ..)| area);
            let names =
                ["target", "leaver", "moved"].map(|name| format!("{name}-{}", place.name()));
            for name in &names {
                let known = RegistryAct::SetUser {
                    user: user(name),
                    name: format!("某{name}"),
                    active: true,
                };
                let assigned = RegistryAct::Assign {
                    assignment: assignment(name),
                    user: user(name),
                    role: place.role().to_owned(),
                    area,
                    from: today.plus_days(-100),
                    to: None,
                    sent_by: None,
                };
                self.county.enter(&[known, assigned]).await;
                self.county.db_account(name).await;
            }
            let [target, leaver, moved] = &names;
            let newcomer = format!("newcomer-{}", place.name());
            let known = RegistryAct::SetUser {
                user: user(&newcomer),
                name: format!("某{newcomer}"),
                active: true,
            };
            self.county.enter(&[known]).await;
            let about = About {
                newcomer: user(&newcomer),
                target: user(target),
                name: format!("name-{target}"),
                leaver: user(leaver),
                assignment: assignment(target),
                ending: assignment(moved),
                device: self.enrol(user(target), 1).await,
            };
            people.insert(place, about);
        }
        let others = self.county.token(user("target-village"), None).await;
        let others = self.county.world.get("/v1/session", Some(&others)).await;
        Targets {
            journal: JOURNAL,
            visit: self.county.visit,
            teams: self.county.teams,
            household: self.county.household,
            pictured,
            places: Place::ALL
                .into_iter()
                .filter_map(|place| Some((place, place.area()?)))
                .collect(),
            people,
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
            State::Unknown => Some(DeviceId(
                sha256(&[&person.user.0]).0[..16].try_into().unwrap(),
            )),
            State::Others => Some(self.county.phones["fs"].device.id()),
        };
        let token = self.county.token(person.user, device).await;
        let taken = match state {
            State::Suspended => Some(Taken::Suspended),
            State::Revoked => Some(Taken::Revoked),
            State::SignedOut
            | State::Browser
            | State::Active
            | State::Outlived
            | State::Unknown
            | State::Others => None,
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

fn other_areas(county: &County) -> Vec<RegistryAct> {
    let from = county.now().date().plus_days(-400);
    let area = |(level, id, parent, code, name): &(Level, u8, Option<u8>, &str, &str)| {
        RegistryAct::SetArea {
            area: AreaId([*id; 16]),
            level: *level,
            parent: parent.map(|parent| AreaId([parent; 16])),
            code: code.parse().unwrap(),
            name: (*name).to_owned(),
            from,
            to: None,
        }
    };
    ELSEWHERE.iter().map(area).collect()
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
