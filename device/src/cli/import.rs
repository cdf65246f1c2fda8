//! Importing a comparison list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use lists::mapping::{Kept, Mapping};
use lists::plan::{Planned, Planner, Verdict, Wrong};
use lists::register::Register;
use lists::sheet::{self, Line, Unread};
use lists::{report, suggest};
use sync_core::catalog::Kind;
use sync_core::limits;
use sync_core::look::both;
use sync_core::look::roll::{CLUE, Roll};
use sync_core::sync::device::World;

use super::args::Import;
use super::{Complaint, Desk, Done};
use crate::messages::{Said, Text, Worded as _};
use crate::screen::Table;

/// How many clues become durable at once. A disk that syncs in some milliseconds is not waited for longer than the rest takes.
const AT_ONCE: usize = 256;

impl Desk<'_> {
    pub(super) fn import(&mut self, import: &Import) -> Done {
        let lines = lines(&import.file, import.sheet.as_deref())?;
        let kind = self.kind_named(CLUE)?.clone();
        if import.suggest {
            let header = suggest::header(&lines, &kind).ok_or(Unread::Empty)?;
            let text = suggest::text(header, &kind, self.now.date());
            return self.line(text.trim_end());
        }
        if self.field.device().lease_is_over(self.now) {
            return Err(Said(Text::LeaseOver).into());
        }
        let mapping = import.mapping.as_deref().ok_or(Said(Text::MappingNeeded))?;
        let mapping = Kept::from_toml(&fs::read_to_string(mapping)?)?;
        let mapping = Mapping::of(mapping, &kind, &lines)?;
        let decisions = match &import.decisions {
            Some(path) => report::decisions(&bytes(path)?)?,
            None => BTreeMap::new(),
        };
        let register = Register::of(Roll::read(&self.field.look(self.now)));
        if register.is_empty() {
            return Err(Said(Text::NoRegister).into());
        }
        let planner = Planner {
            catalogue: self.catalogue()?,
            mapping: &mapping,
            register: &register,
            decisions: &decisions,
            today: self.now.date(),
        };
        let mut planned = planner.plan(&lines);
        let keys: BTreeSet<&str> = planned.iter().map(|row| row.key.as_str()).collect();
        let strange = decisions.keys().filter(|key| !keys.contains(key.as_str()));
        let strange = strange.count();
        if strange > 0 {
            self.fill(Text::StrangeDecisions, &[&strange.to_string()])?;
        }
        let text = report::text(&planned, &register, |label| self.lang.of(label))?;
        // Before anything is made: a report that cannot be written stops the import.
        let mut file = match &import.report {
            Some(path) => Some(create(path, &text)?),
            None => None,
        };
        if !import.dry_run && self.make(&mut planned, &kind, &mapping)? {
            let text = report::text(&planned, &register, |label| self.lang.of(label))?;
            if let Some(file) = &mut file {
                replace(file, &text)?;
            }
        }
        self.told(&planned, import)
    }

    /// Makes clues of what is clear, some hundred rows at a time: each durable whole, or not at all. Says whether some of it could
    /// not be made after all.
    fn make(
        &mut self,
        planned: &mut [Planned],
        kind: &Kind,
        mapping: &Mapping,
    ) -> Result<bool, Complaint> {
        let today = self.now.date();
        let (mut made, mut fell_out) = (0, false);
        for rows in planned.chunks_mut(AT_ONCE) {
            let clear = rows.iter_mut().filter_map(|row| {
                let clue = row.clue(kind, mapping, today)?;
                Some((row, clue))
            });
            let (clear, clues): (Vec<_>, Vec<_>) = clear.unzip();
            let mut world = World {
                now: self.now,
                rng: &mut self.rng,
            };
            let saved = self.field.save_each(&mut world, clues)?;
            for (row, saved) in clear.into_iter().zip(saved) {
                match saved {
                    Ok(_) => made += 1,
                    Err(cannot) => {
                        fell_out = true;
                        let why = both(cannot.worded(self.lang));
                        row.verdict = Verdict::Bad(String::new(), Wrong::NotSaved(why));
                    }
                }
            }
        }
        self.fill(Text::Imported, &[&made.to_string()])?;
        Ok(fell_out)
    }

    /// How many rows came to what, what is left for a person to do, and how long the clues take to go out.
    fn told(&mut self, planned: &[Planned], import: &Import) -> Done {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut table = Table::default();
        for row in planned {
            let result = report::result(&row.verdict);
            *counts.entry(self.lang.of(&result).to_owned()).or_default() += 1;
        }
        for (result, count) in counts {
            table.row([result, count.to_string()]);
        }
        self.table(&table, Text::NothingHere)?;
        let left = planned.iter().any(|row| {
            matches!(
                row.verdict,
                Verdict::Undecided(_) | Verdict::NoVillage(_) | Verdict::Bad(..)
            )
        });
        match &import.report {
            Some(path) => self.fill(Text::Reported, &[&path.display().to_string()])?,
            None if left => self.say(Text::LeftOut)?,
            None => {}
        }
        if import.dry_run {
            return self.say(Text::DryRun);
        }
        let per_day = usize::try_from(limits::DEVICE_DAY_COMMANDS_MAX).unwrap_or(usize::MAX);
        let unsent = self.field.device().unsent();
        let days = unsent.values().map(|count| count.div_ceil(per_day)).max();
        if let Some(days) = days.filter(|days| *days > 1) {
            self.fill(Text::SeveralDays, &[&days.to_string()])?;
        }
        self.outbox_note()
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Complaint> {
    let length = fs::metadata(path)?.len();
    if length > u64::try_from(limits::LIST_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(Unread::TooLarge.into());
    }
    Ok(fs::read(path)?)
}

fn lines(path: &Path, sheet: Option<&str>) -> Result<Vec<Line>, Complaint> {
    Ok(sheet::read(&bytes(path)?, sheet)?)
}

/// Writes a report for its person's eyes alone; never over a file that is there.
fn create(path: &Path, text: &[u8]) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()?;
    Ok(file)
}

/// Writes it anew into the same file.
fn replace(file: &mut fs::File, text: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text)?;
    file.sync_all()
}
