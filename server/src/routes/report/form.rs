//! The form of a report: what is asked, what somebody typed, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use store::personal::Personal;
use sync_core::catalog::{Catalogue, Category, FieldType, Kind};
use sync_core::id::Date;
use sync_core::value::{Fields, Value};

use super::page::{AGAIN_SECONDS, Input, Lang, Page, after};
use crate::reports::{KIND, Report};

const RISKS: &str = "risks";
const HOUSEHOLD: &str = "household_as_told";
const GROUP: &str = "group_as_told";
const NOTE: &str = "note";
const REPORTER: &str = "reporter";
const CONTACT: &str = "contact";

/// The fields of the record that are texts, as the form asks for them.
const TEXTS: [&str; 5] = [HOUSEHOLD, GROUP, NOTE, REPORTER, CONTACT];
/// Those of them that only the village's own phones hold.
const SENSITIVE: [&str; 2] = [REPORTER, CONTACT];

/// What somebody typed. It is people's data, and never printed.
#[derive(Default)]
pub(super) struct Form {
    risks: BTreeSet<String>,
    texts: BTreeMap<&'static str, String>,
}

/// What is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// It names no household.
    NoHousehold,
    /// It says nothing of what happened.
    NothingHappened,
    /// A text is longer than so many characters.
    TooLong(&'static str, u32),
}

impl Mistake {
    fn field(self) -> &'static str {
        match self {
            Self::NoHousehold => HOUSEHOLD,
            Self::NothingHappened => NOTE,
            Self::TooLong(field, _) => field,
        }
    }

    fn words(self, page: &Page<'_>) -> String {
        match self {
            Self::NoHousehold => page.say("请写明是哪一户。", "Please say whose household it is."),
            Self::NothingHappened => page.say(
                "请至少选一项，或者用一句话说明。",
                "Please choose at least one, or say it in a sentence.",
            ),
            Self::TooLong(_, most) => {
                return match page.lang {
                    Lang::Zh => format!("请不要超过 {most} 个字。"),
                    Lang::En => format!("Please keep to {most} characters."),
                };
            }
        }
        .to_owned()
    }
}

/// Why a report cannot be taken now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Later {
    /// More come in than are taken.
    TooMany {
        /// When to try again.
        seconds: u64,
    },
    /// Something is wrong here.
    OutOfOrder,
}

impl Later {
    fn words(self, page: &Page<'_>) -> String {
        let Self::TooMany { seconds } = self else {
            let words = page.say(
                "系统出了问题，这一条没有收下。请过一会儿再按“提交”。",
                "Something is out of order here, and this one was not taken. Please press “Send” again later.",
            );
            return words.to_owned();
        };
        let minutes = seconds.div_ceil(60);
        match page.lang {
            Lang::Zh => {
                format!("现在提交的人太多，这一条没有收下。请过 {minutes} 分钟再按“提交”。")
            }
            Lang::En => format!(
                "Too many reports are coming in, and this one was not taken. Please press “Send” again in {minutes} min."
            ),
        }
    }
}

/// A text as the record can hold it: browsers end lines their own way, and nobody types other control characters on purpose.
fn plain(text: &str, one_line: bool) -> String {
    let text = text
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let keep = |c: char| match c {
        '\n' | '\t' if !one_line => c,
        c if c.is_control() => ' ',
        c => c,
    };
    text.trim().chars().map(keep).collect()
}

fn kind(catalogue: &Catalogue) -> Option<&Kind> {
    catalogue.kind(KIND)
}

/// The risks that can be chosen, as the catalogue lists them today, and how many of them a record takes.
fn risks(catalogue: &Catalogue, today: Date) -> (Vec<&Category>, usize) {
    let field = kind(catalogue).and_then(|kind| kind.field(RISKS));
    let Some(FieldType::Codes { set, max }) = field.map(|field| &field.ty) else {
        return (Vec::new(), 0);
    };
    let set = catalogue.set(set);
    let codes = set.into_iter().flat_map(|set| set.in_force(today));
    (codes.collect(), usize::try_from(*max).unwrap_or(usize::MAX))
}

/// How many characters a text of the record takes, and whether it is of one line; nothing if the catalogue knows no such text.
fn limit(catalogue: &Catalogue, name: &str) -> Option<(u32, bool)> {
    match kind(catalogue)?.field(name)?.ty {
        FieldType::Text { max } => Some((max, true)),
        FieldType::LongText { max } => Some((max, false)),
        _ => None,
    }
}

