//! Distances between `f32` rows, and the SIMD kernels that compute them.
//!
//! [`Kernels::detect`] picks the widest instruction set that the processor has, once; the scalar
//! functions in [`scalar`] are the oracle that every instruction set is tested against. A distance
//! is "smaller is nearer" for all metrics, a score is "larger is better".
#![allow(unsafe_code)]

use crate::error::VectorsError;
use crate::vectors::{VectorsView, norm};

#[cfg(target_arch = "aarch64")]
mod neon;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

/// How the nearness of two rows is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Cosine distance `1 - cos(a, b)`, from 0 (same direction) to 2. Score: the cosine.
    /// Rows are scaled to length 1 when they are indexed; a row of norm 0 is refused.
    #[default]
    Cosine,
    /// Negative inner product `-(a . b)`. Score: the inner product.
    Dot,
    /// Euclidean distance. Score: its negative.
    L2,
}

impl Metric {
    /// The number that stands for this metric in files.
    pub(crate) fn code(self) -> u32 {
        match self {
            Metric::Cosine => 0,
            Metric::Dot => 1,
            Metric::L2 => 2,
        }
    }

    /// The metric that a number in a file stands for.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Metric::Cosine, Metric::Dot, Metric::L2].into_iter().find(|m| m.code() == code)
    }

    /// The name: `cosine`, `dot` or `l2`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::Dot => "dot",
            Metric::L2 => "l2",
        }
    }

    /// The metric of a name, as [`Metric::name`] gives it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Metric::Cosine, Metric::Dot, Metric::L2].into_iter().find(|m| m.name() == name)
    }

    /// Turns a distance, as searches return it, into a score: larger is better.
    ///
    /// ```
    /// use gyeol::Metric;
    /// assert_eq!(Metric::Cosine.score(0.25), 0.75);
    /// assert_eq!(Metric::Dot.score(-3.0), 3.0);
    /// assert_eq!(Metric::L2.score(2.0), -2.0);
    /// ```
    pub fn score(self, distance: f32) -> f32 {
        match self {
            Metric::Cosine => 1.0 - distance,
            Metric::Dot | Metric::L2 => -distance,
        }
    }

    /// The distance that a walk compares by (`1 - dot`, `-dot`, squared L2) as the public one.
    pub(crate) fn public_distance(self, rank: f32) -> f32 {
        match self {
            Metric::Cosine => rank.max(0.0),
            Metric::Dot => rank,
            Metric::L2 => rank.max(0.0).sqrt(),
        }
    }

    /// Checks rows for this metric: finite values, and for cosine a norm above 0.
    ///
    /// # Errors
    /// [`VectorsError::NotFinite`] or [`VectorsError::ZeroNorm`] naming the first such row.
    pub fn check(self, rows: VectorsView<'_>) -> Result<(), VectorsError> {
        rows.check_finite()?;
        if self == Metric::Cosine
            && let Some(row) = rows.rows().position(|r| norm(r) == 0.0)
        {
            return Err(VectorsError::ZeroNorm { row });
        }
        Ok(())
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// An instruction set that the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// The distance kernels of one instruction set that this processor is known to have.
///
/// A value can only be made by checking the processor, so holding one is the proof that the
/// instructions exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    level: Level,
}

impl Kernels {
    /// The widest instruction set of this processor.
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or(Kernels { level: Level::Scalar })
    }

    /// Every instruction set of this processor, the scalar one first and the widest last.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 {
                levels.push(Level::Avx2);
            }
            if avx2 && is_x86_feature_detected!("avx512f") {
                levels.push(Level::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            levels.push(Level::Neon);
        }
        levels.into_iter().map(|level| Kernels { level }).collect()
    }

    /// The name of the instruction set: `scalar`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.level {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
        }
    }

    /// The inner product of two rows.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            Level::Scalar => scalar::dot(a, b),
            // SAFETY: the level is made only after the processor was found to have AVX2 and FMA,
            // and the lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::dot_avx2(a, b) },
            // SAFETY: as above, for AVX-512F.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::dot_avx512(a, b) },
            // SAFETY: as above, for NEON.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::dot(a, b) },
        }
    }

    /// The squared Euclidean distance of two rows.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn l2_squared(self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "rows of one length");
        match self.level {
            Level::Scalar => scalar::l2_squared(a, b),
            // SAFETY: the level is made only after the processor was found to have AVX2 and FMA,
            // and the lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::l2_squared_avx2(a, b) },
            // SAFETY: as above, for AVX-512F.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::l2_squared_avx512(a, b) },
            // SAFETY: as above, for NEON.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::l2_squared(a, b) },
        }
    }

    /// The rank of two rows that were prepared for the metric (unit length for cosine): `1 - dot`,
    /// `-dot`, or squared L2. Smaller is nearer.
    pub(crate) fn rank(self, metric: Metric, a: &[f32], b: &[f32]) -> f32 {
        match metric {
            Metric::Cosine => 1.0 - self.dot(a, b),
            Metric::Dot => -self.dot(a, b),
            Metric::L2 => self.l2_squared(a, b),
        }
    }

    /// The ranks of one query against the rows `ids` of a row-major matrix, fetching rows ahead
    /// into the cache. `out` is cleared and filled in the order of `ids`.
    ///
    /// # Panics
    /// When an id is outside the matrix.
    pub(crate) fn ranks(self, metric: Metric, query: &[f32], rows: VectorsView<'_>, ids: &[u32], out: &mut Vec<f32>) {
        const AHEAD: usize = 4;
        out.clear();
        for &id in ids.iter().take(AHEAD) {
            prefetch(rows.row(id as usize));
        }
        for (i, &id) in ids.iter().enumerate() {
            if let Some(&next) = ids.get(i + AHEAD) {
                prefetch(rows.row(next as usize));
            }
            out.push(self.rank(metric, query, rows.row(id as usize)));
        }
    }
}

/// Asks the processor to bring a row into the cache; does nothing where that is not known.
fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        // SAFETY: prefetching reads nothing and cannot fault; the pointer is of a live slice.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch(line.as_ptr().cast(), _MM_HINT_T0);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[cfg(test)]
mod tests;
