//! Files whose content is another's format, sealed with the checksums of its blocks.
//!
//! | part | bytes |
//! |---|---|
//! | the content | n |
//! | zeros, up to a multiple of 8 | 0 to 7 |
//! | the checksum of each block of 16 KiB of the content, u64 | 8 x ceil(n / 16384) |
//! | footer | 32 |
//!
//! # Footer (32 bytes)
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | CONTENT_LENGTH |
//! | 8 | 8 | SUMS_CHECKSUM |
//! | 16 | 8 | SEAL |
//! | 24 | 8 | FOOTER_CHECKSUM |
//!
//! Numbers are little-endian, checksums are XXH3 (64 bit, seed 0): a block's over its bytes, SUMS_CHECKSUM over
//! the sums of the blocks, FOOTER_CHECKSUM over the first 24 bytes of the footer. So the footer's checksum stands
//! for the whole content, and whoever names a file notes it, with the file's length.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use super::Mapped;
use super::blocks::{self, BLOCK, Blocks};
use super::file::{Seal, checksum};
use crate::error::StoreError;

/// The mark of a sealed file's footer.
const SEAL_BYTES: &[u8; 8] = b"GYEOLSL\x01";

const FOOTER: usize = 32;
const CONTENT_LENGTH: usize = 0;
const SUMS_CHECKSUM: usize = 8;
const SEAL: usize = 16;
const FOOTER_CHECKSUM: usize = 24;

/// Sums what is written, block by block.
#[derive(Debug, Default)]
pub(crate) struct Sealer {
    block: Vec<u8>,
    sums: Vec<u64>,
    len: u64,
}

impl Sealer {
    /// Takes the next bytes of the content.
    pub fn take(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK {
                self.sums.push(checksum(&self.block));
                self.block.clear();
            }
            bytes = later;
        }
    }

    /// Writes what comes after the content.
    ///
    /// # Errors
    /// What the writer answers.
    pub fn finish(mut self, out: &mut (impl Write + ?Sized)) -> io::Result<Seal> {
        if !self.block.is_empty() {
            self.sums.push(checksum(&self.block));
        }
        let padding = self.len.next_multiple_of(8) - self.len;
        let mut footer = [0; FOOTER];
        footer[CONTENT_LENGTH..][..8].copy_from_slice(&self.len.to_le_bytes());
        footer[SUMS_CHECKSUM..][..8].copy_from_slice(&blocks::root(&self.sums).to_le_bytes());
        footer[SEAL..][..8].copy_from_slice(SEAL_BYTES);
        let sum = checksum(&footer[..FOOTER_CHECKSUM]);
        footer[FOOTER_CHECKSUM..].copy_from_slice(&sum.to_le_bytes());
        let sums: &[u8] = bytemuck::cast_slice(&self.sums);
        out.write_all(&[&[0; 8][..padding as usize], sums, &footer].concat())?;
        Ok(Seal { bytes: self.len + padding + sums.len() as u64 + FOOTER as u64, sum })
    }
}

/// A sealed file, mapped; blocks of its content are compared with their checksums when they are first read.
#[derive(Debug)]
pub(crate) struct Sealed {
    map: Mapped,
    len: usize,
    blocks: Blocks,
}

