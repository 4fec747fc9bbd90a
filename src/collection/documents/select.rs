//! Which chunks a filter means, found in the document store.
//!
//! Equality is looked up in the terms. Intervals are scanned in the fast fields, whose numbers are exact unless a
//! field mixes fractions with numbers beyond 2^53 in one segment; then the terms are, which always are. Keys and paths
//! have terms only.

mod columns;
mod terms;

use std::ops::Bound;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, SegmentReader, TantivyError, Term};

use self::columns::{Columns, TextColumn};
use self::terms::{Terms, bound_bytes};
use super::{Bitmap, Documents, Fields, RECORD, guarded};
use crate::collection::filter::{
    Check, Condition, Date, Field, Filter, Glob, Interval, Kind, MAX_NESTING, Number, Truth, between, is_offered,
};

/// Texts that are dates begin with what lies between these.
const DIGITS: (&str, &str) = ("0", ":");
/// Years before the first moment that the store holds, and from the last one on: such dates are texts only.
const EARLY: (&str, &str) = ("0", "1678");
const LATE: (&str, &str) = ("2262", ":");

/// What a filter selects of one commit: chunks that are not deleted.
#[derive(Debug)]
pub(in crate::collection) struct Selected {
    /// The chunks in each tantivy segment, in the order of the searcher's.
    pub docs: Vec<Bitmap>,
    /// The slots of all of them, ascending.
    pub slots: Vec<u64>,
}

impl Documents {
    /// The chunks for which a filter holds.
    ///
    /// # Errors
    /// [`TantivyError::InvalidArgument`] when the filter is over a limit, which [`Filter::validate`] tells better;
    /// errors of damaged files.
    pub fn select(&self, filter: &Filter) -> tantivy::Result<Selected> {
        filter.validate().map_err(|error| TantivyError::InvalidArgument(error.to_string()))?;
        guarded(|| {
            let mut docs = Vec::new();
            let mut slots = Vec::new();
            for (reader, chunks) in self.searcher.segment_readers().iter().zip(self.living_chunks()?) {
                let segment = Segment { reader, fields: self.fields };
                let mut holds = filter.fold(|condition| segment.select(condition))?.unwrap_or_else(|| segment.empty());
                holds.and(chunks);
                segment.add_slots(&holds.docs(), &mut slots)?;
                docs.push(holds);
            }
            // Segments are often in the order in which they were written.
            if !slots.is_sorted() {
                slots.sort();
            }
            Ok(Selected { docs, slots })
        })
    }

    /// The chunks of each segment that are not deleted; found once.
    fn living_chunks(&self) -> tantivy::Result<&[Bitmap]> {
        if let Some(found) = self.living.get() {
            return Ok(found);
        }
        let chunks = |reader| Segment { reader, fields: self.fields }.chunks();
        let found = self.searcher.segment_readers().iter().map(chunks).collect::<tantivy::Result<_>>()?;
        Ok(self.living.get_or_init(|| found))
    }
}

struct Segment<'a> {
    reader: &'a SegmentReader,
    fields: Fields,
}

