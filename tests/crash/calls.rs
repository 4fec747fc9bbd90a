//! Struck at every single call by which a commit changes the collection.
#![cfg(target_arch = "x86_64")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol::Collection;
use nix::errno::Errno;

use super::check::{self, Model};
use super::counts::Form;
use super::plan::Plan;
use super::process::{self, Start};
use super::tracer::{self, Change, End, Fault, Strike, Traced};
use super::wrong::Wrong;
use super::{alone, counts, driver, say, skip};

const ALL: [Change; 8] = [
    Change::Create,
    Change::Write,
    Change::Truncate,
    Change::Sync,
    Change::Rename,
    Change::Unlink,
    Change::MakeFolder,
    Change::Link,
];

/// A collection in which one commit is about to be made.
struct Scene {
    what: &'static str,
    /// That of the driver.
    mode: &'static str,
    dir: tempfile::TempDir,
    /// Absent in the scene that makes the collection.
    before: Option<PathBuf>,
    model: Model,
}

/// The making of a collection, a commit that adds files, one that merges many, and one with all files
/// written anew after it.
fn scenes() -> Vec<Scene> {
    let dir = || tempfile::tempdir().unwrap();
    let making = Scene { what: "making", mode: "commit", dir: dir(), before: None, model: Model::new(Plan::Mixed) };
    let mut scenes = vec![making];
    let (mut plain, mut merging) = (None, None);
    let home = dir();
    let path = home.path().join("collection");
    let mut collection = driver::open(&path).unwrap();
    for n in 1..=45 {
        let before = home.path().join(n.to_string());
        let files = || Collection::status_of(&path).unwrap().segments;
        let old = files();
        // The most interesting commits are late ones, when there is much to lose.
        if n > 25 {
            process::copy(&path, &before);
        }
        driver::commit(&mut collection, Plan::Mixed, n).unwrap();
        driver::settle(&mut collection).unwrap();
        match files() {
            new if n > 25 && new > old => plain = Some((before, n - 1)),
            new if n > 25 && new + 1 < old => merging = Some((before, n - 1)),
            _ => {}
        }
    }
    let kinds = [("adding", "commit", &plain), ("compacting", "compact", &plain), ("merging", "commit", &merging)];
    for (what, mode, found) in kinds {
        let (from, number) = found.as_ref().unwrap_or_else(|| panic!("45 commits have none that is {what}"));
        let dir = dir();
        let before = dir.path().join("before");
        process::copy(from, &before);
        scenes.push(Scene { what, mode, dir, before: Some(before), model: Model::at(Plan::Mixed, *number) });
    }
    scenes
}

/// What is left of a collection that was struck.
struct Struck {
    traced: Traced,
    path: PathBuf,
    driver: process::Driver,
    reports: tempfile::TempDir,
}

impl Scene {
    /// Lets the commit of this scene be made, and struck; there is a folder for each time.
    fn strike(&self, mode: &str, of: &[Change], nth: u64, fault: Fault) -> Result<Struck, String> {
        let path = self.dir.path().join("struck");
        let _ = std::fs::remove_dir_all(&path);
        if let Some(before) = &self.before {
            process::copy(before, &path);
        }
        let reports = tempfile::tempdir().unwrap();
        let start = Start { until: self.model.number() + 1, waits: true, ..Start::new(mode, &path, Plan::Mixed) };
        let mut driver = start.run(reports.path());
        let traced = tracer::run(&mut driver, &Strike { folder: &path, of, nth, fault })?;
        Ok(Struck { traced, path, driver, reports })
    }

    /// How many calls the commit has when nothing happens to it.
    fn calls(&self, of: &[Change]) -> Result<u64, String> {
        let Struck { traced, path, driver, reports: _reports } = self.strike(self.mode, of, u64::MAX, Fault::Kill)?;
        assert_eq!(traced.end, End::Exited(0), "{:?} {}", driver.lines(), driver.errors());
        check::verify(&path, &mut self.model.clone(), self.model.number() + 1).unwrap();
        Ok(traced.calls.len() as u64)
    }
}

/// `count` numbers from 1 on up to `end`, evenly spaced, with both ends.
fn spread(end: u64, count: u64) -> Vec<u64> {
    if count >= end {
        return (1..=end).collect();
    }
    (0..count).map(|i| 1 + i * (end - 1) / (count - 1).max(1)).collect()
}

/// Whether other processes may be traced here.
fn may_trace() -> bool {
    let probe = Scene {
        what: "probe",
        mode: "commit",
        dir: tempfile::tempdir().unwrap(),
        before: None,
        model: Model::new(Plan::Mixed),
    };
    match probe.strike("commit", &ALL, 1, Fault::Kill) {
        Ok(_) => true,
        Err(reason) => {
            skip(&reason);
            false
        }
    }
}

#[test]
fn a_process_killed_at_any_call_leaves_the_last_commit_or_the_next() {
    let _alone = alone();
    if !may_trace() {
        return;
    }
    let mut wrong = Wrong::default();
    scenes().iter().for_each(|scene| kill_at_calls(scene, &mut wrong));
    wrong.report();
}

