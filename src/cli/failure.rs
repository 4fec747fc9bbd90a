//! How a run fails: a message and an exit code.

use std::io;

use super::print::shown;
use gyeol::Error;
use gyeol::error::{
    CacheError, ClusterError, CollectionError, EmbedError, IndexError, LlmError, StoreError, TextError, VectorsError,
};

pub const NOTHING_FOUND: u8 = 1;
pub const USAGE: u8 = 2;
pub const NO_COLLECTION: u8 = 3;
pub const DAMAGED: u8 = 4;
const LOCKED: u8 = 5;
pub const PROVIDER: u8 = 6;
pub const IO: u8 = 7;
/// What Rust ends with after a panic.
pub const BUG: u8 = 101;
pub const INTERRUPTED: u8 = 130;

/// Why a run ended early.
#[derive(Debug)]
pub enum Failure {
    /// Whoever reads stdout has had enough.
    BrokenPipe,
    /// To be shown as it is, and to end with this code.
    Error { code: u8, message: String },
}

impl Failure {
    pub fn new(code: u8, message: impl AsRef<str>) -> Self {
        Failure::Error { code, message: shown(message.as_ref()).into_owned() }
    }

    /// Reading or writing one of the standard streams failed.
    pub fn stream(name: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::new(IO, format!("{name}: {error}")),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Store(e) => of_store(e),
            Error::Index(IndexError::Store(e)) => of_store(e),
            Error::Vectors(VectorsError::Io { .. }) => IO,
            Error::Text(TextError::Folder { .. }) => IO,
            Error::Embed(
                EmbedError::UnknownModel { .. } | EmbedError::ChatOnly { .. } | EmbedError::Setting { .. },
            ) => USAGE,
            Error::Llm(LlmError::NothingFound) => NOTHING_FOUND,
            Error::Llm(LlmError::Stopped) => INTERRUPTED,
            Error::Llm(LlmError::Http { .. } | LlmError::Truncated { .. } | LlmError::Rounds { .. }) => PROVIDER,
            Error::Llm(LlmError::Choice { .. } | LlmError::NoRoute { .. }) => PROVIDER,
            Error::Cache(CacheError::Setting { .. }) => USAGE,
            Error::Cache(_) => IO,
            Error::Embed(_) | Error::Model(_) | Error::Rerank(_) => PROVIDER,
            Error::Cluster(ClusterError::Vectors(VectorsError::Io { .. })) => IO,
            Error::Cluster(ClusterError::Cancelled) => INTERRUPTED,
            Error::Cluster(ClusterError::Model { .. }) => DAMAGED,
            Error::Collection(e) => of_collection(e),
            // Parameters, queries and vectors that were given.
            _ => USAGE,
        };
        match error {
            // A mark under the column stands on a line of its own.
            Error::Collection(CollectionError::Filter(error)) => {
                let lines: Vec<String> = error.to_string().lines().map(|line| shown(line).into_owned()).collect();
                Failure::Error { code, message: lines.join("\n") }
            }
            error => Failure::new(code, error.to_string()),
        }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Error::from(error).into()
    }
}

impl From<VectorsError> for Failure {
    fn from(error: VectorsError) -> Self {
        Error::from(error).into()
    }
}

fn of_store(error: &StoreError) -> u8 {
    match error {
        StoreError::Io { .. } => IO,
        StoreError::Locked { .. } => LOCKED,
        _ => DAMAGED,
    }
}

fn of_collection(error: &CollectionError) -> u8 {
    match error {
        CollectionError::NotFound { .. } => NO_COLLECTION,
        CollectionError::NewerFormat { .. } | CollectionError::Documents { .. } | CollectionError::Corrupt { .. } => {
            DAMAGED
        }
        CollectionError::WriterFailed { .. } => IO,
        // Another model, another setting, a key or query that cannot be used.
        _ => USAGE,
    }
}
