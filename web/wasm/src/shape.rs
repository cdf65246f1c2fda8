//! What the core says, in the shapes of `web/src/core/api.ts`: each enum told arm by arm, and nothing decided.

mod catalogue;

use serde_json::{Map, Value as Json, json};
use sync_core::catalog::{Field, FieldType, Label, Part, Urgency, audience_name};
use sync_core::cbor;
use sync_core::cluster::{self, Cluster};
use sync_core::command::{Audience, Envelope, Origin, Verb};
use sync_core::id::{Date, JournalId, RecordId, Timestamp, UserId};
use sync_core::journal::Fate;
use sync_core::look::{
    Doubt, Draft, DraftLine, DraftSection, Due, FieldPage, Household, Look, Page, Reach, Row, both,
    masked,
};
use sync_core::record::{Mark, Step};
use sync_core::seal::SealError;
use sync_core::sync::courier::{Ask, Ended, Failed, Reply};
use sync_core::sync::device::{
    CannotSave, Effect, Received, Unanswered, Waiting, Whereabouts, Write,
};
use sync_core::sync::enrol::CannotEnrol;
use sync_core::sync::rounds::Synced;
use sync_core::sync::wire::Outcome;
use sync_core::value::{Fields, Value};
use sync_core::vault::{UnlockError, WeakPin};
use sync_core::view::{self, Said, Shown, View};

pub(crate) use catalogue::catalogue;

pub(crate) fn label(label: &Label) -> Json {
    json!({ "zh": label.zh, "en": label.en })
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Json) -> Json {
    items.iter().map(one).collect()
}

fn date(date: Date) -> String {
    date.to_string()
}

// --------------------------------------------------------------------------------------------------------------------- values

/// A value as the screens hold it, by its field's type.
pub(crate) fn value(ty: &FieldType, value: &Value) -> Json {
    match (ty, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Bool(yes)) => json!(yes),
        (FieldType::Date | FieldType::Time | FieldType::Decimal { .. }, Value::Int(_))
        | (_, Value::Decimal(..)) => json!(view::plain(ty, value)),
        (_, Value::Int(number)) => json!(number),
        (_, Value::Text(text)) => json!(text),
        (_, Value::Bytes(bytes)) => json!(hex(bytes)),
        (ty, Value::List(values)) => list(values, |one| self::value(ty, one)),
        (FieldType::List { parts, .. }, Value::Struct(item)) => item_of(parts, item),
        (_, Value::Struct(item)) => item_of(&[], item),
    }
}

fn item_of(parts: &[Part], item: &Fields) -> Json {
    let part = |(name, held): (&String, &Value)| {
        let declared = parts.iter().find(|part| part.name == *name);
        let ty = declared.map_or(&PLAIN, |part| &part.ty);
        (name.clone(), value(ty, held))
    };
    item.iter().map(part).collect::<Map<_, _>>().into()
}

