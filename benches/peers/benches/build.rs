//! Processor time of a build by the number of rows and of threads, for every library.
//!
//!     cargo bench -p gyeol-peers --bench build       (GYEOL_VECTORS names the folder of text-384)

use gyeol_peers::clock::cpu_seconds;
use gyeol_peers::graphs::{EF_CONSTRUCTION, Library, M};
use gyeol_peers::rows::Set;

const ROWS: [usize; 4] = [5_000, 10_000, 20_000, 40_000];
/// With more rows hnsw_rs takes longer than all the others together.
const HNSW_RS_ROWS: usize = 10_000;

fn main() {
    let set = Set::text().unwrap_or_else(Set::clustered);
    println!("{}: rows x {}, m = {M}, ef_construction = {EF_CONSTRUCTION}", set.name, set.rows.dim());
    println!("CPU-seconds (gyeol's / these)\n");
    let names: Vec<&str> = Library::ALL.iter().map(|library| library.name()).collect();
    println!("| rows | threads | {} |", names.join(" | "));
    println!("|---|---|{}", "---|".repeat(names.len()));
    for n in ROWS.into_iter().filter(|&n| n <= set.rows.len()) {
        let rows = set.first(n);
        for threads in [1, 2] {
            let mut ours = None;
            let mut cell = |library: Library| {
                if library == Library::HnswRs && n > HNSW_RS_ROWS {
                    return "-".to_owned();
                }
                let (seconds, _) = cpu_seconds(|| library.build(&rows, threads));
                let ours = *ours.get_or_insert(seconds);
                format!("{seconds:.2} ({:.2})", ours / seconds)
            };
            let cells: Vec<String> = Library::ALL.into_iter().map(&mut cell).collect();
            println!("| {n} | {threads} | {} |", cells.join(" | "));
        }
    }
}
