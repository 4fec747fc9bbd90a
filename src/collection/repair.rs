//! Making vectors, graphs and lists of deleted rows again from what holds.
//!
//! Texts are the truth: a chunk that has a vector says so, and its vector can be embedded again. Of the vectors
//! those whose blocks have their checksums are the truth too, and are kept; graphs and codes are built from them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::Collection;
use super::directory::DocumentDirectory;
use super::documents::Documents;
use super::folder::{embed_texts, embedded_text};
use super::ledger::Ledger;
use super::manifest::{Manifest, SegmentEntry};
use super::merge::Rows;
use super::open::disk;
use super::published::Published;
use super::snapshot::{LiveSegment, documents_error, open_segment, read_deleted};
use super::vectors::VectorFiles;
use super::writer::{check_documents, take_lock};
use crate::embed::Embedder;
use crate::error::{CollectionError, Error, Result, StoreError};
use crate::index::is_sound;
use crate::metric::Metric;
use crate::store::Storage;

/// What [`Collection::repair`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// Segments that were damaged or gone; what was left of them is in others now.
    pub segments: u64,
    /// Vectors that were lost, and embedded again from their texts.
    pub embedded: u64,
    /// Lists of deleted rows that were made again.
    pub lists: u64,
}

impl Repair {
    /// Whether nothing was damaged.
    pub fn is_nothing(&self) -> bool {
        *self == Repair::default()
    }
}

impl Collection {
    /// Makes again what can be made again in the collection at `path`: graphs, partitions and codes from the
    /// vectors, lists of deleted rows from the texts, and vectors that are damaged or gone by embedding their texts
    /// again. All of it is one commit. What is whole is left alone.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when texts or the manifest are damaged: those can only come from a copy, or from the
    /// files ([`Collection::rebuild`]); [`CollectionError::ModelMismatch`]; [`StoreError::Locked`].
    pub fn repair(path: impl AsRef<Path>, embedder: impl Embedder + 'static) -> Result<Repair> {
        let storage = disk(path.as_ref())?;
        let root = storage.full_path(Path::new(""));
        let not_found = || CollectionError::NotFound { path: root.clone() };
        Manifest::read(&*storage)?.ok_or_else(not_found)?;
        let _lock = take_lock(&*storage)?;
        let manifest = Manifest::read(&*storage)?.ok_or_else(not_found)?;
        if !manifest.model.is_interchangeable(embedder.identity()) {
            let (stored, given) = (manifest.model.to_string(), embedder.identity().to_string());
            return Err(CollectionError::ModelMismatch { path: root, stored, given }.into());
        }
        check_documents(&storage, &manifest)?;
        let ledger = Arc::new(Ledger::new(storage.clone(), manifest.clone(), true));
        // What a killed writer left, or a repair that failed, has names that are given again.
        ledger.remove_unnamed()?;
        let vectors = VectorFiles::new(storage.clone(), ledger.clone(), Arc::new(Published::new(None)));
        let (done, salvaged) = (Repair::default(), Rows::default());
        Run { storage, embedder: &embedder, ledger, vectors, manifest, done, salvaged }.run()
    }
}

struct Run<'a> {
    storage: Arc<dyn Storage>,
    embedder: &'a dyn Embedder,
    ledger: Arc<Ledger>,
    vectors: VectorFiles,
    manifest: Manifest,
    done: Repair,
    /// Rows out of segments that do not stay.
    salvaged: Rows,
}

