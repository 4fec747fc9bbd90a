//! The segments of vectors as they change: what a commit does to them at once, and what is merged after it.
//!
//! A commit writes its rows as a segment, joins small ones with it on the spot, and lists what it deleted. Larger
//! segments are merged in the background, one merge at a time: the merged file is written beside the old ones,
//! then a manifest that names it is published, with what was deleted meanwhile; then the old files go. Whatever
//! moment a crash picks, the manifest on disk names whole files.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ledger::Ledger;
use super::manifest::{DeletedEntry, Manifest, SegmentEntry};
use super::merge::{self, Rows, Size};
use super::published::Published;
use super::snapshot::{self, LiveSegment, Snapshot};
use crate::error::{Error, IndexError, Result, StoreError};
use crate::index::{HnswParams, Segment};
use crate::metric::Metric;
use crate::store::{Storage, memory};
use crate::vectors::Vectors;

/// Merging takes at most this part of the memory (the machine's, or that of the process's control group).
const MEMORY: u64 = 4;
/// But may always take this much: 64 MiB.
const LEAST_MEMORY: u64 = 64 << 20;
/// A commit joins small segments on the spot while they have fewer rows than this together: then there is no
/// graph to build.
const SMALL: usize = HnswParams::DEFAULT_GRAPH_FROM_ROWS;

/// See the [module](self).
pub(super) struct VectorFiles {
    storage: Arc<dyn Storage>,
    ledger: Arc<Ledger>,
    published: Arc<Published<Snapshot>>,
    turn: Mutex<Turn>,
    /// Bytes that a merge may take.
    memory: AtomicU64,
}

/// Held by whoever changes what segments there are.
#[derive(Default)]
pub(super) struct Turn {
    /// Files that are being merged: they stay until that is done.
    merging: HashSet<String>,
    /// Files that could not be merged, since they are damaged.
    refused: HashSet<String>,
}

/// Segments on their way into one.
struct Merge {
    inputs: Vec<Arc<LiveSegment>>,
    manifest: Arc<Manifest>,
}

impl VectorFiles {
    pub fn new(storage: Arc<dyn Storage>, ledger: Arc<Ledger>, published: Arc<Published<Snapshot>>) -> Self {
        let memory = AtomicU64::new((memory::limit() / MEMORY).max(LEAST_MEMORY));
        VectorFiles { storage, ledger, published, turn: Mutex::default(), memory }
    }

