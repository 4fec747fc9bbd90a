//! What a filter costs: milliseconds from the expression to the slots of the chunks that it selects.
//!
//! `cargo bench --bench filter [-- DOCUMENTS]` fills a collection in a temporary folder, by default with 300,000
//! documents of one chunk.

use std::time::Instant;

use gyeol::collection::NewDocument;
use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::{Collection, Embedder, Filter, Vectors};
use serde_json::json;

/// Documents that one call adds.
const BATCH: usize = 10_000;
/// Times that each filter is asked.
const ROUNDS: usize = 31;

/// Vectors that take no time, since none is searched.
struct Two(ModelIdentity);

impl Embedder for Two {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _role: Role) -> Result<Embeddings, EmbedError> {
        let row = |text: &&str| [1.0, text.len() as f32];
        let mut rows: Vec<f32> = texts.iter().flat_map(row).collect();
        rows.chunks_mut(2).for_each(|row| {
            gyeol::vectors::normalize(row);
        });
        let wrong = |e: gyeol::error::VectorsError| EmbedError::Answer { model: "two".into(), reason: e.to_string() };
        Ok(Embeddings::new(Vectors::new(rows, 2).map_err(wrong)?, vec![Answer::Embedded; texts.len()]))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

fn document(i: usize) -> NewDocument {
    let mixed = i.wrapping_mul(2_654_435_761) % 1_000_003;
    let payload = json!({
        "half": if mixed.is_multiple_of(2) { "ko" } else { "en" }, "hundredth": format!("c{}", mixed % 100), "n": mixed % 1_000,
        "score": (mixed % 1_000) as f64 + 0.25, "tags": [format!("t{}", mixed % 2), format!("u{}", mixed % 50)],
        "name": format!("name-{mixed:07}"), "day": format!("20{:02}-{:02}-15", mixed % 20, mixed % 12 + 1),
        "rare": if mixed.is_multiple_of(100) { json!(1) } else { json!(null) },
    });
    NewDocument {
        key: format!("notes/{:03}/{i}", mixed % 100),
        text: format!("entry {i}"),
        payload: payload.as_object().cloned().unwrap_or_default(),
    }
}

const FILTERS: [&str; 18] = [
    "half = \"ko\"",
    "hundredth = \"c7\"",
    "n < 500",
    "n between 100 and 109",
    "score >= 500",
    "tags contains \"t1\"",
    "half = \"ko\" and n < 500 and not hundredth = \"c7\"",
    "hundredth in (\"c1\", \"c2\", \"c3\", \"c4\")",
    "half like \"k*\"",
    "name like \"name-00*\"",
    "name like \"*7\"",
    "name >= \"name-0500000\"",
    "day >= 2010-01-01",
    "exists rare",
    "exists half",
    "key like \"notes/007/*\"",
    "key like \"*7\"",
    "half != \"ko\"",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(300_000usize);
    let folder = tempfile::tempdir()?;
    let [name, hash, query_prefix, document_prefix] = ["bench::two", "", "", ""].map(str::to_owned);
    let embedder = Two(ModelIdentity { name, hash, dim: 2, query_prefix, document_prefix });
    let started = Instant::now();
    let mut collection = Collection::open_or_create(folder.path().join("collection"), embedder)?;
    for from in (0..count).step_by(BATCH) {
        collection.upsert(&(from..count.min(from + BATCH)).map(document).collect::<Vec<_>>())?;
    }
    collection.commit()?;
    println!("{count} documents, filled in {:.1} s", started.elapsed().as_secs_f64());
    time(&collection)?;
    for i in (0..count).step_by(37) {
        collection.delete(&document(i).key)?;
    }
    collection.commit()?;
    println!("\none of 37 deleted");
    time(&collection)
}

fn time(collection: &Collection) -> Result<(), Box<dyn std::error::Error>> {
    println!("{:>10} {:>10} {:>10}  filter", "selected", "median ms", "fastest");
    for text in FILTERS {
        let filter: Filter = text.parse()?;
        let mut millis = Vec::with_capacity(ROUNDS);
        let mut selected = 0;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            selected = collection.count(&filter)?;
            millis.push(started.elapsed().as_secs_f64() * 1e3);
        }
        millis.sort_by(f64::total_cmp);
        println!("{selected:>10} {:>10.3} {:>10.3}  {text}", millis[ROUNDS / 2], millis[0]);
    }
    Ok(())
}
