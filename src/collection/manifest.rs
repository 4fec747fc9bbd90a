//! What a collection is: one file, `manifest.json`, whose replacement is the commit.
//!
//! It is JSON, followed by a line with the first 32 hexadecimal digits of the BLAKE3 hash of everything before
//! that line. It names every file of the collection with its length and a checksum that stands for all of its
//! bytes, so no file can be damaged, cut, swapped or left over from another commit without that showing.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::embed::ModelIdentity;
use crate::error::{CollectionError, Result, StoreError};
use crate::metric::Metric;
use crate::store::{Seal, Storage};
use crate::text::ChunkSize;

/// The newest collection format that this build writes and reads.
pub(super) const FORMAT: u32 = 1;
/// The file, within the collection.
pub(super) const FILE: &str = "manifest.json";

/// No number is larger.
pub(super) const MOST: u64 = 1 << 60;
/// Nor has a vector more values.
const MOST_DIM: usize = 1 << 24;
/// Hexadecimal digits of the checksum's line.
const SUM: usize = 32;

/// The state of a collection.
///
/// | field | meaning |
/// |---|---|
/// | `format` | [`FORMAT`] of the writer |
/// | `id` | tells this collection from others, and from one made anew in its place |
/// | `commit` | the number of the commit |
/// | `generation` | grows with each manifest, also when merging writes the same commit in other files |
/// | `model` | identity of the embedder whose vectors these are |
/// | `metric` | `cosine`, `dot` or `l2` |
/// | `chunk_tokens` | tokens in a chunk; `null`: documents are whole |
/// | `next_slot` | the number that the next chunk gets; none is given twice |
/// | `next_file` | the number of the next file in `vectors` |
/// | `segments` | the files of vectors |
/// | `documents` | what tantivy's `meta.json` would hold, its payload being `commit`, and its files |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub id: String,
    pub commit: u64,
    pub generation: u64,
    pub model: ModelIdentity,
    pub metric: String,
    pub chunk_tokens: Option<usize>,
    pub next_slot: u64,
    pub next_file: u64,
    pub segments: Vec<SegmentEntry>,
    pub documents: DocumentsEntry,
}

/// One file of vectors and the file of its deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentEntry {
    /// The segment's file in `vectors`.
    pub file: FileEntry,
    /// Its rows, deleted ones included.
    pub rows: usize,
    /// Its deleted rows, if there are any.
    pub deleted: Option<DeletedEntry>,
}

/// The file of a segment's deleted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeletedEntry {
    /// The file in `vectors`.
    pub file: FileEntry,
    /// How many rows are deleted.
    pub rows: usize,
}

/// A file by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub name: String,
    #[serde(flatten)]
    pub seal: SealEntry,
}

/// A [`Seal`] as JSON: a number of 64 bits is not safe there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SealText", into = "SealText")]
pub(super) struct SealEntry(pub Seal);

#[derive(Serialize, Deserialize)]
struct SealText {
    bytes: u64,
    checksum: String,
}

/// The document store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct DocumentsEntry {
    pub meta: Json,
    /// Its files in `documents`.
    pub files: BTreeMap<String, SealEntry>,
}

impl From<SealEntry> for SealText {
    fn from(SealEntry(seal): SealEntry) -> Self {
        SealText { bytes: seal.bytes, checksum: format!("{:016x}", seal.sum) }
    }
}

impl TryFrom<SealText> for SealEntry {
    type Error = std::num::ParseIntError;

    fn try_from(text: SealText) -> Result<Self, Self::Error> {
        Ok(SealEntry(Seal { bytes: text.bytes, sum: u64::from_str_radix(&text.checksum, 16)? }))
    }
}

impl SegmentEntry {
    /// How many rows are deleted.
    pub fn deleted_rows(&self) -> usize {
        self.deleted.as_ref().map_or(0, |d| d.rows)
    }
}

impl Manifest {
    /// The manifest of an empty collection, before its first commit.
    pub fn new(model: &ModelIdentity, chunk: ChunkSize) -> Self {
        Manifest {
            format: FORMAT,
            id: new_id(),
            commit: 0,
            generation: 0,
            model: model.clone(),
            metric: Metric::Cosine.name().to_owned(),
            chunk_tokens: match chunk {
                ChunkSize::Tokens(n) => Some(n),
                ChunkSize::Whole => None,
            },
            next_slot: 0,
            next_file: 1,
            segments: Vec::new(),
            documents: DocumentsEntry::default(),
        }
    }

    /// How documents are cut.
    pub fn chunk(&self) -> ChunkSize {
        self.chunk_tokens.map_or(ChunkSize::Whole, ChunkSize::Tokens)
    }

