//! Entries in this process.

use std::sync::Arc;
use std::time::Duration;

use super::{Cache, CacheKey};
use crate::error::CacheError;

/// No entry needs to live longer than a thousand years, which is as much as the clock can count.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// Entries in memory, of which the least used go first.
pub(super) struct Memory(moka::sync::Cache<CacheKey, Arc<[u8]>>);

impl Memory {
    pub fn new(max_size: u64, age: Option<Duration>) -> Result<Memory, CacheError> {
        if max_size == 0 {
            return Err(CacheError::Setting { name: "max_size", value: "0".to_owned(), allowed: "1 or more entries" });
        }
        let builder = moka::sync::Cache::builder().max_capacity(max_size);
        let builder = match age {
            Some(age) => builder.time_to_live(age.min(LONGEST)),
            None => builder,
        };
        Ok(Memory(builder.build()))
    }
}

impl Cache for Memory {
    fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        Ok(keys.iter().map(|key| self.0.get(key).map(|bytes| bytes.to_vec())).collect())
    }

    fn put_many(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError> {
        entries.into_iter().for_each(|(key, bytes)| self.0.insert(key, bytes.into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_so_many_and_so_long() {
        let cache = Memory::new(10, None).unwrap();
        let entry = |i: u8| ([i; 32], vec![i]);
        cache.put_many((0..100).map(entry).collect()).unwrap();
        cache.0.run_pending_tasks();
        let kept = cache.get_many(&(0..100).map(|i| [i; 32]).collect::<Vec<_>>()).unwrap();
        assert!((1..=10).contains(&kept.iter().flatten().count()));
        let cache = Memory::new(10, Some(Duration::from_millis(30))).unwrap();
        cache.put_many(vec![entry(1)]).unwrap();
        assert_eq!(cache.get_many(&[[1; 32]]).unwrap(), [Some(vec![1])]);
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(cache.get_many(&[[1; 32]]).unwrap(), [None]);
        assert!(Memory::new(0, None).is_err());
        assert!(Memory::new(1, Some(Duration::MAX)).is_ok());
    }
}
