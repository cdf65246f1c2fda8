//! Who may never do what: each test is one rule, most of them told with their reasons in ARCHITECTURE.md, "Invariants".
//!
//! A package that is not there yet keeps its rule: the rule then waits for it.

use std::collections::{BTreeMap, BTreeSet};

use tests::house::{files, mentions, packages, reachable, read, sources};

#[track_caller]
fn check_absent(found: &[String], rule: &str) {
    assert!(
        found.is_empty(),
        "{rule}; found in\n  {}",
        found.join("\n  ")
    );
}

#[track_caller]
fn check_reaches_none(package: &str, banned: &[&str]) {
    let reached = reachable(package);
    assert!(reached.len() > 1, "the tree of {package} was read");
    let found: Vec<_> = reached
        .iter()
        .filter(|name| banned.contains(&name.as_str()))
        .collect();
    assert!(found.is_empty(), "{package} must not reach {found:?}");
}

/// Packages of the workspace by name, with what their code depends on directly.
fn direct() -> BTreeMap<String, BTreeSet<String>> {
    packages()
        .into_iter()
        .map(|package| {
            let direct = package.direct().into_iter().map(str::to_owned).collect();
            (package.name, direct)
        })
        .collect()
}

fn backends() -> Vec<String> {
    direct()
        .into_keys()
        .filter(|name| name.starts_with("store-"))
        .collect()
}

#[test]
fn dependencies_run_one_way() {
    let direct = direct();
    let members: BTreeSet<&str> = direct.keys().map(String::as_str).collect();
    for (package, dependencies) in &direct {
        let allowed: &[&str] = match package.as_str() {
            "sync-core" | "xtask" | "power-cut" => &[],
            "store" | "lists" | "hostile" | "web-wasm" => &["sync-core"],
            "device" | "web-lists" => &["sync-core", "lists"],
            "server" => &["sync-core", "store", "store-sqlite", "store-postgres"],
            "tests" => &[
                "sync-core",
                "store",
                "store-sqlite",
                "store-postgres",
                "server",
                "device",
                "lists",
                "hostile",
            ],
            backend if backend.starts_with("store-") => &["sync-core", "store"],
            other => panic!("{other} is a new package: say here what it may depend on"),
        };
        let inside = dependencies
            .iter()
            .map(String::as_str)
            .filter(|name| members.contains(name));
        let found: Vec<_> = inside.filter(|name| !allowed.contains(name)).collect();
        assert!(found.is_empty(), "{package} must not depend on {found:?}");
    }
}

#[test]
fn the_core_reaches_no_runtime_no_http_no_sql_and_no_browser() {
    check_reaches_none(
        "sync-core",
        &[
            "tokio",
            "async-std",
            "smol",
            "futures",
            "futures-util",
            "async-trait",
            "axum",
            "hyper",
            "reqwest",
            "ureq",
            "sqlx",
            "sqlx-core",
            "rusqlite",
            "redb",
            "tracing-subscriber",
            "wasm-bindgen",
            "js-sys",
            "web-sys",
        ],
    );
}

#[test]
fn the_core_is_not_async() {
    check_absent(
        &mentions(
            "sync-core/src",
            &["async fn", "async move", "async {", ".await"],
            &[],
        ),
        "the core returns values and never waits",
    );
}

#[test]
fn the_core_reads_no_clock_and_draws_no_random_number() {
    let sources_of_chance = [
        "::now(",
        "::now_v7(",
        "::new_v4(",
        "SystemTime",
        "rng(",
        "thread_rng",
        "rand::random",
        "OsRng",
        "SysRng",
        "getrandom",
    ];
    check_absent(
        &mentions("sync-core/src", &sources_of_chance, &[]),
        "the core is handed time and randomness",
    );
}

#[test]
fn the_core_does_no_input_or_output() {
    let world = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "println!",
        "eprintln!",
        "dbg!",
    ];
    check_absent(
        &mentions("sync-core/src", &world, &[]),
        "the core is handed the world",
    );
}

#[test]
fn the_core_has_no_order_that_depends_on_chance() {
    check_absent(
        &mentions("sync-core/src", &["HashMap", "HashSet", "RandomState"], &[]),
        "the order of a hash map would reach signed bytes",
    );
}

#[test]
fn only_the_core_knows_automerge() {
    for (package, dependencies) in direct() {
        assert!(
            package == "sync-core" || !dependencies.contains("automerge"),
            "{package} lists automerge"
        );
    }
    for package in packages() {
        if package.name != "sync-core" {
            check_absent(
                &mentions(
                    &package.folder,
                    &["automerge::", "use automerge"],
                    &["tests/tests/it/arrows.rs"],
                ),
                "one place owns determinism",
            );
        }
    }
}

#[test]
fn nobody_parses_automerge_bytes_that_came_over_the_wire() {
    // Merging what other replicas saved is what these are for; a fold writes its operations itself.
    let parsers = [
        "load_incremental",
        "receive_sync_message",
        "automerge::sync",
        "apply_changes",
        "Change::from_bytes",
    ];
    check_absent(
        &mentions("sync-core/src", &parsers, &[]),
        "a few hostile bytes can exhaust memory",
    );
}

