//! A collection as of one commit: what readers hold.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::directory::{self, DocumentDirectory};
use super::documents::{Documents, StoredChunk};
use super::manifest::{FileEntry, Manifest, SegmentEntry};
use super::published::State;
use super::selection::Selections;
use crate::error::{CollectionError, Error, IndexError, Result, StoreError};
use crate::index::{Effort, Places, RowSet, Segment, Work};
use crate::store::file::{self, Kind, Section, Sections};
use crate::store::{Mapped, Seal, Storage};

/// The folder of the vector files within the collection.
pub(super) const FOLDER: &str = "vectors";
/// The section of a tombstones file: ascending row numbers, u32.
const DELETED_ROWS: u32 = 1;

/// One commit, opened. Its files stay readable when a writer unlinks them.
pub(super) struct Snapshot {
    pub manifest: Arc<Manifest>,
    pub documents: Arc<Documents>,
    pub segments: Vec<Arc<LiveSegment>>,
    pub selections: Selections,
    root: PathBuf,
}

impl State for Snapshot {
    fn line(&self) -> &str {
        &self.manifest.id
    }

    fn generation(&self) -> u64 {
        self.manifest.generation
    }
}

/// A segment and which of its rows are deleted.
pub(super) struct LiveSegment {
    pub entry: SegmentEntry,
    pub segment: Segment,
    pub deleted: HashSet<u32>,
    /// The places of the other rows, where some are deleted; made by the first search.
    alive: OnceLock<Places>,
}

/// The nearest live rows of all segments.
pub(super) struct Nearest {
    /// `(distance, slot)`, nearest first, ties by slot.
    pub rows: Vec<(f32, u64)>,
    /// What the search of each segment took.
    pub work: Vec<Work>,
}

impl LiveSegment {
    /// A segment and the rows of it that are deleted.
    pub fn new(entry: SegmentEntry, segment: Segment, deleted: HashSet<u32>) -> Self {
        LiveSegment { entry, segment, deleted, alive: OnceLock::new() }
    }

    /// The places that are not deleted; `None` when none is.
    fn alive(&self) -> Result<Option<&Places>, IndexError> {
        if self.deleted.is_empty() {
            return Ok(None);
        }
        if let Some(alive) = self.alive.get() {
            return Ok(Some(alive));
        }
        let mut rows = RowSet::all(self.segment.len());
        self.deleted.iter().for_each(|&row| rows.remove(row));
        let places = self.segment.places_of(&rows)?;
        Ok(Some(self.alive.get_or_init(|| places)))
    }

    /// Rows that are not deleted.
    pub fn live(&self) -> usize {
        self.segment.len().saturating_sub(self.deleted.len())
    }
}

impl Snapshot {
    /// Opens the latest commit; `None` when there is none. What has not changed since `before` is taken from
    /// there.
    pub fn latest(storage: &Arc<dyn Storage>, before: Option<&Snapshot>) -> Result<Option<Self>> {
        let mut tried: Option<Manifest> = None;
        loop {
            let Some(manifest) = Manifest::read(&**storage)? else { return Ok(None) };
            match Self::open(storage, manifest.clone(), before) {
                // A writer unlinks files only after it published the manifest that does without them:
                // a file that is gone means a newer one, or, when there is none, damage.
                Err(error) if is_gone(&error) => {
                    if tried.as_ref() == Some(&manifest) {
                        let (path, reason) = (storage.full_path(Path::new("")), format!("a file is gone ({error})"));
                        return Err(CollectionError::Corrupt { path, reason }.into());
                    }
                    tried = Some(manifest);
                }
                opened => return opened.map(Some),
            }
        }
    }

    /// Opens what a manifest names.
    pub fn open(storage: &Arc<dyn Storage>, manifest: Manifest, before: Option<&Snapshot>) -> Result<Self> {
        let root = storage.full_path(Path::new(""));
        let manifest = Arc::new(manifest);
        let before = before.filter(|b| b.manifest.id == manifest.id);
        let documents = match before.filter(|b| b.manifest.documents == manifest.documents) {
            Some(before) => before.documents.clone(),
            None => {
                let directory = DocumentDirectory::frozen(storage.clone(), manifest.clone())?;
                Arc::new(Documents::open(directory).map_err(|e| documents_error(&root, e))?)
            }
        };
        let mut segments = Vec::with_capacity(manifest.segments.len());
        for entry in &manifest.segments {
            let same = before.and_then(|b| b.segments.iter().find(|live| live.entry == *entry));
            segments.push(match same {
                Some(live) => live.clone(),
                None => Arc::new(open_segment(&**storage, &manifest, entry)?),
            });
        }
        Ok(Snapshot { manifest, documents, segments, selections: Selections::default(), root })
    }

