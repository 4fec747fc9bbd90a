//! The writer's way to the disk: files that were written, and the manifest that makes them the collection.
//!
//! Files are written as they come and synced together when a manifest is published that may name them:
//! contents first, then the folders' names, then the manifest takes the place of the one before. After an error
//! on this way nobody can know what reached the disk, so nothing is published any more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value as Json;

use super::manifest::{DocumentsEntry, FILE, FileEntry, Manifest, SealEntry, SegmentEntry};
use super::snapshot::documents_error;
use super::{directory, snapshot};
use crate::error::{CollectionError, Error, Result, StoreError};
use crate::store::{Seal, Storage, StorageFile};

/// The manifest until it is renamed.
const TEMPORARY: &str = ".manifest.json.tmp";
/// Files are held open until they are synced; with more than this they are synced early.
const MOST_UNSYNCED: usize = 64;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Ledger {
    storage: Arc<dyn Storage>,
    state: Mutex<State>,
    failed: AtomicBool,
    /// The first error of a file of documents: tantivy's threads lose it on the way.
    first_error: Mutex<Option<io::Error>>,
}

struct State {
    /// What is published, or will be built upon when nothing is.
    base: Manifest,
    is_published: bool,
    /// tantivy's latest `meta.json`; before the first commit it is only here.
    meta: Option<Json>,
    /// The manifest of the commit under way, known by its number; its documents are still to come.
    pending: Option<Manifest>,
    unsynced: Vec<Box<dyn StorageFile>>,
    /// Folders with names that are not synced.
    folders: BTreeSet<&'static str>,
    /// The files of documents that there are, named by a manifest or not yet.
    seals: BTreeMap<String, Seal>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} generation {}, {} unsynced)", self.base.id, self.base.generation, self.unsynced.len())
    }
}

