//! What is left of a collection when its process, its disk or its machine fails.
//!
//! The tests start a second process that makes numbered commits and acknowledges each one outside the
//! collection, let something happen to it, and compare the whole collection with what it must be:
//! that of the last acknowledged commit, or of the one that was under way. The process is this test
//! binary again, see `driver`.
//!
//! `cargo test --test crash` runs a few of each in seconds, `GYEOL_CRASH=1` the numbers that a change
//! must pass, `GYEOL_CRASH=long` many more; `counts` has them all. Beside the toolchain they use `mount`,
//! `mkfs.ext4` and `perl`, as the superuser, and say `SKIPPED` where something is missing or forbidden.
#![cfg(target_os = "linux")]

mod calls;
mod check;
mod counts;
mod driver;
mod embedder;
mod full;
mod kills;
mod mount;
mod plan;
mod power;
mod process;
mod readers;
mod soak;
#[cfg(target_arch = "x86_64")]
mod tracer;
mod wrong;

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use check::Model;
use gyeol::collection::NewDocument;
use plan::Plan;

/// These tests measure times and memory, and each keeps all cores busy: one runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shown also of tests that pass.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn skip(reason: &str) {
    say(&format!("SKIPPED: {reason}"));
}

/// Without an accident every commit is there. The other tests start this one, as a process of its
/// own, to be the driver.
#[test]
fn commits_without_an_accident() {
    if driver::is_this_process() {
        driver::run();
    }
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (path, mut model) = (dir.path().join("collection"), Model::new(Plan::Mixed));
    for _ in 0..21 {
        check::go_on(&path, &mut model).unwrap();
    }
    assert_eq!(model.number(), 21);
}

/// The checker finds what it is there for.
#[test]
fn the_checker_finds_wrong_collections() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (path, mut model) = (dir.path().join("collection"), Model::new(Plan::Mixed));
    for _ in 0..20 {
        check::go_on(&path, &mut model).unwrap();
    }
    let wrong = |acknowledged| check::verify(&path, &mut Model::at(Plan::Mixed, 18), acknowledged).unwrap_err();
    assert!(wrong(21).contains("lost"), "{}", wrong(21));
    assert!(wrong(18).contains("was never begun"), "{}", wrong(18));
    check::verify(&path, &mut Model::at(Plan::Mixed, 18), 19).unwrap();
    let spoil = |key: &str, text: &str| {
        let copy = dir.path().join(key);
        process::copy(&path, &copy);
        let mut collection = driver::open(&copy).unwrap();
        let document = NewDocument { key: key.into(), text: text.into(), ..NewDocument::default() };
        collection.upsert(&[document]).unwrap();
        collection.commit().unwrap();
        drop(collection);
        check_fails(&copy)
    };
    assert!(spoil("key 7", "entry of another commit").contains("key 7"));
    assert!(spoil("another key", "entry too many").contains("another key"));
    let copy = dir.path().join("less");
    process::copy(&path, &copy);
    let mut collection = driver::open(&copy).unwrap();
    assert_eq!(collection.delete("key 7").unwrap(), 1);
    collection.commit().unwrap();
    drop(collection);
    assert!(check_fails(&copy).contains("key 7"));
}

fn check_fails(path: &Path) -> String {
    check::verify(path, &mut Model::at(Plan::Mixed, 20), 20).unwrap_err()
}
