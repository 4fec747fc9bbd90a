//! Lloyd's algorithm: rows go to their nearest centroid, centroids to the mean of their rows, until
//! nothing changes.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::Progress;
use super::assign::{Assigned, Bounds, Drift};
use super::centers::{Centers, Groups};
use super::means::Means;
use super::rows::Rows;
use crate::error::ClusterError;

/// Rounds before which groups are made anew: at first, centroids move so far that near ones part.
const REGROUPED: usize = 1;
/// When more of a row's centroids than this part need their full distance, codes are not worth their while.
const LEFT_OVER: f64 = 0.1;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    pub max_iters: usize,
    /// Squared distances that all centroids moved, together.
    pub shift: f64,
    /// Whether centroids are scaled to length 1.
    pub spherical: bool,
}

/// What a run came to.
pub(super) struct Run {
    pub centroids: Vec<f32>,
    pub labels: Vec<u32>,
    pub iterations: usize,
    pub converged: bool,
    /// Rows whose label would be another if centroids had other numbers.
    pub tied: Vec<u32>,
}

/// What is called after each round: the round, the rows that moved, the squared distance that centroids did.
pub(super) type OnRound<'a> = dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a;

/// A run under way.
struct Lloyd<'a> {
    rows: &'a Rows<'a>,
    centroids: Vec<f32>,
    groups: Groups,
    bounds: Bounds,
    drift: Drift,
    means: Means,
    /// Whether estimates are by codes.
    codes: bool,
}

/// Runs from some centroids.
///
/// # Errors
/// [`ClusterError::Cancelled`].
pub(super) fn run(
    rows: &Rows<'_>,
    centroids: Vec<f32>,
    until: Until,
    on_round: &mut OnRound<'_>,
) -> Result<Run, ClusterError> {
    let dim = rows.dim();
    let count = centroids.len() / dim;
    let groups = Groups::new(&centroids, dim, rows.kernels);
    let mut lloyd = Lloyd {
        bounds: Bounds::new(rows.len(), groups.len()),
        drift: Drift { centers: vec![0.0; count], groups: vec![0.0; groups.len()] },
        means: Means::new(count, dim),
        codes: rows.has_codes(),
        rows,
        groups,
        centroids,
    };
    let (mut iterations, mut converged) = (0, false);
    while iterations < until.max_iters && !converged {
        if (1..=REGROUPED).contains(&iterations) {
            lloyd.regroup();
        }
        let assigned = lloyd.assign();
        iterations += 1;
        let moved = assigned.moved.len();
        let shift = if moved == 0 { 0.0 } else { lloyd.update(&assigned, until.spherical) };
        converged = shift <= until.shift;
        if on_round(Progress { iteration: iterations, moved, shift }).is_break() {
            return Err(ClusterError::Cancelled);
        }
    }
    // Labels of the centroids as they stand now.
    let tied = lloyd.assign().tied;
    Ok(Run { centroids: lloyd.centroids, labels: lloyd.bounds.labels, iterations, converged, tied })
}

/// The nearest centroid of each row.
pub(super) fn nearest(rows: &Rows<'_>, centroids: &[f32]) -> Vec<u32> {
    let groups = Groups::new(centroids, rows.dim(), rows.kernels);
    let centers = Centers::new(centroids, &groups, rows, rows.has_codes());
    let drift = Drift { centers: vec![0.0; groups.place.len()], groups: vec![0.0; groups.len()] };
    let mut bounds = Bounds::new(rows.len(), groups.len());
    bounds.assign(rows, &centers, &drift);
    bounds.labels
}

impl Lloyd<'_> {
    fn regroup(&mut self) {
        self.groups = Groups::new(&self.centroids, self.rows.dim(), self.rows.kernels);
        self.bounds.forget_groups(self.groups.len());
        self.drift.groups.fill(0.0);
    }

    fn assign(&mut self) -> Assigned {
        let centers = Centers::new(&self.centroids, &self.groups, self.rows, self.codes);
        let assigned = self.bounds.assign(self.rows, &centers, &self.drift);
        self.drift.centers.fill(0.0);
        self.drift.groups.fill(0.0);
        let compared = assigned.pairs.max(1) * crate::metric::panels::PANEL;
        self.codes &= assigned.rescored as f64 <= LEFT_OVER * compared as f64;
        assigned
    }

    /// Moves centroids to the means of their rows; gives the squared distance that they moved, together.
    fn update(&mut self, assigned: &Assigned, spherical: bool) -> f64 {
        self.means.change(self.rows, &assigned.moved, &self.bounds.labels);
        self.fill_empty();
        let (moved, shift) = self.means.move_centroids(&mut self.centroids, spherical);
        for (center, distance) in moved.into_iter().enumerate() {
            let drift = distance as f32 * (1.0 + super::centers::SLACK);
            self.drift.centers[center] = drift;
            let group = self.groups.of(center as u32);
            self.drift.groups[group] = self.drift.groups[group].max(drift);
        }
        shift
    }

    /// Gives each centroid without rows the row that is farthest from its own.
    fn fill_empty(&mut self) {
        let empty: Vec<u32> =
            (0..self.means.counts.len()).filter(|&c| self.means.counts[c] == 0).map(|c| c as u32).collect();
        if empty.is_empty() {
            return;
        }
        let dim = self.rows.dim();
        let (rows, centroids) = (self.rows, &self.centroids);
        let labels = &self.bounds.labels;
        let mut distances: Vec<f32> = labels
            .par_iter()
            .enumerate()
            .map(|(row, &label)| {
                let centroid = &centroids[label as usize * dim..(label as usize + 1) * dim];
                rows.kernels.l2_squared(rows.view.row(row), centroid)
            })
            .collect();
        for center in empty {
            let Some(same) = self.farthest(&mut distances) else { return };
            let groups = self.groups.len();
            for &(row, _) in &same {
                let row = row as usize;
                self.bounds.labels[row] = center;
                self.bounds.upper[row] = f32::MAX.sqrt();
                self.bounds.lower[row * groups..(row + 1) * groups].fill(0.0);
            }
            self.means.change(rows, &same, &self.bounds.labels);
        }
    }

    /// The row farthest from its centroid with all that equal it, each with its centroid; none that are a
    /// cluster's only rows, whose mean they are about to be. Their distances are set to 0.
    fn farthest(&self, distances: &mut [f32]) -> Option<Vec<(u32, u32)>> {
        let view = self.rows.view;
        let labels = &self.bounds.labels;
        loop {
            // Of rows equally far the one whose values are least: not the first, so that order does not matter.
            let farther = |a: &usize, b: &usize| {
                let values = |row: usize| view.row(row).iter().map(|x| x.to_bits());
                distances[*a].total_cmp(&distances[*b]).then_with(|| values(*b).cmp(values(*a)))
            };
            let row = (0..view.len()).max_by(farther).filter(|&row| distances[row] > 0.0)?;
            let label = labels[row];
            let equal = |&r: &usize| labels[r] == label && distances[r] > 0.0 && view.row(r) == view.row(row);
            let same: Vec<(u32, u32)> = (0..view.len()).filter(equal).map(|r| (r as u32, label)).collect();
            same.iter().for_each(|&(r, _)| distances[r as usize] = 0.0);
            if same.len() < self.means.counts[label as usize] as usize {
                return Some(same);
            }
        }
    }
}
