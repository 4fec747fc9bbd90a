//! Matrix products by integer codes.
//!
//! Each output's weights are 8-bit codes with a scale of their own, and each row that they are multiplied with is
//! coded by itself, so a row's product does not depend on the rows beside it. A row may be coded as the sum of two
//! rows of 8-bit codes, the second for what the first one loses: activations of transformers have outliers that leave
//! single codes few levels for the rest, while weights have none. The product of single codes takes a quarter of the
//! time of one in f32, of double codes half of it.

use candle_core::{CpuStorage, Device, Storage, Tensor, bail};

use crate::metric::Kernels;
use crate::metric::panels::{PANEL, TILE};
use crate::metric::tiles::{CODES_TOGETHER, CodePanel, CodeRow};

/// What each code of a panel has added, so that it is not negative.
const ZERO: i32 = 128;

/// A matrix of weights, `in x out`.
pub(super) struct CodeMatrix {
    kernels: Kernels,
    inputs: usize,
    outputs: usize,
    /// Codes of a row with the zeros at its end.
    width: usize,
    /// Rows of codes that a row is coded as, 1 or 2.
    depth: usize,
    /// For each [`PANEL`] outputs, and in it for each [`CODES_TOGETHER`] inputs, the outputs side by side.
    panels: Vec<u8>,
    scales: Vec<[f32; PANEL]>,
}

/// Rows to multiply, in codes: a row's first codes and its second ones, if any, stand side by side.
struct Coded {
    codes: Vec<i8>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
}

impl CodeMatrix {
    /// Whether products of codes are faster than those in f32 here.
    pub fn is_fast() -> bool {
        Kernels::detect().has_fast_codes()
    }

    /// Codes rows of `inputs` weights, one an output, for rows of single or double codes.
    pub fn new(rows: &[f32], inputs: usize, depth: usize) -> CodeMatrix {
        let kernels = Kernels::detect();
        let outputs = rows.len() / inputs;
        let width = inputs.next_multiple_of(CODES_TOGETHER);
        let group = CODES_TOGETHER * PANEL;
        let mut panels = vec![ZERO as u8; outputs.div_ceil(PANEL) * PANEL * width];
        let mut scales = vec![[0.0; PANEL]; outputs.div_ceil(PANEL)];
        let (zeros, mut centred, mut codes) = (vec![0.0; inputs], vec![0.0; inputs], vec![0i8; width]);
        for (output, row) in rows.chunks_exact(inputs).enumerate() {
            let (panel, place) = (output / PANEL, output % PANEL);
            scales[panel][place] = kernels.encode_row(row, &zeros, &mut centred, &mut codes).scale;
            let to = &mut panels[panel * PANEL * width..(panel + 1) * PANEL * width];
            for (i, &code) in codes.iter().enumerate() {
                let at = i / CODES_TOGETHER * group + place * CODES_TOGETHER + i % CODES_TOGETHER;
                to[at] = (i32::from(code) + ZERO) as u8;
            }
        }
        CodeMatrix { kernels, inputs, outputs, width, depth, panels, scales }
    }

    /// `n x in` to `n x out`.
    pub fn product(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (n, inputs) = x.dims2()?;
        if inputs != self.inputs {
            bail!("rows of {inputs} values where {} are expected", self.inputs)
        }
        let x = x.contiguous()?;
        let (storage, layout) = x.storage_and_layout();
        let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) = (&*storage, layout.contiguous_offsets())
        else {
            bail!("a matrix that is not contiguous, or not of f32")
        };
        let coded = self.code(&values[start..end], n);
        let mut out = vec![0.0f32; n * self.outputs];
        let bias = [0.0; PANEL];
        for (panel, (codes, scales)) in self.panels.chunks_exact(PANEL * self.width).zip(&self.scales).enumerate() {
            let panel_codes = CodePanel { codes, scales, bias: &bias };
            let from = panel * PANEL;
            let here = PANEL.min(self.outputs - from);
            let step = TILE / self.depth;
            for first in (0..n).step_by(step) {
                self.tile(&coded, panel_codes, first..n.min(first + step), &mut out[from..], here);
            }
        }
        Tensor::from_vec(out, (n, self.outputs), &Device::Cpu)
    }

    /// The products of a few rows with a panel.
    fn tile(&self, coded: &Coded, panel: CodePanel<'_>, rows: std::ops::Range<usize>, out: &mut [f32], here: usize) {
        let (from, count) = (rows.start * self.depth, rows.len() * self.depth);
        let row = |i: usize| CodeRow {
            codes: &coded.codes[i * self.width..(i + 1) * self.width],
            scale: coded.scales[i],
            zero: coded.zeros[i],
        };
        let codes: [CodeRow<'_>; TILE] = std::array::from_fn(|i| row(from + i.min(count - 1)));
        let mut products = [[0.0; PANEL]; TILE];
        self.kernels.code_tile(&codes[..count], panel, &mut products, &mut [0.0; TILE]);
        for (i, products) in rows.zip(products.chunks_exact(self.depth)) {
            let to = &mut out[i * self.outputs..i * self.outputs + here];
            to.copy_from_slice(&products[0][..here]);
            if let Some(low) = products.get(1) {
                to.iter_mut().zip(low).for_each(|(to, low)| *to += low);
            }
        }
    }

    fn code(&self, values: &[f32], n: usize) -> Coded {
        let rows = n * self.depth;
        let mut coded = Coded {
            codes: vec![0; rows * self.width],
            scales: Vec::with_capacity(rows),
            zeros: Vec::with_capacity(rows),
        };
        let (zeros, mut rest) = (vec![0.0; self.inputs], vec![0.0; self.inputs]);
        let mut unused = vec![0.0; self.inputs];
        for (row, codes) in values.chunks_exact(self.inputs).zip(coded.codes.chunks_exact_mut(self.depth * self.width))
        {
            let (high, low) = codes.split_at_mut(self.width);
            let first = self.kernels.encode_row(row, &zeros, &mut unused, high);
            coded.scales.push(first.scale);
            coded.zeros.push(first.zero);
            if self.depth == 2 {
                for ((rest, value), code) in rest.iter_mut().zip(row).zip(&*high) {
                    *rest = value - first.scale * f32::from(*code);
                }
                let second = self.kernels.encode_row(&rest, &zeros, &mut unused, low);
                coded.scales.push(second.scale);
                coded.zeros.push(second.zero);
            }
        }
        coded
    }
}
