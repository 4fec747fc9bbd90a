//! What can be typed after `gyeol map` and `gyeol pca`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use gyeol::Filter;

use super::cluster::{AlgorithmArg, CountArg};

/// Draw a collection's documents as points, near ones near each other
///
/// The page opens from disk in any browser and asks no other host for anything: zoom, hover, search, and a click opens the
/// document. Of more than 20,000 documents prefer --png to --svg.
#[derive(Debug, Args)]
pub struct MapArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Write an interactive page
    #[arg(long, value_name = "FILE", required_unless_present_any = ["svg", "png", "choice"])]
    pub html: Option<PathBuf>,
    /// Write an SVG
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write a PNG
    #[arg(long, value_name = "FILE")]
    pub png: Option<PathBuf>,
    /// Write a plot of what spoke for the number of clusters (.svg or .png), with --k auto
    #[arg(long, value_name = "FILE")]
    pub choice: Option<PathBuf>,
    /// Pixels of a PNG
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1800x1200")]
    pub size: Size,
    /// How points are placed
    #[arg(long, value_enum, default_value_t = LayoutArg::Tsne)]
    pub layout: LayoutArg,
    /// What stands above it [default: the folder's name]
    #[arg(long)]
    pub title: Option<String>,
    /// How many clusters are coloured
    #[arg(short, long, value_name = "N|auto", default_value = "auto")]
    pub k: CountArg,
    /// How clusters are found
    #[arg(long, value_enum, default_value_t = AlgorithmArg::Kmeans)]
    pub algorithm: AlgorithmArg,
    /// Neighbours of one in the midst of a cluster (dbscan, optics), or members of a cluster (hdbscan), at least
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub min_points: usize,
    /// What draws starting centroids
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Only documents with a chunk that this selects
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<Filter>,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub model: super::ModelArgs,
}

/// How points are placed, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutArg {
    /// Neighbours stay neighbours; distances between groups say little
    Tsne,
    /// The two directions in which documents vary most
    Pca,
}

/// Pixels, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u32, pub u32);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(['x', 'X']).and_then(|(w, h)| Some(Size(w.parse().ok()?, h.parse().ok()?)));
        parts.ok_or_else(|| format!("`{text}` is no size; write it as 1800x1200"))
    }
}

/// Reduce vectors of a file to their principal components
///
/// Exact by the covariance up to 1,024 columns, by random projections beyond; the file is read block by block with --stream.
#[derive(Debug, Args)]
pub struct PcaArgs {
    /// The rows (npy: f2, f4, f8)
    #[arg(long, value_name = "FILE.npy")]
    pub vectors: PathBuf,
    /// How many components
    #[arg(long, value_name = "C")]
    pub components: usize,
    /// Write the rows along the components: n x C, f4
    #[arg(long, value_name = "FILE.npy")]
    pub out: Option<PathBuf>,
    /// Scale what is written so that every component has variance 1
    #[arg(long)]
    pub whiten: bool,
    /// How components are found
    #[arg(long, value_enum, default_value_t = SolverArg::Auto)]
    pub solver: SolverArg,
    /// Read the file block by block, for what exceeds memory; always by the covariance
    #[arg(long)]
    pub stream: bool,
    /// What draws the projections of the randomised solver
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Threads [default: one for each core]
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// A solver, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SolverArg {
    Auto,
    Covariance,
    Randomized,
}

impl From<SolverArg> for gyeol::cluster::PcaSolver {
    fn from(solver: SolverArg) -> Self {
        match solver {
            SolverArg::Auto => gyeol::cluster::PcaSolver::Auto,
            SolverArg::Covariance => gyeol::cluster::PcaSolver::Covariance,
            SolverArg::Randomized => gyeol::cluster::PcaSolver::Randomized,
        }
    }
}
