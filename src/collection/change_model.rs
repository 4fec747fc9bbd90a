//! Another embedder for the same texts: built beside the old collection, and swapped with one commit.

use std::ops::ControlFlow;
use std::path::Path;

use super::documents::StoredChunk;
use super::folder::vectors_of;
use super::open::disk;
use super::snapshot::Snapshot;
use super::{Collection, Progress};
use crate::embed::Embedder;
use crate::error::{CollectionError, Result};
use crate::metric::Metric;

impl Collection {
    /// The collection at `path` with another embedder: all its texts, those of files and those added by key, are
    /// embedded again, cut as they are. Nothing is read but the collection. The old one stands, and is searched, until
    /// [`Collection::commit`] of what this returns puts the new one in its place; dropping it leaves the old one.
    /// Clusters that were kept are of the old vectors: cluster again.
    ///
    /// `on_progress` is told of chunks, and may end the run: then the answer is `None`.
    ///
    /// # Errors
    /// [`CollectionError::NotFound`], [`crate::error::StoreError::Locked`]; errors of damaged files and of the embedder.
    pub fn change_model(
        path: impl AsRef<Path>,
        embedder: impl Embedder + 'static,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Option<Collection>> {
        let storage = disk(path.as_ref())?;
        let not_found = || CollectionError::NotFound { path: storage.full_path(Path::new("")) };
        let chunk = Snapshot::latest(&storage, None)?.ok_or_else(not_found)?.manifest.chunk();
        let mut new = Collection::rebuild(path, embedder, chunk)?;
        // Read again under the lock that the new one holds: what it begins with is the last commit.
        let old = Snapshot::latest(&storage, None)?.ok_or_else(not_found)?;
        if old.manifest.metric != Metric::default().name() {
            let (stored, given) = (old.manifest.metric.clone(), Metric::default().name().to_owned());
            let path = new.path;
            return Err(CollectionError::SettingMismatch { path, name: "metric", stored, given }.into());
        }
        let slots = old.documents.all_slots().map_err(|e| old.documents_error(e))?;
        let at_once = new.embedder.texts_at_once().max(1);
        let mut progress = Progress { total_bytes: slots.len() as u64, ..Progress::default() };
        for slots in slots.chunks(at_once) {
            let chunks: Vec<StoredChunk> = slots.iter().map(|(slot, _)| old.chunk(*slot)).collect::<Result<_>>()?;
            let (vectors, _) = vectors_of(&new, &chunks.iter().collect::<Vec<_>>())?;
            let writer = new.writer()?;
            for (chunk, vector) in chunks.iter().zip(&vectors) {
                let parts = vector.row.as_ref().map(|(row, norm)| (vector.hash.as_str(), &row[..], *norm));
                writer.add(chunk, parts)?;
            }
            progress.chunks += chunks.len() as u64;
            progress.bytes = progress.chunks;
            if on_progress(&progress).is_break() {
                return Ok(None);
            }
        }
        let records = old.documents.records().map_err(|e| old.documents_error(e))?;
        let writer = new.writer()?;
        for (name, record) in records {
            writer.set_record(&name, record)?;
        }
        Ok(Some(new))
    }
}
