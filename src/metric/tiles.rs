//! What k-means asks of a processor: many rows against a panel of centroids by 8-bit codes, the codes
//! themselves, and sums that do not depend on the order of what is summed.
#![allow(unsafe_code)]

use super::Kernels;
use super::kernels::Level;
use super::panels::{PANEL, TILE};
#[cfg(target_arch = "x86_64")]
use super::x86;

/// Codes that stand together in a panel, and whose multiple a row of codes is long.
pub(crate) const CODES_TOGETHER: usize = 4;
/// Sums that run side by side, so that none waits for another.
const LANES: usize = 16;
/// The largest magnitude of a code.
const LEVELS: f32 = 127.0;

/// A row in signed 8-bit codes: `value = scale * code`, about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodeRow<'a> {
    /// From -127 to 127, zeros up to a multiple of [`CODES_TOGETHER`].
    pub codes: &'a [i8],
    pub scale: f32,
    /// 128 times the sum of the codes.
    pub zero: i32,
}

/// Up to [`PANEL`] centroids in codes that have 128 for zero: for each [`CODES_TOGETHER`] columns, the
/// centroids side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodePanel<'a> {
    pub codes: &'a [u8],
    pub scales: &'a [f32; PANEL],
    /// What is added to each centroid's products.
    pub bias: &'a [f32; PANEL],
}

/// What [`Kernels::encode_row`] tells of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Coded {
    pub scale: f32,
    pub zero: i32,
    /// The length of the centred row, and of what its codes lose.
    pub norm: f32,
    pub error: f32,
}

impl Kernels {
    /// Whether products of 8-bit codes are several times as fast as those of numbers.
    pub(crate) fn has_fast_codes(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.level == Level::Avx512Vnni {
            return true;
        }
        false
    }

    /// Products and bias of up to [`TILE`] rows with the centroids of a panel, and the largest of each
    /// row. What is left of `out` and `most` is undefined.
    ///
    /// # Panics
    /// When there is no row, there are more than [`TILE`], or one is not as long as the panel has columns.
    pub(crate) fn code_tile(
        self,
        rows: &[CodeRow<'_>],
        panel: CodePanel<'_>,
        out: &mut [[f32; PANEL]; TILE],
        most: &mut [f32; TILE],
    ) {
        let long = |row: &CodeRow<'_>| row.codes.len() * PANEL == panel.codes.len();
        assert!((1..=TILE).contains(&rows.len()) && rows.iter().all(long), "rows of the panel's length");
        assert!(panel.codes.len().is_multiple_of(CODES_TOGETHER * PANEL), "whole groups of codes");
        match self.level {
            // SAFETY: the level is made only after the processor was found to have AVX-512F, BW, VL and
            // VNNI; lengths by the checks above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => unsafe { x86::tiles::code_tile_vnni(rows, panel, out, most) },
            _ => code_tile(rows, panel, out, most),
        }
    }

    /// Codes a row less the mean; `centred` and `codes` are written, the latter with zeros at its end.
    /// An empty mean is one of zeros.
    ///
    /// # Panics
    /// When the lengths differ, or there are fewer codes than values.
    pub(crate) fn encode_row(self, row: &[f32], mean: &[f32], centred: &mut [f32], codes: &mut [i8]) -> Coded {
        assert!(
            row.len() == centred.len() && row.len() == mean.len() && row.len() <= codes.len(),
            "rows of one length"
        );
        match self.level {
            // SAFETY: as in `code_tile`, for AVX-512F, BW and VL.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::tiles::encode_avx512(row, mean, centred, codes) },
            // SAFETY: as above, for AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::tiles::encode_avx2(row, mean, centred, codes) },
            _ => encode(row, mean, centred, codes),
        }
    }

    /// Adds a row, rounded to the grid and times `sign`, to a sum; see [`Grid`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub(crate) fn add_on_grid(self, sum: &mut [f64], row: &[f32], grid: Grid, sign: f64) {
        assert_eq!(sum.len(), row.len(), "rows of one length");
        match self.level {
            // SAFETY: as in `encode_row`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::tiles::add_avx512(sum, row, grid, sign) },
            // SAFETY: as in `encode_row`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::tiles::add_avx2(sum, row, grid, sign) },
            _ => add_on_grid(sum, row, grid, sign),
        }
    }

    /// The largest magnitude among some values, as bits: those of NaN and of infinity are above all others.
    pub(crate) fn largest_bits(self, values: &[f32]) -> u32 {
        match self.level {
            // SAFETY: as in `encode_row`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vnni => unsafe { x86::tiles::largest_avx512(values) },
            // SAFETY: as in `encode_row`.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::tiles::largest_avx2(values) },
            _ => largest_bits(values),
        }
    }
}

