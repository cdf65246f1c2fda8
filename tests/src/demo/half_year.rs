//! Half a year of one household: from a first sign of trouble to the day on which it is safe again, through every desk.

use anyhow::{Context as _, ensure};
use sync_core::id::{JournalId, RecordId};

use super::day::{fails, quietly, typed};
use super::teller::Teller;
use crate::county::County;
use crate::county::phone::Phone;

const VILLAGE: &str = "640422100207";
const TOWNSHIP: &str = "640422100000";
const COUNTY: &str = "640422000000";
/// Before the two days that follow it.
const BEGINS: i32 = -212;
const HOUSEHOLD: &str = "张守信";

/// Everybody who holds a step.
struct Desks {
    /// The first secretary.
    he: Phone,
    /// A team member.
    bao: Phone,
    /// The village committee.
    wu: Phone,
    /// The township.
    tang: Phone,
    /// The county.
    luo: Phone,
}

impl Desks {
    fn all(&mut self) -> [&mut Phone; 5] {
        [
            &mut self.he,
            &mut self.bao,
            &mut self.wu,
            &mut self.tang,
            &mut self.luo,
        ]
    }

    /// Their village.
    fn village(&self) -> anyhow::Result<JournalId> {
        let villages = self.he.field.device().journals();
        villages
            .first()
            .copied()
            .context("the first secretary has a village")
    }

    /// Everybody has a signal.
    fn meet(&mut self, county: &County<'_>, teller: &Teller<'_>) -> anyhow::Result<()> {
        for _ in 0..2 {
            for phone in self.all() {
                quietly(county, teller, phone, "sync")?;
            }
        }
        Ok(())
    }

    /// The state of the household's case, as the first secretary's phone shows it.
    fn case(&self, county: &County<'_>) -> anyhow::Result<(RecordId, String)> {
        let row = self.he.record("case", HOUSEHOLD, county.now())?;
        Ok((row.record, row.state.context("a case has a state")?))
    }

    fn case_is(&self, county: &County<'_>, state: &str) -> anyhow::Result<()> {
        let (_, is) = self.case(county)?;
        ensure!(is == state, "the case is in {is}, not in {state}");
        Ok(())
    }
}

/// Plays it.
pub(super) fn play(county: &mut County<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
    teller.scene(
        "半年：一户人家，从一个苗头到重新安稳",
        "Half a year: one household, from a first sign of trouble to being safe again",
    )?;
    county.person("FS of the case", ("he", "何志远"), ("FS", VILLAGE), None)?;
    county.person("TM of the case", ("bao", "包晓东"), ("TM", VILLAGE), None)?;
    county.person("VC of the case", ("wu", "吴有才"), ("VC", VILLAGE), None)?;
    county.person("TW of the case", ("tang", "唐丽"), ("TW", TOWNSHIP), None)?;
    county.person("CS of the case", ("luo", "罗建平"), ("CS", COUNTY), None)?;
    at(county, 0, 9);
    let mut desks = Desks {
        he: county.phone("FS of the case")?,
        bao: county.phone("TM of the case")?,
        wu: county.phone("VC of the case")?,
        tang: county.phone("TW of the case")?,
        luo: county.phone("CS of the case")?,
    };
    quietly(county, teller, &mut desks.he, "sync")?;
    let household = format!("new household --set householder={HOUSEHOLD} --set group=二组");
    quietly(county, teller, &mut desks.he, &household)?;
    for member in [HOUSEHOLD, "王秀兰"] {
        let person = format!("new person --set name={member} --set household={HOUSEHOLD}");
        quietly(county, teller, &mut desks.he, &person)?;
    }
    desks.meet(county, teller)?;
    teller.say(
        "半年前，龙王坝村。第一书记何志远、工作队员包晓东、村委会吴有才、镇上的唐丽、县里的罗建平各有一部手机。",
        "Half a year earlier, in Longwangba village: He Zhiyuan (first secretary), Bao Xiaodong (team member), Wu Youcai (village committee), Tang Li (township) and Luo Jianping (county) have a device each.",
    )?;
    let receipt = noticed(county, teller, &mut desks)?;
    at_the_door(county, teller, &mut desks)?;
    listed(county, teller, &mut desks)?;
    helped(county, teller, &mut desks)?;
    cleared(county, teller, &mut desks)?;
    asked(county, teller, &desks, &receipt)
}

