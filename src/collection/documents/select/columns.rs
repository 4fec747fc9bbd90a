//! Documents by the fast fields of a field of the payload: one column for each kind of its values.

use std::fmt::Debug;
use std::ops::{Bound, Range, RangeInclusive};

use tantivy::columnar::{Column, ColumnIndex, ColumnType, DynamicColumn, DynamicColumnHandle, StrColumn, TermOrdHit};
use tantivy::{DateTime, SegmentReader, TantivyError};

use crate::collection::documents::Bitmap;
use crate::collection::filter::{Kind, Number};

/// Numbers of a column of `f64` are what was stored while all are smaller than this.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Values that are read at a time.
const BATCH: usize = 1024;

/// The columns of a field, and of the fields below it.
pub(super) struct Columns<'a> {
    reader: &'a SegmentReader,
    name: String,
    handles: Vec<DynamicColumnHandle>,
}

impl<'a> Columns<'a> {
    /// Those of the field whose names are these, as tantivy reads them.
    pub fn new(reader: &'a SegmentReader, path: &str) -> tantivy::Result<Self> {
        let name = format!("payload.{path}");
        let handles = reader.fast_fields().dynamic_column_handles(&name)?;
        Ok(Columns { reader, name, handles })
    }

    /// Adds the documents that have a value in one of the columns.
    pub fn insert_existing(&self, docs: &mut Bitmap) -> tantivy::Result<()> {
        let below = self.reader.fast_fields().dynamic_subpath_column_handles(&self.name)?;
        for handle in self.handles.iter().chain(&below) {
            let with_value: Vec<u32> = match handle.open()?.column_index() {
                ColumnIndex::Empty { .. } => continue,
                ColumnIndex::Full => (0..self.reader.max_doc()).collect(),
                ColumnIndex::Optional(index) => index.iter_non_null_docs().collect(),
                ColumnIndex::Multivalued(index) => index.iter_non_null_docs().collect(),
            };
            docs.insert(&with_value)?;
        }
        Ok(())
    }

    fn of(&self, kind: ColumnType) -> tantivy::Result<Option<DynamicColumn>> {
        let handle = self.handles.iter().find(|handle| handle.column_type() == kind);
        Ok(handle.map(DynamicColumnHandle::open).transpose()?)
    }

    /// The texts, if the field has some.
    pub fn texts(&self) -> tantivy::Result<Option<TextColumn>> {
        Ok(match self.of(ColumnType::Str)? {
            Some(DynamicColumn::Str(column)) => Some(TextColumn(column)),
            _ => None,
        })
    }

    /// Adds the documents with a number between two bounds; `false` when the column has rounded some of them.
    pub fn insert_numbers(
        &self,
        lower: Bound<Number>,
        upper: Bound<Number>,
        docs: &mut Bitmap,
    ) -> tantivy::Result<bool> {
        for kind in [ColumnType::I64, ColumnType::U64, ColumnType::F64] {
            match self.of(kind)? {
                Some(DynamicColumn::I64(column)) => {
                    if let Some((from, to)) = whole_bounds(lower, upper) {
                        let range = clamped(from, to, i64::MIN.into(), i64::MAX.into());
                        range.map_or(Ok(()), |(a, b)| insert(&column, a as i64..=b as i64, docs))?;
                    }
                }
                Some(DynamicColumn::U64(column)) => {
                    if let Some((from, to)) = whole_bounds(lower, upper) {
                        let range = clamped(from, to, 0, u64::MAX.into());
                        range.map_or(Ok(()), |(a, b)| insert(&column, a as u64..=b as u64, docs))?;
                    }
                }
                Some(DynamicColumn::F64(column)) => {
                    if column.min_value() <= -EXACT || column.max_value() >= EXACT {
                        return Ok(false);
                    }
                    if let Some((from, to)) = real_bounds(lower, upper) {
                        insert(&column, from..=to, docs)?;
                    }
                }
                _ => {}
            }
        }
        Ok(true)
    }

    /// Adds the documents with a moment between two bounds, of those that the store holds; returns whether earlier ones
    /// and later ones are asked for too.
    pub fn insert_moments(
        &self,
        lower: Bound<i128>,
        upper: Bound<i128>,
        docs: &mut Bitmap,
    ) -> tantivy::Result<(bool, bool)> {
        let from = match lower {
            Bound::Included(from) => from,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => i128::MIN,
        };
        let to = match upper {
            Bound::Included(to) => to,
            Bound::Excluded(end) => end - 1,
            Bound::Unbounded => i128::MAX,
        };
        let (first, last) = (i64::MIN.into(), i64::MAX.into());
        if let Some(DynamicColumn::DateTime(column)) = self.of(ColumnType::DateTime)?
            && let Some((from, to)) = clamped(from, to, first, last)
        {
            let moment = |nanos: i128| DateTime::from_timestamp_nanos(nanos as i64);
            insert(&column, moment(from)..=moment(to), docs)?;
        }
        Ok((from < first, to > last))
    }
}

/// What of a range lies within another.
fn clamped(from: i128, to: i128, first: i128, last: i128) -> Option<(i128, i128)> {
    let (from, to) = (from.max(first), to.min(last));
    (from <= to).then_some((from, to))
}

