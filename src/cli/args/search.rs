//! What `gyeol search` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gyeol::collection::search::Cursor;
use gyeol::collection::{Fusion, Mode, Search};

use super::EffortArgs;

/// Find texts by meaning and by words
///
/// A query of which the model knows no word is searched by words. Filters are conditions on the key, the path and the
/// payload of documents: lang = "ko" and (year >= 2020 or tags contains "rust") and not path like "drafts/*".
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for; several words need no quotes
    #[arg(value_name = "QUERY", required_unless_present_any = ["like", "vector", "queries"])]
    pub query: Vec<String>,
    /// More like the document of this key, instead of a query
    #[arg(long, value_name = "KEY", conflicts_with_all = ["query", "vector", "queries"])]
    pub like: Option<String>,
    /// Near the first row of this npy file, instead of a query
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["query", "queries"])]
    pub vector: Option<PathBuf>,
    /// Many queries instead of one, one a line; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["query", "after"])]
    pub queries: Option<PathBuf>,
    /// Away from what this text means; may be given again
    #[arg(long, value_name = "TEXT")]
    pub unlike: Vec<String>,
    /// Away from the document of this key; may be given again
    #[arg(long, value_name = "KEY")]
    pub unlike_key: Vec<String>,
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    #[command(flatten)]
    pub leg: LegArgs,
    /// Only texts for which this holds
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Compare with every vector that passes instead of walking the graph
    #[arg(long, conflicts_with_all = ["ef", "recall"])]
    pub exact: bool,
    #[command(flatten)]
    pub effort: EffortArgs,
    /// Compare graphs and codes with their checksums before they are used, which reads them whole
    #[arg(long)]
    pub paranoid: bool,
    /// Tell how the search went: what passed the filter, and for vectors the plan, why, and the rows compared
    #[arg(long)]
    pub explain: bool,
    /// Print whole texts instead of their beginnings
    #[arg(long)]
    pub full: bool,
    /// Print the hits as JSON; with --queries a line for each
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: super::ModelArgs,
}

/// What a search goes by.
#[derive(Debug, Args)]
pub struct LegArgs {
    /// By meaning
    #[arg(long)]
    dense: bool,
    /// By words (BM25)
    #[arg(long)]
    lexical: bool,
    /// By both; the default
    #[arg(long)]
    hybrid: bool,
    /// How both are made one [default: scores]
    #[arg(long, value_enum, value_name = "HOW")]
    fusion: Option<FusionArg>,
    /// The weight of words against meaning, from 0 to 1
    #[arg(long, value_name = "W", default_value_t = Fusion::DEFAULT_LEXICAL)]
    lexical_weight: f32,
}

/// How meaning and words are made one.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FusionArg {
    /// The weighted sum of BM25, as a part of the best, and the cosine
    Scores,
    /// Weighted reciprocal ranks
    Ranks,
}

impl LegArgs {
    /// As the library takes it; by meaning and by words is both.
    pub fn mode(&self) -> Mode {
        match (self.dense, self.lexical) {
            _ if self.hybrid => Mode::Hybrid,
            (true, false) => Mode::Dense,
            (false, true) => Mode::Lexical,
            (true, true) | (false, false) => Mode::Hybrid,
        }
    }

    /// As the library takes it.
    pub fn fusion(&self) -> Fusion {
        let lexical = self.lexical_weight;
        match self.fusion {
            Some(FusionArg::Ranks) => Fusion::Ranks { lexical, k: Fusion::DEFAULT_RANK_K },
            Some(FusionArg::Scores) | None => Fusion::Scores { lexical },
        }
    }
}

/// Which hits are shown.
#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// How many hits
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub k: usize,
    /// As many hits as there are, by custom with --min-score
    #[arg(long, conflicts_with = "k")]
    pub all: bool,
    /// Only hits of this score or a higher one
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub min_score: Option<f32>,
    /// At most so many hits of one document
    #[arg(long, value_name = "N")]
    pub per_document: Option<usize>,
    /// Each document once, at its best: --per-document 1
    #[arg(long, conflicts_with = "per_document")]
    pub group_by_document: bool,
    /// Variety among the hits: 1 is relevance alone, 0 variety alone
    #[arg(long, value_name = "LAMBDA")]
    pub mmr: Option<f32>,
    /// A second look at the best 50 by the cross-encoder in this folder
    #[cfg(feature = "rerank")]
    #[arg(long, value_name = "FOLDER")]
    pub rerank: Option<PathBuf>,
    /// The page after the one that told this cursor
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

impl ShapeArgs {
    /// The search with this shape.
    pub fn shape<'a>(&self, search: Search<'a>, after: Option<Cursor>) -> Search<'a> {
        let mut search = if self.all { search.all() } else { search.k(self.k) };
        let per_document = if self.group_by_document { Some(1) } else { self.per_document };
        if let Some(score) = self.min_score {
            search = search.min_score(score);
        }
        if let Some(most) = per_document {
            search = search.per_document(most);
        }
        if let Some(lambda) = self.mmr {
            search = search.mmr(lambda);
        }
        match after {
            Some(cursor) => search.after(cursor),
            None => search,
        }
    }
}