const PLAIN: FieldType = FieldType::Text { max: 0 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// ---------------------------------------------------------------------------------------------------------------------- lists

pub(crate) fn person(look: &Look<'_>, user: Option<UserId>) -> Json {
    user.map_or(
        Json::Null,
        |user| json!({ "id": user.to_string(), "name": look.person(user) }),
    )
}

pub(crate) fn village(look: &Look<'_>, journal: JournalId, name: &str, role: Option<&str>) -> Json {
    let creates = look.creates(journal);
    let people = look.people(journal);
    json!({
        "journal": journal.to_string(),
        "name": name,
        "role": role,
        "creates": list(&creates, |kind| json!(kind.name)),
        "people": list(&people, |(id, name)| json!({ "id": id.to_string(), "name": name })),
    })
}

pub(crate) fn row(look: &Look<'_>, row: &Row) -> Json {
    let view = look.view(row.journal, row.record);
    let beside = view.map(|view| look.beside(&view)).unwrap_or_default();
    let shown = |(field, text): &(String, Label)| json!({ "field": field, "text": label(text) });
    json!({
        "journal": row.journal.to_string(),
        "record": row.record.to_string(),
        "kind": row.kind,
        "title": row.title,
        "state": row.state,
        "void": row.void,
        "touched": row.touched.0,
        "reach": reach(row.reach),
        "conflict": row.in_conflict,
        "shown": list(&beside, shown),
    })
}

/// What is doubtful of a record.
pub(crate) fn doubt(doubt: &Doubt) -> Json {
    json!({
        "journal": doubt.row.journal.to_string(),
        "record": doubt.row.record.to_string(),
        "kind": doubt.row.kind,
        "title": doubt.row.title,
        "check": doubt.check,
        "label": label(&doubt.label),
    })
}

/// What stands out of all that is here.
pub(crate) fn checks(look: &Look<'_>, clusters: &[Cluster], doubts: &[Doubt]) -> Json {
    let cluster = |cluster: &Cluster| {
        let cause = look
            .catalogue()
            .and_then(|all| cluster::cause(all, cluster));
        let cause = cause.map_or_else(|| both(&cluster.cause), Label::clone);
        json!({
            "place": look.place(cluster.area),
            "kind": cluster.kind,
            "cause": label(&cause),
            "households": cluster.households,
            "since": date(cluster.since),
        })
    };
    json!({ "clusters": list(clusters, cluster), "doubts": list(doubts, doubt) })
}

/// A paper as it would be printed now.
pub(crate) fn draft(draft: &Draft<'_>) -> Json {
    let line = |line: &DraftLine| json!({ "source": line.source.to_string(), "cells": list(&line.cells, label) });
    let section = |section: &DraftSection| {
        json!({
            "label": label(&section.label),
            "columns": list(&section.columns, label),
            "lines": list(&section.lines, line),
        })
    };
    let day = |(first, last): (Date, Date)| json!({ "first": date(first), "last": date(last) });
    json!({
        "paper": draft.paper.name,
        "place": draft.place,
        "period": draft.period.map(day),
        "title": draft.title.as_ref().map(label),
        "sections": list(&draft.sections, section),
    })
}

/// A line of the list of households.
pub(crate) fn household(look: &Look<'_>, household: &Household) -> Json {
    json!({
        "row": row(look, &household.row),
        "lastVisit": household.last_visit.map(date),
    })
}

/// A row as a search needs it.
pub(crate) fn hit(row: &Row) -> Json {
    json!({
        "journal": row.journal.to_string(),
        "record": row.record.to_string(),
        "kind": row.kind,
        "title": row.title,
        "state": row.state,
    })
}

const fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::OnPhone => "onPhone",
        Reach::Sent => "sent",
        Reach::Received => "received",
    }
}

pub(crate) fn due(look: &Look<'_>, due: &Due, today: Date) -> Json {
    let urgency = match due.urgency {
        Urgency::Clock => "clock",
        Urgency::Returned => "returned",
        Urgency::Conflict => "conflict",
        Urgency::Matter => "matter",
        Urgency::Care => "care",
        Urgency::Task => "task",
        Urgency::Promise => "promise",
        Urgency::Routine => "routine",
    };
    json!({
        "row": row(look, &due.row),
        "label": due.label.as_ref().map(label),
        "urgency": urgency,
        "due": due.due.map(date),
        "overdue": due.is_overdue(today),
        "since": due.since.0,
    })
}

// ----------------------------------------------------------------------------------------------------------------- one record

pub(crate) fn fate(fate: &Fate) -> Json {
    match fate {
        Fate::Accepted => json!({ "is": "accepted" }),
        Fate::Flagged(flags) => json!({ "is": "flagged", "flags": flags }),
        Fate::NoEffect(code) => json!({ "is": "noEffect", "code": code }),
        Fate::Refused(code, field) => json!({ "is": "refused", "code": code, "field": field }),
    }
}

pub(crate) fn whereabouts(whereabouts: &Whereabouts, at: Option<Timestamp>) -> Json {
    match whereabouts {
        Whereabouts::Here => json!({ "is": "onPhone" }),
        Whereabouts::Sent => json!({ "is": "sent" }),
        Whereabouts::Received { seq, .. } => {
            json!({ "is": "received", "seq": seq, "at": at.map(|at| at.0) })
        }
    }
}

