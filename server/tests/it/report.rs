//! The villages' public pages: what is reported arrives on the phones, whoever asks learns how it stands, and nobody learns more.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use server::reports;
use server::session::throttle::Wait;
use sync_core::cbor;
use sync_core::id::{JournalId, RecordId};
use sync_core::look::{Look, Wanted};
use sync_core::sync::device::Intent;
use sync_core::value::Value;
use sync_core::view::Shown;

use crate::county::{COUNTY, County, JOURNAL, SIBLING, SIBLINGS, VILLAGE, user};
use crate::quiet::Watch;
use crate::world::World;

/// What a browser sends of a filled-in form.
const FILLED: &[(&str, &str)] = &[
    ("risks", "illness"),
    ("risks", "large_expense"),
    ("household_as_told", "马五家"),
    ("group_as_told", "三组"),
    ("note", "男主人住院\r\n欠了医药费"),
    ("reporter", "邻居杨婶子"),
    ("contact", "13700001111"),
];

/// What a report says of people: no log and no answer may repeat it.
const SAID: [&str; 4] = ["马五家", "男主人住院", "邻居杨婶子", "13700001111"];

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    html: String,
}

impl Page {
    /// What stands on the page as `<dd class="keep">`: number and secret, or a state.
    fn kept(&self) -> Vec<String> {
        let parts = self.html.split("<dd class=\"keep\">").skip(1);
        let text = |part: &str| part.split('<').next().unwrap().to_owned();
        parts.map(text).collect()
    }
}

/// A receipt: number and secret.
type Receipt = (String, String);

