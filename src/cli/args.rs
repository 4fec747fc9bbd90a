//! What can be typed.

mod chat;
mod cluster;
mod map;
mod model;
mod search;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gyeol::Effort;
use gyeol::collection::Sample;

pub use chat::{AskArgs, ChatArgs, ChatModelArgs, RetrievalArgs};
pub use cluster::{AlgorithmArg, ClusterArgs};
pub use map::{LayoutArg as MapLayoutArg, MapArgs, PcaArgs};
pub use model::{DoctorArgs, KeyArgs, ModelArgs, ModelsArgs};
pub use search::SearchArgs;

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 nothing found, 2 usage, 3 no collection, 4 damaged or newer format, 5 locked, 6 model or provider, \
7 I/O, 130 interrupted";

/// Search and cluster texts by meaning, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "gyeol", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build or refresh the collection of a folder
    Index(IndexArgs),
    /// Find texts by meaning and by words
    Search(SearchArgs),
    /// Answer a question from the texts that fit it, by a chat model or with quotations
    Ask(AskArgs),
    /// Talk with a chat model over the texts of a collection
    Chat(ChatArgs),
    /// List groups of texts that say nearly the same
    Duplicates(DuplicatesArgs),
    /// Group documents, or vectors of a file, by what they mean
    Cluster(ClusterArgs),
    /// Draw documents as points, near ones near each other
    Map(MapArgs),
    /// Reduce vectors of a file to their principal components
    Pca(PcaArgs),
    /// Show the size and make of a collection
    Status(StatusArgs),
    /// Compare every byte of a collection with its checksum
    Verify(VerifyArgs),
    /// Make graphs and lost vectors again
    Repair(RepairArgs),
    /// Write everything anew that has deleted parts, into as few files as may be
    Compact(CompactArgs),
    /// Delete documents so that no byte of them is left
    Purge(PurgeArgs),
    /// Copy a collection as of its last commit, also while another process writes to it
    Snapshot(SnapshotArgs),
    /// Measure what part of the true nearest vectors searches find
    Recall(RecallArgs),
    /// Turn lines of stdin into vectors
    Embed(EmbedArgs),
    /// List the models that are known, and the providers
    Models(ModelsArgs),
    /// Look whether a model can be used: its key, its endpoint, its dimension
    Doctor(DoctorArgs),
    /// Keep a provider's key in the keyring
    Key(KeyArgs),
    /// Measure an index over vectors from files
    Bench(BenchArgs),
}

/// Build or refresh the collection of a folder
///
/// Files that did not change since the last run are passed over; the chunks of files that are gone
/// are removed. Ctrl-C keeps what is finished, and the next run goes on from there. With another --model than the
/// collection has, all texts are embedded anew beside it, and searches see the old ones until that is done.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// The folder to read [default: the folder of the collection found upward from here, else .]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The collection: a folder, or its .gyeol [default: DIR/.gyeol]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Make the collection anew; until it is done the old one stands. What programs added by key is lost
    #[arg(long)]
    pub rebuild: bool,
    /// Say what it would take, files, chunks, tokens and dollars, and do nothing
    #[arg(long, conflicts_with = "rebuild")]
    pub dry_run: bool,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens in a chunk, at most [default: what the collection has, else 64, and 192 with models other than builtin]
    #[arg(long, value_name = "N", conflicts_with = "whole")]
    pub chunk_tokens: Option<usize>,
    /// Keep each document in one chunk
    #[arg(long)]
    pub whole: bool,
    /// The field that is the key of a CSV, TSV or JSON Lines row [default: as the file was read before, else "key"]
    #[arg(long, value_name = "NAME")]
    pub key_field: Option<String>,
    /// The field that is the text of a CSV, TSV or JSON Lines row [default: as the file was read before, else "text"]
    #[arg(long, value_name = "NAME")]
    pub text_field: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Print no progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// How much work a walk through the graph does.