impl Form {
    /// What a browser sent. What the form does not ask for is passed over.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            if name == RISKS {
                form.risks.insert(value.into_owned());
            } else if let Some(field) = TEXTS.into_iter().find(|field| name == *field) {
                form.texts.insert(field, value.into_owned());
            }
        }
        form
    }

    fn typed(&self, field: &str) -> &str {
        self.texts.get(field).map_or("", String::as_str)
    }

    /// What the form says, as fields of a record; or everything that is wrong with it.
    pub(super) fn report(
        &self,
        catalogue: &Catalogue,
        today: Date,
    ) -> Result<Report, Vec<Mistake>> {
        let (mut open, mut sensitive) = (Fields::default(), Fields::default());
        let mut mistakes = Vec::new();
        for field in TEXTS {
            let Some((max, one_line)) = limit(catalogue, field) else {
                continue;
            };
            let text = plain(self.typed(field), one_line);
            if text.is_empty() {
                continue;
            }
            if text
                .chars()
                .nth(usize::try_from(max).unwrap_or(usize::MAX))
                .is_some()
            {
                mistakes.push(Mistake::TooLong(field, max));
            }
            let fields = if SENSITIVE.contains(&field) {
                &mut sensitive
            } else {
                &mut open
            };
            fields.insert(field.to_owned(), Value::text(text));
        }
        let (known, max) = risks(catalogue, today);
        let chosen = known.iter().filter(|risk| self.risks.contains(&risk.code));
        let chosen: Vec<Value> = chosen
            .map(|risk| Value::text(&risk.code))
            .take(max)
            .collect();
        if chosen.is_empty() && !open.contains_key(NOTE) {
            mistakes.insert(0, Mistake::NothingHappened);
        }
        if !open.contains_key(HOUSEHOLD) {
            mistakes.insert(0, Mistake::NoHousehold);
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if !chosen.is_empty() {
            open.insert(RISKS.to_owned(), Value::List(chosen));
        }
        Ok(Report {
            open: Personal(open),
            sensitive: Personal(sensitive),
        })
    }

    /// The page with the form.
    pub(super) fn shown(&self, page: &Page<'_>, catalogue: &Catalogue, today: Date) -> Response {
        let body = html! {
            p { (page.say("哪家遇到了难处，谁都可以在这里告诉村里，不用注册。", "Anybody can tell the village here of a household in need. No account is needed.")) }
            (self.fields(page, catalogue, today, &[]))
        };
        page.shown(StatusCode::OK, title(page), "", &body)
    }

    /// The form once more, with all that was typed, and what is wrong with it.
    pub(super) fn corrected(
        &self,
        page: &Page<'_>,
        catalogue: &Catalogue,
        today: Date,
        mistakes: &[Mistake],
    ) -> Response {
        let body = html! {
            div.wrong role="alert" {
                p { (page.say("还没有提交，请先改正：", "It was not sent yet. Please correct this first:")) }
                ul { @for mistake in mistakes {
                    li { a href=(format!("#{}", mistake.field())) { (mistake.words(page)) } }
                } }
            }
            (self.fields(page, catalogue, today, mistakes))
        };
        page.shown(StatusCode::UNPROCESSABLE_ENTITY, title(page), "", &body)
    }

    /// The form once more, with all that was typed, for whom it cannot be taken now: what to do instead.
    pub(super) fn later(
        &self,
        page: &Page<'_>,
        catalogue: &Catalogue,
        today: Date,
        why: Later,
    ) -> Response {
        let body = html! {
            div.wrong role="alert" {
                p { (why.words(page)) }
                p { (page.elsewhere()) }
            }
            (self.fields(page, catalogue, today, &[]))
        };
        let (status, seconds) = match why {
            Later::TooMany { seconds } => (StatusCode::TOO_MANY_REQUESTS, seconds),
            Later::OutOfOrder => (StatusCode::SERVICE_UNAVAILABLE, AGAIN_SECONDS),
        };
        let title = page.say("没有收下", "Not taken");
        after(page.shown(status, title, "", &body), seconds)
    }

    fn fields(
        &self,
        page: &Page<'_>,
        catalogue: &Catalogue,
        today: Date,
        mistakes: &[Mistake],
    ) -> Markup {
        let input = |name: &'static str, kind: &str, label: &str, hint: &str| {
            let mistake = mistakes.iter().find(|mistake| mistake.field() == name);
            let mistake = mistake.map(|mistake| mistake.words(page));
            let typed = self.typed(name);
            let mistake = mistake.as_deref();
            Input {
                name,
                label,
                hint,
                typed,
                kind,
                mistake,
            }
            .shown()
        };
        html! {
            form method="post" action=(page.path("", page.lang)) {
                fieldset {
                    legend { (page.say("发生了什么？可以选几项", "What happened? Choose as many as hold")) }
                    @for risk in risks(catalogue, today).0 {
                        label.choice {
                            input type="checkbox" name=(RISKS) value=(risk.code) checked[self.risks.contains(&risk.code)];
                            span { (page.lang.label(&risk.label)) }
                        }
                    }
                }
                (input(NOTE, "textarea", page.say("用一句话说明", "Say it in a sentence"), page.say("比如：男主人住院，欠了医药费。", "For example: the father is in hospital, and they owe for it.")))
                (input(HOUSEHOLD, "text", page.say("哪一户（必填）", "Whose household (needed)"), page.say("平时怎么叫就怎么写，比如：马五家。", "As people call it.")))
                (input(GROUP, "text", page.say("哪个村民组", "Which group of the village"), page.say("不清楚可以不填。", "Leave it empty if you do not know.")))
                fieldset {
                    legend { (page.say("怎么找您？可以不填", "How can you be reached? You need not say")) }
                    p.hint { (page.say("只有本村工作人员能看到，不会公开。", "Only those who work for the village see this. It is never published.")) }
                    (input(REPORTER, "text", page.say("您的称呼", "Your name"), ""))
                    (input(CONTACT, "tel", page.say("电话", "Telephone"), ""))
                }
                button type="submit" { (page.say("提交", "Send")) }
            }
            p { a href=(page.path("/answer", page.lang)) { (page.say("查询以前反映的办理情况", "Ask how an earlier report stands")) } }
        }
    }
}

fn title<'s>(page: &Page<'_>) -> &'s str {
    page.say("一键报贫", "Report a household in need")
}
