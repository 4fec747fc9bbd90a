//! What is done to each value of a matrix: biases, GELU, softmax, layer norms, all in place.
//!
//! These loops take as long as the matrix products where they call the C library for each value, so
//! `exp` is a polynomial that the compiler turns into vector instructions.

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, bail};

/// Sums and maxima are kept in so many lanes, so that the compiler may use vectors: it must not
/// change the order of additions by itself.
const LANES: usize = 16;

/// e^x for x <= 0, within 2 units in the last place, and at least 2^-126. NaN stays NaN.
#[inline(always)]
fn exp_negative(x: f32) -> f32 {
    /// 1.5 x 2^23: adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Not `max`, which would make a number of NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, of which the first has few bits, so that its product is exact.
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    // e^r by its series: |r| <= ln 2 / 2, where the first term left out is under 2e-8.
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = (series * r + 1.0) * r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    series * power
}

/// x / 2 x (1 + erf(x / sqrt 2)), with erf by formula 7.1.26 of Abramowitz and Stegun, which is
/// within 1.5e-7.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = 1.061_405_4;
    let series = series * t - 1.453_152;
    let series = series * t + 1.421_413_7;
    let series = series * t - 0.284_496_74;
    let series = (series * t + 0.254_829_6) * t;
    let rest = series * exp_negative(-z * z);
    let erf = if x < 0.0 { rest - 1.0 } else { 1.0 - rest };
    0.5 * x * (1.0 + erf)
}

fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b))
}

/// Scores to weights that add up to 1.
fn softmax(row: &mut [f32]) {
    let top = largest(row);
    for value in row.iter_mut() {
        *value = exp_negative(*value - top);
    }
    let scale = 1.0 / sum(row);
    for value in row {
        *value *= scale;
    }
}

/// A layer norm's scale and shift, and what it adds to the variance.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    /// Norms one row.
    pub fn apply(&self, row: &mut [f32]) {
        let n = row.len() as f32;
        let mean = sum(row) / n;
        for value in row.iter_mut() {
            *value -= mean;
        }
        let (chunks, rest) = row.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += value * value;
            }
        }
        let squares = lanes.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>();
        let inverse = 1.0 / (squares / n + self.epsilon).sqrt();
        for ((value, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
            *value = *value * inverse * scale + shift;
        }
    }
}

/// Adds a bias to each row.
pub(super) struct AddBias<'a>(pub &'a [f32]);

/// Adds a bias to each row, and takes GELU of it.
pub(super) struct AddBiasGelu<'a>(pub &'a [f32]);

/// Softmax of each row.
pub(super) struct Softmax;

/// Adds a bias and the rows of another matrix, and norms each row.
pub(super) struct AddNorm<'a> {
    pub bias: &'a [f32],
    pub norm: &'a Norm,
}

impl InplaceOp1 for AddBias<'_> {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for row in rows_mut(storage, layout, self.0.len())? {
            for (value, bias) in row.iter_mut().zip(self.0) {
                *value += bias;
            }
        }
        Ok(())
    }
}

impl InplaceOp1 for AddBiasGelu<'_> {
    fn name(&self) -> &'static str {
        "add-bias-gelu"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for row in rows_mut(storage, layout, self.0.len())? {
            for (value, bias) in row.iter_mut().zip(self.0) {
                *value = gelu(*value + bias);
            }
        }
        Ok(())
    }
}

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let width = layout.dims().last().copied().unwrap_or(0);
        rows_mut(storage, layout, width)?.for_each(softmax);
        Ok(())
    }
}

impl InplaceOp2 for AddNorm<'_> {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(&self, to: &mut CpuStorage, to_layout: &Layout, from: &CpuStorage, layout: &Layout) -> Result<()> {
        let width = self.bias.len();
        let Some((start, end)) = layout.contiguous_offsets() else { bail!("rows that are not contiguous") };
        let other = &from.as_slice::<f32>()?[start..end];
        for (row, other) in rows_mut(to, to_layout, width)?.zip(other.chunks_exact(width)) {
            for ((value, bias), other) in row.iter_mut().zip(self.bias).zip(other) {
                *value += bias + other;
            }
            self.norm.apply(row);
        }
        Ok(())
    }
}

/// The rows of a contiguous matrix.
fn rows_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
    width: usize,
) -> Result<std::slice::ChunksExactMut<'a, f32>> {
    let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
        bail!("a matrix that is not contiguous, or not of f32")
    };
    if width == 0 || layout.dims().last() != Some(&width) {
        bail!("rows of {:?} where {width} values are expected", layout.dims())
    }
    Ok(values[start..end].chunks_exact_mut(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_units() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let (ours, truth) = (f64::from(exp_negative(x)), f64::from(x).exp());
            assert!((ours - truth).abs() <= 2.5e-7 * truth, "e^{x} is {truth}, not {ours}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert!(exp_negative(f32::NEG_INFINITY) < 2e-38 && exp_negative(f32::NAN).is_nan());
    }

    #[test]
    fn gelu_is_that_of_the_reference() {
        // From the C library's erf, in double precision.
        let known = [
            (-6.0, -5.919_525_9e-9),
            (-2.0, -0.045_500_264),
            (-0.5, -0.154_268_77),
            (0.0, 0.0),
            (0.25, 0.149_676_58),
            (1.0, 0.841_344_8),
            (3.0, 2.995_950_3),
            (20.0, 20.0),
        ];
        for (x, truth) in known {
            assert!((gelu(x) - truth).abs() < 5e-7, "gelu({x}) is {truth}, not {}", gelu(x));
        }
        assert!(gelu(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_and_norm_are_those_of_the_definition() {
        for n in [1usize, 7, 16, 37] {
            let row: Vec<f32> = (0..n).map(|i| ((i * 37) % 11) as f32 * 0.7 - 3.0).collect();
            let wide = || row.iter().map(|v| f64::from(*v));
            let mut ours = row.clone();
            softmax(&mut ours);
            let total: f64 = wide().map(f64::exp).sum();
            for (ours, truth) in ours.iter().zip(wide().map(|v| v.exp() / total)) {
                assert!((f64::from(*ours) - truth).abs() < 1e-6);
            }
            let norm = Norm { scale: vec![2.0; n], shift: vec![0.5; n], epsilon: 1e-3 };
            let mut ours = row.clone();
            norm.apply(&mut ours);
            let mean = wide().sum::<f64>() / n as f64;
            let variance = wide().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
            for (ours, truth) in ours.iter().zip(wide().map(|v| (v - mean) / (variance + 1e-3).sqrt() * 2.0 + 0.5)) {
                assert!((f64::from(*ours) - truth).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_score_that_is_no_number_is_not_hidden() {
        let mut row = [1.0, f32::NAN, 2.0];
        softmax(&mut row);
        assert!(row.iter().all(|v| v.is_nan()));
    }
}
