//! A village's working day in words of our own, for measuring: what it costs to send, to judge and to fold.
//!
//! Names, sentences and figures are drawn by the seed. Nothing of it is anybody's.

use super::{Host, Phone, TestRng, Village};
use crate::command::Splice;
use crate::id::{RecordId, Timestamp};
use crate::sync::device::{Intent, Target};
use crate::value::{Fields, Value};

/// Visits of one day.
const VISITS: usize = 20;
/// Tasks that are carried on on one day.
const EDITS: usize = 10;
/// Tasks that a teammate carries on meanwhile.
const TEAMMATES_EDITS: usize = 5;
/// Visits of one person that go out together.
const VISITS_AT_ONCE: usize = 12;

/// A village with a team of three, its register of households and its tasks, all synced.
#[derive(Debug)]
pub struct VillageDay {
    /// The server.
    pub host: Host,
    /// The village.
    pub village: Village,
    /// The first secretary's phone, and two team members'.
    pub team: Vec<Phone>,
    /// The households of the register.
    pub households: Vec<RecordId>,
    /// The tasks of the team.
    pub tasks: Vec<RecordId>,
    /// Now. It goes on with whatever is recorded.
    pub now: Timestamp,
    rng: TestRng,
}

impl VillageDay {
    /// The village before the day, with this many visits recorded over the weeks before it.
    pub fn before(seed: u64, visits: usize) -> Self {
        let now = Timestamp(1_795_000_000_000);
        let mut host = Host::found(seed, now);
        let village = host.add_village("半子沟村", now);
        let people = [("周明远", "FS"), ("何秀兰", "TM"), ("宋立春", "TM")];
        let team = people.map(|(name, role)| {
            let person = host.add_user(name, now);
            host.assign(
                person,
                role,
                village.area,
                now.date().plus_days(-100),
                None,
                now,
            );
            Phone::enrol(&mut host, person, now)
        });
        let mut day = Self {
            host,
            village,
            team: Vec::from(team),
            households: Vec::new(),
            tasks: Vec::new(),
            now,
            rng: TestRng::new(seed),
        };
        day.meet();
        for place in 0..60 {
            let household = Intent::create("household")
                .with("householder", Value::text(day.name()))
                .with("group", Value::text(day.pick(&GROUPS)));
            let saved = day.save(place % 3, household);
            day.households.push(saved);
        }
        day.meet();
        for place in 0..3 * EDITS {
            let task = day.task();
            let saved = day.save(place % 3, task);
            day.tasks.push(saved);
        }
        for place in 0..visits {
            let who = place / VISITS_AT_ONCE % day.team.len();
            day.visit(who);
            if place % VISITS_AT_ONCE == VISITS_AT_ONCE - 1 {
                day.sync(who);
            }
        }
        day.meet();
        day.host.publish();
        day
    }

    /// A day out of reach: visits and tasks carried on, sealed and not sent.
    pub fn record_day(&mut self, who: usize) {
        (0..VISITS).for_each(|_| self.visit(who));
        let tasks: Vec<RecordId> = self.tasks.iter().take(EDITS).copied().collect();
        tasks.into_iter().for_each(|task| self.carry_on(who, task));
        let now = self.now;
        self.phone(who).seal(now);
    }

    /// What a teammate brings meanwhile.
    pub fn teammate(&mut self, who: usize) {
        let tasks: Vec<RecordId> = self.tasks.iter().skip(EDITS).copied().collect();
        let some = tasks.into_iter().take(TEAMMATES_EDITS);
        some.for_each(|task| self.carry_on(who, task));
        self.sync(who);
    }

    /// Records one visit.
    pub fn visit(&mut self, who: usize) {
        let household = self.household();
        let visit = self.looked_at().link("household", household);
        self.save(who, visit);
    }

    /// Moves one task on and adds a line to its log.
    pub fn carry_on(&mut self, who: usize, task: RecordId) {
        let handling = Value::text(self.pick(&HANDLING));
        self.save(who, Intent::set(task).with("handling", handling));
        let line = self.log_line();
        let mut edit = Intent::new(Target::Existing(task), crate::command::Verb::Edit);
        let end = Splice {
            at: 4_000,
            delete: 0,
            insert: line,
        };
        edit.edit = Some(("log".to_owned(), vec![end]));
        self.save(who, edit);
    }

