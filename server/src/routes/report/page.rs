//! What all these pages have in common: one style sheet, which is part of the page, a policy that lets nothing else in, and who else can be told.

use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sync_core::catalog::Label;
use sync_core::id::sha256;

use crate::problem;
use crate::reports::{Receipt, Village};

/// When to try again where nobody can say.
pub(super) const AGAIN_SECONDS: u64 = 60;

const STYLE: &str = include_str!("page.css");

/// The page's own style, known by its hash, and forms to where it came from. Nothing else: no script, no picture, no frame.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(sha256(&[STYLE.as_bytes()]).0);
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    Zh,
    En,
}

impl Lang {
    /// What an address asks for: Chinese, unless it says `lang=en`.
    pub(super) fn asked(query: Option<&str>) -> Self {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        if pairs.any(|(name, value)| name == "lang" && value == "en") {
            Self::En
        } else {
            Self::Zh
        }
    }

    pub(super) const fn say<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    pub(super) fn label(self, label: &Label) -> &str {
        self.say(&label.zh, &label.en)
    }

    const fn code(self) -> &'static str {
        self.say("zh-CN", "en")
    }

    /// What an address ends in, to be read in this language.
    const fn query(self) -> &'static str {
        self.say("", "?lang=en")
    }
}

/// A page of a village that is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) lang: Lang,
    pub(super) village: &'a Village,
    pub(super) telephone: Option<&'a str>,
}

fn document(status: StatusCode, lang: Lang, title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
    };
    let policy = HeaderValue::from_str(&POLICY).expect("a policy is plain text");
    let headers = [(header::CONTENT_SECURITY_POLICY, policy)];
    problem::told_as_page((status, headers, Html(page.into_string())).into_response())
}

/// The page of a village that has none, or of something that is no village: nothing tells them apart.
pub(super) fn closed(lang: Lang) -> Response {
    let title = lang.say("这里没有开通", "Nothing is open here");
    let body = html! {
        h1 { (title) }
        p { (lang.say("这个地址没有开通一键报贫。请直接告诉村委会或驻村工作队。",
            "There is no page for reports at this address. Please tell the village committee or the stationed team directly.")) }
    };
    document(StatusCode::NOT_FOUND, lang, title, &body)
}

/// The page of a server that cannot answer now.
pub(super) fn out_of_order(lang: Lang) -> Response {
    let title = lang.say("暂时打不开", "Out of order for the moment");
    let body = html! {
        h1 { (title) }
        p { (lang.say("请过一会儿再试，或者直接告诉村委会或驻村工作队。",
            "Please try again later, or tell the village committee or the stationed team directly.")) }
    };
    let mut response = document(StatusCode::SERVICE_UNAVAILABLE, lang, title, &body);
    let again = HeaderValue::from(AGAIN_SECONDS);
    response.headers_mut().insert(header::RETRY_AFTER, again);
    response
}

/// A text field of a form.
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) hint: &'a str,
    pub(super) typed: &'a str,
    pub(super) kind: &'a str,
    pub(super) mistake: Option<&'a str>,
}

impl Input<'_> {
    /// The field with what was typed, and what is wrong with it beside it.
    pub(super) fn shown(&self) -> Markup {
        let Self {
            name,
            label,
            hint,
            typed,
            kind,
            mistake,
        } = self;
        let about = format!("{name}-about");
        html! {
            label.of for=(name) { (label) }
            p.hint id=(about) {
                @if let Some(mistake) = mistake { span.mistake { (mistake) " " } }
                (hint)
            }
            @if *kind == "textarea" {
                textarea id=(name) name=(name) rows="4" aria-describedby=(about) aria-invalid=[mistake.map(|_| "true")] { (typed) }
            } @else {
                input id=(name) name=(name) type=(kind) value=(typed) autocomplete="off" aria-describedby=(about)
                    aria-invalid=[mistake.map(|_| "true")];
            }
        }
    }
}

impl Page<'_> {
    pub(super) fn say<'s>(&self, zh: &'s str, en: &'s str) -> &'s str {
        self.lang.say(zh, en)
    }

    /// Where a page of this village lies; `rest` is what follows the village.
    pub(super) fn path(&self, rest: &str, lang: Lang) -> String {
        format!("/report/{}{rest}{}", self.village.journal, lang.query())
    }

    /// The page with a heading, a link to the other language, and who can be told in any case.
    pub(super) fn shown(
        &self,
        status: StatusCode,
        title: &str,
        rest: &str,
        body: &Markup,
    ) -> Response {
        let (other, other_lang) = match self.lang {
            Lang::Zh => ("English", Lang::En),
            Lang::En => ("中文", Lang::Zh),
        };
        let whole = html! {
            p.hint { (self.village.name) " · " a href=(self.path(rest, other_lang)) lang=(other_lang.code()) { (other) } }
            h1 { (title) }
            (body)
            p.hint { (self.elsewhere()) }
        };
        document(status, self.lang, title, &whole)
    }

    /// Whom somebody can tell instead.
    pub(super) fn elsewhere(&self) -> Markup {
        html! {
            (self.say("也可以直接告诉村委会或驻村工作队", "You can also tell the village committee or the stationed team directly"))
            @if let Some(telephone) = self.telephone {
                (self.say("，或拨打 ", ", or call ")) (telephone)
            }
            (self.say("。", "."))
        }
    }

    /// What is given in return for a report.
    pub(super) fn taken(&self, receipt: &Receipt) -> Response {
        let title = self.say("已收到", "Received");
        let body = html! {
            p { (self.say("村里会有人上门了解。请把下面的编号和密码记下来或者截图，以后凭它们查询办理情况。",
                "Somebody from the village will look into it. Write these down, or keep a picture of this screen: with them you can ask how it stands.")) }
            dl {
                dt { (self.say("编号", "Number")) } dd.keep { (receipt.number) }
                dt { (self.say("密码", "Secret")) } dd.keep { (receipt.secret.reveal()) }
            }
            p { (self.say("密码只显示这一次，我们不保存。", "The secret is shown this once, and we do not keep it.")) }
            p { a href=(self.path("/answer", self.lang)) { (self.say("查询办理情况", "Ask how it stands")) } }
        };
        self.shown(StatusCode::CREATED, title, "", &body)
    }

    /// What somebody is told who sends more than any form holds.
    pub(super) fn too_large(&self) -> Response {
        let title = self.say("内容太长，没有收下", "Too long: it was not taken");
        let body = html! {
            p { (self.say("请用几句话说明，细节等工作人员上门再谈。", "Please say it in a few sentences, and the rest when somebody comes to see you.")) }
            p { a href=(self.path("", self.lang)) { (self.say("重新填写", "Fill it in again")) } }
        };
        self.shown(StatusCode::PAYLOAD_TOO_LARGE, title, "", &body)
    }
}

/// Tells a browser, too, when to try again.
pub(super) fn after(mut response: Response, seconds: u64) -> Response {
    let seconds = HeaderValue::from(seconds);
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}
