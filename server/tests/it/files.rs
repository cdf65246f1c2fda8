//! Photographs and voice memos, as phones hand them over and read them.

use std::{fs, io};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures::stream;
use http_body_util::BodyExt as _;
use serde_json::Value as Json;
use server::files::erased;
use server::jobs;
use sync_core::command::Verb;
use sync_core::id::{DeviceId, Digest, RecordId, sha256};
use sync_core::limits::{
    FILE_BYTES_MAX, FILE_PIECE_BYTES_MAX, UNFINISHED_BYTES_MAX, UNFINISHED_DAYS_MAX,
};
use sync_core::record::Slot;
use sync_core::sync::device::{Intent, Target};
use sync_core::value::Value;

use crate::county::{County, JOURNAL, user};
use crate::world::World;

pub(crate) const PICTURE: &[u8] = include_bytes!("../../../tests/fixtures/files/picture.jpg");
const MEMO: &[u8] = include_bytes!("../../../tests/fixtures/files/recording-live.webm");

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The problem's code, or `ok`.
    pub(crate) fn code(&self) -> String {
        if self.status.is_success() {
            return "ok".to_owned();
        }
        let problem: Json = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or("no code").to_owned()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether it is whole, and how many bytes are here.
    fn here(&self) -> (bool, u64) {
        assert!(self.status.is_success(), "{self:?}");
        let is_whole = match self.header("upload-complete") {
            Some("?1") => true,
            Some("?0") => false,
            other => panic!("{other:?}"),
        };
        let offset = self.header("upload-offset").unwrap();
        (is_whole, offset.parse().unwrap())
    }
}

/// Somebody who calls.
#[derive(Clone, Copy)]
pub(crate) struct Somebody<'a> {
    name: &'a str,
    device: Option<DeviceId>,
}

/// Somebody on his phone.
pub(crate) fn on_phone<'a>(county: &County, name: &'a str) -> Somebody<'a> {
    Somebody {
        name,
        device: Some(county.phones[name].device.id()),
    }
}

/// A file as a record names it.
#[derive(Clone, Copy)]
pub(crate) struct File {
    pub(crate) record: RecordId,
    pub(crate) digest: Digest,
}

async fn ask(world: &World, who: Somebody<'_>, file: File, mut request: Request<Body>) -> Answer {
    let token = world.token(user(who.name), who.device).await;
    let File { record, digest } = file;
    let path = format!("/v1/journals/{JOURNAL}/records/{record}/files/{digest}");
    *request.uri_mut() = path.parse().unwrap();
    let token = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, token);
    let (parts, body) = world.respond(request).await.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

fn plain(method: Method) -> Request<Body> {
    Request::builder()
        .method(method)
        .body(Body::empty())
        .unwrap()
}

async fn find(world: &World, who: Somebody<'_>, file: File) -> Answer {
    ask(world, who, file, plain(Method::HEAD)).await
}

async fn fetch(world: &World, who: Somebody<'_>, file: File) -> Answer {
    ask(world, who, file, plain(Method::GET)).await
}

fn piece(offset: usize, is_last: bool, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::PATCH)
        .header(header::CONTENT_TYPE, "application/partial-upload")
        .header("upload-offset", offset)
        .header("upload-complete", if is_last { "?1" } else { "?0" })
        .body(body.into())
        .unwrap()
}

pub(crate) async fn send(
    world: &World,
    who: Somebody<'_>,
    file: File,
    (offset, is_last, bytes): (usize, bool, &[u8]),
) -> Answer {
    ask(world, who, file, piece(offset, is_last, bytes.to_vec())).await
}

/// Puts photographs into a visit.
fn photographs(visit: RecordId, photos: &[Digest]) -> Intent {
    let photos = photos.iter().map(|digest| Value::Bytes(digest.0.to_vec()));
    Intent::new(Target::Existing(visit), Verb::Insert).with("photos", Value::List(photos.collect()))
}

/// The secretary records a visit with photographs.
async fn visit_with(county: &mut County, photos: &[Digest]) -> RecordId {
    let visit = Intent::create("visit")
        .link("household", county.household)
        .with("occurred_on", Value::Int(20_000));
    let visit = county.save("fs", visit);
    county.save("fs", photographs(visit, photos));
    county.sync("fs").await;
    visit
}

