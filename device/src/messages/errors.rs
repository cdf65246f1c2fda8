//! The wording of everything that can go wrong, with what to do about it.

use std::io;

use rustyline::error::ReadlineError;
use sync_core::seal::SealError;
use sync_core::sync::device::{CannotSave, LyingServer};
use sync_core::vault::{UnlockError, WeakPin};

use super::{Lang, PROBLEMS, Text};
use crate::field::{EnrolError, OpenError, ParcelError, SaveError, SyncError};
use crate::look::NotOne;
use crate::server::{Failure, Problem};
use crate::store::{Refused, StoreError};
use crate::values::Misread;

/// What a person can be told.
pub trait Worded {
    /// In his language.
    fn worded(&self, lang: Lang) -> String;
}

/// What is wrong with a command, with the help that its words have in his language already.
impl Worded for clap::Error {
    fn worded(&self, _lang: Lang) -> String {
        self.to_string().trim_end().to_owned()
    }
}

/// A sentence by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said(pub Text);

impl Worded for Said {
    fn worded(&self, lang: Lang) -> String {
        lang.say(self.0).to_owned()
    }
}

/// There is no such kind; these there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoKind(pub String, pub Vec<String>);

impl Worded for NoKind {
    fn worded(&self, lang: Lang) -> String {
        let kinds = self.1.join(lang.comma());
        let name = &self.0;
        match lang {
            Lang::Zh => format!("没有“{name}”这种记录。有：{kinds}"),
            Lang::En => format!("There is no kind “{name}”. There are: {kinds}"),
        }
    }
}

/// There is no such action; these may be taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAction(pub String, pub Vec<String>);

impl Worded for NoAction {
    fn worded(&self, lang: Lang) -> String {
        let actions = self.1.join(lang.comma());
        let name = &self.0;
        match lang {
            Lang::Zh => format!("不能这样办：“{name}”。现在可办：{actions}"),
            Lang::En => format!("There is no action “{name}”. You may: {actions}"),
        }
    }
}

impl Worded for Misread {
    fn worded(&self, lang: Lang) -> String {
        let list = |names: &[String]| names.join(lang.comma());
        match (self, lang) {
            (Self::NoField(name, fields), Lang::Zh) => {
                format!("没有字段“{name}”。有：{}", list(fields))
            }
            (Self::NoField(name, fields), Lang::En) => {
                format!("There is no field “{name}”. There are: {}", list(fields))
            }
            (Self::Value(misread), lang) => misread.worded(lang),
            (Self::Record(text, NotOne::None), Lang::Zh) => format!("没有这样的记录：“{text}”"),
            (Self::Record(text, NotOne::None), Lang::En) => {
                format!("There is no such record: “{text}”")
            }
            (Self::Record(text, NotOne::Several(rows)), lang) => {
                let row = |row: &crate::look::Row| format!("{} {}", row.record.short(), row.title);
                let rows = rows
                    .iter()
                    .take(9)
                    .map(row)
                    .collect::<Vec<_>>()
                    .join(lang.comma());
                match lang {
                    Lang::Zh => format!("“{text}”不止一条：{rows}"),
                    Lang::En => format!("“{text}” names several: {rows}"),
                }
            }
            (Self::Person(text), Lang::Zh) => format!("没有叫“{text}”的同事，或不止一位"),
            (Self::Person(text), Lang::En) => format!("There is no colleague “{text}”, or several"),
            (Self::Assignment(text), Lang::Zh) => format!("“{text}”请写成 字段=内容"),
            (Self::Assignment(text), Lang::En) => format!("“{text}”: write FIELD=VALUE"),
        }
    }
}

impl Worded for CannotSave {
    fn worded(&self, lang: Lang) -> String {
        let said = match self {
            Self::UnknownJournal => lang.pick(
                "本机没有这个村的资料，请先同步。",
                "This village is not on this device: sync first.",
            ),
            Self::NotAssigned => lang.say(Text::NoVillage),
            Self::NoCatalogue => lang.say(Text::NoCatalogue),
            Self::UnknownRecord => lang.say(Text::NoSuchRecord),
            Self::FormClosed => lang.pick("这张表单已经关闭。", "This form is closed."),
            Self::NothingToOffer => lang.pick(
                "没有可以重新提交的内容。",
                "There is nothing to offer again.",
            ),
            Self::InConflict(field) => {
                return match lang {
                    Lang::Zh => format!("“{field}”有几个值待核对，请先用 choose 选定。"),
                    Lang::En => format!("{field} has several values: choose one first."),
                };
            }
            Self::WouldNotCount(fate) => {
                let remedy = lang.remedy(fate);
                return format!(
                    "{}{}\n{remedy}",
                    lang.pick("没有保存，因为会被", "Not saved, for it would be "),
                    lang.fate(fate, None)
                )
                .trim_end()
                .to_owned();
            }
        };
        said.to_owned()
    }
}

