//! tantivy's directory over gyeol's [`Storage`], in the sub-folder `documents`.
//!
//! Its files are sealed: the checksums of their blocks follow what tantivy wrote, and are compared when a block is
//! first read. Its `meta.json` is a part of the collection's manifest.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};

use super::ledger::{Ledger, document_path};
use super::manifest::{Manifest, SealEntry};
use crate::error::StoreError;
use crate::store::{Seal, Sealed, Sealer, Storage, StorageFile};

/// The folder of the document store within the collection.
pub(super) const FOLDER: &str = "documents";
/// Where tantivy keeps what its commit is.
const META: &str = "meta.json";
/// tantivy's list of the files it made: read off the manifest, never written.
const MANAGED: &str = ".managed.json";

/// The folder as tantivy sees it.
#[derive(Clone, Debug)]
pub(super) struct DocumentDirectory {
    storage: Arc<dyn Storage>,
    side: Side,
}

#[derive(Clone, Debug)]
enum Side {
    /// As of one manifest, whatever a writer publishes meanwhile.
    Frozen(Arc<Manifest>, Arc<BTreeMap<String, Arc<Sealed>>>),
    /// As the writer changes it.
    Live(Arc<Ledger>),
}

impl DocumentDirectory {
    /// The folder as it changes: for the writer.
    pub fn live(storage: Arc<dyn Storage>, ledger: Arc<Ledger>) -> Self {
        DocumentDirectory { storage, side: Side::Live(ledger) }
    }

    /// The folder as of a manifest: for readers. All files are opened at once: tantivy does without some kinds of
    /// file when they are gone.
    ///
    /// # Errors
    /// As [`open_document`].
    pub fn frozen(storage: Arc<dyn Storage>, manifest: Arc<Manifest>) -> Result<Self, StoreError> {
        let open = |(name, seal): (&String, &SealEntry)| {
            Ok((name.clone(), Arc::new(open_document(&*storage, Path::new(name), seal.0)?)))
        };
        let files = manifest.documents.files.iter().map(open).collect::<Result<_, StoreError>>()?;
        Ok(DocumentDirectory { storage, side: Side::Frozen(manifest, Arc::new(files)) })
    }

    /// A file, if there is one.
    fn open(&self, path: &Path) -> Result<Option<Arc<Sealed>>, StoreError> {
        let name = path.to_string_lossy();
        match &self.side {
            Side::Frozen(_, files) => Ok(files.get(&*name).cloned()),
            Side::Live(ledger) => match ledger.document_seal(&name) {
                Some(seal) => open_document(&*self.storage, path, seal).map(|file| Some(Arc::new(file))),
                None => Ok(None),
            },
        }
    }

    fn ledger(&self) -> io::Result<&Arc<Ledger>> {
        match &self.side {
            Side::Live(ledger) => Ok(ledger),
            Side::Frozen(..) => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

/// Opens a sealed file of documents.
///
/// # Errors
/// [`StoreError`] when it cannot be opened, or is not what was written.
pub(super) fn open_document(storage: &dyn Storage, name: &Path, seal: Seal) -> Result<Sealed, StoreError> {
    let path = document_path(storage, name);
    let map = storage.open(&Path::new(FOLDER).join(name)).map_err(|e| StoreError::io(&path, "open", e))?;
    Sealed::open(map, &path, seal)
}

impl Directory for DocumentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.open(path).map_err(|e| match e {
            StoreError::Io { source, .. } => read_error(source, path),
            damaged => read_error(as_io(damaged), path),
        })?;
        Ok(Arc::new(MappedFile(file.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?)))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        let removed = self.ledger().and_then(|ledger| ledger.remove_document(path));
        removed.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        let name = path.to_string_lossy();
        Ok(match &self.side {
            Side::Live(ledger) if path == Path::new(META) => ledger.meta().is_some(),
            Side::Live(ledger) => ledger.document_seal(&name).is_some(),
            Side::Frozen(_, files) => path == Path::new(META) || files.contains_key(&*name),
        })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let created = self.ledger().and_then(|ledger| Ok((ledger.create_document(path)?, ledger.clone())));
        let (file, ledger) = created.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
        })?;
        let name = path.to_string_lossy().into_owned();
        Ok(BufWriter::new(Box::new(NewFile { file: Some(file), sealer: Sealer::default(), name, ledger })))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let absent = || OpenReadError::FileDoesNotExist(path.to_owned());
        match &self.side {
            Side::Frozen(manifest, _) if path == Path::new(META) => {
                Ok(manifest.documents.meta.to_string().into_bytes())
            }
            Side::Live(ledger) if path == Path::new(META) => ledger.meta().ok_or_else(absent),
            side if path == Path::new(MANAGED) => {
                let names = match side {
                    Side::Frozen(manifest, _) => manifest.documents.files.keys().cloned().collect(),
                    Side::Live(ledger) => ledger.document_names(),
                };
                serde_json::to_vec(&names).map_err(|e| read_error(e.into(), path))
            }
            _ => Err(absent()),
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        if path == Path::new(MANAGED) {
            return Ok(());
        }
        self.ledger()?.publish_meta(data)
    }

    /// Names are synced when a manifest is published that may name them.
    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    /// Writers are kept apart by the collection's own lock, and readers hold frozen manifests, so
    /// tantivy's lock files (which a killed process would leave behind) are not needed.
    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

/// A damaged file as tantivy's readers can return it.
fn as_io(damaged: StoreError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damaged)
}

fn read_error(e: io::Error, path: &Path) -> OpenReadError {
    match e.kind() {
        io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
        _ => OpenReadError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
    }
}

#[derive(Debug)]
struct MappedFile(Arc<Sealed>);

impl HasLen for MappedFile {
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl FileHandle for MappedFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.0.len() {
            let reason = format!("bytes {range:?} of a file of {}", self.0.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        self.0.check(range.clone()).map_err(as_io)?;
        Ok(OwnedBytes::new(self.0.map().clone()).slice(range))
    }
}

/// A file that tantivy is writing.
struct NewFile {
    /// Until its end is written.
    file: Option<Box<dyn StorageFile>>,
    sealer: Sealer,
    name: String,
    ledger: Arc<Ledger>,
}

fn ended() -> io::Error {
    io::Error::other("the file was written to its end before")
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.ledger.note(self.file.as_mut().ok_or_else(ended)?.write(bytes))?;
        self.sealer.take(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.flush())
    }
}

impl TerminatingWrite for NewFile {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let mut file = self.file.take().ok_or_else(ended)?;
        let seal = self.ledger.note(std::mem::take(&mut self.sealer).finish(&mut *file))?;
        self.ledger.add_document(&self.name, file, seal)
    }
}

/// What tantivy read from a damaged file, if its error says so.
pub(super) fn damage(error: &io::Error) -> Option<(PathBuf, String)> {
    match error.get_ref()?.downcast_ref::<StoreError>()? {
        StoreError::Corrupt { path, reason } => Some((path.clone(), reason.clone())),
        _ => None,
    }
}