async fn call(world: &World, from: Ipv4Addr, request: Request<Body>) -> Page {
    for said in SAID {
        Watch::forbid(said);
    }
    let (parts, body) = world.respond_from(from, request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Page {
        status: parts.status,
        headers: parts.headers,
        html: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

const SOMEBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

async fn get(world: &World, path: &str) -> Page {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    call(world, SOMEBODY, request).await
}

async fn post(world: &World, from: Ipv4Addr, path: &str, form: &[(&str, &str)]) -> Page {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into())
        .unwrap();
    call(world, from, request).await
}

fn page_of(village: JournalId) -> String {
    format!("/report/{village}")
}

async fn report(world: &World, village: JournalId) -> Receipt {
    let page = post(world, SOMEBODY, &page_of(village), FILLED).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.html);
    let [number, secret] = page.kept().try_into().unwrap();
    (number, secret)
}

async fn ask(world: &World, village: JournalId, (number, secret): &Receipt) -> Page {
    let path = format!("{}/answer", page_of(village));
    let form = [("number", number.as_str()), ("secret", secret)];
    post(world, SOMEBODY, &path, &form).await
}

/// A county in which the page of one village is open.
async fn open_county() -> County {
    let county = County::new().await;
    reports::open(&county.world.app, &VILLAGE.to_string())
        .await
        .unwrap();
    county
}

/// The clues on a phone, with their titles.
fn clues(county: &County, name: &str) -> Vec<(RecordId, String)> {
    let look = Look::new(&county.phones[name].device, county.now());
    let rows = look.rows(&Wanted::of(Some("clue"), false));
    rows.into_iter()
        .map(|row| (row.record, row.title))
        .collect()
}

#[tokio::test]
async fn a_report_arrives_on_the_villages_phones_as_a_clue_with_its_clock() {
    let mut county = open_county().await;
    report(&county.world, JOURNAL).await;
    county.sync("fs").await;
    let phone = &county.phones["fs"].device;
    let [(clue, title)] = clues(&county, "fs").try_into().unwrap();
    assert_eq!(title, "马五家", "it has no household yet");
    let look = Look::new(phone, county.now());
    let view = look.view(JOURNAL, clue).unwrap();
    assert_eq!(view.state.as_deref(), Some("to_verify"));
    let text = |field: &str| {
        view.value(field)
            .and_then(|value| value.as_text().map(str::to_owned))
    };
    assert_eq!(text("channel").as_deref(), Some("public_page"));
    assert_eq!(text("contact").as_deref(), Some("13700001111"));
    let due = look.due();
    let due = due.iter().find(|due| due.row.record == clue).unwrap();
    assert!(due.due.is_some(), "its clock runs");
    let people = look.people(JOURNAL);
    assert!(
        people
            .iter()
            .all(|(user, _)| *user != reports::desk_user(county.world.app.deployment())),
        "the desk is nobody who could be given work"
    );
    // The township reads the clue; who reported it stays in the village.
    county.sync("tw").await;
    let look = Look::new(&county.phones["tw"].device, county.now());
    let view = look.view(JOURNAL, clue).unwrap();
    assert_eq!(view.fields.get("contact"), Some(&Shown::Withheld));
    assert!(matches!(view.fields.get("note"), Some(Shown::Text(_))));
}

#[tokio::test]
async fn whoever_asks_with_number_and_secret_learns_the_state_and_the_reason_alone() {
    let mut county = open_county().await;
    let receipt = report(&county.world, JOURNAL).await;
    let state = |page: &Page| {
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        for said in SAID {
            assert!(!page.html.contains(said), "the answer repeats {said}");
        }
        page.kept().concat()
    };
    let at_once = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(state(&at_once), "待核", "before it is folded");
    county.sync("fs").await;
    let today = county.now().date().to_string();
    let folded = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(state(&folded), "待核");
    assert!(folded.html.contains(&today), "since when");
    let [(clue, _)] = clues(&county, "fs").try_into().unwrap();
    let verify = Intent::act(clue, "verify")
        .link("household", county.household)
        .with("finding", Value::text("家中确有困难"));
    county.save("fs", verify);
    county.sync("fs").await;
    let verified = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(state(&verified), "已核实");
    assert!(!verified.html.contains("家中确有困难"));
    county.sync("tw").await;
    let told = i64::from(county.now().date().0);
    let reject = Intent::act(clue, "reject").because("已纳入低保");
    county.save("tw", reject.with("told_on", Value::Int(told)));
    county.sync("tw").await;
    let rejected = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(state(&rejected), "不成立");
    assert!(rejected.html.contains("已纳入低保") && rejected.html.contains("告知日期"));
    // As somebody else may type it.
    let (number, secret) = &receipt;
    let typed = (
        format!(" {number}"),
        secret.to_lowercase().replace('-', " "),
    );
    assert_eq!(state(&ask(&county.world, JOURNAL, &typed).await), "不成立");
}

#[tokio::test]
async fn wrong_numbers_wrong_secrets_and_those_of_another_village_get_one_answer() {
    let county = County::new().await;
    reports::open(&county.world.app, &COUNTY.to_string())
        .await
        .unwrap();
    let own = report(&county.world, JOURNAL).await;
    let others = report(&county.world, SIBLINGS).await;
    assert_eq!(own.0, others.0, "each village counts by itself");
    let wrong = [
        ("00000".to_owned(), own.1.clone()),
        ("00026".to_owned(), own.1.clone()),
        ("99990".to_owned(), own.1.clone()),
        ("no number".to_owned(), own.1.clone()),
        (own.0.clone(), others.1.clone()),
        (own.0.clone(), "0000-0000-0000-0000".to_owned()),
        (own.0.clone(), "short".to_owned()),
        (own.0.clone(), String::new()),
    ];
    let mut answers = Vec::new();
    for receipt in &wrong {
        let page = ask(&county.world, JOURNAL, receipt).await;
        // What was typed stays in the form, and is all that differs.
        let html = page.html.replace(&format!("value=\"{}\"", receipt.0), "");
        answers.push((page.status, html));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn guesses_are_spaced_out_and_waiting_helps() {
    let county = open_county().await;
    let receipt = report(&county.world, JOURNAL).await;
    let wrong = (receipt.0.clone(), "0000-0000-0000-0000".to_owned());
    let mut guesses = 0;
    let told = loop {
        let page = ask(&county.world, JOURNAL, &wrong).await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            break page;
        }
        guesses += 1;
        assert!(guesses < 20, "guesses go on and on");
    };
    let right = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        right.html, told.html,
        "a right one is told no more meanwhile"
    );
    county.world.pass(1);
    let right = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(right.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_is_small_runs_no_script_and_loads_nothing() {
    let county = open_county().await;
    let path = page_of(JOURNAL);
    for (path, lang) in [
        (path.clone(), "zh-CN"),
        (format!("{path}?lang=en"), "en"),
        (format!("{path}/answer"), "zh-CN"),
        (format!("{path}/answer?lang=en"), "en"),
    ] {
        let page = get(&county.world, &path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.html.len() < 8 * 1024, "{} bytes", page.html.len());
        assert!(page.html.contains(&format!("<html lang=\"{lang}\">")));
        let policy = page.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"));
        assert!(
            !policy.contains("script") && !policy.contains("http"),
            "{policy}"
        );
        for part in [
            "<script",
            "javascript:",
            "src=",
            "<link",
            "@import",
            "url(",
            "onclick",
            "onload",
            "http",
        ] {
            assert!(!page.html.contains(part), "{path} has {part}");
        }
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_in_it_and_what_was_typed_stays() {
    let county = open_county().await;
    let path = page_of(JOURNAL);
    let long = "字".repeat(61);
    let form = [
        ("risks", "illness"),
        ("risks", "no such risk"),
        ("reporter", long.as_str()),
        ("note", "<script>alert(1)</script>\"'"),
    ];
    let page = post(&county.world, SOMEBODY, &path, &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.html.contains("请写明是哪一户。") && page.html.contains("请不要超过 60 个字。"));
    assert!(page.html.contains(&long), "the name stays");
    assert!(
        page.html.contains("value=\"illness\" checked"),
        "the choice stays"
    );
    assert!(page.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.html.contains("<script"));
    let empty = post(&county.world, SOMEBODY, &format!("{path}?lang=en"), &[]).await;
    assert!(
        empty.html.contains("Please choose at least one"),
        "{}",
        empty.html
    );
    // A form that no page sent.
    let large = "x".repeat(33 * 1024);
    let page = post(&county.world, SOMEBODY, &path, &[("note", &large)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.html.contains("没有收下"));
    for body in ["马", "%ff%00=%ff", "household_as_told"] {
        let request = Request::builder().method(Method::POST).uri(&path);
        let request = request.body(Body::from(body)).unwrap();
        let page = call(&county.world, SOMEBODY, request).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // Control characters are no reason to refuse what somebody has to say.
    let odd = [
        ("household_as_told", "马五\u{0}家\n"),
        ("note", "住\u{7}院"),
    ];
    let page = post(&county.world, SOMEBODY, &path, &odd).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.html);
}

#[tokio::test]
async fn a_village_whose_desk_is_not_open_looks_as_if_there_were_none() {
    let mut county = open_county().await;
    let closed = get(&county.world, &page_of(SIBLINGS)).await;
    assert_eq!(closed.status, StatusCode::NOT_FOUND);
    for path in [page_of(JournalId([9; 16])), "/report/no-village".to_owned()] {
        let page = get(&county.world, &path).await;
        assert_eq!((page.status, &page.html), (closed.status, &closed.html));
        let path = format!("{path}/answer");
        let page = post(&county.world, SOMEBODY, &path, &[]).await;
        assert_eq!((page.status, &page.html), (closed.status, &closed.html));
    }
    let app = &county.world.app;
    let twice = reports::open(app, &VILLAGE.to_string()).await;
    assert!(matches!(twice, Err(reports::OpenFailure::Assignment(_))));
    let not_open = reports::close(app, SIBLING).await;
    assert!(matches!(not_open, Err(reports::CloseFailure::NotOpen)));
    let receipt = report(&county.world, JOURNAL).await;
    reports::close(&county.world.app, VILLAGE).await.unwrap();
    let page = post(&county.world, SOMEBODY, &page_of(JOURNAL), FILLED).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    county.sync("fs").await;
    assert_eq!(
        clues(&county, "fs").len(),
        1,
        "nothing is taken after the close"
    );
    reports::open(&county.world.app, &VILLAGE.to_string())
        .await
        .unwrap();
    let page = ask(&county.world, JOURNAL, &receipt).await;
    assert_eq!(page.status, StatusCode::OK, "earlier receipts stay good");
}

#[tokio::test]
async fn who_is_held_up_by_a_limit_is_told_what_to_do_and_keeps_what_he_typed() {
    let change = |config: &mut server::config::Config| {
        config.reports.an_hour_by_address = server::config::Within::new(3).unwrap();
        config.reports.an_hour_by_village = server::config::Within::new(5).unwrap();
        config.reports.telephone = Some("0954-3012317".to_owned());
    };
    let county = County::of(World::founded_with(change).await).await;
    reports::open(&county.world.app, &COUNTY.to_string())
        .await
        .unwrap();
    let send = async |last: u8, village| {
        let from = Ipv4Addr::new(198, 51, 100, last);
        post(&county.world, from, &page_of(village), FILLED).await
    };
    let mut taken = Vec::new();
    for last in [1, 1, 1, 1, 2, 2, 3] {
        taken.push(send(last, JOURNAL).await.status == StatusCode::CREATED);
    }
    // The fourth of one address, and the sixth for the village.
    assert_eq!(taken, [true, true, true, false, true, true, false]);
    assert_eq!(send(3, SIBLINGS).await.status, StatusCode::CREATED);
    let held_up = send(4, JOURNAL).await;
    assert_eq!(held_up.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(held_up.headers.contains_key(header::RETRY_AFTER));
    for part in [
        "没有收下",
        "村委会",
        "0954-3012317",
        "马五家",
        "value=\"illness\" checked",
    ] {
        assert!(held_up.html.contains(part), "{part} is missing");
    }
    county.world.pass(60);
    assert_eq!(send(4, JOURNAL).await.status, StatusCode::CREATED);
    let wait = county.world.app.throttle();
    assert_eq!(wait.report(JOURNAL, SOMEBODY.into()), Ok::<(), Wait>(()));
}

#[tokio::test]
async fn two_hundred_reports_at_once_are_all_answered_and_hold_up_no_sync() {
    const REPORTS: u8 = 200;
    let mut county = open_county().await;
    county.save(
        "fs",
        Intent::create("household").with("householder", Value::text("王五")),
    );
    let now = county.now();
    let request = county.phones.get_mut("fs").unwrap().request(now);
    let device = county.phones["fs"].device.id();
    let token = county.token(user("fs"), Some(device)).await;
    let (world, path) = (&county.world, page_of(JOURNAL));
    let received = AtomicUsize::new(0);
    let one = async |last: u8| {
        let from = Ipv4Addr::new(203, 0, 113, last);
        let page = post(world, from, &path, FILLED).await;
        match page.status {
            StatusCode::CREATED => {
                received.fetch_add(1, Ordering::Relaxed);
                Some(page.kept())
            }
            StatusCode::TOO_MANY_REQUESTS if page.html.contains("马五家") => None,
            other => panic!("{other}: {}", page.html),
        }
    };
    let sync = async {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/sync")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/cbor")
            .body(cbor::encode(&request).into())
            .unwrap();
        let (status, _) = world.send_bytes(request).await;
        assert_eq!(status, StatusCode::OK);
        received.load(Ordering::Relaxed)
    };
    let all = futures::future::join_all((0..REPORTS).map(one));
    let (answers, before) = futures::join!(all, sync);
    let mut numbers: Vec<_> = answers.into_iter().flatten().collect();
    let received = numbers.len();
    // More wait than can; those are told so, and none is lost that was called received.
    assert!((1..REPORTS.into()).contains(&received), "{received}");
    assert!(
        before < received / 4,
        "a sync waited for {before} of {received} reports"
    );
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), received, "each has a number of its own");
    county.sync("fs").await;
    assert_eq!(clues(&county, "fs").len(), received);
}

#[tokio::test]
async fn two_thousand_reports_in_an_hour_leave_the_phones_their_sync_and_the_guesser_nothing() {
    const MINUTES: u8 = 60;
    const EACH: u8 = 34;
    let mut county = open_county().await;
    let path = page_of(JOURNAL);
    let (mut sent, mut numbers) = (0, Vec::new());
    for minute in 0..MINUTES {
        for one in 0..EACH {
            let page = post(
                &county.world,
                Ipv4Addr::new(198, 18, minute, one),
                &path,
                FILLED,
            )
            .await;
            sent += 1;
            match page.status {
                StatusCode::CREATED => numbers.push(page.kept()),
                // Beyond what one village takes in an hour: told so, and what was typed stays.
                StatusCode::TOO_MANY_REQUESTS => assert!(page.html.contains("马五家")),
                other => panic!("{other}: {}", page.html),
            }
        }
        let known = numbers.last().unwrap();
        let guess = ("00018".to_owned(), "AAAA-AAAA-AAAA-AAAA".to_owned());
        let guesses = [guess, (known[0].clone(), "AAAA-AAAA-AAAA-AAAA".to_owned())];
        for guess in &guesses {
            let page = ask(&county.world, JOURNAL, guess).await;
            assert!(!page.html.contains("待核"), "{}", page.html);
        }
        if minute % 10 == 9 {
            county.save(
                "fs",
                Intent::create("household").with("householder", Value::text("王五")),
            );
            county.sync("fs").await;
            assert_eq!(clues(&county, "fs").len(), numbers.len());
        }
        county.world.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(sent, 2_040);
    let limit = county.world.app.config().reports.an_hour_by_village.get();
    let limit = usize::try_from(limit).unwrap();
    assert!(
        (limit..=2 * limit).contains(&numbers.len()),
        "{}",
        numbers.len()
    );
    let received = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), received, "each has a number of its own");
    // And the one who was given a number still learns how it stands.
    let [number, secret] = numbers[0].clone().try_into().unwrap();
    let page = ask(&county.world, JOURNAL, &(number, secret)).await;
    assert!(page.html.contains("待核") || page.status == StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn whenever_a_sender_goes_away_the_next_report_is_taken() {
    let change = |config: &mut server::config::Config| {
        config.reports.an_hour_by_address = server::config::Within::new(1_000).unwrap();
    };
    let mut county = County::of(World::founded_with(change).await).await;
    let app = &county.world.app;
    reports::open(app, &VILLAGE.to_string()).await.unwrap();
    let (world, path) = (&county.world, page_of(JOURNAL));
    let mut received = 0;
    for wakes in 1.. {
        let mut sending = pin!(post(world, SOMEBODY, &path, FILLED));
        let mut left = wakes;
        let sent = poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            sending.as_mut().poll(context).map(Some)
        });
        // Gone as it wakes for the last time: whatever it waited for has come to pass.
        let sent = sent.await;
        report(world, JOURNAL).await;
        received += 1;
        if sent.is_some() {
            break;
        }
    }
    assert!(received >= 2, "nobody went away before he was answered");
    county.sync("fs").await;
    assert!(clues(&county, "fs").len() > received);
}
