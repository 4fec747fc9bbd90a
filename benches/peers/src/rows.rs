//! The rows that every library is given.

use std::path::{Path, PathBuf};

use gyeol::vectors::{normalize, npy};
use gyeol::{Flat, Index, Metric, Vectors};

/// Neighbours that are asked for.
pub const K: usize = 10;
/// Of the rows around centres.
pub const SEED: u64 = 20_261_125;

const ROWS: usize = 20_000;
const QUERIES: usize = 1_000;
const DIM: usize = 128;
const CENTRES: usize = 20;

/// Rows and queries of length 1.
pub struct Set {
    /// What the rows are.
    pub name: String,
    /// The rows.
    pub rows: Vectors,
    /// Queries that are not among the rows.
    pub queries: Vectors,
}

impl Set {
    /// Normally distributed rows around normally distributed centres, the same on every run.
    pub fn clustered() -> Self {
        let mut normal = Normal { state: SEED, spare: None };
        let centres: Vec<f32> = (0..CENTRES * DIM).map(|_| normal.draw()).collect();
        let mut rows = |n: usize| {
            let value = |i: usize| centres[(i / DIM % CENTRES) * DIM + i % DIM] + normal.draw();
            unit(Vectors::new((0..n * DIM).map(value).collect(), DIM).expect("whole rows"))
        };
        Set { name: format!("clustered, seed {SEED}"), rows: rows(ROWS), queries: rows(QUERIES) }
    }

    /// Sentence embeddings, where `GYEOL_VECTORS` or `../shared/vectors` has them.
    pub fn text() -> Option<Self> {
        let folder = std::env::var_os("GYEOL_VECTORS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
            |named| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PathBuf::from(named)),
        );
        let read = |name: &str| npy::read(folder.join("text-384").join(name));
        match (read("base.f16.npy"), read("query.npy")) {
            (Ok(rows), Ok(queries)) => {
                Some(Set { name: "text-384".to_owned(), rows: unit(rows), queries: unit(queries) })
            }
            _ => {
                eprintln!("SKIPPED: no text-384 where GYEOL_VECTORS points, nor in ../shared/vectors");
                None
            }
        }
    }

    /// The first `n` rows.
    pub fn first(&self, n: usize) -> Vectors {
        let dim = self.rows.dim();
        Vectors::new(self.rows.as_slice()[..n.min(self.rows.len()) * dim].to_vec(), dim).expect("whole rows")
    }

    /// The nearest rows of every query, by comparing all.
    pub fn truth(&self) -> Vec<Vec<u32>> {
        let flat = Flat::new(&self.rows, Metric::Cosine).expect("rows");
        let found = flat.search_many(self.queries.view(), K).expect("queries");
        found.iter().map(|near| near.iter().map(|n| n.id).collect()).collect()
    }
}

fn unit(mut rows: Vectors) -> Vectors {
    for i in 0..rows.len() {
        normalize(rows.row_mut(i));
    }
    rows
}

/// Normally distributed numbers (Box and Muller, 1958) from a linear congruential generator.
struct Normal {
    state: u64,
    spare: Option<f32>,
}

impl Normal {
    /// From 0 to 1, never 0.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.state >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    fn draw(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let length = (-2.0 * self.uniform().ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        self.spare = Some((length * angle.sin()) as f32);
        (length * angle.cos()) as f32
    }
}
