//! The built-in model: static English + Korean token vectors in the Model2Vec layout, compiled in.
//!
//! A text's vector is the mean over its known tokens of (int8 row x the token's weight), scaled to
//! length 1. Nothing is looked up at run time, and there is no prefix and no maximum length.
//! Where the model comes from, and its licences: `data/model/NOTICE.md`.

use std::sync::OnceLock;

use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};

use super::words::Words;
use super::{Answer, Embedder, Embeddings, ModelIdentity, Role};
use crate::error::EmbedError;
use crate::vectors::{Vectors, normalize};

const NAME: &str = "builtin::static-koen";
const DIM: usize = 256;
/// BLAKE3 of `model.safetensors` and then `tokenizer.json`; a test compares it with the files.
const HASH: &str = "f1575da212e63375d256ded76d09872dd8b55f7f23c750025849442194f4b4f4";
static MODEL: &[u8] = include_bytes!("../../data/model/model.safetensors");
static TOKENIZER: &[u8] = include_bytes!("../../data/model/tokenizer.json");
/// Texts that one thread takes at a time.
const TASK: usize = 32;

/// The built-in English + Korean model, 256 dimensions. See [`builtin`].
#[derive(Debug)]
pub struct Builtin {
    identity: ModelIdentity,
}

/// The embedder that needs no file, no key and no network. Making it costs nothing; the tokeniser
/// is loaded once, when the first text comes.
///
/// ```
/// use gyeol::embed::{Embedder, Role, builtin};
/// let answer = builtin().embed_many(&["프로그래밍 언어", "programming language", "김치찌개"], Role::Document)?;
/// let cos = |a: usize, b: usize| -> f32 {
///     answer.vectors.row(a).iter().zip(answer.vectors.row(b)).map(|(x, y)| x * y).sum()
/// };
/// assert!(cos(0, 1) > cos(0, 2));
/// # Ok::<(), gyeol::Error>(())
/// ```
pub fn builtin() -> Builtin {
    let (query_prefix, document_prefix) = (String::new(), String::new());
    let identity = ModelIdentity { name: NAME.into(), hash: HASH.into(), dim: DIM, query_prefix, document_prefix };
    Builtin { identity }
}

impl Embedder for Builtin {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn embed_many(&self, texts: &[&str], _role: Role) -> Result<Embeddings, EmbedError> {
        let mut vectors = Vectors::zeros(texts.len(), DIM)
            .map_err(|e| EmbedError::Answer { model: NAME.into(), reason: e.to_string() })?;
        let mut answers = vec![Answer::Blank; texts.len()];
        if texts.iter().all(|t| t.trim().is_empty()) {
            return Ok(Embeddings::new(vectors, answers));
        }
        let model = StaticModel::get()?;
        let rows = vectors.as_mut_slice().par_chunks_mut(TASK * DIM);
        let tasks = rows.zip(answers.par_chunks_mut(TASK)).zip(texts.par_chunks(TASK)).enumerate();
        tasks.try_for_each(|(task, ((rows, answers), texts))| {
            let each = rows.chunks_exact_mut(DIM).zip(answers).zip(texts);
            model.words.with_cache(|words| {
                for (i, ((row, answer), text)) in each.enumerate() {
                    *answer = model.embed(words, text, row).map_err(|e| EmbedError::Tokenize {
                        model: NAME.into(),
                        index: task * TASK + i,
                        reason: e.to_string(),
                    })?;
                }
                Ok::<(), EmbedError>(())
            })
        })?;
        Ok(Embeddings::new(vectors, answers))
    }

    fn count_tokens(&self, text: &str) -> usize {
        let count = |model: &StaticModel| {
            let mut count = 0;
            model.words.with_cache(|words| words.for_each(text, |ids| count += ids.len())).map(|()| count)
        };
        // A text that the tokeniser refuses is measured by its bytes, which is never low.
        StaticModel::get().ok().and_then(|model| count(model).ok()).unwrap_or(text.len())
    }
}

/// The parsed model.
struct StaticModel {
    words: Words,
    rows: &'static [i8],
    weights: Vec<f32>,
}

impl StaticModel {
    fn get() -> Result<&'static StaticModel, EmbedError> {
        static PARSED: OnceLock<Result<StaticModel, String>> = OnceLock::new();
        let parsed = PARSED.get_or_init(|| StaticModel::parse(MODEL, TOKENIZER));
        parsed.as_ref().map_err(|reason| EmbedError::Model { model: NAME.into(), reason: reason.clone() })
    }

    fn parse(model: &'static [u8], tokenizer: &[u8]) -> Result<StaticModel, String> {
        let tensors = SafeTensors::deserialize(model).map_err(|e| e.to_string())?;
        let tensor = |name: &str, dtype| {
            let t = tensors.tensor(name).map_err(|e| e.to_string())?;
            if t.dtype() == dtype { Ok(t) } else { Err(format!("{name} is {:?}", t.dtype())) }
        };
        let (rows, weights) = (tensor("embeddings", Dtype::I8)?, tensor("weights", Dtype::F32)?);
        let words = Words::parse(tokenizer)?;
        let n = weights.shape().iter().product::<usize>();
        if rows.shape() != [n, DIM] || words.largest_id() >= n {
            return Err(format!("{:?} rows, {n} weights and {} tokens", rows.shape(), words.largest_id() + 1));
        }
        let weights = weights.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok(StaticModel { words, rows: bytemuck::cast_slice(rows.data()), weights })
    }

    /// Writes the vector of one text; a text without one leaves its row of zeros as it is.
    fn embed(&self, words: &mut super::words::Cache<'_>, text: &str, row: &mut [f32]) -> tokenizers::Result<Answer> {
        let unknown = words.unknown_id();
        let (mut known, mut any) = (false, false);
        // Added up here and not in the row: reading fresh pages before they are written costs two
        // page faults each, and the second one stops the other cores.
        let mut sums = [0.0f32; DIM];
        words.for_each(text, |ids| {
            for &id in ids {
                any = true;
                if id != unknown {
                    known = true;
                    let from = id as usize * DIM;
                    let weight = self.weights[id as usize];
                    for (sum, &value) in sums.iter_mut().zip(&self.rows[from..from + DIM]) {
                        *sum += weight * f32::from(value);
                    }
                }
            }
        })?;
        // The mean and the sum have one direction. A text whose tokens cancel out has none either.
        let norm = normalize(&mut sums);
        if norm > 0.0 {
            row.copy_from_slice(&sums);
        }
        Ok(match (any, known && norm > 0.0) {
            (_, true) => Answer::Embedded,
            (true, false) => Answer::NoKnownToken,
            (false, false) => Answer::Blank,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_hash_is_that_of_the_files() {
        let mut hasher = blake3::Hasher::new();
        hasher.update(MODEL);
        hasher.update(TOKENIZER);
        assert_eq!(hasher.finalize().to_hex().as_str(), HASH);
    }

    #[test]
    fn a_model_whose_parts_do_not_fit_is_named() {
        assert!(StaticModel::parse(b"not safetensors", TOKENIZER).is_err());
        assert!(StaticModel::parse(MODEL, b"{}").is_err());
    }
}
