//! `config.json`: what a model is, and how large.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::error::ModelError;

/// `config.json` is a few hundred bytes long; one with many labels is some KiB.
const LONGEST_CONFIG: u64 = 1 << 20;

/// The families of encoders. They differ in how tensors are named and positions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// BERT.
    Bert,
    /// RoBERTa and XLM-RoBERTa, which are built alike.
    Roberta,
    /// ELECTRA, whose embeddings may be narrower than its layers.
    Electra,
}

impl Family {
    /// What the names of the encoder's tensors begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Family::Bert => "bert.",
            Family::Roberta => "roberta.",
            Family::Electra => "electra.",
        }
    }
}

/// A model's kind and sizes. All sizes are checked against limits far over any model of this kind,
/// so that sums and products of a few of them cannot overflow.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub family: Family,
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub vocabulary: usize,
    /// Rows of the table of positions.
    pub positions: usize,
    /// Rows of the table of token types.
    pub types: usize,
    /// The width of the embeddings, of ELECTRA only another than `hidden`.
    pub embedding: usize,
    pub epsilon: f32,
    pub padding: u32,
    /// The function that the model's maker puts on its one score, by its full Python name.
    #[cfg_attr(not(feature = "rerank"), allow(dead_code))]
    pub activation: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: Option<String>,
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    intermediate_size: Option<usize>,
    vocab_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    type_vocab_size: Option<usize>,
    embedding_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    pad_token_id: Option<usize>,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    /// How sentence-transformers 4 and later write it.
    sentence_transformers: Option<SentenceTransformers>,
    /// How it was written before.
    sbert_ce_default_activation_function: Option<String>,
}

#[derive(Deserialize)]
struct SentenceTransformers {
    activation_fn: Option<String>,
}

impl Config {
    /// Reads a `config.json` whose architecture is one of `supported`.
    pub fn read(path: &Path, supported: &[(&str, Family)]) -> Result<Config, ModelError> {
        let io = |source| ModelError::Io { path: path.into(), source };
        let mut json = Vec::new();
        File::open(path).map_err(io)?.take(LONGEST_CONFIG + 1).read_to_end(&mut json).map_err(io)?;
        if json.len() as u64 > LONGEST_CONFIG {
            return Err(ModelError::file(path, format!("longer than {LONGEST_CONFIG} bytes; no config.json is")));
        }
        let raw: Raw =
            serde_json::from_slice(&json).map_err(|e| ModelError::file(path, format!("not a model's config: {e}")))?;
        let named = raw.architectures.first().cloned().unwrap_or_default();
        let Some(&(_, family)) = supported.iter().find(|(name, _)| *name == named) else {
            let found = match (named.is_empty(), &raw.model_type) {
                (false, _) => named,
                (true, Some(kind)) => format!("not named (model_type {kind})"),
                (true, None) => "not named".to_owned(),
            };
            let supported = supported.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(ModelError::Architecture { path: path.into(), found, supported });
        };
        raw.checked(family).map_err(|reason| ModelError::file(path, reason))
    }

    /// The most tokens that a text may have.
    pub fn longest(&self) -> usize {
        self.positions - self.first_position()
    }

    /// The position of a text's first token: RoBERTa counts from behind the padding.
    pub fn first_position(&self) -> usize {
        match self.family {
            Family::Roberta => self.padding as usize + 1,
            Family::Bert | Family::Electra => 0,
        }
    }
}

impl Raw {
    fn checked(self, family: Family) -> Result<Config, String> {
        if let Some(act) = self.hidden_act.as_deref().filter(|act| *act != "gelu") {
            return Err(format!("hidden_act is {act}; gelu is supported"));
        }
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            return Err(format!("position_embedding_type is {kind}; absolute is supported"));
        }
        let hidden = size("hidden_size", self.hidden_size, 1..=16_384)?;
        let epsilon = self.layer_norm_eps.unwrap_or(1e-12);
        if !(epsilon > 0.0 && epsilon < 1.0) {
            return Err(format!("layer_norm_eps is {epsilon}; it must be over 0 and under 1"));
        }
        let default = if family == Family::Roberta { 1 } else { 0 };
        let padding = size("pad_token_id", self.pad_token_id.or(Some(default)), 0..=1 << 24)?;
        let config = Config {
            family,
            hidden,
            layers: size("num_hidden_layers", self.num_hidden_layers, 1..=256)?,
            heads: size("num_attention_heads", self.num_attention_heads, 1..=hidden)?,
            intermediate: size("intermediate_size", self.intermediate_size, 1..=65_536)?,
            vocabulary: size("vocab_size", self.vocab_size, 1..=1 << 24)?,
            positions: size("max_position_embeddings", self.max_position_embeddings, 1..=1 << 20)?,
            types: size("type_vocab_size", self.type_vocab_size.or(Some(2)), 1..=1 << 10)?,
            embedding: match family {
                Family::Electra => size("embedding_size", self.embedding_size.or(Some(hidden)), 1..=16_384)?,
                Family::Bert | Family::Roberta => hidden,
            },
            epsilon: epsilon as f32,
            padding: padding as u32,
            activation: self
                .sentence_transformers
                .and_then(|s| s.activation_fn)
                .or(self.sbert_ce_default_activation_function),
        };
        if !hidden.is_multiple_of(config.heads) {
            return Err(format!("hidden_size {hidden} is no multiple of num_attention_heads {}", config.heads));
        }
        if config.positions <= config.first_position() {
            let (positions, first) = (config.positions, config.first_position());
            return Err(format!("max_position_embeddings is {positions}, and the first token has position {first}"));
        }
        Ok(config)
    }
}

fn size(name: &str, value: Option<usize>, allowed: std::ops::RangeInclusive<usize>) -> Result<usize, String> {
    match value {
        None => Err(format!("{name} is missing")),
        Some(value) if allowed.contains(&value) => Ok(value),
        Some(value) => Err(format!("{name} is {value}; it must be {} to {}", allowed.start(), allowed.end())),
    }
}
