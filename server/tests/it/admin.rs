//! Administration: who may, what it writes, and what it leaves alone.

use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use store::accounts::CodePurpose;
use sync_core::admit::LaneEnd;
use sync_core::batch::{Sealing, Seed, Unsealed, seal};
use sync_core::catalog::{Catalogue, SourceFile};
use sync_core::command::{Audience, Content, Envelope, Verb};
use sync_core::id::{AssignmentId, Digest, JournalId, RecordId};
use sync_core::journal::{Chain, Fate};
use sync_core::pack::Room;
use sync_core::registry::{Purpose, Standing};
use sync_core::sign::{ENROL_CONTEXT, SigningKey};
use sync_core::sync::enrol::OneTimeCode;
use sync_core::sync::wire::Outcome;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use server::admin::mandate::Word;
use server::admin::{areas, users};

use crate::world::{Answer, PASSWORD, Pair, Phone, World};

const XIJI: &str = "code,name,level,parent_code\n\
    640000000000,宁夏回族自治区,province,\n\
    640400000000,固原市,city,640000000000\n\
    640422000000,西吉县,county,640400000000\n\
    640422100000,吉强镇,township,640422000000\n\
    640422100203,半子沟村,village,640422100000\n\
    640422100204,大滩村,village,640422100000\n";

/// The three administrators, signed in, of a deployment with six areas.
struct Office {
    world: World,
    sys: Pair,
    sec: Pair,
}

impl Office {
    async fn open() -> Self {
        let office = Self::empty().await;
        let imported = office.import(XIJI, "").await;
        assert_eq!(imported.code(), "ok", "{imported:?}");
        office
    }

    async fn empty() -> Self {
        let world = World::founded().await;
        let sys = world.log_in("sys").await.pair();
        let sec = world.log_in("sec").await.pair();
        Self { world, sys, sec }
    }

    async fn import(&self, file: &str, query: &str) -> Answer {
        self.import_as(&self.sys, file, query).await
    }

    async fn import_as(&self, who: &Pair, file: &str, query: &str) -> Answer {
        let request = Request::post(format!("/v1/areas/import{query}"))
            .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", who.access().unwrap()),
            );
        let request = request.body(file.to_owned().into()).unwrap();
        self.world.send(request).await
    }

    /// Where the registry stands: what no failed operation moves.
    async fn position(&self) -> u64 {
        let mut unit = self.world.app.store().read().await.unwrap();
        let registered = self.world.app.registrar().current(&mut *unit).await;
        registered.unwrap().registry.position().seq
    }

    /// The journal of the area with a code.
    async fn journal_of(&self, code: &str) -> JournalId {
        let mut unit = self.world.app.store().read().await.unwrap();
        let registered = self.world.app.registrar().current(&mut *unit).await;
        let registry = &registered.unwrap().registry;
        let (today, code) = (self.world.app.clock().now().date(), code.parse().unwrap());
        let mut journals = registry.journals.keys();
        let journal = journals.find(|id| registry.code_of(**id, today) == Some(code));
        *journal.unwrap()
    }

    async fn journals(&self, purpose: Purpose) -> Vec<JournalId> {
        let mut unit = self.world.app.store().read().await.unwrap();
        let registered = self.world.app.registrar().current(&mut *unit).await;
        let journals = registered.unwrap().registry.journals.clone();
        let of_purpose = journals
            .into_iter()
            .filter(|(_, info)| info.purpose == purpose);
        of_purpose.map(|(id, _)| id).collect()
    }

    /// Makes an account with the common password; says its id.
    async fn person(&self, user_name: &str) -> String {
        let body = json!({ "user_name": user_name, "display_name": "马第一" });
        let added = self.world.post("/v1/users", self.sys.access(), body).await;
        assert_eq!(added.status, 201, "{added:?}");
        let code = added.body["password_code"]["code"].as_str().unwrap();
        let set = json!({ "code": code, "new": PASSWORD });
        let set = self.world.post("/v1/password/set", None, set).await;
        assert_eq!(set.code(), "ok", "{set:?}");
        added.text("user").to_owned()
    }

    async fn give(&self, body: Value) -> Answer {
        let access = self.sec.access();
        self.world.post("/v1/assignments", access, body).await
    }

    /// Enrols a phone with a code, as its person would.
    async fn enrol(&self, user: &str, seed: u8) -> (Phone, Pair) {
        let path = format!("/v1/users/{user}/enrolment-code");
        let issued = self.world.post(&path, self.sys.access(), json!({})).await;
        assert_eq!(issued.status, 201, "{issued:?}");
        let code = OneTimeCode::parse(issued.text("code")).unwrap();
        let key = SigningKey::from_seed([seed; 32]);
        let proof = key.sign(ENROL_CONTEXT, self.world.app.deployment(), code.digest());
        let public = key.public();
        let body = json!({
            "code": issued.text("code"), "label": "旧手机",
            "key": { "algorithm": public.algorithm, "bytes": URL_SAFE_NO_PAD.encode(&public.bytes) },
            "proof": { "algorithm": proof.algorithm, "bytes": URL_SAFE_NO_PAD.encode(&proof.bytes) },
        });
        let enrolled = self.world.post("/v1/enrol", None, body).await;
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        let phone = Phone {
            id: public.device(),
            key,
        };
        let refresh = enrolled.body["tokens"]["refresh_token"].as_str().unwrap();
        let pair = self.world.refresh_on(&phone, refresh).await.pair();
        (phone, pair)
    }
}

