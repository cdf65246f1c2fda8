//! What is to become of each row.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::catalog::{Catalogue, FieldType, Kind, Label};
use sync_core::check_code;
use sync_core::id::{Date, JournalId, RecordId, sha256};
use sync_core::id_number::{self, is_citizens};
use sync_core::sync::device::Intent;
use sync_core::value::Value;

use super::mapping::{Fed, Filling, Mapping, Place, read_date};
use super::register::{Codes, Known, NoVillage, Register};
use super::sheet::Line;
use super::typed::{Misread, Reading};

/// The code of the channel by which such clues come.
const CHANNEL: &str = "comparison";
/// The most characters that tell a row from the others.
const KEY_CHARS_MAX: u32 = 64;
/// How many digits of its digest tell a row from the others where no column does.
const DIGEST_DIGITS: usize = 16;
/// How many households are proposed for a row.
pub const CANDIDATES_MAX: usize = 9;
/// The most words of a field that a mapping is asked to explain.
const WORDS_MAX: usize = 100;
/// The decision that somebody is on no register.
const NOBODY: [&str; 3] = ["new", "新", "未登记"];
/// The most characters that a clue takes of a name and of a villagers' group as they were told.
const NAME_CHARS_MAX: u32 = 60;
const GROUP_CHARS_MAX: u32 = 40;
/// The least digits of an id that a person may write.
const ID_DIGITS_MIN: usize = 4;

/// What says of which household a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The household's number in the register.
    Code,
    /// The name, with the check code of an identity number.
    Number,
    /// A person.
    Decision,
}

/// A household proposed for a row, and how it is known.
pub type Candidate = (RecordId, Known);

/// Why a cell cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is empty.
    Empty,
    /// It is read as no value of its field.
    Misread(Misread),
    /// It is no date, as dates are written in this list.
    Date(String),
    /// It is longer than so many characters.
    TooLong(u32),
    /// It is no day of birth, as dates are written in this list. Which it says is for no report.
    Birth,
    /// It is no identity number, or a spreadsheet has rounded it.
    IdNumber,
    /// The decision is none of those that can be taken.
    Decision(String),
    /// It could not be saved after all; whoever saves says why.
    NotSaved(Label),
}

/// What is to become of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A clue about a household.
    Ready(RecordId, By),
    /// A person decided that it is a clue about somebody who is on no register: the village finds out whose household it is.
    Told,
    /// A person decides among these; among none, if nobody of the name is on the register.
    Undecided(Vec<Candidate>),
    /// No village that this device imports into is called so, or several are.
    NoVillage(NoVillage),
    /// A cell of this column cannot be used.
    Bad(String, Wrong),
    /// A clue was made from this row before.
    Made,
    /// An earlier row of the file says the same.
    Repeated,
    /// A person decided to leave it.
    Skipped,
}

/// A row with its verdict.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Where it stands in the file.
    pub number: usize,
    /// What tells it from the others.
    pub key: String,
    /// The village as the list has it.
    pub village: String,
    /// The name as the list has it.
    pub name: String,
    /// The villagers' group as the list has it.
    pub group: String,
    /// Where its clue belongs.
    pub journal: Option<JournalId>,
    /// What becomes of it.
    pub verdict: Verdict,
    values: Vec<(String, Value)>,
}

/// What decides about rows.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The catalogue that forms follow.
    pub catalogue: &'a Catalogue,
    /// Which column feeds what.
    pub mapping: &'a Mapping,
    /// Whom there is.
    pub register: &'a Register,
    /// What a person decided, by the keys of rows.
    pub decisions: &'a BTreeMap<String, String>,
    /// Today.
    pub today: Date,
}