impl Ledger {
    /// Goes on from a published manifest, or from one that is not published and names no file.
    pub fn new(storage: Arc<dyn Storage>, base: Manifest, is_published: bool) -> Self {
        let state = State {
            meta: is_published.then(|| base.documents.meta.clone()),
            seals: base.documents.files.iter().map(|(name, seal)| (name.clone(), seal.0)).collect(),
            base,
            is_published,
            pending: None,
            unsynced: Vec::new(),
            folders: BTreeSet::new(),
        };
        Ledger { storage, state: Mutex::new(state), failed: AtomicBool::new(false), first_error: Mutex::new(None) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What is published; before the first commit, what it will be built upon.
    pub fn base(&self) -> Manifest {
        self.state().base.clone()
    }

    /// Lets nothing be published or removed any more.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether nothing can be published any more.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    fn refuse_failed(&self) -> io::Result<()> {
        match self.has_failed() {
            true => Err(io::Error::other("an earlier write failed")),
            false => Ok(()),
        }
    }

    /// Writes a file of vectors, under a name that no file had before.
    ///
    /// # Errors
    /// [`StoreError::Io`]; then there is no such file, as far as it can be removed.
    pub fn write_vectors(
        &self,
        ending: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<Seal>,
    ) -> Result<FileEntry, StoreError> {
        let number = {
            let mut state = self.state();
            state.base.next_file += 1;
            state.base.next_file - 1
        };
        let name = format!("{number:08}.{ending}");
        let path = Path::new(snapshot::FOLDER).join(&name);
        let failed = |action| {
            let path = self.storage.full_path(&path);
            move |source| StoreError::Io { path, action, source }
        };
        self.refuse_failed().map_err(failed("write"))?;
        let mut file = self.storage.create(&path).map_err(failed("create"))?;
        let mut out = BufWriter::with_capacity(1 << 16, &mut file);
        let written = write(&mut out).and_then(|seal| out.flush().map(|()| seal));
        drop(out);
        let seal = written.and_then(|seal| self.add(file, snapshot::FOLDER).map(|()| seal)).map_err(|source| {
            let _ = self.storage.remove(&path);
            failed("write")(source)
        })?;
        Ok(FileEntry { name, seal: SealEntry(seal) })
    }

    /// Keeps a whole file until it is synced.
    fn add(&self, file: Box<dyn StorageFile>, folder: &'static str) -> io::Result<()> {
        let mut state = self.state();
        state.unsynced.push(file);
        state.folders.insert(folder);
        if state.unsynced.len() < MOST_UNSYNCED {
            return Ok(());
        }
        let files = std::mem::take(&mut state.unsynced);
        self.storage.sync_files(files).inspect_err(|_| self.fail())
    }

    /// Starts a file of documents.
    pub fn create_document(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        self.refuse_failed()?;
        self.note(self.storage.create(&Path::new(directory::FOLDER).join(name)))
    }

    /// Takes a file of documents that is written to its end.
    pub fn add_document(&self, name: &str, file: Box<dyn StorageFile>, seal: Seal) -> io::Result<()> {
        self.state().seals.insert(name.to_owned(), seal);
        self.note(self.add(file, directory::FOLDER))
    }

    /// Removes a file of documents, but none that the collection has.
    pub fn remove_document(&self, name: &Path) -> io::Result<()> {
        self.refuse_failed()?;
        let text = name.to_string_lossy();
        let mut state = self.state();
        if state.is_published && state.base.documents.files.contains_key(&*text) {
            return Err(io::Error::other("the collection has this file"));
        }
        self.storage.remove(&Path::new(directory::FOLDER).join(name))?;
        state.seals.remove(&*text);
        Ok(())
    }

    /// What is noted of a file of documents, if there is such a file.
    pub fn document_seal(&self, name: &str) -> Option<Seal> {
        self.state().seals.get(name).copied()
    }

    /// The names of the files of documents.
    pub fn document_names(&self) -> Vec<String> {
        self.state().seals.keys().cloned().collect()
    }

    /// tantivy's `meta.json`, if there is one yet.
    pub fn meta(&self) -> Option<Vec<u8>> {
        self.state().meta.as_ref().map(|meta| meta.to_string().into_bytes())
    }

    /// Names the manifest that tantivy's commit of the same number completes.
    pub fn begin(&self, manifest: Manifest) {
        self.state().pending = Some(manifest);
    }

    /// Takes tantivy's new `meta.json`: that of the commit under way, or that of the same commit in other files.
    pub fn publish_meta(&self, meta: &[u8]) -> io::Result<()> {
        let meta: Json = serde_json::from_slice(meta)?;
        let mut state = self.state();
        let number = meta["payload"].as_str().and_then(|payload| payload.parse::<u64>().ok());
        let is_pending = |pending: &Manifest| Some(pending.commit) == number;
        let mut manifest = match state.pending.take_if(|pending| is_pending(pending)) {
            Some(pending) => pending,
            // An index that is being made has no commit yet.
            None if !state.is_published => {
                state.meta = Some(meta);
                return Ok(());
            }
            None => state.base.clone(),
        };
        manifest.documents = DocumentsEntry { files: files_of(&meta, &state.seals), meta: meta.clone() };
        self.publish(&mut state, manifest)?;
        state.meta = Some(meta);
        Ok(())
    }

    /// Publishes the same commit with other files of vectors.
    ///
    /// # Errors
    /// [`StoreError::Io`], and nothing is published any more.
    pub fn replace_vectors(&self, segments: Vec<SegmentEntry>) -> Result<Manifest> {
        let mut state = self.state();
        let manifest = Manifest { segments, ..state.base.clone() };
        let path = self.storage.full_path(Path::new(FILE));
        self.publish(&mut state, manifest).map_err(|e| StoreError::io(path, "write", e))?;
        Ok(state.base.clone())
    }

    /// Syncs what is not synced, and lets the manifest take the place of the one before.
    fn publish(&self, state: &mut State, manifest: Manifest) -> io::Result<()> {
        self.refuse_failed()?;
        let generation = state.base.generation + 1;
        let manifest = Manifest { generation, next_file: state.base.next_file, ..manifest };
        self.note(self.try_publish(state, &manifest)).inspect_err(|_| {
            self.fail();
            let _ = self.storage.remove(Path::new(TEMPORARY));
        })?;
        state.base = manifest;
        state.is_published = true;
        Ok(())
    }

    fn try_publish(&self, state: &mut State, manifest: &Manifest) -> io::Result<()> {
        if let Some(fault) = manifest.fault() {
            return Err(io::Error::other(fault));
        }
        let bytes = manifest.to_bytes().map_err(|e| io::Error::other(e.to_string()))?;
        // A leftover of a process that was killed.
        let _ = self.storage.remove(Path::new(TEMPORARY));
        let mut file = self.storage.create(Path::new(TEMPORARY))?;
        file.write_all(&bytes)?;
        let mut files = std::mem::take(&mut state.unsynced);
        files.push(file);
        self.storage.sync_files(files)?;
        for folder in std::mem::take(&mut state.folders) {
            self.storage.sync_dir(Path::new(folder))?;
        }
        self.storage.rename(Path::new(TEMPORARY), Path::new(FILE))?;
        self.storage.sync_dir(Path::new(""))
    }

    /// The error of a writer whose way to the disk is closed.
    pub fn failure(&self) -> CollectionError {
        CollectionError::WriterFailed { path: self.storage.full_path(Path::new("")) }
    }

    /// The error of a merge that ended without one.
    pub fn silent(&self) -> CollectionError {
        let reason = "a merge failed without saying why".to_owned();
        CollectionError::Documents { path: self.storage.full_path(Path::new("")), reason }
    }

    /// Keeps the first error of a file of documents.
    pub fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            let mut first = self.first_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            first.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        done
    }

