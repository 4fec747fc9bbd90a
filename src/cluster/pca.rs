//! Principal components: the directions in which rows vary most.
//!
//! Where there are more rows than columns need, the covariance is summed (in `f32` over a thousand rows at a
//! time, in `f64` over all) and its eigenvectors are found; that is exact. Of many columns and few components a
//! randomised method finds them without the covariance (Halko, Martinsson and Tropp, "Finding structure with
//! randomness", SIAM Review 2011, arXiv:0909.4061).

mod covariance;
mod fitter;
mod randomized;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

pub use fitter::PcaFitter;

use crate::error::{ClusterError, VectorsError};
use crate::metric::Kernels;
use crate::vectors::{Vectors, VectorsView};

/// Columns up to which the covariance is always taken: its eigenvectors cost little then.
const FEW_COLUMNS: usize = 1024;

/// How components are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PcaSolver {
    /// By the covariance up to 1,024 columns, or when more than a tenth of the components are asked for; else randomised.
    #[default]
    Auto,
    /// All eigenvectors of the covariance: exact. Takes `8 * dim^2` bytes.
    Covariance,
    /// The first components only, by random projections: near, and nearer the faster the variance falls off.
    Randomized,
}

/// How components are to be found; [`PcaParams::fit`] finds them.
#[derive(Clone, Debug)]
pub struct PcaParams {
    n_components: usize,
    solver: PcaSolver,
    whiten: bool,
    seed: u64,
}

/// Principal components of some rows.
///
/// ```
/// use gyeol::cluster::PcaParams;
/// use gyeol::Vectors;
///
/// let rows = Vectors::from_rows(&[[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])?;
/// let pca = PcaParams::new(1).fit(rows.view())?;
/// assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-6);
/// let reduced = pca.transform(rows.view())?;
/// assert_eq!((reduced.len(), reduced.dim()), (4, 1));
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f32>,
    components: Vectors,
    explained_variance: Vec<f64>,
    total_variance: f64,
    n: usize,
    whiten: bool,
}

impl PcaParams {
    /// `n_components` components; by default the solver chooses itself, nothing is whitened, seed 0.
    pub fn new(n_components: usize) -> Self {
        PcaParams { n_components, solver: PcaSolver::Auto, whiten: false, seed: 0 }
    }

    /// How components are found.
    pub fn solver(mut self, solver: PcaSolver) -> Self {
        self.solver = solver;
        self
    }

    /// Scales what [`Pca::transform`] gives so that every component has variance 1.
    pub fn whiten(mut self, whiten: bool) -> Self {
        self.whiten = whiten;
        self
    }

