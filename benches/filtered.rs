//! Searches among some rows: recall@10 and time by how many rows pass a filter, and how that goes with the
//! query. One thread.
//!
//!     cargo bench --bench filtered [-- BASE.npy QUERIES.npy cosine|dot|l2 [graph|partitions]]
//!
//! Without arguments: text-384 in the folder that `GYEOL_VECTORS` names.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol::index::{Among, RowSet, Work};
use gyeol::vectors::npy;
use gyeol::{Effort, Flat, Hnsw, HnswParams, Index, Layout, Metric, Neighbor, Vectors};

const K: usize = 10;
const PARTS: [f64; 7] = [1.0, 0.5, 0.2, 0.1, 0.01, 0.001, 0.0001];
const QUERIES: usize = 100;
/// Each query is asked this many times, and the fastest time counts.
const PASSES: usize = 5;

/// How what passes goes with the query: of the nearest rows every other one, any rows, the farthest rows.
const CORRELATIONS: [&str; 3] = ["near", "any", "far"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let folder = std::env::var("GYEOL_VECTORS").unwrap_or_else(|_| "../shared/vectors".to_owned());
    let folder = Path::new(&folder).join("text-384");
    let path = |at: usize, name: &str| args.get(at).map_or_else(|| folder.join(name), PathBuf::from);
    let (base, queries) = (path(0, "base.f16.npy"), path(1, "query.npy"));
    let (Ok(rows), Ok(queries)) = (npy::read(&base), npy::read(&queries)) else {
        println!("skipped: no vectors at {} and {}", base.display(), queries.display());
        return;
    };
    let metric: Metric = args.get(2).map_or(Metric::Cosine, |name| Metric::from_name(name).expect("a metric"));
    let layout = match args.get(3).map(String::as_str) {
        Some("graph") => Layout::Graph,
        Some("partitions") => Layout::Partitions,
        _ => Layout::Auto,
    };
    let index = Hnsw::build(&rows, metric, &HnswParams { layout, ..HnswParams::default() }).expect("rows");
    let exact = Flat::new(&rows, metric).expect("rows");
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    alone.install(|| grid(&rows, &queries, &index, &exact));
}

fn grid(rows: &Vectors, queries: &Vectors, index: &Hnsw, exact: &Flat) {
    let queries: Vec<&[f32]> = queries.rows().take(QUERIES).collect();
    let unfiltered = mean(&times(queries.len(), |i| index.search(queries[i], K).map(drop)));
    println!("{} rows x {}; all rows, no filter: {unfiltered:.0} us", rows.len(), rows.dim());
    println!(
        "| passing | rows | that are | recall@10 | us | by | compared, again in full | exact scan us | of the better of 3 x unfiltered and exact scan |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for part in PARTS {
        for correlation in CORRELATIONS {
            if part < 1.0 || correlation == "any" {
                cell(&queries, index, exact, (part, correlation), unfiltered);
            }
        }
    }
}

fn cell(queries: &[&[f32]], index: &Hnsw, exact: &Flat, (part, correlation): (f64, &str), unfiltered: f64) {
    let count = ((index.len() as f64 * part) as usize).max(1);
    let (mut hits, mut wanted, mut works, mut asked) = (0, 0, Vec::<Work>::new(), Vec::<Among<'_>>::new());
    for (i, query) in queries.iter().enumerate() {
        let all = exact.search(query, index.len()).expect("a query");
        let set = passing(correlation, count, &all, i);
        let truth: Vec<u32> = all.iter().map(|c| c.id).filter(|&id| set.contains(id)).take(K).collect();
        let among = index.among(&set).expect("a set");
        let (found, work) = among.search_explained(query, K, Effort::default()).expect("a query");
        assert_eq!(found.len(), truth.len(), "k means k");
        hits += found.iter().filter(|c| truth.contains(&c.id)).count();
        wanted += truth.len();
        works.push(work);
        asked.push(among);
    }
    let us = mean(&times(asked.len(), |i| asked[i].search(queries[i], K, Effort::default()).map(drop)));
    let scan = mean(&times(asked.len(), |i| asked[i].search(queries[i], K, Effort::Exact).map(drop)));
    let mut plans: Vec<String> = works.iter().map(|work| work.plan.to_string()).collect();
    plans.sort_unstable();
    plans = plans.chunk_by(|a, b| a == b).map(|same| format!("{} {}", same.len(), same[0])).collect();
    let (recall, bar) = (hits as f64 / wanted as f64, scan.min(3.0 * unfiltered));
    let of_works = |of: fn(&Work) -> usize| mean(&works.iter().map(|work| of(work) as f64).collect::<Vec<_>>());
    println!(
        "| {} % | {count} | {correlation} | {recall:.3} | {us:.0} | {} | {:.0}, {:.0} | {scan:.0} | {:.2} |",
        100.0 * part,
        plans.join(", "),
        of_works(|work| work.compared),
        of_works(|work| work.rescored),
        us / bar
    );
}

/// A set of `count` rows for a query whose exact neighbours, all rows, are given.
fn passing(correlation: &str, count: usize, all: &[Neighbor], salt: usize) -> RowSet {
    let n = all.len();
    let every = if 2 * count <= n { 2 } else { 1 };
    let rows: Vec<u32> = match correlation {
        "near" => all.iter().step_by(every).take(count).map(|c| c.id).collect(),
        "far" => all.iter().rev().take(count).map(|c| c.id).collect(),
        _ => (0..n).map(|i| ((i * 7919 + salt * 31) % n) as u32).take(count).collect(),
    };
    RowSet::from_rows(n, rows)
}

/// The microseconds that each of some calls takes at best. All are made before one is made again, so that little
/// of what one reads is still in the cache.
fn times(count: usize, call: impl Fn(usize) -> Result<(), gyeol::error::IndexError>) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; count];
    for _ in 0..PASSES {
        for (i, best) in best.iter_mut().enumerate() {
            let started = Instant::now();
            call(i).expect("a query");
            *best = best.min(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    best
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
