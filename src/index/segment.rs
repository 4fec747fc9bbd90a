//! A segment: immutable rows with their slots, and above a measured size codes and a graph.
//!
//! Rows are numbered as they were given. A segment with a graph keeps them in another order, that
//! of their places, in which near rows tend to be near in memory; `order` maps a place to its row.

mod format;
#[cfg(feature = "collection")]
mod inspect;
mod make;
mod structure;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "collection")]
pub(crate) use self::inspect::{Fault, is_sound};
use self::make::Made;
use self::structure::Structure;
use super::calibrate::{Calibration, rescore};
use super::door::prepare_query;
use super::flat::scan;
use super::hnsw::{HnswParams, Keep};
use super::rows::{Rows, RowsView};
use super::top::Candidate;
use super::{Effort, Neighbor, Plan, RowStorage, Work};
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

    fn row_at(&self, place: u32) -> Result<u32, IndexError> {
        if self.order.is_empty() {
            return Ok(place);
        }
        let row = self.order.get(place as usize).copied().filter(|&row| (row as usize) < self.len);
        row.ok_or_else(|| StoreError::corrupt(self.path(), format!("place {place} has no row")).into())
    }

    /// The `k` nearest of the rows that `keep` lets pass, and what finding them took. By graph or
    /// partitions, if there are any and the effort is not [`Effort::Exact`]; while fewer than `k` come
    /// back and rows are left, the effort grows, and an exact scan is the last resort, so `min(k, rows kept)` rows
    /// are always found.
    ///
    /// # Errors
    /// As [`super::Index::search`].
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        keep: Keep<'_>,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim, query)?;
        let k = k.min(self.len);
        let mut work = Work::default();
        let found = match (&self.structure, effort) {
            (None, _) | (_, Effort::Exact) => None,
            _ if self.damage().is_some() => None,
            (Some(structure), _) => self.found_by(structure, &query, (k, effort), keep, &mut work)?,
        };
        let Some(found) = found else {
            work = Work { plan: Plan::Scan, ef: 0, compared: work.compared + self.len, rescored: 0 };
            return Ok((self.scan(&query, k, keep)?, work));
        };
        match self.rows_view() {
            Some(rows) if work.plan != Plan::Rows && self.rescores(k, effort) => {
                let check = |place| self.rows.check(self.dim, place);
                let (best, rescored) = rescore(rows, &query, (k, self.calibration.margin), &found, check)?;
                Ok((self.by_row(best.as_slice())?, Work { rescored, ..work }))
            }
            _ => match self.check_codes(&found[..k], work.plan) {
                Ok(()) => Ok((self.by_row(&found[..k])?, work)),
                Err(error) if self.rows.storage() == RowStorage::Codes => Err(error.into()),
                Err(error) => {
                    self.damage.get_or_init(|| reason(error));
                    work = Work { plan: Plan::Scan, ef: 0, compared: work.compared + self.len, rescored: 0 };
                    Ok((self.scan(&query, k, keep)?, work))
                }
            },
        }
    }

    /// Compares the codes of an answer with their checksums where distances are by codes alone.
    fn check_codes(&self, found: &[Candidate], plan: Plan) -> Result<(), StoreError> {
        match self.structure.as_ref().and_then(Structure::codes) {
            Some(codes) if plan != Plan::Rows => found.iter().try_for_each(|c| codes.check(c.id)),
            _ => Ok(()),
        }
    }

    /// Candidates by the structure; none when it turns out damaged, which is kept in mind.
    fn found_by(
        &self,
        structure: &Structure,
        query: &[f32],
        wanted: (usize, Effort),
        keep: Keep<'_>,
        work: &mut Work,
    ) -> Result<Option<Vec<Candidate>>, IndexError> {
        if matches!(structure, Structure::Full { .. }) {
            self.rows.check_all()?;
        }
        if keep.is_some() {
            self.order.check_all()?;
        }
        match self.candidates(structure, query, wanted, keep, work) {
            Err(IndexError::Store(error @ StoreError::Corrupt { .. })) => {
                self.damage.get_or_init(|| reason(error));
                Ok(None)
            }
            found => found,
        }
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

    /// Whether candidates are compared by their full rows: unless there are none, or they are left on disk
    /// and codes alone find as much as was asked for.
    fn rescores(&self, k: usize, effort: Effort) -> bool {
        let enough = match effort {
            Effort::Recall(recall) => self.calibration.codes_reach(recall, k),
            _ => true,
        };
        self.rows.storage() != RowStorage::Codes && (self.rescoring || !enough)
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

    /// Candidates by place as the answer, which names rows.
    fn by_row(&self, found: &[Candidate]) -> Result<Vec<Neighbor>, IndexError> {
        let row_of = |place: u32| {
            if !self.order.is_empty() {
                self.order.check(place as usize, 1)?;
            }
            self.row_at(place)
        };
        let by_row = found.iter().map(|c| Ok(Candidate { rank: c.rank, id: row_of(c.id)? }));
        let mut by_row = by_row.collect::<Result<Vec<_>, IndexError>>()?;
        by_row.sort_unstable_by(Candidate::order);
        Ok(self.neighbors(&by_row))
    }

    fn rows_view(&self) -> Option<RowsView<'_>> {
        self.rows.view(self.dim, self.metric, self.kernels)
    }

    fn scan(&self, query: &[f32], k: usize, keep: Keep<'_>) -> Result<Vec<Neighbor>, IndexError> {
        self.rows.check_all()?;
        self.order.check_all()?;
        if let (Rows::None, Some(file)) = (&self.rows, &self.file) {
            format::check_codes(file)?;
        }
        // Any place whose row is not known: an answer without it would be wrong in silence.
        let lost = AtomicU32::new(u32::MAX);
        let row = |place| match self.row_at(place) {
            Ok(row) => keep.is_none_or(|keep| keep(row)).then_some(row),
            Err(_) => {
                lost.store(place, Ordering::Relaxed);
                None
            }
        };
        let codes = self.structure.as_ref().and_then(Structure::codes);
        let found = match (self.rows_view(), codes) {
            (Some(rows), _) => scan(rows, &|out| query.clone_into(out), k, row),
            (None, Some(codes)) => scan(codes.view(self.kernels), &|out| codes.query(query, out), k, row),
            (None, None) => Vec::new(),
        };
        match lost.into_inner() {
            u32::MAX => Ok(self.neighbors(&found)),
            place => self.row_at(place).map(|_| self.neighbors(&found)),
        }
    }

    fn neighbors(&self, found: &[Candidate]) -> Vec<Neighbor> {
        super::flat::neighbors(self.metric, found)
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
