//! Syncing, the outbox, and parcels.

use std::fs;
use std::path::Path;

use sync_core::limits;
use sync_core::sync::device::World;
use sync_core::sync::wire::Outcome;

use super::{Desk, Done};
use crate::field::Synced;
use crate::messages::{Said, Text};

impl Desk<'_> {
    pub(super) fn sync(&mut self) -> Done {
        let mut server = self.server();
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        let synced = self.field.sync(&mut server, &mut world);
        let given_back = self.field.given_back();
        if given_back > 0 {
            self.fill(Text::GivenBack, &[&given_back.to_string()])?;
        }
        self.synced(&synced?)
    }

    /// What a sync came to. *All received* is said only if the server said so of each.
    pub(super) fn synced(&mut self, synced: &Synced) -> Done {
        let (answered, entries) = (synced.answered.to_string(), synced.entries.to_string());
        self.fill(Text::Synced, &[&answered, &entries])?;
        if synced.delivered > 0 {
            self.fill(Text::Delivered, &[&synced.delivered.to_string()])?;
        }
        for (_, first, outcome) in &synced.held_back {
            let why = self.lang.outcome(outcome);
            self.fill(Text::HeldBack, &[&first.to_string(), &why])?;
            if let Outcome::Quota { retry_after_s } = outcome {
                self.fill(Text::RetryAfter, &[&retry_after_s.to_string()])?;
            }
        }
        if synced.enrol_again {
            self.say(Text::EnrolAgain)?;
        }
        for version in &synced.missing_catalogues {
            self.fill(Text::MissingCatalogue, &[&version.to_string()])?;
        }
        if self.unsent() == 0 {
            self.say(Text::AllReceived)?;
        }
        self.outbox_note()
    }

    pub(super) fn status(&mut self) -> Done {
        let device = self.field.device();
        let (unsent, carries) = (self.unsent().to_string(), device.carries());
        let (refused, last) = (device.to_answer().len(), device.last_contact());
        let id = device.id().short();
        let checkpoint = device.checkpoint().map(|(size, _)| size.to_string());
        let me = self.field.person(self.field.user());
        self.fill(
            Text::WhoAmI,
            &[&me, &id, self.field.server().to_owned().as_str()],
        )?;
        self.fill(Text::Unsent, &[&unsent])?;
        if refused > 0 {
            self.fill(Text::RefusedCount, &[&refused.to_string()])?;
        }
        if carries > 0 {
            self.fill(Text::Carries, &[&carries.to_string()])?;
        }
        match last {
            None => self.say(Text::NeverSynced)?,
            Some(last) => {
                let until = last.plus_ms(limits::LEASE_MS);
                let (last, until) = (self.when(last), self.when(until));
                self.fill(Text::LastContact, &[&last, &until])?;
            }
        }
        if self.field.device().lease_is_over(self.now) && last.is_some() {
            self.say(Text::LeaseOver)?;
        }
        for (journal, name) in self.field.villages() {
            let device = self.field.device();
            let seq = device.position(journal).map_or(0, |position| position.seq);
            let role = device
                .role(journal, self.now)
                .unwrap_or_default()
                .to_owned();
            let role = self
                .field
                .catalogue(self.now)
                .and_then(|catalogue| catalogue.role(&role));
            let role = role.map_or_else(String::new, |role| self.lang.of(&role.label).to_owned());
            let unsent = device.unsent().get(&journal).copied().unwrap_or(0);
            self.fill(
                Text::VillageLine,
                &[&name, &role, &seq.to_string(), &unsent.to_string()],
            )?;
        }
        if let Some(size) = checkpoint {
            self.fill(Text::Checkpoint, &[&size])?;
        }
        Ok(())
    }

    pub(super) fn export(&mut self, file: &Path) -> Done {
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        let parcel = self
            .field
            .export(&mut world)?
            .ok_or(Said(Text::NothingToExport))?;
        fs::write(file, parcel.to_bytes())?;
        let (count, file) = (
            parcel.sealed().count().to_string(),
            file.display().to_string(),
        );
        self.fill(Text::Exported, &[&count, &file])
    }

    pub(super) fn carry(&mut self, file: &Path) -> Done {
        let bytes = fs::read(file)?;
        let mut world = World {
            now: self.now,
            rng: &mut self.rng,
        };
        let count = self.field.carry(&mut world, &bytes)?;
        self.fill(Text::Carried, &[&count.to_string()])
    }
}
