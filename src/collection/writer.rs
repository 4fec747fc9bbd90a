//! The one writer of a collection: what is pending, and how it is committed.
//!
//! A commit writes the new vector files and then commits tantivy; the manifest that tantivy's commit
//! completes takes the place of the one before, which is the one moment at which the collection changes. Files
//! that it does not name any more are unlinked after it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use tantivy::IndexWriter;
use tantivy::indexer::{LogMergePolicy, MergePolicy, NoMergePolicy};

use super::background::{Background, DocumentsMerge};
use super::directory::{self, DocumentDirectory};
use super::documents::{self, By, FileRecord, StoredChunk};
use super::ledger::{Ledger, document_path};
use super::manifest::{MOST, Manifest};
use super::merge::Rows;
use super::published::Published;
use super::snapshot::{self, LiveSegment, Snapshot, documents_error};
use super::vectors::VectorFiles;
use crate::error::{CollectionError, Error, Result, StoreError};
use crate::store::Storage;

/// tantivy's buffer for documents that are not written yet.
const DOCUMENT_BUFFER: usize = 64 << 20;
/// Segments of documents are merged, with those of their tier, when more than this part of their documents is
/// deleted: then a store is at most a quarter larger than its live documents.
const DELETED_DOCUMENTS: f32 = 0.2;

/// More rounds of merging than tiers can take one after the other.
const MERGE_ROUNDS: usize = 64;

/// The lock, for as long as it is not dropped.
pub(super) type Lock = Box<dyn Send + Sync>;

/// The writer; holds the lock for its whole life.
pub(super) struct Writer {
    storage: Arc<dyn Storage>,
    ledger: Arc<Ledger>,
    published: Arc<Published<Snapshot>>,
    vectors: Arc<VectorFiles>,
    background: Option<Background>,
    tantivy: Option<IndexWriter>,
    fields: documents::Fields,
    dim: usize,
    next_slot: u64,
    rows: Rows,
    /// Segments of pending rows that had to be written before the commit.
    written: Vec<Arc<LiveSegment>>,
    /// Slots of chunks added since the last commit, by key and by file.
    by_key: HashMap<String, Vec<u64>>,
    by_file: HashMap<String, Vec<u64>>,
    /// File records changed since the last commit; `None` is removed.
    pub records: HashMap<String, Option<FileRecord>>,
    /// Slots deleted since the last commit.
    dead: HashSet<u64>,
    changed: bool,
    /// The next commit leaves nothing of the one before.
    anew: bool,
    failed: bool,
    // Last, so that it is given back when everything else is closed.
    _lock: Lock,
}

/// A chunk in the place of the committed one of its slot, with the hash of what was embedded if it has a vector.
pub(super) struct Replaced {
    pub slot: u64,
    pub chunk: StoredChunk,
    pub hash: Option<String>,
}

impl Writer {
    /// Takes the lock and opens the collection for writing, or prepares to make it as `empty` says.
    pub fn open(storage: Arc<dyn Storage>, published: Arc<Published<Snapshot>>, empty: &Manifest) -> Result<Self> {
        let lock = take_lock(&*storage)?;
        let manifest = Manifest::read(&*storage)?;
        let is_published = manifest.is_some();
        // The first commit has no vectors: where there are some, there was a manifest.
        let has_ending = |ending: &str| {
            let files = storage.list(Path::new(snapshot::FOLDER)).unwrap_or_default();
            files.iter().any(|(path, _)| path.extension().is_some_and(|e| e == ending))
        };
        if !is_published && has_ending("seg") {
            let path = storage.full_path(Path::new(""));
            return Err(CollectionError::Corrupt { path, reason: "manifest.json is gone".to_owned() }.into());
        }
        let base = manifest.unwrap_or_else(|| empty.clone());
        let ledger = Arc::new(Ledger::new(storage.clone(), base, is_published));
        // What stays behind costs space only.
        let _ = ledger.remove_unnamed();
        check_documents(&storage, &ledger.base())?;
        Self::with(storage, ledger, published, lock)
    }

    /// Takes the lock and opens a writer whose first commit leaves nothing of what is there now, which
    /// may be damaged.
    pub fn open_anew(
        storage: Arc<dyn Storage>,
        published: Arc<Published<Snapshot>>,
        mut empty: Manifest,
    ) -> Result<Self> {
        let lock = take_lock(&*storage)?;
        // Files of the old collection keep their names until the commit.
        for (path, _) in storage.list(Path::new(snapshot::FOLDER)).unwrap_or_default() {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            empty.next_file = empty.next_file.max(number.filter(|&n| n < MOST).map_or(0, |n| n + 1));
        }
        let ledger = Arc::new(Ledger::new(storage.clone(), empty, false));
        let mut writer = Self::with(storage, ledger, published, lock)?;
        (writer.changed, writer.anew) = (true, true);
        Ok(writer)
    }

