//! `GET /docs`: the description as one page. It is made on the server, runs no script and loads nothing from elsewhere.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value};

use crate::problem::Code;

/// The page may use our style sheet and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let api = serde_json::to_value(crate::routes::description()).expect("a description is JSON");
    page(&api)
});

/// Shows every operation, every schema and every problem on one page.
#[utoipa::path(get, path = "/docs", tag = "api", responses((status = OK, body = String, content_type = "text/html")))]
pub async fn show_docs() -> Response {
    (
        [(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)],
        Html(PAGE.as_str()),
    )
        .into_response()
}

/// The page's style sheet.
#[utoipa::path(get, path = "/docs/style.css", tag = "api", responses((status = OK, body = String, content_type = "text/css")))]
pub async fn show_docs_style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css")],
        include_str!("docs.css"),
    )
        .into_response()
}

fn page(api: &Value) -> String {
    let mut html = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Zhucun 驻村 API</title><link rel=stylesheet href=/docs/style.css><h1>Zhucun 驻村 API</h1>\
         <p><a href=/v1/openapi.json>OpenAPI</a></p><nav>",
    );
    let tags: Vec<&Value> = items(api, "/tags").collect();
    for tag in &tags {
        let name = text(tag, "/name");
        push(&mut html, format_args!("<a href='#tag-{name}'>{name}</a>"));
    }
    html += "<a href='#schemas'>schemas</a><a href='#problems'>problems</a></nav>";
    for tag in tags {
        let (name, about) = (text(tag, "/name"), text(tag, "/description"));
        push(
            &mut html,
            format_args!("<h2 id='tag-{name}'>{name}</h2><p>{about}</p>"),
        );
        for (path, methods) in members(api, "/paths") {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                if items(operation, "/tags").any(|of| text(of, "") == name) {
                    html += &operation_section(path, method, operation);
                }
            }
        }
    }
    html += "<h2 id='schemas'>schemas</h2>";
    for (name, schema) in members(api, "/components/schemas") {
        html += &schema_section(name, schema);
    }
    html + &problems_section()
}

fn operation_section(path: &str, method: &str, operation: &Value) -> String {
    let id = text(operation, "/operationId");
    let mut html = format!(
        "<h3 id='{id}'><code><b>{}</b> {}</code></h3>",
        escape(&method.to_uppercase()),
        escape(path)
    );
    push(
        &mut html,
        format_args!(
            "<p>{} {}",
            text(operation, "/summary"),
            text(operation, "/description")
        ),
    );
    if operation.pointer("/security").is_some() {
        html += " <em>Needs an access token.</em>";
    }
    html += "</p><table>";
    for parameter in items(operation, "/parameters") {
        let (name, about) = (text(parameter, "/name"), text(parameter, "/description"));
        push(
            &mut html,
            format_args!("<tr><td>parameter<td><code>{name}</code> {about}"),
        );
    }
    for (media, content) in members(operation, "/requestBody/content") {
        let schema = shape(content.pointer("/schema").unwrap_or(&Value::Null));
        push(
            &mut html,
            format_args!("<tr><td>body<td>{schema} <small>{}</small>", escape(media)),
        );
    }
    for (status, response) in members(operation, "/responses") {
        let about = text(response, "/description");
        let schemas: Vec<String> = members(response, "/content")
            .map(|(_, content)| shape(content.pointer("/schema").unwrap_or(&Value::Null)))
            .collect();
        push(
            &mut html,
            format_args!(
                "<tr><td>{}<td>{} {about}",
                escape(status),
                schemas.join(" ")
            ),
        );
    }
    html + "</table>"
}

fn schema_section(name: &str, schema: &Value) -> String {
    let name = escape(name);
    let about = text(schema, "/description");
    let mut html = format!("<h3 id='schema-{name}'><code>{name}</code></h3><p>{about}</p><table>");
    let required: Vec<String> = items(schema, "/required")
        .map(|field| text(field, ""))
        .collect();
    let parts = items(schema, "/allOf").chain([schema]);
    for (field, property) in parts.flat_map(|part| members(part, "/properties")) {
        let optional = if required.contains(&escape(field)) {
            ""
        } else {
            " (optional)"
        };
        let (field, about) = (escape(field), text(property, "/description"));
        push(
            &mut html,
            format_args!(
                "<tr><td><code>{field}</code>{optional}<td>{}<td>{about}",
                shape(property)
            ),
        );
    }
    let values: Vec<String> = items(schema, "/enum")
        .map(|value| text(value, ""))
        .collect();
    if !values.is_empty() {
        push(
            &mut html,
            format_args!(
                "<tr><td>one of<td colspan=2><code>{}</code>",
                values.join(" · ")
            ),
        );
    }
    html + "</table>"
}

fn problems_section() -> String {
    let mut html = String::from("<h2 id='problems'>problems</h2><table>");
    for code in Code::ALL {
        let (name, status, texts) = (code.name(), code.status().as_u16(), code.texts());
        push(
            &mut html,
            format_args!("<tr id='{name}'><td><code>{name}</code><td>{status}"),
        );
        push(
            &mut html,
            format_args!("<td>{} {}", escape(texts.title), escape(texts.remedy)),
        );
        push(
            &mut html,
            format_args!(
                "<td lang=zh>{}。{}",
                escape(texts.title_zh),
                escape(texts.remedy_zh)
            ),
        );
    }
    html + "</table>"
}

/// A schema in a few words: a link where it has a name, its type where it has none.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema
        .pointer("/$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href='#schema-{name}'>{name}</a>");
    }
    let choices: Vec<String> = ["/oneOf", "/anyOf", "/allOf"]
        .iter()
        .flat_map(|key| items(schema, key))
        .map(shape)
        .collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    match (schema.pointer("/type"), schema.pointer("/items")) {
        (_, Some(item)) => format!("list of {}", shape(item)),
        (Some(Value::Array(types)), None) => types
            .iter()
            .map(|kind| text(kind, ""))
            .collect::<Vec<_>>()
            .join(" or "),
        (Some(kind), None) => text(kind, ""),
        (None, None) => String::new(),
    }
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
}

fn text(value: &Value, pointer: &str) -> String {
    escape(
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
}

fn escape(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    });
    escaped.collect()
}

fn push(html: &mut String, piece: std::fmt::Arguments<'_>) {
    html.write_fmt(piece)
        .expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_every_problem_and_runs_no_script() {
        for path in crate::routes::description().paths.paths.keys() {
            assert!(PAGE.contains(&escape(path)), "{path} is missing");
        }
        for code in Code::ALL {
            assert!(
                PAGE.contains(&format!("id='{}'", code.name())),
                "{code:?} is missing"
            );
        }
        assert!(!PAGE.contains("<script") && !PAGE.contains("style='") && !PAGE.contains("://"));
    }

    #[test]
    fn markup_in_a_description_stays_text() {
        let api = serde_json::json!({ "tags": [{ "name": "<script>" }] });
        assert!(!page(&api).contains("<script>"));
    }
}
