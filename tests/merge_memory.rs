//! Merging takes no more memory than it says. Alone in its process, whose memory is looked at:
//! `GYEOL_UPDATES=1 cargo test --release --test merge_memory -- --nocapture`.
#![cfg(target_os = "linux")]

mod small;

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gyeol::Collection;
use gyeol::collection::NewDocument;

use small::Small;

/// Bytes of this process that are no file's.
fn anonymous_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// What a merge takes beside what the process had, and into how many segments 120,000 rows go.
fn merge_within(memory: u64) -> (u64, usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut collection = Collection::open_or_create(dir.path().join("c"), Small::new()).unwrap();
    // Nothing is merged yet: two segments at most fit.
    collection.set_merge_memory(0).unwrap();
    for part in 0..15 {
        let document = |i: usize| {
            let key = (part * 8_000 + i).to_string();
            NewDocument { text: format!("entry {key}"), key, ..NewDocument::default() }
        };
        collection.upsert(&(0..8_000).map(document).collect::<Vec<_>>()).unwrap();
        collection.commit().unwrap();
    }
    collection.wait_for_merges().unwrap();
    collection.set_merge_memory(memory).unwrap();
    let (done, peak, before) = (AtomicBool::new(false), AtomicU64::new(0), anonymous_memory());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous_memory(), Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        assert!(collection.wait_for_merges().unwrap().is_empty());
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(collection.status().unwrap().documents, 120_000);
    (peak.into_inner().saturating_sub(before), collection.status().unwrap().segments)
}

/// The stated bound of memory holds, and segments that need more stay apart.
#[test]
fn merging_stays_within_its_memory() {
    if std::env::var_os("GYEOL_UPDATES").is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: set GYEOL_UPDATES=1");
        return;
    }
    // The first alone: later ones find what the process still has.
    let (memory, all) = (24 << 20, 512 << 20);
    let (taken, segments) = merge_within(memory);
    println!("allowed {} MiB: {} MiB taken, {segments} segments", memory >> 20, taken >> 20);
    assert!(taken <= memory && segments > 1, "{taken} of {memory}, {segments} segments");
    assert_eq!(merge_within(all).1, 1, "segments when all fit");
}
