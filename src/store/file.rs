//! The container of every gyeol file: a header, a table of sections, and the sections.
//!
//! All numbers are little-endian. Offsets are from the start of the file.
//!
//! # Header (64 bytes)
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | MAGIC |
//! | 8 | 4 | FORMAT |
//! | 12 | 4 | KIND |
//! | 16 | 8 | FILE_LENGTH |
//! | 24 | 4 | SECTION_COUNT |
//! | 28 | 4 | RESERVED |
//! | 32 | 8 | TABLE_CHECKSUM |
//! | 40 | 16 | RESERVED_2 |
//! | 56 | 8 | HEADER_CHECKSUM |
//!
//! # Section table (32 bytes a section, directly after the header)
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | SECTION_ID |
//! | 4 | 4 | SECTION_RESERVED |
//! | 8 | 8 | SECTION_OFFSET |
//! | 16 | 8 | SECTION_LENGTH |
//! | 24 | 8 | SECTION_CHECKSUM |
//!
//! Sections start at multiples of 64 bytes, in the order of the table; the gaps are zero. Checksums
//! are XXH3 (64 bit, seed 0). The last section, of id `0xFFFF_FFFF`, has one of each block of 16 KiB of
//! the others, in their order (u64 each; the last block of a section may be shorter). A section's
//! checksum in the table is over the sums of its blocks, and that of the last section over its bytes;
//! the table's checksum is over the whole table, the header's over its first 56 bytes. So the header's
//! checksum stands for every byte of the file, and whoever names a file may note it.
//!
//! [`Sections::open`] checks header, table and lengths in constant time; blocks are compared when they are first
//! read where their reader asks for it, and all of them by [`Sections::verify`].

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::Mapped;
use super::blocks::{self, Blocks};
use crate::error::StoreError;

/// The first bytes of every gyeol file.
pub const MAGIC_BYTES: &[u8; 8] = b"\x89GYEOL\r\n";
/// The newest file format that this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// Where sections start: at multiples of this.
pub const ALIGNMENT: usize = 64;

/// The section of the sums of all blocks.
const SUMS: u32 = u32::MAX;

const HEADER: usize = 64;
const ENTRY: usize = 32;
/// More sections than any kind of file has; a larger count is damage.
const MAX_SECTIONS: usize = 64;

/// A format that no build will write: what looks newer than this is damage.
const NEVER: u32 = 1 << 16;

const MAGIC: usize = 0;
const FORMAT: usize = 8;
const KIND: usize = 12;
const FILE_LENGTH: usize = 16;
const SECTION_COUNT: usize = 24;
const RESERVED: usize = 28;
const TABLE_CHECKSUM: usize = 32;
const RESERVED_2: usize = 40;
const HEADER_CHECKSUM: usize = 56;

const SECTION_ID: usize = 0;
const SECTION_RESERVED: usize = 4;
const SECTION_OFFSET: usize = 8;
const SECTION_LENGTH: usize = 16;
const SECTION_CHECKSUM: usize = 24;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An index segment: vectors, slots and links.
    Segment = 1,
    /// The deleted rows of a segment.
    Tombstones = 2,
}

/// One section to write.
pub struct Section<'a> {
    /// Which section, in the numbering of the file's kind.
    pub id: u32,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A file's length and the checksum that stands for all of its bytes: what whoever names the file notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The file's length, checksums included.
    pub bytes: u64,
    /// The checksum.
    pub sum: u64,
}

