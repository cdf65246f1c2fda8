//! A county with two villages, another of the same name, and what two people recorded: for tests of what is read.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;
use server::journals::fold;
use store::accounts::Account;
use store::personal::Personal;
use sync_core::area::Level;
use sync_core::cbor;
use sync_core::command::Audience;
use sync_core::id::{
    AreaId, AssignmentId, Date, DeviceId, JournalId, RecordId, Timestamp, UserId, sha256,
};
use sync_core::registry::{Purpose, RegistryAct};
use sync_core::sign::SigningKey;
use sync_core::sync::device::{Identity, Intent, Target};
use sync_core::sync::wire::SyncResponse;
use sync_core::testing::Phone;
use sync_core::value::Value;

use crate::world::{Answer, World, request};

pub(crate) const PROVINCE: AreaId = AreaId([0x64; 16]);
pub(crate) const CITY: AreaId = AreaId([0x65; 16]);
pub(crate) const COUNTY: AreaId = AreaId([0x66; 16]);
pub(crate) const TOWNSHIP: AreaId = AreaId([0x67; 16]);
pub(crate) const VILLAGE: AreaId = AreaId([0x68; 16]);
pub(crate) const SIBLING: AreaId = AreaId([0x69; 16]);
/// Of the same name as [`COUNTY`], elsewhere.
pub(crate) const ALIKE: AreaId = AreaId([0x76; 16]);
pub(crate) const UNKNOWN: AreaId = AreaId([0x99; 16]);

pub(crate) const JOURNAL: JournalId = JournalId([0x01; 16]);
pub(crate) const SIBLINGS: JournalId = JournalId([0x02; 16]);
pub(crate) const ACCESS: JournalId = JournalId([0x0A; 16]);
pub(crate) const PROVINCES_ACCESS: JournalId = JournalId([0x0B; 16]);

/// Who there is: name, role, area.
const PEOPLE: &[(&str, &str, AreaId)] = &[
    ("fs", "FS", VILLAGE),
    ("tm", "TM", VILLAGE),
    ("vc", "VC", VILLAGE),
    ("tw", "TW", TOWNSHIP),
    ("cs", "CS", COUNTY),
    ("pa", "PA", PROVINCE),
    ("fs2", "FS", SIBLING),
    ("cs2", "CS", ALIKE),
];

pub(crate) fn user(name: &str) -> UserId {
    let digest = sha256(&[b"user", name.as_bytes()]).0;
    UserId(digest.first_chunk().copied().unwrap())
}

pub(crate) fn assignment(name: &str) -> AssignmentId {
    AssignmentId(user(name).0)
}

/// A county with two villages, another of the same name, and what two people recorded in one of the villages.
pub(crate) struct County {
    pub(crate) world: World,
    pub(crate) phones: BTreeMap<&'static str, Phone>,
    pub(crate) household: RecordId,
    pub(crate) visit: RecordId,
    pub(crate) teams: RecordId,
}

impl County {
    pub(crate) async fn new() -> Self {
        Self::of(World::founded().await).await
    }

    /// The same in a founded world.
    pub(crate) async fn of(world: World) -> Self {
        let today = world.app.clock().now().date();
        let mut acts = areas(today.plus_days(-400));
        let mut phones = BTreeMap::new();
        for (name, role, area) in PEOPLE {
            let user = user(name);
            let (role, from) = ((*role).to_owned(), today.plus_days(-100));
            acts.push(RegistryAct::SetUser {
                user,
                name: format!("某{name}"),
                active: true,
            });
            acts.push(RegistryAct::Assign {
                assignment: assignment(name),
                user,
                role,
                area: *area,
                from,
                to: None,
                sent_by: None,
            });
            if ["fs", "tm", "tw", "cs"].contains(name) {
                let key = SigningKey::from_seed(user.0.repeat(2).try_into().unwrap());
                acts.push(RegistryAct::Enrol {
                    key: key.public(),
                    user,
                    label: "手机".to_owned(),
                });
                let identity = Identity {
                    deployment: world.app.deployment(),
                    operator: world.app.registrar().operator().public(),
                    user,
                    seed: *key.to_seed(),
                };
                phones.insert(
                    *name,
                    Phone::new(identity, (**world.app.catalogues()).clone()),
                );
            }
        }
        let nothing = RecordId([0; 16]);
        let mut county = Self {
            world,
            phones,
            household: nothing,
            visit: nothing,
            teams: nothing,
        };
        county.enter(&acts).await;
        for (name, ..) in PEOPLE {
            county.db_account(name).await;
        }
        county.record().await;
        county
    }

    pub(crate) async fn enter(&self, acts: &[RegistryAct]) {
        let app = &self.world.app;
        let mut unit = app.store().begin().await.unwrap();
        app.registrar()
            .enter(&mut *unit, acts, None, app.clock().now())
            .await
            .unwrap();
        unit.commit().await.unwrap();
    }

