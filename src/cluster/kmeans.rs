//! k-means: as many groups of rows as asked for, each around its mean.
//!
//! Lloyd's algorithm on `f32` rows, exact: what saves time (bounds, 8-bit codes; see the source of
//! `assign`) never changes an answer. Starting centroids are drawn by greedy k-means++, or given.
//!
//! The result depends on the rows' values and the seed alone: not on the number of threads, and not on
//! the order of the rows. Sums are exact on a grid fine enough for `f32`, and what is drawn is drawn by what
//! rows hold.

mod assign;
mod centers;
mod lloyd;
mod means;
mod minibatch;
mod model;
mod rows;
mod seeding;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::ControlFlow;

use rayon::prelude::*;

pub use minibatch::MiniBatchKMeans;
pub use model::KMeansModel;

use crate::error::{ClusterError, VectorsError};
use crate::metric::Kernels;
use crate::vectors::{Vectors, VectorsView, norm, normalize};
use lloyd::{OnRound, Run, Until};
use rows::Rows;

/// Products of a round under which several starts cost little.
const QUICK: usize = 1 << 28;

/// How rows are clustered.
///
/// ```
/// use gyeol::cluster::KMeans;
/// use gyeol::Vectors;
///
/// let rows = Vectors::from_rows(&[[0.0, 0.1], [0.1, 0.0], [9.0, 9.1], [9.1, 9.0]])?;
/// let fit = KMeans::new(2).seed(42).fit(rows.view())?;
/// assert_eq!(fit.labels[0], fit.labels[1]);
/// assert_ne!(fit.labels[0], fit.labels[2]);
/// let new = Vectors::from_rows(&[[8.0, 8.0]])?;
/// assert_eq!(fit.model.predict(new.view())?, [fit.labels[2]]);
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KMeans {
    n_clusters: usize,
    max_iters: usize,
    tolerance: f64,
    n_init: Option<usize>,
    seed: u64,
    spherical: bool,
    init: Option<Vectors>,
}

/// A round of a fit, as it is told to the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The round, from 1.
    pub iteration: usize,
    /// Rows that went to another cluster in it.
    pub moved: usize,
    /// The squared distances that centroids moved, added up.
    pub shift: f64,
}

/// What a fit came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KMeansFit {
    /// The centroids: what new rows get their cluster by.
    pub model: KMeansModel,
    /// The cluster of each row, from 0.
    pub labels: Vec<i32>,
    /// The squared Euclidean distances of all rows to their centroids, added up (of rows of length 1, when
    /// spherical: twice the cosine distance).
    pub inertia: f64,
    /// Rounds that were made.
    pub iterations: usize,
    /// Whether centroids came to rest, by `tolerance`, before `max_iters`.
    pub converged: bool,
}

impl KMeansFit {
    /// Numbers clusters as those of an earlier fit that they are nearest to, so that a cluster keeps its number
    /// when rows come and go: pairs of an old and a new centroid, the nearest first.
    ///
    /// # Errors
    /// [`ClusterError::Parameter`] when the models have not the same shape and kind.
    pub fn match_to(&mut self, before: &KMeansModel) -> Result<(), ClusterError> {
        let place = self.model.places_by(before)?;
        self.model.renumber(&place);
        self.labels.iter_mut().for_each(|label| *label = place[*label as usize] as i32);
        Ok(())
    }
}

impl KMeans {
    /// `n_clusters` clusters; by default up to 100 rounds, a tolerance of 1e-4, seed 0, and ten starts when
    /// `n * dim * n_clusters` is at most 2^28 (a tenth of a second), else one.
    pub fn new(n_clusters: usize) -> Self {
        KMeans { n_clusters, max_iters: 100, tolerance: 1e-4, n_init: None, seed: 0, spherical: false, init: None }
    }

    /// Rounds at most, at least 1.
    pub fn max_iters(mut self, max_iters: usize) -> Self {
        self.max_iters = max_iters;
        self
    }

