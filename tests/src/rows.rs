//! The systems and mechanisms of the source papers that are in the product, each from end to end: typed on the devices of everybody
//! who holds a step, over the real server.
//!
//! A row is named by its number in the papers' coverage (`C5` …) and says what it is. Two are told elsewhere: the monitoring case
//! (C12) with its measures (C15) by the demo's half a year, and what comes in from outside (C13, C14) by the tests of those doors.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail, ensure};
use device::messages::Lang;
use serde_json::Value as Json;
use server::config::Config;
use sync_core::id::RecordId;
use sync_core::view::View;

use crate::county::County;
use crate::county::phone::Phone;

const VILLAGE: &str = "640422100207";
const TOWNSHIP: &str = "640422100000";
const COUNTY: &str = "640422000000";
const PROVINCE: &str = "640000000000";
/// Who has a device: role, user name, name, area.
const PEOPLE: [(&str, &str, &str, &str); 5] = [
    ("FS", "he", "何志远", VILLAGE),
    ("TM", "bao", "包晓东", VILLAGE),
    ("VC", "wu", "吴有才", VILLAGE),
    ("TW", "tang", "唐丽", TOWNSHIP),
    ("CS", "luo", "罗建平", COUNTY),
];
const HOUSEHOLD: &str = "张守信";

/// A row of the papers' coverage.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its number.
    pub number: &'static str,
    /// What it is, and the kinds that carry it.
    pub what: &'static str,
    play: fn(&mut Village<'_>) -> anyhow::Result<()>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.what)
    }
}

/// All that are played here.
pub const ROWS: [Row; 11] = [
    row("C5", "驻村选派管理: leave, diary, task", stationed),
    row("C6", "包抓、领导联系: a need is reported up", reported_up),
    row("C7", "五长: an issue, its owners and its number", put_right),
    row(
        "C16",
        "规模性返贫: the same cause at several households",
        cluster,
    ),
    row(
        "C17",
        "低收入人口监测: a tag with its source, and a clue",
        low_income,
    ),
    row(
        "C18",
        "产业困难: a clue of a failed venture, and a task",
        failed_venture,
    ),
    row("C20", "控辍保学: an issue that ends at school", schooling),
    row("C21", "因病返贫: an issue of medical care", medical),
    row("C22", "住房安全: an issue of housing", housing),
    row(
        "C23",
        "饮水安全: a relapse is a new issue that names the one before",
        water,
    ),
    row("C24", "探访巡访: a care visit falls due by itself", care),
];

const fn row(
    number: &'static str,
    what: &'static str,
    play: fn(&mut Village<'_>) -> anyhow::Result<()>,
) -> Row {
    Row { number, what, play }
}

/// Plays every row in one village, in order.
///
/// # Errors
///
/// When rows go otherwise than the papers say; each is named.
pub fn play() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut county = County::start(&runtime, folder.path(), listen, Config::default())?;
    let mut village = Village::settle(&mut county)?;
    let fails = |row: &Row| {
        (row.play)(&mut village)
            .err()
            .map(|error| format!("{row:?}: {error:#}"))
    };
    let failed: Vec<String> = ROWS.iter().filter_map(fails).collect();
    drop(village);
    county.stop()?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// A village, and the devices of all who work for it.
struct Village<'c> {
    county: &'c County<'c>,
    phones: BTreeMap<&'static str, Phone>,
    day: i32,
}

impl<'c> Village<'c> {
    fn settle(county: &'c mut County<'_>) -> anyhow::Result<Self>
    where
        Self: 'c,
    {
        county.found([("han", "韩志刚"), ("bai", "白雪"), ("ding", "丁一鸣")])?;
        county.import_areas()?;
        for (role, user_name, name, area) in PEOPLE {
            county.person(role, (user_name, name), (role, area), None)?;
        }
        county.person("PA", ("zhou", "周国栋"), ("PA", PROVINCE), None)?;
        let phones = PEOPLE.map(|(role, ..)| Ok((role, county.phone(role)?)));
        let phones = phones.into_iter().collect::<anyhow::Result<_>>()?;
        let mut village = Self {
            county,
            phones,
            day: -200,
        };
        village.next_day();
        village.meet()?;
        for name in [HOUSEHOLD, "李存福", "王秀英", "马德福"] {
            village.types(
                "FS",
                &format!("new household --set householder={name} --set group=二组"),
            )?;
        }
        village.meet()?;
        Ok(village)
    }

    fn next_day(&mut self) {
        self.pass(1);
    }

    fn pass(&mut self, days: i32) {
        self.day += days;
        self.county.at(self.day, 9, 0);
    }

