//! The thread that merges while the collection is used.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tantivy::SegmentMeta;

use super::documents;
use super::vectors::VectorFiles;
use crate::error::{Error, Result};

/// A merge of documents that tantivy has begun.
pub(super) type DocumentsMerge = Box<dyn FnOnce() -> tantivy::Result<Option<SegmentMeta>> + Send>;

enum Job {
    Vectors,
    Documents(Vec<DocumentsMerge>),
}

/// The thread, its work, and what went wrong with it. Dropped, it does what is waiting and ends.
pub(super) struct Background {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Default)]
struct State {
    waiting: usize,
    documents: usize,
    trouble: Vec<Error>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn start(files: Arc<VectorFiles>) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("gyeol-merge".to_owned())
            .spawn(move || work(&files, &inbox, &of_thread))?;
        Ok(Background { jobs: Some(jobs), thread: Some(thread), shared })
    }

    /// Lets the thread look for vectors to merge.
    pub fn look(&self) {
        self.send(Job::Vectors);
    }

    /// Lets the thread wait for merges of documents, and open what comes of them.
    pub fn wait_for_documents(&self, merges: Vec<DocumentsMerge>) {
        self.shared.state().documents += 1;
        self.send(Job::Documents(merges));
    }

    fn send(&self, job: Job) {
        self.shared.state().waiting += 1;
        // A thread that is gone has said why.
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send(job).is_err()) {
            self.shared.state().waiting -= 1;
        }
    }

    /// Whether documents are being merged.
    pub fn merges_documents(&self) -> bool {
        self.shared.state().documents > 0
    }

    /// Waits until everything asked for is done.
    pub fn wait(&self) {
        let mut state = self.shared.state();
        while state.waiting > 0 {
            state = self.shared.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What went wrong since it was last asked. Nothing is lost by it: what was to be merged stays as it is.
    pub fn trouble(&self) -> Vec<Error> {
        std::mem::take(&mut self.shared.state().trouble)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(files: &VectorFiles, inbox: &Receiver<Job>, shared: &Shared) {
    for job in inbox {
        let documents = matches!(job, Job::Documents(_));
        let done = catch_unwind(AssertUnwindSafe(|| run(files, job)));
        let mut state = shared.state();
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => state.trouble.push(error),
            Err(_) => {
                files.forget_merging();
                state.trouble.push(files.ledger().silent().into());
            }
        }
        state.documents -= usize::from(documents);
        state.waiting -= 1;
        shared.idle.notify_all();
    }
}

fn run(files: &VectorFiles, job: Job) -> Result<()> {
    match job {
        Job::Vectors => while files.merge_once()? {},
        Job::Documents(merges) => {
            let done: Vec<_> = merges.into_iter().map(documents::guarded).collect();
            files.refresh_documents()?;
            // A commit may have dropped a segment meanwhile, all of whose documents it deleted: then there is nothing
            // to merge it into, and the next choice is made without it.
            let is_overtaken = |e: &tantivy::TantivyError| matches!(e, tantivy::TantivyError::InvalidArgument(_));
            if let Some(error) = done.into_iter().filter_map(Result::err).find(|e| !is_overtaken(e)) {
                return Err(files.ledger().documents_error(error));
            }
        }
    }
    Ok(())
}
