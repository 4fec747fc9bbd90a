//! Nearest-neighbour indexes over vectors: exact ([`Flat`]) and graph ([`Hnsw`]).
//!
//! Both take rows through one door: values must be finite, and for cosine the norm above 0 (rows
//! are scaled to length 1 there). Both answer [`Neighbor`]s nearest first, ties by row number.

mod among;
mod calibrate;
mod cost;
mod door;
mod effort;
mod flat;
mod hnsw;
mod order;
mod partitions;
mod places;
mod pool;
mod quant;
mod recall;
mod row_set;
mod rows;
mod segment;
mod space;
mod spread;
mod top;
mod truth;

pub use among::Among;
#[cfg(feature = "collection")]
pub(crate) use door::prepare;
pub use effort::{Effort, Plan, Why, Work};
pub use flat::Flat;
pub use hnsw::{Hnsw, HnswParams};
#[cfg(feature = "collection")]
pub(crate) use places::Places;
pub(crate) use recall::Asked;
pub use recall::Recall;
pub use row_set::RowSet;
#[cfg(feature = "collection")]
pub(crate) use segment::{Fault, Segment, is_sound};

use crate::error::IndexError;
use crate::metric::Metric;
use crate::vectors::VectorsView;

/// One answer of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// The row's number, from 0, in the order in which the rows were given.
    pub id: u32,
    /// The distance by the index's metric: smaller is nearer. [`Metric::score`] makes it a score.
    pub distance: f32,
}

/// How the full rows of an index are stored: what candidates are compared by at last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowStorage {
    /// As given, 4 bytes a value.
    #[default]
    F32,
    /// IEEE 754 binary16, 2 bytes a value: about three decimal digits, and no magnitude over 65,504.
    F16,
    /// Not at all: neighbours are told apart by their 8-bit codes alone, about `dim + 8` bytes a row, and
    /// distances are those of the codes, [`Effort::Exact`] included. Rows that codes cannot tell apart are
    /// refused, and fewer than [`HnswParams::graph_from_rows`] kept as they are.
    Codes,
}

impl RowStorage {
    /// The largest magnitude that `f16` holds.
    pub(crate) const F16_MAX: f32 = 65_504.0;

    /// The name: `f32`, `f16` or `codes`.
    pub fn name(self) -> &'static str {
        match self {
            RowStorage::F32 => "f32",
            RowStorage::F16 => "f16",
            RowStorage::Codes => "codes",
        }
    }

    /// The number that stands for this storage in files.
    pub(crate) fn code(self) -> u64 {
        self as u64
    }

    /// The storage that a number in a file stands for.
    pub(crate) fn from_code(code: u64) -> Option<Self> {
        [RowStorage::F32, RowStorage::F16, RowStorage::Codes].into_iter().find(|s| s.code() == code)
    }
}

/// What finds candidates in an index of many rows, before they are compared in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Whichever is foretold, and then measured, to be faster on these rows.
    #[default]
    Auto,
    /// A graph that is walked.
    Graph,
    /// Partitions, of which those near the query are scanned: faster where rows have neighbours that
    /// are hard to tell from others, and quicker to build. Not for [`Metric::L2`]. Rows that 8-bit codes
    /// cannot tell apart get a graph all the same.
    Partitions,
}

/// What both kinds of index can do.
pub trait Index: Send + Sync {
    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values in a row.
    fn dim(&self) -> usize;

    /// The metric.
    fn metric(&self) -> Metric;

    /// The `k` nearest rows, nearest first, ties by row number; all rows when `k > len()`, none
    /// when the index is empty.
    ///
    /// # Errors
    /// [`IndexError::ZeroK`]; [`IndexError::Query`] when the query's dimension is another, a value
    /// is not finite, or its norm is 0 under cosine; [`IndexError::Store`] when a mapped file
    /// turns out damaged on the way.
    fn search(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, IndexError>;

    /// [`Index::search`] for each row of `queries`, on all cores, answers in the order of the queries.
    ///
    /// # Errors
    /// As [`Index::search`], for the first query that has one.
    fn search_many(&self, queries: VectorsView<'_>, k: usize) -> Result<Vec<Vec<Neighbor>>, IndexError> {
        use rayon::prelude::*;
        (0..queries.len()).into_par_iter().map(|i| self.search(queries.row(i), k)).collect()
    }
}

#[cfg(test)]
mod tests;