/// A visit with one photograph, of these bytes.
pub(crate) async fn named(county: &mut County, bytes: &[u8]) -> File {
    let digest = sha256(&[bytes]);
    let record = visit_with(county, &[digest]).await;
    File { record, digest }
}

#[tokio::test]
async fn a_photograph_comes_in_pieces_over_a_line_that_is_cut_and_the_team_sees_it() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let (fs, world) = (on_phone(&county, "fs"), &county.world);
    assert_eq!(find(world, fs, file).await.here(), (false, 0));
    let awaited = fetch(world, fs, file).await;
    assert_eq!(
        (awaited.status, awaited.code().as_str()),
        (StatusCode::NOT_FOUND, "file_awaited")
    );

    let sent = send(world, fs, file, (0, false, &PICTURE[..300])).await;
    assert_eq!(
        (sent.status, sent.here()),
        (StatusCode::NO_CONTENT, (false, 300))
    );
    let cut = stream::iter([
        Ok(Bytes::from_static(&PICTURE[300..500])),
        Err(io::Error::other("the line is gone")),
    ]);
    let cut = ask(world, fs, file, piece(300, true, Body::from_stream(cut))).await;
    assert_eq!(cut.code(), "malformed");
    assert_eq!(find(world, fs, file).await.here(), (false, 500));
    let sent = send(world, fs, file, (500, true, &PICTURE[500..])).await;
    let whole = (true, PICTURE.len() as u64);
    assert_eq!((sent.status, sent.here()), (StatusCode::NO_CONTENT, whole));

    for name in ["fs", "tm"] {
        let somebody = on_phone(&county, name);
        let found = find(world, somebody, file).await;
        assert_eq!(found.here(), whole);
        assert_eq!(found.header("content-length"), Some("920"));
        assert_eq!(found.header("content-type"), Some("image/jpeg"));
        let fetched = fetch(world, somebody, file).await;
        assert_eq!(fetched.status, StatusCode::OK);
        assert_eq!(fetched.body, PICTURE);
        for (header, value) in [
            ("content-type", "image/jpeg"),
            ("content-length", "920"),
            ("content-disposition", "attachment"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(fetched.header(header), Some(value));
        }
        let policy = fetched.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"));
    }
}

#[tokio::test]
async fn what_is_there_already_is_taken_again_and_changes_nothing() {
    let mut county = County::new().await;
    let file = named(&mut county, MEMO).await;
    let (fs, tm) = (on_phone(&county, "fs"), on_phone(&county, "tm"));
    let world = &county.world;
    let whole = (true, MEMO.len() as u64);
    assert_eq!(send(world, fs, file, (0, true, MEMO)).await.here(), whole);
    assert_eq!(send(world, fs, file, (0, true, MEMO)).await.here(), whole);
    assert_eq!(
        send(world, tm, file, (0, false, b"another")).await.here(),
        whole
    );
    let fetched = fetch(world, tm, file).await;
    assert_eq!(fetched.body, MEMO);
    assert_eq!(fetched.header("content-type"), Some("audio/webm"));
}

#[tokio::test]
async fn a_piece_that_does_not_continue_what_is_kept_is_told_where_to_go_on() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let (fs, tm) = (on_phone(&county, "fs"), on_phone(&county, "tm"));
    let world = &county.world;
    send(world, fs, file, (0, false, &PICTURE[..100])).await;
    for (offset, is_last) in [(0, false), (99, false), (101, true), (100_000, true)] {
        let refused = send(world, fs, file, (offset, is_last, &PICTURE[..50])).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert_eq!(refused.code(), "upload_offset");
        assert_eq!(refused.header("upload-offset"), Some("100"));
    }
    // What a teammate sends of the same file is his.
    assert_eq!(find(world, tm, file).await.here(), (false, 0));
    assert!(send(world, tm, file, (0, true, PICTURE)).await.here().0);
    assert!(
        send(world, fs, file, (100, true, &PICTURE[100..]))
            .await
            .here()
            .0
    );
}

