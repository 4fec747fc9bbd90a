//! Components of rows that come in blocks.

use faer::{Mat, Side};

use super::covariance::{BLOCK, Sums};
use super::{Pca, PcaParams, Variances, finish};
use crate::error::{ClusterError, VectorsError};
use crate::metric::Kernels;
use crate::vectors::VectorsView;

/// Takes rows a block at a time, for what exceeds memory, and finds their components by the covariance. It keeps
/// `8 * dim^2` bytes, however many rows there are.
///
/// ```
/// use gyeol::cluster::{PcaFitter, PcaParams};
/// use gyeol::Vectors;
///
/// let block = Vectors::from_rows(&[[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])?;
/// let mut fitter = PcaFitter::new(PcaParams::new(1), 2);
/// fitter.add(block.view())?;
/// fitter.add(block.view())?;
/// assert_eq!(fitter.finish()?.mean(), [1.0, 3.0]);
/// # Ok::<(), gyeol::Error>(())
/// ```
pub struct PcaFitter {
    params: PcaParams,
    dim: usize,
    sums: Option<Sums>,
    /// Rows that wait for more, so that sums are over the same rows however they are cut into blocks.
    waiting: Vec<f32>,
    seen: usize,
}

impl PcaFitter {
    /// For rows of `dim` values. Components are found by the covariance, whichever solver the parameters name.
    pub fn new(params: PcaParams, dim: usize) -> Self {
        PcaFitter { params, dim, sums: None, waiting: Vec::new(), seen: 0 }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// [`ClusterError::Vectors`] for rows of another dimension, NaN or infinity; nothing of them is taken then.
    pub fn add(&mut self, rows: VectorsView<'_>) -> Result<(), ClusterError> {
        if rows.dim() != self.dim {
            return Err(VectorsError::Dimension { row: self.seen, expected: self.dim, found: rows.dim() }.into());
        }
        if !f32::from_bits(Kernels::detect().largest_bits(rows.as_slice())).is_finite() {
            rows.check_finite().map_err(|error| error.counted_from(self.seen))?;
        }
        self.add_unchecked(rows);
        Ok(())
    }

    /// Takes rows of this dimension. Of what is not finite [`PcaFitter::finish`] makes an error.
    pub(super) fn add_unchecked(&mut self, rows: VectorsView<'_>) {
        self.seen += rows.len();
        let mut values = rows.as_slice();
        let block = BLOCK * self.dim;
        if !self.waiting.is_empty() {
            let (few, rest) = values.split_at(values.len().min(block - self.waiting.len()));
            self.waiting.extend_from_slice(few);
            values = rest;
            if self.waiting.len() == block {
                let waiting = std::mem::take(&mut self.waiting);
                self.take(&waiting);
            }
        }
        let mut blocks = values.chunks_exact(block);
        blocks.by_ref().for_each(|rows| self.take(rows));
        self.waiting.extend_from_slice(blocks.remainder());
    }

    fn take(&mut self, rows: &[f32]) {
        let dim = self.dim;
        let sums = self.sums.get_or_insert_with(|| Sums::new(mean(rows, dim), Kernels::detect()));
        sums.add(rows);
    }

    /// Finds the components of all rows taken.
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::Components`], and [`ClusterError::Failed`] when the eigenvectors cannot
    /// be found (values so large that their squares leave `f32`).
    pub fn finish(mut self) -> Result<Pca, ClusterError> {
        self.params.check(self.seen, self.dim)?;
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.take(&waiting);
        }
        let Some(sums) = self.sums else { return Err(ClusterError::NoRows) };
        let failed = |reason: &str| ClusterError::Failed { algorithm: "PCA", reason: reason.to_owned() };
        let dim = self.dim;
        let covariance = Mat::<f64>::from_fn(dim, dim, |i, j| if j <= i { sums.covariance(i, j) } else { 0.0 });
        let total = (0..dim).map(|j| covariance[(j, j)]).sum::<f64>();
        if !total.is_finite() {
            return Err(failed("the squares of these values leave f32; scale the rows"));
        }
        let eigen =
            covariance.self_adjoint_eigen(Side::Lower).map_err(|_| failed("the eigenvectors were not found"))?;
        let last = |i: usize| dim - 1 - i;
        let values = eigen.S().column_vector();
        let explained = (0..self.params.n_components).map(|i| values[last(i)]).collect();
        let component = |i: usize| (0..dim).map(|j| eigen.U()[(j, last(i))]).collect();
        let components = (0..self.params.n_components).map(component).collect();
        let mean = sums.mean().iter().map(|&m| m as f32).collect();
        finish(&self.params, mean, components, Variances { explained, total, n: self.seen })
    }
}

/// The mean of some rows, near enough to be an offset.
fn mean(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; dim];
    rows.chunks_exact(dim).for_each(|row| sum.iter_mut().zip(row).for_each(|(s, &x)| *s += f64::from(x)));
    let n = (rows.len() / dim).max(1) as f64;
    sum.iter().map(|s| (s / n) as f32).collect()
}
