//! Views of ndarray's matrices as rows, without a copy.

use ndarray::{ArrayView2, ShapeError};

use super::{Vectors, VectorsView};
use crate::error::VectorsError;

impl<'a> TryFrom<ArrayView2<'a, f32>> for VectorsView<'a> {
    type Error = VectorsError;

    /// Takes a matrix `n x dim` whose rows stand one after the other, as those of ndarray do by default.
    ///
    /// # Errors
    /// [`VectorsError::NotContiguous`] for one that is transposed or sliced otherwise, and as [`VectorsView::new`].
    ///
    /// ```
    /// use gyeol::VectorsView;
    /// let array = ndarray::array![[1.0, 2.0], [3.0, 4.0]];
    /// assert_eq!(VectorsView::try_from(array.view())?.row(1), [3.0, 4.0]);
    /// assert!(VectorsView::try_from(array.t()).is_err());
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    fn try_from(array: ArrayView2<'a, f32>) -> Result<Self, VectorsError> {
        let dim = array.ncols();
        VectorsView::new(array.to_slice().ok_or(VectorsError::NotContiguous)?, dim)
    }
}

impl TryFrom<Vectors> for ndarray::Array2<f32> {
    type Error = ShapeError;

    /// The same values as an array `n x dim`, without a copy.
    fn try_from(vectors: Vectors) -> Result<Self, ShapeError> {
        let shape = (vectors.len(), vectors.dim());
        ndarray::Array2::from_shape_vec(shape, vectors.into_vec())
    }
}