    /// Syncs until nothing more is to be had.
    pub fn sync(&mut self, who: usize) {
        let now = self.later(60_000);
        let Self { host, team, .. } = self;
        let phone = team.get_mut(who).expect("the team has this member");
        phone.sync(host, now).expect("the host is honest");
    }

    /// All sync, twice: the second time brings to each what the others brought the first.
    fn meet(&mut self) {
        let team = 0..self.team.len();
        team.clone().chain(team).for_each(|who| self.sync(who));
    }

    /// A member's phone.
    pub fn phone(&mut self, who: usize) -> &mut Phone {
        self.team.get_mut(who).expect("the team has this member")
    }

    fn later(&mut self, most_ms: u64) -> Timestamp {
        let step = 1_000 + self.below(most_ms);
        self.now = self.now.plus_ms(step.cast_signed());
        self.now
    }

    fn save(&mut self, who: usize, intent: Intent) -> RecordId {
        let now = self.later(1_800_000);
        let journal = self.village.journal;
        let saved = self.phone(who).save(journal, None, intent, now);
        saved.expect("the team may record it").record
    }

    fn below(&mut self, most: u64) -> u64 {
        u64::from_be_bytes(self.rng.bytes()) % most
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let place = self.below(of.len() as u64);
        of.get(usize::try_from(place).unwrap_or(0))
            .copied()
            .expect("a place within the list")
    }

    fn int(&mut self, least: i64, most: u64) -> Value {
        Value::Int(least + self.below(most).cast_signed())
    }

    fn household(&mut self) -> RecordId {
        let place = self.below(self.households.len() as u64);
        let place = usize::try_from(place).unwrap_or(0);
        *self.households.get(place).expect("a household of the list")
    }

    fn name(&mut self) -> String {
        let given = [self.pick(&GIVEN), self.pick(&GIVEN)].concat();
        [self.pick(&SURNAMES), &given].concat()
    }

    fn note(&mut self) -> String {
        let mut note = String::new();
        while note.chars().count() < 170 {
            let count = 2 + self.below(60);
            let sentence = self
                .pick(&SENTENCES)
                .replace("{name}", &self.name())
                .replace("{n}", &count.to_string())
                .replace("{what}", self.pick(&MATTERS))
                .replace("{kin}", self.pick(&KIN))
                .replace("{who}", self.pick(&OFFICES));
            note.push_str(&sentence);
        }
        note
    }

    fn log_line(&mut self) -> String {
        let (name, what, office) = (self.name(), self.pick(&MATTERS), self.pick(&OFFICES));
        let day = 1 + self.below(28);
        format!("11月{day}日 {name}：{what}已与{office}对接，等候答复。\n")
    }

    fn checklist(&mut self) -> Value {
        let items = (0..3).map(|_| {
            let (item, done) = (self.pick(&MATTERS), self.below(2) == 1);
            Value::Struct(Fields::from_iter([
                ("item", Value::text(item)),
                ("done", Value::Bool(done)),
            ]))
        });
        Value::List(items.collect())
    }

    fn looked_at(&mut self) -> Intent {
        let day = i64::from(self.now.date().0);
        let telephone = format!("1{:010}", self.below(10_000_000_000));
        let place = format!(
            "35.{:06},105.{:06};u={}",
            self.below(90_000),
            self.below(90_000),
            3 + self.below(60)
        );
        Intent::create("visit")
            .with("occurred_on", Value::Int(day))
            .with("occurred_at", self.int(420, 840))
            .with("method", Value::text(self.pick(&["home", "phone"])))
            .with("householder", Value::text(self.name()))
            .with("members", self.int(1, 8))
            .with("group", Value::text(self.pick(&GROUPS)))
            .with("income", self.int(8_000, 52_000))
            .with(
                "crop",
                Value::text(self.pick(&["马铃薯", "玉米", "胡麻", "荞麦", "莜麦"])),
            )
            .with(
                "livestock",
                Value::text(self.pick(&["肉牛", "滩羊", "土鸡", "中蜂"])),
            )
            .with(
                "benefit",
                Value::text(self.pick(&["minimum_living", "small_credit", "house_renewal"])),
            )
            .with(
                "weather",
                Value::text(self.pick(&["晴", "多云", "小雪", "大风", "阴"])),
            )
            .with("minutes", self.int(5, 80))
            .with("handling", Value::text(self.pick(&HANDLING)))
            .with(
                "next_on",
                Value::Int(day + 7 + self.below(60).cast_signed()),
            )
            .with("checklist", self.checklist())
            .with("note", Value::text(self.note()))
            .with(
                "illness",
                Value::text(self.pick(&["无", "关节炎", "高血压", "胃病"])),
            )
            .with("contact", Value::text(telephone))
            .with("location", Value::text(place))
    }

