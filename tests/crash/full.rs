//! No room, and no writing at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::check::{self, Model};
use super::embedder::Random;
use super::mount::Mount;
use super::plan::Plan;
use super::process::{Driver, Start};
use super::wrong::Wrong;
use super::{alone, counts, driver, say, skip};

const SMALLEST: f64 = 200_000.0;
const LARGEST: f64 = 8_000_000.0;

/// Whether the test is wanted and can be made here.
fn may_mount(count: u64) -> bool {
    if count == 0 {
        skip("disks are mounted on request only: set GYEOL_CRASH=1");
        return false;
    }
    let dir = tempfile::tempdir().unwrap();
    match Mount::memory(&dir.path().join("disk"), 1 << 20) {
        Ok(_) => true,
        Err(reason) => {
            skip(&format!("no disk can be mounted here: {reason}"));
            false
        }
    }
}

fn said(driver: &Driver) -> String {
    let lines = driver.lines();
    format!("{:?} {}", &lines[lines.len().saturating_sub(4)..], driver.errors())
}

/// The driver's end after an error of the disk.
fn check_end(driver: &mut Driver) -> Result<(), String> {
    let end = driver.end();
    if end.code() != Some(driver::IO) || driver.errors().contains("panicked") {
        return Err(format!("it ended with {end:?} instead of {}", driver::IO));
    }
    match driver.lines().contains(&"again ok".to_owned()) {
        true => Err("after a commit that failed, another one is taken".to_owned()),
        false => Ok(()),
    }
}

/// Fills a disk; what was acknowledged stays, can be read, and more room lets it go on.
fn fill(bytes: u64) -> Result<u64, String> {
    let dir = tempfile::tempdir().unwrap();
    let reports = tempfile::tempdir().unwrap();
    let disk = Mount::memory(&dir.path().join("disk"), bytes)?;
    let (path, plan) = (disk.at().join("collection"), Plan::Growing(bytes / 50));
    let mut model = Model::new(plan);
    let mut filled = 0;
    // The second process finds the disk full, and may have room for a commit where the first had not.
    for _ in 0..2 {
        let mut driver = Start::new("commit", &path, plan).run(reports.path());
        let ended = check_end(&mut driver);
        let read = check::verify(&path, &mut model, driver.acknowledged().unwrap_or_default());
        ended.and(read).map_err(|e| format!("{e}; {}", said(&driver)))?;
        filled = model.number();
    }
    disk.change(&format!("size={}", 2 * bytes + (4 << 20)))?;
    (0..3).try_for_each(|_| check::go_on(&path, &mut model))?;
    Ok(filled)
}

#[test]
fn a_full_disk_loses_no_commit() {
    let _alone = alone();
    let count = counts::full_disks();
    if !may_mount(count) {
        return;
    }
    let (started, mut commits, mut wrong) = (Instant::now(), 0, Wrong::default());
    for i in 0..count {
        let bytes = SMALLEST * (LARGEST / SMALLEST).powf(i as f64 / (count - 1).max(1) as f64);
        let filled = fill(bytes as u64).map(|filled| commits += filled);
        wrong.note(filled, || format!("a disk of {bytes:.0} bytes"));
    }
    say(&format!("{count} disks filled by {commits} commits: {:.1} s", started.elapsed().as_secs_f64()));
    wrong.report();
    assert!(commits > count, "most disks have room for something");
}

