//! Columns of whole numbers, texts and values, in two streams: numbers, and texts (see `hanzi`) each ended by `FF`.
//!
//! A column does not say how long it is: whoever reads it knows from another. Reading charges each value to a budget before it
//! is made, at no more than its size in CBOR, so that a column of two bytes cannot become a million values.
//!
//! Long because each column is written and read here, so that the two can be held against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{PackError, hanzi};
use crate::limits::VALUE_NESTING_MAX;
use crate::value::{Fields, Value};

const END: u8 = 0xff;
/// The tag of a column whose values are of several types; their own tags follow.
const MIXED: u8 = 0xff;
/// The least that a field takes in CBOR beside the letters of its name.
const NAME_AND_VALUE_BYTES: usize = 2;

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// The greatest number of which both are multiples; 0 alone has no say.
const fn common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

const fn tag(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Decimal(..) => 3,
        Value::Text(_) => 4,
        Value::Bytes(_) => 5,
        Value::List(_) => 6,
        Value::Struct(_) => 7,
    }
}

/// Writes columns.
#[derive(Default)]
pub(super) struct Writer {
    numbers: Vec<u8>,
    texts: Vec<u8>,
}

impl Writer {
    /// Both streams, the numbers first.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut framed = Self::default();
        framed.length(self.numbers.len());
        [framed.numbers, self.numbers, self.texts].concat()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.numbers.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.numbers.push(value.to_le_bytes()[0]);
    }

    pub(super) fn length(&mut self, length: usize) {
        self.varint(length as u64);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.numbers.extend_from_slice(bytes);
    }

    /// The smallest number; the greatest step of which all distances from it are multiples, 0 if there are none; how many bytes
    /// the most steps take, and everyone's steps: all first bytes, then all second bytes, and so on. A number alone is just itself.
    pub(super) fn ints(&mut self, values: &[i64]) {
        let (Some(&least), Some(&most)) = (values.iter().min(), values.iter().max()) else {
            return;
        };
        self.varint(zigzag(least));
        if values.len() == 1 {
            return;
        }
        let distance = |value: &i64| value.wrapping_sub(least).cast_unsigned();
        let step = values.iter().map(distance).fold(0, common_divisor);
        self.varint(step);
        if step == 0 {
            return;
        }
        let width = (8 - (distance(&most) / step).leading_zeros() / 8) as usize;
        self.length(width);
        for place in 8 - width..8 {
            let steps = values
                .iter()
                .map(|value| (distance(value) / step).to_be_bytes());
            self.numbers
                .extend(steps.filter_map(|bytes| bytes.get(place).copied()));
        }
    }

    /// Positions, lengths and other numbers known to fit.
    pub(super) fn counts(&mut self, values: impl Iterator<Item = usize>) {
        let values: Vec<i64> = values.map(|value| (value as u64).cast_signed()).collect();
        self.ints(&values);
    }

    /// Numbers that mostly grow: each as its distance from the one before.
    pub(super) fn steps(&mut self, values: impl Iterator<Item = i64>) {
        let mut before = 0_i64;
        let steps: Vec<i64> = values
            .map(|value| value.wrapping_sub(core::mem::replace(&mut before, value)))
            .collect();
        self.ints(&steps);
    }

    pub(super) fn text(&mut self, text: &str) {
        hanzi::narrow(text, &mut self.texts);
        self.texts.push(END);
    }

    /// Texts, one after the other; or each different one once, if on average each stands there twice.
    pub(super) fn texts(&mut self, values: &[&str]) {
        let mut distinct = BTreeMap::new();
        let mut once = Vec::new();
        for &value in values {
            distinct.entry(value).or_insert_with(|| {
                once.push(value);
                once.len() - 1
            });
        }
        if values.is_empty() {
            return;
        }
        if once.len() * 2 > values.len() {
            self.length(0);
            for text in values {
                self.text(text);
            }
        } else {
            self.length(once.len());
            for text in &once {
                self.text(text);
            }
            self.counts(
                values
                    .iter()
                    .filter_map(|value| distinct.get(value).copied()),
            );
        }
    }

    /// Sets of names, each in ascending order: all the names, the different sets as bit maps over these, and which set is whose.
    pub(super) fn name_sets(&mut self, sets: &[Vec<&str>]) {
        let names: BTreeSet<&str> = sets.iter().flatten().copied().collect();
        let place: BTreeMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(place, name)| (*name, place))
            .collect();
        let mut distinct = BTreeMap::new();
        let mut once = Vec::new();
        let mut whose = Vec::new();
        for set in sets {
            let mut bits = vec![0_u8; names.len().div_ceil(8)];
            for place in set.iter().filter_map(|name| place.get(name)) {
                if let Some(byte) = bits.get_mut(place / 8) {
                    *byte |= 1 << (place % 8);
                }
            }
            whose.push(*distinct.entry(bits.clone()).or_insert_with(|| {
                once.push(bits);
                once.len() - 1
            }));
        }
        self.length(names.len());
        for name in &names {
            self.text(name);
        }
        self.length(once.len());
        for bits in &once {
            self.raw(bits);
        }
        self.counts(whose.into_iter());
    }

    /// Values by name: the sets of names, then one column for each name.
    pub(super) fn fields(&mut self, rows: &[&Fields]) {
        let sets: Vec<Vec<&str>> = rows
            .iter()
            .map(|row| row.keys().map(String::as_str).collect())
            .collect();
        self.name_sets(&sets);
        let names: BTreeSet<&str> = sets.into_iter().flatten().collect();
        for name in names {
            let column: Vec<&Value> = rows.iter().filter_map(|row| row.get(name)).collect();
            self.values(&column);
        }
    }

    /// Values: their types, then one column for each type.
    fn values(&mut self, values: &[&Value]) {
        let tags: Vec<u8> = values.iter().map(|value| tag(value)).collect();
        match tags.first() {
            None => return,
            Some(first) if tags.iter().all(|tag| tag == first) => self.raw(&[*first]),
            Some(_) => {
                self.raw(&[MIXED]);
                self.raw(&tags);
            }
        }
        let mut bools = Vec::new();
        let mut ints = Vec::new();
        let mut decimals = Vec::new();
        let mut texts = Vec::new();
        let mut blobs = Vec::new();
        let mut lists = Vec::new();
        let mut structs = Vec::new();
        for value in values {
            match value {
                Value::Null => {}
                Value::Bool(value) => bools.push(i64::from(*value)),
                Value::Int(value) => ints.push(*value),
                Value::Decimal(mantissa, exponent) => decimals.push((*mantissa, *exponent)),
                Value::Text(text) => texts.push(text.as_str()),
                Value::Bytes(bytes) => blobs.push(bytes),
                Value::List(items) => lists.push(items),
                Value::Struct(fields) => structs.push(fields),
            }
        }
        self.ints(&bools);
        self.ints(&ints);
        self.decimals(&decimals);
        self.texts(&texts);
        self.counts(blobs.iter().map(|bytes| bytes.len()));
        for bytes in &blobs {
            self.raw(bytes);
        }
        self.counts(lists.iter().map(|items| items.len()));
        let items: Vec<&Value> = lists.into_iter().flatten().collect();
        self.values(&items);
        if !structs.is_empty() {
            self.fields(&structs);
        }
    }

    /// Exponents and mantissas; all with the smallest exponent, if the mantissas allow, since the reader normalizes anyway.
    fn decimals(&mut self, decimals: &[(i64, i8)]) {
        let Some(least) = decimals.iter().map(|(_, exponent)| *exponent).min() else {
            return;
        };
        let scaled: Option<Vec<(i64, i8)>> = decimals
            .iter()
            .map(|(mantissa, exponent)| {
                let factor = 10_i64.checked_pow(u32::from(exponent.abs_diff(least)))?;
                Some((mantissa.checked_mul(factor)?, least))
            })
            .collect();
        let (mantissas, exponents): (Vec<i64>, Vec<i64>) = scaled
            .as_deref()
            .unwrap_or(decimals)
            .iter()
            .map(|(mantissa, exponent)| (*mantissa, i64::from(*exponent)))
            .unzip();
        self.ints(&exponents);
        self.ints(&mantissas);
    }
}

