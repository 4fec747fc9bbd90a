//! Numbers that are either owned or read in place from a mapped file.

use std::ops::Deref;

use super::Mapped;
use super::file::Sections;
use crate::error::StoreError;

/// A slice of numbers, owned or mapped; a mapped one keeps its file mapped.
#[derive(Debug)]
pub enum Column<T> {
    /// Built in memory.
    Owned(Vec<T>),
    /// Read in place: the file's bytes from `start`, `len` numbers.
    Mapped {
        /// The whole file.
        map: Mapped,
        /// The byte where the numbers start, aligned for `T`.
        start: usize,
        /// How many numbers.
        len: usize,
    },
}

impl<T: bytemuck::Pod> Column<T> {
    /// A section of a file in place.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when there is no such section, or its length is not `len` numbers.
    pub fn section(file: &Sections, id: u32, len: usize) -> Result<Self, StoreError> {
        Column::part(file, id, len, 0, len)
    }

    /// `len` numbers from number `from` of a section that holds `total`.
    ///
    /// # Errors
    /// As [`Column::section`], also when the part reaches past the section.
    pub fn part(file: &Sections, id: u32, total: usize, from: usize, len: usize) -> Result<Self, StoreError> {
        let numbers: &[T] = file.slice(id, total)?;
        if from.checked_add(len).is_none_or(|end| end > numbers.len()) {
            return Err(StoreError::corrupt(file.path(), format!("section {id} is too short for its parts")));
        }
        let start = file.offset(id)? + from * size_of::<T>();
        Ok(Column::Mapped { map: file.map().clone(), start, len })
    }
}

impl<T: bytemuck::Pod> Deref for Column<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Column::Owned(numbers) => numbers,
            Column::Mapped { map, start, len } => bytemuck::cast_slice(&map[*start..*start + *len * size_of::<T>()]),
        }
    }
}
