//! Processor time, which other programs on the machine disturb less than the time on the wall.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The seconds that a call took of all processors together, and its answer.
pub fn cpu_seconds<T>(call: impl FnOnce() -> T) -> (f64, T) {
    seconds_by(ClockId::CLOCK_PROCESS_CPUTIME_ID, call)
}

/// The seconds that a call took of this thread, and its answer.
pub fn thread_seconds<T>(call: impl FnOnce() -> T) -> (f64, T) {
    seconds_by(ClockId::CLOCK_THREAD_CPUTIME_ID, call)
}

fn seconds_by<T>(clock: ClockId, call: impl FnOnce() -> T) -> (f64, T) {
    let now = || Duration::from(clock_gettime(clock).expect("a clock of the system"));
    let started = now();
    let answer = call();
    ((now() - started).as_secs_f64(), answer)
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
