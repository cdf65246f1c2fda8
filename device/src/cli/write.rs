//! Writing: every verb on a record of any kind, as its kind declares.

use std::env;
use std::fs;
use std::process;

use sync_core::catalog::{FieldType, Kind, audience_name};
use sync_core::command::{Audience, Verb};
use sync_core::id::{ItemId, JournalId, RecordId};
use sync_core::sync::device::{Intent, Target, World};
use sync_core::text::splices;
use sync_core::value::Value;
use sync_core::view::{Shown, View};

use super::args::{NewRecord, With};
use super::{Complaint, Desk, Done};
use crate::look::Row;
use crate::messages::{NoAction, Said, Text};

impl Desk<'_> {
    pub(super) fn task(&mut self, action: &str, record: Option<&str>, with: &With) -> Done {
        if matches!(action, "list" | "列表") {
            return self.list(Some("task"), false);
        }
        let record = record.ok_or(Said(Text::WhichRecord))?;
        self.act_on(record, action, Some("task"), with)
    }

    pub(super) fn act(&mut self, record: &str, action: &str, with: &With) -> Done {
        self.act_on(record, action, None, with)
    }

    fn act_on(&mut self, record: &str, action: &str, kind: Option<&str>, with: &With) -> Done {
        let (row, view) = self.found(record, kind)?;
        let kind = self.kind(&view)?.clone();
        let action = self.action_named(&kind, &view, action)?;
        let mut intent = Intent {
            reason: with.reason.clone(),
            ..Intent::act(row.record, action)
        };
        self.fill_in(&mut intent, &row, &with.fields)?;
        let mut intent = self.field.complete(row.journal, intent, self.now);
        self.ask_for_needs(&mut intent, &kind, &row)?;
        self.save(row.journal, intent)?;
        Ok(())
    }

    /// An action by its name or label.
    fn action_named(&self, kind: &Kind, view: &View, name: &str) -> Result<String, Complaint> {
        let is_named = |action: &&sync_core::catalog::Action| {
            action.name == name
                || action.label.zh == name
                || action.label.en.eq_ignore_ascii_case(name)
        };
        let found = kind
            .actions
            .iter()
            .filter(|action| !action.retired)
            .find(is_named);
        let open = || {
            self.field
                .actions(kind, view, self.now)
                .iter()
                .map(|action| action.name.clone())
                .collect()
        };
        found
            .map(|action| action.name.clone())
            .ok_or_else(|| NoAction(name.to_owned(), open()).into())
    }

    fn fill_in(&self, intent: &mut Intent, row: &Row, typed: &[String]) -> Done {
        let reading = self.reading(row.journal)?;
        for text in typed {
            reading.add(intent, &row.kind, text)?;
        }
        Ok(())
    }

    /// Asks for what the action must bring and was not said.
    fn ask_for_needs(&mut self, intent: &mut Intent, kind: &Kind, row: &Row) -> Done {
        let Some(action) = intent.action.as_deref().and_then(|name| kind.action(name)) else {
            return Ok(());
        };
        for name in &action.needs {
            let brought = intent.values.contains_key(name)
                || intent.links.iter().any(|link| link.field == *name);
            let Some(field) = kind.field(name).filter(|_| !brought) else {
                continue;
            };
            let prompt = format!("{}{}", self.lang.of(&field.label), self.lang.colon());
            let typed = self.ask.line(&prompt)?.unwrap_or_default();
            if !typed.trim().is_empty() {
                self.reading(row.journal)?
                    .add_to(intent, field, typed.trim())?;
            }
        }
        if action.needs_reason && intent.reason.is_none() {
            intent.reason = self
                .ask
                .line(self.lang.say(Text::ReasonPrompt))?
                .filter(|reason| !reason.trim().is_empty());
        }
        Ok(())
    }

    pub(super) fn create(&mut self, kind: &str, new: &NewRecord) -> Done {
        let NewRecord {
            set: typed,
            from,
            audience,
            village,
        } = new;
        let kind = self.kind_named(kind)?.clone();
        let from = from.as_deref().map(|from| self.found(from, None));
        let from = from.transpose()?;
        let journal = match (&from, village) {
            (Some((row, _)), _) => row.journal,
            (None, Some(name)) => self.village_named(name)?,
            (None, None) => self.journal_of(&kind, typed)?,
        };
        let kind = kind.name;
        let audience = match audience.as_deref() {
            Some(name) => Some(named_audience(name)?),
            None => None,
        };
        let mut intent = Intent::new(
            Target::New {
                kind: kind.clone(),
                audience,
            },
            Verb::Create,
        );
        if let Some((row, view)) = from {
            let by = self.field.next(&view, &kind, self.now);
            let by = by.ok_or(Said(Text::NotFromThat))?;
            intent = intent.link(by, row.record);
        }
        for text in typed {
            self.reading(journal)?.add(&mut intent, &kind, text)?;
        }
        let intent = self.field.complete(journal, intent, self.now);
        self.save(journal, intent)?;
        Ok(())
    }

    /// Where a new record belongs: beside the first record that it refers to, else in the one village that this device writes in.
    fn journal_of(&self, kind: &Kind, typed: &[String]) -> Result<JournalId, Complaint> {
        let referred = typed.iter().find_map(|text| {
            let (name, target) = crate::values::assignment(text).ok()?;
            let field = lists::typed::called(&kind.fields, name)?;
            let is_ref = matches!(field.ty, FieldType::Ref { .. } | FieldType::Refs { .. });
            is_ref.then_some((target, field.ty.target_kind()))
        });
        match referred {
            Some((target, of)) => Ok(self.found(target, of)?.0.journal),
            None => self.journal(),
        }
    }

    pub(super) fn set(&mut self, record: &str, typed: &[String]) -> Done {
        let (row, _) = self.found(record, None)?;
        let mut intent = Intent::set(row.record);
        self.fill_in(&mut intent, &row, typed)?;
        self.save(row.journal, intent)?;
        Ok(())
    }

    pub(super) fn amend(&mut self, record: &str, typed: &[String], reason: &str) -> Done {
        let (row, _) = self.found(record, None)?;
        let mut intent = Intent::new(Target::Existing(row.record), Verb::Amend).because(reason);
        self.fill_in(&mut intent, &row, typed)?;
        self.save(row.journal, intent)?;
        Ok(())
    }

    pub(super) fn void(&mut self, record: &str, reason: &str) -> Done {
        let (row, _) = self.found(record, None)?;
        let intent = Intent::new(Target::Existing(row.record), Verb::Void).because(reason);
        self.save(row.journal, intent)?;
        Ok(())
    }

    /// Destroys the content of records. All of them are found before the first is destroyed.
    pub(super) fn erase(&mut self, records: &[String], reason: &str) -> Done {
        let found = records.iter().map(|record| self.found(record, None));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        for (row, _) in found {
            let intent = Intent::new(Target::Existing(row.record), Verb::Erase).because(reason);
            self.save(row.journal, intent)?;
        }
        Ok(())
    }

    /// Edits a text: in the person's editor, or as said. A form is open meanwhile, so that what is looked at is what was seen.
    pub(super) fn edit(
        &mut self,
        record: &str,
        field: &str,
        text: Option<&str>,
        append: Option<&str>,
    ) -> Done {
        let (row, view) = self.found(record, None)?;
        let field = self
            .reading(row.journal)?
            .named(&row.kind, field)?
            .name
            .clone();
        let before = match view.fields.get(&field) {
            Some(Shown::Text(text)) => text.clone(),
            None => String::new(),
            Some(Shown::Withheld) => return Err(Said(Text::Withheld).into()),
            Some(Shown::Value(_) | Shown::Conflict(_) | Shown::Items(_)) => {
                return Err(Said(Text::NotAText).into());
            }
        };
        let form = self.field.open_form(row.journal, Some(row.record));
        let after = match (text, append) {
            (Some(text), _) => text.to_owned(),
            (None, Some(more)) => format!("{before}{more}"),
            (None, None) => edited(&before)?,
        };
        let splices = splices(&before, &after);
        if splices.is_empty() {
            self.field.close_form(form);
            return self.say(Text::NothingChanged);
        }
        let mut intent = Intent::new(Target::Existing(row.record), Verb::Edit);
        intent.edit = Some((field, splices));
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        let saved = self
            .field
            .save(&mut world, row.journal, Some(form), intent)?;
        self.saved(&saved)
    }

    pub(super) fn add_item(&mut self, record: &str, field: &str, item: &str) -> Done {
        let (row, _) = self.found(record, None)?;
        let reading = self.reading(row.journal)?;
        let field = reading.named(&row.kind, field)?.clone();
        let mut intent = Intent::new(Target::Existing(row.record), Verb::Insert);
        reading.add_to(&mut intent, &field, item)?;
        self.save(row.journal, intent)?;
        Ok(())
    }

    pub(super) fn remove_item(&mut self, record: &str, field: &str, number: usize) -> Done {
        let (row, view) = self.found(record, None)?;
        let field = self
            .reading(row.journal)?
            .named(&row.kind, field)?
            .name
            .clone();
        let item = match view.fields.get(&field) {
            Some(Shown::Items(items)) => number
                .checked_sub(1)
                .and_then(|at| items.get(at))
                .map(|(id, _)| *id),
            _ => None,
        };
        let item: ItemId = item.ok_or(Said(Text::NoSuchNumber))?;
        let mut intent = Intent::new(Target::Existing(row.record), Verb::Remove);
        intent.removed = Some((field, vec![item]));
        self.save(row.journal, intent)?;
        Ok(())
    }

    /// Chooses one of the values of a field in 待核对.
    pub(super) fn choose(&mut self, record: &str, field: &str, number: usize) -> Done {
        let (row, view) = self.found(record, None)?;
        let field = self.reading(row.journal)?.named(&row.kind, field)?.clone();
        let Some(Shown::Conflict(values)) = view.fields.get(&field.name) else {
            return Err(Said(Text::NotInConflict).into());
        };
        let said = number
            .checked_sub(1)
            .and_then(|at| values.get(at))
            .ok_or(Said(Text::NoSuchNumber))?;
        let mut intent = Intent {
            chooses: true,
            ..Intent::set(row.record)
        };
        if field.ty.is_link() {
            for target in targets(&said.value) {
                intent = intent.link(&field.name, target);
            }
        }
        if intent.links.is_empty() {
            intent = intent.with(&field.name, said.value.clone());
        }
        self.save(row.journal, intent)?;
        Ok(())
    }
}