    fn with(
        storage: Arc<dyn Storage>,
        ledger: Arc<Ledger>,
        published: Arc<Published<Snapshot>>,
        lock: Lock,
    ) -> Result<Self> {
        let root = storage.full_path(Path::new(""));
        let directory = DocumentDirectory::live(storage.clone(), ledger.clone());
        let opened = documents::open_or_create(directory);
        let (index, fields) = opened.map_err(|e| documents_error(&root, e))?;
        documents::check_postings(&index, fields).map_err(|e| documents_error(&root, e))?;
        let tantivy = documents::guarded(|| index.writer_with_num_threads(1, DOCUMENT_BUFFER));
        let tantivy = tantivy.map_err(|e| documents_error(&root, e))?;
        // Its clock starts at the last commit's time, and a merge takes a deletion of that very time for one that
        // was committed: the first tick deletes nothing.
        tantivy.delete_term(fields.term(By::Record("")));
        // Merges are begun by the writer, so that it knows when they end.
        tantivy.set_merge_policy(Box::new(NoMergePolicy));
        let vectors = Arc::new(VectorFiles::new(storage.clone(), ledger.clone(), published.clone()));
        let background =
            Background::start(vectors.clone()).map_err(|e| StoreError::io(&root, "start merging in", e))?;
        Ok(Writer {
            next_slot: ledger.base().next_slot,
            dim: ledger.base().model.dim,
            storage,
            ledger,
            published,
            vectors,
            background: Some(background),
            tantivy: Some(tantivy),
            fields,
            rows: Rows::default(),
            written: Vec::new(),
            by_key: HashMap::new(),
            by_file: HashMap::new(),
            records: HashMap::new(),
            dead: HashSet::new(),
            changed: false,
            anew: false,
            failed: false,
            _lock: lock,
        })
    }

    /// Whether anything waits for a commit.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether the next commit replaces the whole collection.
    pub fn is_anew(&self) -> bool {
        self.anew
    }

    /// Takes no more changes: some of what belongs together is pending, and the rest is not.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    #[cfg(all(test, feature = "builtin"))]
    pub fn vectors(&self) -> &VectorFiles {
        &self.vectors
    }

    /// Bounds the bytes that a merge takes.
    pub fn set_merge_memory(&self, bytes: u64) {
        self.vectors.set_memory(bytes);
    }

    /// The files of the pending chunks of a key.
    pub fn files_of(&self, key: &str) -> Vec<String> {
        let Some(slots) = self.by_key.get(key) else { return Vec::new() };
        let has = |of_file: &[u64]| slots.iter().any(|slot| of_file.binary_search(slot).is_ok());
        self.by_file.iter().filter(|(_, of_file)| has(of_file)).map(|(file, _)| file.clone()).collect()
    }

    /// Adds a chunk, with the hash of what was embedded and the vector if it has one.
    pub fn add(&mut self, chunk: &StoredChunk, vector: Option<(&str, &[f32], f32)>) -> Result<()> {
        let slot = self.next_slot;
        let doc = self.fields.chunk(chunk, slot, vector.map(|v| v.0));
        self.document(doc)?;
        self.next_slot += 1;
        if let Some((_, row, norm)) = vector {
            self.rows.push(slot, row, norm);
            self.write_full()?;
        }
        self.by_key.entry(chunk.key.clone()).or_default().push(slot);
        if let Some(file) = &chunk.path {
            self.by_file.entry(file.clone()).or_default().push(slot);
        }
        Ok(())
    }

    /// Puts other documents in the place of committed ones, whose slots and vectors they keep.
    pub fn replace(&mut self, by: By<'_>, chunks: &[Replaced]) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.delete_term(by)?;
        chunks.iter().try_for_each(|r| self.document(self.fields.chunk(&r.chunk, r.slot, r.hash.as_deref())))
    }

    /// Writes pending vectors before the commit when they would take more memory than a merge may.
    fn write_full(&mut self) -> Result<()> {
        if self.rows.len() < self.vectors.most_rows(self.dim) {
            return Ok(());
        }
        let base = self.ledger.base();
        let entry = self.vectors.write(std::mem::take(&mut self.rows), &base).inspect_err(|_| self.failed = true)?;
        let opened = snapshot::open_segment(&*self.storage, &base, &entry).inspect_err(|_| self.failed = true)?;
        self.written.push(Arc::new(opened));
        Ok(())
    }

