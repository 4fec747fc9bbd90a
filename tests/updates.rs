//! A collection whose texts are replaced again and again stays as good and as small as one that was
//! made at once. A few rounds run always; a hundred, and more rows, take minutes and run on request:
//! `GYEOL_UPDATES=1 cargo test --release --test updates -- --nocapture`.

use std::fs;
use std::io::Write;
use std::path::Path;

use gyeol::collection::{NewDocument, Sample};
use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::vectors::normalize;
use gyeol::{Collection, Effort, Embedder, Vectors};

const TOPICS: u64 = 300;
const DIM: usize = 32;
const SEED: u64 = 7;
/// Beside the default, a recall where there is little room for luck.
const HIGH: f32 = 0.99;
/// This many queries are uncertain by about 0.003 at a recall of 0.96.
const QUERIES: u64 = 1_000;

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// About normal: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }
}

/// Texts of one topic are near each other: `topic T entry E ...`.
struct ByTopic(ModelIdentity);

impl ByTopic {
    fn new() -> Self {
        let name = "test::by-topic".to_owned();
        let (hash, query_prefix, document_prefix) = Default::default();
        ByTopic(ModelIdentity { name, hash, dim: DIM, query_prefix, document_prefix })
    }
}

fn number(text: &str, word: usize) -> u64 {
    text.split(' ').nth(word).and_then(|number| number.parse().ok()).unwrap()
}

impl Embedder for ByTopic {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _: Role) -> Result<Embeddings, EmbedError> {
        let mut values = Vec::with_capacity(texts.len() * DIM);
        for text in texts {
            let (mut topic, mut own) = (Random(number(text, 1)), Random(number(text, 3) << 20));
            let from = values.len();
            values.extend((0..DIM).map(|_| topic.normal() + 0.8 * own.normal()));
            normalize(&mut values[from..]);
        }
        Ok(Embeddings::new(Vectors::new(values, DIM).unwrap(), vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split(' ').count()
    }
}

/// The text with this number: none is like another.
fn text(entry: u64) -> String {
    let mut random = Random(entry);
    let topic = random.next() % TOPICS;
    let words = ["harvest", "engine", "river", "letter", "market", "winter", "glass", "stone", "music", "border"];
    let more: Vec<&str> = (0..30).map(|_| words[(random.next() % 10) as usize]).collect();
    format!("topic {topic} entry {entry} {}", more.join(" "))
}

fn documents(entries: &[(usize, u64)]) -> Vec<NewDocument> {
    let one = |&(key, entry): &(usize, u64)| NewDocument {
        key: format!("key {key}"),
        text: text(entry),
        ..NewDocument::default()
    };
    entries.iter().map(one).collect()
}

fn add(path: &Path, entries: &[(usize, u64)]) {
    let mut collection = Collection::open_or_create(path, ByTopic::new()).unwrap();
    collection.upsert(&documents(entries)).unwrap();
    collection.commit().unwrap();
    // Closing waits for the merges of the document store.
}

/// Bytes of the vectors and of the whole collection.
fn bytes(path: &Path) -> (u64, u64) {
    let of = |folder: &Path| -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().metadata().unwrap());
        entries.filter(|m| m.is_file()).map(|m| m.len()).sum()
    };
    let vectors = of(&path.join("vectors"));
    (vectors, vectors + of(&path.join("documents")) + of(path))
}

/// Recall@10 of searches that ask for a recall, and the rows compared.
fn recall(path: &Path, rows: usize, asked: f32) -> (f64, f64) {
    let queries: Vec<String> = (0..QUERIES).map(|i| text(1 << 40 | i)).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let collection = Collection::open(path, ByTopic::new()).unwrap();
    assert_eq!(collection.status().unwrap().documents, rows as u64);
    let measured = collection.measure_recall(Sample::Queries(&queries), 10, Effort::Recall(asked)).unwrap().unwrap();
    (measured.recall, measured.compared)
}

/// Replaces a tenth of the rows in each round, and compares the collection with one made of the same
/// rows at once.
fn replace(rows: usize, rounds: usize) {
    println!("{rows} rows, {rounds} rounds, seed {SEED}");
    let dir = tempfile::tempdir().unwrap();
    let (updated, fresh) = (dir.path().join("updated"), dir.path().join("fresh"));
    let mut entries: Vec<(usize, u64)> = (0..rows).map(|key| (key, key as u64)).collect();
    let mut random = Random(SEED);
    add(&updated, &entries);
    let replaced = rows / 10;
    for round in 1..=rounds {
        for i in 0..replaced {
            let other = i + random.next() as usize % (rows - i);
            entries.swap(i, other);
            entries[i].1 = (round * rows + i) as u64;
        }
        add(&updated, &entries[..replaced]);
        let _ = fs::remove_dir_all(&fresh);
        // In the order in which they came, so that the same rows make the same graph.
        let mut in_order = entries.clone();
        in_order.sort_by_key(|&(_, entry)| entry);
        add(&fresh, &in_order);
        let asked = Effort::DEFAULT_RECALL;
        let ((got, compared), (want, compared_fresh)) = (recall(&updated, rows, asked), recall(&fresh, rows, asked));
        let (high, high_fresh) = (recall(&updated, rows, HIGH).0, recall(&fresh, rows, HIGH).0);
        let ((vectors, all), (vectors_fresh, all_fresh)) = (bytes(&updated), bytes(&fresh));
        let (vectors, all) = (vectors as f64 / vectors_fresh as f64, all as f64 / all_fresh as f64);
        println!(
            "round {round}: recall@10 {got:.4} (fresh {want:.4}), asked for {HIGH}: {high:.4} (fresh {high_fresh:.4}), \
             rows compared {compared:.0} (fresh {compared_fresh:.0}), bytes of vectors {vectors:.3}, of all {all:.3} of a fresh build's"
        );
        // How far a graph goes beyond what was asked for is its calibration's luck, the fresh one's too.
        let enough = (want - 0.01).min(f64::from(asked));
        assert!(got >= enough, "round {round}: recall {got}, of a fresh build {want}");
        assert!(high >= high_fresh - 0.01, "round {round}: recall {high}, of a fresh build {high_fresh}");
        assert!(vectors <= 1.3 && all <= 1.3, "round {round}: {vectors}, {all}");
    }
}

/// Enough rows for a graph, which is searched beside new rows without one.
#[test]
fn replacing_rows_keeps_recall_and_size() {
    let rounds = if std::env::var_os("GYEOL_UPDATES").is_some() { 100 } else { 8 };
    replace(8_000, rounds);
}

/// Enough rows that those of each round have a graph of their own.
#[test]
fn replacing_rows_of_many_graphs_keeps_recall_and_size() {
    if std::env::var_os("GYEOL_UPDATES").is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: set GYEOL_UPDATES=1");
        return;
    }
    replace(50_000, 12);
}
