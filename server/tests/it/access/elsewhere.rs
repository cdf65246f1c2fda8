//! What happens elsewhere, or is not for a reader's eyes, changes nothing of what he is answered: no list, no length of a page, not
//! whether it goes on.

use std::time::Duration;

use axum::http::Method;
use sync_core::command::Audience;
use sync_core::id::{RecordId, UserId};
use sync_core::registry::RegistryAct;
use sync_core::sign::SigningKey;
use sync_core::sync::device::{Intent, Target};
use sync_core::value::Value;

use super::people::Answered;
use crate::county::{ALIKE, County, VILLAGE, assignment, user};
use crate::world::request;

/// Lists of records, a record a page.
const RECORDS: &[&str] = &["records", "conflicts", "unanswered", "flagged"];
/// What administrators and auditors list.
const PEOPLE: &[&str] = &[
    "users",
    "assignments",
    "devices",
    "areas",
    "journals",
    "access-log",
];

/// Every page of every list.
async fn pages(
    county: &County,
    user: UserId,
    lists: &[&str],
    limit: &str,
) -> Vec<(String, Answered)> {
    let token = county.token(user, None).await;
    let mut pages = Vec::new();
    for list in lists {
        let mut path = format!("/v1/{list}?{limit}");
        loop {
            let asked = request(&Method::GET, &path, Some(&token), None);
            let mut answered = Answered::of(county, asked).await;
            // How far the village's journal is may be known to whoever reads it.
            answered.headers.remove("x-zhucun-seq");
            answered.headers.remove("content-length");
            let next = serde_json::from_slice::<serde_json::Value>(&answered.body).unwrap()["next"]
                .clone();
            pages.push((path, answered));
            let Some(next) = next.as_str() else { break };
            path = format!("/v1/{list}?{limit}&after={next}");
        }
    }
    pages
}

/// Somebody begins to work, known to the registry.
async fn joins(county: &County, name: &str, role: &str, area: sync_core::id::AreaId) {
    let acts = [
        RegistryAct::SetUser {
            user: user(name),
            name: format!("某{name}"),
            active: true,
        },
        RegistryAct::Assign {
            assignment: assignment(name),
            user: user(name),
            role: role.to_owned(),
            area,
            from: county.now().date(),
            to: None,
            sent_by: None,
        },
        RegistryAct::Enrol {
            key: SigningKey::from_seed(user(name).0.repeat(2).try_into().unwrap()).public(),
            user: user(name),
            label: "手机".to_owned(),
        },
    ];
    county.enter(&acts).await;
    county.db_account(name).await;
}

/// Of the team alone.
fn of_the_team(household: RecordId, note: &str) -> Intent {
    let visit = Intent::create("visit")
        .link("household", household)
        .with("note", Value::text(note));
    let target = Target::New {
        kind: "visit".to_owned(),
        audience: Some(Audience::Team),
    };
    Intent { target, ..visit }
}

#[tokio::test]
async fn what_happens_in_one_village_changes_no_answer_about_another() {
    let mut county = County::new().await;
    for (name, role) in [
        ("sys2", "SYS"),
        ("sec2", "SEC"),
        ("aud2", "AUD"),
        ("cs3", "CS"),
    ] {
        joins(&county, name, role, ALIKE).await;
    }
    let readers = ["fs2", "cs2", "cs3", "sys2", "sec2", "aud2"].map(user);
    let everything = [RECORDS, PEOPLE].concat();
    let mut before = Vec::new();
    for reader in readers {
        before.push(pages(&county, reader, &everything, "").await);
        before.push(pages(&county, reader, RECORDS, "limit=1").await);
    }
    let household = county.household;
    for name in ["fs", "tm"] {
        county.save(name, Intent::act(household, "move_out").because("搬到县城"));
        county.save(name, of_the_team(household, "队内商量低保"));
    }
    county.sync("fs").await;
    county.sync("tm").await;
    joins(&county, "new", "TM", VILLAGE).await;
    county
        .reveal("cs", county.visit, "illness", "核实大病救助")
        .await;
    let mut after = Vec::new();
    for reader in readers {
        after.push(pages(&county, reader, &everything, "").await);
        after.push(pages(&county, reader, RECORDS, "limit=1").await);
    }
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_is_the_teams_alone_changes_no_page_of_anybody_elses() {
    let mut county = County::new().await;
    let household = county.household;
    let today = county.now().date();
    // Something to list for everyone.
    for name in ["fs", "tm"] {
        county.save(name, Intent::act(household, "move_out").because("搬到县城"));
        county.sync(name).await;
    }
    let end = RegistryAct::EndAssignment {
        assignment: assignment("tm"),
        to: today,
        for_cause: false,
    };
    county.enter(&[end]).await;
    county.world.clock.advance(Duration::from_hours(48));
    let readers = ["vc", "tw", "cs"].map(user);
    let mut before = Vec::new();
    for reader in readers {
        before.push(pages(&county, reader, RECORDS, "limit=1").await);
    }
    for number in 0..5 {
        county.save(
            "fs",
            of_the_team(household, &format!("队内商量低保{number}")),
        );
        // Refused, for his time in the village is over; so it never becomes a record.
        county.save(
            "tm",
            of_the_team(household, &format!("队内商量低保{number}")),
        );
    }
    county.sync("fs").await;
    county.sync("tm").await;
    let team = pages(&county, user("fs"), &["unanswered"], "limit=1").await;
    assert!(team.len() > 5, "the team sees what was refused: {team:?}");
    let mut after = Vec::new();
    for reader in readers {
        after.push(pages(&county, reader, RECORDS, "limit=1").await);
    }
    assert_eq!(before, after);
}