    /// The way to the disk.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Bounds the bytes that a merge takes.
    pub fn set_memory(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Relaxed);
    }

    /// The right to change what segments there are.
    pub fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The snapshot that the manifest on disk is of, as far as vectors go; none before the first commit.
    ///
    /// # Errors
    /// [`crate::error::CollectionError::WriterFailed`] when what is open here is not what is published: to build on it would undo
    /// what others committed.
    pub fn now(&self) -> Result<Option<Arc<Snapshot>>> {
        let (now, base) = (self.published.load(), self.ledger.base());
        let same = match &now {
            Some(now) => now.manifest.id == base.id && now.manifest.segments == base.segments,
            None => base.segments.is_empty(),
        };
        if same { Ok(now) } else { Err(self.ledger.failure().into()) }
    }

    /// Takes all segments that there are for merging, so that nothing merges them.
    #[cfg(all(test, feature = "builtin"))]
    pub fn hold_all(&self) {
        let all = self.published.load().map(|now| now.segments.clone()).unwrap_or_default();
        self.turn().merging.extend(all.iter().map(|live| live.entry.file.name.clone()));
    }

    /// Lets go of what was being merged, when the merge ended without saying so.
    pub fn forget_merging(&self) {
        self.turn().merging.clear();
    }

    /// The rows that a segment may have to be made within the memory: they are there as they were and in their
    /// new order, with their codes, and up to 64 links of four bytes.
    pub fn most_rows(&self, dim: usize) -> usize {
        let row = 9 * dim as u64 + 400;
        usize::try_from(self.memory.load(Ordering::Relaxed) / row).unwrap_or(usize::MAX).max(2 * SMALL)
    }

    /// Writes the segments of a commit, and tells which there are after it: those of `before` less what is dead,
    /// and the new rows.
    pub fn commit(
        &self,
        turn: &Turn,
        before: &[Arc<LiveSegment>],
        mut new: Rows,
        dead: &HashSet<u64>,
        manifest: &Manifest,
    ) -> Result<Vec<SegmentEntry>> {
        let mut deleted: Vec<HashSet<u32>> = Vec::with_capacity(before.len());
        for live in before {
            let mut rows = live.deleted.clone();
            for &slot in dead {
                rows.extend(live.segment.row_of(slot)?);
            }
            deleted.push(rows);
        }
        let (place, sizes): (Vec<usize>, Vec<Size>) = (0..before.len())
            .filter(|&i| !turn.is_taken(&before[i]))
            .map(|i| (i, size(&before[i], deleted[i].len())))
            .unzip();
        let joined = merge::choose_small(&sizes, new.len(), SMALL);
        let joined: HashSet<usize> = joined.into_iter().map(|i| place[i]).collect();
        let mut entries = Vec::new();
        for (i, live) in before.iter().enumerate() {
            let all = deleted[i].len() == live.segment.len() && !turn.is_taken(live);
            if joined.contains(&i) {
                new.take(&live.segment, &deleted[i])?;
            } else if !all {
                entries.push(self.with_deleted(&live.entry, &deleted[i])?);
            }
        }
        let most = self.most_rows(manifest.model.dim);
        while new.len() > 0 {
            entries.push(self.write(new.split_off_front(most), manifest)?);
        }
        Ok(entries)
    }

    /// An entry with other deleted rows; their list is written if they are others than it has.
    fn with_deleted(&self, entry: &SegmentEntry, deleted: &HashSet<u32>) -> Result<SegmentEntry> {
        if deleted.len() == entry.deleted_rows() {
            return Ok(entry.clone());
        }
        Ok(SegmentEntry { deleted: self.write_deleted(deleted)?, ..entry.clone() })
    }

    /// Writes a list of deleted rows; none when there are none.
    pub fn write_deleted(&self, deleted: &HashSet<u32>) -> Result<Option<DeletedEntry>> {
        if deleted.is_empty() {
            return Ok(None);
        }
        let file = self.ledger.write_vectors("del", |out| snapshot::write_deleted(out, deleted))?;
        Ok(Some(DeletedEntry { file, rows: deleted.len() }))
    }

    /// Makes a segment of rows and writes it.
    pub fn write(&self, rows: Rows, manifest: &Manifest) -> Result<SegmentEntry> {
        let metric = Metric::from_name(&manifest.metric).unwrap_or_default();
        let (slots, data, norms) = rows.into_ascending();
        let rows = slots.len();
        let vectors = Vectors::new(data, manifest.model.dim)?;
        let segment = Segment::build(metric, Cow::Owned(vectors), norms, slots, &HnswParams::default());
        let file = self.ledger.write_vectors("seg", |out| segment.write(out))?;
        Ok(SegmentEntry { file, rows, deleted: None })
    }

    /// Merges what is to be merged, once; whether there was anything.
    ///
    /// # Errors
    /// [`StoreError`]; what was there before stands.
    pub fn merge_once(&self) -> Result<bool> {
        let begun = self.begin(|sizes, most| {
            let chosen = merge::choose(sizes, most);
            if chosen.is_empty() { Vec::new() } else { vec![chosen] }
        });
        let any = !begun.is_empty();
        self.finish(begun).map(|()| any)
    }

    /// Merges all segments, as far as the memory goes, and leaves no deleted row.
    ///
    /// # Errors
    /// As [`VectorFiles::merge_once`]; also when a damaged segment is in the way.
    pub fn merge_all(&self) -> Result<()> {
        self.turn().refused.clear();
        self.finish(self.begin(merge::choose_all))
    }

    fn begin(&self, choose: impl FnOnce(&[Size], usize) -> Vec<HashSet<usize>>) -> Vec<Merge> {
        let mut turn = self.turn();
        let now = self.now().ok().flatten().filter(|_| !self.ledger.has_failed());
        let Some(now) = now else { return Vec::new() };
        let free: Vec<&Arc<LiveSegment>> = now.segments.iter().filter(|live| !turn.is_taken(live)).collect();
        let sizes: Vec<Size> = free.iter().map(|live| size(live, live.deleted.len())).collect();
        let mut out = Vec::new();
        for group in choose(&sizes, self.most_rows(now.manifest.model.dim)) {
            let mut inputs: Vec<Arc<LiveSegment>> =
                free.iter().enumerate().filter(|(i, _)| group.contains(i)).map(|(_, live)| (*live).clone()).collect();
            // In the order of their slots, as far as it goes: rows that are in order are not sorted.
            inputs.sort_by_key(|live| live.segment.slot(0).unwrap_or_default());
            turn.merging.extend(inputs.iter().map(|live| live.entry.file.name.clone()));
            out.push(Merge { inputs, manifest: now.manifest.clone() });
        }
        out
    }

    fn finish(&self, merges: Vec<Merge>) -> Result<()> {
        let mut first_error = None;
        for merge in merges {
            let done = match first_error {
                None => self.merge(&merge),
                Some(_) => Ok(()),
            };
            let mut turn = self.turn();
            for live in &merge.inputs {
                turn.merging.remove(&live.entry.file.name);
                if done.as_ref().is_err_and(is_damage) {
                    turn.refused.insert(live.entry.file.name.clone());
                }
            }
            first_error = first_error.or(done.err());
        }
        first_error.map_or(Ok(()), Err)
    }

    fn merge(&self, Merge { inputs, manifest }: &Merge) -> Result<()> {
        let live: usize = inputs.iter().map(|live| live.live()).sum();
        let mut rows = Rows::with_capacity(live, manifest.model.dim);
        for live in inputs {
            rows.take(&live.segment, &live.deleted)?;
        }
        let written = if rows.len() > 0 { Some(self.write(rows, manifest)?) } else { None };
        let turn = self.turn();
        let installed = self.install(inputs, written.as_ref());
        drop(turn);
        // Unless it was published, and only could not be opened after.
        let is_named = |entry: &SegmentEntry| self.ledger.base().vector_files().any(|f| f.name == entry.file.name);
        if let Some(entry) = written.filter(|entry| installed.is_err() && !is_named(entry)) {
            self.ledger.remove_vectors([entry.file.name.as_str()]);
        }
        installed
    }

    /// Publishes a merged segment in the place of those it was made of, less what was deleted since.
    fn install(&self, inputs: &[Arc<LiveSegment>], written: Option<&SegmentEntry>) -> Result<()> {
        let Some(now) = self.now()? else { return Ok(()) };
        let merged = written.map(|entry| snapshot::open_segment(&*self.storage, &now.manifest, entry)).transpose()?;
        let mut entries = Vec::new();
        let mut deleted = HashSet::new();
        for live in &now.segments {
            let Some(input) = inputs.iter().find(|i| i.entry.file == live.entry.file) else {
                entries.push(live.entry.clone());
                continue;
            };
            for &row in live.deleted.difference(&input.deleted) {
                let slot = live.segment.slot(row)?;
                deleted.extend(merged.as_ref().map(|m| m.segment.row_of(slot)).transpose()?.flatten());
            }
        }
        if let Some(entry) = written {
            entries.push(self.with_deleted(entry, &deleted)?);
        }
        let manifest = self.ledger.replace_vectors(entries)?;
        // The files of documents may be others meanwhile; what is open holds the same.
        let documents = now.manifest.documents.clone();
        let after = Snapshot::open(&self.storage, Manifest { documents, ..manifest }, Some(&now))?;
        self.remove_unnamed(&now.manifest, &after.manifest);
        self.published.publish(Arc::new(after));
        Ok(())
    }

    /// Opens the documents as they are published now, if that is still the same commit in other files.
    ///
    /// # Errors
    /// [`Error`] of damaged files.
    pub fn refresh_documents(&self) -> Result<()> {
        let _turn = self.turn();
        let Some(now) = self.published.load() else { return Ok(()) };
        let same =
            |after: &Snapshot| (after.manifest.commit, &after.manifest.id) == (now.manifest.commit, &now.manifest.id);
        if let Some(after) = Snapshot::latest(&self.storage, Some(&now))?.filter(same) {
            self.published.publish(Arc::new(after));
        }
        Ok(())
    }

    /// Removes the files of vectors that one manifest names and a later one does not.
    pub fn remove_unnamed(&self, before: &Manifest, after: &Manifest) {
        let named: HashSet<&str> = after.vector_files().map(|f| f.name.as_str()).collect();
        self.ledger.remove_vectors(before.vector_files().map(|f| f.name.as_str()).filter(|name| !named.contains(name)));
    }
}

impl Turn {
    fn is_taken(&self, live: &LiveSegment) -> bool {
        let name = &live.entry.file.name;
        self.merging.contains(name) || self.refused.contains(name)
    }
}

fn size(live: &LiveSegment, deleted: usize) -> Size {
    Size { live: live.segment.len().saturating_sub(deleted), total: live.segment.len() }
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Corrupt { .. }) | Error::Index(IndexError::Store(_)))
}
