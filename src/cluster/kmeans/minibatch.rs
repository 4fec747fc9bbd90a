//! k-means of more rows than fit into memory: first on a batch of them, then in passes over all.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::lloyd::{self, OnRound, Until};
use super::means::Means;
use super::rows::{self, Rows};
use super::{KMeansFit, Progress, Run, finish, seeding};
use crate::error::{ClusterError, VectorsError};
use crate::metric::Kernels;
use crate::metric::tiles::Grid;
use crate::vectors::{RowSource, Vectors, VectorsView, norm_squared, normalize};

/// Rows of a batch unless the caller says otherwise: at most this many, of at most so many bytes.
const BATCH_ROWS: usize = 65_536;
const BATCH_BYTES: usize = 64 << 20;
/// Bytes of rows that are read at a time.
const BLOCK_BYTES: usize = 8 << 20;
/// Rounds on the batch, at most.
const BATCH_ROUNDS: usize = 25;

/// k-means of rows that are read a block at a time, from a file larger than memory.
///
/// A batch of rows is drawn and clustered in memory; from its centroids on, every pass over the rows is a
/// round of Lloyd's algorithm, and a few are enough (compare Newling and Fleuret, "Nested mini-batch k-means",
/// NIPS 2016). Memory: the batch, a block of 8 MiB, and 4 bytes a row for labels.
///
/// As with [`KMeans`](super::KMeans), neither the order of the rows nor the number of threads matters.
#[derive(Clone, Debug)]
pub struct MiniBatchKMeans {
    n_clusters: usize,
    batch_size: Option<usize>,
    max_passes: usize,
    n_init: usize,
    tolerance: f64,
    seed: u64,
    spherical: bool,
    init: Option<Vectors>,
}

/// What a first pass learns.
struct Survey {
    largest: f32,
    mean: Vec<f32>,
    variance: f64,
    batch: Vec<f32>,
}

impl MiniBatchKMeans {
    /// `n_clusters` clusters; by default a batch of 65,536 rows or 64 MiB, three starts on it, up to 5
    /// passes, a tolerance of 1e-4, seed 0.
    pub fn new(n_clusters: usize) -> Self {
        MiniBatchKMeans {
            n_clusters,
            batch_size: None,
            max_passes: 5,
            n_init: 3,
            tolerance: 1e-4,
            seed: 0,
            spherical: false,
            init: None,
        }
    }

