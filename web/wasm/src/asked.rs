//! What the screens and the server say, in the core's words: each case told arm by arm, and nothing decided. What does not fit is
//! a fault; whether it counts, the core says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value as Json, json};
use sync_core::catalog::{Catalogue, FieldType, Kind, Part, SourceFile};
use sync_core::command::{Audience, Link, Origin, Verb};
use sync_core::id::{Date, ItemId, JournalId, RecordId};
use sync_core::look::{self, HouseholdsWanted, Look, Wanted};
use sync_core::sign::{PublicKey, Signature};
use sync_core::sync::courier::Tokens;
use sync_core::sync::device::{Intent, Target};
use sync_core::sync::enrol::Deployment;
use sync_core::text::splices;
use sync_core::value::{Fields, Value};

use crate::shape::Fault;

type Asked<T> = Result<T, Fault>;

pub(crate) fn json(text: &str) -> Asked<Json> {
    serde_json::from_str(text).map_err(|error| Fault::detailed("bad_value", &error))
}

/// What a server says; otherwise it is none of this protocol.
pub(crate) fn said(bytes: &[u8]) -> Asked<Json> {
    serde_json::from_slice(bytes).map_err(|error| Fault::detailed("unreadable", &error))
}

fn unreadable(what: &str) -> Fault {
    Fault::detailed("unreadable", &what)
}

fn text<'a>(json: &'a Json, name: &str) -> Asked<&'a str> {
    let text = json.get(name).and_then(Json::as_str);
    text.ok_or_else(|| Fault::field("bad_value", name))
}

fn parsed<T: std::str::FromStr>(json: &Json, name: &str) -> Asked<T> {
    let parsed = text(json, name)?.parse();
    parsed.map_err(|_| Fault::field("bad_value", name))
}

pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Asked<T> {
    text.parse().map_err(|_| Fault::code("bad_value"))
}

pub(crate) fn origin(json: &Json) -> Asked<Origin> {
    let n = json.get("n").and_then(Json::as_u64);
    Ok(Origin {
        device: parsed(json, "device")?,
        journal: parsed(json, "journal")?,
        n: n.ok_or_else(|| Fault::field("bad_value", "n"))?,
    })
}

pub(crate) fn wanted(json: &Json) -> Asked<Wanted> {
    let owned = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let states = json.get("states").and_then(Json::as_array);
    let states = states.into_iter().flatten().filter_map(Json::as_str);
    Ok(Wanted {
        kind: owned("kind"),
        journal: owned("journal").map(|journal| id(&journal)).transpose()?,
        states: states.map(str::to_owned).collect(),
        refers_to: owned("refersTo").map(|record| id(&record)).transpose()?,
        with_void: json.get("withVoid") == Some(&Json::Bool(true)),
    })
}

/// What a paper is drafted of.
pub(crate) fn paper(json: &Json) -> Asked<look::Asked> {
    Ok(match json.get("record") {
        Some(_) => look::Asked::Record(parsed(json, "record")?),
        None => look::Asked::Day(parsed(json, "day")?),
    })
}

