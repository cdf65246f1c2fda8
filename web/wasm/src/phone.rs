//! The phone behind the bindings: the core's own parts held together, and every call of `web/src/core/api.ts` passed on to them.
//!
//! What is to be made durable is handed out ([`Change::stored`]); only when it is may the shell tell anybody what came of the call.
//! After a write that failed the shell loads the phone anew from what is durable ([`Phone::load`]).
//!
//! Long because one type stands for the whole of that file: each call there is one here.

use rand_core::CryptoRng;
use serde_json::{Value as Json, json};
use sync_core::admit::Catalogues;
use sync_core::catalog::Catalogue;
use sync_core::cbor;
use sync_core::id::{JournalId, RecordId, Timestamp, sha256};
use sync_core::look::roll::Roll;
use sync_core::look::{Households, Look};
use sync_core::safe::{self, Safe, Stored, VAULT};
use sync_core::seal::Parcel;
use sync_core::sync::courier::{Courier, Failed, Reply, Session};
use sync_core::sync::device::{Device, Effect, FormId, Identity, Key, Saved, World, Write};
use sync_core::sync::enrol::{Enrolling, OneTimeCode};
use sync_core::vault::{Attempt, DeviceSecret, Pin, PinCost, VaultState};
use sync_core::view::Shown;

use crate::asked;
use crate::shape::{self, Fault, Showing};

/// What a call gives back.
pub type Told<T> = Result<T, Fault>;

/// The shell's own value that keeps the session.
const SESSION: &str = "session";
/// Few enough that a touch does not wait for them.
const RECORDS_AHEAD: usize = 200;

fn file_name(hash: &str) -> String {
    format!("file/{hash}")
}

/// What came of a call that changes something.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Change {
    /// To be made durable before anything else, all or none.
    pub stored: Vec<Stored>,
    /// What the call says, once that is durable.
    pub value: Json,
    /// What the screens are told then.
    pub events: Json,
    /// Bytes: a request's body, or a parcel.
    pub body: Option<Vec<u8>>,
}

/// What is open of a phone: everything but its device, which it has once it is enrolled.
#[derive(Debug)]
struct Opened {
    safe: Safe,
    enrolling: Option<Enrolling>,
    held: Option<Held>,
}

/// An enrolled phone.
#[derive(Debug)]
struct Held {
    device: Device,
    session: Session,
    courier: Option<Courier>,
    enrol_again: bool,
    /// The households as they are listed, until something changes.
    households: Option<Households>,
}

/// A phone.
#[derive(Debug)]
pub struct Phone {
    secret: DeviceSecret,
    state: Option<VaultState>,
    attempt: Option<Attempt>,
    opened: Option<Opened>,
}

/// The catalogues that come with the module: none, for a phone fetches those that its deployment publishes with its first sync and
/// keeps them. A host in memory publishes what ships with the program and serves no files.
fn shipped() -> Catalogues {
    let known = cfg!(feature = "testing").then(Catalogue::builtin);
    let known = known.into_iter();
    known
        .map(|catalogue| (catalogue.version(), catalogue))
        .collect()
}

fn persisted(effects: &[Effect]) -> Vec<Write> {
    let writes = effects.iter().filter_map(shape::writes);
    writes.flatten().cloned().collect()
}

fn vault(state: &VaultState) -> Stored {
    (VAULT.to_owned(), Some(state.to_cbor()))
}

impl Opened {
    fn held(&self) -> Told<&Held> {
        self.held
            .as_ref()
            .ok_or_else(|| Fault::code("not_enrolled"))
    }

    /// Whoever asks for these is about to change something.
    fn parts(&mut self) -> Told<(&Safe, &mut Held)> {
        let held = self.held.as_mut();
        let held = held.ok_or_else(|| Fault::code("not_enrolled"))?;
        held.households = None;
        Ok((&self.safe, held))
    }
}

impl Held {
    fn new(device: Device, session: Session) -> Self {
        Self {
            device,
            session,
            courier: None,
            enrol_again: false,
            households: None,
        }
    }

