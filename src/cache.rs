//! Caches of what was paid for: bytes by a key of 32 bytes, in memory, in a folder, or in a Redis server.
//!
//! A cache never makes a call fail: what cannot be read is fetched anew, what cannot be written is not kept, and both
//! are counted. Whoever uses one checks what comes out of it, so damaged entries are as good as none.

mod file;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::CacheError;

/// What an entry is found by: a hash of all that it depends on.
pub type CacheKey = [u8; 32];

/// A place that keeps bytes by key. Implement it to bring your own.
///
/// Calls may block; they are made on threads where that does no harm, several at once.
pub trait Cache: Send + Sync {
    /// The entries of some keys, in their order; `None` for those that are not there, or are too old.
    ///
    /// # Errors
    /// [`CacheError::Failed`]; the caller goes on as if there were none.
    fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError>;

    /// Keeps entries, in the place of those with the same keys.
    ///
    /// # Errors
    /// [`CacheError::Failed`]; the caller goes on without.
    fn put_many(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError>;
}

/// The caches that come with gyeol. `ttl` is the age in seconds from which an entry is as good as none; 0 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheConfig {
    /// In this process.
    InMemory {
        /// Entries that are kept, at most: 1 or more. Those that are used least go first.
        max_size: u64,
        /// Seconds.
        ttl: i64,
    },
    /// A file an entry, in a folder that is made when it is not there. It survives restarts, and several processes may
    /// use it at once.
    File {
        /// The folder.
        dir: PathBuf,
        /// Seconds.
        ttl: i64,
    },
    /// A Redis server, or one that speaks its protocol. Needs the feature `redis`.
    Redis {
        /// `redis://HOST:PORT/DATABASE`, or `unix:///PATH`. A password belongs into the URL as for other clients, and
        /// is shown nowhere.
        url: String,
        /// Seconds.
        ttl: i64,
    },
}

impl CacheConfig {
    /// Opens the cache. A Redis server need not answer yet.
    ///
    /// ```
    /// use gyeol::cache::CacheConfig;
    /// let cache = CacheConfig::InMemory { max_size: 10_000, ttl: 3600 }.open()?;
    /// cache.put_many(vec![([7; 32], b"seven".to_vec())])?;
    /// assert_eq!(cache.get_many(&[[7; 32], [8; 32]])?, [Some(b"seven".to_vec()), None]);
    /// assert!(CacheConfig::InMemory { max_size: 10, ttl: -1 }.open().is_err());
    /// # Ok::<(), gyeol::error::CacheError>(())
    /// ```
    ///
    /// # Errors
    /// [`CacheError::Setting`] for settings out of range; [`CacheError::Folder`].
    pub fn open(&self) -> Result<Arc<dyn Cache>, CacheError> {
        Ok(match self {
            CacheConfig::InMemory { max_size, ttl } => Arc::new(memory::Memory::new(*max_size, age(*ttl)?)?),
            CacheConfig::File { dir, ttl } => Arc::new(file::Folder::open(dir, age(*ttl)?)?),
            #[cfg(feature = "redis")]
            CacheConfig::Redis { url, ttl } => Arc::new(redis::Server::new(url, age(*ttl)?)?),
            #[cfg(not(feature = "redis"))]
            CacheConfig::Redis { .. } => {
                return Err(CacheError::Failed {
                    reason: "this build has no Redis; build it with the feature `redis`".to_owned(),
                });
            }
        })
    }
}

/// The age that a `ttl` allows; `None` is any.
fn age(ttl: i64) -> Result<Option<Duration>, CacheError> {
    match u64::try_from(ttl) {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => {
            Err(CacheError::Setting { name: "ttl", value: ttl.to_string(), allowed: "0 (no end) or more seconds" })
        }
    }
}
