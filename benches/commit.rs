//! What a commit of one document costs: syncs and milliseconds.
//!
//! `cargo bench --bench commit [-- FOLDER]` works in a folder of its own below FOLDER, by default the
//! current one. On tmpfs it shows what is left without a device.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::embed::builtin;
use gyeol::error::StoreError;
use gyeol::store::{Disk, Mapped, Storage, StorageFile};

/// Commits that are timed, each of one document that replaces one.
const COMMITS: u64 = 200;
/// Documents that are there already.
const DOCUMENTS: u64 = 2_000;

/// A disk that counts what is made durable.
#[derive(Debug)]
struct Counting {
    disk: Disk,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    files: AtomicU64,
    folders: AtomicU64,
    /// Times that something waited for the device: files synced together are one wait.
    waits: AtomicU64,
    bytes: AtomicU64,
}

struct CountingFile(Box<dyn StorageFile>, Arc<Counts>);

impl Write for CountingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StorageFile for CountingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.1.files.fetch_add(1, Ordering::Relaxed);
        self.1.waits.fetch_add(1, Ordering::Relaxed);
        self.0.sync()
    }
}

impl Storage for Counting {
    fn open(&self, name: &Path) -> io::Result<Mapped> {
        self.disk.open(name)
    }

    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(CountingFile(self.disk.create(name)?, self.counts.clone())))
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
        self.counts.folders.fetch_add(1, Ordering::Relaxed);
        self.counts.waits.fetch_add(1, Ordering::Relaxed);
        self.disk.sync_dir(folder)
    }

    fn sync_files(&self, files: Vec<Box<dyn StorageFile>>) -> io::Result<()> {
        // Each will count itself, and all of them are one.
        let waits = files.len().saturating_sub(1) as u64;
        let synced = self.disk.sync_files(files);
        self.counts.waits.fetch_sub(waits, Ordering::Relaxed);
        synced
    }

    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
        self.disk.lock(name)
    }

    fn full_path(&self, name: &Path) -> PathBuf {
        self.disk.full_path(name)
    }
}

fn document(key: u64, round: u64) -> NewDocument {
    NewDocument { key: key.to_string(), text: format!("Entry {key} of round {round}."), ..NewDocument::default() }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let below = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or(".".to_owned());
    let folder = tempfile::tempdir_in(below)?;
    let counts = Arc::new(Counts::default());
    let storage = Arc::new(Counting { disk: Disk::new(folder.path().join("collection")), counts: counts.clone() });
    let mut collection = Collection::open_or_create_on(storage, builtin())?;
    collection.upsert(&(0..DOCUMENTS).map(|key| document(key, 0)).collect::<Vec<_>>())?;
    collection.commit()?;

    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let all = || [&counts.files, &counts.folders, &counts.waits, &counts.bytes].map(of);
    let before = all();
    let mut millis: Vec<f64> = Vec::new();
    for round in 1..=COMMITS {
        collection.upsert(&[document(round * 7 % DOCUMENTS, round)])?;
        let started = Instant::now();
        collection.commit()?;
        millis.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let after = all();
    let per_commit = |i: usize| (after[i] - before[i]) as f64 / COMMITS as f64;
    millis.sort_by(f64::total_cmp);
    let at = |part: f64| millis[(part * (millis.len() - 1) as f64) as usize];
    println!("a commit of one document, replacing one of {DOCUMENTS}; {COMMITS} commits");
    println!("syncs of files    {:.1}", per_commit(0));
    println!("syncs of folders  {:.1}", per_commit(1));
    println!("waits             {:.1}", per_commit(2));
    println!("bytes written     {:.0}", per_commit(3));
    println!("milliseconds      median {:.1}, 9 of 10 under {:.1}, longest {:.1}", at(0.5), at(0.9), at(1.0));
    Ok(())
}
