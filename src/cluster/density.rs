//! Algorithms of other libraries: DBSCAN, OPTICS and Gaussian mixtures of `linfa-clustering`, HDBSCAN of the crate
//! `hdbscan`.
//!
//! Distances say little between rows of many columns, and these algorithms take time and memory for each; so rows are
//! reduced to their first principal components first. They are also put into an order that their values make, so that
//! the same rows in any order give the same clusters. Clusters are numbered by size, the largest first; noise is -1.

use hdbscan::{Hdbscan as HdbscanCrate, HdbscanHyperParams, NnAlgorithm};
use linfa::ParamGuard;
use linfa::traits::{Fit, Predict, Transformer};
use linfa_clustering::{Dbscan as LinfaDbscan, GaussianMixtureModel, Optics as LinfaOptics};
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::kmeans::in_order_of_values;
use super::pca::PcaParams;
use crate::error::ClusterError;
use crate::metric::Kernels;
use crate::vectors::{Vectors, VectorsView};

/// Columns that rows are reduced to unless the caller says otherwise.
const COLUMNS: usize = 10;
/// Rows whose distances to their neighbours are looked at to find a radius.
const PROBED: usize = 1000;

/// DBSCAN: rows with at least `min_points` rows within a radius, themselves included, and what such rows reach, are a
/// cluster; the rest is noise (Ester et al., 1996). By `linfa-clustering`; takes seconds for 10,000 rows, and time grows
/// with the square.
#[derive(Clone, Debug)]
pub struct Dbscan {
    eps: Option<f32>,
    min_points: usize,
    n_components: usize,
}

/// OPTICS: rows in an order in which dense regions are valleys of the reachability; clusters are the valleys below a
/// radius (Ankerst et al., 1999). By `linfa-clustering`, with every row within reach of every other: for a few thousand
/// rows.
#[derive(Clone, Debug)]
pub struct Optics {
    eps: Option<f32>,
    min_points: usize,
    n_components: usize,
}

/// HDBSCAN: the clusters that stay together over the widest range of radii (Campello, Moulavi and Sander, 2013). By the
/// crate `hdbscan`; takes seconds for 10,000 rows, and time grows with the square.
#[derive(Clone, Debug)]
pub struct Hdbscan {
    min_cluster_size: usize,
    n_components: usize,
}

/// A mixture of normal distributions with full covariances, fitted by expectation maximisation. By `linfa-clustering`.
/// Every row belongs to the component that most likely made it.
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    n_clusters: usize,
    seed: u64,
    n_components: usize,
}

/// Defines what all have: the number of columns that rows are reduced to.
macro_rules! reduced {
    ($($name:ident),*) => {$(
        impl $name {
            /// Columns that rows are reduced to by their principal components, at least 1; rows of no more columns stay
            /// as they are. Default: 10.
            pub fn n_components(mut self, n_components: usize) -> Self {
                self.n_components = n_components;
                self
            }
        }
    )*};
}

reduced!(Dbscan, Optics, Hdbscan, GaussianMixture);

/// Defines what the two have that look within a radius.
macro_rules! within_radius {
    ($($name:ident),*) => {$(
        impl $name {
            /// `min_points` is at least 2. The radius is found from the rows.
            pub fn new(min_points: usize) -> Self {
                $name { eps: None, min_points, n_components: COLUMNS }
            }

            /// The radius, in distances between the (reduced) rows: above 0. By default where the distances to the
            /// `min_points`-th neighbour, sorted, bend upward most.
            pub fn eps(mut self, eps: f32) -> Self {
                self.eps = Some(eps);
                self
            }

            fn check(&self) -> Result<(), ClusterError> {
                if self.min_points < 2 {
                    return wrong("min_points", self.min_points, "at least 2");
                }
                match self.eps {
                    Some(eps) if !(eps > 0.0 && eps.is_finite()) => wrong("eps", eps, "a number above 0"),
                    _ => Ok(()),
                }
            }
        }
    )*};
}

within_radius!(Dbscan, Optics);

