//! Papers that the server drafts: those that a phone with the same records drafts, and nothing in them that their reader may not know of.

use serde_json::{Value as Json, json};
use sync_core::catalog::Label;
use sync_core::id::{Date, RecordId};
use sync_core::look::{Asked, Draft, Look};
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use crate::county::{County, JOURNAL, SIBLINGS};
use crate::world::Answer;

/// Why the case was returned.
const RETURNED: &str = "授权书没有签名";

/// The day of the visit that the county begins with.
const SEEN_ON: Date = Date(20_000);

/// What happened in the village: a need, a list of names, and a clue that became a case, which the county returned.
struct Story {
    county: County,
    case: RecordId,
    notice: RecordId,
    need: RecordId,
}

impl Story {
    async fn new() -> Self {
        let mut county = County::new().await;
        let household = county.household;
        let today = Value::Int(i64::from(county.now().date().0));
        let need = Intent::create("need")
            .with("title", Value::text("村口装路灯"))
            .link("household", household);
        let need = county.save("fs", need);
        let notice = Intent::create("notice")
            .with("title", Value::text("拟纳入监测对象名单"))
            .link("households", household);
        let notice = county.save("fs", notice);
        let member = Intent::create("person")
            .with("name", Value::text("张小满"))
            .with("labour", Value::text("weak"))
            .link("household", household);
        county.save("fs", member);
        let clue = Intent::create("clue")
            .with("channel", Value::text("visit"))
            .with("received_on", today.clone())
            .link("household", household);
        let clue = county.save("fs", clue);
        county.sync("fs").await;
        let finding = Intent::act(clue, "verify")
            .with("finding", Value::text("属实"))
            .link("household", household);
        county.save("fs", finding);
        county.sync("fs").await;
        county.sync("tw").await;
        county.save("tw", Intent::act(clue, "confirm"));
        county.sync("tw").await;
        let case = Intent::create("case")
            .with("received_on", today.clone())
            .link("household", household)
            .link("clue", clue);
        let case = county.save("tw", case);
        county.sync("tw").await;
        county.sync("fs").await;
        let verified = Intent::act(case, "verified")
            .with("income", Value::Int(6000))
            .with("authorised_on", today)
            .link("visit", county.visit);
        county.save("fs", verified);
        county.sync("fs").await;
        county.sync("cs").await;
        let returned = Intent::act(case, "return_compare");
        county.save("cs", returned.because(RETURNED));
        county.sync("cs").await;
        county.sync("fs").await;
        Self {
            county,
            case,
            notice,
            need,
        }
    }

    async fn paper(&self, name: &str, paper: &str, query: &str) -> Answer {
        let path = format!("/v1/journals/{JOURNAL}/papers/{paper}{query}");
        self.county.get(name, &path).await
    }

    /// The same as a phone drafts it.
    #[track_caller]
    fn on_phone(&self, name: &str, paper: &str, asked: Asked) -> Json {
        let phone = &self.county.phones[name].device;
        let look = Look::new(phone, self.county.now());
        let paper = look.catalogue().unwrap().paper(paper).unwrap();
        told(&look.draft(JOURNAL, paper, asked).unwrap())
    }
}

fn told(draft: &Draft<'_>) -> Json {
    let label = |label: &Label| json!({ "zh": label.zh, "en": label.en });
    let labels = |labels: &[Label]| -> Json { labels.iter().map(label).collect() };
    let sections = draft.sections.iter().map(|section| {
        let lines = section.lines.iter();
        let lines = lines
            .map(|line| json!({ "source": line.source.to_string(), "cells": labels(&line.cells) }));
        json!({
            "label": label(&section.label),
            "columns": labels(&section.columns),
            "lines": lines.collect::<Json>(),
        })
    });
    let mut told = json!({
        "paper": { "name": draft.paper.name, "label": label(&draft.paper.label) },
        "place": draft.place,
        "sections": sections.collect::<Json>(),
    });
    if let Some((first, last)) = draft.period {
        told["period"] = json!({ "first": first.to_string(), "last": last.to_string() });
    }
    if let Some(title) = &draft.title {
        told["title"] = label(title);
    }
    told
}