    /// Rows of the batch; never fewer than clusters.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = Some(batch_size);
        self
    }

    /// Passes over all rows after the batch, at most; at least 1.
    pub fn max_passes(mut self, max_passes: usize) -> Self {
        self.max_passes = max_passes;
        self
    }

    /// How many starts are tried on the batch; the least inertia is kept. At least 1.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// As [`KMeans::tolerance`](super::KMeans::tolerance).
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// What draws the batch and the starting centroids.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// As [`KMeans::spherical`](super::KMeans::spherical).
    pub fn spherical(mut self, spherical: bool) -> Self {
        self.spherical = spherical;
        self
    }

    /// Starts the batch from these centroids, `n_clusters x dim`, of which cluster `i` is the one of row `i`.
    /// Without them clusters are numbered by their size in the last pass, the largest first.
    pub fn init(mut self, centroids: Vectors) -> Self {
        self.init = Some(centroids);
        self
    }

    /// Clusters the rows of a source.
    ///
    /// # Errors
    /// As [`KMeans::fit`](super::KMeans::fit), and what reading answers. Rows whose squares leave `f32` (larger
    /// than 1e15, or all smaller than 1e-15) are refused: scale them first.
    pub fn fit(&self, source: &(impl RowSource + Sync)) -> Result<KMeansFit, ClusterError> {
        self.fit_with(source, |_| ControlFlow::Continue(()))
    }

    /// As [`MiniBatchKMeans::fit`], and calls `on_round` after every round on the batch and every pass, which
    /// may stop the fit.
    ///
    /// # Errors
    /// As [`MiniBatchKMeans::fit`], and [`ClusterError::Cancelled`].
    pub fn fit_with(
        &self,
        source: &(impl RowSource + Sync),
        mut on_round: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<KMeansFit, ClusterError> {
        self.check(source)?;
        let kernels = Kernels::detect();
        let reader = Reader { source, kernels, spherical: self.spherical };
        let size = self.batch_size.unwrap_or((BATCH_BYTES / (4 * source.dim())).min(BATCH_ROWS));
        let survey = reader.survey(size.max(self.n_clusters), self.seed)?;
        let shift = self.tolerance * survey.variance / source.dim() as f64;
        let start = self.start(&survey, shift, kernels, &mut on_round)?;
        let (run, inertia) = self.passes(&reader, &survey, start, shift, &mut on_round)?;
        Ok(finish(run, inertia, source.dim(), 1.0, self.spherical))
    }

    fn check(&self, source: &impl RowSource) -> Result<(), ClusterError> {
        let like = super::KMeans {
            n_clusters: self.n_clusters,
            max_iters: self.max_passes,
            tolerance: self.tolerance,
            n_init: Some(self.n_init),
            seed: self.seed,
            spherical: self.spherical,
            init: self.init.clone(),
        };
        like.check(source.len(), source.dim())
    }

    /// The centroids of the batch.
    fn start(
        &self,
        survey: &Survey,
        shift: f64,
        kernels: Kernels,
        on_round: &mut OnRound<'_>,
    ) -> Result<Vec<f32>, ClusterError> {
        let view = VectorsView::new(&survey.batch, survey.mean.len())?;
        let read = Rows::new(view, survey.largest, kernels);
        let until = Until { max_iters: BATCH_ROUNDS, shift, spherical: self.spherical };
        if let Some(init) = &self.init {
            let centroids = super::given(init, 1.0, self.spherical)?;
            return Ok(lloyd::run(&read, centroids, until, on_round)?.centroids);
        }
        let mut best: Option<(f64, Vec<f32>)> = None;
        for start in 0..self.n_init {
            let centroids = seeding::seed(view, self.n_clusters, self.seed.wrapping_add(start as u64), kernels);
            let run = lloyd::run(&read, centroids, until, on_round)?;
            let inertia = read.inertia(&run.labels, &run.centroids);
            if best.as_ref().is_none_or(|best| inertia < best.0) {
                best = Some((inertia, run.centroids));
            }
        }
        best.map(|best| best.1).ok_or(ClusterError::NoRows)
    }

    fn passes<S: RowSource + Sync>(
        &self,
        reader: &Reader<'_, S>,
        survey: &Survey,
        mut centroids: Vec<f32>,
        least_shift: f64,
        on_round: &mut OnRound<'_>,
    ) -> Result<(Run, f64), ClusterError> {
        let mut labels = vec![super::assign::NO_LABEL; reader.source.len()];
        let (mut passes, mut converged, mut sizes) = (0, false, Vec::new());
        while passes < self.max_passes && !converged {
            let (moved, means, _) = reader.pass(survey, &centroids, &mut labels)?;
            let shift = means.move_centroids(&mut centroids, self.spherical).1;
            sizes = means.counts;
            passes += 1;
            converged = moved == 0 || shift <= least_shift;
            if on_round(Progress { iteration: passes, moved, shift }).is_break() {
                return Err(ClusterError::Cancelled);
            }
        }
        if self.init.is_none() {
            centroids = super::by_size(&centroids, &sizes).0;
        }
        let inertia = reader.pass(survey, &centroids, &mut labels)?.2;
        let run = Run { centroids, labels, iterations: passes, converged, tied: Vec::new() };
        Ok((run, inertia))
    }
}

/// A source with what is done to its rows.
struct Reader<'a, S> {
    source: &'a S,
    kernels: Kernels,
    spherical: bool,
}

