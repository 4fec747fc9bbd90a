//! Every instruction set of this machine against the scalar oracle.

use proptest::prelude::*;

use super::*;

/// Summation in `f32` strays from the oracle's `f64` by at most this, relative to the sum of the
/// terms' magnitudes: half an ulp an addition, with at most n / 16 + 6 additions in a row.
fn tolerance(n: usize, magnitude: f64) -> f64 {
    (n as f64 / 16.0 + 8.0) * f64::from(f32::EPSILON) * magnitude + 1e-30
}

fn compare(kernels: Kernels, a: &[f32], b: &[f32]) {
    let dot_magnitude = a.iter().zip(b).map(|(x, y)| f64::from(x * y).abs()).sum();
    let dot_error = f64::from(kernels.dot(a, b)) - f64::from(scalar::dot(a, b));
    assert!(
        dot_error.abs() <= tolerance(a.len(), dot_magnitude),
        "{} dot n={} off by {dot_error}",
        kernels.name(),
        a.len()
    );
    let want = f64::from(scalar::l2_squared(a, b));
    let l2_error = f64::from(kernels.l2_squared(a, b)) - want;
    assert!(l2_error.abs() <= 2.0 * tolerance(a.len(), want), "{} l2 n={} off by {l2_error}", kernels.name(), a.len());
}

/// Codes are summed in integers: every instruction set gives just what the oracle does.
fn compare_codes(kernels: Kernels, query: &QueryCodes, rows: [&[u8]; 4]) {
    let want = rows.map(|row| scalar::dot_codes(query.values(), row));
    assert_eq!(kernels.dot_codes(query, rows), want, "{} n={}", kernels.name(), rows[0].len());
    let as_row: Vec<u8> = query.values().iter().map(|&q| q as u8 ^ 128).collect();
    assert_eq!(kernels.dot_rows(&as_row, rows), want, "{} rows n={}", kernels.name(), rows[0].len());
}

fn compare_f16(kernels: Kernels, a: &[f32], b: &[u16]) {
    let wide = |bits: &u16| half::f16::from_bits(*bits).to_f64();
    let dot_magnitude = a.iter().zip(b).map(|(x, y)| (f64::from(*x) * wide(y)).abs()).sum();
    let dot_error = f64::from(kernels.dot_f16(a, b)) - f64::from(scalar::dot_f16(a, b));
    assert!(dot_error.abs() <= tolerance(a.len(), dot_magnitude), "{} dot n={}", kernels.name(), a.len());
    let want = f64::from(scalar::l2_squared_f16(a, b));
    let l2_error = f64::from(kernels.l2_squared_f16(a, b)) - want;
    assert!(l2_error.abs() <= 2.0 * tolerance(a.len(), want), "{} l2 n={}", kernels.name(), a.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn kernels_equal_the_oracle(n in 1usize..4098, start_a in 0usize..17, start_b in 0usize..17, seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
        };
        // Values beyond the rows are poison: a kernel that reads past an end gives NaN.
        let mut a = vec![f32::NAN; n + 64];
        let mut b = vec![f32::NAN; n + 64];
        a[start_a..start_a + n].iter_mut().for_each(|x| *x = next());
        b[start_b..start_b + n].iter_mut().for_each(|x| *x = next());
        for kernels in Kernels::available() {
            compare(kernels, &a[start_a..start_a + n], &b[start_b..start_b + n]);
        }
        let half: Vec<u16> = b.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        for kernels in Kernels::available() {
            compare_f16(kernels, &a[start_a..start_a + n], &half[start_b..start_b + n]);
        }
    }

    #[test]
    fn codes_equal_the_oracle(n in 1usize..4098, start in 0usize..67, seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        let query = QueryCodes::new((0..n).map(|_| next() as i8).collect());
        let bytes: Vec<u8> = (0..start + 4 * n).map(|_| next()).collect();
        let rows = [0, 1, 2, 3].map(|i| &bytes[start + i * n..start + (i + 1) * n]);
        for kernels in Kernels::available() {
            compare_codes(kernels, &query, rows);
            // The rows of a matrix by number, with a stride, in any order and number.
            let stride = n + start;
            let matrix: Vec<u8> = (0..7 * stride).map(|i| bytes[i % bytes.len()]).collect();
            for ids in [&[][..], &[6], &[3, 3, 0], &[0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1, 0]] {
                let mut dots = vec![7; 3];
                kernels.dots(&query, &matrix, stride, ids, &mut dots);
                let row = |id: &u32| &matrix[*id as usize * stride..*id as usize * stride + n];
                let want: Vec<i32> = ids.iter().map(|id| scalar::dot_codes(query.values(), row(id))).collect();
                assert_eq!(dots, want, "{} n={n} {ids:?}", kernels.name());
            }
        }
    }
}