pub(crate) const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Set => "set",
        Verb::Edit => "edit",
        Verb::Insert => "insert",
        Verb::Remove => "remove",
        Verb::Act => "act",
        Verb::Amend => "amend",
        Verb::Void => "void",
        Verb::Erase => "erase",
        Verb::Reveal => "reveal",
        Verb::Seal => "seal",
        Verb::Clear => "clear",
    }
}

const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Withheld => "withheld",
        Mark::Erased => "erased",
        Mark::OverLimit => "overLimit",
        Mark::SetAside => "setAside",
        Mark::Unknown => "unknown",
    }
}

pub(crate) fn receipt(receipt: &Received) -> Json {
    json!({
        "seq": receipt.seq,
        "receivedAt": receipt.received_at.map(|at| at.0),
        "head": receipt.head.map(|head| head.to_string()),
        "fate": fate(&receipt.fate),
    })
}

pub(crate) fn origin(origin: &Origin) -> Json {
    json!({
        "device": origin.device.to_string(),
        "journal": origin.journal.to_string(),
        "n": origin.n,
    })
}

/// How values are shown: masked, or whole because somebody asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Showing<'a, 'd> {
    pub(crate) look: Look<'d>,
    pub(crate) view: &'a View,
    pub(crate) whole: bool,
}

impl Showing<'_, '_> {
    fn is_masked(&self, field: Option<&Field>) -> bool {
        !self.whole && field.is_some_and(Field::is_masked)
    }

    pub(crate) fn shown(&self, field: Option<&Field>, shown: &Shown) -> Json {
        match shown {
            Shown::Value(said) => {
                let mut shown = self.said(field, said);
                shown.insert("is".to_owned(), json!("value"));
                shown.into()
            }
            Shown::Conflict(said) => json!({
                "is": "conflict",
                "said": list(said, |said| self.said(field, said).into()),
            }),
            Shown::Text(text) => {
                let masked = self.is_masked(field);
                let text = self.masked(field, both(text.clone())).zh;
                json!({ "is": "text", "text": text, "masked": masked })
            }
            Shown::Items(items) => {
                let item = |(id, said): &(sync_core::id::ItemId, Said)| {
                    let mut item = self.said(field, said);
                    item.insert("id".to_owned(), json!(id.to_string()));
                    item.into()
                };
                json!({ "is": "items", "items": list(items, item) })
            }
            Shown::Withheld => json!({ "is": "withheld" }),
        }
    }

    fn masked(&self, field: Option<&Field>, text: Label) -> Label {
        match field.filter(|_| !self.whole) {
            Some(field) => masked(field, text),
            None => text,
        }
    }

    fn said(&self, field: Option<&Field>, said: &Said) -> Map<String, Json> {
        let ty = field.map_or(&PLAIN, |field| &field.ty);
        let hidden = self.is_masked(field);
        let text = self.look.text_of(ty, &said.value, self.view.journal);
        let whole = Some(value(ty, &said.value)).filter(|_| !hidden);
        let entries = [
            ("value", whole.unwrap_or_default()),
            ("text", label(&self.masked(field, text))),
            ("masked", json!(hidden)),
            ("by", person(&self.look, said.by.user)),
            ("own", json!(self.look.is_own(said.by.place.device))),
            ("at", json!(said.by.at.map(|at| at.0))),
            ("receivedAt", json!(said.by.received_at.map(|at| at.0))),
        ];
        let entries = entries.map(|(name, value)| (name.to_owned(), value));
        entries.into_iter().collect()
    }
}

/// What is known of a form's fields.
pub(crate) fn filled<'f>(known: impl Iterator<Item = (&'f Field, Value)>) -> Json {
    let entry = |(field, known): (&Field, Value)| (field.name.clone(), value(&field.ty, &known));
    known.map(entry).collect::<Map<_, _>>().into()
}

