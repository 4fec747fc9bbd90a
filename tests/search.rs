//! Every search is what comparing everything one by one gives: filters, modes, fusion, thresholds, documents, variety,
//! pages, what is like and unlike.

mod small;

use std::collections::{BTreeMap, HashMap};

use gyeol::collection::{Found, Fusion, Mode, NewDocument, Search, Target};
use gyeol::embed::{Embedder, Role};
use gyeol::rerank::Reranker;
use gyeol::{Collection, Effort, Filter};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use small::Small;

const DOCUMENTS: usize = 60;
const WORDS: [&str; 9] = ["tide", "moon", "harbour", "바다", "조수", "달빛", "storm", "rope", "sail"];
const FILTERS: [&str; 7] = [
    "key like \"*\"",
    "n < 30",
    "lang = \"ko\"",
    "lang = \"en\" and not tags contains \"a\"",
    "tags contains \"a\" or n >= 55",
    "n = 17",
    "exists nothing",
];

/// One chunk, as the test knows it.
#[derive(Clone)]
struct Chunk {
    key: String,
    text: String,
    payload: Map<String, Value>,
    vector: Vec<f32>,
}

struct World {
    _folder: tempfile::TempDir,
    collection: Collection,
    chunks: Vec<Chunk>,
}

fn text(i: usize, version: usize) -> String {
    let words = 5 + (i * 37 + version * 11) % 150;
    // Every chunk has a word of its own.
    let word = |j: usize| match j % 16 {
        0 => format!("entry{i}x{j}"),
        _ => WORDS[(i * i + j * j * 3 + j * (i % 7) + version) % WORDS.len()].to_owned(),
    };
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

fn payload(i: usize) -> Map<String, Value> {
    let lang = if i.is_multiple_of(3) { "ko" } else { "en" };
    let tags = [json!(["a", "b"]), json!(["b"]), json!([])][i % 3].clone();
    let Value::Object(payload) = json!({"n": i, "lang": lang, "tags": tags}) else { unreachable!() };
    payload
}

/// Several commits, with documents replaced and deleted on the way.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut collection = Collection::open_or_create(folder.path().join("c"), Small::new()).unwrap();
    let document =
        |i: usize, version| NewDocument { key: format!("d{i}"), text: text(i, version), payload: payload(i) };
    for from in [0, 20, 40] {
        collection.upsert(&(from..from + 20).map(|i| document(i, 0)).collect::<Vec<_>>()).unwrap();
        collection.commit().unwrap();
    }
    collection.upsert(&(0..DOCUMENTS).step_by(7).map(|i| document(i, 1)).collect::<Vec<_>>()).unwrap();
    collection.delete("d5").unwrap();
    collection.delete("d41").unwrap();
    collection.commit().unwrap();
    // In the order in which they were added: what was replaced comes last.
    let order = (0..DOCUMENTS).filter(|i| i % 7 != 0).chain((0..DOCUMENTS).step_by(7));
    let chunks = order.flat_map(|i| collection.get(&format!("d{i}")).unwrap()).map(|hit| Chunk {
        vector: vector(&hit.text),
        key: hit.key,
        text: hit.text,
        payload: hit.payload,
    });
    let chunks: Vec<Chunk> = chunks.collect();
    assert!(chunks.len() > 90 && chunks.len() < 200, "{} chunks", chunks.len());
    World { _folder: folder, collection, chunks }
}

