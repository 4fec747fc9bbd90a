//! A segment: immutable rows with their slots, and above a measured size codes and a graph.
//!
//! Rows are numbered as they were given. A segment with a graph keeps them in another order, that
//! of their places, in which near rows tend to be near in memory; `order` maps a place to its row.

mod format;
#[cfg(feature = "collection")]
mod inspect;
mod make;
mod nearest;
mod structure;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

#[cfg(feature = "collection")]
pub(crate) use self::inspect::{Fault, is_sound};
use self::make::Made;
use self::structure::Structure;
use super::RowStorage;
use super::calibrate::Calibration;
use super::hnsw::HnswParams;
use super::places::Places;
use super::row_set::RowSet;
use super::rows::Rows;
use crate::error::{IndexError, StoreError};
use crate::metric::{Kernels, Metric};
use crate::store::file::Sections;
use crate::store::{Column, Mapped, Seal};
use crate::vectors::Vectors;

/// Norms this near to 1 are rounding, and not kept.
const UNIT: f32 = 1e-6;

/// Rows, slots, and perhaps codes and a graph.
#[derive(Debug)]
pub(crate) struct Segment {
    metric: Metric,
    dim: usize,
    len: usize,
    /// The slot of each row; empty where it is the row's number.
    slots: Column<u64>,
    /// The length of each row before it was scaled to 1; empty where it was 1, or is not scaled.
    norms: Column<f32>,
    /// The row of each place; empty where it is the place.
    order: Column<u32>,
    #[cfg(feature = "collection")]
    places: OnceLock<Vec<u32>>,
    rows: Rows,
    params: HnswParams,
    structure: Option<Structure>,
    calibration: Calibration,
    kernels: Kernels,
    /// Whether candidates are compared by their full rows, where there are any.
    rescoring: bool,
    file: Option<Sections>,
    /// What of structure and calibration does not hold, once that is known; then rows are scanned.
    damage: OnceLock<String>,
}

