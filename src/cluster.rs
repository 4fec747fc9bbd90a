//! Clusters of rows, and fewer dimensions for them.
//!
//! [`KMeans`] is always there; the feature `cluster` adds principal components and the algorithms of other
//! libraries.

mod choose_k;
#[cfg(feature = "cluster")]
mod density;
mod kmeans;
#[cfg(feature = "cluster")]
mod layout;
#[cfg(feature = "cluster")]
mod pca;
mod silhouette;
mod words;

pub use choose_k::{ChooseK, ChosenK, KEvidence};
#[cfg(feature = "cluster")]
pub use density::{Dbscan, GaussianMixture, Hdbscan, Optics};
pub use kmeans::{KMeans, KMeansFit, KMeansModel, MiniBatchKMeans, Progress};
#[cfg(feature = "cluster")]
pub use layout::{Tsne, pca_layout};
#[cfg(feature = "cluster")]
pub use pca::{Pca, PcaFitter, PcaParams, PcaSolver};
pub use silhouette::silhouette;
pub use words::{ClusterWord, cluster_words};