fn kill_at_calls(scene: &Scene, wrong: &mut Wrong) {
    let (started, calls) = (Instant::now(), scene.calls(&ALL).unwrap());
    let (mut kills, mut old) = (0, 0);
    // The threads of a process take turns as they like, so one run has some calls more than another.
    let beyond = if counts::killed_calls() >= calls { 100 } else { 0 };
    for nth in spread(calls, counts::killed_calls()).into_iter().chain(calls + 1..=calls + beyond) {
        let Struck { traced, path, driver, reports: _reports } =
            scene.strike(scene.mode, &ALL, nth, Fault::Kill).unwrap();
        let what = || format!("{}, killed at call {nth} ({:?})", scene.what, traced.calls.last());
        if !traced.struck {
            assert_eq!(traced.end, End::Exited(0), "{}", driver.errors());
            if nth > calls {
                break;
            }
            continue;
        }
        kills += 1;
        let mut model = scene.model.clone();
        let checked = check::verify(&path, &mut model, driver.acknowledged().unwrap_or_default());
        old += u64::from(model.number() == scene.model.number());
        wrong.note(checked.and_then(|()| check::go_on(&path, &mut model)), what);
    }
    let seconds = started.elapsed().as_secs_f64();
    say(&format!("{}: killed at {kills} of {calls} calls, {old} times before the commit: {seconds:.1} s", scene.what));
    assert!(old > 0 && old < kills, "kills come before and after the commit");
}

/// A driver that acknowledges before it commits must be found out, or these tests show nothing.
#[test]
fn an_acknowledgement_before_the_commit_is_noticed() {
    let _alone = alone();
    if !may_trace() {
        return;
    }
    let scene = scenes().pop().unwrap();
    let renames = scene.calls(&[Change::Rename]).unwrap();
    let noticed = (1..=renames).filter(|&nth| {
        let struck = scene.strike("boast", &[Change::Rename], nth, Fault::Kill).unwrap();
        let acknowledged = struck.driver.acknowledged().unwrap_or_default();
        let checked = check::verify(&struck.path, &mut scene.model.clone(), acknowledged);
        checked.is_err_and(|e| e.contains("lost"))
    });
    assert!(noticed.count() > 0);
}

/// Every call of a commit fails, once or from there on, for want of room or because the disk is broken.
#[test]
fn a_failing_disk_gives_an_error_and_leaves_the_last_commit_or_the_next() {
    let _alone = alone();
    if !may_trace() {
        return;
    }
    let once_and_always = |error| [Fault::Error(error), Fault::ErrorsFrom(error)];
    let (room, broken) = (once_and_always(Errno::ENOSPC), once_and_always(Errno::EIO));
    // All four take twice the time; which error it is makes no difference as a rule.
    let all = if counts::form() == Form::Long { [room, broken].concat() } else { vec![room[1], broken[0]] };
    let cases: [(&[Change], &[Fault]); 5] = [
        (&[Change::Write], &all),
        (&[Change::Sync], &all),
        (&[Change::Rename], &all),
        (&[Change::Create, Change::MakeFolder, Change::Link, Change::Truncate], &all),
        (&[Change::Unlink], &broken),
    ];
    let mut wrong = Wrong::default();
    for scene in scenes() {
        let (started, mut strikes, mut errors) = (Instant::now(), 0, 0);
        for (of, faults) in cases {
            let calls = scene.calls(of).unwrap();
            for &fault in faults {
                for nth in spread(calls, counts::failed_calls()) {
                    let (is_error, checked) = fail(&scene, of, nth, fault);
                    strikes += 1;
                    errors += u64::from(is_error);
                    wrong.note(checked, || format!("{}, {fault:?} at number {nth} of {of:?}", scene.what));
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        say(&format!("{}: {strikes} calls failed, of which {errors} gave an error: {seconds:.1} s", scene.what));
        assert!(errors > 0 && errors < strikes, "some failures can be lived with, and others cannot");
    }
    wrong.report();
}

/// Lets a call fail. Whether that was an error, and whether everything is as it should be.
fn fail(scene: &Scene, of: &[Change], nth: u64, fault: Fault) -> (bool, Result<(), String>) {
    let Struck { traced, path, driver, reports } = scene.strike(scene.mode, of, nth, fault).unwrap();
    let is_error = driver.last("failed ").is_some();
    let code = if is_error { driver::IO } else { 0 };
    let mut model = scene.model.clone();
    let acknowledged = driver.acknowledged().unwrap_or_default();
    let checked = if driver.errors().contains("panicked") {
        Err("it panicked".to_owned())
    } else if traced.end != End::Exited(code) {
        Err(format!("it ended with {:?} instead of {code}", traced.end))
    } else if driver.lines().contains(&"again ok".to_owned()) {
        Err("after a commit that failed, another one is taken".to_owned())
    } else {
        check::verify(&path, &mut model, acknowledged).and_then(|()| go_on_elsewhere(&path, &mut model, reports.path()))
    };
    (is_error, checked.map_err(|e| format!("{e}; {:?} {}", driver.lines(), driver.errors())))
}

/// In a process of its own, as every writer after a failure should be.
fn go_on_elsewhere(path: &Path, model: &mut Model, reports: &Path) -> Result<(), String> {
    let mut next = Start { until: model.number() + 2, ..Start::new("commit", path, Plan::Mixed) }.run(reports);
    if next.end().code() != Some(0) {
        return Err(format!("another process cannot go on: {:?} {}", next.lines(), next.errors()));
    }
    check::verify(path, model, next.acknowledged().unwrap_or_default())
}
