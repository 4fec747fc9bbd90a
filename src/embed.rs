//! Texts in, vectors out: the [`Embedder`] trait, and the built-in model behind [`builtin`].

mod answer;
#[cfg(feature = "builtin")]
mod builtin;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "providers")]
mod known;
#[cfg(feature = "local")]
mod local;
mod name;
mod options;
#[cfg(feature = "providers")]
mod prices;
#[cfg(feature = "providers")]
mod remote;
mod truncated;
#[cfg(feature = "builtin")]
mod words;

use std::sync::Arc;

pub use answer::{Answer, EmbedProgress, Embeddings, Refusal, Usage};
#[cfg(feature = "builtin")]
pub use builtin::{Builtin, builtin};
#[cfg(feature = "hub")]
pub use hub::{HubOptions, OnDownload};
#[cfg(feature = "providers")]
pub use known::{KnownModel, models};
#[cfg(feature = "local")]
pub use local::{Local, LocalOptions};
pub use options::{ModelOptions, open};
#[cfg(feature = "providers")]
pub use prices::Prices;
#[cfg(feature = "providers")]
pub use remote::{Limits, OnProgress, Outcome, ProviderInfo, Remote, RemoteEmbedder, RemoteOptions, estimated_tokens};

use crate::error::EmbedError;

/// What a text is for: models that were trained with prefixes embed the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A text to be found.
    Document,
    /// A text to find others by.
    Query,
}

/// What makes two embedders interchangeable: vectors may be compared when all of this is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "collection", derive(serde::Serialize, serde::Deserialize))]
pub struct ModelIdentity {
    /// `provider::model`, for instance `builtin::static-koen`.
    pub name: String,
    /// A hash of the model's files, or whatever version the provider states; may be empty.
    pub hash: String,
    /// The number of values in a vector.
    pub dim: usize,
    /// What is put before a query.
    pub query_prefix: String,
    /// What is put before a document.
    pub document_prefix: String,
}

impl ModelIdentity {
    /// What is put before a text of this role.
    pub fn prefix(&self, role: Role) -> &str {
        match role {
            Role::Document => &self.document_prefix,
            Role::Query => &self.query_prefix,
        }
    }

    /// Whether vectors of the two may be compared: all is equal, or all but the name is and both are of files that are
    /// the same, wherever they lie (`local::` and `hf::` with one hash).
    pub fn is_interchangeable(&self, other: &ModelIdentity) -> bool {
        let of_files = |name: &str| name.starts_with("local::") || name.starts_with("hf::");
        let same_files = !self.hash.is_empty() && of_files(&self.name) && of_files(&other.name);
        (self.name == other.name || same_files)
            && (&self.hash, self.dim) == (&other.hash, other.dim)
            && (&self.query_prefix, &self.document_prefix) == (&other.query_prefix, &other.document_prefix)
    }
}

impl std::fmt::Display for ModelIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} dimensions", self.name, self.dim)?;
        let is_sum = self.hash.len() >= 32 && self.hash.bytes().all(|b| b.is_ascii_hexdigit());
        match self.hash.get(..8) {
            Some(short) if is_sum => write!(f, ", {short})"),
            _ if self.hash.is_empty() => write!(f, ")"),
            _ => write!(f, ", {})", self.hash),
        }
    }
}

/// A model that turns texts into vectors.
///
/// Batching is the embedder's own affair: [`Embedder::embed_many`] takes any number of texts,
/// splits them as the model or provider needs, and answers in the order given. No text is no work.
/// A blank text is not an error and never leaves the process: it is answered [`Answer::Blank`].
pub trait Embedder: Send + Sync {
    /// The model's identity; cheap, and the same for the embedder's whole life.
    fn identity(&self) -> &ModelIdentity;

    /// One vector of [`ModelIdentity::dim`] values a text, each of length 1, in the order of the texts.
    ///
    /// # Errors
    /// [`EmbedError`]; then no text of the call is answered.
    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError>;

    /// How many tokens of the model a text has: what chunks are measured by. May be an estimate,
    /// and is then never low.
    fn count_tokens(&self, text: &str) -> usize;

    /// How many texts to give it in one call where progress is to be shown and cancelling heard between calls: as many
    /// as take a second or a few. 4,096 if not said otherwise.
    fn texts_at_once(&self) -> usize {
        4096
    }
}

impl<E: Embedder + ?Sized> Embedder for Arc<E> {
    fn identity(&self) -> &ModelIdentity {
        (**self).identity()
    }

    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError> {
        (**self).embed_many(texts, role)
    }

    fn count_tokens(&self, text: &str) -> usize {
        (**self).count_tokens(text)
    }

    fn texts_at_once(&self) -> usize {
        (**self).texts_at_once()
    }
}

impl<E: Embedder + ?Sized> Embedder for Box<E> {
    fn identity(&self) -> &ModelIdentity {
        (**self).identity()
    }

    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError> {
        (**self).embed_many(texts, role)
    }

    fn count_tokens(&self, text: &str) -> usize {
        (**self).count_tokens(text)
    }

    fn texts_at_once(&self) -> usize {
        (**self).texts_at_once()
    }
}

/// [`Embedder::embed_many`] for anything that holds strings, with the answer's shape checked.
///
/// # Errors
/// [`EmbedError`] of the embedder; [`EmbedError::Answer`] when it breaks its promises on count or
/// dimension.
///
/// ```
/// # #[cfg(feature = "builtin")] {
/// use gyeol::embed::{Answer, Role, builtin, embed_many};
/// let answer = embed_many(&builtin(), &["고양이가 잔다", "  "], Role::Document)?;
/// assert_eq!((answer.vectors.len(), answer.vectors.dim()), (2, 256));
/// assert_eq!(answer.answers, [Answer::Embedded, Answer::Blank]);
/// # }
/// # Ok::<(), gyeol::Error>(())
/// ```
pub fn embed_many<S: AsRef<str>>(embedder: &dyn Embedder, texts: &[S], role: Role) -> Result<Embeddings, EmbedError> {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let answer = embedder.embed_many(&texts, role)?;
    let identity = embedder.identity();
    let broken = |reason| EmbedError::Answer { model: identity.name.clone(), reason };
    if answer.answers.len() != texts.len() || answer.vectors.len() != texts.len() {
        let counts = (answer.vectors.len(), answer.answers.len(), texts.len());
        return Err(broken(format!("{} vectors and {} answers for {} texts", counts.0, counts.1, counts.2)));
    }
    if answer.vectors.dim() != identity.dim {
        return Err(broken(format!("vectors of {} values where {} are promised", answer.vectors.dim(), identity.dim)));
    }
    Ok(answer)
}