fn vector(text: &str) -> Vec<f32> {
    Small::new().embed_many(&[text], Role::Query).unwrap().vectors.row(0).to_vec()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

/// What a search is asked to do.
#[derive(Clone, Debug)]
struct Plan {
    query: String,
    mode: u8,
    lexical: f32,
    /// By ranks with this k, else by scores.
    ranks: Option<f32>,
    filter: Option<usize>,
    k: usize,
    min_score: Option<f32>,
    per_document: Option<usize>,
    mmr: Option<f32>,
    like: Option<usize>,
    unlike: Option<usize>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let some = |range: std::ops::Range<usize>| proptest::option::of(range);
    let query = (0..WORDS.len(), 0..WORDS.len()).prop_map(|(a, b)| format!("{} {}", WORDS[a], WORDS[b]));
    let shape = (some(1..4), proptest::option::weighted(0.3, 0.0f32..=1.0), proptest::option::of(-0.5f32..1.0));
    let targets = (proptest::option::weighted(0.2, 0..DOCUMENTS), proptest::option::weighted(0.2, 0..DOCUMENTS));
    let fusion = (0.0f32..=1.0, proptest::option::weighted(0.3, 1.0f32..100.0));
    (query, 0..3u8, fusion, some(0..FILTERS.len()), 1..40usize, shape, targets).prop_map(
        |(query, mode, (lexical, ranks), filter, k, (per_document, mmr, min_score), (like, unlike))| Plan {
            query,
            mode,
            lexical,
            ranks,
            filter,
            k,
            // With these, ranks are counted among ever more candidates.
            min_score: min_score.filter(|_| ranks.is_none()),
            per_document: per_document.filter(|_| ranks.is_none()),
            mmr: mmr.filter(|_| ranks.is_none()),
            like,
            unlike,
        },
    )
}

/// A chunk with its score.
type Scored = (usize, f32);

/// What comparing everything gives: all that pass, best first, before variety and `k`.
fn expected(world: &World, plan: &Plan, words: &HashMap<String, f32>) -> Vec<Scored> {
    let filter: Option<Filter> = plan.filter.map(|f| FILTERS[f].parse().unwrap());
    let like = plan.like.map(|i| format!("d{i}"));
    let mut query = match &like {
        Some(key) => mean(world, key),
        None => vector(&plan.query),
    };
    if let Some(i) = plan.unlike {
        let away = mean(world, &format!("d{i}"));
        query.iter_mut().zip(&away).for_each(|(x, y)| *x -= 0.5 * y);
    }
    let passes = |chunk: &Chunk| filter.as_ref().is_none_or(|f| f.matches(&chunk.key, None, &chunk.payload));
    let all: Vec<usize> = (0..world.chunks.len()).filter(|&i| passes(&world.chunks[i])).collect();
    let all: Vec<usize> = all.into_iter().filter(|&i| Some(&world.chunks[i].key) != like.as_ref()).collect();
    let of_words = |i: usize| words.get(&world.chunks[i].text).copied();
    let best = all.iter().filter_map(|&i| of_words(i)).fold(0.0f32, f32::max);
    let dense = |i: usize| cosine(&query, &world.chunks[i].vector);
    let mut out: Vec<Scored> = match (plan.mode, like.is_some()) {
        (0, _) | (_, true) => all.iter().map(|&i| (i, dense(i))).collect(),
        (1, _) => all.iter().filter_map(|&i| Some((i, of_words(i)?))).collect(),
        _ if plan.ranks.is_some() => {
            let k = plan.ranks.unwrap();
            let by_meaning = ranks(&all, |i| Some(dense(i)));
            let by_words = ranks(&all, of_words);
            let share = |weight: f32, rank: Option<&usize>| rank.map_or(0.0, |&rank| weight / (k + rank as f32));
            let score =
                |i: usize| share(plan.lexical, by_words.get(&i)) + share(1.0 - plan.lexical, by_meaning.get(&i));
            all.iter().map(|&i| (i, score(i))).collect()
        }
        _ => {
            let share = |i| if best > 0.0 { of_words(i).unwrap_or(0.0) / best } else { 0.0 };
            all.iter().map(|&i| (i, plan.lexical * share(i) + (1.0 - plan.lexical) * dense(i))).collect()
        }
    };
    out.retain(|c| plan.min_score.is_none_or(|least| c.1 >= least));
    out.sort_by(|a, b| b.1.total_cmp(&a.1));
    if let Some(most) = plan.per_document {
        let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
        out.retain(|c| {
            let count = kept.entry(&world.chunks[c.0].key).or_default();
            *count += 1;
            *count <= most
        });
    }
    out
}

/// The ranks of the best hundred of those that have a score, from 1; of equal ones the first added has the first.
fn ranks(all: &[usize], score: impl Fn(usize) -> Option<f32>) -> HashMap<usize, usize> {
    let mut scored: Vec<Scored> = all.iter().filter_map(|&i| Some((i, score(i)?))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.into_iter().take(Fusion::POOL).zip(1..).map(|((i, _), rank)| (i, rank)).collect()
}

fn mean(world: &World, key: &str) -> Vec<f32> {
    let mut sum = [0.0; 8];
    for chunk in world.chunks.iter().filter(|c| c.key == key) {
        sum.iter_mut().zip(&chunk.vector).for_each(|(s, x)| *s += x);
    }
    let length = sum.iter().map(|x| x * x).sum::<f32>().sqrt();
    sum.iter().map(|x| x / length).collect()
}

fn variety(world: &World, mut left: Vec<Scored>, lambda: f32, wanted: usize) -> Vec<Scored> {
    left.truncate(200);
    let (best, worst) = (left.first().map_or(0.0, |c| c.1), left.last().map_or(0.0, |c| c.1));
    let width = if best > worst { best - worst } else { 1.0 };
    let mut taken: Vec<Scored> = Vec::new();
    while taken.len() < wanted && !left.is_empty() {
        let gain = |c: &Scored| {
            let near = |t: &Scored| cosine(&world.chunks[c.0].vector, &world.chunks[t.0].vector);
            lambda * (c.1 - worst) / width - (1.0 - lambda) * taken.iter().map(near).fold(0.0, f32::max)
        };
        let next = (0..left.len()).max_by(|&a, &b| gain(&left[a]).total_cmp(&gain(&left[b])).then(b.cmp(&a))).unwrap();
        taken.push(left.remove(next));
    }
    taken
}

fn search<'a>(world: &'a World, plan: &'a Plan, key: &'a [String; 2], filter: Option<&'a Filter>) -> Search<'a> {
    let target = if plan.like.is_some() { Target::Key(&key[0]) } else { Target::Text(&plan.query) };
    let mode = [Mode::Dense, Mode::Lexical, Mode::Hybrid][usize::from(plan.mode)];
    let mut search = world.collection.search_for(target).mode(mode).effort(Effort::Exact).k(plan.k);
    search = search.fusion(match plan.ranks {
        Some(k) => Fusion::Ranks { lexical: plan.lexical, k },
        None => Fusion::Scores { lexical: plan.lexical },
    });
    if let Some(filter) = filter {
        search = search.filter(filter);
    }
    if let Some(least) = plan.min_score {
        search = search.min_score(least);
    }
    if let Some(most) = plan.per_document {
        search = search.per_document(most);
    }
    if let Some(lambda) = plan.mmr {
        search = search.mmr(lambda);
    }
    if plan.unlike.is_some() {
        search = search.unlike(Target::Key(&key[1]));
    }
    search
}

/// Whether hits are the chunks wanted, but for the order of those that are as good.
fn same(found: &Found, want: &[Scored], world: &World) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.hits.len(), want.len());
    for (hit, want) in found.hits.iter().zip(want) {
        prop_assert!((hit.score - want.1).abs() < 1e-4, "{} for {}", hit.score, want.1);
        let as_good = world.chunks[want.0].text == hit.text || (hit.score - want.1).abs() < 1e-4;
        prop_assert!(as_good, "{} for {}", hit.text, world.chunks[want.0].text);
    }
    let mut texts: Vec<&str> = found.hits.iter().map(|hit| hit.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    prop_assert_eq!(texts.len(), found.hits.len(), "no hit stands twice");
    Ok(())
}

#[test]
fn searches_are_what_comparing_everything_gives() {
    let world = world();
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let done = runner.run(&plan(), |plan| {
        let gone = |i: &usize| [5, 41].contains(i);
        prop_assume!(!plan.like.iter().chain(&plan.unlike).any(gone));
        let filter: Option<Filter> = plan.filter.map(|f| FILTERS[f].parse().unwrap());
        let keys = [plan.like, plan.unlike].map(|i| format!("d{}", i.unwrap_or(0)));
        let words = world.collection.search(&plan.query).mode(Mode::Lexical).all().run().unwrap();
        let words: HashMap<String, f32> = words.hits.into_iter().map(|hit| (hit.text, hit.score)).collect();
        let found = search(&world, &plan, &keys, filter.as_ref()).run().unwrap();
        let mut want = expected(&world, &plan, &words);
        if let Some(lambda) = plan.mmr {
            want = variety(&world, want, lambda, plan.k);
        }
        want.truncate(plan.k);
        if let Some(filter) = &filter {
            let passing = world.chunks.iter().filter(|c| filter.matches(&c.key, None, &c.payload)).count();
            prop_assert_eq!(found.matches, Some(passing as u64));
        }
        // Two gains that are nearly the same may be taken in either order, and all after them be others.
        if plan.mmr.is_some() {
            prop_assert_eq!(found.hits.len(), want.len());
            return Ok(());
        }
        same(&found, &want, &world)
    });
    done.unwrap();
}

#[test]
fn variety_takes_what_the_rule_says() {
    let world = world();
    for (lambda, query) in [(0.5, "tide moon"), (0.2, "바다"), (1.0, "rope"), (0.0, "storm sail")] {
        let plan = Plan {
            query: query.to_owned(),
            mode: 0,
            lexical: 0.5,
            ranks: None,
            filter: None,
            k: 12,
            min_score: None,
            per_document: None,
            mmr: Some(lambda),
            like: None,
            unlike: None,
        };
        let keys = [String::new(), String::new()];
        let found = search(&world, &plan, &keys, None).run().unwrap();
        let want = variety(&world, expected(&world, &plan, &HashMap::new()), lambda, 12);
        let want: Vec<&str> = want.iter().map(|c| world.chunks[c.0].text.as_str()).collect();
        assert_eq!(found.hits.iter().map(|hit| hit.text.as_str()).collect::<Vec<_>>(), want, "{lambda}");
    }
}

#[test]
fn pages_put_together_are_one_long_page() {
    let world = world();
    let filter: Filter = FILTERS[1].parse().unwrap();
    for mode in [Mode::Dense, Mode::Lexical, Mode::Hybrid] {
        for (mmr, per_document) in [(None, None), (None, Some(1)), (Some(0.6), None), (Some(0.6), Some(2))] {
            let search = |k: usize| {
                let mut search = world.collection.search("tide 바다").mode(mode).filter(&filter).k(k);
                if let Some(lambda) = mmr {
                    search = search.mmr(lambda);
                }
                match per_document {
                    Some(most) => search.per_document(most),
                    None => search,
                }
            };
            let (mut texts, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = match after {
                    Some(cursor) => search(7).after(cursor),
                    None => search(7),
                };
                let found = page.run().unwrap();
                texts.extend(found.hits.into_iter().map(|hit| hit.text));
                pages += 1;
                let Some(next) = found.next else { break };
                after = Some(next.to_string().parse().unwrap());
            }
            let all: Vec<String> = search(200).run().unwrap().into_iter().map(|hit| hit.text).collect();
            assert!(pages > 2, "{pages} pages of {}", all.len());
            assert_eq!(texts, all, "{mode} {mmr:?} {per_document:?}");
        }
    }
}

#[test]
fn all_over_a_score_are_found() {
    let world = world();
    let query = vector("moon");
    let want = world.chunks.iter().filter(|c| cosine(&c.vector, &query) >= 0.3).count();
    let found = world.collection.search("moon").mode(Mode::Dense).min_score(0.3).all().run().unwrap();
    assert!(want > 5 && found.hits.len() == want, "{} of {want}", found.hits.len());
    assert!(found.next.is_none());
    let all = world.collection.search("moon").mode(Mode::Dense).all().run().unwrap();
    assert_eq!(all.hits.len(), world.chunks.len());
}

#[test]
fn vectors_and_many_texts_are_asked_like_one_text() {
    let world = world();
    let by_text = world.collection.search("달빛").mode(Mode::Dense).run().unwrap();
    let values: Vec<f32> = vector("달빛").iter().map(|x| 2.0 * x).collect();
    let by_vector = world.collection.search_for(Target::Vector(&values)).run().unwrap();
    assert_eq!((by_vector.mode, &by_vector.hits), (Mode::Dense, &by_text.hits));
    let many = world.collection.search_many(&["달빛", "tide", "rope"], |search| search.k(4)).unwrap();
    for (query, found) in ["달빛", "tide", "rope"].iter().zip(many) {
        assert_eq!(found, world.collection.search(query).k(4).run().unwrap());
    }
    assert!(world.collection.search_many(&["tide", " "], |search| search).is_err());
    assert!(world.collection.search_many(&[], |search| search).unwrap().is_empty());
}

/// The longer, the better.
struct Long;

impl Reranker for Long {
    fn name(&self) -> &str {
        "test::long"
    }

    fn rerank(&self, query: &str, texts: &[&str]) -> Result<Vec<f32>, gyeol::error::RerankError> {
        assert_eq!(query, "tide");
        Ok(texts.iter().map(|text| text.len() as f32).collect())
    }
}

#[test]
fn a_reranker_has_the_last_word() {
    let world = world();
    let search = || world.collection.search("tide").k(5);
    let mut first: Vec<usize> = search().k(30).run().unwrap().hits.iter().map(|hit| hit.text.len()).collect();
    first.sort_unstable_by(|a, b| b.cmp(a));
    let found = search().rerank(&Long).rerank_pool(30).run().unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.text.len()).collect::<Vec<_>>(), first[..5]);
    assert!(found.hits.iter().all(|hit| hit.scores.rerank == Some(hit.score)));
    let after = search().rerank(&Long).rerank_pool(30).after(found.next.unwrap()).run().unwrap();
    assert_eq!(after.hits.iter().map(|hit| hit.text.len()).collect::<Vec<_>>(), first[5..10]);
    let least = first[2] as f32;
    let long = search().rerank(&Long).rerank_pool(30).min_score(least).run().unwrap();
    assert!(long.hits.len() < 5 && long.hits.iter().all(|hit| hit.score >= least));
    assert!(world.collection.search_for(Target::Key("d1")).rerank(&Long).run().is_err());
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_reason() {
    let world = world();
    let ask = |search: Search<'_>| search.run().unwrap_err().to_string();
    let search = || world.collection.search("tide");
    assert!(ask(search().mmr(1.5)).contains("from 0 to 1"));
    assert!(ask(search().mmr(f32::NAN)).contains("from 0 to 1"));
    assert!(ask(search().per_document(0)).contains("at least one"));
    assert!(ask(search().min_score(f32::NAN)).contains("not a number"));
    assert!(ask(search().fusion(Fusion::Scores { lexical: -0.1 })).contains("from 0 to 1"));
    assert!(ask(search().fusion(Fusion::Ranks { lexical: 0.5, k: 0.0 })).contains("over 0"));
    assert!(ask(search().unlike(Target::Text(" "))).contains("blank"));
    assert!(ask(search().unlike(Target::Key("nobody"))).contains("no document with the key \"nobody\""));
    assert!(ask(world.collection.search_for(Target::Key("nobody"))).contains("no document"));
    assert!(ask(world.collection.search_for(Target::Vector(&[1.0; 7]))).contains("8 are expected"));
    assert!(ask(world.collection.search_for(Target::Vector(&[f32::NAN; 8]))).contains("NaN"));
    assert!(ask(world.collection.search_for(Target::Vector(&[0.0; 8]))).contains("norm"));
}

