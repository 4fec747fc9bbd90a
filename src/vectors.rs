//! Row-major `n x dim` matrices of `f32`, their validation, and the vector file formats.
//!
//! [`Vectors`] owns its values, [`VectorsView`] borrows them. Both promise whole rows: the length
//! is a multiple of the dimension, and the dimension is at least 1. [`npy`] and [`fvecs`] read and
//! write files.

use crate::error::VectorsError;

#[cfg(feature = "cluster")]
mod arrays;
pub mod fvecs;
pub mod npy;
mod source;

pub use source::RowSource;

/// The most rows that one matrix or index takes: a row number is a `u32` of which one bit is kept back.
pub const MAX_ROWS: usize = i32::MAX as usize;

/// An owned row-major matrix: `n` rows of `dim` values.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    data: Vec<f32>,
    dim: usize,
}

/// A borrowed row-major matrix: `n` rows of `dim` values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorsView<'a> {
    data: &'a [f32],
    dim: usize,
}

impl Vectors {
    /// Takes `n * dim` values, row after row.
    ///
    /// # Errors
    /// [`VectorsError::ZeroDimension`], [`VectorsError::Ragged`] when the values do not fill whole
    /// rows, [`VectorsError::TooManyRows`] over [`MAX_ROWS`].
    ///
    /// ```
    /// let v = gyeol::Vectors::new(vec![1.0, 0.0, 0.0, 1.0], 2)?;
    /// assert_eq!((v.len(), v.dim()), (2, 2));
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    pub fn new(data: Vec<f32>, dim: usize) -> Result<Self, VectorsError> {
        VectorsView::new(&data, dim)?;
        Ok(Vectors { data, dim })
    }

    /// Copies rows of equal length.
    ///
    /// # Errors
    /// [`VectorsError::ZeroDimension`] when there is no row or the first is empty,
    /// [`VectorsError::Dimension`] naming the first row of another length.
    pub fn from_rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self, VectorsError> {
        let dim = rows.first().map_or(0, |r| r.as_ref().len());
        let mut data = Vec::with_capacity(rows.len() * dim);
        for (row, values) in rows.iter().enumerate() {
            let values = values.as_ref();
            if values.len() != dim {
                return Err(VectorsError::Dimension { row, expected: dim, found: values.len() });
            }
            data.extend_from_slice(values);
        }
        Vectors::new(data, dim)
    }

    /// A matrix of `n` rows of zeros.
    ///
    /// # Errors
    /// As [`Vectors::new`].
    pub fn zeros(n: usize, dim: usize) -> Result<Self, VectorsError> {
        if n > MAX_ROWS {
            return Err(VectorsError::TooManyRows { rows: n, limit: MAX_ROWS });
        }
        Vectors::new(vec![0.0; n * dim], dim)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// One row.
    ///
    /// # Panics
    /// When `row >= len()`, as slices do.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.dim..(row + 1) * self.dim]
    }

    /// One row, to write.
    ///
    /// # Panics
    /// When `row >= len()`, as slices do.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.dim..(row + 1) * self.dim]
    }

    /// All rows, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.data.chunks_exact(self.dim)
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The same rows in another order: row `i` is what row `order[i]` was.
    pub(crate) fn permuted(&self, order: &[u32]) -> Vectors {
        use rayon::prelude::*;
        let mut data = vec![0.0; order.len() * self.dim];
        let places = data.par_chunks_exact_mut(self.dim).zip(order);
        places.for_each(|(place, &row)| place.copy_from_slice(self.row(row as usize)));
        Vectors { data, dim: self.dim }
    }

    /// All values, row after row, to write.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Gives the values back.
    pub fn into_vec(self) -> Vec<f32> {
        self.data
    }

    /// Borrows the matrix.
    pub fn view(&self) -> VectorsView<'_> {
        VectorsView { data: &self.data, dim: self.dim }
    }
}