#[tokio::test]
async fn areas_are_imported_once_and_again_changes_nothing() {
    let office = Office::empty().await;
    let dry = office.import(XIJI, "?dry_run=true").await;
    assert_eq!(
        (&dry.body["added"], &dry.body["journals"]),
        (&json!(6), &json!(4))
    );
    let before = office.position().await;
    assert!(office.journals(Purpose::Village).await.is_empty());

    let imported = office.import(XIJI, "").await;
    assert_eq!(imported.body["added"], 6, "{imported:?}");
    assert_eq!(office.journals(Purpose::Village).await.len(), 2);
    assert_eq!(
        office.journals(Purpose::Access).await.len(),
        2,
        "of the county and the province"
    );
    let after = office.position().await;
    assert!(before < after);

    let again = office.import(XIJI, "").await;
    assert_eq!(
        (&again.body["added"], &again.body["unchanged"]),
        (&json!(0), &json!(6))
    );
    assert_eq!(office.position().await, after, "nothing was written");
}

#[tokio::test]
async fn another_name_is_a_new_dated_fact_about_the_same_area() {
    let office = Office::open().await;
    let find = |text: &'static str| {
        let path = format!("/v1/areas?q={text}");
        let office = &office;
        async move { office.world.get(&path, office.sys.access()).await }
    };
    let before = find("640422100203").await.body["areas"][0].clone();
    let renamed = office
        .import(&XIJI.replace("半子沟村", "半子沟社区"), "")
        .await;
    assert_eq!(
        (&renamed.body["renamed"], &renamed.body["journals"]),
        (&json!(1), &json!(0))
    );
    let after = find("640422100203").await.body["areas"][0].clone();
    assert_eq!(after["id"], before["id"]);
    assert_eq!(
        (&before["name"], &after["name"]),
        (&json!("半子沟村"), &json!("半子沟社区"))
    );
    let children = office
        .world
        .get("/v1/areas?parent=640422100000", office.sec.access())
        .await;
    let names: Vec<_> = children.body["areas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|area| &area["name"])
        .collect();
    assert_eq!(names, ["半子沟社区", "大滩村"]);
    let top = office.world.get("/v1/areas", office.sys.access()).await;
    assert_eq!(top.body["areas"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_with_mistakes_lists_all_of_them_and_changes_nothing() {
    let office = Office::empty().await;
    let before = office.position().await;
    let file = XIJI
        .replace("640422100204,", "6404221002,")
        .replace("固原市", "")
        + "640425100000,白阳镇,township,640425000000\n";
    let answer = office.import(&file, "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "file_mistakes")
    );
    let mistakes = answer.body["mistakes"].as_array().unwrap();
    let lines: Vec<_> = mistakes
        .iter()
        .map(|one| one["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [3, 7, 8]);
    for mistake in mistakes {
        assert!(!mistake["remedy"].as_str().unwrap().is_empty());
    }
    assert_eq!(office.position().await, before);
}

#[tokio::test]
async fn a_person_gets_an_account_from_one_and_a_role_from_another() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let new = json!({
        "user": user, "role": "FS", "area": "640422100203",
        "from": "2026-11-01", "to": "2028-10-31", "sent_by": "固原市农业农村局",
    });
    let given = office.give(new.clone()).await;
    assert_eq!(given.status, 201, "{given:?}");
    let again = office.give(new).await;
    assert_eq!(
        (again.code(), again.text("assignment")),
        ("assignment_held", given.text("id"))
    );

    let path = "/v1/assignments?area=640422000000";
    let list = office.world.get(path, office.sec.access()).await;
    let held = &list.body["assignments"][0];
    assert_eq!(
        (&held["role"], &held["area_name"]),
        (&json!("FS"), &json!("半子沟村"))
    );
    assert_eq!(
        (&held["from"], &held["to"]),
        (&json!("2026-11-01"), &json!("2028-10-31"))
    );
    assert_eq!(held["sent_by"], "固原市农业农村局");

    let path = format!("/v1/assignments/{}/end", given.text("id"));
    let end = json!({ "to": "2027-01-31", "for_cause": true });
    let ended = office.world.post(&path, office.sec.access(), end).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    let put_off = json!({ "to": "2028-01-31" });
    let put_off = office.world.post(&path, office.sec.access(), put_off).await;
    assert_eq!(
        (put_off.code(), put_off.text("to")),
        ("assignment_ended", "2027-01-31")
    );
    let path = format!("/v1/assignments?user={user}");
    let list = office.world.get(&path, office.sec.access()).await;
    assert_eq!(list.body["assignments"][0]["to"], "2027-01-31");
    assert_eq!(list.body["assignments"][0]["for_cause"], true);
}

#[tokio::test]
async fn an_assignment_that_cannot_be_says_why_and_writes_nothing() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let before = office.position().await;
    let field = |answer: Answer| (answer.code().to_owned(), answer.body["field"].clone());
    let nobody = "0".repeat(32);
    for (wrong, named) in [
        (
            json!({ "user": nobody, "role": "FS", "area": "640422100203" }),
            "user",
        ),
        (
            json!({ "user": user, "role": "XX", "area": "640422100203" }),
            "role",
        ),
        (
            json!({ "user": user, "role": "FS", "area": "640422100999" }),
            "area",
        ),
        (
            json!({ "user": user, "role": "FS", "area": "640422000000" }),
            "area",
        ),
        (json!({ "user": user, "role": "FS" }), "area"),
        (
            json!({ "user": user, "role": "FS", "area": "640422100203", "from": "2026-11-02", "to": "2026-11-01" }),
            "to",
        ),
        (
            json!({ "user": user, "role": "FS", "area": "640422100203", "sent_by": " " }),
            "sent_by",
        ),
    ] {
        let answer = office.give(wrong.clone()).await;
        assert_eq!(
            field(answer),
            ("invalid_field".to_owned(), json!(named)),
            "{wrong}"
        );
    }
    assert_eq!(office.position().await, before);
}

#[tokio::test]
async fn nobody_holds_two_roles_that_exclude_each_other() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let day = |role: &str, area: &str, from: &str, to: &str| json!({ "user": user, "role": role, "area": area, "from": from, "to": to });
    let given = office
        .give(day("CS", "640422000000", "2026-11-01", "2026-12-31"))
        .await;
    assert_eq!(given.status, 201, "{given:?}");
    let excluded = office
        .give(day("AUD", "640422000000", "2026-12-31", "2027-12-31"))
        .await;
    assert_eq!(
        (excluded.code(), excluded.text("held")),
        ("roles_exclude", "CS")
    );
    let afterwards = office
        .give(day("AUD", "640422000000", "2027-01-01", "2027-12-31"))
        .await;
    assert_eq!(afterwards.status, 201, "{afterwards:?}");
    let second = json!({ "user": user, "role": "SEC", "from": "2027-06-01" });
    assert_eq!(office.give(second).await.code(), "roles_exclude");
}

#[tokio::test]
async fn who_lacks_the_capability_finds_nothing_and_writes_nothing() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let assignment = office
        .give(json!({ "user": user, "role": "TM", "area": "640422100203" }))
        .await;
    let (phone, _) = office.enrol(&user, 7).await;
    let member = office.world.log_in("ma.xiulan").await.pair();
    let before = office.position().await;

    let person = json!({ "user_name": "other", "display_name": "其他" });
    let grant = json!({ "user": user, "role": "TM", "area": "640422100204" });
    let end = format!("/v1/assignments/{}/end", assignment.text("id"));
    let device = format!("/v1/devices/{}", phone.id);
    let account = format!("/v1/users/{user}");
    let lost = json!({ "cause": "lost" });
    let accounts = [
        (Method::POST, "/v1/users".to_owned(), person),
        (Method::DELETE, account.clone(), json!({})),
        (Method::POST, format!("{account}/password-code"), json!({})),
        (Method::POST, format!("{account}/enrolment-code"), json!({})),
        (Method::POST, format!("{device}/suspend"), lost.clone()),
        (Method::POST, format!("{device}/revoke"), lost),
        (Method::GET, "/v1/devices".to_owned(), json!({})),
    ];
    let grants = [
        (Method::POST, "/v1/assignments".to_owned(), grant),
        (Method::POST, end, json!({})),
    ];
    let lists = ["/v1/users", "/v1/assignments", "/v1/catalogues"]
        .map(|path| (Method::GET, path.to_owned(), json!({})));
    let denied = [
        (&office.sec, &accounts[..]),
        (&office.sys, &grants[..]),
        (&member, &accounts[..]),
        (&member, &grants[..]),
        (&member, &lists[..]),
    ];
    for (who, operations) in denied {
        for (method, path, body) in operations {
            let request = crate::world::request(method, path, who.access(), Some(body.clone()));
            let answer = office.world.send(request).await;
            assert_eq!(answer.code(), "not_found", "{method} {path}");
        }
    }
    for who in [&office.sec, &member] {
        assert_eq!(office.import_as(who, XIJI, "").await.code(), "not_found");
    }
    assert_eq!(office.position().await, before);
    assert_eq!(
        office.world.log_in("ma.xiulan").await.code(),
        "ok",
        "the account is as it was"
    );
}

#[tokio::test]
async fn an_administrator_of_a_county_administers_no_other() {
    let office = Office::open().await;
    let other = "code,name,level,parent_code\n640423000000,隆德县,county,640400000000\n";
    assert_eq!(office.import(other, "").await.code(), "ok");
    let local = office.person("local").await;
    let given = office
        .give(json!({ "user": local, "role": "SEC", "area": "640422000000" }))
        .await;
    assert_eq!(given.status, 201, "{given:?}");
    let user = office.person("ma.xiulan").await;
    let local = office.world.log_in("local").await.pair();
    let new = |area: &str| json!({ "user": user, "role": "CS", "area": area });
    let elsewhere = office
        .world
        .post("/v1/assignments", local.access(), new("640423000000"))
        .await;
    let nowhere = office
        .world
        .post("/v1/assignments", local.access(), new("640499000000"))
        .await;
    assert_eq!(elsewhere.code(), "invalid_field");
    assert_eq!(elsewhere.body, nowhere.body);
    let here = office
        .world
        .post("/v1/assignments", local.access(), new("640422000000"))
        .await;
    assert_eq!(here.status, 201, "{here:?}");
    let whole = json!({ "user": user, "role": "SEC" });
    let whole = office
        .world
        .post("/v1/assignments", local.access(), whole)
        .await;
    assert_eq!(whole.code(), "invalid_field");
    let seen = office.world.get("/v1/assignments", local.access()).await;
    assert_eq!(
        seen.body["assignments"].as_array().unwrap().len(),
        2,
        "{seen:?}"
    );
    let areas = office.world.get("/v1/areas", local.access()).await;
    assert_eq!(areas.body["areas"][0]["name"], "西吉县");
}

#[tokio::test]
async fn a_disabled_account_signs_in_no_more() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let signed_in = office.world.log_in("ma.xiulan").await.pair();
    let path = format!("/v1/users/{user}");
    assert_eq!(
        office.world.delete(&path, office.sys.access()).await.status,
        204
    );
    assert!(!office.world.is_signed_in(&signed_in).await);
    assert_eq!(
        office.world.log_in("ma.xiulan").await.code(),
        "wrong_credentials"
    );
    let after = office.position().await;
    assert_eq!(
        office.world.delete(&path, office.sys.access()).await.status,
        204
    );
    assert_eq!(office.position().await, after, "once is enough");
    let code = format!("{path}/password-code");
    let code = office
        .world
        .post(&code, office.sys.access(), json!({}))
        .await;
    assert_eq!(code.code(), "not_found");
    let list = office
        .world
        .get("/v1/users?q=ma.xiulan", office.sec.access())
        .await;
    assert_eq!(list.body["users"][0]["active"], false);
    let own = office
        .world
        .get("/v1/users?q=sys", office.sys.access())
        .await;
    let own = format!("/v1/users/{}", own.body["users"][0]["id"].as_str().unwrap());
    assert_eq!(
        office.world.delete(&own, office.sys.access()).await.code(),
        "invalid_field"
    );
}

