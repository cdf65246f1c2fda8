//! The real binary at the command line: what an operator types, and what it answers.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const SAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/areas/xiji.csv"
);

/// An operator with a data folder.
pub(crate) struct Operator(pub(crate) TempDir);

impl Operator {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One whose deployment has its three administrators and the areas of the sample.
    pub(crate) fn of_a_county() -> Self {
        let operator = Self::new();
        operator.ok(&[
            "bootstrap",
            "--system",
            "han=韩志刚",
            "--security",
            "bai=白雪",
            "--audit",
            "ding=丁一鸣",
        ]);
        operator.ok(&["area", "import", SAMPLE]);
        operator
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_zhucun"))
            .arg("--data-dir")
            .arg(self.0.path().join("data"))
            .args(arguments)
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it complains of, on either stream.
    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, complaint) = (output.stdout, output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8([said, complaint].concat()).unwrap()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn first_cell(line: &str) -> String {
    line.split('\t').next().unwrap().to_owned()
}

#[test]
fn a_county_is_set_up_at_the_command_line() {
    let operator = Operator::of_a_county();
    let again = operator.fails(&[
        "bootstrap",
        "--system",
        "a=甲",
        "--security",
        "b=乙",
        "--audit",
        "c=丙",
    ]);
    assert!(!again.is_empty(), "there are administrators already");
    let village = operator.ok(&["area", "list", "--text", "泉儿湾"]);
    assert!(village.starts_with("640422100203\tvillage\t"), "{village}");

    let added = operator.ok(&["user", "add", "ma", "马建国"]);
    let user = first_cell(added.lines().next().unwrap());
    let given = operator.ok(&["assignment", "give", "ma", "FS", "640422100203"]);
    let assignments = operator.ok(&["assignment", "list"]);
    let own = assignments
        .lines()
        .find(|line| line.contains(&user))
        .unwrap();
    assert_eq!(first_cell(own), given.trim());
    assert!(own.contains("\tFS\t") && own.contains("泉儿湾"), "{own}");
    operator.ok(&["assignment", "end", given.trim()]);
    let code = operator.ok(&["user", "code", "ma", "--enrol"]);
    assert_eq!(first_cell(&code).len(), 19, "{code}");
    operator.ok(&["user", "disable", "ma"]);
    let users = operator.ok(&["user", "list", "--text", "ma"]);
    assert!(
        users.contains(&user) && !users.contains("\tactive\t"),
        "{users}"
    );

    assert!(operator.ok(&["device", "list"]).is_empty());
    assert!(operator.ok(&["catalogue", "list"]).contains("in force"));
    assert!(operator.ok(&["log", "status"]).contains("registry"));
}

#[test]
fn a_wrong_file_of_areas_names_file_line_and_remedy_and_changes_nothing() {
    let operator = Operator::of_a_county();
    let before = operator.ok(&["log", "status"]);
    let file = operator.write(
        "areas.csv",
        "code,name,level,parent_code\n64042,坏,county,\n640422000000,西吉县,town,640400000000\n",
    );
    let complaint = operator.fails(&["area", "import", &file]);
    for named in [
        format!("{file}: line 2, code"),
        format!("{file}: line 3, level"),
        "write all twelve digits".to_owned(),
        "nothing was imported".to_owned(),
    ] {
        assert!(complaint.contains(&named), "{named}: {complaint}");
    }
    let dry = operator.ok(&["area", "import", SAMPLE, "--dry-run"]);
    assert!(dry.contains("0 would be added"), "{dry}");
    assert_eq!(operator.ok(&["log", "status"]), before);
}

#[test]
fn what_is_not_there_or_not_in_order_is_said_and_nothing_is_made() {
    let operator = Operator::of_a_county();
    operator.ok(&["user", "add", "ma", "马建国"]);
    let before = operator.ok(&["log", "status"]);
    for (arguments, expected) in [
        (&["user", "add", "Bad Name", "x"][..], "not a user name"),
        (&["user", "add", "ma", "另一人"], "user name"),
        (&["assignment", "give", "ma", "CS", "999"], "no such area"),
        (&["assignment", "give", "ma", "XX", "640422100203"], "role"),
        (
            &["assignment", "give", "nobody", "FS", "640422100203"],
            "nobody has this user name",
        ),
        (
            &["device", "revoke", "00", "--cause", "lost"],
            "hexadecimal",
        ),
    ] {
        let complaint = operator.fails(arguments);
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert_eq!(operator.ok(&["log", "status"]), before);
}

#[test]
fn a_villages_page_is_opened_its_code_drawn_and_closed_again() {
    let operator = Operator::of_a_county();
    let qr = |address| ["report", "qr", "640422100203", "--address", address];
    let address = qr("https://zhucun.example/");
    assert!(operator.fails(&address).contains("is not open"));
    assert!(
        operator
            .fails(&["report", "open", "999"])
            .contains("no such area")
    );
    operator.ok(&["report", "open", "640422000000"]);
    let poster = operator.0.path().join("poster.svg");
    let drawn = [&address[..], &["--svg", poster.to_str().unwrap()]].concat();
    let shown = operator.ok(&drawn);
    let page = shown.lines().next().unwrap();
    let journal = page.strip_prefix("https://zhucun.example/report/");
    assert!(journal.is_some_and(|journal| journal.len() == 32), "{page}");
    assert!(shown.contains('█'), "{shown}");
    let poster = std::fs::read_to_string(poster).unwrap();
    assert!(
        poster.starts_with("<?xml") && poster.contains(page),
        "{poster}"
    );
    assert!(operator.fails(&qr("zhucun.example")).contains("https://"));
    let of_a_county = [
        "report",
        "qr",
        "640422000000",
        "--address",
        "https://x.example",
    ];
    assert!(operator.fails(&of_a_county).contains("no village"));
    // What was opened for the county is closed for the county.
    let complaint = operator.fails(&["report", "close", "640422100203"]);
    assert!(complaint.contains("no page was opened for just this area"));
    operator.ok(&["report", "close", "640422000000"]);
    assert!(operator.fails(&address).contains("is not open"));
    assert!(operator.ok(&["user", "list"]).contains("report-desk"));
}

#[test]
fn a_wrong_configuration_names_what_to_write_and_starts_nothing() {
    let operator = Operator::new();
    let file = operator.write("zhucun.toml", "lisen = '127.0.0.1:1'\n");
    let complaint = operator.fails(&["--config", &file, "serve"]);
    assert!(
        complaint.contains("zhucun.toml") && complaint.contains("listen"),
        "{complaint}"
    );
    assert!(!Path::new(operator.0.path()).join("data").exists());
}
