//! What a search finds.

use std::fmt;
use std::sync::Arc;

use crate::collection::documents::StoredChunk;

/// Where a text came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file, relative to the folder that the collection stands in; `None` for a text that was
    /// added by [`crate::Collection::upsert`].
    pub path: Option<String>,
    /// First and last line, from 1.
    pub lines: (u64, u64),
    /// First byte and the one after the last. For a file that is not UTF-8: of its text as UTF-8.
    pub bytes: (u64, u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path}:{}-{}", self.lines.0, self.lines.1),
            None => f.write_str("(added by the program)"),
        }
    }
}

/// What a hit's score was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Scores {
    /// The metric's score (for cosine the cosine) of its vector and the query's; `None` where that played no part, or
    /// it has no vector.
    pub dense: Option<f32>,
    /// BM25; 0 where it has no word of the query, `None` where words played no part.
    pub lexical: Option<f32>,
    /// What the reranker gave.
    pub rerank: Option<f32>,
}

/// One text found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The key of the document that the text is a chunk of.
    pub key: String,
    /// Larger is better: the cosine in [`super::Mode::Dense`], BM25 in [`super::Mode::Lexical`], what
    /// [`super::Fusion`] says in [`super::Mode::Hybrid`], the reranker's score where there is one.
    pub score: f32,
    /// What the score was made of.
    pub scores: Scores,
    /// Where it came from.
    pub source: Source,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// The text.
    pub text: String,
    /// The document's other fields.
    pub payload: serde_json::Map<String, serde_json::Value>,
}

impl Hit {
    pub(in crate::collection) fn new(score: f32, scores: Scores, chunk: StoredChunk) -> Self {
        let StoredChunk { key, path, lines, bytes, headings, text, payload, nth: _ } = chunk;
        let payload = Arc::unwrap_or_clone(payload);
        Hit { key, score, scores, source: Source { path, lines, bytes }, headings, text, payload }
    }
}