pub(crate) fn page(look: &Look<'_>, page: &Page<'_>) -> Json {
    let view = &page.view;
    let showing = Showing {
        look: *look,
        view,
        whole: false,
    };
    let field = |field: &FieldPage<'_>| {
        let shown = view.fields.get(&field.name);
        json!({
            "name": field.name,
            "shown": shown.map(|shown| showing.shown(field.field, shown)),
            "maySet": field.may_set,
            "mayAmend": field.may_amend,
            "missing": field.missing,
        })
    };
    let step = |one: &Step| step(look, view, one);
    json!({
        "journal": view.journal.to_string(),
        "record": view.id.to_string(),
        "kind": view.kind,
        "title": page.title,
        "number": page.number,
        "state": view.state,
        "author": person(look, view.author),
        "audience": audience_name(view.audience),
        "void": view.void,
        "marks": list(&view.marks, |one| json!(mark(*one))),
        "seq": page.seq,
        "fields": list(&page.fields, field),
        "steps": list(&view.steps, step),
        "actions": list(&page.actions, |(action, opens)| json!({ "name": action.name, "opens": opens.map(date) })),
        "next": list(&page.next, |next| json!({ "kind": next.kind.name, "field": next.by.name })),
        "mayVoid": page.may_void,
        "mayAmend": page.may_amend,
        "mayOpenTo": list(&page.may_open_to, |one: &Audience| json!(audience_name(*one))),
    })
}

fn step(look: &Look<'_>, view: &View, step: &Step) -> Json {
    let kind = look.kind_of(view);
    let texts = |fields: &Fields| -> Json {
        let text = |(name, value): (&String, &Value)| {
            let field = kind.and_then(|kind| kind.field(name));
            let text = field.map(|field| label(&look.shown_text(field, value, view)));
            json!({ "field": name, "text": text.unwrap_or_else(|| label(&both(""))) })
        };
        fields.iter().map(text).collect()
    };
    let cleared = |cleared: &sync_core::record::Cleared| {
        let by = look.user_of(cleared.by.device);
        json!({ "cause": cleared.cause, "by": person(look, by) })
    };
    let whereabouts = look.whereabouts(view, step);
    let at = Some(step.received_at).filter(|_| step.place.seq != view::PENDING);
    let place = Origin {
        device: step.place.device,
        journal: view.journal,
        n: step.place.n,
    };
    json!({
        "origin": origin(&place),
        "verb": verb(step.verb),
        "action": step.action,
        "fields": step.fields,
        "by": person(look, look.by(step)),
        "own": look.is_own(step.place.device),
        "at": step.at.0,
        "where": self::whereabouts(&whereabouts, at),
        "fate": fate(&step.fate),
        "reason": step.reason,
        "was": texts(&step.was),
        "said": texts(&step.said),
        "cleared": list(&step.cleared, cleared),
    })
}

// --------------------------------------------------------------------------------------------------------------------- outbox

fn command(look: &Look<'_>, at: &Origin, envelope: &Envelope) -> Map<String, Json> {
    let title = look.view(at.journal, envelope.record);
    let title = title.map_or_else(|| envelope.record.short(), |view| look.title(&view));
    let linked = envelope.links.iter().map(|link| &link.field);
    let fields: Json = envelope.fields.iter().chain(linked).cloned().collect();
    let entries = [
        ("origin", origin(at)),
        ("record", json!(envelope.record.to_string())),
        ("kind", json!(envelope.kind)),
        ("title", json!(title)),
        ("verb", json!(verb(envelope.verb))),
        ("action", json!(envelope.action)),
        ("fields", fields),
        ("by", person(look, look.user_of(at.device))),
        ("at", json!(envelope.at.0)),
    ];
    let entries = entries.map(|(name, value)| (name.to_owned(), value));
    entries.into_iter().collect()
}

pub(crate) fn waiting(look: &Look<'_>, waiting: &Waiting) -> Json {
    let mut line = command(look, &waiting.origin, &waiting.envelope);
    line.insert("where".to_owned(), json!(reach(waiting.reach())));
    line.insert("bytes".to_owned(), json!(waiting.bytes));
    line.into()
}