#[test]
fn only_the_browser_bindings_enable_automerge_for_wasm() {
    for package in packages() {
        let mut dependencies = package.dependencies.iter();
        let enables = dependencies
            .any(|one| one.name == "automerge" && one.features.iter().any(|name| name == "wasm"));
        assert!(
            !enables || package.name == "web-wasm",
            "{}: builds unify features",
            package.name
        );
    }
}

#[test]
fn the_browser_bindings_decide_nothing() {
    // Some files tell enums in the other side's words, arm by arm; one plays random days, and does not ship.
    let play = "web/wasm/src/play.rs";
    let translators = [
        "web/wasm/src/asked.rs",
        "web/wasm/src/shape.rs",
        "web/wasm/src/shape/catalogue.rs",
        play,
    ];
    check_absent(
        &mentions("web/wasm/src", &["if"], &[play]),
        "bindings only translate",
    );
    check_absent(
        &mentions("web/wasm/src", &["match"], &translators),
        "bindings only translate",
    );
    check_absent(
        &mentions("web/lists/src", &["if"], &[]),
        "bindings only translate",
    );
}

#[test]
fn the_store_is_traits_without_a_database_or_http() {
    check_reaches_none(
        "store",
        &["sqlx", "sqlx-core", "rusqlite", "axum", "hyper", "tokio"],
    );
}

#[test]
fn backends_know_neither_each_other_nor_the_server() {
    let backends = backends();
    assert!(!backends.is_empty(), "there is a backend");
    for backend in &backends {
        let others = backends
            .iter()
            .filter(|other| *other != backend)
            .map(String::as_str);
        let banned: Vec<&str> = others.chain(["axum", "hyper", "server"]).collect();
        check_reaches_none(backend, &banned);
    }
}

#[test]
fn the_server_has_no_way_round_the_store() {
    let direct = direct();
    let server = direct.get("server").expect("there is a server");
    for banned in ["sqlx", "rusqlite", "automerge", "redb"] {
        assert!(!server.contains(banned), "the server lists {banned}");
    }
}

#[test]
fn the_server_names_a_backend_in_one_place() {
    let names: Vec<String> = backends()
        .iter()
        .map(|name| name.replace('-', "_"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check_absent(
        &mentions("server/src", &names, &["server/src/app.rs"]),
        "only app.rs chooses a backend",
    );
}

#[test]
fn one_place_in_each_shell_reads_the_clock() {
    let clocks = ["SystemTime::now", "Timestamp::now", "Zoned::now"];
    check_absent(
        &mentions("server/src", &clocks, &["server/src/clock.rs"]),
        "take `now` from the clock",
    );
    check_absent(&mentions("server/store/src", &clocks, &[]), "take `now`");
    check_absent(
        &mentions("server/store-sqlite/src", &clocks, &[]),
        "take `now`",
    );
}

#[test]
fn the_device_knows_only_the_wire() {
    let mut banned = backends();
    banned.extend([
        "server".to_owned(),
        "store".to_owned(),
        "sqlx".to_owned(),
        "axum".to_owned(),
    ]);
    check_reaches_none(
        "device",
        &banned.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn domain_types_are_no_http_bodies() {
    let direct = direct();
    let core = direct.get("sync-core").expect("there is a core");
    for banned in ["serde", "serde_json", "utoipa"] {
        assert!(
            !core.contains(banned),
            "sync-core lists {banned}: the wire's forms live in `sync` and in the server's routes"
        );
    }
}

/// The one file of the tests that may write to a database directly, to do what no interface allows.
const TAMPERING: &str = "tests/src/db.rs";

#[test]
fn tests_write_to_a_database_only_by_functions_that_say_so() {
    let writes = [
        "sqlx::",
        "INSERT INTO",
        "UPDATE ",
        "DELETE FROM",
        "DROP TABLE",
    ];
    let mut found = mentions("tests/src", &writes, &[TAMPERING]);
    let here = "tests/tests/it/arrows.rs".to_owned();
    for path in files()
        .into_iter()
        .filter(|path| path.starts_with("tests/tests/") && *path != here)
    {
        let text = read(&path).unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| writes.iter().any(|word| line.contains(word)));
        found.extend(lines.map(|line| format!("{path}: {}", line.trim())));
    }
    check_absent(&found, "tests speak the wire");
    let (_, code) = sources("tests/src")
        .into_iter()
        .find(|(path, _)| path == TAMPERING)
        .unwrap_or_default();
    let public = code
        .lines()
        .filter(|line| line.trim_start().starts_with("pub ") && line.contains("fn "));
    let unnamed: Vec<_> = public
        .filter(|line| !line.contains("fn db_"))
        .map(str::to_owned)
        .collect();
    check_absent(&unnamed, "what writes to a database begins with db_");
}

#[test]
fn the_rules_see_what_they_forbid() {
    // Were sources or trees read wrongly, every rule above would hold of nothing.
    assert!(reachable("sync-core").contains("automerge"));
    assert!(reachable("server").contains("axum"));
    assert!(!mentions("sync-core/src", &["BTreeMap"], &[]).is_empty());
    assert!(!mentions("server/src", &["async fn"], &[]).is_empty());
}
