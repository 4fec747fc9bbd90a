//! Rows as k-means reads them: centred, in 8-bit codes where the processor is fast with them.

use rayon::prelude::*;

use crate::error::{ClusterError, VectorsError};
use crate::metric::tiles::{CODES_TOGETHER, CodeRow, Coded, Grid};
use crate::metric::{Kernels, MAX_CODE_DIM};
use crate::vectors::VectorsView;

/// Rows that one task reads.
const TASK: usize = 1024;
/// Above this magnitude squares may leave `f32`, below its inverse they may vanish.
const LARGE: f32 = 1e15;

/// Rows, and what their distances are estimated from.
pub(super) struct Rows<'a> {
    pub view: VectorsView<'a>,
    pub kernels: Kernels,
    /// The mean of all rows, which codes and norms are taken less of.
    pub mean: Vec<f32>,
    /// A grid for sums of these rows.
    pub grid: Grid,
    /// Of each row less the mean.
    coded: Vec<Coded>,
    /// Empty when rows have no codes.
    codes: Vec<i8>,
    stride: usize,
}

/// The largest magnitude among all values.
///
/// # Errors
/// [`VectorsError::NotFinite`].
pub(super) fn largest(rows: VectorsView<'_>, kernels: Kernels) -> Result<f32, VectorsError> {
    let most = rows.as_slice().par_chunks(TASK * rows.dim()).map(|values| kernels.largest_bits(values)).max();
    let largest = f32::from_bits(most.unwrap_or(0));
    if !largest.is_finite() {
        rows.check_finite()?;
    }
    Ok(largest)
}

/// What rows must be multiplied with so that their squares are neither too large nor too small for
/// `f32`: a power of two, so that nothing is lost.
pub(super) fn scale_needed(largest: f32) -> Option<f32> {
    let fine = largest == 0.0 || (1.0 / LARGE..=LARGE).contains(&largest);
    // The exponent of a number that is too small for a full one counts as the least.
    let exponent = || (largest.to_bits() >> 23) as i32 - 127;
    (!fine).then(|| 2f32.powi((-exponent()).clamp(-126, 126)))
}

impl<'a> Rows<'a> {
    /// Reads all rows. `largest` is the largest magnitude in them, and `spare` how many more rows sums
    /// may take than there are.
    pub fn new(view: VectorsView<'a>, largest: f32, kernels: Kernels) -> Self {
        let grid = Grid::new(view.len() + 1, largest);
        let mean = mean(view, grid, kernels);
        Self::with_mean(view, mean, grid, kernels, kernels.has_fast_codes())
    }

    /// Reads rows less a given mean.
    pub fn with_mean(view: VectorsView<'a>, mean: Vec<f32>, grid: Grid, kernels: Kernels, codes: bool) -> Self {
        let dim = view.dim();
        let stride = if codes && dim <= MAX_CODE_DIM { dim.next_multiple_of(CODES_TOGETHER) } else { 0 };
        let mut all = vec![0i8; view.len() * stride];
        let mut coded = vec![Coded::default(); view.len()];
        let values = view.as_slice().par_chunks(TASK * dim);
        if stride > 0 {
            let places = all.par_chunks_mut(TASK * stride).zip(coded.par_chunks_mut(TASK));
            values.zip(places).for_each(|(values, (codes, coded))| {
                let mut centred = vec![0.0; dim];
                for ((row, codes), coded) in values.chunks_exact(dim).zip(codes.chunks_exact_mut(stride)).zip(coded) {
                    *coded = kernels.encode_row(row, &mean, &mut centred, codes);
                }
            });
        } else {
            values.zip(coded.par_chunks_mut(TASK)).for_each(|(values, coded)| {
                let mut scratch = vec![0i8; dim];
                let mut centred = vec![0.0; dim];
                for (row, coded) in values.chunks_exact(dim).zip(coded) {
                    *coded = kernels.encode_row(row, &mean, &mut centred, &mut scratch);
                }
            });
        }
        Rows { view, kernels, mean, grid, coded, codes: all, stride }
    }

