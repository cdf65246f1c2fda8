//! Policy measures: dated data that a task can cite, from `policy-measures.csv`.

use super::source::{Page, instead, listed};
use crate::id::Date;

/// One clause of a policy paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// What cites it: paper and clause, `S0/二（一）`.
    pub id: String,
    /// The paper's short name.
    pub paper: String,
    /// The clause within the paper.
    pub clause: String,
    /// The clause's title, as printed.
    pub title: String,
    /// The agencies that lead, as printed; none where the paper names none.
    pub lead_agencies: Vec<String>,
    /// The paper's number, where it has one.
    pub document_number: Option<String>,
    /// When the paper was printed, where it says.
    pub issued: Option<Date>,
    /// The last day on which the paper is in force, where it says.
    pub valid_to: Option<Date>,
}

impl Measure {
    /// Whether it is in force on a date, as far as the paper says.
    pub fn in_force(&self, date: Date) -> bool {
        self.issued.is_none_or(|first| first <= date)
            && self.valid_to.is_none_or(|last| date <= last)
    }
}

const COLUMNS: [&str; 7] = [
    "paper",
    "clause",
    "title",
    "lead_agencies",
    "document_number",
    "issued",
    "valid_to",
];

/// Reads `policy-measures.csv`.
pub(super) fn parse(page: Page<'_>) -> Vec<Measure> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(page.file.text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map(|row| row.iter().map(ToOwned::to_owned).collect())
        .unwrap_or_default();
    if header != COLUMNS {
        let remedy = header
            .iter()
            .find(|name| !COLUMNS.contains(&name.as_str()))
            .and_then(|name| instead(name, &COLUMNS))
            .unwrap_or_else(|| {
                format!(
                    "write the columns {}, in the order of the shipped file",
                    listed(&COLUMNS)
                )
            });
        page.note(
            0,
            "the first line does not name the columns of policy measures",
            remedy,
        );
        return Vec::new();
    }
    let mut measures: Vec<Measure> = Vec::new();
    for row in reader.records() {
        match row {
            Ok(row) => {
                let at = row
                    .position()
                    .map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
                if let Some(measure) = measure(page, at, &row) {
                    if measures.iter().any(|earlier| earlier.id == measure.id) {
                        page.note(
                            at,
                            format!("the measure `{}` stands twice", measure.id),
                            "remove one, or correct its clause",
                        );
                    }
                    measures.push(measure);
                }
            }
            Err(error) => {
                let at = error
                    .position()
                    .map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
                page.note(
                    at,
                    "this line is not CSV",
                    "save the file as CSV in UTF-8, with commas",
                );
            }
        }
    }
    measures
}

fn measure(page: Page<'_>, at: usize, row: &csv::StringRecord) -> Option<Measure> {
    let fields: Vec<&str> = row.iter().map(str::trim).collect();
    let [paper, clause, title, agencies, number, issued, valid_to] = fields.as_slice() else {
        page.note(
            at,
            format!(
                "the line has {} columns, not {}",
                fields.len(),
                COLUMNS.len()
            ),
            "quote values that hold a comma",
        );
        return None;
    };
    for (column, value) in [("paper", paper), ("clause", clause), ("title", title)] {
        if value.is_empty() {
            page.note(
                at,
                format!("the line has no `{column}`"),
                "write it; only the last four columns may be empty",
            );
        }
    }
    let date = |column: &str, text: &str| -> Option<Date> {
        if text.is_empty() {
            return None;
        }
        let date = text.parse().ok();
        if date.is_none() {
            page.note(
                at,
                format!("`{column}` is `{text}`, which is not a date"),
                "write it as 2026-01-31, or leave it empty",
            );
        }
        date
    };
    Some(Measure {
        id: format!("{paper}/{clause}"),
        paper: (*paper).to_owned(),
        clause: (*clause).to_owned(),
        title: (*title).to_owned(),
        lead_agencies: agencies
            .split(';')
            .filter(|name| !name.is_empty())
            .map(|name| name.trim().to_owned())
            .collect(),
        document_number: (!number.is_empty()).then(|| (*number).to_owned()),
        issued: date("issued", issued),
        valid_to: date("valid_to", valid_to),
    })
}
