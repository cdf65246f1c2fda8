//! How the documents of a day become records of the shipped catalogue: nothing of them is left out.
//!
//! | in the document | here |
//! | --- | --- |
//! | `type`, `village`, `id`, `user` | the kind, the journal, the record's derived id, the author's device |
//! | `household` | a reference to a household's record, whose `code` it is |
//! | a visit | a `visit`, created at `createdAt`; what is sensitive of it is written at `updatedAt` |
//! | a task | the `visit` it comes from, and the `task` with `title`, `status`, `checklist`, `followUp`, `log` |
//! | an edit | a `Set` of `handling` and an `Edit` of `log`, both at `updatedAt` |
//!
//! A policy or status that is in no category of the catalogue is written into the note, with its name.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use sync_core::catalog::Catalogue;
use sync_core::command::{Splice, Verb};
use sync_core::id::{Date, RecordId, Timestamp, UserId};
use sync_core::sync::device::{Intent, Target};
use sync_core::value::{Fields, Value};

use super::day::Row;

/// An intent, and when it was had.
#[derive(Debug)]
pub(super) struct Dated {
    pub(super) at: Timestamp,
    pub(super) intent: Intent,
}

/// What a document becomes: the household that it is about, if nobody recorded that before; the visit, and what is added to it; the
/// task, if it is one.
pub(super) struct Document<'a> {
    row: &'a Row,
    visit: Fields,
    sensitive: Fields,
    task: Fields,
}

impl<'a> Document<'a> {
    /// The document of a row.
    pub(super) fn read(row: &'a Row, catalogue: &Catalogue) -> anyhow::Result<Self> {
        let mut document = Self {
            row,
            visit: Fields::default(),
            sensitive: Fields::default(),
            task: Fields::default(),
        };
        let mut note = String::new();
        for (name, json) in &row.json {
            let (visit, sensitive) = (&mut document.visit, &mut document.sensitive);
            // What a task says of its own state and next step is the task's; everything else is what was seen that day.
            let own = if row.is_task() {
                &mut document.task
            } else {
                &mut *visit
            };
            match name.as_str() {
                name if name.starts_with('_') => {}
                "type" | "village" | "id" | "user" | "household" | "createdAt" | "updatedAt" => {}
                "note" => note = format!("{}{note}", row.text_of(name)?),
                "status" => match code(catalogue, "handling", row.text_of(name)?) {
                    Some(code) => put(own, "handling", Value::text(code)),
                    None => note += &format!("\n{name}: {}", row.text_of(name)?),
                },
                "policy" => match code(catalogue, "benefit", row.text_of(name)?) {
                    Some(code) => put(visit, "benefit", Value::text(code)),
                    None => note += &format!("\n{name}: {}", row.text_of(name)?),
                },
                "date" => put(visit, "occurred_on", day(row.text_of(name)?)?),
                "time" => put(visit, "occurred_at", minutes(row.text_of(name)?)?),
                "followUp" if row.is_task() => {
                    put(own, "follow_up_on", day(row.text_of(name)?)?);
                }
                "followUp" => put(visit, "next_on", day(row.text_of(name)?)?),
                "cropMu" => put(visit, "crop_area", plain(json)?),
                "photos" => put(visit, "photos_kept", plain(json)?),
                "gps" => put(sensitive, "location", place(json)?),
                "illness" | "contact" => put(sensitive, name, plain(json)?),
                "title" | "log" | "checklist" => put(own, name, plain(json)?),
                _ => put(visit, name, plain(json)?),
            }
        }
        put(&mut document.visit, "note", Value::text(note));
        Ok(document)
    }

    /// The household that it is about.
    pub(super) fn household(&self) -> anyhow::Result<&'a str> {
        self.row.text_of("household")
    }

    /// The record of that household.
    pub(super) fn new_household(&self) -> anyhow::Result<Dated> {
        let name = self.row.text_of("householder")?;
        let intent = Intent::create("household")
            .with("householder", Value::text(name))
            .with("code", Value::text(self.household()?));
        self.dated("createdAt", intent)
    }

    /// The visit.
    pub(super) fn visit(&self, household: RecordId) -> anyhow::Result<Dated> {
        let mut intent = Intent::create("visit").link("household", household);
        intent.values = self.visit.clone();
        self.dated("createdAt", intent)
    }

    /// What is added to it afterwards.
    pub(super) fn particulars(&self, visit: RecordId) -> anyhow::Result<Option<Dated>> {
        if self.sensitive.is_empty() {
            return Ok(None);
        }
        let mut intent = Intent::set(visit);
        intent.values = self.sensitive.clone();
        self.dated("updatedAt", intent).map(Some)
    }

    /// The task that comes from it.
    pub(super) fn task(
        &self,
        household: RecordId,
        visit: RecordId,
        author: UserId,
    ) -> anyhow::Result<Option<Dated>> {
        if !self.row.is_task() {
            return Ok(None);
        }
        let mut intent = Intent::create("task")
            .link("household", household)
            .link("visit", visit)
            .link("assignees", RecordId(author.0));
        intent.values = self.task.clone();
        self.dated("updatedAt", intent).map(Some)
    }

    fn dated(&self, name: &str, intent: Intent) -> anyhow::Result<Dated> {
        let at = instant(self.row.text_of(name)?)?;
        Ok(Dated { at, intent })
    }
}