impl Dbscan {
    /// The cluster of each row, -1 for noise. A row on the border of two clusters is in one of them.
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::Parameter`], [`ClusterError::Vectors`] for NaN or infinity.
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<Vec<i32>, ClusterError> {
        self.check()?;
        Prepared::new(rows, self.n_components)?.labels(|rows| {
            let eps = self.eps.unwrap_or_else(|| radius(rows, self.min_points));
            let params = LinfaDbscan::params::<f32>(self.min_points).tolerance(eps);
            let params = params.check_ref().map_err(|e| failed("DBSCAN", e))?;
            let found = params.transform(&array(rows)?);
            Ok(found.iter().map(|label| label.map_or(-1, |label| label as i32)).collect())
        })
    }
}

impl Optics {
    /// The cluster of each row, -1 for noise.
    ///
    /// # Errors
    /// As [`Dbscan::fit`].
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<Vec<i32>, ClusterError> {
        self.check()?;
        Prepared::new(rows, self.n_components)?.labels(|rows| {
            let eps = self.eps.unwrap_or_else(|| radius(rows, self.min_points));
            let params = LinfaOptics::params::<f32>(self.min_points);
            let params = params.check_ref().map_err(|e| failed("OPTICS", e))?;
            let found = params.transform(array(rows)?.view());
            let mut labels = vec![-1; rows.len()];
            let mut current = -1;
            for sample in found.iter() {
                let within = |distance: &Option<f32>| distance.is_some_and(|d| d <= eps);
                let reached = within(sample.reachability_distance()) && current >= 0;
                let core = within(sample.core_distance());
                if !reached && core {
                    current += 1;
                }
                if reached || core {
                    labels[sample.index()] = current;
                }
            }
            Ok(labels)
        })
    }
}

impl Hdbscan {
    /// Clusters have at least so many rows: at least 2.
    pub fn new(min_cluster_size: usize) -> Self {
        Hdbscan { min_cluster_size, n_components: COLUMNS }
    }

    /// The cluster of each row, -1 for noise.
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::Parameter`] for clusters of fewer than 2, [`ClusterError::Vectors`] for NaN or
    /// infinity.
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<Vec<i32>, ClusterError> {
        if self.min_cluster_size < 2 {
            return wrong("min_cluster_size", self.min_cluster_size, "at least 2");
        }
        Prepared::new(rows, self.n_components)?.labels(|rows| {
            // The crate looks for so many neighbours whether there are as many or not.
            if rows.len() <= self.min_cluster_size {
                return Ok(vec![-1; rows.len()]);
            }
            let rows: Vec<Vec<f32>> = rows.rows().map(<[f32]>::to_vec).collect();
            let builder = HdbscanHyperParams::builder().min_cluster_size(self.min_cluster_size);
            let params = builder.min_samples(self.min_cluster_size).nn_algorithm(NnAlgorithm::BruteForce).build();
            HdbscanCrate::new(&rows, params).cluster().map_err(|e| failed("HDBSCAN", e))
        })
    }
}

impl GaussianMixture {
    /// A mixture of so many, seed 0.
    pub fn new(n_clusters: usize) -> Self {
        GaussianMixture { n_clusters, seed: 0, n_components: COLUMNS }
    }

    /// What draws the start.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The component of each row.
    ///
    /// # Errors
    /// [`ClusterError::NoRows`], [`ClusterError::NoClusters`], [`ClusterError::TooManyClusters`], [`ClusterError::Vectors`] for
    /// NaN or infinity, [`ClusterError::Failed`] when a component has too few rows that differ: ask for fewer, or reduce to
    /// fewer columns.
    pub fn fit(&self, rows: VectorsView<'_>) -> Result<Vec<i32>, ClusterError> {
        match (self.n_clusters, rows.len()) {
            (_, 0) => return Err(ClusterError::NoRows),
            (0, _) => return Err(ClusterError::NoClusters),
            (n_clusters, n) if n_clusters > n => return Err(ClusterError::TooManyClusters { n_clusters, n }),
            _ => {}
        }
        Prepared::new(rows, self.n_components)?.labels(|rows| {
            let wide = array(rows)?.mapv(f64::from);
            let rng = Xoshiro256Plus::seed_from_u64(self.seed);
            // Of rows of length 1, columns may vary by less than a fixed addition to the variances would hide.
            let spread = wide.var_axis(ndarray::Axis(0), 0.0).mean().unwrap_or(1.0).max(1e-12);
            let params = GaussianMixtureModel::params_with_rng(self.n_clusters, rng).reg_covariance(spread * 1e-4);
            let data = linfa::DatasetBase::from(wide.clone());
            let fit = params.n_runs(3).fit(&data).map_err(|e| failed("the Gaussian mixture", e))?;
            Ok(fit.predict(&wide).iter().map(|&label| label as i32).collect())
        })
    }
}

