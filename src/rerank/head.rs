//! The head of a model for classification: from a pair's first token to its one score.

use candle_core::Tensor;

use crate::error::RerankError;
use crate::transformer::{Config, Family, Linear, Precision, Weights, gelu};

/// The head: dense, an activation, and one row of weights.
pub(super) struct Head {
    family: Family,
    dense: Linear,
    out: Linear,
}

impl Head {
    /// Reads the head of the family; one with other than one label is refused.
    pub fn read(weights: &mut Weights, config: &Config) -> Result<Head, RerankError> {
        let (dense, out) = match config.family {
            Family::Bert => ("bert.pooler.dense", "classifier"),
            Family::Roberta | Family::Electra => ("classifier.dense", "classifier.out_proj"),
        };
        if let Some(&[labels, _]) = weights.shape(&format!("{out}.weight"))
            && labels != 1
        {
            return Err(RerankError::Labels { path: weights.path().into(), labels });
        }
        let dense = Linear::read(weights, dense, config.hidden, config.hidden, Precision::Full)?;
        let out = Linear::read(weights, out, config.hidden, 1, Precision::Full)?;
        Ok(Head { family: config.family, dense, out })
    }

    /// One raw score a row.
    pub fn scores(&self, first: &Tensor) -> candle_core::Result<Vec<f32>> {
        let dense = self.dense.forward(first)?;
        let active = match self.family {
            Family::Bert | Family::Roberta => dense.tanh()?,
            Family::Electra => {
                let values = dense.flatten_all()?.to_vec1::<f32>()?.into_iter().map(gelu).collect();
                Tensor::from_vec(values, dense.shape(), dense.device())?
            }
        };
        self.out.forward(&active)?.flatten_all()?.to_vec1()
    }
}
