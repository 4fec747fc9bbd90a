//! Ctrl-C.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::{Failure, INTERRUPTED, USAGE};
use super::print;

/// Set by the first Ctrl-C; the second ends the process at once.
#[derive(Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn on_ctrl_c() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let handler = move || {
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            print::note("finishing; press Ctrl-C again to stop at once");
        };
        ctrlc::set_handler(handler).map_err(|e| Failure::new(USAGE, format!("Ctrl-C cannot be handled: {e}")))?;
        Ok(Stop(flag))
    }

    /// Whether to go on.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.0.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
