//! The binary, driven as a person or a script drives it, over HTTP.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use device::screen::{COLUMNS, width};
use sync_core::id::{Timestamp, UserId};
use sync_core::registry::Standing;
use tempfile::TempDir;

use crate::support::{PIN, Shared, minutes};

/// A person with a terminal.
pub(crate) struct Desk {
    pub(crate) home: PathBuf,
    pub(crate) pin: PathBuf,
    now: Timestamp,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        fs::write(&pin, format!("{PIN}\n")).unwrap();
        Self {
            home: folder.path().join("home"),
            pin,
            now: minutes(0),
            _folder: folder,
        }
    }

    /// A desk whose device is enrolled.
    pub(crate) fn enrolled(shared: &Shared, url: &str, user: UserId) -> Self {
        let desk = Self::new();
        let said = desk.ok(&["enrol", &shared.code(user), "--server", url]);
        assert!(said.contains("本机已登记"), "{said}");
        desk
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_zhucun-field"))
            .args(arguments)
            .env("ZHUCUN_HOME", &self.home)
            .env("ZHUCUN_PIN_FILE", &self.pin)
            .env("ZHUCUN_NOW", self.now.0.to_string())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// What a command says that goes well; none of its lines is wider than a terminal.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.answered(arguments, "")
    }

    #[track_caller]
    fn answered(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        let said = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}{complaint}");
        for line in said.lines() {
            assert!(width(line) <= COLUMNS, "{arguments:?}: {line}");
        }
        said
    }

    /// What a command complains of.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(
            !output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The short id in a line that says `已保存 1a2b3c4d。…`.
