//! Searches among some rows: as many as there are, and the right ones, whichever rows pass.

use super::*;

/// Which rows pass.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Correlation {
    /// Those nearest to the query.
    Positive,
    /// Any.
    None,
    /// Those farthest from it.
    Negative,
}

const CORRELATIONS: [Correlation; 3] = [Correlation::Positive, Correlation::None, Correlation::Negative];

/// A set of `count` rows for a query whose exact neighbours, all rows, are given.
fn passing(correlation: Correlation, count: usize, all: &[Neighbor], salt: usize) -> RowSet {
    let n = all.len();
    let rows: Vec<u32> = match correlation {
        // Every other one of twice as many, so that near rows do not pass as well.
        Correlation::Positive => {
            all.iter().take(2 * count).step_by(if 2 * count <= n { 2 } else { 1 }).map(|c| c.id).take(count).collect()
        }
        Correlation::None => (0..n).map(|i| ((i * 7919 + salt * 31) % n) as u32).take(count).collect(),
        Correlation::Negative => all.iter().rev().take(count).map(|c| c.id).collect(),
    };
    RowSet::from_rows(n, rows)
}

fn cell(index: &Hnsw, exact: &Flat, queries: &Vectors, part: f64, correlation: Correlation) -> (f64, Vec<Plan>) {
    let n = index.len();
    let count = ((n as f64 * part) as usize).max(1);
    let (mut hits, mut wanted, mut plans) = (0, 0, Vec::new());
    for (i, query) in queries.rows().enumerate() {
        let all = exact.search(query, n).unwrap();
        let set = passing(correlation, count, &all, i);
        let truth: Vec<u32> = all.iter().map(|c| c.id).filter(|&id| set.contains(id)).take(10).collect();
        let among = index.among(&set).unwrap();
        let (found, work) = among.search_explained(query, 10, Effort::default()).unwrap();
        assert_eq!(found.len(), set.len().min(10), "{correlation:?} {part}");
        assert_eq!(work.among, set.len());
        assert!(found.iter().all(|c| set.contains(c.id)) && found.is_sorted_by(|a, b| a.distance <= b.distance));
        hits += found.iter().filter(|c| truth.contains(&c.id)).count();
        wanted += truth.len();
        if !plans.contains(&work.plan) {
            plans.push(work.plan);
        }
    }
    (hits as f64 / wanted as f64, plans)
}

/// The grid: how many rows pass, and how that goes with the query.
#[test]
fn recall_is_held_in_every_cell() {
    let (rows, queries) = (clustered(12_000, 32, 60, SEED), clustered(40, 32, 60, SEED));
    for (metric, layout) in
        [(Metric::Cosine, Layout::Graph), (Metric::L2, Layout::Graph), (Metric::Dot, Layout::Partitions)]
    {
        let index = Hnsw::build(&rows, metric, &HnswParams { layout, ..graph() }).unwrap();
        let exact = Flat::new(&rows, metric).unwrap();
        for part in [1.0, 0.5, 0.2, 0.1, 0.01, 0.001, 0.0001] {
            for correlation in CORRELATIONS {
                let (recall, plans) = cell(&index, &exact, &queries, part, correlation);
                println!("{metric} {layout:?} {part} {correlation:?}: recall@10 {recall:.3} by {plans:?}");
                assert!(recall >= 0.95, "{metric} {layout:?} {part} {correlation:?}: recall@10 {recall}");
            }
        }
    }
}

#[test]
fn a_walk_is_chosen_where_many_pass_and_a_scan_where_few_do() {
    let rows = clustered(20_000, 24, 60, SEED);
    let index = Hnsw::build(&rows, Metric::Cosine, &HnswParams { layout: Layout::Graph, ..graph() }).unwrap();
    let work = |step: usize| {
        let among = index.among(&RowSet::from_rows(20_000, (0..20_000).step_by(step))).unwrap();
        among.search_explained(rows.row(5), 10, Effort::default()).unwrap().1
    };
    let (half, few) = (work(2), work(20));
    assert!(matches!((half.plan, half.why), (Plan::Codes, Why::ManyPass { scan, walk }) if walk < scan), "{half:?}");
    assert!(matches!((few.plan, few.why), (Plan::CodeScan, Why::FewPass { .. })), "{few:?}");
    assert_eq!((few.among, few.compared), (1000, 1000));
    let among = index.among(&RowSet::from_rows(20_000, (0..20_000).step_by(20))).unwrap();
    let (_, exact) = among.search_explained(rows.row(5), 10, Effort::Exact).unwrap();
    assert_eq!((exact.plan, exact.why, exact.compared), (Plan::Scan, Why::Asked, 1000));
}

#[test]
fn what_cannot_be_searched_among_is_refused() {
    let rows = clustered(500, 8, 5, SEED);
    let index = Hnsw::build(&rows, Metric::Cosine, &graph()).unwrap();
    let exact = Flat::new(&rows, Metric::Cosine).unwrap();
    let other = RowSet::all(499);
    assert!(index.among(&other).unwrap_err().to_string().contains("number of rows of the index"));
    assert!(exact.search_among(rows.row(0), 3, &other).is_err());
    let none = index.among(&RowSet::none(500)).unwrap();
    assert!(none.is_empty() && none.search(rows.row(0), 3, Effort::default()).unwrap().is_empty());
    assert!(matches!(none.search(rows.row(0), 0, Effort::default()), Err(IndexError::ZeroK)));
    let all = index.among(&RowSet::all(500)).unwrap();
    assert_eq!(all.search(rows.row(0), 5, Effort::default()).unwrap(), index.search(rows.row(0), 5).unwrap());
}

#[test]
fn a_mapped_index_plans_like_the_built_one() {
    let rows = clustered(9000, 24, 20, SEED);
    for layout in [Layout::Graph, Layout::Partitions] {
        let built = Hnsw::build(&rows, Metric::Cosine, &HnswParams { layout, ..graph() }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        built.save(dir.path().join("v")).unwrap();
        let mapped = Hnsw::open(dir.path().join("v")).unwrap();
        for step in [1, 2, 7, 90] {
            let set = RowSet::from_rows(9000, (0..9000).step_by(step));
            let ask =
                |index: &Hnsw| index.among(&set).unwrap().search_explained(rows.row(3), 10, Effort::default()).unwrap();
            assert_eq!(ask(&built), ask(&mapped));
        }
    }
}

#[test]
fn many_neighbours_are_found_by_comparing_all() {
    let rows = clustered(5000, 24, 20, SEED);
    for layout in [Layout::Graph, Layout::Partitions] {
        let index = Hnsw::build(&rows, Metric::Cosine, &HnswParams { layout, ..graph() }).unwrap();
        let (found, work) = index.search_explained(rows.row(3), 4000, Effort::default()).unwrap();
        assert_eq!((found.len(), work.plan, work.why), (4000, Plan::CodeScan, Why::ManyAsked));
        let exact = Flat::new(&rows, Metric::Cosine).unwrap().search(rows.row(3), 4000).unwrap();
        let exact: std::collections::HashSet<u32> = exact.iter().map(|n| n.id).collect();
        assert!(found.iter().filter(|n| exact.contains(&n.id)).count() >= 3990);
    }
}
