//! Rows that are read a block at a time, so that they need not fit into memory.

use super::VectorsView;
use crate::error::VectorsError;

/// A row-major matrix of `len` rows of `dim` values that can be read from any row on, as often as needed.
pub trait RowSource {
    /// The number of rows.
    fn len(&self) -> usize;

    /// The number of values in a row.
    fn dim(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes `count` rows from row `first` on into `out`, which is cleared first.
    ///
    /// # Errors
    /// [`VectorsError::Io`] or [`VectorsError::File`] when they cannot be read.
    ///
    /// # Panics
    /// When there are not so many rows, as slices do.
    fn read(&self, first: usize, count: usize, out: &mut Vec<f32>) -> Result<(), VectorsError>;
}

impl RowSource for VectorsView<'_> {
    fn len(&self) -> usize {
        VectorsView::len(self)
    }

    fn dim(&self) -> usize {
        VectorsView::dim(self)
    }

    fn read(&self, first: usize, count: usize, out: &mut Vec<f32>) -> Result<(), VectorsError> {
        out.clear();
        out.extend_from_slice(&self.as_slice()[first * self.dim()..(first + count) * self.dim()]);
        Ok(())
    }
}
