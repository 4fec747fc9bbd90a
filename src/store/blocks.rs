//! Checksums of the blocks of a part of a file, compared when a block is first read.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::file::checksum;
use crate::error::StoreError;

/// Bytes in a block; the last one of a part may have fewer.
pub const BLOCK: usize = 16 * 1024;

/// Bytes of the sum of a block.
const SUM: usize = size_of::<u64>();

/// The sums of all blocks of a part: XXH3, 64 bit, seed 0.
pub(super) fn sums(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks(BLOCK).map(checksum).collect()
}

/// The one sum that stands for all: that of the sums, little-endian.
pub(super) fn root(sums: &[u64]) -> u64 {
    checksum(bytemuck::cast_slice(sums))
}

/// The bytes that the sums of a part of this length take.
pub(super) fn sums_len(content: usize) -> usize {
    content.div_ceil(BLOCK) * SUM
}

/// Which part of a file this is, where its sums stand, and which blocks were found to be right.
#[derive(Debug)]
pub(super) struct Blocks {
    path: PathBuf,
    /// What the part is called in a message.
    name: String,
    content: Range<usize>,
    sums: Range<usize>,
    root: u64,
    /// Whether the sums themselves hold.
    rooted: AtomicBool,
    /// Whether every block was found to be right.
    whole: AtomicBool,
    right: Box<[AtomicU64]>,
}

impl Blocks {
    /// A part and its sums, both within the file.
    pub fn new(path: PathBuf, name: String, content: Range<usize>, sums: Range<usize>, root: u64) -> Self {
        let right = (0..content.len().div_ceil(BLOCK).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (rooted, whole) = (AtomicBool::new(false), AtomicBool::new(false));
        Blocks { path, name, content, sums, root, rooted, whole, right }
    }

    /// Where the part begins in the file.
    pub fn start(&self) -> usize {
        self.content.start
    }

    /// Compares the blocks that a range of the part touches, those not yet compared.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first block that does not have its checksum.
    #[inline]
    pub fn check(&self, file: &[u8], range: Range<usize>) -> Result<(), StoreError> {
        if range.is_empty() || self.whole.load(Ordering::Relaxed) {
            return Ok(());
        }
        for block in range.start / BLOCK..=(range.end - 1) / BLOCK {
            let seen = self.right.get(block / 64).is_some_and(|w| w.load(Ordering::Relaxed) >> (block % 64) & 1 == 1);
            if !seen {
                self.compare(file, block)?;
            }
        }
        Ok(())
    }

    /// Compares every block not yet compared.
    ///
    /// # Errors
    /// As [`Blocks::check`].
    pub fn check_all(&self, file: &[u8]) -> Result<(), StoreError> {
        self.check(file, 0..self.content.len())?;
        self.whole.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Compares every block, whether it was compared before or not, and tells which do not hold: the first
    /// byte of the part and the one after the last.
    pub fn damaged(&self, file: &[u8]) -> Vec<(usize, usize)> {
        let content = &file[self.content.clone()];
        if checksum(&file[self.sums.clone()]) != self.root {
            return vec![(0, content.len())];
        }
        let blocks = content.chunks(BLOCK).enumerate();
        let bad = blocks.filter(|(i, bytes)| checksum(bytes) != self.sum(file, *i));
        bad.map(|(i, bytes)| (i * BLOCK, i * BLOCK + bytes.len())).collect()
    }

    #[cold]
    fn compare(&self, file: &[u8], block: usize) -> Result<(), StoreError> {
        if !self.rooted.load(Ordering::Relaxed) {
            if checksum(&file[self.sums.clone()]) != self.root {
                return Err(self.corrupt("the checksums of its blocks do not have theirs".to_owned()));
            }
            self.rooted.store(true, Ordering::Relaxed);
        }
        let content = &file[self.content.clone()];
        let end = content.len().min((block + 1) * BLOCK);
        let bytes = content.get(block * BLOCK..end).unwrap_or_default();
        if bytes.is_empty() || checksum(bytes) != self.sum(file, block) {
            return Err(self.corrupt(format!("its bytes {}..{end} do not have their checksum", block * BLOCK)));
        }
        if let Some(word) = self.right.get(block / 64) {
            word.fetch_or(1 << (block % 64), Ordering::Relaxed);
        }
        Ok(())
    }

    fn sum(&self, file: &[u8], block: usize) -> u64 {
        let at = self.sums.start + block * SUM;
        file.get(at..self.sums.end).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
    }

    fn corrupt(&self, reason: String) -> StoreError {
        StoreError::corrupt(&self.path, format!("{}: {reason}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_compared_when_they_are_touched() {
        let content: Vec<u8> = (0..5 * BLOCK / 2).map(|i| (i % 251) as u8).collect();
        let list = sums(&content);
        let mut file = [&content[..], bytemuck::cast_slice(&list)].concat();
        let make = || {
            let (end, len) = (content.len(), content.len() + sums_len(content.len()));
            Blocks::new("file".into(), "part".to_owned(), 0..end, end..len, root(&list))
        };
        let blocks = make();
        assert!(blocks.damaged(&file).is_empty());
        file[BLOCK + 7] ^= 1;
        blocks.check(&file, 0..BLOCK).unwrap();
        blocks.check(&file, 2 * BLOCK..content.len()).unwrap();
        for range in [BLOCK - 1..BLOCK + 1, BLOCK..BLOCK + 1, 0..content.len()] {
            let message = blocks.check(&file, range).unwrap_err().to_string();
            assert!(message.contains("part: its bytes 16384..32768"), "{message}");
        }
        assert!(blocks.check_all(&file).is_err());
        assert_eq!(blocks.damaged(&file), [(BLOCK, 2 * BLOCK)]);
        file[BLOCK + 7] ^= 1;
        blocks.check_all(&file).unwrap();
        file[content.len()] ^= 1;
        assert_eq!(make().damaged(&file), [(0, content.len())], "sums that do not hold say nothing");
        assert!(make().check(&file, 0..1).unwrap_err().to_string().contains("the checksums of its blocks"));
    }
}
