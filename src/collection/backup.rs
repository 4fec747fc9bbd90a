//! A copy of a collection, taken while a writer works.

use std::io;
use std::path::Path;

use super::manifest::{FILE, Manifest};
use super::open::{disk, write_ignore_file};
use super::{Collection, Problem, Thoroughness, directory, snapshot, verify};
use crate::error::{CollectionError, Result, StoreError};
use crate::store::{Storage, StorageFile, publish};

/// How [`Collection::snapshot_to`] copies files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copying {
    /// Files get second names where the file system can do that: no writer changes a file, so that is safe, and
    /// takes no time and no room. Others are copied. What damages the disk under a file damages both.
    #[default]
    Links,
    /// Every byte is copied, and compared with its checksum after.
    Bytes,
}

/// What [`Collection::snapshot_to`] made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The commit of the copy.
    pub commit: u64,
    /// Its files, the manifest included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many files are second names of the collection's own, see [`Copying::Links`].
    pub linked: u64,
}

impl Collection {
    /// Makes `to`, which must be absent or empty, a collection as of the last commit of the one at `path`, whatever
    /// its embedder. A writer may go on meanwhile; the copy is of one commit, is durable when this returns, and can
    /// be copied and opened like any other.
    ///
    /// # Errors
    /// [`CollectionError::NotFound`]; [`CollectionError::NotEmpty`]; [`StoreError`].
    pub fn snapshot_to(path: impl AsRef<Path>, to: impl AsRef<Path>, copying: Copying) -> Result<Copied> {
        let (from, target) = (disk(path.as_ref())?, disk(to.as_ref())?);
        let root = target.full_path(Path::new(""));
        match std::fs::read_dir(&root).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(CollectionError::NotEmpty { path: root }.into()),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(root, "read", e).into()),
            _ => {}
        }
        loop {
            let not_found = || CollectionError::NotFound { path: from.full_path(Path::new("")) };
            let manifest = Manifest::read(&*from)?.ok_or_else(not_found)?;
            match copy(&*from, &*target, &manifest, copying) {
                // A writer has gone on, and removed a file.
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound
                        && Manifest::read(&*from)?
                            .is_some_and(|m| (m.id, m.generation) != (manifest.id.clone(), manifest.generation)) => {}
                Ok(done) if copying == Copying::Bytes => {
                    let found = verify::verify(&target, Thoroughness::Checksums)?;
                    return match found.problems.into_iter().next() {
                        None => Ok(done),
                        Some(Problem { path, what, .. }) => Err(StoreError::corrupt(path, what).into()),
                    };
                }
                done => return Ok(done?),
            }
        }
    }
}

fn copy(from: &dyn Storage, to: &dyn Storage, manifest: &Manifest, copying: Copying) -> Result<Copied, StoreError> {
    let folders = ["", directory::FOLDER, snapshot::FOLDER].map(Path::new);
    for folder in folders {
        to.create_dir(folder).map_err(|e| StoreError::io(to.full_path(folder), "make the folder", e))?;
    }
    // What an earlier round left.
    for (name, _) in folders[1..].iter().flat_map(|folder| to.list(folder).unwrap_or_default()) {
        to.remove(&name).map_err(|e| StoreError::io(to.full_path(&name), "remove", e))?;
    }
    let documents = manifest.documents.files.keys().map(|name| folders[1].join(name));
    let vectors = manifest.vector_files().map(|file| folders[2].join(&file.name));
    let mut done = Copied { commit: manifest.commit, files: 1, ..Copied::default() };
    let mut unsynced: Vec<Box<dyn StorageFile>> = Vec::new();
    for name in documents.chain(vectors) {
        let map = from.open(&name).map_err(|e| StoreError::io(from.full_path(&name), "open", e))?;
        done.files += 1;
        done.bytes += map.len() as u64;
        if copying == Copying::Links && from.link_out(&name, &to.full_path(&name)).is_ok() {
            done.linked += 1;
        } else {
            let failed = |e| StoreError::io(to.full_path(&name), "write", e);
            let mut file = to.create(&name).map_err(failed)?;
            file.write_all(&map).map_err(failed)?;
            unsynced.push(file);
        }
    }
    copy_clusters(from, to)?;
    let failed = |e| StoreError::io(to.full_path(folders[0]), "sync", e);
    to.sync_files(unsynced).map_err(failed)?;
    for folder in folders {
        to.sync_dir(folder).map_err(failed)?;
    }
    // What a folder is known by as a collection, also before its manifest is there.
    drop(to.lock(Path::new("LOCK"))?);
    write_ignore_file(to).map_err(|e| StoreError::io(to.full_path(folders[0]), "write", e))?;
    let bytes = manifest.to_bytes().map_err(|e| failed(io::Error::other(e.to_string())))?;
    done.bytes += bytes.len() as u64;
    publish(to, Path::new(FILE), |out| out.write_all(&bytes))?;
    Ok(done)
}

/// The model of clusters goes along where there is one. It is no part of the commit.
fn copy_clusters(from: &dyn Storage, to: &dyn Storage) -> Result<(), StoreError> {
    let name = Path::new(super::clusters::FILE);
    match from.open(name) {
        Ok(map) => publish(to, name, |out| out.write_all(&map)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::io(from.full_path(name), "read", e)),
    }
}
