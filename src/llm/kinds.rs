//! Caches by the kind of question: some answers are good for a minute, some for a day.

use std::fmt;
use std::sync::Arc;

use super::Llm;
use crate::cache::{Cache, CacheConfig};
use crate::error::CacheError;

/// How long an answer stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheKind {
    /// A minute or so: what is so now.
    Short,
    /// An hour or so: what is so today.
    Medium,
    /// A day or longer: what is so.
    Long,
}

/// Three caches that any number of handles share. An entry is of one model, so that no model answers for another.
///
/// ```
/// use gyeol::llm::{CacheKind, CacheKinds, Llm};
/// let caches = CacheKinds::in_memory(1000)?;
/// let llm = Llm::new("ollama::qwen3")?;
/// let (news, facts) = (caches.on(&llm, CacheKind::Short), caches.on(&llm, CacheKind::Long));
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone)]
pub struct CacheKinds {
    short: Arc<dyn Cache>,
    medium: Arc<dyn Cache>,
    long: Arc<dyn Cache>,
}

impl CacheKinds {
    /// Three caches of any make, each with the age that its kind is to have.
    pub fn new(short: Arc<dyn Cache>, medium: Arc<dyn Cache>, long: Arc<dyn Cache>) -> CacheKinds {
        CacheKinds { short, medium, long }
    }

    /// In memory, each with so many entries: for a minute, an hour and a day.
    ///
    /// # Errors
    /// [`CacheError::Setting`] for 0 entries.
    pub fn in_memory(max_size: u64) -> Result<CacheKinds, CacheError> {
        let open = |ttl| CacheConfig::InMemory { max_size, ttl }.open();
        Ok(CacheKinds { short: open(60)?, medium: open(3600)?, long: open(24 * 3600)? })
    }

    /// The cache of a kind.
    pub fn of(&self, kind: CacheKind) -> Arc<dyn Cache> {
        match kind {
            CacheKind::Short => self.short.clone(),
            CacheKind::Medium => self.medium.clone(),
            CacheKind::Long => self.long.clone(),
        }
    }

    /// A handle whose answers are kept in the cache of a kind. The conversation is shared.
    pub fn on(&self, llm: &Llm, kind: CacheKind) -> Llm {
        llm.cached(self.of(kind))
    }
}

impl fmt::Debug for CacheKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheKinds").finish_non_exhaustive()
    }
}
