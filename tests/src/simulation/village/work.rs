//! What people do on their phones: opening forms, saving, offering again.

use sync_core::command::Origin;
use sync_core::id::{JournalId, RecordId};
use sync_core::sync::device::{Effect, FormId, Intent, Key, Target, Unanswered, World};

use super::super::Fault;
use super::super::ledger::Said;
use super::super::people::{Asked, Wish, wish};
use super::{Open, Sim};

impl Sim {
    pub(super) fn open_form(&mut self, phone: usize) {
        let Some(journal) = self.journal_for(phone) else {
            return;
        };
        let records: Vec<RecordId> = self.phones[phone]
            .phone
            .device
            .records(journal)
            .into_iter()
            .collect();
        let Some(record) = self.dice.favourite(&records).copied() else {
            return;
        };
        let saw = self.position(phone, journal);
        self.tell(format!(
            "{} opens a form on {}",
            self.name(phone),
            self.record_name(record)
        ));
        let carried = &mut self.phones[phone];
        // A form that is of no record is not pinned anew when something is saved on it.
        let shows = Some(record).filter(|_| self.fault != Some(Fault::FormNotRepinned));
        let form = carried.phone.device.open_form(journal, shows);
        carried.forms.push(Open {
            journal,
            form,
            record,
            saw,
        });
    }

    pub(super) fn save(&mut self, phone: usize) {
        let through_form = !self.phones[phone].forms.is_empty() && self.dice.once_in(2);
        let open = if through_form {
            let at = self.dice.index(self.phones[phone].forms.len());
            Some(self.phones[phone].forms.remove(at))
        } else {
            None
        };
        let Some(journal) = open
            .as_ref()
            .map(|open| open.journal)
            .or_else(|| self.journal_for(phone))
        else {
            return;
        };
        let marker = self.marker();
        let team = self.team_of(journal);
        let carried = &self.phones[phone];
        let asked = Asked {
            device: &carried.phone.device,
            role: self.people[carried.person].role,
            journal,
            on: open.as_ref().map(|open| open.record),
            team: &team,
            about: self.about,
        };
        let Some(Wish { intent, marker }) = wish(&mut self.dice, &asked, marker) else {
            return;
        };
        let saw = open
            .as_ref()
            .map_or_else(|| self.position(phone, journal), |open| open.saw);
        let form = open
            .map(|open| open.form)
            .filter(|_| !self.has(Fault::BaseIsTheFoldedPosition));
        let at = self.at(phone);
        let said = Said {
            marker,
            saw,
            at,
            phone,
            root: None,
        };
        self.save_intent(journal, form, &intent, &said);
    }

    pub(super) fn save_intent(
        &mut self,
        journal: JournalId,
        form: Option<FormId>,
        intent: &Intent,
        said: &Said,
    ) {
        let phone = said.phone;
        let now = self.at(phone);
        let carried = &mut self.phones[phone];
        let device = carried.phone.device.id();
        let saved = carried.phone.device.save(
            &mut World {
                now,
                rng: &mut carried.phone.rng,
            },
            journal,
            form,
            intent.clone(),
        );
        // What cannot count is said at once; the form stays as it was, and nothing was promised.
        let Ok(saved) = saved else { return };
        let places: Vec<Origin> = saved
            .commands
            .iter()
            .map(|n| Origin {
                device,
                journal,
                n: *n,
            })
            .collect();
        if let Target::New { kind, .. } = &intent.target {
            self.name_record(saved.record, kind);
        }
        self.tell(format!(
            "{} {} in {}, having seen up to {}",
            self.name(phone),
            self.words(intent, saved.record),
            self.village_name(journal),
            said.saw
        ));
        self.finish_save(&places, &saved.effects, said);
    }

    /// Makes the effects durable and only then says saved, unless the phone dies in between.
    pub(super) fn finish_save(&mut self, places: &[Origin], effects: &[Effect], said: &Said) {
        let phone = said.phone;
        if self.dice.once_in(25) {
            if self.has(Fault::SavedBeforePersisted) {
                self.ledger.say(places.iter().copied(), said);
            }
            self.restart(phone);
            self.tell(format!(
                "{} crashes before that is stored",
                self.name(phone)
            ));
            return;
        }
        self.carry_out(phone, effects);
        self.ledger.say(places.iter().copied(), said);
    }

    /// Carries out what a device asks for: storage, and forms that are shown anew.
    pub(super) fn carry_out(&mut self, phone: usize, effects: &[Effect]) {
        let before = self.phones[phone].phone.storage.clone();
        self.phones[phone].phone.storage.carry_out(effects);
        if self.has(Fault::ErasedStaysOnPhones) {
            let entries = before.0.into_iter();
            let entries = entries.filter(|(key, _)| matches!(key, Key::Entry(..)));
            self.phones[phone].phone.storage.0.extend(entries);
        }
        for effect in effects {
            let Effect::Repinned(form, _) = effect else {
                continue;
            };
            let Some(at) = self.phones[phone]
                .forms
                .iter()
                .position(|open| open.form == *form)
            else {
                continue;
            };
            let now = self.position(phone, self.phones[phone].forms[at].journal);
            self.phones[phone].forms[at].saw = now;
        }
    }

    /// Offers again what did not count: his own, or a teammate's for whom he signs.
    pub(super) fn offer_again(&mut self, phone: usize) {
        let device = &self.phones[phone].phone.device;
        let mut in_vain = device.to_answer();
        in_vain.extend(device.to_answer_for_others());
        let Some(Unanswered {
            origin, envelope, ..
        }) = self.dice.pick(&in_vain).cloned()
        else {
            return;
        };
        let Some(said) = self.ledger.find(origin, &envelope).cloned() else {
            return;
        };
        let saw = self.position(phone, origin.journal);
        let now = self.at(phone);
        let carried = &mut self.phones[phone];
        let device = carried.phone.device.id();
        let saved = carried.phone.device.offer_again(
            &mut World {
                now,
                rng: &mut carried.phone.rng,
            },
            origin,
        );
        let Ok(saved) = saved else { return };
        let place = |n: &u64| Origin {
            device,
            journal: origin.journal,
            n: *n,
        };
        // It stands under its root too: there it is found when its phone gets another lane.
        let mut places: Vec<Origin> = saved.commands.iter().map(place).collect();
        let root = envelope.origin.unwrap_or(origin);
        places.push(root);
        let said = Said {
            saw,
            at: now,
            phone,
            root: Some(root),
            ..said
        };
        self.tell(format!(
            "{} offers again what did not count, to {}",
            self.name(phone),
            self.record_name(saved.record)
        ));
        self.finish_save(&places, &saved.effects, &said);
    }
}
