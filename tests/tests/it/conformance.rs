//! Schemathesis asks the real server every operation, with the data of the demo and as people of several roles, and holds every answer
//! against the server's own description: no failure of the server, no status, header or body that is not described.
//!
//! `cargo xtask test` installs it (`tests/api/requirements.txt`) before it runs the tests. `CONFORMANCE_SEED` and `CONFORMANCE_CASES` ask
//! other and more questions.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use tests::demo::{Stage, stage};
use tests::house::{list, root, text};

/// What must hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";
/// Operations that a run leaves out, each with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("follow_journals", "it answers until the server stops"),
    ("end_own_session", "nothing would be answered after it"),
    (
        "describe_api",
        "it is what all others are held against; a test compares it with the committed one",
    ),
];
/// What only a phone reads, and only once another one has handed something over: asked like all others, and answered here to nobody.
const OF_PHONES: &str = "fetch_file";
/// Who asks; nobody is somebody without a token. Whoever may end what the others rest on comes last.
const CALLERS: &[&str] = &["FS", "CS", "PA", "AUD", "nobody", "SYS", "SEC"];
/// Who leaves out more than the others, and why: the next caller would be nobody.
const SPARED: (&str, &str) = ("SYS", "disable_user");

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    let given = env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn every_answer_is_one_that_the_description_names() {
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    let schemathesis = root().join("target/api").join(folder).join("schemathesis");
    assert!(
        schemathesis.exists(),
        "Schemathesis is not installed below target/api; `cargo xtask test` installs it, with Python 3.10 or newer"
    );
    let (seed, cases) = (
        number("CONFORMANCE_SEED", 1),
        number("CONFORMANCE_CASES", 10),
    );
    println!("from seed {seed}, {cases} made-up requests for each operation and caller");
    let asked = stage(|stage| {
        // All sign in before anybody tries passwords, which is slowed down for everybody at one address.
        let tokens = CALLERS.iter().map(|caller| {
            let token = (*caller != "nobody").then(|| stage.token(caller));
            Ok((*caller, token.transpose()?))
        });
        let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
        let mut known = stage.record("FS")?;
        known["paper"] = "need_ledger".into();
        let mut failed = Vec::new();
        let mut asked: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for (caller, token) in &tokens {
            let exchanges = stage.folder().join(format!("{caller}.har"));
            let mut run = Command::new(&schemathesis);
            configure(&mut run, stage, token.as_deref());
            run.env("KNOWN", known.to_string());
            if *caller == SPARED.0 {
                run.args(["--exclude-operation-id", SPARED.1]);
            }
            run.args(["--seed", &seed.to_string()]);
            run.args(["--max-examples", &cases.to_string()]);
            run.arg("--report-har-path").arg(&exchanges);
            let output = run.output()?;
            println!(
                "\n== as {caller}\n{}",
                String::from_utf8_lossy(&output.stdout)
            );
            println!("{}", String::from_utf8_lossy(&output.stderr));
            if !output.status.success() {
                failed.push(*caller);
            }
            for (operation, statuses) in statuses(&exchanges) {
                asked.entry(operation).or_default().extend(statuses);
            }
        }
        anyhow::ensure!(
            failed.is_empty(),
            "from seed {seed} the server does otherwise than it is described, as {}",
            failed.join(", ")
        );
        Ok(asked)
    });
    let asked = asked.expect("every answer is described");
    let mut never = Vec::new();
    for operation in operations() {
        let is_left_out = |(named, _): &(&str, &str)| *named == operation.id;
        if LEFT_OUT.iter().any(is_left_out) {
            continue;
        }
        // What writes takes a secret, or something that only one of them can have.
        let is_answerable = operation.method == "GET" && operation.id != OF_PHONES;
        let statuses = asked.get(&operation.id);
        let mut all = statuses.into_iter().flatten();
        let is_answered = all.any(|status| (200..300).contains(status));
        if statuses.is_none() || is_answerable && !is_answered {
            never.push(format!("{} {statuses:?}", operation.id));
        }
    }
    assert!(
        never.is_empty(),
        "from seed {seed} these were not asked, or to no avail: {never:#?}"
    );
}

/// An operation of the description.
struct Operation {
    id: String,
    method: String,
    path: String,
}

fn operations() -> Vec<Operation> {
    let description = serde_json::to_value(server::routes::description()).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(|(method, operation)| Operation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.clone(),
        })
    });
    operations.collect()
}

/// With which statuses each operation was answered.
fn statuses(exchanges: &Path) -> BTreeMap<String, BTreeSet<u64>> {
    let archive = fs::read_to_string(exchanges).expect("an archive of all exchanges");
    let archive: Json = serde_json::from_str(&archive).expect("an archive is JSON");
    let operations = operations();
    let mut statuses: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for exchange in list(&archive["log"]["entries"]) {
        let (method, url) = (
            text(&exchange["request"]["method"]),
            text(&exchange["request"]["url"]),
        );
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let is_of = |operation: &&Operation| {
            let (parts, asked) = (operation.path.split('/').skip(1), path.split('/'));
            let holds = |(part, asked): (&str, &str)| part.starts_with('{') || part == asked;
            operation.method == method
                && parts.clone().count() == asked.clone().count()
                && parts.zip(asked).all(holds)
        };
        let status = exchange["response"]["status"].as_u64();
        if let (Some(operation), Some(status)) = (operations.iter().find(is_of), status) {
            let of_operation = statuses.entry(operation.id.clone()).or_default();
            of_operation.insert(status);
        }
    }
    statuses
}

fn configure(run: &mut Command, stage: &Stage<'_>, token: Option<&str>) {
    let hooks: PathBuf = root().join("tests/api");
    run.current_dir(stage.folder());
    run.env("SCHEMATHESIS_HOOKS", "hooks");
    run.env("PYTHONPATH", hooks);
    run.env("PYTHONDONTWRITEBYTECODE", "1");
    run.arg("run");
    run.arg(format!("{}/v1/openapi.json", stage.url()));
    run.args(["--phases", "examples,coverage,fuzzing"]);
    run.args(["--checks", CHECKS, "--mode", "all"]);
    run.args(["--generation-database", "none", "--no-shrink"]);
    run.args(["--workers", "1", "--request-timeout", "120"]);
    run.args(["--no-color", "--warnings", "off"]);
    run.args(["--suppress-health-check", "all", "--continue-on-failure"]);
    run.args(["--report", "har"]);
    for (operation, _) in LEFT_OUT {
        run.args(["--exclude-operation-id", operation]);
    }
    if let Some(token) = token {
        run.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
}