/// Rows in the order of their values, reduced.
struct Prepared {
    rows: Vectors,
    order: Vec<u32>,
}

impl Prepared {
    fn new(rows: VectorsView<'_>, n_components: usize) -> Result<Self, ClusterError> {
        if rows.is_empty() {
            return Err(ClusterError::NoRows);
        }
        if n_components == 0 {
            return wrong("n_components", 0, "at least 1");
        }
        rows.check_finite()?;
        let order = in_order_of_values(rows);
        let values = order.iter().flat_map(|&row| rows.row(row as usize)).copied().collect();
        let mut rows = Vectors::new(values, rows.dim())?;
        if rows.dim() > n_components {
            let pca = PcaParams::new(n_components.min(rows.len())).fit(rows.view())?;
            rows = pca.transform(rows.view())?;
        }
        Ok(Prepared { rows, order })
    }

    /// Labels in the order that the rows were given in, numbered by the size of their clusters.
    fn labels(
        &self,
        find: impl FnOnce(VectorsView<'_>) -> Result<Vec<i32>, ClusterError>,
    ) -> Result<Vec<i32>, ClusterError> {
        let found = find(self.rows.view())?;
        let count = found.iter().map(|&label| label + 1).max().unwrap_or(0).max(0) as usize;
        let mut sizes: Vec<(usize, usize)> = (0..count).map(|label| (0, label)).collect();
        found.iter().filter(|&&label| label >= 0).for_each(|&label| sizes[label as usize].0 += 1);
        sizes.sort_by_key(|&(size, label)| (std::cmp::Reverse(size), label));
        let mut place = vec![-1; count];
        let some = sizes.iter().filter(|s| s.0 > 0).enumerate();
        some.for_each(|(new, &(_, old))| place[old] = new as i32);
        let mut labels = vec![-1; found.len()];
        for (&row, &label) in self.order.iter().zip(&found).filter(|f| *f.1 >= 0) {
            labels[row as usize] = place[label as usize];
        }
        Ok(labels)
    }
}

/// Where the sorted distances to the `min_points`-th neighbour, the row itself counted, bend upward most: farthest below
/// the line from the least to the largest.
fn radius(rows: VectorsView<'_>, min_points: usize) -> f32 {
    let kernels = Kernels::detect();
    let step = rows.len().div_ceil(PROBED).max(1);
    let distance = |i: usize| {
        let mut near: Vec<f32> = rows.rows().map(|other| kernels.l2_squared(rows.row(i), other)).collect();
        let nth = min_points.min(near.len()) - 1;
        near.select_nth_unstable_by(nth, f32::total_cmp).1.sqrt()
    };
    let mut distances: Vec<f32> = (0..rows.len()).into_par_iter().step_by(step).map(distance).collect();
    distances.sort_unstable_by(f32::total_cmp);
    let (first, last) = (distances[0], distances[distances.len() - 1]);
    let below = |(i, d): (usize, &f32)| {
        let along = i as f32 / (distances.len() - 1).max(1) as f32;
        (along - (d - first) / (last - first).max(f32::MIN_POSITIVE), *d)
    };
    let bend = distances.iter().enumerate().map(below).max_by(|a, b| a.0.total_cmp(&b.0)).map_or(first, |b| b.1);
    // Of equal rows all distances are 0, and a radius is not.
    if bend > 0.0 { bend } else { last.max(1e-6) }
}

fn array(rows: VectorsView<'_>) -> Result<Array2<f32>, ClusterError> {
    Array2::from_shape_vec((rows.len(), rows.dim()), rows.as_slice().to_vec()).map_err(|e| failed("ndarray", e))
}

fn failed(algorithm: &'static str, reason: impl ToString) -> ClusterError {
    ClusterError::Failed { algorithm, reason: reason.to_string() }
}

fn wrong<T>(name: &'static str, value: impl ToString, expected: &'static str) -> Result<T, ClusterError> {
    Err(ClusterError::Parameter { name, value: value.to_string(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::VectorsError;

    /// Three dense blobs of `n`, and a few rows far from all.
    fn blobs(n: usize, dim: usize) -> Vectors {
        let mut state = 7u64;
        let mut noise = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
        };
        let mut values = Vec::new();
        for i in 0..3 * n {
            values.extend((0..dim).map(|j| if j % 3 == i % 3 { 5.0 } else { 0.0 } + noise()));
        }
        for far in [40.0, -60.0, 90.0] {
            values.extend((0..dim).map(|j| far * if j % 2 == 0 { 1.0 } else { -0.5 }));
        }
        Vectors::new(values, dim).unwrap()
    }

    type FitFn = Box<dyn Fn(VectorsView<'_>) -> Result<Vec<i32>, ClusterError>>;

    fn all() -> Vec<(&'static str, FitFn)> {
        vec![
            ("dbscan", Box::new(|rows| Dbscan::new(5).fit(rows))),
            ("optics", Box::new(|rows| Optics::new(5).fit(rows))),
            ("hdbscan", Box::new(|rows| Hdbscan::new(8).fit(rows))),
            ("gmm", Box::new(|rows| GaussianMixture::new(3).fit(rows))),
        ]
    }

    #[test]
    fn blobs_are_found_in_any_order_and_far_rows_are_noise() {
        for dim in [3, 24] {
            let whole = blobs(60, dim);
            let without = Vectors::new(whole.as_slice()[..180 * dim].to_vec(), dim).unwrap();
            for (name, fit) in all() {
                let rows = if name == "gmm" { &without } else { &whole };
                let labels = fit(rows.view()).unwrap();
                let pairs: std::collections::BTreeSet<(usize, i32)> =
                    labels[..180].iter().enumerate().map(|(i, &label)| (i % 3, label)).collect();
                let clusters: std::collections::BTreeSet<i32> = pairs.iter().map(|p| p.1).collect();
                assert!(pairs.len() == 3 && clusters == [0, 1, 2].into(), "{name} {dim}: {labels:?}");
                assert!(labels[180..].iter().all(|&label| label == -1), "{name}: {labels:?}");
                let order: Vec<u32> = (0..rows.len() as u32).rev().collect();
                let again = fit(rows.permuted(&order).view()).unwrap();
                assert_eq!(again, labels.iter().rev().copied().collect::<Vec<_>>(), "{name}");
            }
        }
    }

    #[test]
    fn few_equal_and_wrong_rows_are_answered() {
        for (name, fit) in all() {
            for n in 1..12 {
                // Equal rows are one cluster, or too few for one; a mixture of them cannot be fitted.
                match fit(Vectors::new(vec![2.0; 3 * n], 3).unwrap().view()) {
                    Ok(labels) => assert!(labels.len() == n && labels.iter().all(|&l| l == labels[0]), "{name} {n}"),
                    Err(error) => assert_eq!(name, "gmm", "{n} {error}"),
                }
                let spread = Vectors::new((0..n * 3).map(|i| (i * i) as f32).collect(), 3).unwrap();
                assert!(fit(spread.view()).map_or(name == "gmm", |labels| labels.len() == n), "{name} {n}");
            }
            let none = fit(Vectors::zeros(0, 3).unwrap().view());
            assert!(matches!(none, Err(ClusterError::NoRows)), "{name}");
            let bad = fit(Vectors::new(vec![1.0, f32::NAN, 2.0, 3.0, 4.0, 5.0], 1).unwrap().view());
            assert!(matches!(bad, Err(ClusterError::Vectors(VectorsError::NotFinite { .. }))), "{name}");
        }
        let rows = blobs(10, 3);
        assert!(matches!(Dbscan::new(1).fit(rows.view()), Err(ClusterError::Parameter { .. })));
        assert!(matches!(Dbscan::new(3).eps(f32::NAN).fit(rows.view()), Err(ClusterError::Parameter { .. })));
        assert!(matches!(Optics::new(3).eps(0.0).fit(rows.view()), Err(ClusterError::Parameter { .. })));
        assert!(matches!(Hdbscan::new(1).fit(rows.view()), Err(ClusterError::Parameter { .. })));
        assert!(matches!(Hdbscan::new(3).n_components(0).fit(rows.view()), Err(ClusterError::Parameter { .. })));
        assert!(matches!(GaussianMixture::new(0).fit(rows.view()), Err(ClusterError::NoClusters)));
        assert!(matches!(GaussianMixture::new(99).fit(rows.view()), Err(ClusterError::TooManyClusters { .. })));
    }
}
