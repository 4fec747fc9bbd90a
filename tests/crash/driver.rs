//! The process that commits, until something happens to it.
//!
//! It is the test binary, started again with [`MODE`] set. What it did it writes, line by line, to a
//! file outside the collection, each line with one system call:
//!
//! | line | means |
//! |---|---|
//! | `started` | it runs, and waits for a line on its standard input if it was told to |
//! | `ready N` | the collection is open for writing, as of commit N |
//! | `committed N` | `commit` returned `Ok` for commit N |
//! | `failed ...` | an error was returned |
//! | `again ...` | what the same collection answered to another commit after one that failed |
//! | `sample ...`, `phase ...` | measurements, see `soak` and `readers` |

use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use gyeol::collection::NewDocument;
use gyeol::embed::builtin;
use gyeol::error::{CollectionError, IndexError, StoreError};
use gyeol::text::ChunkSize;
use gyeol::{Collection, Error, Result};

use super::embedder::Hashed;
use super::plan::{NUMBER, Plan, number_of};
use super::{readers, soak};

pub const MODE: &str = "GYEOL_CRASH_MODE";
pub const COLLECTION: &str = "GYEOL_CRASH_COLLECTION";
pub const LINES: &str = "GYEOL_CRASH_LINES";
pub const PLAN: &str = "GYEOL_CRASH_PLAN";
/// The last commit to make.
pub const UNTIL: &str = "GYEOL_CRASH_UNTIL";
pub const WAITS: &str = "GYEOL_CRASH_WAITS";
/// The lines of the writer that a reader reads beside.
pub const WRITER: &str = "GYEOL_CRASH_WRITER";

/// The exit code after an error of input or output, as that of the `gyeol` binary.
pub const IO: i32 = 7;

pub fn is_this_process() -> bool {
    std::env::var_os(MODE).is_some()
}

/// How a driver was started.
pub struct Task {
    pub collection: PathBuf,
    pub plan: Plan,
    pub until: u64,
    pub writer: PathBuf,
    /// What comes on standard input.
    pub input: Receiver<String>,
    lines: File,
}

impl Task {
    fn from_environment() -> Self {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        Task {
            collection: var(COLLECTION).into(),
            plan: var(PLAN).parse().unwrap_or(Plan::Mixed),
            until: var(UNTIL).parse().unwrap_or(u64::MAX),
            writer: var(WRITER).into(),
            input: input(),
            lines: OpenOptions::new().create(true).append(true).open(var(LINES)).unwrap(),
        }
    }

    pub fn report(&self, line: &str) {
        (&self.lines).write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Lines of standard input. At its end whoever started this process is gone, so it ends as well.
fn input() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
            let _ = sender.send(line);
        }
        std::process::exit(0);
    });
    receiver
}

/// Runs to the end of the process.
pub fn run() -> ! {
    let task = Task::from_environment();
    task.report("started");
    if std::env::var_os(WAITS).is_some() {
        let _ = task.input.recv();
    }
    let code = match std::env::var(MODE).as_deref() {
        Ok("commit") => commits(&task, Manner::Plain),
        Ok("compact") => commits(&task, Manner::ThenCompact),
        Ok("boast") => commits(&task, Manner::AcknowledgedFirst),
        Ok("reopen") => reopening(&task),
        Ok("soak") => soak::commits(&task),
        Ok("read") => readers::read(&task),
        Ok("hold") => hold(&task),
        other => panic!("no mode: {other:?}"),
    };
    // By default the test harness would end with its own code.
    std::process::exit(code);
}

/// Opens a collection for writing.
pub fn open(path: &Path) -> Result<Collection> {
    Collection::open_or_create_with(path, Hashed::new(), ChunkSize::Whole)
}

/// The number of the commit that a collection is at.
pub fn number(collection: &Collection) -> Result<u64> {
    let hits = collection.get(NUMBER)?;
    Ok(hits.first().and_then(|hit| number_of(&hit.text)).unwrap_or_default())
}

