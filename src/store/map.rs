//! Bytes of a whole file: mapped from disk, or held in memory.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of one file, shared and immutable; a clone is a reference.
///
/// The start is aligned to at least 64 bytes, so that a section at an aligned offset can be read
/// in place as numbers.
#[derive(Clone)]
pub struct Mapped(Arc<Bytes>);

enum Bytes {
    Empty,
    Map(memmap2::Mmap),
    Heap { lines: Vec<Line>, len: usize },
}

/// One cache line: what gives a heap copy its alignment.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

// SAFETY: 64 plain bytes without padding, any content is valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

impl Mapped {
    /// Maps a file from start to end.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn map(file: &File) -> io::Result<Self> {
        // An empty file cannot be mapped.
        if file.metadata()?.len() == 0 {
            return Ok(Mapped(Arc::new(Bytes::Empty)));
        }
        // SAFETY: gyeol's files are written once under a name of their own, never changed after,
        // and removed only by unlinking, which leaves a mapping whole. Someone who truncates such
        // a file from outside takes it from under every reader, as with any mapped database.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Mapped(Arc::new(Bytes::Map(map))))
    }

    /// Copies bytes into aligned memory, for storages that are not files.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut lines = vec![Line([0; 64]); bytes.len().div_ceil(64)];
        bytemuck::cast_slice_mut::<Line, u8>(&mut lines)[..bytes.len()].copy_from_slice(bytes);
        Mapped(Arc::new(Bytes::Heap { lines, len: bytes.len() }))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Bytes::Empty => &[],
            Bytes::Map(map) => map,
            Bytes::Heap { lines, len } => &bytemuck::cast_slice::<Line, u8>(lines)[..*len],
        }
    }
}

// SAFETY: the bytes are behind an `Arc` and never change, so moving a `Mapped` leaves them in place.
#[cfg(feature = "collection")]
unsafe impl stable_deref_trait::StableDeref for Mapped {}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapped({} bytes)", self.len())
    }
}
