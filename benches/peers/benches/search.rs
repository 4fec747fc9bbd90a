//! The graph beside usearch and hnsw_rs, on the same rows in one run: processor time of the build,
//! and queries in a CPU-second on one thread at equal recall.
//!
//!     cargo bench -p gyeol-peers --bench search       (GYEOL_VECTORS names the folder of text-384)

use gyeol_peers::clock::{cpu_seconds, median};
use gyeol_peers::curve::Curve;
use gyeol_peers::graphs::{EF_CONSTRUCTION, Graph, Library, M};
use gyeol_peers::rows::{K, Set};

/// Turns of every library but hnsw_rs, whose one turn takes longer than all others.
const ROUNDS: usize = 3;
const RECALLS: [f64; 3] = [0.9, 0.95, 0.99];

fn main() {
    let mut sets = vec![Set::clustered()];
    sets.extend(Set::text());
    sets.iter().for_each(compare);
}

fn compare(set: &Set) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{}: {} rows x {}, {} queries", set.name, set.rows.len(), set.rows.dim(), set.queries.len());
    println!("m = {M}, ef_construction = {EF_CONSTRUCTION}, built by {threads} threads; ratios are gyeol / peer\n");
    let built: Vec<(f64, Box<dyn Graph>)> =
        Library::ALL.iter().map(|library| cpu_seconds(|| library.build(&set.rows, threads))).collect();
    let truth = set.truth();
    // By turns, so that a busy moment of the machine falls on all.
    let mut curves = vec![Vec::new(); built.len()];
    for round in 0..ROUNDS {
        for (i, library) in Library::ALL.iter().enumerate() {
            if round == 0 || *library != Library::HnswRs {
                curves[i].push(Curve::measure(built[i].1.as_ref(), set, &truth));
            }
        }
    }
    let rates: Vec<Vec<Option<f64>>> =
        curves.iter().map(|rounds| RECALLS.iter().map(|&recall| rate(rounds, recall)).collect()).collect();
    let heads: Vec<String> = RECALLS.iter().map(|recall| format!("queries/CPU-s at {recall} | ratio |")).collect();
    println!("| graph | build CPU-s | ratio | {}\n|---|---|---|{}", heads.join(" "), "---|---|".repeat(heads.len()));
    for (i, library) in Library::ALL.iter().enumerate() {
        let (build, best) = (built[i].0, curves[i][0].best_recall());
        let cells: Vec<String> = rates[i].iter().zip(&rates[0]).map(|(rate, ours)| cell(*rate, *ours, best)).collect();
        println!("| {} | {build:.1} | {:.2} | {} |", library.name(), built[0].0 / build, cells.join(" | "));
    }
    println!("\nrecall@{K} between two efforts by linear interpolation, medians of {ROUNDS} turns (hnsw_rs: 1)\n");
}

fn rate(rounds: &[Curve], recall: f64) -> Option<f64> {
    rounds.iter().map(|curve| curve.rate_at(recall)).collect::<Option<Vec<f64>>>().map(median)
}

fn cell(rate: Option<f64>, ours: Option<f64>, best: f64) -> String {
    match (rate, ours) {
        (Some(rate), Some(ours)) => format!("{rate:.0} | {:.2}", ours / rate),
        (Some(rate), None) => format!("{rate:.0} | -"),
        (None, _) => format!("never (at most {best:.3}) | -"),
    }
}