/// Makes the changes of commit `n`, and does not commit them.
pub fn change(collection: &mut Collection, plan: Plan, n: u64) -> Result<()> {
    let changes = plan.changes(n);
    for key in &changes.delete {
        collection.delete(key)?;
    }
    let document = |(key, text)| NewDocument { key, text, ..NewDocument::default() };
    let documents: Vec<NewDocument> = changes.upsert.into_iter().map(document).collect();
    collection.upsert(&documents).map(drop)
}

/// Makes commit `n`.
pub fn commit(collection: &mut Collection, plan: Plan, n: u64) -> Result<()> {
    change(collection, plan, n)?;
    collection.commit()
}

/// Finishes what commits leave to the background. Merges that come to nothing are no loss.
pub fn settle(collection: &mut Collection) -> Result<()> {
    collection.wait_for_merges().map(drop)
}

/// How commits are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    /// After the last one all files are written anew.
    ThenCompact,
    /// Acknowledged before they are made: this is wrong, and shows that the tests notice.
    AcknowledgedFirst,
}

fn commits(task: &Task, manner: Manner) -> i32 {
    let opened = open(&task.collection).and_then(|collection| Ok((number(&collection)?, collection)));
    let (from, mut collection) = match opened {
        Ok(opened) => opened,
        Err(error) => return failed(task, &error),
    };
    task.report(&format!("ready {from}"));
    for n in from + 1..=task.until {
        if manner == Manner::AcknowledgedFirst {
            task.report(&format!("committed {n}"));
        }
        let changed = change(&mut collection, task.plan, n);
        let is_in_commit = changed.is_ok();
        if let Err(error) = changed.and_then(|()| collection.commit()) {
            let code = failed(task, &error);
            again(task, &mut collection, n, is_in_commit);
            return code;
        }
        if manner != Manner::AcknowledgedFirst {
            task.report(&format!("committed {n}"));
        }
    }
    let compacted = if manner == Manner::ThenCompact { collection.compact() } else { Ok(()) };
    match compacted.and_then(|()| settle(&mut collection)) {
        Ok(()) => 0,
        Err(error) => failed(task, &error),
    }
}

/// After a commit that failed the same collection must take nothing more, however often it is asked.
/// What failed before there was anything to commit, as the lock does, can be tried again.
fn again(task: &Task, collection: &mut Collection, n: u64, is_in_commit: bool) {
    for _ in 0..2 {
        match commit(collection, task.plan, n) {
            Ok(()) if is_in_commit => task.report("again ok"),
            Ok(()) => task.report(&format!("committed {n}")),
            Err(error) => task.report(&format!("again refused: {error}")),
        }
    }
}

/// As [`commits`], and nothing is open between two commits.
fn reopening(task: &Task) -> i32 {
    loop {
        let mut opened = match open(&task.collection) {
            Ok(opened) => opened,
            Err(error) => return failed(task, &error),
        };
        let done = number(&opened).and_then(|n| commit(&mut opened, task.plan, n + 1).map(|()| n + 1));
        match done {
            Ok(n) if n >= task.until => return 0,
            Ok(n) => task.report(&format!("committed {n}")),
            Err(error) => return failed(task, &error),
        }
        drop(opened);
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

/// Commits to a collection of the built-in model, which the `gyeol` binary can open as well.
fn hold(task: &Task) -> i32 {
    let mut opened = match Collection::open_or_create(&task.collection, builtin()) {
        Ok(opened) => opened,
        Err(error) => return failed(task, &error),
    };
    for n in 1..=task.until {
        if let Err(error) = commit(&mut opened, Plan::Mixed, n) {
            return failed(task, &error);
        }
        task.report(&format!("committed {n}"));
    }
    0
}

/// Reports an error; answers the exit code that the `gyeol` binary would end with.
pub fn failed(task: &Task, error: &Error) -> i32 {
    let store = |e: &StoreError| match e {
        StoreError::Io { .. } => IO,
        StoreError::Locked { .. } => 5,
        _ => 4,
    };
    let code = match error {
        Error::Store(e) | Error::Index(IndexError::Store(e)) => store(e),
        Error::Collection(CollectionError::WriterFailed { .. }) => IO,
        Error::Collection(CollectionError::Documents { .. } | CollectionError::Corrupt { .. }) => 4,
        _ => 2,
    };
    task.report(&format!("failed {code}: {error}"));
    code
}