    /// An error of tantivy as ours; of one that only says that a thread ended, what ended it.
    pub fn documents_error(&self, error: tantivy::TantivyError) -> Error {
        let told = documents_error(&self.storage.full_path(Path::new("")), error);
        let first = self.first_error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match (told, first) {
            (Error::Collection(CollectionError::Documents { .. }), Some(source)) => {
                StoreError::io(self.storage.full_path(Path::new(directory::FOLDER)), "write in", source).into()
            }
            (told, _) => told,
        }
    }

    /// Removes files of vectors that no manifest names any more. What stays behind costs space only, and goes
    /// when the next writer opens.
    pub fn remove_vectors<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        if !self.has_failed() {
            for name in names {
                let _ = self.storage.remove(&Path::new(snapshot::FOLDER).join(name));
            }
        }
    }

    /// Removes every file that the manifest does not name: what killed writers left. Only before anything else is
    /// written.
    ///
    /// # Errors
    /// [`StoreError::Io`] of the first file that stays; the others are removed.
    pub fn remove_unnamed(&self) -> Result<(), StoreError> {
        if self.has_failed() {
            return Ok(());
        }
        let mut first = Ok(());
        let base = self.base();
        let vectors: BTreeSet<&str> = base.vector_files().map(|f| f.name.as_str()).collect();
        let named = |folder: &str, name: &str| match folder {
            directory::FOLDER => base.documents.files.contains_key(name),
            _ => vectors.contains(name),
        };
        for folder in [directory::FOLDER, snapshot::FOLDER] {
            for (path, _) in self.storage.list(Path::new(folder)).unwrap_or_default() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if is_ours(folder, &name) && !named(folder, &name) {
                    let removed = self.storage.remove(&path);
                    first = first.and(removed.map_err(|e| StoreError::io(self.storage.full_path(&path), "remove", e)));
                }
            }
        }
        first
    }
}

/// Whether a file is named as ours are: others are left alone.
fn is_ours(folder: &str, name: &str) -> bool {
    let Some((stem, ending)) = name.split_once('.') else { return false };
    match folder {
        directory::FOLDER => stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit()),
        _ => stem.len() >= 8 && stem.bytes().all(|b| b.is_ascii_digit()) && matches!(ending, "seg" | "del"),
    }
}

/// The files that a `meta.json` needs: those of its segments, and of the lists of deleted documents the latest.
fn files_of(meta: &Json, seals: &BTreeMap<String, Seal>) -> BTreeMap<String, SealEntry> {
    let mut out = BTreeMap::new();
    for segment in meta["segments"].as_array().into_iter().flatten() {
        let id = segment["segment_id"].as_str().unwrap_or_default().replace('-', "");
        let deleted = segment["deletes"]["opstamp"].as_u64().map(|opstamp| format!("{id}.{opstamp}.del"));
        let of_segment = seals.range(id.clone()..).take_while(|(name, _)| name.starts_with(&id));
        let needed = of_segment.filter(|(name, _)| !name.ends_with(".del") || Some(*name) == deleted.as_ref());
        out.extend(needed.map(|(name, seal)| (name.clone(), SealEntry(*seal))));
    }
    out
}

/// The full path of a document file, for messages.
pub(super) fn document_path(storage: &dyn Storage, name: &Path) -> PathBuf {
    storage.full_path(&Path::new(directory::FOLDER).join(name))
}
