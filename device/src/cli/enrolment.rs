//! Enrolling, logging in, the PIN, and what is left when it is lost.

use std::fs;
use std::io::Write;
use std::path::Path;

use sync_core::id::Timestamp;
use sync_core::sync::device::World;

use super::ask::{self, Ask};
use super::{Complaint, Desk, Done, desk};
use crate::Field;
use crate::field::NewDevice;
use crate::messages::{Lang, Said, Text};
use crate::store::{self, Locked};
use crate::transport::Http;

/// What enrols a device, as typed.
pub(super) struct New<'a> {
    pub(super) code: &'a str,
    pub(super) server: Option<&'a str>,
    pub(super) label: Option<&'a str>,
}

impl New<'_> {
    fn device(&self, server: &str, lang: Lang) -> NewDevice {
        let label = self.label.unwrap_or(lang.say(Text::ThisComputer));
        NewDevice {
            server: server.to_owned(),
            code: self.code.to_owned(),
            label: label.to_owned(),
        }
    }
}

/// Enrols this folder: for the first time, or anew in place if a device is in it.
pub(super) fn enrol(
    home: &Path,
    new: &New<'_>,
    lang: Lang,
    now: Timestamp,
    ask: &mut dyn Ask,
    out: &mut dyn Write,
) -> Done {
    if store::exists(home) && !Locked::open(home)?.is_fresh()? {
        let mut field = desk::open(home, lang, ask)?;
        let mut desk = Desk::new(&mut field, lang, now, ask, out);
        return desk.enrol_in_place(new.code, new.server, new.label);
    }
    let url = new.server.ok_or(Said(Text::ServerNeeded))?;
    let pin = if store::exists(home) {
        ask::pin(ask, lang.say(Text::Pin))?
    } else {
        ask::new_pin(ask, lang)?.ok_or(Said(Text::PinsDiffer))?
    };
    let mut rng = rand::rng();
    let mut world = World { now, rng: &mut rng };
    let mut field = Field::enrol(
        home,
        &pin,
        &new.device(url, lang),
        &mut Http::new(url),
        &mut world,
    )?;
    let mut desk = Desk::new(&mut field, lang, now, ask, out);
    desk.say(Text::Enrolled)?;
    desk.sync()
}

/// Writes what was sealed and not yet received as a parcel, without the PIN.
pub(super) fn rescue(home: &Path, file: &Path, lang: Lang, out: &mut dyn Write) -> Done {
    let parcel = Locked::open(home)?.rescue(&mut rand::rng())?;
    let parcel = parcel.ok_or(Said(Text::NothingToRescue))?;
    fs::write(file, parcel.to_bytes())?;
    let (count, file) = (
        parcel.sealed().count().to_string(),
        file.display().to_string(),
    );
    Ok(writeln!(
        out,
        "{}",
        lang.fill(Text::Rescued, &[&count, &file])
    )?)
}

impl Desk<'_> {
    pub(super) fn enrol_in_place(
        &mut self,
        code: &str,
        server: Option<&str>,
        label: Option<&str>,
    ) -> Done {
        let url = server.unwrap_or(self.field.server()).to_owned();
        let new = New {
            code,
            server,
            label,
        }
        .device(&url, self.lang);
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        self.field
            .enrol_in_place(&new, &mut Http::new(&url), &mut world)?;
        self.say(Text::EnrolledAgain)?;
        self.sync()
    }

    pub(super) fn log_in(&mut self, user_name: &str) -> Done {
        let password = self.ask.secret(self.lang.say(Text::Password))?;
        let mut server = self.server();
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        self.field
            .log_in(user_name, &password, &mut server, &mut world)?;
        self.say(Text::LoggedIn)
    }

    pub(super) fn change_pin(&mut self) -> Done {
        let old = ask::pin(self.ask, self.lang.say(Text::OldPin))?;
        let new: Option<_> = ask::new_pin(self.ask, self.lang)?;
        let new = new.ok_or_else(|| Complaint::from(Said(Text::PinsDiffer)))?;
        self.field.change_pin(&old, &new, &mut self.rng)?;
        self.say(Text::PinChanged)
    }
}
