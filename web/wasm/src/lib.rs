//! The core in the browser: bindings, and no decision.
//!
//! The worker calls a [`Core`] synchronously with the time, gets JSON in the shapes of `web/src/core/api.ts`, and sealed values to
//! make durable before it says anything. [`Phone`] is the same without JavaScript's types, for tests that run natively.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is optional crosses from JavaScript by value alone"
)]

mod asked;
mod phone;
#[cfg(feature = "testing")]
pub mod play;
mod shape;

use getrandom::SysRng;
use js_sys::{Array, Uint8Array};
use rand_core::UnwrapErr;
use serde_json::Value as Json;
use sync_core::id::Timestamp;
use sync_core::safe::Stored;
use sync_core::sync::device::World;
use wasm_bindgen::prelude::*;

pub use phone::{Change, Phone, Told};
pub use shape::Fault;

type Call<T> = Result<T, JsValue>;

/// What came of a call that changes something.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Outcome(Change);

#[wasm_bindgen]
impl Outcome {
    /// To be made durable before anything else, all or none: names with sealed bytes, or with null for what goes.
    #[wasm_bindgen(getter)]
    pub fn stored(&self) -> Array {
        self.0.stored.iter().map(pair).collect()
    }

    /// What the call says, once that is durable.
    #[wasm_bindgen(getter)]
    pub fn value(&self) -> String {
        self.0.value.to_string()
    }

    /// What the screens are told then.
    #[wasm_bindgen(getter)]
    pub fn events(&self) -> String {
        self.0.events.to_string()
    }

    /// Bytes: a request's body, or a parcel.
    #[wasm_bindgen(getter)]
    pub fn body(&self) -> Option<Uint8Array> {
        self.0.body.as_deref().map(Uint8Array::from)
    }
}

fn pair((name, value): &Stored) -> Array {
    let bytes = value.as_deref().map(Uint8Array::from);
    Array::of2(
        &JsValue::from_str(name),
        &bytes.map_or(JsValue::NULL, JsValue::from),
    )
}

fn values(pairs: &Array) -> Vec<(String, Vec<u8>)> {
    let value = |pair: JsValue| {
        let pair = Array::from(&pair);
        let bytes = Uint8Array::new(&pair.get(1)).to_vec();
        Some((pair.get(0).as_string()?, bytes))
    };
    pairs.iter().filter_map(value).collect()
}

fn thrown(fault: Fault) -> JsValue {
    JsValue::from_str(&fault.0.to_string())
}

fn said(told: Told<Json>) -> Call<String> {
    told.map(|json| json.to_string()).map_err(thrown)
}

fn done(told: Told<Change>) -> Call<Outcome> {
    told.map(Outcome).map_err(thrown)
}

/// JavaScript's clock counts milliseconds in a number that holds them exactly for longer than the calendar goes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole milliseconds, far below 2^53"
)]
const fn at(now: f64) -> Timestamp {
    Timestamp(now as i64)
}

/// Forms are numbered from one; JavaScript's number holds them exactly.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
const fn form(number: f64) -> u64 {
    number as u64
}

const fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn within<T>(now: f64, run: impl FnOnce(&mut World<'_>) -> T) -> T {
    let mut rng = rng();
    run(&mut World {
        now: at(now),
        rng: &mut rng,
    })
}

/// A phone.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core(Phone);

#[wasm_bindgen]
impl Core {
    /// A phone of which nothing is open.
    #[wasm_bindgen(constructor)]
    pub fn new(secret: &[u8], state: Option<Vec<u8>>) -> Call<Core> {
        let secret = <[u8; 32]>::try_from(secret);
        let secret = secret.map_err(|error| Fault::detailed("storage_damaged", &error));
        let phone = secret.and_then(|secret| Phone::new(secret, state.as_deref()));
        phone.map(Core).map_err(thrown)
    }

    /// How many PINs may be wrong, and what is open.
    pub fn standing(&self, now: f64) -> String {
        self.0.standing(at(now)).to_string()
    }

    /// Whether a PIN may be chosen.
    #[wasm_bindgen(js_name = checkPin)]
    pub fn check_pin(pin: &str) -> Call<()> {
        Phone::check_pin(pin).map_err(thrown)
    }

    /// Whether a text is a one-time code.
    #[wasm_bindgen(js_name = checkCode)]
    pub fn check_code(code: &str) -> Call<()> {
        Phone::check_code(code).map_err(thrown)
    }

    /// Whether a stored value is handed over when the PIN is lost.
    #[wasm_bindgen(js_name = isDeliverable)]
    pub fn is_deliverable(name: &str) -> bool {
        sync_core::safe::is_deliverable(name)
    }

    /// Makes a vault under a PIN.
    pub fn create(&mut self, pin: &str) -> Call<Outcome> {
        done(self.0.create(pin, &mut rng()))
    }

    /// Counts a try, which is durable before it is made.
    #[wasm_bindgen(js_name = beginTry)]
    pub fn begin_try(&mut self) -> Call<Outcome> {
        done(self.0.begin_try())
    }

    /// Makes the try that was counted. The value is null, or the fault.
    #[wasm_bindgen(js_name = tryPin)]
    pub fn try_pin(&mut self, pin: &str) -> Call<Outcome> {
        done(self.0.try_pin(pin))
    }

    /// Puts another PIN in place; the old one was tried before.
    #[wasm_bindgen(js_name = changePin)]
    pub fn change_pin(&mut self, pin: &str) -> Call<Outcome> {
        done(self.0.change_pin(pin, &mut rng()))
    }

    /// Seals what waits, so that it can be handed over even if the PIN is lost.
    #[wasm_bindgen(js_name = sealWaiting)]
    pub fn seal_waiting(&mut self, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.seal_waiting(world)))
    }

    /// Forgets the data key.
    pub fn lock(&mut self) {
        self.0.lock();
    }

    /// Takes what is stored as the phone: pairs of names and sealed bytes.
    pub fn load(&mut self, stored: &Array) -> Call<()> {
        self.0.load(values(stored)).map_err(thrown)
    }

    /// Makes up some of the records that nobody asked for yet; whether there are more.
    #[wasm_bindgen(js_name = foldAhead)]
    pub fn fold_ahead(&self) -> Call<bool> {
        self.0.fold_ahead().map_err(thrown)
    }

    /// What a phone whose PIN is lost still hands over.
    pub fn rescue(&self, card: Option<Vec<u8>>, stored: &Array) -> Call<Option<Vec<u8>>> {
        let rescued = self.0.rescue(card.as_deref(), values(stored), &mut rng());
        rescued.map_err(thrown)
    }

    /// Makes a key, and says what enrols it.
    #[wasm_bindgen(js_name = beginEnrolment)]
    pub fn begin_enrolment(&mut self, code: &str, label: &str, deployment: &[u8]) -> Call<String> {
        said(self.0.begin_enrolment(code, label, deployment, &mut rng()))
    }

    /// Takes what the server said to it.
    #[wasm_bindgen(js_name = endEnrolment)]
    pub fn end_enrolment(&mut self, answer: &[u8], now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.end_enrolment(answer, world)))
    }

    /// What begins a session.
    #[wasm_bindgen(js_name = logIn)]
    pub fn log_in(&self, user_name: &str, password: &str) -> Call<String> {
        said(self.0.log_in(user_name, password))
    }

    /// Takes what the server said to it.
    #[wasm_bindgen(js_name = loggedIn)]
    pub fn logged_in(&mut self, answer: &[u8], now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.logged_in(answer, world)))
    }

    /// `catalogue()`
    pub fn catalogue(&self, now: f64) -> Call<String> {
        said(self.0.catalogue(at(now)))
    }

    /// `villages()`
    pub fn villages(&self, now: f64) -> Call<String> {
        said(self.0.villages(at(now)))
    }

    /// `today()`
    pub fn today(&self, now: f64) -> Call<String> {
        said(self.0.today(at(now)))
    }

    /// `households(query)`, with the records that a search found in place of its text.
    pub fn households(&mut self, query: &str, now: f64) -> Call<String> {
        said(self.0.households(query, at(now)))
    }

    /// `rows(query)`
    pub fn rows(&self, query: &str, now: f64) -> Call<String> {
        said(self.0.rows(query, at(now)))
    }

    /// Every record that counts, as a search needs it.
    pub fn titles(&self, now: f64) -> Call<String> {
        said(self.0.titles(at(now)))
    }

    /// One of them; null if there is none that counts.
    pub fn title(&self, journal: &str, record: &str, now: f64) -> Call<String> {
        said(self.0.title(journal, record, at(now)))
    }

    /// `record(journal, record)`
    pub fn record(&self, journal: &str, record: &str, now: f64) -> Call<String> {
        said(self.0.record(journal, record, at(now)))
    }

    /// A field of a record, whole.
    pub fn unmasked(&self, journal: &str, record: &str, field: &str, now: f64) -> Call<String> {
        said(self.0.unmasked(journal, record, field, at(now)))
    }

    /// `doubts(journal, record)`
    pub fn doubts(&self, journal: &str, record: &str, now: f64) -> Call<String> {
        said(self.0.doubts(journal, record, at(now)))
    }

    /// `checks()`
    pub fn checks(&self, now: f64) -> Call<String> {
        said(self.0.checks(at(now)))
    }

    /// `roll()`
    pub fn roll(&self, now: f64) -> Call<Vec<u8>> {
        self.0.roll(at(now)).map_err(thrown)
    }

    /// `doubtsBefore(journal, intents)`
    #[wasm_bindgen(js_name = doubtsBefore)]
    pub fn doubts_before(&self, journal: &str, intents: &str, now: f64) -> Call<String> {
        said(self.0.doubts_before(journal, intents, at(now)))
    }

    /// `draft(journal, paper, asked)`
    pub fn draft(&self, journal: &str, paper: &str, asked: &str, now: f64) -> Call<String> {
        said(self.0.draft(journal, paper, asked, at(now)))
    }

    /// `receipt(origin)`
    pub fn receipt(&self, origin: &str) -> Call<String> {
        said(self.0.receipt(origin))
    }

    /// `outbox()`
    pub fn outbox(&self, now: f64) -> Call<String> {
        said(self.0.outbox(at(now)))
    }

    /// `openForm(journal, record)`
    #[wasm_bindgen(js_name = openForm)]
    pub fn open_form(&mut self, journal: &str, record: Option<String>) -> Call<f64> {
        let form = self.0.open_form(journal, record.as_deref());
        #[expect(clippy::cast_precision_loss, reason = "counted from one")]
        form.map(|form| form as f64).map_err(thrown)
    }

    /// `closeForm(form)`
    #[wasm_bindgen(js_name = closeForm)]
    pub fn close_form(&mut self, number: f64) -> Call<()> {
        self.0.close_form(form(number)).map_err(thrown)
    }

    /// `filled(journal, intent)`
    pub fn filled(&self, journal: &str, intent: &str, now: f64) -> Call<String> {
        said(self.0.filled(journal, intent, at(now)))
    }

    /// `save(journal, form, intents)`
    pub fn save(
        &mut self,
        journal: &str,
        number: Option<f64>,
        intents: &str,
        now: f64,
    ) -> Call<Outcome> {
        let number = number.map(form);
        done(within(now, |world| {
            self.0.save(journal, number, intents, world)
        }))
    }

    /// `offerAgain(origin)`
    #[wasm_bindgen(js_name = offerAgain)]
    pub fn offer_again(&mut self, origin: &str, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.offer_again(origin, world)))
    }

    /// `leaveAside(origin)`
    #[wasm_bindgen(js_name = leaveAside)]
    pub fn leave_aside(&mut self, origin: &str) -> Call<Outcome> {
        done(self.0.leave_aside(origin, &mut rng()))
    }

    /// One of the worker's own values, sealed; or that it goes.
    #[wasm_bindgen(js_name = sealOwn)]
    pub fn seal_own(&self, name: &str, value: Option<String>) -> Call<Outcome> {
        done(self.0.seal_own(name, value.as_deref(), &mut rng()))
    }

    /// One of the worker's own values, opened.
    #[wasm_bindgen(js_name = openOwn)]
    pub fn open_own(&self, name: &str, sealed: &[u8]) -> Call<String> {
        self.0.open_own(name, sealed).map_err(thrown)
    }

    /// A file of a record, sealed under its hash. The value is the hash.
    #[wasm_bindgen(js_name = sealFile)]
    pub fn seal_file(&self, file: &[u8]) -> Call<Outcome> {
        done(self.0.seal_file(file, &mut rng()))
    }

    /// That a file of a record goes.
    #[wasm_bindgen(js_name = dropFile)]
    pub fn drop_file(&self, hash: &str) -> Outcome {
        Outcome(self.0.drop_file(hash))
    }

    /// A file of a record, opened.
    #[wasm_bindgen(js_name = openFile)]
    pub fn open_file(&self, hash: &str, sealed: &[u8]) -> Call<Vec<u8>> {
        self.0.open_file(hash, sealed).map_err(thrown)
    }

    /// What goes with a request beside the sync; null while a sync must fetch it first.
    pub fn access(&self, now: f64) -> Call<String> {
        said(self.0.access(at(now)))
    }

    /// Sets out to sync.
    #[wasm_bindgen(js_name = beginSync)]
    pub fn begin_sync(&mut self) -> Call<()> {
        self.0.begin_sync().map_err(thrown)
    }

    /// What to ask of the server next, once what came before is durable; null when the sync is over.
    pub fn ask(&mut self, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.ask(world)))
    }

    /// Takes a good answer's body in.
    pub fn answered(&mut self, asked: &str, body: &[u8], now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.answered(asked, body, world)))
    }

    /// Takes in that there was none: the server's code, or nothing if it said nothing.
    pub fn failed(&mut self, code: Option<String>, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.failed(code.as_deref(), world)))
    }

    /// What the sync brought. `card` is the one that is stored.
    #[wasm_bindgen(js_name = endSync)]
    pub fn end_sync(&mut self, card: Option<Vec<u8>>, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.end_sync(card.as_deref(), world)))
    }

    /// `exportParcel()`
    #[wasm_bindgen(js_name = exportParcel)]
    pub fn export_parcel(&mut self, now: f64) -> Call<Outcome> {
        done(within(now, |world| self.0.export(world)))
    }

    /// `carry(parcel)`
    pub fn carry(&mut self, parcel: &[u8]) -> Call<Outcome> {
        done(self.0.carry(parcel, &mut rng()))
    }
}
