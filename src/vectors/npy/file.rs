//! A matrix that stays in its file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Element, bad, matrix, open_header};
use crate::error::VectorsError;
use crate::vectors::{MAX_ROWS, RowSource};

/// An npy file of `n x dim` numbers of which blocks of rows are read: for what exceeds memory.
///
/// It is read, not mapped: a mapping would count against a limit of address space as a whole.
#[derive(Debug)]
pub struct NpyFile {
    path: PathBuf,
    file: Mutex<File>,
    element: Element,
    start: u64,
    len: usize,
    dim: usize,
}

impl NpyFile {
    /// Opens a file of `f2`, `f4` or `f8`; its length is compared with its shape.
    ///
    /// # Errors
    /// As [`read`](super::read).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, VectorsError> {
        let path = path.as_ref();
        let (header, mut input, left) = open_header(path)?;
        let (len, dim) = matrix(path, &header)?;
        let element = Element::of(path, &header)?;
        let want = len.checked_mul(dim).and_then(|n| n.checked_mul(element.bytes()));
        if want.is_none_or(|want| want > left) {
            return Err(bad(path, format!("{left} bytes of values, fewer than the shape {len} x {dim} needs")));
        }
        if dim == 0 {
            return Err(VectorsError::ZeroDimension);
        }
        if len > MAX_ROWS {
            return Err(VectorsError::TooManyRows { rows: len, limit: MAX_ROWS });
        }
        let start = input.stream_position().map_err(|source| VectorsError::Io { path: path.to_owned(), source })?;
        Ok(NpyFile { path: path.to_owned(), file: Mutex::new(input.into_inner()), element, start, len, dim })
    }
}

impl RowSource for NpyFile {
    fn len(&self) -> usize {
        self.len
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn read(&self, first: usize, count: usize, out: &mut Vec<f32>) -> Result<(), VectorsError> {
        assert!(first + count <= self.len, "rows of the file");
        let row = self.dim * self.element.bytes();
        let mut bytes = vec![0u8; count * row];
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read =
            file.seek(SeekFrom::Start(self.start + (first * row) as u64)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|source| VectorsError::Io { path: self.path.clone(), source })?;
        out.clear();
        self.element.append(&bytes, out);
        Ok(())
    }
}
