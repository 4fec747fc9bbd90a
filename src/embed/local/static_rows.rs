//! Model2Vec models: a text's vector is the mean of its tokens' rows.
//!
//! `model.safetensors` has `embeddings` (n x dim) and may have `weights` (one a token, by which its row is multiplied)
//! and `mapping` (the row of each token, where tokens share rows). Tokens that the tokeniser does not know are left out.

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tokenizers::{Encoding, Tokenizer};

use crate::embed::{Answer, Embeddings};
use crate::error::{EmbedError, ModelError};
use crate::transformer::{check_table, guarded};
use crate::vectors::{Vectors, normalize};

/// Texts that one thread takes at a time.
const TASK: usize = 32;
/// Text without white space is cut at so many bytes: the tokeniser takes some hundred bytes for each byte of a word.
const LONGEST_TEXT: usize = 1 << 20;

/// The table of rows, weighted, and its tokeniser.
pub(super) struct StaticRows {
    name: String,
    tokenizer: Tokenizer,
    unknown: Option<u32>,
    rows: Vec<f32>,
    /// The row of each token, where it is not the token's own number.
    mapping: Option<Vec<u32>>,
    dim: usize,
}

impl std::fmt::Debug for StaticRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticRows").field("name", &self.name).field("dim", &self.dim).finish_non_exhaustive()
    }
}

impl StaticRows {
    /// Reads the model in a folder.
    pub fn open(folder: &Path, name: &str) -> Result<StaticRows, EmbedError> {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).map_err(|source| ModelError::Io { path: path.clone(), source })?;
        let broken = |reason: String| ModelError::file(&path, reason);
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|e| broken(format!("not a whole safetensors file: {e}")))?;
        let table = tensors.tensor("embeddings").map_err(|_| broken("it has no tensor `embeddings`".to_owned()))?;
        let &[n, dim] = table.shape() else {
            return Err(broken(format!("`embeddings` has the shape {:?}; n x dim is expected", table.shape())).into());
        };
        if n == 0 || dim == 0 {
            return Err(broken("`embeddings` is empty".to_owned()).into());
        }
        let mut rows = floats(&table).map_err(&broken)?;
        let mapping = tensors.tensor("mapping").ok().map(|t| integers(&t)).transpose().map_err(&broken)?;
        if let Ok(weights) = tensors.tensor("weights") {
            let weights = floats(&weights).map_err(&broken)?;
            // With a mapping, a weight is a token's and not a row's: tokens get rows of their own.
            let own: Vec<u32> = mapping.clone().unwrap_or_else(|| (0..n as u32).collect());
            if weights.len() != own.len() || own.iter().any(|&row| row as usize >= n) {
                return Err(broken(format!("{} weights for {} tokens of {n} rows", weights.len(), own.len())).into());
            }
            let row = |(&row, weight): (&u32, f32)| {
                rows[row as usize * dim..(row as usize + 1) * dim].iter().map(move |value| value * weight)
            };
            rows = own.iter().zip(weights).flat_map(row).collect();
            return Self::with(folder, name, rows, None, dim);
        }
        Self::with(folder, name, rows, mapping, dim)
    }

    fn with(
        folder: &Path,
        name: &str,
        rows: Vec<f32>,
        mapping: Option<Vec<u32>>,
        dim: usize,
    ) -> Result<Self, EmbedError> {
        let path = folder.join("tokenizer.json");
        let json = fs::read(&path).map_err(|source| ModelError::Io { path: path.clone(), source })?;
        let broken = |reason: String| ModelError::file(&path, reason);
        check_table(&json).map_err(|reason| broken(format!("not a tokeniser: {reason}")))?;
        let parsed = guarded(|| Tokenizer::from_bytes(&json).map_err(|e| e.to_string()));
        let mut tokenizer = parsed.map_err(|e| broken(format!("not a tokeniser: {e}")))?;
        tokenizer.with_truncation(None).map_err(|e| broken(e.to_string()))?;
        tokenizer.with_padding(None);
        let (largest, n) = (tokenizer.get_vocab(true).into_values().max().unwrap_or(0) as usize, rows.len() / dim);
        let known = mapping.as_ref().map_or(n, Vec::len);
        if largest >= known || mapping.iter().flatten().any(|&row| row as usize >= n) {
            let reason = format!("token {largest}, and the model knows {known} from 0; take all files from one model");
            return Err(broken(reason).into());
        }
        let unknown = ["[UNK]", "<unk>"].iter().find_map(|token| tokenizer.token_to_id(token));
        Ok(StaticRows { name: name.to_owned(), tokenizer, unknown, rows, mapping, dim })
    }

    /// The number of values in a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Tokens of a text.
    pub fn count(&self, text: &str) -> usize {
        // A text that the tokeniser refuses is measured by its bytes, which is never low.
        let counts = pieces(text).map(|piece| self.encode(piece).map_or(piece.len(), |e| e.len()));
        counts.sum()
    }

    fn encode(&self, text: &str) -> Result<Encoding, String> {
        guarded(|| self.tokenizer.encode_fast(text, false).map_err(|e| e.to_string()))
    }

    /// The vectors of texts, each with `prefix` before it.
    pub fn embed(&self, texts: &[&str], prefix: &str) -> Result<Embeddings, EmbedError> {
        let mut vectors = Vectors::zeros(texts.len(), self.dim)
            .map_err(|e| EmbedError::Run { model: self.name.clone(), reason: e.to_string() })?;
        let mut answers = vec![Answer::Blank; texts.len()];
        let rows = vectors.as_mut_slice().par_chunks_mut(TASK * self.dim);
        let tasks = rows.zip(answers.par_chunks_mut(TASK)).zip(texts.par_chunks(TASK)).enumerate();
        tasks.try_for_each(|(task, ((rows, answers), texts))| {
            let each = rows.chunks_exact_mut(self.dim).zip(answers).zip(texts);
            for (i, ((row, answer), text)) in each.enumerate().filter(|(_, (_, text))| !text.trim().is_empty()) {
                let (model, index) = (self.name.clone(), task * TASK + i);
                *answer =
                    self.add_up(prefix, text, row).map_err(|reason| EmbedError::Tokenize { model, index, reason })?;
            }
            Ok::<(), EmbedError>(())
        })?;
        Ok(Embeddings::new(vectors, answers))
    }

    fn add_up(&self, prefix: &str, text: &str, row: &mut [f32]) -> Result<Answer, String> {
        let mut known = false;
        for piece in Some(prefix).filter(|p| !p.is_empty()).into_iter().chain(pieces(text)) {
            for &id in self.encode(piece)?.get_ids().iter().filter(|id| Some(**id) != self.unknown) {
                let from = self.mapping.as_ref().map_or(id, |m| m[id as usize]) as usize * self.dim;
                row.iter_mut().zip(&self.rows[from..from + self.dim]).for_each(|(sum, value)| *sum += value);
                known = true;
            }
        }
        // The mean and the sum have one direction. A text whose tokens cancel out has none.
        if known && normalize(row) > 0.0 {
            return Ok(Answer::Embedded);
        }
        row.fill(0.0);
        Ok(Answer::NoKnownToken)
    }
}