impl Worded for SaveError {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Cannot(cannot) => cannot.worded(lang),
            Self::Store(error) => error.worded(lang),
        }
    }
}

impl Worded for StoreError {
    fn worded(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Missing(folder), Lang::Zh) => {
                format!("{} 里没有登记过的设备，请先 enrol。", folder.display())
            }
            (Self::Missing(folder), Lang::En) => format!(
                "No device is enrolled in {}: enrol first.",
                folder.display()
            ),
            (Self::Occupied(folder), Lang::Zh) => {
                format!("{} 里已经有设备数据，不会覆盖。", folder.display())
            }
            (Self::Occupied(folder), Lang::En) => format!(
                "There is a device in {} already; it is not overwritten.",
                folder.display()
            ),
            (Self::InUse, Lang::Zh) => "另一个窗口正在使用，请先关闭它。".to_owned(),
            (Self::InUse, Lang::En) => {
                "Another window is using it: close that one first.".to_owned()
            }
            (Self::Failed(why), Lang::Zh) => {
                format!("没有保存，存储出错：{why}\n请检查磁盘空间后再试。")
            }
            (Self::Failed(why), Lang::En) => {
                format!("Not saved, the store fails: {why}\nCheck the disk and try again.")
            }
            (Self::Damaged(name), Lang::Zh) => {
                format!("存储中的 {name} 打不开：已损坏或被改动。请不要删除文件，联系管理员。")
            }
            (Self::Damaged(name), Lang::En) => {
                format!(
                    "{name} in the store does not open: damaged or changed. Keep the files and ask an administrator."
                )
            }
        }
    }
}

impl Worded for Refused {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Store(error) => error.worded(lang),
            Self::Unlock(UnlockError::WrongPin { tries_left: 0 } | UnlockError::Destroyed) => lang
                .pick(
                    "PIN 错误次数过多，本机资料已销毁。已封存的内容还能送达：rescue 文件。之后清空目录重新登记。",
                    "Too many wrong PINs: what this device held was destroyed. What was sealed can still be delivered: rescue FILE. Then empty the folder and enrol anew.",
                )
                .to_owned(),
            Self::Unlock(UnlockError::WrongPin { tries_left }) => lang.fill(Text::WrongPin, &[&tries_left.to_string()]),
            Self::Unlock(UnlockError::OtherDevice) => {
                lang.pick("设备密钥文件与本机存储不匹配。", "The device's secret does not belong to this store.").to_owned()
            }
        }
    }
}

impl Worded for OpenError {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Refused(refused) => refused.worded(lang),
            Self::NotEnrolled => lang
                .pick(
                    "本机还没有登记，请先 enrol。",
                    "No device is enrolled here: enrol first.",
                )
                .to_owned(),
            Self::Damaged(what) => StoreError::Damaged(what.clone()).worded(lang),
        }
    }
}

impl Worded for WeakPin {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Length => lang.pick(
                "PIN 太短或太长，请用 6 位以上。",
                "The PIN is too short or too long: take 6 characters or more.",
            ),
            Self::Guessed => lang.pick(
                "这个 PIN 太容易猜到，请换一个。",
                "This PIN is too easy to guess: take another.",
            ),
        }
        .to_owned()
    }
}

impl Worded for EnrolError {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Code => lang
                .pick(
                    "登记码应是 16 位字母和数字，如 7Q2K-9FXA-0MZT-B4CE。",
                    "A code has 16 letters and digits, as 7Q2K-9FXA-0MZT-B4CE.",
                )
                .to_owned(),
            Self::Pin(weak) => weak.worded(lang),
            Self::Locked(refused) => refused.worded(lang),
            Self::Already => lang
                .pick("本机已经登记过了。", "This device is enrolled already.")
                .to_owned(),
            Self::Other => lang
                .pick(
                    "这个登记码属于另一个人或另一个单位，没有改动。",
                    "The code belongs to another person or deployment; nothing was changed.",
                )
                .to_owned(),
            Self::Protocol(_) => problem(
                &Problem {
                    code: "protocol".to_owned(),
                    ..Problem::default()
                },
                lang,
            ),
            Self::Server(failure) => failure.worded(lang),
            Self::Store(error) => error.worded(lang),
        }
    }
}

