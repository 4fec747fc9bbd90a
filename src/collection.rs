//! A collection: texts with keys, their vectors, and the file they came from, in one folder.
//!
//! ```text
//! notes/.gyeol/
//!   LOCK            held by the one process that writes
//!   clusters.model  centroids of clusters, where some were kept
//!   manifest.json   names all other files with their checksums; replacing it is the commit
//!   documents/      chunks and file records (tantivy)
//!   vectors/        segments (.seg) and their deleted rows (.del)
//! ```
//!
//! Changes wait in memory until [`Collection::commit`]; then they are on disk, all or none.
//! Searches see the collection as of the last commit made or [`Collection::refresh`] done here;
//! readers in other processes keep what they opened and never wait for the writer.

mod background;
mod backup;
mod change_model;
pub mod clusters;
mod containing;
mod directory;
mod documents;
mod duplicates;
mod estimate;
pub mod filter;
mod folder;
mod ledger;
mod maintain;
mod manifest;
mod merge;
mod open;
mod published;
mod recall;
mod repair;
pub mod search;
mod selection;
mod snapshot;
mod status;
mod vectors;
mod verify;
mod writer;

/// What [`published`] is built of; model checkers put their own there.
mod sync {
    pub(super) use std::sync::{Arc, RwLock};
}

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use backup::{Copied, Copying};
pub use clusters::{Algorithm, ClusterProgress, Clustering, Clusters, Corpus, Count, Topic};
pub use duplicates::Duplicates;
pub use estimate::Estimate;
pub use filter::{Filter, FilterField};
pub use folder::{AddOptions, Progress, Report};
pub use recall::Sample;
pub use repair::Repair;
pub use search::{Found, Fusion, Hit, Mode, Scores, Search, Source, Target};
pub use status::Status;
pub use verify::{Effect, Problem, Remedy, Thoroughness, Verification};

use self::documents::{By, FileRecord, StoredChunk};
use self::manifest::Manifest;
use self::published::Published;
use self::snapshot::{Snapshot, documents_error};
use self::writer::Writer;
use crate::embed::Embedder;
use crate::error::{CollectionError, Result};
use crate::metric::Metric;
use crate::store::Storage;
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
    published: Arc<Published<Snapshot>>,
    /// What a first commit starts from.
    empty: Manifest,
    writer: Option<Writer>,
}

impl Collection {
    /// Where the collection is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What texts and queries are embedded by.
    #[cfg(feature = "chat")]
    pub(crate) fn embedder(&self) -> &dyn Embedder {
        self.embedder.as_ref()
    }

    /// How documents are cut.
    pub fn chunk(&self) -> ChunkSize {
        self.manifest(|m| m.chunk())
    }

    /// How vectors are compared.
    pub fn metric(&self) -> Metric {
        self.manifest(|m| Metric::from_name(&m.metric).unwrap_or_default())
    }

