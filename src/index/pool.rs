//! Space to work in, kept between searches.

use std::sync::Mutex;

/// As many values as are in use at once.
#[derive(Debug, Default)]
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    /// One that was given back, or a new one.
    pub fn take(&self) -> T {
        self.0.lock().map(|mut pool| pool.pop()).ok().flatten().unwrap_or_default()
    }

    /// Keeps one for the next time.
    pub fn give(&self, value: T) {
        if let Ok(mut pool) = self.0.lock() {
            pool.push(value);
        }
    }
}
