//! The nearest centroid of every row, without comparing every row with every centroid.
//!
//! Three things save work, and none changes the answer:
//!
//! 1. *Bounds.* A row keeps an upper bound on the distance to its own centroid and, for each group of
//!    centroids, a lower bound on the distance to all others in it. When centroids move, bounds move by
//!    as much; a group whose lower bound is above the row's upper bound is not looked at (Ding et al.,
//!    "Yinyang k-means", ICML 2015).
//! 2. *Codes.* The groups that are looked at are compared by products of 8-bit codes, of which a processor
//!    makes four in the time of one in `f32`. How far such an estimate can be off is known, so most
//!    centroids are ruled out by it.
//! 3. *Full distances* only for those that the estimates leave: `|row - centroid|^2`, the lower number
//!    of equal ones.

use rayon::prelude::*;

use super::centers::{Centers, NORM_SLACK, SLACK};
use super::rows::Rows;
use crate::metric::panels::{PANEL, TILE};
use crate::metric::tiles::CodeRow;

/// A row that has no centroid yet.
pub(super) const NO_LABEL: u32 = u32::MAX;
/// Rows of one task.
const TASK: usize = 512;
/// Pairs of a row and a group that are estimated before rows are decided: their estimates stay in the cache.
const PAIRS: usize = 1536;

/// What is known of every row.
pub(super) struct Bounds {
    pub labels: Vec<u32>,
    /// At least the distance to the row's centroid.
    pub upper: Vec<f32>,
    /// For each row and group at most the distance to any centroid but the row's own.
    pub lower: Vec<f32>,
    groups: usize,
}

/// How far centroids moved.
pub(super) struct Drift {
    /// Each centroid.
    pub centers: Vec<f32>,
    /// The farthest of each group.
    pub groups: Vec<f32>,
}

/// What an assignment did.
#[derive(Default)]
pub(super) struct Assigned {
    /// Rows that have another centroid than before, and the one before.
    pub moved: Vec<(u32, u32)>,
    /// Pairs of a row and a group that were estimated.
    pub pairs: usize,
    /// Full distances to centroids that estimates left over.
    pub rescored: usize,
    /// Rows that are equally far from two centroids, of which they got the lower number.
    pub tied: Vec<u32>,
}

impl Bounds {
    pub fn new(n: usize, groups: usize) -> Self {
        Bounds { labels: vec![NO_LABEL; n], upper: vec![f32::INFINITY; n], lower: vec![0.0; n * groups], groups }
    }

    /// Forgets the lower bounds, since groups are others now.
    pub fn forget_groups(&mut self, groups: usize) {
        self.groups = groups;
        self.lower.clear();
        self.lower.resize(self.labels.len() * groups, 0.0);
    }

    /// Gives every row its nearest centroid.
    pub fn assign(&mut self, rows: &Rows<'_>, centers: &Centers<'_>, drift: &Drift) -> Assigned {
        let Bounds { labels, upper, lower, groups } = self;
        let tasks =
            labels.par_chunks_mut(TASK).zip(upper.par_chunks_mut(TASK)).zip(lower.par_chunks_mut(TASK * *groups));
        let done: Vec<Assigned> = tasks
            .enumerate()
            .map_init(Scratch::default, |scratch, (task, ((labels, upper), lower))| {
                let mut part =
                    Part { rows, centers, drift, first: task * TASK, labels, upper, lower, done: Assigned::default() };
                part.assign(scratch);
                part.done
            })
            .collect();
        let mut all = Assigned::default();
        for done in done {
            all.moved.extend(done.moved);
            all.pairs += done.pairs;
            all.rescored += done.rescored;
            all.tied.extend(done.tied);
        }
        all
    }
}

/// Space of a task.
#[derive(Default)]
struct Scratch {
    /// For each group the rows that want it, with the places of their estimates.
    wanted: Vec<Vec<(u32, u32)>>,
    /// For each place: the group, the estimates' largest, the estimates.
    groups: Vec<u32>,
    most: Vec<f32>,
    estimates: Vec<[f32; PANEL]>,
    /// Rows with estimates: the row, its first place, the squared distance to its centroid.
    pending: Vec<(u32, u32, f32)>,
    centred: Vec<f32>,
    /// Centroids that estimates leave: the most that the estimate may be, the centroid.
    left: Vec<(f32, u32)>,
}