/// A long text in parts, cut at white space where there is some.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let most = text.floor_char_boundary(LONGEST_TEXT);
        let at = if most == text.len() {
            most
        } else {
            text[..most].rfind(char::is_whitespace).filter(|at| *at > 0).unwrap_or(most)
        };
        let (piece, rest) = text.split_at(at);
        text = rest;
        Some(piece)
    })
}

fn floats(tensor: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = tensor.data();
    let pairs = || data.as_chunks::<2>().0.iter();
    let values: Vec<f32> = match tensor.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F16 => pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::I8 => data.iter().map(|b| f32::from(*b as i8)).collect(),
        other => return Err(format!("numbers of type {other:?}; F32, F64, F16, BF16 and I8 are supported")),
    };
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err("a number that is not finite; take the file anew".to_owned()),
    }
}

fn integers(tensor: &TensorView<'_>) -> Result<Vec<u32>, String> {
    let data = tensor.data();
    let values: Option<Vec<u32>> = match tensor.dtype() {
        Dtype::I32 => data.as_chunks::<4>().0.iter().map(|b| u32::try_from(i32::from_le_bytes(*b)).ok()).collect(),
        Dtype::I64 => data.as_chunks::<8>().0.iter().map(|b| u32::try_from(i64::from_le_bytes(*b)).ok()).collect(),
        other => return Err(format!("`mapping` of type {other:?}; I32 and I64 are supported")),
    };
    values.ok_or_else(|| "`mapping` has a row number out of range".to_owned())
}
