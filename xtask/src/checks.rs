//! The checks that `test` and `ci` run, and the files that `prepare` writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::report::{Count, Outcome, Report};
use crate::step::{Step, root};
use crate::web;

/// With which features everything is compiled, always, so that nothing compiles again what something else did.
pub(crate) const FEATURES: [&str; 3] = ["--locked", "--features", "web-wasm/testing"];
/// What the checks compile.
const WHOLE: [&str; 4] = ["--workspace", FEATURES[0], FEATURES[1], FEATURES[2]];

/// Runs every check, whatever the others say, and sums up.
pub(crate) fn test() -> Result<bool> {
    let mut report = Report::default();
    // The compiler for browsers keeps one processor busy for minutes; what runs no program of ours keeps the others busy meanwhile.
    let (app_is_there, built_app) = mpsc::channel();
    let building = web::missing()
        .is_none()
        .then(|| thread::spawn(move || built_for_browsers(&app_is_there)));
    check(&mut report, "format", || {
        ran(Step::cargo(&["fmt", "--all", "--check"]))
    })?;
    check(&mut report, "clippy", || {
        let lint = [
            &["clippy", "--all-targets"],
            &WHOLE[..],
            &["--", "-D", "warnings"],
        ];
        ran(Step::cargo(&lint.concat()))
    })?;
    check(&mut report, "documentation", || {
        ran(
            Step::cargo(&["doc", "--workspace", "--no-deps", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    })?;
    check(&mut report, "cargo-deny", deny)?;
    check(&mut report, "javascript", javascript)?;
    check(&mut report, "schemathesis", schemathesis)?;
    // The server brings the app along, so its tests wait for the app; for what plays random days nothing waits yet.
    check(&mut report, "app", || app(built_app.recv() == Ok(true)))?;
    check(&mut report, "tests", || {
        ran(tests(
            &["--no-fail-fast"],
            &["--no-fail-fast", "--lib", "--bins", "--tests"],
        ))
    })?;
    let playing = building.map(|building| building.join().expect("it reports its failures"));
    let playing = playing.transpose()?.flatten();
    check(&mut report, "same in the browser", || {
        same_in_the_browser(playing.as_deref(), COMPARED)
    })?;
    check(&mut report, "browser", browser)?;
    check(&mut report, "doc examples", || {
        ran(Step::cargo(&[&["test", "--doc"], &WHOLE[..]].concat()))
    })?;
    println!("{report}");
    Ok(report.total().failed == 0)
}

/// Runs every check; then regenerates what is generated and requires that nothing changed.
pub(crate) fn ci() -> Result<bool> {
    let clean_before = changes()?;
    if !clean_before.is_empty() {
        bail!(
            "commit or stash first, so that generated changes can be told from yours:\n{clean_before}"
        );
    }
    if !test()? || !prepare()? {
        return Ok(false);
    }
    let changed = changes()?;
    if changed.is_empty() {
        return Ok(true);
    }
    eprintln!(
        "generated files are out of date; run `cargo xtask prepare`, read the difference and commit it:\n{changed}"
    );
    Ok(false)
}

/// Writes the generated files anew: the descriptions of SQL, then every file that a test whose name ends in `as_committed`
/// compares with what the code says.
pub(crate) fn prepare() -> Result<bool> {
    Ok(prepare_sqlite()?
        && tests(&["_as_committed"], &["_as_committed"])
            .env("UPDATE_EXPECT", "1")
            .stream()?)
}

/// Has each query of the `SQLite` backend checked against a database with the present schema, and its description written.
fn prepare_sqlite() -> Result<bool> {
    let backend = root().join("server/store-sqlite");
    let descriptions = backend.join(".sqlx");
    let database = root().join("target/schema.sqlite");
    if database.exists() {
        fs::remove_file(&database).context("cannot remove the old schema")?;
    }
    let file = database
        .to_str()
        .context("the workspace's path is not UTF-8")?;
    let schema = [
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--features",
        "sql",
        "--bin",
        "schema",
        "--",
        "migrations/sqlite",
        file,
    ];
    if !Step::cargo(&schema).stream()? {
        return Ok(false);
    }
    if descriptions.exists() {
        fs::remove_dir_all(&descriptions).context("cannot remove the old descriptions")?;
    }
    fs::create_dir(&descriptions).context("cannot make the folder of descriptions")?;
    // The macros write when they are expanded, so the crate must be compiled anew.
    let main = fs::File::options()
        .append(true)
        .open(backend.join("src/lib.rs"));
    #[expect(
        clippy::disallowed_methods,
        reason = "a file's own time, which cargo compares"
    )]
    main.and_then(|file| file.set_modified(SystemTime::now()))
        .context("cannot touch the backend")?;
    Step::cargo(&["check", "--package", "store-sqlite", "--all-targets"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &descriptions)
        .env("SQLITE_DATABASE_URL", format!("sqlite:{file}"))
        .stream()
}

fn check(
    report: &mut Report,
    name: &'static str,
    run: impl FnOnce() -> Result<Outcome>,
) -> Result<()> {
    let start = Instant::now();
    let outcome = run()?;
    report.add(name, outcome, start.elapsed());
    Ok(())
}

fn ran(step: Step) -> Result<Outcome> {
    let (passed, count) = step.count()?;
    Ok(if passed {
        Outcome::Passed(count)
    } else {
        Outcome::Failed(count)
    })
}

/// All tests but those in documentation: by nextest, or by the built-in runner where nextest is not installed.
fn tests(nextest: &[&str], builtin: &[&str]) -> Step {
    let (runner, more): (&[&str], _) = if Step::cargo(&["nextest", "--version"]).works() {
        (&["nextest", "run"], nextest)
    } else {
        (&["test"], builtin)
    };
    Step::cargo(&[runner, &WHOLE, more].concat())
}

/// Puts the official JavaScript Automerge in place and opens a document with it; the tests then open exported records.
fn javascript() -> Result<Outcome> {
    if !Step::program("npm", &["--version"]).works() {
        return Ok(Outcome::Missing("needs Node 20 or newer, with npm"));
    }
    let (installed, count) = Step::program("npm", &["ci", "--no-audit", "--no-fund"])
        .within("tests/js")
        .count()?;
    if !installed {
        return Ok(Outcome::Failed(count));
    }
    ran(Step::program("npm", &["test"]).within("tests/js"))
}

/// Builds the app and says when it is there or cannot be; then the module that plays random days, and says where it lies.
fn built_for_browsers(app_is_there: &Sender<bool>) -> Result<Option<PathBuf>> {
    let app = web::build();
    // Nobody waits any longer if another check could not be run.
    app_is_there.send(matches!(app, Ok(true))).ok();
    if app? {
        web::playing_module()
    } else {
        Ok(None)
    }
}

/// Runs what is tested of the app without a browser.
fn app(is_there: bool) -> Result<Outcome> {
    match web::missing() {
        Some(missing) => Ok(Outcome::Missing(missing)),
        None if is_there => ran(web::npm(&["test"])),
        None => Ok(Outcome::Failed(Count::default())),
    }
}

/// Walks through days in the village in the browser that the system has, against the program that the tests built.
fn browser() -> Result<Outcome> {
    if let Some(missing) = web::missing() {
        return Ok(Outcome::Missing(missing));
    }
    let Some(browser) = web::browser() else {
        return Ok(Outcome::Missing(
            "needs Chromium (Debian: chromium fonts-noto-cjk), or its path in CHROMIUM",
        ));
    };
    ran(web::npm(&["run", "browser"]).env("CHROMIUM", browser))
}

/// How many random commands each run of the tests compares, and from which seed on.
const COMPARED: (u32, u32) = (2_000, 1);

/// Plays random days natively and in the module, the one beside the other.
fn same_in_the_browser(module: Option<&Path>, (commands, seed): (u32, u32)) -> Result<Outcome> {
    if let Some(missing) = web::missing() {
        return Ok(Outcome::Missing(missing));
    }
    let Some(module) = module else {
        return Ok(Outcome::Failed(Count::default()));
    };
    let program = [&["build", "--quiet", "--bins", "--tests"], &WHOLE[..]].concat();
    if !Step::cargo(&program).stream()? {
        return Ok(Outcome::Failed(Count::default()));
    }
    let test = ["--test", "--test-reporter=tap", "web/wasm/same.test.mjs"];
    ran(Step::program("node", &test)
        .env("PLAY", module)
        .env("PLAY_NATIVE", root().join("target/debug/play"))
        .env("PLAY_SEED", seed.to_string())
        .env("PLAY_COMMANDS", commands.to_string()))
}

/// Builds what plays random days and compares as many commands as are asked for.
pub(crate) fn same(commands: u32, seed: u32) -> Result<bool> {
    let module = web::playing_module()?;
    match same_in_the_browser(module.as_deref(), (commands, seed))? {
        Outcome::Passed(_) => Ok(true),
        Outcome::Failed(_) => Ok(false),
        Outcome::Missing(missing) | Outcome::Skipped(missing) => bail!("{missing}"),
    }
}

/// Puts Schemathesis in place below `target`, once for each set of pinned versions; a test then holds the server against its own
/// description.
fn schemathesis() -> Result<Outcome> {
    const PINNED: &str = "tests/api/requirements.txt";
    const RECENT: &str = "import sys; sys.exit(sys.version_info < (3, 10))";
    let recent = |python: &&str| Step::program(python, &["-c", RECENT]).works();
    let Some(python) = ["python3", "python"].into_iter().find(recent) else {
        return Ok(Outcome::Missing("needs Python 3.10 or newer"));
    };
    let pinned =
        fs::read_to_string(root().join(PINNED)).context("the pinned versions are not there")?;
    let place = root().join("target/api");
    // Written last, so that what was broken off is begun anew.
    let stamp = place.join("installed.txt");
    if fs::read_to_string(&stamp).ok().as_deref() != Some(pinned.as_str()) {
        let made = Step::program(python, &["-m", "venv", "--clear", "target/api"]);
        if !made.works() {
            return Ok(Outcome::Missing(
                "needs Python's venv (Debian: python3-venv)",
            ));
        }
        let quietly = ["install", "--quiet", "--disable-pip-version-check"];
        let install = [&["-m", "pip"], &quietly[..], &["-r", PINNED]].concat();
        if !Step::program(&program(&place, "python"), &install).stream()? {
            return Ok(Outcome::Missing(
                "Schemathesis cannot be installed; is there a network?",
            ));
        }
        fs::write(&stamp, pinned).context("cannot note what was installed")?;
    }
    ran(Step::program(
        &program(&place, "schemathesis"),
        &["--version"],
    ))
}

/// A program of a virtual environment.
fn program(place: &Path, name: &str) -> String {
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    place.join(folder).join(name).display().to_string()
}

/// The same rules as `tests/tests/it/licences.rs`, by the tool that knows advisories as well.
fn deny() -> Result<Outcome> {
    if !Step::cargo(&["deny", "--version"]).works() {
        return Ok(Outcome::Skipped(
            "not installed; the tests check licences and sources",
        ));
    }
    ran(Step::cargo(&["deny", "check"]))
}

fn changes() -> Result<String> {
    Step::program("git", &["status", "--porcelain"]).output()
}
