//! Errors of clustering and of components.

use super::VectorsError;

/// Rows that cannot be clustered, or reduced, as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Nothing to work on.
    #[error("there are no rows; give at least one")]
    NoRows,
    /// Zero clusters.
    #[error("0 clusters were asked for; ask for at least 1")]
    NoClusters,
    /// More clusters than rows.
    #[error("{n_clusters} clusters were asked for of {n} rows; ask for at most {n}")]
    TooManyClusters {
        /// The clusters asked for.
        n_clusters: usize,
        /// The rows that there are.
        n: usize,
    },
    /// More components than the rows have.
    #[error("{n_components} components were asked for of {n} rows of {dim} values; ask for 1 to {}", n.min(dim))]
    Components {
        /// The components asked for.
        n_components: usize,
        /// The rows that there are.
        n: usize,
        /// The dimension.
        dim: usize,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}; it must be {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The algorithm's own library gave up.
    #[error("{algorithm} failed: {reason}")]
    Failed {
        /// The algorithm.
        algorithm: &'static str,
        /// What it said.
        reason: String,
    },
    /// A model's bytes that cannot be used.
    #[error("this is no k-means model that can be used: {reason}; save it again")]
    Model {
        /// What is wrong.
        reason: &'static str,
    },
    /// The caller asked to stop.
    #[error("stopped, as was asked; nothing was kept")]
    Cancelled,
    /// Rows that cannot be used.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
}
