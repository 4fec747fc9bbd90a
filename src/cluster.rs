//! Clusters of rows, and fewer dimensions for them.
//!
//! [`KMeans`] is always there; the feature `cluster` adds principal components and the algorithms of other
//! libraries.

mod kmeans;

pub use kmeans::{KMeans, KMeansFit, KMeansModel, MiniBatchKMeans, Progress};