/// The largest sums of all: nothing overflows on the way.
#[test]
fn extreme_codes_do_not_overflow() {
    for value in [127i8, -127] {
        let query = QueryCodes::new(vec![value; MAX_CODE_DIM]);
        let (least, most) = (vec![0u8; MAX_CODE_DIM], vec![255u8; MAX_CODE_DIM]);
        for kernels in Kernels::available() {
            let [low, high, ..] = kernels.dot_codes(&query, [&least, &most, &least, &most]);
            let times = |code: i32| i32::from(value) * code * MAX_CODE_DIM as i32;
            assert_eq!([low, high], [times(-128), times(127)], "{}", kernels.name());
        }
    }
}

#[test]
fn every_short_length_and_tail() {
    for n in 0..200 {
        let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.91).cos()).collect();
        Kernels::available().into_iter().for_each(|k| compare(k, &a, &b));
        let half: Vec<u16> = b.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        Kernels::available().into_iter().for_each(|k| compare_f16(k, &a, &half));
    }
}

#[test]
fn distances_are_symmetric_to_the_bit() {
    let a: Vec<f32> = (0..301).map(|i| (i as f32 * 0.37).sin()).collect();
    let b: Vec<f32> = (0..301).map(|i| (i as f32 * 0.91).cos()).collect();
    for k in Kernels::available() {
        assert_eq!(k.dot(&a, &b).to_bits(), k.dot(&b, &a).to_bits());
        assert_eq!(k.l2_squared(&a, &b).to_bits(), k.l2_squared(&b, &a).to_bits());
    }
}

#[test]
fn the_widest_set_is_detected() {
    assert_eq!(Kernels::available().last(), Some(&Kernels::detect()));
    assert_eq!(Kernels::available()[0].name(), "scalar");
}

