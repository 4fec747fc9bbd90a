//! A disk whose syncs do nothing, as cheap ones do.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gyeol::error::StoreError;
use gyeol::store::{Mapped, Storage, StorageFile};

use super::simulated::disk::SimulatedDisk;

/// Which syncs do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    Files,
    Folders,
    Both,
}

#[derive(Debug)]
pub struct Lying {
    disk: SimulatedDisk,
    lie: Lie,
}

impl Lying {
    pub fn new(disk: SimulatedDisk, lie: Lie) -> Self {
        Lying { disk, lie }
    }
}

impl Storage for Lying {
    fn open(&self, name: &Path) -> io::Result<Mapped> {
        self.disk.open(name)
    }

    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        let file = self.disk.create(name)?;
        Ok(if self.lie == Lie::Folders { file } else { Box::new(LyingFile(file)) })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &Path) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn exists(&self, name: &Path) -> io::Result<bool> {
        self.disk.exists(name)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.disk.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_dir(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        if self.lie == Lie::Files { self.disk.sync_dir(folder) } else { Ok(()) }
    }

    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
        self.disk.lock(name)
    }

    fn full_path(&self, name: &Path) -> PathBuf {
        self.disk.full_path(name)
    }
}

struct LyingFile(Box<dyn StorageFile>);

impl Write for LyingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StorageFile for LyingFile {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
