//! Recall and speed by effort, and the speed at a recall between two efforts.

use crate::clock::thread_seconds;
use crate::graphs::Graph;
use crate::rows::{K, Set};

/// `ef` of the measurements.
const EFFORTS: [usize; 14] = [10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768];
/// Beyond it nothing is asked for.
const ENOUGH: f64 = 0.992;

/// Points of one graph, by growing effort.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// Asks every query at growing efforts, on this thread.
    pub fn measure(graph: &dyn Graph, set: &Set, truth: &[Vec<u32>]) -> Self {
        let mut points = Vec::new();
        for ef in EFFORTS {
            let ask = || -> Vec<Vec<u32>> { set.queries.rows().map(|q| graph.search(q, K, ef)).collect() };
            let (seconds, found) = thread_seconds(ask);
            let hits = |(found, truth): (&Vec<u32>, &Vec<u32>)| found.iter().filter(|id| truth.contains(id)).count();
            let hits: usize = found.iter().zip(truth).map(hits).sum();
            points.push((hits as f64 / (truth.len() * K) as f64, truth.len() as f64 / seconds));
            if points[points.len() - 1].0 >= ENOUGH {
                break;
            }
        }
        Curve { points }
    }

    /// Queries in a CPU-second at a recall, between the two efforts around it; those of the least
    /// effort when it does better already. `None` when the largest does not reach it.
    pub fn rate_at(&self, recall: f64) -> Option<f64> {
        let after = self.points.iter().position(|p| p.0 >= recall)?;
        let (high, fast) = (self.points[after], self.points[after.saturating_sub(1)]);
        let part = if high.0 > fast.0 { (recall - fast.0) / (high.0 - fast.0) } else { 0.0 };
        Some(fast.1 + (high.1 - fast.1) * part)
    }

    /// The best recall that was measured.
    pub fn best_recall(&self) -> f64 {
        self.points.iter().map(|p| p.0).fold(0.0, f64::max)
    }
}
