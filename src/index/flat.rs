//! Exact search: every row is compared.

use rayon::prelude::*;

use super::door::{prepare, prepare_query};
use super::row_set::RowSet;
use super::rows::RowsView;
use super::space::Space;
use super::top::{Candidate, Top};
use super::{Index, Neighbor};
use crate::error::IndexError;
use crate::metric::{Kernels, Metric};
use crate::vectors::Vectors;

/// Rows that a thread scans before it may hand work on.
const BLOCK: usize = 2048;
/// The longest list of the best that is kept in order as it grows; of more, all are kept and sorted at last.
const SHORT: usize = 256;
/// Places that one thread compares, since telling others costs more.
const FEW: usize = 16_384;

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

    /// [`Index::search`] among some rows: the `k` nearest of them, or all of them when there are fewer.
    ///
    /// # Errors
    /// As [`Index::search`]; [`IndexError::Parameter`] when the set is of another number of rows.
    pub fn search_among(&self, query: &[f32], k: usize, among: &RowSet) -> Result<Vec<Neighbor>, IndexError> {
        among.check(self.len())?;
        let rows: Vec<u32> = among.iter().collect();
        self.scan(query, k, Some(&rows))
    }

    fn scan(&self, query: &[f32], k: usize, among: Option<&[u32]>) -> Result<Vec<Neighbor>, IndexError> {
        if k == 0 {
            return Err(IndexError::ZeroK);
        }
        let query = prepare_query(self.metric, self.dim(), query)?;
        let rows = RowsView::of(self.rows.view(), self.metric, self.kernels);
        let found = scan(rows, &|out| query[..].clone_into(out), k, among, Some);
        Ok(neighbors(self.metric, &found))
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
        self.scan(query, k, None)
    }
}

/// The `k` best of some places (`None`: of all) for which `row` gives a row number, by comparing each with the query
/// that `fill` gives; on all cores.
pub(super) fn scan<S: Space>(
    space: S,
    fill: &(impl Fn(&mut S::Query) + Sync),
    k: usize,
    among: Option<&[u32]>,
    row: impl Fn(u32) -> Option<u32> + Sync,
) -> Vec<Candidate> {
    let n = among.map_or(space.len(), <[u32]>::len);
    let k = k.min(n);
    let block = |from: usize, take: &mut dyn FnMut(Candidate)| {
        let mut query = S::Query::default();
        fill(&mut query);
        let place = |at: usize| among.map_or(at as u32, |among| among[at]);
        let kept = (from..(from + BLOCK).min(n)).map(place).filter_map(|place| Some((place, row(place)?)));
        let (places, ids): (Vec<u32>, Vec<u32>) = kept.unzip();
        space.ranks(&mut query, &places, |i, rank| take(Candidate { rank, id: ids[i] }));
    };
    let best = |from: usize| {
        let mut top = Top::new(k);
        block(from, &mut |c| {
            top.push(c);
        });
        top
    };
    let blocks = || (0..n).into_par_iter().step_by(BLOCK);
    match (n, k) {
        (0..=BLOCK, ..=SHORT) => best(0).into_vec(),
        (_, ..=SHORT) => blocks().map(best).reduce(|| Top::new(k), Top::merge).into_vec(),
        _ => {
            let all = blocks().flat_map_iter(|from| {
                let mut out = Vec::with_capacity(BLOCK);
                block(from, &mut |c| out.push(c));
                out
            });
            let mut all: Vec<Candidate> = all.collect();
            if k < all.len() {
                all.select_nth_unstable_by(k, Candidate::order);
                all.truncate(k);
            }
            all.par_sort_unstable_by(Candidate::order);
            all
        }
    }
}

/// Some places with their ranks: those of which the `k` nearest are by full rows, as far as a rank strays by no more
/// than `margin`; nearest first, and at least `k` of them if there are as many. On all cores.
pub(super) fn near<S: Space>(
    space: S,
    fill: &(impl Fn(&mut S::Query) + Sync),
    (k, margin): (usize, f32),
    among: &[u32],
) -> Vec<Candidate> {
    let ranked = |places: &[u32]| {
        let mut out = Vec::with_capacity(places.len());
        let mut query = S::Query::default();
        fill(&mut query);
        space.ranks(&mut query, places, |i, rank| out.push(Candidate { rank, id: places[i] }));
        out
    };
    let mut all: Vec<Candidate> = match among.len() {
        0..=FEW => ranked(among),
        _ => among.par_chunks(BLOCK).flat_map_iter(ranked).collect(),
    };
    if k < all.len() && k > 0 {
        let (_, kth, rest) = all.select_nth_unstable_by(k - 1, Candidate::order);
        let last = kth.rank + 2.0 * margin;
        // In place: those near enough to the front.
        let mut more = 0;
        for i in 0..rest.len() {
            if rest[i].rank <= last {
                rest.swap(i, more);
                more += 1;
            }
        }
        all.truncate(k + more);
    }
    all.sort_unstable_by(Candidate::order);
    all
}

/// Candidates as the public answers.
pub(super) fn neighbors(metric: Metric, found: &[Candidate]) -> Vec<Neighbor> {
    found.iter().map(|c| Neighbor { id: c.id, distance: metric.public_distance(c.rank) }).collect()
}