/// The records from which the lines of a paper come.
fn sources(paper: &Json) -> Vec<&str> {
    let sections = paper["sections"].as_array().unwrap().iter();
    let lines = sections.flat_map(|section| section["lines"].as_array().unwrap());
    lines.map(|line| line["source"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_server_drafts_what_a_phone_with_the_same_records_drafts() {
    let story = Story::new().await;
    let (case, notice) = (story.case, story.notice);
    let today = story.county.now().date();
    let of = |record: RecordId| format!("?record={record}");
    let asked = [
        ("day_sheet", String::new(), Asked::Day(today)),
        ("day_sheet", format!("?day={SEEN_ON}"), Asked::Day(SEEN_ON)),
        ("monthly_sheet", format!("?day={today}"), Asked::Day(today)),
        ("need_ledger", String::new(), Asked::Day(today)),
        ("case_file", of(case), Asked::Record(case)),
        ("notice_sheet", of(notice), Asked::Record(notice)),
    ];
    for (paper, query, asked) in asked {
        let drafted = story.paper("fs", paper, &query).await;
        assert_eq!(drafted.code(), "ok", "{paper}: {drafted:?}");
        assert!(!sources(&drafted.body).is_empty(), "{paper}");
        assert_eq!(
            drafted.body,
            story.on_phone("fs", paper, asked),
            "{paper}{query}"
        );
    }
}

#[tokio::test]
async fn every_paper_of_the_catalogue_is_listed_with_what_it_is_of() {
    let county = County::new().await;
    let path = format!("/v1/journals/{JOURNAL}/papers");
    let listed = county.get("cs", &path).await.body;
    let papers = listed["papers"].as_array().unwrap();
    let of = |paper: &Json| {
        let kind = paper["kind"]["name"].as_str();
        let of = kind.or_else(|| paper["period"].as_str()).unwrap();
        format!("{} {of}", paper["paper"]["name"].as_str().unwrap())
    };
    let papers: Vec<String> = papers.iter().map(of).collect();
    assert_eq!(
        papers,
        [
            "case_file case",
            "day_sheet day",
            "monthly_sheet month",
            "need_ledger year",
            "notice_sheet notice",
        ]
    );
    for stranger in ["fs2", "cs2", "pa"] {
        assert_eq!(county.get(stranger, &path).await.code(), "not_found");
    }
}

#[tokio::test]
async fn a_paper_for_the_county_holds_no_line_of_the_teams_and_no_name_whole() {
    let story = Story::new().await;
    let (case, teams) = (story.case, story.county.teams.to_string());
    let query = format!("?record={case}");
    let own = story.paper("fs", "case_file", &query).await.body;
    let countys = story.paper("cs", "case_file", &query).await.body;
    assert!(sources(&own).contains(&teams.as_str()));
    let shared: Vec<&str> = sources(&own);
    let shared = shared.into_iter().filter(|source| *source != teams);
    assert_eq!(sources(&countys), shared.collect::<Vec<_>>());

    let text = countys.to_string();
    for secret in ["张三丰", "张小满", "高血压", "队内商量低保"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(countys["title"]["zh"], "张**");
    assert!(
        text.contains("老人想装扶手"),
        "what is for the county is there"
    );
    assert!(text.contains(RETURNED), "as is the reason of a step");
    assert!(own.to_string().contains("张小满"));

    // What is referred to is called as it would be if it stood alone.
    let ledger = story.paper("cs", "need_ledger", "").await.body;
    assert_eq!(sources(&ledger), [story.need.to_string()]);
    let text = ledger.to_string();
    assert!(text.contains("张**") && !text.contains("张三丰"), "{text}");

    // A sheet of one's own work is of the caller's own.
    let sheet = story.paper("cs", "monthly_sheet", "").await.body;
    assert_eq!(sources(&sheet), [""; 0]);
}

#[tokio::test]
async fn what_its_caller_may_not_know_of_cannot_be_drafted_and_looks_absent() {
    let story = Story::new().await;
    let (case, visit) = (story.case, story.county.visit);
    let of_case = format!("?record={case}");
    for (name, paper, query) in [
        ("fs2", "case_file", of_case.as_str()),
        ("cs2", "case_file", &of_case),
        ("pa", "case_file", &of_case),
        ("fs2", "need_ledger", ""),
        ("pa", "need_ledger", ""),
        // There is no such paper, and it is of no such record.
        ("cs", "no_such_paper", ""),
        ("cs", "case_file", &format!("?record={visit}")),
        (
            "cs",
            "case_file",
            &format!("?record={}", story.county.teams),
        ),
        ("cs", "case_file", &format!("?record={}", RecordId([7; 16]))),
    ] {
        let answer = story.paper(name, paper, query).await;
        assert_eq!(answer.code(), "not_found", "{name} {paper}{query}");
    }
    // A record is of its own village.
    let path = format!("/v1/journals/{SIBLINGS}/papers/case_file{of_case}");
    assert_eq!(story.county.get("cs", &path).await.code(), "not_found");
    for (paper, query) in [
        ("case_file", String::new()),
        ("case_file", format!("{of_case}&day=2026-11-21")),
        ("need_ledger", of_case.clone()),
    ] {
        let answer = story.paper("cs", paper, &query).await;
        assert_eq!(answer.code(), "invalid_field", "{paper}{query}");
        assert_eq!(answer.body["field"], "record");
    }
    let later = story.paper("cs", "need_ledger", "?at=1000000").await;
    assert_eq!(later.code(), "not_folded_yet");
}
