//! The power goes: what no sync has put on the disk is lost, whichever part of it that is.

use std::time::{Duration, Instant};

use super::check::{self, Model};
use super::embedder::Random;
use super::mount::Mount;
use super::plan::Plan;
use super::process::Start;
use super::{alone, counts, say, skip};

const SEED: u64 = 5;

/// One collection bears all cuts, on an ext4 that is shut down under it.
#[test]
fn a_power_cut_loses_no_commit() {
    let _alone = alone();
    let cuts = counts::power_cuts();
    if cuts == 0 {
        return skip("disks are mounted on request only: set GYEOL_CRASH=1");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut disk = match Mount::ext4(&dir.path().join("disk"), 256 << 20) {
        Ok(disk) => disk,
        Err(reason) => return skip(&format!("no ext4 can be mounted here: {reason}")),
    };
    let path = disk.at().join("collection");
    let (mut random, mut model, started) = (Random(SEED), Model::new(Plan::Mixed), Instant::now());
    let mut further = 0;
    for cut in 0..cuts {
        let reports = tempfile::tempdir().unwrap();
        let mut driver = Start::new("commit", &path, Plan::Mixed).run(reports.path());
        driver.wait_for_line("ready").unwrap();
        std::thread::sleep(Duration::from_micros(random.below(250_000)));
        assert_eq!(driver.last("failed "), None, "before cut {cut} of seed {SEED}");
        if let Err(reason) = disk.cut_power() {
            drop(driver);
            assert_eq!(cut, 0, "{reason}");
            return skip(&format!("the power of an ext4 cannot be cut here: {reason}"));
        }
        driver.kill();
        disk.unmount().unwrap();
        disk.mount().unwrap();
        let acknowledged = driver.acknowledged().unwrap();
        let checked = check::verify(&path, &mut model, acknowledged);
        checked.unwrap_or_else(|e| panic!("cut {cut} of seed {SEED}: {e}\n{:?} {}", driver.lines(), driver.errors()));
        further += model.number() - acknowledged;
    }
    check::go_on(&path, &mut model).unwrap();
    let (commits, seconds) = (model.number(), started.elapsed().as_secs_f64());
    say(&format!(
        "{cuts} power cuts, {commits} commits, {further} of them there and not yet acknowledged, seed {SEED}: {seconds:.1} s"
    ));
    assert!(commits >= cuts / 4, "many processes must live to commit");
}
