//! The story: what one team, its county and its auditor do on two days. Every scene checks what it tells.
//!
//! Long because it is one story, told in its order.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use device::messages::{FLAGS, Lang, NO_EFFECT, REFUSED};
use device::screen::Table;
use serde_json::Value as Json;
use server::verify;
use sync_core::admit::codes::{flag, refused};
use sync_core::audit::Bundle;
use sync_core::id::{RecordId, Timestamp};
use sync_core::journal::Fate;
use sync_core::sync::device::{Intent, World};
use sync_core::value::Value;
use sync_core::view::Shown;

use super::teller::Teller;
use crate::county::County;
use crate::county::phone::Phone;

const COUNTY: &str = "640422000000";
const PROVINCE: &str = "640000000000";
const VILLAGE: &str = "640422100203";
const NEIGHBOUR: &str = "640422100202";
/// Made-up households; only the places are real.
const HOUSEHOLDS: [(&str, &str); 6] = [
    ("马德福", "一组"),
    ("王秀英", "一组"),
    ("李存福", "二组"),
    ("杨学义", "二组"),
    ("苏桂花", "三组"),
    ("马成贵", "三组"),
];
const TASK: &str = "查清引水管停水原因";

/// Everybody with a device.
struct Team {
    /// The first secretary.
    ma: Phone,
    /// A team member.
    li: Phone,
    /// A team member whose time in the village ends with the first day.
    su: Phone,
    /// The first secretary of the next village.
    wang: Phone,
    /// The county supervisor.
    tian: Phone,
}

/// Plays it.
pub(super) fn play(county: &mut County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
    teller.say(
        "西吉县一个村的两天，用真实的服务器（SQLite）和真实的手机端演示。地名真实（国家统计局区划代码），人物均为虚构。",
        "Two days of one village in Xiji county, over the real server (SQLite) and real devices. The places are real (division codes of the National Bureau of Statistics); the people are made up.",
    )?;
    set_up(county, teller)?;
    super::half_year::play(county, teller)?;
    let mut team = enrol(county, teller)?;
    offline_visits(county, teller, &mut team)?;
    held_open(county, teller, &mut team)?;
    late_action(county, teller, &mut team)?;
    after_the_end(county, teller, &mut team)?;
    carried(county, teller, &mut team)?;
    stolen(county, teller, &mut team)?;
    supervisor(county, teller, &mut team)?;
    audit(county, teller)?;
    teller.say(
        "故事讲完了：每一步都由程序核对过。",
        "That is the story; the program checked every step of it.",
    )
}

fn set_up(county: &mut County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
    teller.scene(
        "系统启用：三员、区划、任职",
        "Setting up: three administrators, areas, assignments",
    )?;
    county.found([("han", "韩志刚"), ("bai", "白雪"), ("ding", "丁一鸣")])?;
    let imported = county.import_areas()?;
    let count = |name: &str| imported[name].to_string();
    let (areas, journals) = (count("added"), count("journals"));
    teller.say(
        &format!("服务器首次启动时打印一次性代码，没有默认密码。系统管理员韩志刚用它完成初始化，导入 {areas} 个区划，其中 {journals} 个村（社区）各有一本日志。"),
        &format!("At its first start the server prints a one-time code; there is no default password. With it Han Zhigang (system administrator) founds the deployment; he imports {areas} areas, of which {journals} are villages, each with a journal."),
    )?;
    let last_day = county.last_day().plus_days(-1);
    county.person("FS", ("ma", "马建国"), ("FS", VILLAGE), None)?;
    county.person("TM", ("li", "李晓梅"), ("TM", VILLAGE), None)?;
    county.person(
        "TM until today",
        ("su", "苏永福"),
        ("TM", VILLAGE),
        Some(last_day),
    )?;
    county.person("FS next door", ("wang", "王海燕"), ("FS", NEIGHBOUR), None)?;
    county.person("CS", ("tian", "田淑芬"), ("CS", COUNTY), None)?;
    county.person("PA", ("zhou", "周国栋"), ("PA", PROVINCE), None)?;
    teller.say(
        "他建立账户，但不能授权；授权的是安全管理员白雪：马建国任泉儿湾村第一书记，李晓梅、苏永福任工作队员（苏永福任职到今天为止），王海燕任邻村大滩村第一书记，田淑芬任县级督导，周国栋任省级审计。",
        "He makes accounts and cannot grant anything. Bai Xue (security administrator) assigns: Ma Jianguo is first secretary of Quan'erwan village, Li Xiaomei and Su Yongfu are team members there (Su until today), Wang Haiyan is first secretary of the next village, Tian Shufen supervises for the county, Zhou Guodong audits for the province.",
    )
}

