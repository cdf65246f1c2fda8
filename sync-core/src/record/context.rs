//! Which earlier commands of its record the author of a command had seen.

use super::Logged;

/// A set of small numbers, as bits: a record takes 2,000 commands, and each has such a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn insert(&mut self, bit: usize) {
        let (word, bit) = (bit / 64, bit % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn is_subset(&self, of: &Self) -> bool {
        self.0
            .iter()
            .enumerate()
            .all(|(at, word)| word & !of.0.get(at).copied().unwrap_or(0) == 0)
    }

    fn subtract(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(word, other)| *word &= !other);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let ones = |(at, word): (usize, &u64)| {
            let word = *word;
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(ones)
    }
}

/// Which earlier commands of a record each command had seen: the largest part of what the rule names that is closed under
/// what those had seen themselves.
///
/// Within one record a lane's `base` does not run backwards on an honest device (it re-pins open forms). Where it does, an own
/// earlier command may have seen more than this one; leaving it out keeps more values side by side and never loses one.
#[derive(Debug, Clone, Default)]
pub struct Context {
    seen: Vec<Bits>,
}

impl Context {
    /// Adds the next command; `earlier` are the commands so far.
    pub fn push(&mut self, logged: &Logged, earlier: &[&Logged]) {
        let mut by_rule = Bits::default();
        let seen = earlier
            .iter()
            .enumerate()
            .filter(|(_, other)| logged.saw(&other.place));
        seen.for_each(|(index, _)| by_rule.insert(index));
        let mut closed = Bits::default();
        let is_closed = |index: &usize| {
            self.seen
                .get(*index)
                .is_some_and(|seen| seen.is_subset(&by_rule))
        };
        by_rule
            .iter()
            .filter(is_closed)
            .for_each(|index| closed.insert(index));
        self.seen.push(closed);
    }

    /// What command `index` had seen.
    pub fn of(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.seen.get(index).into_iter().flat_map(Bits::iter)
    }

    /// The newest of what command `index` had seen: those that none of the others had seen.
    pub(super) fn frontier(&self, index: usize) -> Vec<usize> {
        let Some(seen) = self.seen.get(index) else {
            return Vec::new();
        };
        let mut frontier = seen.clone();
        for seen in seen.iter().filter_map(|index| self.seen.get(index)) {
            frontier.subtract(seen);
        }
        frontier.iter().collect()
    }
}