pub(crate) fn saved(said: &str) -> String {
    let id = said.split("已保存 ").nth(1).and_then(|rest| rest.get(..8));
    id.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn team() -> (Shared, Desk, Desk) {
    let shared = Shared::new();
    let url = shared.serve();
    let (fs, tm) = (shared.person("马第一", "FS"), shared.person("李队员", "TM"));
    let fs = Desk::enrolled(&shared, &url, fs);
    let tm = Desk::enrolled(&shared, &url, tm);
    fs.ok(&["sync"]);
    (shared, fs, tm)
}

#[test]
fn a_day_at_the_terminal() {
    let (_shared, fs, tm) = team();
    assert!(fs.ok(&["households"]).contains("还没有农户"));
    let household = saved(&fs.ok(&[
        "new",
        "household",
        "--set",
        "户主姓名=张三",
        "--set",
        "村民组=二组",
    ]));
    assert!(fs.ok(&["households"]).contains("张三"));
    // A visit by hand: the household by the beginning of its name, by telephone, three looks good, a sentence, a need.
    let said = fs.answered(&["visit"], "张\n2\n1121\n水压小，三天两头停水。\n4\n");
    let visit = saved(&said);
    let shown = fs.ok(&["show", &visit]);
    for expected in [
        "走访 张三",
        "［草稿］",
        "电话",
        "有问题",
        "水压小",
        "饮水",
        "本机",
        "可办：存档 file",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    // The same by flags, filed at once.
    let filed = fs.ok(&[
        "visit", "张三", "--method", "入户", "--looks", "11-1", "--needs", "道路", "--file",
    ]);
    let filed = saved(&filed);
    assert!(fs.ok(&["show", &filed]).contains("［已存］"));
    let late = fs.fails(&["set", &filed, "weather=晴"]);
    assert!(late.contains("已存档") && late.contains("amend"), "{late}");
    fs.ok(&["amend", &filed, "天气=晴", "--reason", "漏记"]);
    fs.ok(&["edit", &visit, "note", "--append", "已报水管员。"]);
    fs.ok(&["add", &visit, "checklist", "看水表"]);
    assert!(fs.ok(&["status"]).contains("未回执：7 条"));
    let synced = fs.ok(&["sync"]);
    assert!(
        synced.contains("7 条得到回执") && synced.contains("全部已收到"),
        "{synced}"
    );
    let receipt = fs.ok(&["receipt", &visit]);
    assert!(
        receipt.contains("已收到 #") && receipt.contains("链 "),
        "{receipt}"
    );
    tm.ok(&["sync"]);
    let shown = tm.ok(&["show", &visit]);
    assert!(
        shown.contains("已报水管员") && shown.contains("马第一"),
        "{shown}"
    );
    assert!(tm.ok(&["list", "走访"]).lines().count() == 2);
    assert!(
        tm.ok(&["--lang", "en", "show", &household])
            .contains("Household")
    );
}

#[test]
fn a_conflict_is_shown_and_settled() {
    let (_shared, fs, tm) = team();
    let household = saved(&fs.ok(&["new", "household", "--set", "householder=张三"]));
    fs.ok(&["sync"]);
    tm.ok(&["sync"]);
    fs.ok(&["set", &household, "group=二组"]);
    tm.ok(&["set", &household, "group=三组"]);
    fs.ok(&["sync"]);
    tm.ok(&["sync"]);
    let conflicts = tm.ok(&["conflicts"]);
    assert!(
        conflicts.contains("1) 二组") && conflicts.contains("2) 三组"),
        "{conflicts}"
    );
    assert!(tm.ok(&["due"]).contains("待核对"));
    assert!(
        tm.fails(&["set", &household, "group=四组"])
            .contains("choose")
    );
    tm.ok(&["choose", &household, "村民组", "2"]);
    assert!(tm.ok(&["conflicts"]).contains("没有待核对"));
}

#[test]
fn a_task_is_worked_by_any_of_its_kinds_actions() {
    let (_shared, fs, tm) = team();
    let task = saved(&fs.ok(&[
        "new",
        "task",
        "--set",
        "title=修水管",
        "--set",
        "assignees=我、李队员",
        "--set",
        "deadline=+2",
    ]));
    fs.ok(&["sync"]);
    tm.ok(&["sync"]);
    assert!(tm.ok(&["due"]).contains("还有 2 天"));
    assert!(tm.ok(&["task"]).contains("修水管"));
    assert!(tm.fails(&["task", "accept", "修水管"]).contains("没有保存"));
    // What the action must bring is asked for.
    tm.answered(&["task", "报验", "修水管"], "已换新管\n");
    fs.ok(&["act", &task, "report", "--field", "result=还没修"]);
    tm.ok(&["sync"]);
    fs.ok(&["sync"]);
    let refused = fs.ok(&["refused"]);
    assert!(
        refused.contains("未生效") && refused.contains("1) "),
        "{refused}"
    );
    assert!(fs.fails(&["again", "1"]).contains("没有保存"));
    fs.ok(&["leave", "1"]);
    assert!(fs.ok(&["refused"]).contains("没有被拒收"));
    fs.ok(&["act", "修水管", "退回", "--reason", "还漏水"]);
    assert!(fs.ok(&["show", "修水管"]).contains("［进行］"));
}

#[test]
fn a_parcel_is_exported_and_carried() {
    let (shared, fs, tm) = team();
    fs.ok(&["new", "household", "--set", "householder=张三"]);
    let file = fs.home.with_extension("parcel");
    let file = file.to_str().unwrap();
    assert!(fs.ok(&["export", file]).contains("1 批"));
    assert!(tm.ok(&["carry", file]).contains("1 批"));
    tm.ok(&["sync"]);
    let journal = shared.county().village.journal;
    assert_eq!(shared.county().host.entries(journal).len(), 1);
    assert!(
        tm.fails(&["carry", fs.pin.to_str().unwrap()])
            .contains("交换包不能用")
    );
}

#[test]
fn the_county_erases_what_the_law_says_and_no_phone_keeps_it() {
    let shared = Shared::new();
    let url = shared.serve();
    let (fs, cs) = (shared.person("马第一", "FS"), shared.person("田督导", "CS"));
    let fs = Desk::enrolled(&shared, &url, fs);
    fs.ok(&["sync"]);
    let household = saved(&fs.ok(&["new", "household", "--set", "householder=张三"]));
    fs.ok(&["visit", "张三", "--method", "入户", "--note", "张三家缺水"]);
    fs.ok(&["sync"]);
    let cs = Desk::enrolled(&shared, &url, cs);
    cs.ok(&["sync"]);
    let visits = cs.ok(&["list", "走访"]);
    let visit = visits.split_whitespace().next().unwrap();
    let refused = fs.fails(&["erase", &household, "--reason", "本人依法要求"]);
    assert!(refused.contains("没有保存"), "{refused}");
    let missing = cs.fails(&["erase", &household, "李四", "--reason", "本人依法要求"]);
    assert!(missing.contains("没有这样的记录"), "{missing}");
    cs.ok(&["erase", &household, visit, "--reason", "本人依法要求"]);
    cs.ok(&["sync"]);
    fs.ok(&["sync"]);
    for record in [household.as_str(), visit] {
        let shown = fs.ok(&["show", record]);
        assert!(!shown.contains("张三"), "{shown}");
        assert!(shown.contains("本人依法要求"), "{shown}");
    }
}

#[test]
fn a_suspended_device_is_enrolled_anew_and_keeps_its_work() {
    let shared = Shared::new();
    let (url, user) = (shared.serve(), shared.person("马第一", "FS"));
    let fs = Desk::enrolled(&shared, &url, user);
    fs.ok(&["sync"]);
    fs.ok(&["new", "household", "--set", "householder=张三"]);
    {
        let mut county = shared.county();
        let devices = county.host.registry().devices.iter();
        let mut mine = devices.filter(|(_, device)| device.user == user);
        let device = *mine.next().unwrap().0;
        let suspended = Standing::Suspended;
        county
            .host
            .set_standing(device, suspended, "lost", minutes(1));
        county.expire();
    }
    assert!(fs.fails(&["sync"]).contains("login"));
    let said = fs.ok(&["enrol", &shared.code(user)]);
    assert!(
        said.contains("重新登记") && said.contains("全部已收到"),
        "{said}"
    );
    let county = shared.county();
    assert_eq!(county.host.entries(county.village.journal).len(), 1);
}

#[test]
fn a_wrong_pin_is_counted_and_another_can_be_chosen() {
    let (_shared, fs, _tm) = team();
    let (right, wrong) = (fs.pin.clone(), fs.home.with_extension("wrong"));
    fs::write(&wrong, "000001").unwrap();
    let mut fs = fs;
    fs.pin.clone_from(&wrong);
    assert!(fs.fails(&["due"]).contains("还可以试 9 次"));
    assert!(fs.fails(&["due"]).contains("还可以试 8 次"));
    fs.pin = right;
    assert!(fs.ok(&["due"]).contains("没有待办"));
    fs::write(&fs.pin, "739152").unwrap();
    assert!(fs.fails(&["due"]).contains("还可以试 9 次"));
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let desk = Desk::new();
    assert!(desk.fails(&["due"]).contains("enrol"));
    assert!(
        desk.fails(&["enrol", "7Q2K", "--server", "http://127.0.0.1:1"])
            .contains("16 位")
    );
    assert!(
        desk.fails(&["enrol", "7Q2K-9FXA-0MZT-B4CE"])
            .contains("--server")
    );
    assert!(
        desk.fails(&[
            "enrol",
            "7Q2K-9FXA-0MZT-B4CE",
            "--server",
            "http://127.0.0.1:1"
        ])
        .contains("连不上服务器")
    );
    let (shared, fs, _tm) = team();
    assert!(fs.fails(&["show", "李四"]).contains("没有这样的记录"));
    assert!(fs.fails(&["new", "飞船"]).contains("household"));
    assert!(
        fs.fails(&["new", "household", "--set", "颜色=红"])
            .contains("householder")
    );
    assert!(fs.fails(&["new", "household"]).contains("缺少必填内容"));
    shared.county().end_sessions();
    assert!(fs.fails(&["sync"]).contains("login"));
    let said = fs.answered(&["login", "ma"], "correct horse\n");
    assert!(said.contains("已登录"));
    fs.ok(&["sync"]);
}

#[test]
fn a_month_is_closed_and_the_marks_of_what_came_later_are_cleared_many_at_once() {
    let shared = Shared::new();
    let url = shared.serve();
    let (township, county) = {
        let county = shared.county();
        (county.host.township(), county.host.county())
    };
    let fs = shared.person("马第一", "FS");
    let office = shared.person_in(township, "张乡长", "TW");
    let supervisor = shared.person_in(county, "赵督导", "CS");
    let mut fs = Desk::enrolled(&shared, &url, fs);
    let mut office = Desk::enrolled(&shared, &url, office);
    let mut supervisor = Desk::enrolled(&shared, &url, supervisor);
    let households = ["张三", "李四"].map(|name| {
        let said = fs.ok(&["new", "household", "--set", &format!("户主姓名={name}")]);
        saved(&said)
    });
    // Weeks later there is a signal; the township was faster.
    let later = minutes(35 * 24 * 60);
    shared.county().now = later;
    for desk in [&mut fs, &mut office, &mut supervisor] {
        desk.now = later;
    }
    office.ok(&["sync"]);
    assert!(office.fails(&["seal", "十一月"]).contains("2026-11"));
    assert!(office.ok(&["seal", "2026-12"]).contains("还没有结束"));
    assert!(office.ok(&["seal", "2026-11"]).contains("半子沟村 2026-11"));
    assert!(office.ok(&["seal", "2026-11"]).contains("已经月结"));
    office.ok(&["sync"]);
    fs.ok(&["sync"]);
    assert!(fs.ok(&["show", "2026-11"]).contains("已月结"));
    assert!(fs.ok(&["show", &households[0]]).contains("补录"));

    supervisor.ok(&["sync"]);
    let flagged = supervisor.ok(&["flagged", "after_seal"]);
    assert!(
        flagged.contains("张三") && flagged.contains("李四") && flagged.contains("补录"),
        "{flagged}"
    );
    assert!(supervisor.ok(&["flagged", "clock"]).contains("没有带标记"));
    let refused = fs.ok(&["clear", "after_seal", &households[0]]);
    assert!(refused.contains("您的角色不能这样办"), "{refused}");
    supervisor.ok(&["clear", "after_seal", "--all", "--reason", "已核实"]);
    assert!(supervisor.ok(&["flagged"]).contains("没有带标记"));
    supervisor.ok(&["sync"]);
    fs.ok(&["sync"]);
    let shown = fs.ok(&["show", &households[1]]);
    assert!(shown.contains("标记已解除：补录"), "{shown}");
}

#[test]
fn several_commands_share_one_pin_in_the_shell() {
    let (_shared, fs, _tm) = team();
    let said = fs.answered(
        &["shell"],
        "new household --set 'householder=张 三'\nhouseholds\nshow 不存在\nexit\n",
    );
    assert!(
        said.contains("张 三") && said.contains("没有这样的记录"),
        "{said}"
    );
}

#[test]
fn help_is_in_both_languages() {
    let desk = Desk::new();
    let zh = String::from_utf8(desk.run(&["--help"], "").stdout).unwrap();
    assert!(zh.contains("待办，按缓急排好"), "{zh}");
    let en = String::from_utf8(desk.run(&["--lang", "en", "--help"], "").stdout).unwrap();
    assert!(
        en.contains("What is due, in the order in which to do it"),
        "{en}"
    );
}

#[test]
fn what_is_doubtful_is_said_before_it_is_saved_and_listed_until_it_is_put_right() {
    let (_shared, fs, _tm) = team();
    let household = saved(&fs.ok(&["new", "household", "--set", "户主姓名=张三"]));
    assert!(fs.ok(&["checks"]).contains("没有发现疑点"));
    let said = fs.ok(&["set", &household, "住房等级=d"]);
    let (doubt, confirmed) = said.split_once("已保存").unwrap();
    assert!(doubt.contains("疑点：危房"), "{said}");
    assert!(!confirmed.contains("疑点"), "{said}");
    let visit = [
        "visit", "张三", "--method", "home", "--looks", "1112", "--file",
    ];
    assert_eq!(fs.ok(&visit).matches("疑点：").count(), 1);
    let listed = fs.ok(&["--lang", "en", "checks", &household]);
    for expected in ["Household  张三", "Dangerous house", "problem of the water"] {
        assert!(listed.contains(expected), "{expected}: {listed}");
    }
    for area in ["housing", "water"] {
        let of = [format!("household={household}"), format!("area={area}")];
        fs.ok(&[
            "new",
            "issue",
            "--set",
            "title=房屋",
            "--set",
            &of[0],
            "--set",
            &of[1],
        ]);
    }
    assert!(fs.ok(&["checks"]).contains("没有发现疑点"));
}
