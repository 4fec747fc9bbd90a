//! Many processes read while one writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use gyeol::collection::Mode;
use gyeol::{Collection, Effort};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::check::{self, Model};
use super::driver::{self, Task};
use super::embedder::Hashed;
use super::plan::{COMMON, NUMBER, Plan, number_of};
use super::process::{Driver, Start};
use super::{alone, counts, say};

/// Documents that each commit replaces.
const DOCUMENTS: u64 = 24;

/// What a reader did, in a phase of the test.
#[derive(Default)]
struct Times {
    searches: Vec<Duration>,
    refreshes: Vec<Duration>,
}

/// Reads until it is told to end. A line that it is sent names the phase that begins.
pub fn read(task: &Task) -> i32 {
    match answers(task) {
        Ok(phases) => {
            for (name, times) in phases {
                let (search, refresh) = (quantiles(times.searches), quantiles(times.refreshes));
                task.report(&format!("phase {name} {search} {refresh}"));
            }
            0
        }
        Err(reason) => {
            task.report(&format!("wrong {reason}"));
            1
        }
    }
}

fn answers(task: &Task) -> Result<BTreeMap<String, Times>, String> {
    let open = || Collection::open(&task.collection, Hashed::new()).map_err(|e| format!("opening: {e}"));
    let (mut collection, mut phases, mut phase) = (open()?, BTreeMap::new(), "idle".to_owned());
    let (mut seen, mut since) = (0, 0);
    for round in 0.. {
        while let Ok(line) = task.input.try_recv() {
            task.report(&format!("answers {phase} {since}"));
            if line == "end" {
                return Ok(phases);
            }
            (phase, since) = (line, 0);
        }
        let times: &mut Times = phases.entry(phase.clone()).or_default();
        // What was acknowledged before the refresh began must be seen after it.
        let acknowledged = last_commit(&task.writer);
        let at = Instant::now();
        match round % 16 {
            15 => collection = open()?,
            _ => collection.refresh().map_err(|e| format!("refreshing: {e}"))?,
        }
        times.refreshes.push(at.elapsed());
        let number = answer(&collection, times)?;
        if number < acknowledged.max(seen) || number > last_commit(&task.writer) + 1 {
            return Err(format!("commit {number} is seen after {seen}, when {acknowledged} was acknowledged"));
        }
        (seen, since) = (number, since + 1);
        // As someone does who looks at the answer.
        std::thread::sleep(Duration::from_millis(2));
    }
    unreachable!("rounds do not end")
}

/// Asks in all ways; the commit that all answers are of.
fn answer(collection: &Collection, times: &mut Times) -> Result<u64, String> {
    let (all, some) = (DOCUMENTS as usize + 1, 5);
    let search = |mode, effort, k| collection.search(COMMON).mode(mode).effort(effort).k(k + 3).run();
    let mut numbers = Vec::new();
    let asked = [
        (Mode::Dense, Effort::Exact, all),
        (Mode::Lexical, Effort::default(), all),
        (Mode::Dense, Effort::default(), some),
        (Mode::Dense, Effort::Exact, all),
    ];
    for (mode, effort, k) in asked {
        let at = Instant::now();
        let hits = search(mode, effort, k).map_err(|e| format!("searching: {e}"))?.hits;
        times.searches.push(at.elapsed());
        if hits.len() != all.min(k + 3) {
            return Err(format!("{} hits by {mode} search of {all} documents", hits.len()));
        }
        numbers.extend(hits.iter().map(|hit| number_of(&hit.text)));
    }
    numbers.extend(collection.get(NUMBER).map_err(|e| format!("looking up: {e}"))?.iter().map(|h| number_of(&h.text)));
    match numbers[0] {
        Some(first) if numbers.iter().all(|&n| n == Some(first)) => Ok(first),
        _ => Err(format!("answers of one snapshot are of several commits: {numbers:?}")),
    }
}

/// The number in the last whole line of a writer.
fn last_commit(lines: &Path) -> u64 {
    let mut tail = String::new();
    let read = File::open(lines).and_then(|mut file| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(end.saturating_sub(200)))?;
        file.read_to_string(&mut tail)
    });
    let end = tail.rfind('\n').filter(|_| read.is_ok()).unwrap_or_default();
    tail[..end].lines().filter_map(|line| line.rsplit(' ').next()?.parse().ok()).next_back().unwrap_or_default()
}