fn enrol(county: &County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<Team> {
    teller.scene(
        "上午八点，村部有信号：登记手机、建户、领任务",
        "Eight o'clock, with signal: phones, households, a task",
    )?;
    county.at(0, 8, 0);
    let mut team = Team {
        ma: county.phone("FS")?,
        li: county.phone("TM")?,
        su: county.phone("TM until today")?,
        wang: county.phone("FS next door")?,
        tian: county.phone("CS")?,
    };
    teller.say(
        "每部手机自己生成密钥，用一次性登记码登记。以下“姓名 ›”之后是其本人在手机端（zhucun-field）输入的命令，下面缩进的是手机的回答。",
        "Each phone makes its own key and is enrolled by a one-time code. After “name ›” stands what that person types into the field client (zhucun-field); indented below it, what the client answers.",
    )?;
    quietly(county, teller, &mut team.ma, "sync")?;
    for (householder, group) in HOUSEHOLDS {
        let line = format!("new household --set householder={householder} --set group={group}");
        quietly(county, teller, &mut team.ma, &line)?;
    }
    typed(county, teller, &mut team.ma, "households")?;
    typed(county, teller, &mut team.ma, "sync")?;
    quietly(county, teller, &mut team.tian, "sync")?;
    typed(
        county,
        teller,
        &mut team.tian,
        &format!(
            "new task --set title={TASK} --set household=马德福 --set assignees=马建国、李晓梅 --set deadline=+5"
        ),
    )?;
    quietly(county, teller, &mut team.tian, "sync")?;
    typed(county, teller, &mut team.ma, "sync")?;
    typed(county, teller, &mut team.ma, "due")?;
    typed(county, teller, &mut team.ma, &format!("task sign {TASK}"))?;
    quietly(county, teller, &mut team.ma, "sync")?;
    for phone in [&mut team.li, &mut team.su, &mut team.wang] {
        quietly(county, teller, phone, "sync")?;
    }
    Ok(team)
}

fn offline_visits(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    team: &mut Team,
) -> anyhow::Result<()> {
    teller.scene("进村入户，没有信号", "Door to door, without signal")?;
    county.at(0, 9, 40);
    typed(
        county,
        teller,
        &mut team.ma,
        "visit 马德福 --method home --looks 1112 --needs water --note '水压小，三天两头停水，人畜饮水靠拉。' --file",
    )?;
    county.at(0, 9, 55);
    typed(
        county,
        teller,
        &mut team.li,
        "visit 王秀英 --method home --looks 1111 --note '低保已到账，药按时在吃。' --file",
    )?;
    typed(county, teller, &mut team.li, "status")?;
    let unsent: usize = team.li.field.device().unsent().values().sum();
    ensure!(unsent == 2, "two commands wait on the phone, not {unsent}");
    teller.say(
        "四位数字是四看，依次为教育、医疗、住房、饮水：1 好，2 有问题。“已保存”就是已经落盘：这时断电也不会丢失，有信号时再上传。",
        "The four digits are what was seen of schooling, medical care, housing and water: 1 is good, 2 a problem. “Saved” means on disk: pull the battery now and nothing is lost. It is sent when there is a signal.",
    )
}

fn held_open(county: &County<'_>, teller: &mut Teller<'_>, team: &mut Team) -> anyhow::Result<()> {
    teller.scene(
        "同一户、同一字段：表单一直开着",
        "One household, one field: a form that stayed open",
    )?;
    county.at(0, 10, 5);
    let household = team.ma.record("household", "马德福", county.now())?;
    let form = team
        .ma
        .field
        .open_form(household.journal, Some(household.record));
    teller.say(
        "10:05 马建国打开马德福家的表单，边聊边填，表单上的村民组是“一组”。",
        "10:05. Ma Jianguo opens the form of Ma Defu's household and fills it in while they talk. The villagers' group in it is 一组 (group one).",
    )?;
    county.at(0, 10, 20);
    teller.say(
        "10:20 李晓梅在山梁上有信号，把村民组改成“二组”并上传；10:30 马建国的手机在后台收到，但他的表单还开着。",
        "10:20. Li Xiaomei, up on the ridge with signal, changes the group to 二组 and sends it. 10:30. It reaches Ma's phone in the background, while his form is still open.",
    )?;
    typed(county, teller, &mut team.li, "set 马德福 group=二组")?;
    quietly(county, teller, &mut team.li, "sync")?;
    county.at(0, 10, 30);
    quietly(county, teller, &mut team.ma, "sync")?;
    county.at(0, 10, 40);
    let intent = Intent::set(household.record).with("group", Value::text("三组"));
    let mut world = World {
        now: county.now(),
        rng: &mut rand::rng(),
    };
    team.ma
        .field
        .save(&mut world, household.journal, Some(form), intent)?;
    teller.say(
        "10:40 他保存了“三组”。他没有看到“二组”，所以不覆盖“二组”：两个值都保留，标为待核对，由知情人选定。",
        "10:40. He saves 三组. He never saw 二组, so he did not overwrite it: both values stay until somebody who knows chooses.",
    )?;
    typed(county, teller, &mut team.ma, "conflicts")?;
    let seen = team
        .ma
        .field
        .view(household.journal, household.record, county.now());
    let group = seen
        .context("the household is there")?
        .fields
        .remove("group");
    ensure!(
        matches!(&group, Some(Shown::Conflict(values)) if values.len() == 2),
        "both values are kept"
    );
    county.at(0, 18, 30);
    quietly(county, teller, &mut team.ma, "sync")?;
    quietly(county, teller, &mut team.li, "sync")?;
    teller.say(
        "傍晚两人都有了信号。李晓梅当面问过农户，选定“三组”；选定本身也留有记录。",
        "In the evening both have signal. Li has asked the family, and chooses 三组; the choice is itself on record.",
    )?;
    let conflict = typed(county, teller, &mut team.li, "conflicts")?;
    let right = if conflict.contains("1) 三组") { 1 } else { 2 };
    typed(
        county,
        teller,
        &mut team.li,
        &format!("choose {} group {right}", household.record.short()),
    )?;
    quietly(county, teller, &mut team.li, "sync")?;
    quietly(county, teller, &mut team.ma, "sync")?;
    let seen = team
        .ma
        .field
        .view(household.journal, household.record, county.now());
    let chosen = seen
        .as_ref()
        .and_then(|view| view.value("group")?.as_text());
    ensure!(
        chosen == Some("三组"),
        "the chosen value holds on the other phone"
    );
    Ok(())
}

fn late_action(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    team: &mut Team,
) -> anyhow::Result<()> {
    teller.scene(
        "同一任务，两人离线报验：迟到的未生效",
        "One task, reported twice offline: the late one has no effect",
    )?;
    county.at(0, 19, 0);
    typed(
        county,
        teller,
        &mut team.li,
        &format!("task report {TASK} --field result=闸阀老化，已换新。"),
    )?;
    typed(
        county,
        teller,
        &mut team.ma,
        &format!("task report {TASK} --field result=管道有一处渗漏，未修。"),
    )?;
    county.at(0, 20, 10);
    quietly(county, teller, &mut team.li, "sync")?;
    typed(county, teller, &mut team.ma, "sync")?;
    typed(county, teller, &mut team.ma, "refused")?;
    let answers = team.ma.field.device().to_answer();
    ensure!(
        matches!(answers.as_slice(), [late] if matches!(late.fate, Fate::NoEffect(_))),
        "the later report has no effect and is kept"
    );
    teller.say(
        "李晓梅的报验先到，已生效；马建国的后到，写的时候没有看到前一条，所以未生效。原文和原因都保留，可以另行办理。他将这一条搁置。",
        "Li's report came first and took effect; Ma's came later, written without knowledge of hers, so it changes nothing. It is kept, with its reason. He leaves it aside.",
    )?;
    typed(county, teller, &mut team.ma, "leave 1")?;
    Ok(())
}

fn after_the_end(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    team: &mut Team,
) -> anyhow::Result<()> {
    teller.scene(
        "离任前后：一条收下并标记，一条拒收、由同事重新提交",
        "After an assignment's end: one flagged, one refused and offered again",
    )?;
    county.at(0, 20, 30);
    teller.say(
        "任职最后一天晚上，苏永福在没有信号的二组走访了李存福；第二天一早已经离任，又顺路看望了杨学义，仍记在手机上。",
        "On the last evening of his assignment Su Yongfu visits Li Cunfu, without signal. The next morning, no longer assigned, he looks in on Yang Xueyi and writes that down too.",
    )?;
    typed(
        county,
        teller,
        &mut team.su,
        "visit 李存福 --method home --looks 1111 --note '地膜已发到户。' --file",
    )?;
    county.at(1, 8, 10);
    typed(
        county,
        teller,
        &mut team.su,
        "visit 杨学义 --method on_the_way --note '羊圈屋顶漏雨，要尽快修。' --file",
    )?;
    county.at(1, 8, 40);
    typed(county, teller, &mut team.su, "sync")?;
    typed(county, teller, &mut team.su, "refused")?;
    let fates: Vec<Fate> = team
        .su
        .field
        .device()
        .to_answer()
        .into_iter()
        .map(|late| late.fate)
        .collect();
    ensure!(
        fates
            .iter()
            .all(|fate| matches!(fate, Fate::Refused(code, _) if code == refused::ENDED))
            && fates.len() == 2,
        "what was written after the end is refused: {fates:?}"
    );
    teller.say(
        "昨天写的今天才收到：收下，并标明离任后才收到。今天写的：已无权限，拒收，但不丢失。马建国看得到，核实后以自己的名义重新提交，出处仍记录在案。",
        "What he wrote yesterday counts, marked as received after the end. What he wrote today is refused, and not lost: Ma can read it and, having checked, offers it again in his own name, with its origin on record.",
    )?;
    county.at(1, 9, 0);
    quietly(county, teller, &mut team.ma, "sync")?;
    typed(county, teller, &mut team.ma, "refused --others")?;
    typed(county, teller, &mut team.ma, "again 1 --others")?;
    quietly(county, teller, &mut team.ma, "sync")?;
    let visit = visit_of(&team.ma, "杨学义", county.now())?;
    typed(
        county,
        teller,
        &mut team.ma,
        &format!("act {} file", visit.short()),
    )?;
    typed(county, teller, &mut team.ma, "sync")?;
    typed(
        county,
        teller,
        &mut team.ma,
        &format!("show {}", visit.short()),
    )?;
    let received = visit_of(&team.ma, "李存福", county.now())?;
    let marked = typed(
        county,
        teller,
        &mut team.ma,
        &format!("receipt {}", received.short()),
    )?;
    let journal = team.ma.record("household", "李存福", county.now())?.journal;
    let view = team
        .ma
        .field
        .view(journal, received, county.now())
        .context("the visit is there")?;
    let flagged = |fate: &Fate| matches!(fate, Fate::Flagged(causes) if causes.iter().any(|cause| cause == flag::AFTER_END));
    ensure!(
        view.steps.iter().any(|step| flagged(&step.fate)),
        "the late visit is marked: {marked}"
    );
    Ok(())
}

fn carried(county: &County<'_>, teller: &mut Teller<'_>, team: &mut Team) -> anyhow::Result<()> {
    teller.scene(
        "手机欠费：请邻村同事代送",
        "No data left: the next village carries it",
    )?;
    county.at(1, 10, 0);
    let note = "孙女九月转学，要开证明。";
    typed(
        county,
        teller,
        &mut team.li,
        &format!("visit 苏桂花 --method home --looks 1111 --note '{note}' --file"),
    )?;
    let parcel: PathBuf = county.folder().join("parcel");
    let path = parcel.display().to_string();
    typed(county, teller, &mut team.li, &format!("export '{path}'"))?;
    let bytes = fs::read(&parcel)?;
    ensure!(
        !contains(&bytes, note.as_bytes()),
        "a parcel shows nothing of what is in it"
    );
    county.at(1, 11, 0);
    typed(county, teller, &mut team.wang, &format!("carry '{path}'"))?;
    typed(county, teller, &mut team.wang, "sync")?;
    typed(county, teller, &mut team.wang, "list visit")?;
    ensure!(
        team.wang
            .field
            .rows(Some("visit"), true, county.now())
            .is_empty(),
        "the carrier sees none of it"
    );
    teller.say(
        "王海燕已经送到。交换包只有服务器能打开，她看不到内容，她的手机上也不留内容；服务器认的是李晓梅的签名。马建国已能看到这次走访，李晓梅的手机下次联网时拿到回执。",
        "Wang Haiyan has delivered it. The parcel is sealed to the server: she could not open it, and nothing of it is on her phone. What counts is Li's signature. Ma sees the visit, and Li's phone gets the receipt when it is next online.",
    )?;
    quietly(county, teller, &mut team.ma, "sync")?;
    visit_of(&team.ma, "苏桂花", county.now())?;
    county.at(1, 12, 0);
    let synced = typed(county, teller, &mut team.li, "sync")?;
    ensure!(
        team.li.field.device().unsent().is_empty(),
        "all is received: {synced}"
    );
    Ok(())
}

fn stolen(county: &County<'_>, teller: &mut Teller<'_>, team: &mut Team) -> anyhow::Result<()> {
    teller.scene(
        "手机被盗：拿到密钥也无法使用",
        "A stolen phone: its key gets nowhere",
    )?;
    county.at(1, 12, 30);
    county.revoke(&team.wang, "stolen")?;
    teller.say(
        "王海燕的手机在集市上被盗，管理员当即吊销。即使盗窃者知道 PIN：",
        "At the market Wang Haiyan's phone is stolen; the administrator revokes it at once. Even if the thief knows the PIN:",
    )?;
    county.at(1, 12, 50);
    typed(
        county,
        teller,
        &mut team.wang,
        "new household --set householder=无此人",
    )?;
    let complaint = fails(county, teller, &mut team.wang, "sync")?;
    let parcel = county.folder().join("stolen-parcel");
    let path = parcel.display().to_string();
    quietly(county, teller, &mut team.wang, &format!("export '{path}'"))?;
    quietly(county, teller, &mut team.ma, &format!("carry '{path}'"))?;
    typed(county, teller, &mut team.ma, "sync")?;
    county.settle()?;
    let list = county.get(&county.log_in("CS")?, "/v1/unanswered")?;
    let refusals = list["records"].as_array().context("records")?;
    let lang = teller.lang();
    let revoked = refusals.iter().map(|listed| row(listed, teller.lang()));
    let revoked = revoked.filter(|line| line.contains(&wording(refused::DEVICE_REVOKED, lang)));
    let revoked: Vec<String> = revoked.collect();
    ensure!(
        revoked.len() == 1,
        "what the stolen phone wrote is refused: {complaint}"
    );
    teller.say(
        "他无法同步；即使托人代送，签名虽真，也只会被拒收，县里看得到：",
        "It cannot sync; carried by somebody else, its signature is genuine, and all it gets is a refusal, which the county sees:",
    )?;
    teller.show("田淑芬", "GET /v1/unanswered", &revoked.join("\n"))
}

fn supervisor(county: &County<'_>, teller: &mut Teller<'_>, team: &mut Team) -> anyhow::Result<()> {
    teller.scene(
        "县级督导：查看合并后的走访记录，批注，退回",
        "The county supervisor reads the merged log, comments, returns",
    )?;
    county.at(1, 14, 0);
    county.settle()?;
    let token = county.log_in("CS")?;
    for path in ["/v1/records?kind=visit", "/v1/flagged"] {
        let list = county.get(&token, path)?;
        let records = list["records"].as_array().context("records")?;
        let lines: Vec<String> = records
            .iter()
            .map(|record| row(record, teller.lang()))
            .collect();
        ensure!(!lines.is_empty(), "{path} lists something");
        teller.show("田淑芬", &format!("GET {path}"), &lines.join("\n"))?;
    }
    teller.say(
        "清单只列记录，不按人计数，不排名。她用批注退回马德福家的走访，又退回任务，要求处理渗漏。",
        "Lists are of records; nobody is counted or ranked. With a comment she sends back the visit at Ma Defu's; the task she returns because of the leak.",
    )?;
    quietly(county, teller, &mut team.tian, "sync")?;
    let visit = visit_of(&team.tian, "马德福", county.now())?;
    typed(
        county,
        teller,
        &mut team.tian,
        &format!(
            "new review --set target={} --set about=water --set verdict=return --set opinion=停水多久了？是否已告知乡镇水管站？",
            visit.short()
        ),
    )?;
    typed(
        county,
        teller,
        &mut team.tian,
        &format!("task return {TASK} --reason '渗漏处理后再报。'"),
    )?;
    quietly(county, teller, &mut team.tian, "sync")?;
    county.at(1, 15, 0);
    quietly(county, teller, &mut team.ma, "sync")?;
    typed(county, teller, &mut team.ma, "due")?;
    let now = county.now();
    let reviews = team.ma.field.rows(Some("review"), false, now);
    let review = reviews
        .first()
        .context("the comment reached the phone")?
        .record
        .short();
    typed(
        county,
        teller,
        &mut team.ma,
        &format!("act {review} answer --field answer=停水九天，已报水管站，明日来修。"),
    )?;
    typed(county, teller, &mut team.ma, "sync")?;
    quietly(county, teller, &mut team.tian, "sync")?;
    typed(
        county,
        teller,
        &mut team.tian,
        &format!("act {review} close"),
    )?;
    typed(county, teller, &mut team.tian, "sync")?;
    Ok(())
}

fn audit(county: &County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
    teller.scene(
        "省级审计：离线验证，改动一处即被发现",
        "The provincial audit: verified offline, and a forgery caught",
    )?;
    county.at(1, 17, 0);
    county.settle()?;
    let token = county.log_in("PA")?;
    teller.say(
        "周国栋取得全县 333 个村和登记册的全部条目，离线核验。他只读得到抽中的五条记录的内容，其余的只有摘要，照样能核验。",
        "Zhou Guodong fetches all entries of the county's 333 villages and of the registry, and verifies them offline. He reads the content of five drawn records; of the others he has digests, which verify all the same.",
    )?;
    let bundle = county.get_bytes(&token, "/v1/audit/bundle?sample=5")?;
    let path = county.folder().join("bundle");
    fs::write(&path, &bundle)?;
    let language = match teller.lang() {
        Lang::Zh => verify::Language::Zh,
        Lang::En => verify::Language::En,
    };
    let (holds, report) = verify::verify(&path, None, language)?;
    teller.show("周国栋", "zhucun audit verify bundle", &report)?;
    ensure!(holds, "an untouched bundle verifies");

    let mut forged = Bundle::from_bytes(&bundle)?;
    let mut entries = forged
        .journals
        .iter_mut()
        .flat_map(|part| &mut part.entries);
    let is_mark = |(_, fate): &(u32, Fate)| matches!(fate, Fate::Flagged(_));
    let marked = entries.find(|entry| entry.unusual.iter().any(is_mark));
    let marked = marked.context("an entry with a mark")?;
    marked.unusual.retain(|fate| !is_mark(fate));
    let forged_path = county.folder().join("forged-bundle");
    fs::write(&forged_path, forged.to_bytes())?;
    teller.say(
        "有人从副本里删去“离任后才收到”的标记：",
        "Somebody takes the mark “received after its end” out of a copy:",
    )?;
    let (holds, report) = verify::verify(&forged_path, None, language)?;
    teller.show("周国栋", "zhucun audit verify forged-bundle", &report)?;
    teller.say(
        "不但那一条的判定对不上，它之后的每一条也接不上原来的链，所以能核对的条目也少了。",
        "Not only is that entry's fate wrong: nothing after it continues the chain, so fewer entries could be checked.",
    )?;
    ensure!(!holds, "a forged bundle is caught");
    Ok(())
}

/// Tells who can log in where, once the story is over.
pub(super) fn look_around(county: &County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
    teller.scene("随便看看", "Look around")?;
    let url = county.url();
    teller.say(
        &format!("服务器仍在 {url} 运行，按 Ctrl-C 结束并清除全部内容。接口说明：{url}/docs。账户（密码为本次随机生成）："),
        &format!("The server goes on at {url}; Ctrl-C ends it and removes everything. What the interface offers: {url}/docs. Accounts (the passwords were made for this run):"),
    )?;
    let mut accounts = Table::default();
    for account in county.accounts() {
        let (user_name, name) = (account.user_name.to_owned(), account.name.to_owned());
        accounts.row([
            user_name,
            name,
            account.role.to_owned(),
            account.password.clone(),
        ]);
    }
    teller.list(&accounts.lines())?;
    let code = county.enrolment_code("FS")?;
    teller.say(
        &format!("手机应用：用浏览器打开 {url}，以马建国的登记码 {code} 登记（15 分钟内有效），装到主屏幕后断网也能用。"),
        &format!("The app for phones: open {url} in a browser and enrol with Ma Jianguo's code {code} (good for 15 minutes); once installed it needs no network."),
    )?;
    let phone = county.folder().join("phones/ma");
    teller.say(
        "马建国的手机（另开一个终端）：",
        "Ma Jianguo's phone, in another terminal:",
    )?;
    let command = format!(
        "  cargo run --quiet --package device -- --home {} shell",
        phone.display()
    );
    teller.show("PIN", county.pin(), &command)?;
    Ok(())
}

/// Types a command and shows what comes of it.
pub(super) fn typed(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    phone: &mut Phone,
    line: &str,
) -> anyhow::Result<String> {
    let answer = phone.type_line(line, teller.lang(), county.now())?;
    teller.show(phone.owner, line, &answer)?;
    Ok(answer)
}

/// Types a command that is refused, and shows why.
pub(super) fn fails(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    phone: &mut Phone,
    line: &str,
) -> anyhow::Result<String> {
    let complaint = phone.is_refused(line, teller.lang(), county.now())?;
    teller.show(phone.owner, line, &complaint)?;
    Ok(complaint)
}

/// Types a command whose answer adds nothing to the story.
pub(super) fn quietly(
    county: &County<'_>,
    teller: &Teller<'_>,
    phone: &mut Phone,
    line: &str,
) -> anyhow::Result<()> {
    phone.type_line(line, teller.lang(), county.now())?;
    Ok(())
}

/// The visit at a household.
fn visit_of(phone: &Phone, householder: &str, now: Timestamp) -> anyhow::Result<RecordId> {
    Ok(phone.record("visit", householder, now)?.record)
}

/// A record of a list in one line, with why it is in a list of marked ones.
fn row(listed: &Json, lang: Lang) -> String {
    let label = |named: &Json| {
        let text = &named["label"][lang.pick("zh", "en")];
        text.as_str().unwrap_or_default().to_owned()
    };
    let plain = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let head = if listed["record"].is_object() {
        &listed["record"]
    } else {
        listed
    };
    let mut cells = vec![
        label(&head["kind"]),
        plain(&head["title"]),
        label(&head["state"]),
        plain(&listed["author"]["name"]),
    ];
    let lines = listed["lines"].as_array().into_iter().flatten();
    let causes = lines.filter_map(|line| line["fate"]["reasons"].as_array().cloned());
    let causes: BTreeSet<String> = causes.flatten().map(|cause| plain(&cause)).collect();
    cells.extend(causes.iter().map(|cause| wording(cause, lang)));
    cells.retain(|cell| !cell.is_empty());
    cells.join("  ")
}

/// What people read for a cause.
fn wording(cause: &str, lang: Lang) -> String {
    let known = FLAGS.iter().chain(REFUSED).chain(NO_EFFECT);
    let words = known.into_iter().find(|words| words.code == cause);
    words
        .map_or(cause, |words| lang.pick(words.zh, words.en))
        .to_owned()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
