//! Clusters of a collection's documents: what belongs together, and words for it.

mod corpus;
mod keep;
#[cfg(feature = "cluster")]
mod layout;
mod topics;

use std::ops::ControlFlow;

pub use corpus::{ClusteredDocument, Corpus};
pub(super) use keep::FILE;
pub use topics::Topic;

use super::Collection;
use super::filter::Filter;
use crate::cluster::{ChooseK, ChosenK, KEvidence, KMeans, KMeansModel, MiniBatchKMeans, Progress};
#[cfg(feature = "cluster")]
use crate::cluster::{Dbscan, GaussianMixture, Hdbscan, Optics};
use crate::error::{ClusterError, Result};
use crate::metric::Metric;
use crate::vectors::VectorsView;

/// How many clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// As [`ChooseK`] chooses.
    #[default]
    Auto,
    /// So many.
    Of(usize),
}

/// How documents are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// [`KMeans`].
    #[default]
    KMeans,
    /// [`MiniBatchKMeans`], for hundreds of thousands of documents.
    MiniBatch,
    /// [`GaussianMixture`], of as many distributions as clusters.
    #[cfg(feature = "cluster")]
    GaussianMixture,
    /// [`Dbscan`], which finds the number of clusters by itself.
    #[cfg(feature = "cluster")]
    Dbscan {
        /// Documents within the radius of one in the midst of a cluster, at least 2.
        min_points: usize,
        /// The radius; `None` for one that is found.
        eps: Option<f32>,
    },
    /// [`Optics`], which finds the number of clusters by itself.
    #[cfg(feature = "cluster")]
    Optics {
        /// As for DBSCAN.
        min_points: usize,
        /// As for DBSCAN.
        eps: Option<f32>,
    },
    /// [`Hdbscan`], which finds the number of clusters by itself.
    #[cfg(feature = "cluster")]
    Hdbscan {
        /// Documents of a cluster, at least 2.
        min_cluster_size: usize,
    },
}

impl Algorithm {
    /// The labels of rows, by an algorithm that has no centroids; `None` for k-means.
    ///
    /// # Errors
    /// Those of the algorithm.
    #[cfg(feature = "cluster")]
    pub fn labels(self, rows: VectorsView<'_>, k: usize, seed: u64) -> Option<Result<Vec<i32>, ClusterError>> {
        match self {
            Algorithm::KMeans | Algorithm::MiniBatch => None,
            Algorithm::GaussianMixture => Some(GaussianMixture::new(k).seed(seed).fit(rows)),
            Algorithm::Dbscan { min_points, eps } => {
                let dbscan = Dbscan::new(min_points);
                Some(eps.into_iter().fold(dbscan, Dbscan::eps).fit(rows))
            }
            Algorithm::Optics { min_points, eps } => {
                let optics = Optics::new(min_points);
                Some(eps.into_iter().fold(optics, Optics::eps).fit(rows))
            }
            Algorithm::Hdbscan { min_cluster_size } => Some(Hdbscan::new(min_cluster_size).fit(rows)),
        }
    }

    /// Whether it is told how many clusters to find.
    pub fn takes_count(self) -> bool {
        match self {
            Algorithm::KMeans | Algorithm::MiniBatch => true,
            #[cfg(feature = "cluster")]
            Algorithm::GaussianMixture => true,
            #[cfg(feature = "cluster")]
            _ => false,
        }
    }
}

/// What is told while clusters are being found.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ClusterProgress {
    /// A number of clusters was tried.
    Tried(KEvidence),
    /// A round of k-means was made.
    Round(Progress),
}

/// How a collection is clustered; made by [`Collection::clustering`].
pub struct Clustering<'a> {
    collection: &'a Collection,
    filter: Option<&'a Filter>,
    algorithm: Algorithm,
    count: Count,
    seed: u64,
    words: usize,
    like: Option<&'a KMeansModel>,
}

/// Clusters of documents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clusters {
    /// The documents that were clustered, in the order in which they were added.
    pub corpus: Corpus,
    /// The cluster of each of them, -1 for noise.
    pub labels: Vec<i32>,
    /// What each cluster is about, by its number.
    pub topics: Vec<Topic>,
    /// For k-means: the centroids, by which new documents get their cluster.
    pub model: Option<KMeansModel>,
    /// For k-means: the squared distances of documents to their centroids, added up.
    pub inertia: Option<f64>,
    /// What spoke for the number of clusters, when it was chosen.
    pub chosen: Option<ChosenK>,
}

/// What an algorithm answers.
struct Grouped {
    labels: Vec<i32>,
    model: Option<KMeansModel>,
    inertia: Option<f64>,
    chosen: Option<ChosenK>,
}