#[tokio::test]
async fn a_file_that_is_refused_is_thrown_away() {
    let mut county = County::new().await;
    let comment = [&PICTURE[..2], b"\xFF\xFE\x00\x06here", &PICTURE[2..]].concat();
    let script = b"<script>alert(1)</script>".to_vec();
    let mut many = PICTURE.to_vec();
    let frame = many.windows(2).position(|it| it == [0xFF, 0xC0]).unwrap();
    many[frame + 5..frame + 9].fill(0xFF);
    let expected = [
        (comment, "file_metadata"),
        (script, "file_form"),
        (Vec::new(), "file_form"),
        (many, "file_pixels"),
    ];
    for (bytes, code) in expected {
        let file = named(&mut county, &bytes).await;
        let (fs, world) = (on_phone(&county, "fs"), &county.world);
        let begin = bytes.len().min(20);
        send(world, fs, file, (0, false, &bytes[..begin])).await;
        let refused = send(world, fs, file, (begin, true, &bytes[begin..])).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.code(), code);
        assert_eq!(find(world, fs, file).await.here(), (false, 0), "{code}");
        assert_eq!(fetch(world, fs, file).await.code(), "file_awaited");
    }
    let file = named(&mut county, PICTURE).await;
    let (fs, world) = (on_phone(&county, "fs"), &county.world);
    let refused = send(world, fs, file, (0, true, MEMO)).await;
    assert_eq!(refused.code(), "file_digest");
    assert!(send(world, fs, file, (0, true, PICTURE)).await.here().0);
}

#[tokio::test]
async fn nobody_reaches_a_file_who_is_not_shown_a_value_that_names_it() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let beside = File {
        record: county.visit,
        ..file
    };
    let unnamed = File {
        digest: sha256(&[b"nothing"]),
        ..file
    };
    let fs = on_phone(&county, "fs");
    assert!(
        send(&county.world, fs, file, (0, true, PICTURE))
            .await
            .here()
            .0
    );
    let at_console = |name| Somebody { name, device: None };
    let asked = [
        // The record names another file, or none.
        (fs, unnamed),
        (fs, beside),
        // What is sensitive stays on the village's own phones.
        (at_console("fs"), file),
        (on_phone(&county, "tw"), file),
        (on_phone(&county, "cs"), file),
        (at_console("cs"), file),
        (at_console("pa"), file),
        (at_console("fs2"), file),
    ];
    for (who, file) in asked {
        let world = &county.world;
        let found = find(world, who, file).await;
        assert_eq!(found.status, StatusCode::NOT_FOUND, "{}", who.name);
        assert_eq!(
            fetch(world, who, file).await.code(),
            "not_found",
            "{}",
            who.name
        );
        let sent = send(world, who, file, (0, true, PICTURE)).await;
        assert_eq!(sent.code(), "not_found", "{}", who.name);
    }
}

#[tokio::test]
async fn a_photograph_that_was_taken_out_of_the_record_is_served_to_nobody() {
    let mut county = County::new().await;
    let (kept, gone) = (sha256(&[PICTURE]), sha256(&[MEMO]));
    let record = visit_with(&mut county, &[kept, gone]).await;
    let fs = on_phone(&county, "fs");
    for (digest, bytes) in [(kept, PICTURE), (gone, MEMO)] {
        let file = File { record, digest };
        assert!(
            send(&county.world, fs, file, (0, true, bytes))
                .await
                .here()
                .0
        );
    }
    let mut unit = county.world.app.store().read().await.unwrap();
    let folded = unit.record(JOURNAL, record).await.unwrap().unwrap();
    drop(unit);
    let Slot::List(photos) = &folded.record.fields["photos"] else {
        panic!("photographs are items");
    };
    let mut removal = Intent::new(Target::Existing(record), Verb::Remove);
    removal.removed = Some(("photos".to_owned(), vec![photos[1].id]));
    county.save("fs", removal);
    county.sync("fs").await;
    let file = |digest| File { record, digest };
    assert_eq!(fetch(&county.world, fs, file(kept)).await.code(), "ok");
    assert_eq!(
        fetch(&county.world, fs, file(gone)).await.code(),
        "not_found"
    );
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_nothing_that_was_acknowledged() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let fs = on_phone(&county, "fs");
    send(&county.world, fs, file, (0, false, &PICTURE[..400])).await;
    let world = World::again(county.world.leave()).await;
    assert_eq!(find(&world, fs, file).await.here(), (false, 400));
    assert!(
        send(&world, fs, file, (400, true, &PICTURE[400..]))
            .await
            .here()
            .0
    );
    let world = World::again(world.leave()).await;
    assert_eq!(fetch(&world, fs, file).await.body, PICTURE);
}

