//! The true neighbours of some rows among all others.
//!
//! The rows asked for are packed in panels, so that all others meet many of them at a time, as in a
//! product of matrices. Squared distances made of inner products stray in the last digits; so more
//! neighbours are kept than wanted and compared again one by one, and where they lie too close for
//! that, all rows are.

use rayon::prelude::*;

use super::rows::RowsView;
use super::top::{Candidate, Top};
use crate::metric::Metric;
use crate::metric::panels::{PANEL, Panels, TILE};
use crate::vectors::{VectorsView, norm_squared};

/// Neighbours kept beyond those wanted.
const SPARE: usize = 60;
/// How far an inner product by panels strays, at most, as a part of the lengths of its rows.
const STRAY: f32 = 4e-6;

/// The `k` nearest of all rows but the sampled ones for each of these, nearest first.
pub(super) fn neighbors(rows: VectorsView<'_>, view: RowsView<'_>, sample: &[u32], k: usize) -> Vec<Vec<Candidate>> {
    let mut sampled = vec![false; rows.len()];
    sample.iter().for_each(|&row| sampled[row as usize] = true);
    let others: Vec<u32> = (0..rows.len() as u32).filter(|&row| !sampled[row as usize]).collect();
    // Half the squared length of each, which only the squared distance has.
    let halves: Vec<f32> = match view.metric() {
        Metric::L2 => rows.as_slice().par_chunks(rows.dim()).map(|row| norm_squared(row) as f32 / 2.0).collect(),
        Metric::Cosine | Metric::Dot => vec![0.0; rows.len()],
    };
    let longest =
        rows.as_slice().par_chunks(rows.dim()).map(|row| norm_squared(row).sqrt() as f32).reduce(|| 0.0, f32::max);
    let found = sample.par_chunks(PANEL).flat_map_iter(|sampled| {
        let near = nearly(rows, view, sampled, &others, &halves, k + SPARE);
        let exact = sampled.iter().zip(near).map(|(&row, near)| {
            let query = rows.row(row as usize);
            let kept = near.len();
            // An upper bound for what the rank in `near` is off: twice the product's error, and rounding.
            let off = 4.0 * STRAY * longest * longest;
            let least_left = near.last().map_or(0.0, |c| 2.0 * (c.rank + halves[row as usize])) - off;
            let best = exactly(view, query, near.into_iter().map(|c| c.id), k);
            let worst = best.last().map_or(0.0, |c| order_of(view.metric(), c.rank));
            if kept == others.len() || worst < least_left {
                best
            } else {
                exactly(view, query, others.iter().copied(), k)
            }
        });
        exact.collect::<Vec<_>>()
    });
    found.collect()
}

/// The rank as twice the negative inner product or the squared distance, which panels give.
fn order_of(metric: Metric, rank: f32) -> f32 {
    match metric {
        Metric::Cosine => 2.0 * (rank - 1.0),
        Metric::Dot => 2.0 * rank,
        Metric::L2 => rank,
    }
}

/// The nearest of the others for each sampled row, up to `limit`, by half the squared distance less
/// that row's own half (L2), or the negative inner product.
fn nearly(
    rows: VectorsView<'_>,
    view: RowsView<'_>,
    sampled: &[u32],
    others: &[u32],
    halves: &[f32],
    limit: usize,
) -> Vec<Vec<Candidate>> {
    let panels = Panels::new(rows.dim(), sampled.iter().map(|&row| rows.row(row as usize)));
    let mut tops: Vec<Top> = sampled.iter().map(|_| Top::new(limit)).collect();
    let mut worst = vec![f32::INFINITY; sampled.len()];
    let mut products = [[0.0; PANEL]; TILE];
    for ids in others.chunks(TILE) {
        let mut tile = [rows.row(0); TILE];
        tile.iter_mut().zip(ids).for_each(|(row, &id)| *row = rows.row(id as usize));
        view.kernels().products(&tile[..ids.len()], panels.panel(0), &mut products);
        for (&id, products) in ids.iter().zip(&products) {
            for (i, (product, worst)) in products.iter().zip(&mut worst).enumerate() {
                let rank = halves[id as usize] - product;
                if rank <= *worst {
                    tops[i].push(Candidate { rank, id });
                    if tops[i].as_slice().len() == limit {
                        *worst = tops[i].as_slice()[limit - 1].rank;
                    }
                }
            }
        }
    }
    tops.into_iter().map(Top::into_vec).collect()
}

fn exactly(view: RowsView<'_>, query: &[f32], ids: impl Iterator<Item = u32>, k: usize) -> Vec<Candidate> {
    let mut top = Top::new(k);
    for id in ids {
        top.push(Candidate { rank: view.rank(query, id), id });
    }
    top.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Kernels;
    use crate::vectors::Vectors;

    #[test]
    fn neighbours_are_those_of_comparing_one_by_one() {
        // Tight far-off clusters, where squared distances made of products say nothing, and plain noise.
        for (far, spread) in [(1000.0, 1e-3), (0.0, 1.0)] {
            let value = |i: usize| far * ((i / 24 % 3) as f32 + 1.0) + spread * ((i * i % 7919) as f32 * 0.7).sin();
            let rows = Vectors::new((0..24 * 700).map(value).collect(), 24).unwrap();
            let sample: Vec<u32> = (0..70).map(|i| i * 9 + 1).collect();
            for metric in [Metric::Cosine, Metric::Dot, Metric::L2] {
                let view = RowsView::of(rows.view(), metric, Kernels::detect());
                let found = neighbors(rows.view(), view, &sample, 20);
                for (&row, found) in sample.iter().zip(&found) {
                    let others = (0..700).filter(|id| !sample.contains(id));
                    let want = exactly(view, rows.row(row as usize), others, 20);
                    let pairs = found.iter().zip(&want).all(|(a, b)| (a.rank, a.id) == (b.rank, b.id));
                    assert!(pairs && found.len() == 20, "{metric} {far} row {row}");
                }
            }
        }
    }
}