impl Worded for SyncError {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::LoggedOut => lang
                .pick(
                    "需要重新登录：login 用户名。本机若已被停用或吊销，请用管理员发放的登记码重新登记：enrol 登记码。本机内容都在。",
                    "Log in again: login USER_NAME. If this device was suspended or revoked, enrol it anew with a code from an administrator: enrol CODE. All that is on it stays.",
                )
                .to_owned(),
            Self::Server(failure) => failure.worded(lang),
            Self::Lying(lying) => lying.worded(lang),
            Self::Store(error) => error.worded(lang),
        }
    }
}

impl Worded for LyingServer {
    fn worded(&self, lang: Lang) -> String {
        match lang {
            Lang::Zh => format!("服务器的回答与核对过的不符，一条也没有采用，请告知管理员：{self}"),
            Lang::En => format!(
                "The server's answer contradicts what was verified; nothing of it was taken in. Tell an administrator: {self}"
            ),
        }
    }
}

impl Worded for Failure {
    fn worded(&self, lang: Lang) -> String {
        match (self, lang) {
            (Self::Unreachable(why), Lang::Zh) => {
                format!("连不上服务器（{why}）。内容都在本机，有信号时再 sync。")
            }
            (Self::Unreachable(why), Lang::En) => format!(
                "The server cannot be reached ({why}). All is kept; sync again when there is a signal."
            ),
            (Self::Unreadable(why), Lang::Zh) => {
                format!("无法读取服务器的回答（{why}），请核对服务器地址或更新应用。")
            }
            (Self::Unreadable(why), Lang::En) => format!(
                "The server's answer cannot be read ({why}): check its address, or update the app."
            ),
            (Self::Problem(said), lang) => problem(said, lang),
        }
    }
}

/// What a server says, in the person's language: in its own words if it has them.
fn problem(said: &Problem, lang: Lang) -> String {
    let (title, remedy) = (
        lang.pick(&said.title_zh, &said.title),
        lang.pick(&said.remedy_zh, &said.remedy),
    );
    let known = PROBLEMS.iter().find(|words| words.code == said.code);
    let ours = known.map(|words| {
        (
            lang.pick(words.zh, words.en),
            lang.pick(words.zh_remedy, words.en_remedy),
        )
    });
    let (title, remedy) = match ours {
        // Its remedies are for programs; ours name the commands of this one.
        Some((title, remedy)) => (title, remedy),
        None if !title.is_empty() => (title, remedy),
        None => (lang.pick("服务器出错", "the server failed"), ""),
    };
    let wait = said
        .retry_after_seconds
        .map(|seconds| lang.fill(Text::RetryAfter, &[&seconds.to_string()]));
    format!(
        "{title} ({}) {remedy} {}",
        said.code,
        wait.unwrap_or_default()
    )
    .trim_end()
    .to_owned()
}

impl Worded for ParcelError {
    fn worded(&self, lang: Lang) -> String {
        match self {
            Self::Seal(SealError::NoKey) => lang
                .pick(
                    "还不知道服务器的密钥，请先同步一次。",
                    "The server's key is not known yet: sync once.",
                )
                .to_owned(),
            Self::Seal(error) => match lang {
                Lang::Zh => format!("交换包不能用：{error}"),
                Lang::En => format!("The parcel cannot be used: {error}"),
            },
            Self::Elsewhere => lang
                .pick(
                    "这个交换包是给另一个服务器的。",
                    "This parcel is for another server.",
                )
                .to_owned(),
            Self::Store(error) => error.worded(lang),
        }
    }
}

impl Worded for io::Error {
    fn worded(&self, lang: Lang) -> String {
        match lang {
            Lang::Zh => format!("读写出错：{self}"),
            Lang::En => format!("Reading or writing failed: {self}"),
        }
    }
}

impl Worded for ReadlineError {
    fn worded(&self, lang: Lang) -> String {
        io::Error::other(self.to_string()).worded(lang)
    }
}
