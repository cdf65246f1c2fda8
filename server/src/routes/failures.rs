//! How each operation fails: what its description says, and nothing else is answered.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{
    Content, ContentBuilder, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
};

use crate::problem::Code::{
    self, AssignmentEnded, AssignmentHeld, BehindCheckpoint, Busy, CodeInvalid, DeviceProof,
    DeviceUnusable, FileAwaited, FileDigest, FileForm, FileMetadata, FileMistakes, FilePixels,
    FileTooLarge, Internal, InvalidField, Malformed, NoAccessJournal, NotFoldedYet, NotFound,
    NotTheEntries, PasswordWeak, Protocol, RolesExclude, SessionEnded, Timeout, TooLarge,
    TooManyRequests, TooMuch, Unauthenticated, UnfinishedFiles, UnsupportedMediaType, UploadOffset,
    UserNameTaken, WrongCredentials,
};
use crate::problem::PROBLEM_JSON;

/// What each operation answers with beside what follows from its form ([`by_form`]).
const OWN: &[(&str, &[Code])] = &[
    ("add_user", &[NotFound, UserNameTaken, InvalidField]),
    (
        "change_password",
        &[WrongCredentials, PasswordWeak, TooManyRequests, Busy],
    ),
    ("describe_api", &[]),
    ("disable_user", &[NotFound, InvalidField]),
    ("draft_paper", &[NotFound, InvalidField, NotFoldedYet]),
    (
        "draw_bundle",
        &[
            NotFound,
            InvalidField,
            NotFoldedYet,
            NoAccessJournal,
            TooMuch,
            // That it was drawn is entered.
            BehindCheckpoint,
        ],
    ),
    ("end_assignment", &[NotFound, InvalidField, AssignmentEnded]),
    ("end_own_session", &[NotFound]),
    ("end_session", &[NotFound]),
    (
        "enrol_device",
        &[CodeInvalid, DeviceProof, InvalidField, TooManyRequests],
    ),
    ("exchange_batches", &[Protocol, DeviceUnusable]),
    ("export_document", &[NotFound]),
    ("fetch_file", &[NotFound, FileAwaited]),
    ("find_file", &[NotFound]),
    ("follow_journals", &[NotFound]),
    (
        "found_deployment",
        &[
            CodeInvalid,
            UserNameTaken,
            PasswordWeak,
            InvalidField,
            TooManyRequests,
            Busy,
        ],
    ),
    (
        "give_assignment",
        &[NotFound, InvalidField, AssignmentHeld, RolesExclude],
    ),
    ("give_back_entries", &[DeviceUnusable, NotTheEntries]),
    ("import_areas", &[NotFound, FileMistakes, InvalidField]),
    ("issue_enrolment_code", &[NotFound]),
    ("issue_password_code", &[NotFound]),
    ("list_access", &[NotFound]),
    ("list_areas", &[NotFound]),
    ("list_assignments", &[NotFound]),
    ("list_catalogues", &[NotFound]),
    ("list_clusters", &[NotFound]),
    ("list_conflicts", &[NotFound, InvalidField, NotFoldedYet]),
    ("list_devices", &[NotFound]),
    ("list_flagged", &[NotFound, InvalidField, NotFoldedYet]),
    ("list_journals", &[NotFound]),
    ("list_leaves", &[NotFound]),
    ("list_papers", &[NotFound]),
    ("list_records", &[NotFound, InvalidField, NotFoldedYet]),
    ("list_sessions", &[]),
    ("list_unanswered", &[NotFound, InvalidField, NotFoldedYet]),
    ("list_users", &[NotFound]),
    (
        "refresh_session",
        &[SessionEnded, DeviceProof, DeviceUnusable],
    ),
    ("reveal_field", &[NotFound, InvalidField, NoAccessJournal]),
    ("revoke_device", &[NotFound]),
    (
        "send_file",
        &[
            NotFound,
            UploadOffset,
            FileTooLarge,
            FileDigest,
            FileForm,
            FileMetadata,
            FilePixels,
            UnfinishedFiles,
            Busy,
        ],
    ),
    (
        "set_password",
        &[CodeInvalid, PasswordWeak, TooManyRequests, Busy],
    ),
    ("show_alive", &[]),
    ("show_catalogue", &[NotFound]),
    ("show_checkpoint", &[NotFound]),
    ("show_deployment", &[]),
    ("show_docs", &[]),
    ("show_docs_style", &[]),
    ("show_history", &[NotFound, NotFoldedYet]),
    ("show_metrics", &[Unauthenticated]),
    ("show_ready", &[Busy, BehindCheckpoint]),
    ("show_record", &[NotFound, NotFoldedYet]),
    ("show_session", &[]),
    (
        "start_session",
        &[WrongCredentials, DeviceUnusable, TooManyRequests, Busy],
    ),
    ("suspend_device", &[NotFound]),
];

/// What follows from an operation's form: whether it takes a token, parameters and a body, and whether it writes.
fn by_form(path: &str, method: &HttpMethod, operation: &Operation) -> Vec<Code> {
    let mut codes = vec![Timeout, Internal];
    if operation.security.is_some() {
        codes.push(Unauthenticated);
    }
    if operation.parameters.is_some() || operation.request_body.is_some() {
        codes.push(Malformed);
    }
    if operation.request_body.is_some() {
        codes.extend([TooLarge, UnsupportedMediaType]);
    }
    // Who has an account can log in, and read, even if the log is behind what was signed.
    let reads = matches!(method, HttpMethod::Get | HttpMethod::Head);
    if !reads && !path.starts_with("/v1/session") {
        codes.push(BehindCheckpoint);
    }
    codes
}

/// Writes into an operation's description how it fails.
pub(super) fn describe(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let id = operation.operation_id.as_deref().unwrap_or_default();
    let own = OWN.iter().find(|(named, _)| *named == id);
    let (_, own) = own.expect("every operation says how it fails");
    let mut codes: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in by_form(path, method, operation)
        .into_iter()
        .chain(own.iter().copied())
    {
        let of_status = codes.entry(code.status().as_u16()).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    for (status, codes) in codes {
        let responses = &mut operation.responses.responses;
        responses.insert(status.to_string(), RefOr::T(response(&codes)));
    }
}

fn response(codes: &[Code]) -> Response {
    let means = |code: &Code| format!("`{}`: {}", code.name(), code.texts().title);
    let description: Vec<String> = codes.iter().map(means).collect();
    let header = |about: &str| HeaderBuilder::new().description(Some(about)).build();
    let mut response = ResponseBuilder::new()
        .description(description.join("; "))
        .content(PROBLEM_JSON, problem());
    if codes.iter().any(|code| code.status().as_u16() == 401) {
        response = response.header("www-authenticate", header("`Bearer`"));
    }
    if codes
        .iter()
        .any(|code| matches!(code, TooManyRequests | Busy | NotFoldedYet))
    {
        response = response.header("retry-after", header("When to try again, in seconds"));
    }
    if codes.contains(&UploadOffset) {
        response = response.header("upload-offset", header("How many bytes are kept"));
    }
    response.build()
}

fn problem() -> Content {
    let schema = Ref::from_schema_name("ProblemDetails");
    ContentBuilder::new().schema(Some(schema)).build()
}
