//! Filters answered by the document store, against the same filters on the chunks themselves.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};

use super::small::Small;
use super::*;
use crate::collection::filter::tests::{NAMES, TEXTS, filters, numbers};
use crate::collection::filter::{MAX_FILTERED_BYTES, MAX_NAME_BYTES, MAX_NESTING};
use crate::error::Error;

/// A collection and what it should hold: the chunks by their slots.
struct Model {
    collection: Collection,
    chunks: Vec<(u64, StoredChunk)>,
    next_slot: u64,
}

impl Model {
    fn new(home: &Home) -> Self {
        let collection = Collection::open_or_create(home.at(), Small::new()).unwrap();
        Model { collection, chunks: Vec::new(), next_slot: 0 }
    }

    fn add(&mut self, key: &str, path: Option<&str>, payload: &Json) {
        let payload = Arc::new(payload.as_object().unwrap().clone());
        let (key, path) = (key.to_owned(), path.map(str::to_owned));
        let headings = Vec::new();
        let chunk =
            StoredChunk { key, path, lines: (0, 0), bytes: (0, 0), headings, text: "text".into(), nth: 0, payload };
        self.collection.writer().unwrap().add(&chunk, None).unwrap();
        self.chunks.push((self.next_slot, chunk));
        self.next_slot += 1;
    }

    fn delete_key(&mut self, key: &str) {
        self.collection.delete_by(By::Key(key)).unwrap();
        self.chunks.retain(|(_, chunk)| chunk.key != key);
    }

    fn delete_file(&mut self, path: &str) {
        self.collection.delete_by(By::File(path)).unwrap();
        self.chunks.retain(|(_, chunk)| chunk.path.as_deref() != Some(path));
    }

    fn record(&mut self, file: &str) {
        let record = FileRecord {
            len: 1,
            modified_ns: 1,
            changed_ns: 1,
            read_ns: 1,
            hash: String::new(),
            chunks: 1,
            fields: None,
            skipped: Vec::new(),
        };
        self.collection.writer().unwrap().set_record(file, record).unwrap();
    }

    fn commit(&mut self) {
        self.collection.commit().unwrap();
    }

    fn expected(&self, filter: &Filter) -> Vec<u64> {
        let holds = |chunk: &StoredChunk| filter.matches(&chunk.key, chunk.path.as_deref(), &chunk.payload);
        self.chunks.iter().filter(|(_, chunk)| holds(chunk)).map(|(slot, _)| *slot).collect()
    }

    fn check(&self, filter: &Filter) {
        let documents = &self.collection.snapshot().unwrap().documents;
        let selected = documents.select(filter).unwrap_or_else(|e| panic!("{filter}: {e}"));
        assert_eq!(selected.slots, self.expected(filter), "{filter}");
        assert_eq!(selected.docs.len(), documents.segments().0);
        assert_eq!(selected.docs.iter().map(|docs| docs.count()).sum::<usize>(), selected.slots.len(), "{filter}");
        assert_eq!(self.collection.count(filter).unwrap(), selected.slots.len() as u64);
    }

    fn says(&self, expression: &str, keys: &[&str]) {
        let filter: Filter = expression.parse().unwrap();
        self.check(&filter);
        let selected = self.expected(&filter);
        let found: Vec<&str> =
            self.chunks.iter().filter(|(slot, _)| selected.contains(slot)).map(|(_, c)| c.key.as_str()).collect();
        assert_eq!(found, keys, "{expression}");
    }
}

fn payloads() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        6 => prop::sample::select(TEXTS.to_vec()).prop_map(Json::from),
        6 => numbers().prop_map(Json::Number),
        2 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => Just(Json::from("x".repeat(MAX_FILTERED_BYTES + 1))),
    ];
    let names = || prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
    let value = leaf.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((names(), inner), 0..3).prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    });
    let names = prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
    prop::collection::vec((names, value), 0..5).prop_map(|fields| Json::Object(Map::from_iter(fields)))
}

const KEYS: [&str; 6] = ["a", "ab", "한국어", "2024-01-15", "a/1", "z"];
const PATHS: [&str; 4] = ["a/1", "a/2.md", "한/글.md", "2024-01-15"];