fn at(county: &County<'_>, day: i32, hour: i64) {
    county.at(BEGINS + day, hour, 0);
}

/// What a report's page gives to whoever made it: a number and a secret.
type Receipt = [String; 2];

fn noticed(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    desks: &mut Desks,
) -> anyhow::Result<Receipt> {
    at(county, 1, 10);
    county.open_reports(VILLAGE)?;
    teller.say(
        "下雨天，邻居扫了村口的二维码，不用账户，填一张小表（一键报贫）：张守信家的后墙塌了一截。页面给他一个编号和一个密码。",
        "A rainy day. A neighbour scans the code at the village's gate and fills in a small form, without an account: part of the back wall of Zhang Shouxin's house has come down. The page gives him a number and a secret.",
    )?;
    let form = [
        ("risks", "dangerous_house"),
        ("household_as_told", HOUSEHOLD),
        ("group_as_told", "二组"),
        ("note", "后墙塌了一截"),
    ];
    let page = county.report(desks.village()?, "", &form)?;
    let kept = page.split("<dd class=\"keep\">").skip(1);
    let kept = kept.filter_map(|part| Some(part.split_once('<')?.0.to_owned()));
    let kept: Vec<String> = kept.collect();
    let receipt = Receipt::try_from(kept).ok();
    let receipt = receipt.context("the page gives a number and a secret")?;
    desks.meet(county, teller)?;
    typed(county, teller, &mut desks.he, "due")?;
    Ok(receipt)
}

/// The neighbour asks how it stands.
fn asked(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    desks: &Desks,
    [number, secret]: &Receipt,
) -> anyhow::Result<()> {
    let form = [("number", number.as_str()), ("secret", secret.as_str())];
    let page = county.report(desks.village()?, "/answer", &form)?;
    ensure!(page.contains("属实"), "the page says what became of it");
    ensure!(!page.contains(HOUSEHOLD), "and names nobody");
    teller.say(
        "邻居用编号和密码问了一下：属实。页面只说办到哪一步，不说是谁家。",
        "The neighbour asks with his number and secret: it was found true. The page says how it stands, and names nobody.",
    )
}

fn at_the_door(
    county: &County<'_>,
    teller: &mut Teller<'_>,
    desks: &mut Desks,
) -> anyhow::Result<()> {
    at(county, 2, 15);
    teller.say(
        "第二天，两个人分头进沟，都没有信号。何志远在门口看过，核实了线索；包晓东不知道，也核实了一遍。",
        "The next day two people go up the valley, both without signal. He looks at the house and verifies the clue; Bao does not know, and verifies it too.",
    )?;
    typed(
        county,
        teller,
        &mut desks.he,
        &format!(
            "visit {HOUSEHOLD} --method home --looks 1121 --note 后墙塌了两米，人住前屋，暂时安全。 --set risks=dangerous_house --file"
        ),
    )?;
    typed(
        county,
        teller,
        &mut desks.he,
        &format!(
            "act clue/{HOUSEHOLD} verify --field household={HOUSEHOLD} --field visit={HOUSEHOLD} --field finding=属实，需要修房"
        ),
    )?;
    quietly(
        county,
        teller,
        &mut desks.bao,
        &format!(
            "act clue/{HOUSEHOLD} verify --field household={HOUSEHOLD} --field finding=看过了，墙确实塌了"
        ),
    )?;
    at(county, 2, 19);
    desks.meet(county, teller)?;
    teller.say(
        "晚上都有了信号：先到的生效，后到的留着、标明未生效，什么也没有丢。",
        "In the evening both have signal. The first to arrive took effect; the other is kept and marked without effect, and nothing is lost.",
    )?;
    let waiting = desks.bao.field.device().to_answer().len();
    ensure!(waiting == 1, "one action is without effect, not {waiting}");
    typed(county, teller, &mut desks.bao, "refused")?;
    quietly(county, teller, &mut desks.bao, "leave 1")?;

    at(county, 3, 9);
    let confirm = format!("act clue/{HOUSEHOLD} confirm");
    typed(county, teller, &mut desks.tang, &confirm)?;
    teller.say(
        "镇上认定属实，由线索建监测对象：农户、风险、收到日期都从线索来，没有一样要再填。",
        "The township finds it true and makes a case from the clue. Household, risk and the day on which it came in are taken from there; nothing is typed again.",
    )?;
    let case = format!("new case --from clue/{HOUSEHOLD} --set category=sudden_hardship");
    typed(county, teller, &mut desks.tang, &case)?;
    desks.meet(county, teller)?;
    desks.case_is(county, "verify")
}