/// The rows of a task.
struct Part<'a> {
    rows: &'a Rows<'a>,
    centers: &'a Centers<'a>,
    drift: &'a Drift,
    first: usize,
    labels: &'a mut [u32],
    upper: &'a mut [f32],
    lower: &'a mut [f32],
    done: Assigned,
}

impl Part<'_> {
    fn assign(&mut self, scratch: &mut Scratch) {
        let groups = self.centers.groups.len();
        scratch.wanted.resize_with(groups, Vec::new);
        let mut at = 0;
        while at < self.labels.len() {
            scratch.wanted.iter_mut().for_each(Vec::clear);
            scratch.groups.clear();
            scratch.pending.clear();
            while at < self.labels.len() && scratch.groups.len() < PAIRS {
                self.want(at, scratch);
                at += 1;
            }
            self.done.pairs += scratch.groups.len();
            self.estimate(scratch);
            let pending = std::mem::take(&mut scratch.pending);
            for (place, &(row, start, own)) in pending.iter().enumerate() {
                let end = pending.get(place + 1).map_or(scratch.groups.len(), |next| next.1 as usize);
                self.decide(row as usize, start as usize..end, own, scratch);
            }
            scratch.pending = pending;
        }
    }

    /// Moves a row's bounds, and notes the groups that have to be looked at.
    fn want(&mut self, row: usize, scratch: &mut Scratch) {
        let groups = self.centers.groups.len();
        let lower = &mut self.lower[row * groups..(row + 1) * groups];
        let label = self.labels[row];
        let mut own = f32::INFINITY;
        if label != NO_LABEL {
            let mut least = f32::INFINITY;
            for (lower, drift) in lower.iter_mut().zip(&self.drift.groups) {
                *lower = (*lower - drift).max(0.0) * (1.0 - SLACK);
                least = least.min(*lower);
            }
            let moved = (self.upper[row] + self.drift.centers[label as usize]) * (1.0 + SLACK);
            self.upper[row] = moved;
            if least > moved {
                return;
            }
            own = self.rows.kernels.l2_squared(self.rows.view.row(self.first + row), self.centers.center(label));
            self.upper[row] = own.sqrt() * (1.0 + SLACK);
            if least > self.upper[row] {
                return;
            }
        }
        scratch.pending.push((row as u32, scratch.groups.len() as u32, own));
        for (group, lower) in lower.iter().enumerate() {
            if *lower <= self.upper[row] {
                scratch.wanted[group].push((row as u32, scratch.groups.len() as u32));
                scratch.groups.push(group as u32);
            }
        }
    }

    /// Estimates `row . centroid - |centroid|^2 / 2` for all pairs that are wanted.
    fn estimate(&self, scratch: &mut Scratch) {
        scratch.most.resize(scratch.groups.len(), 0.0);
        scratch.estimates.resize(scratch.groups.len(), [0.0; PANEL]);
        let mut out = [[0.0; PANEL]; TILE];
        let mut most = [0.0; TILE];
        let dim = self.rows.dim();
        if !self.centers.has_codes() {
            scratch.centred.resize(TILE * dim, 0.0);
        }
        for (group, wanted) in scratch.wanted.iter().enumerate() {
            for tile in wanted.chunks(TILE) {
                let row = |place: usize| self.first + tile.get(place).unwrap_or(&tile[0]).0 as usize;
                if self.centers.has_codes() {
                    let codes: [CodeRow<'_>; TILE] = std::array::from_fn(|i| self.rows.codes(row(i)));
                    let panel = self.centers.code_panel(group);
                    self.rows.kernels.code_tile(&codes[..tile.len()], panel, &mut out, &mut most);
                } else {
                    let centred = scratch.centred.chunks_exact_mut(dim).enumerate();
                    centred.take(tile.len()).for_each(|(i, centred)| self.rows.centred(row(i), centred));
                    let rows: [&[f32]; TILE] = std::array::from_fn(|i| &scratch.centred[i * dim..(i + 1) * dim]);
                    let (panel, bias) = self.centers.full_panel(group);
                    self.rows.kernels.products(&rows[..tile.len()], panel, &mut out);
                    add_bias(&mut out[..tile.len()], bias, &mut most);
                }
                for (i, &(_, place)) in tile.iter().enumerate() {
                    scratch.estimates[place as usize] = out[i];
                    scratch.most[place as usize] = most[i];
                }
            }
        }
    }

    /// Picks a row's centroid by its estimates, and by full distances where they leave several.
    fn decide(&mut self, row: usize, places: std::ops::Range<usize>, own: f32, scratch: &mut Scratch) {
        let coded = self.rows.coded(self.first + row);
        let (norm, error) = (coded.norm * (1.0 + NORM_SLACK), coded.error * (1.0 + 10.0 * NORM_SLACK));
        let squared = coded.norm * coded.norm;
        let slack = 2.0 * NORM_SLACK * squared;
        let dim = self.rows.dim();
        let label = self.labels[row];
        let off = |group: u32| self.centers.off(group as usize, norm, error, dim);
        // The least squared distance that is sure to be reached.
        let mut reached = own;
        for place in places.clone() {
            let most = scratch.most[place] - off(scratch.groups[place]);
            reached = reached.min(squared - 2.0 * most + slack);
        }
        scratch.left.clear();
        for place in places.clone() {
            let off = off(scratch.groups[place]);
            let floor = (squared - slack - reached) * 0.5 - off;
            if scratch.most[place] >= floor {
                let first = scratch.groups[place] as usize * PANEL;
                for (i, &estimate) in scratch.estimates[place].iter().enumerate() {
                    let id = self.centers.groups.at[first + i];
                    if estimate >= floor && id != label {
                        scratch.left.push((estimate + off, id));
                    }
                }
            }
        }
        let (winner, distance) = self.pick(row, own, reached, squared - slack, &mut scratch.left);
        self.upper[row] = distance.max(0.0).sqrt() * (1.0 + SLACK);
        if winner != label {
            self.labels[row] = winner;
            self.done.moved.push(((self.first + row) as u32, label));
        }
        let lower = &mut self.lower[row * self.centers.groups.len()..];
        if label != NO_LABEL && winner != label {
            // The one before may stand in a group that was not looked at.
            let group = self.centers.groups.of(label);
            lower[group] = lower[group].min(own.sqrt() * (1.0 - SLACK));
        }
        let winner_place = self.centers.groups.place[winner as usize] as usize;
        for place in places {
            let group = scratch.groups[place] as usize;
            let mut most = scratch.most[place];
            if winner_place / PANEL == group {
                scratch.estimates[place][winner_place % PANEL] = f32::NEG_INFINITY;
                most = scratch.estimates[place].iter().fold(f32::NEG_INFINITY, |most, &e| most.max(e));
            }
            let least = squared - slack - 2.0 * (most + off(group as u32));
            lower[group] = least.max(0.0).sqrt() * (1.0 - SLACK);
        }
    }

    /// `(the nearest centroid, at least the squared distance to it)`.
    fn pick(&mut self, row: usize, own: f32, reached: f32, squared: f32, left: &mut [(f32, u32)]) -> (u32, f32) {
        let label = self.labels[row];
        if let [(_, only)] = left
            && (label == NO_LABEL || reached < own)
        {
            return (*only, reached);
        }
        left.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut best = (own, label);
        let mut tied = false;
        for &(most, id) in left.iter() {
            if squared - 2.0 * most > best.0 {
                break;
            }
            let distance = self.rows.kernels.l2_squared(self.rows.view.row(self.first + row), self.centers.center(id));
            self.done.rescored += 1;
            tied = distance == best.0 || tied && distance > best.0;
            if (distance, id) < best {
                best = (distance, id);
            }
        }
        if tied {
            self.done.tied.push((self.first + row) as u32);
        }
        // Estimates of finite numbers leave at least one to a row without a centroid.
        let id = if best.1 == NO_LABEL { self.centers.groups.at[0] } else { best.1 };
        (id, best.0)
    }
}

/// Adds the bias of each centroid to its products, and finds the largest of each row.
fn add_bias(out: &mut [[f32; PANEL]], bias: &[f32; PANEL], most: &mut [f32; TILE]) {
    for (out, most) in out.iter_mut().zip(most) {
        *most = f32::NEG_INFINITY;
        for (out, bias) in out.iter_mut().zip(bias) {
            *out += bias;
            *most = most.max(*out);
        }
    }
}
