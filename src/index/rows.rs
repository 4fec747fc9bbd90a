//! The full rows of a segment, as they were given or at half the width.

#[cfg(feature = "collection")]
use std::borrow::Cow;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use rayon::prelude::*;

use super::RowStorage;
use super::space::Space;
use crate::error::StoreError;
use crate::metric::{Kernels, Metric, prefetch};
use crate::store::Column;
use crate::vectors::{Vectors, VectorsView, norm_squared};

/// `n x dim` values by place.
#[derive(Debug)]
pub(crate) enum Rows {
    F32(Column<f32>),
    F16(Column<u16>),
    /// Not kept.
    None,
}

impl Rows {
    /// Takes rows in the order of their places.
    pub fn new(storage: RowStorage, rows: Vectors) -> Self {
        match storage {
            RowStorage::Codes => Rows::None,
            RowStorage::F32 => Rows::F32(Column::owned(rows.into_vec())),
            RowStorage::F16 => {
                let mut out = vec![0u16; rows.as_slice().len()];
                let blocks = out.par_chunks_mut(1 << 16).zip(rows.as_slice().par_chunks(1 << 16));
                blocks.for_each(|(out, values)| out.reinterpret_cast_mut::<f16>().convert_from_f32_slice(values));
                Rows::F16(Column::owned(out))
            }
        }
    }

    /// How the values are stored.
    pub fn storage(&self) -> RowStorage {
        match self {
            Rows::F32(_) => RowStorage::F32,
            Rows::F16(_) => RowStorage::F16,
            Rows::None => RowStorage::Codes,
        }
    }

    /// The bytes as a file has them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Rows::F32(values) => bytemuck::cast_slice(values),
            Rows::F16(values) => bytemuck::cast_slice(values),
            Rows::None => &[],
        }
    }

    /// Compares the blocks that hold a place with their checksums, those not yet compared.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the block that does not hold.
    #[inline]
    pub fn check(&self, dim: usize, place: u32) -> Result<(), StoreError> {
        match self {
            Rows::F32(values) => values.check(place as usize * dim, dim),
            Rows::F16(values) => values.check(place as usize * dim, dim),
            Rows::None => Ok(()),
        }
    }

    /// [`Rows::check`] of every place.
    ///
    /// # Errors
    /// As [`Rows::check`].
    pub fn check_all(&self) -> Result<(), StoreError> {
        match self {
            Rows::F32(values) => values.check_all(),
            Rows::F16(values) => values.check_all(),
            Rows::None => Ok(()),
        }
    }

    /// The values of a place, if they are kept.
    #[cfg(feature = "collection")]
    pub fn get(&self, dim: usize, place: u32) -> Option<Cow<'_, [f32]>> {
        let range = place as usize * dim..(place as usize + 1) * dim;
        let wide = |bits: &u16| f16::from_bits(*bits).to_f32();
        match self {
            Rows::F32(values) => Some(Cow::Borrowed(&values[range])),
            Rows::F16(values) => Some(Cow::Owned(values[range].iter().map(wide).collect())),
            Rows::None => None,
        }
    }

    /// What comparisons need, resolved once for many; if rows are kept.
    pub fn view(&self, dim: usize, metric: Metric, kernels: Kernels) -> Option<RowsView<'_>> {
        let values = match self {
            Rows::F32(values) => Values::F32(values),
            Rows::F16(values) => Values::F16(values),
            Rows::None => return None,
        };
        Some(RowsView { values, dim, metric, kernels })
    }
}

#[derive(Clone, Copy)]
enum Values<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
}

/// Full rows, borrowed to compare with.
#[derive(Clone, Copy)]
pub(crate) struct RowsView<'a> {
    values: Values<'a>,
    dim: usize,
    metric: Metric,
    kernels: Kernels,
}

impl<'a> RowsView<'a> {
    /// Rows that are not a segment's.
    pub fn of(rows: VectorsView<'a>, metric: Metric, kernels: Kernels) -> Self {
        RowsView { values: Values::F32(rows.as_slice()), dim: rows.dim(), metric, kernels }
    }

    /// What compares them.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// How nearness is measured.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The greatest length of a row where the metric makes use of it, the inner product; else 0.
    pub fn longest(&self) -> f32 {
        if self.metric != Metric::Dot {
            return 0.0;
        }
        let length = |row: &mut Vec<f32>, place: usize| {
            self.row_as_query(place as u32, row);
            norm_squared(row).sqrt() as f32
        };
        (0..self.len()).into_par_iter().map_init(Vec::new, length).reduce(|| 0.0, f32::max)
    }

    /// The rank of a prepared query against one row.
    #[inline]
    pub fn rank(&self, query: &[f32], place: u32) -> f32 {
        let range = self.range(place);
        match self.values {
            Values::F32(values) => self.kernels.rank(self.metric, query, &values[range]),
            Values::F16(values) => self.kernels.rank_f16(self.metric, query, &values[range]),
        }
    }

    /// Fetches a row into the cache.
    #[inline]
    pub fn prefetch(&self, place: u32) {
        let range = self.range(place);
        match self.values {
            Values::F32(values) => prefetch(&values[range]),
            Values::F16(values) => prefetch(&values[range]),
        }
    }

    fn range(&self, place: u32) -> std::ops::Range<usize> {
        place as usize * self.dim..(place as usize + 1) * self.dim
    }
}

impl Space for RowsView<'_> {
    type Query = Vec<f32>;

    fn len(&self) -> usize {
        match self.values {
            Values::F32(values) => values.len() / self.dim,
            Values::F16(values) => values.len() / self.dim,
        }
    }

    fn row_as_query(&self, row: u32, out: &mut Vec<f32>) {
        out.clear();
        let range = self.range(row);
        match self.values {
            Values::F32(values) => out.extend_from_slice(&values[range]),
            Values::F16(values) => out.extend(values[range].iter().map(|&bits| f16::from_bits(bits).to_f32())),
        }
    }

    fn ranks(&self, query: &mut Vec<f32>, ids: &[u32], mut each: impl FnMut(usize, f32)) {
        const AHEAD: usize = 4;
        ids.iter().take(AHEAD).for_each(|&id| self.prefetch(id));
        for (place, &id) in ids.iter().enumerate() {
            if let Some(&next) = ids.get(place + AHEAD) {
                self.prefetch(next);
            }
            each(place, self.rank(query, id));
        }
    }

    fn any_within(&self, row: u32, ids: &[u32], rank: f32) -> bool {
        let mut query = Vec::new();
        self.row_as_query(row, &mut query);
        ids.iter().any(|&id| self.rank(&query, id) <= rank)
    }
}