    /// The `k` nearest live rows of all segments; with `among` only those are searched, which has places for each
    /// segment.
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        among: Option<&[Places]>,
    ) -> Result<Nearest, IndexError> {
        self.nearest_and(query, (k, 0), effort, among)
    }

    /// [`Snapshot::nearest`] with the effort that `k` take, and some more rows: for a caller who leaves out as many.
    pub fn nearest_and(
        &self,
        query: &[f32],
        (k, more): (usize, usize),
        effort: Effort,
        among: Option<&[Places]>,
    ) -> Result<Nearest, IndexError> {
        let (mut rows, mut all_work) = (Vec::new(), Vec::new());
        for (i, live) in self.segments.iter().enumerate() {
            let among = match among {
                Some(among) => among.get(i),
                None => live.alive()?,
            };
            let (found, work) = live.segment.nearest_and(query, (k, more), effort, among)?;
            all_work.push(work);
            for neighbor in found {
                rows.push((neighbor.distance, live.segment.slot(neighbor.id)?));
            }
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.truncate(k.saturating_add(more));
        Ok(Nearest { rows, work: all_work })
    }

    /// All rows that are not deleted.
    pub fn live_rows(&self) -> impl Iterator<Item = (&LiveSegment, u32)> {
        self.segments.iter().flat_map(|live| {
            let rows = (0..live.segment.len() as u32).filter(|row| !live.deleted.contains(row));
            rows.map(move |row| (&**live, row))
        })
    }

    /// An error of the document store as ours.
    pub fn documents_error(&self, error: tantivy::TantivyError) -> Error {
        documents_error(&self.root, error)
    }

    /// The chunk of a slot, which must have one.
    pub fn chunk(&self, slot: u64) -> Result<StoredChunk> {
        let chunk = self.documents.chunk(slot).map_err(|e| self.documents_error(e))?;
        let reason = || format!("no text for vector {slot}");
        chunk.ok_or_else(|| CollectionError::Corrupt { path: self.root.clone(), reason: reason() }.into())
    }

    /// The distance of the vector of a slot from a query, if it has a vector.
    pub fn distance(&self, query: &[f32], slot: u64) -> Result<Option<f32>, IndexError> {
        for live in &self.segments {
            if let Some(row) = live.segment.row_of(slot)? {
                return live.segment.distance(query, row).map(Some);
            }
        }
        Ok(None)
    }

    /// Compares graphs, partitions and codes with their checksums, those not yet compared; [`Snapshot::warnings`]
    /// tells what does not hold.
    pub fn check_structures(&self) {
        self.segments.iter().for_each(|live| live.segment.check_structure());
    }

    /// What of graphs, partitions and codes was found damaged.
    pub fn warnings(&self) -> Vec<String> {
        let warn = |live: &Arc<LiveSegment>| {
            let reason = live.segment.damage()?;
            let file = Path::new(FOLDER).join(&live.entry.file.name);
            Some(format!("{}: searched exactly, since {reason}; run `gyeol repair`", file.display()))
        };
        self.segments.iter().filter_map(warn).collect()
    }

    /// The unit vector of a slot and the norm it had.
    pub fn vector(&self, slot: u64) -> Result<Option<(Vec<f32>, f32)>, IndexError> {
        for live in &self.segments {
            if let Some(row) = live.segment.row_of(slot)? {
                return live.segment.row(row).map(|(row, norm)| Some((row.into_owned(), norm)));
            }
        }
        Ok(None)
    }
}

