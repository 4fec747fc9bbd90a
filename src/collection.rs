//! A collection: texts with keys, their vectors, and the file they came from, in one folder.
//!
//! ```text
//! notes/.gyeol/
//!   LOCK          held by the one process that writes
//!   documents/    chunks and file records (tantivy); meta.json is the commit, with the manifest
//!   vectors/      segments (.seg) and deleted rows (.del), named by the manifest
//! ```
//!
//! Changes wait in memory until [`Collection::commit`]; then they are on disk, all or none.
//! Searches see the collection as of the last commit made or [`Collection::refresh`] done here;
//! readers in other processes keep what they opened and never wait for the writer.

mod directory;
mod documents;
mod folder;
mod manifest;
mod merge;
mod query;
mod recall;
mod snapshot;
mod status;
mod writer;

use std::collections::HashMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use folder::{AddOptions, Progress, Report};
pub use query::{Found, Hit, Mode, Search, Source};
pub use recall::Sample;
pub use status::Status;

use self::documents::{By, FileRecord, StoredChunk};
use self::manifest::Manifest;
use self::snapshot::{Snapshot, documents_error};
use self::writer::Writer;
use crate::embed::Embedder;
use crate::error::{CollectionError, Result, StoreError};
use crate::metric::Metric;
use crate::store::{Disk, Storage};
use crate::text::{self, ChunkSize, Chunker, SourceMap, Span};

/// The folder of a collection within the folder whose files it holds.
pub const FOLDER_NAME: &str = ".gyeol";
/// Longer keys are refused.
pub const MAX_KEY_BYTES: usize = 4096;

/// A text to add, known by its key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewDocument {
    /// What it is found and replaced by: 1 to [`MAX_KEY_BYTES`] bytes.
    pub key: String,
    /// The text, of any length; it is cut into chunks.
    pub text: String,
    /// Anything else that is to come back with it.
    pub payload: serde_json::Map<String, serde_json::Value>,
}

