//! The one writer of a collection: what is pending, and how it is committed.
//!
//! A commit writes and syncs the new vector files first and then commits tantivy with the manifest
//! as payload: the replacement of `documents/meta.json` is the one moment at which the collection
//! changes. Files that no manifest names any more are unlinked after it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use tantivy::IndexWriter;
use tantivy::indexer::{LogMergePolicy, NoMergePolicy};

use super::directory::DocumentDirectory;
use super::documents::{self, By, FileRecord, StoredChunk};
use super::manifest::{Manifest, SegmentEntry};
use super::merge::{self, Rows};
use super::snapshot::{self, LiveSegment, Snapshot, documents_error, write_tombstones};
use crate::error::{CollectionError, Error, Result, StoreError};
use crate::index::{HnswParams, Segment};
use crate::metric::Metric;
use crate::store::{Storage, publish};
use crate::vectors::Vectors;

/// tantivy's buffer for documents that are not written yet.
const DOCUMENT_BUFFER: usize = 64 << 20;
/// tantivy merges a segment, with those of its tier, when more than this part of its documents is
/// deleted: then a store is at most a quarter larger than its live documents.
const DELETED_DOCUMENTS: f32 = 0.2;

/// The lock, for as long as it is not dropped.
type Lock = Box<dyn Send + Sync>;

/// The writer; holds the lock for its whole life.
pub(super) struct Writer {
    storage: Arc<dyn Storage>,
    tantivy: Option<IndexWriter>,
    fields: documents::Fields,
    next_slot: u64,
    rows: Rows,
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

impl Writer {
    /// Takes the lock and opens the document store for writing, which makes it if it is absent.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let lock = take_lock(&*storage)?;
        let (tantivy, fields) = open_documents(&storage)?;
        check_documents(&tantivy, &storage)?;
        Ok(Self::with(storage, tantivy, fields, lock))
    }

    /// Takes the lock and opens a writer whose first commit leaves nothing of what is there now, which
    /// may be damaged. `base` is told which file numbers are taken.
    pub fn open_anew(storage: Arc<dyn Storage>, base: &mut Manifest) -> Result<Self> {
        let lock = take_lock(&*storage)?;
        let (tantivy, fields) = open_documents(&storage).or_else(|error| {
            if !matches!(error, Error::Store(StoreError::Corrupt { .. }) | Error::Collection(_)) {
                return Err(error);
            }
            // Not even the store can be opened: there is nothing to keep until the commit.
            for (path, _) in storage.list(Path::new(documents_folder())).unwrap_or_default() {
                let _ = storage.remove(&path);
            }
            open_documents(&storage)
        })?;
        let root = storage.full_path(Path::new(""));
        // A merge before the commit would end with unlinking files that the old commit still names.
        tantivy.set_merge_policy(Box::new(NoMergePolicy));
        documents::guarded(|| tantivy.delete_all_documents()).map_err(|e| documents_error(&root, e))?;
        for (path, _) in storage.list(Path::new(snapshot::FOLDER)).unwrap_or_default() {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            base.next_file = base.next_file.max(number.map_or(0, |n| n.saturating_add(1)));
        }
        let mut writer = Self::with(storage, tantivy, fields, lock);
        (writer.changed, writer.anew) = (true, true);
        Ok(writer)
    }

    fn with(storage: Arc<dyn Storage>, tantivy: IndexWriter, fields: documents::Fields, lock: Lock) -> Self {
        Writer {
            storage,
            tantivy: Some(tantivy),
            fields,
            next_slot: 0,
            rows: Rows::default(),
            by_key: HashMap::new(),
            by_file: HashMap::new(),
            records: HashMap::new(),
            dead: HashSet::new(),
            changed: false,
            anew: false,
            failed: false,
            _lock: lock,
        }
    }

    /// Starts counting slots where the latest commit stopped.
    pub fn begin(&mut self, manifest: &Manifest) {
        self.next_slot = manifest.next_slot;
    }