/// A grid of numbers on which sums are exact, so that neither the order of what is summed matters nor
/// whether something was added and taken away again.
///
/// Sums of `f64` are exact while all terms are multiples of one unit and no sum needs more than 53
/// bits of it. Adding and taking away `1.5 * 2^52` units rounds a number to the grid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    magic: f64,
}

impl Grid {
    /// For sums of up to `terms` numbers of up to this magnitude.
    pub fn new(terms: usize, largest: f32) -> Self {
        let bits = |x: f64| x.max(f64::MIN_POSITIVE).log2().ceil() as i32;
        let unit = (bits(f64::from(largest)) + bits(terms.max(1) as f64) - 52).max(-1000);
        Grid { magic: 1.5 * 2f64.powi(52 + unit) }
    }

    /// A number of the grid near this one.
    #[inline(always)]
    pub fn round(self, x: f64) -> f64 {
        (x + self.magic) - self.magic
    }
}

/// [`Kernels::code_tile`] in plain Rust.
pub(super) fn code_tile(
    rows: &[CodeRow<'_>],
    panel: CodePanel<'_>,
    out: &mut [[f32; PANEL]; TILE],
    most: &mut [f32; TILE],
) {
    for ((row, out), most) in rows.iter().zip(out).zip(most) {
        let mut sums = [0i32; PANEL];
        let lines = panel.codes.chunks_exact(CODES_TOGETHER * PANEL);
        for (four, line) in row.codes.chunks_exact(CODES_TOGETHER).zip(lines) {
            for (sum, codes) in sums.iter_mut().zip(line.chunks_exact(CODES_TOGETHER)) {
                *sum += four.iter().zip(codes).map(|(&q, &c)| i32::from(q) * i32::from(c)).sum::<i32>();
            }
        }
        *most = f32::NEG_INFINITY;
        for (place, out) in out.iter_mut().enumerate() {
            let product = (sums[place] - row.zero) as f32;
            *out = product * (panel.scales[place] * row.scale) + panel.bias[place];
            *most = most.max(*out);
        }
    }
}

/// [`Kernels::encode_row`] in plain Rust. The compiler makes vectors of it.
#[inline(always)]
pub(super) fn encode(row: &[f32], mean: &[f32], centred: &mut [f32], codes: &mut [i8]) -> Coded {
    for ((c, &x), &m) in centred.iter_mut().zip(row).zip(mean) {
        *c = x - m;
    }
    let scale = f32::from_bits(largest_bits(centred)) / LEVELS;
    let inverse = 1.0 / scale;
    let inverse = if inverse.is_finite() { inverse } else { 0.0 };
    let (mut norms, mut errors) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (blocks, rest) = centred.as_chunks::<LANES>();
    let (places, places_rest) = codes.split_at_mut(blocks.len() * LANES);
    let (places, _) = places.as_chunks_mut::<LANES>();
    let mut sum = 0i32;
    for (block, places) in blocks.iter().zip(places) {
        for lane in 0..LANES {
            let code = code(block[lane], inverse);
            places[lane] = code as i8;
            sum += code;
            let lost = block[lane] - scale * code as f32;
            norms[lane] += block[lane] * block[lane];
            errors[lane] += lost * lost;
        }
    }
    for (i, &x) in rest.iter().enumerate() {
        let code = code(x, inverse);
        places_rest[i] = code as i8;
        sum += code;
        let lost = x - scale * code as f32;
        norms[i] += x * x;
        errors[i] += lost * lost;
    }
    places_rest[rest.len()..].fill(0);
    let root = |sums: [f32; LANES]| sums.iter().sum::<f32>().sqrt();
    Coded { scale, zero: 128 * sum, norm: root(norms), error: root(errors) }
}

/// From -127 to 127, rounded to even: adding 1.5 * 2^23 leaves the integer in the low bits.
#[inline(always)]
fn code(x: f32, inverse: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    (x * inverse + SHIFT).to_bits() as i32 - SHIFT.to_bits() as i32
}

/// [`Kernels::add_on_grid`] in plain Rust.
#[inline(always)]
pub(super) fn add_on_grid(sum: &mut [f64], row: &[f32], grid: Grid, sign: f64) {
    sum.iter_mut().zip(row).for_each(|(s, &x)| *s += sign * grid.round(f64::from(x)));
}

/// [`Kernels::largest_bits`] in plain Rust.
#[inline(always)]
pub(super) fn largest_bits(values: &[f32]) -> u32 {
    values.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed | 1;
        move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
        }
    }

    proptest! {
        #[test]
        fn tiles_equal_the_oracle(dim in 1usize..200, rows in 1usize..=TILE, seed in any::<u64>()) {
            let mut next = noise(seed);
            let long = dim.next_multiple_of(CODES_TOGETHER);
            let codes: Vec<Vec<i8>> = (0..rows).map(|_| (0..long).map(|_| (next() * 127.0) as i8).collect()).collect();
            let given: Vec<CodeRow<'_>> = codes
                .iter()
                .map(|codes| CodeRow { codes, scale: 0.01, zero: 128 * codes.iter().map(|&c| i32::from(c)).sum::<i32>() })
                .collect();
            let panel: Vec<u8> = (0..long * PANEL).map(|_| (next() * 127.0 + 128.0) as u8).collect();
            let (scales, bias): ([f32; PANEL], [f32; PANEL]) = (std::array::from_fn(|_| next()), std::array::from_fn(|_| next()));
            let panel = CodePanel { codes: &panel, scales: &scales, bias: &bias };
            let (mut want, mut want_most) = ([[0.0; PANEL]; TILE], [0.0; TILE]);
            code_tile(&given, panel, &mut want, &mut want_most);
            for kernels in Kernels::available() {
                let (mut out, mut most) = ([[f32::NAN; PANEL]; TILE], [f32::NAN; TILE]);
                kernels.code_tile(&given, panel, &mut out, &mut most);
                for i in 0..rows {
                    for j in 0..PANEL {
                        prop_assert!((out[i][j] - want[i][j]).abs() <= 1e-6 * (1.0 + want[i][j].abs()), "{} {} {}", kernels.name(), out[i][j], want[i][j]);
                    }
                    prop_assert_eq!(most[i], out[i].iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b)));
                }
            }
        }

        #[test]
        fn codes_are_near_their_rows(dim in 1usize..200, seed in any::<u64>()) {
            let mut next = noise(seed);
            let row: Vec<f32> = (0..dim).map(|_| next()).collect();
            let mean: Vec<f32> = (0..dim).map(|_| next()).collect();
            for kernels in Kernels::available() {
                let (mut centred, mut codes) = (vec![0.0; dim], vec![1i8; dim.next_multiple_of(CODES_TOGETHER)]);
                let coded = kernels.encode_row(&row, &mean, &mut centred, &mut codes);
                let lost: f64 = (0..dim).map(|i| (f64::from(row[i] - mean[i]) - f64::from(coded.scale * f32::from(codes[i]))).powi(2)).sum();
                let norm: f64 = (0..dim).map(|i| f64::from(row[i] - mean[i]).powi(2)).sum();
                prop_assert!((f64::from(coded.error) - lost.sqrt()).abs() <= 1e-5 * norm.sqrt());
                prop_assert!((f64::from(coded.norm) - norm.sqrt()).abs() <= 1e-5 * norm.sqrt());
                prop_assert!(coded.error <= coded.scale * (dim as f32).sqrt() * 0.501);
                prop_assert_eq!(coded.zero, 128 * codes.iter().map(|&c| i32::from(c)).sum::<i32>());
                prop_assert!(codes[dim..].iter().all(|&c| c == 0));
            }
        }

        #[test]
        fn sums_on_a_grid_do_not_depend_on_their_order(seed in any::<u64>(), n in 1usize..200, large in -30i32..30) {
            let mut next = noise(seed);
            let rows: Vec<[f32; 3]> = (0..n).map(|_| std::array::from_fn(|_| next() * 2f32.powi(large))).collect();
            let largest = rows.iter().flatten().fold(0.0f32, |most, x| most.max(x.abs()));
            let grid = Grid::new(n + 1, largest);
            for kernels in Kernels::available() {
                let sum = |order: &mut dyn Iterator<Item = &[f32; 3]>| {
                    let mut sum = [0.0; 3];
                    order.for_each(|row| kernels.add_on_grid(&mut sum, row, grid, 1.0));
                    sum
                };
                let (forward, mut backward) = (sum(&mut rows.iter()), sum(&mut rows.iter().rev()));
                prop_assert_eq!(forward, backward);
                let exact: f64 = rows.iter().map(|row| f64::from(row[0])).sum();
                prop_assert!((forward[0] - exact).abs() <= 1e-9 * f64::from(largest) * n as f64);
                rows.iter().for_each(|row| kernels.add_on_grid(&mut backward, row, grid, -1.0));
                prop_assert_eq!(backward, [0.0; 3]);
                let all: Vec<f32> = rows.concat();
                prop_assert_eq!(kernels.largest_bits(&all), largest.to_bits());
            }
        }
    }

    #[test]
    fn a_row_of_zeros_has_codes_of_zeros() {
        let (mut centred, mut codes) = ([0.0; 3], [1i8; 4]);
        let coded = Kernels::detect().encode_row(&[2.0; 3], &[2.0; 3], &mut centred, &mut codes);
        assert_eq!((coded, codes), (Coded::default(), [0; 4]));
    }
}