    /// Days pass on which everybody keeps in touch.
    fn stay(&mut self, days: i32) -> anyhow::Result<()> {
        for _ in 0..days / 20 {
            self.pass(20);
            self.meet()?;
        }
        Ok(())
    }

    fn phone(&mut self, role: &str) -> anyhow::Result<&mut Phone> {
        self.phones.get_mut(role).context("nobody has the role")
    }

    fn types(&mut self, role: &str, line: &str) -> anyhow::Result<String> {
        let now = self.county.now();
        self.phone(role)?.type_line(line, Lang::Zh, now)
    }

    /// Several lines, one after the other, each by somebody who has seen what came before.
    fn steps(&mut self, steps: &[(&str, &str)]) -> anyhow::Result<()> {
        for (role, line) in steps {
            self.meet()?;
            self.types(role, line)?;
        }
        self.meet()
    }

    /// Everybody has a signal.
    fn meet(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            for (role, ..) in PEOPLE {
                self.types(role, "sync")?;
            }
        }
        Ok(())
    }

    /// The record of a kind with a title that was touched last, as somebody's device shows it.
    fn view(&mut self, role: &str, kind: &str, title: &str) -> anyhow::Result<View> {
        let now = self.county.now();
        let phone = self.phone(role)?;
        let record: RecordId = phone.last_of(kind, title, now)?;
        let row = phone.field.find(&record.to_string(), Some(kind), now);
        let row = row.ok().context("the record is there")?;
        let view = phone.field.view(row.journal, row.record, now);
        view.context("and shows")
    }

    fn is_in(&mut self, role: &str, kind: &str, title: &str, state: &str) -> anyhow::Result<()> {
        let view = self.view(role, kind, title)?;
        let is = view.state.as_deref();
        ensure!(
            is == Some(state),
            "{kind} {title} is in {is:?}, not in {state}"
        );
        Ok(())
    }

    /// What is due to somebody today.
    fn due(&mut self, role: &str) -> anyhow::Result<String> {
        self.types(role, "due")
    }

    fn id(&mut self, role: &str, kind: &str, title: &str) -> anyhow::Result<String> {
        Ok(self.view(role, kind, title)?.id.short())
    }

    /// An issue from the register to struck off, through the offices that hold it.
    fn settle_issue(&mut self, title: &str, ending: &str) -> anyhow::Result<()> {
        let issue = format!("issue/{title}");
        self.steps(&[
            ("TW", &format!("act {issue} appraise --field grade=usual --field owners=包晓东 --field deadline=+20")),
            ("TM", &format!("act {issue} report --field ending={ending} --field result=已办好")),
            ("TW", &format!("act {issue} accept")),
            ("CS", &format!("act {issue} strike_off")),
        ])?;
        self.is_in("FS", "issue", title, "struck_off")
    }
}

fn stationed(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "FS",
        "new leave --set reason_for=leave --set from_on=+1 --set until_on=+3 --set destination=银川看病",
    )?;
    village.meet()?;
    let due = village.due("TW")?;
    ensure!(
        due.contains("离村报备"),
        "the township has it to approve: {due}"
    );
    let leave = village.id("TW", "leave", "银川看病")?;
    village.steps(&[("TW", &format!("act {leave} approve"))])?;
    village.pass(3);
    village.steps(&[("FS", &format!("act {leave} come_back"))])?;
    village.is_in("FS", "leave", "银川看病", "back")?;
    village.types(
        "FS",
        "new diary --set heading=访二组 --set text=走了三户，记下两件事。",
    )?;
    village.types("FS", "act diary/访二组 file")?;
    village.steps(&[
        (
            "CS",
            "new task --set title=报送名单 --set assignees=何志远 --set deadline=+5 --village 龙王坝",
        ),
        ("FS", "task sign 报送名单"),
        ("FS", "task report 报送名单 --field result=已报"),
        ("CS", "task accept 报送名单"),
    ])?;
    village.is_in("FS", "task", "报送名单", "done")
}

fn reported_up(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "VC",
        &format!("new need --set title=二组断桥 --set household={HOUSEHOLD} --set category=road"),
    )?;
    village.steps(&[
        ("VC", "act need/二组断桥 report --reason 村里修不了"),
        ("CS", "act need/二组断桥 assign --field assignees=包晓东"),
        ("TM", "act need/二组断桥 sign --field promised_on=+10"),
        ("TM", "act need/二组断桥 done --field outcome=桥面铺好了"),
        (
            "FS",
            "act need/二组断桥 settle --field confirmed_how=in_person",
        ),
    ])?;
    village.is_in("CS", "need", "二组断桥", "settled")
}

