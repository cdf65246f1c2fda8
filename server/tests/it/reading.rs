//! What county, province and audit read, and what they do not.

use std::time::Duration;

use axum::http::header;
use serde_json::{Value as Json, json};
use server::journals::{fold, publish, timeline};
use sync_core::audit::{Bundle, verify};
use sync_core::command::{Audience, Verb};
use sync_core::id::RecordId;
use sync_core::month::Month;
use sync_core::registry::RegistryAct;
use sync_core::sync::device::{Intent, Target};
use sync_core::value::Value;

use crate::county::{
    ACCESS, ALIKE, COUNTY, County, JOURNAL, PROVINCE, PROVINCES_ACCESS, SIBLING, TOWNSHIP, UNKNOWN,
    VILLAGE, assignment, user,
};
use crate::world::Answer;

/// The ids of the records of a list.
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.code(), "ok", "{answer:?}");
    let records = answer.body["records"].as_array().unwrap();
    records
        .iter()
        .map(|record| record["record"].as_str().unwrap().to_owned())
        .collect()
}

/// A field of a record.
fn field<'a>(record: &'a Json, name: &str) -> &'a Json {
    let fields = record["fields"].as_array().unwrap();
    fields
        .iter()
        .find(|field| field["field"]["name"] == name)
        .unwrap_or(&Json::Null)
}

