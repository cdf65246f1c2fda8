//! Every word that a person reads, in Chinese and in English.
//!
//! Chinese first: the terms are those that the county uses (待办, 待核对, 未生效, 拒收). What the catalogue names (kinds, fields,
//! states, codes) has its labels there.

mod codes;
mod errors;
mod help;
mod import;

use sync_core::catalog::{Kind, Label};
use sync_core::command::Verb;
use sync_core::journal::Fate;
use sync_core::sync::wire::Outcome;

pub use codes::{CodeWords, FLAGS, NO_EFFECT, PROBLEMS, REFUSED, UNUSABLE};
pub use errors::{NoAction, NoKind, Said, Worded};
pub use help::HELP;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// 中文.
    Zh,
    /// English.
    En,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $zh:literal, $en:literal;)*) => {
        /// A sentence, or the frame of one: `{}` stands for what is filled in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Text {
            $($(#[$doc])* #[doc = $en] $name,)*
        }

        impl Text {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            const fn both(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($zh, $en)),* }
            }
        }
    };
}

texts! {
    NoInput = "没有输入。", "There is no input.";
    Pin = "PIN：", "PIN:";
    WrongPin = "PIN 不对，还可以试 {} 次。", "Wrong PIN; {} tries left.";
    NewPin = "新 PIN（6 位以上）：", "New PIN (6 characters or more):";
    NewPinAgain = "再输一次：", "Once more:";
    OldPin = "现在的 PIN：", "Present PIN:";
    PinsDiffer = "两次输入的 PIN 不一样，没有改动。", "The two PINs differ; nothing was changed.";
    PinChanged = "PIN 已更改。", "The PIN was changed.";
    ThisComputer = "终端", "terminal";
    ServerNeeded = "请用 --server 写明服务器地址。", "Say the server's address with --server.";
    Enrolled = "本机已登记。", "This device is enrolled.";
    EnrolledAgain = "本机已重新登记，本机内容都在，未回执的内容将重新提交。", "This device is enrolled anew; all it holds is there, and what has no receipt is offered again.";
    Password = "密码：", "Password:";
    LoggedIn = "已登录。", "Logged in.";
    NothingToRescue = "没有已封存而未回执的内容。", "Nothing that was sealed is without a receipt.";
    Rescued = "{} 批已封存的内容写入 {}，请交同事用 carry 代送。没有封存的内容随 PIN 丢失。", "{} sealed batches are in {}: let a teammate carry it. What was not sealed is lost with the PIN.";
    RescueNeedsNoPin = "rescue 不需要 PIN，请在命令行直接运行。", "rescue needs no PIN: run it by itself.";
    WhichVillage = "您在几个村任职，请用 --village 写明村名（可只写开头）。", "You work in several villages: say which with --village (the beginning of its name will do).";
    NoVillage = "本机没有您任职的村，请先同步，或请管理员登记任职。", "You are assigned to no village on this device: sync, or ask an administrator.";
    NoCatalogue = "本机还没有目录，请先同步。", "No catalogue is on this device yet: sync first.";
    Saved = "已保存 {}。未回执 {} 条。", "Saved {}. {} without a receipt.";
    Predicted = "注意，上传后可能是：{}", "Note that it may become: {}";
    InConflict = "待核对", "To be settled";
    DaysLate = "逾期 {} 天", "{} days late";
    DueToday = "今天到期", "due today";
    DaysLeft = "还有 {} 天", "{} days left";
    NothingDue = "现在没有待办。", "Nothing is due now.";
    NothingDoubtful = "自查没有发现疑点。", "The self-check finds nothing doubtful.";
    Doubtful = "疑点：{}", "Doubtful: {}";
    NeverVisited = "还没走访", "not yet visited";
    NoHouseholds = "本机还没有农户。用 new household --set 户主姓名=… 登记。", "No household is on this device. Register one: new household --set householder=…";
    NothingHere = "这里没有内容。", "There is nothing here.";
    NothingRefused = "没有被拒收或未生效的内容。", "Nothing was refused or without effect.";
    NothingOfOthers = "没有同事被拒收的内容。", "Nothing of a teammate's was refused.";
    AnswerThem = "重新提交：again 编号；不再需要：leave 编号。", "Offer one again: again N. No longer needed: leave N.";
    NoSuchNumber = "没有这个编号。", "There is no such number.";
    LeftAside = "已搁置，记录里仍然看得到。", "Left aside; the record still shows it.";
    NoClusters = "没有同因多户的情况。", "No cause is found at several households.";
    AtHouseholds = "{} 户", "{} households";
    SinceDay = "自 {}", "since {}";
    NoConflicts = "没有待核对的内容。", "There is nothing to be settled.";
    ChooseThem = "选定：choose 记录 字段 编号。", "Choose: choose RECORD FIELD N.";
    NothingFlagged = "没有带标记的内容。", "Nothing is marked.";
    ClearThem = "解除标记：clear 原因 记录，或 clear 原因 --all。", "Clear marks: clear CAUSE RECORD, or clear CAUSE --all.";
    MarkCleared = "标记已解除：{}", "Mark cleared: {}";
    NoSuchMonth = "请写明月份，如 2026-11。", "Say the month, as 2026-11.";
    WhichVillages = "请写明是哪个村，或用 --all 表示本机全部。", "Say which village, or --all for all on this device.";
    LeaseOver = "已超过 7 天没有联系服务器，暂不显示他人填写的内容；您仍可记录，已写的都在。", "No word from the server for more than 7 days: what others wrote is hidden. You can go on recording; all you wrote is here.";
    RefusedCount = "{} 条被拒收或未生效，见 refused。", "{} refused or without effect: see refused.";
    UnsentCount = "{} 条还没有回执，有信号时请 sync。", "{} without a receipt: sync when there is a signal.";
    Void = "作废", "Void";
    Number = "编号 {}", "No. {}";
    PaperOfDay = "按日", "by day";
    PaperOfMonth = "按月", "by month";
    PaperOfYear = "按年", "by year";
    PaperAbout = "每份{}", "of a record: {}";
    NoPapers = "目录里没有文书。", "The catalogue has no papers.";
    NoPaper = "没有这种文书，或者没有写明它要的日期或记录。用 paper 列出全部文书。", "There is no such paper, or the day or record that it is of is missing. `paper` lists them all.";
    NothingListed = "无", "none";
    Bracketed = "［{}］", "[{}]";
    VoidBecause = "已作废：{}", "Void: {}";
    MarkWithheld = "（部分内容您无权查看）", "(Some of it you may not read.)";
    MarkErased = "（内容已依法删除）", "(Its content was erased as the law requires.)";
    MarkOverLimit = "（合并后超出上限，请精简）", "(A merge made it larger than allowed: shorten it.)";
    MarkSetAside = "（此记录无法合并，已报告）", "(This record cannot be merged; that was reported.)";
    MarkUnknown = "（含本机尚不认识的内容，请更新应用）", "(It holds what this version does not understand: update the app.)";
    Timeline = "经过：", "What happened:";
    Actions = "可办：{}", "You may: {}";
    Withheld = "（不可见）", "(withheld)";
    Me = "本机", "this device";
    Because = "原因：{}", "Because: {}";
    Was = "原为 {}：{}", "{} was: {}";
    SaidThen = "{}：{}", "{}: {}";
    From = "{}（{}起）", "{} (from {})";
    AtEntry = "{} #{}", "{} #{}";
    Here = "本机", "here";
    Sent = "已发", "sent";
    Received = "已收到", "received";
    WithoutEffect = "未生效", "without effect";
    WasRefused = "拒收", "refused";
    ReceivedAt = "               收到 {}  链 {}", "               received {}  chain {}";
    Synced = "同步完成：{} 条得到回执，收到 {} 批。", "Synced. Receipts for this device: {}; batches from the server: {}.";
    GivenBack = "服务器丢失了已签名的内容：本机已交还 {} 条，位置和内容与原先完全相同。", "The server had lost what it had signed: this device gave {} entries back, each at its old place and unchanged.";
    Delivered = "代送的 {} 批已送达。", "Carried batches delivered: {}.";
    HeldBack = "第 {} 号起的一批暂未收下：{}", "The batch that begins with number {} was not taken: {}";
    MappingNeeded = "请用 --mapping 写明对应文件；没有的话先用 --suggest 生成。", "Say the mapping with --mapping; --suggest writes a first one.";
    NoRegister = "您的角色在管辖范围内读不到农户，无法比对。部门的清单请交县级督导或乡镇导入。", "Your role reads no households in its scope, so nothing can be matched. Let the county supervisor or the township import a department's list.";
    Imported = "已生成 {} 条线索，存在本机。", "{} clues were made and are on this device.";
    DryRun = "试运行：没有写入任何内容。", "A dry run: nothing was written.";
    Reported = "逐行结果在 {}。请在“决定”一列填写候选序号、农户编号、new 或 skip，再用 --decisions 交回。", "What became of each row is in {}. Write a candidate's number, a household's id, new or skip into its column of decisions, and give it back with --decisions.";
    LeftOut = "有未导入的行：加 --report 文件 可逐行查看并作决定。", "Some rows were left out: --report FILE shows each, to be decided.";
    StrangeDecisions = "有 {} 个决定在清单里没有对应的行（“键”一列可能被表格改写），未采用。", "{} decisions are of no row of this list (a spreadsheet may have changed the keys) and were not used.";
    SeveralDays = "一个村每天的上传额度有限，全部送达约需 {} 天，请每天 sync 一次；未送达的都在本机。", "What one village takes in a day is limited: all of it takes some {} days. Sync once a day; what waits is kept here.";
    RetryAfter = "{} 秒后再试。", "Try again in {} seconds.";
    EnrolAgain = "本机的密钥不能再用。请向管理员要新的登记码，然后 enrol 登记码；本机内容都在。", "This device's key can no longer be used. Ask an administrator for a new code, then: enrol CODE. All it holds is kept.";
    MissingCatalogue = "目录第 {} 版尚未取到，先按现有版本记录。", "Catalogue version {} could not be fetched; recording goes on under the one at hand.";
    AllReceived = "全部已收到。", "All received.";
    WhoAmI = "{}（设备 {}）  {}", "{} (device {})  {}";
    Unsent = "未回执：{} 条", "Without a receipt: {}";
    Carries = "代同事携带：{} 批", "Carried for teammates: {} batches";
    NeverSynced = "还没有同步过。", "Never synced.";
    LastContact = "最近联系：{}，离线可查看至 {}", "Last word from the server: {}; readable offline until {}";
    VillageLine = "{}  {}  位置 {}  未回执 {}", "{}  {}  position {}  without a receipt {}";
    Checkpoint = "已核对的检查点：{}", "Verified checkpoint: {}";
    NothingToExport = "没有待发的内容。", "Nothing waits to be sent.";
    Exported = "{} 批已加密写入 {}，只有服务器能打开。", "Batches encrypted into a file: {} ({}). Only the server opens them.";
    Carried = "已收下 {} 批，下次同步时代送。", "Batches taken along: {}. They go with the next sync.";
    WhichRecord = "请写明是哪一条记录。", "Say which record.";
    ReasonPrompt = "原因：", "Reason:";
    NotFromThat = "这种记录不能由那条记录建：或者种类之间没有引用，或者那条记录还没到这一步。", "That cannot be made from this record: either it does not refer to such records, or the record has not come so far.";
    NoSuchAudience = "可见范围有：village、team、county、sensitive。", "Audiences are village, team, county and sensitive.";
    NotAText = "这不是长文本字段，请用 set。", "This is no long text: use set.";
    NothingChanged = "没有改动。", "Nothing was changed.";
    NotInConflict = "这个字段没有待核对的值。", "This field does not have several values.";
    NoEditor = "请设置 EDITOR，或用 --text 写明全文。", "Set EDITOR, or say the whole text with --text.";
    WhichHousehold = "哪一户（编号、姓名开头或记录号）：", "Which household (number, beginning of the name, or id):";
    NoSuchRecord = "没有这样的记录。", "There is no such record.";
    FourLooks = "四看（四位数字，如 1121，- 表示不填）：", "Four looks (four digits, as 1121; - for none):";
    FourLooksHow = "请写四位数字，每位一看，如 1121。", "Write four digits, one for each look, as 1121.";
    ShellHint = "Tab 补全命令和记录，exit 退出。", "Tab completes commands and records; exit leaves.";
    ShellPrompt = "驻村（未回执 {}）> ", "zhucun ({} unsent)> ";
}

