//! `GET /v1/journals/{journal}/papers/{paper}`

use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use sync_core::catalog::{Label, Paper, Subject};
use sync_core::id::{Date, JournalId, RecordId, Seq};
use sync_core::look::{self, DraftLine, DraftSection};
use utoipa::{IntoParams, ToSchema};

use crate::context::{App, Caller};
use crate::papers;
use crate::problem::Problem;
use crate::routes::records::shown::{LabelView, Named};
use crate::routes::records::{OpenJournal, Read, ReadFailure};
use crate::routes::wire::{Day, Id};

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PaperQuery {
    /// A paper of a period: of that in which this day lies; of today's, if absent.
    #[param(value_type = Option<String>, format = Date)]
    day: Option<Day>,
    /// A paper about a record: this one.
    #[param(value_type = Option<String>)]
    record: Option<Id<RecordId>>,
    /// Only if the journal is folded up to this position.
    at: Option<Seq>,
}

impl PaperQuery {
    /// What a paper is asked for, which is of one thing.
    fn of(&self, paper: &Paper, today: Date) -> Result<look::Asked, ReadFailure> {
        match (&paper.about, self.day, self.record) {
            (Subject::Period(_), day, None) => Ok(look::Asked::Day(day.map_or(today, |day| day.0))),
            (Subject::Record(_), None, Some(record)) => Ok(look::Asked::Record(record.0)),
            (Subject::Period(_), _, Some(_)) => Err(ReadFailure::OfPeriod),
            (Subject::Record(_), ..) => Err(ReadFailure::OfRecord),
        }
    }
}

/// The first and the last day of a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeriodView {
    /// The first day.
    first: Day,
    /// The last day.
    last: Day,
}

/// A line of a paper.
#[derive(Serialize, ToSchema)]
pub struct PaperLine {
    /// The record that it comes from.
    #[schema(value_type = String)]
    source: Id<RecordId>,
    /// What stands in it, a text for each column.
    cells: Vec<LabelView>,
}

impl From<&DraftLine> for PaperLine {
    fn from(line: &DraftLine) -> Self {
        Self {
            source: Id(line.source),
            cells: labels(&line.cells),
        }
    }
}

/// A section of a paper.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaperSection {
    /// Its heading.
    label: LabelView,
    /// What its columns are called; none where the first of two cells says what the second is.
    columns: Vec<LabelView>,
    /// Its lines.
    lines: Vec<PaperLine>,
}

impl From<&DraftSection> for PaperSection {
    fn from(section: &DraftSection) -> Self {
        Self {
            label: LabelView::from(&section.label),
            columns: labels(&section.columns),
            lines: section.lines.iter().map(PaperLine::from).collect(),
        }
    }
}

/// A paper as it would be printed now.
#[derive(Serialize, ToSchema)]
pub struct PaperDraft {
    /// The paper.
    paper: Named,
    /// The village's name.
    place: String,
    /// Its period.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<PeriodView>,
    /// What the record is called that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<LabelView>,
    /// Its sections, those without a line among them.
    sections: Vec<PaperSection>,
}

super::mute!(PaperLine, PaperDraft);

fn labels(labels: &[Label]) -> Vec<LabelView> {
    labels.iter().map(LabelView::from).collect()
}

/// Drafts a paper from a village's records, each line with the record that it comes from. What the caller may not know of is not in
/// it, and what he may not see whole is masked, as in lists. Nothing is kept of it.
#[utoipa::path(get, path = "/v1/journals/{journal}/papers/{paper}", tag = "records", security(("bearer" = [])),
    params(("journal" = String, Path, description = "The journal"), ("paper" = String, Path, description = "The paper"), PaperQuery),
    responses((status = OK, body = PaperDraft, description = "The paper",
        headers(("x-zhucun-seq" = u64, description = "The position it rests on")))))]
pub async fn draft_paper(
    State(app): State<App>,
    caller: Caller,
    Path((journal, paper)): Path<(Id<JournalId>, String)>,
    Query(query): Query<PaperQuery>,
) -> Result<Read<PaperDraft>, Problem> {
    Ok(draft(&app, &caller, (journal.0, &paper), &query).await?)
}

async fn draft(
    app: &App,
    caller: &Caller,
    (journal, paper): (JournalId, &str),
    query: &PaperQuery,
) -> Result<Read<PaperDraft>, ReadFailure> {
    let OpenJournal {
        mut unit,
        reader,
        scope,
        seq,
    } = OpenJournal::open(app, caller, journal, query.at).await?;
    let paper = reader.catalogue().paper(paper);
    let paper = paper.ok_or(ReadFailure::NotFound)?;
    let asked = query.of(paper, reader.day())?;
    let draft = papers::draft(&mut *unit, &reader, (journal, &scope), (paper, asked), seq).await?;
    let draft = draft.ok_or(ReadFailure::NotFound)?;
    Ok(Read {
        seq: Some(seq),
        body: PaperDraft {
            paper: Named::new(&*paper.name, Some(&paper.label)),
            place: draft.place,
            period: draft.period.map(|(first, last)| PeriodView {
                first: Day(first),
                last: Day(last),
            }),
            title: draft.title.as_ref().map(LabelView::from),
            sections: draft.sections.iter().map(PaperSection::from).collect(),
        },
    })
}