#[tokio::test]
async fn a_revoked_device_is_signed_out_and_what_it_sends_is_refused() {
    let office = Office::open().await;
    let user = office.person("ma.xiulan").await;
    let given = office
        .give(json!({ "user": user, "role": "FS", "area": "640422100203" }))
        .await;
    let assignment = given.text("id").parse().unwrap();
    let (phone, signed_in) = office.enrol(&user, 7).await;
    assert!(office.world.is_signed_in(&signed_in).await);
    let path = format!("/v1/devices/{}/suspend", phone.id);
    let unknown = json!({ "cause": "bored" });
    let unknown = office.world.post(&path, office.sys.access(), unknown).await;
    assert_eq!(unknown.code(), "malformed");
    let path = format!("/v1/devices/{}/revoke", phone.id);
    let lost = json!({ "cause": "lost" });
    let revoked = office
        .world
        .post(&path, office.sys.access(), lost.clone())
        .await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
    assert!(!office.world.is_signed_in(&signed_in).await);
    let again = office.world.refresh_on(&phone, &signed_in.refresh).await;
    assert_eq!(again.code(), "device_unusable");

    let path = format!("/v1/devices/{}/suspend", phone.id);
    let suspended = office.world.post(&path, office.sys.access(), lost).await;
    assert_eq!(suspended.status, 204, "what was revoked stays so");
    let path = format!("/v1/devices?user={user}");
    let list = office.world.get(&path, office.sys.access()).await;
    assert_eq!(list.body["devices"][0]["standing"], "revoked");
    assert_eq!(list.body["devices"][0]["label"], "旧手机");

    // Another phone may still carry what it sealed.
    let journal = office.journal_of("640422100203").await;
    let fates = send_from(&office.world, &phone, journal, assignment).await;
    let refused = |fate: &Fate| matches!(fate, Fate::Refused(code, _) if code == "device_revoked");
    assert!(fates.iter().all(refused) && !fates.is_empty(), "{fates:?}");
}

