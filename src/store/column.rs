//! Numbers that are either owned or read in place from a mapped file.

use std::ops::Deref;
use std::sync::Arc;

use super::Mapped;
use super::blocks::Blocks;
use super::file::Sections;
use crate::error::StoreError;

/// A slice of numbers, owned or mapped; a mapped one keeps its file mapped.
#[derive(Debug)]
pub struct Column<T>(Place<T>);

#[derive(Debug)]
enum Place<T> {
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
        /// The checksums of the section.
        blocks: Option<Arc<Blocks>>,
    },
}

impl<T> Column<T> {
    /// Numbers in memory.
    pub fn owned(numbers: Vec<T>) -> Self {
        Column(Place::Owned(numbers))
    }
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
        Ok(Column(Place::Mapped { map: file.map().clone(), start, len, blocks: file.blocks(id)? }))
    }
}

impl<T: bytemuck::Pod> Column<T> {
    /// Compares the blocks that hold `len` numbers from number `from` with their checksums, those not yet
    /// compared. Numbers in memory have none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first block that does not hold.
    #[inline]
    pub fn check(&self, from: usize, len: usize) -> Result<(), StoreError> {
        match &self.0 {
            Place::Mapped { map, start, blocks: Some(blocks), .. } => {
                let first = start + from * size_of::<T>() - blocks.start();
                blocks.check(map, first..first + len * size_of::<T>())
            }
            _ => Ok(()),
        }
    }

    /// [`Column::check`] of the whole section that the numbers are in.
    ///
    /// # Errors
    /// As [`Column::check`].
    pub fn check_all(&self) -> Result<(), StoreError> {
        match &self.0 {
            Place::Mapped { map, blocks: Some(blocks), .. } => blocks.check_all(map),
            _ => Ok(()),
        }
    }
}

impl<T: bytemuck::Pod> Deref for Column<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Place::Owned(numbers) => numbers,
            Place::Mapped { map, start, len, .. } => bytemuck::cast_slice(&map[*start..*start + *len * size_of::<T>()]),
        }
    }
}
