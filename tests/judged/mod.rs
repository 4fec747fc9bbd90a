//! A judged collection: documents, queries, and which documents answer which query.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Three files of a folder: `docs.jsonl` (`key`, `text`), `queries.jsonl` (`id`, `text`) and
/// `qrels.tsv` (query id, key of a document that answers it).
pub struct Judged {
    pub docs: PathBuf,
    pub queries: Vec<Query>,
}

/// A query and the keys of the documents that answer it.
pub struct Query {
    pub text: String,
    pub relevant: HashSet<String>,
}

impl Judged {
    /// Reads the three files. Queries without an answer are left out.
    pub fn load(folder: &Path) -> Self {
        let mut relevant: HashMap<String, HashSet<String>> = HashMap::new();
        for line in read(&folder.join("qrels.tsv")).lines() {
            let (id, key) = line.split_once('\t').expect("query id, tab, key");
            relevant.entry(id.to_owned()).or_default().insert(key.to_owned());
        }
        let mut queries = Vec::new();
        for line in read(&folder.join("queries.jsonl")).lines() {
            let query: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
            if let Some(relevant) = relevant.remove(query["id"].as_str().expect("id")) {
                queries.push(Query { text: query["text"].as_str().expect("text").to_owned(), relevant });
            }
        }
        Judged { docs: folder.join("docs.jsonl"), queries }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Query {
    /// nDCG@10 with binary gains (Järvelin and Kekäläinen, 2002) of keys, best first. A document
    /// counts where its best chunk stands.
    pub fn ndcg_at_10(&self, keys: impl IntoIterator<Item = String>) -> f64 {
        let discount = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
        let mut seen = HashSet::new();
        let documents = keys.into_iter().filter(|key| seen.insert(key.clone())).take(10);
        let gain: f64 =
            documents.enumerate().filter(|(_, key)| self.relevant.contains(key)).map(|(rank, _)| discount(rank)).sum();
        gain / (0..self.relevant.len().min(10)).map(discount).sum::<f64>()
    }
}
