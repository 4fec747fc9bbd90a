//! What indexing a folder would take, without doing it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::folder::{AddOptions, Change, change, embedded_text, hash_of, is_unchanged};
use super::open::disk;
use super::snapshot::Snapshot;
use super::{Collection, prefix_between};
use crate::error::{Result, StoreError};
use crate::text::{self, ChunkSize, Chunker};

/// Files that are read at once.
const GROUP: usize = 256;

/// What indexing a folder would take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Estimate {
    /// Files that would be read.
    pub files: u64,
    /// Files that are as they were.
    pub unchanged: u64,
    /// Files, or rows of them, that would be left out.
    pub skipped: u64,
    /// Bytes of the files that would be read.
    pub bytes: u64,
    /// Chunks that would be made.
    pub chunks: u64,
    /// Texts that would be embedded: each once, and none that the collection has.
    pub texts: u64,
    /// Their tokens, as counted by the function given.
    pub tokens: u64,
}

impl Collection {
    /// What [`Collection::add_dir_with`] would take for a folder and a collection at `path`, which need not exist.
    /// Nothing is embedded or written. A collection of another model counts as none.
    ///
    /// # Errors
    /// [`crate::error::TextError`]; errors of damaged files.
    pub fn estimate(
        path: impl AsRef<Path>,
        dir: impl AsRef<Path>,
        options: &AddOptions,
        chunk: ChunkSize,
        model: &str,
        count_tokens: &(dyn Fn(&str) -> usize + Sync),
    ) -> Result<Estimate> {
        let full = std::path::absolute(path.as_ref()).map_err(|e| StoreError::io(path.as_ref(), "find", e))?;
        let walk = text::walk(dir.as_ref(), Some(&full))?;
        let known_here = Snapshot::latest(&disk(&full)?, None)?.filter(|old| old.manifest.model.name == model);
        let (chunk, records) = match &known_here {
            Some(old) => (old.manifest.chunk(), old.documents.records().map_err(|e| old.documents_error(e))?),
            None => (chunk, HashMap::new()),
        };
        let prefix = prefix_between(&full, dir.as_ref());
        let chunker = Chunker::new(chunk, &count_tokens)?;
        let mut estimate = Estimate { skipped: walk.skipped.len() as u64, ..Estimate::default() };
        let mut changed = Vec::new();
        for mut entry in walk.entries {
            entry.name = format!("{prefix}{}", entry.name);
            match records.get(&entry.name) {
                Some(record) if is_unchanged(record, &entry, options.fields.as_ref()) => estimate.unchanged += 1,
                _ => changed.push(entry),
            }
        }
        let mut seen = HashSet::new();
        for group in changed.chunks(GROUP) {
            let read = |entry| change(entry, records.get(&entry.name), options.fields.as_ref(), &chunker);
            for (change, entry) in group.par_iter().map(read).collect::<Vec<_>>().into_iter().zip(group) {
                let cut = match change {
                    Change::Cut(cut) => cut,
                    Change::Touched(..) => {
                        estimate.unchanged += 1;
                        continue;
                    }
                    Change::Unread(_) => {
                        estimate.skipped += 1;
                        continue;
                    }
                };
                estimate.files += 1;
                estimate.bytes += entry.len;
                estimate.skipped += cut.record.skipped().count() as u64;
                estimate.chunks += cut.chunks.len() as u64;
                for chunk in &cut.chunks {
                    let hash = hash_of(chunk);
                    let has = match &known_here {
                        Some(old) => old.documents.slot_of_hash(&hash).map_err(|e| old.documents_error(e))?.is_some(),
                        None => false,
                    };
                    if !has && seen.insert(hash) {
                        estimate.texts += 1;
                        estimate.tokens += count_tokens(&embedded_text(chunk)) as u64;
                    }
                }
            }
        }
        Ok(estimate)
    }
}