/// Rounds of additions, deletions and updates, each committed and asked.
#[test]
fn the_store_selects_what_matches() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut draw = |n: usize| prop::collection::vec(payloads(), n).new_tree(&mut runner).unwrap().current();
    let all: Vec<Vec<Json>> = (0..8).map(|_| draw(30)).collect();
    let questions = prop::collection::vec(filters(), 1500).new_tree(&mut runner).unwrap().current();
    let (home, mut some) = (Home::new(&[]), 0);
    let mut model = Model::new(&home);
    for (round, payloads) in all.iter().enumerate() {
        for (i, payload) in payloads.iter().enumerate() {
            model.add(KEYS[i % KEYS.len()], PATHS.get((i + round) % 7).copied(), payload);
        }
        model.record(PATHS[round % PATHS.len()]);
        model.commit();
        match round % 4 {
            1 => model.delete_key(KEYS[round % KEYS.len()]),
            3 => model.delete_file(PATHS[round % PATHS.len()]),
            _ => {}
        }
        model.commit();
        for filter in questions.iter().skip(round % 4).step_by(4) {
            model.check(filter);
            let found = model.expected(filter).len();
            some += usize::from(found > 0 && found < model.chunks.len());
        }
    }
    // Most filters tell some chunks from others, or the test would show little.
    assert!(some > 500, "{some}");
    let segments = model.collection.snapshot().unwrap().documents.segments().0;
    assert!(segments > 1, "{segments}");
}

#[test]
fn numbers_beyond_the_mantissa_are_told_apart() {
    let home = Home::new(&[]);
    let mut model = Model::new(&home);
    let two_53 = 1i64 << 53;
    // One kind of number, then mixed with fractions and with both ends, which makes columns of f64.
    for (i, rest) in [vec![], vec![json!(0.5)], vec![json!(-1), json!(u64::MAX)]].into_iter().enumerate() {
        let numbers = [json!(two_53), json!(two_53 + 1), json!(two_53 + 2), json!(1), json!(i64::MAX)];
        for number in numbers.into_iter().chain(rest) {
            model.add(&format!("{i} {number}"), None, &json!({ "n": number }));
        }
        model.commit();
        for bound in ["9007199254740992", "9007199254740993", "9007199254740993.0", "9223372036854775806.0", "0.5", "1"]
        {
            for operator in ["=", "!=", "<", "<=", ">", ">="] {
                model.check(&format!("n {operator} {bound}").parse().unwrap());
            }
        }
        model.check(&"n between 9007199254740993 and 9007199254740993".parse().unwrap());
    }
    model.says("n = 9007199254740993", &["0 9007199254740993", "1 9007199254740993", "2 9007199254740993"]);
    model.says("n > 18446744073709551614", &["2 18446744073709551615"]);
    model.says("n > 0 and n < 1", &["1 0.5"]);
}

#[test]
fn dates_are_found_by_moment_and_by_text() {
    let home = Home::new(&[]);
    let mut model = Model::new(&home);
    for (key, at) in [
        ("day", "2024-01-15"),
        ("utc", "2024-01-15T10:00:00Z"),
        ("korea", "2024-01-15T19:00:00+09:00"),
        ("late", "2024-01-15T23:30:00-01:00"),
        ("old", "1492-10-12"),
        ("far", "2500-01-01T00:00:00.5Z"),
        ("none", "2024-01-15 or so"),
    ] {
        model.add(key, None, &json!({ "at": at }));
    }
    model.commit();
    model.says("at = 2024-01-15", &["day", "utc", "korea"]);
    model.says("at = 2024-01-15T10:00:00Z", &["utc", "korea"]);
    model.says("at = '2024-01-15T10:00:00Z'", &["utc"]);
    model.says("at > 2024-01-15", &["late", "far"]);
    model.says("at <= 2024-01-15", &["day", "utc", "korea", "old"]);
    model.says("at < 1500-01-01", &["old"]);
    model.says("at >= 2500-01-01T00:00:00.5Z", &["far"]);
    model.says("at between 1492-10-12 and 1492-10-12", &["old"]);
    model.says("at like '2024-01-15*'", &["day", "utc", "korea", "late", "none"]);
}

