//! Sets of rows: which rows a search is for.

use crate::error::IndexError;

/// A set of the rows of an index, one bit a row: what a filter lets pass.
///
/// ```
/// use gyeol::index::RowSet;
/// let mut even: RowSet = RowSet::from_rows(10, (0..10).step_by(2));
/// assert_eq!((even.len(), even.of()), (5, 10));
/// even.remove(4);
/// assert!(even.contains(2) && !even.contains(4) && !even.contains(11));
/// assert_eq!(even.iter().collect::<Vec<_>>(), [0, 2, 6, 8]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    words: Vec<u64>,
    of: usize,
    len: usize,
}

impl RowSet {
    /// No row of `of`.
    pub fn none(of: usize) -> Self {
        RowSet { words: vec![0; of.div_ceil(64)], of, len: 0 }
    }

    /// All rows of `of`.
    pub fn all(of: usize) -> Self {
        let mut words = vec![u64::MAX; of.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !of.is_multiple_of(64)) {
            *last = (1 << (of % 64)) - 1;
        }
        RowSet { words, of, len: of }
    }

    /// Some rows of `of`, in any order; those that there are not are passed over.
    pub fn from_rows(of: usize, rows: impl IntoIterator<Item = u32>) -> Self {
        let mut set = RowSet::none(of);
        rows.into_iter().for_each(|row| set.insert(row));
        set
    }

    /// The number of rows in the set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of rows that could be in it: those of the index.
    pub fn of(&self) -> usize {
        self.of
    }

    /// Whether a row is in the set.
    #[inline]
    pub fn contains(&self, row: u32) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Puts a row in; nothing happens when there is no such row.
    pub fn insert(&mut self, row: u32) {
        if (row as usize) < self.of {
            let (word, bit) = (&mut self.words[row as usize / 64], 1 << (row % 64));
            self.len += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Takes a row out; nothing happens when it is not in.
    pub fn remove(&mut self, row: u32) {
        if self.contains(row) {
            self.words[row as usize / 64] &= !(1 << (row % 64));
            self.len -= 1;
        }
    }

    /// The rows, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| bits(word).map(move |bit| at as u32 * 64 + bit))
    }

    /// Refuses a set of another number of rows than `n`.
    pub(super) fn check(&self, n: usize) -> Result<(), IndexError> {
        let value = self.of.to_string();
        let allowed = "the number of rows of the index";
        if self.of == n { Ok(()) } else { Err(IndexError::Parameter { name: "RowSet::of", value, allowed }) }
    }

    /// How many rows of a range are in the set.
    pub(super) fn count(&self, range: std::ops::Range<usize>) -> usize {
        let (start, end) = (range.start, range.end.min(self.of));
        if start >= end {
            return 0;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let from = u64::MAX << (start % 64);
        let to = u64::MAX >> (63 - (end - 1) % 64);
        let ones = |word: usize, mask: u64| (self.words[word] & mask).count_ones() as usize;
        if first == last {
            return ones(first, from & to);
        }
        ones(first, from) + (first + 1..last).map(|word| ones(word, u64::MAX)).sum::<usize>() + ones(last, to)
    }
}

/// The places of a word's ones, ascending.
fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_count_what_is_in_them() {
        for of in [0, 1, 63, 64, 65, 200] {
            let all = RowSet::all(of);
            assert_eq!((all.len(), all.iter().count()), (of, of));
            assert_eq!(all, RowSet::from_rows(of, (0..of as u32 + 3).rev()));
            assert!(RowSet::none(of).is_empty() && !all.contains(of as u32));
        }
        let set = RowSet::from_rows(300, (0..300).filter(|r| r % 7 == 3));
        for (from, to) in [(0, 300), (0, 0), (3, 4), (60, 70), (64, 128), (1, 299), (290, 900), (5, 5)] {
            let want = (from..to.min(300)).filter(|r| r % 7 == 3).count();
            assert_eq!(set.count(from..to), want, "{from}..{to}");
        }
    }

    #[test]
    fn rows_go_in_and_out_once() {
        let mut set = RowSet::none(100);
        [5, 99, 5, 100, 4_000_000_000].into_iter().for_each(|row| set.insert(row));
        assert_eq!((set.len(), set.iter().collect::<Vec<_>>()), (2, vec![5, 99]));
        [5, 5, 6, 100].into_iter().for_each(|row| set.remove(row));
        assert_eq!(set.iter().collect::<Vec<_>>(), [99]);
    }
}
