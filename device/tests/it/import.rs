//! A department's list becomes clues: by the binary, over HTTP, at a county's desk and on to the village's phones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use device::Field;
use device::store::Locked;
use encoding_rs::GB18030;
use lists::sheet;
use power_cut::{Cut, Disk};
use sync_core::command::Verb;
use sync_core::testing::TestRng;
use tempfile::TempDir;

use crate::commands::{Desk, saved};
use crate::support::{NOW, Shared, minutes, pin};

/// Numbers that end as they must, of nobody.
const NUMBERS: [&str; 3] = [
    "64042219580304101X",
    "640422198206152022",
    "640422197109013034",
];
const HEADER: &str = "序号,乡镇,行政村,户编号,姓名,身份证号,费用类型,就诊日期,情况说明";
const MAPPING: &str = r#"
source = "县医保局 大额医疗费用"
source_on = "2026-11-20"

[columns]
row = "序号"
township = "乡镇"
village = "行政村"
household_code = "户编号"
name = "姓名"
id_number = "身份证号"
"风险" = "费用类型"
note = "情况说明"

[values.risks]
"大病" = "因病"
"#;

/// A village with three households, two of whose householders have one name; whoever compares lists for it, with what he has on his disk.
struct County {
    shared: Shared,
    url: String,
    village: Desk,
    office: Desk,
    folder: TempDir,
}

impl County {
    fn new() -> Self {
        let shared = Shared::new();
        let url = shared.serve();
        let village = Desk::enrolled(&shared, &url, shared.person("马第一", "FS"));
        village.ok(&["sync"]);
        let household = |name: &str, more: &str| {
            let name = format!("户主姓名={name}");
            saved(&village.ok(&["new", "household", "--set", &name, "--set", more]))
        };
        let first = household("张三", "户编号=001");
        let others = [
            household("李四", "村民组=一组"),
            household("李四", "村民组=二组"),
        ];
        let person = |household: &str, name: &str, number: &str| {
            let fields = [
                format!("household={household}"),
                format!("name={name}"),
                format!("id_number={number}"),
            ];
            let set = fields.iter().flat_map(|field| ["--set", field.as_str()]);
            village.ok(&[&["new", "person"], set.collect::<Vec<_>>().as_slice()].concat());
        };
        person(&first, "张小妹", NUMBERS[0]);
        person(&others[0], "李四", NUMBERS[1]);
        person(&others[1], "李四", NUMBERS[2]);
        assert!(village.ok(&["sync"]).contains("全部已收到"));
        let area = shared.county().host.county();
        let user = shared.person_in(area, "田督导", "CS");
        let office = Desk::enrolled(&shared, &url, user);
        office.ok(&["sync"]);
        let folder = tempfile::tempdir().unwrap();
        let written = Self {
            shared,
            url,
            village,
            office,
            folder,
        };
        written.file("map.toml", MAPPING.as_bytes());
        written
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.named(name)
    }