#[tokio::test]
async fn a_file_in_many_small_pieces_is_put_together() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let (fs, world) = (on_phone(&county, "fs"), &county.world);
    for at in (0..900).step_by(6) {
        let sent = send(world, fs, file, (at, false, &PICTURE[at..at + 6])).await;
        assert_eq!(sent.here(), (false, at as u64 + 6));
    }
    assert!(
        send(world, fs, file, (900, true, &PICTURE[900..]))
            .await
            .here()
            .0
    );
    assert_eq!(fetch(world, fs, file).await.body, PICTURE);
}

/// A memo of so many bytes, most of them room that its writer left.
fn memo_of(bytes: usize) -> Vec<u8> {
    let left = u64::try_from(bytes - MEMO.len() - 9).unwrap();
    let length = (left | 1 << 56).to_be_bytes();
    let mut memo = [MEMO, &[0xEC], &length].concat();
    memo.resize(bytes, 0);
    memo
}

async fn send_all(world: &World, who: Somebody<'_>, file: File, bytes: &[u8]) -> Answer {
    let (mut offset, mut pieces) = (0, bytes.chunks(FILE_PIECE_BYTES_MAX).peekable());
    loop {
        let next = pieces.next().unwrap();
        let is_last = pieces.peek().is_none();
        let sent = send(world, who, file, (offset, is_last, next)).await;
        offset += next.len();
        if is_last || !sent.status.is_success() {
            return sent;
        }
    }
}

#[tokio::test]
async fn a_piece_and_a_file_have_so_many_bytes() {
    let mut county = County::new().await;
    let (edge, past) = (memo_of(FILE_BYTES_MAX), memo_of(FILE_BYTES_MAX + 1));
    let (largest, larger) = (
        named(&mut county, &edge).await,
        named(&mut county, &past).await,
    );
    let (fs, world) = (on_phone(&county, "fs"), &county.world);
    let piece = send(
        world,
        fs,
        larger,
        (0, false, &past[..=FILE_PIECE_BYTES_MAX]),
    )
    .await;
    assert_eq!(
        (piece.status.as_u16(), piece.code().as_str()),
        (413, "too_large")
    );
    assert_eq!(find(world, fs, larger).await.here(), (false, 0));

    let taken = send_all(world, fs, largest, &edge).await;
    assert_eq!(taken.here(), (true, FILE_BYTES_MAX as u64));
    assert_eq!(fetch(world, fs, largest).await.body, edge);
    let refused = send_all(world, fs, larger, &past).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (422, "file_too_large")
    );
    assert_eq!(find(world, fs, larger).await.here(), (false, 0));
}

#[tokio::test]
async fn so_much_is_kept_of_one_persons_unfinished_files_and_for_so_long() {
    let mut county = County::new().await;
    let digests: Vec<Digest> = (0..9_u8).map(|number| sha256(&[&[number]])).collect();
    let record = visit_with(&mut county, &digests).await;
    let file = |number: usize| File {
        record,
        digest: digests[number],
    };
    let (fs, tm) = (on_phone(&county, "fs"), on_phone(&county, "tm"));
    let world = &county.world;
    let piece = vec![7; FILE_PIECE_BYTES_MAX];
    let files = usize::try_from(UNFINISHED_BYTES_MAX).unwrap() / FILE_BYTES_MAX;
    for number in 0..files {
        for at in (0..FILE_BYTES_MAX).step_by(FILE_PIECE_BYTES_MAX) {
            let sent = send(world, fs, file(number), (at, false, &piece)).await;
            assert_eq!(sent.here(), (false, (at + FILE_PIECE_BYTES_MAX) as u64));
        }
    }
    let full = send(world, fs, file(8), (0, false, b"x")).await;
    assert_eq!(
        (full.status.as_u16(), full.code().as_str()),
        (429, "unfinished_files")
    );
    assert_eq!(
        send(world, tm, file(8), (0, false, b"x")).await.here(),
        (false, 1)
    );

    let days = u64::try_from(UNFINISHED_DAYS_MAX).unwrap();
    world.pass(days * 24 * 60);
    jobs::forget_unfinished(&world.app).await.unwrap();
    let kept = find(world, fs, file(0)).await.here();
    assert_eq!(kept, (false, FILE_BYTES_MAX as u64));
    world.pass(1);
    jobs::forget_unfinished(&world.app).await.unwrap();
    assert_eq!(find(world, fs, file(0)).await.here(), (false, 0));
    let sent = send(world, fs, file(8), (0, false, b"x")).await;
    assert_eq!(sent.here(), (false, 1));
}

