//! The line between a phone and the server, and what it does to an exchange.

use sync_core::batch::Position;
use sync_core::seal::Parcel;
use sync_core::sync::device::{Whereabouts, World};
use sync_core::sync::wire::{Outcome, SyncResponse, WireBody, WireEntry};

use super::super::Fault;
use super::super::script::Line;
use super::super::violation::Sign;
use super::Sim;
use super::told::fate_words;

impl Sim {
    /// One request and its response over a line. Says whether there is more.
    pub(super) fn exchange(&mut self, phone: usize, line: Line) -> bool {
        let line = self.line_for(phone, line);
        let now = self.at(phone);
        let carried = &mut self.phones[phone];
        let before = carried.phone.storage.clone();
        let sealed = carried.phone.device.seal(&mut World {
            now,
            rng: &mut carried.phone.rng,
        });
        if line == Line::CrashBeforeSealingIsStored {
            if self.fault == Some(Fault::SendsBeforePersisted) {
                let request = self.phones[phone].phone.device.request();
                let device = self.phones[phone].phone.device.id();
                self.server.sync(phone, &request, device, self.now);
            }
            self.restart(phone);
            self.tell(format!(
                "{} crashes before what it sealed is stored",
                self.name(phone)
            ));
            return false;
        }
        self.carry_out(phone, &sealed);
        let mut request = self.phones[phone].phone.device.request();
        let device = self.phones[phone].phone.device.id();
        match line {
            Line::RequestCut => {
                let kept = self.dice.index(request.batches.len() + 1);
                request.batches.truncate(kept);
            }
            Line::Reordered => request.batches.reverse(),
            _ => {}
        }
        if line == Line::RequestLost {
            self.phones[phone].phone.device.line_broke();
            self.tell(format!("{} reaches nobody", self.name(phone)));
            return false;
        }
        if self.server.host.is_behind() && !self.give_back(phone) {
            self.tell(format!(
                "{} is told that the server is behind what it signed",
                self.name(phone)
            ));
            return false;
        }
        let brings = request.batches.len() + request.carried.len();
        let mut response = self.server.sync(phone, &request, device, self.now);
        if line == Line::Twice {
            response = self.server.sync(phone, &request, device, self.now);
        }
        if matches!(line, Line::ReplyLost | Line::RequestCut) {
            if self.has(Fault::ResealsSealed) {
                self.phones[phone].phone.storage = before;
                self.restart(phone);
            } else {
                self.phones[phone].phone.device.line_broke();
            }
            self.tell(format!(
                "{} syncs, bringing {brings} batch(es), and hears no answer",
                self.name(phone)
            ));
            return false;
        }
        if self.skips_unknown() {
            self.leave_out_unknown(phone, &mut response);
        }
        self.tell_exchange(phone, line, brings, &response);
        let carried = &mut self.phones[phone];
        let learned = carried.phone.device.on_response(
            &World {
                now,
                rng: &mut carried.phone.rng,
            },
            &response,
        );
        match learned {
            Ok(_) if line == Line::CrashBeforeReplyIsStored => {
                self.restart(phone);
                false
            }
            Ok(learned) => {
                self.carry_out(phone, &learned.effects);
                self.throw_away(phone, &learned.effects);
                self.compare_receipts(phone);
                if learned.enrol_again {
                    self.enrol_again(phone);
                }
                learned.more
            }
            Err(lie) => {
                // A copied phone meets its twin's work under its own key; a misled one meets the other history.
                let device = self.phones[phone].phone.device.id();
                if self.truth.cloned.contains(&device) {
                    self.enrol_in_place(phone);
                } else if !self.phones[phone].misled {
                    self.violated(
                        Sign::HonestAccused,
                        format!("by {}: {lie}", self.name(phone)),
                    );
                }
                false
            }
        }
    }

    /// The phone says that its key is spent: only one that was copied, suspended or revoked has reason to.
    pub(super) fn enrol_again(&mut self, phone: usize) {
        let device = self.phones[phone].phone.device.id();
        if !self.truth.cloned.contains(&device)
            && !self.is_told(phone)
            && !self.phones[phone].misled
        {
            self.violated(Sign::KeyGivenUp, self.name(phone));
        }
        self.enrol_in_place(phone);
    }