    fn named(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A list as the insurance office's program saves it.
    fn list(&self, rows: &[&str]) -> String {
        let text = format!("{HEADER}\r\n{}\r\n", rows.join("\r\n"));
        self.file("list.csv", &GB18030.encode(&text).0)
    }

    fn import(&self, list: &str, more: &[&str]) -> String {
        let mapping = self.named("map.toml");
        self.office
            .ok(&[&["import", list, "--mapping", &mapping], more].concat())
    }

    /// The lines of a report by the keys of rows.
    fn report(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let bytes = fs::read(self.path(name)).unwrap();
        let lines = sheet::read(&bytes, None).unwrap().into_iter().skip(1);
        lines
            .map(|line| (line.cell(1).to_owned(), line.cells))
            .collect()
    }

    fn fails(&self, list: &str, mapping: &str) -> String {
        let mapping = self.file("other.toml", mapping.as_bytes());
        self.office.fails(&["import", list, "--mapping", &mapping])
    }
}

const ROWS: [&str; 8] = [
    "1,吉强镇,半子沟村,001,张三,,大病,2026/11/2,自付 3.2 万元",
    "2,吉强镇,半子沟村委会,,李四,640422198206152022,大病,2026/11/2,自付 2 万元",
    "3,吉强镇,西吉县吉强镇半子沟村,,李四,,大病,2026/11/2,自付 1 万元",
    "4,吉强镇,大湾村,,王五,,大病,2026/11/2,",
    "5,吉强镇,半子沟村,,张三,,重病,2026/11/2,",
    "6,吉强镇,半子沟村,,赵六,64042219820615202X,大病,2026/11/2,",
    "7,吉强镇,半子沟村,,周七,,大病,2026/11/2,=1+1",
    "2,吉强镇,半子沟村,001,张三,,大病,2026/11/2,序号重复",
];

#[test]
fn a_list_is_tried_imported_decided_and_reaches_the_village() {
    let county = County::new();
    let list = county.list(&ROWS);
    let suggested = county.office.ok(&["import", &list, "--suggest"]);
    for line in [
        "village = \"行政村\"",
        "id_number = \"身份证号\"",
        "header_row = 1",
    ] {
        assert!(suggested.lines().any(|said| said == line), "{suggested}");
    }
    let tried = county.named("tried.csv");
    let said = county.import(&list, &["--dry-run", "--report", &tried]);
    assert!(said.contains("试运行"), "{said}");
    assert!(county.office.ok(&["status"]).contains("未回执：0 条"));
    let report = county.report("tried.csv");
    let result = |key: &str| report[key][4].as_str();
    assert_eq!(result("1"), "按户编号匹配");
    assert_eq!((result("3"), result("4")), ("待确定", "没有这个村"));
    assert_eq!(
        (result("5"), result("6"), result("7")),
        ("内容有误", "内容有误", "在册未找到")
    );
    assert!(report["3"][6].contains("1) 李四") && report["3"][6].contains("2) 李四"));
    assert!(report["5"][7].contains("“费用类型”") && report["5"][7].contains("illness 因病"));
    assert!(report["6"][7].contains("“身份证号”"));
    let bytes = fs::read(&tried).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("按证件号匹配") && text.contains("清单内重复"));
    for number in NUMBERS.iter().chain(&["64042219820615202X"]) {
        assert!(!text.contains(number), "the report has a number");
    }
    let mode = fs::metadata(&tried).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Decided in a spreadsheet, which saves it in its own way.
    let decided = text
        .lines()
        .map(|line| match line.split(',').nth(1) {
            Some("3") => format!("{line}2"),
            Some("7") => format!("{line}skip"),
            Some("4") => line.replacen(",4,", ",40,", 1) + "skip",
            _ => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\r\n");
    let decided = county.file(
        "decided.csv",
        &GB18030.encode(decided.trim_start_matches('\u{FEFF}')).0,
    );
    let said = county.import(&list, &[]);
    assert!(said.contains("已生成 2 条线索"), "{said}");
    let said = county.import(&list, &["--decisions", &decided]);
    assert!(
        said.contains("已生成 1 条线索")
            && said.contains("已有线索")
            && said.contains("有 1 个决定在清单里没有对应的行"),
        "{said}"
    );
    let again = county.import(&list, &["--decisions", &decided]);
    assert!(again.contains("已生成 0 条线索"), "{again}");
    // Somebody thinks again: who is on no register is for the village to find.
    let found = fs::read(county.path("decided.csv")).unwrap();
    let found = GB18030.decode(&found).0.into_owned();
    let found = found.lines().map(|line| match line.split(',').nth(1) {
        Some("7") => line.strip_suffix("skip").unwrap().to_owned() + "new",
        _ => line.to_owned(),
    });
    let found = found.collect::<Vec<_>>().join("\r\n");
    let found = county.file("found.csv", &GB18030.encode(&found).0);
    let said = county.import(&list, &["--decisions", &found]);
    assert!(
        said.contains("已生成 1 条线索") && said.contains("由村里查找"),
        "{said}"
    );
    assert!(county.office.ok(&["sync"]).contains("全部已收到"));
    county.village.ok(&["sync"]);
    let clues = county.village.ok(&["list", "clue"]);
    assert_eq!(clues.lines().count(), 4, "{clues}");
    assert_eq!(clues.matches("周七").count(), 1, "{clues}");
    assert_eq!(clues.matches("李四").count(), 2, "{clues}");
    let clue = clues.lines().find(|line| line.contains("张三")).unwrap();
    let shown = county
        .village
        .ok(&["show", clue.split(' ').next().unwrap()]);
    for part in [
        "部门比对",
        "县医保局 大额医疗费用",
        "2026-11-20",
        "因病",
        "自付 3.2 万元",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_workbook_is_read_by_the_sheet_that_is_named() {
    let county = County::new();
    let list = county.file("list.xlsx", include_bytes!("../fixtures/list.xlsx"));
    let mapping = "source = \"医保\"\nsource_on = \"2026-11-20\"\nheader_row = 2\n\
                   [columns]\nvillage = \"行政村\"\nname = \"姓名\"\nid_number = \"身份证号\"\n\
                   received_on = \"就诊日期\"\nnote = \"情况说明\"\n";
    let said = county.fails(&list, mapping);
    assert!(said.contains("--sheet") && said.contains("名单"), "{said}");
    let mapping = county.file("map.toml", mapping.as_bytes());
    let run = |more: &[&str]| {
        let arguments = ["import", &list, "--mapping", &mapping, "--sheet", "名单"];
        county.office.ok(&[&arguments, more].concat())
    };
    let report = county.named("report.csv");
    assert!(run(&["--report", &report]).contains("已生成 1 条线索"));
    let text = fs::read_to_string(&report).unwrap();
    // A number that a spreadsheet has rounded is none.
    assert!(
        text.contains("“身份证号”") && !text.contains("6404221982"),
        "{text}"
    );
    assert!(
        county
            .office
            .fails(&[
                "import",
                &list,
                "--mapping",
                &mapping,
                "--sheet",
                "名单",
                "--report",
                &report
            ])
            .contains("读写出错")
    );
    let clues = county.office.ok(&["list", "clue"]);
    let shown = county
        .office
        .ok(&["show", clues.split(' ').next().unwrap()]);
    assert!(
        shown.contains("张三") && shown.contains("2026-11-16"),
        "{shown}"
    );
    assert!(run(&[]).contains("已生成 0 条线索"));
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_made() {
    let county = County::new();
    let list = county.list(&ROWS);
    for (from, to, expected) in [
        ("姓名", "名字", "没有“名字”这一列"),
        ("note =", "notes =", "“notes”不能填"),
        ("village =", "group =", "缺少 columns.village"),
        ("2026-11-20", "昨天", "“昨天”不是日期"),
        ("[columns]", "[column]", "对应文件有误"),
        ("source_on", "header_row = 20\nsource_on", "没有第 20 行"),
        ("note =", "finding =", "“finding”不能填"),
    ] {
        let said = county.fails(&list, &MAPPING.replacen(from, to, 1));
        assert!(said.contains(expected), "{to}: {said}");
    }
    let area = county.shared.county().host.county();
    let department = county.shared.person_in(area, "钱科长", "DP");
    let department = Desk::enrolled(&county.shared, &county.url, department);
    department.ok(&["sync"]);
    let mapping = county.named("map.toml");
    let said = department.fails(&["import", &list, "--mapping", &mapping]);
    assert!(said.contains("读不到农户"), "{said}");
    assert!(county.office.ok(&["status"]).contains("未回执：0 条"));
}

#[test]
fn a_list_without_numbers_proposes_whoever_was_born_on_that_day_first() {
    let county = County::new();
    let mapping = "source = \"教育局\"\nsource_on = \"2026-11-20\"\n[columns]\nvillage = \"村\"\n\
                   name = \"姓名\"\nborn = \"出生日期\"\nnote = \"说明\"\n[dates]\nborn = \"dmy\"\n";
    county.file("map.toml", mapping.as_bytes());
    // The second of the two of that name, and one whose number the list has; then somebody who is neither, and what is no day.
    let rows = "村,姓名,出生日期,说明\n半子沟村,李四,1/9/1971,一\n半子沟村,李四,15/6/1982,二\n\
                半子沟村,李四,2/9/1971,三\n半子沟村,李四,1971-09-01,四\n";
    let list = county.file("list.csv", rows.as_bytes());
    let suggested = county.office.ok(&["import", &list, "--suggest"]);
    assert!(suggested.contains("born = \"出生日期\""), "{suggested}");
    let report = county.named("report.csv");
    let said = county.import(&list, &["--dry-run", "--report", &report]);
    assert!(said.contains("试运行"), "{said}");
    let text = fs::read_to_string(&report).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let (agrees, differs) = ("姓名与出生日期核对码相符", "出生日期不符");
    // In which group the one lives who is proposed first.
    for (line, group) in lines.iter().zip(["二组", "一组"]) {
        let (first, second) = line.split_once("；").unwrap();
        assert!(first.contains(group) && first.contains(agrees), "{line}");
        assert!(second.contains(differs), "{line}");
        assert!(line.contains("待确定"), "{line}");
    }
    assert_eq!(lines[2].matches(differs).count(), 2, "{}", lines[2]);
    assert!(lines[3].contains("“出生日期”"), "{}", lines[3]);
    for day in ["1971", "1982"] {
        assert!(!text.contains(day), "the report has a day of birth");
    }
}

fn opened(home: &Path) -> Field {
    Field::open(Locked::open(home).unwrap().unlock(&pin()).unwrap()).unwrap()
}

/// The rows of which a device has clues, each of them whole: its own command, and the one with what is sensitive.
#[track_caller]
fn check_whole(home: &Path) -> BTreeSet<String> {
    let field = opened(home);
    let mut commands: BTreeMap<_, Vec<Verb>> = BTreeMap::new();
    for waiting in field.device().outbox() {
        let verbs = commands.entry(waiting.envelope.record).or_default();
        verbs.push(waiting.envelope.verb);
    }
    assert!(
        commands
            .values()
            .all(|verbs| *verbs == [Verb::Create, Verb::Set])
    );
    let journal = field.villages()[0].0;
    let row = |record| {
        let view = field.view(journal, record, NOW).unwrap();
        view.value("source_row")
            .unwrap()
            .as_text()
            .unwrap()
            .to_owned()
    };
    let rows: BTreeSet<String> = commands.keys().map(|record| row(*record)).collect();
    assert_eq!(rows.len(), commands.len(), "each row once");
    rows
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn an_import_that_loses_its_power_goes_on_where_it_stopped() {
    const ROWS: usize = 300;
    let county = County::new();
    let rows: Vec<String> = (1..=ROWS)
        .map(|row| format!("{row},吉强镇,半子沟村,001,张三,,大病,,13900000000"))
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let list = county.list(&rows);
    let mapping = county.file(
        "map.toml",
        MAPPING.replace("note =", "contact =").as_bytes(),
    );
    let disk = Disk::build();
    let run = |home: &Path, envs: Vec<(&'static str, std::ffi::OsString)>| -> ExitStatus {
        Command::new(env!("CARGO_BIN_EXE_zhucun-field"))
            .args(["import", &list, "--mapping", &mapping])
            .env("ZHUCUN_HOME", home)
            .env("ZHUCUN_PIN_FILE", &county.office.pin)
            .env("ZHUCUN_NOW", minutes(1).0.to_string())
            .envs(envs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
    };
    let seed: u32 = rand::random();
    println!("seed {seed}");
    let mut rng = TestRng::new(u64::from(seed));
    let mut dice = || u32::from_be_bytes(rng.bytes());
    let first = 1 + dice() % 24;
    // How many rows are there after a cut, and whether there was none before the end.
    let mut cut = |at: u32| {
        let home = county.path(&format!("phone-{at}"));
        copied(&county.office.home, &home);
        let home = home.canonicalize().unwrap();
        let ended = run(&home, disk.under(&home, dice(), Cut::At(at)));
        let rows = check_whole(&home).len();
        if !ended.success() {
            assert_eq!(ended.signal(), Some(9), "its power went");
            assert!(run(&home, Vec::new()).success());
            assert_eq!(check_whole(&home).len(), ROWS);
        }
        (rows, ended.success())
    };
    let (mut none, mut all, mut in_between) = (0, None, false);
    for at in (first..).step_by(24) {
        let (rows, ended) = cut(at);
        match rows {
            0 => none = at,
            ROWS => all = all.or(Some(at)),
            _ => in_between = true,
        }
        if ended {
            break;
        }
    }
    // Between nothing and all lies the moment after the first hundreds; if none of these cuts met it, it is looked for.
    let mut all = all.unwrap();
    while !in_between && all - none > 1 {
        let at = none.midpoint(all);
        match cut(at).0 {
            0 => none = at,
            ROWS => all = at,
            _ => in_between = true,
        }
    }
    assert!(in_between, "no cut came between {none} and {all}");
}
