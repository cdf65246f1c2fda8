//! Papers: which there are, and one as it would be printed now.

use sync_core::catalog::{Label, Period, Subject};
use sync_core::id::Date;
use sync_core::look::{Asked, DraftSection};

use super::{Desk, Done};
use crate::messages::{Said, Text};
use crate::screen::Table;

impl Desk<'_> {
    pub(super) fn papers(&mut self) -> Done {
        let mut table = Table::default();
        for paper in self.catalogue()?.papers() {
            let of = match &paper.about {
                Subject::Period(Period::Day) => self.lang.say(Text::PaperOfDay).to_owned(),
                Subject::Period(Period::Month) => self.lang.say(Text::PaperOfMonth).to_owned(),
                Subject::Period(Period::Year) => self.lang.say(Text::PaperOfYear).to_owned(),
                Subject::Record(kind) => {
                    let kind = self.kind_label(kind);
                    self.lang.fill(Text::PaperAbout, &[&kind])
                }
            };
            let label = self.lang.of(&paper.label).to_owned();
            table.row([paper.name.clone(), label, of]);
        }
        self.table(&table, Text::NoPapers)
    }

    /// A paper of the period in which a day lies, today's if it is not said; or about a record.
    pub(super) fn paper(
        &mut self,
        name: &str,
        day: Option<Date>,
        of: Option<&str>,
        village: Option<&str>,
    ) -> Done {
        let (journal, asked) = match of {
            Some(of) => {
                let (row, _) = self.found(of, None)?;
                (row.journal, Asked::Record(row.record))
            }
            None => {
                let day = day.unwrap_or_else(|| self.now.date());
                (self.village(village)?, Asked::Day(day))
            }
        };
        let look = self.field.look(self.now);
        let paper = look.catalogue().and_then(|all| all.paper(name));
        let draft = paper.and_then(|paper| Some((paper, look.draft(journal, paper, asked)?)));
        let (paper, draft) = draft.ok_or(Said(Text::NoPaper))?;
        let mut head = vec![self.lang.of(&paper.label).to_owned(), draft.place];
        head.extend(draft.title.map(|title| self.lang.of(&title).to_owned()));
        head.extend(draft.period.map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first} – {last}")
            }
        }));
        let sections = draft.sections;
        self.print(&head.join("  "))?;
        sections
            .iter()
            .try_for_each(|section| self.passage(section))
    }

    fn passage(&mut self, section: &DraftSection) -> Done {
        self.print("")?;
        let heading = self.lang.of(&section.label).to_owned();
        self.print(&heading)?;
        if section.lines.is_empty() {
            let none = self.lang.say(Text::NothingListed);
            return self.print(&format!("  {none}"));
        }
        for line in &section.lines {
            let id = line.source.short();
            let cells = line.cells.iter().enumerate().filter_map(|(at, cell)| {
                let text = self.lang.of(cell);
                let column = section
                    .columns
                    .get(at)
                    .map(|column: &Label| self.lang.of(column));
                let named = column.map(|column| format!("{column}{}{text}", self.lang.colon()));
                (!text.is_empty()).then(|| named.unwrap_or_else(|| text.to_owned()))
            });
            let cells: Vec<String> = cells.collect();
            self.print(&format!("  {id}  {}", cells.join("  ")))?;
        }
        Ok(())
    }
}