fn targets(value: &Value) -> Vec<RecordId> {
    match value {
        Value::List(values) => values
            .iter()
            .filter_map(sync_core::record::referred)
            .collect(),
        value => sync_core::record::referred(value).into_iter().collect(),
    }
}

/// A text as it comes back from the person's editor. The file it lay in is overwritten before it goes.
fn edited(before: &str) -> Result<String, Complaint> {
    let editor = env::var("VISUAL")
        .or_else(|_| env::var("EDITOR"))
        .map_err(|_| Said(Text::NoEditor))?;
    let folder = env::temp_dir().join(format!("zhucun-{}", process::id()));
    fs::create_dir(&folder)?;
    #[cfg(unix)]
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let path = folder.join("text.txt");
    let edit = || -> Result<String, Complaint> {
        fs::write(&path, before)?;
        let mut words = editor.split_whitespace();
        let program = words.next().ok_or(Said(Text::NoEditor))?;
        let status = process::Command::new(program)
            .args(words)
            .arg(&path)
            .status()?;
        if !status.success() {
            return Err(Said(Text::NothingChanged).into());
        }
        Ok(fs::read_to_string(&path)?)
    };
    let after = edit();
    let length = fs::metadata(&path).map_or(0, |file| file.len());
    let wiped = fs::write(&path, vec![0; usize::try_from(length).unwrap_or(0)]);
    wiped.and_then(|()| fs::remove_dir_all(&folder))?;
    // Editors end a file with a line's end.
    let after = after?;
    let ends = before.ends_with('\n') || !after.ends_with('\n');
    Ok(if ends {
        after
    } else {
        after.trim_end_matches('\n').to_owned()
    })
}

fn named_audience(name: &str) -> Result<Audience, Complaint> {
    let named = Audience::ALL
        .into_iter()
        .find(|audience| audience_name(*audience) == name);
    named.ok_or_else(|| Said(Text::NoSuchAudience).into())
}
