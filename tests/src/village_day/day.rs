//! A day of one village, as a file has it or as `sample` makes it: one JSON object a line.
//!
//! `_set` says what a line is: `existing` (what the village holds), `new` (a visit that a device recorded), `edit` (a change that a
//! device made to a task) or `mate` (one that a teammate made). Names that begin with `_` are bookkeeping and no content.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value as Json};

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its content as it stands in the file, byte for byte, without the bookkeeping.
    pub(super) text: String,
    /// The same, read.
    pub(super) json: Map<String, Json>,
}

/// One village and one day.
#[derive(Debug, Clone, Default)]
pub(super) struct Day {
    /// What the village holds.
    pub(super) existing: Vec<Row>,
    /// What the first device recorded.
    pub(super) new: Vec<Row>,
    /// What the first device changed.
    pub(super) edits: Vec<Row>,
    /// What its teammate changed.
    pub(super) mate: Vec<Row>,
}

impl Day {
    /// Reads a file; of several villages, days or devices, the first of each.
    pub(super) fn read(lines: &str) -> anyhow::Result<Self> {
        let mut day = Self::default();
        let mut first: BTreeMap<&str, Json> = BTreeMap::new();
        for (at, line) in (1..)
            .zip(lines.lines())
            .filter(|(_, line)| !line.is_empty())
        {
            let json: Map<String, Json> = serde_json::from_str(line)
                .with_context(|| format!("line {at} is no JSON object"))?;
            let set = json.get("_set").and_then(Json::as_str);
            let set = set.with_context(|| format!("line {at} does not say of which set it is"))?;
            let keys: &[&str] = match set {
                "existing" => &["_village"],
                "new" | "edit" => &["_village", "_day", "_device"],
                "mate" => &["_village", "_day"],
                other => bail!("line {at} is of the unknown set {other}"),
            };
            let mut is_first = true;
            for key in keys {
                let value = json.get(*key).cloned().unwrap_or_default();
                is_first &= *first.entry(key).or_insert_with(|| value.clone()) == value;
            }
            if !is_first {
                continue;
            }
            let row = Row {
                text: without_bookkeeping(line),
                json: json.clone(),
            };
            match set {
                "existing" => day.existing.push(row),
                "new" => day.new.push(row),
                "edit" => day.edits.push(row),
                _ => day.mate.push(row),
            }
        }
        ensure!(
            !day.existing.is_empty() && !day.new.is_empty(),
            "a day has documents that exist and new ones"
        );
        let tasks = day.tasks();
        let edited = day.edits.iter().chain(&day.mate);
        for row in edited {
            let task = row.index()?;
            ensure!(task < tasks, "an edit of document {task}, which is no task");
        }
        Ok(day)
    }

    /// How many of the existing documents are tasks: they come first.
    pub(super) fn tasks(&self) -> usize {
        let tasks = self.existing.iter().take_while(|row| row.is_task());
        tasks.count()
    }
}

impl Row {
    /// A text of it.
    pub(super) fn text_of(&self, name: &str) -> anyhow::Result<&str> {
        let text = self.json.get(name).and_then(Json::as_str);
        text.with_context(|| format!("a document without the text {name}"))
    }

    /// Whether it is a task.
    pub(super) fn is_task(&self) -> bool {
        self.json.get("type").and_then(Json::as_str) == Some("task")
    }

    /// The place among the existing documents of the task that an edit is about.
    pub(super) fn index(&self) -> anyhow::Result<usize> {
        let index = self.json.get("idx").and_then(Json::as_u64);
        Ok(usize::try_from(index.context("an edit names a document")?)?)
    }
}

/// The size of rows as lines of JSON under `zstd -19`.
pub(super) fn zstd19(rows: &[Row]) -> anyhow::Result<usize> {
    Ok(zstd::bulk::compress(lines(rows).as_bytes(), 19)?.len())
}

/// Rows as lines of JSON.
pub(super) fn lines(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.text)).collect()
}

/// The object without those of its own members whose names begin with `_`, everything else as it was written.
fn without_bookkeeping(line: &str) -> String {
    let inner = line.trim().trim_start_matches('{');
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut members, mut start) = (Vec::new(), 0);
    let (mut depth, mut in_text, mut escaped) = (0_i32, false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            b',' if !in_text && depth == 0 => {
                members.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(&inner[start..]);
    members.retain(|member| !member.trim_start().starts_with("\"_"));
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bookkeeping_goes_and_everything_else_stays_as_it_was_written() {
        let line = r#"{"_set":"new","_day":0,"id":"a,\"_b\":1","gps":{"_lat":1.50,"x":[1,2]},"_device":1}"#;
        assert_eq!(
            without_bookkeeping(line),
            r#"{"id":"a,\"_b\":1","gps":{"_lat":1.50,"x":[1,2]}}"#
        );
    }
}