#[derive(Debug, Args)]
pub struct EffortArgs {
    /// The part of the true nearest vectors to find, over 0 and at most 1: more is slower [default: 0.95]
    #[arg(long, value_name = "R", conflicts_with = "ef")]
    recall: Option<f32>,
    /// Effort of the walk through the graph (ef_search) instead: more is slower and finds more
    #[arg(long, value_name = "N")]
    ef: Option<usize>,
}

impl EffortArgs {
    /// As the library takes it.
    pub fn effort(&self) -> Effort {
        match (self.ef, self.recall) {
            (Some(ef), _) => Effort::Ef(ef),
            (None, Some(recall)) => Effort::Recall(recall),
            (None, None) => Effort::default(),
        }
    }
}

/// List groups of texts that say nearly the same
///
/// A text is in a group when its vector is near enough to that of another one in it. Every text is looked up in the
/// index, so the work does not grow with the square of their number.
#[derive(Debug, Args)]
pub struct DuplicatesArgs {
    /// The cosine from which two texts are near-duplicates
    #[arg(long, value_name = "T", default_value_t = 0.95, allow_negative_numbers = true)]
    pub threshold: f32,
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Compare every pair, which takes long for many texts
    #[arg(long, conflicts_with_all = ["ef", "recall"])]
    pub exact: bool,
    #[command(flatten)]
    pub effort: EffortArgs,
    /// Print whole texts instead of their beginnings
    #[arg(long)]
    pub full: bool,
    /// Print the groups as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Compare every byte of a collection with its checksum
///
/// Ends with 4 when something does not hold, and tells what, what it means for searches, and what mends it. Reads
/// the last commit; another process may write meanwhile.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Also look whether everything fits together: every text has its vector and can be read, vectors are sound, links
    /// lead somewhere
    #[arg(long)]
    pub full: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

/// Make graphs and lost vectors again
///
/// Graphs and codes are built from the vectors, lists of deleted vectors made from the texts, and vectors that are
/// damaged or gone embedded again from their texts. Damaged texts cannot be made again: index the folder with
/// --rebuild, or restore a copy.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Write everything anew that has deleted parts, into as few files as may be
///
/// Collections are merged by themselves while they are written to; this does all that is left at once.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Print the sizes before and after as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Delete documents so that no byte of them is left
///
/// Deletes the documents of the keys (of a file: its path, as search shows it), and compacts: no file of the
/// collection has a byte of their texts or vectors then. A file that is still in its folder is indexed again by the
/// next `gyeol index`. Without a key, what was deleted before is purged.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// Keys of the documents
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Copy a collection as of its last commit, also while another process writes to it
///
/// DIR becomes a collection that can be searched (--in DIR), copied and kept. On the same file system its files are
/// second names of the collection's own, which no writer changes: that takes no time and no room, and what damages the
/// disk under them damages both.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// An empty folder, or one that does not exist yet
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Copy every byte, also where second names would do
    #[arg(long)]
    pub copy: bool,
    /// Print what was copied as JSON
    #[arg(long)]
    pub json: bool,
}

/// Measure what part of the true nearest vectors searches find
///
/// A sample of the collection's own vectors is asked for the nearest others, or queries of your own are;
/// what is true is found by comparing every vector. The 95 % interval says how far a sample of this size
/// can be trusted. The collection's own vectors are easier than queries from outside, often by a hundredth
/// and more; --queries measures those.
#[derive(Debug, Args)]
pub struct RecallArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// How many neighbours
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// How many of the collection's vectors to ask, evenly spaced
    #[arg(long, value_name = "N", default_value_t = Sample::DEFAULT_ROWS, conflicts_with = "queries")]
    pub sample: usize,
    /// Ask these texts instead, one a line; - is stdin
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    #[command(flatten)]
    pub effort: EffortArgs,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Turn lines of stdin into vectors
