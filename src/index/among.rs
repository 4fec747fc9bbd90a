//! An index of which only some rows are searched.

use super::places::Places;
use super::{Effort, Hnsw, Neighbor, RowSet, Work};
use crate::error::IndexError;

/// Some rows of an [`Hnsw`], made ready for many searches: what a filter lets pass. The `k` nearest of these rows
/// are found, or all of them where there are fewer, however few they are and wherever they lie.
///
/// ```
/// use gyeol::index::RowSet;
/// use gyeol::{Effort, Hnsw, HnswParams, Metric, Vectors};
/// let rows = Vectors::new((0..2000).map(|i| ((i * 7919) % 997) as f32).collect(), 4)?;
/// let index = Hnsw::build(&rows, Metric::L2, &HnswParams::default())?;
/// let third = index.among(&RowSet::from_rows(500, (0..500).step_by(3)))?;
/// let found = third.search(rows.row(7), 3, Effort::default())?;
/// assert!(found.len() == 3 && found.iter().all(|n| n.id % 3 == 0));
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Debug)]
pub struct Among<'a> {
    index: &'a Hnsw,
    places: Places,
}

impl Hnsw {
    /// Makes some rows ready for searches among them: once for each filter, in time proportional to the rows
    /// of the index.
    ///
    /// # Errors
    /// [`IndexError::Parameter`] when the set is of another number of rows; [`IndexError::Store`] when the file
    /// turns out damaged.
    pub fn among(&self, rows: &RowSet) -> Result<Among<'_>, IndexError> {
        Ok(Among { index: self, places: self.segment().places_of(rows)? })
    }
}

impl Among<'_> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.places.len() == 0
    }

    /// The `k` nearest of the rows, nearest first, ties by row number; all of them where there are fewer.
    ///
    /// # Errors
    /// As [`crate::Index::search`], and [`IndexError::Parameter`] when the effort is out of its range.
    pub fn search(&self, query: &[f32], k: usize, effort: Effort) -> Result<Vec<Neighbor>, IndexError> {
        self.search_explained(query, k, effort).map(|(found, _)| found)
    }

    /// [`Among::search`], and what it took.
    ///
    /// # Errors
    /// As [`Among::search`].
    pub fn search_explained(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
    ) -> Result<(Vec<Neighbor>, Work), IndexError> {
        effort.validate()?;
        self.index.segment().nearest(query, k, effort, Some(&self.places))
    }
}
