//! Documents by the terms of a field.

use std::ops::Bound;

use tantivy::index::InvertedIndexReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::schema::{IndexRecordOption, Type};
use tantivy::{TantivyError, f64_to_u64, i64_to_u64};

use super::columns::{real_bounds, whole_bounds};
use crate::collection::documents::Bitmap;
use crate::collection::filter::Number;

/// The terms of a field that begin with a prefix.
pub(super) struct Terms<'a> {
    inverted: &'a InvertedIndexReader,
    prefix: Vec<u8>,
    /// Of the last term read, for the next.
    postings: Option<BlockSegmentPostings>,
}

/// Adds all documents of a term.
pub(super) fn insert_all(postings: &mut BlockSegmentPostings, docs: &mut Bitmap) -> tantivy::Result<()> {
    while !postings.docs().is_empty() {
        docs.insert(postings.docs())?;
        postings.advance();
    }
    Ok(())
}

/// An upper bound that is left out, of texts that begin so.
pub(super) fn bound_bytes(upper: &Option<Vec<u8>>) -> Bound<&[u8]> {
    upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded)
}

impl<'a> Terms<'a> {
    pub fn new(inverted: &'a InvertedIndexReader, prefix: Vec<u8>) -> Self {
        Terms { inverted, prefix, postings: None }
    }

    /// Adds the documents of one term.
    pub fn one(&mut self, term: &[u8], docs: &mut Bitmap) -> tantivy::Result<()> {
        match self.inverted.terms().get([&self.prefix[..], term].concat())? {
            Some(info) => self.insert(&info, docs),
            None => Ok(()),
        }
    }

    /// Adds the documents of the terms between two bounds, of those that are texts worth keeping if that is asked.
    pub fn within(
        &mut self,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        keep: Option<&dyn Fn(&str) -> bool>,
        docs: &mut Bitmap,
    ) -> tantivy::Result<()> {
        let whole = |term: &[u8]| [&self.prefix[..], term].concat();
        let range = self.inverted.terms().range();
        let range = match lower {
            Bound::Included(term) => range.ge(whole(term)),
            Bound::Excluded(term) => range.gt(whole(term)),
            Bound::Unbounded => range.ge(&self.prefix),
        };
        let mut stream = match upper {
            Bound::Included(term) => range.le(whole(term)),
            Bound::Excluded(term) => range.lt(whole(term)),
            Bound::Unbounded => match self.prefix.split_last() {
                Some((last, rest)) => range.lt([rest, &[last.saturating_add(1)]].concat()),
                None => range,
            },
        }
        .into_stream()?;
        while let Some((term, info)) = stream.next() {
            if let Some(keep) = keep {
                let text = term.get(self.prefix.len()..).unwrap_or_default();
                let text =
                    std::str::from_utf8(text).map_err(|e| TantivyError::InternalError(format!("a term: {e}")))?;
                if !keep(text) {
                    continue;
                }
            }
            self.insert(info, docs)?;
        }
        Ok(())
    }

    fn insert(&mut self, info: &tantivy::postings::TermInfo, docs: &mut Bitmap) -> tantivy::Result<()> {
        match &mut self.postings {
            Some(postings) => self.inverted.reset_block_postings_from_terminfo(info, postings)?,
            None => {
                let postings = self.inverted.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
                self.postings = Some(postings);
            }
        }
        match &mut self.postings {
            Some(postings) => insert_all(postings, docs),
            None => Ok(()),
        }
    }
}

/// Adds the documents with a number between two bounds, of the field whose terms begin with `path`.
pub(super) fn insert_numbers(
    inverted: &InvertedIndexReader,
    path: Vec<u8>,
    lower: Bound<Number>,
    upper: Bound<Number>,
    docs: &mut Bitmap,
) -> tantivy::Result<()> {
    let mut of = |kind: Type, from: u64, to: u64| {
        let prefix = [&path[..], &[kind.to_code()]].concat();
        let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
        Terms::new(inverted, prefix).within(Bound::Included(&from), Bound::Included(&to), None, docs)
    };
    if let Some((from, to)) = whole_bounds(lower, upper) {
        let clamped = |n: i128| n.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        if from <= i64::MAX.into() && to >= i64::MIN.into() {
            of(Type::I64, i64_to_u64(clamped(from)), i64_to_u64(clamped(to)))?;
        }
        // Those that are an i64 are stored as such.
        let (from, to) = (from.max(i128::from(i64::MAX) + 1), to.min(u64::MAX.into()));
        if from <= to {
            of(Type::U64, from as u64, to as u64)?;
        }
    }
    if let Some((from, to)) = real_bounds(lower, upper) {
        of(Type::F64, f64_to_u64(from), f64_to_u64(to))?;
    }
    Ok(())
}
