//! What a commit says: the payload of the document store's commit, as JSON.

use serde::{Deserialize, Serialize};

use crate::embed::ModelIdentity;
use crate::metric::Metric;
use crate::text::ChunkSize;

/// The newest collection format that this build writes and reads.
pub(super) const FORMAT: u32 = 1;

/// The state of a collection beside its documents.
///
/// | field | meaning |
/// |---|---|
/// | `format` | [`FORMAT`] of the writer |
/// | `model` | identity of the embedder whose vectors these are |
/// | `metric` | `cosine`, `dot` or `l2` |
/// | `chunk_tokens` | tokens in a chunk; `null`: documents are whole |
/// | `next_slot` | the number that the next chunk gets; none is given twice |
/// | `next_file` | the number of the next file in `vectors` |
/// | `segments` | the files of vectors |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub model: ModelIdentity,
    pub metric: String,
    pub chunk_tokens: Option<usize>,
    pub next_slot: u64,
    pub next_file: u64,
    pub segments: Vec<SegmentEntry>,
}

/// One file of vectors and the file of its deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentEntry {
    /// The segment's file in `vectors`.
    pub file: String,
    /// Its rows, deleted ones included.
    pub rows: usize,
    /// The file of its deleted rows in `vectors`.
    pub tombstones: Option<String>,
    /// How many of its rows are deleted.
    pub deleted: usize,
}

impl Manifest {
    /// The manifest of an empty collection.
    pub fn new(model: &ModelIdentity, chunk: ChunkSize) -> Self {
        Manifest {
            format: FORMAT,
            model: model.clone(),
            metric: Metric::Cosine.name().to_owned(),
            chunk_tokens: match chunk {
                ChunkSize::Tokens(n) => Some(n),
                ChunkSize::Whole => None,
            },
            next_slot: 0,
            next_file: 1,
            segments: Vec::new(),
        }
    }

    /// How documents are cut.
    pub fn chunk(&self) -> ChunkSize {
        self.chunk_tokens.map_or(ChunkSize::Whole, ChunkSize::Tokens)
    }
}
