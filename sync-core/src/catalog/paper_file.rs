//! Reading `papers/*.toml`.

use super::paper::{Holds, Paper, Period, Section, Subject};
use super::self_check_file::tie;
use super::source::{Namespace, Page};
use super::table::{Table, Text};

/// Reads a file of `papers/`.
pub(super) fn parse(page: Page<'_>) -> Paper {
    let root = page.parse();
    let mut file = page.root(&root);
    let label = file.label();
    let about = about(&mut file);
    let own = file.flag("own");
    let masked = file.flag("masked");
    let sections: Vec<Section> = file
        .tables("sections")
        .into_iter()
        .map(|table| section(table, &about))
        .collect();
    if sections.is_empty() {
        let remedy = "write `[[sections]]` with `label`, `kind` and `columns`";
        file.note(0, "the paper has no `sections`", remedy);
    }
    file.finish();
    Paper {
        name: page.stem().to_owned(),
        label,
        about,
        own,
        masked,
        sections,
    }
}

fn about(file: &mut Table<'_>) -> Subject {
    let period = file.choice("period", &Period::NAMES);
    let kind = file.text("about");
    if file.has("period") == file.has("about") {
        let message = "a paper is of a period or about a kind of record, and of one of them";
        let remedy = "write `period = \"month\"` or `about = \"case\"`";
        file.note(file.key_at("about"), message, remedy);
    }
    match kind {
        Some(kind) => {
            file.page.uses(Namespace::Kind, &kind);
            Subject::Record(kind.value)
        }
        None => Subject::Period(period.unwrap_or(Period::Month)),
    }
}

fn section(mut table: Table<'_>, about: &Subject) -> Section {
    let label = table.label();
    let steps = table.flag("steps");
    let holds = match table.text("kind") {
        Some(kind) => {
            table.page.uses(Namespace::Kind, &kind);
            around(&mut table, kind, about, steps)
        }
        None if steps => Holds::Steps,
        None => Holds::Fields,
    };
    if steps && matches!(holds, Holds::During { .. }) {
        let message = format!("{} is of a period, and has no steps", table.what);
        let remedy = "leave `steps` out, or make the paper `about` a kind of record";
        table.note(table.key_at("steps"), message, remedy);
    }
    let columns = table.texts("columns");
    let section = Section {
        label,
        columns: columns.iter().map(|text| text.value.clone()).collect(),
        holds,
    };
    match section.kind(about) {
        None => {
            let message = format!("{} is of no record", table.what);
            table.note(table.at, message, "write `kind = \"…\"`");
        }
        Some(kind) => {
            let field = || Namespace::Field(kind.to_owned());
            columns
                .iter()
                .for_each(|text| table.page.uses(field(), text));
        }
    }
    if columns.is_empty() && !steps {
        table.missing("columns", "[\"…\"]");
    }
    table.finish();
    section
}

fn around(table: &mut Table<'_>, kind: Text, about: &Subject, steps: bool) -> Holds {
    if let Subject::Period(_) = about {
        let on = table.text("on");
        if let Some(on) = &on {
            table
                .page
                .uses(Namespace::DateField(kind.value.clone()), on);
        }
        return Holds::During {
            kind: kind.value,
            on: on.map(|on| on.value),
        };
    }
    let (tie, own) = tie(table, &kind.value);
    if let (Some(own), Subject::Record(about)) = (own, about) {
        table.page.uses(Namespace::LinkField(about.clone()), &own);
    }
    Holds::Around {
        kind: kind.value,
        tie,
        steps,
    }
}