    fn task(&mut self) -> Intent {
        let household = self.household();
        let person = self.phone(0).device.identity().user;
        let title = [self.pick(&MATTERS), "：", &self.name(), "户"].concat();
        Intent::create("task")
            .with("title", Value::text(title))
            .with("log", Value::text(self.log_line()))
            .with("brief", Value::text(self.note()))
            .with("handling", Value::text(self.pick(&HANDLING)))
            .link("household", household)
            .link("assignees", RecordId(person.0))
    }
}

const SURNAMES: [&str; 16] = [
    "马", "王", "张", "李", "杨", "丁", "吴", "海", "罗", "冶", "安", "田", "苏", "虎", "单", "摆",
];
const GIVEN: [&str; 24] = [
    "国", "建", "秀", "英", "文", "学", "福", "贵", "红", "梅", "志", "强", "玉", "兰", "成", "义",
    "晓", "燕", "海", "龙", "正", "芳", "占", "林",
];
const GROUPS: [&str; 6] = ["上庄组", "下庄组", "阳洼组", "阴洼组", "堡子组", "沟口组"];
const HANDLING: [&str; 6] = [
    "submitted",
    "being_handled",
    "to_be_checked",
    "with_township",
    "to_be_completed",
    "settled",
];
const MATTERS: [&str; 12] = [
    "危窑改造",
    "自来水入户",
    "临时救助申请",
    "残疾评定",
    "村级公益岗",
    "牛棚补贴",
    "大病报销",
    "技能培训",
    "贷款贴息",
    "养老认证",
    "医保缴费",
    "辍学劝返",
];
const KIN: [&str; 8] = [
    "户主",
    "老伴",
    "大儿子",
    "二女儿",
    "孙子",
    "母亲",
    "儿媳",
    "邻居",
];
const OFFICES: [&str; 6] = [
    "镇民生服务中心",
    "县残联",
    "村委会",
    "信用联社",
    "镇卫生院",
    "县人社局",
];
const SENTENCES: [&str; 16] = [
    "到家时{kin}正在喂牛，圈里现有{n}头，草料够吃到开春。",
    "{kin}说去年欠下的{n}千元还没有还清，想问{what}还能不能办。",
    "厨房墙角渗水，新抹的泥皮掉了{n}处，已让{name}过来看。",
    "水窖见底，最近{n}天靠亲戚拉水。",
    "{kin}在银川一家工地上绑钢筋，干了{n}个月，工钱拖着。",
    "{what}的表填好了，差一张照片，下回带来。",
    "地里{n}亩胡麻收成一般，每亩打了不到八十斤。",
    "{kin}的腿还是疼，{who}给开的药吃完了，路远没有再去。",
    "问起{what}，{kin}不清楚条件，我按文件逐条念了一遍。",
    "院里新修了{n}米排水沟，是{name}和儿子自己垒的。",
    "{kin}提出想学电焊，{who}下个月有一期班，先报上名。",
    "家里{n}口人吃饭，收入主要靠{kin}打零工。",
    "门前路段没有硬化，雨后车进不来，邻居{name}也反映过。",
    "核对了存折，{what}的钱{n}日到账，数目对得上。",
    "{kin}情绪不高，坐着聊了{n}分钟，劝他先把身体看好。",
    "和{who}通了电话，答复是材料齐了就报。",
];
