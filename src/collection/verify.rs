//! Whether a collection's files are what was written, and fit together.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Collection;
use super::directory::open_document;
use super::ledger::document_path;
use super::manifest::{FILE, Manifest, SegmentEntry};
use super::open::disk;
use super::snapshot::{self, LiveSegment, Snapshot, documents_error, open_segment};
use crate::error::{CollectionError, Error, Result, StoreError};
use crate::store::Storage;

/// What [`Collection::verify`] looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thoroughness {
    /// Every byte of every file against its checksum.
    #[default]
    Checksums,
    /// That, and whether everything fits together: each vector has its text and each text its vector, vectors are
    /// finite and of length 1, links lead somewhere, every text can be read.
    Full,
}

/// What [`Collection::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The commit that was looked at.
    pub commit: u64,
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What does not hold; none when all is well.
    pub problems: Vec<Problem>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What of it does not hold.
    pub what: String,
    /// What it means for searches until then.
    pub effect: Effect,
    /// What mends it.
    pub remedy: Remedy,
}

/// What a problem means for searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// They are exact, and slower.
    Slower,
    /// Those that meet it fail, and say so.
    Errors,
    /// The collection cannot be opened.
    Closed,
}

/// What mends a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// [`Collection::repair`], `gyeol repair`: graphs are built again, lost vectors are embedded again.
    Repair,
    /// [`Collection::rebuild`], `gyeol index --rebuild`, or a copy: texts are lost.
    Rebuild,
}

impl Collection {
    /// Reads the whole collection at `path` as of its last commit, whatever its embedder, and tells what does not
    /// hold. A writer may go on meanwhile.
    ///
    /// # Errors
    /// [`CollectionError::NotFound`]; [`CollectionError::NewerFormat`]; [`StoreError::Io`]. Damage is no error.
    pub fn verify(path: impl AsRef<Path>, thoroughness: Thoroughness) -> Result<Verification> {
        verify(&disk(path.as_ref())?, thoroughness)
    }
}

/// See [`Collection::verify`].
pub(super) fn verify(storage: &Arc<dyn Storage>, thoroughness: Thoroughness) -> Result<Verification> {
    loop {
        let root = storage.full_path(Path::new(""));
        let manifest = match Manifest::read(&**storage) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Err(CollectionError::NotFound { path: root }.into()),
            Err(Error::Store(StoreError::Corrupt { path, reason })) => {
                let problem = Problem { path, what: reason, effect: Effect::Closed, remedy: Remedy::Rebuild };
                return Ok(Verification { files: 1, problems: vec![problem], ..Verification::default() });
            }
            Err(error) => return Err(error),
        };
        let mut run = Run { storage, manifest, found: Verification::default() };
        run.found.commit = run.manifest.commit;
        run.documents()?;
        run.vectors()?;
        let inspected = match thoroughness {
            Thoroughness::Full if run.found.problems.is_empty() => run.inspect(),
            _ => Ok(()),
        };
        run.note_bytes(FILE)?;
        // A file that went with a newer manifest is no damage.
        let is_other = |m: Manifest| (&m.id, m.generation) != (&run.manifest.id, run.manifest.generation);
        let moved = Manifest::read(&**storage)?.is_some_and(is_other);
        if (inspected.is_ok() && run.found.problems.is_empty()) || !moved {
            return inspected.map(|()| run.found);
        }
    }
}

struct Run<'a> {
    storage: &'a Arc<dyn Storage>,
    manifest: Manifest,
    found: Verification,
}