/// Where a page of rows begins, and how long it is.
pub(crate) fn span(json: &Json) -> (usize, usize) {
    let number = |name: &str| {
        let number = json.get(name).and_then(Json::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    (
        number("from").unwrap_or(0),
        number("limit").unwrap_or(usize::MAX),
    )
}

/// Which households are asked for.
pub(crate) fn households(json: &Json) -> Asked<HouseholdsWanted> {
    let one = |named: &Json| id(named.as_str().unwrap_or_default());
    let named = json.get("records").and_then(Json::as_array);
    let named = named.map(|named| named.iter().map(one).collect());
    Ok(HouseholdsWanted {
        records: named.transpose()?,
        group: json.get("group").and_then(Json::as_str).map(str::to_owned),
    })
}

// -------------------------------------------------------------------------------------------------------------------- intents

/// One intent, or several in one form.
pub(crate) fn intents(look: &Look<'_>, journal: JournalId, asked: &Json) -> Asked<Vec<Intent>> {
    match asked {
        Json::Array(several) => several
            .iter()
            .map(|one| intent(look, journal, one))
            .collect(),
        one => Ok(vec![intent(look, journal, one)?]),
    }
}

fn intent(look: &Look<'_>, journal: JournalId, asked: &Json) -> Asked<Intent> {
    let catalogue = look
        .catalogue()
        .ok_or_else(|| Fault::code("no_catalogue"))?;
    let target = |verb: Verb| -> Asked<Intent> {
        let record = match asked.get("made") {
            Some(_) => Target::Made,
            None => Target::Existing(parsed(asked, "record")?),
        };
        Ok(Intent::new(record, verb))
    };
    let reason = || text(asked, "reason").ok().map(str::to_owned);
    let values = |mut intent: Intent| {
        let kind = match intent.target {
            Target::Made => named(catalogue, text(asked, "made")?)?,
            _ => kind_of(look, catalogue, journal, &intent.target)?,
        };
        let none = Map::new();
        let values = asked.get("values").and_then(Json::as_object);
        for (name, value) in values.unwrap_or(&none) {
            write(&mut intent, kind, name, value)?;
        }
        Ok(intent)
    };
    match text(asked, "do")? {
        "create" => values(Intent::new(
            Target::New {
                kind: text(asked, "kind")?.to_owned(),
                audience: text(asked, "audience").ok().map(audience).transpose()?,
            },
            Verb::Create,
        )),
        "set" => values(target(Verb::Set)?),
        "act" => values(Intent {
            action: Some(text(asked, "action")?.to_owned()),
            reason: reason(),
            ..target(Verb::Act)?
        }),
        "amend" => values(Intent {
            reason: reason(),
            ..target(Verb::Amend)?
        }),
        "void" => Ok(Intent {
            reason: reason(),
            ..target(Verb::Void)?
        }),
        "edit" => {
            let splices = splices(text(asked, "before")?, text(asked, "after")?);
            // An edit of nothing is nothing to save.
            splices
                .first()
                .ok_or_else(|| Fault::code("nothing_changed"))?;
            Ok(Intent {
                edit: Some((text(asked, "field")?.to_owned(), splices)),
                ..target(Verb::Edit)?
            })
        }
        "insert" => {
            let mut intent = target(Verb::Insert)?;
            let kind = kind_of(look, catalogue, journal, &intent.target)?;
            let items = asked.get("items").unwrap_or(&Json::Null);
            write(&mut intent, kind, text(asked, "field")?, items)?;
            Ok(intent)
        }
        "remove" => {
            let items = asked.get("items").and_then(Json::as_array);
            let items = items.into_iter().flatten().filter_map(Json::as_str);
            let items = items.map(id).collect::<Asked<Vec<ItemId>>>()?;
            Ok(Intent {
                removed: Some((text(asked, "field")?.to_owned(), items)),
                ..target(Verb::Remove)?
            })
        }
        "choose" => {
            let mut intent = Intent {
                chooses: true,
                ..target(Verb::Set)?
            };
            let kind = kind_of(look, catalogue, journal, &intent.target)?;
            let value = asked.get("value").unwrap_or(&Json::Null);
            write(&mut intent, kind, text(asked, "field")?, value)?;
            Ok(intent)
        }
        "open" => Ok(Intent {
            opens_to: Some(audience(text(asked, "audience")?)?),
            ..target(Verb::Set)?
        }),
        "reveal" => Ok(Intent {
            reveals: Some(text(asked, "field")?.to_owned()),
            reason: reason(),
            ..target(Verb::Reveal)?
        }),
        _ => Err(Fault::field("bad_value", "do")),
    }
}

fn kind_of<'c>(
    look: &Look<'_>,
    catalogue: &'c Catalogue,
    journal: JournalId,
    target: &Target,
) -> Asked<&'c Kind> {
    let name = match target {
        Target::New { kind, .. } => kind.clone(),
        Target::Existing(record) => {
            let view = look.view(journal, *record);
            view.ok_or_else(|| Fault::code("unknown_record"))?.kind
        }
        Target::Made => return Err(Fault::code("unknown_record")),
        Target::Month(_) => sync_core::month::KIND.to_owned(),
    };
    named(catalogue, &name)
}

fn named<'c>(catalogue: &'c Catalogue, name: &str) -> Asked<&'c Kind> {
    let kind = catalogue.kind(name);
    kind.ok_or_else(|| Fault::detailed("no_catalogue", &name))
}

fn audience(name: &str) -> Asked<Audience> {
    let mut all = Audience::ALL.into_iter();
    let named = all.find(|one| sync_core::catalog::audience_name(*one) == name);
    named.ok_or_else(|| Fault::field("bad_value", "audience"))
}

