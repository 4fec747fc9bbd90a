//! tantivy's directory over gyeol's [`Storage`], in the sub-folder `documents`.

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

use crate::error::StoreError;
use crate::store::{Mapped, Storage, StorageFile, publish};

/// The folder of the document store within the collection.
pub(super) const FOLDER: &str = "documents";
/// The file whose replacement is the commit.
const META: &str = "meta.json";
/// tantivy's list of the files it made. Everything in the folder is tantivy's, so the list is read
/// off the folder, and writing it (a sync for each new file) is saved.
const MANAGED: &str = ".managed.json";

/// The folder as tantivy sees it. With a frozen commit, `meta.json` reads as it was then, whatever
/// a writer publishes meanwhile; a file of it that is gone says that the snapshot is too old.
#[derive(Clone, Debug)]
pub(super) struct DocumentDirectory {
    storage: Arc<dyn Storage>,
    frozen: Option<Arc<[u8]>>,
}

impl DocumentDirectory {
    /// The folder as it changes: for the writer.
    pub fn live(storage: Arc<dyn Storage>) -> Self {
        DocumentDirectory { storage, frozen: None }
    }

    /// The folder as of the latest commit; `None` when there is none.
    pub fn latest(storage: Arc<dyn Storage>) -> Result<Option<Self>, StoreError> {
        let name = Path::new(FOLDER).join(META);
        match storage.open(&name) {
            Ok(meta) => match opened(&meta) {
                Some(meta) => Ok(Some(DocumentDirectory { frozen: Some(meta.into()), storage })),
                None => Err(StoreError::corrupt(storage.full_path(&name), WRONG_SUM)),
            },
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(StoreError::io(storage.full_path(&name), "open", e)),
        }
    }

    /// Whether both are frozen at one commit.
    pub fn is_same_commit(&self, other: &Self) -> bool {
        self.frozen.is_some() && self.frozen == other.frozen
    }
}

const WRONG_SUM: &str = "its checksum does not hold";
/// Hexadecimal digits of the checksum's line.
const SUM: usize = 32;

/// A small file as it is stored: `meta.json` has no checksum of tantivy's, so one line of BLAKE3
/// follows it.
fn sealed(data: &[u8]) -> Vec<u8> {
    let sum = blake3::hash(data).to_hex();
    [data, b"\n", &sum.as_bytes()[..SUM], b"\n"].concat()
}

/// What was sealed; `None` when the checksum does not hold.
fn opened(bytes: &[u8]) -> Option<&[u8]> {
    let (data, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM + 2)?)?;
    (sealed(data)[data.len()..] == *sum).then_some(data)
}

fn at(path: &Path) -> PathBuf {
    Path::new(FOLDER).join(path)
}

impl Directory for DocumentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let map = self.storage.open(&at(path)).map_err(|e| read_error(e, path))?;
        Ok(Arc::new(MappedFile(map)))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.storage.remove(&at(path)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        if path == Path::new(META) && self.frozen.is_some() {
            return Ok(true);
        }
        self.storage.exists(&at(path)).map_err(|e| read_error(e, path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self.storage.create(&at(path)).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
        })?;
        Ok(BufWriter::new(Box::new(NewFile(file))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        if path == Path::new(MANAGED) {
            let files = self.storage.list(Path::new(FOLDER)).map_err(|e| read_error(e, path))?;
            let names = files.iter().filter_map(|(file, _)| file.file_name()).map(|n| n.to_string_lossy());
            let names: Vec<_> = names.filter(|n| !n.starts_with('.')).collect();
            return serde_json::to_vec(&names).map_err(|e| read_error(e.into(), path));
        }
        match &self.frozen {
            Some(meta) if path == Path::new(META) => Ok(meta.to_vec()),
            _ => {
                let bytes = self.storage.open(&at(path)).map_err(|e| read_error(e, path))?;
                let wrong = || read_error(io::Error::new(io::ErrorKind::InvalidData, WRONG_SUM), path);
                opened(&bytes).map(<[u8]>::to_vec).ok_or_else(wrong)
            }
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        if path == Path::new(MANAGED) {
            return Ok(());
        }
        publish(&*self.storage, &at(path), |out| out.write_all(&sealed(data))).map_err(|e| match e {
            StoreError::Io { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.storage.sync_dir(Path::new(FOLDER))
    }

    /// Writers are kept apart by the collection's own lock, and readers hold frozen commits, so
    /// tantivy's lock files (which a killed process would leave behind) are not needed.
    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

fn read_error(e: io::Error, path: &Path) -> OpenReadError {
    match e.kind() {
        io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
        _ => OpenReadError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
    }
}

#[derive(Debug)]
struct MappedFile(Mapped);

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
        Ok(OwnedBytes::new(self.0.clone()).slice(range))
    }
}

struct NewFile(Box<dyn StorageFile>);

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminatingWrite for NewFile {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.sync()
    }
}
