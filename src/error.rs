//! Error types: one narrow enum per module and [`Error`] over them.
//!
//! Every message names the thing that is wrong (a path, a row, a limit) and what to do next.
//! All enums are `#[non_exhaustive]`: match with a `_` arm.

mod cluster;
mod embed;
mod filter;
mod http;
mod llm;
mod picture;
mod rerank;

use std::io;
use std::path::PathBuf;

pub use cluster::ClusterError;
pub use embed::EmbedError;
pub use filter::FilterError;
pub use http::{CacheError, HttpError};
pub use llm::LlmError;
pub use picture::PictureError;
pub use rerank::{ModelError, RerankError};

/// Any error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Vectors that cannot be used, or a vector file that cannot be read.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// A file of ours that cannot be read, written or trusted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An index that cannot be built or searched as asked.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Text that cannot be read or chunked as asked.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Text that cannot be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A chat model that cannot be asked, or an answer that cannot be used.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// A cache that cannot be opened as asked.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A local model whose files cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Texts that cannot be reranked.
    #[error(transparent)]
    Rerank(#[from] RerankError),
    /// Rows that cannot be clustered, or reduced, as asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A picture that cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A collection that cannot be opened, changed or searched as asked.
    #[error(transparent)]
    Collection(#[from] CollectionError),
}

impl From<FilterError> for Error {
    fn from(error: FilterError) -> Self {
        Error::Collection(error.into())
    }
}

/// The result of this crate's functions that can fail in more than one way.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Vectors that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorsError {
    /// A dimension of zero.
    #[error("the dimension is 0; a vector needs at least one value")]
    ZeroDimension,
    /// The values do not fill whole rows.
    #[error("{len} values do not make whole rows of {dim}; pass n x dim values, row after row")]
    Ragged {
        /// How many values there are.
        len: usize,
        /// The dimension.
        dim: usize,
    },
    /// An array whose rows do not stand one after the other.
    #[error("the array's rows do not stand one after the other in memory; pass array.as_standard_layout()")]
    NotContiguous,
    /// A row of another dimension.
    #[error("row {row} has {found} values where {expected} are expected; all rows need the same dimension")]
    Dimension {
        /// The row, from 0.
        row: usize,
        /// The dimension of the other rows, or of the index.
        expected: usize,
        /// What this row has.
        found: usize,
    },
    /// NaN or infinity.
    #[error("row {row} holds {value} at position {column}; replace NaN and infinity first")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The position in the row, from 0.
        column: usize,
        /// The value found.
        value: f32,
    },
    /// A magnitude that the storage asked for cannot hold.
    #[error(
        "row {row} holds {value} at position {column}, over the {limit} of f16; scale the rows, or store them as f32"
    )]
    TooLarge {
        /// The row, from 0.
        row: usize,
        /// The position in the row, from 0.
        column: usize,
        /// The value found.
        value: f32,
        /// The largest magnitude.
        limit: f32,
    },
    /// A zero vector, which has no direction and so no cosine.
    #[error("row {row} has norm 0, which has no direction for cosine; drop the row, or use Metric::Dot or Metric::L2")]
    ZeroNorm {
        /// The row, from 0.
        row: usize,
    },
    /// More rows than a row number can count.
    #[error("{rows} rows are more than the limit of {limit} for one index; split them over several")]
    TooManyRows {
        /// How many rows there are.
        rows: usize,
        /// The limit.
        limit: usize,
    },
    /// A vector file with a shape or type that is not supported, or that is cut short.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is supported.
        reason: String,
    },
    /// A vector file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

impl VectorsError {
    /// The error of a block that starts at a row of the whole.
    pub(crate) fn counted_from(mut self, first: usize) -> Self {
        if let VectorsError::NotFinite { row, .. } | VectorsError::ZeroNorm { row } = &mut self {
            *row += first;
        }
        self
    }
}

/// A file of ours that cannot be read, written or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An operating system error, with the file it concerns.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "open", "write", "sync" and so on.
        action: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// Not a gyeol file at all.
    #[error("{path}: not a gyeol file ({reason})", path = path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// A file of a newer format than this build reads.
    #[error("{path}: written in format {found}, and this build reads up to {supported}; upgrade gyeol", path = path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },
    /// A checksum, length or offset that does not hold.
    #[error(
        "{path}: damaged: {reason}; restore the file, or build the index again; of a collection `gyeol verify` tells \
         what is damaged, and `gyeol repair` makes vectors again",
        path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Which part is damaged and how that shows.
        reason: String,
    },
    /// Another process holds the writer lock.
    #[error("{path}: locked by {holder}; one process writes at a time: wait for it, or stop it", path = path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, as far as it can be told.
        holder: String,
    },
}

