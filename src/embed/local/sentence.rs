//! Sentence transformers: a text's vector is pooled from its tokens' rows.

use std::fmt;
use std::path::Path;

use candle_core::Tensor;
use rayon::prelude::*;

use super::layout::Pooling;
use crate::embed::{Answer, Embeddings, Refusal};
use crate::error::EmbedError;
use crate::transformer::{Config, Encoder, Family, Precision, Sequences, Tokens, Weights, tasks};
use crate::vectors::{Vectors, normalize};

/// The architectures that can be run, as `config.json` names them.
const SUPPORTED: [(&str, Family); 8] = [
    ("BertModel", Family::Bert),
    ("XLMRobertaModel", Family::Roberta),
    ("RobertaModel", Family::Roberta),
    ("ElectraModel", Family::Electra),
    ("BertForMaskedLM", Family::Bert),
    ("XLMRobertaForMaskedLM", Family::Roberta),
    ("RobertaForMaskedLM", Family::Roberta),
    ("ElectraForPreTraining", Family::Electra),
];

/// A transformer, its tokeniser, and how its rows are pooled.
pub(super) struct Sentence {
    name: String,
    encoder: Encoder,
    sequences: Sequences,
    pooling: Pooling,
    dim: usize,
    refuse_long: bool,
}

impl fmt::Debug for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentence").field("name", &self.name).field("dim", &self.dim).finish_non_exhaustive()
    }
}

/// What a text is before the model has seen it.
enum Prepared {
    Tokens(Tokens),
    Without(Answer),
    TooLong(usize),
}

impl Sentence {
    /// Reads the model in a folder.
    pub fn open(
        folder: &Path,
        name: &str,
        pooling: Pooling,
        max_tokens: Option<usize>,
        precision: Precision,
        refuse_long: bool,
    ) -> Result<Sentence, EmbedError> {
        let config = Config::read(&folder.join("config.json"), &SUPPORTED)?;
        let longest = max_tokens.unwrap_or(usize::MAX).min(config.longest());
        let sequences = Sequences::open(&folder.join("tokenizer.json"), &config, longest)?;
        let mut weights = Weights::open(&folder.join("model.safetensors"))?;
        let encoder = Encoder::read(&mut weights, &config, precision)?;
        Ok(Sentence { name: name.to_owned(), encoder, sequences, pooling, dim: config.hidden, refuse_long })
    }

    /// The number of values in a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Tokens of a text, without marks and uncut.
    pub fn count(&self, text: &str) -> usize {
        // A text that the tokeniser refuses is measured by its bytes, which is never low.
        self.sequences.side(text).map_or(text.len(), |side| side.len())
    }

    /// The vectors of texts, each with `prefix` before it.
    pub fn embed(&self, texts: &[&str], prefix: &str) -> Result<Embeddings, EmbedError> {
        let broken = |reason: String| EmbedError::Run { model: self.name.clone(), reason };
        let prepared = texts.par_iter().enumerate().map(|(index, text)| {
            self.prepare(text, prefix).map_err(|reason| EmbedError::Tokenize {
                model: self.name.clone(),
                index,
                reason,
            })
        });
        let (mut answers, mut refusals) = (vec![Answer::Embedded; texts.len()], Vec::new());
        let (mut tokens, mut places) = (Vec::new(), Vec::new());
        for (i, prepared) in prepared.collect::<Result<Vec<_>, _>>()?.into_iter().enumerate() {
            match prepared {
                Prepared::Tokens(of) => {
                    tokens.push(of);
                    places.push(i);
                }
                Prepared::Without(answer) => answers[i] = answer,
                Prepared::TooLong(n) => {
                    answers[i] = Answer::Refused;
                    let most = self.sequences.longest_alone();
                    refusals.push(Refusal { index: i, reason: format!("{n} tokens, and the model takes {most}") });
                }
            }
        }
        let tasks = tasks(&tokens);
        let rows = tasks.par_iter().with_max_len(1).map(|task| {
            let batch: Vec<&Tokens> = task.iter().map(|&i| &tokens[i]).collect();
            self.rows(&batch).map_err(|e| broken(e.to_string()))
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let mut vectors = Vectors::zeros(texts.len(), self.dim).map_err(|e| broken(e.to_string()))?;
        let out = vectors.as_mut_slice();
        for (task, rows) in tasks.iter().zip(rows) {
            for (&i, row) in task.iter().zip(rows.chunks_exact(self.dim)) {
                let index = places[i];
                let to = &mut out[index * self.dim..(index + 1) * self.dim];
                to.copy_from_slice(row);
                let norm = normalize(to);
                if !norm.is_finite() || norm == 0.0 {
                    let reason = format!("has the length {norm}: the weights are broken, take the model's files anew");
                    return Err(EmbedError::Vector { model: self.name.clone(), index, reason });
                }
            }
        }
        Ok(Embeddings { refusals, ..Embeddings::new(vectors, answers) })
    }

    fn prepare(&self, text: &str, prefix: &str) -> Result<Prepared, String> {
        if text.trim().is_empty() {
            return Ok(Prepared::Without(Answer::Blank));
        }
        let side =
            if prefix.is_empty() { self.sequences.side(text) } else { self.sequences.side(&[prefix, text].concat()) }?;
        match side.len() {
            0 => Ok(Prepared::Without(Answer::NoKnownToken)),
            n if n > self.sequences.longest_alone() && self.refuse_long => Ok(Prepared::TooLong(n)),
            _ => self.sequences.join(side, None).map(Prepared::Tokens),
        }
    }

    /// One row a sequence, of any length.
    fn rows(&self, batch: &[&Tokens]) -> candle_core::Result<Vec<f32>> {
        let rows: Tensor = match self.pooling {
            Pooling::Mean => self.encoder.means(batch)?,
            Pooling::Cls => self.encoder.first_tokens(batch)?,
        };
        rows.flatten_all()?.to_vec1::<f32>()
    }
}
