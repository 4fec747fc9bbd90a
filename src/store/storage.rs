//! The storage trait and the real disk behind it.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Mapped;
use super::lock::WriterLock;
use super::sync::sync_at_once;
use crate::error::StoreError;

/// A folder of write-once files, as seen by everything that gyeol writes.
///
/// Names are relative paths. A file exists once [`Storage::create`] returned, has its content for
/// sure once [`StorageFile::sync`] returned, and keeps its name for sure once
/// [`Storage::sync_dir`] returned: the promises that POSIX makes, and no more.
pub trait Storage: Debug + Send + Sync + 'static {
    /// Maps a whole file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none, else what the storage answers.
    fn open(&self, name: &Path) -> io::Result<Mapped>;

    /// Starts a new file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is one, else what the storage answers.
    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// What the storage answers.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Unlinks a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none, else what the storage answers.
    fn remove(&self, name: &Path) -> io::Result<()>;

    /// Whether a file of this name exists.
    ///
    /// # Errors
    /// What the storage answers.
    fn exists(&self, name: &Path) -> io::Result<bool>;

    /// The files directly in a folder (`""` is the top), with their lengths in bytes.
    ///
    /// # Errors
    /// What the storage answers.
    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>>;

    /// Makes a folder, and those above it. The names of those above the storage are durable then.
    ///
    /// # Errors
    /// What the storage answers.
    fn create_dir(&self, folder: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the storage answers.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;

    /// Makes the content of several files durable, in any order, and closes them.
    ///
    /// # Errors
    /// As [`StorageFile::sync`], for the first file that has one.
    fn sync_files(&self, files: Vec<Box<dyn StorageFile>>) -> io::Result<()> {
        files.into_iter().try_for_each(|mut file| file.sync())
    }

    /// Takes the writer's lock, which is a file of this name; it is held until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] at once when another holder has it; [`StoreError::Io`].
    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError>;

    /// Gives a file a second name outside the storage, without copying it.
    ///
    /// # Errors
    /// What the storage answers; [`io::ErrorKind::Unsupported`] where it cannot do that.
    fn link_out(&self, _name: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Where a name is on disk, for messages.
    fn full_path(&self, name: &Path) -> PathBuf;
}

/// A file being written.
pub trait StorageFile: Write + Send + Sync {
    /// Flushes and makes the content durable.
    ///
    /// # Errors
    /// What the storage answers. After an error the content must be taken as lost: asking again
    /// can succeed without the data being there.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real thing: a folder of the file system.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// A storage below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Disk { root: root.into() }
    }
}

impl Storage for Disk {
    fn open(&self, name: &Path) -> io::Result<Mapped> {
        Mapped::map(&File::open(self.root.join(name))?)
    }

    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.root.join(name))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, name: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(name))
    }

    fn exists(&self, name: &Path) -> io::Result<bool> {
        self.root.join(name).try_exists()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut out = Vec::new();
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            // A file can go between being listed and being looked at.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_file() {
                out.push((folder.join(entry.file_name()), meta.len()));
            }
        }
        out.sort();
        Ok(out)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        let full = self.full_path(folder);
        let mut named: Vec<&Path> = full.ancestors().take_while(|f| f.parent().is_some() && !f.exists()).collect();
        fs::create_dir_all(&full)?;
        // A folder whose name is lost is lost with all that is in it. The top's may not be safe though it is there.
        if folder.as_os_str().is_empty() && named.is_empty() {
            named.push(&full);
        }
        for parent in named.iter().filter_map(|f| f.parent()) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            match sync_folder(parent) {
                // A folder that others keep from being read: whoever made what is in it had it synced, or not.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        sync_folder(&self.root.join(folder))
    }

    fn sync_files(&self, files: Vec<Box<dyn StorageFile>>) -> io::Result<()> {
        sync_at_once(files)
    }

    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
        Ok(Box::new(WriterLock::acquire(&self.root.join(name))?))
    }

    fn link_out(&self, name: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(self.root.join(name), to)
    }

    fn full_path(&self, name: &Path) -> PathBuf {
        // Joined with nothing, a path would end with a slash.
        if name.as_os_str().is_empty() { self.root.clone() } else { self.root.join(name) }
    }
}

/// Other systems than Unix have no way to sync a folder, and need none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

impl StorageFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Writes a file so that its name has either the old content or the whole new one, and the new
/// one for sure when this returns: temporary file, sync, rename, sync of the folder.
///
/// # Errors
/// [`StoreError::Io`] naming the step; the temporary file is removed as far as possible.
pub fn publish(
    storage: &dyn Storage,
    name: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), StoreError> {
    let folder = name.parent().unwrap_or(Path::new(""));
    let file_name = name.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{file_name}.{}.tmp", std::process::id()));
    let at = |path: &Path, action| {
        let path = storage.full_path(path);
        move |source| StoreError::Io { path, action, source }
    };
    // A leftover of a killed process that had the same id.
    let _ = storage.remove(&temporary);
    let mut file = storage.create(&temporary).map_err(at(name, "create"))?;
    let written = write(&mut file).map_err(at(name, "write")).and_then(|()| file.sync().map_err(at(name, "sync")));
    drop(file);
    let renamed = written.and_then(|()| storage.rename(&temporary, name).map_err(at(name, "rename into place")));
    if renamed.is_err() {
        let _ = storage.remove(&temporary);
    }
    renamed?;
    storage.sync_dir(folder).map_err(at(folder, "sync the folder of"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publish_replaces_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        let name = Path::new("a");
        publish(&disk, name, |w| w.write_all(b"one")).unwrap();
        let held = disk.open(name).unwrap();
        publish(&disk, name, |w| w.write_all(b"two!")).unwrap();
        assert_eq!(&disk.open(name).unwrap()[..], b"two!");
        assert_eq!(&held[..], b"one", "a mapped file keeps its content");
        let failed = publish(&disk, name, |w| {
            w.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(&disk.open(name).unwrap()[..], b"two!");
        assert_eq!(disk.list(Path::new("")).unwrap().len(), 1, "no temporary file is left");
    }

    #[test]
    fn create_refuses_an_existing_name() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path());
        disk.create(Path::new("a")).unwrap();
        assert_eq!(disk.create(Path::new("a")).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(disk.open(Path::new("b")).err().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(disk.open(Path::new("a")).unwrap().is_empty());
    }
}
