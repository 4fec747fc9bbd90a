//! The kernels in plain Rust: what every instruction set is compared with. Rows of unequal length
//! are read up to the shorter.

use half::f16;

/// The inner product, summed in `f64`.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>() as f32
}

/// The squared Euclidean distance, summed in `f64`.
pub fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>() as f32
}

/// The inner product with a row of `f16`, given as bits; summed in `f64`.
pub fn dot_f16(a: &[f32], b: &[u16]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f16::from_bits(y).to_f64()).sum::<f64>() as f32
}

/// The squared Euclidean distance to a row of `f16`, given as bits; summed in `f64`.
pub fn l2_squared_f16(a: &[f32], b: &[u16]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f16::from_bits(y).to_f64()).powi(2)).sum::<f64>() as f32
}

/// The inner product of signed codes with a row of codes that has 128 for zero. At most
/// [`MAX_CODE_DIM`](super::MAX_CODE_DIM) codes, or the sum wraps.
pub fn dot_codes(query: &[i8], row: &[u8]) -> i32 {
    query.iter().zip(row).fold(0i32, |sum, (&q, &r)| sum.wrapping_add(i32::from(q) * (i32::from(r) - 128)))
}