impl Run<'_> {
    fn run(mut self) -> Result<Repair> {
        let root = self.storage.full_path(Path::new(""));
        let frozen = DocumentDirectory::frozen(self.storage.clone(), Arc::new(self.manifest.clone()))?;
        let documents = Documents::open(frozen).map_err(|e| documents_error(&root, e))?;
        let slots = documents.all_slots().map_err(|e| documents_error(&root, e))?;
        // What still needs a vector.
        let mut wanted: HashSet<u64> = slots.into_iter().filter(|s| s.1).map(|s| s.0).collect();
        let mut entries = Vec::new();
        for entry in self.manifest.segments.clone() {
            if let Some(live) = self.whole(&entry, &mut wanted)? {
                entries.push(self.keep(&live, &entry, &mut wanted)?);
            }
        }
        self.embed(&documents, wanted)?;
        if self.done.is_nothing() {
            return Ok(self.done);
        }
        let most = self.vectors.most_rows(self.manifest.model.dim);
        while self.salvaged.len() > 0 {
            entries.push(self.vectors.write(self.salvaged.split_off_front(most), &self.manifest)?);
        }
        let after = self.ledger.replace_vectors(entries)?;
        self.vectors.remove_unnamed(&self.manifest, &after);
        Ok(self.done)
    }

    /// A segment that is whole; of one that is not, the rows that hold are salvaged.
    fn whole(&mut self, entry: &SegmentEntry, wanted: &mut HashSet<u64>) -> Result<Option<LiveSegment>> {
        let alone = SegmentEntry { deleted: None, ..entry.clone() };
        let live = match open_segment(&*self.storage, &self.manifest, &alone) {
            Ok(live) => live,
            Err(error) if is_lost(&error) => {
                self.done.segments += 1;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if live.segment.damaged().is_empty() && live.segment.inspect().is_empty() {
            return Ok(Some(live));
        }
        self.done.segments += 1;
        for row in 0..live.segment.len() as u32 {
            let Ok(slot) = live.segment.slot(row) else { continue };
            let Ok((values, norm)) = live.segment.row(row) else { continue };
            if is_sound(&values, live.segment.metric()) && wanted.remove(&slot) {
                self.salvaged.push(slot, &values, norm);
            }
        }
        Ok(None)
    }

    /// The entry of a segment that stays; its list of deleted rows is made again if it is not what the texts say.
    fn keep(&mut self, live: &LiveSegment, entry: &SegmentEntry, wanted: &mut HashSet<u64>) -> Result<SegmentEntry> {
        let mut deleted = HashSet::new();
        for row in 0..live.segment.len() as u32 {
            if !wanted.remove(&live.segment.slot(row)?) {
                deleted.insert(row);
            }
        }
        let listed = match &entry.deleted {
            Some(list) => read_deleted(&*self.storage, &list.file, list.rows).ok(),
            None => Some(HashSet::new()),
        };
        if listed.is_some_and(|listed| listed == deleted) {
            return Ok(entry.clone());
        }
        self.done.lists += 1;
        Ok(SegmentEntry { deleted: self.vectors.write_deleted(&deleted)?, ..entry.clone() })
    }

    /// Embeds the texts whose vectors are lost.
    fn embed(&mut self, documents: &Documents, lost: HashSet<u64>) -> Result<()> {
        /// As many texts at once as an indexed folder gives.
        const AT_ONCE: usize = 4096;
        let root = self.storage.full_path(Path::new(""));
        let metric = Metric::from_name(&self.manifest.metric).unwrap_or_default();
        let mut lost: Vec<u64> = lost.into_iter().collect();
        lost.sort_unstable();
        for slots in lost.chunks(AT_ONCE) {
            let mut chunks = Vec::with_capacity(slots.len());
            for &slot in slots {
                let chunk = documents.chunk(slot).map_err(|e| documents_error(&root, e))?;
                chunks.extend(chunk.map(|chunk| (slot, embedded_text(&chunk))));
            }
            let texts: Vec<&str> = chunks.iter().map(|(_, text)| text.as_str()).collect();
            let rows = embed_texts(self.embedder, metric, &texts)?;
            for ((slot, _), row) in chunks.iter().zip(rows) {
                if let Ok(Some((row, norm))) = row {
                    self.salvaged.push(*slot, &row, norm);
                    self.done.embedded += 1;
                }
            }
        }
        Ok(())
    }
}

/// Whether a segment cannot be used at all, but others can take its place.
fn is_lost(error: &Error) -> bool {
    match error {
        Error::Store(StoreError::Corrupt { .. } | StoreError::NotOurs { .. }) => true,
        Error::Store(StoreError::Io { source, .. }) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