/// Writes a whole file.
///
/// # Errors
/// What the writer answers.
pub fn write(out: &mut dyn Write, kind: Kind, sections: &[Section<'_>]) -> io::Result<Seal> {
    let sums: Vec<Vec<u64>> = sections.iter().map(|s| blocks::sums(s.bytes)).collect();
    let all_sums = sums.concat();
    let last = Section { id: SUMS, bytes: bytemuck::cast_slice(&all_sums) };
    let roots = sums.iter().map(|sums| blocks::root(sums)).chain([checksum(last.bytes)]);
    let sections = || sections.iter().chain([&last]);

    let count = sums.len() + 1;
    let mut table = vec![0u8; count * ENTRY];
    let mut end = (HEADER + table.len()).next_multiple_of(ALIGNMENT);
    for ((section, root), entry) in sections().zip(roots).zip(table.chunks_exact_mut(ENTRY)) {
        put(entry, SECTION_ID, &section.id.to_le_bytes());
        put(entry, SECTION_RESERVED, &[0; 4]);
        put(entry, SECTION_OFFSET, &(end as u64).to_le_bytes());
        put(entry, SECTION_LENGTH, &(section.bytes.len() as u64).to_le_bytes());
        put(entry, SECTION_CHECKSUM, &root.to_le_bytes());
        end = (end + section.bytes.len()).next_multiple_of(ALIGNMENT);
    }
    let header = header(kind, end, count, &table);
    out.write_all(&header)?;
    out.write_all(&table)?;
    let mut written = HEADER + table.len();
    for bytes in sections().map(|s| s.bytes).chain([&[][..]]) {
        out.write_all(&[0; ALIGNMENT][..written.next_multiple_of(ALIGNMENT) - written])?;
        out.write_all(bytes)?;
        written = written.next_multiple_of(ALIGNMENT) + bytes.len();
    }
    Ok(Seal { bytes: end as u64, sum: u64_at(&header, HEADER_CHECKSUM) })
}

fn header(kind: Kind, length: usize, sections: usize, table: &[u8]) -> [u8; HEADER] {
    let mut header = [0u8; HEADER];
    put(&mut header, MAGIC, MAGIC_BYTES);
    put(&mut header, FORMAT, &FORMAT_VERSION.to_le_bytes());
    put(&mut header, KIND, &(kind as u32).to_le_bytes());
    put(&mut header, FILE_LENGTH, &(length as u64).to_le_bytes());
    put(&mut header, SECTION_COUNT, &(sections as u32).to_le_bytes());
    put(&mut header, RESERVED, &[0; 4]);
    put(&mut header, TABLE_CHECKSUM, &checksum(table).to_le_bytes());
    put(&mut header, RESERVED_2, &[0; 16]);
    let sum = checksum(&header[..HEADER_CHECKSUM]);
    put(&mut header, HEADER_CHECKSUM, &sum.to_le_bytes());
    header
}

/// An opened file whose header, table and lengths hold.
#[derive(Clone, Debug)]
pub struct Sections {
    map: Mapped,
    path: PathBuf,
    root: u64,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: u32,
    start: usize,
    end: usize,
    /// None for the section of the sums.
    blocks: Option<Arc<Blocks>>,
}

/// What of a file does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The section; `None` for bytes between sections.
    pub section: Option<u32>,
    /// Which bytes of the section, or of the file when it is none.
    pub bytes: Range<usize>,
}

impl Sections {
    /// Checks a mapped file's header, table and lengths: constant time at any size. `names` has what messages
    /// call a section, by its id.
    ///
    /// # Errors
    /// [`StoreError::NotOurs`], [`StoreError::NewerFormat`] or [`StoreError::Corrupt`].
    pub fn open(map: Mapped, path: &Path, kind: Kind, names: &[&str]) -> Result<Self, StoreError> {
        let (root, table) = check_header(&map, path, kind)?;
        let entries = entries(&map, path, table, names)?;
        Ok(Sections { map, path: path.to_owned(), root, entries })
    }

