//! A model of eight dimensions that takes no time, and collections with graphs over it.

use super::*;
use crate::embed::{Answer, Embeddings, ModelIdentity, Role};
use crate::error::EmbedError;
use crate::vectors::Vectors;

/// Each text has a vector of its own, as random as its hash.
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
        let vectors = Vectors::new(data, 8).unwrap();
        Ok(Embeddings::new(vectors, vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

/// Rows enough for a graph.
pub const MANY: usize = 4_200;

pub fn text(i: usize) -> String {
    format!("entry number {i}")
}

/// A collection with a graph, some rows without one, and some deleted of both.
pub fn with_graph(home: &Home) -> Collection {
    let mut collection = Collection::open_or_create(home.at(), Small::new()).unwrap();
    let documents =
        |range: std::ops::Range<usize>| range.map(|i| document(&i.to_string(), &text(i))).collect::<Vec<_>>();
    collection.upsert(&documents(0..MANY)).unwrap();
    collection.commit().unwrap();
    collection.upsert(&documents(MANY..MANY + 100)).unwrap();
    collection.delete("7").unwrap();
    collection.commit().unwrap();
    collection.delete(&(MANY + 7).to_string()).unwrap();
    collection.commit().unwrap();
    assert!(collection.wait_for_merges().unwrap().is_empty());
    collection
}

/// The files of vectors with this ending, the largest first.
pub fn vector_files(home: &Home, ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(home.at().join(snapshot::FOLDER)).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|f| f.extension().is_some_and(|e| e == ending)).collect();
    files.sort_by_key(|f| std::cmp::Reverse(fs::metadata(f).unwrap().len()));
    files
}

/// The exact answers of some queries.
pub fn answers(collection: &Collection) -> Vec<Vec<String>> {
    let ask = |i: usize| {
        let found = collection
            .search(&text(i))
            .mode(super::Mode::Dense)
            .k(5)
            .effort(crate::index::Effort::Exact)
            .run()
            .unwrap();
        found.into_iter().map(|hit| hit.key).collect()
    };
    [0, 7, 1_000, MANY - 1, MANY, MANY + 7, MANY + 99].into_iter().map(ask).collect()
}