pub(crate) fn unanswered(look: &Look<'_>, unanswered: &Unanswered) -> Json {
    let mut line = command(look, &unanswered.origin, &unanswered.envelope);
    line.insert("fate".to_owned(), fate(&unanswered.fate));
    let may_offer = unanswered.content.is_some();
    line.insert("mayOffer".to_owned(), json!(may_offer));
    line.into()
}

pub(crate) fn held_back(journal: JournalId, n: u64, outcome: &Outcome) -> Json {
    let (code, retry_after) = match outcome {
        Outcome::Entered { .. } => ("entered", None),
        Outcome::Gap { .. } => ("gap", None),
        Outcome::Forked => ("forked", None),
        Outcome::Equivocation => ("equivocation", None),
        Outcome::Busy => ("busy", None),
        Outcome::Quota { retry_after_s } => ("quota", Some(retry_after_s)),
        Outcome::Unusable { code } => (code.as_str(), None),
    };
    json!({
        "journal": journal.to_string(),
        "n": n,
        "code": code,
        "retryAfterSeconds": retry_after,
    })
}

/// A sync's report: how and when it ended, and what is unsent then.
pub(crate) fn report(
    synced: &Synced,
    (ended, at, unsent): (Option<&Ended>, Timestamp, usize),
    given_back: u64,
) -> Json {
    let held_back =
        |(journal, n, outcome): &(JournalId, u64, Outcome)| held_back(*journal, *n, outcome);
    json!({
        "at": at.0,
        "unsent": unsent,
        "answered": synced.answered,
        "entries": synced.entries,
        "delivered": synced.delivered,
        "heldBack": list(&synced.held_back, held_back),
        "enrolAgain": synced.enrol_again,
        "missingCatalogues": synced.missing_catalogues,
        "givenBack": given_back,
        "error": ended.map(self::ended),
    })
}

fn ended(ended: &Ended) -> Json {
    match ended {
        Ended::LoggedOut => json!({ "code": "logged_out" }),
        Ended::Failed(Failed::Unreachable) => json!({ "code": "unreachable" }),
        Ended::Failed(Failed::Refused(code)) => json!({ "code": code }),
        Ended::Failed(Failed::Unreadable) => json!({ "code": "unreadable" }),
        Ended::Lying(lying) => json!({ "code": "lying_server", "detail": lying.to_string() }),
    }
}

// ------------------------------------------------------------------------------------------------------------------- the sync

/// A question to the server: where it goes, with what, and the bytes of its body.
pub(crate) fn ask(ask: Ask) -> (Json, Option<Vec<u8>>) {
    match ask {
        Ask::Refresh { token, proof } => {
            let proof = crate::asked::signature(&proof);
            let body = json!({ "refresh_token": token, "proof": proof });
            (json!({ "is": "refresh", "json": body }), None)
        }
        Ask::Sync { access, request } => (
            json!({ "is": "sync", "access": access }),
            Some(cbor::encode(&request)),
        ),
        Ask::Catalogue { access, version } => (
            json!({ "is": "catalogue", "access": access, "version": version }),
            None,
        ),
        Ask::Refill { request } => (json!({ "is": "refill" }), Some(cbor::encode(&request))),
    }
}

/// The server's good answer to a question, by what the question was.
pub(crate) fn reply(asked: &str, body: &[u8]) -> Reply {
    let json = |read: fn(&Json) -> Option<Reply>| {
        let said = crate::asked::said(body).ok();
        said.as_ref().and_then(read)
    };
    let reply = match asked {
        "refresh" => json(|said| crate::asked::tokens(said).ok().map(Reply::Refreshed)),
        "catalogue" => json(|said| {
            crate::asked::catalogue_files(said)
                .ok()
                .map(Reply::Catalogue)
        }),
        "sync" => {
            let response = cbor::decode(body).ok();
            response.map(|response| Reply::Synced(Box::new(response)))
        }
        "refill" => cbor::decode(body).ok().map(Reply::Refilled),
        _ => None,
    };
    reply.unwrap_or(Reply::Failed(Failed::Unreadable))
}

