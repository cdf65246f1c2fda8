//! A day of our own, the same on every machine: for whoever has no file. All people in it are made up.
//!
//! It has the shape of `day`: 1,000 documents of which 200 are tasks, two devices with 20 visits and 10 edits each, and 5 edits of a
//! teammate. Its sentences are drawn from a grammar, so they compress better than what people write.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use sync_core::id::{Date, Timestamp, sha256};

const EXISTING: usize = 1_000;
const TASKS: usize = 200;
const NEW: usize = 20;
const EDITS: usize = 10;
const MATES: usize = 5;
const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 200;
/// 2025-03-01.
const BEGINS: i64 = 20_148 * DAY_MS;

const SURNAMES: &str = "马杨李穆王苏张撒刘买陈兰白丁田何金冶黄虎韩火余安蒙罗锁喇";
const GIVEN: &str =
    "建国秀英志强小梅玉兰文海成林桂花彦龙生贵淑珍正平俊芳存义占福丽娟学礼永红晓东雪琴维忠彩霞";
const PLACES: &[&str] = &[
    "东岔", "西坡", "下庄", "上庄", "阳洼", "阴洼", "河滩", "堡子", "窑滩", "泉沟", "老庙", "南塬",
    "北塬", "石湾", "羊路", "新集",
];
const CROPS: &[&str] = &[
    "马铃薯",
    "玉米",
    "胡麻",
    "小麦",
    "荞麦",
    "苜蓿",
    "西芹",
    "莜麦",
    "糜子",
    "豌豆",
];
const STOCK: &[&str] = &["肉牛", "滩羊", "土鸡", "蜜蜂", "毛驴", "奶牛", "白绒山羊"];
const ILLS: &[&str] = &[
    "高血压",
    "糖尿病",
    "关节炎",
    "冠心病",
    "慢阻肺",
    "白内障",
    "胆结石",
    "腰椎病",
];
const BENEFITS: &[&str] = &[
    "低保",
    "临时救助",
    "大病救助",
    "残疾人两项补贴",
    "雨露计划",
    "小额信贷",
    "公益性岗位",
    "危房改造",
    "产业奖补",
    "务工交通补贴",
    "医保参保资助",
    "养老保险代缴",
    "防返贫监测",
    "高龄津贴",
];
const ITEMS: &[&str] = &[
    "住房", "饮水", "用电", "医保", "上学", "收入", "务工", "证件", "防火", "厕所", "取暖",
];
const WEATHER: &[&str] = &["晴", "阴", "小雨", "大风", "雪", "霜冻", "沙尘"];
const KIN: &[&str] = &[
    "老伴",
    "大儿子",
    "二儿子",
    "儿媳",
    "女儿",
    "孙子",
    "孙女",
    "母亲",
    "父亲",
    "弟弟",
];
const TOWNS: &[&str] = &[
    "银川",
    "固原",
    "西安",
    "兰州",
    "福州",
    "石嘴山",
    "县城",
    "乌鲁木齐",
];
const WORK: &[&str] = &[
    "工地",
    "饭馆",
    "车间",
    "物流园",
    "保洁公司",
    "种植基地",
    "装修队",
];
const OFFICES: &[&str] = &[
    "民政所",
    "医保经办点",
    "农技站",
    "水管站",
    "供电所",
    "中心校",
];
const PAPERS: &[&str] = &[
    "户口簿",
    "住院结算单",
    "残疾证",
    "务工证明",
    "银行卡",
    "学生证",
    "土地承包合同",
];
const STATES: &[&str] = &["草稿", "已提交", "待复核", "已办结"];
const LATER_STATES: &[&str] = &["办理中", "已办结", "退回补正", "待镇审核"];

/// Draws the same for the same name.
struct Draw {
    name: String,
    drawn: u64,
}

impl Draw {
    fn new(name: String) -> Self {
        Self { name, drawn: 0 }
    }

    fn below(&mut self, end: usize) -> usize {
        self.drawn += 1;
        let digest = sha256(&[self.name.as_bytes(), &self.drawn.to_be_bytes()]).0;
        let number = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
        usize::try_from(number % u64::try_from(end).unwrap_or(1)).unwrap_or(0)
    }

    fn number(&mut self, from: i64, to: i64) -> i64 {
        let span = usize::try_from(to - from + 1).unwrap_or(1);
        from + i64::try_from(self.below(span)).unwrap_or(0)
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        let at = self.below(words.len());
        words.get(at).copied().unwrap_or_default()
    }

    fn letter(&mut self, letters: &str) -> char {
        let at = self.below(letters.chars().count());
        letters.chars().nth(at).unwrap_or('马')
    }

    fn person(&mut self) -> String {
        let mut name = self.letter(SURNAMES).to_string();
        for _ in 0..=self.below(2) {
            name.push(self.letter(GIVEN));
        }
        name
    }