fn put_right(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "VC",
        &format!("new issue --set title=管网漏水 --set area=water --set household={HOUSEHOLD}"),
    )?;
    village.meet()?;
    village.settle_issue("管网漏水", "put_right")
}

fn cluster(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.stay(40)?;
    let told = |village: &Village<'_>, role| -> anyhow::Result<Vec<Json>> {
        village.county.settle()?;
        let said = village
            .county
            .get(&village.county.log_in(role)?, "/v1/clusters")?;
        Ok(said["clusters"].as_array().cloned().unwrap_or_default())
    };
    let clue = |name: &str| {
        format!("new clue --set household={name} --set channel=other --set risks=disaster")
    };
    for name in [HOUSEHOLD, "李存福", "李存福"] {
        village.types("FS", &clue(name))?;
    }
    village.meet()?;
    // Twice at one household is once.
    ensure!(
        told(village, "CS")?.is_empty(),
        "two households are none yet"
    );
    village.types("FS", &clue("马德福"))?;
    village.meet()?;
    for role in ["CS", "PA"] {
        let found = told(village, role)?;
        let [one] = found.as_slice() else {
            bail!("{role} is told of one: {found:?}");
        };
        ensure!(
            one["households"] == 3 && one["cause"]["name"] == "disaster",
            "{one}"
        );
        ensure!(
            one["area"]["code"] == VILLAGE,
            "one village has them all: {one}"
        );
        ensure!(
            !one.to_string().contains(HOUSEHOLD),
            "nobody is named: {one}"
        );
    }
    let listed = village.types("CS", "clusters")?;
    ensure!(
        listed.contains("因灾") && listed.contains("3 户"),
        "{listed}"
    );
    village.stay(40)?;
    ensure!(
        told(village, "CS")?.is_empty(),
        "it is over some time later"
    );
    Ok(())
}

fn low_income(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.steps(&[
        (
            "CS",
            "add 王秀英 tags tag:low_income,source:县民政局名单,since:today",
        ),
        (
            "FS",
            "new clue --set household=王秀英 --set channel=comparison --set risks=illness",
        ),
    ])?;
    village.is_in("TW", "clue", "王秀英", "to_verify")
}

fn failed_venture(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types("FS", "visit 李存福 --method home --looks 1111 --note 蒜薹卖不出去，压了三千斤。 --set risks=failed_venture --file")?;
    let visit = village.id("FS", "visit", "李存福")?;
    village.types(
        "FS",
        &format!("new clue --from {visit} --set channel=visit"),
    )?;
    village.types(
        "FS",
        &format!("new task --from {visit} --set title=联系县里收蒜薹 --set assignees=何志远"),
    )?;
    village.meet()?;
    let clue = village.view("TW", "clue", "李存福")?;
    ensure!(
        clue.fields.contains_key("risks"),
        "the clue says what the visit suspects"
    );
    village.is_in("FS", "task", "联系县里收蒜薹", "in_progress")
}

fn schooling(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "FS",
        "new issue --set title=孩子没到校 --set area=education --set household=马德福",
    )?;
    village.meet()?;
    village.settle_issue("孩子没到校", "back_at_school")
}

fn medical(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "FS",
        "new issue --set title=大病没报销 --set area=medical --set household=王秀英",
    )?;
    village.meet()?;
    village.settle_issue("大病没报销", "treated")
}

fn housing(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "FS",
        "new issue --set title=土房成危房 --set area=housing --set household=李存福",
    )?;
    village.meet()?;
    village.settle_issue("土房成危房", "rebuilt")
}

fn water(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "VC",
        "new issue --from issue/管网漏水 --set title=管网又漏水",
    )?;
    village.meet()?;
    let again = village.view("TW", "issue", "管网又漏水")?;
    for field in ["before", "area", "household"] {
        ensure!(
            again.fields.contains_key(field),
            "{field} is taken from the one before"
        );
    }
    village.settle_issue("管网又漏水", "supplied")
}

fn care(village: &mut Village<'_>) -> anyhow::Result<()> {
    village.next_day();
    village.types(
        "FS",
        "new care_plan --set household=马德福 --set type=elderly --set every_days=10",
    )?;
    village.meet()?;
    village.pass(8);
    village.meet()?;
    let due = village.due("TM")?;
    ensure!(
        due.contains("巡访") || due.contains("探访"),
        "it comes up in time: {due}"
    );
    village.types(
        "TM",
        "visit 马德福 --method home --looks 1111 --note 身体还好。 --file",
    )?;
    let due = village.due("TM")?;
    ensure!(
        !due.contains("巡访计划"),
        "whoever was there need not go again: {due}"
    );
    Ok(())
}