    /// Other rows, read as these are.
    pub fn of_others<'b>(&self, view: VectorsView<'b>) -> Rows<'b> {
        Rows::with_mean(view, self.mean.clone(), self.grid, self.kernels, self.has_codes())
    }

    pub fn len(&self) -> usize {
        self.view.len()
    }

    pub fn dim(&self) -> usize {
        self.view.dim()
    }

    /// Whether rows have codes.
    pub fn has_codes(&self) -> bool {
        self.stride > 0
    }

    /// The length of a row less the mean, and of what its codes lose.
    pub fn coded(&self, row: usize) -> &Coded {
        &self.coded[row]
    }

    /// A row's codes.
    ///
    /// # Panics
    /// When rows have none.
    pub fn codes(&self, row: usize) -> CodeRow<'_> {
        let codes = &self.codes[row * self.stride..(row + 1) * self.stride];
        CodeRow { codes, scale: self.coded[row].scale, zero: self.coded[row].zero }
    }

    /// A row less the mean.
    pub fn centred(&self, row: usize, out: &mut [f32]) {
        out.iter_mut().zip(self.view.row(row)).zip(&self.mean).for_each(|((out, x), m)| *out = x - m);
    }

    /// The variances of all columns, added up. On a grid: the order of the rows does not matter.
    pub fn variance(&self) -> f64 {
        let largest = self.coded.iter().fold(0.0f32, |most, row| most.max(row.norm));
        let grid = Grid::new(self.len(), largest * largest);
        let squares = self.coded.iter().map(|row| grid.round(f64::from(row.norm) * f64::from(row.norm)));
        squares.sum::<f64>() / self.len().max(1) as f64
    }

    /// Squared distances of all rows to their centroids, added up. On a grid: the order of the rows does
    /// not matter.
    pub fn inertia(&self, labels: &[u32], centroids: &[f32]) -> f64 {
        let distances = self.distances(labels, centroids);
        let largest = distances.iter().fold(0.0f32, |most, &d| most.max(d));
        let grid = Grid::new(distances.len(), largest);
        distances.iter().map(|&d| grid.round(f64::from(d))).sum()
    }

    /// The squared distance of each row to its centroid.
    pub fn distances(&self, labels: &[u32], centroids: &[f32]) -> Vec<f32> {
        let dim = self.dim();
        let squared = |row: usize, label: u32| {
            let centroid = &centroids[label as usize * dim..(label as usize + 1) * dim];
            self.kernels.l2_squared(self.view.row(row), centroid)
        };
        labels.par_iter().enumerate().map(|(row, &label)| squared(row, label)).collect()
    }
}

/// The mean row.
fn mean(view: VectorsView<'_>, grid: Grid, kernels: Kernels) -> Vec<f32> {
    let dim = view.dim();
    let sum_of = |values: &[f32]| {
        let mut sum = vec![0.0f64; dim];
        values.chunks_exact(dim).for_each(|row| kernels.add_on_grid(&mut sum, row, grid, 1.0));
        sum
    };
    let add = |mut a: Vec<f64>, b: Vec<f64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let sum = view.as_slice().par_chunks(TASK * dim).map(sum_of).reduce(|| vec![0.0; dim], add);
    sum.iter().map(|s| (s / view.len().max(1) as f64) as f32).collect()
}

/// Checks the shapes and values that every fit needs.
///
/// # Errors
/// [`ClusterError::NoRows`], [`ClusterError::NoClusters`], [`ClusterError::TooManyClusters`].
pub(super) fn check_count(n: usize, n_clusters: usize) -> Result<(), ClusterError> {
    match (n, n_clusters) {
        (0, _) => Err(ClusterError::NoRows),
        (_, 0) => Err(ClusterError::NoClusters),
        _ if n_clusters > n => Err(ClusterError::TooManyClusters { n_clusters, n }),
        _ => Ok(()),
    }
}