    fn note(&mut self) -> String {
        let mut note = format!(
            "{}到{}{}家，",
            self.of(&["上午", "午后", "傍晚", "赶集回来"]),
            self.of(PLACES),
            self.person()
        );
        let length = usize::try_from(self.number(160, 240)).unwrap_or(200);
        while note.chars().count() < length {
            note += &self.sentence();
        }
        let by = self.number(1, 28);
        let ending = match self.below(3) {
            0 => format!(
                "说好{by}号前把{}和{}带来。",
                self.of(PAPERS),
                self.of(PAPERS)
            ),
            1 => format!(
                "由{}跟进{}，{by}天内回话。",
                self.person(),
                self.of(BENEFITS)
            ),
            _ => format!("已同{}通了电话，答复{by}日上门。", self.of(OFFICES)),
        };
        note + &ending
    }

    fn sentence(&mut self) -> String {
        match self.below(8) {
            0 => format!(
                "{}在{}{}干活，一月{}元，{}。",
                self.of(KIN),
                self.of(TOWNS),
                self.of(WORK),
                self.number(20, 80) * 100,
                self.of(&["按月寄回", "过年才结", "刚换了活", "想回来找事做"])
            ),
            1 => format!(
                "{}有{}，{}，自己花了{}元。",
                self.of(KIN),
                self.of(ILLS),
                self.of(&["常年吃药", "上个月住过院", "走路要人扶", "等着复查"]),
                self.number(2, 90) * 100
            ),
            2 => format!(
                "种{}{}亩，{}；",
                self.of(CROPS),
                self.number(1, 30),
                self.of(&[
                    "出苗齐",
                    "旱得厉害",
                    "叫雹子打了",
                    "已经收完",
                    "价钱不如去年",
                    "还没覆膜"
                ])
            ),
            3 => format!(
                "圈里{}{}头，{}。",
                self.of(STOCK),
                self.number(2, 60),
                self.of(&[
                    "防疫做了",
                    "卖了几头还账",
                    "饲草不够",
                    "想再添些",
                    "棚顶漏水"
                ])
            ),
            4 => format!(
                "{}{}，{}。",
                self.of(&[
                    "西屋山墙",
                    "厨房屋顶",
                    "院墙",
                    "炕洞",
                    "大门口的路",
                    "水窖盖板"
                ]),
                self.of(&["裂了缝", "漏雨", "塌了一角", "修好了", "冒烟", "不牢靠"]),
                self.of(&["拍了照片", "说了要小心", "报给了乡上", "等天暖再修"])
            ),
            5 => format!(
                "{}念{}年级，{}。",
                self.of(KIN),
                self.of(&["一", "三", "五", "六", "七", "八", "九"]),
                self.of(&["住校", "成绩好", "眼睛近视", "车费是个负担", "营养餐吃得惯"])
            ),
            6 => format!(
                "问起{}{}，{}；",
                self.of(BENEFITS),
                self.of(&["怎么办", "几时发", "为何少了", "还能不能续"]),
                self.of(&["当面讲清了", "记下了", "回去查了再说"])
            ),
            _ => format!(
                "自来水{}，{}。",
                self.of(&["停了几天", "清亮", "水压小", "冻住了"]),
                self.of(&["水管员知道", "暂时够吃", "要换一截管子"])
            ),
        }
    }
}

fn date(ms: i64) -> String {
    Timestamp(ms).date().to_string()
}

fn instant(ms: i64) -> String {
    let second = ms.rem_euclid(DAY_MS) / 1000;
    let day = Date(i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(0));
    format!(
        "{day}T{:02}:{:02}:{:02}.000Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn document(draw: &mut Draw, kind: &str, id: &str, user: &str) -> Vec<(&'static str, Json)> {
    let at = BEGINS + draw.number(0, DAYS * 86_400) * 1000;
    let mut items: Vec<&str> = Vec::new();
    while items.len() < 3 {
        let item = draw.of(ITEMS);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let checklist: Vec<Json> = items
        .iter()
        .map(|item| json!({ "item": item, "done": draw.below(5) < 3 }))
        .collect();
    #[expect(
        clippy::cast_precision_loss,
        reason = "places and areas have few digits"
    )]
    let small = |number: i64, by: f64| number as f64 / by;
    let illness = if draw.below(5) < 2 {
        draw.of(ILLS)
    } else {
        "无"
    };
    let (hour, minute) = (at.rem_euclid(DAY_MS) / 3_600_000, at / 60_000 % 60);
    vec![
        ("id", json!(id)),
        ("type", json!(kind)),
        ("village", json!("v001")),
        (
            "household",
            json!(format!("HH-640422-{:04}", draw.below(400))),
        ),
        ("householder", json!(draw.person())),
        ("members", json!(draw.number(1, 8))),
        ("group", json!(format!("{}组", draw.of(PLACES)))),
        ("user", json!(user)),
        (
            "date",
            json!(Date(i32::try_from(at / DAY_MS).unwrap_or(0)).to_string()),
        ),
        ("time", json!(format!("{hour:02}:{minute:02}"))),
        (
            "gps",
            json!({ "lat": small(35_900_000 + draw.number(0, 30_000), 1e6), "lng": small(105_700_000 + draw.number(0, 30_000), 1e6), "acc": draw.number(3, 60) }),
        ),
        ("weather", json!(draw.of(WEATHER))),
        ("income", json!(draw.number(30, 600) * 100)),
        ("crop", json!(draw.of(CROPS))),
        ("cropMu", json!(small(draw.number(0, 150), 10.0))),
        ("livestock", json!(draw.of(STOCK))),
        ("illness", json!(illness)),
        ("policy", json!(draw.of(BENEFITS))),
        ("checklist", json!(checklist)),
        ("photos", json!(draw.below(5))),
        ("minutes", json!(draw.number(8, 75))),
        ("status", json!(draw.of(STATES))),
        ("followUp", json!(date(at + draw.number(5, 60) * DAY_MS))),
        (
            "contact",
            json!(format!(
                "1{}{:09}",
                draw.of(&["3", "5", "8"]),
                draw.below(1_000_000_000)
            )),
        ),
        ("createdAt", json!(instant(at))),
        (
            "updatedAt",
            json!(instant(at + draw.number(0, 3599) * 1000)),
        ),
        ("note", json!(draw.note())),
    ]
}

