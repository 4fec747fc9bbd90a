//! A set of the documents of one tantivy segment.

use tantivy::{DocId, TantivyError};

use crate::collection::filter::Truth;

/// One bit for each document of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collection) struct Bitmap {
    words: Vec<u64>,
    /// The documents of the segment, deleted ones among them. Bits from here on are 0.
    len: u32,
}

impl Bitmap {
    /// The empty set, of a segment of so many documents.
    pub fn empty(len: u32) -> Self {
        Bitmap { words: vec![0; len.div_ceil(64) as usize], len }
    }

    /// All documents of the segment.
    pub fn full(len: u32) -> Self {
        let mut all = Self::empty(len);
        all.negate();
        all
    }

    /// Leaves only the documents that another set of the segment has too.
    pub fn and(&mut self, other: &Bitmap) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    /// Adds documents.
    ///
    /// # Errors
    /// [`TantivyError::InternalError`] when the segment has no such document: then its file is damaged.
    pub fn insert(&mut self, docs: &[DocId]) -> tantivy::Result<()> {
        for &doc in docs {
            if doc >= self.len {
                return Err(TantivyError::InternalError("a value of no document".to_owned()));
            }
            self.words[doc as usize / 64] |= 1 << (doc % 64);
        }
        Ok(())
    }

    /// Whether a document is in it.
    pub fn contains(&self, doc: DocId) -> bool {
        self.words.get(doc as usize / 64).is_some_and(|word| word >> (doc % 64) & 1 == 1)
    }

    /// How many documents are in it.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Its documents, in ascending order.
    pub fn docs(&self) -> Vec<DocId> {
        let mut docs = Vec::with_capacity(self.count());
        for (i, &word) in (0..).zip(&self.words) {
            let mut rest = word;
            while rest != 0 {
                docs.push(i * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        docs
    }
}

impl Truth for Bitmap {
    fn and(&mut self, other: Self) {
        Bitmap::and(self, &other);
    }

    fn or(&mut self, other: Self) {
        self.words.iter_mut().zip(other.words).for_each(|(a, b)| *a |= b);
    }

    fn negate(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        if let (Some(last), 1..) = (self.words.last_mut(), self.len % 64) {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_and_turned_around() {
        for len in [0u32, 1, 63, 64, 65, 200] {
            let part = |step: usize| {
                let mut set = Bitmap::empty(len);
                set.insert(&(0..len).step_by(step).collect::<Vec<_>>()).unwrap();
                set
            };
            let (mut both, mut either, mut other) = (part(2), part(2), part(2));
            both.and(&part(3));
            either.or(part(3));
            other.negate();
            let docs = |holds: &dyn Fn(u32) -> bool| (0..len).filter(|&doc| holds(doc)).collect::<Vec<_>>();
            assert_eq!(both.docs(), docs(&|doc| doc % 6 == 0));
            assert_eq!(either.docs(), docs(&|doc| doc % 2 == 0 || doc % 3 == 0));
            assert_eq!(other.docs(), docs(&|doc| doc % 2 == 1));
            assert_eq!((other.count(), Bitmap::full(len).count()), (other.docs().len(), len as usize));
            assert!((0..len + 100).all(|doc| other.contains(doc) == (doc < len && doc % 2 == 1)));
            assert!(part(1).insert(&[len]).is_err());
        }
    }
}