/// What [`Writer::finish`] joined, its texts in UTF-8.
pub(super) struct Columns<'b> {
    numbers: &'b [u8],
    texts: Vec<u8>,
    limit: usize,
}

impl<'b> Columns<'b> {
    /// Splits it; what is read from it may be of `limit` bytes in CBOR, and as many in texts.
    pub(super) fn split(bytes: &'b [u8], limit: usize) -> Result<Self, PackError> {
        let mut whole = Reader {
            numbers: bytes,
            texts: &[],
            taken: 0,
            limit,
            budget: limit,
        };
        let length = whole.length()?;
        let (numbers, texts) = whole.numbers.split_at_checked(length).ok_or(CUT_SHORT)?;
        Ok(Self {
            numbers,
            texts: hanzi::widen(texts, limit)?,
            limit,
        })
    }

    /// A reader of all of it.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            numbers: self.numbers,
            texts: &self.texts,
            taken: self.numbers.len() + self.texts.len(),
            limit: self.limit,
            budget: self.limit,
        }
    }
}

/// Reads columns.
pub(super) struct Reader<'b> {
    numbers: &'b [u8],
    texts: &'b [u8],
    taken: usize,
    limit: usize,
    budget: usize,
}

const NO_SUCH_TYPE: PackError = PackError::Malformed("a type that no value has");
const CUT_SHORT: PackError = PackError::Malformed("a column cut short");

