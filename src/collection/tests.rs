//! A collection as its users see it: folders that change, keys, commits, damage.

mod commits;
mod folders;
mod keys;
mod maintain;
mod recall;
mod select;
mod small;

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::embed::builtin;

/// A folder of files with its collection.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| home.write(name, text));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn at(&self) -> PathBuf {
        self.path(FOLDER_NAME)
    }

    fn open(&self) -> Collection {
        Collection::open_or_create(self.at(), builtin()).unwrap()
    }

    /// One run of the folder, committed.
    fn index(&self) -> Report {
        let mut collection = self.open();
        let report = collection.add_dir(self.dir.path()).unwrap();
        collection.commit().unwrap();
        report
    }
}

fn paths(found: Found) -> Vec<String> {
    found.into_iter().map(|hit| hit.source.path.unwrap_or(hit.key)).collect()
}

fn document(key: &str, text: &str) -> NewDocument {
    NewDocument { key: key.to_owned(), text: text.to_owned(), ..NewDocument::default() }
}

/// `(added, updated, unchanged, removed, chunks added, chunks removed, embedded)`.
fn counts(r: &Report) -> [u64; 7] {
    [r.added, r.updated, r.unchanged, r.removed, r.chunks_added, r.chunks_removed, r.embedded]
}

fn total_bytes(folder: &Path) -> u64 {
    let size = |e: fs::DirEntry| if e.path().is_dir() { total_bytes(&e.path()) } else { e.metadata().unwrap().len() };
    fs::read_dir(folder).unwrap().map(|e| size(e.unwrap())).sum()
}