/// Count, median, 99th percentile and maximum, in microseconds.
fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: f64| times.get(((times.len() - 1) as f64 * part) as usize).map_or(0, Duration::as_micros);
    match times.len() {
        0 => "0 0 0 0".to_owned(),
        n => format!("{n} {} {} {}", at(0.5), at(0.99), at(1.0)),
    }
}

/// The readers' figures of a phase: the median reader's median, the worst reader's rest.
fn summary(readers: &[Driver], phase: &str) -> String {
    let lines = readers.iter().filter_map(|reader| reader.last(&format!("phase {phase} ")));
    let rows: Vec<Vec<u64>> = lines.map(|line| line.split(' ').map(|n| n.parse().unwrap()).collect()).collect();
    let column = |i: usize| {
        let mut values: Vec<u64> = rows.iter().map(|row| row[i]).collect();
        values.sort_unstable();
        values
    };
    let of = |first: usize| {
        let (count, median) = (column(first).iter().sum::<u64>(), column(first + 1));
        let (late, last) = (column(first + 2).pop().unwrap_or(0), column(first + 3).pop().unwrap_or(0));
        let median = median.get(median.len() / 2).copied().unwrap_or_default();
        format!("{count}, p50 {median} us, p99 {late} us, max {last} us")
    };
    format!("{phase}: searches {}; refreshes {}", of(0), of(4))
}

fn tell(readers: &mut [Driver], line: &str) {
    readers.iter_mut().for_each(|reader| reader.send(line));
}

/// Stops the writer wherever it is, lock in hand; readers must not notice.
fn stop(writer: &Driver, readers: &mut [Driver]) {
    let pid = Pid::from_raw(writer.child.id() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    tell(readers, "stopped");
    std::thread::sleep(Duration::from_millis(300));
    tell(readers, "active");
    kill(pid, Signal::SIGCONT).unwrap();
}

#[test]
fn readers_see_one_commit_at_a_time_and_never_wait() {
    let _alone = alone();
    let (commits, seconds) = (counts::read_commits(), Duration::from_secs(counts::read_seconds()));
    let (dir, reports) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, plan) = (dir.path().join("collection"), Plan::Whole(DOCUMENTS));
    let mut model = Model::new(plan);
    check::go_on(&path, &mut model).unwrap();
    let mut writer = Start { waits: true, ..Start::new("commit", &path, plan) }.run(reports.path());
    let lines = writer.path().to_owned();
    let start = Start { writer: Some(&lines), ..Start::new("read", &path, plan) };
    let mut readers: Vec<Driver> = (0..counts::readers()).map(|_| start.run(reports.path())).collect();
    std::thread::sleep(Duration::from_millis(700));
    tell(&mut readers, "active");
    writer.send("go");
    let (started, mut stops) = (Instant::now(), 0);
    while last_commit(&lines) < commits || started.elapsed() < seconds {
        std::thread::sleep(Duration::from_millis(150));
        if stops < 1 + last_commit(&lines) * 10 / commits.max(1) && stops < 10 {
            stop(&writer, &mut readers);
            stops += 1;
        }
        assert!(writer.child.try_wait().unwrap().is_none(), "the writer ended: {:?}", writer.lines().last());
    }
    let took = started.elapsed().as_secs_f64();
    tell(&mut readers, "ending");
    writer.kill();
    tell(&mut readers, "idle");
    std::thread::sleep(Duration::from_millis(700));
    tell(&mut readers, "end");
    for reader in &mut readers {
        let end = reader.end();
        assert_eq!(end.code(), Some(0), "{:?} {}", reader.lines().last(), reader.errors());
        let lines = reader.lines();
        let while_stopped: Vec<&String> = lines.iter().filter(|line| line.starts_with("answers stopped")).collect();
        assert_eq!(while_stopped.len(), stops as usize);
        assert!(while_stopped.iter().all(|line| !line.ends_with(" 0")), "a reader waited: {while_stopped:?}");
    }
    check::verify(&path, &mut model, writer.acknowledged().unwrap()).unwrap();
    say(&format!(
        "{} readers beside {} commits in {took:.1} s, the writer stopped {stops} times",
        readers.len(),
        model.number()
    ));
    ["idle", "active", "stopped"].iter().for_each(|phase| say(&summary(&readers, phase)));
    assert!(driver::open(&path).is_ok());
}