impl<'a> VectorsView<'a> {
    /// Borrows `n * dim` values, row after row.
    ///
    /// # Errors
    /// As [`Vectors::new`].
    pub fn new(data: &'a [f32], dim: usize) -> Result<Self, VectorsError> {
        if dim == 0 {
            return Err(VectorsError::ZeroDimension);
        }
        if !data.len().is_multiple_of(dim) {
            return Err(VectorsError::Ragged { len: data.len(), dim });
        }
        let rows = data.len() / dim;
        if rows > MAX_ROWS {
            return Err(VectorsError::TooManyRows { rows, limit: MAX_ROWS });
        }
        Ok(VectorsView { data, dim })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// One row.
    ///
    /// # Panics
    /// When `row >= len()`, as slices do.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.dim..(row + 1) * self.dim]
    }

    /// All rows, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'a, f32> {
        self.data.chunks_exact(self.dim)
    }

    /// All values, row after row.
    pub fn as_slice(&self) -> &'a [f32] {
        self.data
    }

    /// Checks that every value is finite.
    ///
    /// # Errors
    /// [`VectorsError::NotFinite`] naming the first row and position that is not.
    pub fn check_finite(&self) -> Result<(), VectorsError> {
        // All bits of the exponent are set in NaN and infinity alone: one pass without branches a row.
        const EXPONENT: u32 = 0x7F80_0000;
        for (row, values) in self.rows().enumerate() {
            let some = values.iter().fold(0, |some, x| some | u32::from(x.to_bits() & EXPONENT == EXPONENT));
            if some != 0 {
                let found = values.iter().enumerate().find(|(_, v)| !v.is_finite());
                if let Some((column, &value)) = found {
                    return Err(VectorsError::NotFinite { row, column, value });
                }
            }
        }
        Ok(())
    }
}

/// The Euclidean norm of a row, summed in `f64` so that neither tiny nor huge values vanish.
pub fn norm(row: &[f32]) -> f64 {
    norm_squared(row).sqrt()
}

/// The square of [`norm`]. Sixteen sums run side by side, so that none waits for another.
pub(crate) fn norm_squared(row: &[f32]) -> f64 {
    let (blocks, rest) = row.as_chunks::<16>();
    let mut sums = [0.0f64; 16];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
}

/// Scales a row to length 1 and returns the norm it had; a row of zeros stays and returns 0.
pub fn normalize(row: &mut [f32]) -> f64 {
    let n = norm(row);
    if n > 0.0 {
        let scale = 1.0 / n;
        if scale.is_finite() {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
        } else {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) / n) as f32);
        }
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        assert!(matches!(Vectors::new(vec![1.0], 0), Err(VectorsError::ZeroDimension)));
        assert!(matches!(Vectors::new(vec![1.0; 3], 2), Err(VectorsError::Ragged { len: 3, dim: 2 })));
        let ragged = Vectors::from_rows(&[vec![1.0, 2.0], vec![1.0]]);
        assert!(matches!(ragged, Err(VectorsError::Dimension { row: 1, expected: 2, found: 1 })));
        let v = Vectors::from_rows(&[[1.0, 2.0], [3.0, 4.0]]).unwrap();
        assert_eq!(v.row(1), [3.0, 4.0]);
        assert_eq!(v.rows().count(), 2);
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let data = vec![1.0, 2.0, 3.0, bad, bad, 6.0];
            let err = VectorsView::new(&data, 2).unwrap().check_finite().unwrap_err();
            assert!(matches!(err, VectorsError::NotFinite { row: 1, column: 1, .. }), "{err}");
        }
        let huge = vec![f32::MAX; 64];
        assert!(VectorsView::new(&huge, 64).unwrap().check_finite().is_ok());
    }

    #[test]
    fn norms_survive_extreme_values() {
        for scale in [1e-44_f32, 1e-30, 1.0, 1e30, f32::MAX / 4.0] {
            let mut row = [3.0 * scale.min(f32::MAX / 8.0), 4.0 * scale.min(f32::MAX / 8.0)];
            assert!(normalize(&mut row) > 0.0);
            assert!((norm(&row) - 1.0).abs() < 1e-6, "{scale}: {row:?}");
        }
        let mut zeros = [0.0; 4];
        assert_eq!(normalize(&mut zeros), 0.0);
        assert_eq!(zeros, [0.0; 4]);
    }
}
