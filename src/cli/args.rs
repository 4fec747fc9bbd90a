//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Find texts by meaning, or by words
    Search(SearchArgs),
    /// Show the size and make of a collection
    Status(StatusArgs),
    /// Turn lines of stdin into vectors
    Embed(EmbedArgs),
}

/// Build or refresh the collection of a folder
///
/// Files that did not change since the last run are passed over; the chunks of files that are gone
/// are removed. Ctrl-C keeps what is finished, and the next run goes on from there.
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
    /// Tokens in a chunk, at most [default: what the collection has, else 64]
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

/// Find texts by meaning, or by words
///
/// A query of which the model knows no word is searched by words.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for; several words need no quotes
    #[arg(value_name = "QUERY", required = true)]
    pub query: Vec<String>,
    /// How many hits
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// By meaning; the default
    #[arg(long, conflicts_with = "lexical")]
    pub dense: bool,
    /// By words (BM25)
    #[arg(long)]
    pub lexical: bool,
    /// Compare with every vector instead of walking the graph
    #[arg(long, conflicts_with_all = ["ef", "lexical"])]
    pub exact: bool,
    /// Effort of the walk through the graph (ef_search): more is slower and finds more [default: 128]
    #[arg(long, value_name = "N", conflicts_with = "lexical")]
    pub ef: Option<usize>,
    /// Print whole texts instead of their beginnings
    #[arg(long)]
    pub full: bool,
    /// Print the hits as JSON
    #[arg(long)]
    pub json: bool,
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

/// Turn lines of stdin into vectors
///
/// One vector a line, in their order. A line that is blank, or of which the model knows no token,
/// has none: null in JSON Lines, a row of zeros in npy.
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
}