    /// The length, and the checksum that stands for every byte of the file: its header's.
    pub fn seal(&self) -> Seal {
        Seal { bytes: self.map.len() as u64, sum: self.root }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn file_bytes(&self) -> usize {
        self.map.len()
    }

    /// The whole file.
    pub fn map(&self) -> &Mapped {
        &self.map
    }

    /// Whether the file has a section.
    pub fn has(&self, id: u32) -> bool {
        self.entries.iter().any(|e| e.id == id)
    }

    /// The byte of the file where a section starts.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file has no such section.
    pub fn offset(&self, id: u32) -> Result<usize, StoreError> {
        Ok(self.entry(id)?.start)
    }

    /// The bytes of a section.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file has no such section.
    pub fn bytes(&self, id: u32) -> Result<&[u8], StoreError> {
        let entry = self.entry(id)?;
        Ok(&self.map[entry.start..entry.end])
    }

    pub(super) fn blocks(&self, id: u32) -> Result<Option<Arc<Blocks>>, StoreError> {
        Ok(self.entry(id)?.blocks.clone())
    }

    /// Compares the blocks of a section with their checksums, those not yet compared.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first block that does not have its checksum, or when the file has no
    /// such section.
    pub fn check(&self, id: u32) -> Result<(), StoreError> {
        self.entry(id)?.blocks.as_ref().map_or(Ok(()), |blocks| blocks.check_all(&self.map))
    }

    fn entry(&self, id: u32) -> Result<&Entry, StoreError> {
        let entry = self.entries.iter().find(|e| e.id == id);
        entry.ok_or_else(|| StoreError::corrupt(&self.path, format!("section {id} is missing")))
    }

    /// A section as numbers in place.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when there is no such section, or its length is not `len` numbers.
    pub fn slice<T: bytemuck::Pod>(&self, id: u32, len: usize) -> Result<&[T], StoreError> {
        let bytes = self.bytes(id)?;
        let want = len.checked_mul(size_of::<T>());
        let fits = (want == Some(bytes.len())).then(|| bytemuck::try_cast_slice(bytes).ok()).flatten();
        fits.ok_or_else(|| {
            let reason =
                format!("section {id} has {} bytes where {len} x {} are expected", bytes.len(), size_of::<T>());
            StoreError::corrupt(&self.path, reason)
        })
    }

    /// Reads the whole file and compares every checksum and gap; tells what does not hold.
    pub fn damaged(&self) -> Vec<Damage> {
        let mut out = Vec::new();
        let mut from = HEADER + self.entries.len() * ENTRY;
        for entry in &self.entries {
            let bad = entry.blocks.as_ref().map_or_else(Vec::new, |blocks| blocks.damaged(&self.map));
            out.extend(bad.into_iter().map(|(start, end)| Damage { section: Some(entry.id), bytes: start..end }));
            out.extend(self.damaged_gap(from..entry.start));
            from = entry.end;
        }
        out.extend(self.damaged_gap(from..self.map.len()));
        out
    }

    /// [`Sections::damaged`] as an error.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first part that does not hold.
    pub fn verify(&self) -> Result<(), StoreError> {
        match self.damaged().into_iter().next() {
            None => Ok(()),
            Some(damage) => Err(StoreError::corrupt(&self.path, damage.to_string())),
        }
    }

    fn damaged_gap(&self, gap: Range<usize>) -> Option<Damage> {
        let holds = gap.len() < ALIGNMENT && self.map[gap.clone()].iter().all(|&b| b == 0);
        (!holds).then_some(Damage { section: None, bytes: gap })
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Range { start, end } = self.bytes;
        match self.section {
            Some(id) => write!(f, "bytes {start}..{end} of section {id} do not have their checksum"),
            None => write!(f, "bytes {start}..{end} belong to no section"),
        }
    }
}

/// The header's checksum and the bytes of the section table, once both are found to hold.
fn check_header<'a>(map: &'a [u8], path: &Path, kind: Kind) -> Result<(u64, &'a [u8]), StoreError> {
    let corrupt = |reason: String| StoreError::corrupt(path, reason);
    if map.get(MAGIC..MAGIC + 8) != Some(&MAGIC_BYTES[..]) {
        let reason = if map.len() < 8 { format!("{} bytes", map.len()) } else { "other first bytes".to_owned() };
        return Err(StoreError::NotOurs { path: path.to_owned(), reason });
    }
    let header = map.get(..HEADER).ok_or_else(|| corrupt(format!("{} bytes, less than a header", map.len())))?;
    let format = u32_at(header, FORMAT);
    let root = u64_at(header, HEADER_CHECKSUM);
    let holds = root == checksum(&header[..HEADER_CHECKSUM]);
    // A newer header may have its checksum elsewhere, and a damaged one only looks newer.
    if format > FORMAT_VERSION && (holds || format < NEVER) {
        return Err(StoreError::NewerFormat { path: path.to_owned(), found: format, supported: FORMAT_VERSION });
    }
    if !holds {
        return Err(corrupt("the header's checksum does not hold".to_owned()));
    }
    if u64_at(header, FILE_LENGTH) != map.len() as u64 {
        return Err(corrupt(format!("{} bytes where the header says {}", map.len(), u64_at(header, FILE_LENGTH))));
    }
    if u32_at(header, KIND) != kind as u32 {
        return Err(corrupt(format!("kind {} where {} is expected", u32_at(header, KIND), kind as u32)));
    }
    let count = u32_at(header, SECTION_COUNT) as usize;
    let table = (count <= MAX_SECTIONS).then(|| map.get(HEADER..HEADER + count * ENTRY)).flatten();
    let table = table.ok_or_else(|| corrupt(format!("a table of {count} sections does not fit")))?;
    if u64_at(header, TABLE_CHECKSUM) != checksum(table) {
        return Err(corrupt("the section table's checksum does not hold".to_owned()));
    }
    Ok((root, table))
}

