//! Killed at any time.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::check::{self, Model};
use super::embedder::Random;
use super::plan::Plan;
use super::process::Start;
use super::{alone, counts, say};

const SEED: u64 = 11;

/// Random moments, the opening included. One collection bears all of it, so that damage would add up.
#[test]
fn a_killed_process_leaves_the_last_commit_or_the_next() {
    let _alone = alone();
    let (kills, mut random, started) = (counts::kills(), Random(SEED), Instant::now());
    let dir = tempfile::tempdir().unwrap();
    let (path, mut model) = (dir.path().join("collection"), Model::new(Plan::Mixed));
    let (mut opening, mut slowest) = (0, Duration::ZERO);
    for kill in 0..kills {
        let reports = tempfile::tempdir().unwrap();
        let asked = Instant::now();
        let mut driver = Start::new("commit", &path, Plan::Mixed).run(reports.path());
        let about =
            |driver: &super::process::Driver, e| format!("kill {kill} of seed {SEED}: {e}\n{}", driver.errors());
        if random.below(5) > 0 {
            driver.wait_for_line("ready").unwrap_or_else(|e| panic!("{}", about(&driver, e)));
            slowest = slowest.max(asked.elapsed());
            std::thread::sleep(Duration::from_micros(random.below(200_000)));
        } else {
            std::thread::sleep(Duration::from_micros(random.below(60_000)));
        }
        driver.kill();
        // Nothing but the kill may stop it: not what an earlier one has left behind.
        let failed = driver.last("failed ");
        assert_eq!(failed, None, "kill {kill} of seed {SEED}");
        opening += u64::from(driver.acknowledged().is_none());
        let acknowledged = driver.acknowledged().unwrap_or_default();
        check::verify(&path, &mut model, acknowledged).unwrap_or_else(|e| panic!("{}", about(&driver, e)));
    }
    check::go_on(&path, &mut model).unwrap();
    let (commits, seconds) = (model.number(), started.elapsed().as_secs_f64());
    say(&format!(
        "{kills} kills at random times, {opening} of them before the collection was open, {commits} commits, seed {SEED}: \
         {seconds:.1} s; a writer was ready at most {slowest:.0?} after its start"
    ));
    assert!(commits >= kills / 4, "many processes must live to commit");
}

fn index(home: &Path) -> (Output, Duration) {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_gyeol")).arg("index").arg(home).output().unwrap();
    (output, started.elapsed())
}

/// The lock is there while its holder lives, and gone with it.
#[test]
fn a_second_writer_is_told_at_once_and_takes_over_from_a_killed_one() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let reports = tempfile::tempdir().unwrap();
    fs::create_dir(&home).unwrap();
    fs::write(home.join("note.txt"), "A writer holds the lock for its whole life.").unwrap();
    let mut driver = Start::new("hold", &home.join(".gyeol"), Plan::Mixed).run(reports.path());
    driver.wait_for_line("committed 2").unwrap();
    for _ in 0..5 {
        let (refused, time) = index(&home);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(5), "{said}");
        assert!(said.contains(&format!("process {};", driver.child.id())), "{said}");
        assert!(time < Duration::from_secs(1), "refused only after {time:?}");
    }
    driver.kill();
    let acknowledged = driver.acknowledged().unwrap();
    let (taken, _) = index(&home);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    let args = ["search", "--lexical", "lock", "--in"];
    let found = Command::new(env!("CARGO_BIN_EXE_gyeol")).args(args).arg(&home).output().unwrap();
    assert!(String::from_utf8_lossy(&found.stdout).contains("whole life"), "{found:?}");
    let words = format!("commit {acknowledged}");
    let args = ["search", "--lexical", &words, "--in"];
    let kept = Command::new(env!("CARGO_BIN_EXE_gyeol")).args(args).arg(&home).output().unwrap();
    assert!(String::from_utf8_lossy(&kept.stdout).contains(&words), "what a killed writer acknowledged: {kept:?}");
}
