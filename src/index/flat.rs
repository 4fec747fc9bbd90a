//! Exact search: every row is compared.

use rayon::prelude::*;

use super::door::{prepare, prepare_query};
use super::rows::RowsView;
use super::space::Space;
use super::top::{Candidate, Top};
use super::{Index, Neighbor};
use crate::error::IndexError;
use crate::metric::{Kernels, Metric};
use crate::vectors::Vectors;

/// Rows that a thread scans before it may hand work on.
const BLOCK: usize = 2048;

/// An exact index: rows in memory, each compared with the query. Recall is 1 by construction; the
/// cost grows with `n x dim`.
///
/// ```
/// use gyeol::{Flat, Index, Metric, Vectors};
/// let rows = Vectors::from_rows(&[[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])?;
/// let index = Flat::new(&rows, Metric::Cosine)?;
/// let found = index.search(&[2.0, 0.1], 2)?;
/// assert_eq!(found.iter().map(|n| n.id).collect::<Vec<_>>(), [0, 2]);
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Debug)]
pub struct Flat {
    rows: Vectors,
    metric: Metric,
    kernels: Kernels,
}

impl Flat {
    /// Copies and checks the rows (scaled to length 1 for cosine).
    ///
    /// # Errors
    /// [`IndexError::Vectors`] naming the first row that is not finite, or of norm 0 under cosine.
    pub fn new(rows: &Vectors, metric: Metric) -> Result<Self, IndexError> {
        let rows = prepare(metric, rows)?.0.into_owned();
        Ok(Flat { rows, metric, kernels: Kernels::detect() })
    }
}

impl Index for Flat {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn metric(&self) -> Metric {
        self.metric
    }

    fn search(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, IndexError> {
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim(), query)?;
        let rows = RowsView::of(self.rows.view(), self.metric, self.kernels);
        let found = scan(rows, &|out| query[..].clone_into(out), k, Some);
        Ok(neighbors(self.metric, &found))
    }
}

/// The `k` best of all places for which `row` gives a row number, by comparing each with the query that
/// `fill` gives; on all cores.
pub(super) fn scan<S: Space>(
    space: S,
    fill: &(impl Fn(&mut S::Query) + Sync),
    k: usize,
    row: impl Fn(u32) -> Option<u32> + Sync,
) -> Vec<Candidate> {
    let n = space.len();
    let k = k.min(n);
    let block = |from: usize| {
        let mut top = Top::new(k);
        let mut query = S::Query::default();
        fill(&mut query);
        let kept = (from as u32..(from + BLOCK).min(n) as u32).filter_map(|place| Some((place, row(place)?)));
        let (places, ids): (Vec<u32>, Vec<u32>) = kept.unzip();
        space.ranks(&mut query, &places, |i, rank| {
            top.push(Candidate { rank, id: ids[i] });
        });
        top
    };
    (0..n).into_par_iter().step_by(BLOCK).map(block).reduce(|| Top::new(k), Top::merge).into_vec()
}

/// Candidates as the public answers.
pub(super) fn neighbors(metric: Metric, found: &[Candidate]) -> Vec<Neighbor> {
    found.iter().map(|c| Neighbor { id: c.id, distance: metric.public_distance(c.rank) }).collect()
}