/// 识别: verified, compared, deliberated, put up, reviewed, approved.
fn listed(county: &County<'_>, teller: &mut Teller<'_>, desks: &mut Desks) -> anyhow::Result<()> {
    let case = format!("case/{HOUSEHOLD}");
    at(county, 4, 11);
    for item in ["item:务工，amount:9600", "item:养老金，amount:4000"] {
        let add = format!("add {case} items {item}");
        quietly(county, teller, &mut desks.he, &add)?;
    }
    typed(
        county,
        teller,
        &mut desks.he,
        &format!("act {case} verified --field income=6800 --field authorised_on=today"),
    )?;
    desks.meet(county, teller)?;
    at(county, 6, 10);
    typed(
        county,
        teller,
        &mut desks.luo,
        &format!("act {case} compared --field comparison=名下无房无车，无大额存款"),
    )?;
    desks.meet(county, teller)?;
    at(county, 7, 20);
    typed(
        county,
        teller,
        &mut desks.wu,
        &format!("new notice --from {case} --set title=拟纳入监测对象公示"),
    )?;
    let post = "act notice/拟纳入监测对象公示 post --field place=村部公告栏";
    typed(county, teller, &mut desks.wu, post)?;
    typed(
        county,
        teller,
        &mut desks.wu,
        &format!("act {case} deliberated --field present=23 --field minutes=一致同意纳入"),
    )?;
    desks.meet(county, teller)?;
    at(county, 9, 9);
    teller.say(
        "公示至少五天。第二天就想结束，系统说明还差几天。",
        "A notice is up for five days at the least. Ended on the second, it says why it cannot be.",
    )?;
    let end = "act notice/拟纳入监测对象公示 end";
    fails(county, teller, &mut desks.wu, end)?;
    at(county, 13, 9);
    typed(county, teller, &mut desks.wu, end)?;
    quietly(
        county,
        teller,
        &mut desks.wu,
        &format!("act {case} notice_ended"),
    )?;
    desks.meet(county, teller)?;
    quietly(county, teller, &mut desks.tang, &format!("act {case} pass"))?;
    desks.meet(county, teller)?;
    at(county, 14, 9);
    typed(
        county,
        teller,
        &mut desks.luo,
        &format!("act {case} approve"),
    )?;
    desks.meet(county, teller)?;
    desks.case_is(county, "listed")
}

