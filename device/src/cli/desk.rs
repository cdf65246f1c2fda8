//! A person at work: the open device, the language, the output, and who answers questions.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rand::rngs::ThreadRng;
use sync_core::catalog::{Catalogue, Kind, SelfCheck};
use sync_core::id::{JournalId, Timestamp};
use sync_core::sync::device::{Intent, Saved, World};
use sync_core::view::View;

use super::args::{Args, Command, PinCommand};
use super::ask::{self, Ask};
use super::{Complaint, Done, enrolment};
use crate::Field;
use crate::field::OpenError;
use crate::look::{NotOne, Row};
use crate::messages::{Lang, Said, Text};
use crate::screen::{COLUMNS, wrap};
use crate::store::Locked;
use crate::transport::Http;
use crate::values::Reading;

/// A person at work.
pub struct Desk<'a> {
    pub(super) field: &'a mut Field,
    pub(super) lang: Lang,
    pub(super) now: Timestamp,
    pub(super) rng: ThreadRng,
    pub(super) ask: &'a mut dyn Ask,
    pub(super) out: &'a mut dyn Write,
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Runs one command.
pub(super) fn run(args: &Args, lang: Lang, ask: &mut dyn Ask, out: &mut dyn Write) -> Done {
    let (home, now) = (home(args), super::now(args));
    match &args.command {
        Command::Enrol {
            code,
            server,
            label,
        } => {
            let new = enrolment::New {
                code,
                server: server.as_deref(),
                label: label.as_deref(),
            };
            enrolment::enrol(&home, &new, lang, now, ask, out)
        }
        Command::Rescue { file } => enrolment::rescue(&home, file, lang, out),
        command => {
            let mut field = open(&home, lang, ask)?;
            let rng = rand::rng();
            Desk {
                field: &mut field,
                lang,
                now,
                rng,
                ask,
                out,
            }
            .run(command)
        }
    }
}

/// The folder of the store: as said, or where the system keeps a person's data.
fn home(args: &Args) -> PathBuf {
    let data = || std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let own = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let folder = || data().or_else(own).unwrap_or_default().join("zhucun");
    args.home.clone().unwrap_or_else(folder)
}

/// Opens the device, asking for the PIN: again, as long as it is wrong and somebody is there to ask.
pub(super) fn open(home: &Path, lang: Lang, ask: &mut dyn Ask) -> Result<Field, Complaint> {
    use std::io::IsTerminal as _;

    let mut locked = Locked::open(home)?;
    loop {
        let pin = ask::pin(ask, lang.say(Text::Pin))?;
        match locked.unlock(&pin) {
            Ok(store) => return Ok(Field::open(store)?),
            Err((again, refused)) => {
                let can_ask =
                    io::stdin().is_terminal() && std::env::var_os("ZHUCUN_PIN_FILE").is_none();
                if again.tries_left() == 0 || !can_ask {
                    return Err(OpenError::Refused(refused).into());
                }
                let said = writeln!(
                    io::stderr(),
                    "{}",
                    lang.fill(Text::WrongPin, &[&again.tries_left().to_string()])
                );
                said?;
                locked = again;
            }
        }
    }
}

