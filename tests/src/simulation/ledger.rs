//! What people said and saw, written down by the simulation itself: the phones' own word is what is being tested.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::command::{Content, Envelope, Origin};
use sync_core::id::{Seq, Timestamp};
use sync_core::value::Value;

/// One saved intent.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The text that stands in its content and nowhere else; `None` where several say the same on purpose.
    pub(super) marker: Option<String>,
    /// What the person was looking at: the journal's position when it was shown.
    pub(super) saw: Seq,
    /// What the phone's clock said.
    pub(super) at: Timestamp,
    /// Which phone saved it.
    pub(super) phone: usize,
    /// The first place of what it offers again: under that it goes on when its phone gets another lane before it is sent.
    pub(super) root: Option<Origin>,
}

/// Everything saved, by the place that its phone gave it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    by_place: BTreeMap<Origin, Vec<Said>>,
    count: usize,
}

impl Ledger {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn say(&mut self, places: impl IntoIterator<Item = Origin>, said: &Said) {
        self.count += 1;
        for place in places {
            self.by_place.entry(place).or_default().push(said.clone());
        }
    }

    /// What was said under this place or, if it only moved to another lane, under its origin.
    ///
    /// Two copies of a phone say different things under one number, at different times; what is offered again is said a second
    /// time, on what was shown then.
    pub(super) fn find(&self, own: Origin, envelope: &Envelope) -> Option<&Said> {
        let said = |place: Origin| self.by_place.get(&place);
        let said = said(own).or_else(|| said(envelope.origin?))?;
        let then = || said.iter().filter(|said| said.at == envelope.at);
        then()
            .find(|said| said.saw == envelope.base)
            .or_else(|| then().next())
            .or(said.first())
    }

    /// Everything said, with its place.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Origin, &Said)> {
        let all = self.by_place.iter();
        all.flat_map(|(place, said)| said.iter().map(move |said| (place, said)))
    }

    /// All markers, with what was said first under each and the places that it stands at.
    pub(super) fn markers(&self) -> BTreeMap<&str, (&Said, BTreeSet<Origin>)> {
        let mut markers: BTreeMap<&str, (&Said, BTreeSet<Origin>)> = BTreeMap::new();
        for (place, said) in self
            .by_place
            .iter()
            .flat_map(|(place, all)| all.iter().map(move |said| (*place, said)))
        {
            if let Some(marker) = &said.marker {
                let (_, places) = markers
                    .entry(marker)
                    .or_insert_with(|| (said, BTreeSet::new()));
                places.insert(place);
            }
        }
        markers
    }
}

/// Whether a text stands in a content.
pub(super) fn mentions(content: &Content, marker: &str) -> bool {
    let reason = content.reason.as_deref() == Some(marker);
    let spliced = content.splices.iter().any(|splice| splice.insert == marker);
    reason || spliced || content.values.values().any(|value| holds(value, marker))
}

fn holds(value: &Value, marker: &str) -> bool {
    match value {
        Value::Text(text) => text == marker,
        Value::List(values) => values.iter().any(|value| holds(value, marker)),
        Value::Struct(fields) => fields.values().any(|value| holds(value, marker)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Decimal(..) | Value::Bytes(_) => {
            false
        }
    }
}
