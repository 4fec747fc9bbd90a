//! Asking a collection.

use std::fmt;

use super::Collection;
use super::documents::StoredChunk;
use super::snapshot::{Nearest, Snapshot, documents_error};
use crate::embed::{Answer, Role, embed_many};
use crate::error::{CollectionError, IndexError, Result};
use crate::index::{Effort, Work};

/// What a search goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Meaning: the nearest vectors.
    #[default]
    Dense,
    /// Words: BM25.
    Lexical,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Dense => "dense",
            Mode::Lexical => "lexical",
        })
    }
}

/// Where a text came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file, relative to the folder that the collection stands in; `None` for a text that was
    /// added by [`Collection::upsert`].
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

/// One text found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The key of the document that the text is a chunk of.
    pub key: String,
    /// Larger is better: the cosine in [`Mode::Dense`], BM25 in [`Mode::Lexical`].
    pub score: f32,
    /// Where it came from.
    pub source: Source,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// The text.
    pub text: String,
    /// The document's other fields.
    pub payload: serde_json::Map<String, serde_json::Value>,
}

/// What a search found, and how.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What the search went by. A query of which the model knows no token is asked by words.
    pub mode: Mode,
    /// Best first.
    pub hits: Vec<Hit>,
    /// What the search of each segment of vectors took; none by words.
    pub work: Vec<Work>,
    /// Graphs, partitions and codes that were found damaged: their segments were searched exactly, which is
    /// slower. [`Collection::repair`] makes them anew.
    pub warnings: Vec<String>,
}

impl IntoIterator for Found {
    type Item = Hit;
    type IntoIter = std::vec::IntoIter<Hit>;

    fn into_iter(self) -> Self::IntoIter {
        self.hits.into_iter()
    }
}

/// A search being put together; [`Search::run`] runs it.
#[derive(Clone)]
#[must_use]
pub struct Search<'a> {
    collection: &'a Collection,
    query: &'a str,
    k: usize,
    mode: Mode,
    effort: Effort,
    paranoid: bool,
}

impl<'a> Search<'a> {
    /// Hits when nothing else is asked for.
    pub const DEFAULT_K: usize = 10;

    pub(super) fn new(collection: &'a Collection, query: &'a str) -> Self {
        Search { collection, query, k: Self::DEFAULT_K, mode: Mode::Dense, effort: Effort::default(), paranoid: false }
    }

    /// How many hits, from 1; fewer come back only when the collection has fewer. Default
    /// [`Search::DEFAULT_K`].
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// By meaning or by words. Default [`Mode::Dense`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How much work to do: by the recall to reach, by the candidates that a walk keeps, or every
    /// vector. Default [`Effort::Recall`] of [`Effort::DEFAULT_RECALL`].
    pub fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// Whether graphs, partitions and codes are compared with their checksums before their first use, which reads
    /// them whole once. Default `false`: links are checked as they are followed. Texts and full vectors are compared
    /// when they are first read, always.
    pub fn paranoid(mut self, paranoid: bool) -> Self {
        self.paranoid = paranoid;
        self
    }

    /// Runs the search on the collection as of its last commit or refresh.
    ///
    /// # Errors
    /// [`IndexError::ZeroK`] and [`IndexError::Parameter`]; [`CollectionError::Query`] when the
    /// query is blank; [`crate::error::EmbedError`] of the embedder; errors of damaged files.
    pub fn run(self) -> Result<Found> {
        if self.k == 0 {
            return Err(IndexError::ZeroK.into());
        }
        self.effort.validate()?;
        if self.query.trim().is_empty() {
            return Err(CollectionError::Query("the query is blank; ask with at least one word".to_owned()).into());
        }
        let Some(snapshot) = self.collection.snapshot() else {
            return Ok(Found { mode: self.mode, hits: Vec::new(), work: Vec::new(), warnings: Vec::new() });
        };
        if self.mode == Mode::Dense {
            let answer = embed_many(&self.collection.embedder, &[self.query], Role::Query)?;
            if answer.answers[0] == Answer::Embedded {
                if self.paranoid {
                    snapshot.check_structures();
                }
                let (hits, work) = self.dense(&snapshot, answer.vectors.row(0))?;
                return Ok(Found { mode: Mode::Dense, hits, work, warnings: snapshot.warnings() });
            }
        }
        let hits = self.lexical(&snapshot)?;
        Ok(Found { mode: Mode::Lexical, hits, work: Vec::new(), warnings: Vec::new() })
    }

    fn dense(&self, snapshot: &Snapshot, query: &[f32]) -> Result<(Vec<Hit>, Vec<Work>)> {
        let Nearest { rows, work } = snapshot.nearest(query, self.k, self.effort, None)?;
        let metric = self.collection.metric();
        let mut hits = Vec::with_capacity(rows.len());
        for (distance, slot) in rows {
            let root = &self.collection.path;
            let chunk = snapshot.documents.chunk(slot).map_err(|e| documents_error(root, e))?;
            let missing =
                || CollectionError::Corrupt { path: root.clone(), reason: format!("no text for vector {slot}") };
            hits.push(hit(metric.score(distance), chunk.ok_or_else(missing)?));
        }
        Ok((hits, work))
    }

    fn lexical(&self, snapshot: &Snapshot) -> Result<Vec<Hit>> {
        let found = snapshot.documents.lexical(self.query, self.k);
        let found = found.map_err(|e| documents_error(&self.collection.path, e))?;
        Ok(found.into_iter().map(|(score, chunk)| hit(score, chunk)).collect())
    }
}

pub(super) fn hit(score: f32, chunk: StoredChunk) -> Hit {
    let StoredChunk { key, path, lines, bytes, headings, text, payload, nth: _ } = chunk;
    let payload = std::sync::Arc::unwrap_or_clone(payload);
    Hit { key, score, source: Source { path, lines, bytes }, headings, text, payload }
}
