//! Lists in the browser: bindings, and no decision.
//!
//! A module of its own beside the core, which phones in the field never fetch. A worker calls a [`Lists`] synchronously, and gets JSON in
//! the shapes of `web/src/lists/api.ts`. [`List`] is the same without JavaScript's types, for tests that run natively.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is optional crosses from JavaScript by value alone"
)]

mod list;
mod shape;

use sync_core::catalog::Label;
use sync_core::id::Timestamp;
use wasm_bindgen::prelude::*;

pub use list::List;

type Call<T> = Result<T, JsValue>;

/// A fault as a `CoreError` of the app is told: its title says why.
fn thrown(why: Label) -> JsValue {
    let title = shape::label(&why);
    let fault = serde_json::json!({ "code": "list", "title": title });
    JsValue::from_str(&fault.to_string())
}

/// What reads lists, and the list that was opened last.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Lists(List);

#[wasm_bindgen]
impl Lists {
    /// `roll` is what the core said of its register.
    #[wasm_bindgen(constructor)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole milliseconds, far below 2^53"
    )]
    pub fn new(roll: &[u8], now: f64) -> Call<Lists> {
        let list = List::new(roll, Timestamp(now as i64).date());
        list.map(Lists).map_err(thrown)
    }

    /// `open(file, sheet)`
    pub fn open(&mut self, file: &[u8], sheet: Option<String>) -> Call<String> {
        let opened = self.0.open(file, sheet.as_deref());
        opened.map(|json| json.to_string()).map_err(thrown)
    }

    /// `under(headerRow)`
    pub fn under(&self, header_row: usize) -> Call<String> {
        let headed = self.0.under(header_row);
        headed.map(|json| json.to_string()).map_err(thrown)
    }

    /// `plan(mapping, decisions)`
    pub fn plan(&mut self, mapping: &str, decisions: &str) -> Call<String> {
        let plan = self.0.plan(mapping, decisions);
        plan.map(|json| json.to_string()).map_err(thrown)
    }

    /// `clues()`
    pub fn clues(&self) -> String {
        self.0.clues().to_string()
    }

    /// `report(lang, notSaved)`
    pub fn report(&self, lang: &str, not_saved: &str) -> Call<Vec<u8>> {
        self.0.report(lang, not_saved).map_err(thrown)
    }
}
