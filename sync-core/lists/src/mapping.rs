//! The mapping of a list: which of its columns feeds what, saved as a file, for the same list comes again every month.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sync_core::catalog::{Field, FieldType, Kind, Label, Written};
use sync_core::id::Date;

use super::sheet::Line;
use super::typed::called;
use super::words::label;

/// What the import itself says of a clue.
pub(super) const OWN: [&str; 7] = [
    "household",
    "household_as_told",
    "group_as_told",
    "channel",
    "source",
    "source_on",
    "source_row",
];

/// What a column can tell of where a row belongs, beside the fields of a clue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The village: its name, alone or after its township's, or its code.
    Village,
    /// The township, where two villages have one name.
    Township,
    /// A person of the household.
    Name,
    /// That person's identity number. Only its check code is ever used.
    IdNumber,
    /// The day on which that person was born. Only its check code is ever used.
    Born,
    /// The household's number in the register.
    HouseholdCode,
    /// The villagers' group.
    Group,
    /// What tells one row of the list from the others.
    Row,
}

impl Place {
    /// All of them by their names in the file, with what lists call them.
    pub const ALL: [(&str, Self, &[&str]); 8] = [
        (
            "village",
            Self::Village,
            &["村", "行政村", "所在村", "村名", "村名称", "village"],
        ),
        (
            "township",
            Self::Township,
            &["乡镇", "所在乡镇", "乡镇名称", "township"],
        ),
        (
            "name",
            Self::Name,
            &["姓名", "户主姓名", "户主", "人员姓名", "name"],
        ),
        (
            "id_number",
            Self::IdNumber,
            &[
                "身份证号",
                "身份证号码",
                "证件号",
                "证件号码",
                "公民身份号码",
                "身份证",
            ],
        ),
        (
            "born",
            Self::Born,
            &[
                "出生日期",
                "出生年月日",
                "出生时间",
                "生日",
                "date of birth",
            ],
        ),
        (
            "household_code",
            Self::HouseholdCode,
            &["户编号", "户编码", "户号"],
        ),
        (
            "group",
            Self::Group,
            &["村民组", "村民小组", "组", "小组", "group"],
        ),
        ("row", Self::Row, &["序号", "行号", "编号", "no"]),
    ];

    /// What a form calls it.
    pub fn label(self) -> Label {
        match self {
            Self::Village => label("村", "Village"),
            Self::Township => label("乡镇", "Township"),
            Self::Name => label("姓名", "Name"),
            Self::IdNumber => label("身份证号", "Identity number"),
            Self::Born => label("出生日期", "Date of birth"),
            Self::HouseholdCode => label("户编号", "Household number"),
            Self::Group => label("村民组", "Villagers' group"),
            Self::Row => label("序号", "Running number"),
        }
    }

    /// The place of a name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, ..)| *known == name);
        found.map(|(_, place, _)| place)
    }
}

/// In which order a date is written where it is not the year first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// 2026-11-21.
    #[default]
    Ymd,
    /// 21/11/2026.
    Dmy,
    /// 11/21/2026.
    Mdy,
}

/// A mapping as it is kept: in a file of a terminal, or on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Which list it is.
    pub source: String,
    /// As of which day.
    pub source_on: String,
    /// The row that names the columns; the first, if it does not say.
    pub header_row: Option<usize>,
    /// What each column feeds, by the names of places and fields: the column's name.
    pub columns: BTreeMap<String, String>,
    /// What is the same in every row, by fields.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// What the list's words stand for, by fields.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// How dates are written, by places and fields.
    #[serde(default)]
    pub dates: BTreeMap<String, DateOrder>,
}