impl Sealed {
    /// Checks footer and lengths, in constant time, and that it is the file that was noted.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming what does not hold.
    pub fn open(map: Mapped, path: &Path, noted: Seal) -> Result<Self, StoreError> {
        let corrupt = |reason: String| Err(StoreError::corrupt(path, reason));
        if map.len() as u64 != noted.bytes || map.len() < FOOTER {
            return corrupt(format!("{} bytes where {} were written", map.len(), noted.bytes));
        }
        let from = map.len() - FOOTER;
        let at = |field: usize| map[from + field..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let sum = at(FOOTER_CHECKSUM);
        if sum != checksum(&map[from..from + FOOTER_CHECKSUM]) || &map[from + SEAL..from + SEAL + 8] != SEAL_BYTES {
            return corrupt("its footer does not have its checksum".to_owned());
        }
        if sum != noted.sum {
            return corrupt("it is another file than was written here".to_owned());
        }
        let len = usize::try_from(at(CONTENT_LENGTH)).unwrap_or(usize::MAX);
        let start = len.checked_next_multiple_of(8).filter(|&start| start <= from);
        let Some(start) = start.filter(|start| from - start == blocks::sums_len(len)) else {
            return corrupt(format!("a content of {len} bytes does not fit"));
        };
        let blocks = Blocks::new(path.to_owned(), "content".to_owned(), 0..len, start..from, at(SUMS_CHECKSUM));
        Ok(Sealed { map, len, blocks })
    }

    /// The length of the content.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The file; the content is its first [`Sealed::len`] bytes.
    pub fn map(&self) -> &Mapped {
        &self.map
    }

    /// Compares the blocks that a range of the content touches, those not yet compared.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first block that does not hold.
    pub fn check(&self, range: Range<usize>) -> Result<(), StoreError> {
        self.blocks.check(&self.map, range)
    }

    /// Compares every block and the padding, whether they were compared before or not.
    ///
    /// # Errors
    /// As [`Sealed::check`].
    pub fn verify(&self, path: &Path) -> Result<(), StoreError> {
        let padding = self.len..self.len.next_multiple_of(8);
        if let Some((start, end)) = self.blocks.damaged(&self.map).first() {
            let reason = format!("its bytes {start}..{end} do not have their checksum");
            return Err(StoreError::corrupt(path, reason));
        }
        match self.map[padding].iter().all(|&b| b == 0) {
            true => Ok(()),
            false => Err(StoreError::corrupt(path, "bytes after its content are not zero")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> (Vec<u8>, Seal) {
        let (mut sealer, mut out) = (Sealer::default(), content.to_vec());
        content.chunks(1000).for_each(|part| sealer.take(part));
        let seal = sealer.finish(&mut out).unwrap();
        assert_eq!(seal.bytes, out.len() as u64);
        (out, seal)
    }

    fn open(bytes: &[u8], seal: Seal) -> Result<Sealed, StoreError> {
        Sealed::open(Mapped::copy_of(bytes), Path::new("sample"), seal)
    }

    #[test]
    fn the_byte_table_is_the_constants() {
        let constants = [
            ("CONTENT_LENGTH", CONTENT_LENGTH),
            ("SUMS_CHECKSUM", SUMS_CHECKSUM),
            ("SEAL", SEAL),
            ("FOOTER_CHECKSUM", FOOTER_CHECKSUM),
        ];
        let rows = include_str!("sealed.rs").lines().filter_map(|line| line.strip_prefix("//! | ")).filter_map(|row| {
            let mut cells = row.split('|').map(str::trim);
            let (at, _) = (cells.next()?.parse().ok()?, cells.next());
            Some((cells.next()?, at))
        });
        assert!(rows.eq(constants));
    }

    #[test]
    fn content_comes_back_and_every_flipped_bit_is_found() {
        for len in [0, 1, 8, 100, BLOCK, BLOCK + 3] {
            let content: Vec<u8> = (0..len).map(|i| (i * 7 % 256) as u8).collect();
            let (good, seal) = sealed(&content);
            let file = open(&good, seal).unwrap();
            file.verify(Path::new("sample")).unwrap();
            assert_eq!(file.map()[..file.len()], content);
            for bit in (0..good.len() * 8).step_by(if len < BLOCK { 1 } else { 997 }) {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&bad, seal).and_then(|f| f.verify(Path::new("sample"))).is_err(), "{len}: bit {bit}");
            }
            assert!(open(&good[1..], seal).is_err() && open(&[&good[..], &[0]].concat(), seal).is_err());
        }
        let ((other, _), (_, seal)) = (sealed(b"one"), sealed(b"two"));
        assert!(open(&other, seal).unwrap_err().to_string().contains("another file"));
    }
}
