//! What drives the network, so that callers need no runtime of their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

#[cfg(feature = "chat")]
use futures_util::Stream;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::HttpError;

/// Threads that watch the network's sockets and timers.
const THREADS: usize = 1;

fn handle() -> Result<Handle, HttpError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder
            .worker_threads(THREADS)
            .thread_name("gyeol-http")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| e.to_string())
    });
    match started {
        Ok(runtime) => Ok(runtime.handle().clone()),
        Err(reason) => Err(HttpError::Client { reason: reason.clone() }),
    }
}

/// A future that runs wherever it is polled, in any executor, while our own runtime drives its sockets and timers.
pub(crate) struct Driven<F> {
    handle: Handle,
    future: Pin<Box<F>>,
}

impl<F> Driven<F> {
    /// Wraps a future, or a stream.
    pub fn new(future: F) -> Result<Self, HttpError> {
        Ok(Driven { handle: handle()?, future: Box::pin(future) })
    }
}

impl<F: Future> Future for Driven<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let handle = self.handle.clone();
        let _entered = handle.enter();
        self.future.as_mut().poll(context)
    }
}

/// [`Driven`] for a stream.
#[cfg(feature = "chat")]
impl<S: Stream> Stream for Driven<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let handle = self.handle.clone();
        let _entered = handle.enter();
        self.future.as_mut().poll_next(context)
    }
}

/// Wakes a thread that sleeps. Whether it was woken is kept apart from the thread's own token, which other code that
/// sleeps on the same thread may take.
struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs a future to its end on this thread. Also within another runtime, whose thread it takes meanwhile.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, HttpError> {
    let mut future = std::pin::pin!(Driven::new(future)?);
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(unpark.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => {
                while !unpark.woken.swap(false, Ordering::Acquire) {
                    thread::park();
                }
            }
        }
    }
}

/// Runs what would hold up the others on a thread of its own. Called from within a [`Driven`] future.
pub(crate) async fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_run_in_any_executor() {
        let wait = || async { tokio::time::sleep(Duration::from_millis(5)).await };
        block_on(wait()).unwrap();
        // Dropped before it is done.
        assert!(futures_util::future::FutureExt::now_or_never(Driven::new(wait()).unwrap()).is_none());
        // A runtime of one thread, without timers of its own.
        let other = Builder::new_current_thread().build().unwrap();
        other.block_on(Driven::new(wait()).unwrap());
        other.block_on(async { block_on(wait()).unwrap() });
        assert_eq!(block_on(spawn_blocking(|| 7)).unwrap(), Some(7));
    }
}