    /// Adds or replaces the record of a file.
    pub fn set_record(&mut self, file: &str, record: FileRecord) -> Result<()> {
        self.remove_record(file)?;
        self.document(self.fields.record(file, &record))?;
        self.records.insert(file.to_owned(), Some(record));
        Ok(())
    }

    /// Removes the record of a file.
    pub fn remove_record(&mut self, file: &str) -> Result<()> {
        self.delete_term(By::Record(file))?;
        self.records.insert(file.to_owned(), None);
        Ok(())
    }

    /// Deletes chunks, committed ones and pending ones; returns how many.
    pub fn delete(&mut self, committed: Option<&Snapshot>, by: By<'_>) -> Result<u64> {
        let root = self.storage.full_path(Path::new(""));
        let slots = committed.map(|s| s.documents.slots(by)).transpose();
        let mut slots = slots.map_err(|e| documents_error(&root, e))?.unwrap_or_default();
        let pending = match by {
            By::Key(key) => self.by_key.remove(key),
            By::File(file) => self.by_file.remove(file),
            By::Record(_) => None,
        };
        slots.extend(pending.unwrap_or_default());
        let fresh = slots.iter().filter(|&&slot| self.dead.insert(slot)).count();
        if fresh > 0 {
            self.delete_term(by)?;
        }
        Ok(fresh as u64)
    }

    fn document(&mut self, doc: tantivy::TantivyDocument) -> Result<()> {
        let added = self.tantivy()?.add_document(doc);
        self.changed = true;
        added.map(drop).map_err(|e| {
            self.failed = true;
            self.ledger.documents_error(e)
        })
    }

    fn delete_term(&mut self, by: By<'_>) -> Result<()> {
        let term = self.fields.term(by);
        self.tantivy()?.delete_term(term);
        self.changed = true;
        Ok(())
    }

    fn tantivy(&mut self) -> Result<&mut IndexWriter> {
        // Taken only when the writer is dropped.
        match &mut self.tantivy {
            Some(tantivy) if !self.failed && !self.ledger.has_failed() => Ok(tantivy),
            _ => Err(self.ledger.failure().into()),
        }
    }

    /// Makes everything pending durable. After an error the writer takes no more changes.
    pub fn commit(&mut self) -> Result<()> {
        self.tantivy()?;
        let done = self.try_commit();
        if done.is_err() {
            self.failed = true;
            self.ledger.fail();
        }
        done
    }