#[tokio::test]
async fn a_scope_is_an_area_and_what_lies_in_it_and_nothing_else_is_there() {
    let county = County::new().await;
    let areas = [PROVINCE, COUNTY, TOWNSHIP, VILLAGE, SIBLING, ALIKE, UNKNOWN];
    let expected = [
        ("fs", [false, false, false, true, false, false, false]),
        ("fs2", [false, false, false, false, true, false, false]),
        ("tw", [false, false, true, true, true, false, false]),
        ("cs", [false, true, true, true, true, false, false]),
        ("cs2", [false, false, false, false, false, true, false]),
        // The province reads no rows.
        ("pa", [false; 7]),
    ];
    for (name, may) in expected {
        for (area, may) in areas.iter().zip(may) {
            for list in ["records", "conflicts", "unanswered", "flagged"] {
                let answer = county.get(name, &format!("/v1/{list}?area={area}")).await;
                assert_eq!(
                    answer.code(),
                    if may { "ok" } else { "not_found" },
                    "{name} {list} {area}"
                );
            }
        }
    }
    for (name, sees) in [
        ("fs", true),
        ("cs", true),
        ("tw", true),
        ("fs2", false),
        ("cs2", false),
        ("pa", false),
    ] {
        let expected = if sees { "ok" } else { "not_found" };
        assert_eq!(
            county.view(name, county.visit).await.code(),
            expected,
            "{name}"
        );
        assert_eq!(
            county.history(name, county.visit).await.code(),
            expected,
            "{name}"
        );
    }
    assert_eq!(
        ids(&county.get("cs2", "/v1/records").await),
        Vec::<String>::new()
    );
    assert_eq!(
        county.view("cs", RecordId([7; 16])).await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn what_is_sensitive_masked_or_the_teams_does_not_reach_the_county() {
    let county = County::new().await;
    let list = county.get("cs", "/v1/records").await;
    let text = list.body.to_string();
    for secret in ["高血压", "张三丰", "13800001234", "队内商量低保"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(!ids(&list).contains(&county.teams.to_string()));
    assert_eq!(county.view("cs", county.teams).await.code(), "not_found");
    assert_eq!(county.history("cs", county.teams).await.code(), "not_found");
    assert_eq!(county.view("fs", county.teams).await.code(), "ok");

    let visit = county.view("cs", county.visit).await.body;
    assert_eq!(field(&visit, "illness")["form"], "withheld");
    assert_eq!(field(&visit, "illness")["values"], json!([]));
    assert_eq!(visit["times"]["occurred"], "2024-10-04 09:05");
    assert_eq!(field(&visit, "note")["values"][0]["value"], "老人想装扶手");
    let household = county.view("cs", county.household).await.body;
    assert_eq!(
        field(&household, "householder")["values"][0]["value"],
        "张**"
    );
    assert_eq!(
        field(&household, "phone")["values"][0]["text"],
        "138****1234"
    );
    assert_eq!(household["title"], "张**");
    assert_eq!(household["state"]["label"]["zh"], "在册");
    assert_eq!(household["area"]["name"], "半子沟村");

    // The team sees names whole; what is sensitive stays on its phones.
    let household = county.view("fs", county.household).await.body;
    assert_eq!(
        field(&household, "householder")["values"][0]["value"],
        "张三丰"
    );
    assert_eq!(
        field(&county.view("fs", county.visit).await.body, "illness")["form"],
        "withheld"
    );
    for name in ["fs", "vc", "tw", "cs"] {
        for record in [county.household, county.visit] {
            assert!(
                !county
                    .history(name, record)
                    .await
                    .body
                    .to_string()
                    .contains("高血压"),
                "{name}"
            );
        }
    }
    assert!(
        !county
            .history("cs", county.household)
            .await
            .body
            .to_string()
            .contains("张三丰")
    );
}

#[tokio::test]
async fn a_search_finds_what_its_reader_reads() {
    let county = County::new().await;
    let found = async |name: &str, query: &str| {
        ids(&county.get(name, &format!("/v1/records?{query}")).await)
    };
    let (visit, teams) = (county.visit.to_string(), county.teams.to_string());
    // 扶手, 低保, 高血压, 张三丰
    assert_eq!(
        found("cs", "q=%E6%89%B6%E6%89%8B").await,
        std::slice::from_ref(&visit)
    );
    assert_eq!(found("cs", "q=%E4%BD%8E%E4%BF%9D").await, [""; 0]);
    assert_eq!(found("fs", "q=%E4%BD%8E%E4%BF%9D").await, [teams]);
    assert_eq!(found("fs", "q=%E9%AB%98%E8%A1%80%E5%8E%8B").await, [""; 0]);
    assert_eq!(found("cs", "q=%E5%BC%A0%E4%B8%89%E4%B8%B0").await, [""; 0]);
    assert_eq!(
        found("cs", "kind=visit&state=draft").await,
        std::slice::from_ref(&visit)
    );
    assert_eq!(found("cs", "since=2099-01-01T00:00:00Z").await, [""; 0]);
    assert_eq!(
        found("cs", "conflicted=true").await,
        [county.household.to_string()]
    );

    let all = found("fs", "").await;
    assert_eq!(all.len(), 3);
    let mut paged = Vec::new();
    let mut next = String::new();
    for _ in 0..4 {
        let page = county
            .get("fs", &format!("/v1/records?limit=1{next}"))
            .await;
        paged.extend(ids(&page));
        let Some(after) = page.body["next"].as_str() else {
            break;
        };
        next = format!("&after={after}");
    }
    assert_eq!(paged, all);
    for query in ["limit=0", "limit=201"] {
        assert_eq!(
            county
                .get("fs", &format!("/v1/records?{query}"))
                .await
                .code(),
            "invalid_field"
        );
    }
    assert_eq!(
        county.get("fs", "/v1/records?per_person=true").await.code(),
        "malformed"
    );
}

#[tokio::test]
async fn a_conflict_shows_both_values_with_who_and_when() {
    let county = County::new().await;
    let answer = county
        .get("cs", &format!("/v1/conflicts?area={VILLAGE}"))
        .await;
    let conflicts = answer.body["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{answer:?}");
    let crop = field(&conflicts[0], "crop");
    assert_eq!(crop["form"], "conflict");
    let mut said: Vec<(&str, &str)> = Vec::new();
    for value in crop["values"].as_array().unwrap() {
        said.push((
            value["text"].as_str().unwrap(),
            value["by"]["who"]["name"].as_str().unwrap(),
        ));
        assert!(value["by"]["recorded"].is_string() && value["by"]["received"].is_string());
    }
    assert_eq!(said, [("荞麦", "某fs"), ("玉米", "某tm")]);
    let position = answer.headers["x-zhucun-seq"].to_str().unwrap();
    let far = position.parse::<u64>().unwrap() + 1;
    for path in [
        format!("/v1/records?area={VILLAGE}&at="),
        format!("/v1/journals/{JOURNAL}/records/{}?at=", county.visit),
    ] {
        assert_eq!(
            county.get("cs", &format!("{path}{position}")).await.code(),
            "ok"
        );
        let early = county.get("cs", &format!("{path}{far}")).await;
        assert_eq!(early.code(), "not_folded_yet");
        assert_eq!(early.headers[header::RETRY_AFTER], "1");
    }
    assert_eq!(
        county.get("cs", "/v1/records?at=1").await.code(),
        "invalid_field"
    );
}

#[tokio::test]
async fn a_department_is_shown_what_was_sent_to_it_and_nothing_else() {
    let mut county = County::new().await;
    let (dp, from) = (user("dp"), county.now().date().plus_days(-1));
    county
        .enter(&[
            RegistryAct::SetUser {
                user: dp,
                name: "某部门".to_owned(),
                active: true,
            },
            RegistryAct::Assign {
                assignment: assignment("dp"),
                user: dp,
                role: "DP".to_owned(),
                area: COUNTY,
                from,
                to: None,
                sent_by: None,
            },
        ])
        .await;
    county.db_account("dp").await;
    county.sync("cs").await;
    let task = |assignee: &str| {
        Intent::create("task")
            .with("title", Value::text("核实饮水工程"))
            .with("brief", Value::text("到户看水压"))
            .link("assignees", RecordId(user(assignee).0))
    };
    let sent = county.save("cs", task("dp"));
    let others = county.save("cs", task("fs"));
    county.sync("cs").await;
    let shown = county.reveal("dp", sent, "brief", "办理交办任务").await;
    assert_eq!(shown.body["texts"], json!(["到户看水压"]), "{shown:?}");
    for record in [others, county.visit, county.household] {
        for field in ["brief", "note"] {
            let hidden = county.reveal("dp", record, field, "看看").await;
            assert_eq!(hidden.code(), "not_found", "{field}");
        }
    }
}

#[tokio::test]
async fn a_reveal_is_entered_before_anything_is_shown() {
    let county = County::new().await;
    let log = async || {
        county
            .world
            .get("/v1/access-log", Some(&county.auditor().await))
            .await
    };
    for (name, record, field, purpose, code) in [
        ("cs", county.visit, "illness", "  ", "invalid_field"),
        ("cs", county.visit, "no_such", "核实大病救助", "not_found"),
        ("cs", county.teams, "note", "核实大病救助", "not_found"),
        ("cs2", county.visit, "illness", "核实大病救助", "not_found"),
        ("fs", county.visit, "illness", "核实大病救助", "not_found"),
        ("vc", county.visit, "illness", "核实大病救助", "not_found"),
    ] {
        assert_eq!(
            county.reveal(name, record, field, purpose).await.code(),
            code,
            "{name} {field}"
        );
    }
    assert_eq!(log().await.body["acts"], json!([]));

    let revealed = county
        .reveal("cs", county.visit, "illness", "核实大病救助")
        .await;
    assert_eq!(revealed.body["values"], json!(["高血压"]), "{revealed:?}");
    assert_eq!(revealed.text("entered_in"), ACCESS.to_string());
    let masked = county
        .reveal("tw", county.household, "phone", "电话回访")
        .await;
    assert_eq!(masked.body["texts"], json!(["13800001234"]));
    let provinces = county.reveal("pa", county.visit, "illness", "抽查").await;
    assert_eq!(provinces.text("entered_in"), PROVINCES_ACCESS.to_string());

    let acts = log().await.body["acts"].clone();
    assert_eq!(acts.as_array().unwrap().len(), 3);
    assert_eq!(acts[0]["act"], "reveal");
    assert_eq!(acts[0]["who"]["user"], user("cs").to_string());
    assert_eq!(acts[0]["record"], county.visit.to_string());
    assert_eq!(acts[0]["what"], "illness");
    assert_eq!(acts[0]["purpose"], "核实大病救助");
    assert!(!acts.to_string().contains("高血压"));
    for name in ["cs", "fs", "tw"] {
        assert_eq!(
            county.get(name, "/v1/access-log").await.code(),
            "not_found",
            "{name}"
        );
    }
    assert_eq!(
        county
            .get("pa", &format!("/v1/access-log?area={COUNTY}"))
            .await
            .body["acts"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn what_changed_nothing_is_listed_with_why_and_its_words_for_who_helps() {
    let mut county = County::new().await;
    let away = |reason: &str, household| Intent::act(household, "move_out").because(reason);
    let household = county.household;
    county.save("fs", away("搬到县城", household));
    county.save("tm", away("随子女进城", household));
    county.sync("fs").await;
    county.sync("tm").await;
    for (name, reads) in [("cs", true), ("fs", true), ("tm", true), ("vc", false)] {
        let answer = county.get(name, "/v1/unanswered").await;
        let records = answer.body["records"].as_array().unwrap();
        assert_eq!(records.len(), 1, "{answer:?}");
        let line = &records[0]["lines"][0];
        assert_eq!(
            line["fate"],
            json!({ "fate": "no_effect", "reasons": ["superseded"] })
        );
        assert_eq!(line["who"]["name"], "某tm");
        assert_eq!(line["action"]["label"]["zh"], "迁出");
        assert_eq!(line["withheld"], !reads, "{name}");
        assert_eq!(
            line["reason"].as_str(),
            reads.then_some("随子女进城"),
            "{name}"
        );
    }
    let history = county.history("cs", household).await;
    let lines = history.body["lines"].as_array().unwrap();
    let verbs: Vec<&str> = lines
        .iter()
        .map(|line| line["verb"].as_str().unwrap())
        .collect();
    assert_eq!(verbs, ["create", "set", "set", "act", "act"]);
    let received: Vec<&str> = lines
        .iter()
        .map(|line| line["received"].as_str().unwrap())
        .collect();
    assert!(received.is_sorted());
}

#[tokio::test]
async fn what_came_after_an_assignment_is_listed_as_marked() {
    let mut county = County::new().await;
    let today = county.now().date();
    county.save(
        "tm",
        Intent::set(county.household).with("group", Value::text("三组")),
    );
    county
        .enter(&[RegistryAct::EndAssignment {
            assignment: assignment("tm"),
            to: today,
            for_cause: false,
        }])
        .await;
    county.world.clock.advance(Duration::from_hours(24));
    county.sync("tm").await;
    let flagged = county.get("cs", "/v1/flagged?cause=after_end").await;
    let records = flagged.body["records"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{flagged:?}");
    assert_eq!(
        records[0]["lines"][0]["fate"]["reasons"],
        json!(["after_end"])
    );
    assert_eq!(
        county.get("cs", "/v1/flagged?cause=after_seal").await.body["records"],
        json!([])
    );
    // Whose assignment ended reads no more.
    assert_eq!(county.get("tm", "/v1/records").await.code(), "not_found");
}

#[tokio::test]
async fn a_document_goes_only_to_who_reads_all_of_it() {
    let county = County::new().await;
    let document = async |name: &str, record: RecordId| {
        county
            .bytes(name, &format!("/v1/records/{JOURNAL}/{record}/automerge"))
            .await
    };
    for record in [county.household, county.visit, county.teams] {
        let bytes = document("fs", record).await.expect("the team reads all");
        assert!(
            bytes.starts_with(&[0x85, 0x6F, 0x4A, 0x83]),
            "an Automerge document"
        );
    }
    for (name, record) in [
        ("cs", county.household),
        ("cs", county.visit),
        ("vc", county.visit),
        ("vc", county.teams),
        ("fs2", county.visit),
    ] {
        assert!(document(name, record).await.is_none(), "{name}");
    }
    assert!(document("vc", county.household).await.is_some());
}

#[tokio::test]
async fn an_auditor_verifies_what_he_may_not_read() {
    let county = County::new().await;
    let app = &county.world.app;
    publish::publish(app).await.unwrap();
    let bundle = async |query: &str| {
        let bytes = county
            .bytes("pa", &format!("/v1/audit/bundle?{query}"))
            .await
            .expect("a bundle");
        Bundle::from_bytes(&bytes).unwrap()
    };
    let all = bundle(&format!("area={COUNTY}")).await;
    let report = verify(&all, None);
    assert!(report.holds(), "{:?}", report.findings);
    assert_eq!(report.folded, 0, "an auditor gets envelopes and digests");
    assert!(report.withheld > 0);
    let sampled = bundle(&format!("journal={JOURNAL}&sample=1")).await;
    let report = verify(&sampled, None);
    assert!(
        report.holds() && report.folded <= 1,
        "{:?}",
        report.findings
    );
    assert!(report.withheld > 0);
    let held = sampled.journals.iter().flat_map(|part| &part.entries);
    let contents = held.filter_map(|entry| entry.open(sampled.deployment, |_| None).ok());
    let read: Vec<_> = contents
        .flat_map(|entry| entry.parts.commands().collect::<Vec<_>>())
        .filter(|command| command.content.is_some())
        .collect();
    assert!(!read.is_empty());
    assert!(
        read.iter()
            .all(|command| [Audience::Village, Audience::County]
                .contains(&command.envelope.audience))
    );

    let acts = county
        .get("pa", &format!("/v1/access-log?area={PROVINCE}"))
        .await
        .body["acts"]
        .clone();
    assert_eq!(acts.as_array().unwrap().len(), 2);
    assert_eq!(acts[0]["act"], "audit");
    for name in ["cs", "fs", "cs2"] {
        for path in ["audit/bundle", "checkpoints/latest", "log/leaves"] {
            assert_eq!(
                county.get(name, &format!("/v1/{path}")).await.code(),
                "not_found",
                "{name} {path}"
            );
        }
    }
    assert_eq!(
        county
            .get("pa", &format!("/v1/audit/bundle?area={UNKNOWN}"))
            .await
            .code(),
        "not_found"
    );
    assert!(
        county
            .get("pa", "/v1/checkpoints/latest")
            .await
            .body
            .as_str()
            .unwrap()
            .starts_with("zhucun/")
    );
    let leaves = county.get("pa", "/v1/log/leaves").await;
    assert_eq!(
        leaves.body["leaves"].as_array().unwrap().len(),
        all.leaves.len()
    );
    let journals = county.get("pa", "/v1/journals").await;
    let known = journals.body["journals"].as_array().unwrap();
    let village = known
        .iter()
        .find(|journal| journal["journal"] == JOURNAL.to_string())
        .unwrap();
    assert_eq!(village["seq"], village["folded"]);
    assert_eq!(village["seq"], village["published"]);
    assert_eq!(
        county
            .world
            .get("/v1/journals", Some(&county.auditor().await))
            .await
            .body["journals"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn what_comes_after_a_months_close_is_shown_as_such_until_the_county_clears_it() {
    let mut county = County::new().await;
    let month = Month::at(county.now()).unwrap();
    let household = county.household;
    // Written in time, and on the phone for weeks.
    let group = Intent::set(household).with("group", Value::text("二组"));
    county.save("fs", group);
    county.world.clock.advance(Duration::from_hours(24 * 35));
    county.sync("tw").await;
    let record = county.save("tw", Intent::seal(month));
    county.sync("tw").await;
    county.sync("fs").await;

    let closed = county.view("cs", record).await;
    assert_eq!(closed.body["state"]["name"], "sealed", "{closed:?}");
    assert_eq!(closed.body["title"], month.to_string());
    let flagged = county.get("cs", "/v1/flagged?cause=after_seal").await;
    let late = &flagged.body["records"][0];
    assert_eq!(late["record"]["record"], household.to_string());
    assert_eq!(late["lines"][0]["fate"]["reasons"], json!(["after_seal"]));
    assert_eq!(
        county.view("cs", household).await.body["fields"][1]["values"][0]["text"],
        "二组",
        "it counts"
    );
    let listed = async |county: &County, flagged: bool| {
        let path = format!("/v1/records?kind=household&flagged={flagged}");
        let list = county.get("cs", &path).await.body;
        list["records"].as_array().unwrap().len()
    };
    assert_eq!(
        (listed(&county, true).await, listed(&county, false).await),
        (1, 0)
    );

    county.sync("cs").await;
    county.save("cs", Intent::clear(household, "after_seal"));
    county.sync("cs").await;
    let flagged = county.get("cs", "/v1/flagged").await;
    assert_eq!(flagged.body["records"], json!([]));
    assert_eq!(
        (listed(&county, true).await, listed(&county, false).await),
        (0, 1)
    );
    let history = county.history("cs", household).await;
    let lines = history.body["lines"].as_array().unwrap();
    let line = lines
        .iter()
        .find(|line| line["fate"]["fate"] == "flagged")
        .expect("history stays as it was");
    assert_eq!(line["cleared"], json!(["after_seal"]));
    assert_eq!(lines.last().unwrap()["verb"], "clear");

    let app = &county.world.app;
    publish::publish(app).await.unwrap();
    let bytes = county
        .bytes("pa", &format!("/v1/audit/bundle?area={COUNTY}"))
        .await
        .expect("a bundle");
    let report = verify(&Bundle::from_bytes(&bytes).unwrap(), None);
    assert!(report.holds(), "{:?}", report.findings);
    assert_eq!(report.undecided, 0);
}

#[tokio::test]
async fn what_was_written_before_its_author_knew_of_an_erasure_goes_too() {
    let mut county = County::new().await;
    let visit = county.visit;
    // On the phone while the record is erased.
    let edited = Intent::set(visit).with("met", Value::text("李四"));
    county.save("fs", edited);
    county.sync("cs").await;
    let erasure = Intent::new(Target::Existing(visit), Verb::Erase).because("本人要求");
    county.save("cs", erasure);
    county.sync("cs").await;
    county.sync("fs").await;

    let mut unit = county.world.app.store().read().await.unwrap();
    let mut verbs = Vec::new();
    for logged in timeline::log(&mut *unit, JOURNAL, visit).await.unwrap() {
        let verb = logged.command.envelope.verb;
        let says = logged.command.content.is_some();
        assert_eq!(says, verb == Verb::Erase, "{verb:?}");
        verbs.push(verb);
    }
    assert_eq!(verbs.first(), Some(&Verb::Create));
    assert_eq!(verbs.last(), Some(&Verb::Set), "the late one");
}

#[tokio::test]
async fn the_commands_of_a_record_are_found_whether_its_journal_is_folded_or_not() {
    let mut county = County::new().await;
    let visit = county.visit;
    county.save("fs", Intent::set(visit).with("met", Value::text("李四")));
    county.sync("fs").await;
    let app = county.world.app.clone();
    fold::fold_all(app.store(), app.catalogues(), app.deployment())
        .await
        .unwrap();
    let mut unit = app.store().read().await.unwrap();
    let folded = timeline::log(&mut *unit, JOURNAL, visit).await.unwrap();
    drop(unit);
    let verbs: Vec<Verb> = folded.iter().map(|it| it.command.envelope.verb).collect();
    assert_eq!(verbs.first(), Some(&Verb::Create));
    assert_eq!(verbs.last(), Some(&Verb::Set));

    let mut unit = app.store().begin().await.unwrap();
    unit.forget_folded(JOURNAL).await.unwrap();
    let unfolded = timeline::log(&mut *unit, JOURNAL, visit).await.unwrap();
    assert_eq!(unfolded, folded);
}
