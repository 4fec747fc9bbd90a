//! The terms of the search by words: what they find, what they weigh, what they cost; and how fast 300,000 chunks answer.
//!
//!     cargo bench --bench words

#[path = "../tests/corpora/mod.rs"]
mod corpora;
#[path = "../tests/judged/mod.rs"]
mod judged;
#[path = "../tests/small/mod.rs"]
mod small;

use std::path::Path;
use std::time::Instant;

use gyeol::Collection;
use gyeol::collection::{Mode, NewDocument};
use gyeol::embed::{Embedder, builtin};
use gyeol::text::{self, ChunkSize, Chunker, Document, Fields, lexical_terms, query_terms};
use judged::{Judged, Query};
use rust_stemmers::{Algorithm, Stemmer};
use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, TermQuery};
use tantivy::schema::{
    IndexRecordOption, STORED, STRING, Schema, TantivyDocument, TextFieldIndexing, TextOptions, Value,
};
use tantivy::space_usage::SegmentSpaceUsage;
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{Index, IndexSettings, Term};

/// Chunks that are asked for the time that an answer takes.
const CHUNKS: usize = 300_000;
/// How many queries of each kind are asked then.
const ASKED: usize = 300;

/// A way of making terms.
struct Scheme {
    name: &'static str,
    terms: fn(&str) -> Vec<String>,
    query: fn(&str) -> Vec<(String, f32)>,
}

const SCHEMES: [Scheme; 4] = [
    Scheme { name: "words between spaces", terms: spaced, query: |query| even(spaced(query)) },
    Scheme { name: "pairs and Porter2", terms: pairs, query: |query| even(pairs(query)) },
    Scheme { name: "gyeol's terms, each counting 1", terms: gyeol, query: |query| even(gyeol(query)) },
    Scheme { name: "gyeol", terms: gyeol, query: query_terms },
];

fn spaced(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

fn pairs(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut terms = Vec::new();
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        for part in
            run.chars().collect::<Vec<_>>().chunk_by(|a, b| ('가'..='힣').contains(a) == ('가'..='힣').contains(b))
        {
            match part {
                ['가'..='힣', _, ..] => terms.extend(part.windows(2).map(String::from_iter)),
                _ => terms.push(stemmer.stem(&String::from_iter(part).to_lowercase()).into_owned()),
            }
        }
    }
    terms
}

fn gyeol(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    lexical_terms(text, |term, _| terms.push(term.to_owned()));
    terms
}

fn even(mut terms: Vec<String>) -> Vec<(String, f32)> {
    terms.sort_unstable();
    terms.dedup();
    terms.into_iter().map(|term| (term, 1.0)).collect()
}

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    if !corpora::converted(dir.path()) {
        return;
    }
    println!("| collection | terms | nDCG@10 whole | 64 tokens | index MB of 64 tokens | MB/s of terms, one core |");
    println!("|---|---|---|---|---|---|");
    let sets = ["korquad", "cranfield"].map(|name| (name, Judged::load(&dir.path().join(name))));
    for (name, set) in &sets {
        let whole = texts(&set.docs, ChunkSize::Whole);
        let cut = texts(&set.docs, ChunkSize::Tokens(64));
        for scheme in &SCHEMES {
            let (found, _) = measure(&whole, set, scheme);
            let (found_cut, bytes) = measure(&cut, set, scheme);
            let speed = speed(&whole, scheme);
            println!("| {name} | {} | {found:.1} | {found_cut:.1} | {:.2} | {speed:.1} |", scheme.name, bytes / 1e6);
        }
    }
    let mut chunks = Vec::new();
    for name in ["korquad", "cranfield", "ag_news"] {
        chunks.extend(texts(&dir.path().join(name).join("docs.jsonl"), ChunkSize::Tokens(64)));
    }
    answers(&chunks, &sets.map(|(name, set)| (name, set.queries)));
}

/// The documents of a collection, whole or in chunks: `(key, text)`.
fn texts(docs: &Path, size: ChunkSize) -> Vec<(String, String)> {
    let model = builtin();
    let count = |text: &str| model.count_tokens(text);
    let chunker = Chunker::new(size, &count).expect("a size");
    let walk = text::walk(docs.parent().unwrap_or(docs), None).expect("the folder");
    let entry = walk.entries.iter().find(|entry| entry.path == docs).expect("documents");
    let documents = text::read(entry, &Fields::default()).expect("JSON Lines").documents;
    let cut = |document: &Document| {
        let key = document.key.clone().unwrap_or_default();
        chunker.chunks(document).into_iter().map(|chunk| (key.clone(), chunk.text)).collect::<Vec<_>>()
    };
    documents.iter().flat_map(cut).collect()
}

