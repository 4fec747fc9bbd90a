//! The size and make of a collection.

use std::path::Path;

use super::directory;
use super::manifest::Manifest;
use super::snapshot::{self, Snapshot, documents_error};
use crate::embed::ModelIdentity;
use crate::error::{Result, StoreError};
use crate::metric::Metric;
use crate::store::Storage;
use crate::text::ChunkSize;

/// The size and make of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Documents: files, rows, and texts added by key.
    pub documents: u64,
    /// The chunks that they were cut into.
    pub chunks: u64,
    /// Chunks that have no vector, and are found by words only.
    pub without_vector: u64,
    /// The embedder that made the vectors.
    pub model: ModelIdentity,
    /// How vectors are compared.
    pub metric: Metric,
    /// How documents are cut.
    pub chunk: ChunkSize,
    /// Bytes on disk: all files but the lock.
    pub bytes: u64,
    /// Bytes of the files of documents.
    pub document_bytes: u64,
    /// Bytes of the files of vectors.
    pub vector_bytes: u64,
    /// Segments of documents.
    pub document_segments: usize,
    /// Deleted documents that still take space: chunks, and records of files.
    pub deleted_documents: u64,
    /// Segments of vectors.
    pub segments: usize,
    /// Deleted vectors that still take space.
    pub deleted_vectors: u64,
    /// The number of the last commit.
    pub commit: u64,
    /// The collection's format.
    pub format: u32,
}

/// The status of a collection as of a snapshot; none before the first commit.
pub(super) fn of(
    storage: &dyn Storage,
    path: &Path,
    snapshot: Option<&Snapshot>,
    manifest: &Manifest,
) -> Result<Status> {
    let counts = snapshot.map(|s| s.documents.counts()).transpose().map_err(|e| documents_error(path, e))?;
    let (documents, chunks) = counts.unwrap_or_default();
    let bytes_of = |folder: &str| -> Result<u64> {
        let folder = Path::new(folder);
        let files = storage.list(folder).map_err(|e| StoreError::io(storage.full_path(folder), "list", e))?;
        Ok(files.iter().filter(|f| f.0 != Path::new("LOCK")).map(|f| f.1).sum())
    };
    let (document_bytes, vector_bytes) = (bytes_of(directory::FOLDER)?, bytes_of(snapshot::FOLDER)?);
    let (document_segments, deleted_documents) = snapshot.map(|s| s.documents.segments()).unwrap_or_default();
    let vectors: usize = snapshot.map_or(0, |s| s.segments.iter().map(|s| s.live()).sum());
    Ok(Status {
        documents,
        chunks,
        without_vector: chunks.saturating_sub(vectors as u64),
        model: manifest.model.clone(),
        metric: Metric::from_name(&manifest.metric).unwrap_or_default(),
        chunk: manifest.chunk(),
        bytes: bytes_of("")? + document_bytes + vector_bytes,
        document_bytes,
        vector_bytes,
        document_segments,
        deleted_documents,
        segments: manifest.segments.len(),
        deleted_vectors: manifest.segments.iter().map(|s| s.deleted_rows() as u64).sum(),
        commit: manifest.commit,
        format: manifest.format,
    })
}