impl<S: RowSource + Sync> Reader<'_, S> {
    /// Calls `each(first row, rows)` for all blocks, in order.
    fn blocks(&self, mut each: impl FnMut(usize, &[f32]) -> Result<(), ClusterError>) -> Result<(), ClusterError> {
        let dim = self.source.dim();
        let block = (BLOCK_BYTES / (4 * dim)).max(1);
        let mut values = Vec::new();
        for first in (0..self.source.len()).step_by(block) {
            self.source.read(first, block.min(self.source.len() - first), &mut values)?;
            if self.spherical {
                let norms = values.par_chunks_exact_mut(dim).map(normalize);
                if let Some(row) = norms.position_first(|norm| norm == 0.0) {
                    return Err(VectorsError::ZeroNorm { row: first + row }.into());
                }
            }
            each(first, &values)?;
        }
        Ok(())
    }

    /// The largest magnitude, mean and variance of all rows, and a batch: the rows whose numbers are least.
    fn survey(&self, batch_size: usize, seed: u64) -> Result<Survey, ClusterError> {
        let dim = self.source.dim();
        let mut largest = 0.0f32;
        let mut drawn: Vec<(u64, Vec<f32>)> = Vec::new();
        let mut bound = u64::MAX;
        self.blocks(|first, values| {
            let view = VectorsView::new(values, dim)?;
            largest = largest.max(rows::largest(view, self.kernels).map_err(|error| error.counted_from(first))?);
            let hashes: Vec<u64> = view.as_slice().par_chunks_exact(dim).map(|row| seeding::hash(row, seed)).collect();
            drawn.extend(hashes.iter().zip(view.rows()).filter(|d| *d.0 <= bound).map(|d| (*d.0, d.1.to_vec())));
            if drawn.len() > 2 * batch_size {
                bound = keep_least(&mut drawn, batch_size);
            }
            Ok(())
        })?;
        keep_least(&mut drawn, batch_size);
        if rows::scale_needed(largest).is_some() {
            let expected = "such that its square fits into f32; scale the rows first";
            return Err(ClusterError::Parameter { name: "the largest value", value: largest.to_string(), expected });
        }
        let grid = Grid::new(self.source.len() + 1, largest);
        let mut sum = vec![0.0; dim];
        let lengths = Grid::new(self.source.len(), largest * largest * dim as f32);
        let mut squares = 0.0;
        self.blocks(|_, values| {
            for row in values.chunks_exact(dim) {
                self.kernels.add_on_grid(&mut sum, row, grid, 1.0);
            }
            squares += values.chunks_exact(dim).map(|row| lengths.round(norm_squared(row))).sum::<f64>();
            Ok(())
        })?;
        let n = self.source.len() as f64;
        let mean: Vec<f32> = sum.iter().map(|s| (s / n) as f32).collect();
        let variance = (squares / n - norm_squared(&mean)).max(0.0);
        Ok(Survey { largest, mean, variance, batch: drawn.into_iter().flat_map(|d| d.1).collect() })
    }

    /// Gives every row its nearest centroid: `(rows with another one than before, sums, inertia)`.
    fn pass(
        &self,
        survey: &Survey,
        centroids: &[f32],
        labels: &mut [u32],
    ) -> Result<(usize, Means, f64), ClusterError> {
        let dim = self.source.dim();
        let grid = Grid::new(self.source.len() + 1, survey.largest);
        let mut means = Means::new(centroids.len() / dim, dim);
        // Each distance is at most that of two of the largest rows there can be.
        let farthest = survey.largest * survey.largest * 4.0 * dim as f32;
        let squares = Grid::new(self.source.len(), farthest.min(f32::MAX));
        let (mut moved, mut inertia) = (0, 0.0);
        self.blocks(|first, values| {
            let view = VectorsView::new(values, dim)?;
            let read = Rows::with_mean(view, survey.mean.clone(), grid, self.kernels, self.kernels.has_fast_codes());
            let found = lloyd::nearest(&read, centroids);
            let all: Vec<(u32, u32)> = (0..found.len() as u32).map(|row| (row, super::assign::NO_LABEL)).collect();
            means.change(&read, &all, &found);
            inertia += read.distances(&found, centroids).iter().map(|&d| squares.round(f64::from(d))).sum::<f64>();
            let before = &mut labels[first..first + found.len()];
            moved += before.iter().zip(&found).filter(|(a, b)| a != b).count();
            before.copy_from_slice(&found);
            Ok(())
        })?;
        Ok((moved, means, inertia))
    }
}

/// Keeps the rows with the least numbers, in their order, and gives the largest of those.
fn keep_least(drawn: &mut Vec<(u64, Vec<f32>)>, count: usize) -> u64 {
    drawn.sort_by_key(|d| d.0);
    drawn.truncate(count);
    drawn.last().map_or(u64::MAX, |d| d.0)
}
