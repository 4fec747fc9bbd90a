//! Looking after a collection: its status, merging, and what brings back space.

use std::path::Path;

use super::Collection;
use super::open::disk;
use super::snapshot::Snapshot;
use super::status::{self, Status};
use crate::error::{CollectionError, Result};

impl Collection {
    /// Size and make, as of the last commit.
    ///
    /// # Errors
    /// [`CollectionError::Documents`] and [`crate::error::StoreError::Io`].
    pub fn status(&self) -> Result<Status> {
        let snapshot = self.snapshot();
        self.manifest(|manifest| status::of(&*self.storage, &self.path, snapshot.as_deref(), manifest))
    }

    /// [`Collection::status`] of the collection at `path`, whatever its embedder.
    ///
    /// # Errors
    /// As [`Collection::open`], but for the model.
    pub fn status_of(path: impl AsRef<Path>) -> Result<Status> {
        let storage = disk(path.as_ref())?;
        let path = storage.full_path(Path::new(""));
        let Some(snapshot) = Snapshot::latest(&storage, None)? else {
            return Err(CollectionError::NotFound { path }.into());
        };
        status::of(&*storage, &path, Some(&snapshot), &snapshot.manifest)
    }

    /// Waits until the background has nothing left to merge, and sees the result: the files are as few and as
    /// small then as merging makes them by itself. Returns what could not be merged and why, which costs space and
    /// no answer.
    ///
    /// # Errors
    /// [`CollectionError::WriterFailed`] after a failed commit; errors of damaged files.
    pub fn wait_for_merges(&mut self) -> Result<Vec<String>> {
        let Some(writer) = &mut self.writer else { return Ok(Vec::new()) };
        let trouble = writer.wait_for_merges()?;
        self.refresh()?;
        Ok(trouble.iter().map(ToString::to_string).collect())
    }

    /// Bounds the memory that merging takes, in bytes: segments that need more to be joined are left apart, and
    /// commits of more rows write several. Default: a quarter of the memory (the machine's, or that of the
    /// process's control group), and at least 64 MiB. It holds until the collection is dropped.
    ///
    /// # Errors
    /// [`crate::error::StoreError::Locked`]: merging is the writer's.
    pub fn set_merge_memory(&mut self, bytes: u64) -> Result<()> {
        self.writer()?.set_merge_memory(bytes);
        Ok(())
    }

    /// Commits, and writes everything anew that has deleted rows or documents, into as few files as the merge
    /// memory allows. Afterwards no file of the collection has a byte of a deleted vector or text; files that a
    /// reader has open go when it closes them.
    ///
    /// # Errors
    /// As [`Collection::commit`]; errors of damaged files, see [`Collection::repair`].
    pub fn compact(&mut self) -> Result<()> {
        self.commit()?;
        self.writer()?.compact()?;
        self.refresh()
    }

    /// [`Collection::delete`]s the documents of some keys and [`Collection::compact`]s, so that nothing of them is
    /// left in the collection's files. Returns how many chunks were deleted.
    ///
    /// # Errors
    /// As those.
    pub fn purge<S: AsRef<str>>(&mut self, keys: &[S]) -> Result<u64> {
        let mut chunks = 0;
        for key in keys {
            chunks += self.delete(key.as_ref())?;
        }
        self.compact()?;
        Ok(chunks)
    }
}