impl<'a> Desk<'a> {
    /// A desk for an open device.
    pub fn new(
        field: &'a mut Field,
        lang: Lang,
        now: Timestamp,
        ask: &'a mut dyn Ask,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            field,
            lang,
            now,
            rng: rand::rng(),
            ask,
            out,
        }
    }

    /// Runs one command.
    pub fn run(&mut self, command: &Command) -> Done {
        match command {
            Command::Enrol {
                code,
                server,
                label,
            } => self.enrol_in_place(code, server.as_deref(), label.as_deref()),
            Command::Login { user_name } => self.log_in(user_name),
            Command::Due => self.due(),
            Command::Households => self.households(),
            Command::List { kind, all } => self.list(kind.as_deref(), *all),
            Command::Show {
                record,
                reveal,
                reason,
            } => self.show(record, reveal.as_deref(), reason.as_deref()),
            Command::Visit(visit) => self.visit(visit),
            Command::Task { action: None, .. } => self.list(Some("task"), false),
            Command::Task {
                action: Some(action),
                record,
                with,
            } => self.task(action, record.as_deref(), with),
            Command::Act {
                record,
                action,
                with,
            } => self.act(record, action, with),
            Command::New { kind, new } => self.create(kind, new),
            Command::Set { record, fields } => self.set(record, fields),
            Command::Amend {
                record,
                fields,
                reason,
            } => self.amend(record, fields, reason),
            Command::Edit {
                record,
                field,
                text,
                append,
            } => self.edit(record, field, text.as_deref(), append.as_deref()),
            Command::Add {
                record,
                field,
                item,
            } => self.add_item(record, field, item),
            Command::Remove {
                record,
                field,
                number,
            } => self.remove_item(record, field, *number),
            Command::Void { record, reason } => self.void(record, reason),
            Command::Erase { records, reason } => self.erase(records, reason),
            Command::Clusters => self.clusters(),
            Command::Paper { name: None, .. } => self.papers(),
            Command::Paper {
                name: Some(name),
                day,
                of,
                village,
            } => self.paper(name, *day, of.as_deref(), village.as_deref()),
            Command::Checks { record } => self.checks(record.as_deref()),
            Command::Conflicts => self.conflicts(),
            Command::Choose {
                record,
                field,
                number,
            } => self.choose(record, field, *number),
            Command::Refused { others } => self.refused(*others),
            Command::Again { number, others } => self.again(*number, *others),
            Command::Leave { number } => self.leave(*number),
            Command::Flagged { cause } => self.flagged(cause.as_deref()),
            Command::Clear {
                cause,
                records,
                all,
                reason,
            } => self.clear(cause, records, *all, reason.as_deref()),
            Command::Seal {
                month,
                villages,
                all,
            } => self.seal(month, villages, *all),
            Command::Import(import) => self.import(import),
            Command::Sync => self.sync(),
            Command::Status => self.status(),
            Command::Receipt { record } => self.receipt(record),
            Command::Export { file } => self.export(file),
            Command::Carry { file } => self.carry(file),
            Command::Pin {
                what: PinCommand::Change,
            } => self.change_pin(),
            Command::Rescue { .. } => Err(Said(Text::RescueNeedsNoPin).into()),
            Command::Shell => self.shell(),
        }
    }

    pub(super) fn server(&self) -> Http {
        Http::new(self.field.server())
    }

    /// Prints a line, broken where the terminal ends.
    pub(super) fn print(&mut self, text: &str) -> Done {
        for line in wrap(text, COLUMNS) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// Prints a line as it is.
    pub(super) fn line(&mut self, text: &str) -> Done {
        Ok(writeln!(self.out, "{text}")?)
    }

    pub(super) fn say(&mut self, text: Text) -> Done {
        self.print(self.lang.say(text))
    }

    pub(super) fn fill(&mut self, text: Text, values: &[&str]) -> Done {
        self.print(&self.lang.fill(text, values))
    }

    /// The villages that this device writes in.
    fn own_villages(&self) -> impl Iterator<Item = (JournalId, String)> {
        let writes = |journal: &JournalId| self.field.device().role(*journal, self.now).is_some();
        let villages = self.field.villages().into_iter();
        villages.filter(move |(journal, _)| writes(journal))
    }

    /// The one village that this device writes in.
    pub(super) fn journal(&self) -> Result<JournalId, Complaint> {
        let mut own = self.own_villages();
        let (journal, _) = own.next().ok_or(Said(Text::NoVillage))?;
        match own.next() {
            None => Ok(journal),
            Some(_) => Err(Said(Text::WhichVillage).into()),
        }
    }

    /// One of them, by its name or the beginning of it.
    pub(super) fn village_named(&self, name: &str) -> Result<JournalId, Complaint> {
        let own: Vec<(JournalId, String)> = self.own_villages().collect();
        let among = |wanted: &dyn Fn(&str) -> bool| {
            let mut found = own.iter().filter(|(_, village)| wanted(village));
            found.next().filter(|_| found.next().is_none())
        };
        let found = among(&|village| village == name)
            .or_else(|| among(&|village| village.starts_with(name)));
        found
            .map(|(journal, _)| *journal)
            .ok_or_else(|| Said(Text::WhichVillage).into())
    }

    /// One of them by its name, or the one that there is.
    pub(super) fn village(&self, name: Option<&str>) -> Result<JournalId, Complaint> {
        name.map_or_else(|| self.journal(), |name| self.village_named(name))
    }

    pub(super) fn catalogue(&self) -> Result<&Catalogue, Complaint> {
        self.field
            .catalogue(self.now)
            .ok_or_else(|| Said(Text::NoCatalogue).into())
    }

    pub(super) fn reading(&self, journal: JournalId) -> Result<Reading<'_>, Complaint> {
        let catalogue = self.catalogue()?;
        Ok(Reading {
            field: self.field,
            catalogue,
            journal,
            now: self.now,
        })
    }

    /// The record that a text names.
    /// A record by its id's first digits or its title; of a kind, or as `KIND/TITLE`, where records of several kinds are called alike.
    pub(super) fn found(&self, text: &str, kind: Option<&str>) -> Result<(Row, View), Complaint> {
        let named = text.split_once('/').filter(|_| kind.is_none());
        let named = named.and_then(|(kind, title)| Some((self.kind_named(kind).ok()?, title)));
        let (kind, text) = named.map_or((kind, text), |(named, title)| (Some(&*named.name), title));
        let misnamed = |not_one: NotOne| crate::values::Misread::Record(text.to_owned(), not_one);
        let row = self.field.find(text, kind, self.now).map_err(misnamed)?;
        let view = self.field.view(row.journal, row.record, self.now);
        let view = view.ok_or_else(|| misnamed(NotOne::None))?;
        Ok((row, view))
    }

    pub(super) fn kind_named(&self, name: &str) -> Result<&Kind, Complaint> {
        let catalogue = self.catalogue()?;
        let is_named = |kind: &&Kind| {
            kind.name == name || kind.label.zh == name || kind.label.en.eq_ignore_ascii_case(name)
        };
        let found = catalogue.kinds().find(is_named);
        found.ok_or_else(|| {
            crate::messages::NoKind(
                name.to_owned(),
                catalogue.kinds().map(|kind| kind.name.clone()).collect(),
            )
            .into()
        })
    }

    pub(super) fn kind(&self, view: &View) -> Result<&Kind, Complaint> {
        self.field
            .kind_of(view, self.now)
            .ok_or_else(|| Said(Text::NoCatalogue).into())
    }

    /// Says what is doubtful of it, saves, and says so once it is durable.
    pub(super) fn save(&mut self, journal: JournalId, intent: Intent) -> Result<Saved, Complaint> {
        let look = self.field.look(self.now);
        let doubts = look.doubts_before(journal, core::slice::from_ref(&intent));
        let label = |check: &SelfCheck| self.lang.of(&check.label).to_owned();
        let labels: Vec<String> = doubts.into_iter().map(label).collect();
        for label in labels {
            self.fill(Text::Doubtful, &[&label])?;
        }
        self.save_silently(journal, intent)
    }

    /// Saves what goes with something of which that was said.
    pub(super) fn save_silently(
        &mut self,
        journal: JournalId,
        intent: Intent,
    ) -> Result<Saved, Complaint> {
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        let saved = self.field.save(&mut world, journal, None, intent)?;
        self.saved(&saved)?;
        Ok(saved)
    }

    pub(super) fn saved(&mut self, saved: &Saved) -> Done {
        let unsent = self.unsent().to_string();
        self.fill(Text::Saved, &[&saved.record.short(), &unsent])?;
        for fate in saved
            .predicted
            .iter()
            .filter(|fate| **fate != sync_core::journal::Fate::Accepted)
        {
            let said = self.lang.fate(fate, None);
            self.fill(Text::Predicted, &[&said])?;
        }
        Ok(())
    }

    pub(super) fn unsent(&self) -> usize {
        self.field.device().unsent().values().sum()
    }

    /// A day and a time of day, the year left out if it is this one.
    pub(super) fn when(&self, at: Timestamp) -> String {
        let text = at.to_string();
        let this_year = self.now.to_string().get(..4) == text.get(..4);
        text.get(if this_year { 5..16 } else { 0..16 })
            .unwrap_or(&text)
            .to_owned()
    }
}
