//! A collection as of one commit: what readers hold.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::DocumentDirectory;
use super::documents::Documents;
use super::manifest::{FORMAT, Manifest, SegmentEntry};
use crate::error::{CollectionError, Error, IndexError, Result, StoreError};
use crate::index::{Effort, Segment, Work};
use crate::metric::Metric;
use crate::store::file::{self, Kind, Section, Sections};
use crate::store::{Storage, publish};

/// The folder of the vector files within the collection.
pub(super) const FOLDER: &str = "vectors";
/// The section of a tombstones file: ascending row numbers, u32.
const DELETED_ROWS: u32 = 1;

/// One commit, opened. Its files stay readable when a writer unlinks them.
pub(super) struct Snapshot {
    pub manifest: Manifest,
    pub documents: Documents,
    pub segments: Vec<LiveSegment>,
}

/// A segment and which of its rows are deleted.
pub(super) struct LiveSegment {
    pub entry: SegmentEntry,
    pub segment: Segment,
    pub deleted: HashSet<u32>,
}

/// The nearest live rows of all segments.
pub(super) struct Nearest {
    /// `(distance, slot)`, nearest first, ties by slot.
    pub rows: Vec<(f32, u64)>,
    /// What the search of each segment took.
    pub work: Vec<Work>,
}

impl LiveSegment {
    /// Rows that are not deleted.
    pub fn live(&self) -> usize {
        self.segment.len().saturating_sub(self.deleted.len())
    }
}

impl Snapshot {
    /// Opens the latest commit; `None` when there is none.
    pub fn latest(storage: &Arc<dyn Storage>) -> Result<Option<Self>> {
        let root = storage.full_path(Path::new(""));
        let mut tried: Option<DocumentDirectory> = None;
        loop {
            let Some(directory) = DocumentDirectory::latest(storage.clone())? else { return Ok(None) };
            match Self::open(storage, directory.clone(), &root) {
                // A writer unlinks files only after it published the commit that does without them:
                // a file that is gone means a newer commit, or, when there is none, damage.
                Err(error) if is_gone(&error) => {
                    if tried.as_ref().is_some_and(|t| t.is_same_commit(&directory)) {
                        return Err(CollectionError::Corrupt {
                            path: root,
                            reason: format!("a file is gone ({error})"),
                        }
                        .into());
                    }
                    tried = Some(directory);
                }
                opened => return opened,
            }
        }
    }

    fn open(storage: &Arc<dyn Storage>, directory: DocumentDirectory, root: &Path) -> Result<Option<Self>> {
        let documents = Documents::open(directory).map_err(|e| documents_error(root, e))?;
        let Some(payload) = documents.payload() else { return Ok(None) };
        let corrupt = |reason: String| CollectionError::Corrupt { path: root.to_owned(), reason };
        // The format is read first: a newer manifest may have other fields.
        let format = serde_json::from_str::<serde_json::Value>(payload).ok().and_then(|m| m["format"].as_u64());
        if let Some(found) = format.filter(|&f| f > u64::from(FORMAT)) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(CollectionError::NewerFormat { path: root.to_owned(), found, supported: FORMAT }.into());
        }
        let manifest: Manifest = serde_json::from_str(payload).map_err(|e| corrupt(format!("the manifest: {e}")))?;
        let metric = Metric::from_name(&manifest.metric).ok_or_else(|| corrupt("an unknown metric".to_owned()))?;
        let mut segments = Vec::new();
        for entry in &manifest.segments {
            let live = open_segment(&**storage, entry)?;
            let fits = (live.segment.len(), live.segment.metric()) == (entry.rows, metric)
                && live.segment.dim() == manifest.model.dim
                && live.deleted.len() == entry.deleted;
            if !fits {
                return Err(corrupt(format!("{} is not the file that the manifest means", entry.file)).into());
            }
            segments.push(live);
        }
        Ok(Some(Snapshot { manifest, documents, segments }))
    }

    /// The `k` nearest live rows of all segments; the row of slot `without` is passed over.
    pub fn nearest(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        without: Option<u64>,
    ) -> Result<Nearest, IndexError> {
        let (mut rows, mut all_work) = (Vec::new(), Vec::new());
        for live in &self.segments {
            let left_out = without.and_then(|slot| live.segment.row_of(slot));
            let keep = |row: u32| left_out != Some(row) && !live.deleted.contains(&row);
            let all = live.deleted.is_empty() && left_out.is_none();
            let keep: Option<&(dyn Fn(u32) -> bool + Sync)> = if all { None } else { Some(&keep) };
            let (found, work) = live.segment.nearest(query, k, effort, keep)?;
            all_work.push(work);
            rows.extend(found.iter().map(|n| (n.distance, live.segment.slot(n.id))));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        rows.truncate(k);
        Ok(Nearest { rows, work: all_work })
    }

    /// The unit vector of a slot and the norm it had.
    pub fn vector(&self, slot: u64) -> Result<Option<(Vec<f32>, f32)>, IndexError> {
        let found = self.segments.iter().find_map(|live| Some((live, live.segment.row_of(slot)?)));
        let owned =
            |(live, row): (&LiveSegment, u32)| live.segment.row(row).map(|(row, norm)| (row.into_owned(), norm));
        found.map(owned).transpose()
    }
}

