//! The catalogue, as the material of forms and lists.

use serde_json::{Map, Value as Json, json};
use sync_core::catalog::{
    Action, Catalogue, Category, CategorySet, Class, Condition, Creation, Field, FieldType, Kind,
    Paper, Part, Required, State, Subject, Written, audience_name,
};
use sync_core::id::Date;

use super::{date, label, list};

pub(crate) fn catalogue(catalogue: &Catalogue, today: Date) -> Json {
    let sets = catalogue
        .sets()
        .map(|set| (set.name.clone(), category_set(set, today)));
    let measures = catalogue.measures().map(|measure| {
        json!({
            "id": measure.id,
            "title": measure.title,
            "paper": measure.paper,
            "clause": measure.clause,
            "inForce": measure.in_force(today),
        })
    });
    let roles = catalogue
        .roles()
        .map(|role| json!({ "code": role.code, "label": label(&role.label) }));
    json!({
        "version": catalogue.version(),
        "issued": date(catalogue.issued()),
        "kinds": catalogue.kinds().map(kind).collect::<Json>(),
        "sets": sets.collect::<Map<_, _>>(),
        "measures": measures.collect::<Json>(),
        "roles": roles.collect::<Json>(),
        "papers": catalogue.papers().map(paper).collect::<Json>(),
    })
}

fn paper(paper: &Paper) -> Json {
    let (period, about) = match &paper.about {
        Subject::Period(period) => (Some(period.name()), None),
        Subject::Record(kind) => (None, Some(kind)),
    };
    json!({ "name": paper.name, "label": label(&paper.label), "period": period, "about": about })
}

fn category_set(set: &CategorySet, today: Date) -> Json {
    let code = |code: &Category| {
        let in_force = code.in_force(today);
        json!({ "code": code.code, "label": label(&code.label), "inForce": in_force })
    };
    json!({ "name": set.name, "label": label(&set.label), "codes": list(&set.codes, code) })
}

fn kind(kind: &Kind) -> Json {
    let class = match kind.class {
        Class::Testimony => "testimony",
        Class::Register => "register",
        Class::Process => "process",
    };
    let creation =
        |creation: &Creation| json!({ "roles": creation.roles, "state": creation.state });
    json!({
        "name": kind.name,
        "label": label(&kind.label),
        "class": class,
        "title": kind.title,
        "list": kind.list,
        "audiences": list(&kind.audiences, |one| json!(audience_name(*one))),
        "fields": list(&kind.fields, |one| field(kind, one)),
        "states": list(&kind.states, state),
        "creations": list(&kind.creations, creation),
        "actions": list(&kind.actions, action),
        "retired": kind.retired,
    })
}

fn field(kind: &Kind, field: &Field) -> Json {
    let required = match field.required {
        Required::No => "no",
        Required::AtCreation => "creation",
        Required::AtFiling => "filing",
    };
    let written = match field.written {
        Written::Always => "always",
        Written::AtCreation => "creation",
        Written::ByAction => "action",
    };
    let condition = |when: &Condition| json!({ "field": when.field, "is": when.is });
    json!({
        "name": field.name,
        "label": label(&field.label),
        "type": field_type(&field.ty),
        "required": required,
        "requiredWhen": field.required_when.as_ref().map(condition),
        "audience": field.audience.map(audience_name),
        "masked": field.is_masked(),
        "written": written,
        "closedIn": field.closed_in,
        "derived": field.derived,
        "leads": kind.leads(&field.name),
        "retired": field.retired,
    })
}

fn field_type(ty: &FieldType) -> Json {
    let is = ty.name();
    let part = |part: &Part| {
        json!({
            "name": part.name,
            "label": label(&part.label),
            "type": field_type(&part.ty),
            "required": part.required,
        })
    };
    match ty {
        FieldType::Text { max }
        | FieldType::LongText { max }
        | FieldType::Users { max }
        | FieldType::Blobs { max } => json!({ "is": is, "max": max }),
        FieldType::Code { set } => json!({ "is": is, "set": set }),
        FieldType::Codes { set, max } => json!({ "is": is, "set": set, "max": max }),
        FieldType::Int { min, max } => json!({ "is": is, "min": min, "max": max }),
        FieldType::Decimal { min, max, places } => {
            json!({ "is": is, "min": min, "max": max, "places": places })
        }
        FieldType::Ref { kind } => json!({ "is": is, "kind": kind }),
        FieldType::Refs { kind, max } => json!({ "is": is, "kind": kind, "max": max }),
        FieldType::List { parts, max } => {
            json!({ "is": is, "parts": list(parts, part), "max": max })
        }
        FieldType::Measure
        | FieldType::Date
        | FieldType::Time
        | FieldType::Bool
        | FieldType::Location
        | FieldType::User
        | FieldType::Blob => json!({ "is": is }),
    }
}

fn state(state: &State) -> Json {
    json!({
        "name": state.name,
        "label": label(&state.label),
        "initial": state.initial,
        "filed": state.filed,
        "closed": state.closed,
    })
}

fn action(action: &Action) -> Json {
    json!({
        "name": action.name,
        "label": label(&action.label),
        "from": action.from,
        "to": action.to,
        "needsReason": action.needs_reason,
        "needs": action.needs,
        "writes": action.writes,
        "retired": action.retired,
    })
}
