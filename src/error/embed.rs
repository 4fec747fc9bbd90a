//! Models that cannot be opened, and texts that cannot be embedded.

use super::{HttpError, ModelError};

/// Text that cannot be embedded. Positions of texts count from 0, over the whole call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// A model whose provider is not known.
    #[error("{name}: no such model; a model is named PROVIDER::NAME, where PROVIDER is one of {known}")]
    UnknownModel {
        /// The name given.
        name: String,
        /// The providers that embed.
        known: String,
    },
    /// A provider that has chat models only.
    #[error("{name}: {provider} has no embedding models; take another provider: {known}")]
    ChatOnly {
        /// The name given.
        name: String,
        /// The provider.
        provider: &'static str,
        /// The providers that embed.
        known: String,
    },
    /// A model that this build cannot run.
    #[error("{name}: this build of gyeol has no {feature}; build it with the feature `{feature}`")]
    NotBuilt {
        /// The name given.
        name: String,
        /// The feature that is missing.
        feature: &'static str,
    },
    /// A setting that is missing, out of range, or not one of this model's.
    #[error("model {model}: {reason}")]
    Setting {
        /// The model's name.
        model: String,
        /// Which setting, and what is allowed.
        reason: String,
    },
    /// The model's files do not fit together or cannot be parsed.
    #[error("model {model}: {reason}")]
    Model {
        /// The model's name.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A local model whose files cannot be used.
    #[error(transparent)]
    Files(#[from] ModelError),
    /// A model that is not on this machine and cannot be fetched.
    #[error("model {model}: {reason}")]
    Download {
        /// The model's name.
        model: String,
        /// Why it cannot be fetched, and what to do.
        reason: String,
    },
    /// The tokeniser failed on one text.
    #[error("model {model}: text {index} cannot be tokenised: {reason}")]
    Tokenize {
        /// The model's name.
        model: String,
        /// The text's position in the call.
        index: usize,
        /// What the tokeniser said.
        reason: String,
    },
    /// The model could not be run.
    #[error("model {model}: {reason}")]
    Run {
        /// The model's name.
        model: String,
        /// What went wrong.
        reason: String,
    },
    /// The embedder returned something else than it promised.
    #[error("model {model}: {reason}")]
    Answer {
        /// The model's name.
        model: String,
        /// Which promise did not hold.
        reason: String,
    },
    /// A request that failed for good.
    #[error("model {model}: texts {first} to {last}: {source}")]
    Request {
        /// The model's name.
        model: String,
        /// The position of the first text of the request.
        first: usize,
        /// The position of its last one.
        last: usize,
        /// What went wrong.
        source: HttpError,
    },
    /// The provider's answer has another number of vectors than it was sent texts.
    #[error(
        "model {model}: {found} vectors for the {expected} texts {first} to {last}; \
         the server breaks its own protocol: nothing of this answer was taken"
    )]
    Count {
        /// The model's name.
        model: String,
        /// How many vectors came.
        found: usize,
        /// How many texts were sent.
        expected: usize,
        /// The position of the first text sent.
        first: usize,
        /// The position of the last one.
        last: usize,
    },
    /// The provider answered one text twice.
    #[error(
        "model {model}: two vectors for text {index}; the server breaks its own protocol: nothing of this answer was taken"
    )]
    Duplicate {
        /// The model's name.
        model: String,
        /// The text's position.
        index: usize,
    },
    /// The provider did not answer a text, or did not say which text an answer is for.
    #[error("model {model}: no vector for text {index}{detail}; nothing of this answer was taken")]
    Missing {
        /// The model's name.
        model: String,
        /// The text's position.
        index: usize,
        /// What came in its place.
        detail: String,
    },
    /// A vector that cannot be used.
    #[error("model {model}: the vector of text {index} {reason}; nothing of this answer was taken")]
    Vector {
        /// The model's name.
        model: String,
        /// The text's position.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A vector of another dimension than the ones before it.
    #[error(
        "model {model}: the vector of text {index} has {found} values where {expected} are expected; {hint}: nothing of this answer was taken"
    )]
    Dimension {
        /// The model's name.
        model: String,
        /// The text's position.
        index: usize,
        /// How many values it has.
        found: usize,
        /// How many were expected.
        expected: usize,
        /// What to do.
        hint: &'static str,
    },
    /// A text that was refused, where each text is needed.
    #[error("model {model}: text {index} was refused: {reason}")]
    Refused {
        /// The model's name.
        model: String,
        /// The text's position.
        index: usize,
        /// Why.
        reason: String,
    },
}

impl EmbedError {
    /// The error of a call whose first text is text `before` of a longer run.
    #[must_use]
    pub fn offset(mut self, before: usize) -> Self {
        match &mut self {
            EmbedError::Tokenize { index, .. }
            | EmbedError::Duplicate { index, .. }
            | EmbedError::Missing { index, .. }
            | EmbedError::Vector { index, .. }
            | EmbedError::Dimension { index, .. }
            | EmbedError::Refused { index, .. } => *index += before,
            EmbedError::Request { first, last, .. } | EmbedError::Count { first, last, .. } => {
                *first += before;
                *last += before;
            }
            _ => {}
        }
        self
    }
}