// --------------------------------------------------------------------------------------------------------------------- events

/// What an effect has made durable, if it is of that sort.
pub(crate) fn writes(effect: &Effect) -> Option<&Vec<Write>> {
    match effect {
        Effect::Persist(writes) => Some(writes),
        Effect::Changed(..) | Effect::Repinned(..) => None,
    }
}

/// What the shell tells the screens of effects. What is to be made durable goes another way.
pub(crate) fn events(effects: &[Effect]) -> Json {
    let changed = |effect: &Effect| match effect {
        Effect::Changed(journal, record) => Some(place(*journal, *record)),
        Effect::Persist(_) | Effect::Repinned(..) => None,
    };
    let repinned = |effect: &Effect| match effect {
        Effect::Repinned(form, fields) => {
            Some(json!({ "is": "repinned", "form": form.number(), "fields": fields }))
        }
        Effect::Persist(_) | Effect::Changed(..) => None,
    };
    let records: Vec<Json> = effects.iter().filter_map(changed).collect();
    let changed = (!records.is_empty()).then(|| json!({ "is": "changed", "records": records }));
    let repinned = effects.iter().filter_map(repinned);
    changed.into_iter().chain(repinned).collect()
}

fn place(journal: JournalId, record: RecordId) -> Json {
    json!({ "journal": journal.to_string(), "record": record.to_string() })
}

// --------------------------------------------------------------------------------------------------------------------- faults

/// Why a call is rejected: the shape of a `CoreError`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub Json);

impl Fault {
    pub(crate) fn code(code: &str) -> Self {
        Self(json!({ "code": code }))
    }

    pub(crate) fn detailed(code: &str, detail: &impl ToString) -> Self {
        Self(json!({ "code": code, "detail": detail.to_string() }))
    }

    pub(crate) fn field(code: &str, field: &str) -> Self {
        Self(json!({ "code": code, "field": field }))
    }
}

impl From<CannotSave> for Fault {
    fn from(cannot: CannotSave) -> Self {
        match cannot {
            CannotSave::UnknownJournal => Self::code("unknown_journal"),
            CannotSave::NotAssigned => Self::code("not_assigned"),
            CannotSave::NoCatalogue => Self::code("no_catalogue"),
            CannotSave::UnknownRecord => Self::code("unknown_record"),
            CannotSave::FormClosed => Self::code("form_closed"),
            CannotSave::InConflict(field) => Self::field("in_conflict", &field),
            CannotSave::NothingToOffer => Self::code("nothing_to_offer"),
            CannotSave::WouldNotCount(fate) => {
                let field = match &fate {
                    Fate::Refused(_, field) => field.as_deref(),
                    Fate::Accepted | Fate::Flagged(_) | Fate::NoEffect(_) => None,
                };
                let fate = self::fate(&fate);
                Self(json!({ "code": "would_not_count", "fate": fate, "field": field }))
            }
        }
    }
}

impl From<UnlockError> for Fault {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::WrongPin { tries_left } => {
                Self(json!({ "code": "wrong_pin", "triesLeft": tries_left }))
            }
            UnlockError::Destroyed => Self::code("destroyed"),
            UnlockError::OtherDevice => Self::code("other_device"),
        }
    }
}

impl From<WeakPin> for Fault {
    fn from(weak: WeakPin) -> Self {
        Self::code(match weak {
            WeakPin::Length => "weak_pin_length",
            WeakPin::Guessed => "weak_pin_guessed",
        })
    }
}

impl From<CannotEnrol> for Fault {
    fn from(cannot: CannotEnrol) -> Self {
        match cannot {
            CannotEnrol::Code => Self::code("not_a_code"),
            CannotEnrol::Other => Self::code("other_deployment"),
            CannotEnrol::Protocol(_) => Self::detailed("unknown_protocol", &cannot),
        }
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoKey => Self::code("no_key"),
            other => Self::detailed("bad_parcel", &other),
        }
    }
}
