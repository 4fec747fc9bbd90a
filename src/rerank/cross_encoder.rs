//! Cross-encoders: query and text through one transformer, which gives one score.

use std::fmt;
use std::path::Path;

use rayon::prelude::*;

use crate::error::{ModelError, RerankError};
use crate::rerank::Reranker;
use crate::rerank::head::Head;
use crate::transformer::{Config, Encoder, Family, Precision, Sequences, Tokens, Weights, tasks};

/// The architectures that can be run, as `config.json` names them.
const SUPPORTED: [(&str, Family); 4] = [
    ("BertForSequenceClassification", Family::Bert),
    ("XLMRobertaForSequenceClassification", Family::Roberta),
    ("RobertaForSequenceClassification", Family::Roberta),
    ("ElectraForSequenceClassification", Family::Electra),
];

/// What is made of a model's raw score, which may be any number. The order of texts is the same
/// either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scale {
    /// What the model's `config.json` names, and [`Scale::Sigmoid`] where it names nothing: the rule
    /// of sentence-transformers. MS MARCO models name the raw score, BGE rerankers name nothing.
    #[default]
    Model,
    /// The raw score.
    Logit,
    /// `1 / (1 + e^-x)`: between 0 and 1, and as near to a probability as the model was trained to.
    Sigmoid,
}

/// How a [`CrossEncoder`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossEncoderOptions {
    /// Tokens of a query and a text together, with the marks around them: 16 or more. What is over
    /// is cut from the end of the longer one. A model that was made for fewer takes as many as it was
    /// made for. Time grows with the length, and faster for long texts. Default 512.
    pub max_tokens: usize,
    /// What is made of the raw score. Default [`Scale::Model`].
    pub scale: Scale,
}

impl CrossEncoderOptions {
    /// The default of `max_tokens`: what most rerankers were trained with.
    pub const MAX_TOKENS: usize = 512;
    /// The smallest `max_tokens`.
    pub const LEAST_TOKENS: usize = 16;

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RerankError::Parameter`].
    pub fn validate(&self) -> Result<(), RerankError> {
        if self.max_tokens < Self::LEAST_TOKENS {
            return Err(RerankError::Parameter { name: "max_tokens", value: self.max_tokens, allowed: "16 or more" });
        }
        Ok(())
    }
}

impl Default for CrossEncoderOptions {
    fn default() -> Self {
        CrossEncoderOptions { max_tokens: Self::MAX_TOKENS, scale: Scale::default() }
    }
}

/// A cross-encoder from a folder, run on the processor in f32.
///
/// The folder holds `config.json`, `tokenizer.json` and `model.safetensors` (F32, F16 or BF16) of a
/// model with one label: BERT (the MS MARCO MiniLM models), XLM-RoBERTa (bge-reranker-v2-m3 and
/// its Korean relatives), RoBERTa or ELECTRA, each `ForSequenceClassification`. Weights take
/// 4 bytes each in memory. A call runs on the threads of rayon's current pool. A text's score does
/// not depend on the other texts of its call.
pub struct CrossEncoder {
    name: String,
    encoder: Encoder,
    head: Head,
    pairs: Sequences,
    sigmoid: bool,
}

impl fmt::Debug for CrossEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossEncoder").field("name", &self.name).field("sigmoid", &self.sigmoid).finish_non_exhaustive()
    }
}

impl CrossEncoder {
    /// Reads the model in `folder`. Its name is `local::` and the folder's own.
    ///
    /// # Errors
    /// [`RerankError::Model`] when a file is missing or broken, does not fit the others, or is of a
    /// model that is not supported; [`RerankError::Labels`] when the model has not one label;
    /// [`RerankError::Parameter`] for options out of range.
    ///
    /// ```no_run
    /// use gyeol::rerank::{CrossEncoder, CrossEncoderOptions, scores};
    /// let reranker = CrossEncoder::open("models/ms-marco-MiniLM-L6-v2", &CrossEncoderOptions::default())?;
    /// let texts = ["The cat sleeps on the sofa.", "Prices rose in May."];
    /// let scores = scores(&reranker, "where is the cat", &texts)?;
    /// assert!(scores[0] > scores[1]);
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    pub fn open(folder: impl AsRef<Path>, options: &CrossEncoderOptions) -> Result<CrossEncoder, RerankError> {
        options.validate()?;
        let folder = folder.as_ref();
        let config_path = folder.join("config.json");
        let config = Config::read(&config_path, &SUPPORTED)?;
        let sigmoid = sigmoid(options.scale, config.activation.as_deref())
            .map_err(|reason| ModelError::file(config_path, reason))?;
        let longest = options.max_tokens.min(config.longest());
        let pairs = Sequences::open(&folder.join("tokenizer.json"), &config, longest)?;
        let mut weights = Weights::open(&folder.join("model.safetensors"))?;
        let head = Head::read(&mut weights, &config)?;
        let encoder = Encoder::read(&mut weights, &config, Precision::Full)?;
        let own = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let name = format!("local::{}", own.unwrap_or_default());
        Ok(CrossEncoder { name, encoder, head, pairs, sigmoid })
    }

    /// The raw scores of a few pairs.
    fn logits(&self, batch: &[&Tokens]) -> Result<Vec<f32>, RerankError> {
        let scores = self.encoder.first_tokens(batch).and_then(|first| self.head.scores(&first));
        scores.map_err(|e| RerankError::Run { model: self.name.clone(), reason: e.to_string() })
    }
}

impl Reranker for CrossEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, RerankError> {
        let failed = |index, reason| RerankError::Tokenize { model: self.name.clone(), index, reason };
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.pairs.side(query).map_err(|reason| failed(0, reason))?;
        let join = |text: &&str| self.pairs.side(text).and_then(|text| self.pairs.join(query.clone(), Some(text)));
        let tokens = texts.par_iter().enumerate().map(|(i, text)| join(text).map_err(|reason| failed(i, reason)));
        let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
        let tasks = tasks(&tokens);
        let answers = tasks.par_iter().with_max_len(1).map(|task| {
            let batch: Vec<&Tokens> = task.iter().map(|&i| &tokens[i]).collect();
            self.logits(&batch)
        });
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        let mut scores = vec![0.0; texts.len()];
        for (task, answers) in tasks.iter().zip(answers) {
            for (&i, logit) in task.iter().zip(answers) {
                scores[i] = if self.sigmoid { 1.0 / (1.0 + (-logit).exp()) } else { logit };
            }
        }
        Ok(scores)
    }
}

/// Whether the raw score goes through the sigmoid.
fn sigmoid(scale: Scale, activation: Option<&str>) -> Result<bool, String> {
    match (scale, activation) {
        (Scale::Logit, _) => Ok(false),
        (Scale::Sigmoid, _) | (Scale::Model, None) => Ok(true),
        (Scale::Model, Some(name)) => match name.rsplit('.').next().unwrap_or(name) {
            "Identity" => Ok(false),
            "Sigmoid" => Ok(true),
            _ => Err(format!("the activation is {name}; set the scale to Scale::Logit or Scale::Sigmoid")),
        },
    }
}