impl StoreError {
    /// Wraps an operating system error with the file and the action it concerns.
    pub(crate) fn io(path: impl Into<PathBuf>, action: &'static str, source: io::Error) -> Self {
        StoreError::Io { path: path.into(), action, source }
    }

    /// A damaged file.
    pub(crate) fn corrupt(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        StoreError::Corrupt { path: path.into(), reason: reason.into() }
    }
}

/// An index that cannot be built or searched as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The vectors are not usable.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// The query vector is not usable; it counts as row 0.
    #[error("the query vector: {0}")]
    Query(VectorsError),
    /// The index file is not usable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// k = 0.
    #[error("k is 0; ask for at least one neighbour")]
    ZeroK,
    /// A parameter outside its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// Text that cannot be read or chunked as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The folder cannot be walked at all.
    #[error("{path}: cannot read the folder: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: usize,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// A collection that cannot be opened, changed or searched as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// There is no collection at this path.
    #[error("{path}: no collection here; make one with `gyeol index DIR` or Collection::open_or_create", path = path.display())]
    NotFound {
        /// The path that was tried.
        path: PathBuf,
    },
    /// A folder that holds other things.
    #[error("{path}: this folder holds other files and no collection; name a folder of its own, by custom FOLDER/.gyeol", path = path.display())]
    NotACollection {
        /// The folder.
        path: PathBuf,
    },
    /// Changes that wait for a commit are in the way of one that builds on it.
    #[error("{path}: changes wait for a commit; call Collection::commit first", path = path.display())]
    Uncommitted {
        /// The collection.
        path: PathBuf,
    },
    /// A folder for a copy that holds other things.
    #[error("{path}: this folder is not empty; name one that is, or that does not exist yet", path = path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The collection was made with another embedding model.
    #[error(
        "{path}: this collection was made with the model {stored}, and {given} was given; vectors of two models cannot be compared: \
         open it with {stored}, or embed its texts anew (`gyeol index --model NAME`, Collection::change_model)",
        path = path.display()
    )]
    ModelMismatch {
        /// The collection.
        path: PathBuf,
        /// The model that the collection remembers.
        stored: String,
        /// The model that was given.
        given: String,
    },
    /// The collection was made with other settings.
    #[error(
        "{path}: this collection has {name} {stored}, and {given} was asked for; keep {stored}, or make it anew \
         (`gyeol index --rebuild`, Collection::rebuild)",
        path = path.display()
    )]
    SettingMismatch {
        /// The collection.
        path: PathBuf,
        /// Which setting.
        name: &'static str,
        /// What the collection remembers.
        stored: String,
        /// What was given.
        given: String,
    },
    /// The collection is of a newer format than this build reads.
    #[error("{path}: collection of format {found}, and this build reads up to {supported}; upgrade gyeol", path = path.display())]
    NewerFormat {
        /// The collection.
        path: PathBuf,
        /// The collection's format.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },
    /// The document store is damaged or fails.
    #[error("{path}: document store: {reason}", path = path.display())]
    Documents {
        /// The collection.
        path: PathBuf,
        /// What the document store said.
        reason: String,
    },
    /// The manifest does not fit the files.
    #[error("{path}: damaged: {reason}; make the collection anew with `gyeol index --rebuild`", path = path.display())]
    Corrupt {
        /// The collection.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A write failed before; the writer cannot know what reached the disk.
    #[error("{path}: an earlier write failed, so this writer takes no more changes; open the collection again", path = path.display())]
    WriterFailed {
        /// The collection.
        path: PathBuf,
    },
    /// A document without a key, or with one that is too long.
    #[error("document key {key:?} is not usable: {reason}")]
    Key {
        /// The key, cut to 80 characters.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A query or a parameter that cannot be used.
    #[error("{0}")]
    Query(String),
    /// A filter that cannot be read, or is over a limit.
    #[error(transparent)]
    Filter(#[from] FilterError),
}
