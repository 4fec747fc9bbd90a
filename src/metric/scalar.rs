//! The kernels in plain Rust: what every instruction set is compared with.

/// The inner product, summed in `f64`. Rows of unequal length are read up to the shorter.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>() as f32
}

/// The squared Euclidean distance, summed in `f64`. Rows of unequal length are read up to the shorter.
pub fn l2_squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>() as f32
}