impl Kept {
    /// Reads a file.
    pub fn from_toml(text: &str) -> Result<Self, Misfit> {
        toml::from_str(text)
            .map_err(|error| Misfit::Unread(error.to_string().trim_end().to_owned()))
    }
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fed {
    /// A column, by its place and its name.
    Column(usize, String),
    /// The same for every row.
    Constant(String),
}

/// How a field of the clue is filled.
#[derive(Debug, Clone)]
pub struct Filling {
    /// The field.
    pub field: Field,
    /// Whence.
    pub fed: Fed,
    /// What stands for what.
    pub values: BTreeMap<String, String>,
    /// How its dates are written.
    pub order: DateOrder,
}

impl Filling {
    /// What the list says.
    pub(crate) fn said<'l>(&'l self, line: &'l Line) -> &'l str {
        match &self.fed {
            Fed::Column(at, _) => line.cell(*at),
            Fed::Constant(text) => text,
        }
    }

    /// What that stands for.
    pub(crate) fn text<'l>(&'l self, line: &'l Line) -> &'l str {
        let said = self.said(line);
        self.values.get(said).map_or(said, String::as_str)
    }
}

/// A mapping that fits a list.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// The list.
    pub source: String,
    /// Its day.
    pub source_on: Date,
    /// Where rows belong: columns with their names.
    pub places: BTreeMap<Place, (usize, String)>,
    /// How the day of birth is written.
    pub born_order: DateOrder,
    /// What the clues say.
    pub fillings: Vec<Filling>,
    /// The row that names the columns.
    pub header_row: usize,
}

/// Why a mapping does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It is not what a mapping is; the parser says where.
    Unread(String),
    /// What it must say and does not.
    Missing(&'static str),
    /// A date that is none.
    Date(String),
    /// Nothing can be filled by this name; these can.
    NoField(String, Vec<String>),
    /// The list has no such column, or several; these it has.
    NoColumn(String, Vec<String>),
    /// The list ends before the row that is to name the columns.
    NoHeader(usize),
    /// The name of the list is longer than a clue takes.
    LongSource,
}

impl Mapping {
    /// What is kept, for a list.
    pub fn of(kept: Kept, kind: &Kind, lines: &[Line]) -> Result<Self, Misfit> {
        let first = lines.first().map_or(1, |line| line.number);
        let header_row = kept.header_row.unwrap_or(first);
        let header = lines.iter().find(|line| line.number == header_row);
        let header = header.ok_or(Misfit::NoHeader(header_row))?;
        let source_on = read_date(&kept.source_on, DateOrder::Ymd)
            .ok_or_else(|| Misfit::Date(kept.source_on.clone()))?;
        let source = kept.source.trim().to_owned();
        check_source(kind, &source)?;
        let mut mapping = Self {
            source,
            source_on,
            places: BTreeMap::new(),
            born_order: DateOrder::default(),
            fillings: Vec::new(),
            header_row,
        };
        for (name, column) in &kept.columns {
            let at = column_of(header, column)?;
            match Place::named(name) {
                Some(place) => {
                    mapping.places.insert(place, (at, column.clone()));
                }
                None => mapping.fill(kind, name, Fed::Column(at, column.clone()))?,
            }
        }
        for (name, value) in &kept.constants {
            mapping.fill(kind, name, Fed::Constant(value.clone()))?;
        }
        for (name, values) in kept.values {
            mapping.filling(kind, &name)?.values = values;
        }
        for (name, order) in kept.dates {
            if Place::named(&name) == Some(Place::Born) {
                mapping.born_order = order;
            } else {
                mapping.filling(kind, &name)?.order = order;
            }
        }
        let has = |place| mapping.places.contains_key(&place);
        if !has(Place::Village) {
            return Err(Misfit::Missing("columns.village"));
        }
        if !has(Place::Name) && !has(Place::HouseholdCode) {
            return Err(Misfit::Missing("columns.name"));
        }
        Ok(mapping)
    }

    fn fill(&mut self, kind: &Kind, name: &str, fed: Fed) -> Result<(), Misfit> {
        let field = fillable(kind, name)?.clone();
        self.fillings
            .retain(|filling| filling.field.name != field.name);
        self.fillings.push(Filling {
            field,
            fed,
            values: BTreeMap::new(),
            order: DateOrder::default(),
        });
        Ok(())
    }