    /// Every file of vectors.
    pub fn vector_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.segments.iter().flat_map(|s| std::iter::once(&s.file).chain(s.deleted.as_ref().map(|d| &d.file)))
    }

    /// The manifest as the file has it.
    ///
    /// # Errors
    /// [`CollectionError::Corrupt`] when it cannot be written as JSON, which it always can.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let unwritable = |e: serde_json::Error| CollectionError::Corrupt {
            path: FILE.into(),
            reason: format!("the manifest cannot be written: {e}"),
        };
        let mut bytes = serde_json::to_vec(self).map_err(unwritable)?;
        bytes.push(b'\n');
        let sum = blake3::hash(&bytes).to_hex();
        bytes.extend_from_slice(&sum.as_bytes()[..SUM]);
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The latest manifest of a storage; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`]; [`CollectionError::NewerFormat`]; [`CollectionError::Corrupt`].
    pub fn read(storage: &dyn Storage) -> Result<Option<Self>> {
        let path = storage.full_path(Path::new(FILE));
        let bytes = match storage.open(Path::new(FILE)) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(StoreError::io(path, "open", e).into()),
        };
        let root = storage.full_path(Path::new(""));
        let wrong_sum = || StoreError::corrupt(&path, "its checksum does not hold");
        let (json, sum) = bytes.len().checked_sub(SUM + 1).map(|at| bytes.split_at(at)).ok_or_else(wrong_sum)?;
        if sum.split_last() != Some((&b'\n', &blake3::hash(json).to_hex().as_bytes()[..SUM])) {
            return Err(wrong_sum().into());
        }
        let corrupt = |e: serde_json::Error| StoreError::corrupt(&path, e.to_string());
        // The format is read first: a newer manifest may have other fields.
        #[derive(Deserialize)]
        struct Formatted {
            format: u64,
        }
        let Formatted { format } = serde_json::from_slice(json).map_err(corrupt)?;
        if format > u64::from(FORMAT) {
            let found = u32::try_from(format).unwrap_or(u32::MAX);
            return Err(CollectionError::NewerFormat { path: root, found, supported: FORMAT }.into());
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(corrupt)?;
        match manifest.fault() {
            None => Ok(Some(manifest)),
            Some(fault) => Err(StoreError::corrupt(&path, fault).into()),
        }
    }

    /// What no writer writes, whatever the checksum says: names that lead out of the collection, numbers that leave
    /// no room for others, a file that is named twice, a dimension of 0.
    pub fn fault(&self) -> Option<String> {
        let mut seen = HashSet::new();
        let names = self.vector_files().map(|f| f.name.as_str()).chain(self.documents.files.keys().map(String::as_str));
        for name in names {
            let is_plain = Path::new(name).file_name().is_some_and(|last| last == name) && !name.contains(['/', '\\']);
            if !is_plain || !seen.insert(name) {
                return Some(format!("{name:?} is no name of a file of its own"));
            }
        }
        let opstamp = self.documents.meta["opstamp"].as_u64().unwrap_or(u64::MAX);
        let numbers = [self.commit, self.generation, self.next_slot, self.next_file, opstamp];
        let dim = (1..=MOST_DIM).contains(&self.model.dim);
        if numbers.iter().any(|&n| n > MOST) || !dim || Metric::from_name(&self.metric).is_none() {
            return Some("its numbers are out of range, or its metric is unknown".to_owned());
        }
        let of_documents = self.documents.meta["payload"].as_str();
        (of_documents != Some(&self.commit.to_string())).then(|| "its documents are of another commit".to_owned())
    }
}

/// A name that no other collection has.
fn new_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Seeded by the operating system, and differently each time.
    let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), now);
    format!("{:08x}{random:016x}", now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Disk, publish};

    #[test]
    fn a_manifest_that_no_writer_writes_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let [hash, query_prefix, document_prefix] = [const { String::new() }; 3];
        let model = ModelIdentity { name: "m".to_owned(), hash, dim: 3, query_prefix, document_prefix };
        let file = |name: &str| FileEntry { name: name.to_owned(), seal: SealEntry(Seal { bytes: 1, sum: u64::MAX }) };
        let segment = |name: &str| SegmentEntry { file: file(name), rows: 1, deleted: None };
        let meta = serde_json::json!({ "opstamp": 1, "payload": "0" });
        let documents = DocumentsEntry { meta, ..DocumentsEntry::default() };
        let empty = Manifest { documents, ..Manifest::new(&model, ChunkSize::Whole) };
        let written = |manifest: &Manifest| {
            publish(&disk, Path::new(FILE), |out| out.write_all(&manifest.to_bytes().unwrap())).unwrap();
            Manifest::read(&disk)
        };
        let good = Manifest { segments: vec![segment("1.seg"), segment("2.seg")], ..empty.clone() };
        assert_eq!(written(&good).unwrap(), Some(good));
        for name in ["../x.seg", "/etc/passwd", "a/b", "..", ".", "", "a\\b"] {
            let bad = Manifest { segments: vec![segment(name)], ..empty.clone() };
            assert!(written(&bad).unwrap_err().to_string().contains("no name of a file"), "{name}");
        }
        let twice = Manifest { segments: vec![segment("1.seg"), segment("1.seg")], ..empty.clone() };
        assert!(written(&twice).is_err());
        assert!(written(&Manifest { next_file: u64::MAX, ..empty.clone() }).is_err());
        assert!(written(&Manifest { commit: 1, ..empty.clone() }).is_err());
        assert!(written(&Manifest { metric: "none".to_owned(), ..empty }).is_err());
    }
}
