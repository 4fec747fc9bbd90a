//! A model of eight dimensions that takes no time: each text has a vector of its own, as random as its hash.

use gyeol::Vectors;
use gyeol::embed::{Answer, Embedder, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;

pub struct Small(ModelIdentity);

impl Small {
    pub fn new() -> Self {
        let [query_prefix, document_prefix, hash] = [const { String::new() }; 3];
        Small(ModelIdentity { name: "test::small".to_owned(), hash, dim: 8, query_prefix, document_prefix })
    }
}

impl Embedder for Small {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _role: Role) -> Result<Embeddings, EmbedError> {
        let mut data = Vec::with_capacity(8 * texts.len());
        for text in texts {
            let bytes = blake3::hash(text.as_bytes());
            let row: Vec<f32> = bytes.as_bytes()[..8].iter().map(|&b| f32::from(b) - 127.5).collect();
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            data.extend(row.iter().map(|x| x / length));
        }
        let broken =
            |e: gyeol::error::VectorsError| EmbedError::Answer { model: self.0.name.clone(), reason: e.to_string() };
        let vectors = Vectors::new(data, 8).map_err(broken)?;
        Ok(Embeddings::new(vectors, vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}
