//! The one place where readers find the newest state, and writers put it.

use super::sync::{Arc, RwLock};

/// What can be published: each state knows which one it is.
pub(super) trait State {
    /// Which line of states this one belongs to; states of another line replace each other in any order.
    fn line(&self) -> &str;

    /// Its place in the line; a later one is greater.
    fn generation(&self) -> u64;
}

/// The newest state. Whoever loads it keeps it for as long as they like; nobody waits for that.
#[derive(Debug)]
pub(super) struct Published<T> {
    newest: RwLock<Option<Arc<T>>>,
}

impl<T: State> Published<T> {
    pub fn new(state: Option<Arc<T>>) -> Self {
        Published { newest: RwLock::new(state) }
    }

    /// The newest state, if there is any.
    pub fn load(&self) -> Option<Arc<T>> {
        match self.newest.read() {
            Ok(newest) => newest.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// Makes a state the newest, unless a later one of its line is there: two that publish may come in any order,
    /// and readers never go back. Whether it was done.
    pub fn publish(&self, state: Arc<T>) -> bool {
        let mut newest = match self.newest.write() {
            Ok(newest) => newest,
            Err(poisoned) => poisoned.into_inner(),
        };
        let later = |n: &Arc<T>| n.line() == state.line() && n.generation() > state.generation();
        if newest.as_ref().is_some_and(later) {
            return false;
        }
        *newest = Some(state);
        true
    }

    /// Takes the state away: there is none any more.
    pub fn clear(&self) {
        match self.newest.write() {
            Ok(mut newest) => *newest = None,
            Err(poisoned) => *poisoned.into_inner() = None,
        }
    }
}