/// What an edit does to a task whose log has so many code points.
pub(super) fn edit(
    row: &Row,
    task: RecordId,
    log_chars: usize,
    catalogue: &Catalogue,
) -> anyhow::Result<[Dated; 2]> {
    let at = instant(row.text_of("updatedAt")?)?;
    let (status, line) = (row.text_of("status")?, row.text_of("line")?);
    let (code, line) = match code(catalogue, "handling", status) {
        Some(code) => (Value::text(code), line.to_owned()),
        None => (Value::Null, format!("{line}status: {status}\n")),
    };
    let set = Intent::set(task).with("handling", code);
    let mut append = Intent::new(Target::Existing(task), Verb::Edit);
    let splice = Splice {
        at: u32::try_from(log_chars)?,
        delete: 0,
        insert: line,
    };
    append.edit = Some(("log".to_owned(), vec![splice]));
    Ok([set, append].map(|intent| Dated { at, intent }))
}

fn put(fields: &mut Fields, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

/// The code whose label this is.
fn code(catalogue: &Catalogue, set: &str, label: &str) -> Option<String> {
    // The format's own short name for one of them.
    let label = if label == "待镇审核" {
        "待乡镇审核"
    } else {
        label
    };
    let codes = &catalogue.set(set)?.codes;
    let found = codes.iter().find(|category| category.label.zh == label);
    found.map(|category| category.code.clone())
}

pub(super) fn instant(text: &str) -> anyhow::Result<Timestamp> {
    let (date, time) = text
        .trim_end_matches('Z')
        .split_once('T')
        .with_context(|| format!("{text} is no instant"))?;
    let days: i64 = date.parse::<Date>().context("no date")?.0.into();
    let (clock, ms) = time.split_once('.').unwrap_or((time, "0"));
    let mut seconds = 0;
    for part in clock.split(':') {
        seconds = seconds * 60 + part.parse::<i64>()?;
    }
    Ok(Timestamp(
        (days * 86_400 + seconds) * 1000 + ms.parse::<i64>()?,
    ))
}

fn day(text: &str) -> anyhow::Result<Value> {
    let date = text
        .parse::<Date>()
        .with_context(|| format!("{text} is no date"))?;
    Ok(Value::Int(date.0.into()))
}

fn minutes(text: &str) -> anyhow::Result<Value> {
    let (hour, minute) = text.split_once(':').context("a time of day has a colon")?;
    Ok(Value::Int(
        hour.parse::<i64>()? * 60 + minute.parse::<i64>()?,
    ))
}

/// `{"lat":26.2,"lng":110.8,"acc":37}` as the catalogue writes places.
fn place(json: &Json) -> anyhow::Result<Value> {
    let part = |name: &str| json.get(name).context("a place has lat, lng and acc");
    Ok(Value::text(format!(
        "{},{};u={}",
        part("lat")?,
        part("lng")?,
        part("acc")?
    )))
}

fn plain(json: &Json) -> anyhow::Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => decimal(&number.to_string())?,
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::List(items.iter().map(plain).collect::<anyhow::Result<_>>()?),
        Json::Object(parts) => {
            let mut fields = Fields::default();
            for (name, part) in parts {
                put(&mut fields, name, plain(part)?);
            }
            Value::Struct(fields)
        }
    })
}

fn decimal(text: &str) -> anyhow::Result<Value> {
    let Some((whole, part)) = text.split_once('.') else {
        bail!("{text} is no decimal number")
    };
    let digits = format!("{whole}{part}").parse()?;
    Ok(Value::decimal(digits, -i8::try_from(part.len())?))
}

/// The households of a journal by their numbers.
pub(super) type Households = BTreeMap<String, RecordId>;
