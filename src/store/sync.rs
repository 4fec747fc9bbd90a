//! Syncing many files at once.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::StorageFile;

/// Threads that wait for the device, not for a processor.
const THREADS: usize = 8;

/// A file, and where to say how it went.
type Job = (Box<dyn StorageFile>, Sender<io::Result<()>>);

/// Syncs files from several threads and closes them, so that the file system can write them in one go: each wait
/// for the device then makes many of them durable. The threads are none of rayon's: a worker of rayon's that waits
/// takes up other work meanwhile, which may wait for what the caller holds.
pub(super) fn sync_at_once(mut files: Vec<Box<dyn StorageFile>>) -> io::Result<()> {
    let jobs = if files.len() > 1 { threads() } else { None };
    let Some(jobs) = jobs else { return files.iter_mut().try_for_each(|file| file.sync()) };
    let (done, results) = channel();
    let (mut first, mut sent) = (Ok(()), 0);
    for file in files {
        if let Err(unsent) = jobs.send((file, done.clone())) {
            let (mut file, _) = unsent.0;
            first = first.and(file.sync());
        } else {
            sent += 1;
        }
    }
    drop(done);
    for result in results {
        first = first.and(result);
        sent -= 1;
    }
    // A thread that ended on the way has not said that its file is safe.
    first.and(if sent == 0 { Ok(()) } else { Err(io::Error::other("a thread that synced files ended")) })
}

/// The way to the threads, which are started when they are first needed and stay; none if there can be none.
fn threads() -> Option<Sender<Job>> {
    static JOBS: OnceLock<Option<Mutex<Sender<Job>>>> = OnceLock::new();
    let start = || {
        let (jobs, inbox) = channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let named = |i| std::thread::Builder::new().name(format!("gyeol-sync-{i}"));
        let started = (0..THREADS).filter(|&i| {
            let inbox = inbox.clone();
            named(i).spawn(move || work(&inbox)).is_ok()
        });
        (started.count() > 0).then(|| Mutex::new(jobs))
    };
    let jobs = JOBS.get_or_init(start).as_ref()?;
    Some(jobs.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

fn work(inbox: &Mutex<Receiver<Job>>) {
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((mut file, done)) = job else { return };
        // Whoever asked may be gone.
        let _ = done.send(file.sync());
    }
}