    fn try_commit(&mut self) -> Result<()> {
        let vectors = self.vectors.clone();
        let turn = vectors.turn();
        let now = if self.anew { None } else { vectors.now()? };
        let base = self.ledger.base();
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|slot| !self.dead.contains(&slot));
        let mut before = now.as_ref().map(|now| now.segments.clone()).unwrap_or_default();
        before.append(&mut self.written);
        let segments = vectors.commit(&turn, &before, rows, &self.dead, &base)?;
        let number = base.commit + 1;
        self.ledger.begin(Manifest { commit: number, next_slot: self.next_slot, segments, ..base });
        let tantivy = self.tantivy()?;
        let committed = documents::guarded(|| {
            let mut prepared = tantivy.prepare_commit()?;
            prepared.set_payload(&number.to_string());
            prepared.commit()
        });
        committed.map_err(|e| self.ledger.documents_error(e))?;
        self.forget_pending();
        if std::mem::take(&mut self.anew) {
            let _ = self.ledger.remove_unnamed();
        }
        // The latest: documents may have been merged since, and their old files removed.
        if let Some(after) = Snapshot::latest(&self.storage, now.as_deref())? {
            if let Some(now) = &now {
                vectors.remove_unnamed(&now.manifest, &after.manifest);
            }
            self.published.publish(Arc::new(after));
        }
        drop(turn);
        // The commit is done: what cannot be merged now can be later.
        let _ = self.merge_documents();
        self.background.iter().for_each(Background::look);
        Ok(())
    }

    fn forget_pending(&mut self) {
        self.by_key.clear();
        self.by_file.clear();
        self.records.clear();
        self.dead.clear();
        self.changed = false;
    }

    /// Begins the merges of documents that are due, unless some are under way; whether there were any.
    fn merge_documents(&mut self) -> Result<bool> {
        if self.background.as_ref().is_none_or(Background::merges_documents) {
            return Ok(false);
        }
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(DELETED_DOCUMENTS);
        self.begin_documents(|segments| {
            policy.compute_merge_candidates(segments).into_iter().map(|candidate| candidate.0).collect()
        })
    }

    fn begin_documents(
        &mut self,
        choose: impl FnOnce(&[tantivy::SegmentMeta]) -> Vec<Vec<tantivy::index::SegmentId>>,
    ) -> Result<bool> {
        let tantivy = self.tantivy()?;
        let begun = documents::guarded(|| {
            let groups = choose(&tantivy.index().searchable_segment_metas()?);
            let begin = |ids: Vec<_>| {
                let merge = tantivy.merge(&ids);
                Box::new(move || merge.wait()) as DocumentsMerge
            };
            Ok(groups.into_iter().map(begin).collect::<Vec<_>>())
        });
        let begun = begun.map_err(|e| self.ledger.documents_error(e))?;
        let any = !begun.is_empty();
        if let Some(background) = self.background.as_ref().filter(|_| any) {
            background.wait_for_documents(begun);
        }
        Ok(any)
    }

    /// Waits until nothing is left to merge, and tells what went wrong with merging.
    pub fn wait_for_merges(&mut self) -> Result<Vec<Error>> {
        let mut rounds = 0;
        loop {
            self.background.iter().for_each(Background::look);
            self.background.iter().for_each(Background::wait);
            let trouble = self.background.as_ref().map(Background::trouble).unwrap_or_default();
            rounds += 1;
            if !trouble.is_empty() || rounds > MERGE_ROUNDS || !self.merge_documents()? {
                return Ok(trouble);
            }
        }
    }

    /// Writes everything anew that has deleted rows or documents, and as few files as the memory allows.
    pub fn compact(&mut self) -> Result<()> {
        if let Some(trouble) = self.wait_for_merges()?.into_iter().next() {
            return Err(trouble);
        }
        self.vectors.merge_all()?;
        // Until there is nothing left: a merge that was overtaken says nothing.
        for _ in 0..MERGE_ROUNDS {
            let begun = self.begin_documents(|segments| {
                let gains = segments.len() > 1 || segments.iter().any(|s| s.num_deleted_docs() > 0);
                let all = segments.iter().map(tantivy::SegmentMeta::id).collect();
                if gains { vec![all] } else { Vec::new() }
            })?;
            if !begun {
                // Nothing else is written now. A file that cannot be removed still has what was deleted.
                return Ok(self.ledger.remove_unnamed()?);
            }
            self.background.iter().for_each(Background::wait);
            if let Some(trouble) = self.background.as_ref().and_then(|b| b.trouble().into_iter().next()) {
                return Err(trouble);
            }
        }
        Err(self.ledger.silent().into())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Merges go on in the background; cut off, their work would be lost and every short run would leave one
        // more small segment.
        if !self.failed && !self.changed {
            let _ = self.wait_for_merges();
        }
        self.background = None;
        // Its threads may still write; nothing may once the lock is given back.
        if let Some(tantivy) = self.tantivy.take() {
            let _ = tantivy.wait_merging_threads();
        }
        self.ledger.fail();
    }
}

pub(super) fn take_lock(storage: &dyn Storage) -> Result<Lock> {
    let make = |folder: &str| {
        let folder = Path::new(folder);
        // What is removed in them is to be the collection's.
        let full = storage.full_path(folder);
        if !folder.as_os_str().is_empty() && full.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
            return Err(Error::from(CollectionError::NotACollection { path: full }));
        }
        Ok(storage.create_dir(folder).map_err(|e| StoreError::io(full, "make the folder", e))?)
    };
    let top = Path::new("");
    let sync = || storage.sync_dir(top).map_err(|e| StoreError::io(storage.full_path(top), "sync the folder", e));
    make("")?;
    // The lock first: a folder that has it is known as a collection, however little else it has.
    let lock = storage.lock(Path::new("LOCK"))?;
    sync()?;
    make(directory::FOLDER)?;
    make(snapshot::FOLDER)?;
    // Before anything can be published in them.
    sync()?;
    Ok(lock)
}

/// Reads the documents' files against their checksums. tantivy changes them on threads of its own,
/// where damage would end the process.
pub(super) fn check_documents(storage: &Arc<dyn Storage>, manifest: &Manifest) -> Result<()> {
    for (name, seal) in &manifest.documents.files {
        let name = Path::new(name);
        directory::open_document(&**storage, name, seal.0)?.verify(&document_path(&**storage, name))?;
    }
    Ok(())
}