    pub(crate) async fn db_account(&self, name: &str) {
        let mut unit = self.world.app.store().begin().await.unwrap();
        let account = Account {
            user: user(name),
            user_name: format!("name-{name}").parse().unwrap(),
            display_name: Personal(name.to_owned()),
            password: None,
            created_at: Timestamp(0),
            disabled_at: None,
        };
        unit.add_account(&account).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// A household that both saw, two values for one field of it, a visit with a sensitive field, and one for the team alone.
    async fn record(&mut self) {
        self.sync("fs").await;
        let household = Intent::create("household")
            .with("householder", Value::text("张三丰"))
            .with("phone", Value::text("13800001234"))
            .with("note", Value::text("门前有核桃树"));
        self.household = self.save("fs", household);
        self.sync("fs").await;
        self.sync("tm").await;
        let grows = |household: RecordId, crop: &str| {
            Intent::set(household).with("crop", Value::text(crop))
        };
        self.save("fs", grows(self.household, "荞麦"));
        self.save("tm", grows(self.household, "玉米"));
        let visit = Intent::create("visit")
            .link("household", self.household)
            .with("occurred_on", Value::Int(20_000))
            .with("occurred_at", Value::Int(9 * 60 + 5))
            .with("note", Value::text("老人想装扶手"))
            .with("illness", Value::text("高血压"));
        self.visit = self.save("fs", visit);
        let mut teams = Intent::create("visit")
            .link("household", self.household)
            .with("note", Value::text("队内商量低保"));
        teams.target = Target::New {
            kind: "visit".to_owned(),
            audience: Some(Audience::Team),
        };
        self.teams = self.save("tm", teams);
        self.sync("fs").await;
        self.sync("tm").await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.app.clock().now()
    }

    pub(crate) fn save(&mut self, name: &str, intent: Intent) -> RecordId {
        let now = self.now();
        self.phones
            .get_mut(name)
            .unwrap()
            .save(JOURNAL, None, intent, now)
            .unwrap()
            .record
    }

    /// A token of a new session.
    pub(crate) async fn token(&self, user: UserId, device: Option<DeviceId>) -> String {
        self.world.token(user, device).await
    }

    /// Syncs a phone by the real route until nothing is new, and folds.
    pub(crate) async fn sync(&mut self, name: &'static str) {
        let token = self
            .token(user(name), Some(self.phones[name].device.id()))
            .await;
        let now = self.now();
        loop {
            let phone = self.phones.get_mut(name).unwrap();
            let known = phone.device.journals();
            let body = cbor::encode(&phone.request(now));
            let request = Request::builder()
                .method(Method::POST)
                .uri("/v1/sync")
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header(header::CONTENT_TYPE, "application/cbor")
                .body(Body::from(body))
                .unwrap();
            let (status, bytes) = self.world.send_bytes(request).await;
            assert!(status.is_success(), "{status}");
            let response: SyncResponse = cbor::decode(&bytes).unwrap();
            let learned = phone.take(&response, now).unwrap();
            if !learned.more && phone.device.journals() == known {
                break;
            }
        }
        let app = &self.world.app;
        fold::fold_all(app.store(), app.catalogues(), app.deployment())
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Answer {
        let token = self.token(user(name), None).await;
        self.world.get(path, Some(&token)).await
    }

    pub(crate) async fn bytes(&self, name: &str, path: &str) -> Option<Vec<u8>> {
        let token = self.token(user(name), None).await;
        let (status, bytes) = self
            .world
            .send_bytes(request(&Method::GET, path, Some(&token), None))
            .await;
        status.is_success().then_some(bytes)
    }

    pub(crate) async fn reveal(
        &self,
        name: &str,
        record: RecordId,
        field: &str,
        purpose: &str,
    ) -> Answer {
        let token = self.token(user(name), None).await;
        let body = json!({ "journal": JOURNAL.to_string(), "record": record.to_string(), "field": field, "purpose": purpose });
        self.world.post("/v1/reveal", Some(&token), body).await
    }

    pub(crate) async fn view(&self, name: &str, record: RecordId) -> Answer {
        self.get(name, &format!("/v1/journals/{JOURNAL}/records/{record}"))
            .await
    }

    pub(crate) async fn history(&self, name: &str, record: RecordId) -> Answer {
        self.get(
            name,
            &format!("/v1/journals/{JOURNAL}/records/{record}/history"),
        )
        .await
    }

    /// The audit administrator, whom the founding made.
    pub(crate) async fn auditor(&self) -> String {
        let mut unit = self.world.app.store().read().await.unwrap();
        let registered = self
            .world
            .app
            .registrar()
            .current(&mut *unit)
            .await
            .unwrap();
        let found = registered
            .registry
            .assignments
            .values()
            .find(|assignment| assignment.role == "AUD");
        let user = found.unwrap().user;
        drop(unit);
        self.token(user, None).await
    }
}

fn areas(from: Date) -> Vec<RegistryAct> {
    let area = |area, level, parent, code: &str, name: &str| RegistryAct::SetArea {
        area,
        level,
        parent,
        code: code.parse().unwrap(),
        name: name.to_owned(),
        from,
        to: None,
    };
    let journal = |journal, purpose, area| RegistryAct::SetJournal {
        journal,
        purpose,
        area,
        from,
    };
    vec![
        area(
            PROVINCE,
            Level::Province,
            None,
            "640000000000",
            "宁夏回族自治区",
        ),
        area(CITY, Level::City, Some(PROVINCE), "640400000000", "固原市"),
        area(COUNTY, Level::County, Some(CITY), "640422000000", "西吉县"),
        area(
            TOWNSHIP,
            Level::Township,
            Some(COUNTY),
            "640422100000",
            "吉强镇",
        ),
        area(
            VILLAGE,
            Level::Village,
            Some(TOWNSHIP),
            "640422100201",
            "半子沟村",
        ),
        area(
            SIBLING,
            Level::Village,
            Some(TOWNSHIP),
            "640422100202",
            "大滩村",
        ),
        area(ALIKE, Level::County, Some(CITY), "640423000000", "西吉县"),
        journal(JOURNAL, Purpose::Village, VILLAGE),
        journal(SIBLINGS, Purpose::Village, SIBLING),
        journal(ACCESS, Purpose::Access, COUNTY),
        journal(PROVINCES_ACCESS, Purpose::Access, PROVINCE),
    ]
}