fn gyeol(args: &[&str], home: &Path, path: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    let Output { status, stdout, stderr } =
        command.args(args).arg("--in").arg(path).current_dir(home).output().unwrap();
    (status.code(), [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

/// The binary says so, and ends with the exit code of input and output.
#[test]
fn the_binary_tells_that_the_disk_is_full() {
    let _alone = alone();
    if !may_mount(counts::full_disks()) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut random = Random(3);
    let mut write = |name: &str, words: u64| {
        let words: Vec<String> = (0..words).map(|_| format!("word{}", random.below(50_000))).collect();
        fs::write(home.path().join(name), words.join(" ")).unwrap();
    };
    write("small.txt", 500);
    for bytes in [40_000, 150_000, 400_000, 1_000_000, 2_000_000] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Mount::memory(&dir.path().join("disk"), bytes).unwrap();
        let path = disk.at().join(".gyeol");
        let _ = fs::remove_file(home.path().join("large.txt"));
        let (first, said) = gyeol(&["index", "."], home.path(), &path);
        assert!(matches!(first, Some(0 | 7)), "{bytes}: {first:?} {said}");
        write("large.txt", 400_000);
        let (full, said) = gyeol(&["index", "."], home.path(), &path);
        assert_eq!(full, Some(7), "{bytes}: {said}");
        assert!(said.contains("No space left"), "{bytes}: {said}");
        if first == Some(0) {
            let (found, said) = gyeol(&["search", "--lexical", "word1", "word2", "word3"], home.path(), &path);
            assert!(matches!(found, Some(0 | 1)), "{bytes}: {said}");
        }
        disk.change("size=200000000").unwrap();
        let (done, said) = gyeol(&["index", "."], home.path(), &path);
        assert_eq!(done, Some(0), "{bytes}: {said}");
    }
}

/// A disk can be remounted when nothing on it is open for writing: between two commits of a process
/// that closes the collection after each.
fn remount_between_commits(seed: u64) -> Result<u64, String> {
    let dir = tempfile::tempdir().unwrap();
    let reports = tempfile::tempdir().unwrap();
    let disk = Mount::memory(&dir.path().join("disk"), 64 << 20)?;
    let path = disk.at().join("collection");
    let mut model = Model::new(Plan::Mixed);
    let mut driver = Start::new("reopen", &path, Plan::Mixed).run(reports.path());
    driver.wait_for_line(&format!("committed {}", 1 + Random(seed).below(8)))?;
    let started = Instant::now();
    while let Err(e) = disk.change("ro") {
        if started.elapsed() > Duration::from_secs(20) {
            return Err(e);
        }
    }
    let ended = check_end(&mut driver);
    let checked = ended.and(check::verify(&path, &mut model, driver.acknowledged().unwrap_or_default()));
    checked.map_err(|e| format!("{e}; {}", said(&driver)))?;
    disk.change("rw")?;
    check::go_on(&path, &mut model)?;
    Ok(model.number())
}

/// ext4 makes itself read-only under everybody when it finds its disk wrong; it can be asked to.
fn abort_under_a_writer(seed: u64) -> Result<u64, String> {
    let dir = tempfile::tempdir().unwrap();
    let reports = tempfile::tempdir().unwrap();
    let mut disk = Mount::ext4(&dir.path().join("disk"), 64 << 20)?;
    let path = disk.at().join("collection");
    let mut model = Model::new(Plan::Mixed);
    let mut driver = Start::new("commit", &path, Plan::Mixed).run(reports.path());
    driver.wait_for_line("committed 3")?;
    std::thread::sleep(Duration::from_millis(Random(seed).below(200)));
    disk.change("abort")?;
    let ended = check_end(&mut driver);
    // What is read now comes from memory, and after the next mount from the disk.
    let acknowledged = driver.acknowledged().unwrap_or_default();
    let checked = ended.and(check::verify(&path, &mut model.clone(), acknowledged));
    checked.map_err(|e| format!("{e}; {}", said(&driver)))?;
    disk.unmount()?;
    disk.mount()?;
    check::verify(&path, &mut model, acknowledged)?;
    check::go_on(&path, &mut model)?;
    Ok(model.number())
}

#[test]
fn a_disk_that_becomes_read_only_loses_no_commit() {
    let _alone = alone();
    let count = counts::read_only_disks();
    if !may_mount(count) {
        return;
    }
    let started = Instant::now();
    let (mut remounted, mut aborted, mut wrong) = (0, 0, Wrong::default());
    let can_abort = match Mount::ext4(&tempfile::tempdir().unwrap().path().join("disk"), 64 << 20) {
        Ok(_) => true,
        Err(reason) => {
            skip(&format!("no ext4 can be mounted here: {reason}"));
            false
        }
    };
    for seed in 0..count {
        let done = remount_between_commits(seed).map(|commits| remounted += commits);
        wrong.note(done, || format!("remounted, seed {seed}"));
        if can_abort {
            let done = abort_under_a_writer(seed).map(|commits| aborted += commits);
            wrong.note(done, || format!("aborted, seed {seed}"));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "{count} disks remounted read-only, {remounted} commits; as many aborted, {aborted} commits: {seconds:.1} s"
    ));
    wrong.report();
}
