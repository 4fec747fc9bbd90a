//! The first values of another model's vectors (Matryoshka representations, Kusupati et al. 2022).

use super::{Answer, Embedder, Embeddings, ModelIdentity, Role};
use crate::error::EmbedError;
use crate::vectors::{Vectors, normalize};

/// A model of which the first values are kept, scaled to length 1.
struct Truncated {
    model: Box<dyn Embedder>,
    identity: ModelIdentity,
}

/// The first `dim` values of a model's vectors.
pub(super) fn first(model: Box<dyn Embedder>, dim: usize) -> Result<Box<dyn Embedder>, EmbedError> {
    let own = model.identity();
    if dim == 0 || dim > own.dim {
        let reason = format!("dimensions is {dim}; it must be 1 to {}", own.dim);
        return Err(EmbedError::Setting { model: own.name.clone(), reason });
    }
    if dim == own.dim {
        return Ok(model);
    }
    let identity = ModelIdentity { dim, ..own.clone() };
    Ok(Box::new(Truncated { model, identity }))
}

impl Embedder for Truncated {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError> {
        let Embeddings { vectors, mut answers, refusals, from_cache, usage } = self.model.embed_many(texts, role)?;
        let dim = self.identity.dim;
        let mut values = Vec::with_capacity(vectors.len() * dim);
        for (i, answer) in answers.iter_mut().enumerate() {
            let from = values.len();
            values.extend_from_slice(&vectors.row(i)[..dim]);
            if normalize(&mut values[from..]) == 0.0 && *answer == Answer::Embedded {
                *answer = Answer::NoKnownToken;
            }
        }
        let vectors = Vectors::new(values, dim)
            .map_err(|e| EmbedError::Run { model: self.identity.name.clone(), reason: e.to_string() })?;
        Ok(Embeddings { vectors, answers, refusals, from_cache, usage })
    }

    fn count_tokens(&self, text: &str) -> usize {
        self.model.count_tokens(text)
    }

    fn texts_at_once(&self) -> usize {
        self.model.texts_at_once()
    }
}
