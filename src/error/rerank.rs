//! Models in a folder that cannot be used, and texts that cannot be reranked.

use std::io;
use std::path::PathBuf;

/// A local transformer model whose files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file of the model that cannot be read.
    #[error(
        "{path}: {source}; a model is a folder with config.json, tokenizer.json and model.safetensors",
        path = path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file that is broken, or asks for what is not supported.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is supported.
        reason: String,
    },
    /// A model of another kind.
    #[error("{path}: the architecture is {found}; supported are {supported}", path = path.display())]
    Architecture {
        /// The file that names it.
        path: PathBuf,
        /// What was found.
        found: String,
        /// The architectures that can be used here.
        supported: String,
    },
    /// A tensor that is missing, or not as config.json says.
    #[error(
        "{path}: tensor {name} is {found} where {expected} is expected; take model.safetensors and config.json from one model",
        path = path.display()
    )]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The type and shape that the model needs.
        expected: String,
        /// What the file has.
        found: String,
    },
}

impl ModelError {
    /// A file that is broken, or asks for what is not supported.
    #[cfg(feature = "local")]
    pub(crate) fn file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        ModelError::File { path: path.into(), reason: reason.into() }
    }
}

/// Texts that cannot be reranked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RerankError {
    /// The model's files cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model tells more than one thing of a pair, or nothing.
    #[error("{path}: the model gives {labels} values a pair; a reranker gives one: take a model that was trained for one label", path = path.display())]
    Labels {
        /// The model's weights.
        path: PathBuf,
        /// How many values its head gives.
        labels: usize,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The tokeniser failed on one text.
    #[error("reranker {model}: text {index} cannot be tokenised with the query: {reason}")]
    Tokenize {
        /// The reranker's name.
        model: String,
        /// The text's position in the call, from 0.
        index: usize,
        /// What the tokeniser said.
        reason: String,
    },
    /// The model could not be run.
    #[error("reranker {model}: {reason}")]
    Run {
        /// The reranker's name.
        model: String,
        /// What went wrong.
        reason: String,
    },
    /// The reranker gave another number of scores than texts were given.
    #[error("reranker {model}: {scores} scores for {texts} texts; a reranker must give one a text")]
    Count {
        /// The reranker's name.
        model: String,
        /// How many scores there are.
        scores: usize,
        /// How many texts were given.
        texts: usize,
    },
    /// A score that is NaN or infinite, by which nothing can be ordered.
    #[error(
        "reranker {model}: the score of text {index} is {value}; its weights are broken: take the model's files anew"
    )]
    NotFinite {
        /// The reranker's name.
        model: String,
        /// The text's position in the call, from 0.
        index: usize,
        /// The score.
        value: f32,
    },
}