    fn filling(&mut self, kind: &Kind, name: &str) -> Result<&mut Filling, Misfit> {
        let field = fillable(kind, name)?.name.clone();
        let mut fillings = self.fillings.iter_mut();
        let found = fillings.find(|filling| filling.field.name == field);
        found.ok_or_else(|| Misfit::NoField(name.to_owned(), fillables(kind)))
    }
}

fn check_source(kind: &Kind, source: &str) -> Result<(), Misfit> {
    let field = kind.field("source");
    let field = field.ok_or_else(|| Misfit::NoField("source".to_owned(), fillables(kind)))?;
    let FieldType::Text { max } = field.ty else {
        return Err(Misfit::NoField("source".to_owned(), fillables(kind)));
    };
    if source.is_empty() {
        return Err(Misfit::Missing("source"));
    }
    if source.chars().count() > max as usize {
        return Err(Misfit::LongSource);
    }
    Ok(())
}

/// Whether a list can fill a field: it holds plain values, and is written when a clue is made.
pub fn is_fillable(field: &Field) -> bool {
    field.written != Written::ByAction
        && !field.derived
        && !field.retired
        && !field.ty.is_link()
        && !field.ty.is_item_list()
        && !OWN.contains(&field.name.as_str())
}

fn fillables(kind: &Kind) -> Vec<String> {
    let places = Place::ALL.iter().map(|(name, ..)| (*name).to_owned());
    let fields = kind.fields.iter().filter(|field| is_fillable(field));
    places
        .chain(fields.map(|field| field.name.clone()))
        .collect()
}

fn fillable<'k>(kind: &'k Kind, name: &str) -> Result<&'k Field, Misfit> {
    let field = called(&kind.fields, name).filter(|field| is_fillable(field));
    field.ok_or_else(|| Misfit::NoField(name.to_owned(), fillables(kind)))
}

fn column_of(header: &Line, column: &str) -> Result<usize, Misfit> {
    let mut found = (0..).zip(&header.cells).filter(|(_, name)| *name == column);
    let only = found.next().filter(|_| found.next().is_none());
    only.map(|(at, _)| at)
        .ok_or_else(|| Misfit::NoColumn(column.to_owned(), header.cells.clone()))
}

/// A date in numbers, whatever stands between them (`2026年11月21日`, `21/11/2026`, `20261121`).
pub fn read_date(text: &str, order: DateOrder) -> Option<Date> {
    // A time of day behind it is not asked for.
    let day = text.split([' ', 'T']).next().unwrap_or_default();
    let numbers: Vec<&str> = day
        .split(|c: char| !c.is_ascii_digit())
        .filter(|number| !number.is_empty())
        .collect();
    let (year, month, day) = match (numbers.as_slice(), order) {
        ([whole], DateOrder::Ymd) if whole.len() == 8 => {
            (whole.get(..4)?, whole.get(4..6)?, whole.get(6..)?)
        }
        ([year, month, day], DateOrder::Ymd) | ([day, month, year], DateOrder::Dmy) => {
            (*year, *month, *day)
        }
        ([month, day, year], DateOrder::Mdy) => (*year, *month, *day),
        _ => return None,
    };
    format!("{year}-{month:0>2}-{day:0>2}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_offices_write_them() {
        let expected = "2026-11-01".parse().ok();
        for text in [
            "2026-11-01",
            "2026/11/1",
            "2026.11.1",
            "20261101",
            "2026年11月1日",
            "2026-11-01 09:30",
        ] {
            assert_eq!(read_date(text, DateOrder::Ymd), expected, "{text}");
        }
        assert_eq!(read_date("1/11/2026", DateOrder::Dmy), expected);
        assert_eq!(read_date("11/1/2026", DateOrder::Mdy), expected);
        for wrong in ["", "2026-13-01", "1/11/2026", "11-01", "去年", "2026111"] {
            assert_eq!(read_date(wrong, DateOrder::Ymd), None, "{wrong}");
        }
    }
}
