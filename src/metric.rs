//! Distances between rows, and the SIMD kernels that compute them.
//!
//! [`Kernels::detect`] picks the widest instruction set that the processor has, once; the scalar
//! functions in [`scalar`] are the oracle that every instruction set is tested against. A distance
//! is "smaller is nearer" for all metrics, a score is "larger is better".

use crate::error::VectorsError;
use crate::vectors::{VectorsView, norm};

pub(crate) mod encode;
#[cfg(feature = "cluster")]
pub(crate) mod gram;
mod kernels;
pub(crate) mod lookup;
#[cfg(target_arch = "aarch64")]
mod neon;
pub(crate) mod panels;
pub mod scalar;
pub(crate) mod tiles;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use kernels::prefetch;
pub use kernels::{Kernels, MAX_CODE_DIM, QueryCodes};

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

#[cfg(test)]
mod tests;