impl Segment<'_> {
    fn empty(&self) -> Bitmap {
        Bitmap::empty(self.reader.max_doc())
    }

    /// All chunks that are not deleted.
    fn chunks(&self) -> tantivy::Result<Bitmap> {
        let mut records = self.empty();
        let record = Term::from_field_u64(self.fields.kind, RECORD);
        let inverted = self.reader.inverted_index(self.fields.kind)?;
        if let Some(mut postings) = inverted.read_block_postings(&record, IndexRecordOption::Basic)? {
            terms::insert_all(&mut postings, &mut records)?;
        }
        records.negate();
        if let Some(alive) = self.reader.alive_bitset() {
            let mut living = self.empty();
            living.insert(&alive.iter_alive().collect::<Vec<DocId>>())?;
            records.and(&living);
        }
        Ok(records)
    }

    /// Adds the slots of chunks.
    fn add_slots(&self, docs: &[DocId], slots: &mut Vec<u64>) -> tantivy::Result<()> {
        let column = self.reader.fast_fields().u64("slot")?;
        let (mut with_slot, mut rows) = (Vec::with_capacity(docs.len()), Vec::with_capacity(docs.len()));
        column.row_ids_for_docs(docs, &mut with_slot, &mut rows);
        if with_slot != docs {
            return Err(TantivyError::InternalError("a chunk without a slot".to_owned()));
        }
        let from = slots.len();
        slots.resize(from + rows.len(), 0);
        column.values.get_vals(&rows, &mut slots[from..]);
        Ok(())
    }

    fn select(&self, condition: &Condition) -> tantivy::Result<Bitmap> {
        match &condition.field {
            // Every chunk has a key.
            Field::Key if condition.check == Check::Exists => Ok(Bitmap::full(self.reader.max_doc())),
            Field::Key => self.select_terms(self.fields.key, &condition.check),
            Field::Path => self.select_terms(self.fields.file, &condition.check),
            Field::Payload(names) if names.len() > MAX_NESTING + 1 || !names.iter().all(|n| is_offered(n)) => {
                Ok(self.empty())
            }
            Field::Payload(names) => self.select_payload(&joined(names), &condition.check),
        }
    }

    /// Keys or paths.
    fn select_terms(&self, field: tantivy::schema::Field, check: &Check) -> tantivy::Result<Bitmap> {
        let mut docs = self.empty();
        let inverted = self.reader.inverted_index(field)?;
        let mut terms = Terms::new(&inverted, Vec::new());
        match check {
            Check::Exists => terms.within(Bound::Unbounded, Bound::Unbounded, None, &mut docs)?,
            Check::Like(glob) => {
                let (lower, upper, keep) = like(glob);
                let fits = |text: &str| glob.fits(text);
                let keep = keep.then_some(&fits as &dyn Fn(&str) -> bool);
                terms.within(Bound::Included(&lower), bound_bytes(&upper), keep, &mut docs)?;
            }
            check => {
                for interval in check.intervals().unwrap_or_default() {
                    match interval {
                        Interval::Texts(Bound::Included(text), Bound::Included(same)) if text == same => {
                            terms.one(text.as_bytes(), &mut docs)?;
                        }
                        Interval::Texts(lower, upper) => {
                            terms.within(lower.map(str::as_bytes), upper.map(str::as_bytes), None, &mut docs)?;
                        }
                        Interval::Moments(lower, upper) => {
                            let keep = |text: &str| {
                                Date::read(text).is_some_and(|date| between(&date.start(), (&lower, &upper)))
                            };
                            let (from, to) = (DIGITS.0.as_bytes(), DIGITS.1.as_bytes());
                            terms.within(Bound::Included(from), Bound::Excluded(to), Some(&keep), &mut docs)?;
                        }
                        Interval::Numbers(..) | Interval::Booleans(..) => {}
                    }
                }
            }
        }
        Ok(docs)
    }

    /// A field of the payload; `path` is its names as tantivy writes them.
    fn select_payload(&self, path: &str, check: &Check) -> tantivy::Result<Bitmap> {
        let mut docs = self.empty();
        let columns = Columns::new(self.reader, path)?;
        match check {
            Check::Exists => columns.insert_existing(&mut docs)?,
            Check::Like(glob) => {
                if let Some(texts) = columns.texts()? {
                    let (lower, upper, keep) = like(glob);
                    let fits = |text: &str| glob.fits(text);
                    let keep = keep.then_some(&fits as &dyn Fn(&str) -> bool);
                    texts.within(Bound::Included(&lower), bound_bytes(&upper), keep, &mut docs)?;
                }
            }
            check => {
                for interval in check.intervals().unwrap_or_default() {
                    self.select_interval(path, &columns, interval, &mut docs)?;
                }
            }
        }
        Ok(docs)
    }

    fn select_interval(
        &self,
        path: &str,
        columns: &Columns,
        interval: Interval<'_>,
        docs: &mut Bitmap,
    ) -> tantivy::Result<()> {
        let term = || Term::from_field_json_path(self.fields.payload, path, false);
        let inverted = self.reader.inverted_index(self.fields.payload)?;
        let mut find = |term: Term| Terms::new(&inverted, Vec::new()).one(term.serialized_value_bytes(), docs);
        match interval {
            Interval::Texts(Bound::Included(text), Bound::Included(same)) if text == same => {
                let mut term = term();
                term.append_type_and_str(text);
                find(term)
            }
            Interval::Texts(lower, upper) => match columns.texts()? {
                Some(texts) => texts.within(lower.map(str::as_bytes), upper.map(str::as_bytes), None, docs),
                None => Ok(()),
            },
            Interval::Numbers(Bound::Included(number), Bound::Included(same)) if number == same => {
                number_term(term(), number).map_or(Ok(()), find)
            }
            Interval::Numbers(lower, upper) => {
                if columns.insert_numbers(lower, upper, docs)? {
                    return Ok(());
                }
                let prefix = term().serialized_value_bytes().to_vec();
                terms::insert_numbers(&inverted, prefix, lower, upper, docs)
            }
            Interval::Booleans(lower, upper) => {
                for boolean in [false, true].into_iter().filter(|b| between(b, (&lower, &upper))) {
                    let mut term = term();
                    term.append_type_and_fast_value(boolean);
                    find(term)?;
                }
                Ok(())
            }
            Interval::Moments(lower, upper) => {
                let (early, late) = columns.insert_moments(lower, upper, docs)?;
                for (range, asked) in [(EARLY, early), (LATE, late)] {
                    if let (true, Some(texts)) = (asked, columns.texts()?) {
                        insert_far(&texts, range, (lower, upper), docs)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Adds what has a date, as a text between two others, that the store cannot hold as a moment.
fn insert_far(
    texts: &TextColumn,
    (from, to): (&str, &str),
    (lower, upper): (Bound<i128>, Bound<i128>),
    docs: &mut Bitmap,
) -> tantivy::Result<()> {
    let keep = |text: &str| {
        let date = Date::read(text).map(Date::start).filter(|&nanos| i64::try_from(nanos).is_err());
        date.is_some_and(|nanos| between(&nanos, (&lower, &upper)))
    };
    texts.within(Bound::Included(from.as_bytes()), Bound::Excluded(to.as_bytes()), Some(&keep), docs)
}

/// The term of a number; NaN has none.
fn number_term(mut term: Term, number: Number) -> Option<Term> {
    match number.kind() {
        Kind::Real(x) if x.is_nan() => return None,
        Kind::Real(x) => term.append_type_and_fast_value(x),
        Kind::Whole(n) => match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => term.append_type_and_fast_value(n),
            (_, Ok(n)) => term.append_type_and_fast_value(n),
            _ => return None,
        },
    }
    Some(term)
}

/// Names as tantivy reads them: dots between them, and backslashes before the dots within them.
fn joined(names: &[String]) -> String {
    let escaped = names.iter().map(|name| name.replace('\\', "\\\\").replace('.', "\\."));
    escaped.collect::<Vec<String>>().join(".")
}

/// Between which bytes the texts of a pattern lie, the upper ones not among them, and whether those must be compared
/// one by one.
fn like(glob: &Glob) -> (Vec<u8>, Option<Vec<u8>>, bool) {
    let (prefix, every) = glob.prefix();
    let lower = prefix.into_bytes();
    let mut upper = lower.clone();
    // No byte of UTF-8 is 255.
    let upper = upper.pop().map(|last| {
        upper.push(last + 1);
        upper
    });
    (lower, upper, !every)
}