/// Opens a segment and the list of its deleted rows.
pub(super) fn open_segment(storage: &dyn Storage, manifest: &Manifest, entry: &SegmentEntry) -> Result<LiveSegment> {
    let (map, path) = open_file(storage, &entry.file)?;
    let segment = Segment::open(map, &path)?;
    let other = || StoreError::corrupt(&path, "it is not the file that the manifest means");
    let seal = segment.file().map(Sections::seal);
    let fits = (segment.len(), segment.dim()) == (entry.rows, manifest.model.dim)
        && segment.metric().name() == manifest.metric
        && seal == Some(entry.file.seal.0);
    if !fits {
        return Err(other().into());
    }
    let mut deleted = HashSet::new();
    if let Some(list) = &entry.deleted {
        deleted = read_deleted(storage, &list.file, list.rows)?;
        if deleted.iter().any(|&row| row as usize >= segment.len()) {
            return Err(other().into());
        }
    }
    Ok(LiveSegment::new(entry.clone(), segment, deleted))
}

/// Maps a file of vectors whose length is the one noted.
fn open_file(storage: &dyn Storage, file: &FileEntry) -> Result<(Mapped, PathBuf)> {
    let name = Path::new(FOLDER).join(&file.name);
    let path = storage.full_path(&name);
    let map = storage.open(&name).map_err(|e| StoreError::io(&path, "open", e))?;
    if map.len() as u64 != file.seal.0.bytes {
        let reason = format!("{} bytes where {} were written", map.len(), file.seal.0.bytes);
        return Err(StoreError::corrupt(path, reason).into());
    }
    Ok((map, path))
}

/// Reads a list of deleted rows: small, and a wrong row here would show a deleted text, so it is compared with its
/// checksums at once.
pub(super) fn read_deleted(storage: &dyn Storage, file: &FileEntry, rows: usize) -> Result<HashSet<u32>> {
    let (map, path) = open_file(storage, file)?;
    let sections = Sections::open(map, &path, Kind::Tombstones, &["", "DELETED_ROWS"])?;
    if sections.seal() != file.seal.0 {
        return Err(StoreError::corrupt(path, "it is not the file that the manifest means").into());
    }
    sections.verify()?;
    let rows: &[u32] = sections.slice(DELETED_ROWS, rows)?;
    if !rows.is_sorted_by(|a, b| a < b) {
        return Err(StoreError::corrupt(path, "its rows are not in ascending order").into());
    }
    Ok(rows.iter().copied().collect())
}

/// Writes the file of a segment's deleted rows.
pub(super) fn write_deleted(out: &mut dyn std::io::Write, deleted: &HashSet<u32>) -> std::io::Result<Seal> {
    let mut rows: Vec<u32> = deleted.iter().copied().collect();
    rows.sort_unstable();
    file::write(out, Kind::Tombstones, &[Section { id: DELETED_ROWS, bytes: bytemuck::cast_slice(&rows) }])
}

/// An error of the document store as ours: the file and the cause where tantivy names them.
pub(super) fn documents_error(root: &Path, error: tantivy::TantivyError) -> Error {
    use tantivy::TantivyError as T;
    use tantivy::directory::error::{OpenReadError, OpenWriteError};
    let full = |path: &PathBuf| root.join(directory::FOLDER).join(path);
    let io = |path, action, source: &std::io::Error| {
        StoreError::io(path, action, std::io::Error::new(source.kind(), source.to_string())).into()
    };
    let damaged = match &error {
        T::OpenReadError(OpenReadError::IoError { io_error, .. }) | T::IoError(io_error) => directory::damage(io_error),
        _ => None,
    };
    if let Some((path, reason)) = damaged {
        return StoreError::corrupt(path, reason).into();
    }
    match &error {
        T::OpenReadError(OpenReadError::FileDoesNotExist(path)) => {
            io(full(path), "open", &std::io::ErrorKind::NotFound.into())
        }
        T::OpenReadError(OpenReadError::IoError { io_error, filepath }) => io(full(filepath), "read", io_error),
        T::OpenWriteError(OpenWriteError::IoError { io_error, filepath }) => io(full(filepath), "write", io_error),
        T::IoError(source) => io(root.join(directory::FOLDER), "write or read", source),
        _ => CollectionError::Documents { path: root.to_owned(), reason: error.to_string() }.into(),
    }
}

fn is_gone(error: &Error) -> bool {
    let gone =
        |e: &StoreError| matches!(e, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    match error {
        Error::Store(e) | Error::Index(IndexError::Store(e)) => gone(e),
        _ => false,
    }
}