    /// Whether anything waits for a commit.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether the next commit replaces the whole collection.
    pub fn is_anew(&self) -> bool {
        self.anew
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
        }
        self.by_key.entry(chunk.key.clone()).or_default().push(slot);
        if let Some(file) = &chunk.path {
            self.by_file.entry(file.clone()).or_default().push(slot);
        }
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
        let root = self.storage.full_path(Path::new(""));
        let added = self.tantivy()?.add_document(doc);
        self.changed = true;
        added.map(drop).map_err(|e| {
            self.failed = true;
            documents_error(&root, e)
        })
    }

    fn delete_term(&mut self, by: By<'_>) -> Result<()> {
        let term = self.fields.term(by);
        self.tantivy()?.delete_term(term);
        self.changed = true;
        Ok(())
    }

    fn tantivy(&mut self) -> Result<&mut IndexWriter> {
        let failed = || CollectionError::WriterFailed { path: self.storage.full_path(Path::new("")) };
        if self.failed {
            return Err(failed().into());
        }
        // Taken only when the writer is dropped.
        match &mut self.tantivy {
            Some(tantivy) => Ok(tantivy),
            None => Err(CollectionError::WriterFailed { path: self.storage.full_path(Path::new("")) }.into()),
        }
    }

    /// Makes everything pending durable. After an error the writer takes no more changes.
    pub fn commit(&mut self, committed: Option<&Snapshot>, base: &Manifest) -> Result<()> {
        self.tantivy()?;
        let done = self.try_commit(committed, base);
        if done.is_err() {
            self.failed = true;
        }
        done
    }

    fn try_commit(&mut self, committed: Option<&Snapshot>, base: &Manifest) -> Result<()> {
        let root = self.storage.full_path(Path::new(""));
        let mut manifest = Manifest { next_slot: self.next_slot, ..base.clone() };
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|slot| !self.dead.contains(&slot));
        let segments = committed.map_or(&[][..], |s| &s.segments);
        manifest.segments = self.vector_files(segments, rows, &mut manifest)?;
        let payload = serde_json::to_string(&manifest)
            .map_err(|e| CollectionError::Corrupt { path: root.clone(), reason: format!("the manifest: {e}") })?;
        let tantivy = self.tantivy()?;
        let committed = documents::guarded(|| {
            let mut prepared = tantivy.prepare_commit()?;
            prepared.set_payload(&payload);
            prepared.commit()
        });
        committed.map_err(|e| documents_error(&root, e))?;
        self.by_key.clear();
        self.by_file.clear();
        self.records.clear();
        self.dead.clear();
        if std::mem::take(&mut self.anew) {
            self.tantivy()?.set_merge_policy(merge_policy());
        }
        self.changed = false;
        self.unlink_unused(&manifest);
        Ok(())
    }

    /// The segments after this commit; new files are written.
    fn vector_files(&self, old: &[LiveSegment], new: Rows, manifest: &mut Manifest) -> Result<Vec<SegmentEntry>> {
        let mut deleted: Vec<HashSet<u32>> = Vec::new();
        for live in old {
            let newly = self.dead.iter().filter_map(|&slot| live.segment.row_of(slot));
            deleted.push(live.deleted.iter().copied().chain(newly).collect());
        }
        let live: Vec<usize> = old.iter().zip(&deleted).map(|(s, d)| s.segment.len() - d.len()).collect();
        let total: Vec<usize> = old.iter().map(|s| s.segment.len()).collect();
        let absorbed = merge::choose(&live, &total, new.len());
        let mut entries = Vec::new();
        let mut merged = new;
        for (i, segment) in old.iter().enumerate() {
            if absorbed.contains(&i) {
                merged.take(&segment.segment, &deleted[i])?;
            } else if deleted[i].len() == segment.deleted.len() {
                entries.push(segment.entry.clone());
            } else {
                let file = file_name(manifest, "del");
                write_tombstones(&*self.storage, &file, &deleted[i])?;
                entries.push(SegmentEntry {
                    tombstones: Some(file),
                    deleted: deleted[i].len(),
                    ..segment.entry.clone()
                });
            }
        }
        if merged.len() > 0 {
            entries.push(self.write_segment(merged, manifest)?);
        }
        Ok(entries)
    }

    fn write_segment(&self, rows: Rows, manifest: &mut Manifest) -> Result<SegmentEntry> {
        let metric = Metric::from_name(&manifest.metric).unwrap_or_default();
        let (slots, data, norms) = rows.into_ascending();
        let n = slots.len();
        let vectors = Vectors::new(data, manifest.model.dim)?;
        let segment = Segment::build(metric, Cow::Owned(vectors), norms, slots, &HnswParams::default());
        let file = file_name(manifest, "seg");
        publish(&*self.storage, &Path::new(snapshot::FOLDER).join(&file), |out| segment.write(out).map(drop))?;
        Ok(SegmentEntry { file, rows: n, tombstones: None, deleted: 0 })
    }

    /// Unlinks the vector files that no manifest names. What stays behind costs space only, and is
    /// tried again after the next commit.
    fn unlink_unused(&self, manifest: &Manifest) {
        let used =
            |name: &str| manifest.segments.iter().any(|s| s.file == name || s.tombstones.as_deref() == Some(name));
        for (path, _) in self.storage.list(Path::new(snapshot::FOLDER)).unwrap_or_default() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !used(&name) {
                let _ = self.storage.remove(&path);
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Merges of the document store go on in the background; cut off, their work would be lost
        // and every short run would leave one more small segment. They are a matter of seconds.
        if let Some(tantivy) = self.tantivy.take().filter(|_| !self.failed && !self.changed) {
            let _ = tantivy.wait_merging_threads();
        }
    }
}

