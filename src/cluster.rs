//! Clusters of rows, and fewer dimensions for them.
//!
//! [`KMeans`] is always there; the feature `cluster` adds principal components and the algorithms of other
//! libraries.

mod choose_k;
mod kmeans;
mod silhouette;
mod words;

pub use choose_k::{ChooseK, ChosenK, KEvidence};
pub use kmeans::{KMeans, KMeansFit, KMeansModel, MiniBatchKMeans, Progress};
pub use silhouette::silhouette;
pub use words::{ClusterWord, cluster_words};