/// The smallest and the largest whole number between two bounds; they may lie beyond those that are stored.
pub(super) fn whole_bounds(lower: Bound<Number>, upper: Bound<Number>) -> Option<(i128, i128)> {
    let kind = |number: Number| match number.kind() {
        Kind::Real(x) if x.is_nan() => None,
        kind => Some(kind),
    };
    let from = match lower {
        Bound::Unbounded => i128::MIN,
        Bound::Included(number) | Bound::Excluded(number) => match kind(number)? {
            Kind::Whole(n) => n + i128::from(matches!(lower, Bound::Excluded(_))),
            // It is no whole number of those stored, and the next one is larger.
            Kind::Real(x) => (x.floor() as i128).saturating_add(1),
        },
    };
    let to = match upper {
        Bound::Unbounded => i128::MAX,
        Bound::Included(number) | Bound::Excluded(number) => match kind(number)? {
            Kind::Whole(n) => n - i128::from(matches!(upper, Bound::Excluded(_))),
            Kind::Real(x) => x.floor() as i128,
        },
    };
    (from <= to).then_some((from, to))
}

/// The smallest and the largest `f64` between two bounds. Bounds beyond 2^53 are rounded: numbers there are either
/// whole, or of a size that no bound of `i64` or `u64` comes near.
pub(super) fn real_bounds(lower: Bound<Number>, upper: Bound<Number>) -> Option<(f64, f64)> {
    let real = |number: Number| match number.kind() {
        Kind::Whole(n) => Some(n as f64),
        Kind::Real(x) => (!x.is_nan()).then_some(x),
    };
    let from = match lower {
        Bound::Unbounded => f64::NEG_INFINITY,
        Bound::Included(number) => real(number)?,
        Bound::Excluded(number) => real(number)?.next_up(),
    };
    let to = match upper {
        Bound::Unbounded => f64::INFINITY,
        Bound::Included(number) => real(number)?,
        Bound::Excluded(number) => real(number)?.next_down(),
    };
    (from <= to).then_some((from, to))
}

/// Adds the documents with a value in a range that is not empty.
fn insert<T>(column: &Column<T>, range: RangeInclusive<T>, docs: &mut Bitmap) -> tantivy::Result<()>
where
    T: PartialOrd + Copy + Debug + Send + Sync + 'static,
{
    // A range below all values would be taken for the smallest one.
    if *range.end() < column.min_value() || *range.start() > column.max_value() {
        return Ok(());
    }
    let mut found = Vec::new();
    column.get_docids_for_value_range(range, 0..column.num_docs(), &mut found);
    docs.insert(&found)
}

/// Texts by their place in the order of all texts of the column.
pub(super) struct TextColumn(StrColumn);

impl TextColumn {
    /// Adds the documents with a text between two bounds, of those worth keeping if that is asked.
    pub fn within(
        &self,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        keep: Option<&dyn Fn(&str) -> bool>,
        docs: &mut Bitmap,
    ) -> tantivy::Result<()> {
        let places = self.places(lower, upper)?;
        if places.is_empty() {
            return Ok(());
        }
        match keep {
            None => insert(self.0.ords(), places.start..=places.end - 1, docs),
            Some(keep) => {
                let kept = self.kept(&places, lower, keep)?;
                self.insert_kept(places.start, &kept, docs)
            }
        }
    }

    /// The places of the texts between two bounds.
    fn places(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> tantivy::Result<Range<u64>> {
        let texts = self.0.dictionary();
        let count = texts.num_terms() as u64;
        // The place of a text or of the next one, past the text itself if that is asked.
        let place = |text: &[u8], past: bool| match texts.term_ord_or_next(text) {
            Ok(TermOrdHit::Exact(place)) => Ok(place + u64::from(past)),
            Ok(TermOrdHit::Next(place)) => Ok(place.min(count)),
            Err(error) => Err(error),
        };
        let start = match lower {
            Bound::Included(text) => place(text, false)?,
            Bound::Excluded(text) => place(text, true)?,
            Bound::Unbounded => 0,
        };
        let end = match upper {
            Bound::Included(text) => place(text, true)?,
            Bound::Excluded(text) => place(text, false)?,
            Bound::Unbounded => count,
        };
        Ok(start..end)
    }

    /// Which of the texts at these places, which begin at a bound, are worth keeping.
    fn kept(
        &self,
        places: &Range<u64>,
        lower: Bound<&[u8]>,
        keep: &dyn Fn(&str) -> bool,
    ) -> tantivy::Result<Vec<bool>> {
        let range = self.0.dictionary().range();
        let mut stream = match lower {
            Bound::Included(text) => range.ge(text),
            Bound::Excluded(text) => range.gt(text),
            Bound::Unbounded => range,
        }
        .into_stream()?;
        let mut kept = Vec::new();
        for _ in places.clone() {
            if !stream.advance() {
                return Err(TantivyError::InternalError("fewer texts than were counted".to_owned()));
            }
            let text = std::str::from_utf8(stream.key());
            kept.push(keep(text.map_err(|e| TantivyError::InternalError(format!("a text: {e}")))?));
        }
        Ok(kept)
    }

    /// Adds the documents whose texts are kept, of those from a place on.
    fn insert_kept(&self, start: u64, kept: &[bool], docs: &mut Bitmap) -> tantivy::Result<()> {
        let column = self.0.ords();
        let (Some(first), Some(last)) = (kept.iter().position(|&k| k), kept.iter().rposition(|&k| k)) else {
            return Ok(());
        };
        if kept[first..=last].iter().all(|&k| k) {
            return insert(column, start + first as u64..=start + last as u64, docs);
        }
        let is_kept = |place: u64| place.checked_sub(start).is_some_and(|i| kept.get(i as usize) == Some(&true));
        let mut rows: Vec<u32> = Vec::new();
        let mut batch = vec![0u64; BATCH];
        let count = column.values.num_vals();
        for from in (0..count).step_by(BATCH) {
            let batch = &mut batch[..BATCH.min((count - from) as usize)];
            column.values.get_range(from.into(), batch);
            rows.extend((from..).zip(&*batch).filter(|(_, place)| is_kept(**place)).map(|(row, _)| row));
        }
        column.index.select_batch_in_place(0, &mut rows);
        docs.insert(&rows)
    }
}