impl Segment {
    /// Takes rows that came through the door, with one slot each (none: the row's number), in
    /// ascending order, and the lengths they had. From
    /// [`HnswParams::graph_from_rows`] rows it builds a graph.
    pub fn build(
        metric: Metric,
        rows: Cow<'_, Vectors>,
        mut norms: Vec<f32>,
        slots: Vec<u64>,
        params: &HnswParams,
    ) -> Self {
        let kernels = Kernels::detect();
        let (dim, len) = (rows.dim(), rows.len());
        if norms.iter().all(|&norm| (norm - 1.0).abs() <= UNIT) {
            norms = Vec::new();
        }
        let mut segment = Segment {
            metric,
            dim,
            len,
            slots: Column::owned(slots),
            norms: Column::owned(norms),
            order: Column::owned(Vec::new()),
            #[cfg(feature = "collection")]
            places: OnceLock::new(),
            rows: Rows::F32(Column::owned(Vec::new())),
            params: params.clone(),
            structure: None,
            calibration: Calibration::default(),
            kernels,
            rescoring: true,
            file: None,
            damage: OnceLock::new(),
        };
        if len == 0 || len < params.graph_from_rows {
            let storage = if params.storage == RowStorage::Codes { RowStorage::F32 } else { params.storage };
            segment.rows = Rows::new(storage, rows.into_owned());
            return segment;
        }
        let made = Made::new(metric, rows, params);
        let storage = if made.structure.codes().is_none() { RowStorage::F32 } else { params.storage };
        segment.structure = Some(made.structure);
        segment.calibration = made.calibration;
        segment.order = Column::owned(made.order);
        segment.rows = Rows::new(storage, made.rows);
        segment
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The slot of a row.
    ///
    /// # Errors
    /// [`IndexError::Store`] when its block is damaged.
    #[cfg(feature = "collection")]
    pub fn slot(&self, row: u32) -> Result<u64, IndexError> {
        let Some(&slot) = self.slots.get(row as usize) else { return Ok(u64::from(row)) };
        self.slots.check(row as usize, 1)?;
        Ok(slot)
    }

    /// The row of a slot. Slots ascend with the rows.
    ///
    /// # Errors
    /// [`IndexError::Store`] when the slots are damaged.
    #[cfg(feature = "collection")]
    pub fn row_of(&self, slot: u64) -> Result<Option<u32>, IndexError> {
        if self.slots.is_empty() {
            return Ok(u32::try_from(slot).ok().filter(|&row| (row as usize) < self.len));
        }
        self.slots.check_all()?;
        Ok(self.slots.binary_search(&slot).ok().map(|row| row as u32))
    }

    /// Calls `take` with the rows of those of some slots, ascending, that the segment has.
    ///
    /// # Errors
    /// [`IndexError::Store`] when the slots are damaged.
    #[cfg(feature = "collection")]
    pub fn rows_of(&self, slots: impl Iterator<Item = u64>, mut take: impl FnMut(u32)) -> Result<(), IndexError> {
        self.slots.check_all()?;
        let mut row = 0;
        for slot in slots {
            if self.slots.is_empty() {
                u32::try_from(slot).ok().filter(|&row| (row as usize) < self.len).into_iter().for_each(&mut take);
                continue;
            }
            // Steps that grow: slots lie close where many are asked for, and far where few are.
            let mut step = 1;
            while self.slots.get(row + step).is_some_and(|&at| at <= slot) {
                row += step;
                step *= 2;
            }
            let end = (row + step).min(self.slots.len());
            row += self.slots[row..end].partition_point(|&at| at < slot);
            match self.slots.get(row) {
                Some(&at) if at == slot => take(row as u32),
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// The distance of a row from a query that has the segment's dimension.
    ///
    /// # Errors
    /// As [`Segment::row`], and [`IndexError::Query`].
    #[cfg(feature = "collection")]
    pub fn distance(&self, query: &[f32], row: u32) -> Result<f32, IndexError> {
        let query = super::door::prepare_query(self.metric, self.dim, query)?;
        let (values, _) = self.row(row)?;
        Ok(self.metric.public_distance(self.kernels.rank(self.metric, &query, &values)))
    }

    /// A row as it is compared (length 1 for cosine), with the length it had.
    #[cfg(feature = "collection")]
    ///
    /// # Errors
    /// [`IndexError::Store`] when it, or the table of places, is damaged.
    pub fn row(&self, row: u32) -> Result<(Cow<'_, [f32]>, f32), IndexError> {
        self.order.check_all()?;
        let place = if self.order.is_empty() { row } else { self.places()[row as usize] };
        if self.row_at(place)? != row {
            return Err(StoreError::corrupt(self.path(), format!("row {row} has no place")).into());
        }
        self.rows.check(self.dim, place)?;
        if !self.norms.is_empty() {
            self.norms.check(row as usize, 1)?;
        }
        let values = self.rows.get(self.dim, place);
        let values = values.ok_or_else(|| StoreError::corrupt(self.path(), "it has codes in place of rows"))?;
        Ok((values, self.norms.get(row as usize).copied().unwrap_or(1.0)))
    }

    /// The place of each row: made when it is first asked for, since most readers never ask.
    #[cfg(feature = "collection")]
    fn places(&self) -> &[u32] {
        self.places.get_or_init(|| {
            let mut places = vec![0; self.len];
            for (place, &row) in self.order.iter().enumerate() {
                if let Some(of_row) = places.get_mut(row as usize) {
                    *of_row = place as u32;
                }
            }
            places
        })
    }

    /// The places of some rows.
    ///
    /// # Errors
    /// [`IndexError::Parameter`] when the set is of another number of rows; [`IndexError::Store`] when the table
    /// of places is damaged.
    pub fn places_of(&self, rows: &RowSet) -> Result<Places, IndexError> {
        rows.check(self.len)?;
        self.order.check_all()?;
        if self.order.is_empty() {
            return Ok(Places::new(rows.clone()));
        }
        let mut places = RowSet::none(self.len);
        for place in 0..self.len as u32 {
            if rows.contains(self.row_at(place)?) {
                places.insert(place);
            }
        }
        Ok(Places::new(places))
    }

    fn row_at(&self, place: u32) -> Result<u32, IndexError> {
        if self.order.is_empty() {
            return Ok(place);
        }
        let row = self.order.get(place as usize).copied().filter(|&row| (row as usize) < self.len);
        row.ok_or_else(|| StoreError::corrupt(self.path(), format!("place {place} has no row")).into())
    }

    /// What of graph, partitions, codes or calibration was found damaged; then every search is exact.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Compares structure and calibration with their checksums, unless that was done; [`Segment::damage`] tells what
    /// does not hold.
    pub fn check_structure(&self) {
        let bad = self.file.as_ref().and_then(|file| format::check_structure(file).err());
        if let Some(error) = bad {
            self.damage.get_or_init(|| reason(error));
        }
    }

    /// Says whether candidates are compared by their full rows, see [`super::Hnsw::set_rescoring`].
    pub fn set_rescoring(&mut self, rescoring: bool) {
        self.rescoring = rescoring;
    }

    /// What [`Segment::set_rescoring`] said, or what was decided when the file was opened.
    pub fn rescoring(&self) -> bool {
        self.rescoring && self.rows.storage() != RowStorage::Codes
    }

    /// Whether there is a graph, or partitions.
    pub fn has_structure(&self) -> bool {
        self.structure.is_some()
    }

    /// How the full rows are kept.
    pub fn storage(&self) -> RowStorage {
        self.rows.storage()
    }

    /// Writes the segment as a file.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<Seal> {
        format::write(self, out)
    }

    /// Opens a mapped segment file: header, table and lengths are checked, in constant time.
    ///
    /// # Errors
    /// [`StoreError`] naming what does not fit.
    pub fn open(map: Mapped, path: &Path) -> Result<Self, StoreError> {
        format::open(map, path)
    }

    /// Reads the whole file and compares every checksum; a segment in memory has none to compare.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first section that does not hold.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), Sections::verify)
    }

    /// The file, if it is one.
    #[cfg(feature = "collection")]
    pub fn file(&self) -> Option<&Sections> {
        self.file.as_ref()
    }

    fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new("(in memory)"), Sections::path)
    }
}

/// What is damaged, without the file's name.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Corrupt { reason, .. } => reason,
        other => other.to_string(),
    }
}