#[tokio::test]
async fn a_request_without_its_headers_is_none() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let (fs, world) = (on_phone(&county, "fs"), &county.world);
    for (name, value, code) in [
        ("content-type", "image/jpeg", "unsupported_media_type"),
        ("upload-offset", "-1", "malformed"),
        ("upload-offset", "0x0", "malformed"),
        ("upload-complete", "?2", "malformed"),
        ("upload-complete", "true", "malformed"),
    ] {
        let mut request = piece(0, true, PICTURE.to_vec());
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(ask(world, fs, file, request).await.code(), code);
        let mut request = piece(0, true, PICTURE.to_vec());
        request.headers_mut().remove(name);
        assert_eq!(ask(world, fs, file, request).await.code(), code);
    }
}

/// The county erases a record, as its person asked.
async fn erase(county: &mut County, record: RecordId) {
    county.sync("cs").await;
    let erasure = Intent::new(Target::Existing(record), Verb::Erase).because("本人要求");
    county.save("cs", erasure);
    county.sync("cs").await;
}

/// What lies in the folder of files.
fn kept(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![world.app.config().data_dir.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_erasure_takes_along_what_nothing_else_names() {
    let mut county = County::new().await;
    let (shared, own, unfinished) = (sha256(&[PICTURE]), sha256(&[MEMO]), sha256(&[b"begun"]));
    let gone = visit_with(&mut county, &[shared, own, unfinished]).await;
    let stays = visit_with(&mut county, &[shared]).await;
    let fs = on_phone(&county, "fs");
    let file = |record, digest| File { record, digest };
    for (digest, bytes) in [(shared, PICTURE), (own, MEMO)] {
        let sent = send(&county.world, fs, file(gone, digest), (0, true, bytes)).await;
        assert!(sent.here().0);
    }
    send(&county.world, fs, file(gone, unfinished), (0, false, b"be")).await;
    assert_eq!(kept(&county.world).len(), 3);

    erase(&mut county, gone).await;
    for digest in [shared, own, unfinished] {
        let fetched = fetch(&county.world, fs, file(gone, digest)).await;
        assert_eq!(fetched.code(), "not_found");
    }
    // Again, as after a crash in between: nothing changes.
    for _ in 0..2 {
        erased::remove(&county.world.app).await.unwrap();
        assert_eq!(kept(&county.world), [shared.to_string()]);
    }
    let fetched = fetch(&county.world, fs, file(stays, shared)).await;
    assert_eq!(fetched.body, PICTURE);
    erase(&mut county, stays).await;
    erased::remove(&county.world.app).await.unwrap();
    assert_eq!(kept(&county.world), [""; 0]);
}

#[tokio::test]
async fn what_was_being_written_when_the_server_died_is_gone_after_the_next_start() {
    let mut county = County::new().await;
    let file = named(&mut county, PICTURE).await;
    let fs = on_phone(&county, "fs");
    assert!(
        send(&county.world, fs, file, (0, true, PICTURE))
            .await
            .here()
            .0
    );
    let folder = county.world.app.config().data_dir.join("blobs/files");
    let draft = folder
        .join(JOURNAL.to_string())
        .join(format!("{}#1", file.digest));
    fs::write(&draft, &PICTURE[..100]).unwrap();
    let world = World::again(county.world.leave()).await;
    assert_eq!(kept(&world), [file.digest.to_string()]);
    assert_eq!(fetch(&world, fs, file).await.body, PICTURE);
}