/// The sections of a table, each with the sums of its blocks, which stand in the last section.
fn entries(map: &[u8], path: &Path, table: &[u8], names: &[&str]) -> Result<Vec<Entry>, StoreError> {
    let corrupt = |reason: String| StoreError::corrupt(path, reason);
    let mut ranges = Vec::new();
    let mut from = HEADER + table.len();
    for entry in table.chunks_exact(ENTRY) {
        let id = u32_at(entry, SECTION_ID);
        let start = u64_at(entry, SECTION_OFFSET);
        let end = start.checked_add(u64_at(entry, SECTION_LENGTH)).filter(|&end| end <= map.len() as u64);
        let end = end.ok_or_else(|| corrupt(format!("section {id} reaches past the end")))? as usize;
        let start = start as usize;
        if start < from || !start.is_multiple_of(ALIGNMENT) {
            return Err(corrupt(format!("section {id} starts at {start}, in another section or unaligned")));
        }
        from = end;
        ranges.push((id, start..end, u64_at(entry, SECTION_CHECKSUM)));
    }
    let Some((SUMS, sums, _)) = ranges.pop() else {
        return Err(corrupt("it has no checksums of blocks".to_owned()));
    };
    let wanted: usize = ranges.iter().map(|(_, range, _)| blocks::sums_len(range.len())).sum();
    if wanted != sums.len() {
        return Err(corrupt(format!("{} bytes of checksums of blocks where {wanted} are expected", sums.len())));
    }
    let mut at = sums.start;
    let mut out = Vec::with_capacity(ranges.len() + 1);
    for (id, range, root) in ranges {
        let of_blocks = at..at + blocks::sums_len(range.len());
        at = of_blocks.end;
        let name = names.get(id as usize).map_or_else(|| format!("section {id}"), |&name| name.to_owned());
        let blocks = Some(Arc::new(Blocks::new(path.to_owned(), name, range.clone(), of_blocks, root)));
        out.push(Entry { id, start: range.start, end: range.end, blocks });
    }
    out.push(Entry { id: SUMS, start: sums.start, end: sums.end, blocks: None });
    Ok(out)
}

/// XXH3, 64 bit, seed 0.
pub fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

// Sections are read in place as native numbers.
#[cfg(target_endian = "big")]
compile_error!("gyeol's files are little-endian and read in place; big-endian targets are not supported");

#[cfg(test)]
mod tests;