impl Planner<'_> {
    /// What is to become of each row below the header.
    pub fn plan(&self, lines: &[Line]) -> Vec<Planned> {
        let mut seen = BTreeSet::new();
        let rows = lines.iter();
        let rows = rows.filter(|line| line.number > self.mapping.header_row);
        rows.map(|line| self.row(line, &mut seen)).collect()
    }

    /// The words that stand for no code, by the fields that they are to fill: what a mapping should say of a list before it is imported.
    pub fn words(&self, lines: &[Line]) -> BTreeMap<String, BTreeSet<String>> {
        let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let rows = lines.iter();
        for line in rows.filter(|line| line.number > self.mapping.header_row) {
            for filling in &self.mapping.fillings {
                let text = filling.text(line);
                let read = self.reading().value(&filling.field.ty, text);
                if !text.is_empty() && matches!(read, Err(Misread::Code(..))) {
                    let of = words.entry(filling.field.name.clone()).or_default();
                    // Of more nobody says what they stand for: the column is another.
                    if of.len() < WORDS_MAX {
                        of.insert(filling.said(line).to_owned());
                    }
                }
            }
        }
        words
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            catalogue: self.catalogue,
            today: self.today,
        }
    }

    fn row(&self, line: &Line, seen: &mut BTreeSet<String>) -> Planned {
        let of = |place| self.of(line, place);
        let mut planned = Planned {
            number: line.number,
            key: self.key(line),
            village: of(Place::Village).to_owned(),
            name: of(Place::Name).to_owned(),
            group: of(Place::Group).to_owned(),
            journal: None,
            verdict: Verdict::Skipped,
            values: Vec::new(),
        };
        let first = seen.insert(planned.key.clone());
        planned.verdict = if first {
            self.verdict(line, &mut planned)
        } else {
            Verdict::Repeated
        };
        planned
    }

    fn of<'l>(&self, line: &'l Line, place: Place) -> &'l str {
        let column = self.mapping.places.get(&place);
        column.map_or("", |(column, _)| line.cell(*column))
    }

    fn verdict(&self, line: &Line, planned: &mut Planned) -> Verdict {
        let Mapping {
            source, source_on, ..
        } = self.mapping;
        let key = (source.clone(), *source_on, planned.key.clone());
        if self.register.is_made(&key) {
            return Verdict::Made;
        }
        let bad = |place, wrong| self.bad(place, wrong);
        if planned.key.is_empty() {
            return bad(Place::Row, Wrong::Empty);
        }
        if planned.key.chars().count() > KEY_CHARS_MAX as usize {
            return bad(Place::Row, Wrong::TooLong(KEY_CHARS_MAX));
        }
        let township = self.of(line, Place::Township);
        let journal = match self.register.called(&planned.village, township) {
            Ok(journal) => journal,
            Err(none) => return Verdict::NoVillage(none),
        };
        planned.journal = Some(journal);
        let number = self.of(line, Place::IdNumber);
        if !number.is_empty() && !is_citizens(number) {
            return bad(Place::IdNumber, Wrong::IdNumber);
        }
        let born = self.of(line, Place::Born);
        if !born.is_empty() && self.born(born).is_none() {
            return bad(Place::Born, Wrong::Birth);
        }
        match self.values(line) {
            Ok(values) => planned.values = values,
            Err((column, wrong)) => return Verdict::Bad(column, wrong),
        }
        let found = self.households(line, journal);
        match self.decisions.get(&planned.key).map(|text| text.trim()) {
            None | Some("") => found,
            Some(decision) if NOBODY.contains(&decision.to_lowercase().as_str()) => {
                self.told(planned)
            }
            Some(decision) => self.decided(decision, &found, journal),
        }
    }

    /// That the cell which a place is read from cannot be used.
    fn bad(&self, place: Place, wrong: Wrong) -> Verdict {
        let column = self.mapping.places.get(&place);
        let name = column.map_or_else(String::new, |(_, name)| name.clone());
        Verdict::Bad(name, wrong)
    }

    fn born(&self, text: &str) -> Option<Date> {
        read_date(text, self.mapping.born_order)
    }

    /// The codes of a row's person. A citizen's number says when he was born.
    fn codes(&self, line: &Line) -> Codes {
        let deployment = self.register.deployment;
        let number = self.of(line, Place::IdNumber);
        let born = self.born(self.of(line, Place::Born));
        let born = born.or_else(|| id_number::born(number));
        Codes {
            number: check_code::of_number(deployment, number),
            born: born.map(|day| check_code::of_day(deployment, day)),
        }
    }

    /// What says by itself of which household a row is; else those that a person can choose from.
    fn households(&self, line: &Line, journal: JournalId) -> Verdict {
        let Some(village) = self.register.village(journal) else {
            return Verdict::NoVillage(NoVillage::None);
        };
        let [code, name] = [Place::HouseholdCode, Place::Name].map(|place| self.of(line, place));
        let known = village.with_name(name, &self.codes(line));
        let by_code = village.with_code(code);
        if let ([only], false) = (by_code.as_slice(), code.is_empty()) {
            // A number and a name that contradict each other are for a person to settle.
            if name.is_empty() || known.contains_key(only) {
                return Verdict::Ready(*only, By::Code);
            }
        }
        let mut by_number = known.iter().filter(|(_, how)| **how == Known::ByNumber);
        if let (Some((only, _)), None, true) =
            (by_number.next(), by_number.next(), by_code.is_empty())
        {
            return Verdict::Ready(*only, By::Number);
        }
        let group = self.of(line, Place::Group);
        let same_group = |record: &RecordId| {
            let household = village.household(*record);
            household.is_some_and(|household| !group.is_empty() && household.group == group)
        };
        let by_code = by_code
            .into_iter()
            .filter(|record| !known.contains_key(record));
        let mut candidates: Vec<Candidate> = known.iter().map(|(a, b)| (*a, *b)).collect();
        candidates.extend(by_code.map(|record| (record, Known::ByCode)));
        candidates.sort_by_key(|(record, how)| (*how, !same_group(record), *record));
        candidates.truncate(CANDIDATES_MAX);
        Verdict::Undecided(candidates)
    }

    /// A clue as the list tells it, if the list gives a name that a clue has room for.
    fn told(&self, planned: &Planned) -> Verdict {
        let bad = |place, wrong| self.bad(place, wrong);
        let length = |text: &str| text.chars().count();
        if planned.name.is_empty() {
            bad(Place::Name, Wrong::Empty)
        } else if length(&planned.name) > NAME_CHARS_MAX as usize {
            bad(Place::Name, Wrong::TooLong(NAME_CHARS_MAX))
        } else if length(&planned.group) > GROUP_CHARS_MAX as usize {
            bad(Place::Group, Wrong::TooLong(GROUP_CHARS_MAX))
        } else {
            Verdict::Told
        }
    }

    /// What a person decided: to leave the row, one of those proposed by its number, or a household by its id.
    fn decided(&self, decision: &str, found: &Verdict, journal: JournalId) -> Verdict {
        if ["skip", "跳过", "不导入"].contains(&decision.to_lowercase().as_str()) {
            return Verdict::Skipped;
        }
        let candidates = if let Verdict::Undecided(candidates) = found {
            candidates.as_slice()
        } else {
            &[]
        };
        let chosen = decision.parse::<usize>().ok();
        let chosen = chosen.and_then(|number| candidates.get(number.checked_sub(1)?));
        if let Some((household, _)) = chosen {
            return Verdict::Ready(*household, By::Decision);
        }
        let village = self.register.village(journal);
        let by_id = village
            .filter(|_| decision.len() >= ID_DIGITS_MIN)
            .map(|village| village.beginning(&decision.to_lowercase()));
        match by_id.as_deref() {
            Some([only]) => Verdict::Ready(*only, By::Decision),
            _ => {
                let wrong = Wrong::Decision(decision.to_owned());
                Verdict::Bad("decision".to_owned(), wrong)
            }
        }
    }

    /// What tells a row from the others: what the list says, or a digest of what its clue would show, check codes included.
    fn key(&self, line: &Line) -> String {
        if self.mapping.places.contains_key(&Place::Row) {
            return self.of(line, Place::Row).to_owned();
        }
        let codes = self.codes(line);
        let places = Place::ALL.iter().map(|(_, place, _)| *place);
        let places = places.filter(|place| !matches!(place, Place::IdNumber | Place::Born));
        let fed = self.mapping.fillings.iter().filter_map(|filling| {
            let Fed::Column(column, _) = filling.fed else {
                return None;
            };
            // What is sensitive is not to be guessed from a key that the county reads.
            filling.field.audience.is_none().then(|| line.cell(column))
        });
        let cells: Vec<&str> = places
            .map(|place| self.of(line, place))
            .chain(fed)
            .collect();
        let [number, born] = [codes.number, codes.born].map(Option::unwrap_or_default);
        let digest = sha256(&[
            cells.join("\u{1F}").as_bytes(),
            number.as_bytes(),
            born.as_bytes(),
        ]);
        let digits: String = digest.to_string().chars().take(DIGEST_DIGITS).collect();
        // With a letter first, for a spreadsheet takes digits for a number and rounds it.
        format!("r{digits}")
    }

    fn values(&self, line: &Line) -> Result<Vec<(String, Value)>, (String, Wrong)> {
        let mut values = Vec::new();
        for filling in &self.mapping.fillings {
            let text = filling.text(line);
            if text.is_empty() {
                continue;
            }
            let column = match &filling.fed {
                Fed::Column(_, name) => name,
                Fed::Constant(_) => &filling.field.name,
            };
            let value = value(&self.reading(), filling, text);
            let value = value.map_err(|wrong| (column.clone(), wrong))?;
            values.push((filling.field.name.clone(), value));
        }
        Ok(values)
    }
}