impl<'b> Reader<'b> {
    /// Insists that nothing is left, and says how many bytes it was: as columns, or in CBOR, whichever is more.
    pub(super) fn finish(&self) -> Result<usize, PackError> {
        if self.numbers.is_empty() && self.texts.is_empty() {
            Ok(self.taken.max(self.limit - self.budget))
        } else {
            Err(PackError::Malformed("more than its columns"))
        }
    }

    /// Takes `count` values of at least `size` bytes each from the budget.
    pub(super) fn charge(&mut self, count: usize, size: usize) -> Result<(), PackError> {
        let left = count
            .checked_mul(size)
            .and_then(|cost| self.budget.checked_sub(cost));
        self.budget = left.ok_or(PackError::TooLarge(self.limit))?;
        Ok(())
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<&'b [u8], PackError> {
        let (taken, left) = self.numbers.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.numbers = left;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PackError> {
        self.raw(1)?.first().copied().ok_or(CUT_SHORT)
    }

    fn varint(&mut self) -> Result<u64, PackError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PackError::Malformed("a number too long"))
    }

    pub(super) fn length(&mut self) -> Result<usize, PackError> {
        usize::try_from(self.varint()?).map_err(|_| PackError::TooLarge(self.limit))
    }

    /// A column of `count` numbers, which the caller has charged.
    pub(super) fn ints(&mut self, count: usize) -> Result<Vec<i64>, PackError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let least = unzigzag(self.varint()?);
        let step = if count == 1 { 0 } else { self.varint()? };
        let width = if step == 0 { 0 } else { self.length()? };
        if width > 8 {
            return Err(PackError::Malformed("numbers too wide"));
        }
        let mut steps = vec![0_u64; count];
        for _ in 0..width {
            let plane = self.raw(count)?;
            for (steps, byte) in steps.iter_mut().zip(plane) {
                *steps = *steps << 8 | u64::from(*byte);
            }
        }
        Ok(steps
            .into_iter()
            .map(|steps| least.wrapping_add(steps.wrapping_mul(step).cast_signed()))
            .collect())
    }

    /// A column of `count` positions or lengths, none above `max`.
    pub(super) fn counts(&mut self, count: usize, max: usize) -> Result<Vec<usize>, PackError> {
        let checked = |value: i64| usize::try_from(value).ok().filter(|value| *value <= max);
        let counts: Option<Vec<usize>> = self.ints(count)?.into_iter().map(checked).collect();
        counts.ok_or(PackError::Malformed("a position or length out of range"))
    }

    /// The lengths of `count` groups whose items take at least `size` bytes each; the items are charged here.
    pub(super) fn group_lengths(
        &mut self,
        count: usize,
        size: usize,
    ) -> Result<Vec<usize>, PackError> {
        let lengths = self.counts(count, self.budget)?;
        let total = lengths
            .iter()
            .try_fold(0_usize, |total, length| total.checked_add(*length));
        self.charge(total.ok_or(PackError::TooLarge(self.limit))?, size)?;
        Ok(lengths)
    }

    /// An identifier.
    pub(super) fn id(&mut self) -> Result<[u8; 16], PackError> {
        self.raw(16)?.try_into().map_err(|_| CUT_SHORT)
    }

    /// What [`Writer::steps`] wrote.
    pub(super) fn steps(&mut self, count: usize) -> Result<Vec<i64>, PackError> {
        let mut values = self.ints(count)?;
        let mut before = 0_i64;
        for value in &mut values {
            before = before.wrapping_add(*value);
            *value = before;
        }
        Ok(values)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, PackError> {
        let end = self
            .texts
            .iter()
            .position(|byte| *byte == END)
            .ok_or(CUT_SHORT)?;
        let (text, rest) = self.texts.split_at_checked(end).ok_or(CUT_SHORT)?;
        self.texts = rest.get(1..).ok_or(CUT_SHORT)?;
        core::str::from_utf8(text).map_err(|_| PackError::Malformed("not UTF-8"))
    }

    fn text_run(&mut self, count: usize) -> Result<Vec<&'b str>, PackError> {
        if count > self.texts.len() {
            return Err(CUT_SHORT);
        }
        (0..count).map(|_| self.text()).collect()
    }

    /// A column of `count` texts, charged here for all but their first byte.
    pub(super) fn texts(&mut self, count: usize) -> Result<Vec<&'b str>, PackError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let distinct = self.length()?;
        let texts = if distinct == 0 {
            self.text_run(count)?
        } else {
            let once = self.text_run(distinct)?;
            let indices = self.counts(count, distinct - 1)?;
            indices
                .into_iter()
                .filter_map(|index| once.get(index).copied())
                .collect()
        };
        texts
            .iter()
            .try_for_each(|text| self.charge(1, text.len()))?;
        Ok(texts)
    }

    /// `count` sets of names, charged here at `each` bytes for a name beside its letters: all the names in ascending order, and
    /// which of them each set holds.
    pub(super) fn name_sets(
        &mut self,
        count: usize,
        each: usize,
    ) -> Result<(Vec<&'b str>, Vec<Vec<usize>>), PackError> {
        let names = self.length()?;
        let names = self.text_run(names)?;
        if !names
            .iter()
            .zip(names.iter().skip(1))
            .all(|(earlier, later)| earlier < later)
        {
            return Err(PackError::Malformed("names out of order"));
        }
        let distinct = self.length()?;
        if distinct > count {
            return Err(PackError::Malformed("more sets than rows"));
        }
        let mut once = Vec::with_capacity(distinct);
        for _ in 0..distinct {
            let bits = self.raw(names.len().div_ceil(8))?;
            let held = |place: &usize| {
                bits.get(place / 8)
                    .is_some_and(|byte| byte >> (place % 8) & 1 == 1)
            };
            let places = || (0..names.len()).filter(held);
            let size = places()
                .filter_map(|place| names.get(place))
                .map(|name| name.len() + each)
                .sum();
            self.charge(1, size)?;
            once.push((places().collect::<Vec<usize>>(), size, true));
        }
        let mut sets = Vec::with_capacity(count);
        for index in self.counts(count, distinct.saturating_sub(1))? {
            let (places, size, paid) = once
                .get_mut(index)
                .ok_or(PackError::Malformed("rows without a set"))?;
            if !core::mem::replace(paid, false) {
                self.charge(1, *size)?;
            }
            sets.push(places.clone());
        }
        Ok((names, sets))
    }

    /// `count` rows of values by name; the rows themselves the caller has charged.
    pub(super) fn fields(&mut self, count: usize, depth: u8) -> Result<Vec<Fields>, PackError> {
        let (names, sets) = self.name_sets(count, NAME_AND_VALUE_BYTES)?;
        let mut holders: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
        for (row, set) in sets.iter().enumerate() {
            for place in set {
                holders.get_mut(*place).ok_or(CUT_SHORT)?.push(row);
            }
        }
        let mut rows = vec![Fields::default(); count];
        for (name, holders) in names.into_iter().zip(holders) {
            let values = self.values(holders.len(), depth)?;
            for (row, value) in holders.into_iter().zip(values) {
                rows.get_mut(row)
                    .ok_or(CUT_SHORT)?
                    .insert(name.to_owned(), value);
            }
        }
        Ok(rows)
    }

    /// A column of `count` values, which the caller has charged at a byte each.
    fn values(&mut self, count: usize, depth: u8) -> Result<Vec<Value>, PackError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        if depth > VALUE_NESTING_MAX {
            return Err(PackError::Malformed("values nest too deeply"));
        }
        let tags = match self.byte()? {
            MIXED => self.raw(count)?.to_vec(),
            tag => vec![tag; count],
        };
        let mut counts = [0_usize; 8];
        for tag in &tags {
            *counts.get_mut(usize::from(*tag)).ok_or(NO_SUCH_TYPE)? += 1;
        }
        let [nulls, bools, ints, decimals, texts, blobs, lists, structs] = counts;
        let mut by_tag = [
            vec![Value::Null; nulls],
            self.bools(bools)?,
            self.ints(ints)?.into_iter().map(Value::Int).collect(),
            self.decimals(decimals)?,
            self.texts(texts)?.into_iter().map(Value::text).collect(),
            self.blobs(blobs)?,
            self.lists(lists, depth)?,
            self.structs(structs, depth)?,
        ]
        .map(Vec::into_iter);
        let values: Option<Vec<Value>> = tags
            .iter()
            .map(|tag| by_tag.get_mut(usize::from(*tag)).and_then(Iterator::next))
            .collect();
        values.ok_or(NO_SUCH_TYPE)
    }

    fn bools(&mut self, count: usize) -> Result<Vec<Value>, PackError> {
        Ok(self
            .counts(count, 1)?
            .into_iter()
            .map(|value| Value::Bool(value == 1))
            .collect())
    }

    fn decimals(&mut self, count: usize) -> Result<Vec<Value>, PackError> {
        let exponents = self.ints(count)?;
        let mantissas = self.ints(count)?;
        let decimal = |(mantissa, exponent)| {
            let decimal = Value::decimal(mantissa, i8::try_from(exponent).ok()?);
            matches!(decimal, Value::Decimal(_, ..0)).then_some(decimal)
        };
        let decimals: Option<Vec<Value>> =
            mantissas.into_iter().zip(exponents).map(decimal).collect();
        decimals.ok_or(PackError::Malformed("decimals that are none"))
    }

    fn blobs(&mut self, count: usize) -> Result<Vec<Value>, PackError> {
        let lengths = self.counts(count, self.numbers.len())?;
        lengths
            .into_iter()
            .map(|length| Ok(Value::Bytes(self.raw(length)?.to_vec())))
            .collect()
    }

    fn structs(&mut self, count: usize, depth: u8) -> Result<Vec<Value>, PackError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        Ok(self
            .fields(count, depth + 1)?
            .into_iter()
            .map(Value::Struct)
            .collect())
    }

    fn lists(&mut self, count: usize, depth: u8) -> Result<Vec<Value>, PackError> {
        let lengths = self.group_lengths(count, 1)?;
        let mut items = self.values(lengths.iter().sum(), depth + 1)?.into_iter();
        Ok(lengths
            .into_iter()
            .map(|length| Value::List(items.by_ref().take(length).collect()))
            .collect())
    }
}
