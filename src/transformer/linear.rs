//! A dense layer, in full or in 8-bit codes.

use candle_core::{Device, Tensor};

use crate::error::ModelError;
use crate::transformer::Weights;
use crate::transformer::codes::CodeMatrix;
use crate::transformer::pointwise::{AddBias, AddBiasGelu, AddNorm, Norm};

/// How the products of a layer's matrix are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// In f32.
    Full,
    /// By single 8-bit codes where the processor has instructions for them; in f32 elsewhere.
    Codes,
    /// By double codes; see [`CodeMatrix`].
    DoubleCodes,
}

/// A matrix `in x out` and its bias.
pub(crate) struct Linear {
    weight: Weight,
    bias: Vec<f32>,
}

enum Weight {
    Full(Tensor),
    Codes(CodeMatrix),
}

impl Linear {
    /// Reads `NAME.weight` and `NAME.bias`.
    pub fn read(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
        precision: Precision,
    ) -> Result<Linear, ModelError> {
        let rows = weights.read(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = weights.read(&format!("{name}.bias"), &[outputs])?;
        Linear::new(rows, bias, inputs, precision).map_err(|e| ModelError::file(weights.path(), format!("{name}: {e}")))
    }

    /// A layer of `bias.len()` rows of `inputs` values.
    pub fn new(rows: Vec<f32>, bias: Vec<f32>, inputs: usize, precision: Precision) -> candle_core::Result<Linear> {
        let weight = match precision {
            Precision::Codes if CodeMatrix::is_fast() => Weight::Codes(CodeMatrix::new(&rows, inputs, 1)),
            Precision::DoubleCodes if CodeMatrix::is_fast() => Weight::Codes(CodeMatrix::new(&rows, inputs, 2)),
            _ => Weight::Full(Tensor::from_vec(rows, (bias.len(), inputs), &Device::Cpu)?.t()?),
        };
        Ok(Linear { weight, bias })
    }

    fn product(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match &self.weight {
            Weight::Full(weight) => x.matmul(weight),
            Weight::Codes(codes) => codes.product(x),
        }
    }

    /// `n x in` to `n x out`.
    pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let out = self.product(x)?;
        out.inplace_op1(&AddBias(&self.bias))?;
        Ok(out)
    }

    /// [`Linear::forward`], and GELU of it.
    pub fn forward_gelu(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let out = self.product(x)?;
        out.inplace_op1(&AddBiasGelu(&self.bias))?;
        Ok(out)
    }

    /// [`Linear::forward`], and the norm of its sum with `before`.
    pub fn forward_norm(&self, x: &Tensor, before: &Tensor, norm: &Norm) -> candle_core::Result<Tensor> {
        let out = self.product(x)?;
        out.inplace_op2(before, &AddNorm { bias: &self.bias, norm })?;
        Ok(out)
    }
}