    /// The households, read anew unless nothing changed since.
    fn households(&mut self, now: Timestamp) -> (&Households, Look<'_>) {
        let look = Look::new(&self.device, now);
        let known = self.households.take().filter(|known| known.stand(&look));
        let known = known.unwrap_or_else(|| Households::read(&look));
        (self.households.insert(known), look)
    }

    fn session(&self, safe: &Safe, rng: &mut dyn CryptoRng) -> Stored {
        let session = cbor::encode(&self.session);
        safe.seal_own(SESSION, Some(&session), rng)
    }

    fn unsent(&self) -> usize {
        self.device.unsent().values().sum()
    }

    fn saved(&self, safe: &Safe, saved: &Saved, rng: &mut dyn CryptoRng) -> Change {
        Change {
            stored: safe.seal(&persisted(&saved.effects), rng),
            value: json!({
                "record": saved.record.to_string(),
                "fates": saved.predicted.iter().map(shape::fate).collect::<Json>(),
                "unsent": self.unsent(),
            }),
            events: shape::events(&saved.effects),
            body: None,
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------- the lock

impl Phone {
    /// A phone of which nothing is open. `state` is what is stored of its vault, if anything is.
    pub fn new(secret: [u8; 32], state: Option<&[u8]>) -> Told<Self> {
        let state = state.map(VaultState::from_cbor).transpose();
        Ok(Self {
            secret: DeviceSecret::from_bytes(secret),
            state: state.map_err(|error| Fault::detailed("storage_damaged", &error))?,
            attempt: None,
            opened: None,
        })
    }

    /// How many PINs may be wrong, and what is open.
    pub fn standing(&self, now: Timestamp) -> Json {
        let held = self.opened.as_ref().and_then(|opened| opened.held.as_ref());
        let open = |held: &Held| {
            let (device, look) = (&held.device, Look::new(&held.device, now));
            let user = Some(device.identity().user);
            json!({
                "user": shape::person(&look, user),
                "deployment": device.identity().deployment.to_string(),
                "device": device.id().to_string(),
                "unsent": held.unsent(),
                "toAnswer": device.to_answer().len(),
                "carried": device.carries(),
                "loggedOut": held.session.is_ended(),
                "enrolAgain": held.enrol_again,
                "leaseOver": device.lease_is_over(now),
                "lastContact": device.last_contact().map(|at| at.0),
            })
        };
        json!({
            "hasVault": self.state.is_some(),
            "destroyed": self.state.as_ref().is_some_and(VaultState::is_destroyed),
            "triesLeft": self.state.as_ref().map(VaultState::tries_left),
            "unlocked": self.opened.is_some(),
            "open": held.map(open),
        })
    }

    /// Whether a PIN may be chosen.
    pub fn check_pin(pin: &str) -> Told<()> {
        Ok(Pin::typed(pin).check()?)
    }

    /// Makes a vault under a PIN, which is open then.
    pub fn create(&mut self, pin: &str, rng: &mut dyn CryptoRng) -> Told<Change> {
        let pin = Pin::typed(pin);
        pin.check()?;
        let (state, opened) = VaultState::create(&pin, &self.secret, PinCost::USUAL, rng);
        let stored = vec![vault(&state)];
        self.state = Some(state);
        self.opened = Some(Opened {
            safe: Safe::new(opened, &self.secret),
            enrolling: None,
            held: None,
        });
        Ok(Change {
            stored,
            ..Change::default()
        })
    }

    fn state(&self) -> Told<&VaultState> {
        self.state
            .as_ref()
            .ok_or_else(|| Fault::code("not_enrolled"))
    }

    /// Counts a try. It is durable before the try is made.
    pub fn begin_try(&mut self) -> Told<Change> {
        let attempt = self.state()?.begin(&self.secret)?;
        let stored = vec![vault(attempt.state())];
        self.state = Some(attempt.state().clone());
        self.attempt = Some(attempt);
        Ok(Change {
            stored,
            ..Change::default()
        })
    }

    /// Makes the try that was counted. The value is null if the PIN was right, else the fault.
    pub fn try_pin(&mut self, pin: &str) -> Told<Change> {
        let attempt = self.attempt.take();
        let attempt = attempt.ok_or_else(|| Fault::code("broken"))?;
        let (state, unlocked) = attempt.unlock(&Pin::typed(pin));
        let stored = vec![vault(&state)];
        self.state = Some(state);
        let unlocked = unlocked.map_err(Fault::from);
        let fault = unlocked.as_ref().err().map(|fault| fault.0.clone());
        let secret = &self.secret;
        let opened = unlocked.ok().map(|vault| Opened {
            safe: Safe::new(vault, secret),
            enrolling: None,
            held: None,
        });
        // A phone that is open already stays as it is: only the PIN was asked for.
        self.opened = self.opened.take().or(opened);
        Ok(Change {
            stored,
            value: fault.unwrap_or_default(),
            ..Change::default()
        })
    }

    /// Puts another PIN in place; the old one was tried before.
    pub fn change_pin(&mut self, pin: &str, rng: &mut dyn CryptoRng) -> Told<Change> {
        let pin = Pin::typed(pin);
        pin.check()?;
        let state = self.opened()?.safe.rewrap(&pin, &self.secret, rng);
        let stored = vec![vault(&state)];
        self.state = Some(state);
        Ok(Change {
            stored,
            ..Change::default()
        })
    }

    /// `sealWaiting()`
    pub fn seal_waiting(&mut self, world: &mut World<'_>) -> Told<Change> {
        let (safe, held) = self.parts()?;
        let effects = held.device.seal(world);
        Ok(Change {
            stored: safe.seal(&persisted(&effects), world.rng),
            ..Change::default()
        })
    }

    /// Forgets the data key and all that was opened with it.
    pub fn lock(&mut self) {
        self.opened = None;
    }

    /// Takes what is stored, opened, as the phone.
    pub fn load(&mut self, values: Vec<(String, Vec<u8>)>) -> Told<()> {
        let damaged = |error: &dyn ToString| Fault::detailed("storage_damaged", &error.to_string());
        let opened = self.opened_mut()?;
        let session_name = safe::own_name(SESSION);
        let session = values.iter().find(|(name, _)| *name == session_name);
        let session = session.map(|(_, sealed)| opened.safe.open_own(SESSION, sealed));
        let session = session.transpose().map_err(|error| damaged(&error))?;
        let session = session.as_deref().map(cbor::decode::<Session>);
        let session = session.transpose().map_err(|error| damaged(&error))?;
        let values = opened.safe.open(values).map_err(|error| damaged(&error))?;
        let identity = values.iter().find(|(key, _)| *key == Key::Identity);
        let identity = identity.map(|(_, bytes)| cbor::decode::<Identity>(bytes));
        let identity = identity.transpose().map_err(|error| damaged(&error))?;
        let device = identity.map(|identity| Device::load(identity, shipped(), values));
        let device = device.transpose().map_err(|error| damaged(&error))?;
        let before = opened.held.take();
        opened.held = device.map(|mut device| {
            before
                .iter()
                .for_each(|before| device.keep_forms_of(&before.device));
            Held::new(device, session.unwrap_or_default())
        });
        Ok(())
    }

    /// Makes up some of the records that nobody asked for yet; whether there are more.
    pub fn fold_ahead(&self) -> Told<bool> {
        Ok(self.held()?.device.fold_ahead(RECORDS_AHEAD))
    }

    /// What a phone whose PIN is lost still hands over.
    pub fn rescue(
        &self,
        card: Option<&[u8]>,
        values: Vec<(String, Vec<u8>)>,
        rng: &mut dyn CryptoRng,
    ) -> Told<Option<Vec<u8>>> {
        let parcel = safe::rescue(&self.secret, card, values, rng);
        let parcel = parcel.map_err(|error| Fault::detailed("storage_damaged", &error))?;
        Ok(parcel.as_ref().map(Parcel::to_bytes))
    }

    fn opened(&self) -> Told<&Opened> {
        self.opened.as_ref().ok_or_else(|| Fault::code("locked"))
    }

    fn opened_mut(&mut self) -> Told<&mut Opened> {
        self.opened.as_mut().ok_or_else(|| Fault::code("locked"))
    }

    fn held(&self) -> Told<&Held> {
        self.opened()?.held()
    }

    fn parts(&mut self) -> Told<(&Safe, &mut Held)> {
        self.opened_mut()?.parts()
    }
}

// -------------------------------------------------------------------------------------------------------- enrolment and session

impl Phone {
    /// Whether a text is a one-time code.
    pub fn check_code(code: &str) -> Told<()> {
        let code = OneTimeCode::parse(code);
        code.map(|_| ()).ok_or_else(|| Fault::code("not_a_code"))
    }

    /// Makes a key, and says what enrols it: the body of `POST /v1/enrol`.
    pub fn begin_enrolment(
        &mut self,
        code: &str,
        label: &str,
        deployment: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Told<Json> {
        let deployment = asked::deployment(&asked::said(deployment)?)?;
        let enrolling = Enrolling::begin(code, deployment, rng)?;
        let key = enrolling.key();
        let body = json!({
            "code": code,
            "key": asked::keyed(key.algorithm, &key.bytes),
            "proof": asked::signature(&enrolling.proof()),
            "label": label,
        });
        self.opened_mut()?.enrolling = Some(enrolling);
        Ok(body)
    }

    /// Takes what the server said to it: a new phone, or the same one under a new key.
    pub fn end_enrolment(&mut self, said: &[u8], world: &mut World<'_>) -> Told<Change> {
        let (id, user, tokens) = asked::enrolled(&asked::said(said)?)?;
        let opened = self.opened_mut()?;
        let enrolling = opened.enrolling.take();
        let enrolling = enrolling.ok_or_else(|| Fault::code("broken"))?;
        let present = opened.held.as_ref().map(|held| held.device.identity());
        let identity = enrolling.end(id, user, present)?;
        let mut writes = vec![Write::put(Key::Identity, cbor::encode(&identity))];
        let seed = identity.seed;
        let anew = opened.held.take().map(|held| held.device);
        let device = anew.map(|mut device| {
            let effects = device.enrol_in_place(seed);
            writes = persisted(&effects);
            device
        });
        let device = device.unwrap_or_else(|| Device::new(identity, shipped()));
        let held = Held::new(device, Session::begun(tokens, world.now));
        let mut stored = opened.safe.seal(&writes, world.rng);
        stored.push(held.session(&opened.safe, world.rng));
        opened.held = Some(held);
        Ok(Change {
            stored,
            ..Change::default()
        })
    }

    /// The body of `POST /v1/session`.
    pub fn log_in(&self, user_name: &str, password: &str) -> Told<Json> {
        let device = self.held()?.device.id().to_string();
        Ok(json!({ "user_name": user_name, "password": password, "device": device }))
    }

    /// Takes what the server said to it.
    pub fn logged_in(&mut self, said: &[u8], world: &mut World<'_>) -> Told<Change> {
        let tokens = asked::tokens(&asked::said(said)?)?;
        let (safe, held) = self.parts()?;
        held.session = Session::begun(tokens, world.now);
        Ok(Change {
            stored: vec![held.session(safe, world.rng)],
            ..Change::default()
        })
    }
}

// ---------------------------------------------------------------------------------------------------------------------- looking

impl Phone {
    fn look(&self, now: Timestamp) -> Told<Look<'_>> {
        Ok(Look::new(&self.held()?.device, now))
    }

    /// `catalogue()`
    pub fn catalogue(&self, now: Timestamp) -> Told<Json> {
        let catalogue = self.look(now)?.catalogue();
        let catalogue = catalogue.ok_or_else(|| Fault::code("no_catalogue"))?;
        Ok(shape::catalogue(catalogue, now.date()))
    }

    /// `villages()`
    pub fn villages(&self, now: Timestamp) -> Told<Json> {
        let (look, device) = (self.look(now)?, &self.held()?.device);
        let villages = look.villages();
        let village = |(journal, name): &(JournalId, String)| {
            shape::village(&look, *journal, name, device.role(*journal, now))
        };
        Ok(villages.iter().map(village).collect())
    }

    /// `today()`
    pub fn today(&self, now: Timestamp) -> Told<Json> {
        let (look, held, today) = (self.look(now)?, self.held()?, now.date());
        let due = look.due();
        let overdue = due.iter().filter(|due| due.is_overdue(today)).count();
        let lines = due.iter().map(|due| shape::due(&look, due, today));
        Ok(json!({
            "day": today.to_string(),
            "due": lines.collect::<Json>(),
            "overdue": overdue,
            "unsent": held.unsent(),
            "toAnswer": held.device.to_answer().len(),
        }))
    }

    /// `households()`
    pub fn households(&mut self, query: &str, now: Timestamp) -> Told<Json> {
        let query = asked::json(query)?;
        let (from, limit) = asked::span(&query);
        let held = self.opened_mut()?.held.as_mut();
        let held = held.ok_or_else(|| Fault::code("not_enrolled"))?;
        let (households, look) = held.households(now);
        let wanted = households.wanted(&asked::households(&query)?);
        let page = wanted.iter().skip(from).take(limit);
        Ok(json!({
            "total": wanted.len(),
            "groups": households.groups(),
            "lines": page.map(|line| shape::household(&look, line)).collect::<Json>(),
        }))
    }

    /// `rows(query)`
    pub fn rows(&self, query: &str, now: Timestamp) -> Told<Json> {
        let (query, look) = (asked::json(query)?, self.look(now)?);
        let (from, limit) = asked::span(&query);
        let rows = look.rows(&asked::wanted(&query)?);
        let page = rows.iter().skip(from).take(limit);
        let page = page.map(|row| shape::row(&look, row));
        Ok(json!({ "total": rows.len(), "rows": page.collect::<Json>() }))
    }

    /// Every record that counts, as a search needs it.
    pub fn titles(&self, now: Timestamp) -> Told<Json> {
        let rows = self.look(now)?.rows(&sync_core::look::Wanted::default());
        Ok(rows.iter().map(shape::hit).collect())
    }

    /// One of them; null if there is none that counts.
    pub fn title(&self, journal: &str, record: &str, now: Timestamp) -> Told<Json> {
        let (journal, record) = (asked::id(journal)?, asked::id(record)?);
        let look = self.look(now)?;
        let view = look.view(journal, record);
        let view = view.filter(|view| view.void.is_none() && !view.kind.is_empty());
        Ok(view.map_or(Json::Null, |view| shape::hit(&look.row(&view))))
    }

    /// `record(journal, record)`
    pub fn record(&self, journal: &str, record: &str, now: Timestamp) -> Told<Json> {
        let (journal, record) = (asked::id(journal)?, asked::id(record)?);
        let look = self.look(now)?;
        let view = look.view(journal, record);
        let view = view.ok_or_else(|| Fault::code("unknown_record"))?;
        Ok(shape::page(&look, &look.page(view)))
    }

    /// `doubts(journal, record)`
    pub fn doubts(&self, journal: &str, record: &str, now: Timestamp) -> Told<Json> {
        let (journal, record) = (asked::id(journal)?, asked::id(record)?);
        let doubts = self.look(now)?.doubts_about(journal, record);
        Ok(doubts.iter().map(shape::doubt).collect())
    }

    /// `checks()`
    pub fn checks(&self, now: Timestamp) -> Told<Json> {
        let look = self.look(now)?;
        Ok(shape::checks(&look, &look.clusters(), &look.doubts()))
    }

    /// `roll()`
    pub fn roll(&self, now: Timestamp) -> Told<Vec<u8>> {
        let look = self.look(now)?;
        let catalogue = look.catalogue();
        let catalogue = catalogue.ok_or_else(|| Fault::code("no_catalogue"))?;
        Ok(Roll::read(&look).to_bytes(catalogue))
    }

    /// `doubtsBefore(journal, intents)`
    pub fn doubts_before(&self, journal: &str, intents: &str, now: Timestamp) -> Told<Json> {
        let (journal, intents) = (asked::id(journal)?, asked::json(intents)?);
        let look = self.look(now)?;
        let intents = asked::intents(&look, journal, &intents)?;
        let checks = look.doubts_before(journal, &intents);
        Ok(checks
            .iter()
            .map(|check| shape::label(&check.label))
            .collect())
    }

    /// `draft(journal, paper, asked)`
    pub fn draft(&self, journal: &str, paper: &str, asked: &str, now: Timestamp) -> Told<Json> {
        let (journal, asked) = (asked::id(journal)?, asked::paper(&asked::json(asked)?)?);
        let look = self.look(now)?;
        let paper = look.catalogue().and_then(|all| all.paper(paper));
        let draft = paper.and_then(|paper| look.draft(journal, paper, asked));
        Ok(draft.as_ref().map_or(Json::Null, shape::draft))
    }

    /// `receipt(origin)`
    pub fn receipt(&self, origin: &str) -> Told<Json> {
        let origin = asked::origin(&asked::json(origin)?)?;
        let receipt = self.held()?.device.receipt(origin);
        Ok(receipt.as_ref().map_or(Json::Null, shape::receipt))
    }

    /// A field of a record, whole.
    pub fn unmasked(&self, journal: &str, record: &str, field: &str, now: Timestamp) -> Told<Json> {
        let (journal, record): (JournalId, RecordId) = (asked::id(journal)?, asked::id(record)?);
        let look = self.look(now)?;
        let view = look.view(journal, record);
        let view = view.ok_or_else(|| Fault::code("unknown_record"))?;
        let showing = Showing {
            look,
            view: &view,
            whole: true,
        };
        let kind = look.kind_of(&view);
        let declared = kind.and_then(|kind| kind.field(field));
        let shown = view.fields.get(field);
        let whole = |shown: &Shown| showing.shown(declared, shown);
        shown
            .map(whole)
            .ok_or_else(|| Fault::field("unknown_field", field))
    }

    /// `outbox()`, but for what was held back at the last sync.
    pub fn outbox(&self, now: Timestamp) -> Told<Json> {
        let (look, device) = (self.look(now)?, &self.held()?.device);
        let (waiting, own, others) = (
            device.outbox(),
            device.to_answer(),
            device.to_answer_for_others(),
        );
        let waiting = waiting.iter().map(|one| shape::waiting(&look, one));
        let own = own.iter().map(|one| shape::unanswered(&look, one));
        let others = others.iter().map(|one| shape::unanswered(&look, one));
        Ok(json!({
            "unsent": waiting.collect::<Json>(),
            "toAnswer": own.collect::<Json>(),
            "ofOthers": others.collect::<Json>(),
            "carried": { "batches": device.carries(), "bytes": device.carried_bytes() },
            "bytes": device.outbox_bytes(),
        }))
    }
}

// ----------------------------------------------------------------------------------------------------------------------- saving

impl Phone {
    /// `openForm(journal, record)`
    pub fn open_form(&mut self, journal: &str, record: Option<&str>) -> Told<u64> {
        let (journal, record) = (asked::id(journal)?, record.map(asked::id).transpose()?);
        let (_, held) = self.parts()?;
        Ok(held.device.open_form(journal, record).number())
    }

    /// `closeForm(form)`
    pub fn close_form(&mut self, form: u64) -> Told<()> {
        let (_, held) = self.parts()?;
        held.device.close_form(FormId::new(form));
        Ok(())
    }

    /// `filled(journal, intent)`
    pub fn filled(&self, journal: &str, intent: &str, now: Timestamp) -> Told<Json> {
        let (journal, look) = (asked::id(journal)?, self.look(now)?);
        let intents = asked::intents(&look, journal, &asked::json(intent)?)?;
        let filled = intents.iter().flat_map(|one| look.filled(journal, one));
        Ok(shape::filled(filled))
    }

    /// `save(journal, form, intents)`
    pub fn save(
        &mut self,
        journal: &str,
        form: Option<u64>,
        intents: &str,
        world: &mut World<'_>,
    ) -> Told<Change> {
        let (journal, intents) = (asked::id(journal)?, asked::json(intents)?);
        let intents = asked::intents(&self.look(world.now)?, journal, &intents)?;
        let (safe, held) = self.parts()?;
        let form = form.map(FormId::new);
        let saved = held.device.save_all(world, journal, form, &intents)?;
        Ok(held.saved(safe, &saved, world.rng))
    }

    /// `offerAgain(origin)`
    pub fn offer_again(&mut self, origin: &str, world: &mut World<'_>) -> Told<Change> {
        let origin = asked::origin(&asked::json(origin)?)?;
        let (safe, held) = self.parts()?;
        let saved = held.device.offer_again(world, origin)?;
        Ok(held.saved(safe, &saved, world.rng))
    }

    /// `leaveAside(origin)`
    pub fn leave_aside(&mut self, origin: &str, rng: &mut dyn CryptoRng) -> Told<Change> {
        let origin = asked::origin(&asked::json(origin)?)?;
        let (safe, held) = self.parts()?;
        let effects = held.device.leave_aside(origin);
        Ok(Change {
            stored: safe.seal(&persisted(&effects), rng),
            ..Change::default()
        })
    }

    /// One of the shell's own values, sealed; or that it goes.
    pub fn seal_own(
        &self,
        name: &str,
        value: Option<&str>,
        rng: &mut dyn CryptoRng,
    ) -> Told<Change> {
        let value = value.map(str::as_bytes);
        let stored = self.opened()?.safe.seal_own(name, value, rng);
        Ok(Change {
            stored: vec![stored],
            ..Change::default()
        })
    }

    /// One of the shell's own values, opened.
    pub fn open_own(&self, name: &str, sealed: &[u8]) -> Told<String> {
        let damaged = |error: &dyn ToString| Fault::detailed("storage_damaged", &error.to_string());
        let opened = self.opened()?.safe.open_own(name, sealed);
        let opened = opened.map_err(|error| damaged(&error))?;
        String::from_utf8(opened).map_err(|error| damaged(&error))
    }

    /// A file of a record, sealed under its hash; the value is the hash.
    pub fn seal_file(&self, file: &[u8], rng: &mut dyn CryptoRng) -> Told<Change> {
        let hash = sha256(&[file]).to_string();
        let safe = &self.opened()?.safe;
        Ok(Change {
            stored: vec![safe.seal_own(&file_name(&hash), Some(file), rng)],
            value: json!(hash),
            ..Change::default()
        })
    }

    /// That a file of a record goes.
    pub fn drop_file(&self, hash: &str) -> Change {
        Change {
            stored: vec![(safe::own_name(&file_name(hash)), None)],
            ..Change::default()
        }
    }

    /// A file of a record, opened.
    pub fn open_file(&self, hash: &str, sealed: &[u8]) -> Told<Vec<u8>> {
        let opened = self.opened()?.safe.open_own(&file_name(hash), sealed);
        opened.map_err(|error| Fault::detailed("storage_damaged", &error))
    }
}

// ---------------------------------------------------------------------------------------------------------------------- the sync

impl Phone {
    /// What goes with a request beside the sync; null while that must be fetched first, by a sync.
    pub fn access(&self, now: Timestamp) -> Told<Json> {
        Ok(json!(self.held()?.session.access(now)))
    }

    /// Sets out.
    pub fn begin_sync(&mut self) -> Told<()> {
        let (_, held) = self.parts()?;
        held.courier = Some(Courier::new(&held.device));
        Ok(())
    }

    /// What to ask of the server next, once what came before is durable. The value is null when the sync is over.
    pub fn ask(&mut self, world: &mut World<'_>) -> Told<Change> {
        let (safe, held) = self.parts()?;
        let Held {
            device,
            session,
            courier,
            ..
        } = held;
        let courier = courier.as_mut().ok_or_else(|| Fault::code("broken"))?;
        let (effects, ask) = courier.ask(device, session, world);
        let (value, body) = ask.map(shape::ask).unwrap_or_default();
        Ok(Change {
            stored: safe.seal(&persisted(&effects), world.rng),
            value,
            events: shape::events(&effects),
            body,
        })
    }

    /// Takes a good answer's body in.
    pub fn answered(&mut self, asked: &str, body: &[u8], world: &mut World<'_>) -> Told<Change> {
        let reply = shape::reply(asked, body);
        self.reply(reply, world)
    }

    /// Takes in that there was none: the server's code, or nothing if it said nothing.
    pub fn failed(&mut self, code: Option<&str>, world: &mut World<'_>) -> Told<Change> {
        let refused = code.map(|code| Failed::Refused(code.to_owned()));
        let failed = refused.unwrap_or(Failed::Unreachable);
        self.reply(Reply::Failed(failed), world)
    }

    fn reply(&mut self, reply: Reply, world: &mut World<'_>) -> Told<Change> {
        let (safe, held) = self.parts()?;
        let Held {
            device,
            session,
            courier,
            ..
        } = held;
        let courier = courier.as_mut().ok_or_else(|| Fault::code("broken"))?;
        let answered = courier.answer(device, session, world, reply);
        let mut stored = safe.seal(&persisted(&answered.effects), world.rng);
        let session = answered
            .session_changed
            .then(|| held.session(safe, world.rng));
        stored.extend(session);
        Ok(Change {
            stored,
            value: Json::Null,
            events: shape::events(&answered.effects),
            body: None,
        })
    }

    /// What the sync brought. `card` is the card that is stored.
    pub fn end_sync(&mut self, card: Option<&[u8]>, world: &mut World<'_>) -> Told<Change> {
        let (safe, held) = self.parts()?;
        let courier = held.courier.take();
        let courier = courier.ok_or_else(|| Fault::code("broken"))?;
        let given_back = courier.given_back();
        let (synced, ended) = courier.end();
        held.enrol_again |= synced.enrol_again;
        let card = safe.card(&held.device, card, world.rng);
        let ended = (ended.as_ref(), world.now, held.unsent());
        let value = shape::report(&synced, ended, given_back);
        Ok(Change {
            stored: card.into_iter().collect(),
            value,
            ..Change::default()
        })
    }

    /// `exportParcel()`
    pub fn export(&mut self, world: &mut World<'_>) -> Told<Change> {
        let (safe, held) = self.parts()?;
        let effects = held.device.seal(world);
        let parcel = held.device.export(world)?;
        let waits = Some(parcel).filter(|parcel| parcel.sealed().count() > 0);
        Ok(Change {
            stored: safe.seal(&persisted(&effects), world.rng),
            body: waits.as_ref().map(Parcel::to_bytes),
            ..Change::default()
        })
    }

    /// `carry(parcel)`
    pub fn carry(&mut self, bytes: &[u8], rng: &mut dyn CryptoRng) -> Told<Change> {
        let parcel = Parcel::from_bytes(bytes);
        let parcel = parcel.map_err(|error| Fault::detailed("bad_parcel", &error))?;
        let (safe, held) = self.parts()?;
        let here = held.device.identity().deployment;
        let parcel = Some(parcel).filter(|parcel| parcel.deployment() == here);
        let parcel = parcel.ok_or_else(|| Fault::code("other_parcel"))?;
        let effects = held.device.carry(&parcel);
        Ok(Change {
            stored: safe.seal(&persisted(&effects), rng),
            value: json!(parcel.sealed().count()),
            ..Change::default()
        })
    }

    /// The device, for those who compare.
    #[cfg(feature = "testing")]
    pub(crate) fn device(&self) -> Told<&Device> {
        Ok(&self.held()?.device)
    }

    /// A phone that a host in memory enrolled.
    #[cfg(feature = "testing")]
    pub(crate) fn enrolled(&mut self, identity: Identity, world: &mut World<'_>) -> Told<Change> {
        let write = Write::put(Key::Identity, cbor::encode(&identity));
        let tokens = asked::tokens(&json!({ "refresh_token": "r" }))?;
        let opened = self.opened_mut()?;
        let held = Held::new(
            Device::new(identity, shipped()),
            Session::begun(tokens, world.now),
        );
        let mut stored = opened.safe.seal(&[write], world.rng);
        stored.push(held.session(&opened.safe, world.rng));
        opened.held = Some(held);
        Ok(Change {
            stored,
            ..Change::default()
        })
    }
}