    /// What draws the projections of the randomised solver.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Finds the components of `n x dim` rows. The result does not depend on the number of threads.
    ///
    /// Signs are such that the largest magnitude of each component is positive. Where rows do not vary in as many
    /// directions as components were asked for, the rest explain a variance of 0.
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::Components`] for 0 components or more than `min(n, dim)`,
    /// [`ClusterError::Vectors`] naming a row with NaN or infinity.
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<Pca, ClusterError> {
        self.check(rows.len(), rows.dim())?;
        let exact = match self.solver {
            PcaSolver::Covariance => true,
            PcaSolver::Randomized => false,
            PcaSolver::Auto => rows.dim() <= FEW_COLUMNS || self.n_components * 10 > rows.dim().min(rows.len()),
        };
        if !exact {
            rows.check_finite()?;
            return randomized::fit(self, rows);
        }
        let mut fitter = PcaFitter::new(self.clone(), rows.dim());
        fitter.add_unchecked(rows);
        let fit = fitter.finish();
        if fit.is_err() {
            rows.check_finite()?;
        }
        fit
    }

    fn check(&self, n: usize, dim: usize) -> Result<(), ClusterError> {
        if n == 0 {
            return Err(ClusterError::NoRows);
        }
        if self.n_components == 0 || self.n_components > n.min(dim) {
            return Err(ClusterError::Components { n_components: self.n_components, n, dim });
        }
        Ok(())
    }
}

impl Pca {
    /// The mean row, of `dim` values.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The components, `n_components x dim`: orthogonal, of length 1, the one that explains most first.
    pub fn components(&self) -> VectorsView<'_> {
        self.components.view()
    }

    /// The variance of the rows along each component (with `n - 1`).
    pub fn explained_variance(&self) -> &[f64] {
        &self.explained_variance
    }

    /// The part of all variance that each component explains; 0 where rows do not vary.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let part = |v: &f64| if self.total_variance > 0.0 { v / self.total_variance } else { 0.0 };
        self.explained_variance.iter().map(part).collect()
    }

    /// The singular values of the centred rows.
    pub fn singular_values(&self) -> Vec<f64> {
        let degrees = (self.n.max(2) - 1) as f64;
        self.explained_variance.iter().map(|v| (v * degrees).sqrt()).collect()
    }

    /// The number of components.
    pub fn n_components(&self) -> usize {
        self.components.len()
    }

    /// Rows along the components: `n x n_components`.
    ///
    /// # Errors
    /// [`ClusterError::Vectors`] for rows of another dimension, NaN or infinity.
    pub fn transform(&self, rows: VectorsView<'_>) -> Result<Vectors, ClusterError> {
        self.check(rows, self.mean.len())?;
        let kernels = Kernels::detect();
        let mut out = Vectors::zeros(rows.len(), self.n_components())?;
        let scales: Vec<f32> = self.explained_variance.iter().map(|&v| self.scale(v)).collect();
        let places = out.as_mut_slice().par_chunks_exact_mut(self.n_components());
        places.zip(rows.as_slice().par_chunks_exact(rows.dim())).for_each_init(
            || vec![0.0; self.mean.len()],
            |centred, (out, row)| {
                centred.iter_mut().zip(row).zip(&self.mean).for_each(|((c, x), m)| *c = x - m);
                for ((out, component), scale) in out.iter_mut().zip(self.components.rows()).zip(&scales) {
                    *out = kernels.dot(centred, component) * scale;
                }
            },
        );
        Ok(out)
    }

    /// Rows from what [`Pca::transform`] made of them: `n x dim`, without what other components held.
    ///
    /// # Errors
    /// As [`Pca::transform`]; the dimension is the number of components.
    pub fn inverse_transform(&self, reduced: VectorsView<'_>) -> Result<Vectors, ClusterError> {
        self.check(reduced, self.n_components())?;
        let mut out = Vectors::zeros(reduced.len(), self.mean.len())?;
        let places = out.as_mut_slice().par_chunks_exact_mut(self.mean.len());
        places.zip(reduced.as_slice().par_chunks_exact(reduced.dim())).for_each(|(out, values)| {
            out.copy_from_slice(&self.mean);
            for ((&value, component), &variance) in
                values.iter().zip(self.components.rows()).zip(&self.explained_variance)
            {
                let scale = self.scale(variance);
                let value = if scale > 0.0 { value / scale } else { 0.0 };
                out.iter_mut().zip(component).for_each(|(out, c)| *out += value * c);
            }
        });
        Ok(out)
    }

    /// What a value along a component of this variance is multiplied with.
    fn scale(&self, variance: f64) -> f32 {
        match (self.whiten, variance > 0.0) {
            (false, _) => 1.0,
            (true, true) => (1.0 / variance.sqrt()) as f32,
            (true, false) => 0.0,
        }
    }

    fn check(&self, rows: VectorsView<'_>, expected: usize) -> Result<(), ClusterError> {
        if rows.dim() != expected {
            return Err(VectorsError::Dimension { row: 0, expected, found: rows.dim() }.into());
        }
        Ok(rows.check_finite()?)
    }
}

/// Components as they are given out: with their largest magnitude positive.
fn finish(
    params: &PcaParams,
    mean: Vec<f32>,
    mut components: Vec<Vec<f64>>,
    variances: Variances,
) -> Result<Pca, ClusterError> {
    for component in &mut components {
        let largest = component.iter().fold(0.0f64, |most, &x| if x.abs() > most.abs() { x } else { most });
        if largest < 0.0 {
            component.iter_mut().for_each(|x| *x = -*x);
        }
    }
    let values = components.iter().flatten().map(|&x| x as f32).collect();
    Ok(Pca {
        components: Vectors::new(values, mean.len())?,
        mean,
        explained_variance: variances.explained.iter().map(|v| v.max(0.0)).collect(),
        total_variance: variances.total,
        n: variances.n,
        whiten: params.whiten,
    })
}

/// What components explain, of what, and by how many rows.
struct Variances {
    explained: Vec<f64>,
    total: f64,
    n: usize,
}