/// Has one command of a phone admitted.
async fn send_from(
    world: &World,
    phone: &Phone,
    journal: JournalId,
    assignment: AssignmentId,
) -> Vec<Fate> {
    let now = world.app.clock().now();
    let chain = Chain::start(journal);
    let sealing = Sealing {
        deployment: world.app.deployment(),
        journal,
        assignment,
        catalogue: world.app.catalogue().version(),
        previous: LaneEnd::start(phone.id, journal).batch,
        seen: chain.end,
        at: now,
        seed: Seed([3; 16]),
        key: &phone.key,
    };
    let envelope = Envelope {
        n: 1,
        record: RecordId::derive(phone.id, journal, 1),
        kind: "visit".to_owned(),
        base: 0,
        at: now,
        verb: Verb::Create,
        action: None,
        fields: Vec::new(),
        links: Vec::new(),
        audience: Audience::Village,
        digest: Digest([0; 32]),
        needs: None,
        origin: None,
    };
    let content = Content::default();
    let parts = seal(&sealing, vec![Unsealed { envelope, content }]);
    match world
        .app
        .admission()
        .admit(parts.to_wire(), &mut Room::of_request())
        .await
        .unwrap()
    {
        Outcome::Entered { unusual, .. } => unusual.into_iter().map(|(_, fate)| fate).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_operator_needs_no_assignment_but_a_founded_deployment() {
    let world = World::empty().await;
    let early = areas::import(&world.app, Word::Operator, XIJI.as_bytes(), false).await;
    assert!(
        matches!(early, Err(areas::AreaFailure::Absent)),
        "{early:?}"
    );

    let office = Office::empty().await;
    let app = &office.world.app;
    areas::import(app, Word::Operator, XIJI.as_bytes(), false)
        .await
        .unwrap();
    let user = office.person("ma.xiulan").await.parse().unwrap();
    let code = users::issue_code(app, Word::Operator, user, CodePurpose::EnrolDevice).await;
    assert!(code.is_ok());
    let mut unit = app.store().read().await.unwrap();
    let registered = app.registrar().current(&mut *unit).await.unwrap();
    assert!(
        registered
            .registry
            .devices
            .values()
            .all(|device| device.standing == Standing::Active)
    );
}

#[tokio::test]
async fn catalogue_versions_are_listed_with_the_one_in_force() {
    let office = Office::empty().await;
    let list = office
        .world
        .get("/v1/catalogues", office.sec.access())
        .await;
    let versions = list.body["catalogues"].as_array().unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(
        (&versions[0]["in_force"], &versions[0]["is_here"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn whoever_is_logged_in_gets_a_published_catalogue_and_can_check_it() {
    let office = Office::empty().await;
    let get = async |path: &str, access| office.world.get(path, access).await;
    let given = get("/v1/catalogues/1", office.sys.access()).await;
    let files = given.body["files"].as_array().unwrap();
    let file = |file: &Value| SourceFile {
        name: file["name"].as_str().unwrap().to_owned(),
        text: file["text"].as_str().unwrap().to_owned(),
    };
    let files: Vec<SourceFile> = files.iter().map(file).collect();
    let catalogue = Catalogue::parse(&files).unwrap();
    assert_eq!(catalogue.digest(), Catalogue::builtin().digest());
    for none in ["/v1/catalogues/2", "/v1/catalogues/one"] {
        assert_eq!(get(none, office.sys.access()).await.code(), "not_found");
    }
    assert_eq!(
        get("/v1/catalogues/1", None).await.code(),
        "unauthenticated"
    );
}
