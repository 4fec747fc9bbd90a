//! Stopping a question from another thread.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{AbortHandle, abortable};

use crate::error::LlmError;
use crate::http::block_on;
use crate::llm::StopHandle;

/// Stops what a chat is doing for a question: rewriting it, searching, waiting for the answer or reading it.
#[derive(Clone, Debug, Default)]
pub struct ChatStop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether this question is to be stopped.
    asked: bool,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
enum UnderWay {
    Request(AbortHandle),
    Stream(StopHandle),
}

impl UnderWay {
    fn stop(&self) {
        match self {
            UnderWay::Request(handle) => handle.abort(),
            UnderWay::Stream(handle) => handle.stop(),
        }
    }
}

impl ChatStop {
    /// Stops the question that is under way: its call ends with [`LlmError::Stopped`], or its stream without an end
    /// event. The conversation stays as it was.
    pub fn stop(&self) {
        let mut state = self.state();
        state.asked = true;
        state.under_way.iter().for_each(UnderWay::stop);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another question begins.
    pub(super) fn begin(&self) {
        *self.state() = State::default();
    }

    pub(super) fn check(&self) -> Result<(), LlmError> {
        if self.state().asked { Err(LlmError::Stopped) } else { Ok(()) }
    }

    fn watch(&self, under_way: UnderWay) {
        let mut state = self.state();
        if state.asked {
            under_way.stop();
        }
        state.under_way = Some(under_way);
    }

    pub(super) fn watch_stream(&self, handle: StopHandle) {
        self.watch(UnderWay::Stream(handle));
    }

    /// Waits for a request unless it is stopped.
    pub(super) fn wait<F: Future>(&self, request: F) -> Result<F::Output, LlmError> {
        let (request, handle) = abortable(request);
        self.watch(UnderWay::Request(handle));
        match block_on(request) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(_)) => Err(LlmError::Stopped),
            Err(source) => Err(LlmError::Http { model: "chat".to_owned(), source }),
        }
    }
}
