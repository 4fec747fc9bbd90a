//! Entries in a folder, one a file.
//!
//! ```text
//! DIR/v1/3f/3fa2....   64 hexadecimal digits of the key, below their first two
//! ```
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | `gyeolca1` |
//! | 8..16 | when it was written, in seconds since 1970, little-endian |
//! | 16..24 | XXH3 of the key, the time and the content, little-endian |
//! | 24.. | the content |
//!
//! A file is written under a name of its own and renamed, so that nobody sees half of one, and two processes that write
//! the same entry leave one of the two. Nothing is synced: after a power cut an entry may be damaged, which its sum
//! tells, and a damaged entry is none. Entries that are too old are removed when they are met.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twox_hash::XxHash3_64;

use super::{Cache, CacheKey};
use crate::error::CacheError;

const MAGIC: &[u8; 8] = b"gyeolca1";
const HEADER: usize = 24;
/// The folder of this format.
const VERSION: &str = "v1";
/// No entry is larger.
const LONGEST: u64 = 64 << 20;

/// A folder of entries.
pub(super) struct Folder {
    root: PathBuf,
    age: Option<Duration>,
}

impl Folder {
    pub fn open(dir: &Path, age: Option<Duration>) -> Result<Folder, CacheError> {
        let root = dir.join(VERSION);
        fs::create_dir_all(&root).map_err(|source| CacheError::Folder { path: dir.to_owned(), source })?;
        // What is embedded may be private, and so is what it is embedded as.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let _ = fs::set_permissions(&root, fs::Permissions::from_mode(0o700));
        }
        Ok(Folder { root, age })
    }

    fn path(&self, key: &CacheKey) -> PathBuf {
        let mut name = String::with_capacity(64);
        for byte in key {
            // Writing to a string cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        self.root.join(&name[..2]).join(name)
    }

    fn get(&self, key: &CacheKey) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST + HEADER as u64).read_to_end(&mut bytes)?;
        let Some(written) = checked(key, &bytes) else { return Ok(None) };
        if self.age.is_some_and(|age| now().saturating_sub(written) >= age.as_secs()) {
            // Another process may have been faster.
            let _ = fs::remove_file(&path);
            return Ok(None);
        }
        Ok(Some(bytes.split_off(HEADER)))
    }

    fn put(&self, key: &CacheKey, content: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        let own = format!(".{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let temporary = folder.join(own);
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&whole(key, now(), content))?;
            drop(file);
            fs::rename(&temporary, &path)
        };
        let mut written = write();
        if written.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            fs::create_dir_all(folder)?;
            written = write();
        }
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn sum(key: &CacheKey, written: u64, content: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot_with_seed(written, key), content)
}

fn whole(key: &CacheKey, written: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + content.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&written.to_le_bytes());
    bytes.extend_from_slice(&sum(key, written, content).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// When an entry was written, if it is whole and of this key.
fn checked(key: &CacheKey, bytes: &[u8]) -> Option<u64> {
    let (header, content) = bytes.split_at_checked(HEADER)?;
    let number = |at: usize| header[at..at + 8].try_into().map(u64::from_le_bytes).ok();
    let (written, stated) = (number(8)?, number(16)?);
    (header.starts_with(MAGIC) && sum(key, written, content) == stated).then_some(written)
}

impl Cache for Folder {
    fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        keys.iter().map(|key| self.get(key)).collect::<io::Result<_>>().map_err(|e| self.failed(&e))
    }

    fn put_many(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError> {
        entries.iter().try_for_each(|(key, content)| self.put(key, content)).map_err(|e| self.failed(&e))
    }
}

impl Folder {
    fn failed(&self, error: &io::Error) -> CacheError {
        CacheError::Failed { reason: format!("{}: {error}", self.root.display()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_and_damaged_ones_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Folder::open(dir.path(), None).unwrap();
        let (a, b) = ([1; 32], [2; 32]);
        cache.put_many(vec![(a, b"one".to_vec()), (b, Vec::new())]).unwrap();
        let again = Folder::open(dir.path(), None).unwrap();
        assert_eq!(again.get_many(&[a, b, [3; 32]]).unwrap(), [Some(b"one".to_vec()), Some(Vec::new()), None]);
        let path = cache.path(&a);
        let good = fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(cache.get_many(&[a]).unwrap(), [None], "byte {i} is damaged");
            fs::write(&path, &good[..i]).unwrap();
            assert_eq!(cache.get_many(&[a]).unwrap(), [None], "cut at byte {i}");
        }
        fs::copy(cache.path(&b), &path).unwrap();
        assert_eq!(cache.get_many(&[a]).unwrap(), [None], "the entry of another key");
        cache.put_many(vec![(a, b"two".to_vec())]).unwrap();
        assert_eq!(cache.get_many(&[a]).unwrap(), [Some(b"two".to_vec())]);
    }

    #[test]
    fn old_entries_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Folder::open(dir.path(), Some(Duration::from_secs(60))).unwrap();
        let key = [9; 32];
        cache.put_many(vec![(key, b"x".to_vec())]).unwrap();
        assert!(cache.get_many(&[key]).unwrap()[0].is_some());
        fs::write(cache.path(&key), whole(&key, now() - 61, b"x")).unwrap();
        assert_eq!(cache.get_many(&[key]).unwrap(), [None]);
        assert!(!cache.path(&key).exists());
    }

    #[test]
    fn many_writers_of_one_entry_leave_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let key = [5; 32];
        std::thread::scope(|scope| {
            for i in 0..4u8 {
                let cache = Folder::open(dir.path(), None).unwrap();
                scope.spawn(move || {
                    for _ in 0..200 {
                        cache.put_many(vec![(key, vec![i; 1000])]).unwrap();
                        let found = cache.get_many(&[key]).unwrap().remove(0).expect("whole at any time");
                        assert!(found.len() == 1000 && found.iter().all(|b| *b == found[0]));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path().join("v1/05")).unwrap().count(), 1, "nothing is left over");
    }
}