#[test]
fn a_page_is_whole_after_others_came_in_above_it() {
    let World { _folder, mut collection, .. } = world();
    let query = "tide moon harbour storm rope";
    for mode in [Mode::Dense, Mode::Lexical, Mode::Hybrid] {
        let first = collection.search(query).mode(mode).k(10).run().unwrap();
        // The query itself is better than all others.
        let new =
            |i: usize| NewDocument { key: format!("{mode} {i}"), text: query.to_owned(), ..NewDocument::default() };
        collection.upsert(&(0..5).map(new).collect::<Vec<_>>()).unwrap();
        collection.commit().unwrap();
        let second = collection.search(query).mode(mode).k(10).after(first.next.unwrap()).run().unwrap();
        assert_eq!(second.hits.len(), 10, "{mode}");
        assert!(second.next.is_some());
        let least = first.hits[9].score;
        let after = |text: &str, score: f32| score <= least && !first.hits.iter().any(|hit| hit.text == text);
        // BM25 changes with every text that is added.
        let all_after = second.hits.iter().all(|hit| after(&hit.text, hit.score));
        assert!(mode != Mode::Dense || all_after, "{:?}", second.hits);
    }
    let cursor = collection.search(query).mmr(0.5).k(3).run().unwrap().next.unwrap();
    let other = collection.search(query).after(cursor).run().unwrap_err().to_string();
    assert!(other.contains("of another kind"), "{other}");
    let huge = "p0-ffffffff-0-0".parse().unwrap();
    assert!(collection.search(query).mmr(0.5).k(3).after(huge).run().is_ok());
    let far = "pffffffff-0-ff800000-0".parse().unwrap();
    assert!(collection.search(query).after(far).run().unwrap().hits.is_empty());
}

