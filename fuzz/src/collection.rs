//! A small collection whose manifest is replaced.

use std::fs;
use std::path::{Path, PathBuf};

use gyeol::collection::NewDocument;
use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::{Collection, Embedder, Vectors};

/// A vector of the first letters.
pub struct Letters(ModelIdentity);

impl Letters {
    /// The embedder.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let (name, hash) = ("fuzz::letters".to_owned(), "00000000".to_owned());
        let (query_prefix, document_prefix) = (String::new(), String::new());
        Letters(ModelIdentity { name, hash, dim: 4, query_prefix, document_prefix })
    }
}

impl Embedder for Letters {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _: Role) -> Result<Embeddings, EmbedError> {
        let row = |text: &&str| {
            let mut row = [1.0f32; 4];
            row.iter_mut().zip(text.bytes()).for_each(|(x, b)| *x = f32::from(b) - 95.5);
            gyeol::vectors::normalize(&mut row);
            row
        };
        let rows: Vec<f32> = texts.iter().flat_map(row).collect();
        let vectors = Vectors::new(rows, 4)
            .map_err(|e| EmbedError::Answer { model: self.0.name.clone(), reason: e.to_string() })?;
        Ok(Embeddings::new(vectors, vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

/// Makes a collection of two segments, one with a deleted row.
pub fn make(path: &Path) {
    let _ = fs::remove_dir_all(path);
    let mut made = Collection::open_or_create(path, Letters::new()).expect("a collection");
    for part in [["alpha", "beta", "gamma"], ["delta", "epsilon", "zeta"]] {
        let document = |key: &str| NewDocument { key: key.into(), text: format!("{key} text"), ..Default::default() };
        made.upsert(&part.map(document)).expect("documents");
        made.commit().expect("a commit");
    }
    made.delete("beta").expect("a deletion");
    made.commit().expect("a commit");
}

/// Where a collection keeps its manifest.
pub fn manifest_file(path: &Path) -> PathBuf {
    path.join("manifest.json")
}

/// A collection's manifest, without its line of checksum.
pub fn manifest(path: &Path) -> Vec<u8> {
    let mut manifest = fs::read(manifest_file(path)).expect("a manifest");
    manifest.truncate(manifest.len() - 34);
    manifest
}