impl Collection {
    /// Starts the clustering of the committed documents; see [`Clustering`].
    ///
    /// ```
    /// # fn look(collection: &gyeol::Collection) -> gyeol::Result<()> {
    /// use gyeol::collection::Count;
    /// let clusters = collection.clustering().count(Count::Of(8)).seed(42).run()?;
    /// for topic in &clusters.topics {
    ///     println!("{} ({} documents): {}", topic.id, topic.size, topic.label());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn clustering(&self) -> Clustering<'_> {
        Clustering {
            collection: self,
            filter: None,
            algorithm: Algorithm::default(),
            count: Count::default(),
            seed: 0,
            words: 8,
            like: None,
        }
    }

    /// The committed documents with a vector each: the mean of those of their chunks, of length 1 for cosine. Only
    /// documents with a chunk that the filter selects, and no document without any vector.
    ///
    /// # Errors
    /// As [`Collection::count`].
    pub fn corpus(&self, filter: Option<&Filter>) -> Result<Corpus> {
        corpus::read(self, filter)
    }
}

impl<'a> Clustering<'a> {
    /// Only documents with a chunk that a filter selects.
    pub fn filter(mut self, filter: &'a Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// How documents are grouped. Default: k-means.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// How many clusters. Default: chosen.
    pub fn count(mut self, count: Count) -> Self {
        self.count = count;
        self
    }

    /// What draws starts. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Words for each cluster, at most. Default: 8.
    pub fn words(mut self, words: usize) -> Self {
        self.words = words;
        self
    }

    /// Numbers clusters as an earlier model does, when it has as many; see [`crate::cluster::KMeansFit::match_to`].
    pub fn like(mut self, model: &'a KMeansModel) -> Self {
        self.like = Some(model);
        self
    }

    /// Finds the clusters.
    ///
    /// # Errors
    /// [`ClusterError`] when the documents cannot be clustered as asked (none that have a vector, fewer than clusters);
    /// errors of the filter and of damaged files.
    pub fn run(self) -> Result<Clusters> {
        self.run_with(&mut |_| ControlFlow::Continue(()))
    }

    /// As [`Clustering::run`], and calls `on_progress` on the way, which may stop it.
    ///
    /// # Errors
    /// As [`Clustering::run`], and [`ClusterError::Cancelled`].
    pub fn run_with(
        self,
        on_progress: &mut (dyn FnMut(ClusterProgress) -> ControlFlow<()> + Send),
    ) -> Result<Clusters> {
        let corpus = self.collection.corpus(self.filter)?;
        if corpus.documents.is_empty() {
            return Err(ClusterError::NoRows.into());
        }
        let spherical = self.collection.metric() == Metric::Cosine;
        let grouped = self.group(corpus.vectors.view(), spherical, on_progress)?;
        let topics = topics::topics(&corpus, &grouped.labels, self.words, self.collection.metric());
        let Grouped { labels, model, inertia, chosen } = grouped;
        Ok(Clusters { corpus, labels, topics, model, inertia, chosen })
    }

    fn group(
        &self,
        rows: VectorsView<'_>,
        spherical: bool,
        on_progress: &mut (dyn FnMut(ClusterProgress) -> ControlFlow<()> + Send),
    ) -> Result<Grouped, ClusterError> {
        let (k, chosen) = match self.count {
            Count::Of(k) => (k, None),
            Count::Auto if rows.len() < 3 || !self.algorithm.takes_count() => (1, None),
            Count::Auto => {
                let choose = ChooseK::new().seed(self.seed).spherical(spherical);
                let chosen = choose.choose_with(rows, |tried| on_progress(ClusterProgress::Tried(tried)))?;
                (chosen.k, Some(chosen))
            }
        };
        #[cfg(feature = "cluster")]
        if let Some(labels) = self.algorithm.labels(rows, k, self.seed) {
            return Ok(Grouped { labels: labels?, model: None, inertia: None, chosen });
        }
        let mut on_round = |round| on_progress(ClusterProgress::Round(round));
        let mut fit = match self.algorithm {
            Algorithm::MiniBatch => {
                let kmeans = MiniBatchKMeans::new(k).seed(self.seed).spherical(spherical);
                kmeans.fit_with(&rows, &mut on_round)?
            }
            _ => {
                let kmeans = KMeans::new(k).seed(self.seed).spherical(spherical);
                kmeans.fit_with(rows, &mut on_round)?
            }
        };
        if let Some(like) = self.like {
            // Another number of clusters, or another model: then there is nothing to keep.
            let _ = fit.match_to(like);
        }
        Ok(Grouped { labels: fit.labels, model: Some(fit.model), inertia: Some(fit.inertia), chosen })
    }
}
