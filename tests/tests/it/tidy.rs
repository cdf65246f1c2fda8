//! What must stay out of the repository, and what its documents must keep true.

use std::collections::BTreeSet;

use tests::house::{files, holds, packages, read, tests_of, without_comments_and_tests};

#[track_caller]
fn check_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// Lines, in the text files that `of` picks, that hold one of `words`.
fn lines_with(words: &[&str], of: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in files().into_iter().filter(|path| of(path)) {
        let text = read(&path).unwrap_or_default();
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())));
    }
    found
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let places = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("/wo", "rk/"),
        concat!("/t", "mp/"),
    ];
    check_none(&lines_with(&places, |_| true), "paths of one machine");
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("#[ign", "ore"),
    ];
    let written = |path: &str| !path.ends_with("package-lock.json") && !path.ends_with(".csv");
    check_none(&lines_with(&words, written), "finish it, or leave it out");
}

/// A file that serves nothing but tests: of the workspace, of a module, or what several of them share.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || ["/tests/", "/testing/", "/contract/"]
            .iter()
            .any(|folder| path.contains(folder))
}

#[test]
fn tests_do_not_sleep() {
    let mut found = Vec::new();
    for path in files().into_iter().filter(|path| path.ends_with(".rs")) {
        let text = read(&path).unwrap_or_default();
        let tests = if is_test_file(&path) {
            text
        } else {
            tests_of(&text)
        };
        let sleeps = tests.lines().filter(|line| {
            holds(line, concat!("sle", "ep(")) || holds(line, concat!("sleep", "_until("))
        });
        found.extend(sleeps.map(|line| format!("{path}: {}", line.trim())));
    }
    check_none(&found, "wait for what should happen, not for time to pass");
}

/// Beyond this many lines of code, a file says at its top why it is long. Tests, comments and lone brackets do not count.
const CODE_LINES_MAX: usize = 500;

#[test]
fn a_long_file_says_why() {
    let mut found = Vec::new();
    for path in files()
        .into_iter()
        .filter(|path| path.ends_with(".rs") && !is_test_file(path))
    {
        let text = read(&path).unwrap_or_default();
        let lines = without_comments_and_tests(&text)
            .lines()
            .filter(|line| line.contains(char::is_alphanumeric))
            .count();
        let explained = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .any(|line| line.contains("Long because"));
        if lines > CODE_LINES_MAX && !explained {
            found.push(format!("{path}: {lines} lines"));
        }
    }
    check_none(
        &found,
        "split it by reason to change, or write “Long because …” in its first comment",
    );
}

#[test]
fn every_package_takes_its_dependencies_and_lints_from_the_workspace() {
    let mut found = Vec::new();
    for package in packages() {
        let path = format!("{}/Cargo.toml", package.folder);
        let manifest: toml::Table = read(&path)
            .expect("a package has a manifest")
            .parse()
            .expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = manifest
                .get(section)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten();
            let own = dependencies
                .filter(|(_, value)| value.get("workspace") != Some(&toml::Value::Boolean(true)));
            found.extend(own.map(|(name, _)| format!("{path}: {name}")));
        }
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        if lints != Some(&toml::Value::Boolean(true)) {
            found.push(format!("{path}: lints"));
        }
    }
    check_none(&found, "write `workspace = true`");
}

/// The documents that name files and tests.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "README.zh-CN.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];

/// What stands between backticks, code blocks left out, and what links point to.
fn named_in(document: &str) -> Vec<String> {
    let outside: Vec<&str> = document.split("```").step_by(2).collect();
    let outside = outside.join("\n");
    let quoted = outside
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let linked = outside
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    quoted
        .chain(linked)
        .map(|name| name.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

fn is_path(name: &str, top: &BTreeSet<String>) -> bool {
    const ENDINGS: [&str; 9] = [
        ".rs", ".toml", ".md", ".csv", ".json", ".mjs", ".sql", ".txt", ".yaml",
    ];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte);
    let path_like = !name.starts_with('/') && !name.contains("://") && name.bytes().all(plain);
    let first = name.split('/').next().unwrap_or_default();
    path_like
        && (ENDINGS
            .iter()
            .any(|ending| name.ends_with(ending) && name.len() > ending.len())
            || (name.contains('/') && top.contains(first)))
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let files = files();
    let top: BTreeSet<String> = files
        .iter()
        .filter_map(|path| path.split('/').next())
        .map(str::to_owned)
        .collect();
    let is_there = |name: &str| {
        let name = name.trim_end_matches('/');
        files.iter().any(|path| {
            path == name
                || path.starts_with(&format!("{name}/"))
                || path.ends_with(&format!("/{name}"))
        })
    };
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let text = read(document).unwrap_or_else(|| panic!("{document} is there"));
        let named = named_in(&text)
            .into_iter()
            .filter(|name| is_path(name, &top) && !is_there(name));
        found.extend(named.map(|name| format!("{document}: {name}")));
    }
    check_none(&found, "documents name files that are not there");
}

/// Names of tests are sentences; nothing else in our documents has four words or more between underscores.
fn is_test_name(name: &str) -> bool {
    name.matches('_').count() >= 3
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let rust: Vec<String> = files()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .filter_map(|path| read(&path))
        .collect();
    let mut found = Vec::new();
    for document in DOCUMENTS {
        let text = read(document).unwrap_or_else(|| panic!("{document} is there"));
        let named = named_in(&text)
            .into_iter()
            .filter(|name| is_test_name(name));
        let missing = named.filter(|name| {
            // A module of tests that share a name is one too.
            let written = [format!("fn {name}("), format!("mod {name} {{")];
            !rust
                .iter()
                .any(|code| written.iter().any(|written| code.contains(written)))
        });
        found.extend(missing.map(|name| format!("{document}: {name}")));
    }
    check_none(&found, "documents name tests that are not there");
}

#[test]
fn the_rules_for_documents_see_what_they_forbid() {
    let named = named_in(
        "See `gone/file.rs` and [it](docs/it.md#part).\n```\n`not this`\n```\n`a_test_that_is_there`, `/v1/sync`",
    );
    assert_eq!(
        named,
        [
            "gone/file.rs",
            "a_test_that_is_there",
            "/v1/sync",
            "docs/it.md"
        ]
    );
    let top = BTreeSet::from(["server".to_owned()]);
    for path in ["gone.rs", "server/gone", "a/b.toml"] {
        assert!(is_path(path, &top), "{path}");
    }
    for other in [
        "/v1/sync",
        "text/event-stream",
        "cargo xtask test",
        ".rs",
        "sync_core::area",
        "https://a.example/b.md",
    ] {
        assert!(!is_path(other, &top), "{other}");
    }
    assert!(is_test_name("a_long_file_says_why") && !is_test_name("store_sqlite"));
}

#[test]
fn every_limit_is_met_by_a_test() {
    let limits = read("sync-core/src/limits.rs").expect("the file of limits is there");
    let names = limits
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let names: BTreeSet<&str> = names.collect();
    assert!(names.len() > 30, "the limits are found: {names:?}");
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    let tests: Vec<String> = rust
        .map(|path| {
            let text = read(&path).unwrap_or_default();
            if path.contains("/tests/") || path.ends_with("/tests.rs") {
                without_comments_and_tests(&text)
            } else {
                tests_of(&text)
            }
        })
        .collect();
    let missed = names
        .into_iter()
        .filter(|name| !tests.iter().any(|test| holds(test, name)));
    let missed: Vec<String> = missed.map(str::to_owned).collect();
    check_none(&missed, "limits that no test names");
}