    /// A fit ends when the squared distances that centroids move in a round add up to at most this part of
    /// the rows' mean variance in a column; 0 or more, 0 for a fit that ends when no centroid moves.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// How many starts are tried, with seeds one after the other; the least inertia is kept. At least 1.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = Some(n_init);
        self
    }

    /// What draws the starting centroids.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Clusters by direction: rows and centroids are scaled to length 1, so the nearest centroid is that of
    /// the largest cosine (Dhillon and Modha, "Concept decompositions for large sparse text data using
    /// clustering", 2001). What embeddings of text want.
    pub fn spherical(mut self, spherical: bool) -> Self {
        self.spherical = spherical;
        self
    }

    /// Starts from these centroids, `n_clusters x dim`. Cluster `i` is the one that starts at row `i`. Without
    /// them clusters are numbered by size, the largest first.
    pub fn init(mut self, centroids: Vectors) -> Self {
        self.init = Some(centroids);
        self
    }

    /// Clusters `n x dim` rows.
    ///
    /// Equal rows are in one cluster. Where fewer rows differ than clusters were asked for, there are as many
    /// clusters as rows that differ (with given centroids: those that get no row stay where they are).
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::NoClusters`], [`ClusterError::TooManyClusters`] for more clusters
    /// than rows, [`ClusterError::Parameter`], [`ClusterError::Vectors`] naming a row with NaN or infinity, a
    /// zero row when spherical, or starting centroids of another shape.
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<KMeansFit, ClusterError> {
        self.fit_with(rows, |_| ControlFlow::Continue(()))
    }

    /// As [`KMeans::fit`], and calls `on_round` after every round, which may stop the fit.
    ///
    /// # Errors
    /// As [`KMeans::fit`], and [`ClusterError::Cancelled`] when `on_round` breaks.
    pub fn fit_with(
        &self,
        rows: VectorsView<'_>,
        mut on_round: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<KMeansFit, ClusterError> {
        self.check(rows.len(), rows.dim())?;
        let kernels = Kernels::detect();
        let (prepared, factor) = prepare(rows, self.spherical, kernels)?;
        let view = VectorsView::new(&prepared, rows.dim())?;
        let read = Rows::new(view, rows::largest(view, kernels)?, kernels);
        let variance = read.variance();
        let until = Until {
            max_iters: self.max_iters,
            shift: self.tolerance * variance / rows.dim() as f64,
            spherical: self.spherical,
        };
        let (run, inertia) = self.best_run(&read, factor, until, &mut on_round)?;
        Ok(finish(run, inertia, rows.dim(), factor, self.spherical))
    }

    fn best_run(
        &self,
        rows: &Rows<'_>,
        factor: f32,
        until: Until,
        on_round: &mut OnRound<'_>,
    ) -> Result<(Run, f64), ClusterError> {
        let mut best: Option<(Run, f64)> = None;
        let starts = self.starts(rows);
        for start in 0..starts {
            let centroids = self.start(rows, factor, start)?;
            let mut run = lloyd::run(rows, centroids, until, on_round)?;
            if self.init.is_none() {
                run.by_size(rows)?;
            }
            let inertia = rows.inertia(&run.labels, &run.centroids);
            if best.as_ref().is_none_or(|best| inertia < best.1) {
                best = Some((run, inertia));
            }
        }
        best.ok_or(ClusterError::NoRows)
    }

    fn starts(&self, rows: &Rows<'_>) -> usize {
        let products = (rows.len() * rows.dim()).saturating_mul(self.n_clusters);
        match self.n_init {
            _ if self.init.is_some() => 1,
            Some(starts) => starts,
            None if products <= QUICK => 10,
            None => 1,
        }
    }

    /// Starting centroids, on the scale of the rows that are clustered.
    fn start(&self, rows: &Rows<'_>, factor: f32, start: usize) -> Result<Vec<f32>, ClusterError> {
        let Some(init) = &self.init else {
            let seed = self.seed.wrapping_add(start as u64);
            return Ok(seeding::seed(rows.view, self.n_clusters, seed, rows.kernels));
        };
        given(init, factor, self.spherical)
    }

    fn check(&self, n: usize, dim: usize) -> Result<(), ClusterError> {
        rows::check_count(n, self.n_clusters)?;
        let parameter = |name, value: String, expected| Err(ClusterError::Parameter { name, value, expected });
        if self.max_iters == 0 {
            return parameter("max_iters", "0".to_owned(), "at least 1");
        }
        if self.n_init == Some(0) {
            return parameter("n_init", "0".to_owned(), "at least 1");
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return parameter("tolerance", self.tolerance.to_string(), "0 or a positive number");
        }
        if let Some(init) = &self.init {
            if init.dim() != dim {
                return Err(VectorsError::Dimension { row: 0, expected: dim, found: init.dim() }.into());
            }
            if init.len() != self.n_clusters {
                let value = format!("{} rows", init.len());
                return parameter("init", value, "a row for each cluster that is asked for");
            }
        }
        Ok(())
    }
}

/// About `count` rows, drawn by what they hold: of equal ones all or none.
pub(super) fn sample_of(rows: VectorsView<'_>, count: usize, seed: u64) -> Vec<u32> {
    let mut sample: Vec<u32> = seeding::sample(rows, count, seed).into_iter().map(|s| s.1).collect();
    sample.truncate(count);
    sample
}

/// All rows, in an order that their values make: that of numbers made of them.
#[cfg(feature = "cluster")]
pub(super) fn in_order_of_values(rows: VectorsView<'_>) -> Vec<u32> {
    seeding::sample(rows, rows.len(), 0).into_iter().map(|s| s.1).collect()
}

/// Given centroids, on the scale of the rows that are clustered.
fn given(init: &Vectors, factor: f32, spherical: bool) -> Result<Vec<f32>, ClusterError> {
    init.view().check_finite()?;
    let mut values: Vec<f32> = init.as_slice().iter().map(|x| x * factor).collect();
    if spherical {
        for (row, centroid) in values.chunks_exact_mut(init.dim()).enumerate() {
            if normalize(centroid) == 0.0 {
                return Err(VectorsError::ZeroNorm { row }.into());
            }
        }
    }
    Ok(values)
}

/// Rows as they are clustered, and what they were multiplied with: of length 1 when spherical, else scaled
/// when their squares would not fit into `f32`.
fn prepare(rows: VectorsView<'_>, spherical: bool, kernels: Kernels) -> Result<(Cow<'_, [f32]>, f32), ClusterError> {
    let largest = rows::largest(rows, kernels)?;
    if spherical {
        if let Some(row) = rows.rows().position(|row| norm(row) == 0.0) {
            return Err(VectorsError::ZeroNorm { row }.into());
        }
        if rows.as_slice().par_chunks_exact(rows.dim()).all(|row| (norm(row) - 1.0).abs() < 1e-6) {
            return Ok((Cow::Borrowed(rows.as_slice()), 1.0));
        }
        let mut scaled = rows.as_slice().to_vec();
        scaled.par_chunks_exact_mut(rows.dim()).for_each(|row| {
            normalize(row);
        });
        return Ok((Cow::Owned(scaled), 1.0));
    }
    Ok(match rows::scale_needed(largest) {
        Some(factor) => (Cow::Owned(rows.as_slice().par_iter().map(|x| x * factor).collect()), factor),
        None => (Cow::Borrowed(rows.as_slice()), 1.0),
    })
}

fn finish(run: Run, inertia: f64, dim: usize, factor: f32, spherical: bool) -> KMeansFit {
    let mut sizes = vec![0u64; run.centroids.len() / dim];
    run.labels.iter().for_each(|&label| sizes[label as usize] += 1);
    let centroids = run.centroids.into_iter().map(|x| x / factor).collect();
    KMeansFit {
        model: KMeansModel::from_parts(centroids, dim, sizes, spherical),
        labels: run.labels.into_iter().map(|label| label as i32).collect(),
        inertia: inertia / (f64::from(factor) * f64::from(factor)),
        iterations: run.iterations,
        converged: run.converged,
    }
}

impl Run {
    /// Numbers clusters by their size, the largest first, equal ones by their centroids. Rows equally far
    /// from two then get the lower of the new numbers, as they will when they are predicted.
    fn by_size(&mut self, rows: &Rows<'_>) -> Result<(), ClusterError> {
        let dim = rows.dim();
        let mut sizes = vec![0u32; self.centroids.len() / dim];
        self.labels.iter().for_each(|&label| sizes[label as usize] += 1);
        let (centroids, place) = by_size(&self.centroids, &sizes);
        self.centroids = centroids;
        self.labels.iter_mut().for_each(|label| *label = place[*label as usize]);
        if !self.tied.is_empty() {
            let values: Vec<f32> = self.tied.iter().flat_map(|&row| rows.view.row(row as usize)).copied().collect();
            let few = rows.of_others(VectorsView::new(&values, dim)?);
            let found = lloyd::nearest(&few, &self.centroids);
            self.tied.iter().zip(found).for_each(|(&row, label)| self.labels[row as usize] = label);
        }
        Ok(())
    }
}

/// Centroids by the size of their clusters, the largest first, equal ones by their values; and the place
/// that each has then.
fn by_size(centroids: &[f32], sizes: &[u32]) -> (Vec<f32>, Vec<u32>) {
    let dim = centroids.len() / sizes.len().max(1);
    let values = |c: usize| centroids[c * dim..(c + 1) * dim].iter().map(|x| x.to_bits());
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| sizes[b].cmp(&sizes[a]).then_with(|| values(a).cmp(values(b))));
    let mut place = vec![0u32; sizes.len()];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
    (order.iter().flat_map(|&c| &centroids[c * dim..(c + 1) * dim]).copied().collect(), place)
}