    /// Brings the collection in line with a folder: new and changed files are read, cut and
    /// embedded, the chunks of files that are gone are removed, everything else is left alone.
    /// Nothing is on disk before [`Collection::commit`].
    ///
    /// # Errors
    /// [`crate::error::TextError::Folder`] when the folder cannot be read, [`crate::error::StoreError::Locked`],
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
    /// added); [`crate::error::StoreError::Locked`]; errors of the embedder.
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
            if let Err(error) = self.delete(&document.key) {
                // Others are deleted by now, and nothing has taken their place.
                self.writer()?.fail();
                return Err(error);
            }
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
    /// [`crate::error::StoreError::Locked`].
    pub fn delete(&mut self, key: &str) -> Result<u64> {
        self.writer()?;
        let committed = match self.snapshot() {
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
        let Some(snapshot) = self.snapshot() else { return Ok(Vec::new()) };
        let chunks = snapshot.documents.chunks(By::Key(key)).map_err(|e| documents_error(&self.path, e))?;
        Ok(chunks.into_iter().map(|c| Hit::new(0.0, Scores::default(), c)).collect())
    }

    /// How many committed chunks a filter selects.
    ///
    /// ```
    /// # fn recent(collection: &gyeol::Collection) -> gyeol::Result<()> {
    /// let recent = collection.count(&r#"lang = "ko" and year >= 2020"#.parse()?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CollectionError::Filter`] when the filter is over a limit; errors of damaged files.
    pub fn count(&self, filter: &Filter) -> Result<u64> {
        filter.validate().map_err(CollectionError::from)?;
        let Some(snapshot) = self.snapshot() else { return Ok(0) };
        Ok(snapshot.selection(filter)?.chunks)
    }

    /// Starts a search for a text, by meaning and by words; see [`Search`].
    pub fn search<'a>(&'a self, query: &'a str) -> Search<'a> {
        self.search_for(Target::Text(query))
    }

    /// Starts a search for a text, a vector, or what is like a document; see [`Search`].
    pub fn search_for<'a>(&'a self, target: Target<'a>) -> Search<'a> {
        Search::new(self, target)
    }

    /// Runs searches for many texts on all cores, which are embedded in one go. `with` says what each is to be like
    /// beside its text. The answers are in the order of the texts.
    ///
    /// ```
    /// # fn ask(collection: &gyeol::Collection) -> gyeol::Result<()> {
    /// let found = collection.search_many(&["조수 간만", "tides"], |search| search.k(3))?;
    /// assert_eq!(found.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Search::run`], for the first text that has one.
    pub fn search_many<'a>(
        &'a self,
        queries: &[&'a str],
        with: impl Fn(Search<'a>) -> Search<'a> + Sync,
    ) -> Result<Vec<Found>> {
        search::many(self, queries, with)
    }

    /// Makes all changes durable and visible.
    ///
    /// 1. Durable: when this returns `Ok` the changes survive a killed process and a power cut.
    /// 2. Atomic: after a crash the collection is as of this commit or the one before.
    /// 3. Readers, in this process and in others, keep the snapshot that they opened, and never wait.
    /// 4. There is one writer, across processes; its lock goes with its process.
    /// 5. Every byte of the files has a checksum, which is compared when it is opened or first read (graphs and codes:
    ///    by [`Search::paranoid`] and [`Collection::verify`]).
    /// 6. Lengths in files are compared with the real ones before anything is allocated.
    /// 7. Whatever the files hold, nothing here panics, aborts or exits.
    /// 8. A full disk, an I/O error, a read-only file system, a kill and a power cut lose no commit. After an error
    ///    nobody can know what reached the disk: this collection takes no more changes until it is opened again, which
    ///    shows this commit or the one before.
    /// 9. A damaged graph means exact search, a warning in [`Found::warnings`], and [`Collection::repair`]; a damaged
    ///    vector or text is an error that names its file.
    /// 10. [`Collection::purge`] leaves no byte of a deleted vector or text.
    ///
    /// Small segments are joined on the way; larger ones are merged in the background after it (see
    /// [`Collection::wait_for_merges`]), which changes no answer.
    ///
    /// # Errors
    /// [`crate::error::StoreError`] and [`CollectionError`].
    pub fn commit(&mut self) -> Result<()> {
        match &mut self.writer {
            Some(writer) if writer.is_changed() => writer.commit(),
            _ => Ok(()),
        }
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
        let before = self.snapshot();
        match Snapshot::latest(&self.storage, before.as_deref())? {
            Some(latest) => {
                self.published.publish(Arc::new(latest));
            }
            None => {
                self.empty = Manifest::new(self.embedder.identity(), self.chunk());
                self.published.clear();
            }
        }
        Ok(())
    }

    /// The last commit, as it was opened.
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.published.load()
    }

    /// Something of the manifest of the last commit, or of the empty collection before the first.
    fn manifest<T>(&self, of: impl FnOnce(&Manifest) -> T) -> T {
        match self.snapshot() {
            Some(snapshot) => of(&snapshot.manifest),
            None => of(&self.empty),
        }
    }

    fn delete_by(&mut self, by: By<'_>) -> Result<u64> {
        let snapshot = {
            self.writer()?;
            self.snapshot()
        };
        self.writer()?.delete(snapshot.as_deref(), by)
    }

    /// The writer, opened when the first change comes.
    fn writer(&mut self) -> Result<&mut Writer> {
        if self.writer.is_none() {
            let writer = Writer::open(self.storage.clone(), self.published.clone(), &self.empty)?;
            // Others may have committed since this collection was opened.
            self.refresh()?;
            self.check_model()?;
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
        let records = self.snapshot().map(|s| s.documents.records()).transpose();
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
        let Some(snapshot) = self.snapshot() else { return Ok(None) };
        let slot = snapshot.documents.slot_of_hash(hash).map_err(|e| documents_error(&self.path, e))?;
        let Some(slot) = slot else { return Ok(None) };
        Ok(snapshot.vector(slot)?)
    }

    /// See [`prefix_between`].
    fn prefix_of(&self, dir: &Path) -> String {
        prefix_between(&self.path, dir)
    }
}

/// What stands before the names of a folder's files: nothing for the folder that the collection stands in, the way from
/// there to folders below it, the full path for others.
fn prefix_between(collection: &Path, dir: &Path) -> String {
    let real = |p: &Path| p.canonicalize().unwrap_or_else(|_| p.to_owned());
    let (dir, root) = (real(dir), real(collection.parent().unwrap_or(collection)));
    let parts = match dir.strip_prefix(&root) {
        Ok(below) if below.as_os_str().is_empty() => return String::new(),
        Ok(below) => text::path_name(below),
        Err(_) => text::path_name(&dir),
    };
    format!("{parts}/")
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
