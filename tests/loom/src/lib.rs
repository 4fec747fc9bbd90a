//! Publishing as it is in the library, over loom's locks: every order in which threads can meet is tried.
//!
//! `cargo test --release -p gyeol-loom`.
#![cfg(test)]

mod sync {
    pub(super) use loom::sync::{Arc, RwLock};
}

#[path = "../../../src/collection/published.rs"]
mod published;

use loom::sync::{Arc, Mutex};
use loom::thread;

use published::{Published, State};

struct Commit {
    line: &'static str,
    generation: u64,
    /// What the commit says: the background writes the same in other files.
    commit: u64,
}

impl State for Commit {
    fn line(&self) -> &str {
        self.line
    }

    fn generation(&self) -> u64 {
        self.generation
    }
}

fn state(generation: u64, commit: u64) -> Arc<Commit> {
    Arc::new(Commit { line: "one", generation, commit })
}

/// Three publish out of order, one reads again and again: never backwards, and the last one stays.
#[test]
fn readers_never_go_back() {
    loom::model(|| {
        let published = Arc::new(Published::new(Some(state(1, 1))));
        let publish = |generation| {
            let published = published.clone();
            thread::spawn(move || published.publish(state(generation, generation)))
        };
        let threads = [publish(3), publish(2)];
        let mut seen = 0;
        for _ in 0..3 {
            let now = published.load().map_or(0, |s| s.generation);
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
        }
        let done = threads.map(|thread| thread.join().unwrap());
        assert!(done[0], "the latest is never refused");
        assert_eq!(published.load().map(|s| s.generation), Some(3));
    });
}

/// The disk, as the ledger keeps it: a manifest with a generation and a commit, changed under one lock.
struct Disk {
    manifest: Mutex<(u64, u64)>,
    /// The right to change what segments there are.
    turn: Mutex<()>,
}

/// A commit, a merge in the background, and a refresh that reads the disk and publishes later: what is published
/// at last is what the disk says, and a merge never hides a commit.
#[test]
fn commits_merges_and_refreshes_agree_with_the_disk() {
    loom::model(|| {
        let disk = Arc::new(Disk { manifest: Mutex::new((1, 1)), turn: Mutex::new(()) });
        let published = Arc::new(Published::new(Some(state(1, 1))));
        let change = |is_commit: bool| {
            let (disk, published) = (disk.clone(), published.clone());
            thread::spawn(move || {
                let _turn = disk.turn.lock().unwrap();
                let (generation, commit) = {
                    let mut manifest = disk.manifest.lock().unwrap();
                    *manifest = (manifest.0 + 1, manifest.1 + u64::from(is_commit));
                    *manifest
                };
                published.publish(state(generation, commit));
            })
        };
        let threads = [change(true), change(false)];
        let read = *disk.manifest.lock().unwrap();
        published.publish(state(read.0, read.1));
        let seen = published.load().map_or(0, |s| s.commit);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let last = published.load().map(|s| (s.generation, s.commit));
        assert_eq!(last, Some(*disk.manifest.lock().unwrap()));
        assert!(last.is_some_and(|(_, commit)| commit == 2 && commit >= seen));
    });
}

/// A collection made anew in the place of another takes over, whatever number it begins with.
#[test]
fn another_line_takes_over() {
    loom::model(|| {
        let published = Arc::new(Published::new(Some(state(9, 9))));
        let of_thread = published.clone();
        let anew = thread::spawn(move || of_thread.publish(Arc::new(Commit { line: "two", generation: 1, commit: 1 })));
        let before = published.load().map(|s| s.line);
        assert!(before == Some("one") || before == Some("two"));
        assert!(anew.join().unwrap());
        assert_eq!(published.load().map(|s| s.line), Some("two"));
        published.clear();
        assert!(published.load().is_none());
    });
}
