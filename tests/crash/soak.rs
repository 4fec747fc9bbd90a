//! Replacing documents for a long time takes no more memory, handles and disk than for a short one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::check::{self, Model};
use super::driver::{self, Task};
use super::plan::Plan;
use super::process::Start;
use super::{alone, counts, say, skip};

/// Of which a fortieth is replaced by each commit.
const DOCUMENTS: u64 = 2_000;
/// Commits between two samples.
const EVERY: u64 = 2;
const TENTHS: usize = 10;

/// What is sampled, how much more of it may be there at the end (a part of what was there, and an
/// amount), and its unit.
const SERIES: [(&str, f64, f64, f64, &str); 5] = [
    ("memory", 1.3, 8e6, 1e6, "MB"),
    ("handles", 1.3, 4.0, 1.0, ""),
    ("mapped files", 1.3, 4.0, 1.0, ""),
    ("disk", 1.3, 0.0, 1e6, "MB"),
    ("files", 1.3, 4.0, 1.0, ""),
];

/// Commits, and measures itself.
pub fn commits(task: &Task) -> i32 {
    let mut collection = match driver::open(&task.collection) {
        Ok(collection) => collection,
        Err(error) => return driver::failed(task, &error),
    };
    for n in 1..=task.until {
        let done = driver::commit(&mut collection, task.plan, n);
        let settled = if n % EVERY == 0 { done.and_then(|()| driver::settle(&mut collection)) } else { done };
        if let Err(error) = settled {
            return driver::failed(task, &error);
        }
        task.report(&format!("committed {n}"));
        if n % EVERY == 0 {
            let sample = sample(&task.collection).map(|value| value.to_string());
            task.report(&format!("sample {}", sample.join(" ")));
        }
    }
    0
}

/// One value for each of [`SERIES`].
fn sample(path: &Path) -> [u64; 5] {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let memory: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = maps.lines().filter(|line| line.contains(&path.display().to_string())).count();
    let (mut bytes, mut files) = (0, 0);
    disk(path, &mut bytes, &mut files);
    [1024 * memory, fs::read_dir("/proc/self/fd").unwrap().count() as u64, mapped as u64, bytes, files]
}

fn disk(folder: &Path, bytes: &mut u64, files: &mut u64) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        // It may be gone since it was listed.
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk(&entry.path(), bytes, files),
            Ok(meta) => (*bytes, *files) = (*bytes + meta.len(), *files + 1),
            Err(_) => {}
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The heap of glibc in one piece. By custom it has up to eight a core, and threads that come and go
/// make them all grow little by little: hundreds of commits would pass before that ends, and what is lost
/// could not be told from what is kept for later.
const ONE_ARENA: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "1")];

#[test]
fn memory_handles_and_disk_stay_as_they_are() {
    let _alone = alone();
    let (commits, seconds) = (counts::soak_commits(), Duration::from_secs(counts::soak_seconds()));
    if commits == 0 {
        return skip("a thousand commits are made on request: set GYEOL_CRASH=1");
    }
    let most = counts::soak_most_seconds();
    let samples = measure(&ONE_ARENA, |done, elapsed| match elapsed {
        elapsed if elapsed < seconds => true,
        elapsed if elapsed.as_secs() >= most => done < commits / 3,
        _ => done < commits,
    });
    let mut wrong = Vec::new();
    for ((name, factor, margin, ..), series) in SERIES.into_iter().zip(tenths(&samples)) {
        // In the first tenth the collection still grows into its shape.
        if series[TENTHS - 1] > factor * series[1] + margin {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "there is more and more of {wrong:?}");
    say("for comparison, with the arenas that glibc makes by itself:");
    tenths(&measure(&[], |done, _| done < commits / 4));
}

/// Lets a driver commit while `goes_on` says so; its samples.
fn measure(environment: &[(&str, &str)], goes_on: impl Fn(u64, Duration) -> bool) -> Vec<Vec<f64>> {
    let (dir, reports, started) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Instant::now());
    let (path, plan) = (dir.path().join("collection"), Plan::Replacing(DOCUMENTS));
    let mut driver = Start { environment, ..Start::new("soak", &path, plan) }.run(reports.path());
    while goes_on(driver.acknowledged().unwrap_or_default(), started.elapsed()) {
        std::thread::sleep(Duration::from_millis(300));
        assert!(driver.child.try_wait().unwrap().is_none(), "{:?} {}", driver.lines().last(), driver.errors());
    }
    driver.kill();
    let (done, took) = (driver.acknowledged().unwrap(), started.elapsed().as_secs_f64());
    check::verify(&path, &mut Model::new(plan), done).unwrap();
    let replaced = DOCUMENTS / 40;
    say(&format!(
        "{done} commits that replace {replaced} of {DOCUMENTS} documents, in {took:.1} s; medians of tenths:"
    ));
    let lines = driver.lines();
    let samples = lines.iter().filter_map(|line| line.strip_prefix("sample "));
    samples.map(|sample| sample.split(' ').map(|value| value.parse().unwrap()).collect()).collect()
}

/// For each of [`SERIES`] the medians of the tenths of the samples, which are shown as well.
fn tenths(samples: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of = |i: usize| {
        let values: Vec<f64> = samples.iter().map(|sample| sample[i]).collect();
        let tenth = |nth: usize| median(&values[nth * values.len() / TENTHS..(nth + 1) * values.len() / TENTHS]);
        (0..TENTHS).map(tenth).collect::<Vec<f64>>()
    };
    let all: Vec<Vec<f64>> = (0..SERIES.len()).map(of).collect();
    for ((name, _, _, unit, unit_name), series) in SERIES.iter().zip(&all) {
        let shown: Vec<String> = series.iter().map(|value| format!("{:.1}", value / unit)).collect();
        say(&format!("  {name}: {} {unit_name}", shown.join(" ")));
    }
    all
}