/// Adds a value, or what it refers to, to an intent.
fn write(intent: &mut Intent, kind: &Kind, name: &str, json: &Json) -> Asked<()> {
    let field = kind.field(name);
    let field = field.ok_or_else(|| Fault::field("unknown_field", name))?;
    let bad = || Fault::field("bad_value", name);
    match (field.ty.is_link(), json) {
        (true, Json::String(_)) => {
            intent.links.push(link(name, json).ok_or_else(bad)?);
        }
        (true, Json::Array(targets)) => {
            let links = targets.iter().map(|target| link(name, target));
            let links: Option<Vec<Link>> = links.collect();
            intent.links.extend(links.ok_or_else(bad)?);
        }
        (_, json) => {
            let value = value(&field.ty, json).ok_or_else(bad)?;
            intent.values.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

fn link(field: &str, json: &Json) -> Option<Link> {
    let target: RecordId = json.as_str()?.parse().ok()?;
    Some(Link {
        field: field.to_owned(),
        target,
        journal: None,
    })
}

/// A value by its field's type; `None` if it is of another.
fn value(ty: &FieldType, json: &Json) -> Option<Value> {
    match (ty, json) {
        (_, Json::Null) => Some(Value::Null),
        (FieldType::Bool, Json::Bool(yes)) => Some(Value::Bool(*yes)),
        (FieldType::Int { .. }, Json::Number(number)) => number.as_i64().map(Value::Int),
        (FieldType::Decimal { .. }, Json::Number(number)) => Value::decimal_of(&number.to_string()),
        (FieldType::Decimal { .. }, Json::String(text)) => Value::decimal_of(text),
        (FieldType::Date, Json::String(text)) => {
            let date: Date = text.parse().ok()?;
            Some(Value::Int(i64::from(date.0)))
        }
        (FieldType::Time, Json::String(text)) => {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            let in_a_day = (0..24).contains(&hours) && (0..60).contains(&minutes);
            in_a_day.then_some(Value::Int(hours * 60 + minutes))
        }
        (
            FieldType::Text { .. }
            | FieldType::LongText { .. }
            | FieldType::Code { .. }
            | FieldType::Measure
            | FieldType::Location,
            Json::String(text),
        ) => Some(Value::text(text)),
        (FieldType::Codes { .. }, Json::Array(codes)) => {
            let codes = codes.iter().map(|code| code.as_str().map(Value::text));
            codes.collect::<Option<_>>().map(Value::List)
        }
        (FieldType::List { parts, .. }, Json::Array(items)) => {
            let items = items.iter().map(|one| item(parts, one));
            items.collect::<Option<_>>().map(Value::List)
        }
        (FieldType::Blob, Json::String(text)) => digest(text),
        (FieldType::Blobs { .. }, Json::Array(files)) => {
            let files = files.iter().map(|file| digest(file.as_str()?));
            files.collect::<Option<_>>().map(Value::List)
        }
        _ => None,
    }
}

fn item(parts: &[Part], json: &Json) -> Option<Value> {
    let part = |(name, json): (&String, &Json)| {
        let declared = parts.iter().find(|part| part.name == *name)?;
        Some((name.clone(), value(&declared.ty, json)?))
    };
    let item: Option<Fields> = json.as_object()?.iter().map(part).collect();
    item.map(Value::Struct)
}

fn digest(text: &str) -> Option<Value> {
    let digest: sync_core::id::Digest = text.parse().ok()?;
    Some(Value::Bytes(digest.0.to_vec()))
}

// ---------------------------------------------------------------------------------------------------------- the server's forms

fn bytes(json: &Json, name: &str) -> Asked<Vec<u8>> {
    let encoded = json.get(name).and_then(Json::as_str);
    let decoded = encoded.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or_else(|| unreadable(name))
}

fn algorithm(json: &Json) -> Asked<u8> {
    let number = json.get("algorithm").and_then(Json::as_u64);
    let number = number.and_then(|number| u8::try_from(number).ok());
    number.ok_or_else(|| unreadable("algorithm"))
}

fn said_id<T: std::str::FromStr>(json: &Json, name: &str) -> Asked<T> {
    let id = json.get(name).and_then(Json::as_str);
    let id = id.and_then(|text| text.parse().ok());
    id.ok_or_else(|| unreadable(name))
}

pub(crate) fn keyed(algorithm: u8, bytes: &[u8]) -> Json {
    json!({ "algorithm": algorithm, "bytes": URL_SAFE_NO_PAD.encode(bytes) })
}

pub(crate) fn signature(signature: &Signature) -> Json {
    keyed(signature.algorithm, &signature.bytes)
}

pub(crate) fn deployment(said: &Json) -> Asked<Deployment> {
    let operator = said.get("operator").unwrap_or(&Json::Null);
    let protocol = said.get("protocol").and_then(Json::as_u64);
    let protocol = protocol.and_then(|number| u16::try_from(number).ok());
    Ok(Deployment {
        deployment: said_id(said, "deployment")?,
        operator: PublicKey {
            algorithm: algorithm(operator)?,
            bytes: bytes(operator, "bytes")?,
        },
        protocol: protocol.ok_or_else(|| unreadable("protocol"))?,
    })
}

pub(crate) fn enrolled(
    said: &Json,
) -> Asked<(sync_core::id::DeviceId, sync_core::id::UserId, Tokens)> {
    let pair = said.get("tokens").unwrap_or(&Json::Null);
    Ok((
        said_id(said, "device")?,
        said_id(said, "user")?,
        tokens(pair)?,
    ))
}

pub(crate) fn tokens(said: &Json) -> Asked<Tokens> {
    let owned = |name: &str| said.get(name).and_then(Json::as_str).map(str::to_owned);
    let seconds = said.get("expires_in_seconds").and_then(Json::as_u64);
    Ok(Tokens {
        access: owned("access_token"),
        access_seconds: seconds.map_or(0, |seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        refresh: owned("refresh_token").ok_or_else(|| unreadable("refresh_token"))?,
    })
}

pub(crate) fn catalogue_files(said: &Json) -> Asked<Vec<SourceFile>> {
    let files = said.get("files").and_then(Json::as_array);
    let file = |file: &Json| {
        let owned = |name: &str| file.get(name).and_then(Json::as_str).map(str::to_owned);
        let (name, text) = owned("name").zip(owned("text"))?;
        Some(SourceFile { name, text })
    };
    let files = files.map(|files| files.iter().map(file).collect::<Option<Vec<_>>>());
    files.flatten().ok_or_else(|| unreadable("files"))
}
