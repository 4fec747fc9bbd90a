//! Opening a collection, and making one.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::Collection;
use super::manifest::Manifest;
use super::published::Published;
use super::snapshot::Snapshot;
use super::writer::Writer;
use crate::embed::{Embedder, ModelIdentity};
use crate::error::{CollectionError, Result, StoreError};
use crate::store::{Disk, Storage};
use crate::text::{ChunkSize, Chunker};

impl Collection {
    /// Opens the collection at `path` (by custom `FOLDER/.gyeol`), or makes an empty one there.
    ///
    /// # Errors
    /// As [`Collection::open`] but for the absence; [`StoreError::Locked`] when another process is
    /// writing to a collection that is only now being made.
    pub fn open_or_create(path: impl AsRef<Path>, embedder: impl Embedder + 'static) -> Result<Self> {
        Self::open_or_create_on(disk(path.as_ref())?, embedder)
    }

    /// Makes an empty collection whose documents are cut as `chunk` says.
    ///
    /// # Errors
    /// [`CollectionError::SettingMismatch`] when there is a collection that cuts otherwise, else as
    /// [`Collection::open_or_create`].
    pub fn open_or_create_with(
        path: impl AsRef<Path>,
        embedder: impl Embedder + 'static,
        chunk: ChunkSize,
    ) -> Result<Self> {
        Chunker::new(chunk, &|_| 0)?;
        let mut collection = Self::on(disk(path.as_ref())?, Arc::new(embedder), chunk)?;
        if collection.snapshot().is_none() {
            collection.create()?;
            return Ok(collection);
        }
        collection.check_model()?;
        if collection.chunk() != chunk {
            let (stored, given) = (collection.chunk().to_string(), chunk.to_string());
            let path = collection.path;
            return Err(CollectionError::SettingMismatch { path, name: "cutting", stored, given }.into());
        }
        Ok(collection)
    }

    /// Opens the collection at `path`. Nothing is locked, and nothing is read but the documents'
    /// metadata and the vector files' headers.
    ///
    /// # Errors
    /// [`CollectionError::NotFound`]; [`CollectionError::ModelMismatch`] when its vectors are
    /// another embedder's; [`CollectionError::NewerFormat`]; [`StoreError`] of damaged files.
    pub fn open(path: impl AsRef<Path>, embedder: impl Embedder + 'static) -> Result<Self> {
        Self::open_on(disk(path.as_ref())?, embedder)
    }

    /// [`Collection::open`] on another storage than a folder of the disk.
    ///
    /// # Errors
    /// As [`Collection::open`].
    pub fn open_on(storage: Arc<dyn Storage>, embedder: impl Embedder + 'static) -> Result<Self> {
        let collection = Self::on(storage, Arc::new(embedder), ChunkSize::default())?;
        if collection.snapshot().is_none() {
            return Err(CollectionError::NotFound { path: collection.path }.into());
        }
        collection.check_model()?;
        Ok(collection)
    }

    /// [`Collection::open_or_create`] on another storage than a folder of the disk.
    ///
    /// # Errors
    /// As [`Collection::open_or_create`].
    pub fn open_or_create_on(storage: Arc<dyn Storage>, embedder: impl Embedder + 'static) -> Result<Self> {
        let mut collection = Self::on(storage, Arc::new(embedder), ChunkSize::default())?;
        if collection.snapshot().is_none() {
            collection.create()?;
        } else {
            collection.check_model()?;
        }
        Ok(collection)
    }

    /// An empty collection that takes the place of the one at `path` with its first commit: the way
    /// to another embedder or another size of chunks. Until then the old one stands, damaged or not,
    /// and readers read it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process writes to it; [`CollectionError::NotACollection`];
    /// [`StoreError::Io`].
    pub fn rebuild(path: impl AsRef<Path>, embedder: impl Embedder + 'static, chunk: ChunkSize) -> Result<Self> {
        Chunker::new(chunk, &|_| 0)?;
        let storage = disk(path.as_ref())?;
        let path = storage.full_path(Path::new(""));
        check_place(&path)?;
        let empty = Manifest::new(embedder.identity(), chunk);
        let published = Arc::new(Published::new(None));
        let writer = Writer::open_anew(storage.clone(), published.clone(), empty.clone())?;
        write_ignore_file(&*storage).map_err(|e| StoreError::io(&path, "write in", e))?;
        let embedder = Arc::new(embedder);
        Ok(Collection { path, storage, embedder, published, empty, writer: Some(writer) })
    }

    /// The embedder that made the vectors of the collection at `path`: what to open it with.
    ///
    /// # Errors
    /// [`CollectionError::NotFound`]; errors of a damaged manifest.
    pub fn model_of(path: impl AsRef<Path>) -> Result<ModelIdentity> {
        let storage = disk(path.as_ref())?;
        let manifest = Manifest::read(&*storage)?;
        let missing = || CollectionError::NotFound { path: storage.full_path(Path::new("")) };
        Ok(manifest.ok_or_else(missing)?.model)
    }

    fn on(storage: Arc<dyn Storage>, embedder: Arc<dyn Embedder>, chunk: ChunkSize) -> Result<Self> {
        let path = storage.full_path(Path::new(""));
        let published = Arc::new(Published::new(Snapshot::latest(&storage, None)?.map(Arc::new)));
        let empty = Manifest::new(embedder.identity(), chunk);
        Ok(Collection { path, storage, embedder, published, empty, writer: None })
    }

    fn create(&mut self) -> Result<()> {
        check_place(&self.path)?;
        self.writer()?;
        // Another process may have made it in the meantime.
        if self.snapshot().is_some() {
            self.check_model()?;
            return Ok(());
        }
        write_ignore_file(&*self.storage).map_err(|e| StoreError::io(&self.path, "write in", e))?;
        self.writer()?.commit()
    }

    pub(super) fn check_model(&self) -> Result<()> {
        let (stored, given) = (self.manifest(|m| m.model.clone()), self.embedder.identity());
        if stored.is_interchangeable(given) {
            return Ok(());
        }
        let path = self.path.clone();
        Err(CollectionError::ModelMismatch { path, stored: stored.to_string(), given: given.to_string() }.into())
    }
}

/// Refuses a folder that holds anything else: what is not named by a manifest is removed there.
fn check_place(path: &Path) -> Result<()> {
    let is_empty = std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none());
    if is_empty || path.join("LOCK").is_file() {
        return Ok(());
    }
    Err(CollectionError::NotACollection { path: path.to_owned() }.into())
}

/// Version control has no use for a collection; a folder of notes often is under version control.
pub(super) fn write_ignore_file(storage: &dyn Storage) -> std::io::Result<()> {
    match storage.create(Path::new(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

pub(super) fn disk(path: &Path) -> Result<Arc<dyn Storage>> {
    let path = std::path::absolute(path).map_err(|e| StoreError::io(path, "find", e))?;
    Ok(Arc::new(Disk::new(path)))
}
