//! The one door for rows and queries: checked, and scaled for the metric.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::error::{IndexError, VectorsError};
use crate::metric::Metric;
use crate::vectors::{Vectors, VectorsView, normalize};

/// Rows ready for the kernels: `(rows, norms)`. For cosine the rows have length 1 and `norms` what
/// they had; for the other metrics the rows are as given and `norms` is empty.
///
/// # Errors
/// [`VectorsError::NotFinite`] and [`VectorsError::ZeroNorm`] name the first such row.
pub(crate) fn prepare(metric: Metric, rows: &Vectors) -> Result<(Cow<'_, Vectors>, Vec<f32>), VectorsError> {
    metric.check(rows.view())?;
    Ok(match metric {
        Metric::Cosine => {
            let (mut out, dim) = (rows.clone(), rows.dim());
            let norms = out.as_mut_slice().par_chunks_exact_mut(dim).map(|row| normalize(row) as f32).collect();
            (Cow::Owned(out), norms)
        }
        Metric::Dot | Metric::L2 => (Cow::Borrowed(rows), Vec::new()),
    })
}

/// A query ready for the kernels.
///
/// # Errors
/// [`IndexError::Query`].
pub(super) fn prepare_query(metric: Metric, dim: usize, query: &[f32]) -> Result<Cow<'_, [f32]>, IndexError> {
    if query.len() != dim {
        return Err(IndexError::Query(VectorsError::Dimension { row: 0, expected: dim, found: query.len() }));
    }
    let view = VectorsView::new(query, dim).map_err(IndexError::Query)?;
    metric.check(view).map_err(IndexError::Query)?;
    Ok(match metric {
        Metric::Cosine => {
            let mut unit = query.to_vec();
            normalize(&mut unit);
            Cow::Owned(unit)
        }
        Metric::Dot | Metric::L2 => Cow::Borrowed(query),
    })
}