#[test]
fn duplicates_are_the_groups_of_all_pairs_over_the_threshold() {
    let world = world();
    let n = world.chunks.len();
    for threshold in [0.7, 0.85, 0.95] {
        let near = |i: usize, j: usize| cosine(&world.chunks[i].vector, &world.chunks[j].vector) >= threshold;
        let mut group: Vec<usize> = (0..n).collect();
        for (i, j) in (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|&(i, j)| near(i, j)) {
            let (from, to) = (group[i].max(group[j]), group[i].min(group[j]));
            group.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
        }
        let mut want: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        (0..n).for_each(|i| want.entry(group[i]).or_default().push(&world.chunks[i].text));
        let sorted = |mut texts: Vec<String>| {
            texts.sort_unstable();
            texts
        };
        let mut want: Vec<Vec<String>> = want
            .into_values()
            .filter(|texts| texts.len() > 1)
            .map(|texts| sorted(texts.into_iter().map(str::to_owned).collect()))
            .collect();
        let found = world.collection.duplicates(threshold, Effort::default()).unwrap();
        assert!(found.is_sorted_by(|a, b| a.hits.len() >= b.hits.len()));
        let texts = |group: gyeol::collection::Duplicates| sorted(group.hits.into_iter().map(|hit| hit.text).collect());
        let mut found: Vec<Vec<String>> = found.into_iter().map(texts).collect();
        want.sort_unstable();
        found.sort_unstable();
        assert!(threshold > 0.9 || !want.is_empty());
        assert_eq!(found, want, "{threshold}");
    }
}

