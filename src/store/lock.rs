//! The writer's lock: one process writes at a time.
//!
//! An operating system lock on a file `LOCK` that is never deleted (deleting it would let two
//! processes lock two files of one name). The system frees it when its holder ends, however that
//! happens. The file's content is the holder's process id, for messages only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::StoreError;

/// The lock, held until dropped.
#[derive(Debug)]
pub struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock file at `path`, made if absent.
    ///
    /// # Errors
    /// [`StoreError::Locked`] at once when another holder has it, with its process id as far as it
    /// can be read; [`StoreError::Io`] when the file cannot be opened for writing.
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| StoreError::io(path, "open for writing", e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let holder = match pid.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                };
                return Err(StoreError::Locked { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::io(path, "lock", e)),
        }
        // The id is a courtesy to whoever is turned away; a lock without it still locks.
        let _ = file.set_len(0);
        let _ = file.seek(SeekFrom::Start(0));
        let _ = file.write_all(std::process::id().to_string().as_bytes());
        Ok(WriterLock { file })
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let held = WriterLock::acquire(&path).unwrap();
        let refused = WriterLock::acquire(&path).unwrap_err();
        let StoreError::Locked { holder, .. } = refused else { panic!("{refused}") };
        assert_eq!(holder, format!("process {}", std::process::id()));
        drop(held);
        WriterLock::acquire(&path).unwrap();
        assert!(path.exists(), "the lock file stays");
    }
}
