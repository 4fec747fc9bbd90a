//! What can be typed after `gyeol cluster`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use gyeol::Filter;
use gyeol::collection::{Algorithm, Count};

/// Group documents, or vectors of a file, by what they mean
///
/// Of a collection every document is clustered by the mean of its chunks' vectors; each cluster gets the words that tell
/// it from the others. Of --vectors only the rows are. The same rows and seed give the same clusters.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH", conflicts_with = "vectors")]
    pub collection: Option<PathBuf>,
    /// Cluster the rows of this file (npy: f2, f4, f8) instead of a collection
    #[arg(long, value_name = "FILE.npy")]
    pub vectors: Option<PathBuf>,
    /// How many clusters; `auto` chooses by silhouette and tells what spoke for it
    #[arg(short, long, value_name = "N|auto", default_value = "auto")]
    pub k: CountArg,
    /// How they are found
    #[arg(long, value_enum, default_value_t = AlgorithmArg::Kmeans)]
    pub algorithm: AlgorithmArg,
    /// Neighbours of one in the midst of a cluster (dbscan, optics), or members of a cluster (hdbscan), at least
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub min_points: usize,
    /// The radius of neighbours (dbscan, optics) [default: where distances to them bend upward]
    #[arg(long, value_name = "DISTANCE")]
    pub eps: Option<f32>,
    /// What draws starting centroids
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Write the cluster of each document or row, -1 for noise: int32, in their order
    #[arg(long, value_name = "FILE.npy")]
    pub labels: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub corpus: CorpusArgs,
    #[command(flatten)]
    pub titles: TitlesArgs,
    #[command(flatten)]
    pub rows: RowsArgs,
    #[command(flatten)]
    pub model: super::ModelArgs,
}

/// For collections.
#[derive(Debug, Args)]
#[command(next_help_heading = "Of a collection")]
pub struct CorpusArgs {
    /// Only documents with a chunk that this selects: 'lang = "ko" and year >= 2020'
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "vectors")]
    pub filter: Option<Filter>,
    /// Words for each cluster
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub words: usize,
    /// Put each document's cluster into its payload, where filters find it (cluster = 3), and keep the centroids
    #[arg(long, conflicts_with_all = ["vectors", "filter"])]
    pub write: bool,
    /// Only give new documents their cluster, by the centroids that --write kept
    #[arg(long, conflicts_with_all = ["vectors", "filter", "write", "k"])]
    pub assign: bool,
}

/// For titles.
#[derive(Debug, Args)]
#[command(next_help_heading = "Titles")]
pub struct TitlesArgs {
    /// Ask a chat model for a title of each cluster, by its words and the documents nearest to its middle
    #[arg(long, conflicts_with_all = ["vectors", "assign"])]
    pub titles: bool,
    /// The chat model: openai::NAME, ollama::NAME, openai-compatible::NAME and more [default: what GYEOL_CHAT_MODEL says]
    #[arg(long, value_name = "PROVIDER::NAME", requires = "titles")]
    pub chat_model: Option<String>,
    /// Where the API of the chat model is: https, or http on this machine
    #[arg(long, value_name = "URL", requires = "titles")]
    pub chat_base_url: Option<String>,
}

/// For vectors of a file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Of --vectors")]
pub struct RowsArgs {
    /// Start from these centroids (npy, K x dim) [default: greedy k-means++]
    #[arg(long, value_name = "FILE.npy", requires = "vectors")]
    pub init: Option<PathBuf>,
    /// Rounds at most, for minibatch passes over the file [default: 100, for minibatch 5]
    #[arg(long, value_name = "N", requires = "vectors")]
    pub max_iters: Option<usize>,
    /// Stop when centroids move less than this part of the rows' variance in a round; 0: when none moves
    #[arg(long, value_name = "X", default_value_t = 1e-4, requires = "vectors")]
    pub tolerance: f64,
    /// Starts, of which the best is kept [default: 10 where that is quick, else 1; for minibatch 3]
    #[arg(long, value_name = "N", requires = "vectors")]
    pub n_init: Option<usize>,
    /// Cluster by direction, as for the cosine
    #[arg(long, requires = "vectors")]
    pub spherical: bool,
    /// Write the centroids, K x dim
    #[arg(long, value_name = "FILE.npy", requires = "vectors")]
    pub centroids: Option<PathBuf>,
}

/// A number of clusters, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountArg(pub Count);

impl FromStr for CountArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(CountArg(Count::Auto));
        }
        let wrong = |_| format!("`{text}` is neither a number nor `auto`");
        match text.parse::<usize>().map_err(wrong)? {
            0 => Err("0 clusters hold nothing; ask for at least 1".to_owned()),
            k => Ok(CountArg(Count::Of(k))),
        }
    }
}

/// An algorithm, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmArg {
    /// k-means: every document is in the cluster whose centre it is nearest to
    Kmeans,
    /// k-means in passes over the rows, which need not fit into memory
    Minibatch,
    /// A mixture of normal distributions
    Gmm,
    /// Dense regions, of any number; the rest is noise (-1)
    Dbscan,
    /// As dbscan, by an order in which dense regions are valleys; for a few thousand
    Optics,
    /// The dense regions that last over the widest range of densities; the rest is noise
    Hdbscan,
}

impl AlgorithmArg {
    pub fn name(self) -> &'static str {
        match self {
            AlgorithmArg::Kmeans => "kmeans",
            AlgorithmArg::Minibatch => "minibatch",
            AlgorithmArg::Gmm => "gmm",
            AlgorithmArg::Dbscan => "dbscan",
            AlgorithmArg::Optics => "optics",
            AlgorithmArg::Hdbscan => "hdbscan",
        }
    }
}

impl ClusterArgs {
    /// The algorithm with its parameters.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.with(self.min_points, self.eps)
    }
}

impl AlgorithmArg {
    /// The algorithm with parameters.
    pub fn with(self, min_points: usize, eps: Option<f32>) -> Algorithm {
        match self {
            AlgorithmArg::Kmeans => Algorithm::KMeans,
            AlgorithmArg::Minibatch => Algorithm::MiniBatch,
            AlgorithmArg::Gmm => Algorithm::GaussianMixture,
            AlgorithmArg::Dbscan => Algorithm::Dbscan { min_points, eps },
            AlgorithmArg::Optics => Algorithm::Optics { min_points, eps },
            AlgorithmArg::Hdbscan => Algorithm::Hdbscan { min_cluster_size: min_points },
        }
    }
}