impl Run<'_> {
    fn note(&mut self, path: PathBuf, what: String, effect: Effect, remedy: Remedy) {
        self.found.problems.push(Problem { path, what, effect, remedy });
    }

    fn note_bytes(&mut self, name: &str) -> Result<()> {
        let path = Path::new(name);
        let map = self.storage.open(path).map_err(|e| StoreError::io(self.storage.full_path(path), "open", e))?;
        self.found.files += 1;
        self.found.bytes += map.len() as u64;
        Ok(())
    }

    fn documents(&mut self) -> Result<()> {
        for (name, seal) in self.manifest.documents.files.clone() {
            let name = Path::new(&name);
            let path = document_path(&**self.storage, name);
            let read = open_document(&**self.storage, name, seal.0).and_then(|file| file.verify(&path));
            self.found.files += 1;
            self.found.bytes = self.found.bytes.saturating_add(seal.0.bytes);
            if let Err(error) = read {
                self.note(path, damage(error.into())?, Effect::Errors, Remedy::Rebuild);
            }
        }
        Ok(())
    }

    fn vectors(&mut self) -> Result<()> {
        for entry in self.manifest.segments.clone() {
            self.found.files += 1 + u64::from(entry.deleted.is_some());
            let list = entry.deleted.as_ref().map_or(0, |d| d.file.seal.0.bytes);
            self.found.bytes = self.found.bytes.saturating_add(entry.file.seal.0.bytes).saturating_add(list);
            let path = |name: &str| self.storage.full_path(&Path::new(snapshot::FOLDER).join(name));
            if let Some(list) = &entry.deleted
                && let Err(error) = snapshot::read_deleted(&**self.storage, &list.file, list.rows)
            {
                self.note(path(&list.file.name), damage(error)?, Effect::Closed, Remedy::Repair);
            }
            let alone = SegmentEntry { deleted: None, ..entry.clone() };
            match open_segment(&**self.storage, &self.manifest, &alone) {
                Err(error) => self.note(path(&entry.file.name), damage(error)?, Effect::Closed, Remedy::Repair),
                Ok(live) => self.faults(&live, live.segment.damaged()),
            }
        }
        Ok(())
    }

    fn faults(&mut self, live: &LiveSegment, faults: Vec<crate::index::Fault>) {
        let path = self.storage.full_path(&Path::new(snapshot::FOLDER).join(&live.entry.file.name));
        for fault in faults {
            let effect = if fault.of_rows { Effect::Errors } else { Effect::Slower };
            self.note(path.clone(), fault.what, effect, Remedy::Repair);
        }
    }

    /// What checksums cannot tell.
    fn inspect(&mut self) -> Result<()> {
        let root = self.storage.full_path(Path::new(""));
        let now = Snapshot::open(self.storage, self.manifest.clone(), None)?;
        for live in &now.segments {
            self.faults(live, live.segment.inspect());
        }
        let slots = now.documents.all_slots().map_err(|e| documents_error(&root, e))?;
        let wanted: HashSet<u64> = slots.iter().filter(|s| s.1).map(|s| s.0).collect();
        let mut held = HashSet::new();
        for live in &now.segments {
            let path = self.storage.full_path(&Path::new(snapshot::FOLDER).join(&live.entry.file.name));
            for row in (0..live.segment.len() as u32).filter(|row| !live.deleted.contains(row)) {
                let slot = live.segment.slot(row)?;
                if !wanted.contains(&slot) || !held.insert(slot) {
                    let what = format!("the vector of slot {slot} has no text, or stands twice");
                    self.note(path.clone(), what, Effect::Errors, Remedy::Repair);
                }
            }
        }
        let lost = wanted.difference(&held).count();
        if lost > 0 {
            let what = format!("{lost} texts have lost their vectors");
            self.note(root.join(snapshot::FOLDER), what, Effect::Errors, Remedy::Repair);
        }
        for (slot, _) in slots {
            if let Err(error) = now.documents.chunk(slot) {
                let what = format!("the text of slot {slot}: {error}");
                self.note(root.join(super::directory::FOLDER), what, Effect::Errors, Remedy::Rebuild);
            }
        }
        Ok(())
    }
}

/// What is damaged; a file that cannot be read at all is an error, unless it is gone.
fn damage(error: Error) -> Result<String> {
    match error {
        Error::Store(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok("the file is gone".to_owned())
        }
        Error::Store(StoreError::Io { .. }) => Err(error),
        Error::Store(StoreError::Corrupt { reason, .. } | StoreError::NotOurs { reason, .. }) => Ok(reason),
        other => Ok(other.to_string()),
    }
}
