//! Asking how a report stands, with its number and its secret.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;
use store::personal::Personal;

use super::page::{Input, Page, after};
use crate::reports::Answer;

const NUMBER: &str = "number";
const SECRET: &str = "secret";

/// More than any number has, so that none of them is cut off.
const NUMBER_CHARS_MAX: usize = 40;

/// Number and secret lead to nothing: which of them is wrong is told nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrong;

/// The number and the secret that a browser sent.
pub(super) fn read(body: &[u8]) -> (String, String) {
    let (mut number, mut secret) = (String::new(), String::new());
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            NUMBER => number = value.trim().chars().take(NUMBER_CHARS_MAX).collect(),
            SECRET => secret = value.into_owned(),
            _ => {}
        }
    }
    (number, secret)
}

impl Page<'_> {
    /// The form that asks for number and secret; once more, if they lead to nothing.
    pub(super) fn question(&self, number: &str, wrong: Option<Wrong>) -> Response {
        let input = |name, label, typed| Input {
            name,
            label,
            typed,
            hint: "",
            kind: "text",
            mistake: None,
        };
        let body = html! {
            @if wrong.is_some() {
                div.wrong role="alert" {
                    p { (self.say("编号和密码对不上。请对照收到时的页面再填一次。",
                        "This number and this secret do not belong together. Compare them with the page that you were given.")) }
                }
            }
            form method="post" action=(self.path("/answer", self.lang)) {
                (input(NUMBER, self.say("编号", "Number"), number).shown())
                (input(SECRET, self.say("密码", "Secret"), "").shown())
                button type="submit" { (self.say("查询", "Ask")) }
            }
            p { a href=(self.path("", self.lang)) { (self.say("我要反映情况", "Report a household")) } }
        };
        let status = match wrong {
            None => StatusCode::OK,
            Some(Wrong) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        self.shown(status, self.asking(), "/answer", &body)
    }

    /// How a report stands: its state and its dates, and why it was found unfounded.
    pub(super) fn answered(&self, number: &str, answer: &Answer) -> Response {
        let body = html! {
            dl {
                dt { (self.say("编号", "Number")) } dd { (number) }
                dt { (self.say("办理情况", "How it stands")) }
                dd.keep {
                    @if answer.is_void { (self.say("已作废", "Withdrawn by the village")) }
                    @else { (self.lang.label(&answer.state)) }
                }
                @if let Some(since) = answer.since.filter(|_| !answer.is_void) {
                    dt { (self.say("从哪天起", "Since")) } dd { (since) }
                }
                @if let Some(Personal(reason)) = &answer.reason {
                    dt { (self.say("原因", "Why")) } dd { (reason) }
                }
                @if let Some(told_on) = answer.told_on {
                    dt { (self.say("告知日期", "Told on")) } dd { (told_on) }
                }
            }
        };
        self.shown(StatusCode::OK, self.asking(), "/answer", &body)
    }

    /// What somebody is told who asks too often.
    pub(super) fn asked_too_often(&self, seconds: u64) -> Response {
        let body = html! {
            div.wrong role="alert" {
                p { (self.say("查询太频繁，请过几分钟再试。", "This was asked too often. Please try again in some minutes.")) }
            }
        };
        let page = self.shown(
            StatusCode::TOO_MANY_REQUESTS,
            self.asking(),
            "/answer",
            &body,
        );
        after(page, seconds)
    }

    fn asking(&self) -> &'static str {
        self.say("查询办理情况", "How a report stands")
    }
}
