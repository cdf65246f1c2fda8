//! A field device in somebody's hand.

use std::io;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use device::Field;
use device::cli::{Ask, Desk};
use device::field::NewDevice;
use device::look::Row;
use device::messages::Lang;
use device::transport::Http;
use sync_core::id::{RecordId, Timestamp};
use sync_core::look::Wanted;
use sync_core::sync::device::World;
use sync_core::vault::Pin;

/// A device, and whose it is.
pub(crate) struct Phone {
    pub(crate) owner: &'static str,
    pub(crate) field: Field,
}

/// In a story nobody is there to be asked: every command says what it has to say.
struct Nobody;

impl Ask for Nobody {
    fn line(&mut self, _prompt: &str) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn secret(&mut self, _prompt: &str) -> io::Result<String> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Phone {
    /// Enrols a device by a one-time code, over HTTP.
    pub(crate) fn enrol(
        owner: &'static str,
        folder: &Path,
        pin: &str,
        server: &str,
        code: &str,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let new = NewDevice {
            server: server.to_owned(),
            code: code.to_owned(),
            label: "手机".to_owned(),
        };
        let mut world = World {
            now,
            rng: &mut rand::rng(),
        };
        let enrolled = Field::enrol(
            folder,
            &Pin::typed(pin),
            &new,
            &mut Http::new(server),
            &mut world,
        );
        Ok(Self {
            owner,
            field: enrolled.with_context(|| format!("{owner}'s device was not enrolled"))?,
        })
    }

    /// What the device answers to a typed command.
    pub(crate) fn type_line(
        &mut self,
        line: &str,
        lang: Lang,
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let (said, complaint) = self.run(line, lang, now)?;
        match complaint {
            None => Ok(said),
            Some(complaint) => bail!("{} typed {line:?}: {said}{complaint}", self.owner),
        }
    }

    /// Why the device does not do what was typed.
    pub(crate) fn is_refused(
        &mut self,
        line: &str,
        lang: Lang,
        now: Timestamp,
    ) -> anyhow::Result<String> {
        let (said, complaint) = self.run(line, lang, now)?;
        complaint.with_context(|| format!("{} typed {line:?}, and it was done: {said}", self.owner))
    }

    fn run(
        &mut self,
        line: &str,
        lang: Lang,
        now: Timestamp,
    ) -> anyhow::Result<(String, Option<String>)> {
        let mut out = Vec::new();
        let done = Desk::new(&mut self.field, lang, now, &mut Nobody, &mut out).type_line(line);
        let complaint = done.err().map(|complaint| complaint.worded(lang));
        Ok((String::from_utf8(out)?, complaint))
    }

    /// The record of a kind with a title that was touched last.
    pub(crate) fn last_of(
        &self,
        kind: &str,
        title: &str,
        now: Timestamp,
    ) -> anyhow::Result<RecordId> {
        let rows = self.field.look(now).rows(&Wanted::of(Some(kind), false));
        let titles: Vec<String> = rows.iter().map(|row| row.title.clone()).collect();
        let mut titled = rows.into_iter().filter(|row| row.title == title);
        let row = titled.next();
        row.map(|row| row.record)
            .with_context(|| format!("{} has no {kind} {title}: {titles:?}", self.owner))
    }

    /// The one record of a kind with a title, or the only one of its kind.
    pub(crate) fn record(&self, kind: &str, title: &str, now: Timestamp) -> anyhow::Result<Row> {
        let found = self.field.find(title, Some(kind), now);
        found.map_err(|_| anyhow!("{} has no one {kind} {title}", self.owner))
    }
}