/// One long document crowds out the others, so that the first candidates are not enough.
#[test]
fn deeper_candidates_are_asked_for_until_there_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let mut collection = Collection::open_or_create(folder.path().join("c"), Small::new()).unwrap();
    let long = (0..40_000).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let mut documents = vec![NewDocument { key: "long".to_owned(), text: long, ..NewDocument::default() }];
    let short = |i: usize| NewDocument { key: format!("s{i}"), text: format!("tide {i}"), ..NewDocument::default() };
    documents.extend((0..8).map(short));
    collection.upsert(&documents).unwrap();
    collection.commit().unwrap();
    let chunks = collection.status().unwrap().chunks as usize;
    assert!(chunks > 500, "{chunks}");
    let search = || collection.search("tide").mode(Mode::Dense);
    let once = search().per_document(1).k(9).run().unwrap();
    assert_eq!(once.hits.len(), 9, "each document once");
    let exact = search().all().effort(Effort::Exact).run().unwrap();
    assert_eq!(exact.hits.len(), chunks);
    for place in [0, 200, 300, 450] {
        let least = exact.hits[place].score;
        let over = search().min_score(least).all().run().unwrap();
        assert_eq!(over.hits.len(), place + 1, "all of at least {least}");
    }
    let both = collection.search("tide").per_document(1).k(9).run().unwrap();
    assert_eq!(both.hits.len(), 9);
}