/// 帮扶: a measure that is signed for, carried out and accepted.
fn helped(county: &County<'_>, teller: &mut Teller<'_>, desks: &mut Desks) -> anyhow::Result<()> {
    let case = format!("case/{HOUSEHOLD}");
    at(county, 16, 9);
    typed(
        county,
        teller,
        &mut desks.he,
        &format!(
            "new measure --from {case} --set title=修后墙 --set type=development --set owners=何志远"
        ),
    )?;
    quietly(county, teller, &mut desks.he, "act measure/修后墙 sign")?;
    teller.say(
        "开始帮扶要有措施：表单自己带出刚建的那一项。",
        "Helping begins with a measure; the form brings the one that was just made.",
    )?;
    typed(county, teller, &mut desks.he, &format!("act {case} start"))?;
    desks.meet(county, teller)?;
    desks.case_is(county, "helping")?;
    for day in [40, 64, 88, 112] {
        at(county, day, 9);
        desks.meet(county, teller)?;
    }
    at(county, 120, 9);
    quietly(
        county,
        teller,
        &mut desks.he,
        "act measure/修后墙 carry_out --field effect=墙修好了，人搬回正屋",
    )?;
    desks.meet(county, teller)?;
    quietly(county, teller, &mut desks.tang, "act measure/修后墙 accept")?;
    desks.meet(county, teller)?;
    for day in [144, 168, 190] {
        at(county, day, 9);
        desks.meet(county, teller)?;
    }
    teller.say(
        "墙修好了，镇上验收。纳入不满六个月，还不能提出消除：",
        "The wall is mended, and the township accepts it. Within six months of the listing nobody can propose to clear it:",
    )?;
    let early = propose(&case, &day_of(county, -150));
    fails(county, teller, &mut desks.he, &early)?;
    Ok(())
}

fn propose(case: &str, since: &str) -> String {
    format!(
        "act {case} propose_clear --field income_above_since={since} --field expense_settled_on={since}"
    )
}

/// A day of the story, counted from its present one.
fn day_of(county: &County<'_>, days: i32) -> String {
    county.now().date().plus_days(days).to_string()
}

/// 风险消除, and the notice that ends it.
fn cleared(county: &County<'_>, teller: &mut Teller<'_>, desks: &mut Desks) -> anyhow::Result<()> {
    let case = format!("case/{HOUSEHOLD}");
    at(county, 195, 9);
    let since = day_of(county, -185);
    typed(county, teller, &mut desks.he, &propose(&case, &since))?;
    desks.meet(county, teller)?;
    at(county, 197, 15);
    let visit = format!(
        "visit {HOUSEHOLD} --method home --looks 1111 --note 房子结实，两口子在镇上做工。 --file"
    );
    quietly(county, teller, &mut desks.bao, &visit)?;
    quietly(
        county,
        teller,
        &mut desks.wu,
        &format!("new notice --from {case} --set title=拟消除风险公示"),
    )?;
    let post = "act notice/拟消除风险公示 post --field place=村部公告栏";
    quietly(county, teller, &mut desks.wu, post)?;
    desks.meet(county, teller)?;
    let now = county.now();
    let visit = desks.bao.last_of("visit", HOUSEHOLD, now)?.short();
    let notice = desks.bao.record("notice", "拟消除风险公示", now)?;
    let item = format!("add {case} items item:镇上做工，amount:13400");
    quietly(county, teller, &mut desks.bao, &item)?;
    typed(
        county,
        teller,
        &mut desks.bao,
        &format!(
            "act {case} c_verified --field c_visit={visit} --field c_notice={} --field income=13500 --field c_minutes=一致同意",
            notice.record.short()
        ),
    )?;
    desks.meet(county, teller)?;
    at(county, 203, 9);
    quietly(
        county,
        teller,
        &mut desks.wu,
        "act notice/拟消除风险公示 end",
    )?;
    quietly(
        county,
        teller,
        &mut desks.wu,
        &format!("act {case} c_notice_ended"),
    )?;
    desks.meet(county, teller)?;
    quietly(
        county,
        teller,
        &mut desks.tang,
        &format!("act {case} c_pass"),
    )?;
    desks.meet(county, teller)?;
    at(county, 205, 9);
    typed(
        county,
        teller,
        &mut desks.luo,
        &format!("act {case} c_approve"),
    )?;
    desks.meet(county, teller)?;
    desks.case_is(county, "cleared")?;
    teller.say(
        "县里批准消除。一本案卷从头到尾，每一步是哪个单位在哪一天办的都在上面：",
        "The county approves. The case tells from beginning to end which desk took which step on which day:",
    )?;
    typed(county, teller, &mut desks.he, &format!("show {case}"))?;
    Ok(())
}