#[test]
fn names_and_codes_come_back() {
    for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
        assert_eq!(Metric::from_name(metric.name()), Some(metric));
        assert_eq!(Metric::from_code(metric.code()), Some(metric));
    }
    assert_eq!(Metric::from_code(3), None);
    assert_eq!(Metric::from_name("euclid"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lookups_equal_the_oracle(codes in 1usize..200, blocks in 0usize..4, floor in 0u16..5000, seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 40
        };
        let values: Vec<f32> = (0..codes * 16).map(|_| next() as f32 / 1e7 - 0.5).collect();
        let mut tables = lookup::Tables::default();
        tables.fill(encode::Book { width: 1, values: &values }, &vec![1.0; codes], 0.0);
        let size = lookup::block_bytes(codes);
        let mut bytes = vec![0; blocks * size];
        let rows: Vec<Vec<u8>> =
            (0..blocks * lookup::BLOCK_ROWS).map(|_| (0..codes).map(|_| next() as u8 % 16).collect()).collect();
        for (i, row) in rows.iter().enumerate() {
            let block = i / lookup::BLOCK_ROWS * size;
            lookup::write_codes(&mut bytes[block..block + size], i % lookup::BLOCK_ROWS, row);
        }
        let want: Vec<(usize, u16)> = (0..rows.len())
            .map(|i| (i, lookup::sums(&tables, &bytes[i / 32 * size..(i / 32 + 1) * size])[i % 32]))
            .filter(|(_, sum)| *sum >= floor)
            .collect();
        for kernels in Kernels::available() {
            let mut found = Vec::new();
            kernels.scan(&tables, &bytes, floor, |row, sum| found.push((row, sum)));
            assert_eq!(found, want, "{}", kernels.name());
        }
    }

    #[test]
    fn panels_equal_the_oracle(dim in 1usize..300, n in 1usize..200, rows in 1usize..=panels::TILE, seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
        };
        let packed: Vec<Vec<f32>> = (0..n).map(|_| (0..dim).map(|_| next()).collect()).collect();
        let given: Vec<Vec<f32>> = (0..rows).map(|_| (0..dim).map(|_| next()).collect()).collect();
        let given: Vec<&[f32]> = given.iter().map(Vec::as_slice).collect();
        let panels = panels::Panels::new(dim, packed.iter().map(Vec::as_slice));
        for kernels in Kernels::available() {
            for panel in 0..panels.panels() {
                let mut out = [[f32::NAN; panels::PANEL]; panels::TILE];
                kernels.products(&given, panels.panel(panel), &mut out);
                for (i, row) in given.iter().enumerate() {
                    for (j, other) in packed.iter().skip(panel * panels::PANEL).take(panels::PANEL).enumerate() {
                        let off = f64::from(out[i][j]) - f64::from(scalar::dot(row, other));
                        assert!(off.abs() <= dim as f64 * 1e-6, "{} {dim} off by {off}", kernels.name());
                    }
                }
            }
        }
    }

    #[test]
    fn code_panels_equal_the_oracle(dim in 1usize..300, n in 1usize..100, seed in any::<u64>()) {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        let query = QueryCodes::new((0..dim).map(|_| next() as i8).collect());
        let rows: Vec<Vec<u8>> = (0..n).map(|_| (0..dim).map(|_| next()).collect()).collect();
        let mut bytes = vec![128; panels::code_panels_bytes(n, dim)];
        rows.iter().enumerate().for_each(|(i, row)| {
            panels::write_code_panel(&mut bytes, dim, i, row.iter().copied());
        });
        for kernels in Kernels::available() {
            let mut out = Vec::new();
            panels::code_dots(kernels, &query, &bytes, &mut out);
            let got: Vec<i32> = out.as_flattened()[..n].to_vec();
            let want: Vec<i32> = rows.iter().map(|row| scalar::dot_codes(query.values(), row)).collect();
            assert_eq!(got, want, "{}", kernels.name());
            assert!(out.as_flattened()[n..].iter().all(|&fill| fill == 0));
        }
    }
}

/// A row's score by tables is the sum of the values that its codes name, up to what rounding to
/// [`lookup::MAX_ENTRY`] steps can move it.
#[test]
fn lookups_estimate_the_sum() {
    let codes = 50;
    // Runs of two values, the last of which the query has not: it is one short.
    let values: Vec<f32> = (0..codes * 32).map(|i| (i as f32 * 0.7).sin()).collect();
    let query: Vec<f32> = (0..2 * codes - 1).map(|i| (i as f32 * 0.3).cos()).collect();
    let value = |code: usize, entry: usize| -> f32 {
        let part = query.chunks(2).nth(code).unwrap().iter().enumerate();
        part.map(|(j, q)| q * values[code * 32 + j * 16 + entry]).sum()
    };
    for kernels in Kernels::available() {
        let mut tables = lookup::Tables::default();
        kernels.tables(&mut tables, encode::Book { width: 2, values: &values }, &query, 0.0);
        let row: Vec<u8> = (0..codes).map(|code| (code * 7 % 16) as u8).collect();
        let mut block = vec![0; lookup::block_bytes(codes)];
        lookup::write_codes(&mut block, 31, &row);
        let want: f32 = row.iter().enumerate().map(|(code, &e)| value(code, usize::from(e))).sum();
        let got = tables.base + tables.scale * f32::from(lookup::sums(&tables, &block)[31]);
        assert!((got - want).abs() <= codes as f32 * tables.scale / 2.0 + 1e-4, "{}: {got} for {want}", kernels.name());
    }
}