fn value(reading: &Reading<'_>, filling: &Filling, text: &str) -> Result<Value, Wrong> {
    let ty = &filling.field.ty;
    if let FieldType::Text { max } | FieldType::LongText { max } = ty
        && text.chars().count() > *max as usize
    {
        return Err(Wrong::TooLong(*max));
    }
    if *ty == FieldType::Date {
        let day = read_date(text, filling.order);
        let day = day.ok_or_else(|| Wrong::Date(text.to_owned()))?;
        return Ok(Value::Int(i64::from(day.0)));
    }
    reading.value(ty, text).map_err(Wrong::Misread)
}

impl Planned {
    /// Whether a person has to do with it, or decided: it is neither clear by itself, nor over already.
    pub const fn concerns_somebody(&self) -> bool {
        !matches!(
            self.verdict,
            Verdict::Ready(_, By::Code | By::Number) | Verdict::Made | Verdict::Repeated
        )
    }

    /// The clue that a clear row becomes, and in which village.
    pub fn clue(&self, kind: &Kind, mapping: &Mapping, today: Date) -> Option<(JournalId, Intent)> {
        let household = match self.verdict {
            Verdict::Ready(household, _) => Some(household),
            Verdict::Told => None,
            _ => return None,
        };
        let day = |date: Date| Value::Int(i64::from(date.0));
        let mut intent = Intent::create(kind.name.clone())
            .with("received_on", day(today))
            .with("channel", Value::text(CHANNEL))
            .with("source", Value::text(&mapping.source))
            .with("source_on", day(mapping.source_on))
            .with("source_row", Value::text(&self.key));
        intent = match household {
            Some(household) => intent.link("household", household),
            None => intent.with("household_as_told", Value::text(&self.name)),
        };
        if household.is_none() && !self.group.is_empty() {
            intent = intent.with("group_as_told", Value::text(&self.group));
        }
        for (field, value) in &self.values {
            intent = intent.with(field, value.clone());
        }
        Some((self.journal?, intent))
    }
}