fn open_segment(storage: &dyn Storage, entry: &SegmentEntry) -> Result<LiveSegment> {
    let open = |file: &str| {
        let name = Path::new(FOLDER).join(file);
        let path = storage.full_path(&name);
        storage.open(&name).map(|map| (map, path.clone())).map_err(|e| StoreError::io(path, "open", e))
    };
    let (map, path) = open(&entry.file)?;
    let segment = Segment::open(map, &path)?;
    let mut deleted = HashSet::new();
    if let Some(file) = &entry.tombstones {
        let (map, path) = open(file)?;
        let sections = Sections::open(map, &path, Kind::Tombstones)?;
        // Small, and a wrong row here would show a deleted text: read and checked at once.
        sections.verify()?;
        let rows: &[u32] = sections.slice(DELETED_ROWS, entry.deleted)?;
        deleted.extend(rows.iter().filter(|&&row| (row as usize) < segment.len()));
    }
    Ok(LiveSegment { entry: entry.clone(), segment, deleted })
}

/// Writes the file of a segment's deleted rows.
pub(super) fn write_tombstones(storage: &dyn Storage, file: &str, deleted: &HashSet<u32>) -> Result<(), StoreError> {
    let mut rows: Vec<u32> = deleted.iter().copied().collect();
    rows.sort_unstable();
    let sections = [Section { id: DELETED_ROWS, bytes: bytemuck::cast_slice(&rows) }];
    publish(storage, &Path::new(FOLDER).join(file), |out| file::write(out, Kind::Tombstones, &sections).map(drop))
}

/// An error of the document store as ours: the file and the cause where tantivy names them.
pub(super) fn documents_error(root: &Path, error: tantivy::TantivyError) -> Error {
    use tantivy::TantivyError as T;
    use tantivy::directory::error::{OpenReadError, OpenWriteError};
    let full = |path: &PathBuf| root.join(super::directory::FOLDER).join(path);
    let io = |path, action, source: &std::io::Error| {
        StoreError::io(path, action, std::io::Error::new(source.kind(), source.to_string())).into()
    };
    match &error {
        T::OpenReadError(OpenReadError::FileDoesNotExist(path)) => {
            io(full(path), "open", &std::io::ErrorKind::NotFound.into())
        }
        T::OpenReadError(OpenReadError::IoError { io_error, filepath })
            if io_error.kind() == std::io::ErrorKind::InvalidData =>
        {
            StoreError::corrupt(full(filepath), io_error.to_string()).into()
        }
        T::OpenReadError(OpenReadError::IoError { io_error, filepath }) => io(full(filepath), "read", io_error),
        T::OpenWriteError(OpenWriteError::IoError { io_error, filepath }) => io(full(filepath), "write", io_error),
        T::IoError(source) => io(root.join(super::directory::FOLDER), "write or read", source),
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