///
/// One vector a line, in their order. A line that is blank, or of which the model knows no token, or that the provider
/// refuses, has none: null in JSON Lines, a row of zeros in npy. Vectors of providers are kept, and not paid for twice.
/// Ends with 6 when a line was refused.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// Write a NumPy matrix (n x dim, f4) instead of JSON Lines
    #[arg(long, value_name = "FILE.npy")]
    pub out: Option<PathBuf>,
    /// The lines are queries, not documents, for models that tell them apart
    #[arg(long)]
    pub query: bool,
    /// Print JSON Lines; the default
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// Measure an index over vectors from files
///
/// Builds an index, saves it, opens it again and searches: recall and speed at each effort. Speed is
/// queries in a CPU-second of the process while all of them are searched at once, and the times of
/// queries asked one by one (the fastest of three). Files are .npy (f2, f4, f8), or fvecs and ivecs.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The rows to index
    #[arg(long, value_name = "FILE")]
    pub base: PathBuf,
    /// The queries
    #[arg(long, value_name = "FILE")]
    pub queries: PathBuf,
    /// The row numbers of each query's true neighbours, nearest first [default: found by comparing every row]
    #[arg(long, value_name = "FILE")]
    pub neighbors: Option<PathBuf>,
    /// How nearness is measured
    #[arg(long, value_enum, default_value_t = MetricArg::Cosine)]
    pub metric: MetricArg,
    /// How many neighbours
    #[arg(short, long, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// Threads that build and search
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub threads: usize,
    /// Search only among these rows: an n x 1 npy file of row numbers. Recalls of 0.9, 0.95 and 0.99 are asked for then
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["ef", "no_rescoring"])]
    pub among: Option<PathBuf>,
    /// Efforts to measure [default: growing ones until the recall is 0.994]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub ef: Vec<usize>,
    /// How the full rows are kept
    #[arg(long, value_enum, default_value_t = StorageArg::F32)]
    pub storage: StorageArg,
    /// Never compare candidates by their full rows, as with an index that is larger than the memory
    #[arg(long)]
    pub no_rescoring: bool,
    /// What finds candidates
    #[arg(long, value_enum, default_value_t = LayoutArg::Auto)]
    pub layout: LayoutArg,
    /// Links of a row in the upper layers; layer 0 has twice as many
    #[arg(long, value_name = "N", default_value_t = gyeol::HnswParams::DEFAULT_M)]
    pub m: usize,
    /// Candidates kept while the graph is built
    #[arg(long, value_name = "N", default_value_t = gyeol::HnswParams::DEFAULT_EF_CONSTRUCTION)]
    pub ef_construction: usize,
    /// Keep the index in this file, and use it when it is there
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// A metric, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum MetricArg {
    Cosine,
    L2,
    Dot,
}

impl From<MetricArg> for gyeol::Metric {
    fn from(metric: MetricArg) -> Self {
        match metric {
            MetricArg::Cosine => gyeol::Metric::Cosine,
            MetricArg::L2 => gyeol::Metric::L2,
            MetricArg::Dot => gyeol::Metric::Dot,
        }
    }
}

/// A layout, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LayoutArg {
    Auto,
    Graph,
    Partitions,
}

impl From<LayoutArg> for gyeol::Layout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Auto => gyeol::Layout::Auto,
            LayoutArg::Graph => gyeol::Layout::Graph,
            LayoutArg::Partitions => gyeol::Layout::Partitions,
        }
    }
}

/// A storage of rows, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StorageArg {
    F32,
    F16,
    Codes,
}

impl From<StorageArg> for gyeol::RowStorage {
    fn from(storage: StorageArg) -> Self {
        match storage {
            StorageArg::F32 => gyeol::RowStorage::F32,
            StorageArg::F16 => gyeol::RowStorage::F16,
            StorageArg::Codes => gyeol::RowStorage::Codes,
        }
    }
}