/// Texts with their vectors, in one folder. See the [module](self).
pub struct Collection {
    path: PathBuf,
    storage: Arc<dyn Storage>,
    embedder: Arc<dyn Embedder>,
    /// The last commit; none before the first.
    snapshot: Option<Snapshot>,
    /// The manifest that the next commit starts from.
    base: Manifest,
    writer: Option<Writer>,
}

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
        if collection.snapshot.is_none() {
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
        if collection.snapshot.is_none() {
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
        if collection.snapshot.is_none() {
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
        let mut base = Manifest::new(embedder.identity(), chunk);
        let writer = Writer::open_anew(storage.clone(), &mut base)?;
        write_ignore_file(&*storage)?;
        let embedder = Arc::new(embedder);
        Ok(Collection { path, storage, embedder, snapshot: None, base, writer: Some(writer) })
    }

    fn on(storage: Arc<dyn Storage>, embedder: Arc<dyn Embedder>, chunk: ChunkSize) -> Result<Self> {
        let path = storage.full_path(Path::new(""));
        let snapshot = Snapshot::latest(&storage)?;
        let base = match &snapshot {
            Some(snapshot) => snapshot.manifest.clone(),
            None => Manifest::new(embedder.identity(), chunk),
        };
        Ok(Collection { path, storage, embedder, snapshot, base, writer: None })
    }

    fn create(&mut self) -> Result<()> {
        check_place(&self.path)?;
        self.writer()?;
        // Another process may have made it in the meantime.
        if self.snapshot.is_some() {
            self.check_model()?;
            return Ok(());
        }
        write_ignore_file(&*self.storage)?;
        self.commit_now()
    }

    fn check_model(&self) -> Result<()> {
        let (stored, given) = (&self.base.model, self.embedder.identity());
        if stored == given {
            return Ok(());
        }
        let path = self.path.clone();
        Err(CollectionError::ModelMismatch { path, stored: stored.to_string(), given: given.to_string() }.into())
    }

    /// Where the collection is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How documents are cut.
    pub fn chunk(&self) -> ChunkSize {
        self.base.chunk()
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        Metric::from_name(&self.base.metric).unwrap_or_default()
    }

    /// Brings the collection in line with a folder: new and changed files are read, cut and
    /// embedded, the chunks of files that are gone are removed, everything else is left alone.
    /// Nothing is on disk before [`Collection::commit`].
    ///
    /// # Errors
    /// [`crate::error::TextError::Folder`] when the folder cannot be read, [`StoreError::Locked`],
    /// errors of the embedder. Files that cannot be read are no error; the report lists them.
    pub fn add_dir(&mut self, dir: impl AsRef<Path>) -> Result<Report> {
        self.add_dir_with(dir, &AddOptions::default(), &mut |_| ControlFlow::Continue(()))
    }

    /// [`Collection::add_dir`] with options and a function that is told how far things are, and
    /// may end the run: what was finished by then stays, and can be committed.
    ///
    /// # Errors
    /// As [`Collection::add_dir`].
    pub fn add_dir_with(
        &mut self,
        dir: impl AsRef<Path>,
        options: &AddOptions,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<Report> {
        folder::add(self, dir.as_ref(), options, on_progress)
    }

    /// Adds documents; one whose key the collection has replaces what had it, as [`Collection::delete`]
    /// does. Returns how many
    /// texts were embedded.
    ///
    /// # Errors
    /// [`CollectionError::Key`] when a key is empty or too long, or stands twice (then nothing is
    /// added); [`StoreError::Locked`]; errors of the embedder.
    pub fn upsert(&mut self, documents: &[NewDocument]) -> Result<u64> {
        let mut keys = std::collections::HashSet::new();
        for document in documents {
            let reason = match document.key.len() {
                0 => "it is empty",
                n if n > MAX_KEY_BYTES => "it is longer than 4096 bytes",
                _ if !keys.insert(document.key.as_str()) => "it stands twice in one call",
                _ => continue,
            };
            let key = document.key.chars().take(80).collect();
            return Err(CollectionError::Key { key, reason }.into());
        }
        // First, since it sees what others committed: the size of chunks, too.
        self.writer()?;
        let embedder = self.embedder.clone();
        let count = |text: &str| embedder.count_tokens(text);
        let chunker = Chunker::new(self.chunk(), &count)?;
        let chunks: Vec<StoredChunk> = documents.iter().flat_map(|d| chunks_of(&chunker, d)).collect();
        let refs: Vec<&StoredChunk> = chunks.iter().collect();
        let (vectors, embedded) = folder::vectors_of(self, &refs)?;
        for document in documents {
            self.delete(&document.key)?;
        }
        let writer = self.writer()?;
        for (chunk, vector) in chunks.iter().zip(&vectors) {
            let parts = vector.row.as_ref().map(|(row, norm)| (vector.hash.as_str(), &row[..], *norm));
            writer.add(chunk, parts)?;
        }
        Ok(embedded)
    }

    /// Deletes the documents of a key; returns how many chunks that were. A document that came from a
    /// file comes back with the next [`Collection::add_dir`] while the file has it.
    ///
    /// # Errors
    /// [`StoreError::Locked`].
    pub fn delete(&mut self, key: &str) -> Result<u64> {
        self.writer()?;
        let committed = match &self.snapshot {
            Some(snapshot) => snapshot.documents.chunks(By::Key(key)).map_err(|e| documents_error(&self.path, e))?,
            None => Vec::new(),
        };
        let writer = self.writer()?;
        let mut files = writer.files_of(key);
        files.extend(committed.into_iter().filter_map(|chunk| chunk.path));
        for file in files {
            writer.remove_record(&file)?;
        }
        self.delete_by(By::Key(key))
    }

    /// The committed chunks of a key, in their order; the score of each is 0.
    ///
    /// # Errors
    /// [`CollectionError::Documents`].
    pub fn get(&self, key: &str) -> Result<Vec<Hit>> {
        let Some(snapshot) = &self.snapshot else { return Ok(Vec::new()) };
        let chunks = snapshot.documents.chunks(By::Key(key)).map_err(|e| documents_error(&self.path, e))?;
        Ok(chunks.into_iter().map(|c| query::hit(0.0, c)).collect())
    }

    /// Starts a search; see [`Search`].
    pub fn search<'a>(&'a self, query: &'a str) -> Search<'a> {
        Search::new(self, query)
    }

    /// Makes all changes durable and visible. When this returns `Ok` they survive a power cut;
    /// when the process dies before, the collection is as of the commit before.
    ///
    /// # Errors
    /// [`StoreError`] and [`CollectionError`]; the changes are lost then, the commit before
    /// stands, and this collection takes no more changes until it is opened again.
    pub fn commit(&mut self) -> Result<()> {
        match &self.writer {
            Some(writer) if writer.is_changed() => self.commit_now(),
            _ => Ok(()),
        }
    }

    fn commit_now(&mut self) -> Result<()> {
        self.writer()?;
        if let Some(writer) = &mut self.writer {
            writer.commit(self.snapshot.as_ref(), &self.base)?;
        }
        self.refresh()
    }

    /// Sees what other processes committed.
    ///
    /// # Errors
    /// As [`Collection::open`].
    pub fn refresh(&mut self) -> Result<()> {
        // What is there is about to be replaced.
        if self.writer.as_ref().is_some_and(Writer::is_anew) {
            return Ok(());
        }
        self.snapshot = Snapshot::latest(&self.storage)?;
        self.base = match &self.snapshot {
            Some(snapshot) => snapshot.manifest.clone(),
            None => Manifest::new(self.embedder.identity(), self.chunk()),
        };
        Ok(())
    }

    /// Size and make, as of the last commit.
    ///
    /// # Errors
    /// [`CollectionError::Documents`] and [`StoreError::Io`].
    pub fn status(&self) -> Result<Status> {
        status::of(&*self.storage, &self.path, self.snapshot.as_ref(), &self.base)
    }

    /// [`Collection::status`] of the collection at `path`, whatever its embedder.
    ///
    /// # Errors
    /// As [`Collection::open`], but for the model.
    pub fn status_of(path: impl AsRef<Path>) -> Result<Status> {
        let path = path.as_ref();
        let storage: Arc<dyn Storage> = Arc::new(Disk::new(path));
        let Some(snapshot) = Snapshot::latest(&storage)? else {
            return Err(CollectionError::NotFound { path: path.to_owned() }.into());
        };
        status::of(&*storage, path, Some(&snapshot), &snapshot.manifest)
    }

    fn delete_by(&mut self, by: By<'_>) -> Result<u64> {
        self.writer()?;
        match (&mut self.writer, &self.snapshot) {
            (Some(writer), snapshot) => writer.delete(snapshot.as_ref(), by),
            (None, _) => Ok(0),
        }
    }

    /// The writer, opened when the first change comes.
    fn writer(&mut self) -> Result<&mut Writer> {
        if self.writer.is_none() {
            let mut writer = Writer::open(self.storage.clone())?;
            // Others may have committed since this collection was opened.
            self.refresh()?;
            self.check_model()?;
            writer.begin(&self.base);
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => Ok(writer),
            None => Err(CollectionError::WriterFailed { path: self.path.clone() }.into()),
        }
    }

    /// File records with the changes that wait for a commit.
    fn file_records(&mut self) -> Result<HashMap<String, FileRecord>> {
        self.writer()?;
        let records = self.snapshot.as_ref().map(|s| s.documents.records()).transpose();
        let mut records = records.map_err(|e| documents_error(&self.path, e))?.unwrap_or_default();
        for (name, record) in self.writer.iter().flat_map(|w| &w.records) {
            match record {
                Some(record) => records.insert(name.clone(), record.clone()),
                None => records.remove(name),
            };
        }
        Ok(records)
    }

    /// The committed vector of a text with this hash.
    fn vector_of_hash(&self, hash: &str) -> Result<Option<(Vec<f32>, f32)>> {
        let Some(snapshot) = &self.snapshot else { return Ok(None) };
        let slot = snapshot.documents.slot_of_hash(hash).map_err(|e| documents_error(&self.path, e))?;
        let Some(slot) = slot else { return Ok(None) };
        Ok(snapshot.vector(slot)?)
    }

    /// What stands before the names of a folder's files: nothing for the folder that the
    /// collection stands in, the way from there to folders below it, the full path for others.
    fn prefix_of(&self, dir: &Path) -> String {
        let real = |p: &Path| p.canonicalize().unwrap_or_else(|_| p.to_owned());
        let (dir, root) = (real(dir), real(self.path.parent().unwrap_or(&self.path)));
        let parts = match dir.strip_prefix(&root) {
            Ok(below) if below.as_os_str().is_empty() => return String::new(),
            Ok(below) => text::path_name(below),
            Err(_) => text::path_name(&dir),
        };
        format!("{parts}/")
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
fn write_ignore_file(storage: &dyn Storage) -> Result<()> {
    let ignore = Path::new(".gitignore");
    let written = match storage.create(ignore) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    };
    Ok(written.map_err(|e| StoreError::io(storage.full_path(ignore), "write", e))?)
}

fn disk(path: &Path) -> Result<Arc<dyn Storage>> {
    let path = std::path::absolute(path).map_err(|e| StoreError::io(path, "find", e))?;
    Ok(Arc::new(Disk::new(path)))
}

fn chunks_of(chunker: &Chunker<'_>, document: &NewDocument) -> Vec<StoredChunk> {
    let whole = text::Document {
        key: None,
        text: document.text.clone(),
        headings: Vec::new(),
        payload: serde_json::Map::new(),
        map: SourceMap::Whole(Span::default()),
        format: text::Format::Plain,
    };
    let payload = Arc::new(document.payload.clone());
    let stored = |(nth, chunk): (u32, text::Chunk)| {
        let (key, payload) = (document.key.clone(), payload.clone());
        let (lines, bytes) = ((0, 0), (0, 0));
        StoredChunk { key, path: None, lines, bytes, headings: Vec::new(), text: chunk.text, nth, payload }
    };
    (0..).zip(chunker.chunks(&whole)).map(stored).collect()
}

#[cfg(all(test, feature = "builtin"))]
mod tests;