/// What is too long, too deep or under such a name is stored, and missing to filters; it harms nothing.
#[test]
fn what_is_not_offered_is_missing() {
    let home = Home::new(&[]);
    let mut model = Model::new(&home);
    let nested = |n: usize| (0..n).fold(json!("deep"), |value, _| json!({ "n": value }));
    let lists = |n: usize| (0..n).fold(json!("deep"), |value, _| json!([value]));
    let names = |n: usize| vec!["n"; n].join(".");
    let text = |n: usize| Json::from("x".repeat(n));
    let payload = json!({
        "long": text(MAX_FILTERED_BYTES + 1), "longest": [text(100_000)], "fits": text(MAX_FILTERED_BYTES),
        "n": nested(MAX_NESTING), "m": { "n": nested(MAX_NESTING) }, "lists": lists(MAX_NESTING), "more": lists(60),
        "": 1, "\u{0}": 1, "\u{1}": 1, ("k".repeat(MAX_NAME_BYTES)): 1, ("k".repeat(MAX_NAME_BYTES + 1)): 1,
        ("k".repeat(70_000)): { "a": 1 },
    });
    model.add("a", None, &payload);
    model.commit();
    let there = ["fits".into(), names(MAX_NESTING + 1), "lists".into(), "k".repeat(MAX_NAME_BYTES)];
    for name in there {
        model.says(&format!("exists {name}"), &["a"]);
    }
    let missing = ["long".into(), "longest".into(), format!("m.{}", names(MAX_NESTING + 1)), "more".into()];
    for name in missing {
        model.says(&format!("exists {name}"), &[]);
    }
    for name in ["", "\u{0}", "\u{1}", &"k".repeat(MAX_NAME_BYTES + 1), &"k".repeat(20_000)] {
        model.check(&Filter::payload([name]).exists());
    }
    model.check(&Filter::field(&names(30_000)).exists());
    assert_eq!(model.collection.get("a").unwrap()[0].payload, *payload.as_object().unwrap());
}

#[test]
fn many_documents_are_selected_in_one_segment() {
    let home = Home::new(&[]);
    let mut model = Model::new(&home);
    for i in 0..3_000u64 {
        let payload = match i % 3 {
            0 => json!({ "n": i, "tens": i * 10, "s": format!("s{}", i % 100), "tags": [i % 7, i % 5] }),
            1 => json!({ "n": i as f64 + 0.5, "s": [format!("s{}", i % 10), "both"] }),
            _ => json!({ "s": { "deep": i } }),
        };
        model.add(&format!("k{i}"), (i % 2 == 0).then_some("even").or(Some("odd")), &payload);
    }
    model.commit();
    for i in (0..3_000).step_by(11) {
        model.delete_key(&format!("k{i}"));
    }
    model.commit();
    for expression in [
        "n < 1500",
        "n >= 100 and n < 200.5",
        "s = 'both'",
        "s like 's?'",
        "s like 's*1'",
        "s > 's5'",
        "tags = 3",
        "tags between 5 and 6",
        "exists s",
        "exists s.deep",
        "exists tags",
        "not exists n",
        "path = 'even'",
        "path != 'odd'",
        "key like 'k1*'",
        "key like '*9'",
        "key > 'k5'",
        "exists path",
        "key in ('k1', 'k2', 'k11')",
        "s.deep > 1000",
    ] {
        model.check(&expression.parse().unwrap());
        assert!(!model.expected(&expression.parse().unwrap()).is_empty(), "{expression}");
    }
    for expression in
        ["tens between 31 and 59", "tens between 61 and 61", "tens < 0", "tens > 1e9", "s > 'z'", "s < 'a'"]
    {
        model.check(&expression.parse().unwrap());
    }
}

#[test]
fn a_filter_over_a_limit_is_refused() {
    let home = Home::new(&[]);
    let mut model = Model::new(&home);
    model.add("a", None, &json!({}));
    model.commit();
    let filter = Filter::field("a").one_of(0..20_000);
    assert!(matches!(model.collection.count(&filter), Err(Error::Collection(CollectionError::Filter(_)))));
    assert!(model.collection.snapshot().unwrap().documents.select(&filter).is_err());
    assert_eq!(model.collection.count(&Filter::all([])).unwrap(), 1);
}

/// A collection that an earlier build wrote is filtered too.
#[test]
fn an_earlier_collection_is_filtered() {
    let home = Home::new(&[]);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden/collection-1");
    for folder in ["", "documents", "vectors"] {
        fs::create_dir_all(home.at().join(folder)).unwrap();
        for entry in fs::read_dir(golden.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::copy(entry.path(), home.at().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let collection = Collection::open(home.at(), Small::new()).unwrap();
    let count = |expression: &str| collection.count(&expression.parse().unwrap()).unwrap();
    assert_eq!(count("lang = 'ko' and year >= 2020"), 1);
    assert_eq!((count("year < 2024"), count("year = 2024.0"), count("lang like 'k*'")), (0, 1, 1));
    assert_eq!((count("not exists lang"), count("key like '3?'"), count("exists path")), (39, 10, 0));
}