fn take_lock(storage: &dyn Storage) -> Result<Lock> {
    for folder in ["", documents_folder(), snapshot::FOLDER] {
        let folder = Path::new(folder);
        storage.create_dir(folder).map_err(|e| StoreError::io(storage.full_path(folder), "make the folder", e))?;
    }
    Ok(storage.lock(Path::new("LOCK"))?)
}

fn open_documents(storage: &Arc<dyn Storage>) -> Result<(IndexWriter, documents::Fields)> {
    let root = storage.full_path(Path::new(""));
    remove_leftovers(&**storage);
    let opened = documents::open_or_create(DocumentDirectory::live(storage.clone()));
    let (index, fields) = opened.map_err(|e| documents_error(&root, e))?;
    let writer = documents::guarded(|| index.writer_with_num_threads(1, DOCUMENT_BUFFER));
    let writer = writer.map_err(|e| documents_error(&root, e))?;
    writer.set_merge_policy(merge_policy());
    Ok((writer, fields))
}

/// tantivy's own tiers, but for deleted documents: it would keep them until chance has their tier merged.
fn merge_policy() -> Box<LogMergePolicy> {
    let mut policy = LogMergePolicy::default();
    policy.set_del_docs_ratio_before_merge(DELETED_DOCUMENTS);
    Box::new(policy)
}

/// Reads the documents' files against their checksums. tantivy merges them on threads of its own,
/// where damage would end the process.
fn check_documents(tantivy: &IndexWriter, storage: &Arc<dyn Storage>) -> Result<()> {
    let root = storage.full_path(Path::new(""));
    let damaged = documents::guarded(|| tantivy.index().validate_checksum()).map_err(|e| documents_error(&root, e))?;
    match damaged.into_iter().next() {
        None => Ok(()),
        Some(file) => {
            let reason = format!("{} does not have its checksum", Path::new(documents_folder()).join(file).display());
            Err(CollectionError::Corrupt { path: root, reason }.into())
        }
    }
}

/// Removes the half-written files of a writer that was killed; they are named like no other file.
fn remove_leftovers(storage: &dyn Storage) {
    for (path, _) in storage.list(Path::new(documents_folder())).unwrap_or_default() {
        if path.extension().is_some_and(|ending| ending == "tmp") {
            let _ = storage.remove(&path);
        }
    }
}

fn documents_folder() -> &'static str {
    super::directory::FOLDER
}

fn file_name(manifest: &mut Manifest, ending: &str) -> String {
    let number = manifest.next_file;
    manifest.next_file += 1;
    format!("{number:08}.{ending}")
}