    /// What the phone was told of its own commands is what the journal says of them.
    pub(super) fn compare_receipts(&mut self, phone: usize) {
        if !self.server.other().is_empty() || self.phones[phone].misled {
            return;
        }
        let device = self.phones[phone].phone.device.id();
        if self.truth.cloned.contains(&device) {
            return;
        }
        let mut wrong = Vec::new();
        for village in &self.villages {
            for entry in self
                .server
                .host
                .entries(village.journal)
                .iter()
                .filter(|entry| entry.parts.batch.device == device)
            {
                for (envelope, fate) in entry.parts.batch.envelopes.iter().zip(&entry.head.fates) {
                    let told = self.phones[phone]
                        .phone
                        .device
                        .whereabouts(village.journal, envelope.n);
                    if let Some(Whereabouts::Received { seq, fate: told }) = told
                        && (seq != entry.head.seq || told != *fate)
                    {
                        wrong.push(Sign::ToldOtherwise.at(format!(
                            "{} was told “{}” of its command {}, which is {}",
                            self.name(phone),
                            fate_words(&told),
                            envelope.n,
                            fate_words(fate)
                        )));
                    }
                }
            }
        }
        self.violations.extend(wrong);
    }

    pub(super) fn sync_fully(&mut self, phone: usize) {
        for _ in 0..40 {
            let known = self.phones[phone].phone.device.journals();
            if !self.exchange(phone, Line::Good)
                && self.phones[phone].phone.device.journals() == known
            {
                return;
            }
        }
        self.violated(Sign::Endless, self.name(phone));
    }

    /// A teammate takes along what a phone has sealed.
    pub(super) fn carry(&mut self, from: usize) {
        let now = self.at(from);
        let carried = &mut self.phones[from];
        let sealed = carried.phone.device.seal(&mut World {
            now,
            rng: &mut carried.phone.rng,
        });
        self.carry_out(from, &sealed);
        let carried = &mut self.phones[from];
        let parcel: Option<Parcel> = carried
            .phone
            .device
            .export(&mut World {
                now,
                rng: &mut carried.phone.rng,
            })
            .ok();
        let to = self.dice.index(self.phones.len());
        if let Some(parcel) = parcel {
            let effects = self.phones[to].phone.device.carry(&parcel);
            self.carry_out(to, &effects);
            self.tell(format!(
                "{} takes along what {} has sealed",
                self.name(to),
                self.name(from)
            ));
        }
    }

    /// Leaves out what was written by a catalogue that the phone does not know, and all after it.
    fn leave_out_unknown(&self, phone: usize, response: &mut SyncResponse) {
        let known = self.phones[phone].phone.device.catalogues();
        for page in &mut response.journals {
            let unknown = |entry: &WireEntry| matches!(&entry.body, WireBody::Batch(batch) if !known.contains_key(&batch.catalogue));
            let Some(at) = page.entries.iter().position(unknown) else {
                continue;
            };
            let before = page.entries[at].seq - 1;
            page.entries.truncate(at);
            let head = self.server.host.journal(page.journal);
            if let Some(head) = head.and_then(|journal| journal.head_at(before)) {
                page.end = Position { seq: before, head };
            }
            page.more = false;
        }
    }

    fn tell_exchange(&mut self, phone: usize, line: Line, brings: usize, response: &SyncResponse) {
        let how = match line {
            Line::Twice => " (the request arrives twice)",
            Line::Reordered => " (the batches arrive in another order)",
            Line::CrashBeforeReplyIsStored => " and crashes before the answer is stored",
            Line::Good
            | Line::RequestLost
            | Line::RequestCut
            | Line::ReplyLost
            | Line::CrashBeforeSealingIsStored => "",
        };
        let outcomes: Vec<String> = response
            .receipts
            .iter()
            .map(|receipt| match &receipt.outcome {
                Outcome::Entered { seq, unusual } => {
                    let unusual: Vec<String> = unusual
                        .iter()
                        .map(|(_, fate)| format!(", {}", fate_words(fate)))
                        .collect();
                    format!("entered at {seq}{}", unusual.join(""))
                }
                other => format!("{other:?}"),
            })
            .collect();
        let gets: usize = response
            .journals
            .iter()
            .map(|page| page.entries.len())
            .sum();
        if brings == 0 && gets == 0 {
            return;
        }
        self.tell(format!(
            "{} syncs{how}: brings {brings} batch(es) [{}], gets {gets} entries",
            self.name(phone),
            outcomes.join("; ")
        ));
    }
}