/// Mean nDCG@10 in percent, and the bytes of terms and postings.
fn measure(texts: &[(String, String)], set: &Judged, scheme: &Scheme) -> (f64, f64) {
    let mut schema = Schema::builder();
    let key = schema.add_text_field("key", STRING | STORED);
    let words = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let body = schema.add_text_field("body", TextOptions::default().set_indexing_options(words));
    let directory = RamDirectory::create();
    let index = Index::create(directory, schema.build(), IndexSettings::default()).expect("an index");
    let mut writer = index.writer_with_num_threads(1, 100 << 20).expect("a writer");
    for (of, text) in texts {
        let token = |(position, text)| Token { position, text, position_length: 1, ..Token::default() };
        let tokens = (scheme.terms)(text).into_iter().enumerate().map(token).collect();
        let mut document = TantivyDocument::new();
        document.add_text(key, of);
        document.add_pre_tokenized_text(body, PreTokenizedString { text: String::new(), tokens });
        writer.add_document(document).expect("a document");
    }
    writer.commit().expect("a commit");
    let searcher = index.reader().expect("a reader").searcher();
    let ndcg = |query: &Query| {
        let clause = |(term, counts): (String, f32)| -> (Occur, Box<dyn tantivy::query::Query>) {
            let term = TermQuery::new(Term::from_field_text(body, &term), IndexRecordOption::WithFreqs);
            (Occur::Should, Box::new(BoostQuery::new(Box::new(term), counts)))
        };
        let asked = BooleanQuery::new((scheme.query)(&query.text).into_iter().map(clause).collect());
        let found = searcher.search(&asked, &TopDocs::with_limit(100).order_by_score()).expect("an answer");
        query.ndcg_at_10(found.into_iter().map(|(_, address)| {
            let document: TantivyDocument = searcher.doc(address).expect("a document");
            document.get_first(key).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        }))
    };
    let mean = 100.0 * set.queries.iter().map(ndcg).sum::<f64>() / set.queries.len() as f64;
    let segments = searcher.space_usage().expect("the sizes");
    let of_words = |segment: &SegmentSpaceUsage| {
        [segment.termdict(), segment.postings(), segment.positions()]
            .map(|part| part.total().get_bytes())
            .iter()
            .sum::<u64>()
    };
    let bytes: u64 = segments.segments().iter().map(of_words).sum();
    (mean, bytes as f64)
}

/// Megabytes a second of processor time on one core, the best of five.
fn speed(texts: &[(String, String)], scheme: &Scheme) -> f64 {
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let round = || {
        let started = Instant::now();
        let terms: usize = texts.iter().map(|(_, text)| (scheme.terms)(text).len()).sum();
        assert!(terms > 0);
        started.elapsed().as_secs_f64()
    };
    bytes as f64 / 1e6 / (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// Asks a collection of many chunks, each the first half of one real chunk and the second of another.
fn answers(chunks: &[(String, String)], queries: &[(&str, Vec<Query>)]) {
    let halves: Vec<(&str, &str)> = chunks
        .iter()
        .map(|(_, text)| {
            let middle = text.floor_char_boundary(text.len() / 2);
            text.split_at(text[middle..].find(' ').map_or(text.len(), |space| middle + space))
        })
        .collect();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut collection =
        Collection::open_or_create_with(home.path(), small::Small::new(), ChunkSize::Whole).expect("one");
    let mixed = |nth: usize| {
        let (turn, at) = (nth / chunks.len(), nth % chunks.len());
        // Near ones, which are mostly of the same collection and language.
        let text = format!("{}{}", halves[at].0, halves[(at + 7 * turn) % chunks.len()].1);
        NewDocument { key: nth.to_string(), text, ..NewDocument::default() }
    };
    for from in (0..CHUNKS).step_by(20_000) {
        let some: Vec<NewDocument> = (from..CHUNKS.min(from + 20_000)).map(mixed).collect();
        collection.upsert(&some).expect("new texts");
    }
    collection.commit().expect("a commit");
    println!(
        "\n{CHUNKS} chunks, {} segments, top 10 with their texts\n",
        collection.status().expect("status").segments
    );
    println!("| queries | asked | p50 ms | p99 ms |\n|---|---|---|---|");
    let whole = queries.iter().map(|(name, all)| (*name, all.iter().map(|query| query.text.clone()).collect()));
    let syllables = "물 강 산 불 말 집 책 왕 길 꽃 달 별 눈 땅 손 이 그 수".split(' ').map(str::to_owned).collect();
    for (name, texts) in whole.chain([("one syllable", syllables)]) {
        let texts: Vec<String> = texts;
        let mut times: Vec<f64> = texts.iter().take(ASKED).map(|text| answer(&collection, text)).collect();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| 1e3 * times[(times.len() * part / 100).min(times.len() - 1)];
        println!("| {name} | {} | {:.2} | {:.2} |", times.len(), at(50), at(99));
    }
}

/// Seconds of a query, the best of five.
fn answer(collection: &Collection, query: &str) -> f64 {
    let ask = || {
        let started = Instant::now();
        let found = collection.search(query).mode(Mode::Lexical).k(10).run().expect("an answer");
        assert_eq!(found.hits.len(), 10, "{query}");
        started.elapsed().as_secs_f64()
    };
    (0..5).map(|_| ask()).fold(f64::INFINITY, f64::min)
}
