//! Rows packed in panels, side by side, so that one row meets many of them without a sum across
//! lanes: full rows for matrix products, 8-bit codes for queries.

use super::{Kernels, QueryCodes};

/// Rows of a panel of full rows.
pub(crate) const PANEL: usize = 32;
/// Rows that meet a panel at a time.
pub(crate) const TILE: usize = 12;
/// Rows of a panel of codes.
pub(crate) const CODE_PANEL: usize = 16;
/// Codes of a row that stand together.
const TOGETHER: usize = 4;

/// Full rows in panels of [`PANEL`]: for each column, the panel's values side by side.
#[derive(Debug)]
pub(crate) struct Panels {
    len: usize,
    dim: usize,
    values: Vec<f32>,
}

impl Panels {
    /// Packs rows of one length.
    pub fn new<'a>(dim: usize, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Self {
        let len = rows.len();
        let mut values = vec![0.0; len.div_ceil(PANEL) * PANEL * dim];
        for (i, row) in rows.enumerate() {
            let panel = &mut values[i / PANEL * PANEL * dim..];
            row[..dim].iter().enumerate().for_each(|(j, &x)| panel[j * PANEL + i % PANEL] = x);
        }
        Panels { len, dim, values }
    }

    /// The number of panels.
    pub fn panels(&self) -> usize {
        self.len.div_ceil(PANEL)
    }

    /// The values of one panel: `dim x PANEL`.
    pub fn panel(&self, panel: usize) -> &[f32] {
        &self.values[panel * PANEL * self.dim..(panel + 1) * PANEL * self.dim]
    }
}

/// Inner products of up to [`TILE`] rows with a panel, in plain Rust. The compiler makes vectors of it.
#[inline(always)]
pub(super) fn products(rows: &[&[f32]], panel: &[f32], out: &mut [[f32; PANEL]; TILE]) {
    for (row, out) in rows.iter().zip(out) {
        let mut sums = [0.0f32; PANEL];
        for (&x, column) in row.iter().zip(panel.chunks_exact(PANEL)) {
            sums.iter_mut().zip(column).for_each(|(sum, &c)| *sum += x * c);
        }
        *out = sums;
    }
}

/// The bytes of `n` rows of `dim` codes in panels of [`CODE_PANEL`].
pub(crate) fn code_panels_bytes(n: usize, dim: usize) -> usize {
    n.div_ceil(CODE_PANEL) * dim.div_ceil(TOGETHER) * TOGETHER * CODE_PANEL
}

/// Writes the codes of row `row`, which have 128 for zero, into panels that hold 128 everywhere.
pub(crate) fn write_code_panel(panels: &mut [u8], dim: usize, row: usize, codes: impl Iterator<Item = u8>) {
    let groups = dim.div_ceil(TOGETHER);
    let panel = row / CODE_PANEL * groups;
    for (j, code) in codes.enumerate() {
        let line = (panel + j / TOGETHER) * CODE_PANEL * TOGETHER;
        panels[line + row % CODE_PANEL * TOGETHER + j % TOGETHER] = code;
    }
}

/// Inner products of a query's codes with all rows of some panels, in plain Rust.
#[inline(always)]
pub(super) fn code_products(query: &[i8], panels: &[u8], out: &mut [[i32; CODE_PANEL]]) {
    let groups = query.len().div_ceil(TOGETHER);
    for (panel, out) in panels.chunks_exact(groups * CODE_PANEL * TOGETHER).zip(out) {
        let mut sums = [0i32; CODE_PANEL];
        for (four, line) in query.chunks(TOGETHER).zip(panel.chunks_exact(CODE_PANEL * TOGETHER)) {
            for (sum, codes) in sums.iter_mut().zip(line.chunks_exact(TOGETHER)) {
                for (&q, &c) in four.iter().zip(codes) {
                    *sum += i32::from(q) * (i32::from(c) - 128);
                }
            }
        }
        *out = sums;
    }
}

/// The nearest by a bias of each of many rows: `(place in the panels, product + bias)`, ties to the
/// lower place. `bias` is as long as the panels' rows, of which there is at least one.
pub(crate) fn best_of(kernels: Kernels, rows: &[&[f32]], panels: &Panels, bias: &[f32]) -> Vec<(u32, f32)> {
    let mut best = vec![(0u32, f32::NEG_INFINITY); rows.len()];
    let mut out = [[0.0; PANEL]; TILE];
    for panel in 0..panels.panels() {
        let bias = &bias[panel * PANEL..bias.len().min((panel + 1) * PANEL)];
        for (rows, best) in rows.chunks(TILE).zip(best.chunks_mut(TILE)) {
            kernels.products(rows, panels.panel(panel), &mut out);
            for (products, best) in out.iter().zip(best) {
                for (i, (product, bias)) in products.iter().zip(bias).enumerate() {
                    if product + bias > best.1 {
                        *best = ((panel * PANEL + i) as u32, product + bias);
                    }
                }
            }
        }
    }
    best
}

/// What a query's codes are multiplied with, panel by panel; `out` is cleared first and then has a
/// product for each row, and for the zeros that fill the last panel.
pub(crate) fn code_dots(kernels: Kernels, query: &QueryCodes, panels: &[u8], out: &mut Vec<[i32; CODE_PANEL]>) {
    out.clear();
    let bytes = code_panels_bytes(1, query.values().len());
    out.resize(panels.len() / bytes.max(1), [0; CODE_PANEL]);
    kernels.code_products(query, panels, out);
}