fn edit(draw: &mut Draw, index: usize) -> Vec<(&'static str, Json)> {
    let at = instant(BEGINS + (DAYS + 1) * DAY_MS + draw.number(0, 36_000) * 1000);
    let did = draw.of(&["打过电话", "上门看过", "材料收齐", "转给了乡上", "复核过了"]);
    let line = format!(
        "{} {}：{did}，{}{}。\n",
        at.get(..16).unwrap_or_default(),
        draw.person(),
        draw.of(PAPERS),
        draw.of(&["还缺一样", "已经补上", "等回信", "下周再跑一趟"])
    );
    vec![
        ("idx", json!(index)),
        ("status", json!(draw.of(LATER_STATES))),
        ("updatedAt", json!(at)),
        ("line", json!(line)),
    ]
}

/// One line, its members in the order given.
fn line(
    out: &mut String,
    bookkeeping: &[(&'static str, Json)],
    content: Vec<(&'static str, Json)>,
) {
    let members = bookkeeping.iter().cloned().chain(content);
    let members: Vec<String> = members
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    writeln!(out, "{{{}}}", members.join(",")).expect("a text takes any text");
}

/// The day as a file would have it.
pub(super) fn lines() -> String {
    let mut out = String::new();
    for at in 0..EXISTING {
        let mut draw = Draw::new(format!("existing {at}"));
        let kind = if at < TASKS { "task" } else { "visit" };
        let (id, user) = (format!("v001-{at:05}"), format!("u1-{}", draw.below(3)));
        let mut content = document(&mut draw, kind, &id, &user);
        if kind == "task" {
            let title = format!(
                "{}：{}家{}",
                draw.of(BENEFITS),
                draw.person(),
                draw.of(&["补材料", "核一核", "帮着办", "再看看"])
            );
            content.push(("title", json!(title)));
            content.push((
                "log",
                json!(format!("{} 立项，缺{}。\n", draw.person(), draw.of(PAPERS))),
            ));
        }
        line(
            &mut out,
            &[("_set", json!("existing")), ("_village", json!(1))],
            content,
        );
    }
    for device in 0..2 {
        let of = |set: &str| {
            [
                ("_set", json!(set)),
                ("_village", json!(1)),
                ("_device", json!(device)),
                ("_day", json!(0)),
            ]
        };
        for at in 0..NEW {
            let mut draw = Draw::new(format!("new {device} {at}"));
            let id = format!("v001-n-{device}-{at:03}");
            let content = document(&mut draw, "visit", &id, &format!("u1-{device}"));
            line(&mut out, &of("new"), content);
        }
        for at in 0..EDITS {
            line(
                &mut out,
                &of("edit"),
                edit(&mut Draw::new(format!("edit {device} {at}")), at),
            );
        }
    }
    for at in 0..MATES {
        let of_mate = [
            ("_set", json!("mate")),
            ("_village", json!(1)),
            ("_device", json!("mate")),
            ("_day", json!(0)),
        ];
        let content = edit(&mut Draw::new(format!("mate {at}")), EDITS + at);
        line(&mut out, &of_mate, content);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::day::Day;

    #[test]
    fn the_sample_is_a_day_and_the_same_every_time() {
        let lines = super::lines();
        assert_eq!(lines, super::lines());
        let day = Day::read(&lines).unwrap();
        assert_eq!((day.existing.len(), day.tasks()), (1_000, 200));
        assert_eq!(
            (day.new.len(), day.edits.len(), day.mate.len()),
            (20, 10, 5)
        );
    }
}