impl Lang {
    /// The language of a command line: as `--lang` says, else English if the environment speaks it, else Chinese.
    pub fn of_arguments(arguments: impl Iterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.collect();
        let separate = arguments.windows(2).find_map(|pair| match pair {
            [flag, value] if flag == "--lang" => Some(value.as_str()),
            _ => None,
        });
        let joined = || {
            arguments
                .iter()
                .find_map(|argument| argument.strip_prefix("--lang="))
        };
        let said = separate.or_else(joined);
        let spoken = || {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set)
        };
        let is_english = said.map_or_else(
            || spoken().is_some_and(|lang| lang.starts_with("en")),
            |lang| lang == "en",
        );
        if is_english { Self::En } else { Self::Zh }
    }

    /// One of two texts.
    pub const fn pick<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// A label of the catalogue.
    pub fn of(self, label: &Label) -> &str {
        self.pick(&label.zh, &label.en)
    }

    /// A sentence.
    pub const fn say(self, text: Text) -> &'static str {
        let (zh, en) = text.both();
        self.pick(zh, en)
    }

    /// A sentence with its gaps filled, in order.
    pub fn fill(self, text: Text, values: &[&str]) -> String {
        let mut parts = self.say(text).split("{}");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for (value, part) in values.iter().zip(parts) {
            filled.push_str(value);
            filled.push_str(part);
        }
        filled
    }

    /// What stands between the parts of a list.
    pub const fn comma(self) -> &'static str {
        self.pick("、", ", ")
    }

    /// What stands between a name and what it names.
    pub const fn colon(self) -> &'static str {
        self.pick("：", ": ")
    }

    /// Yes or no.
    pub const fn yes_or_no(self, yes: bool) -> &'static str {
        if yes {
            self.pick("是", "yes")
        } else {
            self.pick("否", "no")
        }
    }

    /// What became of a command, with why; the field by its label where the kind is known.
    pub fn fate(self, fate: &Fate, kind: Option<&Kind>) -> String {
        let (word, codes, words, field) = match fate {
            Fate::Accepted => return self.say(Text::Received).to_owned(),
            Fate::Flagged(codes) => (
                self.pick("已收到，有标记", "received, marked"),
                codes.clone(),
                FLAGS,
                None,
            ),
            Fate::NoEffect(code) => (
                self.say(Text::WithoutEffect),
                vec![code.clone()],
                NO_EFFECT,
                None,
            ),
            Fate::Refused(code, field) => (
                self.say(Text::WasRefused),
                vec![code.clone()],
                REFUSED,
                field.as_ref(),
            ),
        };
        let reasons: Vec<String> = codes
            .iter()
            .map(|code| self.code(words, code).to_owned())
            .collect();
        let field = field.map_or_else(String::new, |name| {
            let known = kind.and_then(|kind| kind.field(name));
            let label = match (known, name.as_str()) {
                (Some(field), _) => self.of(&field.label),
                (None, "reason") => self.pick("原因", "reason"),
                (None, other) => other,
            };
            self.pick("（", " (").to_owned() + label + self.pick("）", ")")
        });
        format!(
            "{word}{}{}{field}",
            self.colon(),
            reasons.join(self.comma())
        )
    }

    /// Why a command that counts is marked.
    pub fn flag(self, cause: &str) -> &'static str {
        self.code(FLAGS, cause)
    }

    fn code(self, words: &'static [CodeWords], code: &str) -> &'static str {
        let found = words.iter().find(|words| words.code == code);
        found.map_or(
            self.pick(
                "原因不明，请更新应用",
                "for a reason that this version does not know",
            ),
            |words| self.pick(words.zh, words.en),
        )
    }

    /// What to do about what became of a command; nothing, if there is nothing to do.
    pub fn remedy(self, fate: &Fate) -> &'static str {
        let found = match fate {
            Fate::Accepted => None,
            Fate::Flagged(codes) => FLAGS
                .iter()
                .find(|words| codes.first().is_some_and(|code| code == words.code)),
            Fate::NoEffect(code) => NO_EFFECT.iter().find(|words| words.code == code),
            Fate::Refused(code, _) => REFUSED.iter().find(|words| words.code == code),
        };
        found.map_or("", |words| self.pick(words.zh_remedy, words.en_remedy))
    }

    /// Why a batch was not taken.
    pub fn outcome(self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Entered { .. } => self.say(Text::Received).to_owned(),
            Outcome::Gap { expected } => {
                let before = self.pick("服务器还缺第 ", "the server lacks what comes before; it continues at ");
                format!("{before}{expected}{}", self.pick(" 号，先补齐前面的", ""))
            }
            Outcome::Forked => {
                self.pick("服务器的历史与本机核对过的不同，请告知管理员", "the server shows another history than this device verified: tell an administrator").to_owned()
            }
            Outcome::Equivocation => {
                self.pick("同一编号服务器已有别的内容（本机可能被复制过）", "the server has something else under this number (this device may have been cloned)").to_owned()
            }
            Outcome::Busy => self.pick("服务器繁忙", "the server is busy").to_owned(),
            Outcome::Quota { .. } => self.pick("今天的上传额度已满", "the day's quota is used up").to_owned(),
            Outcome::Unusable { code } => self.code(UNUSABLE, code).to_owned(),
        }
    }

    /// What a command did, in a few words.
    pub fn did(
        self,
        kind: Option<&Kind>,
        verb: Verb,
        action: Option<&str>,
        fields: &[String],
    ) -> String {
        let label = |name: &String| {
            let field = kind.and_then(|kind| kind.field(name));
            field.map_or_else(|| name.clone(), |field| self.of(&field.label).to_owned())
        };
        let fields = fields
            .iter()
            .map(label)
            .collect::<Vec<_>>()
            .join(self.comma());
        let word = match verb {
            Verb::Create => return self.pick("登记", "created").to_owned(),
            Verb::Act => {
                let action = action.and_then(|name| Some(self.of(&kind?.action(name)?.label)));
                return action.unwrap_or_default().to_owned();
            }
            Verb::Seal => {
                let month = action.unwrap_or_default();
                return format!("{} {month}", self.pick("月结", "closed"));
            }
            Verb::Clear => {
                let cause = self.flag(action.unwrap_or_default());
                return format!("{}{cause}", self.pick("解除标记：", "cleared the mark: "));
            }
            Verb::Void => return self.pick("作废", "voided").to_owned(),
            Verb::Erase => return self.pick("依法删除", "erased").to_owned(),
            Verb::Set if fields.is_empty() => {
                return self
                    .pick("扩大可见范围", "opened to more readers")
                    .to_owned();
            }
            Verb::Set => self.pick("填写", "set"),
            Verb::Edit => self.pick("修改", "edited"),
            Verb::Insert => self.pick("添加", "added to"),
            Verb::Remove => self.pick("移除", "removed from"),
            Verb::Amend => self.pick("更正", "amended"),
            Verb::Reveal => self.pick("查看原文", "revealed"),
        };
        format!("{word} {fields}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_as_much() {
        for text in Text::ALL {
            let (zh, en) = text.both();
            assert_eq!(
                zh.matches("{}").count(),
                en.matches("{}").count(),
                "{text:?}"
            );
            assert!(!zh.is_empty() && !en.is_empty(), "{text:?}");
            assert!(en.is_ascii() || en.contains('…'), "{text:?}");
        }
    }

    #[test]
    fn gaps_are_filled_in_order() {
        assert_eq!(
            Lang::En.fill(Text::Saved, &["1a2b3c4d", "3"]),
            "Saved 1a2b3c4d. 3 without a receipt."
        );
        assert_eq!(Lang::Zh.fill(Text::AtEntry, &["已收到", "7"]), "已收到 #7");
    }

    #[test]
    fn the_language_is_that_of_the_flag() {
        let of = |arguments: &[&str]| {
            Lang::of_arguments(arguments.iter().map(|argument| (*argument).to_owned()))
        };
        assert_eq!(of(&["zhucun-field", "--lang", "en", "due"]), Lang::En);
        assert_eq!(of(&["zhucun-field", "due", "--lang=zh"]), Lang::Zh);
    }
}
