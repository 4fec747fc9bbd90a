//! An embedder that takes no time: a text's vector follows from a hash of its bytes.

use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::vectors::normalize;
use gyeol::{Embedder, Vectors};

const DIM: usize = 12;

pub struct Hashed(ModelIdentity);

impl Hashed {
    pub fn new() -> Self {
        let (hash, query_prefix, document_prefix) = Default::default();
        Hashed(ModelIdentity { name: "test::hashed".to_owned(), hash, dim: DIM, query_prefix, document_prefix })
    }
}

/// The vector of a text, of length 1.
pub fn vector(text: &str) -> Vec<f32> {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let mut random = Random(text.bytes().fold(0xCBF2_9CE4_8422_2325, fnv));
    let mut values: Vec<f32> = (0..DIM).map(|_| (random.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect();
    normalize(&mut values);
    values
}

impl Embedder for Hashed {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _: Role) -> Result<Embeddings, EmbedError> {
        let values = texts.iter().flat_map(|text| vector(text)).collect();
        let vectors = Vectors::new(values, DIM)
            .map_err(|e| EmbedError::Answer { model: self.0.name.clone(), reason: e.to_string() })?;
        Ok(Embeddings::new(vectors, vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split(' ').count()
    }
}

/// Numbers that follow from a seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}
